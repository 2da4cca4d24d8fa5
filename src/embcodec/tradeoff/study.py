"""What each kind of code keeps and costs on one's own vectors: a study that says how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..dtypes import RotationName
from ..embeddings import Embeddings
from ..words import as_whole, shows_progress
from .codes import LowBit, standard_pipelines
from .inputs import Inputs, as_dimensions, prepare_inputs
from .intervals import (
    EXACTLY_ALL,
    FEWEST_QUERIES,
    Estimate,
    PerQuery,
    gain_interval,
    overlap_interval,
    ratio_interval,
)
from .measurement import Measurement, Stage
from .measures import collapse_warnings, ndcg, overlap, pareto
from .pipeline import Pipeline, rates
from .results import Study
from .words import counted, next_step

Progress = Callable[[int, int, str], None]


@shows_progress("measuring")
def study(
    vectors: ArrayLike | Embeddings,
    queries: ArrayLike | Embeddings | None = None,
    relevant: Sequence[ArrayLike] | NDArray[Any] | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    k: int = 10,
    multipliers: Sequence[int] = (4, 10),
    sample: int | None = 50_000,
    rotation: RotationName = "auto",
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> Study:
    """Measure what every kind of code keeps of exact float32 search on these vectors, and what it costs.

    Parameters
    ----------
    vectors : array-like, shape (n, d), or float Embeddings
        Of rows that are alike but for their length one is kept: copies would tie.
    queries : array-like, shape (n_queries, d), optional
        By default up to 300 of the vectors, taken out of them. One that is a vector itself does not find itself; one
        that comes twice is asked once. Fewer than 30 are too few for a recommendation.
    relevant : sequence of length n_queries, optional
        The row, or rows, that answer each query; nDCG is then reported too, of the queries that have any.
    dimensions : sequence of int, optional
        Vectors are also cut to these; by default to a half and a quarter.
    k : int
        How many neighbours count.
    multipliers : sequence of int
        Bits are also rescored: so many times k candidates.
    sample : int, optional
        Measure on at most so many rows, drawn with `seed`; None: on all. With `relevant`, all rows are kept.
    rotation : {"auto", "none", "random", "blocks", "learned", "whitened", "principal"}
        Of the low-bit codes, which are fitted to rows that are left out of the sample where there are such, else to
        those that are searched (``Study.fitted_to`` says it). Learning one takes seconds at 512 dimensions and grows
        with their cube: above 1,024 "auto" is "random".
    threads : int, optional
        For searching.
    progress : callable or True, optional
        Called with (done, total, label). True: a bar on standard error, where that is a terminal, or in a notebook.

    Returns
    -------
    Study
        Its `warnings` say what was done to the vectors and what makes the figures less sure.

    Raises
    ------
    ValueError
        For codes instead of floats, too few rows, relevant rows that are not there, or shapes that do not fit.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((600, 32), dtype=np.float32)
    >>> found = study(x, dimensions=[32], multipliers=[4])
    >>> found.measurements[0].label, found.measurements[0].overlap.mean
    ('float', 1.0)
    """
    told = None if isinstance(progress, bool) else progress  # the decorator has made a function of True
    k, cut_to = as_whole(k, "k", 1), set() if dimensions is None else as_dimensions(dimensions)
    found = prepare_inputs(vectors, queries, relevant, k=k, sample=sample, generator=np.random.default_rng(seed))
    rows, asked, others = found.rows, found.queries, found.others
    full = rows.shape[1]
    wanted = sorted({full, *(cut_to or (max(1, full // 2), max(1, full // 4)))}, reverse=True)
    if wanted[0] > full or wanted[-1] < 1:
        wrong = wanted[0] if wanted[0] > full else wanted[-1]
        raise ValueError(f"the vectors have {full} dimensions: those kept are within 1 .. {full}, not {wrong}")
    truth = Pipeline("float", Embeddings(rows), Embeddings(asked), own=found.own).run(k, threads=threads)
    low_bit = LowBit(rows if others is None else others, rotation, seed)
    pipelines: list[Pipeline] = []
    for number, size in enumerate(wanted):
        if told is not None:
            told(number, len(wanted), f"coding at {size} dimensions")
        pipelines += standard_pipelines(rows, asked, size, multipliers, low_bit)
    pipelines = [replace(pipe, own=found.own) for pipe in pipelines]
    measurements = measure(pipelines, truth, found.relevant, k=k, threads=threads, progress=told)
    warnings = found.warnings + collapse_warnings(rows) + _doubts(found, k) + low_bit.warnings(rows)
    fitted_to = f"{len(low_bit.sample):,} rows that {'are searched too' if others is None else 'are not searched'}"
    return Study(measurements, len(rows), full, len(asked), k, found.held_out, warnings, fitted_to)


def _doubts(found: Inputs, k: int) -> list[str]:
    """Say in words what there is too little of."""
    warnings = []
    asked = len(found.queries)
    if asked < FEWEST_QUERIES:
        warnings.append(
            f"{counted(asked, 'query is', 'queries are')} too few to recommend anything by: {next_step(found.held_out)}"
        )
    elif asked < 100:
        warnings.append(f"{asked} queries are few: the intervals are wide")
    if len(found.rows) < 100 * k:
        warnings.append(f"{len(found.rows)} rows are few: larger collections lose more to coarse codes")
    without = sum(not len(some) for some in found.relevant or ())
    if without:
        warnings.append(
            f"nothing is known to answer {without:,} of the {asked:,} queries: nDCG is of the other {asked - without:,}"
        )
    return warnings


def measure(
    pipelines: Sequence[Pipeline],
    truth: NDArray[Any],
    relevant: Sequence[ArrayLike] | NDArray[Any] | None = None,
    *,
    k: int,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Measurement]:
    """Run every pipeline; the first is the exact search that the others are compared with.

    Parameters
    ----------
    pipelines : sequence of Pipeline
    truth : integer array, shape (n_queries, k)
        The exact neighbours.
    relevant : sequence of length n_queries, optional
    """
    found = []
    reference = None
    answered = np.array([np.size(some) > 0 for some in relevant] if relevant is not None else [], bool)
    for number, pipe in enumerate(pipelines):
        if progress is not None:
            progress(number, len(pipelines), f"{pipe.label}, {pipe.codes.dimension} dimensions")
        *former, indices = pipe.stages(k, threads=threads)
        gains = ndcg(indices, relevant)[answered] if relevant is not None and answered.any() else None
        reference = gains if reference is None else reference
        speed = rates(pipe, k, threads)
        found.append(
            Measurement(
                label=pipe.label,
                output_dtype=pipe.kind,
                dimension=pipe.codes.dimension,
                rescored_with=str(pipe.rows.output_dtype) if pipe.rows is not None else None,
                rescore_multiplier=pipe.multiplier,
                code_bytes=pipe.codes.nbytes / len(pipe.codes),
                rescore_bytes=pipe.rows.nbytes / len(pipe.rows) if pipe.rows is not None else 0.0,
                overlap=EXACTLY_ALL if number == 0 else overlap_interval(overlap(indices, truth), k),
                ndcg=gain_interval(gains) if gains is not None else None,
                ndcg_kept=_kept(gains, reference, number == 0),
                one_per_second=speed.one,
                batch_per_second=speed.batch,
                of_limit=speed.of_limit,
                encoded_per_second=len(pipe.codes) / pipe.encode_seconds if pipe.encode_seconds else None,
                stages=tuple(Stage(kept.shape[1], overlap_interval(overlap(kept, truth), k)) for kept in former),
                note=pipe.note,
                recipe=pipe.recipe,
                k=k,
            )
        )
    front = pareto([m.total_bytes for m in found], [m.overlap.mean for m in found])
    return [replace(m, on_front=best) for m, best in zip(found, front, strict=True)]


def _kept(gains: PerQuery | None, reference: PerQuery | None, itself: bool) -> Estimate | None:
    if gains is None or reference is None or not reference.any():
        return None
    return EXACTLY_ALL if itself else ratio_interval(gains, reference)
