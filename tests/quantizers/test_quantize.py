"""Quantizers: every tier against the NumPy oracle, exactly; error budgets; what is refused."""

from __future__ import annotations

import pickle

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import reference
from each import each
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import DIMENSIONS, LENGTHS, OFFSETS

from embcodec import NotFiniteError, Scale, dequantize, quantize, truncate

GOLDEN = [-0.11944580078125, -0.2734375, 0.040771484375, 0.3056640625, -0.1470947265625, -0.11749267578125]
GOLDEN += [0.0799560546875, 0.08282470703125, -0.04205322265625, 0.220947265625, 0.0015048980712890625]
GOLDEN += [-0.00397491455078125, -0.01099395751953125, -0.052642822265625, 0.0504150390625, 0.01605224609375]
GOLDEN += [0.029693603515625, -0.024078369140625]
GOLDEN_CODES = {
    "int8": [-15, -35, 5, 39, -19, -15, 10, 11, -5, 28, 0, 0, -2, -7, 6, 2, 4, -3],
    "uint8": [112, 93, 133, 166, 109, 112, 138, 138, 122, 156, 128, 127, 126, 121, 134, 130, 131, 124],
    "binary": [-77, -29, 0],
    "ubinary": [51, 99, 128],
}
INTEGERS = ("int8", "uint8")
# The arithmetic of the unit scale is what it is for values of any size.
UNIT_AT_ANY_LENGTH = pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
NUMPY = {"int8": np.int8, "uint8": np.uint8}
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
EDGES = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 127.5, -127.5, 1e38, -3.4e38, 0, -0.0, 1e-45], np.float32) / 127


def rows(n: int, dimension: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30).astype(np.float32)


def ranges_of(x: np.ndarray) -> np.ndarray:
    return np.vstack([x.min(axis=0), x.max(axis=0)]) if len(x) else np.zeros((2, x.shape[1]), np.float32)


@pytest.mark.parametrize("output_dtype", GOLDEN_CODES)
def test_golden_row_of_the_vendor(isa: str, output_dtype: str) -> None:
    codes = quantize(GOLDEN, output_dtype).values[0].astype(int)
    # The row is itself rounded, so the integers may differ by one; the bits may not.
    tolerance = 1 if output_dtype in INTEGERS else 0
    assert np.abs(codes - GOLDEN_CODES[output_dtype]).max() <= tolerance
    assert np.count_nonzero(codes != GOLDEN_CODES[output_dtype]) <= 2


@UNIT_AT_ANY_LENGTH
@pytest.mark.parametrize("output_dtype", INTEGERS)
def test_unit_every_length_and_offset(isa: str, output_dtype: str) -> None:
    buffer = np.empty(4 * 4096 + 16, np.uint8)
    for length in LENGTHS[1:]:
        x = np.resize(np.concatenate([EDGES, rows(1, 97, length)[0]]), length)
        expected = reference.quantize_unit(x, NUMPY[output_dtype])
        for offset in OFFSETS:
            view = buffer[offset : offset + 4 * length].view(np.float32)
            view[:] = x
            codes = quantize(view, output_dtype)
            np.testing.assert_array_equal(codes.values[0], expected)
        np.testing.assert_array_equal(dequantize(codes)[0], reference.dequantize_unit(expected))


def test_unit_decodes_every_code(isa: str) -> None:
    from embcodec import Embeddings

    for output_dtype in INTEGERS:
        codes = np.arange(256, dtype=np.uint8).view(NUMPY[output_dtype])[None]
        np.testing.assert_array_equal(
            Embeddings(codes, output_dtype).to_float(), reference.dequantize_unit(codes), strict=True
        )


@pytest.mark.parametrize("output_dtype", INTEGERS)
def test_per_vector_keeps_its_accuracy_down_to_the_least_floats(isa: str, output_dtype: str) -> None:
    """Half a step, a step being the row's largest magnitude / 127, or what float32 can say of that."""
    least = 2.0**-149
    directions = rows(4, 300, 1)
    directions /= np.abs(directions).max(axis=1, keepdims=True)
    for size in (*10.0 ** np.arange(-45, 1.0), 1.49e-36, 1.51e-36, 127 * least, 128 * least, 190 * least, least):
        x = (directions * size).astype(np.float32)
        codes = quantize(x, output_dtype, scale="per-vector")
        largest = np.abs(x).max(axis=1, keepdims=True).astype(np.float64)
        steps = codes.scale.values[:, None].astype(np.float64)
        assert (steps[largest > 0] <= largest[largest > 0] / 127 * (1 + 2e-7) + least).all()
        error = np.abs(dequantize(codes).astype(np.float64) - x)
        assert (error <= steps * (0.5 + 1e-4) + least / 2).all()
        if size <= 127 * least:  # whole multiples of the least number: nothing is lost
            assert (error == 0).all()
        given = quantize(x, output_dtype, scale=codes.scale)
        np.testing.assert_array_equal(given.values, codes.values)


def test_values_far_above_a_subnormal_scale_clamp(isa: str) -> None:
    x = np.array([[1e38, -1e38, 3e-40, -3e-40, 0.0] * 20], np.float32)
    codes = quantize(x, "int8", scale=Scale.per_vector([1e-41]))
    assert codes.values[0, :5].tolist() == [127, -127, 30, -30, 0]
    for bad in (np.nan, np.inf):
        x[0, 77] = bad
        with pytest.raises(NotFiniteError, match="row 0"):
            quantize(x, "int8", scale=Scale.per_vector([1e-41]))


@pytest.mark.parametrize("output_dtype", INTEGERS)
def test_per_vector(isa: str, output_dtype: str) -> None:
    for dimension in DIMENSIONS:
        x = rows(6, dimension, dimension) * np.float32([[1], [1e-30], [1e30], [0], [1e-40], [1]])
        x[5] = np.resize(EDGES[:8], dimension)
        codes = quantize(x, output_dtype, scale="per-vector")
        scales = reference.per_vector_scales(x)
        np.testing.assert_array_equal(codes.scale.values, scales)
        expected = reference.quantize_per_vector(x, NUMPY[output_dtype], scales)
        np.testing.assert_array_equal(codes.values, expected)
        centre = 128 if output_dtype == "uint8" else 0
        back = (expected.astype(np.float32) - centre) * scales[:, None]
        np.testing.assert_array_equal(dequantize(codes), back)
        assert not dequantize(codes)[3].any()
        assert codes.scale.values[3] == np.float32(1) / np.float32(127)
        again = quantize(x, output_dtype, scale=codes.scale)
        assert again == codes


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")  # ranges of other rows
@pytest.mark.parametrize("output_dtype", INTEGERS)
def test_ranges_have_the_codes_of_sentence_transformers(isa: str, output_dtype: str) -> None:
    for dimension in DIMENSIONS:
        x = rows(40, dimension, dimension)
        ranges = ranges_of(x[:20])
        ranges[1, ::5] = ranges[0, ::5]  # constant dimensions
        x[0, :1], x[1, :1], x[2, :1] = 3e38, -3e38, ranges[0, 0]
        codes = quantize(x, output_dtype, scale=ranges)
        expected = reference.quantize_ranges(x, NUMPY[output_dtype], ranges)
        np.testing.assert_array_equal(codes.values, expected)
        back = dequantize(codes)
        np.testing.assert_array_equal(back[:, ::5], np.broadcast_to(ranges[0, ::5], back[:, ::5].shape))
        low, high = ranges
        half = (high - low).astype(np.float64) / 255 * 0.5
        inside = (x >= low) & (x <= high) & (high > low)
        assert (np.abs(back - x)[inside] <= np.broadcast_to(half * 1.001 + 1e-7, x.shape)[inside]).all()


@pytest.mark.parametrize("largest", [1.0, 0.3, 3e-5, 7e4, 1e-31, 1e33])
def test_ranges_floor_the_quotient_that_division_rounds(isa: str, largest: float) -> None:
    # Values next to whole numbers of steps, where one unit in the last place decides; and far outside.
    rng = np.random.default_rng(5)
    high = (largest * rng.uniform(0.5, 1, 256)).astype(np.float32)
    ranges = np.vstack([np.zeros_like(high), high])
    step = (high / np.float32(255)).astype(np.float32)
    near = (np.concatenate([[-1], np.arange(1, 258)]).astype(np.float32)[:, None] * step).view(np.int32)
    x = np.vstack([(near + ulps).view(np.float32) for ulps in (-3, -2, -1, 0, 1, 2, 3)])
    x = np.vstack([x, rng.uniform(-1, 2, (200, 256)).astype(np.float32) * high, high * 1e5, high * -1e5])
    with np.errstate(over="ignore"):
        expected = np.clip(np.floor(x / step), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(quantize(x, "uint8", scale=ranges).values, expected)
    np.testing.assert_array_equal(quantize(x[:7], "uint8", scale=ranges).values, expected[:7])
    np.testing.assert_array_equal(quantize(x[9], "uint8", scale=ranges).values, expected[9:10])


def test_truncation_brings_rows_to_unit_length(isa: str) -> None:
    x = rows(5, 70_000, 3) * np.float32([[1], [1e-30], [1e30], [0], [1e-42]])
    for dimension in (1, 2, 15, 16, 17, 63, 100, 1024, 65_536, 65_537, 70_000):
        kept = x[:, :dimension].astype(np.float64)
        lengths = np.sqrt((kept**2).sum(axis=1, keepdims=True))
        lengths[lengths == 0] = 1
        cut = truncate(x, dimension)
        assert cut.dtype == np.float32
        assert cut.flags.c_contiguous
        np.testing.assert_allclose(cut, (kept / lengths).astype(np.float32), rtol=1.2e-7, atol=1e-44)
    x[1, 7], x[3, 9], x[2, 12] = np.inf, np.nan, np.nan
    assert np.isfinite(truncate(x, 7)).all()
    for dimension, row, column in ((8, 1, 7), (100, 1, 7), (70_000, 1, 7)):
        with pytest.raises(NotFiniteError, match=f"row {row}, column {column}"):
            truncate(x, dimension)
    with pytest.raises(NotFiniteError, match="row 1, column 12"):
        truncate(np.delete(x, 1, axis=0), 50)


def test_ranges_floor_where_rounding_turns(isa: str) -> None:
    # The dividends on either side of every whole quotient less half a unit in its last place, for many steps: there the
    # rounded quotient becomes the whole number.
    rng = np.random.default_rng(6)
    steps = np.concatenate([rng.uniform(1, 2, 1000), 1 + 2.0**-23 * np.arange(16), 2 - 2.0**-23 * np.arange(1, 9)])
    steps = steps.astype(np.float32) * np.float32(2.0**-9)
    scale = Scale.ranges(np.vstack([np.zeros_like(steps), steps * np.float32(255)]))
    divisor = scale.coding(len(steps)).divisor
    codes = np.arange(1, 256)[:, None]
    turn = (codes - 2.0 ** (np.ceil(np.log2(codes)) - 25)) * divisor.astype(np.float64)
    near = turn.astype(np.float32).view(np.int32)
    for ulps in (-1, 0, 1):
        x = (near + ulps).view(np.float32)
        expected = np.clip(np.floor(x / divisor), 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(quantize(x, "uint8", scale=scale).values, expected)


@UNIT_AT_ANY_LENGTH
@pytest.mark.parametrize("output_dtype", INTEGERS)
@pytest.mark.parametrize("far", [200.0, 257.99, 258.02, -258.02, 1e7, -1e7, 3e38, -3e38])
def test_values_far_outside_do_not_disturb_the_others(isa: str, output_dtype: str, far: float) -> None:
    # What is out of reach of the quick way is coded again with care, by blocks; the others must not notice.
    x = rows(5, 4100, 3)
    ranges = ranges_of(x)
    for row, column in ((0, 0), (2, 2047), (2, 2048), (3, 4095), (4, 4099)):
        x[row, column] = far
    dtype = NUMPY[output_dtype]
    np.testing.assert_array_equal(quantize(x, output_dtype).values, reference.quantize_unit(x, dtype))
    by_range = quantize(x, output_dtype, scale=ranges).values
    np.testing.assert_array_equal(by_range, reference.quantize_ranges(x, dtype, ranges))
    scales = reference.per_vector_scales(rows(5, 4100, 3))
    given = quantize(x, output_dtype, scale=Scale.per_vector(scales)).values
    np.testing.assert_array_equal(given, reference.quantize_per_vector(x, dtype, scales))
    x[2, 2500] = x[4, 3] = np.nan
    for scale in ("unit", "per-vector", ranges, Scale.per_vector(scales)):
        with pytest.raises(NotFiniteError, match="row 2, column 2500"):
            quantize(x, output_dtype, scale=scale)


@UNIT_AT_ANY_LENGTH
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(x=hnp.arrays(np.float32, (3, 37), elements=FINITE), ranges=hnp.arrays(np.float32, (2, 37), elements=FINITE))
def test_any_finite_values(isa: str, x: np.ndarray, ranges: np.ndarray) -> None:
    ranges = np.sort(ranges / 2, axis=0)
    scales = reference.per_vector_scales(x)
    for name, dtype in NUMPY.items():
        np.testing.assert_array_equal(quantize(x, name).values, reference.quantize_unit(x, dtype))
        per_vector = quantize(x, name, scale="per-vector").values
        np.testing.assert_array_equal(per_vector, reference.quantize_per_vector(x, dtype, scales))
        by_range = quantize(x, name, scale=ranges).values
        np.testing.assert_array_equal(by_range, reference.quantize_ranges(x, dtype, ranges))


# The worst error of a value, in steps of the code, and the worst cosine, of rows of unit length.
BUDGETS = {("int8", "unit"): 0.996, ("uint8", "unit"): 0.996, ("int8", "per-vector"): 0.9999}
BUDGETS |= {("uint8", "per-vector"): 0.9999, ("int8", "ranges"): 0.9998, ("uint8", "ranges"): 0.9998}


@pytest.mark.parametrize(("output_dtype", "scale"), BUDGETS)
def test_error_budget(output_dtype: str, scale: str) -> None:
    x = rows(200, 1024)
    codes = quantize(x, output_dtype, scale=ranges_of(x) if scale == "ranges" else scale)
    back = dequantize(codes)
    if scale == "ranges":
        step = codes.scale.affine(output_dtype, 1024)[0]
    else:
        step = codes.scale.values[:, None] if scale == "per-vector" else 1 / (127 if output_dtype == "int8" else 127.5)
    assert np.abs(back - x).max(axis=0).max() > 0
    assert (np.abs(back - x) / step).max() <= 0.5001
    cosine = np.einsum("ij,ij->i", back, x) / np.linalg.norm(back, axis=1)
    assert cosine.min() >= BUDGETS[output_dtype, scale]


@each("output_dtype, scale", [*BUDGETS, ("float", "unit"), ("binary", "unit"), ("ubinary", "unit")])
@each("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused_with_its_place(isa: str, output_dtype: str, bad: float, scale: str) -> None:
    for dimension in (1, 7, 64, 100, 1000):
        for row, column in ((0, 0), (3, dimension - 1), (2, dimension // 2)):
            x = rows(4, dimension)
            ranges = ranges_of(x)
            x[row, column] = bad
            x[3, dimension - 1] = bad
            with pytest.raises(NotFiniteError, match=f"row {row}, column {column} is") as caught:
                quantize(x, output_dtype, scale=ranges if scale == "ranges" else scale)
            assert (caught.value.row, caught.value.column) == (row, column)
            assert isinstance(caught.value, ValueError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


def test_numbers_beyond_float32_are_refused() -> None:
    with pytest.raises(NotFiniteError, match="row 1, column 0"):
        quantize([[1.0], [1e300]], "int8")


def test_scale_is_refused_where_it_does_not_fit() -> None:
    x = rows(3, 8)
    with pytest.raises(ValueError, match="'unit', 'per-vector', ranges"):
        quantize(x, "int8", scale="max")
    with pytest.raises(ValueError, match="needs its ranges"):
        quantize(x, "int8", scale="ranges")
    with pytest.raises(ValueError, match="have no scale"):
        quantize(x, "ubinary", scale="per-vector")
    with pytest.raises(ValueError, match="7 dimensions for codes of 8"):
        quantize(x, "int8", scale=np.zeros((2, 7)))
    with pytest.raises(ValueError, match="2 rows does not fit 3"):
        quantize(x, "int8", scale=Scale.per_vector([1, 1]))
    with pytest.raises(ValueError, match="minimum <= maximum; dimension 1"):
        quantize(x, "int8", scale=[[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="unknown OutputDtype 'int4'"):
        quantize(x, "int4")
    with pytest.raises(ValueError, match="different lengths"):
        quantize([[1.0], [1.0, 2.0]], "int8")
    with pytest.raises(ValueError, match=r"row 1, column 2 is 1e\+300: beyond float32"):
        quantize(np.where(np.arange(6) == 5, 1e300, 0.0).reshape(2, 3), "int8")
    assert quantize([], "int8").values.shape == (0, 0)
    np.testing.assert_array_equal(dequantize(x), x)
    with pytest.raises(TypeError, match="Embeddings"):
        dequantize(quantize(x, "int8").values)


@pytest.mark.parametrize("scale", ["unit", "per-vector", "ranges"])
@pytest.mark.parametrize("output_dtype", INTEGERS)
def test_affine_says_what_the_kernels_do(scale: str, output_dtype: str) -> None:
    x = rows(50, 33)
    codes = quantize(x, output_dtype, scale=ranges_of(x) if scale == "ranges" else scale)
    a, b = codes.scale.affine(output_dtype, 33)
    assert a.dtype == b.dtype == np.float32
    by_affine = a * codes.values.astype(np.float32) + b
    if scale == "per-vector":
        by_affine = by_affine * codes.scale.values[:, None]
    # Two roundings of terms below 1 in magnitude.
    np.testing.assert_allclose(by_affine, dequantize(codes), rtol=0, atol=2e-7)


def test_empty_and_single() -> None:
    for output_dtype in ("float", "int8", "uint8", "binary", "ubinary"):
        assert quantize(np.empty((0, 9), np.float32), output_dtype).to_float().shape == (0, 9)
        assert quantize(np.empty((2, 0), np.float32), output_dtype).to_float().shape == (2, 0)
        assert quantize([0.5], output_dtype).to_float().shape == (1, 1)
    assert quantize(np.empty((0, 9), np.float32), "int8", scale="per-vector").scale.values.shape == (0,)


def test_inputs_of_every_kind() -> None:
    x = rows(4, 20)
    expected = quantize(x, "int8")
    read_only = x.copy()
    read_only.flags.writeable = False
    big_endian = x.astype(">f4")
    for same in (x.tolist(), x.astype(np.float64), read_only, big_endian, np.asfortranarray(x), x.repeat(2, 0)[::2]):
        assert quantize(same, "int8") == expected
    assert quantize(quantize(x, "float"), "int8") == expected


def test_threshold_inclusive_sets_zeros() -> None:
    assert quantize([0.0, -0.0, -1.0], "ubinary", threshold_inclusive=True).values.tolist() == [[0b11000000]]
    assert quantize([0.0, -0.0, -1.0], "ubinary").values.tolist() == [[0]]


def test_truncate() -> None:
    x = rows(5, 100)
    x[2] = 0
    cut = truncate(x, 37)
    assert cut.dtype == np.float32
    expected = x[:, :37] / np.maximum(np.linalg.norm(x[:, :37].astype(np.float64), axis=1), 1e-30)[:, None]
    np.testing.assert_allclose(cut, expected, rtol=1e-6)
    assert not cut[2].any()
    np.testing.assert_array_equal(truncate(x, 37, normalize=False), x[:, :37])
    assert truncate(x[0], 5).shape == (5,)
    assert truncate(np.full((1, 4), 3e38, np.float32), 2)[0] == pytest.approx([0.5**0.5] * 2)
    for dimension in (0, 101, -1):
        with pytest.raises(ValueError, match=f"cannot keep {dimension} of 100|whole number"):
            truncate(x, dimension)
    x[1, 3] = np.nan
    with pytest.raises(NotFiniteError, match="row 1, column 3"):
        truncate(x, 10)


def test_out_is_written_and_returned(isa: str) -> None:
    x = rows(5, 37)
    scales = {"float": [None], "binary": [None], "ubinary": [None]}
    for output_dtype in ("float", "int8", "uint8", "binary", "ubinary"):
        for scale in scales.get(output_dtype, ["unit", "per-vector", ranges_of(x), Scale.per_vector(np.ones(5))]):
            expected = quantize(x, output_dtype, scale=scale)
            out = np.empty_like(expected.values)
            found = quantize(x, output_dtype, scale=scale, out=out)
            assert found == expected
            assert np.shares_memory(found.values, out)
            values = np.empty_like(x)
            assert dequantize(found, out=values) is values
            np.testing.assert_array_equal(values, dequantize(expected))
            for wrong in (out[:4], out.astype(np.float64), np.asfortranarray(out), out.tolist()):
                with pytest.raises(ValueError, match="out must be"):
                    quantize(x, output_dtype, scale=scale, out=wrong)
            out.flags.writeable = False
            with pytest.raises(ValueError, match="writeable"):
                quantize(x, output_dtype, scale=scale, out=out)
            with pytest.raises(ValueError, match=r"float32 array of shape \(5, 37\)"):
                dequantize(found, out=values[:4])
