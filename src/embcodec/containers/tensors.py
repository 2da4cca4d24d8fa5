"""Named arrays with text metadata in one ``.safetensors`` file: atomic, checked, mapped on request.

::

    | u64 n | n bytes of JSON, padded with spaces | tensors, little-endian, without gaps |
            ^ {"__metadata__": {...}, "name": {"dtype", "shape", "data_offsets"}, ...}

Two checksums (CRC-32) go into the metadata: of the header itself, so that a changed bit in a shape, a dtype
or a scale's name is seen, and of the data. Files from elsewhere have none and are read without.
"""

from __future__ import annotations

import json
import math
import os
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
from .arrays import SHORT_FLOATS, Stream, as_bytes, mapped, read_array, stream_of, widened
from .atomic import replacing
from .checks import check_shape, checksum_of, checksum_of_text, in_json
from .disk import put, put_and_store
from .watched import Watch

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
"""A header as :func:`write_tensors_to` writes it."""
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
_NAMES = {np.dtype(code): name for name, code in _DTYPES.items()}
_WIDENED = {
    "BF16": ("|V2", PAYLOADS["bfloat16", "little"]),
    "F8_E4M3": ("|V1", PAYLOADS["fp8_e4m3", "little"]),
    "F8_E5M2": ("|V1", PAYLOADS["fp8_e5m2", "little"]),
}
"""Floats that NumPy does not know, which become float32: how they lie in the file, and their form."""
_NAMES[SHORT_FLOATS["bfloat16"]] = "BF16"


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write arrays and their metadata to a ``.safetensors`` file, replacing it as a whole.

    Parameters
    ----------
    path : path-like
    tensors : mapping of str to array
        Of float, int or uint elements, bfloat16 as ``V2``. The widest come first in the file, so that each is aligned.
    metadata : mapping of str to str

    Raises
    ------
    StorageError
        For an element type that the format does not have.
    OSError
        Where writing fails; the former file is then still there.
    """
    with replacing(path) as file:
        write_tensors_to(file, tensors, metadata)


def write_tensors_to(file: IO[bytes], tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write to an open file what :func:`write_tensors` writes."""
    arrays = {name: _little(np.asarray(array)) for name, array in tensors.items()}
    arrays = dict(sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))
    entries: dict[str, dict[str, Any]] = {}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        entries[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    words = {name: word for name, word in metadata.items() if name not in (_DATA_CHECKSUM, _HEADER_CHECKSUM)}
    around = _around_checksums(words, entries)
    unsealed = _header_of(around, _UNKNOWN, _UNKNOWN)
    if len(unsealed) > 8 + MAX_HEADER:
        raise StorageError(f"a header of {len(unsealed) - 8} bytes; at most {MAX_HEADER} can be stored")
    put_and_store(file, [unsealed, *map(as_bytes, arrays.values())], len(unsealed))
    words[_DATA_CHECKSUM] = f"{checksum_of(*arrays.values()):08x}"  # while the disk is at work
    put(file, 0, [_header_of(around, words[_DATA_CHECKSUM], _header_checksum(words, entries))])


def read_tensors(
    path: str | os.PathLike[str], *, mmap: bool = False, verify: bool | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read the arrays and the metadata of a ``.safetensors`` file.

    Parameters
    ----------
    path : path-like
    mmap : bool
        Map the file instead of reading it: arrays are read-only views, pages come in as they are touched.
    verify : bool, optional
        Whether the data's checksum is compared, for which all data is read; by default it is, unless mapped.

    Returns
    -------
    tensors : dict of str to array
    metadata : dict of str to str
        Without the checksums.

    Raises
    ------
    StorageError
        Where the file is not what it should be, to the byte. Memory stays within four times the size of the file.
    OSError
        Where it cannot be read.

    Notes
    -----
    bfloat16 and floats of one byte (F8_E4M3, F8_E5M2) become float32, in memory; tensors of other types that NumPy does
    not have are left out.
    """
    tensors, metadata, _ = read_tensors_and_others(path, mmap=mmap, verify=verify)
    return tensors, metadata


def read_tensors_and_others(
    path: str | os.PathLike[str], *, mmap: bool = False, verify: bool | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, str], dict[str, str]]:
    """Return what :func:`read_tensors` returns, and by name what the tensors are that it leaves out."""
    with open(path, "rb") as file:
        return read_tensors_from(file, mmap=mmap, verify=verify)


def read_tensors_from(
    file: IO[bytes], *, mmap: bool = False, verify: bool | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, str], dict[str, str]]:
    """Return of an open file what :func:`read_tensors_and_others` returns."""
    size = os.fstat(file.fileno()).st_size
    start, entries, metadata = _read_header(file, size)
    expected = metadata.pop(_DATA_CHECKSUM, None)
    tensors: dict[str, NDArray[Any]] = {}
    others = _unread(entries)
    read = [(name, entry, entry.dtype) for name, entry in entries.items() if entry.dtype is not None]
    if mmap and size > start:
        view = mapped(file, size)
        for name, entry, dtype in read:
            array = np.frombuffer(view, dtype, math.prod(entry.shape), start + entry.offset)
            tensors[name] = array.reshape(entry.shape)
    else:
        for name, entry, dtype in read:  # in the order of the file
            file.seek(start + entry.offset)
            tensors[name] = read_array(file, entry.shape, dtype)
    wanted = expected is not None and (not mmap if verify is None else verify)
    if wanted and expected != f"{checksum_of(*tensors.values()):08x}":
        raise StorageError("the data is damaged: its checksum differs")
    tensors = {name: _widened(array, entries[name].kind) for name, array in tensors.items()}
    return tensors, metadata, others


def stream_tensors(file: IO[bytes], size: int) -> tuple[dict[str, Stream], dict[str, str], dict[str, str]]:
    """Return the arrays, metadata and unread tensors of a file of `size` bytes, the arrays to be read in parts.

    The checksum of the data is compared with the last part, once all is read in order. Single numbers are left out.
    """
    start, entries, metadata = _read_header(file, size)
    expected = metadata.pop(_DATA_CHECKSUM, None)
    streams = {}
    for name, entry in entries.items():
        if entry.dtype is not None and entry.shape:
            payload = _WIDENED[entry.kind][1] if entry.kind in _WIDENED else None
            streams[name] = stream_of(file, start + entry.offset, entry.shape, entry.dtype, payload)
    if expected is not None and len(streams) == len(entries):
        watch = Watch(streams, expected)
        streams = {name: watch.watched(name, stream) for name, stream in streams.items()}
    return streams, metadata, _unread(entries)


def _unread(entries: Mapping[str, _Entry]) -> dict[str, str]:
    return {
        name: f"elements of {entry.kind}, which are not read" for name, entry in entries.items() if entry.dtype is None
    }


class _Entry(NamedTuple):
    """Where a tensor lies and of what type it is; `dtype` is None for one that is not read."""

    kind: str
    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]
    offset: int
    length: int


def _widened(array: NDArray[Any], kind: str) -> NDArray[Any]:
    return widened(array, _WIDENED[kind][1]) if kind in _WIDENED else array


def _read_header(file: IO[bytes], size: int) -> tuple[int, dict[str, _Entry], dict[str, str]]:
    prefix = file.read(8)
    if len(prefix) < 8:
        raise StorageError("not a .safetensors file: too short")
    (length,) = struct.unpack("<Q", prefix)
    if length > min(MAX_HEADER, size - 8):
        raise StorageError(
            f"a .safetensors header of {length} bytes in a file of {size} (at most {MAX_HEADER} are read)"
        )
    text, start = file.read(length), 8 + length
    entries, metadata = _as_written(text, size - start) or _parsed(text, size - start)
    return start, entries, metadata


def _parsed(text: bytes, available: int) -> tuple[dict[str, _Entry], dict[str, str]]:
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


def _as_written(text: bytes, available: int) -> tuple[dict[str, _Entry], dict[str, str]] | None:
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
def _entries_in(text: bytes, available: int) -> tuple[dict[str, _Entry], str]:
    """Return the tensors that a part of a header names, and that part as :func:`_seal_of` takes it."""
    header = _decoded(f"{{{text.decode('ascii')}}}")
    if "__metadata__" in header:
        raise StorageError("the metadata are given twice")
    return _check_entries(header, available), in_json(header)


def _check_entries(header: dict[str, Any], available: int) -> dict[str, _Entry]:
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
        code = _DTYPES.get(kind) or _WIDENED.get(kind, (None,))[0]
        dtype = None if code is None else np.dtype(code)
        if (dtype is not None and check_shape(shape, dtype, repr(name)) != end - start) or end < start:
            raise StorageError(f"shape and size of {name!r} do not agree")
        found.append((start, end, name, _Entry(kind, dtype, shape, start, end - start)))
    position = 0
    for start, end, name, _ in sorted(found, key=lambda item: item[:2]):
        if start != position:
            raise StorageError(f"the data of {name!r} overlaps or leaves a gap")
        position = end
    if position != available:
        raise StorageError(f"{position} bytes of data are announced, {available} are there")
    return {name: entry for _, _, name, entry in sorted(found, key=lambda item: item[:2])}


def _little(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as it is stored: little-endian, and C-contiguous."""
    if array.dtype not in _NAMES:
        array = array.astype(array.dtype.newbyteorder("<"))
        if array.dtype not in _NAMES:
            raise StorageError(f"{array.dtype} cannot be stored in a .safetensors file")
    return np.ascontiguousarray(array)


def _around_checksums(words: Mapping[str, str], entries: Mapping[str, Any]) -> tuple[str, str]:
    """Return the JSON of a header up to where its checksums lie among the metadata, and what follows them."""
    before, behind = _compact(words)[1:-1], _compact(entries)[1:-1]
    return f'{{"__metadata__":{{{before}{"," * bool(before)}', f"}}{',' * bool(behind)}{behind}}}"


def _header_of(around: tuple[str, str], of_data: str, of_header: str) -> bytes:
    """Return what is in front of the tensors: the length of the JSON, which has blanks behind it, and the JSON."""
    before, behind = around
    header = f'{before}"{_DATA_CHECKSUM}":"{of_data}","{_HEADER_CHECKSUM}":"{of_header}"{behind}'.encode()
    header += b" " * (-(8 + len(header)) % _ALIGNMENT)
    return struct.pack("<Q", len(header)) + header


def _header_checksum(metadata: Mapping[str, str], entries: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in metadata.items() if key != _HEADER_CHECKSUM}
    return _seal_of(plain, in_json(entries))


def _seal_of(words: Mapping[str, str], entries: str) -> str:
    """Return the checksum of metadata, and of entries in JSON: of both as a list in JSON."""
    return checksum_of_text(f"[{in_json(words)}, {entries}]")
