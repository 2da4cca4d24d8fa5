"""The record of which files have been taken into a collection, and how much of each."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...errors import StorageError
from ...files.pieces import Place
from ...words import shown
from .failing import UnreadableError, reading
from .folder import Folder
from .manifest import Ingested, Manifest

NAME = "ingested.jsonl"
"""The record: a line says of a file how many of its rows have been taken, and whether that is all; the last counts."""

_SAMPLES, _SAMPLE_BYTES = 16, 1 << 12


@dataclass(frozen=True)
class Taken:
    """How much of a file has been taken.

    Attributes
    ----------
    source : str
        Its path or URL.
    nbytes : int
        Its size; -1 where nobody tells.
    sample : int or None
        CRC-32 of pieces of it; None where they were not read.
    version : str or None
        Of a URL what its store says that changes with it, such as an ETag; None where there is no word of it.
    rows : int
    failed : int
        Lines that hold no embeddings, and rows that were skipped.
    skipped : int
        Of the rows; `rows` has them, too.
    ids : str or None
        The column that named its rows, "" where none did; None where the record, an older one, has no word of it.
    whole : bool
    column : str or None
        The column that was asked for, "" where the file has one only; None as with `ids`.
    """

    source: str
    nbytes: int
    sample: int | None = None
    version: str | None = None
    rows: int = 0
    failed: int = 0
    skipped: int = 0
    ids: str | None = None
    whole: bool = False
    column: str | None = None

    @classmethod
    def none_of(cls, place: Place) -> Taken:
        """Return that nothing has been taken of a file."""
        return cls(source_of(place), place.size(), _sample_of(place), place.version())

    def has_grown(self, place: Place) -> bool:
        """Whether a file of which a part was taken has that many bytes as they were, and more behind them."""
        if self.whole or self.sample is None or place.path is None or not 0 < self.nbytes < place.size():
            return False
        return _sample_of(place, self.nbytes) == self.sample

    def check_same(self, now: Taken) -> None:
        """Refuse a file that is another now than when rows of it were taken (StorageError)."""
        way = (
            "ingest its new or mended rows alone, as a file of another name (where rows have ids, on_error='skip' "
            "passes over those that are in the collection)"
        )
        taken = f"when {self.rows - self.skipped:,} rows of it were taken"
        if self.skipped:
            taken += f" and {self.skipped:,} {'was' if self.skipped == 1 else 'were'} skipped"
        if -1 < self.nbytes != now.nbytes > -1:
            raise StorageError(f"{self.source} had {self.nbytes:,} bytes {taken}, and has {now.nbytes:,} now: {way}")
        if None not in (self.sample, now.sample) and self.sample != now.sample:
            raise StorageError(f"{self.source} had another content of as many bytes {taken}: {way}")
        versions = self.version, now.version
        if None not in versions and len({str(version).split()[0] for version in versions}) == 1 < len(set(versions)):
            raise StorageError(f"{self.source} had {self.version} {taken}, and has {now.version} now: {way}")

    def check_ids(self, asked: str | None, ids: str) -> None:
        """Refuse another column of ids than the one that named rows of the file which have been taken (StorageError).

        Parameters
        ----------
        asked : str or None
            What the caller names.
        ids : str
            The column that would name the rows; "" where none would.
        """
        if self.ids in (None, ids) or not (self.rows or self.whole) or (self.whole and asked is None):
            return
        before = f"ids of its column {self.ids!r}" if self.ids else "no ids of its own"
        way = f"id_column={self.ids!r}" if self.ids else f"leave out id_column={asked!r}"
        raise StorageError(f"{self.source}: its rows were taken with {before}, which they keep: {way}")

    def check_column(self, asked: str | None, own: Callable[[], str]) -> None:
        """Refuse another column than the one whose rows have been taken of the file (StorageError).

        Parameters
        ----------
        asked : str or None
            What the caller names.
        own : callable
            Returns the column that the file's rows are where none is named.
        """
        if self.column in (None, asked or "") or not (self.rows or self.whole) or (self.whole and asked is None):
            return
        taken = self.column or own()
        if asked != taken:
            way = f"column={taken!r}, and another one into a collection of its own"
            raise StorageError(f"{self.source}: its column {taken!r} was taken, and a file is taken once: {way}")


def source_of(place: Place) -> str:
    """Return what a file is known by: its path, absolute, or URL (TypeError where it has neither)."""
    if place.path is not None:
        return os.path.abspath(place.path)
    if "://" not in place.name:
        raise TypeError(f"files to ingest are known by path or URL, which {shown(place.name)} has not")
    return place.name


def _sample_of(place: Place, nbytes: int | None = None) -> int | None:
    """Return the CRC-32 of pieces of a file, or of its first bytes: all of a small one, None of one elsewhere."""
    if place.path is None:  # where each piece may cost as much as the file
        return None
    with open(place.path, "rb") as file:
        size = os.fstat(file.fileno()).st_size if nbytes is None else nbytes
        if size <= _SAMPLES * _SAMPLE_BYTES:
            return zlib.crc32(file.read(size))
        found = 0
        for number in range(_SAMPLES):
            file.seek((size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            found = zlib.crc32(file.read(_SAMPLE_BYTES), found)
        return found


def recorded(folder: Folder, now: Manifest, marks: Iterable[Taken]) -> Ingested:
    """Write what has been taken behind what counts of the record, and return what is to count then."""
    last = {mark.source: mark for mark in marks}
    lines = [
        {
            "source": mark.source,
            "bytes": mark.nbytes,
            "sample": mark.sample,
            "version": mark.version,
            "rows": mark.rows,
            "failed": mark.failed,
            "skipped": mark.skipped,
            "ids": mark.ids,
            "whole": mark.whole,
            "column": mark.column,
        }
        for mark in last.values()
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    with open(folder.path / NAME, "ab+") as file:
        file.truncate(now.ingested.nbytes)  # what a killed writer left
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Ingested(now.ingested.nbytes + len(text), zlib.crc32(text, now.ingested.crc32))


def read_record(folder: Folder) -> dict[str, Taken]:
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
        with reading(path), open(path, "rb") as file:
            text = file.read(counts.nbytes)
        if len(text) < counts.nbytes or zlib.crc32(text) != counts.crc32:
            raise ValueError("its checksum is another")
        lines = [json.loads(line) for line in text.splitlines()]
        return {
            line["source"]: Taken(
                line["source"],
                line["bytes"],
                line.get("sample"),
                line.get("version"),
                line["rows"],
                line.get("failed", 0),
                line.get("skipped", 0),
                line.get("ids"),
                line["whole"],
                line.get("column"),
            )
            for line in lines
        }
    except UnreadableError:
        raise
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is damaged: {error}") from None
