"""Codes of small files lie side by side in memory, within a bound; files stay as they are, and so do results."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from coded import floats

from embcodec import Collection, Embeddings, LowBitQuantizer, quantize, search
from embcodec.index.collection import arena
from embcodec.quantizers.lowbit import arrays_of

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


def filled(folder: Path, rows: Any, files: int) -> Collection:
    collection = Collection.create(folder, like=rows)
    for some in np.array_split(np.arange(600), files):
        collection.append(rows[some], ids=some)
    return collection


def codes_of(collection: Collection) -> list[np.ndarray]:
    """What is scanned of each file."""
    return [arrays_of(shard.codes.rows)[0] for shard in collection._folder.shards()]


def copied(collection: Collection) -> list[int]:
    return [shard.copied for shard in collection._folder.shards()]


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_one_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    rows = KINDS[kind]()
    expected = search(X[:5], rows, 600)
    row_bytes = arrays_of(rows)[0].nbytes // 600
    for most in (0, 250 * row_bytes, 1 << 26):  # none, some or all are copied
        monkeypatch.setattr(arena, "MOST", most)
        collection = filled(tmp_path / str(most), rows, 12)
        found = collection.search(X[:5], 600, rescore_multiplier=None)
        assert (found.indices == expected.indices).all()
        assert (found.scores == expected.scores).all()
        assert copied(collection) == [50 * row_bytes * (50 * row_bytes * (file + 1) <= most) for file in range(12)]


def test_copies_are_neighbours(tmp_path: Path) -> None:
    collection = filled(tmp_path / "c", KINDS["ubinary"](), 6)
    collection.search(X[:1], 1)
    at = [codes.__array_interface__["data"][0] for codes in codes_of(collection)]
    assert np.diff(at).tolist() == [100 * 8 // 64 * 64 + 64] * 5  # 800 bytes in whole lines of 64
    for _ in range(2):
        collection.append(X[:100])
        collection.search(X[:1], 1)
    assert [codes.__array_interface__["data"][0] for codes in codes_of(collection)][:6] == at
    assert codes_of(collection)[7].__array_interface__["data"][0] == at[0] + 7 * 832
    assert not any(codes.flags.writeable for codes in codes_of(collection))


def test_a_file_that_is_large_stays_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "SMALL", 800)
    collection = filled(tmp_path / "c", KINDS["ubinary"](), 6)
    collection.append(X[:101])
    collection.search(X[:1], 1)
    assert copied(collection) == [800] * 6 + [0]


def test_the_bound_counts_what_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that are gone it does not count the copies."""
    monkeypatch.setattr(arena, "MOST", 6 * 800)
    collection = filled(tmp_path / "c", KINDS["ubinary"](), 6)
    collection.search(X[:1], 1)
    for _ in range(3):
        collection.append(X[:100])
    collection.search(X[:1], 1)
    assert copied(collection) == [800] * 6 + [0] * 3
    collection.remove(np.arange(100, 300))
    collection.append(X[:100])
    collection.search(X[:1], 1)
    assert copied(collection) == [800] * 4 + [0] * 3 + [800]
    collection.compact(shard_bytes=1)
    collection.append(X[:100])
    assert collection.search(X[:1], 900).indices.shape == (1, 900)
    assert sum(copied(collection)) <= 6 * 800


def test_copies_fill_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arena, "_SLAB", 1 << 12)
    room = arena.Arena()
    copies = [room.copied(np.full(1000, number, np.uint8)) for number in range(9)]
    assert [int(copy[0]) for copy in copies if copy is not None] == list(range(9))
    assert len({id(copy.base.base) for copy in copies if copy is not None}) == 3  # four to a slab


def test_copies_of_several_threads_do_not_meet() -> None:
    room, made = arena.Arena(), []

    def copy(number: int) -> None:
        for _ in range(200):
            made.append((number, room.copied(np.full(300, number, np.uint8))))

    threads = [Thread(target=copy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1600
    assert all((held == number).all() for number, held in made)
