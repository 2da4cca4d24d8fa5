"""Texts that name rows: files of ids and texts beside the rows, of which every row may have one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ...containers import creating
from ...errors import StorageError
from ...files.pieces import HOW_MADE_UP, MADE_UP
from ...words import needs_package, shown
from .failing import reading
from .folder import Folder
from .manifest import Manifest, Texts

_MOST_OPEN = 8  # files of texts that are kept in memory


def texts_among(ids: Any) -> list[str] | None:
    """Return ids that are texts as a list; None where they are numbers, or there are none.

    Raises
    ------
    TypeError, ValueError
        For texts among other things, or one that is given twice.
    """
    if ids is None or isinstance(ids, str) or (isinstance(ids, np.ndarray) and ids.dtype.kind not in "OU"):
        return None
    try:
        texts = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    except TypeError:
        return None
    if not isinstance(texts, list):
        return None
    if not any(isinstance(text, str) for text in texts):
        if texts and isinstance(texts[0], UUID | bytes):
            raise TypeError(f"id 0 is {shown(texts[0])}, neither a whole number nor a text")
        return None
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"id {row} is {shown(text)}, where others are texts")
    return texts


def has_half_a_pair(text: str) -> bool:
    """Whether a text is no Unicode text: JSON may escape half of a surrogate pair by itself."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def refuse_texts(ids: Any, what: str) -> None:
    """Refuse texts where the numbers of rows are wanted (TypeError)."""
    first = ids.to_pylist() if hasattr(ids, "to_pylist") else ids  # pyarrow's own scalars are no str
    is_table = hasattr(first, "columns")  # which goes through its columns' names
    if isinstance(first, np.ndarray):
        first = first.flat[0] if first.size else None
    elif isinstance(first, Collection) and not isinstance(first, str) and not is_table:
        first = next(iter(first), None)
    if isinstance(first, str):
        raise TypeError(f"{what} are whole numbers, not texts: vectors.ids_of(texts) has those of texts")


class TextIds:
    """The texts of a collection's rows."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._hashes: NDArray[np.int64] = np.empty(0, np.int64)  # ascending, of the texts in these files
        self._hashed: set[str] = set()
        self._open: dict[Texts, tuple[NDArray[np.int64], Any]] = {}

    def of(self, ids: NDArray[np.int64]) -> list[str | None]:
        """Return the texts of ids, also of rows that are gone; None for those that have none."""
        found: list[str | None] = [None] * len(ids)
        for texts in self._folder.now.texts:
            places = np.flatnonzero((ids >= texts.least) & (ids <= texts.greatest))
            if not len(places):
                continue
            known, column = self._read(texts)
            rows = np.minimum(np.searchsorted(known, ids[places]), len(known) - 1)
            there = known[rows] == ids[places]
            for place, text in zip(places[there].tolist(), column.take(rows[there]).to_pylist(), strict=True):
                found[place] = text
        return found

    def of_rows(self, ids: NDArray[np.int64]) -> list[str | None]:
        """Return the texts of ids, None for those that have none, or whose rows are gone."""
        found = self.of(ids)
        named = np.flatnonzero([text is not None for text in found])
        for place in named[~self._are_there(ids[named])].tolist():
            found[place] = None
        return found

    def ids_of(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the ids of texts, -1 for those that are not there, or whose rows are gone."""
        import pyarrow
        import pyarrow.compute

        ids = np.full(len(texts), -1, np.int64)
        asked = pyarrow.array([None if has_half_a_pair(text) else text for text in texts], pyarrow.string())
        for each in self._folder.now.texts:  # of a text that was removed and added again the later id counts
            known, column = self._read(each)
            found = pyarrow.compute.index_in(asked, value_set=column).fill_null(-1).to_numpy()
            ids[found >= 0] = known[found[found >= 0]]
        ids[~self._are_there(ids)] = -1
        return ids

    def check_new(self, now: Manifest, texts: Sequence[str | None]) -> None:
        """Refuse texts that name rows already, or are given twice (ValueError)."""
        named = [text for text in texts if text is not None]
        for text in filter(has_half_a_pair, named):
            raise ValueError(f"id {shown(text)} has half of a surrogate pair, which no file of text holds")
        if len(set(named)) < len(named):
            seen: set[str] = set()
            twice = next(text for text in named if text in seen or seen.add(text))  # type: ignore[func-returns-value]
            made_up = f" ({HOW_MADE_UP})" if MADE_UP.search(twice) else ""
            raise ValueError(f"an id is given twice: {shown(twice)}{made_up}")
        for row in self.taken(now, named)[:1].tolist():
            raise ValueError(f"id {shown(named[row])} is in the collection already")

    def taken(self, now: Manifest, texts: Sequence[str]) -> NDArray[np.intp]:
        """Return which of some texts name rows already."""
        for each in now.texts:
            if each.file not in self._hashed:
                self.remember(each.file, self._read(each)[1].to_pylist())
        hashes = _hashes(texts)
        rows = np.minimum(np.searchsorted(self._hashes, hashes), max(len(self._hashes) - 1, 0))
        alike = np.flatnonzero(self._hashes[rows] == hashes) if len(self._hashes) else rows[:0]
        return alike[self.ids_of([texts[i] for i in alike.tolist()]) >= 0] if len(alike) else alike

    def check_unused(self, ids: NDArray[np.int64]) -> None:
        """Refuse numbers for new rows that had a text once: it would be theirs (ValueError)."""
        for row, text in enumerate(self.of(ids)):
            if text is not None:
                raise ValueError(f"id {int(ids[row])} was that of {shown(text)}: leave ids out, or give texts")

    def write(self, number: int, ids: NDArray[np.int64], texts: Sequence[str | None]) -> Texts | None:
        """Write texts, whose ids ascend, to the file of that number; None where none is given."""
        there = [row for row, text in enumerate(texts) if text is not None]
        if not there:
            return None
        return _write(self._folder.path, number, ids[there], [texts[row] for row in there])

    def remember(self, file: str, texts: Sequence[str | None]) -> None:
        """Know that these are the texts of a file.

        Not before the file counts: where a change fails, another process gives its name to other texts.
        """
        self._hashes = np.union1d(self._hashes, _hashes([text for text in texts if text is not None]))
        self._hashed.add(file)

    def joined(self, now: Manifest) -> Manifest:
        """Return a manifest in which many files of texts are one, without those of rows that are gone."""
        if not now.texts or (len(now.texts) == 1 and not any(shard.removed for shard in self._folder.now.shards)):
            return now
        import pyarrow

        parts = [self._read(each) for each in now.texts]
        ids = np.concatenate([known for known, _ in parts])
        column = pyarrow.concat_arrays([column for _, column in parts])
        kept = np.flatnonzero(self._are_there(ids))
        kept = kept[np.argsort(ids[kept], kind="stable")]
        if not len(kept):
            return _with(now, (), now.next_file)
        texts = _write(self._folder.path, now.next_file, ids[kept], column.take(pyarrow.array(kept)))
        return _with(now, (texts,), now.next_file + 1)

    def _read(self, texts: Texts) -> tuple[NDArray[np.int64], Any]:
        """Return the ids, ascending, and the texts of a file, which never changes; the last ones are kept."""
        found = self._open.pop(texts, None) or _read(self._folder.path, texts)
        self._open[texts] = found
        if len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]
        return found

    def _are_there(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        there = np.zeros(len(ids), np.bool_)
        for shard in self._folder.now.shards:
            there |= self._folder.rows_in(shard, ids) >= 0
        return there


def _with(now: Manifest, texts: tuple[Texts, ...], next_file: int) -> Manifest:
    return now.changed(texts=texts, next_file=next_file)


def _hashes(texts: Sequence[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def _write(folder: Path, number: int, ids: NDArray[np.int64], texts: Any) -> Texts:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise StorageError(needs_package("a collection whose ids are texts", "pyarrow", "files")) from None
    name = f"texts-{number:08d}.parquet"
    table = pyarrow.table({"id": ids, "text": pyarrow.array(texts, pyarrow.string())})
    with creating(folder / name) as file:
        pyarrow.parquet.write_table(table, file, compression="zstd", write_page_checksum=True)
    return Texts(name, len(ids), int(ids[0]), int(ids[-1]))


def _read(folder: Path, texts: Texts) -> tuple[NDArray[np.int64], Any]:
    path = folder / texts.file
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise StorageError(needs_package("a collection whose ids are texts", "pyarrow", "files")) from None
    with reading(path):
        file = open(path, "rb")  # noqa: SIM115 - closed below
    try:
        with file:
            options = {"pre_buffer": False, "page_checksum_verification": True}
            reader = pyarrow.parquet.ParquetFile(file, **options)  # no threads, which a forked process has lost
            table = reader.read(["id", "text"], use_threads=False)
        ids = table.column("id").to_numpy()
        column = table.column("text").combine_chunks()
        column = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
        fits = (ids.dtype, ids.shape, column.null_count) == (np.int64, (texts.rows,), 0)
        if not fits or int(ids[0]) != texts.least or int(ids[-1]) != texts.greatest or (np.diff(ids) <= 0).any():
            raise StorageError("its ids are not those that the collection says")
    except FileNotFoundError:  # joined by another process
        raise
    except (pyarrow.ArrowException, OSError, KeyError) as error:
        raise StorageError(f"{path}: not a file of texts, or a damaged one: {str(error)[:200]}") from None
    except StorageError as error:
        raise StorageError(f"{path}: {error}") from None
    return ids, column
