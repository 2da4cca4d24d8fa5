"""Columns of PostgreSQL in the form of its binary COPY: the bytes of each field, and back.

A field is its length in four bytes, -1 for NULL, and that many bytes, big-endian.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, get_args
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ...codec import as_array, as_int64
from ...dtypes import PgColumnType, PgIdType
from ...words import has_elements, one_of, shown
from .rows import as_blobs, as_bytes

ID_TYPES: tuple[PgIdType, ...] = get_args(PgIdType)
COLUMN_TYPES: tuple[PgColumnType, ...] = (*ID_TYPES, "boolean", "real", "double precision", "bytea", "json", "jsonb",
                                          "date", "timestamp")  # fmt: skip
FIXED: dict[str, np.dtype[Any]] = {
    "boolean": np.dtype("?"),
    "smallint": np.dtype(">i2"),
    "integer": np.dtype(">i4"),
    "bigint": np.dtype(">i8"),
    "real": np.dtype(">f4"),
    "double precision": np.dtype(">f8"),
    "date": np.dtype(">i4"),
    "timestamp": np.dtype(">i8"),
    "uuid": np.dtype("V16"),
}
"""What fields of one length hold; dates and times are counted from the year 2000 on, in days and microseconds."""
_TIMES = {"date": np.datetime64("2000-01-01", "D"), "timestamp": np.datetime64("2000-01-01", "us")}
_TIME_NUMBERS = {"date": "integer", "timestamp": "bigint"}
_BY_NUMPY: dict[str, PgColumnType] = {
    **dict.fromkeys("?", "boolean"),
    **dict.fromkeys("bBh", "smallint"),
    **dict.fromkeys("Hi", "integer"),
    **dict.fromkeys("IlqLQ", "bigint"),
    **dict.fromkeys("ef", "real"),
    "d": "double precision",
}
_BY_PYTHON: dict[type, PgColumnType] = {
    bool: "boolean",
    int: "bigint",
    float: "double precision",
    str: "text",
    bytes: "bytea",
    UUID: "uuid",
    dict: "jsonb",
    list: "jsonb",
    datetime: "timestamp",
    date: "date",
}
_NONE: dict[PgColumnType, Any] = {
    **dict.fromkeys(("smallint", "integer", "bigint"), 0),
    **dict.fromkeys(("real", "double precision"), 0.0),
    **dict.fromkeys(("json", "jsonb"), 0),
    "boolean": False,
    "text": "",
    "bytea": b"",
    "uuid": UUID(int=0),
    "date": date(2000, 1, 1),
    "timestamp": datetime(2000, 1, 1),
}
_WHOLE = ("smallint", "integer", "bigint")
_NULL = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i")


class Column(NamedTuple):
    """A column of `rows` to be written: fields of one `size`, or `fields` of any, each with its length before it.

    `write` puts those of some rows of one size into an array (n, size), whose rows may lie apart.
    """

    rows: int
    size: int = 0
    write: Callable[[slice, NDArray[np.uint8]], None] | None = None
    fields: list[bytes] | None = None


def as_column(values: Any, name: str, pg_type: PgColumnType | None, *, nulls: bool = True) -> Column:
    """Return values as a column of `pg_type`, or of the type that they have; None and NaT are NULL.

    Raises
    ------
    TypeError, ValueError
        For a value that is none of the type, or one that no type of PostgreSQL's is for; it names the row.
    """
    if pg_type is not None:
        one_of(pg_type, COLUMN_TYPES, "a column's type")
    given, missing = _told_apart(values, name)
    if missing and not nulls:
        raise TypeError(f"{name} {missing[0]} is missing ({given[missing[0]]})")
    pg_type = pg_type or _type_of(given, set(missing), name)
    if missing:  # something in the place of each keeps the rows' numbers
        gone = set(missing)
        given = [_NONE[pg_type] if row in gone else value for row, value in enumerate(given)]
    if pg_type in FIXED:
        numbers = _fixed(given, name, pg_type)
        if not missing:
            return Column(len(numbers), numbers.itemsize, lambda rows, out: np.copyto(out, as_bytes(numbers[rows])))
        found = [_with_length(blob) for blob in as_blobs(numbers)]
    else:
        found = [_with_length(_variable(value, f"{name} {row}", pg_type)) for row, value in enumerate(given)]
    for row in missing:
        found[row] = _NULL
    return Column(len(found), fields=found)


def read_fixed(values: NDArray[Any], pg_type: str) -> Any:
    """Return fields of one length as NumPy has them: numbers, dates, times; of uuid a list of UUID."""
    if pg_type == "uuid":
        return [UUID(bytes=value.tobytes()) for value in values]
    if pg_type == "boolean":
        return values.view(np.uint8) != 0
    native = values.astype(values.dtype.newbyteorder("="))
    if pg_type not in _TIMES:
        return native
    limits = np.iinfo(native.dtype)
    if ((native == limits.min) | (native == limits.max)).any():
        raise ValueError(f"an infinite {pg_type}, which NumPy has not: read the column as {_TIME_NUMBERS[pg_type]}")
    return _TIMES[pg_type] + native


def reader_of(pg_type: str) -> Callable[[bytes], Any]:
    """Return what makes a value of a field of any length, with a ValueError where its bytes are none."""
    return _READERS[pg_type]


def _told_apart(values: Any, name: str) -> tuple[Any, list[int]]:
    """Return values that can be gone through, and which of them are missing: to pandas NaN is, to others it is none."""
    given = values if not isinstance(values, type) and getattr(values, "shape", None) else _as_list(values, name)
    if isinstance(given, np.ndarray) and given.dtype.kind in "biufUS":
        return given, []
    if hasattr(given, "isna"):
        found = np.flatnonzero(np.asarray(given.isna())).tolist()
        return list(given) if found else given, found
    return given, [row for row, value in enumerate(given) if _is_missing(value)]


def _as_list(values: Any, name: str) -> list[Any]:
    if hasattr(values, "to_pylist"):  # pyarrow's own scalars are no numbers
        values = values.to_pylist()
    if isinstance(values, str | bytes | dict) or not has_elements(values):
        raise TypeError(f"{name}s are a column, one a row, not {shown(values)}")
    return list(values)


def _is_missing(value: Any) -> bool:
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _type_of(values: Any, missing: set[int], name: str) -> PgColumnType:
    """Return the type whose columns hold such values: that of the array, or of the first that is not missing."""
    known = _BY_NUMPY.get(getattr(getattr(values, "dtype", None), "char", ""))
    if known is not None:
        return known
    value = next((value for row, value in enumerate(values) if row not in missing), None)
    if value is None:
        return "text"
    if isinstance(value, np.datetime64):
        return "date" if np.datetime_data(value)[0] == "D" else "timestamp"
    if isinstance(value, np.generic) and value.dtype.char in _BY_NUMPY:
        return _BY_NUMPY[value.dtype.char]
    kinds = [_BY_PYTHON[kind] for kind in type(value).__mro__ if kind in _BY_PYTHON]
    if not kinds:
        raise TypeError(f"{name} holds a {type(value).__name__}, which no column of PostgreSQL's takes as it is")
    return kinds[0]


def _fixed(values: Any, name: str, pg_type: str) -> NDArray[Any]:
    if pg_type in _WHOLE:
        numbers = as_int64(values, name)
        limits = np.iinfo(FIXED[pg_type])
        outside = (numbers < limits.min) | (numbers > limits.max)
        if outside.any():
            row = int(outside.argmax())
            raise ValueError(f"{name} {row} is {numbers[row]}: beyond {pg_type}")
        return numbers.astype(FIXED[pg_type])
    if pg_type == "uuid":
        return _uuids(values, name)
    try:
        if pg_type in _TIMES:
            return _times(values, name, pg_type)
        array = as_array(values if len(values) else np.empty(0, np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise (TypeError if isinstance(error, TypeError) else ValueError)(f"{name}: {error}") from None
    wanted = "b" if pg_type == "boolean" else "fiu"
    if array.ndim != 1 or (array.dtype.kind not in wanted and array.size):
        raise TypeError(f"{name} is a column of {pg_type}, one a row, not {array.dtype} of shape {array.shape}")
    with np.errstate(over="ignore"):
        made = array.astype(FIXED[pg_type])
    if pg_type == "real" and (lost := np.isinf(made) & np.isfinite(array)).any():
        row = int(lost.argmax())
        raise ValueError(f"{name} {row} is {array[row]}: beyond real")
    return made


def _times(values: Any, name: str, pg_type: str) -> NDArray[Any]:
    """Return days, or microseconds, from the year 2000 on."""
    zero, limits = _TIMES[pg_type], np.iinfo(FIXED[pg_type].newbyteorder("="))
    given = [_naive(value, f"{name} {row}", pg_type) for row, value in enumerate(values)]
    times = np.array(given, zero.dtype)
    passed = (times - zero).astype(np.int64)
    beyond = np.isnat(times) | (passed <= limits.min) | (passed >= limits.max)
    for row, value in enumerate(given):
        if beyond[row] or (isinstance(value, np.datetime64) and value.astype("M8[Y]") != times[row].astype("M8[Y]")):
            raise ValueError(f"{name} {row} is {shown(value)}: beyond {pg_type}")
    return passed.astype(FIXED[pg_type])


def _naive(value: Any, place: str, pg_type: str) -> Any:
    """Return a time as NumPy takes it: one with a zone in UTC, as timestamptz columns have it."""
    if not isinstance(value, date | np.datetime64 | str) or value == "":
        raise TypeError(f"{place} is {shown(value)}, not a {pg_type}")
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def _uuids(values: Iterable[Any], name: str) -> NDArray[Any]:
    found = []
    for row, value in enumerate(values):
        try:
            if isinstance(value, np.void):
                value = value.tobytes()
            if isinstance(value, bytes | bytearray | memoryview):
                found.append(UUID(bytes=bytes(value)).bytes)
            else:
                found.append((UUID(value) if isinstance(value, str) else value).bytes)
        except (AttributeError, TypeError, ValueError):
            raise TypeError(f"{name} {row} is {shown(value)}, not a UUID, its text or its 16 bytes") from None
    return np.frombuffer(b"".join(found), "V16")


def _variable(value: Any, place: str, pg_type: str) -> bytes:
    if pg_type == "bytea":
        if not isinstance(value, bytes | bytearray | memoryview) or isinstance(value, np.bytes_):
            drops = ", of a NumPy array, which drops zeros at the end" if isinstance(value, np.bytes_) else ""
            raise TypeError(f"{place} is {shown(value)}, not bytes{drops}")
        return bytes(value)
    if pg_type in ("json", "jsonb"):
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{place} is no JSON: {error}") from None
        return b"\x01" + text if pg_type == "jsonb" else text
    if not isinstance(value, str):
        raise TypeError(f"{place} is {shown(value)}, not text")
    if "\0" in value:
        raise ValueError(f"{place} has a character 0, which PostgreSQL's text has not")
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{place} has half of a surrogate pair") from None


def _with_length(field: bytes) -> bytes:
    return _LENGTH.pack(len(field)) + field


def _text(field: bytes) -> str:
    return str(field, "utf-8")


def _jsonb(field: bytes) -> Any:
    if field[:1] != b"\x01":
        raise ValueError("a version of jsonb that is not known")
    return _json(field[1:])


def _json(field: bytes) -> Any:
    try:
        return json.loads(field)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


_READERS: dict[str, Callable[[bytes], Any]] = {"text": _text, "bytea": bytes, "json": _json, "jsonb": _jsonb}
