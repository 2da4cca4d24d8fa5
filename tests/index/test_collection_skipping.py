"""Files and rows that cannot be taken into a collection are passed over where that is asked for, and tried again."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from coded import floats

from embcodec import Collection, Skipped, SkippedWarning, StorageError, quantize, save, search
from embcodec.index.collection import failed_and_skipped

X = floats(80)


def test_damaged_files_are_tried_again(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / f"{number}.npy", X[number * 20 : number * 20 + 20])
    whole = (tmp_path / "1.npy").read_bytes()
    (tmp_path / "1.npy").write_bytes(whole[:-1])
    save(tmp_path / "2.npy", X[:20, :7])
    vectors = Collection.create(tmp_path / "c", like=quantize(X, "int8"), rescore_with=X)
    told: list[Skipped] = []
    assert vectors.ingest(f"{tmp_path}/*.npy", on_error=told.append) == 40
    assert [(Path(one.name).name, one.row) for one in told] == [("1.npy", None), ("2.npy", None)]
    assert "the collection has 24 dimensions" in str(told[1])
    with pytest.warns(SkippedWarning, match=r"skipped 2 files: .*1\.npy"):
        assert vectors.ingest(f"{tmp_path}/*.npy", on_error="skip") == 0
    (tmp_path / "1.npy").write_bytes(whole)
    save(tmp_path / "2.npy", X[40:60])
    told.clear()
    assert Collection.open(tmp_path / "c").ingest(f"{tmp_path}/*.npy", on_error=told.append) == 40
    assert not told
    vectors.refresh()
    order = np.concatenate([np.arange(20), np.arange(60, 80), np.arange(20, 60)])
    np.testing.assert_array_equal(order[vectors.search(X[:5], 80).indices], search(X[:5], X, 80).indices)


@pytest.mark.parametrize("batch_rows", [1, 7, 65_536])
def test_rows_are_left_out_and_counted(tmp_path: Path, batch_rows: int) -> None:
    bad = X[:20].copy()
    bad[[4, 19], 3] = np.nan
    np.save(tmp_path / "a.npy", bad)
    save(tmp_path / "b.npy", X[20:40])
    vectors = Collection.create(tmp_path / "c", like=quantize(X, "ubinary"))
    told: list[Skipped] = []
    files = [tmp_path / "a.npy", tmp_path / "b.npy"]
    assert vectors.ingest(files, on_error=told.append, batch_rows=batch_rows) == 38
    assert [one.row for one in told] == [4, 19]
    assert failed_and_skipped(tmp_path / "c", files)[0] == 2
    good = np.delete(X[:40], [4, 19], axis=0)
    expected = search(X[:5], quantize(good, "ubinary"), 38).indices
    np.testing.assert_array_equal(vectors.search(X[:5], 38).indices, expected)
    told.clear()
    assert vectors.ingest(files, on_error=told.append) == 0  # the same file has the same rows
    assert not told


def test_it_goes_on_behind_rows_that_were_left_out(tmp_path: Path) -> None:
    bad = X[:20].copy()
    bad[[2, 9], 0] = np.inf
    np.save(tmp_path / "a.npy", bad)
    vectors = Collection.create(tmp_path / "c", like=X)

    def stop(done: int, _: int) -> None:
        if done >= 8:
            raise RuntimeError("stop")

    told: list[Skipped] = []
    with pytest.raises(RuntimeError, match="stop"):
        vectors.ingest(tmp_path / "a.npy", batch_rows=5, on_error=told.append, progress=stop)
    done = len(vectors)
    assert 0 < done < 18
    assert vectors.ingest(tmp_path / "a.npy", batch_rows=5, on_error=told.append) == 18 - done
    assert failed_and_skipped(tmp_path / "c", tmp_path / "a.npy")[0] == 2
    good = np.delete(X[:20], [2, 9], axis=0)
    np.testing.assert_array_equal(vectors.search(X[:5], 18).indices, search(X[:5], good, 18).indices)


@pytest.mark.parametrize("batch_rows", [1, 3, 65_536])
def test_ids_that_are_taken(tmp_path: Path, batch_rows: int) -> None:
    def table(name: str, keys: list[object]) -> Path:
        rows = pyarrow.table({"key": keys, "v": X[: len(keys)].tolist()})
        pyarrow.parquet.write_table(rows, tmp_path / name)
        return tmp_path / name

    def taken(vectors: Collection, *files: Path) -> list[tuple[str, int | None]]:
        told: list[Skipped] = []
        vectors.ingest(list(files), id_column="key", batch_rows=batch_rows, on_error=told.append)
        assert all("twice" in str(one) or "already" in str(one) or "ids must be" in str(one) for one in told)
        return [(Path(one.name).name, one.row) for one in told]

    texts = Collection.create(tmp_path / "texts", like=X)
    files = table("a.parquet", ["a", "b", "a"]), table("b.parquet", ["c", "b"])
    assert taken(texts, *files) == [("a.parquet", 2), ("b.parquet", 1)]
    assert taken(texts, table("c.parquet", ["d", "c", "a", "e"])) == [("c.parquet", 1), ("c.parquet", 2)]
    assert texts.text_ids(range(5)) == ["a", "b", "c", "d", "e"]  # type: ignore[arg-type]
    numbers = Collection.create(tmp_path / "numbers", like=X)
    files = table("d.parquet", [7, 3, 7]), table("e.parquet", [3, -1, 8])
    assert taken(numbers, *files) == [("d.parquet", 2), ("e.parquet", 0), ("e.parquet", 1)]
    assert taken(numbers, table("f.parquet", [1, 8])) == [("f.parquet", 1)]
    assert sorted(numbers.ids.tolist()) == [1, 3, 7, 8]


def test_lines_that_failed_are_skipped_and_counted(tmp_path: Path) -> None:
    body = {"data": [{"index": 0, "embedding": X[0].tolist()}]}
    good = json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}})
    (tmp_path / "a.jsonl").write_text(f'{{"custom_id": "b", "error": "too long"}}\n{good}\n')
    vectors = Collection.create(tmp_path / "c", like=X)
    told: list[Skipped] = []
    assert vectors.ingest(tmp_path / "a.jsonl", on_error=told.append) == 1
    assert [(one.row, one.line) for one in told] == [(None, 1)]
    assert failed_and_skipped(tmp_path / "c", tmp_path / "a.jsonl")[0] == 1


def test_a_full_disk_is_not_a_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.npy", X[number * 20 : number * 20 + 20])
    vectors = Collection.create(tmp_path / "c", like=X)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            vectors.ingest(f"{tmp_path}/*.npy", batch_rows=20, on_error="skip")
    assert vectors.ingest(f"{tmp_path}/*.npy", on_error="skip") == 40


def test_half_of_a_surrogate_pair_is_no_id(tmp_path: Path) -> None:
    """JSON may escape it; no file of text holds it."""
    body = {"data": [{"index": 0, "embedding": X[0].tolist()}]}
    lines = [json.dumps({"custom_id": name, "response": {"body": body}}) for name in ("a", "\ud800", "b")]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    vectors = Collection.create(tmp_path / "c", like=X)
    with pytest.raises(ValueError, match=r"a\.jsonl: id '\\ud800' has half of a surrogate pair"):
        vectors.ingest(tmp_path / "a.jsonl")
    with pytest.raises(ValueError, match="has half of a surrogate pair"):
        vectors.append(X[:1], ids=["\udc00"])
    with pytest.raises(KeyError, match="not in the collection"):
        vectors.ids_of(["\ud800"])
    told: list[Skipped] = []
    assert vectors.ingest(tmp_path / "a.jsonl", on_error=told.append) == 2
    assert [one.row for one in told] == [1]
    assert vectors.ids_of(["a", "b"]).tolist() == [0, 1]


def test_a_file_is_no_folder_of_a_collection(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"")
    with pytest.raises(StorageError, match="c is a file, not the folder of a collection"):
        Collection.create(tmp_path / "c", like=X)
    assert (tmp_path / "c").read_bytes() == b""
