"""Search against Faiss, usearch, numkong and NumPy, and against what the machine allows (ceilings.c).

One thread, 1,024 dimensions, k = 10; rates are comparisons a second: queries x rows / time. Set
EMBCODEC_BENCH_ROWS for other sizes than 100,000 rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from ceilings import limit
from embcodec import Embeddings, Scale, search

ROWS = int(os.environ.get("EMBCODEC_BENCH_ROWS", "100000"))
DIMENSION, K = 1024, 10


@cache
def bits(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, DIMENSION // 8), dtype=np.uint8)


@cache
def codes(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-127, 128, (n, DIMENSION), dtype=np.int8)


@cache
def floats(n: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, DIMENSION), dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def faiss_module() -> Any:
    faiss = pytest.importorskip("faiss")
    faiss.omp_set_num_threads(1)
    return faiss


def exact_check(exact: np.ndarray, lower: bool, tolerance: float) -> Callable[[Any], None]:
    """Every answer's rows must score as well as the true best, within the tolerance."""
    ordered = np.sort(exact if lower else -exact, axis=1)[:, :K]

    def check(answer: Any) -> None:
        rows = np.asarray(answer)[: len(exact)]
        scores = np.take_along_axis(exact if lower else -exact, rows.astype(np.int64), 1)
        assert (np.abs(np.sort(scores, axis=1) - ordered) <= tolerance).all()

    return check


def argpartition_rows(scores: np.ndarray, lower: bool) -> np.ndarray:
    key = scores if lower else -scores
    some = np.argpartition(key, K, axis=1)[:, :K]
    order = np.argsort(np.take_along_axis(key, some, 1), axis=1, kind="stable")
    return np.take_along_axis(some, order, 1)


@pytest.mark.parametrize("n_queries", [256, 16, 1])
def test_hamming(race: Any, n_queries: int) -> None:
    faiss, numkong = faiss_module(), pytest.importorskip("numkong")
    x, q = bits(ROWS, 0), bits(n_queries, 1)
    index = faiss.IndexBinaryFlat(DIMENSION)
    index.add(x)
    packed = numkong.hammings_pack(x)
    ours, asked = Embeddings(x, "ubinary"), Embeddings(q, "ubinary")
    exact = np.stack([np.bitwise_count(x ^ row).sum(1, dtype=np.int32) for row in q[:4]])
    race(
        f"hamming, {n_queries} queries",
        lambda: search(asked, ours, K, threads=1).indices,
        {
            "Faiss IndexBinaryFlat": lambda: index.search(q, K)[1],
            "numkong + argpartition": lambda: argpartition_rows(np.asarray(numkong.hammings_packed(q, packed)), True),
        },
        work=n_queries * ROWS,
        unit="comparisons",
        check=exact_check(exact, True, 0),
        limit=limit("hamming", ROWS, DIMENSION // 8, n_queries),
    )


@pytest.mark.parametrize("n_queries", [256, 16, 1])
def test_float_query_on_bits(race: Any, n_queries: int) -> None:
    x, q = bits(ROWS, 0), floats(n_queries, 3)
    ours = Embeddings(x, "ubinary")
    exact = q[:4] @ (np.unpackbits(x, axis=1).T * np.float32(2) - 1)
    bound = 2 * np.abs(q).reshape(n_queries, -1, 4).sum(2).max() / 127 / 8 * (DIMENSION + 8)
    race(
        f"float query on bits, {n_queries} queries",
        lambda: search(q, ours, K, metric="dot", threads=1).indices,
        {},
        work=n_queries * ROWS,
        unit="comparisons",
        check=exact_check(exact, False, bound),
        limit=limit("bits", ROWS, DIMENSION // 8, n_queries),
    )


@pytest.mark.parametrize("rows", [1_000_000, 4_000_000])
def test_one_float_query_on_bits_in_memory(race: Any, rows: int) -> None:
    """Beyond the last cache: what memory gives bounds one query, not arithmetic."""
    x, q = np.random.default_rng(0).integers(0, 256, (rows, DIMENSION // 8), dtype=np.uint8), floats(1, 3)
    ours, some = Embeddings(x, "ubinary"), np.random.default_rng(1).integers(0, rows, 10_000)
    bound = 2 * np.abs(q).reshape(1, -1, 4).sum(2).max() / 127 / 8 * (DIMENSION + 8)

    def exact(of: np.ndarray) -> np.ndarray:
        return q[0] @ (np.unpackbits(x[of], axis=1).T * np.float32(2) - 1)

    def check(answer: Any) -> None:
        np.testing.assert_allclose(answer.scores[0], exact(answer.indices[0]), atol=bound)
        assert exact(some).max() <= answer.scores[0, 0] + bound

    race(
        f"float query on bits, {rows:,} rows, 1 query",
        lambda: search(q, ours, K, metric="dot", threads=1),
        {},
        work=rows,
        unit="comparisons",
        check=check,
        limit=limit("bits", rows, DIMENSION // 8, 1),
        rounds=4,
    )


@pytest.mark.parametrize("n_queries", [256, 16, 1])
def test_int8_dot(race: Any, n_queries: int) -> None:
    numkong, usearch = pytest.importorskip("numkong"), pytest.importorskip("usearch.index")
    rows = ROWS if n_queries <= 16 else ROWS // 5  # usearch takes its time
    x, q = codes(rows, 0), codes(n_queries, 1)
    ours, asked = Embeddings(x, "int8"), Embeddings(q, "int8")
    exact = q[:4].astype(np.float32) @ x.astype(np.float32).T
    packed = numkong.dots_pack(x)
    kind = usearch.MetricKind.IP
    peers = {
        "numkong + argpartition": lambda: argpartition_rows(np.asarray(numkong.dots_packed(q, packed)), False),
        "usearch exact": lambda: usearch.search(x, q, K, kind, exact=True, threads=1).keys.reshape(n_queries, K),
    }
    race(
        f"int8 dot, {rows:,} rows, {n_queries} queries",
        lambda: search(asked, ours, K, metric="dot", threads=1).indices,
        peers,
        work=n_queries * rows,
        unit="comparisons",
        check=exact_check(exact, False, 0),
        limit=limit("int8", rows, DIMENSION, n_queries),
        rounds=4 if n_queries <= 16 else 3,
    )


@pytest.mark.parametrize("kind", ["int8 cosine", "uint8", "int8 with ranges", "float query on int8"])
def test_other_integers(race: Any, kind: str) -> None:
    x, q = codes(ROWS, 0), floats(256, 3)
    asked: Any = q
    if kind == "int8 cosine":
        ours, asked = Embeddings(x, "int8"), Embeddings(codes(256, 1), "int8")
    elif kind == "uint8":
        ours = Embeddings(x.view(np.uint8), "uint8")
    elif kind == "int8 with ranges":
        spread = np.random.default_rng(2).uniform(0.5, 1, DIMENSION)
        ours = Embeddings(x, "int8", DIMENSION, Scale.ranges([-spread, spread]))
    else:
        ours = Embeddings(x, "int8")
    truth = search(asked, ours, K, query_precision="float32", threads=1).scores
    race(
        f"{kind}, 256 queries",
        lambda: search(asked, ours, K, threads=1).scores,
        {},
        work=256 * ROWS,
        unit="comparisons",
        check=lambda scores: np.testing.assert_allclose(scores, truth, atol=0.01),
        limit=limit("int8", ROWS, DIMENSION, 256),
        rounds=4,
    )


@pytest.mark.parametrize("n_queries", [256, 16, 1])
def test_float32_dot(race: Any, n_queries: int) -> None:
    faiss = faiss_module()
    x, q = floats(ROWS, 0), floats(n_queries, 1)
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(x)
    exact = q[:4].astype(np.float64) @ x.T.astype(np.float64)
    race(
        f"float32 dot, {n_queries} queries",
        lambda: search(q, x, K, metric="dot", threads=1).indices,
        {
            "Faiss IndexFlatIP": lambda: index.search(q, K)[1],
            "NumPy @ + argpartition": lambda: argpartition_rows(q @ x.T, False),
        },
        work=n_queries * ROWS,
        unit="comparisons",
        check=exact_check(exact, False, 1e-6),
        limit=limit("screened float" if n_queries > 1 else "float", ROWS, DIMENSION * 4, n_queries),
        rounds=3,
    )
