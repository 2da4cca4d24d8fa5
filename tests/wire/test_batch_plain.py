"""Plain lines of batch files are read many at once: with the answers, errors and counts of the general way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embcodec import Embeddings, decode_batch, encode_response
from embcodec.wire.batch import lines as batch_lines
from embcodec.wire.batch import plain as batch_plain

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
        patch.setattr(batch_plain.PlainLines, "like", lambda *arguments: None)
        assert outcome(path, **options) == found
    return found


@pytest.fixture
def generally(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of the lines that are read in the general way."""
    numbers: list[int] = []
    decode: Callable[..., Any] = batch_lines._decode_line

    def noting(decoder: Any, number: int, text: Any) -> Any:
        numbers.append(number)
        return decode(decoder, number, text)

    monkeypatch.setattr(batch_lines, "_decode_line", noting)
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


@pytest.mark.parametrize("text", ODD)
def test_odd_lines_among_plain_ones(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "out.jsonl"
    for end in (b"", b"\n" + line(9)):
        path.write_bytes(b"\n".join([line(1), line(2), line(3), text + end]))
        found = both_ways(path)
        assert {"1", "2", "3"} <= set(found[3])


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


def test_lines_longer_than_the_buffer_and_rows_beyond_the_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_lines, "BUFFER", 1000)
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
