"""Files taken into a collection, each row once: where its rows are from is recorded in the same step as the rows."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import StorageError
from ...files.pieces import CUSTOM_ID, Ids, Paths, Place, Reading, pieces_of, places_of, reading
from ...quantizers.lowbit import Rows, concat, kind_of
from ...words import shown
from .changes import append
from .folder import Folder
from .manifest import Ingested, Manifest
from .texts import TextIds

NAME = "ingested.jsonl"
"""The record: a line says of a file how many of its rows have been taken, and whether that is all; the last counts."""


@dataclass(frozen=True)
class Taken:
    """How much of a file has been taken.

    Attributes
    ----------
    source : str
        Its path or URL.
    nbytes : int
        Its size; -1 where nobody tells.
    rows : int
    whole : bool
    """

    source: str
    nbytes: int
    rows: int
    whole: bool


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
    known = _read(folder)
    for place in places:
        source, nbytes = _source_of(place), place.size()
        before = known.get(source, Taken(source, nbytes, 0, whole=False))
        if -1 < before.nbytes != nbytes > -1:
            raise StorageError(
                f"{source} had {before.nbytes:,} bytes when {before.rows:,} rows of it were taken, and has {nbytes:,} "
                "now: ingest its new rows as a file of another name"
            )
        if before.whole:
            continue
        rows = before.rows
        for some, ids in pieces_of(place, _how_of(place, how), rows):
            rows += len(some)
            batch.hold(some, ids, Taken(source, nbytes, rows, whole=False))
        known[source] = Taken(source, nbytes, rows, whole=True)
        batch.marks.append(known[source])
    batch.flush()
    return batch.appended


class _Batch:
    """Rows that wait to be appended together, and what is to be recorded with them."""

    def __init__(
        self, folder: Folder, texts_of: TextIds, most: int, progress: Callable[[int, int], object] | None
    ) -> None:
        self._folder, self._texts, self._most, self._progress = folder, texts_of, most, progress
        self.rows: list[Rows] = []
        self.ids: list[Ids] = []
        self.marks: list[Taken] = []
        self.appended = 0
        self._now = folder.now.ingested

    def hold(self, rows: Rows, ids: Ids, mark: Taken) -> None:
        """Take rows; append those before them where both do not go together, or are enough."""
        if self.rows and (kind_of(rows) != kind_of(self.rows[0]) or _are_texts(ids) != _are_texts(self.ids[0])):
            self.flush()
        self.rows.append(rows)
        self.ids.append(ids)
        self.marks.append(mark)
        if sum(map(len, self.rows)) >= self._most:
            self.flush()

    def flush(self) -> None:
        """Append the rows, and record with them where they are from."""
        if not self.rows:
            if self.marks:
                with self._folder.changing() as now:
                    self._folder.replace(now.changed(ingested=self._record(now)))
        else:
            ids, texts = self._named()
            joined = concat(self.rows)
            append(self._folder, self._texts, joined, None, ids, texts, self._record)
            self.appended += len(joined)
            if self._progress is not None:
                self._progress(self.appended, 0)
        self._now = self._folder.now.ingested
        self.rows, self.ids, self.marks = [], [], []

    def _named(self) -> tuple[Any, list[str | None] | None]:
        numbers = [ids for ids in self.ids if isinstance(ids, np.ndarray)]
        if numbers:
            return np.concatenate(numbers), None
        texts = [text for ids in self.ids if ids is not None for text in ids]
        return None, texts or None

    def _record(self, now: Manifest) -> Ingested:
        """Write where the rows are from behind what counts of the record, and return what is to count then."""
        if now.ingested != self._now:
            raise StorageError(
                f"{self._folder.path}: another process has ingested files into the collection meanwhile: try again, "
                "which goes on where both have been"
            )
        last = {mark.source: mark for mark in self.marks}
        lines = [
            {"source": mark.source, "bytes": mark.nbytes, "rows": mark.rows, "whole": mark.whole}
            for mark in last.values()
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        with open(self._folder.path / NAME, "ab+") as file:
            file.truncate(now.ingested.nbytes)  # what a killed writer left
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return Ingested(now.ingested.nbytes + len(text), zlib.crc32(text, now.ingested.crc32))


def _are_texts(ids: Ids) -> bool | None:
    return None if ids is None else not isinstance(ids, np.ndarray)


def _how_of(place: Place, how: Reading) -> Reading:
    """Return how a file is read: the rows of batch files are called by their custom_ids, if nothing else is said."""
    if how.id_column is None and place.kind() == ".jsonl":
        return replace(how, id_column=CUSTOM_ID)
    return how


def _source_of(place: Place) -> str:
    if place.path is not None:
        return os.path.abspath(place.path)
    if "://" not in place.name:
        raise TypeError(f"files to ingest are known by path or URL, which {shown(place.name)} has not")
    return place.name


def _read(folder: Folder) -> dict[str, Taken]:
    """Return what the record says of each file.

    Raises
    ------
    StorageError
        Where it is damaged.
    """
    counts, path = folder.now.ingested, folder.path / NAME
    if not counts.nbytes:
        return {}
    try:
        with open(path, "rb") as file:
            text = file.read(counts.nbytes)
        if len(text) < counts.nbytes or zlib.crc32(text) != counts.crc32:
            raise ValueError("its checksum is another")
        lines = [json.loads(line) for line in text.splitlines()]
        return {line["source"]: Taken(line["source"], line["bytes"], line["rows"], line["whole"]) for line in lines}
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is damaged: {error}") from None
