"""Codes against codes like them are compared exactly: the rows that float64 finds, in its order, on every tier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from each import each
from reference import metric_scores, values_of

from embcodec import Embeddings, Scale, range_search, search

INTEGERS, BITS = ("int8", "uint8"), ("binary", "ubinary")
NUMERIC = ("cosine", "dot", "l2")
ROUNDING = 2.0**-24


def codes_of(rng: np.random.Generator, n: int, dimension: int, kind: str) -> Embeddings:
    """Random codes of a kind, "int8 ranges" or "binary lsb"; of the rows a few are copies of others."""
    dtype, _, more = kind.partition(" ")
    if dtype in BITS:
        packed = np.packbits(rng.integers(0, 2, (n, dimension), dtype=np.uint8), axis=1)
        if more == "lsb":
            packed = np.packbits(np.unpackbits(packed, axis=1, count=dimension), axis=1, bitorder="little")
        if dtype == "binary":
            packed ^= np.uint8(0x80)
        values: np.ndarray = packed.view(np.int8 if dtype == "binary" else np.uint8)
        scale = None
    else:
        low = -128 if dtype == "int8" else 0
        spread = np.clip(rng.normal(low + 128, 40, (n, dimension)).round(), low, low + 255)
        values = spread.astype(dtype)
        middle = np.random.default_rng(5).normal(0, 0.5, dimension)
        width = np.random.default_rng(6).uniform(0, 1, dimension)  # every dimension weighs differently
        width[:: max(dimension // 3, 1)] = 0
        scales = {
            "unit": Scale.unit(),
            "per-vector": Scale.per_vector(rng.uniform(0.5, 2, n)),
            "ranges": Scale.ranges([middle - width, middle + width]),
        }
        scale = scales[more]
    copies = min(5, n // 2)
    values[n // 2 : n // 2 + copies] = values[:copies]
    if scale is not None and scale.kind == "per-vector":
        given = np.array(scale.values)
        given[n // 2 : n // 2 + copies] = given[:copies]
        scale = Scale.per_vector(given)
    order = {"bit_order": "lsb"} if more == "lsb" else {}
    return Embeddings(values, dtype, dimension, scale, **order)  # type: ignore[arg-type]


PAIRS = [(f"{dtype} {scale}", m) for dtype in INTEGERS for scale in ("unit", "per-vector", "ranges") for m in NUMERIC]
PAIRS += [(f"{dtype} {o}", m) for dtype in BITS for o in ("msb", "lsb") for m in ("hamming", "jaccard", *NUMERIC)]


def check_order(found: Any, queries: Embeddings, corpus: Embeddings, metric: str, k: int) -> None:
    """Scores are off by float32 roundings, and rows in the order of float64, but where those leave it open."""
    exact = metric_scores(queries, corpus, metric)
    q, x = values_of(queries), values_of(corpus)
    products = np.abs(q) @ np.abs(x).T  # of which float32 sums are within some roundings
    dimension = q.shape[1]
    most = {
        "dot": products,
        "cosine": products / np.maximum(np.sqrt((q**2).sum(1)[:, None] * (x**2).sum(1)), 1e-300),
        "l2": 2 * products + (q**2).sum(1)[:, None] + (x**2).sum(1),
    }.get(metric, np.ones(exact.shape))
    allowed = (min(dimension, 128) + dimension / 128 + 12) * ROUNDING * most
    at = np.take_along_axis(exact, found.indices, 1)
    off = np.take_along_axis(allowed, found.indices, 1)
    assert (np.abs(found.scores - at) <= off).all()
    sign = 1.0 if metric in ("l2", "hamming", "jaccard") else -1.0
    best = np.argsort(sign * exact, axis=1, kind="stable")[:, :k]
    differs = found.indices != best
    gap = np.abs(at - np.take_along_axis(exact, best, 1))
    assert (gap[differs] <= (off + np.take_along_axis(allowed, best, 1))[differs]).all()
    ties = found.scores[:, 1:] == found.scores[:, :-1]
    assert (np.diff(found.indices, axis=1)[ties] > 0).all()
    assert differs.mean() < 0.02 or dimension < 8


@pytest.mark.parametrize("dimension", [3, 130])
@each("kind, metric", PAIRS)
def test_order_of_float64(isa: str, kind: str, metric: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    corpus = codes_of(rng, 300, dimension, kind)
    for n_queries in (1, 12):
        queries = codes_of(rng, n_queries, dimension, kind)
        check_order(search(queries, corpus, 10, metric=metric), queries, corpus, metric, 10)


@pytest.mark.parametrize("metric", NUMERIC)
@pytest.mark.parametrize("kind", ["int8 ranges", "uint8 ranges"])
def test_what_is_screened_is_what_all_scores_say(isa: str, kind: str, metric: str) -> None:
    """A search for all rows screens none, so that its first k are those of any other."""
    rng = np.random.default_rng(3)
    corpus = codes_of(rng, 800, 72, kind)
    for queries in (codes_of(rng, 1, 72, kind), codes_of(rng, 5, 72, kind), codes_of(rng, 40, 72, kind)):
        all_scores, all_rows = search(queries, corpus, 800, metric=metric)
        for threads in (1, 2):
            scores, rows = search(queries, corpus, 7, metric=metric, threads=threads)
            assert np.array_equal(rows, all_rows[:, :7])
            assert np.array_equal(scores, all_scores[:, :7])
        mask = rng.random(800) < 0.4
        _, rows = search(queries, corpus, 7, metric=metric, mask=mask)
        assert np.array_equal(rows[0], all_rows[0][mask[all_rows[0]]][:7])
        threshold = float(all_scores[0, 30])
        limits, _, rows = range_search(queries, corpus, threshold, metric=metric)
        better = all_scores < threshold if metric == "l2" else all_scores > threshold
        assert np.array_equal(np.diff(limits), better.sum(axis=1))
        assert np.array_equal(rows, all_rows[better])


@pytest.mark.parametrize("scale", ["unit", "per-vector", "ranges"])
@pytest.mark.parametrize("metric", NUMERIC)
def test_unrounded_float_queries_are_screened_alike(isa: str, metric: str, scale: str) -> None:
    rng = np.random.default_rng(4)
    for dtype in INTEGERS:
        corpus = codes_of(rng, 700, 72, f"{dtype} {scale}")
        for n_queries, spread in ((1, 1.0), (9, 1.0), (9, 1e-20)):
            queries = (spread * rng.standard_normal((n_queries, 72))).astype(np.float32)
            queries[-1] *= 100 if n_queries > 1 else 1
            all_scores, all_rows = search(queries, corpus, 700, metric=metric, query_precision="float32")
            scores, rows = search(queries, corpus, 7, metric=metric, query_precision="float32")
            assert np.array_equal(rows, all_rows[:, :7])
            assert np.array_equal(scores, all_scores[:, :7])


def test_rows_of_one_value_pass_all_and_are_found(isa: str) -> None:
    """Where hardly any row can be told from another, all are scored."""
    rng = np.random.default_rng(8)
    values = np.full((2000, 64), 100, np.int8)
    values[:, 0] = rng.integers(95, 100, 2000)
    scale = Scale.ranges([[-1.0] * 64, [1.0] * 64])
    corpus = Embeddings(values, "int8", 64, scale)
    queries = Embeddings(values[:3], "int8", 64, scale)
    for metric in NUMERIC:
        check_order(search(queries, corpus, 20, metric=metric), queries, corpus, metric, 20)
