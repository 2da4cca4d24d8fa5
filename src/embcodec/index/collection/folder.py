"""The folder of a collection as one process sees it: a manifest, and the files of rows that are open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from ...containers import clean, create, creating, filling, flush_folder, write_tensors_to
from ...errors import StorageError
from ...files import COLLECTION
from ...quantizers.lowbit import Rows
from ..files import read_index
from .ahead import Ahead
from .arena import Arena
from .best import Here
from .failing import UnlockedError, reading, reporting
from .journal import Seen, adding, read_manifest, with_room, write_manifest
from .lock import writing
from .manifest import LIKE, Addition, Manifest, Shard, is_file_of_rows, number_of_rows
from .pieces import Piece
from .shards import Kind, OpenShard, packed
from .unlisted import Unlisted, says_itself, settle, words_of

T = TypeVar("T")


class Folder:
    """What is in a folder; it changes by :meth:`refresh`, :meth:`add` and :meth:`replace` only.

    Attributes
    ----------
    path : Path
    timeout : float
        Seconds for which a change waits for another writer.
    now : Manifest
    kind : Kind
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self.path, self.timeout = path, timeout
        self._unlisted = Unlisted(path)
        self._seen = read_manifest(path, unlisted=self._unlisted)
        self.now = self._seen.manifest
        with reading(path / LIKE):
            kinds = self.again(lambda: read_index(path / LIKE))
        self.kind = Kind(kinds.codes.rows, None if kinds.rescore_with is None else kinds.rescore_with.rows)
        self._open: dict[Shard, OpenShard] = {}
        self._lent: WeakValueDictionary[Shard, OpenShard] = WeakValueDictionary()
        self._here: Here | None = None
        self._arena = Arena()
        # When files last came or went, and what counted then; those that did not had been removed.
        self._tidy: tuple[int, Manifest] | None = None
        self._ahead = Ahead(path)
        self._has_dropped = False  # whether, since a change began, files that counted do no longer

    def refresh(self) -> None:
        """See the newest state."""
        self._show(read_manifest(self.path, self._seen, self._unlisted))

    def again(self, look: Callable[[], T]) -> T:
        """Return what `look` finds; once more where files are gone that another process has compacted meanwhile.

        Raises
        ------
        StorageError
            Where a file is missing that counts.
        """
        while True:
            seen = self.now
            try:
                return look()
            except FileNotFoundError as error:
                self.refresh()
                if self.now is seen:
                    name = error.filename or error
                    raise StorageError(f"{name}: this file of the collection is missing") from None

    def shard(self, shard: Shard) -> OpenShard:
        """Return a file of rows, mapped when it is first asked for."""
        found = self._open.get(shard)
        if found is None:
            found = self._open[shard] = OpenShard(self.path, shard, self.kind)
        return found

    def shards(self) -> list[OpenShard]:
        """Return all files of rows that count now."""
        return [self.shard(shard) for shard in self.now.shards]

    def here(self) -> Here:
        """Return all files of rows that count now, as one corpus."""
        found = self._here
        if found is None:
            now = self.now
            found = self.corpus(now.shards)
            if now is self.now:
                self._here = found
        return found

    def corpus(self, shards: Sequence[Shard]) -> Here:
        """Return some files of rows as one corpus."""
        for shard in reversed(shards):  # Linux puts each mapping below the one before: so they ascend, and what is
            self.shard(shard)  # asked for ahead of the end of one file is the beginning of the next
        return Here([self.shard(shard) for shard in shards], self._arena)

    def corpus_of(self, pieces: Sequence[Piece]) -> Here:
        """Return some rows of files as one corpus; files go with the last corpus that has them, whichever count now."""
        opened: dict[Shard, OpenShard] = {}
        for shard, _, _ in reversed(pieces):
            opened[shard] = self._lent.get(shard) or OpenShard(self.path, shard, self.kind)
        self._lent.update(opened)
        return Here([opened[shard].between(start, stop) for shard, start, stop in pieces], self._arena)

    def forgets(self) -> bool:
        """Whether files are gone that corpora of pieces have; what was copied of files is then forgotten."""
        if all(os.path.exists(self.path / shard.file) for shard in list(self._lent)):
            return False
        self._arena = Arena()
        return True

    def rows_in(self, shard: Shard, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of ids in a shard, whose file is read only where some may be there; -1 for others."""
        if not ((ids >= shard.least) & (ids <= shard.greatest)).any():
            return np.full(len(ids), -1, np.int64)
        return self.shard(shard).rows_of(ids)

    @contextmanager
    def changing(self) -> Iterator[Manifest]:
        """Hold the lock, and see the newest state; remove files that no longer count, or never did.

        They are looked for only after a change that fails or drops files, and where files have come or gone since the
        last change by this object: listing a large folder takes longer than writing a few rows.

        Whatever ends it, at whichever moment, as a KeyboardInterrupt does, all of the change has happened then, or
        nothing. An exception that ends one which has happened gets a note that says so.

        Raises
        ------
        ChangeFailedError
            For every other OSError.
        """
        has_happened = False
        try:
            with reporting(self.path), writing(self.path, self.timeout):
                self._make_ready()
                former, is_tidy, self._has_dropped = self.now, self._is_tidy(), False
                if not is_tidy:
                    self._ahead.forget()
                try:
                    yield former
                    if self._has_dropped or not is_tidy:
                        self._clean(self.now.files)
                    with suppress(OSError):
                        self._tidy = os.stat(self.path).st_mtime_ns, self.now
                except BaseException as error:
                    self._tidy = None
                    self._ahead.forget()
                    with suppress(OSError, StorageError):
                        now = read_manifest(self.path).manifest
                        has_happened = now.generation != former.generation and not isinstance(error, UnlockedError)
                        self._clean(now.files | self.now.files)
                    raise
                has_happened = self.now is not former
        except BaseException as error:
            if has_happened:
                error.add_note("the change of the collection has happened, which is whole: refresh() shows it")
            raise

    def _make_ready(self) -> None:
        """See the newest state, of which all that counts is to be named before anything changes."""
        self.refresh()
        if self._seen.unreadable is not None:
            raise self._seen.unreadable  # in its place nothing is written: it may count
        if self._seen.is_former:
            self._drop_left_over()
        if self._seen.unlisted:  # by a crash
            settle(self.path, self._seen.unlisted)
            self._seen = write_manifest(self.path, self.now, self._seen)

    def write(self, shard: Shard, codes: Rows, better: Rows | None, ids: NDArray[np.int64]) -> None:
        """Write rows, whose ids ascend, to their file, which no manifest names yet."""
        with creating(os.path.join(self.path, shard.file)) as file:
            write_tensors_to(file, *packed(codes, better, ids))

    def add(self, addition: Addition, codes: Rows, better: Rows | None, ids: NDArray[np.int64]) -> None:
        """Write rows, whose ids ascend, to their file, and have it count."""
        self._seen = with_room(self.path, self._seen, addition)
        path = os.path.join(self.path, addition.shard.file)
        tensors, words = packed(codes, better, ids)
        if itself := says_itself(tensors):
            words |= words_of(addition)
        waiting = self._ahead.taken(addition.shard.file)
        is_new = waiting is None
        with ExitStack() as held:
            with filling(waiting or create(path), path, self.path if is_new else None) as file:
                if addition.texts is not None or addition.ingested != self.now.ingested:
                    flush_folder(self.path)  # so that they are there before the file is whole
                write_tensors_to(file, tensors, words)
                put_line = held.enter_context(adding(self.path, self._seen, addition, says_itself=itself))
                if is_new:
                    self._ahead.make(addition.next_file)
            self._seen = put_line(is_new)  # lines are flushed as often as the folder is, those since together
        self.now, self._here = self._seen.manifest, None

    def replace(self, manifest: Manifest) -> None:
        """Make a manifest the one that counts."""
        self._ahead.forget()
        flush_folder(self.path)
        if read_manifest(self.path, self._seen).manifest != self._seen.manifest and not self._seen.is_former:
            raise UnlockedError(self.path)
        self._show(write_manifest(self.path, manifest, self._seen))

    def _drop_left_over(self) -> None:
        """Remove files that a manifest of a former format does not name, lest one of them counts once it is written.

        The next file gets a number that none has, in case that some cannot be removed.
        """
        self._clean(self.now.files)
        flush_folder(self.path)
        numbers = [number for name in os.listdir(self.path) if (number := number_of_rows(name)) is not None]
        now = replace(self.now, next_file=max([self.now.next_file, *(number + 1 for number in numbers)]))
        self.now, self._seen = now, self._seen._replace(manifest=now, has_room=False)

    def _is_tidy(self) -> bool:
        """Whether nobody else has changed anything since the last change by this object."""
        if self._tidy is None:
            return False
        changed, then = self._tidy
        return then is self.now and os.stat(self.path).st_mtime_ns == changed

    def _clean(self, kept: set[str]) -> None:
        """Remove files of rows but these, as far as that can be done now: the next change tries again."""
        with suppress(OSError):
            for name in os.listdir(self.path):
                if name not in kept and is_file_of_rows(name):
                    with suppress(OSError):  # it may be mapped
                        os.unlink(self.path / name)
        clean(self.path / COLLECTION)

    def sizes(self) -> dict[str, int]:
        """Return the bytes of the files that count."""
        return self.again(lambda: {name: (self.path / name).stat().st_size for name in (*self.now.files, LIKE)})

    def _show(self, seen: Seen) -> None:
        former, self._seen = self.now, seen
        if seen.manifest is former:
            return
        self.now, self._here = seen.manifest, None
        if not self.now.extends(former):
            self._has_dropped = True
            self._open = {shard: self._open[shard] for shard in self.now.shards if shard in self._open}
            self._arena = Arena()
