"""One bit a dimension: floats <-> packed bytes, with every convention that services and stores have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import bits
from ._native.core import result_array
from .dtypes import as_dimension

SIGNED_BYTES = ("offset", "twos-complement")


def pack_bits(
    x: ArrayLike,
    *,
    threshold: float = 0.0,
    bit_order: str = "msb",
    signed: bool = False,
    signed_bytes: str = "offset",
    threshold_inclusive: bool = False,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Pack one bit a dimension: set where ``x > threshold``.

    Parameters
    ----------
    x : array-like, shape (n, dimension) or (dimension,)
        Floats, integers or booleans. A NaN compares as NumPy has it: its bit is 0. (:func:`quantize` refuses it.)
    threshold : float
        Rounded to float32 for float32 and float16 values.
    bit_order : {"msb", "lsb"}
        Whether the first dimension is the highest or the lowest bit of the first byte.
    signed : bool
        Give int8 as ``binary`` has it, else uint8 as ``ubinary`` has it.
    signed_bytes : {"offset", "twos-complement"}
        How a byte becomes int8: byte - 128, or its own bits seen as int8.
    threshold_inclusive : bool
        Set bits for ``x >= threshold``.
    out : ndarray, optional
        What to write to and return, C-contiguous, of the result's dtype and shape.

    Returns
    -------
    ndarray, uint8 or int8, shape (n, ceil(dimension / 8)) or (ceil(dimension / 8),)
        The unused bits of the last byte are zero (before 128 is subtracted).

    Raises
    ------
    ValueError
        For other shapes, an unknown bit order or byte convention, a NaN threshold, an `out` that does not fit.

    Examples
    --------
    >>> pack_bits([0.5, -1, 0, 2, 0, 0, 0, 0, 3]).tolist()
    [144, 128]
    >>> pack_bits([0.5, -1, 0, 2, 0, 0, 0, 0, 3], signed=True).tolist()
    [16, 0]
    """
    array = _as_matrix(x)
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN")
    flags = bits.bit_flags(bit_order, offset=signed and _is_offset(signed_bytes), inclusive=threshold_inclusive)
    if array.dtype not in (np.float32, np.float16):
        # A conversion to float32 could round a value onto the threshold: compare in its own type.
        array = (array >= threshold if threshold_inclusive else array > threshold).astype(np.float32)
        threshold, flags = 0.5, flags & ~bits.bit_flags("msb", offset=False, inclusive=True)
    one, dtype = np.ndim(x) == 1, np.int8 if signed else np.uint8
    if out is not None:
        width = -(-array.shape[1] // 8)
        out = result_array(out, (width,) if one else (len(array), width), dtype).view(np.uint8).reshape(-1, width)
    packed = bits.pack_bits_f32(np.ascontiguousarray(array, np.float32), threshold, flags, out)
    packed = packed[0] if one else packed
    return packed.view(np.int8) if signed else packed


def unpack_bits(
    codes: ArrayLike,
    dimension: int,
    *,
    bit_order: str = "msb",
    signed_bytes: str = "offset",
    dtype: Any = np.uint8,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Unpack what :func:`pack_bits` packed.

    Parameters
    ----------
    codes : array-like of uint8 or int8, shape (n, ceil(dimension / 8)) or (ceil(dimension / 8),)
        int8 is read as `signed_bytes` says.
    dimension : int
    bit_order, signed_bytes
        As for :func:`pack_bits`.
    dtype : {uint8, float32}
        uint8 gives 0 and 1, float32 gives -1 and +1.
    out : ndarray, optional
        What to write to and return, C-contiguous, of the result's dtype and shape.

    Returns
    -------
    ndarray, shape (n, dimension) or (dimension,)

    Raises
    ------
    ValueError
        Where the width is not that of `dimension`, a row has bits set after its last dimension, or `out` does not fit.
    TypeError
        For codes that are not bytes, or another dtype.

    Examples
    --------
    >>> unpack_bits(np.array([51, 99, 128], np.uint8), 18).tolist()
    [0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0]
    >>> unpack_bits(np.array([-77], np.int8), 4, bit_order="msb", dtype=np.float32)
    Traceback (most recent call last):
    ...
    ValueError: row 0 has bits set after its last dimension 4
    """
    array = _as_matrix(codes)
    if array.dtype not in (np.uint8, np.int8):
        raise TypeError(f"packed bits are uint8 or int8, not {array.dtype}")
    if np.dtype(dtype) not in (np.uint8, np.float32):
        raise TypeError(f"bits unpack to uint8 or float32, not {np.dtype(dtype)}")
    dimension = as_dimension(dimension)
    if array.shape[1] != -(-dimension // 8):
        raise ValueError(f"rows of {dimension} bits have {-(-dimension // 8)} bytes, not {array.shape[1]}")
    offset = _is_offset(signed_bytes) and array.dtype == np.int8
    flags = bits.bit_flags(bit_order, offset=offset)
    check_padding(array.view(np.uint8) ^ np.uint8(0x80) if offset else array.view(np.uint8), dimension, bit_order)
    one = np.ndim(codes) == 1
    if out is not None and one:
        out = result_array(out, (dimension,), dtype)[None]
    values = bits.unpack_bits(np.ascontiguousarray(array), dimension, flags, dtype, out)
    return values[0] if one else values


def as_array(x: ArrayLike) -> NDArray[Any]:
    """Return `x` as an array.

    Rows of different lengths are a ValueError that says so; a masked array is a TypeError, since what it hides would
    come to light.
    """
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray and isinstance(x, np.ma.MaskedArray):
        raise TypeError("masked values have no code: fill them first, with .filled(value)")
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ValueError(f"rows have different lengths, or are not numbers: {error}") from None


def check_padding(packed: NDArray[np.uint8], dimension: int, bit_order: str) -> None:
    """Raise ValueError where a row of plain packed bytes has bits set after its last dimension."""
    used = dimension % 8
    if used:
        padding = (0xFF >> used) if bit_order == bits.MSB else (0xFF << used) & 0xFF
        bad = (packed[:, -1] & padding) != 0
        if bad.any():
            raise ValueError(f"row {int(bad.argmax())} has bits set after its last dimension {dimension}")


def _is_offset(signed_bytes: str) -> bool:
    if signed_bytes not in SIGNED_BYTES:
        raise ValueError(f"signed_bytes is 'offset' or 'twos-complement', not {signed_bytes!r}")
    return signed_bytes == "offset"


def _as_matrix(x: ArrayLike) -> NDArray[Any]:
    array = as_array(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"bits come from real numbers, not {array.dtype}")
    if array.ndim not in (1, 2):
        raise ValueError(f"rows have shape (n, dimension) or (dimension,), not {array.shape}")
    return array[None] if array.ndim == 1 else array
