"""float32 <-> 8-bit codes under the three scales. Arrays are C-contiguous, (n, dimension)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bits import check_finite_result
from .blocks import each_call
from .core import blocks_of, check, default_threads, ffi, lib, pointer, result_array

_TYPES = {np.dtype(np.int8): lib.EC_INT8, np.dtype(np.uint8): lib.EC_UINT8}

_LOOKED = 0.06  # nanoseconds in which a fast core looks at a byte of floats

Doubt = Callable[[NDArray[np.float32], NDArray[Any]], None]


def quantize_unit(
    x: NDArray[np.float32],
    dtype: Any,
    out: Any,
    doubt: Doubt,
    threads: int | None = 1,
) -> NDArray[Any]:
    """Return the codes of the services' fixed scale; where it may not suit these rows, `doubt` is told of both."""
    return _coded(lib.ec_quantize_unit_f32, x, dtype, out, doubt, threads)


def quantize_per_vector(
    x: NDArray[np.float32],
    dtype: Any,
    scales: NDArray[np.float32] | None = None,
    out: Any = None,
    threads: int | None = 1,
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return codes and one scale a row, measured or as given."""
    codes = result_array(out, x.shape, dtype)
    measure = scales is None
    steps = np.empty(len(x), np.float32) if scales is None else _a_value_each(scales, len(x), "rows")

    def code(block: slice, threads: int) -> None:
        some = x[block]
        args = pointer(some), *some.shape, _TYPES[codes.dtype], measure, pointer(steps[block]), pointer(codes[block])
        done = lib.ec_quantize_per_vector_f32(*args, threads)
        check_finite_result(done, x, block.start)

    each_call(code, len(x), 4 * x.shape[1], threads)
    return codes, steps


def quantize_ranges(
    x: NDArray[np.float32],
    dtype: Any,
    low: NDArray[np.float32],
    step: NDArray[np.float32],
    reciprocal: NDArray[np.float32] | None,
    out: Any,
    doubt: Doubt,
    threads: int | None = 1,
) -> NDArray[Any]:
    """Return the codes of one range a dimension; `low`, `step` and 1 / `step`, or None, are float32 (dimension,).

    Where the ranges may not suit these rows, `doubt` is told of both.
    """
    inverse = ffi.NULL if reciprocal is None else pointer(reciprocal)
    for each in (low, step, *(() if reciprocal is None else (reciprocal,))):
        _a_value_each(each, x.shape[1], "dimensions")
    return _coded(lib.ec_quantize_ranges_f32, x, dtype, out, doubt, threads, pointer(low), pointer(step), inverse)


def _a_value_each(values: NDArray[np.float32], count: int, of: str) -> NDArray[np.float32]:
    """Return the values that the core reads, so many of them without a look at how many there are."""
    if values.shape != (count,):
        raise ValueError(f"values of shape {values.shape} for {count} {of}")
    return values


def _coded(
    quantize: Any,
    x: NDArray[np.float32],
    dtype: Any,
    out: Any,
    doubt: Doubt,
    threads: int | None,
    *parameters: Any,
) -> NDArray[Any]:
    """Return the codes that a function of the core makes a block at a time, with these parameters; tell of doubts."""
    codes = result_array(out, x.shape, dtype)
    doubts: list[int] = []

    def code(block: slice, threads: int) -> None:
        some = x[block]
        done = quantize(pointer(some), *some.shape, _TYPES[codes.dtype], *parameters, pointer(codes[block]), threads)
        check_finite_result(done, x, block.start)
        doubts.append(done.produced)

    each_call(code, len(x), 4 * x.shape[1], threads)
    if any(doubts):
        doubt(x, codes)
    return codes


def extremes(x: NDArray[np.float32], threads: int | None = 1) -> NDArray[np.float32]:
    """Return the least and the greatest value of each dimension of rows (n, dimension), n > 0, as (2, dimension).

    Raises
    ------
    NotFiniteError
    """
    threads = default_threads(threads, x.nbytes * _LOOKED)
    found = np.empty((threads, 2, x.shape[1]), np.float32)
    ends: list[NDArray[np.float32]] = []
    for block in blocks_of(len(x), -(-4 * x.shape[1] // threads)):
        some = x[block]
        check_finite_result(lib.ec_extremes_f32(pointer(some), *some.shape, pointer(found), threads), x, block.start)
        ends.append(found[0].copy())
    return ends[0] if len(ends) == 1 else np.stack([np.min(ends, 0)[0], np.max(ends, 0)[1]])


def truncate_to_unit(x: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """Return the first `dimension`, from 1 to sums.MAX_DIMENSION, of rows (n, d) as rows of unit length."""
    if dimension > x.shape[1]:
        raise ValueError(f"{dimension} of {x.shape[1]} values a row")
    kept = np.empty((len(x), dimension), np.float32)

    def cut(block: slice, _: int) -> None:
        some = x[block]
        done = lib.ec_truncate_f32(pointer(some), x.shape[1], len(some), dimension, pointer(kept[block]))
        check_finite_result(done, x[:, :dimension], block.start)

    each_call(cut, len(x), 4 * x.shape[1], 1)
    return kept


def dequantize_unit(codes: NDArray[Any], out: Any = None, threads: int | None = 1) -> NDArray[np.float32]:
    """Return the values of the services' fixed scale."""
    values = result_array(out, codes.shape, np.float32)

    def decode(block: slice, threads: int) -> None:
        some, into = codes[block], values[block]
        check(lib.ec_dequantize_unit_f32(pointer(some), *some.shape, _TYPES[codes.dtype], pointer(into), threads))

    each_call(decode, len(codes), 4 * codes.shape[1], threads)
    return values


def dequantize_per_vector(
    codes: NDArray[Any], scales: NDArray[np.float32], out: Any = None, threads: int | None = 1
) -> NDArray[np.float32]:
    """Return the values of codes with one scale a row."""
    _a_value_each(scales, len(codes), "rows")
    values = result_array(out, codes.shape, np.float32)

    def decode(block: slice, threads: int) -> None:
        some, into = codes[block], values[block]
        done = lib.ec_dequantize_per_vector_f32(
            pointer(some), *some.shape, _TYPES[codes.dtype], pointer(scales[block]), pointer(into), threads
        )
        check(done)

    each_call(decode, len(codes), 4 * codes.shape[1], threads)
    return values


def dequantize_ranges(
    codes: NDArray[Any],
    first: NDArray[np.float32],
    step: NDArray[np.float32],
    out: Any = None,
    threads: int | None = 1,
) -> NDArray[np.float32]:
    """Return the values of codes with one range a dimension: code (int8: + 128) * step + first."""
    for each in (first, step):
        _a_value_each(each, codes.shape[1], "dimensions")
    values = result_array(out, codes.shape, np.float32)

    def decode(block: slice, threads: int) -> None:
        some, into = codes[block], values[block]
        done = lib.ec_dequantize_ranges_f32(
            pointer(some), *some.shape, _TYPES[codes.dtype], pointer(first), pointer(step), pointer(into), threads
        )
        check(done)

    each_call(decode, len(codes), 4 * codes.shape[1], threads)
    return values
