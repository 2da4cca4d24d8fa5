"""The traps of the wire: what services send that a careless decoder gets wrong, and what is refused, where."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from each import each
from rows import sample

from embcodec import (
    DecodeError,
    Embeddings,
    PrecisionWarning,
    Profile,
    decode_base64,
    decode_response,
    encode_response,
    search,
)


def body(*vectors: Any, **fields: Any) -> bytes:
    """Return a body of these vectors: JSON text where they are str, and no index."""
    items = ",".join(f'{{"embedding":{v if isinstance(v, str) else json.dumps(v)}}}' for v in vectors)
    return f'{{"data":[{items}],"x":{json.dumps(fields)}}}'.encode()


def indexed(*indices: Any) -> bytes:
    items = [{"index": index, "embedding": [row]} for row, index in enumerate(indices)]
    return json.dumps({"data": items}).encode()


def base64_body(*payloads: bytes) -> bytes:
    return body(*(f'"{base64.b64encode(payload).decode()}"' for payload in payloads))


def refused(
    text: bytes | str, words: str, *, at: bytes | int | None = None, row: int | None = None, **options: Any
) -> None:
    """Assert that a body is refused, in these words, at the first place of `at` (or that offset) and in that row."""
    with pytest.raises(DecodeError, match=words) as caught:
        decode_response(text, **options)
    assert isinstance(caught.value, ValueError)
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if at is not None:
        assert caught.value.offset == (data.index(at) if isinstance(at, bytes) else at)
    assert caught.value.row == row


def values(text: bytes, **options: Any) -> list[Any]:
    return decode_response(text, **options).embeddings.values.tolist()


# 1. order


def test_1_rows_are_sorted_by_index(isa: str) -> None:
    assert values(indexed(2, 0, 1)) == [[1], [2], [0]]
    order = np.random.default_rng(0).permutation(1500)
    found = decode_response(indexed(*order.tolist()), threads=2).embeddings.values[:, 0]
    np.testing.assert_array_equal(found[order], np.arange(1500))
    late = [*range(1400), *range(1499, 1399, -1)]
    np.testing.assert_array_equal(np.array(values(indexed(*late)))[late, 0], np.arange(1500))


@pytest.mark.parametrize(
    ("indices", "words", "row"),
    [
        ((0, 0), "index 0 again", 1),
        ((1, 2, 1), "index 1 again", 2),
        ((0, 2), "beyond the 2 rows", 1),
        ((10**17, 0), "beyond the 2 rows", 0),
        ((0, None), "no index", 1),
        ((0, -1), "no position", 1),
        ((0, 1.0), "no position", 1),
        ((0, "1"), "no position", 1),
        ((0, 10**40), "no position", 1),
        ((0, True), "no position", 1),
    ],
)
def test_1_a_duplicate_or_a_gap_is_an_error(isa: str, indices: tuple[Any, ...], words: str, row: int) -> None:
    refused(indexed(*indices), words, row=row, at=b"[%d]" % row)
    many = indexed(*range(700), *(700 + i if type(i) is int and 0 <= i < 9 else i for i in indices))
    with pytest.raises(DecodeError) as caught:
        decode_response(many, threads=2)
    assert caught.value.row == 700 + row
    assert caught.value.offset == many.index(b"[%d]" % (700 + row))


def test_1_without_any_index_position_counts(isa: str) -> None:
    assert values(body([3], [1], [2])) == [[3], [1], [2]]
    assert values(indexed(None, None)) == [[0], [1]]


def test_1_the_count_must_be_that_of_the_inputs(isa: str) -> None:
    refused(indexed(0, 1), "2 embeddings came where 3 were asked for", expected_count=3, at=b"[{")
    refused(indexed(0, 1), "2 embeddings came where 1 were asked for", expected_count=1, at=b"[{")
    assert len(decode_response(indexed(0, 1), expected_count=2)) == 2


# 2. nothing


def test_2_no_rows_are_an_error_unless_nothing_was_asked(isa: str) -> None:
    for text in (b'{"data":[]}', b'{"data" : [ \n ] }'):
        refused(text, "no embeddings", at=b"[")
        refused(text, "no embeddings", expected_count=1, at=b"[")
        empty = decode_response(text, expected_count=0, dimension=9, output_dtype="ubinary").embeddings
        assert (empty.values.shape, empty.dimension) == ((0, 2), 9)
    refused(b"{}", "no list of embeddings at 'data'")
    refused(b'{"data":{}}', "no list of embeddings at 'data'")


# 3. ragged rows


def test_3_ragged_rows_name_the_row(isa: str) -> None:
    refused(body([1, 2], [3], [4, 5]), "1 elements where the row before has 2", row=1, at=b"[3]")
    refused(body([1, 2], [3, 4, 5]), "3 elements where the row before has 2", row=1, at=b"[3,")
    refused(body([1], []), "0 elements", row=1, at=b"[]")
    refused(body([]), "an empty vector", row=0, at=b"[]}")
    refused(base64_body(bytes(8), bytes(4)), "1 elements where the row before has 2", row=1, at=b'"AAAAAA=="')
    refused(base64_body(bytes(8), bytes(12)), "3 elements where the row before has 2", row=1, at=b'"' + b"A" * 16)
    rows = sample("float", 999, 64).values.tolist()
    rows[700].append(0.5)
    with pytest.raises(DecodeError, match="65 elements") as caught:
        decode_response(body(*rows), threads=2)
    assert caught.value.row == 700


@pytest.mark.parametrize("vector", ['"x"', "null", "3", "true", "{}", "[[1],[2]]", '["1"]', "[true]"])
def test_3_what_is_no_vector_is_refused(isa: str, vector: str) -> None:
    for rows in ((vector,), ("[1]", vector)):
        with pytest.raises(DecodeError) as caught:
            decode_response(body(*rows))
        assert caught.value.row == len(rows) - 1
        start = body(*rows).index(b'"embedding":' + vector.encode()) + 12
        assert start <= caught.value.offset <= start + len(vector)
    refused(b'{"data":[{"vector":[1]}]}', "no 'embedding' in this row", row=0, at=b'{"v')
    refused(b'{"data":[[1]]}', "no 'embedding' in this row", row=0, at=b"[1]")


# 4. what is no finite number


@pytest.mark.parametrize("word", ["null", "NaN", "Infinity", "-Infinity", "1e400", "-1e39", "3.4028236e38"])
def test_4_not_finite_is_an_error_or_nan(isa: str, word: str) -> None:
    for before in (0, 1, 40):
        vector = "[" + "0.5," * before + word + ",1]"
        text = body("[" + "1," * before + "1,1]", vector)
        with pytest.raises(DecodeError) as caught:
            decode_response(text)
        assert caught.value.row == 1
        assert caught.value.offset == text.index(word.encode())
        found = np.array(values(text, nulls="nan"))
        assert np.isnan(found[1, before])
        assert np.isnan(found).sum() == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_4_base64_may_hold_them_too(isa: str, value: float) -> None:
    rows = np.ones((2, 37), np.float32)
    for column in (0, 1, 2, 17, 36):
        rows[1] = 1
        rows[1, column] = value
        text = base64_body(rows[0].tobytes(), rows[1].tobytes())
        start = text.rindex(b'"embedding":') + 13
        refused(text, "NaN or Infinity", row=1, at=start + column * 16 // 3)
        found = np.array(values(text, nulls="nan"))
        assert np.isnan(found[1, column])
        assert np.isnan(found).sum() == 1


def test_4_codes_have_no_nan() -> None:
    with pytest.raises(ValueError, match="no NaN"):
        decode_response(body([1]), output_dtype="int8", nulls="nan")
    for word in ("null", "NaN", "1e400"):
        with pytest.raises(DecodeError):
            decode_response(body(f"[1,{word}]"), output_dtype="int8")
    refused(b'{"data":[{"embedding":[1]}],"usage":NaN}', "unexpected character", at=b"NaN")


# 5, 6. integers


def test_5_integral_values_in_range_only(isa: str) -> None:
    assert values(body("[-128.0,127,1e2,0.5e1,-0]"), output_dtype="int8") == [[-128, 127, 100, 5, 0]]
    assert values(body("[255.0,0]"), output_dtype="uint8") == [[255, 0]]
    for dtype, word, words in (
        ("int8", "128", "range"),
        ("int8", "-129", "range"),
        ("uint8", "256", "range"),
        ("uint8", "-1", "range"),
        ("binary", "200", "range"),
        ("ubinary", "-77", "range"),
        ("int8", "0.5", "fraction"),
        ("uint8", "1e-1", "fraction"),
    ):
        text = body("[1,1]", f"[1,{word}]")
        refused(text, words, row=1, at=text.index(word.encode()), output_dtype=dtype)


def test_6_minus_128_is_legal(isa: str) -> None:
    for text in (body([-128, -128]), base64_body(b"\x80\x80")):
        assert values(text, output_dtype="int8") == [[-128, -128]]


# 7. base64


def test_7_escapes_are_decoded(isa: str) -> None:
    payload = bytes(range(255, 63, -1)) * 40  # full of "/", longer than a chunk
    text = base64.b64encode(payload).decode()
    assert "/" in text
    escaped = "".join(f"\\u{ord(c):04x}" if i % 7 == 0 else c for i, c in enumerate(text))
    for form in (text.replace("/", "\\/"), text.replace("/", "\\u002F").replace("=", "\\u003d"), escaped):
        assert bytes(values(body(f'"{form}"'), output_dtype="ubinary")[0]) == payload
        assert bytes(values(body(f'"{text}"', f'"{form}"'), output_dtype="uint8")[1]) == payload


@pytest.mark.parametrize(
    ("text", "words", "at"),
    [
        ("AAAA-AAA", "character", 4),
        ("AAAA_AAA", "character", 4),
        ("AA A", "character", 2),
        ("AAAA\\n", "character", 4),
        ("AAA\\u00e9", "character", 3),
        ("AAAAAA", "padding", 6),
        ("AAAAA===", "padding", 5),
        ("AA==AAAA", "padding", 4),
        ("AAB=", "padding", 2),
        ("AAAAA", "ends too early", 5),
        ("é", "character", 0),
        ("\\ud834\\udd1e", "character", 0),
    ],
)
def test_7_the_alphabet_is_strict(isa: str, text: str, words: str, at: int) -> None:
    """Whatever lax decoders pass over: other alphabets, white space, padding that is missing or misplaced."""
    for rows in ((f'"{text}"',), ('"AAAA"', f'"{text}"')):
        data = body(*rows)
        start = data.index(text.encode())
        with pytest.raises(DecodeError, match=words) as caught:
            decode_response(data, output_dtype="uint8")
        assert caught.value.row == len(rows) - 1
        assert caught.value.offset == start + at


def test_7_offsets_count_the_escapes(isa: str) -> None:
    good = "\\u0041" * 5000
    data = body(f'"{good}AA*A"')
    refused(data, "character", row=0, at=b"*", output_dtype="int8")
    data = body(f'"{"A" * 4096}AA=="', f'"{"A" * 4094}==AAAA"')
    refused(data, "padding", row=1, output_dtype="int8", at=data.rindex(b"AAAA"))
    data = body(f'"{"A" * 4096}AA=="', f'"\\u0041{"A" * 4093}==AAAA"')
    refused(data, "padding", row=1, output_dtype="int8", at=data.rindex(b"AAAA"))


def test_7_url_safe_only_when_asked() -> None:
    with pytest.raises(DecodeError):
        decode_base64("-_8=", "uint8")
    np.testing.assert_array_equal(decode_base64("-_8=", "uint8", urlsafe=True), [0xFB, 0xFF])


# 8. lengths


def test_8_bytes_unlike_the_dimension_are_never_reinterpreted(isa: str) -> None:
    floats = base64_body(np.ones(4, np.float32).tobytes())
    refused(floats, "16 elements where 4 were asked for", row=0, at=b'"AAC', output_dtype="int8", dimension=4)
    refused(floats, "16 bytes of bits where 1 were asked for", row=0, at=b'"AAC', output_dtype="ubinary", dimension=4)
    codes = base64_body(bytes(4))
    refused(codes, "1 elements where 4 were asked for", row=0, at=b'"AAA', dimension=4)
    refused(base64_body(bytes(6)), "no whole number of elements", row=0, at=b'"AAA')
    refused(base64_body(bytes(8), bytes(7)), "no whole number of elements", row=1, at=b'"AAAAAAAAAA==')
    openai = {"profile": "openai", "output_dtype": "int8"}
    refused(floats, "carries float32, not codes", row=0, at=b'"AAC', **openai)
    assert values(body([1, 2]), **openai) == [[1, 2]]


# 9. ownership


@pytest.mark.parametrize("dtype", ["float", "int8", "uint8", "binary", "ubinary"])
def test_9_what_comes_back_is_writable_and_owned(isa: str, dtype: str) -> None:
    want = sample(dtype)
    for encoding in ("float", "base64"):
        text = bytearray(encode_response(want, model="m", encoding_format=encoding))
        found = decode_response(text, output_dtype=dtype, dimension=want.dimension).embeddings.values
        assert found.flags.writeable
        assert found.flags.owndata
        assert found.flags.c_contiguous
        text[:] = bytes(len(text))
        np.testing.assert_array_equal(found, want.values)


# 10. quantize


def test_10_quantizing_clips_refuses_and_survives_the_flat_and_the_empty() -> None:
    x = Embeddings(np.array([[2.0, -2.0, 0.0, 1.0]], np.float32))
    with pytest.warns(PrecisionWarning, match="clipped"):
        assert x.to("int8").values.tolist() == [[127, -127, 0, 127]]
    with pytest.warns(PrecisionWarning, match="clipped"):
        assert x.to("uint8").values.tolist() == [[255, 0, 128, 255]]
    for bad in (np.nan, np.inf, -np.inf):
        for dtype in ("int8", "uint8", "binary", "ubinary"):
            with pytest.raises(ValueError, match=r"(?i)nan|finite"):
                Embeddings(np.array([[bad]], np.float32)).to(dtype)
    zero = Embeddings(np.zeros((2, 3), np.float32)).to("int8", scale="per-vector")
    assert zero.values.tolist() == [[0, 0, 0]] * 2
    flat = Embeddings(np.ones((2, 3), np.float32)).to("uint8", scale=np.ones((2, 3), np.float32))
    np.testing.assert_array_equal(flat.to_float(), np.ones((2, 3)))


# 11. rounding


def test_11_decimals_are_rounded_once(isa: str) -> None:
    """A decimal just above half-way between two float32 that a double cannot tell from half-way."""
    half = "1.000000059604644775390625"
    assert np.float32(float(half + "0000000000001")) == 1
    assert decode_response(body(f"[{half}0000000000001,1]")).embeddings.values[0, 0] == np.nextafter(np.float32(1), 2)
    assert values(body(f"[{half},-0.0]")) == [[1.0, 0.0]]
    assert np.signbit(decode_response(body("[-0.0]")).embeddings.values[0, 0])


def test_11_the_shortest_text_is_written(isa: str) -> None:
    x = np.array([[0.1, 1 / 3, 1e-45, 3.4028235e38, -0.0, 16777216.0]], np.float32)
    text = json.loads(encode_response(Embeddings(x), model="m"))["data"][0]["embedding"]
    assert np.array_equal(np.array(text, np.float32), x[0])
    assert b"0.1,0.33333334,1e-45,3.4028235e38,-0.0," in encode_response(Embeddings(x), model="m")


# 12. padding bits


def test_12_padding_bits_are_zero(isa: str) -> None:
    assert values(body([255, 224]), output_dtype="ubinary", dimension=11) == [[255, 224]]
    for dtype, last in (("ubinary", 225), ("binary", 97)):
        with pytest.raises(DecodeError, match="bits set after its last dimension 11"):
            decode_response(body([1, last]), output_dtype=dtype, dimension=11)
    words = "bits set after its last dimension 11"
    for dtype, good, bad in (("ubinary", 224, 225), ("binary", 96, 97)):  # offset bytes have their first bit turned
        refused(body([1, bad]), words, row=0, at=b"[1", output_dtype=dtype, dimension=11)
        first = body([1, good]), body([2, bad])
        assert decode_response(first[0], output_dtype=dtype, dimension=11).embeddings.shape == (1, 2)
        refused(first[1], words, row=0, at=b"[2", output_dtype=dtype, dimension=11)  # also after a sound one
        many = [[1, good]] * 200
        refused(body(*many, [3, bad], [1, bad]), words, row=200, at=b"[3", output_dtype=dtype, dimension=11)
    lsb = Profile("service", bit_order="lsb")
    assert values(body([255, 7]), output_dtype="ubinary", dimension=11, profile=lsb) == [[255, 7]]
    refused(body([255, 8]), words, row=0, at=b"[255", output_dtype="ubinary", dimension=11, profile=lsb)
    assert values(body([127, -121]), output_dtype="binary", dimension=11, profile=lsb) == [[127, -121]]
    refused(body([127, 7]), words, row=0, at=b"[127", output_dtype="binary", dimension=11, profile=lsb)
    cut = decode_response(body([255, 255]), output_dtype="ubinary").embeddings.truncate(11)
    assert cut.values.tolist() == [[255, 224]]


# 13. what may not meet


def test_13_codes_of_different_meaning_do_not_compare(isa: str) -> None:
    signed = decode_response(body([-77, -29, 0]), output_dtype="binary", dimension=18).embeddings
    plain = decode_response(body([51, 99, 128]), output_dtype="ubinary", dimension=18).embeddings
    assert signed != plain
    assert signed.meaning != plain.meaning
    assert signed.to("ubinary") == plain


# 14, 15, 16. scores


def test_14_offset_codes_score_as_their_values(isa: str) -> None:
    rng = np.random.default_rng(4)
    corpus = Embeddings(rng.integers(0, 256, (50, 96)).astype(np.uint8), "uint8")
    found = search(corpus[:3], corpus, 50, metric="dot")
    want = corpus[:3].to_float().astype(np.float64) @ corpus.to_float().astype(np.float64).T
    np.testing.assert_allclose(found.scores, np.take_along_axis(want, found.indices, 1), rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.indices, np.argsort(-want, axis=1, kind="stable"))


def test_15_long_int8_dots_do_not_overflow(isa: str) -> None:
    for value in (-128, 127):
        rows = Embeddings(np.full((1, 65536), value, np.int8), "int8")
        found = search(rows, rows, 1, metric="dot").scores[0, 0]
        np.testing.assert_allclose(found, 65536 * (value / 127) ** 2, rtol=1e-6)


def test_16_a_truncated_vector_is_not_of_unit_length() -> None:
    x = Embeddings(np.full((1, 4), 0.5, np.float32))
    np.testing.assert_allclose(x.norms(), 1)
    np.testing.assert_allclose(x.truncate(2, normalize=False).norms(), np.sqrt(0.5), rtol=1e-6)
    np.testing.assert_allclose(x.truncate(2).norms(), 1, rtol=1e-6)
    cut = x.truncate(2, normalize=False)
    np.testing.assert_allclose(search(cut, cut, 1, metric="cosine").scores, 1, rtol=1e-6)
    np.testing.assert_allclose(search(cut, cut, 1, metric="dot").scores, 0.5, rtol=1e-6)


# 17, 18. what was asked, and what came


def test_17_another_dimension_than_asked_is_said(isa: str) -> None:
    for text in (body([1, 2, 3]), base64_body(np.ones(3, np.float32).tobytes())):
        refused(text, "3 elements where 2 were asked for", row=0, dimension=2)
        assert decode_response(text, dimension=3).embeddings.dimension == 3


def test_17_the_format_that_arrived_decides(isa: str) -> None:
    assert decode_response(body([1])).encoding_format == "float"
    assert decode_response(base64_body(bytes(4))).encoding_format == "base64"


def test_18_base64_is_little_endian_float32(isa: str) -> None:
    x = np.array([[1.0, -2.5]], np.float32)
    sent = json.loads(encode_response(Embeddings(x), model="m", encoding_format="base64"))
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(sent["data"][0]["embedding"]), "<f4"), x[0])
    with pytest.raises(ValueError, match="carries float32"):
        encode_response(sample("int8"), model="m", encoding_format="base64", profile="openai")


# and the grammar


@each(
    "text, words, offset",
    [
        (b"", "ends too early: the body is empty", 0),
        (b"  ", "ends too early: the body is empty", 2),
        (b"<html>", "character: the body is HTML or XML", 0),
        (b"\n <html>", "character: the body is HTML or XML", 2),
        (b"\x1f\x8b\x08\x00", "character: the body is gzip, still to be decompressed", 0),
        (b"data: {}", "character: the body is a stream of events", 0),
        (b"body.json", "character: the body is no JSON", 0),
        (b'{"data":[{"embedding":[1]}]} x', "after the end", 29),
        (b'{"data":[{"embedding":[1]}],}', "character", 28),
        (b'{"data":[{"embedding":[1]},]}', "character", 27),
        (b'{"data":[{"embedding":[1]}', "ends too early", 26),
        (b'{"data":[{"embedding":[1', "ends too early", 24),
        (b'{"data":[{"embedding":"AAAA', "ends too early", 27),
        (b'{"data":[{"embedding":[1,]}]}', "character", 25),
        (b'{"data":[{"embedding":[1 2]}]}', "character", 25),
        (b'{"data":[{"embedding":[01]}]}', "number", 24),
        (b'{"data":[{"embedding":[+1]}]}', "number", 23),
        (b'{"data":[{"embedding":[.5]}]}', "number", 23),
        (b'{"data":[{"embedding":[1.]}]}', "number", 25),
        (b'{"data":[{"embedding":[1e]}]}', "number", 25),
        (b'{"data":[{"embedding":[0x1]}]}', "character", 24),
        (b'{"data":[{"embedding":[1]}],"a":"\x01"}', "control", 33),
        (b'{"data":[{"embedding":[1]}],"a":"\\x"}', "escape", 34),
        (b'{"data":[{"embedding":[1]}],"a":"\\u12g4"}', "escape", 37),
        (b'{"data":[{"embedding":[1]}],"a":"\xff"}', "UTF-8", 33),
        (b'{"data":[{"embedding":[1]}],"a":"\xed\xa0\x80"}', "UTF-8", 34),
        (b'{"data":[{"embedding":[1]}],"a":tru}', "character", 35),
        (b'{"data":[{"embedding":[1]}],a:1}', "character", 28),
        (b'{"data":[{"embedding":[1]}],"a" 1}', "character", 32),
        (b'{"data":[{"embedding":[1]}],"a":' + b"[" * 64 + b"]" * 64 + b"}", "deeper than 64", 95),
        (b'{"data":[{"embedding":[1]}],"a":' + b"1" * 1025 + b"}", "1024 bytes", 32 + 1024),
    ],
)  # fmt: skip
def test_the_whole_document_is_checked(isa: str, text: bytes, words: str, offset: int) -> None:
    with pytest.raises(DecodeError, match=words) as caught:
        decode_response(text)
    assert caught.value.offset == offset


def test_depth_64_is_allowed(isa: str) -> None:
    assert values(b'{"data":[{"embedding":[1]}],"a":' + b"[" * 63 + b"]" * 63 + b"}") == [[1]]
    deep = Profile("deep", rows=".".join("a" * 61))
    for extra, fine in (("", True), (".a", False)):
        profile = Profile("deep", rows=deep.rows + extra)
        text = b'{"a":' * (61 + len(extra) // 2) + b'[{"embedding":[1]}]' + b"}" * (61 + len(extra) // 2)
        if fine:
            assert values(text, profile=profile) == [[1]]
        else:
            refused(text, "deeper", profile=profile, at=b"[1]", row=0)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (b'{"data":[{"embedding":[1]}],"data":[{"embedding":[2]},{"embedding":[3]}]}', [[2], [3]]),
        (b'{"data":[{"embedding":[1]},{"embedding":["x"]}],"data":[{"embedding":[2]}]}', [[2]]),
        (b'{"data":[{"embedding":[1],"embedding":[2,3]}]}', [[2, 3]]),
        (b'{"data":[{"embedding":[[{}]],"embedding":[2]}]}', [[2]]),
        (b'{"data":[{"embedding":[1],"index":7,"index":0}]}', [[1]]),
        (b'{"data":5,"data":[{"embedding":[1]}]}', [[1]]),
        (b'{"d\\u0061ta":[{"\\u0065mbedding":[1],"\\u0069ndex":1},{"index":0,"embedding":[2]}]}', [[2], [1]]),
        (b'\xef\xbb\xbf{"data":[{"embedding":[1]}]}', [[1]]),
    ],
)
def test_the_last_of_twin_keys_counts(isa: str, text: bytes, want: list[Any]) -> None:
    assert values(text) == want


def test_the_last_of_twin_keys_counts_also_where_it_is_no_list(isa: str) -> None:
    refused(b'{"data":[{"embedding":[1]}],"data":5}', "no list of embeddings", at=0)
    refused(b'{"data":[{"embedding":[1],"embedding":null}]}', "null where a vector is wanted", at=b"null", row=0)


def test_kinds_of_body() -> None:
    assert values('{"data":[{"embedding":[1]}],"é":1}') == [[1]]  # type: ignore[arg-type]
    refused('{"a":"é\ud800"}', "surrogate", at=8)  # type: ignore[arg-type]
    for bad in (None, 5, [b"x"], np.zeros((2, 2))[:, 0]):
        with pytest.raises(TypeError):
            decode_response(bad)
    for options in (
        {"output_dtype": "int4"}, {"profile": "nobody"}, {"nulls": "zero"}, {"dimension": 0}, {"threads": 0},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"unknown|nulls|dimension|threads"):
            decode_response(body([1]), **options)
