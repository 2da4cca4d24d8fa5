"""Queries in the form in which they meet rows of one kind, for searches of many parts of a corpus."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._native.scan import LENGTH_NONE, Scan
from .._native.search import nanoseconds
from .._native.segments import Segments
from ..dtypes import Metric, Precision
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..quantizers.lowbit import LowBitCodes, kind_of, say_nothing
from ..scale import PER_VECTOR
from ..words import shown
from .metric import CompiledMetric, MetricLike
from .plan import check_unit, default_metric, plan


class PreparedQueries:
    """What :func:`prepare` makes of queries; :func:`search` takes it in their place. It can be pickled.

    Attributes
    ----------
    metric : str or compiled function
        By which the searches compare.
    single : bool
        Whether it was one vector, so that results are 1-D.
    """

    metric: Metric | CompiledMetric
    single: bool

    def __init__(self, scan: Scan, kind: object, metric: Metric | CompiledMetric, *, single: bool) -> None:
        self._scan, self._kind, self.metric, self.single = scan, kind, metric, single

    def __len__(self) -> int:
        return len(self._scan.queries)

    @property
    def nbytes(self) -> int:
        """Bytes of the queries in the form in which they meet rows."""
        return int(self._scan.queries.nbytes)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row that they meet."""
        return int(self._scan.args.row_bytes)

    @property
    def wants_squares(self) -> bool:
        """Whether the metric asks for the squared lengths of rows."""
        return bool(self._scan.args.lengths != LENGTH_NONE)

    def nanoseconds(self, n_rows: int, read: float) -> float:
        """Return how long a core takes, at least, to let the queries meet rows; a byte takes `read` to come."""
        return nanoseconds(self._scan, n_rows, read)

    def __repr__(self) -> str:
        name = self.metric if isinstance(self.metric, str) else "a compiled metric"
        return f"PreparedQueries({len(self)}, {name}, for {_words(self._kind)})"

    def nothing(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the scores and rows of a search among no rows, (n_queries, 0)."""
        shape = len(self), 0
        return np.empty(shape, np.int32 if self._scan.is_integer else np.float32), np.empty(shape, np.int64)

    def check(self, rows: Embeddings | LowBitCodes, metric: MetricLike | None = None) -> None:
        """Refuse rows that the queries do not meet.

        Raises
        ------
        CodeMismatchError
            Where the rows, or the metric, are others than those that the queries were prepared for.
        """
        if metric not in (None, self.metric):
            raise CodeMismatchError(
                f"these queries were prepared for {shown(self.metric)}, not {shown(metric)}", f"prepare(..., {metric=})"
            )
        if say_nothing(rows):
            return
        if kind_of(rows) != self._kind:
            raise CodeMismatchError(
                f"queries prepared for {_words(self._kind)} do not meet {rows!r}", "prepare(queries, rows)"
            )
        if isinstance(rows, LowBitCodes):
            check_unit(rows, self.metric)

    def over(self, rows: Embeddings | LowBitCodes, metric: MetricLike | None = None) -> Scan:
        """Return the scan that compares the queries with rows; raise what :meth:`check` does."""
        self.check(rows, metric)
        if say_nothing(rows):
            return self._scan.over(self._scan.rows)
        met = as_met(rows, self.metric)
        scan = self._scan.over(met.rows)
        scan.row_scales, scan.row_biases = met.scales, met.biases
        return scan

    def over_segments(self, segments: Segments) -> Scan:
        """Return the scan that compares the queries with rows in several places, which have been checked."""
        return self._scan.over(segments)


def prepared(
    queries: Embeddings, like: Embeddings | LowBitCodes, metric: Any, precision: Precision, *, single: bool
) -> PreparedQueries:
    """Return queries as they meet rows like `like`."""
    if isinstance(like, LowBitCodes):
        metric = "cosine" if metric is None else metric
    elif metric is None:
        metric = default_metric(queries, like)
    none = like[:0] if len(like) else like
    scan = plan(queries, none, metric, precision)
    return PreparedQueries(scan.over(_array_of(none, metric)), kind_of(none), metric, single=single)


def _words(kind: Any) -> str:
    if isinstance(kind, str):
        return f"codes of {kind}"
    dtype, dimension, identity, *_ = kind
    return f"{dtype} rows of {dimension} dimensions" + (f", {identity}" if identity not in (None, "unit") else "")


class Met(NamedTuple):
    """Rows as a scan meets them, with the scale of each and what is added to its dots, where they have such."""

    rows: NDArray[Any]
    scales: NDArray[np.float32] | None = None
    biases: NDArray[np.float32] | None = None


def as_met(rows: Embeddings | LowBitCodes, metric: Any) -> Met:
    """Return rows as scans by this metric meet them."""
    array = _array_of(rows, metric)
    if isinstance(rows, LowBitCodes):
        return Met(array, *rows.for_scans)
    if rows.scale is not None and rows.scale.kind == PER_VECTOR and isinstance(metric, str):
        return Met(array, rows.scale.values)
    return Met(array)


def _array_of(rows: Embeddings | LowBitCodes, metric: Any) -> NDArray[Any]:
    """Return rows as a scan by this metric takes them: see the planners in :mod:`.plan`."""
    if isinstance(rows, LowBitCodes):
        return rows.bit_planes
    if not rows.output_dtype.is_packed or not isinstance(metric, str):
        return rows.values
    return rows.packed_bytes() if metric == "jaccard" else rows.values.view(np.uint8)
