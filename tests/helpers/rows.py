"""Random rows of every kind of codes."""

from __future__ import annotations

import numpy as np

from embcodec import Embeddings, Scale

BITS = ("binary", "ubinary")
TEXTS = ["first text", "second, longer text", "", "Ünïcode: 漢字 🦆", "first text"]


def make(rng: np.random.Generator, n: int, dimension: int, dtype: str, scale: str = "unit", **order: str) -> Embeddings:
    if dtype == "float":
        return Embeddings(rng.standard_normal((n, dimension)).astype(np.float32), dtype)
    if dtype in BITS:
        bits = rng.integers(0, 2, (n, dimension), dtype=np.uint8)
        packed = np.packbits(bits, axis=1, bitorder="little" if order.get("bit_order") == "lsb" else "big")
        if dtype == "binary" and order.get("signed_bytes", "offset") == "offset":
            packed ^= np.uint8(0x80)
        return Embeddings(packed.view(np.int8 if dtype == "binary" else np.uint8), dtype, dimension, **order)
    low, high = (-128, 128) if dtype == "int8" else (0, 256)
    codes = rng.integers(low, high, (n, dimension)).astype(dtype)
    of = {
        "unit": Scale.unit(),
        "per-vector": Scale.per_vector(rng.uniform(0.5, 2, n)),
        "ranges": Scale.ranges(np.sort(np.random.default_rng(7).uniform(-1, 1, (2, dimension)), axis=0)),
    }
    return Embeddings(codes, dtype, dimension, of[scale])


def sample(dtype: str, rows: int = 5, dimension: int = 37, seed: int = 0) -> Embeddings:
    """Return random codes of a dtype; floats of many magnitudes, padding bits zero."""
    rng = np.random.default_rng(seed)
    if dtype == "float":
        x = rng.standard_normal((rows, dimension)) * 10.0 ** rng.integers(-9, 9, (rows, dimension))
        return Embeddings(x.astype(np.float32))
    if dtype in ("int8", "uint8"):
        kind = np.int8 if dtype == "int8" else np.uint8
        info = np.iinfo(kind)
        return Embeddings(rng.integers(info.min, info.max + 1, (rows, dimension)).astype(kind), dtype)
    packed = np.packbits(rng.random((rows, dimension)) > 0.5, axis=1)
    return Embeddings(packed if dtype == "ubinary" else (packed ^ 0x80).view(np.int8), dtype, dimension)


def codes(x: np.ndarray, dtype: str) -> np.ndarray:
    """The published formulas, in NumPy."""
    if dtype == "float":
        return x
    if dtype == "int8":
        return np.clip(np.round(127 * x), -127, 127).astype(np.int8)
    if dtype == "uint8":
        return np.clip(np.round(np.float32(127.5) * x + np.float32(127.5)), 0, 255).astype(np.uint8)
    bits = np.packbits(x > 0, axis=1)
    return bits if dtype == "ubinary" else (bits.astype(np.int16) - 128).astype(np.int8)
