"""The linear maps before coding: rotations that are random or learned, and partial whitening."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native import lowbit as native
from .levels import Floats, Levels

BLOCK = 64
"""Dimensions that a rotation in blocks mixes: a sample of a thousand rows says enough of so many, and it is cheap."""

DIRECTIONS = 128
"""Of a whitening: those in which rows vary most."""

_WHITENED = 0.1  # the power; see `whitened`
_SHRUNK = 0.1
_SMALL = 2.0**-40  # of values: their squares, summed over all rows, and those of lesser ones are within float32


class Rotation(NamedTuple):
    """An invertible map of rows: a stretch along some directions, then one orthogonal map; without these the identity.

    Queries take the inverse of the stretch, so that their dots with rows stay what they were.

    Attributes
    ----------
    matrix : ndarray, (dimension, dimension), or None
        Orthogonal.
    factors : ndarray, (rounds, dimension), or None
        Of a fast random rotation.
    blocks : ndarray, (ceil(dimension / 64), 64, 64), or None
        Orthogonal maps of 64 dimensions each; of the last one only what the dimensions reach counts.
    directions : ndarray, (dimension, k), or None
        Orthonormal columns along which rows are stretched first: by the `gains`.
    gains : ndarray, (k,), or None
    """

    matrix: Floats | None = None
    factors: Floats | None = None
    blocks: Floats | None = None
    directions: Floats | None = None
    gains: Floats | None = None

    def check(self) -> None:
        """Raise ValueError where parts do not go together."""
        turns = [name for name in ("matrix", "factors", "blocks") if getattr(self, name) is not None]
        if len(turns) > 1:
            raise ValueError(f"{' and '.join(turns)} in one rotation")
        if self.directions is None and self.gains is None:
            return
        if self.directions is None or self.gains is None or self.blocks is None:
            raise ValueError("of directions, gains and blocks none goes without the others")
        if self.directions.shape[1] != len(self.gains):
            raise ValueError(f"{len(self.gains)} gains for {self.directions.shape[1]} directions")

    @property
    def kind(self) -> str:
        """What it is: "whitened", "blocks", "learned", "random" or "none"."""
        kinds = {"whitened": self.gains, "blocks": self.blocks, "learned": self.matrix, "random": self.factors}
        return next((kind for kind, part in kinds.items() if part is not None), "none")

    def apply(self, x: Floats) -> Floats:
        """Return mapped rows; `x` may be overwritten."""
        return self._turn(x if self.gains is None else self._stretched(x, self.gains))

    @property
    def of_queries(self) -> Rotation:
        """What maps queries, whose dots with mapped rows are those of before."""
        return self if self.gains is None else self._replace(gains=(1 / self.gains).astype(np.float32))

    def undo(self, x: Floats) -> Floats:
        """Return rows mapped back; `x` may be overwritten."""
        if self.blocks is not None:
            x = _times_blocks(x, self.blocks.transpose(0, 2, 1))
        if self.factors is not None:
            native.rotate(x, self.factors, inverse=True)
        if self.matrix is not None:
            x = x @ self.matrix.T
        return x if self.gains is None else self._stretched(x, 1 / self.gains)

    def turned_directions(self) -> Floats:
        """Return the directions as the orthogonal parts map them, (dimension, k)."""
        assert self.directions is not None
        return np.ascontiguousarray(self._turn(np.ascontiguousarray(self.directions.T)).T)

    def parts_for_coding(self, dimension: int) -> dict[str, NDArray[Any] | int]:
        """Return what :class:`~embcodec._native.lowbit.Coder` takes of it."""
        self.check()
        parts: dict[str, NDArray[Any] | int] = {}
        if self.factors is not None:
            parts |= {"factors": self.factors, "rounds": len(self.factors)}
        if self.blocks is not None:
            parts["panels"] = self.blocks
        if self.matrix is not None:
            parts |= {"panels": native.panels_of(self.matrix), "dense": 1}
        if self.directions is not None and self.gains is not None:
            turned, count = self.turned_directions(), -(-len(self.gains) // native.PANEL) * native.PANEL
            shares, weights = np.zeros((count, dimension), np.float32), np.zeros(count, np.float32)
            shares[: len(self.gains)] = (self.gains - 1)[:, None] * turned.T
            weights[: len(self.gains)] = 1 / self.gains - self.gains
            parts |= {
                "directions": count,
                "along": native.panels_of(self.directions),
                "turned": native.panels_of(turned),
                "added": native.panels_of(shares),
                "weights": weights,
            }
        return parts

    def _stretched(self, x: Floats, gains: NDArray[Any]) -> Floats:
        assert self.directions is not None
        stretched: Floats = x + ((x @ self.directions) * (gains - 1)) @ self.directions.T
        return stretched

    def _turn(self, x: Floats) -> Floats:
        if self.matrix is not None:
            x = x @ self.matrix
        if self.factors is not None:
            native.rotate(x, self.factors)
        return x if self.blocks is None else _times_blocks(x, self.blocks)

    @staticmethod
    def refuse_former(names: Iterable[str]) -> None:
        """Raise ValueError where a file has arrays of a whitening as it once was."""
        if "whitening" in names:
            raise ValueError("a whitening by a whole matrix, which is no longer made nor read: fit and encode again")

    @staticmethod
    def shapes(dimension: int) -> dict[str, tuple[int | None, ...]]:
        """Return the shapes of the parts, None where any length will do."""
        square = (dimension, dimension)
        blocks = (-(-dimension // BLOCK), BLOCK, BLOCK)
        return {
            "matrix": square, "factors": (None, dimension), "blocks": blocks, "directions": (dimension, None),
            "gains": (None,),
        }  # fmt: skip


def _times_blocks(x: Floats, blocks: Floats) -> Floats:
    turned = np.empty_like(x)
    whole = x.shape[1] // BLOCK
    if whole:
        parts, into = (a[:, : whole * BLOCK].reshape(len(x), whole, BLOCK).transpose(1, 0, 2) for a in (x, turned))
        np.matmul(parts, blocks[:whole], out=into)
    rest = x.shape[1] - whole * BLOCK
    if rest:
        turned[:, whole * BLOCK :] = x[:, whole * BLOCK :] @ blocks[whole, :rest, :rest]
    return turned


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
    return Rotation(matrix=_learned_matrix(x, levels, rounds))


def learned_blocks(x: Floats, levels: Levels, rounds: int = 3) -> Rotation:
    """Return a rotation learned in blocks of 64 dimensions, as :func:`learned_rotation` does it.

    It has so few numbers to learn that rows which were not in the sample gain as much as those which were.
    """
    dimension = x.shape[1]
    blocks = np.tile(np.eye(BLOCK, dtype=np.float32), (-(-dimension // BLOCK), 1, 1))
    for block, begin in zip(blocks, range(0, dimension, BLOCK), strict=True):
        part = x[:, begin : begin + BLOCK]
        block[: part.shape[1], : part.shape[1]] = _learned_matrix(part, levels, rounds)
    return Rotation(blocks=blocks)


def whitened(x: Floats, levels: Levels) -> Rotation:
    """Return a partial whitening and learned blocks after it.

    The rows' second moments C, shrunk by a tenth towards a multiple of the identity, are taken to the power -0.1: their
    bits agree less with each other and so say more. Full whitening (-1/2) would code the noise of directions that
    hardly vary as finely as what tells rows apart. Of the directions only the 128 in which rows vary most have a gain
    each, all others the geometric mean of theirs, to which the gains are relative: thin products instead of whole ones,
    which finds within a fifth of a point as many neighbours at 512 dimensions.
    """
    dimension, x = x.shape[1], _in_reach(x)
    values, vectors = np.linalg.eigh((x.T @ x).astype(np.float64) / len(x))
    mean = values.mean()
    if not mean > 0:  # constant rows, centred
        return learned_blocks(x, levels)
    powers = ((1 - _SHRUNK) * np.maximum(values / mean, 0) + _SHRUNK) ** -_WHITENED
    count = min(DIRECTIONS, dimension)
    others = np.exp(np.log(powers[: dimension - count]).mean()) if count < dimension else 1.0
    stretch = Rotation(
        directions=np.ascontiguousarray(vectors[:, dimension - count :], np.float32),
        gains=(powers[dimension - count :] / others).astype(np.float32),
    )
    return learned_blocks(stretch.apply(x), levels)._replace(directions=stretch.directions, gains=stretch.gains)


def _in_reach(x: Floats) -> Floats:
    """Return rows, which count by their directions, times a power of two where their squares are beyond float32."""
    largest = float(np.abs(x).max(initial=0))
    if largest == 0 or _SMALL < largest < 1 / _SMALL:
        return x
    return np.ldexp(x, -int(np.frexp(largest)[1]))


def _learned_matrix(x: Floats, levels: Levels, rounds: int) -> Floats:
    dimension, x = x.shape[1], _in_reach(x)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    kept = lengths[:, 0] > 0
    matrix = np.eye(dimension, dtype=np.float32)
    if not kept.any():
        return matrix
    x = x[kept] / lengths[kept] * np.float32(np.sqrt(dimension))
    for _ in range(rounds):
        codes = _nearest(levels, x @ matrix)
        towards = (x.T @ codes).astype(np.float64)
        # Directions in which the sample says nothing stay as they are.
        towards += 1e-3 * np.trace(towards @ matrix.T) / dimension * matrix
        matrix = _orthogonal_factor(towards).astype(np.float32)
    return np.ascontiguousarray(matrix)


def _nearest(levels: Levels, x: Floats) -> Floats:
    """Return the level nearest to each value: as searching the thresholds, but without a branch a value."""
    passed = np.zeros(x.shape, np.uint8)
    for threshold in levels.thresholds:
        passed += x > threshold
    return levels.levels.take(passed)


def _orthogonal_factor(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return M (M^T M)^(-1/2), brought from nearly to fully orthogonal by two Newton-Schulz steps."""
    squares, vectors = np.linalg.eigh(matrix.T @ matrix)
    roots = np.sqrt(np.maximum(squares, squares[-1] * 1e-14))
    near: NDArray[np.float64] = matrix @ (vectors / roots) @ vectors.T
    for _ in range(2):
        near = 1.5 * near - 0.5 * near @ (near.T @ near)
    return near
