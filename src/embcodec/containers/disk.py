"""New files, and bytes of files that are there, brought to the disk: what has been flushed is there after a crash."""

from __future__ import annotations

import ctypes
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import cache
from mmap import PAGESIZE
from typing import IO

from .locks import locked

_MOST_PARTS = 64  # of a call; systems take more
_BUFFER = 1 << 13  # bytes; where none are said, the system is asked
_FIRST_PIECE, _LARGEST_PIECE = 1 << 17, 1 << 21  # bytes that are written before the disk is told of them; powers of two
_BLANKED = 8  # bytes of a file that failed
_SYNC_FILE_RANGE_WRITE = 2  # of <fcntl.h>: begin to write, and do not wait
# What a flush fails by; other errors mean that the system has no such call.
_FAILURES = (errno.EIO, errno.ENOSPC, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else []))


@contextmanager
def creating(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a new file under a name by which nobody looks for one yet; it is on the disk once the ``with`` block ends.

    If the block or the flush fails, the file is removed. What had the name before is removed first, and stays whole for
    those that have it open. The folder is left to :func:`flush_folder`: once for all files that are new in it.
    """
    with filling(create(path), path) as file:
        yield file


@contextmanager
def filling(
    file: IO[bytes], path: str | os.PathLike[str], folder: str | os.PathLike[str] | None = None
) -> Iterator[IO[bytes]]:
    """Have a new file be on the disk once the ``with`` block ends; if that or the block fails, it is removed.

    So is its name, where its `folder` is given. The file is locked meanwhile, which :func:`is_being_filled` tells
    others; if it fails, its first bytes are blank before they may look at it, lest it cannot be removed.
    """
    is_whole = False
    try:
        with file, _held(file):
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if folder is not None:
                    flush_folder(folder)
            except BaseException:
                with suppress(OSError):
                    put(file, 0, [bytes(_BLANKED)])
                    os.fsync(file.fileno())  # its name may outlast a crash
                raise
            is_whole = True  # and seen by others from here on, whatever comes from outside: it stays
    except BaseException:
        if not is_whole:
            with suppress(OSError):
                os.unlink(path)
        raise


def is_being_filled(file: IO[bytes]) -> bool:
    """Whether somebody has a file open in :func:`filling`; nobody on Windows, whose locks keep readers out."""
    try:
        with _held(file, shared=True) as is_mine:
            return not is_mine
    except OSError:  # a file system without locks, on which nobody fills files
        return False


def create(path: str | os.PathLike[str], buffering: int = _BUFFER) -> IO[bytes]:
    """Open a new file, in place of what has the name."""
    while True:
        try:
            return open(path, "xb", buffering=buffering)
        except FileExistsError:
            os.unlink(path)


def reserve(path: str | os.PathLike[str]) -> int:
    """Make an empty file, in place of what has the name, and return its inode, by which :func:`open_empty` knows it."""
    with create(path, buffering=0) as file:
        return os.fstat(file.fileno()).st_ino


def open_empty(path: str | os.PathLike[str], inode: int) -> IO[bytes] | None:
    """Open a file that was reserved, to be filled; None where it is gone, or is another or not empty now.

    It has no buffer: :func:`put` writes all of what it is given.
    """
    with ExitStack() as opened:
        try:
            file = opened.enter_context(io.FileIO(path, "wb", opener=_open_as_it_is))
        except FileNotFoundError:
            return None
        status = os.fstat(file.fileno())
        if (status.st_ino, status.st_size) != (inode, 0):
            return None
        opened.pop_all()
    return file


def put(file: IO[bytes], start: int, parts: Sequence[bytes | memoryview]) -> None:
    """Write parts one behind the other into a file from byte `start` on; nothing is left in a buffer of its own.

    In one call, where the system has one: Linux then keeps them in larger pages, which are searched faster.
    """
    left = [memoryview(part) for part in parts if len(part)]
    if not hasattr(os, "pwritev"):
        file.seek(start)
        for part in left:
            while part:
                part = part[file.write(part) :]
        file.flush()
        return
    while left:
        count = os.pwritev(file.fileno(), left[:_MOST_PARTS], start)
        start += count
        while left and count >= len(left[0]):
            count -= len(left.pop(0))
        if count:
            left[0] = left[0][count:]


def put_and_store(file: IO[bytes], parts: Sequence[bytes | memoryview], first: int) -> None:
    """Write parts one behind the other to a new file, and let the disk take them meanwhile, all from byte `first` on.

    The disk is told of each piece once it is written, so that it is at work while the next one is copied. Pieces begin
    at multiples of their sizes, so that large pages are as large. Linux alone can be told. Nothing is promised, and
    errors are those of the flush that has to follow. What lies before `first`, and is to be written again, stays back:
    who writes where the disk reads waits for it.
    """
    left, start = [memoryview(part) for part in parts if len(part)], 0
    while left:
        room, piece = _end_of_piece(start) - start, []
        while left and room:
            piece.append(left[0][:room])
            room -= len(piece[-1])
            left[:1] = [rest] if len(rest := left[0][len(piece[-1]) :]) else []
        put(file, start, piece)
        end = start + sum(map(len, piece))
        _begin_to_store(file, max(start, first), end)
        start = end


def flush_folder(folder: str | os.PathLike[str]) -> None:
    """Have the names of files in a folder be on the disk, where that can be done (OSError where its disk fails)."""
    try:
        _flush_folder(folder)
    except OSError as error:
        if error.errno in _FAILURES:
            raise


def overwriting(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file for :func:`overwrite`."""
    return open(path, "r+b", buffering=0)  # what fails is not tried again when it is closed


def overwrite(file: IO[bytes], start: int, text: bytes) -> None:
    """Put bytes in the place of others of a file, and flush them: it must be as long already."""
    put(file, start, [text])
    getattr(os, "fdatasync", os.fsync)(file.fileno())  # the size stays


def _held(file: IO[bytes], *, shared: bool = False) -> AbstractContextManager[bool]:
    return nullcontext(True) if sys.platform == "win32" else locked(file.fileno(), 0.0, shared=shared)


def _open_as_it_is(path: str, flags: int) -> int:
    return os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC))


def _end_of_piece(start: int) -> int:
    if start < _LARGEST_PIECE:
        return max(_FIRST_PIECE, 1 << start.bit_length())
    return (start // _LARGEST_PIECE + 1) * _LARGEST_PIECE


def _begin_to_store(file: IO[bytes], start: int, end: int) -> None:
    """Let the disk take whole pages from byte `start` on up to `end`."""
    first = -(-start // PAGESIZE) * PAGESIZE
    if sys.platform == "linux" and first < end:
        _sync_file_range()(file.fileno(), first, end - first, _SYNC_FILE_RANGE_WRITE)


@cache
def _sync_file_range() -> Callable[[int, int, int, int], object]:
    function = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if function is None:
        return lambda *_: None
    function.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
    return function  # type: ignore[no-any-return]


def _flush_folder(folder: str | os.PathLike[str]) -> None:
    if os.name != "posix":  # Windows cannot open a folder, and journals the move itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
