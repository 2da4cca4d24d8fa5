"""The study: measures against known values and an oracle, and the recommendation that follows."""

from __future__ import annotations

import math

import numpy as np
import pytest

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
    assert noisy.high - noisy.low > 0.05
    assert math.isnan(bootstrap_ratio(reference, np.zeros(200)).mean)


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
