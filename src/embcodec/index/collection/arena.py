"""Memory in which the codes of small files lie side by side.

A scan runs through memory faster than it finds the beginning of a mapped file: what it asks for ahead of the end of the
one before is something else, and the processor foresees nothing. That takes about as long as 20 kB of codes do, so that
files of many times as much stay mapped.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL = 1 << 19
"""Bytes of codes of the largest file whose codes are copied."""
MOST = 1 << 26
"""Bytes of all codes that are copied for one collection: further files stay mapped."""

_SLAB = 1 << 22  # bytes of memory that are taken at once: some of the large pages of most systems
_ALIGNMENT = 64


class Arena:
    """Copies of arrays one behind the other, in slabs that are let go of with the last array in them.

    Parameters
    ----------
    held : int
        Bytes of copies of a former arena that are still in use.
    """

    def __init__(self, held: int = 0) -> None:
        self._held = held
        self._slab: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._used = 0
        self._lock = threading.Lock()

    def copied(self, array: NDArray[Any]) -> NDArray[Any] | None:
        """Return a copy of an array; None where it is large, or no room is left."""
        room = self._room(array.nbytes)
        if room is None:
            return None
        copy = room.view(array.dtype).reshape(array.shape)
        copy[...] = array
        copy.flags.writeable = False
        return copy

    def _room(self, nbytes: int) -> NDArray[np.uint8] | None:
        with self._lock:
            if nbytes > SMALL or self._held + nbytes > MOST:
                return None
            start = -(-self._used // _ALIGNMENT) * _ALIGNMENT
            if start + nbytes > len(self._slab):
                self._slab, start = _new_slab(), 0
            self._used = start + nbytes
            self._held += nbytes
            return self._slab[start : self._used]


def _new_slab() -> NDArray[np.uint8]:
    """Return memory, in large pages where the system has such: it is read a quarter faster than in small ones."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return np.empty(_SLAB, np.uint8)
    memory = mmap.mmap(-1, _SLAB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # of a kernel without
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)
