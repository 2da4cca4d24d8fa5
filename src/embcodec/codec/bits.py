"""One bit a dimension: floats <-> packed bytes, with every convention that services and stores have."""

from __future__ import annotations

from math import isnan
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._native import bits
from .._native.core import result_array
from ..dtypes import BIT_ORDERS, SIGNED_BYTES, BitOrder, SignedBytes, as_dimension
from ..errors import RowError
from ..words import as_real, one_of, shown
from . import columns

_FLOAT32, _INT8, _UINT8 = np.dtype(np.float32), np.dtype(np.int8), np.dtype(np.uint8)


@overload
def pack_bits(
    x: ArrayLike,
    *,
    threshold: float = 0.0,
    bit_order: BitOrder = "msb",
    signed: Literal[False] = False,
    signed_bytes: SignedBytes = "offset",
    threshold_inclusive: bool = False,
    out: NDArray[np.uint8] | None = None,
    threads: int | None = None,
) -> NDArray[np.uint8]: ...


@overload
def pack_bits(
    x: ArrayLike,
    *,
    threshold: float = 0.0,
    bit_order: BitOrder = "msb",
    signed: Literal[True],
    signed_bytes: SignedBytes = "offset",
    threshold_inclusive: bool = False,
    out: NDArray[np.int8] | None = None,
    threads: int | None = None,
) -> NDArray[np.int8]: ...


@overload
def pack_bits(
    x: ArrayLike,
    *,
    threshold: float = 0.0,
    bit_order: BitOrder = "msb",
    signed: bool,
    signed_bytes: SignedBytes = "offset",
    threshold_inclusive: bool = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> NDArray[np.uint8] | NDArray[np.int8]: ...


def pack_bits(
    x: ArrayLike,
    *,
    threshold: float = 0.0,
    bit_order: BitOrder = "msb",
    signed: bool = False,
    signed_bytes: SignedBytes = "offset",
    threshold_inclusive: bool = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
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
    threads : int, optional
        By default one for small work and more for large. The result does not depend on it.

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
    array, threshold = _as_rows(x), as_real(threshold, "threshold")
    if isnan(threshold):
        raise ValueError("the threshold is NaN")
    flags = bits.bit_flags(bit_order, offset=_is_offset(signed_bytes) and signed, inclusive=threshold_inclusive)
    if array.dtype != _FLOAT32 and array.dtype != np.float16:
        # A conversion to float32 could round a value onto the threshold: compare in its own type.
        array = (array >= threshold if threshold_inclusive else array > threshold).astype(np.float32)
        threshold, flags = 0.5, flags & ~bits.bit_flags("msb", offset=False, inclusive=True)
    array = np.ascontiguousarray(array, _FLOAT32)
    dtype = _INT8 if signed else _UINT8
    if array.ndim == 2:
        return bits.pack_bits_f32(array, threshold, flags, dtype, out, threads)
    if out is not None:
        out = result_array(out, (-(-len(array) // 8),), dtype)[None]
    packed: NDArray[Any] = bits.pack_bits_f32(array[None], threshold, flags, dtype, out, threads)[0]
    return packed


@overload
def unpack_bits(
    codes: ArrayLike,
    dimension: int,
    *,
    bit_order: BitOrder = "msb",
    signed_bytes: SignedBytes = "offset",
    dtype: type[np.uint8] | Literal["uint8"] = np.uint8,
    out: NDArray[np.uint8] | None = None,
    threads: int | None = None,
) -> NDArray[np.uint8]: ...


@overload
def unpack_bits(
    codes: ArrayLike,
    dimension: int,
    *,
    bit_order: BitOrder = "msb",
    signed_bytes: SignedBytes = "offset",
    dtype: type[np.float32] | Literal["float32"],
    out: NDArray[np.float32] | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]: ...


@overload
def unpack_bits(
    codes: ArrayLike,
    dimension: int,
    *,
    bit_order: BitOrder = "msb",
    signed_bytes: SignedBytes = "offset",
    dtype: DTypeLike,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> NDArray[np.uint8] | NDArray[np.float32]: ...


def unpack_bits(
    codes: ArrayLike,
    dimension: int,
    *,
    bit_order: BitOrder = "msb",
    signed_bytes: SignedBytes = "offset",
    dtype: DTypeLike = np.uint8,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
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
    threads : int, optional
        By default one for small work and more for large. The result does not depend on it.

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
    embcodec.errors.RowError: row 0 has bits set after its last dimension 4
    """
    array, dtype = _as_rows(codes), _dtype_of_bits(dtype)
    if array.dtype != _UINT8 and array.dtype != _INT8:
        raise TypeError(f"packed bits are uint8 or int8, not {array.dtype}")
    dimension, one = as_dimension(dimension), array.ndim == 1
    array = array[None] if one else array
    if array.shape[1] != -(-dimension // 8):
        raise ValueError(f"rows of {dimension} bits have {-(-dimension // 8)} bytes, not {array.shape[1]}")
    offset = _is_offset(signed_bytes) and array.dtype == _INT8
    flags = bits.bit_flags(bit_order, offset=offset)
    if dimension % 8:  # the last byte of each row is all that is looked at
        last = array[:, -1:].view(np.uint8)
        check_padding(last ^ np.uint8(0x80) if offset else last, dimension, bit_order)
    if out is not None and one:
        out = result_array(out, (dimension,), dtype)[None]
    values = bits.unpack_bits(np.ascontiguousarray(array), dimension, flags, dtype, out, threads)
    return values[0] if one else values


def _dtype_of_bits(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        wanted = np.dtype(dtype)
    except Exception:  # TypeError for what is none; also what the object's own dtype or name comes to
        wanted = None
    if wanted is None or (wanted != _UINT8 and wanted != _FLOAT32):
        raise TypeError(f"bits unpack to uint8 or float32, not {shown(dtype) if wanted is None else wanted}")
    return wanted


def reversed_bits(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return packed bytes with the bits of each in the other order."""
    every = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    turned: NDArray[np.uint8] = np.packbits(every, axis=1)[:, 0][packed]
    return turned


def as_array(x: ArrayLike, *, as_they_are: bool = False) -> NDArray[Any]:
    """Return `x` as an array; a column or frame of a table, and a list of rows, as a matrix.

    Rows of different lengths are a ValueError that says so, as is one that is not there, or a null; what is masked is a
    TypeError, since what it hides would come to light. Short floats of ml_dtypes become float32, unless they are wanted
    `as_they_are`.
    """
    if type(x) is np.ndarray and x.dtype.kind not in "OV":
        return x
    return columns.to_array(x, as_they_are=as_they_are)


def check_conventions(signed_bytes: str, bit_order: str) -> None:
    """Raise ValueError for a byte convention or a bit order that nobody has."""
    if type(bit_order) is not str or bit_order not in BIT_ORDERS:  # most calls are not asked twice
        one_of(bit_order, BIT_ORDERS, "bit_order")
    if type(signed_bytes) is not str or signed_bytes not in SIGNED_BYTES:
        one_of(signed_bytes, SIGNED_BYTES, "signed_bytes")


def unused_bits(dimension: int, bit_order: str) -> int:
    """Return which bits of a row's last byte are behind its last dimension."""
    used = dimension % 8
    return ((0xFF >> used) if bit_order == "msb" else (0xFF << used) & 0xFF) if used else 0


def check_padding(packed: NDArray[np.uint8], dimension: int, bit_order: str) -> None:
    """Raise ValueError where a row of plain packed bytes has bits set after its last dimension."""
    padding = unused_bits(dimension, bit_order)
    if padding:
        bad = (packed[:, -1] & padding) != 0
        if bad.any():
            row = int(bad.argmax())
            raise RowError(f"row {row} has bits set after its last dimension {dimension}", row)


def _is_offset(signed_bytes: str) -> bool:
    return one_of(signed_bytes, SIGNED_BYTES, "signed_bytes") == "offset"


def _as_rows(x: ArrayLike) -> NDArray[Any]:
    array = as_array(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"bits come from real numbers, not {array.dtype}")
    if array.ndim not in (1, 2):
        raise ValueError(f"rows have shape (n, dimension) or (dimension,), not {array.shape}")
    return array
