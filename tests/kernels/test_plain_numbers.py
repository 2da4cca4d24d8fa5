"""Numbers of the usual shape, -?d.d..., which scalar code reads in one go: its edges, on every tier."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import numpy as np
import pytest
from number_text import decimal_text, nearest_float32

from embcodec.codec.numbers import parse_floats
from embcodec.errors import DecodeError

FILLING = ",0.5" * 16  # behind a number: text enough for the wide loads


def check(texts: list[str]) -> None:
    expected = np.array([nearest_float32(t) for t in texts], np.float32)
    got = parse_floats("[" + ",".join(texts) + FILLING + "]")[: len(texts)]
    wrong = np.flatnonzero(got.view(np.uint32) != expected.view(np.uint32))
    assert not wrong.size, [(texts[i], got[i], expected[i]) for i in wrong[:3]]


def test_every_count_of_digits(isa: str) -> None:
    rng = np.random.default_rng(5)
    texts = []
    for digits in range(1, 30):
        for whole in ("0", "1", "9", "-0", "-7", "10"):
            run = "".join(rng.choice(list("0123456789"), digits))
            texts += [f"{whole}.{run}", f"{whole}.{'0' * digits}", f"{whole}.{'9' * digits}"]
            texts += [f"{whole}.{'0' * (digits - 1)}{last}" for last in "149"]
    check(texts)


def test_every_leading_bit_and_carry(isa: str) -> None:
    texts = []
    for exponent in range(-40, 4):
        for ulps in (-3, -2, -1, 0, 1, 2, 3):  # halves of the spacing: floats and midpoints around a power of two
            value = Fraction(2) ** exponent * (1 + ulps * Fraction(2) ** -24)
            texts += [decimal_text(value)[:length] for length in (14, 18, 19, 20, 22, 25, 26, 27, 80)]
    check([t if t[-1] != "." else t + "0" for t in texts])


def test_the_digit_that_decides_is_behind_those_that_are_loaded(isa: str) -> None:
    """Numbers of so and so many decimals next to a midpoint between two floats, which shorter ones are not beyond."""
    texts = []
    for bits in np.random.default_rng(6).integers(0x3D000000, 0x411E0000, 40, np.uint32):
        low, high = (Decimal(float(some.view(np.float32))) for some in (bits, bits + np.uint32(1)))
        for decimals in range(10, 18):
            for rounding in (ROUND_FLOOR, ROUND_CEILING):
                text = str(((low + high) / 2).quantize(Decimal(1).scaleb(-decimals), rounding))
                texts += [text, f"-{text}"]
    check(texts)


def test_midpoints_of_few_digits(isa: str) -> None:
    rng = np.random.default_rng(6)
    texts = []
    for odd in rng.integers(0, 1 << 23, 200) * 2 + (1 << 24) + 1:
        for shift in (21, 22, 23, 24):  # 2 to 8 down to 1/4 to 1: 24 digits behind the point or fewer
            exact = decimal_text(Fraction(int(odd), 1 << shift)).rstrip("0")
            for digits in (exact, exact[:-1] + str(int(exact[-1]) - 1), exact[:-1] + str(int(exact[-1]) + 1)):
                texts += [digits, "-" + digits]
    check(texts)


REFUSED = {
    "0.": 2,
    "0.e5": 2,
    "0.5.5": 3,
    "0.5e": 4,
    "0.5-": 3,
    "0.5x": 3,
    "0.5 5": 4,
    "0.5\x7f": 3,
    "-.5": 1,
    "/.5": 0,
    ":.5": 0,
    "0.5:": 3,
    "0.12345678/": 10,
    "0." + "1" * 24 + "x": 26,
}


@pytest.mark.parametrize(("text", "offset"), REFUSED.items())
def test_refusals_with_text_behind(isa: str, text: str, offset: int) -> None:
    for lead in ("", "0.25," * 3):
        with pytest.raises(DecodeError) as caught:
            parse_floats("[" + lead + text + FILLING + "]")
        assert caught.value.offset == 1 + len(lead) + offset


def test_bytes_above_ascii_end_the_digits(isa: str) -> None:
    for byte in range(0x80, 0x100):
        for digits in (1, 7, 8, 9, 16, 23):
            text = b"[0." + b"5" * digits + bytes([byte]) + FILLING.encode() + b"]"
            with pytest.raises(DecodeError) as caught:
                parse_floats(text)
            assert caught.value.offset == 3 + digits
