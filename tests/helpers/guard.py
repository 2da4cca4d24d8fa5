"""Buffers that end (or begin) exactly where readable memory does.

A kernel that touches one byte too many is not caught by comparing results. A *guarded* array lies flush against a
page that may be neither read nor written, so such an access kills the test run at once, with the kernel on the stack::

    from guard import guarded

    with guarded(len(text)) as array:                  # uint8, its last byte is the last one that may be touched
        array[:] = text
        decode(array, out)
    with guarded(4 * 257, side="start") as array:      # its first byte is the first one that may be touched
        x = array.view(np.float32)

Whole calls of the library run on guarded memory inside of `guarded_arrays`, whatever they allocate by NumPy::

    with guarded_arrays():
        search(kept_behind_guard(queries), kept_behind_guard(rows), 10)

Several may be open at once (input and output). With side="end" the array starts at whatever alignment its length
gives; views of other dtypes work, NumPy allows unaligned ones. Do not keep the array, nor a view of it, beyond the
block: its pages are another's then. Where the system has no page protection (not Linux), the array is a plain one;
`GUARDS` tells.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Literal
from unittest import mock

import numpy as np
import numpy.ma  # which wraps np.empty when it is loaded: now, and not while that is another
from numpy.typing import NDArray

from embcodec._native.scan import Scratch

GUARDS = sys.platform == "linux"
_PAGE = mmap.PAGESIZE
_PROT_NONE, _PROT_READ_WRITE = 0, 3
_PRIVATE_ANONYMOUS = 0x22  # of Linux: ctypes' mmap, as Python's would end the mapping before the last array is gone
_LINE = 64

_empty = np.empty

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


def kept_behind_guard(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that ends at an inaccessible page, for as long as anyone keeps it; then its pages are so, too.

    Where the system has no page protection it is a plain copy.
    """
    if not GUARDS or not array.nbytes:
        return array.copy()
    kept = _behind_guard(array.nbytes).view(array.dtype).reshape(array.shape)
    kept[...] = array
    return kept


def _behind_guard(nbytes: int, slack: int = 0) -> NDArray[np.uint8]:
    """Return bytes that end `slack` ones before an inaccessible page; the one in front of their pages is so as well."""
    libc, room = _libc(), -(-(nbytes + slack) // _PAGE) * _PAGE
    address = libc.mmap(None, room + 2 * _PAGE, _PROT_NONE, _PRIVATE_ANONYMOUS, -1, 0)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    if libc.mprotect(address + _PAGE, room, _PROT_READ_WRITE) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    memory = (ctypes.c_char * nbytes).from_address(address + _PAGE + room - slack - nbytes)
    weakref.finalize(memory, libc.munmap, address, room + 2 * _PAGE).atexit = False
    array = np.frombuffer(memory, np.uint8)
    array[:] = 0xFF
    return array


@cache
def _libc() -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.mmap.restype, libc.mmap.argtypes = address, (address, size, number, number, number, ctypes.c_long)
    libc.munmap.argtypes, libc.mprotect.argtypes = (address, size), (address, size, number)
    return libc


def _guarded_empty(shape: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> NDArray[Any]:
    """Return what ``np.empty`` would, behind a guard, of bytes 0xFF: NaN and -1 to who reads too early."""
    wanted, sizes = np.dtype(dtype), (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    nbytes = math.prod(int(size) for size in sizes) * wanted.itemsize
    if args or kwargs or wanted.hasobject or nbytes <= 0:
        return _empty(shape, dtype, *args, **kwargs)
    return _behind_guard(nbytes).view(wanted).reshape(sizes)


def _guarded_scratch(self: Scratch, size: int) -> NDArray[np.uint8]:
    """Return scratch that begins at a cache line, as kernels ask, and ends less than one before the guard."""
    return _behind_guard(size, -size % _LINE) if size else _empty(0, np.uint8)


@contextmanager
def guarded_arrays() -> Iterator[None]:
    """Have ``np.empty``, and scratch, end at inaccessible pages, for whoever asks meanwhile, on any thread.

    Arrays outlive the block like any others. Once they are gone so are their pages, and to touch them kills the run.
    Bodies are not to be read in it: their matrices are resized in place, which none of these can be.
    """
    if not GUARDS:
        yield
        return
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(np, "empty", _guarded_empty))
        patches.enter_context(mock.patch.object(Scratch, "take", _guarded_scratch))
        patches.enter_context(mock.patch.object(Scratch, "give"))
        for name, module in list(sys.modules.items()):
            if name.startswith("embcodec"):  # some have a name of their own for it
                for own in [key for key, value in vars(module).items() if value is _empty]:
                    patches.enter_context(mock.patch.object(module, own, _guarded_empty))
        yield
