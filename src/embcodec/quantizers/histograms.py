"""Histograms of each dimension, the same in whatever order and parts values come, and the ranges chosen from them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native.blocks import each_block
from ..dtypes import CalibrationMethod

BLOCK_BYTES = 1 << 24  # many rows for each histogram that is fetched
MOST_SHORT = (1 << 32) - 1
"""Values of a dimension that are counted by 32 bits."""

_STRIPE = 32  # dimensions whose histograms one thread counts, at least
_PACE, _CHOOSING_PACE = 1.0, 0.5  # nanoseconds a byte of rows, and of histograms

Ends = tuple[NDArray[np.float32], NDArray[np.float32]]


def compiled() -> Any:
    """Return what Numba compiles for them; ModuleNotFoundError where Numba is not installed."""
    from . import calibrate_jit

    return calibrate_jit


class Histograms:
    """How often values fall into each bin, one histogram a dimension; see ``calibrate_jit.widen`` for the bins.

    Parameters
    ----------
    dimension : int
    """

    lows: NDArray[np.float64]
    widths: NDArray[np.float64]
    counts: NDArray[np.integer[Any]]
    total: int

    def __init__(self, dimension: int) -> None:
        self.lows, self.widths = np.full(dimension, np.nan), np.zeros(dimension)
        self.counts = np.zeros((dimension, compiled().BINS), np.uint32)
        self.total = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.lows.nbytes + self.widths.nbytes + self.counts.nbytes

    def cover(self, ends: Ends, *, settled: bool = False) -> None:
        """Make room for values from minima to maxima; `settled`, where nothing but these say which bins there are."""
        minima, maxima = (end.astype(np.float64) for end in ends)
        compiled().widen(self.lows, self.widths, self.counts, minima, maxima, settled)

    def count(self, block: NDArray[np.float32], threads: int | None) -> None:
        """Count values (n, dimension) that are covered."""
        self._expect(self.total + len(block))
        counting = partial(_count, block, self.lows, self.widths, self.counts)
        each_block(counting, len(self.lows), 4 * len(block), threads, _PACE, multiple=_STRIPE)

    def copy(self) -> Histograms:
        """Return others that count the same so far."""
        made = Histograms(len(self.lows))
        made.lows, made.widths, made.counts = self.lows.copy(), self.widths.copy(), self.counts.copy()
        made.total = self.total
        return made

    def joined(self, other: Histograms, ends: Ends) -> Histograms:
        """Return histograms of the values of both, which lie from minima to maxima."""
        ours, theirs = self.copy(), other.copy()
        for each in (ours, theirs):
            each.cover(ends, settled=True)
        ours._expect(self.total + other.total)
        np.add(ours.counts, theirs.counts, out=ours.counts, casting="same_kind")
        return ours

    def ranges(
        self, method: CalibrationMethod, quantile: float, ends: Ends, threads: int | None = 1
    ) -> NDArray[np.float32]:
        """Return the ranges that "quantile" or "mse" choose, float32 (2, dimension)."""
        minima, maxima = (end.astype(np.float64) for end in ends)
        self.cover(ends, settled=True)
        jit, ranges = compiled(), np.empty((len(self.lows), 2))
        lows, widths, counts = self.lows, self.widths, self.counts

        def choose(d: slice) -> None:
            of = lows[d], widths[d], counts[d], minima[d], maxima[d]
            if method == "quantile":
                jit.quantiles(*of, float(quantile), ranges[d])
            else:
                jit.least_error(*of, ranges[d])

        each_block(choose, len(lows), jit.BINS * counts.itemsize, threads, _CHOOSING_PACE)
        return np.ascontiguousarray(ranges.T, np.float32)

    def _expect(self, total: int) -> None:
        """Make room for counts of so many values: of 32 bits while these do, which are half as far apart in caches."""
        if total > MOST_SHORT:
            self.counts = self.counts.astype(np.int64, copy=False)
        self.total = total

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histograms):
            return NotImplemented
        return all(np.array_equal(ours, vars(other)[name]) for name, ours in vars(self).items())

    __hash__ = None  # type: ignore[assignment]


def _count(block: Any, lows: Any, widths: Any, counts: Any, dimensions: slice) -> None:
    compiled().count(block, lows, widths, counts, dimensions.start, dimensions.stop)
