"""Rows of many files, some at a time: the same rows, ids and neighbours as of one matrix, wherever the files are."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sys
import tracemalloc
from collections.abc import Iterator
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
    Embeddings,
    FlatIndex,
    LowBitQuantizer,
    StorageError,
    concat,
    encode_response,
    iter_load,
    load,
    quantize,
    save,
    search,
    search_files,
    to_arrow,
)
from embcodec.files.pieces import Place, tables

X, Q = floats(230), floats(7, seed=1)
LOW_BIT = ("b1", "b4", "budget")
KINDS = ("float", "int8", "int8/per-vector", "uint8/ranges", "binary", "ubinary", *LOW_BIT)


def joined(paths: Any, **options: Any) -> Any:
    return concat([rows for rows, _ in iter_load(paths, **options)])


def equal(found: Any, rows: Any) -> bool:
    return type(found) is type(rows) and all(
        np.array_equal(getattr(found, name), getattr(rows, name))
        for name in (("values",) if isinstance(rows, Embeddings) else ("bit_planes", "scales", "lengths"))
    )


@pytest.fixture
def memory() -> Iterator[Any]:
    """A store elsewhere."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [(kind, suffix) for kind in KINDS for suffix in (".safetensors", ".npz")]
    + [(kind, ".parquet") for kind in KINDS if kind not in LOW_BIT],
)
def test_what_is_saved_comes_back_in_parts(tmp_path: Path, kind: str, suffix: str) -> None:
    rows = rows_of(X, kind)
    for number, part in enumerate([slice(0, 100), slice(100, 101), slice(101, 230)]):
        save(tmp_path / f"{number}{suffix}", rows[part])
    parts = list(iter_load(tmp_path, batch_rows=64))
    assert [len(part.rows) for part in parts] == [64, 36, 1, 64, 64, 1]
    assert equal(concat([part.rows for part in parts]), rows)
    assert {part.ids for part in parts} == {None}
    assert equal(joined(tmp_path / "*"), rows)


def test_parts_of_low_bit_codes_know_whether_their_rows_had_unit_length(tmp_path: Path) -> None:
    x = X.copy()
    x[100:150] *= 2
    rows = LowBitQuantizer(2, rotation="none").fit(X).encode(x)
    save(tmp_path / "rows.npz", rows)
    parts = [part.rows for part in iter_load(tmp_path / "rows.npz", batch_rows=50)]
    assert [part.is_unit for part in parts] == [True, True, False, True, True]  # type: ignore[union-attr]
    expected, found = search(Q, rows, 40, metric="dot"), search_files(Q, tmp_path, 40, metric="dot", batch_rows=50)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
    with pytest.raises(CodeMismatchError, match="unit length"):
        search_files(Q, tmp_path, 40, batch_rows=50)


@pytest.mark.parametrize("suffix", [".npy", ".fbin", ".fvecs", ".u8bin", ".i8bin", ".bvecs", ".hdf5", ".npz", ".st"])
def test_bare_files_come_back_in_parts(tmp_path: Path, suffix: str) -> None:
    rows = {"u8bin": quantize(X, "uint8"), "bvecs": quantize(X, "uint8"), "i8bin": quantize(X, "int8")}.get(
        suffix[1:], Embeddings(X)
    )
    path = tmp_path / f"rows{suffix}"
    if suffix == ".hdf5":
        import h5py

        with h5py.File(path, "w") as file:
            file["vectors"] = X
    elif suffix == ".npz":
        np.savez_compressed(path, vectors=X)
    elif suffix == ".st":
        path = tmp_path / "rows.safetensors"
        save(path, rows)
    else:
        save(path, rows)
    for batch_rows in (1, 64, 230, 1000):
        assert equal(joined(path, batch_rows=batch_rows), rows)
    part = next(iter(iter_load(path))).rows
    assert part.values.flags.owndata or part.values.base.flags.owndata
    part.values[0] = 0  # memory of its own
    assert equal(joined(path), rows)


def test_an_array_in_fortrans_order(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.asfortranarray(X))
    np.savez(tmp_path / "rows.npz", x=np.asfortranarray(X))
    for name in ("rows.npy", "rows.npz"):
        assert equal(joined(tmp_path / name, batch_rows=50), Embeddings(X))
        with open(tmp_path / name, "rb") as file:
            assert equal(joined(io.BytesIO(file.read()), batch_rows=50), Embeddings(X))


def table_of(rows: Embeddings, ids: Any, start: int = 0) -> pyarrow.Table:
    return pyarrow.table({"id": ids, "vector": to_arrow(rows), "other": pyarrow.array([[1, 2]] * len(rows))})


@pytest.mark.parametrize("kind", ["float", "int8", "int8/per-vector", "uint8/ranges", "binary", "ubinary"])
def test_tables_in_groups_of_rows_with_ids(tmp_path: Path, kind: str) -> None:
    rows = rows_of(X, kind)
    ids = np.random.default_rng(3).permutation(230) * 2
    for number, part in enumerate([slice(0, 130), slice(130, 230)]):
        table = table_of(rows[part], ids[part])
        pyarrow.parquet.write_table(table, tmp_path / f"{number}.parquet", row_group_size=37, compression="zstd")
    found = list(iter_load(tmp_path, column="vector", id_column="id", batch_rows=50))
    assert max(len(part.rows) for part in found) <= 50
    assert equal(concat([part.rows for part in found]), rows)
    np.testing.assert_array_equal(np.concatenate([part.ids for part in found]), ids)
    by_id = np.argsort(ids)
    expected = search(Q, rows[by_id], 40, metric="dot")
    result = search_files(Q, tmp_path, 40, metric="dot", column="vector", id_column="id", batch_rows=50)
    np.testing.assert_array_equal(result.indices, ids[by_id][expected.indices])
    np.testing.assert_array_equal(result.scores, expected.scores)


def test_ids_are_whole_numbers_or_texts(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(table_of(Embeddings(X), [f"row-{i}" for i in range(230)]), path)
    part = next(iter_load(path, column="vector", id_column="id"))
    assert part.ids == [f"row-{i}" for i in range(230)]
    with pytest.raises(StorageError, match="not texts: leave out id_column"):
        search_files(Q, path, 3, column="vector", id_column="id")
    np.savez(tmp_path / "rows.npz", x=X, ids=np.arange(230), names=np.array(["ä"] * 230), few=np.arange(3))
    assert next(iter_load(tmp_path / "rows.npz", column="x", id_column="ids")).ids.tolist() == list(range(230))  # type: ignore[union-attr]
    assert next(iter_load(tmp_path / "rows.npz", column="x", id_column="names")).ids == ["ä"] * 230
    for column, words in (("few", r"ids have shape \(230,\)"), ("no", "array 'no' of ids is not there")):
        with pytest.raises(StorageError, match=words):
            list(iter_load(tmp_path / "rows.npz", column="x", id_column=column))
    for ids, words in (
        ([1.5] * 230, "not float64"),
        ([None] + ["a"] * 229, "row 0 is null"),
        ([1] * 230, "given twice"),
    ):
        pyarrow.parquet.write_table(table_of(Embeddings(X), ids), path)
        with pytest.raises((StorageError, ValueError), match=words):
            search_files(Q, path, 3, column="vector", id_column="id")
    with pytest.raises(StorageError, match=r"rows\.parquet: no column 'key' of ids; there are \['id', 'vector'"):
        list(iter_load(path, column="vector", id_column="key"))
    for number in range(2):  # which no file by itself shows
        table = table_of(Embeddings(X), np.arange(230) * (number + 1))
        pyarrow.parquet.write_table(table, tmp_path / f"{number}.parquet")
    with pytest.raises(ValueError, match="an id is given twice: 0"):
        search_files(X[:1], sorted(tmp_path.glob("[01].parquet")), 3, column="vector", id_column="id")
    np.save(tmp_path / "rows.npy", X)
    with pytest.raises(StorageError, match=r"a \.npy file without ids: leave out id_column='id'"):
        list(iter_load(tmp_path / "rows.npy", id_column="id"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("files", [3, 20])
def test_a_search_of_files_is_that_of_all_rows(tmp_path: Path, kind: str, files: int) -> None:
    x = X.copy()
    x[150:200] = x[:50]  # ties between files
    rows = rows_of(x, kind)
    for number, part in enumerate(np.array_split(np.arange(230), files)):
        save(tmp_path / f"{number:02}.npz", rows[part])
    metrics = ("cosine", "dot", "l2") + (("hamming",) if kind in ("binary", "ubinary") else ())
    for metric in metrics:
        queries = rows[:7] if metric == "hamming" else Q
        expected = search(queries, rows, 90, metric=metric)
        found = search_files(queries, tmp_path, 90, metric=metric, batch_rows=17 if files == 3 else 65_536)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.scores, expected.scores)
    single = search_files(Q[0], tmp_path, 500)
    assert single.indices.shape == (230,)


def line(number: int, vectors: list[list[float]], **more: Any) -> str:
    data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    body = {"model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    return json.dumps({"custom_id": f"id-{number}", "response": {"status_code": 200, "body": body}, **more})


def test_batch_files_and_bodies(tmp_path: Path) -> None:
    failed = json.dumps({"custom_id": "bad", "response": None, "error": {"message": "too long"}})
    text = "\n".join([line(0, X[:3].tolist()), failed, line(1, X[3:4].tolist()), line(2, X[4:9].tolist())])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "b.json").write_bytes(encode_response(Embeddings(X[9:12]), model="m"))
    (tmp_path / "README.md").write_text("no embeddings")
    (tmp_path / "_SUCCESS.json").write_text("")
    told: list[Any] = []
    parts = list(iter_load(tmp_path, batch_rows=4, failed=lambda name, line: told.append((name, line.custom_id))))
    assert [len(part.rows) for part in parts] == [4, 4, 1, 3]
    np.testing.assert_array_equal(concat([part.rows for part in parts]).to_float(), X[:12])
    assert told == [(str(tmp_path / "a.jsonl.gz"), "bad")]
    path = tmp_path / "a.jsonl.gz"
    with_ids = list(iter_load(path, id_column="custom_id", failed=lambda *_: None))
    assert with_ids[0].ids == ["id-0"] * 3 + ["id-1"] + ["id-2"] * 5
    with pytest.raises(
        DecodeError, match=r"a\.jsonl\.gz: no embeddings in this line \(too long\): pass failed="
    ) as caught:
        list(iter_load(path))
    assert caught.value.line == 2
    (tmp_path / "twice.jsonl").write_text("\n".join([line(0, [[1.0]]), line(0, [[2.0]])]))
    with pytest.raises(DecodeError, match="'id-0' was answered on line 1 already"):
        list(iter_load(tmp_path / "twice.jsonl", id_column="custom_id"))
    told.clear()
    (tmp_path / "other.jsonl").write_text("\n".join([line(0, [[1.0]]), line(1, [[2.0, 3.0]]), line(2, [[4.0]])]))
    rows = joined(tmp_path / "other.jsonl", failed=lambda _, line: told.append(str(line.error)))
    assert rows.values.tolist() == [[1], [4]]
    assert told == ["dimension 2 where the lines before have 1 (line 2)"]
    for arguments, words in (
        ({"column": "x"}, "a batch file has no columns"),
        ({"id_column": "x"}, "id_column='custom_id'"),
        ({"float_dtype": "bfloat16"}, "leave out float_dtype="),
    ):
        with pytest.raises(StorageError, match=words):
            list(iter_load(path, failed=lambda *_: None, **arguments))
    with pytest.raises(StorageError, match="a response body has no ids"):
        list(iter_load(tmp_path / "b.json", id_column="custom_id"))


def test_order_and_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".hidden").mkdir()
    for number, name in enumerate(["b.npy", "a.npy", "deep/c.npy", "_no.npy", ".hidden/d.npy", "[z].npy"]):
        save(tmp_path / name, np.full((1, 2), number, np.float32))

    def first(paths: Any) -> list[float]:
        return [float(rows.values[0, 0]) for rows, _ in iter_load(paths)]  # type: ignore[union-attr]

    Collection.create(tmp_path / "vectors", like=X).append(X)  # which is passed by
    assert first(tmp_path) == [5, 1, 0, 2]
    with pytest.raises(StorageError, match="vectors is a collection"):
        first(f"{tmp_path}/*")
    shutil.rmtree(tmp_path / "vectors")
    assert first(f"{tmp_path}/*") == [5, 1, 0, 2]
    assert first(f"{tmp_path}/**/*.npy") == [5, 1, 0, 2]
    assert first(tmp_path / "[z].npy") == [5]  # a file's own name
    assert first([tmp_path / "b.npy", f"{tmp_path}/[ab].npy"]) == [0, 1, 0]
    for paths in (tmp_path / "no.npy", f"{tmp_path}/no*.npy", [tmp_path / "a.npy", tmp_path / "no.npy"]):
        with pytest.raises(FileNotFoundError, match=r"no.*\.npy"):
            list(iter_load(paths))
    (tmp_path / "empty").mkdir()
    for wrong, error, words in (
        (tmp_path / "empty", StorageError, "no files of embeddings in this folder"),
        ([], ValueError, "there are no paths"),
        (3, TypeError, "paths is the path of a file"),
        (tmp_path / "b.npy", ValueError, "batch_rows"),
    ):
        with pytest.raises(error, match=words):  # type: ignore[arg-type]
            list(iter_load(wrong, batch_rows=0 if words == "batch_rows" else 9))  # type: ignore[arg-type]
    (tmp_path / "notes").write_text("no vectors")
    with pytest.raises(StorageError, match="'notes': unknown kind of file"):
        list(iter_load(tmp_path / "notes"))


def test_a_file_is_told_by_how_it_begins(tmp_path: Path) -> None:
    for suffix in (".npy", ".npz", ".safetensors", ".parquet"):
        save(tmp_path / f"rows{suffix}", X)
        (tmp_path / f"rows{suffix}").rename(tmp_path / "part-00000")
        assert equal(joined(tmp_path / "part-00000"), Embeddings(X))
    (tmp_path / "part").write_text(line(0, [[1.0]]))
    assert len(joined(tmp_path / "part")) == 1
    body = json.loads(encode_response(Embeddings(X), model="m"))
    (tmp_path / "part").write_text(json.dumps(body, indent=1))
    assert len(joined(tmp_path / "part")) == 230


def test_errors_say_which_rows_of_the_file_they_count(tmp_path: Path) -> None:
    vectors: list[Any] = X.tolist()
    vectors[153] = None
    pyarrow.parquet.write_table(pyarrow.table({"x": vectors}), tmp_path / "rows.parquet")
    with pytest.raises(StorageError, match=r"rows\.parquet: among the rows from 100 on: column 'x': row 53 is null"):
        list(iter_load(tmp_path / "rows.parquet", batch_rows=50 * 2))
    booleans = np.zeros((230, 8), np.uint8)
    booleans[153, 3] = 2
    np.save(tmp_path / "bits.npy", booleans.view(np.bool_))
    with pytest.raises(StorageError, match=r"bits\.npy: among the rows from 100 on: row 53 has a boolean"):
        list(iter_load(tmp_path / "bits.npy", batch_rows=100))


def test_files_of_other_kinds_are_named(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", X)
    for other in (quantize(X, "int8"), X[:, :8], quantize(X, "int8", scale="per-vector")):
        save(tmp_path / "b.npz", other)
        with pytest.raises(CodeMismatchError, match=r"b\.npz: Embeddings.* of another kind than .*a\.npz"):
            list(iter_load([tmp_path / "a.npz", tmp_path / "b.npz"]))
    codes = [LowBitQuantizer(2, rotation="random", seed=seed).fit(X).encode(X) for seed in (0, 1)]
    for name, rows in zip("ab", codes, strict=True):
        save(tmp_path / f"{name}.npz", rows)
    with pytest.raises(CodeMismatchError, match=r"b\.npz"):
        search_files(Q, tmp_path, 3)


def test_damage_is_told_with_the_files_name(tmp_path: Path) -> None:
    for suffix in (".npy", ".npz", ".safetensors", ".parquet", ".fbin", ".fvecs"):
        path = tmp_path / f"rows{suffix}"
        save(path, X)
        whole = path.read_bytes()
        for cut in (0, 3, len(whole) // 2 + 1, len(whole) - 1):
            path.write_bytes(whole[:cut])
            with pytest.raises(StorageError, match=f"rows{suffix}: "):
                list(iter_load(path, batch_rows=100))
    save(tmp_path / "rows.npz", X)
    damaged = bytearray((tmp_path / "rows.npz").read_bytes())
    damaged[3000] ^= 1
    (tmp_path / "rows.npz").write_bytes(damaged)
    with pytest.raises(StorageError, match=r"rows\.npz: .*CRC"):
        list(iter_load(tmp_path / "rows.npz", batch_rows=100))
    with pytest.raises(StorageError, match="max_bytes="):
        list(iter_load(tmp_path / "rows.npz", max_bytes=100))


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".parquet"])
@pytest.mark.parametrize("kind", ["float", "uint8/ranges", "int8/per-vector", "b4"])
def test_a_changed_bit_is_told_with_the_last_part(tmp_path: Path, kind: str, suffix: str) -> None:
    if suffix == ".parquet" and kind == "b4":
        suffix = ".safetensors"
    path = tmp_path / f"rows{suffix}"
    save(path, rows_of(X, kind))
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(len(whole) // 2, len(whole) - 2000 * (suffix != ".safetensors"), 8):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(StorageError, match=f"rows{suffix}: "):
            joined(path, batch_rows=100)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet", ".fbin", ".fvecs", ".jsonl"])
def test_files_elsewhere_and_open_ones(tmp_path: Path, memory: Any, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    if suffix == ".jsonl":
        path.write_text(line(0, X.tolist()))
    else:
        save(path, X)
    memory.pipe(f"/corpus/a{suffix}", path.read_bytes())
    memory.pipe(f"/corpus/b{suffix}", path.read_bytes())
    both = Embeddings(np.concatenate([X, X]))
    for paths in (
        f"memory://corpus/*{suffix}",
        "memory://corpus",
        [f"memory://corpus/{name}{suffix}" for name in "ab"],
    ):
        assert equal(joined(paths, batch_rows=100), both)
    assert search_files(Q, "memory://corpus", 3).indices.tolist() == search(Q, both, 3).indices.tolist()
    with open(path, "rb") as file:
        assert equal(joined(file, batch_rows=100), Embeddings(X))
        assert equal(joined([file, path], batch_rows=100), both)
    if suffix not in (".fbin", ".fvecs"):
        assert equal(joined(io.BytesIO(path.read_bytes())), Embeddings(X))
    if suffix != ".jsonl":
        assert equal(load(f"memory://corpus/a{suffix}"), Embeddings(X))
        with open(path, "rb") as file:
            assert equal(load(file), Embeddings(X))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        list(iter_load(f"memory://corpus/no{suffix}"))
    with pytest.raises(FileNotFoundError, match="no file matches"):
        list(iter_load(f"memory://corpus/no*{suffix}"))


def test_what_lies_on_this_machine_has_no_url(tmp_path: Path) -> None:
    for make, words in (
        (lambda url: save(url + ".npy", X), r"\.npy is a URL: files are written on this machine"),
        (Collection.open, "is a URL: a collection is a folder of this machine"),
        (lambda url: Collection.create(url, like=X), "is a URL: a collection is a folder of this machine"),
        (lambda url: FlatIndex(X).save(url + ".safetensors"), "is a URL: an index is a file of this machine"),
        (lambda url: FlatIndex.load(url + ".safetensors"), "is a URL: an index is a file of this machine"),
    ):
        with pytest.raises(StorageError, match=rf"^s3://b/x{words}" if words[0] == "\\" else rf"^s3://b/x.*{words}"):
            make("s3://u:secret@b/x")


def failing(error: type[Exception]) -> Any:
    raise error("cannot read http://u:secret@h/x.npy?sig=secret")


def test_urls_that_cannot_be_read(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for url, words in (
        ("memory://none/", "none"),
        ("nosuch://x/rows.npy", "nosuch://x/rows.npy: .*nosuch"),
        ("nosuch://u:secret@x/rows.txt", "nosuch://x/rows.txt: "),
    ):
        with pytest.raises((StorageError, OSError), match=words) as caught:
            list(iter_load(url))
        assert "secret" not in str(caught.value)
    for error in (FileNotFoundError, RuntimeError):
        place = Place("http://h/x.npy", None, lambda error=error: failing(error), "http://u:secret@h/x.npy?sig=secret")  # type: ignore[misc]
        with pytest.raises(OSError, match=r"^cannot read http://h/x\.npy$") as caught, place.open():
            pass
        assert type(caught.value) is (error if error is FileNotFoundError else OSError)

    class UnreachableError(Exception):  # as stores' packages have them
        pass

    UnreachableError.__module__ = "botocore.exceptions"
    for step in ("isdir", "glob", "open"):
        with monkeypatch.context() as patched:
            patched.setattr(type(memory), step, lambda *arguments, **named: failing(UnreachableError))
            url = f"memory://corpus/{'*' if step == 'glob' else 'x'}.npy"
            with pytest.raises(OSError, match=r"^memory:.*npy: cannot read http://") as caught:
                list(iter_load(url))
            assert type(caught.value) is OSError
    memory.pipe("/rows.npy", b"\x93NUMPY")
    with pytest.raises(StorageError, match=r"^memory://rows\.npy: not a \.npy file"):
        load("memory://rows.npy")
    with pytest.raises(StorageError, match="cannot be mapped"):
        load("memory://rows.npy", mmap=True)
    with pytest.raises(TypeError, match="binary mode"):
        list(iter_load(io.StringIO("text")))  # type: ignore[arg-type]
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "fsspec.implementations.http", None)
        patched.delitem(sys.modules["fsspec.registry"]._registry, "http", raising=False)
        with pytest.raises(StorageError, match=r"http://h/x.npy: .*: pip install 'embcodec\[remote\]'"):
            load("http://h/x.npy")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    for read in (load, lambda url: list(iter_load(url))):
        with pytest.raises(StorageError, match=r"s3://b/x.npy: a URL needs fsspec.*pip install 'embcodec\[remote\]'"):
            read("s3://b/x.npy")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".fbin", ".fvecs", ".parquet"])
def test_memory_is_bounded_by_a_part(tmp_path: Path, suffix: str) -> None:
    """A file of 8 MB, in one group of rows, is read 512 kB at a time."""
    x, path = np.zeros((16_000, 128), np.float32), tmp_path / f"rows{suffix}"
    x[:] = np.arange(128)
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table({"x": to_arrow(x)}), path, use_dictionary=False, compression="none")
    else:
        save(path, x)
    before = pyarrow.default_memory_pool()
    search_files(x[:2], path, 3, batch_rows=1000, threads=1)  # imports what it needs
    pyarrow.set_memory_pool(pool := pyarrow.proxy_memory_pool(pyarrow.system_memory_pool()))
    tracemalloc.start()
    try:
        search_files(x[:2], path, 3, batch_rows=1000, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pyarrow.set_memory_pool(before)
    assert peak + pool.max_memory() < 4_000_000


def test_names_in_errors_are_those_that_were_given(memory: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"memory:///?zz\.npy"):
        list(iter_load("memory://zz.npy"))
    (tmp_path / "rows.txt").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"known are .*\.jsonl, \.json"):
        list(iter_load(tmp_path / "rows.txt"))
    answer = {"model": "m", "data": [{"index": 0, "embedding": [1.0, 0.0]}]}
    line = json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": answer}})
    (tmp_path / "out.jsonl").write_text(f"{line}\n{line}\n")
    with pytest.raises(DecodeError, match="'a' was answered on line 1 already"):
        list(iter_load(tmp_path / "out.jsonl"))


@pytest.mark.parametrize(("ids", "name"), [(None, "embedding"), ("number", "embedding"), ("text", "an.embedding")])
def test_tables_are_decoded_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: str | None, name: str
) -> None:
    """Arrow takes several times what it decodes, so that little is; pieces are of as many rows as are asked for."""
    monkeypatch.setattr(tables, "_DECODED", 1 << 18)
    x = np.random.default_rng(0).standard_normal((20_000, 128), dtype=np.float32)
    lists = pyarrow.ListArray.from_arrays(np.arange(0, x.size + 1, 128, dtype=np.int32), pyarrow.array(x.reshape(-1)))
    table = pyarrow.table({name: lists, "number": np.arange(20_000), "text": list(map(str, range(20_000)))})
    with pyarrow.parquet.ParquetWriter(tmp_path / "x.parquet", table.schema) as writer:
        writer.write_table(table[:0])
        writer.write_table(table, row_group_size=13_000)
    former = pyarrow.default_memory_pool()
    pool = pyarrow.proxy_memory_pool(former)
    pyarrow.set_memory_pool(pool)
    try:
        pieces = list(iter_load(tmp_path / "x.parquet", column=name, batch_rows=9001, id_column=ids))
    finally:
        pyarrow.set_memory_pool(former)
    assert pool.max_memory() < 4 << 20  # all rows are 10 MB, and half of them at once would take twice as much
    assert [len(rows) for rows, _ in pieces] == [9001, 9001, 1998]
    np.testing.assert_array_equal(np.concatenate([rows.values for rows, _ in pieces]), x)
    if ids is not None:
        assert [name for _, names in pieces for name in names] == table.column(ids).to_pylist()
