"""Samples of any size, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .._native import bits
from ..codec import as_array, is_arrow, is_tensor
from ..errors import NotFiniteError
from ..words import shown
from .quantize import as_float_rows


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


def finite_block(first_row: int, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return a block of a sample, from a row on, as float32; NotFiniteError names the row in the sample."""
    try:
        block = as_float_rows(rows)
        bits.require_finite(block)
    except NotFiniteError as error:
        raise NotFiniteError(first_row + error.row, error.column, error.value) from None
    return block


def is_empty() -> ValueError:
    """Return the error for a sample without rows."""
    return ValueError("the sample is empty")
