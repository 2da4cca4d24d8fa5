"""Scans of bits look only at scores that may matter: what they leave out is nobody's result, on every tier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from each import each

from embcodec import Embeddings, LowBitQuantizer, range_search, search
from embcodec.scan.best import best_of
from embcodec.scan.plan import plan
from embcodec.scan.reach import Reach

N_ROWS, N_QUERIES = 700, 7  # blocks of 256 and a rest that is no whole 64; queries by fours and a rest


def bits_around(rng: np.random.Generator, width: int, n_queries: int = N_QUERIES) -> tuple[np.ndarray, np.ndarray]:
    """Return queries and rows (bytes) with everything from no differing bit to all of them, and many ties."""
    queries = rng.integers(0, 256, (n_queries, width), dtype=np.uint8)
    rows = rng.integers(0, 256, (N_ROWS, width), dtype=np.uint8)
    rows[rng.permutation(N_ROWS)[:30]] = queries[rng.integers(0, N_QUERIES, 30)]
    rows[rng.permutation(N_ROWS)[:30]] = ~queries[rng.integers(0, N_QUERIES, 30)]
    nearly = rng.permutation(N_ROWS)[:60]
    rows[nearly] = queries[nearly % N_QUERIES] ^ np.uint8(255)
    rows[nearly, rng.integers(0, width, 60)] ^= np.uint8(1) << rng.integers(0, 8, 60).astype(np.uint8)
    return queries, rows


def differing(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.unpackbits(queries[:, None] ^ rows[None], axis=2).sum(2, dtype=np.int64)


@each("width", [*range(1, 34), 48, 128])
def test_hamming_of_short_rows(isa: str, width: int) -> None:
    rng = np.random.default_rng(width)
    queries, rows = bits_around(rng, width)
    exact = differing(queries, rows)
    ours, theirs = Embeddings(queries, "ubinary"), Embeddings(rows, "ubinary")
    mask = rng.random(N_ROWS) < 0.2
    for k in (1, 10, 40, 600, N_ROWS):
        for chosen in (None, mask):
            at = np.arange(N_ROWS) if chosen is None else np.flatnonzero(chosen)
            result = search(ours, theirs, k, mask=chosen)
            best = at[np.argsort(exact[:, at], axis=1, kind="stable")[:, :k]]
            assert np.array_equal(result.indices, best)
            assert np.array_equal(result.scores, np.take_along_axis(exact, best, 1))


@pytest.mark.parametrize("width", [1, 13, 31, 32, 33, 64])
def test_hamming_within_any_threshold(isa: str, width: int) -> None:
    queries, rows = bits_around(np.random.default_rng(width), width)
    exact = differing(queries, rows)
    ours, theirs = Embeddings(queries, "ubinary"), Embeddings(rows, "ubinary")
    for threshold in (0, 1, 2.5, width * 4, 247, 248, 249, 254, 255, 256, 257, 300, 8 * width, 8 * width + 1, 1e12):
        limits, scores, indices = range_search(ours, theirs, threshold)
        for q in range(N_QUERIES):
            found = np.flatnonzero(exact[q] < threshold)
            found = found[np.argsort(exact[q, found], kind="stable")]
            assert np.array_equal(indices[limits[q] : limits[q + 1]], found)
            assert np.array_equal(scores[limits[q] : limits[q + 1]], exact[q, found])


@pytest.mark.parametrize("width", [23, 24, 40, 128, 200])
def test_hamming_of_many_queries_that_are_alike(isa: str, width: int) -> None:
    """Where queries are met several at a time, what they have in common is most of all, or what sets them apart is."""
    rng = np.random.default_rng(width)
    rows, flips = rng.integers(0, 256, (4187, width), dtype=np.uint8), rng.random((51, 8 * width), dtype=np.float32)
    signs = np.unpackbits(rows, axis=1) * np.float32(2) - 1
    for share in (0.02, 0.98):
        queries = rows[:1] ^ np.packbits(flips < share, axis=1)
        queries[rng.integers(1, 51, 9)] = ~queries[0]
        exact = (4 * width - (np.unpackbits(queries, axis=1) - np.float32(0.5)) @ signs.T).astype(np.int64)
        ours, theirs = Embeddings(queries, "ubinary"), Embeddings(rows, "ubinary")
        for threshold in (1, 4 * width):
            limits, scores, indices = range_search(ours, theirs, threshold)
            q, r = np.nonzero(exact < threshold)
            order = np.lexsort((r, exact[q, r], q))
            assert np.array_equal(limits, np.searchsorted(q, np.arange(len(queries) + 1)))
            assert np.array_equal(indices, r[order])
            assert np.array_equal(scores, exact[q, r][order])


def in_batch_and_alone(found: Any, queries: Embeddings, single: Any) -> None:
    """A query by itself meets plain rows and has every cost counted: the same in a batch."""
    for q in range(len(queries)):
        alone = single(Embeddings(queries.values[q : q + 1], queries.output_dtype))
        assert np.array_equal(found(q)[0], alone[0])
        assert np.array_equal(found(q)[1], alone[1])


@each(
    "kind, metric",
    [*(("bits", m) for m in ("dot", "cosine", "l2", "jaccard")), *(("floats", m) for m in ("dot", "cosine", "l2"))],
)
@each("width", [1, 13, 32, 33, 100])
def test_costs_of_bits(isa: str, width: int, kind: str, metric: str) -> None:
    rng = np.random.default_rng(width)
    n_queries = 2 * N_QUERIES if width in (13, 32, 100) else N_QUERIES  # tiers may meet many queries in another way
    packed, rows = bits_around(rng, width, n_queries)
    signs = np.unpackbits(packed, axis=1) * np.float32(2) - 1
    floats = (signs * rng.exponential(1, signs.shape) * 10.0 ** rng.integers(-3, 4, (n_queries, 1))).astype(np.float32)
    floats[3] = 0
    floats[4] = np.round(signs[4] * 3)
    ours = Embeddings(packed, "ubinary") if kind == "bits" else Embeddings(floats, "float")
    theirs = Embeddings(rows, "ubinary")
    for k in (1, 10, 100):
        found = search(ours, theirs, k, metric=metric)
        in_batch_and_alone(
            lambda q, found=found: (found.indices[q], found.scores[q]),
            ours,
            lambda one, k=k: [part[0] for part in (search(one, theirs, k, metric=metric)[::-1])],
        )
    every = search(ours, theirs, N_ROWS, metric=metric)
    for threshold in (*every.scores[1, [0, 1, 50, 400, N_ROWS - 1]], *every.scores[3, [0, 20]], -1e30, 0.0, 1e30):
        limits, scores, indices = range_search(ours, theirs, threshold, metric=metric)
        in_batch_and_alone(
            lambda q, n=limits, i=indices, s=scores: (i[n[q] : n[q + 1]], s[n[q] : n[q + 1]]),
            ours,
            lambda one, t=threshold: range_search(one, theirs, t, metric=metric)[:0:-1],
        )


@each("share, center", [(0.0, "mean"), (0.02, "mean"), (3.0, "mean"), (0.3, "none"), (3.0, "none")])
def test_costs_of_codes_with_scales_and_biases_of_their_own(isa: str, share: float, center: Any) -> None:
    """Blocks have limits of their own, by the greatest scale: which is a hundred times another's, or all are alike."""
    rng = np.random.default_rng(7)
    rows = (rng.standard_normal((2100, 24)) + rng.standard_normal(24)).astype(np.float32)
    rows *= np.exp(share * rng.standard_normal((len(rows), 1))).astype(np.float32)
    codes = LowBitQuantizer(bytes_per_vector=12, lengths="stored", center=center).fit(rows).encode(rows)
    queries = Embeddings(rows[::190] + rng.standard_normal((12, 24)).astype(np.float32))
    for k in (1, 3):
        found = search(queries, codes, k, metric="dot")
        in_batch_and_alone(
            lambda q, found=found: (found.indices[q], found.scores[q]),
            queries,
            lambda one, k=k: [part[0] for part in (search(one, codes, k, metric="dot")[::-1])],
        )
        reach = Reach(k)  # what the first search tells, the second is within from its first block on
        for _ in range(2):
            again = best_of(plan(queries, codes, "dot", "int8"), k, 1, reach)
            assert np.array_equal(again.indices, found.indices)
            assert np.array_equal(again.scores, found.scores)
        assert reach.costs is not None
    every = search(queries, codes, len(rows), metric="dot")
    greatest = [begin + int(codes.row_scales()[begin : begin + 256].argmax()) for begin in range(0, 2048, 256)]
    just = every.scores[1][np.isin(every.indices[1], greatest)]  # these rows are found by a hair, or barely not
    for threshold in (*every.scores[1, [0, 5, 300, 2000]], *np.nextafter(just, np.float32(-np.inf)), 0.0, -1e30):
        limits, scores, indices = range_search(queries, codes, threshold, metric="dot")
        in_batch_and_alone(
            lambda q, n=limits, i=indices, s=scores: (i[n[q] : n[q + 1]], s[n[q] : n[q + 1]]),
            queries,
            lambda one, t=threshold: range_search(one, codes, t, metric="dot")[:0:-1],
        )
    damaged = codes.lengths.copy()
    damaged[300] = np.nan
    with pytest.raises(ValueError, match="row 300"):
        range_search(queries, replace(codes, lengths=damaged), 2 * every.scores.max(), metric="dot")
