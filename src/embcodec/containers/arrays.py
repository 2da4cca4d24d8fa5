"""Arrays <-> the bytes of an open file, without a copy."""

from __future__ import annotations

import mmap as memory_map
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .._native.floats import PAYLOADS, narrow, widen
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


def narrowed(values: NDArray[np.float32], float_dtype: str) -> NDArray[Any]:
    """Return a matrix of floats in one of :data:`SHORT_FLOATS`, each rounded to the nearest.

    Raises
    ------
    StorageError
        For a value that is not finite, or too large; it names the row.
    """
    try:
        return narrow(values, PAYLOADS[float_dtype, "little"]).view(SHORT_FLOATS[float_dtype])
    except ValueError as error:
        raise StorageError(f"{error}, {float_dtype}: leave out float_dtype={float_dtype!r}") from None
