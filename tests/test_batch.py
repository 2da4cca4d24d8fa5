"""JSONL batch files: lines in any order, failures as data, memory bounded by a line."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import (
    DecodeError,
    Embeddings,
    ServiceError,
    Usage,
    batch_writer,
    decode_batch,
    encode_response,
    iter_batch,
    write_batch,
)


def rows(seed: int, count: int = 1, dimension: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


def line(custom_id: Any, values: np.ndarray, **options: Any) -> bytes:
    body = encode_response(Embeddings(values), model="m", usage=Usage(2, 0, 2), **options)
    response = {"status_code": 200, "body": 0}
    around = json.dumps({"id": "batch-1", "custom_id": custom_id, "response": response, "error": None})
    return around.encode().replace(b'"body": 0', b'"body": ' + body)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_lines_in_any_order(tmp_path: Path, end: bytes, encoding: str) -> None:
    path = tmp_path / "out.jsonl"
    lines = [line(str(i), rows(i, 1 + i % 2), encoding_format=encoding) for i in (3, 0, 2, 1)]
    path.write_bytes(b"\xef\xbb\xbf" + end.join([lines[0], b"", *lines[1:3], b"  ", lines[3]]))
    result = decode_batch(path)
    assert result.custom_ids == ["3", "3", "0", "2", "1", "1"]
    np.testing.assert_array_equal(result.embeddings.values, np.concatenate([rows(i, 1 + i % 2) for i in (3, 0, 2, 1)]))
    assert (result.errors, result.usage) == ([], Usage(8, 0, 8))
    ordered = result.in_order(["0", "1", "2", "3"])
    np.testing.assert_array_equal(ordered.values, np.concatenate([rows(i, 1 + i % 2) for i in range(4)]))
    with pytest.raises(KeyError):
        result.in_order(["7"])


def test_failures_are_data(tmp_path: Path) -> None:
    good = line("good", rows(1))
    bad: list[tuple[bytes, str | None, type, str]] = [
        (b'{"custom_id":"a","response":{"status_code":200,"body":null},"error":"long"}', "a", ServiceError, "long"),
        (b'{"response":null,"error":{"message":"no","code":"x"}}', None, ServiceError, "no"),
        (b'{"custom_id":"b","response":{"status_code":400,"body":{"detail":"d"}}}', "b", ServiceError, "d"),
        (b'{"custom_id":"c","response":{"status_code":500,"body":null},"error":null}', "c", ServiceError, "no reason"),
        (b'{"custom_id":4,"response":{"status_code":200,"body":{"data":[]}}}', "4", DecodeError, "no embeddings"),
        (b'{"response":{"status_code":200,"body":{"data":[{"embedding":[1,null]}]}}}', None, DecodeError, "null"),
        (b"[1]", None, DecodeError, "not an object"),
        (b"nonsense", None, DecodeError, "unexpected character"),
        (line("e", rows(1, 1, 3)), "e", DecodeError, "dimension 3"),
        (good[: good.index(b"embedding")], None, DecodeError, "ends too early"),  # within a string, a line following
        (good[:-9], None, DecodeError, "ends too early"),
    ]
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join([good, *(text for text, *_ in bad)]))
    result = decode_batch(path)
    assert result.custom_ids == ["good"]
    assert [error.line for error in result.errors] == list(range(2, 2 + len(bad)))
    for found, (_, custom_id, kind, words) in zip(result.errors, bad, strict=True):
        assert isinstance(found.error, kind)
        assert words in str(found.error)
        assert found.custom_id == custom_id
        if kind is DecodeError:
            assert found.error.line == found.line
    assert result.errors[2].error.status == 400


def test_an_id_answered_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    failed = b'{"custom_id":"b","error":"later"}'
    lines = [line(name, rows(i)) for i, name in enumerate(["a", "a", "b", None, None])]
    path.write_bytes(b"\n".join([lines[0], failed, *lines[1:]]))
    result = decode_batch(path)
    assert result.custom_ids == ["a", "b", None, None]
    assert [(error.line, error.custom_id) for error in result.errors] == [(2, "b"), (3, "a")]
    assert "answered on line 1 already" in str(result.errors[1].error)
    np.testing.assert_array_equal(result.in_order(["b", "a"]).values, np.concatenate([rows(2), rows(0)]))


def test_nothing_but_failures(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b'{"error":"no"}\n')
    result = decode_batch(path, output_dtype="int8", dimension=8)
    assert (len(result.embeddings), result.embeddings.dimension, len(result.errors)) == (0, 8, 1)
    path.write_bytes(b"")
    assert len(decode_batch(path).embeddings) == 0


def test_out_is_filled_and_guarded(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(line(str(i), rows(i)) for i in range(5)))
    out = np.zeros((7, 16), np.float32)
    result = decode_batch(path, out=out)
    assert np.shares_memory(result.embeddings.values, out)
    np.testing.assert_array_equal(out[:5], np.concatenate([rows(i) for i in range(5)]))
    assert not out[5:].any()
    for bad in (np.zeros((4, 16), np.float32), np.zeros((9, 15), np.float32), np.zeros((9, 16), np.int8)):
        with pytest.raises(ValueError, match="out has"):
            decode_batch(path, out=bad)
    with pytest.raises(ValueError, match="writable"):
        decode_batch(path, out=np.zeros((9, 32), np.float32)[:, ::2])


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(line(str(i), rows(i)) for i in range(5)))
    seen: list[tuple[int, int]] = []
    decode_batch(path, progress=lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)
    assert len(seen) == 5


def test_memory_is_bounded_by_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    text = line("identity", rows(1, 8, 256))
    with path.open("wb") as file:
        for number in range(400):
            file.write(text.replace(b"identity", b"%d" % number) + b"\n")
    out = np.zeros((3200, 256), np.float32)
    tracemalloc.start()
    result = decode_batch(path, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(result.embeddings) == 3200
    assert path.stat().st_size > 6e6
    assert peak < 3e6


def test_a_line_beyond_the_cap_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(line("a", rows(1)) + b"\n" + b"[" * 5000 + b"\n" + line("b", rows(2)) + b"\n")
    found = list(iter_batch(path, max_line_bytes=1000))
    assert [each.custom_id for each in found] == ["a", None, "b"]
    assert isinstance(found[1].error, DecodeError)
    assert found[1].error.line == 2
    assert decode_batch(path, max_line_bytes=1000).custom_ids == ["a", "b"]
    assert "max_line_bytes" in str(found[1].error)


def test_write_both_styles(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    assert write_batch(path, ["é", "b"], custom_ids=["x", "y"], output_dtype="int8") == 2
    assert [json.loads(each) for each in path.read_text(encoding="utf-8").splitlines()] == [
        {"custom_id": "x", "body": {"output_dtype": "int8", "input": ["é"]}},
        {"custom_id": "y", "body": {"output_dtype": "int8", "input": ["b"]}},
    ]
    assert write_batch(path, iter("abc"), style="openai", model="m", inputs_per_line=2, dimensions=4) == 2
    assert json.loads(path.read_text().splitlines()[1]) == {
        "custom_id": "1",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "m", "dimensions": 4, "input": ["c"]},
    }


def test_write_refuses_what_a_service_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "in.jsonl"
    for words, options in (
        ("model", {"style": "openai"}),
        ("style", {"style": "other"}),
        ("repeat", {"custom_ids": ["a", "a"]}),
        ("few", {"custom_ids": ["a"]}),
        ("too many for 2 lines", {"custom_ids": ["a", "b", "c"]}),
        ("inputs_per_line", {"inputs_per_line": 0}),
    ):
        with pytest.raises(ValueError, match=words):
            write_batch(path, ["a", "b"], **options)
    monkeypatch.setattr(batch_writer, "OPENAI_MOST_REQUESTS", 1)
    with pytest.raises(ValueError, match="at most 1 requests"):
        write_batch(path, ["a", "b"], style="openai", model="m")
    with pytest.raises(TypeError):
        write_batch(path, "ab")
    assert not path.exists()


def test_a_line_with_bad_vectors_keeps_its_id(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    answer = '{"custom_id":%s,"response":{"status_code":200,"body":{"data":[{"embedding":[1,null]}]}}}'
    path.write_text("\n".join([answer % '"a"', answer % "7", '{"custom_id":"c","response":{']))
    found = decode_batch(path)
    assert [error.custom_id for error in found.errors] == ["a", "7", None]
    assert all(isinstance(error.error, DecodeError) for error in found.errors)
    assert [error.error.row for error in found.errors] == [0, 0, None]


def test_what_cannot_be_batched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="line 2 has inputs that are not str"):
        write_batch(tmp_path / "in.jsonl", ["a", 1])  # type: ignore[list-item]
    assert not list(tmp_path.iterdir())
    (tmp_path / "out.jsonl").write_bytes(line("a", rows(0)))
    with pytest.raises(ValueError, match="C-contiguous matrix"):
        decode_batch(tmp_path / "out.jsonl", out=[[0.0]])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "neither a response nor an error"),
        ('{"custom_id": "a", "response": null, "error": null}', "neither a response nor an error"),
        ('{"custom_id": "a", "response": {"status_code": 200}}', "neither a response nor an error"),
        ("[]", "not an object"),
        (" null", "not an object"),
        ('"{}"', "not an object"),
    ],
)
def test_lines_with_nothing_say_what_is_missing(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(f"\n{text}\n")
    (line,) = iter_batch(path)
    assert isinstance(line.error, DecodeError)
    assert line.error.reason == words
    assert str(line.error) == f"{words} (line 2, byte 0)"
