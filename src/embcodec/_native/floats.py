"""Floats of other forms: float16, bfloat16 and floats of one byte, of either byte order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import ffi, lib, pointer

PAYLOADS: dict[tuple[str, str], int] = {
    ("float32", "little"): lib.EC_PAYLOAD_BYTES,
    ("float32", "big"): lib.EC_PAYLOAD_BIG_ENDIAN_FLOAT32,
    ("float16", "little"): lib.EC_PAYLOAD_FLOAT16,
    ("float16", "big"): lib.EC_PAYLOAD_BIG_ENDIAN_FLOAT16,
    ("bfloat16", "little"): lib.EC_PAYLOAD_BFLOAT16,
    ("bfloat16", "big"): lib.EC_PAYLOAD_BIG_ENDIAN_BFLOAT16,
    ("fp8_e4m3", "little"): lib.EC_PAYLOAD_E4M3,
    ("fp8_e4m3", "big"): lib.EC_PAYLOAD_E4M3,
    ("fp8_e5m2", "little"): lib.EC_PAYLOAD_E5M2,
    ("fp8_e5m2", "big"): lib.EC_PAYLOAD_E5M2,
    ("float64", "little"): lib.EC_PAYLOAD_FLOAT64,
    ("float64", "big"): lib.EC_PAYLOAD_BIG_ENDIAN_FLOAT64,
}
"""Of a dtype and a byte order."""
BYTES = PAYLOADS["float32", "little"]
BITS: int = lib.EC_PAYLOAD_BITS
CODES: dict[int, str] = {lib.EC_PAYLOAD_INT8: "int8", lib.EC_PAYLOAD_UINT8: "uint8", BITS: "ubinary"}
"""What bytes are guessed to be beside floats, and the output dtype that reads them."""
_CODES_OF = {"i": lib.EC_PAYLOAD_INT8, "u": lib.EC_PAYLOAD_UINT8}


def item_bytes(payload: int) -> int:
    """Return the bytes of one float."""
    return int(lib.ec_payload_bytes(payload))


def widen(source: bytes | memoryview, start: int, payload: int, out: NDArray[np.float32]) -> None:
    """Fill `out`, C-contiguous, with the floats from byte `start` of the source on.

    Raises
    ------
    ValueError
        Where the source has not enough of them.
    """
    if not 0 <= start <= len(source) - out.size * item_bytes(payload):
        raise ValueError(f"there are no {out.size} floats from byte {start} on: the source has {len(source)} bytes")
    lib.ec_floats_widen(ffi.from_buffer(source) + start, out.size, payload, pointer(out))


def narrow(values: NDArray[np.float32], payload: int) -> NDArray[np.uint8]:
    """Return the bytes of a matrix in that form, (n, width * item_bytes), each float rounded to the nearest.

    Raises
    ------
    ValueError
        For a value that is not finite, or too large for the form.
    """
    out = np.empty((len(values), values.shape[1] * item_bytes(payload)), np.uint8)
    result: Any = lib.ec_floats_narrow(pointer(values), values.size, payload, pointer(out))
    if result.status != lib.EC_OK:
        row, column = divmod(result.consumed, values.shape[1])
        raise ValueError(f"row {row} has a value ({values[row, column]}) that is not finite in the payload's dtype")
    return out


def form_of(dtype: np.dtype[Any], packed: bool, payload: int = BYTES) -> int:
    """Return what base64 of a matrix of `dtype` is asked to be: the floats' payload, or one of :data:`CODES`."""
    if dtype.kind == "f":
        return payload
    return BITS if packed else int(_CODES_OF[dtype.kind])


def guess(matrix: NDArray[Any], asked: int) -> tuple[int, int]:
    """Return what the bytes of a C-contiguous matrix read like, `asked` unless that is all but certainly wrong.

    Parameters
    ----------
    matrix : ndarray, shape (n, width)
    asked : int
        Of :func:`form_of`.

    Returns
    -------
    payload : int
        One of :data:`PAYLOADS`, or of :data:`CODES`.
    row : int
        One that is not as asked.
    """
    row, row_bytes = ffi.new("int64_t *"), matrix.shape[1] * matrix.itemsize
    found = lib.ec_payload_guess(ffi.from_buffer(matrix), len(matrix), row_bytes, asked, row)
    return int(found), int(row[0])


def nearest_codes(matrix: NDArray[Any]) -> int:
    """Return the codes that the bytes of a C-contiguous matrix are likest."""
    return guess(matrix, lib.EC_PAYLOAD_NONE)[0]


def guess_listed(matrix: NDArray[np.float32]) -> int:
    """Return which codes a matrix that came as lists of numbers must be of; `BYTES` where it may be one of floats."""
    return int(lib.ec_payload_guess_listed(ffi.from_buffer(matrix), len(matrix), matrix.shape[1]))
