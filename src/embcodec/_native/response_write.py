"""Rows of a matrix become rows of a JSON document."""

from __future__ import annotations

import ctypes
import io
from typing import Any

from numpy.typing import NDArray

from .core import ffi, lib, pointer
from .response_layout import TYPES

# Bytes of unspecified content, for a stream that writes all of them: zeros first would double the traffic.
_new_bytes = ctypes.pythonapi.PyBytes_FromStringAndSize
_new_bytes.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t)
_new_bytes.restype = ctypes.py_object


def write_rows(values: NDArray[Any], base64: bool, head: bytes, tail: bytes) -> bytes:
    """Return `head`, the rows of a C-contiguous matrix as the items of a response's data, and `tail`.

    Raises
    ------
    ValueError
        Where a float is not finite, or the text would be too large.
    """
    rows, width = values.shape
    kind = TYPES[values.dtype.kind]
    bound = lib.ec_response_rows_bound(rows, width, kind, base64)
    if bound < 0:
        raise ValueError("a body of this size has no place in memory")
    # The pages behind the end of the text are never touched, and cutting them off moves nothing.
    stream = io.BytesIO(_new_bytes(None, len(head) + bound + len(tail)))
    stream.write(head)
    with stream.getbuffer() as view:
        target = ffi.from_buffer(view)
        written = lib.ec_response_write_rows(pointer(values), rows, width, kind, base64, target + len(head))
        ffi.release(target)
    if written < 0:
        raise ValueError(f"row {-1 - written} has a value that is not finite: JSON has no such numbers")
    stream.seek(len(head) + written)
    stream.write(tail)
    stream.truncate()
    return stream.getvalue()
