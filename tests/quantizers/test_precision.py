"""The unit scale and ranges warn of rows that they ruin, and of none that they are made for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from coded import floats as unit_rows
from each import each

import embcodec as ec
from embcodec import Embeddings, PrecisionWarning, Scale, quantize
from embcodec._native.quantize import quantize_ranges
from embcodec.codec.precision import loss, unwarned

X = unit_rows(200, 384)
SHORT, LONG = X / 100, X * np.float32(20)
RUINED = {
    "standard normals": (LONG, "32% of the values lie outside"),
    "a hundredth": (SHORT, "rows of length 0.01 lose 100%"),
    "whole numbers": (np.tile(np.float32([100, 0, -200, 300]), (9, 3)), "75% of the values"),
    "one row": (LONG[0], "% of the values"),
    "one short row": (SHORT[:1], "rows of length 0.01"),
    "float64": (LONG.astype(np.float64), "% of the values"),
    "a tenth of the rows": (np.vstack([X[:180], SHORT[:20]]), "squared length"),
    "one large dimension": (np.hstack([X, np.full((200, 1), 5, np.float32)]), "0.3% of the values"),
    "beyond doubt": (np.full((3, 8), 3e38, np.float32), "100% of the values"),
    "nearly nothing": (np.full((3, 8), 1e-42, np.float32), "lose 100%"),
}


@each("dtype", ["int8", "uint8"])
@each("name", RUINED)
def test_what_the_unit_scale_ruins_is_said(isa: str, name: str, dtype: str) -> None:
    x, words = RUINED[name]
    with pytest.warns(PrecisionWarning, match=words) as told:
        quantize(x, dtype)
    assert len(told) == 1
    assert 'scale="per-vector"' in str(told[0].message)
    quantize(x, dtype, scale="per-vector")  # the way out, without a word


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("dimension", [1, 8, 64, 384, 1024, 4096])
def test_rows_of_unit_length_pass_without_a_word(dimension: int, dtype: str) -> None:
    rng = np.random.default_rng(dimension)
    x = unit_rows(30, dimension)
    heavy = rng.standard_t(2, (30, dimension)).astype(np.float32)
    sparse = np.where(rng.random(x.shape) < 0.03, x, 0).astype(np.float32)
    lengths = np.linalg.norm(sparse, axis=1, keepdims=True)
    one_hot = np.eye(dimension, dtype=np.float32)[:60]
    for rows in (
        x,
        x[:1],
        heavy / np.linalg.norm(heavy, axis=1, keepdims=True),
        sparse / np.where(lengths == 0, 1, lengths),
        one_hot,
        -one_hot,
        np.full((3, dimension), dimension**-0.5, np.float32),
        np.zeros((3, dimension), np.float32),
        np.vstack([x, np.zeros_like(x)]),
        x * np.float32(1.000001),
        np.empty((0, dimension), np.float32),
    ):
        codes = quantize(rows, dtype)
        assert not loss(rows, codes.values).is_grave  # nor by the measure alone
        assert Embeddings(rows).to(dtype) == codes
    for kept in {max(1, dimension // 16), max(1, dimension // 2)} if dimension >= 64 else ():
        quantize(ec.truncate(x, kept), dtype)
        quantize(ec.truncate(x, kept, normalize=False), dtype)


WAYS: dict[str, Callable[[], Any]] = {
    "quantize": lambda: quantize(LONG, "int8"),
    "quantize, Scale": lambda: quantize(LONG, "int8", scale=Scale.unit()),
    "quantize, out": lambda: quantize(LONG, "int8", out=np.empty(LONG.shape, np.int8)),
    "to": lambda: Embeddings(LONG).to("uint8"),
    "to, from codes": lambda: quantize(LONG, "int8", scale="per-vector").to("int8", scale="unit"),
    "FlatIndex.add": lambda: ec.FlatIndex(quantize(X, "int8")).add(LONG),
    "quantize, ranges": lambda: quantize(LONG, "int8", scale=ec.calibrate(X)),
    "FlatIndex.add, ranges": lambda: ec.FlatIndex(quantize(X, "int8", scale=ec.calibrate(X))).add(LONG),
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_such_codes_warns_where_it_was_called(name: str) -> None:
    with pytest.warns(PrecisionWarning, match="clipped") as told:
        WAYS[name]()
    assert {warning.filename for warning in told} == {__file__}


def test_scales_that_follow_the_rows_do_not_warn() -> None:
    for x in (SHORT, LONG):
        for scale in ("per-vector", ec.calibrate(x)):
            quantize(x, "int8", scale=scale)
        for dtype in ("float", "binary", "ubinary"):
            quantize(x, dtype)


def test_the_measure_is_the_loss() -> None:
    for x, dtype in ((X, "int8"), (X, "uint8"), (LONG, "int8"), (X / 10, "uint8")):
        with unwarned():
            codes = quantize(x, dtype)
        found = loss(x, codes.values)
        errors = np.square(codes.to_float() - x).sum(axis=1) / np.square(x).sum(axis=1)
        assert found.lost == pytest.approx(float(errors.mean()), rel=1e-4)
        assert found.clipped == pytest.approx((np.abs(x) > 1.004).mean(), abs=1e-3)
        assert found.is_grave == (x is not X)


def test_large_matrices_are_measured_by_a_sample() -> None:
    x = np.tile(X, (50, 1))
    with pytest.warns(PrecisionWarning):
        quantize(x * np.float32(9), "int8")
    quantize(x, "int8")


def test_unwarned_is_over_at_its_end() -> None:
    with unwarned():
        quantize(LONG, "int8")
    with pytest.warns(PrecisionWarning):
        quantize(LONG, "int8")


@pytest.mark.parametrize("dtype", ["int8", "ubinary", "float"])
@pytest.mark.parametrize(
    "x", [[[1, -1, 0, 2]], np.array([[300, -5]]), np.ones((2, 8), np.uint8), np.ones((1, 8), np.bool_), [1, 2]]
)
def test_bare_integers_are_refused_with_both_ways_out(x: Any, dtype: str) -> None:
    as_float = r"np\.asarray\(rows, np\.float32\)" if isinstance(x, list) else r" \.astype\(np\.float32\)"
    with pytest.raises(TypeError, match=r"whose meaning is unknown.*Embeddings\((pack_bits\(x\)|values).*" + as_float):
        quantize(x, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        quantize(np.asarray(x).astype(np.float32), dtype)  # the way out


OWN = ec.calibrate(LONG)
MISFITS = {
    "three times as long": (LONG * np.float32(3), "% of the values lie outside the ranges"),
    "moved": (LONG + np.float32(5), "% of the values lie outside the ranges"),
    "one row": (LONG[:1] * np.float32(9), "% of the values lie outside the ranges"),
    "a hundredth": (LONG / np.float32(100), "so little of the ranges that 4[0-9]% of what they say is lost"),
    "one short row": (LONG[:1] / np.float32(500), "so little of the ranges"),
    "alike but for a little": (X[:9] / np.float32(1e3) + np.float32(0.7), "so little of the ranges"),
    "float64": (LONG.astype(np.float64) * 9, "% of the values lie outside the ranges"),
}


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("name", MISFITS)
def test_ranges_of_other_rows_are_told(isa: str, name: str, dtype: str) -> None:
    x, words = MISFITS[name]
    for scale in (OWN, Scale.ranges(OWN)):
        with pytest.warns(PrecisionWarning, match=words) as told:
            quantize(x, dtype, scale=scale)
        assert len(told) == 1
        assert told[0].filename == __file__
    quantize(x, dtype, scale="per-vector")  # the ways out, without a word
    quantize(x, dtype, scale=ec.calibrate(x))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("dimension", [1, 16, 64, 600])
def test_ranges_of_rows_like_these_pass_without_a_word(dimension: int, dtype: str) -> None:
    rng = np.random.default_rng(dimension)
    sample, more = (unit_rows(400, dimension, seed) for seed in (1, 2))
    columns = np.linspace(-3, 3, dimension, dtype=np.float32)
    kinds = (
        (sample, more),
        (sample * 1000, more * 1000),
        (sample / 10 + columns, more / 10 + columns),
        (np.maximum(sample, 0), np.maximum(more, 0)),
        tuple(rng.laplace(size=(400, dimension)).astype(np.float32) for _ in range(2)),
    )
    for known, rows in kinds:
        for method in ("minmax", "quantile", "mse"):
            ranges = ec.calibrate(known, method=method)
            for some in (rows, rows[:1], rows[:5], rows[:0], np.repeat(rows[:1], 20, axis=0), known):
                quantize(some, dtype, scale=ranges)
        quantize(rows, dtype, scale=ec.calibrate(known, method="quantile", quantile=0.95))
    for constant in (np.zeros((9, dimension), np.float32), np.repeat(sample[:1], 9, axis=0)):
        quantize(constant, dtype, scale=ec.calibrate(constant))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_ranges_are_doubted_from_their_borders_on(dtype: Any) -> None:
    """More than a tenth of a row at an end; neighbours less than 2 apart a code; one row not 16 off the middle."""
    n = 40

    def doubted(*rows: Any) -> bool:
        told: list[Any] = []
        x = np.array([np.resize(row, n) for row in rows], np.float32)
        low, step = np.zeros(n, np.float32), np.ones(n, np.float32)
        codes = quantize_ranges(x, dtype, low, step, step, None, lambda *of: told.append(of))
        np.testing.assert_array_equal(codes, x - (128 if dtype is np.int8 else 0))
        return bool(told)

    plain, other = [60.0, 200.0], [180.0, 90.0]
    assert not doubted(plain, other)
    for end in (0.0, 255.0):
        assert not doubted(plain, [end] * (n // 10) + other * 18)
        assert doubted(plain, [end] * (n // 10 + 1) + other[:1] * 35)
    assert not doubted(plain, [62.0, 198.0])
    assert doubted(plain, [61.0] + [198.0, 62.0] * 20)
    assert not doubted([144.0, 112.0])
    assert doubted([143.0] + [112.0, 144.0] * 20)
