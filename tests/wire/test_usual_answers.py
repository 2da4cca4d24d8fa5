"""Answers to one input: a decoder that has seen one reads the next as one that has seen none does, whatever it is."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from each import each

from embcodec import Embeddings, decode_response, encode_response
from embcodec.errors import DecodeError, ServiceError
from embcodec.wire.decoder import Decoder

WIDTH = 40  # enough for codes to be told from floats
ROW = (np.arange(WIDTH, dtype=np.float32) - 5.5) / 8
CODES = np.random.default_rng(1).normal(0, 20, 4 * WIDTH).astype(np.int8).tobytes()
USAGE = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}


def body(row: Any = None, **members: Any) -> dict[str, Any]:
    vector = ROW.tolist() if row is None else row
    item = {"object": "embedding", "embedding": vector, "index": 0}
    return {"id": "a\u00e9", "object": "list", "data": [item], "model": "m", "usage": USAGE, **members}


def text(of: Any) -> bytes:
    return json.dumps(of, ensure_ascii=False).encode()


def warm(encoding: str = "float", **asked: Any) -> Decoder:
    """Return a decoder that reads usual answers in one call."""
    decoder = Decoder(**asked)
    values = (
        Embeddings(ROW[None])
        if decoder.dtype == "float"
        else Embeddings(np.arange(WIDTH, dtype=decoder.dtype.numpy_dtype)[None], decoder.dtype)
    )
    decoder.decode(encode_response(values, model="m", encoding_format=encoding))
    assert decoder._usual is not None
    return decoder


def outcome(decoder: Decoder, data: bytes, **asked: Any) -> Any:
    try:
        answer = decoder.decode(data, **asked)
    except (DecodeError, ServiceError) as error:
        return type(error), str(error), getattr(error, "offset", None), getattr(error, "row", None)
    rows = answer.embeddings
    said = answer.model, answer.id, answer.usage, str(answer.encoding_format), answer.raw_usage
    return (
        rows.meaning,
        rows.values.dtype,
        rows.values.tobytes(),
        rows.values.flags.owndata,
        said,
        str(answer.raw_usage),
    )


ITEM = body()["data"][0]
BASE64 = base64.b64encode(ROW.tobytes()).decode()
BODIES: dict[str, Any] = {
    "usual": body(),
    "base64": body(BASE64),
    "other order": dict(reversed(body().items())),
    "no id, model, usage": {"data": [ITEM]},
    "null id, model, usage": body(id=None, model=None, usage=None),
    "numbers for id and model": body(id=7, model=[1]),
    "escapes": text(body()).replace(b'"m"', b'"\\u006d\\""'),
    "empty strings": body(id="", model=""),
    "empty usage": body(usage={}),
    "usage of two": body(usage={"total_tokens": 3, "prompt_tokens": 3}),
    "no total": body(usage={"prompt_tokens": 3, "completion_tokens": 4}),
    "usage that says more": body(usage={**USAGE, "request_count": 1, "details": {"a": [None]}}),
    "usage of null": body(usage={**USAGE, "prompt_tokens": None}),
    "usage of floats": body(usage={"prompt_tokens": 3.0, "total_tokens": 3.5}),
    "usage below zero": body(usage={"prompt_tokens": -3, "total_tokens": -0}),
    "usage too large": body(usage={"prompt_tokens": 10**18, "total_tokens": 10**30}),
    "usage is a list": body(usage=[1]),
    "usage twice": text(body())[:-1] + b',"usage":{"total_tokens":9}}',
    "usage key twice": text(body()).replace(b'"total_tokens": 6', b'"total_tokens": 6, "total_tokens": 7'),
    "model twice": text(body())[:-1] + b',"model":null}',
    "rows twice, both of them sound": text(body())[:-1] + b',"data":' + text(body(BASE64)["data"]) + b"}",
    "the first usage key twice": text(body()).replace(b'"completion_tokens"', b'"prompt_tokens"'),
    "usage keys sixteen times": text(body(usage={}))[:-2] + b'"total_tokens":6,' * 15 + b'"completion_tokens":1}}',
    "rows twice": text(body())[:-1] + b',"data":[]}',
    "index null": body() | {"data": [{**ITEM, "index": None}]},
    "index one": body() | {"data": [{**ITEM, "index": 1}]},
    "index of text": body() | {"data": [{**ITEM, "index": "0"}]},
    "no index": body() | {"data": [{"embedding": ROW.tolist()}]},
    "more of the row": body() | {"data": [{**ITEM, "x": {"embedding": [1]}}]},
    "two rows": body() | {"data": [ITEM, {**ITEM, "index": 1}]},
    "no rows": body() | {"data": []},
    "no list": body() | {"data": ITEM},
    "a row of a list": body() | {"data": [ROW.tolist()]},
    "nested": body([ROW.tolist()]),
    "text of a list": body(json.dumps(ROW.tolist())),
    "other width": body([0.5, 0.25]),
    "base64 of other width": body(BASE64[:16]),
    "base64 broken": body("!" + BASE64[1:]),
    "base64 not finite": body(base64.b64encode(np.full(WIDTH, np.inf, np.float32).tobytes()).decode()),
    "base64 of codes": body(base64.b64encode(CODES).decode()),
    "codes": body([3, -4, 17, 29] * (WIDTH // 4)),
    "null in the row": body([None] + [0.5] * (WIDTH - 1)),
    "NaN in the row": body([float("nan")] + [0.5] * (WIDTH - 1)),
    "error null": body(error=None),
    "error": body(error={"message": "no", "code": 4}),
    "error alone": {"object": "error", "message": "no", "code": "3210"},
    "meta": body(meta={"billed_units": {"input_tokens": 8}}, usage=None),
    "prompt_eval_count": body(prompt_eval_count=4, usage=None),
    "deep": text(body(x=0)).replace(b'"x": 0', b'"x": ' + b"[" * 2000 + b"]" * 2000),
    "byte order mark": b"\xef\xbb\xbf" + text(body()),
    "text behind": text(body()) + b" x",
    "white space": b" \n" + json.dumps(body(), indent=2).encode() + b"\r\n\t",
    "not UTF-8": text(body()).replace(b'"m"', b'"\xff"'),
    "a control character": text(body()).replace(b'"m"', b'"\n"'),
    "UTF-16": json.dumps(body()).encode("utf-16"),
    "a list": [body()],
}  # fmt: skip


@each("name", BODIES)
def test_bodies_that_are_usual_or_nearly(isa: str, name: str) -> None:
    data = BODIES[name] if isinstance(BODIES[name], bytes) else text(BODIES[name])
    for asked in ({}, {"dimension": WIDTH}, {"nulls": "nan"}, {"profile": "openai"}):
        for count in (None, 1, 2):
            found = outcome(warm(**asked), data, expected_count=count)  # type: ignore[arg-type]
            assert found == outcome(Decoder(**asked), data, expected_count=count)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float", "int8", "uint8", "binary"])
def test_any_damage_is_judged_alike(dtype: str) -> None:
    rng = np.random.default_rng(31)
    row = ROW.tolist() if dtype == "float" else list(range(WIDTH))
    decoder = warm(output_dtype=dtype)
    for data in (text(body(row)), json.dumps(body(row), separators=(",", ":")).encode()):
        for end in range(len(data)):
            assert outcome(decoder, data[:end]) == outcome(Decoder(dtype), data[:end])
        for _ in range(700):
            damaged = bytearray(data)
            for _ in range(int(rng.integers(1, 3))):
                damaged[int(rng.integers(len(data)))] = int(rng.choice(list(b'0123459-.,:eE"\\[]{} \x00\x1f\xc3nul')))
            decoder.decode(text(body(row)))
            assert outcome(decoder, bytes(damaged)) == outcome(Decoder(dtype), bytes(damaged))


def test_usual_answers_are_read_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once one was read: lists and base64, of a width, whatever it says of tokens; and again when the width changed."""
    decoder = Decoder()
    for width in (WIDTH, 3):
        data = text(body(ROW[:width].tolist()))
        assert len(decoder.decode(data)) == 1
        with monkeypatch.context() as patched:
            patched.setattr(Decoder, "read", None)
            for usage in (USAGE, None, {"total_tokens": 4, "more": 1}):
                encoded = base64.b64encode(ROW[:width].tobytes()).decode()
                for vector in (ROW[:width].tolist(), encoded):
                    found = decoder.decode(text(body(vector, usage=usage)))
                    assert found.raw_usage == usage
                    assert found.id == "a\u00e9"
                    np.testing.assert_array_equal(found.embeddings.values, [ROW[:width]])


def test_rows_of_usual_answers_are_their_own() -> None:
    data = text(body())
    first, second = decode_response(data), decode_response(data)
    first.embeddings.values[:] = 7
    assert second.embeddings == decode_response(data).embeddings == Embeddings(ROW[None])
    assert second.raw_usage is not decode_response(data).raw_usage
