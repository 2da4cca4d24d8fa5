"""Number text: JSON arrays of numbers to float32, int8 or uint8 arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import blocks_of, check, default_threads, ffi, lib, pointer
from .growing import LITTLE, ContinuedText

_TEXT_TIME = 16  # how many times as long a byte of text takes as one that is only moved
_PACE = 0.1  # nanoseconds for a byte of numbers, to be multiplied by that
# Pieces of memory of LITTLE bytes that no call writes to: to ask for one takes as long as to write a thousand integers.
_spare: list[Any] = []
_TYPES = {np.dtype(np.float32): lib.EC_FLOAT32, np.dtype(np.int8): lib.EC_INT8, np.dtype(np.uint8): lib.EC_UINT8}


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
    kind = _TYPES[values.dtype]
    if kind == lib.EC_FLOAT32:
        return _format(values, -1, kind, lib.EC_FLOAT_TEXT, threads, lib.ec_floats_format, values.size)
    return _format(values, -1, kind, lib.EC_INTEGER_TEXT, threads, lib.ec_integers_format, values.size, kind)


def format_rows(values: NDArray[np.float32], threads: int | None = 1) -> bytes:
    """Return the JSON array of arrays of a contiguous float32 matrix.

    Raises
    ------
    ValueError
        Where a value is not finite.
    """
    columns = values.shape[1]
    most = columns * lib.EC_FLOAT_TEXT + 3
    return _format(values, columns, lib.EC_FLOAT32, most, threads, lib.ec_float_rows_format, *values.shape)


def _format(
    values: NDArray[Any], columns: int, kind: int, most: int, threads: int | None, write: Any, *sizes: int
) -> bytes:
    """Return the JSON array of elements or, unless `columns` is -1, rows: each at most so many bytes of text.

    A small one is what `write` makes of it.
    """
    room = len(values) * most + 2
    if room <= LITTLE or not len(values):
        try:
            little = _spare.pop()
        except IndexError:
            little = ffi.new("char[]", LITTLE)
        length = write(pointer(values), *sizes, little)
        if length < 0:
            raise _no_text(values, -1 - length)
        copied: bytes = ffi.unpack(little, length)
        _spare.append(little)
        return copied
    row_bytes = _TEXT_TIME * values.nbytes // len(values)
    threads = default_threads(threads, len(values) * row_bytes * _PACE)
    text = ContinuedText(0, room, lib.ec_numbers_write_most(columns), 1, threads)
    for block in blocks_of(len(values), -(-row_bytes // threads)):
        some = values[block]
        done = lib.ec_numbers_write(pointer(some), len(some), columns, kind, text.to)
        if done.status:
            raise _no_text(values, values[: block.start].size + done.consumed)
        text.to.length += done.consumed
    return text.end(b"]")


def _no_text(values: NDArray[Any], place: int) -> ValueError:
    where = np.unravel_index(place, values.shape)
    index = ", ".join(str(int(i)) for i in where)
    return ValueError(f"JSON has no text for {values[where]} (at [{index}])")
