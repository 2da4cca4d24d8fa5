"""Rows to fit low-bit codes to and to search, and what a search of codes keeps."""

from __future__ import annotations

from functools import cache

import numpy as np
from paths import DATA

from embcodec import LowBitCodes, search


def unit(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def varied(n: int, dimension: int, seed: int = 0) -> np.ndarray:
    """Rows that vary much in some directions and share a mean."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(99).standard_normal((dimension, dimension)))[0]
    return unit((rng.standard_normal((n, dimension)) * np.linspace(2, 0.1, dimension) + 0.3) @ turn)


@cache
def real_set() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half of the documents to fit to, the others to search, and queries."""
    documents, queries = (unit(np.load(DATA / f"{name}.npy").astype(np.float32)) for name in ("documents", "queries"))
    return documents[::2], documents[1::2], queries


def overlap(codes: LowBitCodes, x: np.ndarray, queries: np.ndarray) -> float:
    found, exact = search(queries, codes, 10).indices, search(queries, x, 10, metric="cosine").indices
    return float(np.mean([len(np.intersect1d(*pair)) for pair in zip(found, exact, strict=True)]) / 10)
