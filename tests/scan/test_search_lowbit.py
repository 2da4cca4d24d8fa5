"""A score by low-bit codes depends on its query and its row alone, and goes with the query's length as it should."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from embcodec import BoundedResult, CodeMismatchError, FlatIndex, LowBitCodes, LowBitQuantizer, rescore, search
from embcodec.quantizers.lowbit.queries import prepare_queries

METRICS = ("cosine", "dot", "l2")
LENGTHS = (0.01, 0.3, 1.0, 7.0, 1000.0)
ROTATIONS = ("random", "whitened")


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def vectors(n: int, dimension: int, seed: int) -> np.ndarray:
    """Unit vectors with much in common, as of a collapsed model."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(99).standard_normal(dimension) * 1.5
    return unit(rng.standard_normal((n, dimension)) + common)


@cache
def coded(bits: int, rotation: str = "blocks", center: str = "mean", dimension: int = 60, n: int = 400) -> LowBitCodes:
    x = vectors(n, dimension, 1)
    return LowBitQuantizer(bits, rotation=rotation, center=center).fit(x).encode(x)


def every_score(queries: np.ndarray, codes: LowBitCodes, metric: str, precision: str, by: str = "search") -> np.ndarray:
    """Scores (m, n) in the order of the rows."""
    count = np.tile(np.arange(len(codes)), (len(queries), 1))
    how: dict[str, Any] = {"metric": metric, "query_precision": precision}
    if by == "search":
        scores, indices = search(queries, codes, len(codes), **how)
    else:
        scores, indices = rescore(queries, count, codes, len(codes), **how)
    found = np.empty_like(scores)
    np.put_along_axis(found, indices, scores, 1)
    return found


@pytest.mark.parametrize("center", ["none", "mean"])
@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("bits", [1, 4])
def test_scores_are_those_of_shards(bits: int, rotation: str, center: str) -> None:
    """To the bit: for 1, 20 and 200 shards, one query or many, with a row not of unit length or without."""
    codes = coded(bits, rotation, center)
    queries = vectors(9, 60, 2) * np.geomspace(0.01, 1000, 9, dtype=np.float32)[:, None]
    odd = LowBitCodes.of(np.concatenate([vectors(400, 60, 1), 3 * vectors(1, 60, 5)]), codes.scheme)
    assert not odd.is_unit
    for metric in METRICS:
        for precision in ("int8", "float32") if metric == "dot" else ("int8",):
            whole = every_score(queries, codes, metric, precision)
            for shards in (20, 200):
                size = 400 // shards
                parts = [codes[at : at + size] for at in range(0, 400, size)]
                joined = np.concatenate([every_score(queries, part, metric, precision) for part in parts], axis=1)
                np.testing.assert_array_equal(joined, whole)
            np.testing.assert_array_equal(every_score(queries, codes, metric, precision, "rescore"), whole)
            np.testing.assert_array_equal(every_score(queries[4:5], codes, metric, precision), whole[4:5])
            if metric == "dot":
                beside = every_score(queries, odd, metric, precision)
                np.testing.assert_array_equal(beside[:, :400], whole)
                alone = every_score(queries, odd[400:], metric, precision)
                np.testing.assert_array_equal(beside[:, 400:], alone)
    for metric in ("cosine", "l2"):
        with pytest.raises(CodeMismatchError, match="row 400 had not"):
            search(queries, odd, 3, metric=metric)
        assert len(search(queries, odd[:400], 3, metric=metric).indices) == 9


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_length_of_a_query_changes_no_order(bits: int) -> None:
    codes, asked = coded(bits), vectors(40, 60, 2)
    expected = search(asked, codes, 10)
    assert expected.scores.max() <= 1
    for length in LENGTHS:
        longer = np.float32(length) * asked
        cosines = search(longer, codes, 10)
        overlap = (cosines.indices[:, :, None] == expected.indices[:, None]).any(axis=2).mean()
        assert overlap >= 0.995
        off = np.abs(cosines.scores - expected.scores).max(axis=1)
        assert (off > 1e-6).sum() <= 2  # queries: a last bit may round an entry of the tables otherwise
        assert off.max() <= 1e-3  # by one of its 127 steps
        assert cosines.scores.max() <= 1
        dots = search(longer, codes, 10, metric="dot")
        np.testing.assert_allclose(dots.scores / length, cosines.scores, atol=1e-6)
        distances = search(longer, codes, 10, metric="l2")
        np.testing.assert_allclose(distances.scores, length**2 + 1 - 2 * dots.scores, rtol=1e-5, atol=1e-5 * length)
        assert distances.scores.min() >= 0


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_cosines_of_rows_with_themselves_are_at_most_one(isa: str, bits: int) -> None:
    codes, x = coded(bits), vectors(400, 60, 1)
    best = search(x, codes, 1)
    assert (best.scores <= 1).all()
    assert (best.scores == 1).any()
    assert (search(50 * x, codes, 1, metric="l2").scores >= (50 - 1) ** 2 - 1e-2).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_final_means_final_for_queries_of_any_length(bits: int, rotation: str, metric: str) -> None:
    x, asked = vectors(400, 60, 1), vectors(30, 60, 2)
    x[::9] *= np.float32(1 if metric != "dot" else 1.5)
    codes = LowBitQuantizer(bits, rotation=rotation, center="mean").fit(x).encode(x)
    index = FlatIndex(codes, rescore_with=x)
    for length in LENGTHS:
        queries = np.float32(length) * asked
        exhaustive = search(queries, x, 5, metric=metric)
        for confidence in (0.999, 1.0):
            found = index.search(queries, 5, metric=metric, rescore_multiplier=30, confidence=confidence)
            assert isinstance(found, BoundedResult)
            same = (found.indices == exhaustive.indices).all(axis=1)
            assert same[found.is_final].all()
        assert bits < 4 or metric == "l2" or found.is_final.mean() > 0.1


def test_what_a_share_of_the_center_leaves_is_the_shortest() -> None:
    codes, asked = coded(2), vectors(20, 60, 2)
    center = codes.scheme.center
    assert center is not None
    prepared = prepare_queries(codes.scheme, 5 * asked)
    np.testing.assert_allclose(prepared.lengths, 5, rtol=1e-6)
    np.testing.assert_allclose(prepared.spreads, np.sqrt(1 - (asked @ center) ** 2 / (center @ center)), atol=1e-5)
    # A center that hardly is one is not magnified.
    tiny = codes.scheme.__class__(2, 60, codes.scheme.rotation, 1e-6 * center, True, codes.scheme.scale_unit)
    assert np.abs(prepare_queries(tiny, asked).shares).max() == 2


def test_odd_queries() -> None:
    codes = coded(1)
    for metric, expected in (("cosine", 0.0), ("dot", 0.0), ("l2", 1.0)):
        assert (search(np.zeros((2, 60), np.float32), codes, 3, metric=metric).scores == expected).all()
    tiny = search(vectors(2, 60, 2) * np.float32(1e-42), codes, 3)
    assert np.isfinite(tiny.scores).all()
    huge = vectors(2, 60, 2) * np.float32(3e37)
    assert np.isfinite(search(huge, codes, 3).scores).all()
    with pytest.raises(ValueError, match="too large"):
        search(huge, codes, 3, metric="l2")
    for bad in (np.nan, np.inf):
        queries = vectors(3, 60, 2)
        queries[1, 7] = bad
        with pytest.raises(ValueError, match="query 1 has NaN"):
            search(queries, codes, 3)
