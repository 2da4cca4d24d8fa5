"""The answer of an exhaustive float32 search, found by a scan of codes and the float32 scores of few rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native import search as native
from ..dtypes import Metric
from ..embeddings import Embeddings
from ..quantizers.lowbit import Rows
from .best import SearchResult, best_of, rescored
from .bounds import BoundedResult, best_by_bounds
from .estimates import RowTerms, UpperBounds, are_known, takes_one

_SAMPLE = 32  # one row in so many is scored first, to see what the bounds are worth
_LEAST_SAMPLE = 256
_FOR_EACH = 16  # and at least so many for each of the k best: of fewer the k-th best score says too little
_RUN = 16  # the sample is of runs of so many rows, which memory delivers sooner than single ones
_BATCH = 256  # queries whose candidates are held at a time
_HIGHEST = 128  # rows of the highest bounds that are looked at, beside some for each of the k best
_AT_ONCE = 256  # as many rows are scored in the time that another call takes


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
        step = 1 if takes_one(codes, metric) else _BATCH
        for begin in range(0, len(asked), step):
            some = asked[begin : begin + step]
            bounds = UpperBounds(codes, queries[some], metric, rows)
            bounds.scan.selection = chosen
            if bounds.are_narrow():
                first = _highest(bounds, floats, queries[some], k, metric, min(n, 8 * k + _HIGHEST), threads)
                scores[some], found[some], scored[some], ended = first
                if ended.all():
                    continue
                some = some[~ended]
                bounds = UpperBounds(codes, queries[some], metric, rows)
                bounds.scan.selection = chosen
            most, enough = _screen(bounds, floats, queries[some], k, metric, sample, threads)
            by_codes[some] = enough
            scored[some] = n
            if not enough.any():
                continue
            order, reach = _candidates(bounds, most, threads)
            done, kept = some[enough], enough
            scores[done], found[done], scored[done] = best_by_bounds(
                queries[done], order[kept], reach[kept], floats, k, metric, threads, at_once=_AT_ONCE
            )
    others = np.flatnonzero(~by_codes)
    if len(others):
        scores[others], found[others] = whole(queries if len(others) == len(queries) else queries[others])
    return BoundedResult(scores, found, scored, np.ones(len(queries), np.bool_))


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
    scores, rows, scored = best_by_bounds(queries, highest.indices, reach, floats, k, metric, threads, at_once=_AT_ONCE)
    ended = highest.scores[:, -1] <= bounds.thresholds(scores[:, -1])
    return scores, rows, scored, ended | (most == bounds.scan.n_positions)


def _screen(
    bounds: UpperBounds,
    floats: Embeddings,
    queries: Embeddings,
    k: int,
    metric: Metric,
    sample: NDArray[np.int64],
    threads: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return what the bounds of rows among the k best exceed, +inf where too many rows do, and where they do not."""
    most = max(len(sample) // _share(len(queries)), 2 * k)
    found = best_of(bounds.of_rows(sample), most, threads)
    kth = rescored(queries, found.indices[:, : 2 * k], floats, k, metric, "float32", threads).scores[:, -1]
    least = bounds.thresholds(kth)
    enough: NDArray[np.bool_] = found.scores[:, -1] <= least
    enough &= 2 * np.count_nonzero(enough) > len(enough)  # a scan of the floats is hardly longer for all queries
    return np.where(enough, least, np.float32(np.inf)), enough


def _share(n_queries: int) -> int:
    """Return in how many rows one may be among the best, on average, if the codes are to be scanned, not the floats.

    A row that is scored by itself costs as much as some rows of a scan by one query, and dozens of one by many.
    """
    return min(4 + n_queries, 16)


def _candidates(
    bounds: UpperBounds, least: NDArray[np.float32], threads: int | None
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the rows whose bound exceeds their query's number, best first, and what they can reach; -1, -inf behind.

    Shapes are (n_queries, the most that a query has).
    """
    limits, scores, rows = native.hits(bounds.scan, least, threads)
    counts = np.diff(limits)
    queries = np.repeat(np.arange(len(counts)), counts)
    places = np.arange(len(rows)) - limits[queries]
    order = np.full((len(counts), int(counts.max(initial=0))), -1, np.int64)
    reach = np.full(order.shape, -np.inf)
    order[queries, places] = rows
    reach[queries, places] = bounds.goodness(scores, queries)
    return order, reach
