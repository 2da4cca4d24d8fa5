"""A collection as those who read it see it: what it holds at a moment, and searches of that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...dtypes import Precision
from ...embeddings import Embeddings
from ...scan import MetricLike, Progress, SearchResult, in_steps
from .best import best_of_all, ids_of_mask
from .exact import exact_of_all
from .info import CollectionInfo, info_of, words_of
from .names import Names
from .spread import Spread
from .texts import refuse_texts


class View(Names):
    """What is read of a :class:`Collection`; where another process has joined files meanwhile, it is read again."""

    def __len__(self) -> int:
        return len(self._folder.now)

    def __repr__(self) -> str:
        kind, files = self._folder.kind, len(self._folder.now.shards)
        better = "" if kind.rescore_with is None else f", rescored with {words_of(kind.rescore_with)}"
        return f"Collection({len(self):,} rows in {files} file{'s' * (files != 1)}, {words_of(kind.codes)}{better})"

    @property
    def dimension(self) -> int:
        """How many dimensions the rows have."""
        return self._folder.kind.codes.dimension

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of all rows that count, ascending within each file, (n,)."""
        return self._folder.again(
            lambda: np.concatenate([np.empty(0, np.int64), *(shard.kept_ids() for shard in self._folder.shards())])
        )

    def info(self) -> CollectionInfo:
        """Return how large the collection is, and what it holds."""
        return info_of(self._folder)

    def refresh(self) -> None:
        """See what other processes have changed since."""
        self._folder.refresh()

    def search(
        self,
        queries: Embeddings | ArrayLike,
        k: int,
        *,
        rescore_multiplier: float | None = 4,
        metric: MetricLike | None = None,
        mask: ArrayLike | None = None,
        query_precision: Precision = "int8",
        threads: int | None = None,
        scheduler: Any = None,
        exact: bool = False,
        three_stage: bool = False,
        confidence: float | None = None,
        progress: Progress | bool | None = None,
    ) -> SearchResult:
        """Return the k best rows' ids for each query: what one search over all rows would find, ties by id.

        Parameters
        ----------
        queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
        k : int
        rescore_multiplier : float, optional
            Of how many times k candidates by the codes the k best by the better rows are returned, where the collection
            has such; None: return what the codes say.
        metric, query_precision, threads, progress
            As in :func:`embcodec.search`; hamming and jaccard are not rescored.
        mask : array-like of int, optional
            The ids that count, each once.
        scheduler : dask.distributed.Client, optional
            Run the search on the workers of its cluster, which see the folder under the same path; `threads` are then
            those of one task, 1 by default. The result is the same.
        exact : bool
            Return what a search of all floats returns, as :meth:`FlatIndex.search` does: a :class:`BoundedResult`. Of
            files of many rows the codes are scanned; the first such search measures what they leave out: it reads all
            floats, and keeps 16 bytes a row in memory.
        three_stage, confidence
            Not for collections; they are here for a clear error.

        Returns
        -------
        SearchResult
            `indices` are ids.
        """
        if three_stage or confidence is not None:
            raise ValueError("a collection has two stages, without bounds: leave out three_stage and confidence")
        if exact and (rescore_multiplier != 4 or scheduler is not None):
            raise ValueError(
                "exact=True finds its own candidates, in this process: leave out rescore_multiplier and scheduler"
            )
        options: dict[str, Any] = {"k": k, "metric": metric, "threads": threads}
        if not exact:
            options |= {"multiplier": rescore_multiplier, "precision": query_precision}
        return self._folder.again(lambda: self._search(queries, mask, scheduler, progress, options, exact=exact))

    def _search(
        self,
        queries: Embeddings | ArrayLike,
        mask: ArrayLike | None,
        scheduler: Any,
        told: Progress | bool | None,
        options: dict[str, Any],
        *,
        exact: bool,
    ) -> SearchResult:
        folder = self._folder
        refuse_texts(mask, "ids of a mask")
        now, here = folder.now, folder.here()
        chosen = ids_of_mask(here, mask)
        find: Callable[..., SearchResult]
        if exact:
            find = partial(exact_of_all, here, folder.shards(), folder.kind, mask=chosen, **options)
        else:
            parts = here if scheduler is None else Spread(scheduler, folder.path, here, now.shards)
            find = partial(best_of_all, parts, folder.kind, len(now), mask=chosen, **options)
        return in_steps(queries, find, progress=told)
