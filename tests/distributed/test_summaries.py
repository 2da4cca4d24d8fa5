"""Summaries that the workers of a Dask cluster make: to the bit those of one pass over all rows."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from coded import floats

from embcodec import (
    CodeMismatchError,
    NotFiniteError,
    StorageError,
    Summary,
    calibrate,
    quantize,
    save,
)
from embcodec.distributed import summaries, summarize
from embcodec.files.pieces import ClusterError, places

dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
import_array = pytest.importorskip("dask.array")

X = floats(700)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A worker of two threads in this process."""
    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", silence_logs=50
        ) as local,
        distributed.Client(local) as client,
    ):
        yield client


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """All rows, in files that are read in spans, by groups, and as a whole."""
    np.save(tmp_path / "a.npy", X[:300])
    table = pyarrow.table({"vector": list(X[300:500])})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet", row_group_size=40)
    save(tmp_path / "c.safetensors", X[500:])
    return tmp_path


@pytest.mark.parametrize("rows", [20_000, 50])
def test_of_files(files: Path, cluster: Any, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    expected = Summary(rows=rows, histograms=True).update(X)
    monkeypatch.chdir(files)
    found = summarize("*.[nps]*", scheduler=cluster, rows=rows, histograms=True, batch_rows=10)
    assert found == expected
    for method in ("minmax", "quantile"):
        np.testing.assert_array_equal(calibrate(found, method=method), calibrate(expected, method=method))


def test_of_arrays(cluster: Any) -> None:
    expected = Summary().update(X)
    array = import_array.from_array(X, chunks=(90, 7))
    assert summarize(array, scheduler=cluster) == expected
    delayed = [dask.delayed(part) for part in np.array_split(X, 11)]
    assert summarize(delayed, scheduler=cluster) == expected
    assert summarize(cluster.scatter(np.array_split(X, 3)), scheduler=cluster) == expected
    with pytest.raises(ValueError, match="two axes, not 1"):
        summarize(array[0], scheduler=cluster)
    with pytest.raises(TypeError, match=r"paths, a dask\.array or a list of delayed"):
        summarize(delayed[0], scheduler=cluster)


def test_what_cannot_be_summed_up_is_named(files: Path, cluster: Any) -> None:
    bad = X[:300].copy()
    bad[277, 4] = np.inf
    np.save(files / "a.npy", bad)
    with pytest.raises(NotFiniteError, match=r"a\.npy.*row 277"):
        summarize(files, scheduler=cluster, batch_rows=10)
    with pytest.raises(ValueError, match="leave out failed= and on_error="):
        summarize(files, scheduler=cluster, on_error="skip")
    sound = [files / "b.parquet", files / "c.safetensors"]
    assert summarize(sound, scheduler=cluster) == Summary().update(X[300:])  # as it says: without the file
    with pytest.raises(FileNotFoundError, match="no such"):
        summarize(files / "no such", scheduler=cluster)
    with pytest.raises(TypeError, match=r"a dask.distributed.Client, not 'threads'"):
        summarize(files, scheduler="threads")
    save(files / "d.safetensors", quantize(X, "int8"))
    with pytest.raises(CodeMismatchError, match=r"d\.safetensors: .* are codes: a summary is of floats"):
        summarize(files / "d.safetensors", scheduler=cluster)
    (files / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"b\.parquet"):
        summarize(files / "b.parquet", scheduler=cluster)


def test_of_no_rows(tmp_path: Path, cluster: Any) -> None:
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", X[:0])
    found = summarize(tmp_path, scheduler=cluster, rows=50, histograms=True)
    assert found == Summary(rows=50, histograms=True)
    assert found.update(X) == Summary(rows=50, histograms=True).update(X)


def test_a_file_that_cannot_be_read_is_no_worker_that_is_lost(
    files: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(places, "_opened", refused)  # which workers of this process call, too
        with pytest.raises(OSError, match=r"Input/output error: .*c\.safetensors") as caught:
            summarize(files / "c.safetensors", scheduler=cluster)
    assert caught.value.errno == errno.EIO
    monkeypatch.setattr(summaries, "PAUSE", 0)
    monkeypatch.setattr(summaries, "_of_files", gone)
    with pytest.raises(ClusterError, match="has lost each worker"):
        summarize(files / "c.safetensors", scheduler=cluster)


def refused(path: str) -> None:
    raise OSError(errno.EIO, "Input/output error", path)


def gone(*_: Any) -> None:
    raise ConnectionError("gone")


def test_open_files_are_refused(files: Path, cluster: Any) -> None:
    with (
        open(files / "a.npy", "rb") as file,
        pytest.raises(TypeError, match=r"not as open files: .*a\.npy"),
    ):
        summarize(file, scheduler=cluster)


def test_groups_are_of_about_as_many_bytes(files: Path) -> None:
    (place,) = summaries.places_of(files / "a.npy")
    spans = [summaries._Span(place, number, number + 1, size) for number, size in enumerate([9, 1, 1, 1, 30, 2, 8, 8])]
    for count in (1, 3, 100):
        groups = summaries._grouped(spans, count)
        assert [span for group in groups for span in group] == spans
        assert len(groups) <= count
        assert all(groups)
    assert [sum(span.nbytes for span in group) for group in summaries._grouped(spans, 3)] == [12, 30, 18]
