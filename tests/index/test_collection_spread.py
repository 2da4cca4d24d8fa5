"""A collection searched on the workers of a Dask cluster: the same result, also where a worker is killed."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import Collection, LowBitQuantizer, quantize
from embcodec.index.collection import spread

dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")

X = np.random.default_rng(0).standard_normal((400, 24)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
Q = X[:9] + np.float32(0.01)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers in processes of their own, on loopback."""
    settings = {
        "distributed.comm.timeouts.connect": "10s",  # for those killed
        "distributed.worker.multiprocessing-method": "forkserver",  # which imports Dask once, not once a worker
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            dask.config.set(settings),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0", silence_logs=50
            ) as local,
            distributed.Client(local) as client,
        ):
            yield client


def filled(folder: Path, like: Any, better: Any = None, shards: int = 13) -> Collection:
    collection = Collection.create(folder, like=like, rescore_with=better)
    for part in np.array_split(X, shards):
        collection.append(part)
    return collection


@pytest.mark.parametrize(("kind", "much"), [("float", False), ("ubinary", True), ("b2", False), ("b2", True)])
def test_the_same_result(tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch, kind: str, much: bool) -> None:
    if much:  # several tasks a worker, queries that are sent before, results that are merged in a tree
        for name, value in (("_PAIRS", 1), ("_SENT", 0), ("_FAN", 2)):
            monkeypatch.setattr(spread, name, value)
    like = LowBitQuantizer(2, rotation="learned").fit(X).encode(X) if kind == "b2" else quantize(X, kind)
    collection = filled(tmp_path / "c", like, None if kind == "float" else X)
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


def test_little_work_is_a_task_a_thread(tmp_path: Path, cluster: Any) -> None:
    """What a task has opened stays open for the next one that asks for the same files."""
    collection = filled(tmp_path / "c", X)
    cluster.run(spread._here.cache_clear)
    for _ in range(6):
        collection.search(Q, 12, scheduler=cluster)
    kept = cluster.run(lambda: spread._here.cache_info()[:2]).values()
    assert sum(hits + misses for hits, misses in kept) == 12
    assert all(misses <= 2 for _, misses in kept)
