"""One writer at a time: a lock file, which the system lets go of when its process ends, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...containers import locked
from ...errors import StorageError

NAME = "lock"


@contextmanager
def writing(folder: Path, timeout: float) -> Iterator[None]:
    """Hold the lock of a folder, for which other writers are waited for `timeout` seconds.

    Raises
    ------
    StorageError
        Where another writer holds it for longer.
    """
    path = os.path.join(folder, NAME)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        with locked(descriptor, timeout) as is_mine:
            if not is_mine:
                raise StorageError(
                    f"{folder}: another process or thread has been writing to the collection for {timeout:g} s: try "
                    "again, or wait longer with lock_timeout="
                )
            yield
    finally:
        os.close(descriptor)
