"""Whole numbers that name rows: ids of 64 bits, candidates, masks. What is none is refused, never rounded."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RowError
from ..words import shown
from .tables import reader_of

_BOOLEANS = {bool, np.bool_}


def as_int64(ids: Any, name: str = "id") -> NDArray[np.int64]:
    """Return ids as int64 (n,), their values unchanged; see :func:`as_whole`.

    Raises
    ------
    TypeError, ValueError
        As :func:`as_whole` does; also for a number beyond 64 bits, and another shape.
    """
    array = as_whole(ids, name)
    if array.ndim != 1:
        raise ValueError(f"{name}s have shape (n,), not {array.shape}")
    if array.dtype == np.uint64 and array.size and array.max() >= 1 << 63:
        row = int((array >= 1 << 63).argmax())
        raise ValueError(f"{name} {row} is {array[row]}: beyond 64 bits with a sign")
    return array.astype(np.int64)


def as_whole(values: Any, name: str, *, several: bool = False) -> NDArray[Any]:
    """Return whole numbers as an array of integers; none at all as int64.

    Parameters
    ----------
    values : array-like or iterable of int
        A column of a table has to be one of integers without nulls.
    name : str
        What one of them is called in errors.
    several : bool
        Take lists of several a row, too.

    Raises
    ------
    TypeError
        For what is no whole number (floats and booleans are none); it names the row.
    ValueError
        For a number beyond 64 bits, a null, or rows of different lengths.
    """
    array: Any = _unmasked(values, f"{name}s")
    if not isinstance(array, np.ndarray) or array.dtype == object:
        if not isinstance(array, Iterable) or isinstance(array, str | bytes):
            raise TypeError(f"{name}s are whole numbers, one a row, not {shown(array)}")
        array = _of_values(list(array), name, several)
    if not array.size:
        return np.empty(array.shape, np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}s are whole numbers, not {array.dtype}{_way_to_whole(array, name)}")
    return np.asarray(array)


def _way_to_whole(array: NDArray[Any], name: str) -> str:
    """Say how numbers become whole ones that name the same; scores, of which that makes others, are not whole."""
    if array.dtype.kind == "f" and (array == np.rint(array)).all() and (np.abs(array) < 1 << 62).all():
        return ": convert them, as with .astype(np.int64)"
    return ": of a search's result pass found.indices" if array.dtype.kind == "f" and name == "candidate" else ""


def mask_or_numbers(chosen: Any, name: str) -> NDArray[Any] | None:
    """Return what chooses rows as an array, of booleans or of whole numbers; None where it is neither.

    Raises
    ------
    TypeError
        Where values are masked, or booleans stand among others, called `name`.
    ValueError
        For a null in a column of a table.
    """
    if isinstance(chosen, list | tuple):
        kinds = set(map(type, chosen))
        if kinds & _BOOLEANS and kinds - _BOOLEANS:
            return as_whole(chosen, name)  # which names the first of them
    try:
        array = np.asarray(_unmasked(chosen, f"{name}s"))
    except ValueError:
        if reader_of(chosen) is not None:
            raise
        return None
    if not array.size and array.dtype.kind == "f":
        return np.empty(array.shape, np.int64)
    return array if array.dtype.kind in "biu" else None


def as_selection(rows: Any, count: int) -> slice | NDArray[Any]:
    """Return what ``codes[rows]`` selects of `count` rows as a slice, or as an array that indexes.

    A number selects one row, which stays one of a matrix; anything that is no number, slice, mask or list of numbers is
    an IndexError.
    """
    if isinstance(rows, slice):
        return rows
    if isinstance(rows, int | np.integer) and not isinstance(rows, bool):
        if not -count <= rows < count:
            raise IndexError(f"row {rows} of {count}")
        return slice(int(rows), int(rows) + 1 or None)
    array = mask_or_numbers(rows, "row number")
    if array is None or array.ndim != 1:
        raise IndexError(f"rows are chosen by a number, a slice, a mask or a list of numbers, not by {shown(rows)}")
    return array


def _unmasked(values: Any, name: str) -> Any:
    reader = reader_of(values)
    null = _first_null(values) if reader is not None else None
    if null is not None:
        raise RowError(f"row {null} is null among the {name}: drop such rows", null)
    array = values if reader is None else reader(values)
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"masked {name}: fill them first, with .filled(value)")
    return array


def _first_null(column: Any) -> int | None:
    """Return the first null of a column of Arrow's or Polars'; None where there is none."""
    nulls = getattr(column, "null_count", 0)
    count = nulls() if callable(nulls) else nulls
    if not isinstance(count, int) or not count:  # a frame has a count a column
        return None
    return int(np.argmax(np.asarray(column.is_null())))


def _of_values(values: list[Any], name: str, several: bool) -> NDArray[Any]:
    kinds = set(map(type, values))
    if kinds == {int}:
        with suppress(OverflowError):
            return np.array(values, np.int64)
    if several and kinds and all(issubclass(kind, list | tuple | np.ndarray) for kind in kinds):
        return _of_rows(values, name)
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name} {row} is {shown(value)}, not a whole number")
        if not -(1 << 63) <= int(value) < 1 << 63:
            raise ValueError(f"{name} {row} is {value}: beyond 64 bits with a sign")
    return np.array(values, np.int64)


def _of_rows(rows: list[Any], name: str) -> NDArray[Any]:
    parts: list[NDArray[Any]] = []
    for number, row in enumerate(rows):
        try:
            parts.append(as_whole(row, name))
        except (TypeError, ValueError) as error:
            raise type(error)(f"row {number}: {error}") from None
        if parts[-1].shape != parts[0].shape:
            raise ValueError(f"{name}s come in rows of one length: row {number} has {len(row)}, row 0 {len(rows[0])}")
    return np.stack(parts)
