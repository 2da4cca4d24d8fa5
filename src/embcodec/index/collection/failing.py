"""What a disk refuses, told as one kind of error: which file cannot be read, or that a change has not happened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import StorageError


class ChangeFailedError(OSError, StorageError):
    """A collection could not be changed: its disk is full, fails, or may not be written. It is as it was."""


class UnreadableError(OSError, StorageError):
    """A file of a collection is there and cannot be read: its disk fails, or it belongs to somebody else."""


class UnlockedError(StorageError):
    """Another writer was at work meanwhile, as locks of a network disk may be those of one machine: nothing is sure."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(
            f"{os.fspath(path)}: another process changed the collection during this change, though its lock was held: "
            "the locks of this disk do not reach it. Have one machine write, and append these rows again"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Have no constructor called, whose argument is another."""
        return StorageError.__reduce__(self)


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
