"""Arrays that do not go together are refused before a kernel reads or writes as many values as the others have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from each import each

from embcodec._native import base64, hamming, quantize, scan, search, sums
from embcodec._native.core import lib, pointer

X = np.ones((40, 8), np.float32)
CODES = np.ones((40, 8), np.int8)
FEWER, SHORT, EVERY = np.ones(39, np.float32), np.ones(7, np.float32), np.ones(8, np.float32)
AT, LENGTHS = np.zeros(3, np.int64), np.full(3, 4, np.int64)


def no_doubt(x: object, codes: object) -> None:
    """Say nothing."""


@each(
    "named, call",
    {
        "scales to quantize by": lambda: quantize.quantize_per_vector(X, np.int8, FEWER),
        "scales of codes": lambda: quantize.dequantize_per_vector(CODES, FEWER),
        "minima": lambda: quantize.quantize_ranges(X, np.int8, SHORT, EVERY, None, None, no_doubt),
        "steps": lambda: quantize.quantize_ranges(X, np.int8, EVERY, SHORT, None, None, no_doubt),
        "inverses": lambda: quantize.quantize_ranges(X, np.int8, EVERY, EVERY, SHORT, None, no_doubt),
        "steps of codes": lambda: quantize.dequantize_ranges(CODES, EVERY, SHORT),
        "firsts of codes": lambda: quantize.dequantize_ranges(CODES, SHORT, EVERY),
        "more than a row has": lambda: quantize.truncate_to_unit(X, 9),
        "a query": lambda: sums.dots_f32(SHORT, X),
        "bytes met twice": lambda: hamming.bit_tables(X, 2),
        "texts without rows": lambda: base64.decode_rows(b"AAAA", AT, LENGTHS, np.empty((2, 3), np.uint8)),
        "lengths": lambda: base64.decode_rows(b"AAAA", AT, LENGTHS[:2], np.empty((3, 3), np.uint8)),
    }.items(),
)
def test_what_belongs_to_other_rows(named: str, call: Callable[[], object]) -> None:
    del named
    with pytest.raises(ValueError, match=r"values|elements|lengths"):
        call()


@pytest.mark.parametrize("name", ["row_scales", "row_squares", "row_biases", "mask", "weights", "within"])
@pytest.mark.parametrize("wrong", [-1, 1])
def test_what_a_scan_has_of_other_rows_or_queries(name: str, wrong: int) -> None:
    asked = scan.Scan(scan.DOT_F32, X[:3], X)
    asked.meet(scan.COST_DOT, 8)
    count = {"mask": 5, "weights": 3, "within": 3}.get(name, 40) + wrong
    dtype = {"mask": np.uint8, "row_squares": np.float64}.get(name, np.float32)
    setattr(asked, name, np.ones(count, dtype))
    with pytest.raises(ValueError, match=f"{count} values of (40 rows|3 queries)"):
        search.top_k(asked, 1, 1)


def test_squares_are_written_where_there_is_room() -> None:
    asked, room = scan.Scan(scan.DOT_F32, X[:1], X), np.full(40, -1.0)
    asked.args.lengths = scan.LENGTH_F32
    args = asked.arguments(0, 0, 40)
    assert not lib.ec_search_squares(args, pointer(room), 39)
    args.whole.count = 39
    assert not lib.ec_search_squares(args, pointer(room), 40)
    assert (room == -1).all()
    args.whole.count = 40
    assert lib.ec_search_squares(args, pointer(room), 40)
    assert (room == 8).all()
