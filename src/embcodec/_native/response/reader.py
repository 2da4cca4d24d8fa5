"""What both passes over a JSON document share: the first row, the matrix, the order of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ffi, lib, pointer, reason
from ..floats import item_bytes
from .hints import is_hexadecimal, misread, no_bits, other_length
from .layout import CURSOR, FORMAT, LIST, NO_STRINGS, STRING, TYPES, Layout

IN_ORDER = "; where rows are in the order of the inputs all the same, ignore_index=True in the profile keeps that"
UNEVEN = "the bytes of this row are no whole number of elements"
CODES_MAY_BE = ": if they are codes, output_dtype='int8' or the like is to be said"
_TEXT_SAMPLE = 64
_TEXT_READ = 2048  # characters of base64 that tell what their bytes are
_KINDS = {
    b"[": "a list within the list of numbers: the vector is nested one level deeper, as one vector a token is: have "
    "the service pool them, as llama-server --pooling mean does",
    b"{": "an object among the numbers of a vector",
    b'"': "text among the numbers of a vector",
    b"t": "true among the numbers of a vector",
    b"f": "false among the numbers of a vector",
}
SLACK_BYTES = 1 << 18  # of rows more than the text seems to hold


def words_in_list(status: int, character: bytes) -> str:
    """Return words of our own for a status that a list of numbers gave at a character, if there are any."""
    return _KINDS.get(character, "") if status == lib.EC_WRONG_KIND else ""


def words_of_kind(kind: int, layout: Layout) -> str:
    """Say what stands where a vector is wanted, and is none."""
    names = layout.path.decode().split("\0")[layout.rows_keys : -1]
    words: dict[int, str] = {
        lib.EC_VECTOR_MISSING: f"no {'.'.join(names)!r} in this row",
        lib.EC_VECTOR_NULL: "null where a vector is wanted",
        STRING: layout.no_strings,
    }
    return words.get(kind, "neither a list of numbers nor a string where a vector is wanted")


def words_of_width(width: int, asked: int, packed: bool = False) -> str:
    """Say that a row is not of the width that was asked for; elements of packed bits are bytes."""
    if packed:
        return f"{width} bytes of bits where {asked} were asked for, eight dimensions a byte"
    return f"{width} elements where {asked} were asked for"


class Reader:
    """A cursor on a document, and the matrix of the rows before it. A pass says with `fail` what becomes of a fault."""

    def __init__(self, body: Any, n: int, layout: Layout, width: int | None) -> None:
        self.body, self.n, self.layout = body, n, layout
        self.width = -1 if width is None else width  # -1: as the first row has it
        self.cursor = ffi.new(
            CURSOR,
            {"rows_keys": layout.rows_keys, "item_keys": layout.item_keys, "list_start": -1, "list_end": -1},
        )
        flags = lib.EC_NULLS_AS_NAN if layout.nulls_as_nan else 0
        self.format = ffi.new(FORMAT, (0, TYPES[layout.dtype.kind], layout.payload, flags, layout.base64_flags))
        self.first_index = -1
        self.indices: NDArray[np.int64] | None = None  # None while all rows are in place, or all without an index

    def fail(self, status: int, offset: int, row: int | None, words: str = "") -> None:
        """Raise, for a fault of `status`, or of `words`."""
        raise NotImplementedError

    def prepare(self, first: Any) -> None:
        """Learn the width from the first row, and make room for as many rows as the text seems to hold."""
        self.check_kind(first, 0)
        if first.kind == STRING and is_hexadecimal(
            self.text(first.start + 1, min(_TEXT_SAMPLE, first.end - first.start - 2))
        ):
            self.fail(0, first.start, 0, "text that is hexadecimal, not base64: bytes.fromhex reads it")
        result = lib.ec_response_width(self.body, first, self.format)
        if result.status:
            at_start = result.status == lib.EC_BAD_LENGTH
            offset = first.start if at_start else result.consumed
            words = self.uneven() if at_start else self.remedy(result.status, offset, first.kind)
            self.fail(result.status, offset, 0, words)
        width = result.produced
        if width != self.width >= 0:
            size = item_bytes(self.layout.payload) if self.layout.dtype.kind == "f" else 1
            remedy = ""
            if first.kind == LIST and self.layout.packed and (width - 1) // 8 == self.width - 1:
                remedy = "; a number a dimension, 0 or 1, is bits_as_numbers=True in the profile"
            if first.kind == STRING:
                start = self.text(first.start + 1, min(_TEXT_READ, first.end - first.start - 2))
                remedy = other_length(width * size, self.width, self.layout, start)
            self.fail(0, first.start, 0, words_of_width(width, self.width, self.layout.packed) + remedy)
        if width == 0:
            self.fail(0, first.start, 0, "an empty vector")
        self.width = self.format.width = width
        self.row_bytes: int = width * self.layout.dtype.itemsize
        at_row = self.cursor.stage == lib.EC_SCAN_AT_ROW
        self.capacity = 1 + (self.room_for_rest() if at_row else 0)
        self.values = np.empty((self.capacity, width), self.layout.dtype)
        self.base = ffi.from_buffer(self.values)

    def text(self, start: int, length: int) -> bytes:
        """Return a piece of the body."""
        whole = self.body if isinstance(self.body, bytes) else ffi.buffer(self.body)
        return bytes(whole[start : start + length])

    def uneven(self) -> str:
        """Say that bytes are no whole number of elements."""
        return UNEVEN + (CODES_MAY_BE if self.layout.dtype.kind == "f" else "")

    def remedy(self, status: int, offset: int, kind: int) -> str:
        """Return a status' words with a remedy, if there is one for what is at the offset in a vector; else nothing."""
        character = self.text(offset, 1)
        if kind == STRING and status == lib.EC_BAD_CHARACTER and character in (b"-", b"_"):
            return f"{reason(status)}: base64_urlsafe=True in the profile reads the URL-safe alphabet"
        if kind == STRING and status == lib.EC_BAD_PADDING and character == b'"':
            return f"{reason(status)}: base64_padding=False in the profile reads text without it"
        return words_in_list(status, character) if kind == LIST else ""

    def check_kind(self, span: Any, row: int) -> None:
        """Refuse a row whose vector is neither a list nor, where strings can be vectors, a string."""
        if span.kind == LIST or (span.kind == STRING and self.layout.payload != NO_STRINGS):
            return
        self.fail(0, span.start, row, words_of_kind(span.kind, self.layout))

    def room_for(self, text: int) -> int:
        """Estimate the rows in `text` bytes from those read so far."""
        cursor = self.cursor
        return int(text * cursor.rows / (cursor.offset - cursor.list_start))

    def room_for_rest(self) -> int:
        """Estimate the rows in the text left: rather too many, since shrinking is free, but not by much memory."""
        rows = self.room_for(self.n - self.cursor.offset)
        slack: int = min(rows // 50, SLACK_BYTES // self.row_bytes)
        return rows + 1 + slack

    def grow(self) -> None:
        """Make room for the rows in the text left. No other thread is at work meanwhile."""
        self.capacity += self.room_for_rest()
        self.values.resize((self.capacity, self.width), refcheck=False)
        self.base = ffi.from_buffer(self.values)
        if self.indices is not None:
            self.indices.resize(self.capacity, refcheck=False)

    def note_indices(self, rows: int) -> None:
        """Write the indices down: a row was not in its place, though the first `rows` were, or had none."""
        self.indices = np.arange(self.capacity)
        if self.first_index == lib.EC_INDEX_MISSING:
            self.indices[:rows] = lib.EC_INDEX_MISSING

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
        if wrong := misread(values, self.layout, cursor.kind) or no_bits(values, self.layout):
            self.fail(0, self.offset_of(wrong[0]), *wrong)
        if self.indices is not None and not self.layout.in_order:
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
                self.fail(0, self.offset_of(row), row, words + IN_ORDER)
        sources = np.full(rows, -1, np.int64)
        sources[indices[::-1]] = np.arange(rows - 1, -1, -1)  # of twins the first one stays
        twice = sources[indices] != np.arange(rows)
        if twice.any():
            row = int(twice.argmax())
            self.fail(0, self.offset_of(row), row, f"index {indices[row]} again{IN_ORDER}")
        scratch = np.empty(self.row_bytes, np.uint8)
        lib.ec_response_permute_rows(pointer(values), rows, self.row_bytes, pointer(sources), pointer(scratch))

    def offset_of(self, row: int) -> int:
        """Return where the vector of a row starts, if `fail` wants it."""
        return -1
