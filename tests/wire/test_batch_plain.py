"""Plain lines of batch files are read many at once: with the answers, errors and counts of the general way."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from each import each
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embcodec import Embeddings, Usage, decode_batch, encode_response, iter_batch
from embcodec.wire.batch import forms as batch_forms
from embcodec.wire.batch import plain as batch_plain
from embcodec.wire.batch import source as batch_source

Values = np.random.default_rng(5).standard_normal((64, 3)).astype(np.float32)


def answer(row: int, count: int = 1, encoding: str = "float") -> bytes:
    usage = {"prompt_tokens": row, "total_tokens": row + 1}
    return encode_response(Embeddings(Values[row : row + count]), model="m", encoding_format=encoding, usage=usage)


def line(row: int, count: int = 1, encoding: str = "float", name: str | None = None) -> bytes:
    name = f'"{row}"' if name is None else name
    around = f'{{"id":"b","custom_id":{name},"response":{{"status_code":200,"body":?}},"error":null}}'
    return around.encode().replace(b"?", answer(row, count, encoding))


def outcome(path: Path, **options: Any) -> Any:
    seen: list[tuple[int, int]] = []
    found = decode_batch(path, progress=lambda *at: seen.append(at), **options)
    errors = [(each.line, each.custom_id, type(each.error), str(each.error)) for each in found.errors]
    rows = found.embeddings
    return rows.values.tobytes(), rows.values.shape, rows.meaning, found.custom_ids, errors, found.usage, seen


def both_ways(path: Path, **options: Any) -> Any:
    """Return what a file holds, having seen that the general way alone finds the same."""
    found = outcome(path, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_plain.PlainLines, "like", lambda *arguments, **sizes: None)
        assert outcome(path, **options) == found
    return found


@pytest.fixture
def generally(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of the lines that are read in the general way."""
    numbers: list[int] = []
    decode: Callable[..., Any] = batch_forms.LineDecoder.line

    def noting(decoder: Any, number: int, text: Any) -> Any:
        if text.strip():
            numbers.append(number)
        return decode(decoder, number, text)

    monkeypatch.setattr(batch_forms.LineDecoder, "line", noting)
    return numbers


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \n\n"])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_all_but_the_first_are_plain(tmp_path: Path, generally: list[int], isa: str, encoding: str, end: bytes) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"".join(line(row, 1 + row % 2, encoding) + end for row in range(40)))
    decode_batch(path)
    assert generally == [1]
    values, _, _, ids, errors, usage, _ = both_ways(path)
    assert values == np.concatenate([Values[row : row + 1 + row % 2] for row in range(40)]).tobytes()
    assert ids == [str(row) for row in range(40) for _ in range(1 + row % 2)]
    assert (errors, usage.prompt_tokens, usage.total_tokens) == ([], 780, 820)


ODD = [
    line(7, name="7"),
    line(7, name="null"),
    line(7, name='"\\u00e9\\ud800"'),
    line(7, name='"é"'),
    line(7, name='"3"'),
    line(7).replace(b'"custom_id":"7",', b""),
    line(7).replace(b"200", b"404"),
    line(7).replace(b"200", b"true"),
    line(7).replace(b"200", b"2e2"),
    line(7).replace(b'"status_code":200,', b""),
    line(7).replace(b'"error":null', b'"error":"no"'),
    line(7).replace(b'"error":null', b'"error":{}'),
    line(7).replace(b'"error":null', b'"error":null,"error":null'),
    line(7).replace(b'"response"', b'"response":null,"response"'),
    line(7).replace(b'"error":null', b'"response":null'),
    line(7).replace(b'"body"', b'"body":{},"body"'),
    line(7).replace(b'"data"', b'"data":[],"data"'),
    line(7).replace(b'"data"', b'"error":null,"object":"error","data"'),
    line(7).replace(b'"data"', b'"\\u0064ata"'),
    line(7).replace(b'"index":0', b'"index":1'),
    line(7).replace(b',"index":0', b""),
    line(7, 3).replace(b',"index":1', b""),
    line(7, 3).replace(b'"index":1', b'"index":2').replace(b'"index":2}]', b'"index":1}]'),
    line(7).replace(b'"prompt_tokens":7', b'"prompt_tokens":7.5'),
    line(7).replace(b'"prompt_tokens":7', b'"prompt_tokens":-7'),
    line(7).replace(b'"prompt_tokens":7', b'"prompt_tokens":7123456789123456789'),
    line(7).replace(b'"total_tokens":8', b'"total_tokens":0'),
    line(7).replace(b'"usage":', b'"usage":null,"usage":'),
    line(7).replace(b'"usage":', b'"meta":{"billed_units":{"input_tokens":5}},"was":'),
    line(7).replace(b'"usage":', b'"prompt_eval_count":5,"was":'),
    line(7).replace(b'"usage":', b'"was":'),
    line(7).replace(b'"embedding":[', b'"embedding":[null,'),
    line(7).replace(b'"embedding":[', b'"embedding":[0,'),
    line(7).replace(b'"embedding":[', b'"embedding":[],"embedding":['),
    line(7) + b"]",
    line(7)[:-1],
    b"\xef\xbb\xbf" + line(7),
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf \r",
    b"\xef\xbb\xbf{",
    b'{"a":' + b"[" * 62 + b"]" * 62 + b"," + line(7)[1:],
    b'{"a":' + b"[" * 63 + b"]" * 63 + b"," + line(7)[1:],
    b'{"a":' + b"[" * 64 + b"]" * 64 + b"," + line(7)[1:],
    line(7).replace(b'"m"', b"[" * 61 + b"]" * 61),
    line(7).replace(b'"m"', b"[" * 62 + b"]" * 62),
    line(7).replace(b'"m"', b'"\xff"'),
    b"\x0b",
    b"{}",
    b"",
]


@each("text", ODD)
def test_odd_lines_among_plain_ones(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "out.jsonl"
    for end in (b"", b"\n" + line(9)):
        path.write_bytes(b"\n".join([line(1), line(2), line(3), text + end]))
        found = both_ways(path)
        assert {"1", "2", "3"} <= set(found[3])


def test_a_body_by_itself_names_its_broken_row(tmp_path: Path) -> None:
    """It stands among lines of the usual form, in which it has no row."""
    path = tmp_path / "out.jsonl"
    body = b'{"data":[{"embedding":[0.5,1]},{"embedding":[0.5,x]}]}'
    path.write_bytes(b"\n".join([b'{"custom_id":"0","resp', body, line(1)]))
    assert [row for *_, words in both_ways(path)[4] for row in [words.partition("row ")[2][:1]]] == ["", "1"]


PIECES = [b"", b'"', b",", b"[", b"]", b"{", b"}", b"0", b"\\", b"\n", b"\xe9", b"error", b" ", b"null", b"true"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_files(tmp_path: Path, data: st.DataObject) -> None:
    encoding = data.draw(st.sampled_from(["float", "base64"]))
    text = bytearray(b"\n".join(line(row, 1 + row % 2, encoding) for row in range(6)))
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from(PIECES))
    path = tmp_path / "out.jsonl"
    path.write_bytes(text)
    both_ways(path, nulls=data.draw(st.sampled_from(["error", "nan"])))


@pytest.mark.parametrize(
    "options",
    [
        {"output_dtype": "int8"},
        {"output_dtype": "uint8", "dimension": 3},
        {"output_dtype": "ubinary"},
        {"output_dtype": "ubinary", "dimension": 24},
        {"output_dtype": "ubinary", "dimension": 18},
        {"output_dtype": "binary", "profile": "elasticsearch"},
        {"output_dtype": "int8", "profile": "openai"},
        {"dimension": 4},
    ],
)
def test_codes(tmp_path: Path, options: dict[str, Any]) -> None:
    body = '{"response":{"body":{"data":[{"embedding":%s}]}},"custom_id":"%d"}'
    vectors = ["[1,2,64]", "[1,2,127]", '"AQJA"', "[1,2,-1]", "[1,2,200]", "[1,2]", "[0,0,0]"]
    path = tmp_path / "out.jsonl"
    path.write_text("\n".join(body % (vector, at) for at, vector in enumerate(vectors * 2)))
    both_ways(path, **options)


def refused(name: str, status: str = "429", said: str = '{"error":{"message":"slow down","code":"x"}}') -> bytes:
    around = f'{{"custom_id":{name},"response":{{"request_id":"r","status_code":{status},"body":{said}}},"error":null}}'
    return around.encode()


def failed(said: str, name: str = '"7"') -> bytes:
    return f'{{"custom_id":{name},"response":null,"error":{said}}}'.encode()


def first_element(text: bytes) -> bytes:
    head, vector = line(7).split(b'"embedding":[')
    return head + b'"embedding":[' + text + vector[vector.index(b",") :]


FAILED = {
    "rate limit": refused('"7"'),
    "html": refused('"7"', "502", '"<html>"'),
    "list": refused('"7"', "500", "[1,{}]"),
    "empty": refused('"7"', "500", "{ }"),
    "null": refused('"7"', "500", "null"),
    "no body": b'{"response":{"status_code":500}}',
    "no id": refused("null", "422", '{"object":"error","message":{"detail":[{"loc":["body"],"msg":"no"}]}}'),
    "escaped id": refused('"\\u00e9"'),
    "error": failed('{"message":"too long"}'),
    "error with status": refused('"7"').replace(b'"error":null', b'"error":{"message":"expired"}'),
    "error of text": failed('"too long \\ud83d\\ude00 é"'),
    "much said": failed('"' + "x" * 3000 + '"'),
    "no JSON": b"<html>",
    "NaN": b'{"custom_id":"7","n":NaN}',
    "a bad number": b'{"custom_id":"7","n":01}',
    "bytes": b'{"custom_id":"7","n":"\xed\xa0\x80"}',
    "escape": b'{"custom_id":"7","n":"\\x"}',
    "trailing": line(7) + b",",
    "cut": line(7)[:-30],
    "cut in a row": line(7, 3)[:-80],
    "another value": b" [1, 2]",
    "text among numbers": first_element(b'"a"'),
    "null among numbers": line(7, 3)[::-1].replace(b",", b",llun,", 12)[::-1],
    "a list in the list": first_element(b"[1]"),
    "NaN among numbers": first_element(b"NaN"),
    "no vector": line(7, 2).replace(b'"embedding"', b'"embeding"'),
    "null as vector": b'{"custom_id":"7","response":{"body":{"data":[{"embedding":[1,2,3]},{"embedding":null}]}}}',
    "a number as vector": b'{"custom_id":"7","response":{"body":{"data":[{"embedding":3}]}}}',
    "a row that is none": b'{"custom_id":"7","response":{"body":{"data":[3]}}}',
    "longer": line(7).replace(b'"embedding":[', b'"embedding":[0,'),
    "shorter": b'{"response":{"body":{"data":[{"embedding":[1]},{"embedding":[2]}],"usage":{"total_tokens":9}}}}',
    "again": line(1, 2),
}


@pytest.mark.parametrize("text", FAILED.values(), ids=FAILED)
def test_failed_lines_cost_what_answers_cost(tmp_path: Path, generally: list[int], isa: str, text: bytes) -> None:
    """None of them is read in the general way, where a line takes as long as thirty answers."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join([line(1), text, line(2), text, text, line(3), b""]))
    found = decode_batch(path)
    assert generally == [1]
    assert [error.line for error in found.errors] == [2, 4, 5]
    assert found.custom_ids == ["1", "2", "3"]
    both_ways(path)
    both_ways(path, dimension=3)
    path.write_bytes(text + b"\n" + text)
    both_ways(path)
    both_ways(path, dimension=3)


WHATEVER = ("longer", "shorter", "again")  # of the first answer


@pytest.mark.parametrize("text", [text for name, text in FAILED.items() if name not in WHATEVER])
def test_files_of_failed_lines_alone(tmp_path: Path, generally: list[int], text: bytes) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes((text + b"\n") * 3)
    found = decode_batch(path)
    assert (generally, [error.line for error in found.errors], len(found.embeddings)) == ([], [1, 2, 3], 0)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_failed_lines(tmp_path: Path, data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.sampled_from([line(1), line(2, 2), *FAILED.values()]), min_size=1, max_size=4))
    for number, text in enumerate(texts):
        if data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(text)))
            texts[number] = text[:at] + data.draw(st.sampled_from(PIECES)) + text[at + data.draw(st.integers(0, 3)) :]
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join([*texts, b""]))
    both_ways(path, dimension=data.draw(st.sampled_from([None, 3, 4])))


def test_what_failed_lines_say_is_kept_short(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(failed(f'"{"x" * 100000}{at}"') for at in range(100)) + b"\n")
    tracemalloc.start()
    errors = decode_batch(path).errors
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(errors) == 100
    assert kept < 1 << 20
    assert str(errors[99].error) == "x" * 2000 + "…"


def test_lines_longer_than_the_buffer_and_rows_beyond_the_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_source, "BUFFER", 1000)
    monkeypatch.setattr(batch_plain, "_SCRATCH", 50)
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(line(row, 1 + row * row % 23) for row in range(40)))
    assert len(both_ways(path)[0]) == 12 * sum(1 + row * row % 23 for row in range(40))


def test_no_more_than_the_answers_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    bad = line(3).replace(b"]}", b"],}")
    path.write_bytes(b"\n".join([line(0), line(1), bad.replace(b'"error":null', b'"error":1'), line(2)]))
    out = np.full((5, 3), 9, np.float32)
    assert len(decode_batch(path, out=out).errors) == 1
    np.testing.assert_array_equal(out, np.concatenate([Values[:3], np.full((2, 3), 9, np.float32)]))


def test_a_broken_line_names_its_row_whatever_form_the_line_before_had(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    broken = b'{"custom_id":"7","response":{"body":{"data":[{"embedding":[1,2]},{"embedding":[1;2]}]}}}'
    path.write_bytes(b'{"instance":1,"predictions":2}\n' + broken + b"\n")
    errors = both_ways(path)[4]
    assert [error[3] for error in errors][1:] == ["unexpected character (line 2, row 1, byte 80)"]


def test_a_total_alone_is_of_what_was_read(isa: str, tmp_path: Path) -> None:
    head = '{"custom_id":"%s","response":{"status_code":200,"body":{"data":[{"embedding":[1,2]}],'
    body = head + '"usage":{"total_tokens":%d}}}}'
    path = tmp_path / "out.jsonl"
    path.write_text("".join(body % (i, i + 1) + "\n" for i in range(9)))
    assert decode_batch(path).usage == Usage(45, 0, 45)
    assert [line.response.usage for line in iter_batch(path) if line.response][3] == Usage(4, 0, 4)
    path.write_text("".join(body.replace('"total', '"completion_tokens":1,"total') % (i, 3) + "\n" for i in range(9)))
    assert decode_batch(path).usage == Usage(0, 9, 27)


def test_ids_of_any_text(tmp_path: Path, generally: list[int]) -> None:
    """Those that are made together are what each is alone: empty, of several bytes a character, and long ones."""
    names = ["", "é", "日本", "🙂", "a b", "0" * 3000, "'", "\x7f", *map(str, range(40))]
    file = tmp_path / "ids.jsonl"
    file.write_bytes(b"".join(line(place % 60, name=f'"{name}"') + b"\n" for place, name in enumerate(names)))
    assert both_ways(file)[3] == names
    assert generally[0] == 1  # by the plain reader but for the first, which it learns from
    assert decode_batch(file).custom_ids == names
