"""``.npy`` and ``.npz`` files, without pickle: headers are bounded and agree with the size to the byte."""

from __future__ import annotations

import io
import math
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .._native.floats import PAYLOADS
from ..errors import StorageError
from .arrays import Stream, mapped, read_array, stream_of, widened
from .checks import CUT_OFF, check_decoded, check_shape, unfinished

_MAX_MEMBERS = 64
_MAX_HEADER = 1 << 16
_MAX_TEXT = 1 << 19  # the longest member that is read as text, which the words of embcodec are
_NUMPYS_INT = re.compile(rb"np\.u?int\d+\((\d+)\)")
_E5M2 = b"'<f1'"  # as ml_dtypes calls float8_e5m2, which NumPy cannot read

FLOAT_DTYPES = {"bfloat16": 2, "fp8_e4m3": 1, "fp8_e5m2": 1}
"""Floats that NumPy writes without a name, and their bytes."""


class UnreadError(StorageError):
    """An array whose elements are no plain numbers, in a file that is not damaged."""


def write_npy(file: IO[bytes], array: NDArray[Any]) -> None:
    """Write one array."""
    npy.write_array(file, array, version=(1, 0), allow_pickle=False)


def read_npy(file: IO[bytes], size: int, *, mmap: bool = False, float_dtype: str | None = None) -> NDArray[Any]:
    """Read the one array of a file (or member) of `size` bytes.

    Parameters
    ----------
    file : binary file
    size : int
    mmap : bool
        Map the array instead of reading it.
    float_dtype : {"bfloat16", "fp8_e4m3", "fp8_e5m2"}, optional
        What elements without a name are, as NumPy writes the floats of ml_dtypes; they become float32, in memory.

    Raises
    ------
    StorageError
        Where header and size do not agree.
    UnreadError
        A StorageError: the elements are not plain numbers or text.
    """
    dtype, shape, fortran, float_dtype = _checked_header(file, size, float_dtype)
    start = file.tell()
    order = shape[::-1] if fortran else shape
    if mmap and size > start:
        view = mapped(file, size)
        array = np.frombuffer(view, dtype, math.prod(shape), start).reshape(order)
    else:
        array = read_array(file, order, dtype)
    if dtype.kind == "V":
        array = widened(array, PAYLOADS[str(float_dtype), "little"])
    return array.T if fortran else array


def stream_npy(file: IO[bytes], size: int, float_dtype: str | None = None, stored: int | None = None) -> Stream:
    """Return the one array of a file (or member) of `size` bytes, to be read in parts; see :func:`read_npy`.

    An array in Fortran's order, whose rows do not lie together, is mapped, or read as a whole where that cannot be:
    `stored` is how many bytes it takes in the file, where they are compressed.
    """
    dtype, shape, fortran, float_dtype = _checked_header(file, size, float_dtype)
    if not shape:
        raise UnreadError("a single number, not rows")
    if not fortran or len(shape) == 1:
        payload = PAYLOADS[str(float_dtype), "little"] if dtype.kind == "V" else None
        return stream_of(file, file.tell(), shape, dtype, payload)
    is_file = isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO)
    if not is_file:
        check_decoded(size, size if stored is None else stored, None, "an array in Fortran's order")
    file.seek(0)
    array = read_npy(file, size, mmap=is_file, float_dtype=float_dtype)
    return Stream(array.shape, array.dtype, lambda first, count: np.array(array[first : first + count], order="C"))


def _checked_header(
    file: IO[bytes], size: int, float_dtype: str | None
) -> tuple[np.dtype[Any], tuple[int, ...], bool, str | None]:
    """Return dtype, shape and order of a file of `size` bytes, and what nameless elements are; leave it at the data."""
    dtype, shape, fortran, named = _read_npy_header(file)
    if named is not None:
        if float_dtype not in (None, named):
            raise UnreadError(f"elements of {named}, as the header says: leave out float_dtype={float_dtype!r}")
        float_dtype = named
    if dtype.kind == "V":
        _check_nameless(dtype, float_dtype)
    elif float_dtype is not None and dtype.kind != "U":
        raise UnreadError(f"elements of {dtype}, which say what they are: leave out float_dtype={float_dtype!r}")
    start = file.tell()
    wanted = check_shape(shape, dtype, "the .npy header")
    if wanted != size - start:
        words = f"a .npy header for shape {shape} of {dtype}, but {size - start} bytes of data"
        raise StorageError(words + (CUT_OFF if wanted > size - start else ""))
    return dtype, shape, fortran, float_dtype


def _read_npy_header(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool, str | None]:
    """Return dtype, shape and order, and of elements that NumPy cannot name, but their writer could, what they are."""
    readers = {b"\1\0": (2, npy.read_array_header_1_0), b"\2\0": (4, npy.read_array_header_2_0)}
    named = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a header that needs a lenient reading is a damaged one
            if (magic := file.read(len(npy.MAGIC_PREFIX))) != npy.MAGIC_PREFIX:
                raise ValueError("it does not begin as one" if magic else "the file is empty")
            size, read_header = readers.get(file.read(2), (0, None))
            if read_header is None:
                raise ValueError("it is of a version that is not known")
            start = file.read(size)
            header = file.read(min(int.from_bytes(start, "little"), _MAX_HEADER))
            if _E5M2 in header:
                header, named = header.replace(_E5M2, b"'|V1'", 1), "fp8_e5m2"
            plain = _NUMPYS_INT.sub(rb"\1", header)  # as NumPy writes where a shape is of its own numbers
            header = plain.rstrip(b"\n").ljust(len(header) - 1) + b"\n" if plain != header else header
            shape, fortran, dtype = read_header(io.BytesIO(start + header))
    except ValueError as error:
        raise StorageError(f"not a .npy file, or a damaged one: {_first_line(error)}") from None
    except Exception as error:  # the reader evaluates a Python literal: whatever that raises means damage
        raise StorageError(f"not a .npy file, or a damaged one: {_first_line(error)}") from None
    if dtype.hasobject:
        raise UnreadError("objects, which are pickled, and never read: save them as numbers, .astype(np.float32)")
    if dtype.kind not in "bfiuUV" or dtype.itemsize == 0 or dtype.fields is not None or dtype.subdtype is not None:
        raise UnreadError(f"elements of {dtype}: only plain numbers are read")
    return dtype, tuple(shape), fortran, named


def _check_nameless(dtype: np.dtype[Any], float_dtype: str | None) -> None:
    if FLOAT_DTYPES.get(float_dtype or "") == dtype.itemsize:
        return
    fitting = " or ".join(f"float_dtype={name!r}" for name, size in FLOAT_DTYPES.items() if size == dtype.itemsize)
    if not fitting:
        raise UnreadError(f"elements of {dtype.itemsize} bytes without a name: only plain numbers are read")
    raise UnreadError(
        f"elements of {dtype.itemsize} bytes without a name, as NumPy writes the floats of ml_dtypes: say what they "
        f"are, {fitting}"
    )


def write_npz(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays, uncompressed; the same arrays give the same bytes."""
    try:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy")
                with archive.open(entry, "w", force_zip64=True) as member:
                    npy.write_array(member, array, version=(1, 0), allow_pickle=False)
    except ValueError as error:  # "Can't close the ZIP file": it hides the Ctrl-C that left a member open
        if isinstance(error.__context__, Exception | None):
            raise
        raise error.__context__ from None


def read_npz(
    file: IO[bytes], float_dtype: str | None = None, max_bytes: int | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read named arrays; the checksums of the archive are compared.

    Parameters
    ----------
    file : binary file
    float_dtype : str, optional
        What nameless elements are.
    max_bytes : int, optional
        How many bytes the arrays may take; see :func:`~embcodec.containers.checks.check_decoded`.

    Returns
    -------
    arrays : dict of str to array
    others : dict of str to str
        Members that are no plain numbers, and what they are instead.

    Raises
    ------
    StorageError
        Where the archive is damaged, or expands beyond that.
    """
    with _archive(file) as (archive, members, size):
        check_decoded(sum(member.file_size for member in members), size, max_bytes, "the .npz file")
        arrays: dict[str, NDArray[Any]] = {}
        others: dict[str, str] = {}
        for member in members:
            try:
                arrays[member.filename[:-4]] = _read_member(archive, member, float_dtype)
            except UnreadError as error:
                others[member.filename[:-4]] = str(error)
        return arrays, others


@contextmanager
def open_npz(
    file: IO[bytes], text: str, float_dtype: str | None = None
) -> Iterator[tuple[dict[str, Stream], NDArray[Any] | None, dict[str, str]]]:
    """Open named arrays, to be read in parts; see :func:`read_npz`.

    Yields
    ------
    arrays : dict of str to Stream
        Of one axis or more.
    words : array or None
        The one that is called `text`, as it is.
    others : dict of str to str
    """
    with _archive(file) as (archive, members, _), ExitStack() as opened:
        arrays: dict[str, Stream] = {}
        words: NDArray[Any] | None = None
        others: dict[str, str] = {}
        for member in members:
            name = member.filename[:-4]
            try:
                if name == text:
                    if member.file_size > _MAX_TEXT:
                        raise StorageError(f"{member.filename} of {member.file_size:,} bytes, which is no short text")
                    words = _read_member(archive, member, None)
                    continue
                stream = opened.enter_context(_open_member(archive, member))
                array = stream_npy(stream, member.file_size, float_dtype, member.compress_size)
                arrays[name] = _ending(array, stream, member.filename)
            except UnreadError as error:
                others[name] = str(error)
        yield arrays, words, others


def _ending(array: Stream, stream: IO[bytes], name: str) -> Stream:
    """Return an array whose last rows are given once the archive has compared its checksum."""

    def read(first: int, count: int) -> NDArray[Any]:
        rows = array.read(first, count)
        if first + count == array.shape[0] and stream.read(1):
            raise StorageError(f"{name} is longer than announced")
        return rows

    return Stream(array.shape, array.dtype, read)


@contextmanager
def _archive(file: IO[bytes]) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo], int]]:
    """Open an archive of arrays: its members, which are looked at, and its size."""
    try:
        size = file.seek(0, os.SEEK_END)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(members) > _MAX_MEMBERS or len(set(names)) != len(names):
                raise StorageError("a .npz file with too many members, or one twice")
            if not all(name.endswith(".npy") for name in names):
                raise StorageError("a .npz file with members that are not .npy")
            if sum(member.compress_size for member in members) > size:
                raise StorageError("a .npz file whose members overlap")
            yield archive, members, size
    except StorageError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
    ) as error:
        words = _first_line(error) + unfinished(file, b"PK\3\4", b"PK\5\6", 22)
        raise StorageError(f"not a .npz file, or a damaged one: {words}") from None


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, float_dtype: str | None) -> NDArray[Any]:
    with _open_member(archive, member) as stream:
        array = read_npy(stream, member.file_size, float_dtype=float_dtype)
        if stream.read(1):  # also makes the archive compare its checksum
            raise StorageError(f"{member.filename} is longer than announced")
    return array


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> IO[bytes]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others are undone without a bound
        raise StorageError(f"{member.filename} is compressed by a method that is not read: store it or deflate it")
    return archive.open(member)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
