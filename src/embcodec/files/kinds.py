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
SUFFIXES = (*TYPED, ".npy", *MATRIX, *ROWS)
"""The kinds of files, by their names' ends."""

_READERS = {
    ".json": "; decode_response(Path(path).read_bytes()) reads a response body",
    ".jsonl": "; decode_batch(path) reads a batch job's output",
    ".txt": "; Client.embed asks a service for the embeddings of texts",
}


def check_suffix(path: str | os.PathLike[str]) -> str:
    """Return the suffix of a path, in lower case; StorageError if no file of embeddings has it."""
    suffix = Path(as_path(path)).suffix.lower()
    if suffix not in SUFFIXES:
        way = _READERS.get(suffix) or meant(suffix, SUFFIXES)
        raise StorageError(f"{Path(path).name!r}: unknown kind of file; known are {', '.join(SUFFIXES)}{way}")
    return suffix
