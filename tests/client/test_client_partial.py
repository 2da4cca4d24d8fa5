"""What was answered is kept, whatever comes after it: odd replies, odd exceptions, interruptions, cancellations."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from clients import by_client, embed, short_waits
from hostile import HostileServer, Received, answer, echo, hostile_server, http, silence, zipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embcodec import PROFILES, DecodeError, EmbcodecError, ServiceError, TransportError, decode_response
from embcodec.client import order as client_order
from embcodec.client import transport as client_transport
from embcodec.client.client import AsyncClient, Client
from embcodec.client.job import Outcome, Partial
from embcodec.client.split import Batch

__all__ = ["embed", "short_waits"]

ONE_BY_ONE = replace(PROFILES["mistral"], name="one by one", max_inputs=1)
CLIENT: dict[str, Any] = {"profile": ONE_BY_ONE, "concurrency": 1, "max_retries": 0}
ODD = (
    RecursionError("too deep"),
    MemoryError(),
    KeyError("data"),
    UnicodeError("odd"),
    AssertionError(),
    OSError("odd"),
)


def then(reply: Callable[[], bytes]) -> Any:
    """Answer a text "good" well, and any other (and who asks for the models) with what `reply` returns."""

    def answered(connection: socket.socket, server: HostileServer, request: Received) -> None:
        if request.body and request.json["input"] == ["good"]:
            echo(connection, server, request)
        else:
            connection.sendall(reply())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    return answered


def assert_kept(error: BaseException) -> None:
    partial = error.partial  # type: ignore[attr-defined]
    assert isinstance(partial, Partial)
    assert [rows for rows, _ in partial.answered] == [range(1)]
    assert "1 texts were answered: pass resume=error.partial to embed only the others" in error.__notes__


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
names = st.sampled_from(
    ["data", "error", "message", "detail", "embedding", "index", "code", "status", "usage", "model"]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def wrapped(value: Any, name: str | None, depth: int) -> bytes:
    """Return JSON of `value` in so many lists, or objects."""
    start, end = ("[", "]") if name is None else (f'{{"{name}":', "}")
    return (start * depth + json.dumps(value) + end * depth).encode("utf-8", "surrogatepass")


deep = st.builds(wrapped, values, st.none() | names, st.sampled_from([0, 1, 50, 500, 5000]))
bodies = st.binary(max_size=40) | deep | st.builds(lambda body, at: body[:at], deep, st.integers(0, 200))
statuses = st.sampled_from([200, 200, 200, 201, 204, 302, 400, 404, 422, 429, 500, 599, 999])
headers = st.dictionaries(
    st.sampled_from(["content-type", "content-encoding", "retry-after", "location", "set-cookie", "x-odd"]),
    st.sampled_from(
        ["gzip", "br", "gzip, gzip", "text/html; charset=x", "a=b; Path=", "1e999", "-0", "\xe9\x1b[2J", ""]
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[tuple[Client, list[bytes]]]:
    reply = [b""]
    with hostile_server(then(lambda: reply[0])) as server, Client(base_url=server.base_url, **CLIENT) as client:
        yield client, reply


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statuses, headers, bodies, st.booleans(), st.booleans())
def test_no_reply_takes_what_was_answered_with_it(
    fuzzed: tuple[Client, list[bytes]],
    status: int,
    more: dict[str, str],
    body: bytes,
    is_zipped: bool,
    is_framed: bool,
) -> None:
    client, reply = fuzzed
    if is_zipped:
        body, more = zipped(body), {**more, "content-encoding": "gzip"}
    reply[0] = http(body, status, headers=more)
    if not is_framed:
        reply[0] = reply[0].replace(b"content-length:", b"x-length:")
    with pytest.raises(EmbcodecError) as caught:  # no body of these is an answer: none has base64 or a list of numbers
        client.embed(["good", "bad"], model="m")
    assert_kept(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("place", ["decode_response", "service_error", "read_reply"])
def test_no_exception_of_a_reader_leaves_without_what_was_answered(
    embed: Any, monkeypatch: pytest.MonkeyPatch, place: str, odd: Exception
) -> None:
    module = client_transport if place == "read_reply" else client_order
    calls, honest = [0], getattr(module, place)

    def reader(*arguments: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] > 1 or place == "service_error":
            raise odd
        return honest(*arguments, **more)

    monkeypatch.setattr(module, place, reader)
    bad = http({"message": "no"}, 400) if place == "service_error" else http(answer([1, 2]))
    with hostile_server(then(lambda: bad)) as server, pytest.raises(EmbcodecError) as caught:
        embed(server.base_url, ["good", "bad"], client=CLIENT)
    assert_kept(caught.value)
    expected = {"decode_response": DecodeError, "service_error": ServiceError, "read_reply": TransportError}[place]
    assert type(caught.value) is expected
    if place == "service_error":
        assert caught.value.status == 400  # type: ignore[attr-defined]


def test_an_error_in_progress_loses_no_answer(embed: Any) -> None:
    def progress(done: int, total: int | None) -> None:
        raise LookupError("no terminal")

    with hostile_server(echo) as server, pytest.raises(LookupError, match="no terminal") as caught:
        embed(server.base_url, ["a", "b", "c", "d"], client={**CLIENT, "concurrency": 3}, progress=progress)
    # Those under way were waited for, since they may have been paid for; nothing was sent after them.
    assert len(caught.value.partial.answered) == len(server.received)  # type: ignore[attr-defined]


def test_an_interruption_in_progress_keeps_what_was_answered(embed: Any) -> None:
    def progress(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with hostile_server(echo) as server, pytest.raises(KeyboardInterrupt) as caught:
        embed(server.base_url, ["good", "b"], client=CLIENT, progress=progress)
    assert_kept(caught.value)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals to threads")
def test_an_interruption_from_the_keyboard_keeps_what_was_answered() -> None:
    def interrupts(connection: socket.socket, server: HostileServer, request: Received) -> None:
        if request.json["input"] == ["good"]:
            echo(connection, server, request)
        else:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            silence(connection, server, request)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where it is ignored, as in background jobs
    try:
        with hostile_server(interrupts) as server, pytest.raises(KeyboardInterrupt) as caught:
            by_client(server.base_url, ["good", "bad"], client=CLIENT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert_kept(caught.value)


def test_what_has_ended_when_a_course_is_left_is_kept() -> None:
    client = Client(base_url="http://127.0.0.1:1", profile=ONE_BY_ONE, concurrency=3)
    job = client._job(
        ["a", "b", "c"],
        None,
        None,
        model="m",
        output_dtype="float",
        output_dimension=None,
        encoding_format=None,
        extra=None,
    )
    sent: list[tuple[Batch, Future[list[Outcome]]]] = []

    def start(batch: Batch) -> Future[list[Outcome]]:
        sent.append((batch, Future()))
        return sent[-1][1]

    def leave() -> None:
        with job.keeping(), closing(job.course(start)) as course:
            next(course)
            for batch, future in sent[:2]:
                future.set_result([Outcome(batch, decode_response(json.dumps(answer([1, 2]))))])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        leave()
    assert [rows for rows, _ in caught.value.partial.answered] == [range(1), range(1, 2)]  # type: ignore[attr-defined]
    assert [future.cancelled() for _, future in sent] == [False, False, True]


def test_cancellation_and_time_outs_keep_what_was_answered() -> None:
    asked = threading.Event()

    def stalls(connection: socket.socket, server: HostileServer, request: Received) -> None:
        if request.json["input"] == ["good"]:
            echo(connection, server, request)
        else:
            asked.set()
            silence(connection, server, request)

    async def expire(scope: asyncio.Timeout) -> None:
        await asyncio.to_thread(asked.wait)
        scope.reschedule(asyncio.get_running_loop().time())

    async def in_time(client: AsyncClient) -> None:
        async with asyncio.timeout(None) as scope, asyncio.TaskGroup() as others:
            others.create_task(expire(scope))
            await client.embed(["good", "bad"], model="m")

    async def main(base_url: str) -> tuple[BaseException, BaseException]:
        async with AsyncClient(base_url=base_url, **CLIENT) as client:
            task = asyncio.create_task(client.embed(["good", "bad"], model="m"))
            await asyncio.to_thread(asked.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as cancelled:
                await task
            asked.clear()
            with pytest.raises(TimeoutError) as late:
                await in_time(client)
            return cancelled.value, late.value

    with hostile_server(stalls) as server:
        cancelled, late = asyncio.run(main(server.base_url))
    assert_kept(cancelled)
    assert late.__cause__ is not None
    assert_kept(late.__cause__)


def test_a_client_closed_meanwhile_keeps_what_was_answered() -> None:
    def closes(connection: socket.socket, server: HostileServer, request: Received) -> None:
        if request.json["input"] == ["good"]:
            echo(connection, server, request)
        else:
            client.close()

    with hostile_server(closes) as server:
        client = Client(base_url=server.base_url, **CLIENT)
        with pytest.raises(TransportError, match="was closed while") as caught:
            client.embed(["good", "bad"], model="m")
    assert_kept(caught.value)
    assert caught.value.partial.failed == (range(1, 2),)


def test_halves_answered_before_the_end_are_not_paid_again() -> None:
    def only_one(connection: socket.socket, server: HostileServer, request: Received) -> None:
        if len(request.json["input"]) > 1:
            connection.sendall(http({"message": "Too large"}, 413))
        elif request.json["input"] == ["bad"] and stalls:
            client.close()
        else:
            echo(connection, server, request)

    stalls = True
    with hostile_server(only_one) as server:
        client = Client(base_url=server.base_url)
        with pytest.raises(TransportError, match="was closed while") as caught:
            client.embed(["good", "bad"], model="m")
        stalls = False
        server.received.clear()
        with client:
            assert len(client.embed(["good", "bad"], model="m", resume=caught.value.partial)) == 2
    assert [request.json["input"] for request in server.received] == [["good", "bad"], ["bad"]]
