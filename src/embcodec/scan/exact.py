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
from .upper_bounds import UpperBounds, are_known, takes_one

_SAMPLE = 32  # one row in so many is looked at first, to see what the bounds are worth
_LEAST_SAMPLE = 256
_FOR_EACH = 16  # and at least so many for each of the k best: of fewer the k-th best score says too little
_RUN = 4  # the sample is of runs of so many rows: of more, neighbours that are alike would leave it less to say
_BATCH = 256  # queries whose candidates are held at a time
_HIGHEST = 128  # rows of the highest bounds that are looked at, beside some for each of the k best
_FIRST = 128  # candidates that are scored before the others, beside some for each of the k best
_LEAST_SCORED = 16  # rows of the sample that are scored
_FITTED = 8  # of them say how scores go on
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
    known = are_known(queries) if _sample_size(n, k) and rows.known else np.zeros(len(queries), np.bool_)
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
        sample = _sample(self.n, _sample_size(self.n, self.k))
        sample = sample if self.chosen is None else self.chosen[sample]
        args = self.floats, self.queries[some], self.k, self.metric
        expected, enough = _expected(bounds, *args, sample, self.n, reached, self.threads)
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


def _sample_size(n: int, k: int) -> int:
    """Return how many of n rows are looked at first; 0 where these are too few for that."""
    wanted = max(n // _SAMPLE, _LEAST_SAMPLE, _FOR_EACH * k)
    return wanted if 2 * wanted <= n else 0


def _sample(n: int, wanted: int) -> NDArray[np.int64]:
    """Return positions, ascending, among n rows: runs of _RUN."""
    runs = -(-wanted // _RUN)
    starts = np.arange(runs, dtype=np.int64) * (n - _RUN) // max(runs - 1, 1)
    return (starts[:, None] + np.arange(_RUN)).ravel()


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


def _expected(
    bounds: UpperBounds,
    floats: Embeddings,
    queries: Embeddings,
    k: int,
    metric: Metric,
    sample: NDArray[np.int64],
    n: int,
    reached: NDArray[np.float32] | None,
    threads: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return scores that the k best of all rows all but surely reach, and whether bounds then leave few rows in doubt.

    Scores that they are known to reach are `reached`. Else those of the sample say it: where it has one row in 32, its
    second best is most likely exceeded by ten of all rows. A guess at what they just reach says how few are in doubt.
    """
    few = min(max(2 * k, _LEAST_SCORED), len(sample))
    share = _share(len(queries), 4 * floats.dimension)
    found = best_of(bounds.of_rows(sample), max(len(sample) // share, few), threads)
    if reached is not None:
        return reached, _few_in_doubt(bounds, found, reached)
    best = rescored(queries, found.indices[:, :few], floats, few, metric, "float32", threads)
    among = k * len(sample) / n  # of the k best are in the sample
    enough = _few_in_doubt(
        bounds, found, best.scores[:, min(int(among), k - 1)] if among >= 1 else _beyond(best, among)
    )
    if enough.any():
        runs = _runs_so_far(best.indices, sample)
        if among >= 1:
            enough &= _few_in_doubt(bounds, found, _at_place(best, runs, int(among), k))
        reached = _at_place(best, runs, int(among + 3 * np.sqrt(among) + 1), k)
    return best.scores[:, -1] if reached is None else reached, enough


def _few_in_doubt(bounds: UpperBounds, found: SearchResult, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return for which queries the last bound found in the sample is too low for a row as good as these scores."""
    last = bounds.tightened(found.scores[:, -1], found.indices[:, -1], scores)
    enough: NDArray[np.bool_] = last <= bounds.thresholds(scores)
    # A scan of the floats takes hardly longer for all queries than for half of them.
    return enough & (2 * np.count_nonzero(enough) > len(enough))


def _runs_so_far(rows: NDArray[np.int64], sample: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return of how many runs of the sample rows are, up to each, (n_queries, m)."""
    runs = np.searchsorted(sample, rows) // _RUN
    order = np.argsort(runs, axis=1, kind="stable")
    runs, firsts = np.take_along_axis(runs, order, axis=1), np.ones(runs.shape, np.bool_)
    np.put_along_axis(firsts, order[:, 1:], runs[:, 1:] != runs[:, :-1], axis=1)
    return np.cumsum(firsts, axis=1)


def _at_place(best: SearchResult, runs: NDArray[np.int64], place: int, k: int) -> NDArray[np.float32]:
    """Return the scores that so many runs exceed, but at least the k-th: rows of one run are often alike."""
    behind = runs > place
    places = np.where(behind[:, -1], np.minimum(behind.argmax(axis=1), k - 1), k - 1)
    scores: NDArray[np.float32] = best.scores[np.arange(len(places)), places]
    return scores


def _beyond(best: SearchResult, among: float) -> NDArray[np.float32]:
    """Return scores that `among` rows of a sample, less than one, are expected to exceed, by its best ones.

    How many exceed a score most often falls exponentially with it. That alone promises about as much too much as the
    best of the sample promises too little: the middle is taken.
    """
    first, last = best.scores[:, 0], min(best.scores.shape[1], _FITTED)
    step = (best.scores[:, :last].mean(axis=1) - best.scores[:, last - 1]) * np.float32(last / (last - 1))
    scores: NDArray[np.float32] = (first + best.scores[:, last - 1] + step * np.float32(np.log(last / among))) / 2
    return scores


def _share(n_queries: int, row_bytes: int) -> int:
    """Return in how many rows one may be among the best, on average, if the codes are to be scanned, not the floats.

    A row that is scored by itself costs as much as some rows of a scan by one query, short ones more of them, and
    dozens of one by many.
    """
    return min(6 + 9216 // row_bytes + 6 * (n_queries - 1), 96)


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
