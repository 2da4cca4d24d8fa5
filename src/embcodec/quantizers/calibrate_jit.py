"""What Numba compiles for calibration: histograms that widen as values come, and the intervals chosen from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..words import import_numba

njit = import_numba("calibrate by 'quantile' or 'mse'", "method='minmax' needs none").njit

BINS = 2056  # so many more than 2048 that a bin is narrower than a 1/1024 of what all cover
FINEST, SHORTEST = 37, -180
"""Powers of two: how much finer than the largest value bins are at most, so that places of bins are whole numbers of
double, and twice as fine as float32 tells values apart by; and the width of bins for nothing but zeros."""
_STRIPE, _STRETCH = 32, 512  # dimensions and rows of a tile, whose bins, 32 KB, stay near beside one histogram
_CALLED = ("moments", "interval_error")  # by kernels


def _compiled(function: Any) -> Any:
    """Let Numba compile a function on its first call, and keep the code for other processes where that can be done."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder that a cache could be written to
        return njit(nogil=True)(function)


def _despite_the_cache(kernel: Any) -> Callable[..., None]:
    """Return what calls a kernel; compiled anew, without a cache, where that can no longer be read or written."""
    current = [kernel]

    @wraps(kernel.py_func)
    def call(*arguments: Any) -> None:
        try:
            current[0](*arguments)
        except OSError:  # the folder is gone, the disk full; arguments are changed by code alone, which was not reached
            for name in _CALLED:
                globals()[name] = njit(nogil=True)(globals()[name].py_func)
            current[0] = njit(nogil=True)(kernel.py_func)
            current[0](*arguments)

    return call


@_despite_the_cache
@_compiled
def widen(lows: Any, widths: Any, counts: Any, minima: Any, maxima: Any, settled: bool = True) -> None:
    """Make one histogram a dimension cover minima .. maxima.

    A histogram covers lows[d] .. lows[d] + BINS * widths[d]. Its width is the least power of two with which BINS bins
    from one multiple of it to another do that, and the lowest bin is that of the minimum: nothing but minima and maxima
    say which bins there are, and bins become wider by being joined, so that counts are the same in whatever order
    values come. Unless they are to be `settled`, bins stay where they are while they do, and move by more than they
    need, so that they seldom move.
    """
    moved = np.empty(BINS, np.int64)
    for d in range(len(lows)):
        low, width = lows[d], widths[d]
        reach = max(abs(minima[d]), abs(maxima[d]))
        stretched = max(width, math.ldexp(1.0, max(math.frexp(reach)[1] - FINEST, SHORTEST)))
        while np.floor(maxima[d] / stretched) - np.floor(minima[d] / stretched) >= BINS:
            stretched *= 2
        first, last = np.floor(minima[d] / stretched), np.floor(maxima[d] / stretched)
        if width > 0.0:
            begin, ratio = low / width, stretched / width
            if ratio == 1.0 and begin == first:
                continue
            if not settled:
                if ratio == 1.0 and begin < first and last < begin + BINS:
                    continue
                first -= np.floor((BINS - 1 - (last - first)) / 2)
            for b in range(BINS):  # loops, which Numba compiles in a third of the time that it takes for slices
                moved[b] = 0
            if ratio > 1.0:
                for b in range(BINS):
                    if counts[d, b] > 0:
                        moved[int(np.floor((begin + b) / ratio) - first)] += counts[d, b]
            else:
                up = int(begin - first)
                for b in range(max(-up, 0), min(BINS - up, BINS)):
                    moved[b + up] = counts[d, b]
            for b in range(BINS):
                counts[d, b] = moved[b]
        lows[d], widths[d] = first * stretched, stretched


@_despite_the_cache
@_compiled
def count(x: Any, lows: Any, widths: Any, counts: Any, first_dimension: int, last: int) -> None:
    """Count the rows of `x` (n, dimension) into histograms that cover them, for dimensions first_dimension .. last - 1.

    Tile by tile: first the bins of all its values, row by row, in vectors; then one dimension after another, so that
    its histogram is the only one at work.
    """
    rows = x.shape[0]
    bins = np.empty((_STRETCH, _STRIPE), np.int32)
    per_width = 1.0 / widths
    firsts = lows * per_width
    for begin in range(first_dimension, last, _STRIPE):
        wide = min(_STRIPE, last - begin)
        lowest, inverse = firsts[begin : begin + wide], per_width[begin : begin + wide]
        for first in range(0, rows, _STRETCH):
            tall = min(_STRETCH, rows - first)
            for r in range(tall):
                row, into = x[first + r, begin : begin + wide], bins[r]
                for j in range(wide):
                    into[j] = np.int32(np.floor(np.float64(row[j]) * inverse[j]) - lowest[j])
            for j in range(wide):
                histogram = counts[begin + j]
                for r in range(tall):
                    histogram[bins[r, j]] += 1


@_despite_the_cache
@_compiled
def quantiles(lows: Any, widths: Any, counts: Any, minima: Any, maxima: Any, kept: float, out: Any) -> None:
    """Set out[d] to the ends of the central part `kept` of each histogram, interpolated within a bin."""
    for d in range(len(lows)):
        total = counts[d].sum()
        for side in range(2):
            rank = total * ((1 - kept) / 2 if side == 0 else (1 + kept) / 2)
            below, value = 0.0, lows[d] + BINS * widths[d]
            for b in range(BINS):
                here = counts[d, b]
                if here > 0 and below + here >= rank:
                    value = lows[d] + widths[d] * (b + (rank - below) / here)
                    break
                below += here
            out[d, side] = min(max(value, minima[d]), maxima[d])


@_compiled
def moments(counts: Any, sums: Any) -> None:
    """Set sums[k, n], k = 0, 1, 2, to the sum of counts[b] * (b + 0.5) ** k over the first n bins."""
    sums[0, 0] = sums[1, 0] = sums[2, 0] = 0.0
    for b in range(BINS):
        weight, middle = float(counts[b]), b + 0.5
        sums[0, b + 1] = sums[0, b] + weight
        sums[1, b + 1] = sums[1, b] + weight * middle
        sums[2, b + 1] = sums[2, b] + weight * middle * middle


@_compiled
def interval_error(sums: Any, start: float, stop: float) -> Any:
    """Return the summed square error of coding a histogram by 255 steps over start .. stop, clipped outside.

    In bins and squares of bins; `sums` are the histogram's moments.
    """
    below = min(max(int(np.ceil(start - 0.5)), 0), BINS)  # bins whose middles lie below start
    above = min(max(int(np.floor(stop + 0.5)), 0), BINS)  # and the first whose middle does not lie below stop
    error = start * start * sums[0, below] - 2 * start * sums[1, below] + sums[2, below]
    count, first = sums[0, BINS] - sums[0, above], sums[1, BINS] - sums[1, above]
    error += sums[2, BINS] - sums[2, above] - 2 * stop * first + stop * stop * count
    return error + sums[0, BINS] * ((stop - start) / 255) ** 2 / 12


@_despite_the_cache
@_compiled
def least_error(lows: Any, widths: Any, counts: Any, minima: Any, maxima: Any, out: Any) -> None:
    """Set out[d] to the interval of least square error, each end moved inward in 64 steps, turn by turn."""
    steps = 64
    sums = np.empty((3, BINS + 1))
    for d in range(len(lows)):
        low, width = lows[d], widths[d]
        start, stop = minima[d], maxima[d]
        reach = (stop - start) / 2
        if reach > 0:
            moments(counts[d], sums)
            best = interval_error(sums, (start - low) / width, (stop - low) / width)
            for _ in range(2):
                for side in range(2):
                    for i in range(steps):
                        first = minima[d] + reach * i / steps if side == 0 else start
                        last = maxima[d] - reach * i / steps if side == 1 else stop
                        error = interval_error(sums, (first - low) / width, (last - low) / width)
                        if error < best:
                            best, start, stop = error, first, last
        out[d, 0], out[d, 1] = start, stop
