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
    scales = largest / np.float32(127)
    up = np.ceil(largest.astype(np.float64) * 2.0**149 / 127) * 2.0**-149  # so that no code is above 127
    scales = np.where(scales < FLOAT32_MIN, up.astype(np.float32), scales)
    return np.where(largest == 0, np.float32(1) / np.float32(127), scales).astype(np.float32)


def quantize_per_vector(x: NDArray[np.float32], dtype: Any, scales: NDArray[np.float32]) -> Any:
    with np.errstate(over="ignore"):
        larger = np.where(scales < FLOAT32_MIN, np.float32(2.0**64), np.float32(1))
        factors = np.float32(1) / (scales * larger)
        codes = np.clip(np.rint((x * larger[:, None]) * factors[:, None]), -127, 127)
    return (codes + (128 if np.dtype(dtype) == np.uint8 else 0)).astype(dtype)


def quantize_ranges(x: NDArray[np.float32], dtype: Any, ranges: NDArray[np.float32]) -> Any:
    """The codes of sentence-transformers 6 (``quantize_embeddings``) for the same minima and maxima."""
    starts = ranges[0]
    steps = (ranges[1] - ranges[0]) / 255
    steps[steps == 0] = 1
    with np.errstate(over="ignore"):
        codes = np.clip(np.floor((x - starts) / steps), 0, 255)
    return (codes - (128 if np.dtype(dtype) == np.int8 else 0)).astype(dtype)


# ---- search ----


def values_of(embeddings: Any) -> np.ndarray:
    """What codes stand for, float64 (n, dimension), from the definitions of Scale; bits are -1 and +1."""
    codes = embeddings.values
    if embeddings.output_dtype in ("binary", "ubinary"):
        plain = codes.view(np.uint8)
        if embeddings.output_dtype == "binary" and embeddings.signed_bytes == "offset":
            plain = plain ^ np.uint8(0x80)
        order = "little" if embeddings.bit_order == "lsb" else "big"
        return np.unpackbits(plain, axis=1, count=embeddings.dimension, bitorder=order) * 2.0 - 1.0
    wide = codes.astype(np.float64)
    if embeddings.scale is None:
        return wide
    unsigned = embeddings.output_dtype == "uint8"
    if embeddings.scale.kind == "unit":
        return (wide - 127.5) / 127.5 if unsigned else wide / 127.0
    values = embeddings.scale.values.astype(np.float64)
    if embeddings.scale.kind == "per-vector":
        return values[:, None] * (wide - 128 if unsigned else wide)
    low, high = values
    return low + (wide + (0.5 if unsigned else 128.5)) * (high - low) / 255


def metric_scores(queries: Any, corpus: Any, metric: str) -> np.ndarray:
    """All scores (n_queries, n), float64, by the definition of the metric."""
    q, x = values_of(queries), values_of(corpus)
    if metric == "hamming":
        return (q[:, None] != x[None]).sum(2)
    if metric == "jaccard":
        both, either = ((q[:, None] > 0) & (x[None] > 0)).sum(2), ((q[:, None] > 0) | (x[None] > 0)).sum(2)
        return np.where(either > 0, 1 - both / np.maximum(either, 1), 0.0)
    dots = q @ x.T
    if metric == "dot":
        return dots
    q2, x2 = (q**2).sum(1)[:, None], (x**2).sum(1)[None]
    if metric == "l2":
        return q2 + x2 - 2 * dots
    return np.where(q2 * x2 > 0, dots / np.sqrt(np.maximum(q2 * x2, 1e-300)), 0.0)
