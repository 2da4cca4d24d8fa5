"""``.npy`` and ``.npz`` files, without pickle: headers are bounded and agree with the size to the byte."""

from __future__ import annotations

import math
import os
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .errors import StorageError
from .storage_arrays import mapped, read_array
from .storage_checks import check_decoded, check_shape

_MAX_MEMBERS = 64


def write_npy(file: IO[bytes], array: NDArray[Any]) -> None:
    """Write one array."""
    npy.write_array(file, array, version=(1, 0), allow_pickle=False)


def read_npy(file: IO[bytes], size: int, *, mmap: bool = False) -> NDArray[Any]:
    """Read the one array of a file (or member) of `size` bytes.

    Raises
    ------
    StorageError
        Where header and size do not agree, or the elements are not plain numbers or text.
    """
    dtype, shape, fortran = _read_npy_header(file)
    start = file.tell()
    if check_shape(shape, dtype, "the .npy header") != size - start:
        raise StorageError(f"a .npy header for shape {shape} of {dtype}, but {size - start} bytes of data")
    order = shape[::-1] if fortran else shape
    if mmap and size > start:
        view = mapped(file, size)
        array = np.frombuffer(view, dtype, math.prod(shape), start).reshape(order)
    else:
        array = read_array(file, order, dtype)
    return array.T if fortran else array


def _read_npy_header(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a header that needs a lenient reading is a damaged one
            version = npy.read_magic(file)
            shape, fortran, dtype = readers[version](file)
    except Exception as error:  # the reader evaluates a Python literal: whatever that raises means damage
        raise StorageError(f"not a .npy file, or a damaged one: {_first_line(error)}") from None
    if dtype.kind not in "fiuU" or dtype.itemsize == 0 or dtype.fields is not None or dtype.subdtype is not None:
        raise StorageError(f"a .npy file of {dtype}: only plain numbers are read")
    return dtype, tuple(shape), fortran


def write_npz(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays, uncompressed; the same arrays give the same bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as member:
                npy.write_array(member, array, version=(1, 0), allow_pickle=False)


def read_npz(file: IO[bytes], max_bytes: int | None = None) -> dict[str, NDArray[Any]]:
    """Read named arrays; the checksums of the archive are compared.

    Parameters
    ----------
    file : binary file
    max_bytes : int, optional
        How many bytes the arrays may take; see :func:`~embcodec.storage_checks.check_decoded`.

    Raises
    ------
    StorageError
        Where the archive is damaged, or expands beyond that.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(members) > _MAX_MEMBERS or len(set(names)) != len(names):
                raise StorageError("a .npz file with too many members, or one twice")
            if not all(name.endswith(".npy") for name in names):
                raise StorageError("a .npz file with members that are not .npy")
            if sum(member.compress_size for member in members) > size:
                raise StorageError("a .npz file whose members overlap")
            check_decoded(sum(member.file_size for member in members), size, max_bytes, "the .npz file")
            return {member.filename[:-4]: _read_member(archive, member) for member in members}
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
        raise StorageError(f"not a .npz file, or a damaged one: {_first_line(error)}") from None


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others are undone without a bound
        raise StorageError(f"{member.filename} is compressed by a method that is not read: store it or deflate it")
    with archive.open(member) as stream:
        array = read_npy(stream, member.file_size)
        if stream.read(1):  # also makes the archive compare its checksum
            raise StorageError(f"{member.filename} is longer than announced")
    return array


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
