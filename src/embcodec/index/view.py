"""An index as those who read it see it: the rows of one moment, and searches of them."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..dtypes import Precision
from ..embeddings import Embeddings
from ..quantizers.lowbit import Rows
from ..scan import BoundedResult, MetricLike, Progress, SearchResult, in_steps
from .arguments import rows_of_mask
from .exact import exhaustive
from .rows import Snapshot
from .stages import Options, staged


class View:
    """What is read of a :class:`FlatIndex`, each time of the snapshot that it is when the call begins."""

    _now: Snapshot

    def __len__(self) -> int:
        return len(self._now)

    @property
    def codes(self) -> Rows:
        """The rows that are scanned."""
        return self._now.codes.rows

    @property
    def rescore_with(self) -> Rows | None:
        """The rows that rescore, or None."""
        part = self._now.rescore_with
        return None if part is None else part.rows

    @property
    def ids(self) -> NDArray[np.int64]:
        """The rows' ids, (n,)."""
        return self._now.all_ids()

    @property
    def nbytes(self) -> int:
        """Bytes of codes, rescoring rows and ids."""
        now = self._now
        better = now.rescore_with.rows.nbytes if now.rescore_with else 0
        return now.codes.rows.nbytes + better + (0 if now.ids is None else now.ids.nbytes)

    @overload
    def search(
        self,
        queries: Embeddings | ArrayLike,
        k: int,
        *,
        rescore_multiplier: float | None = 4,
        three_stage: bool = False,
        confidence: float,
        exact: Literal[False] = False,
        metric: MetricLike | None = None,
        mask: ArrayLike | None = None,
        query_precision: Precision = "int8",
        threads: int | None = None,
        progress: Progress | bool | None = None,
    ) -> BoundedResult: ...

    @overload
    def search(
        self,
        queries: Embeddings | ArrayLike,
        k: int,
        *,
        exact: Literal[True],
        metric: MetricLike | None = None,
        mask: ArrayLike | None = None,
        threads: int | None = None,
        progress: Progress | bool | None = None,
    ) -> BoundedResult: ...

    @overload
    def search(
        self,
        queries: Embeddings | ArrayLike,
        k: int,
        *,
        rescore_multiplier: float | None = 4,
        three_stage: bool = False,
        confidence: float | None = None,
        exact: bool = False,
        metric: MetricLike | None = None,
        mask: ArrayLike | None = None,
        query_precision: Precision = "int8",
        threads: int | None = None,
        progress: Progress | bool | None = None,
    ) -> SearchResult: ...

    def search(
        self,
        queries: Embeddings | ArrayLike,
        k: int,
        *,
        rescore_multiplier: float | None = 4,
        three_stage: bool = False,
        confidence: float | None = None,
        exact: bool = False,
        metric: MetricLike | None = None,
        mask: ArrayLike | None = None,
        query_precision: Precision = "int8",
        threads: int | None = None,
        progress: Progress | bool | None = None,
    ) -> SearchResult:
        """Return the k best rows' ids for each query.

        With rows to rescore with, the best k * `rescore_multiplier` by `codes` are found first, and the k best of
        them by the better rows returned, with those scores.

        Parameters
        ----------
        queries : Embeddings or array-like of floats, (n_queries, dimension) or (dimension,)
            To rescore: floats, or codes like `rescore_with`.
        k : int
        rescore_multiplier : float, optional
            None: do not rescore, return what the codes say.
        three_stage : bool
            For packed bits and low-bit codes of one bit: first k * `rescore_multiplier` * 5 rows by Hamming distance
            from the signs of the query (coded as the rows are), of which the float query on the same bits keeps
            k * `rescore_multiplier`. Less exact than the float query on all rows.
        confidence : float, optional
            For low-bit codes with floats to rescore: score no more of the candidates than may be among the k best by
            the codes' error bounds, which hold with this confidence; see :func:`embcodec.rescore`. The result is then
            a :class:`BoundedResult`.
        exact : bool
            Return what ``search(queries, floats, k)`` returns for the floats to rescore with: the same rows, scores and
            ties, to the bit. The codes are scanned, and only rows that a proven bound leaves in doubt are scored. The
            result is a :class:`BoundedResult`, `is_final` for every query; where the bound says too little, as with
            codes of few bits, or of other rows, the floats are scanned, and `rescored` is the number of all rows that
            count. No number of candidates, stages or confidence go with it, and the precision of queries has no
            part in it. The first such search reads all floats, to
            measure what the codes leave out: 16 bytes a row, which :meth:`save` keeps.
        metric, query_precision, threads, progress
            As in :func:`embcodec.search`; hamming and jaccard are not rescored.
        mask : array-like of bool (n,) or of int, optional
            Which rows count: one boolean a row, or their ids, each once; ids that are not there are an error.

        Returns
        -------
        SearchResult
            `indices` are ids. Ties go to the row that was added first.

        Examples
        --------
        >>> import numpy as np
        >>> from embcodec import Embeddings, FlatIndex
        >>> x = np.array([[0.6, 0.8], [0.8, 0.6], [-1.0, 0.0]], np.float32)
        >>> index = FlatIndex(Embeddings(x).to("int8"), rescore_with=x)
        >>> found = index.search(np.array([0.8, 0.6], np.float32), 2, exact=True)
        >>> found.indices.tolist(), bool(found.is_final)
        ([1, 0], True)
        """
        now = self._now
        rows = rows_of_mask(now, mask)
        if exact and (rescore_multiplier != 4 or three_stage or confidence is not None):
            raise ValueError(
                "exact=True finds its own candidates: leave out rescore_multiplier, three_stage and confidence"
            )

        def found(asked: Embeddings) -> SearchResult:
            result: SearchResult
            if exact:
                result = exhaustive(now, asked, k, metric=metric, mask=rows, threads=threads)
            else:
                result = staged(
                    now,
                    asked,
                    k,
                    Options(metric, rows, query_precision, threads),
                    multiplier=rescore_multiplier,
                    three_stage=three_stage,
                    confidence=confidence,
                )
            names = now.names(result.indices)
            return (
                result.with_indices(names) if isinstance(result, BoundedResult) else SearchResult(result.scores, names)
            )

        return in_steps(queries, found, progress=progress)
