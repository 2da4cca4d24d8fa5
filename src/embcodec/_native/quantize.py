"""float32 <-> 8-bit codes under the three scales. Arrays are C-contiguous, (n, dimension)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bits import check_finite_result
from .core import check, ffi, lib, pointer, result_array

_TYPES = {np.dtype(np.int8): lib.EC_INT8, np.dtype(np.uint8): lib.EC_UINT8}


def quantize_unit(
    x: NDArray[np.float32], dtype: Any, out: Any, doubt: Callable[[NDArray[np.float32], NDArray[Any]], None]
) -> NDArray[Any]:
    """Return the codes of the services' fixed scale; where it may not suit these rows, `doubt` is told of both."""
    codes = result_array(out, x.shape, dtype)
    rows, dimension = x.shape
    done = lib.ec_quantize_unit_f32(pointer(x), rows, dimension, _TYPES[codes.dtype], pointer(codes))
    check_finite_result(done, x)
    if done.produced:
        doubt(x, codes)
    return codes


def quantize_per_vector(
    x: NDArray[np.float32], dtype: Any, scales: NDArray[np.float32] | None = None, out: Any = None
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return codes and one scale a row, measured or as given."""
    codes = result_array(out, x.shape, dtype)
    measure = scales is None
    if scales is None:
        scales = np.empty(len(x), np.float32)
    done = lib.ec_quantize_per_vector_f32(
        pointer(x), *x.shape, _TYPES[codes.dtype], measure, pointer(scales), pointer(codes)
    )
    check_finite_result(done, x)
    return codes, scales


def quantize_ranges(
    x: NDArray[np.float32],
    dtype: Any,
    low: NDArray[np.float32],
    step: NDArray[np.float32],
    reciprocal: NDArray[np.float32] | None,
    out: Any = None,
) -> NDArray[Any]:
    """Return the codes of one range a dimension; `low`, `step` and 1 / `step`, or None, are float32 (dimension,)."""
    codes = result_array(out, x.shape, dtype)
    done = lib.ec_quantize_ranges_f32(
        pointer(x),
        *x.shape,
        _TYPES[codes.dtype],
        pointer(low),
        pointer(step),
        ffi.NULL if reciprocal is None else pointer(reciprocal),
        pointer(codes),
    )
    check_finite_result(done, x)
    return codes


def truncate_to_unit(x: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """Return the first `dimension`, from 1 to sums.MAX_DIMENSION, of rows (n, d) as rows of unit length."""
    kept = np.empty((len(x), dimension), np.float32)
    done = lib.ec_truncate_f32(pointer(x), x.shape[1], len(x), dimension, pointer(kept))
    check_finite_result(done, x[:, :dimension])
    return kept


def dequantize_unit(codes: NDArray[Any], out: Any = None) -> NDArray[np.float32]:
    """Return the values of the services' fixed scale."""
    values = result_array(out, codes.shape, np.float32)
    check(lib.ec_dequantize_unit_f32(pointer(codes), *codes.shape, _TYPES[codes.dtype], pointer(values)))
    return values


def dequantize_per_vector(codes: NDArray[Any], scales: NDArray[np.float32], out: Any = None) -> NDArray[np.float32]:
    """Return the values of codes with one scale a row."""
    values = result_array(out, codes.shape, np.float32)
    done = lib.ec_dequantize_per_vector_f32(
        pointer(codes), *codes.shape, _TYPES[codes.dtype], pointer(scales), pointer(values)
    )
    check(done)
    return values


def dequantize_ranges(
    codes: NDArray[Any], first: NDArray[np.float32], step: NDArray[np.float32], out: Any = None
) -> NDArray[np.float32]:
    """Return the values of codes with one range a dimension: code (int8: + 128) * step + first."""
    values = result_array(out, codes.shape, np.float32)
    done = lib.ec_dequantize_ranges_f32(
        pointer(codes), *codes.shape, _TYPES[codes.dtype], pointer(first), pointer(step), pointer(values)
    )
    check(done)
    return values
