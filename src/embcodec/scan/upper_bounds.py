"""Upper bounds on the scores of float rows, by a scan of their codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native import scan as native
from ..codec import row_norms
from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes, Rows
from .bounds import rounding_of_sums
from .estimates import LEAST, MOST, Doubles, Floats, RowTerms, estimate
from .residuals import ROUNDINGS

_NARROW = 1.5


class UpperBounds:
    """A scan of codes whose scores no float32 score of the rows exceeds.

    Its scores are in units of their own: of queries of length 1, and for distances of 2 Q, Q the longest query's
    length. :meth:`thresholds` converts.

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
        found = estimate(codes, units)
        self._metric, self._lengths, self._longest = metric, lengths, float(lengths.max(initial=LEAST))
        scan = found.scan
        assert scan.terms is not None
        if metric == "l2":
            scan.terms *= (lengths / self._longest).astype(np.float32)
        if found.along is not None:
            scan.terms[2] = 0
        self._rows, self._found, self._dimension = rows, found, codes.dimension
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

    def tightened(self, bounds: Floats, rows: NDArray[np.int64], scores: Floats) -> Floats:
        """Return closer bounds, (n_queries, m) like those of these rows, for rows as good as scores (n_queries,).

        Such rows are at no greater angle from the query, so that less of what is across the row lies along the query.
        The bounds of rows that are not as good may then be below their scores.
        """
        return self._less(bounds, self._sines_at(scores)[:, None], self._rows.errors[rows])

    def tightened_at_least(self, bounds: Floats, scores: Floats) -> Floats:
        """Return the most that such bounds come to, (n_queries,), of whatever rows whose bounds are at most these."""
        return self._less(bounds, self._sines_at(scores), self._rows.least_error)

    @staticmethod
    def _less(bounds: Floats, sines: Doubles, errors: Any) -> Floats:
        wide = bounds - (1 - sines) * np.asarray(errors, np.float64)
        up: Floats = np.nextafter(wide.astype(np.float32), np.float32(np.inf))
        return up

    def _sines_at(self, scores: Floats) -> Doubles:
        """Return the greatest sines of the angles between queries and rows that are as good as scores, at most 1."""
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
        sines: Doubles = np.sqrt(1 - np.clip(cosines - 8 * ROUNDINGS, 0, 1) ** 2)
        return sines

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


def takes_one(codes: Rows) -> bool:
    """Whether bounds are of one query at a time: where its dot with the center counts differently for each row."""
    return isinstance(codes, LowBitCodes) and codes.scheme.center is not None


def are_known(queries: Embeddings) -> NDArray[np.bool_]:
    """Return which queries, floats, are of lengths for which bounds hold, (n,)."""
    lengths = row_norms(queries.values)
    known: NDArray[np.bool_] = (lengths >= LEAST) & (lengths <= MOST)
    return known
