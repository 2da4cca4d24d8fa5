"""Rescoring that stops by error bounds: the result of full rescoring; range search of low-bit codes: that of search."""

from __future__ import annotations

import copy
import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import DATA

from embcodec import (
    BoundedResult,
    CodeMismatchError,
    Embeddings,
    FlatIndex,
    LowBitCodes,
    LowBitQuantizer,
    SearchResult,
    range_search,
    rescore,
    search,
    truncate,
)

METRICS = ("cosine", "dot", "l2")


@cache
def real_set(dimension: int = 512) -> tuple[np.ndarray, np.ndarray]:
    documents, queries = (np.load(DATA / f"{name}.npy").astype(np.float32) for name in ("documents", "queries"))
    return truncate(documents, dimension), truncate(queries[:200], dimension)


def size(rotation: str) -> int:
    """Return a number of dimensions at which a rotation is quickly learned."""
    return 96 if rotation == "learned" else 512


@cache
def real_codes(bits: int, rotation: str, center: str = "mean") -> LowBitCodes:
    documents, _ = real_set(size(rotation))
    return LowBitQuantizer(bits, rotation=rotation, center=center).fit(documents).encode(documents)


def rows(n: int, dimension: int, seed: int = 0, spread: float = 1.0) -> np.ndarray:
    """Unit vectors about a common mean."""
    rng = np.random.default_rng(seed)
    mean = np.random.default_rng(99).standard_normal(dimension) * (1 - spread)
    x = (rng.standard_normal((n, dimension)) * spread + mean).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def same(found: SearchResult, expected: SearchResult) -> bool:
    return np.array_equal(found.indices, expected.indices) and np.array_equal(
        found.scores, expected.scores, equal_nan=True
    )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rotation", ["none", "random", "learned"])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_result_is_that_of_full_rescoring(bits: int, rotation: str, metric: str) -> None:
    """Of rows of unit length, which all metrics rank alike: so each looks at a third of the queries."""
    documents, queries = real_set(size(rotation))
    queries = queries[METRICS.index(metric) :: len(METRICS)]
    codes = real_codes(bits, rotation)
    candidates = search(queries, codes, 300, metric=metric).indices
    expected = rescore(queries, candidates, documents, 10, metric=metric)
    exhaustive = search(queries, documents, 10, metric=metric)
    for confidence in (1.0, 0.999):
        found = rescore(queries, candidates, documents, 10, metric=metric, bounded_by=codes, confidence=confidence)
        assert isinstance(found, BoundedResult)
        assert same(found, expected)
        assert (found.rescored >= 10).all()
        assert (found.rescored <= 300).all()
        assert np.array_equal(found.indices[found.is_final], exhaustive.indices[found.is_final])


def test_how_many_rows_are_scored(capsys: pytest.CaptureFixture[str]) -> None:
    """Of 300 candidates on the real set, at the default confidence; few are left in doubt at four bits."""
    documents, queries = real_set()
    lines = []
    for bits, most, least_final in ((1, 300, 0.0), (2, 90, 0.8), (4, 22, 0.99)):
        for rotation in ("random", "none"):
            codes = real_codes(bits, rotation)
            candidates = search(queries, codes, 300).indices
            found = rescore(queries, candidates, documents, 10, bounded_by=codes)
            certain = rescore(queries, candidates, documents, 10, bounded_by=codes, confidence=1)
            lines.append(
                f"{bits} bits, {rotation} rotation: {found.rescored.mean():.1f} rows of 300 scored, "
                f"{found.is_final.mean():.1%} proven; {certain.rescored.mean():.1f} for certain"
            )
            assert found.rescored.mean() <= most, lines
            assert found.is_final.mean() >= least_final, lines
            assert (found.rescored <= certain.rescored).all()
            assert (found.is_final >= certain.is_final).all()
    with capsys.disabled():
        print("", *lines, sep="\n  ")


@pytest.mark.parametrize(
    ("rotation", "center"),
    [("random", "none"), ("random", "mean"), ("learned", "mean"), ("none", "none"), ("none", "mean"),
     ("principal", "mean")],
)  # fmt: skip
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_bounds_hold_as_often_as_they_say(bits: int, rotation: str, center: str) -> None:
    """No row's exact score is above its reach, but for a part of the queries that the confidence allows."""
    from embcodec.quantizers.lowbit.errors import errors_of
    from embcodec.scan.bounds import Bounds

    documents, queries = real_set(size(rotation))
    codes = real_codes(bits, rotation, center)
    exact = queries.astype(np.float64) @ documents.T.astype(np.float64)
    some = queries[::8]
    everything = np.tile(np.arange(len(documents)), (len(some), 1))
    order, most = Bounds(codes, Embeddings(some), "dot", 1.0).reach(everything, None)
    assert not (np.take_along_axis(exact[::8], order, axis=1) > most).any()
    estimates, errors = codes.estimate(queries), errors_of(codes)
    for confidence, allowed in ((1.0, 0.0), (0.999, 0.006), (0.9, 0.105)):
        most = estimates + Bounds(codes, Embeddings(queries), "dot", confidence)._bounds(slice(None), errors)
        assert (exact > most).any(axis=1).mean() <= allowed


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("center", ["none", "mean"])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_what_no_row_is_beyond(monkeypatch: pytest.MonkeyPatch, bits: int, center: str, odd: bool) -> None:
    from embcodec.quantizers.lowbit import errors as lowbit_errors
    from embcodec.quantizers.lowbit.queries import prepare_queries

    monkeypatch.setattr(lowbit_errors, "_BLOCK_ROWS", 100)
    x = np.random.default_rng(bits).standard_normal((333, 40)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x[::7] *= 3 if odd else 1
    codes = LowBitQuantizer(bits, rotation="random", center=center).fit(x).encode(x)
    of_rows = lowbit_errors.errors_of(codes)
    assert codes.widest == tuple(part.max() for part in of_rows)
    assert (of_rows.others > 0).tolist() == [odd and row % 7 == 0 for row in range(333)]
    assert (of_rows.units > 0).tolist() == [not (odd and row % 7 == 0) for row in range(333)]
    most = lowbit_errors.certain_bounds(codes, prepare_queries(codes.scheme, x[:5]), codes.widest)
    lengths = np.linalg.norm(x[:5], axis=1)[:, None]
    assert (codes.error_bounds(x[:5]) <= lengths * most * (1 + 1e-6)).all()
    assert codes[:0].widest == (0, 0, 0, 0, 0)
    scales, biases = codes.for_scans  # found once, and not sent along
    assert (biases is None) == (center == "none")
    assert codes.for_scans[0] is scales
    assert not {"widest", "for_scans"} & vars(pickle.loads(pickle.dumps(codes))).keys()
    assert pickle.loads(pickle.dumps(codes)).widest == codes.widest


@settings(max_examples=60)
@given(
    st.sampled_from([1, 2, 4]),
    st.sampled_from(METRICS),
    st.sampled_from([1, 2, 7, 33, 64]),
    st.integers(0, 60),
    st.integers(0, 12),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.integers(0, 2**20),
)
def test_certain_bounds_on_any_shape(
    bits: int, metric: str, dimension: int, n: int, k: int, spread: float, seed: int
) -> None:
    x, asked = rows(max(n, 1), dimension, seed, spread), rows(4, dimension, seed + 1, spread)
    fitted = LowBitQuantizer(bits, rotation="random", center="mean").fit(x)
    x = x[:n]
    codes = fitted.encode(x)
    rng = np.random.default_rng(seed)
    candidates = rng.integers(-1, n, (4, 9)) if n else np.full((4, 9), -1)
    found = rescore(asked, candidates, x, k, metric=metric, bounded_by=codes, confidence=1)
    assert same(found, rescore(asked, candidates, x, k, metric=metric))
    if n and k:
        best = search(asked, codes, 9, metric=metric)
        found = rescore(asked, best.indices, x, k, metric=metric, bounded_by=codes, confidence=1)
        exhaustive = search(asked, x, found.indices.shape[1], metric=metric)
        assert np.array_equal(found.indices[found.is_final], exhaustive.indices[found.is_final])
        assert n > 9 or found.is_final.all()


def test_ties_and_copies_of_rows() -> None:
    x = np.repeat(rows(20, 16), 5, axis=0)
    codes = LowBitQuantizer(4, rotation="random").fit(x).encode(x)
    candidates = np.tile(np.arange(100), (20, 1))
    found = rescore(x[::5], candidates, x, 4, bounded_by=codes)
    assert same(found, rescore(x[::5], candidates, x, 4))
    assert np.array_equal(found.indices, np.arange(0, 100, 5)[:, None] + np.arange(4))


def test_lengths_of_queries_and_rows() -> None:
    x, asked = rows(300, 40), rows(5, 40, 1)
    for factor in (1e-6, 1e6):
        codes = LowBitQuantizer(2, rotation="random", center="mean").fit(x).encode(x)
        for metric in METRICS:
            candidates = search(factor * asked, codes, 50, metric=metric).indices
            found = rescore(factor * asked, candidates, x, 3, metric=metric, bounded_by=codes, confidence=1)
            assert same(found, rescore(factor * asked, candidates, x, 3, metric=metric))
        long = np.float32(factor) * x
        codes = LowBitQuantizer(2, rotation="random", center="mean").fit(long).encode(long)
        candidates = search(asked, codes, 50, metric="dot").indices
        found = rescore(asked, candidates, long, 3, metric="dot", bounded_by=codes, confidence=1)
        assert same(found, rescore(asked, candidates, long, 3, metric="dot"))
    zero = rescore(0 * asked, candidates, x, 3, bounded_by=LowBitQuantizer(1).fit(x).encode(x))
    assert same(zero, rescore(0 * asked, candidates, x, 3))


def test_one_query_and_copies_of_the_result() -> None:
    documents, queries = real_set()
    codes = real_codes(4, "random")
    found = rescore(queries[0], search(queries[0], codes, 50).indices, documents, 5, bounded_by=codes)
    assert found.indices.shape == (5,)
    assert found.rescored.shape == found.is_final.shape == ()
    scores, indices = found
    assert np.array_equal(indices, found.indices)
    assert np.array_equal(scores, found.scores)
    for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert same(again, found)
        assert (again.rescored, again.is_final) == (found.rescored, found.is_final)


def test_codes_without_scales_have_certain_bounds_only() -> None:
    x = rows(300, 32)
    quantizer = LowBitQuantizer(1, rotation="none", center="none").fit(x)
    scheme = quantizer.scheme.__class__(1, 32, quantizer.scheme.rotation, None, False, quantizer.scheme.scale_unit)
    codes = LowBitCodes.of(x, scheme)
    candidates = search(x[:9], codes, 40).indices
    loose, certain = (
        rescore(x[:9], candidates, x, 5, bounded_by=codes, confidence=confidence) for confidence in (0.9, 1.0)
    )
    assert same(loose, certain)
    assert np.array_equal(loose.rescored, certain.rescored)


@pytest.mark.parametrize("mask", [None, "rows", "few"])
def test_in_an_index(mask: str | None) -> None:
    documents, queries = real_set()
    chosen: Any = {"rows": np.arange(2000) % 3 == 1, "few": np.arange(25) * 7}.get(mask or "")
    index = FlatIndex(real_codes(4, "random"), rescore_with=documents, ids=np.arange(2000)[::-1].copy())
    at = None if chosen is None else index.ids[chosen] if chosen.dtype == bool else chosen
    plain = index.search(queries, 10, mask=at)
    found = index.search(queries, 10, mask=at, confidence=0.999)
    assert isinstance(found, BoundedResult)
    assert same(found, plain)
    assert mask != "few" or found.is_final.all()
    exhaustive = FlatIndex(documents, ids=index.ids).search(queries, 10, mask=at)
    assert np.array_equal(found.indices[found.is_final], exhaustive.indices[found.is_final])
    assert found.is_final.mean() > 0.5
    one = index.search(queries[3], 10, mask=at, confidence=0.999)
    assert isinstance(one, BoundedResult)
    assert np.array_equal(one.indices, found.indices[3])
    assert one.rescored == found.rescored[3]


def test_refusals() -> None:
    documents, queries = real_set()
    codes = real_codes(2, "random")
    candidates = np.zeros((200, 3), np.int64)
    for corpus, more, error, words in (
        (Embeddings(documents).to("int8"), {}, CodeMismatchError, "floats that were coded"),
        (codes, {}, CodeMismatchError, "floats that were coded"),
        (documents[:-1], {}, CodeMismatchError, "bounds are of"),
        (documents, {"metric": "hamming"}, CodeMismatchError, "hamming"),
        (documents, {"confidence": 1.1}, ValueError, "probability"),
        (documents, {"confidence": float("nan")}, ValueError, "probability"),
    ):
        with pytest.raises(error, match=words):
            rescore(queries, candidates, corpus, 2, bounded_by=codes, **more)
    with pytest.raises(CodeMismatchError, match="float queries"):
        rescore(Embeddings(queries).to("int8"), candidates, documents, 2, bounded_by=codes)
    for index, how, error in (
        (FlatIndex(codes), {}, ValueError),
        (FlatIndex(codes, rescore_with=documents), {"rescore_multiplier": None}, ValueError),
        (FlatIndex(Embeddings(documents).to("ubinary"), rescore_with=documents), {}, CodeMismatchError),
        (FlatIndex(real_codes(1, "random"), rescore_with=documents), {"three_stage": True}, CodeMismatchError),
        (FlatIndex(codes, rescore_with=Embeddings(documents).to("int8")), {}, CodeMismatchError),
    ):
        with pytest.raises(error, match=r"confidence|bounds"):
            index.search(queries, 3, confidence=0.9, **how)


@pytest.mark.parametrize("precision", ["int8", "float32"])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("center", ["none", "mean"])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_range_search_finds_what_search_ranks(bits: int, center: str, metric: str, precision: str) -> None:
    x, asked = rows(400, 40), rows(6, 40, 1)
    codes = LowBitQuantizer(bits, rotation="random", center=center).fit(x).encode(x)
    how: dict[str, Any] = {"metric": metric, "query_precision": precision}
    scores, indices = search(asked, codes, 400, **how)
    below = metric == "l2"
    # thresholds that are scores themselves: a row at one exactly is left out
    for threshold in (
        float(scores[2, 30]),
        float(scores[0, 0]),
        float(scores[4, 399]),
        0.1,
        -1e30,
        1e30,
        np.inf,
        -np.inf,
    ):
        limits, found_scores, found = range_search(asked, codes, threshold, **how)
        expected = scores < threshold if below else scores > threshold
        assert np.diff(limits).tolist() == expected.sum(axis=1).tolist()
        assert np.array_equal(found, indices[expected])
        assert np.array_equal(found_scores, scores[expected])
    mask = np.arange(400) % 3 == 0
    limits, _, found = range_search(asked, codes, 0.1, mask=mask, **how)
    some = search(asked, codes, 400, mask=mask, **how)
    expected = some.scores < np.float32(0.1) if below else some.scores > np.float32(0.1)
    assert np.array_equal(found, some.indices[expected])
    assert limits[-1] == len(found)


def test_range_search_of_no_queries_rows_and_lengths() -> None:
    x = rows(30, 16)
    codes = LowBitQuantizer(2, rotation="random", center="mean").fit(x).encode(x)
    assert range_search(x[:0], codes, 0.5).limits.tolist() == [0]
    assert search(x[:0], codes, 3).indices.shape == (0, 3)
    assert range_search(x[:2], codes[:0], 0.5).limits.tolist() == [0, 0, 0]
    assert range_search(np.zeros((1, 16)), codes, -0.5).limits.tolist() == [0, 30]
    assert range_search(np.zeros((1, 16)), codes, 0.5).limits.tolist() == [0, 0]
    assert range_search(x[3], codes, 0.9).indices.tolist() == [3]
    # A short query has denormal scores, and so many ties: the lower row goes first in these, too.
    scores, indices = search(short := x[3] * np.float32(1e-44), codes, 30, metric="dot")
    assert 1 < len(np.unique(scores)) < 30
    assert range_search(short, codes, -1, metric="dot").indices.tolist() == indices.tolist()
