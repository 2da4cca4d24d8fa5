"""Lines of batch files become rows of a matrix, or notes on what failed, many a call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ffi, lib, pointer, reason
from .layout import FORMAT, TYPES, Layout
from .reader import words_in_list, words_of_kind, words_of_width

REFUSED: int = lib.EC_LINE_REFUSED
BROKEN: int = lib.EC_LINE_BROKEN
NO_OBJECT: int = lib.EC_LINE_NO_OBJECT
WIDTH: int = lib.EC_LINE_WIDTH
_LINE_FIELDS = 12
KIND, TOKENS = 5, 9  # the fields from there on
_STRICT_ALIKE = (lib.EC_BAD_CHARACTER, lib.EC_BAD_NUMBER, lib.EC_TRUNCATED, lib.EC_TRAILING)
_LEAST_LINES, _MOST_LINES = 64, 4096


class LineReader:
    """Reads lines whose rows have the form of `layout` and `width` elements, or, with a width of 0, failed ones alone.

    `names` are the keys to the rows in a body, and those that are left to others: see ``ec_batch_read_lines``. With
    room for no rows, lines with broken ones are left.
    """

    def __init__(self, layout: Layout, names: bytes, width: int, scratch_bytes: int) -> None:
        flags = lib.EC_NULLS_AS_NAN if layout.nulls_as_nan else 0
        self.format = ffi.new(FORMAT, (width, TYPES[layout.dtype.kind], layout.payload, flags, layout.base64_flags))
        self.layout, self.names, self.width = layout, names, width
        rows = scratch_bytes // ((width or 1) * layout.dtype.itemsize)
        rows = max(rows, 1) if width else rows
        self.values = np.empty((rows, width or 1), layout.dtype)
        self.lines = np.empty((max(min(rows, _MOST_LINES), _LEAST_LINES), _LINE_FIELDS), np.int64)

    def read(self, text: bytes, start: int, most: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
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


def is_no_json(status: int, line: bytes) -> bool:
    """Whether Python's parser refuses a line, too, of which the scanner of bodies said `status`."""
    return status in _STRICT_ALIKE and b"NaN" not in line and b"Infinity" not in line and b"\0" not in line[:4]
