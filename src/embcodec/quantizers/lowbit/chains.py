"""The levels of one to eight bits in a chain, where each direction's level hangs on the bits before its own, too."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .levels import MOST_BITS, Floats, levels_of

MEMORY = 4
"""Bits before its own that a direction's level hangs on: sixteen states of the encoder, two vectors of AVX2."""

_COARSE = 4  # of its own bits, at most; others are the number of a fine level
_WORDS = 1 << (MEMORY + _COARSE)

_TRAINED: dict[int, tuple[tuple[float, ...], float, float]] = {
    1: ((0.0, 0.0, 0.0, 0.0, 0.79788), 1.0, 0.36338),
    2: ((0.509, -0.408, -0.368, -0.072, -0.393, -0.676), 1.0, 0.0869),
    3: ((0.532, -0.21, -0.245, -0.319, -0.874, 0.438, -0.235), 1.0, 0.02336),
    4: ((0.168, 0.374, -0.285, -0.574, 0.294, 0.611, 0.511, 0.4), 1.0, 0.00593),
    5: ((0.1674, 0.399, -0.3301, -0.6257, 0.3152, 0.6822, 0.5695, 0.4342), 0.1698, 0.0017),
    6: ((0.206, 0.4616, -0.3354, -0.6714, 0.3513, 0.7217, 0.6029, 0.4749), 0.10385, 0.00045),
    7: ((0.2137, 0.4564, -0.3461, -0.6931, 0.3598, 0.734, 0.6242, 0.4822), 0.06015, 0.000122),
    8: ((0.236, 0.4946, -0.3782, -0.7501, 0.3861, 0.8037, 0.6796, 0.5229), 0.0321, 0.0000345),
}
"""For each number of bits the weights of the four bits before, the oldest first, and of the coarse ones; the distance
of fine levels; and the mean square error of a chain of standard Gaussians.

Found by rounds of coding long chains of them and of least squares for the weights, from hundreds of random starts. The
errors of levels by themselves are .3634, .1175, .0345, .0114, .0035, .00104, .0003 and .00009: at four bits a chain
loses half as much, and no code of four bits can lose less than .0039.
"""


class ChainLevels(NamedTuple):
    """Levels in a chain: sums of weights, each with the sign of its bit.

    Attributes
    ----------
    memory : ndarray of float64, (4,)
        The weights of the bits before its own, the latest first; zeros without memory.
    own : ndarray of float64, (bits,)
        Those of its own bits, plane after plane.
    table : ndarray of float64, (256,)
        The coarse levels of words: the four bits before, and up to four own ones, the latest lowest.
    step : float
        The distance of fine levels, 1 where there are none.
    """

    memory: NDArray[np.float64]
    own: NDArray[np.float64]
    table: NDArray[np.float64]
    step: float


@cache
def chain_levels(bits: int, *, remembering: bool) -> ChainLevels:
    """Return the levels of so many bits; without memory they are those of :func:`.levels.levels_of`."""
    coarse = min(bits, _COARSE)
    if remembering:
        weights, step, _ = _TRAINED[bits]
        memory, own = np.array(weights[MEMORY - 1 :: -1]), np.array(weights[MEMORY:])
    else:
        plain = levels_of(bits).weights.astype(np.float64)
        memory, own, step = np.zeros(MEMORY), np.sort(plain)[::-1][:coarse], 2 * float(plain.min())
        step = step if bits > coarse else 1.0
    words = np.arange(1 << (MEMORY + coarse))
    weights_of_words = np.concatenate([own[::-1], memory])  # from the lowest bit on
    table = np.zeros(_WORDS)
    for place, weight in enumerate(weights_of_words):
        table[: len(words)] += weight * (2.0 * (words >> place & 1) - 1)
    fine = step / 2 * 2.0 ** np.arange(bits - coarse)[::-1]
    return ChainLevels(memory, np.concatenate([own, fine]), table, step)


def tables_of_chains() -> tuple[Floats, Floats]:
    """Return what the encoder takes: the tables (16, 256), of 1 to 8 bits with memory, then without; and the steps."""
    kinds = [
        chain_levels(bits, remembering=remembering) for remembering in (True, False) for bits in range(1, MOST_BITS + 1)
    ]
    return np.array([kind.table for kind in kinds], np.float32), np.array([kind.step for kind in kinds], np.float32)


def error_of_chain(bits: int) -> float:
    """Return the mean square error of standard Gaussians in a chain of so many bits each."""
    return _TRAINED[bits][2]
