"""The endpoint ``POST /v1/embeddings`` as Mistral speaks it, with an embedded model; needs the extra ``server``."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ..wire.http import Secret, is_loopback
from .endpoint import Endpoint
from .limits import Limits
from .model import DEFAULT_MODEL, EmbeddingModel, missing_extra
from .tokens import Detokenize

try:
    from .process import Server, listen, log_config
    from .routes import create_app
except ModuleNotFoundError as error:
    raise missing_extra("the server", "server", error) from None


_LOG = logging.getLogger(__name__)


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    models: Sequence[str | EmbeddingModel] = (DEFAULT_MODEL,),
    lenient: bool = False,
    api_key: str | Secret | None = None,
    allow_hosts: Iterable[str] = (),
    cors_origins: Iterable[str] = (),
    limits: Limits | None = None,
    cache_size: int = 65_536,
    aliases: Mapping[str, str] | None = None,
    log_level: str = "info",
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve until interrupted: a first SIGINT or SIGTERM lets requests end within ``limits.stop_seconds``.

    Parameters
    ----------
    host, port : str, int
        Loopback unless told; another host without `api_key` draws a warning in the log.
    models, lenient, cache_size, aliases
        As :class:`Endpoint` has them.
    api_key : str or Secret, optional
        Bearer token that requests must carry.
    allow_hosts : iterable of str
        Names that requests may call the server by, and whose pages may ask it, beside those of this machine; ``"*"``
        for any. A server beyond loopback is called by any name unless some are given.
    cors_origins : iterable of str
        Origins of pages that browsers let ask the server, such as ``https://app.example.com``; ``"*"`` for any.
    limits : Limits, optional
        Seconds, connections and bytes that clients are granted.
    log_level : str
        Of uvicorn: "info" logs every request.
    announce : callable, optional
        Told the address, such as ``http://127.0.0.1:8000``, once connections are taken.

    Raises
    ------
    OSError
        Where the server cannot listen.
    ValueError
        Where a model is unknown or the key cannot be one.
    """
    api_key = Secret.wrap(api_key, strip=False)
    granted = limits or Limits()
    is_local = is_loopback(host)
    names, origins = tuple(allow_hosts), tuple(cors_origins)
    sockets = listen(host, port)
    try:
        app = create_app(
            Endpoint(models, lenient=lenient, cache_size=cache_size, aliases=aliases),
            api_key=api_key,
            allow_hosts=(*names, host) if is_local or names else None,
            cors_origins=origins,
            limits=granted,
        )
        server = Server(app, granted, log_config=log_config(log_level), log_level=log_level)
        if api_key is None and not is_local:
            _LOG.warning("serving on %s without an API key: whoever reaches this port can use the model", host)
        if api_key is None and "*" in origins:
            _LOG.warning("pages of any site can use the model: name their origins, or set an API key")
        address = _address(host, sockets[0])
        _LOG.info("serving on %s (Ctrl-C stops it)", address)
        if announce is not None:
            announce(address)
        server.run(sockets)
    finally:
        for each in sockets:
            each.close()


def _address(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


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
    api_key: str | Secret | None = None,
    allow_hosts: Iterable[str] = (),
    cors_origins: Iterable[str] = (),
    limits: Limits | None = None,
    cache_size: int = 65_536,
    aliases: Mapping[str, str] | None = None,
    detokenize: Detokenize | None = None,
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
    api_key = Secret.wrap(api_key, strip=False)
    granted = limits or Limits(stop_seconds=5)
    endpoint = Endpoint(models, lenient=lenient, cache_size=cache_size, aliases=aliases, detokenize=detokenize)
    app = create_app(endpoint, api_key=api_key, allow_hosts=allow_hosts, cors_origins=cors_origins, limits=granted)
    server = Server(app, granted, log_config=None, log_level="warning")
    (listener,) = listen("127.0.0.1", port)
    thread = threading.Thread(target=server.run, args=([listener],), name="embcodec-server", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start; its log says why")
            time.sleep(0.002)
        yield RunningServer(_address("127.0.0.1", listener), endpoint)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
