"""The endpoint ``POST /v1/embeddings`` as Mistral speaks it, with an embedded model; needs the extra ``server``."""

from __future__ import annotations

import hmac
import json
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .client_settings import is_loopback
from .dtypes import OutputDtype
from .quantize import quantize
from .response import encode_response
from .server_model import DEFAULT_MODEL, CachedModel, EmbeddingModel, load_model, missing_extra
from .server_request import MAX_BODY_BYTES, EmbeddingRequest, RefusalError, parse_request

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
except ModuleNotFoundError as error:
    raise missing_extra("the server", "server", error) from None

_LOG = logging.getLogger(__name__)
_KEEP_ALIVE = 30  # seconds: longer than clients keep an idle connection, so that theirs ends first


class Endpoint:
    """Models behind the endpoint, apart from HTTP: a body in, a body out.

    Parameters
    ----------
    models : sequence of str or EmbeddingModel
        Names for :func:`load_model`, or objects with ``name``, ``dimension`` and ``encode``.
    lenient : bool
        Take OpenAI's ``dimensions``, pass over its ``user`` and every other unknown field.
    cache_size : int
        Most vectors kept for each model.
    """

    def __init__(
        self,
        models: Sequence[str | EmbeddingModel] = (DEFAULT_MODEL,),
        *,
        lenient: bool = False,
        cache_size: int = 65_536,
    ) -> None:
        if isinstance(models, str):
            models = (models,)
        loaded = [load_model(model) if isinstance(model, str) else model for model in models]
        if not loaded:
            raise ValueError("a server needs at least one model")
        self.models = {model.name: CachedModel(model, cache_size) for model in loaded}
        self.lenient = lenient
        self.created = int(time.time())

    def embed(self, body: bytes) -> bytes:
        """Answer a request body.

        Raises
        ------
        RefusalError
            Where the request is not served.
        """
        request = parse_request(body, lenient=self.lenient)
        model = self.models.get(request.model)
        if model is None:
            raise RefusalError.error(f"Invalid model: {request.model[:200]}", "invalid_model", "1500")
        dimension = request.dimension or model.dimension
        if dimension > model.dimension:
            limit = model.dimension
            message = f"Input should be less than or equal to {limit}"
            raise RefusalError.invalid("less_than_equal", ("output_dimension",), message, dimension, le=limit)
        return self._encode(request, model, dimension)

    def _encode(self, request: EmbeddingRequest, model: CachedModel, dimension: int) -> bytes:
        # The first dimensions are kept as they are: the service does not bring them back to unit length.
        rows = model.encode(request.texts)[:, :dimension]
        usage = {"prompt_tokens": request.tokens, "completion_tokens": 0, "total_tokens": request.tokens}
        return encode_response(
            quantize(rows, request.output_dtype),
            model=request.model,
            encoding_format=request.encoding_format,
            usage={**usage, "prompt_audio_seconds": None},
            id=uuid.uuid4().hex,
        )

    def describe(self, model: CachedModel) -> dict[str, Any]:
        """Return the card of `model` in the list of models."""
        return {
            "id": model.name,
            "object": "model",
            "type": "base",
            "created": self.created,
            "owned_by": "embcodec",
            "capabilities": {"embeddings": True},
            "dimension": model.dimension,
            "output_dtypes": [str(dtype) for dtype in OutputDtype],
        }


@dataclass(frozen=True, repr=False)
class _Routes:
    """HTTP on one side, the endpoint on the other."""

    endpoint: Endpoint
    api_key: bytes | None

    async def embeddings(self, request: Request) -> Response:
        self.authorize(request)
        body = await _read_body(request)
        return Response(await run_in_threadpool(self.endpoint.embed, body), media_type="application/json")

    async def models(self, request: Request) -> Response:
        self.authorize(request)
        cards = [self.endpoint.describe(model) for model in self.endpoint.models.values()]
        return _json({"object": "list", "data": cards})

    async def model(self, request: Request) -> Response:
        self.authorize(request)
        model = self.endpoint.models.get(request.path_params["name"])
        if model is None:
            raise HTTPException(404)
        return _json(self.endpoint.describe(model))

    async def health(self, request: Request) -> Response:
        return _json({"status": "ok", "models": list(self.endpoint.models)})

    def authorize(self, request: Request) -> None:
        if self.api_key is None:
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(key.strip().encode(), self.api_key)
        if scheme.lower() != "bearer" or not same:
            raise RefusalError(401, {"detail": "Unauthorized"}, {"www-authenticate": "Bearer"})


async def _read_body(request: Request) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            message = f"Request body is larger than {MAX_BODY_BYTES} bytes"
            raise RefusalError.error(message, "invalid_request_error", status=413)
        pieces.append(piece)
    return b"".join(pieces)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(content), status, headers, "application/json")


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    # What was not read of a refused body would be taken for the next request: this connection ends.
    close = {"connection": "close"} if error.status in (401, 413) else {}
    return _json(error.body, error.status, {**error.headers, **close})


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"detail": error.detail}, error.status_code, error.headers)


async def _on_failure(request: Request, error: Exception) -> Response:
    return _json(RefusalError.error("Internal server error", "internal_server_error", status=500).body, 500)


def create_app(endpoint: Endpoint, *, api_key: str | None = None) -> Starlette:
    """Return the ASGI application over `endpoint`; with `api_key`, requests must carry it as a bearer token."""
    if api_key is not None and not api_key:
        raise ValueError("api_key is empty")
    routes = _Routes(endpoint, api_key.encode() if api_key else None)
    return Starlette(
        routes=[
            Route("/v1/embeddings", routes.embeddings, methods=["POST"]),
            Route("/v1/models", routes.models, methods=["GET"]),
            Route("/v1/models/{name:path}", routes.model, methods=["GET"]),
            Route("/health", routes.health, methods=["GET"]),
        ],
        exception_handlers={
            RefusalError: _on_refusal,
            HTTPException: _on_http_error,
            Exception: _on_failure,
        },
    )


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    models: Sequence[str | EmbeddingModel] = (DEFAULT_MODEL,),
    lenient: bool = False,
    api_key: str | None = None,
    cache_size: int = 65_536,
    log_level: str = "info",
) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    host, port : str, int
        Loopback unless told; another host without `api_key` draws a warning in the log.
    models, lenient, cache_size
        As :class:`Endpoint` has them.
    api_key : str, optional
        Bearer token that requests must carry.
    log_level : str
        Of uvicorn: "info" logs every request.
    """
    if api_key is None and not is_loopback(host):
        _LOG.warning("serving on %s without an API key: whoever reaches this port can use the model", host)
    app = create_app(Endpoint(models, lenient=lenient, cache_size=cache_size), api_key=api_key)
    uvicorn.run(app, host=host, port=port, log_level=log_level, timeout_keep_alive=_KEEP_ALIVE, server_header=False)


@dataclass(frozen=True)
class RunningServer:
    """A server at work in a thread of this process.

    Attributes
    ----------
    base_url : str
        Where it answers, such as ``http://127.0.0.1:40123``.
    endpoint : Endpoint
        Its models, with what they keep.
    """

    base_url: str
    endpoint: Endpoint


@contextmanager
def running_server(
    models: Sequence[str | EmbeddingModel] = (DEFAULT_MODEL,),
    *,
    port: int = 0,
    lenient: bool = False,
    api_key: str | None = None,
    cache_size: int = 65_536,
) -> Iterator[RunningServer]:
    """Run a server on loopback in a thread, on a free port by default, and stop it in the end.

    Yields
    ------
    RunningServer

    Examples
    --------
    >>> import urllib.request
    >>> with running_server(["hash-256"]) as server:
    ...     urllib.request.urlopen(server.base_url + "/health").read()
    b'{"status": "ok", "models": ["hash-256"]}'
    """
    endpoint = Endpoint(models, lenient=lenient, cache_size=cache_size)
    config = uvicorn.Config(
        create_app(endpoint, api_key=api_key),
        log_config=None,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    listener = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="embcodec-server", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start; its log says why")
            time.sleep(0.002)
        yield RunningServer(f"http://127.0.0.1:{listener.getsockname()[1]}", endpoint)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
