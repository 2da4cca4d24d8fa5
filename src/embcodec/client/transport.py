"""One request body over HTTP: a hard time-out, a cap on the answer, retries as the service asks for them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Generator
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx2
import stamina

from .._version import __version__
from ..errors import EmbcodecError, ServiceError, TransportError
from ..wire.http import Secret
from .reply import Reply, UnreadableError, read_reply
from .settings import Settings

T = TypeVar("T")

_LOG = logging.getLogger("embcodec.client")
# stamina logs retries; a bare "stamina.retry_scheduled" tells nothing to a program that has not set logging up.
logging.getLogger("stamina").addHandler(logging.NullHandler())

_RETRIED = frozenset({408, 409, 425, 429})  # and 5xx, but for those that say never
_FINAL = frozenset({501, 505})
# What services say in the words of a rate limit, status and all, though no waiting helps.
_SPENT = frozenset({"insufficient_quota", "billing_not_active", "exceeded_current_quota_error"})
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 20.0  # seconds before a retry where the service names none, doubled each time
_LISTING_SECONDS, _LISTING_CAP = 5.0, 1 << 20  # what the list of models may take


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

    Attributes
    ----------
    lists_only : bool
        Whether the service has refused base64: it is asked for lists from then on.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.lists_only = False
        self._has_told = False
        self._http = httpx2.AsyncClient(
            auth=_Bearer(settings.key) if settings.key else None,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # what a service sets is not told to it again
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

    def fall_back_to_lists(self) -> None:
        """Remember, and say in the log once, that the service has no base64."""
        if not self.lists_only:
            self.lists_only = True
            _LOG.warning(
                "%s refuses base64 and is asked for lists: encoding_format='float' asks at once", self._settings.host
            )

    def _tell_of_retries(self, error: EmbcodecError) -> None:
        """Say in the log, once, why nothing happens for a while: an address that is wrong never answers."""
        if isinstance(error, TransportError) and not self._has_told:
            self._has_told = True
            _LOG.warning("%s; trying again, up to %d times", error, self._settings.max_retries)

    async def post(
        self, body: bytes, interpret: Callable[[Reply], T | EmbcodecError], *, cap: int, halted: Callable[[], bool]
    ) -> T:
        """Send `body` until it is answered, and return what `interpret` makes of the answer.

        Every attempt carries the same idempotency key, if the profile names a header for it.

        Parameters
        ----------
        body : bytes
        interpret : callable
            Takes the reply, and returns what it holds or the error that it amounts to, which decides on another
            attempt. It raises nothing.
        cap : int
            Most bytes of an unzipped answer.
        halted : callable
            Whether retries have lost their purpose.

        Raises
        ------
        EmbcodecError
            What `interpret` returned, or a TransportError where no answer came, after the attempts that the settings
            allow.
        """
        rule = _retry_rule(self._settings.retry_seconds, halted)
        attempts = self._settings.max_retries + 1
        header = self._settings.profile.idempotency_header
        headers = {} if header is None else {header: str(uuid.uuid4())}
        async for attempt in stamina.retry_context(
            rule,
            attempts=attempts,
            timeout=None,
            wait_initial=_FIRST_WAIT,
            wait_max=_LONGEST_WAIT,
            wait_jitter=_FIRST_WAIT,
        ):
            with attempt:
                outcome = await self._attempt(body, headers, interpret, cap)
                # Raised here, not where it was found: frames that hold requests and replies, and with them the key,
                # have ended.
                if isinstance(outcome, EmbcodecError):
                    if attempt.num < attempts and rule(outcome):
                        self._tell_of_retries(outcome)
                    raise outcome
                return outcome
        raise AssertionError("an attempt returns or raises")

    async def models(self) -> list[str]:
        """Return the names of the models that the service lists; none where it does not, or not soon."""
        url = self._settings.models_url
        if url is None:
            return []
        try:
            async with asyncio.timeout(_LISTING_SECONDS), self._http.stream("GET", url) as response:
                reply = await read_reply(response, _LISTING_CAP)
            listed = json.loads(reply.body)["data"] if reply.is_good else []
            return [str(model["id"]) for model in listed]
        except Exception:  # this only helps an error along: it makes none of its own
            return []

    async def _attempt(
        self, body: bytes, headers: dict[str, str], interpret: Callable[[Reply], T | EmbcodecError], cap: int
    ) -> T | EmbcodecError:
        reply = await self._exchange(body, headers, cap)
        return reply if isinstance(reply, TransportError) else interpret(reply)

    async def _exchange(self, body: bytes, headers: dict[str, str], cap: int) -> Reply | TransportError:
        host, seconds = self._settings.host, self._settings.timeout
        request = self._http.stream("POST", self._settings.url, content=body, headers=headers)
        try:
            async with asyncio.timeout(seconds), request as response:
                return await read_reply(response, cap)
        except (TimeoutError, httpx2.TimeoutException):
            words, transient = f"no complete answer from {host} within {seconds:g} seconds", True
        except httpx2.ConnectError as error:
            words, transient = f"cannot connect to {host}: {_why_unconnected(error)}", True
        except httpx2.InvalidURL as error:
            words, transient = f"no address: {error}", False
        except httpx2.RequestError as error:
            words, transient = f"the connection to {host} broke: {str(error) or type(error).__name__}", True
        except UnreadableError as error:
            words, transient = f"the answer of {host} {error}", error.transient
        except Exception as error:  # whatever else an odd answer does to the libraries that read it
            words, transient = f"the answer of {host} cannot be read: {type(error).__name__}: {error}", False
        return TransportError(self._settings.redact(words), transient=transient)


def _why_unconnected(error: BaseException) -> str:
    """Say why there is no connection: libraries that try several addresses tell only in what lies beneath an error."""
    words, beneath = str(error), error.__cause__ or error.__context__
    while beneath is not None:
        if isinstance(beneath, BaseExceptionGroup):
            beneath = beneath.exceptions[0]
        if isinstance(beneath, ConnectionRefusedError):
            return "connection refused, as where no service listens at this port"
        # Those two have numbers of their own.
        if isinstance(beneath, OSError) and not isinstance(beneath, ssl.SSLError | socket.gaierror) and beneath.errno:
            words = os.strerror(beneath.errno)
        beneath = beneath.__cause__ or beneath.__context__
    return words


def _retry_rule(seconds: float, halted: Callable[[], bool]) -> Callable[[Exception], bool | float]:
    """Return stamina's hook: False ends it, a number is the wait, True is exponential back-off."""
    deadline = time.monotonic() + seconds

    def rule(error: Exception) -> bool | float:
        left = deadline - time.monotonic()
        if not is_transient(error) or halted() or left <= 0:
            return False
        wait = getattr(error, "retry_after", None)
        if not wait:  # none named, or none at all, which would ask again and again as fast as it is refused
            return True
        # A little later than asked, so that clients sent away together do not return together.
        return max(wait, _FIRST_WAIT) * random.uniform(1.0, 1.1) if wait <= left else False

    return rule


def is_transient(error: Exception) -> bool:
    """Whether the same request may well succeed later.

    So it is after 408, 409, 425, 429 and every 5xx but 501 and 505, and where the connection or the answer broke off;
    but not where an account has nothing left to spend, which services tell as 429, too.
    """
    if isinstance(error, ServiceError):
        if is_spent(error):
            return False
        status = error.status or 0
        return status in _RETRIED or (500 <= status <= 599 and status not in _FINAL)
    return isinstance(error, TransportError) and error.transient


def is_spent(error: ServiceError) -> bool:
    """Whether a service says that the account has nothing left to spend."""
    return not _SPENT.isdisjoint((error.type, error.code))
