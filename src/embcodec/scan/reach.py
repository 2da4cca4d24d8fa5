"""What the k best of all rows cost at most, as searches of some of them have told: others need not look further."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Reach:
    """What searches of parts of a corpus, all for the same queries, tell those of further parts.

    The k-th best row of a part costs no less than the k-th best of all. So rows that cost more are not among the k best
    of all, and a search of another part may leave them out: what is merged stays the same. Threads may share it.

    Parameters
    ----------
    k : int
        How many rows of all parts are wanted for each query.

    Attributes
    ----------
    k : int
    costs : ndarray of int32 or float32, (n_queries,), or None
        Beyond which no row is wanted; INT32_MAX or NaN for queries of which nothing is known, None where that is all.
        What is better is lower.
    """

    costs: NDArray[Any] | None = None

    def __init__(self, k: int) -> None:
        self.k, self._lock = k, threading.Lock()

    def lower(self, costs: NDArray[Any], known: NDArray[np.bool_]) -> None:
        """Take over what the last of a part's k best cost, (n_queries,), where that is `known`."""
        told = np.where(known, costs, np.iinfo(np.int32).max if costs.dtype.kind == "i" else costs.dtype.type(np.nan))
        with self._lock:
            self.costs = told.astype(costs.dtype) if self.costs is None else np.fmin(self.costs, told)
