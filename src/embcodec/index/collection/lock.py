"""One writer at a time: a lock file, which the system lets go of when its process ends, however it ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import StorageError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NAME = "lock"
_PAUSE = 0.02  # seconds between two tries


@contextmanager
def writing(folder: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a folder, for which other writers are waited for `timeout` seconds.

    Raises
    ------
    StorageError
        Where another writer holds it for longer.
    """
    descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        end = time.monotonic() + timeout
        while not _locked(descriptor):
            if time.monotonic() >= end:
                raise StorageError(
                    f"{folder}: another process or thread has been writing to the collection for {timeout:g} s: try "
                    "again, or wait longer with lock_timeout="
                )
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)  # which lets go of the lock


def _locked(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
