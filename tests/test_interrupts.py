"""Ctrl-C is heard within a moment, however long a call would take; and calls in turns find what one call does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from embcodec import (
    DecodeError,
    Embeddings,
    LowBitQuantizer,
    NotFiniteError,
    Scale,
    decode_base64,
    decode_response,
    dequantize,
    encode_base64,
    encode_response,
    format_floats,
    quantize,
    range_search,
    rescore,
    search,
    truncate,
)
from embcodec._native import core
from embcodec._native import search as native
from embcodec._native.response import fast, write
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
one, two = (search(x[:4], x[:5000], 3, threads=threads) for threads in (1, THREADS))
print("usable" if all(map(np.array_equal, one, two)) else "not usable", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to another process")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LONG)
def test_an_interrupt_is_heard_in_a_long_call(name: str, threads: int) -> None:
    """Of ten thousand million pairs, which take a core some ten seconds or more."""
    call = LONG[name].replace("THREADS", str(threads))
    program = textwrap.dedent(PROGRAM).replace("CALL", call).replace("THREADS", str(threads))
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
            heard = time.monotonic()
            assert child.stdout.readline() == "usable\n"
            return heard - sent
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
    x = truncate(rng.standard_normal((600, 72)), 72)
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
    mask = rng.random(600) < 0.5

    def found() -> list[bytes]:
        results: list[Any] = [search(queries, corpus, 5, threads=threads, **how) for threads in (1, 3)]
        results += [search(queries, corpus, 5, mask=mask, **how), search(queries, corpus, 5, mask=np.arange(90), **how)]
        results.append(rescore(queries, np.tile(np.arange(0, 600, 3), (70, 1)), corpus, 5, **how))
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


class Counting:
    """The C core, whose calls are counted; with `most` an interrupt comes in the call after so many."""

    def __init__(self, most: int | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.most = most

    def __getattr__(self, name: str) -> Any:
        found = getattr(core.lib, name)
        if not callable(found):
            return found

        def call(*arguments: Any) -> Any:
            self.calls[name] += 1
            if self.calls[name] == self.most:
                raise KeyboardInterrupt
            return found(*arguments)

        return call


ROWS = np.random.default_rng(3).standard_normal((600, 16)).astype(np.float32)
CODES = quantize(ROWS, "int8", scale="per-vector").values
BODIES = {
    encoding: encode_response(Embeddings(ROWS), model="m", encoding_format=encoding)  # type: ignore[arg-type]
    for encoding in ("float", "base64")
}
BODIES["no index"] = re.sub(rb',"index":\d+|"index":\d+,', b"", BODIES["float"])
BODIES["shuffled"] = BODIES["float"].replace(b'"index":5}', b'"index":x}').replace(b'"index":500}', b'"index":5}')
BODIES["shuffled"] = BODIES["shuffled"].replace(b'"index":x}', b'"index":500}')
assert BODIES["shuffled"] != BODIES["float"]
TURNS: dict[str, tuple[str, str, Any]] = {
    **{
        f"decode_response, {name}, {threads}": (
            "response.fast",
            "ec_response_read_rows" if threads == 1 or name == "shuffled" else "ec_response_read_parts",
            partial(decode_response, body, threads=threads),
        )
        for name, body in BODIES.items()
        for threads in (1, 3)
    },
    **{
        f"encode_response, {encoding}, {threads}": (
            "response.write",
            "ec_response_write_parts",
            partial(encode_response, Embeddings(ROWS), model="m", encoding_format=encoding, threads=threads),
        )
        for encoding in ("float", "base64")
        for threads in (1, 3)
    },
    "encode_base64": ("base64", "ec_base64_encode_rows", partial(encode_base64, ROWS)),
    "decode_base64": ("base64", "ec_base64_decode_rows", partial(decode_base64, encode_base64(ROWS), "float")),
    "format_floats": ("numbers", "ec_numbers_write", partial(format_floats, ROWS)),
    "format_floats, one row": ("numbers", "ec_numbers_write", partial(format_floats, ROWS.reshape(-1))),
}


@pytest.mark.parametrize("name", TURNS)
def test_text_by_turns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read or written in many calls is what one gives, and an interrupt between two leaves nothing behind."""
    where, function, call = TURNS[name]
    module = import_module(f"embcodec._native.{where}")
    whole = call()
    monkeypatch.setattr(fast, "_TURN", 500)
    monkeypatch.setattr(fast, "_LIST_PART", 1 << 12)
    monkeypatch.setattr(fast, "_STRING_PART", 1 << 12)
    monkeypatch.setattr(write, "_TURN", 300)
    monkeypatch.setattr(write, "LITTLE", 10)
    monkeypatch.setattr(core, "_BLOCK_BYTES", 1000)
    counting = Counting()
    monkeypatch.setattr(module, "lib", counting)
    for again in (call(), call()):
        assert again == whole if not isinstance(whole, np.ndarray) else np.array_equal(again, whole)
    assert counting.calls[function] > 2 * 30
    monkeypatch.setattr(module, "lib", Counting(most=20))
    with pytest.raises(KeyboardInterrupt):
        call()
    monkeypatch.setattr(module, "lib", counting)
    again = call()
    assert again == whole if not isinstance(whole, np.ndarray) else np.array_equal(again, whole)


@pytest.mark.usefixtures("short_turns")
def test_faults_are_named_where_they_are_in_any_block() -> None:
    bad = ROWS.copy()
    bad[431, 7] = np.inf
    with pytest.raises(ValueError, match=r"no text for inf \(at \[431, 7\]\)"):
        format_floats(bad)
    with pytest.raises(ValueError, match=r"no text for inf \(at \[6903\]\)"):
        format_floats(bad.reshape(-1))
    texts = encode_base64(ROWS)
    texts[431] = "?" + texts[431][1:]
    with pytest.raises(DecodeError, match="row 431, byte 0") as caught:
        decode_base64(texts, "float")
    assert (caught.value.row, caught.value.offset) == (431, 0)


def test_turns_grow_and_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked, left = [0.0], [], [1000]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def call(most: int) -> None:
        asked.append(most)
        left[0] -= most
        clock[0] += 0.0009 * most

    in_turns(call, lambda: left[0] <= 0, 1000, 10)
    assert asked == [10, 40, 40, 40, *[40] * (len(asked) - 4)]
    asked.clear()
    left[0] = 1000
    in_turns(call, lambda: left[0] <= 0, 1000, 400)
    assert asked == [400, 200, 100, 100, 100, 100]
    asked.clear()
    left[0] = 9
    in_turns(call, lambda: left[0] <= 0, 9, 10)  # small work is one call
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
