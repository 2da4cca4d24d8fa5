"""How a query's raw scores become costs: lengths, scales and affine terms, folded into a factor and a bias."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._native import search as native
from .dtypes import OutputDtype
from .embeddings import Embeddings
from .scale import PER_VECTOR, RANGES, UNIT

Floats = NDArray[np.float32]
Lengths = NDArray[np.float64]

_MODERATE = 8  # binary exponents of queries that are left as they are; csrc/search/block.c counts on it


def moderate(values: Floats, lengths: Lengths, metric: str) -> tuple[Floats, Lengths]:
    """Return queries for a cosine, which their length does not touch, as far from the ends of float32 as can be.

    Rows, of these lengths, are multiplied by powers of two, if any needs it, so that products neither overflow nor
    vanish and every other rounding stays what it was.
    """
    if metric != "cosine" or not values.size:
        return values, lengths
    # the largest of n elements is within length / sqrt(n) .. length
    least = 2.0 ** -(_MODERATE + 1) * values.shape[1] ** 0.5
    if least <= lengths.min() and lengths.max() < 2.0**_MODERATE:
        return values, lengths
    exponents = np.frexp(np.abs(values).max(axis=1))[1]
    if np.abs(exponents).max() <= _MODERATE:
        return values, lengths
    return np.ldexp(values, -exponents[:, None]), np.ldexp(lengths, -exponents)


def inverse_of(lengths: Lengths) -> Lengths:
    """Return 1 / length, and 0 for rows of no length."""
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def finish(scan: native.Scan, lengths: Lengths, metric: str, mul: Any, bias: Any) -> native.Scan:
    """Set how ``mul * raw + bias``, the dot with queries of these lengths, becomes a cost."""
    mul = np.broadcast_to(np.asarray(mul, np.float64), lengths.shape)
    bias = np.zeros(len(lengths)) if bias is None else np.asarray(bias, np.float64)
    if metric == "cosine":
        inverse = inverse_of(lengths)
        mul, bias = mul * inverse, bias * inverse
        scan.metric = native.COST_COSINE
    elif metric == "l2":
        scan.metric, scan.sign = native.COST_L2, 1.0
        with np.errstate(over="ignore"):
            scan.square = (lengths**2).astype(np.float32)
    else:
        scan.metric, scan.lengths = native.COST_DOT, native.LENGTH_NONE
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


def affine(corpus: Embeddings) -> tuple[Any, Any, float]:
    """Return a, b and, where they are alike in all dimensions, b / a: value = a * code + b with code -128 .. 127.

    a and b are float32 (dimension,) for ranges, else one float32 each.
    """
    assert corpus.scale is not None
    unsigned = corpus.output_dtype is OutputDtype.UINT8
    if corpus.scale.kind == RANGES:
        a, b = corpus.scale.affine(corpus.output_dtype, corpus.dimension)
        return a, (b + 128 * a.astype(np.float64)).astype(np.float32) if unsigned else b, 0.0
    step = corpus.scale.affine(corpus.output_dtype, 1)[0][0]
    # 127.5 stands for 0 in unit codes, 128 in per-vector ones
    centre = 0.5 if unsigned and corpus.scale.kind == UNIT else 0.0
    return step, np.float32(centre) * step, centre


def with_lengths(scan: native.Scan, corpus: Embeddings, terms: tuple[Any, Any, float]) -> native.Scan:
    """Set how a scan of integer codes counts the lengths of the rows that they stand for, by what affine() gave."""
    assert corpus.scale is not None
    a, b, centre = terms
    scan.flip = 0x80 if corpus.output_dtype is OutputDtype.UINT8 else 0
    scan.row_scales = per_vector_scales(corpus)
    if corpus.scale.kind == RANGES:
        scan.lengths, scan.steps, scan.offsets = native.LENGTH_RANGES, a, b
    else:
        scan.lengths, scan.step, scan.centre = native.LENGTH_I8, float(a), centre
    return scan
