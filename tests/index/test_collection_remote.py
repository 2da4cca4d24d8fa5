"""Files taken into a collection by the workers of a Dask cluster: what one process takes, also where one is killed."""

from __future__ import annotations

import errno
import filecmp
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from coded import floats

from embcodec import Collection, LowBitQuantizer, NotFiniteError, Skipped, StorageError, quantize, save
from embcodec.files.pieces import ClusterError, VersionError, numbered_pieces, places_of, reading, spans_of
from embcodec.index.collection import remote

pytest.importorskip("distributed")

X = floats(900)


def batch_file(path: Path, x: np.ndarray, bad: tuple[int, ...] = ()) -> None:
    lines = []
    for number, row in enumerate(x.tolist()):
        body = {"model": "m", "data": [{"index": 0, "embedding": row}]}
        response = {"status_code": 500, "body": {}} if number in bad else {"status_code": 200, "body": body}
        lines.append(json.dumps({"custom_id": f"{path.stem} {number}", "response": response}))
    path.write_text("\n".join(lines) + "\n")


def folder_of(path: Path) -> Path:
    """Return a folder with files of every way to be read: in spans, by groups, as a whole, and by lines."""
    path.mkdir()
    np.save(path / "a.npy", X[:300])
    table = pyarrow.table({"vector": list(X[300:500])})
    pyarrow.parquet.write_table(table, path / "b.parquet", row_group_size=40)
    save(path / "c.safetensors", X[500:600])
    batch_file(path / "d.jsonl", X[600:700], bad=(3, 99))
    save(path / "e.fbin", X[700:])
    return path


def same(one: Path, other: Path) -> bool:
    """Whether two folders have the same files."""
    names = sorted(os.listdir(one))
    return names == sorted(os.listdir(other)) and filecmp.cmpfiles(one, other, names, shallow=False)[0] == names


@pytest.mark.parametrize("kind", ["float", "int8", "b2"])
def test_the_same_collection(tmp_path: Path, cluster: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quantizer = LowBitQuantizer(2, rotation="learned").fit(X)
    like = X if kind == "float" else quantizer.encode(X) if kind == "b2" else quantize(X, "int8", scale="per-vector")
    better = {"float": None, "int8": X, "b2": quantize(X, "int8")}[kind]
    folder_of(tmp_path / "files")
    monkeypatch.chdir(tmp_path)  # workers stand elsewhere
    heard: dict[str, list[Any]] = {"here": [], "there": []}
    for name, scheduler in (("here", None), ("there", cluster)):
        made = Collection.create(name, like=like, rescore_with=better)
        for more in ("", "/e.fbin"):  # of a file that was taken there is nothing to do, whoever does it
            took = made.ingest(
                f"files{more}",
                batch_rows=40,
                scheduler=scheduler,
                failed=lambda *told, name=name: heard[name].append((told[0], told[1].line, told[1].custom_id)),
            )
            assert took == (0 if more else 898)
    assert heard["here"] == heard["there"]
    assert len(heard["there"]) == 2
    assert same(tmp_path / "here", tmp_path / "there")


def test_what_is_skipped_is_the_same(tmp_path: Path, cluster: Any) -> None:
    files = folder_of(tmp_path / "files")
    bad = X[:50].copy()
    bad[[7, 8, 49], 3] = np.nan
    ids = np.arange(1000, 1050)
    ids[5] = ids[4]
    pyarrow.parquet.write_table(pyarrow.table({"vector": list(bad), "id": ids}), files / "a2.parquet", row_group_size=9)
    (files / "b2.npy").write_bytes((files / "a.npy").read_bytes()[:-5])
    np.save(files / "z.npy", X[:9, :5])
    heard: dict[str, list[Skipped]] = {"here": [], "there": []}
    for id_column, batch_rows in (("id", 20), (None, 1000)):
        for name, scheduler in (("here", None), ("there", cluster)):
            path = tmp_path / f"{name} {id_column}"
            made = Collection.create(path, like=quantize(X, "ubinary"), rescore_with=X)
            made.ingest(
                files, id_column=id_column, batch_rows=batch_rows, scheduler=scheduler, on_error=heard[name].append
            )
        assert same(tmp_path / f"here {id_column}", path)
    assert [str(each) for each in heard["here"]] == [str(each) for each in heard["there"]]
    assert len(heard["there"]) > 10


def test_errors_are_the_same_and_the_rows_before_them_stay(tmp_path: Path, cluster: Any) -> None:
    files = folder_of(tmp_path / "files")
    bad = X[:300].copy()
    bad[277, 4] = np.inf
    np.save(files / "b1.npy", bad)
    made = [Collection.create(tmp_path / name, like=quantize(X, "int8")) for name in ("here", "there")]
    for each, scheduler in zip(made, (None, cluster), strict=True):
        with pytest.raises(NotFiniteError, match=r"b1\.npy.*row 277"):
            each.ingest(files, batch_rows=50, scheduler=scheduler)
    np.save(files / "b1.npy", X[:300])
    for each, scheduler in zip(made, (cluster, None), strict=True):  # who goes on need not be who began
        with pytest.raises(StorageError, match=r"b1\.npy had another content"):
            each.ingest(files, batch_rows=50, scheduler=scheduler)
    assert len(made[0]) == len(made[1]) == 750
    with pytest.raises(FileNotFoundError, match="no such"):
        made[1].ingest(tmp_path / "no such", scheduler=cluster)
    with pytest.raises(TypeError, match=r"a dask.distributed.Client, not 'threads'"):
        made[1].ingest(files, scheduler="threads")


def test_a_worker_is_killed(tmp_path: Path, cluster: Any) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for number in range(30):
        batch_file(files / f"{number:02d}.jsonl", X[30 * number : 30 * number + 30])
    made = [Collection.create(tmp_path / name, like=quantize(X, "int8"), rescore_with=X) for name in ("here", "there")]
    made[0].ingest(files, batch_rows=60)
    pids = list(cluster.run(os.getpid).values())
    killer = threading.Timer(0.03, os.kill, (pids[0], 9))
    killer.start()
    assert made[1].ingest(files, batch_rows=60, scheduler=cluster) == 900
    killer.join()
    assert same(tmp_path / "here", tmp_path / "there")
    cluster.wait_for_workers(2, timeout=120)
    deadline = time.monotonic() + 60
    while pids[0] in cluster.run(os.getpid).values() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert pids[0] not in cluster.run(os.getpid).values()


class Lost:
    """A client whose workers fail."""

    def __init__(self, error: Exception) -> None:
        self.error, self.tried = error, 0

    def ncores(self) -> dict[str, int]:
        return {}

    def submit(self, *_: Any, **__: Any) -> Any:
        self.tried += 1
        return self

    map = scatter = submit

    def result(self) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("gone"), "has lost each worker"),
        (
            FileNotFoundError(errno.ENOENT, "no", "like.safetensors"),
            "workers .* do not see this file",
        ),
        (PermissionError(errno.EACCES, "not yours", "like.safetensors"), r"has not read it: .* not yours: 'like"),
        (VersionError("0.0.1"), r"embcodec 0\.0\.1, a worker of the cluster"),
    ],
)
def test_a_cluster_that_fails_says_nothing_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    monkeypatch.setattr(remote, "PAUSE", 0)
    np.save(tmp_path / "a.npy", X)
    lost = Lost(error)
    made = Collection.create(tmp_path / "c", like=X)
    heard: list[Skipped] = []
    with pytest.raises(ClusterError, match=said):
        made.ingest(tmp_path / "a.npy", scheduler=lost, on_error=heard.append)
    assert (len(made), heard, lost.tried) == (0, [], 1 + 4 * isinstance(error, ConnectionError))
    assert made.ingest(tmp_path / "a.npy") == 900


def test_a_worker_of_another_version_refuses_to_search(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Collection.create(tmp_path / "c", like=X)
    made.append(X)
    monkeypatch.setattr("embcodec.index.collection.spread.__version__", "0.0.1")
    with pytest.raises(VersionError, match="install the same on all of them"):
        made.search(X[0], 1, scheduler=cluster)


def test_a_worker_that_does_not_see_a_file_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    (place,) = places_of(tmp_path / "a.npy")
    gone = FileNotFoundError(errno.ENOENT, "no such file", place.path)
    with pytest.raises(ClusterError, match=r"a\.npy: workers of the cluster do not see this file"):
        list(remote._replayed([gone], place, reading()))
    refused = PermissionError(errno.EACCES, "not yours", place.path)
    with pytest.raises(ClusterError, match=r"a\.npy: workers of the cluster may not read this file"):
        list(remote._replayed([refused], place, reading()))
    os.unlink(tmp_path / "a.npy")
    for error in (gone, refused):
        with pytest.raises(type(error)):
            list(remote._replayed([error], place, reading()))


def test_tasks_begin_where_a_file_was_left_or_are_not_asked_for(tmp_path: Path) -> None:
    folder_of(tmp_path / "files")
    made = Collection.create(tmp_path / "c", like=X)
    places, how, lost = (
        places_of([tmp_path / "files" / "a.npy"] * 2),
        reading(batch_rows=20),
        Lost(RuntimeError("a task")),
    )
    reader = remote.Remote(lost, made._folder, places, how, {})
    found = [rows.values for _, rows, _ in reader.read(places[0], how, 50)]  # another process has taken 50 meanwhile
    np.testing.assert_array_equal(np.concatenate(found), X[50:300])
    lost = Lost(RuntimeError("a task"))
    reader = remote.Remote(lost, made._folder, places, how, {})
    reader._most = 100
    reader._hand_out()
    assert lost.tried == 8, "a file that is named twice is read once"


@pytest.mark.parametrize("name", ["a.npy", "b.parquet", "e.fbin"])
@pytest.mark.parametrize("skip", [0, 7, 40, 199])
def test_spans_are_all_rows_once(tmp_path: Path, name: str, skip: int) -> None:
    (place,), how = places_of(folder_of(tmp_path / "files") / name), reading(batch_rows=20)
    spans = spans_of(place, how, skip, 60)
    assert spans is not None
    assert len(spans) > 1 or skip == 199
    assert [stop for _, stop in spans[:-1]] == [start for start, _ in spans[1:]]
    assert all(stop - start >= 60 for start, stop in spans[:-1])
    parts = [part for start, stop in spans for part in numbered_pieces(place, how, start, stop)]
    whole = np.concatenate([rows.values for _, rows, _ in numbered_pieces(place, how)])
    np.testing.assert_array_equal(np.concatenate([rows.values for _, rows, _ in parts]), whole[skip:])
    assert [first for first, _, _ in parts] == [skip, *(skip + np.cumsum([len(rows) for _, rows, _ in parts])[:-1])]


def test_files_that_are_read_from_their_beginning_have_no_spans(tmp_path: Path) -> None:
    folder_of(tmp_path / "files")
    for name in ("c.safetensors", "d.jsonl"):
        (place,) = places_of(tmp_path / "files" / name)
        assert spans_of(place, reading(), 0, 60) is None


def test_what_is_too_large_for_a_worker_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, lost = folder_of(tmp_path / "files"), Lost(RuntimeError("a task"))
    monkeypatch.setattr(remote, "_MOST", 1)
    made = Collection.create(tmp_path / "c", like=quantize(X, "ubinary"))
    assert made.ingest(files, scheduler=lost, failed=lambda *_: None) == 898
    assert not lost.tried
