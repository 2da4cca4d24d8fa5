"""The manifest's file: additions are lines in room that it has, and what a crash leaves of one is none."""

from __future__ import annotations

import json
import os
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from coded import floats

from embcodec import Collection, StorageError
from embcodec.index.collection import journal, unlisted

X = floats(60, 8)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pulled out of this machine: files need not reach its disk."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda descriptor: None, raising=False)


def filled(folder: Path, appends: int = 3) -> Collection:
    collection = Collection.create(folder, like=X)
    for _ in range(appends):
        collection.append(X[:4])
    return collection


def lines_of(path: Path) -> list[bytes]:
    """The additions in a manifest's file."""
    return re.findall(rb'\{"generation".*\n', path.read_bytes())


def first_ids_of(folder: Path) -> list[int]:
    """The least id of each file, as others read the format."""
    text = (folder / "collection.json").read_text()
    decoder, at, shards, size = json.JSONDecoder(), 0, [], 0
    while at < len(text):  # values, one behind the other, with blanks between and behind them
        body, at = decoder.raw_decode(text, at)
        shards += body.get("shards", [body.get("shard")])
        size = body.get("nbytes", size)
        at = len(text) - len(text[at:].lstrip())
    assert size == len(text)
    return [shard["least"] for shard in shards]


def test_an_append_is_a_line(tmp_path: Path) -> None:
    collection, path = filled(tmp_path / "c", appends=1), tmp_path / "c" / "collection.json"
    before, reader = path.stat(), Collection.open(tmp_path / "c")
    document = path.read_bytes()[: path.read_bytes().index(b"\n{")]
    assert collection.append(X[:5], ids=np.arange(90, 85, -1)).tolist() == [90, 89, 88, 87, 86]
    after = path.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert path.read_bytes().startswith(document)
    first, second = lines_of(path)
    body = json.loads(second)
    assert body.pop("checksum") == f"{zlib.crc32(json.dumps(body, sort_keys=True).encode()):08x}"
    assert body == {
        "generation": 2,
        "ingested": {"crc32": 0, "nbytes": 0},
        "next_file": 3,
        "next_id": 91,
        "shard": {
            "file": "rows-00000002.safetensors",
            "greatest": 90,
            "least": 86,
            "removed": None,
            "removed_rows": 0,
            "rows": 5,
        },
        "texts": None,
    }
    assert json.loads(first)["generation"] == 1
    assert len(reader) == 4
    reader.refresh()
    assert (len(reader), reader.info().generation) == (9, 2)
    assert reader.append(X[:1]).tolist() == [91]
    collection.refresh()
    assert collection.ids.tolist() == reader.ids.tolist() == [0, 1, 2, 3, 86, 87, 88, 89, 90, 91]


def test_a_full_file_is_written_anew(tmp_path: Path) -> None:
    collection, path = filled(tmp_path / "c", appends=0), tmp_path / "c" / "collection.json"
    reader, whole = Collection.open(tmp_path / "c"), 0
    for count in range(1, 121):
        inode = path.stat().st_ino
        collection.append(X[:1])
        whole += path.stat().st_ino != inode
        if count % 7 == 0:
            reader.refresh()
            assert reader._folder.now == collection._folder.now
            assert Collection.open(tmp_path / "c")._folder.now == collection._folder.now
            assert path.stat().st_size % 4096 == 0
    assert 1 < whole < 7  # each takes longer
    assert len(first_ids_of(tmp_path / "c")) == 120
    collection.remove([3])
    assert not lines_of(path)
    assert len(first_ids_of(tmp_path / "c")) == 119


@pytest.mark.parametrize("kept", ["start", "end", "middle", "zeros"])
def test_what_a_crash_leaves_of_a_line_is_none(tmp_path: Path, kept: str) -> None:
    collection, path = filled(tmp_path / "c"), tmp_path / "c" / "collection.json"
    whole, line = path.read_bytes(), lines_of(path)[-1]
    start = whole.index(line)
    (tmp_path / "c" / "rows-00000003.safetensors").unlink()  # so that it does not say itself that it counts
    for cut in range(len(line) - 1):  # the newline was there before
        torn = {
            "start": line[:cut].ljust(len(line), b"\n"),
            "end": line[cut + 1 :].rjust(len(line), b"\n"),
            "middle": line[:cut] + b"\n" * min(40, len(line) - cut) + line[cut + 40 :],
            "zeros": line[:cut].ljust(len(line), b"\0"),
        }[kept]
        path.write_bytes(whole[:start] + torn + whole[start + len(line) :])
        opened = Collection.open(tmp_path / "c")
        assert (len(opened), opened.info().generation) == (8, 2), torn
        collection.refresh()
        assert len(collection) == 8
        if cut % 50 == 3:
            assert opened.append(X[:6]).tolist() == list(range(8, 14))
            assert len(lines_of(path)) == 1  # nothing goes behind what was left: the file was written anew
            collection.refresh()
            assert len(collection) == len(Collection.open(tmp_path / "c")) == 14
            (tmp_path / "c" / "rows-00000003.safetensors").unlink()


def test_damaged_lines_are_found(tmp_path: Path) -> None:
    filled(tmp_path / "c")
    path = tmp_path / "c" / "collection.json"
    whole = path.read_bytes()
    first, middle, last = lines_of(path)
    for name in ("rows-00000002.safetensors", "rows-00000003.safetensors"):
        (tmp_path / "c" / name).write_bytes(b"no more")
    for place in range(len(middle)):
        changed = middle[:place] + bytes([middle[place] ^ 1]) + middle[place + 1 :]
        path.write_bytes(whole.replace(middle, changed))
        with pytest.raises(StorageError, match="is damaged"):
            Collection.open(tmp_path / "c")
    for old, new in ((b'"rows": 4', b'"rows": 3'), (b"rows-0", b"rows-1"), (b'"next_id": 12', b'"next_id": 10')):
        path.write_bytes(whole.replace(last, last.replace(old, new)))
        with pytest.raises(StorageError, match="is damaged: a line of it has another checksum"):
            Collection.open(tmp_path / "c")
    for lines in (first + last, first + first, middle):
        path.write_bytes(whole.replace(first + middle + last, lines.ljust(len(first + middle + last), b"\n")))
        with pytest.raises(StorageError, match=r"an addition of rows-0000000\d.safetensors does not follow"):
            Collection.open(tmp_path / "c")
    for cut in range(0, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(StorageError, match="is damaged"):
            Collection.open(tmp_path / "c")
    path.write_bytes(whole + b"\n")
    with pytest.raises(StorageError, match=r"is damaged: it has 8,193 bytes, not 8,192"):
        Collection.open(tmp_path / "c")


def test_what_is_taken_back_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of many rows that could not be flushed is blanked, and the next one may be as long."""
    monkeypatch.setattr(unlisted, "_SMALL", 0)
    collection, path = filled(tmp_path / "c"), tmp_path / "c" / "collection.json"
    line, whole = lines_of(path)[-1], path.read_bytes()
    former = whole.replace(line, b"\n" * len(line))
    path.write_bytes(former)
    collection.refresh()
    assert len(collection) == 8
    path.write_bytes(whole)
    collection.refresh()
    assert len(collection) == 12
    path.write_bytes(former)
    other = Collection.open(tmp_path / "c")
    other.append(X[:3])
    other.append(X[:1])
    collection.refresh()
    assert len(collection) == 12
    assert collection._folder.now == other._folder.now


def test_a_manifest_without_lines_gets_such(tmp_path: Path) -> None:
    """As it was written by versions before."""
    filled(tmp_path / "c").remove([0])
    path = tmp_path / "c" / "collection.json"
    body = json.loads(path.read_text())
    del body["checksum"], body["nbytes"]
    body["format"] = "embcodec collection 1"
    sealed = {**body, "checksum": f"{zlib.crc32(json.dumps(body, sort_keys=True).encode()):08x}"}
    path.write_text(json.dumps(sealed) + "\n")
    collection, other = Collection.open(tmp_path / "c"), Collection.open(tmp_path / "c")
    now = collection._folder.now
    collection.refresh()
    assert collection._folder.now is now
    collection.append(X[:1])
    collection.append(X[:1])
    other.refresh()
    assert len(other) == len(collection) == 13
    assert len(lines_of(path)) == 2
    path.write_text(json.dumps(sealed) + "\nx")
    with pytest.raises(StorageError, match="damaged: something is behind it"):
        Collection.open(tmp_path / "c")
    path.write_text(json.dumps({**sealed, "format": "embcodec collection 4"}))
    with pytest.raises(
        StorageError, match="format 'embcodec collection 4'; this version reads 'embcodec collection 3'"
    ):
        Collection.open(tmp_path / "c")


def test_a_manifest_that_lists_all_gets_lines_that_may_be_lost(tmp_path: Path) -> None:
    """As it was written by the version before, which took files that no line names for left over, and removed them."""
    filled(tmp_path / "c").append(X[:2])
    path = tmp_path / "c" / "collection.json"
    text = path.read_bytes()
    document, _ = json.JSONDecoder().raw_decode(text.decode())
    document["format"] = "embcodec collection 2"
    del document["checksum"]
    checksum = f"{zlib.crc32(json.dumps(document, sort_keys=True).encode()):08x}"
    lines = lines_of(path)
    former = json.dumps({"checksum": checksum, **document}).encode() + b"\n" + b"".join(lines[:3])
    path.write_bytes(former.ljust(document["nbytes"], b"\n"))
    collection = Collection.open(tmp_path / "c")
    assert len(collection) == 12  # without the last file, which is there, and says that it counts
    now = collection._folder.now
    collection.refresh()
    assert collection._folder.now is now
    assert collection.append(X[:5]).tolist() == list(range(12, 17))
    assert b'"embcodec collection 3"' in path.read_bytes()
    assert [json.loads(line)["shard"]["rows"] for line in lines_of(path)] == [5]
    path.write_bytes(former.replace(lines[1], b"\n" * len(lines[1])).ljust(document["nbytes"], b"\n"))
    with pytest.raises(StorageError, match="a line of it has another checksum"):
        Collection.open(tmp_path / "c")


def test_files_of_killed_writers_are_removed_by_the_next_change(tmp_path: Path) -> None:
    collection = filled(tmp_path / "c")
    names = set(os.listdir(tmp_path / "c"))
    numbers = ("rows-00000009.safetensors", "removed-00000009-00000000.npy", "texts-00000009.parquet")
    for left in (*numbers, "rows-00000004.safetensors"):  # the last one is in the way
        (tmp_path / "c" / left).write_bytes(b"")
        os.utime(tmp_path / "c", ns=(0, 0))  # another moment than that of the last change, however coarse the clock is
    collection.append(X[:1])
    assert set(os.listdir(tmp_path / "c")) - names == {"rows-00000004.safetensors"}
    assert len(Collection.open(tmp_path / "c").search(X[:1], 20).indices[0]) == 13


def test_lines_are_json_with_sorted_keys(tmp_path: Path) -> None:
    """As the documentation has it for those who read them, and count their checksums, with other programs."""
    collection = filled(tmp_path / "c")
    collection.append(X[:3], ids=["x", "y", "z"])
    collection.append(X[:2], ids=[70, 50])
    np.save(tmp_path / "more.npy", X[:5])
    collection.ingest(tmp_path / "more.npy")
    lines = lines_of(tmp_path / "c" / "collection.json")
    assert len(lines) == 6
    for line in lines:
        body = json.loads(line)
        checksum = body.pop("checksum")
        text = json.dumps(body, sort_keys=True)
        assert line == f'{text[:-1]}, "checksum": "{checksum}"}}\n'.encode()
        assert checksum == f"{zlib.crc32(text.encode()):08x}"
    bodies = [json.loads(line) for line in lines]
    assert [body["shard"]["greatest"] for body in bodies] == [3, 7, 11, 14, 70, 75]
    assert bodies[3]["texts"] == {"file": "texts-00000004.parquet", "greatest": 14, "least": 12, "rows": 3}
    assert [body["ingested"]["nbytes"] > 0 for body in bodies] == 5 * [False] + [True]
    collection.remove([13])
    text = (tmp_path / "c" / "collection.json").read_text()
    manifest, _ = json.JSONDecoder().raw_decode(text)
    checksum = manifest.pop("checksum")
    assert checksum == f"{zlib.crc32(json.dumps(manifest, sort_keys=True).encode()):08x}"


def test_a_folder_is_not_listed_without_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = filled(tmp_path / "c")
    listed: list[object] = []
    real = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or real(folder))
    written: list[object] = []
    monkeypatch.setattr(journal, "_write", lambda *arguments: written.append(arguments))
    collection.append(X[:1])
    assert (listed, written) == ([], [])
