"""Batch files that are cut or damaged: what can be read is taken, the status tells it, and the rest comes later."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded import floats
from commands import run, run_json

from embcodec import Collection, DecodeError, Skipped, StorageError, decode_batch, iter_batch, iter_load, load, save
from embcodec.index.collection import failed_and_skipped
from embcodec.wire.batch.lines import is_cut

X = floats(100)


def lines(rows: Any) -> bytes:
    return b"".join(
        json.dumps({"custom_id": f"p{i}", "response": {"body": {"data": [{"embedding": row}]}}}).encode() + b"\n"
        for i, row in enumerate(rows.tolist())
    )


WHOLE = lines(X)
ZIPPED = gzip.compress(WHOLE)
CUT: list[tuple[str, bytes, bytes]] = [
    ("a.jsonl.gz", ZIPPED, ZIPPED[:-9000]),
    ("a.jsonl.gz", ZIPPED, ZIPPED[:-3]),  # of which only the checksum is missing
    ("a.jsonl", WHOLE, WHOLE[:-9000]),
    ("a.jsonl", WHOLE, WHOLE[:-3]),
]


@pytest.mark.parametrize(("name", "whole", "cut"), CUT)
@pytest.mark.parametrize("batch_rows", [7, 65_536])
def test_a_cut_file_is_no_failed_line(tmp_path: Path, name: str, whole: bytes, cut: bytes, batch_rows: int) -> None:
    path = tmp_path / name
    path.write_bytes(cut)
    found = decode_batch(path)
    count = len(found.embeddings)
    assert 0 < count <= 100
    assert found.broken_off is not None
    assert found.broken_off.line == found.errors[-1].line == count + 1
    assert [line.breaks_off for line in iter_batch(path)] == [False] * count + [True]
    failed: list[Any] = []
    rows = 0
    with pytest.raises(DecodeError, match=rf"a\.jsonl.*cannot be read on: .*line {count + 1}"):  # noqa: PT012
        for part, _ in iter_load(path, batch_rows=batch_rows, failed=lambda *line: failed.append(line)):
            rows += len(part)
    assert (rows, failed) == (count, [])
    vectors = Collection.create(tmp_path / "c", like=X)
    with pytest.raises(DecodeError, match=f"line {count + 1}"):
        vectors.ingest(path, batch_rows=batch_rows, failed=lambda *line: failed.append(line))
    assert len(vectors) == count
    for _ in range(2):  # each call tells it
        told: list[Skipped] = []
        assert vectors.ingest(path, batch_rows=batch_rows, on_error=told.append) == 0
        assert [(one.row, one.line) for one in told] == [(None, None)]
    path.write_bytes(whole)
    assert vectors.ingest(path) == 100 - count
    assert vectors.ids_of([f"p{i}" for i in range(100)]).tolist() == list(range(100))
    assert vectors.ingest(path) == 0
    assert (vectors.search(X[count - 1 :], 1).indices[:, 0] == np.arange(count - 1, 100)).all()


def test_what_was_taken_of_a_cut_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"custom_id": "f", "error": {"message": "too long"}}\n' + WHOLE[:-9000])
    done = run("ingest", tmp_path / "a.jsonl", tmp_path / "c")
    count = len(Collection.open(tmp_path / "c"))
    told = done.stderr.splitlines()
    assert done.exit_code == 1
    assert "line 1, f: too long" in told[0]
    assert told[1].startswith(f"{count} rows appended before this error -> Collection({count} rows")
    assert "cannot be read on" in told[2]


@pytest.mark.parametrize("way", ["on_error", "failed"])
def test_what_was_told_of_a_cut_file_is_not_told_again(tmp_path: Path, way: str) -> None:
    """Once its rest is there, which has failures of its own; they are counted together."""
    path, vectors = tmp_path / "a.jsonl", Collection.create(tmp_path / "c", like=X)
    bad = b'{"custom_id": "%d", "error": {"message": "too long"}}\n'
    at = [WHOLE.index(b'{"custom_id": "p%d"' % i) for i in (30, 60, 90)]
    parts = WHOLE[: at[0]], WHOLE[at[0] : at[1]], WHOLE[at[1] : at[2]], WHOLE[at[2] :]
    text = b"".join([parts[0], bad % 1, parts[1], bad % 2, parts[2], bad % 3, parts[3]])
    path.write_bytes(text[: text.index(b'{"custom_id": "p80"') + 40])
    told: list[int] = []

    def ingest() -> None:
        if way == "on_error":
            vectors.ingest(path, on_error=lambda one: told.append(one.line or 0))
            return
        with suppress(DecodeError):  # as the file is cut
            vectors.ingest(path, failed=lambda _, line: told.append(line.line))

    ingest()
    assert 60 < len(vectors) < 90
    assert told[:2] == [31, 62]
    del told[:]
    path.write_bytes(text)
    ingest()
    assert (len(vectors), told) == (100, [93])
    assert failed_and_skipped(tmp_path / "c", path) == (3, 0)


def test_a_cut_file_that_another_one_replaces(tmp_path: Path) -> None:
    path, vectors = tmp_path / "a.jsonl", Collection.create(tmp_path / "c", like=X)
    path.write_bytes(WHOLE[:-9000])
    told: list[Skipped] = []
    count = vectors.ingest(path, on_error=told.append)
    path.write_bytes(lines(-X))
    with pytest.raises(StorageError, match=r"as a file of another name \(where rows have ids, on_error='skip'"):
        vectors.ingest(path)
    path.replace(tmp_path / "b.jsonl")  # as the message says
    assert vectors.ingest(tmp_path / "b.jsonl", on_error=told.append) == 100 - count


def test_a_file_without_rows_is_tried_again_once_it_is_another(tmp_path: Path) -> None:
    path, vectors = tmp_path / "a.jsonl", Collection.create(tmp_path / "c", like=X)
    path.write_bytes(b"")
    assert vectors.ingest(path) == 0
    for foreign in (b"PK\x03\x04" + bytes(60), json.dumps({"data": []}, indent=2).encode()):
        path.write_bytes(foreign)
        with pytest.raises(DecodeError, match="no lines of JSON"):
            vectors.ingest(path, failed=lambda *_: None)
    path.write_bytes(WHOLE)
    assert vectors.ingest(path) == 100


def test_a_last_line_that_is_whole_and_wrong_is_a_failed_line(tmp_path: Path) -> None:
    for last in (b'{"custom_id": "x", "response": nope}', b"nothing", b'{"custom_id": "{", "error": "no"}'):
        (tmp_path / "a.jsonl").write_bytes(WHOLE + last)
        found = decode_batch(tmp_path / "a.jsonl")
        assert (len(found.embeddings), len(found.errors), found.broken_off) == (100, 1, None)
    (tmp_path / "a.jsonl").write_bytes(WHOLE[:-1])
    assert decode_batch(tmp_path / "a.jsonl").broken_off is None
    assert not is_cut(b'{"custom_id": "{", "error": "a \\\\"}')
    assert is_cut(b'{"custom_id": "}\\"}')  # whose text has no end
    assert is_cut(b'{"a": "' + b"\\\\" * 1_000_000)


@pytest.mark.parametrize(("name", "whole", "cut"), CUT[::2])
def test_commands_say_so_by_their_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, whole: bytes, cut: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(cut)
    done = run("batch", name, "-o", "a.npy")
    assert done.exit_code == 1
    count = len(load("a.npy"))
    assert f"Error: {name} cannot be read on: rows from line {count + 1} on are not in a.npy" in done.stderr
    for options in ([], ["--skip-errors"], ["--skip-errors", "--max-failed", "99"]):
        assert run("ingest", name, "c", *options).exit_code == 1
        assert len(Collection.open("c")) == count
    Path(name).write_bytes(whole)
    assert run_json("ingest", name, "c")["rows"] == 100


def test_a_new_collection_takes_the_files_before_a_damaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        save(f"{number}.npy", X[number * 30 : number * 30 + 30])
    Path("1.npy").write_bytes(Path("1.npy").read_bytes()[:-1])
    done = run("ingest", "0.npy", "1.npy", "2.npy", "c", "--dtype", "int8")
    assert done.exit_code == 1
    assert "1.npy: a .npy header" in done.stderr
    assert len(Collection.open("c")) == 30
    assert run("ingest", "1.npy", "2.npy", "d").exit_code == 1
    assert not Path("d").exists()


def test_skipped_rows_are_told_apart_from_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = X.copy()
    bad[7, 3] = np.nan
    np.save("a.npy", bad)
    assert run("ingest", "a.npy", "c", "--skip-errors").stdout.startswith(
        "99 rows appended, 0 lines failed, 1 row skipped ->"
    )
    again = run("ingest", "a.npy", "c", "--skip-errors")
    assert again.stdout.startswith("0 rows appended, 0 lines failed, 0 rows skipped (1 before) ->")
    np.save("a.npy", X)
    done = run("ingest", "a.npy", "c")
    assert done.exit_code == 1
    assert "when 99 rows of it were taken and 1 was skipped: ingest its new or mended rows alone, as a" in done.stderr
    assert "--skip-errors passes over" in done.stderr
    np.save("b.npy", X[7:8])
    assert run_json("ingest", "b.npy", "c")["rows"] == 100


def test_a_file_keeps_the_ids_it_was_taken_with(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"name": [f"n{i}" for i in range(9)], "v": pyarrow.array(list(X[:9]))})
    folder = tmp_path / "night"
    folder.mkdir()
    pyarrow.parquet.write_table(table, folder / "a.parquet")
    (folder / "b.jsonl").write_bytes(WHOLE)
    vectors = Collection.create(tmp_path / "c", like=X)
    assert vectors.ingest(folder, id_column="name") == 109  # batch files have custom_ids in any case
    assert vectors.ids_of(["n8", "p99"]).tolist() == [8, 108]
    assert vectors.ingest(folder, id_column="name") == vectors.ingest(folder) == 0
    with pytest.raises(StorageError, match=r"a\.parquet: its rows were taken with ids of its column 'name'.*='name'"):
        vectors.ingest(folder, id_column="nme")
    other = Collection.create(tmp_path / "d", like=X)
    assert other.ingest(folder) == 109
    with pytest.raises(StorageError, match=r"with no ids of its own, which they keep: leave out id_column='name'"):
        other.ingest(folder, id_column="name")
    save(folder / "c.npy", X)
    told: list[Skipped] = []
    assert vectors.ingest(folder, id_column="name", on_error=told.append) == 0
    assert [Path(one.name).name for one in told] == ["c.npy"]
    assert vectors.ingest(folder / "c.npy") == 100
    assert vectors.ingest(folder, id_column="name") == 0


def test_a_file_is_taken_by_one_column(tmp_path: Path) -> None:
    """Another one later would be no rows without a word."""
    pytest.importorskip("pyarrow.parquet")
    h5py, pyarrow = pytest.importorskip("h5py"), pytest.importorskip("pyarrow")
    two = {"a": pyarrow.array(list(X[:9])), "b": pyarrow.array(list(X[9:18]))}
    pyarrow.parquet.write_table(pyarrow.table(two), tmp_path / "two.parquet")
    pyarrow.parquet.write_table(pyarrow.table({"a": two["a"]}), tmp_path / "one.parquet")
    np.savez(tmp_path / "two.npz", a=X[:9], b=X[9:18])
    np.savez(tmp_path / "one.npz", a=X[:9])
    save(tmp_path / "own.safetensors", X[:9])
    with h5py.File(tmp_path / "ann.hdf5", "w") as file:
        for name in ("train", "test"):
            file[name] = X[:9]
        file["neighbors"] = np.zeros((9, 1), np.int64)
    for name, first, others, taken in (
        ("two.parquet", "a", ("b", "c"), "a"),
        ("two.npz", "b", ("a",), "b"),
        ("one.parquet", None, ("b",), "a"),
        ("one.npz", None, ("b",), "a"),
        ("own.safetensors", None, ("b",), "values"),
        ("ann.hdf5", None, ("test",), "train"),
    ):
        vectors = Collection.create(tmp_path / f"of {name}", like=X)
        assert vectors.ingest(tmp_path / name, column=first) == 9
        for other in others:
            words = rf"{name}: its column '{taken}' was taken, and a file is taken once: column='{taken}', and another"
            with pytest.raises(StorageError, match=words):
                vectors.ingest(tmp_path / name, column=other)
            told: list[Skipped] = []
            assert vectors.ingest(tmp_path / name, column=other, on_error=told.append) == 0
            assert len(told) == 1
        for same in (None, first, taken):
            assert vectors.ingest(tmp_path / name, column=same) == 0
    batches = Collection.create(tmp_path / "batches", like=X)
    (tmp_path / "b.jsonl").write_bytes(WHOLE)
    save(tmp_path / "c.npy", X)
    for name in ("b.jsonl", "c.npy"):
        assert batches.ingest(tmp_path / name) == 100
        with pytest.raises(StorageError, match=r"columns: leave out column='a'"):
            batches.ingest(tmp_path / name, column="a")


def test_a_file_of_which_a_part_was_taken_goes_on_by_its_column(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=X[:9], b=np.vstack([X[:8], np.full((1, X.shape[1]), np.nan)]))
    vectors = Collection.create(tmp_path / "c", like=X)
    with pytest.raises(ValueError, match="row 8"):
        vectors.ingest(tmp_path / "two.npz", column="b", batch_rows=4)
    assert len(vectors) == 8
    for other in ("a", None):
        with pytest.raises(StorageError, match=r"column='b'"):
            vectors.ingest(tmp_path / "two.npz", column=other)
    told: list[Skipped] = []
    assert vectors.ingest(tmp_path / "two.npz", column="b", on_error=told.append) == 0
    assert [one.row for one in told] == [8]


def test_lines_are_held_against_the_collection(tmp_path: Path) -> None:
    """Not against the first of them: one wrong line there made the right ones wrong."""
    vectors = Collection.create(tmp_path / "c", like=X)
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(floats(1, X.shape[1] + 1)).replace(b"p0", b"odd") + WHOLE)
    told: list[Skipped] = []
    failed: list[tuple[str, Any]] = []
    with pytest.raises(DecodeError, match=r"dimension .* where the collection has .*line 1"):
        vectors.ingest(path)
    assert vectors.ingest(path, on_error=told.append) == 100
    assert [(one.line, "where the collection has" in str(one)) for one in told] == [(1, True)]
    other = Collection.create(tmp_path / "d", like=X)
    assert other.ingest(path, failed=lambda *line: failed.append(line)) == 100
    assert [line.custom_id for _, line in failed] == ["odd"]
