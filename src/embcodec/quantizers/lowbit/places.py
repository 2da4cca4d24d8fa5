"""What each bit of a row counts along its direction, and where in the row it is stored."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native.principal import GROUP
from .chains import MEMORY, chain_levels
from .levels import Floats, levels_of


class BitsOf(NamedTuple):
    """What the first directions get from one bit each: its place in a row, (m,), and what it counts, float32 (m,)."""

    places: NDArray[np.int64]
    weights: Floats


def bits_of(allocation: NDArray[np.uint8], chain: NDArray[np.int64] | None, deviations: Floats) -> list[BitsOf]:
    """Return what the first directions get from bits, each from one: as many as they have, and those of a chain.

    The arguments are those of a :class:`.PrincipalScheme`.
    """
    bits, places = np.repeat(allocation, GROUP).astype(np.int64), _places_of(allocation, chain)
    before = np.cumsum(bits[::-1])[::-1] - bits  # bits of the chain that come before a direction's own
    found = []
    for plane in range(int(bits[0])):
        some = bits[bits > plane].tolist()
        if chain is None:
            weights = [levels_of(each).weights[plane] for each in some]
        else:
            remember = (before >= MEMORY).tolist()
            weights = [
                chain_levels(each, remembering=remembering).own[plane]
                for each, remembering in zip(some, remember, strict=False)
            ]
        found.append(_counted(places[plane], weights, deviations))
    if chain is None:
        return found
    coarse = np.minimum(bits, MEMORY)
    stream = np.array([places[plane][i] for i in range(len(bits))[::-1] for plane in range(coarse[i])])
    remembering = int(((before >= MEMORY) & (bits > 1)).sum())
    own = (np.cumsum(coarse[::-1])[::-1] - coarse)[:remembering]  # where a direction's own bits begin
    memories = [chain_levels(each, remembering=True).memory for each in bits[:remembering].tolist()]
    lags = range(MEMORY if remembering else 0)
    return found + [_counted(stream[own - 1 - lag], [each[lag] for each in memories], deviations) for lag in lags]


def met_by_places(bits: list[BitsOf], count: int) -> tuple[NDArray[np.int64], Floats]:
    """Return of each place in a row the directions that its bit counts for, and the weights.

    Both are (most directions of a place, `count`); weights are 0 where a place has fewer.
    """
    found, taken = list[tuple[NDArray[np.int64], Floats]](), np.zeros(count, np.int64)
    for each in bits:
        for nth in np.unique(taken[each.places]).tolist():
            if nth == len(found):
                found.append((np.zeros(count, np.int64), np.zeros(count, np.float32)))
            some = np.flatnonzero(taken[each.places] == nth)
            found[nth][0][each.places[some]] = some
            found[nth][1][each.places[some]] = each.weights[some]
        taken[each.places] += 1
    sources, weights = zip(*found, strict=True)
    return np.stack(sources), np.stack(weights)


def _places_of(allocation: NDArray[np.uint8], chain: NDArray[np.int64] | None) -> list[NDArray[np.int64]]:
    """Return where in a row the bits of each plane are stored."""
    places = np.arange(GROUP * int(allocation.sum(dtype=np.int64))).reshape(-1, GROUP)
    if chain is not None:
        places = places[np.argsort(chain)]
    counts = [int((allocation > plane).sum()) for plane in range(int(allocation[0]))]
    return [part.ravel() for part in np.split(places, np.cumsum(counts)[:-1])]


def _counted(places: NDArray[np.int64], weights: list[Any], deviations: Floats) -> BitsOf:
    return BitsOf(places, (np.array(weights) * deviations[: len(weights)]).astype(np.float32))
