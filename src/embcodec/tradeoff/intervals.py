"""How sure one can be of a mean over queries: 95% intervals that hold from 30 queries on, near 1 too.

Resampling the queries cannot do it: where few of them lost a neighbour most draws hold no loss at all, and the interval
is too short or has no width. What is drawn here is a number of losses instead, of which there may be some unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

PerQuery = NDArray[np.float64]

FEWEST_QUERIES = 30
"""From so many on the intervals cover the truth as often as they say, so that something can be recommended."""

GAIN_STEP = 0.8
"""What a query loses at once in nDCG or reciprocal rank: most of it, since few rows answer it."""

_NORMAL = 1.959963984540054
_CHANGE = 0.7  # of one query in nDCG: most of a single answer's gain
_TAIL = 0.025


@dataclass(frozen=True)
class Estimate:
    """A mean over queries and the interval in which it lies with 95% confidence."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        low, high = self.rounded()
        return f"{self.mean:.3f} [{low:.3f}, {high:.3f}]"

    def rounded(self, decimals: int = 3) -> tuple[float, float]:
        """Return the ends with so many decimals, rounded outwards: what is said is not narrower than what holds."""
        unit = 10.0**decimals
        return math.floor(self.low * unit + 1e-9) / unit, math.ceil(self.high * unit - 1e-9) / unit


EXACTLY_ALL = Estimate(1.0, 1.0, 1.0)
"""What is compared with itself finds all, by definition and not by measurement."""


def overlap_interval(per_query: PerQuery, k: int) -> Estimate:
    """Return the mean overlap@k with its interval: a query loses one or two of its k neighbours at a time.

    Examples
    --------
    >>> print(overlap_interval(np.array([1.0, 0.9, 1.0, 0.8] * 25), 10))
    0.925 [0.906, 0.941]
    >>> print(overlap_interval(np.ones(100), 10))  # a loss in a hundred queries may not have been seen
    1.000 [0.994, 1.000]
    """
    return mean_interval(per_query, step=2.0 / k)


def mean_interval(per_query: PerQuery, *, step: float = 1.0) -> Estimate:
    """Return the mean over queries of values from 0 to 1 with its 95% interval.

    The mean is taken for a share of N independent trials, of which the interval is Jeffreys' (quantiles of a beta
    distribution). N is such that the variance is the one seen, with one loss of size `step` besides, which keeps it
    from vanishing where no loss was seen; Student's factor stands for the variance being estimated. N is never less
    than the number of queries, since no values from 0 to 1 vary more than all or nothing does.

    Parameters
    ----------
    per_query : array of float64, shape (n_queries,)
    step : float
        How much a query is thought to lose at once, where the values do not tell.

    Raises
    ------
    ValueError
        Where there are no queries, or values that are no share.

    Examples
    --------
    >>> print(mean_interval(np.array([1.0])))
    1.000 [0.146, 1.000]
    """
    count = len(per_query)
    if not count:
        raise ValueError("no queries, no interval")
    mean = float(per_query.mean())
    if not -1e-9 <= per_query.min() <= per_query.max() <= 1 + 1e-9:
        raise ValueError("an interval of a mean is of values from 0 to 1")
    mean, step = min(max(mean, 0.0), 1.0), min(step, 1.0)
    trials = float(count)
    if count > 1:
        squares = float(np.square(per_query - mean).sum()) * count / (count - 1)
        dispersion = (squares + step**2) / (count * mean * (1 - mean) + step)
        trials = max(trials, count / dispersion * (_NORMAL / _student(count - 1)) ** 2)
    hits, misses = trials * mean, trials * (1 - mean)
    low = _beta_quantile(_TAIL, hits + 0.5, misses + 0.5) if hits > 1e-9 else 0.0
    high = 1 - _beta_quantile(_TAIL, misses + 0.5, hits + 0.5) if misses > 1e-9 else 1.0
    return Estimate(mean, min(low, mean), max(high, mean))


def ratio_interval(per_query: PerQuery, reference: PerQuery) -> Estimate | None:
    """Return mean / reference mean with its 95% interval, both of the same queries, so that what they share cancels.

    The interval is Fieller's: all ratios R for which the mean of ``per_query - R * reference`` may be 0. It is as wide
    as if one more query had lost most of its gain, so that it has a width also where no query differs.

    Returns
    -------
    Estimate or None
        None where the reference may well be 0, as with a single query.

    Examples
    --------
    >>> reference = np.linspace(0.5, 1.0, 100)
    >>> print(ratio_interval(0.9 * reference, reference))
    0.900 [0.881, 0.919]
    """
    count = len(per_query)
    if count < 2 or not reference.any():
        return None
    above, below = float(per_query.mean()), float(reference.mean())
    factor = _student(count - 1) ** 2 / (count * (count - 1))
    from_above, from_below = per_query - above, reference - below
    a = below**2 - factor * float(from_below @ from_below)
    b = above * below - factor * float(from_above @ from_below)
    c = above**2 - factor * (float(from_above @ from_above) + _CHANGE**2)
    if a <= 0:
        return None
    half = math.sqrt(max(b * b - a * c, 0.0)) / a
    mean = above / below
    return Estimate(mean, max(min(b / a - half, mean), 0.0), max(b / a + half, mean))


def queries_for(target: float, k: int) -> int | None:
    """Return how many queries it takes for codes that find all of them to reach `target` for sure; None: no number.

    Examples
    --------
    >>> queries_for(0.98, 10), queries_for(0.999, 10), queries_for(1.0, 10)
    (30, 505, None)
    """
    if target >= 1:
        return None

    def enough(count: int) -> bool:
        return overlap_interval(np.ones(count), k).low >= target

    low, high = FEWEST_QUERIES, FEWEST_QUERIES
    while not enough(high):
        low, high = high, 2 * high
        if high > 10_000_000:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def _student(freedom: int) -> float:
    """Return the 97.5% point of Student's distribution (Cornish and Fisher's series; the first few by heart)."""
    known = (12.706, 4.303, 3.182, 2.776)
    if freedom <= len(known):
        return known[freedom - 1]
    z, n = _NORMAL, freedom
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    return z + (z**3 + z) / (4 * n) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2) + third


@lru_cache(maxsize=4096)
def _beta_quantile(share: float, a: float, b: float) -> float:
    """Return the quantile of a beta distribution, by Newton's steps kept within a bracket that halves."""
    low, high = 0.0, 1.0
    x = a / (a + b)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _ in range(200):
        below = _beta_share(x, a, b)
        low, high = (x, high) if below < share else (low, x)
        density = math.exp(scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        following = x - (below - share) / density if density > 0 else -1.0
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= 1e-12:
            break
        x = following
    return x


def _beta_share(x: float, a: float, b: float) -> float:
    """Return the share of a beta distribution below x, 0 < x < 1 (the regularised incomplete beta function)."""
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_share(1 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x) - math.log(a)
    )
    # Lentz's continued fraction, which converges quickly below the mean.
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 + step * d
            c = 1 + step / c
            d, c = 1 / (d if abs(d) > tiny else tiny), (c if abs(c) > tiny else tiny)
            value *= d * c
        if abs(d * c - 1) < 1e-13:
            break
    return front * value
