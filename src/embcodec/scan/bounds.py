"""Rescoring that stops as soon as the error bounds of low-bit codes show that no other row can be among the best."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..quantizers.lowbit import (
    LowBitCodes,
    PrincipalScheme,
    RowErrors,
    certain_bounds,
    errors_of,
    farthest,
    fixed_errors,
    leaning_errors,
    prepare_queries,
    rounding_of,
)
from ..words import as_real, shown
from .best import SearchResult, as_count, rescored, short_repr
from .plan import check_low_bit, low_bit_scan

Doubles = NDArray[np.float64]

_WIDER, _WIDER_WHITENED, _WIDER_ONE_BIT = 1.25, 1.4, 2.0  # factors for codes without a random rotation: see `rescore`
_WIDER_PRINCIPAL = 2.0
_BLOCK_QUERIES = 16


def rounding_of_sums(dimension: int) -> float:
    """Return how far a float32 dot can be off, as a share of the sum of its products' magnitudes."""
    return (min(dimension, 128) + dimension / 128 + 8) * 2.0**-24


class BoundedResult(SearchResult):
    """The best of each query's candidates, with what the bounds say of the others.

    Attributes
    ----------
    scores, indices : ndarray, (n_queries, k)
        As of a :class:`SearchResult`, into which it unpacks.
    rescored : ndarray of int64, (n_queries,)
        How many candidates were scored exactly; all rows that count, where an exact search scanned the floats.
    is_final : ndarray of bool, (n_queries,)
        Whether the bounds say that none of the corpus' other rows belongs to the k best either: if the candidates were
        the best rows by the codes, as `search` finds them, the k best are those of an exhaustive float search. Always
        after ``FlatIndex.search(exact=True)``.
    """

    rescored: NDArray[np.int64]
    is_final: NDArray[np.bool_]

    def __new__(
        cls,
        scores: NDArray[Any],
        indices: NDArray[np.int64],
        rescored: NDArray[np.int64],
        is_final: NDArray[np.bool_],
    ) -> BoundedResult:
        """Return a pair with two attributes more."""
        result = super().__new__(cls, scores, indices)
        result.rescored, result.is_final = rescored, is_final
        return result

    def __repr__(self) -> str:
        return short_repr(self, "rescored", "is_final")

    def __reduce__(self) -> tuple[Any, ...]:
        return BoundedResult, (self.scores, self.indices, self.rescored, self.is_final)

    def with_indices(self, indices: NDArray[np.int64]) -> BoundedResult:
        """Return the result with other names for its rows."""
        return BoundedResult(self.scores, indices, self.rescored, self.is_final)

    def first(self) -> BoundedResult:
        """Return the result of the first query alone."""
        return BoundedResult(self.scores[0], self.indices[0], self.rescored[0], self.is_final[0])


class Bounds:
    """Upper bounds on the exact goodness of rows: a similarity, or a distance with its sign changed.

    Parameters
    ----------
    codes : LowBitCodes
    queries : Embeddings
        Floats.
    metric : str or None
    confidence : float
    """

    def __init__(self, codes: LowBitCodes, queries: Embeddings, metric: Any, confidence: float) -> None:
        metric = "cosine" if metric is None else metric
        if not isinstance(codes, LowBitCodes):
            raise TypeError(f"bounded_by are LowBitCodes, whose error is bounded, not {shown(codes)}")
        if not 0 <= as_real(confidence, "confidence") <= 1:
            raise ValueError(f"confidence is a probability, 0 to 1, not {confidence}")
        if queries.output_dtype is not OutputDtype.FLOAT:
            raise CodeMismatchError(f"bounds are for float queries, not {queries.output_dtype}")
        check_low_bit(queries, codes, metric)
        self.codes, self.queries, self.metric = codes, queries, metric
        self.sign = -1.0 if metric == "l2" else 1.0
        self._asked = prepare_queries(codes.scheme, queries.values)
        self._doubt = (1 - confidence) / (2 * max(len(codes), 1))
        self._part = self._part_of_certain(codes, self._doubt)
        ones = np.ones(len(queries))
        # Factors from the dots of a query of length 1 to its goodness.
        self._factors = {"cosine": ones, "dot": self._asked.lengths, "l2": 2 * self._asked.lengths}[metric][:, None]

    @staticmethod
    def _part_of_certain(codes: LowBitCodes, doubt: float) -> float:
        if doubt <= 0 or not codes.scheme.scaled or codes.dimension < 2:
            return 1.0
        part = float(np.sqrt(2 * np.log(1 / doubt) / (codes.dimension - 1)))
        if isinstance(codes.scheme, PrincipalScheme):
            return min(_WIDER_PRINCIPAL * part, 1.0)
        rotation = codes.scheme.rotation
        if rotation.factors is not None:
            return min(part, 1.0)
        wider = _WIDER if rotation.gains is None else _WIDER_WHITENED
        return min((_WIDER_ONE_BIT if codes.scheme.bits == 1 else wider) * part, 1.0)

    def reach(self, candidates: NDArray[np.int64], threads: int | None) -> tuple[NDArray[np.int64], Doubles]:
        """Return candidates (n_queries, c) by upper bounds on their goodness, and the bounds; -1, -inf for none."""
        count = candidates.shape[1]
        scores, rows = rescored(self.queries, candidates, self.codes, count, self.metric, "float32", threads)
        most = np.where(rows >= 0, self.sign * scores.astype(np.float64), -np.inf)
        for start in range(0, len(rows), _BLOCK_QUERIES):
            block = slice(start, start + _BLOCK_QUERIES)
            some, places = np.unique(np.maximum(rows[block], 0), return_inverse=True)
            codes = self.codes[some]
            bounds = self._bounds(block, errors_of(codes))
            most[block] += np.take_along_axis(bounds, places.reshape(rows[block].shape), axis=1)
        order = np.argsort(-most, axis=1, kind="stable")
        return np.take_along_axis(rows, order, axis=1), np.take_along_axis(most, order, axis=1)

    def reach_of_others(self, candidates: NDArray[np.int64], threads: int | None) -> Doubles:
        """Return an upper bound on the goodness of rows that `search` has ranked below all candidates, (n_queries,)."""
        count = candidates.shape[1]
        if not count:
            return np.full(len(candidates), np.inf)
        scores, rows = rescored(self.queries, candidates, self.codes, count, self.metric, "int8", threads)
        worst = np.where(rows >= 0, self.sign * scores.astype(np.float64), np.inf).min(axis=1)
        reach: Doubles = worst + self._bounds(slice(None), self.codes.widest)[:, 0] + self._rounding_of_queries()
        return reach

    def _bounds(self, queries: slice, rows: RowErrors) -> Doubles:
        """Return how far estimated goodness can be below the exact one, (m, n)."""
        codes, asked = self.codes, self._asked.some(queries)
        bounds = certain_bounds(codes, asked, rows)
        if self._part < 1:
            # Only errors that lean on directions become smaller; the rounding of stored scales does not.
            leaning, squares = leaning_errors(asked, rows), rows.squares
            met = np.maximum(asked.spreads[:, None] * (rows.units > 0), 1.0 * (rows.others > 0)) * np.sqrt(squares)
            fixed = fixed_errors(codes, asked, rows) + 2 * rounding_of(codes) * met
            bounds = np.minimum(self._part * leaning + fixed, bounds)
        lengths, away, missed = asked.lengths[:, None], farthest(codes, rows), codes.unit_error
        # The length of unit rows may be a little off, which shifts cosines and distances; scores are float32 sums.
        summed = 4 * rounding_of_sums(codes.dimension)
        more: dict[str, Doubles] = {
            "dot": summed * lengths * away,
            "cosine": summed * away + 2 * missed,
            "l2": summed * (lengths + away) ** 2 + 2 * missed * (1 + lengths),
        }
        reach: Doubles = self._factors[queries] * bounds + more[self.metric]
        return reach

    def _rounding_of_queries(self) -> Doubles:
        """Return how much the rounding of a query to tables may raise a row's estimate, (n_queries,).

        A score is a sum over 2 * width groups of four dimensions, each rounded by at most half a step. So its error is
        at most width steps, and by Hoeffding's inequality most likely far less. It counts twice: for the worst
        candidate and for the row that is compared with it.
        """
        scan = low_bit_scan(self._asked, self.codes, self.metric, "int8")
        assert scan.terms is not None
        width = self.codes.bit_planes.shape[1] + 1
        steps = width if self._doubt <= 0 else min(width, np.sqrt(width * np.log(1 / self._doubt)))
        return np.asarray(2 * steps * self.codes.widest.scales * self._factors[:, 0] * scan.terms[0], np.float64)


def rescored_by_bounds(
    bounds: Bounds,
    candidates: NDArray[Any],
    corpus: Embeddings | LowBitCodes,
    k: int,
    threads: int | None,
    *,
    others: int,
) -> BoundedResult:
    """Return the k best of each query's candidates (n_queries, c), scoring only those that may be among the k best.

    Parameters
    ----------
    bounds : Bounds
    candidates : integer array, (n_queries, c)
    corpus : Embeddings
        Floats.
    k : int
    others : int
        How many rows could have been candidates.
    """
    if not isinstance(corpus, Embeddings) or corpus.output_dtype is not OutputDtype.FLOAT:
        raise CodeMismatchError(f"bounds are of the floats that were coded: rescore those, not {corpus!r}")
    if len(corpus) != len(bounds.codes) or corpus.dimension != bounds.codes.dimension:
        raise CodeMismatchError(f"the bounds are of {bounds.codes!r}, the rows are {corpus!r}")
    candidates = candidates.astype(np.int64)
    k, queries = min(as_count(k), candidates.shape[1]), bounds.queries
    if not k or not len(queries) or not len(corpus):
        scores, rows = np.full((len(queries), k), np.nan, np.float32), np.full((len(queries), k), -1, np.int64)
        return BoundedResult(
            scores, rows, np.zeros(len(queries), np.int64), np.full(len(queries), not len(corpus) or not k)
        )
    order, most = bounds.reach(candidates, threads)
    scores, rows, scored = _best_by_bounds(queries, order, most, corpus, k, bounds.metric, threads)
    given = (order >= 0).sum(axis=1)
    kth = np.where(rows[:, -1] >= 0, bounds.sign * scores[:, -1].astype(np.float64), -np.inf)
    is_final = given >= others
    if not is_final.all():
        is_final |= kth > bounds.reach_of_others(candidates, threads)
    return BoundedResult(scores, rows, scored, is_final)


def _best_by_bounds(
    queries: Embeddings,
    order: NDArray[np.int64],
    most: Doubles,
    corpus: Embeddings,
    k: int,
    metric: Any,
    threads: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Return scores and rows (n_queries, k) of the best of each query's candidates, and how many of these were scored.

    Parameters
    ----------
    queries : Embeddings
        Floats.
    order : ndarray of int64, (n_queries, c)
        Candidates, -1 for none, in the order of what they can reach.
    most : ndarray of float64, (n_queries, c)
        Upper bounds on their goodness: a similarity, or a distance with its sign changed; -inf for none.
    corpus : Embeddings
        Floats.
    k : int
        At least 1, at most c.
    metric : str or None
    """
    sign = -1.0 if metric == "l2" else 1.0
    scores = np.full((len(queries), k), np.nan, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    scored = np.zeros(len(queries), np.int64)
    wanted = np.minimum(k + k // 4 + 1, (order >= 0).sum(axis=1))
    active = np.flatnonzero(wanted)
    while len(active):
        begin, end = scored[active], wanted[active]
        places = begin[:, None] + np.arange(int((end - begin).max()))
        chunk = np.take_along_axis(order[active], np.minimum(places, order.shape[1] - 1), axis=1)
        chunk[places >= end[:, None]] = -1
        new = rescored(queries[active], chunk, corpus, k, metric, "float32", threads)
        if scored.any() or new.scores.shape[1] < k:
            new = best_of_both(SearchResult(scores[active], rows[active]), new, sign)
        if len(active) == len(queries):
            scores, rows = new
        else:
            scores[active], rows[active] = new
        scored[active] = end
        # The k-th best score only rises, so a candidate that cannot reach it now never will.
        kth = np.where(rows[:, -1] >= 0, sign * scores[:, -1], -np.inf)
        needed = ((most >= kth[:, None]) & (order >= 0)).sum(axis=1)
        wanted = np.minimum(needed, 2 * scored)
        active = np.flatnonzero(wanted > scored)
    return scores, rows, scored


def best_of_both(first: SearchResult, second: SearchResult, sign: float) -> SearchResult:
    """Return the best of both results, as many as the first one has; of equal scores the lower row first."""
    scores = np.concatenate([first.scores, second.scores], axis=1)
    rows = np.concatenate([first.indices, second.indices], axis=1)
    costs = np.where(rows >= 0, -sign * scores, np.inf)
    order = np.lexsort((rows, costs), axis=1)[:, : first.scores.shape[1]]
    return SearchResult(np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1))
