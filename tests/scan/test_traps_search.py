"""The traps that lie in comparing codes: which codes may meet, and what their products mean."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from each import each
from reference import values_of
from shapes import DIMENSIONS

from embcodec import (
    CodeMismatchError,
    Embeddings,
    Scale,
    calibrate,
    compile_metric,
    pack_bits,
    quantize,
    range_search,
    search,
    truncate,
)

RNG = np.random.default_rng(12)


def unit_rows(n: int, dimension: int) -> np.ndarray:
    x = RNG.normal(size=(n, dimension)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# 12. padding bits


@each("bit_order", ["msb", "lsb"])
@each("dtype", ["binary", "ubinary"])
@each("dimension", [1, 7, 8, 9, 15, 17, 63, 65, 100])
def test_12_padding_counts_in_no_distance(isa: str, dtype: str, bit_order: str, dimension: int) -> None:
    x = unit_rows(40, 104)
    codes = quantize(x, dtype, bit_order=bit_order).truncate(dimension)
    want = (x[:, None, :dimension] > 0) != (x[None, :, :dimension] > 0)
    found = search(codes, codes, 40)
    np.testing.assert_array_equal(np.sort(want.sum(axis=2), axis=1), found.scores)
    np.testing.assert_array_equal(codes.packed_bytes(), pack_bits(x[:, :dimension], bit_order=bit_order))
    signs = np.where(x[:, :dimension] > 0, 1.0, -1.0)
    dots = search(x[:, :dimension], codes, 40, metric="dot", query_precision="float32")
    rows = np.take_along_axis(x[:, :dimension].astype(np.float64) @ signs.T, dots.indices, axis=1)
    np.testing.assert_allclose(dots.scores, rows, atol=1e-5)


# 13. what may not meet


def test_13_codes_of_different_meaning_are_refused() -> None:
    x = unit_rows(5, 24)
    ranges = np.stack([x.min(axis=0), x.max(axis=0)])
    other = ranges * np.float32(2)
    pairs = [
        (quantize(x, "binary"), quantize(x, "ubinary")),
        (quantize(x, "binary"), quantize(x, "binary", signed_bytes="twos-complement")),
        (quantize(x, "ubinary"), quantize(x, "ubinary", bit_order="lsb")),
        (quantize(x, "int8"), quantize(x, "uint8")),
        (quantize(x, "int8"), quantize(x, "int8", scale="per-vector")),
        (quantize(x, "int8"), quantize(x, "int8", scale=ranges)),
        (quantize(x, "int8", scale=ranges), quantize(x, "int8", scale=other)),
        (quantize(x, "int8"), quantize(x, "ubinary")),
        (quantize(x, "int8"), Embeddings(x)),
        (quantize(x, "ubinary"), quantize(x, "ubinary").truncate(23)),
    ]
    for one, two in pairs:
        for queries, corpus in ((one, two), (two, one)):
            if queries.output_dtype == "float":
                continue  # floats meet any codes
            with pytest.raises(CodeMismatchError) as caught:
                search(queries, corpus, 1)
            assert isinstance(caught.value, ValueError)
    converted = quantize(x, "binary").to("ubinary")
    np.testing.assert_array_equal(search(converted, quantize(x, "ubinary"), 1).scores[:, 0], np.zeros(5))


# 14. offset codes


@pytest.mark.parametrize("scale", ["unit", "per-vector", "ranges"])
def test_14_a_dot_of_codes_is_the_dot_of_their_values(isa: str, scale: str) -> None:
    x = unit_rows(30, 70)
    how = np.stack([x.min(axis=0), x.max(axis=0)]) if scale == "ranges" else scale
    for dtype in ("int8", "uint8"):
        codes = quantize(x, dtype, scale=how)
        values = codes.to_float().astype(np.float64)
        np.testing.assert_allclose(values_of(codes), values, atol=1e-6)  # the oracle of the other tests agrees
        for metric, want in (
            ("dot", values @ values.T),
            ("l2", ((values[:, None] - values[None]) ** 2).sum(axis=2)),
        ):
            found = search(codes, codes, 30, metric=metric)
            wanted = np.take_along_axis(want, found.indices, axis=1)
            np.testing.assert_allclose(found.scores, wanted, atol=2e-5)


@pytest.mark.parametrize("shift", [0.0, 3.0, -1e3])
def test_dots_with_codes_of_ranges_are_within_their_bound(isa: str, shift: float) -> None:
    generator = np.random.default_rng(3)
    for dimension in (1, 17, 300):
        x = generator.standard_normal((40, dimension), dtype=np.float32)
        x[generator.random(x.shape) < 0.5] = 0  # codes that stand for nearly 0 amid a range, of which a dot has little
        ranges = calibrate(x + np.float32(shift))
        asked = generator.standard_normal((5, dimension), dtype=np.float32)
        for dtype in ("int8", "uint8"):
            codes = quantize(x + np.float32(shift), dtype, scale=ranges)
            values = codes.to_float().astype(np.float64)
            for queries, floats in ((asked, asked), (codes[:5], values[:5])):
                found = search(queries, codes, 40, metric="dot", query_precision="float32")
                exact = floats @ values.T
                ends = np.abs(floats) @ np.abs(ranges).sum(axis=0, dtype=np.float64)
                bound = (min(dimension, 128) + dimension / 128 + 8) * 2.0**-24 * ends
                errors = np.abs(found.scores - np.take_along_axis(exact, found.indices, axis=1))
                assert (errors <= bound[:, None]).all()


# 15. sums of products


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_15_the_largest_products_do_not_overflow(isa: str, dtype: str) -> None:
    largest = {"int8": (-128, 127), "uint8": (0, 255)}[dtype]
    rows = np.array([[value] * 65_536 for value in largest], dtype)
    codes = Embeddings(rows, dtype, scale=Scale.per_vector([1.0, 1.0]))
    values = codes.to_float().astype(np.float64)
    found = search(codes, codes, 2, metric="dot")
    wanted = np.take_along_axis(values @ values.T, found.indices, axis=1)
    np.testing.assert_allclose(found.scores, wanted, rtol=1e-6)
    beyond = Embeddings(np.zeros((1, 65_537), dtype), dtype)
    with pytest.raises(ValueError, match="65536 dimensions"):
        search(beyond, beyond, 1)


# 16. truncated vectors


def test_16_truncated_vectors_are_measured() -> None:
    x = unit_rows(20, 64)
    for dimension in (d for d in DIMENSIONS if 1 <= d <= 64):
        np.testing.assert_allclose(Embeddings(truncate(x, dimension)).norms(), 1, atol=1e-6)
        kept = Embeddings(x).truncate(dimension, normalize=False)
        np.testing.assert_array_equal(kept.values, x[:, :dimension])
        np.testing.assert_allclose(kept.norms(), np.linalg.norm(x[:, :dimension], axis=1), rtol=1e-6)
        lengths = kept.norms().astype(np.float64)
        dots, cosines = (search(kept, kept, 20, metric=metric) for metric in ("dot", "cosine"))
        products = kept.values.astype(np.float64) @ kept.values.T.astype(np.float64)
        np.testing.assert_allclose(dots.scores, np.take_along_axis(products, dots.indices, 1), atol=1e-6)
        products /= lengths[:, None] * lengths
        np.testing.assert_allclose(cosines.scores, np.take_along_axis(products, cosines.indices, 1), atol=1e-6)


# what a user's function cannot score, and what float32 cannot hold


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Numba prints it
def test_a_metric_that_raises_gives_no_scores() -> None:
    def moody(query, row):  # type: ignore[no-untyped-def]
        if row[0] > 0:
            raise ValueError("boom")
        return query[0]

    metric = compile_metric(moody, lower_is_better=True)
    x = np.array([[-1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]], np.float32)
    for _ in range(2):  # the second finds scores of the first in its memory
        assert search(x, x[[0, 2]], 2, metric=metric).scores[0].tolist() == [-1, -1]
        with pytest.raises(ValueError, match="row 1 has no score"):
            search(x[:1], x, 2, metric=metric)
        with pytest.raises(ValueError, match="row 1 has no score"):
            range_search(x[:1], x, 2, metric=metric)


def test_a_metric_that_cannot_be_compiled() -> None:
    with pytest.raises(TypeError, match=r"Numba cannot compile 'odd' .* float32: Unknown attribute 'foo'"):

        @compile_metric(lower_is_better=True)
        def odd(query, row):  # type: ignore[no-untyped-def]
            return query.foo

    jitted = numba.njit(lambda query, row: query[0] - row[0])
    rows = np.array([[1.0], [3.0]], np.float32)
    found = search([[5.0]], rows, 1, metric=compile_metric(jitted, lower_is_better=True))
    assert (found.scores.item(), found.indices.item()) == (2, 1)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_scores_beyond_float32_are_refused(dtype: str) -> None:
    x = np.float32(1e30) * unit_rows(20, 16)
    codes = quantize(x, dtype, scale="per-vector")
    for queries in (x, codes):
        with pytest.raises(ValueError, match="beyond float32"):
            search(queries, codes, 3, metric="dot")
        with pytest.raises(ValueError, match="beyond float32"):
            range_search(queries, codes, 0.0, metric="dot")
        np.testing.assert_array_equal(search(queries, codes, 1).indices[:, 0], np.arange(20))
