"""Calibration: the range of each dimension that 8-bit codes should cover, from a sample of any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice, starmap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._native import bits
from .._native.blocks import each_block
from ..codec import as_array
from ..dtypes import CALIBRATION_METHODS, CalibrationMethod
from ..errors import NotFiniteError
from ..words import as_real, shown, unknown
from .quantize import as_float_rows

_MINMAX_BLOCK_BYTES = 1 << 18  # stays in L2 while it is looked through three times
_HISTOGRAM_BLOCK_BYTES = 1 << 22  # many rows for each histogram that is fetched
_GROUP = 64  # blocks that are looked through before others are asked for
_STRIPE = 32  # dimensions whose histograms one thread counts, at least
_MINMAX_PACE, _HISTOGRAM_PACE = 0.2, 1.0  # nanoseconds a byte


def calibrate(
    sample: ArrayLike | Iterable[ArrayLike],
    *,
    method: CalibrationMethod = "minmax",
    quantile: float = 0.999,
    threads: int | None = None,
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
    if method != "minmax":
        from . import calibrate_jit as jit  # where that cannot be had, no batch of the sample is used up
    if method == "minmax":
        return _minmax(_blocks(sample, _MINMAX_BLOCK_BYTES), threads)
    blocks = starmap(_checked, _blocks(sample, _HISTOGRAM_BLOCK_BYTES))
    first = next(blocks, None)
    if first is None:
        raise _empty()
    low, high = first.min(axis=0), first.max(axis=0)
    dimension = first.shape[1]
    lows, widths = np.full(dimension, np.nan), np.zeros(dimension)
    counts = np.zeros((dimension, jit.BINS), np.int64)
    for block in chain([first], blocks):
        _stretch(low, high, block)
        jit.widen(lows, widths, counts, low.astype(np.float64), high.astype(np.float64))
        counting = partial(_count, jit.count, block, lows, widths, counts)
        each_block(counting, dimension, 4 * len(block), threads, _HISTOGRAM_PACE, multiple=_STRIPE)
    ranges = np.empty((2, dimension))
    minima, maxima = low.astype(np.float64), high.astype(np.float64)
    if method == "quantile":
        jit.quantiles(lows, widths, counts, minima, maxima, float(quantile), ranges)
    else:
        jit.least_error(lows, widths, counts, minima, maxima, ranges)
    return ranges.astype(np.float32)


def _minmax(blocks: Iterator[tuple[int, NDArray[Any]]], threads: int | None) -> NDArray[np.float32]:
    ends: NDArray[np.float32] | None = None
    while group := list(islice(blocks, _GROUP)):
        found = np.empty((2, len(group), group[0][1].shape[1]), np.float32)

        def look(some: slice, group: Any = group, found: Any = found) -> None:
            for i in range(some.start, some.stop):
                block = _checked(*group[i])
                block.min(axis=0, out=found[0, i])
                block.max(axis=0, out=found[1, i])

        each_block(look, len(group), _MINMAX_BLOCK_BYTES, threads, _MINMAX_PACE)
        stretched = np.vstack([found[0].min(axis=0), found[1].max(axis=0)])
        if ends is not None:
            _stretch(stretched[0], stretched[1], ends)
        ends = stretched
    if ends is None:
        raise _empty()
    return ends


def _empty() -> ValueError:
    return ValueError("the sample is empty")


def _count(count: Any, block: Any, lows: Any, widths: Any, counts: Any, dimensions: slice) -> None:
    count(block, lows, widths, counts, dimensions.start, dimensions.stop)


def _stretch(low: NDArray[np.float32], high: NDArray[np.float32], block: NDArray[np.float32]) -> None:
    np.minimum(low, block.min(axis=0), out=low)
    np.maximum(high, block.max(axis=0), out=high)


def _checked(first_row: int, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return a block of a sample, from a row on, as float32; NotFiniteError names the row in the sample."""
    block = as_float_rows(rows)
    try:
        bits.require_finite(block)
    except NotFiniteError as error:
        raise NotFiniteError(first_row + error.row, error.column, error.value) from None
    return block


def _blocks(sample: Any, block_bytes: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield blocks of bounded size, of an array or of each batch, and the row of the sample that each begins with."""
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
            yield before + begin, rows[begin : begin + step]
        before += len(rows)
