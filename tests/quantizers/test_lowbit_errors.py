"""Certain error bounds of low-bit codes against the worst query of each row: they hold, and hold with little room."""

from __future__ import annotations

import numpy as np
import pytest

from embcodec import CodeMismatchError, LowBitCodes, LowBitQuantizer
from embcodec.quantizers.lowbit.errors import certain_bounds, errors_of, rounding_of
from embcodec.quantizers.lowbit.queries import prepare_queries


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)).astype(np.float32)


def missed(x: np.ndarray, codes: LowBitCodes) -> np.ndarray:
    """What the codes leave out of rows."""
    levels = codes.scheme.values_of(codes.bit_planes).astype(np.float64)
    center = 0.0 if codes.scheme.center is None else codes.scheme.center.astype(np.float64)
    return x - center - levels * codes.row_scales()[:, None]


def parts_of_bounds(x: np.ndarray, codes: LowBitCodes, queries: np.ndarray) -> np.ndarray:
    """How much of its bound each row's error is with the query of its own."""
    exact = np.einsum("ij,ij->i", queries.astype(np.float64), x)
    rows = [codes[row : row + 1] for row in range(len(x))]
    found = np.array([row.estimate(query[None])[0, 0] for row, query in zip(rows, queries, strict=True)])
    bounds = np.array([row.error_bounds(query[None])[0, 0] for row, query in zip(rows, queries, strict=True)])
    return np.asarray(np.abs(exact - found) / bounds)


@pytest.mark.parametrize("longer", [1.0, 3.0])
@pytest.mark.parametrize("center", ["none", "mean"])
@pytest.mark.parametrize("dimension", [2, 8, 40])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_the_worst_query_of_a_row_keeps_to_its_bound(bits: int, dimension: int, center: str, longer: float) -> None:
    x = unit(np.random.default_rng(dimension).standard_normal((50, dimension)))
    x[::2] *= longer
    codes = LowBitQuantizer(bits, rotation="none", center=center).fit(x).encode(x)
    parts = parts_of_bounds(x, codes, unit(missed(x, codes)))
    assert parts.max() <= 1
    assert parts.max() >= 0.97
    assert np.median(parts) >= 0.9


@pytest.mark.parametrize("dimension", [2, 3, 5, 7, 8, 13, 40])
@pytest.mark.parametrize("longer", [1.0, 3.0])
def test_rows_that_the_bits_say_exactly_are_off_by_the_rounding_of_their_scales(dimension: int, longer: float) -> None:
    signs = np.where(np.random.default_rng(dimension).random((40, dimension)) < 0.5, -1.0, 1.0)
    x = unit(signs) * np.float32(longer)
    codes = LowBitQuantizer(1, rotation="none", center="none").fit(unit(signs)).encode(x)
    errors = np.abs(np.einsum("ij,ij->i", unit(signs).astype(np.float64), x) - np.diag(codes.estimate(unit(signs))))
    bounds = np.diag(codes.error_bounds(unit(signs)))
    assert (errors <= bounds).all()
    assert (bounds <= 0.1 * longer).all()


@pytest.mark.parametrize(("bits", "off"), [(1, 0.0), (2, 3e-4), (4, 3e-4)])
def test_a_query_along_the_center_is_off_by_rounded_lengths_and_by_missed_unit_length(bits: int, off: float) -> None:
    """Such a query shares all of itself with the center: what the bits leave out does not count."""
    rng = np.random.default_rng(bits)
    x = unit(rng.standard_normal((60, 24)) / 4 + np.eye(24)[0])
    x *= (1 + off * np.where(rng.random((60, 1)) < 0.5, -1, 1)).astype(np.float32)
    codes = LowBitQuantizer(bits, rotation="none", center="mean").fit(x).encode(x)
    center = codes.scheme.center
    assert center is not None
    assert codes.are_unit.all()
    parts = parts_of_bounds(x, codes, np.repeat(unit(center[None]), 60, axis=0))
    assert parts.max() <= 1
    assert parts.max() >= (0.5 if off == 0 else 0.9)


@pytest.mark.parametrize("bits", [1, 4])
def test_bounds_have_room_for_float32(bits: int) -> None:
    """Estimates are sums in float32: a part of the error and a part of the longest row are added."""
    x = unit(np.random.default_rng(0).standard_normal((50, 24)))
    codes = LowBitQuantizer(bits, rotation="none", center="none").fit(x).encode(np.concatenate([x, 5 * x]))
    asked, rows = prepare_queries(codes.scheme, x[:3]), errors_of(codes)
    bounds, lengths = certain_bounds(codes, asked, rows), np.sqrt(codes.row_squares())
    assert rounding_of(codes) >= (np.finfo(np.float16).eps / 2 if bits == 1 else 2 * np.finfo(np.float32).eps)
    most = np.maximum(asked.spreads[:, None] * rows.units, rows.others)
    parts = np.stack([most, np.broadcast_to(np.maximum(1, lengths), most.shape)], axis=-1).reshape(-1, 2)
    room = (bounds - most).ravel()
    margins, *_ = np.linalg.lstsq(parts, room, rcond=None)
    np.testing.assert_allclose(parts @ margins, room, rtol=1e-6)
    assert (margins >= 0.99e-6).all()
    assert (margins <= 2e-5).all()


def test_the_widest_of_rows_is_the_largest_of_each_of_their_errors() -> None:
    x = unit(np.random.default_rng(0).standard_normal((50, 24)))
    codes = LowBitQuantizer(1, rotation="none", center="mean").fit(x).encode(np.concatenate([x, 2 * x[:9]]))
    assert codes.widest == tuple(float(part.max()) for part in errors_of(codes))
    assert min(codes.widest) > 0


@pytest.mark.parametrize("factor", [1e-4, 3e-5, 1e-6, 1.3e-7, 3e-8])
@pytest.mark.parametrize("longest", [1.0, 1e6])
def test_rows_far_shorter_than_the_sample_are_off_by_whole_steps_of_what_is_stored(
    factor: float, longest: float
) -> None:
    rng = np.random.default_rng(5)
    sample = rng.standard_normal((500, 64)) * longest
    quantizer = LowBitQuantizer(bits=1, rotation="none").fit(sample.astype(np.float32))
    rows = (rng.standard_normal((100, 64)) * (longest * factor)).astype(np.float32)
    rows[:50] = np.abs(rows[:50]).mean(axis=1, keepdims=True) * np.sign(rows[:50])  # which the bits say exactly
    codes = quantizer.encode(rows)
    rests = rows.astype(np.float64) - codes.to_float()
    queries = (rests / np.maximum(np.linalg.norm(rests, axis=1, keepdims=True), 1e-300)).astype(np.float32)
    errors = np.abs(codes.estimate(queries) - queries.astype(np.float64) @ rows.T.astype(np.float64))
    assert (errors <= codes.error_bounds(queries)).all()


@pytest.mark.parametrize("asked", [0, 15, 17])
@pytest.mark.parametrize("wish", [{"bits": 2}, {"bytes_per_vector": 6}])
def test_queries_of_other_dimensions_are_refused(wish: dict[str, int], asked: int) -> None:
    x = unit(np.random.default_rng(1).standard_normal((60, 16)).astype(np.float32))
    codes = LowBitQuantizer(**wish).fit(x).encode(x)
    for ask in (codes.estimate, codes.error_bounds):
        with pytest.raises(CodeMismatchError, match=rf"queries have {asked} dimensions, the rows 16.*queries"):
            ask(np.ones((3, asked), np.float32))
        assert ask(np.ones((0, 16), np.float32)).shape == (0, 60)


@pytest.mark.parametrize("dimension", [1, 2, 9])
@pytest.mark.parametrize("count", [1, 4])
def test_bounds_of_codes_fitted_to_rows_that_are_all_alike(dimension: int, count: int) -> None:
    """Such a sample says nothing of directions: what it does not say must not make other rows' codes say wrong."""
    rng = np.random.default_rng(dimension)
    sample = np.repeat(rng.standard_normal((1, dimension)), count, axis=0).astype(np.float32)
    x = rng.standard_normal((200, dimension)).astype(np.float32)
    codes = LowBitQuantizer(bytes_per_vector=4).fit(sample).encode(x)
    queries = x[::-1] - sample[0]
    assert parts_of_bounds(x, codes, queries).max() <= 1 + 1e-5
    if dimension == 1:  # with all the bits in one direction
        np.testing.assert_allclose(codes.to_float(), x, rtol=0.01, atol=0.01)
