"""What a call asks for and makes of its answers, without a network: bodies, cuts, errors, sums."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest

from embcodec import PROFILES, DecodeError, EmbeddingResponse, Embeddings, ServiceError, TransportError, Usage
from embcodec.client.job import Job
from embcodec.client.order import Order, _redacted, is_too_large, make_order, merge
from embcodec.client.reply import Reply
from embcodec.client.settings import make_settings
from embcodec.client.split import halves, split_texts
from embcodec.wire.http import Secret

KEY = "sk-order-1234"


def order_of(profile: Any = "mistral", *, api_key: str | None = None, **wishes: Any) -> Order:
    usual: dict[str, Any] = {"timeout": 5, "max_retries": 2, "concurrency": 1, "retry_seconds": 5}
    base = None if isinstance(profile, str) else "http://127.0.0.1:1"
    settings = make_settings(api_key=Secret.wrap(api_key), base_url=base, profile=profile, **usual)
    asked: dict[str, Any] = {
        "model": "m-1",
        "output_dtype": "float",
        "output_dimension": None,
        "encoding_format": None,
        "extra": None,
    }
    return make_order(settings, **{**asked, **wishes})


def good(*vectors: list[float], **more: Any) -> bytes:
    data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    return json.dumps({"data": data, **more}).encode()


def reply(body: bytes | str, status: int = 200, framed: bool = True, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, httpx2.Headers(names), body.encode() if isinstance(body, str) else body, framed)


@pytest.mark.parametrize(
    ("answer", "kind", "words", "transient"),
    [
        (reply("", 302, location="https://elsewhere/x"), TransportError, "redirects to https://elsewhere/x", False),
        (reply("", 399), TransportError, "redirects to nowhere (status 399); redirects are not followed", False),
        (reply("", 300, location="x" * 300), TransportError, f"redirects to {'x' * 200} (status 300)", False),
        (reply("", 500), ServiceError, "the service gave no reason [500]", None),
        (reply('{"detail": "d"}', 400), ServiceError, "d [400]", None),
        (
            reply("<p>", content_type="text/html"),
            TransportError,
            "answered with text/html, not with JSON: '<p>'",
            False,
        ),
        (reply("x", content_type=" Text/Plain ; a=b"), TransportError, "with text/plain, not with JSON: 'x'", False),
        (reply("y" * 99, content_type="a/xml"), TransportError, f"not with JSON: '{'y' * 80}'", False),
        (reply("{}", content_type="text/html"), DecodeError, "no list of embeddings at 'data'", None),
        (reply(" [1]", content_type="text/html"), DecodeError, "no list of embeddings at 'data'", None),
        (reply("nonsense"), DecodeError, "unexpected character", None),
        (reply(good([1.0])[:-3]), DecodeError, "ends too early", None),
        (reply(good([1.0])[:-3], framed=False), TransportError, "broke off after 41 bytes", True),
        (reply(good([1.0]) + b"x", framed=False), DecodeError, "unexpected text after", None),
        (reply(good([1.0], [2.0])), DecodeError, "2 embeddings came where 1 were asked for", None),
        (reply('{"error": {"message": "busy", "code": 503}}'), ServiceError, "busy [503]", None),
    ],
)
def test_what_is_made_of_a_reply(answer: Reply, kind: type[Exception], words: str, transient: bool | None) -> None:
    found = order_of().interpret(answer, 1)
    assert type(found) is kind
    assert words in str(found)
    assert transient is None or found.transient == transient  # type: ignore[union-attr]
    assert found.__traceback__ is found.__cause__ is found.__context__ is None


def test_a_good_reply() -> None:
    found = order_of().interpret(reply(good([1.0, 2.0], model="m", usage={"total_tokens": 3})), 1)
    assert isinstance(found, EmbeddingResponse)
    assert found.embeddings.values.tolist() == [[1, 2]]
    assert (found.model, found.usage.total_tokens) == ("m", 3)


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (404, "no", "no (asked at https://api.mistral.ai/v1/embeddings) [404]"),
        (400, "encoding_format is odd", "(base64 was asked for: encoding_format='float' asks for lists) [STATUS]"),
        (422, "no BASE64 here", "(base64 was asked for: encoding_format='float' asks for lists) [STATUS]"),
        (400, "no", "no [400]"),
        (500, "no base64", "no base64 [500]"),
    ],
)
def test_errors_are_explained(status: int, said: str, words: str) -> None:
    found = order_of().interpret(reply(json.dumps({"detail": said}), status), 1)
    assert str(found).endswith(words.replace("STATUS", str(status)))
    plain = order_of(encoding_format="float").interpret(reply(json.dumps({"detail": said}), status), 1)
    assert ("asks for lists" in str(plain)) is False


def test_a_withheld_key_is_spoken_of_where_it_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    order = order_of(PROFILES["mistral"])
    for status, noted in ((401, True), (403, True), (400, False), (500, False)):
        found = order.interpret(reply('{"detail": "no"}', status), 1)
        notes = getattr(found, "__notes__", [])
        assert (notes != []) == noted
        for note in notes:
            assert note == (
                "MISTRAL_API_KEY is set, but goes to https://api.mistral.ai only: to send it to 127.0.0.1:1, pass it "
                "as api_key"
            )


def test_a_key_that_a_service_repeats_is_blotted_out_of_every_part() -> None:
    body = json.dumps({"message": f"bad {KEY}", "type": KEY, "code": KEY})
    found = order_of(api_key=KEY).interpret(reply(body, 401, retry_after="7"), 1)
    assert isinstance(found, ServiceError)
    assert (found.message, found.type, found.code) == ("bad [key]", "[key]", "[key]")
    assert (found.status, found.retry_after) == (401, 7.0)
    assert KEY not in repr(found.__dict__) + str(found)
    found = order_of(api_key=KEY).interpret(reply(f'{{"data": [{{"{KEY}": 1}}]}}'), 1)
    assert isinstance(found, DecodeError)
    assert KEY not in str(found)
    assert found.row == 0


def test_notes_of_an_error_are_kept_and_blotted() -> None:
    error = ServiceError(f"bad {KEY}", status=400)
    error.add_note(f"asked with {KEY}")
    found = _redacted(error, order_of(api_key=KEY).settings)
    assert (str(found), found.__notes__) == ("bad [key] [400]", ["asked with [key]"])


def test_a_service_is_asked_for_its_models_once() -> None:
    job = Job(["a", "b"], order_of(), None, None)
    lacking = ServiceError("no model m-1", status=400)
    assert not job.wants_models(ServiceError("no", status=400))
    assert [job.wants_models(lacking), job.wants_models(lacking)] == [True, False]


@pytest.mark.parametrize(
    ("status", "said", "lacks"),
    [
        (400, "no model M-1 here", True),
        (404, "Model 'm-1' not found", True),
        (422, "the model m-1", True),
        (500, "no model m-1", False),
        (400, "no model m-2", False),
        (400, "no m-1", False),
    ],
)
def test_which_errors_say_that_a_model_is_lacking(status: int, said: str, lacks: bool) -> None:
    assert order_of().lacks_model(ServiceError(said, status=status)) is lacks
    assert not order_of().lacks_model(ValueError("no model m-1"))


def test_models_that_there_are_are_named_as_far_as_they_go() -> None:
    error = ServiceError("no", status=404, type="t", code="c", retry_after=2.0)
    assert order_of().with_models(error, []) is error
    found = order_of().with_models(error, ["a", "b" * 120])
    assert isinstance(found, ServiceError)
    assert found.message == f"no (the service lists a, {'b' * 100})"
    assert (found.status, found.type, found.code, found.retry_after) == (404, "t", "c", 2.0)
    twenty = [str(number) for number in range(20)]
    assert str(order_of().with_models(error, twenty)).endswith("18, 19) [404, t, c]")
    assert "18, 19 and 2 others)" in str(order_of().with_models(error, [*twenty, "x", "y"]))


def test_another_encoding_is_noted_once_it_came(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "embcodec.client")
    floats = EmbeddingResponse(Embeddings(np.ones((1, 2), np.float32)))
    assert order_of().note_encoding(floats)
    assert order_of(encoding_format="base64").note_encoding(floats)
    assert not order_of(encoding_format="float").note_encoding(floats)
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    words = "api.mistral.ai was asked for base64 and answered with float"
    assert said == [("INFO", words), ("WARNING", words)]


def test_what_is_too_large() -> None:
    for error, answer in (
        (ServiceError("", status=413), True),
        (ServiceError("", status=400, code="3210"), True),
        (ServiceError("", code="max_tokens_per_request"), True),
        (ServiceError("Too many tokens", status=400), True),
        (ServiceError("too many inputs: 9", status=422), True),
        (ServiceError("Too many requests", status=400), False),
        (ServiceError("too many tokens", status=429), False),
        (ServiceError("not too many tokens", status=400), False),
        (ValueError("too many tokens"), False),
    ):
        assert is_too_large(error) is answer


def test_extra_fields_join_the_body_and_repeat_none_of_it() -> None:
    order = order_of(extra={"user": "ü"}, output_dimension=3)
    assert order.body(["a", "é"]) == (
        '{"model":"m-1","encoding_format":"base64","output_dimension":3,"user":"ü","input":["a","é"]}'.encode()
    )
    with pytest.raises(ValueError, match="extra repeats input, model"):
        order_of(extra={"model": 1, "input": 2, "other": 3})
    with pytest.raises(ValueError, match="model is the name of a model"):
        order_of(model="")
    assert order.cap(0) == 1 << 20
    assert order.cap(3) == (1 << 20) + 3 * (1 << 19)


def test_base64_is_asked_for_where_its_length_can_be_told() -> None:
    for wishes, encoding in (
        ({}, "base64"),
        ({"output_dtype": "int8"}, "float"),
        ({"output_dtype": "int8", "output_dimension": 8}, "base64"),
        ({"output_dtype": "int8", "encoding_format": "base64"}, "base64"),
        ({"encoding_format": "float"}, "float"),
    ):
        order = order_of(**wishes)
        assert order.encoding_format == encoding
        assert order.explicit_encoding == ("encoding_format" in wishes)


def test_texts_are_cut_where_either_limit_is_reached() -> None:
    """A token is taken for three bytes, and every text for one token more."""
    order = order_of(replace(PROFILES["mistral"], max_inputs=3, max_tokens=10))

    def cut(*texts: str) -> list[tuple[int, int]]:
        batches = list(split_texts(texts, order))
        assert [text for batch in batches for text in batch.texts] == list(texts)
        assert all(batch.body == order.body(batch.texts) for batch in batches)
        assert len({batch.digest for batch in batches}) == len({batch.body for batch in batches})
        return [(batch.rows.start, batch.rows.stop) for batch in batches]

    assert cut() == []
    assert cut("a") == [(0, 1)]
    assert cut("a", "b", "c") == [(0, 3)]
    assert cut("a", "b", "c", "d") == [(0, 3), (3, 4)]
    assert cut("a" * 12, "a" * 12) == [(0, 2)]  # five tokens each
    assert cut("a" * 12, "a" * 14) == [(0, 2)]
    assert cut("a" * 12, "a" * 15) == [(0, 1), (1, 2)]
    assert cut("é" * 6, "é" * 7) == [(0, 2)]
    assert cut("é" * 6, "é" * 8) == [(0, 1), (1, 2)]
    assert cut("a" * 99, "b", "c") == [(0, 1), (1, 3)]
    assert cut("a", "b" * 99, "c") == [(0, 1), (1, 2), (2, 3)]
    with pytest.raises(TypeError, match="text 1 is int, not str"):
        list(split_texts(["a", 5], order))  # type: ignore[list-item]
    with pytest.raises(ValueError, match="text 1 has a lone surrogate"):
        list(split_texts(["a", "\ud800"], order))


def test_a_request_is_halved_in_the_middle() -> None:
    order = order_of(replace(PROFILES["mistral"], max_inputs=9, max_tokens=None))
    _, batch = split_texts([str(number) for number in range(14)], order)
    assert batch.rows == range(9, 14)
    first, second = halves(batch, order)
    assert (first.rows, second.rows) == (range(9, 11), range(11, 14))
    assert (list(first.texts), list(second.texts)) == (["9", "10"], ["11", "12", "13"])


def test_answers_are_put_together() -> None:
    def answer(values: Any, usage: Usage, raw: Any, **more: Any) -> EmbeddingResponse:
        return EmbeddingResponse(Embeddings(np.float32(values)), usage=usage, raw_usage=raw, **more)

    first = answer(
        [[1, 2]], Usage(1, 0, 1), {"a": 1, "b": "x", "c": True, "e": None, "f": 6, "g": 7}, model="m", id="i"
    )
    second = answer(
        [[3, 4], [5, 6]],
        Usage(2, 1, 3),
        {"a": 2.5, "b": "y", "d": 4, "c": 1, "e": 5, "f": "z", "g": True},
        model="n",
        id="j",
    )
    whole = merge([first, second, answer([[7, 8]], Usage(), None)], [0, 1, 3])
    assert whole.embeddings.values.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert (whole.model, whole.id, whole.encoding_format) == ("m", "i", "float")
    assert whole.usage == Usage(3, 1, 4)
    assert whole.raw_usage == {"a": 3.5, "b": "x", "c": 2, "d": 4, "e": 5, "f": 6, "g": 7}
    assert merge([first], [0]) is first
    bare = answer([[1, 2]], Usage(), None)
    assert merge([bare, bare], [0, 1]).raw_usage is None
    with pytest.raises(DecodeError, match="texts from 4 on came with 1 dimensions, those from 2 on with 2"):
        merge([first, second, answer([[1]], Usage(), None)], [2, 3, 4])


def test_texts_are_in_an_order() -> None:
    """A column of Arrow has scalars for strings; a set has no order, and rows without one are nobody's."""
    pyarrow = pytest.importorskip("pyarrow")
    order = order_of()
    for column in (pyarrow.array(["a", "b"]), pyarrow.chunked_array([["a"], ["b"]]), {"a": 1, "b": 2}.keys()):
        job = Job(column, order, None, None)
        assert [list(batch.texts) for batch in split_texts(job._texts, order)] == [["a", "b"]]
    for texts in ({"a", "b"}, frozenset("a"), {"a": 1}):
        with pytest.raises(TypeError, match="texts are strings in an order, as a list has them, not a"):
            Job(texts, order, None, None)
