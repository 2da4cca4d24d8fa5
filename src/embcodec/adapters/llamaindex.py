"""LlamaIndex's ``BaseEmbedding`` over a :class:`~embcodec.Client`; needs the extra ``llama-index``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from ..client import Client
from ..dtypes import OutputDtypeLike
from ..profiles import Profile
from ..wire.http import Secret
from .embedder import CachedEmbedder
from .missing import needed

with needed("LlamaIndex's BaseEmbedding", "llama-index"):
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import PrivateAttr


class LlamaIndexEmbedding(BaseEmbedding):
    """Embeddings for LlamaIndex: any service that embcodec knows, any of its dtypes, each text asked for once.

    Parameters
    ----------
    model_name : str
    client, profile, base_url, api_key, output_dtype, output_dimension, store
        As :class:`~embcodec.adapters.CachedEmbedder` has them. None of them is in what LlamaIndex serializes.
    document_extra, query_extra : mapping, optional
        Further fields of the requests for documents and for queries, such as ``{"input_type": "search_query"}``.
    embed_batch_size : int
        Texts that LlamaIndex hands over at once; the client splits them to the service's limits and sends concurrently.
    **more
        Of BaseEmbedding, such as ``callback_manager``.
    """

    _documents: CachedEmbedder = PrivateAttr()
    _queries: CachedEmbedder = PrivateAttr()

    def __init__(
        self,
        model_name: str,
        *,
        client: Client | None = None,
        profile: str | Profile | None = None,
        base_url: str | None = None,
        api_key: str | Secret | None = None,
        output_dtype: OutputDtypeLike = "float",
        output_dimension: int | None = None,
        store: str | os.PathLike[str] | None = None,
        document_extra: Mapping[str, Any] | None = None,
        query_extra: Mapping[str, Any] | None = None,
        embed_batch_size: int = 2048,
        **more: Any,
    ) -> None:
        api_key = Secret.wrap(api_key)  # first of all: reports of what is raised show the variables of this frame
        super().__init__(model_name=model_name, embed_batch_size=embed_batch_size, **more)
        self._documents = CachedEmbedder(
            model_name,
            client=client,
            profile=profile,
            base_url=base_url,
            api_key=api_key,
            output_dtype=output_dtype,
            output_dimension=output_dimension,
            store=store,
            extra=document_extra,
        )
        self._queries = self._documents.with_extra(query_extra)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that LlamaIndex knows the class by."""
        return "EmbcodecEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return _floats(self._queries, [query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return _floats(self._documents, [text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return _floats(self._documents, texts)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)


def _floats(embedder: CachedEmbedder, texts: list[str]) -> list[list[float]]:
    rows: list[list[float]] = embedder.embed(texts).to_float().tolist()
    return rows
