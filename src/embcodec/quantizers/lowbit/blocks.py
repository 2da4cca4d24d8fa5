"""Rows to raw codes and back, some at a time on several threads: what schemes of both kinds do alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native.blocks import each_block
from ..._native.core import blocks_of, default_threads
from ...errors import NotFiniteError
from ..samples import float_rows
from .levels import Floats

Planes = NDArray[np.uint8]
RawCodes = tuple[Planes, Floats, Floats, NDArray[np.float64]]
"""Planes (n, width), scales, lengths of centred rows and squared lengths of rows, (n,) each."""

BLOCK_BYTES = 1 << 22  # how much of float rows a thread handles at a time


def coded_by_blocks(
    x: NDArray[Any],
    dimension: int,
    width: int,
    code: Callable[[Floats, Planes, Floats, Floats, NDArray[np.float64], int], None],
    pace: float,
    threads: int | None,
) -> RawCodes:
    """Return what `code` writes of the rows of a block, on threads of the core's, for all of them.

    `pace` is nanoseconds a byte of floats. Rows of another type than float32 are converted a block at a time; all are
    read once.
    """
    n = len(x)
    planes = np.empty((n, width), np.uint8)
    scales, lengths, squares = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n)

    threads = default_threads(threads, n * 4 * dimension * pace)
    held = threads if x.dtype == np.float32 else max(threads // 4, 1)  # what is converted takes memory meanwhile
    for block in blocks_of(n, 4 * dimension, most_bytes=held * BLOCK_BYTES):
        try:
            rows = float_rows(x[block], threads)
            code(rows, planes[block], scales[block], lengths[block], squares[block], threads)
        except NotFiniteError as error:
            raise NotFiniteError(block.start + error.row, error.column, error.value) from None
    return planes, scales, lengths, squares


def decoded_by_blocks(
    planes: Planes,
    scales: Floats,
    dimension: int,
    decode: Callable[[Planes, Floats], Floats],
    center: Floats | None,
    pace: float,
    threads: int | None,
) -> Floats:
    """Return the rows (n, dimension) that planes and scales (n, 1) stand for, the center put back.

    By blocks that are the same on any number of threads, because a product of matrices may depend on their size.
    """
    rows = np.empty((len(planes), dimension), np.float32)

    def fill(block: slice) -> None:
        rows[block] = decode(planes[block], scales[block, None])
        if center is not None:
            rows[block] += center

    each_block(fill, len(planes), 4 * dimension, threads, pace, block_bytes=BLOCK_BYTES)
    return rows
