"""Bytes objects that are written before their size is known."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

from .core import ffi, lib, pointer

# Function objects of our own: those of ctypes.pythonapi are everyone's, and others (fsspec) set their types on them.
_OBJECT, _SIZE = ctypes.c_void_p, ctypes.c_ssize_t
_new = ctypes.PYFUNCTYPE(_OBJECT, _OBJECT, _SIZE)(("PyBytes_FromStringAndSize", ctypes.pythonapi))
_address = ctypes.PYFUNCTYPE(_OBJECT, _OBJECT)(("PyBytes_AsString", ctypes.pythonapi))
_resize = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.POINTER(_OBJECT), _SIZE)(("_PyBytes_Resize", ctypes.pythonapi))
_release = ctypes.PYFUNCTYPE(None, _OBJECT)(("Py_DecRef", ctypes.pythonapi))

# The GNU C library may take memory of these sizes from the system, which zeroes it page by page as it is touched: that
# takes as long as the text that is written there. From the larger size on it always does.
_LARGE, _HUGE = 1 << 17, 1 << 25
_HUGE_PAGE = 1 << 21

LITTLE = 1 << 17
"""Bytes of a text that is better written aside and copied: less to write than a ``ContinuedText`` takes to set up."""


def _use_huge_pages(address: int, size: int) -> None:
    """Ask for pages of 2 MiB, of which there are few to touch; nothing where the system has none."""
    if hasattr(mmap, "MADV_HUGEPAGE"):
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        begin, end = -(-address // _HUGE_PAGE) * _HUGE_PAGE, (address + size) // _HUGE_PAGE * _HUGE_PAGE
        advise(begin, end - begin, mmap.MADV_HUGEPAGE)


class GrowingBytes:
    """Memory that becomes a bytes object without a copy: at first of unspecified content, which the owner must write.

    Growing seldom moves what is there, and cutting off what was never touched is free.

    Examples
    --------
    >>> text = GrowingBytes(2)
    >>> text.resize(9)
    >>> text.data[0:4] = b"any "
    >>> text.finish(3)
    b'any'
    """

    __slots__ = ("_object", "capacity", "data")

    def __init__(self, capacity: int) -> None:
        self._object = ctypes.c_void_p()
        if _LARGE <= capacity < _HUGE:
            # That library keeps memory for later only up to sizes of which some was given back, and ours is given back
            # when it has been cut. So memory of all its size is, once, that nobody has touched.
            _release(_new(None, capacity))
        self._object = ctypes.c_void_p(_new(None, max(capacity, 2)))  # shorter ones are shared by the interpreter
        self._note(capacity)
        if capacity >= _HUGE:
            _use_huge_pages(_address(self._object), capacity)

    def _note(self, capacity: int) -> None:
        self.capacity = capacity
        self.data: Any = ffi.cast("char *", _address(self._object))

    def resize(self, capacity: int) -> None:
        """Change the capacity; `data` may be elsewhere then."""
        _resize(ctypes.byref(self._object), max(capacity, 2))
        self._note(capacity)

    def finish(self, size: int) -> bytes:
        """Return the first `size` bytes, two or more, as an object."""
        self.resize(size)
        result: bytes = ctypes.cast(self._object, ctypes.py_object).value
        return result

    def __del__(self) -> None:
        held = getattr(self, "_object", None)  # none where making the object was interrupted, or memory ran out
        if held:
            _release(held)


class ContinuedText(GrowingBytes):
    """A text that functions of the core write, block by block, on several threads: ``ec_text`` of ``contract/text.h``.

    Parameters
    ----------
    length : int
        Bytes that somebody else writes in front of it.
    room : int
        For the text itself.
    most : int
        Bytes of the longest block.
    behind : int
        Bytes to keep free at the end.
    threads : int
    """

    __slots__ = ("_behind", "_most", "_scratch", "to")

    def __init__(self, length: int, room: int, most: int, behind: int, threads: int) -> None:
        self._most, self._behind = most, behind
        self._scratch = np.empty(most * lib.EC_TEXT_ASIDE * threads if threads > 1 else 0, np.uint8)
        fields = {"length": length, "scratch": pointer(self._scratch), "scratch_bytes": self._scratch.size}
        self.to: Any = ffi.new("ec_text *", fields | {"threads": threads})
        super().__init__(length + room + most + behind)

    def _note(self, capacity: int) -> None:
        super()._note(capacity)
        self.to.text, self.to.capacity = self.data, capacity - self._behind

    def make_room(self, room: int) -> None:
        """Have room for so many more bytes of text."""
        self.resize(self.to.length + room + self._most + self._behind)

    def end(self, tail: bytes) -> bytes:
        """Return the text with a tail, of no more bytes than were kept for it."""
        length = int(self.to.length)
        ffi.memmove(self.data + length, tail, len(tail))
        return self.finish(length + len(tail))
