"""``.parquet`` files: a column of fixed-size lists, its meaning in the metadata, pages with checksums."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..containers import Footer, check_decoded, check_seal, decoded_bytes, drop_seal, read_footer, sealed, unfinished
from ..errors import StorageError, row_of
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

_GROUP_BYTES = 1 << 25


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
    row_bytes = max(table.nbytes // max(len(table), 1), 1)
    pyarrow.parquet.write_table(
        table,
        file,
        row_group_size=max(_GROUP_BYTES // row_bytes, 1),  # a group is in memory once more while it is written
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
    with open_parquet(file, column, max_bytes, page_checksum_verification=True) as table:
        read = table.reader.read(columns=table.wanted, use_threads=False)
        read.validate(full=True)
        if len(read) != table.rows:
            raise StorageError(f"{table.rows} rows are announced, {len(read)} are there: the file is damaged")
        values, scales, own = table.parts_of(read)
        words = table.words
        if table.is_as_written:
            check_seal(words, *(array for array in (values, scales) if array is not None))
        else:
            drop_seal(words)
    return values, scales, own or words


class OpenParquet(NamedTuple):
    """A file whose footer has been looked at.

    Attributes
    ----------
    reader : pyarrow.parquet.ParquetFile
    name : str
        The column of rows.
    wanted : list of str
        The columns that make up the rows.
    words : dict of str to str
        What the schema says of them, of a file of :func:`write_parquet`.
    rows : int
    group_rows : tuple of int
    is_as_written : bool
        Whether the file looks as :func:`write_parquet` writes it: one that others made of it may have other rows.
    is_named : bool
        Whether the column was chosen by its name.
    """

    reader: Any
    name: str
    wanted: list[str]
    words: dict[str, str]
    rows: int
    group_rows: tuple[int, ...]
    is_as_written: bool
    is_named: bool

    def parts_of(self, table: Any) -> Parts:
        """Return what the rows of a table of the wanted columns hold."""
        values, scales, own = _parts(table, self.name)
        if scales is None and not (self.is_named or own or self.words):
            check_no_scales(values, scales_in(self.reader.schema_arrow), f"column={self.name!r}")
        if len(self.wanted) == 2:
            scales = table.column(SCALES).to_numpy()
        return values, scales, own


@contextmanager
def open_parquet(
    file: IO[bytes], column: str | None, max_bytes: int | None, *, looks_at_pages: bool = True, **options: Any
) -> Iterator[OpenParquet]:
    """Open a file to read a column of rows; what is wrong with it, also later, is a StorageError.

    Parameters
    ----------
    file : binary file
    column : str, optional
    max_bytes : int, optional
    looks_at_pages : bool
        Whether the headers of all pages are read, to know what they decode to: the file is then on this machine.
    **options
        Of pyarrow's reader.
    """
    pyarrow = _import()
    extension_type()
    try:
        size = file.seek(0, os.SEEK_END)
        reader = pyarrow.parquet.ParquetFile(file, **options)
        schema = reader.schema_arrow
        name = choose_column(schema, column)
        words = schema_words(schema, name)
        wanted = [name, SCALES] if SCALES in schema.names and words else [name]
        footer = read_footer(file, size)
        rows = reader.metadata.num_rows
        if rows != footer.rows or rows != sum(footer.group_rows):
            raise StorageError(f"{rows} rows are announced, {sum(footer.group_rows)} in groups: the file is damaged")
        _refuse_bytes(footer, schema, name, wanted)
        if looks_at_pages:
            listed = 4 * rows * (getattr(schema.field(name).type, "list_size", 1) or 1)  # also where rows are null
            decoded = decoded_bytes(file, size, footer, *wanted)
            check_decoded(max(listed, decoded), size, max_bytes, f"column {name!r}")
        as_written = _is_as_written(footer, len(wanted))
        yield OpenParquet(reader, name, wanted, words, rows, footer.group_rows, as_written, column is not None)
    except (pyarrow.ArrowException, OSError, MemoryError, OverflowError, UnicodeDecodeError) as error:
        said = str(error).partition(chr(10))[0][:200] + unfinished(file, b"PAR1", b"PAR1", 4)
        raise StorageError(f"not a .parquet file, or a damaged one: {said}") from None


def _refuse_bytes(footer: Footer, schema: Any, name: str, wanted: list[str]) -> None:
    """Refuse columns of text or bytes, in the words for their types, before they are decoded.

    A dictionary's one long entry can stand for any number of rows, and so can one that the next begin alike with: no
    header tells how many bytes they come to. No rows of numbers are kept so.
    """
    if not any(chunk.is_bytes for chunk in footer.of(*wanted)):
        return
    _parts(schema.empty_table(), name)
    raise StorageError(
        f"column {name!r}: its numbers are stored as byte arrays, which are not read: cast them to float32"
    )


def _is_as_written(footer: Footer, columns: int) -> bool:
    """Whether a file looks as :func:`write_parquet` writes it: one that others made of it may have other rows."""
    return footer.columns == columns and all(chunk.codec == 0 and chunk.plain for chunk in footer.chunks)


def _parts(table: Any, name: str) -> Parts:
    try:
        values, scales, words = read_column(table.column(name), table.schema.field(name))
    except (TypeError, ValueError) as error:
        raise StorageError(f"column {name!r}: {error}", row=row_of(error)) from None
    return np.array(values), scales, words  # memory of its own, to be written to


def _import() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise StorageError(needs_package("a .parquet file", "pyarrow", "files")) from None
    return pyarrow
