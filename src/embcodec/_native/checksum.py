"""The CRC-32 of zlib and zip, at the speed of memory where the machine has instructions for it, or for polynomials."""

from __future__ import annotations

import zlib
from typing import Any

from numpy.typing import NDArray

from .core import lib, pointer

_SLOW = lib.EC_ISA_SCALAR | lib.EC_ISA_NEON


def crc32(array: NDArray[Any], so_far: int = 0) -> int:
    """Return the checksum of a C-contiguous array's bytes behind those whose checksum is `so_far`."""
    if not array.nbytes:
        return so_far
    if not lib.ec_isa_active() & _SLOW:
        return int(lib.ec_crc32(so_far, pointer(array), array.nbytes))
    return zlib.crc32(array.reshape(-1).view("u1").data, so_far)
