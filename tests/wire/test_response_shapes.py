"""Shapes in which vectors come besides a list of them: one alone, one level deeper, as text, in UTF-16."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import sample

from embcodec import PROFILES, DecodeError, Profile, decode_response

ROWS = [[0.5, -1.0], [2.0, 3.0]]


def looks_at(rows: str, item: str | None, **changes: Any) -> Profile:
    return replace(PROFILES["openai"], rows=rows, item=item, **changes)


def read(document: Any, profile: str | Profile = "openai", **options: Any) -> Any:
    body = document if isinstance(document, str) else json.dumps(document)
    return decode_response(body, profile=profile, **options).embeddings.values.tolist()


def refusal(document: Any, profile: str | Profile = "openai", **options: Any) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        read(document, profile, **options)
    return caught.value


# one level deeper


def test_a_list_that_holds_one_vector_is_that_vector(isa: str) -> None:
    assert read({"data": [{"embedding": [row]} for row in ROWS]}) == ROWS
    assert read('{"data": [{"embedding": [ [0.5 ,-1] ]}, {"embedding":[2,3]}]}') == ROWS
    assert read([[[0.5, -1]], [[2, 3]]], "huggingface") == ROWS
    assert read({"data": [{"embedding": [[1, -2]]}]}, "mistral", output_dtype="int8") == [[1, -2]]


@pytest.mark.parametrize("vector", ["[[1],[2]]", "[[1],2]", "[[[1]]]", "[[1],]", "[[1]", "[[1]]]", "[[1,]]", "[[1 2]]"])
def test_what_is_deeper_and_no_single_vector(isa: str, vector: str) -> None:
    body = f'{{"data": [{{"embedding": {vector}}}]}}'
    assert refusal(body).offset is not None
    if vector in ("[[1],[2]]", "[[1],2]", "[[[1]]]"):
        assert "nested one level deeper" in refusal(body).reason
    else:
        with pytest.raises(json.JSONDecodeError) as wrong:
            json.loads(body)
        assert refusal(body).offset == wrong.value.pos


def test_many_threads_read_what_is_deeper() -> None:
    values = sample("float", 4000, 48).values
    body = json.dumps({"data": [{"embedding": [row]} for row in values.tolist()]})
    for threads in (1, 3):
        np.testing.assert_array_equal(decode_response(body, threads=threads).embeddings.values, values)


# one vector alone


@pytest.mark.parametrize(
    ("document", "rows", "item"),
    [
        ({"embedding": ROWS[0]}, "embedding", None),
        ({"embedding": ROWS[0]}, "", "embedding"),
        ({"embedding": [ROWS[0]]}, "embedding", None),
        ({"embedding": {"values": ROWS[0]}, "id": "x"}, "embedding", "values"),
        ({"a": {"b": {"c": {"d": ROWS[0]}}}}, "a.b", "c.d"),
        (ROWS[0], "", None),
        ({"embedding": "AAAAPwAAgL8="}, "embedding", None),
        ({"embedding": "[0.5, -1]"}, "embedding", None),
        ({"embedding": {"values": "AAAAPwAAgL8=", "index": 0}}, "embedding", "values"),
    ],
)
def test_one_vector_alone(isa: str, document: Any, rows: str, item: str | None) -> None:
    profile = looks_at(rows, item)
    for dimension in (None, 2):
        assert read(document, profile, dimension=dimension, expected_count=1) == [ROWS[0]]
        assert read(json.dumps(document, indent=1), profile) == [ROWS[0]]  # again, by the pass for one row
    assert "where 2 were asked for" in refusal(document, profile, expected_count=2).reason


def test_of_twin_keys_the_last_one_counts_alone_or_not(isa: str) -> None:
    profile = looks_at("embedding", "values")
    alone, listed, other = '{"values":[3,4]}', '[{"values":[1,2]},{"values":[5,6]}]', '{"x":[1]}'
    for first in (alone, listed, other):
        for second, rows in ((alone, [[3, 4]]), (listed, [[1, 2], [5, 6]])):
            assert read(f'{{"embedding":{first},"embedding":{second}}}', profile) == rows
        assert "has the keys 'x'" in refusal(f'{{"embedding":{first},"embedding":{other}}}', profile).reason


@pytest.mark.parametrize(
    ("body", "words", "offset", "row"),
    [
        ('{"embedding":[1,', "ends too early", 16, 0),
        ('{"embedding":[1,"a"]}', "text among the numbers", 16, 0),
        ('{"embedding":[1,null]}', "null where a number is wanted", 16, 0),
        ('{"embedding":[1] "x":1}', "unexpected character", 17, None),
        ('{"embedding":[1]}x', "unexpected text after", 17, None),
        ('{"embedding":"AAA"}', "base64", None, 0),
        ('{"embedding":[]}', "no embeddings", 13, None),
        ('{"embedding":{"values":[1]}}', "no list of embeddings at 'embedding'", 0, None),
        ('{"embedding":7}', "no list of embeddings at 'embedding'", 0, None),
    ],
)
def test_what_is_wrong_with_a_vector_alone(
    isa: str, body: str, words: str, offset: int | None, row: int | None
) -> None:
    error = refusal(body, looks_at("embedding", None))
    assert words in error.reason or words in str(error)
    assert error.row == row
    if offset is not None:
        assert error.offset == offset


# text


def test_the_text_of_a_list_is_that_list(isa: str) -> None:
    """As PostgREST writes pgvector's columns."""
    rows = [{"id": i, "embedding": json.dumps(row)} for i, row in enumerate(ROWS)]
    assert read(rows, looks_at("", "embedding")) == ROWS
    assert read({"data": rows}, "vespa") == ROWS  # which writes no base64
    assert read({"data": [{"embedding": "[1,null]"}]}, nulls="nan")[0][0] == 1


@pytest.mark.parametrize(
    ("text", "at"), [("[1,x]", 3), ("[1,2", 0), ("[]", 0), ("[[1],[2]]", 1), ("[1]]", 3), ("[1] [2]", 4)]
)
def test_text_that_is_no_list_of_numbers(isa: str, text: str, at: int) -> None:
    body = json.dumps({"data": [{"embedding": text}]})
    error = refusal(body)
    assert error.row == 0
    assert error.offset is not None
    assert body.index(text) - 1 <= error.offset <= body.index(text) + len(text)


# other encodings of text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig"])
def test_bodies_in_other_encodings_of_unicode(encoding: str) -> None:
    body = json.dumps({"model": "größe 😀", "data": [{"embedding": row} for row in ROWS]}, ensure_ascii=False)
    answer = decode_response(body.encode(encoding))
    assert (answer.model, answer.embeddings.values.tolist()) == ("größe 😀", ROWS)
    with pytest.raises(DecodeError) as caught:
        decode_response(body.replace("3.0", "x").encode(encoding))
    marked = 3 * (encoding == "utf-8-sig")
    assert caught.value.offset == body.encode().index(b"3.0") + marked  # of its form in UTF-8


@given(st.binary(max_size=64), st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"]))
def test_bytes_in_any_encoding_are_read_or_refused(noise: bytes, encoding: str) -> None:
    text = '{"data":[{"embedding":[1]}]}'.encode(encoding)
    for body in (noise + text, text + noise, text[: len(noise)]):
        with suppress(DecodeError):
            assert len(decode_response(body)) == 1


VALUES = st.recursive(
    st.sampled_from(["1", "-2.5", "null", '"[1,2]"', '"AACAPw=="', "NaN", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]") | inner.map('{{"values":{}}}'.format)
    ),
    max_leaves=6,
)


@given(VALUES, st.sampled_from(["", "e"]), st.sampled_from([None, "values", "values.values"]), st.integers(0, 40))
def test_all_passes_agree_on_any_shape(isa_text: str, rows: str, item: str | None, cut: int) -> None:
    """A matrix of finite numbers, or an error with a place; cut short, an error whose place is in the text."""
    text = f'{{"e":{isa_text}}}' if rows else isa_text
    profile = looks_at(rows, item)
    outcomes: list[Any] = []
    for threads in (1, 2):
        try:
            outcomes.append(decode_response(text, profile=profile, threads=threads).embeddings.values.tolist())
        except DecodeError as error:
            outcomes.append((error.reason, error.row, 0 <= (error.offset or 0) <= len(text)))
    assert outcomes[0][-1] if isinstance(outcomes[0], tuple) else np.isfinite(outcomes[0]).all()
    assert outcomes[0] == outcomes[1]
    with pytest.raises(DecodeError):
        decode_response(text[: min(cut, len(text) - 1)] + "\x01", profile=profile)


# bits as numbers, counts in rows, other places


def test_bits_that_come_as_numbers() -> None:
    def body(*bits: int) -> str:
        return json.dumps({"embedding": [0.5], "embeddingsByType": {"binary": bits}})

    answer = decode_response(body(1, 0, 1, 0, 1, 0, 0, 1, 1), profile="bedrock-titan", output_dtype="ubinary")
    assert (answer.embeddings.values.tolist(), answer.embeddings.dimension) == ([[169, 128]], 9)
    assert read(body(1, 0, 1), "bedrock-titan", output_dtype="binary", dimension=3) == [[32]]
    assert (
        "2 elements where 3 were asked for"
        in refusal(body(1, 0), "bedrock-titan", output_dtype="ubinary", dimension=3).reason
    )
    error = refusal(body(1, 2), "bedrock-titan", output_dtype="ubinary")
    assert "2 where a bit, 0 or 1, is wanted" in error.reason
    assert (error.row, error.offset) == (0, body(1, 2).index("[1"))
    assert read(body(1), replace(PROFILES["bedrock-titan"], bit_order="lsb"), output_dtype="ubinary") == [[1]]


def test_floats_of_a_former_version_are_no_codes() -> None:
    assert read({"embedding": [0.5]}, "bedrock-titan") == [[0.5]]
    assert "embeddingsByType.binary" in refusal({"embedding": [0.5]}, "bedrock-titan", output_dtype="ubinary").reason
    assert "'embeddings.int8'" in refusal({"embeddings": [[1]]}, "bedrock-cohere", output_dtype="int8").reason


def test_tokens_that_are_counted_row_by_row() -> None:
    rows = [{"embeddings": {"values": row, "statistics": {"token_count": 3}}} for row in ROWS]
    assert decode_response(json.dumps({"predictions": rows}), profile="vertex").usage.total_tokens == 6
    assert decode_response(json.dumps({"predictions": rows}, indent=2), profile="vertex").usage.prompt_tokens == 6
