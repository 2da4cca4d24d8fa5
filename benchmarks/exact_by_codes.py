"""How much faster exact=True is than a scan of the floats: over corpora, queries, metrics and numbers of rows wanted.

    python benchmarks/exact_by_codes.py [--corpora normal real] [--codes int8/per-vector] [--rows 100000] [--threads 1]

Both searches take turns in one process and each keeps its best time. Every answer is compared with the scan's, to the
bit. A cell is the ratio of the times, above 1 where the codes pay, and how many rows were scored in float32.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embcodec import FlatIndex, quantize
from history import processor

Floats = NDArray[np.float32]

ROUNDS, AT_ONCE = 5, 2
DOCUMENTS = Path(__file__).parents[1] / "tests/data/documents.npy"


def unit(x: Floats) -> Floats:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def corpus(name: str, n: int, dimension: int) -> Floats:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((n, dimension), dtype=np.float32)
    if name in ("clustered", "tight"):
        centers = rng.standard_normal((200, dimension), dtype=np.float32)
        return unit(centers[rng.integers(0, 200, n)] + np.float32(0.7 if name == "clustered" else 0.1) * noise)
    if name == "real":  # documents of a model, repeated with noise
        documents = np.load(DOCUMENTS).astype(np.float32)
        documents = unit(np.tile(documents, -(-dimension // documents.shape[1]))[:, :dimension])
        return unit(documents[rng.integers(0, len(documents), n)] + np.float32(0.5 / np.sqrt(dimension)) * noise)
    if name == "outlier":  # a dimension that is thirty times as large as the others
        noise[:, 5] *= 30
    if name == "copies":
        return unit(np.repeat(noise[::50], 50, axis=0)[:n] + np.float32(0.003) * noise)
    return noise if name == "lengths" else unit(noise)


CORPORA = ("normal", "clustered", "tight", "real", "outlier", "copies", "lengths")


def asked(name: str, x: Floats) -> Floats:
    """Return one query, (dimension,)."""
    rng = np.random.default_rng(1)
    row, noise = x[rng.integers(len(x))], rng.standard_normal(x.shape[1]).astype(np.float32)
    noise *= np.float32(np.linalg.norm(row) / np.sqrt(x.shape[1]))
    return {"row": row, "near": row + noise / 2, "noise": noise, "far": 100 * (noise - row)}[name]


def codes_of(x: Floats, kind: str) -> Any:
    dtype, _, scale = kind.partition("/")
    return quantize(x, dtype, scale=scale) if scale else quantize(x, dtype)  # type: ignore[call-overload]


def best_time(call: Callable[[], Any]) -> float:
    times = []
    for _ in range(AT_ONCE):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def ratio(index: FlatIndex, plain: FlatIndex, q: Floats, k: int, metric: Any, threads: int) -> str:
    """Return how much faster a search is than the scan, and how many rows it scored; its answers are compared."""

    def by_codes() -> Any:
        index._now.codes._trials.clear()  # else a search that did not pay is soon not tried any more
        return index.search(q, k, exact=True, metric=metric, threads=threads)

    def scan() -> Any:
        return plain.search(q, k, metric=metric, threads=threads)

    found, want = by_codes(), scan()
    assert found.scores.tobytes() == want.scores.tobytes()
    assert found.indices.tobytes() == want.indices.tobytes()
    times = [(best_time(scan), best_time(by_codes)) for _ in range(ROUNDS)]
    slow, fast = (min(each) for each in zip(*times, strict=True))
    return f"{slow / fast:.2f} ({int(found.rescored)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=CORPORA)
    parser.add_argument("--codes", nargs="+", default=["int8/per-vector", "int8"])
    parser.add_argument("--queries", nargs="+", default=["row", "near", "noise", "far"])
    parser.add_argument("--metrics", nargs="+", default=["cosine", "dot", "l2"])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    print(f"{processor()}, {given.rows} rows of {given.dimension} dimensions, {given.threads} threads")
    for name in given.corpora:
        x = corpus(name, given.rows, given.dimension)
        plain = FlatIndex(x)
        for kind in given.codes:
            codes = codes_of(x, kind)
            index = FlatIndex(codes, rescore_with=x)
            for metric in given.metrics:
                cells = [
                    f"{query} {k}: {ratio(index, plain, asked(query, x), k, metric, given.threads)}"
                    for query in given.queries
                    for k in (1, 10, 100)
                ]
                print(f"{name}, {kind}, {metric}: " + ", ".join(cells), flush=True)


if __name__ == "__main__":
    main()
