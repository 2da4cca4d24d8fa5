"""Rows of unit length, in every kind of code."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from embcodec import LowBitQuantizer, quantize


def floats(n: int, dimension: int = 24, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@cache  # tests ask for the same codes again and again
def _fitted(data: bytes, dimension: int, kind: str) -> LowBitQuantizer:
    wish: dict[str, Any] = {"bytes_per_vector": 10} if kind == "budget" else {"bits": int(kind[1:]), "rotation": "none"}
    return LowBitQuantizer(**wish).fit(np.frombuffer(data, np.float32).reshape(-1, dimension))


def rows_of(x: np.ndarray, kind: str) -> Any:
    """Return floats as a kind of code: a dtype, with a scale behind "/"; "b2", of two bits; "budget"."""
    if kind == "budget" or (kind[0] == "b" and kind[1:].isdigit()):
        return _fitted(x.tobytes(), x.shape[1], kind).encode(x)
    dtype, _, scale = kind.partition("/")
    return quantize(x, dtype, scale=np.stack([x.min(0), x.max(0)]) if scale == "ranges" else scale or "unit")
