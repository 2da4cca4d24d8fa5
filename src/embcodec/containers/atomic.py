"""Files that are replaced as a whole: after a crash the old content or the new is there, never a part."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from mmap import PAGESIZE
from pathlib import Path
from typing import IO

from .locks import lock

SUFFIX = ".embcodec-tmp"
"""What the names of temporary files end with: ``.NAME.RANDOM.embcodec-tmp``."""

_NAME_BYTES = 64  # how much of the target's name a temporary one has, so that it is not longer than names may be
_RANDOM = 16  # hexadecimal digits
_MOST_PARTS = 64  # of a call; systems take more
_BUFFER = 1 << 13  # bytes; where none are said, the system is asked
_SYNC_FILE_RANGE_WRITE = 2  # of <fcntl.h>: begin to write, and do not wait
# What a flush fails by; other errors mean that the system has no such call.
_FAILURES = (errno.EIO, errno.ENOSPC, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else []))


@contextmanager
def replacing(path: str | os.PathLike[str], *, sure: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of `path` once the ``with`` block ends well.

    The temporary file lies in the same folder (so that the move is within one file system), has a random name, can be
    read by its owner alone, and is locked while it is written. It is flushed to the disk before the move, and the
    folder after it, where that can be done. It takes over the mode of the file that it replaces, and its group where
    that is allowed (else the group gets no access); a new file has the mode that the umask leaves. If the block or any
    step up to the move fails, the temporary file is removed and `path` is what it was. Temporary files that writers of
    the same file left behind because they were killed are removed.

    A symbolic link is followed: the file it points to is replaced, the link stays.

    Parameters
    ----------
    path : path-like
    sure : bool
        Raise also where the folder cannot be flushed because its disk fails or is full: the file has been replaced
        then, but a crash may undo it.

    Yields
    ------
    file
        Binary, writable and readable; it has a ``name``.

    Raises
    ------
    OSError
        Where there is no such folder, it cannot be written, the disk is full, `path` is a device, and so on; it names
        `path`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "greeting")
    >>> with replacing(path) as file:
    ...     _ = file.write(b"hello")
    >>> path.read_bytes()
    b'hello'
    """
    target = Path(os.path.realpath(path))
    _check_target(target, path)
    temporary, file = _create(target, path)
    try:
        with file:
            yield file
            file.flush()
            _take_over_mode(file.fileno(), target)
            os.fsync(file.fileno())
            if sys.platform != "win32":  # moved while it is open, and so locked: nobody takes it for left behind
                os.replace(temporary, target)
        if sys.platform == "win32":  # which moves no open file
            os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == os.fspath(temporary):
            error.filename, error.filename2 = os.fspath(path), None
        raise
    try:
        flush_folder(target.parent)
    except OSError:  # the file has been replaced: only a caller who can undo that is told of a failure
        if sure:
            raise
    clean(target)


@contextmanager
def creating(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a new file under a name by which nobody looks for one yet; it is on the disk once the ``with`` block ends.

    If the block or the flush fails, the file is removed. What had the name before is removed first, and stays whole for
    those that have it open. The folder is left to :func:`flush_folder`: once for all files that are new in it.
    """
    with filling(_create_anew(path), path) as file:
        yield file


@contextmanager
def filling(file: IO[bytes], path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Have a new file be on the disk once the ``with`` block ends; if that or the block fails, it is removed."""
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def reserve(path: str | os.PathLike[str]) -> int:
    """Make an empty file, in place of what has the name, and return its inode, by which :func:`open_empty` knows it."""
    with _create_anew(path) as file:
        return os.fstat(file.fileno()).st_ino


def open_empty(path: str | os.PathLike[str], inode: int) -> IO[bytes] | None:
    """Open a file that was reserved, to be filled; None where it is gone, or is another or not empty now."""
    with ExitStack() as opened:
        try:
            file = opened.enter_context(open(path, "wb", buffering=_BUFFER, opener=_open_as_it_is))
        except FileNotFoundError:
            return None
        status = os.fstat(file.fileno())
        if (status.st_ino, status.st_size) != (inode, 0):
            return None
        opened.pop_all()
    return file


def put_first(file: IO[bytes], parts: Sequence[bytes | memoryview]) -> None:
    """Write parts one behind the other to a new file, which still stands at its beginning afterwards.

    In one call, where the system has one: Linux then keeps them in larger pages, which are searched faster.
    """
    left = [memoryview(part) for part in parts if len(part)]
    if not hasattr(os, "pwritev"):
        for part in left:
            file.write(part)
        file.seek(0)
        return
    written = 0
    while left:
        count = os.pwritev(file.fileno(), left[:_MOST_PARTS], written)
        written += count
        while left and count >= len(left[0]):
            count -= len(left.pop(0))
        if left:
            left[0] = left[0][count:]


def begin_to_store(file: IO[bytes], start: int) -> None:
    """Let the disk take what has been written to a file from byte `start` on, while its writer does something else.

    Linux alone can be asked to. Nothing is promised, and errors are told by the flush that has to follow.
    """
    file.flush()
    if sys.platform == "linux":
        first = -(-start // PAGESIZE) * PAGESIZE  # what lies before may be waited for where it is written again
        _sync_file_range()(file.fileno(), first, 0, _SYNC_FILE_RANGE_WRITE)


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
    file.seek(start)
    left = memoryview(text)
    while left:
        left = left[file.write(left) :]
    getattr(os, "fdatasync", os.fsync)(file.fileno())  # the size stays


def clean(path: str | os.PathLike[str]) -> None:
    """Remove what killed writers of a file left, as :func:`replacing` does."""
    with suppress(OSError):
        _clean(Path(os.path.realpath(path)))


def _check_target(target: Path, path: str | os.PathLike[str]) -> None:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder, not a file", os.fspath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"folder {target.parent} does not exist", os.fspath(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "a device or a pipe, which cannot be replaced", os.fspath(path))


def _create(target: Path, path: str | os.PathLike[str]) -> tuple[Path, IO[bytes]]:
    """Return a new, locked temporary file, which only its owner can open."""
    while True:
        temporary = target.with_name(f"{_stem(target)}{secrets.token_hex(_RANDOM // 2)}{SUFFIX}")
        try:
            file = open(temporary, "xb+", opener=_open_privately)  # noqa: SIM115 - the caller closes it
        except FileExistsError:
            continue
        except OSError as error:
            error.filename = os.fspath(path)
            raise
        if _lock(file.fileno()) is not False and _is_there(temporary, file.fileno()):
            return temporary, file
        file.close()  # somebody cleaned it away before it was locked


def _create_anew(path: str | os.PathLike[str]) -> IO[bytes]:
    while True:
        try:
            return open(path, "xb", buffering=_BUFFER)
        except FileExistsError:
            os.unlink(path)


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _open_as_it_is(path: str, flags: int) -> int:
    return os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC))


def _stem(target: Path) -> str:
    name = os.fsencode(target.name)[:_NAME_BYTES].decode("utf-8", "ignore")
    return f".{name}."


def _lock(descriptor: int) -> bool | None:
    """Whether the file could be locked; None where files cannot be."""
    if sys.platform == "win32":  # where a locked file is not moved: nothing is locked there, and so nothing cleaned
        return None
    try:
        return lock(descriptor)
    except OSError:  # a file system without locks
        return None


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _take_over_mode(descriptor: int, target: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        former = target.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o666 & ~_umask())
        return
    mode = stat.S_IMODE(former.st_mode) & 0o777
    if os.fstat(descriptor).st_gid != former.st_gid:
        try:
            os.fchown(descriptor, -1, former.st_gid)
        except OSError:
            mode &= ~0o070
    os.fchmod(descriptor, mode)


def _umask() -> int:
    try:
        with open("/proc/self/status", "rb") as status:
            found = re.search(rb"^Umask:\s*([0-7]+)$", status.read(), re.MULTILINE)
        if found:
            return int(found[1], 8)
    except OSError:
        pass
    # Only setting it returns it; meanwhile files of other threads are private, which is the safe side.
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


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


def _clean(target: Path) -> None:
    """Remove what killed writers of `target` left: temporary files of its name that nobody holds locked."""
    if sys.platform == "win32":
        return
    stem = _stem(target)
    left = re.compile(re.escape(stem) + rf"[0-9a-f]{{{_RANDOM}}}" + re.escape(SUFFIX))
    names = [name for name in os.listdir(target.parent) if name.startswith(stem) and left.fullmatch(name)]
    for name in names:
        path = target.with_name(name)
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
                if regular and _lock(descriptor) and _is_there(path, descriptor):
                    os.unlink(path)
            finally:
                os.close(descriptor)
