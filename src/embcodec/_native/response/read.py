"""Rows of a JSON document become rows of a matrix: the way in, and the strict pass, which says what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DecodeError
from ..core import ffi, lib, reason
from .fast import FastReader, Retry
from .hints import misread, not_finite
from .layout import STRING, Layout, Rows
from .reader import Reader

_SPANS = ffi.typeof("ec_row_span[]")
_SPAN_DTYPE = np.dtype([("start", "i8"), ("end", "i8"), ("index", "i8"), ("kind", "i4"), ("escaped", "i4")])
_AT_A_ROW = (lib.EC_SCAN_AT_ROW, lib.EC_SCAN_ROW_ALONE)
_BLOCK = 64  # rows scanned, and then decoded


def nests_too_deep(text: bytes) -> bool:
    """Return whether JSON is nested deeper than bodies are read; Python's parser would recurse as deep."""
    return bool(lib.ec_json_validate(ffi.from_buffer(text), len(text), 0).status == lib.EC_TOO_DEEP)


def read_rows(body: Any, n: int, layout: Layout, width: int | None, threads: int = 1) -> Rows:
    """Decode all rows of a JSON document into a new matrix, in the order of their indices.

    Parameters
    ----------
    body : bytes or cffi buffer
    n : int
        Its length in bytes.
    layout : Layout
    width : int or None
        Elements that each row must have; None: as many as the first one.
    threads : int

    Raises
    ------
    DecodeError
        Where the document is not JSON, or a row not what it should be.
    """
    try:
        return FastReader(body, n, layout, width).read(threads)
    except Retry:
        pass
    # What is wrong is judged in this order, whatever the tier and the threads: the grammar of the whole document, the
    # rows of the list that counts (the last of twin keys), their indices.
    lists = StrictReader(body, n, layout, width, 0).count_lists()
    return StrictReader(body, n, layout, width, max(lists - 1, 0)).read()


class StrictReader(Reader):
    """The pass that knows all of the grammar, and names every fault."""

    def __init__(self, body: Any, n: int, layout: Layout, width: int | None, skip_lists: int) -> None:
        super().__init__(body, n, layout, width)
        self.cursor.strict, self.cursor.skip_lists = 1, skip_lists
        self.spans = ffi.new(_SPANS, _BLOCK)

    def fail(self, status: int, offset: int, row: int | None, words: str = "") -> None:
        """Raise DecodeError."""
        raise DecodeError(words or reason(status), offset=offset, row=row)

    def scan(self, capacity: int = _BLOCK) -> int:
        """Find the next rows."""
        cursor = self.cursor
        result = lib.ec_response_scan(self.body, self.n, self.layout.path, cursor, self.spans, capacity)
        if result.status:
            row = cursor.rows if cursor.stage in _AT_A_ROW else None
            self.fail(result.status, result.consumed, row)
        return int(result.produced)

    def count_lists(self) -> int:
        """Read to the end, for its grammar, and count the lists of rows at the path."""
        while self.cursor.stage != lib.EC_SCAN_DONE:
            self.scan()
        return int(self.cursor.lists)

    def read(self) -> Rows:
        """Return all rows."""
        cursor, first = self.cursor, ffi.addressof(self.spans[0])
        if not self.scan(1):
            return Rows(None, cursor.list_start, cursor.list_end)
        kind, self.first_index = first.kind, first.index
        self.prepare(first)
        self.decode(1)
        while cursor.stage != lib.EC_SCAN_DONE:
            if cursor.rows == self.capacity:
                self.grow()
            self.decode(self.scan(min(_BLOCK, self.capacity - cursor.rows)))
        return Rows(self.finish(), cursor.list_start, cursor.list_end, kind)

    def decode(self, count: int) -> None:
        """Decode the rows just scanned, and keep their indices once any row so far was not in its place."""
        cursor, spans = self.cursor, self.spans
        first = cursor.rows - count
        target = self.base + first * self.row_bytes
        room = self.values.size - first * self.width
        result = lib.ec_response_decode_rows(self.body, spans, count, self.format, target, room)
        if result.status:
            self.fail_row(result, spans[result.produced], first + result.produced)
        if self.indices is None and cursor.rows not in (cursor.in_place, cursor.unindexed):
            self.note_indices(first)
        if self.indices is not None:
            found = np.frombuffer(ffi.buffer(spans, count * _SPAN_DTYPE.itemsize), _SPAN_DTYPE)
            self.indices[first : first + count] = found["index"]

    def fail_row(self, result: Any, span: Any, row: int) -> None:
        """Say what is wrong with a row that was not decoded."""
        self.check_kind(span, row)
        words = self.remedy(result.status, result.consumed, span.kind)
        if result.status == lib.EC_BAD_LENGTH:
            width = lib.ec_response_width(self.body, ffi.addressof(span), self.format)
            elements = "bytes of bits" if self.layout.packed else "elements"
            found = f"{width.produced} {elements} where the row before has {self.width}"
            words = self.uneven() if width.status else found
        elif result.status == lib.EC_NOT_FINITE and span.kind == STRING:
            wrong = misread(self.values[:row], self.layout)
            if wrong:
                self.fail(0, self.offset_of(wrong[0]), *wrong)
            words = not_finite(self.values[row], self.layout.payload, self.layout.sized)
        self.fail(result.status, result.consumed, row, words)

    def offset_of(self, row: int) -> int:
        """Return where the vector of a row starts."""
        again = StrictReader(self.body, self.n, self.layout, None, self.cursor.skip_lists)
        while again.cursor.rows + _BLOCK <= row:
            again.scan()
        first = again.cursor.rows
        again.scan()
        return int(again.spans[row - first].start)
