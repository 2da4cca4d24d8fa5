"""Results of parts, merged: those of one search over all rows, however the rows were split."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from coded import floats, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from embcodec import (
    CodeMismatchError,
    Embeddings,
    LowBitQuantizer,
    SearchResult,
    concat,
    merge_topk,
    prepare,
    quantize,
    search,
)
from embcodec.scan import named

KINDS = ("float", "int8", "int8/per-vector", "uint8/ranges", "binary", "ubinary", "b1", "b2", "b4", "budget")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_parts_are_the_whole(kind: str, metric: str) -> None:
    x, q = floats(230), floats(6, seed=1) * np.float32(3)
    x[100:160] = x[40:100]  # ties across parts
    rows = rows_of(x, kind)
    expected = search(q, rows, 90, metric=metric)
    asked = pickle.loads(pickle.dumps(prepare(q, rows, metric=metric)))
    edges = [0, 1, 40, 41, 150, 230]
    parts = []
    for start, stop in pairwise(edges):
        found = search(asked, rows[start:stop], 90)
        parts.append(SearchResult(found.scores, found.indices + start))
    for order in (parts, parts[::-1], [merge_topk(parts[:2], 90, metric=metric), *parts[2:]]):
        merged = merge_topk(order, 90, metric=metric)
        np.testing.assert_array_equal(merged.indices, expected.indices)
        np.testing.assert_array_equal(merged.scores, expected.scores)


def test_scores_that_become_equal_at_their_last_rounding_are_ties() -> None:
    """Squared distances of low-bit codes are less fine than the cosines that they are made of."""
    x, q = floats(20_000, 16), floats(10, 16, seed=1) * np.float32(1000)
    rows = rows_of(x, "b4")
    asked = prepare(q, rows, metric="l2")
    parts = [search(asked, rows[start : start + 1000], 300) for start in range(0, 20_000, 1000)]
    parts = [SearchResult(part.scores, part.indices + 1000 * i) for i, part in enumerate(parts)]
    merged, whole = merge_topk(parts, 300, metric="l2"), search(q, rows, 300, metric="l2")
    np.testing.assert_array_equal(merged.indices, whole.indices)
    ties = np.diff(whole.scores, axis=1) == 0
    assert ties.sum() > 20
    assert (np.diff(whole.indices, axis=1)[ties] > 0).all()
    for k in (1, 3, 40):  # as far away as that, all rows are
        assert (search(q * np.float32(1e6), rows[:3000], k, metric="l2").indices == np.arange(k)).all()


@pytest.mark.parametrize("metric", ["hamming", "jaccard"])
def test_bits(metric: str) -> None:
    bits = quantize(floats(300), "binary")
    asked = prepare(bits[:5], bits, metric=metric)
    parts = [search(asked, bits[a : a + 75], 10) for a in range(0, 300, 75)]
    parts = [SearchResult(part.scores, part.indices + 75 * i) for i, part in enumerate(parts)]
    merged, expected = merge_topk(iter(parts), 10, metric=metric), search(bits[:5], bits, 10, metric=metric)
    np.testing.assert_array_equal(merged.indices, expected.indices)
    np.testing.assert_array_equal(merged.scores, expected.scores)
    assert merged.scores.dtype == expected.scores.dtype


@settings(max_examples=60, deadline=None)
@given(data=st.data(), lower=st.booleans(), integer=st.booleans())
def test_against_a_sort(data: st.DataObject, lower: bool, integer: bool) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    n_queries, k = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 9))
    parts, everything = [], [[] for _ in range(n_queries)]
    n_parts = data.draw(st.sampled_from([1, 2, 3, 6, 8, 9, 17, 40]))  # many have a bound
    for part in range(n_parts):
        width = data.draw(st.integers(0, 7))
        scores = np.sort(rng.integers(-2, 3, (n_queries, width)), axis=1)
        scores = (scores if lower else scores[:, ::-1]).astype(np.int32 if integer else np.float32)
        ids = rng.permuted(np.tile(np.arange(width) * n_parts + part, (n_queries, 1)), axis=1)
        missing = data.draw(st.integers(0, width))
        ids[:, width - missing :] = -1
        scores[:, width - missing :] = np.iinfo(np.int32).min if integer else np.nan  # as if it was the best
        if not integer:
            scores[(scores == 0) & (rng.random(scores.shape) < 0.5)] = -0.0
        for q in range(n_queries):
            pairs = zip(scores[q, : width - missing], ids[q, : width - missing], strict=True)
            everything[q].extend((float(s) if lower else -float(s), int(i)) for s, i in pairs)
        parts.append((scores, ids))
    merged = merge_topk(parts, k, metric="hamming" if lower else "cosine")
    assert merged.indices.shape == (n_queries, min(k, sum(part[0].shape[1] for part in parts)))
    for q in range(n_queries):
        found = [i for i in merged.indices[q].tolist() if i >= 0]
        assert found == [i for _, i in sorted(everything[q])][:k]
        assert (merged.indices[q][len(found) :] == -1).all()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("n_parts", [3, 9, 100])
def test_a_score_that_is_no_number_is_refused(n_parts: int, metric: str) -> None:
    """At whichever part's beginning it is, though results of others are better or worse."""
    for bad in range(n_parts):
        scores = np.full((n_parts, 2, 1), 0.5, np.float32)
        scores[bad, 1] = np.nan
        ids = np.arange(2 * n_parts).reshape(n_parts, 2, 1)
        with pytest.raises(ValueError, match="query 1 has a score that is not a number"):
            merge_topk(list(zip(scores, ids, strict=True)), 2, metric=metric)
        ids[bad, 1] = -1  # where there is no result, it is none
        merged = merge_topk(list(zip(scores, ids, strict=True)), 2, metric=metric)
        assert merged.indices[1].tolist() == [2 * part + 1 for part in range(n_parts) if part != bad][:2]


def test_infinite_scores_are_scores() -> None:
    scores = np.array([[-np.inf], [np.inf], [0.0], [-np.inf]] * 5 + [[np.nan]] * 300, np.float32)
    parts = [(row, [number if number < 20 else -1]) for number, row in enumerate(scores)]
    assert merge_topk(parts, 12, metric="l2").indices.tolist() == [0, 3, 4, 7, 8, 11, 12, 15, 16, 19, 2, 6]
    assert merge_topk(parts, 12, metric="dot").indices.tolist() == [1, 5, 9, 13, 17, 2, 6, 10, 14, 18, 0, 3]


def test_parts_that_are_made_in_the_same_place() -> None:
    x = floats(90)
    q, scores, ids = floats(3, seed=1), np.empty((3, 4), np.float32), np.empty((3, 4), np.int64)

    def parts() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, 90, 9):
            scores[:], ids[:] = search(q, x[start : start + 9], 4)
            ids[:] += start
            yield scores, ids

    expected = search(q, x, 4)
    merged = merge_topk(parts(), 4, metric="cosine")
    np.testing.assert_array_equal(merged.indices, expected.indices)
    np.testing.assert_array_equal(merged.scores, expected.scores)


def test_parts_that_lie_otherwise_than_those_before() -> None:
    x, asked = floats(60), floats(4, seed=1)
    found = [search(asked, x[start : start + 10], 4) for start in range(0, 60, 10)]
    plain = [(part.scores, part.indices + 10 * number) for number, part in enumerate(found)]
    s, i = zip(*plain, strict=True)
    apart = np.full((4, 8), 77)
    apart[:, ::2] = i[5]
    others = [
        (np.asfortranarray(s[1]), i[1]),
        (s[2], np.asfortranarray(i[2])),
        (s[3], i[3].astype(np.int32)),
        [s[4], i[4].tolist()],
        (s[5], apart[:, ::2]),
    ]
    merged, expected = merge_topk([plain[0], *others], 7, metric="cosine"), search(asked, x, 7)
    np.testing.assert_array_equal(merged.indices, expected.indices)
    np.testing.assert_array_equal(merged.scores, expected.scores)


def test_one_vector_and_refusals() -> None:
    x = floats(20)
    one = search(x[3], x, 4)
    merged = merge_topk([one], 2, metric="cosine")
    assert merged.indices.tolist() == one.indices[:2].tolist()
    two = search(x[:2], x, 4)
    for parts, words in (
        ([], "no parts"),
        ([one, two], "part 1 has results of shape"),
        ([two, (two.scores.astype(np.int32), two.indices)], "part 1 has scores of int32"),
        ([(two.scores.astype(float), two.indices)], "those of part 0 are float64"),
        ([(two.scores, two.indices[:, :1])], "ids of shape"),
        ([two, (two.scores * np.nan, two.indices)], "query 0 has a score that is not a number"),
    ):
        with pytest.raises(ValueError, match=words):
            merge_topk(parts, 2, metric="cosine")
    with pytest.raises(ValueError, match="cosine"):
        merge_topk([two], 2, metric="cosin")


def test_prepared_queries_know_what_they_are_for() -> None:
    x = floats(20)
    codes = quantize(x, "int8")
    asked = prepare(x[:2], codes)
    assert repr(asked) == "PreparedQueries(2, cosine, for int8 rows of 24 dimensions)"
    assert len(asked) == 2
    with pytest.raises(CodeMismatchError, match="do not meet"):
        search(asked, quantize(x, "uint8"), 1)
    with pytest.raises(CodeMismatchError, match="prepared for 'cosine', not 'dot'"):
        search(asked, codes, 1, metric="dot")
    single = search(prepare(x[0], codes), codes, 3)
    assert single.indices.tolist() == search(x[0], codes, 3).indices.tolist()


def test_prepared_low_bit_queries_leave_the_scheme_behind() -> None:
    x = floats(400, 128)
    codes = LowBitQuantizer(1, rotation="learned").fit(x).encode(x)
    assert 4 * len(pickle.dumps(prepare(x[:1], codes))) < len(pickle.dumps(codes[:0]))


def test_concat() -> None:
    x = floats(30)
    for kind in KINDS:
        rows = rows_of(x, kind)
        assert concat([rows[:7], rows[7:7], rows[7:]]) == rows
    assert concat([x[:3], Embeddings(x[3:])]) == Embeddings(x)
    with pytest.raises(CodeMismatchError, match="part 1"):
        concat([quantize(x, "int8"), quantize(x, "uint8")])
    with pytest.raises(ValueError, match="no parts"):
        concat([])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_bytes", [1 << 25, 700])
def test_ties_go_by_id_where_ids_are_given(kind: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "_BLOCK_BYTES", block_bytes)
    x, q = floats(230), floats(6, seed=1)
    x[100:200] = x[:100]
    rows = rows_of(x, kind)
    ids = np.random.default_rng(3).permutation(230) * 5
    by_id = np.argsort(ids)
    mask = np.random.default_rng(4).random(230) < 0.7
    for allowed, chosen in ((None, by_id), (mask, by_id[mask[by_id]]), (np.flatnonzero(mask)[:9], None)):
        found = search(q, rows, 70, ids=ids, mask=allowed)
        if chosen is None:
            chosen = by_id[np.isin(by_id, allowed)]
        expected = search(q, rows[chosen], 70)
        np.testing.assert_array_equal(found.indices, ids[chosen][expected.indices])
        np.testing.assert_array_equal(found.scores, expected.scores)
    ascending = search(prepare(q, rows), rows, 70, ids=np.arange(230) * 5)
    np.testing.assert_array_equal(ascending.indices, search(q, rows, 70).indices * 5)
    assert search(q[0], rows, 3, ids=ids).indices.tolist() == search(q[:1], rows, 3, ids=ids).indices[0].tolist()


def test_ids_are_judged() -> None:
    x = floats(4)
    for ids, words in (([1, 2, 3], "shape"), ([1, 2, 3, 3], "given twice"), ([-1, 0, 1, 2], "must be 0")):
        with pytest.raises(ValueError, match=words):
            search(x, x, 1, ids=ids)
    with pytest.raises(TypeError, match="look the result's indices up in the names"):
        search(x, x, 1, ids=["a", "b", "c", "d"])
    told: list[tuple[int, int]] = []
    assert search(x, x, 1, ids=[9, 8, 7, 6], progress=lambda *a: told.append(a)).indices[:, 0].tolist() == [9, 8, 7, 6]
    assert told == [(4, 4)]
    assert search(x, x[:0], 1, ids=[]).indices.shape == (4, 0)


@pytest.mark.parametrize("kind", ["float", "int8", "ubinary"])
@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_prepared_queries_do_not_change_with_the_callers_array(kind: Any, metric: Any) -> None:
    rows = quantize(floats(50), kind)
    queries = floats(4, seed=1)
    asked = prepare(queries, rows, metric=metric)
    expected = search(queries.copy(), rows, 5, metric=metric)
    queries[:] = 3
    found = search(asked, rows, 5)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
