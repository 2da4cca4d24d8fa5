"""``.parquet`` files: a column of fixed-size lists, its meaning in the metadata, pages with checksums."""

from __future__ import annotations

import json
import os
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..containers import Footer, check_decoded, check_seal, decoded_bytes, drop_seal, read_footer, sealed
from ..errors import StorageError
from ..words import needs_package
from .columns import (
    COLUMN,
    KEY,
    SCALES,
    Parts,
    check_no_scales,
    choose_column,
    extension_type,
    read_column,
    scales_in,
    schema_words,
)


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
    words = sealed(words, *(array for array in (values, scales) if array is not None))
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
    file: IO[bytes], column: str | None = None, max_bytes: int | None = None
) -> tuple[NDArray[Any], NDArray[np.float32] | None, dict[str, str]]:
    """Read what :func:`write_parquet` wrote, or the list column of a file from elsewhere (with no words).

    Parameters
    ----------
    file : binary file
    column : str, optional
        Name of the column; by default the only one that can be rows.
    max_bytes : int, optional
        How many bytes the column may take decoded; see :func:`~embcodec.containers.checks.check_decoded`.


    Raises
    ------
    StorageError
        Where the file is damaged, holds another number of rows than it says, takes more memory than `max_bytes`, or
        where rows have nulls or different lengths.
    """
    pyarrow = _import()
    extension_type()
    size = os.fstat(file.fileno()).st_size
    try:
        reader = pyarrow.parquet.ParquetFile(file, page_checksum_verification=True)
        schema = reader.schema_arrow
        name = choose_column(schema, column)
        words = schema_words(schema, name)
        wanted = [name, SCALES] if SCALES in schema.names and words else [name]
        footer = read_footer(file, size)
        rows = reader.metadata.num_rows
        if rows != footer.rows or rows != sum(footer.group_rows):
            raise StorageError(f"{rows} rows are announced, {sum(footer.group_rows)} in groups: the file is damaged")
        _refuse_bytes(footer, schema, name, wanted)
        listed = 4 * rows * (getattr(schema.field(name).type, "list_size", 1) or 1)  # also where rows are null
        decoded = decoded_bytes(file, size, footer, *wanted)
        check_decoded(max(listed, decoded), size, max_bytes, f"column {name!r}")
        table = reader.read(columns=wanted, use_threads=False)
        table.validate(full=True)
        if len(table) != rows:
            raise StorageError(f"{rows} rows are announced, {len(table)} are there: the file is damaged")
        values, scales, own = _parts(table, name)
        if column is None and not (own or words):
            check_no_scales(values, scales_in(schema), f"column={name!r}")
        if len(wanted) == 2:
            scales = table.column(SCALES).to_numpy()
        if _is_as_written(footer, len(wanted)):
            check_seal(words, *(array for array in (values, scales) if array is not None))
        else:
            drop_seal(words)
    except (pyarrow.ArrowException, OSError, MemoryError, OverflowError, UnicodeDecodeError) as error:
        raise StorageError(f"not a .parquet file, or a damaged one: {str(error).partition(chr(10))[0][:200]}") from None
    return values, scales, own or words


def _refuse_bytes(footer: Footer, schema: Any, name: str, wanted: list[str]) -> None:
    """Refuse columns of text or bytes, in the words for their types, before they are decoded.

    A dictionary's one long entry can stand for any number of rows, and so can one that the next begin alike with: no
    header tells how many bytes they come to. No rows of numbers are kept so.
    """
    if not any(chunk.is_bytes for chunk in footer.of(*wanted)):
        return
    _parts(schema.empty_table(), name)
    raise StorageError(
        f"column {name!r}: its numbers are stored as byte arrays, which is not read: cast them to float32"
    )


def _is_as_written(footer: Footer, columns: int) -> bool:
    """Whether a file looks as :func:`write_parquet` writes it: one that others made of it may have other rows."""
    return footer.columns == columns and all(chunk.codec == 0 and chunk.plain for chunk in footer.chunks)


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
        raise StorageError(needs_package("a .parquet file", "pyarrow", "files")) from None
    return pyarrow
