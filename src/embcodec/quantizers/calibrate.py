"""Calibration: the range of each dimension that 8-bit codes should cover, from a sample of any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, starmap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._native.blocks import each_block
from ..dtypes import CALIBRATION_METHODS, CalibrationMethod
from ..words import as_real, unknown
from .histograms import BLOCK_BYTES, Histograms, compiled
from .samples import blocks_of, finite_block, is_empty
from .summary import Summary

_MINMAX_BLOCK_BYTES = 1 << 18  # stays in L2 while it is looked through three times
_GROUP = 64  # how many blocks a batch of tasks has
_MINMAX_PACE = 0.2  # nanoseconds a byte


def calibrate(
    sample: ArrayLike | Iterable[ArrayLike] | Summary,
    *,
    method: CalibrationMethod = "minmax",
    quantile: float = 0.999,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Choose a range for each dimension, for ``quantize(..., scale=ranges)``.

    Parameters
    ----------
    sample : array-like of float, (n, dimension), or an iterable or list of such batches, or Summary
        Read once, block by block: a ``numpy.memmap`` or a generator of batches may be larger than memory. The ranges
        are the same in whatever order and batches rows come; a :class:`Summary` has them of shards on many machines.
    method : {"minmax", "quantile", "mse"}
        - "minmax": the least and the greatest value, as sentence-transformers does;
        - "quantile": the central part `quantile` of the values. From a histogram: an end is off by at most 1/1024 of
          the dimension's spread;
        - "mse": the interval with the least mean square error of the codes, rounding inside and clipping outside
          weighed against each other, to within 1/128 of the spread at each end.
    quantile : float
        Part of the values inside the range, above 0 and at most 1.
    threads : int, optional
        By default one for small batches and more for large ones. The ranges do not depend on it.

    Returns
    -------
    ndarray, float32, (2, dimension)
        Minima and maxima. Where a dimension is constant, also after a single row, they are equal, and its codes stand
        for that constant (see :class:`Scale`).

    Raises
    ------
    NotFiniteError
        For NaN or infinity, with the row in the whole sample.
    ValueError
        For an empty sample, batches of different dimensions, an unknown method, a bad quantile.
    ModuleNotFoundError
        For "quantile" and "mse" where Numba is not installed, as on a Python or a machine that it has no wheel for.

    Examples
    --------
    >>> calibrate([[0.0, 5.0], [2.0, 5.0], [1.0, 5.0]]).tolist()
    [[0.0, 5.0], [2.0, 5.0]]
    >>> batches = (np.full((10, 3), i, np.float32) for i in range(5))
    >>> calibrate(batches).tolist()
    [[0.0, 0.0, 0.0], [4.0, 4.0, 4.0]]
    """
    if not isinstance(method, str) or method not in CALIBRATION_METHODS:
        raise unknown("method", method, CALIBRATION_METHODS)
    if not 0 < as_real(quantile, "quantile") <= 1:
        raise ValueError(f"quantile is above 0 and at most 1, not {quantile!r}")
    if isinstance(sample, Summary):
        if method == "minmax":
            return np.vstack(sample.ends)
        return sample.histograms.ranges(method, quantile, sample.ends)
    if method == "minmax":
        return _minmax(blocks_of(sample, _MINMAX_BLOCK_BYTES), threads)
    compiled()  # where that cannot be had, no batch of the sample is used up
    histograms: Histograms | None = None
    for block in starmap(finite_block, blocks_of(sample, BLOCK_BYTES)):
        if histograms is None:
            low, high = block.min(axis=0), block.max(axis=0)
            histograms = Histograms(block.shape[1])
        _stretch(low, high, block)
        histograms.cover((low, high))
        histograms.count(block, threads)
    if histograms is None:
        raise is_empty()
    return histograms.ranges(method, quantile, (low, high))


def _minmax(blocks: Iterator[tuple[int, NDArray[Any]]], threads: int | None) -> NDArray[np.float32]:
    ends: NDArray[np.float32] | None = None
    while group := list(islice(blocks, _GROUP)):
        found = np.empty((2, len(group), group[0][1].shape[1]), np.float32)

        def look(some: slice, group: Any = group, found: Any = found) -> None:
            for i in range(some.start, some.stop):
                block = finite_block(*group[i])
                block.min(axis=0, out=found[0, i])
                block.max(axis=0, out=found[1, i])

        each_block(look, len(group), _MINMAX_BLOCK_BYTES, threads, _MINMAX_PACE)
        stretched = np.vstack([found[0].min(axis=0), found[1].max(axis=0)])
        if ends is not None:
            _stretch(stretched[0], stretched[1], ends)
        ends = stretched
    if ends is None:
        raise is_empty()
    return ends


def _stretch(low: NDArray[np.float32], high: NDArray[np.float32], block: NDArray[np.float32]) -> None:
    np.minimum(low, block.min(axis=0), out=low)
    np.maximum(high, block.max(axis=0), out=high)
