"""Files of rows that no line of the manifest names: looked at once, passed over where nobody can read them."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded import floats

from embcodec import Collection, StorageError
from embcodec.index.collection import record, shards, texts, unlisted

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no file of rows says itself that it counts on Windows")

X = floats(60, 8)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pulled out of this machine: files need not reach its disk."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda descriptor: None, raising=False)


def filled(folder: Path) -> Path:
    """Make three files of rows, of which no line of the last two is there, and return the last one."""
    collection = Collection.create(folder, like=X)
    for first in (0, 4, 8):
        collection.append(X[first : first + 4])
        if not first:
            manifest = (folder / "collection.json").read_bytes()
    (folder / "collection.json").write_bytes(manifest)
    return folder / "rows-00000003.safetensors"


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that are read to see what they add; all are older than they seem."""
    found: list[str] = []
    real = unlisted._look

    def look(path: str, name: str) -> Any:
        found.append(name)
        return real(path, name)

    monkeypatch.setattr(unlisted, "_look", look)
    monkeypatch.setattr(unlisted, "_SETTLED", -(10**12))
    return found


def test_files_are_read_once(tmp_path: Path, looked: list[str]) -> None:
    """By who refreshes again and again after a power failure; another file of the name is read."""
    last = filled(tmp_path / "c")
    collection = Collection.open(tmp_path / "c")
    assert looked == ["rows-00000002.safetensors", last.name]
    now = collection._folder.now
    for _ in range(3):
        collection.refresh()
        assert collection._folder.now is now
    assert len(looked) == 2
    content = last.read_bytes()
    last.write_bytes(content[:-1] + b"\x07")  # of as many bytes
    os.utime(last, ns=(0, 10**18))
    collection.refresh()
    assert (len(collection), len(looked)) == (8, 3)
    collection.refresh()
    assert (len(collection), len(looked)) == (8, 3)  # nor is one that does not count
    last.unlink()
    last.write_bytes(content)
    collection.refresh()
    assert (len(collection), len(looked)) == (12, 4)


def test_one_that_does_not_count_is_read_once(tmp_path: Path, looked: list[str]) -> None:
    """Where nothing else is wrong: the manifest has all lines."""
    collection = Collection.create(tmp_path / "c", like=X)
    collection.append(X)
    reader = Collection.open(tmp_path / "c")
    (tmp_path / "c" / "rows-00000002.safetensors").write_bytes(b"what a crash left")
    for _ in range(3):
        reader.refresh()
        assert len(reader) == 60
    assert looked == ["rows-00000002.safetensors"]


def test_one_that_is_new_is_read_again(tmp_path: Path, looked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It may change and keep its time, as that of disks goes in steps."""
    monkeypatch.setattr(unlisted, "_SETTLED", 2 * 10**9)
    last = filled(tmp_path / "c")
    content, reader = last.read_bytes(), Collection.open(tmp_path / "c")
    last.write_bytes(content[:-1] + b"\x07")
    reader.refresh()
    assert len(reader) == 8
    last.write_bytes(content)
    reader.refresh()
    assert (len(reader), len(looked)) == (12, 6)


def refusing(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, number: int) -> None:
    """Have a file be refused by the system to those that open it there."""

    def opened(path: Any, *arguments: Any, **named: Any) -> Any:
        if os.path.basename(path) == name:
            raise OSError(number, os.strerror(number))  # as a read that fails has it, without a name
        return open(path, *arguments, **named)

    monkeypatch.setattr(module, "open", opened, raising=False)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_one_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Readers do without it. It may count, so that nobody writes in its place."""
    last = filled(tmp_path / "c")
    content = last.read_bytes()
    with monkeypatch.context() as patched:
        refusing(patched, unlisted, last.name, number)
        reader = Collection.open(tmp_path / "c")
        reader.refresh()
        assert reader.ids.tolist() == list(range(8))
        for change in (lambda: reader.append(X[:1]), lambda: reader.remove([0]), reader.compact):
            with pytest.raises(StorageError, match="was before: a file that may hold the rows") as caught:
                change()
            assert isinstance(caught.value, OSError)
            assert (caught.value.errno, caught.value.filename) == (number, os.fspath(last))
    assert last.read_bytes() == content
    reader.refresh()
    assert len(reader) == 12
    reader.append(X[:1])
    assert len(Collection.open(tmp_path / "c")) == 13


def named(folder: Path) -> Collection:
    collection = Collection.create(folder, like=X)
    collection.append(X[:4], ids=["a", "b", "c", "d"])
    collection.remove([3])
    np.save(folder.parent / "more.npy", X[:2])
    collection.ingest(folder.parent / "more.npy")
    return collection


READ: dict[str, tuple[Any, Callable[[Path], object]]] = {
    "removed-00000002-00000000.npy": (shards, lambda folder: Collection.open(folder).search(X[:1], 1)),
    "texts-00000001.parquet": (texts, lambda folder: Collection.open(folder).text_ids([1])),
    "ingested.jsonl": (record, lambda folder: Collection.open(folder).ingest(folder.parent / "more.npy")),
}


@pytest.mark.parametrize("name", [*READ, "rows-00000001.safetensors", "like.safetensors", "collection.json"])
def test_one_that_counts_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    folder = tmp_path / "c"
    named(folder)
    if name in READ:
        module, read = READ[name]
    else:
        from embcodec.containers import tensors as module
        from embcodec.index.collection import journal

        module = journal if name == "collection.json" else module
        read = lambda folder: Collection.open(folder).ids  # noqa: E731
    refusing(monkeypatch, module, name, errno.EACCES)
    with pytest.raises(StorageError, match=f"this file of the collection cannot be read: .*{name}") as caught:
        read(folder)
    assert isinstance(caught.value, PermissionError | OSError)
    assert (caught.value.errno, caught.value.filename) == (errno.EACCES, os.fspath(folder / name))
    assert pickle.loads(pickle.dumps(caught.value)).filename == os.fspath(folder / name)


def test_what_all_rows_are_like_is_missing(tmp_path: Path) -> None:
    named(tmp_path / "c")
    (tmp_path / "c" / "like.safetensors").unlink()
    with pytest.raises(StorageError, match=r"like.safetensors: this file of the collection is missing"):
        Collection.open(tmp_path / "c")
