"""Arrays that the vector tiers read a block at a time: floats with one digit before the point, and small integers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from number_text import around_midpoint, nearest_float32, parse_row, same_on_every_tier

from embcodec import parse_floats
from embcodec._native import core
from embcodec.errors import DecodeError

ODD_FLOATS = (
    "12.5", "12", "-12", "1.", "-.5", ".5", "1e-5", "-1.5e-05", "5e", "5e-", "null", "--1", "1-2", "1 2", "1.2.3",
    "00.5", "01", "1e5.0", "7", "-0", "0.0", "-0.0", "9.99999999999999999999", "0." + "1" * 130, "1" * 70, "3.4e39",
    "+1", "", " 1", "1 ", "0x1", "]", "1\xe4",
)  # fmt: skip
ODD_INTEGERS = (
    "-128", "127", "128", "-129", "255", "256", "299", "300", "999", "1000", "007", "00", "-0", "-05", "1.0", "1.5",
    "1e2", "", " 1", "1 ", "\t1", "1\t", "1 2", "--1", "1-2", "-", "+1", "x", "]", "\xb1",
)  # fmt: skip


def in_every_place(odd: str, usual: str, separator: str) -> list[bytes]:
    """Return arrays of usual numbers with the odd one at every place of a block of 64 bytes, behind one or more."""
    step = len(usual + separator)
    firsts = [usual + "1" * more for more in range(step)] if "." in usual else ["1", "11", "111", "1,1,1"][:step]
    texts = []
    for lead in (*range(60 // step, 130 // step), 600 // step):
        texts += [separator.join([first, *[usual] * lead, odd, *[usual] * 30]) for first in firsts]
    return [f"[{text}]".encode("latin-1") for text in texts]


def test_thirteen_decimals_next_to_a_midpoint(isa: str) -> None:
    """By less than products of doubles are rounded by, to either side of it."""
    low = np.random.default_rng(44).uniform(8, 9.99, 3000).astype(np.float32)
    units = [(int(one * 2**20) * 2 + 1) * 10**13 for one in low.tolist()]  # midpoints, in units of 10^-13 / 2^21
    numbers = [twice // 2**21 + above for twice in units for above in (0, 1)]
    texts = [f"{number // 10**13}.{number % 10**13:013d}" for number in numbers]
    wanted = np.array([nearest_float32(text) for text in texts])
    np.testing.assert_array_equal(parse_floats(f"[{','.join(texts)}]".encode()), wanted)


@pytest.mark.parametrize("odd", ODD_FLOATS)
def test_an_odd_float_anywhere(odd: str) -> None:
    for separator in (",", ", "):
        for text in in_every_place(odd, "-0.0625", separator):
            same_on_every_tier(text, np.float32)
        same_on_every_tier(in_every_place(odd, "-0.0625", separator)[9], np.float32, nulls=True)


@pytest.mark.parametrize("odd", ODD_INTEGERS)
def test_an_odd_integer_anywhere(odd: str) -> None:
    for separator in (",", ", "):
        for usual, dtype in (("-12", np.int8), ("103", np.uint8)):
            for text in in_every_place(odd, usual, separator):
                same_on_every_tier(text, dtype)


@pytest.mark.parametrize("separator", [",", ", "])
def test_digits_that_are_not_all_read(isa: str, separator: str) -> None:
    """Of each number fifteen bytes are read; where those do not tell, all are."""
    rng = np.random.default_rng(5)
    bits = rng.integers(0x38000000, 0x41200000, 150)
    texts = [text for b in bits.tolist() for text in around_midpoint(b)[:6]]
    texts += [f"-{text}" for text in texts[::5]]
    texts += [f"{rng.random():.{digits}f}" for digits in range(1, 40) for _ in range(5)]
    texts += ["0.0", "-0.0", "0.0000000000001", "0.00000000000009", "0.000000000000000000000001", "9.9999999999999999"]
    assert all(text.lstrip("-")[1] == "." for text in texts)
    expected = np.array([nearest_float32(text) for text in texts], np.float32)
    got = parse_floats(f"[{separator.join(texts)}]".encode())
    wrong = np.flatnonzero(got.view(np.uint32) != expected.view(np.uint32))
    assert not wrong.size, [(texts[i], got[i], expected[i]) for i in wrong[:3]]


def test_floats_of_every_length_beside_each_other(isa: str) -> None:
    rng = np.random.default_rng(6)
    values = rng.standard_normal(3000) / 10
    texts = [f"{value:.{digits}f}" for value, digits in zip(values, rng.integers(1, 19, 3000), strict=True)]
    texts[::9] = [f"{value:.4e}" for value in values[::9]]
    texts[::11] = [str(int(value)) for value in rng.integers(-9, 10, len(texts[::11]))]
    want = np.array([float(text) for text in texts], np.float32)
    for text in (",".join(texts), ", ".join(texts), json.dumps([float(text) for text in texts])[1:-1]):
        np.testing.assert_array_equal(parse_floats(f"[{text}]").view(np.uint32), want.view(np.uint32))


def test_integers_of_every_length_beside_each_other(isa: str) -> None:
    rng = np.random.default_rng(7)
    for dtype in (np.int8, np.uint8):
        info = np.iinfo(dtype)
        for count in (*range(140), 5000):
            values = rng.integers(info.min, info.max + 1, count).astype(dtype) // rng.choice([1, 9, 40])
            out = np.full(count + 40, 77, dtype)
            for separator in (",", ", "):
                body = f"[{separator.join(map(str, values.tolist()))}]".encode()
                assert parse_row(body, out[:count]) == (len(body), count)
                np.testing.assert_array_equal(out[:count], values)
                assert (out[count:] == 77).all()


def test_room_for_one_less(isa: str) -> None:
    for dtype, parts in ((np.int8, ["-5"] * 300), (np.uint8, ["200"] * 300), (np.float32, ["0.25"] * 1500)):
        text = f"[{','.join(parts)}]".encode()
        for room in range(len(parts) - 70, len(parts)):
            with pytest.raises(DecodeError, match="room") as caught:
                parse_row(text, np.empty(room, dtype))
            assert text[: caught.value.offset].count(b",") == room
    assert core.active_isa() == isa
