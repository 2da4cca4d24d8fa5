"""What the exchange with stores shares: rows that can be sent, rows as blobs, and blobs that came."""

from __future__ import annotations

from collections.abc import Iterable
from io import TextIOBase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native.bits import require_finite
from ...codec import reversed_bits
from ...embeddings import Embeddings, of_floats
from ...errors import NotFiniteError, StorageError
from ...quantizers.lowbit import LowBitCodes
from ...scale import UNIT
from ...words import shown

_BLOCK_ROWS = 256
_HALF_OVERFLOWS = np.float32(65520)  # and what is larger becomes an infinity of float16


def sendable(rows: Any, store: str) -> Embeddings:
    """Return rows as Embeddings, bare floats as ``"float"``, where `store` has a form for what they are."""
    if isinstance(rows, LowBitCodes):
        raise StorageError(f"{store} has no low-bit codes: send what they stand for, rows.to('float')")
    return of_floats(rows, "rows")


def refuse_scale(rows: Embeddings, store: str, way_back: str) -> None:
    """Refuse codes whose scale `store` has no room for; `way_back` takes it again beside the bare codes."""
    if rows.scale is not None and rows.scale.kind != UNIT:
        raise StorageError(
            f"{store} has no room for the {rows.scale.kind} scale: send the values, rows.to('float'); or the bare "
            f"codes, Embeddings(rows.values, '{rows.output_dtype}'), and keep rows.scale for {way_back}"
        )


def check_writable(file: Any) -> None:
    """Refuse what is not open for bytes."""
    if not callable(getattr(file, "write", None)) or isinstance(file, TextIOBase):
        raise TypeError(f"file is one open for bytes, as open(path, 'wb') is, not {shown(file)}")


def check_finite(values: NDArray[np.float32], store: str) -> None:
    """Refuse NaN and Infinity, which `store` does not hold; of float32 (n, dimension)."""
    try:
        require_finite(values)
    except NotFiniteError as error:
        place = f"row {error.row}, column {error.column} is {error.value}"
        raise StorageError(f"{place}: {store} holds no NaN and no Infinity") from None


def check_halves(values: NDArray[np.float32], store: str) -> None:
    """Refuse what float16 does not hold: NaN, Infinity and what rounds to one."""
    check_finite(values, store)
    for begin in range(0, len(values), _BLOCK_ROWS):
        block = np.abs(values[begin : begin + _BLOCK_ROWS])
        if block.size and block.max() >= _HALF_OVERFLOWS:
            row, column = divmod(int((block >= _HALF_OVERFLOWS).argmax()), block.shape[1])
            row += begin
            raise StorageError(f"row {row}, column {column} is {values[row, column]}: too large for a float16")


def packed_bytes(rows: Embeddings, bit_order: str) -> NDArray[np.uint8]:
    """Return packed rows as plain bytes whose bits lie in `bit_order`."""
    packed = rows.packed_bytes()
    return packed if rows.bit_order == bit_order else reversed_bits(packed)


def as_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of each row, uint8 (n, bytes); a view where they lie together."""
    rows = np.ascontiguousarray(rows)
    size = rows.dtype.itemsize * int(np.prod(rows.shape[1:]))
    return rows.reshape(-1).view(np.uint8).reshape(len(rows), size)


def as_blobs(rows: NDArray[Any]) -> list[bytes]:
    """Return the bytes of each row."""
    packed = as_bytes(rows)
    if not packed.shape[1]:
        return [b""] * len(packed)
    # As one void element a row: NumPy's own loop makes the objects, with no copy of all rows and no slice of Python's.
    elements: Any = packed.view(np.dtype((np.void, packed.shape[1])))
    blobs: list[bytes] = elements.ravel().tolist()
    return blobs


def checked_blobs(rows: Iterable[Any], reader: str) -> list[bytes]:
    """Return what came from a store as bytes: nothing else is taken for such.

    Raises
    ------
    StorageError
        For a NULL, or no rows; it names the row.
    TypeError
        For what is not bytes; it names the row, and the way out.
    """
    return [as_blob(row, number) for number, row in enumerate(as_sequence(rows, reader))]


def as_sequence(rows: Any, reader: str) -> list[Any]:
    """Return the rows that came from a store, of which there has to be one at least."""
    if isinstance(rows, str | bytes | bytearray | memoryview):
        raise TypeError(f"{reader} reads a list of rows, not one {type(rows).__name__}: pass [row]")
    if hasattr(rows, "to_pylist"):  # pyarrow's own scalars are no bytes
        rows = rows.to_pylist()
    if not isinstance(rows, Iterable) or (isinstance(rows, np.ndarray) and not rows.ndim):
        raise TypeError(f"{reader} reads a list of rows, not a {type(rows).__name__}")
    found = list(rows)
    if not found:
        raise StorageError(f"{reader} has no rows to read, which would say their dimension")
    return found


def _place_of_blob(row: Any) -> int | None:
    """Return where in the columns of a row there is a blob, a vector as text, or one of pgvector's; None if nowhere."""
    columns = tuple(row) if isinstance(row, tuple | list) or type(row).__name__ == "Row" else ()
    is_vector = (
        isinstance(each, bytes | memoryview | bytearray)
        or (isinstance(each, str) and each[:1] == "[")
        or hasattr(each, "to_binary")
        for each in columns
    )
    return next((place for place, found in enumerate(is_vector) if found), None)


def as_blob(row: Any, number: int) -> bytes:
    """Return one row as bytes."""
    if type(row) is bytes:
        return row
    if row is None or type(row).__name__ == "NAType":
        raise StorageError(f"row {number} is NULL, not a vector: leave such rows out (WHERE ... IS NOT NULL)")
    if isinstance(row, np.bytes_):
        raise TypeError(
            f"row {number} is of a NumPy array of bytes, which drops zeros at the end: pass a list of bytes"
        )
    if isinstance(row, bytes | bytearray) or (isinstance(row, memoryview) and row.itemsize == 1):
        return bytes(row)
    kind = f"an array of {row.dtype}" if isinstance(row, np.ndarray) else f"of type {type(row).__name__}"
    way_out = ""
    if type(row).__name__ == "SparseVector":
        way_out = ": Embeddings(rows) takes row.to_numpy()"
    elif hasattr(row, "to_binary"):
        way_out = ": pass row.to_binary()"
    elif isinstance(row, str) and row[:1] == "[":
        way_out = ": Embeddings(embcodec.parse_floats('[' + ','.join(rows) + ']')) reads vectors that are text"
    elif (place := _place_of_blob(row)) is not None:  # of a cursor, whose rows are tuples of columns
        way_out = f": pass [row[{place}] for row in rows]"
    elif isinstance(row, np.ndarray | list | tuple | memoryview):
        way_out = ": Embeddings(rows) takes rows of numbers"
    raise TypeError(f"row {number} is {kind}, not bytes{way_out}")
