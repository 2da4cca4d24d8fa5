"""Files of others: what can be read is, what cannot is named for what it is, and a column is the one asked for."""

from __future__ import annotations

import decimal
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow.parquet
import pytest
from safetensors.numpy import save_file

from embcodec import Embeddings, Scale, StorageError, from_arrow, iter_load, load, load_ids, pack_bits, quantize, save

ROWS = np.array([[1.0, 2.0, -0.5], [3.0, 4.0, 0.25]], np.float32)


def write_safetensors(path: Path, **tensors: tuple[str, list[int], bytes]) -> Path:
    header: dict[str, Any] = {}
    data = b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def bfloat16(x: np.ndarray) -> np.ndarray:
    return (x.view(np.uint32) >> 16).astype("<u2")


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("kind", ["BF16", "F16", "F8_E4M3", "F8_E5M2", "F64"])
def test_safetensors_of_other_floats(tmp_path: Path, kind: str, mmap: bool) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtypes = {
        "BF16": ml_dtypes.bfloat16,
        "F16": np.float16,
        "F8_E4M3": ml_dtypes.float8_e4m3fn,
        "F8_E5M2": ml_dtypes.float8_e5m2,
        "F64": np.float64,
    }
    x = np.random.default_rng(3).standard_normal((7, 5)).astype(dtypes[kind])
    path = write_safetensors(
        tmp_path / "a.safetensors",
        odd=("U8", [3], b"123"),  # so that what follows lies at an odd place
        embeddings=(kind, [7, 5], x.tobytes()),
    )
    found = load(path, mmap=mmap)
    assert isinstance(found, Embeddings)
    assert np.array_equal(found.values, x.astype(np.float32))


def test_safetensors_of_more_than_a_matrix(tmp_path: Path) -> None:
    others: dict[str, tuple[str, list[int], bytes]] = {
        "flags": ("F6", [2, 3], b"\1\0\1\0\1\1"),
        "mask": ("BOOL", [2, 3], b"\1\0\1\0\1\1"),
        "wave": ("C64", [1, 2], bytes(16)),
        "four": ("F4", [2, 4], bytes(4)),
        "ids": ("I64", [2, 1], np.arange(2).tobytes()),
        "bias": ("F32", [3], bytes(12)),
    }
    path = tmp_path / "a.safetensors"
    write_safetensors(path, **others, embeddings=("F32", [2, 3], ROWS.tobytes()))
    for mmap in (False, True):
        assert load(path, mmap=mmap) == load(path, mmap=mmap, column="embeddings") == Embeddings(ROWS)
        for name, words in (
            ("four", "'four' has elements of F4"),
            ("flags", "'flags' has elements of F6"),
            ("bias", r"column 'bias' is of shape \(3,\)"),
            ("ids", "int64 rows are no codes"),
            ("rows", r"no array 'rows'; the file holds .*embeddings of shape \(2, 3\)"),
        ):
            with pytest.raises(StorageError, match=words):
                load(path, mmap=mmap, column=name)
        assert load(path, mmap=mmap, column="mask").to_float().tolist() == [[1, -1, 1], [-1, 1, 1]]
    write_safetensors(path, **{name: others[name] for name in ("four", "flags")})
    with pytest.raises(StorageError, match=r"the file holds four \(elements of F4.*flags \(elements of F6"):
        load(path)
    write_safetensors(path, train=("BF16", [2, 3], bfloat16(ROWS).tobytes()), test=("F32", [1, 3], ROWS[:1].tobytes()))
    with pytest.raises(StorageError, match=r"train of shape .*test of shape .*name one, as column='train'"):
        load(path)
    assert load(path, column="train") == Embeddings(ROWS)
    assert load(path, column="test") == Embeddings(ROWS[:1])
    for damaged in ({"four": ("F4", [2, 4], bytes(4))}, {"x": ("BF16", [2, 3], bytes(11))}):
        write_safetensors(path, **damaged)
        if "four" in damaged:
            path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(StorageError, match=r"announced|do not agree"):
            load(path)


def test_npz_of_more_than_a_matrix(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    words = np.array(["a", "b"], object)
    np.savez(path, embeddings=ROWS, words=words, ids=np.arange(2), names=np.array(["a", "b"]))
    assert load(path) == load(path, column="embeddings") == Embeddings(ROWS)
    with pytest.raises(StorageError, match="'words' has objects, which are pickled, and never read"):
        load(path, column="words")
    np.savez(path, words=words)
    with pytest.raises(StorageError, match=r"the file holds words \(objects, which are pickled"):
        load(path)
    np.savez(path, train=ROWS, test=ROWS[:1], codes=np.ones((2, 3), np.int8), ids=np.arange(2))
    assert load(path, column="train") == Embeddings(ROWS)
    assert load(path, column="test") == Embeddings(ROWS[:1])
    assert load(path, column="codes", output_dtype="int8").values.tolist() == [[1, 1, 1]] * 2
    for name, said in (("codes", "say output_dtype"), ("ids", r"'ids' is of shape \(2,\)"), ("x", "no array 'x'"),
                       (None, "name one, as column='train'")):  # fmt: skip
        with pytest.raises(StorageError, match=said):
            load(path, column=name)


@pytest.mark.parametrize("suffix", [".npy", ".fbin", ".fvecs"])
def test_a_column_of_a_file_without_columns_is_refused(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a{suffix}", ROWS)
    with pytest.raises(StorageError, match=f"a {suffix} file is one matrix without columns: leave out column='test'"):
        load(tmp_path / f"a{suffix}", column="test")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_column_of_what_embcodec_wrote(tmp_path: Path, suffix: str) -> None:
    rows = quantize(ROWS, "int8", scale="per-vector")
    save(tmp_path / f"a{suffix}", rows)
    assert load(tmp_path / f"a{suffix}", column="values") == rows
    with pytest.raises(StorageError, match="leave out column='scale'"):
        load(tmp_path / f"a{suffix}", column="scale")


def test_nameless_floats_of_numpy_files(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    path = tmp_path / "a.npy"
    for short in (ROWS.astype(ml_dtypes.bfloat16), np.asfortranarray(ROWS.astype(ml_dtypes.bfloat16))):
        np.save(path, short)
        with pytest.raises(StorageError, match=r"elements of 2 bytes without a name, .*float_dtype='bfloat16'$"):
            load(path)
        for mmap in (False, True):
            assert load(path, mmap, float_dtype="bfloat16") == Embeddings(ROWS)
        with pytest.raises(StorageError, match="float_dtype='bfloat16'"):
            load(path, float_dtype="fp8_e4m3")
    np.save(path, ROWS.astype(ml_dtypes.float8_e4m3fn))
    with pytest.raises(StorageError, match=r"of 1 bytes .*float_dtype='fp8_e4m3' or float_dtype='fp8_e5m2'"):
        load(path)
    assert load(path, float_dtype="fp8_e4m3") == Embeddings(ROWS)
    np.save(path, ROWS.astype(ml_dtypes.float8_e5m2))
    for mmap in (False, True):  # whose header says what they are
        assert load(path, mmap) == load(path, mmap, float_dtype="fp8_e5m2") == Embeddings(ROWS)
    with pytest.raises(StorageError, match="elements of fp8_e5m2, as the header says: leave out float_dtype"):
        load(path, float_dtype="fp8_e4m3")
    np.savez(tmp_path / "a.npz", x=ROWS.astype(ml_dtypes.bfloat16), y=np.arange(2))
    with pytest.raises(StorageError, match=r"holds y of shape .*, x .*float_dtype='bfloat16'"):
        load(tmp_path / "a.npz")
    assert load(tmp_path / "a.npz", float_dtype="bfloat16") == Embeddings(ROWS)
    np.save(path, ROWS)
    with pytest.raises(StorageError, match="float32, which say what they are: leave out float_dtype"):
        load(path, float_dtype="bfloat16")
    with pytest.raises(ValueError, match="float_dtype is 'bfloat16', "):
        load(path, float_dtype="float16")
    save(tmp_path / "a.fbin", ROWS)
    with pytest.raises(StorageError, match="leave out float_dtype"):
        load(tmp_path / "a.fbin", float_dtype="bfloat16")


def test_booleans_in_a_file_are_bits(tmp_path: Path) -> None:
    parquet, pyarrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    bools = np.array([[True, False, True, True, False, False, False, True, True], [False] * 9])
    for array in (bools, np.asfortranarray(bools)):
        np.save(tmp_path / "a.npy", array)
        np.savez(tmp_path / "a.npz", array)
        parquet.write_table(pyarrow.table({"e": pyarrow.array(bools.tolist())}), tmp_path / "a.parquet")
        for name in ("a.npy", "a.npz", "a.parquet"):
            found = load(tmp_path / name)
            assert found == Embeddings(pack_bits(bools), "ubinary", 9)
            assert load(tmp_path / name, output_dtype="binary", dimension=9) == found.to("binary")
            with pytest.raises(StorageError, match="are bits, not float: say output_dtype='ubinary' or 'binary'"):
                load(tmp_path / name, output_dtype="float")
            with pytest.raises(StorageError, match="rows of 9 booleans, not of 8 dimensions"):
                load(tmp_path / name, output_dtype="ubinary", dimension=8)
    assert load(tmp_path / "a.npy", mmap=True) == found
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1] + b"\2")
    with pytest.raises(StorageError, match="row 1 has a boolean that is neither 0 nor 1"):
        load(tmp_path / "a.npy")


def test_parquet_says_what_its_columns_are(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    lists = ROWS.tolist()

    def write(columns: dict[str, Any] | list[tuple[str, Any]]) -> Path:
        pairs = list(columns.items() if isinstance(columns, dict) else columns)
        arrays = [pyarrow.array(column) if isinstance(column, list) else column for _, column in pairs]
        parquet.write_table(
            pyarrow.Table.from_arrays(arrays, names=[name for name, _ in pairs]), tmp_path / "a.parquet"
        )
        return tmp_path / "a.parquet"

    tensors = pyarrow.FixedShapeTensorArray.from_numpy_ndarray(ROWS)
    for column in (
        tensors,
        pyarrow.array(lists, pyarrow.list_view(pyarrow.float32())),
        pyarrow.array(lists, pyarrow.list_(pyarrow.float16(), 3)),
        pyarrow.array([[decimal.Decimal(str(value)) for value in row] for row in lists]),
    ):
        for name in (None, "v"):
            found = load(write({"id": [1, 2], "v": column}), column=name)
            assert found == Embeddings(ROWS)
            assert found.values.flags.writeable
    for column, kind in (
        ([row.tobytes() for row in ROWS], "binary"),
        (["[1, 2]", "[3, 4]"], "string"),
        ([{"values": row} for row in lists], "struct<values: list"),
        ([1.0, 2.0], "double"),
    ):
        with pytest.raises(StorageError, match=f"no column of lists among id: int64, vec: {kind}"):
            load(write({"id": [1, 2], "vec": column}))
        with pytest.raises(StorageError, match=r"column 'vec': the column holds|shape"):
            load(write({"id": [1, 2], "vec": column}), column="vec")
    with pytest.raises(StorageError, match=r"no column 'x'; there are \['id', 'v'\]"):
        load(write({"id": [1, 2], "v": lists}), column="x")
    with pytest.raises(StorageError, match="2 columns are called 'embedding': rename one"):
        load(write([("embedding", lists), ("embedding", lists)]))
    assert load(write([("id", [1, 2]), ("id", [3, 4]), ("embedding", lists)])) == Embeddings(ROWS)
    for column, words in (
        ([[[1.0, 2.0]], [[3.0, 4.0]]], "column 'embedding': the column holds lists of list<"),
        ([[1.0], None], "column 'embedding': row 1 is null"),
        ([[1.0, 2.0], [3.0, None]], "column 'embedding': row 1 holds a null"),
        ([[1.0, 2.0], [3.0]], "column 'embedding': rows have different lengths: row 0 has 2 numbers, row 1 has 1"),
    ):
        with pytest.raises(StorageError, match=words):
            load(write({"embedding": column}))


def test_words_of_a_parquet_file_are_of_its_own_column(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    rows = Embeddings(np.array([[1, 2], [3, 4]], np.int8), "int8", scale=Scale.ranges([[-1, -1], [1, 2]]))
    save(path, rows)
    table = parquet.read_table(path)
    table = table.append_column("other", pyarrow.array([[9.0], [8.0]])).append_column("id", pyarrow.array([1, 2]))
    parquet.write_table(table.sort_by([("id", "descending")]), path)
    assert load(path) == rows[::-1]
    assert load(path, column="other") == Embeddings([[8.0], [9.0]])


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("writer", ["pandas", "polars", "npz", "safetensors", "arrow"])
def test_scales_whose_words_another_writer_dropped(tmp_path: Path, writer: str, dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal((9, 8)).astype(np.float32)
    codes = quantize(x, dtype, scale="per-vector")
    assert codes.scale is not None
    own, path = tmp_path / "own.parquet", tmp_path / "other.parquet"
    save(own, codes)
    name = "embedding"
    if writer == "pandas":
        pandas.read_parquet(own).to_parquet(path)
    elif writer == "polars":
        polars.read_parquet(own).write_parquet(path)
    elif writer == "arrow":
        table = pyarrow.parquet.read_table(own).replace_schema_metadata(None)
        with pytest.raises(StorageError, match="name='embedding' reads the rows alone"):
            from_arrow(table, dtype)
        assert from_arrow(table, dtype, scale=codes.scale) == codes
        assert from_arrow(table, dtype, name="embedding") == Embeddings(codes.values, dtype)
        return
    else:
        name, path = "values", tmp_path / f"other.{writer}"
        arrays = {"values": codes.values, "scale": codes.scale.values}
        if writer == "npz":
            np.savez(path, **arrays)
        else:
            save_file(arrays, path)
    for said in (None, dtype):
        with pytest.raises(StorageError, match=f"column='{name}' reads the rows alone.*Scale.per_vector"):
            load(path, output_dtype=said)
    rows = load(path, output_dtype=dtype, column=name)
    assert rows == Embeddings(codes.values, dtype)
    assert Embeddings(rows.values, dtype, scale=Scale.per_vector(codes.scale.values)) == codes


def test_what_is_called_scale_and_is_none(tmp_path: Path) -> None:
    rows = np.ones((3, 4), np.int8)
    np.savez(tmp_path / "one.npz", values=rows, scale=np.float32(0.5))
    np.savez(tmp_path / "floats.npz", values=rows.astype(np.float32), scale=np.ones(3, np.float32))
    frame = pandas.DataFrame({"embedding": list(rows), "scale": ["C", "D", "E"]})
    frame.to_parquet(tmp_path / "keys.parquet")
    frame.assign(scale=list(np.ones((3, 2)))).to_parquet(tmp_path / "lists.parquet")
    for name, dtype, column in (
        ("one.npz", "int8", None),
        ("floats.npz", "float", None),
        ("keys.parquet", "int8", None),
        ("lists.parquet", "int8", "embedding"),
    ):
        assert load(tmp_path / name, output_dtype=dtype, column=column).output_dtype == dtype


@pytest.mark.parametrize("name", ["embedding", "emb", "vector", "a"])
@pytest.mark.parametrize("other", ["emb2", "title_embedding", "vectors"])
def test_of_two_matrices_neither_is_chosen_by_its_name(tmp_path: Path, name: str, other: str) -> None:
    rows, others = np.ones((3, 4), np.float32), np.zeros((3, 2), np.float32)
    table = pyarrow.table(
        {"id": [1, 2, 3], "words": [["a"], [], ["b", "c"]], name: list(rows), other: list(others), "n": [0.5, 1, 2]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "two.parquet")
    np.savez(tmp_path / "two.npz", **{name: rows, other: others, "n": np.ones(3)})
    save_file({name: rows, other: others}, tmp_path / "two.safetensors")
    for suffix in ("parquet", "npz", "safetensors"):
        path = tmp_path / f"two.{suffix}"
        with pytest.raises(StorageError, match=f"{name}.*{other}|{other}.*{name}") as caught:
            load(path)
        assert re.search(r"name one, as column='(\w+)'", str(caught.value))[1] in (name, other)  # type: ignore[index]
        assert (load(path, column=name).dimension, load(path, column=other).dimension) == (4, 2)
    with pytest.raises(StorageError, match=rf"\['{name}', '{other}'\] of lists; name one, as name='{name}'"):
        from_arrow(table)
    assert from_arrow(table, name=other).dimension == from_arrow(table.drop([name])).dimension == 2


def test_what_save_wrote_is_known_beside_a_column_that_was_added(tmp_path: Path) -> None:
    rows = quantize(np.eye(3, 4, dtype=np.float32), "int8", scale="per-vector")
    save(tmp_path / "rows.parquet", rows)
    table = pyarrow.parquet.read_table(tmp_path / "rows.parquet")
    table = table.append_column("title", pyarrow.array([[1.0, 2.0]] * 3))
    assert from_arrow(table) == rows


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet", ".safetensors"])
def test_a_file_that_was_cut_off_or_never_written_is_called_so(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    save(path, np.eye(40, dtype=np.float32))
    whole = path.read_bytes()
    for size in (40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        head = suffix == ".npy" and size == 40  # of which the rest is missing
        with pytest.raises(StorageError, match="cut off" if not head else "damaged"):
            load(path)
    for damaged in (bytes([whole[0] ^ 1]) + whole[1:-1], whole[:60] + bytes([whole[60] ^ 255]) + whole[61:]):
        path.write_bytes(damaged)
        with pytest.raises(StorageError) as caught:
            load(path)
        assert "cut off" not in str(caught.value)
    path.write_bytes(b"")
    with pytest.raises(StorageError, match="file is empty"):
        load(path)


def test_what_a_file_begins_like_is_said(tmp_path: Path) -> None:
    rows = np.eye(3, dtype=np.float32)
    for suffix in (".npy", ".npz", ".parquet", ".hdf5"):
        made = tmp_path / f"made{suffix}"
        if suffix == ".hdf5":
            with pytest.importorskip("h5py").File(made, "w") as file:
                file["rows"] = rows
        else:
            save(made, rows)
        for name in (".npy", ".npz", ".parquet", ".safetensors", ".fbin", ".fvecs"):
            if name == suffix:
                continue
            other = tmp_path / f"other{name}"
            other.write_bytes(made.read_bytes())
            with pytest.raises(StorageError, match=rf"; it begins like a \{suffix} file: rename it"):
                load(other)
            assert np.array_equal(load(other.rename(tmp_path / f"renamed{suffix}")).values, rows)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n"
    for start, words in ((pointer, "git lfs pull"), (b"<!DOCTYPE html>", "a page of HTML"), (b"\x1f\x8b\x08", "gzip")):
        for name in (".npy", ".npz", ".parquet", ".safetensors", ".fbin", ".fvecs", ".hdf5"):
            (tmp_path / f"x{name}").write_bytes(start + bytes(40))
            with pytest.raises(StorageError, match=words):
                load(tmp_path / f"x{name}")


@pytest.mark.parametrize("suffix", [".feather", ".pt", ".bin", ".pkl", ".csv", ".tsv", ".faiss", ".npy.gz"])
def test_files_of_others_have_a_way(suffix: str, tmp_path: Path) -> None:
    way = r"\w+\([\w.]+\(path(, header=None)?\)\) |decompress it first"
    with pytest.raises(StorageError, match=rf"unknown kind of file; .*; ({way})"):
        load(tmp_path / f"x{suffix}")
    with pytest.raises(StorageError, match="unknown kind of file; known are") as refused:
        save(tmp_path / f"x{suffix}", Embeddings([[1.0]]))
    assert "(path)" not in str(refused.value)  # what reads such a file is no answer to who writes one
    assert "decompress" not in str(refused.value)


def test_shapes_of_numpys_own_numbers(tmp_path: Path) -> None:
    """NumPy writes them so that it cannot read them again (``np.lib.format.open_memmap`` with a shape of int64)."""
    words = b"{'descr': '<f4', 'fortran_order': False, 'shape': (np.int64(6), np.uint32(4)), }".ljust(117) + b"\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words
    (tmp_path / "x.npy").write_bytes(head + np.arange(24, dtype="<f4").tobytes())
    for mmap in (False, True):
        np.testing.assert_array_equal(load(tmp_path / "x.npy", mmap=mmap).values, np.arange(24).reshape(6, 4))  # type: ignore[union-attr]


@pytest.mark.parametrize(("suffix", "dtype"), [(".fbin", "<f4"), (".u8bin", "|u1"), (".i8bin", "|i1")])
def test_headers_of_64_bits(tmp_path: Path, suffix: str, dtype: str) -> None:
    """As cuVS Bench writes them."""
    x = np.arange(24).reshape(6, 4).astype(dtype)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(struct.pack("<QQ", 6, 4) + x.tobytes())
    for mmap in (False, True):
        np.testing.assert_array_equal(load(path, mmap=mmap).values, x)  # type: ignore[union-attr]
    parts = [part.rows.values for part in iter_load(path, batch_rows=4)]  # type: ignore[union-attr]
    np.testing.assert_array_equal(np.concatenate(parts), x)

    def in_parts(path: Path) -> list[object]:
        return list(iter_load(path))

    for wrong in (
        struct.pack("<QQ", 6, 5) + x.tobytes(),
        struct.pack("<QQ", 6, 4) + x.tobytes()[:-1],
        struct.pack("<QQ", 1 << 63, 0),
        struct.pack("<QQ", 0, 1 << 63),
        b"\6" + b"\0" * 10,
        b"\6" + b"\0" * 14,
    ):
        for name, read in ((f"x{suffix}", load), (f"x{suffix}", in_parts), ("x.ibin", load_ids)):
            (tmp_path / name).write_bytes(wrong)
            with pytest.raises(StorageError, match=r"are .* bytes,"):
                read(tmp_path / name)
    truth = np.arange(6, dtype="<i4")
    for more in (b"", np.zeros(6, "<f4").tobytes()):
        (tmp_path / "x.ibin").write_bytes(struct.pack("<QQ", 2, 3) + truth.tobytes() + more)
        np.testing.assert_array_equal(load_ids(tmp_path / "x.ibin"), truth.reshape(2, 3))
