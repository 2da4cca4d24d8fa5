"""Files of rows: written once, then only read, mapped into memory."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...containers import creating, read_npy, read_tensors, write_npy
from ...errors import StorageError
from ...files import pack, unpack
from ...quantizers.lowbit import MOST_LENGTH_ERROR, LowBitCodes, PrincipalScheme, Rows, arrays_of
from ..files import FORMAT as INDEX_FORMAT
from ..rows import Part
from .failing import UnreadableError, reading
from .manifest import Shard


class Kind(NamedTuple):
    """What the rows of a collection are: codes and what they are rescored with, of no rows."""

    codes: Rows
    rescore_with: Rows | None

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, its id aside."""
        arrays = [array for rows in self if rows is not None for array in arrays_of(rows)]
        return sum(array.itemsize * math.prod(array.shape[1:]) for array in arrays)


def packed(codes: Rows, better: Rows | None, ids: NDArray[np.int64]) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays and words that make up a file of rows, whose ids ascend."""
    tensors, words = _packed(codes, "codes.")
    if better is not None:
        more_tensors, more_words = _packed(better, "rescore_with.")
        tensors, words = {**tensors, **more_tensors}, {**words, **more_words}
    next_id = str(int(ids[-1]) + 1)
    return {**tensors, "ids": ids}, {**words, "index": INDEX_FORMAT, "next_id": next_id}


def write_removed(path: Path, removed: NDArray[np.bool_]) -> None:
    """Write which rows of a shard are gone."""
    with creating(path) as file:
        write_npy(file, np.packbits(removed, bitorder="little"))


def _packed(rows: Rows, prefix: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return what `pack` does, without the scheme of low-bit codes: it would outweigh a few rows."""
    tensors, words = pack(rows, prefix)
    if isinstance(rows, LowBitCodes):
        tensors = {prefix + name: array for name, array in rows.stored.items()}
    return tensors, words


class OpenShard:
    """The rows of one file, mapped.

    Attributes
    ----------
    name : str
        The file's.
    ids : ndarray of int64, (n,)
        Ascending.
    live : ndarray of bool, (n,), or None
        Which rows count; None where all do.
    codes, rescore_with : Part
        The second may be None.
    """

    _whole: OpenShard  # of which these are some rows: it is there as long as they are

    def __init__(self, folder: Path, shard: Shard, kind: Kind) -> None:
        path = os.path.join(folder, shard.file)
        try:
            with reading(path):
                tensors, words = read_tensors(path, mmap=True)
            if words.get("index") != INDEX_FORMAT:
                raise StorageError("not a file of a collection's rows")
            codes = _unpacked(tensors, words, "codes.", kind.codes)
            better = None
            if kind.rescore_with is not None:
                better = _unpacked(tensors, words, "rescore_with.", kind.rescore_with)
            ids = tensors.get("ids")
            if ids is None or ids.dtype != np.int64 or ids.shape != (shard.rows,):
                raise StorageError(f"its ids are not {shard.rows} whole numbers")
            if len(codes) != shard.rows or (better is not None and len(better) != shard.rows):
                raise StorageError(f"it has {len(codes)} rows, not {shard.rows}")
            if int(ids[0]) != shard.least or int(ids[-1]) != shard.greatest:
                raise StorageError("its ids are not those that the collection says")
        except UnreadableError:
            raise
        except StorageError as error:
            raise StorageError(f"{path}: {error}") from None
        self.name, self.ids = shard.file, ids
        self.live = None if shard.removed is None else _read_live(folder / shard.removed, shard)
        self.codes, self.rescore_with = Part(codes), None if better is None else Part(better)

    def between(self, start: int, stop: int) -> OpenShard:
        """Return the rows start .. stop - 1, as a file of its own would have them."""
        if (start, stop) == (0, len(self.ids)):
            return self
        some = OpenShard.__new__(OpenShard)
        some._whole = self
        some.name, some.ids = f"{self.name}[{start}:{stop}]", self.ids[start:stop]
        some.live = None if self.live is None else self.live[start:stop]
        better = self.rescore_with
        some.codes = Part(self.codes.rows[start:stop])
        some.rescore_with = None if better is None else Part(better.rows[start:stop])
        return some

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of ids, of any shape; -1 for those that are not here or gone."""
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        there = self.ids[rows] == ids
        if self.live is not None:
            there &= self.live[rows]
        return np.where(there, rows, -1)

    def kept(self) -> tuple[Rows, Rows | None, NDArray[np.int64]]:
        """Return the rows that count."""
        better = None if self.rescore_with is None else self.rescore_with.rows
        if self.live is None:
            return self.codes.rows, better, self.ids
        return self.codes.rows[self.live], None if better is None else better[self.live], self.ids[self.live]

    def kept_ids(self) -> NDArray[np.int64]:
        """Return the ids of the rows that count."""
        return self.ids if self.live is None else self.ids[self.live]


def _unpacked(tensors: Any, words: Any, prefix: str, like: Rows) -> Rows:
    if not isinstance(like, LowBitCodes):
        rows = unpack(tensors, words, prefix)
        if isinstance(rows, LowBitCodes) or rows.meaning != like.meaning:
            raise StorageError(f"{rows!r} are not like the collection's {like!r}")
        return rows
    try:
        stored = {name: tensors[prefix + name] for name in like.stored}
        identity, unit_error = words[prefix + "low_bit"], float.fromhex(words[prefix + "unit_error"])
        code_error, length_error = (
            float.fromhex(words.get(prefix + name, "0x0p+0")) for name in ("code_error", "length_error")
        )
    except (KeyError, ValueError) as error:
        raise StorageError(f"the file lacks {error}") from None
    most = like.scheme.most_left_out if isinstance(like.scheme, PrincipalScheme) else 0.0
    known = 0 <= unit_error <= 1 and 0 <= code_error <= most and 0 <= length_error <= MOST_LENGTH_ERROR
    if identity != like.scheme.identity or not known:
        raise StorageError(f"its codes are not like the collection's {like!r}")
    for name, array in stored.items():
        usual = like.stored[name]
        if array.dtype != usual.dtype or array.shape != (len(stored["bit_planes"]), *usual.shape[1:]):
            raise StorageError(f"its {name} are not like those of the collection's {like!r}")
    if isinstance(like.scheme, PrincipalScheme):  # whose scales follow from the planes
        stored["scales"] = like.scheme.scales_of(stored["bit_planes"]).astype(like.scales.dtype)
        if like.scheme.unit:
            stored["lengths"] = like.scheme.lengths_of(stored["bit_planes"])
    return replace(like, unit_error=unit_error, code_error=code_error, length_error=length_error, **stored)


def _read_live(path: Path, shard: Shard) -> NDArray[np.bool_]:
    try:
        with reading(path), open(path, "rb") as file:
            bits = read_npy(file, path.stat().st_size)
    except UnreadableError:
        raise
    except StorageError as error:
        raise StorageError(f"{path}: {error}") from None
    if bits.dtype != np.uint8 or bits.shape != (-(-shard.rows // 8),):
        raise StorageError(f"{path}: not {shard.rows} bits")
    removed = np.unpackbits(bits, count=shard.rows, bitorder="little").astype(np.bool_)
    if np.count_nonzero(removed) != shard.removed_rows:
        raise StorageError(f"{path}: {np.count_nonzero(removed)} rows are gone, not {shard.removed_rows}")
    return ~removed
