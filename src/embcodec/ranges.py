"""What ranges, one a dimension, code and decode with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Coding(NamedTuple):
    """What ranges code and decode with, float32 (dimension,), read-only.

    Code = floor((x - low) / divisor), value = first + code * step; `middle` is the value of code 128. `reciprocal` is
    1 / divisor, None where a divisor is so small or so large that products with it would leave the normal numbers.
    """

    low: NDArray[np.float32]
    divisor: NDArray[np.float32]
    reciprocal: NDArray[np.float32] | None
    first: NDArray[np.float32]
    step: NDArray[np.float32]
    middle: NDArray[np.float32]


def check_ranges(ranges: NDArray[np.float32]) -> None:
    """Refuse ranges of another shape than (2, dimension), that are not finite, or with a minimum above its maximum."""
    if ranges.ndim != 2 or ranges.shape[0] != 2:
        raise ValueError(f"ranges have shape (2, dimension), minima then maxima, not {ranges.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        spread = ranges[1] - ranges[0]  # where an end is NaN or infinite, so is this
    if spread.size and not (spread.min() >= 0 and spread.max() < np.inf):
        bad = ~((spread >= 0) & (spread < np.inf))
        raise ValueError(f"ranges must be finite with minimum <= maximum; dimension {int(bad.argmax())} has others")


def coding_of(low: NDArray[np.float32], high: NDArray[np.float32]) -> Coding:
    """Return what ranges, minima and maxima, code and decode with."""
    step = (high - low) / np.float32(255)
    divisor: NDArray[np.float32] = np.where(step == 0, np.float32(1), step)
    moderate = divisor.size == 0 or (divisor.min() >= 2.0**-100 and divisor.max() <= 2.0**100)
    # Code 127 stands for the midpoint of the range. What decodes adds a multiple of the step, rounded, to `first` or
    # `middle`: both are counted from the midpoint by that same step, so that 0 amid a range stays 0, and rows
    # of length 0 are not noise that has a direction.
    midpoint, exact_step = (low.astype(np.float64) + high) / 2, step.astype(np.float64)
    first = (midpoint - 127 * exact_step).astype(np.float32)
    middle = (midpoint + exact_step).astype(np.float32)
    reciprocal = _aligned(np.float32(1) / divisor) if moderate else None
    return Coding(_aligned(low), _aligned(divisor), reciprocal, _aligned(first), _aligned(step), _aligned(middle))


def _aligned(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a copy that begins with a cache line, so that no vector of it lies across two; read-only."""
    room = np.empty(array.nbytes + 64, np.uint8)
    begin = -room.ctypes.data % 64
    copy: NDArray[np.float32] = room[begin : begin + array.nbytes].view(np.float32)
    copy[:] = array
    copy.flags.writeable = False
    return copy
