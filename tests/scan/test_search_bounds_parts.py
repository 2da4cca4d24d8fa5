"""The parts of the bounds of rescoring, each against its definition: they are added up so that none is missed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from embcodec import Embeddings, LowBitCodes, LowBitQuantizer, rescore, search
from embcodec.quantizers.lowbit.errors import certain_bounds, errors_of, farthest, fixed_errors
from embcodec.quantizers.lowbit.queries import prepare_queries
from embcodec.scan.bounds import Bounds
from embcodec.scan.plan import low_bit_scan


def unit(n: int, dimension: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32) + np.float32(0.3)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True))


def coded(bits: int, rotation: str, dimension: int = 96, center: str = "mean", longer: float = 1.0) -> LowBitCodes:
    x = unit(64, dimension)
    return LowBitQuantizer(bits, rotation=rotation, center=center).fit(x).encode(x * np.float32(longer))


@pytest.mark.parametrize(
    ("bits", "rotation", "wider"), [(1, "random", 1.0), (4, "random", 1.0), (1, "none", 2.0), (2, "none", 1.25)]
)
def test_the_part_of_a_certain_bound_that_an_error_is_taken_for(bits: int, rotation: str, wider: float) -> None:
    """An error beyond t times the bound has a probability of at most exp(-t^2 (dimension - 1) / 2)."""
    codes = coded(bits, rotation, dimension=512)
    for confidence in (0.5, 0.999):
        t = math.sqrt(2 * math.log(2 * len(codes) / (1 - confidence)) / 511)
        assert Bounds(codes, Embeddings(unit(2, 512)), "dot", confidence)._part == pytest.approx(wider * t)
    assert Bounds(codes, Embeddings(unit(2, 512)), "dot", 1)._part == 1
    small = coded(bits, rotation, dimension=4)
    assert Bounds(small, Embeddings(unit(2, 4)), "dot", 0.999)._part == 1
    line = coded(bits, rotation, dimension=1)
    assert Bounds(line, Embeddings(unit(2, 1)), "dot", 0.999)._part == 1


def test_errors_of_learned_and_whitened_codes_are_taken_for_wider_ones() -> None:
    x = unit(200, 96)
    t = math.sqrt(2 * math.log(2 * 200 / (1 - 0.9)) / 95)
    for bits, rotation, wider in ((1, "learned", 2), (4, "learned", 1.25), (1, "whitened", 2), (4, "whitened", 1.4)):
        fitted = LowBitQuantizer(bits, rotation=rotation).fit(x)
        assert (fitted.scheme.rotation.gains is not None) == (rotation == "whitened")
        assert Bounds(fitted.encode(x), Embeddings(x[:2]), "dot", 0.9)._part == pytest.approx(wider * t)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("confidence", [1.0, 0.9])
@pytest.mark.parametrize(("bits", "center"), [(1, "mean"), (4, "none")])
def test_bounds_are_the_sum_of_their_parts(bits: int, center: str, confidence: float, metric: str) -> None:
    codes = coded(bits, "random", center=center)
    if metric == "dot":  # rows of any length
        codes = (
            LowBitQuantizer(bits, rotation="random", center=center)
            .fit(unit(64, 96))
            .encode(unit(64, 96) * np.where(np.arange(64) % 3, 1, 2)[:, None].astype(np.float32))
        )
    queries = unit(3, 96, seed=1) * np.float32([[1], [0.5], [7]])
    bounds = Bounds(codes, Embeddings(queries), metric, confidence)
    asked, rows = prepare_queries(codes.scheme, queries), errors_of(codes)
    rounding, away = (2.0**-11 if bits == 1 else 2.0**-22), farthest(codes, rows)
    summed = 4 * (96 + 96 / 128 + 8) * 2.0**-24
    certain, fixes = certain_bounds(codes, asked, rows), fixed_errors(codes, asked, rows)
    found = bounds._bounds(slice(None), rows)
    assert found.shape == (3, 64)
    for q in range(3):
        length, spread, share = asked.lengths[q], asked.spreads[q], abs(float(asked.shares[q]))
        for r in range(64):
            leaning = max(spread * rows.units[r], rows.others[r])
            fixed, bound = fixes[q, r], certain[q, r]
            assert fixed >= share * rows.shared[r] + 0.99e-6 * max(1.0, away[r])
            assert bound >= leaning + fixed
            if confidence < 1:
                met = (spread if rows.units[r] > 0 else 1.0) * math.sqrt(rows.squares[r])
                bound = min(bound, bounds._part * leaning + fixed + 2 * rounding * met)
            expected = {
                "cosine": bound + summed * away[r] + 2 * codes.unit_error,
                "dot": length * bound + summed * length * away[r],
                "l2": 2 * length * bound + summed * (length + away[r]) ** 2 + 2 * codes.unit_error * (1 + length),
            }[metric]
            assert found[q, r] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize(("bits", "center"), [(1, "mean"), (2, "none"), (4, "mean")])
def test_what_rounded_queries_are_allowed_to_move(bits: int, center: str, metric: str) -> None:
    """A score is a sum of 2 * width rounded parts, each off by half a step; so is that of the other row."""
    codes = coded(bits, "none", center=center)
    queries = unit(20, 96, seed=3) * np.float32(3)
    bounds = Bounds(codes, Embeddings(queries), metric, 1)
    scores = []
    for precision in ("int8", "float32"):
        found = search(queries, codes, 64, metric=metric, query_precision=precision)
        scores.append(np.take_along_axis(found.scores, np.argsort(found.indices, axis=1), 1).astype(np.float64))
    moved = np.abs(scores[0] - scores[1]).max(axis=1)
    asked = prepare_queries(codes.scheme, queries)
    width, terms = bits * 12 + 1, low_bit_scan(asked, codes, metric, "int8").terms
    assert terms is not None
    steps = terms[0] * codes.widest.scales * {"cosine": 1, "dot": asked.lengths, "l2": 2 * asked.lengths}[metric]
    assert (moved <= width * steps).all()
    np.testing.assert_allclose(bounds._rounding_of_queries(), 2 * width * steps, rtol=1e-6)
    likely = Bounds(codes, Embeddings(queries), metric, 0.9)._rounding_of_queries()
    roundings = math.sqrt(width * math.log(2 * 64 / (1 - 0.9)))
    np.testing.assert_allclose(likely, 2 * min(roundings, width) * steps, rtol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_the_reach_of_rows_behind_all_candidates(metric: str) -> None:
    """The worst candidate's score by rounded queries, the widest row's bound, and what rounding moves."""
    codes, queries = coded(2, "random"), unit(5, 96, seed=3)
    bounds = Bounds(codes, Embeddings(queries), metric, 0.99)
    candidates = search(queries, codes, 9, metric=metric).indices
    found = rescore(queries, candidates, codes, 9, metric=metric, query_precision="int8")
    worst = found.scores[:, -1].astype(np.float64) * (-1 if metric == "l2" else 1)
    expected = worst + bounds._bounds(slice(None), codes.widest)[:, 0] + bounds._rounding_of_queries()
    np.testing.assert_array_equal(bounds.reach_of_others(candidates, None), expected)
    candidates[0, 3:] = -1  # none there: the others count
    assert bounds.reach_of_others(candidates, None)[0] == pytest.approx(
        expected[0] + abs(worst[0] - found.scores[0, 2] * (-1 if metric == "l2" else 1))
    )
    assert np.isposinf(bounds.reach_of_others(np.empty((5, 0), np.int64), None)).all()
    assert np.isposinf(bounds.reach_of_others(np.full((5, 2), -1), None)).all()


def test_a_bound_reaches_the_scores_of_blocks_of_queries_alike() -> None:
    """Queries come sixteen at a time; where they begin does not matter."""
    codes, corpus = coded(2, "random"), unit(64, 96)
    queries = unit(35, 96, seed=4)
    candidates = search(queries, codes, 30).indices
    whole = rescore(queries, candidates, corpus, 5, bounded_by=codes)
    for q in range(35):
        alone = rescore(queries[q], candidates[q], corpus, 5, bounded_by=codes)
        assert np.array_equal(alone.indices, whole.indices[q])
        assert (alone.rescored, alone.is_final) == (whole.rescored[q], whole.is_final[q])
