"""The typed matrix: what it accepts, how it is cut, converted, compared and pickled."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from each import each

from embcodec import Embeddings, NotFiniteError, Scale, quantize

ALL = ("float", "int8", "uint8", "binary", "ubinary")
INTEGERS = ("int8", "uint8")


def sample(n: int = 12, dimension: int = 19) -> np.ndarray:
    x = np.random.default_rng(5).standard_normal((n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True).astype(np.float32)


def every_kind(x: np.ndarray) -> list[Embeddings]:
    ranges = np.vstack([x.min(axis=0), x.max(axis=0)])
    kinds = [quantize(x, name) for name in ALL]
    kinds += [quantize(x, name, scale=scale) for name in INTEGERS for scale in ("per-vector", ranges)]
    kinds += [quantize(x, "binary", signed_bytes="twos-complement"), quantize(x, "ubinary", bit_order="lsb")]
    return kinds


@pytest.mark.parametrize("index", range(11))
def test_rows_are_selected_with_their_scales(index: int) -> None:
    x = sample()
    rows = every_kind(x)[index]
    reals = rows.to_float()
    mask = np.arange(12) % 3 == 0
    for key in (slice(2, 9, 3), slice(None, None, -1), [3, 3, -1], np.array([5]), mask, slice(4, 4)):
        taken = rows[key]
        np.testing.assert_array_equal(taken.to_float(), reals[key])
        assert taken.values.flags.c_contiguous
    for row in (0, 11, -1, -12, np.int64(3)):
        np.testing.assert_array_equal(rows[row].to_float(), reals[row][None])
    assert [len(row) for row in rows] == [1] * 12
    for row in (12, -13):
        with pytest.raises(IndexError, match=f"row {row} of 12"):
            rows[row]
    with pytest.raises(IndexError, match="rows only"):
        rows[:, 3]


@pytest.mark.parametrize("index", range(11))
def test_equality_pickle_and_repr(index: int) -> None:
    rows = every_kind(sample())[index]
    copy = pickle.loads(pickle.dumps(rows))
    assert copy == rows
    assert copy.meaning == rows.meaning
    assert rows != rows[:5]
    assert rows != "rows"
    for other in every_kind(sample()):
        assert (other == rows) == (other.meaning == rows.meaning)
    assert f"12 x 19 {rows.output_dtype}" in repr(rows)
    assert f"{rows.nbytes} bytes" in repr(rows)
    with pytest.raises(TypeError, match="unhashable"):
        hash(rows)
    with pytest.raises(AttributeError):
        rows.dimension = 3  # type: ignore[misc]


@each("index", range(11))
@each("target", ALL)
def test_every_pair_converts_through_its_values(index: int, target: str) -> None:
    rows = every_kind(sample())[index]
    converted = rows.to(target)
    assert converted.output_dtype == target
    assert (converted.bit_order, converted.signed_bytes) == (rows.bit_order, rows.signed_bytes)
    if target == rows.output_dtype:
        assert converted is rows
    elif target in INTEGERS and rows.scale is not None and rows.scale.kind != "unit":
        np.testing.assert_array_equal(converted.to_float(), rows.to_float())  # the levels are the same
        assert converted.scale == rows.scale
        assert converted.to(rows.output_dtype) == rows
    elif target in ("binary", "ubinary") and rows.output_dtype.is_packed:
        np.testing.assert_array_equal(converted.to_float(), rows.to_float())
        assert converted.to(rows.output_dtype) == rows
    else:
        again = quantize(rows.to_float(), target, signed_bytes=rows.signed_bytes, bit_order=rows.bit_order)
        np.testing.assert_array_equal(converted.values, again.values)


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")  # ranges of other rows
@pytest.mark.parametrize("index", range(1, 11))
def test_large_matrices_convert_block_by_block(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embcodec.embeddings._BLOCK_BYTES", 1 << 18)
    x = sample(300, 1001)  # several blocks, the last one short
    rows = every_kind(x)[index]
    reals = rows.to_float()
    lengths = np.sqrt((reals.astype(np.float64) ** 2).sum(axis=1))
    np.testing.assert_allclose(rows.norms(), lengths, rtol=1e-6)
    ranges = np.vstack([x.min(axis=0), x.max(axis=0)])
    scales = Scale.per_vector(np.linspace(0.001, 0.002, 300))
    for target, scale in [(t, s) for t in INTEGERS for s in ("unit", "per-vector", ranges, scales)] + [
        ("ubinary", None)
    ]:
        if target == "ubinary" and rows.output_dtype.is_packed:
            continue
        direct = quantize(reals, target, scale=scale, signed_bytes=rows.signed_bytes, bit_order=rows.bit_order)
        assert rows.to(target, scale=scale) == direct
    with pytest.raises(ValueError, match="per-vector scale for 299 does not fit 300"):
        rows.to("int8", scale=Scale.per_vector(np.ones(299)))
    with pytest.raises(ValueError, match="have no scale"):
        rows.to("ubinary", scale=ranges)


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
def test_conversion_names_the_row_whose_value_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embcodec.embeddings._BLOCK_BYTES", 1 << 18)
    scales = np.ones(300, np.float32)
    scales[270] = 3e38
    rows = Embeddings(np.full((300, 1001), 2, np.int8), "int8", scale=Scale.per_vector(scales))
    with pytest.raises(NotFiniteError, match="row 270, column 0"):
        rows.to("uint8", scale="unit")


def test_scale_of_a_conversion() -> None:
    x = sample()
    unit = quantize(x, "int8")
    recoded = unit.to("int8", scale="per-vector")
    assert recoded == quantize(unit.to_float(), "int8", scale="per-vector")
    assert unit.to("int8", scale=Scale.unit()) is unit
    ranges = Scale.ranges(np.vstack([x.min(axis=0), x.max(axis=0)]))
    assert quantize(x, "float").to("uint8", scale=ranges) == quantize(x, "uint8", scale=ranges)
    with pytest.raises(ValueError, match="have no scale"):
        unit.to("ubinary", scale="per-vector")


@pytest.mark.parametrize("index", range(11))
def test_truncation_cuts_the_values(index: int) -> None:
    rows = every_kind(sample())[index]
    for dimension in (1, 7, 8, 9, 16, 18, 19):
        cut = rows.truncate(dimension, normalize=False)
        assert cut.dimension == dimension
        np.testing.assert_array_equal(cut.to_float(), rows.to_float()[:, :dimension])
        assert cut == pickle.loads(pickle.dumps(cut))  # validates again: the padding is clean
    for dimension in (0, 20):
        with pytest.raises(ValueError, match=f"cannot keep {dimension} of 19"):
            rows.truncate(dimension)


def test_truncated_floats_are_unit_again() -> None:
    cut = quantize(sample(), "float").truncate(5)
    np.testing.assert_allclose(cut.norms(), 1, rtol=1e-6)
    assert quantize(np.zeros((1, 4), np.float32), "float").truncate(2).values.tolist() == [[0, 0]]


@pytest.mark.parametrize("index", range(11))
def test_norms(index: int) -> None:
    rows = every_kind(sample())[index]
    np.testing.assert_allclose(rows.norms(), np.linalg.norm(rows.to_float().astype(np.float64), axis=1), rtol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_empty_matrices(name: str) -> None:
    for shape in ((0, 16), (3, 0), (0, 0)):
        rows = quantize(np.zeros(shape, np.float32), name)
        assert (len(rows), rows.dimension, rows.to_float().shape) == (*shape, shape)
        assert rows.norms().tolist() == [0.0] * shape[0]
        assert pickle.loads(pickle.dumps(rows)) == rows
        assert rows.to("float").to(name) == rows
        assert len(rows[:0]) == 0


def test_values_are_kept_not_copied() -> None:
    x = sample()
    assert Embeddings(x).values is x
    x.flags.writeable = False
    assert not Embeddings(x).values.flags.writeable
    assert Embeddings(x).to_float().flags.writeable
    assert Embeddings(x.astype(np.float64)).values.dtype == np.float32
    assert Embeddings([[1, 2], [3, 4]]).values.tolist() == [[1, 2], [3, 4]]
    assert Embeddings(np.asfortranarray(x)).values.flags.c_contiguous


def test_array_protocol() -> None:
    x = sample()
    assert np.array_equal(np.asarray(Embeddings(x)), x)
    with pytest.raises(TypeError, match="silently"):
        np.asarray(quantize(x, "int8"))


@pytest.mark.parametrize(
    ("values", "arguments", "error", "match"),
    [
        (np.zeros((2, 3), np.float32), ("int4",), ValueError, "unknown OutputDtype 'int4'; known are"),
        (np.zeros((2, 3), np.int64), ("int8",), TypeError, r"not int64: all fit, pass .astype\(np.int8\)"),
        (np.full((2, 3), 200), ("int8",), TypeError, "int8 codes are int8, not int64, and 200 is not within -128"),
        (np.zeros((2, 3)), ("int8",), TypeError, "quantize makes int8 codes"),
        (np.zeros((2, 3), np.uint8), ("binary",), TypeError, "binary codes are int8, not uint8"),
        (np.zeros(3, np.float32), (), ValueError, r"row\[None\]"),
        (np.zeros((1, 2, 3), np.float32), (), ValueError, "shape"),
        (np.array([["a"]]), (), TypeError, "real numbers"),
        (np.array([[1, None]], object), (), ValueError, "not numbers"),
        (np.array([[1j]]), (), TypeError, "real numbers"),
        (np.array([[True]]), (), TypeError, "real numbers"),
        (np.zeros((2, 3), np.float32), ("float", 4), ValueError, "dimension 4 have 4 elements, not 3"),
        (np.zeros((2, 3), np.uint8), ("ubinary", 25), ValueError, "dimension 25 have 4 elements, not 3"),
        (np.zeros((2, 3), np.uint8), ("ubinary", 23.5), ValueError, "whole number"),
        (np.zeros((2, 3), np.uint8), ("ubinary", -1), ValueError, "whole number"),
        (np.zeros((2, 3), np.uint8), ("ubinary", True), ValueError, "whole number"),
        (np.zeros((2, 3), np.float32), ("float", 3, Scale.unit()), ValueError, "have no scale"),
        (np.zeros((2, 3), np.int8), ("int8", 3, "unit"), TypeError, "scale is a Scale"),
        (np.zeros((2, 3), np.int8), ("int8", 3, Scale.per_vector([1])), ValueError, "for 1 does not fit 2"),
        (np.zeros((2, 3), np.int8), ("int8", 3, Scale.ranges([[0], [1]])), ValueError, "for 1 does not fit 3"),
        (np.zeros((2, 1), np.uint8), ("ubinary", 8, None, "minus"), ValueError, "signed_bytes"),
        (np.zeros((2, 1), np.uint8), ("ubinary", 8, None, "offset", "big"), ValueError, "bit_order"),
        (np.array([[0x80], [0xF8]], np.uint8), ("ubinary", 4), ValueError, "row 1 has bits set after"),
        (np.array([[1]], np.uint8), ("ubinary", 1, None, "offset", "lsb"), None, ""),
        (np.array([[2]], np.uint8), ("ubinary", 1, None, "offset", "lsb"), ValueError, "row 0 has bits set after"),
        (np.array([[0]], np.int8), ("binary", 1), None, ""),
        (np.array([[1]], np.int8), ("binary", 1), ValueError, "row 0 has bits set after"),
    ],
)
def test_validation(values: object, arguments: tuple, error: type[Exception] | None, match: str) -> None:
    if error is None:
        Embeddings(values, *arguments)
        return
    with pytest.raises(error, match=match):
        Embeddings(values, *arguments)


def test_ragged_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="different lengths"):
        Embeddings([[1.0], [1.0, 2.0]])


def test_meaning_tells_codes_apart() -> None:
    x = sample()
    meanings = [rows.meaning for rows in every_kind(x)]
    assert len(set(meanings)) == len(meanings)
    moved = Scale.ranges(np.vstack([x.min(axis=0), x.max(axis=0)]) * np.float32(1.5))
    assert quantize(x, "int8", scale=moved).meaning not in meanings


def test_scale_is_immutable_and_compares() -> None:
    scale = Scale.per_vector([1.0, 2.0])
    with pytest.raises(AttributeError, match="immutable"):
        scale.kind = "unit"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        scale.values[0] = 3
    assert scale == Scale.per_vector([1.0, 2.0]) != Scale.per_vector([1.0, 3.0])
    assert pickle.loads(pickle.dumps(scale)) == scale
    for bad in ([0.0], [-1.0], [np.nan], [np.inf], [[1.0]]):
        with pytest.raises(ValueError, match="per-vector scales"):
            Scale.per_vector(bad)
    for bad in ([[0.0], [np.inf]], [[1.0], [0.0]], [[-3e38], [3e38]], [[np.nan], [1.0]], [0.0, 1.0]):
        with pytest.raises(ValueError, match="ranges"):
            Scale.ranges(bad)
    with pytest.raises(ValueError, match="has no ranges"):
        scale.coding(2)
    with pytest.raises(ValueError, match="codes have no scale"):
        scale.affine("ubinary", 8)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_codes_do_not_pass_for_floats(dtype: type) -> None:
    with pytest.raises(TypeError, match="say output_dtype"):
        Embeddings(np.ones((1, 2), dtype))
    assert Embeddings(np.ones((1, 2), dtype).astype(np.float32)).dimension == 2


@pytest.mark.parametrize("dimension", [8, 13, 64, 129])
@pytest.mark.parametrize("bit_order", ["msb", "lsb"])
@pytest.mark.parametrize("dtype", ["binary", "ubinary"])
def test_bits_change_their_order_and_bytes(dtype: str, bit_order: str, dimension: int) -> None:
    x = np.random.default_rng(dimension).standard_normal((5, dimension)).astype(np.float32)
    for signed_bytes in ("offset", "twos-complement"):
        given = quantize(x, dtype, bit_order=bit_order, signed_bytes=signed_bytes)  # type: ignore[arg-type]
        for to in ("binary", "ubinary"):
            for order in ("msb", "lsb"):
                for signed in ("offset", "twos-complement"):
                    found = given.to(to, bit_order=order, signed_bytes=signed)  # type: ignore[arg-type]
                    wanted = quantize(x, to, bit_order=order, signed_bytes=signed)  # type: ignore[arg-type]
                    assert found == wanted
                    assert np.array_equal(found.to_float(), given.to_float())
        assert given.to(dtype, bit_order=bit_order, signed_bytes=signed_bytes) is given  # type: ignore[arg-type]
        assert given.to(dtype) is given
    with pytest.raises(ValueError, match="bit_order is 'msb' or 'lsb', not 'big'"):
        given.to("binary", bit_order="big")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="signed_bytes is 'offset' or"):
        given.to("binary", signed_bytes="ones")  # type: ignore[call-overload]


def test_shape_and_dtype_are_those_of_the_values() -> None:
    for dtype, shape, kind in (("float", (3, 12), np.float32), ("int8", (3, 12), np.int8), ("binary", (3, 2), np.int8)):
        rows = quantize(np.ones((3, 12), np.float32) / 4, dtype) if dtype != "float" else Embeddings(np.ones((3, 12)))
        assert (rows.shape, rows.dtype) == (rows.values.shape, rows.values.dtype) == (shape, np.dtype(kind))
