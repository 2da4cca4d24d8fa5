"""Codes that meet codes are told apart by rough dots first where a tier has them: the results are those of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embcodec import Embeddings, Scale, range_search, search
from embcodec._native.core import available_isas, forced_isa

pytestmark = pytest.mark.skipif("avx2" not in available_isas(), reason="AVX2 alone has rough dots")

N_ROWS, N_QUERIES, DIMENSION = 4700, 21, 133  # enough rows, queries and dimensions for rough dots
METRICS = ("dot", "cosine", "l2")


def gaussian(rng: np.random.Generator, n: int, sigma: float = 38) -> NDArray[np.int8]:
    return np.clip(np.round(rng.standard_normal((n, DIMENSION)) * sigma), -127, 127).astype(np.int8)


def corpora() -> dict[str, tuple[NDArray[np.int8], NDArray[np.int8]]]:
    """Rows and queries by name."""
    rng = np.random.default_rng(0)
    n = N_ROWS + N_QUERIES
    noise, small = gaussian(rng, n), gaussian(rng, n, 3)
    uniform = rng.integers(-128, 128, (n, DIMENSION), dtype=np.int8)
    centre = gaussian(rng, 1, 25)
    collapsed = np.clip(gaussian(rng, n, 4).astype(np.int32) + centre, -127, 127).astype(np.int8)
    ends = np.where(uniform > 100, 127, -128).astype(np.int8)
    zeros = noise.copy()
    zeros[::3] = 0
    rising = (gaussian(rng, n, 30) * np.linspace(0.1, 1, n)[:, None]).astype(np.int8)  # the best come last
    spikes = gaussian(rng, n, 1)
    spikes[:, 7] = 127  # queries' few levels say nothing of the other dimensions
    ties = rng.integers(-1, 2, (n, DIMENSION), dtype=np.int8)
    kinds = {
        "gaussian": noise, "small": small, "uniform": uniform, "collapsed": collapsed, "ends": ends, "zeros": zeros,
        "rising": rising, "spikes": spikes, "ties": ties,
    }  # fmt: skip
    return {name: (rows[N_QUERIES:], rows[:N_QUERIES]) for name, rows in kinds.items()}


CORPORA = corpora()


def outcome(tier: str, function: Any, *arguments: Any, **options: Any) -> list[bytes]:
    with forced_isa(tier):
        return [array.tobytes() for array in function(*arguments, **options)]


def assert_same(queries: Any, rows: Any, function: Any = search, **options: Any) -> None:
    want = outcome("scalar", function, queries, rows, threads=1, **options)
    for threads in (1, 2):
        assert outcome("avx2", function, queries, rows, threads=threads, **options) == want


@pytest.mark.parametrize("name", CORPORA)
def test_every_kind_of_codes(name: str) -> None:
    rows, queries = (Embeddings(x, "int8") for x in CORPORA[name])
    for metric in METRICS:
        assert_same(queries, rows, k=5, metric=metric)
    assert_same(queries, rows, k=60, metric="dot")


@pytest.mark.parametrize("name", ["gaussian", "collapsed", "zeros"])
def test_scales_and_other_types(name: str) -> None:
    """Terms of rows and of queries, and centres that are added to each code."""
    rows, queries = CORPORA[name]
    rng = np.random.default_rng(1)
    floats = queries.astype(np.float32) / 50
    spread = rng.uniform(0.1, 1, DIMENSION)
    for metric in METRICS:
        own = Embeddings(rows, "int8", DIMENSION, Scale.per_vector(rng.uniform(0.01, 1, N_ROWS).astype(np.float32)))
        assert_same(floats, own, k=5, metric=metric)
        ranges = Embeddings(rows, "int8", DIMENSION, Scale.ranges([-spread, spread * 2]))
        assert_same(floats, ranges, k=5, metric=metric)
        unsigned = Embeddings(rows.view(np.uint8) ^ 0x80, "uint8")
        assert_same(floats, unsigned, k=5, metric=metric)
        assert_same(Embeddings(queries.view(np.uint8) ^ 0x80, "uint8"), unsigned, k=5, metric=metric)


def test_masks_selections_and_ranges() -> None:
    rows, queries = (Embeddings(x, "int8") for x in CORPORA["gaussian"])
    rng = np.random.default_rng(2)
    for mask in (rng.random(N_ROWS) < 0.4, np.arange(200, N_ROWS)):
        assert_same(queries, rows, k=5, mask=mask)
    many = Embeddings(np.tile(queries.values, (4, 1)), "int8")  # more than are few
    for metric in METRICS:
        assert_same(many, rows, k=5, metric=metric)
    best = search(queries, rows, 20, metric="cosine", threads=1).scores
    assert_same(queries, rows, range_search, threshold=float(np.median(best[:, -1])), metric="cosine")


@pytest.mark.parametrize("dimension", [128, 129, 135, 136, 1030, 2061])
def test_lengths_about_whole_steps_and_chunks(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    rows = rng.integers(-128, 128, (4200, dimension), dtype=np.int8)
    queries = np.repeat(rows[:6], 4, axis=0)[:22]  # each finds itself
    queries[::3] //= 2
    assert_same(Embeddings(queries, "int8"), Embeddings(rows, "int8"), k=3, metric="dot")


@pytest.mark.parametrize("metric", ["dot", "l2"])
def test_a_row_that_rounding_hides_wholly_is_found(metric: str) -> None:
    """Of queries of 127 once and 1 else, few levels leave the first alone; a row has only what they lose."""
    queries = np.ones((N_QUERIES, DIMENSION), np.int8)
    queries[:, 0] = 127
    rows = np.zeros((N_ROWS, DIMENSION), np.int8)
    rows[:, 0] = 10
    rows[:20, 0] = 100  # the best but for those that follow
    for row in (300, 2000, N_ROWS - 1):
        rows[row, 1:] = 127 if metric == "dot" else 1
        rows[row, 0] = 0 if metric == "dot" else 100
    asked, stored = Embeddings(queries, "int8"), Embeddings(rows, "int8")
    assert_same(asked, stored, k=5, metric=metric)
    assert search(asked, stored, 3, metric=metric).indices[0].tolist() == [300, 2000, N_ROWS - 1]
