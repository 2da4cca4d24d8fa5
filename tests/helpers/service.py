"""What a service of embeddings is asked in the tests, and what it should answer."""

from __future__ import annotations

import numpy as np

TEXTS = ["first text", "second, longer text", "", "Ünïcode: 漢字 🦆", "first text"]


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
