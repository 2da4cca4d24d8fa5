"""Rows as Milvus's client takes them, and what it shows of them.

``FLOAT_VECTOR`` and ``INT8_VECTOR`` are arrays; ``FLOAT16_VECTOR`` and ``BFLOAT16_VECTOR`` bytes, little-endian;
``BINARY_VECTOR`` bytes, the first dimension in the highest bit as ``numpy.packbits`` has it:
https://milvus.io/docs/schema.md and https://milvus.io/docs/binary-vector.md
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from numpy.typing import ArrayLike, NDArray

from ...dtypes import OutputDtype, OutputDtypeLike, StoredFloat
from ...embeddings import Embeddings
from ...scale import Scale
from ...words import one_of
from .blobs import FLOATS, check_kind, read_dtype, rows_of_blobs, rows_of_signed, sent_rows, stored_bytes
from .rows import as_blobs, as_sequence, check_finite

_HELD = ("float", "int8", "bits")
_MOST = 32_768  # dimensions, of bits bytes


def to_milvus(
    embeddings: Embeddings | ArrayLike, *, float_dtype: StoredFloat = "float32"
) -> list[NDArray[Any]] | list[bytes]:
    r"""Return each row as ``insert`` and ``search`` of Milvus's client take it.

    float32 for ``FLOAT_VECTOR`` and int8 for ``INT8_VECTOR`` as arrays; shorter floats for ``FLOAT16_VECTOR`` and
    ``BFLOAT16_VECTOR``, and bits for ``BINARY_VECTOR``, as bytes. Milvus compares the codes themselves, which for int8
    rows of one scale is the order of the values.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    float_dtype : {"float32", "float16", "bfloat16"}
        The field's elements for floats, rounded to the nearest.

    Returns
    -------
    list of ndarray (dimension,), views of the rows; or list of bytes

    Raises
    ------
    StorageError
        For uint8 rows, int8 rows with a scale of their own, bits whose dimension is not a multiple of 8, NaN, Infinity
        and what overflows the field, no dimensions or more than 32,768 (of bits 262,144).
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> to_milvus([[1.0, -2.0]], float_dtype="float16")
    [b'\x00<\x00\xc0']
    >>> to_milvus(Embeddings([[1.0, -1.0] * 4]).to("ubinary"))
    [b'\xaa']
    """
    rows = sent_rows(embeddings, "Milvus", _HELD, "from_milvus", most=_MOST)
    one_of(float_dtype, FLOATS, "float_dtype")
    if rows.output_dtype.is_packed or float_dtype != "float32":
        return as_blobs(stored_bytes(rows, "Milvus", float_dtype=float_dtype))
    if rows.output_dtype is OutputDtype.FLOAT:
        check_finite(rows.values, "Milvus")
    return list(rows.values)


def from_milvus(
    values: Iterable[Any],
    output_dtype: OutputDtypeLike = "float",
    *,
    float_dtype: StoredFloat = "float32",
    scale: Scale | None = None,
) -> Embeddings:
    r"""Read vectors as Milvus's client shows them: lists of numbers, bytes, or lists of one piece of bytes.

    Parameters
    ----------
    values : iterable
        ``[row["vector"] for row in client.query(...)]``.
    output_dtype : str
        ``"float"``, ``"int8"``, or of ``BINARY_VECTOR`` ``"ubinary"`` or ``"binary"``.
    float_dtype : {"float32", "float16", "bfloat16"}
        The field's elements, for bytes.
    scale : Scale, optional
        Of int8 rows; the unit scale by default, since the store does not know another.

    Raises
    ------
    StorageError
        For rows of different lengths or kinds, numbers that are no such codes, and no rows; it names the row.

    Examples
    --------
    >>> from_milvus([[b"\xaa"]], "ubinary").to_float().tolist()
    [[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]]
    """
    dtype = read_dtype(output_dtype, "Milvus", _HELD)
    rows = [_unwrapped(row) for row in as_sequence(values, "from_milvus")]
    if not isinstance(rows[0], bytes):
        return rows_of_signed(rows, dtype, scale, "Milvus")
    check_kind(rows, bytes)
    return rows_of_blobs(rows, dtype, float_dtype=float_dtype, scale=scale, signed_bytes="twos-complement")


def _unwrapped(row: Any) -> Any:
    if isinstance(row, list) and len(row) == 1 and isinstance(row[0], bytes):
        return row[0]
    return row
