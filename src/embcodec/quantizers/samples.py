"""Samples of any size, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .._native import quantize as native
from .._native.blocks import each_block
from ..codec import as_array, is_arrow, is_tensor
from ..errors import NotFiniteError
from ..words import shown
from .quantize import as_float_rows

_CONVERTED = 0.3  # nanoseconds a byte of rows that are converted


def is_list_of_batches(sample: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether a sample is a list whose every element is a matrix or a table, and not a list of rows."""
    if not isinstance(sample, list | tuple) or not sample:
        return False
    return all(len(getattr(batch, "shape", ())) == 2 for batch in sample)


def blocks_of(sample: Any, block_bytes: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield blocks of bounded size, of an array or of each batch, and the row of the sample that each begins with."""
    is_one = hasattr(sample, "__array__") or isinstance(sample, list | tuple | memoryview) or is_arrow(sample)
    is_one = is_one and not is_list_of_batches(sample)
    batches = [sample] if is_one or is_tensor(sample) else sample
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes | dict):
        raise TypeError(f"a sample is an array of floats (n, dimension) or an iterable of such, not {shown(sample)}")
    before, dimension = 0, None
    for batch in batches:
        rows = as_array(batch)
        if rows.ndim != 2:
            raise ValueError(f"a sample has shape (n, dimension), not {rows.shape}; batches go in a generator")
        if dimension not in (None, rows.shape[1]):
            raise ValueError(f"batches of {dimension} and of {rows.shape[1]} dimensions: all of a sample have as many")
        dimension = int(rows.shape[1])
        step = max(1, block_bytes // max(4 * dimension, 1))
        for begin in range(0, len(rows), step):
            yield before + begin, rows[begin : begin + step]
        before += len(rows)


def finite_block(
    first_row: int, rows: NDArray[Any], threads: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a block of a sample, from a row on, as float32, and the ends of each dimension, (2, dimension).

    NotFiniteError names the row in the sample.
    """
    try:
        block = float_rows(rows, threads)
        return block, native.extremes(block, threads)
    except NotFiniteError as error:
        raise NotFiniteError(first_row + error.row, error.column, error.value) from None


def float_rows(x: NDArray[Any], threads: int | None) -> NDArray[np.float32]:
    """Return rows as float32: themselves, or converted on threads."""
    if x.dtype == np.float32 or threads == 1 or x.ndim != 2:
        return as_float_rows(x)
    rows = np.empty(x.shape, np.float32)

    def convert(block: slice) -> None:
        try:
            rows[block] = as_float_rows(x[block])
        except NotFiniteError as error:
            raise NotFiniteError(block.start + error.row, error.column, error.value) from None

    each_block(convert, len(x), rows.nbytes // max(len(x), 1), threads, _CONVERTED)
    return rows


def joined_ends(ends: NDArray[np.float32] | None, others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the ends (2, dimension) of the rows of both."""
    if ends is None:
        return others
    return np.stack([np.minimum(ends[0], others[0]), np.maximum(ends[1], others[1])])


def is_empty() -> ValueError:
    """Return the error for a sample without rows."""
    return ValueError("the sample is empty")
