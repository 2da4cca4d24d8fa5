"""How far the estimates by low-bit codes can be off: a part that grows with a query's length, and one that does not."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...codec import row_norms
from .levels import Floats
from .principal import PrincipalScheme
from .queries import LowBitQueries
from .scheme import LowBitScheme

Doubles = NDArray[np.float64]

_FLOAT32 = 2.0**-24  # a rounding to float32, of the number's size
_STEPS = 20
"""Roundings that a dot goes through besides those of sums: 15, and some to spare. A query's: to unit length, of its
share, of that times the center, of their difference, times a bit's weight. A row's: the scale, of two factors, and the
bias, of three. The estimate's: scaled, share times bias, two sums, times the query's length."""
_DEVIATIONS = 4.0
"""Of sums of n roundings, each as likely up as down: off by more than 4 sqrt(n) of them is one of 1,500, in any one sum
(Hoeffding's inequality), and the lengths of mapped rows add the errors of hundreds, which even out."""
_BLOCK_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 22  # how much of float rows is handled at a time


class Coded(Protocol):
    """What the errors depend on, as :class:`~embcodec.LowBitCodes` has it, which stands above and describes it."""

    # ruff: noqa: D102

    @property
    def bit_planes(self) -> NDArray[np.uint8]: ...
    @property
    def scales(self) -> NDArray[Any]: ...
    @property
    def lengths(self) -> NDArray[Any]: ...
    @property
    def scheme(self) -> LowBitScheme | PrincipalScheme: ...
    @property
    def code_error(self) -> float: ...
    @property
    def unit_error(self) -> float: ...
    @property
    def length_error(self) -> float: ...
    @property
    def dimension(self) -> int: ...
    @property
    def are_unit(self) -> NDArray[np.bool_]: ...
    def row_scales(self) -> NDArray[np.float32]: ...
    def row_squares(self) -> Doubles: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> Coded: ...


def rounding_of(codes: Coded) -> float:
    """Return the relative error of stored scales and lengths."""
    return 2.0**-11 if codes.lengths.dtype == np.float16 else 2.0**-22


def error_by_cosines(cosines: Floats, reach: Doubles) -> float:
    """Return the most that codes leave out of rows, as a share of their length.

    By the rows' cosines with what their codes stand for, and how long that is, as a share.
    """
    rests = (1 - reach) ** 2 + 2 * reach * (1 - cosines.astype(np.float64) + 2 * _FLOAT32)
    return float(np.sqrt(rests.max(initial=0)))


def error_of_unit_rows(cosines: Floats, lengths: Floats, found: Floats, reach: Doubles) -> tuple[float, float]:
    """Return the most that codes leave out of rows of unit length, and by how much half their squared lengths are off.

    Parameters
    ----------
    cosines : ndarray
        Of rows, centred, with what their codes stand for.
    lengths, found : ndarray
        Of rows, centred, and as codes have them.
    reach : ndarray
        How long what a code stands for is, times the length found.
    """
    wide, reached = lengths.astype(np.float64), reach * found
    rests = (wide - reached) ** 2 + 2 * wide * reached * (1 - cosines.astype(np.float64) + 2 * _FLOAT32)
    left_out = np.sqrt(np.maximum(rests, 0)) + 8 * _FLOAT32 * (wide + reached)
    halves = np.abs(wide**2 - found.astype(np.float64) ** 2) / 2 + 4 * _FLOAT32 * wide**2
    return float(left_out.max(initial=0)), float(halves.max(initial=0))


def level_squares(codes: Coded, scheme: LowBitScheme) -> Doubles:
    """Return the squared lengths of what rows' levels stand for: from how often signs agree.

    Those of whitened rows also from their dots with the directions in which queries are stretched.
    """
    weights, width = scheme.levels.weights.astype(np.float64), -(-codes.dimension // 8)
    squares = np.full(len(codes), codes.dimension * float(weights @ weights))
    planes = codes.bit_planes.reshape(len(codes), scheme.bits, width)
    for i in range(scheme.bits):
        for j in range(i):
            differing = np.unpackbits(planes[:, i] ^ planes[:, j], axis=1).sum(axis=1, dtype=np.int64)
            squares += 2 * weights[i] * weights[j] * (codes.dimension - 2 * differing)
    directions, gains = scheme.rotation.turned_directions, scheme.rotation.gains
    if gains is not None:
        step = max(1, _BLOCK_BYTES // (4 * codes.dimension))
        for begin in range(0, len(codes), step):
            block = slice(begin, begin + step)
            along = scheme.values_of(codes.bit_planes[block]) @ directions()
            squares[block] += np.square(along, dtype=np.float64) @ (1 / gains.astype(np.float64) ** 2 - 1)
    return squares


class RowErrors(NamedTuple):
    """What rows contribute to how far their dots with a query of length 1 can be off; arrays (n,), or the largest.

    Attributes
    ----------
    units, others : ndarray of float64
        The length of what codes leave out of rows of unit length, which meet queries without their share of the center,
        and of others, which in effect meet whole queries; 0 where a row is of the other kind.
    shared : ndarray of float64
        How far a unit row's dot with the center can be off.
    squares : ndarray of float64
        The squared lengths of the centred rows.
    scales : ndarray of float32
    """

    units: Any
    others: Any
    shared: Any
    squares: Any
    scales: Any


def errors_of(codes: Coded) -> RowErrors:
    """Return the errors of each row."""
    rounding = rounding_of(codes)
    scales, squares, are_unit = codes.row_scales().astype(np.float64), codes.row_squares(), codes.are_unit
    # Rows so much shorter than the sample that what is stored of them is subnormal are off by a step, not by a share:
    # no more is said of what their codes leave out than that it is not longer than the row and the code together.
    stored, unit = np.finfo(codes.lengths.dtype), codes.scheme.scale_unit * np.sqrt(codes.dimension)
    lengths, step = np.sqrt(squares), float(stored.smallest_subnormal) * unit
    are_tiny = lengths < float(stored.smallest_normal) * unit
    if isinstance(codes.scheme, PrincipalScheme):
        share = codes.scheme.reach_of(codes.scales)
        reached = share * lengths
        if codes.scheme.unit:
            return _errors_of_unit_rows(codes, reached)
        errors = (codes.code_error + rounding * np.maximum(share, 1)) * (1 + 2 * rounding) * lengths
    else:
        reached, errors = _scaled_errors(codes, codes.scheme, scales, squares)
        are_tiny |= codes.scales < stored.smallest_normal
    errors = np.where(are_tiny, lengths + step + reached, errors)
    # Unit rows may miss unit length by the tolerance, as far as float16 inputs do.
    lost = 1.5 * rounding * squares + np.where(are_tiny, step * (step + 2 * lengths), 0.0)
    shared = np.where(are_unit, lost + codes.unit_error, 0.0)
    return RowErrors(np.where(are_unit, errors, 0.0), np.where(are_unit, 0.0, errors), shared, squares, scales)


def _errors_of_unit_rows(codes: Coded, reached: Doubles) -> RowErrors:
    """Return the errors of rows whose lengths are not stored: what was measured when they were coded."""
    rounding, squares = rounding_of(codes), codes.row_squares() + 2 * codes.length_error
    return RowErrors(
        codes.code_error + 2 * rounding * reached,
        np.zeros(len(codes)),
        codes.length_error + codes.unit_error + 1.5 * rounding * squares,
        np.maximum(squares, reached**2),
        codes.row_scales().astype(np.float64),
    )


def _scaled_errors(codes: Coded, scheme: LowBitScheme, scales: Doubles, squares: Doubles) -> tuple[Doubles, Doubles]:
    """Return the lengths of what scaled levels stand for, and of what they leave out."""
    rounding = rounding_of(codes)
    unbiased = codes.scales.astype(np.float64) * scheme.scale_unit
    dots = np.divide(squares, unbiased, out=np.zeros_like(squares), where=unbiased > 0)
    levels = level_squares(codes, scheme)
    # |r - s l|^2, with the parts as far off as rounding may have put them.
    rests = squares - 2 * scales * dots + scales**2 * levels + 6 * rounding * (squares + scales * dots)
    reached = scales * np.sqrt(levels)
    return reached, np.sqrt(np.maximum(rests, 0)) + rounding * reached


def widest(codes: Coded) -> RowErrors:
    """Return the largest of each of the rows' errors, floats, found in bounded memory."""
    most = RowErrors(0.0, 0.0, 0.0, 0.0, 0.0)
    for start in range(0, len(codes), _BLOCK_ROWS):
        found = errors_of(codes[start : start + _BLOCK_ROWS])
        most = RowErrors(*(max(one, float(part.max())) for one, part in zip(most, found, strict=True)))
    return most


def certain_bounds(codes: Coded, asked: LowBitQueries, rows: RowErrors) -> Doubles:
    """Return how far dots of queries brought to length 1 with rows can be off, (m, n)."""
    return leaning_errors(asked, rows) * (1 + arithmetic_of(codes)) + fixed_errors(codes, asked, rows)


def arithmetic_of(codes: Coded) -> float:
    """Return how far arithmetic in float32 may put off a dot of vectors of length 1, and the length of a mapped one.

    The longest sums are those over all bits of a row; a learned rotation sums over all dimensions, the others less.
    """
    return (_STEPS + _DEVIATIONS * float(np.sqrt(codes.scheme.bits * codes.dimension))) * _FLOAT32


def leaning_errors(asked: LowBitQueries, rows: RowErrors) -> Doubles:
    """Return the part of the error that is smaller for most directions of queries, (m, n)."""
    errors: Doubles = np.maximum(asked.spreads[:, None] * rows.units, rows.others)
    return errors


def fixed_errors(codes: Coded, asked: LowBitQueries, rows: RowErrors) -> Doubles:
    """Return the part that is not, with float32 roundings, (m, n)."""
    shares = np.abs(asked.shares.astype(np.float64))[:, None]
    errors: Doubles = shares * rows.shared + arithmetic_of(codes) * np.maximum(1.0, farthest(codes, rows))
    return errors


def farthest(codes: Coded, rows: RowErrors) -> Doubles:
    """Return lengths that rows, not centred, do not exceed, (n,)."""
    center = codes.scheme.center
    lengths: Doubles = np.sqrt(rows.squares) + (0.0 if center is None else float(row_norms(center[None])[0]))
    return lengths
