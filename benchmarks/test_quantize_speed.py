"""float32 <-> codes against the NumPy chains and against the cost of reading the floats alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embcodec import LowBitQuantizer, dequantize, pack_bits, quantize, unpack_bits
from embcodec._native import bits

# Rows of 1,024 d: in L2 (0.5 MB), in L3 (16 MB), in memory (160 MB).
ROWS = {"L2": 128, "L3": 4_000, "memory": 40_000}


def sample(rows: int) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((rows, 1024), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def ranges_of(x: np.ndarray) -> np.ndarray:
    return np.vstack([x.min(axis=0), x.max(axis=0)])


def numpy_unit(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(x * np.float32(127)), -127, 127).astype(np.int8)


def numpy_per_vector(x: np.ndarray) -> np.ndarray:
    return np.rint(x * (np.float32(127) / np.abs(x).max(axis=1, keepdims=True))).astype(np.int8)


def numpy_ranges(x: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    steps = (ranges[1] - ranges[0]) / 255
    return np.clip(np.floor((x - ranges[0]) / steps), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("level", ROWS)
@pytest.mark.parametrize("what", ["int8 unit", "int8 per-vector", "uint8 ranges", "sign bits"])
def test_encode(race: Any, level: str, what: str) -> None:
    x = sample(ROWS[level])
    ranges = ranges_of(x)
    ours, peer = {
        "int8 unit": (lambda: quantize(x, "int8").values, lambda: numpy_unit(x)),
        "int8 per-vector": (lambda: quantize(x, "int8", scale="per-vector").values, lambda: numpy_per_vector(x)),
        "uint8 ranges": (lambda: quantize(x, "uint8", scale=ranges).values, lambda: numpy_ranges(x, ranges)),
        "sign bits": (lambda: pack_bits(x), lambda: np.packbits(x > 0, axis=1)),
    }[what]
    expected = peer()

    def check(codes: np.ndarray | None) -> None:
        if codes is not None:
            assert np.abs(codes.astype(np.int16) - expected).max() <= (1 if what == "int8 per-vector" else 0)

    peers = {"NumPy": peer, "reading": lambda: bits.require_finite(x)}
    race(f"float32 -> {what}, {level}", ours, peers, work=x.nbytes / 1e9, unit="GB", check=check, seconds=0.5)


@pytest.mark.parametrize("level", ROWS)
@pytest.mark.parametrize("what", ["int8 unit", "uint8 ranges", "sign bits"])
def test_decode(race: Any, level: str, what: str) -> None:
    x = sample(ROWS[level])
    packed = pack_bits(x)
    codes = quantize(x, "int8" if what == "int8 unit" else "uint8", scale=None if what == "int8 unit" else ranges_of(x))
    first, step = codes.scale.first_and_step(1024) if what == "uint8 ranges" else (None, None)
    ours, peer = {
        "sign bits": (
            lambda: unpack_bits(packed, 1024, dtype=np.float32),
            lambda: np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1,
        ),
        "int8 unit": (lambda: dequantize(codes), lambda: codes.values.astype(np.float32) / np.float32(127)),
        "uint8 ranges": (lambda: dequantize(codes), lambda: codes.values.astype(np.float32) * step + first),
    }[what]
    expected = peer()

    def check(values: np.ndarray) -> None:
        np.testing.assert_array_equal(values, expected)

    race(f"{what} -> float32, {level}", ours, {"NumPy": peer}, work=x.nbytes / 1e9, unit="GB", check=check, seconds=0.5)


@pytest.mark.parametrize("low_bits", [1, 2, 4])
@pytest.mark.parametrize("rotation", ["random", "learned"])
def test_low_bit_encode(race: Any, low_bits: int, rotation: str) -> None:
    x = sample(4_000)
    quantizer = LowBitQuantizer(low_bits, rotation=rotation, center="mean").fit(x[:1100])
    cosine = {1: 0.79, 2: 0.93, 4: 0.99}[low_bits]

    def check(codes: Any) -> None:
        back = codes.to_float()
        kept = np.einsum("ij,ij->i", back, x) / np.linalg.norm(back, axis=1)
        assert kept.min() > cosine - 0.03

    name = f"{low_bits} bits, {rotation} rotation, 1,024 d"
    race(name, lambda: quantizer.encode(x), {}, work=len(x), unit="vectors", check=check, seconds=0.5)
