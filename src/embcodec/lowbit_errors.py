"""How far the estimates by low-bit codes can be off: a part that grows with a query's length, and one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .lowbit_codes import LowBitCodes

Doubles = NDArray[np.float64]

_BLOCK_ROWS = 1 << 16
_BLOCK_BYTES = 1 << 22  # of float rows handled at a time


def rounding_of(codes: LowBitCodes) -> float:
    """Return the relative error of stored scales and lengths."""
    return 2.0**-11 if codes.scales.dtype == np.float16 else 2.0**-22


def level_squares(codes: LowBitCodes) -> Doubles:
    """Return the squared lengths of what rows' levels stand for: from how often signs agree.

    Those of whitened rows also from their dots with the directions in which queries are stretched.
    """
    weights, width = codes.scheme.levels.weights.astype(np.float64), -(-codes.dimension // 8)
    squares = np.full(len(codes), codes.dimension * float(weights @ weights))
    planes = codes.bit_planes.reshape(len(codes), codes.scheme.bits, width)
    for i in range(codes.scheme.bits):
        for j in range(i):
            differing = np.unpackbits(planes[:, i] ^ planes[:, j], axis=1).sum(axis=1, dtype=np.int64)
            squares += 2 * weights[i] * weights[j] * (codes.dimension - 2 * differing)
    directions, gains = codes.scheme.rotation.turned_directions, codes.scheme.rotation.gains
    if gains is not None:
        step = max(1, _BLOCK_BYTES // (4 * codes.dimension))
        for begin in range(0, len(codes), step):
            block = slice(begin, begin + step)
            along = codes.scheme.values_of(codes.bit_planes[block]) @ directions()
            squares[block] += np.square(along, dtype=np.float64) @ (1 / gains.astype(np.float64) ** 2 - 1)
    return squares


def row_errors(codes: LowBitCodes) -> Doubles:
    """Return how far the dots of rows with a query of length 1 can be off, (n,): the length of what codes leave out."""
    rounding = rounding_of(codes)
    scales, squares = codes.row_scales().astype(np.float64), codes.row_squares()
    unbiased = codes.scales.astype(np.float64) * codes.scheme.scale_unit
    dots = np.divide(squares, unbiased, out=np.zeros_like(squares), where=unbiased > 0)
    levels = level_squares(codes)
    # |r - s l|^2, with the parts as far off as rounding may have put them.
    rests = squares - 2 * scales * dots + scales**2 * levels + 6 * rounding * (squares + scales * dots)
    errors: Doubles = np.sqrt(np.maximum(rests, 0)) + rounding * scales * np.sqrt(levels)
    return errors


def widest(codes: LowBitCodes) -> tuple[float, float, float]:
    """Return the largest of the rows' errors, of their squared lengths and of their scales, found in bounded memory."""
    error = square = scale = 0.0
    for start in range(0, len(codes), _BLOCK_ROWS):
        block = codes[start : start + _BLOCK_ROWS]
        error = max(error, float(row_errors(block).max()))
        square = max(square, float(block.row_squares().max()))
        scale = max(scale, float(block.row_scales().max()))
    return error, square, scale


def certain_bounds(codes: LowBitCodes, lengths: Doubles, errors: Doubles | float, squares: Doubles | float) -> Doubles:
    """Return how far dots can be off for queries of these lengths, (m, 1), centred where they are, and rows, (m, n)."""
    bounds: Doubles = lengths * errors * (1 + 1e-5) + 1e-6
    if codes.centres_queries:
        # Unit rows may miss unit length by the tolerance, as far as float16 inputs do: that shifts |q - x|^2.
        bounds += 1.5 * rounding_of(codes) * squares + codes.unit_error
    return bounds
