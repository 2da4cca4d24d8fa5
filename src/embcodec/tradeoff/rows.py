"""Rows of floats that are read a block at a time: of one matrix or of several, in memory or of mapped files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec import as_array, as_float32, row_norms
from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..errors import NotFiniteError
from ..words import shown

Floats = NDArray[np.float32]

_DIVIDED = 4096  # how many rows are divided by their lengths at a time

BLOCK_BYTES = 1 << 26
"""Of float32 rows that are held at a time."""


class Rows:
    """Some of the rows of matrices, as float32; nothing is copied but what is asked for.

    Parameters
    ----------
    parts : sequence of ndarray of float, (n_i, dimension)
    chosen : ndarray of int64, ascending, optional
        Which of all their rows; by default all of them.
    unit : bool
        Whether rows are brought to unit length as they are read.
    """

    def __init__(
        self, parts: Sequence[NDArray[Any]], chosen: NDArray[np.int64] | None = None, *, unit: bool = False
    ) -> None:
        self._parts, self._chosen, self._unit = parts, chosen, unit
        self._ends = np.cumsum([len(part) for part in parts])

    @property
    def dimension(self) -> int:
        """Of the rows."""
        return int(self._parts[0].shape[1])

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._chosen is None else len(self._chosen)

    def of_unit_length(self) -> Rows:
        """Return the same rows, each divided by its length; those of zeros stay."""
        return Rows(self._parts, self._chosen, unit=True)

    def those(self, places: NDArray[np.int64]) -> Rows:
        """Return some of the rows, by their places in ascending order."""
        return Rows(self._parts, places if self._chosen is None else self._chosen[places], unit=self._unit)

    def followed_by(self, more: Floats) -> Rows:
        """Return all rows of the matrices, and after them others."""
        assert self._chosen is None
        return Rows([*self._parts, more] if len(more) else self._parts, unit=self._unit)

    def take(self, places: NDArray[np.int64] | slice) -> Floats:
        """Return rows by their places, float32 (n, dimension)."""
        if self._chosen is None and isinstance(places, slice) and len(self._parts) == 1:
            return self._read(self._parts[0][places])
        if isinstance(places, slice):
            places = np.arange(len(self))[places] if self._chosen is None else self._chosen[places]
        elif self._chosen is not None:
            places = self._chosen[places]
        if len(self._parts) == 1:
            return self._read(self._parts[0][places])
        found = np.empty((len(places), self.dimension), np.float32)
        owners = np.searchsorted(self._ends, places, side="right")
        for number in np.unique(owners):
            here = owners == number
            begin = self._ends[number] - len(self._parts[number])
            found[here] = self._parts[number][places[here] - begin]
        return self._read(found)

    def blocks(self, block_bytes: int | None = None) -> Iterator[tuple[int, Floats]]:
        """Yield rows in blocks of one size, nearly, each with the place of its first row."""
        size = max(-(-len(self) // self.block_count(block_bytes)), 1)
        for begin in range(0, len(self), size):
            try:
                block = self.take(slice(begin, begin + size))
            except NotFiniteError as error:
                raise NotFiniteError(begin + error.row, error.column, error.value) from None
            yield begin, block

    def block_count(self, block_bytes: int | None = None) -> int:
        """Return how many blocks of at most so many bytes there are."""
        return max(-(-len(self) * self.dimension * 4 // (block_bytes or BLOCK_BYTES)), 1)

    def spread(self, most: int) -> Floats:
        """Return at most so many of the rows, from first to last at equal distances."""
        return self.take(np.arange(0, len(self), max(1, -(-len(self) // most))))

    def _read(self, rows: NDArray[Any]) -> Floats:
        found = as_float32(rows)
        return unit_rows(found) if self._unit else found


def unit_rows(x: Floats) -> Floats:
    """Return rows divided by their lengths; those of zeros stay."""
    lengths = row_norms(x)[:, None]
    lengths[lengths == 0] = 1
    found = np.empty(x.shape, np.float32)
    for begin in range(0, len(x), _DIVIDED):  # in float64, a few at a time
        found[begin : begin + _DIVIDED] = x[begin : begin + _DIVIDED] / lengths[begin : begin + _DIVIDED]
    return found


def as_rows(x: Any, name: str) -> Rows:
    """Return what a user passes for vectors: a matrix of floats, or a list of such."""
    if isinstance(x, Iterator):
        raise TypeError(
            f"{name} are read more than once: pass a list of the matrices (those of mapped files stay on the disk), "
            f"not {shown(x)}"
        )
    is_list = isinstance(x, list | tuple) and len(x) > 0 and all(_is_matrix(part) for part in x)
    parts = [_floats(part, name) for part in (x if is_list else [x])]
    widths = {part.shape[1] for part in parts}
    if len(widths) > 1:
        raise ValueError(f"{name} have one dimension in all parts, not {', '.join(map(str, sorted(widths)))}")
    return Rows([part for part in parts if len(part)] or parts[:1])


def _is_matrix(part: Any) -> bool:
    return isinstance(part, Embeddings) or getattr(part, "ndim", 0) == 2


def _floats(x: ArrayLike | Embeddings, name: str) -> NDArray[Any]:
    if isinstance(x, Embeddings):
        if x.output_dtype is not OutputDtype.FLOAT:
            raise ValueError(f"{name} are {x.output_dtype} codes; a study begins with the floats they came from")
        x = x.values
    array = as_array(x)
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(f"{name} are floats of shape (n, dimension), not {array.dtype} {array.shape}")
    return array
