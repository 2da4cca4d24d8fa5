"""What a client makes of what comes back: bounded reading, plain words, no cookies, no hot loops."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from clients import embed, short_waits
from hostile import HostileServer, Received, Reply, answer, echo, hostile_server, http, then_reset

from embcodec import PROFILES, Client, DecodeError, EmbcodecError, ServiceError, TransportError
from embcodec.cli.command import main
from embcodec.client import transport as client_transport
from embcodec.client.reply import UnreadableError, read_reply
from embcodec.client.transport import _retry_rule
from embcodec.server.app import running_server
from embcodec.wire.codings import PIECE as _PIECE
from embcodec.words.text import printable

__all__ = ["embed", "short_waits"]

MIB = 1 << 20
PIECES = 300_000  # more than the time is enough for


class Stream(httpx2.AsyncByteStream):
    """A body that is there at once: no read of it ever waits."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.taken = pieces, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.taken += 1
            yield piece


def response(*pieces: bytes, status: int = 200, **headers: str) -> httpx2.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers=fields, stream=Stream(*pieces))


def test_others_have_their_turn_while_a_body_is_unzipped() -> None:
    async def main() -> tuple[int, int]:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        reply = await read_reply(response(gzip.compress(bytes(8 * MIB), mtime=0), content_encoding="gzip"), 64 * MIB)
        task.cancel()
        return len(reply.body), turns

    size, turns = asyncio.run(main())
    assert size == 8 * MIB
    assert turns >= size // _PIECE


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_the_time_is_up_though_no_read_ever_waits(coding: str) -> None:
    # Of the zipped one nothing comes out: blocks of no bytes follow its head.
    pieces = (
        (gzip.compress(b"", mtime=0)[:10], *[b"\x00\x00\x00\xff\xff"] * PIECES) if coding == "gzip" else [b" "] * PIECES
    )

    async def main() -> int:
        late = response(*pieces, content_encoding=coding)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read_reply(late, 1 << 40)
        return late.stream.taken  # type: ignore[union-attr]

    assert asyncio.run(main()) < PIECES


@pytest.mark.parametrize(
    ("content", "headers", "words"),
    [
        (gzip.compress(bytes(9 * MIB), mtime=0), {"content_encoding": "gzip"}, "larger than 1048576 bytes"),
        (
            gzip.compress(random.Random(1).randbytes(2 * MIB), mtime=0),
            {"content_encoding": "gzip"},
            "larger than 1048576 bytes",
        ),
        (gzip.compress(b"{}", mtime=0) + bytes(2 * MIB), {"content_encoding": "gzip"}, "larger than 1048576 bytes"),
        (bytes(2 * MIB), {}, "larger than 1048576 bytes"),
        (gzip.compress(b"{}", mtime=0)[:-1], {"content_encoding": "gzip"}, "broke off"),
        (
            gzip.compress(b"{}", mtime=0) + b"{}",
            {"content_encoding": "gzip"},
            "cannot be unzipped after its 1. gzip member",
        ),
        (gzip.compress(b"{}", mtime=0) * 2 + b"\x1f", {"content_encoding": "gzip"}, "broke off"),
        (gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0)[:-1], {"content_encoding": "gzip"}, "broke off"),
        (
            gzip.compress(bytes(MIB), mtime=0) + gzip.compress(b"1", mtime=0),
            {"content_encoding": "gzip"},
            "larger than 10",
        ),
        (b"{}", {"content_encoding": "deflate"}, "content-encoding deflate"),
        (b"{}", {"content_encoding": "gzip, br"}, "content-encoding gzip, br"),
        (b"{}", {"content_encoding": "gzip"}, "cannot be unzipped"),
    ],
)
def test_a_body_out_of_bounds(content: bytes, headers: dict[str, str], words: str) -> None:
    pieces = [content[start : start + 65536] for start in range(0, len(content), 65536)]
    with pytest.raises(UnreadableError, match=words) as caught:
        asyncio.run(read_reply(response(*pieces, **headers), MIB))
    assert caught.value.transient == (words == "broke off")
    # Of an error the status says enough.
    assert asyncio.run(read_reply(response(*pieces, status=500, **headers), MIB)).status == 500


@pytest.mark.parametrize("length", [0, 1, 257, _PIECE - 1, _PIECE, _PIECE + 1, 3 * _PIECE + 5])
def test_what_was_zipped_comes_back_whole(length: int) -> None:
    for content in (bytes(length), random.Random(length).randbytes(length)):
        data = gzip.compress(content, mtime=0)
        for step in (7, 65536) if length < 1000 else (65536,):
            pieces = [data[start : start + step] for start in range(0, len(data), step)]
            assert asyncio.run(read_reply(response(*pieces, content_encoding="gzip"), 2 * MIB)).body == content


@pytest.mark.parametrize("step", [1, 7, 65536])
def test_members_of_gzip_are_read_one_after_the_other(step: int) -> None:
    """As ``cat a.gz b.gz`` makes them; zeros that fill up a block lie behind any of them."""
    parts = [b"{", b"", b'"a": [', bytes(3 * _PIECE) if step > 7 else b"1", b"]}"]
    data = b"".join(gzip.compress(part, mtime=0) + bytes(5 * place) for place, part in enumerate(parts))
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    assert asyncio.run(read_reply(response(*pieces, content_encoding="gzip"), 2 * MIB)).body == b"".join(parts)


def test_members_without_end_end_with_the_clock() -> None:
    empty = gzip.compress(b"", mtime=0) * 1000

    async def main() -> int:
        late = response(*[empty] * PIECES, content_encoding="gzip")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read_reply(late, 1 << 40)
        return late.stream.taken  # type: ignore[union-attr]

    assert asyncio.run(main()) < PIECES


def test_a_wait_has_a_floor() -> None:
    rule = _retry_rule(60, lambda: False)
    asked: Mapping[float | None, Any] = {
        seconds: rule(ServiceError("", status=429, retry_after=seconds)) for seconds in (None, 0.0, 1e-9, 2.0)
    }
    assert asked[None] is True  # the usual back-off
    assert asked[0.0] is True
    assert asked[1e-9] >= client_transport._FIRST_WAIT
    assert 2.0 <= asked[2.0] <= 2.2


def test_cookies_are_not_kept(embed: Any) -> None:
    setting = {"set-cookie": "session=1; Path=/"}
    replies = (http({}, 503, headers=setting), http(answer([1, 2]), headers=setting), http(answer([1, 2])))
    with hostile_server(*replies) as server:
        embed(server.base_url, ["a", "b"], client={"profile": replace(PROFILES["mistral"], max_inputs=1)})
    assert len(server.received) == 3
    assert not any("cookie" in request.head.lower() for request in server.received)


def key_of(request: Received) -> str | None:
    lines = dict(line.lower().split(": ", 1) for line in request.head.split("\r\n")[1:])
    return lines.get("idempotency-key")


def test_a_lost_answer_is_not_charged_twice_where_the_service_knows_the_key(embed: Any) -> None:
    charged: dict[str, int] = {}

    def loses_the_first(connection: socket.socket, server: HostileServer, request: Received) -> None:
        key = key_of(request)
        assert key is not None
        charged[key] = charged.get(key, 0) + 1
        if charged[key] == 1:
            then_reset(b"HTTP/1.1 200 OK\r\n")(connection, server, request)  # type: ignore[operator]
        else:
            echo(connection, server, request)

    profile = replace(PROFILES["openai"], max_inputs=1)
    with hostile_server(loses_the_first) as server:
        for _ in range(2):  # the same texts again are another request
            embed(server.base_url, ["a", "b"], client={"profile": profile})
    assert len(server.received) == 8
    assert list(charged.values()) == [2] * 4


def test_no_idempotency_key_without_a_word_of_one(embed: Any) -> None:
    with hostile_server(echo) as server:
        embed(server.base_url, ["a"])
        embed(server.base_url, ["a"], client={"profile": replace(PROFILES["mistral"], idempotency_header="X-Once")})
    assert "idempotency" not in server.received[0].head.lower()
    assert "\r\nx-once: " in server.received[1].head.lower()


WILD = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e"
SAID: dict[str, Reply] = {
    "message": http({"error": {"message": WILD, "type": WILD, "code": WILD}}, 400),
    "body": http(WILD.encode(), 400),
    "page": http(b"<p>" + WILD.encode(), content_type="text/html\x1b[2J"),
    "redirect": http(b"", 302, location="/\x1b[2J"),
    "coding": http(b"", content_encoding="\x1b[2J"),
    "complaint": http({"detail": [{"loc": ["body", WILD], "msg": WILD}]}, 422),
}


@pytest.mark.parametrize("reply", SAID.values(), ids=SAID)
def test_words_of_a_service_move_no_cursor(embed: Any, reply: Reply, tmp_path: Path) -> None:
    with hostile_server(reply) as server:
        with pytest.raises(EmbcodecError) as caught:
            embed(server.base_url, ["a"], client={"max_retries": 0})
        done = run("embed", "-", "-o", tmp_path / "x.npy", "--base-url", server.base_url)
    for words in (str(caught.value), *map(str, vars(caught.value).values()), done.stderr):
        assert printable(words) == words
    assert "\\x1b[2j" in str(caught.value).lower()
    assert "\\x1b[2j" in done.stderr.lower()
    assert done.exit_code == 1


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input="a line\n")


def test_the_name_of_a_model_moves_no_cursor(tmp_path: Path) -> None:
    with hostile_server(http(answer([1, 2], model=f"m{WILD}"))) as server:
        done = run("embed", "-", "-o", tmp_path / "x.npy", "--base-url", server.base_url)
    assert "from m\\x1b[2J" in done.stdout
    assert "\x1b" not in done.stdout


def test_an_unknown_model_is_told_those_that_there_are(embed: Any, tmp_path: Path) -> None:
    with running_server(["hash-8", "hash-16"]) as server:
        with pytest.raises(ServiceError, match=r"the service lists hash-8, hash-16\)") as caught:
            embed(server.base_url, ["a"], model="hash8")
        done = run("embed", "-", "-o", tmp_path / "x.npy", "--base-url", server.base_url)
    assert caught.value.status in (400, 404, 422)
    assert "the service lists hash-8, hash-16" in done.stderr
    assert "mistral-embed" in done.stderr


NO_MODEL = http({"error": {"message": "The model `gone` does not exist", "code": "model_not_found"}}, 404)


@pytest.mark.parametrize(
    "listing",
    [
        http(b"", 501),
        http(b"<p>"),
        http({"data": [5]}),
        http({"data": []}),
        b"",
        http(b"[" * 100_000),
        then_reset(b"HT"),
    ],
)
def test_a_list_of_models_that_is_none_adds_nothing(embed: Any, listing: Reply) -> None:
    with hostile_server(NO_MODEL, listing) as server, pytest.raises(ServiceError, match="does not exist") as caught:
        embed(server.base_url, ["a"], model="gone", client={"api_key": "sk-of-the-house"})
    assert "lists" not in str(caught.value)
    assert [request.head.split()[:2] for request in server.received][1:] == [["GET", "/v1/models"]]


def test_a_list_of_models_is_short_and_keeps_the_key(embed: Any) -> None:
    listing = http({"data": [{"id": f"sk-of-the-house/{number}"} for number in range(500)]})
    with hostile_server(NO_MODEL, listing) as server, pytest.raises(ServiceError, match="and 480 others") as caught:
        embed(server.base_url, ["a"], model="gone", client={"api_key": "sk-of-the-house"})
    assert "the service lists [key]/0, [key]/1" in str(caught.value)
    with hostile_server(NO_MODEL) as server, pytest.raises(ServiceError):
        embed(server.base_url, ["a"], model="gone", client={"profile": "cohere"})  # where that would be is not known
    assert len(server.received) == 1


NO_BASE64 = http({"object": "error", "message": "base64 encoding is not currently supported", "code": 400}, 400)


def without_base64(connection: socket.socket, server: HostileServer, request: Received) -> None:
    if "encoding_format" in request.json:
        connection.sendall(NO_BASE64)
    else:
        echo(connection, server, request)


def test_a_service_without_base64_is_asked_for_lists_by_the_words_it_is_told(embed: Any, tmp_path: Path) -> None:
    with hostile_server(without_base64) as server:
        with pytest.raises(ServiceError, match="encoding_format='float' asks for lists"):
            embed(server.base_url, ["a"], encoding_format="base64")
        assert len(embed(server.base_url, ["a"], encoding_format="float")) == 1
        options = ("embed", "-", "-o", tmp_path / "x.npy", "--base-url", server.base_url)
        assert "--encoding float asks for lists" in run(*options, "--encoding", "base64").stderr
        assert run(*options, "--encoding", "float").exit_code == 0
    with hostile_server(NO_BASE64) as server, pytest.raises(ServiceError) as caught:
        embed(server.base_url, ["a"], encoding_format="float")
    assert "asks for lists" not in str(caught.value)


def test_a_service_that_refuses_base64_which_nobody_chose_is_asked_for_lists(
    embed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    profile = replace(PROFILES["openai"], max_inputs=2)
    texts = [f"text {i}" for i in range(9)]
    with hostile_server(without_base64) as server:
        found = embed(server.base_url, texts, client={"profile": profile, "concurrency": 1})
        assert len(found) == 9
        refused = [request for request in server.received if "encoding_format" in request.json]
        assert (len(refused), len(server.received)) == (1, 6)  # of all requests the first alone
    said = [record.getMessage() for record in caplog.records if record.name == "embcodec.client"]
    assert [text for text in said if "refuses base64" in text] == said
    assert len(said) == 1
    with hostile_server(NO_BASE64) as server:  # refused whatever is asked
        with pytest.raises(ServiceError, match="base64 encoding is not currently supported"):
            embed(server.base_url, ["a"])
        assert len(server.received) == 2
    with hostile_server(http({"message": "the text is too long"}, 400)) as server:
        with pytest.raises(ServiceError, match="the text is too long"):
            embed(server.base_url, ["a"])
        assert len(server.received) == 1


def test_a_client_remembers_that_a_service_has_no_base64() -> None:
    with hostile_server(without_base64) as server, Client(base_url=server.base_url) as client:
        for _ in range(3):
            assert len(client.embed(["a", "b"], model="m")) == 2
        assert ["encoding_format" in request.json for request in server.received] == [True, False, False, False]
        with pytest.raises(ServiceError):
            client.embed(["c"], model="m", encoding_format="base64")  # chosen: asked for all the same


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("kind", ["text/plain", "text/json; charset=x", "application/json", "text/html"])
def test_json_is_read_under_any_label_and_encoding(encoding: str, kind: str) -> None:
    body = "\n " + json.dumps(answer([1, 2]))
    with (
        hostile_server(http(body.encode(encoding), content_type=kind)) as server,
        Client(base_url=server.base_url) as made,
    ):
        assert made.embed(["a"], model="m").embeddings.values.tolist() == [[1, 2]]


@pytest.mark.parametrize("coding", ["zstd", "br"])
def test_codings_that_nobody_asked_for_are_read_where_their_packages_are(coding: str) -> None:
    if coding == "zstd":
        packed = pytest.importorskip("backports.zstd").compress(b"[1]" * 99)
        bomb = pytest.importorskip("backports.zstd").compress(bytes(5 * MIB))
    else:
        brotli = pytest.importorskip("brotli", minversion="1.2")
        packed, bomb = brotli.compress(b"[1]" * 99), brotli.compress(bytes(5 * MIB))
    read = asyncio.run(read_reply(response(packed, content_encoding=coding), 1000))
    assert read.body == b"[1]" * 99
    with pytest.raises(UnreadableError, match="larger than 1000 bytes"):
        asyncio.run(read_reply(response(bomb, content_encoding=coding), 1000))
    with pytest.raises(UnreadableError, match="broke off after") as caught:
        asyncio.run(read_reply(response(packed[:-4], content_encoding=coding), 1000))
    assert caught.value.transient
    with pytest.raises(UnreadableError, match="cannot be unzipped"):
        asyncio.run(read_reply(response(packed + b"more", content_encoding=coding), 1000))


def test_an_error_names_a_coding_that_nobody_asked_for() -> None:
    pytest.importorskip("backports.zstd")
    body = b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x00[]"  # zstd's of "[]"
    with (
        hostile_server(http(body, content_encoding="zstd"), http(b"[]")) as server,
        Client(base_url=server.base_url) as made,
    ):
        with pytest.raises(DecodeError, match=r"content-encoding zstd, though only gzip was asked for \(byte 0\)"):
            made.embed(["a"], model="m")
        with pytest.raises(DecodeError, match="empty list") as plain:
            made.embed(["a"], model="m")
    assert "coding" not in str(plain.value)


def test_a_profile_without_a_usual_model_wants_one(tmp_path: Path) -> None:
    with hostile_server(http(answer([1, 2]))) as server:
        options = ("embed", "-", "-o", tmp_path / "x.npy", "--base-url", server.base_url, "--profile", "openai")
        asked = run(*options)
        assert (asked.exit_code, "say --model" in asked.stderr) == (2, True)
        assert server.received == []
        assert run(*options, "--model", "theirs").exit_code == 0
        assert server.received[0].json["model"] == "theirs"


def test_what_cannot_be_told_apart_is_left_as_it_is() -> None:
    assert printable("naïve 漢字\u3000🙂\u200d\n\tend") == "naïve 漢字\u3000🙂\u200d\n\tend"
    assert printable("\x00\x7f\x85\u2028\ud800\ufeff") == r"\x00\x7f\x85\u2028\ud800\ufeff"
    assert str(TransportError("\x1b")) == TransportError("\x1b").message == "\\x1b"
