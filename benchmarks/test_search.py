"""Search against Faiss, usearch, numkong and NumPy, and against what the machine allows (ceilings.c).

One thread, 1,024 dimensions, k = 10; rates are comparisons a second: queries x rows / time. Set
EMBCODEC_BENCH_ROWS for other sizes than 100,000 rows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import Embeddings, Scale, search

ROWS = int(os.environ.get("EMBCODEC_BENCH_ROWS", "100000"))
DIMENSION, K = 1024, 10


@cache
def ceilings() -> dict[str, Any]:
    """Compile and run ceilings.c; empty where there is no compiler or no AVX-512."""
    source = Path(__file__).with_name("ceilings.c")
    compiler = shutil.which("gcc")
    if compiler is None or "avx512_vpopcntdq" not in Path("/proc/cpuinfo").read_text():
        return {}
    program = Path(os.environ.get("TMPDIR", "/tmp"), f"embcodec-ceilings-{os.getpid()}")
    subprocess.run([compiler, "-O2", "-std=gnu11", "-pthread", "-o", program, source], check=True)
    try:
        return json.loads(subprocess.run([program], check=True, capture_output=True).stdout)
    finally:
        program.unlink()


# 512-bit instructions a comparison of 1,024 dimensions takes at least, by the kind that bounds it.
INSTRUCTIONS = {
    "hamming": {"vpxorq": 48 / 8},  # xor, count and add of 16 words; eight rows a vector; any of the vector ports
    "bits": {"vpermb": 64 / 16, "vpdpbusd": 64 / 16},
    "int8": {"vpdpbusd": 16},
    "float": {"vfmadd": 64},
}


def limit(kind: str, row_bytes: int, n_queries: int) -> tuple[str, float] | None:
    """Return what bounds the rate, and the rate: a level's read bandwidth or the vector ports."""
    known = ceilings()
    if not known:
        return None
    corpus = ROWS * row_bytes
    level = "12.8 MB" if corpus < 16 << 20 else "410 MB" if corpus > 200 << 20 else "102 MB"
    bounds = [(f"read bandwidth ({level})", known["read_GB_per_s"][level] * 1e9 / row_bytes * n_queries)]
    bounds += [(name, known["instructions_G_per_s"][name] * 1e9 / count) for name, count in INSTRUCTIONS[kind].items()]
    return min(bounds, key=lambda bound: bound[1])


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
        limit=limit("hamming", DIMENSION // 8, n_queries),
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
        limit=limit("bits", DIMENSION // 8, n_queries),
    )


@pytest.mark.parametrize("n_queries", [256, 16, 1])
def test_int8_dot(race: Any, n_queries: int) -> None:
    numkong, usearch = pytest.importorskip("numkong"), pytest.importorskip("usearch.index")
    x, q = codes(ROWS, 0), codes(n_queries, 1)
    ours, asked = Embeddings(x, "int8"), Embeddings(q, "int8")
    exact = q[:4].astype(np.float32) @ x.astype(np.float32).T
    packed = numkong.dots_pack(x)
    peers = {
        "numkong + argpartition": lambda: argpartition_rows(np.asarray(numkong.dots_packed(q, packed)), False),
    }
    if n_queries <= 16:
        kind = usearch.MetricKind.IP
        peers["usearch exact"] = lambda: usearch.search(x, q, K, kind, exact=True, threads=1).keys.reshape(n_queries, K)
    race(
        f"int8 dot, {n_queries} queries",
        lambda: search(asked, ours, K, metric="dot", threads=1).indices,
        peers,
        work=n_queries * ROWS,
        unit="comparisons",
        check=exact_check(exact, False, 0),
        limit=limit("int8", DIMENSION, n_queries),
        rounds=4,
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
        limit=limit("int8", DIMENSION, 256),
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
        limit=limit("float", DIMENSION * 4, n_queries),
        rounds=3,
    )
