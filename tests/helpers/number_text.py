"""The oracle of number text, by rational arithmetic, generators of texts worth trying, and tiers side by side."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embcodec._native import core, numbers
from embcodec._native.core import check, ffi, lib, pointer
from embcodec.errors import DecodeError

OVERFLOW = Fraction(2) ** 128 - Fraction(2) ** 103  # from here on the nearest float32 is infinity


def parse_row(text: Any, out: NDArray[Any], *, nulls_as_nan: bool = False) -> tuple[int, int]:
    """Parse the JSON array at the start of `text` as a row of a body is: into `out`, of float32, int8 or uint8.

    Returns
    -------
    consumed, produced : int
        Bytes of the array with its brackets, and the numbers it holds.

    Raises
    ------
    DecodeError
        At what is no such array, with the offset of the offending byte.
    """
    view = ffi.from_buffer(text)
    flags = lib.EC_NULLS_AS_NAN if nulls_as_nan else 0
    if out.dtype == np.float32:
        result = lib.ec_floats_parse(view, len(view), pointer(out), out.size, flags)
    else:
        kind = lib.EC_INT8 if out.dtype == np.int8 else lib.EC_UINT8
        result = lib.ec_integers_parse(view, len(view), pointer(out), out.size, kind, flags)
    check(result)
    return int(result.consumed), int(result.produced)


@cache  # each tier is tried on the same texts
def nearest_float32(text: str) -> np.float32 | None:
    """Return the float32 nearest to a JSON number, ties to even, or None where that is beyond float32."""
    exact = abs(Fraction(text))
    if exact >= OVERFLOW:
        return None
    exponent = max(exact.numerator.bit_length() - exact.denominator.bit_length(), -126)
    if exact < Fraction(2) ** exponent:  # the estimate is at most one too high
        exponent = max(exponent - 1, -126)
    ulp = Fraction(2) ** (exponent - 23)
    magnitude = round(exact / ulp) * ulp  # round() of a Fraction takes ties to even
    return np.float32(-float(magnitude) if text.startswith("-") else float(magnitude))  # a float32 already: exact


def decimal_text(value: Fraction) -> str:
    """Return every digit of a number whose denominator is a power of two, without an exponent."""
    shift = max(value.denominator.bit_length() - 1, 1)
    digits = str(abs(value.numerator) * 5**shift * 2**shift // value.denominator).rjust(shift + 1, "0")
    return ("-" if value < 0 else "") + digits[:-shift] + "." + digits[-shift:]


@cache
def around_midpoint(bits: int) -> tuple[str, ...]:
    """Return the midpoint between the float32 of `bits` and the next above, and texts just below and above it."""
    low = Fraction(float(np.uint32(bits).view(np.float32)))
    high = Fraction(2) ** 128 if bits == 0x7F7FFFFF else Fraction(float(np.uint32(bits + 1).view(np.float32)))
    exact = decimal_text((low + high) / 2)
    digits = exact.rstrip("0")
    below = digits + "0" if digits.endswith(".") else digits
    last = len(below) - 1
    while below[last] in "0.":
        last -= 1
    lowered = "".join(
        str(int(c) - 1) if i == last else "9" if i > last and c != "." else c for i, c in enumerate(below)
    )
    texts = [exact, exact + "0" * 40, exact + "1", exact + "0" * 60 + "1", lowered + "9" * 30, lowered + "5"]
    return *texts, *(_scientific(text) for text in texts)


def _scientific(text: str) -> str:
    whole, fraction = text.split(".")
    digits = (whole + fraction).lstrip("0")
    exponent = len(digits) - 1 - len(fraction)
    return f"{digits[0]}.{digits[1:] or '0'}e{exponent:+d}"


def random_number(rng: np.random.Generator) -> str:
    """Return a valid JSON number of one of the shapes that occur, or that nearly never do."""
    kind = rng.integers(10)
    value = float(rng.standard_normal()) * 10.0 ** int(rng.integers(-6, 3))
    if kind < 3:
        return repr(value)
    if kind == 3:
        return repr(float(np.float16(value)))
    if kind == 4:
        return str(np.float32(value))
    if kind == 5:
        return str(int(rng.integers(-300, 300)))
    if kind == 6:
        return f"{value:.{int(rng.integers(1, 60))}f}"
    if kind == 7:
        return f"{value:.{int(rng.integers(1, 25))}{rng.choice(list('eE'))}}"
    if kind == 8:
        return str(rng.choice(["0", "-0", "0.0", "-0.0", "0e5", "0.0E-400", "1e-400", "1E+2", "-1e2", "100", "7"]))
    digits = "".join(rng.choice(list("0123456789"), int(rng.integers(1, 45))))
    return f"{int(rng.integers(0, 10**6))}.{digits}"


@cache
def random_numbers(seed: int, count: int) -> tuple[str, ...]:
    rng = np.random.default_rng(seed)
    return tuple(random_number(rng) for _ in range(count))


def outcome(text: bytes, dtype: type, *, room: int | None = None, nulls: bool = False) -> tuple[object, ...]:
    """Return what parsing gives, as something that compares: the numbers' bytes, or the reason and the offset."""
    out = np.zeros(numbers.numbers_bound(text) if room is None else room, dtype)
    try:
        consumed, produced = parse_row(text, out, nulls_as_nan=nulls)
    except DecodeError as error:
        return error.reason, error.offset
    return consumed, out[:produced].tobytes()


def same_on_every_tier(text: bytes, dtype: type, **options: object) -> tuple[object, ...]:
    """Return the outcome, which is that of the plainest tier on every one."""
    with core.forced_isa("scalar"):
        expected = outcome(text, dtype, **options)  # type: ignore[arg-type]
    for tier in core.available_isas()[1:]:
        with core.forced_isa(tier):
            assert outcome(text, dtype, **options) == expected, (tier, text)  # type: ignore[arg-type]
    return expected
