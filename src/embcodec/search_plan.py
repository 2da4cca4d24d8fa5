"""How queries meet a corpus: which kernel, in what form, and how its raw scores become costs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._native import hamming, sums
from ._native import search as native
from .codes import row_norms
from .dtypes import OutputDtype
from .embeddings import Embeddings
from .errors import CodeMismatchError
from .lowbit_codes import LowBitCodes
from .scale import RANGES
from .search_terms import Lengths, affine, finish, inverse_of, moderate, per_vector_scales, with_lengths, with_terms

Metric = Literal["cosine", "dot", "l2", "hamming", "jaccard"]
Precision = Literal["int8", "float32"]
METRICS = ("cosine", "dot", "l2", "hamming", "jaccard")
_BIT_METRICS = ("hamming", "jaccard")

Floats = NDArray[np.float32]


def default_metric(queries: Embeddings, corpus: Embeddings) -> str:
    """Return ``"hamming"`` for bits against bits, else ``"cosine"``."""
    return "hamming" if queries.output_dtype.is_packed and corpus.output_dtype.is_packed else "cosine"


def lower_is_better(metric: Any) -> bool:
    """Whether a metric is a distance."""
    if isinstance(metric, str):
        return metric in ("l2", "hamming", "jaccard")
    return bool(getattr(metric, "lower_is_better", False))


def plan(queries: Embeddings, corpus: Embeddings | LowBitCodes, metric: Any, precision: str) -> native.Scan:
    """Return the scan that compares `queries` with `corpus`.

    Raises
    ------
    CodeMismatchError
        Where they cannot meet; the message says what would help.
    ValueError
        For an unknown metric or precision, or queries that are not finite.
    """
    if precision not in ("int8", "float32"):
        raise ValueError(f"query_precision is 'int8' or 'float32', not {precision!r}")
    if isinstance(corpus, LowBitCodes):
        if queries.output_dtype is OutputDtype.FLOAT:
            values, _ = moderate(queries.values, row_norms(queries.values), metric or "cosine")
            queries = Embeddings(values)
        return _low_bit_plan(queries, corpus, metric or "cosine", precision)
    metric = default_metric(queries, corpus) if metric is None else metric
    if isinstance(metric, str) and metric not in METRICS:
        known = ", ".join(map(repr, METRICS))
        raise ValueError(f"unknown metric {metric!r}; known are {known}, or a compiled function")
    _check_pair(queries, corpus, metric)
    lengths = finite_lengths(queries)
    if not isinstance(metric, str):
        return _user_plan(queries, corpus, metric)
    if corpus.output_dtype.is_packed:
        if queries.output_dtype.is_packed:
            return _bits_plan(queries, corpus, metric)
        return _float_on_bits_plan(queries, lengths, corpus, metric, precision)
    if corpus.output_dtype is OutputDtype.FLOAT:
        values, lengths = moderate(queries.values, lengths, metric)
        scan = native.Scan(native.DOT_F32, values, corpus.values, lengths=native.LENGTH_F32)
        return finish(scan, lengths, metric, 1.0, None)
    if queries.output_dtype is OutputDtype.FLOAT or (corpus.scale is not None and corpus.scale.kind == RANGES):
        return _float_on_integers_plan(queries, lengths, corpus, metric, precision)
    return _integers_plan(queries, corpus, metric)


def finite_lengths(queries: Embeddings) -> Lengths:
    """Return the lengths of float queries, none for codes; NaN and infinities are a ValueError."""
    if queries.output_dtype is not OutputDtype.FLOAT:
        return np.empty(0)
    lengths = row_norms(queries.values)  # float64 holds the square of any float32
    if not np.isfinite(lengths).all():
        raise ValueError(f"query {int((~np.isfinite(lengths)).argmax())} has NaN or infinite values")
    return lengths


def _check_pair(queries: Embeddings, corpus: Embeddings, metric: Any) -> None:
    ours, theirs = queries.output_dtype, corpus.output_dtype
    if queries.dimension != corpus.dimension:
        raise CodeMismatchError(
            f"queries have {queries.dimension} dimensions, the corpus {corpus.dimension}: "
            "bring both to the same with .truncate(dimension)"
        )
    if not 1 <= corpus.dimension <= native.MAX_DIMENSION:
        raise ValueError(f"search takes 1 to {native.MAX_DIMENSION} dimensions, not {corpus.dimension}")
    if ours is OutputDtype.FLOAT and theirs is not OutputDtype.FLOAT:
        if not isinstance(metric, str):
            raise CodeMismatchError(f"a user's metric compares alike rows: use queries.to({str(theirs)!r})")
    elif ours is not theirs:
        way = f"queries.to({str(theirs)!r})"
        if theirs is OutputDtype.FLOAT:
            way = "queries.to_float()"
        elif not (ours.is_packed and theirs.is_packed):
            way = f"float queries, which meet any codes, or {way}"
        raise CodeMismatchError(f"{ours} queries do not meet {theirs} rows: use {way}")
    elif queries.meaning != corpus.meaning:
        names = ("dtype", "dimension", "scale", "signed_bytes", "bit_order")
        pairs = zip(names, queries.meaning, corpus.meaning, strict=True)
        differing = ", ".join(f"{name} {a!s} and {b!s}" for name, a, b in pairs if a != b)
        raise CodeMismatchError(
            f"{ours} queries and rows have different meanings ({differing}): quantize the queries with the corpus's "
            "settings, or search with queries.to_float()"
        )
    if metric in _BIT_METRICS and not (ours.is_packed and theirs.is_packed):
        way = 'quantize(queries, "ubinary")' if theirs.is_packed else "metric='cosine', 'dot' or 'l2'"
        raise CodeMismatchError(f"{metric} compares bits with bits, not {ours} with {theirs}: use {way}")


def _float_on_integers_plan(
    queries: Embeddings, lengths: Lengths, corpus: Embeddings, metric: str, precision: str
) -> native.Scan:
    terms = a, b, _ = affine(corpus)
    values = queries.values
    if queries.output_dtype is not OutputDtype.FLOAT:
        assert queries.scale is not None
        first, offset = queries.scale.affine(queries.output_dtype, queries.dimension)
        values = values * first + offset
        lengths = row_norms(values)
    values, lengths = moderate(values, lengths, metric)
    if np.ndim(b):
        bias = values.astype(np.float64) @ b.astype(np.float64)
    else:
        bias = values.sum(axis=1, dtype=np.float64) * float(b) if b else None
    with np.errstate(over="ignore"):
        folded = values * a
    if not np.isfinite(folded).all():
        raise ValueError("queries are too large for float32")
    if precision == "float32":
        scan = native.Scan(native.DOT_F32, folded, corpus.values, decode=native.DECODE_I8)
        scales: Any = 1.0
    else:
        scales = np.abs(folded).max(axis=1).astype(np.float64) / 127
        codes = np.rint(folded * inverse_of(scales)[:, None]).astype(np.int8)
        scan = native.Scan(native.DOT_I8, codes, corpus.values)
    return finish(with_lengths(scan, corpus, terms), lengths, metric, scales, bias)


def _integers_plan(queries: Embeddings, corpus: Embeddings, metric: str) -> native.Scan:
    terms = step, _, centre = affine(corpus)
    codes, dimension = queries.values, corpus.dimension
    if corpus.output_dtype is OutputDtype.UINT8:
        codes = (codes ^ np.uint8(0x80)).view(np.int8)
    scan = with_lengths(native.Scan(native.DOT_I8, codes, corpus.values, sum_weight=centre), corpus, terms)
    own = per_vector_scales(queries)
    scales = float(step) * (np.ones(len(codes)) if own is None else own.astype(np.float64))
    bias, lengths = None, scales
    total = centre * sums.sums_i8(codes) if centre else np.zeros(len(codes))
    if centre:
        bias = float(step) * scales * (total + centre * centre * dimension)
    if metric != "dot":
        lengths = scales * np.sqrt(sums.squares_i8(codes) + 2 * total + centre * centre * dimension)
    return finish(scan, lengths, metric, float(step) * scales, bias)


def _bits_plan(queries: Embeddings, corpus: Embeddings, metric: str) -> native.Scan:
    ours, theirs = (codes.values.view(np.uint8) for codes in (queries, corpus))
    scan = native.Scan(native.HAMMING_U1, ours, theirs, native.COST_RAW, 1.0)
    dimension = corpus.dimension
    if metric == "jaccard":
        scan.queries, scan.rows, scan.metric = queries.packed_bytes(), corpus.packed_bytes(), native.COST_JACCARD
        scan.bias = np.unpackbits(scan.queries, axis=1).sum(axis=1, dtype=np.int64).astype(np.float32)
    elif metric != "hamming":  # of -1 and +1: dot = dimension - 2 differing, squared distance = 4 differing
        factor, constant, scan.sign = {
            "dot": (-2.0, dimension, -1.0),
            "cosine": (-2.0 / dimension, 1.0, -1.0),
            "l2": (-4.0, 0.0, 1.0),
        }[metric]
        scan.metric = native.COST_DOT
        scan.mul = np.full(len(ours), factor, np.float32)
        scan.bias = np.full(len(ours), constant, np.float32)
    return scan


def _in_bit_order(values: Floats, corpus: Embeddings) -> Floats:
    """Return queries (n, 8 * width) in the order of the stored bits, highest first, so that a set bit adds."""
    width = corpus.values.shape[1]
    inverted = corpus.output_dtype is OutputDtype.BINARY and corpus.signed_bytes == "offset"
    if corpus.dimension == width * 8 and corpus.bit_order == "msb" and not inverted:
        return values
    padded = np.zeros((len(values), width * 8), np.float32)
    padded[:, : corpus.dimension] = values
    bytes_of_8 = padded.reshape(len(values), width, 8)
    if corpus.bit_order == "lsb":
        bytes_of_8 = bytes_of_8[:, :, ::-1].copy()
    if inverted:
        bytes_of_8[:, :, 0] *= -1  # byte - 128: the highest bit is stored inverted
    return bytes_of_8.reshape(len(values), width * 8)


def _float_on_bits_plan(
    queries: Embeddings, lengths: Lengths, corpus: Embeddings, metric: str, precision: str
) -> native.Scan:
    rows = corpus.values.view(np.uint8)
    values, lengths = moderate(queries.values, lengths, metric)
    values = _in_bit_order(values, corpus)
    if precision == "float32":
        scan = native.Scan(native.DOT_F32, values, rows, decode=native.DECODE_U1)
        scales = np.ones(len(values))
    else:
        tables, table_scales = hamming.bit_tables(values)
        scan = native.Scan(native.DOT_U1, tables, rows)
        scales = table_scales.astype(np.float64)
    bias = np.zeros(len(values))
    if metric == "cosine":
        scales = scales * inverse_of(lengths) / np.sqrt(corpus.dimension)
    elif metric == "l2":  # |q - x|^2 = |q|^2 + dimension - 2 dot, as a cost: minus (2 dot - ...)
        scan.sign = 1.0
        scales, bias = 2 * scales, -(lengths**2 + corpus.dimension)
    scan.metric = native.COST_DOT
    return with_terms(scan, scales, bias)


def _low_bit_plan(queries: Embeddings, corpus: LowBitCodes, metric: Any, precision: str) -> native.Scan:
    """Bits of every plane against floats; what is alike for all rows of a query is put into its scores at the end."""
    if queries.output_dtype is not OutputDtype.FLOAT:
        raise CodeMismatchError(f"{queries.output_dtype} queries do not meet low-bit codes: use queries.to_float()")
    if queries.dimension != corpus.dimension:
        raise CodeMismatchError(
            f"queries have {queries.dimension} dimensions, the corpus {corpus.dimension}, whose rotation cannot be cut"
        )
    if metric not in ("cosine", "dot", "l2"):
        raise CodeMismatchError(f"low-bit codes compare by 'cosine', 'dot' or 'l2', not {metric!r}")
    if metric != "dot" and not corpus.is_unit:
        raise CodeMismatchError(f"{metric} wants low-bit codes of rows of unit length: normalize them, or use 'dot'")
    lengths = finite_lengths(queries)
    values = corpus.prepare_queries(queries.values)
    if precision == "float32":
        scan = native.Scan(native.DOT_F32, values, corpus.bit_planes, decode=native.DECODE_U1)
        scales = np.ones(len(values))
    else:
        tables, table_scales = hamming.bit_tables(values)
        scan = native.Scan(native.DOT_U1, tables, corpus.bit_planes)
        scales = table_scales.astype(np.float64)
    scan.mul, scan.bias = scales.astype(np.float32), np.zeros(len(values), np.float32)
    scan.row_scales = corpus.row_scales()
    # A scan's scores are dots, up to what follows: l2 counts down from |q|^2 + 1.
    factors = {"cosine": inverse_of(lengths), "dot": np.ones(len(values)), "l2": np.full(len(values), -2.0)}[metric]
    constants = np.zeros(len(values)) if metric != "l2" else lengths**2 + 1
    center = corpus.scheme.center
    if corpus.centres_queries:  # costs are |q - x|^2, shifted to stay above 0; dot = (|q|^2 + 1 - cost) / 2
        scan.metric = native.COST_L2
        apart = row_norms(queries.values - center)
        reach = float(scan.row_scales.max(initial=0)) * np.abs(values).sum(axis=1).astype(np.float64)
        scan.square = (apart**2 + 2 * reach).astype(np.float32)
        scan.row_scales = np.maximum(scan.row_scales, np.float32(1e-30))
        scan.row_squares = corpus.row_squares() / scan.row_scales.astype(np.float64) ** 2
        constants = constants + factors * (lengths**2 + 1 + 2 * reach) / 2
        factors = factors / 2
    elif center is not None:
        constants = constants + factors * (queries.values.astype(np.float64) @ center.astype(np.float64))
    scan.factors, scan.constants = factors.astype(np.float32), constants.astype(np.float32)
    return scan


def _user_plan(queries: Embeddings, corpus: Embeddings, metric: Any) -> native.Scan:
    from . import jit

    metric = jit.as_metric(metric)
    if metric.output_dtype not in (None, queries.output_dtype):
        raise CodeMismatchError(
            f"this metric was compiled for {metric.output_dtype} rows, not {queries.output_dtype}: "
            f"use compile_metric(..., output_dtype={str(queries.output_dtype)!r})"
        )
    sign = 1.0 if metric.lower_is_better else -1.0
    scan = native.Scan(native.USER_TILE, queries.values, corpus.values, native.COST_USER, sign)
    scan.tile = metric.address
    scan.keep_alive.append(metric)
    return scan
