"""Files taken into a collection, each row once: where its rows are from is recorded in the same step as the rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...errors import CodeMismatchError, StorageError
from ...files.pieces import (
    CUSTOM_ID,
    LINES,
    WITH_IDS,
    Ids,
    Paths,
    Place,
    Reading,
    Skips,
    column_of,
    naming,
    numbered_pieces,
    passing_over,
    places_of,
    reading,
)
from ...quantizers.lowbit import Rows
from ...wire.batch import BatchLine
from ..arguments import check_joins, finite_rows, like
from .changes import append
from .coded import Coded, coded, joined_alike, likeness
from .folder import Folder
from .manifest import Ingested, Manifest
from .record import Taken, read_record, recorded, source_of
from .remote import Remote, way_of
from .skipping import Run, fit_to_append
from .texts import TextIds

Read = Callable[[Place, Reading, int], Iterator[tuple[int, Rows | Coded, Ids]]]

_BATCH_BYTES, _BATCH_ROWS = 1 << 26, 1 << 16  # of float32 that are appended at once, where nobody says how many rows


def ingested(
    folder: Folder,
    texts_of: TextIds,
    paths: Paths,
    progress: Any,
    scheduler: Any,
    arguments: Mapping[str, Any],
) -> int:
    """Append the rows of files that were not taken before; return how many. See :meth:`Collection.ingest`."""
    options = dict(arguments)
    if options["batch_rows"] is None:
        row_bytes = 4 * max(folder.kind.codes.dimension, 1)
        options["batch_rows"] = min(max(_BATCH_BYTES // row_bytes, 1), _BATCH_ROWS)
    storage = options.pop("storage_options", None)
    how = reading(**options)
    places = places_of(paths, storage, how.skips)
    folder.refresh()
    batch = _Batch(folder, texts_of, how.batch_rows, progress if callable(progress) else None)
    known = read_record(folder)
    read: Read = numbered_pieces if scheduler is None else Remote(scheduler, folder, places, how, known).read
    for place in places:
        one = _File(folder, texts_of, place, how, read)
        with batch.kept(), passing_over(place, how):
            one.look(known)
        for held in one.pieces(batch):
            batch.hold(held)
        if one.is_whole and one.now is not None:
            known[one.now.source] = one.now
            batch.marks.append(one.now)
    batch.flush()
    if how.skips is not None:
        how.skips.warn()
    return batch.appended


def failed_and_skipped(path: str | os.PathLike[str], paths: Paths) -> tuple[int, int]:
    """Return how many lines of files that a collection has taken held no embeddings, with rows that were skipped.

    The second number is that of these rows.
    """
    known = read_record(Folder(Path(path), 0.0))
    sources = {source_of(place) for place in places_of(paths, skips=Skips(None))}
    taken = [known[source] for source in sources if source in known]
    return sum(one.failed for one in taken), sum(one.skipped for one in taken)


class _File:
    """A file that is taken, and how much of it has been."""

    def __init__(self, folder: Folder, texts_of: TextIds, place: Place, how: Reading, read: Read) -> None:
        self._folder, self._texts, self._place, self._how, self._read = folder, texts_of, place, how, read
        # Of this file: lines that `failed` was told of, and what the record has of earlier calls.
        self._failed = self._skipped = 0
        self._of_others = _counts_of(how.skips)  # of the files before this one
        self.now: Taken | None = None
        self.is_whole = False

    def look(self, known: Mapping[str, Taken]) -> None:
        """See how much of it was taken before; there is nothing to do where that is all."""
        now = Taken.none_of(self._place)
        before = known.get(now.source, now)
        is_read_by_lines = self._place.kind() == LINES
        if not (is_read_by_lines and before.has_grown(self._place)):  # by the rest of what was cut
            try:
                before.check_same(now)
            except StorageError:
                if before.rows:
                    raise
                before = now  # nothing of it was taken
        ids = CUSTOM_ID if is_read_by_lines else self._how.id_column or ""
        if self._place.kind() in WITH_IDS:
            before.check_ids(self._how.id_column, ids)
        before.check_column(self._how.column, lambda: column_of(self._place, self._how))
        if not before.whole:
            self._skipped = before.skipped
            self._failed = before.skipped if is_read_by_lines else before.failed
            self.now = replace(now, rows=before.rows, skipped=before.skipped, ids=ids, column=self._how.column or "")

    def pieces(self, batch: _Batch) -> Iterator[_Held]:
        """Yield the rows that are left, as they are to be appended."""
        if self.now is None:
            return
        how, name, skips = self._way(), self._place.name, self._how.skips
        with batch.kept(), passing_over(self._place, how):
            for first, rows, ids in self._read(self._place, how, self.now.rows):
                stop = first + len(rows)
                if skips is not None:
                    waiting, run = [each.ids for each in batch.held], Run(name, first, rows, ids)
                    rows, ids = fit_to_append(self._folder, self._texts, run, waiting, skips)
                if not isinstance(rows, Coded):
                    _check(self._folder, rows, name, first)
                    # Beside rows that workers have coded, as one file with them.
                    rows = rows if self._read is numbered_pieces else coded(rows, self._folder.kind)
                self.now = replace(self._counted(self.now), rows=stop)
                if len(rows):
                    yield _Held(rows, ids, self.now, name)
            self.now = replace(self._counted(self.now), whole=True)
            self.is_whole = True

    def _counted(self, now: Taken) -> Taken:
        """Return what is recorded of the file, with what has failed and been skipped of it so far."""
        rows, lines = (all_ - others for all_, others in zip(_counts_of(self._how.skips), self._of_others, strict=True))
        return replace(now, failed=self._failed + rows + lines, skipped=self._skipped + rows)

    def _way(self) -> Reading:
        """Return how it is read, and counted what was told of it."""
        how, told = way_of(self._place, self._how, self._folder), self._how.failed

        def known() -> None:
            self._failed += 1

        def note(name: str, line: BatchLine) -> None:
            known()
            if told is not None:
                told(name, line)

        if told is not None:
            how = replace(how, failed=note)
        return replace(how, known=known) if self._place.kind() == LINES else how


def _counts_of(skips: Skips | None) -> tuple[int, int]:
    """Return how many rows and lines of all files have been passed over."""
    return (0, 0) if skips is None else (skips.rows, skips.lines)


class _Held(NamedTuple):
    """Rows of a file that are to be appended, and what is recorded with them."""

    rows: Rows | Coded
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
            if likeness(some.rows) != likeness(rows) or _are_texts(some.ids) != _are_texts(ids):
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
        joined, better = joined_alike([each.rows for each in held])
        ids, texts = _named([each.ids for each in held])
        append(self._folder, self._texts, joined, better, ids, texts, lambda now: self._record(now, marks))
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
