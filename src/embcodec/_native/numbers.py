"""Number text: JSON arrays of numbers to float32, int8 or uint8 arrays, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import each_block
from .core import check, ffi, lib, pointer
from .growing import GrowingBytes

_TEXT_TIME = 16  # how many times as long a byte of text takes as one that is only moved
_PACE = 0.1  # nanoseconds for a byte of numbers, to be multiplied by that
_LITTLE = 1 << 16  # bytes of a text that is written aside and copied: less to write than to set up
_INTEGER_TYPES = {np.dtype(np.int8): lib.EC_INT8, np.dtype(np.uint8): lib.EC_UINT8}


def numbers_bound(text: Any) -> int:
    """Return how many numbers `text` can hold at most."""
    view = ffi.from_buffer(text)
    return int(lib.ec_numbers_bound(view, len(view)))


def parse_rows(text: Any, out: NDArray[np.float32], *, nulls_as_nan: bool = False) -> tuple[int, ...]:
    """Parse a JSON array of numbers, or of such arrays, into the flat `out` and return the shape.

    Raises
    ------
    DecodeError
        At anything else, ragged rows and numbers beyond ``out.size``, with the offset of the offending byte.
    """
    view = ffi.from_buffer(text)
    shape = ffi.new("int64_t[2]")
    flags = lib.EC_NULLS_AS_NAN if nulls_as_nan else 0
    check(lib.ec_float_rows_parse(view, len(view), pointer(out), out.size, flags, shape, shape + 1))
    return (int(shape[1]),) if shape[0] < 0 else (int(shape[0]), int(shape[1]))


def format_row(values: NDArray[Any], threads: int | None = 1) -> bytes:
    """Return the JSON array of a contiguous float32, int8 or uint8 vector.

    Raises
    ------
    ValueError
        Where a value is not finite.
    """
    if values.dtype == np.float32:
        return _format_blocks(
            values, lib.EC_FLOAT_TEXT, threads, lambda some, text: lib.ec_floats_format(pointer(some), some.size, text)
        )
    kind = _INTEGER_TYPES[values.dtype]
    return _format_blocks(
        values,
        lib.EC_INTEGER_TEXT,
        threads,
        lambda some, text: lib.ec_integers_format(pointer(some), some.size, kind, text),
    )


def format_rows(values: NDArray[np.float32], threads: int | None = 1) -> bytes:
    """Return the JSON array of arrays of a contiguous float32 matrix.

    Raises
    ------
    ValueError
        Where a value is not finite.
    """
    return _format_blocks(
        values,
        values.shape[1] * lib.EC_FLOAT_TEXT + 3,
        threads,
        lambda some, text: lib.ec_float_rows_format(pointer(some), *some.shape, text),
    )


def _format_blocks(
    values: NDArray[Any], most: int, threads: int | None, write: Callable[[NDArray[Any], Any], int]
) -> bytes:
    """Return the JSON array of `values`, block by block; an element, or a row, takes at most so many bytes of text.

    Blocks are arrays of their own. Each is written where the text before it ends, if that is known, and its bracket
    becomes the comma between; else where the longest text before it would end, and is moved down when all are written.
    """
    room = most + 2

    def put(block: slice, target: Any) -> int:
        length = write(values[block], target)
        if length < 0:
            where = np.unravel_index(-1 - length + values[: block.start].size, values.shape)
            index = ", ".join(str(int(i)) for i in where)
            raise ValueError(f"JSON has no text for {values[where]} (at [{index}])")
        return length

    if (len(values) + 1) * room <= _LITTLE:
        little = np.empty((len(values) + 1) * room, np.uint8)
        return little[: put(slice(0, len(values)), pointer(little))].tobytes()
    text = GrowingBytes((len(values) + 1) * room)
    ends = {0: 0}  # where the text of the rows before ends
    written: list[tuple[int, int, int]] = []  # of each block: its first row, where it was written and where it ends

    def put_block(block: slice) -> None:
        start = ends.get(block.start, block.start * room + 1) - (block.start > 0)  # from the bracket before on
        ends[block.stop] = end = start + put(block, text.data + start)
        written.append((block.start, start, end))

    each_block(put_block, len(values), _TEXT_TIME * values.nbytes // max(len(values), 1), threads, _PACE)
    size = 0
    for first, start, end in sorted(written):
        to = size - (first > 0)
        if to != start:
            ffi.memmove(text.data + to, text.data + start, end - start)
        if first > 0:
            text.data[to] = b","
        size = to + end - start
    return text.finish(size)
