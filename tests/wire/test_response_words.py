"""What is said of wrong arguments and of bodies of other shapes, and that the way out leads on."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from embcodec import (
    PROFILES,
    DecodeError,
    Embeddings,
    Profile,
    ServiceError,
    Usage,
    decode_octets,
    decode_response,
    encode_response,
)
from embcodec.wire.body import kind_of_bytes
from embcodec.wire.service import looks_like_error, service_error

BODY = b'{"data":[{"index":0,"embedding":[1,2]}],"model":"m"}'


def refusal(body: Any, **options: Any) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_response(body, **options)
    return caught.value.reason


@pytest.mark.parametrize(
    ("argument", "words", "way"),
    [
        (json.loads(BODY), r"json\.dumps\(body\)", lambda body: json.dumps(body)),
        ([1.0], r"response\.content", None),
        (SimpleNamespace(content=BODY), r"response\.content", lambda response: response.content),
        (SimpleNamespace(model_dump_json=lambda: BODY.decode()), "model_dump_json", lambda it: it.model_dump_json()),
        (SimpleNamespace(read=lambda: BODY), r"body\.read\(\)", lambda file: file.read()),
        (Path("body.json"), r"path\.read_bytes\(\)", None),
        (None, "not NoneType", None),
        (7, "not int", None),
    ],
)
def test_what_is_no_body(argument: Any, words: str, way: Any) -> None:
    with pytest.raises(TypeError, match=words):
        decode_response(argument)
    if way is not None:
        assert decode_response(way(argument)).embeddings.values.tolist() == [[1, 2]]


@pytest.mark.parametrize("array", [np.array([1.0, 2.0], object), np.zeros(2, [("a", "O")])])
def test_objects_are_no_body(array: Any) -> None:
    with pytest.raises(TypeError, match=r"a body is bytes, .* not ndarray"):
        decode_octets(array, dimension=2)
    with pytest.raises(TypeError, match=r"a body is bytes, .* not ndarray"):
        decode_response(array)
    assert decode_octets(np.float32([[1, 2]]), dimension=2).embeddings.values.tolist() == [[1, 2]]


def test_a_path_given_as_text(tmp_path: Path) -> None:
    path = tmp_path / "body.json"
    path.write_bytes(BODY)
    for said in (str(path), "body.json", "false.json"):
        assert "pathlib.Path(path).read_bytes()" in refusal(said)
    assert len(decode_response(Path(str(path)).read_bytes())) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (gzip.compress(BODY, mtime=0), "gzip, still to be decompressed"),
        (BODY.decode().encode("utf-16")[:-1], "UTF-16 or UTF-32, and damaged"),
        (BODY.decode().encode("utf-16-le") + b"\0\xd8", "UTF-16 or UTF-32, and damaged"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"\x93NUMPY\x01", "a .npy file: embcodec.load reads it"),
        (b"<!doctype html>", "HTML or XML"),
        (b"", "the body is empty"),
        (b" # x", "the body is no JSON"),
    ],
)
def test_bytes_that_are_no_json(body: bytes, words: str) -> None:
    reason = refusal(body)
    assert re.search(words, reason)
    if "gzip.decompress" in reason:
        assert decode_response(gzip.decompress(body)).model == "m"


@pytest.mark.parametrize(
    "body",
    [
        {"embeddings": [{"values": [1, 2]}]},
        {"outputs": [{"embeddings": {"values": [1, 2]}}]},
        {"result": {"data": [[1, 2]]}},
        {"output": {"embeddings": [{"embedding": [1, 2], "text_index": 0}]}},
        [[1, 2]],
        [{"embedding": [1, 2]}],
        {"data": {"vectors": [[1, 2]]}},
    ],
)
def test_rows_elsewhere_are_read_as_the_message_says(body: Any) -> None:
    reason = refusal(json.dumps(body))
    rows, item = re.findall(r"replace\(profile, rows='([^']*)', item=(None|'[^']*')\)", reason)[0]
    profile = replace(PROFILES["mistral"], rows=rows, item=None if item == "None" else item[1:-1])
    assert decode_response(json.dumps(body), profile=profile).embeddings.values.tolist() == [[1, 2]]


@pytest.mark.parametrize("body", [{"embedding": [1, 2]}, {"embedding": {"values": [1, 2]}}, [1, 2]])
def test_one_vector_alone(body: Any) -> None:
    reason = refusal(json.dumps(body))
    assert "a single vector, in no list" in reason
    rows = re.findall(r"replace\(profile, rows='([^']*)', item=None\)", reason)[0]
    for profile in (replace(PROFILES["mistral"], rows=rows, item=None), *re.findall(r"profile='([\w.-]+)'", reason)):
        assert decode_response(json.dumps(body), profile=profile).embeddings.values.tolist() == [[1, 2]]


def test_other_things_in_place_of_a_body() -> None:
    assert "profile='cohere'" in refusal(b'{"embeddings":{"float":[[1,2]]}}')
    assert decode_response(b'{"embeddings":{"float":[[1,2]]}}', profile="cohere").embeddings.dimension == 2
    assert "decode_response(json.loads(body))" in refusal(json.dumps(BODY.decode()))
    assert len(decode_response(json.loads(json.dumps(BODY.decode())))) == 1
    line = b'{"custom_id":"a","response":{"status_code":200,"body":' + BODY + b"}}"
    assert "decode_batch(path) reads" in refusal(line)
    assert "decode_batch(path)" in refusal(line + b"\n" + line)
    assert "null" in refusal(b"null")
    assert "an empty list" in refusal(b"[]")
    assert "the body is empty, {}" in refusal(b"{}")


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        ("[[1],[2]]", "nested one level deeper, as one vector a token is: have the service pool them"),
        ("[[[1]]]", "nested one level deeper"),
        ("[[1],2]", "nested one level deeper"),
        ('["1"]', "text among the numbers"),
        ("[{}]", "an object among the numbers"),
        ("[1,true]", "true among the numbers"),
        ("[1,false]", "false among the numbers"),
        ('"AA-_"', "base64_urlsafe=True in the profile"),
        ('"AAAAAA"', "base64_padding=False in the profile"),
    ],
)
def test_what_is_no_number(isa: str, vector: str, words: str) -> None:
    for first in ("", '{"embedding":[1]},' if vector[0] == "[" else '{"embedding":"AAAA"},'):
        body = f'{{"data":[{first}{{"embedding":{vector}}}]}}'
        dtype = "float" if vector[0] == "[" else "uint8"
        reason = refusal(body, output_dtype=dtype)
        assert words in reason
        option = re.findall(r"(base64_\w+)=(True|False)", reason)
        if option:
            profile = replace(PROFILES["mistral"], **{option[0][0]: option[0][1] == "True"})
            alone = f'{{"data":[{{"embedding":{vector}}}]}}'
            assert len(decode_response(alone, output_dtype=dtype, profile=profile)) == 1


@pytest.mark.parametrize("indices", [(0, 1, 0), (5, 6, 7), (0, None, 1), ("a", "b", "c"), (2, 1, 0)])
def test_an_index_that_is_to_be_ignored(isa: str, indices: tuple[Any, ...]) -> None:
    items = [{"index": index, "embedding": [row]} for row, index in enumerate(indices)]
    body = json.dumps({"data": items})
    if indices != (2, 1, 0):
        assert "ignore_index=True in the profile" in refusal(body)
    profile = replace(PROFILES["mistral"], ignore_index=True)
    assert decode_response(body, profile=profile).embeddings.values.tolist() == [[0], [1], [2]]
    many = [{"index": row // 2, "embedding": [row]} for row in range(3000)]
    found = decode_response(json.dumps({"data": many}), profile=profile, threads=2)
    np.testing.assert_array_equal(found.embeddings.values[:, 0], np.arange(3000))


@pytest.mark.parametrize(
    "text",
    [
        '{"error":' * 500 + '"deep"' + "}" * 500,
        '{"detail":' + "[" * 500 + '"deep"' + "]" * 500 + "}",
        '{"message":' * 500 + '{"detail":["deep"]}' + "}" * 500,
        '{"error":{"message":' + '{"x":' * 500 + "1" + "}" * 500 + "}}",
        '{"error":' + "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"detail":[' + ",".join(['{"msg":"deep"}'] * 100_000) + "]}",
        '{"detail":[{"loc":[' + "[" * 500 + "]" * 500 + '],"msg":"deep"}]}',
        '{"code":' + "[" * 500 + "]" * 500 + ',"message":"deep"}',
    ],
)
def test_an_error_nested_to_any_depth(text: str) -> None:
    error = service_error(text.encode(), 400)
    assert isinstance(error, ServiceError)
    assert error.status == 400
    assert 0 < len(error.message) < 2100
    assert len(str(error)) < 2500
    for body in (text, text.encode()):
        with pytest.raises((ServiceError, DecodeError)):
            decode_response(body)


def test_complaints_keep_their_places() -> None:
    body = {
        "detail": [{"loc": ["body", "input"], "msg": "Field required"}, {"msg": "and more"}, {"loc": [], "msg": "x"}]
    }
    assert service_error(body, 422).message == "body.input: Field required; and more; x"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[]", "no list of embeddings at 'data': the body is an empty list"),
        ("null", "no list of embeddings at 'data': the body is null"),
        ("7", "no list of embeddings at 'data': the body is one int"),
        ("{}", "no list of embeddings at 'data': the body is empty, {}"),
        ('"[1]"', "no list of embeddings at 'data': the body is JSON within a JSON string: decode_response"),
        ("[1, 2]", "no list of embeddings at 'data': the body is a single vector, in no list: profile="),
        ('["a"]', "no list of embeddings at 'data': the body is a list, but not of vectors"),
        ('[{"a.b": [1]}]', "no list of embeddings at 'data': the body is a list, but not of vectors"),
        (
            '[{"a": {"b": {"c": [1]}}}]',
            "the body is itself the list: dataclasses.replace(profile, rows='', item='a.b.c')",
        ),
        ('[{"a": {"b": {"c": {"d": [1]}}}}]', "the body is a list, but not of vectors"),
        ('{"x": {"y": {"z": [[1]]}}}', "replace(profile, rows='x.y.z', item=None) reads such a body"),
        ('{"x": {"y": {"z": {"a": [[1]]}}}}', "no list of embeddings at 'data': the body has the keys 'x'"),
        ('{"x.y": [[1]]}', "no list of embeddings at 'data': the body has the keys 'x.y'"),
        ('{"x.y": {"z": [[1]]}}', "no list of embeddings at 'data': the body has the keys 'x.y'"),
        ('{"a": 0, "x": {"y": {"z": [1]}}}', "a single vector, in no list, is at 'x.y.z'"),
        ('{"x": {"y": {"z": {"a": [1]}}}}', "no list of embeddings at 'data': the body has the keys 'x'"),
        ('{"x": "AAAAAAAAAAAAAAAA"}', "a single vector, in no list, is at 'x'"),
        ('{"x": "AAAAAAAAAAAAAA=="}', "a single vector, in no list, is at 'x'"),
        ('{"x": "AAAAAAAAAAAA"}', "no list of embeddings at 'data': the body has the keys 'x'"),
        ('{"x": "AAAAAAAAAAAAAAAAA"}', "no list of embeddings at 'data': the body has the keys 'x'"),
        ('{"x": "AAAAAAAA AAAAAAA"}', "no list of embeddings at 'data': the body has the keys 'x'"),
        ('{"x": [true]}', "no list of embeddings at 'data': the body has the keys 'x'"),
        ('{"x": []}', "no list of embeddings at 'data': the body has the keys 'x'"),
        ('{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1}', "the body has the keys '1', '2', '3', '4', '5', '6'"),
        ('{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1}', "the keys '1', '2', '3', '4', '5', '6' and 1 more"),
        ('{"data": {}}', "no list of embeddings at 'data': 'data' has no keys"),
        ('{"data": {"k": 1}}', "no list of embeddings at 'data': 'data' has the keys 'k'"),
        ('{"custom_id": "a", "x": 1}', "a line of a batch file, which decode_batch(path) reads"),
    ],
)
def test_what_is_said_of_a_body_without_rows_where_they_should_be(body: str, words: str) -> None:
    said = refusal(body)
    assert words in said
    if words.startswith("no list"):
        assert said.startswith(words)
    if "the keys" in words:
        assert said.endswith(words)


def test_where_rows_were_looked_for_is_said_in_the_words_of_the_profile() -> None:
    assert refusal("{}", profile=replace(PROFILES["mistral"], rows="")).startswith(
        "no list of embeddings as the body: "
    )
    words = "no list of embeddings at 'embeddings.int8': 'embeddings' has the keys 'float'"
    assert refusal('{"embeddings": {"float": 1}}', profile="cohere", output_dtype="int8") == words
    assert "as with profile='mistral'" in refusal('{"data": [{"embedding": [1]}]}', profile="cohere")


def test_objects_among_complaints_are_shown_as_json() -> None:
    """As the service spells them; of what cannot be said in JSON again, how many keys there are."""
    assert service_error({"message": {"größe": [1, None]}}).message == '{"größe": [1, null]}'
    assert service_error({"message": [1, {"x": "ü"}, True, None, ""]}).message == '1; {"x": "ü"}; True'
    deep: Any = {}
    for _ in range(100_000):
        deep = {"x": deep}
    assert service_error({"message": {"a": deep, "b": 1}}).message == "an object of 2 keys"
    while deep:  # freed without recursion
        deep = deep["x"]


@pytest.mark.parametrize(
    ("envelope", "answer"),
    [
        ({"error": "e"}, True),
        ({"error": ""}, False),
        ({"object": "error"}, True),
        ({"object": "list"}, False),
        ({"detail": []}, False),
        ({"detail": [1]}, True),
        ({"message": "m"}, True),
        ({"message": ""}, False),
        ({"message": "m", "data": []}, False),
        ({}, False),
        ([], False),
        ("error", False),
        (None, False),
    ],
)
def test_what_looks_like_an_error(envelope: Any, answer: bool) -> None:
    assert looks_like_error(envelope) is answer


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (0, 0),
        (7, 7),
        (7.9, 7),
        (2**63 - 1, 2**63 - 1),
        (2**63, 0),
        (2.0**63, 0),
        (-1, 0),
        (-0.5, 0),
        ("7", 0),
        (None, 0),
        (float("nan"), 0),
    ],
)
def test_tokens_are_counted_as_far_as_they_can_be(said: Any, count: int) -> None:
    assert Usage.from_envelope({"usage": {"prompt_tokens": said}}) == Usage(count, 0, count)
    assert Usage.from_envelope({"usage": {"completion_tokens": 2, "total_tokens": said}}) == Usage(0, 2, count or 2)
    assert Usage.from_envelope({"meta": {"billed_units": {"input_tokens": said}}}) == Usage(count, 0, count)
    assert Usage.from_envelope({"prompt_eval_count": said}) == Usage(count, 0, count)


def test_an_empty_message_is_no_line_and_a_long_one_is_cut() -> None:
    assert service_error({"message": "x" * 2000}).message == "x" * 2000
    assert service_error({"message": "x" * 2001}).message == "x" * 2000 + "…"
    for text, kind in (
        (b"\0{\0}", "UTF-16"),
        (b"{\0}\0", "UTF-16"),
        (b"{\0\0\0", "UTF-32"),
        (b"{}", "no JSON"),
    ):
        assert kind in kind_of_bytes(text)
    assert kind_of_bytes(b"") == "empty"


def test_usages_add_up_with_usages_only() -> None:
    assert Usage(1, 2, 3) + Usage(10, 20, 30) == Usage(11, 22, 33)
    with pytest.raises(TypeError):
        Usage(1, 2, 3) + 1  # type: ignore[operator]


def test_text_around_the_vectors_is_bounded() -> None:
    body = b'{"data":[{"embedding":[1]}],"x":[' + b"[]," * 6_000_000 + b"0]}"
    tracemalloc.start()
    assert "16 MiB of text besides" in refusal(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


def test_a_profile_of_ones_own_says_no_source() -> None:
    assert Profile("own").source == ""


@pytest.mark.parametrize("sent", [8, 48, 256, 512])
@pytest.mark.parametrize("factor", [0.125, 0.25, 0.5, 2, 4, 8])
def test_floats_of_another_dimension_are_not_taken_for_another_dtype(sent: int, factor: float) -> None:
    x = np.random.default_rng(sent).standard_normal((2, sent)).astype(np.float32)
    body = encode_response(Embeddings(x), model="m", encoding_format="base64")
    asked = int(sent * factor)
    with pytest.raises(DecodeError, match=f"{sent} elements where {asked} were asked for") as caught:
        decode_response(body, dimension=asked)
    assert sent < 16 or "base64_dtype" not in str(caught.value)
    assert sent < 16 or "output_dtype" not in str(caught.value)


@pytest.mark.parametrize(("form", "size"), [("float16", 2), ("bfloat16", 2), ("float64", 8)])
def test_floats_of_another_form_and_the_dimension_asked_for_are(form: str, size: int) -> None:
    x = np.random.default_rng(3).standard_normal((2, 256)).astype(np.float32)
    profile = replace(PROFILES["mistral"], base64_dtype=form)
    body = encode_response(Embeddings(x), model="m", encoding_format="base64", profile=profile)
    with pytest.raises(DecodeError, match=f"; {size} bytes a dimension are base64_dtype=.*'{form}'"):
        decode_response(body, dimension=256)
    assert decode_response(body, dimension=256, profile=profile).embeddings.dimension == 256


def test_an_argument_that_is_no_known_word_is_called_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"^nulls is 'error' or 'nan', not 'zero'"):
        decode_response(BODY, nulls="zero")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        {"code": 0, "message": "success", "data": None},
        {"vectors": [[1, 2]], "base_resp": {"status_code": 0, "status_msg": "success"}},
        [{"error": None}],
        [{"error": {"message": "a"}}, {"error": {"message": "b"}}],
        {"Response": {"RequestId": "x"}},
        {"code": 200, "msg": "ok"},
        {"title": "a document", "status": "ok"},
        {"title": "a document", "rows": [[0.5, 1.5]]},
        {"fault": {"detail": {}}},
    ],
)
def test_a_word_of_success_is_no_error(body: Any) -> None:
    with pytest.raises(DecodeError):
        decode_response(json.dumps(body))


@pytest.mark.parametrize(("profile", "body"), [("tei", [[{"index": 3, "value": 0.5}]]), ("mistral", None)])
def test_sparse_vectors_are_called_so(profile: str, body: Any) -> None:
    body = body or {"data": [{"embedding": [{"index": 3, "value": 0.5}]}]}
    with pytest.raises(DecodeError, match="a sparse vector, which is not read"):
        decode_response(json.dumps(body), profile=profile)


def test_rows_in_groups_are_read_as_the_message_says() -> None:
    """As models of contextualized chunks answer: a list of documents, each with a list of rows."""
    groups = [{"object": "list", "data": [{"embedding": [i, j], "index": j} for j in range(2)]} for i in range(2)]
    body = json.dumps({"object": "list", "data": groups})
    reason = refusal(body)
    made = re.search(r"json\.dumps\(.*\)(?=, read with ignore_index=True)", reason)
    assert made is not None
    joined = eval(made[0], {"json": json, "body": body})
    profile = replace(PROFILES["mistral"], ignore_index=True)
    values = decode_response(joined, profile=profile).embeddings.values
    assert values.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_words_in_capitals_are_no_vectors() -> None:
    assert "replace(" not in refusal(json.dumps({"data": [{"state": "INVALID_ARGUMENT"}]}))


@pytest.mark.parametrize(
    ("asked", "row", "sent"),
    [
        ("int8", [200, 5], "uint8"),
        ("uint8", [-3, 5], "int8"),
        ("binary", [200, 5], "ubinary"),
        ("ubinary", [-3, 5], "binary"),
        ("int8", [0.5, -0.25], "float"),
        ("ubinary", [0.5, -0.25], "float"),
    ],
)
def test_another_dtype_than_was_asked_for_is_named_and_reads_it(asked: Any, row: list[float], sent: str) -> None:
    body = json.dumps({"data": [{"embedding": row}]})
    with pytest.raises(DecodeError) as told:
        decode_response(body, output_dtype=asked)
    (found,) = re.findall("output_dtype='([a-z0-9]+)'", str(told.value))
    assert found == sent
    assert decode_response(body, output_dtype=found).embeddings.values.tolist() == [row]
    for beyond in (300, -129, 1e9):
        with pytest.raises(DecodeError, match="type's range") as told:
            decode_response(json.dumps({"data": [{"embedding": [beyond, 5]}]}), output_dtype="int8")
        assert "output_dtype" not in str(told.value)


@pytest.mark.parametrize("body", [["PwAAAL6AAAA+AAAAv4AAAA=="], {"vec": ["PwAAAL6AAAA+AAAAv4AAAA=="]}])
def test_no_way_out_reads_the_same_bytes_as_other_numbers(body: Any) -> None:
    """A profile that looks in the same place but takes the other byte order is no way out of a missing list."""
    text = json.dumps(body)
    with pytest.raises(DecodeError) as caught:
        decode_response(text, profile="elasticsearch")
    assert "profile='" not in str(caught.value)
    rows = "vec" if isinstance(body, dict) else ""
    assert f"dataclasses.replace(profile, rows={rows!r}, item=None)" in str(caught.value)
    found = decode_response(text, profile=replace(PROFILES["elasticsearch"], rows=rows, item=None))
    assert found.embeddings.values.tolist() == [[0.5, -0.25, 0.125, -1.0]]
    with pytest.raises(DecodeError, match="profile='tei'"):  # by which the bytes are what they are by this one
        decode_response(b"[[0.5, -0.25]]", profile="mistral")
