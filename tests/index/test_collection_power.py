"""What a power failure or a killed writer may leave: as it was before the change under way, or after it, never half."""

from __future__ import annotations

import errno
import itertools
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from embcodec import Collection, StorageError
from embcodec.containers import atomic, disk, read_tensors, write_tensors
from embcodec.index.collection import ahead, unlisted

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at open files as on Linux")

SECTOR = 512  # bytes that a disk writes as a whole


def rows_of(ids: Any) -> Any:
    ids = np.asarray(ids)
    return np.stack([ids % 97 + 1.0, ids // 97], 1).astype(np.float32)


class State(NamedTuple):
    """What a collection holds."""

    ids: tuple[int, ...]
    texts: tuple[str | None, ...]


def state_of(folder: Path) -> State:
    """What who opens the collection now sees; all of it is read."""
    collection = Collection.open(folder)
    for shard in collection._folder.shards():
        assert (shard.codes.rows.values == rows_of(shard.ids)).all(), shard.name
    ids = tuple(sorted(collection.ids.tolist()))
    return State(ids, tuple(collection.text_ids(ids)))


class Power:
    """Knows what is on the disk for sure, and what may be: a file, and a name in the folder, is so once it is flushed.

    At each step of a writer `look` is called, which may see what a failure would leave then.
    """

    def __init__(self, folder: Path, look: Callable[[], None]) -> None:
        self.folder, self.look, self._is_looking = folder, look, False
        self._kept = folder.parent / "kept"  # links, so that no number of a file is that of another one later
        self._kept.mkdir()
        self.names = self.names_now()
        self.contents = {inode: self.content_now(name) for name, inode in self.names.items()}
        for name in self.names:
            self._keep(folder / name)

    def names_now(self) -> dict[str, int]:
        return {name: os.stat(self.folder / name).st_ino for name in os.listdir(self.folder) if name != "lock"}

    def content_now(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def _keep(self, path: Path) -> None:
        os.link(path, self._kept / str(os.stat(path).st_ino))

    def _step(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self.look()
            self._is_looking = False

    def _flush(self, descriptor: int) -> None:
        if self._is_looking:
            return
        self._step()
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self.names = self.names_now()
        else:
            self.contents[status.st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()
        self._step()

    def _opened(self, path: Any, mode: str = "r", **named: Any) -> Any:
        file = open(path, mode, **named)  # noqa: SIM115 - the caller closes it
        if "x" in mode and not self._is_looking:
            self.contents[os.fstat(file.fileno()).st_ino] = b""
            self._keep(Path(path))
        return file

    @contextmanager
    def watched(self) -> Iterator[None]:
        def watched(real: Any) -> Any:
            def call(*arguments: Any, **named: Any) -> Any:
                found = real(*arguments, **named)
                self._step()
                return found

            return call

        with pytest.MonkeyPatch.context() as patched:
            for module in (atomic, disk):
                patched.setattr(module, "open", self._opened, raising=False)
            for name in ("fsync", "fdatasync"):
                patched.setattr(os, name, self._flush)
            for name in ("pwritev", "replace", "unlink"):
                patched.setattr(os, name, watched(getattr(os, name)))
            yield

    def left(self) -> Iterator[dict[str, bytes]]:
        """Yield what may be left, without end, as files by name: what is there now, what is sure, or a mixture."""
        now = self.names_now()
        names = {name: [now.get(name), self.names.get(name)] for name in {**now, **self.names}}
        contents = {inode: [self.contents[inode]] for inode in self.names.values()}
        for name, inode in now.items():
            sure, content = self.contents.get(inode, b""), self.content_now(name)
            contents[inode] = [content, sure] if sure != content else [sure]
        ends = (
            {name: contents[inode][0] for name, inode in now.items()},
            {name: contents[inode][-1] for name, inode in self.names.items()},
        )
        for found in contents.values():
            if len(found) > 1:
                found += torn(found[1], found[0])
        while True:
            if random.random() < 0.3:
                yield random.choice(ends)
                continue
            chosen = {name: random.choice(inodes) for name, inodes in names.items()}
            files = {inode: random.choice(found) for inode, found in contents.items()}
            yield {name: files[inode] for name, inode in chosen.items() if inode is not None}


def torn(sure: bytes, content: bytes) -> list[bytes]:
    """Return what may be there of a file that was not flushed: some sectors, others as they were, zeros, or junk."""
    whole = sure.ljust(len(content), b"\0")
    places = [at for at in range(0, len(content), SECTOR) if content[at : at + SECTOR] != whole[at : at + SECTOR]]
    some = [places[:1], places[1:], places[-1:], places[:-1], random.sample(places, len(places) // 2)]
    found = [whole, *(mixed(whole, content, kept) for kept in some)]
    if not sure:
        found += [content[: len(content) // 2], mixed(random.randbytes(len(content)), content, places[:1])]
    return found


def mixed(some: bytes, other: bytes, places: list[int]) -> bytes:
    """Return bytes with some sectors of others."""
    found = bytearray(some)
    for at in places:
        found[at : at + SECTOR] = other[at : at + SECTOR]
    return bytes(found)


class Model:
    """Has a collection changed, and looks at each step at what a power failure would leave then."""

    def __init__(self, folder: Path, most: int) -> None:
        Collection.create(folder, like=rows_of([0]))
        self.folder, self._left, self._most = folder, folder.parent / "left", most
        self._left.mkdir()
        self.before = self.after = State((), ())
        self.seen: list[State] = []
        self.power = Power(folder, self.look)

    def change(self, change: Callable[[], object], after: State) -> None:
        """Change it, so that it holds `after`: until then what was there counts, or this, from then on this."""
        self.after = after
        with self.power.watched():
            change()
        self.before = after
        self.look()
        assert state_of(self.folder) == after

    def look(self) -> None:
        for files in islice(self.power.left(), self._most):
            self.check(files)

    def check(self, files: dict[str, bytes]) -> None:
        """Open what is left, now and then add to it, and open that."""
        for name in os.listdir(self._left):
            os.unlink(self._left / name)
        for name, content in files.items():
            (self._left / name).write_bytes(content)
        found = state_of(self._left)
        assert found in (self.before, self.after), sorted(files)
        self.seen.append(found)
        if len(self.seen) % 8 == 0:
            new = [10_000 + len(self.seen)]
            Collection.open(self._left).append(rows_of(new), ids=new)
            assert state_of(self._left) == State((*found.ids, *new), (*found.texts, None))
            left = {name for name in os.listdir(self._left) if re.match("rows|removed|texts", name)}
            assert left == Collection.open(self._left)._folder.now.files


def has_texts() -> bool:
    return find_spec("pyarrow") is not None


@pytest.mark.parametrize("most", [1, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize("small", [1 << 22, 0], ids=["small", "large"])
def test_what_a_power_failure_leaves(
    folder_in_memory: Path, monkeypatch: pytest.MonkeyPatch, most: int, small: int
) -> None:
    """Files of rows that say themselves that they count, and those that lines name."""
    monkeypatch.setattr(unlisted, "_SMALL", small)
    monkeypatch.setattr(ahead, "_FIRST", 2)
    monkeypatch.setattr(ahead, "_MOST", 3)
    random.seed(0)
    model = Model(folder_in_memory / "c", most)
    collection, other = Collection.open(folder_in_memory / "c"), Collection.open(folder_in_memory / "c")
    state, next_id = model.after, 0

    def append(by: Collection, count: int, named: bool = False) -> None:
        nonlocal state, next_id
        ids = list(range(next_id, next_id + count))
        next_id += count
        texts = [f"text {i}" if named else None for i in ids]
        state = State((*state.ids, *ids), (*state.texts, *texts))
        model.change(lambda: by.append(rows_of(ids), ids=texts if named else None), state)

    def remove(ids: set[int]) -> None:
        nonlocal state
        kept = [each for each in zip(*state, strict=True) if each[0] not in ids]
        state = State(*zip(*kept, strict=True))
        model.change(lambda: collection.remove(sorted(ids)), state)

    for count in (3, 2, 90, 3, 150, 2):  # 90 and 150 rows fill several sectors
        append(collection, count)
    for _ in range(1 if most == 1 else 2):
        if has_texts():
            append(collection, 3, named=True)
        remove({0, state.ids[-1]} & set(state.ids))
        append(collection, 2)
        append(other, 2)
        append(collection, 80)
        append(collection, 1)
    model.change(lambda: collection.compact(shard_bytes=2000), state)
    append(collection, 4)
    np.save(folder_in_memory / "more.npy", rows_of(next_id + np.arange(5)))
    state = State((*state.ids, *range(next_id, next_id + 5)), (*state.texts, *[None] * 5))
    model.change(lambda: collection.ingest(folder_in_memory / "more.npy"), state)
    assert len(model.seen) > 100 * most
    assert collection.ingest(folder_in_memory / "more.npy") == 0


def filled(folder: Path) -> tuple[Path, Path, bytes]:
    """Return the manifest of three files of rows, the last of these files, and its line."""
    collection = Collection.create(folder, like=rows_of([0]))
    for first in (0, 4, 8):
        collection.append(rows_of(range(first, first + 4)))
    path = folder / "collection.json"
    return path, folder / "rows-00000003.safetensors", re.findall(rb'\{"generation".*\n', path.read_bytes())[-1]


def ids_in(folder: Path) -> list[int]:
    """Return the ids of a collection, of which all is read."""
    return list(state_of(folder).ids)


FILES: dict[str, Callable[[bytes], bytes | None]] = {
    "whole": lambda content: content,
    "absent": lambda content: None,
    "empty": lambda content: b"",
    "short": lambda content: content[:-1],
    "long": lambda content: content + b"\0",
    "without its end": lambda content: content[:-16] + bytes(16),
    "without its head": lambda content: bytes(SECTOR) + content[SECTOR:],
    "with an unknown checksum": lambda content: re.sub(rb'_checksum":"[0-9a-f]{8}', b'_checksum":"00000000', content),
    "zeros": lambda content: bytes(len(content)),
    "junk": lambda content: b"\x07" * len(content),
}
LINES: dict[str, Callable[[bytes], bytes]] = {
    "there": lambda line: line,
    "absent": lambda line: b"\n" * len(line),
    "short": lambda line: line[: len(line) // 2].ljust(len(line), b"\n"),
    "without its beginning": lambda line: line[len(line) // 2 :].rjust(len(line), b"\n"),
    "zeros": lambda line: bytes(len(line)),
}


def test_files_and_lines(folder_in_memory: Path) -> None:
    """A file that is whole counts, with its line or without; lines are written once their files are on the disk."""
    path, file, line = filled(folder_in_memory / "c")
    manifest, content = path.read_bytes(), file.read_bytes()
    for (how, left), (part, kept) in itertools.product(FILES.items(), LINES.items()):
        if part == "there" and how != "whole":
            continue
        path.write_bytes(manifest.replace(line, kept(line)))
        file.unlink(missing_ok=True)
        if (some := left(content)) is not None:
            file.write_bytes(some)
        there = list(range(12 if how == "whole" else 8))
        assert ids_in(path.parent) == there, (how, part)
        collection = Collection.open(path.parent)
        for added in (100, 200):
            collection.append(rows_of([added]), ids=[added])
        assert ids_in(path.parent) == [*there, 100, 200], (how, part)
        for number in (4, 5):
            (path.parent / f"rows-{number:08d}.safetensors").unlink(missing_ok=True)
    path.write_bytes(manifest)
    file.unlink()
    with pytest.raises(StorageError, match=r"rows-00000003.safetensors: this file of the collection is missing"):
        assert Collection.open(path.parent).ids


def test_lines_are_lost_between_others(folder_in_memory: Path) -> None:
    """They are flushed together, and what is flushed together is not in order."""
    path, _, _ = filled(folder_in_memory / "c")
    manifest = path.read_bytes()
    lines = re.findall(rb'\{"generation".*\n', manifest)
    document = manifest[: manifest.index(lines[0])]
    for lost in itertools.product([False, True], repeat=3):
        text = b"".join(b"\n" * len(line) if is_lost else line for line, is_lost in zip(lines, lost, strict=True))
        path.write_bytes((document + text).ljust(len(manifest), b"\n"))
        assert ids_in(path.parent) == list(range(12)), lost
        for number in range(1, 4):
            file = path.parent / f"rows-{number:08d}.safetensors"
            content = file.read_bytes()
            file.write_bytes(content[:-1])
            if lost[number - 1] and not all(lost[number:]):  # no crash leaves a line behind an append that failed
                with pytest.raises(StorageError, match="is damaged: lines of it are lost, and files that they named"):
                    Collection.open(path.parent)
            elif lost[number - 1]:
                assert ids_in(path.parent) == list(range(4 * (number - 1)))
            file.write_bytes(content)


def test_a_file_of_another_moment_is_none(folder_in_memory: Path) -> None:
    """A file counts next only if it says so, and nothing else of it is looked at otherwise."""
    path, file, line = filled(folder_in_memory / "c")
    path.write_bytes(path.read_bytes().replace(line, b"\n" * len(line)))
    content = file.read_bytes()
    other = folder_in_memory / "other"
    shutil.copytree(path.parent, other)
    Collection.open(other).append(rows_of(range(12, 14)))
    Collection.open(other).remove([0])
    for name in ("rows-00000002.safetensors", "rows-00000004.safetensors"):  # one is of before, one of after
        file.write_bytes((other / name).read_bytes())
        assert ids_in(path.parent) == list(range(8)), name
    tensors, words = read_tensors(path.parent / "rows-00000001.safetensors")
    write_tensors(file, tensors, {name: word for name, word in words.items() if name != "addition"})
    assert ids_in(path.parent) == list(range(8))
    said = json.loads(re.sub(rb', "checksum": .*', b"}", line))  # of other rows than those of the first file
    for word in ("", "{}", "[1]", "null", "[" * 5000, words["addition"], json.dumps(said)):
        write_tensors(file, tensors, {**words, "addition": word})
        assert ids_in(path.parent) == list(range(8)), word
    file.unlink()
    file.mkdir()
    assert ids_in(path.parent) == list(range(8))
    file.rmdir()
    os.mkfifo(file)  # to read of which would wait
    assert ids_in(path.parent) == list(range(8))
    file.unlink()
    file.write_bytes(content)
    assert ids_in(path.parent) == list(range(12))


class Stuck(KeyboardInterrupt):
    """What a user does who waits for too long."""


@pytest.mark.parametrize("error", [None, OSError(errno.EIO, "failed"), Stuck()], ids=["none", "EIO", "interrupted"])
def test_nobody_sees_an_append_that_may_fail(
    folder_in_memory: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    """While its file is flushed, though it is whole; nor does it count when it has failed, and cannot be removed."""
    folder = folder_in_memory / "c"
    filled(folder)
    collection, reader = Collection.open(folder), Collection.open(folder)
    file, flushed = folder / "rows-00000004.safetensors", 0

    def flush(descriptor: int) -> None:
        nonlocal flushed
        reader.refresh()
        assert ids_in(folder) == reader.ids.tolist() == list(range(12))
        if flushed and error is not None:  # what makes it be no file of rows, for after a crash
            assert file.read_bytes()[:8] == bytes(8)
        else:
            assert read_tensors(file)[0]["ids"].tolist() == [12, 13]
        flushed += 1
        if error is not None:
            raise error

    def unlink(path: Any) -> None:
        raise OSError(errno.EIO, "failed")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", flush)
        patched.setattr(os, "unlink", unlink)
        if error is None:
            collection.append(rows_of([12, 13]))
            assert flushed == 2  # the file, the folder
            assert ids_in(folder) == list(range(14))
            return
        with pytest.raises(Stuck if isinstance(error, Stuck) else StorageError):
            collection.append(rows_of([12, 13]))
    assert flushed == 2  # the file, and what it became
    reader.refresh()
    assert ids_in(folder) == reader.ids.tolist() == list(range(12))
    assert file.exists()
    collection.append(rows_of([12]))
    assert ids_in(folder) == list(range(13))


def test_a_file_that_is_new_is_left_to_its_writer(folder_in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that has seen what a crash left must not hold the lock of what a writer makes in its place."""
    folder = folder_in_memory / "c"
    filled(folder)
    file, real, looked = folder / "rows-00000004.safetensors", os.stat, []

    def seen(path: Any, **named: Any) -> Any:
        found = real(path, **named)
        if os.fspath(path) == os.fspath(file):
            looked.append(path)
            file.unlink()
            file.touch()
        return found

    file.write_bytes(b"what a crash left")
    monkeypatch.setattr(os, "stat", seen)
    monkeypatch.setattr(unlisted, "is_being_filled", lambda file: pytest.fail("its lock is asked for"))
    assert ids_in(folder) == list(range(12))
    assert looked


KILLED = """
import os, sys, numpy as np
from embcodec import Collection
collection = Collection.open(sys.argv[1])
def killed(descriptor):
    os.kill(os.getpid(), 9)
os.fsync = killed
collection.append(np.array([[13, 0], [14, 0]], np.float32))
"""


def test_the_next_writer_flushes_what_a_killed_one_left(folder_in_memory: Path) -> None:
    """Its file was whole, but nobody had it brought to the disk: what follows it must not be there alone."""
    folder = folder_in_memory / "c"
    filled(folder)
    reader = Collection.open(folder)
    power = Power(folder, lambda: None)
    assert subprocess.run([sys.executable, "-c", KILLED, folder]).returncode == -9
    reader.refresh()
    assert ids_in(folder) == sorted(reader.ids.tolist()) == list(range(14))
    file = folder / "rows-00000004.safetensors"
    inode = os.stat(file).st_ino

    steps = []

    def look() -> None:
        is_named = file.name.encode() in (folder / "collection.json").read_bytes()
        steps.append(is_named)
        if is_named:
            assert (power.contents.get(inode), power.names.get(file.name)) == (file.read_bytes(), inode)

    power.look = look
    with power.watched():
        reader.append(rows_of([14]))
    assert {True, False} == set(steps)
    assert ids_in(folder) == list(range(15))
    assert file.name in (folder / "collection.json").read_text()
