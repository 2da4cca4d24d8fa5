"""Exact top-k search over codes: one blocked scan, whatever the dtype."""

from __future__ import annotations

from functools import partial

from numpy.typing import ArrayLike

from ..dtypes import Precision
from ..embeddings import Embeddings, replace_values
from ..quantizers.lowbit import LowBitCodes
from .best import SearchResult, as_count, as_queries, as_rows, best_of, met_by, restrict
from .metric import MetricLike
from .named import best_by_ids
from .plan import plan
from .prepared import PreparedQueries, prepared
from .steps import Progress, in_steps


def search(
    queries: Embeddings | PreparedQueries | ArrayLike,
    corpus: Embeddings | LowBitCodes | ArrayLike,
    k: int,
    *,
    metric: MetricLike | None = None,
    mask: ArrayLike | None = None,
    query_precision: Precision = "int8",
    threads: int | None = None,
    progress: Progress | bool | None = None,
    ids: ArrayLike | None = None,
) -> SearchResult:
    """Return the k best rows of `corpus` for each query: exact, by a scan of all of them.

    Parameters
    ----------
    queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
        The same codes as the corpus, or floats, which meet any codes; or what :func:`prepare` made of them, which knows
        metric and precision.
    corpus : Embeddings, LowBitCodes or array-like of floats, (n, dimension)
        May be memory-mapped; it is read once a batch of up to 1,024 queries.
    k : int
        How many; clipped to the number of rows that the mask allows.
    metric : str or compiled function, optional
        ``"cosine"`` (default for numbers; 0 for a row or query of length 0; other rows have lengths of 1e-33 .. 1e33),
        ``"dot"``, ``"l2"`` (the squared Euclidean distance, as Faiss has it), ``"hamming"`` (default for bits; a
        distance), ``"jaccard"`` (a distance: 1 - intersection / union of set bits, 0 for two empty rows), or what
        :func:`embcodec.scan.metric.compile_metric` returns. Bits count as -1 and +1 in cosine, dot and l2.
    mask : array-like of bool (n,) or of int, optional
        Which rows count: one boolean a row, or their numbers, each once (integers 0 and 1 are row numbers too, not
        booleans: ``.astype(bool)`` makes them such).
    query_precision : {"int8", "float32"}
        How float queries meet codes: ``"int8"`` rounds them to a byte an element, by no more than the bounds under
        Notes; ``"float32"`` takes them as they are.
    threads : int, optional
        By default one for small work and all cores for large. The result does not depend on it.
    progress : callable or True, optional
        Called with the number of queries answered and of all, after each 1,024 (after all that were prepared).
        True: a bar on standard error, where that is a terminal, or in a notebook.
    ids : array-like of int, (n,), optional
        What the rows are called: not negative, each once. The result's `indices` are then ids, and ties go to the lower
        id: how the rows are ordered, or split into parts, does not matter. Where ids do not ascend, rows are copied, a
        block at a time.

    Returns
    -------
    SearchResult
        Scores and rows, best first, ties by the lower row; 1-D where `queries` is one vector.

    Raises
    ------
    CodeMismatchError
        Where the pair is not legal; the message says what to do.
    TypeError
        For bare integer arrays, whose meaning is unknown: wrap them in Embeddings. For a mask that is a masked array or
        has booleans among numbers.
    ValueError
        For NaN in queries or rows, a bad k, mask, metric or precision.

    Notes
    -----
    Float queries that are rounded to int8 give these errors, besides those of float32 arithmetic:

    - The dot with integers: each element q of the query, times its dimension's step a, is rounded to a multiple of
      s = max|a q| / 127, so that the dot is wrong by at most s / 2 * sum|code| (of uint8: of code - 128).
    - The dot with bits: the sums of +q or -q over each four dimensions are rounded to multiples of s, a 127th of the
      largest sum of four |q|, so that the dot is wrong by at most s / 2 * ceil(dimension / 4).
    - The cosine with codes of the unit scale or of per-vector scales is that of the row and the rounded query r, and so
      within -1 .. 1. It is wrong by at most max|q| / 127 * sqrt(dimension) / (|q| + |r|).
    - The cosine with bits is the dot divided by both lengths. Where a row of the query's own signs would pass 1, all of
      the query's scores are scaled down, which at most doubles the error.
    - The cosine with ranges is the dot divided by both lengths, and may pass 1 by as much as the dot is wrong.

    Scores of integer codes against codes like them follow from exact integer dots by a handful of float32 roundings.
    Those of floats are within E * sum|q_i x_i| of the exact dot, with E = (min(dimension, 128) + dimension / 128 + 8)
    * 2**-24. Codes with ranges, where they meet codes like them, or floats unrounded, are told apart by integer dots
    first, at the speed of these, and then scored as the floats they stand for. They are counted from the middle of
    their ranges, so that these scores are within E * sum|q_i|(|minimum_i| + |maximum_i|), which is more where codes
    stand for nearly 0. All scores are the same on every machine.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import search
    >>> corpus = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], np.float32)
    >>> scores, indices = search([2.0, 1.9], corpus, 2)
    >>> indices.tolist(), scores.astype(float).round(3).tolist()
    ([2, 0], [1.0, 0.725])
    """
    if progress is not None and not isinstance(queries, PreparedQueries):
        return in_steps(
            queries,
            partial(
                search,
                corpus=corpus,
                k=k,
                metric=metric,
                mask=mask,
                query_precision=query_precision,
                threads=threads,
                ids=ids,
            ),
            progress=progress,
        )
    if isinstance(queries, PreparedQueries):
        rows = as_rows(corpus)
        scan, single = queries.over(rows, metric), queries.single
    else:
        asked, single = as_queries(queries)
        rows = met_by(asked, corpus)
        if ids is not None:
            queries = prepared(asked, rows, metric, query_precision, single=single)
        else:
            scan = plan(asked, rows, metric, query_precision)
    if isinstance(queries, PreparedQueries) and ids is not None:
        result = best_by_ids(queries, rows, as_count(k), ids, mask, threads)
        return SearchResult(result.scores[0], result.indices[0]) if single else result
    allowed = restrict(scan, mask)
    result = best_of(scan, min(as_count(k), allowed), threads)
    if callable(progress):
        progress(len(scan.queries), len(scan.queries))
    return SearchResult(result.scores[0], result.indices[0]) if single else result


def prepare(
    queries: Embeddings | ArrayLike,
    like: Embeddings | LowBitCodes | ArrayLike,
    *,
    metric: MetricLike | None = None,
    query_precision: Precision = "int8",
) -> PreparedQueries:
    """Return queries as they meet rows like `like`, once for any number of searches.

    What a search does to its queries (rounding, turning, tables of sums) is then done once, not for each shard of a
    corpus. The result can be pickled; it is as large as the queries are in that form, whatever `like` is.

    Parameters
    ----------
    queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
    like : Embeddings, LowBitCodes or array-like of floats, (n, dimension)
        Rows of the kind to be searched: dtype, dimension, scale and order of bits, or scheme, count; rows may be none.
    metric, query_precision
        As in :func:`search`.

    Raises
    ------
    CodeMismatchError, TypeError, ValueError
        As :func:`search` does.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import merge_topk, prepare, quantize, search
    >>> rows = quantize(np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], np.float32), "int8")
    >>> asked = prepare(np.array([0.8, 0.6], np.float32), rows)
    >>> parts = [search(asked, rows[:2], 1), search(asked, rows[2:], 1)]
    >>> [part.indices.tolist() for part in parts]
    [[1], [0]]
    """
    asked, single = as_queries(queries)
    own = replace_values(asked, asked.values.copy())  # the caller's may change before they are asked
    return prepared(own, as_rows(like), metric, query_precision, single=single)
