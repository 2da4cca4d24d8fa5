"""Bits against bits and tables against bits: every tier and both paths agree with NumPy exactly."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st

from embcodec._native import core, hamming
from embcodec._native import scan as native

WIDTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 130, 192, 248, 249, 250, 257, 384)


ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)  # of each byte


def exact(family: int, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    if family == native.HAMMING_U1:
        return ONES[queries[:, None] ^ rows[None]].sum(2, dtype=np.int64)
    width = rows.shape[1]
    nibbles = np.stack([rows >> 4, rows & 15], axis=2).reshape(len(rows), 2 * width)
    tables = queries.reshape(len(queries), -1, 16)[:, : 2 * width].astype(np.int16) - 128
    return tables[:, np.arange(2 * width), nibbles].sum(2, dtype=np.int64)


def queries_for(family: int, rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    if family == native.HAMMING_U1:
        return rng.integers(0, 256, (n, width), dtype=np.uint8)
    tables, _ = hamming.bit_tables(rng.standard_normal((n, 8 * width)).astype(np.float32))
    return tables


def extreme_tables(n: int, width: int, *, byte: int, extreme: int) -> np.ndarray:
    """Return tables of which rows of one byte, 0 or 255, look up the largest or the least entries alone."""
    sign = extreme if byte else -extreme
    return hamming.bit_tables(np.full((n, 8 * width), sign, np.float32))[0]


def u1_scores(
    family: int, queries: np.ndarray, rows: np.ndarray, *, twice: int = 0, by_rows: bool = False
) -> np.ndarray:
    """Return all scores (n_queries, n_rows) of a family of bits, through one of its two paths."""
    scores = np.empty((len(queries), len(rows)), np.int32)
    if scores.size:
        scratch = np.empty(core.lib.ec_u1_scratch_bytes(len(queries), rows.shape[1]), np.uint8)
        core.lib.ec_u1_scores(
            family, core.pointer(queries), len(queries), core.pointer(rows), rows.strides[0], len(rows), rows.shape[1],
            twice, by_rows, core.pointer(scratch), core.pointer(scores),
        )  # fmt: skip
    return scores


@cache  # for all tiers, on each of which they are tried
def cases(family: int, width: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return queries, rows and their exact scores."""
    rng, found = np.random.default_rng(width), []
    for n_queries, n_rows in ((1, 1), (3, 9), (4, 33), (5, 64), (16, 65), (53, 300)):  # 16s of queries, and others
        rows = rng.integers(0, 256, (n_rows, width), dtype=np.uint8)
        queries = queries_for(family, rng, n_queries, width)
        found.append((queries, rows, exact(family, queries, rows)))
    return found


@each("by_rows", [False, True])
@each("family", [native.HAMMING_U1, native.DOT_U1])
@each("width", WIDTHS)
def test_all_scores(isa: str, family: int, width: int, by_rows: bool) -> None:
    for queries, rows, expected in cases(family, width):
        assert np.array_equal(u1_scores(family, queries, rows, by_rows=by_rows), expected)


@cache
def cases_of_twice(width: int) -> list[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """Return how many bytes are met twice, the tables of queries, rows and their exact scores."""
    rng, found = np.random.default_rng(width), []
    for twice in {2, 16, 128} & set(range(width + 1)):
        for n_queries, n_rows in ((1, 1), (3, 70), (5, 64), (16, 65), (38, 300)):
            rows = rng.integers(0, 256, (n_rows, width), dtype=np.uint8)
            tables = queries_for(native.DOT_U1, rng, n_queries, twice + width)
            first, all_bytes = tables[:, : 32 * twice], tables[:, 32 * twice :]
            expected = 32 * exact(native.DOT_U1, first, rows[:, :twice]) + exact(native.DOT_U1, all_bytes, rows)
            found.append((twice, tables, rows, expected))
    return found


@each("by_rows", [False, True])
@each("width", [2, 3, 31, 64, 127, 128, 129, 255, 256, 513])
def test_bytes_that_are_met_twice(isa: str, width: int, by_rows: bool) -> None:
    """The first tables count 32 times, those behind them are of all bytes; of any number of queries and rows."""
    for twice, tables, rows, expected in cases_of_twice(width):
        assert np.array_equal(u1_scores(native.DOT_U1, tables, rows, twice=twice, by_rows=by_rows), expected)


@each("by_rows", [False, True])
@each("width", [31, 32, 128, 129, 400, 1000, 8184, 8185, 8190, 8191, 17000])
def test_extreme_values_do_not_overflow(isa: str, width: int, by_rows: bool) -> None:
    for byte in (0, 255):
        rows = np.full((40, width), byte, np.uint8)
        flipped = u1_scores(native.HAMMING_U1, np.full((49, width), 255 - byte, np.uint8), rows, by_rows=by_rows)
        assert (flipped == 8 * width).all()
        for extreme in (-1, 1):
            tables = extreme_tables(19, width, byte=byte, extreme=extreme)
            found = u1_scores(native.DOT_U1, tables, rows, by_rows=by_rows)
            assert (found == extreme * 127 * 2 * width).all()


@pytest.mark.parametrize("width", [1, 2, 3, 30, 31, 32, 60, 61, 62, 128, 8190, 8191])
def test_queries_at_opposite_extremes_stay_apart(isa: str, width: int) -> None:
    """Neighbouring queries, and neighbouring rows, of which one differs in all bits and the next in none."""
    ends = np.repeat(np.array([[0], [255]], np.uint8), width, axis=1)
    queries, rows = ends[[0, 1, 1, 0, 0, 0, 1] * 7], ends[np.arange(70) % 3 % 2]
    found = u1_scores(native.HAMMING_U1, queries, rows, by_rows=False)
    assert np.array_equal(found, exact(native.HAMMING_U1, queries, rows))


@pytest.mark.parametrize("by_rows", [False, True])
def test_rows_at_any_offset_and_stride(isa: str, by_rows: bool) -> None:
    rng = np.random.default_rng(1)
    for offset in (0, 1, 3, 7, 15):
        wide = rng.integers(0, 256, (70, 61), dtype=np.uint8)
        rows = wide[:, offset : offset + 41]
        for family in (native.HAMMING_U1, native.DOT_U1):
            queries = queries_for(family, rng, 5, 41)
            buffer = wide.reshape(-1)[offset:]
            scores = np.empty((5, 70), np.int32)
            scratch = np.empty(core.lib.ec_u1_scratch_bytes(5, 41), np.uint8)
            core.lib.ec_u1_scores(
                family, core.pointer(queries), 5, core.pointer(buffer), 61, 70, 41, 0, by_rows,
                core.pointer(scratch), core.pointer(scores),
            )  # fmt: skip
            assert np.array_equal(scores, exact(family, queries, rows))


@given(st.integers(1, 160), st.integers(0, 2**32 - 1), st.sampled_from([1e-30, 1e-3, 1.0, 1e30]))
def test_tables_keep_the_bound(dimension: int, seed: int, size: float) -> None:
    """Half the scale for each four dimensions, the last of which may have fewer."""
    rng = np.random.default_rng(seed)
    width = -(-dimension // 8)
    queries = (rng.standard_normal((4, 8 * width)) * size).astype(np.float32)
    queries[1] *= rng.random(8 * width) < 0.2
    queries[2] = 0
    halves = rng.integers(-127, 127, 2 * width) + 0.5  # as far from whole steps as can be
    halves[0] = 127
    queries[3] = 0
    queries[3, ::4] = halves * size
    queries[:, dimension:] = 0
    tables, scales = hamming.bit_tables(queries)
    rows = rng.integers(0, 256, (50, width), dtype=np.uint8)
    dots = queries.astype(np.float64) @ (np.unpackbits(rows, axis=1).T * 2.0 - 1.0)
    found = exact(native.DOT_U1, tables, rows) * scales[:, None].astype(np.float64)
    assert (np.abs(found - dots) <= -(-dimension // 4) * (0.5 + 1e-4) * scales[:, None]).all()
    assert (found[2] == 0).all()


@each("width", WIDTHS)
def test_tables_are_alike_on_every_tier(isa: str, width: int) -> None:
    rng = np.random.default_rng(width)
    queries = rng.standard_normal((6, 8 * width)).astype(np.float32)
    queries[1] = np.round(queries[1])  # sums that end in a half of the scale
    queries[2] *= np.float32(1e-42)
    queries[3] = -0.0
    queries[4] = 127 * np.eye(1, 8 * width)
    tables, scales = hamming.bit_tables(queries)
    with core.forced_isa("scalar"):
        expected_tables, expected_scales = hamming.bit_tables(queries)
    np.testing.assert_array_equal(tables, expected_tables)
    np.testing.assert_array_equal(scales, expected_scales)


def split_by_numpy(queries: np.ndarray, twice: int) -> tuple[np.ndarray, np.ndarray]:
    """Return queries with what they have in steps of 32 scales before what that leaves, and the least scales."""
    first, counts = 8 * twice, np.float32(32)
    sums = np.abs(queries).reshape(len(queries), -1, 4) @ np.ones(4, np.float32)
    largest = sums[:, : 2 * twice].max(axis=1), sums[:, 2 * twice :].max(axis=1, initial=0)
    scales = np.maximum(largest[0] / (counts * 125), largest[1] / np.float32(127))[:, None]
    steps = np.where(scales > 0, scales * counts, 1)
    coarse = np.rint(queries[:, :first] / steps)
    parts = coarse * scales, queries[:, :first] - coarse * scales * counts, queries[:, first:]
    return np.concatenate(parts, axis=1).astype(np.float32), scales[:, 0].astype(np.float32)


@each("width, twice", [(2, 2), (9, 2), (64, 8), (257, 128)])
def test_tables_of_bytes_that_are_met_twice(isa: str, width: int, twice: int) -> None:
    """Whole numbers below 2^20, of which every sum is exact, and scales that are powers of two or nearly."""
    rng = np.random.default_rng(width)
    queries = rng.integers(-900, 900, (7, 8 * width)).astype(np.float32)
    queries[:, : 8 * twice] *= np.array([1, 30, 700, 0, 1, 5, 100], np.float32)[:, None]
    queries[4] = 0
    queries[5, 8 * twice :] = 0
    tables, scales = hamming.bit_tables(queries, twice)
    split, least = split_by_numpy(queries, twice)
    expected = np.empty_like(tables)
    done = core.lib.ec_dot_u1_tables(
        core.pointer(split), len(split), twice + width, 0, core.ffi.NULL, core.pointer(expected), core.pointer(least)
    )
    assert done
    np.testing.assert_array_equal(tables, expected)
    np.testing.assert_array_equal(scales, least)
    bad = queries[:1].copy()
    bad[0, -1] = np.nan
    with pytest.raises(ValueError, match="too large"):
        hamming.bit_tables(bad, twice)


@pytest.mark.parametrize("bad", [np.nan, np.inf, np.float32(3e38)])
def test_queries_that_are_not_finite_have_no_tables(isa: str, bad: float) -> None:
    for width in (1, 2, 5):
        for place in (0, 7, 8 * width - 1):
            queries = np.ones((1, 8 * width), np.float32)
            queries[0, place] = bad
            queries[0, place ^ 1] = bad if np.isfinite(bad) else 1  # two make a sum that float32 cannot hold
            with pytest.raises(ValueError, match="too large"):
                hamming.bit_tables(queries)
