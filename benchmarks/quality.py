"""What codes keep at equal bytes: overlap@10 with float32 search, on rows that nothing was fitted to.

    python benchmarks/quality.py [VECTORS.npy] [--queries QUERIES.npy] [--bytes 32 64 128] [--fit 2000] [--rows 10000]

Without a file the committed vectors are measured: 1,000 documents are fitted to and the other 1,000 searched with the
questions of people who ask. Of a file 2,000 rows are fitted to, others searched; queries are further rows where no file
of queries is given. All are brought to unit length; bytes are those a row takes with its scale, if it has one. Peers
are Faiss' codes, where Faiss is there, fitted to the same rows and asked with floats.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embcodec import Embeddings, LowBitQuantizer, quantize, search

Floats = NDArray[np.float32]
Answer = NDArray[np.int64]

K = 10
COMMITTED = Path(__file__).resolve().parent.parent / "tests" / "data"
BYTES = (32, 48, 64, 96, 128, 192, 256)
SEED = 0


class Vectors(NamedTuple):
    """Rows to fit to, others to search, and queries: float32 of unit length."""

    fit: Floats
    rows: Floats
    queries: Floats

    @property
    def dimension(self) -> int:  # noqa: D102
        return self.rows.shape[1]


class Kept(NamedTuple):
    """What a code keeps: its bytes a row, the overlap, and the seconds that fitting and encoding took."""

    who: str
    label: str
    row_bytes: float
    overlap: float
    fit_seconds: float
    encode_seconds: float


def unit(x: NDArray[np.generic]) -> Floats:
    values = x.astype(np.float32)
    lengths = np.linalg.norm(values, axis=1)
    return np.ascontiguousarray(values[lengths > 0] / lengths[lengths > 0, None])


def committed() -> Vectors:
    documents, queries = (unit(np.load(COMMITTED / f"{name}.npy")) for name in ("documents", "queries"))
    order = np.random.default_rng(SEED).permutation(len(documents))
    return Vectors(documents[order[:1000]], documents[order[1000:]], queries)


def of_file(path: Path, asked: Path | None, fit: int, rows: int, queries: int = 400) -> Vectors:
    x = np.load(path, mmap_mode="r")
    order = np.random.default_rng(SEED).permutation(len(x))
    count = min(rows, len(x) - fit - (0 if asked else queries))
    if count < 10 * K:
        raise SystemExit(f"{path} has {len(x)} rows, too few to fit to {fit} and to search others")
    parts = np.split(order[: fit + count + queries], [fit, fit + count])
    given = np.load(asked) if asked else x[np.sort(parts[2])]
    return Vectors(*(unit(x[np.sort(part)]) for part in parts[:2]), unit(given[:queries]))


def overlap(found: Answer, exact: Answer) -> float:
    return float(np.mean([len(np.intersect1d(*pair)) for pair in zip(found, exact, strict=True)]) / K)


def ours(sizes: list[int]) -> Iterator[tuple[str, Callable[[Floats], Callable[[Floats], Any]]]]:
    """Yield labels and what fits to rows and returns what encodes others."""
    yield "int8, a scale a vector", lambda _: partial(quantize, output_dtype="int8", scale="per-vector")
    yield "sign bits, float query", lambda _: partial(quantize, output_dtype="ubinary")
    for bits in (1, 2, 4):
        for shaping in ("none", "auto"):
            quantizer = LowBitQuantizer(bits, rotation="whitened", center="mean", shaping=shaping)
            shaped = "" if shaping == "none" else ", shaped"
            yield f"{bits} bit{'s' * (bits > 1)}{shaped}", lambda fit, made=quantizer: made.fit(fit).encode
    for size in sizes:
        quantizer = LowBitQuantizer(bytes_per_vector=size)
        yield f"bytes_per_vector={size}", lambda fit, made=quantizer: made.fit(fit).encode


def measured_ours(vectors: Vectors, sizes: list[int], exact: Answer) -> Iterator[Kept]:
    for label, fitted in ours(sizes):
        began = time.perf_counter()
        encode = fitted(vectors.fit)
        fit_seconds, began = time.perf_counter() - began, time.perf_counter()
        codes = encode(vectors.rows)
        encode_seconds = time.perf_counter() - began
        found = search(Embeddings(vectors.queries), codes, K, metric="cosine").indices
        yield Kept("embcodec", label, codes.nbytes / len(codes), overlap(found, exact), fit_seconds, encode_seconds)


def peers(dimension: int, size: int) -> Iterator[tuple[str, str, int]]:
    """Yield a label, the Faiss factory's string and the dimension that it wants, for so many bytes a row or fewer."""
    padded = -(-dimension // size) * size
    if size <= dimension:
        yield "PQ", f"PQ{size}x8", padded
    for bits in (4, 6, 8):
        if size == bits * dimension // 8:
            yield f"SQ{bits}", f"SQ{bits}", dimension
    if size == dimension // 8:
        yield "RaBitQ", "RaBitQ", dimension
        yield "RaBitQ, rotated", "RR,RaBitQ", dimension


def measured_peers(vectors: Vectors, sizes: list[int], exact: Answer) -> Iterator[Kept]:
    try:
        import faiss
    except ImportError:
        return
    faiss.omp_set_num_threads(1)
    for size in sizes:
        for label, factory, dimension in peers(vectors.dimension, size):
            fit, rows, queries = (np.pad(part, ((0, 0), (0, dimension - part.shape[1]))) for part in vectors)
            try:
                index = faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
                _quiet(index, faiss)
                began = time.perf_counter()
                index.train(fit)
                fit_seconds, began = time.perf_counter() - began, time.perf_counter()
                index.add(rows)
            except RuntimeError:  # this Faiss does not have it
                continue
            encode_seconds = time.perf_counter() - began
            found = index.search(queries, K)[1]
            row_bytes = index.sa_code_size() if hasattr(index, "sa_code_size") else size
            yield Kept("Faiss", label, row_bytes, overlap(found, exact), fit_seconds, encode_seconds)


def _quiet(index: Any, faiss: Any) -> None:
    """Let PQ not warn of a sample that is as small for all."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPQ):
        index.pq.cp.min_points_per_centroid = 1


def table(vectors: Vectors, sizes: list[int]) -> Iterator[str]:
    exact = search(Embeddings(vectors.queries), Embeddings(vectors.rows), K, metric="cosine").indices
    mean = float(np.linalg.norm(vectors.fit.mean(axis=0)))
    yield (
        f"{len(vectors.rows):,} rows of {vectors.dimension} dimensions, fitted to {len(vectors.fit):,} others (the "
        f"mean's length {mean:.2f}), {len(vectors.queries):,} queries\n"
    )
    yield "| bytes | code | overlap@10 | fitted in | rows/s |\n|---|---|---|---|---|"
    sizes = [size for size in sizes if size <= vectors.dimension]
    found = [*measured_ours(vectors, sizes, exact), *measured_peers(vectors, sizes, exact)]
    for kept in sorted(found, key=lambda kept: (kept.row_bytes, -kept.overlap)):
        rate = len(vectors.rows) / max(kept.encode_seconds, 1e-9)
        yield (
            f"| {kept.row_bytes:g} | {kept.who} {kept.label} | {kept.overlap:.3f} | {kept.fit_seconds:.1f} s | "
            f"{rate:,.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("vectors", nargs="?", type=Path)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("--bytes", nargs="*", type=int, default=BYTES)
    parser.add_argument("--fit", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=10_000)
    given = parser.parse_args()
    vectors = of_file(given.vectors, given.queries, given.fit, given.rows) if given.vectors else committed()
    for line in table(vectors, list(given.bytes)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
