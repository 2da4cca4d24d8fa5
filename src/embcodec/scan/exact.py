"""The answer of an exhaustive float32 search, found by a scan of codes and the float32 scores of few rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dtypes import Metric
from ..embeddings import Embeddings
from ..quantizers.lowbit import Rows
from .best import SearchResult, best_of, rescored
from .bounds import BoundedResult, best_of_both
from .estimates import RowTerms
from .promises import rows_in_doubt, sample_of, sample_size
from .upper_bounds import UpperBounds, are_known, takes_one

_BATCH = 256  # queries whose candidates are held at a time
_HIGHEST = 1024  # rows of the highest bounds that are looked at, of all queries together: that hardly takes time,
_HIGHEST_EACH = 128  # at least of each, beside some for each of the k best
_FIRST = 64  # candidates that are scored before the others, of all queries together, beside some for each of the k best
_AT_ONCE = 1024  # as many rows, of all queries together, are scored in the time that another call takes
_AT_ONCE_EACH = 256
_FURTHER = 4  # so many times as many rows are scored in a step as before it, or looked at in a second scan

# The k best for each query, scores and rows, how many rows were scored, and whether others are all worse.
_Best = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]


def exact_by_codes(
    codes: Rows,
    floats: Embeddings,
    rows: RowTerms,
    queries: Embeddings,
    k: int,
    metric: Metric,
    chosen: NDArray[np.int64] | None,
    whole: Callable[[Embeddings], SearchResult],
    threads: int | None,
) -> BoundedResult:
    """Return the k best rows for each query by float32 scores, as a scan of all floats would.

    A scan of the codes finds the rows of the highest bounds, which are scored in their order until none is left that
    could be as good as the k-th best: mostly long before the last. If even the last bound is as good as the k-th best,
    more rows are looked at in a second scan.

    How many rows are looked at, and whether it pays at all, a sample of the rows says, unless bounds are narrow. Where
    too many would be left to score, the floats are scanned.

    Parameters
    ----------
    codes : Embeddings or LowBitCodes
    floats : Embeddings
        The same rows in float32.
    rows : RowTerms
    queries : Embeddings
        Floats, finite.
    k : int
        At least 1, at most the number of rows that count.
    metric : {"cosine", "dot", "l2"}
    chosen : ndarray of int64, optional
        The rows that count, ascending.
    whole : function
        Returns the k best of rows that count by a scan of the floats: where the bounds say too little.
    threads : int, optional

    Returns
    -------
    BoundedResult
        Where the floats were scanned, `rescored` is the number of rows that count.
    """
    n = len(codes) if chosen is None else len(chosen)
    known = are_known(queries) if sample_size(n, k) and rows.known else np.zeros(len(queries), np.bool_)
    search = _Search(codes, floats, rows, queries, k, metric, chosen, threads, n, known)
    asked, step = np.flatnonzero(known), 1 if takes_one(codes) else _BATCH
    for begin in range(0, len(asked), step):
        search.by_codes(asked[begin : begin + step])
    others = np.flatnonzero(~search.done)
    if len(others):
        search.scores[others], search.found[others] = whole(queries if len(others) == len(queries) else queries[others])
    return BoundedResult(search.scores, search.found, search.scored, np.ones(len(queries), np.bool_))


@dataclass
class _Search:
    """A search under way: what is asked for, as :func:`exact_by_codes` has it, and what is found.

    Queries of `done` are answered by the codes, or to be; the others are left for a scan of the floats.
    """

    codes: Rows
    floats: Embeddings
    rows: RowTerms
    queries: Embeddings
    k: int
    metric: Metric
    chosen: NDArray[np.int64] | None
    threads: int | None
    n: int  # rows that count
    done: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = (len(self.queries), self.k)
        self.scores, self.found = np.empty(shape, np.float32), np.empty(shape, np.int64)
        self.scored = np.full(len(self.queries), self.n, np.int64)

    def by_codes(self, some: NDArray[np.int64]) -> None:
        """Answer some queries, or leave them for the floats."""
        bounds = self._bounds(some)
        most = 8 * self.k + max(_HIGHEST // len(some), _HIGHEST_EACH)
        if not bounds.are_narrow():
            some, bounds, most = self._weigh(some, bounds, None, most)
        some, reached = self._by_highest(some, bounds, most)
        if len(some):
            some, bounds, most = self._weigh(some, self._bounds(some), reached, _FURTHER * most)
            self._leave(self._by_highest(some, bounds, most)[0])

    def _bounds(self, some: NDArray[np.int64]) -> UpperBounds:
        return UpperBounds(self.codes, self.queries[some], self.metric, self.rows, self.chosen)

    def _weigh(
        self, some: NDArray[np.int64], bounds: UpperBounds, reached: NDArray[np.float32] | None, most: int
    ) -> tuple[NDArray[np.int64], UpperBounds, int]:
        """Leave queries of too many rows in doubt; return the others, with bounds, and how many rows to look at."""
        sample = sample_of(self.n, sample_size(self.n, self.k))
        sample = sample if self.chosen is None else self.chosen[sample]
        asked = self.queries[some]
        counts, enough = rows_in_doubt(
            bounds, self.floats, asked, self.k, self.metric, sample, self.n, reached, self.threads
        )
        self._leave(some[~enough])
        if not enough.any():
            return some[enough], bounds, most
        if not enough.all():
            bounds = self._bounds(some[enough])
        return some[enough], bounds, max(most, int(counts[enough].max()))

    def _by_highest(
        self, some: NDArray[np.int64], bounds: UpperBounds, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score rows of the highest bounds; return queries that these do not answer, and scores that k rows reach."""
        if not len(some):
            return some, np.empty(0, np.float32)
        most = min(most, self.n)
        scores, rows, self.scored[some], ended = _highest(
            bounds, self.floats, self.queries[some], self.k, self.metric, most, self.threads
        )
        self.scores[some], self.found[some] = scores, rows
        return some[~ended], scores[~ended, -1]

    def _leave(self, some: NDArray[np.int64]) -> None:
        self.done[some], self.scored[some] = False, self.n


def _highest(
    bounds: UpperBounds,
    floats: Embeddings,
    queries: Embeddings,
    k: int,
    metric: Metric,
    most: int,
    threads: int | None,
) -> _Best:
    """Return the k best of the rows of the highest bounds, how many were scored, and whether others are all worse."""
    highest = best_of(bounds.scan, most, threads)
    step = min(max((4 * k + _FIRST) // len(queries), k + k // 4 + 1), most)
    best = rescored(queries, highest.indices[:, :step], floats, k, metric, "float32", threads)
    scored, left = np.full(len(queries), step, np.int64), np.ones(highest.scores.shape, np.bool_)
    left[:, :step] = False
    while True:
        # The k-th best score only rises, so a row that cannot reach it now never will.
        reached = best.scores[:, -1]
        least = bounds.thresholds(reached)
        end = int((highest.scores > least[:, None]).sum(axis=1).max())  # behind it none can
        left = left[:, :end]
        if not left.any():
            break
        left &= bounds.tightened(highest.scores[:, :end], highest.indices[:, :end], reached) > least[:, None]
        some = np.flatnonzero(left.any(axis=1))
        if not len(some):
            break
        step = max(_FURTHER * step, _AT_ONCE // len(some), _AT_ONCE_EACH)
        chunk = _taken(left, some, highest.indices, step)
        new = rescored(queries[some], chunk, floats, k, metric, "float32", threads)
        sign = -1.0 if metric == "l2" else 1.0
        best.scores[some], best.indices[some] = best_of_both(
            SearchResult(best.scores[some], best.indices[some]), new, sign
        )
        scored[some] += (chunk >= 0).sum(axis=1)
    last = highest.scores[:, -1]
    ended = (last <= least) | (most == bounds.scan.n_positions)
    if not ended.all():
        ended |= bounds.tightened_at_least(last, reached) <= least
    return best.scores, best.indices, scored, ended


def _taken(left: NDArray[np.bool_], some: NDArray[np.int64], rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the first rows left of each of some queries, -1 behind those of fewer; they are no longer left."""
    whose, columns = np.nonzero(left[some])
    counts = np.bincount(whose, minlength=len(some))
    places = np.arange(len(whose)) - np.repeat(np.cumsum(counts) - counts, counts)
    taken = places < most
    whose, columns, places = whose[taken], columns[taken], places[taken]
    left[some[whose], columns] = False
    chunk = np.full((len(some), min(int(counts.max()), most)), -1, np.int64)
    chunk[whose, places] = rows[some[whose], columns]
    return chunk
