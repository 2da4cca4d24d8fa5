"""Files taken into collections: every row once, whatever was killed meanwhile; texts that name rows."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from coded import floats, rows_of

from embcodec import (
    CodeMismatchError,
    Collection,
    DecodeError,
    EmbcodecError,
    NotFiniteError,
    ServiceError,
    Skipped,
    StorageError,
    iter_load,
    quantize,
    save,
    search,
    search_files,
)
from embcodec.files.pieces.how import as_names
from embcodec.index.collection import ingest
from embcodec.index.collection.journal import _checksum_of

X, Q = floats(300), floats(5, seed=1)


def batch_file(path: Path, names: list[str], x: np.ndarray) -> None:
    lines = []
    for name, row in zip(names, x.tolist(), strict=True):
        body = {"model": "m", "data": [{"index": 0, "embedding": row}]}
        lines.append(json.dumps({"custom_id": name, "response": {"status_code": 200, "body": body}}))
    path.write_text("\n".join(lines) + "\n")


def test_texts_name_rows(tmp_path: Path) -> None:
    vectors = Collection.create(tmp_path / "c", like=X)
    names = [f"row {i} ä" for i in range(300)]
    assert vectors.append(X[:100], ids=names[:100]).tolist() == list(range(100))
    assert vectors.append(X[100:150]).tolist() == list(range(100, 150))
    assert vectors.append(X[150:], ids=np.array(names[150:])).tolist() == list(range(150, 300))
    expected = [None if 100 <= i < 150 else names[i] for i in range(300)]
    for opened in (vectors, Collection.open(tmp_path / "c"), pickle.loads(pickle.dumps(vectors))):
        assert opened.text_ids(np.arange(300)) == expected
        assert opened.text_ids([[3, -1], [999, 100]]) == [[names[3], None], [None, None]]
        assert opened.text_ids([]) == []
        assert opened.ids_of([names[299], names[0]]).tolist() == [299, 0]
    for taken in (names[0], names[299]):
        with pytest.raises(ValueError, match=f"id '{taken}' is in the collection already"):
            Collection.open(tmp_path / "c").append(X[:2], ids=["new", taken])
    with pytest.raises(ValueError, match="an id is given twice: 'a'"):
        vectors.append(X[:2], ids=["a", "a"])
    with pytest.raises(ValueError, match=r"twice: 'a/0' \(rows of a batch file's line of several inputs are called by"):
        vectors.append(X[:2], ids=["a/0", "a/0"])
    for wrong in (uuid.UUID(int=5), b"a"):
        with pytest.raises(TypeError, match=r"id 0 is .*, neither a whole number nor a text"):
            vectors.append(X[:1], ids=[wrong])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="id 1 is 3, where others are texts"):
        vectors.append(X[:2], ids=["a", 3])
    with pytest.raises(ValueError, match="shape"):
        vectors.append(X[:2], ids=["a"])
    for wrong in ("no such", names[120]):
        with pytest.raises(KeyError, match=wrong):
            vectors.ids_of([wrong])
    with pytest.raises(TypeError, match="list of str"):
        vectors.ids_of([3])  # type: ignore[list-item]
    assert len(vectors) == 300
    vectors.remove(vectors.ids_of([names[0], names[200]]))
    with pytest.raises(KeyError, match="row 0 ä"):
        vectors.ids_of([names[0]])
    with pytest.raises(ValueError, match=r"id 200 was that of 'row 200 ä': leave ids out"):
        vectors.append(X[:1], ids=[200])
    assert vectors.text_ids([0, 1, 200]) == [None, names[1], None]
    assert Collection.open(tmp_path / "c").text_ids([[0], [2]]) == [[None], [names[2]]]
    for none in ([], ()):
        assert vectors.ids_of(none).shape == (0,)
    assert vectors.append(X[:1], ids=[names[0]]).tolist() == [300]  # a text that was removed is free
    for opened in (vectors, Collection.open(tmp_path / "c")):
        assert opened.ids_of([names[0]]).tolist() == [300]
        assert opened.text_ids([300, 1]) == [names[0], names[1]]
    vectors.compact()
    assert sum(name.startswith("texts-") for name in os.listdir(tmp_path / "c")) == 1
    for opened in (vectors, Collection.open(tmp_path / "c")):
        assert opened.ids_of([names[0], names[299]]).tolist() == [300, 299]
        assert opened.text_ids([0, 100, 299]) == [None, None, names[299]]
    with pytest.raises(ValueError, match="already"):
        vectors.append(X[:1], ids=[names[7]])
    assert vectors.append(X[:1], ids=["last"]).tolist() == [301]


def test_files_of_texts_can_be_read_by_others_and_damage_is_told(tmp_path: Path) -> None:
    vectors = Collection.create(tmp_path / "c", like=X)
    vectors.append(X[:3], ids=["a", "b", "c"])
    (path,) = (tmp_path / "c").glob("texts-*.parquet")
    table = pyarrow.parquet.read_table(path)
    assert table.to_pydict() == {"id": [0, 1, 2], "text": ["a", "b", "c"]}
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole.replace(b"PAR1", b"PAR2")):
        path.write_bytes(content)
        with pytest.raises(StorageError, match=r"texts-.*\.parquet: not a file of texts"):
            Collection.open(tmp_path / "c").text_ids([1])
    pyarrow.parquet.write_table(table.slice(1), path)
    with pytest.raises(StorageError, match="its ids are not those"):
        Collection.open(tmp_path / "c").text_ids([1])


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    vectors = Collection.create(tmp_path / "c", like=X)
    vectors.append(X, ids=[f"row {i}" for i in range(300)])
    for pattern, looks in (
        ("texts-*", (lambda c: c.text_ids([1]), lambda c: c.ids_of(["row 1"]))),
        ("rows-*", (lambda c: c.search(Q, 2), lambda c: c.ids, lambda c: c.info(), lambda c: c.remove([1]))),
    ):
        (path,) = (tmp_path / "c").glob(pattern)
        path.unlink()
        for look in looks:
            with pytest.raises(StorageError, match=path.name if pattern == "texts-*" else None):
                look(Collection.open(tmp_path / "c"))


def test_columns_that_are_no_ids(tmp_path: Path) -> None:
    keys = [uuid.UUID(int=i + 1) for i in range(3)]
    octets = [key.bytes for key in keys]
    vectors = Collection.create(tmp_path / "c", like=X)
    for values, words in (
        (
            pyarrow.array(octets, pyarrow.binary(16)),
            r"it holds fixed_size_binary\[16\]: make texts of them, or UUIDs: column\.cast\(pyarrow\.uuid\(\)\)",
        ),
        (pyarrow.array([b"a", b"b", b"c"]), "it holds binary: make texts"),
        (pyarrow.array([[1], [2], [3]]), r"it holds list<.*: make texts"),
    ):
        pyarrow.parquet.write_table(pyarrow.table({"key": values, "v": X[:3].tolist()}), tmp_path / "x.parquet")
        with pytest.raises(StorageError, match=rf"x\.parquet: column 'key' of ids, .*{words}"):
            vectors.ingest(tmp_path / "x.parquet", column="v", id_column="key")
    if hasattr(pyarrow, "uuid"):
        named = pyarrow.array(octets, pyarrow.uuid())
        assert as_names(pyarrow.chunked_array([named]), "key") == [str(key) for key in keys]
        pyarrow.parquet.write_table(pyarrow.table({"key": named, "v": X[:3].tolist()}), tmp_path / "u.parquet")
        assert vectors.ingest(tmp_path / "u.parquet", column="v", id_column="key") == 3
        assert vectors.ids_of([str(keys[1])]).tolist() == [1]


def test_a_manifest_from_before_is_read(tmp_path: Path) -> None:
    def sealed(body: dict[str, Any]) -> str:
        return json.dumps({**body, "checksum": _checksum_of(json.dumps(body, sort_keys=True))})

    vectors = Collection.create(tmp_path / "c", like=X)
    vectors.append(X[[0, *range(300)]])
    vectors.remove([0])  # which writes the manifest as a whole
    path = tmp_path / "c" / "collection.json"
    body = json.loads(path.read_text())
    for name in ("texts", "ingested", "checksum", "nbytes"):
        del body[name]
    body["format"] = "embcodec collection 1"
    path.write_text(sealed(body))
    assert len(Collection.open(tmp_path / "c")) == 300
    for name, wrong in (
        ("texts", [{"file": "../x", "rows": 1, "least": 0, "greatest": 0}]),
        ("ingested", {"nbytes": -1}),
    ):
        changed = {**body, name: wrong}
        path.write_text(sealed(changed))
        with pytest.raises(StorageError, match="damaged"):
            Collection.open(tmp_path / "c")


def test_batches_are_of_so_many_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of floats, however many dimensions rows have; but of no more rows than searches like in a file."""
    monkeypatch.setattr(ingest, "_BATCH_BYTES", 4 * 8 * 100)
    for number, (dimension, expected) in enumerate([(8, [100, 100, 50]), (16, [50] * 5), (200, [4] * 62 + [2])]):
        save(tmp_path / f"{number}.npy", np.ones((250, dimension), np.float32))
        vectors = Collection.create(tmp_path / f"c{number}", like=np.ones((1, dimension), np.float32))
        assert vectors.ingest(tmp_path / f"{number}.npy") == 250
        assert [shard.rows for shard in vectors._folder.now.shards] == expected
    monkeypatch.setattr(ingest, "_BATCH_ROWS", 70)
    vectors = Collection.create(tmp_path / "c", like=np.ones((1, 8), np.float32))
    vectors.ingest(tmp_path / "0.npy")
    assert [shard.rows for shard in vectors._folder.now.shards] == [70, 70, 70, 40]


@pytest.mark.parametrize("kind", ["float", "int8/per-vector", "ubinary", "b2"])
def test_files_are_taken_once(tmp_path: Path, kind: str) -> None:
    for number in range(6):
        save(tmp_path / f"{number}.npy", X[number * 50 : number * 50 + 50])
    vectors = Collection.create(tmp_path / "c", like=rows_of(X, kind))
    told: list[Any] = []
    assert vectors.ingest(f"{tmp_path}/[0-3].npy", batch_rows=70, progress=lambda *done: told.append(done)) == 200
    assert told[-1] == (200, 0)
    assert vectors.info().shards == 2  # small files go together
    assert vectors.ingest(f"{tmp_path}/[0-3].npy") == 0
    again = Collection.open(tmp_path / "c")
    assert again.ingest([f"{tmp_path}/*.npy", tmp_path / "5.npy"]) == 100
    if kind != "b2":  # the rows of whose file were coded by the scheme of all of them
        expected = search(Q, rows_of(X, kind), 20, metric="dot")
        np.testing.assert_array_equal(again.search(Q, 20, metric="dot").indices, expected.indices)
    again.compact()
    again.remove([3])
    assert again.ingest(tmp_path / "0.npy") == 0
    assert len(again) == 299
    save(tmp_path / "0.npy", X[:60])
    with pytest.raises(StorageError, match=r"0\.npy had .* bytes when 50 rows of it were taken"):
        again.ingest(tmp_path / "0.npy")
    with pytest.raises(TypeError, match="known by path or URL"):
        again.ingest(io.BytesIO((tmp_path / "1.npy").read_bytes()))


def test_relative_paths_and_urls_are_known_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save("rows.npy", X)
    store = fsspec.filesystem("memory")
    store.pipe("/ingest/rows.npy", (tmp_path / "rows.npy").read_bytes())
    vectors = Collection.create("c", like=X)
    assert vectors.ingest("rows.npy") == 300
    assert vectors.ingest(tmp_path / "rows.npy") == 0
    assert vectors.ingest("memory://ingest/*.npy") == 300
    assert vectors.ingest("memory://ingest/rows.npy") == 0
    store.rm("/ingest", recursive=True)


@pytest.mark.parametrize("name", ["ETag", "md5Hash", "Last-Modified", "LastModified", "mtime"])
def test_a_url_whose_file_is_another_of_the_same_size_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """By what its store says: the words are those of s3fs, gcsfs, HTTP servers and others."""
    save(tmp_path / "rows.npy", X)
    store = fsspec.filesystem("memory")
    store.pipe("/versions/rows.npy", (tmp_path / "rows.npy").read_bytes())
    info = type(store).info
    said: dict[str, Any] = {name: "a b"}
    monkeypatch.setattr(type(store), "info", lambda self, path, **more: {**info(self, path, **more), **said})
    vectors = Collection.create(tmp_path / "c", like=X)
    assert vectors.ingest("memory://versions/rows.npy") == 300
    assert vectors.ingest("memory://versions/rows.npy") == 0
    said[name] = "a c"
    with pytest.raises(
        StorageError, match=rf"rows\.npy had {name.lower()} a b when 300 rows of it were taken, and has"
    ):
        vectors.ingest("memory://versions/rows.npy")
    said[name] = "a b"
    said.pop(name)
    if name in ("ETag", "md5Hash"):  # now nothing but a time is said, which cannot be compared
        assert vectors.ingest("memory://versions/rows.npy") == 0
    store.rm("/versions", recursive=True)


def test_custom_ids_and_columns_of_ids(tmp_path: Path) -> None:
    batch_file(tmp_path / "a.jsonl", [f"a{i}" for i in range(40)], X[:40])
    pyarrow.parquet.write_table(
        pyarrow.table({"key": [f"p{i}" for i in range(20)], "v": X[40:60].tolist()}), tmp_path / "b.parquet"
    )
    vectors = Collection.create(tmp_path / "c", like=quantize(X, "int8"))
    assert vectors.ingest(tmp_path / "a.jsonl", batch_rows=16) == 40
    assert vectors.ingest(tmp_path / "b.parquet", id_column="key") == 20
    assert vectors.text_ids(np.arange(60)) == [f"a{i}" for i in range(40)] + [f"p{i}" for i in range(20)]
    pyarrow.parquet.write_table(
        pyarrow.table({"key": np.arange(1000, 1010), "v": X[60:70].tolist()}), tmp_path / "d.parquet"
    )
    assert vectors.ingest(tmp_path / "d.parquet", id_column="key") == 10
    assert vectors.ids[-10:].tolist() == list(range(1000, 1010))
    batch_file(tmp_path / "e.jsonl", ["new", "a3"], X[:2])
    with pytest.raises(ValueError, match="id 'a3' is in the collection already"):
        vectors.ingest(tmp_path / "e.jsonl")
    assert len(vectors) == 70
    (tmp_path / "f.jsonl").write_text('{"custom_id": "x", "error": "too long"}\n')
    with pytest.raises(DecodeError, match="pass failed="):
        vectors.ingest(tmp_path / "f.jsonl")
    told: list[Any] = []
    assert vectors.ingest(tmp_path / "f.jsonl", failed=lambda *line: told.append(line)) == 0
    assert [line.custom_id for _, line in told] == ["x"]
    assert vectors.ingest(tmp_path / "f.jsonl") == 0  # taken, though it had no rows


def test_an_error_midway_leaves_what_was_appended(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.npy", X[number * 100 : number * 100 + 100])
    (tmp_path / "1.npy").write_bytes((tmp_path / "1.npy").read_bytes()[:-1])
    vectors = Collection.create(tmp_path / "c", like=X)
    with pytest.raises(StorageError, match=r"1\.npy"):
        vectors.ingest(f"{tmp_path}/*.npy", batch_rows=60)
    assert len(vectors) == 100  # what is good before it does not wait
    save(tmp_path / "1.npy", X[100:200])
    assert vectors.ingest(f"{tmp_path}/*.npy", batch_rows=60) == 200
    found = vectors.search(Q, 300)
    np.testing.assert_array_equal(found.indices, search(Q, X, 300).indices)


def test_a_file_of_the_same_size_with_other_rows_is_told(tmp_path: Path) -> None:
    big = floats(9000)
    for rows in (X[:40], big):  # read whole, and in samples
        vectors = Collection.create(tmp_path / f"c{len(rows)}", like=X)
        save(tmp_path / "x.npy", rows)
        assert vectors.ingest(tmp_path / "x.npy") == len(rows)
        (tmp_path / "copy.npy").write_bytes((tmp_path / "x.npy").read_bytes())
        os.replace(tmp_path / "copy.npy", tmp_path / "x.npy")  # fetched again
        assert vectors.ingest(tmp_path / "x.npy") == 0
        for other in (-rows, np.concatenate([rows[:-1], -rows[-1:]])):
            save(tmp_path / "x.npy", other)
            with pytest.raises(StorageError, match=r"x\.npy had another content of as many bytes when"):
                vectors.ingest(tmp_path / "x.npy")


@pytest.mark.parametrize("batch_rows", [7, 40, 65_536])
def test_values_that_are_not_finite_are_told_by_file_and_row(tmp_path: Path, batch_rows: int) -> None:
    bad = X[50:100].copy()
    bad[43, 5] = np.nan
    save(tmp_path / "0.npy", X[:50])
    np.save(tmp_path / "1.npy", bad)
    vectors = Collection.create(tmp_path / "c", like=X)
    with pytest.raises(NotFiniteError, match=r"1\.npy: row 43, column 5") as told:
        vectors.ingest(f"{tmp_path}/*.npy", batch_rows=batch_rows)
    assert (told.value.row, told.value.column) == (43, 5)
    assert len(vectors) >= 50  # what is good before it stays
    with pytest.raises(EmbcodecError, match=r"1\.npy: row 43 has NaN"):
        search_files(Q, f"{tmp_path}/*.npy", 2, batch_rows=batch_rows)
    table = pyarrow.table({"key": np.arange(50)[::-1], "v": bad.tolist()})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    with pytest.raises(EmbcodecError, match="row 43"):
        search_files(Q, tmp_path / "b.parquet", 2, batch_rows=batch_rows, id_column="key")


def test_what_does_not_go_in_is_told_by_file_and_what_is_before_it_stays(tmp_path: Path) -> None:
    batch_file(tmp_path / "a.jsonl", ["a", "b"], X[:2])
    batch_file(tmp_path / "b.jsonl", ["c", "b"], X[2:4])
    vectors = Collection.create(tmp_path / "c", like=X)
    with pytest.raises(ValueError, match=r"b\.jsonl: id 'b' is in the collection already"):
        vectors.ingest(f"{tmp_path}/*.jsonl")
    assert vectors.text_ids([0, 1]) == ["a", "b"]
    assert len(vectors) == 2
    save(tmp_path / "0.npy", X[:5])
    save(tmp_path / "1.npy", X[:5, :8])
    with pytest.raises(CodeMismatchError, match=r"1\.npy: .* the collection has 24 dimensions"):
        vectors.ingest(f"{tmp_path}/*.npy")
    assert len(vectors) == 7
    pyarrow.parquet.write_table(pyarrow.table({"key": [3, -1], "v": X[:2].tolist()}), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet: ids must be 0"):
        vectors.ingest(tmp_path / "b.parquet", id_column="key")
    save(tmp_path / "codes.npz", quantize(X, "ubinary"))
    better = Collection.create(tmp_path / "better", like=quantize(X, "ubinary"), rescore_with=X)
    with pytest.raises(CodeMismatchError, match=r"codes\.npz: .* ingest files of floats"):
        better.ingest(tmp_path / "codes.npz")
    (tmp_path / "body.json").write_text('{"error": {"message": "no such model"}}')
    with pytest.raises(ServiceError, match=r"body\.json: no such model"):
        vectors.ingest(tmp_path / "body.json")
    with pytest.raises(TypeError, match=r"no argument idcolumn=: did you mean id_column="):
        vectors.ingest(tmp_path / "0.npy", idcolumn="a")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="failed is called"):
        vectors.ingest(tmp_path / "0.npy", failed=True)  # type: ignore[arg-type]


def test_lines_of_several_inputs(tmp_path: Path) -> None:
    lines = []
    for number, some in enumerate((X[:3], X[3:4], X[4:6])):
        data = [{"index": i, "embedding": row} for i, row in enumerate(some.tolist())]
        body = {"model": "m", "data": data}
        lines.append(json.dumps({"custom_id": str(number), "response": {"status_code": 200, "body": body}}))
    (tmp_path / "out.jsonl").write_text("\n".join(lines))
    vectors = Collection.create(tmp_path / "c", like=X)
    stopped = pytest.raises(RuntimeError, match="stop")

    def stop(*_: int) -> None:
        raise RuntimeError("stop")

    with stopped:
        vectors.ingest(tmp_path / "out.jsonl", batch_rows=2, progress=stop)
    assert vectors.ingest(tmp_path / "out.jsonl", batch_rows=2) == 4  # it goes on within a line
    assert vectors.text_ids(np.arange(6)) == ["0/0", "0/1", "0/2", "1", "2/0", "2/1"]


def test_two_that_ingest_at_once_and_a_damaged_record(tmp_path: Path) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.npy", X[:100])
    first, second = Collection.create(tmp_path / "c", like=X), Collection.open(tmp_path / "c")

    def meddle(done: int, _: int) -> None:
        if done == 50:
            second.ingest(f"{tmp_path}/*.npy")

    with pytest.raises(StorageError, match="another process has ingested"):
        first.ingest(f"{tmp_path}/*.npy", batch_rows=50, progress=meddle)
    assert first.ingest(f"{tmp_path}/*.npy", batch_rows=50) == 0
    assert len(first) == 200
    record = tmp_path / "c" / "ingested.jsonl"
    whole = record.read_bytes()
    record.write_bytes(whole + b'{"source": "left by a killed wri')
    assert first.ingest(f"{tmp_path}/*.npy") == 0
    for content in (whole[:-3], whole.replace(b"100", b"900", 1), b""):
        record.write_bytes(content)
        with pytest.raises(StorageError, match=r"ingested\.jsonl is damaged"):
            first.ingest(f"{tmp_path}/*.npy")


@pytest.mark.parametrize("nth", range(8))
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Rows, texts, record and manifest are flushed, some with their folder: whichever cannot be, none of it counts."""
    names = [f"id-{i}" for i in range(40)]
    batch_file(tmp_path / "a.jsonl", names, X[:40])
    vectors = Collection.create(tmp_path / "c", like=X)
    flush, calls = os.fsync, iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) == nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with suppress(OSError):
            vectors.ingest(tmp_path / "a.jsonl", batch_rows=20)
    assert next(calls) > nth
    again = Collection.open(tmp_path / "c")
    assert len(again) in (0, 20, 40)
    assert again.text_ids(np.arange(len(again))) == names[: len(again)]
    assert vectors.ingest(tmp_path / "a.jsonl", batch_rows=20) == 40 - len(again)
    assert vectors.text_ids(np.arange(40)) == names


BOUNDED = """
import re, resource, sys
import numpy as np
from embcodec import Collection

folder, room = sys.argv[1], int(sys.argv[2])
vectors = Collection.create(folder + "/c", like=np.zeros((1, 256), np.float32))
first = np.ones((1, 256), np.float32)
vectors.ingest(folder + "/first.npy")
vectors.search(first, 1, threads=1)  # what is allocated once
held = int(re.search(r"VmData:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (held + room, held + room))
try:
    np.ones(2 * room, np.uint8)
    print("there is no limit")
except MemoryError:
    print(vectors.ingest(folder + "/rows.npy", batch_rows=4096))
    print(vectors.search(first, 2, threads=1).indices.tolist())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are set as Linux has them")
def test_twice_the_memory_is_ingested_and_searched(tmp_path: Path) -> None:
    rows = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.float32, (1 << 16, 256))  # 64 MiB
    rows[:, 0] = -1
    rows[55_555] = 1
    rows.flush()
    save(tmp_path / "first.npy", np.ones((1, 256), np.float32) / 2)
    room = rows.nbytes // 2
    del rows
    arguments = [sys.executable, "-c", BOUNDED, str(tmp_path), str(room)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, found, peak = done.stdout.splitlines()
    print(f"64 MiB of rows in {room >> 20} MiB of memory: {int(peak) >> 20} MiB at the peak, mapped files too")
    assert (count, found) == ("65536", "[[0, 55556]]")


KILLED = """
import os, random, signal, sys, time
import pyarrow.compute, pyarrow.parquet
from embcodec import Collection, iter_load

Collection.open(sys.argv[1]).text_ids([sum(len(rows) for rows, _ in iter_load(sys.argv[2:]))])  # imports all
rng, kills = random.Random(0), 0
for tries in range(100):
    child = os.fork()
    if not child:
        Collection.open(sys.argv[1]).ingest(sys.argv[2:], batch_rows=25, id_column="custom_id")
        os._exit(0)
    time.sleep(rng.random() * 0.002 * (tries + 2))  # the first ones before anything is written
    os.kill(child, signal.SIGKILL)
    kills += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    if len(Collection.open(sys.argv[1])) == 300:
        break
Collection.open(sys.argv[1]).ingest(sys.argv[2:], batch_rows=25, id_column="custom_id")
print(kills)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork, and no SIGKILL")
def test_killed_again_and_again_every_row_is_there_once(tmp_path: Path) -> None:
    names = [f"id-{i}" for i in range(300)]
    for number in range(3):
        part = slice(number * 60, number * 60 + 60)
        batch_file(tmp_path / f"{number}.jsonl", names[part], X[part])
    table = pyarrow.table({"custom_id": names[180:], "v": X[180:].tolist()})
    pyarrow.parquet.write_table(table, tmp_path / "3.parquet", row_group_size=50)
    vectors = Collection.create(tmp_path / "c", like=X)
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "c"), *map(str, sorted(tmp_path.glob("*.*")))]
    done = subprocess.run(arguments, capture_output=True, check=True, text=True)
    assert int(done.stdout) >= 3
    vectors.refresh()
    assert len(vectors) == 300
    assert vectors.text_ids(np.arange(300)) == names
    np.testing.assert_array_equal(vectors.search(X, 1).indices[:, 0], np.arange(300))


def line_of(custom_id: str, rows: int) -> str:
    body = {"data": [{"index": row, "embedding": X[row].tolist()} for row in range(rows)]}
    return json.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}})


@pytest.mark.parametrize("first", ["m", "m/1"])
def test_an_id_that_is_made_up_is_another_line_s(tmp_path: Path, first: str) -> None:
    """The line is named, as that of any id that is given twice; and so is the line that has it."""
    vectors, path = Collection.create(tmp_path / "c", like=X), tmp_path / "a.jsonl"
    lines = {"m": line_of("m", 2), "m/1": line_of("m/1", 1), "n/1": line_of("n/1", 1)}
    second = "m/1" if first == "m" else "m"
    path.write_text("\n".join([lines[first], lines["n/1"], lines[second], line_of("o", 1)]))
    with pytest.raises(DecodeError, match=r"id 'm/1' was given on line 1 already \(rows of .* \(line 3\)") as caught:
        vectors.ingest(path)
    assert caught.value.line == 3
    told: list[Skipped] = []
    names = [*(["m/0", "m/1"] if first == "m" else ["m/1"]), "n/1", "o"]
    assert vectors.ingest(path, on_error=told.append) == len(names)
    assert [(each.row, each.line) for each in told] == [(None, 3)]
    assert vectors.text_ids(vectors.ids) == names
    assert vectors.ingest(path) == 0


def test_lines_of_records_have_their_ids(tmp_path: Path) -> None:
    path, x = tmp_path / "a.jsonl", X[:4].tolist()
    records = [{"id": "a", "embedding": x[0]}, {"text": "b", "id": 7, "embedding": x[1]}]
    records += [{"custom_id": "c", "embedding": x[2]}, {"embedding": x[3]}]
    path.write_text("\n".join(map(json.dumps, records)))
    vectors = Collection.create(tmp_path / "c", like=X)
    for line in ({"id": "a"}, {"custom_id": "a"}):
        (tmp_path / "b.jsonl").write_text(json.dumps({**line, "embedding": x[0]}))
        with pytest.raises(DecodeError, match=r"at 'embedding'; profile='ollama' or .* reads it"):
            vectors.ingest(tmp_path / "b.jsonl")
    assert vectors.ingest(path, profile="ollama") == 4
    assert vectors.text_ids(vectors.ids) == ["a", "7", "c", None]
    path.write_text(
        "\n".join(json.dumps({"id": f"request {row}", "data": [{"embedding": x[row]}]}) for row in range(2))
    )
    assert [ids for _, ids in iter_load(path, id_column="custom_id")] == [[None, None]]  # which name no rows
