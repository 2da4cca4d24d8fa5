"""Embeddings in files: what a matrix means travels with it; a save replaces all or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings
from .errors import StorageError
from .lowbit_codes import LowBitCodes
from .scale import PER_VECTOR, UNIT
from .storage_atomic import replacing
from .storage_checks import MOST_WORDS, check_decoded, check_max_bytes
from .storage_numpy import read_npy, read_npz, write_npy, write_npz
from .storage_pack import check_width, is_packed, pack, unpack
from .storage_parquet import read_parquet, write_parquet
from .storage_tensors import read_tensors, write_tensors_to
from .storage_xvecs import ELEMENTS, read_bin, read_vecs, write_bin, write_vecs

_TYPED = (".safetensors", ".npz", ".parquet")
_LOW_BIT = (".safetensors", ".npz")
_MATRIX = (".fbin", ".u8bin", ".i8bin")
_ROWS = (".fvecs", ".bvecs")
SUFFIXES = (*_TYPED, ".npy", *_MATRIX, *_ROWS)
"""The kinds of files, by their names' ends."""


def save(path: str | os.PathLike[str], embeddings: Embeddings | LowBitCodes) -> None:
    """Write embeddings to a file whose suffix says its kind.

    ``.safetensors``, ``.npz`` and ``.parquet`` keep everything: dtype, dimension, scale, byte and bit order. The first
    two also hold low-bit codes, together with the scheme that codes further rows.
    ``.npy``, ``.fbin .u8bin .i8bin`` and ``.fvecs .bvecs`` hold bare values; what they would lose is refused,
    except that the reader of a ``.npy`` of integers has to say what they are.

    Parameters
    ----------
    path : path-like
        An existing file is replaced atomically: a crash leaves the old file or the new one.
    embeddings : Embeddings or LowBitCodes

    Raises
    ------
    StorageError
        For an unknown suffix, or embeddings that such a file cannot hold.
    OSError
        Where writing fails; the former file is then still there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "rows.safetensors")
    >>> save(path, Embeddings(np.array([[51, 99, 128]], np.uint8), "ubinary", 18))
    >>> load(path)
    Embeddings(1 x 18 ubinary, 3 bytes)
    """
    suffix = check_suffix(path)
    if not isinstance(embeddings, Embeddings | LowBitCodes):
        raise TypeError(
            f"save takes Embeddings, not {type(embeddings).__name__}: wrap arrays as Embeddings(array, dtype)"
        )
    check_width(embeddings)
    if isinstance(embeddings, LowBitCodes) and suffix not in _LOW_BIT:
        raise StorageError(
            f"a {suffix} file has no room for the rotation and the scales of low-bit codes; use .safetensors, or save "
            "what they stand for: codes.to('float')"
        )
    if isinstance(embeddings, Embeddings) and suffix not in _TYPED:
        _check_bare(embeddings, suffix)
    with replacing(path) as file:
        if suffix == ".safetensors":
            write_tensors_to(file, *pack(embeddings))
        elif suffix == ".npz":
            tensors, words = pack(embeddings)
            write_npz(file, {**tensors, "embcodec": np.array(json.dumps(words, sort_keys=True))})
        elif isinstance(embeddings, Embeddings):
            _write_embeddings(file, embeddings, suffix)


def load(
    path: str | os.PathLike[str],
    mmap: bool = False,
    *,
    output_dtype: str | None = None,
    dimension: int | None = None,
    column: str | None = None,
    max_bytes: int | None = None,
    verify: bool | None = None,
) -> Embeddings | LowBitCodes:
    """Read embeddings from a file.

    Parameters
    ----------
    path : path-like
    mmap : bool
        Map the file (``.safetensors``, ``.npy``, ``.fbin .u8bin .i8bin``) instead of reading it: rows come in
        as they are touched. A program that cuts the file meanwhile, or a disk that fails, then ends this process
        (SIGBUS): map files only that are replaced, as :func:`save` does it, and not written in place.
    output_dtype, dimension : optional
        What the rows are, where the file does not say it: integers in a ``.npy`` or in a file from elsewhere.
    column : str, optional
        Which column of a ``.parquet`` file.
    max_bytes : int, optional
        How many bytes of memory the data may ask for. By default that is the larger of 64 MiB and 64 times the file's
        size, which what is compressed (``.npz``, ``.parquet``) can exceed.
    verify : bool, optional
        Whether the checksum of the data in a ``.safetensors`` file that :func:`save` wrote is compared, for which all
        of it is read; by default it is, unless the file is mapped. Those of ``.npz`` and ``.parquet`` always are, and
        so are those of headers and metadata. Bare values (``.npy`` and the like) have none.

    Returns
    -------
    Embeddings or LowBitCodes
        As they were saved; owned and writable unless mapped.

    Raises
    ------
    StorageError
        Where the file is damaged, cut, of another kind than its name says, leaves open what it holds, or asks for more
        memory than `max_bytes`.
    OSError
        Where it cannot be read.
    """
    suffix = check_suffix(path)
    try:
        check_max_bytes(max_bytes)
        tensors, words = _read(path, suffix, mmap, column, max_bytes, verify)
        return _as_asked(tensors, words, suffix, output_dtype, dimension)
    except StorageError as error:
        raise StorageError(f"{os.fspath(path)}: {error}") from None


def _as_asked(
    tensors: dict[str, NDArray[Any]],
    words: dict[str, str],
    suffix: str,
    output_dtype: str | None,
    dimension: int | None,
) -> Embeddings | LowBitCodes:
    if "index" in words and is_packed(words, "codes."):
        raise StorageError("the file holds an index: FlatIndex.load(path) reads it")
    if is_packed(words):
        found = unpack(tensors, words)
        kind = f"{found.scheme.bits}-bit" if isinstance(found, LowBitCodes) else found.output_dtype
        if (output_dtype or kind) != kind:
            raise StorageError(f"the file holds {kind} rows, not {output_dtype}")
        if dimension is not None and dimension != found.dimension:
            raise StorageError(f"the file holds rows of {found.dimension} dimensions, not {dimension}")
        return found
    if suffix in ELEMENTS and output_dtype is None:
        output_dtype = {"f": "float", "i": "int8", "u": "uint8"}[np.dtype(ELEMENTS[suffix]).kind]
    return _wrap(tensors, output_dtype, dimension)


def _read(
    path: str | os.PathLike[str],
    suffix: str,
    mmap: bool,
    column: str | None,
    max_bytes: int | None,
    verify: bool | None,
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    if mmap and suffix in (".npz", ".parquet", *_ROWS):
        raise StorageError(f"a {suffix} file cannot be mapped; .safetensors, .npy and .fbin can")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if suffix == ".npz":
            tensors = read_npz(file, max_bytes)
            return tensors, _parse_words(tensors.pop("embcodec", None))
        if suffix == ".parquet":
            return _read_parquet(file, column, max_bytes)
        if not mmap:
            check_decoded(size, size, max_bytes, f"the {suffix} file")
        if suffix == ".safetensors":
            return read_tensors(path, mmap=mmap, verify=verify)
        if suffix == ".npy":
            return {"values": read_npy(file, size, mmap=mmap)}, {}
        if suffix in _MATRIX:
            return {"values": read_bin(file, size, suffix, mmap=mmap)}, {}
        return {"values": read_vecs(file, size, suffix)}, {}


def _wrap(tensors: Mapping[str, NDArray[Any]], output_dtype: str | None, dimension: int | None) -> Embeddings:
    matrices = [array for array in tensors.values() if array.ndim == 2]
    if len(matrices) != 1:
        listing = ", ".join(f"{name} of shape {array.shape}" for name, array in tensors.items())
        raise StorageError(f"one matrix, rows by dimensions, is wanted; the file holds {listing or 'nothing'}")
    values = matrices[0]
    if output_dtype is None:
        if values.dtype.kind != "f":
            if values.dtype not in (np.int8, np.uint8):
                raise StorageError(
                    f"{values.dtype} rows are no codes as they are: save them .astype(np.int8) or .astype(np.uint8) if "
                    "they are codes, .astype(np.float32) if the numbers are the values themselves"
                )
            own = "int8 or binary" if values.dtype == np.int8 else "uint8 or ubinary"
            raise StorageError(f"{values.dtype} rows can be {own}: say output_dtype=...")
        output_dtype = "float"
    try:
        rows = Embeddings(values, output_dtype, dimension)
    except (ValueError, TypeError) as error:
        raise StorageError(str(error)) from None
    check_width(rows)
    return rows


def _check_bare(embeddings: Embeddings, suffix: str) -> None:
    if embeddings.scale is not None and embeddings.scale.kind != UNIT:
        raise StorageError(f"a {suffix} file has no room for the {embeddings.scale.kind} scale; use .safetensors")
    if suffix in ELEMENTS:
        if embeddings.output_dtype.is_packed:
            raise StorageError(f"a {suffix} file holds numbers, not {embeddings.output_dtype} bits; use .safetensors")
        if embeddings.values.dtype != np.dtype(ELEMENTS[suffix]):
            raise StorageError(f"a {suffix} file does not hold {embeddings.output_dtype} rows; use .safetensors")
    elif embeddings.output_dtype.is_packed and (embeddings.bit_order, embeddings.signed_bytes) != (
        "msb",
        "offset",
    ):
        raise StorageError(f"a {suffix} file cannot say how bits are packed; use .safetensors")


def _write_embeddings(file: IO[bytes], embeddings: Embeddings, suffix: str) -> None:
    if suffix == ".parquet":
        _save_parquet(file, embeddings)
    elif suffix == ".npy":
        write_npy(file, embeddings.values)
    elif suffix in _MATRIX:
        write_bin(file, embeddings.values, suffix)
    else:
        write_vecs(file, embeddings.values, suffix)


def _save_parquet(file: Any, embeddings: Embeddings) -> None:
    tensors, words = pack(embeddings)
    scale = embeddings.scale
    scales = None
    if scale is not None and scale.values is not None:
        if scale.kind == PER_VECTOR:
            scales = scale.values
        else:
            words["ranges"] = scale.values.astype("<f4").tobytes().hex()
    write_parquet(file, tensors["values"], scales, words)


def _read_parquet(
    file: Any, column: str | None, max_bytes: int | None
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    values, scales, words = read_parquet(file, column, max_bytes)
    tensors: dict[str, NDArray[Any]] = {"values": values}
    if scales is not None:
        tensors["scale"] = scales
    elif "ranges" in words:
        tensors["scale"] = _parse_ranges(words.pop("ranges"))
    return tensors, words


def _parse_ranges(text: str) -> NDArray[np.float32]:
    try:
        return np.frombuffer(bytes.fromhex(text), "<f4").reshape(2, -1).astype(np.float32)
    except ValueError as error:
        raise StorageError(f"the ranges in the file are damaged: {error}") from None


def _parse_words(array: NDArray[Any] | None) -> dict[str, str]:
    if array is None:
        return {}
    try:
        short = array.dtype.kind == "U" and array.ndim == 0 and array.nbytes <= 4 * MOST_WORDS
        words = json.loads(str(array[()])) if short else None
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, dict) or not all(isinstance(value, str) for value in words.values()):
        raise StorageError("the metadata of the .npz file is damaged")
    return words


def check_suffix(path: str | os.PathLike[str]) -> str:
    """Return the suffix of a path, in lower case; StorageError if no file of embeddings has it."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise StorageError(f"{Path(path).name!r}: unknown kind of file; known are {', '.join(SUFFIXES)}")
    return suffix
