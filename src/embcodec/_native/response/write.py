"""Rows of a matrix become rows of a JSON document.

The text of a number is as long as it needs, so the place of a row is known only when those before it are written.
Threads write parts of the rows where an estimate puts them, with some room between, which is closed in the end.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ffi, lib, pointer
from ..growing import GrowingBytes
from ..threads import Stop, run
from .layout import TYPES

_SLACK = 1 << 18  # bytes more than the estimate
_SAMPLE = 8  # rows whose text tells the length of all
_LITTLE = 1 << 16  # bytes of a text that is written aside and copied
_SMALL = 1 << 20  # of a text that is not worth an estimate
_TURN = 1 << 22  # bytes of a matrix that one call writes, so that signals are heard between
_PART = 1 << 21  # bytes of a matrix that are worth a thread
_NOT_FINITE = "row {} has a value that is not finite: JSON has no such numbers"


def write_rows(values: NDArray[Any], base64: bool, head: bytes, tail: bytes, threads: int = 1) -> bytes:
    """Return `head`, the rows of a C-contiguous matrix as a list of a response's data, and `tail`.

    Raises
    ------
    ValueError
        Where a float is not finite, or the text would be too large.
    """
    rows, width = values.shape
    kind = TYPES[values.dtype.kind]
    bound = lib.ec_response_rows_bound(rows, width, kind, base64)
    if 0 <= bound <= _LITTLE:  # less to write than to set up
        scratch = bytearray(bound)
        written = lib.ec_response_write_rows(
            pointer(values), rows, width, kind, base64, 0, ffi.from_buffer(scratch) if bound else ffi.NULL
        )
        if written < 0:
            raise ValueError(_NOT_FINITE.format(-1 - written))
        return b"".join((head, b"[", memoryview(scratch)[: max(written - 1, 0)], b"]", tail))
    threads = min(threads, max(values.nbytes // _PART, 1))
    writer = _Writer(values, base64, len(head) + 1, len(tail) + 1, threads)
    end = writer.write()
    text = writer.text.data
    ffi.memmove(text, head + b"[", len(head) + 1)
    if len(values):
        end -= 1  # the comma
    ffi.memmove(text + end, b"]" + tail, len(tail) + 1)
    return writer.text.finish(end + 1 + len(tail))


class _Part:
    """Rows first .. last - 1, written from `start` to `limit` at most; `row` and `at` are where writing stands."""

    __slots__ = ("at", "bad", "first", "last", "limit", "row", "start")

    def __init__(self, first: int, last: int, start: int, limit: int) -> None:
        self.first = self.row = first
        self.last, self.limit = last, limit
        self.start = self.at = start
        self.bad = -1  # a row with a value that is not finite


class _Writer:
    def __init__(self, values: NDArray[Any], base64: bool, before: int, behind: int, threads: int) -> None:
        self.base64, self.before, self.behind, self.threads = base64, before, behind, threads
        self.rows, self.width = values.shape
        self.row_bytes = self.width * values.itemsize
        self.stop = Stop()
        self.kind = TYPES[values.dtype.kind]
        self.source = pointer(values)
        bound = lib.ec_response_rows_bound(self.rows, self.width, self.kind, base64)
        if bound < 0:
            raise ValueError("a body of this size has no place in memory")
        self.most = lib.ec_response_rows_bound(1, self.width, self.kind, base64) + len(str(self.rows))  # of one row
        self.exact = base64 or bound < _SMALL or not self.rows
        self.rate = bound / max(self.rows, 1) if self.exact else self.sample()
        room = bound if self.exact else self.room_for(self.rows)
        self.text = GrowingBytes(before + room + behind)

    def sample(self) -> float:
        """Return the bytes of a row, from some."""
        scratch = np.empty(self.most, np.uint8)
        lengths = [self.put(row, 1, pointer(scratch)) for row in range(0, self.rows, -(-self.rows // _SAMPLE))]
        return sum(lengths) / len(lengths) if min(lengths) > 0 else self.most

    def room_for(self, rows: int) -> int:
        """Estimate the bytes of some rows: rather too many, but not by much memory."""
        estimate = int(rows * self.rate) + 1
        return int(estimate + min(estimate // 64, _SLACK) + self.most * self.threads)

    def put(self, row: int, count: int, target: Any) -> int:
        rows = self.source + row * self.row_bytes if row else self.source
        return int(lib.ec_response_write_rows(rows, count, self.width, self.kind, self.base64, row, target))

    def write(self) -> int:
        """Write all rows and return where they end."""
        parts = self.divide()
        run([partial(self.fill, part) for part in parts], len(parts), self.stop)
        row, at = 0, self.before
        for part in parts:
            if part.first != row:
                break
            self.check(part)
            if part.start != at:
                ffi.memmove(self.text.data + at, self.text.data + part.start, part.at - part.start)
            at += part.at - part.start
            row = part.row
        while row < self.rows:  # the estimate was too low
            self.text.resize(at + self.room_for(self.rows - row) + self.behind)
            rest = _Part(row, self.rows, at, self.text.capacity - self.behind)
            self.fill(rest)
            self.check(rest)
            row, at = rest.row, rest.at
        return at

    def divide(self) -> list[_Part]:
        """Give every thread its rows, and room for them."""
        threads = self.threads
        cuts = [self.rows * i // threads for i in range(threads + 1)]
        if self.exact:
            starts = [lib.ec_response_rows_bound(cut, self.width, self.kind, self.base64) for cut in cuts]
        else:
            room = self.text.capacity - self.before - self.behind
            starts = [room * i // threads for i in range(threads + 1)]
        starts = [self.before + start for start in starts]
        return [_Part(cuts[i], cuts[i + 1], starts[i], starts[i + 1]) for i in range(threads)]

    def fill(self, part: _Part) -> None:
        """Write rows of a part, until they end or there might be no room for one more."""
        turn = max(_TURN // max(self.row_bytes, 1), 1)
        while part.row < part.last and not self.stop.wanted:
            rest = part.last - part.row
            count = min(rest if self.exact else (part.limit - part.at) // self.most, rest, turn)
            if count <= 0:
                break
            written = self.put(part.row, count, self.text.data + part.at)
            if written < 0:
                part.bad = part.row - 1 - written
                break
            part.at += written
            part.row += count

    @staticmethod
    def check(part: _Part) -> None:
        """Raise where the part has a bad row."""
        if part.bad >= 0:
            raise ValueError(_NOT_FINITE.format(part.bad))
