"""Files: everything comes back, damage is seen, a crash leaves the old file or the new one."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from embcodec.containers.atomic import replacing
from embcodec.containers.tensors import read_tensors, write_tensors
from embcodec.embeddings import Embeddings
from embcodec.errors import StorageError
from embcodec.files.kinds import SUFFIXES
from embcodec.files.storage import load, save
from embcodec.scale import Scale

TYPED = (".safetensors", ".npz", ".parquet")
random = np.random.default_rng(7)


def rows(n: int = 5, dimension: int = 18) -> dict[str, Embeddings]:
    """One matrix of every kind there is."""
    floats = random.standard_normal((n, dimension)).astype(np.float32)
    signed = random.integers(-128, 128, (n, dimension)).astype(np.int8)
    plain = random.integers(0, 256, (n, dimension)).astype(np.uint8)
    msb = np.packbits(floats > 0, axis=1)
    lsb = np.packbits(floats > 0, axis=1, bitorder="little")
    scales = Scale.per_vector(random.random(n) + 0.1)
    ranges = Scale.ranges([[-1.0] * dimension, [1.5] * dimension])
    return {
        "float": Embeddings(floats, "float"),
        "int8 unit": Embeddings(signed, "int8"),
        "int8 per-vector": Embeddings(signed, "int8", scale=scales),
        "int8 ranges": Embeddings(signed, "int8", scale=ranges),
        "uint8 unit": Embeddings(plain, "uint8"),
        "uint8 per-vector": Embeddings(plain, "uint8", scale=scales),
        "uint8 ranges": Embeddings(plain, "uint8", scale=ranges),
        "ubinary": Embeddings(msb, "ubinary", dimension),
        "ubinary lsb": Embeddings(lsb, "ubinary", dimension, bit_order="lsb"),
        "binary": Embeddings((msb ^ 0x80).view(np.int8), "binary", dimension),
        "binary twos-complement": Embeddings(msb.view(np.int8), "binary", dimension, signed_bytes="twos-complement"),
    }


BARE = {
    ".fbin": "float",
    ".fvecs": "float",
    ".u8bin": "uint8 unit",
    ".bvecs": "uint8 unit",
    ".i8bin": "int8 unit",
}
EVERY = [(kind, suffix) for suffix in TYPED for kind in rows()] + [(kind, suffix) for suffix, kind in BARE.items()]
EVERY.append(("float", ".npy"))


@pytest.mark.parametrize(("kind", "suffix"), EVERY)
def test_round_trip(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    for n, dimension in ((5, 18), (1, 1), (33, 64)):
        original = rows(n, dimension)[kind]
        save(path, original)
        found = load(path)
        assert found == original
        assert (found.signed_bytes, found.bit_order) == (original.signed_bytes, original.bit_order)
        assert found.values.flags.writeable
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".parquet", ".npy", ".fbin"])
def test_no_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    original = Embeddings(np.empty((0, 12), np.float32))
    save(path, original)
    assert load(path) == original
    if suffix in (".safetensors", ".npy", ".fbin"):
        assert load(path, mmap=True) == original


@pytest.mark.parametrize(
    ("kind", "suffix"), [(k, ".safetensors") for k in rows()] + [("float", ".npy"), ("float", ".fbin")]
)
def test_mapped(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    original = rows()[kind]
    save(path, original)
    found = load(path, mmap=True)
    assert found == original
    assert not found.values.flags.writeable
    assert not found.values.flags.owndata


@pytest.mark.parametrize("kind", ["int8 unit", "uint8 unit", "ubinary", "binary"])
def test_integers_in_npy_need_a_word(tmp_path: Path, kind: str) -> None:
    original = rows(dimension=24)[kind]
    save(tmp_path / "rows.npy", original)
    with pytest.raises(StorageError, match="output_dtype"):
        load(tmp_path / "rows.npy")
    assert load(tmp_path / "rows.npy", output_dtype=original.output_dtype) == original


@pytest.mark.parametrize("kind", ["ubinary", "binary"])
@pytest.mark.parametrize("dimension", [1, 12, 18, 31])
def test_bits_that_do_not_fill_their_bytes_need_a_file_that_says_so(tmp_path: Path, kind: str, dimension: int) -> None:
    """Read from a .npy file they would have the dimensions of whole bytes, and other scores."""
    original = rows(dimension=dimension)[kind]
    with pytest.raises(StorageError, match=rf"no room for a dimension of {dimension}; use \.safetensors"):
        save(tmp_path / "rows.npy", original)
    assert os.listdir(tmp_path) == []
    np.save(tmp_path / "rows.npy", original.values)
    assert load(tmp_path / "rows.npy", output_dtype=original.output_dtype, dimension=dimension) == original


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("int8 per-vector", ".npy"),
        ("uint8 ranges", ".u8bin"),
        ("ubinary", ".u8bin"),
        ("binary", ".i8bin"),
        ("float", ".bvecs"),
        ("int8 unit", ".fvecs"),
        ("ubinary lsb", ".npy"),
        ("ubinary", ".npy"),
        ("float", ".pkl"),
        ("float", ""),
    ],
)
def test_what_would_be_lost_is_refused(tmp_path: Path, kind: str, suffix: str) -> None:
    with pytest.raises(StorageError):
        save(tmp_path / f"rows{suffix}", rows()[kind])
    assert os.listdir(tmp_path) == []


def test_exact_layouts(tmp_path: Path) -> None:
    values = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    save(tmp_path / "a.fbin", Embeddings(values))
    assert (tmp_path / "a.fbin").read_bytes() == struct.pack("<II6f", 2, 3, *range(1, 7))
    save(tmp_path / "a.fvecs", Embeddings(values))
    assert (tmp_path / "a.fvecs").read_bytes() == struct.pack("<i3fi3f", 3, 1, 2, 3, 3, 4, 5, 6)
    save(tmp_path / "a.bvecs", Embeddings(values.astype(np.uint8), "uint8"))
    assert (tmp_path / "a.bvecs").read_bytes() == struct.pack("<i3Bi3B", 3, 1, 2, 3, 3, 4, 5, 6)
    save(tmp_path / "a.i8bin", Embeddings(-values.astype(np.int8), "int8"))
    assert (tmp_path / "a.i8bin").read_bytes() == struct.pack("<II6b", 2, 3, -1, -2, -3, -4, -5, -6)


def test_files_of_other_libraries(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    values = random.standard_normal((4, 6)).astype(np.float32)
    library.save_file({"weights": values}, tmp_path / "a.safetensors", metadata={"format": "np"})
    assert np.array_equal(load(tmp_path / "a.safetensors").values, values)
    library.save_file({"a": values, "b": values}, tmp_path / "b.safetensors")
    with pytest.raises(StorageError, match="one matrix"):
        load(tmp_path / "b.safetensors")
    for kind, original in rows().items():
        save(tmp_path / "c.safetensors", original)
        assert np.array_equal(library.load_file(tmp_path / "c.safetensors")["values"], original.values), kind
    np.savez_compressed(tmp_path / "d.npz", vectors=values)
    assert np.array_equal(load(tmp_path / "d.npz").values, values)
    np.save(tmp_path / "e.npy", np.asfortranarray(values.astype(">f8")))
    assert np.array_equal(load(tmp_path / "e.npy").values, values)
    np.save(tmp_path / "f.npy", values.astype(np.float16))
    assert np.array_equal(load(tmp_path / "f.npy").values, values.astype(np.float16).astype(np.float32))


def test_foreign_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    def write(**columns: object) -> Path:
        parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
        return tmp_path / "a.parquet"

    values = [[1.0, 2.0], [3.0, 4.0]]
    assert load(write(text=["a", "b"], vector=values)).values.tolist() == values
    assert load(write(one=values, two=[[0.0], [1.0]]), column="two").dimension == 1
    for damaged in (
        {"v": [[1.0], [1.0, 2.0]]},
        {"v": [[1.0], None]},
        {"v": [[1.0], [None]]},
        {"v": [1.0, 2.0]},
    ):
        with pytest.raises(StorageError):
            load(write(**damaged))
    with pytest.raises(StorageError, match="which column"):
        load(write(one=values, two=values))


def test_pickles_are_never_read(tmp_path: Path) -> None:
    objects = np.array([[{}]], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", values=objects, allow_pickle=True)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(StorageError):
            load(tmp_path / name)


SMALL = [("int8 per-vector", suffix) for suffix in TYPED] + [
    ("float", ".npy"),
    *((k, s) for s, k in BARE.items()),
]


@pytest.mark.parametrize(("kind", "suffix"), SMALL)
def test_truncated_at_every_byte(folder_in_memory: Path, kind: str, suffix: str) -> None:
    path = folder_in_memory / f"rows{suffix}"
    original = rows(3, 5)[kind]
    save(path, original)
    whole = path.read_bytes()
    record = len(whole) // 3
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if suffix in (".fvecs", ".bvecs") and length and length % record == 0:
            assert load(path) == original[: length // record]  # such a cut cannot be seen
            continue
        with pytest.raises(StorageError):
            load(path)
    path.write_bytes(whole + b"\0")
    if suffix not in (".npz", ".parquet"):
        with pytest.raises(StorageError):
            load(path)


@pytest.mark.parametrize(("kind", "suffix"), SMALL)
def test_every_bit_flipped(folder_in_memory: Path, kind: str, suffix: str) -> None:
    path = folder_in_memory / f"rows{suffix}"
    original = rows(2, 3)[kind]
    save(path, original)
    whole = bytearray(path.read_bytes())
    flips = [(byte, bit) for byte in range(len(whole)) for bit in range(8)]
    if len(flips) > 4000:
        flips = [flips[i] for i in random.choice(len(flips), 1500, replace=False)]
    for byte, bit in flips:
        whole[byte] ^= 1 << bit
        path.write_bytes(whole)
        whole[byte] ^= 1 << bit
        try:
            found = load(path)
        except StorageError:
            continue
        if suffix == ".safetensors":
            pytest.fail(f"bit {bit} of byte {byte} of the file changed unseen")
        if suffix in (".npz", ".parquet"):
            assert found == original
        assert found.values.nbytes <= len(whole) * 64


@pytest.mark.parametrize("mmap", [False, True])
def test_header_flips_are_seen_when_mapped(folder_in_memory: Path, mmap: bool) -> None:
    path = folder_in_memory / "rows.safetensors"
    save(path, rows(2, 3)["ubinary"])
    whole = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", whole)
    for byte in range(8 + length):
        whole[byte] ^= 1
        path.write_bytes(whole)
        whole[byte] ^= 1
        with pytest.raises(StorageError):
            load(path, mmap=mmap)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".fbin", struct.pack("<II", 1 << 31, 1 << 31)),
        (".fbin", struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF) + bytes(64)),
        (".fvecs", struct.pack("<i", -1) + bytes(60)),
        (".fvecs", struct.pack("<i", 0x7FFFFFFF) + bytes(60)),
        (".safetensors", struct.pack("<Q", 1 << 62) + b"{}"),
        (".safetensors", struct.pack("<Q", 8) + b"[[[[[[[["),
        (".safetensors", struct.pack("<Q", 50000) + b"[" * 50000),
        (".safetensors", struct.pack("<Q", 2) + b"{}"),
        (".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", 9000) + b"(" * 9000),
        (
            ".npy",
            b"\x93NUMPY\x01\x00v\x00"
            + b"{'descr':'<f4','fortran_order':False,'shape':(99999999999,8)}".ljust(117)
            + b"\n",
        ),
        (".npz", b"PK\x05\x06" + bytes(18)),
        (".parquet", b"PAR1" + bytes(40) + b"PAR1"),
    ],
)
def test_hostile_headers_cost_nothing(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(content)
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet")
    tracemalloc.start()
    try:
        with pytest.raises(StorageError):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < len(content) + (4 << 20)
    finally:
        tracemalloc.stop()


def test_bomb_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", values=np.zeros((4096, 4096), np.float32))
    with pytest.raises(StorageError, match="refused"):
        load(tmp_path / "a.npz")


def test_a_name_given_twice(tmp_path: Path) -> None:
    entry = b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    text = b"{" + entry + b"," + entry + b"}"
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0")
    with pytest.raises(StorageError, match="twice"):
        read_tensors(tmp_path / "a.safetensors")


def test_tensors_keep_names_and_words(tmp_path: Path) -> None:
    tensors = {"ids": np.arange(5), "codes": np.ones((5, 3), np.int8), "half": np.ones(3, np.float16)}
    write_tensors(tmp_path / "a.safetensors", tensors, {"kind": "index", "word": "Grüße"})
    for mmap in (False, True):
        found, words = read_tensors(tmp_path / "a.safetensors", mmap=mmap)
        assert words == {"kind": "index", "word": "Grüße"}
        assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
            name: (array.dtype, array.tolist()) for name, array in tensors.items()
        }


def test_words_that_look_like_a_checksum(tmp_path: Path) -> None:
    words = {"a": '"data_checksum": "00000000"', "data": "00000000", "z": '", "data_checksum": "00000000'}
    for step, count in enumerate((1, 1_000, 100_000)):
        tensors = {"codes": np.arange(count, dtype=np.uint8), "wide": np.full(count, step / 3)}
        write_tensors(tmp_path / "a.safetensors", tensors, words)
        found, said = read_tensors(tmp_path / "a.safetensors")
        assert said == words
        assert {name: array.tolist() for name, array in found.items()} == {
            name: array.tolist() for name, array in tensors.items()
        }


@pytest.mark.skipif(not hasattr(os, "pwritev"), reason="calls of several parts")
@pytest.mark.parametrize("most", [1, 7, 100, 1 << 20])
def test_calls_that_take_a_part_of_what_they_are_given(
    tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda file, parts, at: real(file, [b"".join(parts)[:most]], at))
    tensors = {"a": np.arange(50), "empty": np.empty((0, 3), np.float32), "b": np.arange(30, dtype=np.uint8)}
    write_tensors(tmp_path / "a.safetensors", tensors, {})
    found, _ = read_tensors(tmp_path / "a.safetensors")
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in tensors.items()
    }
    monkeypatch.delattr(os, "pwritev")
    write_tensors(tmp_path / "b.safetensors", tensors, {})
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("step", ["fsync", "replace", "write"])
def test_a_failed_step_leaves_the_old_file(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.safetensors"
    old, new = rows()["float"], rows()["int8 unit"]
    save(path, old)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "write":
        monkeypatch.setattr("embcodec.files.storage.write_tensors_to", fail)
    else:
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        save(path, new)
    monkeypatch.undo()
    assert load(path) == old
    assert os.listdir(tmp_path) == [path.name]


FULL = """
import resource, signal, sys
import numpy as np
from embcodec.embeddings import Embeddings
from embcodec.files.storage import load, save
path, old, new = sys.argv[1], *(Embeddings(np.full((200, 16), value, np.float32)) for value in (1, 2))
save(path, old)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for room in (0, 1, 8, 100, 400, 4096, 12000, 12799, 12800):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        save(path, new)
    except OSError:
        assert load(path) == old, room
    else:
        raise SystemExit(f"{room} bytes cannot hold it")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
save(path, new)
assert load(path) == new
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
@pytest.mark.parametrize("suffix", [".safetensors", ".npy", ".npz", ".fvecs"])
def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path) == [path.name]


def test_mode_and_link_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target.npy", tmp_path / "link.npy"
    save(target, rows()["float"])
    target.chmod(0o640)
    link.symlink_to(target)
    save(link, rows()["float"])
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    with pytest.raises(IsADirectoryError), replacing(tmp_path):
        pass


KILLED = """
import sys, numpy as np
from embcodec.embeddings import Embeddings
from embcodec.files.storage import save
kinds = [Embeddings(np.full((2000, 64), value, np.float32)) for value in (1, 2)]
save(sys.argv[1], kinds[0])
print("ready", flush=True)
while True:
    for kind in kinds:
        save(sys.argv[1], kind)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".fvecs"])
def test_killed_during_save(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    for delay in random.uniform(0, 0.02, 3):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        found = load(path)
        assert found.values.shape == (2000, 64)
        assert found.values[0, 0] in (1, 2)
        assert (found.values == found.values[0, 0]).all()


def test_errors_name_the_file_and_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "one.npy"
    np.save(path, np.zeros(7, np.float32))
    holds = r"the file holds values of shape \(7,\); one row by itself is saved as row\[None\]"
    with pytest.raises(StorageError, match=rf"^{re.escape(str(path))}: one matrix, .* {holds}$"):
        load(path)
    save(path, np.zeros((2, 7)))
    assert load(path) == Embeddings(np.zeros((2, 7)))
    with pytest.raises(TypeError, match=r"bare array of int64, .*Embeddings\(values, "):
        save(path, np.zeros((2, 7), np.int64))
    with pytest.raises(TypeError, match=r"a list of int64, .*pass np\.asarray\(rows, np\.float32\)"):
        save(path, [[0, 1]])


def test_every_suffix_has_a_round_trip() -> None:
    assert {suffix for _, suffix in EVERY} == set(SUFFIXES)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nodir" / "x.npy"
    with pytest.raises(FileNotFoundError, match=r"folder .*nodir does not exist") as caught:
        save(path, Embeddings([[1.0]]))
    assert caught.value.filename == str(path)
