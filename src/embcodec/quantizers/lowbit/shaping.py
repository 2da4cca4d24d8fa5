"""What errors of codes weigh: more in directions in which queries reach further."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native import lowbit as native
from .levels import Floats
from .rotations import Rotation

DIRECTIONS = 128
"""As many as weigh more than the rest; all of them gain a tenth of a point more."""

_SHARE = 0.5
"""Of the queries' second moments in the weights, the others being all alike: rows meet other queries, too."""
_ROUNDS = 3  # of the iteration for the directions
_INSIDE = 1e-4  # of their length may stand out of the span of others


class Shaping(NamedTuple):
    """The weights m I + V V^T of errors in the space in which rows are coded.

    Attributes
    ----------
    directions : ndarray, (dimension, k)
        V.
    rest : float
        m, above 0.
    """

    directions: Floats
    rest: float

    def parts_for_coding(self, rotation: Rotation) -> dict[str, NDArray[Any] | float]:
        """Return what :class:`~embcodec._native.lowbit.Coder` takes of it, with rows that a rotation has turned.

        Where V lies in the span of the turned directions of a whitening, errors are kept along these, along which the
        coder wants the levels, too: one product less.
        """
        parts: dict[str, NDArray[Any] | float] = {"rest": self.rest}
        along = self.directions.astype(np.float64)  # so that roundings to float32 are the same on every machine
        towards = along.T
        if rotation.gains is not None:
            turned = rotation.turned_directions().astype(np.float64)
            inside = turned.T @ along
            if np.linalg.norm(along - turned @ inside) <= _INSIDE * np.linalg.norm(along):
                along, towards = turned, inside @ inside.T @ turned.T
                parts |= {"shared": 1, "gains": _padded(rotation.gains)}
        along, towards = _padded(along), _padded(towards)
        couplings = along.reshape(-1, native.PANEL, len(towards)) @ _panels(towards)
        curvatures = self.rest + np.einsum("pii->pi", couplings).ravel()
        parts |= {
            "shapes": len(towards),
            "shaping": _panels(along[: len(self.directions)]),
            "gradients": _panels(towards),
            "couplings": couplings,
            "curvatures": curvatures,
        }
        return {name: part.astype(np.float32) if isinstance(part, np.ndarray) else part for name, part in parts.items()}


def shaping_for(queries: Floats, shrunk: float, whitening: Rotation | None = None) -> Shaping | None:
    """Return the weights that queries (n, dimension) want, turned as rows are; None where they say nothing.

    `shrunk` is the :func:`shrinkage` of their moments before they were turned: a whitening, which is of the same
    sample, makes more of its chance.

    Their second moments, of trace d, count half, or less where they are those of few, the identity the rest; of the
    directions those with the greatest moments have their own, the others their mean. With a whitening that is of the
    same sample these are nearly its own, and among these they are looked for.
    """
    queries = _about_one(queries[queries.any(axis=1)])  # a row of zeros asks nothing
    count, dimension = queries.shape
    moments = queries.T @ queries
    trace = float(np.trace(moments, dtype=np.float64))
    if not 0 < trace < np.inf:
        return None
    moments *= np.float32(dimension / trace)
    if whitening is None:
        values, vectors = _greatest(moments, min(DIRECTIONS, dimension, count))
    else:
        values, vectors = _within(moments, whitening.turned_directions().astype(np.float64))
    kept = len(values)
    share = _SHARE * (1 - shrunk)
    rest = max(dimension - float(values.sum()), 0.0) / (dimension - kept) if kept < dimension else 0.0
    weights = np.sqrt(share * np.maximum(values - rest, 0))
    return Shaping((vectors * weights).astype(np.float32), float(np.float32(share * rest + 1 - share)))


def shrinkage(moments: NDArray[Any], count: int) -> float:
    """Return how far second moments of `count` rows are best moved towards a multiple of the identity, 0 .. 1.

    For Gaussian rows, by Chen et al. 2010 ("oracle approximating"): 0.06 for 2,000 rows of 512 dimensions, 0.6 for 100.
    """
    dimension, trace = len(moments), float(np.trace(moments, dtype=np.float64))
    square = float(np.einsum("ij,ij->", moments, moments, dtype=np.float64))
    over = (count + 1 - 2 / dimension) * (square - trace**2 / dimension)
    return min(1.0, ((1 - 2 / dimension) * square + trace**2) / over) if over > 0 else 1.0


def shrinkage_of(rows: Floats) -> float:
    """Return the shrinkage of the second moments of rows, of which those of zeros say nothing."""
    kept = _about_one(rows[rows.any(axis=1)])
    return shrinkage(kept.T @ kept, len(kept))


def _about_one(rows: Floats) -> Floats:
    """Return rows times the power of two that brings the largest element to 1/2 .. 1: nothing hangs on their length.

    Without it, products of very short or long rows would be beyond float32.
    """
    exponent = int(np.frexp(np.abs(rows).max(initial=0))[1])
    return np.asarray(np.ldexp(rows, -exponent), np.float32)


def _greatest(moments: Floats, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the greatest moments and their directions, nearly: by iteration, in a tenth of the time of all of them."""
    towards = moments[:, np.argsort(-np.diagonal(moments), kind="stable")[:count]]
    for _ in range(_ROUNDS):
        towards = moments @ np.linalg.qr(towards)[0]
    return _within(moments, np.linalg.qr(towards.astype(np.float64))[0])


def _within(moments: Floats, basis: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the moments in the span of an orthonormal basis (dimension, k), and their directions."""
    values, vectors = np.linalg.eigh(basis.T @ moments @ basis)
    return values, basis @ vectors


def _padded(x: NDArray[Any]) -> NDArray[Any]:
    """Return an array with zeros behind, so that its lengths are multiples of a panel's."""
    return np.pad(x, [(0, -length % native.PANEL) for length in x.shape])


def _panels(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (m / 64, n, 64): the columns of a matrix (n, m), 64 at a time."""
    return matrix.reshape(len(matrix), -1, native.PANEL).transpose(1, 0, 2)
