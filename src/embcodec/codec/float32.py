"""Numbers of any type as float32: what is beyond it is refused, and never becomes an infinity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NotFiniteError


def as_float32(x: NDArray[Any]) -> NDArray[np.float32]:
    """Return an array of real numbers as float32, C-contiguous; itself where it is so already.

    NaN and infinities stay what they are.

    Raises
    ------
    NotFiniteError
        For a finite number beyond float32, with its row and column; those of a vector are of row 0.
    """
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(x, np.float32)
    except FloatingPointError:
        raise _beyond_float32(x) from None


def _beyond_float32(x: NDArray[Any]) -> NotFiniteError:
    with np.errstate(over="ignore"):
        lost = np.isinf(x.astype(np.float32)) & np.isfinite(x)
    place = int(lost.argmax())
    row, column = divmod(place, x.shape[-1]) if x.ndim else (0, 0)
    return NotFiniteError(row, column, float(x.flat[place]))
