"""How much of an exact search codes keep on rows they were not fitted to, and which of several choices is the best."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..lowbit.levels import Floats

Found = NDArray[np.float64]

DEPTHS = (10, 20, 40, 80)
"""Overlaps are measured with so many neighbours: the mean of all has a third of the noise of the first alone."""

ROWS = 4_000
"""Rows to be found, at most."""

_SHARED, _MIXED = 0.5, 0.7  # what queries lack of the mean, and have of another row
_DOUBT = 0.001  # the chance that any of the choices is taken for better while all are equal
_EVEN = 0.001  # of overlaps: what loses so little more keeps as much


class Trial:
    """A search with known answers.

    Some of the rows ask, in four kinds, for queries are seldom texts like the rows: as they are; without half of the
    rows' mean, since queries share less with rows than rows do with each other; and both mixed with another row, as a
    query that lies between topics. Of scores, which are linear in the query, those of all kinds follow from those of
    the rows and of the mean.

    Parameters
    ----------
    x : ndarray, float32, (n, dimension)
        At least 21 rows.
    queries : ndarray, float32, (m, dimension), or None
        Real queries, which then are the only kind.
    seed : int
    most : int
        Of rows that ask, or of real queries.

    Attributes
    ----------
    rows : ndarray, float32, (n, dimension)
        What is found.
    queries : ndarray, float32, (m, dimension)
        Whose scores are wanted: of the rows that ask, with the mean as the last.
    """

    def __init__(self, x: Floats, queries: Floats | None, seed: int, most: int = 1_000) -> None:
        order = np.random.default_rng(seed)
        self.rows = some_rows(x, ROWS, seed)
        self._own = np.empty(0, np.int64)  # the places that queries leave out, being those rows
        self._others: list[NDArray[np.int64]] = []  # whom they are mixed with
        if queries is not None:
            self.queries, self._kinds = some_rows(queries, most, seed), 1
        else:
            own = order.permutation(len(self.rows))[:most]
            self.queries, self._kinds = np.vstack([self.rows[own], self.rows.mean(axis=0)]), 4
            self._others = [order.permutation(len(own)) for _ in range(2)]
            self._own = np.tile(own, self._kinds)
        self._depths = [depth for depth in DEPTHS if depth == DEPTHS[0] or 4 * depth <= len(self.rows)]
        exact = self._best(self._of_kinds(self.queries @ self.rows.T))
        self._ranks = np.full((len(exact), len(self.rows)), 255, np.uint8)
        np.put_along_axis(self._ranks, exact, np.arange(exact.shape[1], dtype=np.uint8)[None], axis=1)

    def overlaps(self, estimates: Floats) -> NDArray[np.float64]:
        """Return what share of its nearest rows each query of each kind finds by estimates (m, n), (depths, all)."""
        ranks = np.take_along_axis(self._ranks, self._best(self._of_kinds(estimates)), axis=1)
        return np.array([(ranks[:, :depth] < depth).mean(axis=1) for depth in self._depths])

    def kept(self, overlaps: NDArray[np.float64]) -> tuple[float, float, float]:
        """Return the mean of the overlaps@10, and the ends of its 95 % interval over the queries."""
        of_each = overlaps[0].reshape(self._kinds, -1).mean(axis=0)  # the kinds are of the same rows
        mean, reach = float(of_each.mean()), 1.0
        if len(of_each) > 1:
            reach = NormalDist().inv_cdf(0.975) * float(of_each.std(ddof=1)) / len(of_each) ** 0.5
        return mean, max(mean - reach, 0.0), min(mean + reach, 1.0)

    def best_of(self, overlaps: dict[str, Found], preferred: Sequence[str] = (), plain: str | None = None) -> str:
        """Return the choice that loses least where it loses most: against the best for each kind of queries.

        None is taken for what it gains for queries that are like rows and loses for others, as centring may. Of the
        choices that lose no more than this one, but for a thousandth or what chance may make of equals, it is the first
        of `preferred`, or the first: what other rows or another seed would choose, too. `plain` keeps its place unless
        others are better beyond doubt.
        """
        among = list(overlaps) if plain not in overlaps else self._better(overlaps, plain)
        if not among:
            return str(plain)
        kept = np.array([self._of_queries(overlaps[choice]) for choice in among])
        of_kinds = kept.mean(axis=2)
        losses = (of_kinds.max(axis=0) - of_kinds).max(axis=1)
        best = losses.argmin()
        chance = _noise((kept[best] - kept).mean(axis=1))
        even = [among[place] for place in np.flatnonzero(losses - losses[best] <= np.maximum(_EVEN, chance))]
        return next((choice for choice in preferred if choice in even), even[0])

    def unbeaten(self, overlaps: dict[str, Found], plain: str | None = None) -> list[str]:
        """Return the choices that none is better than: in the mean beyond doubt, and seemingly in every kind.

        `plain` is left out only for what is better beyond doubt in every kind, as :meth:`best_of` has it.
        """
        least = NormalDist().inv_cdf(1 - _DOUBT / max(len(overlaps) * (len(overlaps) - 1), 1))

        def beats(one: str, other: str) -> bool:
            gains = self._gains(overlaps, one, other)
            mean = gains.mean(axis=0)
            return bool(mean.mean() > least * _noise(mean) and (gains.mean(axis=1) > 0).all())

        stays = {plain} if plain in overlaps and not self._better(overlaps, plain) else {None}
        return [other for other in overlaps if other in stays or not any(beats(one, other) for one in overlaps)]

    def _better(self, overlaps: dict[str, Found], plain: str) -> list[str]:
        """Return the choices that are better than one beyond doubt.

        That is in every kind of queries, and in their mean, by more than chance makes of any of so many choices.
        """
        least, better = NormalDist().inv_cdf(1 - _DOUBT / max(len(overlaps) - 1, 1)), []
        for choice in overlaps:
            gains = self._gains(overlaps, choice, plain)
            parts = np.concatenate([gains.mean(axis=0)[None], gains])  # of all kinds together, and of each
            if choice != plain and (parts.mean(axis=1) > least * _noise(parts)).all():
                better.append(choice)
        return better

    def _gains(self, overlaps: dict[str, Found], choice: str, default: str) -> Found:
        """Return how much more of its nearest each query finds, in the mean of the depths, (kinds, rows)."""
        return self._of_queries(overlaps[choice] - overlaps[default])

    def _of_queries(self, overlaps: Found) -> Found:
        """Return overlaps (depths, all), in the mean of the depths, as (kinds, rows)."""
        found: Found = overlaps.mean(axis=0).reshape(self._kinds, -1)
        return found

    def _of_kinds(self, scores: Floats) -> Floats:
        """Return scores of queries of all kinds, each times some number above 0."""
        if not self._others:
            return scores
        rows, mean = scores[:-1], scores[-1]
        kinds = np.empty((self._kinds, *rows.shape), np.float32)
        kinds[0], kinds[1] = rows, rows - np.float32(_SHARED) * mean
        for kind, others in zip((0, 1), self._others, strict=True):
            np.subtract(rows[others], mean, out=kinds[kind + 2])
            kinds[kind + 2] *= np.float32(_MIXED)
            kinds[kind + 2] += kinds[kind]
        return kinds.reshape(-1, scores.shape[1])

    def _best(self, scores: Floats) -> NDArray[np.int64]:
        """Return the places of each query's greatest scores, greatest first, without its own; `scores` is changed."""
        scores[np.arange(len(self._own)), self._own] = -np.inf
        places = _greatest(scores, self._depths[-1])
        order = np.argsort(-np.take_along_axis(scores, places, axis=1), axis=1, kind="stable")
        return np.take_along_axis(places, order, axis=1)


def _noise(gains: Found) -> Any:
    """Return the standard error of the mean of gains (..., queries); of one query all may be chance."""
    return gains.std(axis=-1, ddof=1) / np.sqrt(gains.shape[-1]) if gains.shape[-1] > 1 else np.inf


def _greatest(scores: Floats, count: int) -> NDArray[np.int64]:
    """Return the places of each line's greatest scores, in no order of theirs.

    Finding the least of them and then who reaches it takes half the time of sorting out places.
    """
    first = scores.shape[1] - count
    least = np.partition(scores, first, axis=1)[:, first, None]
    reached = np.flatnonzero(scores >= least)
    if len(reached) != count * len(scores):  # several are the least
        reached = np.argpartition(scores, first, axis=1)[:, first:]
    places: NDArray[np.int64] = reached.reshape(len(scores), count) % scores.shape[1]
    return places


def some_rows(x: Floats, most: int, seed: int) -> Floats:
    """Return at most so many of the rows, drawn at random, in their order."""
    if len(x) <= most:
        return x
    return x[np.sort(np.random.default_rng(seed).choice(len(x), most, replace=False))]
