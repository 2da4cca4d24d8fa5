"""Rows of unit length, in every kind of code."""

from __future__ import annotations

from typing import Any

import numpy as np

from embcodec import LowBitQuantizer, quantize


def floats(n: int, dimension: int = 24, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def rows_of(x: np.ndarray, kind: str) -> Any:
    """Return floats as a kind of code: a dtype, with a scale behind "/"; "b2", of two bits; "budget"."""
    if kind[0] == "b" and kind[1:].isdigit():
        return LowBitQuantizer(int(kind[1:]), rotation="none").fit(x).encode(x)
    if kind == "budget":
        return LowBitQuantizer(bytes_per_vector=10).fit(x).encode(x)
    dtype, _, scale = kind.partition("/")
    return quantize(x, dtype, scale=np.stack([x.min(0), x.max(0)]) if scale == "ranges" else scale or "unit")
