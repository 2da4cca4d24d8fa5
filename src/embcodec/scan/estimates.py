"""Upper bounds on the scores of float rows, by a scan of their codes."""

from __future__ import annotations

from typing import NamedTuple

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
_NARROW = 1.5


class RowTerms(NamedTuple):
    """What a metric makes of residuals, float32 (n,) each: the terms of an upper bound that no query changes.

    Attributes
    ----------
    scales, errors, spans : ndarray
        The dot of a query of length 1 is at most scales * estimate + errors + off * spans.
    lengths : ndarray
        Of the rows.
    known : bool
        Whether all rows are of lengths for which the bound holds.
    """

    scales: Floats
    errors: Floats
    spans: Floats
    lengths: Floats
    known: bool


def row_terms(codes: Rows, measured: Floats, metric: str) -> RowTerms:
    """Return the terms of rows with these residuals, as "cosine", "dot" or "l2" has them."""
    errors, spans, lengths = (measured[:, column].astype(np.float64) for column in (ERRORS, SPANS, LENGTHS))
    scales = _scales_of(codes, spans)
    known = bool((measured <= MOST).all())  # an infinity is not
    # The float32 dots of search() are as far from exact ones, and so are those of a query rounded to length 1.
    errors += (rounding_of_sums(codes.dimension) + 2 * ROUNDINGS) * lengths
    if metric == "cosine" and known:
        some = lengths > 0
        known = bool((lengths[some] >= LEAST).all())
        # The cosine with a row of length 0 is 0, whatever its code is.
        inverse = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=some)
        scales, errors, spans = scales * inverse, errors * inverse, spans * inverse
    with np.errstate(over="ignore", invalid="ignore"):
        # Wider also by how the sums of these and the estimates are rounded.
        wider = (part * (1 + 4 * ROUNDINGS) + _NOTHING for part in (errors, spans))
        parts = tuple(part.astype(np.float32) for part in (scales, *wider, lengths))
    return RowTerms(parts[0], parts[1], parts[2], parts[3], known)


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


class UpperBounds:
    """A scan of codes whose scores no float32 score of the rows exceeds.

    Its scores are in units of their own: of queries of length 1, and for distances of 2 Q, Q the longest query's
    length. :meth:`goodness` and :meth:`thresholds` convert.

    Parameters
    ----------
    codes : Embeddings or LowBitCodes
    queries : Embeddings
        Floats, of lengths LEAST .. MOST; one alone where :func:`takes_one` says so.
    metric : {"cosine", "dot", "l2"}
    rows : RowTerms
        Known.
    """

    def __init__(self, codes: Rows, queries: Embeddings, metric: str, rows: RowTerms) -> None:
        lengths = row_norms(queries.values)
        units = np.asarray(queries.values / lengths[:, None], np.float32)
        if isinstance(codes, LowBitCodes):
            found = _of_low_bits(codes, units)
        else:
            found = _of_bits(codes, units) if codes.output_dtype.is_packed else _of_integers(codes, units)
        self._metric, self._lengths, self._longest = metric, lengths, float(lengths.max(initial=LEAST))
        scan, biases = found.scan, np.float32(found.off * (1 + ROUNDINGS)) * rows.spans
        biases += rows.errors
        assert scan.terms is not None
        if found.shift:
            biases += np.float32(found.shift * (1 + 4 * ROUNDINGS)) * rows.scales
        if metric == "l2":
            scan.terms *= (lengths / self._longest).astype(np.float32)
            biases += self._less_squares(rows.lengths, codes.dimension)
        if found.along is not None and metric == "cosine":
            inverse = np.divide(1, rows.lengths, out=np.zeros_like(rows.lengths), where=rows.lengths > 0)
            biases += np.float32(found.along[0]) * inverse
        elif found.along is not None:
            scan.terms[2] = -found.along * (lengths / self._longest if metric == "l2" else 1.0)
        scan.row_scales, scan.row_biases = rows.scales, biases
        self.scan = scan
        some = slice(None, None, len(codes) // _LOOKED_AT + 1)
        width = rows.errors[some] + found.off * rows.spans[some] + found.shift * rows.scales[some]
        spread = 1.0 if metric == "cosine" else float(rows.lengths[some].mean())
        self._narrow = bool(_NARROW * width.mean() < spread / np.sqrt(codes.dimension))

    def are_narrow(self) -> bool:
        """Whether bounds are close enough to scores that those of few rows exceed the best scores: a guess.

        By comparison with the least that scores of rows in all directions differ by, which is 1 / sqrt(dimension).
        """
        return self._narrow

    def _less_squares(self, lengths: Floats, dimension: int) -> Floats:
        """Return what the rows' squared lengths add, with the rounding of float32 distances."""
        wide, longest = lengths.astype(np.float64), self._longest
        rounding = rounding_of_sums(dimension) + 8 * ROUNDINGS
        return np.asarray(rounding * (longest + wide) ** 2 / longest - wide**2 / (2 * longest), np.float32)

    def of_rows(self, selection: NDArray[np.int64]) -> native.Scan:
        """Return the same scan of some rows only, ascending."""
        scan = self.scan.over(self.scan.rows)
        scan.row_scales, scan.row_biases, scan.selection = self.scan.row_scales, self.scan.row_biases, selection
        return scan

    def thresholds(self, scores: Floats) -> Floats:
        """Return for each query a number that the bounds of all rows exceed whose scores are as good, (n_queries,).

        It is rounded to float32, by less than a bound is wider than the score of its row.
        """
        wide, lengths = scores.astype(np.float64), self._lengths
        if self._metric == "dot":
            wide = wide / lengths
        elif self._metric == "l2":
            wide = (lengths**2 - wide) / (2 * self._longest)
        return wide.astype(np.float32)

    def goodness(self, bounds: Floats, queries: NDArray[np.int64]) -> Doubles:
        """Return bounds, (n,), of rows for these queries, as similarities or as distances with their signs changed."""
        wide, lengths = bounds.astype(np.float64), self._lengths[queries]
        if self._metric == "dot":
            return wide * lengths
        return wide if self._metric == "cosine" else 2 * self._longest * wide - lengths**2


def takes_one(codes: Rows, metric: str) -> bool:
    """Whether bounds are of one query at a time: where its dot with the center counts differently for each row."""
    return isinstance(codes, LowBitCodes) and codes.scheme.center is not None and metric == "cosine"


def are_known(queries: Embeddings) -> NDArray[np.bool_]:
    """Return which queries, floats, are of lengths for which bounds hold, (n,)."""
    lengths = row_norms(queries.values)
    known: NDArray[np.bool_] = (lengths >= LEAST) & (lengths <= MOST)
    return known
