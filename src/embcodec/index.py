"""An index that grows and shrinks: exact search over codes, rescored with better rows."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .dtypes import OutputDtype
from .embeddings import Embeddings
from .errors import CodeMismatchError, StorageError
from .index_arguments import check_alike, check_joins, encoded, finite, for_both, like, rows_of_mask
from .index_rows import Part, Snapshot, as_ids
from .search import SearchResult, as_count, as_embeddings, as_queries, best_of, rescored, restrict
from .search_plan import plan
from .storage import pack, unpack
from .storage_tensors import read_tensors, write_tensors

_FORMAT = "embcodec index 1"

HAMMING_MULTIPLIER = 5
"""Candidates of the Hamming stage for each that the float query on the same bits keeps."""


class FlatIndex:
    """Exact search over codes in memory or in a mapped file, with rows to rescore the best, and ids.

    Any number of threads may search while one adds or removes: each search sees the index as it was when it began.

    Parameters
    ----------
    codes : Embeddings or array-like of floats, (n, dimension)
        What is scanned. May have no rows: they come with :meth:`add`.
    rescore_with : Embeddings or array-like of floats, optional
        The same rows in better codes; the best by `codes` are scored again with them.
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
    """

    def __init__(
        self,
        codes: Embeddings | ArrayLike,
        *,
        rescore_with: Embeddings | ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> None:
        rows = finite(as_embeddings(codes, "codes"))
        better = None if rescore_with is None else finite(as_embeddings(rescore_with, "rescore_with"))
        check_alike(rows, better)
        named = None if ids is None else as_ids(ids, len(rows))
        self._lock = threading.Lock()
        next_id = len(rows) if named is None else int(named.max(initial=-1)) + 1
        self._now = Snapshot(Part(rows), None if better is None else Part(better), named, next_id)

    def __len__(self) -> int:
        return len(self._now)

    def __repr__(self) -> str:
        now = self._now
        better = f", rescored with {now.rescore_with.rows!r}" if now.rescore_with else ""
        return f"FlatIndex({now.codes.rows!r}{better})"

    @property
    def codes(self) -> Embeddings:
        """The rows that are scanned."""
        return self._now.codes.rows

    @property
    def rescore_with(self) -> Embeddings | None:
        """The rows that rescore, or None."""
        part = self._now.rescore_with
        return None if part is None else part.rows

    @property
    def ids(self) -> NDArray[np.int64]:
        """The rows' ids, (n,)."""
        return self._now.all_ids()

    @property
    def nbytes(self) -> int:
        """Bytes of codes, rescoring rows and ids."""
        now = self._now
        better = now.rescore_with.rows.nbytes if now.rescore_with else 0
        return now.codes.rows.nbytes + better + (0 if now.ids is None else now.ids.nbytes)

    def add(
        self,
        codes: Embeddings | ArrayLike,
        *,
        rescore_with: Embeddings | ArrayLike | None = None,
        ids: ArrayLike | None = None,
    ) -> NDArray[np.int64]:
        """Add rows; return their ids.

        Parameters
        ----------
        codes : Embeddings or array-like of floats, (m, dimension)
            Codes like those of the index, or floats, which are quantized as they are, for both kinds of rows.
        rescore_with : optional
            Rows like the index's; not needed where `codes` are floats.
        ids : array-like of int, optional
            By default the numbers after the greatest id so far.

        Raises
        ------
        CodeMismatchError, ValueError
            The index is then as it was.
        """
        given = finite(as_embeddings(codes, "codes"))
        with self._lock:
            now = self._now
            rows = like(given, now.codes.rows)
            better = None
            if now.rescore_with is not None:
                if rescore_with is not None:
                    source = finite(as_embeddings(rescore_with, "rescore_with"))
                elif given.output_dtype is OutputDtype.FLOAT:
                    source = given
                else:
                    raise ValueError("this index rescores: give rescore_with too, or floats as codes")
                better = like(source, now.rescore_with.rows)
            elif rescore_with is not None:
                raise ValueError("this index has no rows to rescore with")
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
        asked = np.atleast_1d(np.asarray(ids))
        if asked.size and asked.dtype.kind not in "iu":
            raise TypeError(f"ids are whole numbers, not {asked.dtype}")
        asked = asked.astype(np.int64)
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

    def search(
        self,
        queries: Embeddings | ArrayLike,
        k: int,
        *,
        rescore_multiplier: float | None = 4,
        three_stage: bool = False,
        metric: Any = None,
        mask: ArrayLike | None = None,
        query_precision: str = "int8",
        threads: int | None = None,
    ) -> SearchResult:
        """Return the k best rows' ids for each query.

        With rows to rescore with, the best k * `rescore_multiplier` by `codes` are found first, and the k best of
        them by the better rows returned, with those scores.

        Parameters
        ----------
        queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
            To rescore: floats, or codes like `rescore_with`.
        k : int
        rescore_multiplier : float, optional
            None: do not rescore, return what the codes say.
        three_stage : bool
            For packed bits: first k * `rescore_multiplier` * 5 rows by Hamming distance from the signs of the query,
            of which the float query on the same bits keeps k * `rescore_multiplier`. Less exact than the float query on
            all rows.
        metric, query_precision, threads
            As in :func:`embcodec.search`; hamming and jaccard are not rescored.
        mask : array-like of bool (n,) or of int, optional
            Which rows count: one boolean a row, or their ids; ids that are not there are an error.

        Returns
        -------
        SearchResult
            `indices` are ids. Ties go to the row that was added first.
        """
        now = self._now
        asked, single = as_queries(queries)
        rows = rows_of_mask(now, mask)
        rescores = now.rescore_with is not None and rescore_multiplier is not None
        if rescores and metric not in ("hamming", "jaccard"):
            assert now.rescore_with is not None
            assert rescore_multiplier is not None
            if not 1 <= rescore_multiplier < np.inf:
                raise ValueError(f"rescore_multiplier must be a number of at least 1, not {rescore_multiplier}")
            first, final = for_both(asked, now)
            wanted = int(np.ceil(as_count(k) * rescore_multiplier))
            if three_stage:
                candidates = _through_bits(now, first, wanted, metric, rows, query_precision, threads)
            else:
                candidates = _best(now.codes, first, wanted, metric, rows, query_precision, threads).indices
            result = rescored(final, candidates, now.rescore_with.rows, k, metric, "float32", threads)
        elif three_stage:
            candidates = _through_bits(now, asked, as_count(k), metric, rows, query_precision, threads)
            result = rescored(asked, candidates, now.codes.rows, k, metric, query_precision, threads)
        else:
            result = _best(now.codes, asked, k, metric, rows, query_precision, threads)
        result = SearchResult(result.scores, now.names(result.indices))
        return SearchResult(result.scores[0], result.indices[0]) if single else result

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index to one ``.safetensors`` file; an existing one is replaced atomically."""
        _check_suffix(path)
        now = self._now
        tensors, words = pack(now.codes.rows, "codes.")
        if now.rescore_with is not None:
            more_tensors, more_words = pack(now.rescore_with.rows, "rescore_with.")
            tensors, words = {**tensors, **more_tensors}, {**words, **more_words}
        if now.ids is not None:
            tensors["ids"] = now.ids
        write_tensors(path, tensors, {**words, "index": _FORMAT, "next_id": str(now.next_id)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, mmap: bool = False) -> FlatIndex:
        """Read an index; with `mmap` its rows stay in the file until they are touched.

        Raises
        ------
        StorageError
            Where the file is damaged or holds something else.
        """
        _check_suffix(path)
        tensors, words = read_tensors(path, mmap=mmap)
        if words.get("index") != _FORMAT:
            raise StorageError(f"not an index of format {_FORMAT!r}: embcodec.load reads bare embeddings")
        rows = unpack(tensors, words, "codes.")
        better = unpack(tensors, words, "rescore_with.") if "rescore_with.format" in words else None
        ids, next_id = tensors.get("ids"), words.get("next_id", "")
        if not next_id.isdecimal() or len(next_id) > 19:
            raise StorageError("the index lacks its next id")
        index = cls.__new__(cls)
        index._lock = threading.Lock()
        try:
            check_alike(rows, better)
            named = None if ids is None else as_ids(ids, len(rows))
        except (ValueError, TypeError) as error:
            raise StorageError(f"the index contradicts itself: {error}") from None
        if int(next_id) < (len(rows) if named is None else int(named.max(initial=-1)) + 1):
            raise StorageError("the index contradicts itself: its next id is taken")
        index._now = Snapshot(Part(rows), None if better is None else Part(better), named, int(next_id))
        return index


def _best(
    part: Part, asked: Embeddings, k: int, metric: Any, mask: Any, precision: str, threads: int | None
) -> SearchResult:
    scan = plan(asked, part.rows, metric, precision)
    allowed = restrict(scan, mask)
    part.give_squares(scan)
    return best_of(scan, min(as_count(k), allowed), threads)


def _through_bits(
    now: Snapshot, asked: Embeddings, wanted: int, metric: Any, mask: Any, precision: str, threads: int | None
) -> NDArray[np.int64]:
    """Return candidates by Hamming distance, narrowed by the float query on the same bits."""
    rows = now.codes.rows
    if not rows.output_dtype.is_packed or asked.output_dtype is not OutputDtype.FLOAT:
        raise CodeMismatchError(f"three stages need float queries and packed bits, not {asked!r} and {rows!r}")
    if asked.dimension != rows.dimension:
        raise CodeMismatchError(f"queries have {asked.dimension} dimensions, the index {rows.dimension}")
    found = _best(now.codes, encoded(asked, rows), wanted * HAMMING_MULTIPLIER, "hamming", mask, precision, threads)
    return rescored(asked, found.indices, now.codes.rows, wanted, metric, precision, threads).indices


def _check_suffix(path: str | os.PathLike[str]) -> None:
    if not os.fspath(path).endswith(".safetensors"):
        raise StorageError(f"an index is stored in a .safetensors file, not {os.fspath(path)!r}")
