"""Parts of a corpus searched one after another, each within reach of what those before have found."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from coded import floats, rows_of

from embcodec import Embeddings, merge_topk, prepare, search
from embcodec.index.rows import Part
from embcodec.scan import Place, Reach, SearchResult, Segmented

KINDS = ("float", "int8", "int8/per-vector", "uint8/ranges", "ubinary", "b1", "b2", "budget")
EDGES = (0, 500, 503, 700, 900, 1300)  # one has fewer rows than are wanted
X = floats(1300)
X[500:700] = X[:200]  # ties between parts
Q = floats(40, seed=1) * np.float32(3)
Q[:20] = X[np.arange(0, 1300, 65)] + np.float32(0.01)


def part_of(rows: Any, start: int, stop: int) -> Segmented:
    """Rows of numbers start .. stop - 1, in two places."""
    middle = (start + stop) // 2
    ends = [(a, b) for a, b in ((start, middle), (middle, stop)) if a < b]
    return Segmented([Place(Part(rows[a:b]), np.arange(a, b), None) for a, b in ends])


def in_parts(rows: Any, asked: Any, k: int, threads: int, edges: tuple[int, ...] = EDGES) -> list[SearchResult]:
    reach = Reach(k)
    return [part_of(rows, a, b).best(asked, k, None, threads, reach) for a, b in pairwise(edges)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_are_the_whole(isa: str, kind: str) -> None:
    rows = rows_of(X, kind)
    for metric, k, n_queries in (("cosine", 10, 40), ("l2", 6, 1), ("dot", 150, 5), ("l2", 10, 40)):
        asked, expected = prepare(Q[:n_queries], rows, metric=metric), search(Q[:n_queries], rows, k, metric=metric)
        for threads in (1, 2):
            parts = in_parts(rows, asked, k, threads)
            found = merge_topk(parts, k, metric=metric)
            np.testing.assert_array_equal(found.indices, expected.indices)
            np.testing.assert_array_equal(found.scores, expected.scores)
        left_out = np.mean([(part.indices < 0).mean() for part in parts[1:]])
        assert left_out > 0.2 or metric == "l2", "what is out of reach is not looked for"


def test_rows_as_far_as_the_last_are_found(isa: str) -> None:
    """Few bits: nearly all are ties, which the lowest rows win, in whatever part they are."""
    rng = np.random.default_rng(0)
    rows = Embeddings(rng.integers(0, 256, (6000, 2), dtype=np.uint8), "ubinary")
    asked = prepare(rows[:130], rows, metric="hamming")
    for edges in ((0, 4200, 4300, 6000), (0, 40, 5000, 6000)):
        whole = search(asked, rows, 9)
        parts = [part_of(rows, a, b) for a, b in pairwise(edges)]
        for order in (parts, parts[::-1], parts[1:] + parts[:1]):
            reach = Reach(9)
            found = merge_topk([part.best(asked, 9, None, 2, reach) for part in order], 9, metric="hamming")
            np.testing.assert_array_equal(found.indices, whole.indices)
            np.testing.assert_array_equal(found.scores, whole.scores)
            assert reach.costs is not None
            assert (reach.costs >= whole.scores[:, -1]).all(), "a place without a row tells nothing"


@pytest.mark.parametrize("scale", [1000, 1e-9])
def test_scores_that_become_equal_at_their_last_rounding_stay_in_reach(scale: float) -> None:
    """Squared distances of low-bit codes are less fine than the cosines that they are made of: to 0 all are 1."""
    x, q = floats(1024, 16), floats(10, 16, seed=1) * np.float32(scale)  # rows enough that places have none to spare
    rows = rows_of(x, "b4")
    asked, whole, reach = prepare(q, rows, metric="l2"), search(q, rows, 50, metric="l2"), Reach(50)
    parts = [part_of(rows, a, b).best(asked, 50, None, 1, reach) for a, b in ((512, 1024), (0, 512))]
    merged = merge_topk(parts, 50, metric="l2")
    np.testing.assert_array_equal(merged.indices, whole.indices)
    np.testing.assert_array_equal(merged.scores, whole.scores)


def test_masks_and_removed_rows() -> None:
    rows, rng = rows_of(X, "ubinary"), np.random.default_rng(0)
    live, asked = rng.random(1300) < 0.7, prepare(Q, rows)
    for mask in (None, np.flatnonzero(rng.random(1300) < 0.5), np.arange(490, 510)):
        reach, parts = Reach(10), []
        for a, b in pairwise(EDGES):
            part = Segmented([Place(Part(rows[a:b]), np.arange(a, b), live[a:b])])
            parts.append(part.best(asked, 10, mask, 1, reach))
        counts = live if mask is None else live & np.isin(np.arange(1300), mask)
        expected = search(asked, rows, 10, mask=counts)
        found = merge_topk(parts, 10, metric=asked.metric)
        np.testing.assert_array_equal(found.indices, expected.indices)


def test_only_what_the_k_best_cost_is_told() -> None:
    reach = Reach(3)
    rows = rows_of(X, "float")
    asked = prepare(Q, rows)
    part_of(rows, 0, 2).best(asked, 3, None, 1, reach)
    assert reach.costs is None  # two rows do not say how far a third one is
    first = part_of(rows, 0, 500).best(asked, 3, None, 1, reach)
    np.testing.assert_array_equal(reach.costs, -first.scores[:, -1])
    part_of(rows, 600, 900).best(asked, 3, None, 1, reach)
    assert (reach.costs <= -first.scores[:, -1]).all()
    for costs, known, told in ((-9, True, -9), (-7, True, -9), (-11, False, -9)):
        reach.lower(np.full(40, costs, np.float32), np.full(40, known))
        assert (reach.costs == told).all()
