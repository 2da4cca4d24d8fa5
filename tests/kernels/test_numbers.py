"""JSON numbers to floats and integers and back, on every tier."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pytest
from each import each
from guard import guarded
from hypothesis import given, settings
from hypothesis import strategies as st
from number_text import (
    around_midpoint,
    nearest_float32,
    parse_row,
    random_number,
    random_numbers,
    same_on_every_tier,
)
from shapes import LENGTHS, OFFSETS

from embcodec._native import core, numbers
from embcodec.codec.numbers import format_floats, parse_floats
from embcodec.errors import DecodeError

TIERS = core.available_isas()
SEPARATORS = (",", ", ", ",\n    ", " , ", ",\r\n\t")

REFUSED = {
    "": 0,
    "x": 0,
    "{}": 0,
    "[": 1,
    "[1": 2,
    "[1.": 3,
    "[1e": 3,
    "[-": 2,
    "[nul": 4,
    "[+1]": 1,
    "[.5]": 1,
    "[01]": 2,
    "[-01]": 3,
    "[00]": 2,
    "[1.]": 3,
    "[1.e5]": 3,
    "[0x1]": 2,
    "[1e]": 3,
    "[1e+]": 4,
    "[1e5.0]": 4,
    "[1.5.5]": 4,
    "[--1]": 2,
    "[-]": 2,
    "[- 1]": 2,
    "[1-2]": 2,
    "[Infinity]": 1,
    "[-Infinity]": 1,
    "[NaN]": 1,
    "[null]": 1,
    "[nullx]": 1,
    "[1,]": 3,
    "[,1]": 1,
    "[,]": 1,
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
    "[[1],[2]": 8,
    "[\x0b1]": 1,
    "[1\xa0]": 2,
    "[" + "1" * 1025 + "]": 1,
}


def array_of(parts: Iterable[str], separator: str = ",") -> bytes:
    return ("[" + separator.join(parts) + "]").encode()


@each("text", REFUSED)
def test_refusals_name_the_byte(isa: str, text: str) -> None:
    data = text.encode("latin-1")
    with pytest.raises(DecodeError) as caught:
        parse_floats(data)
    assert caught.value.offset == REFUSED[text]


@each("text", [t for t in REFUSED if t[:1] == "[" and t.count("[") == 1 and t[-1] != "x"])
def test_refusals_deep_in_an_array(isa: str, text: str) -> None:
    for count in (3, 40, 900):
        head = "[" + "0.25," * count
        if text in ("[", "[,]"):
            continue
        with pytest.raises(DecodeError) as caught:
            parse_floats((head + text[1:]).encode("latin-1"))
        assert caught.value.offset == REFUSED[text] + len(head) - 1


def test_every_digit_decides(isa: str) -> None:
    rng = np.random.default_rng(3)
    bits = [0, 1, 2, 0x7FFFFE, 0x7FFFFF, 0x800000, 0x800001, 0x3F7FFFFF, 0x3F800000, 0x4B800000, 0x7F7FFFFE]
    bits += [int(b) for b in rng.integers(0, 0x7F800000, 60)]
    bits += [int(b) for b in rng.integers(0x3A000000, 0x40000000, 60)]
    texts = [text for b in bits for text in around_midpoint(b)]
    texts += [t for t in around_midpoint(0x7F7FFFFF) if nearest_float32(t) is not None]
    texts += ["-" + t for t in texts[::7]]
    expected = np.array([nearest_float32(t) for t in texts], np.float32)
    got = parse_floats(array_of(texts))
    wrong = np.flatnonzero(got.view(np.uint32) != expected.view(np.uint32))
    assert not wrong.size, [(texts[i], got[i], expected[i]) for i in wrong[:3]]


def test_overflow_begins_halfway_beyond_the_last_float(isa: str) -> None:
    for text in around_midpoint(0x7F7FFFFF):
        if nearest_float32(text) is not None:
            assert parse_floats(f"[{text}]")[0] == np.finfo(np.float32).max
            continue
        with pytest.raises(DecodeError) as caught:
            parse_floats(f"[1,-{text}]")
        assert caught.value.offset == 3


@pytest.mark.parametrize("digits", [1, 15, 16, 17, 19, 20, 31, 32, 33, 100, 1000])
def test_long_digit_strings(isa: str, digits: int) -> None:
    rng = np.random.default_rng(digits)
    texts = []
    for _ in range(40):
        run = "".join(rng.choice(list("0123456789"), digits))
        texts += [f"0.{run}", f"-1{run[1:]}e-{digits}", f"0.{'0' * 20}{run[:900]}", f"1{run[1:]}.0e{-digits - 20}"]
    expected = np.array([nearest_float32(t) for t in texts], np.float32)
    assert np.array_equal(parse_floats(array_of(texts)).view(np.uint32), expected.view(np.uint32))


def test_random_numbers_against_the_oracle(isa: str) -> None:
    texts = random_numbers(11, 6000)
    expected = np.array([nearest_float32(t) for t in texts], np.float32)
    for separator in SEPARATORS:
        got = parse_floats(array_of(texts, separator))
        wrong = np.flatnonzero(got.view(np.uint32) != expected.view(np.uint32))
        assert not wrong.size, [(texts[i], got[i], expected[i]) for i in wrong[:3]]


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint8])
def test_mutated_arrays_give_the_same_on_every_tier(dtype: type) -> None:
    rng = np.random.default_rng(17)
    alphabet = [*"0123456789+-.eE, \n[]nulNaIfityx\x00\x80\xac", "null", ",", ".", "-", "e5", "00"]
    for _ in range(700):
        count = int(rng.choice([1, 2, 5, 17, 60, 400]))
        if dtype == np.float32:
            parts = [random_number(rng) for _ in range(count)]
        else:
            low = -130 if dtype == np.int8 else 0
            parts = [str(x) for x in rng.integers(low, low + 257, count)]
            if rng.integers(3) == 0:
                parts = [part + ".0" for part in parts]
        text = array_of(parts, str(rng.choice(SEPARATORS))).decode()
        for _ in range(int(rng.integers(0, 3))):
            at, cut = int(rng.integers(0, len(text))), int(rng.integers(0, 3))
            text = text[:at] + str(rng.choice(alphabet)) + text[at + cut :]
        data = text.encode("latin-1")
        same_on_every_tier(data, dtype)
        same_on_every_tier(data, dtype, nulls=True)
        same_on_every_tier(data[: int(rng.integers(0, len(data) + 1))], dtype, room=count // 2)


@settings(max_examples=150)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=80), st.sampled_from(SEPARATORS))
def test_round_trip_of_any_floats(values: list[float], separator: str) -> None:
    array = np.array(values, np.float32)
    for tier in TIERS:
        with core.forced_isa(tier):
            text = format_floats(array)
            assert json.loads(text) == [float(x) for x in text.decode()[1:-1].split(",") if x]
            back = parse_floats(text.replace(b",", separator.encode()))
            assert np.array_equal(back.view(np.uint32), array.view(np.uint32))


@settings(max_examples=200)
@given(st.text("0123456789+-.eE,[] nulNaIfity", max_size=120), st.integers(0, 70))
def test_any_text_gives_the_same_on_every_tier(tail: str, lead: int) -> None:
    data = ("[" + "1.5," * lead + tail).encode()
    same_on_every_tier(data, np.float32)
    same_on_every_tier(data, np.float32, nulls=True)
    data = ("[" + "17," * lead + tail).encode()
    same_on_every_tier(data, np.int8)
    same_on_every_tier(data, np.uint8)


@pytest.mark.parametrize("form", ["{:.6f}", "{:.17g}", "{:d}"])
def test_lengths_and_offsets(isa: str, form: str) -> None:
    rng = np.random.default_rng(5)
    for length in LENGTHS:
        integers = rng.integers(-128, 128, length)
        texts = [form.format(int(x) if form == "{:d}" else x / 97) for x in integers]
        body = array_of(texts)
        for offset in OFFSETS:
            data = np.frombuffer(b"9" * offset + body + b",9", np.uint8)[offset:]
            out = np.full(length + 8, 77, np.float32)
            assert parse_row(data, out[:length]) == (len(body), length)
            assert out[:length].tolist() == [np.float32(t) for t in texts]
            assert (out[length:] == 77).all()
            if form == "{:d}":
                small = np.full(length + 8, 77, np.int8)
                assert parse_row(data, small[:length]) == (len(body), length)
                assert small[:length].tolist() == integers.tolist()
                assert (small[length:] == 77).all()


@pytest.mark.parametrize("side", ["start", "end"])
def test_nothing_outside_the_buffers_is_touched(isa: str, side: str) -> None:
    rng = np.random.default_rng(9)
    floats = rng.standard_normal(600).astype(np.float32) / 30
    for count in (0, 1, 2, 3, 5, 8, 13, 16, 17, 21, 33, 64, 100, 300, 600):
        text = format_floats(floats[:count])
        integers = rng.integers(-128, 128, count).astype(np.int8)
        integer_text = numbers.format_row(integers)
        for cut in range(min(len(text), 70)):
            data = text[: len(text) - cut]
            with guarded(len(data), side) as source, guarded(4 * count, side) as target:  # type: ignore[arg-type]
                source[:] = np.frombuffer(data, np.uint8)
                out = target.view(np.float32)
                if cut == 0:
                    assert parse_row(source, out)[1] == count
                    assert np.array_equal(out, floats[:count])
                else:
                    with pytest.raises(DecodeError, match="ends too early"):
                        parse_row(source, out)
            data = integer_text[: max(1, len(integer_text) - cut)]
            with guarded(len(data), side) as source, guarded(count, side) as target:  # type: ignore[arg-type]
                source[:] = np.frombuffer(data, np.uint8)
                if cut == 0:
                    assert parse_row(source, target.view(np.int8))[1] == count
                    assert np.array_equal(target.view(np.int8), integers)
                else:
                    with pytest.raises(DecodeError):
                        parse_row(source, target.view(np.int8))
        with guarded(4 * count, side) as values, guarded(16 * count + 2, side) as target:  # type: ignore[arg-type]
            values.view(np.float32)[:] = floats[:count]
            written = core.lib.ec_floats_format(core.pointer(values), count, core.pointer(target))
            assert target[:written].tobytes() == text
        with guarded(count, side) as values, guarded(5 * count + 2, side) as target:  # type: ignore[arg-type]
            values[:] = integers.view(np.uint8)
            written = core.lib.ec_integers_format(core.pointer(values), count, core.lib.EC_INT8, core.pointer(target))
            assert target[:written].tobytes() == integer_text


def test_capacity_is_kept(isa: str) -> None:
    text = array_of([f"{i}.5" for i in range(300)])
    for room in (0, 1, 15, 16, 17, 100, 299):
        with pytest.raises(DecodeError) as caught:
            parse_row(text, np.empty(room, np.float32))
        assert text[: caught.value.offset].count(b",") == room
    integers = array_of([str(i % 100) for i in range(300)])
    for room in (0, 1, 15, 63, 64, 65, 299):
        with pytest.raises(DecodeError) as caught:
            parse_row(integers, np.empty(room, np.uint8))
        assert integers[: caught.value.offset].count(b",") == room


def test_nulls_become_nan_on_request(isa: str) -> None:
    parts = ["0.5", "null", "NaN", "Infinity", "-Infinity", "1e400", "-1e39", "-0.0"] * 20
    out = np.empty(len(parts), np.float32)
    parse_row(array_of(parts), out, nulls_as_nan=True)
    for column, part in enumerate(parts[:8]):
        values = out[column::8]
        assert (values == float(part)).all() if part in ("0.5", "-0.0") else np.isnan(values).all()
    with pytest.raises(DecodeError, match="null"):
        parse_row(b"[1,null]", np.empty(2, np.int8), nulls_as_nan=True)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integers(isa: str, dtype: type) -> None:
    info = np.iinfo(dtype)
    everything = np.arange(info.min, info.max + 1).astype(dtype)
    for form in ("{}", "{}.0", "{}.000", "{}e0", "{}0e-1"):
        texts = [form.format(x) if x else "0e7" for x in everything.tolist()]
        for separator in SEPARATORS:
            out = np.zeros(256, dtype)
            parse_row(array_of(texts, separator), out)
            assert np.array_equal(out, everything)
    for text in (str(info.min - 1), str(info.max + 1), "1000", "99999999999", "1e3", "12345678901234567890123"):
        for lead in (0, 30):
            with pytest.raises(DecodeError, match="range") as caught:
                parse_row(b"[" + b"7," * lead + text.encode() + b",3]", np.empty(99, dtype))
            assert caught.value.offset == 1 + 2 * lead
    for text in ("1.5", "1e-1", "0.0001", "100.00000000000000000000000001", "12345e-4"):
        with pytest.raises(DecodeError, match="fraction"):
            parse_row(f"[1,2,{text}]".encode(), np.empty(3, dtype))
    assert numbers.format_row(everything) == str(everything.tolist()).replace(" ", "").encode()


def test_minus_zero_is_zero_for_integers(isa: str) -> None:
    out = np.ones(3, np.uint8)
    parse_row(b"[-0,-0.0,-0e5]", out)
    assert out.tolist() == [0, 0, 0]
    with pytest.raises(DecodeError, match="range"):
        parse_row(b"[3,4,-1]", out)


def digits_of(text: str) -> str:
    return text.lower().split("e")[0].replace(".", "").lstrip("-").strip("0")


def test_smallest_floats_have_the_fewest_digits(isa: str) -> None:
    """Where a step is as large as the value: 7 of them, 9.8e-45, is 1e-44 in short, not 1.0e-44."""
    smallest = np.arange(1, 500, dtype=np.uint32).view(np.float32)
    for value, text in zip(smallest, format_floats(smallest)[1:-1].split(b","), strict=True):
        expected = np.format_float_scientific(value, unique=True, trim="-", exp_digits=2)
        assert text.decode() == expected


def test_text_is_shortest(isa: str) -> None:
    rng = np.random.default_rng(2)
    bits = rng.integers(0, 2**32, 6000, dtype=np.uint32)
    bits[:600] = np.arange(600)
    bits[600:856] = np.arange(256) << 23
    values = bits.view(np.float32)
    values = np.concatenate([values[np.isfinite(values)], rng.standard_normal(2000).astype(np.float32)])
    texts = format_floats(values).decode()[1:-1].split(",")
    assert len(texts) == values.size
    for value, text in zip(values, texts, strict=True):
        reference = np.format_float_scientific(value, unique=True, trim="-")
        assert digits_of(text) == digits_of(reference), (text, reference)
        assert np.float32(text) == value
        assert len(text) <= 15


def test_text_forms(isa: str) -> None:
    forms = [
        "0.0", "-0.0", "1.0", "-1.5", "120.0", "12.25", "0.0001", "-0.00012345679", "9.9e-5", "1e-5", "123456790.0",
        "100000000.0", "1e9", "-3.4028235e38", "1e-45", "1.1754944e-38", "0.1", "999999940.0", "16777216.0",
        "9.999999e-5",
    ]  # fmt: skip
    for turn in range(3):  # in several lanes of a batch
        forms = forms[turn:] + forms[:turn]
        assert format_floats(np.array([float(form) for form in forms], np.float32)).decode()[1:-1].split(",") == forms


def test_values_without_text_are_refused(isa: str) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        for row, column in ((0, 0), (1, 33), (2, 69)):
            values = np.ones((3, 70), np.float32)
            values[row, column] = bad
            with pytest.raises(ValueError, match=rf"\[{row}, {column}\]"):
                format_floats(values)


def test_shapes_and_out(isa: str) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((7, 33)).astype(np.float32)
    out = np.zeros((7, 33), np.float32)
    back = parse_floats(format_floats(matrix), out=out)
    assert back.shape == (7, 33)
    assert np.array_equal(out, matrix)
    assert parse_floats(" [ ] ").shape == (0,)
    assert parse_floats("[[],[]]").shape == (2, 0)
    assert format_floats(np.zeros((2, 0))) == b"[[],[]]"
    assert parse_floats(b"[1, 2]").flags.owndata or parse_floats(b"[1, 2]").flags.writeable
    with pytest.raises(DecodeError, match="room"):
        parse_floats("[1,2,3]", out=np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="float32"):
        parse_floats("[1]", out=np.zeros(1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dimensions"):
        format_floats(np.zeros((1, 1, 1)))


def test_numbers_below_half_of_the_least_subnormal_are_zeros_with_their_sign(isa: str) -> None:
    """2^-150 is about 7.0065e-46: what is below it rounds to zero, what is above it to 2^-149."""
    texts = ["1e-46", "7.006e-46", "7.007e-46", "3.5e-46", "1e-60", "1e-400", "0." + "0" * 45 + "7006e0"]
    want = np.array([0, 0, 2.0**-149, 0, 0, 0, 0], np.float32)
    found = parse_floats(f"[{', '.join(texts)}, {', '.join('-' + text for text in texts)}]".encode())
    np.testing.assert_array_equal(found, np.concatenate([want, -want]))
    np.testing.assert_array_equal(np.signbit(found), [False] * len(want) + [True] * len(want))
