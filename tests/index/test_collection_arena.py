"""Rows of small files lie side by side in memory, within a bound; files stay as they are, and so do results."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from coded import floats

from embcodec import Collection, Embeddings, LowBitQuantizer, prepare, quantize, search
from embcodec.index.collection import arena
from embcodec.quantizers.lowbit import arrays_of
from embcodec.scan import Place

X = floats(600, 64)
KINDS: dict[str, Any] = {
    "float": lambda: Embeddings(X),
    "int8": lambda: quantize(X, "int8", scale="per-vector"),
    "ubinary": lambda: quantize(X, "ubinary"),
    "2 bits": lambda: LowBitQuantizer(2).fit(X).encode(X),
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is pulled out of this machine: files need not reach its disk."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda descriptor: None, raising=False)


def filled(folder: Path, rows: Any, files: int, order: Any = None) -> Collection:
    collection = Collection.create(folder, like=rows)
    for some in np.array_split(np.arange(600) if order is None else order, files):
        collection.append(rows[some], ids=some)
    return collection


def places_of(collection: Collection) -> list[Place]:
    """What is scanned."""
    codes = collection._folder.here().codes
    assert codes is not None
    return codes._places


def counts(collection: Collection) -> list[int]:
    """The rows of each piece of memory that is scanned."""
    return [len(place.ids) for place in places_of(collection)]


def bytes_of_a_row(rows: Any) -> int:
    """Of what is copied, with an id."""
    return sum(array.nbytes for array in arrays_of(rows)) // len(rows) + 8


@pytest.mark.parametrize("metric", ["dot", "l2"])
@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_one_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, metric: Any
) -> None:
    rows = KINDS[kind]()
    asked: Any = X[:5]
    if kind == "ubinary" and metric == "l2":
        asked, metric = rows[:5], "jaccard"
    expected = search(asked, rows, 600, metric=metric)
    shuffled = np.random.default_rng(0).permutation(600)
    for most, places in ((0, [50] * 12), (250 * bytes_of_a_row(rows), [250] + [50] * 7), (1 << 26, [600])):
        monkeypatch.setattr(arena, "MOST", most)  # none, some or all are copied
        collection = filled(tmp_path / str(most), rows, 12)
        for _ in range(2):
            found = collection.search(asked, 600, rescore_multiplier=None, metric=metric)
            assert (found.indices == expected.indices).all()
            assert (found.scores == expected.scores).all()
            assert counts(collection) == places
        to_and_fro = filled(tmp_path / f"{most} to and fro", rows, 12, shuffled)
        found = to_and_fro.search(asked, 600, rescore_multiplier=None, metric=metric)
        assert (found.indices == expected.indices).all()
        assert (found.scores == expected.scores).all()
        assert counts(to_and_fro) == [50] * 12


def test_copies_are_neighbours_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "_SLAB", 900 * 8)  # of two slabs the first has room for 900 rows
    collection = filled(tmp_path / "c", KINDS["ubinary"](), 6)
    collection.search(X[:1], 1)
    (first,) = places_of(collection)
    at = first.part.rows.values.__array_interface__["data"][0]  # type: ignore[union-attr]
    for more, places in ((100, [700]), (150, [850]), (100, [850, 100]), (3, [850, 103])):
        collection.append(X[:more])
        assert collection.search(X[:1], 2000).indices.shape == (1, sum(places))
        assert counts(collection) == places
        now = places_of(collection)[0].part.rows.values  # type: ignore[union-attr]
        assert now.__array_interface__["data"][0] == at
        assert not now.flags.writeable
        assert not places_of(collection)[0].ids.flags.writeable
    assert (first.part.rows.values == KINDS["ubinary"]().values).all()  # type: ignore[union-attr]


def test_rows_to_and_fro_begin_at_lines(tmp_path: Path) -> None:
    """Files of which none begins where the one before ends are places of their own, at whole lines of 64 bytes."""
    rows = KINDS["ubinary"]()
    collection = filled(tmp_path / "c", rows, 7, np.random.default_rng(0).permutation(600))
    collection.search(X[:1], 1)
    at = [place.part.rows.values.__array_interface__["data"][0] for place in places_of(collection)]  # type: ignore[union-attr]
    assert len(at) == 7
    assert not any(address % 64 for address in at)
    assert np.diff(at).max() < 64 + 8 * 86
    back = filled(tmp_path / "back", rows, 6, np.arange(600)[::-1])  # each file before the one that was there
    assert (back.search(X[:3], 9).indices == search(X[:3], rows, 9).indices).all()
    assert counts(back) == [600]


def test_squares_of_rows_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection, counted = filled(tmp_path / "c", KINDS["int8"](), 6), []
    real = arena.Part.give_squares

    def give(part: Any, scan: Any) -> None:
        before = len(part._squares)
        real(part, scan)
        counted.append(len(part._squares) - before)

    monkeypatch.setattr(arena.Part, "give_squares", give)
    for _ in range(2):
        collection.search(X[:1], 1, metric="l2")
    collection.append(X[:20])
    collection.search(X[:1], 1, metric="l2")
    assert counted == [600, 20]


def test_a_file_that_is_large_stays_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "SMALL", 800)
    collection = filled(tmp_path / "c", KINDS["ubinary"](), 6)
    collection.append(X[:101])
    collection.append(X[:100])
    collection.search(X[:1], 1)
    assert counts(collection) == [600, 101, 100]


def test_rows_that_are_removed_are_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that are gone the bound does not count the copies."""
    rows = KINDS["ubinary"]()
    monkeypatch.setattr(arena, "MOST", 600 * bytes_of_a_row(rows))
    collection = filled(tmp_path / "c", rows, 6)
    collection.search(X[:1], 1)
    for _ in range(3):
        collection.append(X[:100])
    assert collection.search(X[:1], 900).indices.shape == (1, 900)
    assert counts(collection) == [600, 100, 100, 100]
    collection.remove(np.r_[7, 100:300])
    assert sorted(collection.search(X[:1], 900).indices[0].tolist()) == [*range(7), *range(8, 100), *range(300, 900)]
    assert counts(collection) == [600, 100]  # from the files 0, 3, 4, 5, 6, 7; and 8
    collection.compact(shard_bytes=1)
    collection.append(X[:100])
    assert collection.search(X[:1], 900).indices.shape == (1, 799)
    assert counts(collection) == [599, 100, 100]


def test_parts_of_a_collection_share_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the tasks of a cluster's worker search some files each, and others once there are more."""
    monkeypatch.setattr(arena, "_SLAB", 300 * 64)
    rows = KINDS["int8"]()
    folder = filled(tmp_path / "c", rows, 12)._folder
    shards = list(folder.now.shards)
    for some, counts in (
        (shards[:5], [250]),
        (shards[5:], [50, 300]),
        (shards[:4], [200]),
        (shards[2:9], [200, 150]),
        ([shards[0], shards[7]], [50, 50]),  # one slab's first 50 rows, and the second 50 of another one
        (shards, [300, 300]),
    ):
        codes = folder.corpus(some).codes
        assert codes is not None
        assert [len(place.ids) for place in codes._places] == counts
        ids = np.concatenate([folder.shard(shard).ids for shard in some])
        assert np.concatenate([place.ids for place in codes._places]).tolist() == ids.tolist()
        expected = search(X[:3], rows[ids], 9, metric="l2")
        found = codes.best(prepare(X[:3], rows, metric="l2"), 9, None, 1)
        assert (found.indices == ids[expected.indices]).all()
        assert (found.scores == expected.scores).all()
    assert folder._arena._held == 600 * (64 + 8)


def test_several_threads_copy_each_file_once(tmp_path: Path) -> None:
    collection, made = filled(tmp_path / "c", KINDS["ubinary"](), 60), []
    threads = [Thread(target=lambda: made.append(collection.search(X[:1], 600).indices)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collection._folder._arena._held == 600 * 16
    assert len(made) == 8
    assert all((found == made[0]).all() for found in made)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_fewer_files_than_before_are_met(tmp_path: Path, metric: Any) -> None:
    """As on a worker, which is asked for some of them, and then for others: what is known of more rows stays back."""
    same, order = np.ones((80, 8), np.float32), [np.arange(0, 40, 2), np.arange(40, 60), np.arange(60, 80)]
    collection = Collection.create(tmp_path / "c", like=same)
    for ids in (*order, np.arange(1, 40, 2)):  # to and fro, and all rows alike: each file is searched by itself
        collection.append(same[ids], ids=ids)
    folder, asked = collection._folder, prepare(same[:2], same, metric=metric)
    first, second, third, last = folder.now.shards
    for shards in ([first, second, third, last], [first, second, last], [first, last]):
        (found,) = folder.corpus(shards).best(asked, 4, None, 1)
        assert found.indices.tolist() == [[0, 1, 2, 3]] * 2
