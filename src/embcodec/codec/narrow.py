"""Numbers of wide types as narrow ones: what does not fit is refused, and never becomes another number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import OutputDtype
from ..errors import NotFiniteError, RowError

_MANY = 8  # bytes of codes that are all 0, 1 and -1 by chance are fewer


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
            return np.asarray(x, np.float32, order="C")  # which leaves a number without axes one
    except FloatingPointError:
        raise _beyond_float32(x) from None


def _beyond_float32(x: NDArray[Any]) -> NotFiniteError:
    with np.errstate(over="ignore"):
        lost = np.isinf(x.astype(np.float32)) & np.isfinite(x)
    place = int(lost.argmax())
    row, column = divmod(place, x.shape[-1]) if x.ndim else (0, 0)
    return NotFiniteError(row, column, float(x.flat[place]))


def whole_codes(values: NDArray[Any], dtype: OutputDtype) -> NDArray[Any]:
    """Return a matrix of numbers of a wider type as codes, where each of them is one; anything else as it is.

    Lists, tables and stores widen what they are given: Python's integers are int64 to all of them.

    Raises
    ------
    ValueError
        For the first number that is no such code, with its row and column; and for bits that are not packed.
    """
    wide = values.dtype.kind == "f" or (values.dtype.kind in "iu" and values.dtype.itemsize > 1)
    if dtype is OutputDtype.FLOAT or not wide or values.ndim != 2:
        return values
    limits = np.iinfo(dtype.numpy_dtype.char)
    wrong = ~((values >= limits.min) & (values <= limits.max))
    if values.dtype.kind == "f":
        wrong |= values != np.rint(values)
    if wrong.any():
        row, column = map(int, np.argwhere(wrong)[0])
        place = f"row {row}, column {column} is {values[row, column]}"
        raise RowError(f"{place}: {dtype} codes are whole numbers of {limits.min} .. {limits.max}", row)
    made = values.astype(dtype.numpy_dtype)
    if dtype.is_packed and made.shape[1] >= _MANY and made.any() and (made <= 1).all() and (values >= -1).all():
        raise ValueError(
            f"{dtype} codes have eight dimensions a byte, and these numbers are a bit each: "
            f"quantize(rows, {str(dtype)!r}) packs rows of output_dtype='float'"
        )
    return made
