"""Principal directions of a sample, and how many bits each eight of them get."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native.hamming import MOST_TWICE
from ..._native.principal import GROUP
from ..lowbit.chains import error_of_chain
from ..lowbit.levels import MOST_BITS, Floats
from ..lowbit.moments import moments_of_queries, squared_length
from ..lowbit.principal import SHRUNK, PrincipalScheme, length_bytes
from ..lowbit.shaping import shrinkage

_POWER = 1.4
"""Of directions' variances, by which bits go to them. At 1 the rows' mean square error would be least; but queries
reach further along directions in which rows vary more. Neighbouring powers differ by less than half a point."""
_ERRORS = np.array([1.0] + [error_of_chain(bits) for bits in range(1, MOST_BITS + 1)])
_TABLE_STEPS = 127
_LARGEST = 2  # an entry of a query's, in its usual size
_ROUNDED = 0.02  # of the mean square error of levels: what tables may add
_TWICE_PART = 8  # of the bytes are met twice, at most
_LEAST_REACH = 0.1  # of rows of length 1: where codes reach no further, nothing is known of how long they are
_SHORT_CENTER = 0.05  # of unit rows: along a shorter one nothing is worth a direction of its own
_LEAST = 1e-6  # of the mean variance: a direction in which the sample does not vary may vary so in others


def most_bytes(dimension: int, *, unit: bool = False) -> int:
    """Return the bytes of rows of as many bits as directions can have; `unit` where no length is stored."""
    return MOST_BITS * -(-dimension // GROUP) + length_bytes(unit=unit)


class Directions(NamedTuple):
    """What a sample says of directions.

    Attributes
    ----------
    variances : ndarray of float64, (dimension,)
        Of rows' directions along `vectors`, falling; but of rows of unit length the first vector is the center's.
    moments : ndarray of float64, (dimension,)
        Of queries, where rows have length 1.
    vectors : ndarray of float64, (dimension, dimension)
        Orthonormal columns.
    center : ndarray of float32, (dimension,), or None
    typical : float
        The median length of rows without the center.
    """

    variances: NDArray[np.float64]
    moments: NDArray[np.float64]
    vectors: NDArray[np.float64]
    center: Floats | None
    typical: float


def directions_of(x: Floats, center: Floats | None, *, unit: bool = False) -> Directions:
    """Return the principal directions of the rows of `x`; `unit` where the lengths of rows are not stored.

    Rows count by their directions, whatever their lengths. Of few rows the second moments are shrunk towards a multiple
    of the identity: what such a sample does not say, is not learned. Where lengths are not stored, codes are to say how
    far rows reach along the center: it is the first direction, and others are at right angles to it.
    """
    dimension = x.shape[1]
    rests = x if center is None else x - center
    lengths = np.sqrt(np.einsum("ij,ij->i", rests, rests, dtype=np.float64))
    kept = lengths > 0
    typical = float(np.median(lengths[kept])) if kept.any() else 1.0
    rests = rests[kept] / lengths[kept, None].astype(np.float32)
    # A sample that is all center says nothing of directions: none counts more than another.
    moments = (rests.T @ rests).astype(np.float64) / len(rests) if len(rests) else np.eye(dimension) / dimension
    share = shrinkage(moments, len(rests))
    moments = (1 - share) * moments + share * np.trace(moments) / dimension * np.eye(dimension)
    values, vectors = _along_center(moments, center) if unit else _falling(moments)
    values = np.maximum(values, max(values.mean(), np.finfo(np.float32).tiny) * _LEAST)
    reached = moments_of_queries(values, vectors, center) if unit else values
    return Directions(values, reached, vectors, center, typical)


def _falling(moments: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values, vectors = np.linalg.eigh(moments)
    return values[::-1], vectors[:, ::-1]


def _along_center(
    moments: NDArray[np.float64], center: Floats | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the center's direction, then the principal ones of what is at right angles to it."""
    square = 0.0 if center is None else squared_length(center)
    if center is None or square < _SHORT_CENTER**2:
        return _falling(moments)
    along = center.astype(np.float64) / square**0.5
    outside = np.eye(len(along)) - np.outer(along, along)
    values, vectors = _falling(outside @ moments @ outside)  # the last is along the center, of variance 0
    return (
        np.concatenate([[along @ moments @ along], values[:-1]]),
        np.concatenate([along[:, None], vectors[:, :-1]], axis=1),
    )


def scheme_along(found: Directions, row_bytes: int, *, unit: bool = False) -> PrincipalScheme:
    """Return the scheme of so many bytes a row, with the length of the row, or none where rows have unit length."""
    dimension = len(found.variances)
    groups = -(-dimension // GROUP)
    variances, moments = np.zeros((2, groups * GROUP))
    variances[:dimension], moments[:dimension] = found.variances, found.moments
    bits = allocated(variances, moments, row_bytes - length_bytes(unit=unit))
    reach = GROUP * len(bits)
    places = _spread(bits)
    vectors = np.zeros((dimension, groups * GROUP), np.float32)
    vectors[:, :dimension] = found.vectors
    scheme = PrincipalScheme(
        dimension,
        np.ascontiguousarray(vectors[:, :reach][:, places]),
        np.sqrt(variances[:reach][places]).astype(np.float32),
        bits,
        np.empty(0, np.int64),
        found.center,
        dimension**-0.5 if unit else max(found.typical / dimension**0.5, float(np.finfo(np.float32).tiny)),
        np.arange(int(bits.sum(dtype=np.int64))),
    )
    return replace(_stored(scheme), gain=_gain(scheme), unit=unit)


def allocated(variances: NDArray[np.float64], moments: NDArray[np.float64], code_bytes: int) -> NDArray[np.uint8]:
    """Return the bits of each eight directions for which so many bytes are best spent, for rows of these variances.

    The next byte goes to the eight directions where a bit tells most: by how much it lowers the mean square error of a
    Gaussian, times the variance, times a power of the second moment of queries there.
    """
    gains = -np.diff(_ERRORS)
    weights = (variances * moments ** (_POWER - 1)).reshape(-1, GROUP).sum(axis=1)
    weights = np.maximum.accumulate(weights[::-1])[::-1]  # bits never rise
    bits = np.zeros(len(weights), np.uint8)
    waiting = [(-weight * gains[0], group) for group, weight in enumerate(weights)]
    heapq.heapify(waiting)
    for _ in range(code_bytes):
        group = heapq.heappop(waiting)[1]
        bits[group] += 1
        if bits[group] < MOST_BITS:
            heapq.heappush(waiting, (-weights[group] * gains[bits[group]], group))
    return bits[bits > 0]


def _gain(scheme: PrincipalScheme) -> float:
    """Return what brings codes of the usual length to length 1.

    As far as levels are the best for Gaussians, they are as long as the deviations of directions, and what the levels
    err by, say.
    """
    kept = 1 - np.repeat(np.take(_ERRORS, scheme.allocation), GROUP)
    reach = float(np.sqrt(scheme.deviations.astype(np.float64) ** 2 @ kept))
    return float(reach ** (SHRUNK - 1)) if reach > _LEAST_REACH else 0.0


def _spread(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the order of directions in which those of as many bits are mixed, the greatest with the least.

    A table is of four directions, and its entries are as large as the sum of these: of tables with one great direction
    each they are smaller than of tables with four, and so are the steps in which all are rounded.
    """
    places, begin = [], 0
    for each in np.unique(bits)[::-1]:
        count = GROUP * int((bits == each).sum())
        turns = np.arange(begin, begin + count).reshape(4, -1)
        turns[1::2] = turns[1::2, ::-1].copy()
        places.append(turns.T.ravel())
        begin += count
    return np.concatenate(places)


def _stored(scheme: PrincipalScheme) -> PrincipalScheme:
    """Return a scheme whose bytes are stored in the order of what they count, and the first of them met twice.

    Those are so many that tables, whose step is a 127th of the largest entry of the others, add little to what levels
    err by.
    """
    reaches = scheme.reaches()
    order = np.argsort(-reaches, kind="stable")
    squares = scheme.deviations.astype(np.float64).reshape(-1, GROUP) ** 4
    levels = float(squares.sum(axis=1) @ np.take(_ERRORS, scheme.allocation))
    tables = 2 * len(order) * (_LARGEST * reaches[order] / _TABLE_STEPS) ** 2 / 12
    wanted = int(np.searchsorted(-tables, -_ROUNDED * levels))
    most = min(MOST_TWICE - 1, len(order) // _TWICE_PART)
    return replace(scheme, chain=order.astype(np.int64), twice=(min(wanted, most) + 1) // 2 * 2)
