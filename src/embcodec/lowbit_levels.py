"""The levels of one, two and four bits, and the rotations that spread a vector evenly over them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._native import lowbit as native

Floats = NDArray[np.float32]


class Levels(NamedTuple):
    """What a dimension of unit variance may be coded as.

    Attributes
    ----------
    weights : ndarray, (bits,)
        A level is the sum of these, each with the sign of its bit: a dot with a code is a weighted sum of dots with
        its bit planes.
    levels, thresholds : ndarray, (2**bits,), (2**bits - 1,)
        The sums in ascending order, and the middles between them.
    patterns : ndarray of uint8, (2**bits,)
        The bits of each level.
    mean_square_error : float
        Of a standard Gaussian.
    """

    weights: Floats
    levels: Floats
    thresholds: Floats
    patterns: NDArray[np.uint8]
    mean_square_error: float


@cache
def levels_of(bits: int) -> Levels:
    """Return the levels with the least mean square error for a Gaussian, by Lloyd's iteration on the weights.

    For one and two bits these are the Lloyd-Max levels (errors 0.3634 and 0.1175). For four bits sums of four weights
    reach 0.01141, where 16 free levels would reach 0.0095 and equal steps 0.0115.

    Examples
    --------
    >>> levels_of(2).levels.round(4).tolist()
    [-1.510..., -0.452..., 0.452..., 1.510...]
    """
    z = np.linspace(-8, 8, 20_001)
    density = np.exp(-z * z / 2)
    density /= density.sum()
    codes = np.arange(1 << bits, dtype=np.uint8)
    signs = 2.0 * ((codes[:, None] >> np.arange(bits)) & 1) - 1
    weights = 0.8 * 0.5 ** np.arange(bits) * (1 + 0.3 * (bits > 1))
    for _ in range(300):
        sums = signs @ weights
        order = np.argsort(sums)
        chosen = np.searchsorted((sums[order][1:] + sums[order][:-1]) / 2, z)
        basis = signs[order][chosen]
        error = float(density @ (z - sums[order][chosen]) ** 2)
        better = np.linalg.solve(basis.T @ (density[:, None] * basis), basis.T @ (density * z))
        if np.abs(better - weights).max() < 1e-7:
            break
        weights = better
    ascending = sums[order].astype(np.float32)
    edges = ((sums[order][1:] + sums[order][:-1]) / 2).astype(np.float32)
    return Levels(weights.astype(np.float32), ascending, edges, codes[order], error)


class Rotation(NamedTuple):
    """An orthogonal map: a matrix, the factors of a fast random one, or neither (the identity)."""

    matrix: Floats | None = None
    factors: Floats | None = None

    def apply(self, x: Floats) -> Floats:
        """Return rotated rows; `x` may be overwritten."""
        if self.factors is not None:
            native.rotate(x, self.factors)
        return x if self.matrix is None else np.ascontiguousarray(x @ self.matrix)

    def undo(self, x: Floats) -> Floats:
        """Return rows rotated back; `x` may be overwritten."""
        if self.factors is not None:
            native.rotate(x, self.factors, inverse=True)
        return x if self.matrix is None else np.ascontiguousarray(x @ self.matrix.T)


def random_rotation(dimension: int, seed: int) -> Rotation:
    """Return signs and Hadamard transforms: two rounds for a power of two, else four, which mix both ends."""
    rounds = 2 if dimension & (dimension - 1) == 0 else 4
    return Rotation(factors=native.rotation_factors(dimension, rounds, seed))


def learned_rotation(x: Floats, levels: Levels, rounds: int = 5) -> Rotation:
    """Return a rotation under which the rows of `x` lie closer to their codes (iterative quantization).

    Each round codes the rotated rows and then turns them onto their codes, by the orthogonal factor of the polar
    decomposition (Gong and Lazebnik, CVPR 2011; here with the levels of any number of bits). It starts from the
    identity and stops early: the dimensions of trained models are a good start, and rows that were not in the sample
    gain more than from a random start and many rounds.
    """
    dimension = x.shape[1]
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    kept = lengths[:, 0] > 0
    x = x[kept] / lengths[kept] * np.float32(np.sqrt(dimension))
    matrix = np.eye(dimension, dtype=np.float32)
    for _ in range(rounds):
        codes = levels.levels[np.searchsorted(levels.thresholds, x @ matrix)]
        towards = (x.T @ codes).astype(np.float64)
        # Directions in which the sample says nothing stay as they are.
        towards += 1e-3 * np.trace(towards @ matrix.T) / dimension * matrix
        matrix = _orthogonal_factor(towards).astype(np.float32)
    return Rotation(matrix=np.ascontiguousarray(matrix))


def _orthogonal_factor(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return M (M^T M)^(-1/2), brought from nearly to fully orthogonal by two Newton-Schulz steps."""
    squares, vectors = np.linalg.eigh(matrix.T @ matrix)
    roots = np.sqrt(np.maximum(squares, squares[-1] * 1e-14))
    near: NDArray[np.float64] = matrix @ (vectors / roots) @ vectors.T
    for _ in range(2):
        near = 1.5 * near - 0.5 * near @ (near.T @ near)
    return near
