"""Clients of embeddings services: any number of texts in, one typed matrix out."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from concurrent import futures
from contextlib import closing
from typing import Any, Self, TypeVar

from ..dtypes import EncodingFormatLike, OutputDtypeLike
from ..wire import EmbeddingResponse
from ..words import shows_progress
from .base import BaseClient
from .job import Outcome, Partial, Progress, send
from .split import Batch
from .transport import Transport
from .worker import Worker

F = TypeVar("F", bound=Callable[..., Any])

_STARTING = threading.Lock()  # held while a client gets or gives up its worker


class Client(BaseClient):
    """A client of an embeddings service.

    Connections are kept between calls; close the client, or use it as a context manager. It may be shared between
    threads.

    Parameters
    ----------
    api_key : str, optional
        By default what the profile's environment variable (``MISTRAL_API_KEY``) holds, which goes to the profile's
        own host only: for another `base_url` pass the key here. It shows in no repr, log, traceback (with variables or
        without) or pickle.
    base_url : str, optional
        By default the profile's. It may end before its version (``/v1``), with it, or with the path to the embeddings.
    profile : str or Profile
        How the service writes requests and packs answers.
    timeout : float
        Seconds that one attempt may take, from connecting to the last byte.
    max_retries : int
        Further attempts of a request after 408, 409, 425, a rate limit (429), a failing server (every 5xx but 501 and
        505), or a connection or an answer that broke off, of which the log tells the first; not after a 429 which says
        that the account has nothing left to spend. An answer that is lost on its way may have been charged, and is
        charged again, unless the service knows the request by its idempotency key: retries repeat it in the header
        that the profile names (`Profile.idempotency_header`). OpenAI's is sent, though its documentation promises
        nothing for embeddings; the others have no word of one.
    concurrency : int
        Most requests at a time.
    retry_seconds : float
        Seconds from a request's start after which it is not tried again. A service that asks to wait for longer than
        what is left of them is not waited for.

    Raises
    ------
    ValueError
        Where an argument makes no sense.

    Examples
    --------
    >>> from embcodec.server.app import running_server
    >>> with running_server(["hash-256"]) as server, Client(base_url=server.base_url) as client:
    ...     answer = client.embed(["one text", "another"], model="hash-256", output_dtype="int8")
    >>> answer.embeddings
    Embeddings(2 x 256 int8, 512 bytes)
    """

    _worker: Worker | None = None

    @shows_progress("embedding", all_of="texts")
    def embed(
        self,
        texts: str | Iterable[str],
        *,
        model: str,
        output_dtype: OutputDtypeLike = "float",
        output_dimension: int | None = None,
        encoding_format: EncodingFormatLike | None = None,
        progress: Progress | bool | None = None,
        resume: Partial | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> EmbeddingResponse:
        """Embed any number of texts.

        They are split to the service's limits, sent concurrently, tried again where that helps, and put back in
        order. An iterator is read only as fast as its texts are sent.

        Parameters
        ----------
        texts : str or iterable of str
        model : str
        output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
        output_dimension : int, optional
            By default all that the model has. An answer with another is an error.
        encoding_format : {"float", "base64"}, optional
            What to ask for; whichever arrives is decoded, and the log says so where it is the other. By default base64
            for floats, and for codes where `output_dimension` fixes their length (what base64 of codes carries is not
            documented everywhere); else lists. A service that refuses base64 which nobody chose is asked for lists
            from then on, and the log says so.
        progress : callable or True, optional
            Called in this thread with the number of texts answered and the number of all (None for an iterator). True:
            a bar on standard error, where that is a terminal, or in a notebook.
        resume : Partial, optional
            ``error.partial`` of a call with the same texts that failed: what it has is not asked for again.
        extra : mapping, optional
            Further fields of the requests, such as ``metadata`` or Cohere's ``input_type``.

        Returns
        -------
        EmbeddingResponse
            Usage is the sum over all requests. No texts give no rows, without a request.

        Raises
        ------
        ServiceError
            The service refuses; `status`, `code` and `message` say why.
        TransportError
            No usable answer came within the attempts and time allowed.
        DecodeError
            An answer is malformed, or is not what was asked for.
        ValueError, TypeError
            The call itself makes no sense, or a text is none.

        Each names the failed texts in a note and carries ``partial``: what the other requests gave. So do an
        interruption from the keyboard and, of an :class:`AsyncClient`, a cancellation.
        """
        job = self._job(
            texts,
            progress,
            resume,
            model=model,
            output_dtype=output_dtype,
            output_dimension=output_dimension,
            encoding_format=encoding_format,
            extra=extra,
        )

        def start(batch: Batch) -> futures.Future[list[Outcome]]:
            worker = self._working()
            return worker.submit(send(worker.transport, job, batch))

        with job.keeping():
            with closing(job.course(start)) as course:
                for under_way in course:
                    futures.wait(under_way, return_when=futures.FIRST_COMPLETED)
            return job.result()

    def close(self) -> None:
        """End all connections. The client may be used again."""
        with _STARTING:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _working(self) -> Worker:
        with _STARTING:
            if self._worker is None or self._worker.process != os.getpid():
                self._worker = Worker(Transport(self._settings))
                weakref.finalize(self, self._worker.stop)
            return self._worker


def _documented_as(home: Callable[..., Any]) -> Callable[[F], F]:
    """Put all but the first paragraph of another method's documentation behind that of a method."""

    def documented(method: F) -> F:
        first, text = method.__doc__, home.__doc__
        if first and text:  # python -OO has neither
            method.__doc__ = f"{first}\n\n{text.split(chr(10) * 2, 1)[1]}"
        return method

    return documented


class AsyncClient(BaseClient):
    """As :class:`Client`, for asyncio: the same arguments, ``await client.embed(...)``, ``async with``.

    Close it in the event loop in which it was used.

    Examples
    --------
    >>> import asyncio
    >>> from embcodec.server.app import running_server
    >>> async def main(base_url):
    ...     async with AsyncClient(base_url=base_url) as client:
    ...         return await client.embed(["one text"], model="hash-256", output_dtype="ubinary")
    >>> with running_server(["hash-256"]) as server:
    ...     asyncio.run(main(server.base_url)).embeddings
    Embeddings(1 x 256 ubinary, 32 bytes)
    """

    _transport: Transport | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    @_documented_as(Client.embed)
    @shows_progress("embedding", all_of="texts")
    async def embed(
        self,
        texts: str | Iterable[str] | AsyncIterable[str],
        *,
        model: str,
        output_dtype: OutputDtypeLike = "float",
        output_dimension: int | None = None,
        encoding_format: EncodingFormatLike | None = None,
        progress: Progress | bool | None = None,
        resume: Partial | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> EmbeddingResponse:
        """Embed any number of texts, as :meth:`Client.embed` does; an async iterator is read to its end first."""
        if isinstance(texts, AsyncIterable):
            texts = [text async for text in texts]
        job = self._job(
            texts,
            progress,
            resume,
            model=model,
            output_dtype=output_dtype,
            output_dimension=output_dimension,
            encoding_format=encoding_format,
            extra=extra,
        )
        transport = self._transport_of(asyncio.get_running_loop())

        def start(batch: Batch) -> asyncio.Task[list[Outcome]]:
            return asyncio.create_task(send(transport, job, batch))

        with job.keeping():
            try:
                with closing(job.course(start)) as course:
                    for under_way in course:
                        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await asyncio.gather(*job.under_way, return_exceptions=True)
            return job.result()

    def _transport_of(self, loop: asyncio.AbstractEventLoop) -> Transport:
        # Connections belong to the loop they were made in: another loop (another asyncio.run) starts with none.
        if self._transport is None or self._loop is not loop:
            self._transport, self._loop = Transport(self._settings), loop
        return self._transport

    async def aclose(self) -> None:
        """End all connections. The client may be used again."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()
