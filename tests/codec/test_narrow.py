"""What is finite stays finite: rows that become float32 lose no number to an infinity without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from taking import TAKES, TAKES_ELEMENTS

import embcodec as ec
from embcodec import Embeddings

LARGEST = float(np.finfo(np.float32).max)
# Halfway to what would be next, which rounds to it; the number below still rounds to the largest float32.
BEYOND = 2.0**128 - 2.0**103
BELOW = np.nextafter(BEYOND, 0)
# pack_bits compares numbers in the type that they have, and needs no other.
AS_THEY_ARE = {"pack_bits"}


def rows_with(value: float) -> np.ndarray:
    rows = np.linspace(-0.9, 0.8, 96).reshape(6, 16)
    rows[4, 3] = value
    return rows


@pytest.mark.parametrize("name", sorted(TAKES.keys() - AS_THEY_ARE))
def test_a_number_beyond_float32_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    for folder, value in (("far", 1e300), ("near", -BEYOND)):
        (tmp_path / folder).mkdir()
        with pytest.raises(ValueError, match=r"row 4, column 3 is .*: beyond float32, whose largest is 3\.4e38"):
            TAKES[name](rows_with(value), tmp_path / folder)


def test_numbers_that_round_to_the_largest_and_infinities_stay() -> None:
    values = Embeddings(np.array([[BELOW, -BELOW, np.inf, -np.inf, np.nan, 1e-300]])).values
    np.testing.assert_array_equal(values, np.array([[LARGEST, -LARGEST, np.inf, -np.inf, np.nan, 0]], np.float32))
    wide = np.array([[1.0, 2.0]], np.longdouble)
    assert Embeddings(wide).values.tolist() == [[1.0, 2.0]]
    with pytest.raises(ec.NotFiniteError, match="row 0, column 1"):
        Embeddings(wide * np.array([1, 1e200], np.longdouble))


def test_files_of_such_numbers_are_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows_with(1e300))
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"e": list(rows_with(1e300))}), tmp_path / "rows.parquet")
    words = r"row 4, column 3 is 1e\+300: beyond float32"
    for path in (tmp_path / "rows.npy", tmp_path / "rows.parquet"):
        with pytest.raises(ec.StorageError, match=words):
            ec.load(path)
        with pytest.raises(ValueError, match=words):
            list(ec.iter_load(path))


def test_the_place_of_a_vector_is_in_row_0() -> None:
    vector = np.array([0.5, 1e39])
    for take in (ec.format_floats, lambda x: ec.truncate(x, 2), lambda x: ec.quantize(x, "int8"), list_to_base64):
        with pytest.raises(ec.NotFiniteError, match=r"row 0, column 1 is 1e\+39"):
            take(vector)
    with pytest.raises(ec.NotFiniteError, match="queries: row 0, column 1"):
        ec.search(vector, np.eye(2, dtype=np.float32), 1)


def list_to_base64(x: np.ndarray) -> Any:
    return ec.encode_base64(x.tolist())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_query_that_is_not_finite_is_named_with_its_column(bad: float) -> None:
    rows = rows_with(0.5).astype(np.float32)
    queries = rows_with(bad).astype(np.float32)
    low_bit = ec.LowBitQuantizer(2, rotation="random").fit(rows).encode(rows)
    searches: list[Callable[[], Any]] = [
        lambda: ec.search(queries, rows, 1, metric="dot"),
        lambda: ec.search(queries, ec.quantize(rows, "int8"), 1, metric="dot"),
        lambda: ec.search(queries, low_bit, 1, metric="dot"),
        lambda: low_bit.estimate(queries),
    ]
    for search in searches:
        with pytest.raises(ValueError, match="query 4 has NaN or infinite values, the first in column 3"):
            search()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_faiss_is_sent_numbers_alone(bad: float) -> None:
    with pytest.raises(ec.StorageError, match=r"row 4, column 3 is (nan|inf): Faiss holds no NaN and no Infinity"):
        ec.to_faiss(rows_with(bad))
    with pytest.raises(ec.StorageError, match="no dimensions"):
        ec.to_faiss(np.zeros((6, 0), np.float32))


def test_what_writes_elements_as_they_are_does_not_narrow() -> None:
    assert set(TAKES_ELEMENTS) >= {"encode_base64"}
    rows = rows_with(1e300)
    assert np.array_equal(ec.decode_base64(ec.encode_base64(rows), "<f8"), rows)


def test_rows_of_no_dimensions_are_no_advice_to_cut() -> None:
    none, rows = np.zeros((2, 0), np.float32), np.ones((2, 4), np.float32)
    for queries, corpus in ((rows, none), (none, rows)):
        with pytest.raises(ec.CodeMismatchError, match="use rows and queries of at least one dimension"):
            ec.search(queries, corpus, 1)


def test_the_row_is_counted_over_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embcodec.tradeoff.inputs.LOOK_BYTES", 128)  # two rows at a time
    with pytest.raises(ec.NotFiniteError, match="row 4, column 3"):
        ec.study(rows_with(1e300), k=2)
    with pytest.raises(ec.NotFiniteError, match="row 10, column 3"):
        ec.calibrate(iter([rows_with(0.5), rows_with(1e300)]))


def test_a_number_is_no_vector() -> None:
    with pytest.raises(ValueError, match="a vector or a matrix is wanted, not 0 dimensions"):
        ec.format_floats(0.5)
