"""Rows of a matrix become rows of a JSON document, whose length is estimated from that of some."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ffi, lib, pointer
from ..growing import LITTLE, ContinuedText
from .layout import TYPES

_SLACK = 1 << 18  # bytes more than the estimate
_SAMPLE, _APART = 8, 64  # rows at most whose text tells the length of all; and of so many at most one
_FEW, _SOME = 1024, 256  # of fewer rows no more numbers than some are written for that, of each others
_SMALL = 1 << 20  # of a text that is not worth an estimate
_TURN = 1 << 22  # bytes of a matrix that a thread writes in one call, so that signals are heard between
_NOT_FINITE = "row {} has a value that is not finite: JSON has no such numbers"


class RowWords:
    """What stands around each vector of a list: ``ec_row_words`` of ``contract/response.h``.

    Parameters
    ----------
    before, behind : bytes
    numbered : bool
        Whether the row's index and a bracket stand behind that.
    """

    __slots__ = ("_kept", "around")

    def __init__(self, before: bytes, behind: bytes, numbered: bool = False) -> None:
        self._kept = before_view, behind_view = ffi.from_buffer(before), ffi.from_buffer(behind)
        self.around: Any = ffi.new(
            "ec_row_words *", (before_view, behind_view, len(before_view), len(behind_view), numbered)
        )


def write_rows(
    values: NDArray[Any], base64: bool, words: RowWords, head: bytes, tail: bytes, threads: int = 1
) -> bytes:
    """Return `head`, the rows of a C-contiguous matrix with commas between them, and `tail`.

    Raises
    ------
    ValueError
        Where a float is not finite, or the text would be too large.
    """
    rows, width = values.shape
    kind, around = TYPES[values.dtype.kind], words.around
    bound = lib.ec_response_rows_bound(rows, width, kind, base64, around)
    if 0 <= bound <= LITTLE:
        scratch = bytearray(bound)
        written = lib.ec_response_write_rows(
            pointer(values), rows, width, kind, base64, around, 0, ffi.from_buffer(scratch) if bound else ffi.NULL
        )
        if written < 0:
            raise ValueError(_NOT_FINITE.format(-1 - written))
        return b"".join((head, memoryview(scratch)[: max(written - 1, 0)], tail))
    if bound < 0:
        raise ValueError("a body of this size has no place in memory")
    exact = base64 or bound < _SMALL or not rows
    most_of_row = lib.ec_response_rows_bound(1, width, kind, base64, around) + len(str(rows))
    rate = bound / max(rows, 1) if exact else _sample(values, kind, around, most_of_row)

    def room_for(rows: int) -> int:
        """Estimate the bytes of some rows: rather too many, but not by much memory."""
        estimate = int(rows * rate) + 1
        return int(estimate + min(estimate // 64, _SLACK) + most_of_row)

    most = 0 if base64 else lib.ec_response_write_most(width, kind, around)
    text = ContinuedText(len(head), bound if exact else room_for(rows), most, len(tail), threads)
    row, row_bytes = 0, width * values.itemsize
    turn = threads * max(_TURN // max(row_bytes, 1), 1)
    while row < rows:
        some, count = pointer(values[row : row + turn]), min(rows - row, turn)
        done = lib.ec_response_write_parts(some, count, width, kind, base64, around, row, text.to)
        row += done.produced
        if done.status == lib.EC_NOT_FINITE:
            raise ValueError(_NOT_FINITE.format(row))
        text.to.length += done.consumed
        if done.status:  # the estimate was too low
            text.make_room(room_for(rows - row))
    ffi.memmove(text.data, head, len(head))
    if rows:
        text.to.length -= 1  # the comma
    return text.end(tail)


def _sample(values: NDArray[Any], kind: int, around: Any, most: int) -> float:
    """Return the bytes of a row, from some; `most` is what one has at most."""
    rows, width = values.shape
    sampled = range(0, rows, max(-(-rows // _SAMPLE), _APART))
    some = width if rows >= _FEW else min(width, _SOME)
    scratch, step = np.empty(most, np.uint8), (width - some) // max(len(sampled) - 1, 1)
    to, length = pointer(scratch), 0

    def written(row: int, begin: int, numbers: int) -> int:
        return int(lib.ec_response_write_rows(pointer(values[row, begin:]), 1, numbers, kind, 0, around, row, to))

    for number, row in enumerate(sampled):
        one = written(row, number * step, some)
        if one < 0:
            return most
        length += one
    without = written(rows - 1, 0, 0)
    return float(without + (length / len(sampled) - without) * width / max(some, 1))
