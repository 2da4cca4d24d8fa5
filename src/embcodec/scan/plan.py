"""How queries meet a corpus: which kernel compares them, in what form, and how its raw scores become costs.

search(), range_search() and rescore() begin with :func:`plan`, whose scan the C core then runs over the rows. A cost is
better when it is lower, whatever the metric; scores are the costs with the sign that users expect.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native import hamming
from .._native import scan as native
from .._native.bits import bit_flags
from ..dtypes import METRICS, PRECISIONS, Metric, OutputDtype, Precision
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..quantizers.lowbit import LowBitCodes, LowBitQueries, prepare_queries
from ..scale import PER_VECTOR, RANGES
from ..words import either, meant, one_of, shown, unknown
from .ways import check_dimensions, way_to

_BIT_METRICS = ("hamming", "jaccard")

Floats = NDArray[np.float32]
_COSTS = {
    "cosine": native.COST_COSINE,
    "dot": native.COST_DOT,
    "l2": native.COST_L2,
    "hamming": native.COST_RAW,
    "jaccard": native.COST_JACCARD,
}


def default_metric(queries: Embeddings, corpus: Embeddings) -> Metric:
    """Return ``"hamming"`` for bits against bits, else ``"cosine"``."""
    return "hamming" if queries.output_dtype.is_packed and corpus.output_dtype.is_packed else "cosine"


def lower_is_better(metric: Any) -> bool:
    """Whether a metric is a distance."""
    if isinstance(metric, str):
        return metric in ("l2", "hamming", "jaccard")
    return bool(getattr(metric, "lower_is_better", False))


def check_metric(metric: Any) -> Any:
    """Return the name of a metric or a compiled one; ValueError or TypeError for anything else."""
    if isinstance(metric, str):
        if metric not in METRICS:
            raise unknown("metric", metric, METRICS, more=", or a compiled function")
        return metric
    from . import metric as jit

    return jit.as_metric(metric)


def plan(queries: Embeddings, corpus: Embeddings | LowBitCodes, metric: Any, precision: Precision) -> native.Scan:
    """Return the scan that compares `queries` with `corpus`.

    Raises
    ------
    CodeMismatchError
        Where they cannot meet; the message says what would help.
    ValueError
        For an unknown metric or precision, or queries that are not finite.
    """
    one_of(precision, PRECISIONS, "query_precision")
    if isinstance(corpus, LowBitCodes):
        metric = "cosine" if metric is None else metric
        check_low_bit(queries, corpus, metric)
        return low_bit_scan(prepare_queries(corpus.scheme, queries.values), corpus, metric, precision)
    metric = check_metric(default_metric(queries, corpus) if metric is None else metric)
    _check_pair(queries, corpus, metric)
    if not isinstance(metric, str):
        return _user_plan(queries, corpus, metric)
    if corpus.output_dtype.is_packed:
        scan = _bits_plan(queries, corpus, metric, precision)
    elif corpus.output_dtype is OutputDtype.FLOAT:
        scan = _floats_plan(queries, corpus, metric)
    else:
        scan = _integers_plan(queries, corpus, metric, precision)
    scan.args.user_sign = 1.0 if lower_is_better(metric) else -1.0
    return scan


def _check_pair(queries: Embeddings, corpus: Embeddings, metric: Any) -> None:
    """Refuse pairs that mean nothing, with the way out: only like meets like, and floats meet all."""
    ours, theirs = queries.output_dtype, corpus.output_dtype
    check_dimensions(queries, corpus)
    if not 1 <= corpus.dimension <= native.MAX_DIMENSION:
        raise ValueError(f"search takes 1 to {native.MAX_DIMENSION} dimensions, not {corpus.dimension}")
    way = way_to("queries", corpus, "corpus")
    if ours is OutputDtype.FLOAT and theirs is not OutputDtype.FLOAT:
        if not isinstance(metric, str):
            if metric.output_dtype is OutputDtype.FLOAT:
                way = f"compile_metric(..., output_dtype={str(theirs)!r}) and {way}, or search the floats"
            raise CodeMismatchError("a user's metric compares alike rows", way)
    elif ours is not theirs:
        if theirs is not OutputDtype.FLOAT:
            way = f"queries.to_float(), for floats meet any codes, or {way}"
        raise CodeMismatchError(f"{ours} queries do not meet {theirs} rows", way)
    elif queries.meaning != corpus.meaning:
        names = ("dtype", "dimension", "scale", "signed_bytes", "bit_order")
        pairs = zip(names, queries.meaning, corpus.meaning, strict=True)
        differing = ", ".join(f"{name} {a!s} and {b!s}" for name, a, b in pairs if a != b)
        reason = f"{ours} queries and rows have different meanings ({differing})"
        raise CodeMismatchError(reason, f"{way}, or, to ask with floats, queries.to_float()")
    if isinstance(metric, str) and metric in _BIT_METRICS and not (ours.is_packed and theirs.is_packed):
        way = way if theirs.is_packed else 'metric="cosine", "dot" or "l2"'
        raise CodeMismatchError(f"{metric} compares bits with bits, not {ours} with {theirs}", way)


def _floats_plan(queries: Embeddings, corpus: Embeddings, metric: str) -> native.Scan:
    """Return the scan of float32 rows by float32 queries."""
    scan = native.Scan(native.DOT_F32, queries.values, corpus.values)
    scan.meet(_COSTS[metric], corpus.dimension)
    scan.args.lengths = native.LENGTH_NONE if metric == "dot" else native.LENGTH_F32
    return scan


def _integers_plan(queries: Embeddings, corpus: Embeddings, metric: str, precision: Precision) -> native.Scan:
    """Return the scan of int8 or uint8 rows, by floats or by codes like them.

    Codes meet codes by their integer dots, which are exact. With ranges that would not do: a code is worth another step
    in each dimension, so that such queries are decoded and meet the rows as floats.
    """
    scale, dtype = corpus.scale, corpus.output_dtype
    assert scale is not None
    floats, own = None, None  # queries as floats, if they meet so; the scale of queries that meet as codes
    if queries.output_dtype is OutputDtype.FLOAT:
        floats = queries.values
    elif scale.kind == RANGES:
        floats, precision = queries.to_float(), "float32"
    if floats is None:
        scan, own = native.Scan(native.DOT_I8, queries.values, corpus.values), queries.scale
    elif precision == "float32":
        scan = native.Scan(native.DOT_F32, floats, corpus.values, native.DECODE_I8)
    else:
        scan = native.Scan(native.DOT_I8, floats, corpus.values)
    scan.args.flip = 0x80 if dtype is OutputDtype.UINT8 else 0
    if scale.kind == RANGES:
        scan.set_ranges(*scale.step_and_middle(corpus.dimension))
    else:
        scan.args.lengths = native.LENGTH_I8
        scan.args.step, scan.args.centre = scale.step_and_centre(dtype)
    if scale.kind == PER_VECTOR:
        scan.row_scales = scale.values
    scan.meet(_COSTS[metric], corpus.dimension, scales=None if own is None else own.values)
    if floats is None:
        # A value is step * (code + centre), and the product of two such holds centre times the sum of the row's codes,
        # which the kernel adds for each row. What depends on the query alone is in the terms that meet() has found.
        scan.args.sum_weight = scan.args.centre
    if metric == "dot":  # which needs no lengths of rows
        scan.args.lengths = native.LENGTH_NONE
    return scan


def _bits_plan(queries: Embeddings, corpus: Embeddings, metric: str, precision: Precision) -> native.Scan:
    """Return the scan of packed bits, by floats or by bits like them."""
    ours, rows = queries.values, corpus.values.view(np.uint8)
    if queries.output_dtype is OutputDtype.FLOAT:
        scan = native.Scan(native.DOT_U1, ours, rows)
        if precision == "float32":
            scan = native.Scan(native.DOT_F32, ours, rows, native.DECODE_U1)
    elif metric == "jaccard":
        scan = native.Scan(native.HAMMING_U1, queries.packed_bytes(), corpus.packed_bytes())
    else:
        scan = native.Scan(native.HAMMING_U1, ours.view(np.uint8), rows)
    if metric == "hamming":
        scan.args.metric = native.COST_RAW
        return scan
    offset = corpus.output_dtype is OutputDtype.BINARY and corpus.signed_bytes == "offset"
    scan.meet(_COSTS[metric], corpus.dimension, flags=bit_flags(corpus.bit_order, offset=offset))
    if metric != "jaccard":
        # Rows of -1 and 1 all have the length sqrt(dimension). meet() has put it into the terms of the queries, so that
        # what is left for each row is a dot, for a cosine and a distance too.
        scan.args.metric = native.COST_DOT
    return scan


def check_low_bit(queries: Embeddings, corpus: LowBitCodes, metric: Any) -> None:
    """Refuse queries and metrics that low-bit codes do not meet."""
    if queries.output_dtype is not OutputDtype.FLOAT:
        raise CodeMismatchError(f"{queries.output_dtype} queries do not meet low-bit codes", "queries.to_float()")
    check_dimensions(queries, corpus)
    low = ("cosine", "dot", "l2")
    if not isinstance(metric, str) or metric not in low:
        raise CodeMismatchError(f"low-bit codes compare by {either(low)}, not {shown(metric)}{meant(metric, low)}")
    check_unit(corpus, metric)


def check_unit(corpus: LowBitCodes, metric: Any) -> None:
    """Refuse metrics for which the rows of low-bit codes had to be of unit length."""
    if metric != "dot" and not corpus.is_unit:
        row = int(corpus.are_unit.argmin())
        raise CodeMismatchError(
            f"{metric} wants low-bit codes of rows of unit length, which row {row} had not: normalize the rows, "
            "or use 'dot'"
        )


def low_bit_scan(asked: LowBitQueries, corpus: LowBitCodes, metric: str, precision: Precision) -> native.Scan:
    """Return the scan of low-bit codes, bits in one or several planes, by floats.

    All metrics are scanned as cosines, of queries brought to unit length and centred by :func:`prepare_queries`. What a
    query's length makes of its scores is put in at the end: a factor, a constant, for distances a least score of 0.
    """
    scales: Any = 1.0
    if precision == "float32":
        scan = native.Scan(native.DOT_F32, asked.values, corpus.bit_planes, native.DECODE_U1)
    else:
        twice = corpus.scheme.twice
        tables, scales = hamming.bit_tables(asked.values, twice)
        scan = native.Scan(native.DOT_U1, tables, corpus.bit_planes)
        scan.args.twice = twice
    scan.terms = np.zeros((3, len(asked.values)), np.float32)
    scan.terms[0], scan.terms[2] = scales, 0.0 - asked.along
    scan.row_scales, scan.row_biases = corpus.for_scans
    scan.weights = None if scan.row_biases is None else asked.shares
    scan.args.bounded = metric != "dot"  # rows are of unit length, as queries are here: no score passes 1
    if metric != "cosine":
        factors, constants = asked.lengths, np.zeros(len(asked.lengths))
        if metric == "l2":
            factors, constants, scan.least = -2.0 * asked.lengths, asked.lengths**2 + 1, 0.0
        if max(np.abs(factors).max(initial=0), constants.max(initial=0)) > np.finfo(np.float32).max:
            raise ValueError("queries are too large for float32")
        scan.factors, scan.constants = factors.astype(np.float32), constants.astype(np.float32)
    return scan


def _user_plan(queries: Embeddings, corpus: Embeddings, metric: Any) -> native.Scan:
    """Return the scan by a compiled function, which is called with blocks of rows as they are stored."""
    if metric.output_dtype not in (None, queries.output_dtype):
        raise CodeMismatchError(
            f"this metric was compiled for {metric.output_dtype} rows, not {queries.output_dtype}",
            f"compile_metric(..., output_dtype={str(queries.output_dtype)!r})",
        )
    if queries.output_dtype is OutputDtype.FLOAT:
        # Only for its error: a user's function does not refuse NaN and infinities in queries, as meet() does.
        native.Scan(native.DOT_F32, queries.values, corpus.values).meet(native.COST_DOT, corpus.dimension)
    scan = native.Scan(native.USER_TILE, queries.values, corpus.values)
    scan.set_tile(metric)
    scan.args.user_sign = 1.0 if metric.lower_is_better else -1.0
    return scan
