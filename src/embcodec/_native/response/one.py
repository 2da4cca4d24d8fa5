"""A JSON document of one row becomes a matrix of one row: the pass for answers to single queries.

Reading its numbers takes a microsecond or two, so that what surrounds the one call of C has to be little: the width is
taken to be that of the row before, and what the call needs is made once and used again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ffi, lib
from ..floats import BYTES, form_of
from .hints import misread
from .layout import CURSOR, FORMAT, STRING, TYPES, Layout, Rows

_from_buffer, _empty, _read = ffi.from_buffer, np.empty, lib.ec_response_read_rows
_guess, _guess_listed, _NULL = lib.ec_payload_guess, lib.ec_payload_guess_listed, ffi.NULL
_DONE: int = lib.EC_SCAN_DONE
_MOST_FREE = 16


class OneRow:
    """Reads documents of a layout in which there is one row; any other is left to the general passes.

    Calls may be concurrent: a cursor belongs to one call at a time, and a format is never changed.
    """

    __slots__ = ("_expected", "_free", "_layout", "_start")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        fields = {"rows_keys": layout.rows_keys, "item_keys": layout.item_keys, "list_start": -1, "list_end": -1}
        self._start = ffi.new(CURSOR, fields)
        self._free: list[Any] = []
        self._expected: tuple[int, Any, int | None] | None = None

    def read(self, body: Any, n: int) -> Rows | None:
        """Return the row of a document, or None where it is not of the expected width, not alone or not sound."""
        expected = self._expected
        if expected is None:
            return None
        width, form, asked = expected
        free = self._free
        try:
            cursor = free.pop()
        except IndexError:
            cursor = ffi.new(CURSOR)
        cursor[0] = self._start[0]
        values = _empty((1, width), self._layout.dtype)
        matrix = _from_buffer(values)
        result = _read(body, n, self._layout.path, cursor, form, matrix, _NULL, 1)
        found = None
        if (
            result.status == 0
            and cursor.stage == _DONE
            and cursor.list_start >= 0
            and cursor.rows == 1
            and (cursor.unindexed or cursor.in_place)
            and self._reads_as_asked(values, matrix, cursor.kind, asked)
        ):
            found = Rows(values, cursor.list_start, cursor.list_end, cursor.kind)
        if len(free) < _MOST_FREE:
            free.append(cursor)
        return found

    def expect(self, rows: Rows) -> None:
        """Take the next document to be like one that was read by other means."""
        values, layout = rows.values, self._layout
        if values is None or len(values) != 1:
            self._expected = None
            return
        flags = lib.EC_NULLS_AS_NAN if layout.nulls_as_nan else 0
        width = values.shape[1]
        form = ffi.new(FORMAT, (width, TYPES[layout.dtype.kind], layout.payload, flags, layout.base64_flags))
        asked = form_of(layout.dtype, layout.packed, layout.payload)
        self._expected = width, form, asked if layout.payload == BYTES else None

    def _reads_as_asked(self, values: NDArray[Any], matrix: Any, kind: int, asked: int | None) -> bool:
        """Whether a vector may be of the dtype that it was taken for."""
        if kind == STRING and asked is not None:
            return bool(_guess(matrix, 1, values.nbytes, asked, _NULL) == asked)
        if asked != BYTES:  # the bytes themselves are not there; or a list of codes
            return not misread(values, self._layout, kind)
        return bool(_guess_listed(matrix, 1, values.size) == BYTES)
