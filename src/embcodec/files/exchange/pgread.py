"""What PostgreSQL's ``COPY ... TO ... (FORMAT binary)`` writes, read as it comes: long, damaged or cut."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import IO, Any, NamedTuple, get_args

import numpy as np

from ...dtypes import PgColumnType, PgvectorKind, as_dimension
from ...embeddings import Embeddings
from ...errors import StorageError
from ...words import one_of, shown
from .pgcolumns import COLUMN_TYPES, FIXED
from .pgfields import Fields, FixedFields, VariableFields, VectorFields
from .pgstream import Stream

_KINDS: tuple[PgvectorKind, ...] = get_args(PgvectorKind)
_DEFAULT: dict[int, dict[str, Any]] = {1: {"embedding": None}, 2: {"id": "bigint", "embedding": None}}
_COUNT = struct.Struct(">h")
_LENGTH = struct.Struct(">i")
_END = -1


class CopiedRows(NamedTuple):
    """Rows of a table: vectors, and the columns beside them by name.

    Columns are arrays of NumPy's where each field has a number, a date or a time; else lists, None for NULL.
    """

    embeddings: Embeddings
    columns: dict[str, Any]

    @property
    def ids(self) -> Any:
        """The first of the columns beside the vectors; None where there is none."""
        return next(iter(self.columns.values()), None)


def read_pgcopy(
    file: IO[bytes] | Iterable[bytes],
    columns: Mapping[str, PgColumnType | PgvectorKind | None] | None = None,
) -> CopiedRows:
    """Read what ``COPY table (id, embedding, ...) TO STDOUT (FORMAT binary)`` wrote, or :func:`write_pgcopy`.

    Parameters
    ----------
    file : binary file, or iterable of bytes
        Anything with ``read(size)``, or that gives pieces of any length, as psycopg's ``Copy`` does.
    columns : mapping of str to str, optional
        The columns' names and types in the order of the COPY, which says neither: the types of :func:`write_pgcopy`,
        and for the one of vectors ``"vector"``, ``"halfvec"``, ``"bit"``, or None, to tell it by its length. By
        default two are ``{"id": "bigint", "embedding": None}``, and one the vectors.

    Returns
    -------
    CopiedRows
        ``.embeddings``, floats or, of bits, ``"ubinary"``; ``.columns`` by name; ``.ids``, the first of them.

    Raises
    ------
    StorageError
        For what is no such COPY, is cut, or has fields of other types than was said: with the row, the column and the
        byte; for vectors that are NULL, or of several dimensions, and for no rows at all.
    TypeError, ValueError
        For a file that is not open for bytes, and columns without one of vectors.

    See Also
    --------
    iter_pgcopy : the same in bounded memory.

    Examples
    --------
    >>> import io
    >>> from embcodec import write_pgcopy
    >>> file = io.BytesIO()
    >>> write_pgcopy(file, [[1.0, -2.0]], [7])
    >>> rows = read_pgcopy(io.BytesIO(file.getvalue()))
    >>> rows.embeddings.values.tolist(), rows.ids.tolist()
    ([[1.0, -2.0]], [7])
    """
    found = next(_batches(file, columns, None), None)
    if found is None:
        raise StorageError("the COPY has no rows, which would say their dimension")
    return found


def iter_pgcopy(
    file: IO[bytes] | Iterable[bytes],
    columns: Mapping[str, PgColumnType | PgvectorKind | None] | None = None,
    *,
    batch_rows: int = 65_536,
) -> Iterator[CopiedRows]:
    """Read a COPY as :func:`read_pgcopy` does, `batch_rows` rows at a time; nothing of one without rows.

    Raises
    ------
    StorageError, TypeError, ValueError
        As :func:`read_pgcopy` does, once it comes to what is wrong.

    Examples
    --------
    >>> import io
    >>> from embcodec import write_pgcopy
    >>> file = io.BytesIO()
    >>> write_pgcopy(file, np.ones((5, 2)))
    >>> [len(rows.embeddings) for rows in iter_pgcopy(io.BytesIO(file.getvalue()), batch_rows=2)]
    [2, 2, 1]
    """
    return _batches(file, columns, as_dimension(batch_rows, least=1, name="batch_rows"))


def _batches(file: Any, columns: Any, most: int | None) -> Iterator[CopiedRows]:
    fields = None if columns is None else _fields(_checked(columns))
    stream = Stream(file)
    stream.skip_header()
    row = 0
    while (count := _COUNT.unpack(stream.take(2, f"before row {row}"))[0]) != _END:
        if fields is None:
            fields = _fields(_default(count), ": say columns={'id': 'uuid', 'embedding': 'vector'}, or what they are")
        if count != len(fields):
            names = [column.name for column in fields]
            raise StorageError(f"row {row} (byte {stream.offset - 2}) has {count} fields, not {len(fields)}: {names}")
        _read_row(stream, fields, row)
        row += 1 + _read_alike(stream, fields, None if most is None else most - len(fields[0]))
        if len(fields[0]) == most:
            yield _made(fields)
    if not stream.is_at_end():
        raise StorageError(f"more bytes after the end of the COPY (byte {stream.offset})")
    if fields is not None and len(fields[0]):
        yield _made(fields)


def _checked(columns: Any) -> dict[str, Any]:
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns is a mapping of names to types, as {_DEFAULT[2]}, not {shown(columns)}")
    vectors = [name for name, kind in columns.items() if kind is None or (isinstance(kind, str) and kind in _KINDS)]
    if len(vectors) != 1:
        raise ValueError(
            f"columns has {len(vectors)} columns of vectors, not one: those of {', '.join(_KINDS)} or None"
        )
    for name, kind in columns.items():
        if name not in vectors:
            one_of(kind, (*COLUMN_TYPES, *_KINDS), f"the type of column {name!r}")
    return dict(columns)


def _default(count: int) -> dict[str, Any]:
    if count not in _DEFAULT:
        raise StorageError(
            f"row 0 has {count} fields: say what they are, columns={{'id': 'bigint', 'embedding': 'vector', ...}}"
        )
    return _DEFAULT[count]


def _fields(columns: Mapping[str, Any], way_out: str = "") -> list[Fields]:
    def said(name: str, kind: PgvectorKind) -> str:
        return f"columns={ {**columns, name: kind} }"

    made: list[Fields] = []
    for name, kind in columns.items():
        if kind is None or kind in _KINDS:
            made.append(VectorFields(name, kind, partial(said, name)))
        elif kind in FIXED:
            made.append(FixedFields(name, kind, way_out))
        else:
            made.append(VariableFields(name, kind))
    return made


def _read_row(stream: Stream, fields: list[Fields], row: int) -> None:
    for column in fields:
        place = f"row {row}, column {column.name!r} (byte {stream.offset})"
        length = _LENGTH.unpack(stream.take(4, f"in {place}"))[0]
        if length == -1:
            column.add(None, place)
            continue
        if not 0 <= length <= column.most:
            raise StorageError(f"{place} says that it has {length} bytes, of at most {column.most}")
        column.add(stream.take(length, f"in {place}"), place)


def _read_alike(stream: Stream, fields: list[Fields], most: int | None) -> int:
    """Read rows whose fields all have the lengths, and the vectors the head, of the row before: many at a time."""
    record, fixed, places = bytearray(_COUNT.pack(len(fields))), [0, 1], []
    for column in fields:
        head = column.alike()
        if head is None:
            return 0
        fixed += range(len(record), len(record) + 4 + len(head))
        record += _LENGTH.pack(column.size) + head
        places.append(slice(len(record) - len(head), len(record) - len(head) + column.size))
        record += bytes(column.size - len(head))
    count = 0
    while most is None or count < most:
        some = stream.records(len(record), None if most is None else most - count)
        alike = (some[:, fixed] == np.frombuffer(record, np.uint8)[fixed]).all(axis=1)
        found = len(some) if alike.all() else int(alike.argmin())
        for column, place in zip(fields, places, strict=True):
            column.extend(some[:found, place])
        stream.advance(found * len(record))
        count += found
        if found < len(some) or not found:
            break
    return count


def _made(fields: list[Fields]) -> CopiedRows:
    embeddings = next(column for column in fields if isinstance(column, VectorFields)).taken()
    others = {column.name: column.taken() for column in fields if not isinstance(column, VectorFields)}
    return CopiedRows(embeddings, others)
