"""Arrays <-> the bytes of an open file, without a copy."""

from __future__ import annotations

import math
import mmap as memory_map
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .._native.floats import PAYLOADS, widen
from ..codec import narrowed_floats
from ..errors import StorageError

SHORT_FLOATS = {"float16": np.dtype("<f2"), "bfloat16": np.dtype("V2")}
"""Elements of files for floats of two bytes; NumPy has no name for the second."""

_PIECE = 1 << 22  # bytes asked for at once: what a .npz inflates lies in memory twice


def as_bytes(array: NDArray[Any]) -> memoryview:
    """Return a view of a C-contiguous array's bytes."""
    return memoryview(array.reshape(-1).view(np.uint8).data)


def mapped(file: IO[bytes], size: int) -> memory_map.mmap:
    """Return the first `size` bytes of a file, mapped to be read; StorageError where it cannot be."""
    try:
        return memory_map.mmap(file.fileno(), size, access=memory_map.ACCESS_READ)
    except (OSError, ValueError) as error:  # cut meanwhile, or on a file system that maps nothing
        raise StorageError(f"it cannot be mapped ({error}): read it, with mmap=False") from None


def read_array(file: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read an array from where `file` stands; the caller has checked that its size is plausible.

    Raises
    ------
    StorageError
        Where the file ends before the array does.
    """
    array = np.empty(shape, dtype)
    if array.nbytes:
        rest = as_bytes(array)
        while len(rest):
            count = file.readinto(rest[:_PIECE])  # type: ignore[attr-defined]
            if not count:
                raise StorageError(f"the file ends {len(rest)} bytes too early")
            rest = rest[count:]
    return array


def widened(array: NDArray[Any], payload: int) -> NDArray[np.float32]:
    """Return floats that NumPy has no type for, given as their bytes, as float32; `payload` is their form."""
    values = np.empty(array.shape, np.float32)
    if array.size:
        widen(as_bytes(np.ascontiguousarray(array)), 0, payload, values)
    return values


@dataclass(frozen=True)
class Stream:
    """An array in a file that is open, of which some rows are read at a time.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
        Of what is read.
    read : callable
        ``read(first, count)`` returns rows in memory of their own. In order is how they are read fastest.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int, int], NDArray[Any]]

    @property
    def ndim(self) -> int:
        """How many axes the array has."""
        return len(self.shape)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of what is read."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def whole(self) -> NDArray[Any]:
        """Return all rows; the caller has checked that they are few enough."""
        return self.read(0, self.shape[0])


def stream_of(
    file: IO[bytes], start: int, shape: tuple[int, ...], dtype: np.dtype[Any], payload: int | None = None
) -> Stream:
    """Return the array (of one axis or more) at byte `start` of a file; `payload` is as for :func:`widened`."""
    row_bytes = math.prod(shape[1:]) * dtype.itemsize

    def read(first: int, count: int) -> NDArray[Any]:
        place = start + first * row_bytes
        if file.tell() != place:
            file.seek(place)
        array = read_array(file, (count, *shape[1:]), dtype)
        return array if payload is None else widened(array, payload)

    return Stream(shape, dtype if payload is None else np.dtype(np.float32), read)


def narrowed(values: NDArray[np.float32], float_dtype: str) -> NDArray[Any]:
    """Return a matrix of floats in one of :data:`SHORT_FLOATS`, each rounded to the nearest.

    Raises
    ------
    StorageError
        For a value that is not finite, or too large; it names the row.
    """
    try:
        return narrowed_floats(values, PAYLOADS[float_dtype, "little"]).view(SHORT_FLOATS[float_dtype])
    except ValueError as error:
        raise StorageError(f"{error}, {float_dtype}: leave out float_dtype={float_dtype!r}") from None
