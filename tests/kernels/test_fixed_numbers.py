"""Numbers that differ in their digits and signs alone, and whole ones: to the nearest float32, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from each import each
from guard import guarded
from number_text import OVERFLOW, around_midpoint, nearest_float32, parse_row, same_on_every_tier

from embcodec import parse_floats

SPACES = ("", " ", "  ")


def check(texts: list[str], space: str = "") -> None:
    wanted = np.array([nearest_float32(text) for text in texts])
    found = parse_floats(f"[{(',' + space).join(texts)}]".encode())
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


def printed(pattern: str, count: int, seed: int = 71) -> list[str]:
    values = np.random.default_rng(seed).uniform(-9.4, 9.4, count)
    return [pattern % value for value in (values * (1e-3 if "e" in pattern.lower() else 1)).tolist()]


FORMS = [
    f"%.{digits}{kind}" for digits in (0, 1, 2, 5, 8, 9, 10, 12, 13, 14, 15) for kind in "feE" if digits or kind != "f"
]


@each("pattern", FORMS)
def test_every_form(isa: str, pattern: str) -> None:
    """In lists of some chunks, of less than one, and that end anywhere in one."""
    for space, count in zip(SPACES * 2, (700, 300, 180, 90, 60, 30), strict=True):
        check(printed(pattern, count, count), space)


def test_every_exponent(isa: str) -> None:
    for sign in "+-":
        for digits in ("1.25", "-9.75", "0.00", "-0.01", "4", "0"):
            texts = [f"{digits}e{sign}{size:02d}" for size in range(38)]
            check([text for text in texts if abs(float(text)) < OVERFLOW] * 20)


def test_signs_in_every_order(isa: str) -> None:
    """Where a number begins follows from the signs before it, and the second half of a chunk from its first comma."""
    rng = np.random.default_rng(72)
    for share in (0.0, 0.03, 0.5, 0.97, 1.0):
        for length in (300, 1500, 5000):
            signs = np.where(rng.random(length) < share, "-", "")
            check([f"{sign}{i % 10}.{i * 7919 % 10000:04d}" for i, sign in enumerate(signs)])


def test_halfway_between_two_floats(isa: str) -> None:
    """Whole numbers halfway between two floats, and next to that, with exponents."""
    for digits in (7, 8, 11, 13):
        floats = np.random.default_rng(73).uniform(max(10**digits, 2**24), 10 ** (digits + 1), 400).astype(np.float32)
        middles = [(int(low) + int(np.nextafter(low, np.float32(np.inf)))) // 2 for low in floats]
        check([f"{(-1) ** i * (middle + i % 3 - 1):.{digits}e}" for i, middle in enumerate(middles)])


def test_next_to_halfway_without_exponents(isa: str) -> None:
    """The middle of two floats, k / 2^24, is the nearest double of these: d 2^11 = k 5^13 - j, with small odd j."""
    below = pow(-(2**11), -1, 5**13)
    numbers = [(j * below) % 5**13 + m * 5**13 for j in (-3, -1, 1, 3) for m in range(10**13 // 5**13 + 1, 16000, 200)]
    texts = [f"{d // 10**13}.{d % 10**13:013d}" for d in numbers]
    assert {text[0] for text in texts} == {"1"}
    check(texts)
    check([f"-{text}" for text in texts])


ODD = (
    *(
        "1..25",
        "12.25",
        "1.255",
        "1.2",
        "11.25",
        "1.2a",
        ".225",
        "+1.25",
        "--1.25",
        "-",
        "",
        "1e-05",
        "1.25e5",
        "null",
        "1,25",
    ),
    *("01.2", " 1.25", "1.25 ", "1.25]", "]", "1.2-", "1:25", "/.25", "1/25", "1.:5", "1.2,", ",1.25", "-1.25", "9.99"),
)
ODD_EXPONENTS = (
    *(
        "1.25e-0,",
        "1.25e-0,,",
        "1.25e-5",
        "1.25e-005",
        "1.25e05",
        "1.25e 05",
        "1.25e-0a",
        "1.25f-05",
        "1.25e,05",
        "1.25E-05",
    ),
    *(
        "1.25e-38",
        "1.25e-46",
        "1.25e+38",
        "1.25e+39",
        "1.25e-99",
        "1.25ee05",
        "1,25e-05",
        "1.2ee-05",
        "1.25e--5",
        "1.25e-0.",
    ),
)


@each("form,odd", [("%.2f", odd) for odd in ODD] + [("%.2e", odd) for odd in (*ODD, *ODD_EXPONENTS)])
def test_one_odd_element(form: str, odd: str) -> None:
    """At places of either half of a chunk, at its ends, and where the halves meet."""
    texts = printed(form, 1500)
    for space in SPACES[:2]:
        for place in (0, 1, 2, 3, 30, 100, 101, 700, 701, 1100, 1497, 1498, 1499):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            same_on_every_tier(f"[{(',' + space).join(changed)}]".encode(), np.float32)


@pytest.mark.parametrize("pattern", ["%.3f", "%.6e", "%.12e", "%.0e"])
def test_one_odd_byte(pattern: str) -> None:
    """Each byte of some numbers in the middle of a list, and each space between two, becomes another one."""
    for space in SPACES[:2]:
        text = f"[{(',' + space).join(printed(pattern, 400))}]".encode()
        begin = len(text) * 2 // 5
        for place in range(begin, begin + 50):
            for odd in b"05.,-+eE ]/:\x00\xb0":
                same_on_every_tier(text[:place] + bytes([odd]) + text[place + 1 :], np.float32)


def test_forms_that_change(isa: str) -> None:
    """Runs of one form, shorter and longer than what a chunk is given up for."""
    rng = np.random.default_rng(74)
    for longest in (2, 40, 400):
        texts: list[str] = []
        while len(texts) < 3000:
            run = printed(str(rng.choice(FORMS)), int(rng.integers(1, longest + 1)), len(texts))
            texts += run
        check(texts)


@pytest.mark.parametrize("pattern", ["%.1f", "%.8e"])
def test_text_that_ends_early(isa: str, pattern: str) -> None:
    """Negative numbers are longer: of them as many as before the middle of a chunk reach beyond its end."""
    numbers = [number.lstrip("-") for number in printed(pattern, 1100)]
    for count in range(300, 1100, 7):
        for positive in (count // 2, count * 2 // 3, count - 60, count):
            texts = [*numbers[:positive], *(f"-{number}" for number in numbers[positive:count])]
            text, out = f"[{','.join(texts)}]".encode(), np.zeros(count, np.float32)
            with guarded(len(text)) as source:
                source[:] = np.frombuffer(text, np.uint8)
                assert parse_row(source, out) == (len(text), count)
            assert (np.signbit(out) == (np.arange(count) >= positive)).all()


def test_room_for_fewer() -> None:
    for pattern in ("%.4f", "%.8e"):
        text = f"[{','.join(printed(pattern, 700))}]".encode()
        for room in (0, 1, 3, 100, 350, 351, 699, 700, 701):
            same_on_every_tier(text, np.float32, room=room)


def test_whole_numbers_of_every_length(isa: str) -> None:
    rng = np.random.default_rng(75)
    for digits in range(1, 19):
        numbers = rng.integers(10 ** (digits - 1) if digits > 1 else 0, 10**digits, 400).tolist()
        texts = [f"{'-' if i % 3 else ''}{number}" for i, number in enumerate(numbers)]
        for space in SPACES:
            check(texts, space)
            mixed = [
                *texts[:200],
                "0",
                "-0",
                "7",
                "-42",
                "16777217",
                "999999999999999",
                "1000000000000000",
                "-1" + "0" * 30,
            ]
            check([mixed[i] for i in rng.integers(0, len(mixed), 700)], space)


def test_whole_numbers_halfway_between_two_floats(isa: str) -> None:
    rng = np.random.default_rng(76)
    floats = (10.0 ** rng.uniform(7.3, 14.9, 300)).astype(np.float32).view(np.uint32).tolist()
    texts = [text[:-2] for bits in floats for text in around_midpoint(bits) if text.endswith(".0")]
    assert len(texts) > 200
    check([sign + str(int(text) + more) for text in texts for sign in ("", "-") for more in (-1, 0, 1)])


@each(
    "odd",
    [
        "  12345",
        "\t\t12345",
        "012345",
        "-012345",
        "00",
        "-00",
        "123 45",
        "1234-5",
        "-",
        "",
        "+12345",
        "--12345",
        "\t12345",
        "12345\t",
        "1e5",
        "a",
    ],
)
def test_one_odd_whole_number(odd: str) -> None:
    texts = [str(i * 7919 % 2000003 - 1000000) for i in range(702)]
    for space in SPACES:
        for place in (0, 1, 60, 301, 302, 303, 304, 699, 700, 701):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            same_on_every_tier(f"[{(',' + space).join(changed)}]".encode(), np.float32)
