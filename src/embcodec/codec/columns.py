"""What users pass for rows: arrays, lists, columns of objects, tables. All become arrays of plain numbers."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from decimal import Decimal
from io import IOBase
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from .._native import numbers as native
from .dlpack import is_tensor, of_dlpack
from .tables import is_arrow, of_capsule, reader_of

MASKED = "masked values have no code: fill them first, with .filled(value)"
JSON_ROWS = "embcodec.parse_floats('[' + ','.join(texts) + ']') reads rows that are JSON arrays"

FILES = "embcodec.load(path) reads a file"

_JSON_ROW = re.compile(rb"\s*\[[-+\d.eE,\s]+\]\s*")
_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{32,}")
_BASE64 = re.compile(rb"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9+/]{30,}={0,2}")
_MIXED = 8  # how many different bytes text has: codes that hardly vary have fewer
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_LARGE = 10**38  # smaller whole numbers are within float32
_LARGEST = 2**1023
_MOST_AXES = 64  # of an array of NumPy's

# Rows that np.asarray takes for what they are. Others may hide values, or have nulls, and are read one by one.
_PLAIN = {list, tuple, int, float, bool, str, np.ndarray, np.float64, np.float32, np.float16, np.int64, np.int32}


def to_array(x: Any, *, as_they_are: bool = False) -> NDArray[Any]:
    """Return what is no plain array as one: tables, lists, columns of rows.

    Parameters
    ----------
    x : array-like
    as_they_are : bool
        Leave bare objects, and the short floats of ml_dtypes (bfloat16 and the like), to the caller; else the ones are
        an error, and the others become float32.

    Raises
    ------
    ValueError, TypeError
        For what is masked, missing or no number, with the row.
    """
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise TypeError(MASKED)
        x = x.data
    if isinstance(x, NpzFile):  # np.asarray would make an array of the names in it
        raise TypeError(f"an NpzFile is several arrays: pass one of them, as x[{(x.files or ['name'])[0]!r}]")
    if isinstance(x, list | tuple):
        kinds = set(map(type, x)) - _PLAIN
        if any(hasattr(kind, "float_blocks") for kind in kinds):
            raise TypeError("a list of Embeddings is no array of numbers: concat(rows) joins them")
        array = stack(x) if kinds and any(map(_is_row, kinds)) else _plain(x)
    else:
        reader = reader_of(x) or _foreign_reader(x)
        array = _plain(x) if reader is None else reader(x)
    if array.dtype == object:
        array = _of_objects(array, as_they_are)
    if array.dtype.kind == "V" and not as_they_are and is_short_float(array.dtype):
        array = array.astype(np.float32)
    return array


def _foreign_reader(x: Any) -> Callable[[Any], NDArray[Any]] | None:
    """Return what reads an object that NumPy does not, by a protocol of tensors or columns."""
    if hasattr(x, "__array__"):
        return None
    if is_arrow(x):
        return of_capsule
    return of_dlpack if is_tensor(x) else None


def is_short_float(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is a float that NumPy itself does not know, as ``ml_dtypes.bfloat16``."""
    return dtype.fields is None and dtype.subdtype is None and dtype.name.startswith(("bfloat", "float"))


def stack(rows: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    """Return one matrix of rows of numbers, each an array or a list of its own.

    Raises
    ------
    ValueError, TypeError
        For a row that is missing, holds something else than numbers, or is of another length; it names the row.
    """
    parts: list[NDArray[Any]] = []
    for number, row in enumerate(rows):
        part = row if type(row) is np.ndarray and row.dtype.kind in "fiub" and row.ndim else _row(row, number)
        if parts and part.shape != parts[0].shape:
            if part.ndim > 1:
                raise ValueError(f"row {number} is itself a matrix, {part.shape}: np.concatenate(x) joins matrices")
            lengths = f"row 0 has {len(parts[0])} numbers, row {number} has {len(part)}"
            raise ValueError(f"rows have different lengths: {lengths}")
        parts.append(part)
    return np.stack(parts) if parts else np.empty((0, 0), np.float32)


def _row(row: Any, number: int) -> NDArray[Any]:
    if isinstance(row, Mapping):
        raise TypeError(f"row {number} is {_named(row)}, not a row of numbers{_way_of_record(row)}")
    try:
        part = to_array(row) if _is_row(type(row)) else None
    except (TypeError, ValueError) as error:
        raise type(error)(f"row {number}: {error}") from None
    if part is None or part.ndim == 0:
        raise ValueError(f"row {number} is {_named(row)}, not a row of numbers{_way_of_record(row)}")
    if part.dtype.kind not in "fiub":
        raise ValueError(f"row {number} holds {part.dtype}, not numbers")
    return part


def text_in(row: bytes) -> str | None:
    """Return what the text of a row is, ``"JSON"``, ``"hexadecimal"`` or ``"base64"``, where its bytes are such.

    None for others, and for so few that they may be codes.
    """
    if _JSON_ROW.fullmatch(row):
        return "JSON"
    if not row.isascii() or len(set(row)) < _MIXED:
        return None
    if _HEXADECIMAL.fullmatch(row):
        return "hexadecimal"
    return "base64" if len(row) % 4 == 0 and _BASE64.fullmatch(row) else None


def way_of_bytes(row: bytes) -> str:
    """Say what reads rows that are bytes, of which one is given."""
    text = text_in(row)
    if text == "JSON":
        return "embcodec.parse_floats(b'[' + b','.join(rows) + b']') reads rows that are JSON arrays"
    if text == "hexadecimal":
        return "embcodec.from_elasticsearch([row.decode() for row in rows], 'int8') reads codes of hexadecimal digits"
    if text == "base64":
        return "embcodec.decode_base64(list(rows), np.float32) reads float32 rows that are base64"
    return "embcodec.from_sqlite_vec(list(rows)) reads rows that are little-endian float32 bytes"


def _way_of_record(record: Any) -> str:
    """Say how the vectors of records are taken out of them, where one has a vector."""
    if hasattr(record, "embedding"):  # as those of OpenAI's client have
        return ": pass [row.embedding for row in rows]"
    fields = record.items() if isinstance(record, Mapping) else ()
    name = next((name for name, value in fields if isinstance(value, list | tuple | np.ndarray)), None)
    return "" if name is None else f": pass [row[{name!r}] for row in rows]"


def _plain(x: Any) -> NDArray[Any]:
    try:
        array = np.asarray(x)
    except ValueError as error:
        if isinstance(x, list | tuple) and _is_shallow(x):
            stack(x)  # raises an error that names the row
        if hasattr(x, "bit_planes"):
            raise TypeError("low-bit codes do not become an array silently: use .to('float')") from None
        raise ValueError(f"rows have different lengths, or are not numbers: {error}") from None
    except UserWarning as warning:  # where warnings are errors: NumPy gives one for each masked element
        raise TypeError(f"{MASKED} ({warning})") from None
    except (TypeError, RuntimeError) as error:  # tensors that are on a device, need gradients, or have other types
        if is_tensor(x):  # as one of bfloat16, which PyTorch makes no array of
            with suppress(TypeError):
                return of_dlpack(x)
        kind = type(x).__name__
        raise TypeError(f"{_article(kind)} {kind} does not become an array: {error}") from None
    if array.dtype == object and array.ndim == 0:
        ways = {"embeddings": "pass .embeddings", "save": "its own .save(path) writes it"}
        ways |= {name: f"pass .{name}()" for name in ("toarray", "to_numpy", "collect")}
        way_out = next((way for name, way in ways.items() if hasattr(x, name)), None)
        if isinstance(x, os.PathLike):
            way_out = FILES
        elif way_out is None and isinstance(x, Iterable) and not isinstance(x, AbstractSet | IOBase):
            way_out = "pass list(x.values())" if isinstance(x, Mapping) else "pass list(x)"
        kind = type(x).__name__
        words = f"{_article(kind)} {kind} is no array of numbers"
        raise TypeError(words + (f": {way_out}" if way_out else ""))
    if (
        array.ndim > 1
        and array.dtype.kind == "f"
        and isinstance(x, list | tuple)
        and np.isnan(array).any()
        and _holds_masked(x)
    ):
        raise TypeError(MASKED)
    return array


def _is_shallow(x: Any) -> bool:
    """Whether lists in lists end where an array's axes may: one that holds itself has no end."""
    for _ in range(_MOST_AXES):
        if not (isinstance(x, list | tuple) and x):
            return True
        x = x[0]
    return False


def _article(kind: str) -> str:
    return "an" if kind[0] in "AEIOUaeiou" else "a"


def _holds_masked(x: Any) -> bool:
    return x is np.ma.masked or (isinstance(x, list | tuple) and any(map(_holds_masked, x)))


def _of_objects(array: NDArray[Any], as_they_are: bool) -> NDArray[Any]:
    """Return the matrix of an array of rows, or the numbers of one of Python's own numbers; else an error."""
    if array.ndim == 1 and len(array) and set(map(type, array)) <= {list, tuple}:
        whole = _plain(list(array))  # all rows at once: one by one takes longer, and tells which one is no row
        return whole if whole.dtype.kind in "fiub" and whole.ndim > 1 else stack(array)
    if array.ndim == 1 and (not len(array) or array[0] is None or any(map(_is_row, set(map(type, array))))):
        return stack(array)
    if as_they_are:
        return array
    no_numbers = {kind for kind in set(map(type, array.flat)) if not _is_number(kind)}
    for place, value in enumerate(array.flat if no_numbers else ()):
        if type(value) in no_numbers:
            indices = np.unravel_index(place, array.shape)
            where = f"row {indices[0]}, element {indices[-1]}" if array.ndim > 1 else f"element {place}"
            words = f"the array holds objects, not numbers: {where} is "
            if _is_missing(value):
                raise ValueError(f"{words}{value}")
            if isinstance(value, str) and array.ndim == 1 and value.lstrip().startswith("["):
                words = f"the array holds text, not numbers: {where} is "
                raise TypeError(f"{words}a str: {JSON_ROWS}")
            if isinstance(value, bytes | bytearray | memoryview) and array.ndim == 1:
                raise TypeError(f"{words}a {type(value).__name__}: {way_of_bytes(bytes(value))}")
            if _is_row(type(value)) and array.ndim > 1:
                raise TypeError(f"{words}a row by itself: pass the column of rows alone, as frame['embedding']")
            if isinstance(value, str) and _NUMBER.fullmatch(value):
                raise TypeError(f"{words}a str: .astype(np.float32) reads numbers that are text")
            raise TypeError(f"{words}a {type(value).__name__}{_way_of_record(value)}")
    return _of_numbers(array)


def _is_number(kind: type) -> bool:
    return not issubclass(kind, bool) and issubclass(kind, numbers.Real | Decimal)


def _of_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of Python's numbers as one of NumPy's; decimals are rounded once, to float32."""
    kinds = set(map(type, array.flat))
    if any(issubclass(kind, Decimal) for kind in kinds) and all(map(_is_small, array.flat)):
        text = f"[{','.join(map(str, array.flat))}]".encode()
        values = np.empty(array.size, np.float32)
        native.parse_rows(text, values)
        return values.reshape(array.shape)
    if kinds and all(issubclass(kind, numbers.Integral) for kind in kinds):
        try:
            return array.astype(np.int64)
        except OverflowError:
            pass
    try:
        return array.astype(np.float64)
    except OverflowError:
        place = next(place for place, value in enumerate(array.flat) if not -_LARGEST < value < _LARGEST)
        row = np.unravel_index(place, array.shape)[0]
        raise ValueError(f"row {row} has a whole number of more than 308 digits, which no float is") from None


def _is_small(value: Any) -> bool:
    """Whether a number is finite, and within float32 for sure."""
    return not (isinstance(value, Decimal) and value.is_nan()) and bool(-_LARGE < value < _LARGE)


def _is_row(kind: type) -> bool:
    package = kind.__module__.partition(".")[0]
    if package == "pgvector" or (package == "bson" and kind.__name__ in ("Binary", "BinaryVector")):
        return True
    return (hasattr(kind, "__len__") or hasattr(kind, "__array__")) and not issubclass(kind, np.generic | str | bytes)


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType"


def _named(value: Any) -> str:
    return f"missing ({value})" if _is_missing(value) else f"a {type(value).__name__}"
