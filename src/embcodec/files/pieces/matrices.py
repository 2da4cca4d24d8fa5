"""Files of matrices in parts: ``.npy``, ``.npz``, ``.safetensors``, ``.fbin`` and its like, ``.hdf5``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...containers import (
    Stream,
    check_decoded,
    open_hdf5,
    open_npz,
    stream_bin,
    stream_npy,
    stream_tensors,
    stream_vecs,
)
from ...errors import StorageError
from ...scale import PER_VECTOR
from ..bare import matrix_of
from ..columns import SCALES, check_no_scales
from ..contents import ANN_BENCHMARKS, Contents, check_no_quantizer, rows_in, words_in_array
from ..kinds import HDF5, MATRIX, TYPED
from ..pack import is_packed
from .how import Piece, Reading, as_names, rows_from
from .places import Place
from .skipping import Ids

_OF_ROWS = ("values", "bit_planes", "scales", "lengths")
"""Which of the arrays that embcodec stores have a row, or an element, for each row."""

Opened = tuple[dict[str, Stream], dict[str, str], dict[str, str]]


def matrix_pieces(place: Place, kind: str, how: Reading, skip: int, stop: int | None = None) -> Iterator[Piece]:
    """Yield the rows skip .. stop - 1 of a file of matrices, with ids where they are asked for."""
    _check_columns(kind, how)
    with _open(place, kind, how) as (streams, words, others):
        rows = _row_streams(streams, words, others, kind, how)
        count, size = next(iter(rows.values())).shape[0], max(place.size(), 0)
        named = _ids(streams, others, kind, how.id_column, count)
        whole = _others(streams, rows, size, how) if is_packed(words) else {}
        row_bytes = sum(stream.row_bytes for stream in rows.values())
        end = count if stop is None else min(stop, count)
        for first in range(skip, end, how.batch_rows):
            some = min(how.batch_rows, end - first)
            check_decoded(some * row_bytes, size, how.max_bytes, f"{some:,} rows of the {kind} file")
            arrays = {name: stream.read(first, some) for name, stream in rows.items()}
            contents = Contents({**whole, **arrays}, _words_of(words, arrays), {})
            with rows_from(first):
                ids: Ids = None if named is None else as_names(named.read(first, some), str(how.id_column))
                part = rows_in(contents, kind, how.output_dtype, how.dimension, None)
            yield part, ids


def matrix_column(place: Place, kind: str, how: Reading) -> str:
    """Return the array that the rows of a file of matrices are where none is named."""
    _check_columns(kind, how)
    with _open(place, kind, how) as (streams, words, others):
        rows = _row_streams(streams, words, others, kind, replace(how, column=None))
        return "values" if is_packed(words) else next(iter(rows))


def matrix_count(place: Place, kind: str, how: Reading) -> int:
    """Return how many rows a file of matrices has."""
    with _open(place, kind, how) as (streams, words, others):
        return int(next(iter(_row_streams(streams, words, others, kind, how).values())).shape[0])


def _check_columns(kind: str, how: Reading) -> None:
    if how.column is not None and kind not in (*TYPED, *HDF5):
        raise StorageError(f"a {kind} file is one matrix without columns: leave out column={how.column!r}")


@contextmanager
def _open(place: Place, kind: str, how: Reading) -> Iterator[Opened]:
    """Open a file: its arrays, the words of embcodec if it wrote them, and what is not read."""
    if kind in HDF5:
        if place.path is None:
            raise StorageError(f"a {kind} file is read where it is a file of this machine: copy it here first")
        with open_hdf5(place.path) as file:
            named = [name for name, dataset in file.datasets.items() if dataset.shape]
            yield {name: file.stream(name) for name in named}, {}, file.others
        return
    with place.open() as file:
        if not file.seekable():
            raise StorageError(
                f"a {kind} file is read at several places, but this one goes forward only: save it first"
            )
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if kind == ".npz":
            with open_npz(file, "embcodec", how.float_dtype) as (streams, words, others):
                yield streams, words_in_array(words), others
        elif kind == ".safetensors":
            yield stream_tensors(file, size)
        elif kind == ".npy":
            yield {"values": stream_npy(file, size, how.float_dtype)}, {}, {}
        elif kind in MATRIX:
            yield {"values": stream_bin(file, size, kind)}, {}, {}
        else:
            yield {"values": stream_vecs(file, size, kind)}, {}, {}


def _row_streams(
    streams: dict[str, Stream], words: Mapping[str, str], others: Mapping[str, str], kind: str, how: Reading
) -> dict[str, Stream]:
    """Return the arrays that make up the rows, in parts of which each part of the rows is."""
    if "index" in words or is_packed(words):
        if how.column not in (None, "values"):
            raise StorageError(f"embcodec wrote the file for one matrix: leave out column={how.column!r}")
        named = (*_OF_ROWS, SCALES) if words.get(SCALES) == PER_VECTOR else _OF_ROWS
        rows = {name: streams[name] for name in named if name in streams}
        if not rows or len({stream.shape[0] for stream in rows.values()}) > 1:
            empty = {name: np.empty((0, *stream.shape[1:]), stream.dtype) for name, stream in streams.items()}
            rows_in(Contents(empty, dict(words), dict(others)), kind, None, None, None)  # says what is wrong
            raise StorageError("the file contradicts itself: its arrays have different numbers of rows")
        return rows
    check_no_quantizer([*streams, *others], kind)
    column = how.column
    if column is None and kind in HDF5 and streams.keys() >= ANN_BENCHMARKS:
        column = "train"
    chosen: Any = matrix_of(streams, others, column)
    name = next(name for name, stream in streams.items() if stream is chosen)
    scales = streams.get(SCALES)
    if how.column is None and scales is not None and scales.shape == chosen.shape[:1]:
        none: NDArray[Any] = np.empty((0, 0), chosen.dtype)
        check_no_scales(none, str(scales.dtype), f"column={name!r}")
    return {name: chosen}


def _others(
    streams: Mapping[str, Stream], rows: Mapping[str, Stream], size: int, how: Reading
) -> dict[str, NDArray[Any]]:
    """Return the arrays that all rows share, as a scheme or ranges are."""
    shared = {name: stream for name, stream in streams.items() if name not in rows}
    nbytes = sum(stream.row_bytes * stream.shape[0] for stream in shared.values())
    check_decoded(nbytes, size, how.max_bytes, "what the rows of the file share")
    return {name: stream.whole() for name, stream in shared.items()}


def _words_of(words: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Return the words of some of the rows: whether all of them had unit length is said of each part."""
    if "is_unit" not in words or "lengths" not in arrays:
        return dict(words)
    return {**words, "is_unit": str(int(not np.signbit(arrays["lengths"]).any()))}


def _ids(
    streams: Mapping[str, Stream], others: Mapping[str, str], kind: str, column: str | None, count: int
) -> Stream | None:
    if column is None:
        return None
    if column not in streams:
        known = [name for name, stream in streams.items() if stream.ndim == 1]
        if not known and column not in others:
            raise StorageError(
                f"a {kind} file without ids: leave out id_column={column!r}, or name a file that has them"
            )
        why = f"has {others[column]}" if column in others else f"is not there; of one axis are {known}"
        raise StorageError(f"a {kind} file: the array {column!r} of ids {why}")
    if streams[column].shape != (count,):
        raise StorageError(f"ids have shape ({count},), but {column!r} has {streams[column].shape}")
    return streams[column]
