"""Sums over the elements of rows in float64, the same on every tier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .core import blocks_of, lib, pointer

MAX_DIMENSION = int(lib.EC_DOT_MAX_DIMENSION)


def dots_f32(query: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the dots of a query (dimension,) with C-contiguous rows (n, dimension), the same on every tier."""
    dots = np.empty(len(rows), np.float32)
    if rows.shape[1:] != query.shape:
        raise ValueError(f"a query of {len(query)} elements and rows of {rows.shape[1]}")
    if not lib.ec_dot_f32_rows(pointer(query), pointer(rows), 4 * len(query), len(rows), len(query), pointer(dots)):
        raise ValueError(f"rows have 1 to {MAX_DIMENSION} elements, not {len(query)}")
    return dots


def squares_f32(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the sum of squares of each C-contiguous row (n, 1 .. MAX_DIMENSION), in float64."""
    sums = np.empty(len(rows), np.float64)
    dimension = rows.shape[1]
    for block in blocks_of(len(rows), 4 * dimension):
        some, into = rows[block], sums[block]
        if not lib.ec_sumsq_f32(pointer(some), 4 * dimension, len(some), dimension, pointer(into)):
            raise ValueError(f"rows have 1 to {MAX_DIMENSION} elements, not {dimension}")
    return sums
