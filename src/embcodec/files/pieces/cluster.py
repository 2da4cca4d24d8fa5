"""What tasks on a Dask cluster share: the client that hands them out, and workers that have the same embcodec."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._version import __version__
from ...errors import StorageError
from ...words import shown

TRIES = 5
"""How often work is handed out where workers are lost; tasks of a lost worker are run again by the scheduler."""
PAUSE = 0.1
"""Seconds before the second try."""


class ClusterError(RuntimeError):
    """Workers that were to read files did not, which says nothing of the files."""


class VersionError(RuntimeError):
    """A worker has another embcodec than the client."""

    def __init__(self, version: str, theirs: str = __version__) -> None:
        super().__init__(version, theirs)

    def __str__(self) -> str:
        """Return what to do about it."""
        version, theirs = self.args
        return f"this process has embcodec {version}, a worker of the cluster {theirs}: install the same on all of them"


def check_cluster(scheduler: Any) -> None:
    """Refuse what is no client of a cluster (TypeError)."""
    if not (hasattr(scheduler, "map") and hasattr(scheduler, "scatter") and hasattr(scheduler, "ncores")):
        raise TypeError(f"scheduler is a dask.distributed.Client, not {shown(scheduler)}")


def threads_of(scheduler: Any) -> list[str]:
    """Return of which worker each thread of a cluster is: one of each, then the second ones."""
    counts = sorted(scheduler.ncores().items())
    most = max((count for _, count in counts), default=0)
    return [worker for number in range(most) for worker, count in counts if number < count]


def check_version(version: str) -> None:
    """Refuse, on a worker, what a client of another version sends: it may mean something else."""
    if version != __version__:
        raise VersionError(version)


def is_of_file(error: BaseException) -> bool:
    """Whether an error of a task is that a file cannot be read; other OSErrors tell that a worker is gone."""
    return isinstance(error, FileNotFoundError | StorageError) or getattr(error, "filename", None) is not None


def packed(value: Any) -> list[NDArray[np.uint8]]:
    """Return an object as what Dask sends without a copy, and knows the size of: its arrays are not pickled."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return [np.frombuffer(head, np.uint8), *(np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers)]


def unpacked(parts: Sequence[NDArray[np.uint8]]) -> Any:
    """Return the object of which :func:`packed` made these."""
    head, *buffers = parts
    return pickle.loads(head.data, buffers=buffers)


def identity_of(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return what tells a file from another one that has come to its place."""
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns
