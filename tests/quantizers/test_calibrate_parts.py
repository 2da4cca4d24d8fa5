"""What calibration is made of, each part against its definition in NumPy; and what it refuses, word for word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embcodec import Embeddings, NotFiniteError, calibrate, quantize, truncate
from embcodec.quantizers import calibrate_jit as jit
from embcodec.quantizers.lowbit.levels import levels_of


def histograms(batches: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count batches as `calibrate` does, into histograms that grow with what comes."""
    dimension = batches[0].shape[1]
    lows, widths = np.full(dimension, np.nan), np.zeros(dimension)
    counts = np.zeros((dimension, jit.BINS), np.int64)
    for at in range(1, len(batches) + 1):
        so_far = np.concatenate(batches[:at]).astype(np.float64)
        jit.widen(lows, widths, counts, so_far.min(0), so_far.max(0))
        jit.count(batches[at - 1], lows, widths, counts, 0, len(lows))
    return lows, widths, counts


@pytest.mark.parametrize("scales", [[1], [1, 1, 1], [0, 1, 0.1, 40], [0, 0, 3], [0.001, 1, 1000]])
def test_histograms_count_every_value_in_its_bin_however_they_grow(scales: list[float]) -> None:
    """Wider than one stretch of dimensions and rows, too."""
    rng = np.random.default_rng(len(scales))
    batches = [(scale * rng.standard_normal((70, 37)) + 0.3 * scale).astype(np.float32) for scale in scales]
    batches[0] = np.concatenate([batches[0], batches[0][:1].repeat(300, 0)])
    lows, widths, counts = histograms(batches)
    values = np.concatenate(batches).astype(np.float64)
    assert (counts.sum(1) == len(values)).all()
    assert (lows <= values.min(0)).all()
    assert (lows + jit.BINS * widths >= values.max(0)).all()
    for d in range(0, 37, 6):
        if widths[d] == 0:
            assert counts[d, 0] == len(values)
            continue
        assert jit.BINS * widths[d] <= 4.01 * (values[:, d].max() - values[:, d].min())
        bins = np.minimum(((values[:, d] - lows[d]) / widths[d]).astype(int), jit.BINS - 1)
        expected = np.bincount(bins, minlength=jit.BINS)
        # A value that lies at an edge may be told to either side of it once bins have been merged.
        assert np.abs(np.cumsum(expected) - np.cumsum(counts[d])).max() <= (0 if len(scales) == 1 else 3)


@pytest.mark.parametrize("kept", [0.5, 0.9, 1.0])
def test_quantiles_are_interpolated_within_a_bin(kept: float) -> None:
    counts = np.zeros((3, jit.BINS), np.int64)
    counts[0, [3, 10, 11, 900]] = 10, 20, 30, 40
    counts[1, 5] = 8
    counts[2] = 1
    lows, widths = np.array([-1.0, 0.0, 2.0]), np.array([0.5, 0.25, 1.0])
    out = np.empty((3, 2))
    jit.quantiles(lows, widths, counts, np.full(3, -1e9), np.full(3, 1e9), kept, out)
    for d in range(3):
        ends = np.cumsum(counts[d])
        for side, part in enumerate(((1 - kept) / 2, (1 + kept) / 2)):
            rank = part * ends[-1]
            at = int(np.flatnonzero((ends >= rank) & (counts[d] > 0))[0])
            inside = (rank - (ends[at] - counts[d, at])) / counts[d, at]
            assert out[d, side] == pytest.approx(lows[d] + widths[d] * (at + inside), abs=1e-9)
    jit.quantiles(lows, widths, counts, np.full(3, 4.0), np.full(3, 5.0), kept, out)
    assert ((out >= 4) & (out <= 5)).all()


def plain_error(counts: np.ndarray, start: float, stop: float) -> float:
    """The summed square error: clipping outside by definition, a step's variance for every value."""
    middles = np.arange(jit.BINS) + 0.5
    clipped = middles - np.clip(middles, start, stop)
    return float(counts @ clipped**2 + counts.sum() * ((stop - start) / 255) ** 2 / 12)


def test_the_error_of_an_interval_is_the_sum_over_its_bins() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 50, jit.BINS)
    sums = np.empty((3, jit.BINS + 1))
    jit.moments(counts, sums)
    for start, stop in ((0, jit.BINS), (0.5, 700.5), (10.2, 600.7), (10.5, 11.5), (300, 300.1), (-5, jit.BINS + 9)):
        assert jit.interval_error(sums, start, stop) == pytest.approx(plain_error(counts, start, stop), rel=1e-9)


def test_the_interval_of_least_error_is_the_best_of_those_tried() -> None:
    """Each end moves inward in 64 steps of half the spread, the lower one first, twice."""
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.standard_normal((4000, 2)), [[9.0, -30.0]], [[-4.0, 3.0]]]).astype(np.float32)
    lows, widths, counts = histograms([values])
    least, most = values.min(0).astype(np.float64), values.max(0).astype(np.float64)
    out = np.empty((2, 2))
    jit.least_error(lows, widths, counts, least, most, out)
    for d in range(2):
        ends, reach = [least[d], most[d]], (most[d] - least[d]) / 2
        for _ in range(2):
            for side in range(2):
                tried = []
                for i in range(64):
                    ends_tried = list(ends)
                    ends_tried[side] = (least[d], most[d])[side] + (1 - 2 * side) * reach * i / 64
                    scaled = [(end - lows[d]) / widths[d] for end in ends_tried]
                    tried.append((plain_error(counts[d], *scaled), ends_tried))
                ends = min(tried, key=lambda pair: pair[0])[1]
        np.testing.assert_allclose(out[d], ends, rtol=1e-9)
        assert out[d, 0] > least[d] or out[d, 1] < most[d]
    constant = np.empty((1, 2))
    jit.least_error(np.zeros(1), np.zeros(1), counts[:1], np.full(1, 5.0), np.full(1, 5.0), constant)
    assert constant.tolist() == [[5, 5]]


@pytest.mark.parametrize(("bits", "error"), [(1, 0.3634), (2, 0.1175), (4, 0.01141)])
def test_levels_leave_the_error_that_they_are_documented_with(bits: int, error: float) -> None:
    levels = levels_of(bits)
    assert levels.mean_square_error == pytest.approx(error, rel=1e-3)
    z = np.linspace(-6, 6, 4001)
    nearest = np.abs(z[:, None] - levels.levels).min(axis=1)
    density = np.exp(-z * z / 2)
    assert float(density @ nearest**2 / density.sum()) == pytest.approx(error, rel=2e-3)
    assert (np.diff(levels.levels) > 0).all()
    np.testing.assert_allclose(levels.thresholds, (levels.levels[1:] + levels.levels[:-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(levels.levels, -levels.levels[::-1], atol=1e-3)
    assert sorted(levels.patterns.tolist()) == list(range(1 << bits))


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: calibrate([[1.0]], method="min"),
        ValueError,
        "unknown method 'min'; known are 'minmax', 'quantile', 'mse'",
    ),
    (lambda: calibrate([[1.0]], quantile=0), ValueError, "quantile is above 0 and at most 1, not 0"),
    (lambda: calibrate([[1.0]], quantile=1.5), ValueError, "quantile is above 0 and at most 1, not 1.5"),
    (lambda: calibrate([]), ValueError, "a sample has shape (n, dimension), not (0,); batches go in a generator"),
    (lambda: calibrate(iter([])), ValueError, "the sample is empty"),
    (lambda: calibrate(np.empty((0, 3))), ValueError, "the sample is empty"),
    (
        lambda: calibrate([1.0, 2.0]),
        ValueError,
        "a sample has shape (n, dimension), not (2,); batches go in a generator",
    ),
    (lambda: calibrate(iter([[[1.0]], [[1.0, 2.0]]])), ValueError, "batches of 1 and of 2 dimensions"),
    (lambda: calibrate("text"), TypeError, "a sample is an array of floats (n, dimension) or an iterable of such, not"),
    (lambda: calibrate(7), TypeError, "a sample is an array of floats (n, dimension) or an iterable of such, not 7"),
    (lambda: calibrate(iter([[[1.0]], [[2.0], [np.inf]]])), NotFiniteError, "row 2, column 0 is inf"),
    (lambda: truncate([[1.0, 2.0]], 3), ValueError, "cannot keep 3 of 2 dimensions"),
    (lambda: truncate([[1.0, 2.0]], 0), ValueError, "cannot keep 0 of 2 dimensions"),
    (lambda: quantize([[1.0], [np.nan]], "int8"), NotFiniteError, "row 1, column 0 is nan"),
    (lambda: quantize(np.array([[1.0, 1e300]]), "int8"), NotFiniteError, "row 0, column 1 is 1e+300"),
    (lambda: quantize([[1, 2]], "int8"), TypeError, "x"),
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_what_is_refused(call: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(words)


def test_the_ends_of_what_is_taken() -> None:
    assert truncate([3.0, 4.0], 2, normalize=False).tolist() == [3, 4]
    assert truncate([[3.0, 4.0]], 1).tolist() == [[1]]
    cut = truncate(Embeddings([[3.0, 4.0, 5.0]]), 2)
    assert isinstance(cut, Embeddings)
    np.testing.assert_allclose(cut.values, [[0.6, 0.8]], rtol=1e-6)
    assert truncate(Embeddings([[3.0, 4.0, 5.0]]), 2, normalize=False).values.tolist() == [[3, 4]]
    assert calibrate([[1.0], [2.0]], quantile=1).tolist() == [[1], [2]]
    big = np.zeros((300_000, 1), np.float32)
    big[-1] = np.nan  # in a later block: the number is that in the whole sample
    with pytest.raises(NotFiniteError, match="row 299999, column 0 is nan"):
        calibrate(big)
    with pytest.raises(NotFiniteError, match="row 300009, column 0 is nan"):
        calibrate(iter([np.zeros((10, 1), np.float32), big]))
