"""Rows as Arrow columns, and back."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ...codec import check_conventions, imported, is_arrow, whole_codes
from ...containers import narrowed
from ...dtypes import BitOrder, OutputDtype, OutputDtypeLike, SignedBytes, as_output_dtype
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import Scale
from ...words import needs_package, one_of, shown
from ..bare import bits_of, scaled_rows
from ..columns import (
    SCALES,
    as_tensors,
    check_no_scales,
    choose_column,
    extension_type,
    holds_scaled,
    read_column,
    scales_in,
    schema_words,
    typed_column,
)
from ..pack import unpack
from .rows import sendable


def to_arrow(
    embeddings: Embeddings | ArrayLike, *, tensors: bool = False, float_dtype: Literal["float32", "float16"] = "float32"
) -> Any:
    """Return rows as an Arrow array over the same memory.

    Libraries that know Arrow's PyCapsule interface take :class:`Embeddings` themselves, in this form.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    tensors : bool
        Floats as ``arrow.fixed_shape_tensor``, instead of lists.
    float_dtype : {"float32", "float16"}
        The column's elements for floats; float16, rounded to the nearest, is a copy. Arrow has no bfloat16.

    Returns
    -------
    pyarrow.FixedSizeListArray or pyarrow.ExtensionArray
        Of floats plain lists, or tensors. Codes have an extension type, ``embcodec.embeddings``, that says their dtype,
        dimension, scale, byte and bit order, through parquet and IPC files too; per-vector scales go with their rows
        through slices, filters and sorts. ``.storage`` is what other tools can read of it: a fixed-size list, or, where
        that alone would be misunderstood, a struct with the list as ``codes``.

    Raises
    ------
    StorageError
        Where pyarrow is not installed, for rows of no dimensions, and for a float that is too large for float16.
    TypeError
        For bare integers, whose meaning is unknown.
    ValueError
        For a `float_dtype` that is unknown, and for codes where `tensors` or `float_dtype` is given.

    Examples
    --------
    >>> to_arrow([[0.5, -1.0]]).type
    FixedSizeListType(fixed_size_list<item: float>[2])
    >>> to_arrow(Embeddings([[0.5, -1.0]]).to("int8")).type.extension_name
    'embcodec.embeddings'
    """
    rows = sendable(embeddings, "Arrow")
    pyarrow = _need_pyarrow()
    one_of(float_dtype, ("float32", "float16"), "float_dtype")
    if rows.output_dtype is not OutputDtype.FLOAT:
        if tensors:
            raise ValueError("tensors=True is for floats: codes have a type of their own")
        if float_dtype != "float32":
            raise ValueError(f"float_dtype={float_dtype!r} is for floats, not {rows.output_dtype}")
    column = typed_column(rows, narrowed(rows.values, float_dtype) if float_dtype == "float16" else None)
    if not tensors:
        return column
    kind = pyarrow.fixed_shape_tensor(column.type.value_type, [rows.dimension])
    return pyarrow.ExtensionArray.from_storage(kind, column)


def from_arrow(
    column: Any,
    output_dtype: OutputDtypeLike | None = None,
    dimension: int | None = None,
    *,
    scale: Scale | None = None,
    signed_bytes: SignedBytes | None = None,
    bit_order: BitOrder | None = None,
    name: str | None = None,
) -> Embeddings:
    """Read an Arrow column of lists: what :func:`to_arrow` makes, or a table has.

    Fixed-size lists of the codes' own type in one chunk are not copied; the rows are then read-only.

    Parameters
    ----------
    column : pyarrow.Array, ChunkedArray, Table or RecordBatch, or object with Arrow's PyCapsule interface
        As frames and series of polars and pandas, relations of DuckDB and arrays of nanoarrow are. Lists of any kind,
        vectors as tensors, or what :func:`to_arrow` makes; or a table with such a column.
    output_dtype, dimension, scale, signed_bytes, bit_order
        What the numbers are, where the column's type does not say it: as for :class:`Embeddings`, floats by default.
        Booleans are bits, ``"ubinary"`` by default.
    name : str, optional
        Which column of a table; by default the only one of lists of numbers.

    Returns
    -------
    Embeddings

    Raises
    ------
    StorageError
        For nulls, lists of different lengths, numbers that are no such codes, a column whose type says something else
        than is asked for, or a table without one such column.
    TypeError
        For what is not of Arrow.

    Examples
    --------
    >>> import pyarrow
    >>> codes = Embeddings([[0.5, -1.0], [0.1, 0.2]]).to("int8", scale="per-vector")
    >>> table = pyarrow.table({"id": [7, 8], "embedding": to_arrow(codes)})
    >>> from_arrow(table.sort_by([("id", "descending")])) == codes[::-1]
    True
    """
    pyarrow = _need_pyarrow()
    extension_type()
    asked = output_dtype, dimension, scale, signed_bytes, bit_order
    if output_dtype is not None:
        as_output_dtype(output_dtype)
    check_conventions("offset" if signed_bytes is None else signed_bytes, "msb" if bit_order is None else bit_order)
    if not isinstance(column, pyarrow.Array | pyarrow.ChunkedArray | pyarrow.Table | pyarrow.RecordBatch):
        if not is_arrow(column):
            way_out = "Embeddings(rows) takes arrays and other columns"
            raise TypeError(f"from_arrow reads Arrow's arrays and tables, not a {type(column).__name__}: {way_out}")
        column = _of_capsule(column)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name is the name of a column, a str, not {shown(name)}")
    try:
        if isinstance(column, pyarrow.Table | pyarrow.RecordBatch):
            return _of_table(column, name, asked)
        if name is not None:
            raise ValueError("name= is for tables: this is one column")
        return _made(*read_column(column), asked)
    except StorageError:
        raise
    except (TypeError, ValueError, pyarrow.ArrowException) as error:
        raise StorageError(str(error)) from None


def _of_capsule(column: Any) -> Any:
    try:
        return imported(column)
    except (TypeError, ValueError, OSError) as error:
        raise StorageError(f"a {type(column).__name__} is not read as Arrow: {error}") from None


def _of_table(table: Any, name: str | None, asked: tuple[Any, ...]) -> Embeddings:
    if name is None and holds_scaled(table.schema):  # a column of structs by Arrow's protocol, which is like a table
        return _made(*read_column(table.to_struct_array()), asked)
    chosen, name = name, choose_column(table.schema, name, "name")
    try:
        values, scales, words = read_column(table.column(name), table.schema.field(name))
        if not words:
            words = schema_words(table.schema, name)
            if words and SCALES in table.schema.names:
                scales = table.column(SCALES).to_numpy()
        if not words and chosen is None and asked[2] is None:
            check_no_scales(values, scales_in(table.schema), f"name={name!r}")
        return _made(values, scales, words, asked)
    except (TypeError, ValueError) as error:
        raise StorageError(f"column {name!r}: {error}") from None


def _made(values: Any, scales: Any, words: Any, asked: tuple[Any, ...]) -> Embeddings:
    output_dtype, dimension, scale, signed_bytes, bit_order = asked
    if not words and values.dtype == np.bool_ and values.ndim == 2 and scale is None:
        return bits_of(values, output_dtype, dimension, signed_bytes or "offset", bit_order or "msb")
    if not words and scales is not None:
        if (scale, signed_bytes, bit_order) != (None, None, None):
            raise ValueError("the column has a scale a row: leave out scale, signed_bytes and bit_order")
        return scaled_rows(values, scales, output_dtype, dimension)
    if not words:
        dtype = as_output_dtype(output_dtype or "float")
        values = whole_codes(values, dtype) if values.dtype.kind in "iu" else values
        return Embeddings(values, dtype, dimension, scale, signed_bytes or "offset", bit_order or "msb")
    found = unpack(*as_tensors(values, scales, words))
    if not isinstance(found, Embeddings):
        raise StorageError("the column's type is damaged: it speaks of low-bit codes")
    there = found.output_dtype, found.dimension, found.scale, found.signed_bytes, found.bit_order
    for wanted, is_there in zip(asked, there, strict=True):
        if wanted is not None and wanted != is_there:
            raise StorageError(f"the column holds {found!r}, whose type says {is_there}, not {wanted}")
    return found


def _need_pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise StorageError(needs_package("Arrow", "pyarrow", "files")) from None
    return pyarrow
