"""How files are read in parts: the arguments that all readers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ...codec import as_int64
from ...dtypes import NamelessFloat, OutputDtypeLike
from ...errors import RowError, StorageError, row_of
from ...profiles import Profile
from ...quantizers.lowbit import Rows
from ...wire.batch import BatchLine
from .skipping import Ids, OnError, Skips

Piece = tuple[Rows, Ids]

CUSTOM_ID = "custom_id"
MADE_UP = re.compile(r"/[0-9]+\Z")
"""How ids end that are made up for rows of a line of several inputs."""
HOW_MADE_UP = "rows of a batch file's line of several inputs are called by its custom_id, a slash and a number"


@dataclass(frozen=True)
class Reading:
    """How files are read; see :func:`embcodec.iter_load`."""

    column: str | None = None
    id_column: str | None = None
    batch_rows: int = 65_536
    output_dtype: OutputDtypeLike | None = None
    dimension: int | None = None
    float_dtype: str | None = None
    profile: str | Profile = "mistral"
    max_bytes: int | None = None
    failed: Callable[[str, BatchLine], object] | None = None
    # Counts lines that hold no embeddings before rows that are passed over: they were told when these rows were taken.
    known: Callable[[], object] | None = None
    skips: Skips | None = None  # who hears of what cannot be read, where that is passed over
    row_dimension: int | None = None  # what lines of a batch file are held against, where it is known before the first
    names_apart: bool = False  # the rows of a batch file's line of several inputs: "a/0", "a/1" ...


class WhatTheyHold(TypedDict, total=False):
    """The arguments of :func:`embcodec.iter_load` that say what files hold, for those who hand them on."""

    output_dtype: OutputDtypeLike | None
    dimension: int | None
    float_dtype: NamelessFloat | None
    profile: str | Profile
    failed: Callable[[str, BatchLine], object] | None
    storage_options: Mapping[str, Any] | None
    max_bytes: int | None
    on_error: OnError


@contextmanager
def rows_from(first: int) -> Iterator[None]:
    """Have errors say which rows of the file the part has whose rows they count."""
    try:
        yield
    except StorageError as error:
        if first and error.row is not None:
            raise StorageError(f"among the rows from {first} on: {error}", row=error.row) from None
        raise


def as_names(values: Any, column: str) -> NDArray[np.int64] | list[str]:
    """Return the values of a column of ids: whole numbers as int64, texts as a list.

    Raises
    ------
    StorageError
        For a null, and for values that are neither.
    """
    kind = str(getattr(values, "type", ""))
    try:
        if "arrow.uuid" in kind:
            found = values.to_pylist()
            if None in found:
                raise RowError(f"row {found.index(None)} is null", found.index(None))
            return [str(value) for value in found]
        if "binary" in kind or kind.startswith(("list", "large_list", "fixed_size_list", "struct")):
            uuids = ", or UUIDs: column.cast(pyarrow.uuid())" if kind == "fixed_size_binary[16]" else ""
            raise TypeError(f"it holds {kind}: make texts of them{uuids}")
        if "string" in kind:  # of Arrow, dictionaries of such among them
            texts: list[str] = values.to_pylist()
            if None in texts:
                null = texts.index(None)  # type: ignore[arg-type]
                raise RowError(f"row {null} is null", null)
            return texts
        if isinstance(values, np.ndarray) and values.dtype.kind == "U":
            return [str(value) for value in values]
        return as_int64(values)
    except (TypeError, ValueError) as error:
        words = f"column {column!r} of ids, which are whole numbers or texts: {error}"
        raise StorageError(words, row=row_of(error)) from None
