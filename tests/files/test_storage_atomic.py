"""The one way in which files are written: privately, whole, in the target's mode, and without leaving anything."""

from __future__ import annotations

import ast
import errno
import gc
import os
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interrupting import Interrupt

import embcodec
from embcodec import Embeddings, FlatIndex, LowBitQuantizer, load, save
from embcodec.containers.atomic import SUFFIX, replacing

X = np.random.default_rng(5).standard_normal((30, 16)).astype(np.float32)
posix = pytest.mark.skipif(os.name != "posix", reason="modes, links and locks of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> object:
    before = os.umask(0o027)
    yield
    os.umask(before)


@posix
@pytest.mark.usefixtures("umask")
def test_nobody_else_can_read_what_is_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o604)
    with replacing(path) as file:
        temporary = Path(file.name)
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".a.")
        assert temporary.name.endswith(SUFFIX)
        assert mode(temporary) == 0o600
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert (path.read_bytes(), mode(path), os.listdir(tmp_path)) == (b"new", 0o604, ["a"])
    with replacing(tmp_path / "b") as file:
        pass
    assert mode(tmp_path / "b") == 0o640


@posix
def test_a_quantizer_is_written_as_all_files_are(tmp_path: Path) -> None:
    """Its temporary file cannot be foretold; mode and link stay."""
    quantizer = LowBitQuantizer(1, rotation="none").fit(X)
    precious, target, link = tmp_path / "precious", tmp_path / "q.npz", tmp_path / "link.npz"
    precious.write_bytes(b"precious")
    (tmp_path / f".q.npz.{os.getpid()}.part").symlink_to(precious)
    quantizer.save(target)
    target.chmod(0o640)
    link.symlink_to(target)
    quantizer.save(link)
    assert link.is_symlink()
    assert mode(target) == 0o640
    assert precious.read_bytes() == b"precious"
    with pytest.raises(FileNotFoundError, match="folder"):
        quantizer.save(tmp_path / "none" / "q.npz")


def test_many_writers_of_one_file(tmp_path: Path) -> None:
    quantizers = [LowBitQuantizer(2, rotation="random", seed=seed).fit(X) for seed in range(4)]
    path = tmp_path / "q.npz"
    quantizers[0].save(path)
    known = {quantizer.scheme.identity for quantizer in quantizers}
    failed: list[BaseException] = []

    def write(quantizer: LowBitQuantizer) -> None:
        try:
            for _ in range(10):
                quantizer.save(path)
                assert LowBitQuantizer.load(path).scheme.identity in known
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(quantizer,)) for quantizer in quantizers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert os.listdir(tmp_path) == ["q.npz"]


KILLED = """
import os, sys
from embcodec.containers.atomic import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    os._exit(9)
"""


@posix
def test_what_killed_writers_left_is_cleaned_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    left = [name for name in os.listdir(tmp_path) if name.endswith(SUFFIX)]
    assert len(left) == 1
    others = [
        f".b.npy.{'0' * 16}{SUFFIX}",
        f".a.npy.{'0' * 15}{SUFFIX}",
        f".a.npy.{'0' * 16}.tmp",
        "a.npy.embcodec-tmp",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"not ours")
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / f".a.npy.{'1' * 16}{SUFFIX}").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / f".a.npy.{'2' * 16}{SUFFIX}")
    with replacing(path) as writing:  # another one, in the middle of it
        writing.write(b"first")
        save(path, Embeddings(X))
        assert Path(writing.name).exists()
        assert not (tmp_path / left[0]).exists()
        assert load(path) == Embeddings(X)
    assert path.read_bytes() == b"first"
    odd = [f".a.npy.{'1' * 16}{SUFFIX}", f".a.npy.{'2' * 16}{SUFFIX}"]
    assert sorted(os.listdir(tmp_path)) == sorted(["a.npy", "precious", *others, *odd])


@posix
def test_a_folder_that_cannot_be_flushed_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fail_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not here")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_folders)
    save(tmp_path / "a.npy", Embeddings(X))
    assert load(tmp_path / "a.npy") == Embeddings(X)


@posix
def test_a_group_that_cannot_be_kept_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o664)
    real = os.stat

    def of_another_group(asked: object, *rest: object, **more: object) -> os.stat_result:
        found = real(asked, *rest, **more)  # type: ignore[arg-type]
        return os.stat_result([*found[:5], found.st_gid + 1, *found[6:]]) if asked == path else found

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "stat", of_another_group)
    monkeypatch.setattr(os, "fchown", refuse)
    with replacing(path) as file:
        file.write(b"new")
    monkeypatch.undo()
    assert (path.read_bytes(), mode(path)) == (b"new", 0o604)


@posix
def test_devices_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(OSError, match="cannot be replaced"), replacing(path):
            pass
        assert not path.is_file()


def test_long_names(tmp_path: Path) -> None:
    for name in ("a" * 251 + ".npy", "ü" * 120 + ".npy", "向" * 80 + ".npy"):
        save(tmp_path / name, Embeddings(X))
        assert load(tmp_path / name) == Embeddings(X)


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert os.listdir(tmp_path) == []


def test_nothing_else_in_the_package_writes_files() -> None:
    """Files are opened by `replacing` and its neighbours alone, but for two that grow, one that locks, and a copy."""
    package = Path(embcodec.__file__).parent
    found = []
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and writes(node):
                found.append(f"{path.relative_to(package).as_posix()}: {ast.unparse(node)}")
    assert sorted(found) == [
        "adapters/store.py: open(self.path, 'ab+', buffering=0)",
        "cli/command.py: open(os.devnull, 'w')",
        "containers/atomic.py: open(temporary, 'xb+', opener=_open_privately)",
        "containers/disk.py: io.FileIO(path, 'wb', opener=_open_as_it_is)",
        "containers/disk.py: open(path, 'r+b', buffering=0)",
        "containers/disk.py: open(path, 'xb', buffering=buffering)",
        "containers/npy.py: archive.open(entry, 'w', force_zip64=True)",
        "files/pieces/places.py: open(copy, 'wb')",
        "index/collection/lock.py: os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, 'O_CLOEXEC', 0), 438)",
        "index/collection/record.py: open(folder.path / NAME, 'ab+')",
    ]


def writes(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in ("write_bytes", "write_text", "tofile", "savez", "savez_compressed", "mkstemp", "NamedTemporaryFile"):
        return True
    if ast.unparse(node.func) == "os.open":
        return len(node.args) > 2  # with the mode of a file that is made
    modes = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    return name in ("open", "FileIO") and any(
        isinstance(value, str) and (value[:1] in "wxa" or "+" in value) for value in modes
    )


def test_an_index_too(tmp_path: Path) -> None:
    path = tmp_path / "i.safetensors"
    FlatIndex(X).save(path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError), replacing(path):
        raise RuntimeError
    assert path.read_bytes() == before


@posix
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("suffix", ["npz", "npy", "safetensors"])
def test_an_interrupted_save_leaves_nothing(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever Ctrl-C comes it is heard, the file is the old one or the new one, and no other lies beside it."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    rooms = (os.path.join(os.path.dirname(embcodec.__file__), "containers"),)
    path, at = tmp_path / f"a.{suffix}", 0
    save(path, X)
    contents = {path.read_bytes()}
    save(tmp_path / f"b.{suffix}", -X)
    contents.add((tmp_path / f"b.{suffix}").read_bytes())
    (tmp_path / f"b.{suffix}").unlink()
    while True:
        at += 1
        interrupt = Interrupt(at, rooms)
        if interrupt.raised_in(lambda: save(path, -X)) is None:
            break
        assert path.read_bytes() in contents, interrupt.place
        assert os.listdir(tmp_path) == [path.name], interrupt.place
        save(path, X)
    assert not interrupt.place, "it was not raised"
    assert at > 50


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of an archive that nobody closes
def test_ctrl_c_amid_a_member_of_an_archive_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """zipfile cannot close an archive then, which it says in place of the exception that came first."""
    begun, opened = [], zipfile.ZipFile.open

    def interrupted(*given: Any, **how: Any) -> None:
        begun.append(opened(*given, **how))
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "a.npz", X)
    assert os.listdir(tmp_path) == []
    del begun[:]
    gc.collect()
