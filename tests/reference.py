"""The NumPy oracles: what kernels must agree with, in the plainest form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT32_MIN = np.finfo(np.float32).tiny


def pack_bits(x: NDArray[Any], *, threshold: float = 0.0, bit_order: str = "msb", inclusive: bool = False) -> Any:
    """Plain bytes; one compare a bit, as the services' own examples have it."""
    chosen = x >= threshold if inclusive else x > threshold
    return np.packbits(chosen, axis=-1, bitorder="big" if bit_order == "msb" else "little")


def unpack_bits(packed: NDArray[np.uint8], dimension: int, *, bit_order: str = "msb") -> Any:
    order = "big" if bit_order == "msb" else "little"
    return np.unpackbits(packed, axis=-1, count=dimension, bitorder=order)


def quantize_unit(x: NDArray[np.float32], dtype: Any) -> Any:
    with np.errstate(over="ignore"):
        if np.dtype(dtype) == np.int8:
            return np.clip(np.rint(np.float32(127) * x), -127, 127).astype(np.int8)
        return np.clip(np.rint(np.float32(127.5) * x + np.float32(127.5)), 0, 255).astype(np.uint8)


def dequantize_unit(codes: NDArray[Any]) -> Any:
    if codes.dtype == np.int8:
        return codes.astype(np.float32) / np.float32(127)
    return codes.astype(np.float32) / np.float32(127.5) - np.float32(1)


def per_vector_scales(x: NDArray[np.float32]) -> Any:
    largest = np.abs(x).max(axis=1, initial=0)
    scales = np.maximum(largest / np.float32(127), FLOAT32_MIN)
    return np.where(largest == 0, np.float32(1) / np.float32(127), scales).astype(np.float32)


def quantize_per_vector(x: NDArray[np.float32], dtype: Any, scales: NDArray[np.float32]) -> Any:
    with np.errstate(over="ignore"):
        factors = np.float32(1) / np.maximum(scales, FLOAT32_MIN)
        codes = np.clip(np.rint(x * factors[:, None]), -127, 127)
    return (codes + (128 if np.dtype(dtype) == np.uint8 else 0)).astype(dtype)


def quantize_ranges(x: NDArray[np.float32], dtype: Any, ranges: NDArray[np.float32]) -> Any:
    """The codes of sentence-transformers 6 (``quantize_embeddings``) for the same minima and maxima."""
    starts = ranges[0]
    steps = (ranges[1] - ranges[0]) / 255
    steps[steps == 0] = 1
    with np.errstate(over="ignore"):
        codes = np.clip(np.floor((x - starts) / steps), 0, 255)
    return (codes - (128 if np.dtype(dtype) == np.int8 else 0)).astype(dtype)
