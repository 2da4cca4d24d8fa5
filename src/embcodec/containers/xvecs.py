"""Bare vector files of the nearest-neighbour benchmarks: ``.fbin .u8bin .i8bin`` and ``.fvecs .bvecs``.

::

    .fbin    | u32 n | u32 d | n * d values |                 one header, then a matrix; read with u64 n, u64 d, too
    .fvecs   | i32 d | d values | i32 d | d values | ...      every row says its dimension

Of ground truth ``.ibin`` and ``.ivecs`` hold the numbers of rows, int32, in the same two forms; behind the numbers of a
``.ibin`` there may be as many float32 distances.

All little-endian. They hold values and nothing of what these mean, and no checksum. A file cut between two
rows is a shorter .fvecs file: only a cut within a row can be seen.
"""

from __future__ import annotations

import struct
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import StorageError
from .arrays import Stream, as_bytes, mapped, read_array, stream_of
from .checks import check_shape

ELEMENTS = {".fbin": "<f4", ".u8bin": "|u1", ".i8bin": "|i1", ".fvecs": "<f4", ".bvecs": "|u1"}
"""The element type that each suffix stands for."""
_ALL = {**ELEMENTS, ".ivecs": "<i4"}


def write_bin(file: IO[bytes], array: NDArray[Any], suffix: str) -> None:
    """Write a matrix under its header of rows and dimensions."""
    if max(array.shape) >= 1 << 32:
        raise StorageError(f"{array.shape} does not fit the header of a {suffix} file")
    file.write(struct.pack("<II", *array.shape))
    file.write(as_bytes(np.ascontiguousarray(array, ELEMENTS[suffix])))


def read_bin(file: IO[bytes], size: int, suffix: str, *, mmap: bool = False) -> NDArray[Any]:
    """Read the matrix of a file of `size` bytes, which must be exactly what its header says.

    Raises
    ------
    StorageError
        Where header and size do not agree.
    """
    start, shape, dtype = _bin_header(file, size, suffix)
    if mmap and size > start:
        view = mapped(file, size)
        return np.frombuffer(view, dtype, shape[0] * shape[1], start).reshape(shape)
    return read_array(file, shape, dtype)


def stream_bin(file: IO[bytes], size: int, suffix: str) -> Stream:
    """Return the matrix of a file of `size` bytes, to be read in parts; see :func:`read_bin`."""
    return stream_of(file, *_bin_header(file, size, suffix))


def _bin_header(file: IO[bytes], size: int, suffix: str) -> tuple[int, tuple[int, int], np.dtype[Any]]:
    """Return where the matrix of a file of `size` bytes begins, its shape and type; the file is at its beginning."""
    header = file.read(8)
    if len(header) < 8:
        raise StorageError(f"a {suffix} file begins with 8 bytes of header; this one has {len(header)}")
    rows, dimension = struct.unpack("<II", header)
    dtype = np.dtype(ELEMENTS[suffix])
    expected = 8 + rows * dimension * dtype.itemsize
    if size != expected:
        long = _long_header(file, header, dtype)
        if long is not None and size == 16 + long[0] * long[1] * dtype.itemsize:
            return 16, long, dtype
        raise StorageError(f"{rows} x {dimension} {dtype.name} are {expected} bytes, not {size}")
    return 8, (rows, dimension), dtype


def _long_header(file: IO[bytes], start: bytes, dtype: np.dtype[Any]) -> tuple[int, int] | None:
    """Return what a header of two numbers of 64 bits says, as newer benchmarks write it.

    None where the file ends before, or where no array can have that shape.
    """
    header = start + file.read(8)
    if len(header) < 16:
        return None
    shape: tuple[int, int] = struct.unpack("<QQ", header)
    try:
        check_shape(shape, dtype, "the header")
    except StorageError:
        return None
    return shape


def write_vecs(file: IO[bytes], array: NDArray[Any], suffix: str) -> None:
    """Write rows, each after its dimension."""
    rows, dimension = array.shape
    if not rows or not dimension or 4 + dimension * array.itemsize >= 1 << 31:
        raise StorageError(f"a {suffix} file cannot hold {rows} rows of {dimension} dimensions")
    record = _record(dimension, suffix)
    block = max(1, (1 << 22) // record.itemsize)
    for start in range(0, rows, block):
        part = array[start : start + block]
        records = np.empty(len(part), record)
        records["dimension"] = dimension
        records["values"] = part
        file.write(as_bytes(records))


def read_vecs(file: IO[bytes], size: int, suffix: str) -> NDArray[Any]:
    """Read the rows of a file of `size` bytes; all must have the dimension of the first.

    Raises
    ------
    StorageError
        For a row of another dimension, or cut short.
    """
    stream = stream_vecs(file, size, suffix)
    array = np.empty(stream.shape, stream.dtype)
    block = max(1, (1 << 22) // max(stream.row_bytes, 1))
    for start in range(0, len(array), block):
        count = min(block, len(array) - start)
        array[start : start + count] = stream.read(start, count)
    return array


def stream_vecs(file: IO[bytes], size: int, suffix: str) -> Stream:
    """Return the rows of a file of `size` bytes, to be read in parts; see :func:`read_vecs`."""
    header = file.read(4)
    if len(header) < 4:
        raise StorageError(f"a {suffix} file of {size} bytes has no row")
    (dimension,) = struct.unpack("<i", header)
    if dimension <= 0:
        raise StorageError(f"row 0 announces {dimension} dimensions: not a {suffix} file, or a damaged one")
    width = 4 + dimension * np.dtype(_ALL[suffix]).itemsize
    rows, rest = divmod(size, width)
    if rest:
        raise StorageError(f"rows of {dimension} dimensions take {width} bytes; {size} is not a multiple")
    if width >= 1 << 31:
        raise StorageError(f"rows of {dimension} dimensions take {width} bytes; up to {(1 << 31) - 1} are read")
    all_records = stream_of(file, 0, (rows,), _record(dimension, suffix))

    def read(first: int, count: int) -> NDArray[Any]:
        records = all_records.read(first, count)
        bad = records["dimension"] != dimension
        if bad.any():
            row = int(bad.argmax())
            raise StorageError(f"row {first + row} has {records['dimension'][row]} dimensions, not {dimension}")
        return np.ascontiguousarray(records["values"])

    return Stream((rows, dimension), np.dtype(_ALL[suffix]), read)


def read_ids(file: IO[bytes], size: int, suffix: str) -> NDArray[np.int32]:
    """Read the numbers of rows of a ground truth, (queries, k), from a ``.ibin`` or ``.ivecs`` file of `size` bytes.

    Raises
    ------
    StorageError
        Where header and size do not agree.
    """
    if suffix == ".ivecs":
        return read_vecs(file, size, suffix)
    header = file.read(8)
    if len(header) < 8:
        raise StorageError(f"a {suffix} file begins with 8 bytes of header; this one has {len(header)}")
    rows, k = struct.unpack("<II", header)
    dtype = np.dtype("<i4")
    alone, both = 8 + 4 * rows * k, 8 + 8 * rows * k  # with the distances
    if size not in (alone, both):
        long = _long_header(file, header, dtype)
        if long is not None and size - 16 in (4 * long[0] * long[1], 8 * long[0] * long[1]):
            return read_array(file, long, dtype)
        raise StorageError(f"{rows} x {k} int32 are {alone} bytes, or {both} with their distances, not {size}")
    return read_array(file, (rows, k), dtype)


def _record(dimension: int, suffix: str) -> np.dtype[Any]:
    return np.dtype([("dimension", "<i4"), ("values", _ALL[suffix], (dimension,))])
