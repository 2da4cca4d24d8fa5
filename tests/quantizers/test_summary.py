"""Summaries of shards: whatever the split and the order, what is fitted to them is the same to the bit."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction
from functools import reduce

import numpy as np
import pytest
from kept import varied

from embcodec import LowBitQuantizer, NotFiniteError, Summary, calibrate
from embcodec.quantizers import histograms
from embcodec.quantizers.summary import keys_of

N, D = 900, 24


def rows() -> np.ndarray:
    """Rows some of which come late and far out, some thrice; one dimension is constant, one nothing but zeros."""
    rng = np.random.default_rng(0)
    x = (varied(N, D) * np.geomspace(1e-3, 1e3, D) * np.exp(rng.standard_normal((N, 1)))).astype(np.float32)
    x[:, 3], x[:, 7] = 0.25, 0.0
    x[5] *= 300
    x[800:850] = x[:50]
    x[850:] = x[:50]
    return x


def splits(count: int) -> list[np.ndarray]:
    """Return shards of uneven sizes, of rows in another order."""
    rng = np.random.default_rng(count)
    ends = np.sort(rng.choice(np.arange(1, N), count - 1, replace=False))
    return np.split(rows()[rng.permutation(N)], ends)


def summary_of(*shards: np.ndarray, kept: int = 300, counted: bool = True) -> Summary:
    return reduce(Summary.merge, [Summary(rows=kept, histograms=counted).update(shard) for shard in shards])


@pytest.mark.parametrize("count", [1, 2, 20])
def test_every_split_and_order_says_the_same(count: int) -> None:
    whole, shards = summary_of(rows()), splits(count)
    merged = summary_of(*shards)
    assert merged == whole
    assert merged.count == N
    backwards = Summary(rows=300, histograms=True).merge(*(summary_of(shard) for shard in shards[::-1]))
    assert backwards == whole
    middle = count // 2 + 1
    halves = summary_of(*shards[:middle]).merge(Summary(rows=300, histograms=True).update(iter(shards[middle:])))
    assert halves == whole
    at_once = Summary(rows=300, histograms=True).update(iter(shards))
    assert at_once == whole
    one_by_one = reduce(Summary.update, shards, Summary(rows=300, histograms=True))
    assert one_by_one == whole
    assert pickle.loads(pickle.dumps(merged)) == whole


@pytest.mark.parametrize("method", ["minmax", "quantile", "mse"])
def test_ranges_are_those_of_the_whole(method: str) -> None:
    expected = calibrate(rows(), method=method, quantile=0.98)  # type: ignore[arg-type]
    for count in (1, 2, 20):
        shards = splits(count)
        assert np.array_equal(calibrate(summary_of(*shards), method=method, quantile=0.98), expected)  # type: ignore[arg-type]
        assert np.array_equal(calibrate(iter(shards), method=method, quantile=0.98), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [{"bytes_per_vector": 7}, {"bits": 2, "rotation": "whitened", "center": "mean"}])
def test_quantizers_are_the_same(size: dict[str, object]) -> None:
    x = varied(600, D)
    whole = LowBitQuantizer(**size).fit(summary_of(x, counted=False))  # type: ignore[arg-type]
    for shards in (np.split(x, [77, 300]), np.split(x[::-1], 20)):
        again = LowBitQuantizer(**size).fit(summary_of(*shards, counted=False))  # type: ignore[arg-type]
        assert again.scheme.identity == whole.scheme.identity
        assert again.encode(x) == whole.encode(x)


@pytest.mark.parametrize("end", [1e-38, 1.0, 3e38])
def test_bins_hold_what_lies_in_them_however_far_values_are_apart(end: float) -> None:
    """Also values that are nothing beside the width, on either side of the end of a bin."""
    values = np.float32([-1e-45, 1e-45, 0, -1e-30, 1e-30, -end, end, end / 3, -0.999 * end])[:, None]
    whole = Summary(histograms=True).update(values).histograms
    low, width = Fraction(float(whole.lows[0])), Fraction(float(whole.widths[0]))
    bins = [math.floor((Fraction(float(value)) - low) / width) for value in values[:, 0]]
    assert np.array_equal(whole.counts[0], np.bincount(bins, minlength=whole.counts.shape[1]))
    assert 1024 * width < 2 * Fraction(float(values.max()))
    one_by_one = reduce(Summary.update, values[:, None], Summary(histograms=True)).histograms
    assert one_by_one == whole


def test_counts_grow_beyond_what_32_bits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    short = summary_of(*splits(3))
    assert short.histograms.counts.dtype == np.uint32
    monkeypatch.setattr(histograms, "MOST_SHORT", N - 1)
    for long in (summary_of(*splits(3)), summary_of(rows())):
        assert long.histograms.counts.dtype == np.int64
        assert long == short
        assert np.array_equal(calibrate(long, method="mse"), calibrate(short, method="mse"))
    assert summary_of(rows()[1:]).histograms.counts.dtype == np.uint32


def test_rows_are_drawn_alike_and_once_each() -> None:
    """Those of the least hashes, which have nothing to do with what rows are like."""
    x = rows()
    kept = summary_of(x).rows
    distinct = np.unique(x, axis=0)
    assert len(distinct) == 800
    wanted = distinct[np.argsort(keys_of(distinct))[:300]]
    assert np.array_equal(kept, wanted)
    places = {row.tobytes(): place for place, row in enumerate(x)}
    drawn = np.sort([places[row.tobytes()] for row in kept])
    assert np.array_equal(np.unique(drawn), drawn)
    assert abs(drawn.mean() - 450) < 40
    assert len(summary_of(x, kept=5000).rows) == 800


def test_hashes_tell_rows_apart_that_differ_little() -> None:
    """Also of numbers with few digits, and of places exchanged; their bits are as good as drawn."""
    small = np.array(np.meshgrid(*[[0, 0.5, 1, 2]] * 7), np.float32).reshape(7, -1).T
    keys = keys_of(np.ascontiguousarray(small))
    assert len(np.unique(keys)) == len(small) == 4**7
    bits = np.unpackbits(keys.view(np.uint8)).reshape(-1, 64).mean(axis=0)
    assert np.abs(bits - 0.5).max() < 5 * 0.5 / 4**3.5
    assert np.array_equal(keys_of(small[:, ::-1].copy())[:1], keys[:1])


def test_memory_is_bounded_by_what_is_kept() -> None:
    x = varied(5000, 40)
    summary = Summary(rows=50)
    for begin in range(0, 5000, 100):
        summary.update(x[begin : begin + 100])
    assert summary.rows.shape == (50, 40)
    assert summary.nbytes == 50 * (4 * 40 + 8)
    assert summary.rows.base is None or summary.rows.base.nbytes <= 50 * 4 * 40


def test_what_was_refused_has_left_no_trace() -> None:
    x = varied(200, 8)
    summary, other = (Summary(histograms=True).update(x) for _ in range(2))
    bad = varied(3000, 8, 1)
    bad[2900, 2] = np.nan
    with pytest.raises(NotFiniteError, match="row 3100, column 2 is nan"):
        summary.update(iter([x, bad]))
    with pytest.raises(ValueError, match="rows of 9 dimensions for a summary of 8"):
        summary.update(varied(5, 9))
    assert summary == other


def test_refusals() -> None:
    x = varied(20, 8)
    for call in (lambda empty: calibrate(empty), lambda empty: LowBitQuantizer().fit(empty), lambda empty: empty.ends):
        with pytest.raises(ValueError, match="the sample is empty"):
            call(Summary())
    with pytest.raises(ValueError, match="the sample is empty"):
        calibrate(Summary(histograms=True), method="mse")
    with pytest.raises(ValueError, match=r"counts no values: make it with Summary\(histograms=True\)"):
        calibrate(Summary().update(x), method="quantile")
    with pytest.raises(ValueError, match=r"made alike to be merged, not as Summary\(rows=9, h.* as Summary\(rows=8, "):
        Summary(rows=9).merge(Summary(rows=8))
    with pytest.raises(ValueError, match="rows of 5 dimensions for a summary of 8"):
        Summary().update(x).merge(Summary().update(x[:, :5]))
    with pytest.raises(TypeError, match="merged with others, not with 7"):
        Summary().merge(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rows must be at least 1, not 0"):
        Summary(rows=0)
    assert Summary() == Summary()
    assert Summary() != Summary(rows=5)
    assert Summary() != "Summary"
    assert repr(Summary()) == "Summary(rows=20000, histograms=False, no rows yet)"
    assert Summary().dimension is None


def test_a_fit_takes_batches_one_after_the_other() -> None:
    x = varied(600, 16)
    summary = Summary().update(x)
    for batches in (iter(np.array_split(x, 7)), (x[start : start + 50] for start in range(0, 600, 50))):
        fitted = LowBitQuantizer(2).fit(batches)
        assert fitted.scheme.identity == LowBitQuantizer(2).fit(summary).scheme.identity
