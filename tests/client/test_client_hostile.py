"""Clients against servers that lie, stall, flood and break off: a typed error in time, and the key kept."""

from __future__ import annotations

import errno
import io
import itertools
import json
import logging
import os
import pickle
import socket
import ssl
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from clients import by_client, embed, short_waits
from each import each
from hostile import (
    HostileServer,
    Received,
    Reply,
    answer,
    drip,
    flood,
    head,
    hostile_server,
    http,
    reset,
    rows_text,
    silence,
    then_reset,
    zipped,
)
from paths import TESTS

from embcodec import DecodeError, EmbcodecError, ServiceError, TransportError
from embcodec.client import transport
from embcodec.client.client import AsyncClient, Client

__all__ = ["embed", "short_waits"]

KEY = "sk-the-key-of-the-house-0123456789"
TIMEOUT = 0.25  # of a client that a server keeps waiting; else it has time on the slowest of machines
PATIENCE = 30.0
PAIR = answer([1, 2], [3, 4])


def data(*items: Any) -> bytes:
    return http({"data": list(items)})


def item(index: Any, vector: Any) -> dict[str, Any]:
    return {"index": index, "embedding": vector}


def nested(depth: int) -> Any:
    said: Any = "so"
    for _ in range(depth):
        said = {"message": said}
    return said


def unframed(body: bytes) -> bytes:
    """Return an answer that ends with its connection, and so may have been cut anywhere."""
    return http(body).replace(f"content-length: {len(body)}\r\n".encode(), b"")


def endless_redirect(connection: Any, server: HostileServer, request: Received) -> None:
    connection.sendall(http(b"", 307, location=server.base_url + "/v1/embeddings"))


# name: (the reply, the error, words of its message)
REPLIES: dict[str, tuple[Reply, type[EmbcodecError], str]] = {
    # connections
    "closes without a word": (b"", TransportError, "broke"),
    "resets without a word": (reset, TransportError, "broke"),
    "resets within the head": (then_reset(b"HTTP/1.1 200 OK\r\ncontent-"), TransportError, "broke"),
    "resets within the body": (then_reset(http(b'{"data":[', content_length="999")), TransportError, "broke"),
    "half a body": (http(PAIR, content_length="9999"), TransportError, "broke"),
    "half a chunk": (head() + b"ff\r\n{", TransportError, "broke"),
    "never answers": (silence, TransportError, "no complete answer"),
    "drips its head": (drip(b"HTTP/1.1 200 OK\r\n", b"x-more: y\r\n"), TransportError, "no complete answer"),
    "drips its body": (drip(head(), b"1\r\n \r\n"), TransportError, "no complete answer"),
    "drips informational answers": (drip(b"", b"HTTP/1.1 103 Early\r\n\r\n"), TransportError, "no complete answer"),
    "floods its head": (flood(b"HTTP/1.1 200 OK\r\n", b"x-more: y\r\n"), TransportError, "broke"),
    "floods its body": (flood(head(), b"1000\r\n%b\r\n" % (b" " * 4096)), TransportError, "larger than"),
    # HTTP
    "speaks no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", TransportError, "broke"),
    "binary noise": (bytes(range(256)) * 8, TransportError, "broke"),
    "status of four digits": (b"HTTP/1.1 2000 OK\r\n\r\n", TransportError, "broke"),
    "length below zero": (http(PAIR, content_length="-5"), TransportError, "broke"),
    "length that is no number": (http(PAIR, content_length="many"), TransportError, "broke"),
    "length of an exabyte": (http(PAIR, content_length="1" + "0" * 18), TransportError, "larger than"),
    "length too short": (http(PAIR, content_length="20"), DecodeError, ""),
    "two lengths": (http(PAIR, headers={"Content-Length": "5"}), TransportError, "broke"),
    "chunk of no size": (head() + b"zz\r\n", TransportError, "broke"),
    "empty": (http(b""), DecodeError, ""),
    "204": (http(b"", 204), DecodeError, ""),
    "304": (http(b"", 304), TransportError, "redirects are not followed"),
    # encodings
    "gzip that is none": (http(PAIR, content_encoding="gzip"), TransportError, "unzipped"),
    "gzip cut short": (http(zipped(b"[1]" * 999)[:20], content_encoding="gzip"), TransportError, "broke off after 20"),
    "gzip bomb": (http(zipped(b" " * 9_000_000), content_encoding="gzip"), TransportError, "larger than"),
    "gzip cut short, without a word": (http(zipped(b"[1]" * 999)[:20]), TransportError, "broke off after 20"),
    "gzip bomb without a word": (http(zipped(b" " * 9_000_000)), TransportError, "larger than"),
    "gzip bomb in gzip": (
        http(zipped(b" " * 90_000_000, 2), content_encoding="gzip, gzip"),
        TransportError,
        "content-encoding gzip, gzip, though only gzip was asked for, and once",
    ),
    "encoding nobody asked for": (http(b"\x1b\x07", content_encoding="br"), TransportError, ""),
    "encoding that is not read": (
        http(b"\x1b", content_encoding="deflate"),
        TransportError,
        "content-encoding deflate",
    ),
    "error in an encoding nobody asked for": (http(b"\x1b\x07", 404, content_encoding="zstd"), ServiceError, "404"),
    "error larger than any": (http(b"no" * 2_000_000, 400), ServiceError, "400"),
    # what is not an answer
    "page": (
        http(b"<html>Welcome", content_type="text/html"),
        TransportError,
        "text/html, not with JSON: '<html>Welcome'",
    ),
    "page with an error": (http(b"<html>Bad gateway", 502, content_type="text/html"), ServiceError, "502"),
    "captive portal": (
        http(b"", 302, location="http://portal.example/login"),
        TransportError,
        "redirects to http://portal",
    ),
    "redirect to itself": (endless_redirect, TransportError, "not followed"),
    "redirect without a place": (http(b"", 308), TransportError, "redirects to nowhere"),
    "error inside a 200": (
        http({"object": "error", "message": "no such thing", "code": "1"}),
        ServiceError,
        "no such thing",
    ),
    "OpenAI's error inside a 200": (http({"error": {"message": "not so", "type": "t"}}), ServiceError, "not so"),
    "detail inside a 200": (http({"detail": [{"loc": ["body"], "msg": "missing"}]}), ServiceError, "missing"),
    "error of wild types": (http({"message": [1, {"x": None}], "type": 5, "code": {}}, 400), ServiceError, "400"),
    "error of a megabyte": (http({"message": "x" * 1_000_000}, 400), ServiceError, "400"),
    "error in noise": (http(b"\xff\xfe" * 50, 500), ServiceError, "500"),
    "error deep down": (http(b"[" * 100_000, 500), ServiceError, "500"),
    "error 500 deep": (http({"message": nested(500)}, 400), ServiceError, "400"),
    "error 500 lists deep": (http({"message": json.loads("[" * 500 + "1" + "]" * 500)}, 400), ServiceError, "400"),
    "error 500 deep inside a 200": (http({"error": nested(500)}), EmbcodecError, ""),
    # JSON
    "cut JSON": (http(b'{"data":[{"embedding":[1,2'), DecodeError, ""),
    "cut with the connection": (unframed(b'{"data":[{"embedding":[1,2'), TransportError, "broke off after 26 bytes"),
    "nothing but a head": (unframed(b""), TransportError, "broke off after 0 bytes"),
    "wrong up to the end": (unframed(b'{"data":7}'), DecodeError, ""),
    "more after the end": (http(b'{"data":[]} {}'), DecodeError, ""),
    "deep JSON": (http(b'{"data":' + b"[" * 100_000), DecodeError, ""),
    "no UTF-8": (http(b'{"model":"\xff","data":[{"embedding":[1]},{"embedding":[1]}]}'), DecodeError, ""),
    "null": (http(b"null"), DecodeError, ""),
    "no data": (http({"object": "list"}), DecodeError, ""),
    "data is null": (http({"data": None}), DecodeError, ""),
    "data is an object": (http({"data": {"0": [1, 2]}}), DecodeError, ""),
    "data is empty": (http({"data": []}), DecodeError, ""),
    # rows
    "one too few": (http(answer([1, 2])), DecodeError, "1 embeddings came where 2"),
    "one too many": (http(answer([1, 2], [3, 4], [5, 6])), DecodeError, "3 embeddings came where 2"),
    "an index twice": (data(item(0, [1]), item(0, [2])), DecodeError, ""),
    "a gap in the indices": (data(item(0, [1]), item(2, [2])), DecodeError, ""),
    "an index below zero": (data(item(0, [1]), item(-1, [2])), DecodeError, ""),
    "an endless index": (data(item(0, [1]), item(10**40, [2])), DecodeError, ""),
    "an index that is text": (data(item(0, [1]), item("1", [2])), DecodeError, ""),
    "ragged": (http(answer([1, 2], [3])), DecodeError, "row 1"),
    "no vector": (data({"index": 0}, {"index": 1}), DecodeError, ""),
    "vector is null": (http(answer([1, 2], None)), DecodeError, ""),
    "vector is an object": (http(answer([1, 2], {"float": [1, 2]})), DecodeError, ""),
    "vector of vectors": (http(answer([[1, 2], [1, 2]], [[3, 4]])), DecodeError, ""),
    "empty vectors": (http(answer([], [])), DecodeError, ""),
    "rows are numbers": (data(1, 2), DecodeError, ""),
    "some lists, some base64": (http(answer([1, 2], "AACAPw==")), DecodeError, ""),
    # numbers
    "null element": (rows_text("[1,null]", "[1,2]"), DecodeError, "row 0"),
    "NaN": (rows_text("[1,2]", "[1,NaN]"), DecodeError, "row 1"),
    "Infinity": (rows_text("[1,2]", "[-Infinity,1]"), DecodeError, "row 1"),
    "1e400": (rows_text("[1,1e400]", "[1,2]"), DecodeError, "row 0"),
    "a number of a megabyte": (rows_text("[1,%s]" % ("9" * 1_000_000), "[1,2]"), DecodeError, "row 0"),
    "text for numbers": (rows_text('["1","2"]', "[1,2]"), DecodeError, "row 0"),
    "octal": (rows_text("[01,2]", "[1,2]"), DecodeError, "row 0"),
    # base64
    "base64 of three bytes": (http(answer("AAAA", "AAAA")), DecodeError, ""),
    "base64 without padding": (http(answer("AACAPw", "AACAPw")), DecodeError, ""),
    "base64 with a space": (http(answer("AACA Pw==", "AACAPw==")), DecodeError, ""),
    "URL-safe base64": (http(answer("-_-_-w==", "AACAPw==")), DecodeError, ""),
    "base64 of NaN": (http(answer("AADAfw==", "AACAPw==")), DecodeError, ""),
}


def settings(words: str) -> dict[str, Any]:
    return {"timeout": TIMEOUT if "no complete answer" in words else PATIENCE, "max_retries": 0, "api_key": KEY}


@pytest.mark.parametrize(("reply", "kind", "words"), REPLIES.values(), ids=REPLIES)
def test_hostile_reply(reply: Reply, kind: type[EmbcodecError], words: str) -> None:
    start = time.monotonic()
    with hostile_server(reply) as server, pytest.raises(kind) as caught:
        by_client(server.base_url, ["a", "b"], client=settings(words))
    assert time.monotonic() - start < PATIENCE
    assert words in str(caught.value)
    assert len(str(caught.value)) < 3000
    # A machine with much to do may not have sent the request when so short a time-out is over.
    assert len(server.received) == 1 or (not server.received and "no complete answer" in words)
    assert "while embedding texts 0 to 1" in caught.value.__notes__
    assert_kept(caught.value)


@pytest.mark.parametrize(
    "name",
    ["never answers", "drips its body", "half a body", "floods its body", "gzip bomb", "page", "cut JSON", "ragged"],
)
def test_hostile_reply_to_either_client(embed: Any, name: str) -> None:
    reply, kind, words = REPLIES[name]
    with hostile_server(reply) as server, pytest.raises(kind) as caught:
        embed(server.base_url, ["a", "b"], client=settings(words))
    assert words in str(caught.value)
    assert_kept(caught.value)


CODES: dict[str, tuple[str, Reply, str]] = {
    "beyond int8": ("int8", rows_text("[1,128]", "[1,2]"), "row 0"),
    "below int8": ("int8", rows_text("[1,-129]", "[1,2]"), "row 0"),
    "below uint8": ("uint8", rows_text("[1,2]", "[-1,2]"), "row 1"),
    "not whole": ("int8", rows_text("[1,2.5]", "[1,2]"), "row 0"),
    "another dimension": ("int8", rows_text("[1,2,3]", "[1,2,3]"), ""),
    "floats under base64": ("int8", http(answer("AACAPwAAgD8=", "AACAPwAAgD8=")), ""),
    "bits after the last": ("ubinary", rows_text("[255]", "[128]"), ""),
    "too many bytes of bits": ("ubinary", rows_text("[128,0]", "[128,0]"), ""),
}


@pytest.mark.parametrize(("dtype", "reply", "words"), CODES.values(), ids=CODES)
def test_codes_that_are_not_what_was_asked_for(dtype: str, reply: Reply, words: str) -> None:
    with hostile_server(reply) as server, pytest.raises(DecodeError) as caught:
        by_client(server.base_url, ["a", "b"], output_dtype=dtype, output_dimension=2)
    assert words in str(caught.value)


HARMLESS: dict[str, Reply] = {
    "another content type": http(PAIR, content_type="application/octet-stream"),
    "no content type": http(PAIR, content_type=""),
    "text/plain": http(PAIR, content_type="text/plain; charset=utf-8"),
    "text/json": http(PAIR, content_type="text/json"),
    "text/html": http(PAIR, content_type="text/html"),
    "coding that changes nothing": http(PAIR, content_encoding="identity"),
    "gzip without a word": http(zipped(http(PAIR).partition(b"\r\n\r\n")[2])),
    "x-gzip": http(zipped(http(PAIR).partition(b"\r\n\r\n")[2]), content_encoding="x-gzip"),
    "bytes after the gzip": http(zipped(http(PAIR).partition(b"\r\n\r\n")[2]) + b"\0" * 99, content_encoding="gzip"),
    "names of wild types": http({**PAIR, "model": 5, "id": None, "usage": {"prompt_tokens": "many"}}),
    "usage is a list": http({**PAIR, "usage": [1]}),
    "unknown fields": http({**PAIR, "more": {"deep": [[[]]]}}),
    "out of order": http({"data": [item(1, [3, 4]), item(0, [1, 2])]}),
    "no indices": http({"data": [{"embedding": [1, 2]}, {"embedding": [3, 4]}]}),
    "gzip": http(zipped(http(PAIR).partition(b"\r\n\r\n")[2]), content_encoding="gzip"),
    "informational first": b"HTTP/1.1 100 Continue\r\n\r\n" + http(PAIR),
    "HTTP/1.0 to the end": http(PAIR).replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"content-length", b"x-length"),
}


@pytest.mark.parametrize("reply", HARMLESS.values(), ids=HARMLESS)
def test_oddities_that_do_no_harm(reply: Reply) -> None:
    with hostile_server(reply) as server:
        found = by_client(server.base_url, ["a", "b"], client={"max_retries": 0})
    assert found.embeddings.values.tolist() == [[1, 2], [3, 4]]


def assert_kept(error: BaseException) -> None:
    """The key is nowhere in what a report of `error` shows, the variables of its frames included."""
    shown = io.StringIO()
    frames = step = error.__traceback__
    while step is not None:  # from the last of the tests' own frames on, since those hold the key
        if Path(step.tb_frame.f_code.co_filename).is_relative_to(TESTS):
            frames = step.tb_next
        step = step.tb_next
    report = traceback.TracebackException(type(error), error, frames, capture_locals=True)
    report.print(file=shown)
    assert ", in post\n" in shown.getvalue()
    assert KEY not in shown.getvalue()
    assert KEY not in repr(error) + str(error) + repr(error.__dict__)
    assert KEY.encode() not in pickle.dumps(error)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_the_key_is_sent_to_its_host_and_shown_nowhere(embed: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with hostile_server(http(b"", 503), http(PAIR)) as server:
        embed(server.base_url, ["a", "b"], client={"api_key": f" {KEY}\n"}, encoding_format="base64")
    for request in server.received:
        assert f"\r\nauthorization: bearer {KEY}\r\n" in request.head.lower() + "\r\n"
    assert len(caplog.records) > 3
    for record in caplog.records:
        assert KEY not in record.getMessage() + repr(record.__dict__)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_the_key_nowhere(embed: Any, status: int) -> None:
    with hostile_server(http(PAIR)) as elsewhere:
        lure = http(b"", status, location=elsewhere.base_url + "/v1/embeddings")
        with hostile_server(lure) as server, pytest.raises(TransportError, match="not followed"):
            embed(server.base_url, ["a", "b"], client={"api_key": KEY})
        assert elsewhere.received == []
        assert len(server.received) == 1


def test_a_service_that_repeats_the_key_does_not_publish_it(embed: Any) -> None:
    said = f"Incorrect API key provided: {KEY}."
    for reply in (
        http({"error": {"message": said, "type": KEY, "code": KEY}}, 401),
        http({"object": "error", "message": said}),
        http(b"", 302, location=f"http://elsewhere/?key={KEY}"),
        http(f"<html>{KEY}".encode(), content_type="text/html"),
        http(f"<html>{KEY}".encode(), 401),
    ):
        with hostile_server(reply) as server, pytest.raises(EmbcodecError) as caught:
            embed(server.base_url, ["a", "b"], client={"api_key": KEY})
        assert "[key]" in str(caught.value)
        assert_kept(caught.value)


def test_a_key_of_the_environment_stays_with_its_host(embed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    with hostile_server(http({"detail": "Unauthorized"}, 401)) as server, pytest.raises(ServiceError) as caught:
        embed(server.base_url, ["a", "b"])
    assert "authorization" not in server.received[0].head.lower()
    assert "MISTRAL_API_KEY is set, but goes to https://api.mistral.ai only" in caught.value.__notes__[0]
    for kind in (Client, AsyncClient):
        assert repr(kind()) == f"{kind.__name__}(mistral, https://api.mistral.ai/v1/embeddings, with a key)"
        assert "without a key" in repr(kind(base_url="https://api.mistral.ai.evil.example"))
        assert "without a key" in repr(kind(base_url="http://api.mistral.ai"))
        assert "with a key" in repr(kind(base_url="https://API.mistral.ai:443/v1"))


def test_clients_hide_and_leave_out_their_key() -> None:
    for client in (Client(api_key=KEY), AsyncClient(api_key=KEY)):
        assert KEY not in repr(client) + str(vars(client)) + repr(client._settings) + repr(client._settings.key)
        assert KEY.encode() not in pickle.dumps(client)
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(client._settings.key)


def caused(error: BaseException, *causes: BaseException) -> BaseException:
    """Return an error with the first of the causes, which has the next one, and so on."""
    for upper, cause in itertools.pairwise((error, *causes)):
        upper.__cause__ = cause
    return error


@each(
    "words, causes",
    [
        ("connection refused", [ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 9)")]),
        (os.strerror(errno.ENETUNREACH), [OSError("all"), OSError(errno.ENETUNREACH, "Connect call failed")]),
        ("connection refused", [OSError("all"), ExceptionGroup("", [ConnectionRefusedError(), OSError()])]),
        ("all attempts failed", [ssl.SSLError(1, "wrong version number")]),
        ("all attempts failed", [socket.gaierror(8, "nodename nor servname provided")]),
        ("all attempts failed", []),
    ],
)
def test_why_there_is_no_connection_is_told(words: str, causes: list[BaseException]) -> None:
    assert transport._why_unconnected(caused(OSError("all attempts failed"), *causes)).startswith(words)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_nobody_there(embed: Any, caplog: pytest.LogCaptureFixture, retries: int) -> None:
    with hostile_server(b"") as server:
        gone = server.base_url
    with pytest.raises(TransportError, match=r"cannot connect to 127\.0\.0\.1:\d+: connection refused") as caught:
        embed(gone, ["a"], client={"max_retries": retries, "api_key": KEY})
    assert caught.value.transient
    assert_kept(caught.value)
    told = [record.getMessage() for record in caplog.records if record.name == "embcodec.client"]
    assert told == ([f"{caught.value}; trying again, up to {retries} times"] if retries else [])
