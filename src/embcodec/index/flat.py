"""An index that grows and shrinks: exact search over codes, rescored with better rows."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec import as_int64
from ..embeddings import Encoder
from ..quantizers.lowbit import LowBitCodes, Rows
from ..scan import as_ids
from ..words import html_table
from .arguments import (
    check_alike,
    check_better,
    check_joins,
    finite_rows,
    given_to_rescore,
    like,
    quantized,
    warn_of_common_mean,
)
from .files import read_index, write_index
from .rows import Part, Snapshot
from .view import View


class FlatIndex(View):
    """Exact search over codes in memory or in a mapped file, with rows to rescore the best, and ids.

    Any number of threads may search while one adds or removes: each search sees the index as it was when it began.
    Pickled and copied it takes its rows along, also those of a mapped file: a process that has the file maps it itself,
    by :meth:`load`, and shares its pages.

    Parameters
    ----------
    codes : Embeddings, LowBitCodes or array-like of floats, (n, dimension)
        What is scanned. May have no rows: they come with :meth:`add`.
    quantizer : LowBitQuantizer, optional
        Fitted; `codes`, which are floats, become its codes.
    rescore_with : Embeddings, LowBitCodes or array-like of floats, optional
        The same rows in better codes, of no fewer bits (CodeMismatchError); the best by `codes` are scored again with
        them. Where rows share a large mean, plain bits before them say little: a :class:`PrecisionWarning` names what
        says more.
    ids : array-like of int, (n,), optional
        What the rows are called in results, not negative; 0 .. n - 1 by default.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import Embeddings, FlatIndex
    >>> x = np.array([[0.9, -0.1], [0.8, 0.6], [-1.0, 0.2]], np.float32)
    >>> index = FlatIndex(Embeddings(x).to("ubinary"), rescore_with=x, ids=[10, 20, 30])
    >>> index.search(np.array([0.7, 0.7], np.float32), 2).indices.tolist()
    [20, 10]
    >>> index.remove([20])
    >>> index.add(np.array([[0.0, 1.0]], np.float32)).tolist()
    [31]
    >>> index.search(np.array([0.7, 0.7], np.float32), 1, rescore_multiplier=3).indices.tolist()
    [31]

    Two bits a dimension, of rows of unit length:

    >>> from embcodec import LowBitQuantizer
    >>> x /= np.linalg.norm(x, axis=1, keepdims=True)
    >>> FlatIndex(x, quantizer=LowBitQuantizer(2).fit(x), rescore_with=x)
    FlatIndex(LowBitCodes(3 x 2 at 2 bits, 30 bytes), rescored with Embeddings(3 x 2 float, 24 bytes))
    """

    def __init__(
        self,
        codes: Rows | ArrayLike,
        *,
        quantizer: Encoder[LowBitCodes] | None = None,
        rescore_with: Rows | ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> None:
        rows = quantized(finite_rows(codes, "codes"), quantizer)
        better = None if rescore_with is None else finite_rows(rescore_with, "rescore_with")
        check_alike(rows, better)
        check_better(rows, better)
        warn_of_common_mean(rows, better)
        named = None if ids is None else as_ids(ids, len(rows))
        self._lock = threading.Lock()
        next_id = len(rows) if named is None else int(named.max(initial=-1)) + 1
        self._now = Snapshot(Part(rows), None if better is None else Part(better), named, next_id)

    def __repr__(self) -> str:
        now = self._now
        better = f", rescored with {now.rescore_with.rows!r}" if now.rescore_with else ""
        return f"FlatIndex({now.codes.rows!r}{better})"

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        ids = self.ids
        named = f"{ids.min():,} .. {ids.max():,}" if len(ids) else "none"
        facts = [("rows", f"{len(self):,}"), ("ids", named), ("codes", repr(self.codes))]
        facts += [] if self.rescore_with is None else [("rescored with", repr(self.rescore_with))]
        return html_table("FlatIndex", [*facts, ("bytes", f"{self.nbytes:,}")])

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled or copied: the rows themselves, also those of a mapped file."""
        now = self._now
        held = now.codes.rows, None if now.rescore_with is None else now.rescore_with.rows, now.ids, now.next_id
        return {**{name: value for name, value in vars(self).items() if name != "_lock"}, "_now": held}

    def __setstate__(self, state: dict[str, Any]) -> None:
        codes, better, ids, next_id = state["_now"]
        vars(self).update(state)
        self._lock = threading.Lock()
        self._now = Snapshot(Part(codes), None if better is None else Part(better), ids, next_id)

    def add(
        self,
        codes: Rows | ArrayLike,
        *,
        rescore_with: Rows | ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> NDArray[np.int64]:
        """Add rows; return their ids.

        Parameters
        ----------
        codes : Embeddings, LowBitCodes or array-like of floats, (m, dimension)
            Codes like those of the index, or floats, which are quantized as they are (low-bit codes with the scheme
            that they hold), for both kinds of rows.
        rescore_with : optional
            Rows like the index's; not needed where `codes` are floats.
        ids : array-like of int, optional
            By default the numbers after the greatest id so far.

        Raises
        ------
        CodeMismatchError, ValueError
            The index is then as it was.
        """
        given = finite_rows(codes, "codes")
        with self._lock:
            now = self._now
            rows = like(given, now.codes.rows)
            held = None if now.rescore_with is None else now.rescore_with.rows
            better = given_to_rescore(given, rescore_with, held, "index")
            check_alike(rows, better)
            named, all_ids = self._name(now, len(rows), ids)
            check_joins(now.codes.rows, rows)
            if now.rescore_with is not None and better is not None:
                check_joins(now.rescore_with.rows, better)
            part = None if now.rescore_with is None or better is None else now.rescore_with.appended(better)
            next_id = max(now.next_id, int(named.max(initial=-1)) + 1)
            self._now = Snapshot(now.codes.appended(rows), part, all_ids, next_id)
            return named

    @staticmethod
    def _name(now: Snapshot, count: int, ids: Any) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Return the ids of `count` new rows, and of all rows (None: still their numbers)."""
        if ids is None:
            if now.next_id + count >= 2**63:
                raise ValueError(
                    f"no whole numbers are left after id {now.next_id - 1}: give the new rows numbers as ids"
                )
            named = np.arange(now.next_id, now.next_id + count, dtype=np.int64)
            if now.ids is None:
                return named, None
        else:
            named = as_ids(ids, count)
            taken = named[now.rows_of(named) >= 0]
            if len(taken):
                raise ValueError(f"id {int(taken[0])} is in the index already")
        return named, np.concatenate([now.all_ids(), named])

    def remove(self, ids: ArrayLike) -> None:
        """Remove the rows of these ids; the others keep theirs.

        Raises
        ------
        KeyError
            Where an id is not in the index, which is then as it was.
        """
        asked = as_int64([ids] if isinstance(ids, int | np.integer) else ids)
        with self._lock:
            now = self._now
            rows = now.rows_of(asked)
            if (rows < 0).any():
                raise KeyError(f"id {int(asked[rows < 0][0])} is not in the index")
            if not len(rows):
                return
            kept = np.ones(len(now), np.bool_)
            kept[rows] = False
            better = None if now.rescore_with is None else now.rescore_with.taken(kept)
            self._now = Snapshot(now.codes.taken(kept), better, now.all_ids()[kept], now.next_id)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to one ``.safetensors`` file; an existing one is replaced atomically."""
        write_index(path, self._now)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, mmap: bool = False, verify: bool | None = None) -> FlatIndex:
        """Read an index; with `mmap` its rows stay in the file until they are touched.

        Parameters
        ----------
        path : path-like
        mmap : bool
            Map the file instead of reading it; what may befall a mapped file :func:`embcodec.load` says.
        verify : bool, optional
            Whether all rows are read, to compare their checksum and to refuse floats that are not finite; by default
            they are, unless the file is mapped.

        Raises
        ------
        StorageError
            Where the file is damaged or holds something else.
        OSError
            Where it cannot be read.
        """
        index = cls.__new__(cls)
        index._lock = threading.Lock()
        index._now = read_index(path, mmap=mmap, verify=verify)
        return index
