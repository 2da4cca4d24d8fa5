"""The answer of an exhaustive float32 search, found by a scan of codes and the float32 scores of few rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .._native import search as native
from ..dtypes import Metric
from ..embeddings import Embeddings
from ..quantizers.lowbit import Rows
from .best import SearchResult, best_of, rescored
from .bounds import BoundedResult, best_by_bounds
from .estimates import RowTerms, UpperBounds, are_known, takes_one

_SAMPLE = 32  # one row in so many is looked at first, to see what the bounds are worth
_LEAST_SAMPLE = 256
_FOR_EACH = 16  # and at least so many for each of the k best: of fewer the k-th best score says too little
_RUN = 16  # the sample is of runs of so many rows, which memory delivers sooner than single ones
_BATCH = 256  # queries whose candidates are held at a time
_HIGHEST = 128  # rows of the highest bounds that are looked at, beside some for each of the k best
_FIRST = 128  # candidates that are scored before the others, beside some for each of the k best
_LEAST_SCORED = 16  # rows of the sample that are scored
_AT_ONCE = 1024  # as many rows, of all queries together, are scored in the time that another call takes
_AT_ONCE_EACH = 256


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

    Else, or where that was too few, a sample of the rows is scored first. Its k-th best score is no better than that of
    all rows, so that those whose upper bound is below it cannot be among the k best. The scan of the codes finds the
    others, which are scored in the same way.

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
    scores, found = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    scored = np.full(len(queries), n, np.int64)
    sample = _sample(n, k) if rows.known else None
    by_codes = are_known(queries) if sample is not None else np.zeros(len(queries), np.bool_)
    if sample is not None:
        sample = sample if chosen is None else chosen[sample]
        asked = np.flatnonzero(by_codes)
        step = 1 if takes_one(codes) else _BATCH
        for begin in range(0, len(asked), step):
            some = asked[begin : begin + step]
            reached = None
            bounds = _bounds(codes, queries[some], metric, rows, chosen)
            if bounds.are_narrow():
                first = _highest(bounds, floats, queries[some], k, metric, min(n, 8 * k + _HIGHEST), threads)
                scores[some], found[some], scored[some], ended = first
                if ended.all():
                    continue
                some, reached = some[~ended], first[0][~ended, -1]
                bounds = _bounds(codes, queries[some], metric, rows, chosen)
            expected, enough = _expected(bounds, floats, queries[some], k, metric, sample, n, reached, threads)
            scored[some], by_codes[some] = n, enough
            some, expected = some[enough], expected[enough]
            while len(some):
                if len(some) < len(bounds.scan.queries):
                    bounds = _bounds(codes, queries[some], metric, rows, chosen)
                done = _among_candidates(bounds, floats, queries[some], k, metric, expected, threads)
                scores[some], found[some], scored[some], ended = done
                # Of the others less was expected of the sample than is so: what was found is no worse than what is so.
                some, expected = some[~ended], scores[some[~ended], -1]
                known = ~np.isnan(expected)
                by_codes[some[~known]], scored[some[~known]] = False, n
                some, expected = some[known], expected[known]
    others = np.flatnonzero(~by_codes)
    if len(others):
        scores[others], found[others] = whole(queries if len(others) == len(queries) else queries[others])
    return BoundedResult(scores, found, scored, np.ones(len(queries), np.bool_))


def _bounds(
    codes: Rows, queries: Embeddings, metric: Metric, rows: RowTerms, chosen: NDArray[np.int64] | None
) -> UpperBounds:
    bounds = UpperBounds(codes, queries, metric, rows)
    bounds.scan.selection = chosen
    return bounds


def _sample(n: int, k: int) -> NDArray[np.int64] | None:
    """Return positions, ascending, among n rows; None where these are too few to look at some first."""
    wanted = max(n // _SAMPLE, _LEAST_SAMPLE, _FOR_EACH * k)
    if 2 * wanted > n:
        return None
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
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the k best of the rows of the highest bounds, how many were scored, and whether others are all worse."""
    highest = best_of(bounds.scan, most, threads)
    whose = np.repeat(np.arange(len(queries)), most)
    reach = bounds.goodness(highest.scores.ravel(), whose).reshape(highest.scores.shape)
    at_once = max(_AT_ONCE // len(queries), _AT_ONCE_EACH)
    scores, rows, scored = best_by_bounds(queries, highest.indices, reach, floats, k, metric, threads, at_once=at_once)
    ended = bounds.tightened_at_least(highest.scores[:, -1], scores[:, -1]) <= bounds.thresholds(scores[:, -1])
    return scores, rows, scored, ended | (most == bounds.scan.n_positions)


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
    """Return scores that the k best of all rows most likely reach, and whether bounds then leave few rows in doubt.

    Scores that they are known to reach are `reached`. Else those of the sample say it: where it has one row in 32, its
    second best is most likely exceeded by ten of all rows.
    """
    few = min(max(2 * k, _LEAST_SCORED), len(sample))
    share = _share(len(queries), 4 * floats.dimension)
    found = best_of(bounds.of_rows(sample), max(len(sample) // share, few), threads)
    if reached is None:
        among = k * len(sample) / n  # of the k best are in the sample
        place = min(int(among + 2 * np.sqrt(among)), k - 1)
        reached = rescored(queries, found.indices[:, :few], floats, place + 1, metric, "float32", threads).scores[:, -1]
    last = bounds.tightened(found.scores[:, -1], found.indices[:, -1], reached)
    enough: NDArray[np.bool_] = last <= bounds.thresholds(reached)
    enough &= 2 * np.count_nonzero(enough) > len(enough)  # a scan of the floats is hardly longer for all queries
    return reached, enough


def _share(n_queries: int, row_bytes: int) -> int:
    """Return in how many rows one may be among the best, on average, if the codes are to be scanned, not the floats.

    A row that is scored by itself costs as much as some rows of a scan by one query, short ones more of them, and
    dozens of one by many.
    """
    return min(5 + 4096 // row_bytes + 4 * (n_queries - 1), 64)


def _among_candidates(
    bounds: UpperBounds,
    floats: Embeddings,
    queries: Embeddings,
    k: int,
    metric: Metric,
    expected: NDArray[np.float32],
    threads: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
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
