"""Rows in the binary forms of other systems: pgvector, sqlite-vec, Faiss, Arrow.

pgvector, big-endian::

    vector, halfvec   | i16 d | i16 0 | d values of 4 or 2 bytes |
    bit(d)            | i32 d | ceil(d / 8) bytes, the first dimension in the highest bit |

sqlite-vec, little-endian: the values alone; of bits the first dimension is the lowest bit, and d is a multiple of 8.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import OutputDtype
from .embeddings import Embeddings
from .errors import StorageError
from .scale import Scale

_PGVECTOR_MOST = 16_000
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_TAIL = struct.pack(">h", -1)


def to_pgvector(embeddings: Embeddings, *, half: bool = False) -> list[bytes]:
    """Return each row as pgvector's binary protocol sends it: ``vector`` (``halfvec`` if `half`), bits as ``bit(d)``.

    Raises
    ------
    StorageError
        For int8 and uint8 rows (convert them with ``.to_float()``), more than 16,000 dimensions of numbers, and NaN,
        Infinity or what overflows a half.

    Examples
    --------
    >>> to_pgvector(Embeddings([[1.0, -2.0]]))[0].hex()
    '000200003f800000c0000000'
    """
    rows, dimension = len(embeddings), embeddings.dimension
    if embeddings.output_dtype.is_packed:
        packed = _packed(embeddings, "msb")
        record = np.dtype([("d", ">i4"), ("bytes", "u1", (packed.shape[1],))])
        records = np.empty(rows, record)
        records["d"], records["bytes"] = dimension, packed
        return _split(records)
    if embeddings.output_dtype is not OutputDtype.FLOAT:
        raise StorageError(f"pgvector has no {embeddings.output_dtype}: send Embeddings(rows.to_float())")
    if not 1 <= dimension <= _PGVECTOR_MOST:
        raise StorageError(f"pgvector stores 1 to {_PGVECTOR_MOST} dimensions, not {dimension}")
    with np.errstate(over="ignore"):
        values = embeddings.values.astype(">f2" if half else ">f4")
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values)).any(axis=1).argmax())
        raise StorageError(f"row {row} has NaN, Infinity or a value too large: pgvector refuses them")
    records = np.zeros(rows, np.dtype([("d", ">i2"), ("unused", ">i2"), ("values", values.dtype, (dimension,))]))
    records["d"], records["values"] = dimension, values
    return _split(records)


def from_pgvector(rows: Iterable[bytes], *, kind: str = "vector") -> Embeddings:
    """Read rows in pgvector's binary form; `kind` is ``vector``, ``halfvec`` or ``bit``.

    Raises
    ------
    StorageError
        For a row of another length than it announces, or than the first.
    """
    if kind not in ("vector", "halfvec", "bit"):
        raise ValueError(f"kind is 'vector', 'halfvec' or 'bit', not {kind!r}")
    head = 4
    texts = [bytes(row) for row in rows]
    if not texts:
        raise StorageError("no rows")
    if len(texts[0]) < head:
        raise StorageError("row 0 is too short")
    dimension = int.from_bytes(texts[0][:4] if kind == "bit" else texts[0][:2], "big")
    itemsize = {"vector": 4, "halfvec": 2, "bit": 1}[kind]
    width = -(-dimension // 8) if kind == "bit" else dimension
    for number, text in enumerate(texts):
        if text[:head] != texts[0][:head] or len(text) != head + width * itemsize:
            raise StorageError(f"row {number} is not {dimension} dimensions of a {kind}")
    if kind != "bit" and texts[0][2:4] != b"\0\0":
        raise StorageError("the unused field of a vector is not 0")
    dtype = {"vector": ">f4", "halfvec": ">f2", "bit": "u1"}[kind]
    values = np.frombuffer(b"".join(text[head:] for text in texts), dtype).reshape(len(texts), width)
    try:
        if kind == "bit":
            return Embeddings(values.copy(), "ubinary", dimension)
        return Embeddings(values.astype(np.float32))
    except ValueError as error:
        raise StorageError(str(error)) from None


def write_pgcopy(
    file: IO[bytes], embeddings: Embeddings, ids: Sequence[int] | None = None, *, half: bool = False
) -> None:
    """Write rows as PostgreSQL's ``COPY table (id, embedding) FROM STDIN (FORMAT binary)`` reads them.

    Parameters
    ----------
    file : binary file
    embeddings : Embeddings
    ids : sequence of int, optional
        For a bigint column before the vector; without it, only the vector is written.
    half : bool
        As ``halfvec``.
    """
    rows = to_pgvector(embeddings, half=half)
    if ids is not None and len(ids) != len(rows):
        raise ValueError(f"{len(ids)} ids for {len(rows)} rows")
    file.write(_COPY_HEAD)
    for number, row in enumerate(rows):
        if ids is None:
            file.write(struct.pack(">hi", 1, len(row)) + row)
        else:
            file.write(struct.pack(">hiqi", 2, 8, int(ids[number]), len(row)) + row)
    file.write(_COPY_TAIL)


def to_sqlite_vec(embeddings: Embeddings) -> list[bytes]:
    """Return each row as the blob that sqlite-vec takes for ``float[d]``, ``int8[d]`` or ``bit[d]``.

    Raises
    ------
    StorageError
        For uint8 rows, and for bits whose dimension is not a multiple of 8.
    """
    dtype = embeddings.output_dtype
    if dtype.is_packed:
        if embeddings.dimension % 8:
            raise StorageError(f"sqlite-vec packs whole bytes of bits; {embeddings.dimension} is not a multiple of 8")
        return _split(_packed(embeddings, "lsb"))
    if dtype is OutputDtype.UINT8:
        raise StorageError("sqlite-vec has no uint8: use .to('int8')")
    return _split(embeddings.values.astype("<f4" if dtype is OutputDtype.FLOAT else np.int8, copy=False))


def from_sqlite_vec(blobs: Iterable[bytes], output_dtype: str = "float") -> Embeddings:
    """Read blobs of sqlite-vec; `output_dtype` is ``float``, ``int8`` or ``ubinary``.

    Raises
    ------
    StorageError
        For no blobs, or blobs of different lengths.
    """
    dtype = OutputDtype(output_dtype)
    if dtype not in (OutputDtype.FLOAT, OutputDtype.INT8, OutputDtype.UBINARY):
        raise StorageError(f"sqlite-vec has no {dtype}")
    texts = [bytes(blob) for blob in blobs]
    if not texts:
        raise StorageError("no blobs")
    for number, text in enumerate(texts):
        if len(text) != len(texts[0]):
            raise StorageError(f"blob {number} has {len(text)} bytes, blob 0 has {len(texts[0])}")
    if len(texts[0]) % dtype.numpy_dtype.itemsize:
        raise StorageError(f"blobs of {len(texts[0])} bytes are no float32 rows")
    values = np.frombuffer(b"".join(texts), dtype.numpy_dtype.newbyteorder("<")).reshape(len(texts), -1)
    return Embeddings(values.copy(), dtype, bit_order="lsb" if dtype is OutputDtype.UBINARY else "msb")


def to_faiss(embeddings: Embeddings) -> NDArray[Any]:
    """Return the array that a Faiss index of the same codes takes.

    float32 rows for ``IndexFlat``; packed bytes for ``IndexBinaryFlat``; for int8 and uint8 the bytes that
    ``QT_8bit_direct_signed`` (code + 128) and ``QT_8bit_direct`` store, as ``add_sa_codes`` takes them.
    """
    if embeddings.output_dtype.is_packed:
        return _packed(embeddings, embeddings.bit_order)
    if embeddings.output_dtype is OutputDtype.INT8:
        return embeddings.values.view(np.uint8) ^ np.uint8(0x80)
    return embeddings.values


def to_arrow(embeddings: Embeddings) -> Any:
    """Return rows as a ``pyarrow.FixedSizeListArray`` over the same memory.

    Raises
    ------
    StorageError
        Where pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise StorageError("Arrow needs pyarrow: pip install 'embcodec[files]'") from None
    flat = pyarrow.Array.from_buffers(
        pyarrow.from_numpy_dtype(embeddings.values.dtype),
        embeddings.values.size,
        [None, pyarrow.py_buffer(embeddings.values)],
    )
    return pyarrow.FixedSizeListArray.from_arrays(flat, max(embeddings.values.shape[1], 1))


def from_arrow(
    column: Any, output_dtype: str = "float", dimension: int | None = None, *, scale: Scale | None = None
) -> Embeddings:
    """Read a pyarrow column of lists: what :func:`to_arrow` makes, or a table has.

    Fixed-size lists of the codes' own type in one chunk are not copied; the rows are then read-only.

    Parameters
    ----------
    column : pyarrow.FixedSizeListArray, ListArray or ChunkedArray of such
    output_dtype, dimension, scale
        What the numbers are, which Arrow does not say: as for :class:`Embeddings`.

    Raises
    ------
    StorageError
        For nulls, lists of different lengths, or numbers that are no such codes.
    """
    try:
        return Embeddings(column, output_dtype, dimension, scale)
    except (TypeError, ValueError) as error:
        raise StorageError(str(error)) from None


def _packed(embeddings: Embeddings, bit_order: str) -> NDArray[np.uint8]:
    packed = embeddings.packed_bytes()
    if embeddings.bit_order != bit_order:
        packed = np.packbits(np.unpackbits(packed, axis=1, bitorder="little"), axis=1)  # reverses the bits of each byte
    return packed


def _split(rows: NDArray[Any]) -> list[bytes]:
    text = np.ascontiguousarray(rows).tobytes()
    size = len(text) // max(len(rows), 1)
    return [text[start : start + size] for start in range(0, len(rows) * size, size)] if size else [b""] * len(rows)
