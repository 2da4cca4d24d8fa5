"""float32 <-> codes against the NumPy chains and against the cost of reading the floats alone.

Contenders: ``NumPy`` is what one would write for the same codes with the same refusal of NaN and infinity,
``unchecked`` the same without the refusal; ``reading`` looks at every float once, for NaN, and writes nothing: close to
what ``ceilings.c`` reads; ``kernel`` is the C function alone, called with addresses at hand and an array to write to
that has been written to before, so that neither Python nor fresh pages count. Codes in ``memory`` are 40 MB of fresh
pages, except with ``out=``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from embcodec import LowBitQuantizer, Scale, calibrate, dequantize, pack_bits, quantize, unpack_bits
from embcodec._native import bits
from embcodec._native.core import lib, pointer

# Rows of 1,024 d: in L2 (0.5 MB), in L3 (16 MB), in memory (160 MB).
ROWS = {"L2": 128, "L3": 4_000, "memory": 40_000}


def sample(rows: int) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((rows, 1024), dtype=np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x


def ranges_of(x: np.ndarray) -> np.ndarray:
    return np.vstack([x.min(axis=0), x.max(axis=0)])


def checked(x: np.ndarray) -> np.ndarray:
    if not np.isfinite(x).all():
        raise ValueError("NaN or infinity")
    return x


def numpy_unit(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(x * np.float32(127)), -127, 127).astype(np.int8)


def numpy_per_vector(x: np.ndarray) -> np.ndarray:
    largest = checked(np.abs(x).max(axis=1, keepdims=True))
    return np.rint(x / (largest / np.float32(127))).astype(np.int8)


def numpy_ranges(x: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    steps = (ranges[1] - ranges[0]) / 255
    return np.clip(np.floor((x - ranges[0]) / steps), 0, 255).astype(np.uint8)


def kernels(x: np.ndarray, scale: Scale) -> dict[str, Callable[[], Any]]:
    """Return calls of the C functions alone; they keep their arrays alive."""
    coding = scale.coding(1024)
    arrays = x, np.ones(x.shape, np.uint8), np.ones(len(x), np.float32), coding.low, coding.divisor, coding.reciprocal
    at, codes, scales, minima, steps, reciprocals = map(pointer, arrays)
    n = len(x)
    return {
        "int8 unit": lambda: lib.ec_quantize_unit_f32(at, n, 1024, lib.EC_INT8, codes, 1),
        "int8 per-vector": lambda: lib.ec_quantize_per_vector_f32(at, n, 1024, lib.EC_INT8, 1, scales, codes, 1),
        "uint8 ranges": lambda: lib.ec_quantize_ranges_f32(
            at, n, 1024, lib.EC_UINT8, minima, steps, reciprocals, codes, 1
        ),
        "sign bits": lambda: lib.ec_pack_bits_f32(at, n, 1024, 0.0, 0, codes, n * 128, 1),
    }


def into_an_array_at_hand(x: np.ndarray, what: str, scale: Scale) -> Callable[[], Any]:
    codes = np.ones((len(x), 128 if what == "sign bits" else 1024), np.int8 if what.startswith("int8") else np.uint8)
    return {
        "int8 unit": lambda: quantize(x, "int8", out=codes).values,
        "int8 per-vector": lambda: quantize(x, "int8", scale="per-vector", out=codes).values,
        "uint8 ranges": lambda: quantize(x, "uint8", scale=scale, out=codes).values,
        "sign bits": lambda: pack_bits(x, out=codes),
    }[what]


@pytest.mark.parametrize("level", ROWS)
@pytest.mark.parametrize("what", ["int8 unit", "int8 per-vector", "uint8 ranges", "sign bits"])
def test_encode(race: Any, level: str, what: str) -> None:
    x = sample(ROWS[level])
    ranges = ranges_of(x)
    scale = Scale.ranges(ranges)  # made once, as for many batches
    ours, peers = {
        "int8 unit": (
            lambda: quantize(x, "int8").values,
            {"NumPy": lambda: numpy_unit(checked(x)), "unchecked": lambda: numpy_unit(x)},
        ),
        "int8 per-vector": (
            lambda: quantize(x, "int8", scale="per-vector").values,
            {"NumPy": lambda: numpy_per_vector(x)},
        ),
        "uint8 ranges": (
            lambda: quantize(x, "uint8", scale=scale).values,
            {"NumPy": lambda: numpy_ranges(checked(x), ranges), "unchecked": lambda: numpy_ranges(x, ranges)},
        ),
        "sign bits": (lambda: pack_bits(x), {"NumPy": lambda: np.packbits(x > 0, axis=1)}),
    }[what]
    expected = peers["NumPy"]()

    def check(codes: Any) -> None:
        if isinstance(codes, np.ndarray):
            assert np.abs(codes.astype(np.int16) - expected).max() <= (1 if what == "int8 per-vector" else 0)

    if level == "memory":
        peers["embcodec, out="] = into_an_array_at_hand(x, what, scale)
    peers |= {"reading": lambda: bits.require_finite(x), "kernel": kernels(x, scale)[what]}
    race(f"float32 -> {what}, {level}", ours, peers, work=x.nbytes / 1e9, unit="GB", check=check, seconds=0.1)


@pytest.mark.parametrize("method", ["minmax", "quantile", "mse"])
def test_calibrate(race: Any, method: str) -> None:
    x = sample(10_000)
    expected = ranges_of(x)
    spread = expected[1] - expected[0]

    def check(ranges: np.ndarray) -> None:
        assert (np.abs(ranges - expected) <= {"minmax": 0.0, "quantile": 0.3, "mse": 0.3}[method] * spread).all()

    def batches() -> np.ndarray:
        return calibrate((x[i : i + 2500] for i in range(0, 10_000, 2500)), method=method)

    peers = {"NumPy minmax": lambda: ranges_of(checked(x)), "in batches": batches}
    ours = lambda: calibrate(x, method=method)  # noqa: E731
    race(f"calibrate, {method}", ours, peers, work=x.nbytes / 1e9, unit="GB", check=check, rounds=3, seconds=0.2)


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

    race(f"{what} -> float32, {level}", ours, {"NumPy": peer}, work=x.nbytes / 1e9, unit="GB", check=check, seconds=0.1)


@pytest.mark.parametrize("low_bits", [1, 2, 4])
@pytest.mark.parametrize("rotation", ["none", "random", "blocks", "whitened", "learned"])
@pytest.mark.parametrize("shaping", ["none", "auto"])
def test_low_bit_encode(race: Any, low_bits: int, rotation: str, shaping: Any) -> None:
    """One thread. ``product`` is what a rotation by a whole matrix cannot do without, as NumPy has it: with threads."""
    x = sample(4_000)
    quantizer = LowBitQuantizer(low_bits, rotation=rotation, center="mean", shaping=shaping).fit(x[:1100])
    cosine = {1: 0.79, 2: 0.93, 4: 0.99}[low_bits]
    matrix, turned = quantizer.scheme.rotation.matrix, np.empty_like(x)

    def check(codes: Any) -> None:
        if isinstance(codes, np.ndarray):
            return
        back = codes.to_float()
        kept = np.einsum("ij,ij->i", back, x) / np.linalg.norm(back, axis=1)
        assert kept.min() > cosine - 0.03

    shaped = "" if shaping == "none" else ", shaped"
    name = f"{low_bits} bits, {rotation} rotation, 1,024 d{shaped}"
    peers = {} if matrix is None else {"product": lambda: np.matmul(x, matrix, out=turned)}
    race(name, lambda: quantizer.encode(x), peers, work=len(x), unit="vectors", check=check, seconds=0.1)
