"""What is read from a body and written to one: kinds of vectors, where they lie, what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import ffi, lib

LIST: int = lib.EC_VECTOR_LIST
STRING: int = lib.EC_VECTOR_STRING
NO_STRINGS: int = lib.EC_PAYLOAD_NONE
TYPES: dict[str, int] = {"f": lib.EC_FLOAT32, "i": lib.EC_INT8, "u": lib.EC_UINT8}
BOM = b"\xef\xbb\xbf"

CURSOR = ffi.typeof("ec_response_cursor *")
SPAN = ffi.typeof("ec_row_span *")
FORMAT = ffi.typeof("ec_row_format *")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the vectors are in a document, and how they are written.

    Attributes
    ----------
    path : bytes
        The keys to the list of rows, then those from a row to its vector, each ended by a zero byte.
    rows_keys, item_keys : int
        How many keys of either kind.
    dtype : numpy.dtype
        Of the matrix: float32, int8 or uint8.
    payload : int
        What base64 carries: of :data:`~embcodec._native.floats.PAYLOADS`, or :data:`NO_STRINGS`.
    nulls_as_nan : bool
    base64_flags : int
    in_order : bool
        Whether rows stay where they are, whatever index they have.
    no_strings : str
        What is said of strings where they are no vectors.
    packed : bool
        Whether an element holds eight dimensions.
    sized : bool
        Whether a dimension was asked for.
    dimension, unused, zero : int
        Of packed bits that do not fill their bytes, else 0: their dimension, which bits of a row's last byte are behind
        it, and the byte that stands for none set.
    unpacked : bool
        Whether elements are bits by themselves.
    """

    path: bytes
    rows_keys: int
    item_keys: int
    dtype: np.dtype[Any]
    payload: int = 0
    nulls_as_nan: bool = False
    base64_flags: int = 0
    in_order: bool = False
    no_strings: str = ""
    packed: bool = False
    sized: bool = False
    dimension: int = 0
    unused: int = 0
    zero: int = 0
    unpacked: bool = False


@dataclass(slots=True)
class Rows:
    """What was found in a document.

    `values` is None where the document has no list of rows, or an empty one. `list_start`, `list_end` span the list, or
    the row that stands alone (-1: there is none); `kind` is the first vector's, `tokens` the sum of the rows' counts,
    where they have such.
    """

    values: NDArray[Any] | None
    list_start: int
    list_end: int
    kind: int = 0
    tokens: int = 0
