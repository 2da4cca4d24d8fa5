"""Files made before there are rows for them, so that an append finds its file's name on the disk already."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO

from ...containers import open_empty, reserve
from ...errors import StorageError
from .lock import writing
from .manifest import file_of_rows

_FIRST = 4  # after how many appends in a row files are made: who appends now and then leaves none
_MOST = 16  # at once; as many as there were appends in a row before


class Ahead:
    """Empty files of one who appends again and again: their names are flushed once, and each append saves that flush.

    Files are known by their inodes: one of the same name that another process has made is not taken. Those that were
    not needed are removed at last; what a killed process leaves, the next change of another one removes.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._place, self._run = os.path.join(folder, ""), 0
        self._made: dict[str, int] = {}
        weakref.finalize(self, _removed, folder, self._made, os.getpid())

    def forget(self) -> None:
        """Count none of them, as others may have changed the folder; who cleans it removes them."""
        self._made.clear()
        self._run = 0

    def taken(self, name: str) -> IO[bytes] | None:
        """Return an open file of that name, which is on the disk, if there is one."""
        self._run += 1
        inode = self._made.pop(name, None)
        return None if inode is None else open_empty(self._place + name, inode)

    def make(self, number: int) -> None:
        """Make the files of rows from that number on, where many appends have come; the folder must be flushed then."""
        if os.name != "posix" or self._run < _FIRST:
            return
        with suppress(OSError):  # it is no matter of who appends now
            for name in map(file_of_rows, range(number, number + min(self._run, _MOST))):
                self._made[name] = reserve(self._place + name)


def _removed(folder: Path, made: dict[str, int], process: int) -> None:
    """Remove files that nobody has taken."""
    if not made or os.getpid() != process:  # a fork's are its parent's
        return
    with suppress(OSError, StorageError), writing(folder, 0.0):
        for name, inode in made.items():
            with suppress(OSError):
                status = os.stat(folder / name)
                if (status.st_ino, status.st_size) == (inode, 0):
                    os.unlink(folder / name)
