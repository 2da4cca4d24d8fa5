"""HTTP on one side, the endpoint on the other: the routes, and what a request may hold while it is served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..wire.http import Secret
from .endpoint import Endpoint
from .guard import Guard, check_json, checked_origin
from .limits import Budget, Limits, Reservation
from .openapi import describe
from .page import PAGE_POLICY, write_page
from .readers import fit_reader, fit_refusal
from .request import LENIENT, STRICT, EmbeddingRequest, RefusalError
from .workers import Workers

T = TypeVar("T")
_THREADS = 8  # threads that work on requests; each model runs in one at a time
_BODY_WEIGHT = 6  # bytes of memory for each byte of a body while it is read: the byte, its text, its values
_VALUE_BYTES = 32  # bytes of memory for each number of an answer: the row's, the code, its text while it grows
_INLINE = 1 << 15  # a body of so few bytes is parsed sooner than it is handed to a thread
_WAIT_SECONDS = 5.0  # how long a request waits for room for its body
_PIECE = 1 << 17  # bytes of an answer that are sent at once: what is not taken waits here, not in the socket's buffer
_PREFLIGHT_SECONDS = 600  # for how long a browser may remember whether a page may ask
_UNREAD = frozenset({401, 403, 413, 415, 503})  # statuses that are sent before the body is read, and end the connection


@dataclass(frozen=True, repr=False)
class _Routes:
    endpoint: Endpoint
    guard: Guard
    budget: Budget
    workers: Workers = field(default_factory=lambda: Workers(_THREADS))

    async def embeddings(self, request: Request) -> Response:
        self.admit(request)
        check_json(request.headers)
        asked = fit_reader(await self._read(request, self.endpoint.read), request.headers)
        return await _unless_gone(request, self._answer(asked, self.endpoint.answer, asked))

    async def cohere(self, request: Request) -> Response:
        self.admit(request)
        check_json(request.headers)
        asked = await self._read(request, self.endpoint.read_cohere)
        return await _unless_gone(request, self._answer(asked.request, self.endpoint.answer_cohere, asked))

    async def _read(self, request: Request, parse: Callable[[bytes], T]) -> T:
        most = (LENIENT if self.endpoint.lenient else STRICT).body_bytes
        announced = int(request.headers.get("content-length", most))
        if announced > most:
            raise _too_large(most)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                held = await self.budget.reserve(_BODY_WEIGHT * announced)
        except TimeoutError:
            message = "Too many large requests at once: try again in a second"
            refusal = RefusalError.error(message, "rate_limited", status=503)
            refusal.headers["retry-after"] = "1"
            raise refusal from None
        try:
            body = await _read_body(request, most)
            if len(body) <= _INLINE:
                return parse(body)
            return await self.workers.run(parse, body)
        finally:
            held.keep(0)

    async def _answer(self, asked: EmbeddingRequest, answer: Callable[[T], bytes], given: T) -> Response:
        held = await self.budget.reserve(_VALUE_BYTES * asked.count * (asked.dimension or 1))
        try:
            body = await self.workers.run(answer, given)
        except BaseException:
            held.keep(0)
            raise
        held.keep(len(body))
        return _Answer(body, held)

    async def models(self, request: Request) -> Response:
        self.admit(request)
        return _json({"object": "list", "data": self.endpoint.cards()})

    async def model(self, request: Request) -> Response:
        self.admit(request)
        card = self.endpoint.card(request.path_params["name"])
        if card is None:
            raise HTTPException(404, f"Not Found: {self.endpoint.known_models}")
        return _json(card)

    async def openapi(self, request: Request) -> Response:
        self.guard.admit(request.headers)
        return _json(describe(self.endpoint, needs_key=self.guard.needs_key))

    async def docs(self, request: Request) -> Response:
        self.guard.admit(request.headers)
        page = write_page(describe(self.endpoint, needs_key=self.guard.needs_key))
        return Response(page, 200, {"content-security-policy": PAGE_POLICY}, "text/html")

    async def health(self, request: Request) -> Response:
        self.guard.admit(request.headers)
        return _json({"status": "ok", "models": list(self.endpoint.models)})

    def admit(self, request: Request) -> None:
        self.guard.admit(request.headers)
        self.guard.authorize(request.headers)


class _Answer(Response):
    """A body sent in pieces, each once the client has taken those before it; its bytes are given back in the end."""

    media_type = "application/json"

    def __init__(self, content: bytes, held: Reservation) -> None:
        super().__init__(content)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            whole = memoryview(self.body)
            for start in range(0, len(whole), _PIECE):
                end = start + _PIECE
                piece = bytes(whole[start:end])
                await send({"type": "http.response.body", "body": piece, "more_body": end < len(whole)})
        finally:
            self._held.keep(0)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` gives, or drop it once the client has gone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())  # the body was read: the next message says that the client has gone
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        task.cancel()
        gone.cancel()


async def _read_body(request: Request, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise _too_large(most)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(most: int) -> RefusalError:
    message = f"Request body is larger than {most} bytes: split it into more requests"
    return RefusalError.error(message, "invalid_request_error", status=413)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(content), status, headers, "application/json")


def _fitted(body: dict[str, Any], request: Request) -> dict[str, Any]:
    return fit_refusal(body, request.headers, lenient=request.app.state.lenient)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    close = {"connection": "close"} if error.status in _UNREAD else {}
    return _json(_fitted(error.body, request), error.status, {**error.headers, **close})


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and request.url.path.rstrip("/").endswith(("/embeddings", "/embed")):
        detail += ": embeddings are at /v1/embeddings, so that the base URL of OpenAI's clients ends with /v1"
    return _json(_fitted({"detail": detail}, request), error.status_code, error.headers)


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return Response(status_code=408)  # nobody is left to read it


async def _on_failure(request: Request, error: Exception) -> Response:
    body = RefusalError.error("Internal server error", "internal_server_error", status=500).body
    return _json(_fitted(body, request), 500)


def create_app(
    endpoint: Endpoint,
    *,
    api_key: str | Secret | None = None,
    allow_hosts: Iterable[str] | None = None,
    cors_origins: Iterable[str] = (),
    limits: Limits | None = None,
) -> Starlette:
    """Return the ASGI application over `endpoint`.

    Parameters
    ----------
    endpoint : Endpoint
    api_key : str or Secret, optional
        Bearer token that requests must carry.
    allow_hosts : iterable of str, optional
        Names that requests may call the server by, beside those of this machine; by default any.
    cors_origins : iterable of str
        Origins of pages, such as ``https://app.example.com``, that browsers let ask the server; ``"*"`` for any.
    limits : Limits, optional
        Its ``bytes_in_flight``; the clocks are those of the server that runs the application.
    """
    api_key = Secret.wrap(api_key, strip=False)
    origins = [checked_origin(origin) for origin in cors_origins]
    guard = Guard(allow_hosts, api_key, origins)
    routes = _Routes(endpoint, guard, Budget((limits or Limits()).bytes_in_flight))
    sharing = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["retry-after"],
        max_age=_PREFLIGHT_SECONDS,
    )
    app = Starlette(
        middleware=[sharing] if origins else [],
        routes=[
            Route("/v1/embeddings", routes.embeddings, methods=["POST"]),
            Route("/v1/models", routes.models, methods=["GET"]),
            Route("/v1/models/{name:path}", routes.model, methods=["GET"]),
            Route("/health", routes.health, methods=["GET"]),
            Route("/v2/embed", routes.cohere, methods=["POST"]),
            Route("/openapi.json", routes.openapi, methods=["GET"]),
            Route("/docs", routes.docs, methods=["GET"]),
        ],
        exception_handlers={
            RefusalError: _on_refusal,
            HTTPException: _on_http_error,
            ClientDisconnect: _on_disconnect,
            Exception: _on_failure,
        },
    )
    app.state.lenient = endpoint.lenient
    return app
