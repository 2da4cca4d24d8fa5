"""Ids: whole numbers of 64 bits. What is none is refused, never rounded."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .codec_tables import reader_of


def as_int64(ids: Any, name: str = "id") -> NDArray[np.int64]:
    """Return ids as int64 (n,), their values unchanged.

    Parameters
    ----------
    ids : array-like or iterable of int
        A column of a table has to be one of integers without nulls.
    name : str
        What one of them is called in errors.

    Raises
    ------
    TypeError
        For what is no whole number (floats and booleans are none); it names the row.
    ValueError
        For a number beyond 64 bits, a null, or another shape.
    """
    reader = reader_of(ids)
    array = ids if reader is None else reader(ids)
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"masked {name}s: fill them first, with .filled(value)")
    if not isinstance(array, np.ndarray) or array.dtype == object:
        if not isinstance(array, Iterable) or isinstance(array, str | bytes):
            raise TypeError(f"{name}s are whole numbers, one a row, not {array!r}")
        array = _of_values(list(array), name)
    if array.ndim != 1:
        raise ValueError(f"{name}s have shape (n,), not {array.shape}")
    if not array.size:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}s are whole numbers, not {array.dtype}: convert them, as with .astype(np.int64)")
    if array.dtype == np.uint64 and array.max() >= 1 << 63:
        row = int((array >= 1 << 63).argmax())
        raise ValueError(f"{name} {row} is {array[row]}: beyond 64 bits with a sign")
    return array.astype(np.int64)


def _of_values(values: list[Any], name: str) -> NDArray[np.int64]:
    if set(map(type, values)) == {int}:
        with suppress(OverflowError):
            return np.array(values, np.int64)
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name} {row} is {value!r}, not a whole number")
        if not -(1 << 63) <= int(value) < 1 << 63:
            raise ValueError(f"{name} {row} is {value}: beyond 64 bits with a sign")
    return np.array(values, np.int64)
