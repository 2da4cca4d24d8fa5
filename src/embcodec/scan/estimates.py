"""Estimates of the scores of float rows by a scan of their codes, and how far they can be off."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._native import scan as native
from ..codec import row_norms
from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes, LowBitScheme, Rows, prepare_queries
from ..scale import PER_VECTOR
from .bounds import rounding_of_sums
from .plan import low_bit_scan, plan
from .residuals import (
    ALONG,
    ERRORS,
    LENGTHS,
    ROUNDINGS,
    SPANS,
    integer_terms,
    longest_code,
    rounding_of_turns,
)

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

LEAST, MOST = 1e-10, 1e10
"""Lengths of queries, and of rows under cosine, whose float32 scores neither overflow nor lose bits of their own."""
_NOTHING = 1e-28  # more than what is lost below float32's normal numbers, of lengths within these


_LOOKED_AT = 256  # rows, of which it is judged how wide bounds are


class RowTerms(NamedTuple):
    """What a metric makes of residuals, float32 (n,) each: the terms of an upper bound that no query changes.

    With e a code's error, apart from what it is along its row x, and s the sine of the angle between query and row, the
    query's dot with e is at most s * |e|. What e is along x shortens or stretches the row: it is in all four terms.

    Attributes
    ----------
    scales, errors, widths, spans : ndarray
        The dot of a query of length 1 is at most scales * estimate + widths - (1 - s) * errors + off * spans.
    ratios : ndarray
        By which the dots with a center are multiplied.
    lengths : ndarray
        Of the rows.
    between : (float, float)
        The least and the greatest length.
    least_error : float
        The least of `errors`.
    typical : (float, float, float, float)
        Means of widths, spans, scales and lengths, of some rows.
    known : bool
        Whether all rows are of lengths for which the bound holds.
    """

    scales: Floats
    errors: Floats
    widths: Floats
    spans: Floats
    ratios: Floats
    lengths: Floats
    between: tuple[float, float]
    least_error: float
    typical: tuple[float, float, float, float]
    known: bool


def row_terms(codes: Rows, measured: Floats, metric: str) -> RowTerms:
    """Return the terms of rows with these residuals, as "cosine", "dot" or "l2" has them."""
    columns = (measured[:, column].astype(np.float64) for column in (ERRORS, SPANS, LENGTHS, ALONG))
    errors, spans, lengths, along = columns
    known = bool((measured <= MOST).all())  # an infinity is not
    some = lengths > 0
    if metric == "cosine" and known:
        known = bool((lengths[some] >= LEAST).all())
    with np.errstate(over="ignore", invalid="ignore"):
        # The float32 dots of search() are as far from exact ones, and so are those of a query rounded to length 1.
        rests = (rounding_of_sums(codes.dimension) + 6 * ROUNDINGS) * lengths
        # An error along the row by more than half of it, as of codes of other rows, counts whatever the angle is.
        is_long = ~(np.abs(along) < lengths / 2)
        rests[is_long] += np.hypot(errors, along)[is_long]
        errors[is_long] = along[is_long] = 0
        ratios = np.divide(lengths, lengths - along, out=np.ones_like(lengths), where=some)
        rests += 4 * ROUNDINGS * errors
        if metric == "cosine":  # with a row of length 0 it is 0, whatever the code is
            ratios = np.divide(ratios, lengths, out=np.zeros_like(lengths), where=some)
        terms = [_scales_of(codes, spans) * ratios, errors * ratios, (errors + rests) * ratios, spans * ratios]
        # Wider also by how the sums of these and the estimates are rounded.
        terms[1:] = [part * (1 + 4 * ROUNDINGS) + _NOTHING for part in terms[1:]]
        terms[2] += _NOTHING  # which is left when errors are taken off
        parts = [part.astype(np.float32) for part in (*terms, ratios)]
    between = (float(lengths.min(initial=MOST)), float(lengths.max(initial=0)))
    least_error = float(parts[1].min(initial=MOST))
    few = slice(None, None, len(codes) // _LOOKED_AT + 1)
    typical = (_mean(parts[2][few]), _mean(parts[3][few]), _mean(parts[0][few]), _mean(measured[few, LENGTHS]))
    return RowTerms(
        scales=parts[0],
        errors=parts[1],
        widths=parts[2],
        spans=parts[3],
        ratios=parts[4],
        lengths=measured[:, LENGTHS],
        between=between,
        least_error=least_error,
        typical=typical,
        known=known,
    )


def _mean(part: NDArray[Any]) -> float:
    return float(part.mean(dtype=np.float64)) if len(part) else 0.0


def _scales_of(codes: Rows, spans: Doubles) -> Doubles:
    """Return what the scan's dots of each row are multiplied by."""
    if isinstance(codes, LowBitCodes) or codes.output_dtype.is_packed:
        return spans
    if codes.scale is not None and codes.scale.kind == PER_VECTOR:
        assert codes.scale.values is not None
        return codes.scale.values.astype(np.float64)
    return np.ones(len(codes))


class Estimate(NamedTuple):
    """A scan of codes by queries of length 1, and how far it can be from the dots with what the codes stand for.

    Attributes
    ----------
    scan : Scan
        By dots; its scores are to be multiplied by the rows' scales.
    off : float
        How far for a row with a span of 1,
    shift : float
        and, beside, for a row with a scale of 1.
    along : ndarray of float64, (n_queries,), or None
        The dots with the center, to be added; None where there is no center.
    """

    scan: native.Scan
    off: float
    shift: float = 0.0
    along: Doubles | None = None


def estimate(codes: Rows, units: Floats) -> Estimate:
    """Return the scan of codes by queries of length 1, (n_queries, dimension)."""
    if isinstance(codes, LowBitCodes):
        return _of_low_bits(codes, units)
    return _of_bits(codes, units) if codes.output_dtype.is_packed else _of_integers(codes, units)


def _of_integers(codes: Embeddings, units: Floats) -> Estimate:
    """Measure how the rounding of queries, and of the dots with the rows' offsets, came out."""
    scan = plan(Embeddings(units), codes, "dot", "int8")
    assert scan.terms is not None
    steps, offsets = integer_terms(codes)
    folded, biases = units * steps, units.astype(np.float64) @ offsets
    rounded = scan.terms[0].astype(np.float64)[:, None] * scan.queries.view(np.int8)
    off = float(row_norms(folded - rounded).max(initial=0))
    reach = float(row_norms(rounded).max(initial=0))
    shift = np.abs(biases - scan.terms[1]).max(initial=0) + ROUNDINGS * np.abs(biases).max(initial=0)
    return Estimate(scan, off * (1 + ROUNDINGS) + ROUNDINGS * reach, float(shift))


def _of_bits(codes: Embeddings, units: Floats) -> Estimate:
    scan = plan(Embeddings(units), codes, "dot", "int8")
    assert scan.terms is not None
    return Estimate(scan, _off_by_tables(scan.terms[0], codes.values.shape[1], np.abs(units).sum(axis=1)))


def _of_low_bits(codes: LowBitCodes, units: Floats) -> Estimate:
    """Let whole queries meet the bits, not their rest without the center: errors were measured for whole rows."""
    scheme = codes.scheme
    assert isinstance(scheme, LowBitScheme)
    asked = prepare_queries(scheme, units, apart=False)
    scan = low_bit_scan(asked, codes, "dot", "int8")
    assert scan.terms is not None
    scan.weights = scan.factors = scan.constants = None
    off = _off_by_tables(scan.terms[0], codes.bit_planes.shape[1], np.abs(asked.values).sum(axis=1))
    off += rounding_of_turns(scheme) * longest_code(scheme)
    if scheme.center is None:
        return Estimate(scan, off)
    scan.terms[2] = 0
    return Estimate(scan, off, along=asked.along)


def _off_by_tables(scales: Floats, width: int, sums: Floats) -> float:
    """Return how far sums from tables can be off: half a step each of `scales`, from two tables a byte."""
    return float((scales.astype(np.float64) * width * (1 + 2.0**-10) + 2 * ROUNDINGS * sums).max(initial=0))
