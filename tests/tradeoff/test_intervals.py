"""Intervals against published numbers, sums over the binomial distribution, and truths that are known."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from embcodec.tradeoff.intervals import (
    Estimate,
    _beta_quantile,
    _errors,
    gain_interval,
    mean_interval,
    overlap_interval,
    ratio_interval,
)

NEAR_COPIES = [0, 0, 2, 13, 33, 97, 147, 230, 350, 576, 8552]
"""How many of 10,000 queries found 0 to 10 of their neighbours among near copies: few lost some, fewer lost most."""


def all_or_nothing(hits: int, count: int) -> np.ndarray:
    return (np.arange(count) < hits).astype(float)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_all_or_nothing_has_the_published_exact_interval(hits: int, count: int, low: float, high: float) -> None:
    """Clopper and Pearson's, as Newcombe gives it (Statistics in Medicine 17, 1998, 857-872, table I, method 5)."""
    found = mean_interval(all_or_nothing(hits, count))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    mirrored = mean_interval(1 - all_or_nothing(hits, count))
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("count", [30, 100, 400])
def test_the_ends_are_where_what_was_seen_has_a_chance_of_a_fortieth(count: int) -> None:
    """By sums over the binomial distribution, for overlaps whose variance makes a whole number of trials."""
    values = np.where(np.arange(count) % 10 == 0, 0.8, 1.0)
    mean, loss = 0.98, 0.2  # the worst seen is 0.18 below the mean, and a loss is 2 / k at least
    dispersion = (count * 0.09 * 0.04 + loss**2) / (count * mean * (1 - mean) + loss)
    trials = count / dispersion
    found = overlap_interval(values, 10)
    for shown in (found.low, found.high):
        tails = []
        for whole in (math.floor(trials), math.ceil(trials)):
            # Between whole numbers of hits and trials the tails of the binomial distribution enclose the beta's.
            for misses in (math.floor(trials * (1 - mean)), math.ceil(trials * (1 - mean))):
                chances = [math.comb(whole, m) * (1 - shown) ** m * shown ** (whole - m) for m in range(misses + 1)]
                tails.append(sum(chances) if shown == found.low else 1 - sum(chances[:-1]))
        assert min(tails) <= 0.025 <= max(tails)


@pytest.mark.parametrize("count", [30, 50, 100, 300])
def test_all_or_nothing_is_covered_whatever_its_share(count: int) -> None:
    """Exactly, by all numbers of hits: Jeffreys' interval falls to .87 where shares are near 1."""
    intervals = [gain_interval(all_or_nothing(hits, count)) for hits in range(count + 1)]
    for share in np.linspace(0.5, 0.99, 50):
        chances = [math.comb(count, hits) * share**hits * (1 - share) ** (count - hits) for hits in range(count + 1)]
        held = sum(c for c, found in zip(chances, intervals, strict=True) if found.low <= share <= found.high)
        assert held >= 0.94


@pytest.mark.parametrize("count", [30, 100])
def test_few_heavy_losses_are_covered(count: int) -> None:
    values = np.repeat(np.arange(11) / 10, NEAR_COPIES)
    drawn = np.random.default_rng(5).choice(values, (1000, count))
    covered = [found.low <= values.mean() <= found.high for found in (overlap_interval(x, 10) for x in drawn)]
    assert np.mean(covered) >= 0.94


def test_a_query_more_that_lost_much_makes_the_interval_longer() -> None:
    light = np.where(np.arange(100) < 50, 0.9, 1.0)
    heavy = np.where(np.arange(100) < 5, 0.0, 1.0)
    assert light.mean() == heavy.mean() == 0.95
    found, longer = overlap_interval(light, 10), overlap_interval(heavy, 10)
    assert longer.low < found.low - 0.02
    assert longer.high > found.high + 0.01


def test_quantiles_are_those_of_the_beta_distribution() -> None:
    """Against closed forms: one of the parameters is 1, or both are 1/2 (the arcsine law)."""
    for n in (0.5, 1.0, 7.5, 300.0, 20_000.0):
        assert _beta_quantile(0.025, n, 1.0) == pytest.approx(0.025 ** (1 / n), rel=1e-9)
        assert _beta_quantile(0.975, 1.0, n) == pytest.approx(-math.expm1(math.log(0.025) / n), rel=1e-9)
    assert _beta_quantile(0.025, 0.5, 0.5) == pytest.approx(math.sin(math.pi * 0.025 / 2) ** 2, rel=1e-9)
    assert 1 - _beta_quantile(0.025, 3.5, 1.5) == pytest.approx(_beta_quantile(0.975, 1.5, 3.5), rel=1e-9)


@pytest.mark.parametrize(
    ("events", "low", "high"), [(0, None, 3.689), (1, 0.025, 5.572), (4, 1.090, 10.242), (15, 8.395, 24.740)]
)
def test_errors_are_those_of_counts_of_losses(events: int, low: float | None, high: float) -> None:
    """Of independent losses, with the one more, the ends are Garwood's of counts (Biometrika 28, 1936, 437-442)."""
    error = math.sqrt(events + 1)
    assert events + error * _errors(1 / error) == pytest.approx(high, rel=0.01)
    if low is not None:
        assert events - _errors(-1 / math.sqrt(events)) * math.sqrt(events) == pytest.approx(low, abs=0.02)
    assert _errors(0.0) == pytest.approx(1.959964, abs=1e-5)


def test_errors_are_halls_expansion_where_skewness_is_little() -> None:
    z = 1.959963984540054
    for skewness in (0.01, 0.03):
        halls = z + skewness * (2 * z * z + 1) / 6
        assert _errors(skewness) - skewness / 2 == pytest.approx(halls, abs=2 * skewness**2)
        assert _errors(-skewness) == pytest.approx(z - skewness * (z * z - 1) / 3, abs=2 * skewness**2)


def test_ratios_between_the_ends_are_those_that_may_be() -> None:
    """Fieller's: at each end the mean of values - R * reference is as many standard errors from 0 as may be."""
    random = np.random.default_rng(6)
    reference = random.choice([0.0, 0.5, 1.0], 80)
    values = np.where(random.random(80) < 0.2, reference / 2, reference)
    found = ratio_interval(values, reference)
    assert found is not None
    losses = found.mean * reference - values
    loss = max(losses.max(), 0.7 * np.sqrt(np.mean(reference[reference > 0] ** 2)))
    skewness = ((losses**3).sum() + loss**3) / ((losses**2).sum() + loss**2) ** 1.5
    for end, errors in ((found.low, _errors(skewness)), (found.high, -_errors(-skewness))):
        rest = values - end * reference
        error = math.sqrt(np.square(rest - rest.mean()).sum() + loss**2) / len(rest)
        assert rest.mean() / error == pytest.approx(errors)


def test_a_share_of_few_losses_reaches_further_down_than_up() -> None:
    reference = np.ones(100)
    none = ratio_interval(reference, reference)
    assert none is not None
    assert none.low == pytest.approx(0.025 ** (1 / 100), abs=2e-3)  # as Clopper and Pearson have it
    some = ratio_interval(all_or_nothing(95, 100), reference)
    exact = mean_interval(all_or_nothing(95, 100))
    assert some is not None
    assert (some.low, some.high) == pytest.approx((exact.low, exact.high), abs=0.012)
    assert some.mean - some.low > 1.5 * (some.high - some.mean)


def test_shares_are_covered_where_few_queries_lose_all() -> None:
    """Fieller's with Student's factor covers .89 of these."""
    random = np.random.default_rng(7)
    covered = []
    for _ in range(600):
        reference = random.choice([0.63, 1.0], 100, p=[0.1, 0.9])
        found = ratio_interval(reference * (random.random(100) >= 0.05), reference)
        assert found is not None
        covered.append(found.low <= 0.95 <= found.high)
    assert np.mean(covered) >= 0.93


def test_shares_above_one_mirror_those_below() -> None:
    """Where codes do better than float, it is a gain that a sample may have missed, and still a loss, too."""
    reference = np.full(100, 0.5)
    worse, better = (ratio_interval(reference + 0.5 * sign * (np.arange(100) < 8), reference) for sign in (-1, 1))
    assert worse is not None
    assert better is not None
    assert better.high - 1 == pytest.approx(1 - worse.low)
    assert better.low < 2 - worse.high
    none = ratio_interval(reference, reference)
    assert none is not None
    assert none.high - 1 == pytest.approx(1 - none.low)
    assert none.low == pytest.approx(0.025 ** (1 / 100), abs=2e-3)


RARE = [(1, -1.0), (1, 0.04), (1, 0.29)]
"""Of 500 queries one loses all that it gains, and two gain a little: most samples of 300 miss the one that counts."""

RARE_AMONG_SLIGHT = [(1, -1.0), (1, -0.37), (2, -0.01), (1, 0.04), (1, 0.13), (1, 0.3), (1, 0.37)]
"""The same where two lose a place, and do not tell how much one may lose."""


@pytest.mark.parametrize("count", [300, 1000])
@pytest.mark.parametrize(("changes", "side"), [(RARE, 1), (RARE_AMONG_SLIGHT, 1), (RARE, -1)])
def test_shares_are_covered_where_rare_heavy_losses_meet_slight_gains(
    changes: list[tuple[int, float]], side: int, count: int
) -> None:
    """A sample without the heavy loss has a share above 1, and the truth may be below 1 nevertheless; or all mirrored.

    A query's gain counts for nothing where float finds no answer to it, so that a step is of those that have one.
    """
    reference = np.repeat([1.0, 0.6, 0.0], [200, 100, 200])
    values = reference.copy()
    by = np.repeat([change for _, change in changes], [number for number, _ in changes])
    lost = by < 0
    values[: lost.sum()] += by[lost]
    values[200 : 200 + (~lost).sum()] += by[~lost]
    if side < 0:
        values, reference = reference, values
    truth = values.mean() / reference.mean()
    drawn = np.random.default_rng(8).integers(0, len(values), (400, count))
    found = [ratio_interval(values[draw], reference[draw]) for draw in drawn]
    assert np.mean([each is not None and each.low <= truth <= each.high for each in found]) >= 0.94


def test_many_slight_losses_do_not_tell_how_much_one_may_lose() -> None:
    """A hundred queries that lose a hundredth each are as one: the lower end is as far down as if none had lost."""
    reference = np.ones(300)
    slight = ratio_interval(reference - 0.01 * (np.arange(300) < 100), reference)
    none = ratio_interval(reference, reference)
    assert slight is not None
    assert none is not None
    assert slight.mean - slight.low == pytest.approx(none.mean - none.low, rel=0.01)


def test_intervals_grow_shorter_with_the_square_root_of_queries() -> None:
    sizes = []
    for count in (400, 1600, 6400):
        x = np.resize([1.0, 0.9, 1.0, 0.7], count)
        found, ratio = overlap_interval(x, 10), ratio_interval(x, np.ones(count))
        assert ratio is not None
        sizes.append((found.high - found.low, ratio.high - ratio.low))
    for (one, ratio), (following, following_ratio) in pairwise(sizes):
        assert 1.9 < one / following < 2.2
        assert 1.9 < ratio / following_ratio < 2.2


def test_ends_are_rounded_outwards() -> None:
    assert str(Estimate(0.9814, 0.97996, 0.98204)) == "0.981 [0.979, 0.983]"
    assert str(Estimate(0.98, 0.98, 0.98)) == "0.980 [0.980, 0.980]"
