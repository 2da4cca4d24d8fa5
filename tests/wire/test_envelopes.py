"""Bodies in the form of each service: what is written by a profile is what that profile reads."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from each import each

from embcodec import PROFILES, Embeddings, Profile, Usage, decode_response, encode_response
from embcodec.dtypes import EncodingFormat, OutputDtype

X = np.random.default_rng(3).normal(0, 0.3, (3, 40)).clip(-1, 1).astype(np.float32)
REFUSED = "(has no base64 of .*: send lists|carries float32, not .* send them as lists|URL-safe base64.* send lists)"
FORMS = {
    "elsewhere": replace(PROFILES["mistral"], rows="output.rows", item="vector.of"),
    "by dtype": replace(PROFILES["mistral"], item="embedding.{dtype}"),
    "both by dtype": replace(PROFILES["mistral"], rows="of.{dtype}", item="{dtype}"),
    "odd keys": replace(PROFILES["openai"], rows='a "b"\\', item="ü"),
    "objects": replace(PROFILES["mistral"], rows="", item="embedding"),
    "bare": replace(PROFILES["mistral"], item=None),
    "halves": replace(PROFILES["cohere"], base64_dtype="float16", byte_order="big"),
    "numbers": replace(PROFILES["mistral"], bits_as_numbers=True),
    "unpadded": replace(PROFILES["mistral"], base64_padding=False),
    "urlsafe": replace(PROFILES["cohere"], base64_urlsafe=True),
}


def sent(profile: Profile, dtype: str, dimension: int, rows: int) -> Embeddings:
    """Return rows that the profile's service may send."""
    x = X[:rows, :dimension]
    if profile.base64_dtype == "float16":
        x = x.astype(np.float16).astype(np.float32)
    codes = Embeddings(x).to(dtype)
    return codes.to(dtype, signed_bytes=profile.signed_bytes, bit_order=profile.bit_order) if "bin" in dtype else codes


def has_base64(profile: Profile, dtype: str) -> bool:
    """Whether base64 of a profile carries rows of a dtype."""
    if profile.base64_payload == "none" or profile.base64_urlsafe:
        return False
    return profile.has_floats if dtype == "float" else profile.base64_payload == "codes"


@each("dimension", [40, 13])
@pytest.mark.parametrize("profile", [*PROFILES.values(), *FORMS.values()], ids=[*PROFILES, *FORMS])
def test_what_a_profile_writes_it_reads(profile: Profile, dimension: int) -> None:
    read: Counter[str] = Counter()
    for dtype in map(str, OutputDtype):
        for encoding in map(str, EncodingFormat):
            for rows in (1, 3):
                want = sent(profile, dtype, dimension, rows)
                if profile.name == "bedrock-titan" and rows > 1:
                    continue
                if encoding == "base64" and not has_base64(profile, dtype):
                    with pytest.raises(ValueError, match=REFUSED):
                        encode_response(want, model="m", encoding_format=encoding, profile=profile)
                    continue
                body = encode_response(want, model="m", encoding_format=encoding, profile=profile)
                answer = decode_response(
                    body, output_dtype=dtype, dimension=dimension, profile=profile, expected_count=rows
                )
                assert answer.embeddings == want, (dtype, encoding, rows)
                assert answer.encoding_format == encoding
                read[encoding] += 1
    assert read["float"] == (5 if profile.name == "bedrock-titan" else 10)


def written(profile: str, dtype: str = "float", **options: Any) -> Any:
    rows = Embeddings([[1.0, -0.5]]).to(dtype)
    return json.loads(encode_response(rows, model="m", profile=profile, **options))


def test_the_bodies_of_services() -> None:
    usage = Usage(3, 0, 3)
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 3}}
    kind = {"id": "7", "meta": meta, "response_type": "embeddings_by_type"}
    for profile in ("cohere", "bedrock-cohere"):
        assert written(profile, "int8", usage=usage, id="7") == {"embeddings": {"int8": [[127, -64]]}, **kind}
        assert written(profile, encoding_format="base64", usage={"total_tokens": 3}, id="7") == {
            "embeddings": {"base64": ["AACAPwAAAL8="]},
            **kind,
        }
    assert written("bedrock-titan", "ubinary", usage=usage) == {
        "embeddingsByType": {"binary": [1, 0]},
        "inputTextTokenCount": 3,
    }
    assert written("vertex", usage=usage) == {"predictions": [{"embeddings": {"values": [1.0, -0.5]}}]}
    assert written("huggingface", usage=usage, id="7") == [[1.0, -0.5]]
    for name in PROFILES:
        if PROFILES[name].rows == "data":
            usual = {"object": "embedding", "embedding": [1.0, -0.5], "index": 0}
            assert written(name)["data"] == [usual]


def test_what_stands_around_the_rows_comes_back() -> None:
    rows, usage = Embeddings(X), Usage(3, 1, 4)
    for profile in ("mistral", FORMS["elsewhere"], FORMS["bare"]):
        answer = decode_response(
            encode_response(rows, model='a "b"', id="é", usage=usage, profile=profile), profile=profile
        )
        assert (answer.model, answer.id, answer.usage, answer.embeddings) == ('a "b"', "é", usage, rows)
    for profile in ("cohere", "bedrock-titan"):
        body = encode_response(rows[:1], model="m", usage=usage, profile=profile)
        assert decode_response(body, profile=profile).usage == Usage(3, 0, 3)


@pytest.mark.parametrize("profile", ["mistral", "cohere", "bedrock-titan", "vertex", "huggingface"])
def test_what_no_form_has_room_for(profile: str) -> None:
    with pytest.raises(TypeError, match="usage is a Usage or a mapping"):
        encode_response(X[:1], model="m", usage=3, profile=profile)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="usage has what JSON has not"):
        encode_response(X[:1], model="m", usage={"x": float("nan")}, profile=profile)
    with pytest.raises(ValueError, match="row 0 has a value that is not finite"):
        encode_response(np.full((1, 2), np.nan, np.float32), model="m", profile=profile)


def test_a_service_of_one_row_a_body() -> None:
    rows = Embeddings(X)
    with pytest.raises(ValueError, match=r"has one row, not 3: write embeddings\[i : i \+ 1\], one body each"):
        encode_response(rows, model="m", profile="bedrock-titan")
    for i in range(3):
        body = encode_response(rows[i : i + 1], model="m", profile="bedrock-titan")
        assert decode_response(body, profile="bedrock-titan").embeddings == rows[i : i + 1]


def test_no_rows() -> None:
    none = np.empty((0, 4), np.float32)
    for profile in PROFILES:
        if profile == "bedrock-titan":
            with pytest.raises(ValueError, match="has one row, not 0"):
                encode_response(none, model="m", profile=profile)
            continue
        body = encode_response(none, model="m", profile=profile)
        assert decode_response(body, profile=profile, dimension=4, expected_count=0).embeddings == Embeddings(none)
