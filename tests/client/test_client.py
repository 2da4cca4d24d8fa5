"""Clients against the running server: right answers, in order, within limits, tried again, resumed."""

from __future__ import annotations

import asyncio
import inspect
import logging
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest
from clients import by_client, embed, short_waits
from hostile import HostileServer, Reply, answer, echo, hostile_server, http, silence, then_reset, zipped
from rows import TEXTS, codes

from embcodec import PROFILES, DecodeError, EmbeddingResponse, ServiceError, TransportError, truncate
from embcodec.client.client import AsyncClient, Client
from embcodec.client.job import Partial
from embcodec.client.order import make_order
from embcodec.client.settings import make_settings
from embcodec.client.split import split_texts
from embcodec.client.transport import Transport, is_transient
from embcodec.client.worker import Worker
from embcodec.server.app import RunningServer, running_server
from embcodec.server.model import HashModel

MODEL = "hash-100"
DTYPES = ("float", "int8", "uint8", "binary", "ubinary")
__all__ = ["embed", "short_waits"]

SMALL = replace(PROFILES["mistral"], name="small", max_inputs=3, max_tokens=None)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([MODEL]) as running:
        yield running


@pytest.mark.parametrize("dimension", [None, 18])
@pytest.mark.parametrize("encoding", ["float", "base64", None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(embed: Any, server: RunningServer, dtype: str, encoding: Any, dimension: int | None) -> None:
    found = embed(
        server.base_url, TEXTS, model=MODEL, output_dtype=dtype, encoding_format=encoding, output_dimension=dimension
    )
    rows = HashModel(100).encode(TEXTS)
    rows = rows if dimension is None else truncate(rows, dimension)
    np.testing.assert_array_equal(found.embeddings.values, codes(rows, dtype))
    assert found.embeddings.output_dtype == dtype
    assert found.embeddings.values.flags.writeable
    assert found.model == MODEL
    assert found.usage.total_tokens > 0
    default = "base64" if dtype == "float" or dimension else "float"
    assert found.encoding_format == (encoding or default)


def test_many_texts_come_back_in_order_with_summed_usage(embed: Any, server: RunningServer) -> None:
    texts = [f"text number {number} {'more ' * (number % 50)}" for number in range(1500)]
    steps: list[tuple[int, int | None]] = []
    found = embed(server.base_url, texts, model=MODEL, progress=lambda *step: steps.append(step))
    np.testing.assert_array_equal(found.embeddings.values, HashModel(100).encode(texts))
    from embcodec.server.request import count_tokens

    assert found.usage.total_tokens == sum(map(count_tokens, texts))
    assert found.raw_usage is not None
    assert found.raw_usage["prompt_tokens"] == found.usage.total_tokens
    assert len(steps) >= 3
    assert steps == sorted(steps)
    assert steps[-1] == (1500, 1500)


def test_one_text_and_none(embed: Any, server: RunningServer) -> None:
    assert embed(server.base_url, "one text", model=MODEL).embeddings.values.shape == (1, 100)
    with hostile_server(b"") as nobody:
        for texts in ([], (), iter(())):
            found = embed(nobody.base_url, texts, output_dtype="binary", output_dimension=18)
            assert (len(found), found.embeddings.values.shape, found.embeddings.dimension) == (0, (0, 3), 18)
            assert found.usage.total_tokens == 0
        assert embed(nobody.base_url, []).embeddings.values.shape == (0, 0)
        assert nobody.received == []


def test_iterators_are_read_no_faster_than_they_are_sent(embed: Any) -> None:
    taken, ahead = 0, []

    def texts() -> Iterator[str]:
        nonlocal taken
        for _ in range(60):
            taken += 1
            yield "x" * taken

    with hostile_server(echo) as server:
        found = embed(
            server.base_url,
            texts(),
            client={"profile": SMALL, "concurrency": 2},
            progress=lambda done, total: ahead.append((taken - done, total)),
        )
    np.testing.assert_array_equal(found.embeddings.values[:, 0], np.arange(1, 61))
    # Two requests of three under way, one waiting, and the text that showed the third was full.
    assert max(distance for distance, _ in ahead) <= 3 * 3 + 1
    assert {total for _, total in ahead} == {None}


def test_no_more_requests_at_a_time_than_allowed(embed: Any) -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def slow(connection: Any, server: HostileServer, request: Any) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.03)
        with lock:
            under_way -= 1
        echo(connection, server, request)

    with hostile_server(slow) as server:
        embed(server.base_url, [f"t{number}" for number in range(30)], client={"profile": SMALL, "concurrency": 3})
    assert most == 3
    assert len(server.received) == 10


def test_requests_are_in_the_profiles_words(embed: Any) -> None:
    def sent(profile: str, **wishes: Any) -> dict[str, Any]:
        with hostile_server(http({}, 400)) as server, pytest.raises(ServiceError):
            embed(server.base_url, ["t"], client={"profile": profile}, **wishes)
        return server.received[0].json

    assert sent("mistral") == {"model": "m", "encoding_format": "base64", "input": ["t"]}
    assert sent("mistral", output_dtype="int8", output_dimension=8, extra={"metadata": {}}) == {
        "model": "m",
        "encoding_format": "base64",
        "output_dtype": "int8",
        "output_dimension": 8,
        "metadata": {},
        "input": ["t"],
    }
    assert sent("mistral", output_dtype="ubinary") == {"model": "m", "output_dtype": "ubinary", "input": ["t"]}
    assert sent("openai", encoding_format="float", output_dimension=8) == {
        "model": "m",
        "dimensions": 8,
        "input": ["t"],
    }
    assert sent("cohere", extra={"input_type": "search_query"}) == {
        "model": "m",
        "embedding_types": ["float"],
        "input_type": "search_query",
        "texts": ["t"],
    }
    assert sent("vllm", extra={"embed_dtype": "float16"})["embed_dtype"] == "float16"
    assert sent("perplexity", output_dtype="int8", output_dimension=128) == {
        "model": "m",
        "encoding_format": "base64_int8",
        "dimensions": 128,
        "input": ["t"],
    }
    assert sent("jina", output_dtype="ubinary")["embedding_type"] == "ubinary"


def test_answers_are_read_as_the_profile_says(embed: Any) -> None:
    body = {"id": "c", "embeddings": {"int8": [[1, -2], [3, -128]]}, "meta": {"billed_units": {"input_tokens": 7}}}
    with hostile_server(http(body)) as server:
        found = embed(server.base_url, ["a", "b"], client={"profile": "cohere"}, output_dtype="int8")
    assert found.embeddings.values.tolist() == [[1, -2], [3, -128]]
    assert found.usage.prompt_tokens == 7
    with hostile_server(http(answer("AACAPwAAAEA=", "AABAQAAAgEA="))) as server:
        found = embed(server.base_url, ["a", "b"], client={"profile": "openai", "api_key": "sk-1"})
    assert found.embeddings.values.tolist() == [[1, 2], [3, 4]]
    theirs = replace(PROFILES["mistral"], name="theirs", byte_order="big", path="/embed", base_url="http://unused")
    with hostile_server(http(answer("P4AAAEAAAAA="))) as server:
        found = embed(server.base_url, ["a"], client={"profile": theirs})
        assert server.received[0].head.startswith("POST /embed HTTP/1.1")
    assert found.embeddings.values.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("profile", "wishes", "words"),
    [
        ("openai", {"output_dtype": "int8"}, "no field that asks for int8"),
        ("vllm", {"output_dtype": "binary"}, "no field that asks for binary"),
        ("perplexity", {}, "'perplexity' sends no floats: say output_dtype, one of int8, ubinary"),
        ("cohere", {"encoding_format": "base64"}, "no field that asks for base64"),
        ("llama.cpp", {"output_dimension": 8}, "no field that asks for a dimension"),
        ("mistral", {"output_dtype": "int4"}, "unknown OutputDtype"),
        ("mistral", {"encoding_format": "hex"}, "unknown EncodingFormat"),
        ("mistral", {"output_dimension": 0}, "at least 1"),
        ("mistral", {"model": ""}, "name of a model"),
        ("mistral", {"extra": {"input": []}}, "extra repeats input"),
    ],
)
def test_wishes_that_make_no_sense(embed: Any, profile: str, wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        embed("http://127.0.0.1:1", ["t"], client={"profile": profile}, **wishes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"base_url": "127.0.0.1:80"}, "absolute http"),
        ({"base_url": "localhost:8080/v1"}, "give 'http://localhost:8080/v1'"),
        ({"base_url": "gpu-7:8080/v1"}, "give 'http://gpu-7:8080/v1'"),
        ({"base_url": "[::1]:80"}, r"give 'http://\[::1\]:80'"),
        ({"base_url": "api.example.com/v1"}, "give 'https://api.example.com/v1'"),
        ({"base_url": "https://api.example.com/v1?api-version=3"}, "give 'https://api.example.com/v1'"),
        ({"base_url": "http://host:99999"}, "base_url must be an absolute .*port out of range"),
        ({"base_url": "http://[::1/v1"}, "base_url must be an absolute .*invalid ipv6"),
        ({"base_url": "user:secret@host/v1"}, "address$"),
        ({"base_url": "ftp://host"}, "absolute http"),
        ({"base_url": "http://user:word@host"}, "no user name or password"),
        ({"base_url": "http://host/?key=1"}, "no query"),
        ({"profile": "nobody"}, "unknown profile"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"concurrency": 0}, "concurrency"),
        ({"api_key": "two\nlines"}, "no header may carry"),
        ({"api_key": "ключ"}, "no header may carry"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], words: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match=words):
            kind(**arguments)


def test_base_url_may_end_with_the_version() -> None:
    for base in ("http://host:1", "http://host:1/", "http://host:1/v1", "http://host:1/v1/"):
        assert "http://host:1/v1/embeddings" in repr(Client(base_url=base))


@pytest.mark.parametrize(
    ("texts", "kind"), [(["a", 5], TypeError), (["a", None], TypeError), (["a", "\ud800"], ValueError)]
)
def test_what_is_no_text_is_named(embed: Any, server: RunningServer, texts: list[Any], kind: type[Exception]) -> None:
    with pytest.raises(kind, match="text 1"):
        embed(server.base_url, texts, model=MODEL)


def test_split_keeps_to_number_and_tokens() -> None:
    settings = make_settings(
        api_key=None,
        base_url=None,
        profile="mistral",
        timeout=1,
        max_retries=0,
        concurrency=1,
        retry_seconds=1,
    )
    order = make_order(
        settings, model="m", output_dtype="float", output_dimension=None, encoding_format=None, extra=None
    )
    texts = ["short"] * 700 + ["long " * 2000] * 8 + ["longer than a request " * 3000] * 2 + ["end"]
    batches = list(split_texts(texts, order))
    assert [text for batch in batches for text in batch.texts] == texts
    assert [batch.rows.start for batch in batches] == [0, *[batch.rows.stop for batch in batches[:-1]]]
    assert max(len(batch.texts) for batch in batches) == 512
    for batch in batches:
        assert len(batch.texts) == 1 or sum(1 + len(text) // 3 for text in batch.texts) <= 16_384
    assert list(split_texts([], order)) == []


def test_requests_that_a_service_finds_too_large_are_halved(embed: Any) -> None:
    def at_most_two(connection: Any, server: HostileServer, request: Any) -> None:
        if len(request.json["input"]) > 2:
            message = "Too many tokens overall, split into more batches."
            error = {"object": "error", "message": message, "type": "invalid_request_prompt", "code": "3210"}
            connection.sendall(http(error, 400))
        else:
            echo(connection, server, request)

    texts = ["x" * length for length in range(1, 12)]
    with hostile_server(at_most_two) as server:
        found = embed(server.base_url, texts)
    np.testing.assert_array_equal(found.embeddings.values[:, 0], np.arange(1, 12))
    assert found.usage.total_tokens == sum(len(request.json["input"]) <= 2 for request in server.received)


@pytest.mark.parametrize(("status", "is_said"), [(400, True), (422, True), (401, False)])
def test_a_blank_text_is_named_where_the_service_refuses(embed: Any, status: int, is_said: bool) -> None:
    def refuse(connection: Any, server: HostileServer, request: Any) -> None:
        connection.sendall(http({"error": {"message": "'$.input' is invalid"}}, status))

    for texts, note in ((["a", " ", ""], "text 1 is blank, which some services refuse"), (["a", "b"], None)):
        with hostile_server(refuse) as server, pytest.raises(ServiceError, match="is invalid") as caught:
            embed(server.base_url, texts)
        assert (note in caught.value.__notes__) == (is_said and note is not None)


def test_a_half_that_fails_does_not_take_the_other_with_it(embed: Any) -> None:
    good = fail_on("b")

    def at_most_two(connection: Any, server: HostileServer, request: Any) -> None:
        if len(request.json["input"]) > 2:
            connection.sendall(http({"message": "Too many inputs in request"}, 400))
        else:
            good(connection, server, request)  # type: ignore[operator]

    texts = ["a", "aa", "aaa", "aaaa", "b", "c", "cc"]
    with hostile_server(at_most_two) as server, pytest.raises(ServiceError, match="bad letter") as caught:
        embed(server.base_url, texts)
    assert "while embedding texts 3 to 4" in caught.value.__notes__
    assert [rows for rows, _ in caught.value.partial.answered] == [range(1), range(1, 3)]
    good = echo
    with hostile_server(at_most_two) as server:
        found = embed(server.base_url, texts, resume=caught.value.partial)
    assert found.embeddings.values[:, 0].tolist() == [len(text) for text in texts]
    sent = [request.json["input"] for request in server.received if len(request.json["input"]) <= 2]
    assert sent == [["aaaa", "b"], ["c", "cc"]]


def test_halving_ends_at_one_text(embed: Any) -> None:
    with hostile_server(http({"message": "Too large"}, 413)) as server, pytest.raises(ServiceError) as caught:
        embed(server.base_url, ["t"] * 512)
    assert caught.value.status == 413
    assert len(server.received) == 10


GOOD = echo
TRIED_AGAIN: dict[str, Reply] = {
    "429 seconds": http({}, 429, retry_after="0.03"),
    "429 zero": http({}, 429, retry_after="0"),
    "429 milliseconds": http({}, 429, retry_after_ms="30"),
    "429 date gone by": http({}, 429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"),
    "429 date": http({}, 429, retry_after=formatdate(time.time(), usegmt=True)),
    "429 nothing": http({}, 429),
    "429 nonsense": http({}, 429, retry_after="soon"),
    "429 negative": http({}, 429, retry_after="-5"),
    "429 infinite": http({}, 429, retry_after="inf"),
    "500": http(b"<html>", 500),
    "502 page": http(b"<html>Bad gateway", 502, content_type="text/html"),
    "503": http({"detail": "overloaded"}, 503),
    "529": http({}, 529),
    "half an answer that ends with its connection": http(answer([1, 2]))[:-20].replace(b"content-length", b"x-length"),
    "half a zipped answer": http(zipped(b"{}" * 99)[:-9], content_encoding="gzip"),
    "answer deep down": http(b"[" * 100_000, 503),
    "unreadable and overloaded": http(b"\x1b\x07", 503, content_encoding="br"),
    "no answer": b"",
    "half an answer": http(answer([1, 2]), content_length="1000"),
    "reset": then_reset(b""),
    "reset within the body": then_reset(http(b'{"data"', content_length="1000")),
    "200 that says 429": http({"object": "error", "message": "slow down", "code": 429}),
}


@pytest.mark.parametrize("reply", TRIED_AGAIN.values(), ids=TRIED_AGAIN)
def test_what_is_transient_is_tried_again(reply: Reply) -> None:
    with hostile_server(reply, reply, GOOD) as server:
        found = by_client(server.base_url, ["abc"], client={"timeout": 5})
    assert found.embeddings.values.tolist() == [[3, 97]]
    assert len(server.received) == 3


def test_which_statuses_are_tried_again_is_as_documented() -> None:
    again = {status for status in range(100, 1000) if is_transient(ServiceError("", status=status))}
    assert again == {408, 409, 425, 429, *range(500, 600)} - {501, 505}
    assert not is_transient(ServiceError(""))
    for words in ("408, 409, 425, a rate limit (429)", "every 5xx but 501 and\n        505"):
        assert words in (Client.__doc__ or "")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422, 501, 505])
def test_what_is_final_is_not_tried_again(status: int) -> None:
    with hostile_server(http({"detail": "no"}, status)) as server, pytest.raises(ServiceError, match="no") as caught:
        by_client(server.base_url, ["abc"])
    assert caught.value.status == status
    assert ("/v1/embeddings" in caught.value.message) == (status == 404)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"type": "insufficient_quota", "code": "insufficient_quota"},
        {"type": "insufficient_quota", "code": None},
        {"type": "billing_not_active", "code": "billing_not_active"},
        {"type": "exceeded_current_quota_error"},
    ],
)
@pytest.mark.parametrize("status", [429, 200])
def test_an_account_with_nothing_left_is_not_asked_again(said: dict[str, Any], status: int, embed: Any) -> None:
    said = {**said, "message": "You exceeded your current quota"} | ({"code": 429} if status == 200 else {})
    with hostile_server(http({"error": said}, status, retry_after="0.01"), GOOD) as server:
        with pytest.raises(ServiceError, match=r"current quota \(the account has nothing left .* of no use"):
            embed(server.base_url, ["abc"])
        assert len(server.received) == 1


def test_retries_end(embed: Any) -> None:
    with hostile_server(http({"detail": "busy"}, 503)) as server, pytest.raises(ServiceError, match="busy"):
        embed(server.base_url, ["abc"], client={"max_retries": 2})
    assert len(server.received) == 3


def test_retries_do_not_print_where_logging_is_not_set_up(monkeypatch: pytest.MonkeyPatch, embed: Any) -> None:
    printed: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger("stamina"), "propagate", False)  # away from the handlers of the tests
    monkeypatch.setattr(logging.lastResort, "emit", printed.append)
    with hostile_server(http({"detail": "busy"}, 503), GOOD) as server:
        embed(server.base_url, ["abc"])
        assert len(server.received) == 2
    assert printed == []


def test_retry_after_is_waited_for(embed: Any) -> None:
    with hostile_server(http({}, 429, retry_after="0.2"), GOOD) as server:
        start = time.monotonic()
        embed(server.base_url, ["abc"])
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("after", ["86400", "1e300", "Mon, 01 Jan 2080 00:00:00 GMT"])
def test_a_wait_beyond_the_time_allowed_fails_at_once(embed: Any, after: str) -> None:
    reply = http({"detail": "later"}, 429, retry_after=after)
    with hostile_server(reply, GOOD) as server, pytest.raises(ServiceError, match="later") as caught:
        embed(server.base_url, ["abc"])
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 80_000
    assert len(server.received) == 1


def fail_on(letter: str) -> Reply:
    def reply(connection: Any, server: HostileServer, request: Any) -> None:
        if any(text.startswith(letter) for text in request.json["input"]):
            connection.sendall(http({"object": "error", "message": "bad letter"}, 400))
        else:
            time.sleep(0.02)
            echo(connection, server, request)

    return reply


def test_a_failure_keeps_what_was_answered_and_can_be_resumed(embed: Any) -> None:
    texts = ["a", "aa", "aaa", "b", "bb", "bbb", "c", "cc", "ccc", "d"]
    steps: list[tuple[int, int]] = []
    wishes: dict[str, Any] = {"client": {"profile": SMALL, "concurrency": 4}}
    with hostile_server(fail_on("b")) as server, pytest.raises(ServiceError, match="bad letter") as caught:
        embed(server.base_url, texts, **wishes)
    assert "while embedding texts 3 to 5" in caught.value.__notes__
    partial = caught.value.partial
    assert isinstance(partial, Partial)
    assert partial.failed == (range(3, 6),)
    assert [rows for rows, _ in partial.answered] == [range(3), range(6, 9), range(9, 10)]
    assert partial.answered[1][1].embeddings.values.tolist() == [[1, 99], [2, 99], [3, 99]]
    with hostile_server(echo) as server:
        found = embed(
            server.base_url, texts, resume=partial, progress=lambda done, total: steps.append((done, total)), **wishes
        )
    assert [request.json["input"] for request in server.received] == [["b", "bb", "bbb"]]
    assert found.embeddings.values[:, 0].tolist() == [len(text) for text in texts]
    assert found.usage.total_tokens == 4
    assert steps[-1] == (10, 10)


def test_resume_sends_again_what_is_not_the_same(embed: Any) -> None:
    texts = ["a", "aa", "aaa", "b"]
    client = {"profile": SMALL, "concurrency": 1}
    with hostile_server(fail_on("b")) as server, pytest.raises(ServiceError) as caught:
        embed(server.base_url, texts, client=client)
    with hostile_server(echo) as server:
        found = embed(server.base_url, ["a", "ax", "aaa", "b"], client=client, resume=caught.value.partial)
        embed(server.base_url, texts, client=client, resume=caught.value.partial, model="other")
    assert len(found) == 4
    assert len(server.received) == 4


def test_the_callers_own_error_comes_through_with_what_was_answered(embed: Any) -> None:
    def texts() -> Iterator[str]:
        yield from ("a", "b", "c", "d")
        raise LookupError("the source ran dry")

    with hostile_server(echo) as server, pytest.raises(LookupError, match="dry") as caught:
        embed(server.base_url, texts(), client={"profile": SMALL})
    assert [rows for rows, _ in caught.value.partial.answered] == [range(3)]  # type: ignore[attr-defined]


def test_an_error_in_progress_comes_through(embed: Any) -> None:
    def progress(done: int, total: int | None) -> None:
        raise LookupError("no terminal")

    with hostile_server(echo) as server, pytest.raises(LookupError, match="no terminal"):
        embed(server.base_url, ["t"] * 30, client={"profile": SMALL}, progress=progress)


def test_answers_of_different_dimensions_are_an_error(embed: Any) -> None:
    with (
        hostile_server(http(answer([1, 2])), http(answer([1, 2, 3]))) as server,
        pytest.raises(DecodeError, match=r"texts from 1 on came with 3 dimensions, those from 0 on with 2") as caught,
    ):
        embed(server.base_url, ["a", "b"], client={"profile": replace(SMALL, max_inputs=1), "concurrency": 1})
    assert len(caught.value.partial.answered) == 2


def test_another_encoding_than_asked_for_is_decoded_and_said_once(embed: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with hostile_server(echo) as server:
        found = embed(
            server.base_url, ["a", "b"], client={"profile": replace(SMALL, max_inputs=1)}, encoding_format="base64"
        )
        assert found.encoding_format == "float"
        (record,) = [record for record in caplog.records if record.name == "embcodec.client"]
        assert record.levelno == logging.WARNING
        assert "was asked for base64 and answered with float" in record.getMessage()
        caplog.clear()
        embed(server.base_url, ["a"])
        assert [record.levelno for record in caplog.records if record.name == "embcodec.client"] == [logging.INFO]


def test_a_client_is_shared_by_threads_and_used_again_after_close(server: RunningServer) -> None:
    client = Client(base_url=server.base_url)
    with ThreadPoolExecutor(8) as pool:
        wants = [[f"{number}", f"{number} more"] for number in range(24)]
        found = list(pool.map(lambda want: client.embed(want, model=MODEL), wants))
    for want, one in zip(wants, found, strict=True):
        np.testing.assert_array_equal(one.embeddings.values, HashModel(100).encode(want))
    for _ in range(2):
        client.close()
        client.close()
        assert len(client.embed("again", model=MODEL)) == 1
    client.close()
    assert "embcodec-client" not in {thread.name for thread in threading.enumerate()}


def test_a_forgotten_client_ends_its_thread(server: RunningServer) -> None:
    client = Client(base_url=server.base_url)
    client.embed("text", model=MODEL)
    del client
    deadline = time.monotonic() + 5
    while "embcodec-client" in {thread.name for thread in threading.enumerate()} and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "embcodec-client" not in {thread.name for thread in threading.enumerate()}


def test_a_client_closed_by_another_thread_says_so() -> None:
    for _ in range(3):
        with hostile_server(silence) as server:
            client = Client(base_url=server.base_url)

            def close_once_asked(server: HostileServer = server, client: Client = client) -> None:
                while not server.received:
                    time.sleep(0.005)
                client.close()

            closing = threading.Thread(target=close_once_asked)
            closing.start()
            with pytest.raises(TransportError, match="was closed while"):
                client.embed(["a", "b"], model="m")
            closing.join()


def test_a_worker_takes_nothing_after_it_has_stopped() -> None:
    settings = Client(base_url="http://127.0.0.1:1")._settings
    worker = Worker(Transport(settings))
    worker.stop()
    worker.stop()
    assert worker.submit(asyncio.sleep(10)).cancelled()


_INHERITED: list[Client] = []


def _embed_inherited(text: str) -> list[list[float]]:
    values = _INHERITED[0].embed(text, model=MODEL).embeddings.values
    return values.tolist()  # type: ignore[no-any-return]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_client_works_on_both_sides_of_a_fork(server: RunningServer) -> None:
    with Client(base_url=server.base_url) as client:
        expected = client.embed("text", model=MODEL).embeddings.values.tolist()
        _INHERITED[:] = [client]
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.map(_embed_inherited, ["text"] * 3) == [expected] * 3
        assert _embed_inherited("text") == expected
        _INHERITED.clear()


def test_an_async_client_works_in_one_loop_after_another(server: RunningServer) -> None:
    client = AsyncClient(base_url=server.base_url)

    async def main() -> int:
        async with client:
            return len(await client.embed(["a", "b"], model=MODEL))

    assert [asyncio.run(main()), asyncio.run(main())] == [2, 2]


def test_an_async_client_takes_asynchronous_iterators(server: RunningServer) -> None:
    async def lines(count: int) -> AsyncIterator[str]:
        for number in range(count):
            await asyncio.sleep(0)
            yield f"line {number}"

    async def main() -> tuple[EmbeddingResponse, EmbeddingResponse]:
        async with AsyncClient(base_url=server.base_url) as client:
            return await client.embed(lines(30), model=MODEL), await client.embed(lines(0), model=MODEL)

    found, nothing = asyncio.run(main())
    with Client(base_url=server.base_url) as client:
        assert found.embeddings == client.embed((f"line {number}" for number in range(30)), model=MODEL).embeddings
    assert len(nothing.embeddings) == 0


def test_loopback_goes_past_proxies(server: RunningServer, embed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert len(embed(server.base_url, ["a"], model=MODEL)) == 1


def test_a_key_in_clear_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Client(api_key="sk-1", base_url="http://localhost:1")
    Client(api_key="sk-1", base_url="https://far.example")
    Client(base_url="http://far.example")
    assert not caplog.records
    Client(api_key="sk-1", base_url="http://far.example")
    assert "the key goes to far.example unencrypted" in caplog.text
    assert "sk-1" not in caplog.text


def test_an_impossible_address_is_a_transport_error(embed: Any) -> None:
    with pytest.raises(TransportError):
        embed("http://no host/\x7f", ["a"], client={"max_retries": 0})


def test_a_client_works_inside_a_running_loop(server: RunningServer) -> None:
    async def main() -> int:
        with Client(base_url=server.base_url) as client:
            return len(client.embed(["a", "b"], model=MODEL))

    assert asyncio.run(main()) == 2


def test_cancelling_an_async_call_ends_its_requests() -> None:
    async def main(base_url: str) -> None:
        async with AsyncClient(base_url=base_url) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.embed(["a", "b"], model="m")
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with hostile_server(silence) as server:
        asyncio.run(main(server.base_url))


def _embed_in_child(client: Client) -> list[int]:
    return list(client.embed(["in a child"], model=MODEL).embeddings.values.shape)


def test_a_client_travels_to_another_process(server: RunningServer) -> None:
    client = Client(base_url=server.base_url, api_key="sk-secret-of-the-house", timeout=7, profile=SMALL)
    copy = pickle.loads(pickle.dumps(client))
    assert repr(copy) == repr(client).replace("with a key", "without a key")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_embed_in_child, (client,)) == [1, 100]


def test_transport_errors_pickle() -> None:
    error = pickle.loads(pickle.dumps(TransportError("broke", transient=True)))
    assert (error.message, error.transient) == ("broke", True)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/embeddings", "/v1/embeddings/", "/embeddings"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_base_url_may_end_where_the_service_embeds(kind: Any, end: str) -> None:
    made = kind(base_url=f"http://127.0.0.1:9/x{end}")
    assert made._settings.url == "http://127.0.0.1:9/x/v1/embeddings"
    assert made._settings.models_url == "http://127.0.0.1:9/x/v1/models"


def test_both_clients_take_the_same() -> None:
    """Arguments, in their order, with defaults and types; but an asynchronous client takes more kinds of iterators."""
    ours, theirs = (inspect.signature(kind.embed).parameters for kind in (Client, AsyncClient))
    assert [*ours] == [*theirs]
    assert all(ours[name] == theirs[name] for name in ours if name != "texts")
    assert AsyncClient.embed.__doc__
    assert Client.embed.__doc__
    assert "an async iterator" in AsyncClient.embed.__doc__
    assert AsyncClient.embed.__doc__.endswith(Client.embed.__doc__.partition("\n\n")[2])
