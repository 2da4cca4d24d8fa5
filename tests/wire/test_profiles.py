"""Every profile against bodies written by hand from what its service documents: values, bits, byte and bit orders.

The vector is 1/2, -1/4, 1/8, -1, 3/4, 0, -1/16, 1: as float32 3f000000 be800000 3e000000 bf800000 3f400000 00000000
bd800000 3f800000. Its bits x > 0 are 1 0 1 0 1 0 0 1: 0xa9 with the first one highest, 0x95 with the first one lowest.
0xa9 - 128 is 41, and 0xa9 seen as int8 is -87.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from paths import GOLDEN

from embcodec import PROFILES, DecodeError, Profile, decode_response, encode_response

PROFILE_BODIES = GOLDEN / "profiles"
VECTOR = [0.5, -0.25, 0.125, -1.0, 0.75, 0.0, -0.0625, 1.0]
SIGNS = [1, -1, 1, -1, 1, -1, -1, 1]
INT8 = [64, -32, 16, -127, 95, 0, -8, 127]
UINT8 = [192, 96, 143, 0, 223, 128, 120, 255]
# file, dtype, changes of the profile, what is stored
BODIES: list[tuple[str, str, dict[str, Any], list[Any]]] = [
    ("openai-float-base64", "float", {}, VECTOR),
    ("openai-float", "float", {}, VECTOR),
    ("voyage-float-base64", "float", {}, VECTOR),
    ("voyage-int8-base64", "int8", {}, INT8),
    ("voyage-uint8-base64", "uint8", {}, UINT8),
    ("voyage-binary-base64", "binary", {}, [41]),
    ("voyage-ubinary-base64", "ubinary", {}, [169]),
    ("voyage-binary", "binary", {}, [41]),
    ("cohere-float", "float", {}, VECTOR),
    ("cohere-int8", "int8", {}, INT8),
    ("cohere-ubinary", "ubinary", {}, [169]),
    ("cohere-float-base64", "float", {}, VECTOR),
    ("vllm-float-base64", "float", {}, VECTOR),
    ("vllm-float16-base64", "float", {"base64_dtype": "float16"}, VECTOR),
    ("vllm-float64-base64", "float", {"base64_dtype": "float64"}, VECTOR),
    ("tei-float-base64", "float", {}, VECTOR),
    ("ollama-float-base64", "float", {}, VECTOR),
    ("llama.cpp-float-base64", "float", {}, VECTOR),
    ("infinity-float-base64", "float", {}, VECTOR),
    ("perplexity-int8-base64", "int8", {}, INT8),
    ("perplexity-ubinary-base64", "ubinary", {}, [149]),
    ("perplexity-ubinary-base64", "binary", {}, [-107]),  # 0x95 seen as int8
    ("jina-float-base64", "float", {}, VECTOR),
    ("jina-binary", "binary", {}, [41]),
    ("jina-ubinary", "ubinary", {}, [169]),
    ("mixedbread-float-base64", "float", {}, VECTOR),
    ("mixedbread-int8", "int8", {}, INT8),
    ("mixedbread-ubinary", "ubinary", {}, [169]),
    ("mixedbread-several", "float", {"item": "embedding.{dtype}"}, VECTOR),
    ("mixedbread-several", "int8", {"item": "embedding.{dtype}"}, INT8),
    ("mixedbread-several", "ubinary", {"item": "embedding.{dtype}"}, [169]),
    ("sentence-transformers-binary", "binary", {}, [41]),
    ("elasticsearch-float-base64", "float", {}, VECTOR),
    ("elasticsearch-binary", "binary", {}, [-87]),
    ("elasticsearch-binary-base64", "binary", {}, [-87]),
    ("vespa-binary", "binary", {}, [-87]),
    ("vespa-float", "float", {}, VECTOR),
    ("azure-float-base64", "float", {}, VECTOR),
    ("gemini-float", "float", {}, VECTOR),
    ("gemini-embed-content", "float", {}, VECTOR),
    ("gemini-batch-embed-contents", "float", {}, VECTOR),
    ("dashscope-float", "float", {}, VECTOR),
    ("dashscope-native", "float", {}, VECTOR),
    ("vertex-float", "float", {}, VECTOR),
    ("vertex-embed-content", "float", {}, VECTOR),
    ("bedrock-titan-float", "float", {}, VECTOR),
    ("bedrock-titan-v1", "float", {}, VECTOR),
    ("bedrock-titan-binary", "float", {}, VECTOR),
    ("bedrock-titan-binary", "ubinary", {}, [169]),
    ("bedrock-titan-binary", "binary", {}, [41]),
    ("bedrock-cohere-float", "float", {}, VECTOR),
    ("bedrock-cohere-int8", "int8", {}, INT8),
    ("bedrock-cohere-int8", "float", {}, VECTOR),
    ("cohere-v1-float", "float", {}, VECTOR),
    ("huggingface-float", "float", {}, VECTOR),
    ("huggingface-one-text", "float", {}, VECTOR),
    ("ollama-embed", "float", {}, VECTOR),
    ("ollama-embeddings", "float", {}, VECTOR),
    ("tei-embed", "float", {}, VECTOR),
    ("llama.cpp-embedding", "float", {}, VECTOR),
]
UNCOUNTED = ("huggingface-float", "huggingface-one-text", "ollama-embeddings", "tei-embed", "llama.cpp-embedding")


def profile_of(name: str, changes: dict[str, Any]) -> Profile:
    known = next(each for each in sorted(PROFILES, key=len, reverse=True) if name.startswith(each + "-"))
    return replace(PROFILES[known], **changes)


@pytest.mark.parametrize(("name", "dtype", "changes", "stored"), BODIES, ids=[f"{n}-{d}" for n, d, *_ in BODIES])
def test_golden_body(isa: str, name: str, dtype: str, changes: dict[str, Any], stored: list[Any]) -> None:
    body = (PROFILE_BODIES / f"{name}.json").read_bytes()
    profile = profile_of(name, changes)
    answer = decode_response(body, output_dtype=dtype, profile=profile, dimension=8, expected_count=1)
    assert answer.embeddings.values.tolist() == [stored]
    assert answer.usage.prompt_tokens == 2 * (name not in UNCOUNTED)
    if dtype in ("binary", "ubinary"):
        np.testing.assert_array_equal(np.sign(answer.embeddings.to("ubinary").to_float()), [SIGNS])
        np.testing.assert_array_equal(answer.embeddings.to_float() > 0, [np.array(SIGNS) > 0])


def test_rows_are_in_the_order_of_text_index(isa: str) -> None:
    sparse = [{"index": 7149, "value": 0.829, "token": "wind"}]
    rows = [{"sparse_embedding": sparse, "embedding": [i, 0.5], "text_index": i} for i in (2, 0, 3, 1)]
    body = {"request_id": "1ba94ac8", "code": "", "message": "", "output": {"embeddings": rows}}
    found = decode_response(json.dumps(body), profile="dashscope", expected_count=4)
    assert found.embeddings.values[:, 0].tolist() == [0, 1, 2, 3]
    rows[1]["text_index"] = 3
    with pytest.raises(DecodeError, match="index 3"):
        decode_response(json.dumps(body), profile="dashscope")


def test_every_profile_has_a_golden_body_and_says_where_its_facts_are_from() -> None:
    named = {profile_of(name, {}).name for name, *_ in BODIES} | {"mistral"}  # Mistral's row is in test_golden
    assert named == set(PROFILES)
    assert all(profile.source for profile in PROFILES.values())
    assert {name for name, *_ in BODIES} == {path.stem for path in PROFILE_BODIES.iterdir()}


@pytest.mark.parametrize(
    ("profile", "dtype", "words"),
    [
        ("openai", "int8", "carries float32, not codes: say output_dtype='float'"),
        ("vllm", "ubinary", "carries float32, not codes: say output_dtype='float'"),
        ("perplexity", "float", "carries codes, never floats: say output_dtype='int8' or 'ubinary'"),
        ("vespa", "binary", "writes no base64"),
        ("vespa", "float", "writes no base64"),
    ],
)
def test_text_that_a_service_does_not_send_is_refused(profile: str, dtype: str, words: str) -> None:
    body = (PROFILE_BODIES / "perplexity-int8-base64.json").read_bytes()
    with pytest.raises(DecodeError, match=words):
        decode_response(body, output_dtype=dtype, profile=profile)
    if dtype == "float":
        rows = decode_response((PROFILE_BODIES / "openai-float.json").read_bytes()).embeddings
        with pytest.raises(ValueError, match="no base64 of float: send lists"):
            encode_response(rows, model="m", encoding_format="base64", profile=profile)
