"""How choices of low-bit codes are measured: queries of four kinds, the nearest rows found, what is beyond doubt."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from embcodec.quantizers.fitting.measure import DEPTHS, Trial, some_rows


def rows(n: int, dimension: int = 12) -> np.ndarray:
    rng = np.random.default_rng(n)
    return np.asarray((rng.standard_normal((n, dimension)) + 1) * rng.uniform(0.5, 2, (n, 1)), np.float32)


def test_rows_ask_in_four_kinds() -> None:
    """Of which only directions count: scores of a query are compared with each other."""
    x = rows(200)
    trial = Trial(x, None, seed=3)
    order = np.random.default_rng(3)
    own = order.permutation(200)
    asking, mean = x[own].astype(np.float64), x.mean(axis=0, dtype=np.float64)
    kinds = [asking, asking - 0.5 * mean]
    for kind in kinds[:2]:
        kinds.append(kind + 0.7 * (asking[order.permutation(200)] - mean))
    assert np.array_equal(trial.queries[:200], x[own])
    np.testing.assert_allclose(trial.queries[200:], mean[None], rtol=1e-5)
    assert trial._kinds == 4
    scores = trial.queries @ x.T
    np.testing.assert_allclose(trial._of_kinds(scores), np.concatenate(kinds) @ x.T, atol=2e-4)
    assert (trial.overlaps(scores) == 1).all()
    assert trial.overlaps(scores).shape == (3, 800)  # 80 of 200 rows are too many
    exact = np.concatenate(kinds) @ x.T
    exact[np.arange(800), np.tile(own, 4)] = -np.inf
    noisy = scores + np.random.default_rng(1).normal(0, 3, scores.shape).astype(np.float32)
    found = trial._of_kinds(noisy)
    found[np.arange(800), np.tile(own, 4)] = -np.inf
    nearest, best = (np.argsort(-each, axis=1)[:, :10] for each in (exact, found))
    shares = [len({*a} & {*b}) / 10 for a, b in zip(nearest, best, strict=True)]
    np.testing.assert_allclose(trial.overlaps(noisy)[0], shares)
    assert trial.overlaps(-scores).mean() < 0.01


def test_overlaps_are_the_shares_of_the_nearest_that_are_found() -> None:
    x, queries = rows(400), rows(30)
    trial = Trial(x, queries, seed=0)
    assert trial._kinds == 1
    assert np.array_equal(trial.queries, queries)
    estimates = (queries @ x.T + np.random.default_rng(0).normal(0, 3, (30, 400))).astype(np.float32)
    exact, found = np.argsort(-(queries @ x.T), axis=1), np.argsort(-estimates, axis=1)
    shares = [[len({*a[:k]} & {*b[:k]}) / k for a, b in zip(exact, found, strict=True)] for k in DEPTHS]
    np.testing.assert_allclose(trial.overlaps(estimates.copy()), shares)


def test_some_rows_are_drawn_in_their_order() -> None:
    x = np.arange(50, dtype=np.float32)[:, None]
    assert some_rows(x, 50, 0) is x
    some = some_rows(x, 20, 0)[:, 0]
    assert len(some) == 20
    assert (np.diff(some) > 0).all()
    assert not np.array_equal(some, some_rows(x, 20, 1)[:, 0])


@pytest.mark.parametrize("choices", [2, 3, 6])
def test_a_choice_is_better_beyond_a_doubt_that_all_choices_share(choices: int) -> None:
    """By as many standard errors as one choice in a thousand exceeds, or of several any of them."""
    trial = Trial.__new__(Trial)
    trial._kinds = 2
    needed = NormalDist().inv_cdf(1 - 1e-3 / (choices - 1))
    spread = np.tile([-1.0, 1.0], 50)
    error = spread.std(ddof=1) / np.sqrt(100)

    def best(*gains: float) -> str:
        """Name the best where the second and the third choice gain so many errors, in both kinds of queries."""
        found = {f"c{i}": np.zeros((1, 200)) for i in range(choices)}
        for i, gain in enumerate(gains, start=1):
            found[f"c{i}"] = np.tile(spread + gain * error, 2)[None]
        return trial.best_of(found, plain="c0")

    assert best(needed - 0.01) == "c0"
    assert best(needed + 0.01) == "c1"
    assert best(-needed - 0.01) == "c0"
    if choices > 2:
        assert best(needed + 1, needed + 2) == "c2"
        assert best(needed + 2, needed + 1) == "c1"
        assert best(needed + 2, needed - 0.01) == "c1"


def steady(*kinds: float) -> np.ndarray:
    """Return overlaps that all 50 queries of each kind have."""
    return np.repeat(kinds, 50)[None]


def test_the_best_choice_loses_least_where_it_loses_most() -> None:
    """Rather than keeping the most in the mean, where one kind of queries pays for the others."""
    trial = Trial.__new__(Trial)
    trial._kinds = 3
    found = {"one-sided": steady(0.90, 0.90, 0.50), "fair": steady(0.85, 0.85, 0.58), "bad": steady(0.6, 0.6, 0.57)}
    assert found["one-sided"].mean() > found["fair"].mean()
    assert trial.best_of(found) == "fair"
    assert trial.best_of(found, ["one-sided", "bad"]) == "fair"
    assert trial.best_of(found | {"best": steady(0.9, 0.9, 0.58)}) == "best"


@pytest.mark.parametrize("n_queries", [100, 1000])
def test_of_even_choices_the_preferred_is_taken(n_queries: int) -> None:
    """What keeps less by a thousandth, or by what chance makes of as many queries, keeps as much."""
    trial = Trial.__new__(Trial)
    trial._kinds = 2
    spread = np.tile([-1.0, 1.0], n_queries // 2)
    error = spread.std(ddof=1) / np.sqrt(n_queries)

    def best(loss: float, noise: float, *preferred: str) -> str:
        """Name the best of three, of which the middle one keeps the most and the others less by as much."""
        one = np.tile(spread * noise - loss, 2)[None]
        return trial.best_of({"first": one, "best": np.zeros((1, 2 * n_queries)), "last": one}, preferred)

    assert best(0.0009, 0.0, "last", "best") == "last"
    assert best(0.0011, 0.0, "last", "best") == "best"
    assert best(0.0009, 0.0, "none") == "first"
    assert best(0.0011, 0.0, "none") == "best"
    assert best(0.99 * error, 1.0, "last") == "last"
    assert best(1.01 * error, 1.0, "last") == "best"


def test_what_is_kept_has_an_interval_over_queries_not_over_kinds() -> None:
    trial = Trial.__new__(Trial)
    trial._kinds = 4
    of_each = np.random.default_rng(0).uniform(0.5, 0.9, 100)
    mean, low, high = trial.kept(np.tile(of_each, 4)[None])
    assert mean == pytest.approx(of_each.mean())
    reach = 1.959964 * of_each.std(ddof=1) / 10
    assert (low, high) == pytest.approx((mean - reach, mean + reach))
    assert trial.kept(np.full((1, 4), 0.5)) == (0.5, 0.0, 1.0)


def test_who_is_left_after_a_first_heat() -> None:
    """All but those that another is better than; plain codes only if it is so beyond doubt in every kind."""
    trial = Trial.__new__(Trial)
    trial._kinds = 2
    spreads = np.tile([-1.0, 1.0], 50), np.repeat([-1.0, 1.0], 50)
    error = spreads[0].std(ddof=1) / np.sqrt(100)
    needed = NormalDist().inv_cdf(1 - 1e-3 / 6)

    def left(*gains: tuple[float, float], plain: str = "first") -> list[str]:
        """Name who is left where the second and third choice gain so many errors in the two kinds."""
        found = {"first": np.zeros((1, 200))}
        for name, both, spread in zip(("second", "third"), gains, spreads, strict=True):
            found[name] = np.concatenate([spread + gain * error for gain in both])[None]
        return trial.unbeaten(found, plain)

    nothing = (0.0, 0.0)
    assert left(nothing, nothing) == ["first", "second", "third"]
    assert left((-needed - 0.1, -needed - 0.1), nothing) == ["first", "third"]
    assert left((-needed + 0.1, -needed + 0.1), nothing) == ["first", "second", "third"]
    assert left((-2 * needed - 0.2, 0.1), nothing) == ["first", "second", "third"]  # in one kind it seems better
    assert left((-2 * needed, -0.1), nothing) == ["first", "third"]
    assert left((20.0, 1.0), (19.0, 0.5)) == ["first", "second", "third"]  # in the second kind not beyond doubt
    assert left((20.0, 1.0), (19.0, 0.5), plain="none") == ["second", "third"]
    assert left((20.0, 20.0), (20.0, 20.0)) == ["second", "third"]
    assert left((20.0, 20.0), nothing) == ["second"]


def test_one_query_leaves_all_in_doubt() -> None:
    trial = Trial.__new__(Trial)
    trial._kinds = 1
    found = {"first": np.zeros((1, 1)), "second": np.ones((1, 1))}
    assert trial.unbeaten(found) == ["first", "second"]
    assert trial.best_of(found) == "first"
    assert trial.best_of(found, ["second"]) == "second"
    assert trial.best_of(found, ["second"], plain="first") == "first"
