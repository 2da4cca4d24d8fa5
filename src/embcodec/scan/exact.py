"""The answer of an exhaustive float32 search, found by a scan of codes and the float32 scores of few rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._native import search as native
from ..dtypes import Metric
from ..embeddings import Embeddings
from ..quantizers.lowbit import Rows
from .best import SearchResult, best_of, rescored
from .bounds import BoundedResult, best_by_bounds
from .estimates import RowTerms
from .promises import expected_scores, sample_of, sample_size
from .upper_bounds import UpperBounds, are_known, takes_one

_BATCH = 256  # queries whose candidates are held at a time
_HIGHEST = 128  # rows of the highest bounds that are looked at, beside some for each of the k best
_FIRST = 128  # candidates that are scored before the others, beside some for each of the k best
_AT_ONCE = 1024  # as many rows, of all queries together, are scored in the time that another call takes
_AT_ONCE_EACH = 256

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

    Where bounds are narrow, a scan of the codes finds the rows of the highest ones, which are scored in their order
    until none is left that could be as good as the k-th best: mostly long before the last.

    Else a sample of the rows is scored first, from which a score is guessed that the k best of all rows reach. The scan
    of the codes finds all rows whose upper bound is as good, and these are scored. If k of them are as good as was
    guessed, no other row is among the k best. If not, or where the first way met too few rows, it is done once more
    with the k-th best score so far in place of the guess: that one is surely reached. Where the sample says that too
    many rows would be left to score, the floats are scanned.

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
        bounds, reached = self._bounds(some), None
        if bounds.are_narrow():
            some, reached = self._by_highest(some, bounds)
        while len(some):
            some, reached = self._by_sample(some, bounds if reached is None else self._bounds(some), reached)

    def _bounds(self, some: NDArray[np.int64]) -> UpperBounds:
        return UpperBounds(self.codes, self.queries[some], self.metric, self.rows, self.chosen)

    def _by_highest(
        self, some: NDArray[np.int64], bounds: UpperBounds
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score the rows of the highest bounds; return the queries that these do not answer, and scores they reach."""
        most = min(self.n, 8 * self.k + _HIGHEST)
        return self._note(
            some, _highest(bounds, self.floats, self.queries[some], self.k, self.metric, most, self.threads)
        )

    def _by_sample(
        self, some: NDArray[np.int64], bounds: UpperBounds, reached: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Score the rows that may reach what a sample promises; return as above. Queries may be left for the floats."""
        sample = sample_of(self.n, sample_size(self.n, self.k))
        sample = sample if self.chosen is None else self.chosen[sample]
        args = self.floats, self.queries[some], self.k, self.metric
        expected, enough = expected_scores(bounds, *args, sample, self.n, reached, self.threads)
        self._leave(some[~enough])
        some, expected = some[enough], expected[enough]
        if len(some) == 0:
            return some, expected
        if not enough.all():
            bounds = self._bounds(some)
        args = self.floats, self.queries[some], self.k, self.metric
        # Of those not answered more was expected than is so. What was found is no better than what is so.
        some, reached = self._note(some, _among_candidates(bounds, *args, expected, self.threads))
        self._leave(some[np.isnan(reached)])
        return some[~np.isnan(reached)], reached[~np.isnan(reached)]

    def _note(self, some: NDArray[np.int64], best: _Best) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Note what was found for these queries; return those of which it is not the end, and their k-th scores."""
        scores, self.found[some], self.scored[some], ended = best
        self.scores[some] = scores
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
    whose = np.repeat(np.arange(len(queries)), most)
    reach = bounds.goodness(highest.scores.ravel(), whose).reshape(highest.scores.shape)
    at_once = max(_AT_ONCE // len(queries), _AT_ONCE_EACH)
    scores, rows, scored = best_by_bounds(
        queries, highest.indices, reach, floats, k, metric, threads, first=_at_first(k, len(queries)), at_once=at_once
    )
    last, least = highest.scores[:, -1], bounds.thresholds(scores[:, -1])
    ended = (last <= least) | (most == bounds.scan.n_positions)
    if not ended.all():
        ended |= bounds.tightened_at_least(last, scores[:, -1]) <= least
    return scores, rows, scored, ended


def _at_first(k: int, n_queries: int) -> int:
    """Return how many rows are scored in the first step: mostly all that are, if that costs less than another call."""
    return (4 * k + _FIRST // 2) // n_queries


def _among_candidates(
    bounds: UpperBounds,
    floats: Embeddings,
    queries: Embeddings,
    k: int,
    metric: Metric,
    expected: NDArray[np.float32],
    threads: int | None,
) -> _Best:
    """Return the k best for each query, how many rows were scored, and whether the k best are as good as `expected`.

    Where they are, no other row is among the k best: a scan of the codes has found all rows whose bounds exceed what is
    expected. Those of the highest bounds are scored first, which leaves fewer of the others.
    """
    bounds.tighten(expected)
    whose, reach, rows = native.hits_in_any_order(bounds.scan, bounds.thresholds(expected), threads)
    most, seen, left = 2 * k + _FIRST, np.zeros(len(rows), np.bool_), np.ones(len(rows), np.bool_)
    if np.bincount(whose, minlength=1).max() > 2 * most:
        for query in range(len(queries)):
            own = np.flatnonzero(whose == query)
            seen[own[np.argpartition(-reach[own], most)[:most]] if len(own) > most else own] = True
        best = _best_of_each(queries, whose[seen], rows[seen], floats, k, metric, threads)[0][:, -1]
        reached = np.fmin(best, expected) if metric == "l2" else np.fmax(best, expected)  # NaN where too few are
        left = bounds.tightened(reach, rows, reached) > bounds.thresholds(reached)[whose]
    scores, found = _best_of_each(queries, whose[left], rows[left], floats, k, metric, threads)
    ended = scores[:, -1] <= expected if metric == "l2" else scores[:, -1] >= expected
    return scores, found, np.bincount(whose[seen | left], minlength=len(queries)), ended


def _best_of_each(
    queries: Embeddings,
    whose: NDArray[np.int32],
    rows: NDArray[np.int64],
    floats: Embeddings,
    k: int,
    metric: Metric,
    threads: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scores and rows (n_queries, k) of the best of each query's rows; NaN and -1 behind those of too few."""
    counts = np.bincount(whose, minlength=len(queries))
    order = np.argsort(whose.astype(np.int16), kind="stable")  # which is fast for two bytes
    places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    candidates = np.full((len(queries), max(int(counts.max(initial=0)), k)), -1, np.int64)
    candidates[whose[order], places] = rows[order]
    return rescored(queries, candidates, floats, k, metric, "float32", threads)
