"""The k best of many: large k, ties, orders that are adverse to a reservoir, and the memory that it takes."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from rows import make

from embcodec import Embeddings, quantize, range_search, rescore, search
from embcodec._native import core
from embcodec._native import scan as native
from embcodec._native.search import squares, top_k

N, DIMENSION = 3000, 40
ORDERS = ("as it comes", "best first", "best last", "all alike", "few scores")


def rows_in(order: str, dtype: str) -> tuple[Embeddings, Embeddings]:
    """Three queries and a corpus, in an order by what the first query makes of it."""
    rng = np.random.default_rng(30)
    corpus, queries = make(rng, N, DIMENSION, dtype), make(rng, 3, DIMENSION, dtype)
    if order == "all alike":
        return queries, corpus[np.zeros(N, int)]
    if order == "few scores":
        return queries, corpus[rng.integers(0, 5, N)]
    if order != "as it comes":
        best = search(queries[:1], corpus, N, metric=None if dtype == "ubinary" else "dot").indices[0]
        return queries, corpus[best if order == "best first" else best[::-1].copy()]
    return queries, corpus


def exact(queries: Embeddings, corpus: Embeddings) -> np.ndarray:
    """Costs of every row, of Hamming or of a dot of small integers, both exact."""
    if corpus.output_dtype == "ubinary":
        return np.bitwise_count(queries.values[:, None] ^ corpus.values[None]).sum(2, dtype=np.int64)
    return -(queries.values.astype(np.int64) @ corpus.values.T.astype(np.int64))


@pytest.mark.parametrize("dtype", ["ubinary", "int8", "float"])
@pytest.mark.parametrize("order", ORDERS)
def test_the_best_of_any_order(isa: str, order: str, dtype: str) -> None:
    queries, corpus = rows_in(order, "int8" if dtype == "float" else dtype)
    costs = exact(queries, corpus)
    metric = "hamming" if dtype == "ubinary" else "dot"
    if dtype == "float":  # of small integers, whose dots are exact whatever the order of the sums
        queries, corpus = (Embeddings(codes.values.astype(np.float32)) for codes in (queries, corpus))
    for k in (1, 10, 16, 32, 33, 64, 100, 1000, 2999, N):
        wanted = np.argsort(costs, axis=1, kind="stable")[:, :k]
        for some, threads in ((queries, 1), (queries, 3), (queries[:1], 1)):
            found = search(some, corpus, k, metric=metric, threads=threads)
            assert np.array_equal(found.indices, wanted[: len(some)]), (k, threads)


@pytest.mark.parametrize("order", ["best last", "few scores"])
@pytest.mark.parametrize("k", [10, 100, 1000])
def test_the_best_of_what_a_mask_or_a_selection_leaves(isa: str, order: str, k: int) -> None:
    queries, corpus = rows_in(order, "ubinary")
    costs = exact(queries, corpus)
    rng = np.random.default_rng(31)
    for share in (0.05, 0.5, 0.99):
        mask = rng.random(N) < share
        mask[:300] = False  # no row of the first block
        rows = np.flatnonzero(mask)
        wanted = rows[np.argsort(costs[:, rows], axis=1, kind="stable")[:, :k]]
        for chosen in (mask, rng.permutation(rows)):
            assert np.array_equal(search(queries, corpus, k, mask=chosen).indices, wanted)
        candidates = np.stack([rng.permutation(rows) for _ in range(3)])
        assert np.array_equal(rescore(queries, candidates, corpus, k).indices, wanted)


@pytest.mark.parametrize("order", ORDERS)
def test_a_range_finds_what_the_best_are(isa: str, order: str) -> None:
    queries, corpus = rows_in(order, "ubinary")
    costs = exact(queries, corpus)
    for threshold in (0, 12, 20, 99):
        limits, scores, indices = range_search(queries, corpus, threshold)
        assert limits.tolist() == [0, *np.cumsum((costs < threshold).sum(1))]
        for q, (start, stop) in enumerate(pairwise(limits)):
            assert np.array_equal(indices[start:stop], np.argsort(costs[q], kind="stable")[: stop - start])
            assert np.array_equal(scores[start:stop], np.sort(costs[q])[: stop - start])


@pytest.mark.parametrize("metric", ["dot", "cosine", "l2"])
def test_nan_is_seen_in_any_block_whatever_the_limit(isa: str, metric: str) -> None:
    x = np.random.default_rng(32).standard_normal((2000, 24)).astype(np.float32)
    for row, bad in product((0, 63, 300, 1999), (np.nan, -np.nan)):
        worse = x.copy()
        worse[row, 3] = bad
        for n_queries, k in ((1, 10), (20, 10), (20, 500)):
            with pytest.raises(ValueError, match=f"row {row} "):
                search(x[:n_queries], worse, k, metric=metric)
        allowed = np.arange(2000) != row
        assert row not in search(x[:20], worse, 10, metric=metric, mask=allowed).indices


@pytest.mark.parametrize(
    ("family", "row_bytes", "decode"),
    [
        (native.HAMMING_U1, 1 / 8, native.DECODE_NONE),
        (native.DOT_U1, 1 / 8, native.DECODE_NONE),
        (native.DOT_I8, 1, native.DECODE_NONE),
        (native.DOT_F32, 4, native.DECODE_NONE),
        (native.DOT_F32, 1, native.DECODE_I8),
        (native.DOT_F32, 1 / 8, native.DECODE_U1),
        (native.USER_TILE, 4, native.DECODE_NONE),
    ],
)
def test_scratch_stays_below_32_megabytes(isa: str, family: int, row_bytes: float, decode: int) -> None:
    ffi, lib = core.ffi, core.lib
    sizes = ((1, 2, 9, 64, 1000, 100_000), (8, 384, 1024, 3072), (1, 10, 1000), (1, 1000, 10_000_000))
    for (n_queries, dimension, k, n_rows), selects in product(product(*sizes), (False, True)):
        args = ffi.new("ec_search_args *")
        args.family, args.decode, args.metric = family, decode, native.COST_L2
        args.row_bytes = args.row_stride = int(dimension * row_bytes)
        args.width = args.row_bytes // 4 if row_bytes == 4 else args.row_bytes
        args.n_queries, args.n_rows, args.k = n_queries, n_rows, k
        if selects:
            args.selection, args.n_selected = ffi.cast("void *", 64), n_rows  # sizes alone do not look there
        assert 0 < lib.ec_search_scratch_bytes(args, 1) < 32 << 20, (n_queries, dimension, k, n_rows, selects)


def test_no_matrix_of_scores_is_made() -> None:
    """2,000 x 20,000 scores would be 160 MB; what is made on the way is some of the results' 3 MB and scratch."""
    rng = np.random.default_rng(33)
    cases: list[tuple[Any, Any]] = [
        (make(rng, 2000, 64, "ubinary"), make(rng, 20_000, 64, "ubinary")),
        (make(rng, 2000, 16, "float"), make(rng, 20_000, 16, "int8")),
        (make(rng, 2000, 16, "float"), make(rng, 20_000, 16, "float")),
    ]
    for queries, corpus in cases:
        tracemalloc.start()
        search(queries, corpus, 100, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 24 << 20


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_lengths_of_ranges_are_the_same_to_the_bit(isa: str, dtype: str) -> None:
    """Squared lengths of rows by a range a dimension: float32 sums of eight, joined in float64, within their bound."""
    from embcodec._native import core

    rng = np.random.default_rng(20)
    for dimension in (1, 3, 15, 16, 17, 31, 33, 64, 100, 127, 128, 129, 145, 1000):
        corpus = make(rng, 21, dimension, dtype)
        steps, offsets = rng.standard_normal((2, dimension)).astype(np.float32)
        flip = 0x80 if dtype == "uint8" else 0
        scan = native.Scan(native.DOT_I8, corpus.values[:1], corpus.values)
        scan.set_ranges(steps, offsets)
        scan.args.flip = flip
        found = squares(scan)
        codes = corpus.values.astype(np.float64) - (128 if flip else 0)
        np.testing.assert_allclose(found, ((steps * codes + offsets) ** 2).sum(1), rtol=(8 + 2 + 1) * 2.0**-24)
        with core.forced_isa("scalar"):
            assert np.array_equal(squares(scan), found)
        for exponent in (-110, -60, 60, 120):  # far beyond where a float32's square is one
            scan.set_ranges(np.ldexp(steps, exponent), np.ldexp(offsets, exponent))
            assert np.array_equal(squares(scan), np.ldexp(found, 2 * exponent))


@pytest.mark.parametrize("family", [native.DOT_F32, native.DOT_I8])
@pytest.mark.parametrize("selects", [False, True])
def test_rows_may_lie_further_apart_than_they_are_long(isa: str, selects: bool, family: int) -> None:
    """The contract has a stride beside the bytes of a row: what lies between rows is neither read as one nor scored."""
    rng = np.random.default_rng(34)
    wide = rng.integers(-127, 128, (900, 48)).astype(np.int8 if family == native.DOT_I8 else np.float32)
    queries = rng.standard_normal((3, 24)).astype(np.float32)
    selection = rng.permutation(900)[:500] if selects else None
    outcomes = []
    for rows in (wide, wide[:, :24].copy()):
        scan = native.Scan(family, queries, rows)
        scan.args.width, scan.args.row_bytes = 24, 24 * rows.itemsize
        scan.args.lengths = native.LENGTH_I8 if family == native.DOT_I8 else native.LENGTH_F32
        scan.meet(native.COST_L2, 24)
        scan.selection = selection
        outcomes.append(top_k(scan, 20, 1))
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("width", [24, 75, 100, 143])
def test_a_mask_of_one_query_fits_blocks_of_any_width(width: int, isa: str) -> None:
    """Blocks are as long as a number of bytes allows, and each begins with a byte of the mask."""
    rng = np.random.default_rng(width)
    x, mask = rng.standard_normal((2500, width)).astype(np.float32), rng.random(2500) < 0.5
    kept = np.flatnonzero(mask)
    for rows in (Embeddings(x), quantize(x, "int8", scale="per-vector"), quantize(x, "ubinary")):
        asked = rows[7:8]
        found, want = search(asked, rows, 9, mask=mask), search(asked, rows[kept], 9)
        assert found.indices.tolist() == kept[want.indices].tolist()
        assert found.scores.tolist() == want.scores.tolist()
