"""Sums over the elements of rows, exact or in float64, the same on every tier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import lib, pointer

MAX_DIMENSION = int(lib.EC_DOT_MAX_DIMENSION)


def squares_f32(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sum of squares of each C-contiguous row (n, 1 .. MAX_DIMENSION), in float64."""
    sums = np.empty(len(rows), np.float64)
    _sum(lib.ec_sumsq_f32, rows, (), sums)
    return sums


def sums_i8(codes: NDArray[Any], flip: int = 0) -> NDArray[np.int32]:
    """Return the sum of each C-contiguous row of int8 (n, 1 .. MAX_DIMENSION); uint8 rows, `flip` 0x80, less 128."""
    sums = np.empty(len(codes), np.int32)
    _sum(lib.ec_sum_i8, codes, (flip,), sums)
    return sums


def squares_i8(codes: NDArray[Any], flip: int = 0) -> NDArray[np.int32]:
    """Return the sum of squares of each row, of the values that :func:`sums_i8` adds."""
    sums = np.empty(len(codes), np.int32)
    _sum(lib.ec_sumsq_i8, codes, (flip,), sums)
    return sums


def _sum(function: Any, rows: NDArray[Any], flags: tuple[int, ...], sums: NDArray[Any]) -> None:
    dimension = rows.shape[1]
    if not function(pointer(rows), dimension * rows.itemsize, len(rows), dimension, *flags, pointer(sums)):
        raise ValueError(f"rows have 1 to {MAX_DIMENSION} elements, not {dimension}")
