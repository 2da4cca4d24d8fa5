"""What the stages of a search keep of rows that come in blocks: the same as of all rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import Precision
from ..embeddings import Embeddings
from ..scan import rescore, search
from .pipeline import Depths, Pipeline

_FIRST, _AGAIN = "first", "again"

Scores = NDArray[Any]


class Gathering:
    """The best rows so far by one kind of codes, and what the further stages make of each.

    A score depends on its query and its row alone, so that the best of all are among the best of the blocks; and a row
    can be scored by further stages while its block is there, before it is known whether it gets so far.

    Parameters
    ----------
    ways : sequence of Pipeline
        Those whose first stage is the same, over some block.
    k : int
    rows : int
        How many there are in all blocks.
    own : ndarray of int64, (n_queries,), or None
        The row that each query is itself, which is not found; -1: none.
    """

    def __init__(self, ways: Sequence[Pipeline], k: int, rows: int, own: NDArray[np.int64] | None = None) -> None:
        self._k, self._own = k, own
        self._others = rows - (own is not None)
        self._depth = max(way.depths.rows(k, self._others)[0] for way in ways) + (own is not None)
        self._ids: NDArray[np.int64] | None = None
        self._scores: dict[str, Scores] = {}

    def add(self, ways: Sequence[Pipeline], begin: int, threads: int | None = None) -> None:
        """Take in a block, of which the first row is row `begin`."""
        first = ways[0]
        found = search(first.queries, first.codes, self._depth, metric=first.metric, threads=threads)
        # Better is greater everywhere: of integers, in which distances are, the negative is exact.
        scores: dict[str, Scores] = {_FIRST: -found.scores if first.metric == "hamming" else found.scores}
        for way in ways:
            if way.again is not None and _AGAIN not in scores:
                scores[_AGAIN] = _scored(way.again, found.indices, way.codes, threads, "int8")
            name = way.depths.rescored_with
            if name is not None and name not in scores and way.exact is not None:
                scores[name] = _scored(way.exact, found.indices, way.rows, threads)
        ids = found.indices + begin
        if self._ids is not None:
            joined = {name: np.concatenate([self._scores[name], scores[name]], axis=1) for name in scores}
            best = np.argsort(-joined[_FIRST], axis=1, kind="stable")[
                :, : self._depth
            ]  # ties stay in the order of rows
            ids = np.take_along_axis(np.concatenate([self._ids, ids], axis=1), best, axis=1)
            scores = {name: np.take_along_axis(each, best, axis=1) for name, each in joined.items()}
        self._ids, self._scores = ids, scores

    def stages(self, depths: Depths) -> list[NDArray[np.int64]]:
        """Return the row numbers that each stage of a way keeps for each query, best first; k in the last."""
        assert self._ids is not None
        stays = _others(self._own, self._ids)
        ids = self._ids[stays].reshape(len(self._ids), -1)
        scanned, wanted = depths.rows(self._k, self._others)
        kept = np.tile(np.arange(min(scanned, ids.shape[1])), (len(ids), 1))  # places among the candidates
        found = [np.take_along_axis(ids, kept, axis=1)]
        further = [(_AGAIN, wanted)] if depths.again else []
        further += [(depths.rescored_with, self._k)] if depths.rescored_with is not None else []
        for name, count in further:
            scores = self._scores[name][stays].reshape(ids.shape)
            order = np.lexsort((found[-1], -np.take_along_axis(scores, kept, axis=1)), axis=1)[:, :count]
            kept = np.take_along_axis(kept, order, axis=1)
            found.append(np.take_along_axis(ids, kept, axis=1))
        return found


def _scored(
    queries: Embeddings,
    candidates: NDArray[np.int64],
    rows: Any,
    threads: int | None,
    precision: Precision = "float32",
) -> Scores:
    """Return the scores of candidates, each in its place."""
    found = rescore(
        queries, candidates, rows, candidates.shape[1], metric="cosine", query_precision=precision, threads=threads
    )
    scores = np.empty(found.scores.shape, found.scores.dtype)
    places = np.argsort(candidates, axis=1)
    sorted_scores = np.take_along_axis(found.scores, np.argsort(found.indices, axis=1), axis=1)
    np.put_along_axis(scores, places, sorted_scores, axis=1)
    return scores


def _others(own: NDArray[np.int64] | None, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether candidates are to be kept: all but each query's own row, or the last where that is not among them."""
    if own is None:
        return np.ones(ids.shape, bool)
    stays: NDArray[np.bool_] = ids != own[:, None]
    stays[stays.all(axis=1), -1] = False
    return stays
