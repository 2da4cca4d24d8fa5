"""Calibration: the range of each dimension that 8-bit codes should cover, from a sample of any size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..dtypes import CALIBRATION_METHODS, CalibrationMethod
from ..words import as_real, unknown
from .histograms import BLOCK_BYTES, Histograms, compiled
from .samples import blocks_of, finite_block, is_empty, joined_ends
from .summary import Summary

_MINMAX_BLOCK_BYTES = 1 << 25


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
        return sample.histograms.ranges(method, quantile, sample.ends, threads)
    if method == "minmax":
        return _minmax(sample, threads)
    compiled()  # where that cannot be had, no batch of the sample is used up
    histograms: Histograms | None = None
    ends: NDArray[np.float32] | None = None
    for first, rows in blocks_of(sample, BLOCK_BYTES):
        block, found = finite_block(first, rows, threads)
        ends = joined_ends(ends, found)
        if histograms is None:
            histograms = Histograms(block.shape[1])
        histograms.cover((ends[0], ends[1]))
        histograms.count(block, threads)
    if histograms is None or ends is None:
        raise is_empty()
    return histograms.ranges(method, quantile, (ends[0], ends[1]), threads)


def _minmax(sample: ArrayLike | Iterable[ArrayLike], threads: int | None) -> NDArray[np.float32]:
    ends: NDArray[np.float32] | None = None
    for first, rows in blocks_of(sample, _MINMAX_BLOCK_BYTES):
        ends = joined_ends(ends, finite_block(first, rows, threads)[1])
    if ends is None:
        raise is_empty()
    return ends
