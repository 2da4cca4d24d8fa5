"""What a sample of float vectors teaches queries that meet sign bits of a service's making."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec import row_norms
from ..embeddings import Embeddings
from .best import as_queries

Floats = NDArray[np.float32]

_SHARES = tuple(step / 10 for step in range(11))
_DEPTH = 3  # neighbours that count: in a sample they are as near as ten are in a corpus
_FEWEST, _MOST = 100, 1000  # how many rows of the sample choose
_DOUBT = 2.5  # by how many standard errors a share must be better than none


@dataclass(frozen=True, eq=False)
class QueryCenter:
    """How much of what all vectors share float queries leave out, when they meet sign bits.

    Where a model's vectors share a large mean c, most of a query q points along it, and so counts what the signs of all
    rows have in common, rather than what tells them apart. Without a share of u c, u = <q, c> / |c|^2, it finds 7 to 9
    points more of the ten nearest by a model of the E5 family; by models that do not collapse queries stay as they are.
    It is for bits that come from a service and are all that is kept: what a :class:`LowBitQuantizer`
    makes of floats keeps more, and centres its queries by itself. Integers, and rows that rescore, meet queries as they
    are.

    Attributes
    ----------
    center : ndarray of float32, (dimension,)
        The sample's mean, of vectors of unit length.
    share : float
        Of u c, which queries leave out; 0 unless the sample says beyond doubt that it brings something.
    report : dict of float to float
        The overlap@3 with float search that each share reached: each vector of the sample asked for the others by
        their signs. Empty for fewer than 100.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import QueryCenter, quantize, search
    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.standard_normal((500, 64), dtype=np.float32) + 2 * rng.standard_normal(64, dtype=np.float32)
    >>> bits, center = quantize(vectors, "ubinary"), QueryCenter.of(vectors[:200])
    >>> search(center.apply(vectors[:3]), bits, 1).indices.ravel().tolist()
    [0, 1, 2]
    """

    center: Floats
    share: float
    report: dict[float, float]

    @classmethod
    def of(cls, sample: Embeddings | ArrayLike) -> QueryCenter:
        """Return what a sample teaches.

        Parameters
        ----------
        sample : array-like of float, (n, dimension), or float Embeddings
            Queries, or other vectors of the same model, some hundred; at most 1,000, evenly drawn, are looked at.

        Raises
        ------
        ValueError
            For no rows, NaN or infinities.
        """
        x = _floats(sample)[0]
        if not len(x):
            raise ValueError("the sample is empty")
        lengths = row_norms(x)
        if not np.isfinite(lengths).all():
            raise ValueError(f"row {int(np.isfinite(lengths).argmin())} of the sample has NaN or infinite values")
        units = (x / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32)[lengths > 0]
        center = units.mean(axis=0, dtype=np.float64).astype(np.float32) if len(units) else x[0] * 0
        found = units[:: -(-len(units) // _MOST)] if len(units) else units
        if len(found) < _FEWEST:
            return cls(center, 0.0, {})
        overlaps = np.stack([_overlaps(found, _less(found, center, share)) for share in _SHARES])
        means = overlaps.mean(axis=1)
        losses = overlaps[int(means.argmax())] - overlaps
        noise = losses.std(axis=1) / np.sqrt(len(found))
        gains = losses.mean(axis=1)[0] > _DOUBT * noise[0]
        # As far as chance goes: the least of these shares errs least with other queries.
        as_good = losses.mean(axis=1) <= noise
        return cls(
            center, _SHARES[int(as_good.argmax())] if gains else 0.0, dict(zip(_SHARES, means.tolist(), strict=True))
        )

    @overload
    def apply(self, queries: Embeddings) -> Embeddings: ...

    @overload
    def apply(self, queries: ArrayLike) -> Floats: ...

    def apply(self, queries: Embeddings | ArrayLike) -> Embeddings | Floats:
        """Return queries for bits, each without its share of the center: itself where the share is 0.

        Parameters
        ----------
        queries : array-like of float, (n_queries, dimension) or (dimension,), or float Embeddings

        Returns
        -------
        ndarray, float32, of the same shape, or Embeddings as given
            Each depends on itself alone. Scores of :func:`search` are theirs: their order is what counts.

        Raises
        ------
        ValueError
            For another dimension than the sample's.
        """
        asked, single = _floats(queries)
        if asked.shape[1] != len(self.center):
            raise ValueError(f"queries have {asked.shape[1]} dimensions, the sample had {len(self.center)}")
        moved = _less(asked, self.center, self.share)
        return Embeddings(moved) if isinstance(queries, Embeddings) else moved[0] if single else moved


def _floats(x: Embeddings | ArrayLike) -> tuple[Floats, bool]:
    rows, single = as_queries(x)
    if rows.output_dtype != "float":
        raise ValueError(f"queries are centred as floats, not as {rows.output_dtype} codes: pass the floats")
    return rows.values, single


def _less(queries: Floats, center: Floats, share: float) -> Floats:
    """Return queries less so much of their shares of the center."""
    wide = center.astype(np.float64)
    square = float(wide @ wide)
    if not share or not square:
        return queries
    along = np.einsum("ij,j->i", queries, wide) / square
    moved: Floats = (queries - (share * along)[:, None] * wide).astype(np.float32)
    return moved


def _overlaps(x: Floats, asked: Floats) -> NDArray[np.float64]:
    """Return for each row the part of the nearest others that its query finds by their signs, (n,)."""
    exact, found = x @ x.T, asked @ np.where(x > 0, np.float32(1), np.float32(-1)).T
    kept = []
    for scores in (exact, found):
        np.fill_diagonal(scores, -np.inf)
        kept.append(np.argsort(-scores, axis=1, kind="stable")[:, :_DEPTH])
    hits: NDArray[np.float64] = (kept[0][:, :, None] == kept[1][:, None, :]).any(axis=2).mean(axis=1)
    return hits
