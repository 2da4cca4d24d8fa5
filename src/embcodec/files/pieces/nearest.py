"""Exact search over files, some of their rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._native.search import NotFiniteRowError
from ...dtypes import NamelessFloat, OutputDtypeLike, Precision
from ...embeddings import Embeddings
from ...errors import StorageError
from ...profiles import Profile
from ...scan import MetricLike, PreparedQueries, SearchResult, as_count, merge_topk, prepare, search
from ...wire.batch import BatchLine
from .loading import Loaded, placed, reading
from .places import Paths, places_of
from .skipping import OnError, Skips, finite_rows_of


def search_files(
    queries: Embeddings | ArrayLike,
    paths: Paths,
    k: int,
    *,
    metric: MetricLike | None = None,
    column: str | None = None,
    id_column: str | None = None,
    batch_rows: int = 65_536,
    query_precision: Precision = "int8",
    threads: int | None = None,
    output_dtype: OutputDtypeLike | None = None,
    dimension: int | None = None,
    float_dtype: NamelessFloat | None = None,
    profile: str | Profile = "mistral",
    failed: Callable[[str, BatchLine], object] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    max_bytes: int | None = None,
    on_error: OnError = "raise",
) -> SearchResult:
    """Return the k best rows of many files for each query: what one search over all rows would find.

    Files are read once, `batch_rows` at a time, and the queries prepared once; for rows that are searched again and
    again, a :class:`Collection` maps its files.

    Parameters
    ----------
    queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
    paths : path-like, URL, binary file, or iterable of such
        As for :func:`iter_load`, and so are the arguments that are not named here.
    k : int
    metric, query_precision, threads
        As in :func:`search`.
    id_column : str, optional
        What the rows are called: whole numbers, each once. By default they are counted over all files, in the order of
        :func:`iter_load`.
    on_error : {"raise", "skip"} or callable
        As for :func:`iter_load`, which yields what is counted; rows with NaN or infinity are skipped, too.

    Returns
    -------
    SearchResult
        `indices` are ids; ties go to the lower one.

    Raises
    ------
    StorageError
        As :func:`iter_load`; also where there are no rows at all, and for ids that are texts.
    CodeMismatchError, ValueError
        As :func:`iter_load` and :func:`search`; an id that is given twice is told where a result has it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from embcodec import save, search_files
    >>> folder = tempfile.mkdtemp()
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], np.float32)
    >>> save(f"{folder}/a.npy", x[:2])
    >>> save(f"{folder}/b.npy", x[2:])
    >>> search_files([0.7, 0.7], f"{folder}/*.npy", 2).indices.tolist()
    [2, 0]
    """
    wanted = as_count(k)
    how = reading(
        column=column,
        id_column=id_column,
        batch_rows=batch_rows,
        output_dtype=output_dtype,
        dimension=dimension,
        float_dtype=float_dtype,
        profile=profile,
        failed=failed,
        max_bytes=max_bytes,
        on_error=on_error,
    )
    loaded = placed(places_of(paths, storage_options, skips=how.skips), how)
    first = next(loaded, None)
    if first is None:
        if how.skips is not None:
            how.skips.warn()
        raise StorageError("there are no rows in these files")
    asked = prepare(queries, first[2].rows[:0], metric=metric, query_precision=query_precision)
    found = merge_topk(_results(asked, first, loaded, wanted, threads, how.skips), wanted, metric=asked.metric)
    if id_column is not None:
        _check_once(found.indices)
    if how.skips is not None:
        how.skips.warn()
    return found


Placed = tuple[str, int, Loaded]


def _results(
    asked: PreparedQueries,
    first: Placed,
    others: Iterator[Placed],
    k: int,
    threads: int | None,
    skips: Skips | None,
) -> Iterator[SearchResult]:
    before = 0
    for name, start, (rows, ids) in chain([first], others):
        if isinstance(ids, list) or (ids is not None and not isinstance(ids, np.ndarray)):
            raise StorageError(
                "ids of a search are whole numbers, not texts: leave out id_column, and look the result's indices up "
                "in the texts; or put the rows into a Collection, which keeps texts"
            )
        kept = None if skips is None else finite_rows_of(rows, name, start, skips)
        counted: Any = np.arange(before, before + len(rows)) if ids is None and kept is not None else ids
        try:
            if kept is None:
                found = search(asked, rows, k, threads=threads, ids=ids)
            else:
                found = search(asked, rows[kept], k, threads=threads, ids=counted[kept])
        except NotFiniteRowError as error:
            raise NotFiniteRowError(start + error.row, error.by_user, f"{name}: row") from None
        yield found if counted is not None else SearchResult(found.scores, found.indices + before)
        before += len(rows)


def _check_once(ids: NDArray[np.int64]) -> None:
    named = np.sort(np.atleast_2d(ids), axis=1)
    twice = (named[:, 1:] == named[:, :-1]) & (named[:, 1:] >= 0)
    if twice.any():
        raise ValueError(f"an id is given twice: {named[:, 1:][twice][0]}")
