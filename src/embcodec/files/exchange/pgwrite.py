r"""Rows, ids and other columns as PostgreSQL's binary COPY takes them.

Big-endian::

    header   | "PGCOPY\n\xff\r\n\0" | i32 flags | i32 bytes of an extension |
    a row    | i16 number of fields | i32 bytes of a field, -1 for NULL | the field | ...
    trailer  | i16 -1 |
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import IO, Any
from uuid import UUID

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...dtypes import PgColumnType, PgIdType
from ...embeddings import Embeddings
from ...words import one_of, shown
from .pgcolumns import ID_TYPES, Column, as_column
from .pgvector import sent_vectors, vector_bytes, write_vectors
from .rows import as_blobs, check_writable

COPY_HEAD = b"PGCOPY\n\xff\r\n\0"
COPY_TAIL = struct.pack(">h", -1)
_BLOCK_BYTES = 1 << 19  # of records in the making: they stay in the second-level cache


def write_pgcopy(
    file: IO[bytes],
    embeddings: Embeddings | ArrayLike,
    ids: ArrayLike | None = None,
    *,
    half: bool = False,
    id_type: PgIdType = "bigint",
    columns: Mapping[str, Any] | None = None,
    types: Mapping[str, PgColumnType] | None = None,
) -> None:
    """Write rows as PostgreSQL's ``COPY table (id, embedding, ...) FROM STDIN (FORMAT binary)`` reads them.

    Binary COPY converts nothing: each column of the table has to be of the type that is written. Nothing is written
    where rows, ids or columns are refused.

    Parameters
    ----------
    file : binary file
        Anything with a ``write`` that takes bytes, as psycopg's ``Copy`` has it.
    embeddings : Embeddings or array-like of floats, (n, dimension)
    ids : array-like, (n,), optional
        For a column before the vector; without it, the vector comes first.
    half : bool
        As ``halfvec``.
    id_type : {"bigint", "integer", "smallint", "text", "uuid"}
        What the column of ids is; a UUID may be given as text.
    columns : mapping of str to array-like (n,), optional
        For more columns, in this order, after the vector; the names are for errors alone. None is NULL.
    types : mapping of str to str, optional
        What some of `columns` are; by default what their values are: numbers of NumPy by their size, Python's int
        ``bigint``, float ``double precision``, str ``text``, bytes ``bytea``, dict and list ``jsonb``, UUID ``uuid``,
        bool, date and datetime (one with a zone, in UTC, for ``timestamptz``).

    Raises
    ------
    StorageError
        As :func:`to_pgvector` does.
    TypeError, ValueError
        For a file that is not open for bytes; for ids and values of another type than their column's, with their row,
        or not one a row.

    Examples
    --------
    >>> import io
    >>> from embcodec import read_pgcopy
    >>> file = io.BytesIO()
    >>> write_pgcopy(file, [[1.0, -2.0]], ["a"], id_type="text", columns={"year": [2024]})
    >>> read_pgcopy(io.BytesIO(file.getvalue()), {"id": "text", "embedding": "vector", "year": "bigint"}).columns
    {'id': ['a'], 'year': array([2024])}
    """
    check_writable(file)
    vectors = _vectors(embeddings, half)
    one_of(id_type, ID_TYPES, "id_type")
    before = [] if ids is None else [_column_of_ids(ids, id_type)]
    after = _named(columns, types)
    for name, column in [*(("ids", column) for column in before), *after.items()]:
        if column.rows != vectors.rows:
            raise ValueError(f"{column.rows} {name} for {vectors.rows} rows")
    file.write(COPY_HEAD + struct.pack(">ii", 0, 0))
    for block in _blocks([*before, vectors, *after.values()]):
        file.write(block)
    file.write(COPY_TAIL)


def _vectors(embeddings: Any, half: bool) -> Column:
    rows, kind = sent_vectors(embeddings, half)
    size = vector_bytes(kind, rows.dimension)
    return Column(len(rows), size, lambda some, out: write_vectors(rows[some], kind, out))


def _column_of_ids(ids: ArrayLike, id_type: PgIdType) -> Column:
    try:
        return as_column(ids, "id", id_type, nulls=False)
    except TypeError as error:
        has_axes = getattr(ids, "shape", None) != ()
        first: Any = next(iter(ids), None) if has_axes and isinstance(ids, Iterable) else None
        own = "uuid" if isinstance(first, UUID) else "text" if isinstance(first, str) else id_type
        if own == id_type or id_type == "uuid":
            raise
        raise TypeError(f"{error}; id_type={own!r} writes such ids") from None


def _named(columns: Mapping[str, Any] | None, types: Mapping[str, PgColumnType] | None) -> dict[str, Column]:
    """Return the columns after the vector, by what errors call their values."""
    for name, given in (("columns", columns), ("types", types)):
        if not (given is None or isinstance(given, Mapping)):
            raise TypeError(f"{name} maps names of columns to what they are, which {shown(given)} does not")
    columns, types = dict(columns or {}), dict(types or {})
    unknown = next((name for name in types if name not in columns), None)
    if unknown is not None:
        raise ValueError(f"types has {unknown!r}, which is none of the columns {list(columns)}")
    return {
        f"values of {name!r}": as_column(values, f"value of {name!r}", types.get(name))
        for name, values in columns.items()
    }


class _Records:
    """Fields of one size each, side by side, with what stands before each of them."""

    def __init__(self, head: bytes = b"") -> None:
        self.record = head
        self._fields: list[tuple[slice, Column]] = []
        self._made = np.empty((0, 0), np.uint8)

    def add(self, column: Column) -> None:
        """Put a field at the end."""
        begin = len(self.record) + 4
        self.record += struct.pack(">i", column.size) + bytes(column.size)
        self._fields.append((slice(begin, len(self.record)), column))

    def of_rows(self, rows: slice) -> NDArray[np.uint8]:
        """Return the records of some rows, (n, bytes), until the next call; none has more rows than the first."""
        count = rows.stop - rows.start
        if not len(self._made):
            self._made = np.tile(np.frombuffer(self.record, np.uint8), (count, 1))
        for place, column in self._fields:
            assert column.write is not None
            column.write(rows, self._made[:count, place])
        return self._made[:count]


def _blocks(columns: list[Column]) -> Iterator[bytes]:
    """Yield the bytes of some rows at a time: fields of one size as records, others row by row between them."""
    parts: list[_Records | list[bytes]] = []
    records = _Records(struct.pack(">h", len(columns)))
    for column in columns:
        if column.fields is None:
            records.add(column)
        else:
            parts += [records, column.fields]
            records = _Records()
    parts += [records] if records.record else []
    count, step = columns[0].rows, max(1, _BLOCK_BYTES // max(sum(column.size for column in columns), 1))
    for begin in range(0, count, step):
        rows = slice(begin, min(begin + step, count))
        made = [part.of_rows(rows) if isinstance(part, _Records) else part[rows] for part in parts]
        if isinstance(made[0], np.ndarray) and len(made) == 1:
            yield made[0].tobytes()
        else:
            blobs = [as_blobs(part) if isinstance(part, np.ndarray) else part for part in made]
            yield b"".join(chain.from_iterable(zip(*blobs, strict=True)))
