"""Calibration: the ranges of samples of any size, against NumPy's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec
from embcodec import LowBitQuantizer, NotFiniteError, Summary, calibrate, quantize
from embcodec.dtypes import CALIBRATION_METHODS
from embcodec.quantizers.calibrate_jit import BINS


def normal_rows(n: int, dimension: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, dimension)) * 3 + 1).astype(np.float32)


def test_minmax_is_that_of_numpy_whatever_the_batches(tmp_path: Path) -> None:
    x = normal_rows(5000, 7)
    expected = np.vstack([x.min(axis=0), x.max(axis=0)])
    np.testing.assert_array_equal(calibrate(x), expected)
    np.testing.assert_array_equal(calibrate(x[i : i + 999] for i in range(0, 5000, 999)), expected)
    np.save(tmp_path / "x.npy", x)
    np.testing.assert_array_equal(calibrate(np.load(tmp_path / "x.npy", mmap_mode="r")), expected)
    assert calibrate(x.tolist()).dtype == np.float32


@pytest.mark.parametrize("dimension", [1, 7, 100])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999, 1.0])
def test_quantiles_within_the_stated_error(dimension: int, kept: float) -> None:
    x = normal_rows(4000, dimension) * np.float32(10) ** np.arange(-3, 4).repeat(15)[:dimension]
    x[7] *= 4  # comes late and far out: the histograms widen
    spread = x.max(axis=0) - x.min(axis=0)
    expected = np.quantile(x.astype(np.float64), [(1 - kept) / 2, (1 + kept) / 2], axis=0)
    for sample in (x, (x[i : i + 5] for i in range(0, 4000, 5)), x[::-1]):
        found = calibrate(sample, method="quantile", quantile=kept)
        # A rank may fall between two values as far apart as those are: compare with the values around it as well.
        gap = np.abs(np.quantile(x, np.clip([(1 - kept) / 2 - 3e-4, (1 + kept) / 2 + 3e-4], 0, 1), axis=0) - expected)
        assert (np.abs(found - expected) <= spread / 1024 + gap).all()
        assert (found[0] <= found[1]).all()


def test_mse_is_the_least_of_many_intervals() -> None:
    x = normal_rows(200_000, 3)
    x[0] = 1 + 3 * 14  # one row far out, 14 deviations, among so many that it is worth clipping
    best = calibrate(x, method="mse")

    def error(ranges: np.ndarray) -> np.ndarray:
        back = quantize(x, "uint8", scale=ranges).to_float()
        return np.square(back - x).astype(np.float64).mean(axis=0)

    least = error(best)
    assert (least < error(calibrate(x))).all()
    for kept in (0.9, 0.99, 0.999, 0.9999):
        assert (least <= error(calibrate(x, method="quantile", quantile=kept)) * 1.05).all()


@pytest.mark.parametrize("method", ["minmax", "quantile", "mse"])
def test_calibration_at_the_edges(method: str) -> None:
    one = normal_rows(1, 7)
    ranges = calibrate(one, method=method)
    np.testing.assert_array_equal(ranges, np.vstack([one, one]))
    np.testing.assert_array_equal(quantize(one, "int8", scale=ranges).to_float(), one)
    mixed = normal_rows(100, 3)
    mixed[:, 1] = 0.25
    ranges = calibrate((mixed[i : i + 1] for i in range(100)), method=method)
    assert ranges[:, 1].tolist() == [0.25, 0.25]
    assert (ranges[0, ::2] < ranges[1, ::2]).all()
    huge = np.array([[-1e38], [1e38], [1e-38], [0.0]], np.float32)
    assert np.isfinite(calibrate(huge, method=method)).all()
    bad = normal_rows(3000, 500)
    bad[2500, 3] = np.nan
    with pytest.raises(NotFiniteError, match="row 2500, column 3"):
        calibrate(bad, method=method)
    with pytest.raises(NotFiniteError, match="row 2500, column 3"):
        calibrate((bad[i : i + 700] for i in range(0, 3000, 700)), method=method)
    for empty in (np.empty((0, 4)), iter(()), []):
        with pytest.raises(ValueError, match=r"empty|shape"):
            calibrate(empty, method=method)
    with pytest.raises(ValueError, match="of 2 and of 3 dimensions"):
        calibrate(iter([[[1.0, 2.0]], [[1.0, 2.0, 3.0]]]), method=method)


def test_calibration_refusals() -> None:
    with pytest.raises(ValueError, match="known are 'minmax', 'quantile', 'mse'"):
        calibrate([[1.0]], method="median")  # type: ignore[arg-type]
    for quantile in (0, -1, 1.1, np.nan):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            calibrate([[1.0]], quantile=quantile)
    with pytest.raises(ValueError, match="batches go in a generator"):
        calibrate([1.0, 2.0])


# No folder can be written to: all are compiled as the shortest is.
SHORTEST = """
import numpy as np
from embcodec.quantizers import calibrate_jit as jit
sums = np.zeros((3, jit.BINS + 1))
jit.moments(np.ones(jit.BINS, np.int64), sums)
print(sums[:2, -1].tolist())
"""
# The cache's folder is lost after Numba has found it.
CALIBRATE = """
import os, sys
import numpy as np, embcodec
import embcodec.quantizers.calibrate_jit
os.rename(sys.argv[1], sys.argv[1] + "2")
open(sys.argv[1], "w").close()
x = np.arange(200.0).reshape(100, 2)
print(embcodec.calibrate(x, method="mse").tolist())
"""


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_batches(kind: Any) -> None:
    x = np.random.default_rng(2).standard_normal((120, 12)).astype(np.float32)
    parts = kind((x[:50], x[50:51], x[51:]))
    for method in CALIBRATION_METHODS:
        assert np.array_equal(calibrate(parts, method=method), calibrate(x, method=method))
    assert np.array_equal(Summary().update(parts).rows, Summary().update(x).rows)
    fitted = [LowBitQuantizer(2, rotation="random").fit(sample).encode(x) for sample in (parts, iter(parts))]
    assert fitted[0] == fitted[1]
    assert np.array_equal(calibrate([list(row) for row in x]), calibrate(x))  # a list of rows is one batch
    for refused in (calibrate, LowBitQuantizer(1).fit):
        with pytest.raises(ValueError, match="batches of 12 and of 3 dimensions"):
            refused([x, x[:, :3]])


@pytest.mark.parametrize("lost", [False, True], ids=["no folder can be written", "the folder is lost"])
def test_numba_needs_no_cache(tmp_path: Path, lost: bool) -> None:
    package = Path(embcodec.__file__).parent
    copy, file = tmp_path / "embcodec", tmp_path / "file"
    file.touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "HOME": str(file), "XDG_CACHE_HOME": str(file)}
    cache = tmp_path / "cache" if lost else file / "cache"
    environment["NUMBA_CACHE_DIR"] = str(cache)
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in {path.parent for path in copy.rglob("*.py")}:
        (folder / "__pycache__").touch()  # a file, where a folder would have to be: so it is for root too
    command = [sys.executable, "-c", CALIBRATE if lost else SHORTEST, str(cache)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    x = np.arange(200.0).reshape(100, 2)
    expected = calibrate(x, method="mse").tolist() if lost else [float(BINS), BINS * BINS / 2]
    assert (done.stdout.strip(), done.stderr) == (str(expected), "")


@pytest.mark.parametrize("dimension", [1, 7, 16, 33, 130])
def test_ends_are_those_of_numpy_on_every_tier(isa: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    for rows in (1, 2, 3, 4, 5, 9, 5000):
        x = rng.standard_normal((rows, dimension)).astype(np.float32)
        x[rng.random(x.shape) < 0.1] = -0.0
        for threads in (1, 3):
            ends = calibrate(x, threads=threads)
            np.testing.assert_array_equal(ends, [x.min(axis=0), x.max(axis=0)])
            assert not np.signbit(ends[ends == 0]).any()
        for bad in (np.nan, np.inf, -np.inf):
            row, column = int(rng.integers(rows)), int(rng.integers(dimension))
            wrong = x.copy()
            wrong[row, column] = bad
            with pytest.raises(NotFiniteError) as caught:
                calibrate(wrong, threads=3)
            assert (caught.value.row, caught.value.column) == (row, column)
