"""Numbers written as text: every tier writes what scalar does, wherever a number stands in a block."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from guard import guarded
from numpy.typing import NDArray
from shapes import LENGTHS

from embcodec import format_floats
from embcodec._native import core, numbers


def around(values: NDArray[Any], steps: int = 3) -> NDArray[np.float32]:
    """Return the floats next to some, and those."""
    bits = values.astype(np.float32).view(np.int32)
    found: NDArray[np.float32] = (bits[:, None] + np.arange(-steps, steps + 1)).astype(np.int32).view(np.float32)
    return found.ravel()


def hard_floats() -> NDArray[np.float32]:
    """Return floats at which the writers part ways, in no order, and with both signs."""
    rng = np.random.default_rng(21)
    powers_of_two, powers_of_ten = 2.0 ** np.arange(-126, 128), 10.0 ** np.arange(-37, 39)
    short = np.round(rng.standard_normal(20_000), 3), rng.integers(0, 2**24, 5_000), rng.integers(0, 99, 2_000) / 8
    found = np.concatenate(
        [
            around(powers_of_two),
            around(powers_of_ten),
            around(np.array([1e-4, 2.0**27, 1e9]), 40),
            *(some.astype(np.float32) for some in short),
            rng.integers(0x38D1B000, 0x4D000800, 120_000).astype(np.uint32).view(np.float32),
            rng.integers(0, 0x7F800000, 20_000).astype(np.uint32).view(np.float32),
            np.zeros(3_000, np.float32),
        ]
    )
    found *= rng.choice(np.array([-1, 1], np.float32), found.size)
    return rng.permutation(found)


def test_floats_have_the_texts_of_the_scalar_writer(isa: str) -> None:
    values = hard_floats()
    found = format_floats(values, threads=1)
    with core.forced_isa("scalar"):
        wanted = format_floats(values, threads=1)
    assert found == wanted


@pytest.mark.parametrize(
    ("low", "high"), [(-38, -5), (-9, -5), (9, 38), (9, 10)], ids=["small", "one digit", "large", "just large"]
)
def test_rows_of_exponents_alone(isa: str, low: int, high: int) -> None:
    """Those of which a block has several go another way, in rows of every length and with texts of every length."""
    rng = np.random.default_rng(23)
    for length in (*range(1, 40), 5_000):
        digits = rng.integers(0, 9, length)
        mantissas = [f"{rng.integers(1, 10)}.{rng.integers(0, 10**9):09d}"[: 2 + n] for n in digits.tolist()]
        exponents = rng.integers(low, high, length).tolist()
        signs = rng.choice(["", "-"], length).tolist()
        row = [float(f"{s}{m}e{e}") for s, m, e in zip(signs, mantissas, exponents, strict=True)]
        values = np.array(row, np.float32)
        found = format_floats(values, threads=1)
        with core.forced_isa("scalar"):
            assert found == format_floats(values, threads=1)
        np.testing.assert_array_equal(np.array(json.loads(found), np.float32), values)


def test_floats_written_alone_in_every_place_of_a_block(isa: str) -> None:
    """Those with exponents, which a block leaves to scalar, beside others, and in rows that end anywhere."""
    texts = ["0.25", "-1.5e-5", "0.0", "-0.125", "1e9", "3.0", "-0.0", "2e-7", "0.0001"]
    for length in (length for length in LENGTHS if length < 300):
        row = [texts[(3 * i + length) % len(texts)] for i in range(length)]
        assert format_floats(np.array(row, np.float32)).decode() == f"[{','.join(row)}]"
    for place in range(33):
        row = ["0.5"] * 33
        row[place] = "-1e-30"
        assert format_floats(np.array(row, np.float32)).decode() == f"[{','.join(row)}]"


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integers_of_every_length(isa: str, dtype: type) -> None:
    rng = np.random.default_rng(22)
    info = np.iinfo(dtype)
    of_digits = np.array(
        [0, 1, 9, 10, 42, 99, 100, 109, 127, *((-1, -9, -10, -99, -100, -128) if info.min else (200, 255))]
    )
    for values in (
        *(rng.integers(info.min, info.max + 1, length) for length in LENGTHS),
        *(rng.choice(of_digits, length) for length in range(140)),
        *(np.full(100, value) for value in of_digits),
        *(np.where(np.arange(140) == place, rng.choice(of_digits), rng.choice(of_digits[6:])) for place in range(64)),
        np.repeat(rng.choice(of_digits, 300), rng.integers(1, 150, 300)),
        rng.choice(of_digits, 50_000),
    ):
        assert json.loads(numbers.format_row(values.astype(dtype))) == values.tolist()
        assert numbers.format_row(values.astype(dtype)).decode() == str(values.tolist()).replace(" ", "")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_runs_of_integers_whose_texts_are_alike(isa: str, dtype: type) -> None:
    """Every number of a kind, in runs that end anywhere, others before and behind them, and written before a guard."""
    rng = np.random.default_rng(24)
    info = np.iinfo(dtype)
    bounds = [info.min, *((-99, -9, 0, 10, 100) if info.min else (10, 100, 200)), info.max + 1]
    for low, high in pairwise(bounds):
        for length in (31, 32, 33, 64, 95, 96, 97, 479, 480, 481, 1000):
            run = np.resize(rng.permutation(np.arange(low, high)), length)
            other = rng.integers(info.min, info.max + 1, 70)
            for values in (run, np.concatenate([other, run]), np.concatenate([run, other, run[::-1]])):
                assert numbers.format_row(values.astype(dtype)).decode() == str(values.tolist()).replace(" ", "")
        for odd in (low - 1, high, info.min, info.max):
            for place in (0, 1, 31, 32, 50, 63, 64, 90):
                values = np.full(100, low)
                values[place] = min(max(odd, info.min), info.max)
                assert numbers.format_row(values.astype(dtype)).decode() == str(values.tolist()).replace(" ", "")
        for length in (32, 64, 96):
            values = np.full(length, low, dtype)
            kind = core.lib.EC_INT8 if info.min else core.lib.EC_UINT8
            with guarded(core.lib.EC_INTEGER_TEXT * length + 2) as text:
                written = core.lib.ec_integers_format(core.pointer(values), length, kind, core.pointer(text))
                assert bytes(text[:written]).decode() == str(values.tolist()).replace(" ", "")
