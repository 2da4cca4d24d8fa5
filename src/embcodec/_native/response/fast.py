"""Rows of a JSON document become rows of a matrix: the pass for sound documents, which may run on several threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ffi, lib
from .layout import SPAN, STRING, Rows
from .reader import Reader

# Text of the smallest part: base64 takes a fifth of the time.
_LIST_PART, _STRING_PART = 1 << 16, 1 << 17
_TURN = 1 << 24  # bytes of text that a thread reads in one call: some hundredths of a second


class Retry(Exception):
    """Something came up that only the strict pass can judge."""


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
        self.check(lib.ec_response_decode_rows(self.body, first, 1, self.format, self.base, self.values.size))
        if cursor.rows not in (cursor.in_place, cursor.unindexed):
            self.indices = np.full(self.capacity, first.index)
        if cursor.stage != lib.EC_SCAN_DONE:
            least = _STRING_PART if first.kind == STRING else _LIST_PART
            if threads > 1 and self.indices is None:
                self.read_parts(threads, least)
            self.read_rest()
        return Rows(self.finish(), cursor.list_start, cursor.list_end, first.kind)

    def read_parts(self, threads: int, least: int) -> None:
        """Read on several threads, in turns of parts that have at least so many bytes, until guesses fail."""
        cursor, whole = self.cursor, False
        while cursor.stage == lib.EC_SCAN_AT_ROW and self.n - cursor.offset > 2 * least and not whole:
            turn = cursor.offset + threads * _TURN
            whole = turn >= self.n
            cursor.until = 0 if whole else turn
            form, target = self.format, self.base
            result = lib.ec_response_read_parts(
                self.body, self.n, self.layout.path, cursor, form, target, self.capacity, least, threads
            )
            cursor.until = 0
            self.check(result)
            if not whole and cursor.offset < turn:
                return

    def read_rows(self) -> Any:
        """Read from the cursor's place on, until the matrix is full, in turns: signals are heard between."""
        cursor, indices = self.cursor, ffi.NULL if self.indices is None else ffi.from_buffer(self.indices)
        while True:
            turn = cursor.offset + _TURN
            cursor.until = turn if turn < self.n else 0
            result = lib.ec_response_read_rows(
                self.body, self.n, self.layout.path, cursor, self.format, self.base, indices, self.capacity
            )
            cursor.until = 0
            went_on = not result.status and cursor.stage == lib.EC_SCAN_AT_ROW and cursor.rows < self.capacity
            if not went_on or turn >= self.n or cursor.offset < turn:  # short of the end: a row out of its place
                return result

    def read_rest(self) -> None:
        """Read from the cursor's place to the end."""
        cursor = self.cursor
        while cursor.stage != lib.EC_SCAN_DONE:
            if cursor.rows == self.capacity:
                self.grow()
            self.check(self.read_rows())
            if cursor.stage != lib.EC_SCAN_DONE and cursor.rows < self.capacity:
                self.note_indices(cursor.rows)
