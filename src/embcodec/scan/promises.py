"""What a sample of the rows promises of all: a score that the k best reach, and how many rows are then in doubt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dtypes import Metric
from ..embeddings import Embeddings
from .best import SearchResult, best_of, rescored
from .upper_bounds import UpperBounds

_SAMPLE = 96  # one row in so many is looked at first, to see what the bounds are worth
_LEAST_SAMPLE = 256
_FOR_EACH = 16  # and at least so many for each of the k best: of fewer the k-th best score says too little
_RUN = 4  # the sample is of runs of so many rows: of more, neighbours that are alike would leave it less to say
_LEAST_SCORED = 64  # rows of the sample that are scored
_FITTED = 32  # of them say how scores go on


def sample_size(n: int, k: int) -> int:
    """Return how many of n rows are looked at first; 0 where these are too few for that."""
    wanted = max(n // _SAMPLE, _LEAST_SAMPLE, _FOR_EACH * k)
    return wanted if 2 * wanted <= n else 0


def sample_of(n: int, wanted: int) -> NDArray[np.int64]:
    """Return positions, ascending, among n rows: runs of _RUN."""
    runs = -(-wanted // _RUN)
    starts = np.arange(runs, dtype=np.int64) * (n - _RUN) // max(runs - 1, 1)
    return (starts[:, None] + np.arange(_RUN)).ravel()


def rows_in_doubt(
    bounds: UpperBounds,
    floats: Embeddings,
    queries: Embeddings,
    k: int,
    metric: Metric,
    sample: NDArray[np.int64],
    n: int,
    reached: NDArray[np.float32] | None,
    threads: int | None,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return how many of all rows to look at, by their bounds, and whether these are few enough.

    Which scores the k best of all rows reach is known, `reached`, or guessed from those of the sample.
    """
    among = k * len(sample) / n  # of the k best are in the sample
    few = min(_LEAST_SCORED + 4 * int(among), len(sample))
    found = best_of(
        bounds.of_rows(sample), max(len(sample) // _share(len(queries), 4 * floats.dimension), few), threads
    )
    if reached is None:
        best = rescored(queries, found.indices[:, :few], floats, few, metric, "float32", threads)
        if among >= 1:
            reached = _at_place(best, _runs_so_far(best.indices, sample), int(among), k)
        else:
            reached = _beyond(best, among)
    tight = bounds.tightened(found.scores, found.indices, reached)
    counts = np.count_nonzero(tight > bounds.thresholds(reached)[:, None], axis=1)
    enough: NDArray[np.bool_] = counts < found.scores.shape[1]
    # A scan of the floats takes hardly longer for all queries than for half of them.
    # That many are expected, and most likely not so many more.
    likely = ((2 * counts + 6 * np.sqrt(counts) + 6) * n / len(sample)).astype(np.int64)
    return likely, enough & (2 * np.count_nonzero(enough) > len(enough))


def _runs_so_far(rows: NDArray[np.int64], sample: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return of how many runs of the sample rows are, up to each, (n_queries, m)."""
    runs = np.searchsorted(sample, rows) // _RUN
    order = np.argsort(runs, axis=1, kind="stable")
    runs, firsts = np.take_along_axis(runs, order, axis=1), np.ones(runs.shape, np.bool_)
    np.put_along_axis(firsts, order[:, 1:], runs[:, 1:] != runs[:, :-1], axis=1)
    return np.cumsum(firsts, axis=1)


def _at_place(best: SearchResult, runs: NDArray[np.int64], place: int, k: int) -> NDArray[np.float32]:
    """Return the scores that so many runs exceed, but at least the k-th: rows of one run are often alike."""
    behind, last = runs > place, min(k, runs.shape[1]) - 1
    places = np.where(behind[:, -1], np.minimum(behind.argmax(axis=1), last), last)
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
    return min(4 + 9216 // row_bytes + 5 * (n_queries - 1) // 4, 96)
