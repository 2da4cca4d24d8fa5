"""What files ask for, against what they are: memory is bounded, honest files pass, impossible shapes are refused."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_files import (
    memory_within,
    npy,
    npy_of,
    npz_of_overlapping_members,
    parquet_of_one_long_row,
    safetensors_of,
)

from embcodec import (
    EmbcodecError,
    Embeddings,
    FlatIndex,
    LowBitQuantizer,
    Scale,
    StorageError,
    iter_load,
    load,
    load_ids,
    quantize,
    save,
    search_files,
)
from embcodec.containers.checks import FREE_BYTES
from embcodec.containers.tensors import read_tensors, write_tensors

X = np.random.default_rng(3).standard_normal((40, 24)).astype(np.float32)
MIB = 1 << 20


def overlapping(path: Path) -> None:
    npz_of_overlapping_members(path, np.zeros((1200, 1024), np.float32), 60)


def one_large_member(path: Path) -> None:
    np.savez_compressed(path, values=np.zeros((70, 1 << 18), np.float32))


def one_long_row(path: Path) -> None:
    parquet_of_one_long_row(path, 17_000_000)


def one_long_row_that_is_denied(path: Path) -> None:
    parquet_of_one_long_row(path, 17_000_000, 3_000_000)


def many_null_rows(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    kind = pyarrow.list_(pyarrow.float32(), 1 << 14)
    parquet.write_table(pyarrow.table({"v": pyarrow.nulls(2000, kind)}), path)


BOMBS = [
    (overlapping, ".npz", "members overlap"),
    (one_large_member, ".npz", "refused"),
    (one_long_row, ".parquet", "refused"),
    (one_long_row_that_is_denied, ".parquet", "3000000 values of column .* are announced, its pages hold 17000000"),
    (many_null_rows, ".parquet", "refused"),
]


@pytest.mark.parametrize(("make", "suffix", "words"), BOMBS, ids=lambda value: getattr(value, "__name__", ""))
def test_bombs_cost_nothing(tmp_path: Path, make: Any, suffix: str, words: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow.parquet")
    path = tmp_path / f"bomb{suffix}"
    make(path)
    assert path.stat().st_size < MIB
    with memory_within(8 * MIB), pytest.raises(StorageError, match=words):
        load(path)


def test_a_quantizer_is_no_bomb_either(tmp_path: Path) -> None:
    path = tmp_path / "q.npz"
    np.savez_compressed(path, settings=np.zeros(10_000_000, np.int64))
    with memory_within(8 * MIB), pytest.raises(StorageError, match="refused"):
        LowBitQuantizer.load(path)


@pytest.mark.parametrize("encoding", ["dictionary", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize(("width", "words"), [(1, "holds string, not numbers"), (2, "holds lists of string, not of")])
def test_bytes_of_parquet_are_refused_undecoded(tmp_path: Path, encoding: str, width: int, words: str) -> None:
    """One long text stands for many rows: a dictionary's only entry, or what each begins with."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = pyarrow.array(["x" * (1 << 19)] * 40)
    rows = rows if width == 1 else pyarrow.FixedSizeListArray.from_arrays(rows, width)
    leaf = "embedding" if width == 1 else "embedding.list.element"
    options = {} if encoding == "dictionary" else {"use_dictionary": False, "column_encoding": {leaf: encoding}}
    path = tmp_path / "bomb.parquet"
    parquet.write_table(pyarrow.table({"embedding": rows}), path, **options)
    assert path.stat().st_size < MIB
    with memory_within(8 * MIB), pytest.raises(StorageError, match=f"column 'embedding': the column {words}"):
        load(path, column="embedding")


def test_the_way_that_a_refusal_names_leads_on(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet")
    zeros = np.zeros((17_000, 1024), np.float32)
    np.savez_compressed(tmp_path / "a.npz", values=zeros)
    from pyarrow import parquet, table

    parquet.write_table(table({"vector": list(zeros)}), tmp_path / "a.parquet")
    for name in ("a.npz", "a.parquet"):
        with pytest.raises(StorageError, match=r"max_bytes=\d+") as caught:
            load(tmp_path / name)
        named = re.search(r"max_bytes=(\d+)", str(caught.value))
        assert named is not None
        assert np.array_equal(load(tmp_path / name, max_bytes=int(named[1])).values, zeros)
        with pytest.raises(StorageError, match="refused"):
            load(tmp_path / name, max_bytes=int(named[1]) - 1)


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_small_files_that_compress_well_are_honest(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    for values in (np.zeros((900, 384), np.float32), np.tile(X[:1], (9000, 1)), np.eye(400, dtype=np.float32)):
        if suffix == ".npz":
            np.savez_compressed(path, embeddings=values)
        else:
            parquet = pytest.importorskip("pyarrow.parquet")
            parquet.write_table(pytest.importorskip("pyarrow").table({"embedding": list(values)}), path)
        assert values.nbytes < FREE_BYTES
        assert np.array_equal(load(path).values, values)


@pytest.mark.parametrize("suffix", [".safetensors", ".npy", ".fbin", ".fvecs", ".npz", ".parquet"])
def test_any_file_can_be_given_a_limit(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save(path, Embeddings(X))
    assert load(path, max_bytes=10**6) == Embeddings(X)
    with pytest.raises(StorageError, match="max_bytes="):
        load(path, max_bytes=1000)
    with pytest.raises(TypeError, match="max_bytes"):
        load(path, max_bytes="1 GB")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_bytes"):
        load(path, max_bytes=-1)


def test_what_is_inflated_without_a_bound_is_not_read(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
            archive.writestr("values.npy", npy(X))
        with pytest.raises(StorageError, match="method that is not read"):
            load(tmp_path / "a.npz")


IMPOSSIBLE = [
    (".npy", npy_of(f"({1 << 62},0)")),
    (".npy", npy_of(f"({1 << 40},0,{1 << 40})")),
    (".npy", npy_of("(" + "1," * 70 + ")", bytes(4))),
    (".npy", npy_of("(-1,4)")),
    (".npy", npy_of("(True,1)", bytes(4))),
    (".npy", npy_of(f"({1 << 40},0)")),
    (".safetensors", safetensors_of([1 << 62, 0], 0)),
    (".safetensors", safetensors_of([1] * 70, 4)),
    (".safetensors", safetensors_of([1 << 40, 0, 1 << 40], 0)),
    (".fbin", struct.pack("<II", (1 << 32) - 1, 0)),
]


@pytest.mark.parametrize(("suffix", "content"), IMPOSSIBLE)
def test_shapes_that_cannot_be(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    for mmap in (False, True):
        with pytest.raises(StorageError, match=re.escape(str(path))):
            load(path, mmap=mmap)


def test_a_row_of_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.fvecs"
    with path.open("wb") as file:  # with a hole in it
        file.write(struct.pack("<i", 1 << 29))
        file.truncate(4 + (4 << 29))
    with memory_within(8 * MIB), pytest.raises(StorageError, match="536870912 dimensions"):
        load(path)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    no_text = np.array([0x110000, 0xFFFFFFFF], "<u4").view("<U2")
    np.savez(tmp_path / "a.npz", values=X, embcodec=no_text.reshape(()))
    with pytest.raises(StorageError, match="metadata"):
        load(tmp_path / "a.npz")
    save(tmp_path / "c.npz", quantize(X, "ubinary"))
    with np.load(tmp_path / "c.npz") as file:
        arrays = {name: file[name] for name in file.files}
    words = arrays["embcodec"].reshape(1).view("<u4").copy()
    words[str(arrays["embcodec"]).index("offset")] = 0x110000
    np.savez(tmp_path / "c.npz", **{**arrays, "embcodec": words.view(arrays["embcodec"].dtype).reshape(())})
    with pytest.raises(StorageError, match="metadata"):
        load(tmp_path / "c.npz")
    LowBitQuantizer(2, rotation="none").fit(X).save(tmp_path / "q.npz")
    with np.load(tmp_path / "q.npz") as file:
        arrays = {name: file[name] for name in file.files}
    for name in ("names", "format"):
        np.savez(tmp_path / "b.npz", **{**arrays, name: np.repeat(no_text, len(arrays[name]))})
        with pytest.raises(StorageError, match="no low-bit quantizer"):
            LowBitQuantizer.load(tmp_path / "b.npz")


@pytest.mark.parametrize("scale", [1e308, 3e38, -1.0, 0.0, np.nan, np.inf])
def test_scales_that_cannot_be(tmp_path: Path, scale: float) -> None:
    codes = quantize(X, "int8", scale="per-vector")
    save(tmp_path / "a.safetensors", codes)
    tensors, words = read_tensors(tmp_path / "a.safetensors")
    for dtype in (np.float32, np.float64):
        with np.errstate(over="ignore"):
            scales = np.r_[tensors["scale"][:-1], scale].astype(dtype)
        write_tensors(tmp_path / "b.safetensors", {**tensors, "scale": scales}, words)
        with pytest.raises(StorageError, match=r"b\.safetensors: .*scale"):
            load(tmp_path / "b.safetensors")


def test_scales_that_could_not_be_read_are_not_written(tmp_path: Path) -> None:
    largest = quantize(np.full((2, 3), np.finfo(np.float32).max, np.float32), "int8", scale="per-vector")
    save(tmp_path / "a.safetensors", largest)
    assert load(tmp_path / "a.safetensors") == largest
    with pytest.raises(StorageError, match="the scale of row 1"):
        save(tmp_path / "b.npz", Embeddings(np.ones((2, 3), np.int8), "int8", scale=Scale.per_vector([1, 3e38])))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": np.full(40, 2**63 - 1, np.int64)}, r"0 \.\. 2\*\*63 - 2"),
        ({"ids": np.arange(40, dtype=np.uint64)}, "ids of uint64"),
        ({"ids": np.arange(39)}, "ids have shape"),
        ({"ids": np.zeros(40, np.int64)}, "given twice"),
        ({"ids": np.arange(40) - 1}, "ids must be"),
        ({"ids": None}, "40 rows without ids, and 1000 for the next"),
        ({"next_id": "7"}, "next id is taken"),
        ({"next_id": "9999999999999999999"}, "next_id"),
        ({"next_id": "٣"}, "next_id"),
        ({"next_id": None}, "next id"),
        ({"codes.values": np.full((40, 24), np.nan, np.float32)}, "NaN"),
        ({"index": "embcodec index 9"}, "not an index of format"),
    ],
)
def test_an_index_that_contradicts_itself(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    index = FlatIndex(X, ids=np.arange(40) + 960)
    index.save(tmp_path / "a.safetensors")
    tensors, texts = read_tensors(tmp_path / "a.safetensors")
    for name, value in change.items():
        target: dict[str, Any] = tensors if name in tensors else texts
        del target[name]
        if value is not None:
            target[name] = value
    write_tensors(tmp_path / "b.safetensors", tensors, texts)
    with pytest.raises(StorageError, match=rf"b\.safetensors: .*{words}"):
        FlatIndex.load(tmp_path / "b.safetensors")


def test_the_last_id(tmp_path: Path) -> None:
    index = FlatIndex(X, ids=[*range(39), 2**63 - 2])
    index.save(tmp_path / "a.safetensors")
    found = FlatIndex.load(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="no whole numbers are left"):
        found.add(X)
    assert found.add(X[:1], ids=[77]).tolist() == [77]


def test_the_way_that_a_command_names_leads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from embcodec.cli.command import main

    monkeypatch.setattr("embcodec.containers.checks.FREE_BYTES", 1000)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, values=np.zeros((1000, 64), np.float32))
    refused = CliRunner().invoke(main, ["info", str(path)])
    named = re.search(r"set EMBCODEC_MAX_BYTES=(\d+)", refused.output)
    assert refused.exit_code == 1
    assert named is not None
    assert CliRunner().invoke(main, ["info", str(path)], env={"EMBCODEC_MAX_BYTES": named[1]}).exit_code == 0
    assert CliRunner().invoke(main, ["info", str(path)], env={"EMBCODEC_MAX_BYTES": "lots"}).exit_code == 2


def test_a_file_that_cannot_be_mapped_says_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr("mmap.mmap", fail)
    for name in ("a.safetensors", "a.npy", "a.fbin"):
        save(tmp_path / name, Embeddings(X))
        with pytest.raises(StorageError, match=r"cannot be mapped .*No such device.*: read it, with mmap=False"):
            load(tmp_path / name, mmap=True)
        assert load(tmp_path / name, mmap=False) == Embeddings(X)


EDGES = (0, 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 59, 1 << 60, 1 << 61, 1 << 62, 1 << 63, (1 << 64) - 1)
"""Lengths of axes at which a product, a type of NumPy's or a header's field ends."""


def announcing(shape: tuple[int, int], data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield files of every kind that announce a matrix of that shape, and hold `data` instead."""
    for suffix in (".fbin", ".u8bin", ".i8bin", ".ibin"):
        if max(shape) < 1 << 32:
            yield suffix, struct.pack("<II", *shape) + data
        yield suffix, struct.pack("<QQ", *shape) + data
    for suffix in (".fvecs", ".bvecs", ".ivecs"):
        yield suffix, struct.pack("<I", shape[0] % (1 << 32)) + data
    for dtype in ("|u1", "<f2", "<f4", "<f8", "<i8", "|V2", "<U0"):
        for fortran in {shape[0] >= shape[1], shape[0] > shape[1]}:
            text = f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}".ljust(117) + "\n"
            yield ".npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + data
    for dtype in ("F64", "F32", "BF16", "F16", "F8_E4M3", "I8", "U8", "I64"):
        header = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
        yield ".safetensors", struct.pack("<Q", len(header)) + header + data


def readers() -> dict[str, Callable[[Path], object]]:
    return {
        "load": load,
        "load, mapped": lambda path: load(path, mmap=True),
        "load, float_dtype": lambda path: load(path, float_dtype="bfloat16"),
        "iter_load": lambda path: list(islice(iter_load(path), 3)),
        "load_ids": load_ids,
        "search_files": lambda path: search_files(np.ones((1, 4), np.float32), [path], 1),
    }


@pytest.mark.parametrize("rows", EDGES)
def test_shapes_at_every_edge(folder_in_memory: Path, rows: int) -> None:
    """Files whose bytes are too few, or none, for what they announce: an error of ours each time, or no rows."""
    for columns, data in product(EDGES, (b"", bytes(16))):
        for suffix, file in announcing((rows, columns), data):
            path = folder_in_memory / f"x{suffix}"
            path.write_bytes(file)
            for read in readers().values():
                with suppress(EmbcodecError):
                    read(path)


def test_parquet_is_written_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.parquet

    monkeypatch.setattr("embcodec.files.parquet._GROUP_BYTES", 10 * 24 * 4)
    save(tmp_path / "x.parquet", X)
    assert pyarrow.parquet.ParquetFile(tmp_path / "x.parquet").num_row_groups == 4
    np.testing.assert_array_equal(load(tmp_path / "x.parquet").values, X)  # type: ignore[union-attr]
