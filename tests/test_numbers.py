"""JSON numbers to floats and integers and back, on every tier."""

from __future__ import annotations

import numpy as np
import pytest

from embcodec._native import numbers
from embcodec.codec import format_floats, parse_floats
from embcodec.errors import DecodeError

REFUSED = {
    "": 0,
    "x": 0,
    "{}": 0,
    "[": 1,
    "[1": 2,
    "[1.": 3,
    "[1e": 3,
    "[-": 2,
    "[+1]": 1,
    "[.5]": 1,
    "[01]": 2,
    "[-01]": 3,
    "[1.]": 3,
    "[1.e5]": 3,
    "[0x1]": 2,
    "[1e]": 3,
    "[1e+]": 4,
    "[1.5.5]": 4,
    "[--1]": 2,
    "[- 1]": 2,
    "[Infinity]": 1,
    "[-Infinity]": 1,
    "[NaN]": 1,
    "[null]": 1,
    "[1,]": 3,
    "[,1]": 1,
    "[1,,1]": 3,
    "[1 2]": 3,
    "[1 ,2 x]": 6,
    "[1e400]": 1,
    "[1,340282356779733661637539395458142568448]": 3,
    '["1"]': 1,
    "[true]": 1,
    "[1]x": 3,
    "[[1],[1,2]]": 5,
    "[[1],2]": 5,
    "[[1] [2]]": 5,
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_name_the_byte(isa: str, text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_floats(text)
    assert caught.value.offset == REFUSED[text]


def test_floats_round_trip(isa: str) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 20_000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    back = parse_floats(format_floats(values))
    assert np.array_equal(back.view(np.uint32), values.view(np.uint32))


def test_integers(isa: str) -> None:
    out = np.empty(5, np.int8)
    assert numbers.parse_row(b"[-128.0, 1e2,12e1,-0,0.0e5]", out) == (27, 5)
    assert out.tolist() == [-128, 100, 120, 0, 0]
