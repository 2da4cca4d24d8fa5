"""Codes of others at equal bytes, as `quality.py` compares them: fitted to the same rows, asked on one thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from quality_codes import Answer, Asked, Code, Encoder, Floats, K


def peers(dimension: int, sizes: list[int]) -> Iterator[Code]:
    for size in sizes:
        if size <= dimension:
            yield from faiss_of_size(dimension, size)
    yield from faiss_of_bits(dimension)
    for bits in (1, 2, 3, 4, 8):
        size = -(-dimension // 64) * 8 * bits + (12 if bits == 1 else 20)  # without the four bytes of a row's number
        yield Code(
            "rabitqlib", f"{bits} bit{'s' * (bits > 1)}", "rabitqlib", size, partial(rabitqlib, bits=bits, size=size)
        )
    for bits in (2, 4):  # three bits are stored in as many bytes as four
        size = dimension * bits // 8 + 4
        yield Code("turbovec", f"TurboQuant, {bits} bits", "turbovec", size, partial(turbovec, bits=bits, size=size))
    for block in (1, 2, 4, 8):
        size = dimension / block / 2
        if block == 1 or size in sizes:
            yield Code("ScaNN", f"{block} a code of 4 bits", "scann", size, partial(scann, block=block, size=size))
    yield Code("usearch", "i8", "usearch", dimension, usearch_int8)
    yield Code("usearch", "b1, asked with bits", "usearch", dimension / 8, usearch_bits)


def faiss_of_size(dimension: int, size: int) -> Iterator[Code]:
    # Without "np" training also orders the codes for Hamming distances, by simulated annealing: minutes, for nothing
    # that is measured here.
    def code(label: str, factory: str, parts: int | None = None) -> Code:
        return Code("Faiss", label, "faiss", size, partial(faiss_index, factory=factory, parts=parts))

    yield code("PQ", f"PQ{size}x8np", size)
    if 2 * size <= dimension:
        yield code("PQ of 4 bits, fast scan", f"PQ{2 * size}x4fs", 2 * size)
    # Four dimensions a part, as Faiss' guide has it, or all.
    turned = min(4 * size, -(-dimension // size) * size)
    yield code("OPQ", f"OPQ{size}_{turned},PQ{size}x8np")
    # Residual and local search quantizers of so many parts train for minutes, even in products of small ones.


def faiss_of_bits(dimension: int) -> Iterator[Code]:
    def code(label: str, factory: str, size: int) -> Code:
        return Code("Faiss", label, "faiss", size, partial(faiss_index, factory=factory))

    for bits in (4, 6, 8):
        yield code(f"SQ{bits}", f"SQ{bits}", dimension * bits // 8)
    for bits in (1, 2, 3, 4):
        size = -(-dimension // 8) * bits + (8 if bits == 1 else 20)
        for label, turned in (("RaBitQ", ""), ("RaBitQ, rotated", "RR,")):
            yield code(f"{label}, {bits} bit{'s' * (bits > 1)}", f"{turned}RaBitQ{bits if bits > 1 else ''}", size)


def faiss_index(fit: Floats, factory: str, parts: int | None = None) -> Encoder:
    """Train an index by its factory's name; of so many parts each gets as many dimensions as others, or one fewer."""
    import faiss

    faiss.omp_set_num_threads(1)
    spread = partial(spread_out, parts=parts) if parts else np.ascontiguousarray
    fit = spread(fit)
    index = faiss.index_factory(fit.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    inner = faiss.downcast_index(index)
    if isinstance(inner, faiss.IndexPQ):
        inner.pq.cp.min_points_per_centroid = 1  # no warning of a sample that is as small for all
    index.train(fit)

    def encode(rows: Floats) -> tuple[float, Asked]:
        index.add(spread(rows))
        coded = faiss.downcast_index(index.index) if isinstance(inner, faiss.IndexPreTransform) else inner
        return coded.code_size, lambda queries: index.search(spread(queries), K)[1]

    return encode


def spread_out(x: Floats, parts: int) -> Floats:
    """Return rows with zeros between, where parts of equal width would not have equally many dimensions."""
    dimension = x.shape[1]
    if dimension % parts == 0:
        return x
    width = -(-dimension // parts)
    column = np.arange(dimension)
    part = column * parts // dimension
    first = -(-np.arange(parts) * dimension // parts)
    out = np.zeros((len(x), parts * width), np.float32)
    out[:, part * width + column - first[part]] = x
    return out


def rabitqlib(fit: Floats, bits: int, size: float) -> Encoder:
    from rabitqlib import IvfIndex

    center = fit.mean(axis=0, keepdims=True)

    def encode(rows: Floats) -> tuple[float, Asked]:
        index = IvfIndex(rows.shape[1], len(rows), 1, bits, metric="ip")
        index.build(rows, center, np.zeros(len(rows), np.uint32))
        return size, lambda queries: next(part for part in index.search(queries, K, 1) if part.dtype.kind in "iu")

    return encode


def turbovec(fit: Floats, bits: int, size: float) -> Encoder:
    from turbovec import TurboQuantIndex

    index = TurboQuantIndex(fit.shape[1], bits)
    index.calibrate(fit)

    def encode(rows: Floats) -> tuple[float, Asked]:
        index.add(rows)
        return size, lambda queries: index.search(queries, K)[1].astype(np.int64)

    return encode


def scann(fit: Floats, block: int, size: float) -> Encoder:
    """Train on the rows to fit to, add others, and take the first away again: names are their numbers."""
    from scann import scann_ops_pybind

    def names(first: int, count: int) -> list[str]:
        return [str(number) for number in range(first, first + count)]

    builder = scann_ops_pybind.builder(fit, K, "dot_product").set_n_training_threads(1)
    index = builder.score_ah(block, anisotropic_quantization_threshold=0.2).build(docids=names(0, len(fit)))

    def encode(rows: Floats) -> tuple[float, Asked]:
        index.upsert(names(len(fit), len(rows)), rows, batch_size=len(rows))
        index.delete(names(0, len(fit)))
        return size, lambda queries: np.array(index.search_batched(queries)[0], dtype=np.int64) - len(fit)

    return encode


def usearch_int8(fit: Floats) -> Encoder:
    from usearch.index import Index

    def encode(rows: Floats) -> tuple[float, Asked]:
        index = Index(ndim=rows.shape[1], metric="ip", dtype="i8")
        index.add(np.arange(len(rows)), rows, threads=1)
        return rows.shape[1], lambda queries: index.search(queries, K, exact=True, threads=1).keys.astype(np.int64)

    return encode


def usearch_bits(fit: Floats) -> Encoder:
    from usearch.index import MetricKind
    from usearch.index import search as nearest

    def encode(rows: Floats) -> tuple[float, Asked]:
        bits = np.packbits(rows > 0, axis=1)

        def ask(queries: Floats) -> Answer:
            given = np.packbits(queries > 0, axis=1)
            return nearest(bits, given, K, MetricKind.Hamming, exact=True, threads=1).keys.astype(np.int64)

        return bits.shape[1], ask

    return encode
