"""Rows in pgvector's forms: of the binary protocol, and its text.

Big-endian::

    vector, halfvec   | i16 d | i16 0 | d values of 4 or 2 bytes |
    bit(d)            | i32 d | ceil(d / 8) bytes, the first dimension in the highest bit |
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from io import TextIOBase
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike

from ...codec import as_int64, parse_floats
from ...dtypes import OutputDtype, PgvectorKind
from ...embeddings import Embeddings
from ...errors import DecodeError, StorageError
from ...words import shown
from .rows import as_blob, as_blobs, as_sequence, packed_bytes, sendable

_PGVECTOR_MOST = 16_000
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_TAIL = struct.pack(">h", -1)
_HEAD = 4
_ITEMS: dict[PgvectorKind, str] = {"vector": ">f4", "halfvec": ">f2", "bit": "u1"}


def to_pgvector(embeddings: Embeddings | ArrayLike, *, half: bool = False) -> list[bytes]:
    """Return each row as pgvector's binary protocol sends it: ``vector`` (``halfvec`` if `half`), bits as ``bit(d)``.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    half : bool
        As ``halfvec``: values are rounded to float16.

    Raises
    ------
    StorageError
        For int8 and uint8 rows (convert them with ``.to_float()``), no dimensions or more than 16,000 of numbers, and
        NaN, Infinity or what overflows a half.
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> to_pgvector([[1.0, -2.0]])[0].hex()
    '000200003f800000c0000000'
    """
    sent = sendable(embeddings, "pgvector")
    rows, dimension = len(sent), sent.dimension
    if sent.output_dtype.is_packed:
        if half:
            raise ValueError("half=True is for floats: bits become bit(d)")
        if not dimension:
            raise StorageError("pgvector has no rows of 0 dimensions")
        packed = packed_bytes(sent, "msb")
        record = np.dtype([("d", ">i4"), ("bytes", "u1", (packed.shape[1],))])
        records = np.empty(rows, record)
        records["d"], records["bytes"] = dimension, packed
        return as_blobs(records)
    if sent.output_dtype is not OutputDtype.FLOAT:
        raise StorageError(f"pgvector has no {sent.output_dtype}: send Embeddings(rows.to_float())")
    if not 1 <= dimension <= _PGVECTOR_MOST:
        raise StorageError(f"pgvector stores 1 to {_PGVECTOR_MOST} dimensions, not {dimension}")
    with np.errstate(over="ignore"):
        values = sent.values.astype(">f2" if half else ">f4")
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values)).any(axis=1).argmax())
        raise StorageError(f"row {row} has NaN, Infinity or a value too large: pgvector refuses them")
    records = np.zeros(rows, np.dtype([("d", ">i2"), ("unused", ">i2"), ("values", values.dtype, (dimension,))]))
    records["d"], records["values"] = dimension, values
    return as_blobs(records)


def from_pgvector(rows: Iterable[bytes] | Iterable[str], *, kind: PgvectorKind | None = None) -> Embeddings:
    """Read rows of pgvector, in its binary form or as text.

    Parameters
    ----------
    rows : iterable of bytes, or of str
        What the binary protocol sends, as :func:`to_pgvector` makes it; or what a driver shows that does not know
        pgvector: ``'[0.5,1]'``, of bits ``'0101'``.
    kind : {"vector", "halfvec", "bit"}, optional
        What the column is; by default what the first row's length says, which no two kinds share.

    Returns
    -------
    Embeddings
        ``"float"``, or of bits ``"ubinary"``.

    Raises
    ------
    StorageError
        For a row of another length than it announces, or than the first; for a NULL, and no rows at all.
    TypeError
        For rows that are neither bytes nor text: arrays, numbers.

    Examples
    --------
    >>> from_pgvector(to_pgvector([[1.0, -2.0]], half=True)).values.tolist()
    [[1.0, -2.0]]
    >>> from_pgvector(["[1,-2]"]).values.tolist()
    [[1.0, -2.0]]
    """
    if kind is not None and (not isinstance(kind, str) or kind not in _ITEMS):
        raise ValueError(f"kind is 'vector', 'halfvec' or 'bit', not {kind!r}")
    given = as_sequence(rows, "from_pgvector")
    if isinstance(given[0], str):
        return _of_text(given, kind)
    texts = [_blob(row, number) for number, row in enumerate(given)]
    if len(texts[0]) < _HEAD:
        raise StorageError("row 0 is too short")
    if kind is None:
        kind = next((name for name in _ITEMS if len(texts[0]) == _length(name, _dimension(name, texts[0]))), None)
        if kind is None:
            raise StorageError(f"row 0, of {len(texts[0])} bytes, is no vector, halfvec or bit of the binary protocol")
    dimension = _dimension(kind, texts[0])
    head, length = texts[0][:_HEAD], _length(kind, dimension)
    for number, text in enumerate(texts):
        if len(text) != length or text[:_HEAD] != head:
            other = next((name for name in _ITEMS if len(text) == _length(name, _dimension(name, text))), kind)
            known = "" if other == kind else f", but has the length of a {other}: say kind={other!r}"
            raise StorageError(f"row {number} is not {dimension} dimensions of a {kind}{known}")
    if not dimension:
        raise StorageError("rows of 0 dimensions")
    if kind != "bit" and texts[0][2:4] != b"\0\0":
        raise StorageError("the unused field of a vector is not 0")
    values = np.frombuffer(b"".join(text[_HEAD:] for text in texts), _ITEMS[kind]).reshape(len(texts), -1)
    try:
        if kind == "bit":
            return Embeddings(values.copy(), "ubinary", dimension)
        return Embeddings(values.astype(np.float32))
    except ValueError as error:
        raise StorageError(str(error)) from None


def _dimension(kind: PgvectorKind, text: bytes) -> int:
    return int.from_bytes(text[:4] if kind == "bit" else text[:2], "big")


def _length(kind: PgvectorKind, dimension: int) -> int:
    return _HEAD + (-(-dimension // 8) if kind == "bit" else dimension * np.dtype(_ITEMS[kind]).itemsize)


def _blob(row: Any, number: int) -> bytes:
    if type(row) is bytes and row[:1] != b"[":
        return row  # most
    if isinstance(row, str):
        raise StorageError(f"row {number} is text, row 0 is bytes")
    blob = as_blob(row, number)
    if blob[:1] == b"[" and blob[-1:] == b"]":  # 23,000 dimensions as a head, more than a vector has
        raise StorageError(f"row {number} is text in bytes: pass row.decode()")
    return blob


def _of_text(rows: list[Any], kind: str | None) -> Embeddings:
    for number, row in enumerate(rows):
        if not isinstance(row, str):
            raise StorageError(f"row {number} is {'NULL' if row is None else type(row).__name__}, row 0 is text")
    if kind == "bit" or (kind is None and rows[0][:1] in ("0", "1")):
        return _of_bit_text(rows)
    for number, row in enumerate(rows):
        if not (row.startswith("[") and row.endswith("]")):
            known = " (a sparsevec? select it as ::vector)" if row.startswith("{") else ""
            raise StorageError(f"row {number} is {row[:40]!r}, not a vector as text{known}")
        if row.count(",") != rows[0].count(","):
            counts = rows[0].count(",") + 1, row.count(",") + 1
            raise StorageError(f"row 0 has {counts[0]} dimensions, row {number} has {counts[1]}")
    if rows[0].strip("[] ") == "":
        raise StorageError("row 0 is of 0 dimensions")
    try:
        return Embeddings(parse_floats("[" + ",".join(rows) + "]"))
    except DecodeError as error:
        raise StorageError(_first_bad(rows) or f"{error.reason}, in a vector as text") from None


def _of_bit_text(rows: list[str]) -> Embeddings:
    for number, row in enumerate(rows):
        if not row or row.strip("01") or len(row) != len(rows[0]):
            raise StorageError(f"row {number} is {row[:40]!r}, not {len(rows[0])} bits as text")
    bits = np.frombuffer("".join(rows).encode(), np.uint8).reshape(len(rows), -1) - np.uint8(ord("0"))
    return Embeddings(np.packbits(bits, axis=1), "ubinary", bits.shape[1])


def _first_bad(rows: list[str]) -> str | None:
    for number, row in enumerate(rows):
        try:
            parse_floats(row)
        except DecodeError as error:
            return f"row {number} is {row[:40]!r}: {error.reason} (character {error.offset})"
    return None


def write_pgcopy(
    file: IO[bytes], embeddings: Embeddings | ArrayLike, ids: ArrayLike | None = None, *, half: bool = False
) -> None:
    """Write rows as PostgreSQL's ``COPY table (id, embedding) FROM STDIN (FORMAT binary)`` reads them.

    Nothing is written where rows or ids are refused.

    Parameters
    ----------
    file : binary file
    embeddings : Embeddings or array-like of floats, (n, dimension)
    ids : array-like of int, (n,), optional
        For a bigint column before the vector; without it, only the vector is written.
    half : bool
        As ``halfvec``.

    Raises
    ------
    StorageError
        As :func:`to_pgvector` does.
    TypeError, ValueError
        For a file that is not open for bytes; for ids that are no whole numbers of 64 bits, with their row, or not
        one a row.
    """
    given: Any = file
    if not callable(getattr(given, "write", None)) or isinstance(given, TextIOBase):
        raise TypeError(f"file is one open for bytes, as open(path, 'wb') is, not {shown(given)}")
    rows = to_pgvector(embeddings, half=half)
    numbers = None if ids is None else as_int64(ids).tolist()
    if numbers is not None and len(numbers) != len(rows):
        raise ValueError(f"{len(numbers)} ids for {len(rows)} rows")
    file.write(_COPY_HEAD)
    for number, row in enumerate(rows):
        if numbers is None:
            file.write(struct.pack(">hi", 1, len(row)) + row)
        else:
            file.write(struct.pack(">hiqi", 2, 8, numbers[number], len(row)) + row)
    file.write(_COPY_TAIL)
