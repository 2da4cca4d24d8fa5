"""Any number of threads finds the same: rows, scores and ties, of every kind of search, and of many at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embcodec import Embeddings, LowBitQuantizer, quantize, range_search, rescore, search
from embcodec._native import core
from embcodec._native import search as native
from embcodec._native.core import pointer
from embcodec._native.scan import Scan, scratches
from embcodec.scan.metric import compile_metric
from embcodec.scan.plan import plan

THREADS = (1, 2, 3, 7, 16)
WIDTH = 24


def few_values(rng: np.random.Generator, n: int) -> Any:
    """Return rows of which many have the same scores, and some are twins."""
    return rng.integers(-1, 2, (n, WIDTH)).astype(np.float32) + np.float32(0.25)


def corpus_of(kind: str, x: Any) -> tuple[Any, dict[str, Any]]:
    """Return a corpus and how it is searched."""
    if kind == "hamming":
        return quantize(x, "ubinary"), {"metric": "hamming"}
    if kind == "jaccard":
        return quantize(x, "ubinary"), {"metric": "jaccard"}
    if kind == "bits":
        return quantize(x, "ubinary"), {"metric": "dot"}
    if kind == "low-bit":
        fitted = LowBitQuantizer(2, rotation="random", center="none", seed=1).fit(
            few_values(np.random.default_rng(9), 300)
        )
        return fitted.encode(x), {"metric": "dot"}
    if kind == "int8":
        return quantize(x, "int8", scale="per-vector"), {"metric": "l2"}
    if kind == "unrounded":
        return quantize(x, "int8", scale="per-vector"), {"metric": "dot", "query_precision": "float32"}
    return x, {"metric": kind}


KINDS = ("hamming", "jaccard", "bits", "low-bit", "int8", "unrounded", "cosine", "dot", "l2")


def as_bytes(*results: Any) -> list[bytes]:
    return [array.tobytes() for result in results for array in result]


def found(kind: str, queries: Any, x: Any, k: int, mask: Any, threads: int) -> list[bytes]:
    rows, how = corpus_of(kind, x)
    if kind in ("hamming", "jaccard"):
        queries = quantize(queries, "ubinary")
    best = search(queries, rows, k, threads=threads, **how)
    limit = float(best.scores[0, -1])
    each = 40 if len(queries) > 1 else 2500  # of rows that are one query's own several threads take shares, too
    candidates = np.random.default_rng(3).integers(-1, len(x), (len(queries), each))
    return as_bytes(
        best,
        search(queries, rows, k, mask=mask, threads=threads, **how),
        search(queries, rows, k, mask=np.flatnonzero(mask)[::9], threads=threads, **how),
        range_search(queries, rows, limit, threads=threads, **how),
        rescore(queries, candidates, rows, k, threads=threads, **how),
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6)
@given(
    seed=st.integers(0, 1000),
    n=st.sampled_from([1, 255, 1100, 3000]),
    n_queries=st.sampled_from([1, 2, 7, 40, 230]),
    k=st.sampled_from([1, 10, 40, 90]),
)
def test_any_number_of_threads_finds_the_same(kind: str, seed: int, n: int, n_queries: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    x, queries, mask = few_values(rng, n), few_values(rng, n_queries), rng.random(n) < 0.6
    mask[0] = True
    want = found(kind, queries, x, k, mask, 1)
    for threads in THREADS[1:]:
        assert found(kind, queries, x, k, mask, threads) == want


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("order", ["best first", "best last", "all equal"])
def test_ties_go_to_the_lower_row(order: str, threads: int) -> None:
    """Of equal costs, a thread that is ahead must leave those to the rows behind it."""
    distance = {"best first": np.arange(64), "best last": np.arange(64)[::-1], "all equal": np.full(64, 9)}[order]
    bits = np.zeros((64 * 256, 64), np.uint8)
    for group, ones in enumerate(distance):
        bits[group * 256 : group * 256 + 256, :ones] = 1
    corpus, query = Embeddings(np.packbits(bits, axis=1), "ubinary"), Embeddings(np.zeros((3, 8), np.uint8), "ubinary")
    first = {"best first": 0, "best last": 63 * 256, "all equal": 0}[order]
    for _ in range(20):
        for k in (1, 20, 200):
            scores, rows = search(query, corpus, k, threads=threads)
            assert (rows == first + np.arange(k)).all()
            assert (scores == distance.min() if order != "all equal" else scores == 9).all()


@pytest.mark.parametrize("threads", THREADS)
def test_the_first_row_that_has_no_score_is_named(threads: int) -> None:
    x = np.random.default_rng(0).standard_normal((5000, WIDTH)).astype(np.float32)
    for bad in (4999, 2600, 700):  # more and more of them: the first counts
        x[bad, 3] = np.nan
        for n_queries in (1, 200):
            with pytest.raises(ValueError, match=f"row {bad} has NaN"):
                search(np.ones((n_queries, WIDTH), np.float32), x, 5, threads=threads)
    x = np.ones((40_000, WIDTH), np.float32)
    x[20_300::250, 3] = np.nan  # in every block from there on, which several threads are at by then
    for _ in range(20):
        with pytest.raises(ValueError, match="row 20300 has NaN"):
            search(np.ones((20, WIDTH), np.float32), x, 5, threads=threads)


def test_turns_of_several_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    for n, n_queries in ((3000, 9), (700, 130), (9000, 1)):
        x, queries, mask = few_values(rng, n), few_values(rng, n_queries), rng.random(n) < 0.5
        want = found("l2", queries, x, 90, mask, 1)
        with monkeypatch.context() as patch:
            patch.setattr(native, "_FIRST_BYTES", 1)
            patch.setattr("embcodec._native.threads._SHORT", -1.0)
            for threads in (1, 2, 5):
                assert found("l2", queries, x, 90, mask, threads) == want


def test_many_callers_at_once() -> None:
    rng = np.random.default_rng(7)
    x, queries, mask = few_values(rng, 3000), few_values(rng, 5), rng.random(3000) < 0.5
    want = {kind: found(kind, queries, x, 10, mask, 1) for kind in KINDS}

    def call(number: int) -> bool:
        kind = KINDS[number % len(KINDS)]
        return found(kind, queries, x, 10, mask, 1 + number % 5) == want[kind]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(48)))


def test_a_hit_list_without_room_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_HITS", 1)  # room for one block
    rng = np.random.default_rng(8)
    x, queries = few_values(rng, 4000), few_values(rng, 30)
    want = as_bytes(range_search(queries, x, -100.0, metric="dot", threads=1))
    for threads in THREADS:
        assert as_bytes(range_search(queries, x, -100.0, metric="dot", threads=threads)) == want


def scan_of(x: Any) -> Scan:
    """Return the scan of rows by one query."""
    return plan(Embeddings(np.zeros((1, WIDTH), np.float32) + 1), Embeddings(x), "l2", "int8")


def entries_of(x: Any, k: int, seats: list[int], blocks: list[int]) -> list[int]:
    """Return how many entries blocks of rows give, met in this order, each from one of two seats."""
    scan = scan_of(x)
    args = scan.arguments(k, 0, len(x))
    scratch = scratches.take(2 * core.lib.ec_search_scratch_bytes(args, 1))
    counts = np.zeros(len(blocks), np.int64)
    order = np.array([seats, blocks], np.int64)
    assert core.lib.ec_search_in_turn(args, pointer(order), len(blocks), pointer(counts), pointer(scratch))
    return [int(count) for count in counts]


def test_what_one_thread_has_found_limits_the_others(isa: str) -> None:
    scan = scan_of(np.ones((9999, WIDTH), np.float32))
    block = core.lib.ec_range_reserve(scan.arguments(10, 0, 9999))  # rows that one query meets at a time
    x = np.ones((12 * block, WIDTH), np.float32) * np.repeat(np.arange(12) + 2, block)[:, None].astype(np.float32)
    first, *others = entries_of(x, 10, [0, 1, 1, 0, 1], [0, 1, 2, 3, 4])  # the best come first
    assert first >= 10
    assert others == [0, 0, 0, 0]
    x[:] = 2
    ahead, behind, *others = entries_of(x, 10, [0, 1, 1, 0], [5, 2, 7, 8])  # all are equal
    assert ahead >= 10
    assert behind >= 10, "rows before those found are better than they"
    assert others == [0, 0]
    x[2 * block : 3 * block] = 3
    assert entries_of(x, 10, [0, 1, 1], [5, 2, 7])[1:] == [0, 0]


def test_small_searches_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "allowed", lambda: 16)
    monkeypatch.setattr(core, "_core_hand_over", lambda: 8e3)

    def chosen(n: int, n_queries: int, dtype: Any = "ubinary") -> int:
        x = (
            Embeddings(np.zeros((n, 128), np.uint8), "ubinary")
            if dtype == "ubinary"
            else np.zeros((n, 1024), np.float32)
        )
        return native.threads_for(plan(x[:n_queries] if dtype == "ubinary" else Embeddings(x[:n_queries]),
                                       x if dtype == "ubinary" else Embeddings(x), None, "int8"), None)  # fmt: skip

    assert chosen(10_000, 1) == 1
    assert chosen(100, 16) == 1
    assert 1 < chosen(100_000, 1) <= 16
    assert chosen(100_000, 256) == 16
    assert chosen(100, 1, "float") == 1
    assert chosen(50_000, 1, "float") > 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_compiled_metric_on_threads_that_python_does_not_know() -> None:
    pytest.importorskip("numba")

    @compile_metric(output_dtype="float", lower_is_better=True)
    def first_of(query: Any, row: Any) -> float:
        if row[0] > 100:
            raise ValueError("too large")
        return abs(query[0] - row[0]) + abs(query[1] - row[1])  # type: ignore[no-any-return]

    x = few_values(np.random.default_rng(2), 20_000)
    want = as_bytes(search(x[:3], x, 30, metric=first_of, threads=1))
    for threads in THREADS[1:]:
        assert as_bytes(search(x[:3], x, 30, metric=first_of, threads=threads)) == want
    x[15_000:] = 200
    with pytest.raises(ValueError, match="row 15000 has no score"):
        search(x[:3], x, 30, metric=first_of, threads=7)


def test_threads_are_a_whole_number() -> None:
    x = np.ones((2, 3), np.float32)
    calls: list[Callable[[Any], Any]] = [
        lambda threads: search(x, x, 1, threads=threads),
        lambda threads: range_search(x, x, 0, threads=threads),
        lambda threads: rescore(x, [[0], [1]], x, 1, threads=threads),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="at least 1"):
            call(0)
        with pytest.raises(TypeError, match="whole number"):
            call("two")
