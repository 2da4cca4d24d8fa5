"""Files that are replaced as a whole: after a crash the old content or the new is there, never a part."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from .disk import flush_folder
from .locks import lock

SUFFIX = ".embcodec-tmp"
"""What the names of temporary files end with: ``.NAME.RANDOM.embcodec-tmp``."""

_NAME_BYTES = 64  # how much of the target's name a temporary one has, so that it is not longer than names may be
_RANDOM = 16  # hexadecimal digits
_open_privately = partial(os.open, mode=0o600)  # without a frame of Python's, in which Ctrl-C could lose the descriptor


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
    temporary, file = target, None
    try:
        while file is None:
            temporary = target.with_name(f"{_stem(target)}{secrets.token_hex(_RANDOM // 2)}{SUFFIX}")
            file = _created(temporary)
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
        if temporary != target:
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


def _created(temporary: Path) -> IO[bytes] | None:
    """Return a new, locked file, which only its owner can open; None where there is one, or it was cleaned away."""
    with suppress(FileExistsError):
        file = open(temporary, "xb+", opener=_open_privately)  # noqa: SIM115 - the caller closes it
        if _lock(file.fileno()) is not False and _is_there(temporary, file.fileno()):
            return file
        file.close()  # somebody cleaned it away before it was locked
    return None


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
