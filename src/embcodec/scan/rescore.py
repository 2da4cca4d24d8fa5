"""Rescoring: exact scores of given rows, of all of them or, by error bounds, of those that may be among the best."""

from __future__ import annotations

from typing import overload

from numpy.typing import ArrayLike

from ..codec import as_whole
from ..dtypes import Precision
from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes
from .best import SearchResult, as_queries, as_rows, rescored
from .bounds import BoundedResult, Bounds, rescored_by_bounds
from .metric import MetricLike


@overload
def rescore(
    queries: Embeddings | ArrayLike,
    candidates: ArrayLike,
    corpus: Embeddings | LowBitCodes | ArrayLike,
    k: int,
    *,
    metric: MetricLike | None = None,
    query_precision: Precision = "float32",
    bounded_by: LowBitCodes,
    confidence: float = 0.999,
    threads: int | None = None,
) -> BoundedResult: ...


@overload
def rescore(
    queries: Embeddings | ArrayLike,
    candidates: ArrayLike,
    corpus: Embeddings | LowBitCodes | ArrayLike,
    k: int,
    *,
    metric: MetricLike | None = None,
    query_precision: Precision = "float32",
    bounded_by: LowBitCodes | None = None,
    confidence: float = 0.999,
    threads: int | None = None,
) -> SearchResult: ...


def rescore(
    queries: Embeddings | ArrayLike,
    candidates: ArrayLike,
    corpus: Embeddings | LowBitCodes | ArrayLike,
    k: int,
    *,
    metric: MetricLike | None = None,
    query_precision: Precision = "float32",
    bounded_by: LowBitCodes | None = None,
    confidence: float = 0.999,
    threads: int | None = None,
) -> SearchResult:
    """Return the k best of given rows of `corpus` for each query, gathered and scored exactly.

    With `bounded_by`, no more rows are scored than may still belong to the k best: the result is the same.

    Parameters
    ----------
    queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
    candidates : array-like of int, (n_queries, c) or (c,)
        Rows to score for each query, in any order; negative ones and repetitions are skipped.
    corpus, k, metric, query_precision, threads
        As in :func:`search`; k is clipped to c, and floats meet codes unrounded by default.
    bounded_by : LowBitCodes, optional
        Codes of the rows of `corpus`, which are floats. Candidates are scored in the order of what their scores can be
        at most, by the codes' estimate and its error bound, until the k-th exact score is above what any other can
        reach. The metric is "cosine" (the default), "dot" or "l2".
    confidence : float
        With which the bounds hold, for a query and all rows of `corpus` together. At 1 they are certain (see
        :meth:`LowBitCodes.error_bounds`) and wide. Below, an error is taken for that of a random direction, which
        exceeds t times the certain bound with a probability of at most exp(-t^2 (dimension - 1) / 2). That is so by
        construction for a random rotation; for learned ones and none, whose errors lean on the data's, the bound is
        doubled at one bit, and at more widened by a quarter, or 1.4 times where rows are whitened (on real vectors they
        spread by up to 1.92, 1.14 and 1.36 of a random direction's, and less where levels are shaped). In principal
        directions it is doubled, too: errors spread like those of a random direction, but a few lie farther out. Codes
        without scales ("plain sign bits") have certain bounds only.

    Returns
    -------
    SearchResult
        Where a query has fewer candidates than k: index -1 and a score of NaN (-1 for hamming) in the last places.
        With `bounded_by` a :class:`BoundedResult`, which also says how many rows were scored, and whether the bounds
        prove the k best final.

    Raises
    ------
    CodeMismatchError, TypeError, ValueError
        As :func:`search` does; ValueError also for a candidate that is no row of `corpus`, TypeError for candidates
        that are no whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import rescore
    >>> corpus = np.eye(4, dtype=np.float32)
    >>> rescore([0.1, 0.9, 0.3, 0.0], [3, 0, 2], corpus, 2).indices.tolist()
    [2, 0]

    Four bits a dimension leave little in doubt:

    >>> from embcodec import LowBitQuantizer, search
    >>> x = np.random.default_rng(0).standard_normal((2000, 64)).astype(np.float32)
    >>> x /= np.linalg.norm(x, axis=1, keepdims=True)
    >>> codes = LowBitQuantizer(4, rotation="random").fit(x).encode(x)
    >>> found = rescore(x[:3], search(x[:3], codes, 100).indices, x, 1, bounded_by=codes)
    >>> found.indices[:, 0].tolist(), found.rescored.tolist(), found.is_final.tolist()
    ([0, 1, 2], [2, 2, 2], [True, True, True])
    """
    rows = as_rows(corpus)
    asked, single = as_queries(queries)
    if isinstance(candidates, SearchResult):
        raise TypeError("candidates are whole numbers, rows of the corpus: pass found.indices of a search's result")
    chosen = as_whole(candidates, "candidate", several=True)
    chosen = chosen[None] if single and chosen.ndim == 1 else chosen
    if chosen.ndim != 2 or len(chosen) != len(asked):
        raise ValueError(f"candidates have shape ({len(asked)}, c), not {chosen.shape}")
    if chosen.size and chosen.max() >= len(rows):
        query = int((chosen >= len(rows)).any(axis=1).argmax())
        raise ValueError(f"candidate {int(chosen[query].max())} of a corpus of {len(rows)} rows (query {query})")
    if bounded_by is None:
        result = rescored(asked, chosen, rows, k, metric, query_precision, threads)
        return SearchResult(result.scores[0], result.indices[0]) if single else result
    bounds = Bounds(bounded_by, asked, metric, confidence)
    found = rescored_by_bounds(bounds, chosen, rows, k, threads, others=len(rows))
    return found.first() if single else found
