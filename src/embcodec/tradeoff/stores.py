"""Which codes the stores take as they are and compare by themselves: docs/howto/stores says how."""

from __future__ import annotations

from collections.abc import Iterable

_TAKEN: dict[str, tuple[str, ...]] = {
    "pgvector": ("float", "bits"),
    "sqlite-vec": ("float", "int8", "bits"),
    "faiss": ("float", "int8", "uint8", "bits"),
    "elasticsearch": ("float", "int8", "bits"),
    "vespa": ("float", "int8", "bits"),
    "milvus": ("float", "int8", "bits"),
    "qdrant": ("float", "uint8"),
    "redis": ("float", "int8", "uint8"),
    "lancedb": ("float", "bits"),
    "duckdb": ("float",),
    "s3-vectors": ("float",),
}

STORES: tuple[str, ...] = tuple(_TAKEN)
"""Their names."""

ANY = "any"
"""Instead of a name: whichever."""


def stores_that_take(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the stores that take codes of all these kinds.

    Examples
    --------
    >>> stores_that_take(["float", "uint8"])
    ('faiss', 'qdrant', 'redis')
    """
    wanted = set(kinds)
    return tuple(name for name, taken in _TAKEN.items() if wanted <= set(taken))
