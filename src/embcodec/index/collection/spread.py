"""A search spread over the workers of a Dask cluster, which see the collection's folder under the same path."""

from __future__ import annotations

import os
import pickle
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._version import __version__
from ...errors import StorageError
from ...files.pieces import PAUSE, TRIES, check_cluster, check_version, identity_of, threads_of
from ...scan import PreparedQueries, Reach, SearchResult, merge_topk
from .best import Here, merged
from .folder import Folder
from .manifest import LIKE, Shard
from .pieces import Piece, cut, shares

_READ = 1 / 16  # nanoseconds that a byte of codes takes to come from memory
_TASK = 1.2 * 10**6  # nanoseconds in which client and scheduler hand out a task, to 16 workers (Zen 4, 2026-12-01)
_FURTHER = 2 * 10**7  # nanoseconds of work of the least task that only evens out workers of different speeds
_LOOKED_UP = 256  # candidates that a task rescores at least: each may be waited for
_FAN = 16  # results that a task merges, where all of them have
_MERGED_HERE = 1 << 23  # bytes, more than which are too many to come to this process
_SENT = 1 << 23  # bytes of queries that go with the tasks: more are sent to each worker before
_RESULT = 12  # bytes, a score and an id


class Spread:
    """The parts of a search as tasks of a cluster, whose results are merged here, or there in a tree.

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
        check_cluster(scheduler)
        self._scheduler, self._folder, self._here = scheduler, os.fspath(folder.resolve()), here
        self._shards = shards

    def best(
        self, scan: PreparedQueries, k: int, mask: NDArray[np.int64] | None, threads: int | None
    ) -> Iterator[SearchResult]:
        """Yield the merged results of all files."""
        return self._merged("search", _Asked(scan, k, mask, threads))

    def rescored(
        self, scan: PreparedQueries, candidates: NDArray[np.int64], k: int, threads: int | None
    ) -> Iterator[SearchResult]:
        """Yield the merged results of all files."""
        return self._merged("rescore", _Asked(scan, k, candidates, threads))

    def are_there(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which ids are those of rows that count."""
        return self._here.are_there(ids)

    def _merged(self, name: str, asked: _Asked) -> Iterator[SearchResult]:
        if not self._shards:
            return
        for tries in range(TRIES):
            try:
                yield self._tree(name, asked)
                return
            except FileNotFoundError as error:  # compacted: the caller looks again
                if error.filename and os.path.exists(error.filename):
                    raise StorageError(f"{error.filename}: workers of the cluster do not see this file") from None
                raise
            except (CancelledError, OSError):  # workers are gone: all that had the queries, or one that was sent them
                if tries == TRIES - 1:
                    raise
                time.sleep(PAUSE * 2**tries)

    def _tree(self, name: str, asked: _Asked) -> SearchResult:
        """Return what all files have, by as few tasks as the work asks for, which one message hands out."""
        seats = max(len(threads_of(self._scheduler)), 1)
        pieces = self._pieces(name, asked, seats)
        search = pickle.dumps((name, self._folder, uuid.uuid4().bytes, asked), protocol=5)
        if len(search) * len(pieces) > _SENT:
            search = self._scheduler.scatter(search, hash=False, broadcast=True)
        each = [pickle.dumps(some, protocol=5) for some in pieces]
        versions, searches = [__version__] * len(each), [search] * len(each)
        # None says which worker it would like: Dask does not hand those out again where all workers are lost at once.
        parts = self._scheduler.map(_found, versions, searches, each, key=name, pure=False)
        scan, k, last = asked.scan, asked.k, seats
        while len(parts) > 2 * _FAN or (len(parts) > _FAN and len(parts) * len(scan) * k * _RESULT > _MERGED_HERE):
            some = [parts[i : i + _FAN] for i in range(0, len(parts), _FAN)]
            parts = [self._scheduler.submit(merge_topk, part, k, metric=scan.metric, pure=False) for part in some]
            last = len(parts)
        # What the first ones have found comes while the last ones are at work.
        found = [self._scheduler.gather(some) for some in (parts[:-last], parts[-last:]) if some]
        return merged(scan, [result for results in found for result in results], k)

    def _pieces(self, name: str, asked: _Asked, seats: int) -> list[tuple[Piece, ...]]:
        """Return the rows of each task: a task a thread, as far as the work is worth it, or several smaller ones."""
        shards, row_bytes = self._shards, asked.scan.row_bytes
        if name == "rescore":
            assert asked.ids is not None
            return cut(shards, [1.0] * max(min(asked.ids.size // _LOOKED_UP, seats), 1), row_bytes)
        work = asked.scan.nanoseconds(sum(shard.rows for shard in shards), _READ)
        # n tasks end after n * _TASK + work / n, which is least for the root of work / _TASK.
        seats = max(min(int((work / _TASK) ** 0.5), seats), 1)
        least = max(_FURTHER, seats * _TASK)  # so that the scheduler keeps up with all threads
        return cut(shards, [share for share in shares(work / seats / least) for _ in range(seats)], row_bytes)


class _Asked(NamedTuple):
    """What is looked for: ids are a mask, or candidates."""

    scan: PreparedQueries
    k: int
    ids: NDArray[np.int64] | None
    threads: int | None


def _found(version: str, search: bytes, pieces: bytes) -> SearchResult:
    """Return what some rows have: a task."""
    check_version(version)
    name, folder, number, asked = pickle.loads(search)
    scan, k, ids, threads = asked
    here, threads = _opened(folder, pickle.loads(pieces)), 1 if threads is None else threads
    if name == "rescore":
        return merged(scan, here.rescored(scan, ids, k, threads), k)
    return merged(scan, here.best(scan, k, ids, threads, _reach(number, k)), k)


@lru_cache(maxsize=64)
def _reach(number: bytes, k: int) -> Reach:
    """Return what earlier tasks of a search on this worker have found out for the others."""
    return Reach(k)


@lru_cache(maxsize=4)
def _folder(path: str, made: tuple[int, int]) -> Folder:
    """Return what a worker keeps open of a collection: a file of rows never changes."""
    return Folder(Path(path), 0.0)


@lru_cache(maxsize=64)
def _here(path: str, made: tuple[int, int], pieces: tuple[Piece, ...]) -> Here:
    """Return some of its rows as one corpus, which is what the next search asks for, too.

    Where files are gone, because they were joined, so are all corpora: their space would stay taken.
    """
    folder = _folder(path, made)
    if folder.forgets():
        _here.cache_clear()
    return folder.corpus_of(pieces)


def _opened(path: str, pieces: tuple[Piece, ...]) -> Here:
    return _here(path, identity_of(Path(path) / LIKE), pieces)  # another file is another collection
