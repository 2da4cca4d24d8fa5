"""Screening leaves nothing out: where rows are told apart by int8 first, the result is that of scoring them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embcodec import Embeddings, range_search, search
from embcodec._native.core import available_isas, forced_isa

Floats = NDArray[np.float32]
METRICS = ("dot", "cosine", "l2")
N_ROWS, N_QUERIES = 1500, 64  # several blocks; queries enough for screening from 100 dimensions on
FASTEST = available_isas()[-1]
# A tier that screens rows of floats for no single query; "scalar", which screens them for none at all, is slow.
PLAIN = next((name for name in ("avx2", "neon") if name in available_isas()), "scalar")


def unit(x: NDArray[Any]) -> Floats:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def corpora(dimension: int) -> dict[str, tuple[Floats, Floats]]:
    """Rows and queries by name."""
    rng = np.random.default_rng(dimension)
    noise = rng.standard_normal((N_ROWS + N_QUERIES, dimension))
    centers = rng.standard_normal((20, dimension))[rng.integers(0, 20, len(noise))]
    sizes = 10.0 ** rng.uniform(-9, 9, (len(noise), 1))
    steps = np.round(noise * 2) / 2  # many equal scores
    spikes = noise * 1e-3
    spikes[:, 0] = 1  # all of int8's range for one dimension: the codes say hardly anything
    twice = unit(np.repeat(noise, 2, axis=0)[: len(noise)])
    kinds = {
        "isotropic": unit(noise),
        "clusters": unit(noise * 0.4 + centers),
        "collapsed": unit(noise * 0.1 + centers[0]),
        "sizes": noise * sizes,
        "tiny": noise * 1e-15,
        "huge": noise * 1e14,
        "ties": steps,
        "twins": twice,
        "spikes": spikes,
        "descending": unit(noise) * np.linspace(2, 1, len(noise))[:, None],
        "ascending": unit(noise) * np.linspace(1, 2, len(noise))[:, None],  # the best come last: limits are never low
    }
    return {k: (v[N_QUERIES:].astype(np.float32), v[:N_QUERIES].astype(np.float32)) for k, v in kinds.items()}


def outcome(tier: str, function: Any, *arguments: Any, **options: Any) -> Any:
    """What a call returns, as bytes, or the words of its error."""
    with forced_isa(tier):
        try:
            return [array.tobytes() for array in function(*arguments, **options)]
        except ValueError as error:
            return str(error)


def one_by_one(queries: Any, rows: Any, **options: Any) -> Any:
    """Search for each query by itself, and bring the results together."""
    found = [search(queries[i : i + 1], rows, **options) for i in range(len(queries))]
    return tuple(np.concatenate(arrays) for arrays in zip(*found, strict=True))


def assert_same(queries: Any, rows: Any, function: Any = search, **options: Any) -> Any:
    plain = one_by_one if function is search else function
    want = outcome(PLAIN, plain, queries, rows, threads=1, **options)
    for threads in (1, 2):
        assert outcome(FASTEST, function, queries, rows, threads=threads, **options) == want
    return want


@pytest.mark.parametrize("dimension", [100, 257])
@pytest.mark.parametrize("name", corpora(8))
def test_every_kind_of_rows(name: str, dimension: int) -> None:
    rows, queries = corpora(dimension)[name]
    for metric in METRICS:
        for k in (1, 10, 300):
            assert_same(queries, rows, k=k, metric=metric)


@pytest.mark.parametrize("name", ["isotropic", "sizes", "spikes"])
def test_rows_on_every_tier(name: str) -> None:
    """A tier may screen by codes of few levels once limits are low, and by those of all where too many rows pass."""
    rows, queries = corpora(700)[name]  # of floats as long as few levels pay for
    for metric in METRICS:
        want = outcome("scalar", search, queries[:13], rows, k=2, metric=metric, threads=1)
        for tier in available_isas():
            assert outcome(tier, search, queries[:13], rows, k=2, metric=metric, threads=1) == want, tier
    many = np.concatenate([queries, queries[:9]])  # more than are few
    want = outcome(PLAIN, one_by_one, many, rows, k=2, metric="cosine", threads=1)
    for tier in available_isas()[1:]:
        assert outcome(tier, search, many, rows, k=2, metric="cosine", threads=1) == want, tier


@pytest.mark.parametrize("tier", available_isas())
@pytest.mark.parametrize("n_queries", [10, 16])
def test_few_queries_of_many_dimensions(n_queries: int, tier: str) -> None:
    """A block of such rows is rounded and met in several parts; behind the last there may be less than one."""
    rng = np.random.default_rng(n_queries)
    wide = unit(rng.standard_normal((333, 3002)) + 2 * rng.standard_normal(3002))
    for rows in (Embeddings(wide[:, :3000].copy(), "float"), Embeddings(wide[:193, :2999].copy(), "float")):
        queries = rng.standard_normal((n_queries, rows.dimension)).astype(np.float32)
        queries += np.asarray(rows.values)[:n_queries]
        for metric in METRICS:
            want = outcome("scalar", search, queries, rows, k=3, metric=metric, threads=1)
            assert outcome(tier, search, queries, rows, k=3, metric=metric, threads=1) == want


def test_zero_rows_and_queries() -> None:
    rows, queries = corpora(100)["clusters"]
    rows[::3] = 0
    queries[::2] = 0
    for metric in METRICS:
        assert_same(queries, rows, k=20, metric=metric)


def test_queries_of_very_different_sizes() -> None:
    rows, queries = corpora(100)["isotropic"]
    queries *= 10.0 ** np.linspace(-12, 12, len(queries), dtype=np.float32)[:, None]
    for metric in METRICS:
        assert_same(queries, rows, k=10, metric=metric)


def test_masks_selections_and_ranges() -> None:
    rows, queries = corpora(100)["clusters"]
    rng = np.random.default_rng(1)
    for mask in (rng.random(N_ROWS) < 0.4, rng.random(N_ROWS) < 0.05, np.arange(700, 1400)):
        assert_same(queries, rows, k=15, mask=mask)
    for metric, threshold in (("cosine", 0.8), ("dot", 0.95), ("l2", 0.5), ("cosine", -1.0)):
        assert_same(queries, rows, range_search, threshold=threshold, metric=metric)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("row", [5, 900, N_ROWS - 1])
def test_a_bad_row_is_found_in_every_block(row: int, value: float) -> None:
    rows, queries = corpora(100)["isotropic"]
    rows[row, 37] = value
    for metric in METRICS:
        want = assert_same(queries, rows, k=5, metric=metric)
        if np.isnan(value) or metric == "cosine":
            assert f"row {row} has" in want


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_rows_on_the_fastest_tier(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    dimension = data.draw(st.sampled_from([79, 128, 401]))
    n = data.draw(st.integers(200, 900))
    rank = data.draw(st.integers(1, 20))
    x = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, dimension))
    x += data.draw(st.sampled_from([0, 1e-6, 0.1, 3])) * rng.standard_normal(x.shape)
    x += data.draw(st.sampled_from([0, 1, 50])) * rng.standard_normal(dimension)
    x = (x * 2.0 ** data.draw(st.integers(-30, 30))).astype(np.float32)
    queries = x[rng.integers(0, n, 70)] + data.draw(st.sampled_from([0, 0.01])) * x[rng.integers(0, n, 70)]
    options = {"k": data.draw(st.integers(1, 50)), "metric": data.draw(st.sampled_from(METRICS))}
    assert_same(queries, x, **options)


@pytest.mark.parametrize("size", [1e-3, 1, 1e3])
@pytest.mark.parametrize("n_queries", [1, 3, N_QUERIES])
@pytest.mark.parametrize("codes", [False, True])
def test_what_rounding_a_query_hides_is_found(codes: bool, n_queries: int, size: float) -> None:
    """One element takes all of int8's range, and the others, just below half a step, are 0 once they are rounded.

    By these codes the first rows are best. The row that is best indeed has its length where the query has none left,
    and only the bound on the query's error, which must not depend on the query's size, lets it pass.
    """
    dimension = 1025
    query = np.full((n_queries, dimension), 0.49 * size, np.float32)
    query[:, 0] = 127 * size
    rows = np.zeros((N_ROWS, dimension), np.float32)
    rows[:, 0] = np.arange(N_ROWS) % 50  # far behind the first ones, so that nearly all are told apart
    rows[:40, 0] = 127
    rows[1400] = 127
    rows[1400, 0] = 1
    corpus = Embeddings(rows.astype(np.int8), "int8", dimension) if codes else rows
    for metric in METRICS:
        assert_same(query, corpus, k=2, metric=metric, query_precision="float32")
    with forced_isa(FASTEST):
        best = search(query, corpus, 2, metric="dot", query_precision="float32").indices
    assert (best[:, 0] == 1400).all()


SHORT = 0.97  # of the score of a row that rounding hides: a bound that is so much too small loses it
LAST = 4200  # its number, behind rows enough for all that screens


def rows_before(hidden: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return rows of which the first ones are like `others`, one is `hidden`, and the rest are far behind both."""
    rows = np.repeat(others[None] // 8 if others.dtype == np.int8 else others[None] / 8, LAST + 100, axis=0)
    rows[:40] = others
    rows[LAST] = hidden
    return rows


def assert_found(tier: str, queries: Any, rows: Any, **options: Any) -> None:
    with forced_isa(tier):
        found = search(queries, rows, 2, metric="dot", threads=1, **options).indices
    assert found.tolist() == [[LAST, 0]] * len(found)


@pytest.mark.parametrize("tier", [isa for isa in available_isas() if isa != "scalar"])
@pytest.mark.parametrize("dimension", [257, 1025])
@pytest.mark.parametrize("n_queries", [20, N_QUERIES])
def test_the_bound_is_wide_enough_for_what_rounding_hides_of_rows(n_queries: int, dimension: int, tier: str) -> None:
    """One element takes all of a row's range, and the others, just below half a step, point where the query does."""
    query = np.ones((n_queries, dimension), np.float32)
    query[:, 0] = 0
    hidden = np.full(dimension, 0.49, np.float32)
    hidden[0] = 127
    others = np.full(dimension, SHORT * 0.49, np.float32)
    others[0] = 0
    assert_found(tier, query, rows_before(hidden, others))


@pytest.mark.parametrize("tier", [isa for isa in available_isas() if isa != "scalar"])
@pytest.mark.parametrize("kind", ["float", "int8", "int8 by int8"])
@pytest.mark.parametrize("dimension", [257, 1025])
def test_the_bound_is_wide_enough_for_what_rounding_hides_of_queries(dimension: int, kind: str, tier: str) -> None:
    """The same of queries: the row that is best has its length where they have none left, the others see all of it."""
    for levels in (127, 32):
        query = np.full((20, dimension), 0.49 * 127 / levels, np.float32)
        query[:, 0] = 127
        if kind == "int8 by int8":
            query = np.maximum(np.floor(query), 1)
        hidden, others = np.ones(dimension, np.float32), np.zeros(dimension, np.float32)
        hidden[0] = 0
        others[0] = SHORT * query[0, 1] * (dimension - 1) / 127
        if kind == "float":
            assert_found(tier, query, rows_before(hidden, others))
            continue
        largest = 127 // max(others[0], 1)
        rows = rows_before(*((x * largest).astype(np.int8) for x in (hidden, others)))
        corpus = Embeddings(rows, "int8", dimension)
        if kind == "int8":
            assert_found(tier, query, corpus, query_precision="float32")
        else:
            assert_found(tier, Embeddings(query.astype(np.int8), "int8", dimension), corpus)
