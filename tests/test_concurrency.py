"""Many threads, processes that fork, many calls: the same answers, and no memory kept."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec as ec

X = np.random.default_rng(0).normal(scale=0.14, size=(600, 48)).astype(np.float32)
FLOATS = ec.Embeddings(X)
BITS = ec.quantize(X, "ubinary")
INTEGERS = ec.quantize(X, "int8", scale="per-vector")
UNIT = ec.quantize(ec.truncate(X, X.shape[1]), "int8")
TEXTS = ec.encode_base64(X)
BODY = ec.encode_response(FLOATS, model="m")
BASE64_BODY = ec.encode_response(FLOATS, model="m", encoding_format="base64")
INDEX = ec.FlatIndex(BITS, rescore_with=X)
NEAREST = ec.search(X[:20], X, 5).indices

FUNCTIONS: dict[str, Callable[[], Any]] = {
    "encode_base64": lambda: ec.encode_base64(X),
    "decode_base64": lambda: ec.decode_base64(TEXTS, "float"),
    "format_floats": lambda: ec.format_floats(X),
    "parse_floats": lambda: ec.parse_floats(ec.format_floats(X[:50])),
    "pack_bits": lambda: ec.pack_bits(X, bit_order="lsb"),
    "unpack_bits": lambda: ec.unpack_bits(BITS.values, 48),
    "quantize": lambda: ec.quantize(X, "uint8", scale="per-vector"),
    "dequantize": lambda: ec.dequantize(INTEGERS),
    "truncate": lambda: ec.truncate(X, 31),
    "to": lambda: BITS.to("binary").truncate(13).values,
    "decode_response": lambda: ec.decode_response(BODY, threads=2).embeddings,
    "decode_response base64": lambda: ec.decode_response(BASE64_BODY).embeddings,
    "encode_response": lambda: ec.encode_response(UNIT, model="m", encoding_format="base64"),
    "search floats": lambda: ec.search(X[:20], X, 5, threads=2),
    "search int8": lambda: ec.search(X[:20], INTEGERS, 5, metric="l2"),
    "search bits": lambda: ec.search(BITS[:20], BITS, 5, mask=np.arange(600) % 3 == 0),
    "range_search": lambda: ec.range_search(X[:20], BITS, 0.3, threads=2),
    "rescore": lambda: ec.rescore(X[:20], NEAREST, INTEGERS, 3),
    "search on threads": lambda: ec.search(X[:20], INTEGERS, 5, threads=3),
    "rescore on threads": lambda: ec.rescore(X[:20], NEAREST, INTEGERS, 3, threads=3),
    "quantize on threads": lambda: ec.quantize(X, "int8", scale="per-vector", threads=3),
    "format_floats on threads": lambda: ec.format_floats(X, threads=2),
    "FlatIndex.search": lambda: INDEX.search(X[:20], 5),
}


def plain(result: Any) -> Any:
    """Return a result as something that ``==`` compares to the last bit."""
    if isinstance(result, np.ndarray):
        return result.dtype, result.shape, result.tobytes()
    if isinstance(result, ec.Embeddings):
        return result.meaning, plain(result.values)
    if isinstance(result, tuple):
        return tuple(map(plain, result))
    return result


WANTED = {name: plain(function()) for name, function in FUNCTIONS.items()}


def test_eight_threads_find_the_same() -> None:
    starts = threading.Barrier(8)

    def work(number: int) -> list[str]:
        starts.wait()
        names = list(FUNCTIONS)
        names = names[number:] + names[:number]  # others run other functions at the time, and the same ones later
        return [name for _ in range(3) for name in names if plain(FUNCTIONS[name]()) != WANTED[name]]

    with ThreadPoolExecutor(8) as pool:
        assert not [name for wrong in pool.map(work, range(8)) for name in wrong]


def test_errors_stay_with_the_thread_that_made_them() -> None:
    def work(number: int) -> bool:
        body = BODY.replace(b"[", b"[x", 1 + number % 5)
        offset = -1
        try:
            ec.decode_response(body, threads=1 + number % 3)
        except ec.DecodeError as error:
            offset = error.offset or -1
        return body[offset : offset + 1] == b"x" and plain(ec.decode_response(BODY).embeddings) == plain(FLOATS)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(64)))


def test_an_index_is_searched_while_it_changes() -> None:
    index = ec.FlatIndex(BITS, rescore_with=X)
    done = threading.Event()

    def change() -> None:
        for _ in range(40):
            added = index.add(X[:30])
            index.remove(added)
        done.set()

    def search() -> int:
        wrong = 0
        while not done.is_set():
            found = index.search(X[100:110], 1).indices[:, 0]
            wrong += found.tolist() != list(range(100, 110))
        return wrong

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search) for _ in range(3)]
        pool.submit(change).result()
        assert sum(one.result() for one in searches) == 0
    assert len(index) == 600
    np.testing.assert_array_equal(index.ids, np.arange(600))


def _in_a_child() -> list[str]:
    return [name for name, function in FUNCTIONS.items() if plain(function()) != WANTED[name]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_that_has_computed_may_fork() -> None:
    assert not _in_a_child()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for child in [pool.apply_async(_in_a_child) for _ in range(2)]:
            assert child.get(60) == []
    assert not _in_a_child()


def _search_in_a_child() -> bool:
    return bool(plain(ec.search(X[:20], X, 5, threads=3)) == WANTED["search floats"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_may_fork_while_its_threads_search() -> None:
    done = threading.Event()

    def search() -> None:
        while not done.is_set():
            ec.search(X, X, 5, threads=3)

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(search) for _ in range(2)]
        with multiprocessing.get_context("fork").Pool(2) as children:
            found = [children.apply_async(_search_in_a_child).get(60) for _ in range(4)]
        done.set()
        for other in others:
            other.result()
    assert found == [True] * 4


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _small_calls() -> None:
    x, bits = X[:2], BITS[:2]
    body, bad = b'{"data":[{"embedding":[1,2]}]}', b'{"data":[{"embedding":[1,2}]}'
    texts = ["AACAPwAAAMA="] * 2
    for _ in range(1000):
        ec.decode_base64(texts, "float")
        ec.parse_floats("[1,2,3]")
        ec.format_floats(x)
        ec.pack_bits(x)
        ec.quantize(x, "int8")
        ec.search(x, x, 1)
        ec.search(bits, bits, 1)
        ec.decode_response(body)
        try:
            ec.decode_response(bad)
        except ec.DecodeError:
            continue


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_calls_keep_no_memory() -> None:
    """After a run that fills every cache another 9,000 calls add less than 60 bytes a call."""
    _small_calls()
    gc.collect()
    before = _resident_bytes()
    _small_calls()
    gc.collect()
    assert _resident_bytes() - before < 1 << 19
