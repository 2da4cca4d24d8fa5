"""Rows as BSON's vectors, which MongoDB keeps and searches, and back: two bytes of header, then the values.

The first byte is the type, 0x27 for float32 (little-endian), 0x03 for int8, 0x10 for packed bits, highest first; the
second how many low bits of the last byte are padding.
https://github.com/mongodb/specifications/blob/master/source/bson-binary-vector/bson-binary-vector.md
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import Scale
from .blobs import rows_of_blobs, sent_rows, stored_bytes
from .rows import as_blobs, checked_blobs

_HELD = ("float", "int8", "bits")
_TYPES = {0x27: OutputDtype.FLOAT, 0x03: OutputDtype.INT8, 0x10: OutputDtype.UBINARY}
_BYTES = {dtype: byte for byte, dtype in _TYPES.items()} | {OutputDtype.BINARY: 0x10}


def to_bson_vector(embeddings: Embeddings | ArrayLike) -> list[bytes]:
    """Return each row as the bytes of a BSON vector: ``bson.Binary(blob, 9)`` is the value of a document's field.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)

    Raises
    ------
    StorageError
        For uint8 rows, int8 rows with a scale of their own, and rows of no dimensions.
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> to_bson_vector([[1.0, -2.0]])[0].hex(), to_bson_vector(Embeddings([[1.0, -2.0]]).to("ubinary"))[0].hex()
    ('27000000803f000000c0', '100680')
    """
    rows = sent_rows(embeddings, "BSON", _HELD, "from_bson_vector", whole_bytes=False)
    values = stored_bytes(rows, "BSON")
    padding = -rows.dimension % 8 if rows.output_dtype.is_packed else 0
    blobs = np.empty((len(values), 2 + values.shape[1]), np.uint8)
    blobs[:, :2] = _BYTES[rows.output_dtype], padding
    blobs[:, 2:] = values
    return as_blobs(blobs)


def from_bson_vector(blobs: Iterable[bytes], *, scale: Scale | None = None) -> Embeddings:
    """Read BSON vectors, which say themselves what they are.

    Parameters
    ----------
    blobs : iterable of bytes
        ``bson.Binary`` is such. All of them of one type and dimension.
    scale : Scale, optional
        Of int8 rows; the unit scale by default, since a vector does not say another.

    Returns
    -------
    Embeddings
        Of ``"float"``, ``"int8"``, or for packed bits ``"ubinary"``; owned and writable.

    Raises
    ------
    StorageError
        For no blobs, a missing one, other types and lengths than the first blob's, what is no BSON vector, bits set in
        the padding, or a scale that does not fit; it names the row.
    TypeError
        For what is not bytes, and for a ``bson.Binary`` of another subtype.

    Examples
    --------
    >>> from_bson_vector([bytes.fromhex("0300407f")])
    Embeddings(1 x 2 int8, 2 bytes)
    """
    found = [_checked(row, number) for number, row in enumerate(checked_blobs(_of_subtype(blobs), "from_bson_vector"))]
    head = found[0][:2]
    other = next((number for number, blob in enumerate(found) if blob[:2] != head), None)
    if other is not None:
        raise StorageError(f"row {other} begins with {found[other][:2].hex()}, row 0 with {head.hex()}: other types")
    dtype, bare = _TYPES[head[0]], [blob[2:] for blob in found]
    dimension = 8 * len(bare[0]) - head[1] if dtype.is_packed else None
    return rows_of_blobs(bare, dtype, dimension, scale=scale, bytes_of="row[2:]")


def _of_subtype(blobs: Iterable[bytes]) -> Iterable[bytes]:
    """Refuse binary values of BSON that are no vectors; what says no subtype is judged by its bytes."""
    if not isinstance(blobs, list | tuple):
        return blobs
    for number, blob in enumerate(blobs):
        if getattr(blob, "subtype", 9) != 9:
            raise TypeError(f"row {number} is BSON of subtype {blob.subtype}, and vectors are of subtype 9")
    return blobs


def _checked(blob: bytes, number: int) -> bytes:
    """Return a blob whose header is that of a vector."""
    begins, dtype = blob[:2].hex() or "nothing", _TYPES.get(blob[0]) if len(blob) > 2 else None
    if dtype is None:
        raise StorageError(f"row {number} begins with {begins}, as no BSON vector with values does")
    if blob[1] > (7 if dtype.is_packed else 0):
        raise StorageError(f"row {number} says {blob[1]} bits of padding, which {dtype} rows do not have")
    return blob
