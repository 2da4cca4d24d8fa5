"""Which codes the stores take as they are and compare by themselves: docs/howto/stores says how."""

from __future__ import annotations

from collections.abc import Iterable

from .words import listed

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

_FLOAT16 = {
    "pgvector": "halfvec",
    "milvus": "FLOAT16_VECTOR",
    "qdrant": "Datatype.FLOAT16",
    "redis": "FLOAT16",
    "lancedb": "float16",
}
"""What those call it that keep floats as float16, too."""

FLOAT16_STORES: tuple[str, ...] = tuple(_FLOAT16)

_METRICS = {"uint8": "euclidean", "bits": "hamming"}
"""By what stores compare codes in the order of the values, where that is not the cosine: uint8 codes have their zero at
127.5, so that cosine and dot product of the codes themselves are in another order."""

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


def metric_of(kind: str) -> str:
    """Return the metric by which stores that compare the codes themselves find what was measured.

    Examples
    --------
    >>> metric_of("uint8"), metric_of("int8")
    ('euclidean', 'cosine')
    """
    return _METRICS.get(kind, "cosine")


def float16_of(store: str | None) -> str | None:
    """Return who keeps floats as float16, in words; None where the store does not. No store named: all that do.

    Examples
    --------
    >>> float16_of("pgvector"), float16_of("duckdb")
    ('pgvector (halfvec)', None)
    """
    names = _FLOAT16 if store in (None, ANY) else [store]
    found = [f"{name} ({_FLOAT16[name]})" for name in names if name in _FLOAT16]
    return listed(found) if found else None
