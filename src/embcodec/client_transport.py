"""One request body over HTTP: a hard time-out, a cap on the answer, retries as the service asks for them."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
import stamina

from . import __version__
from .client_settings import Secret, Settings
from .errors import ServiceError, TransportError

# stamina logs retries; a bare "stamina.retry_scheduled" tells nothing to a program that has not set logging up.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 20.0  # seconds, where the service names none: doubled each time


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: status, headers, the whole body (unzipped).

    What a service says may hold the key: only the status shows in a traceback with variables.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class _Bearer(httpx2.Auth):
    """Adds the key at the last moment: no dictionary of headers with it lies in a frame or a client."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers["authorization"] = f"Bearer {self._key.reveal()}"
        yield request


@cache
def _trust() -> ssl.SSLContext:
    """Return the certificates to trust: reading them takes longer than most requests, so once."""
    return httpx2.create_ssl_context()


class Transport:
    """Connections to one service; to be used in one event loop.

    Redirects are not followed: whoever answers with one is not the host that the key was meant for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = httpx2.AsyncClient(
            auth=_Bearer(settings.key) if settings.key else None,
            timeout=settings.timeout,
            follow_redirects=False,
            trust_env=not settings.is_local,  # a proxy has no part in talk between two programs of one machine
            verify=_trust(),
            limits=httpx2.Limits(max_connections=settings.concurrency),
            headers={
                "content-type": "application/json",
                "accept": "application/json",
                "accept-encoding": "gzip",
                "user-agent": f"embcodec/{__version__}",
            },
        )

    async def close(self) -> None:
        """End all connections."""
        await self._http.aclose()

    async def post(
        self, body: bytes, interpret: Callable[[Reply], Any], *, cap: int, halted: Callable[[], bool]
    ) -> Any:
        """Send `body` until it is answered, and return what `interpret` makes of the answer.

        Parameters
        ----------
        body : bytes
        interpret : callable
            Takes the reply; what it raises decides on another attempt.
        cap : int
            Most bytes of an unzipped answer.
        halted : callable
            Whether retries have lost their purpose.

        Raises
        ------
        ServiceError, TransportError
            As `interpret` does, or where no answer came, after the attempts that the settings allow.
        """
        rule = _retry_rule(self._settings.retry_seconds, halted)
        attempts = self._settings.max_retries + 1
        async for attempt in stamina.retry_context(
            rule,
            attempts=attempts,
            timeout=None,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_FIRST_WAIT,
        ):
            with attempt:
                return interpret(await self._attempt(body, cap))
        raise AssertionError("an attempt returns or raises")

    async def _attempt(self, body: bytes, cap: int) -> Reply:
        host, seconds = self._settings.host, self._settings.timeout
        try:
            async with asyncio.timeout(seconds), self._http.stream("POST", self._settings.url, content=body) as reply:
                return Reply(reply.status_code, reply.headers, await _read(reply, cap))
        except (TimeoutError, httpx2.TimeoutException):
            failure = TransportError(f"no complete answer from {host} within {seconds:g} seconds", transient=True)
        except httpx2.ConnectError as error:
            failure = TransportError(f"cannot connect to {host}: {error}", transient=True)
        except httpx2.InvalidURL as error:
            failure = TransportError(f"no address: {error}")
        except httpx2.DecodingError as error:
            failure = TransportError(f"the answer of {host} cannot be unzipped: {error}")
        except httpx2.RequestError as error:
            reason = str(error) or type(error).__name__
            failure = TransportError(f"the connection to {host} broke: {reason}", transient=True)
        except _OversizedError as error:
            failure = TransportError(f"the answer of {host} is larger than {cap} bytes ({error})")
        # Raised out here, without a chain: the frames of the HTTP library hold the headers, and so the key.
        raise failure


class _OversizedError(Exception):
    pass


async def _read(reply: httpx2.Response, cap: int) -> bytes:
    announced = reply.headers.get("content-length", "")
    if announced.isdecimal() and len(announced) < 20 and int(announced) > cap:
        raise _OversizedError(f"{announced} announced")
    pieces, size = [], 0
    async for piece in reply.aiter_bytes():
        size += len(piece)
        if size > cap:
            raise _OversizedError("cut off there")
        pieces.append(piece)
    return b"".join(pieces)


def _retry_rule(seconds: float, halted: Callable[[], bool]) -> Callable[[Exception], bool | float]:
    """Return stamina's hook: False ends it, a number is the wait, True is exponential back-off."""
    deadline = time.monotonic() + seconds

    def rule(error: Exception) -> bool | float:
        left = deadline - time.monotonic()
        if not is_transient(error) or halted() or left <= 0:
            return False
        wait = getattr(error, "retry_after", None)
        if wait is None:
            return True
        # A little later than asked, so that clients sent away together do not return together.
        return wait * random.uniform(1.0, 1.1) if wait <= left else False

    return rule


def is_transient(error: Exception) -> bool:
    """Whether the same request may well succeed later."""
    if isinstance(error, ServiceError):
        return error.status in _RETRIED
    return isinstance(error, TransportError) and error.transient
