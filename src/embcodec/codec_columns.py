"""Columns of rows, as tables have them: pandas's objects and pyarrow's lists become matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def stack(rows: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    """Return one matrix of rows of numbers, each an array or a list of its own.

    Raises
    ------
    ValueError
        For a row that is missing, holds something else than numbers, or is of another length; it names the row.
    """
    parts: list[NDArray[Any]] = []
    for number, row in enumerate(rows):
        try:
            part = np.asarray(row)
        except ValueError:
            raise ValueError(f"row {number} holds lists of different lengths, not numbers") from None
        if part.ndim == 0:
            raise ValueError(f"row {number} is {_named(row)}, not a row of numbers")
        if part.dtype.kind not in "fiub":
            missing = next((f" (element {i} is None)" for i, value in enumerate(row) if value is None), "")
            raise ValueError(f"row {number} holds {part.dtype}, not numbers{missing}")
        if parts and part.shape != parts[0].shape:
            lengths = f"row 0 has {len(parts[0])} numbers, row {number} has {len(part)}"
            raise ValueError(f"rows have different lengths: {lengths}")
        parts.append(part)
    return np.stack(parts) if parts else np.empty((0, 0), np.float32)


def _named(row: Any) -> str:
    return "missing (None)" if row is None else f"a {type(row).__name__}"


def of_arrow(column: Any) -> NDArray[Any]:
    """Return a pyarrow array, or a column of several, as an array: lists of numbers become rows of a matrix.

    One chunk of fixed-size lists is not copied. pyarrow itself is not imported.

    Raises
    ------
    ValueError
        For a null, or lists of different lengths; it names the row.
    """
    if column.null_count:
        raise ValueError(f"row {int(np.argmax(column.is_null()))} is null, not a row of numbers: drop such rows")
    if hasattr(column, "chunks"):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if not hasattr(column, "value_lengths"):  # no column of lists
        return np.asarray(column)
    width = getattr(column.type, "list_size", -1)
    flat = column.flatten()
    if width < 0:
        lengths = np.asarray(column.value_lengths())
        width = int(lengths[0]) if len(lengths) else 0
        if (lengths != width).any():
            row = int((lengths != width).argmax())
            words = f"row 0 has {width} numbers, row {row} has {lengths[row]}"
            raise ValueError(f"rows have different lengths: {words}")
    if flat.null_count:
        raise ValueError(f"row {int(np.argmax(flat.is_null())) // width} holds a null, not numbers")
    return np.asarray(flat).reshape(len(column), width)
