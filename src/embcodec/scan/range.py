"""Range search: all rows better than a threshold."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._native import search as native
from .._native.scan import Scan
from ..dtypes import Precision
from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes
from ..words import as_real
from .best import as_queries, final_scores, met_by, refuse_overflow, restrict, short_repr
from .metric import MetricLike
from .plan import lower_is_better, plan


class RangeResult(NamedTuple):
    """All rows better than a threshold: those of query q lie at ``limits[q] : limits[q + 1]``, best first.

    Attributes
    ----------
    limits : ndarray of int64, (n_queries + 1,)
    scores : ndarray, (limits[-1],)
    indices : ndarray of int64, (limits[-1],)
    """

    limits: NDArray[np.int64]
    scores: NDArray[Any]
    indices: NDArray[np.int64]

    def __repr__(self) -> str:
        return short_repr(self)


def range_search(
    queries: Embeddings | ArrayLike,
    corpus: Embeddings | LowBitCodes | ArrayLike,
    threshold: float,
    *,
    metric: MetricLike | None = None,
    mask: ArrayLike | None = None,
    query_precision: Precision = "int8",
    threads: int | None = None,
) -> RangeResult:
    """Return all rows whose score is better than `threshold`: above it for similarities, below it for distances.

    Parameters are those of :func:`search`; the threshold is rounded to float32, as scores are, and a row at it exactly
    is left out, as Faiss does.

    Returns
    -------
    RangeResult
        ``limits``, ``scores``, ``indices`` laid out as Faiss does; within a query best first, ties by the lower row.

    Raises
    ------
    CodeMismatchError, TypeError, ValueError
        As :func:`search` does; ValueError also for a threshold that is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import Embeddings, range_search
    >>> bits = Embeddings(np.array([[0b1111], [0b0111], [0b0001]], np.uint8), "ubinary")
    >>> limits, scores, indices = range_search(bits[:1], bits, 3)
    >>> limits.tolist(), scores.tolist(), indices.tolist()
    ([0, 2], [0, 1], [0, 1])
    """
    with np.errstate(over="ignore"):
        threshold = float(np.float32(as_real(threshold, "threshold")))
    if np.isnan(threshold):
        raise ValueError("threshold is NaN")
    asked, _ = as_queries(queries)
    rows = met_by(asked, corpus)
    scan = plan(asked, rows, metric, query_precision)
    restrict(scan, mask)
    if scan.factors is None:
        thresholds = np.full(len(asked), threshold, np.float32)
    else:
        thresholds = _raw_thresholds(scan, threshold, lower_is_better(metric))
    limits, scores, found = native.hits(scan, thresholds, threads)
    if scan.factors is not None:
        # Different raw scores may be rounded to the same final one, and then the lower row goes first.
        whose = np.repeat(np.arange(len(asked)), np.diff(limits))
        scores = final_scores(scan, scores, whose)
        order = np.lexsort((found, scores if scan.least is not None else -scores, whose))
        scores, found = scores[order], found[order]
    return RangeResult(limits, refuse_overflow(scan, scores), found)


def _raw_thresholds(scan: Scan, threshold: float, below: bool) -> NDArray[np.float32]:
    """Return for each query the greatest raw score whose final score is not better than the threshold.

    The kernel compares raw scores. Scans of low-bit codes have a factor and a constant for each query, which are
    applied to raw scores afterwards, each step rounded. To undo them for the threshold would round otherwise, and rows
    at the border would be taken or left wrongly. But the better a raw score, the better the final one, or the same: so
    the border is searched for among all float32 numbers, counted as integers in their order, by halving the range.
    """
    count = len(scan.queries)
    most = int(np.float32(np.inf).view(np.int32))
    low, high = np.full(count, -most, np.int64), np.full(count, most, np.int64)
    while (high - low > 1).any():
        middle = (low + high) // 2
        with np.errstate(over="ignore", invalid="ignore"):
            final = final_scores(scan, _float_of(middle))
        better = final < threshold if below else final > threshold
        low, high = np.where(better, low, middle), np.where(better, middle, high)
    return _float_of(low)


def _float_of(places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32 numbers by their place in the order of all of them: 0 is 0.0, 1 the least above it, -1 below it.

    The bits of a positive float32, read as an integer, are its place.
    """
    return np.copysign(np.abs(places).astype(np.int32).view(np.float32), places.astype(np.float32))
