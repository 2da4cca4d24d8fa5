"""Bits against bits, and float queries against bits: the tables of the queries, and the kernels alone for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .core import lib, pointer


def bit_tables(queries: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the tables by which float queries (n, 8 * width) meet bits, and one scale each."""
    width = queries.shape[1] // 8
    tables = np.empty((len(queries), lib.ec_dot_u1_tables_bytes(1, width)), np.uint8)
    scales = np.empty(len(queries), np.float32)
    done = lib.ec_dot_u1_tables(pointer(queries), len(queries), width, pointer(tables), pointer(scales))
    if not done:
        raise ValueError("queries are too large for float32")
    return tables, scales


def u1_scores(
    family: int, queries: NDArray[np.uint8], rows: NDArray[np.uint8], *, by_rows: bool = False
) -> NDArray[np.int32]:
    """Return all scores (n_queries, n_rows) of a family of bits, through one of its two paths. For tests."""
    scores = np.empty((len(queries), len(rows)), np.int32)
    if scores.size:
        scratch = np.empty(lib.ec_u1_scratch_bytes(len(queries), rows.shape[1]), np.uint8)
        lib.ec_u1_scores(
            family, pointer(queries), len(queries), pointer(rows), rows.strides[0], len(rows), rows.shape[1], by_rows,
            pointer(scratch), pointer(scores),
        )  # fmt: skip
    return scores
