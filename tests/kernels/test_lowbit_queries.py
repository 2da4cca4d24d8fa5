"""What float queries become on their way to low-bit codes, against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from each import each

from embcodec import DecodeError
from embcodec._native.lowbit import rests_of
from embcodec._native.principal import meet


@each("dimension", [1, 7, 64, 301])
def test_rests_of_queries(isa: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    queries = rng.standard_normal((9, dimension)).astype(np.float32)
    queries *= 10.0 ** rng.integers(-30, 30, (9, 1)).astype(np.float32)
    queries[3] = 0
    queries[4] = 1e-45  # the least that is not zero
    center = rng.standard_normal(dimension).astype(np.float32)
    queries[5] = 40 * center
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
    units = queries / np.where(lengths > 0, lengths, 1)[:, None]
    for away, most in ((None, 2.0), (center, 2.0), (center * 1e-3, 2.0), (center, 0.0), (0 * center, 2.0)):
        wide = np.zeros(dimension) if away is None else away.astype(np.float64)
        along, square = units @ wide, float(wide @ wide)
        shares = np.clip(along / square, -most, most) if square else np.zeros(9)
        found = rests_of(queries, away, most)
        rests = units - shares[:, None] * wide
        np.testing.assert_allclose(found.lengths, lengths, rtol=1e-14)
        np.testing.assert_allclose(found.along, along, rtol=0, atol=2e-7 * (1 + square**0.5))
        np.testing.assert_allclose(found.shares, shares, rtol=1e-6, atol=4e-7 / max(square, 1e-7) ** 0.5)
        np.testing.assert_allclose(found.rests, rests, rtol=0, atol=1e-6)
        np.testing.assert_allclose(found.spreads, np.linalg.norm(found.rests.astype(np.float64), axis=1), rtol=1e-14)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_queries_that_are_not_finite_are_named(isa: str, bad: float) -> None:
    queries = np.ones((6, 50), np.float32)
    queries[4, 49] = bad
    with pytest.raises(ValueError, match="query 4 has NaN or infinite values, the first in column 49"):
        rests_of(queries, None, 2.0)


@each("sources", [1, 2, 3, 4, 5, 6])
def test_places_meet_sums_of_directions(sources: int) -> None:
    rng = np.random.default_rng(sources)
    source = rng.integers(0, 21, (sources, 88), dtype=np.int32)
    weights, turned = rng.integers(-9, 9, (sources, 88)), rng.integers(-99, 99, (5, 21))
    expected = (turned[:, source] * weights).sum(axis=1)
    found = meet(source, weights.astype(np.float32), turned.astype(np.float32))
    np.testing.assert_array_equal(found, expected)
    for bad in (-1, 21):
        source[-1, -1] = bad
        with pytest.raises(DecodeError):
            meet(source, weights.astype(np.float32), turned.astype(np.float32))


def test_arrays_that_do_not_go_together_are_refused() -> None:
    queries, places = np.ones((3, 8), np.float32), np.zeros((2, 5), np.int32)
    with pytest.raises(DecodeError):
        rests_of(queries, queries[0, :7], 2.0)
    with pytest.raises(DecodeError):
        meet(places[:1], np.ones((2, 5), np.float32), queries)
    with pytest.raises(DecodeError):
        meet(places[:0], np.ones((0, 5), np.float32), queries)
