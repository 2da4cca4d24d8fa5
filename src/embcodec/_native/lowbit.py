"""Random rotations and codes of one, two and four bits. Arrays are C-contiguous float32, (n, dimension)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .core import lib, pointer

Floats = NDArray[np.float32]


def rotation_factors(dimension: int, rounds: int, seed: int) -> Floats:
    """Return the factors (rounds, dimension) of a random rotation: signs, normalised where the transform reaches."""
    signs = np.random.default_rng(seed).integers(0, 2, (rounds, dimension))
    factors = (2 * signs - 1).astype(np.float32)
    power = 1 << (dimension.bit_length() - 1)
    for index, row in enumerate(factors):
        reached = slice(dimension - power, None) if index % 2 else slice(0, power)
        row[reached] /= np.float32(np.sqrt(power))
    return factors


def rotate(x: Floats, factors: Floats, *, inverse: bool = False) -> None:
    """Rotate the rows of `x` in place."""
    lib.ec_rotate_f32(pointer(x), *x.shape, pointer(factors), len(factors), inverse)


def encode(
    x: Floats, bits: int, thresholds: Floats, levels: Floats, patterns: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], Floats, Floats]:
    """Return bit planes (n, bits * ceil(dimension / 8)), the unbiased scales (n,) and the lengths (n,)."""
    planes = np.empty((len(x), bits * -(-x.shape[1] // 8)), np.uint8)
    scales, lengths = np.empty(len(x), np.float32), np.empty(len(x), np.float32)
    lib.ec_lowbit_encode_f32(
        pointer(x), *x.shape, bits, pointer(thresholds), pointer(levels), pointer(patterns),
        pointer(planes), pointer(scales), pointer(lengths),
    )  # fmt: skip
    return planes, scales, lengths
