"""``threads=`` wherever work is parallel: a keyword, None by default, that changes no byte and no error."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embcodec as ec
from embcodec._native import blocks, core
from embcodec._native.core import ffi, lib, pointer

THREADS = (1, 2, 3, 7, 16)
WIDTH = 40


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few rows be worth a thread, and take several groups of blocks."""
    monkeypatch.setattr(blocks, "_LEAST_BYTES", 4 * WIDTH * 3)
    calibration = import_module("embcodec.quantizers.calibrate")
    monkeypatch.setattr(calibration, "_MINMAX_BLOCK_BYTES", 4 * WIDTH * 5)
    monkeypatch.setattr("embcodec._native.response.write.LITTLE", 10)
    monkeypatch.setattr("embcodec._native.response.fast._LIST_PART", 1 << 12)
    monkeypatch.setattr(import_module("embcodec.quantizers.lowbit.blocks"), "BLOCK_BYTES", 4 * WIDTH * 6)


SCHEMES = {
    bits: ec.LowBitQuantizer(bits, rotation=rotation, center="mean", seed=0).fit(  # type: ignore[arg-type]
        np.random.default_rng(bits).standard_normal((200, WIDTH)).astype(np.float32)
    )
    for bits, rotation in ((1, "none"), (2, "random"))
}


def functions(x: Any) -> dict[str, Callable[[Any], Any]]:
    """Return calls on rows that take a number of threads."""
    ranges = ec.calibrate(x)
    codes = {
        name: ec.quantize(x, dtype, scale=scale)
        for name, dtype, scale in (
            ("unit", "int8", None),
            ("per-vector", "uint8", "per-vector"),
            ("ranges", "int8", ranges),
            ("ubinary", "ubinary", None),
            ("binary", "binary", None),
        )
    }
    calls: dict[str, Callable[[Any], Any]] = {
        "pack_bits": lambda threads: ec.pack_bits(x, threads=threads),
        "pack_bits signed": lambda threads: ec.pack_bits(x, signed=True, threshold=0.1, threads=threads),
        "unpack_bits": lambda threads: ec.unpack_bits(codes["ubinary"].values, WIDTH, threads=threads),
        "unpack_bits float": lambda t: ec.unpack_bits(codes["ubinary"].values, WIDTH, dtype="float32", threads=t),
        "calibrate": lambda threads: ec.calibrate(x, threads=threads),
        "calibrate batches": lambda threads: ec.calibrate((x[i : i + 9] for i in range(0, len(x), 9)), threads=threads),
        "format_floats": lambda threads: ec.format_floats(x, threads=threads),
        "format_floats, one": lambda threads: ec.format_floats(x.reshape(-1), threads=threads),
        "encode_response": lambda threads: ec.encode_response(ec.Embeddings(x), model="m", threads=threads),
        "encode_response base64": lambda threads: ec.encode_response(
            ec.Embeddings(x), model="m", encoding_format="base64", threads=threads
        ),
    }
    for name, some in codes.items():
        scale: Any = {"per-vector": "per-vector", "ranges": ranges}.get(name)
        calls[f"quantize {name}"] = lambda threads, some=some, scale=scale: ec.quantize(
            x, some.output_dtype, scale=scale, threads=threads
        )
        calls[f"dequantize {name}"] = lambda threads, some=some: ec.dequantize(some, threads=threads)
        calls[f"to_float {name}"] = lambda threads, some=some: some.to_float(threads=threads)
    for bits, quantizer in SCHEMES.items():
        low = quantizer.encode(x)
        calls[f"encode {bits}"] = lambda threads, quantizer=quantizer: quantizer.encode(x, threads=threads)
        calls[f"decode {bits}"] = lambda threads, quantizer=quantizer, low=low: quantizer.decode(low, threads=threads)
    return calls


def plain(result: Any) -> Any:
    if isinstance(result, np.ndarray):
        return result.shape, result.tobytes()
    if isinstance(result, ec.LowBitCodes):
        return result.bit_planes.tobytes(), result.scales.tobytes(), result.lengths.tobytes(), result.unit_error
    if isinstance(result, ec.Embeddings):
        scale = result.scale
        return result.meaning, plain(result.values), None if scale is None else repr(scale.values)
    return result


@settings(max_examples=8)
@given(seed=st.integers(0, 1000), n=st.sampled_from([1, 2, 17, 64, 301]))
def test_any_number_gives_the_same_bytes(seed: int, n: int) -> None:
    x = np.random.default_rng(seed).standard_normal((n, WIDTH)).astype(np.float32) / np.float32(6)
    for name, call in functions(x).items():
        want = plain(call(1))
        for threads in (*THREADS[1:], None):
            assert plain(call(threads)) == want, name


def test_histograms_by_dimensions() -> None:
    pytest.importorskip("numba")
    x = np.random.default_rng(3).standard_normal((500, 100)).astype(np.float32)
    for method in ("quantile", "mse"):
        want = ec.calibrate(x, method=method, threads=1)  # type: ignore[arg-type]
        for threads in THREADS[1:]:
            np.testing.assert_array_equal(ec.calibrate(x, method=method, threads=threads), want)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", THREADS)
def test_the_first_fault_is_named(threads: int) -> None:
    x = np.random.default_rng(0).standard_normal((900, WIDTH)).astype(np.float32) / 6
    x[300:, 5] = np.nan
    quantizer = SCHEMES[2]
    for _ in range(5):
        for call in (
            lambda: ec.quantize(x, "int8", threads=threads),
            lambda: ec.quantize(x, "uint8", scale="per-vector", threads=threads),
            lambda: ec.quantize(x, "ubinary", threads=threads),
            lambda: ec.calibrate(x, threads=threads),
            lambda: quantizer.encode(x, threads=threads),
        ):
            with pytest.raises(ec.NotFiniteError) as caught:
                call()
            assert (caught.value.row, caught.value.column) == (300, 5)
        with pytest.raises(ValueError, match=r"at \[300, 5\]"):
            ec.format_floats(x, threads=threads)


def test_batch_files(tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((60, WIDTH)).astype(np.float32)
    path = tmp_path / "batch.jsonl"
    lines = []
    for name in ("a", "b"):
        body = ec.encode_response(ec.Embeddings(x), model="m").decode()
        lines.append(f'{{"custom_id":"{name}","response":{{"status_code":200,"body":{body}}}}}\n')
    path.write_text("".join(lines))
    want = ec.decode_batch(path, threads=1)
    for threads in THREADS[1:]:
        found = ec.decode_batch(path, threads=threads)
        assert found.custom_ids == want.custom_ids
        assert found.embeddings == want.embeddings


def test_it_is_a_keyword_and_none_by_default() -> None:
    for function in (
        ec.search, ec.range_search, ec.rescore, ec.quantize, ec.dequantize, ec.calibrate, ec.pack_bits, ec.unpack_bits,
        ec.format_floats, ec.encode_response, ec.decode_response, ec.decode_batch, ec.LowBitQuantizer.encode,
        ec.LowBitQuantizer.decode, ec.FlatIndex.search,
    ):  # fmt: skip
        given = inspect.signature(function).parameters["threads"]
        assert given.kind is inspect.Parameter.KEYWORD_ONLY
        assert given.default is None


def test_large_work_takes_several(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(core, "allowed", lambda: 4)

    def run(tasks: Any, threads: int, stop: Any) -> None:
        asked.append(threads)
        tasks[0]()

    monkeypatch.setattr(blocks, "run", run)
    for rows in (3000, 30):
        blocks.each_block(lambda block: None, rows, 4096, None, 0.05)
    assert len(asked) == 1
    assert 1 < asked[0] <= 4


def test_work_of_the_core_takes_several_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(core, "allowed", lambda: 4)
    monkeypatch.setattr(core, "_core_hand_over", lambda: 8e3)
    for rows in (30, 450, 900, 1200, 3000, 20_000):
        blocks.each_call(lambda block, threads: asked.append(threads), rows, 4096, None)
    assert asked == [1, 1, 2, 3, 4, 4]
    asked.clear()
    monkeypatch.setattr(core, "_BLOCK_BYTES", 4096 * 100)
    blocks.each_call(lambda block, threads: asked.extend([block.start, block.stop, threads]), 900, 4096, 4)
    assert asked == [0, 400, 4, 400, 800, 4, 800, 900, 4]  # as much for each thread as for one alone


@pytest.mark.parametrize("width", [40, 37])
def test_threads_of_the_core_give_the_same_bytes(width: int) -> None:
    """Of matrices that are several ranges of rows."""
    x = np.random.default_rng(0).standard_normal((301 * 25, width)).astype(np.float32) / 6
    ranges, codes = ec.calibrate(x), {}
    calls: dict[str, Callable[[Any], Any]] = {
        "pack_bits": lambda threads: ec.pack_bits(x, signed=True, threshold=0.1, threads=threads),
        "unpack_bits": lambda threads: ec.unpack_bits(codes["ubinary", None].values, width, threads=threads),
        "unpack_bits float": lambda threads: ec.dequantize(codes["ubinary", None], threads=threads),
        "calibrate": lambda threads: ec.calibrate(x, threads=threads),
        "calibrate doubles": lambda threads: ec.calibrate(x.astype(np.float64), threads=threads),
    }
    for dtype, scale in (("int8", None), ("uint8", "per-vector"), ("int8", "ranges"), ("ubinary", None)):
        of: Any = ranges if scale == "ranges" else scale
        codes[dtype, scale] = some = ec.quantize(x, dtype, scale=of, threads=1)  # type: ignore[call-overload]
        calls[f"{dtype} {scale}"] = lambda threads, dtype=dtype, of=of: ec.quantize(x, dtype, scale=of, threads=threads)
        calls[f"{dtype} {scale} back"] = lambda threads, some=some: ec.dequantize(some, threads=threads)
    calls["scales at hand"] = lambda t: ec.quantize(x, "uint8", scale=codes["uint8", "per-vector"].scale, threads=t)
    for name, call in calls.items():
        want = plain(call(1))
        for threads in (*THREADS[1:], None):
            assert plain(call(threads)) == want, name
    bad = x.copy()
    bad[5000:, 7] = np.inf
    for dtype, scale in codes:
        for threads in 5 * THREADS:
            with pytest.raises(ec.NotFiniteError) as caught:
                ec.quantize(bad, dtype, scale=ranges if scale == "ranges" else scale, threads=threads)  # type: ignore[call-overload]
            assert (caught.value.row, caught.value.column) == (5000, 7)
    for threads in THREADS:
        for some in (bad, bad.astype(np.float64), [bad[:4000], bad[4000:]]):
            with pytest.raises(ec.NotFiniteError) as caught:
                ec.calibrate(iter(some) if isinstance(some, list) else some, threads=threads)
            assert (caught.value.row, caught.value.column) == (5000, 7)


def test_rows_in_doubt_are_as_many_on_any_number_of_threads() -> None:
    x = np.random.default_rng(0).standard_normal((301 * 25, WIDTH)).astype(np.float32)
    codes, found = np.empty(x.shape, np.int8), []
    low, step = np.zeros(WIDTH, np.float32), np.full(WIDTH, 1e-3, np.float32)
    for threads in THREADS:
        to = pointer(x), *x.shape, lib.EC_INT8
        found.append(
            (
                lib.ec_quantize_unit_f32(*to, pointer(codes), threads).produced,
                lib.ec_quantize_ranges_f32(
                    *to, pointer(low), pointer(step), ffi.NULL, pointer(codes), threads
                ).produced,
            )
        )
    assert found == [found[0]] * len(THREADS)
    assert min(found[0]) > 0


def test_an_interrupt_ends_the_others() -> None:
    calls: list[int] = []
    begun = threading.Event()

    def call(block: slice) -> None:
        calls.append(block.start)
        if threading.current_thread() is threading.main_thread():
            begun.wait(60)
            raise KeyboardInterrupt
        begun.set()
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt):
        blocks.each_block(call, 10_000, 4 * WIDTH, 2, 1.0)
    assert len(calls) <= 3  # of eight
    ec.quantize(np.zeros((3000, WIDTH), np.float32), "ubinary", threads=3)
