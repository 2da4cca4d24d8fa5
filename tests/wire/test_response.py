"""Whole bodies: every dtype and encoding, written in every legal way, on every tier."""

from __future__ import annotations

import base64
import json
import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from each import each
from rows import sample

from embcodec import Embeddings, Usage, decode_response, encode_response, quantize
from embcodec.dtypes import OutputDtype
from embcodec.errors import DecodeError
from embcodec.profiles import PROFILES, Profile
from embcodec.wire.service import retry_after, service_error

DTYPES = tuple(map(str, OutputDtype))


def spell(text: str, rng: random.Random) -> str:
    """Write the characters of a JSON string in any of the ways they may be written."""
    ways = [lambda c: c, lambda c: f"\\u{ord(c):04x}", lambda c: f"\\u{ord(c):04X}"]
    return "".join("\\/" if c == "/" and rng.random() < 0.5 else rng.choice(ways)(c) for c in text)


def body_of(
    embeddings: Embeddings, encoding: str, rng: random.Random, *, escapes: bool, space: bool, shuffle: bool
) -> bytes:
    """Write a body by hand: keys in any order, unknown fields, rows in any order, escapes and white space."""

    def gap() -> str:
        return rng.choice(["", " ", "\n", "\t \r\n"]) if space else ""

    def quoted(text: str) -> str:
        return f'"{spell(text, rng) if escapes else text}"'

    def collection(parts: list[str], brackets: str) -> str:
        return brackets[0] + gap() + f"{gap()},{gap()}".join(parts) + gap() + brackets[1]

    def member(key: str, value: str) -> str:
        return f"{quoted(key)}{gap()}:{gap()}{value}"

    items = []
    for index, row in enumerate(embeddings.values):
        if encoding == "base64":
            vector = quoted(base64.b64encode(row.tobytes()).decode())
        else:
            vector = collection([repr(float(x)) if row.dtype.kind == "f" else str(int(x)) for x in row], "[]")
        members = [
            member("object", quoted("embedding")),
            member("embedding", vector),
            member("index", str(index)),
            member("more", '{"a": [[], {"embedding": [1]}], "é": "\\ud834\\udd1e\\n", "x": [true, null, -0.5e-3]}'),
        ]
        rng.shuffle(members)
        items.append(collection(members, "{}"))
    if shuffle:
        rng.shuffle(items)
    fields = [
        member("id", '"abc"'),
        member("model", '"a/b é"'),
        member("data", collection(items, "[]")),
        member("usage", '{"prompt_tokens": 3, "total_tokens": 3}'),
        member("note", '[{"data": [{"embedding": [9], "index": 0}]}]'),
    ]
    rng.shuffle(fields)
    return (gap() + collection(fields, "{}") + gap()).encode()


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_spelling_gives_the_same_rows(isa: str, dtype: str, encoding: str) -> None:
    want = sample(dtype)
    for trial in range(24):
        rng = random.Random(trial)
        how = {name: bool(trial >> bit & 1) for bit, name in enumerate(("escapes", "space", "shuffle"))}
        body = body_of(want, encoding, rng, **how)
        assert json.loads(body)
        for kind in (bytes, bytearray, memoryview, bytes.decode):
            answer = decode_response(kind(body), output_dtype=dtype, dimension=37, expected_count=5)
            assert answer.embeddings == want
            assert (answer.model, answer.id, answer.usage) == ("a/b é", "abc", Usage(3, 0, 3))
            assert answer.encoding_format == encoding
            assert answer.raw_usage == {"prompt_tokens": 3, "total_tokens": 3}


@each("encoding", ["float", "base64"])
@each("dtype", DTYPES)
@each("rows, dimension", [(1, 1), (1, 1024), (3, 8), (11, 9), (1200, 64), (101, 1000)])
def test_encode_then_decode(isa: str, dtype: str, encoding: str, rows: int, dimension: int) -> None:
    want = sample(dtype, rows, dimension)
    body = encode_response(want, model="m", encoding_format=encoding, usage=Usage(7, 0, 7), id="x")
    found = json.loads(body)
    assert list(found) == ["id", "object", "model", "data", "usage"]
    assert found["usage"] == {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
    assert [item["index"] for item in found["data"]] == list(range(rows))
    assert {item["object"] for item in found["data"]} == {"embedding"}
    vectors = [item["embedding"] for item in found["data"]]
    if encoding == "base64":
        plain = np.stack([np.frombuffer(base64.b64decode(v, validate=True), want.values.dtype) for v in vectors])
    else:
        plain = np.array(vectors).astype(want.values.dtype)
    np.testing.assert_array_equal(plain, want.values)
    for threads in (1, 2, 3):
        answer = decode_response(body, output_dtype=dtype, dimension=dimension, threads=threads)
        assert answer.embeddings == want
        assert answer.embeddings.values.flags.owndata
        assert answer.embeddings.values.flags.writeable


def test_encode_nothing() -> None:
    body = encode_response(Embeddings(np.empty((0, 4), np.float32)), model="m")
    assert json.loads(body)["data"] == []


def test_encode_refuses_what_json_has_not(isa: str) -> None:
    rows = np.ones((9, 20), np.float32)
    for encoding in ("float", "base64"):
        for value in (np.nan, np.inf, -np.inf):
            for column in (0, 7, 19):
                bad = rows.copy()
                bad[6, column] = value
                with pytest.raises(ValueError, match="row 6"):
                    encode_response(Embeddings(bad), model="m", encoding_format=encoding)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_base64_of_other_floats(isa: str, kind: str, order: str) -> None:
    profile = Profile("other", base64_dtype=kind, byte_order=order)
    x = np.random.default_rng(1).standard_normal((40, 33)).astype(np.float16).astype(np.float32)
    x[0, :5] = [0.0, -0.0, 6e-8, -65504.0, 6.1e-5]
    x = x.astype(np.float16).astype(np.float32)
    if kind == "bfloat16":
        x = (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    body = encode_response(Embeddings(x), model="m", encoding_format="base64", profile=profile)
    dtype: Any = np.dtype({"float32": "f4", "float16": "f2", "bfloat16": "u2"}[kind]).newbyteorder(order)
    sent = np.frombuffer(base64.b64decode(json.loads(body)["data"][3]["embedding"]), dtype)
    want = (x[3].view(np.uint32) >> 16) if kind == "bfloat16" else x[3]
    np.testing.assert_array_equal(sent.astype(want.dtype), want)
    answer = decode_response(body, profile=profile)
    assert np.array_equal(answer.embeddings.values.view(np.uint32), x.view(np.uint32))


BARE = {
    "": b"[[1, 2], [3, 4]]",
    "embeddings": b'{"model": "m", "embeddings": [[1, 2], [3, 4]]}',
    "embeddings.float": b'{"embeddings": {"int8": [[9]], "float": [[1, 2], [3, 4]], "x": 1}, "meta": {}}',
}


@pytest.mark.parametrize("rows", BARE)
def test_bare_rows_at_a_path(isa: str, rows: str) -> None:
    profile = Profile("bare", rows=rows, item=None)
    assert decode_response(BARE[rows], profile=profile).embeddings.values.tolist() == [[1, 2], [3, 4]]


def test_cohere_has_the_dtype_in_the_path(isa: str) -> None:
    body = (
        b'{"id": "i", "embeddings": {"int8": [[-128, 127]], "ubinary": [[255]], "base64": ["AACAPwAAAEA="]},'
        b'"meta": {"billed_units": {"input_tokens": 4}}}'
    )
    cohere = {"profile": "cohere"}
    assert decode_response(body, output_dtype="int8", **cohere).embeddings.values.tolist() == [[-128, 127]]
    assert decode_response(body, output_dtype="ubinary", **cohere).embeddings.dimension == 8
    answer = decode_response(body, **cohere)
    assert answer.embeddings.values.tolist() == [[1, 2]]
    assert (answer.encoding_format, answer.id, answer.usage) == ("base64", "i", Usage(4, 0, 4))


def test_of_several_encodings_an_item_key_is_chosen(isa: str) -> None:
    body = b'{"data": [{"index": 0, "embedding": {"float": [1, 2], "int8": [3, 4]}}]}'
    profile = Profile("several", item="embedding.{dtype}")
    assert decode_response(body, profile=profile).embeddings.values.tolist() == [[1, 2]]
    assert decode_response(body, profile=profile, output_dtype="int8").embeddings.values.tolist() == [[3, 4]]


def test_twos_complement_bytes_keep_their_meaning(isa: str) -> None:
    body = b'{"data": [{"embedding": [-1, 127]}]}'
    offset = decode_response(body, output_dtype="binary").embeddings
    plain = decode_response(body, output_dtype="binary", profile="elasticsearch").embeddings
    assert offset.packed_bytes().tolist() == [[127, 255]]
    assert plain.packed_bytes().tolist() == [[255, 127]]
    again = encode_response(offset, model="m", profile="elasticsearch")
    assert json.loads(again)["data"][0]["embedding"] == [127, -1]


def test_every_profile_decodes_its_own_lists(isa: str) -> None:
    for name, profile in PROFILES.items():
        vectors: Any = [[0.5, -2.0], [1.0, 3.0]]
        if profile.item:
            first, *rest = profile.item.split(".")
            vectors = [{first: {rest[0]: vector} if rest else vector, "index": i} for i, vector in enumerate(vectors)]
        document: Any = vectors
        for key in reversed(profile.rows.replace("{dtype}", profile.dtype_name("float")).split(".")):
            document = {key: document} if key else document
        values = decode_response(json.dumps(document), profile=name).embeddings.values
        assert values.tolist() == [[0.5, -2.0], [1.0, 3.0]]


@pytest.mark.parametrize(
    ("body", "status", "kind", "code", "message"),
    [
        (
            '{"object":"error","message":"no","type":"t","param":null,"code":"3210","raw_status_code":400}',
            400, "t", "3210", "no",
        ),
        (
            '{"object":"error","message":{"detail":[{"type":"missing","loc":["body","input"],"msg":"Field required"}]},'
            '"type":"invalid","raw_status_code":422}',
            422, "invalid", None, "body.input: Field required",
        ),
        ('{"detail":[{"loc":["body",0],"msg":"a","type":"x"},{"msg":"b"}]}', None, None, None, "body.0: a; b"),
        ('{"detail":"Unauthorized"}', None, None, None, "Unauthorized"),
        ('{"error":{"message":"no","type":"t","param":null,"code":"c"}}', None, "t", "c", "no"),
        ('{"object":"error","message":"no","type":"t","param":null,"code":400}', 400, "t", "400", "no"),
        ('{"message":"no","code":429,"type":"overloaded"}', 429, "overloaded", "429", "no"),
        ('{"error":"overloaded","error_type":"busy"}', None, "busy", None, "overloaded"),
        ('[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]', 400, "INVALID_ARGUMENT", "400", "no"),
        ('{"error_code":110,"error_msg":"no"}', None, None, "110", "no"),
        ('{"code":20012,"message":"no","data":null}', None, None, "20012", "no"),
        ('{"vectors":null,"base_resp":{"status_code":1004,"status_msg":"no"}}', None, None, "1004", "no"),
        ('{"Response":{"Error":{"Code":"Auth","Message":"no"},"RequestId":"x"}}', None, None, "Auth", "no"),
        ('{"Message":"no"}', None, None, None, "no"),
        ('{"title":"no","status":404}', 404, None, None, "no"),
        ('{"type":"about:blank","title":"Not Found","status":404,"detail":"no"}', 404, "about:blank", None, "no"),
        ('{"code":503,"msg":"no"}', 503, None, "503", "no"),
        ('{"fault":{"faultstring":"no","detail":{"errorcode":"policies.Quota"}}}', None, None, "policies.Quota", "no"),
        ('{"fault":{"faultstring":"no"}}', None, None, None, "no"),
    ],
)  # fmt: skip
def test_one_normaliser_reads_every_error(body: str, status: int, kind: str, code: str, message: str) -> None:
    from embcodec import ServiceError

    error = service_error(body.encode())
    assert (error.status, error.type, error.code, error.message) == (status, kind, code, message)
    assert service_error(body, 418).status == 418
    labels = [word for word in (status and str(status), kind, code) if word]
    assert str(error) == (f"{message} [{', '.join(dict.fromkeys(labels))}]" if labels else message)
    for profile in ("mistral", "tei"):
        with pytest.raises(ServiceError) as caught:
            decode_response(body, profile=profile)
        assert (caught.value.status, caught.value.message) == (status, message)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b'{"detail": null}', None, b'{"a":' * 99])
def test_an_unusable_error_still_is_one(body: bytes | None) -> None:
    error = service_error(body, 503, {"Retry-After": "2"})
    assert error.message
    assert (error.status, error.retry_after) == (503, 2.0)


def test_retry_after_in_every_form() -> None:
    now = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT
    date = "Sun, 06 Nov 1994 08:49:47 GMT"
    assert retry_after({"RETRY-AFTER": "1.5"}) == 1.5
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after({"Retry-After": date}, now=now) == 10.0
    assert retry_after({"Retry-After": date}, now=now + 99) == 0.0
    for bad in ("", "soon", "-1", "nan", "inf"):
        assert retry_after({"Retry-After": bad}) is None
    assert retry_after({}) is None


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        ('{"embedding":[1]},{"embedding":[2]},{"embedding": [3]},{"embedding":[4]}', [1, 2, 3, 4]),
        ('{"index":1,"embedding":[1]},{"index":0,"embedding":[2]},{"index":2,"embedding":[3]}', [2, 1, 3]),
        ('{"a":"[","embedding":[1],"index":1},{"a":"[","embedding":[2],"index":0}', [2, 1]),
        ('{"a":1,"embedding":[1],"a":{}},{"a":1,"embedding":"AAAAQA=="},{"a":1,"embedding":[3]}', [1, 2, 3]),
    ],
)
def test_rows_that_begin_alike(isa: str, rows: str, want: list[float]) -> None:
    assert decode_response(f'{{"data":[{rows}]}}').embeddings.values.ravel().tolist() == want


@pytest.mark.parametrize(
    ("rows", "row", "words"),
    [
        ('{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}', 1, "index 0 again"),
        ('{"index":1,"embedding":[1]},{"index":1,"embedding":[2]}', 1, "index 1 again"),
        ('{"index":2,"embedding":[1]},{"index":2,"embedding":[2]},{"embedding":[3],"index":0}', 1, "index 2 again"),
        ('{"embedding":[1]},{"embedding":}', None, "wanted|another|character"),
        ('{"embedding":[1]},{"embedding":null}', 1, "null"),
        ('{"embedding":[1]},{"embedding":[2]', None, "character"),
    ],
)
def test_faults_behind_the_same_beginning(isa: str, rows: str, row: int | None, words: str) -> None:
    with pytest.raises(DecodeError, match=words) as caught:
        decode_response(f'{{"data":[{rows}]}}')
    assert row is None or caught.value.row == row


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ("1" + 17 * "0", "an index beyond the 2 rows"),
        (18 * "9", "an index beyond the 2 rows"),
        ("1" + 18 * "0", "an index that is no position"),
        (19 * "9", "an index that is no position"),
        (str(2**63), "an index that is no position"),
        (str(2**64), "an index that is no position"),  # 0, were it counted in 64 bits
        (str(2**64 + 1), "an index that is no position"),
        ("1.0", "an index that is no position"),
        ("1e0", "an index that is no position"),
        ("-1", "an index that is no position"),
        ("-2", "an index that is no position"),
        ('"1"', "an index that is no position"),
        ("true", "an index that is no position"),
        ("/", "number|character|value"),
    ],
)
def test_an_index_is_a_whole_number_of_at_most_18_digits(isa: str, index: str, words: str) -> None:
    for other in ("0", "1"):
        with pytest.raises(DecodeError, match=words):
            decode_response(f'{{"data":[{{"index":{other},"embedding":[1]}},{{"index":{index},"embedding":[2]}}]}}')


@pytest.mark.parametrize(
    ("body", "profile", "words"),
    [
        ('{"embeddings":{"float":[[1]]}}', "mistral", "the body has the keys 'embeddings', as with profile='cohere'"),
        ('{"data":[{"embedding":[1]}],"id":1}', "cohere", "at 'embeddings.float': .* 'data', 'id', .*'mistral'"),
        ('{"embeddings":{"int8":[[1]]}}', "cohere", "'embeddings' has the keys 'int8'"),
        ('{"embeddings":[[1,2]]}', "openai", r"profile='cohere' or dataclasses.replace\(profile, rows='embeddings'"),
        ("[[1,2]]", "openai", r"profile='tei' or dataclasses.replace\(profile, rows='', item=None\) reads it"),
        (f'{{"{"x" * 99}":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}}', "mistral", f"'{'x' * 40}', .* and 1 more$"),
    ],
)
def test_a_body_of_another_shape_says_what_is_there(body: str, profile: str, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_response(body, profile=profile)
    assert re.search(words, caught.value.reason)


def test_base64_of_other_floats_is_suspected() -> None:
    text = base64.b64encode(np.ones(8, np.float16).tobytes()).decode()
    body = json.dumps({"data": [{"embedding": text}]})
    with pytest.raises(DecodeError, match=r"4 elements where 8 were asked for; .*base64_dtype"):
        decode_response(body, dimension=8)
    with pytest.raises(DecodeError) as caught:
        decode_response(body, dimension=7)
    assert "base64_dtype" not in str(caught.value)


@pytest.mark.parametrize("field", ["base64_dtype", "byte_order", "bit_order", "signed_bytes", "base64_payload"])
def test_a_profile_refuses_values_that_nobody_has(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is one of '.*', not 'fp16'"):
        replace(PROFILES["mistral"], **{field: "fp16"})


def test_native_routes_are_read_as_documented() -> None:
    ollama = replace(PROFILES["ollama"], rows="embeddings", item=None)
    tei = replace(PROFILES["tei"], rows="", item=None)
    for body, profile in (('{"embeddings":[[1,2],[3,4]]}', ollama), ("[[1,2],[3,4]]", tei)):
        assert decode_response(body, profile=profile).embeddings.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("dtype", ["binary", "ubinary"])
@pytest.mark.parametrize("bit_order", ["msb", "lsb"])
@pytest.mark.parametrize("signed_bytes", ["offset", "twos-complement"])
def test_bits_are_sent_as_the_profile_has_them(dtype: str, bit_order: Any, signed_bytes: Any) -> None:
    x = np.random.default_rng(0).standard_normal((3, 16)).astype(np.float32)
    service = replace(PROFILES["mistral"], bit_order=bit_order, signed_bytes=signed_bytes)
    wanted = np.packbits(x > 0, axis=1, bitorder="big" if bit_order == "msb" else "little")
    if dtype == "binary":
        wanted = (wanted ^ np.uint8(0x80) if signed_bytes == "offset" else wanted).view(np.int8)
    for given in (quantize(x, dtype), quantize(x, dtype, bit_order="lsb", signed_bytes="twos-complement")):
        body = encode_response(given, model="m", profile=service)
        assert [item["embedding"] for item in json.loads(body)["data"]] == wanted.tolist()


@pytest.mark.parametrize("key", ["é", "ü\u07ff", "\u0800", "€", "\uffff", "😀"])
def test_keys_are_compared_by_what_their_escapes_mean(isa: str, key: str) -> None:
    """Code points whose UTF-8 takes two, three and four bytes, escaped in a body or not, in the keys of a profile."""
    profile = replace(PROFILES["mistral"], rows=f"x{key}", item=f"{key}y")
    body = {f"x{key}": [{f"{key}y": [1, 2], "index": 0}, {f"{key}y": [3, 4], "index": 1}]}
    for ascii_only in (False, True):
        text = json.dumps(body, ensure_ascii=ascii_only)
        assert decode_response(text, profile=profile).embeddings.values.tolist() == [[1, 2], [3, 4]]
        with pytest.raises(DecodeError, match="no list of embeddings"):
            decode_response(text, profile=replace(profile, rows=f"x{chr(ord(key[-1]) - 1)}"))


@pytest.mark.parametrize("row", ["{}", "{ }", '{"index": 1}'])
def test_a_row_without_members_has_no_vector(isa: str, row: str) -> None:
    body = f'{{"data": [{{"embedding": [1]}}, {row}]}}'
    with pytest.raises(DecodeError, match="no 'embedding' in this row") as error:
        decode_response(body)
    assert (error.value.row, error.value.offset) == (1, body.index(row))
