"""The header of a ``.safetensors`` file: what its arrays are and where, and the words beside them.

::

    | u64 n | n bytes of JSON, padded with spaces | tensors, little-endian, without gaps |
            ^ {"__metadata__": {...}, "name": {"dtype", "shape", "data_offsets"}, ...}

Two checksums (CRC-32) go into the metadata: of the header itself, so that a changed bit in a shape, a dtype
or a scale's name is seen, and of the data. Files from elsewhere have none.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._native.floats import PAYLOADS
from ..errors import StorageError
from ..words import is_words, without_twins
from .arrays import SHORT_FLOATS
from .checks import CUT_OFF, check_shape, checksum_of_text, in_json

MAX_HEADER = 1 << 16
"""Longest header that is read, bytes: parsed JSON takes many times its text; a matrix needs some hundred."""

_ALIGNMENT = 64
_HEADER_CHECKSUM, _DATA_CHECKSUM = "header_checksum", "data_checksum"
_UNKNOWN = "0" * 8  # as long as a checksum
_compact = json.JSONEncoder(separators=(",", ":")).encode
_decoded = json.JSONDecoder(object_pairs_hook=without_twins).decode
_OURS = re.compile(
    rb'\{"__metadata__":\{(.+),"data_checksum":"([0-9a-f]{8})","header_checksum":"([0-9a-f]{8})"\},(.+)\} *', re.DOTALL
)
"""A header as :class:`Header` writes it."""
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
WIDENED = {
    "BF16": ("|V2", PAYLOADS["bfloat16", "little"]),
    "F8_E4M3": ("|V1", PAYLOADS["fp8_e4m3", "little"]),
    "F8_E5M2": ("|V1", PAYLOADS["fp8_e5m2", "little"]),
}
"""Floats that NumPy does not know, which become float32: how they lie in the file, and their form."""
NAMES = {np.dtype(code): name for name, code in _DTYPES.items()} | {SHORT_FLOATS["bfloat16"]: "BF16"}
"""What dtypes that are written are called."""


class Header:
    """A header on its way to a file: first it holds its place, then it is written with the checksums.

    Parameters
    ----------
    arrays : mapping of str to array
        In the order of the file, of dtypes that have names here.
    metadata : mapping of str to str
        Checksums among them are left out.

    Attributes
    ----------
    reserved : bytes
        It with zeros for checksums, as long as it will be.

    Raises
    ------
    StorageError
        Where it is longer than what is read.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
        self._entries: dict[str, dict[str, Any]] = {}
        end = 0
        for name, array in arrays.items():
            start, end = end, end + array.nbytes
            self._entries[name] = {
                "dtype": NAMES[array.dtype],
                "shape": list(array.shape),
                "data_offsets": [start, end],
            }
        self._words = {name: word for name, word in metadata.items() if name not in (_DATA_CHECKSUM, _HEADER_CHECKSUM)}
        before, behind = _compact(self._words)[1:-1], _compact(self._entries)[1:-1]
        self._before = f'{{"__metadata__":{{{before}{"," * bool(before)}'
        self._behind = f"}}{',' * bool(behind)}{behind}}}"
        self.reserved = self._written(_UNKNOWN, _UNKNOWN)
        if len(self.reserved) > 8 + MAX_HEADER:
            raise StorageError(f"a header of {len(self.reserved) - 8} bytes; at most {MAX_HEADER} can be stored")

    def sealed(self, of_data: str) -> bytes:
        """Return it with the checksum of the data, eight hexadecimal digits, and its own."""
        words = {**self._words, _DATA_CHECKSUM: of_data}
        return self._written(of_data, _header_checksum(words, self._entries))

    def _written(self, of_data: str, of_header: str) -> bytes:
        """Return what is in front of the tensors: the length of the JSON, which has blanks behind it, and the JSON."""
        checksums = f'"{_DATA_CHECKSUM}":"{of_data}","{_HEADER_CHECKSUM}":"{of_header}"'
        header = f"{self._before}{checksums}{self._behind}".encode()
        header += b" " * (-(8 + len(header)) % _ALIGNMENT)
        return struct.pack("<Q", len(header)) + header


class Entry(NamedTuple):
    """Where a tensor lies and of what type it is; `dtype` is None for one that is not read."""

    kind: str
    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]
    offset: int


def read_header(file: IO[bytes], size: int) -> tuple[int, dict[str, Entry], dict[str, str], str | None]:
    """Read the header of a file of `size` bytes: where the data begins, the tensors, the metadata, the data's checksum.

    The metadata are without checksums; that of the data is None where the file has none.

    Raises
    ------
    StorageError
        Where the header is not what it should be, or the tensors are not the rest of the file to the byte.
    """
    prefix = file.read(8)
    if len(prefix) < 8:
        raise StorageError(f"not a .safetensors file: {'too short' if prefix else 'the file is empty'}")
    (length,) = struct.unpack("<Q", prefix)
    if length > MAX_HEADER:
        raise StorageError(
            f"not a .safetensors file, or a damaged one: it announces a header of {length} bytes, above {MAX_HEADER}"
        )
    if length > size - 8:
        raise StorageError(f"a .safetensors header of {length} bytes in a file of {size}{CUT_OFF}")
    text, start = file.read(length), 8 + length
    entries, metadata = _as_written(text, size - start) or _parsed(text, size - start)
    return start, entries, metadata, metadata.pop(_DATA_CHECKSUM, None)


def _parsed(text: bytes, available: int) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return what a header says: the tensors, and the metadata without the checksum of the header."""
    try:
        header = json.loads(text, object_pairs_hook=without_twins)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"the .safetensors header is damaged: {error}") from None
    if not isinstance(header, dict):
        raise StorageError("the .safetensors header is not an object")
    metadata = header.pop("__metadata__", {})
    if not is_words(metadata):
        raise StorageError("the .safetensors metadata is not a map of texts")
    expected = metadata.pop(_HEADER_CHECKSUM, None)
    if (expected is None) != (_DATA_CHECKSUM not in metadata):
        raise StorageError("the .safetensors header is damaged: one of its checksums is missing")
    if expected is not None and expected != _header_checksum(metadata, header):
        raise StorageError("the .safetensors header is damaged: its checksum differs")
    return _check_entries(header, available), metadata


def _as_written(text: bytes, available: int) -> tuple[dict[str, Entry], dict[str, str]] | None:
    """Return what :func:`_parsed` does of a header as we write it, sooner; None of any other, and of a damaged one.

    In files of one shape all but the words is the same text, of which one is looked at.
    """
    found = _OURS.fullmatch(text)
    if found is None:
        return None
    before, of_data, of_header, behind = found.groups()
    try:
        words = _decoded(f"{{{before.decode('ascii')}}}")
        entries, text_of_entries = _entries_in(behind, available)
    except (ValueError, RecursionError):
        return None
    if not is_words(words) or _DATA_CHECKSUM in words or _HEADER_CHECKSUM in words:
        return None
    words[_DATA_CHECKSUM] = of_data.decode()
    return (entries, words) if _seal_of(words, text_of_entries) == of_header.decode() else None


@lru_cache(maxsize=64)
def _entries_in(text: bytes, available: int) -> tuple[dict[str, Entry], str]:
    """Return the tensors that a part of a header names, and that part as :func:`_seal_of` takes it."""
    header = _decoded(f"{{{text.decode('ascii')}}}")
    if "__metadata__" in header:
        raise StorageError("the metadata are given twice")
    return _check_entries(header, available), in_json(header)


def _check_entries(header: dict[str, Any], available: int) -> dict[str, Entry]:
    found = []
    for name, entry in header.items():
        try:
            kind = entry["dtype"]
            shape = tuple(entry["shape"])
            start, end = entry["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise StorageError(f"the .safetensors header is damaged at {name!r}") from None
        if not isinstance(kind, str):
            raise StorageError(f"the .safetensors header is damaged at {name!r}")
        if not all(type(number) is int and 0 <= number < 1 << 63 for number in (*shape, start, end)):
            raise StorageError(f"shape or offsets of {name!r} are not whole numbers in range")
        code = _DTYPES.get(kind) or WIDENED.get(kind, (None,))[0]
        dtype = None if code is None else np.dtype(code)
        if (dtype is not None and check_shape(shape, dtype, repr(name)) != end - start) or end < start:
            raise StorageError(f"shape and size of {name!r} do not agree")
        found.append((start, end, name, Entry(kind, dtype, shape, start)))
    position = 0
    for start, end, name, _ in sorted(found, key=lambda item: item[:2]):
        if start != position:
            raise StorageError(f"the data of {name!r} overlaps or leaves a gap")
        position = end
    if position != available:
        words = f"{position} bytes of data are announced, {available} are there"
        raise StorageError(words + (CUT_OFF if position > available else ""))
    return {name: entry for _, _, name, entry in sorted(found, key=lambda item: item[:2])}


def _header_checksum(metadata: Mapping[str, str], entries: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in metadata.items() if key != _HEADER_CHECKSUM}
    return _seal_of(plain, in_json(entries))


def _seal_of(words: Mapping[str, str], entries: str) -> str:
    """Return the checksum of metadata, and of entries in JSON: of both as a list in JSON."""
    return checksum_of_text(f"[{in_json(words)}, {entries}]")
