"""Dot kernels: int8 exact, float32 the same bits on every tier and path, sums a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from each import each
from guard import guarded
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapes import DIMENSIONS, OFFSETS

from embcodec._native import core
from embcodec._native.core import ffi, lib, pointer

Array = NDArray[Any]
BLOCK = lib.EC_DOT_BLOCK


def scratch(n_bytes: int) -> Array:
    """64-byte aligned bytes, filled with what no kernel may rely on."""
    raw = np.full(n_bytes + 64, 0xA5, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n_bytes]


def at_offset(x: Array, offset: int) -> Array:
    """Copy x to an address that is `offset` bytes after a multiple of 64."""
    raw = scratch(x.nbytes + offset)[offset:]
    raw[:] = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    return raw.view(np.uint8)


def matrix(queries: Array, rows: Array, *, offset: int = 0, gap: int = 0) -> Array:
    """Scores by prepare, pack and tile; `gap` bytes lie between rows."""
    n_queries, n_rows, dimension = len(queries), len(rows), rows.shape[1]
    kind = "f32" if rows.dtype == np.float32 else "i8"
    padded = np.full((n_rows, rows.itemsize * dimension + gap), 0x77, np.uint8)
    padded[:, : rows.itemsize * dimension] = np.ascontiguousarray(rows).view(np.uint8).reshape(n_rows, -1)
    prepared = scratch(getattr(lib, f"ec_dot_{kind}_prepared_bytes")(n_queries, dimension))
    panel = scratch(getattr(lib, f"ec_dot_{kind}_panel_bytes")(min(n_rows, BLOCK), dimension))
    scores = np.full(n_queries * n_rows + 1, 12345, np.float32 if kind == "f32" else np.int32)
    flip = () if kind == "f32" else (0x80 if rows.dtype == np.uint8 else 0,)
    assert getattr(lib, f"ec_dot_{kind}")(
        pointer(at_offset(queries, offset)), n_queries, pointer(at_offset(padded, offset)), padded.shape[1],
        n_rows, dimension, *flip, pointer(prepared), pointer(panel), ffi.from_buffer(scores),
    )  # fmt: skip
    assert scores[-1] == 12345
    return scores[:-1].reshape(n_queries, n_rows)


def by_rows(name: str, rows: Array, out: Any, *leading: Array, offset: int = 0, stride: int | None = None) -> Array:
    """One value a row: dots with the leading query, sums, sums of squares."""
    values = np.full(len(rows) + 1, 12345, out)
    flip = () if rows.dtype == np.float32 else (0x80 if rows.dtype == np.uint8 else 0,)
    assert getattr(lib, name)(
        *(pointer(at_offset(x, offset)) for x in leading), pointer(at_offset(rows, offset)),
        rows.strides[0] if stride is None else stride, len(rows), rows.shape[1], *flip, ffi.from_buffer(values),
    )  # fmt: skip
    assert values[-1] == 12345
    return values[:-1]


def by_few(
    queries: Array, rows: Array, *, offset: int = 0, gap: int = 0, asks_sums: bool = True
) -> tuple[Array, Array, Array]:
    """Scores, sums of squares and (of int8, if asked for) sums of rows as they lie; `gap` bytes lie between them."""
    n_queries, n_rows, dimension = len(queries), len(rows), rows.shape[1]
    kind = "f32" if rows.dtype == np.float32 else "i8"
    padded = np.full((n_rows, rows.itemsize * dimension + gap), 0x77, np.uint8)
    padded[:, : rows.itemsize * dimension] = np.ascontiguousarray(rows).view(np.uint8).reshape(n_rows, -1)
    prepared = scratch(getattr(lib, f"ec_dot_{kind}_prepared_bytes")(n_queries, dimension))
    scores = np.full(n_queries * n_rows + 1, 12345, np.float32 if kind == "f32" else np.int32)
    squares = np.full(n_rows + 1, 12345, np.float64 if kind == "f32" else np.int32)
    sums = np.full(n_rows + 1, 12345, np.int32)
    flip = () if kind == "f32" else (0x80 if rows.dtype == np.uint8 else 0,)
    of_rows = [ffi.from_buffer(squares)]
    if kind == "i8":
        of_rows.insert(0, ffi.from_buffer(sums) if asks_sums else ffi.NULL)
    assert getattr(lib, f"ec_dot_{kind}_few")(
        pointer(at_offset(queries, offset)), n_queries, pointer(at_offset(padded, offset)), padded.shape[1],
        n_rows, dimension, *flip, pointer(prepared), ffi.from_buffer(scores), *of_rows,
    )  # fmt: skip
    assert scores[-1] == squares[-1] == sums[-1] == 12345
    return scores[:-1].reshape(n_queries, n_rows), squares[:-1], sums[:-1]


def signed(rows: Array) -> Array:
    """What the kernels take rows for: uint8 counts as v - 128."""
    return rows.astype(np.int64) - (128 if rows.dtype == np.uint8 else 0)


def codes(rng: np.random.Generator, shape: tuple[int, int], dtype: Any = np.int8) -> Array:
    return rng.integers(0, 256, shape).astype(np.uint8).view(dtype)


def check_i8(queries: Array, rows: Array, *, offset: int = 0, gap: int = 0) -> None:
    wide = signed(rows)
    # Whole numbers far below 2**53, which float64 sums exactly, and many times as fast as int64.
    expected = (signed(queries).astype(np.float64) @ wide.astype(np.float64).T).astype(np.int64)
    sums, squares = wide.sum(1), (wide**2).sum(1)
    np.testing.assert_array_equal(matrix(queries, rows, offset=offset, gap=gap), expected)
    for q in range(min(2, len(queries))):
        np.testing.assert_array_equal(by_rows("ec_dot_i8_rows", rows, np.int32, queries[q], offset=offset), expected[q])
    for n in {1, len(queries)}:
        scores, few_squares, few_sums = by_few(queries[:n], rows, offset=offset, gap=gap)
        np.testing.assert_array_equal(scores, expected[:n])
        np.testing.assert_array_equal(few_sums, sums)
        np.testing.assert_array_equal(few_squares, squares)
    np.testing.assert_array_equal(by_few(queries[:1], rows, offset=offset, gap=gap, asks_sums=False)[1], squares)
    np.testing.assert_array_equal(by_rows("ec_sum_i8", rows, np.int32, offset=offset), sums)
    np.testing.assert_array_equal(by_rows("ec_sumsq_i8", rows, np.int32, offset=offset), squares)


def check_f32(queries: Array, rows: Array, *, offset: int = 0, gap: int = 0) -> None:
    dimension = rows.shape[1]
    scores = matrix(queries, rows, offset=offset, gap=gap)
    ones = [by_rows("ec_dot_f32_rows", rows, np.float32, query, offset=offset) for query in queries[:2]]
    squares = by_rows("ec_sumsq_f32", rows, np.float64, offset=offset)
    wide_queries, wide_rows = queries.astype(np.float64), rows.astype(np.float64)
    # the bound stated at the scalar kernel, and a little for the oracle's own rounding and for underflow
    roundings = -(-dimension // 16) + 16
    bound = roundings * 2.0**-24 / (1 - roundings * 2.0**-24) + 2.0**-40
    limit = bound * (np.abs(wide_queries) @ np.abs(wide_rows).T) + 2.0**-140
    assert (np.abs(scores - wide_queries @ wide_rows.T) <= limit).all()
    np.testing.assert_allclose(squares, (wide_rows**2).sum(1), rtol=(dimension / 16 + dimension + 10) * 2.0**-53)
    for q, one in enumerate(ones):
        np.testing.assert_array_equal(one.view(np.uint32), scores[q].view(np.uint32))
    for n in {1, len(queries)}:
        few, few_squares, _ = by_few(queries[:n], rows, offset=offset, gap=gap)
        np.testing.assert_array_equal(few.view(np.uint32), scores[:n].view(np.uint32))
        np.testing.assert_array_equal(few_squares, squares)
    with core.forced_isa("scalar"):
        np.testing.assert_array_equal(scores.view(np.uint32), matrix(queries, rows).view(np.uint32))
        np.testing.assert_array_equal(squares, by_rows("ec_sumsq_f32", rows, np.float64))


@each("dimension", [*DIMENSIONS, 2099, 4099])
def test_i8_dimensions(isa: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    check_i8(codes(rng, (7, dimension)), codes(rng, (37, dimension)))
    check_i8(codes(rng, (5, dimension)), codes(rng, (66, dimension), np.uint8))


@each("dimension", [*DIMENSIONS, 2099])
def test_f32_dimensions(isa: str, dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    check_f32(rng.standard_normal((3, dimension), np.float32), 3 * rng.standard_normal((37, dimension), np.float32))


@each("dimension", [1, 15, 16, 17, 64, 100, 128, 192, 256, 1024, 4160])
@each("offset", [0, 4, 16, 60])
def test_rows_behind_the_start_of_a_line(isa: str, dimension: int, offset: int) -> None:
    rng = np.random.default_rng(dimension + offset)
    for n_queries, n_rows in ((2, 5), (18, 13)):
        check_i8(codes(rng, (n_queries, dimension)), codes(rng, (n_rows, dimension), np.uint8), offset=offset)
        queries, rows = (rng.standard_normal((n, dimension), np.float32) for n in (n_queries, n_rows))
        check_f32(queries, rows, offset=offset)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("gap", [0, 1, 60])
def test_alignments(isa: str, offset: int, gap: int) -> None:
    rng = np.random.default_rng(offset)
    check_i8(codes(rng, (13, 333)), codes(rng, (70, 333)), offset=offset, gap=gap)
    check_f32(
        rng.standard_normal((7, 75), np.float32), rng.standard_normal((35, 75), np.float32), offset=offset, gap=gap
    )


@each("n_queries", range(1, 41))
def test_counts(isa: str, n_queries: int) -> None:
    rng = np.random.default_rng(n_queries)
    for n_rows in {n_queries, 41 - n_queries, 60 + n_queries, 255, 256, 257}:
        check_i8(codes(rng, (n_queries, 21)), codes(rng, (n_rows, 21)))
    check_f32(rng.standard_normal((n_queries, 19), np.float32), rng.standard_normal((40 + n_queries, 19), np.float32))


@given(
    n_queries=st.integers(1, 40), n_rows=st.integers(1, 300), dimension=st.integers(1, 2100), seed=st.integers(0, 99)
)
@pytest.mark.parametrize("isa_name", core.available_isas())
def test_i8_shapes(isa_name: str, n_queries: int, n_rows: int, dimension: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_rows = min(n_rows, max(1, 2_000_000 // (n_queries * dimension)))
    with core.forced_isa(isa_name):
        check_i8(codes(rng, (n_queries, dimension)), codes(rng, (n_rows, dimension), [np.int8, np.uint8][seed % 2]))


@each("dimension", [1, 2, 5, 64, 1000, 65536])
@each("query", [-128, 127])
@each("row", [-128, 127])
def test_i8_extremes(isa: str, dimension: int, query: int, row: int) -> None:
    queries = np.full((2, dimension), query, np.int8)
    rows = np.full((17, dimension), row, np.int8)
    check_i8(queries, rows)
    queries[:, ::2] = -128
    check_i8(queries, rows)
    check_i8(queries, np.full((17, dimension), row & 255, np.uint8))


def test_f32_extremes(isa: str) -> None:
    """Cancellation, subnormals, huge and tiny: the same bits everywhere, where rounding twice would show."""
    rng = np.random.default_rng(5)
    exponents = rng.integers(-70, 60, (24, 300))
    values = np.ldexp(rng.uniform(-1, 1, (24, 300)), exponents).astype(np.float32)
    check_f32(values[:4], values[4:])
    values = np.ldexp(rng.integers(-(1 << 24), 1 << 24, (24, 300)) | 1, rng.integers(-30, 30, (24, 300)))
    check_f32(values[:4].astype(np.float32), values[4:].astype(np.float32))
    infinite = np.full((2, 20), 3e38, np.float32)
    assert (matrix(infinite, infinite) == np.inf).all()


@each("dimension", [1, 5, 16, 31, 63, 64, 65, 100, 255, 257])
@each("side", ["start", "end"])
def test_nothing_outside_is_read(isa: str, dimension: int, side: Any) -> None:
    """Rows and query lie flush against pages that must not be touched; so do the results."""
    rng = np.random.default_rng(dimension)
    for size, kind in ((1, "i8"), (4, "f32")):
        flip = (0,) if size == 1 else ()
        with (
            guarded(19 * dimension * size, side) as rows,
            guarded(7 * dimension * size, side) as queries,
            guarded(7 * 19 * 4, side) as scores,
            guarded(19 * 8, side) as sums,
        ):
            values = [rng.integers(-9, 9, x.size // size) for x in (rows, queries)]
            for x, value in zip((rows, queries), values, strict=True):
                x[:] = value.astype(np.int8 if size == 1 else np.float32).view(np.uint8)
            a, b = values[0].reshape(19, -1), values[1].reshape(7, -1)
            shape = (pointer(rows), dimension * size, 19, dimension, *flip)
            panel = scratch(getattr(lib, f"ec_dot_{kind}_panel_bytes")(19, dimension))
            prepared = scratch(getattr(lib, f"ec_dot_{kind}_prepared_bytes")(7, dimension))
            dtype = np.int32 if size == 1 else np.float32
            every, one = getattr(lib, f"ec_dot_{kind}"), getattr(lib, f"ec_dot_{kind}_rows")
            assert every(pointer(queries), 7, *shape, pointer(prepared), pointer(panel), pointer(scores))
            np.testing.assert_array_equal(scores.view(dtype).reshape(7, 19), b @ a.T)
            assert one(pointer(queries), *shape, pointer(scores[: 19 * 4]))
            np.testing.assert_array_equal(scores[: 19 * 4].view(dtype), a @ b[0])
            assert getattr(lib, f"ec_sumsq_{kind}")(*shape, pointer(sums))
            wide = sums[: 19 * 4].view(np.int32) if size == 1 else sums.view(np.float64)
            np.testing.assert_array_equal(wide, (a * a).sum(1))


def test_rows_may_repeat_or_run_backwards(isa: str) -> None:
    rng = np.random.default_rng(6)
    rows, query = codes(rng, (40, 130)), codes(rng, (1, 130))[0]
    repeated = by_rows("ec_dot_i8_rows", rows, np.int32, query, stride=0)
    np.testing.assert_array_equal(repeated, np.full(40, signed(rows[0]) @ signed(query)))
    out = np.zeros(40, np.int32)
    last = ffi.from_buffer(rows[-1])
    assert lib.ec_dot_i8_rows(pointer(query), last, -130, 40, 130, 0, ffi.from_buffer(out))
    np.testing.assert_array_equal(out, signed(rows)[::-1] @ signed(query))


def test_sums_of_the_bound(isa: str) -> None:
    """At the largest dimension every sum fits; beyond it the functions refuse."""
    dimension = lib.EC_DOT_MAX_DIMENSION
    rows = np.full((1, dimension), -128, np.int8)
    assert matrix(rows, rows)[0, 0] == 1 << 30
    assert by_rows("ec_sumsq_i8", rows, np.int32)[0] == 1 << 30
    null = ffi.NULL
    for bad in (0, -1, dimension + 1):
        assert not lib.ec_dot_i8(null, 1, null, 1, 1, bad, 0, null, null, null)
        assert not lib.ec_dot_f32(null, 1, null, 1, 1, bad, null, null, null)
        assert not lib.ec_dot_i8_rows(null, null, 1, 1, bad, 0, null)
        assert not lib.ec_dot_f32_rows(null, null, 1, 1, bad, null)
        assert not lib.ec_sum_i8(null, 1, 1, bad, 0, null)
        assert not lib.ec_sumsq_i8(null, 1, 1, bad, 0, null)
        assert not lib.ec_sumsq_f32(null, 1, 1, bad, null)


def test_block_rows_fill_a_quarter_of_the_cache() -> None:
    assert [lib.ec_dot_block_rows(n) for n in (1, 1024, 1536, 4096, 12288, 0)] == [256, 256, 128, 64, 64, 256]
