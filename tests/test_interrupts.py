"""Ctrl-C is heard within a moment, however long a call would take; and calls in turns find what one call does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import numpy as np
import pytest

from embcodec import (
    LowBitQuantizer,
    NotFiniteError,
    Scale,
    dequantize,
    quantize,
    range_search,
    rescore,
    search,
    truncate,
)
from embcodec._native import core
from embcodec._native import search as native
from embcodec._native.threads import Stop, in_turns, run

LONG = {
    "search": "search(x, x, 10, threads=THREADS)",
    "range_search": "range_search(x, x, 2.0, threads=THREADS)",
    "bits": "search(x, bits, 10, query_precision='float32', threads=THREADS)",
}
PROGRAM = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent has it ignored
import numpy as np
from embcodec import Embeddings, range_search, search
x = np.random.default_rng(0).standard_normal((1000, 256)).astype(np.float32)
x = np.resize(x, (100_000, 256))
bits = Embeddings(x).to("ubinary")
print("begun", flush=True)
begun = time.monotonic()
try:
    for _ in range(1000):
        CALL
except KeyboardInterrupt:
    print("heard", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to another process")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LONG)
def test_an_interrupt_is_heard_in_a_long_call(name: str, threads: int) -> None:
    """Of ten thousand million pairs, which take a core some ten seconds or more."""
    call = LONG[name].replace("THREADS", str(threads))
    program = textwrap.dedent(PROGRAM).replace("CALL", call)
    assert any(heard_after(program) < 1 for _ in range(3))  # some wait for others' work on a busy machine


def heard_after(program: str) -> float:
    """Return the seconds from an interrupt to the KeyboardInterrupt."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout
            assert child.stdout.readline() == "begun\n"
            time.sleep(0.3)
            sent = time.monotonic()
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "heard\n"
            return time.monotonic() - sent
        finally:
            child.kill()


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop after every block of a scan, and take a few rows a call elsewhere."""
    monkeypatch.setattr(native, "_FIRST_BYTES", 1)
    monkeypatch.setattr("embcodec._native.threads._SHORT", -1.0)
    monkeypatch.setattr(core, "_BLOCK_BYTES", 1000)


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("kind", ["float", "int8", "ranges", "ubinary", "low-bit", "unrounded"])
def test_turns_change_no_result(isa: str, kind: str, metric: str, request: pytest.FixtureRequest) -> None:
    rng = np.random.default_rng(1)
    x = truncate(rng.standard_normal((1100, 72)), 72)
    queries: Any = truncate(rng.standard_normal((70, 72)), 72)
    ranges = Scale.ranges([x.min(axis=0), x.max(axis=0)])
    corpus: Any = {
        "float": lambda: x,
        "int8": lambda: quantize(x, "int8"),
        "unrounded": lambda: quantize(x, "uint8"),
        "ranges": lambda: quantize(x, "int8", scale=ranges),
        "ubinary": lambda: quantize(x, "ubinary"),
        "low-bit": lambda: LowBitQuantizer(2, rotation="random", center="mean").fit(x[:200]).encode(x),
    }[kind]()
    if kind in ("int8", "ranges"):
        queries = quantize(queries, "int8", scale=corpus.scale)
    how: dict[str, Any] = {"metric": metric, "query_precision": "float32" if kind == "unrounded" else "int8"}
    mask = rng.random(1100) < 0.5

    def found() -> list[bytes]:
        results: list[Any] = [search(queries, corpus, 5, threads=threads, **how) for threads in (1, 3)]
        results += [search(queries, corpus, 5, mask=mask, **how), search(queries, corpus, 5, mask=np.arange(90), **how)]
        results.append(rescore(queries, np.tile(np.arange(0, 1100, 3), (70, 1)), corpus, 5, **how))
        results.append(range_search(queries, corpus, float(results[0].scores[0, 3]), threads=2, **how))
        return [array.tobytes() for result in results for array in result]

    here = found()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_FIRST_BYTES", 1 << 40)
        patch.setattr(core, "_BLOCK_BYTES", 1 << 40)
        assert found() == here


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("dtype", ["int8", "uint8", "binary", "ubinary", "float"])
def test_codes_by_blocks_of_rows(dtype: str) -> None:
    x = np.random.default_rng(2).standard_normal((50, 36)).astype(np.float32) / 6  # about unit length
    scales = ["per-vector", [x.min(axis=0), x.max(axis=0)]] if dtype in ("int8", "uint8") else []
    for scale in (None, *scales):
        some = quantize(x, dtype, scale=scale)
        values, cut = dequantize(some), truncate(x, 20)
        assert core.blocks_of(50, 4 * 36)[1:3] == [slice(6, 12), slice(12, 18)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(core, "_BLOCK_BYTES", 1 << 30)
            whole = quantize(x, dtype, scale=scale)
            assert whole == some
            np.testing.assert_array_equal(values, dequantize(whole))
            np.testing.assert_array_equal(cut, truncate(x, 20))
        bad = x.copy()
        bad[31, 7] = np.nan
        for what in (lambda bad=bad, scale=scale: quantize(bad, dtype, scale=scale), lambda bad=bad: truncate(bad, 20)):
            with pytest.raises(NotFiniteError, match="row 31, column 7"):
                what()


def test_turns_grow_and_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked, left = [0.0], [], [1000]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def call(most: int) -> None:
        asked.append(most)
        left[0] -= most
        clock[0] += 0.0009 * most

    in_turns(call, lambda: left[0] <= 0, 1000, 10, Stop())
    assert asked == [10, 40, 40, 40, *[40] * (len(asked) - 4)]
    asked.clear()
    left[0] = 1000
    in_turns(call, lambda: left[0] <= 0, 1000, 400, Stop())
    assert asked == [400, 200, 100, 100, 100, 100]
    asked.clear()
    left[0] = 9
    in_turns(call, lambda: left[0] <= 0, 9, 10, Stop())  # small work is one call
    assert len(asked) == 1


def test_tasks_under_way_are_told_to_stop() -> None:
    stop = Stop()
    seen: list[bool] = []

    def fail() -> None:
        raise KeyError("first")

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not stop.wanted and time.monotonic() < deadline:
            time.sleep(0.001)
        seen.append(stop.wanted)

    with pytest.raises(KeyError):
        run([wait, fail], 2, stop)
    assert seen in ([True], [])
