"""Embeddings in files: what a matrix means travels with it; a save replaces all or nothing."""

from __future__ import annotations

import json
import os
from typing import IO, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..containers import (
    FLOAT_DTYPES,
    SHORT_FLOATS,
    check_decoded,
    check_max_bytes,
    narrowed,
    open_hdf5,
    read_bin,
    read_npy,
    read_npz,
    read_tensors_and_others,
    read_vecs,
    replacing,
    write_bin,
    write_npy,
    write_npz,
    write_tensors_to,
    write_vecs,
)
from ..dtypes import NamelessFloat, OutputDtypeLike, StoredFloat
from ..embeddings import Embeddings, of_floats
from ..errors import StorageError
from ..quantizers.lowbit import LowBitCodes
from ..words import one_of
from .bare import check_bare, matrix_of
from .columns import as_tensors, take_apart
from .contents import ANN_BENCHMARKS, Contents, rows_in, words_in_array
from .kinds import HDF5, LOW_BIT, MATRIX, ROWS, TYPED, begins_like, check_suffix
from .pack import check_width, pack
from .parquet import read_parquet, write_parquet
from .pieces import fetched, is_elsewhere, shown_place


def save(
    path: str | os.PathLike[str],
    embeddings: Embeddings | LowBitCodes | ArrayLike,
    *,
    float_dtype: StoredFloat = "float32",
) -> None:
    """Write embeddings to a file whose suffix says its kind.

    ``.safetensors``, ``.npz`` and ``.parquet`` keep everything: dtype, dimension, scale, byte and bit order. The first
    two also hold low-bit codes, together with the scheme that codes further rows.
    ``.npy``, ``.fbin .u8bin .i8bin`` and ``.fvecs .bvecs`` hold bare values; what they would lose is refused, as
    the dimension of bits that do not fill their bytes is, except that the reader of a ``.npy`` of integers has to say
    what they are.

    Parameters
    ----------
    path : path-like
        An existing file is replaced atomically: a crash leaves the old file or the new one.
    embeddings : Embeddings, LowBitCodes or array-like of floats, (n, dimension)
    float_dtype : {"float32", "float16", "bfloat16"}
        The file's elements for floats, rounded to the nearest: float16 in ``.safetensors``, ``.npz``, ``.parquet`` and
        ``.npy``, bfloat16 in ``.safetensors`` and ``.npy`` (whose reader has to say it, as there). :func:`load` makes
        float32 of them.

    Raises
    ------
    StorageError
        For an unknown suffix, embeddings that such a file cannot hold, or a float that `float_dtype` does not.
    TypeError
        For bare integers, whose meaning is unknown: wrap them, as Embeddings(values, dtype).
    ValueError
        For a `float_dtype` that is unknown, or given for codes.
    OSError
        Where writing fails; the former file is then still there.

    Warns
    -----
    PrecisionWarning
        Where rows are so short that little is left of them as float16.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "rows.safetensors")
    >>> save(path, Embeddings(np.array([[51, 99, 128]], np.uint8), "ubinary", 18))
    >>> load(path)
    Embeddings(1 x 18 ubinary, 3 bytes)
    """
    suffix = check_suffix(path)
    if not isinstance(embeddings, LowBitCodes):
        embeddings = of_floats(embeddings, "embeddings")
    check_width(embeddings)
    check_room(path, embeddings)
    values = _stored_values(embeddings, suffix, float_dtype)
    with replacing(path) as file:
        if suffix in LOW_BIT:
            tensors, words = pack(embeddings)
            if values is not None:
                tensors["values"] = values
            if suffix == ".safetensors":
                write_tensors_to(file, tensors, words)
            else:
                write_npz(file, {**tensors, "embcodec": np.array(json.dumps(words, sort_keys=True))})
        elif isinstance(embeddings, Embeddings) and values is not None:
            _write_embeddings(file, embeddings, values, suffix)


def check_room(path: str | os.PathLike[str], rows: Embeddings | LowBitCodes | type[LowBitCodes]) -> None:
    """Refuse a file that has no room for what such rows mean, as :func:`save` does."""
    suffix = check_suffix(path)
    if isinstance(rows, Embeddings):
        if suffix not in TYPED:
            check_bare(rows, suffix)
    elif suffix not in LOW_BIT:
        raise StorageError(
            f"a {suffix} file has no room for the rotation and the scales of low-bit codes; use .safetensors, or save "
            "what they stand for: codes.to('float')"
        )


def _stored_values(embeddings: Embeddings | LowBitCodes, suffix: str, float_dtype: str) -> NDArray[Any] | None:
    """Return what a file is to have for the values of Embeddings; None for low-bit codes, which have others."""
    one_of(float_dtype, ("float32", *SHORT_FLOATS), "float_dtype")
    values = embeddings.values if isinstance(embeddings, Embeddings) else None
    if float_dtype == "float32":
        return values
    if values is None or values.dtype != np.float32:
        raise ValueError(f"float_dtype={float_dtype!r} is for floats, not for codes")
    if suffix not in _SHORT[float_dtype]:
        raise StorageError(f"a {suffix} file has no {float_dtype}; use .safetensors")
    return narrowed(values, float_dtype)


@overload
def load(
    path: str | os.PathLike[str] | IO[bytes],
    mmap: bool = False,
    *,
    output_dtype: OutputDtypeLike,
    dimension: int | None = None,
    column: str | None = None,
    float_dtype: NamelessFloat | None = None,
    max_bytes: int | None = None,
    verify: bool | None = None,
) -> Embeddings: ...


@overload
def load(
    path: str | os.PathLike[str] | IO[bytes],
    mmap: bool = False,
    *,
    output_dtype: OutputDtypeLike | None = None,
    dimension: int | None = None,
    column: str | None = None,
    float_dtype: NamelessFloat | None = None,
    max_bytes: int | None = None,
    verify: bool | None = None,
) -> Embeddings | LowBitCodes: ...


def load(
    path: str | os.PathLike[str] | IO[bytes],
    mmap: bool = False,
    *,
    output_dtype: OutputDtypeLike | None = None,
    dimension: int | None = None,
    column: str | None = None,
    float_dtype: NamelessFloat | None = None,
    max_bytes: int | None = None,
    verify: bool | None = None,
) -> Embeddings | LowBitCodes:
    """Read embeddings from a file.

    Parameters
    ----------
    path : path-like, URL or binary file
        Of this machine; or a URL (``s3://``, ``https://``, ``memory://`` ...), which fsspec opens (``pip install
        'embcodec[remote]'``; ``s3://`` wants s3fs besides), or an open file: these are copied to a temporary
        file first.
    mmap : bool
        Map the file (``.safetensors``, ``.npy``, ``.fbin .u8bin .i8bin``) instead of reading it: rows come in
        as they are touched. A program that cuts the file meanwhile, or a disk that fails, then ends this process
        (SIGBUS): map files only that are replaced, as :func:`save` does it, and not written in place.
    output_dtype, dimension : optional
        What the rows are, where the file does not say it: integers in a ``.npy`` or in a file from elsewhere. With a
        dtype the result is Embeddings.
    column : str, optional
        Which column of a ``.parquet`` file, array of a ``.npz``, tensor of a ``.safetensors`` or dataset of a
        ``.hdf5``. By default the only one that can be rows; no name is preferred, but of ann-benchmarks' files
        ``train``, which is the corpus.
    float_dtype : {"bfloat16", "fp8_e4m3", "fp8_e5m2"}, optional
        What the nameless elements of a ``.npy`` or ``.npz`` are: NumPy writes the floats of ml_dtypes as bare bytes.
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
        Where the file is damaged, cut, of another kind than its name says, leaves open what it holds, has several
        columns that can be rows (it names them), or asks for more memory than `max_bytes`.
    OSError
        Where it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> from embcodec import load, quantize, save
    >>> path = tempfile.mkdtemp() + "/vectors.safetensors"
    >>> save(path, quantize([[0.5, -1.0], [3.0, 1.0]], "int8", scale="per-vector"))
    >>> load(path, mmap=True)
    Embeddings(2 x 2 int8, per-vector, 12 bytes)
    """
    if float_dtype is not None:
        one_of(float_dtype, FLOAT_DTYPES, "float_dtype")
    if column is not None and not isinstance(column, str):
        raise TypeError(f"column is a name, not a {type(column).__name__}")
    elsewhere = is_elsewhere(path)
    if not elsewhere:
        check_suffix(path, reading=True)  # type: ignore[arg-type]
    name = shown_place(path)
    try:
        check_max_bytes(max_bytes)
        if elsewhere and mmap:
            raise StorageError("a file from elsewhere, or one that is open, cannot be mapped: leave out mmap=True")
        with fetched(path) as (here, suffix):
            if mmap and suffix in (".npz", ".parquet", *ROWS, *HDF5):
                raise StorageError(f"a {suffix} file cannot be mapped; .safetensors, .npy and .fbin can")
            if column is not None and suffix not in (*TYPED, *HDF5):
                raise StorageError(f"a {suffix} file is one matrix without columns: leave out column={column!r}")
            if float_dtype is not None and suffix not in (".npy", ".npz"):
                raise StorageError(f"a {suffix} file says what its elements are: leave out float_dtype={float_dtype!r}")
            try:
                contents = _read(here, suffix, _Reading(mmap, column, float_dtype, max_bytes, verify))
            except StorageError as error:
                raise StorageError(f"{error}{begins_like(here, suffix)}") from None
            return rows_in(contents, suffix, output_dtype, dimension, column)
    except StorageError as error:
        text = str(error)
        raise StorageError(text if text.startswith(name) else f"{name}: {text}") from None


class _Reading(NamedTuple):
    """How a file is to be read: the arguments of :func:`load`."""

    mmap: bool
    column: str | None
    float_dtype: str | None
    max_bytes: int | None
    verify: bool | None


def _read(path: str | os.PathLike[str], suffix: str, how: _Reading) -> Contents:
    if suffix in HDF5:
        return _read_hdf5(path, how)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if suffix == ".npz":
            tensors, others = read_npz(file, how.float_dtype, how.max_bytes)
            return Contents(tensors, words_in_array(tensors.pop("embcodec", None)), others)
        if suffix == ".parquet":
            return Contents(*as_tensors(*read_parquet(file, how.column, how.max_bytes)), {})
        if not how.mmap:
            check_decoded(size, size, how.max_bytes, f"the {suffix} file")
        if suffix == ".safetensors":
            return Contents(*read_tensors_and_others(path, mmap=how.mmap, verify=how.verify))
        if suffix == ".npy":
            return Contents({"values": read_npy(file, size, mmap=how.mmap, float_dtype=how.float_dtype)}, {}, {})
        if suffix in MATRIX:
            return Contents({"values": read_bin(file, size, suffix, mmap=how.mmap)}, {}, {})
        return Contents({"values": read_vecs(file, size, suffix)}, {}, {})


def _read_hdf5(path: str | os.PathLike[str], how: _Reading) -> Contents:
    with open_hdf5(path) as file:
        sets, column = file.datasets, how.column
        if column is None and sets.keys() >= ANN_BENCHMARKS:
            column = "train"
        chosen = matrix_of(sets, file.others, column)
        name = next(name for name, dataset in sets.items() if dataset is chosen)
        return Contents({name: file.read(name, how.max_bytes)}, {}, {})


def _write_embeddings(file: IO[bytes], embeddings: Embeddings, values: NDArray[Any], suffix: str) -> None:
    if suffix == ".parquet":
        _, scales, words = take_apart(embeddings)
        write_parquet(file, values, scales, words)
    elif suffix == ".npy":
        write_npy(file, values)
    elif suffix in MATRIX:
        write_bin(file, values, suffix)
    else:
        write_vecs(file, values, suffix)


_SHORT = {"float16": (*TYPED, ".npy"), "bfloat16": (".safetensors", ".npy")}
