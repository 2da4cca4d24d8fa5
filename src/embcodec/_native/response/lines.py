"""Lines of batch files become rows of a matrix, or notes on what failed, many a call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ffi, lib, pointer, reason
from .layout import FORMAT, LIST, TYPES, Layout
from .reader import words_in_list, words_of_kind, words_of_width

REFUSED: int = lib.EC_LINE_REFUSED
BROKEN: int = lib.EC_LINE_BROKEN
NO_OBJECT: int = lib.EC_LINE_NO_OBJECT
WIDTH: int = lib.EC_LINE_WIDTH
_LINE_FIELDS = 12
KIND, TOKENS = 5, 9  # the fields from there on
_STRICT_ALIKE = (lib.EC_BAD_CHARACTER, lib.EC_BAD_NUMBER, lib.EC_TRUNCATED, lib.EC_TRAILING)
_LEAST_LINES, _MOST_LINES = 64, 4096
_PART = 1 << 15  # bytes of a part that a thread reads
_PARTS = 4  # for each thread, so that all end at about the same time
_MOST_PARTS = 256
_LEAST_LINE = 64  # bytes of one that is worth a thread


class LineReader:
    """Reads lines whose rows have the form of `layout` and `width` elements, or, with a width of 0, failed ones alone.

    `names` are the keys to the rows in a body, and those that are left to others: see ``ec_batch_read_lines``. With
    room for no rows, lines with broken ones are left. With several `threads` large texts are read in parts, with room
    for what a text of `text_bytes` can hold where rows come as `kind` says.
    """

    def __init__(
        self,
        layout: Layout,
        names: bytes,
        width: int,
        scratch_bytes: int,
        *,
        most_lines: int = _MOST_LINES,
        kind: int = LIST,
        text_bytes: int = 0,
        threads: int = 1,
    ) -> None:
        flags = lib.EC_NULLS_AS_NAN if layout.nulls_as_nan else 0
        self.format = ffi.new(FORMAT, (width, TYPES[layout.dtype.kind], layout.payload, flags, layout.base64_flags))
        self.layout, self.names, self.width = layout, names, width
        rows = scratch_bytes // ((width or 1) * layout.dtype.itemsize)
        rows = max(rows, 1) if width else rows
        self.values = np.empty((rows, width or 1), layout.dtype)
        self.lines = np.empty((max(min(rows, most_lines), _LEAST_LINES), _LINE_FIELDS), np.int64)
        self.threads = threads if width else 1
        if self.threads > 1:
            least = 2 * width if kind == LIST else width * layout.dtype.itemsize * 4 // 3  # bytes of a row's text
            self.many_values = np.empty((text_bytes // least + _MOST_PARTS, width), layout.dtype)
            self.many_lines = np.empty((text_bytes // _LEAST_LINE + _MOST_PARTS, _LINE_FIELDS), np.int64)

    def read_parts(self, text: bytes, start: int) -> tuple[NDArray[np.int64], NDArray[Any]] | None:
        """Read lines as :meth:`read` does, all there are, on several threads; None where the text is not worth that."""
        size = len(text) - start
        parts = min(size // _PART, self.threads * _PARTS, _MOST_PARTS)
        if self.threads == 1 or parts < 2:
            return None
        result = lib.ec_batch_read_parts(
            ffi.from_buffer(text) + start,
            size,
            self.names,
            self.format,
            pointer(self.many_values),
            len(self.many_values),
            pointer(self.many_lines),
            len(self.many_lines),
            parts,
            self.threads,
        )
        found = self.many_lines[: result.produced]
        return found, self.many_values[: int(found[:, 1].sum())]

    def read(self, text: bytes | memoryview, start: int, most: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Read lines of text[start:] up to one that is neither plain nor plainly failed, not complete or has no room.

        Returns
        -------
        lines : ndarray of int64, shape (n, 12)
            Of each, at most `most`: where it ends, how many rows it has, from where to where its custom_id is (-1:
            nowhere), whether that has escapes, its kind, what there is to say of a failed one, and tokens: see
            ``ec_batch_line``. Counted from `start`. A view, until the next call.
        rows : ndarray, shape (m, width)
            A view, until the next call.
        """
        values, lines = self.values, self.lines
        result = lib.ec_batch_read_lines(
            ffi.from_buffer(text) + start,
            len(text) - start,
            self.names,
            self.format,
            pointer(values),
            len(values),
            pointer(lines),
            min(most, len(lines)),
        )
        if not result.produced:
            return lines[:0], values[:0]
        found = lines[: result.produced]
        return found, values[: int(found[:, 1].sum())]

    def words(self, kind: int, status: int, line: bytes, offset: int, row: int | None) -> str:
        """Say what is wrong with a line, in a row or, where that is None or the line ends there, in its grammar."""
        if kind == lib.EC_LINE_NO_VECTOR:
            return words_of_kind(status, self.layout)
        if kind == WIDTH:
            return words_of_width(status, self.width, self.layout.packed)
        return (row is not None and words_in_list(status, line[offset : offset + 1])) or reason(status)


def ids_of_lines(text: bytes | memoryview, start: int, lines: NDArray[np.int64]) -> list[str]:
    """Return the custom_ids of lines of text[start:] that all have one, without escapes, made all at once."""
    joined = np.empty(int((lines[:, 3] - lines[:, 2] - 1).sum()), np.uint8)
    size = lib.ec_batch_join_ids(
        ffi.from_buffer(text) + start, len(text) - start, pointer(lines), len(lines), pointer(joined), len(joined)
    )
    if size != len(joined):
        raise ValueError(f"custom_ids of {len(joined)} bytes are not in a text of {len(text) - start}")
    return joined.tobytes().decode().split('"')[:-1]


def is_no_json(status: int, line: bytes) -> bool:
    """Whether Python's parser refuses a line, too, of which the scanner of bodies said `status`."""
    return status in _STRICT_ALIKE and b"NaN" not in line and b"Infinity" not in line and b"\0" not in line[:4]
