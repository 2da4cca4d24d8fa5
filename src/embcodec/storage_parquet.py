"""``.parquet`` files: a column of fixed-size lists, its meaning in the metadata, pages with checksums."""

from __future__ import annotations

import json
import os
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import StorageError
from .storage_columns import COLUMN, KEY, SCALES, Parts, choose_column, extension_type, read_column, schema_words


def write_parquet(
    file: IO[bytes], values: NDArray[Any], scales: NDArray[np.float32] | None, words: dict[str, str]
) -> None:
    """Write rows (n, width), their scales (n,) where each has one, and the words that say what they mean."""
    pyarrow = _import()
    width = values.shape[1]
    flat = pyarrow.array(values.reshape(-1))
    columns = {COLUMN: pyarrow.FixedSizeListArray.from_arrays(flat, width) if width else None}
    if columns[COLUMN] is None:
        raise StorageError("a .parquet file cannot hold rows of no dimensions")
    if scales is not None:
        columns[SCALES] = pyarrow.array(scales)
    table = pyarrow.table(columns).replace_schema_metadata({KEY: json.dumps(words, sort_keys=True)})
    pyarrow.parquet.write_table(
        table,
        file,
        compression="none",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )


def read_parquet(
    file: IO[bytes], column: str | None = None
) -> tuple[NDArray[Any], NDArray[np.float32] | None, dict[str, str]]:
    """Read what :func:`write_parquet` wrote, or the list column of a file from elsewhere (with no words).

    Parameters
    ----------
    file : binary file
    column : str, optional
        Name of the column; by default ``embedding``, a usual name, or the only column of lists.

    Raises
    ------
    StorageError
        Where the file is damaged, or rows have nulls or different lengths.
    """
    pyarrow = _import()
    extension_type()
    size = os.fstat(file.fileno()).st_size
    try:
        reader = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
        schema = reader.schema_arrow
        name = choose_column(schema, column)
        words = schema_words(schema, name)
        announced = reader.metadata.num_rows * (getattr(schema.field(name).type, "list_size", 1) or 1)
        if announced > 64 * size:
            raise StorageError(f"{announced} values are announced in {size} bytes: refused")
        wanted = [name, SCALES] if SCALES in schema.names and words else [name]
        table = reader.read(columns=wanted, use_threads=False)
        table.validate(full=True)
        values, scales, own = _parts(table, name)
        if len(wanted) == 2:
            scales = table.column(SCALES).to_numpy()
    except (pyarrow.ArrowException, OSError, MemoryError, OverflowError, UnicodeDecodeError) as error:
        raise StorageError(f"not a .parquet file, or a damaged one: {str(error).partition(chr(10))[0][:200]}") from None
    return values, scales, own or words


def _parts(table: Any, name: str) -> Parts:
    try:
        values, scales, words = read_column(table.column(name), table.schema.field(name))
    except (TypeError, ValueError) as error:
        raise StorageError(f"column {name!r}: {error}") from None
    return np.array(values), scales, words  # memory of its own, to be written to


def _import() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise StorageError("a .parquet file needs pyarrow: pip install 'embcodec[files]'") from None
    return pyarrow
