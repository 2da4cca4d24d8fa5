"""What each kind of code keeps and costs on one's own vectors: a study that says how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..dtypes import RotationName
from ..embeddings import Embeddings
from ..words import as_whole, shows_progress
from .codes import LowBit
from .inputs import MOST_TO_FIT, Inputs, as_dimensions, as_multipliers, prepare_inputs
from .intervals import FEWEST_QUERIES
from .kinds import as_kinds
from .measures import collapse_warnings
from .measuring import measure
from .results import Study
from .words import few_queries

Progress = Callable[[int, int, str], None]

_LOOKED_AT = 10_000  # how many rows are looked at to see whether dimensions collapse
_FITTED_TO_ITSELF = 0.1  # the share of searched rows that codes may be fitted to: up to this it makes no difference


@shows_progress("measuring")
def study(
    vectors: ArrayLike | Embeddings | Sequence[ArrayLike | Embeddings],
    queries: ArrayLike | Embeddings | None = None,
    relevant: Sequence[ArrayLike] | NDArray[Any] | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    k: int = 10,
    multipliers: Sequence[int] = (4, 10),
    sample: int | None = 50_000,
    codes: Sequence[str] | None = None,
    rotation: RotationName = "auto",
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> Study:
    """Measure what every kind of code keeps of exact float32 search on these vectors, and what it costs.

    Memory does not grow with the number of rows but for some 50 bytes each: they are read, coded and searched in blocks
    of 64 MiB, of which a few times as much is held, as fitting holds a few hundred megabytes, too; mapped files
    (``np.load(path, mmap_mode="r")``) stay on the disk. Up to hundreds of thousands of rows most of the time goes into
    fitting low-bit codes: seconds for each of 1, 2 and 4 bits and each number of dimensions at 512 of them, half a
    second for a number of bytes.

    Parameters
    ----------
    vectors : array-like, shape (n, d), or float Embeddings, or a list of such
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
        Coarse codes are also rescored: so many times k candidates.
    sample : int, optional
        Measure on at most so many rows, drawn with `seed`; None: on all. With `relevant`, all rows are kept.
    codes : sequence of str, optional
        What to compare with floats: "float16" (as which stores and files keep them; embcodec holds and searches
        float32), "int8" (of the unit scale, as services send it, and with a scale a vector), "uint8", "bits" (signs,
        also called "ubinary" and "binary"), and low-bit codes by their size: "1 bit", "2.5 bits", or any other number
        up to 8, and "64 bytes", all that a vector takes; "1 bit, unshaped" shows what shaping brings. By default the
        first four, 1, 2 and 4 bits, and those of 32, 64, 128 and 256 bytes that are fewer than int8's. Of cut vectors
        there are no codes of so many bytes: the directions that they keep are cut better.
    rotation : {"auto", "none", "random", "blocks", "learned", "whitened", "principal"}
        Of the codes of 1, 2 and 4 bits; other numbers of bits, and of bytes, are in principal directions. All are
        fitted to rows that are left out of the sample where these are enough, else to those that are searched
        (``Study.fitted_to`` says it), 20,000 at most. Learning a rotation takes seconds at 512 dimensions and grows
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
    TypeError
        For a generator of parts, which are read more than once.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((600, 32), dtype=np.float32)
    >>> found = study(x, dimensions=[32], multipliers=[4], codes=["int8", "16 bytes"])
    >>> [measurement.label for measurement in found.measurements]
    ['float', 'int8 unit', 'int8 per-vector', '16 bytes', '16 bytes, then int8 x4']
    >>> found.measurements[0].overlap.mean
    1.0
    """
    told = None if isinstance(progress, bool) else progress  # the decorator has made a function of True
    k, cut_to = as_whole(k, "k", 1), None if dimensions is None else as_dimensions(dimensions)
    multipliers, sample = as_multipliers(multipliers), None if sample is None else as_whole(sample, "sample", 1)
    generator = np.random.default_rng(as_whole(seed, "seed"))
    as_kinds(codes, 1)  # what nobody knows is refused before anything is read
    if told is not None:
        told(0, 1, "reading the vectors")
    found = prepare_inputs(vectors, queries, relevant, k=k, sample=sample, generator=generator)
    full = found.rows.dimension
    wanted = sorted({full, *((max(1, full // 2), max(1, full // 4)) if cut_to is None else cut_to)}, reverse=True)
    if wanted[0] > full or wanted[-1] < 1:
        wrong = wanted[0] if wanted[0] > full else wanted[-1]
        raise ValueError(f"the vectors have {full} dimensions: those kept are within 1 .. {full}, not {wrong}")
    kinds = as_kinds(codes, full)
    learned_from = found.rows.spread(MOST_TO_FIT) if found.others is None else found.others
    low_bit = LowBit(learned_from, rotation, seed, () if found.zeros else kinds.low_bit)
    measurements = measure(found, wanted, multipliers, kinds.plain, low_bit, k=k, threads=threads, progress=told)
    warnings = [*found.warnings, *collapse_warnings(found.rows.spread(_LOOKED_AT)), *_doubts(found, k)]
    if kinds.low_bit:
        warnings += _doubts_of_low_bit(found, low_bit)
    fitted_to = f"{len(learned_from):,} rows that {'are searched too' if found.others is None else 'are not searched'}"
    return Study(measurements, len(found.rows), full, len(found.queries), k, found.held_out, warnings, fitted_to)


def _doubts_of_low_bit(found: Inputs, low_bit: LowBit) -> list[str]:
    """Say in words why low-bit codes are left out, or will keep less than is measured."""
    if found.zeros:
        return [f"{found.zeros} of the vectors are zero, which low-bit codes cannot rank by cosine: they are left out"]
    fitted_to, rows = len(low_bit.sample), len(found.rows)
    if found.others is None and fitted_to >= _FITTED_TO_ITSELF * rows:
        return [
            f"low-bit codes were fitted to {'the very' if fitted_to == rows else f'{fitted_to:,} of the'} rows that "
            "are searched: of rows that come later they may keep less",
            *low_bit.warnings(),
        ]
    return low_bit.warnings()


def _doubts(found: Inputs, k: int) -> list[str]:
    """Say in words what there is too little of."""
    warnings = []
    asked = len(found.queries)
    if asked < FEWEST_QUERIES:
        warnings.append(few_queries(asked, found.held_out))
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
