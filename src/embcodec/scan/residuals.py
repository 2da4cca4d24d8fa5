"""What codes leave out of the float rows that they stand for: the part of a bound on scores that rows contribute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..codec import row_norms
from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..quantizers.lowbit import LowBitCodes, LowBitScheme, Rows
from ..scale import PER_VECTOR, RANGES

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

ROUNDINGS = 2.0**-20
"""Allowed for a handful of float32 operations, each of which rounds by at most 2**-24: sixteen of them."""
ERRORS, SPANS, LENGTHS, ALONG = range(4)
"""The columns of residuals. Of the error e = x - x' of a row x and what its code stands for, x': the length of the part
across x; by how much an error of 1 in each query's meeting with the codes counts for the row (for integers times the
length of the codes, so that an error of the query's length follows); |x|; the length of e along x, negative where it
points the other way."""
RESIDUALS = 4
"""How many these are."""
_BLOCK_BYTES = 1 << 22  # how much of float rows is handled at a time


def residuals_of(codes: Rows, floats: Embeddings, start: int = 0) -> Floats:
    """Return the residuals of rows from `start` on, (n, 4): errors, spans, lengths and along, each rounded up.

    They are measured on the floats given, whatever the codes were made of: codes of other rows have long errors, and
    bounds that say little, but hold. Where a float or a code is so large that no length is finite, all are inf.
    """
    out = np.empty((len(codes) - start, RESIDUALS), np.float32)
    step = max(1, _BLOCK_BYTES // (4 * codes.dimension))
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, len(out), step):
            block = slice(start + begin, min(start + begin + step, len(codes)))
            columns = _measured(codes[block], np.ascontiguousarray(floats.values[block]))
            measured = np.stack(columns, axis=1)
            measured += ROUNDINGS * np.abs(measured)
            measured[~np.isfinite(measured).all(axis=1)] = np.inf
            out[begin : begin + step] = np.nextafter(measured.astype(np.float32), np.float32(np.inf))
            out[begin : begin + step][measured == 0] = 0
    return out


def _measured(codes: Rows, x: Floats) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Return the four of some rows; errors with what decoding, in float32, may be off by."""
    lengths = row_norms(x)
    if isinstance(codes, LowBitCodes):
        errors, spans, beyond = _measured_lowbit(codes, x, lengths)
    elif codes.output_dtype.is_packed:
        # Bits stand for signs, of any length: that of the nearest multiple to the row.
        signs = codes.to_float()
        factors = _nearest_multiples(x, signs)
        beyond = 4 * ROUNDINGS * (lengths + factors * np.sqrt(codes.dimension))
        errors, spans = x - factors[:, None] * signs, factors.astype(np.float64)
    else:
        steps, offsets = integer_terms(codes)
        spans = row_norms(centred_codes(codes).astype(np.float32))
        if codes.scale is not None and codes.scale.kind == PER_VECTOR:
            assert codes.scale.values is not None
            spans *= codes.scale.values
        reach = np.abs(steps).max(initial=0) * (spans + (128 * np.sqrt(codes.dimension) if offsets.any() else 0))
        beyond = 4 * ROUNDINGS * (lengths + reach + np.sqrt(offsets @ offsets))
        errors = x - codes.to_float()
    across, along = _across_and_along(errors, x, lengths)
    return across + beyond, spans, lengths, along + beyond


def _across_and_along(errors: Floats, x: Floats, lengths: Doubles) -> tuple[Doubles, Doubles]:
    """Return how long errors are at most across their rows and, with a sign, along them."""
    whole = row_norms(errors)
    dots = np.einsum("ij,ij->i", errors, x).astype(np.float64)
    along = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
    # Of so many products, whatever the order of their sum, some of which may be too small for float32.
    rounding = (x.shape[1] + 8) * 2.0**-24 * whole
    rounding += np.divide(x.shape[1] * 2.0**-125, lengths, out=np.zeros_like(dots), where=lengths > 0)
    certain = np.maximum(np.abs(along) - rounding, 0)
    return np.sqrt(np.maximum(whole**2 - certain**2, 0)), np.minimum(along + rounding, whole)


def _measured_lowbit(codes: LowBitCodes, x: Floats, lengths: Doubles) -> tuple[Floats, Doubles, Doubles]:
    """Return errors, spans and what is beyond: scales, right on average for dots, are longer than the nearest."""
    scheme, parts = codes.scheme, codes.to_float()
    assert isinstance(scheme, LowBitScheme)
    if scheme.center is not None:
        x, parts = x - scheme.center, parts - scheme.center
    factors = _nearest_multiples(x, parts)
    spans = factors.astype(np.float64) * codes.row_scales()
    beyond = longest_code(scheme) * spans * (rounding_of_turns(scheme) + 4 * ROUNDINGS)
    beyond += 8 * ROUNDINGS * (lengths + length_of_center(scheme))
    return x - factors[:, None] * parts, spans, beyond


def _nearest_multiples(x: Floats, parts: Floats) -> Floats:
    """Return the factors, from 0 to 2, that bring `parts` nearest to the rows of `x`; 0 where they point elsewhere."""
    dots, squares = np.einsum("ij,ij->i", x, parts), np.einsum("ij,ij->i", parts, parts)
    factors = np.divide(dots, squares, out=np.zeros_like(dots), where=squares > 0)
    clipped: Floats = np.clip(np.nan_to_num(factors), np.float32(0), np.float32(2))
    return clipped


def centred_codes(codes: Embeddings) -> NDArray[np.int16]:
    """Return the codes as kernels have them: those of uint8 less 128."""
    return codes.values.astype(np.int16) - (128 if codes.output_dtype is OutputDtype.UINT8 else 0)


def integer_terms(codes: Embeddings) -> tuple[Doubles, Doubles]:
    """Return steps and offsets (dimension,) of value = step * centred code + offset, times the row's scale."""
    assert codes.scale is not None
    if codes.scale.kind == RANGES:
        steps, middles = codes.scale.step_and_middle(codes.dimension)
        return steps.astype(np.float64), middles.astype(np.float64)
    step, centre = codes.scale.step_and_centre(codes.output_dtype)
    return np.full(codes.dimension, step), np.full(codes.dimension, step * centre)


def longest_code(scheme: LowBitScheme) -> float:
    """Return a length that no code of a row exceeds, before its scale."""
    return float(np.sqrt(scheme.dimension) * np.abs(scheme.levels.weights.astype(np.float64)).sum())


def length_of_center(scheme: LowBitScheme) -> float:
    """Return the length of the center; 0 where there is none."""
    return 0.0 if scheme.center is None else float(row_norms(scheme.center[None])[0])


def rounding_of_turns(scheme: LowBitScheme) -> float:
    """Return how far float32 may put off a vector that is turned, as a share of its length.

    Each number of it is a sum of at most `dimension` products, whose error is at most so many roundings of |x| times
    the length of a column; their errors together are sqrt(dimension) times as long. Twice that is allowed for the turn,
    and the same for the stretch before it, times what the stretch can do to lengths.
    """
    gains = scheme.rotation.gains
    stretch = 1.0 if gains is None else float(np.maximum(np.abs(gains), 1 / np.abs(gains)).max(initial=1))
    return float(4 * (scheme.dimension + 64) * np.sqrt(scheme.dimension) * 2.0**-24 * stretch)
