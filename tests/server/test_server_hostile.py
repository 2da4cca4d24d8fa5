"""The server against clients that stall, flood, lie or come from elsewhere; no test asserts that something is quick."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from secrets_seen import pieces
from starlette.datastructures import Headers

from embcodec.cli.command import main
from embcodec.server import app as server_module
from embcodec.server.app import Endpoint, Limits, RunningServer, create_app, running_server
from embcodec.server.connection import Connection, PoliteTransport, Stage
from embcodec.server.guard import Guard
from embcodec.server.limits import Budget
from embcodec.server.process import CalmFilter, Server
from embcodec.server.request import STRICT, RefusalError, parse_request
from embcodec.server.workers import Workers
from embcodec.words.text import printable

MODEL = "hash-16"
KEY = "the-key-of-the-server-0123456789"
SHORT = 0.4
ASK = b'{"model": "hash-16", "input": "x"}'
PATIENT = 30  # seconds that a test waits before it calls a server stuck


@pytest.fixture(scope="module")
def hasty() -> Iterator[RunningServer]:
    """A server whose clients have little time."""
    limits = Limits(
        head_seconds=SHORT, body_seconds=SHORT, send_seconds=SHORT, idle_seconds=SHORT, linger_seconds=SHORT
    )
    with running_server([MODEL, "hash-1024"], limits=limits) as server:
        yield server


@pytest.fixture(scope="module")
def calm() -> Iterator[RunningServer]:
    with running_server([MODEL]) as server:
        yield server


def connect(server: RunningServer | int) -> socket.socket:
    port = server if isinstance(server, int) else int(server.base_url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENT)


def request(body: bytes = ASK, *headers: str, path: str = "/v1/embeddings", length: int | None = None) -> bytes:
    fields = [f"POST {path} HTTP/1.1", f"content-length: {len(body) if length is None else length}", *headers]
    for name in ("host: localhost", "content-type: application/json"):
        if not any(header.lower().startswith(name.partition(":")[0] + ":") for header in headers):
            fields.append(name)
    return "\r\n".join([*(field for field in fields if not field.endswith(": -")), "", ""]).encode() + body


def heard(connection: socket.socket) -> bytes:
    """Return all that the server says until it closes."""
    said = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            said += piece
    return said


def answered(server: RunningServer | int, sent: bytes) -> tuple[int, Any]:
    """Send a request whole, and return the status and the body of the answer."""
    with connect(server) as connection:
        connection.sendall(sent.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
        head, _, body = heard(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


HALVES = {
    "line": b"POST /v1/emb",
    "head": b"POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-",
    "body": request(b"{", length=100),
    "chunks": request(b"5\r\n12345\r\n", "transfer-encoding: chunked", "content-length: -").replace(
        b"content-length: 10\r\n", b""
    ),
    "second head": b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\nGET /",
}


def test_half_a_request_is_answered_408_and_ended(hasty: RunningServer) -> None:
    """All halves at once, each from a client that falls silent and from one that goes on dripping."""

    def stall(case: tuple[str, bool]) -> bytes:
        half, drips = case
        with connect(hasty) as connection:
            connection.sendall(HALVES[half])
            done = threading.Event()

            def drip() -> None:
                with suppress(OSError):
                    while drips and not done.wait(0.02):
                        connection.sendall(b"x" if half != "chunks" else b"1\r\nx\r\n")

            thread = threading.Thread(target=drip)
            thread.start()
            said = heard(connection)
            done.set()
            thread.join()
        return said

    cases = [(half, drips) for half in HALVES for drips in (False, True)]
    with ThreadPoolExecutor(len(cases)) as pool:
        answers = dict(zip(cases, pool.map(stall, cases), strict=True))
    for (half, drips), said in answers.items():
        assert said.startswith(b"HTTP/1.1 200 " if half == "second head" else b"HTTP/1.1 408 "), (half, drips, said)
        assert b"did not arrive in time" in said, (half, drips)


def test_a_connection_without_a_request_is_closed_without_a_word(hasty: RunningServer) -> None:
    with connect(hasty) as silent, connect(hasty) as idle:
        idle.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert heard(silent) == b""
        assert heard(idle).count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("drips", [False, True])
def test_a_body_that_nobody_reads_has_a_clock_too(hasty: RunningServer, drips: bool) -> None:
    with connect(hasty) as connection:
        connection.sendall(request(b"{", path="/none", length=100_000))
        said = b""
        connection.settimeout(0.02 if drips else PATIENT)
        with suppress(ConnectionError):
            end = time.monotonic() + PATIENT
            while time.monotonic() < end:
                with suppress(TimeoutError):
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    said += piece
                if drips:
                    connection.sendall(b"x")
            else:
                pytest.fail("the connection is still there")
    assert said.startswith(b"HTTP/1.1 404 ")
    assert said.count(b"HTTP/1.1 ") == 1


def test_a_body_that_goes_wrong_after_its_answer_has_no_second_one(calm: RunningServer) -> None:
    with connect(calm) as connection:
        connection.sendall(b"POST /none HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        said = connection.recv(12)
        connection.sendall(b"no number\r\n")
        connection.shutdown(socket.SHUT_WR)
        said += heard(connection)
    assert said.startswith(b"HTTP/1.1 404 ")
    assert said.count(b"HTTP/1.1 ") == 1


def test_an_answer_that_is_not_taken_is_dropped(hasty: RunningServer) -> None:
    body = json.dumps({"model": "hash-1024", "input": ["x"] * 512}).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENT)
        connection.connect(("127.0.0.1", int(hasty.base_url.rpartition(":")[2])))
        connection.sendall(request(body))
        wait_until(lambda: not established(connection))
        said = heard(connection)
    announced = re.search(rb"content-length: (\d+)", said)
    assert announced is not None
    assert len(said) < int(announced[1])


def established(connection: socket.socket) -> bool:
    """Whether the other side has not ended the connection, as the system knows it without reading."""
    if not hasattr(socket, "TCP_INFO"):
        pytest.skip("the state of a connection is not to be had here")
    state: int = struct.unpack("B", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0]
    return state == 1


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENT
    while not is_so():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_refusal_of_too_large_a_body_can_be_read_by_who_sends_it_whole_first(
    calm: RunningServer, chunked: bool
) -> None:
    body = b" " * (8 << 20)
    assert len(body) > STRICT.body_bytes
    if chunked:
        pieces = b"100000\r\n" + body[: 1 << 20] + b"\r\n"
        sent = request(pieces * 8 + b"0\r\n\r\n", "transfer-encoding: chunked")
        sent = re.sub(rb"content-length: \d+\r\n", b"", sent, count=1)
    else:
        sent = request(body)
    status, said = answered(calm, sent)
    assert (status, said["type"]) == (413, "invalid_request_error")
    assert str(STRICT.body_bytes) in said["message"]


def test_too_large_a_body_that_waits_to_be_asked_for_is_not(calm: RunningServer) -> None:
    with connect(calm) as connection:
        connection.sendall(request(b"", "expect: 100-continue", length=STRICT.body_bytes + 1))
        connection.shutdown(socket.SHUT_WR)
        assert heard(connection).startswith(b"HTTP/1.1 413 ")


def test_what_is_no_http_is_refused_so_that_it_can_be_read(calm: RunningServer) -> None:
    with connect(calm) as connection:
        connection.sendall(b"\x16\x03\x01 \x1b[31m\r\n\r\n" + b"x" * 200_000)
        assert heard(connection).startswith(b"HTTP/1.1 400 ")


def test_newcomers_displace_who_keeps_the_server_waiting() -> None:
    with running_server([MODEL], limits=Limits(connections=4)) as server, ExitStack() as stack:
        stalled = [stack.enter_context(connect(server)) for _ in range(20)]
        for number, connection in enumerate(stalled):
            with suppress(OSError):
                connection.sendall(request(b"{", length=99) if number % 2 else b"P")
        for _ in range(5):
            assert answered(server, request())[0] == 200
        assert heard(stalled[0]) == b""


class Held:
    """A model that waits until it may answer."""

    name, dimension = "held", 2

    def __init__(self) -> None:
        self.asked, self.may = threading.Semaphore(0), threading.Event()

    def encode(self, texts: list[str]) -> np.ndarray:
        self.asked.release()
        self.may.wait(PATIENT)
        return np.ones((len(texts), 2), np.float32)


def test_where_all_are_at_work_a_newcomer_is_told_to_come_again() -> None:
    model = Held()
    body = b'{"model": "held", "input": "x"}'
    with running_server([model], limits=Limits(connections=1)) as server, connect(server) as first:
        first.sendall(request(body, "connection: close"))
        assert model.asked.acquire(timeout=PATIENT)
        with connect(server) as second:
            second.sendall(request(body))
            said = heard(second)
        model.may.set()
        assert heard(first).startswith(b"HTTP/1.1 200 ")
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in said


def test_the_end_comes_in_time_whatever_is_under_way(caplog: pytest.LogCaptureFixture) -> None:
    model = Held()
    limits = Limits(stop_seconds=SHORT, head_seconds=600, body_seconds=600, send_seconds=600, idle_seconds=600)
    begun = time.monotonic()
    with ExitStack() as stack:
        with running_server([model, MODEL], limits=limits) as server:
            for sent in (b"", b"POST", request(b"{", length=99), request(b'{"model": "held", "input": "x"}')):
                stack.enter_context(connect(server)).sendall(sent)
            assert model.asked.acquire(timeout=PATIENT)
        assert time.monotonic() - begun < 300
        model.may.set()
    assert not caplog.records


def test_the_end_does_not_wait_for_who_asks_for_nothing() -> None:
    limits = Limits(stop_seconds=600, head_seconds=600, idle_seconds=600, linger_seconds=600)
    begun = time.monotonic()
    with ExitStack() as stack:
        with running_server([MODEL], limits=limits) as server:
            silent, half, idle, refused = (stack.enter_context(connect(server)) for _ in range(4))
            half.sendall(b"POST /")
            idle.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            refused.sendall(b"\x00\r\n\r\n" + b"x" * 100)
            assert idle.recv(12) == b"HTTP/1.1 200"
            assert refused.recv(12) == b"HTTP/1.1 400"
        assert heard(silent) == heard(half) == b""
    assert time.monotonic() - begun < 300


def test_a_lack_of_descriptors_is_said_a_few_times_and_makes_room(caplog: pytest.LogCaptureFixture) -> None:
    class Waiting(Connection):
        def __init__(self, since: float) -> None:
            self.stage, self.since = Stage.HEAD, since

        def give_way(self) -> None:
            server.server_state.connections.discard(self)

    server = Server(create_app(Endpoint(MODEL)), Limits(), log_config=None)
    connections = {Waiting(since) for since in (3.0, 1.0, 2.0)}
    server.server_state.connections = connections
    with closing(asyncio.new_event_loop()) as loop:
        context = {"message": "socket.accept() out of system resource", "exception": OSError(errno.EMFILE, "Too many")}
        for left in (2, 1, 0, *[0] * 1000):
            server._on_loop_error(loop, context)
            assert len(connections) == left
            assert all(each.since != 1.0 for each in connections)
    assert 1 <= len(caplog.records) <= 5


def test_a_request_under_way_is_answered_before_the_end() -> None:
    model = Held()
    with ExitStack() as stack:
        with running_server([model]) as server:
            connection = stack.enter_context(connect(server))
            connection.sendall(request(b'{"model": "held", "input": "x"}'))
            assert model.asked.acquire(timeout=PATIENT)
            threading.Timer(0.2, model.may.set).start()
        assert heard(connection).startswith(b"HTTP/1.1 200 ")


def test_clients_that_leave_are_no_failures(caplog: pytest.LogCaptureFixture) -> None:
    model = Held()
    with running_server([model]) as server:
        for sent in (request(b"{", length=99), request(b'{"model": "held", "input": "x"}')):
            with connect(server) as connection:
                connection.sendall(sent)
                if b"held" in sent:
                    assert model.asked.acquire(timeout=PATIENT)
        model.may.set()
        assert answered(server, request(b'{"model": "held", "input": "y"}'))[0] == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_requests_sent_in_one_go_are_answered_in_turn(calm: RunningServer) -> None:
    with connect(calm) as connection:
        connection.sendall(request() * 5 + request(ASK, "connection: close"))
        assert heard(connection).count(b"HTTP/1.1 200 ") == 6


FOREIGN = [
    (["host: evil.example"], 403),
    (["host: evil.example:8000"], 403),
    (["host: localhost.evil.example"], 403),
    (["host: 127.0.0.1.evil.example"], 403),
    (["host: 10.0.0.1"], 403),
    (["host: [::1"], 403),
    (["host: localhost:8000"], 200),
    (["host: LOCALHOST."], 200),
    (["host: app.localhost"], 200),
    (["host: 127.0.0.1"], 200),
    (["host: [::1]:8000"], 200),
    (["origin: https://evil.example"], 403),
    (["origin: null"], 403),
    (["origin: http://localhost.evil.example:3000"], 403),
    (["origin: http://localhost:3000"], 200),
    (["content-type: text/plain"], 415),
    (["content-type: text/plain; charset=application/json"], 415),
    (["content-type: application/x-www-form-urlencoded"], 415),
    (["content-type: multipart/form-data; boundary=x"], 415),
    (["content-type: -", "origin: http://localhost"], 415),
    (["content-type: -"], 200),
    (["content-type: Application/JSON; charset=utf-8"], 200),
    (["content-type: application/vnd.api+json"], 200),
    (["content-encoding: gzip"], 415),
]


@pytest.mark.parametrize(("headers", "status"), FOREIGN, ids=lambda value: str(value)[:60])
def test_pages_of_others_and_names_of_others_are_refused(calm: RunningServer, headers: list[str], status: int) -> None:
    said = answered(calm, request(ASK, *headers))
    assert said[0] == status, said
    if status != 200:
        assert re.search(r"--allow-host|application/json|content-encoding", str(said[1]))


def test_hosts_that_are_allowed() -> None:
    with running_server([MODEL], allow_hosts=["Vectors.Example.com"]) as server:
        for header in ("host: vectors.example.com:80", "host: localhost", "origin: https://vectors.example.com"):
            assert answered(server, request(ASK, header))[0] == 200
        assert answered(server, request(ASK, "host: example.com"))[0] == 403
        assert answered(server, b"GET /health HTTP/1.1\r\nhost: example.com\r\n\r\n")[0] == 403
    with running_server([MODEL], allow_hosts=["*"]) as server:
        assert answered(server, request(ASK, "host: any.example"))[0] == 200
    with pytest.raises(ValueError, match="is no host"), running_server([MODEL], allow_hosts=["http://"]):
        pass


def test_a_server_without_names_is_called_by_any_and_asked_by_its_own_pages() -> None:
    from starlette.datastructures import Headers

    from embcodec.server.guard import Guard

    guard = Guard()
    guard.admit(Headers({"host": "vectors.example.com:80", "origin": "http://vectors.example.com"}))
    with pytest.raises(RefusalError):
        guard.admit(Headers({"host": "vectors.example.com", "origin": "http://evil.example"}))


BOTH_LENGTHS = ("transfer-encoding: chunked", "content-length: 3")
ODD = [
    b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET /%ff%00%1b HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /v1/models/%1b%5b31m HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"HEAD /v1/embeddings HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    b"GET /health HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 100_000 + b"\r\n\r\n",
    b"POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
    request(b"0\r\n\r\n", *BOTH_LENGTHS),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    request(ASK, "expect: 100-continue"),
    request(ASK, "authorization: Bearer \xff"),
    request(b'{"model": "hash-16", "input": "x", "metadata": ' + b'{"a":' * 900 + b"1" + b"}" * 901),
    request(b'{"model": "hash-16", "input": [' + b"[" * 600 + b"]" * 600 + b"]}"),
    request(b'{"model": "hash-16", "input": "\\ud800"}'),
]


@pytest.mark.parametrize("sent", ODD, ids=lambda sent: repr(sent[:60]))
def test_odd_requests_are_never_failures(calm: RunningServer, sent: bytes) -> None:
    with connect(calm) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        said = heard(connection)
    assert not re.search(rb"HTTP/1.1 5\d\d", said)
    assert answered(calm, request())[0] == 200


def test_a_body_of_many_small_values_is_refused_before_each_is_an_object() -> None:
    body = b'{"model": "m", "input": [' + b"[]," * (STRICT.body_bytes // 3 - 20) + b"[]]}"
    assert len(body) <= STRICT.body_bytes
    tracemalloc.start()
    try:
        with pytest.raises(RefusalError, match="Too many values"):
            parse_request(body)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    texts = ["," * 32_700] * 2
    assert parse_request(json.dumps({"model": "m", "input": texts}).encode()).texts == texts


def test_budget_serves_in_turn_and_forgets_who_left() -> None:
    async def run() -> None:
        budget = Budget(1 << 20)
        first = await budget.reserve(1 << 30)  # more than there is: all of it
        waiting = [asyncio.ensure_future(budget.reserve(size)) for size in (1 << 20, 1 << 19, 1 << 20, 1 << 19)]
        await asyncio.sleep(0)
        (await budget.reserve(1000)).keep(0)  # a little is never waited for
        for index in (0, 2):  # the first in the row, and one with another behind
            waiting[index].cancel()
        first.keep(0)
        first.keep(0)
        taken = [await waiting[1], await waiting[3]]
        assert budget.left == 0
        late = asyncio.ensure_future(budget.reserve(1 << 20))
        await asyncio.sleep(0)
        for held in taken:
            held.keep(100)
        assert budget.left == (1 << 20) - 200
        for held in taken:
            held.keep(0)
        late.cancel()  # in the same moment in which it got its turn
        with pytest.raises(asyncio.CancelledError):
            await late
        assert budget.left == 1 << 20

    asyncio.run(run())


def test_answers_that_nobody_takes_do_not_stop_small_ones() -> None:
    large = json.dumps({"model": "hash-1024", "input": ["x"] * 512}).encode()
    with running_server(["hash-1024"], limits=Limits(bytes_in_flight=1 << 20)) as server, ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", int(server.base_url.rpartition(":")[2])))
            connection.sendall(request(large))
        wait_until(lambda: server.endpoint.models["hash-1024"].texts_kept == 1)
        assert answered(server, request(b'{"model": "hash-1024", "input": "y"}'))[0] == 200


def test_large_bodies_wait_and_are_told_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embcodec.server.routes._WAIT_SECONDS", 0.1)
    large = json.dumps({"model": MODEL, "input": "x", "metadata": {"k": "x" * 100_000}}).encode()
    with running_server([MODEL], limits=Limits(bytes_in_flight=1 << 20)) as server, connect(server) as first:
        first.sendall(request(large)[:-1])
        status, said = answered(server, request(large))
        while status == 200:  # the first was not read yet
            status, said = answered(server, request(large))
        assert (status, "try again" in said["message"]) == (503, True)
        assert answered(server, request())[0] == 200
        first.sendall(large[-1:])
        assert first.recv(12) == b"HTTP/1.1 200"
        assert answered(server, request(large))[0] == 200


def test_work_that_nobody_waits_for_is_passed_over() -> None:
    done: list[int] = []
    may = threading.Event()

    async def run() -> None:
        workers = Workers(1)
        first = asyncio.ensure_future(workers.run(may.wait, PATIENT))
        second, third = (asyncio.ensure_future(workers.run(done.append, number)) for number in (2, 3))
        await asyncio.sleep(0.01)
        second.cancel()
        may.set()
        assert await first
        await third
        with pytest.raises(ZeroDivisionError):
            await workers.run(divmod, 1, 0)

    asyncio.run(run())
    assert done == [3]


def test_limits_are_above_nothing() -> None:
    with pytest.raises(ValueError, match="head_seconds is above 0, not 0"):
        Limits(head_seconds=0)
    with pytest.raises(ValueError, match="connections"):
        Limits(connections=-1)


def test_log_is_calm_and_plain() -> None:
    calm = CalmFilter()
    records = [logging.makeLogRecord({"levelno": logging.WARNING, "msg": "of %s", "args": (n,)}) for n in range(9)]
    passed = [record for record in records if calm.filter(record)]
    assert len(passed) == 5
    assert "not logged" in passed[-1].getMessage()
    assert calm.filter(logging.makeLogRecord({"levelno": logging.WARNING, "msg": "of another kind"}))
    assert printable("a\x1b[2J\x9b\r\n\tb\u202e") == "a\\x1b[2J\\x9b\\r\n\tb\\u202e"


def serving(*arguments: str, descriptors: int | None = None, **streams: Any) -> subprocess.Popen[str]:
    code = "from embcodec.cli.command import main; main()"
    if descriptors is not None:
        code = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors},) * 2); {code}"
    command = [sys.executable, "-c", code, "serve", "--model", MODEL, "--port", "0", *arguments]
    return subprocess.Popen(command, text=True, **streams)


@pytest.mark.skipif(os.name != "posix", reason="signals and descriptors of POSIX")
def test_the_command_lives_with_few_descriptors_and_dies_of_two_signals(tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("w") as log,
        serving("--json", descriptors=128, stdout=subprocess.PIPE, stderr=log) as server,
        ExitStack() as stack,
    ):
        assert server.stdout is not None
        port = int(json.loads(server.stdout.readline())["base_url"].rpartition(":")[2])
        for _ in range(200):
            connection = stack.enter_context(connect(port))
            with suppress(OSError):
                connection.sendall(b"P")
        for _ in range(3):
            assert answered(port, request())[0] == 200
        assert (tmp_path / "log").stat().st_size < 2000
        half = stack.enter_context(connect(port))
        half.sendall(request(b"{", length=99))
        assert answered(port, request())[0] == 200
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(port))  # it stops, and waits for the half
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENT) == -signal.SIGTERM


def refuses(port: int) -> bool:
    try:
        connect(port).close()
    except OSError:
        return True
    return False


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_what_clients_send_reaches_the_log_as_escapes() -> None:
    with serving(stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"http://127.0.0.1:(\d+)", line)
        assert found is not None, line
        port = int(found[1])
        headers = ("x-forwarded-for: \x1b[31m", "user-agent: \x1b[2J")
        assert answered(port, request(ASK, *headers, path="/\x7f%1b%5b31m"))[0] in (400, 404)
        assert answered(port, request(ASK, *headers))[0] == 200
        for _ in range(30):
            with connect(port) as connection:
                connection.sendall(b"\x1b[31m\r\n\r\n")
                assert b" 400 " in heard(connection)
        server.terminate()
        log = line + server.stdout.read()
    assert "\x1b" not in log
    assert "x1b[31m" not in log  # the address that a client gives itself is none
    assert log.count("Invalid HTTP request") == 5
    assert log.count("POST /v1/embeddings") == 1


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `embcodec serve` would have started."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("embcodec.server.serve", lambda **arguments: calls.append(arguments))
    monkeypatch.delenv("EMBCODEC_API_KEY", raising=False)
    return calls


def test_a_key_that_was_meant_to_be_is_never_left_out(
    started: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("of-the-file\n")
    (tmp_path / "empty").write_text(" \n")
    run = CliRunner().invoke
    for arguments, words in (
        (["--api-key", ""], "--api-key is empty"),
        (["--api-key-file", str(tmp_path / "empty")], "empty"),
        (["--api-key", "a", "--api-key-file", str(file)], "not both"),
    ):
        done = run(main, ["serve", *arguments])
        assert (done.exit_code, words in done.stderr) == (2, True), done.stderr
    monkeypatch.setenv("EMBCODEC_API_KEY", "")
    done = run(main, ["serve"])
    assert (done.exit_code, "EMBCODEC_API_KEY is empty" in done.stderr) == (2, True)
    assert not started
    assert run(main, ["serve", "--api-key-file", str(file)]).exit_code == 0
    monkeypatch.setenv("EMBCODEC_API_KEY", "of-the-variable")
    assert run(main, ["serve", "--allow-host", "a.example", "--stop-seconds", "2", "--connections", "9"]).exit_code == 0
    assert [call["api_key"].reveal() for call in started] == ["of-the-file", "of-the-variable"]
    assert started[-1]["allow_hosts"] == ("a.example",)
    assert started[-1]["limits"] == Limits(stop_seconds=2, connections=9)


def test_keys_that_no_header_can_carry_are_refused() -> None:
    for key in ("with space", "ütf", "line\n"):
        with pytest.raises(ValueError, match="no header may carry"), running_server([MODEL], api_key=key):
            pass


def test_no_frame_of_a_server_keeps_the_key() -> None:
    with closing(socket.socket()), running_server([MODEL], api_key="the-plain-key") as server:
        assert "the-plain-key" not in repr(vars(server))
        assert answered(server, request(ASK, "authorization: Bearer the-plain-key"))[0] == 200
        assert answered(server, request(ASK))[0] == 401


@pytest.mark.parametrize("how", ["serve", "running_server", "create_app", "command", "variable", "file"])
def test_no_frame_of_a_failure_shows_the_key(how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever ends a server, tracebacks with the variables of each frame of this package are fit to be shown."""

    def fail(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(server_module, "Server", fail)
    monkeypatch.setattr("embcodec.server.routes.Budget", fail if how == "create_app" else Budget)
    (tmp_path / "key").write_text(KEY + "\n")
    monkeypatch.setenv("EMBCODEC_API_KEY", KEY)
    start: dict[str, Callable[[], object]] = {
        "serve": lambda: server_module.serve(models=[MODEL], port=0, api_key=KEY),
        "running_server": lambda: running_server([MODEL], api_key=KEY).__enter__(),
        "create_app": lambda: create_app(Endpoint([MODEL]), api_key=KEY),
        "command": lambda: main(["serve", "--port", "0", "--api-key", KEY], standalone_mode=False),
        "variable": lambda: main(["serve", "--port", "0"], standalone_mode=False),
        "file": lambda: main(["serve", "--port", "0", "--api-key-file", str(tmp_path / "key")], standalone_mode=False),
    }
    with pytest.raises(RuntimeError, match="no") as caught:
        start[how]()
    package = Path(server_module.__file__).parents[1]
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb) if package in Path(frame.f_code.co_filename).parents]
    assert frames
    for frame in frames:
        for name, value in frame.f_locals.items():
            assert not any(KEY in text for text in pieces(value)), f"{name} in {frame.f_code.co_qualname}"


def test_keys_are_compared_whole() -> None:
    guard = Guard(api_key=KEY)
    for given, fits in ((KEY, True), (f" {KEY} ", True), (KEY[:-1], False), (KEY + "x", False), ("", False)):
        headers = Headers({"authorization": f"Bearer {given}"})
        if fits:
            guard.authorize(headers)
        else:
            with pytest.raises(RefusalError):
                guard.authorize(headers)


def test_a_client_that_is_gone_when_it_is_refused() -> None:
    class Gone(asyncio.Transport):
        aborted = False

        def is_closing(self) -> bool:
            return False

        def get_write_buffer_size(self) -> int:
            return 0

        def write_eof(self) -> None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

        def abort(self) -> None:
            self.aborted = True

    async def refuse() -> bool:
        gone = Gone()
        PoliteTransport(gone, Limits(), lambda: True).close()
        return gone.aborted

    assert asyncio.run(refuse())


@pytest.mark.parametrize("key", [5, b"sesame", ["sesame"]])
def test_a_key_that_is_no_text(key: Any) -> None:
    with pytest.raises(TypeError, match="api_key is a str, not a"):
        create_app([MODEL], api_key=key)
