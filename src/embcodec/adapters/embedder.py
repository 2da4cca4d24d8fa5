"""Clients that ask for each text once: what they were answered is kept on disk."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, Never, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..client import AsyncClient, Client, Progress, as_texts, utf8_length
from ..dtypes import OutputDtypeLike, as_output_dtype
from ..embeddings import Embeddings
from ..errors import StorageError
from ..profiles import Profile
from ..wire import EmbeddingResponse
from ..wire.http import Secret
from ..words import shown, shows_progress
from .store import TextStore

AnyClient = TypeVar("AnyClient", Client, AsyncClient)


class _Embedder(Generic[AnyClient]):
    """What :class:`CachedEmbedder` and :class:`AsyncCachedEmbedder` have in common: everything but the waiting."""

    _client_type: type[AnyClient]

    def __init__(
        self,
        model: str,
        *,
        client: AnyClient | None = None,
        profile: str | Profile | None = None,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        output_dtype: OutputDtypeLike = "float",
        output_dimension: int | None = None,
        store: str | os.PathLike[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        **others: Never,
    ) -> None:
        api_key = Secret.wrap(api_key)  # first of all: reports of what is raised show the variables of this frame
        if others:
            raise self._takes_none(others)
        given = {"profile": profile, "base_url": base_url, "api_key": api_key}
        given = {name: value for name, value in given.items() if value is not None}
        self.client: AnyClient = self._client_type(**given) if client is None else client  # type: ignore[arg-type]
        for kind, taker in ((Client, "CachedEmbedder"), (AsyncClient, "AsyncCachedEmbedder")):
            if isinstance(self.client, kind) and self._client_type is not kind:
                raise TypeError(f"{type(self).__name__} takes no {kind.__name__}: use {taker}(model, client=...)")
        if client is not None and given:
            names, made = "= and ".join(given), self._client_type.__name__
            raise TypeError(
                f"both client= and {names}= were given: a client has its own, client={made}({next(iter(given))}=...)"
            )
        self.model, self.output_dtype, self.output_dimension = model, as_output_dtype(output_dtype), output_dimension
        self.extra = dict(extra or {})
        self.store = None if store is None else TextStore(self._file_in(Path(store)), self.output_dtype, model)

    def __repr__(self) -> str:
        if not hasattr(self, "output_dtype"):  # its construction failed, which a report of that shows
            return f"{type(self).__name__}(not ready)"
        return f"{type(self).__name__}({self.model!r}, {self.client!r}, {self.output_dtype})"

    def _takes_none(self, others: Mapping[str, object]) -> TypeError:
        """Return the error for arguments that are none of an embedder's: those of a client have their place there."""
        of_client = inspect.signature(self._client_type).parameters
        name, kind = next(iter(others)), self._client_type.__name__
        if name in of_client:
            settings = ", ".join(f"{key}={shown(value)}" for key, value in others.items() if key in of_client)
            return TypeError(
                f"{type(self).__name__} takes no {name}=: pass a client with it, client={kind}({settings}, ...)"
            )
        return TypeError(f"{type(self).__name__} got an unexpected keyword argument {name!r}")

    def with_extra(self, extra: Mapping[str, Any] | None) -> Self:
        """Return one that sends other further fields, as queries want them, and keeps its answers apart."""
        if not extra or dict(extra) == self.extra:
            return self
        folder = None if self.store is None else Path(self.store.path).parent
        return type(self)(
            self.model,
            client=self.client,
            output_dtype=self.output_dtype,
            output_dimension=self.output_dimension,
            store=folder,
            extra=extra,
        )

    def _wishes(self, wishes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the client is asked for beside texts."""
        return {
            "model": self.model,
            "output_dtype": self.output_dtype,
            "output_dimension": self.output_dimension,
            "extra": self.extra or None,
            **wishes,
        }

    def _rows(self, values: NDArray[Any]) -> Embeddings:
        profile = self.client.profile
        return Embeddings(
            values,
            self.output_dtype,
            self.output_dimension if self.output_dtype.is_packed else None,
            signed_bytes=profile.signed_bytes,
            bit_order=profile.bit_order,
        )

    def _file_in(self, folder: Path) -> Path:
        """Return the file of all that rows hang on but their texts."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StorageError(f"store={str(folder)!r} is, or lies in, a file: a store is a folder of files") from None
        facts = {
            "url": self.client.url,
            "model": self.model,
            "output_dtype": str(self.output_dtype),
            "output_dimension": self.output_dimension,
            "extra": self.extra,
        }
        digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", self.model)[:60].strip("-.")
        size = "" if self.output_dimension is None else f"-{self.output_dimension}"
        return folder / f"{name}-{self.output_dtype}{size}-{digest}.jsonl"


class _Call:
    """One call of ``embed``: the texts that are not in the store, and the rows of all once those were answered.

    Parameters
    ----------
    texts : str or iterable of str
    store : TextStore, optional
    """

    def __init__(self, texts: str | Iterable[str], store: TextStore | None) -> None:
        self.texts: list[str] = list(as_texts(texts))
        for position, text in enumerate(self.texts):
            utf8_length(text, position)
        self.store = store
        distinct = list(dict.fromkeys(self.texts))
        self.known: dict[str, NDArray[Any]] = {}
        if store is not None:
            found = zip(distinct, store.find(distinct), strict=True)
            self.known = {text: row for text, row in found if row is not None}
        self.missing = [text for text in distinct if text not in self.known]
        self._answered: NDArray[Any] | None = None  # the rows of `missing`

    @property
    def asks(self) -> bool:
        """Whether the client is needed: of no texts it knows the dimension, where it was told."""
        return bool(self.missing) or not self.texts

    def told(self, progress: Progress | bool | None) -> Progress | None:
        """Tell of the texts that nobody has to be asked for, and return what the client tells of the others."""
        if progress is None or isinstance(progress, bool) or not self.texts:
            return None
        total, at_once = len(self.texts), len(self.texts) - len(self.missing)
        progress(at_once, total)
        return lambda answered, _: progress(at_once + answered, total)

    def take(self, answer: EmbeddingResponse) -> None:
        """Keep what the missing texts were answered."""
        self._answered = rows = answer.embeddings.values
        self._keep(self.missing, rows)
        self.known.update(zip(self.missing, rows, strict=True))

    def take_part(self, error: BaseException) -> None:
        """Keep what was answered before a failure, or an interruption."""
        for rows, answer in getattr(getattr(error, "partial", None), "answered", ()):
            self._keep(self.missing[rows.start : rows.stop], answer.embeddings.values)

    def values(self) -> NDArray[Any]:
        """Return the rows of all texts, in their order."""
        if self._answered is not None and len(self.missing) == len(self.texts):
            return self._answered
        return np.stack([self.known[text] for text in self.texts])

    def _keep(self, texts: list[str], rows: NDArray[Any]) -> None:
        if self.store is not None:
            self.store.add(texts, rows)


class CachedEmbedder(_Embedder[Client]):
    """Texts to rows, by a :class:`~embcodec.Client` and, where it is told, a folder of what was answered before.

    Parameters
    ----------
    model : str
    client : Client, optional
        By default one made of `profile`, `base_url` and `api_key`. Further settings, such as ``max_retries``, are those
        of a client of your own, ``client=Client(max_retries=3, ...)``, which you close.
    profile, base_url, api_key : optional
        As :class:`~embcodec.Client` has them; not beside a `client`, which has its own.
    output_dtype, output_dimension
        As :meth:`embcodec.Client.embed` has them.
    store : path-like, optional
        A folder, made where there is none, that any number of processes share: a file in it for each service, model,
        dtype, dimension and `extra`. Without one nothing is kept. A service is its address, the port included: what
        one at another port was answered is asked for again, so give a server of your own a fixed port.
    extra : mapping, optional
        Further fields of the requests, such as Cohere's ``input_type``.

    Raises
    ------
    TypeError
        Both a client and what one is made of, or a setting of clients.

    Examples
    --------
    >>> import tempfile
    >>> from embcodec.server import running_server
    >>> with running_server(["hash-64"]) as server:
    ...     embedder = CachedEmbedder("hash-64", base_url=server.base_url, store=tempfile.mkdtemp())
    ...     rows = embedder.embed(["a text", "another", "a text"])
    >>> rows, embedder.embed(["another"]) == rows[1]  # the server is gone
    (Embeddings(3 x 64 float, 768 bytes), True)
    """

    _client_type = Client

    @shows_progress("embedding")
    def embed(
        self, texts: str | Iterable[str], *, progress: Progress | bool | None = None, **wishes: Any
    ) -> Embeddings:
        """Return the rows of texts, each text asked for once.

        Parameters
        ----------
        texts : str or iterable of str
        progress : callable or True, optional
            Called in this thread with the number of texts done and the number of all: first with those that nobody has
            to be asked for, since they are in the store or repeat others, then after each answer. True: a bar, as of
            :meth:`embcodec.Client.embed`.
        **wishes
            Of :meth:`embcodec.Client.embed`, such as ``encoding_format``.

        Raises
        ------
        EmbcodecError, ValueError, TypeError
            As :meth:`embcodec.Client.embed` does. What was answered before the failure is kept.
        """
        call = _Call(texts, self.store)
        told = call.told(progress)
        if call.asks:
            try:
                answer = self.client.embed(call.missing, progress=told, **self._wishes(wishes))
            except BaseException as error:
                call.take_part(error)
                raise
            call.take(answer)
        return self._rows(call.values())


class AsyncCachedEmbedder(_Embedder[AsyncClient]):
    """As :class:`CachedEmbedder`, over an :class:`~embcodec.AsyncClient`: ``await embedder.embed(texts)``.

    Both share their stores: what one was answered the other does not ask for. Files are read and written in a thread,
    so that the event loop goes on.

    Examples
    --------
    >>> import asyncio, tempfile
    >>> from embcodec.server import running_server
    >>> async def main(base_url):
    ...     async with AsyncCachedEmbedder("hash-64", base_url=base_url, store=tempfile.mkdtemp()) as embedder:
    ...         return await embedder.embed(["a text", "another", "a text"])
    >>> with running_server(["hash-64"]) as server:
    ...     asyncio.run(main(server.base_url))
    Embeddings(3 x 64 float, 768 bytes)
    """

    _client_type = AsyncClient

    @shows_progress("embedding")
    async def embed(
        self, texts: str | Iterable[str], *, progress: Progress | bool | None = None, **wishes: Any
    ) -> Embeddings:
        """Return the rows of texts, each text asked for once; see :meth:`CachedEmbedder.embed`."""
        call = await asyncio.to_thread(_Call, texts, self.store)
        told = call.told(progress)
        if call.asks:
            try:
                answer = await self.client.embed(call.missing, progress=told, **self._wishes(wishes))
            except BaseException as error:
                call.take_part(error)  # here, since a task that is cancelled may not wait again
                raise
            await asyncio.to_thread(call.take, answer)
        return self._rows(call.values())

    async def aclose(self) -> None:
        """End the client's connections, also those of a client that was passed; it may be used again."""
        await self.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()
