"""Files read and coded by the workers of a Dask cluster, and here taken up in their order as if they were read here.

What a reader does, a worker writes down: rows, as the collection keeps them, lines and rows that were passed over, and
the error that it ended by. Here that is gone through again, so that all that decides what is appended, and under which
ids, is the one process that writes.
"""

from __future__ import annotations

import os
import pickle
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._version import __version__
from ...files.pieces import (
    CUSTOM_ID,
    LINES,
    PAUSE,
    TRIES,
    ClusterError,
    Ids,
    Place,
    Reading,
    Skipped,
    Skips,
    check_cluster,
    check_version,
    identity_of,
    is_of_file,
    numbered_pieces,
    packed,
    spans_of,
    threads_of,
    unpacked,
)
from ...quantizers.lowbit import Rows
from ...wire.batch import BatchLine
from ..files import read_index
from .coded import Coded, coded
from .folder import Folder
from .manifest import LIKE
from .record import Taken, source_of
from .shards import Kind

_BATCHES = 2  # of rows that a task reads at least, of files that are read in spans
_MOST = 1 << 30  # bytes that a task has, of a file that it reads as a whole, or of coded rows: more are read here
_AHEAD = 2  # tasks a thread that are handed out, or whose rows wait to be appended
_A_LINE = None  # written down for a line without embeddings that was told of before


class _Rows(NamedTuple):
    """Rows of a file from row `first` on, and their ids."""

    first: int
    rows: Rows | Coded
    ids: Ids


Event = _Rows | Skipped | BatchLine | Exception | None


class _Asked(NamedTuple):
    """Rows start .. stop - 1 of a file, how they are read, and what is to be written down of it."""

    folder: str
    place: Place
    how: Reading
    start: int
    stop: int | None
    tells_failed: bool
    skips: bool


@dataclass
class _Job:
    """A task, of which file it is, and what comes of it."""

    number: int
    asked: _Asked
    future: Any


class Remote:
    """Reads files on workers, some tasks ahead of what is asked for.

    Parameters
    ----------
    scheduler : dask.distributed.Client
    folder : Folder
        Of the collection, which workers see under the same path.
    places : sequence of Place
        All that is to be read, in that order.
    how : Reading
    known : mapping
        What has been taken of which source: the tasks handed out begin behind it.
    """

    def __init__(
        self, scheduler: Any, folder: Folder, places: Sequence[Place], how: Reading, known: Mapping[str, Taken]
    ) -> None:
        check_cluster(scheduler)
        self._scheduler, self._path = scheduler, os.fspath(folder.path.resolve())
        self._numbers = {id(place): number for number, place in enumerate(places)}
        self._most = _AHEAD * max(len(threads_of(scheduler)), 1)
        self._left = self._jobs(places, how, dict(known), folder)
        self._waiting: deque[_Job] = deque()

    def read(self, place: Place, how: Reading, skip: int) -> Iterator[tuple[int, Rows | Coded, Ids]]:
        """Yield what :func:`numbered_pieces` does, floats as the collection keeps them."""
        number = self._numbers[id(place)]
        job = self._next(number)
        if job is None or job.asked.start != skip:  # it is too large, or something of it was taken meanwhile
            yield from numbered_pieces(place, how, skip)
            return
        while job is not None:
            yield from _replayed(self._result(job), place, how)
            job = self._next(number)

    def _next(self, number: int) -> _Job | None:
        """Return the next task of a file, if it has one; those of files before it, which nobody asked for, go."""
        self._hand_out()
        while self._waiting and self._waiting[0].number < number:
            self._waiting.popleft()
            self._hand_out()
        return self._waiting.popleft() if self._waiting and self._waiting[0].number == number else None

    def _hand_out(self) -> None:
        while len(self._waiting) < self._most:
            following = next(self._left, None)
            if following is None:
                return
            number, asked = following
            self._waiting.append(_Job(number, asked, self._submit(asked)))

    def _submit(self, asked: _Asked) -> Any:
        return self._scheduler.submit(_read, __version__, pickle.dumps(asked, protocol=5), key=None, pure=False)

    def _result(self, job: _Job) -> list[Event]:
        name = job.asked.place.name
        for tries in range(TRIES):
            self._hand_out()
            try:
                found: list[Event] = unpacked(job.future.result())
            except FileNotFoundError as error:
                raise ClusterError(f"{error.filename}: workers of the cluster do not see this file") from error
            except (CancelledError, OSError) as error:  # the workers that had it are gone
                if is_of_file(error):  # of the collection: what a worker finds of others it writes down
                    raise ClusterError(f"{name}: a worker of the cluster has not read it: {error}") from error
                if tries == TRIES - 1:
                    raise ClusterError(f"{name}: the cluster has lost each worker that was to read it") from error
                time.sleep(PAUSE * 2**tries)
                job.future = self._submit(job.asked)
            except Exception as error:
                raise ClusterError(f"{name}: a worker of the cluster has not read it: {error}") from error
            else:
                return found
        raise AssertionError

    def _jobs(
        self, places: Sequence[Place], how: Reading, known: dict[str, Taken], folder: Folder
    ) -> Iterator[tuple[int, _Asked]]:
        seen = set()
        for number, place in enumerate(places):
            try:
                source = source_of(place)
                before = known.get(source)
                if source in seen or (before is not None and before.whole):
                    continue
                seen.add(source)
                start = 0 if before is None else before.rows
                way = way_of(place, how, folder)
                spans = None if how.skips is not None else spans_of(place, way, start, _BATCHES * how.batch_rows)
                rows = max((last - first for first, last in spans or ()), default=0)
                if not 0 <= (place.size() if spans is None else rows * folder.kind.row_bytes) <= _MOST:
                    continue
                way = replace(way, failed=None, known=None, skips=None)
                asked = partial(_Asked, self._path, place.absolute(), way)
            except Exception:  # told when the file's turn has come
                continue
            for first, stop in [(start, None)] if spans is None else spans:
                yield number, asked(first, stop, how.failed is not None, how.skips is not None)


def way_of(place: Place, how: Reading, folder: Folder) -> Reading:
    """Return how a file is read: the rows of batch files are called by their custom_ids."""
    if place.kind() != LINES:
        return how
    dimension = how.dimension or folder.kind.codes.dimension
    return replace(how, id_column=CUSTOM_ID, names_apart=True, row_dimension=dimension)


def _replayed(events: Sequence[Event], place: Place, how: Reading) -> Iterator[tuple[int, Rows | Coded, Ids]]:
    """Go through what a worker has written down: yield the rows, tell the rest."""
    for event in events:
        if isinstance(event, _Rows):
            yield event
        elif isinstance(event, Skipped):
            if how.skips is not None:
                how.skips.add(event.name, event.error, row=event.row, line=event.line)
        elif isinstance(event, BatchLine):
            if how.failed is not None:
                how.failed(place.name, event)
        elif event is _A_LINE:
            if how.known is not None:
                how.known()
        else:
            path = place.path
            if path is not None and isinstance(event, FileNotFoundError) and os.path.exists(path):
                raise ClusterError(f"{place.name}: workers of the cluster do not see this file under its path")
            if path is not None and isinstance(event, PermissionError) and os.access(path, os.R_OK):
                raise ClusterError(f"{place.name}: workers of the cluster may not read this file, as this process may")
            raise event


def _read(version: str, task: bytes) -> list[NDArray[np.uint8]]:
    """Write down what comes of reading a file, or rows of it: a task."""
    check_version(version)
    asked: _Asked = pickle.loads(task)
    like = os.path.join(asked.folder, LIKE)
    kind = _kind(like, identity_of(like))
    events: list[Event] = []
    how = replace(asked.how, known=lambda: events.append(_A_LINE))
    if asked.tells_failed:
        how = replace(how, failed=lambda _, line: events.append(line))
    if asked.skips:
        how = replace(how, skips=Skips(events.append))
    try:
        for first, rows, ids in numbered_pieces(asked.place, how, asked.start, asked.stop):
            events.append(_Rows(first, coded(rows, kind), ids))
    except MemoryError:
        raise
    except Exception as error:
        events.append(error)
    return packed(events)


@lru_cache(maxsize=8)
def _kind(path: str, made: tuple[int, int]) -> Kind:
    """Return what the rows of a collection are; another file is another collection."""
    kinds = read_index(Path(path))
    return Kind(kinds.codes.rows, None if kinds.rescore_with is None else kinds.rescore_with.rows)
