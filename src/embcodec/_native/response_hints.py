"""What is said of base64 whose bytes are another dtype's, and how to read it."""

from __future__ import annotations

import binascii
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import floats
from .response_layout import Layout

_HEXADECIMAL = re.compile(rb"[0-9a-f]{32,}|[0-9A-F]{32,}")
_NAMES = {payload: (dtype, order) for (dtype, order), payload in reversed(floats.PAYLOADS.items())}
_BYTES = floats.PAYLOADS["float32", "little"]
_FEW = 4  # rows that are looked at: one of zeros tells nothing
_SAMPLE = 64  # their elements
_TELLING = 128  # bytes that do not read like float32 by chance
_EXTREME = 2.0**72  # beyond it, or below its inverse, nothing is an element of an embedding


def misread(values: NDArray[Any], layout: Layout) -> tuple[int, str] | None:
    """Return the first row, of the first few, whose bytes all but certainly are another dtype's, and what to say."""
    rows = min(len(values), _FEW)
    if layout.payload == _BYTES:  # as a rule all are as asked, and that is known at once
        asked = _BYTES if values.dtype.kind == "f" else floats.CODES
        if floats.all_read_as(values, rows, asked):
            return None
    for row in range(rows):
        words = misread_row(values[row], layout.payload)
        if words:
            return row, words
    return None


def misread_row(row: NDArray[Any], payload: int) -> str:
    """Return what is wrong with the dtype of a vector that came as bytes; nothing as a rule."""
    if row.dtype.kind != "f":
        found = floats.guess(row, floats.CODES)
        return "" if found == floats.CODES else _words(found, "codes")
    source: Any = row
    if payload != _BYTES:
        try:
            source = floats.narrow(row[None, :_SAMPLE], payload)
        except ValueError:  # not finite: other words tell
            return ""
    found = floats.guess(source, payload)
    return "" if found == payload else _words_for(found, source, payload)


def not_finite(row: NDArray[np.float32], payload: int) -> str:
    """Return what may be wrong with the dtype of a vector in which there is a NaN or infinity; else nothing."""
    if payload != _BYTES:
        return ""
    found = floats.guess(row, payload)
    if found == payload:
        sizes = np.abs(row[np.isfinite(row) & (row != 0)])
        if not ((sizes > _EXTREME) | (sizes < 1 / _EXTREME)).any():
            return ""
        found = floats.CODES
    return _words_for(found, row, payload)


def _words_for(found: int, source: NDArray[Any], payload: int) -> str:
    asked, order = _NAMES[payload]
    if found != floats.CODES:
        return _words(found, asked, order)
    dtype = _code_dtype(source.view(np.uint8).ravel())
    return f"base64 that reads like {dtype} codes, not like {asked}: say output_dtype={dtype!r}"


def is_hexadecimal(start: bytes) -> bool:
    """Whether text that begins so is no base64: sixteen of its characters only, digits and letters."""
    if not _HEXADECIMAL.fullmatch(start):
        return False
    digits = sum(start.count(b"%d" % digit) for digit in range(10))
    return len(start) <= 4 * digits <= 3.5 * len(start)


def other_length(row_bytes: int, width: int, layout: Layout, start: bytes) -> str:
    """Return how a vector of so many bytes could have the `width` that was asked for, and be what its bytes read like.

    `start` is the first of its base64. Nothing where no dtype fits, or where the bytes are what they were taken for:
    then the vector has another number of dimensions.
    """
    source = _decoded(start)
    if layout.dtype.kind == "f":
        sizes = {8 * width: ("float64",), 4 * width: ("float32",), 2 * width: ("float16", "bfloat16")}
        if row_bytes in sizes:
            forms = [name for name in sizes[row_bytes] if _may_be(source, floats.PAYLOADS[name, "little"])]
            if len(source) >= _TELLING and floats.guess(source, layout.payload) == layout.payload:
                forms = [name for name in forms if name != "float64"]  # which two floats in a row read like, too
            words = " or ".join(map(repr, forms))
            return f"; {row_bytes // width} bytes a dimension are base64_dtype={words} in the profile" if forms else ""
        if not _may_be(source, floats.CODES):
            return ""
        if row_bytes == width:
            return (
                "; a byte a dimension is output_dtype='int8' or 'uint8', or of floats base64_dtype='fp8_e4m3' or "
                "'fp8_e5m2' in the profile"
            )
        if row_bytes == -(-width // 8):
            return "; a bit a dimension is output_dtype='ubinary' or 'binary'"
        return ""
    for size, name in ((8, "float64"), (4, "float32"), (2, "float16")):
        dimensions = (8 * width - 7, 8 * width) if layout.packed else (width, width)
        fits = row_bytes % size == 0 and dimensions[0] <= row_bytes // size <= dimensions[1]
        if fits and _may_be(source, floats.PAYLOADS[name, "little"]):
            more = "" if size == 4 else f", and base64_dtype={name!r} in the profile"
            return f"; {name} would have such a length: output_dtype='float' reads floats{more}"
    return ""


def _decoded(text: bytes) -> bytes:
    """Return the bytes of the start of base64, of either alphabet; none where it is no base64."""
    whole = text[: len(text) // 4 * 4]
    try:
        return binascii.a2b_base64(whole.translate(bytes.maketrans(b"-_", b"+/")))
    except binascii.Error:
        return b""


def _may_be(source: bytes, payload: int) -> bool:
    """Whether bytes may be of a dtype, for all that they read like."""
    return not source or floats.guess(source, payload) == payload


def _words(found: int, asked: str, order: str = "little") -> str:
    dtype, byte_order = _NAMES[found]
    if dtype == "fp8_e4m3":
        return (
            f"base64 that reads like elements of one byte, not like {asked}: say output_dtype='int8' or 'uint8' for "
            "codes; a profile with base64_dtype='fp8_e4m3' or 'fp8_e5m2' reads floats"
        )
    usual = "float32" if asked == "codes" else asked
    changes = [f"base64_dtype={dtype!r}"] if dtype != usual else []
    if byte_order != order:
        changes.append(f"byte_order={byte_order!r}")
    ways = ["say output_dtype='float'"] if asked == "codes" else []
    if changes:
        ways.append(f"dataclasses.replace(profile, {', '.join(changes)}) reads it")
    name = f"{'big-endian ' if byte_order == 'big' else ''}{dtype}"
    return f"base64 that reads like {name}, not like {asked}: {', and '.join(ways)}"


def _code_dtype(source: NDArray[np.uint8]) -> str:
    """Return the dtype of codes that these bytes are like: int8 about 0, uint8 about 128, bits anywhere."""
    signed = np.abs(source.view(np.int8).astype(np.float64)).mean()
    unsigned = np.abs(source.astype(np.float64) - 128).mean()
    most = 45  # of evenly spread bytes the mean is 64
    if min(signed, unsigned) > most:
        return "ubinary"
    return "int8" if signed < unsigned else "uint8"
