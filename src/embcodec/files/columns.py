"""Embeddings as a column of an Arrow table, and what it means beside it.

What a column of codes means is in its type, an extension type that parquet, IPC, slices, filters and sorts keep::

    embcodec.embeddings[words]   of fixed_size_list<int8 or uint8>[width]
                                 or struct<codes: fixed_size_list, scale: float32, only with per-vector scales>

The plain list is for codes that :class:`Embeddings` takes as they are once their dtype is named. Others are in the
struct, so that a reader who does not know the type finds no list to read wrongly. A file of :func:`embcodec.save` has
the words in its schema instead, for its column ``embedding``, and the scales in a column ``scale``.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import ARROW_NAME, holds_rows, of_arrow, one_chunk, way_of_kind
from ..embeddings import Embeddings
from ..errors import RowError, StorageError
from ..scale import PER_VECTOR, UNIT
from ..words import parse_words
from .pack import Tensors, Words, pack

COLUMN, SCALES, KEY = "embedding", "scale", b"embcodec"
_FLOATS = ("float16", "float32", "float64", "halffloat", "float", "double")  # in NumPy's words and in Arrow's
_CODES = "codes"
_SHOWN = 20  # columns that an error lists

Parts = tuple[NDArray[Any], NDArray[np.float32] | None, Words]


def take_apart(embeddings: Embeddings) -> Parts:
    """Return values, per-vector scales if there are such, and words that say the rest, ranges included."""
    tensors, words = pack(embeddings)
    scale = embeddings.scale
    if scale is None or scale.values is None:
        return tensors["values"], None, words
    if scale.kind == PER_VECTOR:
        return tensors["values"], scale.values, words
    return tensors["values"], None, {**words, "ranges": scale.values.astype("<f4").tobytes().hex()}


def as_tensors(values: NDArray[Any], scales: NDArray[np.float32] | None, words: Words) -> tuple[Tensors, Words]:
    """Return what :func:`take_apart` gave as the arrays and words that ``unpack`` puts together."""
    if scales is not None:
        return {"values": values, "scale": scales}, words
    words = dict(words)
    text = words.pop("ranges", None)
    if text is None:
        return {"values": values}, words
    try:
        ranges = np.frombuffer(bytes.fromhex(text), "<f4").reshape(2, -1).astype(np.float32)
    except ValueError as error:
        raise StorageError(f"the ranges in the file are damaged: {error}") from None
    return {"values": values, "scale": ranges}, words


def choose_column(schema: Any, column: str | None, argument: str = "column") -> str:
    """Return the name of the column of vectors: `column`, or the only one that can be such.

    Of several columns of lists those of numbers can be; a file of :func:`embcodec.save` says which one it wrote. No
    name is preferred: of ``emb`` and ``emb2`` either may be meant.

    Parameters
    ----------
    schema : pyarrow.Schema
    column : str, optional
    argument : str
        What `column` is called where the user gives it.

    Raises
    ------
    StorageError
        Where there is none, or more than one; it names the columns and their types.
    """
    names = list(schema.names)
    if column is None:
        rows = [field for field in schema if _is_own(field.type) or _was_own(field) or _holds_vectors(field.type)]
        found = [field.name for field in rows if _holds_numbers(field)] or [field.name for field in rows]
        if COLUMN in found and KEY in (schema.metadata or {}):
            found = [COLUMN] * found.count(COLUMN)
        if len(set(found)) > 1:
            some = f"{found[:_SHOWN]}{' ...' if len(found) > _SHOWN else ''}"
            raise StorageError(f"which column? There are {some} of lists; name one, as {argument}={found[0]!r}")
        if not found:
            shown = [f"{field.name}: {field.type}" for field in schema][:_SHOWN]
            listing = ", ".join(shown) + (" ..." if len(names) > _SHOWN else "")
            raise StorageError(f"no column of lists among {listing}{_way_of_columns(schema)}")
        column = found[0]
    elif column not in names:
        raise StorageError(f"no column {column!r}; there are {names[:_SHOWN]}{' ...' if len(names) > _SHOWN else ''}")
    if names.count(column) > 1:
        raise StorageError(
            f"{names.count(column)} columns are called {column!r}: rename one, as table.rename_columns does"
        )
    return column


def _way_of_columns(schema: Any) -> str:
    """Say what reads a table that has a column a dimension, or rows as bytes or text."""
    from pyarrow import types

    if len(schema) > 1 and all(types.is_floating(field.type) for field in schema):
        return ": Embeddings(table.to_pandas()) takes a column a dimension"
    # Bytes rather than texts, of which most name rows.
    ways = [(way_of_kind(field.type), field.name) for field in schema]
    ways = [(way, name) for way, name in ways if "to_pylist" in way]
    way, name = max(ways, key=lambda pair: "bytes" in pair[0], default=("", ""))
    return way.replace("column.", f"table[{name!r}].")


def _holds_numbers(field: Any) -> bool:
    """Whether the lists of a column are of numbers, or its own type says that it has codes."""
    from pyarrow import types

    kind = field.type
    if _is_own(kind) or _was_own(field) or holds_scaled(kind):
        return True
    while (inner := getattr(kind, "value_type", None)) is not None:
        kind = inner
    return bool(types.is_floating(kind) or types.is_integer(kind))


def _holds_vectors(kind: Any) -> bool:
    return holds_rows(kind) or holds_scaled(kind)


def holds_scaled(kind: Any) -> bool:
    """Whether a column is what :func:`typed_column` makes of codes with per-vector scales, its words left out.

    Parameters
    ----------
    kind : pyarrow.DataType or Schema
        Of the column, or of its fields by themselves.
    """
    from pyarrow import Schema, types

    fields = list(kind) if isinstance(kind, Schema) or types.is_struct(kind) else []
    if [field.name for field in fields] != [_CODES, SCALES] or not holds_rows(fields[0].type):
        return False
    return bool(types.is_integer(fields[0].type.value_type) and types.is_floating(fields[1].type))


def schema_words(schema: Any, column: str) -> Words:
    """Return the words in the schema of a file of :func:`embcodec.save`; none for another column, or file."""
    text = (schema.metadata or {}).get(KEY)
    return {} if text is None or column != COLUMN else _parsed(text)


def check_no_scales(values: NDArray[Any], scales: str | None, way_out: str) -> None:
    """Refuse integers of no known meaning beside floats called ``scale``, which would be dropped.

    That is what a file of :func:`embcodec.save` becomes once another writer has left out its metadata.

    Parameters
    ----------
    values : ndarray
    scales : str, optional
        The dtype of what is called so, one a row; None where there is no such thing.
    way_out : str
        What reads the values alone.
    """
    if scales is not None and values.dtype.kind in "iu" and scales in _FLOATS:
        raise StorageError(
            f"{values.dtype} rows beside {scales} {SCALES!r}, and nothing that says what they are to each other: "
            f"{way_out} reads the rows alone; if those are their per-vector scales, Embeddings(rows.values, "
            f"'{values.dtype}', scale=Scale.per_vector(scales)) puts both together"
        )


def scales_in(schema: Any) -> str | None:
    """Return the type of the column ``scale`` of a table without the words of embcodec, if it has one."""
    return str(schema.field(SCALES).type) if schema.names.count(SCALES) == 1 else None


def read_column(column: Any, field: Any = None) -> Parts:
    """Return what a column holds, and the words of its type; of a plain one values alone, or codes and their scales.

    Parameters
    ----------
    column : pyarrow.Array or ChunkedArray
    field : pyarrow.Field, optional
        Of the column in its table; says the words where the type was not known to who read it.
    """
    if _is_own(column.type):
        words = _parsed(column.type.__arrow_ext_serialize__())
        column = one_chunk(column).storage
    elif field is not None and _was_own(field):
        words = _parsed(field.metadata.get(b"ARROW:extension:metadata", b""))
        column = one_chunk(column)
    else:
        words = {}
        column = one_chunk(column)
        if not holds_scaled(column.type):
            return of_arrow(column), None, {}
    if column.null_count:
        row = int(np.argmax(column.is_null()))
        raise RowError(f"row {row} is null, not a row of codes: drop such rows", row)
    children = [child.name for child in column.type] if hasattr(column, "field") else []
    if _CODES not in children:
        return of_arrow(column), None, words
    scales = np.asarray(column.field(SCALES)) if SCALES in children else None
    return of_arrow(column.field(_CODES)), scales, words


def typed_column(embeddings: Embeddings, halves: NDArray[np.float16] | None = None) -> Any:
    """Return rows as an Arrow array over the same memory: floats as plain lists, codes with their type.

    Of floats `halves` are what is in the lists, if they are given.
    """
    import pyarrow

    values, scales, words = take_apart(embeddings)
    values = values if halves is None else halves
    if not values.shape[1]:
        raise StorageError("Arrow has no lists of 0 numbers")
    flat = pyarrow.Array.from_buffers(
        pyarrow.from_numpy_dtype(values.dtype), values.size, [None, pyarrow.py_buffer(values)]
    )
    codes = pyarrow.FixedSizeListArray.from_arrays(flat, values.shape[1])
    if values.dtype.kind == "f":
        return codes
    if not _is_plain(embeddings):
        children = {_CODES: codes} if scales is None else {_CODES: codes, SCALES: pyarrow.array(scales)}
        codes = pyarrow.StructArray.from_arrays(list(children.values()), list(children))
    own = extension_type()(codes.type, json.dumps(words, sort_keys=True))
    return pyarrow.ExtensionArray.from_storage(own, codes)


def _is_plain(embeddings: Embeddings) -> bool:
    """Whether codes are understood from their bytes and the name of their dtype."""
    if embeddings.scale is not None:
        return embeddings.scale.kind == UNIT
    order = embeddings.signed_bytes, embeddings.bit_order
    return order == ("offset", "msb") and embeddings.dimension % 8 == 0


@cache
def extension_type() -> Any:
    """Return the class of the extension type, which pyarrow knows from then on."""
    import pyarrow

    class EmbeddingsType(pyarrow.ExtensionType):  # type: ignore[misc]
        """Codes with the words that say what they mean, as JSON."""

        def __init__(self, storage_type: Any, words: str) -> None:
            self._words = words
            super().__init__(storage_type, ARROW_NAME)

        def __arrow_ext_serialize__(self) -> bytes:
            return self._words.encode()

        @classmethod
        def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> Any:
            return cls(storage_type, serialized.decode("utf-8", "replace"))  # judged by who reads the column

        def __reduce__(self) -> tuple[Any, ...]:
            return _type_of, (self.storage_type, self._words)

    with suppress(
        pyarrow.ArrowKeyError
    ):  # another copy of this module was sooner: its types have the same name and words
        pyarrow.register_extension_type(EmbeddingsType(pyarrow.list_(pyarrow.int8(), 1), "{}"))
    return EmbeddingsType


def _type_of(storage_type: Any, words: str) -> Any:
    return extension_type()(storage_type, words)


def _is_own(kind: Any) -> bool:
    return getattr(kind, "extension_name", None) == ARROW_NAME and hasattr(kind, "__arrow_ext_serialize__")


def _was_own(field: Any) -> bool:
    """Whether who read the table did not know the type, which then is left in the field's metadata."""
    return (field.metadata or {}).get(b"ARROW:extension:name") == ARROW_NAME.encode()


def _parsed(text: bytes) -> Words:
    words = parse_words(text)
    if words is None:
        raise StorageError("the metadata of embcodec in the Arrow schema is damaged")
    return words
