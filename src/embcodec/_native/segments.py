"""Rows of one kind in several places of memory, searched as one corpus: ``ec_segment`` of csrc/contract/search.h."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .core import ffi, lib, pointer

_STEP = int(lib.EC_SEGMENT_STEP)
_SEGMENTS = ffi.typeof("ec_segment[]")


class Segment(NamedTuple):
    """Rows that are neighbours in memory.

    Attributes
    ----------
    rows : ndarray, (n, width)
        At least one.
    ids : ndarray of int64, (n,)
        Ascending.
    scales, biases : ndarray of float32, (n,), or None
        In all segments or in none.
    """

    rows: NDArray[Any]
    ids: NDArray[np.int64]
    scales: NDArray[np.float32] | None = None
    biases: NDArray[np.float32] | None = None


class Segments:
    """Segments one behind the other; `len` counts positions, among which are some that no row has.

    Attributes
    ----------
    firsts : ndarray of int64, (n,)
        The position of the first row of each segment.
    are_ascending : bool
        Whether ids ascend from each segment to the next, as they do within each.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        counts = np.array([len(segment.rows) for segment in segments], np.int64)
        room = -(-counts // _STEP) * _STEP
        self.firsts: NDArray[np.int64] = np.cumsum(room) - room
        self._length = int(self.firsts[-1] + counts[-1]) if len(counts) else 0
        self._segments = list(segments)
        self._squares: list[NDArray[np.float64]] | None = None
        self._made: dict[tuple[int, int], Any] = {}
        self._former: list[Any] = []  # tables that searches under way in other threads may still read
        ends = [(int(segment.ids[0]), int(segment.ids[-1])) for segment in segments]
        self.are_ascending = all(one[1] < other[0] for one, other in pairwise(ends))

    def __len__(self) -> int:
        return self._length

    @property
    def has_squares(self) -> bool:
        """Whether the squared lengths of the rows have been given."""
        return self._squares is not None

    def give_squares(self, squares: list[NDArray[np.float64]]) -> None:
        """Let scans know the squared lengths of the rows of each segment."""
        self._former.append(self._made)
        self._squares, self._made = squares, {}

    def between(self, start: int, stop: int) -> Any:
        """Return ``ec_segment[]`` of the positions start .. stop, which count from `start` on; it is kept."""
        found = self._made.get((start, stop))
        if found is None:
            found = self._made[start, stop] = self._array(start, stop)
        return found

    def _array(self, start: int, stop: int) -> Any:
        chosen = []
        for number, (first, segment) in enumerate(zip(self.firsts.tolist(), self._segments, strict=True)):
            begin, end = max(start - first, 0), min(stop - first, len(segment.rows))
            if begin < end:
                chosen.append((first + begin - start, slice(begin, end), number))
        array = ffi.new(_SEGMENTS, len(chosen))
        for entry, (first, part, number) in zip(array, chosen, strict=True):
            segment = self._segments[number]
            entry.first, entry.count = first, part.stop - part.start
            entry.rows, entry.ids = pointer(segment.rows[part]), pointer(segment.ids[part])
            if segment.scales is not None:
                entry.row_scales = pointer(segment.scales[part])
            if segment.biases is not None:
                entry.row_biases = pointer(segment.biases[part])
            if self._squares is not None:
                entry.row_squares = pointer(self._squares[number][part])
        return array

    def ids_of(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ids of the rows at positions, of any shape; -1 for negative positions."""
        array, ids = self.between(0, len(self)), np.empty(positions.shape, np.int64)
        lib.ec_segments_ids(array, len(array), pointer(np.ascontiguousarray(positions)), positions.size, pointer(ids))
        return ids

    def positions_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions of the rows of ids, of any shape; -1 for those that are not there."""
        array, positions = self.between(0, len(self)), np.empty(ids.shape, np.int64)
        lib.ec_segments_positions(
            array, len(array), self.are_ascending, pointer(np.ascontiguousarray(ids)), ids.size, pointer(positions)
        )
        return positions
