"""An index in a file: its rows, its ids, the number that comes next."""

from __future__ import annotations

import os

from .errors import StorageError
from .index_arguments import check_alike
from .index_rows import Part, Snapshot, as_ids
from .storage_pack import is_packed, pack, unpack
from .storage_tensors import read_tensors, write_tensors

FORMAT = "embcodec index 1"


def write_index(path: str | os.PathLike[str], now: Snapshot) -> None:
    """Write what an index holds to one ``.safetensors`` file; an existing one is replaced atomically."""
    _check_suffix(path)
    tensors, words = pack(now.codes.rows, "codes.")
    if now.rescore_with is not None:
        more_tensors, more_words = pack(now.rescore_with.rows, "rescore_with.")
        tensors, words = {**tensors, **more_tensors}, {**words, **more_words}
    if now.ids is not None:
        tensors["ids"] = now.ids
    write_tensors(path, tensors, {**words, "index": FORMAT, "next_id": str(now.next_id)})


def read_index(path: str | os.PathLike[str], *, mmap: bool = False) -> Snapshot:
    """Read what :func:`write_index` wrote; StorageError where it is damaged or something else."""
    _check_suffix(path)
    tensors, words = read_tensors(path, mmap=mmap)
    if words.get("index") != FORMAT:
        way = ": embcodec.load(path) reads it" if is_packed(words) else ""
        raise StorageError(f"not an index of format {FORMAT!r}{way}")
    rows = unpack(tensors, words, "codes.")
    better = unpack(tensors, words, "rescore_with.") if is_packed(words, "rescore_with.") else None
    ids, next_id = tensors.get("ids"), words.get("next_id", "")
    if not next_id.isdecimal() or len(next_id) > 19:
        raise StorageError("the index lacks its next id")
    try:
        check_alike(rows, better)
        named = None if ids is None else as_ids(ids, len(rows))
    except (ValueError, TypeError) as error:
        raise StorageError(f"the index contradicts itself: {error}") from None
    if int(next_id) < (len(rows) if named is None else int(named.max(initial=-1)) + 1):
        raise StorageError("the index contradicts itself: its next id is taken")
    return Snapshot(Part(rows), None if better is None else Part(better), named, int(next_id))


def _check_suffix(path: str | os.PathLike[str]) -> None:
    if not os.fspath(path).endswith(".safetensors"):
        raise StorageError(f"an index is stored in a .safetensors file, not {os.fspath(path)!r}")
