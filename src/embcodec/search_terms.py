"""How a query's raw scores become costs: lengths, scales and affine terms, folded into a factor and a bias."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._native import search as native
from .codes import row_norms
from .dtypes import OutputDtype
from .embeddings import Embeddings
from .scale import PER_VECTOR, RANGES, UNIT

Floats = NDArray[np.float32]

_MODERATE = 8  # binary exponents of queries that are left as they are; csrc/search/block.c counts on it


def moderate(values: Floats, metric: str) -> Floats:
    """Return queries for a cosine, which their length does not touch, as far from the ends of float32 as can be.

    Rows are multiplied by powers of two, if any needs it, so that products neither overflow nor vanish and every other
    rounding stays what it was.
    """
    if metric != "cosine" or not values.size:
        return values
    exponents = np.frexp(np.abs(values).max(axis=1))[1]
    if np.abs(exponents).max() <= _MODERATE:
        return values
    scaled: Floats = np.ldexp(values, -exponents[:, None])
    return scaled


def inverse_of(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / length, and 0 for rows of no length."""
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def finish(
    scan: native.Scan, values: NDArray[Any], metric: str, mul: Any, bias: Any, query_scale: Any = 1.0
) -> native.Scan:
    """Set how ``mul * raw + bias``, the dot with `query_scale` * `values`, becomes a cost."""
    n = len(values)
    mul = np.broadcast_to(np.asarray(mul, np.float64), (n,))
    bias = np.zeros(n) if bias is None else np.asarray(bias, np.float64)
    if metric == "cosine":
        inverse = inverse_of(row_norms(values) * query_scale)
        mul, bias = mul * inverse, bias * inverse
        scan.metric = native.COST_COSINE
    elif metric == "l2":
        scan.metric, scan.sign = native.COST_L2, 1.0
        with np.errstate(over="ignore"):
            scan.square = ((row_norms(values) * query_scale) ** 2).astype(np.float32)
    else:
        scan.metric = native.COST_DOT
    if metric != "l2" and scan.metric == native.COST_DOT:
        scan.lengths = native.LENGTH_NONE
    return with_terms(scan, mul, bias)


def with_terms(scan: native.Scan, mul: NDArray[np.float64], bias: NDArray[np.float64]) -> native.Scan:
    """Set the factor and the bias of every query, which float32 must hold (ValueError)."""
    with np.errstate(over="ignore"):
        scan.mul, scan.bias = mul.astype(np.float32), bias.astype(np.float32)
    if not all(np.isfinite(term).all() for term in (scan.mul, scan.bias, scan.square) if term is not None):
        raise ValueError("queries are too large for float32")
    return scan


def per_vector_scales(codes: Embeddings) -> Floats | None:
    """Return the scales of the rows, where each has one of its own."""
    if codes.scale is None or codes.scale.kind != PER_VECTOR:
        return None
    return codes.scale.values


def affine(corpus: Embeddings) -> tuple[Floats, Floats, float]:
    """Return a, b and, where they are alike in all dimensions, b / a: value = a * code + b with code -128 .. 127."""
    assert corpus.scale is not None
    a, b = corpus.scale.affine(corpus.output_dtype, corpus.dimension)
    unsigned = corpus.output_dtype is OutputDtype.UINT8
    if corpus.scale.kind == RANGES:
        return a, (b + 128 * a.astype(np.float64)).astype(np.float32) if unsigned else b, 0.0
    # 127.5 stands for 0 in unit codes, 128 in per-vector ones
    centre = 0.5 if unsigned and corpus.scale.kind == UNIT else 0.0
    return a, np.float32(centre) * a, centre


def with_lengths(scan: native.Scan, corpus: Embeddings) -> native.Scan:
    """Set how a scan of integer codes counts the lengths of the rows that they stand for."""
    assert corpus.scale is not None
    a, b, centre = affine(corpus)
    scan.flip = 0x80 if corpus.output_dtype is OutputDtype.UINT8 else 0
    scan.row_scales = per_vector_scales(corpus)
    if corpus.scale.kind == RANGES:
        scan.lengths, scan.steps, scan.offsets = native.LENGTH_RANGES, a, b
    else:
        scan.lengths, scan.step, scan.centre = native.LENGTH_I8, float(a[0]), centre
    return scan
