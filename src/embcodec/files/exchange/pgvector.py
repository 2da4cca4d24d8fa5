"""Rows in pgvector's forms: of the binary protocol, and its text.

Big-endian::

    vector, halfvec   | i16 d | i16 0 | d values of 4 or 2 bytes |
    bit(d)            | i32 d | ceil(d / 8) bytes, the first dimension in the highest bit |
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._native.floats import PAYLOADS
from ...codec import format_floats, narrowed_floats, parse_floats
from ...dtypes import OutputDtype, PgvectorKind
from ...embeddings import Embeddings
from ...errors import DecodeError, StorageError
from ...words import shown
from .rows import as_blob, as_blobs, as_sequence, check_finite, check_halves, packed_bytes, sendable

_PGVECTOR_MOST = 16_000
_HEAD = 4
MOST_BYTES = 83_886_080 // 8 + _HEAD  # of the longest field: PostgreSQL's longest bit(n)
_ITEMS: dict[PgvectorKind, str] = {"vector": ">f4", "halfvec": ">f2", "bit": "u1"}


@overload
def to_pgvector(
    embeddings: Embeddings | ArrayLike, *, half: bool = False, text: Literal[False] = False
) -> list[bytes]: ...


@overload
def to_pgvector(embeddings: Embeddings | ArrayLike, *, half: bool = False, text: Literal[True]) -> list[str]: ...


def to_pgvector(
    embeddings: Embeddings | ArrayLike, *, half: bool = False, text: bool = False
) -> list[bytes] | list[str]:
    """Return each row as pgvector takes it: ``vector`` (``halfvec`` if `half`), bits as ``bit(d)``.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    half : bool
        As ``halfvec``: values are rounded to float16.
    text : bool
        As text, ``'[1.0,-2.0]'`` and of bits ``'0101'``, which any driver sends; else in the binary protocol's form.

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
    >>> to_pgvector([[1.0, -2.0]], text=True)
    ['[1.0,-2.0]']
    """
    rows, kind = sent_vectors(embeddings, half)
    if not text:
        made = np.empty((len(rows), vector_bytes(kind, rows.dimension)), np.uint8)
        write_vectors(rows, kind, made)
        return as_blobs(made)
    if kind == "bit":
        bits = np.unpackbits(packed_bytes(rows, "msb"), axis=1, count=rows.dimension)
        return [str(row, "ascii") for row in as_blobs(bits + np.uint8(ord("0")))]
    values = rows.values
    if kind == "halfvec":
        values = narrowed_floats(values, PAYLOADS["float16", "little"]).view("<f2").astype(np.float32)
    return [f"[{row}]" for row in str(format_floats(values), "ascii")[2:-2].split("],[")] if len(values) else []


def sent_vectors(embeddings: Any, half: bool) -> tuple[Embeddings, PgvectorKind]:
    """Return rows that pgvector holds, and their type there; others are refused as :func:`to_pgvector` says."""
    rows = sendable(embeddings, "pgvector")
    if rows.output_dtype.is_packed:
        if half:
            raise ValueError("half=True is for floats: bits become bit(d)")
        if not rows.dimension:
            raise StorageError("pgvector has no rows of 0 dimensions")
        return rows, "bit"
    if rows.output_dtype is not OutputDtype.FLOAT:
        raise StorageError(f"pgvector has no {rows.output_dtype}: send Embeddings(rows.to_float())")
    if not 1 <= rows.dimension <= _PGVECTOR_MOST:
        raise StorageError(f"pgvector stores 1 to {_PGVECTOR_MOST} dimensions, not {rows.dimension}")
    if half:
        check_halves(rows.values, "pgvector")
    else:
        check_finite(rows.values, "pgvector")
    return rows, "halfvec" if half else "vector"


def vector_bytes(kind: PgvectorKind, dimension: int) -> int:
    """Return how long a row is in the binary protocol."""
    return _HEAD + (-(-dimension // 8) if kind == "bit" else dimension * np.dtype(_ITEMS[kind]).itemsize)


def write_vectors(rows: Embeddings, kind: PgvectorKind, out: NDArray[np.uint8]) -> None:
    """Write what the binary protocol has of each row, into `out` (n, bytes), whose rows may lie apart."""
    head, values = out[:, :_HEAD], out[:, _HEAD:]
    if kind == "bit":
        head[:] = np.frombuffer(struct.pack(">i", rows.dimension), np.uint8)
        values[:] = packed_bytes(rows, "msb")
        return
    head[:] = np.frombuffer(struct.pack(">hh", rows.dimension, 0), np.uint8)
    if kind == "halfvec":
        values[:] = narrowed_floats(rows.values, PAYLOADS["float16", "big"])
    else:
        values.view(">f4")[:] = rows.values


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
        raise ValueError(f"kind is 'vector', 'halfvec' or 'bit', not {shown(kind)}")
    given = as_sequence(rows, "from_pgvector")
    if isinstance(given[0], str):
        return _of_text(given, kind)
    texts = [_blob(row, number) for number, row in enumerate(given)]
    kind = kind or kind_of(texts[0], "row 0")
    head = checked_head(texts[0], kind, "row 0")
    for number, text in enumerate(texts):
        if len(text) != len(texts[0]) or text[:_HEAD] != head:
            raise StorageError(
                f"row {number} is not {_dimension(kind, head)} dimensions of a {kind}{_known(text, kind)}"
            )
    return decoded(b"".join(texts), kind, len(texts))


def kind_of(field: bytes, place: str) -> PgvectorKind:
    """Return what a field of the binary protocol is by its length, which no two kinds share."""
    found = next((kind for kind in _ITEMS if vector_bytes(kind, _dimension(kind, field)) == len(field)), None)
    if found is None:
        words = f"{place}, of {len(field)} bytes, is no vector, halfvec or bit of the binary protocol"
        sparse = len(field) >= 12 and len(field) == 12 + 8 * int.from_bytes(field[4:8], "big")
        raise StorageError(words + (": a sparsevec? select it as ::vector" if sparse else ""))
    return found


def checked_head(
    field: bytes, kind: PgvectorKind, place: str, said: Callable[[PgvectorKind], str] | None = None
) -> bytes:
    """Return the bytes before the values, of a field that is as long as they say; `said` is how one names a kind."""
    head = field[:_HEAD]
    if len(field) != vector_bytes(kind, _dimension(kind, head)):
        raise StorageError(f"{place} is not {_dimension(kind, head)} dimensions of a {kind}{_known(field, kind, said)}")
    if not _dimension(kind, head):
        raise StorageError(f"{place} is of 0 dimensions")
    if kind != "bit" and head[2:4] != b"\0\0":
        raise StorageError(f"{place}: the unused field of a vector is not 0")
    return head


def decoded(fields: bytes | bytearray, kind: PgvectorKind, count: int) -> Embeddings:
    """Return the rows of fields that have one head and lie one after the other."""
    dimension = _dimension(kind, fields[:_HEAD])
    width = dimension if kind != "bit" else -(-dimension // 8)
    record = np.dtype([("head", "V4"), ("values", _ITEMS[kind], (width,))])
    values = np.frombuffer(fields, record, count)["values"]
    try:
        if kind == "bit":
            return Embeddings(values.copy(), "ubinary", dimension)
        return Embeddings(values.astype(np.float32))
    except ValueError as error:
        raise StorageError(str(error)) from None


def _known(field: bytes, kind: PgvectorKind, said: Callable[[PgvectorKind], str] | None = None) -> str:
    other = next((name for name in _ITEMS if len(field) == vector_bytes(name, _dimension(name, field))), kind)
    if other == kind:
        return ""
    return f", but has the length of a {other}: say {f'kind={other!r}' if said is None else said(other)}"


def _dimension(kind: PgvectorKind, field: bytes | bytearray) -> int:
    return int.from_bytes(field[:4] if kind == "bit" else field[:2], "big")


def _blob(row: Any, number: int) -> bytes:
    if type(row) is bytes and row[:1] != b"[":
        return row  # most
    if isinstance(row, str):
        raise StorageError(f"row {number} is text, row 0 is bytes")
    if type(row).__module__.partition(".")[0] == "pgvector" and type(row).__name__ != "SparseVector":
        return bytes(row.to_binary())
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
            known = " (a sparsevec or an array? select it as ::vector)" if row.startswith("{") else ""
            raise StorageError(f"row {number} is {row[:40]!r}, not a vector as text{known}")
        if row.count(",") != rows[0].count(","):
            counts = rows[0].count(",") + 1, row.count(",") + 1
            known = f"row 0 has {counts[0]} dimensions, row {number} has {counts[1]}"
            raise StorageError(_first_bad([rows[0]]) or _first_bad([row], number) or known)
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


def _first_bad(rows: list[str], first: int = 0) -> str | None:
    """Say of the first row that is no JSON array of numbers where it is none; rows are counted from `first`."""
    for number, row in enumerate(rows, first):
        try:
            parse_floats(row)
        except DecodeError as error:
            return f"row {number} is {row[:40]!r}: {error.reason} (character {error.offset})"
    return None
