"""An index in a file: its rows, its ids, the number that comes next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..containers import read_tensors, whole_number, write_tensors
from ..errors import StorageError
from ..files import COLLECTION, is_packed, pack, refuse_url, unpack
from ..scan import ALONG, RESIDUALS, as_ids
from ..words import as_path
from .arguments import check_alike, finite_rows
from .rows import Part, Snapshot

FORMAT = "embcodec index 1"


def write_index(path: str | os.PathLike[str], now: Snapshot) -> None:
    """Write what an index holds to one ``.safetensors`` file; an existing one is replaced atomically."""
    _check_suffix(path)
    tensors, words = pack(now.codes.rows, "codes.")
    if now.rescore_with is not None:
        more_tensors, more_words = pack(now.rescore_with.rows, "rescore_with.")
        tensors, words = {**tensors, **more_tensors}, {**words, **more_words}
        if len(now.codes.residuals) == len(now):  # measured by an exact search, which reads all floats
            tensors["residuals"] = now.codes.residuals
    if now.ids is not None:
        tensors["ids"] = now.ids
    write_tensors(path, tensors, {**words, "index": FORMAT, "next_id": str(now.next_id)})


def read_index(path: str | os.PathLike[str], *, mmap: bool = False, verify: bool | None = None) -> Snapshot:
    """Read what :func:`write_index` wrote; StorageError where it is damaged or something else."""
    if holds_collection(path):
        raise StorageError(f"{as_path(path)} is the folder of a collection: Collection.open(path) opens it")
    _check_suffix(path)
    try:
        tensors, words = read_tensors(path, mmap=mmap, verify=verify)
        return _unpacked(tensors, words, whole=not mmap if verify is None else verify)
    except StorageError as error:
        raise StorageError(f"{os.fspath(path)}: {error}") from None


def holds_index(path: str | os.PathLike[str]) -> bool:
    """Whether a file is an index, by what its header says; other files, damaged ones too, are none."""
    if not as_path(path).endswith(".safetensors"):
        return False
    with open(path, "rb") as file:
        return b'"index":"embcodec index' in file.read(1 << 16)


def holds_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a path is the folder of a collection."""
    return os.path.isfile(os.path.join(as_path(path), COLLECTION))


def _unpacked(tensors: Mapping[str, NDArray[Any]], words: Mapping[str, str], *, whole: bool) -> Snapshot:
    if words.get("index") != FORMAT:
        way = ": embcodec.load(path) reads it" if is_packed(words) else ""
        raise StorageError(f"not an index of format {FORMAT!r}{way}")
    rows = unpack(tensors, words, "codes.")
    better = unpack(tensors, words, "rescore_with.") if is_packed(words, "rescore_with.") else None
    try:
        if whole:
            finite_rows(rows, "codes")
            if better is not None:
                finite_rows(better, "rescore_with")
        check_alike(rows, better)
        ids = tensors.get("ids")
        if ids is not None and ids.dtype != np.int64:
            raise ValueError(f"ids of {ids.dtype}, not int64")
        named = None if ids is None else as_ids(ids, len(rows))
        next_id = whole_number(words, "next_id")
        part = Part(rows)
        part.residuals = _residuals(tensors.get("residuals"), len(rows) if better is not None else 0)
    except KeyError:
        raise StorageError("the index lacks its next id") from None
    except (ValueError, TypeError) as error:
        raise StorageError(f"the index contradicts itself: {error}") from None
    if named is None and next_id != len(rows):
        raise StorageError(f"the index contradicts itself: {len(rows)} rows without ids, and {next_id} for the next")
    if named is not None and next_id <= int(named.max(initial=-1)):
        raise StorageError("the index contradicts itself: its next id is taken")
    return Snapshot(part, None if better is None else Part(better), named, next_id)


def _residuals(found: NDArray[Any] | None, count: int) -> NDArray[np.float32]:
    """Return what a file says of how far codes are from their floats, or nothing: then it is measured when needed."""
    if found is None or found.shape == (count, 3):  # three numbers a row are what former versions measured
        return np.empty((0, RESIDUALS), np.float32)
    if found.dtype != np.float32 or found.shape != (count, RESIDUALS):
        raise ValueError(f"residuals of {found.dtype} {found.shape}, not float32 {(count, RESIDUALS)}")
    if not (found[:, :ALONG] >= 0).all() or np.isnan(found[:, ALONG]).any():
        raise ValueError("residuals are lengths, which are not negative but along a row")
    return np.asarray(found, np.float32)


def _check_suffix(path: str | os.PathLike[str]) -> None:
    refuse_url(path, "an index is a file of this machine")
    if not as_path(path).endswith(".safetensors"):
        raise StorageError(f"an index is stored in a .safetensors file, not {as_path(path)!r}")
