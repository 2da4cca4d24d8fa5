"""The fields of a column of a COPY as they are read: collected as bytes, and made values of at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dtypes import PgvectorKind
from ...embeddings import Embeddings
from ...errors import StorageError
from .pgcolumns import FIXED, read_fixed, reader_of
from .pgvector import MOST_BYTES, checked_head, decoded, kind_of


class Fields:
    """The fields of a column that is called `name`, of at most `most` bytes each."""

    most: int = (1 << 30) - 1  # PostgreSQL's own limit
    size: int = 0

    def __init__(self, name: str) -> None:
        self.name = name

    def __len__(self) -> int:
        raise NotImplementedError

    def add(self, field: bytes | None, place: str) -> None:
        """Take a field, None for NULL; what cannot be one of the column is a StorageError that names the `place`."""
        raise NotImplementedError

    def alike(self) -> bytes | None:
        """Return what fields of the same `size` begin with, for :meth:`extend`; None where lengths differ."""
        return None

    def extend(self, fields: NDArray[np.uint8]) -> None:
        """Take fields that are alike, (n, size)."""
        raise NotImplementedError

    def taken(self) -> Any:
        """Return what the fields hold, and begin anew."""
        raise NotImplementedError


class VariableFields(Fields):
    """Text, bytes and JSON."""

    def __init__(self, name: str, pg_type: str) -> None:
        super().__init__(name)
        self._read = reader_of(pg_type)
        self._pg_type = pg_type
        self._values: list[Any] = []

    def __len__(self) -> int:
        return len(self._values)

    def add(self, field: bytes | None, place: str) -> None:
        """Take a field's value."""
        try:
            self._values.append(None if field is None else self._read(field))
        except ValueError as error:
            raise StorageError(f"{place} is no {self._pg_type}: {error}") from None

    def taken(self) -> list[Any]:
        """Return the values."""
        found, self._values = self._values, []
        return found


class FixedFields(Fields):
    """Numbers, dates, times and UUIDs."""

    def __init__(self, name: str, pg_type: str, way_out: str = "") -> None:
        super().__init__(name)
        self._pg_type, self._way_out = pg_type, way_out
        self.size = FIXED[pg_type].itemsize
        self._bytes = bytearray()
        self._nulls: list[int] = []

    def __len__(self) -> int:
        return len(self._bytes) // self.size

    def add(self, field: bytes | None, place: str) -> None:
        """Take a field, of the type's size."""
        if field is None:
            self._nulls.append(len(self))
            field = bytes(self.size)
        elif len(field) != self.size:
            kind = f"an {self._pg_type}" if self._pg_type[0] == "i" else f"a {self._pg_type}"
            raise StorageError(f"{place} has {len(field)} bytes, and {kind} {self.size}{self._way_out}")
        self._bytes += field

    def alike(self) -> bytes:
        """Return nothing: any bytes will do."""
        return b""

    def extend(self, fields: NDArray[np.uint8]) -> None:
        """Take fields, (n, size)."""
        self._bytes += fields.tobytes()

    def taken(self) -> Any:
        """Return an array, or a list where there are NULLs, and of UUIDs."""
        fields, self._bytes = self._bytes, bytearray()
        nulls, self._nulls = self._nulls, []
        try:
            found = read_fixed(np.frombuffer(fields, FIXED[self._pg_type]), self._pg_type)
        except ValueError as error:
            raise StorageError(f"column {self.name!r} has {error}") from None
        if not nulls:
            return found
        listed = found if isinstance(found, list) else found.tolist()
        for row in nulls:
            listed[row] = None
        return listed


class VectorFields(Fields):
    """Vectors, all of the kind and the dimension of the first."""

    most = MOST_BYTES

    def __init__(self, name: str, kind: PgvectorKind | None, said: Callable[[PgvectorKind], str]) -> None:
        super().__init__(name)
        self._kind, self._said = kind, said
        self._head = b""
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes) // self.size if self.size else 0

    def add(self, field: bytes | None, place: str) -> None:
        """Take a vector."""
        if field is None:
            raise StorageError(f"{place} is NULL, not a vector: leave such rows out (WHERE {self.name} IS NOT NULL)")
        self._kind = self._kind or kind_of(field, place)
        head = checked_head(field, self._kind, place, self._said)
        if self._head and head != self._head:
            raise StorageError(f"{place} has another dimension than the row before it")
        self._head, self.size = head, len(field)
        self._bytes += field

    def alike(self) -> bytes | None:
        """Return the head of the vectors; none before the first."""
        return self._head

    def extend(self, fields: NDArray[np.uint8]) -> None:
        """Take vectors of that head, (n, size)."""
        self._bytes += fields.tobytes()

    def taken(self) -> Embeddings:
        """Return the vectors as rows."""
        count, fields = len(self), self._bytes
        self._bytes = bytearray()
        assert self._kind is not None  # since there is a field
        return decoded(fields, self._kind, count)
