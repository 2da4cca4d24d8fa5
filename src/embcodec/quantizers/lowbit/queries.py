"""Float queries on their way to low-bit codes: of unit length, without what they share with the center, turned."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native.bits import query_not_finite
from ...codec import row_norms
from .levels import Floats
from .principal import PrincipalScheme
from .scheme import LowBitScheme

Doubles = NDArray[np.float64]

_MOST_SHARE = 2.0  # of the center: a greater one would magnify how rows' lengths were rounded more than it helps


class LowBitQueries(NamedTuple):
    """Queries q, each as its length times a query e of length 1, of which e - u c meets the rows' bits.

    Attributes
    ----------
    values : ndarray of float32, (m, 8 * bytes of a row)
        The turned e - u c times the weight of each bit, in the order of the bits, highest first.
    lengths : ndarray of float64, (m,)
    shares : ndarray of float32, (m,)
        The u: <e, c> / |c|^2, which leaves the shortest rest, within -2 .. 2; 0 where there is no center.
    along : ndarray of float64, (m,)
        <e, c>.
    spreads : ndarray of float64, (m,)
        |e - u c|.
    """

    values: Floats
    lengths: Doubles
    shares: Floats
    along: Doubles
    spreads: Doubles

    def some(self, queries: slice) -> LowBitQueries:
        """Return what there is of some of the queries."""
        values, lengths, shares, along, spreads = self
        return LowBitQueries(values[queries], lengths[queries], shares[queries], along[queries], spreads[queries])


def prepare_queries(
    scheme: LowBitScheme | PrincipalScheme, queries: Floats, *, apart: bool = True, for_planes: bool = True
) -> LowBitQueries:
    """Return what queries (m, dimension) become; each by itself, whatever others there are.

    Without `apart` whole queries meet the bits: their shares of the center are 0. Without `for_planes` the values are
    those that meet levels, as `scheme.values_of` has these.

    Raises
    ------
    ValueError
        For queries that are not finite.
    """
    units, lengths = of_unit_length(queries)
    shares, along = _shares(units, scheme.center)
    if not apart:
        shares = np.zeros_like(shares)
    rests = without_center(units, shares, scheme.center)
    values = scheme.for_planes(rests) if for_planes else scheme.turn_queries(rests)
    return LowBitQueries(values, lengths, shares, along, row_norms(rests))


def of_unit_length(queries: Floats) -> tuple[Floats, Doubles]:
    """Return queries of length 1 (0 stays), and the lengths they had."""
    lengths = row_norms(queries)
    if not np.isfinite(lengths).all():
        raise query_not_finite(queries, int(np.isfinite(lengths).argmin()))
    return (queries / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32), lengths


def without_center(units: Floats, shares: Floats, center: Floats | None) -> Floats:
    """Return queries less their share of the center."""
    return units if center is None else units - shares[:, None] * center


def coded_like_rows(scheme: LowBitScheme, queries: Floats) -> NDArray[np.uint8]:
    """Return the bit planes of queries, coded as rows are, for Hamming distances."""
    units, _ = of_unit_length(queries)
    shares, _ = _shares(units, scheme.center)
    if scheme.center is not None:
        units = without_center(units, shares - np.float32(1), scheme.center)  # of which encoding takes one
    return scheme.encode_raw(units)[0]


def _shares(units: Floats, center: Any) -> tuple[Floats, Doubles]:
    if center is None:
        return np.zeros(len(units), np.float32), np.zeros(len(units))
    wide: Doubles = center.astype(np.float64)
    along: Doubles = np.einsum("ij,j->i", units, wide)
    square = float(wide @ wide)
    shares = np.clip(along / square, -_MOST_SHARE, _MOST_SHARE) if square > 0 else np.zeros(len(units))
    return shares.astype(np.float32), along
