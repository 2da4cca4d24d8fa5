"""A race among choices, by rows that they are not fitted to: by some of them first, by all where that leaves doubts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..lowbit.codes import LowBitCodes
from ..lowbit.levels import Floats
from ..lowbit.principal import PrincipalScheme
from ..lowbit.scheme import LowBitScheme
from .measure import ROWS, Trial
from .threads import one_blas_thread, side_by_side

Progress = Callable[[int, int, str], None]
Overlaps = dict[str, NDArray[np.float64]]
Fit = Callable[[Floats, str], LowBitScheme | PrincipalScheme]

_FOLDS = 4
_FIRST = 200
"""Rows of a fold, at least, for choices to be left out by what is found among them."""


class HeldOut:
    """Rows to be found, each coded by what is fitted to others.

    Of a large sample those that are left are fitted to, once; of a small one the rows themselves, in four parts, each
    of which is coded by what is fitted to the others.

    Parameters
    ----------
    x : ndarray, float32, (n, dimension)
    fit : callable
    seed : int
    plain : str
        The choice that learns nothing but how long rows are, of all at once: it has one scale for all.
    """

    def __init__(self, x: Floats, fit: Fit, seed: int, plain: str) -> None:
        order = np.random.default_rng(seed).permutation(len(x))
        own, others = np.sort(order[:ROWS]), np.sort(order[ROWS : 2 * ROWS])
        self.rows = x[own]
        self._fit, self._plain = fit, plain
        self._made: dict[tuple[str, int], LowBitCodes] = {}
        places = np.random.default_rng(seed).permutation(len(own)) % _FOLDS
        self.first = np.flatnonzero(places == 0)
        """The rows among which the first heat is."""
        if len(others) == ROWS:
            self._folds = [(x[others], np.arange(len(own)))]
        else:
            self._folds = [(self.rows[places != fold], np.flatnonzero(places == fold)) for fold in range(_FOLDS)]

    def estimates(self, choice: str, queries: Floats, *, first: bool) -> Floats:
        """Return the dots of queries (m, dimension) with the codes of all rows, or of those of the first heat."""
        if first:
            codes = self._codes(choice, 0)
            return codes.estimate(queries) if len(codes) == len(self.first) else codes[self.first].estimate(queries)
        parts = [self._codes(choice, fold).estimate(queries) for fold in range(len(self._folds))]
        if len(parts) == 1:
            return parts[0]
        order = np.argsort(np.concatenate([places for _, places in self._folds]), kind="stable")
        estimates = np.empty((len(queries), len(self.rows)), np.float32)  # all at once: line by line
        return np.take(np.concatenate(parts, axis=1), order, axis=1, out=estimates, mode="clip")

    def _codes(self, choice: str, fold: int) -> LowBitCodes:
        if (choice, fold) not in self._made:
            sample, places = self._folds[fold]
            scheme = self._fit(self.rows if choice == self._plain else sample, choice)
            self._made[choice, fold] = LowBitCodes.of(self.rows[places], scheme)
        return self._made[choice, fold]


def winner(
    x: Floats,
    queries: Floats | None,
    choices: Sequence[str],
    fit: Fit,
    *,
    plain: str,
    preferred: Sequence[str],
    seed: int,
    tell: Progress | None = None,
) -> tuple[str, dict[str, float]]:
    """Return the best of several choices, see :meth:`Trial.best_of`, and the overlap@10 of those in the last heat.

    In the first heat some of the rows are found. Choices that are beaten there are left out. If one alone is left, it
    has won.

    Parameters
    ----------
    x, queries : ndarray, float32
        A sample, and who asks, if not its rows.
    choices : sequence of str
    fit : callable
        Returns the scheme of a choice, fitted to rows.
    plain : str
        The choice that learns nothing: others must be better beyond doubt.
    preferred : sequence of str
        Those to take, if others keep no more; the first of them first.
    seed : int
    tell : callable, optional
    """
    held_out = HeldOut(x, fit, seed, plain)
    done = 0

    def heat(choices: Sequence[str], *, first: bool) -> tuple[Overlaps, Trial]:
        nonlocal done
        trial = Trial(held_out.rows[held_out.first] if first else held_out.rows, queries, seed)

        def measured(choice: str) -> NDArray[np.float64]:
            return trial.overlaps(held_out.estimates(choice, trial.queries, first=first))

        overlaps: Overlaps = {}
        with one_blas_thread():
            for choice, found in zip(choices, side_by_side(measured, choices), strict=True):
                overlaps[choice], done = found, done + 1
                if tell is not None:
                    tell(done, done + len(choices) - len(overlaps) + 1, f"measured {choice}")
        return overlaps, trial

    if len(held_out.first) >= _FIRST:
        overlaps, trial = heat(choices, first=True)
        choices = trial.unbeaten(overlaps, plain)
        if len(choices) == 1:
            return choices[0], _report(overlaps)
    overlaps, trial = heat(choices, first=False)
    return trial.best_of(overlaps, preferred, plain), _report(overlaps)


def _report(overlaps: Overlaps) -> dict[str, float]:
    return {choice: float(found[0].mean()) for choice, found in overlaps.items()}
