"""Bodies that are a JSON string, and the names that services have for the tokens of a request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embcodec import DecodeError, Usage, decode_batch, decode_response

BODY = {"data": [{"index": 0, "embedding": [1.5, 2.5]}]}


def line_of(body: Any, custom_id: str = "a") -> str:
    return json.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None}) + "\n"


@pytest.mark.parametrize("said", ["rate limited", "3", "[1.5", "x" * 1000, "null"])
def test_the_words_of_a_service_are_shown(said: str, tmp_path: Path) -> None:
    words = f"the body is a text: {said[:300]}{' ...' if len(said) > 300 else ''}"
    with pytest.raises(DecodeError) as caught:
        decode_response(json.dumps(said))
    assert words in caught.value.reason
    (tmp_path / "a.jsonl").write_text(line_of(said) + line_of(BODY, "b"))
    (failed,) = decode_batch(tmp_path / "a.jsonl").errors
    assert words in str(failed.error)


def test_an_empty_text_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="the body is an empty text"):
        decode_response('""')
    (tmp_path / "a.jsonl").write_text(line_of("") + line_of(BODY, "b"))
    (failed,) = decode_batch(tmp_path / "a.jsonl").errors
    assert "the body is an empty text" in str(failed.error)


def test_json_in_a_string_is_read_by_the_way_that_is_named(tmp_path: Path) -> None:
    body = json.dumps(json.dumps(BODY))
    with pytest.raises(DecodeError) as caught:
        decode_response(body)
    assert "decode_response(json.loads(body)) reads it" in caught.value.reason
    assert decode_response(json.loads(body)).embeddings.values.tolist() == [[1.5, 2.5]]
    line = line_of(json.dumps(BODY))
    (tmp_path / "a.jsonl").write_text(line + line_of(BODY, "b"))
    (failed,) = decode_batch(tmp_path / "a.jsonl").errors
    way = "decode_response(json.loads(line)['response']['body'])"
    assert f"{way} reads it" in str(failed.error)
    names = {"decode_response": decode_response, "json": json, "line": line}
    assert eval(way, names).embeddings.values.tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        ({"input_tokens": 7}, Usage(7, 0, 7)),
        ({"input_tokens": 7, "output_tokens": 2}, Usage(7, 2, 9)),
        ({"input_tokens": 7, "total_tokens": 8}, Usage(7, 0, 8)),
        ({"input_tokens": 7, "prompt_tokens": 3}, Usage(3, 0, 3)),
        ({"input_tokens": 7, "image_tokens": 2}, Usage(7, 0, 7)),
        ({"total_tokens": 7}, Usage(7, 0, 7)),
        ({"prompt_tokens": True}, Usage(0, 0, 0)),
        ({"prompt_tokens": True, "total_tokens": 5}, Usage(0, 0, 5)),
        ({"input_tokens": True}, Usage(0, 0, 0)),
        ({"prompt_tokens": 7.0}, Usage(7, 0, 7)),
        ({"prompt_tokens": -1}, Usage(0, 0, 0)),
        ({"prompt_tokens": "7"}, Usage(0, 0, 0)),
    ],
)
def test_tokens_are_counted_by_every_name(usage: dict[str, Any], wanted: Usage, tmp_path: Path) -> None:
    for more in ({}, {"other": [1]}):
        answer = decode_response(json.dumps({**BODY, "usage": usage, **more}))
        assert (answer.usage, answer.raw_usage) == (wanted, usage)
    assert decode_response(json.dumps({**BODY, "usage": usage}).encode()).usage == wanted  # the second of its kind
    (tmp_path / "a.jsonl").write_text(line_of(BODY) + "".join(line_of({**BODY, "usage": usage}, name) for name in "bc"))
    assert decode_batch(tmp_path / "a.jsonl").usage == wanted + wanted
