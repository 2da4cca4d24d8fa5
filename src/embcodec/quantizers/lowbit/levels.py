"""The levels of one to eight bits."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Levels(NamedTuple):
    """What a dimension of unit variance may be coded as.

    Attributes
    ----------
    weights : ndarray, (bits,)
        A level is the sum of these, each with the sign of its bit: a dot with a code is a weighted sum of dots with
        its bit planes.
    levels, thresholds : ndarray, (2**bits,), (2**bits - 1,)
        The sums in ascending order, and the middles between them.
    patterns : ndarray of uint8, (2**bits,)
        The bits of each level.
    mean_square_error : float
        Of a standard Gaussian.
    """

    weights: Floats
    levels: Floats
    thresholds: Floats
    patterns: NDArray[np.uint8]
    mean_square_error: float


MOST_BITS = 8
"""Of a direction, at most."""

MOST_SEARCHED = 4
"""Bits up to which levels are sums of weights of any size; those of more are so many equal steps around 0."""

_WEIGHTS: dict[int, tuple[tuple[float, ...], float]] = {
    1: ((0.7978845182490114,), 0.36338029553846196),
    2: ((0.9818366293096183, 0.5289014860606926), 0.11748189274490639),
    3: ((1.1559737247957516, 0.6064155674189893, 0.3007084370346581), 0.036943174162246475),
    4: ((1.3270307730195134, 0.6847570028757047, 0.33830189282431744, 0.1691980851677992), 0.01141197646455222),
}
"""Of up to four bits the weights, and the mean square error of a standard Gaussian: what Lloyd's iteration comes to."""

_STEPS: dict[int, tuple[float, float]] = {
    5: (0.18820046007130545, 0.0034952210598747317),
    6: (0.10407222736216365, 0.0010400461204621765),
    7: (0.05683043726736978, 0.00030433469351203574),
    8: (0.030838492183411045, 8.769484315341263e-05),
}
"""Of more bits the distance of levels, and the error: the best of 200 distances."""


@cache
def levels_of(bits: int) -> Levels:
    """Return the levels with the least mean square error for a Gaussian.

    For one and two bits these are the Lloyd-Max levels (errors 0.3634 and 0.1175). For four bits sums of four weights
    reach 0.01141, where 16 free levels would reach 0.0095 and equal steps 0.0115. From five bits on steps are equal,
    which loses nothing more.

    Examples
    --------
    >>> levels_of(2).levels.round(4).tolist()
    [-1.510..., -0.452..., 0.452..., 1.510...]
    """
    if bits > MOST_SEARCHED:
        return _equal_steps(bits)
    chosen, error = _WEIGHTS[bits]
    weights = np.array(chosen)
    codes = np.arange(1 << bits, dtype=np.uint8)
    sums = (2.0 * ((codes[:, None] >> np.arange(bits)) & 1) - 1) @ weights
    order = np.argsort(sums)
    levels = sums[order]
    edges = ((levels[1:] + levels[:-1]) / 2).astype(np.float32)
    return Levels(weights.astype(np.float32), levels.astype(np.float32), edges, codes[order], error)


def _equal_steps(bits: int) -> Levels:
    step, error = _STEPS[bits]
    count = 1 << bits
    places = np.arange(count) - (count - 1) / 2
    return Levels(
        (step / 2 * 2.0 ** np.arange(bits)).astype(np.float32),
        (places * step).astype(np.float32),
        ((places[1:] + places[:-1]) / 2 * step).astype(np.float32),
        np.arange(count).astype(np.uint8),
        error,
    )


@cache
def values_of_patterns() -> Floats:
    """Return the level of each pattern of 1, 2, .. 8 bits, one number of bits after the other, (510,)."""
    parts = []
    for bits in range(1, MOST_BITS + 1):
        levels = levels_of(bits)
        values = np.empty(1 << bits, np.float32)
        values[levels.patterns] = levels.levels
        parts.append(values)
    return np.concatenate(parts)
