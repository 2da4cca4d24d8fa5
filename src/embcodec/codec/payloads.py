"""What base64 carries: the elements of rows, and the dtypes that its bytes are read as."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._native.floats import CODES, form_of
from .._native.response.hints import misread_bytes
from ..dtypes import OutputDtype
from ..errors import DecodeError
from ..words import shown
from .bits import as_array
from .narrow import as_float32

# The names of output dtypes come before NumPy's, to which "float" is float64.
_OUTPUT_DTYPES: dict[str, np.dtype[Any]] = {str(name): name.numpy_dtype for name in OutputDtype}
_FLOAT32 = OutputDtype.FLOAT.numpy_dtype


def payload_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return what the elements of a payload are: an output dtype's, or NumPy's, native ones little-endian."""
    if isinstance(dtype, str) and dtype in _OUTPUT_DTYPES:
        return _OUTPUT_DTYPES[dtype]
    try:
        wanted = np.dtype("V0" if dtype is None else dtype)  # to NumPy None is float64
    except Exception:  # TypeError for what is none; also what the object's own dtype or name comes to
        if not isinstance(dtype, str | type):
            raise TypeError(f"dtype is an output dtype or a dtype of NumPy's, not {shown(dtype)}") from None
        wanted = OutputDtype(str(dtype)).numpy_dtype  # its error lists the known names
    if isinstance(dtype, str) and wanted.isbuiltin == 2:  # a name that NumPy knows only once some package is imported
        OutputDtype(dtype)
    if wanted.kind not in "iufcV" or wanted.hasobject or wanted.itemsize == 0:
        raise ValueError(f"{wanted} is not a dtype of numbers with fixed bytes")
    return wanted.newbyteorder("<") if wanted.byteorder == "=" else wanted


def refuse_other_dtypes(found: NDArray[Any], dtype: DTypeLike) -> None:
    """Raise where the bytes of an output dtype all but certainly are another's; NumPy's dtypes take any bytes."""
    if not (isinstance(dtype, str) and dtype in _OUTPUT_DTYPES):
        return
    matrix = found[None] if found.ndim == 1 else found
    wrong = misread_bytes(matrix, form_of(found.dtype, OutputDtype(str(dtype)).is_packed)) if matrix.size else None
    if wrong:
        row, words = wrong
        words = words.partition(": ")[0]
        fits = next((f", or {name!r}," for name in CODES.values() if f"like {name} codes," in words), "")
        remedy = f"give a NumPy dtype, which takes bytes as they are{fits} instead of {str(dtype)!r}"
        raise DecodeError(f"{words}; {remedy}", row=row if found.ndim == 2 else None)


def payload_rows(rows: Any) -> NDArray[Any]:
    """Return a vector or a matrix of the elements that a payload of `rows` carries, contiguous and little-endian."""
    if isinstance(rows, (bytes, bytearray, memoryview)):
        values: NDArray[Any] = np.frombuffer(rows, np.uint8)
    else:
        values = as_array(rows, as_they_are=True)  # its dtype tells the bytes
        if _is_untyped(rows) and values.ndim:
            values = _as_elements(values, rows)
    # NumPy's long double (g, G) ends in bytes that are never set.
    if values.dtype.hasobject or values.dtype.kind not in "iufcbV" or values.dtype.char in "gG":
        raise TypeError(f"elements of dtype {values.dtype} have no fixed bytes to encode")
    if values.ndim not in (1, 2):
        raise ValueError(f"rows must be a vector or a matrix, not {values.ndim}-dimensional")
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<"))


def _is_untyped(rows: Any) -> bool:
    """Whether a container does not say what its elements are, as a list and a column of objects do not."""
    dtype = getattr(rows, "dtype", None)
    return dtype == np.dtype(object) if isinstance(dtype, np.dtype) else isinstance(rows, list | tuple | deque)


def _as_elements(values: NDArray[Any], rows: Iterable[Any]) -> NDArray[Any]:
    """Return the elements of an untyped container in the type that its rows have; Python's own floats are float32."""
    told: tuple[int, np.dtype[Any]] | None = None
    for number, row in enumerate(rows if values.ndim > 1 else ()):
        if isinstance(row, np.ndarray) and row.dtype != object:
            dtype = row.dtype
        else:
            dtype = _FLOAT32 if _is_untyped(row) else as_array(row, as_they_are=True).dtype
        if told is not None and told[1] != dtype:
            raise TypeError(f"row {told[0]} is {told[1]}, row {number} is {dtype}: rows of one dtype are wanted")
        told = told or (number, dtype)
    if told is not None and told[1] == values.dtype:
        return values
    if values.dtype.kind in "iub":
        raise TypeError("lists must hold floats; give codes as an array, whose dtype tells their bytes")
    return as_float32(values) if values.dtype == np.float64 else values
