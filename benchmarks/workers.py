"""What a second Dask worker on loopback gains, beside what a second process gains on this machine at all.

    python benchmarks/workers.py [--rows 1000000] [--shards 4] [--queries 100] [--seconds 3] [--turns 3]

A collection of bits is searched by a cluster of one worker and by one of two, of one thread each; and in plain
processes that search all of it again and again, one alone and two at once. Two threads of one core gain less than two
cores do, so what two processes gain is the most that two workers can: their share of it is what the cluster, the client
and the merging leave. Turns alternate and the best of each counts; one cluster is there at a time, as an idle one takes
a tenth of a processor by Dask's own settings, and half as much by those that are set here, as docs/howto/collection.md
says for machines of few cores. Every answer is compared.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from embcodec import Collection, Embeddings, SearchResult

DIMENSION, K = 512, 10


def made(folder: Path, rows: int, shards: int) -> Collection:
    """Return a collection of random bits."""
    rng = np.random.default_rng(0)
    like = Embeddings(np.empty((0, DIMENSION // 8), np.uint8), "ubinary")
    collection = Collection.create(folder, like=like)
    for _ in range(shards):
        collection.append(Embeddings(rng.integers(0, 256, (rows, DIMENSION // 8), dtype=np.uint8), "ubinary"))
    return collection


def rate(search: Callable[[], SearchResult], expected: SearchResult, seconds: float) -> float:
    """Return how many searches a second there are."""
    end, count, start = time.perf_counter() + seconds, 0, time.perf_counter()
    while time.perf_counter() < end:
        found = search()
        count += 1
        assert (found.indices == expected.indices).all()
        assert (found.scores == expected.scores).all()
    return count / (time.perf_counter() - start)


def alone(folder: Path, queries: np.ndarray, begin: float, seconds: float) -> float:
    """Return the rate of a plain process, from the moment `begin` on."""
    collection = Collection.open(folder)
    expected = collection.search(queries, K, threads=1)
    time.sleep(max(begin - time.time(), 0))
    return rate(lambda: collection.search(queries, K, threads=1), expected, seconds)


def processes(folder: Path, queries: np.ndarray, count: int, seconds: float) -> float:
    """Return the rate of some plain processes together."""
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        begin = time.time() + 3  # by then all have begun
        each = [pool.submit(alone, folder, queries, begin, seconds) for _ in range(count)]
        return sum(one.result() for one in each)


def workers(collection: Collection, queries: np.ndarray, count: int, seconds: float) -> float:
    """Return the rate of a search by that many workers of a cluster."""
    import dask

    from distributed import Client, LocalCluster

    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500ms"})
    expected = collection.search(queries, K, threads=1)
    local = LocalCluster(
        n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0", silence_logs=50
    )
    with local, Client(local) as client:
        for _ in range(3):
            collection.search(queries, K, scheduler=client)
        return rate(lambda: collection.search(queries, K, scheduler=client), expected, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("rows", 1_000_000), ("shards", 4), ("queries", 100), ("seconds", 3.0), ("turns", 3)):
        parser.add_argument(f"--{name}", type=type(usual), default=usual)
    asked = parser.parse_args()
    queries = np.random.default_rng(1).standard_normal((asked.queries, DIMENSION), dtype=np.float32)
    best: dict[tuple[str, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vectors")
        collection = made(path, asked.rows, asked.shards)
        for _ in range(asked.turns):
            for count in (1, 2):
                plain = processes(path, queries, count, asked.seconds)
                spread = workers(collection, queries, count, asked.seconds)
                for key, found in ((("processes", count), plain), (("workers", count), spread)):
                    best[key] = max(best.get(key, 0.0), found * asked.queries)
    gains = {kind: best[kind, 2] / best[kind, 1] for kind in ("processes", "workers")}
    for kind, gain in gains.items():
        print(f"{kind:9s}  one {best[kind, 1]:8,.0f}  two {best[kind, 2]:8,.0f} queries/s  gain {gain:.2f}")
    share = gains["workers"] / gains["processes"]
    print(f"two workers gain {gains['workers']:.2f}, {share:.0%} of what the machine gives")


if __name__ == "__main__":
    main()
