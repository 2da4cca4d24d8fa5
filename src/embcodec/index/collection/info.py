"""What a collection says of itself."""

from __future__ import annotations

from typing import NamedTuple

from ...quantizers.lowbit import LowBitCodes, Rows
from .folder import Folder


class CollectionInfo(NamedTuple):
    """What a collection holds.

    Attributes
    ----------
    rows, removed_rows, shards : int
        Rows that count, those that :meth:`Collection.compact` will drop, and files.
    nbytes : int
        Of all files.
    generation : int
        How often it was changed.
    codes, rescore_with : str
        What kind of rows they are; the second is "none" where none are kept.
    """

    rows: int
    removed_rows: int
    shards: int
    nbytes: int
    generation: int
    codes: str
    rescore_with: str


def info_of(folder: Folder) -> CollectionInfo:
    """Return how large a collection is, and what it holds."""
    sizes, now = sum(folder.sizes().values()), folder.now
    gone = sum(shard.removed_rows for shard in now.shards)
    kinds = words_of(folder.kind.codes), words_of(folder.kind.rescore_with)
    return CollectionInfo(len(now), gone, len(now.shards), sizes, now.generation, *kinds)


def words_of(rows: Rows | None) -> str:
    """Return what kind of rows these are."""
    if rows is None:
        return "none"
    if isinstance(rows, LowBitCodes):
        return f"{rows.scheme.amount} x {rows.dimension}"
    scale = "" if rows.scale is None or rows.scale.identity == "unit" else f" ({rows.scale.identity})"
    return f"{rows.output_dtype} x {rows.dimension}{scale}"
