"""Batch files read on several threads: the same rows, ids, errors and sums, whatever stands between the plain lines."""

from __future__ import annotations

import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import BatchResult, Embeddings, decode_batch, encode_response
from embcodec._native.response import lines as native_lines
from embcodec.wire.batch import ahead, source

WIDTH = 40
RNG = np.random.default_rng(31)
ODD = (
    b"",
    b"   ",
    b"{",
    b'{"custom_id":"broken","response":{"status_code":200,"body":{"data":[{"embedding":[1,2',
    b'{"custom_id":"refused","response":{"status_code":429,"body":{"error":{"message":"slow down"}}}}',
    b'{"custom_id":"failed","response":null,"error":{"message":"too long"}}',
    b'{"custom_id":"17","response":{"status_code":200,"body":{"data":[{"embedding":['
    + b"0.5," * (WIDTH - 1)
    + b"1]}]}}}",
    b'{"custom_id":"narrow","response":{"status_code":200,"body":{"data":[{"embedding":[1,2,3]}]}}}',
    b'{"custom_id":"\\u00e9","response":{"status_code":200,"body":{"data":[{"embedding":['
    + b"0.25," * (WIDTH - 1)
    + b"1]}]}}}",
    b'{"recordId":"bedrock","modelOutput":{"embedding":[' + b"0.25," * (WIDTH - 1) + b"1]}}",
    b"[1, 2]",
    b"not JSON",
)


@cache
def plain_lines(encoding: str, count: int) -> list[bytes]:
    return [plain_line(i, 1 if i % 50 else 3, encoding) for i in range(count)]


def plain_line(number: int, rows: int, encoding: str) -> bytes:
    values = Embeddings((RNG.standard_normal((rows, WIDTH)) / 8).astype(np.float32))
    body = encode_response(values, model="m", encoding_format=encoding, usage={"prompt_tokens": 3, "total_tokens": 3})  # type: ignore[arg-type]
    return b'{"custom_id":"%d","response":{"status_code":200,"body":%s},"error":null}' % (number, body)


def text_of(odd: list[int], encoding: str, count: int = 500) -> bytes:
    """Return lines of which those numbered in `odd` are odd ones, one after the other."""
    lines = plain_lines(encoding, count).copy()
    for place, number in enumerate(odd):
        lines[number] = ODD[place % len(ODD)]
    return b"\n".join(lines)


def same(found: BatchResult, wanted: BatchResult) -> None:
    assert found.custom_ids == wanted.custom_ids
    assert found.embeddings == wanted.embeddings
    assert found.errors == wanted.errors
    assert found.usage == wanted.usage
    assert repr(found.broken_off) == repr(wanted.broken_off)


def alone(path: Path, **options: Any) -> BatchResult:
    """Return what one thread finds in a file's buffer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CAN", False)
        return decode_batch(path, threads=1, **options)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have small texts that a buffer holds read in parts, and count the lines that are."""
    counts: list[int] = []
    monkeypatch.setattr(source, "CAN", False)
    monkeypatch.setattr(native_lines, "_PART", 2_000)
    monkeypatch.setattr(source, "_MOST_BUFFER", 50_000)
    monkeypatch.setattr(source, "BUFFER", 20_000)
    read = native_lines.LineReader.read_parts

    def counted(self: native_lines.LineReader, text: bytes, start: int) -> object:
        found = read(self, text, start)
        if found is not None:
            counts.append(len(found[0]))
        return found

    monkeypatch.setattr(native_lines.LineReader, "read_parts", counted)
    return counts


@pytest.fixture
def small_ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have small parts of files read ahead, and count the lines that are."""
    if not source.CAN:
        pytest.skip("the system reads files from where they are at alone")
    counts: list[int] = []
    monkeypatch.setattr(ahead, "PART", 3_000)
    monkeypatch.setattr(ahead, "_MARGIN", 100)
    monkeypatch.setattr(source, "BUFFER", 1_000)
    take = ahead.Ahead.take

    def counted(self: ahead.Ahead, start: int) -> ahead.Part | None:
        part = take(self, start)
        assert len(self._done) <= self.threads + 2
        if part is not None:
            counts.append(len(part.lines))
        return part

    monkeypatch.setattr(ahead.Ahead, "take", counted)
    return counts


@pytest.fixture(params=["small_parts", "small_ahead"])
def small(request: pytest.FixtureRequest) -> list[int]:
    """Have small parts of texts read on several threads, in each of the two ways, and count the lines that are."""
    counts: list[int] = request.getfixturevalue(request.param)
    return counts


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize(
    "odd",
    [[], [249], [0, 1], [125], [30, 31, 32, 150], list(range(20, 220, 15)), list(range(10, 250, 3))],
    ids=["none", "last", "first", "middle", "some", "many", "every third"],
)
@pytest.mark.parametrize("end", [b"\n", b"", b"\n\n", b'\n{"custom_id":"cut'])
def test_any_number_of_threads(tmp_path: Path, small: list[int], odd: list[int], encoding: str, end: bytes) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(text_of(odd, encoding, 250) + end)  # more than twice as many parts as the most threads have
    wanted = alone(path)
    assert not sum(small)
    for threads in (1, 2, 3, 16):
        same(decode_batch(path, threads=threads), wanted)
    assert sum(small) > (500 if len(odd) < 2 else 50)


def test_each_kind_of_odd_line(tmp_path: Path, small: list[int]) -> None:
    for line in ODD:
        path = tmp_path / "out.jsonl"
        lines = text_of([], "float", 300).split(b"\n")
        path.write_bytes(b"\n".join([*lines[:150], line, *lines[151:]]))
        same(decode_batch(path, threads=4), alone(path))


def test_a_file_of_odd_lines_is_not_read_again_and_again(tmp_path: Path, small_parts: list[int]) -> None:
    other = json.dumps({"recordId": "r", "modelOutput": {"embedding": [0.25] * WIDTH}}).encode()
    lines = text_of([], "float", 600).split(b"\n")
    lines[10::3] = [other] * len(lines[10::3])
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(lines))
    same(decode_batch(path, threads=4), decode_batch(path, threads=1))
    assert len(small_parts) < 20


def test_more_lines_than_there_is_room_for(tmp_path: Path, small: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_lines, "_LEAST_LINE", 1_000)
    path = tmp_path / "out.jsonl"
    path.write_bytes(text_of([], "float"))
    same(decode_batch(path, threads=3), alone(path))
    assert any(small)


def test_the_shortest_texts_of_rows(tmp_path: Path, small: list[int]) -> None:
    path = tmp_path / "out.jsonl"
    row = b"[" + b",".join([b"7"] * 400) + b"]"
    path.write_bytes(
        b"\n".join(b'{"custom_id":"%d","response":{"body":{"data":[{"embedding":%s}]}}}' % (i, row) for i in range(300))
    )
    for dtype in ("float", "int8", "ubinary"):
        same(
            decode_batch(path, output_dtype=dtype, threads=2),  # type: ignore[call-overload]
            alone(path, output_dtype=dtype),
        )
    assert sum(small) > 500


def test_one_thread_by_default_where_there_is_little(tmp_path: Path, small_parts: list[int]) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(text_of([], "float", 20))
    decode_batch(path)
    assert not sum(small_parts)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_lines_longer_than_parts(tmp_path: Path, small_ahead: list[int], threads: int) -> None:
    """Some reach over into the next part, and those that are too long for any are left."""
    path = tmp_path / "out.jsonl"
    rows = [1, *RNG.choice([1, 2, 5, 9, 30, 70], 80).tolist()]
    path.write_bytes(b"\n".join(plain_line(i, n, "float") for i, n in enumerate(rows)))
    same(decode_batch(path, threads=threads), alone(path))
    assert sum(small_ahead) > 10


@pytest.mark.parametrize("fault", [OSError("no such sector"), MemoryError(), 0, 700])
def test_parts_that_cannot_be_read_are_read_otherwise(
    tmp_path: Path, small_ahead: list[int], monkeypatch: pytest.MonkeyPatch, fault: Exception | int
) -> None:
    """A fault, the end of the file where there is none, and fewer bytes than asked for."""
    read, calls = os.preadv, iter(range(10**6))

    def sometimes(file: int, into: list[memoryview], offset: int) -> int:
        if next(calls) % 3:
            return read(file, into, offset)
        if isinstance(fault, Exception):
            raise fault
        return read(file, [into[0][:fault]], offset)

    monkeypatch.setattr(ahead.os, "preadv", sometimes)
    path = tmp_path / "out.jsonl"
    path.write_bytes(text_of([], "float"))
    for threads in (1, 3):
        same(decode_batch(path, threads=threads), alone(path))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nobody_reads_once_the_file_is_closed(
    tmp_path: Path, small_ahead: list[int], monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    reading: list[int] = []
    read = os.preadv

    def noted(*arguments: Any) -> int:
        reading.append(1)
        time.sleep(0.001)
        done = read(*arguments)
        reading.pop()
        return done

    def interrupt(done: int, total: int) -> None:
        if done > total // 4:
            raise error

    monkeypatch.setattr(ahead.os, "preadv", noted)
    path = tmp_path / "out.jsonl"
    path.write_bytes(text_of([], "float"))
    for _ in range(10):
        with pytest.raises(error):
            decode_batch(path, threads=4, progress=interrupt)
        assert not reading


@pytest.mark.parametrize("threads", [1, 3])
def test_lines_that_end_where_parts_do_are_read_once(tmp_path: Path, small_ahead: list[int], threads: int) -> None:
    path = tmp_path / "out.jsonl"
    row = b"[" + b",".join([b"7"] * WIDTH) + b"]"
    lines = [b'{"custom_id":"%d","response":{"body":{"data":[{"embedding":%s}]}}}' % (i, row) for i in range(201)]
    path.write_bytes(b"".join(line.ljust(299) + b"\n" for line in lines))
    same(decode_batch(path, threads=threads), alone(path))
    assert small_ahead == [10] * 20
