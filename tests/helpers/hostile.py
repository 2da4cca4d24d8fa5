"""A server on loopback that answers as its script says: badly, slowly, too much, or not at all."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """A request that arrived."""

    head: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = bytes | Callable[[socket.socket, "HostileServer", Received], None]


@dataclass
class HostileServer:
    """Answers each request with the next reply of its script; the last one again and again."""

    script: list[Reply]
    listener: socket.socket
    received: list[Received] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(5)
            request = read_request(connection)
            if request is None:
                return
            with self.turn:
                self.received.append(request)
                reply = self.script[min(len(self.received), len(self.script)) - 1]
            if callable(reply):
                reply(connection, self, request)
            else:
                connection.sendall(reply)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):  # closing before the other side does could cut the answer short
                    pass

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether to go on."""
        return not self.closing.wait(seconds)


def read_request(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return Received(head.decode("latin-1"), body)


@contextmanager
def hostile_server(*script: Reply) -> Iterator[HostileServer]:
    """Run a server with that script in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HostileServer(list(script), listener)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join(5)


def http(body: Any = b"", status: int = 200, headers: dict[str, str] | None = None, **more: str) -> bytes:
    """Return a whole answer; what is not bytes becomes JSON. ``content_length="9"`` overrides that header."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"content-type": "application/json", "content-length": str(len(data)), "connection": "close"}
    fields.update({name.replace("_", "-"): value for name, value in more.items()})
    fields.update(headers or {})
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def answer(*vectors: Any, **fields: Any) -> dict[str, Any]:
    """Return the body of a good answer with these vectors."""
    data = [{"object": "embedding", "index": row, "embedding": vector} for row, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
    return {"id": "1", "object": "list", "model": "m", "data": data, "usage": usage, **fields}


def rows_text(*vectors: str) -> bytes:
    """Return an answer whose vectors are JSON text as given."""
    data = ",".join(f'{{"index":{row},"embedding":{vector}}}' for row, vector in enumerate(vectors))
    return http(b'{"data":[%b]}' % data.encode())


def echo(connection: socket.socket, server: HostileServer, request: Received) -> None:
    """Answer well: a vector of two dimensions for every text, its length and its first character."""
    texts = request.json["input"]
    connection.sendall(http(answer(*([len(text), ord(text[0])] for text in texts))))


def reset(connection: socket.socket, server: HostileServer, request: Received) -> None:
    """Break the connection off with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def then_reset(beginning: bytes) -> Reply:
    """Send `beginning`, then break off."""

    def reply(connection: socket.socket, server: HostileServer, request: Received) -> None:
        connection.sendall(beginning)
        time.sleep(0.05)
        reset(connection, server, request)

    return reply


def silence(connection: socket.socket, server: HostileServer, request: Received) -> None:
    """Never answer."""
    server.pause(10)


def drip(beginning: bytes, piece: bytes = b" ", seconds: float = 0.02) -> Reply:
    """Send `beginning`, then a piece now and then, for ever: no single read takes long."""

    def reply(connection: socket.socket, server: HostileServer, request: Received) -> None:
        connection.sendall(beginning)
        while server.pause(seconds):
            connection.sendall(piece)

    return reply


def flood(beginning: bytes, piece: bytes) -> Reply:
    """Send `beginning`, then pieces as fast as they are taken, for ever."""
    return drip(beginning, piece * 64, 0.0)


def zipped(data: bytes, times: int = 1) -> bytes:
    """Return `data` under so many layers of gzip."""
    for _ in range(times):
        data = gzip.compress(data, 9)
    return data


def head(**more: str) -> bytes:
    """Return the head of an answer whose body follows in chunks."""
    return http(transfer_encoding="chunked", **more).replace(b"content-length: 0\r\n", b"")
