"""The k best rows of a scan, and what searches are given, judged: rows, queries, counts and masks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._native import search as native
from .._native.scan import Scan
from ..codec import as_array, codes, mask_or_numbers
from ..dtypes import Precision
from ..embeddings import Embeddings, of_floats
from ..errors import CodeMismatchError, NotFiniteError
from ..quantizers.lowbit import LowBitCodes, say_nothing
from ..words import shown
from .metric import MetricLike
from .plan import plan
from .prepared import PreparedQueries
from .reach import Reach

# Rows that a mask leaves are gathered where they are fewer than one in this many; else the others are skipped.
SPARSE = 8
_MORE = 16  # how many results beyond twice k are kept where different scores may be rounded to the same


class SearchResult(NamedTuple):
    """The best rows of each query.

    Attributes
    ----------
    scores : ndarray, (n_queries, k)
        float32 (int32 for hamming), best first.
    indices : ndarray of int64, (n_queries, k)
        Rows of the corpus (an index's ids); -1 where a query had fewer candidates than k.
    """

    scores: NDArray[Any]
    indices: NDArray[np.int64]

    def __repr__(self) -> str:
        return short_repr(self)


def short_repr(result: Any, *others: str) -> str:
    """Return the fields of a named tuple, and `others` of it, with the ends of long arrays only."""
    with np.printoptions(threshold=60, edgeitems=2):
        fields = ", ".join(f"{name}={getattr(result, name)!r}" for name in (*result._fields, *others))
    return f"{type(result).__name__}({fields})"


def best_of(scan: Scan, k: int, threads: int | None, reach: Reach | None = None) -> SearchResult:
    """Return the k best of a scan, ties by the lower row; of a part of a corpus, those that its `reach` leaves."""
    if reach is not None:
        scan.within = reach.costs
    if scan.factors is None or not k:
        scores, rows = native.top_k(scan, k, threads)
        if reach is not None and k == reach.k > 0:
            reach.lower(scan.costs_of(scores[:, -1]), rows[:, -1] >= 0)
        return SearchResult(refuse_overflow(scan, final_scores(scan, scores)), rows)
    # What a scan's scores come to is rounded once more, so that different ones may come to the same: more than k are
    # looked at, until the end of such a tie.
    wanted, most = min(2 * k + _MORE, scan.n_positions), scan.n_positions
    while True:
        raw, rows = native.top_k(scan, wanted, threads)
        scores = final_scores(scan, raw.copy())
        is_open = (scores[:, -1] == scores[:, k - 1]) & (raw[:, -1] != raw[:, k - 1])
        if wanted == most or not is_open.any():
            break
        wanted = min(4 * wanted, most)
    if reach is not None and k == reach.k < wanted:
        worse = scores[:, k:] != scores[:, k - 1 : k]  # than the k-th, as is what costs more
        first = np.argmax(worse, axis=1)[:, None]
        last, there = np.take_along_axis(raw[:, k:], first, axis=1), np.take_along_axis(rows[:, k:], first, axis=1) >= 0
        reach.lower(scan.costs_of(last[:, 0]), worse.any(axis=1) & there[:, 0])
    costs = scores if scan.least is not None else -scores
    order = np.lexsort((rows, np.where(rows < 0, np.inf, costs)), axis=1)[:, :k]
    found = SearchResult(np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1))
    return SearchResult(refuse_overflow(scan, found.scores), found.indices)


def refuse_overflow(scan: Scan, scores: NDArray[Any]) -> NDArray[Any]:
    """Return final scores; a ValueError where some are beyond float32, so that their order is lost."""
    if scores.dtype.kind == "f" and not scan.has_user_metric and np.isinf(scores).any():
        raise ValueError("scores are beyond float32: divide queries or rows by their greatest length, or use 'cosine'")
    return scores


def final_scores(scan: Scan, scores: NDArray[Any], queries: Any = slice(None)) -> NDArray[Any]:
    """Return what a scan's own scores, (n, k) or (n,), of some queries come to; they may be overwritten."""
    if scan.factors is None or scan.constants is None:
        return scores
    shape = (-1,) + (1,) * (scores.ndim - 1)
    scores *= scan.factors[queries].reshape(shape)
    scores += scan.constants[queries].reshape(shape)
    return scores if scan.least is None else np.maximum(scores, np.float32(scan.least), out=scores)


def rescored(
    queries: Embeddings,
    candidates: NDArray[Any],
    corpus: Embeddings | LowBitCodes,
    k: int,
    metric: MetricLike | None,
    precision: Precision,
    threads: int | None,
) -> SearchResult:
    """Return the k best of each query's candidates (n_queries, c), which are in range."""
    scan = plan(queries, corpus, metric, precision)
    k = min(as_count(k), candidates.shape[1])
    scan.selection = np.sort(candidates.astype(np.int64), axis=1)
    if not len(corpus):
        return SearchResult(
            np.full((len(queries), k), -1 if scan.is_integer else np.nan, np.int32 if scan.is_integer else np.float32),
            np.full((len(queries), k), -1, np.int64),
        )
    return best_of(scan, k, threads)


def as_rows(corpus: Any) -> Embeddings | LowBitCodes:
    """Return a corpus as codes that can be searched."""
    return corpus if isinstance(corpus, LowBitCodes) else as_embeddings(corpus, "corpus")


def met_by(queries: Embeddings, corpus: Any) -> Embeddings | LowBitCodes:
    """Return a corpus as codes that can be searched by `queries`: of one that says nothing, no rows like these."""
    rows = as_rows(corpus)
    return queries[:0] if say_nothing(rows) else rows


def as_embeddings(rows: Any, name: str) -> Embeddings:
    """Return `rows` as Embeddings: bare floats become ``"float"``, bare integers are refused."""
    if isinstance(rows, Embeddings):
        return rows
    if isinstance(rows, LowBitCodes):
        raise CodeMismatchError(f"{name} cannot be low-bit codes: these are a corpus of search and rescore")
    return of_floats(rows, name)


def as_queries(queries: Any) -> tuple[Embeddings, bool]:
    """Return queries as Embeddings, and whether it was one bare vector."""
    if isinstance(queries, PreparedQueries):
        raise TypeError("prepared queries are for embcodec.search alone; others want those that they were made of")
    if isinstance(queries, Embeddings | LowBitCodes):
        return as_embeddings(queries, "queries"), False
    array = as_array(queries)
    if array.dtype.kind in "iub":
        raise codes.bare_integers("queries", array.dtype, queries)
    single = array.ndim == 1
    try:
        return as_embeddings(array[None] if single else array, "queries"), single
    except NotFiniteError as error:
        raise NotFiniteError(error.row, error.column, error.value, "queries") from None


def as_count(k: Any) -> int:
    """Return `k` as an int that is not negative."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise TypeError(f"k is a whole number, not {shown(k)}")
    if k < 0:
        raise ValueError(f"k must not be negative, but is {k}")
    return int(k)


def as_mask(
    mask: Any, name: str = "mask row", takes: str = "a mask is one boolean a row, or a list of row numbers"
) -> NDArray[Any]:
    """Return a mask as an array, of booleans or of numbers; errors say what it `takes`."""
    chosen = mask_or_numbers(mask, name)
    if chosen is None or (chosen.size and chosen.dtype.kind != "b" and chosen.ndim != 1):
        raise TypeError(takes)
    return chosen


def restrict(scan: Scan, mask: Any) -> int:
    """Restrict a scan to the rows of `mask`; return how many they are."""
    n = len(scan.rows)
    if mask is None:
        return n
    chosen = as_mask(mask)
    if chosen.dtype == np.bool_:
        if chosen.shape != (n,):
            raise ValueError(f"a boolean mask has shape ({n},), not {chosen.shape}")
        allowed = int(np.count_nonzero(chosen))
        if allowed * SPARSE > n:
            scan.mask = np.packbits(chosen, bitorder="little")
            return allowed
        chosen = np.flatnonzero(chosen)
    elif chosen.size == 0:
        chosen = np.empty(0, np.int64)
    else:
        given, chosen = len(chosen), np.unique(chosen)
        if len(chosen) < given:
            raise ValueError("mask repeats row numbers: mask.astype(bool) is one boolean a row; or name each row once")
        if chosen[0] < 0 or chosen[-1] >= n:
            raise ValueError(f"mask names row {int(chosen[0] if chosen[0] < 0 else chosen[-1])} of {n}")
        if len(chosen) * SPARSE > n:
            rows = np.zeros(n, np.bool_)
            rows[chosen] = True
            scan.mask = np.packbits(rows, bitorder="little")
            return len(chosen)
    scan.selection = np.ascontiguousarray(chosen, dtype=np.int64)
    return len(chosen)
