"""Bit packing: rows of float32 <-> one bit a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import BIT_ORDERS
from ..errors import NotFiniteError
from ..words import one_of
from .blocks import each_call
from .core import blocks_of, check, lib, pointer, result_array

_LSB, _OFFSET, _INCLUSIVE, _FINITE = map(
    int, (lib.EC_BITS_LSB, lib.EC_BITS_OFFSET, lib.EC_BITS_INCLUSIVE, lib.EC_BITS_FINITE)
)


def bit_flags(bit_order: str, *, offset: bool, inclusive: bool = False, finite: bool = False) -> int:
    """Return the flags of ``enum ec_bits``; an unknown bit order is a ValueError."""
    flags = _LSB if one_of(bit_order, BIT_ORDERS, "bit_order") == "lsb" else 0
    if offset:
        flags |= _OFFSET
    if inclusive:
        flags |= _INCLUSIVE
    return flags | _FINITE if finite else flags


def pack_bits_f32(
    x: NDArray[np.float32],
    threshold: float,
    flags: int,
    dtype: Any = np.uint8,
    out: Any = None,
    threads: int | None = 1,
) -> NDArray[Any]:
    """Return `x` (n, dimension), C-contiguous, as packed bytes (n, ceil(dimension / 8)), seen as `dtype`."""
    rows, dimension = x.shape
    packed = result_array(out, (rows, -(-dimension // 8)), dtype)

    def pack(block: slice, threads: int) -> None:
        some, into = x[block], packed[block]
        done = lib.ec_pack_bits_f32(
            pointer(some), len(some), dimension, threshold, flags, pointer(into), into.size, threads
        )
        check_finite_result(done, x, block.start)

    each_call(pack, rows, 4 * dimension, threads)
    return packed


def unpack_bits(
    packed: NDArray[Any], dimension: int, flags: int, dtype: Any, out: Any = None, threads: int | None = 1
) -> NDArray[Any]:
    """Return packed rows as uint8 0 and 1, or as float32 -1 and +1, shape (n, dimension)."""
    values = result_array(out, (len(packed), dimension), dtype)
    unpack = lib.ec_unpack_bits_u8 if values.dtype == np.uint8 else lib.ec_unpack_bits_f32

    def decode(block: slice, threads: int) -> None:
        some, into = packed[block], values[block]
        check(unpack(pointer(some), len(some), dimension, flags, pointer(into), into.size, threads))

    each_call(decode, len(packed), values.itemsize * dimension, threads)
    return values


def check_finite_result(result: Any, x: NDArray[np.float32], first: int = 0) -> None:
    """Raise NotFiniteError where the C core met a NaN or an infinity in `x` (n, dimension), from row `first` on."""
    if not result.status:
        return
    if result.status == lib.EC_NOT_FINITE:
        row, column = divmod(int(result.consumed), x.shape[-1])
        raise NotFiniteError(first + row, column, float(x[first + row, column]))
    check(result)


def require_finite(x: NDArray[np.float32]) -> None:
    """Raise NotFiniteError where `x` (n, dimension), C-contiguous, has a NaN or an infinity."""
    for block in blocks_of(len(x), 4 * x.shape[-1]):
        some = x[block]
        check_finite_result(lib.ec_check_finite_f32(pointer(some), some.size), x, block.start)


def query_not_finite(queries: NDArray[Any], query: int) -> ValueError:
    """Return the error for a query that has a NaN or an infinity, with the place of its first."""
    finite = np.isfinite(queries[query])
    where = "" if finite.all() else f", the first in column {int(finite.argmin())}"
    return ValueError(f"query {query} has NaN or infinite values{where}")
