"""The study: measures against known values and an oracle, and the recommendation that follows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from embcodec.embeddings import Embeddings
from embcodec.search import search
from embcodec.tradeoff import study
from embcodec.tradeoff_measures import (
    Estimate,
    bootstrap,
    bootstrap_ratio,
    collapse_warnings,
    ndcg,
    overlap,
    pareto,
)

random = np.random.default_rng(11)


def test_overlap_is_that_of_sets() -> None:
    found, truth = (np.array([random.permutation(30)[:10] for _ in range(50)]) for _ in range(2))
    expected = [len(set(f) & set(t)) / 10 for f, t in zip(found.tolist(), truth.tolist(), strict=True)]
    assert overlap(found, truth).tolist() == expected
    assert overlap(truth, truth).tolist() == [1.0] * 50
    assert overlap(found[:, :3], truth).max() <= 0.3


def test_missing_neighbours_do_not_count() -> None:
    assert overlap(np.array([[1, 2, -1]]), np.array([[2, 1, -1]])).tolist() == [1.0]
    assert overlap(np.array([[-1, -1]]), np.array([[-1, -1]])).tolist() == [0.0]


def test_ndcg_of_known_rankings() -> None:
    found = np.array([[3, 1, 2], [1, 3, 2], [1, 2, 3], [7, 8, 9]])
    assert ndcg(found, [3, 3, 3, 3]) == pytest.approx([1, 1 / math.log2(3), 0.5, 0])
    both = ndcg(np.array([[5, 9, 6]]), [[5, 6]])[0]
    assert both == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3)))
    assert ndcg(np.array([[1, 2]]), [[]]).tolist() == [0.0]
    assert ndcg(np.array([[1, 2]]), [[1, 2, 3, 4]]).tolist() == [1.0]
    with pytest.raises(ValueError, match="3 queries"):
        ndcg(found, [1, 2, 3])


def test_bootstrap_interval_is_that_of_the_normal_law() -> None:
    values = random.normal(0.5, 0.2, 400)
    found = bootstrap(values)
    error = values.std() / math.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert bootstrap(values) == found


def test_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    covered = [
        interval.low <= 0.7 <= interval.high
        for interval in (bootstrap(random.binomial(10, 0.7, 120) / 10, resamples=400) for _ in range(300))
    ]
    assert 0.90 <= np.mean(covered) <= 0.985


def test_ratio_cancels_what_both_share() -> None:
    reference = random.uniform(0.1, 1.0, 200)
    same = bootstrap_ratio(reference * 0.9, reference)
    assert same == Estimate(pytest.approx(0.9), pytest.approx(0.9), pytest.approx(0.9))
    noisy = bootstrap_ratio(random.uniform(0.1, 1.0, 200), reference)
    assert noisy is not None
    assert noisy.high - noisy.low > 0.05
    assert bootstrap_ratio(reference, np.zeros(200)) is None


def test_no_queries_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no queries"):
        bootstrap(np.zeros(0))


def test_pareto_front_by_brute_force() -> None:
    costs, gains = random.integers(0, 12, 40).tolist(), (random.integers(0, 12, 40) / 12).tolist()
    for (cost, gain), best in zip(zip(costs, gains, strict=True), pareto(costs, gains), strict=True):
        others = zip(costs, gains, strict=True)
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in others)
        assert best == (not beaten)


def test_collapse_is_seen() -> None:
    x = random.standard_normal((2000, 64)).astype(np.float32)
    assert collapse_warnings(x) == []
    assert any("mean" in text for text in collapse_warnings(x + 3))
    assert any("same sign" in text for text in collapse_warnings(x + 3))
    few = x * np.where(np.arange(64) < 5, 20, 1).astype(np.float32)
    assert any("variance" in text for text in collapse_warnings(few))
    assert collapse_warnings(np.zeros((5, 4), np.float32)) == ["every vector is zero"]


def clustered(rows: int, dimension: int = 64) -> np.ndarray:
    """Unit vectors around a few centres, as texts about a few subjects are."""
    centres = random.standard_normal((12, dimension))
    x = centres[random.integers(0, 12, rows)] + 0.8 * random.standard_normal((rows, dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_study_of_held_out_rows() -> None:
    calls: list[tuple[int, int, str]] = []
    found = study(clustered(1200), progress=lambda *call: calls.append(call))
    assert (found.rows, found.queries, found.dimension, found.held_out) == (960, 240, 64, True)
    by = {(row.label, row.dimension): row for row in found.measurements}
    assert len(by) == len(found.measurements) == len(calls) == 42
    whole = by["float", 64]
    assert (whole.overlap, whole.code_bytes) == (Estimate(1.0, 1.0, 1.0), 256)
    assert by["int8 per-vector", 64].code_bytes == 68
    assert by["bits", 64].code_bytes == 8
    assert by["bits, then int8 x4", 16].rescore_bytes == 20
    assert by["int8 per-vector", 64].overlap.low > 0.98
    assert by["bits", 64].overlap.mean < by["bits, float query", 64].overlap.mean
    assert by["bits", 64].overlap.mean < by["bits, then float x4", 64].overlap.mean
    assert by["bits, then float x4", 64].overlap.mean <= by["bits, then float x10", 64].overlap.mean
    assert by["float", 16].overlap.mean < by["float", 32].overlap.mean < 1
    assert all(row.ndcg is None and row.one_per_second > 0 and row.batch_per_second > 0 for row in found.measurements)


def test_recommendation_is_the_cheapest_that_surely_reaches_the_target() -> None:
    found = study(clustered(1200), dimensions=[64], multipliers=[10])
    for target in (0.3, 0.6, 0.9, 0.98):
        for on_disk in (False, True):
            chosen = found.recommend(target, rescoring_on_disk=on_disk)
            assert chosen is not None
            assert chosen.overlap.low >= target
            cost = (lambda m: m.code_bytes) if on_disk else (lambda m: m.total_bytes)
            assert all(cost(m) >= cost(chosen) for m in found.measurements if m.overlap.low >= target)
    assert "keep float" in found.advise(1.0)[0]
    assert "68 bytes a vector instead of 256" in found.advise(0.98)[0]
    with pytest.raises(ValueError, match="0 to 1"):
        found.recommend(98)


def test_study_of_known_answers() -> None:
    rows = clustered(500)
    queries = rows[:150] + 0.02 * random.standard_normal((150, 64)).astype(np.float32)
    found = study(rows, queries, range(150), dimensions=[64], multipliers=[4])
    whole = found.measurements[0]
    assert whole.ndcg is not None
    assert whole.ndcg.mean > 0.95
    assert whole.ndcg_kept == Estimate(1.0, 1.0, 1.0)
    nearest = search(queries, rows, 10, metric="cosine").indices
    assert whole.ndcg.mean == pytest.approx(ndcg(nearest, range(150)).mean())
    several = study(rows, queries, [[i, i + 1] for i in range(150)], dimensions=[64], multipliers=[])
    assert len(several.measurements) == 6


@pytest.mark.parametrize(
    ("vectors", "queries", "words"),
    [
        (Embeddings(np.ones((300, 8), np.int8), "int8"), None, "int8 codes"),
        (np.ones((300, 8), np.int64), None, "floats of shape"),
        (np.ones(300, np.float32), None, "floats of shape"),
        (np.full((300, 8), np.nan, np.float32), None, "row 0"),
        (np.ones((8, 8), np.float32), None, "too few"),
        (np.ones((300, 8), np.float32), np.ones((5, 9), np.float32), "9 dimensions"),
        (np.ones((300, 8), np.float32), np.ones((0, 8), np.float32), "too few"),
    ],
)
def test_study_refuses(vectors: object, queries: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        study(vectors, queries)  # type: ignore[arg-type]


def test_study_samples_rows() -> None:
    found = study(clustered(2000, 16), sample=500, dimensions=[16], multipliers=[])
    assert (found.rows, found.queries) == (500, 125)
    with pytest.raises(ValueError, match=r"within 1 \.\. 16"):
        study(clustered(300, 16), dimensions=[17])
