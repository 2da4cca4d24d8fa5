"""search, range_search and rescore against a float64 oracle, on every tier, for every legal pair."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import metric_scores, values_of
from rows import make

import embcodec
from embcodec import CodeMismatchError, Embeddings, quantize, range_search, rescore, search
from embcodec._native import core
from embcodec.scan.plan import plan

NUMBERS = ("float", "int8", "uint8")
BITS = ("binary", "ubinary")
DISTANCES = ("l2", "hamming", "jaccard")


def bound(queries: Any, corpus: Embeddings, metric: str, precision: str) -> np.ndarray:
    """The stated error of every score: rounding of the query, then float32 roundings."""
    q, x = values_of(queries), values_of(corpus)
    asymmetric = precision == "int8" and queries.output_dtype is not corpus.output_dtype
    n = corpus.dimension
    a, centre = 1.0, 0.0
    codes = np.abs(x)
    if corpus.scale is not None:
        steps, _ = (v.astype(np.float64) for v in corpus.scale.affine(corpus.output_dtype, n))
        a = steps
        centre = 128.0 if corpus.output_dtype == "uint8" else 0.0
        codes = np.abs(corpus.values.astype(np.float64) - centre)
    t = np.ones(len(x))
    if corpus.scale and corpus.scale.kind == "per-vector":
        t = corpus.scale.values.astype(np.float64)
    error = np.zeros((len(q), len(x)))
    if asymmetric and corpus.output_dtype in BITS:
        padded = np.zeros((len(q), -(-n // 4) * 4))
        padded[:, :n] = np.abs(q)
        error += (padded.reshape(len(q), -1, 4).sum(2).max(1) / 127 / 2 * -(-n // 4))[:, None]
    elif asymmetric:
        error += (np.abs(q * a).max(1) / 254)[:, None] * codes.sum(1)[None] * t
    scale = np.abs(q) @ np.abs(x).T + np.abs(q * a) @ codes.T * t + (np.abs(q).sum(1) * 1.0)[:, None] * t.max()
    if metric == "l2":
        error, scale = 2 * error, 2 * scale + (q**2).sum(1)[:, None] + (x**2).sum(1)
    error = error + (min(n, 128) + n / 128 + 8) * 2.0**-24 * scale
    if metric == "cosine":
        lengths = np.sqrt((q**2).sum(1))[:, None]
        if asymmetric and corpus.output_dtype in BITS:
            error = 2 * error
        error = error / np.maximum(lengths * np.sqrt((x**2).sum(1)), 1e-30)
        if asymmetric and corpus.scale and corpus.scale.kind != "ranges":  # of the row and the rounded query
            largest = np.abs(q).max(1)[:, None]
            rounded = np.rint(q * 127 / np.maximum(largest, 1e-30)) * largest / 127
            both = lengths + np.sqrt((rounded**2).sum(1))[:, None]
            error = largest / 127 * np.sqrt(n) / np.maximum(both, 1e-30) + 0 * error
    return error + 1e-6 * (metric in ("cosine", "jaccard"))


def check(queries: Embeddings, corpus: Embeddings, k: int, metric: str, precision: str = "int8", **kw: Any) -> None:
    result = search(queries, corpus, k, metric=metric, query_precision=precision, **kw)
    exact = metric_scores(queries, corpus, metric)
    k = min(k, len(corpus))
    assert result.scores.shape == result.indices.shape == (len(queries), k)
    assert result.scores.dtype == (np.int32 if metric == "hamming" else np.float32)
    assert result.indices.dtype == np.int64
    sign = 1.0 if metric in DISTANCES else -1.0
    if metric == "hamming":
        best = np.argsort(exact, axis=1, kind="stable")[:, :k]
        assert np.array_equal(result.indices, best)
        assert np.array_equal(result.scores, np.take_along_axis(exact, best, 1))
        return
    allowed = bound(queries, corpus, metric, precision)
    at = np.take_along_axis(exact, result.indices, 1)
    assert (np.abs(result.scores - at) <= np.take_along_axis(allowed, result.indices, 1)).all()
    costs = sign * result.scores
    assert (np.diff(costs, axis=1) >= 0).all()
    ties = np.diff(costs, axis=1) == 0
    assert (np.diff(result.indices, axis=1)[ties] > 0).all()
    for q in range(len(queries)):
        assert len(set(result.indices[q])) == k
        if k and k < len(corpus):  # nothing left out is better by more than the bound
            left = np.setdiff1d(np.arange(len(corpus)), result.indices[q])
            worst = costs[q, -1]
            assert (sign * exact[q, left] + allowed[q, left] >= worst).all()


@each("dtype", ["int8", "uint8"])
@each("scale", ["unit", "per-vector"])
@each("dimension", [1, 2, 3, 16, 65, 384])
def test_a_cosine_with_codes_is_that_of_two_vectors(isa: str, dtype: str, scale: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    x = rng.standard_normal((300, dimension)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    corpus = quantize(x, dtype, scale=scale)
    for queries in (corpus.to_float(), x, x * np.float32(1e-20), np.where(rng.random(x.shape) < 0.1, x * 30, x)):
        rounded = plan(Embeddings(queries), corpus, "cosine", "int8").queries.view(np.int8).astype(np.float64)
        largest = np.abs(queries).max(1, keepdims=True).astype(np.float64)
        assert np.abs(rounded - queries / largest * 127).max() < 0.5001
        rounded /= np.linalg.norm(rounded, axis=1, keepdims=True)
        rows = corpus.to_float().astype(np.float64)
        cosines = rounded @ (rows / np.linalg.norm(rows, axis=1, keepdims=True)).T
        found = search(queries, corpus, 300, metric="cosine")
        want = np.take_along_axis(cosines, found.indices, 1)
        assert np.abs(found.scores - want).max() < 1e-6
        assert np.abs(found.scores).max() <= 1 + 3e-7


def test_the_nearest_row_is_scored_more_closely_than_its_query_is_rounded() -> None:
    x = np.random.default_rng(1).standard_normal((500, 384)).astype(np.float32)
    corpus = quantize(x / np.linalg.norm(x, axis=1, keepdims=True), "int8")
    assert np.abs(search(corpus.to_float(), corpus, 1).scores - 1).max() < 5e-5


@pytest.mark.parametrize("dimension", [4, 7, 12, 100])
def test_a_cosine_with_bits_does_not_pass_1(isa: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    signs = rng.choice(np.float32([-1, 1]), (200, dimension))
    queries = (signs * rng.uniform(1, 1.02, signs.shape)).astype(np.float32)
    for dtype in ("ubinary", "binary"):
        for corpus in (quantize(queries, dtype), quantize(queries, dtype, bit_order="lsb")):
            found = search(queries, corpus, 1, metric="cosine")
            assert found.scores.max() <= 1 + 3e-7
            assert found.scores.min() > 0.99


PAIRS = [
    *((dtype, dtype, metric, "unit") for dtype in NUMBERS for metric in ("cosine", "dot", "l2")),
    *((dtype, dtype, metric, "per-vector") for dtype in ("int8", "uint8") for metric in ("cosine", "dot", "l2")),
    *((dtype, dtype, metric, "ranges") for dtype in ("int8", "uint8") for metric in ("cosine", "dot", "l2")),
    *(
        ("float", dtype, metric, scale)
        for dtype in ("int8", "uint8")
        for metric in ("cosine", "dot", "l2")
        for scale in ("unit", "per-vector", "ranges")
    ),
    *(("float", dtype, metric, "unit") for dtype in BITS for metric in ("cosine", "dot", "l2")),
    *((d, d, metric, "unit") for d in BITS for metric in ("hamming", "jaccard", "cosine", "dot", "l2")),
]


@each("ours, theirs, metric, scale", PAIRS)
def test_every_legal_pair(isa: str, ours: str, theirs: str, metric: str, scale: str) -> None:
    rng = np.random.default_rng(1)
    corpus = make(rng, 333, 67, theirs, scale)
    for n_queries in (1, 5):
        queries = make(rng, n_queries, 67, ours, scale)
        for precision in ("int8", "float32"):
            check(queries, corpus, 11, metric, precision)


@pytest.mark.parametrize("bit_order", ["msb", "lsb"])
@pytest.mark.parametrize("signed_bytes", ["offset", "twos-complement"])
@pytest.mark.parametrize("dtype", BITS)
def test_bit_orders(dtype: str, signed_bytes: str, bit_order: str) -> None:
    rng = np.random.default_rng(2)
    orders = {"signed_bytes": signed_bytes, "bit_order": bit_order}
    corpus = make(rng, 100, 61, dtype, **orders)
    for precision in ("int8", "float32"):
        check(make(rng, 3, 61, "float"), corpus, 7, "dot", precision)
    check(make(rng, 3, 61, dtype, **orders), corpus, 7, "jaccard")


@each("dimension", [1, 7, 8, 9, 63, 64, 65, 100, 200, 257, 520, 1000])
@each("theirs", ["float", "int8", "ubinary"])
def test_dimensions(isa: str, theirs: str, dimension: int) -> None:
    rng = np.random.default_rng(3)
    corpus = make(rng, 70, dimension, theirs)
    for n_queries in (1, 4, 26):
        check(make(rng, n_queries, dimension, "float"), corpus, 5, "dot")
        if theirs == "ubinary":
            check(make(rng, n_queries, dimension, theirs), corpus, 5, "hamming")


@pytest.mark.parametrize("metric", ["hamming", "dot"])
def test_result_is_the_same_however_it_is_computed(metric: str) -> None:
    rng = np.random.default_rng(4)
    dtype = "ubinary" if metric == "hamming" else "uint8"
    corpus = make(rng, 3000, 24, dtype)  # few dimensions: many ties
    queries = make(rng, 40, 24, dtype if metric == "hamming" else "float")
    reference = search(queries, corpus, 50, metric=metric, threads=1)
    assert len(np.unique(reference.scores[0])) < 50 or metric == "dot"
    for tier in core.available_isas():
        with core.forced_isa(tier):
            for threads in (1, 3, 8):
                result = search(queries, corpus, 50, metric=metric, threads=threads)
                assert np.array_equal(result.indices, reference.indices), (tier, threads)
                assert np.array_equal(result.scores, reference.scores)
            one = search(queries[7], corpus, 50, metric=metric)
            assert np.array_equal(one.indices[0], reference.indices[7])
            assert np.array_equal(one.scores[0], reference.scores[7])


@settings(max_examples=60)
@given(st.data())
def test_hamming_of_any_shape(data: st.DataObject) -> None:
    n, nq = data.draw(st.integers(0, 700)), data.draw(st.integers(0, 60))
    dimension, k = data.draw(st.integers(1, 40)), data.draw(st.integers(0, 800))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    corpus, queries = make(rng, n, dimension, "ubinary"), make(rng, nq, dimension, "ubinary")
    mask = data.draw(st.sampled_from([None, 0.02, 0.5, 0.97]))
    exact = metric_scores(queries, corpus, "hamming")
    chosen = None
    rows = np.arange(n)
    if mask is not None:
        chosen = rng.random(n) < mask
        rows = np.flatnonzero(chosen)
        if data.draw(st.booleans()):
            chosen = rng.permutation(rows)
    result = search(queries, corpus, k, mask=chosen, threads=data.draw(st.integers(1, 3)))
    best = rows[np.argsort(exact[:, rows], axis=1, kind="stable")[:, :k]]
    assert np.array_equal(result.indices, best)
    assert np.array_equal(result.scores, np.take_along_axis(exact, best, 1))


def test_large_k_and_adverse_order(isa: str) -> None:
    """Every row beats all former ones: the reservoir is pruned as often as it can be."""
    x = np.arange(5000, dtype=np.float32)[:, None]
    for k in (1, 31, 33, 1000, 4999, 9000):
        result = search(np.ones((3, 1), np.float32), x, k, metric="dot")
        assert np.array_equal(result.indices, np.tile(np.arange(4999, 4999 - min(k, 5000), -1), (3, 1)))


def test_equal_rows_come_in_order(isa: str) -> None:
    x = np.ones((1000, 3), np.float32)
    for metric in ("dot", "cosine", "l2"):
        assert search(x[:4], x, 20, metric=metric).indices.tolist() == [list(range(20))] * 4
    zeros = search(np.zeros((1, 3), np.float32), x, 5)  # -0 and +0 are one score
    assert zeros.indices.tolist() == [[0, 1, 2, 3, 4]]
    assert not np.signbit(zeros.scores).any()


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_rows_of_length_0_have_no_direction_in_ranges_around_0(isa: str, dtype: str) -> None:
    x = np.random.default_rng(3).uniform(-1, 1, (40, 65)).astype(np.float32)
    x[::2] = 0
    codes = quantize(x, dtype, scale=np.abs(x).max(axis=0) * np.float32([[-1], [1]]))
    assert not codes.to_float()[::2].any()
    for precision in ("int8", "float32"):
        scores, indices = search(x[1:6:2], codes, 40, query_precision=precision)
        assert indices[:, 0].tolist() == [1, 3, 5]
        assert not scores[indices % 2 == 0].any()


def test_shapes_at_the_edges() -> None:
    x = np.eye(4, dtype=np.float32)
    assert search(x[0], x, 2).indices.shape == (2,)
    assert search(x[:0], x, 2).scores.shape == (0, 2)
    assert search(x, x[:0], 2).indices.shape == (4, 0)
    assert search(x, x, 0).indices.shape == (4, 0)
    assert search(x, x, 9).indices.shape == (4, 4)
    assert search(x, x, 3, mask=[]).indices.shape == (4, 0)
    assert search(x, x, 3, mask=np.zeros(4, bool)).indices.shape == (4, 0)
    assert search(x.tolist(), x.astype(np.float64), 1).indices[:, 0].tolist() == [0, 1, 2, 3]
    limits, scores, indices = range_search(x, x[:0], 0.5)
    assert limits.tolist() == [0] * 5
    assert scores.size == indices.size == 0


@pytest.mark.parametrize("k", [-1, 1.5, True, "3"])
def test_bad_k(k: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="k "):
        search(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), k)


def test_pairs_that_cannot_meet() -> None:
    rng = np.random.default_rng(5)
    of = {dtype: make(rng, 4, 16, dtype) for dtype in (*NUMBERS, *BITS)}
    for ours, theirs in (("binary", "ubinary"), ("int8", "uint8"), ("int8", "float"), ("ubinary", "float")):
        with pytest.raises(CodeMismatchError, match=r"use .*(\.to\(|to_float)"):
            search(of[ours], of[theirs], 1)
    with pytest.raises(CodeMismatchError, match="truncate"):
        search(make(rng, 1, 15, "float"), of["float"], 1)
    with pytest.raises(CodeMismatchError, match="scale"):
        search(make(rng, 1, 16, "int8", "ranges"), of["int8"], 1)
    with pytest.raises(CodeMismatchError, match="ubinary"):
        search(of["float"], of["ubinary"], 1, metric="hamming")
    with pytest.raises(CodeMismatchError, match="bits"):
        search(of["int8"], of["int8"], 1, metric="jaccard")
    with pytest.raises(ValueError, match="known are"):
        search(of["int8"], of["int8"], 1, metric="manhattan")
    for bare in (np.zeros((2, 16), np.int8), [[1] * 16]):
        with pytest.raises(TypeError, match="Embeddings"):
            search(bare, of["int8"], 1)
    with pytest.raises(ValueError, match="query_precision"):
        search(of["float"], of["int8"], 1, query_precision="int4")


@pytest.mark.parametrize("metric", ["dot", "cosine", "l2"])
@pytest.mark.parametrize("n_queries", [1, 8])
def test_rows_that_are_not_finite_are_refused(isa: str, metric: str, n_queries: int) -> None:
    x = np.random.default_rng(6).standard_normal((600, 20)).astype(np.float32)
    queries = x[:n_queries].copy()
    x[411, 19] = np.nan
    for threads in (1, 2):
        with pytest.raises(ValueError, match="row 411"):
            search(queries, x, 3, metric=metric, threads=threads)
    with pytest.raises(ValueError, match="row 411"):
        range_search(queries, x, 0.5, metric=metric)
    mask = np.arange(600) != 411
    assert 411 not in search(queries, x, 3, metric=metric, mask=mask).indices
    with pytest.raises(ValueError, match="query 1"):
        search(np.where(np.arange(2)[:, None] == 1, np.inf, x[:2]), x, 3)


def test_masks_that_make_no_sense() -> None:
    x = np.eye(3, dtype=np.float32)
    for mask in ([True], [[0, 1]], [0.5], [3], [-1]):
        with pytest.raises((ValueError, TypeError), match="mask"):
            search(x, x, 1, mask=mask)
    for repeating in (np.array([0, 1, 1], np.uint8), [2, 2]):
        with pytest.raises(ValueError, match=r"mask.astype\(bool\)"):
            search(x, x, 1, mask=repeating)
        with pytest.raises(ValueError, match=r"mask.astype\(bool\)"):
            range_search(x, x, 0.5, mask=repeating)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("metric", ["hamming", "dot", "l2"])
def test_range_search(isa: str, metric: str, threads: int) -> None:
    rng = np.random.default_rng(8)
    dtype = "ubinary" if metric == "hamming" else "int8"
    corpus, queries = make(rng, 2500, 32, dtype), make(rng, 30, 32, dtype)
    full = search(queries, corpus, 2500, metric=metric)
    threshold = float(np.median(full.scores))
    mask = rng.random(2500) < 0.8
    limits, scores, indices = range_search(queries, corpus, threshold, metric=metric, mask=mask, threads=threads)
    assert limits.shape == (31,)
    for q in range(30):
        inside = full.scores[q] < threshold if metric in DISTANCES else full.scores[q] > threshold
        inside &= mask[full.indices[q]]
        assert np.array_equal(indices[limits[q] : limits[q + 1]], full.indices[q][inside])
        assert np.array_equal(scores[limits[q] : limits[q + 1]], full.scores[q][inside])


def test_range_search_in_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from embcodec._native import search as native

    rng = np.random.default_rng(9)
    x = make(rng, 3000, 16, "ubinary")
    whole = range_search(x[:300], x, 8)
    monkeypatch.setattr(native, "_HITS", 1)
    steps = range_search(x[:300], x, 8)
    for a, b in zip(whole, steps, strict=True):
        assert np.array_equal(a, b)


def test_rescore(isa: str) -> None:
    rng = np.random.default_rng(10)
    corpus, queries = make(rng, 400, 50, "int8"), make(rng, 6, 50, "float")
    candidates = rng.integers(0, 400, (6, 90))
    candidates[:, 3] = -1
    exact = metric_scores(queries, corpus, "dot")
    scores, indices = rescore(queries, candidates, corpus, 10, metric="dot")
    for q in range(6):
        rows = np.unique(candidates[q][candidates[q] >= 0])
        assert np.array_equal(indices[q], rows[np.argsort(-exact[q, rows], kind="stable")[:10]])
        assert np.allclose(scores[q], exact[q, indices[q]], rtol=1e-5)
    few = rescore(queries, [[5, 5, -1]] * 6, corpus, 3)
    assert few.indices.tolist() == [[5, -1, -1]] * 6
    assert np.isnan(few.scores[:, 1:]).all()
    assert rescore(queries.values[0], [3, 1], corpus, 1).indices.shape == (1,)
    assert rescore(queries, np.empty((6, 0), int), corpus, 3).indices.shape == (6, 0)
    with pytest.raises(ValueError, match=r"candidate 400 .*query 4"):
        rescore(queries, [[3]] * 4 + [[400]] * 2, corpus, 3)


def test_a_users_metric() -> None:
    @embcodec.compile_metric(lower_is_better=True)
    def manhattan(query: Any, row: Any) -> Any:
        total = np.float32(0)
        for i in range(len(query)):
            total += abs(query[i] - row[i])
        return total

    rng = np.random.default_rng(11)
    x, q = rng.standard_normal((500, 9)).astype(np.float32), rng.standard_normal((40, 9)).astype(np.float32)
    exact = np.abs(q[:, None] - x[None]).sum(2)
    for mask in (None, np.arange(500) % 2 == 0, np.arange(0, 500, 25)):
        rows = np.arange(500) if mask is None else np.arange(500)[mask]
        result = search(q, x, 5, metric=manhattan, mask=mask)
        assert np.array_equal(result.indices, rows[np.argsort(exact[:, rows], axis=1, kind="stable")[:, :5]])
        assert np.allclose(result.scores, np.take_along_axis(exact, result.indices, 1), rtol=1e-5)
    codes = make(rng, 4, 16, "ubinary")
    with pytest.raises(CodeMismatchError, match="user's metric"):
        search(np.zeros((1, 16), np.float32), codes, 1, metric=manhattan)
    with pytest.raises(TypeError, match="cfunc"):
        search(q, x, 1, metric=lambda a, b: 0)


def _difference(query: Any, row: Any) -> Any:
    total = 0
    for i in range(len(query)):
        total += abs(query[i] - row[i])
    return total


def _difference_with_room(query: Any, row: Any) -> Any:
    total = 0
    for i in range(len(query)):
        total += abs(np.int32(query[i]) - np.int32(row[i]))
    return total


def _difference_of_arrays(query: Any, row: Any) -> Any:
    return np.abs(query - row).sum()


@pytest.mark.parametrize(
    ("dtype", "taken", "refused"),
    [("int8", _difference, _difference_of_arrays), ("uint8", _difference_with_room, _difference)],
)
def test_a_users_metric_of_bytes_is_what_python_computes_or_refused(dtype: Any, taken: Any, refused: Any) -> None:
    """Numba's difference of two uint8 is unsigned: a distance so written would rank rows in silence, and wrongly."""
    codes = make(np.random.default_rng(5), 60, 24, dtype)
    values = codes.values.astype(int)
    exact = np.abs(values[:4, None] - values[None]).sum(2)
    metric = embcodec.compile_metric(taken, output_dtype=dtype, lower_is_better=True)
    result = search(codes[:4], codes, 5, metric=metric)
    assert np.array_equal(result.indices, np.argsort(exact, axis=1, kind="stable")[:, :5])
    assert np.array_equal(result.scores, np.take_along_axis(exact, result.indices, 1))
    with pytest.raises(ValueError, match=f"'{refused.__name__}' of {dtype} elements is .* wrap around"):
        embcodec.compile_metric(refused, output_dtype=dtype, lower_is_better=True)


def test_a_users_metric_that_needs_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    monkeypatch.setitem(sys.modules, "scipy.linalg.cython_blas", None)
    monkeypatch.setattr("numba.np.linalg._blas_kinds", {}, raising=False)
    with pytest.raises(ImportError, match=r"cannot compile .* without a package: scipy .*; pip install scipy brings"):
        embcodec.compile_metric(lambda query, row: np.dot(query, row), lower_is_better=False)


def test_a_users_metric_may_ask_for_more_dimensions_than_it_is_tried_on() -> None:
    codes = make(np.random.default_rng(6), 9, 300, "uint8")
    metric = embcodec.compile_metric(lambda q, r: q[299] * r[299], output_dtype="uint8", lower_is_better=False)
    dots = codes.values[:, 299].astype(int) * codes.values[0, 299]
    assert search(codes[:1], codes, 9, metric=metric).scores[0].tolist() == sorted(dots, reverse=True)


def test_a_users_metric_says_which_scores_are_the_best() -> None:
    def distance(query: Any, row: Any) -> Any:
        return abs(query[0] - row[0])

    for options in ({}, {"lower_is_better": 1}, {"lower_is_better": "yes"}):
        with pytest.raises(TypeError, match="lower_is_better=True for a distance, lower_is_better=False for a simil"):
            embcodec.compile_metric(distance, **options)
    with pytest.raises(TypeError, match="lower_is_better=True for a distance"):
        embcodec.compile_metric(output_dtype="float")  # as a decorator too, where it is applied
    with pytest.raises(TypeError, match="not 'l1'"):
        embcodec.compile_metric("l1", lower_is_better=True)
    x = np.array([[0.0], [1.0], [5.0]], np.float32)
    compiled = embcodec.compile_metric(distance, lower_is_better=True)
    assert compiled.lower_is_better
    for lower, nearest in ((True, [0, 1, 2]), (False, [2, 1, 0])):
        metric = dataclasses.replace(compiled, lower_is_better=lower)
        assert search(x[0], x, 3, metric=metric).indices.tolist() == nearest
        assert embcodec.rescore(x[0], [0, 1, 2], x, 3, metric=metric).indices.tolist() == nearest
        assert embcodec.FlatIndex(x).search(x[0], 3, metric=metric).indices.tolist() == nearest
        beyond = embcodec.range_search(x[0], x, 1.5, metric=metric)
        assert beyond.indices.tolist() == ([0, 1] if lower else [2])
        bare = metric.function  # the numba.cfunc itself
        if lower:
            with pytest.raises(TypeError, match="set its attribute lower_is_better to True"):
                search(x[0], x, 3, metric=bare)
        bare.lower_is_better = lower
        assert search(x[0], x, 3, metric=bare).indices.tolist() == nearest


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Numba has no other way to say it
@pytest.mark.parametrize("own", [False, True])
def test_a_users_metric_that_raises_leaves_no_scores(own: bool) -> None:
    """Numba swallows what a C callback raises: the rows of that block have no score, rather than the block's before."""
    numba = pytest.importorskip("numba")

    def difference(query: Any, row: Any) -> Any:
        if row[0] == 5000:
            raise ValueError("no")
        return abs(query[0] - row[0])

    metric: Any
    if own:
        types = numba.types
        floats = types.CPointer(types.float32)
        pair = numba.njit(difference)

        @numba.cfunc(types.void(floats, types.int64, floats, types.int64, types.int64, floats, types.int64))
        def metric(queries: Any, n_queries: Any, rows: Any, n: Any, width: Any, scores: Any, stride: Any) -> None:
            all_queries, all_rows = numba.carray(queries, (n_queries, width)), numba.carray(rows, (n, width))
            for q in range(n_queries):
                for r in range(n):
                    scores[q * stride + r] = pair(all_queries[q], all_rows[r])

        metric.lower_is_better = True
    else:
        metric = embcodec.compile_metric(difference, lower_is_better=True)
    x = np.arange(10000, dtype=np.float32)[:, None]
    queries = np.array([[1.0], [2.0], [9000.0]], np.float32)
    words = "^row 5000 has no score: the metric raised an exception, which Numba prints, or returned NaN$"
    for threads in (1, 3):
        assert search(queries, x[:5000], 1, metric=metric, threads=threads).indices.tolist() == [[1], [2], [4999]]
        with pytest.raises(ValueError, match=words):
            search(queries, x, 1, metric=metric, threads=threads)
        with pytest.raises(ValueError, match=words):
            embcodec.range_search(queries, x, 3.0, metric=metric, threads=threads)
    with pytest.raises(ValueError, match="the metric raised"):
        embcodec.rescore(queries[:1], [[4999, 5000, 5001]], x, 1, metric=metric)


def test_memory_mapped_corpus_is_not_copied(tmp_path: Any) -> None:
    rng = np.random.default_rng(12)
    x = rng.standard_normal((300, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    corpus = Embeddings(mapped, "float")
    assert np.shares_memory(corpus.values, mapped)
    assert np.array_equal(search(x[:3], corpus, 4).indices, search(x[:3], x, 4).indices)


@pytest.mark.parametrize("dimension", [1, 63, 100, 129])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "float"])
def test_few_queries_score_as_many_do(isa: str, dtype: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    if dtype == "float":
        corpus, queries = (Embeddings(rng.standard_normal((n, dimension), dtype=np.float32)) for n in (75, 70))
    else:
        codes = [rng.integers(0, 256, (n, dimension), dtype=np.uint8).view(dtype) for n in (75, 70)]
        corpus, queries = (Embeddings(x, dtype) for x in codes)
    for metric in ("dot", "cosine", "l2"):
        together = search(queries, corpus, 75, metric=metric)
        for n in (1, 2, 3, 5, 8, 16, 64):
            few = search(queries[:n], corpus, 75, metric=metric)
            np.testing.assert_array_equal(few.indices, together.indices[:n])
            np.testing.assert_array_equal(few.scores, together.scores[:n])
