"""JSONL batch files: lines in any order, failures as data, memory bounded by a line."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import pickle
import sys
import tracemalloc
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import (
    DecodeError,
    Embeddings,
    ServiceError,
    StorageError,
    Usage,
    decode_batch,
    decode_response,
    encode_response,
    iter_batch,
    write_batch,
)
from embcodec.wire import codings
from embcodec.wire.batch import plain as batch_plain
from embcodec.wire.batch import writer as batch_writer


def rows(seed: int, count: int = 1, dimension: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)


THREAD_BYTES = 3.5e6  # of the buffer and room for rows that each thread adds, where there are several


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
    one_by_one = list(iter_batch(path))
    assert [(each.line, str(each.error)) for each in one_by_one if each.error] == [
        (error.line, str(error.error)) for error in result.errors
    ]
    assert [each.custom_id for each in one_by_one if each.response] == result.custom_ids
    np.testing.assert_array_equal(result.in_order(["b", "a"]).values, np.concatenate([rows(2), rows(0)]))


def test_ids_that_are_no_texts_are_their_json(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    texts = ['["x"]', '{"a": 1}', "7", "true", "1.5"]
    path.write_bytes(b"\n".join(line("a", rows(1)).replace(b'"a"', text.encode(), 1) for text in texts))
    assert decode_batch(path).custom_ids == texts


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
    lines: list[tuple[int, int]] = []
    for _ in iter_batch(path, progress=lambda done, total: lines.append((done, total))):
        assert lines[-1][1] == size
    assert lines == sorted(lines)
    assert len(lines) == 5
    assert lines[-1] == (size, size)


def test_failed_lines_are_a_sequence(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    refused = b'{"custom_id": "x", "response": null, "error": "no"}'
    path.write_bytes(b"\n".join([b"{", line("fine", rows(1)), b"[", refused]))
    errors = decode_batch(path).errors
    assert [failed.line for failed in errors] == [1, 3, 4]
    assert [failed.line for failed in errors[1:]] == [3, 4]
    assert [failed.custom_id for failed in errors[::-2]] == ["x", None]
    assert errors == list(errors)
    assert errors != errors[:2]
    assert errors != 3
    fine = next(each for each in iter_batch(path) if each.error is None)
    with pytest.raises(ValueError, match="line 2 has not failed"):
        type(errors)([fine])


@pytest.mark.parametrize(("threads", "most"), [(1, 3e6), (2, 3e6 + 2 * THREAD_BYTES)])
def test_memory_is_bounded_by_a_line(tmp_path: Path, threads: int, most: float) -> None:
    path = tmp_path / "out.jsonl"
    text = line("identity", rows(1, 8, 256))
    with path.open("wb") as file:
        for number in range(400):
            file.write(text.replace(b"identity", b"%d" % number) + b"\n")
    out = np.zeros((3200, 256), np.float32)
    tracemalloc.start()
    result = decode_batch(path, out=out, threads=threads)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(result.embeddings) == 3200
    assert path.stat().st_size > 6e6
    assert peak < most


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


def test_columns_are_texts_and_sets_are_not(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    for column in (pyarrow.array(["a", "b"]), pyarrow.chunked_array([["a"], ["b"]])):
        assert write_batch(tmp_path / "in.jsonl", column, custom_ids=column) == 2
        assert json.loads((tmp_path / "in.jsonl").read_text().splitlines()[1]) == {
            "custom_id": "b",
            "body": {"input": ["b"]},
        }
    for texts in ({"a", "b"}, {"a": 1}):
        with pytest.raises(TypeError, match="texts are several strings, as a list"):
            write_batch(tmp_path / "in.jsonl", texts)


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


def test_a_long_line_is_not_read_before_it_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    long = b'{"custom_id":"long","response":{"body":{"data":[{"embedding":[' + b"0," * 8_000_000 + b"null]}]}}}"
    path.write_bytes(line("a", rows(1)) + b"\n" + long + b"\n" + line("b", rows(2)))
    for most, ids, peak_bytes in ((1 << 20, ["a", "b"], 5e6 + THREAD_BYTES), (1 << 28, ["a", "b"], 3.5 * len(long))):
        tracemalloc.start()
        found = decode_batch(path, max_line_bytes=most, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.custom_ids == ids
        assert [(each.line, each.custom_id) for each in found.errors] == [(2, "long" if most > 1 << 20 else None)]
        assert ("max_line_bytes raises the cap" if most == 1 << 20 else "null") in str(found.errors[0].error)
        assert peak < peak_bytes
    with pytest.raises(ValueError, match="max_line_bytes must be at least 1"):
        decode_batch(path, max_line_bytes=0)


def test_failed_lines_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    failed = b'{"custom_id":"%d","response":{"status_code":429,"body":{"error":{"message":"quota","code":"q"}}}}\n'
    path.write_bytes(b"".join(failed % i for i in range(700)) + b"nonsense\n" * 700)
    tracemalloc.start()
    found = decode_batch(path)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 200 * 1400
    assert len(found.errors) == 1400
    assert [(each.line, each.custom_id) for each in found.errors[699:701]] == [(700, "699"), (701, None)]
    assert (str(found.errors[-1].error), found.errors[-1].error.offset) == (
        "unexpected character (line 1400, byte 1)",
        1,
    )
    assert (found.errors[0].error.status, str(found.errors[0].error)) == (429, "quota [429, q]")
    assert found.errors == list(found.errors)
    assert found.errors != []
    assert found.errors != 7
    assert found.errors != list(found.errors)[::-1]
    assert repr(found.errors) == "BatchErrors(1400 lines)"
    assert len(repr(found)) < 200
    assert pickle.loads(pickle.dumps(found)).errors == found.errors


def test_an_id_answered_over_and_over_is_read_once_each(tmp_path: Path) -> None:
    """What the reader of plain lines reads before a repeated id is not read again for each of them."""
    path = tmp_path / "out.jsonl"
    again = line("a", rows(1))
    path.write_bytes(b"\n".join([again] * 3000 + [line(str(i), rows(i)) for i in range(50)] + [b""]))
    read = batch_plain.LineReader.read
    passed = 0

    def counting(*arguments: Any) -> Any:
        nonlocal passed
        found = read(*arguments)
        passed += len(found[0])
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_plain.LineReader, "read", counting)
        found = decode_batch(path)
    assert (len(found.custom_ids), len(found.errors)) == (51, 2999)
    assert passed < 12_000


def test_lines_in_another_form(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_bytes(b"[" + line("a", rows(0)) + b"," + line("b", rows(1)) + b"]")
    (failed,) = decode_batch(path).errors
    assert "a list of lines, each of which a batch file has on a line of its own (line 1" in str(failed.error)
    path.write_text("\n".join(json.dumps(each) for each in json.loads(path.read_text())))
    assert decode_batch(path).custom_ids == ["a", "b"]
    body = json.loads(encode_response(Embeddings(rows(2)), model="m"))
    for indent, start in ((2, b""), ("\t", b"\xef\xbb\xbf")):
        path.write_bytes(start + json.dumps(body, indent=indent).encode())
        for found in (decode_batch(path).errors, list(iter_batch(path))):
            (failed,) = found
            assert "one document over several lines, which decode_response reads if it is a body" in str(failed.error)
        assert decode_response(path.read_bytes()).embeddings == Embeddings(rows(2))
    parts = [line(name, rows(i)) for i, name in enumerate("abcd")]
    for start, between, end in ((b"[\n", b",\n", b"\n]"), (b"[", b",\n", b"]"), (b"", b",\n", b"]\n")):
        text = start + between.join(parts) + end
        for found in (decode_batch(io.BytesIO(text)).errors, [e for e in iter_batch(io.BytesIO(text)) if e.error]):
            assert all("json.dumps, json.loads(text))) has the lines" in str(each.error) for each in found[1:])
            assert len(found) == 4 or (start == b"[\n" and "one list over several lines" in str(found[0].error))
    text = b"\n".join(json.dumps(each).encode() for each in json.loads(b"[" + b",".join(parts) + b"]"))
    assert decode_batch(io.BytesIO(text)).custom_ids == list("abcd")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"recordId": "a", "modelInput": {"inputText": "x"}}', "a request, as in the job's input file"),
        ('{"recordId": "a", "modelOutput": {"vector": [1]}}', "no list of embeddings at 'data'"),
        (
            '{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7}',
            "the line has the keys 'a', 'b', 'c', 'd', 'e', 'f' (line",
        ),
        (f'{{"{"k" * 50}": 1}}', f"the line has the keys '{'k' * 40}' (line"),
        ('{"custom_id": "a", "body": {"input": ["x"]}}', "a request, as in the job's input file"),
        ('{"custom_id": "a", "body": {"texts": ["x"]}}', "the line has the keys 'custom_id', 'body' (line"),
        ('{"body": "input"}', "the line has the keys 'body' (line"),
        ('{"data": 7}', "the line has the keys 'data' (line"),
        ('{"embeddings": [[1]]}', "profile='cohere' or dataclasses.replace(profile, rows='embeddings', item=None)"),
        (
            '{"data": [{"vec": [1]}], "model": "m"}',
            "no 'embedding' in this row (line 1, row 0",
        ),
        ('["a"]', "not an object"),
    ],
)
def test_lines_of_other_kinds(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(text)
    (found,) = iter_batch(path)
    assert words in str(found.error)


def test_files_that_hold_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    for data, words in ((b"PK\x03\x04", "the file is a zip archive ("),):
        path.write_bytes(data)
        for found in (list(iter_batch(path)), list(decode_batch(path).errors)):
            assert len(found) == 1
            assert words in str(found[0].error)
            assert str(found[0].error).endswith("(line 1, byte 0)")
    path.write_bytes(b"")
    assert list(iter_batch(path)) == []
    for data in (b"<html>\n", b"data: {}\n", b"\xef\xbb\xbf\x1f\x8b\n"):  # text, whose lines are each refused
        path.write_bytes(data)
        (line_,) = iter_batch(path)
        assert "the file is" not in str(line_.error)
    for no_path, words in (
        ({"data": []}, "path is the path of a file"),
        (b'{"data": []}', r"io\.BytesIO\(lines\)"),
        ('{"data": []}\n' * 1000, r"io\.BytesIO\(lines\.encode\(\)\)"),  # as a name it would be too long
        ([path], r"iter_load\(paths\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            decode_batch(no_path)  # type: ignore[arg-type]
    odd = tmp_path / "{lines}.jsonl"  # is a name all the same
    odd.write_bytes(b"")
    with contextlib.chdir(tmp_path):
        assert list(iter_batch(odd.name)) == []


def test_texts_are_the_input(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="input of each line is what texts has"):  # which was left out without a word
        write_batch(tmp_path / "in.jsonl", ["a"], input="b")


@pytest.mark.parametrize("texts", ["one text", b"one", {"a": 1}, 7, None, str])
def test_texts_are_several_strings(tmp_path: Path, texts: Any) -> None:
    with pytest.raises(TypeError, match=r"texts are several strings, (not one|as a list, not )"):
        write_batch(tmp_path / "in.jsonl", texts)
    assert not list(tmp_path.iterdir())


def test_ids_and_fields_are_written_as_services_want_them(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    write_batch(path, ["a", "b"], custom_ids=iter([7, np.int64(8)]), dimensions=np.int64(3), weights=np.float32([0.5]))
    assert [json.loads(each) for each in path.read_text().splitlines()] == [
        {"custom_id": "7", "body": {"dimensions": 3, "weights": [0.5], "input": ["a"]}},
        {"custom_id": "8", "body": {"dimensions": 3, "weights": [0.5], "input": ["b"]}},
    ]
    deep: list[Any] = []
    for _ in range(200_000):  # from Python 3.14 on what ends the writer is the stack, not a count
        deep = [deep]
    for kind, words, options in (
        (ValueError, "custom_ids repeat: '7' is at 0 and 1", {"custom_ids": [7, "7"]}),
        (TypeError, r"custom_ids\[1\] is nan", {"custom_ids": ["a", float("nan")]}),
        (TypeError, r"custom_ids\[0\] is True", {"custom_ids": [True, "a"]}),
        (TypeError, r"custom_ids\[0\] is None", {"custom_ids": [None, "a"]}),
        (TypeError, "several strings", {"custom_ids": "ab"}),
        (ValueError, "NaN and Infinity have no place", {"temperature": float("nan")}),
        (ValueError, "NaN and Infinity have no place", {"temperature": np.float32("inf")}),
        (ValueError, "nested too deep", {"metadata": deep}),
        (TypeError, "set has no form", {"metadata": {1}}),
        (ValueError, r"text 1 \(line 2\) has half of a surrogate pair, '\\ud83d' at character 4", {}),
        (ValueError, r"text 1 \(line 1\) has half of a surrogate pair", {"inputs_per_line": 2}),
        (ValueError, r"custom_id '\\udc00' \(line 1\)", {"custom_ids": ["\udc00", "b"], "texts": ["a", "b"]}),
    ):
        texts = options.pop("texts", ["fine", "cut \ud83d"])
        before = path.read_bytes()
        with pytest.raises(kind, match=words):
            write_batch(path, texts, **options)
        assert path.read_bytes() == before
    mended = "cut \ud83d".encode("utf-8", "replace").decode()
    assert write_batch(path, [mended]) == 1


def test_in_order_names_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(line("7", rows(1)))
    with pytest.raises(KeyError, match=r"no row has the custom_id 7 \(ids are text\)"):
        decode_batch(path).in_order([7])  # type: ignore[list-item]
    refusal = b'{"custom_id":"late","response":{"status_code":429,"body":{"error":{"message":"slow down"}}}}\n'
    path.write_bytes(line("7", rows(1)) + b"\n" + refusal + b'{"custom_id":"cut","response":{"body":{"data":[]}}}\n')
    result = decode_batch(path)
    for name, words in (
        ("late", r"'late': line 2 failed \(slow down \[429\]\); leave out the ids that are not in custom_ids"),
        ("cut", r"'cut': line 3 failed \(no embeddings\); leave out"),
        ("other", r"'other'\"$"),
    ):
        with pytest.raises(KeyError, match=f"no row has the custom_id {words}"):
            result.in_order(["7", name])
    kept = [name for name in ("7", "late", "cut") if name in result.custom_ids]
    assert np.array_equal(result.in_order(kept).values, rows(1))


def test_no_error_holds_the_text_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(
        '{"custom_id":"a","response":{"status_code":200,"body":{"error":{"message":"no"}}}}\n'
        '{"custom_id":"b","response":{"status_code":500,"body":{}}}\nnonsense\n'
    )
    found = [each.error for each in iter_batch(path)]
    assert [type(error) for error in found] == [ServiceError, ServiceError, DecodeError]
    for error in found:
        assert error is not None
        assert error.__traceback__ is None
        assert error.__context__ is None


@pytest.mark.parametrize("error", ["boom", ["boom"], [{"message": "boom"}], {"message": ["boom"]}])
def test_reasons_of_any_shape(tmp_path: Path, error: Any) -> None:
    (tmp_path / "b.jsonl").write_text(json.dumps({"custom_id": "a", "error": error}) + "\n")
    (failed,) = decode_batch(tmp_path / "b.jsonl").errors
    assert (failed.custom_id, str(failed.error)) == ("a", "boom")


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.JSONL.GZ", "in.jsonl.zst"])
def test_a_file_is_zipped_as_its_name_says(name: str, tmp_path: Path) -> None:
    texts = ["a", "é", "b" * 1000]
    assert write_batch(tmp_path / "plain.jsonl", texts) == write_batch(tmp_path / name, texts) == 3
    zipped = (tmp_path / name).read_bytes()
    unzip = gzip.decompress if name.lower().endswith("gz") else import_module(codings._ZSTD).decompress
    assert unzip(zipped) == (tmp_path / "plain.jsonl").read_bytes()
    write_batch(tmp_path / name, texts)
    assert (tmp_path / name).read_bytes() == zipped
    with pytest.raises(TypeError):
        write_batch(tmp_path / name, ["a", 1])  # type: ignore[list-item]
    assert (tmp_path / name).read_bytes() == zipped


def test_no_plain_lines_under_the_name_of_another_compression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageError, match=r"'in\.jsonl\.bz2': lines are written plain, as \.gz or as \.zst"):
        write_batch(tmp_path / "in.jsonl.bz2", ["a"])
    monkeypatch.setitem(sys.modules, codings._ZSTD, None)
    with pytest.raises(StorageError, match=r"which is not installed: pip install 'embcodec\[compression\]'"):
        write_batch(tmp_path / "in.jsonl.zst", ["a"])
    assert not list(tmp_path.iterdir())


def test_bits_behind_the_last_dimension_are_told_with_their_place(tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {"custom_id": str(i), "response": {"status_code": 200, "body": {"data": [{"embedding": [1, last]}]}}}
        )
        for i, last in enumerate([16, 17, 16])
    ]
    (tmp_path / "out.jsonl").write_text("\n".join(lines))
    found = decode_batch(tmp_path / "out.jsonl", output_dtype="ubinary", dimension=12)
    assert found.custom_ids == ["0", "2"]
    [failed] = found.errors
    assert isinstance(failed.error, DecodeError)
    assert (failed.error.line, failed.error.row, failed.error.offset) == (2, 0, lines[1].index("[1"))


def test_the_elements_of_packed_bits_are_bytes(tmp_path: Path) -> None:
    lines = [json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": {"data": [{"embedding": row}]}}})
             for row in ([1, 2], [1, 2, 3], [1, 2])]  # fmt: skip
    (tmp_path / "out.jsonl").write_text("\n".join(lines))
    [failed, *_] = decode_batch(tmp_path / "out.jsonl", output_dtype="ubinary", dimension=16).errors
    assert "3 bytes of bits where 2 were asked for" in str(failed.error)
