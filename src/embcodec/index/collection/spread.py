"""A search spread over the workers of a Dask cluster, which see the collection's folder under the same path."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...scan import PreparedQueries, SearchResult, merge_topk
from ...words import shown
from .best import Here, merged
from .folder import Folder
from .manifest import LIKE, Shard

_TASKS_A_THREAD = 4  # at most: enough to even out files and workers of different speeds
_PAIRS = (
    10**9
)  # of a query and a row, that a task of several a thread meets: the scheduler takes some milliseconds for it
_FAN = 16  # results that one task, or this process, merges
_SENT = 1 << 23  # bytes of queries that go with the tasks: more are sent to each worker before
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
        self._shards = shards

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
        if not self._shards:
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
        """Return what all files have, by as few tasks as the work asks for."""
        seats = max(sum(self._scheduler.ncores().values()), 1)
        pairs = sum(shard.rows for shard in self._shards) * len(scan)
        most = min(max(pairs // _PAIRS, seats), _TASKS_A_THREAD * seats)
        groups, asked = _groups(self._shards, most), pickle.dumps((scan, ids), protocol=5)
        if len(asked) * len(groups) > _SENT:
            asked = self._scheduler.scatter(asked, hash=False, broadcast=True)
        submit = partial(self._scheduler.submit, pure=False)
        parts = [submit(task, self._folder, group, asked, k, threads) for group in groups]
        while len(parts) > _FAN:
            some = [parts[i : i + _FAN] for i in range(0, len(parts), _FAN)]
            parts = [submit(merge_topk, part, k, metric=scan.metric) for part in some]
        return merged(scan, self._scheduler.gather(parts), k)


def _best(folder: str, shards: tuple[Shard, ...], asked: bytes, k: int, threads: int) -> SearchResult:
    scan, mask = pickle.loads(asked)
    return merged(scan, _opened(folder, shards).best(scan, k, mask, threads), k)


def _rescored(folder: str, shards: tuple[Shard, ...], asked: bytes, k: int, threads: int) -> SearchResult:
    scan, candidates = pickle.loads(asked)
    return merged(scan, _opened(folder, shards).rescored(scan, candidates, k, threads), k)


@lru_cache(maxsize=4)
def _folder(path: str, made: tuple[int, int]) -> Folder:
    """Return what a worker keeps open of a collection: a file of rows never changes."""
    return Folder(Path(path), 0.0)


@lru_cache(maxsize=16)
def _here(path: str, made: tuple[int, int], shards: tuple[Shard, ...]) -> Here:
    """Return some of its files as one corpus, which is what the next search asks for, too."""
    return _folder(path, made).corpus(shards)


def _opened(path: str, shards: tuple[Shard, ...]) -> Here:
    status = os.stat(Path(path) / LIKE)  # another file is another collection
    return _here(path, (status.st_ino, status.st_mtime_ns), shards)


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
