"""Numbers in words and tables: digits that count, never an exponent, units said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..words import counted
from .intervals import FEWEST_QUERIES, Estimate

INTERVALS = (
    f"Intervals are of 95% over queries, and hold from {FEWEST_QUERIES} queries on: Clopper and Pearson's for a mean, "
    "with as many trials as the variance says (Korn and Graubard), Fieller's corrected for skewness (Hall) for a ratio "
    "of means of the same queries; both as if one query more had lost much. Their ends are rounded outwards."
)


_LEAST_WRITTEN_OUT, _MOST_WRITTEN_OUT = 1e-9, 1e15


def figures(value: float, digits: int = 3) -> str:
    """Return a positive number with so many digits that count.

    Examples
    --------
    >>> [figures(value) for value in (0.04567, 1.5, 639.4, 999.7, 12_345.6, 0.0, 4.012e38)]
    ['0.0457', '1.50', '639', '1,000', '12,300', '0', '4.01e+38']
    """
    if not value or not math.isfinite(value):
        return "0" if not value else ""
    if not _LEAST_WRITTEN_OUT <= abs(value) < _MOST_WRITTEN_OUT:
        return f"{value:.{digits - 1}e}"
    rounded = float(f"{value:.{digits - 1}e}")  # 999.7 has four digits before the point then
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(decimals, 0)}f}"


def seconds(value: float) -> str:
    """Return a duration.

    Examples
    --------
    >>> seconds(0.0004), seconds(0.25), seconds(7.34), seconds(123.4)
    ('under 0.01 s', '0.25 s', '7.3 s', '120 s')
    """
    return "under 0.01 s" if value < 0.01 else f"{figures(value, 2)} s"


def share(value: float) -> str:
    """Return a share that was asked for, as it was asked for.

    Examples
    --------
    >>> share(0.98), share(0.985), share(1.0)
    ('98%', '98.5%', '100%')
    """
    return f"{100 * value:.6g}%"


def percents(estimate: Estimate) -> str:
    """Return an estimate in percent, with its interval.

    Examples
    --------
    >>> percents(Estimate(0.98765, 0.98, 0.9912))
    '98.8% (98.0% to 99.2%)'
    """
    low, high = estimate.rounded(3)
    return f"{estimate.mean:.1%} ({low:.1%} to {high:.1%})"


def listed(names: Sequence[str]) -> str:
    """Return names in a sentence.

    Examples
    --------
    >>> listed(["pgvector"]), listed(["faiss", "redis", "vespa"])
    ('pgvector', 'faiss, redis and vespa')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def few_queries(queries: int, held_out: bool) -> str:
    """Return the warning that there are too few queries."""
    return f"{counted(queries, 'query is', 'queries are')} too few to recommend anything by: {next_step(held_out)}"


def next_step(held_out: bool) -> str:
    """Say how a study gets queries enough for a recommendation."""
    own = f"pass at least {FEWEST_QUERIES} queries, 100 or more for narrow intervals"
    return f"{own}, or {5 * FEWEST_QUERIES} vectors to hold them out of" if held_out else own
