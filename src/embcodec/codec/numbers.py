"""Payload text <-> arrays: base64, JSON numbers, packed bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._native import numbers
from ..dtypes import TextLike
from ..words import shown
from .bits import as_array
from .narrow import as_float32


def format_floats(rows: ArrayLike, *, threads: int | None = None) -> bytes:
    """Write floats as JSON: a vector as an array of numbers, a matrix as an array of such arrays.

    Each number has the fewest digits that read back to the same float32: positional from 1e-4 to below 1e9, always with
    a point, and with an exponent elsewhere.

    Parameters
    ----------
    rows : array_like of float, shape (dimension,) or (n, dimension)
        Converted to float32.
    threads : int, optional
        By default one for few numbers and more for many. The text does not depend on it.

    Returns
    -------
    bytes
        JSON without white space, at most 16 bytes a number and its brackets.

    Raises
    ------
    ValueError
        For values that JSON cannot say (NaN, infinities), and other shapes.
    TypeError
        For what is no real number.

    Examples
    --------
    >>> format_floats([[0.5, -1, 1e-7], [3, 0.1, 0]])
    b'[[0.5,-1.0,1e-7],[3.0,0.1,0.0]]'
    """
    array = as_array(rows)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"JSON numbers are written of real numbers, not of {array.dtype}")
    values = as_float32(array)
    if values.ndim == 1:
        return numbers.format_row(values, threads)
    if values.ndim != 2:
        raise ValueError(f"a vector or a matrix is wanted, not {values.ndim} dimensions")
    return numbers.format_rows(values, threads)


def parse_floats(text: TextLike, *, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Read a JSON array of numbers, or an array of such arrays of equal length.

    Each number is rounded correctly from its decimal text to float32, once; ``np.float32(float(text))`` rounds twice.

    Parameters
    ----------
    text : str or bytes-like
        The JSON, with nothing but white space around it.
    out : ndarray of float32, optional
        C-contiguous, with room for every number; the result is its beginning.

    Returns
    -------
    ndarray of float32, shape (count,) or (n, count)
        A new writable array, or a view of `out`.

    Raises
    ------
    DecodeError
        For other text, null, NaN, numbers beyond float32, ragged rows, more numbers than `out` holds; with the offset
        of the offending byte.

    Examples
    --------
    >>> parse_floats("[0.5, -2, 3e0]")
    array([ 0.5, -2. ,  3. ], dtype=float32)
    >>> parse_floats(b"[[1, 2], [3, 4]]").shape
    (2, 2)
    """
    try:
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else memoryview(text).cast("B")
    except (TypeError, ValueError):
        raise TypeError(f"text is JSON, a str or bytes, not {shown(text)}") from None
    if out is None:
        flat = np.empty(numbers.numbers_bound(data), np.float32)
    else:
        if (
            not isinstance(out, np.ndarray)
            or out.dtype != np.float32
            or not out.flags.c_contiguous
            or not out.flags.writeable
        ):
            raise ValueError("out must be a writable C-contiguous float32 array")
        flat = np.asarray(out).reshape(-1)  # a matrix of NumPy's stays one
    shape = numbers.parse_rows(data, flat)
    count = int(np.prod(shape))
    if out is None and count < flat.size:
        flat = flat[:count].copy() if count < flat.size // 2 else flat[:count]
    return flat[:count].reshape(shape)
