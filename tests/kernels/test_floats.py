"""Floats of other forms: every code of each, and the rounding into them."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embcodec import DecodeError, Embeddings, Profile, decode_response, encode_response
from embcodec._native import floats as native
from embcodec._native.core import available_isas, forced_isa
from embcodec._native.floats import PAYLOADS

# bits, bits of the fraction, bias, largest finite magnitude
FORMS = {
    "float16": (16, 10, 15, 0x7BFF),
    "bfloat16": (16, 7, 127, 0x7F7F),
    "fp8_e4m3": (8, 3, 7, 0x7E),
    "fp8_e5m2": (8, 2, 15, 0x7B),
}


def value_of(code: int, form: str) -> float:
    """A code's value by the definition; NaN for what is not finite."""
    bits, fraction, bias, most = FORMS[form]
    magnitude = code & ((1 << (bits - 1)) - 1)
    if magnitude > most:
        return float("nan")
    exponent, rest = divmod(magnitude, 1 << fraction)
    significand = rest + (1 << fraction if exponent else 0)
    value = significand * 2.0 ** (max(exponent, 1) - bias - fraction)
    return -value if code >> (bits - 1) else value


@cache
def table(form: str) -> NDArray[np.float64]:
    return np.array([value_of(code, form) for code in range(1 << FORMS[form][0])])


def bytes_of(codes: NDArray[Any], form: str, order: str) -> bytes:
    width = FORMS[form][0] // 8
    return codes.astype(f"{'<' if order == 'little' else '>'}u{width}").tobytes()


def widened(source: bytes, form: str, order: str) -> NDArray[np.float32]:
    payload = PAYLOADS[form, order]
    out = np.empty(len(source) // native.item_bytes(payload), np.float32)
    native.widen(source, 0, payload, out)
    return out


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("form", FORMS)
def test_every_code_is_read_and_written(isa: str, form: str, order: str) -> None:
    values, codes = table(form), np.arange(1 << FORMS[form][0])
    found = widened(bytes_of(codes, form, order), form, order)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(found[finite], values[finite].astype(np.float32))
    assert not np.isfinite(found[~finite]).any()
    assert (np.signbit(found) == (codes >> (FORMS[form][0] - 1) == 1))[finite].all()
    if form == "float16":
        np.testing.assert_array_equal(found, codes.astype(np.uint16).view(np.float16).astype(np.float32))
    written = native.narrow(found[finite][None], PAYLOADS[form, order])
    assert written.tobytes() == bytes_of(codes[finite], form, order)


def test_infinities_stay_infinite(isa: str) -> None:
    assert widened(bytes_of(np.array([0x7C00, 0xFC00, 0x7C01]), "float16", "little"), "float16", "little").tolist()[
        :2
    ] == [np.inf, -np.inf]
    found = widened(b"\x7c\xfc\x7d", "fp8_e5m2", "little")
    assert found[:2].tolist() == [np.inf, -np.inf]
    assert np.isnan(found[2])
    assert np.isnan(widened(b"\x7f\xff", "fp8_e4m3", "little")).all()


@pytest.mark.parametrize("form", FORMS)
def test_writing_rounds_to_the_nearest_and_of_two_to_the_even(isa: str, form: str) -> None:
    most = FORMS[form][3]
    values = table(form)[: most + 1]
    middles = (values[1:] + values[:-1]) / 2
    exact = middles[middles.astype(np.float32) == middles].astype(np.float32)  # of bfloat16 all but subnormals' are
    assert len(exact) > len(middles) * 0.99
    lower = np.flatnonzero(middles.astype(np.float32) == middles)
    for x, want in (
        (exact, lower + lower % 2),
        (np.nextafter(exact, np.float32(0)), lower),
        (np.nextafter(exact, np.float32(np.inf)), lower + 1),
    ):
        for sign in (1, -1):
            written = native.narrow((sign * x)[None], PAYLOADS[form, "little"])
            codes = np.frombuffer(written.tobytes(), f"<u{FORMS[form][0] // 8}")
            np.testing.assert_array_equal(codes, want | (0 if sign == 1 else most_bit(form)))


def most_bit(form: str) -> int:
    return 1 << (FORMS[form][0] - 1)


@pytest.mark.parametrize("form", ["float16", "bfloat16"])
def test_writing_agrees_with_another_way(isa: str, form: str) -> None:
    bits = np.random.default_rng(3).integers(0, 1 << 32, 200_000, np.uint64).astype(np.uint32)
    x = bits.view(np.float32)
    if form == "float16":
        x = x[np.abs(x) < 65_520]
        want = x.astype("<f2").tobytes()
    else:
        x = x[np.abs(x) < 3.3e38]
        u = x.view(np.uint32)
        want = ((u + 0x7FFF + (u >> 16 & 1)) >> 16).astype("<u2").tobytes()
    assert native.narrow(x[None], PAYLOADS[form, "little"]).tobytes() == want


@pytest.mark.parametrize(
    ("form", "beyond"),
    [("float16", 65_520.0), ("bfloat16", 255.5 * 2.0**120), ("fp8_e4m3", 464 + 2.0**-15), ("fp8_e5m2", 61_440.0)],
)
def test_what_is_too_large_is_refused_with_its_row(isa: str, form: str, beyond: float) -> None:
    largest = np.nextafter(np.float32(beyond), np.float32(0))
    x = np.zeros((300, 41), np.float32)
    x[211, 7], x[210, 3] = largest, -largest
    assert native.narrow(x, PAYLOADS[form, "little"]).any()
    for bad in (beyond, -beyond, np.nan, np.inf):
        x[211, 8] = bad
        with pytest.raises(ValueError, match="row 211"):
            native.narrow(x, PAYLOADS[form, "little"])


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("form", ["float32", *FORMS])
def test_bodies_of_every_form(isa: str, form: str, order: str) -> None:
    profile = Profile("other", base64_dtype=form, byte_order=order)  # type: ignore[arg-type]
    for width in (1, 2, 3, 1023, 2050):  # of more bytes than are decoded at a time, too
        x = np.random.default_rng(width).standard_normal((3, width)).astype(np.float32)
        body = encode_response(Embeddings(x), model="m", encoding_format="base64", profile=profile)
        values = decode_response(body, profile=profile).embeddings.values
        if form == "float32":
            assert np.array_equal(values, x)
        else:
            sent = base64.b64decode(json.loads(body)["data"][1]["embedding"])
            np.testing.assert_array_equal(values[1], widened(sent, form, order))
            assert np.abs(values - x).max() <= np.abs(x).max() * 2.0 ** -(FORMS[form][1] + 1)
        escaped = body.replace(b"/", b"\\/")
        assert np.array_equal(decode_response(escaped, profile=profile).embeddings.values, values)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_finite_in_a_body_is_named(isa: str, form: str) -> None:
    width = FORMS[form][0] // 8
    codes = np.zeros(3000, f"<u{width}")
    codes[2100] = FORMS[form][3] + 1
    text = base64.b64encode(codes.tobytes())
    body = b'{"data": [{"embedding": "%s"}]}' % text
    profile = Profile("other", base64_dtype=form)  # type: ignore[arg-type]
    with pytest.raises(DecodeError) as caught:
        decode_response(body, profile=profile)
    assert (caught.value.row, caught.value.offset) == (0, 25 + 2100 * width * 4 // 3)
    values = decode_response(body, profile=profile, nulls="nan").embeddings.values
    assert np.flatnonzero(np.isnan(values[0])).tolist() == [2100]


def test_urlsafe_and_unpadded_base64_only_where_the_profile_says_so(isa: str) -> None:
    x = np.frombuffer(b"\xfb\xff\xfe\x3e\xff\xef\xbf\x3f", np.float32)
    text = base64.urlsafe_b64encode(x.tobytes())
    assert b"-" in text
    assert b"_" in text
    assert text.endswith(b"=")
    body = b'{"data": [{"embedding": "%s"}]}'
    urlsafe = Profile("urlsafe", base64_urlsafe=True)
    both = Profile("both", base64_urlsafe=True, base64_padding=False)
    assert np.array_equal(decode_response(body % text, profile=urlsafe).embeddings.values[0], x)
    assert np.array_equal(decode_response(body % text.rstrip(b"="), profile=both).embeddings.values[0], x)
    for profile, sent in (("mistral", text), (urlsafe, text.rstrip(b"=")), (urlsafe, base64.b64encode(x.tobytes()))):
        with pytest.raises(DecodeError):
            decode_response(body % sent, profile=profile)
    with pytest.raises(ValueError, match="URL-safe"):
        encode_response(Embeddings(x[None]), model="m", encoding_format="base64", profile=urlsafe)


def test_all_tiers_give_the_same_bytes() -> None:
    bits = np.random.default_rng(5).integers(0, 1 << 32, 2 * 4099, np.uint64).astype(np.uint32)
    for payload in set(PAYLOADS.values()):
        found = set()
        for name in available_isas():
            with forced_isa(name):
                out = np.empty(4099, np.float32)
                native.widen(bits.tobytes(), 0, payload, out)
                small = np.abs(bits.view(np.float32)) < 50
                found.add((out.tobytes(), native.narrow(bits.view(np.float32)[small][None], payload).tobytes()))
        assert len(found) == 1
