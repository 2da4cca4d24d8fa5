"""Base64: every tier against the standard library and a positional oracle, strictness, bounds, the public functions."""

from __future__ import annotations

import base64
import string
from typing import Any

import numpy as np
import pytest
from guard import guarded
from hypothesis import given
from hypothesis import strategies as st
from shapes import LENGTHS, OFFSETS

from embcodec import DecodeError, decode_base64, encode_base64
from embcodec._native import base64 as native
from embcodec._native import core
from embcodec._native.core import ffi, lib

ALPHABET = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode()
URLSAFE = ALPHABET[:62] + b"-_"
FLAGS = (0, native.URLSAFE, native.NO_PADDING, native.URLSAFE | native.NO_PADDING)
RNG = np.random.default_rng(7)
BYTES = RNG.integers(0, 256, 5000, dtype=np.uint8)


def error_of(text: bytes, flags: int = 0) -> tuple[int, int] | None:
    """Oracle: the (status, offset) that a text is refused with, read one character after the other; or None."""
    alphabet = URLSAFE if flags & native.URLSAFE else ALPHABET
    end = next((i for i, c in enumerate(text) if c not in alphabet), len(text))
    rest = end % 4

    def refuse(i: int) -> tuple[int, int]:
        known = i == len(text) or text[i] in alphabet + b"="
        return (lib.EC_BAD_PADDING if known else lib.EC_BAD_CHARACTER), i

    if end == len(text) and rest == 1:
        return lib.EC_TRUNCATED, end
    if end == len(text) and (rest == 0 or flags & native.NO_PADDING):
        stray = rest and alphabet.index(text[-1]) % (16 if rest == 2 else 4)
        return (lib.EC_BAD_PADDING, end - 1) if stray else None
    if text[end : end + 1] not in (b"=", b"") or rest < 2:
        return refuse(end)
    if end < len(text) and alphabet.index(text[end - 1]) % (16 if rest == 2 else 4):
        return lib.EC_BAD_PADDING, end - 1
    for i in range(end, end + 4 - rest):
        if text[i : i + 1] != b"=":
            return refuse(i)
    return refuse(end + 4 - rest) if len(text) > end + 4 - rest else None


def raw_decode(text: Any, capacity: int, flags: int = 0) -> tuple[int, int, bytes]:
    out = np.full(capacity + 1, 0xCC, np.uint8)
    result = lib.ec_base64_decode(ffi.from_buffer(text), len(text), ffi.from_buffer(out), capacity, flags)
    assert out[capacity] == 0xCC
    return result.status, result.consumed, out[: result.produced].tobytes()


def expect(text: bytes, flags: int = 0) -> None:
    """Hold the kernels in force to the oracles on one text."""
    status, consumed, decoded = raw_decode(text, len(text), flags)
    error = error_of(text, flags)
    if error is not None:
        assert (status, consumed) == error, text
        assert len(decoded) == consumed // 4 * 3
    else:
        standard = text.translate(bytes.maketrans(b"-_", b"+/")) if flags & native.URLSAFE else text
        assert (status, consumed) == (lib.EC_OK, len(text))
        assert decoded == base64.b64decode(standard + b"=" * (-len(text) % 4), validate=True)
        assert raw_decode(text, len(decoded), flags) == (lib.EC_OK, len(text), decoded)
        if decoded:
            too_small = raw_decode(text, len(decoded) - 1, flags)
            assert too_small[:2] == (lib.EC_NO_CAPACITY, (len(decoded) - 1) // 3 * 4)


@given(st.binary(max_size=12), st.sampled_from(FLAGS))
def test_oracle_agrees_with_the_standard_library(text: bytes, flags: int) -> None:
    for candidate in (text, base64.b64encode(text)):
        try:
            decoded = base64.b64decode(candidate, validate=True)
            sound = base64.b64encode(decoded) == candidate
        except ValueError:
            sound = False
        assert (error_of(candidate) is None) == sound


def test_round_trip_of_every_length(isa: str) -> None:
    for n in (*range(301), *LENGTHS):
        text = native.encode_rows(BYTES[None, :n])[0].tobytes()
        assert text == base64.b64encode(BYTES[:n])
        expect(text)
        expect(text.rstrip(b"="), native.NO_PADDING)
        expect(base64.urlsafe_b64encode(BYTES[:n]), native.URLSAFE)


def test_every_alignment(isa: str) -> None:
    for offset in range(64):
        for n in (1, 47, 48, 49, 95, 143, 191, 300):
            text = np.zeros(600, np.uint8)
            expected = base64.b64encode(BYTES[offset : offset + n])
            span = text[offset : offset + len(expected)]
            lib.ec_base64_encode(ffi.from_buffer(BYTES[offset:]), n, ffi.from_buffer(span))
            assert span.tobytes() == expected
            assert np.count_nonzero(text) == len(expected)
            out = np.full(600, 0xCC, np.uint8)
            assert native.decode(span, out[offset : offset + n]) == n
            assert (out[offset : offset + n] == BYTES[offset : offset + n]).all()
            assert (np.delete(out, slice(offset, offset + n)) == 0xCC).all()


def test_every_byte_at_every_place_of_a_block(isa: str) -> None:
    """Each byte value, in each position of a text of two blocks and a bit, is taken or refused as the oracle says."""
    good = base64.b64encode(BYTES[: 3 * 35])
    for flags in (0, native.URLSAFE):
        alphabet = URLSAFE if flags else ALPHABET
        base = bytearray(good.translate(bytes.maketrans(b"+/", b"-_")) if flags else good)
        for place in range(len(base)):
            for value in (*range(place % 7, 256, 7), ord("="), *b"+/-_"):
                text = bytearray(base)
                text[place] = value
                status, consumed, _ = raw_decode(text, len(text), flags)
                if value in alphabet:
                    assert status == lib.EC_OK
                else:
                    assert (status, consumed) == error_of(bytes(text), flags)


def test_every_single_byte_is_classified(isa: str) -> None:
    for flags in FLAGS:
        for value in range(256):
            expect(bytes([65] * 40 + [value] + [65] * 87), flags)


def test_short_texts(isa: str) -> None:
    sample = b"AQgw9+/-_=\n\x00\x80\xff"
    for flags in FLAGS:
        for a in sample:
            expect(bytes([a]), flags)
            for b in sample:
                expect(bytes([a, b]), flags)
                for c in sample[::2]:
                    expect(bytes([a, b, c]), flags)
                    expect(bytes([a, b, c, sample[(a + b) % len(sample)]]), flags)
                    expect(b"QUJD" * 16 + bytes([a, b, c, ord("=")]), flags)


@pytest.mark.parametrize(
    "ending", [b"", b"=", b"==", b"===", b"A=", b"AA=", b"AA==", b"AQ==", b"AAA=", b"AAB=", b"A=A="]
)
def test_padding(isa: str, ending: bytes) -> None:
    for blocks in (0, 1, 15, 16, 17, 33):
        for flags in FLAGS:
            for after in (b"", b"A", b"=", b" ", b"AAAA"):
                expect(b"QUJD" * blocks + ending + after, flags)


@given(st.binary(max_size=400), st.data(), st.sampled_from(FLAGS))
def test_mutations(payload: bytes, data: st.DataObject, flags: int) -> None:
    text = bytearray(base64.urlsafe_b64encode(payload) if flags & native.URLSAFE else base64.b64encode(payload))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(text)))
        width = data.draw(st.integers(0, 2))
        text[place : place + width] = data.draw(st.binary(max_size=3) | st.sampled_from([b"=", b"\n", b"-", b"A"]))
    for name in core.available_isas():
        with core.forced_isa(name):
            expect(bytes(text), flags)


@pytest.mark.parametrize("side", ["start", "end"])
def test_nothing_outside_the_buffers_is_touched(isa: str, side: Any) -> None:
    for n in (*range(200), *range(200, 4097, 97)):
        width = native.encoded_length(n)
        with guarded(n, side) as source, guarded(width, side) as text, guarded(n, side) as out:
            source[:] = BYTES[:n]
            lib.ec_base64_encode(ffi.from_buffer(source), n, ffi.from_buffer(text))
            assert text.tobytes() == base64.b64encode(BYTES[:n])
            assert native.decode(text, out) == n
            assert (out == source).all()
            if width:
                text[(n * 7) % width] = 0x21
                result = lib.ec_base64_decode(ffi.from_buffer(text), width, ffi.from_buffer(out), n, 0)
                assert result.consumed == (n * 7) % width or text[-1] == 0x21


def test_lengths_that_do_not_fit() -> None:
    assert lib.ec_base64_encoded_length(-1) == -1
    assert lib.ec_base64_encoded_length(2**63 - 1) == -1
    most = (2**63 - 1) // 4 * 3 - 3
    assert lib.ec_base64_encoded_length(most) == -(-most // 3) * 4 < 2**63
    assert lib.ec_base64_encoded_length(most + 1) == -1


@pytest.mark.parametrize("offset", OFFSETS)
def test_rows_with_strides(isa: str, offset: int) -> None:
    for width in (1, 5, 48, 129, 1000):
        rows = BYTES[offset : offset + 4 * width].reshape(4, width)
        texts = [base64.b64encode(row) for row in rows]
        spread = b"".join(b"~" * i + text for i, text in enumerate(texts))
        lengths = np.array([len(text) for text in texts], np.int64)
        offsets = np.array([spread.index(text) for text in texts], np.int64)
        out = np.zeros((4, width), np.uint8)
        result = native.decode_rows(spread, offsets, lengths, out)
        assert (result.status, result.produced) == (lib.EC_OK, 4)
        assert (out == rows).all()
        assert [row.tobytes() for row in native.encode_rows(rows)] == texts


@pytest.mark.parametrize("dtype", ["float", "int8", "uint8", "binary", "ubinary", "float16", np.float64, "<f4"])
def test_public_round_trip(isa: str, dtype: Any) -> None:
    as_numpy = {"float": np.float32, "binary": np.int8, "ubinary": np.uint8}.get(dtype, dtype)
    rows = np.ascontiguousarray(RNG.integers(0, 100, (300, 37)).astype(as_numpy))
    texts = encode_base64(rows)
    assert texts == [base64.b64encode(row).decode() for row in rows]
    decoded = decode_base64(texts, dtype)
    assert decoded.dtype == rows.dtype
    assert decoded.flags.writeable
    assert decoded.flags.owndata
    np.testing.assert_array_equal(decoded, rows)
    np.testing.assert_array_equal(decode_base64([text.encode() for text in texts], dtype), rows)
    one = decode_base64(texts[0], dtype)
    assert one.flags.writeable
    np.testing.assert_array_equal(one, rows[0])
    assert encode_base64(rows[0]) == texts[0]
    out = np.empty_like(rows)
    assert decode_base64(texts, dtype, out=out) is out
    np.testing.assert_array_equal(out, rows)


def test_any_buffer_or_list() -> None:
    assert encode_base64(np.arange(12, dtype=np.uint8).reshape(4, 3)[:, ::2]) == ["AAI=", "AwU=", "Bgg=", "CQs="]
    assert encode_base64([1.0, -2.0]) == "AACAPwAAAMA="
    assert encode_base64(np.array([1.0], ">f4")) == "AACAPw=="
    assert encode_base64(np.zeros((2, 0), np.float32)) == ["", ""]
    assert encode_base64(np.zeros((0, 3), np.float32)) == []
    assert encode_base64(bytearray(b"ab")) == "YWI="
    for text in (b"YWI=", bytearray(b"YWI="), memoryview(b"_YWI=_")[1:5], memoryview(b"Y-W-I-=-")[::2]):
        assert decode_base64(text, "uint8").tolist() == [97, 98]
    assert decode_base64(["YWI=", b"YWI="], "uint8").shape == (2, 2)
    assert decode_base64([], "float").shape == (0, 0)
    assert decode_base64("", "float").shape == (0,)
    assert decode_base64("-_-_", "uint8", urlsafe=True).tolist() == [251, 255, 191]


@pytest.mark.parametrize(
    ("text", "reason", "offset", "row"),
    [
        ("YW\nI=", "unexpected character", 2, None),
        ("-_-_", "unexpected character", 0, None),
        ("YWé=", "unexpected character", 2, None),
        ("YW\ud800=", "unexpected character", 2, None),
        ("YWJ", "padding", 3, None),
        ("YWJ=", "padding", 2, None),
        ("YWJjY", "ends too early", 5, None),
        (["AAAA", "AAA!"], "unexpected character", 3, 1),
        (["AAAA", "AAAA", "éAAA"], "unexpected character", 0, 2),
        (["AAAA", "AAAA", b"AA\xffA"], "unexpected character", 2, 2),
        (["AAAé", "AAAA"], "unexpected character", 3, 0),
        (["AAAA", "AAAAAAAA"], "6 bytes where 3", None, 1),
        (["AAAA", "AAAA\nAAAA"], "unexpected character", 4, 1),
        (["AAAA", ""], "0 bytes where 3", None, 1),
    ],
)
def test_refusals(isa: str, text: Any, reason: str, offset: int | None, row: int | None) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        decode_base64(text, "int8")
    assert (caught.value.offset, caught.value.row) == (offset, row)


def test_refusal_far_into_a_list(isa: str) -> None:
    texts = encode_base64(np.zeros((500, 1024), np.float32))
    texts[321] = texts[321][:1000] + "*" + texts[321][1001:]
    with pytest.raises(DecodeError) as caught:
        decode_base64(texts, "float")
    assert (caught.value.offset, caught.value.row) == (1000, 321)


def test_bytes_that_are_no_whole_elements() -> None:
    for text, row in (("AAAA", None), (["AAAA"], 0)):
        with pytest.raises(DecodeError, match="3 bytes do not make whole elements of float32") as caught:
            decode_base64(text, "float")
        assert caught.value.row == row
    with pytest.raises(DecodeError, match="unexpected character"):
        decode_base64("AA?A", "float")


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="known are 'float', 'int8'"):
        decode_base64("AAAA", "int4")
    for dtype in (object, "U3", bool):
        with pytest.raises(ValueError, match="not a dtype of numbers"):
            decode_base64("AAAA", dtype)
    read_only = np.zeros(3, np.uint8)
    read_only.flags.writeable = False
    for out in (np.zeros(3, np.int8), np.zeros((3, 1), np.uint8), np.zeros(6, np.uint8)[::2], read_only):
        with pytest.raises(ValueError, match="out must be"):
            decode_base64("AAAA", "uint8", out=out)
    with pytest.raises(ValueError, match="out must be"):
        decode_base64(["AAAA"], "uint8", out=np.zeros((2, 3), np.uint8))
    with pytest.raises(DecodeError, match="3 bytes where 4 are wanted"):
        decode_base64("AAAA", "uint8", out=np.zeros(4, np.uint8))
    with pytest.raises(TypeError, match="row 1 is int"):
        decode_base64(["AAAA", 7], "uint8")  # type: ignore[list-item]
    with pytest.raises(TypeError, match="whose dtype tells"):
        encode_base64([1, 2])
    with pytest.raises(TypeError, match="no fixed bytes"):
        encode_base64(np.array([object()]))
    with pytest.raises(ValueError, match="3-dimensional"):
        encode_base64(np.zeros((1, 1, 1), np.int8))
