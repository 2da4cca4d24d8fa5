"""Base64 of the C core: rows of bytes to texts, spans of a buffer to rows of a matrix."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .core import blocks_of, check, ffi, lib

URLSAFE: int = lib.EC_BASE64_URLSAFE
NO_PADDING: int = lib.EC_BASE64_NO_PADDING


class Decoded(NamedTuple):
    """What became of rows: `produced` of them are decoded.

    On failure that is the row that failed, and `consumed` the offset into the text of the byte that failed it.
    """

    status: int
    produced: int
    consumed: int


def encoded_length(n: int) -> int:
    """Return the number of characters that `n` bytes become, padding included."""
    return int(lib.ec_base64_encoded_length(n))


def encode_rows(rows: NDArray[Any], text: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Return the texts of the rows of a C-contiguous matrix, as a (count, characters) matrix of ASCII codes.

    They are written to the first rows of `text`, where it is given, which must be C-contiguous and wide enough.
    """
    count, row_bytes = len(rows), rows.nbytes // max(len(rows), 1)
    if text is None:
        text = np.empty((count, encoded_length(row_bytes)), np.uint8)
    width = text.shape[1]
    if len(text) < count or width < encoded_length(row_bytes) or not text.flags.c_contiguous:
        raise ValueError(f"text must be C-contiguous and hold {count} x {encoded_length(row_bytes)} characters")
    source, target = ffi.from_buffer(rows), ffi.from_buffer(text)
    for block in blocks_of(count, row_bytes):
        first, some = block.start, block.stop - block.start
        lib.ec_base64_encode_rows(source + first * row_bytes, some, row_bytes, row_bytes, target + first * width, width)
    return text[:count]


def decoded_length(text: Any, flags: int = 0) -> int:
    """Return the number of bytes that a well-formed text becomes; -1 where no such text has this length and ending."""
    return int(lib.ec_base64_decoded_length(ffi.from_buffer(text), len(text), flags))


def decode(text: Any, out: NDArray[Any], flags: int = 0, row: int | None = None) -> int:
    """Decode one text into a C-contiguous array and return the number of bytes written.

    Raises
    ------
    DecodeError
        With the offset of the offending byte; where `out` is too small too.
    """
    result = lib.ec_base64_decode(ffi.from_buffer(text), len(text), ffi.from_buffer(out), out.nbytes, flags)
    check(result, row=row)
    return int(result.produced)


def decode_rows(
    text: Any, offsets: NDArray[np.int64], lengths: NDArray[np.int64], out: NDArray[Any], flags: int = 0
) -> Decoded:
    """Decode spans of `text` into the rows of a C-contiguous matrix, each to exactly a row's bytes.

    The spans must lie within `text`.
    """
    row_bytes = out.nbytes // len(out) if len(out) else 0
    if not len(offsets) == len(lengths) <= len(out):
        raise ValueError(f"{len(offsets)} offsets and {len(lengths)} lengths of texts for {len(out)} rows")
    source, target = ffi.from_buffer(text), ffi.from_buffer(out)
    for block in blocks_of(len(offsets), row_bytes):
        result = lib.ec_base64_decode_rows(
            source,
            ffi.from_buffer("int64_t[]", offsets[block]),
            ffi.from_buffer("int64_t[]", lengths[block]),
            block.stop - block.start,
            target + block.start * row_bytes,
            row_bytes,
            row_bytes,
            flags,
        )
        if result.status:
            break
    return Decoded(result.status, block.start + result.produced, result.consumed)
