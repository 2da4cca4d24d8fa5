"""Rows of a JSON document become rows of a matrix: the pass for sound documents, which may run in several threads.

Parts of the text are read at once. Where one starts is a guess: text that looks like a row's beginning, and the row's
index for its number. It was right if the part before, whose start is known, ends just there with just so many rows.
What was read behind a wrong guess is read again.

    text    [ row row row row | row row row | row row | row ] ...      guessed |
    matrix  0                 4             7         9
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ..core import ffi, lib
from ..threads import Stop, run
from .layout import CURSOR, SPAN, STRING, Rows
from .reader import SLACK_BYTES, Reader

# Text of the smallest part, and text left that is worth a second thread: base64 takes a fifth of the time.
_LIST_PART, _STRING_PART = 1 << 17, 1 << 19
_TURN = 1 << 24  # bytes of text that one call reads: some hundredths of a second
_SAMPLE = 8  # rows without index whose length tells that of all


class Retry(Exception):
    """Something came up that only the strict pass can judge."""


class _Part:
    """Rows read from a cursor's place to the next part's, or to the end."""

    __slots__ = ("cursor", "first", "room", "start", "status")

    def __init__(self, cursor: Any) -> None:
        self.cursor, self.start, self.first = cursor, cursor.offset, cursor.rows
        self.room = self.status = 0


class FastReader(Reader):
    """One pass over a document, which leaves every fault to the strict pass."""

    def fail(self, status: int, offset: int, row: int | None, words: str = "") -> None:
        """Give up."""
        raise Retry

    def check(self, result: Any) -> None:
        """Give up where the result is a failure."""
        if result.status:
            raise Retry

    def read(self, threads: int) -> Rows:
        """Return all rows, or raise Retry."""
        cursor, first = self.cursor, ffi.new(SPAN)
        self.check(lib.ec_response_scan(self.body, self.n, self.layout.path, cursor, first, 1))
        if cursor.rows != 1:
            if cursor.lists > 1:
                raise Retry
            return Rows(None, cursor.list_start, cursor.list_end)
        self.first_index = first.index
        self.prepare(first)
        self.check(lib.ec_response_decode_rows(self.body, first, 1, self.format, self.base))
        if cursor.rows not in (cursor.in_place, cursor.unindexed):
            self.indices = np.full(self.capacity, first.index)
        if cursor.stage != lib.EC_SCAN_DONE:
            least = _STRING_PART if first.kind == STRING else _LIST_PART
            if threads > 1 and self.indices is None and self.n - cursor.offset > 2 * least:
                _Parts(self, threads, least).read()
            self.read_rest()
        return Rows(self.finish(), cursor.list_start, cursor.list_end, first.kind)

    def read_rows(self, cursor: Any, capacity: int, stop: Stop | None = None) -> Any:
        """Read from a cursor's place on, until the matrix has `capacity` rows, in turns: signals are heard between."""
        indices = ffi.NULL if self.indices is None else ffi.from_buffer(self.indices)
        until = cursor.until
        last = until or self.n
        while True:
            turn = cursor.offset + _TURN
            cursor.until = turn if turn < last else until
            result = lib.ec_response_read_rows(
                self.body, self.n, self.layout.path, cursor, self.format, self.base, indices, capacity
            )
            cursor.until = until
            went_on = not result.status and cursor.stage == lib.EC_SCAN_AT_ROW and cursor.rows < capacity
            # short of the turn's end: a row that is not in its place
            if not went_on or turn >= last or cursor.offset < turn or (stop is not None and stop.wanted):
                return result

    def read_rest(self) -> None:
        """Read from the cursor's place to the end."""
        cursor = self.cursor
        while cursor.stage != lib.EC_SCAN_DONE:
            if cursor.rows == self.capacity:
                self.grow()
            self.check(self.read_rows(cursor, self.capacity))
            if cursor.stage != lib.EC_SCAN_DONE and cursor.rows < self.capacity:
                self.note_indices(cursor.rows)


class _Parts:
    """Parts are taken in turn, each of a share of the text left, so that all threads end at about the same time."""

    def __init__(self, reader: FastReader, threads: int, least: int) -> None:
        self.reader, self.threads, self.least = reader, threads, least
        self.parts: list[_Part] = []
        self.next: Any = None
        self.lock = threading.Lock()
        self.stop = Stop()

    def read(self) -> None:
        """Read on in the reader's matrix, and set its cursor behind the rows whose place is certain."""
        reader = self.reader
        cursor = reader.cursor
        self.indexed = cursor.in_place == 1
        if not self.indexed:
            reader.check(reader.read_rows(cursor, min(_SAMPLE, reader.capacity)))
        if cursor.stage == lib.EC_SCAN_DONE or cursor.rows not in (cursor.in_place, cursor.unindexed):
            return
        self.next = ffi.new(CURSOR, cursor[0])
        run([self.work] * self.threads, self.threads, self.stop)
        self.join()

    def work(self) -> None:
        reader = self.reader
        while part := self.take():
            part.status = reader.read_rows(part.cursor, part.room, self.stop).status
            if part.status or self.stop.wanted:
                self.next = None

    def take(self) -> _Part | None:
        """Take the next part of the text, and guess where it ends."""
        reader = self.reader
        with self.lock:
            cursor, self.next = self.next, None
            if cursor is None:
                return None
            part = _Part(cursor)
            part.room = reader.capacity
            wanted = part.start + max((reader.n - part.start) // (2 * self.threads), self.least)
            if wanted + self.least < reader.n:
                following = self.guess(cursor, wanted)
                if following is not None:
                    cursor.until, part.room, self.next = following.offset, following.rows, following
            self.parts.append(part)
            return part

    def guess(self, cursor: Any, wanted: int) -> Any:
        """Return a cursor at the first row from the offset `wanted` on, or None where none can be guessed."""
        reader, span = self.reader, ffi.new(SPAN)
        found = lib.ec_response_guess_row(reader.body, reader.n, reader.layout.path, cursor, wanted, span)
        if not found.produced:
            return None
        row = span.index
        if not self.indexed:
            row = 1 + reader.room_for(found.consumed - reader.cursor.list_start)
            row += min(row // 60, SLACK_BYTES // reader.row_bytes // 2)
        if not cursor.rows < row < reader.capacity:
            return None
        following = ffi.new(CURSOR, cursor[0])
        following.offset, following.rows, following.until = found.consumed, row, 0
        following.in_place, following.unindexed = (row, 0) if self.indexed else (0, row)
        return following

    def join(self) -> None:
        """Let the cursor pass all parts whose start was guessed right, and bring their rows together."""
        reader, cursor = self.reader, self.reader.cursor
        values, rows = reader.values, int(cursor.rows)
        for part in self.parts:
            if (cursor.stage, cursor.offset) != (lib.EC_SCAN_AT_ROW, part.start):
                break
            if part.first != rows and self.indexed:
                break
            reader.check(part)
            count = part.cursor.rows - part.first
            if part.first != rows:
                values[rows : rows + count] = values[part.first : part.first + count]
            rows += count
            cursor[0] = part.cursor[0]
            cursor.rows, cursor.until = rows, 0
            if not self.indexed:
                cursor.unindexed = rows
