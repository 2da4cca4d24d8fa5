"""Floats of other forms: every code of each, and the rounding into them."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embcodec import DecodeError, Embeddings, Profile, decode_octets, decode_response, encode_response
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


def octets(x: NDArray[np.float32], form: str, order: str, **changes: Any) -> tuple[bytes, str]:
    """A body as vLLM sends it, and its header."""
    payload = native.narrow(x, PAYLOADS[form, "big" if order == "big" else "little"])
    size = payload.shape[1]
    items = [
        {"index": i, "embed_dtype": form, "endianness": order, "start": i * size, "end": (i + 1) * size}
        | {"shape": [x.shape[1]]}
        for i in range(len(x))
    ]
    items[-1] |= changes
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    return payload.tobytes(), json.dumps({"id": "i", "created": 1, "model": "m", "data": items, "usage": usage})


@pytest.mark.parametrize("order", ["native", "little", "big"])
@pytest.mark.parametrize("form", ["float32", *FORMS])
def test_octets(isa: str, form: str, order: str) -> None:
    x = np.round(np.random.default_rng(1).standard_normal((9, 33)) * 4).astype(np.float32) / 4
    body, header = octets(x, form, order)
    want = decode_octets(body, header)
    if form != "fp8_e5m2":
        assert np.array_equal(want.embeddings.values, x)
    assert (want.model, want.id, want.usage.total_tokens, want.encoding_format) == ("m", "i", 7, None)
    assert want.embeddings.values.flags.writeable
    shuffled = json.loads(header)
    shuffled["data"].reverse()
    again = decode_octets(memoryview(body), shuffled, dimension=33, expected_count=9)
    assert again.embeddings == want.embeddings
    profile = Profile("bare", base64_dtype=form, byte_order="big" if order == "big" else "little")  # type: ignore[arg-type]
    for told in ({"dimension": 33}, {"expected_count": 9}, {"dimension": 33, "expected_count": 9}):
        assert decode_octets(bytearray(body), profile=profile, **told).embeddings == want.embeddings


def test_octets_in_another_order_than_their_indices(isa: str) -> None:
    body = np.array([1, 2, 3, 4, 5, 6], "<f4").tobytes()
    item = {"embed_dtype": "float32", "endianness": "little", "shape": [1, 2]}
    places = [(0, 16, 24), (1, 0, 8), (2, 8, 16)]
    header = {"data": [item | {"index": i, "start": start, "end": end} for i, start, end in places]}
    assert decode_octets(body, header).embeddings.values.tolist() == [[5, 6], [1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": 0}, "twice"),
        ({"index": 3}, "among 3"),
        ({"index": -1}, "among 3"),
        ({"index": True}, "among 3"),
        ({"index": None}, "among 3"),
        ({"start": 17}, "15 bytes where 4 float32 take 16"),
        ({"end": 49}, "of a body of 48"),
        ({"start": -4}, "of a body of 48"),
        ({"start": 1e1}, "of a body of 48"),
        ({"end": 32}, "0 bytes"),
        ({"shape": []}, "no shape"),
        ({"shape": None}, "no shape"),
        ({"shape": [2, 2]}, "not one vector"),
        ({"shape": [0]}, "not one vector"),
        ({"shape": [2], "end": 40}, "2 dimensions where 4 are wanted"),
        ({"embed_dtype": "float80"}, "unknown embed_dtype"),
        ({"endianness": ["big"]}, "unknown embed_dtype"),
    ],
)
def test_octets_that_contradict_their_header(changes: dict[str, Any], words: str) -> None:
    body, header = octets(np.ones((3, 4), np.float32), "float32", "little", **changes)
    changed = json.loads(header)
    if changes.get("start") == 17:
        changed["data"][-1]["end"] = 32
    with pytest.raises(DecodeError, match=words):
        decode_octets(body, changed)


def test_octets_are_checked() -> None:
    body, header = octets(np.ones((3, 4), np.float32), "float32", "little")
    for bad, words in (
        ({"expected_count": 2}, "3 embeddings came where 2"),
        ({"dimension": 5}, "4 dimensions where 5"),
    ):
        with pytest.raises(DecodeError, match=words):
            decode_octets(body, header, **bad)
    with pytest.raises(DecodeError, match="no rows of 5"):
        decode_octets(body, dimension=5)
    with pytest.raises(ValueError, match="must be given"):
        decode_octets(body)
    with pytest.raises(DecodeError, match="no embeddings"):
        decode_octets(b"", dimension=4)
    assert decode_octets(b"", dimension=4, expected_count=0).embeddings.values.shape == (0, 4)
    for text in ("", "[]", "{", "[" * 100_000, '{"data": 1}', '{"data": [1]}'):
        with pytest.raises(DecodeError):
            decode_octets(body, text)
    nan = np.array([1, np.nan, 3, np.inf], "<f4").tobytes()
    with pytest.raises(DecodeError) as caught:
        decode_octets(nan, dimension=2)
    assert (caught.value.row, caught.value.offset) == (0, 4)
    np.testing.assert_array_equal(
        decode_octets(nan, dimension=2, nulls="nan").embeddings.values, [[1, np.nan], [3, np.nan]]
    )


@given(st.binary(max_size=200), st.recursive(st.none() | st.integers() | st.text(max_size=9), st.lists, max_leaves=9))
def test_any_octets_and_header_end_in_a_typed_error(body: bytes, thing: Any) -> None:
    item = {"index": 0, "embed_dtype": "float16", "endianness": "little", "start": 0, "end": len(body)}
    for header in (thing, {"data": thing}, {"data": [thing]}, {"data": [item | {"shape": thing}]}):
        try:
            decode_octets(body, json.dumps(header))
        except DecodeError:
            continue
        assert isinstance(header, dict)


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
