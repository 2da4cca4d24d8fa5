"""Rows as blobs of sqlite-vec, and back.

Little-endian: the values alone; of bits the first dimension is the lowest bit, and d is a multiple of 8.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from numpy.typing import ArrayLike

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...scale import Scale
from .blobs import read_dtype, rows_of_blobs, sent_rows, stored_bytes
from .rows import as_blobs, checked_blobs

_HELD = ("float", "int8", "bits")


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
    rows = sent_rows(embeddings, "sqlite-vec", _HELD, "from_sqlite_vec")
    return as_blobs(stored_bytes(rows, "sqlite-vec", bit_order="lsb"))


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

    Returns
    -------
    Embeddings
        Owned and writable.

    Raises
    ------
    StorageError
        For no blobs, a NULL, blobs of different lengths, or a scale that does not fit them.
    TypeError
        For what is not bytes: arrays, numbers, text.

    Examples
    --------
    >>> from_sqlite_vec([bytes.fromhex("0000803f000000c0")]).values.tolist()
    [[1.0, -2.0]]
    """
    dtype = read_dtype(output_dtype, "sqlite-vec", ("float", "int8", "ubinary"))
    blobs = checked_blobs(blobs, "from_sqlite_vec")
    return rows_of_blobs(blobs, dtype, scale=scale, bit_order="lsb" if dtype.is_packed else "msb")
