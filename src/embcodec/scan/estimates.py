"""Upper bounds on the scores of float rows, by a scan of their codes."""

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
_NARROW = 1.5


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
    selection : ndarray of int64, optional
        The rows that count, ascending.
    """

    def __init__(
        self,
        codes: Rows,
        queries: Embeddings,
        metric: str,
        rows: RowTerms,
        selection: NDArray[np.int64] | None = None,
    ) -> None:
        lengths = row_norms(queries.values)
        units = np.asarray(queries.values / lengths[:, None], np.float32)
        if isinstance(codes, LowBitCodes):
            found = _of_low_bits(codes, units)
        else:
            found = _of_bits(codes, units) if codes.output_dtype.is_packed else _of_integers(codes, units)
        self._metric, self._lengths, self._longest = metric, lengths, float(lengths.max(initial=LEAST))
        scan = found.scan
        assert scan.terms is not None
        if metric == "l2":
            scan.terms *= (lengths / self._longest).astype(np.float32)
        if found.along is not None:
            scan.terms[2] = 0
        self._rows, self._found, self._dimension, self._sine = rows, found, codes.dimension, 1.0
        scan.row_scales, scan.row_biases, scan.selection = rows.scales, None, selection

    @property
    def scan(self) -> native.Scan:
        """The scan of all rows that count."""
        scan = self._found.scan
        if scan.row_biases is None:
            scan.row_biases = self._biases()
        return scan

    def _biases(self, some: Any = slice(None)) -> Floats:
        """Return what is added to the estimates of some rows, (n,)."""
        rows, found = self._rows, self._found
        biases: Floats = np.float32(found.off * (1 + ROUNDINGS)) * rows.spans[some]
        biases += rows.widths[some]
        if self._sine < 1:
            biases -= np.float32((1 - self._sine) * (1 - ROUNDINGS)) * rows.errors[some]
        if found.shift:
            biases += np.float32(found.shift * (1 + 4 * ROUNDINGS)) * rows.scales[some]
        if found.along is not None:
            biases += np.float32(found.along[0]) * rows.ratios[some]
        if self._metric == "l2":
            biases += self._less_squares(rows.lengths[some], self._dimension)
        return biases

    def _less_squares(self, lengths: Floats, dimension: int) -> Floats:
        """Return what the rows' squared lengths add, with the rounding of float32 distances, and of this sum."""
        longest = np.float32(self._longest)
        share = np.float32((rounding_of_sums(dimension) + 12 * ROUNDINGS) / self._longest)
        less: Floats = share * (longest + lengths) ** 2 - lengths**2 * np.float32(0.5 / self._longest)
        return less

    def are_narrow(self) -> bool:
        """Whether bounds are close enough to scores that those of few rows exceed the best scores: a guess.

        By comparison with the least that scores of rows in all directions differ by, which is 1 / sqrt(dimension).
        """
        widths, spans, scales, lengths = self._rows.typical
        width = widths + self._found.off * spans + self._found.shift * scales
        spread = 1.0 if self._metric == "cosine" else lengths
        return bool(_NARROW * width < spread / np.sqrt(self._dimension))

    def tighten(self, scores: Floats) -> None:
        """Make bounds closer, for rows that are as good as these scores, (n_queries,).

        Such rows are at no greater angle from the query, so that less of what is across the row lies along the query.
        The bounds of rows that are not as good may then be below their scores.
        """
        self._sine, self._found.scan.row_biases = self._sine_at(scores), None

    def tightened(self, bounds: Floats, rows: NDArray[np.int64], scores: Floats) -> Floats:
        """Return bounds, of any shape, of these rows as they are after :meth:`tighten` by better scores."""
        return self._less(bounds, scores, self._rows.errors[rows])

    def tightened_at_least(self, bounds: Floats, scores: Floats) -> Floats:
        """Return the most that such bounds come to, of whatever rows whose bounds are at most these."""
        return self._less(bounds, scores, self._rows.least_error)

    def _less(self, bounds: Floats, scores: Floats, errors: Any) -> Floats:
        wide = bounds - max(self._sine - self._sine_at(scores), 0) * np.asarray(errors, np.float64)
        up: Floats = np.nextafter(wide.astype(np.float32), np.float32(np.inf))
        return up

    def _sine_at(self, scores: Floats) -> float:
        """Return the greatest sine of the angle between a query and a row that is as good as its score, at most 1."""
        wide, lengths, (least, most) = scores.astype(np.float64), self._lengths, self._rows.between
        least, most = max(least * (1 - 4 * ROUNDINGS), LEAST), max(most, LEAST)
        rounding = rounding_of_sums(self._dimension) + 8 * ROUNDINGS
        if self._metric == "cosine":
            cosines = wide - rounding
        elif self._metric == "dot":
            cosines = wide / (lengths * most) - rounding
        else:
            # (|q|^2 - d^2 + |x|^2) / (2 |q| |x|), which is least where |x|^2 is |q|^2 - d^2, or as near as it comes.
            rest = lengths**2 - wide - rounding * (lengths + most) ** 2
            nearest = np.clip(np.sqrt(np.maximum(rest, 0)), least, most)
            cosines = (rest + nearest**2) / (2 * lengths * nearest)
        cosine = float(np.clip(cosines - 8 * ROUNDINGS, 0, 1).min(initial=1))
        return float(np.sqrt(1 - cosine**2))

    def of_rows(self, selection: NDArray[np.int64]) -> native.Scan:
        """Return the same scan of some rows only, ascending."""
        scan = self._found.scan.over(self._found.scan.rows)
        biases = np.empty(len(self._rows.widths), np.float32)
        biases[selection] = self._biases(selection)
        scan.row_scales, scan.row_biases, scan.selection = self._rows.scales, biases, selection
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


def takes_one(codes: Rows) -> bool:
    """Whether bounds are of one query at a time: where its dot with the center counts differently for each row."""
    return isinstance(codes, LowBitCodes) and codes.scheme.center is not None


def are_known(queries: Embeddings) -> NDArray[np.bool_]:
    """Return which queries, floats, are of lengths for which bounds hold, (n,)."""
    lengths = row_norms(queries.values)
    known: NDArray[np.bool_] = (lengths >= LEAST) & (lengths <= MOST)
    return known
