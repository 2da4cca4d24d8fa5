"""Memory in which the rows of small files lie one behind the other, so that a scan meets many files as one.

A scan runs through memory faster than it finds the beginning of a mapped file: what it asks for ahead of the end of the
one before is something else, and the processor foresees nothing. That takes about as long as 20 kB of codes do, so that
files of many times as much stay mapped.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...quantizers.lowbit import arrays_of, joined
from ...scan import Place
from ..rows import Part
from .shards import OpenShard

SMALL = 1 << 19
"""Bytes of codes of the largest file whose rows are copied."""
MOST = 1 << 26
"""Bytes of all that is copied for one collection: further files stay mapped."""

_SLAB = 1 << 22  # bytes of memory that are taken for codes at once: some of the large pages of most systems
_ALIGNMENT = 64


class Arena:
    """Copies of what is scanned of small files; a file is copied once, and its copy stays where it is."""

    def __init__(self) -> None:
        self._held = 0
        self._copies: dict[str, _Copy | None] = {}
        self._slab: _Slab | None = None
        self._lock = threading.Lock()

    def places(self, shards: Sequence[OpenShard]) -> list[Place]:
        """Return where rows of files are scanned: files that are neighbours in memory, and ascend, are one place."""
        with self._lock:
            found = [(shard, self._copied(shard)) for shard in _by_id(shards)]
        places: list[Place] = []
        run: list[tuple[OpenShard, _Copy]] = []
        for shard, copy in found:
            if run and not (copy and copy.follows(run[-1][1])):
                places.append(_place_of(run))
                run = []
            if copy is None:
                places.append(Place(shard.codes, shard.ids, shard.live))
            else:
                run.append((shard, copy))
        return [*places, _place_of(run)] if run else places

    def _copied(self, shard: OpenShard) -> _Copy | None:
        """Return where the copy of a file is; None of one that is large, or for which no room was left."""
        if shard.name not in self._copies:
            self._copies[shard.name] = self._copy_of(shard)
        return self._copies[shard.name]

    def _copy_of(self, shard: OpenShard) -> _Copy | None:
        arrays = (*arrays_of(shard.codes.rows), shard.ids)
        nbytes = sum(array.nbytes for array in arrays)
        if arrays[0].nbytes > SMALL or self._held + nbytes > MOST:
            return None
        if self._slab is None or not self._slab.has_room(arrays):
            self._slab = _Slab(arrays)
        self._held += nbytes
        return self._slab.put(arrays)


class _Copy(NamedTuple):
    """Rows first .. stop - 1 of a slab; `first_id` and `last_id` are theirs."""

    slab: _Slab
    first: int
    stop: int
    first_id: int
    last_id: int

    def follows(self, other: _Copy) -> bool:
        """Whether it lies right behind another one, and its ids are above."""
        return self.slab is other.slab and self.first == other.stop and self.first_id > other.last_id


class _Slab:
    """Arrays that have room for rows of a kind; what is written there lies outside all that was given out before.

    Parameters
    ----------
    like : sequence of ndarray
        The codes, what else each row has, and the ids, of such rows.
    """

    def __init__(self, like: Sequence[NDArray[Any]]) -> None:
        codes, *others = like
        row_bytes = codes.nbytes // len(codes)
        self._rows = max(_SLAB // row_bytes, len(codes))
        room = _memory(self._rows * row_bytes).view(codes.dtype).reshape(self._rows, *codes.shape[1:])
        self._arrays = [room, *(np.empty((self._rows, *each.shape[1:]), each.dtype) for each in others)]
        self._used, self._last_id = 0, -1
        self._step = _ALIGNMENT // gcd(row_bytes, _ALIGNMENT)  # rows that fill whole lines of memory
        self.parts: dict[int, Part] = {}

    def _start(self, ids: NDArray[np.int64]) -> int:
        """Return where the next rows go: behind the others where they are met together, else to a line of memory."""
        return self._used if int(ids[0]) > self._last_id else -(-self._used // self._step) * self._step

    def has_room(self, arrays: Sequence[NDArray[Any]]) -> bool:
        """Whether there is room for further rows."""
        return self._start(arrays[-1]) + len(arrays[-1]) <= self._rows

    def put(self, arrays: Sequence[NDArray[Any]]) -> _Copy:
        """Copy rows behind the others."""
        ids = arrays[-1]
        first = self._start(ids)
        stop = first + len(ids)
        for room, array in zip(self._arrays, arrays, strict=True):
            room[first:stop] = array
        self._used, self._last_id = stop, int(ids[-1])
        return _Copy(self, first, stop, int(ids[0]), int(ids[-1]))

    def between(self, first: int, stop: int) -> list[NDArray[Any]]:
        """Return the arrays of some rows, to be read."""
        found = [array[first:stop] for array in self._arrays]
        for array in found:
            array.flags.writeable = False
        return found


def _place_of(run: Sequence[tuple[OpenShard, _Copy]]) -> Place:
    """Return files that follow each other in a slab as one place."""
    (_, first), (_, last) = run[0], run[-1]
    *arrays, ids = first.slab.between(first.first, last.stop)
    part = first.slab.parts.get(first.first)
    if part is None or len(part.rows) != len(ids):
        rows = joined([shard.codes.rows for shard, _ in run], arrays)
        part = Part(rows) if part is None else part.grown(rows)
        first.slab.parts[first.first] = part
    live = None
    if any(shard.live is not None for shard, _ in run):
        live = np.concatenate([np.ones(len(s.ids), np.bool_) if s.live is None else s.live for s, _ in run])
    return Place(part, ids, live)


def _by_id(shards: Sequence[OpenShard]) -> Sequence[OpenShard]:
    """Return files in an order in which their ids ascend; as they are where there is none."""
    ordered = sorted(shards, key=lambda shard: int(shard.ids[0]))
    return ordered if all(one.ids[-1] < other.ids[0] for one, other in pairwise(ordered)) else shards


def _memory(nbytes: int) -> NDArray[np.uint8]:
    """Return memory, in large pages where the system has such: it is read a quarter faster than in small ones."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return np.empty(nbytes, np.uint8)
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # of a kernel without
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)
