"""Number text: JSON arrays of numbers to float32, int8 or uint8 arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import check, ffi, lib, pointer

_INTEGER_TYPES = {np.dtype(np.int8): lib.EC_INT8, np.dtype(np.uint8): lib.EC_UINT8}


def numbers_bound(text: Any) -> int:
    """Return how many numbers `text` can hold at most."""
    view = ffi.from_buffer(text)
    return int(lib.ec_numbers_bound(view, len(view)))


def parse_row(text: Any, out: NDArray[Any], *, nulls_as_nan: bool = False) -> tuple[int, int]:
    """Parse the JSON array at the start of `text` into `out`, a contiguous float32, int8 or uint8 array.

    Returns
    -------
    consumed, produced : int
        Bytes of the array with its brackets, and the numbers it holds.

    Raises
    ------
    DecodeError
        At what is no such array, with the offset of the offending byte.
    """
    view = ffi.from_buffer(text)
    flags = lib.EC_NULLS_AS_NAN if nulls_as_nan else 0
    if out.dtype == np.float32:
        result = lib.ec_floats_parse(view, len(view), pointer(out), out.size, flags)
    else:
        kind = _INTEGER_TYPES[out.dtype]
        result = lib.ec_integers_parse(view, len(view), pointer(out), out.size, kind, flags)
    check(result)
    return int(result.consumed), int(result.produced)


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


def format_row(values: NDArray[Any]) -> bytes:
    """Return the JSON array of a contiguous float32, int8 or uint8 vector.

    Raises
    ------
    ValueError
        Where a value is not finite.
    """
    if values.dtype == np.float32:
        text = np.empty(values.size * lib.EC_FLOAT_TEXT + 2, np.uint8)
        written = lib.ec_floats_format(pointer(values), values.size, pointer(text))
        _refuse(written, values)
    else:
        text = np.empty(values.size * lib.EC_INTEGER_TEXT + 2, np.uint8)
        kind = _INTEGER_TYPES[values.dtype]
        written = lib.ec_integers_format(pointer(values), values.size, kind, pointer(text))
    return text[:written].tobytes()


def format_rows(values: NDArray[np.float32]) -> bytes:
    """Return the JSON array of arrays of a contiguous float32 matrix.

    Raises
    ------
    ValueError
        Where a value is not finite.
    """
    rows, columns = values.shape
    text = np.empty(rows * (columns * lib.EC_FLOAT_TEXT + 3) + 2, np.uint8)
    written = lib.ec_float_rows_format(pointer(values), rows, columns, pointer(text))
    _refuse(written, values)
    return text[:written].tobytes()


def _refuse(written: int, values: NDArray[np.float32]) -> None:
    if written < 0:
        where = np.unravel_index(-1 - written, values.shape)
        index = ", ".join(str(int(i)) for i in where)
        raise ValueError(f"JSON has no text for {values[where]} (at [{index}])")
