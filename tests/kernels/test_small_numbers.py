"""Integers of up to three digits where floats are wanted, which the vector tiers may read like codes: the same floats,
and the same refusals as on the plainest tier."""

from __future__ import annotations

import numpy as np
import pytest
from number_text import nearest_float32, parse_row, same_on_every_tier

from embcodec import parse_floats

SPACES = ("", " ", "\n\t ")


def usual(count: int) -> list[str]:
    return [str((i * 137 % 1999 - 999) // 10 ** (i % 3)) for i in range(count)]


@pytest.mark.parametrize("space", SPACES)
def test_every_integer_of_three_digits(isa: str, space: str) -> None:
    """Zeros with a sign among them, in an order that puts every length behind every other."""
    texts = [*map(str, range(-999, 1000)), *["-0"] * 40, *["0"] * 40]
    for seed in range(4):
        chosen = np.random.default_rng(seed).permutation(texts).tolist()
        wanted = np.array([nearest_float32(text) for text in chosen])
        found = parse_floats(f"[{(',' + space).join(chosen)}]".encode())
        np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


ODD = [
    *("-0", "007", "00", "-05", "1000", "-1000", "16777217", "1.5", "12.", ".5", "1e2", "1E+2", "null", "", "-", "--1"),
    *("1-2", "+1", "1 2", " 1", "1 ", "1\t", "\t1", "]", "x", "\xb1", "1" * 70),
]


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_element(odd: str) -> None:
    """In the first blocks, which tell how a chunk is read, and behind them, where it is too late."""
    for space in SPACES:
        texts = usual(900)
        for place in (0, 1, 20, 21, 22, 23, 120, 450, 898, 899):
            changed = [*texts[:place], odd, *texts[place + 1 :]]
            same_on_every_tier(f"[{(',' + space).join(changed)}]".encode("latin-1"), np.float32)
        same_on_every_tier(f"[{(',' + space).join([*texts, odd])}]".encode("latin-1"), np.float32, nulls=True)


def test_room_for_some(isa: str) -> None:
    """Nothing is written behind what there is room for, whether that is enough or not."""
    for count in (1, 7, 40, 41, 700):
        text = f"[{','.join(usual(count))}]".encode()
        wanted = np.array(usual(count), np.float32)
        for room in {count, count - 1, count // 2} - {0}:
            out = np.full(room + 64, np.nan, np.float32)
            if room == count:
                assert parse_row(text, out[:room]) == (len(text), count)
                np.testing.assert_array_equal(out[:room], wanted)
            else:
                with pytest.raises(ValueError, match="more"):
                    parse_row(text, out[:room])
            assert np.isnan(out[room:]).all()
