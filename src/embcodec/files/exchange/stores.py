"""Rows in the forms of other systems: sqlite-vec and Faiss here, pgvector and Arrow in modules of their own.

sqlite-vec, little-endian: the values alone; of bits the first dimension is the lowest bit, and d is a multiple of 8.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...dtypes import BitOrder, OutputDtype, as_output_dtype
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import Scale
from .arrow import from_arrow, to_arrow
from .pgvector import from_pgvector, to_pgvector, write_pgcopy
from .rows import as_blobs, checked_blobs, packed_bytes, refuse_scale, sendable

__all__ = [
    "from_arrow",
    "from_pgvector",
    "from_sqlite_vec",
    "to_arrow",
    "to_faiss",
    "to_pgvector",
    "to_sqlite_vec",
    "write_pgcopy",
]


def to_sqlite_vec(embeddings: Embeddings | ArrayLike) -> list[bytes]:
    """Return each row as the blob that sqlite-vec takes for ``float[d]``, ``int8[d]`` or ``bit[d]``.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)

    Raises
    ------
    StorageError
        For uint8 rows, int8 rows with a scale of their own, bits whose dimension is not a multiple of 8, and rows of no
        dimensions.
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> to_sqlite_vec([[1.0, -2.0]])[0].hex()
    '0000803f000000c0'
    """
    rows = sendable(embeddings, "sqlite-vec")
    dtype = rows.output_dtype
    if not rows.dimension:
        raise StorageError("sqlite-vec has no rows of 0 dimensions")
    if dtype.is_packed:
        if rows.dimension % 8:
            raise StorageError(f"sqlite-vec packs whole bytes of bits; {rows.dimension} is not a multiple of 8")
        return as_blobs(packed_bytes(rows, "lsb"))
    if dtype is OutputDtype.UINT8:
        raise StorageError("sqlite-vec has no uint8: use .to('int8')")
    refuse_scale(rows, "sqlite-vec", "from_sqlite_vec(blobs, 'int8', scale=...)")
    return as_blobs(rows.values.astype("<f4" if dtype is OutputDtype.FLOAT else np.int8, copy=False))


def from_sqlite_vec(
    blobs: Iterable[bytes],
    output_dtype: Literal["float", "int8", "ubinary"] | OutputDtype = "float",
    *,
    scale: Scale | None = None,
) -> Embeddings:
    """Read blobs of sqlite-vec.

    Parameters
    ----------
    blobs : iterable of bytes
    output_dtype : {"float", "int8", "ubinary"}
    scale : Scale, optional
        Of int8 rows; the unit scale by default, since the store does not know another.

    Raises
    ------
    StorageError
        For no blobs, a NULL, blobs of different lengths, or a scale that does not fit them.
    TypeError
        For what is not bytes: arrays, numbers, text.
    """
    dtype = as_output_dtype(output_dtype)
    if dtype not in (OutputDtype.FLOAT, OutputDtype.INT8, OutputDtype.UBINARY):
        raise StorageError(f"sqlite-vec has no {dtype}")
    texts = checked_blobs(blobs, "from_sqlite_vec")
    for number, text in enumerate(texts):
        if len(text) != len(texts[0]):
            raise StorageError(f"blob {number} has {len(text)} bytes, blob 0 has {len(texts[0])}")
    if not texts[0]:
        raise StorageError("blobs of no bytes")
    if len(texts[0]) % dtype.numpy_dtype.itemsize:
        raise StorageError(f"blobs of {len(texts[0])} bytes are no float32 rows")
    values = np.frombuffer(b"".join(texts), dtype.numpy_dtype.newbyteorder("<")).reshape(len(texts), -1)
    try:
        order: BitOrder = "lsb" if dtype is OutputDtype.UBINARY else "msb"
        return Embeddings(values.copy(), dtype, scale=scale, bit_order=order)
    except ValueError as error:
        raise StorageError(str(error)) from None


def to_faiss(embeddings: Embeddings | ArrayLike) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Return the array that a Faiss index of the same codes takes.

    float32 rows for ``IndexFlat``; packed bytes, the first dimension in the highest bit, for ``IndexBinaryFlat``; for
    int8 and uint8 the bytes that ``QT_8bit_direct_signed`` (code + 128) and ``QT_8bit_direct`` store, as
    ``add_sa_codes`` takes them. Faiss scores the codes themselves: an inner product of uint8 is not that of the values.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)

    Returns
    -------
    ndarray, float32 (n, dimension) or uint8 (n, width)
        Of floats the rows themselves, not a copy.

    Raises
    ------
    StorageError
        For integers with per-vector scales or ranges, which Faiss would leave out of its scores, and bits whose
        dimension is not a multiple of 8.
    TypeError
        For bare integers, whose meaning is unknown.
    """
    rows = sendable(embeddings, "Faiss")
    if rows.output_dtype.is_packed:
        if rows.dimension % 8:
            raise StorageError(
                f"Faiss has whole bytes of bits, and {rows.dimension} is not a multiple of 8: where only Hamming "
                "distances matter, rows.packed_bytes() has them padded with zeros"
            )
        return packed_bytes(rows, "msb")
    refuse_scale(rows, "Faiss", f"Embeddings(codes, '{rows.output_dtype}', scale=...)")
    if rows.output_dtype is OutputDtype.INT8:
        return rows.values.view(np.uint8) ^ np.uint8(0x80)
    return rows.values
