"""Rows as the texts that Elasticsearch's ``dense_vector`` takes, and what it shows of them.

Floats in base64, big-endian (from 9.3 on); ``byte`` and ``bit`` in hexadecimal digits, of bits the first dimension in
the highest bit: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/dense-vector and
https://github.com/elastic/elasticsearch/pull/137072
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..._native.response.hints import is_hexadecimal
from ...codec import decode_base64, encode_base64
from ...dtypes import OutputDtype, OutputDtypeLike
from ...embeddings import Embeddings
from ...errors import DecodeError, StorageError
from ...scale import Scale
from .blobs import (
    as_hex,
    check_kind,
    of_hex,
    read_dtype,
    refuse_text_in_bytes,
    rows_of_blobs,
    rows_of_signed,
    sent_rows,
    stored_bytes,
)
from .rows import as_sequence, check_finite

_HELD = ("float", "int8", "bits")
_MOST = 4096  # dimensions, of bits bytes
_BLOCK_BYTES = 1 << 19
_HEX = frozenset("0123456789abcdefABCDEF")


def to_elasticsearch(embeddings: Embeddings | ArrayLike) -> list[str]:
    """Return each row as the text that a ``dense_vector`` field takes for it.

    Floats for ``element_type`` ``float`` (or ``bfloat16``), int8 for ``byte``, bits for ``bit``; queries take the same
    texts. Elasticsearch compares the codes themselves, which for int8 rows of one scale is the order of the values.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)

    Raises
    ------
    StorageError
        For uint8 rows, int8 rows with a scale of their own, bits whose dimension is not a multiple of 8, NaN, Infinity,
        no dimensions, or more than 4,096 (of bits 32,768).
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> to_elasticsearch([[0.5, 10, 6]])
    ['PwAAAEEgAABAwAAA']
    >>> to_elasticsearch(Embeddings([[1.0, -1.0] * 4]).to("ubinary"))
    ['aa']
    """
    rows = sent_rows(embeddings, "Elasticsearch", _HELD, "from_elasticsearch", most=_MOST)
    if rows.output_dtype is not OutputDtype.FLOAT:
        return as_hex(stored_bytes(rows, "Elasticsearch"))
    texts: list[str] = []
    step = max(1, _BLOCK_BYTES // (4 * rows.dimension))
    try:
        for begin in range(0, len(rows), step):
            texts += encode_base64(stored_bytes(rows[begin : begin + step], "Elasticsearch", byte_order="big"))
    except StorageError:
        check_finite(rows.values, "Elasticsearch")  # which numbers the rows from the first on
        raise
    return texts


def from_elasticsearch(
    values: Iterable[str] | Iterable[Sequence[float]],
    output_dtype: OutputDtypeLike = "float",
    *,
    scale: Scale | None = None,
) -> Embeddings:
    """Read what Elasticsearch shows of a ``dense_vector``: texts, as they were sent, or lists of numbers.

    Parameters
    ----------
    values : iterable of str, or of sequences of numbers
        Texts are base64; of codes, where all have hexadecimal digits alone, those.
    output_dtype : str
        ``"float"``; ``"int8"`` of a ``byte`` field; ``"ubinary"`` or ``"binary"`` of a ``bit`` field.
    scale : Scale, optional
        Of int8 rows; the unit scale by default, since the store does not know another.

    Returns
    -------
    Embeddings
        Bytes of ``"binary"`` rows are the bits seen as int8 (``signed_bytes="twos-complement"``).

    Raises
    ------
    StorageError
        For a text that is neither, rows of different lengths, numbers that are no such codes, and no rows; it names
        the row.
    TypeError
        For what is neither texts nor numbers.

    Examples
    --------
    >>> from_elasticsearch(["PwAAAEEgAABAwAAA"]) == from_elasticsearch([[0.5, 10, 6]])
    True
    """
    dtype = read_dtype(output_dtype, "Elasticsearch", _HELD)
    rows = as_sequence(values, "from_elasticsearch")
    refuse_text_in_bytes(rows)
    if not isinstance(rows[0], str):
        return rows_of_signed(rows, dtype, scale, "Elasticsearch")
    check_kind(rows, str)
    if dtype is OutputDtype.FLOAT and all(is_hexadecimal(row[:256].encode(errors="replace")) for row in rows[:4]):
        raise StorageError(
            "the rows are hexadecimal digits, as of byte and bit fields: say output_dtype='int8' or 'ubinary'"
        )
    bytes_of = "base64.b64decode(row)"
    if dtype is not OutputDtype.FLOAT and all(_HEX.issuperset(row) for row in rows):
        blobs, bytes_of = [of_hex(row, number) for number, row in enumerate(rows)], "bytes.fromhex(row)"
    else:
        try:
            blobs = list(map(bytes, decode_base64(rows, np.uint8)))
        except DecodeError as error:
            raise StorageError(_wrong_base64(rows, error)) from None
    return rows_of_blobs(blobs, dtype, byte_order="big", scale=scale, signed_bytes="twos-complement", bytes_of=bytes_of)


def _wrong_base64(rows: list[str], error: DecodeError) -> str:
    """Say what is wrong with a row that is no base64, or as much of it as no other row is."""
    try:
        sizes = [len(decode_base64([rows[number]], np.uint8)[0]) for number in (error.row or 0, 0)]
    except DecodeError:
        return f"row {error.row} is no base64: {error.reason}"
    return f"row {error.row} has {sizes[0]} bytes, row 0 has {sizes[1]}"
