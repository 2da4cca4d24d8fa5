"""Results of searches over different rows, merged into the best of all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import ffi, lib, pointer

_TOGETHER = 8  # parts that are merged at once: more would come from memory again and again
_RESULTS = ffi.typeof("ec_results[]")


class Best:
    """The best results so far of some queries, into which further ones are merged.

    Further ones may wait for others (if `may_wait`: they stay what they are): :meth:`flush` ends that.

    Attributes
    ----------
    scores : ndarray of float32 or int32, (n_queries, k)
        Best first; NaN or -1 where there is no result.
    ids : ndarray of int64, (n_queries, k)
        -1 where there is no result.
    """

    def __init__(
        self, n_queries: int, k: int, dtype: np.dtype[Any], *, lower_is_better: bool, may_wait: bool = False
    ) -> None:
        self.scores: NDArray[Any] = np.full((n_queries, k), -1 if dtype.kind == "i" else np.nan, dtype)
        self.ids: NDArray[np.int64] = np.full((n_queries, k), -1, np.int64)
        self._rest = (
            n_queries, k, dtype.kind == "i", 1.0 if lower_is_better else -1.0, pointer(self.scores), pointer(self.ids)
        )  # fmt: skip
        self._parts = ffi.new(_RESULTS, _TOGETHER)
        self._waiting: list[tuple[NDArray[Any], NDArray[np.int64]]] = []
        self._most = _TOGETHER if may_wait else 1

    def merge(self, scores: NDArray[Any], ids: NDArray[np.int64]) -> None:
        """Merge results of the same type, each query's best first, once some are there; ties go to the lower id.

        They are (n_queries, k of their own), or (k,) where there is one query.

        Raises
        ------
        ValueError
            For a score that is NaN.
        """
        entry = self._parts[len(self._waiting)]
        entry.scores, entry.ids, entry.k = pointer(scores), pointer(ids), scores.shape[-1]
        self._waiting.append((scores, ids))
        if len(self._waiting) == self._most:
            self.flush()

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
