"""HDF5 files, as ann-benchmarks has them: chosen datasets are read, links and bombs are not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embcodec import Embeddings, StorageError, load, load_ids, pack_bits, save

TRAIN = np.random.default_rng(2).standard_normal((3000, 24)).astype(np.float32)
NEIGHBORS = np.arange(20, dtype=np.int32).reshape(4, 5)


def test_without_h5py_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import embcodec.containers.hdf5 as containers

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(containers, "import_module", missing)
    (tmp_path / "a.hdf5").write_bytes(b"")
    with pytest.raises(StorageError, match=r"a .hdf5 file needs h5py, .*pip install 'embcodec\[hdf5\]'"):
        load(tmp_path / "a.hdf5")
    with pytest.raises(StorageError, match=r"a \.h5 file is read, not written"):
        save(tmp_path / "a.h5", TRAIN)


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("train", data=TRAIN)
        file.create_dataset("test", data=TRAIN[:4], compression="gzip", shuffle=True)
        file["neighbors"] = NEIGHBORS
        file["distances"] = NEIGHBORS.astype(np.float32)
        file["bits"] = TRAIN[:5] > 0
        file["half"] = TRAIN[:5].astype(np.float16)
        file["codes"] = TRAIN[:5].astype(np.int8)
        file["group/inner"] = TRAIN[:2].astype(">f8")
        file["names"] = ["a", "b"]
        file["one"] = TRAIN[0]
        file["linked"] = h5py.ExternalLink("/etc/hostname", "x")
        file["soft"] = h5py.SoftLink("/train")
        file["group/loop"] = file["group"]
        file["nothing"] = h5py.Empty("f4")
        file.create_dataset("elsewhere", (2, 2), "f4", external=[(str(tmp_path / "raw"), 0, 16)])
    return path


def test_datasets_of_a_benchmark(benchmark: Path) -> None:
    assert load(benchmark) == load(benchmark, column="train") == Embeddings(TRAIN)
    assert load(benchmark, column="test") == Embeddings(TRAIN[:4])
    assert load(benchmark, column="group/inner") == Embeddings(TRAIN[:2])
    assert load(benchmark, column="half") == Embeddings(TRAIN[:5].astype(np.float16))
    assert load(benchmark, column="bits") == Embeddings(pack_bits(TRAIN[:5] > 0), "ubinary", 24)
    assert load(benchmark, column="codes", output_dtype="int8").values.tolist() == TRAIN[:5].astype(np.int8).tolist()
    assert load_ids(benchmark).tolist() == NEIGHBORS.tolist()
    assert load(benchmark).values.flags.writeable
    for column, words in (
        ("neighbors", "int32 rows are no codes"),
        ("names", "'names' has elements of object"),
        ("one", r"column 'one' is of shape \(24,\)"),
        ("linked", "a link, which is not followed"),
        ("soft", "a link, which is not followed"),
        ("elsewhere", "elements in other files"),
        ("nothing", "which are not read"),
        ("gone", "no array 'gone'; the file holds "),
    ):
        with pytest.raises(StorageError, match=words):
            load(benchmark, column=column)
    with pytest.raises(StorageError, match="cannot be mapped"):
        load(benchmark, mmap=True)


def test_several_datasets_are_named(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"] = TRAIN[:2], TRAIN[:3]
    with pytest.raises(StorageError, match=r"a of shape \(2, 24\), b of shape .*; name one, as column='a'"):
        load(tmp_path / "a.h5")
    assert load(tmp_path / "a.h5", column="b") == Embeddings(TRAIN[:3])


def test_what_little_stands_for_much_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("x", (1 << 20, 1 << 10), "f4", chunks=(1 << 10, 1 << 10), compression="gzip")
    with pytest.raises(StorageError, match=r"dataset 'x' announces 4,294,967,296 bytes .* pass max_bytes="):
        load(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "b.hdf5", "w") as file:
        for number in range(300):
            file.create_group(str(number))
    with pytest.raises(StorageError, match="more than 256 datasets and groups"):
        load(tmp_path / "b.hdf5")


def test_damaged_files_are_refused(benchmark: Path) -> None:
    whole = benchmark.read_bytes()
    for data in (b"", b"junk", whole[:100], whole[: len(whole) // 2]):
        benchmark.write_bytes(data)
        with pytest.raises(StorageError, match=r"not a \.hdf5 file, or a damaged one"):
            load(benchmark)
    with pytest.raises(FileNotFoundError):
        load(benchmark.with_name("gone.hdf5"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_damage_is_refused_or_harmless(benchmark: Path, changes: list[tuple[float, int]]) -> None:
    data = bytearray(benchmark.read_bytes())
    for place, byte in changes:
        data[int(place * len(data))] = byte
    path = benchmark.with_name("damaged.hdf5")
    path.write_bytes(data)
    for column in ("train", "test", "group/inner"):
        with suppress(StorageError):
            load(path, column=column)
