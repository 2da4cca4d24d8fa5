"""One search over many files: the best of each, merged; then, among these, the best by better rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...codec import as_int64
from ...dtypes import Precision
from ...embeddings import Embeddings
from ...scan import MetricLike, SearchResult, as_count, as_queries, check_dimensions, merge_topk, prepare
from ...words import as_real
from ..arguments import for_both
from .shards import Kind, OpenShard


def best_of_all(
    shards: Sequence[OpenShard],
    kind: Kind,
    n_rows: int,
    queries: Embeddings | ArrayLike,
    k: int,
    *,
    multiplier: float | None,
    metric: MetricLike | None,
    mask: ArrayLike | None,
    precision: Precision,
    threads: int | None,
) -> SearchResult:
    """Return the k best of all rows, n_rows, for each query, as :meth:`Collection.search` has it."""
    asked, single = as_queries(queries)
    check_dimensions(asked, kind.codes, "index")
    better = kind.rescore_with
    if multiplier is None or metric in ("hamming", "jaccard"):
        better = None
    first, final = (asked, asked) if better is None else for_both(asked, better)
    chosen = _ids_of_mask(shards, mask)
    k = min(as_count(k), n_rows if chosen is None else len(chosen))
    wanted = k if better is None else _times(k, multiplier)
    scan = prepare(first, kind.codes, metric=metric, query_precision=precision)
    parts = (shard.best(scan, wanted, chosen, threads) for shard in shards)
    found = merge_topk([scan.nothing(), *parts], wanted, metric=scan.metric)
    if better is not None:
        scan = prepare(final, better, metric=metric, query_precision="float32")
        parts = (shard.rescored(scan, found.indices, k, threads) for shard in shards)
        found = merge_topk([scan.nothing(), *parts], k, metric=scan.metric)
    return SearchResult(found.scores[0], found.indices[0]) if single else found


def _ids_of_mask(shards: Sequence[OpenShard], mask: ArrayLike | None) -> NDArray[np.int64] | None:
    """Return the ids of a mask, ascending; ValueError where one is given twice or is not there."""
    if mask is None:
        return None
    given = as_int64(mask, "mask id")
    chosen = np.unique(given)
    if len(chosen) < len(given):
        raise ValueError("mask repeats ids: name each once")
    there = np.zeros(len(chosen), np.bool_)
    for shard in shards:
        there |= shard.rows_of(chosen) >= 0
    if not there.all():
        raise ValueError(f"mask names id {int(chosen[~there][0])}, which is not in the collection")
    return chosen


def _times(k: int, multiplier: float | None) -> int:
    times = as_real(multiplier, "rescore_multiplier")
    if not 1 <= times < np.inf:
        raise ValueError(f"rescore_multiplier must be a number of at least 1, not {times}")
    return int(np.ceil(k * times))
