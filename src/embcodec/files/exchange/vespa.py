"""Rows as the cells of Vespa's tensors, and as documents to feed; what Vespa shows of them.

Cells in hexadecimal digits are big-endian; bits are packed in ``int8`` cells, the first dimension in the highest bit:
https://docs.vespa.ai/en/reference/document-json-format.html#tensor-hex-dump and
https://docs.vespa.ai/en/reference/document-json-format.html#put
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, Literal
from uuid import UUID

import numpy as np
from numpy.typing import ArrayLike

from ...dtypes import OutputDtypeLike
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import Scale
from ...words import as_iterable, shown
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
from .rows import as_sequence, check_writable

_HELD = ("float", "int8", "bits")
CellType = Literal["float32", "bfloat16"]


def to_vespa(embeddings: Embeddings | ArrayLike, *, float_dtype: CellType = "float32") -> list[str]:
    """Return the cells of each row as Vespa takes them in hexadecimal digits, as ``"values"`` of a tensor.

    Floats for ``tensor<float>(x[d])`` (or ``tensor<bfloat16>``), int8 for ``tensor<int8>(x[d])``, bits for
    ``tensor<int8>(x[d/8])``. Vespa compares the codes themselves, which for int8 rows of one scale is the order of the
    values.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    float_dtype : {"float32", "bfloat16"}
        The tensor's cells for floats, rounded to the nearest.

    Raises
    ------
    StorageError
        For uint8 rows, int8 rows with a scale of their own, bits whose dimension is not a multiple of 8, NaN, Infinity
        and no dimensions.
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> to_vespa([[1.0, -2.0]]), to_vespa([[1.0, -2.0]], float_dtype="bfloat16")
    (['3f800000c0000000'], ['3f80c000'])
    """
    if not (isinstance(float_dtype, str) and float_dtype in ("float32", "bfloat16")):
        raise ValueError(f"float_dtype is 'float32' or 'bfloat16', as cells of tensors are, not {shown(float_dtype)}")
    rows = sent_rows(embeddings, "Vespa", _HELD, "from_vespa")
    return as_hex(stored_bytes(rows, "Vespa", float_dtype=float_dtype, byte_order="big"))


def write_vespa(
    file: IO[bytes],
    embeddings: Embeddings | ArrayLike,
    ids: Iterable[object],
    *,
    namespace: str,
    document_type: str,
    field: str = "embedding",
    fields: Mapping[str, Sequence[Any]] | None = None,
    float_dtype: CellType = "float32",
) -> None:
    r"""Write rows as documents, one a line, as ``vespa feed`` reads them.

    Nothing is written where rows, ids or fields are refused.

    Parameters
    ----------
    file : binary file
    embeddings : Embeddings or array-like of floats, (n, dimension)
    ids : iterable of str or int, (n,)
        The last parts of the documents' ids: ``id:namespace:document_type::id``.
    namespace, document_type : str
    field : str
        The tensor's name.
    fields : mapping of str to sequence (n,), optional
        More fields: what JSON has.
    float_dtype : {"float32", "bfloat16"}
        As :func:`to_vespa` has it.

    Raises
    ------
    StorageError
        As :func:`to_vespa` does.
    TypeError, ValueError
        For a file that is not open for bytes; for ids and fields that are not one a row, and values that JSON has not.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_vespa(file, [[1.0]], ["a"], namespace="shop", document_type="item", fields={"year": [2024]})
    >>> file.getvalue()
    b'{"put": "id:shop:item::a", "fields": {"year": 2024, "embedding": {"values": "3f800000"}}}\n'
    """
    check_writable(file)
    for what, word in (("field", field), ("namespace", namespace), ("document_type", document_type)):
        if not isinstance(word, str):
            raise TypeError(f"{what} is a name, not {shown(word)}")
    cells = to_vespa(embeddings, float_dtype=float_dtype)
    names = [_document(one, number, namespace, document_type) for number, one in enumerate(_ids(ids))]
    others = _columns(fields)
    for name, values in (("ids", names), *((f"values of {name!r}", values) for name, values in others.items())):
        if len(values) != len(cells):
            raise ValueError(f"{len(values)} {name} for {len(cells)} rows")
    if field in others:
        raise ValueError(f"{field!r} is the field of the vectors: name one of the two otherwise")
    lines = []
    for number, (name, text) in enumerate(zip(names, cells, strict=True)):
        document = {**{key: values[number] for key, values in others.items()}, field: {"values": text}}
        try:
            lines.append(json.dumps({"put": name, "fields": document}, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise type(error)(f"row {number}: {error}") from None
    file.write("".join(line + "\n" for line in lines).encode())


def _ids(ids: Any) -> Iterable[Any]:
    return as_iterable(ids, "ids", "the last parts of the documents' ids, one a row")


def _columns(fields: Any) -> dict[str, Any]:
    """Return further fields, each a sequence of what JSON has."""
    if not (fields is None or isinstance(fields, Mapping)):
        raise TypeError(f"fields maps names to values, which {shown(fields)} does not")
    named = dict(fields or {}).items()
    return {name: list(as_iterable(values, f"values of {name!r}", "one a row")) for name, values in named}


def from_vespa(
    values: Iterable[str] | Iterable[Sequence[float]] | Iterable[Mapping[str, Any]],
    output_dtype: OutputDtypeLike = "float",
    *,
    float_dtype: CellType = "float32",
    scale: Scale | None = None,
) -> Embeddings:
    """Read what Vespa shows of dense tensors: lists of numbers, hexadecimal digits, or objects with such ``"values"``.

    Parameters
    ----------
    values : iterable
        The tensors' values, in the form of documents or of results.
    output_dtype : str
        ``"float"``, ``"int8"``, or of packed bits ``"ubinary"`` or ``"binary"``.
    float_dtype : {"float32", "bfloat16"}
        The tensor's cells, for digits.
    scale : Scale, optional
        Of int8 rows; the unit scale by default, since the store does not know another.

    Returns
    -------
    Embeddings
        Bytes of ``"binary"`` rows are the bits seen as int8 (``signed_bytes="twos-complement"``).

    Raises
    ------
    StorageError
        For a row that is none of these, or of another length than the first, numbers that are no such codes, and no
        rows; it names the row.

    Examples
    --------
    >>> from_vespa([{"type": "tensor<float>(x[2])", "values": [1.0, -2.0]}]) == from_vespa(["3f800000c0000000"])
    True
    """
    dtype = read_dtype(output_dtype, "Vespa", _HELD)
    rows = [_values_of(row, number) for number, row in enumerate(as_sequence(values, "from_vespa"))]
    refuse_text_in_bytes(rows)
    if not isinstance(rows[0], str):
        return rows_of_signed(rows, dtype, scale, "Vespa")
    check_kind(rows, str)
    blobs = [of_hex(row, number) for number, row in enumerate(rows)]
    return rows_of_blobs(
        blobs,
        dtype,
        float_dtype=float_dtype,
        byte_order="big",
        scale=scale,
        signed_bytes="twos-complement",
        bytes_of="bytes.fromhex(row)",
    )


def _values_of(row: Any, number: int) -> Any:
    if not isinstance(row, Mapping):
        return row
    if "values" not in row:
        raise StorageError(f"row {number} has no 'values': format.tensors=short-value shows them")
    return row["values"]


def _document(one: object, number: int, namespace: str, document_type: str) -> str:
    if isinstance(one, bool) or not isinstance(one, str | int | np.integer | UUID):
        raise TypeError(f"id {number} is {shown(one)}, neither text nor a whole number")
    if one == "":
        raise ValueError(f"id {number} is an empty text, which names no document")
    return f"id:{namespace}:{document_type}::{one}"
