"""A JSON document of one row becomes a matrix of one row: the pass for answers to single queries.

Reading its numbers takes a microsecond or two, so that what surrounds the one call of C has to be little: the width is
taken to be that of the row before, and what the call needs is made once and used again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import ffi, lib
from ..floats import BYTES, form_of
from .hints import misread, no_bits
from .layout import CURSOR, FORMAT, NO_STRINGS, STRING, TYPES, Layout, Rows

_from_buffer, _empty, _read = ffi.from_buffer, np.empty, lib.ec_response_read_one


class OneRow:
    """Reads documents of a layout in which there is one row; any other is left to the general passes.

    Calls may be concurrent: what they share is never changed.
    """

    __slots__ = ("_bits", "_expected", "_judged", "_layout", "_start")

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        fields = {"rows_keys": layout.rows_keys, "item_keys": layout.item_keys, "list_start": -1, "list_end": -1}
        self._start = ffi.new(CURSOR, fields)
        self._judged = layout.payload in (BYTES, NO_STRINGS)  # in C, by the bytes of the row
        self._bits = bool(layout.unpacked or layout.unused)  # which may be none of the dimension
        self._expected: tuple[int, Any, int] | None = None

    def read(self, body: Any, n: int) -> Rows | None:
        """Return the row of a document, or None where it is not of the expected width, not alone or not sound."""
        expected = self._expected
        if expected is None:
            return None
        width, form, asked = expected
        layout = self._layout
        values = _empty((1, width), layout.dtype)
        one = _read(body, n, layout.path, self._start, form, asked, _from_buffer(values))
        if not one.found:
            return None
        kind = one.kind
        if self._bits and no_bits(values, layout):
            return None
        if not self._judged and kind == STRING and misread(values, layout, kind):
            return None
        return Rows(values, one.list_start, one.list_end, kind)

    def expect(self, rows: Rows) -> tuple[int, Any, int] | None:
        """Take the next document to be like one that was read by other means.

        Returns its width, the form of such a row, and what its base64 is asked to be; None where it has not one row.
        """
        values, layout = rows.values, self._layout
        if values is None or len(values) != 1:
            self._expected = None
            return None
        flags = lib.EC_NULLS_AS_NAN if layout.nulls_as_nan else 0
        width = values.shape[1]
        form = ffi.new(FORMAT, (width, TYPES[layout.dtype.kind], layout.payload, flags, layout.base64_flags))
        asked = form_of(layout.dtype, layout.packed) if layout.payload == BYTES else NO_STRINGS
        self._expected = width, form, asked
        return self._expected
