"""What a scale costs rows that it is not made for, and the warning that says so."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._native import quantize
from .._native.floats import PAYLOADS, item_bytes, narrow, widen
from ..errors import PrecisionWarning

# Rows of unit length, up to 4,096 dimensions, lose at most 0.064 of their squared length, and 0.021 as a rule.
MOST_LOST, MOST_CLIPPED, MOST_RUINED = 0.1, 0.01, 0.01
_MOST_ROWS, _MOST_VALUES = 256, 1 << 18
# Ranges of the central nine tenths of a sample clip a tenth of rows like it, and those of twenty rows as much.
MOST_OUTSIDE = 0.12
_AMPLE = 1e-3  # a row with such a number loses at most 1e-4 of its squared length to the steps between tiny float16
_FEWEST_APART = 8  # fewer rows do not tell how far apart rows are


class Loss(NamedTuple):
    """What the unit scale costs.

    Attributes
    ----------
    clipped : float
        The share of values that lie more than half a step outside -1 .. 1.
    lost : float
        The share of a row's squared length that its error makes up, the mean of all rows but zero ones.
    ruined : float
        The share of rows of which more is lost than kept.
    length : float
        The median length of rows that are not zero.
    """

    clipped: float
    lost: float
    ruined: float
    length: float

    @property
    def is_grave(self) -> bool:
        """Whether it is more than rounding costs rows of unit length."""
        return self.clipped > MOST_CLIPPED or self.lost > MOST_LOST or self.ruined > MOST_RUINED


def loss(x: NDArray[np.float32], codes: NDArray[Any]) -> Loss:
    """Return what rows `x` (n, dimension) lose as unit-scale `codes`, found on up to 256 of them."""
    most = min(_MOST_ROWS, max(16, _MOST_VALUES // max(x.shape[1], 1)))
    step = max(1, -(-len(x) // most))
    some = x[::step].astype(np.float64)
    back = quantize.dequantize_unit(np.ascontiguousarray(codes[::step]))
    squares = np.einsum("ij,ij->i", some, some)
    known = squares > 0
    if not known.any():
        return Loss(0.0, 0.0, 0.0, 0.0)
    # The middle of uint8 stands for no more than half a step, which is much beside a row that is nothing else.
    errors = np.minimum(np.square(some - back).sum(axis=1)[known] / squares[known], 1.0)
    steps = 127 if codes.dtype == np.int8 else 127.5
    clipped = np.count_nonzero(np.abs(some) > 1 + 0.5 / steps) / some.size
    length = float(np.sqrt(np.median(squares[known])))
    return Loss(clipped, float(errors.mean()), float((errors > 0.5).mean()), length)


def warn_of_loss(x: NDArray[np.float32], codes: NDArray[Any]) -> None:
    """Warn where rows lose as unit-scale codes what they need not lose."""
    found = loss(x, codes)
    if not found.is_grave:
        return
    words = f"rows of length {found.length:.2g} lose {_percent(found.lost)} of their squared length to rounding"
    if found.clipped > 0:
        words = f"{_percent(found.clipped)} of the values lie outside -1 .. 1 and are clipped"
    message = f'{words}: scale="per-vector" keeps their proportions; the unit scale is for rows of unit length'
    warn_of(message)


def loss_of_ranges(x: NDArray[np.float32], codes: NDArray[Any], ranges: NDArray[np.float32]) -> tuple[float, float]:
    """Return what rows `x` (n, dimension) lose as codes of `ranges` (2, dimension), found on some of them.

    Returns
    -------
    outside : float
        The share of values that lie more than half a step outside their range.
    lost : float
        The share of what tells the rows apart (of a few rows: of their squared length) that rounding inside takes.
    """
    most = min(_MOST_ROWS, max(16, _MOST_VALUES // 8 // max(x.shape[1], 1)))
    step = max(1, -(-len(x) // most))
    some = x[::step].astype(np.float64)
    low, high = ranges.astype(np.float64)
    half = (high - low) / 510
    inside = np.clip(some, low, high)
    outside = np.count_nonzero(np.abs(some - inside) > half) / max(some.size, 1)
    levels = codes[::step].astype(np.float64) + (128 if codes.dtype == np.int8 else 0)
    error = np.square(inside - (low + (2 * levels + 1) * half)).sum()
    apart = np.square(some - some.mean(axis=0)).sum() if len(some) >= _FEWEST_APART else 0.0
    whole = apart or np.square(some).sum()
    return outside, float(min(error / whole, 1.0)) if whole else 0.0


def warn_of_ranges(x: NDArray[np.float32], codes: NDArray[Any], ranges: NDArray[np.float32]) -> None:
    """Warn where rows lose as codes of ranges what they would not lose by ranges of their own."""
    outside, lost = loss_of_ranges(x, codes, ranges)
    if outside > MOST_OUTSIDE + x.size**-0.5:  # of a few values many may be outside by chance
        words = f"{_percent(outside)} of the values lie outside the ranges and are clipped"
    elif lost > MOST_LOST:
        words = f"the values take up so little of the ranges that {_percent(lost)} of what they say is lost to rounding"
    else:
        return
    message = f'{words}: calibrate(rows) makes ranges of rows like these, and scale="per-vector" needs none'
    warn_of(message)


def narrowed_floats(x: NDArray[np.float32], payload: int) -> NDArray[np.uint8]:
    """Return the bytes of rows as floats of another form, rounded to the nearest; warn where little is left of them.

    Raises
    ------
    ValueError
        For a value that is not finite, or too large for the form.
    """
    made = narrow(x, payload)
    if item_bytes(payload) >= x.itemsize or not x.size:
        return made
    step = max(1, -(-len(x) // min(_MOST_ROWS, max(16, _MOST_VALUES // x.shape[1]))))
    if item_bytes(payload) == 2 and np.abs(x[::step]).max(axis=1).min() >= _AMPLE:
        return made
    some = x[::step].astype(np.float64)
    back = np.empty(some.shape, np.float32)
    widen(made[::step].tobytes(), 0, payload, back)
    squares = np.einsum("ij,ij->i", some, some)
    errors = np.square(some - back).sum(axis=1)[squares > 0] / squares[squares > 0]
    if len(errors) and (errors.mean() > MOST_LOST or (errors > 0.5).mean() > MOST_RUINED):
        length = np.sqrt(np.median(squares[squares > 0]))
        form = next(name for (name, _), number in PAYLOADS.items() if number == payload)
        warn_of(
            f"rows of length {length:.2g} lose {_percent(float(errors.mean()))} of their squared length as {form}, "
            "which has no numbers so small: float32 keeps them, and so does any scale that brings them near unit length"
        )
    return made


def warn_of(message: str, kind: type[UserWarning] = PrecisionWarning) -> None:
    """Give a warning to whoever called the package."""
    warnings.warn(message, kind, stacklevel=_depth_of_caller())


@contextmanager
def unwarned() -> Iterator[None]:
    """Quantize within the block without :class:`PrecisionWarning`: what is lost is measured anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        yield


def _percent(share: float) -> str:
    if share < 0.0005:
        return "a few"
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def _depth_of_caller() -> int:
    """Return the `stacklevel` with which a warning from here points to whoever called the package."""
    package = str(Path(__file__).parents[1])
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        depth, frame = depth + 1, frame.f_back
    return depth
