"""Principal directions of a sample, and how many bits each eight of them get."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native.principal import GROUP
from ..lowbit.levels import Floats, levels_of
from ..lowbit.principal import LENGTH_BYTES, MOST_BITS, PrincipalScheme
from ..lowbit.shaping import shrinkage

_POWER = 1.25
"""Of directions' variances, by which bits go to them. At 1 the rows' mean square error would be least; but queries
reach further along directions in which rows vary more. Neighbouring powers differ by less than half a point."""
_ERRORS = np.array([1.0] + [levels_of(bits).mean_square_error for bits in range(1, MOST_BITS + 1)])
_TABLE_STEPS = 127
_COPIES_PART = 3  # at most every third byte
_LEAST = 1e-6  # of the mean variance: a direction in which the sample does not vary may vary so in others


def most_bytes(dimension: int) -> int:
    """Return the bytes of rows of as many bits as directions can have."""
    return MOST_BITS * -(-dimension // GROUP) + LENGTH_BYTES


class Directions(NamedTuple):
    """What a sample says of directions.

    Attributes
    ----------
    variances : ndarray of float64, (dimension,)
        Of rows' directions along `vectors`, falling.
    vectors : ndarray of float64, (dimension, dimension)
        Orthonormal columns.
    center : ndarray of float32, (dimension,), or None
    typical : float
        The median length of rows without the center.
    """

    variances: NDArray[np.float64]
    vectors: NDArray[np.float64]
    center: Floats | None
    typical: float


def directions_of(x: Floats, center: Floats | None) -> Directions:
    """Return the principal directions of the rows of `x`.

    Rows count by their directions, whatever their lengths. Of few rows the second moments are shrunk towards a multiple
    of the identity: what such a sample does not say, is not learned.
    """
    dimension = x.shape[1]
    rests = x if center is None else x - center
    lengths = np.sqrt(np.einsum("ij,ij->i", rests, rests, dtype=np.float64))
    kept = lengths > 0
    typical = float(np.median(lengths[kept])) if kept.any() else 1.0
    rests = rests[kept] / lengths[kept, None].astype(np.float32)
    moments = (rests.T @ rests).astype(np.float64) / max(len(rests), 1)
    share = shrinkage(moments, len(rests))
    moments = (1 - share) * moments + share * np.trace(moments) / dimension * np.eye(dimension)
    values, vectors = np.linalg.eigh(moments)
    values = np.maximum(values[::-1], max(values.mean(), np.finfo(np.float32).tiny) * _LEAST)
    return Directions(values, vectors[:, ::-1], center, typical)


def scheme_along(found: Directions, row_bytes: int) -> PrincipalScheme:
    """Return the scheme of so many bytes a row, with the length of the row."""
    dimension = len(found.variances)
    groups = -(-dimension // GROUP)
    variances = np.zeros(groups * GROUP)
    variances[:dimension] = found.variances
    bits, copies = allocated(variances, row_bytes - LENGTH_BYTES)
    reach = GROUP * len(bits)
    directions = np.zeros((dimension, reach), np.float32)
    directions[:, : min(reach, dimension)] = found.vectors[:, :reach]
    return PrincipalScheme(
        dimension,
        directions,
        np.sqrt(variances[:reach]).astype(np.float32),
        bits,
        copies,
        found.center,
        max(found.typical / dimension**0.5, float(np.finfo(np.float32).tiny)),
    )


class Allocation(NamedTuple):
    """Where the bytes of a row go: the bits of each eight directions, and the bytes that are stored again."""

    bits: NDArray[np.uint8]
    copies: NDArray[np.int64]


def allocated(variances: NDArray[np.float64], code_bytes: int) -> Allocation:
    """Return where so many bytes are best spent, for rows and queries of these variances along directions.

    The next byte goes to the eight directions where a bit tells most: by how much it lowers the mean square error of a
    Gaussian, times the power of the variance. But float queries meet bytes in tables of one step for all of them
    (csrc/tables), and a byte of the first directions may count many times what most do. So of as many copies of such
    bytes as there could be, which share what they count, there are those that leave the least error on the whole.
    """
    order = _by_gain(variances, code_bytes)
    best = min(range(len(order) // _COPIES_PART + 1), key=lambda count: _error(variances, order, count))
    bits = np.bincount(order[: len(order) - best]).astype(np.uint8)
    return Allocation(bits, _copies(_reaches(variances, bits), best)[0])


def _by_gain(variances: NDArray[np.float64], code_bytes: int) -> NDArray[np.int64]:
    """Return the groups to which one byte after the other goes."""
    gains = -np.diff(_ERRORS)
    weights = (variances**_POWER).reshape(-1, GROUP).sum(axis=1)
    bits, order = np.zeros(len(weights), np.int64), []
    waiting = [(-weight * gains[0], group) for group, weight in enumerate(weights)]
    heapq.heapify(waiting)
    for _ in range(code_bytes):
        group = heapq.heappop(waiting)[1]
        order.append(group)
        bits[group] += 1
        if bits[group] < MOST_BITS:
            heapq.heappush(waiting, (-weights[group] * gains[bits[group]], group))
    return np.array(order, np.int64)


def _reaches(variances: NDArray[np.float64], bits: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how large the entries are that bytes have in tables of usual queries, plane after plane."""
    halves = variances.reshape(-1, 2, GROUP // 2).sum(axis=2).max(axis=1)  # a table is of four directions
    planes = []
    for plane in range(int(bits[0])):
        groups = np.flatnonzero(bits > plane)
        planes.append(halves[groups] * [levels_of(int(bits[group])).weights[plane] for group in groups])
    return np.concatenate(planes)


def _copies(reaches: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], float]:
    """Return the bytes to be stored again, those that count most first, and the most that any then counts."""
    waiting = [(-reach, 1, place) for place, reach in enumerate(reaches)]
    heapq.heapify(waiting)
    copies = []
    for _ in range(count):
        _, times, place = heapq.heappop(waiting)
        copies.append(place)
        heapq.heappush(waiting, (-reaches[place] / (times + 1), times + 1, place))
    return np.array(copies, np.int64), -waiting[0][0]


def _error(variances: NDArray[np.float64], order: NDArray[np.int64], count: int) -> float:
    """Return the mean square error of scores, of levels and of the steps of tables, with so many copies."""
    bits = np.bincount(order[: len(order) - count], minlength=len(variances) // GROUP)
    left = float((variances.reshape(-1, GROUP) ** 2).sum(axis=1) @ np.take(_ERRORS, bits))
    step = _copies(_reaches(variances, bits[bits > 0].astype(np.uint8)), count)[1] / _TABLE_STEPS
    return left + 2 * len(order) * step**2 / 12
