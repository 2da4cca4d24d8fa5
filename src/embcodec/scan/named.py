"""Search among rows with ids: ties go to the lower id, wherever its row is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native.search import NotFiniteRowError
from ..codec import as_int64
from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes
from .best import SearchResult, best_of, restrict
from .merge import merge_topk
from .prepared import PreparedQueries

_BLOCK_BYTES = 1 << 25  # how much of the rows is copied at a time


def best_by_ids(
    asked: PreparedQueries, rows: Embeddings | LowBitCodes, k: int, ids: Any, mask: Any, threads: int | None
) -> SearchResult:
    """Return the k best rows' ids for each query, ties by id.

    Raises
    ------
    TypeError, ValueError
        For ids that are no whole numbers from 0 on, of another number than the rows, or given twice.
    """
    named = as_ids(ids, len(rows))
    scan = asked.over(rows)
    k = min(k, restrict(scan, mask))
    if (np.diff(named) > 0).all():
        found = best_of(scan, k, threads)
        return SearchResult(found.scores, _names(found.indices, named))
    chosen = scan.selection
    if scan.mask is not None:
        chosen = np.flatnonzero(np.unpackbits(scan.mask, count=len(rows), bitorder="little"))

    def parts() -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        yield asked.nothing()
        counted = np.arange(len(rows)) if chosen is None else chosen
        step = max(1, _BLOCK_BYTES * max(len(rows), 1) // max(rows.nbytes, 1))
        for start in range(0, len(counted), step):
            some = counted[start : start + step]
            some = some[np.argsort(named[some], kind="stable")]  # so that the lower row has the lower id
            try:
                found = best_of(asked.over(rows[some]), min(k, len(some)), threads)
            except NotFiniteRowError as error:
                raise NotFiniteRowError(int(some[error.row]), error.by_user) from None
            yield found.scores, _names(found.indices, named[some])

    return merge_topk(parts(), k, metric=asked.metric)


def _names(rows: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(rows >= 0, ids[rows], -1) if len(ids) else rows


def as_ids(ids: Any, count: int) -> NDArray[np.int64]:
    """Return user ids as int64 (count,), each one once.

    Raises
    ------
    TypeError, ValueError
    """
    try:
        array = as_int64(ids)
    except TypeError as error:
        if not _are_names(ids):
            raise
        raise TypeError(f"{error}: leave ids out, and look the result's indices up in the names") from None
    if array.shape != (count,):
        raise ValueError(f"ids have shape ({count},), not {array.shape}")
    if array.size and (array.min() < 0 or array.max() >= 2**63 - 1):
        raise ValueError("ids must be 0 .. 2**63 - 2")
    known, times = np.unique(array, return_counts=True)
    if len(known) != count:
        raise ValueError(f"an id is given twice: {known[times > 1][0]}")
    return array


def _are_names(ids: Any) -> bool:
    """Whether ids are text, in whatever holds them."""
    with suppress(TypeError):
        return len(ids) > 0 and all(isinstance(name, str) for name in ids)
    return False
