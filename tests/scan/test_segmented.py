"""Rows in several places: searched as one corpus, and found as in one matrix, wherever they lie."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from coded import floats, rows_of

from embcodec import Embeddings, compile_metric, prepare, search
from embcodec._native import search as native
from embcodec._native.segments import Segment, Segments
from embcodec.index.rows import Part
from embcodec.scan import Place, Segmented

KINDS = ("float", "int8", "int8/per-vector", "uint8/ranges", "ubinary", "b1", "b2", "budget")
EDGES = (0, 1, 3, 67, 131, 132, 700, 900, 1000)  # of places: of one row, of whole and of broken blocks
X = floats(1000)
X[500:700] = X[:200]  # ties between places
Q = floats(70, seed=1)


def in_places(rows, ids, gone=()):
    """Rows in places of their own, those with ids in `gone` removed, in an order that is not that of the ids."""
    places = []
    for start, stop in pairwise(EDGES):
        live = ~np.isin(ids[start:stop], gone)
        places.append(Place(Part(rows[np.arange(start, stop)]), ids[start:stop], None if live.all() else live))
    return Segmented(places[::-1])


def same(found, expected, ids):
    np.testing.assert_array_equal(found.indices, ids[expected.indices])
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_as_in_one_matrix(isa: str, kind: str) -> None:
    rows, ids = rows_of(X, kind), np.arange(1000) * 3 + 5
    segmented = in_places(rows, ids)
    for metric, k, n_queries in (("cosine", 10, 1), ("l2", 300, 5), ("dot", 7, 70), ("cosine", 1000, 2)):
        expected = search(Q[:n_queries], rows, k, metric=metric, threads=1)
        for threads in (1, 3):
            same(segmented.best(prepare(Q[:n_queries], rows, metric=metric), k, None, threads), expected, ids)


@pytest.mark.parametrize("kind", ["float", "int8", "ubinary", "b2"])
@pytest.mark.parametrize("ordered", [True, False])
def test_masks_and_removed_rows(kind: str, ordered: bool) -> None:
    rows = rows_of(X, kind)
    ids = np.arange(1000) if ordered else np.random.default_rng(0).permutation(1000)
    for start, stop in pairwise(EDGES):  # ascending within a place
        ids[start:stop] = np.sort(ids[start:stop])
    by_id, gone = np.argsort(ids), np.array([*range(0, 900, 7), 999])
    segmented = in_places(rows, ids, gone)
    there = np.setdiff1d(np.arange(1000), gone)
    assert len(segmented) == len(there)
    np.testing.assert_array_equal(segmented.positions_of(np.arange(-1, 1002)) >= 0, np.isin(np.arange(-1, 1002), there))
    asked, k = prepare(Q, rows), 60
    for mask in (None, there, there[::2], there[5:900:40], there[:0]):
        chosen = there if mask is None else mask
        expected = search(Q, rows[by_id], k, mask=chosen)
        same(segmented.best(asked, k, mask, 2), expected, np.arange(1000))
    candidates = np.random.default_rng(1).integers(-1, 1003, (70, 90))
    found = segmented.rescored(asked, candidates, k, 1)
    for query in (0, 69):
        kept = np.intersect1d(candidates[query], there)
        expected = search(Q[query : query + 1], rows[by_id], k, mask=kept)
        count = expected.indices.shape[1]
        np.testing.assert_array_equal(found.indices[query, :count], expected.indices[0])
        np.testing.assert_array_equal(found.scores[query, :count], expected.scores[0])
        assert (found.indices[query, count:] == -1).all()


@pytest.mark.parametrize("kind", ["float", "ubinary", "b2"])
def test_ties_that_are_longer_than_what_is_looked_at(kind: str) -> None:
    x = X.copy()
    x[300:900] = x[0]
    rows, ids = rows_of(x, kind), np.random.default_rng(0).permutation(1000)
    for start, stop in pairwise(EDGES):
        ids[start:stop] = np.sort(ids[start:stop])
    tied = np.sort(ids[[0, *range(300, 900)]])
    for k in (1, 5, 50):
        found = in_places(rows, ids).best(prepare(x[:1], rows), k, None, 1)
        np.testing.assert_array_equal(found.indices[0], tied[:k])
        gone = tied[::3]
        some, there = in_places(rows, ids, gone), np.setdiff1d(np.arange(1000), gone)
        for mask, left in ((None, np.setdiff1d(tied, gone)), (np.setdiff1d(there, tied[1::3]), tied[2::3])):
            np.testing.assert_array_equal(some.best(prepare(x[:1], rows), k, mask, 1).indices[0], left[:k])


@pytest.mark.parametrize("metric", ["hamming", "jaccard", "user"])
def test_other_metrics(metric: str) -> None:
    bits = rows_of(X, "binary")
    compared = metric if metric != "user" else compile_metric(differing, output_dtype="binary", lower_is_better=True)
    ids = np.arange(1000)
    segmented = in_places(bits, ids)
    expected = search(bits[:9], bits, 20, metric=compared)
    same(segmented.best(prepare(bits[:9], bits, metric=compared), 20, None, 1), expected, ids)


def differing(a, b):
    total = 0
    for i in range(len(a)):
        total += a[i] != b[i]
    return total


def test_more_rows_than_an_entry_can_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_MOST_ROWS", 256)
    for kind in ("float", "int8", "b2"):
        rows, ids = rows_of(X, kind), np.arange(1000)
        expected = search(Q, rows, 300)
        same(in_places(rows, ids).best(prepare(Q, rows), 300, None, 1), expected, ids)
        chosen = ids[::3]
        same(in_places(rows, ids).best(prepare(Q, rows), 9, chosen, 1), search(Q, rows, 9, mask=chosen), ids)


def test_a_row_without_a_score_is_named_by_its_id() -> None:
    x = X.copy()
    x[800, 3] = np.inf
    segmented = in_places(Embeddings(x), np.arange(1000) * 3)
    with pytest.raises(ValueError, match="the row of id 2400 has NaN or infinite"):
        segmented.best(prepare(Q, Embeddings(x)), 3, None, 2)


def test_positions_are_found_among_ids_that_go_to_and_fro() -> None:
    segments = Segments([Segment(np.zeros((3, 1)), np.array(ids)) for ids in ([1, 5, 9], [2, 3, 8], [0, 70, 71])])
    assert not segments.are_ascending
    assert segments.positions_of(np.array([[9, 2], [71, 4]])).tolist() == [[2, 64], [130, -1]]
    assert segments.ids_of(np.array([2, 64, 130, -1])).tolist() == [9, 2, 71, -1]


@pytest.mark.parametrize("width", [33, 64])
@pytest.mark.parametrize("wanted", ["all", "masked", "removed"])
def test_blocks_of_bits_that_straddle_places(isa: str, width: int, wanted: str) -> None:
    """Many queries meet 256 rows of bits at a time, of as many places as that takes."""
    rng = np.random.default_rng(width)
    sizes = [1, 64, 63, 5, 700, 10, 260, 250, 130, 8, 1, 1, 300, 512, 776, 65, *rng.integers(1, 130, 40).tolist(), 7]
    ends = np.cumsum(sizes)
    rows = Embeddings(rng.integers(0, 256, (int(ends[-1]), width), dtype=np.uint8), "ubinary")
    rows.values[2000:2600] = rows.values[:600]  # ties
    near = [np.zeros((1, width), np.uint8), rows.values[ends[:15]], rows.values[:25] ^ 1]  # zeros: as between places
    asked = Embeddings(np.concatenate(near), "ubinary")
    ids, live = np.arange(len(rows)) * 2 + 1, np.ones(len(rows), np.bool_)
    if wanted == "removed":
        live = rng.random(len(rows)) < 0.7
        live[ends - 1] = True
    parts = list(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True))
    places = [Place(Part(rows[np.arange(a, b)]), ids[a:b], None if live[a:b].all() else live[a:b]) for a, b in parts]
    assert len(rows) > 4096  # as planes of bits, where a tier has them
    mask = np.flatnonzero(rng.random(len(rows)) < 0.5) if wanted == "masked" else np.flatnonzero(live)
    expected = search(asked, rows, 9, metric="hamming", mask=mask, threads=1)
    for threads in (1, 3):
        chosen = ids[mask] if wanted == "masked" else None
        found = Segmented(places).best(prepare(asked, rows, metric="hamming"), 9, chosen, threads)
        same(found, expected, ids)
