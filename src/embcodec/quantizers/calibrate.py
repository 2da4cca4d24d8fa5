"""Calibration: the range of each dimension that 8-bit codes should cover, from a sample of any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._native import bits
from ..codec import as_array
from ..dtypes import CALIBRATION_METHODS, CalibrationMethod
from ..errors import NotFiniteError
from ..words import as_real, shown, unknown
from .quantize import as_float_rows

_MINMAX_BLOCK_BYTES = 1 << 18  # stays in L2 while it is looked through three times
_HISTOGRAM_BLOCK_BYTES = 1 << 22  # many rows for each histogram that is fetched


def calibrate(
    sample: ArrayLike | Iterable[ArrayLike],
    *,
    method: CalibrationMethod = "minmax",
    quantile: float = 0.999,
) -> NDArray[np.float32]:
    """Choose a range for each dimension, for ``quantize(..., scale=ranges)``.

    Parameters
    ----------
    sample : array-like of float, (n, dimension), or an iterable of such batches
        Read once, block by block: a ``numpy.memmap`` or a generator of batches may be larger than memory.
    method : {"minmax", "quantile", "mse"}
        - "minmax": the least and the greatest value, as sentence-transformers does;
        - "quantile": the central part `quantile` of the values. From a histogram: an end is off by at most 1/1024 of
          the dimension's spread;
        - "mse": the interval with the least mean square error of the codes, rounding inside and clipping outside
          weighed against each other, to within 1/128 of the spread at each end.
    quantile : float
        Part of the values inside the range, above 0 and at most 1.

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
    if method != "minmax":
        from . import calibrate_jit as jit  # where that cannot be had, no batch of the sample is used up
    blocks = _blocks(sample, _MINMAX_BLOCK_BYTES if method == "minmax" else _HISTOGRAM_BLOCK_BYTES)
    first = next(blocks, None)
    if first is None:
        raise ValueError("the sample is empty")
    low, high = first.min(axis=0), first.max(axis=0)
    if method == "minmax":
        for block in blocks:
            _stretch(low, high, block)
        return np.vstack([low, high])
    dimension = first.shape[1]
    lows, widths = np.full(dimension, np.nan), np.zeros(dimension)
    counts = np.zeros((dimension, jit.BINS), np.int64)
    for block in chain([first], blocks):
        _stretch(low, high, block)
        jit.widen(lows, widths, counts, low.astype(np.float64), high.astype(np.float64))
        jit.count(block, lows, widths, counts)
    ranges = np.empty((2, dimension))
    minima, maxima = low.astype(np.float64), high.astype(np.float64)
    if method == "quantile":
        jit.quantiles(lows, widths, counts, minima, maxima, float(quantile), ranges)
    else:
        jit.least_error(lows, widths, counts, minima, maxima, ranges)
    return ranges.astype(np.float32)


def _stretch(low: NDArray[np.float32], high: NDArray[np.float32], block: NDArray[np.float32]) -> None:
    np.minimum(low, block.min(axis=0), out=low)
    np.maximum(high, block.max(axis=0), out=high)


def _blocks(sample: Any, block_bytes: int) -> Iterator[NDArray[np.float32]]:
    """Yield float32 blocks of bounded size, checked; rows of an array, or of each batch."""
    batches = [sample] if hasattr(sample, "__array__") or isinstance(sample, list | tuple | memoryview) else sample
    if not isinstance(batches, Iterable) or isinstance(batches, str | bytes | dict):
        raise TypeError(f"a sample is an array of floats (n, dimension) or an iterable of such, not {shown(sample)}")
    before, dimension = 0, None
    for batch in batches:
        rows = as_array(batch)
        if rows.ndim != 2:
            raise ValueError(f"a sample has shape (n, dimension), not {rows.shape}; batches go in a generator")
        if dimension not in (None, rows.shape[1]):
            raise ValueError(f"batches of {dimension} and of {rows.shape[1]} dimensions")
        dimension = int(rows.shape[1])
        step = max(1, block_bytes // max(4 * dimension, 1))
        for begin in range(0, len(rows), step):
            block = as_float_rows(rows[begin : begin + step])
            try:
                bits.require_finite(block)
            except NotFiniteError as error:
                raise NotFiniteError(before + begin + error.row, error.column, error.value) from None
            yield block
        before += len(rows)
