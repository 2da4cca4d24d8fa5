"""Files made ahead of appends, whose names are flushed once for many; nothing counts before it is on the disk."""

from __future__ import annotations

import errno
import gc
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded import floats

from embcodec import Collection, StorageError
from embcodec.containers import disk
from embcodec.index.collection import ahead

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders are flushed as on POSIX")

X = floats(20, 8)
MANY = 4


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_FIRST", MANY)
    monkeypatch.setattr(ahead, "_MOST", MANY)


class PowerLoss:
    """Knows what would be there after one: names as their folder was last flushed, files as they were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, int] = {}
        self.sizes: dict[int, int] = {}
        self.flushed: list[str] = []
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self.flush)

    def flush(self, descriptor: int) -> None:
        path, status = os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor)
        self.flushed.append(re.sub(r"\..*embcodec-tmp|-[0-9]+|\.[a-z]+$", "", os.path.basename(path)))
        if stat.S_ISDIR(status.st_mode):
            self.names = {name: os.stat(Path(path, name)).st_ino for name in os.listdir(path)}
            return
        self.sizes[status.st_ino] = status.st_size
        if os.path.basename(path).startswith("collection.json"):
            self.check(Path(path).parent)

    def check(self, folder: Path) -> None:
        """All that counts now is on the disk, under its name."""
        now = Collection.open(folder)._folder.now
        for name in (*now.files, *(["ingested.jsonl"] if now.ingested.nbytes else [])):
            status = os.stat(folder / name)
            assert (self.names.get(name), self.sizes.get(status.st_ino)) == (status.st_ino, status.st_size), name


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at open files as on Linux")


def appended(folder: Path, times: int) -> Collection:
    collection = Collection.create(folder, like=X)
    for _ in range(times):
        collection.append(X[:2])
    return collection


def empty(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name != "lock" and not os.path.getsize(folder / name))


def names(*numbers: int) -> list[str]:
    return [f"rows-{number:08d}.safetensors" for number in numbers]


@linux
def test_the_folder_is_flushed_once_for_many_appends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection, power = appended(tmp_path / "c", 0), PowerLoss(monkeypatch)
    for number in range(1, 3 * MANY):
        power.flushed.clear()
        collection.append(X[:2])
        is_new = number < MANY or (number - MANY) % (MANY + 1) == 0
        assert power.flushed == ["rows", *(["c", "collection"] if is_new else [])], number
        power.check(tmp_path / "c")
        last = MANY + (MANY + 1) * ((number - MANY) // (MANY + 1)) + MANY
        assert empty(tmp_path / "c") == ([] if number < MANY else names(*range(number + 1, last + 1)))
    assert len(Collection.open(tmp_path / "c")) == 2 * (3 * MANY - 1)
    assert collection.info().shards == 3 * MANY - 1


@linux
def test_nothing_counts_that_is_not_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_FIRST", 1)
    power = PowerLoss(monkeypatch)
    collection, other = Collection.create(tmp_path / "c", like=X), Collection.open(tmp_path / "c")
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", X[:3] + number)
    collection.append(X[:1])
    for turn in range(6):
        for change in (
            lambda: collection.append(X[:4]),
            lambda turn=turn: collection.ingest(str(tmp_path / f"{turn % 3}.npy")),  # makes its record
            lambda: collection.append(X[:2]),
            lambda turn=turn: collection.append(X[:2], ids=[f"a{turn}", f"b{turn}"]),
            lambda turn=turn: other.append(X[: turn % 2]),
            lambda: collection.append(X[:1]),
            lambda: collection.remove(collection.ids[3:4]),
            lambda turn=turn: collection.compact() if turn == 4 else None,
        ):
            change()
            power.check(tmp_path / "c")
    assert power.flushed.count("c") > 6
    assert len(collection) == 1 + 6 * 9 + 9 + 3 - 6


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Of an append to a file made ahead, and of one that makes some."""
    for before in (MANY, 2 * MANY):
        refused, passed = 0, 0
        for failed in range(1, 99):
            folder = tmp_path / f"{before}-{failed}"
            collection = appended(folder, before)
            expected = collection.ids.tolist()
            with failing(lambda step, failed=failed: step == failed, number) as count:
                error: Any = None
                try:
                    collection.append(X[:3])
                    expected += [2 * before, 2 * before + 1, 2 * before + 2]
                except StorageError as caught:
                    error = caught
            if count() < failed:
                break
            assert error is None or (isinstance(error, OSError) and error.errno == number)
            assert Collection.open(folder).ids.tolist() == collection.ids.tolist() == expected, failed
            if len(expected) == 2 * before:
                refused += 1
                assert empty(folder) == []
            else:
                passed += 1
            assert collection.append(X[:1]).tolist() == [len(expected)]
            assert Collection.open(folder).ids.tolist() == [*expected, len(expected)]
        assert refused >= 5
        assert passed == 2 if before == MANY else passed > 3  # its line, looked for and written, and files for others


@contextmanager
def failing(fails: Callable[[int], bool], number: int) -> Iterator[Callable[[], int]]:
    count = 0

    def counted(real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if fails(count):
                raise OSError(number, os.strerror(number))
            return real(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(disk, "open", counted(open), raising=False)
        patched.setattr(disk, "_open_as_it_is", counted(disk._open_as_it_is))
        patched.setattr(os, "fstat", counted(os.fstat))
        patched.setattr(os, "pwritev", counted(os.pwritev))
        for name in ("fsync", "fdatasync"):
            patched.setattr(os, name, counted(lambda descriptor: None))
        yield lambda: count


@pytest.mark.parametrize("by_others", ["made", "removed", "filled", "untouched"])
def test_files_of_others_are_not_taken(tmp_path: Path, by_others: str) -> None:
    """They may be gone after a power loss: who made them has not flushed the folder."""
    folder = tmp_path / "c"
    collection, flushes = appended(folder, MANY), Flushes()
    waiting, moment = folder / empty(folder)[0], os.stat(folder)
    if by_others == "made":
        (folder / "another").write_bytes(b"")
        os.replace(folder / "another", waiting)
    elif by_others == "removed":
        waiting.unlink()
    elif by_others == "filled":
        waiting.write_bytes(b"something")
    os.utime(folder, ns=(moment.st_atime_ns, moment.st_mtime_ns))  # as if the clock were too coarse to tell
    with flushes:
        collection.append(X[:2])
    assert flushes.folders == (by_others != "untouched")
    assert Collection.open(folder).search(X[:1], 50).indices.shape == (1, 2 * (MANY + 1))


class Flushes:
    """Counts flushes of folders."""

    def __enter__(self) -> None:
        self.folders = 0
        self._patched = pytest.MonkeyPatch()
        real = disk._flush_folder

        def flush(folder: Any) -> None:
            self.folders += 1
            real(folder)

        self._patched.setattr(disk, "_flush_folder", flush)

    def __exit__(self, *error: object) -> None:
        self._patched.undo()


def test_another_writer_clears_them(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    collection, other, flushes = appended(folder, MANY), Collection.open(tmp_path / "c"), Flushes()
    assert len(empty(folder)) == MANY
    other.append(X[:2])
    assert empty(folder) == []
    with flushes:
        collection.append(X[:2])
    assert flushes.folders == 1
    assert empty(folder) == []  # two that take turns make none
    for _ in range(MANY):
        collection.append(X[:2])
    assert len(empty(folder)) == MANY - 1
    collection.remove([0])
    assert empty(folder) == []
    for _ in range(MANY):
        collection.append(X[:2])
    collection.compact()
    assert empty(folder) == []
    assert len(Collection.open(folder)) == 2 * (3 * MANY + 2) - 1


def test_they_go_with_who_made_them(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    collection = appended(folder, MANY)
    child = os.fork()
    if child == 0:
        collection._folder._ahead = None  # type: ignore[assignment]
        os._exit(len(empty(folder)) != MANY)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (folder / empty(folder)[0]).write_bytes(b"of somebody else")
    del collection
    gc.collect()
    assert empty(folder) == []
    assert names(MANY + 1)[0] in os.listdir(folder)


def test_what_a_killed_process_leaves_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    Collection.create(folder, like=X)
    program = (
        "import os, sys, numpy as np\nfrom embcodec import Collection\nc = Collection.open(sys.argv[1])\n"
        "for _ in range(4): c.append(np.eye(2, 8, dtype=np.float32))\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, folder]).returncode == -9
    assert empty(folder) == names(*range(5, 9))
    assert len(Collection.open(folder).search(X[:1], 99).indices[0]) == 8
    Collection.open(folder).append(X[:2])
    assert empty(folder) == []
    assert len(Collection.open(folder)) == 10
