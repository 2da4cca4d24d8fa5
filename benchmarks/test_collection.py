"""Collections against plain files: appends, and searches of many files; answers checked, one thread.

What an append is held against keeps the same bytes as surely: a file that is written, flushed and moved into its place,
and a flush of the folder. They take turns, and medians count: the best of a disk is rare. Both go to the disk of the
temporary folder (``--basetemp=FOLDER`` chooses another).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import Collection, Embeddings, load, merge_topk, quantize, save, search

K = 10


def bits(rows: int, seed: int = 0) -> Embeddings:
    return Embeddings(np.random.default_rng(seed).integers(0, 256, (rows, 64), dtype=np.uint8), "ubinary")


def int8(rows: int, seed: int = 0) -> Any:
    floats = np.random.default_rng(seed).standard_normal((rows, 1024), dtype=np.float32)
    return quantize(floats, "int8", scale="per-vector")


KINDS = {"64 bytes of bits": bits, "1,024 d of int8": int8}


@contextmanager
def unflushed() -> Iterator[None]:
    """Let files that are made before the clock starts reach the disk later."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("fsync", "fdatasync"):
            patched.setattr(os, name, lambda descriptor: None, raising=False)
        yield


def filled(folder: Path, rows: Any, files: int) -> Collection:
    collection = Collection.create(folder, like=rows)
    each = len(rows) // files
    with unflushed():
        for first in range(0, len(rows), each):
            collection.append(rows[first : first + each])
    return collection


@pytest.mark.skipif(os.name != "posix", reason="folders are flushed as on POSIX")
@pytest.mark.parametrize("kind", KINDS)
def test_append(race: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    rows = KINDS[kind](10_000)
    collection = filled(tmp_path / "vectors", rows, 1000)
    collection.append(rows)
    newest = max((tmp_path / "vectors").glob("rows-*"), key=lambda path: path.stat().st_size)
    data, written = newest.read_bytes(), iter(range(10**9))

    def plainly() -> int:
        temporary, path = tmp_path / "temporary", tmp_path / f"{next(written)}.bin"
        with open(temporary, "wb", buffering=0) as file:
            file.write(data)
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(tmp_path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return path.stat().st_size

    def check(got: Any) -> None:
        if isinstance(got, int):
            assert got == len(data)
        else:
            assert len(got) == len(rows)
            assert Collection.open(tmp_path / "vectors").search(rows[:1], 1).indices.shape == (1, 1)

    os.sync()
    name = f"append 10,000 x {kind} to 1,001 files"
    peers = {"write, flush, move, flush": plainly}
    race(
        name, lambda: collection.append(rows), peers, work=len(data), unit="bytes", check=check, rounds=60, medians=True
    )


@pytest.mark.parametrize("queries", [1, 16, 500])
@pytest.mark.parametrize("files", [20, 200, 1000])
def test_many_files(race: Callable[..., Any], tmp_path: Path, files: int, queries: int) -> None:
    rows, asked = bits(800_000), bits(queries, seed=1)
    collection = filled(tmp_path / "vectors", rows, files)
    save(tmp_path / "matrix.safetensors", rows)
    matrix = load(tmp_path / "matrix.safetensors", mmap=True)
    expected = search(asked, rows, K)

    def check(got: Any) -> None:
        np.testing.assert_array_equal(got.indices, expected.indices)

    race(
        f"{queries} queries of 800,000 x 64 bytes in {files} files",
        lambda: collection.search(asked, K, threads=1),
        {"one mapped matrix": lambda: search(asked, matrix, K, threads=1)},
        work=queries * len(rows),
        unit="pairs",
        check=check,
        seconds=1,
    )


def test_merge(race: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    scores = -np.sort(-rng.standard_normal((200, 500, 20), dtype=np.float32), axis=2)
    ids = rng.permuted(np.tile(np.arange(4000).reshape(200, 1, 20), (1, 500, 1)), axis=2)
    parts = list(zip(scores, ids, strict=True))

    def with_numpy() -> Any:
        """Ties fall as they may."""
        every, names = np.concatenate(scores, axis=1), np.concatenate(ids, axis=1)
        best = np.argpartition(-every, 20, axis=1)[:, :20]
        found = np.take_along_axis(every, best, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        return np.take_along_axis(found, order, axis=1), np.take_along_axis(
            np.take_along_axis(names, best, axis=1), order, axis=1
        )

    expected = with_numpy()

    def check(got: Any) -> None:
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[1], expected[1])

    name = "merge 200 parts of 500 queries x 20"
    peers = {"NumPy": with_numpy}
    race(name, lambda: merge_topk(parts, 20, metric="dot"), peers, work=scores.size, unit="results", check=check)
