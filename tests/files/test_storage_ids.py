"""The numbers of rows in files: ground truths, as the benchmarks have them."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embcodec import StorageError, load, load_ids

IDS = np.array([[3, 1, 4], [1, 5, 9]], np.int32)
HEADER = struct.pack("<II", 2, 3)


def written(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_every_kind_of_ground_truth(tmp_path: Path) -> None:
    vecs = b"".join(struct.pack("<i", 3) + row.tobytes() for row in IDS)
    paths = [
        written(tmp_path, "a.ibin", HEADER + IDS.tobytes()),
        written(tmp_path, "b.ibin", HEADER + IDS.tobytes() + bytes(24)),  # with distances
        written(tmp_path, "a.ivecs", vecs),
    ]
    for array in (IDS, IDS.astype(">u2"), np.asfortranarray(IDS)):
        np.save(tmp_path / "a.npy", array)
        assert load_ids(tmp_path / "a.npy").tolist() == IDS.tolist()
    np.savez(tmp_path / "a.npz", neighbors=IDS, distances=IDS.astype(np.float32), train=IDS)
    for path in (*paths, tmp_path / "a.npz"):
        found = load_ids(path)
        assert (found.tolist(), found.dtype) == (IDS.tolist(), np.int64)
        assert found.flags.writeable
    assert load_ids(tmp_path / "a.npz", column="train").tolist() == IDS.tolist()
    np.save(tmp_path / "a.npy", IDS[:, 0])
    assert load_ids(tmp_path / "a.npy").tolist() == [3, 1]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.ibin", HEADER + IDS.tobytes()[:-1], r"2 x 3 int32 are 32 bytes, or 56 with their distances, not 31"),
        ("a.ibin", HEADER + IDS.tobytes() + b"x", "or 56 with their distances, not 33"),
        ("a.ibin", b"1234567", "begins with 8 bytes of header; this one has 7"),
        ("a.ibin", struct.pack("<II", 1 << 31, 1 << 31), "int32 are"),
        ("a.ivecs", struct.pack("<ii", 2, 1), "rows of 2 dimensions take 12 bytes"),
        ("a.ivecs", b"", "has no row"),
        ("a.npy", b"junk", "not a .npy file"),
        ("a.hdf5", b"junk", "h5py|not a .hdf5 file"),
        ("a.txt", b"1 2", "unknown kind of file; numbers of rows are in .ibin, .ivecs, .npy"),
    ],
)
def test_damaged_ground_truths(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        load_ids(written(tmp_path, name, data))


def test_what_are_no_numbers_of_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", IDS.astype(np.float32))
    with pytest.raises(StorageError, match=r"integers, one or several a query, not float32 \(2, 3\)"):
        load_ids(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.full((1, 1), 1 << 63, np.uint64))
    with pytest.raises(StorageError, match="beyond int64"):
        load_ids(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", a=IDS, b=IDS)
    with pytest.raises(StorageError, match=r"one array of whole numbers .*; name one, as column='a'"):
        load_ids(tmp_path / "a.npz")
    with pytest.raises(StorageError, match=r"no array 'c'; the file holds a of int32 \(2, 3\), b of"):
        load_ids(tmp_path / "a.npz", column="c")
    with pytest.raises(StorageError, match="leave out column='c'"):
        load_ids(tmp_path / "a.npy", column="c")
    with pytest.raises(TypeError, match="column is a name"):
        load_ids(tmp_path / "a.npz", column=1)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="pass max_bytes="):
        load_ids(written(tmp_path, "a.ibin", HEADER + IDS.tobytes()), max_bytes=8)
    with pytest.raises(StorageError, match=r"load_ids\(path\) reads the numbers of rows"):
        load(tmp_path / "a.ibin")


@given(st.binary(max_size=80), st.sampled_from([".ibin", ".ivecs", ".npy"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(data)
    with suppress(StorageError):
        assert load_ids(path).nbytes <= 2 * len(data) + 64
