"""Float rows that bounds tell apart, hardly tell apart, or do not, and their codes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from coded import rows_of
from numpy.typing import NDArray

from embcodec import LowBitQuantizer, PrecisionWarning

Floats = NDArray[np.float32]
METRICS = ("cosine", "dot", "l2")
KINDS = (
    "int8", "uint8", "int8/per-vector", "uint8/per-vector", "int8/ranges", "uint8/ranges", "binary", "ubinary", "1",
    "2", "4",
)  # fmt: skip


def codes_of(x: Floats, kind: str) -> Any:
    if kind.isdigit():
        center = "mean" if kind == "2" else "none"
        return LowBitQuantizer(int(kind), rotation="random", center=center).fit(x[:150]).encode(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        return rows_of(x, kind)


def near_others(n: int, dimension: int, seed: int = 0, centers: int = 12, spread: float = 0.15) -> Floats:
    """Rows of unit length about a few centers: what bounds tell apart."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((centers, dimension))[rng.integers(0, centers, n)]
    x = x + spread * rng.standard_normal((n, dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def asked_near(x: Floats, n: int) -> Floats:
    """Queries near some of the rows, as far as these are of moderate lengths."""
    noise = np.random.default_rng(len(x)).standard_normal((n, x.shape[1]))
    return (x[np.arange(n) * 7] * (1 + 0.1 * noise)).astype(np.float32)


CORPORA = ("near", "twins", "one row", "zeros among", "sizes", "tiny", "huge", "least", "ties", "spikes", "noise")


def corpus(name: str, n: int, dimension: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    x = near_others(n, dimension, seed).astype(np.float64)
    if name == "twins":
        x = np.repeat(x, 3, axis=0)[:n] * (1 + rng.integers(-2, 3, (n, 1)) * 2.0**-23)
    elif name == "one row":
        x = np.tile(x[:1], (n, 1))
    elif name == "zeros among":
        x[rng.random(n) < 0.3] = 0
        x[rng.random(x.shape) < 0.3] = 0
    elif name in ("sizes", "tiny", "huge", "least"):
        low, high = {"sizes": (-9, 9), "tiny": (-32, -20), "huge": (8, 18), "least": (-45, -36)}[name]
        x *= 10.0 ** rng.uniform(low, high, (n, 1))
    elif name == "ties":
        x = np.round(x * 3) / 3
    elif name == "spikes":
        x[:, 0] = 1000
    elif name == "noise":
        x = rng.standard_normal((n, dimension)) * rng.choice([1, 1e-3, 50])
    return x.astype(np.float32)
