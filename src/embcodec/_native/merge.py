"""Results of searches over different rows, merged into the best of all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import lib, pointer


class Best:
    """The best results so far of some queries, into which further ones are merged.

    Attributes
    ----------
    scores : ndarray of float32 or int32, (n_queries, k)
        Best first; NaN or -1 where there is no result.
    ids : ndarray of int64, (n_queries, k)
        -1 where there is no result.
    """

    def __init__(self, n_queries: int, k: int, dtype: np.dtype[Any], *, lower_is_better: bool) -> None:
        self.scores: NDArray[Any] = np.full((n_queries, k), -1 if dtype.kind == "i" else np.nan, dtype)
        self.ids: NDArray[np.int64] = np.full((n_queries, k), -1, np.int64)
        self._sign = 1.0 if lower_is_better else -1.0

    def merge(self, scores: NDArray[Any], ids: NDArray[np.int64]) -> None:
        """Merge results (n_queries, k of their own) of the same type, each query's best first; ties go to the lower id.

        Raises
        ------
        ValueError
            For a score that is NaN.
        """
        n_queries, k = self.ids.shape
        bad = lib.ec_merge_results(
            pointer(scores), pointer(ids), n_queries, scores.shape[1], k, self.scores.dtype.kind == "i", self._sign,
            pointer(self.scores), pointer(self.ids),
        )  # fmt: skip
        if bad >= 0:
            raise ValueError(f"query {bad} has a score that is not a number")
