"""Results of searches over parts of a corpus, merged into those of a search over all of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._native.merge import Best
from ..codec import as_int64
from ..words import as_iterable, shown
from .best import SearchResult, as_count
from .metric import MetricLike
from .plan import check_metric, lower_is_better

_TYPES, _INT64 = (np.dtype(np.float32), np.dtype(np.int32)), np.dtype(np.int64)


def merge_topk(parts: Iterable[tuple[ArrayLike, ArrayLike]], k: int, *, metric: MetricLike) -> SearchResult:
    """Return the k best of each query among the results of searches over different rows.

    Merging is exact: the k best of all rows are among the k best of each part, so that the result is that of one search
    over all rows, with ties by id. It is associative: parts may be merged in any order, and merged results again.

    Parameters
    ----------
    parts : iterable of SearchResult, or of pairs of scores and ids, (n_queries, k_part) or (k_part,)
        One at a time is asked for. Each query's best come first. Ids count over all parts: the rows' ids, or the rows
        of a part plus the number of rows before it. They are negative where a query had fewer results.
    k : int
        How many; clipped to how many all parts have together.
    metric : str or compiled function
        That of the searches; it says whether lower scores are better.

    Returns
    -------
    SearchResult
        Best first, ties by the lower id; 1-D where the parts are.

    Raises
    ------
    ValueError
        For no parts, parts of different numbers of queries or types of scores, scores that are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import merge_topk, search
    >>> corpus = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.6, 0.5]], np.float32)
    >>> first, second = search([1.0, 1.1], corpus[:2], 2), search([1.0, 1.1], corpus[2:], 2)
    >>> merge_topk([first, (second.scores, second.indices + 2)], 2, metric="cosine").indices.tolist()
    [2, 3]
    """
    check_metric(metric)
    wanted, best, total, single = as_count(k), None, 0, False
    like = _Like((), None)
    may_wait = isinstance(parts, list | tuple)  # what is made on demand may be made in the same place
    for number, part in enumerate(as_iterable(parts, "parts", "results, scores and ids of each")):
        part_scores, part_ids = _fields_of(part, number)
        if best is None or not like.has(part_scores, part_ids):  # most are as the one before
            part_scores, part_ids = _as_result(part_scores, part_ids, number)
            if best is None:
                single = part_scores.ndim == 1
                n_queries = 1 if single else len(part_scores)
                lower = lower_is_better(metric)
                best = Best(n_queries, wanted, part_scores.dtype, lower_is_better=lower, may_wait=may_wait)
                shape = part_scores.shape[:-1]
            if part_scores.shape[:-1] != shape:
                raise ValueError(f"part {number} has results of shape {part_scores.shape}, others for queries {shape}")
            if part_scores.dtype != best.scores.dtype:
                raise ValueError(f"part {number} has scores of {part_scores.dtype}, others of {best.scores.dtype}")
            like = _Like(part_scores.shape, part_scores.dtype)
            k_part = part_scores.shape[-1]
        best.merge(part_scores, part_ids, k_part)
        total += k_part
    if best is None:
        raise ValueError("there are no parts to merge: search(queries, rows[:0], k) is one of no rows")
    best.flush()
    found, ids = (np.ascontiguousarray(array[:, : min(wanted, total)]) for array in (best.scores, best.ids))
    return SearchResult(found[0], ids[0]) if single else SearchResult(found, ids)


def _fields_of(part: Any, number: int) -> tuple[Any, Any]:
    """Return the scores and ids of a part: of a result, or of a pair."""
    if (type(part) is tuple or type(part) is SearchResult) and len(part) == 2:
        return part
    if isinstance(part, tuple | list) and not hasattr(part, "scores") and len(part) == 2:
        return part[0], part[1]
    try:
        return part.scores, part.indices
    except AttributeError:
        raise TypeError(f"part {number} is {shown(part)}, not scores and ids") from None


class _Like(NamedTuple):
    """What former scores were: those of most parts are as many, and of the same type."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None

    def has(self, scores: Any, ids: Any) -> bool:
        """Whether scores and ids can be merged as they are."""
        shape, dtype = self
        return (
            type(scores) is type(ids) is np.ndarray
            and scores.dtype is dtype
            and ids.dtype is _INT64
            and scores.shape == shape
            and ids.shape == shape
            and scores.flags.c_contiguous
            and ids.flags.c_contiguous
        )


def _as_result(scores: ArrayLike, ids: ArrayLike, number: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the scores and ids of a part as arrays that can be merged."""
    found = np.asarray(scores)
    if found.dtype not in _TYPES:
        raise ValueError(
            f"scores are float32, or int32 for hamming; those of part {number} are {found.dtype}: "
            "np.asarray(scores, np.float32) makes them such"
        )
    if isinstance(ids, np.ndarray) and ids.dtype == _INT64:
        named = ids
    else:
        named = as_int64(np.reshape(np.asarray(ids), -1)).reshape(np.shape(ids))
    if found.ndim not in (1, 2) or named.shape != found.shape:
        raise ValueError(f"part {number} has scores of shape {found.shape} and ids of shape {named.shape}")
    if not (found.flags.c_contiguous and named.flags.c_contiguous):
        found, named = np.ascontiguousarray(found), np.ascontiguousarray(named)
    return found, named
