"""What files say is judged here before anything is made of it: sizes, numbers, arrays, and the words beside them."""

from __future__ import annotations

import json
import math
import os
import sys
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .._native.checksum import crc32
from ..errors import StorageError
from ..words import shown

MOST_EXPANSION = 64
"""How many times a file's size what it decodes to may be: vectors hardly compress, bombs do."""
FREE_BYTES = 64 << 20
"""What any file may decode to: small files of zeros or repeated rows compress without end."""
MOST_AXES = 8
MOST_WORDS = 1 << 16
"""Longest text of metadata in a ``.npz``, characters: parsed JSON takes many times its text."""

CUT_OFF = "; the file ends too early: it was cut off as it was written or copied"
_MOST_END = 22 + (1 << 16)  # bytes of the end of a zip file, with the longest of comments

_ROWS, _WORDS_CHECKSUM, _DATA_CHECKSUM = "rows", "words_checksum", "data_checksum"
in_json = json.JSONEncoder(sort_keys=True).encode
"""Plain data as the text of which :func:`text_checksum` is."""


def allowed_bytes(stored: int, max_bytes: int | None) -> int:
    """Return how many bytes what is stored in `stored` of them may come to: `max_bytes`, where that is said."""
    return max(FREE_BYTES, MOST_EXPANSION * stored) if max_bytes is None else max_bytes


def check_decoded(decoded: int, stored: int, max_bytes: int | None, what: str) -> None:
    """Refuse what would take more memory than a file of `stored` bytes may ask for, before it is taken.

    Raises
    ------
    StorageError
        It names the `max_bytes` that lets the file through.
    """
    allowed = allowed_bytes(stored, max_bytes)
    if decoded > allowed:
        usual = f" (the larger of {FREE_BYTES >> 20} MiB and {MOST_EXPANSION} times its size)" * (max_bytes is None)
        raise StorageError(
            f"{what} announces {decoded:,} bytes in a file of {stored:,}: refused, as at most {allowed:,}{usual} are "
            f"taken without a word; if you trust it, pass max_bytes={decoded}"
        )


def check_max_bytes(max_bytes: int | None) -> None:
    """Refuse a limit that is no whole number, or negative."""
    if max_bytes is None:
        return
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int | np.integer):
        raise TypeError(f"max_bytes is a whole number, not {shown(max_bytes)}")
    if max_bytes < 0:
        raise ValueError(f"max_bytes must not be negative: {max_bytes}")


def check_shape(shape: Iterable[Any], dtype: np.dtype[Any], name: str) -> int:
    """Return how many bytes an array takes; StorageError where no array can have that shape."""
    lengths = tuple(shape)
    if len(lengths) > MOST_AXES:
        raise StorageError(f"{name} has {len(lengths)} axes; at most {MOST_AXES} are read")
    if not all(type(length) is int and 0 <= length < 1 << 63 for length in lengths):
        raise StorageError(f"{name}: the shape {lengths} is not of whole numbers in range")
    widest = max(dtype.itemsize, 8)  # elements may become wider: shorter floats float32, ids 64 bits
    if math.prod(length or 1 for length in lengths) * widest >= 1 << 63:
        raise StorageError(f"{name}: no array can have the shape {lengths}")
    return int(math.prod(lengths) * dtype.itemsize)


def whole_number(words: Mapping[str, str], name: str, most: int = (1 << 63) - 1) -> int:
    """Return the number 0 .. `most` that a word spells in ASCII digits; KeyError where it is missing."""
    text = words[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= most):
        raise ValueError(f"{name} {text[:40]!r} is no whole number up to {most}")
    return int(text)


def flag(words: Mapping[str, str], name: str) -> bool:
    """Return what a word of "0" or "1" says."""
    if words[name] not in ("0", "1"):
        raise ValueError(f"{name} {words[name][:40]!r} is neither 0 nor 1")
    return words[name] == "1"


def checked_array(
    arrays: Mapping[str, NDArray[Any]],
    name: str,
    dtype: Any,
    shape: tuple[int | None, ...],
    *,
    least: float = -np.inf,
    most: float = np.inf,
) -> NDArray[Any]:
    """Return an array of exactly that dtype and shape (None: of any length), finite, least .. most, C-contiguous.

    Raises
    ------
    KeyError
        Where there is none of that name.
    ValueError
        Where it is another; it names the place.
    """
    array = arrays[name]
    fits = len(shape) == array.ndim and all(
        wanted in (None, there) for wanted, there in zip(shape, array.shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} of {array.dtype} {array.shape}, not {np.dtype(dtype)} {wanted}")
    if array.dtype.kind == "f" and array.size:
        low, high = float(array.min()), float(array.max())  # NaN where any is
        if not (-np.inf < low and high < np.inf and low >= least and high <= most):
            with np.errstate(invalid="ignore"):  # a signalling NaN
                exact = array.astype(np.float64)
            wrong = ~(np.isfinite(exact) & (exact >= least) & (exact <= most))
            place = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), array.shape))
            value = exact[place]
            kind = "not finite" if not np.isfinite(value) else "negative" if value < 0 <= least else "out of range"
            raise ValueError(f"a value of {name} is {kind}: {value} at {list(place)}")
    return np.asarray(array, order="C")


def is_text(array: NDArray[Any]) -> bool:
    """Whether all characters of an array of text are such."""
    characters = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(-1).view(np.uint32)
    return bool(characters.max(initial=0) <= sys.maxunicode)


def checked_texts(arrays: Mapping[str, NDArray[Any]], name: str, least: int) -> list[str]:
    """Return the texts of an array (n,), n at least `least`.

    Raises
    ------
    KeyError
        Where there is none of that name.
    ValueError
        Where it is another, or some of its characters are none: a str made of them cannot even be shown.
    """
    array = arrays[name]
    if array.dtype.kind != "U" or array.ndim != 1 or len(array) < least:
        raise ValueError(f"{name} of {array.dtype} {array.shape}, not text of {least} or more")
    if not is_text(array):
        raise ValueError(f"{name} that are no text")
    return [str(text) for text in array]


def checksum_of(*arrays: NDArray[Any]) -> int:
    """Return the CRC-32 of C-contiguous arrays, one after the other."""
    checksum = 0
    for array in arrays:
        checksum = crc32(array, checksum)
    return checksum


def sealed(words: Mapping[str, str], *arrays: NDArray[Any]) -> dict[str, str]:
    """Return words with the number of rows of `arrays` and checksums of these and of the words themselves."""
    little = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    full = {**words, _ROWS: str(len(arrays[0])), _DATA_CHECKSUM: f"{checksum_of(*little):08x}"}
    return {**full, _WORDS_CHECKSUM: text_checksum(full)}


def check_seal(words: dict[str, str], *arrays: NDArray[Any]) -> None:
    """Take out of words what :func:`sealed` put there and compare it; files of former versions have nothing of it.

    Raises
    ------
    StorageError
        Where words, rows or data are not what was written.
    """
    expected = words.pop(_WORDS_CHECKSUM, None)
    if expected is not None and expected != text_checksum(words):
        raise StorageError("the metadata of embcodec is damaged: its checksum differs")
    rows, checksum = words.pop(_ROWS, None), words.pop(_DATA_CHECKSUM, None)
    if (rows is None) != (expected is None) or (checksum is None) != (expected is None):
        raise StorageError("the metadata of embcodec is damaged: a part of its checksums is missing")
    if rows is not None and rows != str(len(arrays[0])):
        raise StorageError(f"{rows} rows were written, {len(arrays[0])} are there")
    little = [np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for array in arrays]
    if checksum is not None and checksum != f"{checksum_of(*little):08x}":
        raise StorageError("the data is damaged: its checksum differs")


def drop_seal(words: dict[str, str]) -> None:
    """Take out of words what :func:`sealed` put there, of a file that another program has written since."""
    for name in (_WORDS_CHECKSUM, _ROWS, _DATA_CHECKSUM):
        words.pop(name, None)


def text_checksum(data: Any) -> str:
    """Return the CRC-32 of plain data as JSON, in hexadecimal digits."""
    return checksum_of_text(in_json(data))


def checksum_of_text(text: str) -> str:
    """Return the CRC-32 of a text, in hexadecimal digits."""
    return f"{zlib.crc32(text.encode()):08x}"


def unfinished(file: IO[bytes], head: bytes, end: bytes, end_bytes: int) -> str:
    """Say that a file is empty, or begins as its kind does and has no such end, of so many bytes; else nothing."""
    try:
        size = file.seek(0, os.SEEK_END)
        if size == 0:
            return "; the file is empty: nothing was written to it"
        file.seek(0)
        begun = file.read(len(head)) == head
        file.seek(max(len(head), size - _MOST_END))
        tail = file.read()
        cut_off = begun and not 0 <= tail.rfind(end) <= len(tail) - end_bytes
    except (OSError, ValueError):  # a file that cannot be read was refused for that
        return ""
    return CUT_OFF if cut_off else ""
