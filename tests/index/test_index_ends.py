"""Rows that are not finite, in arguments and files; what an index counts; the first and last ids that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from few_rows import BITS, INT8, LOW, QUANTIZER, SCALED, X

from embcodec import (
    CodeMismatchError,
    FlatIndex,
    LowBitQuantizer,
    NotFiniteError,
    StorageError,
    save,
)
from embcodec.containers import read_tensors, write_tensors


def test_an_index_holds_no_rows_that_are_not_finite() -> None:
    for call in (lambda: FlatIndex(X * np.nan), lambda: FlatIndex(INT8, rescore_with=X * np.nan)):
        with pytest.raises(NotFiniteError, match="row 0, column 0 is nan"):
            call()
    index = FlatIndex(INT8, rescore_with=X)
    for rows, better in ((X * np.inf, None), (INT8, X * np.inf)):
        with pytest.raises(NotFiniteError, match="row 0, column 0 is inf"):
            index.add(rows, rescore_with=better)
    for call in (lambda: FlatIndex(np.eye(2, dtype=int)), lambda: index.add(np.eye(8, dtype=int))):
        with pytest.raises(TypeError, match=r"^codes "):
            call()
    assert len(index) == 4


@pytest.mark.parametrize("part", ["codes", "rescore_with"])
def test_a_file_with_rows_that_are_not_finite_is_refused_where_it_is_read_whole(tmp_path: Path, part: str) -> None:
    path, rows = tmp_path / "index.safetensors", X.copy()
    index = FlatIndex(rows) if part == "codes" else FlatIndex(INT8, rescore_with=rows)
    rows[2, 1] = np.nan  # behind the back of the index, which does not copy
    index.save(path)
    for arguments in ({}, {"verify": True}, {"mmap": True, "verify": True}):
        with pytest.raises(StorageError, match="the index contradicts itself: row 2, column 1 is nan"):
            FlatIndex.load(path, **arguments)
    for arguments in ({"mmap": True}, {"verify": False}):
        assert len(FlatIndex.load(path, **arguments)) == 4


def test_files_of_others_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.safetensors"
    save(path, X)
    with pytest.raises(StorageError) as caught:
        FlatIndex.load(path)
    assert str(caught.value) == f"{path}: not an index of format 'embcodec index 1': embcodec.load(path) reads it"


def test_bytes_and_words_of_an_index() -> None:
    index = FlatIndex(INT8, rescore_with=X, ids=[3, 5, 7, 9])
    assert index.nbytes == 32 + 128 + 32
    assert FlatIndex(INT8, rescore_with=X).nbytes == 32 + 128
    assert FlatIndex(INT8, ids=[3, 5, 7, 9]).nbytes == 32 + 32
    assert FlatIndex(INT8).nbytes == 32
    assert repr(FlatIndex(INT8)) == "FlatIndex(Embeddings(4 x 8 int8, 32 bytes))"
    assert FlatIndex(INT8).rescore_with is None
    assert index.rescore_with is not None
    assert index.ids.tolist() == [3, 5, 7, 9]
    assert FlatIndex(INT8).ids.tolist() == [0, 1, 2, 3]


def test_the_ends_of_what_an_index_takes() -> None:
    last = 2**63 - 2
    index = FlatIndex(X, ids=[0, 1, 2, last])
    assert index.search(X[3], 1).indices.tolist() == [last]
    assert index.search(X[:1], 2, mask=[last, 0]).indices.tolist() == [[0, last]]
    index = FlatIndex(X[:3], ids=[0, 1, last - 1])
    assert index.add(X[3:]).tolist() == [last]
    index = FlatIndex(X)
    index.remove([1, 1])
    assert index.ids.tolist() == [0, 2, 3]
    assert index.add(X[:2]).tolist() == [4, 5]
    index.remove(index.ids)
    assert len(index) == 0
    assert index.search(X, 3).indices.shape == (4, 0)
    assert index.add(X[:1]).tolist() == [6]
    assert FlatIndex(INT8, rescore_with=X).search(X, 1, rescore_multiplier=1).indices.ravel().tolist() == [0, 1, 2, 3]
    assert FlatIndex(BITS, rescore_with=BITS).search(BITS, 1, rescore_multiplier=1).indices.shape == (4, 1)


def test_joined_rows_have_the_greater_missed_length_and_all_scales() -> None:
    loose = QUANTIZER.encode(X * np.float32(1 + 3e-4))
    index = FlatIndex(LOW)
    index.add(loose)
    assert isinstance(index.codes, type(LOW))
    assert index.codes.unit_error == loose.unit_error > LOW.unit_error
    index.add(LOW)
    assert index.codes.unit_error == loose.unit_error
    scaled = FlatIndex(SCALED)
    scaled.add(X * np.float32(2))
    assert scaled.codes.scale is not None
    np.testing.assert_allclose(scaled.codes.to_float(), np.concatenate([X, 2 * X]), atol=0.01)


def test_only_what_the_bounds_prove_is_said_to_be_final() -> None:
    """One bit a dimension proves nothing of the other rows; where a mask leaves no others, nothing is to be proven."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = FlatIndex(rows, quantizer=LowBitQuantizer(1, rotation="random").fit(rows), rescore_with=rows)
    asked = rng.standard_normal((20, 32)).astype(np.float32)
    found = index.search(asked, 5, rescore_multiplier=1, confidence=0.99)
    assert not found.is_final.any()
    assert index.search(asked, 5, rescore_multiplier=60, confidence=0.99).is_final.all()
    assert index.search(asked, 5, rescore_multiplier=100, confidence=0.99).is_final.all()
    few = index.search(asked, 5, rescore_multiplier=2, confidence=0.99, mask=np.arange(9))
    assert few.is_final.all()
    assert not index.search(asked, 5, rescore_multiplier=2, confidence=0.99, mask=np.arange(290)).is_final.any()


@pytest.mark.parametrize(
    ("tensors", "words", "complaint"),
    [
        ({"ids": np.arange(4, dtype=np.int32)}, {}, "the index contradicts itself: ids of int32, not int64"),
        ({"ids": np.arange(4, dtype=np.uint64)}, {}, "the index contradicts itself: ids of uint64, not int64"),
        ({"ids": np.arange(3)}, {}, "the index contradicts itself: ids have shape (4,), not (3,)"),
        ({"ids": np.array([1, 2, 3, 1])}, {}, "the index contradicts itself: an id is given twice: 1"),
        ({"ids": np.arange(4) + 7}, {}, "the index contradicts itself: its next id is taken"),
        ({}, {"next_id": "9"}, "the index contradicts itself: its next id is taken"),
        ({}, {"next_id": "x"}, "the index contradicts itself: "),
        ({}, {"next_id": None}, "the index lacks its next id"),
        ({}, {"index": "embcodec index 2"}, "not an index of format 'embcodec index 1'"),
        ({"ids": None}, {}, "the index contradicts itself: 4 rows without ids, and 10 for the next"),
        ({"ids": None}, {"next_id": "4"}, ""),
        ({"ids": np.arange(4) + 6}, {}, ""),
    ],
)
def test_files_that_contradict_themselves(
    tmp_path: Path, tensors: dict[str, Any], words: dict[str, Any], complaint: str
) -> None:
    path = tmp_path / "index.safetensors"
    FlatIndex(X, ids=[3, 5, 7, 9]).save(path)
    found, said = read_tensors(path)
    changed = {name: value for name, value in {**found, **tensors}.items() if value is not None}
    write_tensors(path, changed, {name: text for name, text in {**said, **words}.items() if text is not None})
    if not complaint:
        assert len(FlatIndex.load(path)) == 4
        return
    with pytest.raises(StorageError) as caught:
        FlatIndex.load(path)
    assert str(caught.value).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize("ids", [None, []])
def test_nothing_is_counted_for_nothing(tmp_path: Path, ids: Any) -> None:
    """Ids begin with 0, also of an index that was stored empty, or to which no rows were added."""
    none, path = np.empty((0, 8), np.float32), tmp_path / "index.safetensors"
    index = FlatIndex(none, ids=ids)
    assert index.add(none).tolist() == []
    index.save(path)
    index = FlatIndex.load(path)
    assert index.add(none).tolist() == []
    assert index.add(X).tolist() == [0, 1, 2, 3]
    assert index.add(X[:1]).tolist() == [4]


def test_arguments_of_an_index_are_named() -> None:
    index = FlatIndex(INT8, rescore_with=X)
    with pytest.raises(TypeError, match=r"^rescore_multiplier is a number, not 'a'$"):
        index.search(X, 1, rescore_multiplier="a")  # type: ignore[arg-type]
    with pytest.raises(TypeError) as caught:
        FlatIndex(X[:0], ids="")
    assert "look the result's indices up" not in str(caught.value)


def test_rows_that_rescore_join_their_like_only() -> None:
    index = FlatIndex(INT8, rescore_with=X)
    with pytest.raises(CodeMismatchError, match="does not join Embeddings"):
        index.add(INT8, rescore_with=INT8)
    assert len(index) == 4
    with pytest.raises(CodeMismatchError, match="queries have 7 dimensions, the index 8"):
        index.search(X[:, :7], 1)
