"""Arrays <-> the bytes of an open file, without a copy."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import StorageError

_PIECE = 1 << 22  # bytes asked for at once: what a .npz inflates lies in memory twice


def as_bytes(array: NDArray[Any]) -> memoryview:
    """Return a view of a C-contiguous array's bytes."""
    return memoryview(array.reshape(-1).view(np.uint8).data)


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
