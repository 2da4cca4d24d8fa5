"""What a disk refuses, told as one kind of error: which file cannot be read, or that a change has not happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import StorageError


class ChangeFailedError(OSError, StorageError):
    """A collection could not be changed: its disk is full, fails, or may not be written. It is as it was."""


class UnreadableError(OSError, StorageError):
    """A file of a collection is there and cannot be read: its disk fails, or it belongs to somebody else."""


@contextmanager
def reporting(path: Path, now: str = "the collection is as it was before") -> Iterator[None]:
    """Have every OSError be a ChangeFailedError, which says how things are `now`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        place = error.filename if isinstance(error, UnreadableError) else os.fspath(path)
        raise ChangeFailedError(error.errno, f"{now}: {reason}", place) from error


@contextmanager
def reading(path: str | os.PathLike[str], said: str = "this file of the collection cannot be read") -> Iterator[None]:
    """Have every OSError but that of a file which is not there be an UnreadableError, which names the file."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableError(error.errno, f"{said}: {reason}", os.fspath(path)) from error
