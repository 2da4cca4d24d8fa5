"""A search spread over the workers of a Dask cluster, which see the collection's folder under the same path."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...scan import PreparedQueries, SearchResult
from ...words import shown
from .best import Here, merged
from .folder import Folder
from .manifest import LIKE, Shard

_TASKS_A_THREAD = 4  # few enough to cost little, enough to even out files and workers of different speeds
_FAN = 8  # results that one task merges
_PAUSE = 0.1  # seconds before the second try
_TRIES = 5  # where workers are lost; tasks of a lost worker are run again by the scheduler


class Spread:
    """The parts of a search as tasks of a cluster, whose results are merged there in a tree.

    Parameters
    ----------
    scheduler : dask.distributed.Client
    folder : Path
        Of the collection, for this process and all workers.
    here : Here
        The same files, opened in this process.
    shards : sequence of Shard
    """

    def __init__(self, scheduler: Any, folder: Path, here: Here, shards: Sequence[Shard]) -> None:
        if not (hasattr(scheduler, "submit") and hasattr(scheduler, "scatter") and hasattr(scheduler, "ncores")):
            raise TypeError(f"scheduler is a dask.distributed.Client, not {shown(scheduler)}")
        self._scheduler, self._folder, self._here = scheduler, os.fspath(folder.resolve()), here
        workers = sum(scheduler.ncores().values())
        self._groups = _groups(shards, max(_TASKS_A_THREAD * workers, 1))

    def best(
        self, scan: PreparedQueries, k: int, mask: NDArray[np.int64] | None, threads: int | None
    ) -> Iterator[SearchResult]:
        """Yield the merged results of all files."""
        return self._merged(_best, scan, k, mask, threads)

    def rescored(
        self, scan: PreparedQueries, candidates: NDArray[np.int64], k: int, threads: int | None
    ) -> Iterator[SearchResult]:
        """Yield the merged results of all files."""
        return self._merged(_rescored, scan, k, candidates, threads)

    def are_there(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which ids are those of rows that count."""
        return self._here.are_there(ids)

    def _merged(
        self, task: Any, scan: PreparedQueries, k: int, ids: Any, threads: int | None
    ) -> Iterator[SearchResult]:
        if not self._groups:
            return
        for tries in range(_TRIES):
            try:
                yield self._tree(task, scan, k, ids, 1 if threads is None else threads)
                return
            except FileNotFoundError:  # compacted: the caller looks again
                raise
            except (
                CancelledError,
                OSError,
            ):  # workers are gone, all that had the queries, or one while it was sent them
                if tries == _TRIES - 1:
                    raise
                time.sleep(_PAUSE * 2**tries)

    def _tree(self, task: Any, scan: PreparedQueries, k: int, ids: Any, threads: int) -> SearchResult:
        submit = self._scheduler.submit
        asked, named = self._scheduler.scatter([scan, ids], hash=False, broadcast=True)
        parts = [submit(task, self._folder, group, asked, k, named, threads, pure=False) for group in self._groups]
        while len(parts) > 1:
            parts = [submit(_merge, asked, parts[i : i + _FAN], k, pure=False) for i in range(0, len(parts), _FAN)]
        result: SearchResult = parts[0].result()
        return result


def _best(
    folder: str, shards: Sequence[Shard], scan: PreparedQueries, k: int, mask: NDArray[np.int64] | None, threads: int
) -> SearchResult:
    return merged(scan, _opened(folder, shards).best(scan, k, mask, threads), k)


def _rescored(
    folder: str, shards: Sequence[Shard], scan: PreparedQueries, k: int, candidates: NDArray[np.int64], threads: int
) -> SearchResult:
    return merged(scan, _opened(folder, shards).rescored(scan, candidates, k, threads), k)


def _merge(scan: PreparedQueries, parts: Sequence[SearchResult], k: int) -> SearchResult:
    return merged(scan, parts, k)


@lru_cache(maxsize=4)
def _folder(path: str, made: tuple[int, int]) -> Folder:
    """Return what a worker keeps open of a collection: a file of rows never changes."""
    return Folder(Path(path), 0.0)


def _opened(path: str, shards: Sequence[Shard]) -> Here:
    status = os.stat(Path(path) / LIKE)  # another file is another collection
    folder = _folder(path, (status.st_ino, status.st_mtime_ns))
    return Here([folder.shard(shard) for shard in shards])


def _groups(shards: Sequence[Shard], most: int) -> list[tuple[Shard, ...]]:
    """Return the shards in at most `most` groups of neighbours, of about as many rows each."""
    total = sum(shard.rows for shard in shards)
    groups: list[list[Shard]] = [[]]
    held = 0
    for shard in shards:
        if groups[-1] and held >= len(groups) * total / most:
            groups.append([])
        groups[-1].append(shard)
        held += shard.rows
    return [tuple(group) for group in groups if group]
