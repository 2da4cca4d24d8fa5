"""Plain lines of batch files become rows of a matrix, many a call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import ffi, lib, pointer
from .response_layout import FORMAT, TYPES, Layout

_LINE_FIELDS = 5
_USAGE = ffi.typeof("ec_batch_usage *")


class LineReader:
    """Reads lines whose rows have the form of `layout` and `width` elements; `names` are the keys to them in a body."""

    def __init__(self, layout: Layout, names: bytes, width: int, scratch_bytes: int) -> None:
        flags = lib.EC_NULLS_AS_NAN if layout.nulls_as_nan else 0
        self.format = ffi.new(FORMAT, (width, TYPES[layout.dtype.kind], layout.payload, flags, layout.base64_flags))
        self.layout, self.names = layout, names
        rows = max(scratch_bytes // (width * layout.dtype.itemsize), 1)
        self.values = np.empty((rows, width), layout.dtype)
        self.lines = np.empty((rows, _LINE_FIELDS), np.int64)
        self.usage = ffi.new(_USAGE)

    def read(self, text: bytes, most: int | None = None) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Read lines of `text` up to one that is not plain, not complete or has no room, or to the `most`-th.

        Returns
        -------
        lines : ndarray of int64, shape (n, 5)
            Where each one ends, how many rows it has, from where to where its custom_id is (-1: nowhere), and whether
            that has escapes. A view, until the next call.
        rows : ndarray, shape (m, width)
            A view, until the next call. Their counts of tokens are in `usage`.
        """
        usage, values, lines = self.usage, self.values, self.lines
        usage.prompt = usage.completion = usage.total = 0
        most = len(lines) if most is None else min(most, len(lines))
        result = lib.ec_batch_read_lines(
            text, len(text), self.names, self.format, pointer(values), len(values), pointer(lines), most, usage
        )
        found = lines[: result.produced]
        return found, values[: int(found[:, 1].sum())]
