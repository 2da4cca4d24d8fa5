"""Arrays of floats <-> arrays of codes. The array level under :mod:`.embeddings` and :mod:`.quantize`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import OutputDtype
from .scale import Scale


def encode_values(
    x: NDArray[np.float32],
    dtype: OutputDtype,
    scale: Any = None,
    *,
    signed_bytes: str = "offset",
    bit_order: str = "msb",
) -> tuple[NDArray[Any], Scale | None]:
    """Return the codes of `x` (n, dimension) and the scale they have."""
    raise NotImplementedError


def decode_values(
    values: NDArray[Any],
    dtype: OutputDtype,
    dimension: int,
    scale: Scale | None,
    signed_bytes: str = "offset",
    bit_order: str = "msb",
) -> NDArray[np.float32]:
    """Return what codes stand for, float32 (n, dimension), a new array; bits are -1 and +1."""
    raise NotImplementedError


def truncate_values(x: NDArray[np.float32], dimension: int, normalize: bool) -> NDArray[np.float32]:
    """Return the first `dimension` columns as a new array, rows brought to unit length if asked."""
    raise NotImplementedError
