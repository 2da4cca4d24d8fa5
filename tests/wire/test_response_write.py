"""Bodies written: in threads, with bad guesses at their size, in bounded memory; the same bytes always."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from guard import guarded

from embcodec import Embeddings, Usage, decode_response, encode_response
from embcodec._native import core
from embcodec._native.growing import ContinuedText, GrowingBytes
from embcodec._native.response import write

RNG = np.random.default_rng(5)
MATRICES: dict[str, Embeddings] = {
    "floats": Embeddings(RNG.normal(size=(90, 61)).astype(np.float32)),
    "short, then long": Embeddings(np.where(np.arange(90)[:, None] < 45, 1, RNG.random((90, 61))).astype(np.float32)),
    "long, then short": Embeddings(np.where(np.arange(90)[:, None] > 45, 1, RNG.random((90, 61))).astype(np.float32)),
    "one row": Embeddings(RNG.random((1, 700), np.float32)),
    "no row": Embeddings(np.empty((0, 7), np.float32)),
    "int8": Embeddings(RNG.integers(-128, 128, (300, 33)).astype(np.int8), "int8"),
    "uint8, longer and longer": Embeddings(np.sort(RNG.integers(0, 256, (300, 33)), 0).astype(np.uint8), "uint8"),
}


def plain(rows: Embeddings) -> list[Any]:
    """Return the data as the standard library reads it."""
    return [{"object": "embedding", "embedding": row.tolist(), "index": i} for i, row in enumerate(rows.values)]


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("name", MATRICES)
def test_threads_and_guesses_change_nothing(
    isa: str, monkeypatch: pytest.MonkeyPatch, name: str, encoding: str
) -> None:
    rows = MATRICES[name]
    want = encode_response(rows, model="m", encoding_format=encoding)
    if encoding == "float":
        assert [
            {**item, "embedding": np.array(item["embedding"], rows.values.dtype).tolist()}
            for item in json.loads(want)["data"]
        ] == plain(rows)
    monkeypatch.setattr(write, "LITTLE", 10)
    for turn in (1 << 22, 2000):
        monkeypatch.setattr(write, "_TURN", turn)
        for small in (0, 1 << 20):
            monkeypatch.setattr(write, "_SMALL", small)
            for sample in (1, 8):
                monkeypatch.setattr(write, "_SAMPLE", sample)
                for threads in (1, 2, 3, 7):
                    assert encode_response(rows, model="m", encoding_format=encoding, threads=threads) == want


def test_the_first_bad_row_is_named(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "LITTLE", 10)
    monkeypatch.setattr(write, "_SMALL", 0)
    rows = MATRICES["floats"].values.copy()
    for bad in (89, 60, 45, 44, 1, 0):
        rows[bad, 7] = np.nan
        for encoding in ("float", "base64"):
            for threads in (1, 2, 3):
                with pytest.raises(ValueError, match=f"row {bad} "):
                    encode_response(Embeddings(rows), model="m", encoding_format=encoding, threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("dtype", "encoding"), [("float", "float"), ("float", "base64"), ("int8", "float")])
def test_memory_is_the_text_and_at_most_a_megabyte(dtype: str, encoding: str, threads: int) -> None:
    x = np.random.default_rng(1).normal(0, 40, (700, 1024))
    rows = Embeddings(x.astype(np.float32) if dtype == "float" else np.clip(x, -128, 127).astype(np.int8), dtype)
    encode_response(rows[:2], model="m", encoding_format=encoding)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        text = encode_response(rows, model="m", encoding_format=encoding, threads=threads)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert len(text) <= peak < len(text) + (1 << 20)


RESIDENT = """
import sys, numpy as np
from embcodec import Embeddings, Usage, decode_response, encode_response
def highest():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
rows = Embeddings(np.random.default_rng(1).normal(size=(2000, 1024)).astype(np.float32))
encode_response(rows[:300], model="m", threads=2)
before = highest()
text = encode_response(rows, model="m", encoding_format=sys.argv[1], threads=2)
print(highest() - before, len(text))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_resident_memory_too(encoding: str) -> None:
    done = subprocess.run([sys.executable, "-c", RESIDENT, encoding], capture_output=True, text=True, check=True)
    grown, size = map(int, done.stdout.split())
    assert grown < size + (1 << 20)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integers_of_every_length_flush_against_a_wall(isa: str, dtype: Any) -> None:
    kind = core.lib.EC_INT8 if dtype is np.int8 else core.lib.EC_UINT8
    low = np.iinfo(dtype).min
    for n in range(210):
        for values in (RNG.integers(low, low + 256, n).astype(dtype), np.full(n, low or 255, dtype)):
            with guarded(5 * n + 2) as memory, guarded(max(n, 1)) as source:
                source[len(source) - n :] = values.view(np.uint8)
                count = core.lib.ec_integers_format(
                    core.ffi.cast("char *", source.ctypes.data + len(source) - n), n, kind, core.pointer(memory)
                )
                assert memory[:count].tobytes() == str(values.tolist()).replace(" ", "").encode()


def test_growing_bytes() -> None:
    text = GrowingBytes(0)
    for size in (10, 100_000, 10_000_000, 40_000_000, 500):
        text.resize(size)
        assert text.capacity == size
        text.data[size - 3 : size] = b"end"
    assert text.finish(500)[-3:] == b"end"
    for size in (1 << 17, (1 << 25) - 1, (1 << 25) + 5000):
        text = GrowingBytes(size)
        text.data[size - 3 : size] = b"end"
        assert text.finish(size)[-3:] == b"end"


def test_a_text_that_could_not_be_begun_ends_in_silence() -> None:
    """Without memory for what its threads write aside, it has no object yet that it could give back."""
    with pytest.MonkeyPatch.context() as patch:
        unheard: list[Any] = []
        patch.setattr(sys, "unraisablehook", unheard.append)
        with pytest.raises(MemoryError):
            ContinuedText(0, 10, 1 << 50, 0, 2)
        gc.collect()
    assert not unheard


FAULTS = """
import resource
import numpy as np
from embcodec import Embeddings, encode_response, format_floats
values = (np.random.default_rng(1).standard_normal((250, 1024)) / 32).astype(np.float32)
rows = Embeddings(values)
for write in (lambda: encode_response(rows, model="m", threads=1), lambda: format_floats(values, threads=1)):
    size = len(write())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        write()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, size // resource.getpagesize())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the way of the GNU C library")
def test_texts_are_written_to_the_memory_of_those_before() -> None:
    """Memory that comes from the system again, page by page, takes as long as the text."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}  # Dask sets some
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True, env=usual)
    for line in done.stdout.splitlines():
        faults, pages = map(int, line.split())
        assert faults < pages < 2000


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_scales_that_a_body_has_no_room_for(dtype: str, encoding: str) -> None:
    x = RNG.uniform(-1, 1, (5, 16)).astype(np.float32)
    for scale in ("per-vector", np.stack([x.min(0), x.max(0)])):
        codes = Embeddings(x).to(dtype, scale=scale)
        with pytest.raises(ValueError, match=r"no room for the (per-vector|ranges) scale: send the values"):
            encode_response(codes, model="m", encoding_format=encoding)
        for way_out in (codes.to("float"), codes.to(dtype, scale="unit")):
            body = encode_response(way_out, model="m", encoding_format=encoding)
            answer = decode_response(body, output_dtype=way_out.output_dtype)
            assert answer.embeddings == way_out


def test_counts_of_tokens_may_be_numbers_of_numpy() -> None:
    body = encode_response(np.eye(1, dtype=np.float32), model="m", usage=Usage(*np.array([3, 0, 4])))
    assert json.loads(body)["usage"] == {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 4}
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        encode_response(np.eye(1, dtype=np.float32), model="m", usage={"total_tokens": object()})


def test_types_that_others_set_on_functions_of_python_are_not_ours() -> None:
    """As fsspec does, which datasets and many others import: to ctypes one function of Python's is one object."""
    import ctypes

    shared = ctypes.pythonapi.PyBytes_FromStringAndSize
    former = shared.argtypes, shared.restype
    shared.argtypes, shared.restype = (ctypes.c_char_p, ctypes.c_long), ctypes.py_object
    try:
        body = encode_response(np.ones((2, 2), np.float32), model="m")
        assert shared.restype is ctypes.py_object
    finally:
        shared.argtypes, shared.restype = former
    assert decode_response(body).embeddings.values.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("profile", ["cohere", "vertex", "huggingface"])
def test_rows_of_other_bodies_are_written_by_parts(isa: str, monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    rows = MATRICES["floats"]
    want = encode_response(rows, model="m", profile=profile)
    assert decode_response(want, profile=profile).embeddings == rows
    monkeypatch.setattr(write, "LITTLE", 10)
    monkeypatch.setattr(write, "_SMALL", 0)
    for turn in (1 << 22, 2000):
        monkeypatch.setattr(write, "_TURN", turn)
        for threads in (1, 3):
            assert encode_response(rows, model="m", profile=profile, threads=threads) == want
