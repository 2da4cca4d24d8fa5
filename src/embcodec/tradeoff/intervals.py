"""How sure one can be of a mean over queries: 95% intervals that hold from 30 queries on, near 1 too.

Resampling the queries cannot do it: where few of them lost a neighbour most draws hold no loss at all, and the interval
is too short or has no width. What is drawn here is a number of losses instead, of which there may be some unseen.

A mean has Clopper and Pearson's interval with an effective number of trials, as Korn and Graubard have it (Survey
Methodology 24, 1998, 193-201); a ratio of means has Fieller's (Supplement to the Journal of the Royal Statistical
Society 7, 1940, 1-64), corrected for skewness to the order of Hall's expansion (Annals of Statistics 11, 1983,
569-576). Both count one query more than were asked, which lost a lot. How often they hold the truth is measured by
simulation on populations of which some chose nothing here: `make interval-coverage`.
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
"""What a query loses at once in nDCG or reciprocal rank: most of its gain, since few rows answer it."""

SHARE_STEP = 0.7
"""The same for a share of a reference, as a part of what queries gain that gain anything: their root mean square."""

_NORMAL = 1.959963984540054
_TAIL = 0.025
_FEW_LOSSES = 5  # fewer queries do not tell how much one may lose of a mean
_FEWEST_OF_A_SHARE = 3  # nor these how much of a share; those that lose next to nothing do not count


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
    1.000 [0.992, 1.000]
    """
    return mean_interval(per_query, step=2.0 / k)


def gain_interval(per_query: PerQuery) -> Estimate:
    """Return the mean nDCG or reciprocal rank with its interval: a query loses most of its gain at once, or all.

    Examples
    --------
    >>> print(gain_interval(np.array([1.0, 0.0, 1.0, 0.5] * 25)))
    0.625 [0.537, 0.707]
    >>> print(gain_interval(np.ones(100)))
    1.000 [0.963, 1.000]
    """
    return mean_interval(per_query, step=GAIN_STEP if np.count_nonzero(per_query < 1) >= _FEW_LOSSES else 1.0)


def mean_interval(per_query: PerQuery, *, step: float = 1.0) -> Estimate:
    """Return the mean over queries of values from 0 to 1 with its 95% interval.

    The mean is taken for a share of N independent trials, of which the interval is Clopper and Pearson's (quantiles of
    two beta distributions). N is such that the variance is the one seen, with one query more, which lost as much as
    the worst one did, and `step` at least: heavy losses are rare, and a sample may have missed its share of them. N is
    never less than the number of queries, since no values from 0 to 1 vary more than all or nothing does.

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
    1.000 [0.025, 1.000]
    """
    count = len(per_query)
    if not count:
        raise ValueError("an interval is of the values of at least one query; there are none")
    if not -1e-9 <= per_query.min() <= per_query.max() <= 1 + 1e-9:
        raise ValueError("an interval of a mean is of values from 0 to 1")
    mean = min(max(float(per_query.mean()), 0.0), 1.0)
    trials = float(count)
    if count > 1:
        loss = max(min(step, 1.0), mean - float(per_query.min()))
        squares = float(np.square(per_query - mean).sum())
        trials = max(trials, count * (count * mean * (1 - mean) + loss) / (squares + loss**2))
    hits, misses = trials * mean, trials * (1 - mean)
    low = _beta_quantile(_TAIL, hits, misses + 1) if hits > 1e-9 else 0.0
    high = 1 - _beta_quantile(_TAIL, misses, hits + 1) if misses > 1e-9 else 1.0
    return Estimate(mean, min(low, mean), max(high, mean))


def ratio_interval(per_query: PerQuery, reference: PerQuery) -> Estimate | None:
    """Return mean / reference mean with its 95% interval, both of the same queries, so that what they share cancels.

    The interval is Fieller's: all ratios R for which the mean of ``per_query - R * reference`` may be 0, with one query
    more. For the lower end that one lost, whatever the others did: losses of some queries and gains of others may
    cancel, and a sample that missed the rare heavy losses shows a ratio above 1. For the upper end it gained if with it
    the others would have gained together, and else it lost too. How much is in `_one_more`. How many standard errors
    may lie between is not the same above and below: losses are few and heavy, so that their sum is skewed as that of a
    gamma distribution.

    Returns
    -------
    Estimate or None
        None where the reference may well be 0, as with a single query.

    Examples
    --------
    >>> reference = np.linspace(0.5, 1.0, 100)
    >>> print(ratio_interval(0.9 * reference, reference))
    0.900 [0.873, 0.908]
    """
    count = len(per_query)
    if count < 2 or not reference.any():
        return None
    above, below = float(per_query.mean()), float(reference.mean())
    ratio = above / below
    differences = reference - per_query
    losses = ratio * reference - per_query
    squares, cubes = float(losses @ losses), float((losses**3).sum())
    from_above, from_below = per_query - above, reference - below

    def end(sign: int, one_more: float) -> float | None:
        factor = (_errors((one_more**3 - sign * cubes) / (squares + one_more**2) ** 1.5) / count) ** 2
        a = below**2 - factor * float(from_below @ from_below)
        b = above * below - factor * float(from_above @ from_below)
        c = above**2 - factor * (float(from_above @ from_above) + one_more**2)
        return (b + sign * math.sqrt(max(b * b - a * c, 0.0))) / a if a > 0 else None

    lost, gained = _one_more(losses, differences, reference), _one_more(-losses, -differences, reference)
    low, high = end(-1, lost), end(1, gained if float(differences.sum()) < gained else -lost)
    return None if low is None or high is None else Estimate(ratio, max(min(low, ratio), 0.0), max(high, ratio))


def _one_more(losses: PerQuery, differences: PerQuery, reference: PerQuery) -> float:
    """Return how much a query more would lose: as much as the most that one did, and `SHARE_STEP` at least.

    All of the most that one gains where fewer than three lost anything to speak of: a place further down, which costs
    little, does not tell what it costs to be lost. Queries that gain nothing have nothing to lose and do not count.
    """
    step = SHARE_STEP * math.sqrt(float(reference @ reference) / np.count_nonzero(reference))
    if np.count_nonzero(differences >= step / 10) < _FEWEST_OF_A_SHARE:
        return float(reference.max())
    return max(float(losses.max()), step)


def queries_for(target: float, k: int) -> int | None:
    """Return how many queries it takes for codes that find all of them to reach `target` for sure; None: no number.

    Examples
    --------
    >>> queries_for(0.98, 10), queries_for(0.999, 10), queries_for(1.0, 10)
    (37, 738, None)
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


def _errors(skewness: float) -> float:
    """Return how many standard errors a sum of losses may be above what was seen, 2.5% of the time.

    Hall's z + skewness (2 z^2 + 1) / 6, of which the first terms of a gamma distribution's quantile (here Wilson and
    Hilferty's) make z + skewness (z^2 - 1) / 3, and skewness / 2 is left for the shift: it is 1 or 0 times the skewness
    here, as Clopper and Pearson count the loss that lies on the border to both sides.
    """
    third = skewness / 3 if abs(skewness) > 1e-6 else 1e-6
    quantile = (max(1 + third * _NORMAL - third**2, 0.0) ** 3 - 1) / (3 * third)
    return max(quantile + max(skewness, 0.0), 0.0)


@lru_cache(maxsize=4096)
def _beta_quantile(share: float, a: float, b: float) -> float:
    """Return the quantile of a beta distribution, by Newton's steps kept within a bracket that halves."""
    low, high = 0.0, 1.0
    guess = math.log(a / b) + math.copysign(_NORMAL, share - 0.5) * math.sqrt(1 / a + 1 / b)
    x = 1 / (1 + math.exp(-guess)) if abs(guess) < 30 else a / (a + b)
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
