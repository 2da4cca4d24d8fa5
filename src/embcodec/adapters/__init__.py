"""What others' libraries take, over embcodec: each is imported, and needs its library, when it is first asked for.

Examples
--------
>>> from embcodec.adapters import TextStore
>>> TextStore.__name__
'TextStore'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .embedder import AsyncCachedEmbedder, CachedEmbedder
    from .haystack import HaystackDocumentEmbedder, HaystackTextEmbedder
    from .hugging import encode_dataset
    from .langchain import LangChainEmbeddings
    from .llamaindex import LlamaIndexEmbedding
    from .sbert import from_sentence_transformers
    from .sklearn import CodeTransformer
    from .store import TextStore

_LAZY = {
    "AsyncCachedEmbedder": "embedder",
    "CachedEmbedder": "embedder",
    "CodeTransformer": "sklearn",
    "HaystackDocumentEmbedder": "haystack",
    "HaystackTextEmbedder": "haystack",
    "LangChainEmbeddings": "langchain",
    "LlamaIndexEmbedding": "llamaindex",
    "TextStore": "store",
    "encode_dataset": "hugging",
    "from_sentence_transformers": "sbert",
}

__all__ = [
    "AsyncCachedEmbedder",
    "CachedEmbedder",
    "CodeTransformer",
    "HaystackDocumentEmbedder",
    "HaystackTextEmbedder",
    "LangChainEmbeddings",
    "LlamaIndexEmbedding",
    "TextStore",
    "encode_dataset",
    "from_sentence_transformers",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
