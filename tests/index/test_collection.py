"""Collections: what one search over all rows finds, whatever was appended, removed, compacted, or killed meanwhile."""

from __future__ import annotations

import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded import floats, rows_of

from embcodec import BoundedResult, CodeMismatchError, Collection, FlatIndex, StorageError, prepare, search
from embcodec.index.collection import exact as exact_files
from embcodec.scan import promises

X, Q = floats(300), floats(5, seed=1)


KINDS = ("float", "int8", "int8/per-vector", "uint8/ranges", "binary", "ubinary", "b1", "b4", "budget")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shards", [1, 2, 20, pytest.param(200, marks=pytest.mark.long)])
def test_every_split_is_the_whole(tmp_path: Path, kind: str, shards: int) -> None:
    x = X.copy()
    x[200:260] = x[:60]  # ties between shards
    rows = rows_of(x, kind)
    ids = np.random.default_rng(2).permutation(300) * 3
    collection = Collection.create(tmp_path / "c", like=rows)
    for part in np.array_split(np.arange(300), shards):
        assert collection.append(rows[part], ids=ids[part]).tolist() == ids[part].tolist()
    by_id = np.argsort(ids)
    for metric in ("cosine", "dot", "l2"):
        expected = search(Q, rows[by_id], 80, metric=metric)
        for opened in (collection, Collection.open(tmp_path / "c"), pickle.loads(pickle.dumps(collection))):
            found = opened.search(Q, 80, metric=metric)
            np.testing.assert_array_equal(found.indices, ids[by_id][expected.indices])
            np.testing.assert_array_equal(found.scores, expected.scores)
    collection.compact()
    np.testing.assert_array_equal(collection.search(Q, 80, metric="l2").indices, found.indices)
    assert (collection.info().shards, len(collection)) == (1, 300)


@pytest.mark.parametrize("kind", ["ubinary", "b1", "int8"])
def test_rescoring_chooses_among_all_shards(tmp_path: Path, kind: str) -> None:
    rows = rows_of(X, kind)
    index = FlatIndex(rows, rescore_with=X)
    collection = Collection.create(tmp_path / "c", like=rows, rescore_with=X)
    for start in range(0, 300, 70):
        collection.append(rows[start : start + 70], rescore_with=X[start : start + 70])
    for multiplier in (1, 2, 4.5, None):
        found = collection.search(Q, 7, rescore_multiplier=multiplier)
        expected = index.search(Q, 7, rescore_multiplier=multiplier)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.scores, expected.scores)
    assert collection.search(Q[0], 3).indices.shape == (3,)


@pytest.mark.parametrize("kind", ["float", "int8", "b4"])
@pytest.mark.parametrize("large", [1, 1000])
def test_exact_is_a_search_of_all_floats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, large: int
) -> None:
    monkeypatch.setattr(exact_files, "_LARGE", large)
    for name, value in (
        ("_LEAST_SAMPLE", 8),
        ("_FOR_EACH", 4),
        ("_RUN", 2),
        ("_share", lambda n_queries, row_bytes: 1),
    ):
        monkeypatch.setattr(promises, name, value)  # so that bounds decide in small files too
    x = X.copy()
    x[200:260] = x[:60]
    collection = Collection.create(tmp_path / "c", like=rows_of(x, kind), rescore_with=None if kind == "float" else x)
    for part in np.array_split(np.arange(300), 4):
        collection.append(x[part])
    collection.remove(np.arange(0, 300, 9))
    kept = collection.ids
    for metric in ("cosine", "l2"):
        for mask in (None, kept[::3]):
            expected = search(Q, x, 6, metric=metric, mask=kept if mask is None else mask)
            found = collection.search(Q, 6, metric=metric, mask=mask, exact=True)
            np.testing.assert_array_equal(found.indices, expected.indices)
            np.testing.assert_array_equal(found.scores, expected.scores)
            assert isinstance(found, BoundedResult)
            assert found.is_final.all()
            whole = len(kept if mask is None else mask)
            assert (
                (found.rescored == whole).all() if kind == "float" or large > 300 else (found.rescored <= whole).all()
            )
            if kind == "int8" and large == 1 and mask is None:
                assert found.rescored.max() < whole
    assert collection.search(Q[0], 3, exact=True).rescored.shape == ()
    assert Collection.create(tmp_path / "d", like=x).search(Q, 3, exact=True).indices.shape == (5, 0)


def test_a_search_tells_how_far_it_is(tmp_path: Path) -> None:
    many = floats(2500, seed=3)
    collection, index = Collection.create(tmp_path / "c", like=rows_of(X, "int8"), rescore_with=X), FlatIndex(X)
    collection.append(X)
    for holder in (collection, index):
        for options in ({}, {"exact": True}):
            told: list[tuple[int, int]] = []
            found = holder.search(many, 4, progress=lambda *steps, told=told: told.append(steps), **options)
            assert told == [(1024, 2500), (2048, 2500), (2500, 2500)]
            expected = holder.search(many, 4, **options)
            assert type(found) is type(expected)
            np.testing.assert_array_equal(found.indices, expected.indices)
            np.testing.assert_array_equal(found.scores, expected.scores)
            if options:
                np.testing.assert_array_equal(found.rescored, expected.rescored)


def test_changes(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    collection = Collection.create(folder, like=rows_of(X, "int8"), rescore_with=X)
    assert collection.search(Q, 3).indices.shape == (5, 0)
    assert collection.append(X[:100]).tolist() == list(range(100))
    assert collection.append(X[100:140], ids=np.arange(500, 460, -1)).tolist() == list(range(500, 460, -1))
    assert collection.append(X[140:150]).tolist() == list(range(501, 511))
    reader = Collection.open(folder)
    before = reader.search(Q, 20).indices
    collection.remove([3, 480, 505, 506])
    collection.remove(480 - 1)
    assert collection.remove(list(range(501, 505)) + list(range(507, 511))) is None  # the whole of a file
    assert len(collection) == 137
    assert len(os.listdir(folder / ".")) == 2 + 1 + 2 + 2  # like, lock; manifest; rows; removals
    gone = {3, 479, 480, *range(501, 511)}
    found = collection.search(Q, 137).indices
    assert all(set(row) == set(collection.ids.tolist()) for row in found.tolist())
    assert not gone & set(collection.ids.tolist())
    np.testing.assert_array_equal(reader.search(Q, 20).indices, before)  # as it was when it was opened
    reader.refresh()
    np.testing.assert_array_equal(reader.search(Q, 137).indices, found)
    with pytest.raises(KeyError, match="id 3 is not"):
        collection.remove([4, 3])
    assert 4 in collection.ids
    with pytest.raises(ValueError, match="id 470 is in the collection already"):
        collection.append(X[:2], ids=[600, 470])
    assert collection.append(X[:1]).tolist() == [511]
    collection.compact()
    assert len(os.listdir(folder)) == 4
    np.testing.assert_array_equal(collection.search(Q, 137, mask=found[0]).indices, found)
    assert collection.append(X[:1], ids=[480]).tolist() == [480]  # free again
    with pytest.raises(ValueError, match="names id 479"):
        collection.search(Q, 2, mask=[480, 479])


def test_what_has_not_changed_is_kept_open(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", like=X)
    for start in range(0, 300, 100):
        collection.append(X[start : start + 100])
    here, mapped = collection._folder.here(), collection._folder.shards()
    collection.refresh()
    assert collection._folder.here() is here
    collection.append(X[:1])
    assert collection._folder.here() is not here
    assert all(one is other for one, other in zip(collection._folder.shards(), mapped, strict=False))


def test_a_reader_whose_files_were_compacted_sees_the_new_ones(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", like=X)
    for start in range(0, 300, 100):
        collection.append(X[start : start + 100])
    late = Collection.open(tmp_path / "c")
    collection.compact()
    np.testing.assert_array_equal(late.search(Q, 9).indices, search(Q, X, 9).indices)


def test_refusals(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", like=rows_of(X, "int8"))
    with pytest.raises(StorageError, match="holds something"):
        Collection.create(tmp_path / "c", like=X)
    with pytest.raises(StorageError, match="is no collection"):
        Collection.open(tmp_path)
    with pytest.raises(StorageError, match=r"is no collection: there is no such folder; Collection\.create"):
        Collection.open(tmp_path / "absent")
    with pytest.raises(TypeError, match=r"list of the ids that count: .*ids_of\(texts\).*; not a boolean a row"):
        collection.search(Q, 1, mask=[True, False])
    for mask in ([1.5], [[1]], [None]):
        with pytest.raises(
            TypeError, match=r"^a collection's mask is a list of the ids that count: numbers, as vector"
        ):
            collection.search(Q, 1, mask=mask)
    with pytest.raises(TypeError, match=r"a mask is one boolean a row, or a list of ids$"):
        FlatIndex(X[:2], ids=[5, 6]).search(Q, 1, mask=[1.5])
    with pytest.raises(CodeMismatchError, match="the collection 24"):
        collection.search(Q[:, :8], 1)
    for search_in in (collection.search, FlatIndex(X).search):
        with pytest.raises(TypeError, match=r"for embcodec\.search alone"):
            search_in(prepare(Q, X), 1)
    with pytest.raises(CodeMismatchError, match="does not join"):
        collection.append(rows_of(X, "uint8"))
    with pytest.raises(ValueError, match="NaN"):
        collection.append(X * np.nan)
    with pytest.raises(ValueError, match="an id is given twice"):
        collection.append(X[:2], ids=[1, 1])
    assert len(collection) == 0


@pytest.mark.parametrize("kind", ["list", "set", "array", "objects", "pandas", "pyarrow"])
def test_texts_as_a_mask_lead_to_their_ids(tmp_path: Path, kind: str) -> None:
    pyarrow, pandas = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    collection = Collection.create(tmp_path / "c", like=X)
    collection.append(X[:3], ids=["a", "b", "c"])
    made: dict[str, Callable[[list[str]], Any]] = {
        "list": list,
        "set": set,
        "array": np.array,
        "objects": lambda texts: np.array(texts, object),
        "pandas": pandas.Series,
        "pyarrow": pyarrow.array,
    }
    texts = made[kind](["c", "a"])
    for use in (lambda: collection.search(Q, 1, mask=texts), lambda: collection.remove(texts)):
        with pytest.raises(TypeError, match=r"whole numbers, not texts: vectors\.ids_of\(texts\) has those of texts"):
            use()
    mask = collection.ids_of(["c", "a"])
    assert set(collection.search(Q, 3, mask=mask).indices.ravel().tolist()) == {0, 2}


def test_a_second_writer_is_refused_or_waits(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", like=X, lock_timeout=0)
    other = Collection.open(tmp_path / "c", lock_timeout=30)
    with collection._folder.changing():
        with pytest.raises(StorageError, match="another process or thread"):
            Collection.open(tmp_path / "c", lock_timeout=0).append(X)
        thread = threading.Thread(target=other.append, args=(X[:10],))
        thread.start()
    thread.join()
    collection.refresh()
    assert len(collection) == 10


def test_damage_is_found(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", like=X)
    collection.append(X[:50])
    collection.remove([7])
    path = tmp_path / "c" / "collection.json"
    whole = path.read_text()
    for old, new in (('"rows": 50', '"rows": 51'), ("rows-0", "../rows-0"), ('"next_id": 50', '"next_id": 5')):
        path.write_text(whole.replace(old, new))
        with pytest.raises(StorageError, match="is damaged"):
            Collection.open(tmp_path / "c")
    for cut in (*range(0, whole.index("\n\n"), 7), *range(whole.index("\n\n"), len(whole), 501)):
        path.write_text(whole[:cut])
        with pytest.raises(StorageError, match="is damaged"):
            Collection.open(tmp_path / "c")
    path.write_text(whole)
    entry = json.loads(whole)["shards"][0]
    for name in (entry["file"], entry["removed"]):
        file = tmp_path / "c" / name
        data = file.read_bytes()
        file.write_bytes(data[:-9])
        with pytest.raises(StorageError, match=name):
            Collection.open(tmp_path / "c").search(Q, 1)
        file.write_bytes(data)
