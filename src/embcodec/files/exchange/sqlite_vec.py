"""Rows as blobs of sqlite-vec, and back.

Little-endian: the values alone; of bits the first dimension is the lowest bit, and d is a multiple of 8.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ...dtypes import BitOrder, OutputDtype, as_output_dtype
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import Scale
from .rows import as_blobs, checked_blobs, packed_bytes, refuse_scale, sendable


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
