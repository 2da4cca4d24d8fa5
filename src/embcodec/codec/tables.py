"""Columns and frames of pyarrow, pandas and polars as arrays. A null is an error: NumPy has no word for it but NaN.

Of these libraries only those are imported whose objects came in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RowError
from ..words import needs_package

ARROW_NAME = "embcodec.embeddings"
"""The name of the Arrow extension type of codes, which :func:`embcodec.to_arrow` makes."""


def reader_of(x: object) -> Callable[[Any], NDArray[Any]] | None:
    """Return what makes an array of a table's column or frame, or None where `x` is nothing of the kind."""
    for base in type(x).__mro__:
        reader = _READERS.get(base.__module__.partition(".")[0])
        if reader is not None:
            return reader
    return None


def of_arrow(column: Any) -> NDArray[Any]:
    """Return a pyarrow array, or a column of several, as an array: lists of numbers become rows of a matrix.

    One chunk of fixed-size lists is not copied.

    Raises
    ------
    ValueError
        For a null, or lists of different lengths; it names the row.
    TypeError
        For what does not hold numbers, or lists of them; it names the type and, where there is one, the way out.
    """
    import pyarrow

    if isinstance(column, pyarrow.Table | pyarrow.RecordBatch):
        raise TypeError("a table is no column: pass one, as table['embedding'], or read it with from_arrow(table)")
    if isinstance(column, pyarrow.Scalar):
        if not column.is_valid:
            raise ValueError("null is no row of numbers")
        return of_arrow(column.values) if hasattr(column, "values") else np.asarray(column.as_py())
    if not isinstance(column, pyarrow.Array | pyarrow.ChunkedArray):
        return np.asarray(column)
    column = one_chunk(column)
    if isinstance(column.type, pyarrow.FixedShapeTensorType) and len(column.type.shape) == 1:
        column = column.storage
    if isinstance(column.type, pyarrow.DictionaryType):
        column = column.dictionary_decode()
    if column.null_count:
        row = int(np.argmax(column.is_null()))
        raise RowError(f"row {row} is null, not a row of numbers: drop such rows", row)
    if not _is_list(column.type):
        return _numbers_of_arrow(column)
    flat = column.flatten()
    width = getattr(column.type, "list_size", -1)
    if width < 0:
        width = _common_width(np.asarray(column.value_lengths()))
    if flat.null_count:
        row = int(np.argmax(flat.is_null())) // width
        raise RowError(f"row {row} holds a null, not numbers", row)
    return _numbers_of_arrow(flat, nested=True).reshape(len(column), width)


def is_arrow(x: object) -> bool:
    """Whether an object is a column or a table by Arrow's PyCapsule interface."""
    return hasattr(x, "__arrow_c_array__") or hasattr(x, "__arrow_c_stream__")


def of_capsule(x: Any) -> NDArray[Any]:
    """Return what has Arrow's PyCapsule interface as an array, as :func:`of_arrow` does a column of pyarrow's."""
    return of_arrow(imported(x))


def imported(x: Any) -> Any:
    """Return what has Arrow's PyCapsule interface as pyarrow's own, over the same memory: a column or a table.

    Raises
    ------
    TypeError
        Where pyarrow is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise TypeError(needs_package(f"reading a {type(x).__name__}", "pyarrow", "files")) from None
    if hasattr(x, "__arrow_c_array__"):
        column = pyarrow.array(x)
        is_table = pyarrow.types.is_struct(column.type)
        return pyarrow.RecordBatch.from_struct_array(column) if is_table else column
    column = pyarrow.chunked_array(x)
    return pyarrow.Table.from_struct_array(column) if pyarrow.types.is_struct(column.type) else column


def one_chunk(column: Any) -> Any:
    """Return a column of any chunks as one array; itself where it is one."""
    import pyarrow

    if not hasattr(column, "chunks"):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    try:
        return column.combine_chunks()
    except pyarrow.ArrowInvalid:
        if not pyarrow.types.is_list(column.type):
            raise
        # together the lists have more numbers than their offsets of 32 bits count
        return column.cast(pyarrow.large_list(column.type.value_type)).combine_chunks()


def holds_rows(kind: Any) -> bool:
    """Whether an Arrow type is of lists, or of vectors as tensors."""
    import pyarrow

    return _is_list(kind) or (isinstance(kind, pyarrow.FixedShapeTensorType) and len(kind.shape) == 1)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(
        types.is_fixed_size_list(kind)
        or types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _numbers_of_arrow(flat: Any, *, nested: bool = False) -> NDArray[Any]:
    """Return an array without nulls, the column itself or what its lists hold, as NumPy has it."""
    from pyarrow import types

    kind = flat.type
    if types.is_dictionary(kind):
        flat = flat.dictionary_decode()
        kind = flat.type
    if types.is_decimal(kind):
        flat = flat.cast("double")
    elif not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        if nested:
            first = ": pyarrow.compute.list_element(column, 0) takes the first inner list of each row"
            raise TypeError(f"the column holds lists of {kind}, not of numbers{first if _is_list(kind) else ''}")
        raise TypeError(f"the column holds {kind}, not numbers{way_of_kind(kind)}")
    return np.asarray(flat)


def way_of_kind(kind: Any) -> str:
    """Say what reads a column of a type that holds no numbers; nothing where that is not known."""
    import pyarrow
    from pyarrow import types

    if isinstance(kind, pyarrow.FixedShapeTensorType):
        return ": column.storage has each of them as one flat row"
    if isinstance(kind, pyarrow.BaseExtensionType):
        own = kind.extension_name == ARROW_NAME
        return ": embcodec.from_arrow(column) reads it" if own else ": pass column.storage, if that is numbers"
    if types.is_struct(kind):
        names = [field.name for field in kind]
        if names == ["codes", "scale"]:
            return ": embcodec.from_arrow(column, 'int8') reads int8 codes and their scales"
        if names == ["codes"]:
            return (
                ": embcodec.from_arrow(table) reads it where the table's schema says what the codes are; else "
                "embcodec.from_arrow(pyarrow.compute.struct_field(column, 'codes'), ...) with output_dtype and, if "
                "they have such, scale, dimension, bit_order and signed_bytes"
            )
        return ": pass one field of it, as pyarrow.compute.struct_field(column, 'name')"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return ": embcodec.parse_floats('[' + ','.join(column.to_pylist()) + ']') reads rows that are JSON arrays"
    if types.is_fixed_size_binary(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        return ": embcodec.from_sqlite_vec(column.to_pylist(), 'float') reads little-endian float32 bytes"
    return ""


def _common_width(lengths: NDArray[Any]) -> int:
    width = int(lengths[0]) if len(lengths) else 0
    if (lengths != width).any():
        row = int((lengths != width).argmax())
        raise RowError(f"rows have different lengths: row 0 has {width} numbers, row {row} has {lengths[row]}", row)
    return width


def of_pandas(x: Any) -> NDArray[Any]:
    """Return a pandas series or frame as an array; what pandas calls missing in its own types is a ValueError."""
    if getattr(x, "ndim", 0) == 2:
        _check_no_ids({name: dtype.kind for name, dtype in zip(x.columns, x.dtypes, strict=True)}, "columns=")
        if all(isinstance(dtype, np.dtype) for dtype in x.dtypes):
            return np.asarray(x)
        return _side_by_side((x.columns[place], x.iloc[:, place]) for place in range(x.shape[1]))
    dtype = getattr(x, "dtype", None)
    if dtype is None or isinstance(dtype, np.dtype):
        return np.asarray(x)
    if hasattr(dtype, "pyarrow_dtype"):
        return of_arrow(getattr(x, "array", x).__arrow_array__())
    missing = np.asarray(x.isna())
    if missing.any():
        row = int(missing.argmax())
        raise RowError(f"row {row} is missing, not a number: drop such rows, or fill them", row)
    return np.asarray(x.to_numpy(dtype=getattr(dtype, "numpy_dtype", None)))


def of_polars(x: Any) -> NDArray[Any]:
    """Return a polars series or frame as an array: of lists and arrays a matrix."""
    import polars

    if isinstance(x, polars.DataFrame):
        letters = {
            name: "f" if kind.is_float() else "i" if kind.is_integer() else "O" for name, kind in x.schema.items()
        }
        _check_no_ids(letters, "")
        return _side_by_side((column.name, column) for column in x.get_columns())
    if isinstance(x, polars.LazyFrame):
        raise TypeError("a LazyFrame holds no values yet: pass .collect()")
    if not isinstance(x, polars.Series):
        return np.asarray(x)
    if x.null_count():
        row = x.is_null().arg_max()
        raise RowError(f"row {row} is null, not a row of numbers: drop such rows", row)
    if isinstance(x.dtype, polars.Struct):
        raise TypeError("the column holds structs, not numbers: .struct.unnest() makes columns of them")
    if str(x.dtype).startswith(f"Extension('{ARROW_NAME}'"):
        raise TypeError("the column holds codes of embcodec's Arrow type: from_arrow(column.to_arrow()) reads it")
    if not isinstance(x.dtype, polars.List | polars.Array):
        return np.asarray(x.to_numpy())
    width = x.dtype.size if isinstance(x.dtype, polars.Array) else _common_width(x.list.len().to_numpy())
    flat = x.explode() if width else x.clear().explode()
    if flat.dtype.is_nested():
        raise TypeError(f"the column holds {x.dtype.inner}, not numbers: .explode() unnests it by one level")
    if flat.null_count():
        row = (flat.is_null().arg_max() or 0) // width
        raise RowError(f"row {row} holds a null, not numbers", row)
    return np.asarray(flat.to_numpy()).reshape(len(x), width)


def of_pgvector(x: Any) -> NDArray[Any]:
    """Return a vector of the package pgvector, of whatever kind, as an array."""
    return np.asarray(x.to_numpy())


def of_bson(x: Any) -> NDArray[Any]:
    """Return a vector of MongoDB's, a Binary of subtype 9, as an array of its own elements."""
    vector = x.as_vector() if hasattr(x, "as_vector") else x
    elements = {"FLOAT32": np.float32, "INT8": np.int8}.get(getattr(getattr(vector, "dtype", None), "name", ""))
    if elements is None:
        way = "Embeddings(np.array([x.as_vector().data for x in rows], np.uint8), 'ubinary')"
        raise TypeError(f"a {type(x).__name__} of packed bits is no row of numbers: {way} reads such")
    return np.array(vector.data, elements)


def _check_no_ids(kinds: dict[Any, str], drop: str) -> None:
    """Refuse a frame of floats whose numbers of rows would become a dimension, and drown the others in every product.

    Whole numbers in the column that a reader of CSV has made of an index, or one called an id, are taken for such.
    `kinds` has NumPy's letter for each column's elements.
    """
    for name, kind in kinds.items() if set(kinds.values()) == {"i", "f"} else ():
        if kind == "i" and isinstance(name, str) and _IDS.fullmatch(name):
            words = f"column {name!r} has the rows' numbers, which are no dimension"
            raise TypeError(f"{words}: pass frame.drop({drop}{name!r})")


def _side_by_side(columns: Iterable[tuple[Any, Any]]) -> NDArray[Any]:
    """Return a matrix of a frame's columns, each of one number a row."""
    parts = []
    for name, column in columns:
        reader = reader_of(column)
        try:
            part = np.asarray(column) if reader is None else reader(column)
        except (TypeError, ValueError) as error:
            raise type(error)(f"column {name!r}: {error}") from None
        if part.ndim != 1:
            raise TypeError(f"column {name!r} holds whole rows: pass it alone, as frame[{name!r}]")
        if part.dtype.kind not in "fiubO":
            raise TypeError(f"column {name!r} holds {part.dtype}, not numbers: pass the columns of numbers alone")
        parts.append(part)
    return np.column_stack(parts) if parts else np.empty((0, 0), np.float32)


_IDS = re.compile(r"(.*[_ ])?ids?|index|Unnamed: 0|__index_level_0__", re.IGNORECASE)
_READERS: dict[str, Callable[[Any], NDArray[Any]]] = {
    "pyarrow": of_arrow,
    "pandas": of_pandas,
    "polars": of_polars,
    "pgvector": of_pgvector,
    "bson": of_bson,
}
