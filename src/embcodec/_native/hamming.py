"""Float queries against bits: the tables of the queries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .core import lib, pointer

MOST_TWICE = int(lib.EC_DOT_U1_TWICE_MOST)
"""Bytes of a row that queries can meet in two tables each."""

_COUNTS = 1 << lib.EC_DOT_U1_TWICE_SHIFT  # how often an entry of the first tables counts, of bytes that are met twice
_MOST_COARSE = 125  # of an entry in these, which is a sum of four whole numbers: two are left for their rounding

Floats = NDArray[np.float32]


def bit_tables(queries: Floats, twice: int = 0) -> tuple[NDArray[np.uint8], Floats]:
    """Return the tables by which float queries (n, 8 * width) meet bits, and one scale each.

    Rows' first `twice` bytes, an even number up to 128, meet two tables each: what the query has there, in steps of 32
    scales, and what that leaves. So values may be 32 times as great there as elsewhere, and all are rounded as finely
    as the others alone would be.
    """
    scales = np.zeros(len(queries), np.float32)
    if twice:
        queries, scales = _split(queries, twice)
    width = queries.shape[1] // 8
    tables = np.empty((len(queries), lib.ec_dot_u1_tables_bytes(1, width)), np.uint8)
    done = lib.ec_dot_u1_tables(pointer(queries), len(queries), width, pointer(tables), pointer(scales))
    if not done:
        raise ValueError("queries are too large for float32")
    return tables, scales


def _split(queries: Floats, twice: int) -> tuple[Floats, Floats]:
    """Return queries with what the first tables are made of before them, and the scales of their tables."""
    first = 8 * twice
    sizes = np.abs(queries).reshape(len(queries), -1, 4)
    sums = (sizes[:, :, 0] + sizes[:, :, 1]) + (sizes[:, :, 2] + sizes[:, :, 3])
    with np.errstate(invalid="ignore", over="ignore"):  # the tables refuse what is not finite
        scales = np.maximum(
            sums[:, 2 * twice :].max(axis=1, initial=0) / np.float32(127),
            sums[:, : 2 * twice].max(axis=1, initial=0) / np.float32(_COUNTS * _MOST_COARSE),
        )[:, None]
        steps = scales * np.float32(_COUNTS)
        coarse = np.rint(np.divide(queries[:, :first], steps, out=np.zeros_like(queries[:, :first]), where=steps > 0))
        split = np.concatenate([coarse * scales, queries[:, :first] - coarse * steps, queries[:, first:]], axis=1)
    return np.ascontiguousarray(split, np.float32), np.ascontiguousarray(scales[:, 0], np.float32)
