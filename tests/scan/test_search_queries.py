"""Queries on their way into a scan: their form and their terms, on every tier, against NumPy in float64."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embcodec import Embeddings, LowBitQuantizer, Scale, quantize, range_search, search
from embcodec._native import bits, core
from embcodec._native import scan as native

COSTS = {"dot": native.COST_DOT, "cosine": native.COST_COSINE, "l2": native.COST_L2}
DIMENSIONS = (1, 7, 15, 16, 17, 100, 1000, 65_536)
RARE = (0.0, -0.0, 1e-45, -1e-40, 1e-38, 1e-30, -1e-20, 1e30, -3e30, 0.5, -1.0, 127.0)

vectors = st.integers(1, 70).flatmap(
    lambda d: st.lists(
        st.lists(st.one_of(st.sampled_from(RARE), st.floats(-2.0, 2.0, width=32)), min_size=d, max_size=d),
        min_size=0,
        max_size=20,
    ).map(lambda rows: np.array(rows, np.float32).reshape(-1, d))
)


def moderated(x: NDArray[np.float32], metric: str) -> NDArray[np.float32]:
    """Queries for a cosine as powers of two bring them near 1, where they are not within 2^-9 .. 2^8."""
    exponents = np.frexp(np.abs(x).max(axis=1, initial=0))[1]
    exponents[(np.abs(exponents) <= 8) | (metric != "cosine")] = 0
    return np.ldexp(x.astype(np.float64), -exponents[:, None]).astype(np.float32)


def expected_terms(
    metric: str, mul: Any, bias: Any, squares: NDArray[np.float64], rows_square: float | None = None
) -> NDArray[np.float64]:
    """The terms by their definition; `rows_square` where all rows are as long."""
    lengths = np.sqrt(squares) * (1 if rows_square is None else np.sqrt(rows_square))
    inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    mul, bias = np.broadcast_to(mul, squares.shape), np.broadcast_to(bias, squares.shape)
    if metric == "cosine":
        return np.array([mul * inverse, bias * inverse, 0 * mul])
    if metric == "l2" and rows_square is not None:
        return np.array([2 * mul, 2 * bias - (squares + rows_square), 0 * mul])
    return np.array([mul, bias, squares if metric == "l2" else 0 * mul])


def assert_terms(scan: native.Scan, expected: NDArray[np.float64], slack: Any = 0) -> None:
    assert scan.terms is not None
    error = np.abs(scan.terms - expected)
    assert (error <= np.abs(expected) * 2.0**-23 + 1e-45 + slack).all()


def check_floats(x: NDArray[np.float32], metric: str) -> None:
    scan = native.Scan(native.DOT_F32, x, x[:0])
    scan.meet(COSTS[metric], x.shape[1])
    y = moderated(x, metric)
    assert (scan.queries is x) == np.array_equal(x, y)
    assert np.array_equal(scan.queries.view(np.float32).reshape(x.shape), y)
    assert_terms(scan, expected_terms(metric, 1, 0, (y.astype(np.float64) ** 2).sum(axis=1)))


def check_integers(x: NDArray[np.float32], metric: str, step: Any, offset: Any, decode: int) -> None:
    y = moderated(x, metric)
    scan = native.Scan(native.DOT_F32 if decode else native.DOT_I8, x, np.empty((0, x.shape[1]), np.int8), decode)
    if np.ndim(step):
        scan.set_ranges(step, offset)
    else:
        scan.args.step, scan.args.centre = step, 0.5 if offset else 0.0
    with np.errstate(over="ignore"):
        folded = y * step
    if not np.isfinite(folded).all():
        with pytest.raises(ValueError, match="too large"):
            scan.meet(COSTS[metric], x.shape[1])
        return
    products = y.astype(np.float64) * offset
    bias, squares = products.sum(axis=1), (y.astype(np.float64) ** 2).sum(axis=1)
    scales = np.ones(len(x))
    if not decode:
        scales = np.abs(folded).max(axis=1, initial=0).astype(np.float64) / 127
    if metric == "cosine" and not decode and not np.ndim(step):  # of the query as it was rounded
        codes = np.rint(folded * np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)[:, None])
        squares = (scales / step) ** 2 * (codes**2).sum(axis=1)
        products = scales[:, None] / step * codes * offset
        bias = products.sum(axis=1)
    expected = expected_terms(metric, scales, bias, squares)
    if (np.abs(expected) >= 3.4e38).any():
        with pytest.raises(ValueError, match="too large"):
            scan.meet(COSTS[metric], x.shape[1])
        return
    scan.meet(COSTS[metric], x.shape[1])
    if decode:
        assert np.array_equal(scan.queries.view(np.float32).reshape(x.shape), folded)
    else:
        inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
        codes = np.rint(folded * inverse[:, None])
        assert np.array_equal(scan.queries.view(np.int8).reshape(x.shape), codes)
        assert np.abs(codes).max(initial=0) <= 127
    # a sum in float64, whatever its order: within d * 2^-53 of the sum of magnitudes
    slack = np.zeros((3, len(x)))
    slack[1] = expected_terms(metric, 0, np.abs(products).sum(axis=1), squares)[1] * x.shape[1] * 2.0**-53
    assert_terms(scan, expected, slack)


@given(vectors, st.sampled_from(sorted(COSTS)))
@settings(max_examples=40)
def test_floats_stay_or_are_moderated(x: NDArray[np.float32], metric: str) -> None:
    too_large = metric == "l2" and x.size and (x.astype(np.float64) ** 2).sum(axis=1).max() > 3.4e38
    for isa in core.available_isas():
        with core.forced_isa(isa), pytest.raises(ValueError, match="too large") if too_large else nullcontext():
            check_floats(x, metric)


@given(vectors, st.sampled_from(sorted(COSTS)), st.sampled_from(["step", "shifted", "ranges"]), st.booleans())
@settings(max_examples=60)
def test_floats_onto_integers(x: NDArray[np.float32], metric: str, kind: str, decoded: bool) -> None:
    d = x.shape[1]
    rng = np.random.default_rng(d)
    step, offset = np.float32(1 / 127), np.float32(0)
    if kind == "shifted":
        step = np.float32(1 / 127.5)
        offset = np.float32(0.5) * step
    if kind == "ranges":
        step, offset = np.abs(rng.standard_normal((2, d)).astype(np.float32))
    for isa in core.available_isas():
        with core.forced_isa(isa):
            check_integers(x, metric, step, offset, native.DECODE_I8 if decoded else native.DECODE_NONE)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_every_dimension(isa: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    x = rng.standard_normal((18, dimension)).astype(np.float32)
    x[3], x[5], x[6] = 0, x[5] * np.float32(1e30), x[6] * np.float32(1e-36)
    ranges = np.abs(rng.standard_normal((2, dimension)).astype(np.float32))
    for metric in ("cosine", "dot"):
        check_floats(x, metric)
        check_integers(x, metric, ranges[0], ranges[1], native.DECODE_NONE)
        check_integers(x, metric, np.float32(1 / 127), np.float32(0), native.DECODE_NONE)


@each("metric", sorted(COSTS))
@each("dimension", [1, 7, 8, 64, 100])
@each("offset", [False, True])
@each("order", ["msb", "lsb"])
def test_floats_onto_bits(isa: str, metric: str, dimension: int, offset: bool, order: str) -> None:
    rng = np.random.default_rng(dimension)
    x = rng.standard_normal((19, dimension)).astype(np.float32)
    x[2] = 0
    packed = bits.pack_bits_f32(
        rng.standard_normal((9, dimension)).astype(np.float32), 0.0, bits.bit_flags(order, offset=offset)
    )
    signs = bits.unpack_bits(packed, dimension, bits.bit_flags(order, offset=offset), np.float32)
    scan = native.Scan(native.DOT_F32, x, packed, native.DECODE_U1)
    scan.meet(COSTS[metric], dimension, flags=bits.bit_flags(order, offset=offset))
    stored = bits.unpack_bits(packed, 8 * packed.shape[1], bits.bit_flags("msb", offset=False), np.float32)
    dots = scan.queries.view(np.float32).reshape(19, -1).astype(np.float64) @ stored.T
    assert np.allclose(dots, x.astype(np.float64) @ signs.T, rtol=0, atol=1e-12 * dimension)
    assert_terms(scan, expected_terms(metric, 1, 0, (x.astype(np.float64) ** 2).sum(axis=1), dimension), 1e-15)


@pytest.mark.parametrize("metric", sorted(COSTS))
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("centre", [0.0, 0.5])
def test_codes(isa: str, metric: str, dtype: Any, centre: float) -> None:
    rng = np.random.default_rng(4)
    step, flip = np.float32(0.01), 0x80 if dtype == np.uint8 else 0
    for n, dimension in ((0, 5), (1, 1), (33, 7), (5, 300)):
        codes = rng.integers(0, 256, (n, dimension)).astype(np.uint8)
        scales = rng.uniform(0.5, 2, n).astype(np.float32)
        scan = native.Scan(native.DOT_I8, codes.view(dtype), codes.view(dtype))
        scan.args.step, scan.args.centre, scan.args.flip = step, centre, flip
        scan.meet(COSTS[metric], dimension, scales=scales)
        signed = (codes ^ np.uint8(flip)).view(np.int8)
        assert np.array_equal(scan.queries.view(np.int8).reshape(codes.shape), signed)
        own = scales.astype(np.float64) * step
        values = own[:, None] * (signed + centre)
        bias = float(step) * centre * values.sum(axis=1)
        expected = expected_terms(metric, own * float(step), bias, (values**2).sum(axis=1))
        assert_terms(scan, expected, np.abs(expected) * 2.0**-23 + 1e-9)


def test_what_is_refused(isa: str) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(0, 0.2, (40, 24)).astype(np.float32)
    kinds: list[Any] = [
        Embeddings(x),
        quantize(x, "int8"),
        quantize(x, "uint8", scale="per-vector"),
        quantize(x, "int8", scale=Scale.ranges([[-1.0] * 24, [1.0] * 24])),
        quantize(x, "binary"),
        LowBitQuantizer(1).fit(x).encode(x),
    ]
    for rows in kinds:
        for bad in (np.nan, np.inf, -np.inf):
            queries = x.copy()
            queries[17, 3] = queries[30, 0] = bad
            for precision in ("int8", "float32"):
                with pytest.raises(ValueError, match=r"^query 17 has NaN or infinite values, the first in column 3$"):
                    search(queries, rows, 3, metric="dot", query_precision=precision)
        assert search(x[:0], rows, 3, metric="dot").indices.shape == (0, 3)
    huge = np.full((2, 24), 3e38, np.float32)
    for rows in (kinds[0], kinds[1], kinds[4]):
        with pytest.raises(ValueError, match=r"^queries are too large for float32$"):
            search(huge, rows, 3, metric="l2")
        assert np.isfinite(search(huge, rows, 3).scores).all()


def test_queries_need_no_alignment(isa: str) -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(0, 0.15, (300, 40)).astype(np.float32)
    memory = np.zeros(5 * 40 * 4 + 1, np.uint8)
    queries = memory[1:].view(np.float32).reshape(5, 40)
    queries[:] = x[:5]
    for rows in (Embeddings(x), quantize(x, "int8"), quantize(x, "ubinary"), quantize(x, "int8", scale="per-vector")):
        for one, two in zip(search(queries, rows, 7), search(x[:5], rows, 7), strict=True):
            assert np.array_equal(one, two)


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_ranges_of_low_bit_codes_together_as_alone(metric: str) -> None:
    """One scan for all queries, each with a threshold of its own on raw scores, finds what a scan a query finds."""
    rng = np.random.default_rng(9)
    x = rng.standard_normal((700, 48)).astype(np.float32) + np.float32(0.3)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    codes = LowBitQuantizer(2, rotation="random").fit(x).encode(x)
    threshold = 1.2 if metric == "l2" else 0.4
    limits, scores, rows = range_search(x[:9], codes, threshold, metric=metric)
    full = search(x[:9], codes, 700, metric=metric)
    assert 9 < limits[-1] < 9 * 700
    for q in range(9):
        inside = full.scores[q] < threshold if metric == "l2" else full.scores[q] > threshold
        part = slice(limits[q], limits[q + 1])
        assert np.array_equal(np.sort(rows[part]), np.sort(full.indices[q][inside]))
        assert np.array_equal(scores[part], full.scores[q][inside])
        alone = range_search(x[q], codes, threshold, metric=metric)
        assert np.array_equal(alone.indices, rows[part])


def test_tiers_agree_to_the_bit() -> None:
    rng = np.random.default_rng(10)
    x = rng.standard_normal((21, 333)).astype(np.float32)
    steps, offsets = np.abs(rng.standard_normal((2, 333)).astype(np.float32))
    found: list[bytes] = []
    for isa in core.available_isas():
        with core.forced_isa(isa):
            scan = native.Scan(native.DOT_I8, x, np.empty((0, 333), np.int8))
            scan.set_ranges(steps, offsets)
            scan.meet(native.COST_COSINE, 333)
            assert scan.terms is not None
            found.append(scan.queries.tobytes() + scan.terms.tobytes())
    assert len(set(found)) == 1
