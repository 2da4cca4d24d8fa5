"""Named arrays with text metadata in one ``.safetensors`` file: atomic, checked, mapped on request.

The data's checksum is a CRC-32 among the metadata. Files from elsewhere have none and are read without.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StorageError
from .arrays import Stream, as_bytes, mapped, read_array, stream_of, widened
from .atomic import replacing
from .checks import checksum_of
from .disk import put, put_and_store
from .tensor_header import NAMES, WIDENED, Entry, Header, read_header
from .watched import Watch


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
    header = Header(arrays, metadata)
    put_and_store(file, [header.reserved, *map(as_bytes, arrays.values())], len(header.reserved))
    of_data = f"{checksum_of(*arrays.values()):08x}"  # while the disk is at work
    put(file, 0, [header.sealed(of_data)])


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
    start, entries, metadata, expected = read_header(file, size)
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
    start, entries, metadata, expected = read_header(file, size)
    streams = {}
    for name, entry in entries.items():
        if entry.dtype is not None and entry.shape:
            payload = WIDENED[entry.kind][1] if entry.kind in WIDENED else None
            streams[name] = stream_of(file, start + entry.offset, entry.shape, entry.dtype, payload)
    if expected is not None and len(streams) == len(entries):
        watch = Watch(streams, expected)
        streams = {name: watch.watched(name, stream) for name, stream in streams.items()}
    return streams, metadata, _unread(entries)


def _unread(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {
        name: f"elements of {entry.kind}, which are not read" for name, entry in entries.items() if entry.dtype is None
    }


def _widened(array: NDArray[Any], kind: str) -> NDArray[Any]:
    return widened(array, WIDENED[kind][1]) if kind in WIDENED else array


def _little(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as it is stored: little-endian, and C-contiguous."""
    if array.dtype not in NAMES:
        array = array.astype(array.dtype.newbyteorder("<"))
        if array.dtype not in NAMES:
            raise StorageError(f"{array.dtype} cannot be stored in a .safetensors file")
    return np.ascontiguousarray(array)
