"""LangChain's ``Embeddings`` over a :class:`~embcodec.Client`; needs the extra ``langchain``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..client import Client
from ..dtypes import OutputDtypeLike
from ..profiles import Profile
from ..wire.http import Secret
from .embedder import CachedEmbedder
from .missing import needed

with needed("LangChain's Embeddings", "langchain"):
    from langchain_core.embeddings import Embeddings as Base


class LangChainEmbeddings(Base):
    """Embeddings for LangChain: any service that embcodec knows, any of its dtypes, each text asked for once.

    Parameters
    ----------
    model, client, profile, base_url, api_key, output_dtype, output_dimension, store
        As :class:`~embcodec.adapters.CachedEmbedder` has them.
    document_extra, query_extra : mapping, optional
        Further fields of the requests for documents and for queries, such as ``{"input_type": "search_query"}``.

    Notes
    -----
    LangChain takes lists of floats: codes come as the values that they stand for.
    """

    def __init__(
        self,
        model: str,
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
    ) -> None:
        api_key = Secret.wrap(api_key)  # first of all: reports of what is raised show the variables of this frame
        self.documents = CachedEmbedder(
            model,
            client=client,
            profile=profile,
            base_url=base_url,
            api_key=api_key,
            output_dtype=output_dtype,
            output_dimension=output_dimension,
            store=store,
            extra=document_extra,
        )
        self.queries = self.documents.with_extra(query_extra)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a list of floats for each text."""
        floats: list[list[float]] = self.documents.embed(texts).to_float().tolist()
        return floats

    def embed_query(self, text: str) -> list[float]:
        """Return the list of floats of a text."""
        floats: list[float] = self.queries.embed([text]).to_float()[0].tolist()
        return floats
