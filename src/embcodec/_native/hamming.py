"""Float queries against bits: the tables of the queries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .core import lib, pointer

MOST_TWICE = int(lib.EC_DOT_U1_TWICE_MOST)
"""Bytes of a row that queries can meet in two tables each."""

Floats = NDArray[np.float32]


def bit_tables(queries: Floats, twice: int = 0) -> tuple[NDArray[np.uint8], Floats]:
    """Return the tables by which float queries (n, 8 * width) meet bits, and one scale each.

    Rows' first `twice` bytes, an even number up to 128, meet two tables each: what the query has there, in steps of 32
    scales, and what that leaves. So values may be 32 times as great there as elsewhere, and all are rounded as finely
    as the others alone would be.
    """
    width = queries.shape[1] // 8
    if not 0 <= twice <= width:
        raise ValueError(f"values of {twice} bytes that are met twice, of {width}")
    scales = np.zeros(len(queries), np.float32)
    tables = np.empty((len(queries), lib.ec_dot_u1_tables_bytes(1, twice + width)), np.uint8)
    split = np.empty(8 * (twice + width) if twice else 0, np.float32)
    done = lib.ec_dot_u1_tables(
        pointer(queries), len(queries), width, twice, pointer(split), pointer(tables), pointer(scales)
    )
    if not done:
        raise ValueError("queries are too large for float32")
    return tables, scales
