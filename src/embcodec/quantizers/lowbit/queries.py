"""Float queries on their way to low-bit codes: of unit length, without what they share with the center, turned."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native import lowbit as native
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
    asked = _rests_of(scheme, queries, _MOST_SHARE if apart else 0.0)
    values = scheme.for_planes(asked.rests) if for_planes else scheme.turn_queries(asked.rests)
    return LowBitQueries(values, asked.lengths, asked.shares.astype(np.float32), asked.along, asked.spreads)


def coded_like_rows(scheme: LowBitScheme, queries: Floats) -> NDArray[np.uint8]:
    """Return the bit planes of queries, coded as rows are, for Hamming distances."""
    rests = _rests_of(scheme, queries, _MOST_SHARE).rests
    return scheme.encode_raw(rests if scheme.center is None else rests + scheme.center)[0]  # of which it takes one


def _rests_of(scheme: LowBitScheme | PrincipalScheme, queries: Floats, most: float) -> native.Rests:
    return native.rests_of(np.ascontiguousarray(queries, np.float32), scheme.center, most)
