"""Results of searches over different rows, merged into the best of all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import ffi, from_buffer, lib, pointer

_FIRST_ROOM = 1024  # results a query that there is room for before there are so many, whatever k is
_TOGETHER = 256  # parts that are merged at once: the best of many are found sooner
_RESULTS = ffi.typeof("ec_results[]")


class Best:
    """The best results so far of some queries, into which further ones are merged.

    Further ones may wait for others (if `may_wait`: they stay what they are): :meth:`flush` ends that.

    Attributes
    ----------
    scores : ndarray of float32 or int32, (n_queries, at least as many as there are results, or k)
        Best first; NaN or -1 where there is no result.
    ids : ndarray of int64, as `scores`
        -1 where there is no result.
    """

    def __init__(
        self, n_queries: int, k: int, dtype: np.dtype[Any], *, lower_is_better: bool, may_wait: bool = False
    ) -> None:
        self.scores, self.ids = np.empty((n_queries, 0), dtype), np.empty((n_queries, 0), np.int64)
        self._k, self._total, self._sign = k, 0, 1.0 if lower_is_better else -1.0
        self._make_room(min(k, _FIRST_ROOM))
        self._parts = ffi.new(_RESULTS, _TOGETHER)
        self._waiting: list[tuple[NDArray[Any], NDArray[np.int64]]] = []
        self._most = _TOGETHER if may_wait else 1

    def merge(self, scores: NDArray[Any], ids: NDArray[np.int64], k: int) -> None:
        """Merge results of the same type, each query's best first, once some are there; ties go to the lower id.

        They are (n_queries, k), or (k,) where there is one query; a `k` of their own.

        Raises
        ------
        ValueError
            For a score that is NaN.
        """
        self._total += k
        if self._room < self._k and self._room < self._total:
            self.flush()
            self._make_room(min(self._k, max(self._total, 2 * self._room)))
        waiting = self._waiting
        entry = self._parts[len(waiting)]
        if k and len(scores):
            entry.scores, entry.ids = from_buffer(scores), from_buffer(ids)
        entry.k = k
        waiting.append((scores, ids))
        if len(waiting) == self._most:
            self.flush()

    def _make_room(self, k: int) -> None:
        (n_queries, before), is_integer = self.scores.shape, self.scores.dtype.kind == "i"
        scores = np.full((n_queries, k), -1 if is_integer else np.nan, self.scores.dtype)
        ids = np.full((n_queries, k), -1, np.int64)
        scores[:, :before], ids[:, :before] = self.scores, self.ids
        self.scores, self.ids, self._room = scores, ids, k
        self._rest = n_queries, k, is_integer, self._sign, pointer(scores), pointer(ids)

    def flush(self) -> None:
        """Merge the results that wait.

        Raises
        ------
        ValueError
            For a score that is NaN.
        """
        bad = lib.ec_merge_results(self._parts, len(self._waiting), *self._rest)
        self._waiting.clear()
        if bad >= 0:
            raise ValueError(f"query {bad} has a score that is not a number")
