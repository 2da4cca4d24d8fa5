"""Codes that another tool has made wider, or whose words it has left out, are read where it is said what they are."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec as ec
from embcodec import Embeddings, Scale, StorageError

RNG = np.random.default_rng(3)
FLOATS = RNG.standard_normal((5, 16)).astype(np.float32)
CODES = {
    "int8": RNG.integers(-128, 128, (5, 16)).astype(np.int8),
    "uint8": RNG.integers(0, 256, (5, 16)).astype(np.uint8),
    "binary": RNG.integers(-128, 128, (5, 16)).astype(np.int8),
    "ubinary": RNG.integers(0, 256, (5, 16)).astype(np.uint8),
}
WIDE = ("int16", "int32", "int64", "uint16", "uint64")


@pytest.mark.parametrize("dtype", CODES)
def test_wide_whole_numbers_are_codes_where_that_is_said(dtype: Any, tmp_path: Path) -> None:
    pandas, polars, pyarrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    parquet = pytest.importorskip("pyarrow.parquet")
    codes = CODES[dtype]
    wanted = Embeddings(codes, dtype)
    lists = codes.tolist()
    for rows in (
        lists,
        tuple(map(tuple, lists)),
        deque(lists),
        pandas.Series(lists),
        polars.Series(lists),
        pandas.DataFrame(lists),
    ):
        assert Embeddings(rows, dtype) == wanted, type(rows)
    for wide in WIDE:
        if not np.array_equal(codes.astype(wide).astype(np.float64), codes.astype(np.float64)):
            continue
        column = pyarrow.array(lists, pyarrow.list_(pyarrow.from_numpy_dtype(wide)))
        assert ec.from_arrow(column, dtype) == ec.from_arrow(pyarrow.table({"e": column}), dtype) == wanted
        assert Embeddings(column, dtype) == wanted
        parquet.write_table(pyarrow.table({"e": column}), tmp_path / "rows.parquet")
        np.save(tmp_path / "rows.npy", codes.astype(wide))
        for path in (tmp_path / "rows.parquet", tmp_path / "rows.npy"):
            assert ec.load(path, output_dtype=dtype) == wanted
            assert ec.concat([rows for rows, _ in ec.iter_load(path, output_dtype=dtype)]) == wanted


def test_wide_whole_numbers_are_never_told_to_wrap(tmp_path: Path) -> None:
    """``.astype(np.int8)``, as a way out, would make -56 of 200 without a word."""
    np.save(tmp_path / "rows.npy", np.array([[1, 200]]))
    with pytest.raises(StorageError, match=r"int64 rows are no codes as they are: say output_dtype=\.\.\.;") as caught:
        ec.load(tmp_path / "rows.npy")
    assert "astype" not in str(caught.value)
    with pytest.raises(StorageError, match="row 0, column 1 is 200: int8 codes are"):
        ec.load(tmp_path / "rows.npy", output_dtype="int8")
    assert ec.load(tmp_path / "rows.npy", output_dtype="uint8").values.tolist() == [[1, 200]]
    assert ec.load(tmp_path / "rows.npy", output_dtype="float").values.tolist() == [[1.0, 200.0]]


def test_a_number_that_is_no_code_is_named(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    wrong = [[1, 2], [3, 300]]
    words = "row 1, column 1 is 300: int8 codes are whole numbers of -128 .. 127"
    with pytest.raises(ValueError, match=words):
        Embeddings(wrong, "int8")
    with pytest.raises(StorageError, match=words):
        ec.from_arrow(pyarrow.array(wrong), "int8")
    parquet.write_table(pyarrow.table({"e": wrong}), tmp_path / "rows.parquet")
    with pytest.raises(StorageError, match=words):
        ec.load(tmp_path / "rows.parquet", output_dtype="int8")
    with pytest.raises(ValueError, match=words):
        list(ec.iter_load(tmp_path / "rows.parquet", output_dtype="int8"))
    for rows in ([[1.5, 2.0]], [[1.0, 2.0]]):
        with pytest.raises(TypeError, match="quantize makes int8 codes of floats"):
            Embeddings(rows, "int8")


def test_an_array_says_by_its_own_type_that_it_has_no_codes() -> None:
    with pytest.raises(TypeError, match=r"all fit, pass \.astype\(np\.int8\)"):
        Embeddings(np.ones((2, 3), np.int64), "int8")
    with pytest.raises(TypeError, match="int8 codes are int8, not uint8: say 'uint8' or 'ubinary'"):
        Embeddings(list(np.ones((2, 3), np.uint8)), "int8")


@pytest.mark.parametrize(("dtype", "low"), [("ubinary", 0), ("binary", -1), ("binary", 0)])
def test_bits_that_are_not_packed_are_no_bytes(dtype: Any, low: int) -> None:
    bits = np.where(FLOATS > 0, 1, low)
    with pytest.raises(
        ValueError, match=f"a bit each: quantize\\(rows, '{dtype}'\\) packs rows of output_dtype='float'"
    ):
        Embeddings(bits.tolist(), dtype)
    assert ec.quantize(Embeddings(bits.tolist(), "float"), dtype) == ec.quantize(FLOATS, dtype)  # the way out
    assert Embeddings(np.zeros((2, 16), int).tolist(), dtype).values.any() == 0


def test_one_row_in_a_list_is_a_list_of_one() -> None:
    for vector in ([1.5, 2.5], (1.5, 2.5), deque([1.5, 2.5])):
        with pytest.raises(ValueError, match=r"for one row pass \[row\]"):
            Embeddings(vector)
        assert Embeddings([vector]).values.tolist() == [[1.5, 2.5]]
    with pytest.raises(ValueError, match=r"for one row pass \[row\]"):
        Embeddings([1, 2], "int8")
    with pytest.raises(ValueError, match=r"for one row pass row\[None\]"):
        Embeddings(np.ones(2))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_codes_and_scales_of_which_the_words_are_lost(dtype: Any, tmp_path: Path) -> None:
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    wanted = ec.quantize(FLOATS, dtype, scale="per-vector")
    path, other = tmp_path / "rows.parquet", tmp_path / "others.parquet"
    parquet.write_table(pyarrow.table({"id": range(5), "e": ec.to_arrow(wanted)}), path)
    assert ec.load(path) == wanted
    pandas.read_parquet(path).to_parquet(other)
    table = parquet.read_table(other)
    assert "embcodec" not in str(table.schema.field("e"))
    read = [
        ec.load(other, output_dtype=dtype),
        ec.load(other, output_dtype=dtype, column="e"),
        ec.concat([rows for rows, _ in ec.iter_load(other, output_dtype=dtype, id_column="id", batch_rows=2)]),
        ec.from_arrow(table, dtype),
        ec.from_arrow(table, dtype, name="e"),
        ec.from_arrow(table["e"], dtype),
        ec.from_arrow(pytest.importorskip("polars").from_arrow(table)["e"], dtype),
    ]
    assert all(rows == wanted for rows in read)
    beside = tmp_path / "beside.parquet"
    parquet.write_table(table.append_column("scale", pyarrow.array(np.ones(5))), beside)  # which is none of theirs
    assert ec.load(beside, output_dtype=dtype) == wanted
    for take in (lambda: ec.load(other), lambda: ec.from_arrow(table), lambda: ec.from_arrow(table["e"])):
        with pytest.raises(StorageError, match=f"nothing that says what they are: say output_dtype='{dtype}'"):
            take()
    with pytest.raises(StorageError, match="leave out scale"):
        ec.from_arrow(table, dtype, scale=Scale.unit())
    with pytest.raises(TypeError, match=r"embcodec\.from_arrow\(column, 'int8'\) reads int8 codes and their scales"):
        Embeddings(table["e"], dtype)


def test_codes_of_ranges_of_which_the_words_are_lost_are_read_where_all_is_said(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    compute = pytest.importorskip("pyarrow.compute")
    ranges = Scale.ranges(ec.calibrate(FLOATS))
    wanted = ec.quantize(FLOATS, "int8", scale=ranges)
    column = ec.to_arrow(wanted).storage
    for take in (
        lambda: ec.from_arrow(column, "int8"),
        lambda: ec.from_arrow(pyarrow.table({"e": column}), "int8", name="e"),
    ):
        with pytest.raises(
            StorageError, match=r"embcodec\.from_arrow\(pyarrow\.compute\.struct_field\(column, 'codes'\)"
        ):
            take()
    assert ec.from_arrow(compute.struct_field(column, "codes"), "int8", scale=ranges) == wanted


def test_a_null_scale_is_named() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    column = pyarrow.array([{"codes": [1, 2], "scale": 0.5}, {"codes": [3, 4], "scale": None}])
    with pytest.raises(StorageError, match="row 1"):
        ec.from_arrow(column, "int8")
    with pytest.raises(StorageError, match="row 1 is null"):
        ec.from_arrow(pyarrow.array([{"codes": [1, 2], "scale": 0.5}, None]), "int8")
