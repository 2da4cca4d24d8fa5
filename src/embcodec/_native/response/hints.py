"""What is said of vectors that are another dtype's than was asked for, and how to read them."""

from __future__ import annotations

import binascii
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import floats
from .layout import LIST, STRING, Layout

_HEXADECIMAL = re.compile(rb"[0-9a-f]{32,}|[0-9A-F]{32,}")
_NAMES = {payload: (dtype, order) for (dtype, order), payload in reversed(floats.PAYLOADS.items())}
_FEW = 4  # rows that are looked at: one of zeros tells nothing
_SAMPLE = 64  # their elements
_TELLING = 128  # bytes that do not read like float32 by chance
_TELLING_BITS = 16  # bytes that are 0 or 1 by chance in no packed bits
_EXTREME = 2.0**72  # beyond it, or below its inverse, nothing is an element of an embedding


def misread(values: NDArray[Any], layout: Layout, kind: int = STRING) -> tuple[int, str] | None:
    """Return a row, of the first few, that all but certainly is of another dtype, and what to say; None as a rule.

    `kind` tells what the vectors came as.
    """
    if kind == STRING:
        return misread_bytes(values, floats.form_of(layout.dtype, layout.packed, layout.payload), layout.sized)
    if kind != LIST:
        return None
    if layout.dtype.kind != "f":
        return _bits_in_numbers(values) if layout.packed and not (layout.sized or layout.unpacked) else None
    found = floats.guess_listed(values)
    return None if found == floats.BYTES else (0, _words_of_list(found, values, layout.sized))


def _bits_in_numbers(values: NDArray[Any]) -> tuple[int, str] | None:
    """Say of packed bits, whose dimension nobody said, that they are 0 and 1, or signs, a dimension each.

    None as a rule. By chance so many bytes of packed bits are one of two numbers once in 2^112 rows; rows with next to
    no ones tell nothing.
    """
    for row in range(min(len(values), _FEW)):
        start = values[row, :_SAMPLE]
        if len(start) < _TELLING_BITS:
            return None
        off = 0 if start.min() == 0 else -1
        if not ((start == 1) | (start == off)).all():
            return None
        whole = values[row]
        if ((whole == 1) | (whole == off)).all() and 8 * np.count_nonzero(whole == 1) >= len(whole):
            return row, (
                f"a list of {off} and 1, a number a dimension, not packed bits: "
                "dataclasses.replace(profile, bits_as_numbers=True) reads it; of packed bits say dimension"
            )
    return None


def are_signs(values: NDArray[Any]) -> bool:
    """Whether numbers are -1 and 1 alone, as signs are that stand for bits."""
    return values.dtype.kind == "i" and bool(((values == 1) | (values == -1)).all())


def no_bits(values: NDArray[Any], layout: Layout) -> tuple[int, str] | None:
    """Return the first row that is not the bits of its dimension, and what to say; None as a rule."""
    if layout.unpacked:
        wrong = (values != 0) & (values != 1)
        if wrong.any() and not are_signs(values):
            row = int(wrong.any(axis=1).argmax())
            return row, f"{values[row][wrong[row]][0]} where a bit, 0 or 1, is wanted"
    elif layout.unused:
        found = (values[:, -1].view(np.uint8) ^ np.uint8(layout.zero)) & np.uint8(layout.unused)
        if found.any():
            return int((found != 0).argmax()), f"bits set after its last dimension {layout.dimension}"
    return None


def misread_bytes(values: NDArray[Any], asked: int, sized: bool = False) -> tuple[int, str] | None:
    """Return the same of rows that came as bytes, `asked` to be what :func:`~embcodec._native.floats.form_of` says.

    `sized` tells that a dimension was asked for, too.
    """
    if asked == floats.BYTES or asked in floats.CODES:
        found, row = floats.guess(values, asked)
        return None if found == asked else (row, _words(found, asked, values, sized))
    for row in range(min(len(values), _FEW)):
        try:
            source = floats.narrow(values[row : row + 1, :_SAMPLE], asked)
        except ValueError:  # not finite: other words tell
            continue
        found = floats.guess(source, asked)[0]
        if found != asked:
            return row, _words(found, asked, values, sized)
    return None


def not_finite(row: NDArray[np.float32], payload: int, sized: bool = False) -> str:
    """Return what may be wrong with the dtype of a vector in which there is a NaN or infinity; else nothing."""
    if payload != floats.BYTES:
        return ""
    matrix = row[None]
    found = floats.guess(matrix, payload)[0]
    if found == payload:
        sizes = np.abs(row[np.isfinite(row) & (row != 0)])
        if not ((sizes > _EXTREME) | (sizes < 1 / _EXTREME)).any():
            return ""
        found = floats.nearest_codes(matrix)
    return _words(found, payload, matrix, sized)


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
            if len(source) >= _TELLING and _may_be(source, layout.payload):
                forms = [name for name in forms if name != "float64"]  # which two floats in a row read like, too
            words = " or ".join(map(repr, forms))
            return f"; {row_bytes // width} bytes a dimension are base64_dtype={words} in the profile" if forms else ""
        if not _may_be(source, *floats.CODES):
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


def _may_be(source: bytes, *payloads: int) -> bool:
    """Whether bytes may be of one of these dtypes, for all that they read like."""
    row = np.frombuffer(source, np.uint8)[None]
    return not source or any(floats.guess(row, payload)[0] == payload for payload in payloads)


def _words(found: int, asked: int, values: NDArray[Any], sized: bool) -> str:
    if found in floats.CODES:
        dtype, other = floats.CODES[found], floats.CODES.get(asked) or _NAMES[asked][0]
        return f"base64 that reads like {dtype} codes, not like {other}: say {_dtypes(found, asked, values, sized)}"
    asked_name, order = _NAMES.get(asked, ("codes", "little"))
    dtype, byte_order = _NAMES[found]
    if dtype == "fp8_e4m3":
        return (
            f"base64 that reads like elements of one byte, not like {asked_name}: say output_dtype='int8' or 'uint8' "
            "for codes; a profile with base64_dtype='fp8_e4m3' or 'fp8_e5m2' reads floats"
        )
    usual = "float32" if asked in floats.CODES else asked_name
    changes = [f"base64_dtype={dtype!r}"] if dtype != usual else []
    if byte_order != order:
        changes.append(f"byte_order={byte_order!r}")
    ways = ["say output_dtype='float'"] if asked in floats.CODES else []
    if changes:
        ways.append(f"dataclasses.replace(profile, {', '.join(changes)}) reads it")
    name = f"{'big-endian ' if byte_order == 'big' else ''}{dtype}"
    return f"base64 that reads like {name}, not like {asked_name}: {', and '.join(ways)}"


def _dtypes(found: int, asked: int, values: NDArray[Any], sized: bool) -> str:
    """Say which output dtypes read bytes that are codes, and the dimension with it where one was asked for."""
    words = f"output_dtype={floats.CODES[found]!r}" + (" or 'binary'" if found == floats.BITS else "")
    if not sized or (asked in floats.CODES and (found == floats.BITS) == (asked == floats.BITS)):
        return words
    row_bytes = values.shape[1] * (floats.item_bytes(asked) if asked not in floats.CODES else 1)
    return f"{words}, dimension={8 * row_bytes if found == floats.BITS else row_bytes}"


def _words_of_list(found: int, values: NDArray[Any], sized: bool) -> str:
    """Say the same of a list of whole numbers; where they are evenly spread, either kind of codes may be meant."""
    kinds = ("int8", "binary") if (values < 0).any() else ("uint8", "ubinary")
    names = f"{kinds[0]!r}" + (f", or {kinds[1]!r} of packed bits" if found == floats.BITS else "")
    if found == floats.BITS and sized:
        names += f", dimension={8 * values.shape[1]}"
    return f"a list of whole numbers, as codes are and embeddings of floats are not: say output_dtype={names}"
