"""One search over many files: the best of each, merged; then, among these, the best by better rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...codec import as_int64
from ...dtypes import Precision
from ...embeddings import Embeddings
from ...scan import (
    MetricLike,
    Place,
    PreparedQueries,
    Reach,
    SearchResult,
    Segmented,
    as_count,
    as_mask,
    check_dimensions,
    merge_topk,
    prepare,
)
from ...words import as_real
from ..arguments import check_own_metric, for_both
from .arena import Arena
from .shards import Kind, OpenShard


class Parts(Protocol):
    """Where the parts of a search run; each gives back results that are yet to be merged."""

    def best(
        self, scan: PreparedQueries, k: int, mask: NDArray[np.int64] | None, threads: int | None
    ) -> Iterable[SearchResult]:
        """Yield the k best rows by their codes, of some files at a time."""

    def rescored(
        self, scan: PreparedQueries, candidates: NDArray[np.int64], k: int, threads: int | None
    ) -> Iterable[SearchResult]:
        """Yield the k best of each query's candidates by the better rows, of some files at a time."""

    def are_there(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which ids are those of rows that count."""


class Here:
    """Files of rows, searched as one corpus in this process.

    Attributes
    ----------
    codes : Segmented or None
        None where there are no files.
    """

    def __init__(self, shards: Sequence[OpenShard], arena: Arena) -> None:
        better = [Place(shard.rescore_with, shard.ids, shard.live) for shard in shards if shard.rescore_with]
        self._shards = shards  # files are open as long as they are searched
        self.codes = Segmented(arena.places(shards)) if shards else None
        self._better = Segmented(better) if better else None

    def best(
        self,
        scan: PreparedQueries,
        k: int,
        mask: NDArray[np.int64] | None,
        threads: int | None,
        reach: Reach | None = None,
    ) -> list[SearchResult]:
        """Return the results of one search over all files, if there are any: of a part, what its `reach` leaves."""
        return [] if self.codes is None else [self.codes.best(scan, k, mask, threads, reach)]

    def rescored(
        self, scan: PreparedQueries, candidates: NDArray[np.int64], k: int, threads: int | None
    ) -> list[SearchResult]:
        """Return the results of one search over all files, if there are any."""
        return [] if self._better is None else [self._better.rescored(scan, candidates, k, threads)]

    def are_there(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which ids are those of rows that count."""
        if self.codes is None:
            return np.zeros(len(ids), np.bool_)
        return np.asarray(self.codes.positions_of(ids) >= 0)


def best_of_all(
    parts: Parts,
    kind: Kind,
    n_rows: int,
    asked: Embeddings,
    k: int,
    *,
    multiplier: float | None,
    metric: MetricLike | None,
    mask: NDArray[np.int64] | None,
    precision: Precision,
    threads: int | None,
) -> SearchResult:
    """Return the k best of all rows, n_rows, for each query, as :meth:`Collection.search` has it.

    `mask` are ids, ascending.
    """
    check_dimensions(asked, kind.codes, "collection")
    better = kind.rescore_with
    check_own_metric(kind.codes, better, asked, metric)
    if multiplier is None or metric in ("hamming", "jaccard"):
        better = None
    first, final = (asked, asked) if better is None else for_both(asked, better)
    k = min(as_count(k), n_rows if mask is None else len(mask))
    wanted = k if better is None else _times(k, multiplier)
    scan = prepare(first, kind.codes, metric=metric, query_precision=precision)
    found = merged(scan, parts.best(scan, wanted, mask, threads), wanted)
    if better is not None:
        scan = prepare(final, better, metric=metric, query_precision="float32")
        found = merged(scan, parts.rescored(scan, found.indices, k, threads), k)
    return found


def merged(scan: PreparedQueries, parts: Iterable[SearchResult], k: int) -> SearchResult:
    """Return the k best of each query among the results of parts, of which there may be none."""
    if isinstance(parts, list) and len(parts) == 1:
        only: SearchResult = parts[0]
        if only.indices.shape[1] <= k:
            return only
    return merge_topk([scan.nothing(), *parts], k, metric=scan.metric)


def ids_of_mask(parts: Parts, mask: ArrayLike | None) -> NDArray[np.int64] | None:
    """Return the ids of a mask, ascending; ValueError where one is given twice or is not there."""
    if mask is None:
        return None
    takes = "a collection's mask is a list of the ids that count: numbers, as vectors.ids_of(texts) has them of texts"
    if as_mask(mask, "mask id", takes).dtype.kind == "b" and np.size(mask):
        raise TypeError(f"{takes}; not a boolean a row")
    given = as_int64(mask, "mask id")
    chosen = np.unique(given)
    if len(chosen) < len(given):
        raise ValueError("mask repeats ids: name each once")
    there = parts.are_there(chosen)
    if not there.all():
        raise ValueError(f"mask names id {int(chosen[~there][0])}, which is not in the collection")
    return chosen


def _times(k: int, multiplier: float | None) -> int:
    times = as_real(multiplier, "rescore_multiplier")
    if not 1 <= times < np.inf:
        raise ValueError(f"rescore_multiplier must be a number of at least 1, not {times}")
    return int(np.ceil(k * times))
