"""What the tests of real stores share: packages that may be missing, and rows with what `search` finds among them."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

import numpy as np
import pytest

from embcodec import Embeddings, quantize, search

ROWS, DIMENSION, NEAREST = 300, 64, 10


def need(name: str) -> Any:
    """Import a package that a test is about: one that is missing skips it, and fails it under ``make test-stores``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs
        if os.environ.get("EMBCODEC_TEST_STORES"):
            return importlib.import_module(name)
        return pytest.importorskip(name)


def some_rows() -> np.ndarray:
    """Return rows of unit length, float32."""
    x = np.random.default_rng(7).standard_normal((ROWS, DIMENSION), dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


X = some_rows()
QUERIES = slice(20, 25)
RANGES = np.stack([X.min(axis=0), X.max(axis=0)])
FLOATS = Embeddings(X)
HALVES = Embeddings(X.astype(np.float16))
BITS = {
    "ubinary": quantize(X, "ubinary"),
    "ubinary lsb": quantize(X, "ubinary", bit_order="lsb"),
    "binary": quantize(X, "binary"),
    "binary two's complement": quantize(X, "binary", signed_bytes="twos-complement"),
}
INTEGERS = {name: quantize(X, name) for name in ("int8", "uint8")}  # type: ignore[call-overload]
SCALED = {
    f"{name} {kind}": quantize(X, name, scale=scale)  # type: ignore[call-overload]
    for name in ("int8", "uint8")
    for kind, scale in (("per-vector", "per-vector"), ("ranges", RANGES))
}
EVERYTHING = {"float": FLOATS, **INTEGERS, **SCALED, **BITS}


def nearest(rows: Embeddings, metric: Any = None) -> list[list[int]]:
    """Return which rows `search` finds nearest to those of QUERIES, ties by the lower row."""
    return search(rows[QUERIES], rows, NEAREST, metric=metric).indices.tolist()
