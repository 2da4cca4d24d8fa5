"""Files and rows that cannot be read are passed over where that is asked for, and each of them is told."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from coded import floats

from embcodec import Embeddings, Scale, Skipped, SkippedWarning, StorageError, iter_load, save, search, search_files

X = floats(60)


def line(name: str, row: np.ndarray) -> str:
    body = {"model": "m", "data": [{"index": 0, "embedding": row.tolist()}]}
    return json.dumps({"custom_id": name, "response": {"status_code": 200, "body": body}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of 8 rows, some of which have faults."""
    found = tmp_path / "files"
    found.mkdir()
    save(found / "a.npy", X[:8])
    (found / "b.npy").write_bytes((found / "a.npy").read_bytes()[:-1])
    rows: list[Any] = X[8:16].tolist()
    rows[0], rows[3], rows[7] = None, [1.0, 2.0], None
    column = pyarrow.array(rows, pyarrow.list_(pyarrow.float32()))
    pyarrow.parquet.write_table(pyarrow.table({"key": np.arange(50, 58), "v": column}), found / "c.parquet")
    save(found / "d.npy", X[:8, :5])
    lines = [line("a", X[16]), '{"custom_id": "b", "error": "too long"}', line("c", X[17]), "{"]
    (found / "e.jsonl").write_text("\n".join(lines))
    return found


def places(told: list[Skipped]) -> list[tuple[str, int | None, int | None]]:
    return [(Path(one.name).name, one.row, one.line) for one in told]


@pytest.mark.parametrize("batch_rows", [1, 3, 65_536])
def test_the_rest_is_read(folder: Path, batch_rows: int) -> None:
    told: list[Skipped] = []
    loaded = list(iter_load([folder, "no.npy"], batch_rows=batch_rows, on_error=told.append))
    expected = np.concatenate([X[:8], X[[9, 10, 12, 13, 14]], X[16:18]])
    np.testing.assert_array_equal(np.concatenate([part.rows.values for part in loaded]), expected)  # type: ignore[union-attr]
    assert places(told) == [
        ("no.npy", None, None),
        ("b.npy", None, None),
        ("c.parquet", 0, None),
        ("c.parquet", 3, None),
        ("c.parquet", 7, None),
        ("d.npy", None, None),
        ("e.jsonl", None, 2),
        ("e.jsonl", None, None),  # which is cut
    ]
    words = [str(one).rpartition("files/")[2] for one in told]
    assert words[1].startswith("b.npy: a .npy header for shape (8, 24)")
    assert words[2] == "c.parquet: column 'v': row 0 is null, not a row of numbers: drop such rows"
    assert words[4] == "c.parquet: column 'v': row 7 is null, not a row of numbers: drop such rows"
    assert words[3].startswith("c.parquet: row 3: Embeddings(1 x 2 float, 8 bytes) is of another kind")
    assert words[6] == "e.jsonl: line 2: too long"
    assert "no.npy" in words[0]


def test_a_column_that_holds_no_rows_is_one_fault_whatever_it_is_called(tmp_path: Path) -> None:
    nested = pyarrow.array([[[1.0]], [[2.0]]])
    pyarrow.parquet.write_table(pyarrow.table({"row v": nested}), tmp_path / "a.parquet")
    told: list[Skipped] = []
    assert list(iter_load(tmp_path / "a.parquet", on_error=told.append)) == []
    assert places(told) == [("a.parquet", None, None)]


def test_a_row_is_passed_over_for_its_scale_alone(tmp_path: Path) -> None:
    scales = np.linspace(0.1, 0.8, 8, dtype=np.float32)
    save(tmp_path / "a.parquet", Embeddings(np.ones((8, 4), np.int8), "int8", scale=Scale.per_vector(scales)))
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    scales[[1, 6]] = -1, 3e38
    table = table.set_column(table.schema.names.index("scale"), "scale", pyarrow.array(scales))
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet", compression="gzip")
    told: list[Skipped] = []
    loaded = list(iter_load(tmp_path / "b.parquet", on_error=told.append))
    assert sum(len(part.rows) for part in loaded) == 6
    assert places(told) == [("b.parquet", 1, None), ("b.parquet", 6, None)]
    assert "row 1 is not" in str(told[0])
    assert "the scale of row 6, " in str(told[1])


def test_ids_stay_with_their_rows(folder: Path) -> None:
    (loaded,) = (zip(*iter_load(folder / "c.parquet", id_column="key", on_error=lambda _: None), strict=True),)
    rows, ids = loaded
    assert np.concatenate(ids).tolist() == [51, 52, 54, 55, 56]
    np.testing.assert_array_equal(np.concatenate([some.values for some in rows]), X[[9, 10, 12, 13, 14]])


def test_a_search_passes_over_rows_that_are_not_finite(folder: Path) -> None:
    bad = X[18:26].copy()
    bad[[2, 5], 1] = np.nan, np.inf
    np.save(folder / "f.npy", bad)
    told: list[Skipped] = []
    expected = np.concatenate([X[:8], X[[9, 10, 12, 13, 14]], X[16:18], X[[18, 19]]])
    found = search_files(X[:3], folder, 99, on_error=told.append, batch_rows=4)
    rows = np.concatenate([np.arange(17), [18, 19, 21, 22]])  # counted with the two that are not finite
    all_rows = np.concatenate([expected, X[[21, 22, 24, 25]]])
    np.testing.assert_array_equal(found.indices, rows[search(X[:3], all_rows, 99).indices])
    assert places(told)[-2:] == [("f.npy", 2, None), ("f.npy", 5, None)]
    assert "row 5, column 1 is inf" in str(told[-1])


def test_a_word_warns_once_and_points_to_who_called(folder: Path) -> None:
    with pytest.warns(SkippedWarning, match=r"^skipped 3 files, 3 rows, 1 line: .*b\.npy: a \.npy .* \.\.\.$") as found:
        assert len(list(iter_load(folder, on_error="skip"))) > 1
    assert found[0].filename == __file__
    with pytest.warns(SkippedWarning, match=r"skipped 1 file: .*b\.npy"):
        search_files(X[:1], [folder / "a.npy", folder / "b.npy"], 1, on_error="skip")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(iter_load(folder / "a.npy", on_error="skip"))) == 1


def test_what_is_not_passed_over(folder: Path) -> None:
    with pytest.raises(StorageError, match=r"b\.npy"):
        list(iter_load(folder))
    with pytest.raises(FileNotFoundError):
        list(iter_load([folder / "a.npy", "no.npy"]))
    with pytest.raises(FileNotFoundError):
        list(iter_load("no.npy", on_error="skip"))
    for wrong in ("ignore", None, 1):
        with pytest.raises(ValueError, match="on_error is 'raise', 'skip' or a function"):
            iter_load(folder, on_error=wrong)  # type: ignore[arg-type]
    with pytest.warns(SkippedWarning), pytest.raises(StorageError, match="no rows in these files"):
        search_files(X[:1], folder / "b.npy", 1, on_error="skip")
