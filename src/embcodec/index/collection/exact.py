"""The answer of an exhaustive float32 search of a collection: large files by their codes, small ones as one corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...errors import CodeMismatchError
from ...scan import BoundedResult, MetricLike, Place, Segmented, merge_topk, prepare
from ..exact import exhaustive
from ..rows import Snapshot
from .best import Here
from .shards import Kind, OpenShard

_LARGE = 1 << 14
"""Rows of a file whose codes may tell which floats to look at: of fewer, to look at a sample first does not pay."""


def exact_of_all(
    here: Here,
    shards: Sequence[OpenShard],
    kind: Kind,
    asked: Embeddings,
    k: int,
    *,
    metric: MetricLike | None,
    mask: NDArray[np.int64] | None,
    threads: int | None,
) -> BoundedResult:
    """Return the k best rows for each query by the float32 scores of all, ties by id; `mask` are ids, ascending."""
    floats = kind.codes if kind.rescore_with is None else kind.rescore_with
    if not isinstance(floats, Embeddings) or floats.output_dtype is not OutputDtype.FLOAT:
        raise CodeMismatchError(
            f"exact=True is about floats, which this collection of {floats!r} lacks",
            "Collection.create(path, like=codes, rescore_with=floats)",
        )
    scan = prepare(asked, floats, metric=metric, query_precision="float32")
    scored = np.zeros(len(asked), np.int64)
    rows = here.codes  # the floats themselves
    if kind.rescore_with is not None:
        small = [
            Place(shard.rescore_with, shard.ids, shard.live)
            for shard in shards
            if shard.rescore_with and len(shard.ids) < _LARGE
        ]
        rows = Segmented(small) if small else None

    def parts() -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        yield scan.nothing()
        if rows is not None:
            np.add(scored, len(rows) if mask is None else np.count_nonzero(rows.positions_of(mask) >= 0), out=scored)
            yield rows.best(scan, k, mask, threads)
        for shard in shards:
            if kind.rescore_with is None or len(shard.ids) < _LARGE:
                continue
            chosen: Any = shard.live
            if mask is not None:
                chosen = shard.rows_of(mask)
                chosen = chosen[chosen >= 0]
            now = Snapshot(shard.codes, shard.rescore_with, None, len(shard.ids))
            found = exhaustive(now, asked, k, metric=metric, mask=chosen, threads=threads)
            np.add(scored, found.rescored, out=scored)
            yield found.scores, shard.ids[found.indices]

    best = merge_topk(parts(), k, metric=scan.metric)
    return BoundedResult(best.scores, best.indices, scored, np.ones(len(asked), np.bool_))
