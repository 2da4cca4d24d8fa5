"""What fits need of rows of any number of parts: the same in whatever parts and order rows come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..words import as_whole, shown
from .histograms import BLOCK_BYTES, Histograms, compiled
from .samples import blocks_of, finite_block, is_empty

Keys = NDArray[np.uint64]
Floats = NDArray[np.float32]

_BLOCK_BYTES = 1 << 18
_ROWS = 20_000


class Summary:
    """What :func:`calibrate` and :meth:`LowBitQuantizer.fit` need of rows that lie in any number of shards.

    A worker updates one with the shards that it has; summaries are pickled, sent, and merged in any order and grouping.
    What comes out is, to the bit, that of one update with all rows.

    Parameters
    ----------
    rows : int
        How many rows are kept to fit to. They are drawn by a hash of their content, so that each has the same chance;
        rows that are alike count once, however often they come.
    histograms : bool
        Whether ``calibrate(summary, method="quantile" | "mse")`` is wanted, which needs Numba, and 8 KB a dimension.
        "minmax" needs none.

    Attributes
    ----------
    count : int
        Rows seen.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import LowBitQuantizer, Summary, calibrate
    >>> shards = np.random.default_rng(0).standard_normal((3, 100, 16), dtype=np.float32)
    >>> parts = [Summary().update(shard) for shard in shards]  # on as many machines
    >>> summary = parts[0].merge(*parts[1:])
    >>> summary, np.array_equal(calibrate(summary), calibrate(shards.reshape(300, 16)))
    (Summary(300 rows of 16 dimensions, 300 kept), True)
    >>> LowBitQuantizer(bytes_per_vector=6).fit(summary).encode(shards[0])
    LowBitCodes(100 x 16 in 6 bytes, 600 bytes)
    """

    count: int

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self, *, rows: int = _ROWS, histograms: bool = False) -> None:
        self._most = as_whole(rows, "rows", 1)
        self._counts_bins = bool(histograms)
        if self._counts_bins:
            compiled()  # where that cannot be had, no batch is used up
        self.count = 0
        self._keys, self._rows = np.empty(0, np.uint64), np.empty((0, 0), np.float32)
        self._ends: tuple[Floats, Floats] | None = None
        self._histograms: Histograms | None = None

    @property
    def dimension(self) -> int | None:
        """Number of dimensions of the rows; None where there were none."""
        return None if self._ends is None else len(self._ends[0])

    @property
    def rows(self) -> Floats:
        """The rows that are kept, float32 (n, dimension), in the order of their hashes."""
        return self._rows

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """The least and the greatest value of each dimension, (dimension,)."""
        if self._ends is None:
            raise is_empty()
        return self._ends

    @property
    def histograms(self) -> Histograms:
        """How often values fall into each bin."""
        if not self._counts_bins:
            raise ValueError("this summary counts no values: make it with Summary(histograms=True)")
        if self._histograms is None:
            raise is_empty()
        return self._histograms

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        counts = 0 if self._histograms is None else self._histograms.nbytes
        return self._rows.nbytes + self._keys.nbytes + counts

    def update(self, sample: ArrayLike | Iterable[ArrayLike], *, threads: int | None = None) -> Summary:
        """Take further rows in; returns the summary itself.

        Parameters
        ----------
        sample : array-like of float, (n, dimension), or an iterable of such batches
            Read once, block by block, as :func:`calibrate` reads it.
        threads : int, optional
            For counting histograms.

        Raises
        ------
        NotFiniteError
            For NaN or infinity, with the row in this sample. The summary is then as it was.
        ValueError
            For rows of another dimension.
        """
        before = dict(vars(self))
        if self._histograms is not None:
            self._histograms = self._histograms.copy()
        try:
            self._take(sample, threads)
        except BaseException:
            vars(self).update(before)
            raise
        return self

    def merge(self, *others: Summary) -> Summary:
        """Return the summary of the rows of this and of others, all of which stay as they are.

        Raises
        ------
        ValueError
            Where they keep another number of rows, count other things, or are of other dimensions.
        """
        made = Summary(rows=self._most, histograms=self._counts_bins)
        for part in (self, *others):
            if not isinstance(part, Summary):
                raise TypeError(f"a Summary is merged with others, not with {shown(part)}")
            if (part._most, part._counts_bins) != (self._most, self._counts_bins):
                raise ValueError(f"summaries are made alike to be merged, not as {self._made} and as {part._made}")
            if part._ends is None:
                continue
            made._check_dimension(len(part._ends[0]))
            ends = made._stretch(part._ends)
            if part._histograms is not None:
                mine = made._histograms
                made._histograms = part._histograms.copy() if mine is None else mine.joined(part._histograms, ends)
            made._keep([made._keys, part._keys], [made._rows, part._rows])
            made.count += part.count
        return made

    def _take(self, sample: ArrayLike | Iterable[ArrayLike], threads: int | None) -> None:
        keys, rows, waiting = [self._keys], [self._rows], 0
        for first, block in blocks_of(sample, BLOCK_BYTES if self._counts_bins else _BLOCK_BYTES):
            some, (low, high) = finite_block(first, block, threads)
            self._check_dimension(some.shape[1])
            ends = self._stretch((low, high))
            if self._counts_bins:
                self._count(some, ends, threads)
            self.count += len(some)
            found = keys_of(some)
            if len(self._keys) == self._most:
                near = found < self._keys[-1]
                some, found = some[near], found[near]
            keys.append(found)
            rows.append(some.copy())
            waiting += len(found)
            if waiting >= self._most:
                self._keep(keys, rows)
                keys, rows, waiting = [self._keys], [self._rows], 0
        self._keep(keys, rows)
        if self._histograms is not None and self._ends is not None:
            self._histograms.cover(self._ends, settled=True)

    def _count(self, block: Floats, ends: tuple[Floats, Floats], threads: int | None) -> None:
        if self._histograms is None:
            self._histograms = Histograms(block.shape[1])
        self._histograms.cover(ends)
        self._histograms.count(block, threads)

    def _stretch(self, ends: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        low, high = ends
        if self._ends is not None:
            low, high = np.minimum(low, self._ends[0]), np.maximum(high, self._ends[1])
        self._ends = low, high
        return self._ends

    def _keep(self, keys: list[Keys], rows: list[Floats]) -> None:
        """Keep the rows of the least keys, one of each."""
        some = [(k, r) for k, r in zip(keys, rows, strict=True) if len(k)]
        if len(some) and not (len(some) == 1 and some[0][0] is self._keys):
            self._keys, places = np.unique(np.concatenate([k for k, _ in some]), return_index=True)
            self._keys, places = self._keys[: self._most], places[: self._most]
            self._rows = np.concatenate([r for _, r in some])[places]

    def _check_dimension(self, dimension: int) -> None:
        if self.dimension not in (None, dimension):
            raise ValueError(f"rows of {dimension} dimensions for a summary of {self.dimension}")

    @property
    def _made(self) -> str:
        return f"Summary(rows={self._most}, histograms={self._counts_bins})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Summary):
            return NotImplemented
        alike = self._made == other._made and self.count == other.count and self.dimension == other.dimension
        if not alike or self._ends is None or other._ends is None:
            return alike
        return (
            np.array_equal(self._ends, other._ends)
            and np.array_equal(self._rows, other._rows)
            and self._histograms == other._histograms
        )

    def __repr__(self) -> str:
        if self._ends is None:
            return f"{self._made[:-1]}, no rows yet)"
        return f"Summary({self.count} rows of {self.dimension} dimensions, {len(self._rows)} kept)"


def keys_of(rows: Floats) -> Keys:
    """Return a hash of each row's bits, uint64 (n,): as good as drawn at random, and the same wherever the row is."""
    weights = _mixed(np.arange(1, rows.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    words = np.ascontiguousarray(rows).view(np.uint32)
    return _mixed(np.einsum("ij,j->i", words, weights, dtype=np.uint64, casting="safe"))


def _mixed(keys: Keys) -> Keys:
    """Return numbers of which each bit hangs on all bits of another (the finalizer of SplitMix64)."""
    keys = keys * np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
