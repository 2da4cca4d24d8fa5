"""Whatever takes rows takes them from every kind of column alike: as from the matrix of the same numbers."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from taking import CODES, ROWS, TAKES, TAKES_ELEMENTS, columns, objects

import embcodec as ec
from embcodec import Embeddings


def plain(found: Any) -> list[Any]:
    """What a function gave, as lists and numbers that compare."""
    if isinstance(found, Embeddings):
        return [*found.meaning, found.values.tolist()]
    if isinstance(found, tuple):
        return [part for each in found if each is not None for part in plain(each)]
    return [type(found).__name__, np.asarray(found).tolist()]


@pytest.mark.parametrize("name", TAKES)
def test_every_column_gives_what_its_matrix_gives(name: str, tmp_path: Path) -> None:
    wanted = plain(TAKES[name](ROWS, _folder(tmp_path)))
    for kind, rows in columns(ROWS).items():
        if kind.startswith("deque") and name.startswith(("calibrate", "Summary")):
            continue
        assert plain(TAKES[name](rows, _folder(tmp_path))) == wanted, kind


@pytest.mark.parametrize("name", TAKES_ELEMENTS)
def test_every_column_of_bytes_gives_what_its_matrix_gives(name: str) -> None:
    rows = ROWS if name == "encode_base64" else CODES
    wanted = plain(TAKES_ELEMENTS[name](rows))
    for kind, column in columns(rows).items():
        if kind != "pyarrow halves":
            assert plain(TAKES_ELEMENTS[name](column)) == wanted, kind


def _folder(path: Path) -> Path:
    folder = path / str(len(list(path.iterdir())))
    folder.mkdir()
    return folder


def test_pythons_own_floats_are_float32_in_every_container() -> None:
    pandas = pytest.importorskip("pandas")
    rows = [[1.0, 2.0], [0.5, 1 / 3]]
    wanted = ec.encode_base64(np.array(rows, np.float32))
    containers = (
        rows,
        tuple(map(tuple, rows)),
        deque(rows),
        pandas.Series(rows),
        objects(rows),
        [tuple(rows[0]), rows[1]],
    )
    for container in containers:
        assert ec.encode_base64(container) == wanted, type(container)
    assert ec.encode_base64([np.array(rows[0], np.float32), rows[1]]) == wanted
    assert ec.encode_base64(rows[0]) == ec.encode_base64(deque(rows[0])) == wanted[0]


def test_elements_that_are_told_are_written_as_they_are() -> None:
    for dtype in ("<f8", "<f4", "<f2", "i1", "u1", "<i4"):
        rows = np.array([[1, 2], [3, 4]], dtype)
        assert ec.encode_base64(list(rows)) == ec.encode_base64(objects(rows)) == ec.encode_base64(rows), dtype
    with pytest.raises(TypeError, match="row 0 is float32, row 1 is float64: rows of one dtype are wanted"):
        ec.encode_base64([np.ones(2, np.float32), np.ones(2)])
    with pytest.raises(TypeError, match="row 0 is float16, row 2 is float32"):
        ec.encode_base64([np.ones(2, np.float16), np.ones(2, np.float16), [1.0, 2.0]])
    for whole in ([[1, 2]], [1, 2], deque([[1, 2]]), [[1.0, 2.0], [True, False]][1:]):
        with pytest.raises(TypeError, match="lists must hold floats"):
            ec.encode_base64(whole)
    with pytest.raises(ec.NotFiniteError, match=r"row 1, column 0 is 1e\+39: beyond float32"):
        ec.encode_base64([[1.0, 2.0], [1e39, 0.0]])
