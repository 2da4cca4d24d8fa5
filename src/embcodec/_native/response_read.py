"""Rows of a JSON document become rows of a matrix."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DecodeError
from .core import ffi, lib, pointer, reason
from .response_layout import LIST, NO_STRINGS, STRING, TYPES, Layout, Rows

_CURSOR = ffi.typeof("ec_response_cursor *")
_SPAN = ffi.typeof("ec_row_span *")
_SPANS = ffi.typeof("ec_row_span[]")
_FORMAT = ffi.typeof("ec_row_format *")
_SPAN_DTYPE = np.dtype([("start", "i8"), ("end", "i8"), ("index", "i8"), ("kind", "i4"), ("escaped", "i4")])

# Text between two stops: it stays in a near cache from scan to decode, and is worth the two calls. Base64 is decoded so
# fast that it wants larger blocks, and that a second thread only helps once the rows outgrow the caches.
_LIST_BLOCK, _STRING_BLOCK = 1 << 18, 1 << 20
_LIST_THREAD, _STRING_THREAD = 1 << 19, 1 << 24  # text left that is worth starting a thread
_NO_LOCK = nullcontext()
_UNEVEN = "the bytes of this row are no whole number of elements"
_SLACK_BYTES = 1 << 18  # of rows more than the text seems to hold
_MOST_ROWS = 4096  # of a block


class _Retry(Exception):
    """The fast pass met something that only the strict pass can judge."""


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
        return _Reader(body, n, layout, width, strict=False, skip_lists=0).read(threads)
    except _Retry:
        pass
    # What is wrong is judged in this order, whatever the tier and the threads: the grammar of the whole document, the
    # rows of the list that counts (the last of twin keys), their indices.
    lists = _Reader(body, n, layout, width, strict=True, skip_lists=0).count_lists()
    return _Reader(body, n, layout, width, strict=True, skip_lists=max(lists - 1, 0)).read(1)


class _Reader:
    """One pass over a document. Workers take turns in scanning a block of rows and decode it outside the lock."""

    def __init__(self, body: Any, n: int, layout: Layout, width: int | None, *, strict: bool, skip_lists: int) -> None:
        self.body, self.n, self.layout, self.strict = body, n, layout, strict
        self.width = -1 if width is None else width  # -1: as the first row has it
        self.cursor = ffi.new(
            _CURSOR,
            {
                "rows_keys": layout.rows_keys,
                "item_keys": layout.item_keys,
                "list_start": -1,
                "list_end": -1,
                "strict": strict,
                "skip_lists": skip_lists,
            },
        )
        flags = lib.EC_NULLS_AS_NAN if layout.nulls_as_nan else 0
        self.format = ffi.new(_FORMAT, (0, TYPES[layout.dtype.kind], layout.payload, flags, layout.base64_flags))
        self.indices: NDArray[np.int64] | None = None
        self.failed = False

    def scan(self, spans: Any, capacity: int) -> int:
        cursor = self.cursor
        result = lib.ec_response_scan(self.body, self.n, self.layout.path, cursor, spans, capacity)
        if result.status:
            row = cursor.rows if cursor.stage == lib.EC_SCAN_AT_ROW else None
            self.fail(reason(result.status), result.consumed, row)
        return int(result.produced)

    def fail(self, words: str, offset: int, row: int | None) -> None:
        if not self.strict:
            raise _Retry
        raise DecodeError(words, offset=offset, row=row)

    def count_lists(self) -> int:
        """Read to the end, for its grammar, and count the lists of rows at the path."""
        spans = ffi.new(_SPANS, 64)
        while self.cursor.stage != lib.EC_SCAN_DONE:
            self.scan(spans, 64)
        return int(self.cursor.lists)

    def read(self, threads: int) -> Rows:
        cursor, first = self.cursor, ffi.new(_SPAN)
        found = self.scan(first, 1)
        if not found:
            self.finish()
            return Rows(None, cursor.list_start, cursor.list_end)
        start, kind, self.first_index = first.start, first.kind, first.index
        self.prepare(first)
        self.decode(first, 1, 0)
        self.note_indices(first, 1)
        text, share = (_STRING_BLOCK, _STRING_THREAD) if kind == STRING else (_LIST_BLOCK, _LIST_THREAD)
        block = min(1 + self.room_for(text), _MOST_ROWS)
        while cursor.stage != lib.EC_SCAN_DONE:
            if cursor.rows == self.capacity:
                self.grow()
            if threads > 1 and self.n - cursor.offset > share:
                self.work_in_threads(threads, block)
            else:
                self.work(block)
        return Rows(self.finish(), cursor.list_start, cursor.list_end, kind, start)

    def prepare(self, first: Any) -> None:
        """Learn the width from the first row, and make room for as many rows as the text seems to hold."""
        self.check_kind(first, 0)
        result = lib.ec_response_width(self.body, first, self.format)
        if result.status == lib.EC_BAD_LENGTH:
            self.fail(_UNEVEN, first.start, 0)
        if result.status:
            self.fail(reason(result.status), result.consumed, 0)
        width = result.produced
        if width != self.width >= 0:
            self.fail(f"{width} elements where {self.width} were asked for", first.start, 0)
        if width == 0:
            self.fail("an empty vector", first.start, 0)
        self.width = self.format.width = width
        self.row_bytes: int = width * self.layout.dtype.itemsize
        at_row = self.cursor.stage == lib.EC_SCAN_AT_ROW
        self.capacity = 1 + (self.room_for_rest() if at_row else 0)
        self.values = np.empty((self.capacity, width), self.layout.dtype)
        self.base = ffi.from_buffer(self.values)

    def room_for(self, text: int) -> int:
        """Estimate the rows in `text` bytes from those read so far."""
        cursor = self.cursor
        return int(text * cursor.rows / (cursor.offset - cursor.list_start))

    def room_for_rest(self) -> int:
        """Estimate the rows in the text left: rather too many, since shrinking is free, but not by much memory."""
        rows = self.room_for(self.n - self.cursor.offset)
        slack: int = min(rows // 50, _SLACK_BYTES // self.row_bytes)
        return rows + 1 + slack

    def grow(self) -> None:
        """Make room for the rows in the text left. No worker runs meanwhile."""
        self.capacity += self.room_for_rest()
        self.values.resize((self.capacity, self.width), refcheck=False)
        self.base = ffi.from_buffer(self.values)
        if self.indices is not None:
            self.indices.resize(self.capacity, refcheck=False)

    def work(self, block: int, lock: AbstractContextManager[Any] = _NO_LOCK) -> None:
        """Scan and decode blocks until the document, the room or another worker's luck ends."""
        spans, cursor = ffi.new(_SPANS, block), self.cursor
        try:
            while not self.failed:
                with lock:
                    first = cursor.rows
                    if first == self.capacity or cursor.stage == lib.EC_SCAN_DONE:
                        break
                    lists = cursor.lists
                    count = self.scan(spans, min(block, self.capacity - first))
                    if cursor.lists != lists:
                        raise _Retry  # a twin of the list has begun
                    self.note_indices(spans, count)
                if count:
                    self.decode(spans, count, first)
        except BaseException:
            self.failed = True
            raise

    def work_in_threads(self, threads: int, block: int) -> None:
        errors: list[BaseException] = []
        lock = threading.Lock()

        def run() -> None:
            try:
                self.work(block, lock)
            except BaseException as error:
                errors.append(error)

        helpers = [threading.Thread(target=run) for _ in range(threads - 1)]
        for helper in helpers:
            helper.start()
        run()
        for helper in helpers:
            helper.join()
        if errors:
            raise next((error for error in errors if not isinstance(error, _Retry)), errors[0])

    def check_kind(self, span: Any, row: int) -> None:
        if span.kind == LIST or (span.kind == STRING and self.layout.payload != NO_STRINGS):
            return
        names = self.layout.path.decode().split("\0")[self.layout.rows_keys : -1]
        words = {
            lib.EC_VECTOR_MISSING: f"no {'.'.join(names)!r} in this row",
            lib.EC_VECTOR_NULL: "null where a vector is wanted",
            STRING: "base64 of this service carries float32, not codes",
        }.get(span.kind, "neither a list of numbers nor a string where a vector is wanted")
        self.fail(words, span.start, row)

    def decode(self, spans: Any, count: int, first: int) -> None:
        target = self.base + first * self.row_bytes
        result = lib.ec_response_decode_rows(self.body, spans, count, self.format, target)
        if not result.status:
            return
        if not self.strict:
            raise _Retry
        bad, row = spans[result.produced], first + result.produced
        self.check_kind(bad, row)
        words = reason(result.status)
        if result.status == lib.EC_BAD_LENGTH:
            width = lib.ec_response_width(self.body, ffi.addressof(bad), self.format)
            words = f"{width.produced} elements where the row before has {self.width}"
            words = _UNEVEN if width.status else words
        raise DecodeError(words, offset=result.consumed, row=row)

    def note_indices(self, spans: Any, count: int) -> None:
        """Keep the indices of the `count` rows just scanned, once any row so far was not in its place."""
        cursor = self.cursor
        rows = cursor.rows
        if self.indices is None:
            if rows in (cursor.in_place, cursor.unindexed):
                return
            self.indices = np.arange(self.capacity)
            if self.first_index == lib.EC_INDEX_MISSING:
                self.indices[: rows - count] = lib.EC_INDEX_MISSING
        noted = np.frombuffer(ffi.buffer(spans, count * _SPAN_DTYPE.itemsize), _SPAN_DTYPE)["index"]
        self.indices[rows - count : rows] = noted

    def finish(self) -> NDArray[Any] | None:
        """Return the rows in order, in a matrix of just their size."""
        cursor = self.cursor
        rows = int(cursor.rows)
        if cursor.list_start < 0 or rows == 0:
            return None
        values = self.values
        if rows < self.capacity:
            del self.base
            values.resize((rows, self.width), refcheck=False)
        if self.indices is not None:
            self.order(values, self.indices[:rows])
        return values

    def order(self, values: NDArray[Any], indices: NDArray[np.int64]) -> None:
        """Bring the rows into the order of their indices, in place."""
        rows = len(values)
        for wrong, words in (
            (indices == lib.EC_INDEX_BAD, "an index that is no position"),
            (indices == lib.EC_INDEX_MISSING, "no index, though other rows have one"),
            (indices >= rows, f"an index beyond the {rows} rows"),
        ):
            if wrong.any():
                row = int(wrong.argmax())
                self.fail(words, self.offset_of(row), row)
        sources = np.full(rows, -1, np.int64)
        sources[indices[::-1]] = np.arange(rows - 1, -1, -1)  # of twins the first one stays
        twice = sources[indices] != np.arange(rows)
        if twice.any():
            row = int(twice.argmax())
            self.fail(f"index {indices[row]} again", self.offset_of(row), row)
        scratch = np.empty(self.row_bytes, np.uint8)
        lib.ec_response_permute_rows(pointer(values), rows, self.row_bytes, pointer(sources), pointer(scratch))

    def offset_of(self, row: int) -> int:
        """Return where the vector of a row starts."""
        if not self.strict:
            return -1
        again = _Reader(self.body, self.n, self.layout, None, strict=True, skip_lists=self.cursor.skip_lists)
        spans = ffi.new(_SPANS, 64)
        while again.cursor.rows + 64 <= row:
            again.scan(spans, 64)
        first = again.cursor.rows
        again.scan(spans, 64)
        return int(spans[row - first].start)
