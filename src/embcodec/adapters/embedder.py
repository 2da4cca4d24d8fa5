"""A client that asks for each text once: what it was answered is kept on disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..client import Client
from ..dtypes import OutputDtypeLike, as_output_dtype
from ..embeddings import Embeddings
from ..profiles import Profile
from .store import TextStore


class CachedEmbedder:
    """Texts to rows, by a :class:`~embcodec.Client` and, where it is told, a folder of what was answered before.

    Parameters
    ----------
    model : str
    client : Client, optional
        By default one made of `profile`, `base_url` and `api_key`.
    profile, base_url, api_key
        As :class:`~embcodec.Client` has them.
    output_dtype, output_dimension
        As :meth:`embcodec.Client.embed` has them.
    store : path-like, optional
        A folder, made where there is none, that any number of processes share: a file in it for each service, model,
        dtype, dimension and `extra`. Without one nothing is kept.
    extra : mapping, optional
        Further fields of the requests, such as Cohere's ``input_type``.

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

    def __init__(
        self,
        model: str,
        *,
        client: Client | None = None,
        profile: str | Profile = "mistral",
        base_url: str | None = None,
        api_key: str | None = None,
        output_dtype: OutputDtypeLike = "float",
        output_dimension: int | None = None,
        store: str | os.PathLike[str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.client = client or Client(api_key=api_key, base_url=base_url, profile=profile)
        self.model, self.output_dtype, self.output_dimension = model, as_output_dtype(output_dtype), output_dimension
        self.extra = dict(extra or {})
        self.store = None if store is None else TextStore(self._file_in(Path(store)), self.output_dtype, model)

    def __repr__(self) -> str:
        return f"CachedEmbedder({self.model!r}, {self.client!r}, {self.output_dtype})"

    def with_extra(self, extra: Mapping[str, Any] | None) -> CachedEmbedder:
        """Return one that sends other further fields, as queries want them, and keeps its answers apart."""
        if not extra or dict(extra) == self.extra:
            return self
        folder = None if self.store is None else Path(self.store.path).parent
        return CachedEmbedder(
            self.model,
            client=self.client,
            output_dtype=self.output_dtype,
            output_dimension=self.output_dimension,
            store=folder,
            extra=extra,
        )

    def embed(self, texts: Iterable[str], **wishes: Any) -> Embeddings:
        """Return the rows of texts, each text asked for once.

        Parameters
        ----------
        texts : iterable of str
        **wishes
            Of :meth:`embcodec.Client.embed`, such as ``progress``.

        Raises
        ------
        EmbcodecError, ValueError, TypeError
            As :meth:`embcodec.Client.embed` does. What was answered before the failure is kept.
        """
        asked = list(texts)
        known: dict[str, NDArray[Any]] = {}
        distinct = list(dict.fromkeys(asked))
        if self.store is not None:
            found = zip(distinct, self.store.find(distinct), strict=True)
            known = {text: row for text, row in found if row is not None}
        missing = [text for text in distinct if text not in known]
        if missing or not asked:  # of no texts the client knows the dimension, where it was told
            try:
                rows = self._ask(missing, wishes)
            except Exception as error:
                self._keep_part(missing, getattr(error, "partial", None))
                raise
            self._keep(missing, rows)
            known.update(zip(missing, rows, strict=True))
            if len(missing) == len(asked):
                return self._rows(rows)
        return self._rows(np.stack([known[text] for text in asked]))

    def _ask(self, texts: list[str], wishes: Mapping[str, Any]) -> NDArray[Any]:
        answer = self.client.embed(
            texts,
            model=self.model,
            output_dtype=self.output_dtype,
            output_dimension=self.output_dimension,
            extra=self.extra or None,
            **wishes,
        )
        return answer.embeddings.values

    def _keep(self, texts: list[str], rows: NDArray[Any]) -> None:
        if self.store is not None:
            self.store.add(texts, rows)

    def _keep_part(self, texts: list[str], partial: Any) -> None:
        for rows, answer in getattr(partial, "answered", ()):
            self._keep(texts[rows.start : rows.stop], answer.embeddings.values)

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
        folder.mkdir(parents=True, exist_ok=True)
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
