"""Bit packing on every tier against numpy.packbits, bit for bit."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import DIMENSIONS, LENGTHS, OFFSETS

from embcodec import pack_bits, unpack_bits

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 0.5, -0.5, 3e38], np.float32)


def values(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(count).astype(np.float32)
    x[rng.random(count) < 0.1] = rng.choice(SPECIAL)
    return x


@pytest.mark.parametrize("bit_order", ["msb", "lsb"])
@pytest.mark.parametrize("inclusive", [False, True])
def test_every_length_and_offset(isa: str, bit_order: str, inclusive: bool) -> None:
    buffer = np.empty(4 * 4096 + 16, np.uint8)
    for length in LENGTHS:
        x = values(length, length)
        expected = reference.pack_bits(x, bit_order=bit_order, inclusive=inclusive)
        for offset in OFFSETS:
            view = buffer[offset : offset + 4 * length].view(np.float32)
            view[:] = x
            packed = pack_bits(view, bit_order=bit_order, threshold_inclusive=inclusive)
            np.testing.assert_array_equal(packed, expected)
        signed = pack_bits(x, bit_order=bit_order, threshold_inclusive=inclusive, signed=True)
        np.testing.assert_array_equal(signed.astype(np.int16), expected.astype(np.int16) - 128)


@pytest.mark.parametrize("bit_order", ["msb", "lsb"])
def test_matrices_of_every_dimension(isa: str, bit_order: str) -> None:
    for dimension in DIMENSIONS:
        x = values(5 * dimension, dimension).reshape(5, dimension)
        packed = pack_bits(x, bit_order=bit_order)
        np.testing.assert_array_equal(packed, reference.pack_bits(x, bit_order=bit_order))
        bits = unpack_bits(packed, dimension, bit_order=bit_order)
        np.testing.assert_array_equal(bits, x > 0)
        signs = unpack_bits(packed, dimension, bit_order=bit_order, dtype=np.float32)
        np.testing.assert_array_equal(signs, np.where(x > 0, 1, -1))
        signed = pack_bits(x, bit_order=bit_order, signed=True)
        np.testing.assert_array_equal(unpack_bits(signed, dimension, bit_order=bit_order), x > 0)
        plain = pack_bits(x, bit_order=bit_order, signed=True, signed_bytes="twos-complement")
        np.testing.assert_array_equal(plain.view(np.uint8), packed)
        back = unpack_bits(plain, dimension, bit_order=bit_order, signed_bytes="twos-complement")
        np.testing.assert_array_equal(back, x > 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    x=hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=70)),
    threshold=st.floats(width=32, allow_nan=False),
    inclusive=st.booleans(),
)
def test_any_threshold(isa: str, x: np.ndarray, threshold: float, inclusive: bool) -> None:
    packed = pack_bits(x, threshold=threshold, threshold_inclusive=inclusive)
    np.testing.assert_array_equal(packed, reference.pack_bits(x, threshold=threshold, inclusive=inclusive))


def test_other_types_compare_as_they_are() -> None:
    wide = np.array([1e-60, -1e-60, 0.0, 1 + 1e-12])
    assert pack_bits(wide).tolist() == [0b10010000]
    assert pack_bits(wide, threshold=1.0).tolist() == [0b00010000]
    assert pack_bits(np.array([True, False, True])).tolist() == [0b10100000]
    assert pack_bits(np.array([3, -4, 0]), threshold_inclusive=True).tolist() == [0b10100000]
    assert pack_bits(np.array([1, -1], np.float16)).tolist() == [0b10000000]
    assert pack_bits([[1.0, -1.0]]).shape == (1, 1)
    assert pack_bits(np.ones((4, 6), np.float32)[::2, ::2]).tolist() == [[0b11100000]] * 2


def test_empty() -> None:
    assert pack_bits(np.empty((0, 9), np.float32)).shape == (0, 2)
    assert pack_bits(np.empty((3, 0), np.float32)).shape == (3, 0)
    assert pack_bits([]).shape == (0,)
    assert unpack_bits(np.empty((0, 2), np.uint8), 9).shape == (0, 9)
    assert unpack_bits(np.empty((2, 0), np.uint8), 0).shape == (2, 0)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="bit_order"):
        pack_bits([1.0], bit_order="big")
    with pytest.raises(ValueError, match="signed_bytes"):
        pack_bits([1.0], signed=True, signed_bytes="minus")
    with pytest.raises(ValueError, match="threshold is NaN"):
        pack_bits([1.0], threshold=float("nan"))
    with pytest.raises(ValueError, match="shape"):
        pack_bits(np.zeros((1, 1, 1), np.float32))
    with pytest.raises(ValueError, match="different lengths"):
        pack_bits([[1.0], [1.0, 2.0]])
    with pytest.raises(TypeError, match="real numbers"):
        pack_bits(["a"])
    with pytest.raises(ValueError, match="9 bits have 2 bytes, not 1"):
        unpack_bits(np.zeros(1, np.uint8), 9)
    with pytest.raises(TypeError, match="uint8 or int8"):
        unpack_bits(np.zeros(1, np.int64), 8)
    with pytest.raises(TypeError, match="unpack to"):
        unpack_bits(np.zeros(1, np.uint8), 8, dtype=np.float64)
    with pytest.raises(ValueError, match="row 1 has bits set after its last dimension 4"):
        unpack_bits(np.array([[0xF0], [0x08]], np.uint8), 4)


def test_out_is_written_and_returned(isa: str) -> None:
    x = np.random.default_rng(1).standard_normal((4, 21)).astype(np.float32)
    for rows in (x, x[0]):
        for signed in (False, True):
            expected = pack_bits(rows, signed=signed)
            out = np.empty_like(expected)
            assert np.shares_memory(pack_bits(rows, signed=signed, out=out), out)
            np.testing.assert_array_equal(out, expected)
            for dtype in (np.uint8, np.float32):
                values = np.empty(rows.shape, dtype)
                assert np.shares_memory(unpack_bits(expected, 21, dtype=dtype, out=values), values)
                np.testing.assert_array_equal(values, unpack_bits(expected, 21, dtype=dtype))
                with pytest.raises(ValueError, match="out must be"):
                    unpack_bits(expected, 21, dtype=dtype, out=values[..., :20])
            with pytest.raises(ValueError, match="out must be"):
                pack_bits(rows, signed=signed, out=out[..., :2])
