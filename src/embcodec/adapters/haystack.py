"""Haystack's embedders of texts and documents over a :class:`~embcodec.Client`; need the extra ``haystack``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..wire.http import Secret as Hidden
from .embedder import CachedEmbedder
from .missing import needed

with needed("Haystack's embedders", "haystack"):
    from haystack import Document, component, default_from_dict, default_to_dict
    from haystack.utils import Secret, deserialize_secrets_inplace


def _hidden(key: Any) -> Any:
    """Return a key, masked where it is text, which is refused."""
    return Hidden(key) if isinstance(key, str) else key


class _Embedder:
    """What both have in common: how they are made, and written into a pipeline's file without their key."""

    def __init__(self, model: str, api_key: Secret | None, store: str | None, **asked: Any) -> None:
        if isinstance(api_key, Hidden):
            raise TypeError("api_key is a haystack.utils.Secret, not a str")
        self._arguments = {"model": model, "api_key": api_key, "store": store, **asked}
        self._made: CachedEmbedder | None = None

    def warm_up(self) -> None:
        """Make the client."""
        if self._made is None:
            names = ("model", "profile", "base_url", "output_dtype", "output_dimension", "store", "extra")
            key = self._arguments["api_key"]
            asked = {name: self._arguments[name] for name in names}
            self._made = CachedEmbedder(api_key=None if key is None else key.resolve_value(), **asked)

    def _rows(self, texts: list[str]) -> list[list[float]]:
        self.warm_up()
        assert self._made is not None
        prefix, suffix = self._arguments["prefix"], self._arguments["suffix"]
        rows = self._made.embed([f"{prefix}{text}{suffix}" for text in texts])
        floats: list[list[float]] = rows.to_float().tolist()
        return floats

    def to_dict(self) -> dict[str, Any]:
        """Return what a pipeline's file has of it; of the key the variable that holds it."""
        key = self._arguments["api_key"]
        written: dict[str, Any] = default_to_dict(self, **{**self._arguments, "api_key": key and key.to_dict()})
        return written

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Any:
        """Return what :meth:`to_dict` wrote."""
        deserialize_secrets_inplace(data["init_parameters"], keys=["api_key"])
        return default_from_dict(cls, data)


@component
class HaystackTextEmbedder(_Embedder):
    """Embeds one text, such as a query.

    Parameters
    ----------
    model : str
    api_key : haystack.utils.Secret, optional
        By default the profile's environment variable.
    profile : str
        Of the services that embcodec knows.
    base_url, output_dtype, output_dimension, store, extra
        As :class:`~embcodec.adapters.CachedEmbedder` has them.
    prefix, suffix : str
        Put around each text.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: Secret | None = None,
        profile: str = "mistral",
        base_url: str | None = None,
        output_dtype: str = "float",
        output_dimension: int | None = None,
        store: str | None = None,
        extra: dict[str, Any] | None = None,
        prefix: str = "",
        suffix: str = "",
    ) -> None:
        api_key = _hidden(api_key)  # first of all: reports of what is raised show the variables of this frame
        _Embedder.__init__(  # the decorator makes a class of its own, which super() does not know
            self,
            model,
            api_key,
            store,
            profile=profile,
            base_url=base_url,
            output_dtype=output_dtype,
            output_dimension=output_dimension,
            extra=extra,
            prefix=prefix,
            suffix=suffix,
        )

    @component.output_types(embedding=list[float], meta=dict[str, Any])
    def run(self, text: str) -> dict[str, Any]:
        """Return ``{"embedding": list of float, "meta": {"model": ...}}``."""
        if not isinstance(text, str):
            raise TypeError("HaystackTextEmbedder takes a str; for documents there is HaystackDocumentEmbedder")
        return {"embedding": self._rows([text])[0], "meta": {"model": self._arguments["model"]}}


@component
class HaystackDocumentEmbedder(_Embedder):
    """Embeds documents, all at once.

    Parameters
    ----------
    model, api_key, profile, base_url, output_dtype, output_dimension, store, extra, prefix, suffix
        As :class:`HaystackTextEmbedder` has them.
    meta_fields_to_embed : list of str, optional
        Of a document's ``meta``, put before its content.
    embedding_separator : str
        Between these.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: Secret | None = None,
        profile: str = "mistral",
        base_url: str | None = None,
        output_dtype: str = "float",
        output_dimension: int | None = None,
        store: str | None = None,
        extra: dict[str, Any] | None = None,
        prefix: str = "",
        suffix: str = "",
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
    ) -> None:
        api_key = _hidden(api_key)  # first of all: reports of what is raised show the variables of this frame
        _Embedder.__init__(
            self,
            model,
            api_key,
            store,
            profile=profile,
            base_url=base_url,
            output_dtype=output_dtype,
            output_dimension=output_dimension,
            extra=extra,
            prefix=prefix,
            suffix=suffix,
            meta_fields_to_embed=meta_fields_to_embed or [],
            embedding_separator=embedding_separator,
        )

    @component.output_types(documents=list[Document], meta=dict[str, Any])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """Return ``{"documents": the documents with their embeddings, "meta": {"model": ...}}``."""
        if not isinstance(documents, list) or not all(isinstance(each, Document) for each in documents):
            raise TypeError("HaystackDocumentEmbedder takes Documents, a list; for a str there is HaystackTextEmbedder")
        rows = self._rows([self._text_of(document) for document in documents]) if documents else []
        found = [replace(document, embedding=row) for document, row in zip(documents, rows, strict=True)]
        return {"documents": found, "meta": {"model": self._arguments["model"]}}

    def _text_of(self, document: Document) -> str:
        wanted = self._arguments["meta_fields_to_embed"]
        fields = [str(document.meta[name]) for name in wanted if document.meta.get(name) is not None]
        joined: str = self._arguments["embedding_separator"].join([*fields, document.content or ""])
        return joined
