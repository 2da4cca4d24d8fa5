"""Numbers of ten and more, among which any others: read to the nearest float32, and refused as on the plainest tier."""

from __future__ import annotations

import numpy as np
import pytest
from number_text import around_midpoint, nearest_float32, same_on_every_tier

from embcodec import parse_floats


def texts_of(count: int) -> list[str]:
    return [f"{(i * 137 % 2003 - 1000) / 10 ** (i % 4):.{i % 7}f}" for i in range(count)]


def check(texts: list[str], space: str = "") -> None:
    wanted = np.array([nearest_float32(text) for text in texts])
    found = parse_floats(f"[{(',' + space).join(texts)}]".encode())
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


@pytest.mark.parametrize("space", ["", " "])
def test_every_count_of_digits(isa: str, space: str) -> None:
    """Before the point and behind it, in groups of one count, and with numbers of other counts between them."""
    rng = np.random.default_rng(61)
    for whole in range(1, 17):
        texts = []
        for digits in range(24):
            for sign in ("", "-"):
                run = "".join(map(str, rng.integers(0, 10, digits)))
                number = f"{sign}{rng.integers(1, 10)}{''.join(map(str, rng.integers(0, 10, whole - 1)))}"
                texts += [f"{number}.{run}" if run else number] * int(rng.integers(1, 4))
        check(texts, space)
        mixed = [*texts, "0", "-0", "-0.0", "0.00012", "10", "99999.9", "-100000", "1e5", "12.5e-3", "3E+01", "1e-44"]
        check([mixed[i] for i in rng.integers(0, len(mixed), 1100)], space)


def test_halfway_between_two_floats(isa: str) -> None:
    rng = np.random.default_rng(62)
    floats = (10.0 ** rng.uniform(0.9, 5.3, 60)).astype(np.float32).view(np.uint32).tolist()
    texts = [text for bits in floats for text in around_midpoint(bits) if "e" not in text]
    texts += [text[: int(rng.integers(12, 26))].rstrip(".") for text in texts]
    check([sign + text for sign in ("", "-") for text in texts])


ODD = [
    *("012.5", "-012.5", "00.5", "-00", "00", "000012", "12.3.4", "12..5", "1.2.3", "12.", "-12.", ".5", "12-3", "1 2"),
    *("12.5e5.5", "12e", "e12", "12345.678901234567.5", "123456.7", "1234567.8.9", "12.5\t", "\t12.5", "+12", "--12"),
    *("12.5e1", "12e400", "1" * 39, "1" * 40, "12." + "3" * 120, "0" * 70, "", "-"),
    *("12\x00", "null", "]", "12]", "\x8212"),
]


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_element(odd: str) -> None:
    """Wherever it stands among the numbers that are converted together."""
    for space in ("", " "):
        texts = texts_of(702)
        for place in (0, 1, 60, 301, 302, 303, 304, 699, 700, 701):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            same_on_every_tier(f"[{(',' + space).join(changed)}]".encode(), np.float32)


@pytest.mark.parametrize("twice", ["1.2.5", "12.5.3", "12.30000000000001.5"])
def test_points_that_are_missed_and_found_elsewhere(twice: str) -> None:
    """As many points as there should be are not enough: no number may have two."""
    for count in (1, 2, 255, 256):
        texts = ["12.5"] * 700
        texts[:count] = ["125"] * count
        texts[300 : 300 + count] = [twice] * count
        same_on_every_tier(f"[{','.join(texts)}]".encode(), np.float32)


def test_few_of_ten_and_more(isa: str) -> None:
    """Behind what tells how a chunk is read, and as many as make it go another way."""
    for every in (2, 8, 50, 400):
        for number in ("12.5", "-1017.25", "123456789.5", "17"):
            texts = [f"0.{i:04d}5" for i in range(1200)]
            texts[60::every] = [number] * len(texts[60::every])
            check(texts)
