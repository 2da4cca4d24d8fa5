"""Files taken into a collection, each row once: where its rows are from is recorded in the same step as the rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...errors import CodeMismatchError, StorageError
from ...files.pieces import CUSTOM_ID, Ids, Paths, Place, Reading, naming, pieces_of, places_of, reading
from ...quantizers.lowbit import Rows, concat, kind_of
from ...wire.batch import BatchLine
from ..arguments import check_joins, finite_rows, like
from .changes import append
from .folder import Folder
from .manifest import Ingested, Manifest
from .record import Taken, read_record, recorded, source_of
from .texts import TextIds


def ingested(
    folder: Folder,
    texts_of: TextIds,
    paths: Paths,
    progress: Any,
    arguments: Mapping[str, Any],
) -> int:
    """Append the rows of files that were not taken before; return how many. See :meth:`Collection.ingest`."""
    options = dict(arguments)
    places = places_of(paths, options.pop("storage_options", None))
    how = reading(**options)
    folder.refresh()
    batch = _Batch(folder, texts_of, how.batch_rows, progress if callable(progress) else None)
    known = read_record(folder)
    for place in places:
        with batch.kept():
            now = Taken.none_of(place)
            before = known.get(now.source, now)
            before.check_same(now)
        if before.whole:
            continue
        now, failed = replace(now, rows=before.rows), _Failed(how.failed)
        with batch.kept():
            pieces = pieces_of(place, _how_of(place, how, failed), now.rows)
        while True:
            with batch.kept():
                found = next(pieces, None)
                if found is None:
                    break
                _check(folder, found[0], place.name, now.rows)
            now = replace(now, rows=now.rows + len(found[0]), failed=failed.count)
            batch.hold(_Held(*found, now, place.name))
        known[now.source] = now = replace(now, failed=failed.count, whole=True)
        batch.marks.append(now)
    batch.flush()
    return batch.appended


def failed_lines(path: str | os.PathLike[str], paths: Paths) -> int:
    """Return how many lines of files that a collection has taken held no embeddings."""
    known = read_record(Folder(Path(path), 0.0))
    sources = {source_of(place) for place in places_of(paths)}
    return sum(known[source].failed for source in sources if source in known)


@dataclass
class _Failed:
    """Who hears of lines that hold no embeddings, and how many there were."""

    told: Callable[[str, BatchLine], object] | None
    count: int = 0

    def note(self, name: str, line: BatchLine) -> None:
        self.count += 1
        if self.told is not None:
            self.told(name, line)


class _Held(NamedTuple):
    """Rows of a file that are to be appended, and what is recorded with them."""

    rows: Rows
    ids: Ids
    mark: Taken
    name: str


class _Batch:
    """Rows that wait to be appended together, and what is to be recorded with them."""

    def __init__(
        self, folder: Folder, texts_of: TextIds, most: int, progress: Callable[[int, int], object] | None
    ) -> None:
        self._folder, self._texts, self._most, self._progress = folder, texts_of, most, progress
        self.held: list[_Held] = []
        self.marks: list[Taken] = []
        self.appended = 0
        self._now = folder.now.ingested

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Append what waits where the file that follows cannot be read, before that is told."""
        try:
            yield
        except Exception:
            self.flush()
            raise

    def hold(self, some: _Held) -> None:
        """Take rows; append those before them where both do not go together, or are enough."""
        if self.held:
            rows, ids, *_ = self.held[0]
            if kind_of(some.rows) != kind_of(rows) or _are_texts(some.ids) != _are_texts(ids):
                self.flush()
        self.held.append(some)
        self.marks.append(some.mark)
        if sum(len(each.rows) for each in self.held) >= self._most:
            self.flush()

    def flush(self) -> None:
        """Append the rows, and record with them where they are from; those before a file that is refused stay."""
        held, marks = self.held, self.marks
        self.held, self.marks = [], []
        if not held:
            if marks:
                with self._folder.changing() as now:
                    self._folder.replace(now.changed(ingested=self._record(now, marks)))
            self._now = self._folder.now.ingested
            return
        try:
            self._append(held, marks)
        except StorageError:
            raise
        except ValueError:  # by a file of these, which is found one by one
            for source, group in groupby(held, lambda each: each.mark.source):
                some = list(group)
                try:
                    self._append(some, [mark for mark in marks if mark.source == source])
                except StorageError:
                    raise
                except ValueError as error:
                    raise naming(error, some[0].name) from None

    def _append(self, held: list[_Held], marks: list[Taken]) -> None:
        joined = concat([each.rows for each in held])
        ids, texts = _named([each.ids for each in held])
        append(self._folder, self._texts, joined, None, ids, texts, lambda now: self._record(now, marks))
        self.appended += len(joined)
        self._now = self._folder.now.ingested
        if self._progress is not None:
            self._progress(self.appended, 0)

    def _record(self, now: Manifest, marks: list[Taken]) -> Ingested:
        """Write where the rows are from, unless another process did meanwhile."""
        if now.ingested != self._now:
            raise StorageError(
                f"{self._folder.path}: another process has ingested files into the collection meanwhile: try again, "
                "which goes on where both have been"
            )
        return recorded(self._folder, now, marks)


def _check(folder: Folder, rows: Rows, name: str, first: int) -> None:
    """Refuse rows of a file that cannot be appended; the file is named, and its row."""
    codes, better = folder.kind
    try:
        given = finite_rows(rows, "rows")
        if better is not None and not (isinstance(given, Embeddings) and given.output_dtype is OutputDtype.FLOAT):
            raise CodeMismatchError(
                f"{given!r} are codes, beside which this collection keeps better rows: ingest files of floats"
            )
        for kind in (codes, better):
            if kind is not None:
                check_joins(kind, like(given[:1], kind, "collection"), "collection")
    except ValueError as error:
        raise naming(error, name, first) from None


def _named(ids: list[Ids]) -> tuple[Any, list[str | None] | None]:
    numbers = [each for each in ids if isinstance(each, np.ndarray)]
    if numbers:
        return np.concatenate(numbers), None
    texts = [text for each in ids if each is not None for text in each]
    return None, texts or None


def _are_texts(ids: Ids) -> bool | None:
    return None if ids is None else not isinstance(ids, np.ndarray)


def _how_of(place: Place, how: Reading, failed: _Failed) -> Reading:
    """Return how a file is read: the rows of batch files are called by their custom_ids, if nothing else is said."""
    if how.failed is not None:
        how = replace(how, failed=failed.note)
    if place.kind() != ".jsonl":
        return how
    return replace(how, id_column=how.id_column or CUSTOM_ID, names_apart=True)
