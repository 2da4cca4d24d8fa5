"""Lists of which many numbers have exponents: read as the plainest tier reads them, to the nearest float32."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import numpy as np
import pytest
from each import each
from number_text import OVERFLOW, around_midpoint, nearest_float32, parse_row, same_on_every_tier

from embcodec import parse_floats

SPACES = ("", " ", "\n  ")


def written(count: int, pattern: str, seed: int = 51) -> list[str]:
    """Return floats of all sizes, or near 1, as a printer writes them."""
    rng = np.random.default_rng(seed)
    powers = 10.0 ** rng.integers(-39, 38, count) if "wide" in pattern else 1.0
    values = rng.uniform(-9.99, 9.99, count) * powers
    return [pattern.removesuffix(" wide") % value for value in values.tolist()]


PATTERNS = ("%.0e", "%.8e", "%.8e wide", "%.17e", "%.17e wide", "%.7E", "%.1e wide", "%.30e")


@each("pattern", PATTERNS)
@each("space", SPACES)
def test_printed_with_exponents(isa: str, pattern: str, space: str) -> None:
    texts = written(1500, pattern)
    texts[::9] = [f"{i % 10}.{i:03d}" for i in range(len(texts[::9]))]  # some without one
    wanted = np.array([nearest_float32(text) for text in texts])
    found = parse_floats(f"[{(',' + space).join(texts)}]".encode())
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


def next_to_midpoint(bits: int) -> list[str]:
    """Return the numbers of so and so many digits next to a midpoint: of the first digits alone it cannot be seen."""
    low, high = (Decimal(float(np.uint32(some).view(np.float32))) for some in (bits, bits + 1))
    middle = (low + high) / 2
    return [
        f"{middle.normalize(Context(digits, rounding)):.{digits - 1}e}"
        for digits in range(12, 19)
        for rounding in (ROUND_FLOOR, ROUND_CEILING)
    ]


def test_halfway_between_two_floats(isa: str) -> None:
    rng = np.random.default_rng(52)
    bits = [
        0,
        1,
        2,
        0x007FFFFF,
        0x00800000,
        0x00800001,
        0x7F7FFFFE,
        0x3F7FFFFF,
        *rng.integers(0x00800000, 0x7F000000, 40),
    ]
    texts = [text for some in bits for text in around_midpoint(int(some)) if "e" in text]
    texts += [text for some in bits for text in next_to_midpoint(int(some))]
    texts += [f"-{text}" for text in texts]
    wanted = np.array([nearest_float32(text) for text in texts])
    np.testing.assert_array_equal(parse_floats(f"[{','.join(texts)}]".encode()).view(np.uint32), wanted.view(np.uint32))


EXPONENTS = (
    *("e0", "e-0", "e+0", "e00", "e5", "E5", "e+05", "e-005", "e0005", "e-00005", "e+0000000007", "e37", "e-37"),
    *("e-44", "e-46", "e-60", "e-64", "e-65", "e-400", "e-1000", "e38"),
    *(f"e-{size}" for size in range(66, 100)),  # before all powers that a table may have
)


@pytest.mark.parametrize(
    "digits", ["1", "-1", "0", "-0.0", "0.001", "3.4028234663852886", "-0.00000000000000000001", "9.9"]
)
def test_forms_of_exponents(isa: str, digits: str) -> None:
    texts = [text for text in (digits + exponent for exponent in EXPONENTS) if nearest_float32(text) is not None]
    wanted = np.array([nearest_float32(text) for text in texts])
    for before in range(5):  # at each place among those that are converted together
        found = parse_floats(f"[{','.join(['1.5e-05'] * before + texts * 3)}]".encode())[before:]
        np.testing.assert_array_equal(found.view(np.uint32), np.tile(wanted, 3).view(np.uint32))


ODD = (
    *("1e5e5", "1e5.5", "1.5e", "1e+", "1e-", "1e 5", "1e+-5", "1e++5", "1ee5", "e5", ".e5", "1.e5", "12e5", "12.5e-3"),
    *(
        "01e5",
        "1e39",
        "3.5e38",
        "1e400",
        "-1e39",
        "1e5 ",
        " 1e5",
        "1 e5",
        "1e5-",
        "1e5,",
        "1e0x5",
        "1.2.3e5",
        "-e5",
        "",
        "0x1e5",
    ),
)


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_element(odd: str) -> None:
    for space in SPACES:
        texts = written(700, "%.6e")
        for place in (0, 1, 301, 302, 303, 304, 699):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            same_on_every_tier(f"[{(',' + space).join(changed)}]".encode(), np.float32)


@pytest.mark.parametrize("odd", ["1e5e5", "1e5e5e5", "2e-5E+05"])
def test_two_exponents_before_a_number_without_any(odd: str) -> None:
    """What ends digits is one too many then, and the last of a chunk may be the end of its last number."""
    for space in (*SPACES, " " * 15):
        texts = written(700, "%.6e")
        texts[::2] = [str(i % 10) for i in range(len(texts[::2]))]
        for place in range(0, 700, 33):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            same_on_every_tier(f"[{(',' + space).join(changed)}]".encode(), np.float32)


@pytest.mark.parametrize("far", ["-0.5e-006", "1.5e-100", "2e+005", "1e5e567"])
def test_exponents_that_are_not_where_they_are_looked_for(far: str) -> None:
    """One of more than four bytes, or before another, is not seen; that before a number of one byte is seen twice."""
    for space in SPACES:
        texts = written(700, "%.6e")
        for place in (*range(20), 301, 302, 303, 304, 697):
            for odd in (["1e5", "7", far], [far, "1e5", "7"], [far]):
                changed = [*texts[:place], *odd, *texts[place + len(odd) :]]
                same_on_every_tier(f"[{(',' + space).join(changed)}]".encode(), np.float32)


def test_exponents_where_blocks_of_bytes_meet(isa: str) -> None:
    """One at every place of a block, of which the next begins within it."""
    for shift in range(64):
        texts = ["1" + "." + "0" * shift + "1e0", *(["-2.5e-05", "7", "1.25e+1"] * 150)]
        wanted = np.array([nearest_float32(text) for text in texts])
        out = np.empty_like(wanted)
        parse_row(f"[{','.join(texts)}]".encode(), out)
        np.testing.assert_array_equal(out, wanted)


def test_an_exponent_that_ends_where_a_block_begins_of_a_number_without_any(isa: str) -> None:
    """Of the comma at the block's beginning nothing is left to be said of the next block."""
    for shift in range(64):
        for digits in (62, 63, 64, 90):
            texts = ["1e1", "2e1", f"1.5{'0' * shift}e5", f"0.{'3' * digits}", *(["2.5", "0.125", "7"] * 40)]
            wanted = np.array([nearest_float32(text) for text in texts])
            np.testing.assert_array_equal(parse_floats(f"[{','.join(texts)}]".encode()), wanted)


def test_beyond_float32_is_named_alike() -> None:
    assert OVERFLOW > 3.4028235e38
    texts = written(100, "%.3e")
    for at in (0, 7, 90):
        far = (f"{size % 7 + 1}e{size}" for size in range(39, 1000))  # behind all powers that a table may have, too
        for text in ("3.4028236e38", "-9.9e38", *(far if at == 7 else ("1e39", "1e308"))):
            reason = same_on_every_tier(f"[{','.join([*texts[:at], text, *texts[at:]])}]".encode(), np.float32)[0]
            assert isinstance(reason, str)


ALIKE = {"two digits": range(-26, 27), "one digit": range(-9, 10)}


def alike(form: str, exponent: int) -> str:
    sign = "-" if exponent < 0 else "+"
    return f"e{sign}{abs(exponent):02d}" if form == "two digits" else f"e{sign}{abs(exponent)}"


@pytest.mark.parametrize("form", ALIKE)
@pytest.mark.parametrize("space", SPACES)
def test_exponents_of_as_many_bytes_each(isa: str, form: str, space: str) -> None:
    """All that there are of that form, of digits that are all read, that are not, and that are zeros."""
    rng = np.random.default_rng(53)
    digits = ["1", "-9.9", "0", "-0", "0.0", "0.0000000000001", "-0.00000000000001", "4.00000000000000000001"]
    digits += [
        f"{value:.{places}f}" for value, places in zip(rng.uniform(-9.9, 9.9, 40), [*range(20)] * 2, strict=True)
    ]
    texts = [some + alike(form, exponent) for some in digits for exponent in ALIKE[form]]
    texts = rng.permutation(texts).tolist()
    wanted = np.array([nearest_float32(text) for text in texts])
    for first in range(4):  # in each place among those that are converted together
        found = parse_floats(f"[{(',' + space).join(texts[first:])}]".encode())
        np.testing.assert_array_equal(found.view(np.uint32), wanted[first:].view(np.uint32))


@pytest.mark.parametrize(
    "odd", ["1E-05", "1e-005", "1e-5", "1e5", "15", "1.5", "1e-0/", "1/5e-05", "1e5e-05", "1e-99", "-1e+39"]
)
def test_one_exponent_that_is_not_like_the_others(odd: str) -> None:
    """Behind those that tell how a chunk is read."""
    for form in ALIKE:
        texts = [f"{i % 10}.{i:03d}{alike(form, i % 9 - 4)}" for i in range(700)]
        for place in (0, 40, 301, 302, 303, 304, 699):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            same_on_every_tier(f"[{','.join(changed)}]".encode(), np.float32)
