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
        self._rest = (
            n_queries, k, dtype.kind == "i", 1.0 if lower_is_better else -1.0, pointer(self.scores), pointer(self.ids)
        )  # fmt: skip

    def merge(self, scores: NDArray[Any], ids: NDArray[np.int64]) -> None:
        """Merge results of the same type, each query's best first; ties go to the lower id.

        They are (n_queries, k of their own), or (k,) where there is one query.

        Raises
        ------
        ValueError
            For a score that is NaN.
        """
        n_queries, *rest = self._rest
        bad = lib.ec_merge_results(pointer(scores), pointer(ids), n_queries, scores.shape[-1], *rest)
        if bad >= 0:
            raise ValueError(f"query {bad} has a score that is not a number")
