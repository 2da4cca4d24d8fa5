"""A collection searched on the workers of a Dask cluster: the same result, also where a worker is killed."""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import Collection, LowBitQuantizer, quantize
from embcodec.index.collection import pieces, spread
from embcodec.index.collection.manifest import Shard, file_of_rows

pytest.importorskip("distributed")

X = np.random.default_rng(0).standard_normal((400, 24)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
Q = X[:9] + np.float32(0.01)


def filled(folder: Path, like: Any, better: Any = None, shards: int = 13) -> Collection:
    collection = Collection.create(folder, like=like, rescore_with=better)
    for part in np.array_split(X, shards):
        collection.append(part)
    return collection


@pytest.mark.parametrize(("kind", "much"), [("float", False), ("ubinary", True), ("b2", False), ("b2", True)])
def test_the_same_result(tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch, kind: str, much: bool) -> None:
    if much:  # several tasks a worker, files in pieces, queries sent before, results merged in a tree
        monkeypatch.setattr(pieces, "_LEAST_BYTES", 1)
        for name, value in (("_TASK", 1), ("_FURTHER", 1), ("_LOOKED_UP", 1), ("_SENT", 0), ("_FAN", 2)):
            monkeypatch.setattr(spread, name, value)
    like = LowBitQuantizer(2, rotation="learned").fit(X).encode(X) if kind == "b2" else quantize(X, kind)
    collection = filled(tmp_path / "c", like, None if kind == "float" else X, shards=2 if much else 13)
    collection.remove([2, 7, 300])
    for options in ({}, {"metric": "dot", "mask": [5, 3, 399]}, {"rescore_multiplier": None}):
        expected = collection.search(Q, 12, **options)
        found = collection.search(Q, 12, scheduler=cluster, **options)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.scores, expected.scores)
    assert collection.search(Q[0], 3, scheduler=cluster).indices.shape == (3,)


def test_other_processes_change_it(tmp_path: Path, cluster: Any) -> None:
    collection = filled(tmp_path / "c", X)
    collection.search(Q, 1, scheduler=cluster)
    late = Collection.open(tmp_path / "c")
    collection.compact()
    np.testing.assert_array_equal(
        late.search(Q, 5, scheduler=cluster).indices, collection.search(Q, 5, scheduler=cluster).indices
    )


def test_refusals(tmp_path: Path, cluster: Any) -> None:
    empty = Collection.create(tmp_path / "c", like=X)
    assert empty.search(Q, 5, scheduler=cluster).indices.shape == (9, 0)
    with pytest.raises(TypeError, match=r"a dask.distributed.Client, not 'threads'"):
        empty.search(Q, 5, scheduler="threads")


@pytest.mark.parametrize("killed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_killed_workers_are_made_good(tmp_path: Path, cluster: Any, killed: int) -> None:
    collection = filled(tmp_path / "c", X, shards=60)
    expected = collection.search(Q, 12)
    pids = cluster.run(os.getpid)

    def kill() -> None:
        time.sleep(0.05)
        for pid in list(pids.values())[:killed]:
            os.kill(pid, 9)

    killer = threading.Thread(target=kill)
    killer.start()
    for _ in range(6):
        np.testing.assert_array_equal(collection.search(Q, 12, scheduler=cluster).indices, expected.indices)
    killer.join()
    cluster.wait_for_workers(2, timeout=120)
    assert len(set(cluster.run(os.getpid).values()) & set(pids.values())) <= 2 - killed


@pytest.mark.parametrize(("work", "tasks"), [(1, 2), (10**6, 1)])
def test_little_work_is_a_task_a_thread_and_less_a_task(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch, work: int, tasks: int
) -> None:
    """What a task has opened stays open for the next one that asks for the same files."""
    monkeypatch.setattr(spread, "_TASK", work)
    collection = filled(tmp_path / "c", X)
    cluster.run(spread._here.cache_clear)
    for _ in range(6):
        collection.search(Q, 12, scheduler=cluster)
    kept = cluster.run(lambda: spread._here.cache_info()[:2]).values()
    assert sum(hits + misses for hits, misses in kept) == 6 * tasks
    assert all(misses <= tasks for _, misses in kept)


@pytest.mark.parametrize(
    ("rows", "seats", "tasks"),
    [
        (10**6, 16, 3),  # some 15 ms of work: three tasks are handed out in as long as each of them takes
        (4 * 10**7, 16, 16),
        (4 * 10**8, 2, 12),
        (4 * 10**10, 16, 96),
        (10**8, 500, 31),
        (4 * 10**10, 500, 500),  # smaller ones would come to an end faster than the scheduler hands them out
    ],
)
def test_tasks_are_as_many_as_the_cluster_hands_out_in_time(
    monkeypatch: pytest.MonkeyPatch, rows: int, seats: int, tasks: int
) -> None:
    class Asked:
        row_bytes = 64

        def nanoseconds(self, n_rows: int, read: float) -> float:
            return 12.0 * n_rows

    monkeypatch.setattr(spread, "check_cluster", lambda _: None)
    made = spread.Spread(None, Path(), None, shards_of(*[rows // 100] * 100))  # type: ignore[arg-type]
    asked = spread._Asked(Asked(), 10, None, None)  # type: ignore[arg-type]
    assert len(made._pieces("search", asked, seats)) == tasks


def test_tasks_tell_the_next_ones_of_their_worker_what_is_out_of_reach(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "_TASK", 1)
    monkeypatch.setattr(spread, "_FURTHER", 1)
    collection = filled(tmp_path / "c", X)
    cluster.run(spread._reach.cache_clear)
    for seed in range(3):
        collection.search(Q + np.float32(seed), 5, scheduler=cluster)
    kept = list(cluster.run(lambda: spread._reach.cache_info()[:2]).values())
    assert all(misses <= 3 for _, misses in kept), "each search has its own"
    assert sum(hits + misses for hits, misses in kept) > 2 * 3 * 2


def shards_of(*rows: int) -> list[Shard]:
    ends = np.cumsum([0, *rows]).tolist()
    return [Shard(file_of_rows(i), stop - start, start, stop - 1) for i, (start, stop) in enumerate(pairwise(ends))]


def test_pieces_become_smaller() -> None:
    for worth, count in ((0.5, 1), (1, 1), (2.1, 2), (1e9, 6)):
        parts = pieces.shares(worth)
        assert len(parts) == count
        assert sum(parts) == pytest.approx(1)
        assert parts == sorted(parts, reverse=True)
        assert parts[-1] * worth >= min(worth, 1)


@pytest.mark.parametrize("rows", [(1,), (7, 100_000, 3), (40_000,) * 4, (5,) * 900, (10**6, 1, 10**6)])
@pytest.mark.parametrize("seats", [1, 3, 16])
def test_pieces_are_all_rows_once(rows: tuple[int, ...], seats: int) -> None:
    shards, parts = shards_of(*rows), [part for part in pieces.shares(1e9) for _ in range(seats)]
    groups = pieces.cut(shards, parts, 64)
    assert len(groups) <= len(parts)
    flat = [piece for group in groups for piece in group]
    firsts = [piece.shard.least + piece.start for piece in flat]
    assert firsts == sorted(firsts)
    for shard in shards:
        ends = [(piece.start, piece.stop) for piece in flat if piece.shard is shard]
        assert ends[0][0] == 0
        assert ends[-1][1] == shard.rows
        assert all(one[1] == other[0] and one[1] % 16_384 == 0 for one, other in pairwise(ends))
    sizes = [sum(piece.stop - piece.start for piece in group) for group in groups]
    if len(sizes) == len(parts):  # each end is half a step off at most
        np.testing.assert_allclose(sizes, np.array(parts) * sum(rows) / seats, rtol=0, atol=16_384)


def test_a_worker_lets_go_of_files_that_are_gone(tmp_path: Path) -> None:
    """Else their space stays taken, and each change leaves it more of them, for as long as the worker runs."""
    collection = filled(tmp_path / "c", X, shards=3)
    folder = spread._folder(str(tmp_path / "c"), (0, 0))
    first, second, third = collection._folder.now.shards
    kept = folder.corpus_of([pieces.Piece(first, 0, 5), pieces.Piece(second, 0, second.rows)])
    other = folder.corpus_of([pieces.Piece(first, 5, first.rows), pieces.Piece(third, 0, third.rows)])
    assert set(folder._lent) == {first, second, third}
    del other
    assert set(folder._lent) == {first, second}
    del kept
    assert not folder._lent
    assert not folder._open


def test_a_worker_lets_go_of_files_that_were_joined(tmp_path: Path) -> None:
    """Not once many others have taken their place, but at once."""
    collection = filled(tmp_path / "c", X, shards=9)
    pieces_of = [(pieces.Piece(shard, 0, shard.rows),) for shard in collection._folder.now.shards]
    for some in pieces_of:
        spread._opened(str(tmp_path / "c"), some)
    folder = spread._folder(str(tmp_path / "c"), spread.identity_of(tmp_path / "c" / spread.LIKE))
    assert len(folder._lent) == len(folder._arena._copies) == 9
    collection.compact()
    (joined,) = collection._folder.now.shards
    here = spread._opened(str(tmp_path / "c"), (pieces.Piece(joined, 0, joined.rows),))
    assert set(folder._lent) == {joined}
    assert len(folder._arena._copies) == 1
    assert spread._opened(str(tmp_path / "c"), (pieces.Piece(joined, 0, joined.rows),)) is here
