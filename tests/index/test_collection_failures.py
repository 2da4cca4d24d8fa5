"""Disks that fail or are full, at each step of each change, and writers that are killed: all or nothing happened."""

from __future__ import annotations

import builtins
import errno
import os
import pickle
import shutil
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
from embcodec.containers import atomic, disk
from embcodec.index.collection import unlisted

pytestmark = pytest.mark.skipif(os.name != "posix", reason="folders are flushed and writers killed as on POSIX")

X = floats(60, 8)


def append_much(collection: Collection) -> None:
    """As if these rows were many: their file does not say that it counts, its line does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unlisted, "_SMALL", 0)
        collection.append(X[:7])


CHANGES: dict[str, Callable[[Collection], object]] = {
    "append": lambda collection: collection.append(X[:7]),
    "append much": append_much,
    "remove": lambda collection: collection.remove([1, 2, 25]),
    "remove a file": lambda collection: collection.remove(np.arange(20, 40)),
    "compact": lambda collection: collection.compact(),
}


class Disk:
    """Counts the steps of writers, and lets some fail."""

    def __init__(self, fails: Callable[[int], bool], number: int) -> None:
        self.steps: list[str] = []
        self._fails, self._number = fails, number

    def step(self, name: str) -> None:
        self.steps.append(name)
        if self._fails(len(self.steps)):
            raise OSError(self._number, os.strerror(self._number))

    def counted(self, name: str, real: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.step(name)
            return real(*arguments, **named)

        return call

    def opened(self, *arguments: Any, **named: Any) -> Any:
        file = builtins.open(*arguments, **named)  # noqa: SIM115 - the caller closes it
        if not file.writable():
            return file
        try:
            self.step("open")
        except OSError:
            file.close()
            if "x" in file.mode:
                os.unlink(file.name)
            raise
        return Written(file, self)


class Written:
    """A file whose writes are steps."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file = file
        self.write, self.flush = disk.counted("write", file.write), disk.counted("flush", file.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pulled out of this machine: files need not reach its disk."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda descriptor: None, raising=False)


@contextmanager
def failing(fails: Callable[[int], bool], number: int = errno.EIO) -> Iterator[Disk]:
    found = Disk(fails, number)
    with pytest.MonkeyPatch.context() as patched:
        for module in (atomic, disk):
            patched.setattr(module, "open", found.opened, raising=False)
        for name in ("pwritev", "fsync", "fdatasync", "replace"):
            patched.setattr(os, name, found.counted(name, getattr(os, name)), raising=False)
        yield found


def filled(folder: Path) -> Collection:
    collection = Collection.create(folder, like=X)
    for start in range(0, 60, 20):
        collection.append(X[start : start + 20])
    collection.remove([5])
    return collection


def state_of(folder: Path) -> tuple[Any, ...]:
    """What a process that opens the collection now sees, and the files that are there."""
    opened = Collection.open(folder)
    found = opened.search(X[:4], 80)
    names = sorted(name for name in os.listdir(folder) if name != "collection.json")
    return opened.ids.tolist(), found.indices.tolist(), found.scores.tolist(), opened.info(), names


def steps_of(change: str, folder: Path) -> list[str]:
    """Return the steps without which a change has not happened."""
    collection = filled(folder)
    with failing(lambda step: False) as disk:
        CHANGES[change](collection)
    if change == "append":  # its line may fail
        assert disk.steps[-3:] == ["fsync", "pwritev", "fdatasync"]
        return disk.steps[:-2]
    return disk.steps


def test_a_folder_that_cannot_be_made_is_no_collection_that_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="no collection was made: Not a directory") as caught:
        Collection.create(tmp_path / "file" / "c", like=np.ones((1, 8), np.float32))
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("change", CHANGES)
def test_a_step_that_fails_changes_nothing(tmp_path: Path, change: str, number: int) -> None:
    steps = steps_of(change, tmp_path / "counted")
    flushes = [step for step in steps if step in ("fsync", "fdatasync", "replace")]
    new = {"append": 1, "append much": 1, "remove": 2, "remove a file": 0, "compact": 1}[change] * ["fsync"]
    if change.startswith("append"):  # the rows, the folder; the manifest as it lies there
        assert flushes == [*new, "fsync", *(["fdatasync"] if change == "append much" else [])]
    else:  # the new files, the folder; the manifest, which is moved into its place, the folder
        assert flushes == [*new, "fsync", "fsync", "replace", "fsync"]
    collection = filled(tmp_path / "c")
    before = state_of(tmp_path / "c")
    for failed in range(1, len(steps) + 1):
        with failing(lambda step, failed=failed: step == failed, number), pytest.raises(StorageError) as caught:
            CHANGES[change](collection)
        assert isinstance(caught.value, OSError)
        assert (caught.value.errno, "it was before" in str(caught.value)) == (number, True)
        assert state_of(tmp_path / "c") == before, steps[failed - 1]
        assert collection.ids.tolist() == before[0]
    CHANGES[change](collection)
    assert state_of(tmp_path / "c") != before


@pytest.mark.parametrize("change", CHANGES)
def test_a_disk_that_fails_from_some_step_on(tmp_path: Path, change: str) -> None:
    """What cannot even be taken back, the replaced manifest in a folder that cannot be flushed, is there as a whole."""
    steps = steps_of(change, tmp_path / "counted")
    for failed in range(1, len(steps) + 1):
        folder = tmp_path / str(failed)
        collection = filled(folder)
        before = state_of(folder)
        with failing(lambda step, failed=failed: step >= failed), pytest.raises(StorageError):
            CHANGES[change](collection)
        after = state_of(folder)
        if failed < len(steps):
            assert after == before, steps[failed - 1]
        CHANGES["append"](collection)  # once the disk is well again
        assert len(Collection.open(folder)) == len(after[0]) + 7


@pytest.mark.parametrize("change", ["append", "append much"])
def test_a_line_that_cannot_be_taken_back_goes_with_its_file(tmp_path: Path, change: str) -> None:
    """The disk fails at some step of an append, and at the one after it."""
    for failed in range(1, len(steps_of(change, tmp_path / "counted")) + 1):
        collection = filled(tmp_path / str(failed))
        before = state_of(tmp_path / str(failed))
        with failing(lambda step, failed=failed: failed <= step <= failed + 1), pytest.raises(StorageError):
            CHANGES[change](collection)
        assert state_of(tmp_path / str(failed)) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_line_that_is_not_needed_may_fail(tmp_path: Path, number: int) -> None:
    """The rows are on the disk, and say that they count; the next change writes the manifest anew."""
    steps = len(steps_of("append", tmp_path / "counted"))
    for failed in (steps + 1, steps + 2):
        collection = filled(tmp_path / str(failed))
        with failing(lambda step, failed=failed: step >= failed, number):
            assert collection.append(X[:7]).tolist() == list(range(60, 67))
        found = state_of(tmp_path / str(failed))
        assert found[0] == collection.ids.tolist() == [*(i for i in range(60) if i != 5), *range(60, 67)]
        with failing(lambda step: True, number), pytest.raises(StorageError):
            collection.append(X[:7])
        assert state_of(tmp_path / str(failed)) == found
        assert collection.append(X[:1]).tolist() == [67]
        assert Collection.open(tmp_path / str(failed)).ids.tolist() == [*found[0], 67]


def test_texts_of_an_append_that_failed_are_not_known(tmp_path: Path) -> None:
    """Another process gives the name of their file to other texts, which must be known then."""
    collection = Collection.create(tmp_path / "c", like=X)
    collection.append(X[:2], ids=["a", "b"])
    other = Collection.open(tmp_path / "c")
    with failing(lambda step: True), pytest.raises(StorageError):
        collection.append(X[:2], ids=["c", "d"])
    other.append(X[:2], ids=["e", "f"])
    with pytest.raises(ValueError, match="id 'e' is in the collection already"):
        collection.append(X[:2], ids=["e", "g"])
    collection.append(X[:2], ids=["c", "d"])
    assert Collection.open(tmp_path / "c").text_ids(range(6)) == ["a", "b", "e", "f", "c", "d"]


def test_texts_that_were_joined_are_known(tmp_path: Path) -> None:
    """By who joins them without having read them before, and where the change fails."""
    collection = Collection.create(tmp_path / "c", like=X)
    collection.append(X[:2], ids=["a", "b"])
    collection.append(X[:2], ids=["c", "d"])
    other, third = Collection.open(tmp_path / "c"), Collection.open(tmp_path / "c")
    steps = steps_of("compact", tmp_path / "counted")
    with failing(lambda step: step == len(steps)), pytest.raises(StorageError):
        other.compact()
    third.append(X[:1], ids=["e"])
    for opened in (other, third, Collection.open(tmp_path / "c")):
        opened.compact()
        for text in ("a", "d", "e"):
            with pytest.raises(ValueError, match=f"id '{text}' is in the collection already"):
                opened.append(X[:1], ids=[text])


def test_a_collection_that_cannot_be_made(tmp_path: Path) -> None:
    for failed in range(1, 100):
        with failing(lambda step, failed=failed: step == failed, errno.ENOSPC) as disk:
            error: Any = None
            try:
                Collection.create(tmp_path / "c", like=X)
            except StorageError as caught:
                error = caught
        if error is not None:
            again = pickle.loads(pickle.dumps(error))
            assert (type(again), str(again), again.errno) == (type(error), str(error), errno.ENOSPC)
        if len(disk.steps) < failed:
            break
        if len(disk.steps) == failed:  # it went no further: what is flushed again with the manifest may fail before
            with pytest.raises(StorageError, match="is no collection"):
                Collection.open(tmp_path / "c")
        shutil.rmtree(tmp_path / "c")
    assert failed > 8
    assert len(Collection.open(tmp_path / "c")) == 0


FULL = """
import resource, sys
import numpy as np
from embcodec import Collection, StorageError
collection = Collection.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
for count in (1 << 12, 100, 1 << 11):
    try:
        collection.append(np.ones((count, 8), np.float32))
    except StorageError as error:
        print(error.errno, end=" ")
    print(len(collection), len(Collection.open(sys.argv[1])))
"""


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    Collection.create(tmp_path / "c", like=X)
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path / "c"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{errno.EFBIG} 0 0", "100 100", f"{errno.EFBIG} 100 100"]
    assert len(os.listdir(tmp_path / "c")) == 4


# Forks writers, kills each at some moment, and compares what is there with what it had said before: all or nothing of
# the change that was under way.
KILLS = """
import os, random, signal, sys, time
import numpy as np
from embcodec import Collection
from embcodec.index.collection import ahead
folder, kills = sys.argv[1], int(sys.argv[2])
ahead._FIRST, removals = (2, 0.1) if sys.argv[3] == "ahead" else (4, 0.8)  # many appends in a row, or few
random.seed(0)

def rows_of(ids):
    return np.stack([ids % 97 + 1.0, ids // 97], 1).astype(np.float32)

def write(pipe):
    collection = Collection.open(folder)
    while True:
        first = collection._folder.now.next_id
        ids = np.arange(first, first + random.randint(1, 60))
        os.write(pipe, b"append %d %d;" % (ids[0], ids[-1]))
        collection.append(rows_of(ids))
        os.write(pipe, b"done;")
        if random.random() < removals:
            gone = np.random.choice(collection.ids, min(len(collection), random.randint(1, 40)), replace=False)
            os.write(pipe, b"remove " + b" ".join(b"%d" % i for i in gone) + b";")
            collection.remove(gone)
            os.write(pipe, b"done;")
        if random.random() < removals / 2:
            os.write(pipe, b"compact;")
            collection.compact(shard_bytes=random.choice([1, 4000, 1 << 20]))
            os.write(pipe, b"done;")

known, counts = set(), {"append": 0, "remove": 0, "compact": 0, "between": 0}
for kill in range(kills):
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        random.seed(kill)
        np.random.seed(kill)
        write(writes)
    os.close(writes)
    said = os.read(reads, 1)
    time.sleep(random.random() ** 2 * 0.2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(reads, 1 << 16):
        said += piece
    os.close(reads)
    after, change = set(known), "between"
    for line in said.split(b";")[:-1]:
        word, *numbers = line.decode().split()
        if word == "done":
            known, change = after, "between"
            continue
        change, numbers = word, list(map(int, numbers))
        after = set(known)
        if word == "append":
            after |= set(range(numbers[0], numbers[1] + 1))
        elif word == "remove":
            after -= set(numbers)
    counts[change] += 1
    collection = Collection.open(folder)
    there = set(collection.ids.tolist())
    assert there in (known, after), (kill, change, sorted(there ^ known)[:9], sorted(there ^ after)[:9])
    known = there
    for shard in collection._folder.shards():
        assert (shard.codes.rows.values == rows_of(np.asarray(shard.ids))).all()
    if there:
        found = collection.search(np.ones(2, np.float32), len(there), metric="dot").indices
        assert set(found.tolist()) == there
print(counts, len(known), len(os.listdir(folder)))
collection.append(rows_of(np.arange(1)))
left = {name for name in os.listdir(folder) if not name.startswith(".")}
assert left == {"lock", "like.safetensors", "collection.json"} | Collection.open(folder)._folder.now.files, left
assert not [name for name in os.listdir(folder) if "collection.json" in name and name.startswith(".")]
"""


@pytest.mark.parametrize("appends", ["mixed", "ahead"])
@pytest.mark.parametrize("kills", [8, pytest.param(60, marks=pytest.mark.long)])
def test_killed_writers_leave_all_or_nothing(tmp_path: Path, kills: int, appends: str) -> None:
    Collection.create(tmp_path / "c", like=np.empty((0, 2), np.float32))
    command = [sys.executable, "-W", "ignore", "-c", KILLS, tmp_path / "c", str(kills), appends]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SMALL_MEMORY = """
import re, resource, sys
import numpy as np
from embcodec import Collection, quantize

def status(name):
    return int(re.search(name + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) << 10

like = quantize(np.eye(1, 256, dtype=np.float32), "int8")
rng = np.random.default_rng(0)
asked = rng.standard_normal((20, 256), dtype=np.float32) / 16
collection = Collection.create(sys.argv[1], like=like, rescore_with=like.to_float())
collection.append(asked), collection.search(asked, 3, threads=1), collection.remove([3])
base, limit = status("VmData"), 100 << 20
resource.setrlimit(resource.RLIMIT_DATA, (base + limit, base + limit))
best, peak = None, 0
while collection.info().nbytes < 2 * (base + limit) or collection.info().nbytes < 5 * limit:
    rows = rng.standard_normal((10_000, 256), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = collection.append(rows)
    scores = np.concatenate([asked @ rows.T, best[0]] if best else [asked @ rows.T], axis=1)
    names = np.concatenate([np.tile(ids, (20, 1)), *([best[1]] if best else [])], axis=1)
    order = np.argsort(-scores, axis=1)[:, :5]
    best = np.take_along_axis(scores, order, 1), np.take_along_axis(names, order, 1)
    peak = max(peak, status("VmData"))
collection.remove(np.arange(20, 1020, 7))
for compacted in (False, True):
    found = collection.search(asked, 60, metric="dot", rescore_multiplier=10, threads=1)
    kept = [[i for i in row if not 20 <= i < 1020] for row in best[1].tolist()]
    for row, wanted in zip(found.indices.tolist(), kept):
        assert [i for i in row if i >= 1020][: len(wanted)] == wanted, (row, wanted)
    peak = max(peak, status("VmData"))
    collection.compact(shard_bytes=1 << 24)
try:
    np.ones(limit + base, np.int8)
    sys.exit("the limit does not hold")
except MemoryError:
    pass
print(f"{collection.info().nbytes >> 20} MB of rows, limit {base + limit >> 20} MB, peak {peak >> 20} MB of data")
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is limited as on Linux")
def test_more_rows_than_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SMALL_MEMORY, tmp_path / "c"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
