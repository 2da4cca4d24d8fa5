"""What Numba compiles for calibration: histograms that widen as values come, and the intervals chosen from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

BINS = 2048


@njit(nogil=True, cache=True)
def update(x: Any, lows: Any, widths: Any, counts: Any, minima: Any, maxima: Any) -> None:
    """Count the rows of `x` (n, dimension) into one histogram a dimension.

    A histogram covers lows[d] .. lows[d] + BINS * widths[d]; a width of 0 says that all values so far equal lows[d],
    counted in bin 0. Where a value lies outside, bins are merged in pairs, which doubles what is covered.
    """
    rows, dimension = x.shape
    for r in range(rows):
        for d in range(dimension):
            value = np.float64(x[r, d])
            if value < minima[d]:
                minima[d] = value
            if value > maxima[d]:
                maxima[d] = value
    for d in range(dimension):
        low, width = lows[d], widths[d]
        if low != low:  # nothing yet
            low = minima[d]
        if width == 0.0 and maxima[d] > minima[d]:
            before, constant = counts[d, 0], low
            counts[d, 0] = 0
            low = minima[d]
            width = (maxima[d] - minima[d]) * (1 + 1e-9) / BINS
            counts[d, int((constant - low) / width)] += before
        while width > 0.0 and minima[d] < low:
            for b in range(BINS // 2):
                source = BINS - 2 - 2 * b
                counts[d, BINS - 1 - b] = counts[d, source] + counts[d, source + 1]
            counts[d, : BINS // 2] = 0
            low -= BINS * width
            width *= 2
        while width > 0.0 and maxima[d] >= low + BINS * width:
            for b in range(BINS // 2):
                counts[d, b] = counts[d, 2 * b] + counts[d, 2 * b + 1]
            counts[d, BINS // 2 :] = 0
            width *= 2
        lows[d], widths[d] = low, width
    for r in range(rows):
        for d in range(dimension):
            b = 0
            if widths[d] > 0.0:
                b = min(int((np.float64(x[r, d]) - lows[d]) / widths[d]), BINS - 1)
            counts[d, b] += 1


@njit(nogil=True, cache=True)
def quantiles(lows: Any, widths: Any, counts: Any, minima: Any, maxima: Any, kept: float, out: Any) -> None:
    """Set out[0], out[1] to the ends of the central part `kept` of each histogram, interpolated within a bin."""
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
            out[side, d] = min(max(value, minima[d]), maxima[d])


@njit(nogil=True, cache=True)
def interval_error(low: float, width: float, counts: Any, start: float, stop: float) -> float:
    """Return the summed square error of coding a histogram by 255 steps over start .. stop, clipped outside."""
    rounding = ((stop - start) / 255) ** 2 / 12
    error = 0.0
    for b in range(BINS):
        if counts[b] > 0:
            value = low + width * (b + 0.5)
            outside = max(start - value, 0.0, value - stop)
            error += counts[b] * (outside * outside + rounding)
    return error


@njit(nogil=True, cache=True)
def least_error(lows: Any, widths: Any, counts: Any, minima: Any, maxima: Any, out: Any) -> None:
    """Set out[0], out[1] to the interval of least square error, each end moved inward in 64 steps, turn by turn."""
    steps = 64
    for d in range(len(lows)):
        start, stop = minima[d], maxima[d]
        reach = (stop - start) / 2
        if reach > 0:
            best = interval_error(lows[d], widths[d], counts[d], start, stop)
            for _ in range(2):
                for side in range(2):
                    for i in range(steps):
                        first = minima[d] + reach * i / steps if side == 0 else start
                        last = maxima[d] - reach * i / steps if side == 1 else stop
                        error = interval_error(lows[d], widths[d], counts[d], first, last)
                        if error < best:
                            best, start, stop = error, first, last
        out[0, d], out[1, d] = start, stop
