"""What a search costs away from the middle: other dimensions, corpora of 10^3 to 10^7 rows, large k, two threads.

Each row is ours at one shape beside ours at the shape that it should cost as much as, counted a unit of work: "1.00x"
says that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from ceilings import limit
from embcodec import Embeddings, search

FAMILIES = ("hamming", "float on bits", "int8", "float32")
N_QUERIES, K, DIMENSION = 256, 10, 1024
ROW_BYTES = {"hamming": 1 / 8, "float on bits": 1 / 8, "int8": 1, "float32": 4}  # a dimension
PORTS = {  # what limit() wants of a family: kind, rows, bytes of a row
    family: (kind, 100_000, int(ROW_BYTES[family] * DIMENSION))
    for family, kind in zip(FAMILIES, ("hamming", "bits", "int8", "screened float"), strict=True)
}
MOST_ROWS = {"hamming": 10**7, "float on bits": 10**7, "int8": 10**6, "float32": 10**6}


def clear() -> None:
    corpus.cache_clear()


@cache
def corpus(family: str, rows: int, dimension: int) -> Any:
    rng = np.random.default_rng(0)
    if family == "float32":
        return rng.random((rows, dimension), dtype=np.float32) - np.float32(0.5)
    if family == "int8":
        return Embeddings(rng.integers(-127, 128, (rows, dimension), dtype=np.int8), "int8")
    packed = rng.integers(0, 256, (rows, -(-dimension // 8)), dtype=np.uint8)
    if dimension % 8:
        packed[:, -1] &= 0xFF << (8 - dimension % 8) & 0xFF
    return Embeddings(packed, "ubinary", dimension)


def queries(family: str, n: int, dimension: int) -> Any:
    rng = np.random.default_rng(1)
    if family == "hamming":
        return Embeddings(corpus(family, 1000, dimension).values[:n], "ubinary", dimension)
    if family == "int8":
        return Embeddings(rng.integers(-127, 128, (n, dimension), dtype=np.int8), "int8")
    return rng.standard_normal((n, dimension), dtype=np.float32)


def job(
    family: str, rows: int = 100_000, dimension: int = DIMENSION, n: int = N_QUERIES, k: int = K, threads: int = 1
) -> Callable[[], Any]:
    x, q = corpus(family, rows, dimension), queries(family, n, dimension)
    metric = "hamming" if family == "hamming" else "dot"
    return lambda: search(q, x, k, metric=metric, threads=threads)


def same_rows(result: Any) -> None:
    assert (np.sort(result.indices, axis=1)[:, 1:] != np.sort(result.indices, axis=1)[:, :-1]).all()
    assert (result.indices >= 0).all()


@pytest.mark.parametrize("dimension", [100, 200, 256, 384, 768, 1000, 1536, 3072])
@pytest.mark.parametrize("family", FAMILIES)
def test_dimensions(race: Any, family: str, dimension: int) -> None:
    rows = int(20e6 / ROW_BYTES[family] / dimension)
    base_rows = int(20e6 / ROW_BYTES[family] / DIMENSION)
    race(
        f"{family}, {dimension} d, {N_QUERIES} queries",
        job(family, rows, dimension),
        {"1,024 d": job(family, base_rows)},
        work=rows * dimension * N_QUERIES,
        unit="dimensions",
        check=same_rows,
        peer_work={"1,024 d": base_rows * DIMENSION * N_QUERIES},
        rounds=5,
        seconds=1,
    )
    clear()


@pytest.mark.parametrize("n_queries", [256, 1])
@pytest.mark.parametrize("rows", [10**3, 10**4, 10**6, 10**7])
@pytest.mark.parametrize("family", FAMILIES)
def test_rows(race: Any, family: str, rows: int, n_queries: int) -> None:
    if rows > MOST_ROWS[family]:
        pytest.skip("more than this benchmark keeps in memory")
    race(
        f"{family}, {rows:,} rows, {n_queries} queries",
        job(family, rows, n=n_queries),
        {"100,000 rows": job(family, n=n_queries)},
        work=rows * n_queries,
        unit="comparisons",
        check=same_rows,
        peer_work={"100,000 rows": 100_000 * n_queries},
        rounds=3,
        seconds=1,
    )
    clear()


@pytest.mark.parametrize("k", [100, 1000])
@pytest.mark.parametrize("family", FAMILIES)
def test_k(race: Any, family: str, k: int) -> None:
    race(
        f"{family}, k = {k}, {N_QUERIES} queries",
        job(family, k=k),
        {"k = 10": job(family)},
        work=100_000 * N_QUERIES,
        unit="comparisons",
        check=same_rows,
        rounds=5,
        seconds=1,
    )


@pytest.mark.parametrize("n_queries", [256, 16, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_two_threads(race: Any, family: str, n_queries: int) -> None:
    one = job(family, n=n_queries)
    expected = one()

    def check(result: Any) -> None:
        np.testing.assert_array_equal(result.indices, expected.indices)
        np.testing.assert_array_equal(result.scores, expected.scores)

    race(
        f"{family}, two threads, {n_queries} queries",
        job(family, n=n_queries, threads=2),
        {"one thread": one},
        work=100_000 * n_queries,
        unit="comparisons",
        check=check,
        limit=limit(*PORTS[family], n_queries, threads=2),
        rounds=7,
        seconds=1,
    )
    if n_queries == 1:
        clear()
