"""Kinds of files of embeddings, by their names' ends."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import StorageError
from ..words import as_path, meant

TYPED = (".safetensors", ".npz", ".parquet")
LOW_BIT = (".safetensors", ".npz")
MATRIX = (".fbin", ".u8bin", ".i8bin")
ROWS = (".fvecs", ".bvecs")
HDF5 = (".hdf5", ".h5")
SUFFIXES = (*TYPED, ".npy", *MATRIX, *ROWS)
"""The kinds of files that are written, by their names' ends; all are read."""
READ = (*SUFFIXES, *HDF5)
IDS = (".ibin", ".ivecs")
"""Files of the numbers of rows."""

_READERS = {
    ".json": "; decode_response(Path(path).read_bytes()) reads a response body",
    ".jsonl": "; decode_batch(path) reads a batch job's output",
    ".jsonl.gz": "; decode_batch(path) reads a batch job's output",
    ".jsonl.zst": "; decode_batch(path) reads a batch job's output",
    **dict.fromkeys(IDS, "; load_ids(path) reads the numbers of rows"),
    ".txt": "; Client.embed asks a service for the embeddings of texts",
}


def check_suffix(path: str | os.PathLike[str], *, reading: bool = False) -> str:
    """Return the suffix of a path, in lower case; StorageError if no file of embeddings has it that is written.

    With `reading` those that are read only will do.
    """
    name = Path(as_path(path)).name
    suffix, known = Path(name).suffix.lower(), READ if reading else SUFFIXES
    if suffix not in known:
        if reading and os.path.isdir(path):
            raise StorageError(f"{name!r} is a folder: Collection.open(path) opens one that holds a collection")
        if suffix in HDF5:
            raise StorageError(f"{name!r}: a {suffix} file is read, not written; known are {', '.join(SUFFIXES)}")
        way = next((way for end, way in _READERS.items() if name.lower().endswith(end)), "") or meant(suffix, known)
        raise StorageError(f"{name!r}: unknown kind of file; known are {', '.join(known)}{way}")
    return suffix
