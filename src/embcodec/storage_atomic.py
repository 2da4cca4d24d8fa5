"""Files that are replaced as a whole: after a crash the old content or the new is there, never a part."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of `path` once the ``with`` block ends well.

    The temporary file lies in the same folder (so that the move is within one file system) and is flushed to
    the disk before the move, the folder after it. If the block or any step of this fails, the temporary file
    is removed and `path` is what it was. A symbolic link is followed: its target is replaced.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    file
        Binary, writable and readable; it has a ``name``.

    Raises
    ------
    OSError
        Where there is no such folder, it cannot be written, the disk is full, and so on; it names `path`.

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
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder")
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"folder {target.parent} does not exist", os.fspath(path))
    temporary = target.with_name(f".{target.name[:64]}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb+") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.chmod(temporary, target.stat().st_mode & 0o777)
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is not None and Path(error.filename) == temporary:
            error.filename = os.fspath(path)
        raise
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder, and journals the move itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
