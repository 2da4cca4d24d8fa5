"""Numbers with white space between them, as printers of JSON lay them out: read as those without, on every tier."""

from __future__ import annotations

import numpy as np
import pytest
from each import each
from number_text import parse_row, same_on_every_tier

from embcodec import format_floats, parse_floats
from embcodec._native.numbers import format_row
from embcodec.errors import DecodeError

SPACES = [
    " ",
    "\n",
    "\t",
    "\r\n",
    "\n" + " " * 8,
    "\n\t\t\t",
    "\t" * 9,
    *(" " * n for n in (2, 14, 15, 16, 17, 31, 33, 70)),
]


def floats(count: int) -> np.ndarray:
    values = np.random.default_rng(41).standard_normal(count).astype(np.float32) / np.float32(30)
    values[::50] = 1e-5
    values[::31] = 0
    return values


@each("space", SPACES)
@each("count", [1, 2, 40, 3000])
def test_white_space_behind_commas(isa: str, space: str, count: int) -> None:
    values = floats(count)
    text = format_floats(values).decode()[1:-1].replace(",", "," + space)
    for before in ("", space):
        for behind in ("", space, "\n  "):
            data = f"[{before}{text}{behind}]".encode()
            out = np.empty_like(values)
            assert parse_row(data, out) == (len(data), count)
            np.testing.assert_array_equal(out, values)
            parse_row(data + b", 1]", out)  # of a body, whose text goes on
            np.testing.assert_array_equal(parse_floats(b"[" + data + b",\n" + data + b"]"), [values, values])


@each("space", SPACES)
@each("dtype", [np.int8, np.uint8])
def test_white_space_between_integers(isa: str, space: str, dtype: type) -> None:
    for count in (1, 2, 7, 40, 1000):
        values = (
            np.random.default_rng(count).integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, count).astype(dtype)
        )
        text = format_row(values).decode()[1:-1].replace(",", "," + space)
        for before, behind in (("", ""), (space, space), ("", "\n "), (space, "")):
            data = f"[{before}{text}{behind}]".encode()
            out = np.empty_like(values)
            assert parse_row(data, out) == (len(data), count)
            np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("gap", [", ", ",", ",\n  "])
@pytest.mark.parametrize("other", [",", ", ", ",\t", ",  ", " ,"])
def test_one_gap_that_differs(isa: str, gap: str, other: str) -> None:
    """At every place of a block of bytes, and where a chunk begins."""
    texts = [f"0.{i:04d}5" for i in range(1, 500)]
    values = np.array([float(text) for text in texts], np.float32)
    for place in (*range(1, 30), *range(30, 498, 13), 498):
        text = f"[{gap.join(texts[:place])}{other}{gap.join(texts[place:])}]".encode()
        np.testing.assert_array_equal(parse_floats(text), values)


def test_broken_spaced_text_is_judged_alike() -> None:
    """A comma before the bracket, none between numbers, gaps that differ, and any other damage."""
    rng = np.random.default_rng(43)
    for space in SPACES:
        for count in (3, 30, 700):
            parts = format_floats(floats(count)).decode()[1:-1].split(",")
            text = ("," + space).join(parts)
            for end in ("," + space + "]", space + ",]", "]]", space, "", space + "x]", space + "] "):
                same_on_every_tier(f"[{text}{end}".encode(), np.float32)
            for _ in range(12):
                at = int(rng.integers(1, len(text)))
                other = str(rng.choice([" ", "\n", ",", "", "-", ".", "1", "]", "e1"]))
                same_on_every_tier(
                    f"[{text[:at]}{other}{text[at + int(rng.integers(2)) :]}{space}]".encode(), np.float32
                )


@pytest.mark.parametrize("text", ["[1,\n]", "[1,\n  2,\n]", "[\n,1]", "[,\n]", "[1\n,\n,\n]", "[1\n 2\n]", "[1,2\n"])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_what_white_space_does_not_mend(isa: str, text: str, dtype: type) -> None:
    with pytest.raises(DecodeError):
        parse_row(text.encode(), np.empty(9, dtype))
    same_on_every_tier(text.encode(), dtype)


ODD = [
    *("12.5", "-12.5", "01", "-0", "0", "7", "1.2.3", "1..5", "1.", ".5", "-.5", "-", "--1", "1-2", "1 2", "", " "),
    *("1e5", "1e+5", "1E-5", "-1.5e-05", "1.5e5.5", "1e5e5", "1e", "1e+", "e", "e5", "+5", "1+5", "1e+-5", "1ee5"),
    *("  e  3", "  +  3", " + 3", "+ 3", "\t-3", "   -3", "-  3", "  .5", "0.5\t", "0.5  ", ":", "0:5", "0.%5", "\x05"),
    *("0." + "3" * 130, "1" * 70, "0.5\n]", "]", "0.1é", "\x80", "null", "1.5e1000", "1e38", "1e-46", "1.1.1.1.1"),
]


@each("odd", ODD)
def test_one_odd_element(odd: str) -> None:
    """Judged as by the plainest tier, wherever it stands among the numbers that are converted together."""
    for space in ("", " ", "\n   "):
        texts = [f"{i % 19 - 9}.{i:04d}5" for i in range(700)]
        for place in (0, 1, 60, 301, 302, 303, 304, 698, 699):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            for end in ("]", "], 5]"):
                same_on_every_tier(("[" + ("," + space).join(changed) + end).encode(), np.float32)


def test_points_that_are_missed_and_found_elsewhere() -> None:
    """As many points as there should be are not enough: each has its place."""
    for count in (1, 2, 255, 256, 257):
        texts = ["0.25"] * 700
        texts[:count] = ["025"] * count
        texts[300 : 300 + count] = ["0.2.5"] * count
        same_on_every_tier(f"[{','.join(texts)}]".encode(), np.float32)


@pytest.mark.parametrize("odd", ["13.5", "15", "115"])
def test_a_shorter_gap_before_a_second_digit(odd: str) -> None:
    """So that what stands where the number is thought to begin could be one by itself, also among the last ones."""
    for count in range(697, 701):
        texts = [f"{i % 10}.{i:04d}5" for i in range(count)]
        for place in (1, 300, *range(count - 5, count)):
            text = f"[{', '.join(texts[:place])},{odd}, {', '.join(texts[place + 1 :])}".rstrip(", ") + "]"
            same_on_every_tier(text.encode(), np.float32)


@pytest.mark.parametrize("space", ["", " "])
def test_two_digits_among_last_numbers_without_points(space: str) -> None:
    """Which points, of which there are as many as there should be, do not tell."""
    for count in range(697, 701):
        for back in range(1, 7):
            texts = [*(f"{i % 10}.{i:04d}5" for i in range(count)), *"123456"]
            texts[-back] = "12"
            same_on_every_tier(f"[{(',' + space).join(texts)}]".encode(), np.float32)


@pytest.mark.parametrize("space", [" ", "  ", "\n    ", " " * 15])
def test_a_gap_with_something_in_it(space: str) -> None:
    """Of the same length as the others, so that the numbers behind it are where they are thought to be."""
    texts = [f"0.{i:04d}5e-1" if i % 7 == 0 else f"-{i % 10}.5" for i in range(700)]
    for place in (1, 300, 301, 302, 303, 699):
        for at in range(len(space)):
            for other in ("e", "E", "+", "-", ".", ",", "5", "%", "\x00", "[", "\x05", "e+", "5e"):
                gap = ("," + space)[: 1 + at] + other + space[at + len(other) :]
                text = ("," + space).join(texts[:place]) + gap + ("," + space).join(texts[place:])
                same_on_every_tier(f"[{text}]".encode(), np.float32)


@each("odd", ["5e+9", "5e-9", "5.5e+9", "-5e+9", "5e+09", "15e+9", "5E+9"])
def test_one_narrower_gap(odd: str) -> None:
    """Where a number is thought to begin, behind a gap like the others', is then a place inside its exponent."""
    for form in ("%.1fe+%d", "%.1fe-0%d"):
        others = [form % (i * 7 % 97 / 10, i % 10) for i in range(64)]
        for spaces in range(6):
            for count in (57, 58, 59, 60):
                for place in range(48, count):
                    texts = [" " * spaces + text for text in others[:count]]
                    texts[place] = odd
                    same_on_every_tier(f"[{','.join(texts)}]".encode(), np.float32)
