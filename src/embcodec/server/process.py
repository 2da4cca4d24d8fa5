"""The server at work: its listening sockets, its signals, its log, its end."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import socket
import time
from copy import deepcopy
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
import uvicorn.logging
from starlette.applications import Starlette
from uvicorn.config import LOGGING_CONFIG

from ..words import printable
from .connection import Connection, longest_waiting
from .limits import Limits

_LOG = logging.getLogger("embcodec.server")
_ACCEPTED_AT_ONCE = 8  # connections accepted at once: fewer take fewer descriptors before room is made for them
_BACKLOG = 1024  # connections that the system keeps until they are accepted
_OUT_OF = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_TELL_SECONDS, _TOLD = 60.0, 5  # a kind of warning is logged this often in this many seconds


class CalmFilter(logging.Filter):
    """Passes a few warnings of a kind a minute, so that no client can fill a disk with them.

    Examples
    --------
    >>> calm = CalmFilter()
    >>> again = {"levelno": logging.ERROR, "msg": "again"}
    >>> [calm.filter(logging.makeLogRecord(again)) for _ in range(7)]
    [True, True, True, True, True, False, False]
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record; the last one that is written says that others will not be."""
        if record.levelno < logging.WARNING:
            return True
        now, kind = time.monotonic(), str(record.msg)[:100]
        if len(self._told) > 1000:
            self._told.clear()
        times = self._told.setdefault(kind, [])
        times[:] = [then for then in times if now - then < _TELL_SECONDS]
        if len(times) >= _TOLD:
            return False
        times.append(now)
        if len(times) == _TOLD:
            record.msg = f"{record.getMessage().rstrip()} (more of this kind are not logged for a minute)"
            record.args = ()
        return True


class PlainFormatter(uvicorn.logging.DefaultFormatter):
    """Writes a record without what a terminal would obey, whoever put it there."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines, control characters as escapes."""
        return printable(super().format(record))


class PlainAccessFormatter(uvicorn.logging.AccessFormatter):
    """The same for the log of requests."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, control characters as escapes."""
        return printable(super().format(record))


def log_config(level: str) -> dict[str, Any]:
    """Return uvicorn's logging, without colours, calm, and safe to look at in a terminal."""
    config: dict[str, Any] = deepcopy(LOGGING_CONFIG)
    for name, formatter in (("default", PlainFormatter), ("access", PlainAccessFormatter)):
        config["formatters"][name].update({"()": formatter, "use_colors": False})
    config["filters"] = {"calm": {"()": CalmFilter}}
    config["handlers"]["default"]["filters"] = ["calm"]
    config["loggers"]["embcodec.server"] = {"handlers": ["default"], "level": level.upper()}
    return config


class Server(uvicorn.Server):
    """uvicorn's server, with an end in time and without a word for every connection that it cannot take."""

    def __init__(self, app: Starlette, limits: Limits, **options: Any) -> None:
        protocol = partial(Connection, limits=limits)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast(Any, protocol),
                ws="none",
                lifespan="off",
                proxy_headers=False,  # else the log would show what a client says of its own address
                server_header=False,
                backlog=_ACCEPTED_AT_ONCE,
                timeout_keep_alive=cast(int, limits.idle_seconds),
                # Our own limit has ended all requests by then.
                timeout_graceful_shutdown=math.ceil(limits.stop_seconds) + 5,
                **options,
            )
        )
        self._limits = limits
        self._out_of = CalmFilter()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and let the system keep more connections than are accepted at once."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._on_loop_error)
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_BACKLOG)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is under way, by force once its time is over."""
        loop = asyncio.get_running_loop()
        end = loop.call_later(self._limits.stop_seconds, self.end_now)
        try:
            await super().shutdown(sockets)
        finally:
            end.cancel()
            self.end_now()
            await asyncio.sleep(0)  # lets connections that were aborted close their sockets

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, at once at the second, whichever they are."""
        if self.should_exit:
            self.force_exit = True
            if self._loop is not None:
                # From Python 3.12 on uvicorn waits for connections to end.
                self._loop.call_soon_threadsafe(self.end_now)
        super().handle_exit(sig, frame)

    def end_now(self) -> None:
        """Close every connection that is left."""
        for connection in list(self.server_state.connections):
            cast(Connection, connection).give_way()

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in _OUT_OF:
            loop.default_exception_handler(context)
            return
        waiting = longest_waiting(self.server_state.connections)
        if waiting is not None:
            waiting.give_way()
        message = "cannot accept a connection: %s"
        record = logging.LogRecord(_LOG.name, logging.WARNING, __file__, 0, message, (error.strerror,), None)
        if self._out_of.filter(record):
            _LOG.handle(record)


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen at every address of `host`, all on one port: `port`, or a free one for 0.

    Raises
    ------
    OSError
        Where one cannot; the message names host and port.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            if sockets:  # the port that was free for the first
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            sockets.append(socket.create_server(cast(Any, address), family=family, backlog=_BACKLOG))
    except OSError as error:
        for each in sockets:
            each.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return sockets
