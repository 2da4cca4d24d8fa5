"""Float queries against bits: the tables of the queries."""

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
