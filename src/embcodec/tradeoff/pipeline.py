"""A way to search: codes to scan, and perhaps finer rows to score the candidates with again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ..dtypes import Metric, OutputDtype
from ..embeddings import Embeddings
from ..quantizers.fitting import LowBitQuantizer
from ..quantizers.lowbit import LowBitCodes
from ..scale import ScaleName
from ..scan import rescore, search
from .recipe import Recipe

T = TypeVar("T")
_BUDGET = 0.05
"""Seconds that may go into repeating a measurement, to find what it takes undisturbed."""
_FEWEST_CALLS, _CALLS = 7, 32
"""Queries asked one by one."""
_SHORT = {OutputDtype.BINARY: "bits", OutputDtype.UBINARY: "bits"}


class Depths(NamedTuple):
    """How far the stages of a search look.

    Attributes
    ----------
    multiplier, again_multiplier : int
        The last stage gets so many times k rows, the one before so many times these.
    again : bool
        Whether other queries meet the codes that were scanned.
    rescored_with : str or None
        The dtype of the last stage's rows.
    """

    multiplier: int
    again_multiplier: int
    again: bool
    rescored_with: str | None

    def rows(self, k: int, most: int) -> tuple[int, int]:
        """Return how many rows the first stage hands on, and how many reach the last."""
        wanted = min(k * self.multiplier, most)
        return min(wanted * self.again_multiplier, most), wanted


@dataclass(frozen=True)
class Pipeline:
    """Codes with the queries asked of them, and the further stages if there are any.

    Attributes
    ----------
    label : str
    codes : Embeddings or LowBitCodes
    queries : Embeddings
        The first stage: integers or bits against the same kind, or float queries against any.
    again : Embeddings or None
        Other queries for the same codes: of `again_multiplier` times as many candidates they keep one part.
    rows, exact : Embeddings or None
        The last stage: rows to score candidates with, and the queries for that.
    multiplier : int
        The last stage gets so many times k candidates.
    encode_seconds : float
        That encoding `codes` took; 0: unknown.
    note : str
        How they were fitted, if they were.
    quantizer : LowBitQuantizer or None
        What made low-bit codes.
    half : bool
        Whether float rows have the values of float16, which they are stored as.
    """

    label: str
    codes: Embeddings | LowBitCodes
    queries: Embeddings
    rows: Embeddings | None = None
    exact: Embeddings | None = None
    multiplier: int = 1
    encode_seconds: float = 0.0
    again: Embeddings | None = None
    again_multiplier: int = 1
    note: str = ""
    quantizer: LowBitQuantizer | None = None
    half: bool = False

    @property
    def code_bytes(self) -> float:
        """Bytes of a row as it is stored."""
        return self.codes.nbytes / len(self.codes) / (1 + self.half)

    @property
    def kind(self) -> str:
        """The dtype of the codes that are scanned."""
        if self.half:
            return "float16"
        return self.codes.scheme.label if isinstance(self.codes, LowBitCodes) else str(self.codes.output_dtype)

    @property
    def metric(self) -> Metric:
        """By which codes are scanned."""
        return "hamming" if self.queries.output_dtype.is_packed else "cosine"

    @property
    def depths(self) -> Depths:
        """How far its stages look."""
        finer = None if self.rows is None else self.rows.output_dtype.value
        return Depths(self.multiplier, self.again_multiplier, self.again is not None, finer)

    @property
    def recipe(self) -> Recipe:
        """How the same is done with other rows."""
        codes = self.codes if isinstance(self.codes, Embeddings) else None
        return Recipe(
            None if codes is None else codes.output_dtype.value,
            self.codes.dimension,
            scale=None if codes is None or codes.scale is None else cast(ScaleName, codes.scale.kind),
            quantizer=self.quantizer,
            rescored_with=None if self.rows is None else self.rows.output_dtype.value,
            multiplier=self.multiplier,
            coded_queries=self.queries.output_dtype is not OutputDtype.FLOAT,
            three_stage=self.again is not None,
            half=self.half,
        )

    def rescored(self, rows: Embeddings, exact: Embeddings, multiplier: int) -> Pipeline:
        """Return this pipeline with a last stage."""
        label = f"{self.label}, then {_SHORT.get(rows.output_dtype, rows.output_dtype)} x{multiplier}"
        return replace(self, label=label, rows=rows, exact=exact, multiplier=multiplier)

    def narrowed(self, again: Embeddings, again_multiplier: int, rows: Embeddings, multiplier: int) -> Pipeline:
        """Return this pipeline with two further stages: other queries for the same codes, and better rows."""
        first = again_multiplier * multiplier
        last = f"{_SHORT.get(rows.output_dtype, rows.output_dtype)} x{multiplier}"
        return replace(
            self,
            label=f"{self.label}, float query x{first}, {last}",
            again=again,
            again_multiplier=again_multiplier,
            rows=rows,
            exact=again,
            multiplier=multiplier,
        )

    def run(self, k: int, part: slice = slice(None), threads: int | None = None) -> NDArray[np.int64]:
        """Return the row numbers of the k best of each query in `part`, best first."""
        scanned, wanted = self.depths.rows(k, len(self.codes))
        kept = search(self.queries[part], self.codes, scanned, metric=self.metric, threads=threads).indices
        if self.again is not None:
            kept = rescore(
                self.again[part], kept, self.codes, wanted, metric="cosine", query_precision="int8", threads=threads
            ).indices
        if self.rows is not None and self.exact is not None:
            kept = rescore(self.exact[part], kept, self.rows, k, metric="cosine", threads=threads).indices
        return kept


def timed(work: Callable[[], T], repeats: int = 3) -> tuple[T, float]:
    """Return what `work` returns and the seconds that its quickest run took."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return result, best


class Rates(NamedTuple):
    """Queries a second, and how near to the machine's limit they come.

    Attributes
    ----------
    one, batch : float
        Queries a second one by one (the median of some), and all in one call (the best of some).
    of_limit : float
        What reading the codes once takes (NumPy's maximum over their bytes, one thread), by what one query takes:
        1 would be a query at the speed of reading.
    """

    one: float
    batch: float
    of_limit: float

    def of_more(self, share: float, first: Rates) -> Rates:
        """Return the rates among so many times as many rows, of which the `first` stage alone has more to do."""
        one, batch = (
            1 / (share / alone + max(1 / both - 1 / alone, 0.0))
            for both, alone in ((self.one, first.one), (self.batch, first.batch))
        )
        return Rates(one, batch, self.of_limit)


def rates(pipe: Pipeline, k: int, threads: int | None = None) -> Rates:
    """Measure how many queries a second a pipeline answers."""
    count = len(pipe.queries)
    pipe.run(k, slice(0, 1), threads)  # the first call sets things up, which is no query's time
    seconds: list[float] = []
    while len(seconds) < _FEWEST_CALLS or (len(seconds) < _CALLS and sum(seconds) < _BUDGET):
        number = len(seconds) % count
        start = time.perf_counter()
        pipe.run(k, slice(number, number + 1), threads)
        seconds.append(time.perf_counter() - start)
    best, spent, runs = float("inf"), 0.0, 0
    while runs < 1 or (runs < 20 and spent + best < _BUDGET):
        once = timed(lambda: pipe.run(k, threads=threads), repeats=1)[1]
        best, spent, runs = min(best, once), spent + once, runs + 1
    one = max(float(np.median(seconds)), 1e-9)
    scanned = pipe.codes.bit_planes if isinstance(pipe.codes, LowBitCodes) else pipe.codes.values
    _, reading = timed(scanned.reshape(-1).view(np.uint8).max, repeats=5)
    return Rates(1 / one, count / max(best, 1e-9), reading / one)
