"""How good a ranking is: overlap, nDCG, the front of costs and gains, collapse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .intervals import PerQuery


def overlap(found: NDArray[Any], truth: NDArray[Any]) -> PerQuery:
    """Return the part of each query's true neighbours that was found.

    Parameters
    ----------
    found, truth : integer array, shape (n_queries, k)
        Row numbers; negative ones stand for nothing found.

    Returns
    -------
    array of float64, shape (n_queries,)

    Examples
    --------
    >>> overlap(np.array([[4, 7, 9]]), np.array([[9, 4, 1]])).round(3).tolist()
    [0.667]
    """
    hits = (found[:, None, :] == truth[:, :, None]) & (truth >= 0)[:, :, None]
    return hits.any(axis=2).sum(axis=1) / np.maximum((truth >= 0).sum(axis=1), 1)  # type: ignore[no-any-return]


def ndcg(found: NDArray[Any], relevant: Sequence[Any] | NDArray[Any]) -> PerQuery:
    """Return each query's normalised discounted cumulative gain, for relevant or not.

    A relevant row at place i (from 0) gains 1 / log2(i + 2); the sum is divided by that of the best order.

    Parameters
    ----------
    found : integer array, shape (n_queries, k)
        Best first.
    relevant : sequence of length n_queries
        The row, or the rows, that answer each query.

    Returns
    -------
    array of float64, shape (n_queries,)
        0 for a query that nothing answers.

    Examples
    --------
    >>> ndcg(np.array([[5, 2], [2, 5], [1, 3]]), [5, 5, [1, 3]]).round(3).tolist()
    [1.0, 0.631, 1.0]
    """
    if len(relevant) != len(found):
        raise ValueError(f"relevant rows for {len(relevant)} queries, but {len(found)} were asked")
    k = found.shape[1]
    gains = 1.0 / np.log2(np.arange(k) + 2.0)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    scores = np.zeros(len(found))
    for query, rows in enumerate(relevant):
        wanted = np.unique(np.atleast_1d(rows))
        if len(wanted):
            scores[query] = gains[np.isin(found[query], wanted)].sum() / ideal[min(k, len(wanted))]
    return scores


def pareto(costs: Sequence[float], gains: Sequence[float]) -> list[bool]:
    """Say for each point whether no other costs at most as much and gains more, or costs less and gains as much.

    Examples
    --------
    >>> pareto([64, 256, 512, 512], [0.6, 0.9, 0.85, 1.0])
    [True, True, False, True]
    """
    points = list(zip(costs, gains, strict=True))
    return [not any((c <= cost and g > gain) or (c < cost and g >= gain) for c, g in points) for cost, gain in points]


def collapse_warnings(x: NDArray[np.float32]) -> list[str]:
    """Say in words where dimensions carry little: a common mean, a few dominant dimensions, constant signs.

    Each costs sign bits far more than integers, so that a table of averages over models would mislead.
    """
    sample = x.astype(np.float64)
    energy = np.einsum("ij,ij->", sample, sample) / len(sample)
    if energy == 0:
        return ["every vector is zero"]
    mean = sample.mean(axis=0)
    variances = sample.var(axis=0)
    warnings = []
    share = float(mean @ mean / energy)
    if share > 0.3:
        warnings.append(f"the vectors share a mean that makes up {share:.0%} of their length squared")
    total = float(variances.sum())
    effective = total**2 / float((variances**2).sum()) if total > 0 else 0.0
    if effective < 0.25 * x.shape[1]:
        warnings.append(f"variance sits in about {max(1, round(effective))} of {x.shape[1]} dimensions")
    positive = (sample > 0).mean(axis=0)
    constant = int(((positive > 0.95) | (positive < 0.05)).sum())
    if constant > 0.1 * x.shape[1]:
        warnings.append(f"{constant} of {x.shape[1]} dimensions have the same sign in 95% of the rows")
    return [f"{text}: sign bits will do badly here" for text in warnings]
