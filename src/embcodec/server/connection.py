"""One connection of the server, with a clock for everything that it waits for; uvicorn speaks HTTP beneath."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits


class Stage(Enum):
    """What a connection is at; in all but `WORK` the server waits for the client."""

    HEAD = auto()  # it waits for the rest of a request's head, or for the first request
    BODY = auto()
    WORK = auto()
    SEND = auto()  # it waits for the client to take the answer
    IDLE = auto()  # it waits for the next request
    CLOSING = auto()  # all is said; the client may still be sending


# SO_LINGER, on and for no seconds: closing drops what was not sent.
_AT_ONCE = struct.pack("ii", 1, 0) if os.name == "posix" else struct.pack("hh", 1, 0)


class PoliteTransport:
    """A transport whose close lets the client read what it was sent.

    To close a socket while the other side sends would reset the connection and lose the answer that says why. So only
    the sending half is closed; what arrives is read and dropped until the client is done, or for `linger` seconds.
    """

    def __init__(self, transport: asyncio.Transport, limits: Limits, is_unread: Callable[[], bool]) -> None:
        self._transport, self._limits, self._is_unread = transport, limits, is_unread
        self._end: asyncio.TimerHandle | None = None
        self.is_lingering = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send `data`, unless all was said."""
        if not self.is_lingering:
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether nothing more is said."""
        return self.is_lingering or self._transport.is_closing()

    def pause_reading(self) -> None:
        """Read no more for now; what is dropped is read all the same."""
        if not self.is_lingering:
            self._transport.pause_reading()

    def close(self) -> None:
        """Close once what was written is sent, and heard where the client is still sending."""
        if self.is_closing():
            return
        if self._is_unread():
            self.linger()
            return
        if self._transport.get_write_buffer_size():
            self._end_after(self._limits.send_seconds)
        self._transport.close()

    def linger(self) -> None:
        """Say no more, and close once the client has heard it."""
        if self.is_closing():
            return
        self.is_lingering = True
        self._end_after(self._limits.linger_seconds)
        try:
            self._transport.write_eof()
        except OSError:  # the client is gone already
            self.abort()
            return
        self._transport.resume_reading()

    def abort(self) -> None:
        """Close now; what the client did not take is dropped, by the system too."""
        self.forget()
        if self._transport.get_write_buffer_size():
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()

    def forget(self) -> None:
        """Stop the clock of a connection that is closed."""
        if self._end is not None:
            self._end.cancel()

    def _end_after(self, seconds: float) -> None:
        self._end = asyncio.get_running_loop().call_later(seconds, self.abort)


class Connection(H11Protocol):
    """uvicorn's protocol, and what it lacks: clocks, room for newcomers, refusals that can be read."""

    transport: PoliteTransport  # type: ignore[assignment]

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._most = limits.most_connections
        self.stage = Stage.HEAD
        self.since = self.loop.time()
        self._followed: object = None  # the request that the clock was started for
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock, and make room where there are too many."""
        super().connection_made(cast(asyncio.Transport, PoliteTransport(transport, self._limits, self._is_unread)))
        self._start(Stage.HEAD)
        if len(self.connections) > self._most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop()
        self.transport.forget()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, and see what is waited for next."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """Wait for the client to take what was sent."""
        super().pause_writing()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP so that it can be read."""
        self._say(400, msg)

    def shutdown(self) -> None:
        """Let what is under way end, and nothing else."""
        if self.stage in (Stage.HEAD, Stage.CLOSING):
            self.transport.abort()
        else:
            super().shutdown()

    def give_way(self) -> None:
        """Close now, and count no more."""
        self.connections.discard(self)
        self.transport.abort()

    def _make_room(self) -> None:
        waiting = longest_waiting(self.connections)
        if waiting is self:
            self._say(503, "the server is busy: try again in a second")
        elif waiting is not None:
            waiting.give_way()

    def _follow(self) -> None:
        """Start the clock anew where something else is waited for."""
        if self.transport.is_closing():
            self._start(Stage.CLOSING)
            return
        stage = self._see()
        if stage is not self.stage or self.cycle is not self._followed:
            self._start(stage)

    def _see(self) -> Stage:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                return Stage.SEND
            return Stage.BODY if cycle.more_body else Stage.WORK
        if self.transport.get_write_buffer_size():
            return Stage.SEND
        if self.conn.their_state is h11.SEND_BODY:  # of a request that was answered before it was read
            return Stage.BODY
        return Stage.HEAD if cycle is None or self.conn.trailing_data[0] else Stage.IDLE

    def _start(self, stage: Stage) -> None:
        self._stop()
        self.stage, self.since, self._followed = stage, self.loop.time(), self.cycle
        seconds = {
            Stage.HEAD: self._limits.head_seconds,
            Stage.BODY: self._limits.body_seconds,
            Stage.SEND: self._limits.send_seconds,
        }.get(stage)
        if stage is not Stage.IDLE:
            self._unset_keepalive_if_required()
        if seconds is not None:
            self._clock = self.loop.call_later(seconds, self._ring)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _ring(self) -> None:
        before = self.since
        self._follow()  # what was sent may have been taken without a word
        if self.since != before or self.transport.is_closing():
            return
        if self.stage is Stage.BODY and not self.cycle.response_started:
            self._say(408, "the request's body did not arrive in time")
        elif self.stage is Stage.HEAD and self.conn.trailing_data[0]:  # nothing was asked where nothing was sent
            self._say(408, "the request's head did not arrive in time")
        else:
            self.transport.abort()

    def _is_unread(self) -> bool:
        """Whether the client may be sending what nobody will read."""
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR) or bool(self.conn.trailing_data[0])

    def _say(self, status: int, message: str) -> None:
        """Answer outside of any request, and close."""
        if self.stage is Stage.BODY and self.cycle.response_started:  # one answer a request
            self.transport.linger()
            return
        body = json.dumps({"detail": message})
        words = {400: "Bad Request", 408: "Request Timeout", 503: "Service Unavailable"}[status]
        head = f"HTTP/1.1 {status} {words}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        retry = "retry-after: 1\r\n" if status == 503 else ""
        self.transport.write(f"{head}{retry}connection: close\r\n\r\n{body}".encode())
        self.transport.linger()
        self._start(Stage.CLOSING)


def longest_waiting(connections: set[Any]) -> Connection | None:
    """Return the connection that has kept the server waiting for longest, if any does."""
    waiting = [each for each in connections if isinstance(each, Connection) and each.stage is not Stage.WORK]
    return min(waiting, key=lambda each: each.since, default=None)
