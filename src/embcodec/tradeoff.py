"""What each kind of code keeps and costs on one's own vectors: a study that says how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .codec_bits import as_array
from .dtypes import OutputDtype
from .embeddings import Embeddings
from .search import search
from .tradeoff_codes import LowBit, standard_pipelines
from .tradeoff_measures import bootstrap, bootstrap_ratio, collapse_warnings, ndcg, overlap, pareto
from .tradeoff_pipeline import Pipeline, rates
from .tradeoff_results import Measurement, Stage, Study

Progress = Callable[[int, int, str], None]
_HELD_OUT = 300
_MOST_TO_FIT = 20_000


def study(
    vectors: ArrayLike | Embeddings,
    queries: ArrayLike | Embeddings | None = None,
    relevant: Sequence[Any] | NDArray[Any] | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    k: int = 10,
    multipliers: Sequence[int] = (4, 10),
    sample: int | None = 50_000,
    rotation: str = "auto",
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Study:
    """Measure what every kind of code keeps of exact float32 search on these vectors, and what it costs.

    Parameters
    ----------
    vectors : array-like, shape (n, d), or float Embeddings
    queries : array-like, shape (n_queries, d), optional
        By default up to 300 of the vectors, taken out of them.
    relevant : sequence of length n_queries, optional
        The row, or rows, that answer each query; nDCG is then reported too.
    dimensions : sequence of int, optional
        Vectors are also cut to these; by default to a half and a quarter.
    k : int
        How many neighbours count.
    multipliers : sequence of int
        Bits are also rescored: so many times k candidates.
    sample : int, optional
        Measure on at most so many rows, drawn with `seed`; None: on all. With `relevant`, all rows are kept.
    rotation : {"auto", "none", "random", "blocks", "learned", "whitened"}
        Of the low-bit codes, which are fitted to rows that are left out of the sample where there are such, else to
        those that are searched (``Study.fitted_to`` says it). Learning one takes seconds at 512 dimensions and grows
        with their cube: above 1,024 "auto" is "random".
    threads : int, optional
        For searching.
    progress : callable, optional
        Called with (done, total, label).

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        For codes instead of floats, too few rows, or shapes that do not fit.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((600, 32), dtype=np.float32)
    >>> found = study(x, dimensions=[32], multipliers=[4])
    >>> found.measurements[0].label, found.measurements[0].overlap.mean
    ('float', 1.0)
    """
    rows = _floats(vectors, "vectors")
    generator = np.random.default_rng(seed)
    others = None
    if sample is not None and relevant is None:
        keep = sample + (min(_HELD_OUT, sample // 4) if queries is None else 0)
        if len(rows) > keep:
            kept = np.zeros(len(rows), bool)
            kept[generator.choice(len(rows), keep, replace=False)] = True
            left = np.flatnonzero(~kept)
            rows, others = rows[kept], rows[left[:: -(-len(left) // _MOST_TO_FIT)]]
    held_out = queries is None
    if queries is None:
        if relevant is not None:
            raise ValueError("relevant rows are those of given queries: pass queries too")
        rows, asked = _hold_out(rows, k, generator)
    else:
        asked = _floats(queries, "queries")
    if asked.shape[1] != rows.shape[1]:
        raise ValueError(f"queries have {asked.shape[1]} dimensions, vectors {rows.shape[1]}")
    if not len(rows) or not len(asked) or not 1 <= k <= len(rows):
        raise ValueError(f"{len(rows)} vectors and {len(asked)} queries are too few for the {k} nearest")
    full = rows.shape[1]
    wanted = sorted({full, *(dimensions or (max(1, full // 2), max(1, full // 4)))}, reverse=True)
    if wanted[0] > full or wanted[-1] < 1:
        raise ValueError(f"dimensions are within 1 .. {full}, not {wanted}")
    truth = search(asked, rows, k, metric="cosine", threads=threads).indices
    low_bit = LowBit(rows if others is None else others, rotation, seed)
    pipelines: list[Pipeline] = []
    for number, size in enumerate(wanted):
        if progress is not None:
            progress(number, len(wanted), f"coding at {size} dimensions")
        pipelines += standard_pipelines(rows, asked, size, multipliers, low_bit)
    measurements = measure(pipelines, truth, relevant, k=k, threads=threads, progress=progress)
    warnings = collapse_warnings(rows)
    if len(asked) < 100:
        warnings.append(f"{len(asked)} queries are few: the intervals are wide")
    if len(rows) < 100 * k:
        warnings.append(f"{len(rows)} rows are few: larger collections lose more to coarse codes")
    warnings += low_bit.warnings(rows)
    fitted_to = f"{len(low_bit.sample):,} rows that {'are searched too' if others is None else 'are not searched'}"
    return Study(measurements, len(rows), full, len(asked), k, held_out, warnings, fitted_to)


def measure(
    pipelines: Sequence[Pipeline],
    truth: NDArray[Any],
    relevant: Sequence[Any] | NDArray[Any] | None = None,
    *,
    k: int,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Measurement]:
    """Run every pipeline; the first is what the others' nDCG is compared with.

    Parameters
    ----------
    pipelines : sequence of Pipeline
    truth : integer array, shape (n_queries, k)
        The exact neighbours.
    relevant : sequence of length n_queries, optional
    """
    found = []
    reference = None
    for number, pipe in enumerate(pipelines):
        if progress is not None:
            progress(number, len(pipelines), f"{pipe.label}, {pipe.codes.dimension} dimensions")
        *former, indices = pipe.stages(k, threads=threads)
        gains = ndcg(indices, relevant) if relevant is not None else None
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
                overlap=bootstrap(overlap(indices, truth)),
                ndcg=bootstrap(gains) if gains is not None else None,
                ndcg_kept=bootstrap_ratio(gains, reference) if gains is not None and reference is not None else None,
                one_per_second=speed.one,
                batch_per_second=speed.batch,
                of_limit=speed.of_limit,
                encoded_per_second=len(pipe.codes) / pipe.encode_seconds if pipe.encode_seconds else None,
                stages=tuple(Stage(kept.shape[1], bootstrap(overlap(kept, truth))) for kept in former),
                note=pipe.note,
            )
        )
    front = pareto([m.total_bytes for m in found], [m.overlap.mean for m in found])
    return [replace(m, on_front=best) for m, best in zip(found, front, strict=True)]


def _floats(x: ArrayLike | Embeddings, name: str) -> NDArray[np.float32]:
    if isinstance(x, Embeddings):
        if x.output_dtype is not OutputDtype.FLOAT:
            raise ValueError(f"{name} are {x.output_dtype} codes; a study begins with the floats they came from")
        x = x.values
    array = np.ascontiguousarray(as_array(x))
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(f"{name} are floats of shape (n, dimension), not {array.dtype} {array.shape}")
    array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(f"row {int((~np.isfinite(array)).any(axis=1).argmax())} of {name} has NaN or Infinity")
    return array


def _hold_out(
    rows: NDArray[np.float32], k: int, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    count = min(_HELD_OUT, len(rows) // 5)
    if count < 1 or len(rows) - count < k:
        raise ValueError(f"{len(rows)} vectors are too few to hold out queries from")
    taken = np.zeros(len(rows), bool)
    taken[generator.choice(len(rows), count, replace=False)] = True
    return rows[~taken], rows[taken]
