"""Rows as the blobs of Redis's vector fields, and back: the values alone, little-endian.

https://redis.io/docs/latest/develop/ai/search-and-query/vectors/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from numpy.typing import ArrayLike

from ...dtypes import OutputDtype, StoredFloat
from ...embeddings import Embeddings
from ...scale import Scale
from .blobs import read_dtype, rows_of_blobs, sent_rows, stored_bytes
from .rows import as_blobs, checked_blobs

_HELD = ("float", "int8", "uint8")


def to_redis(embeddings: Embeddings | ArrayLike, *, float_dtype: StoredFloat = "float32") -> list[bytes]:
    """Return each row as the blob of a vector field: ``FLOAT32``, ``FLOAT16``, ``BFLOAT16``, ``INT8`` or ``UINT8``.

    Redis compares the codes themselves: of uint8 rows only ``L2`` is that of the values.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    float_dtype : {"float32", "float16", "bfloat16"}
        The field's ``TYPE`` for floats, rounded to the nearest.

    Raises
    ------
    StorageError
        For bits, which Redis has not, integers with a scale of their own, NaN, Infinity and what overflows the type,
        and rows of no dimensions.
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> [blob.hex() for name in ("float32", "bfloat16") for blob in to_redis([[1.0, -2.0]], float_dtype=name)]
    ['0000803f000000c0', '803f00c0']
    """
    rows = sent_rows(embeddings, "Redis", _HELD, "from_redis")
    return as_blobs(stored_bytes(rows, "Redis", float_dtype=float_dtype))


def from_redis(
    blobs: Iterable[bytes],
    output_dtype: Literal["float", "int8", "uint8"] | OutputDtype = "float",
    *,
    float_dtype: StoredFloat = "float32",
    scale: Scale | None = None,
) -> Embeddings:
    """Read blobs of Redis's vector fields.

    Parameters
    ----------
    blobs : iterable of bytes
    output_dtype : {"float", "int8", "uint8"}
    float_dtype : {"float32", "float16", "bfloat16"}
        The field's ``TYPE`` for floats.
    scale : Scale, optional
        Of integers; the unit scale by default, since the store does not know another.

    Raises
    ------
    StorageError
        For no blobs, a missing one, blobs of different lengths, or a scale that does not fit them.
    TypeError
        For what is not bytes: arrays, numbers, text.

    Examples
    --------
    >>> from_redis(to_redis([[1.0, -2.0]], float_dtype="float16"), float_dtype="float16").values.tolist()
    [[1.0, -2.0]]
    """
    dtype = read_dtype(output_dtype, "Redis", _HELD)
    found = checked_blobs(blobs, "from_redis")
    return rows_of_blobs(found, dtype, float_dtype=float_dtype, scale=scale, held=_HELD)
