"""The unit scale warns of rows that it ruins, and of none that it is made for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import embcodec as ec
from embcodec import Embeddings, PrecisionWarning, Scale, quantize
from embcodec.codec.precision import loss, unwarned


def unit_rows(n: int, dimension: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


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


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("name", RUINED)
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
}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_unit_codes_warns_where_it_was_called(name: str) -> None:
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
    with pytest.raises(
        TypeError, match=r"whose meaning is unknown.*Embeddings\((pack_bits\(x\)|values).*\.astype\(np\.float32\)"
    ):
        quantize(x, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        quantize(np.asarray(x).astype(np.float32), dtype)  # the way out
