"""Buffers that end (or begin) exactly where readable memory does.

A kernel that touches one byte too many is not caught by comparing results. A *guarded* array lies flush against a
page that may be neither read nor written, so such an access kills the test run at once, with the kernel on the stack::

    from guard import guarded

    with guarded(len(text)) as array:                  # uint8, its last byte is the last one that may be touched
        array[:] = text
        decode(array, out)
    with guarded(4 * 257, side="start") as array:      # its first byte is the first one that may be touched
        x = array.view(np.float32)

Several may be open at once (input and output). With side="end" the array starts at whatever alignment its length
gives; views of other dtypes work, NumPy allows unaligned ones. Do not keep the array, nor a view of it, beyond the
block: its pages are another's then. Where the system has no page protection (not Linux), the array is a plain one;
`GUARDS` tells.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

GUARDS = sys.platform == "linux"
_PAGE = mmap.PAGESIZE
_PROT_NONE = 0

_Side = Literal["start", "end"]
# Pages by their length: to map and to protect them takes longer than most uses.
_unused: dict[int, list[NDArray[np.uint8]]] = {}


@contextmanager
def guarded(nbytes: int, side: _Side = "end") -> Iterator[NDArray[np.uint8]]:
    """Give a writable uint8 array of `nbytes` (0 too), flush against an inaccessible page at its end or start.

    The pages on both sides are inaccessible; the slack between the array and the page on the other side holds 0xAA. The
    array itself starts out as 0x55.
    """
    if side not in ("start", "end"):
        raise ValueError(f"side is 'start' or 'end', not {side!r}")
    if not GUARDS:
        yield np.full(nbytes, 0x55, np.uint8)
        return
    room = -(-max(nbytes, 1) // _PAGE) * _PAGE
    unused = _unused.setdefault(room, [])
    pages = unused.pop() if unused else _protected(room)
    pages[:] = 0xAA
    # An empty array is at the page too, which a kernel must not touch: to NumPy an empty slice is at the start.
    array = np.ndarray(nbytes, np.uint8, pages, offset=0 if side == "start" else room - nbytes)
    array[:] = 0x55
    try:
        yield array
    finally:
        unused.append(pages)


def _protected(room: int) -> NDArray[np.uint8]:
    """Return pages between two that are inaccessible, as they stay until the process ends."""
    pages = mmap.mmap(-1, room + 2 * _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    libc: Any = ctypes.CDLL(None, use_errno=True)
    for at in (address, address + _PAGE + room):
        if libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(_PAGE), _PROT_NONE) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(pages, np.uint8, room, _PAGE)
