"""A row that a vendor published, in every dtype and encoding."""

from __future__ import annotations

import json

import numpy as np
import pytest
from paths import GOLDEN

from embcodec import Usage, decode_response, encode_response

DTYPES = ("float", "int8", "uint8", "binary", "ubinary")


def body(dtype: str, encoding: str) -> bytes:
    return (GOLDEN / f"{dtype}-{encoding}.json").read_bytes()


def published(dtype: str) -> np.ndarray:
    """Return the published numbers, read by the standard library."""
    return np.array([json.loads(body(dtype, "float"))["data"][0]["embedding"]])


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_golden_body_decodes_to_the_published_row(isa: str, dtype: str, encoding: str) -> None:
    answer = decode_response(body(dtype, encoding), output_dtype=dtype, dimension=18, expected_count=1)
    np.testing.assert_array_equal(answer.embeddings.values, published(dtype))
    assert answer.encoding_format == encoding
    assert (answer.id, answer.model, answer.usage) == ("0aaa", "mistral-embed", Usage(15, 0, 15))
    assert answer.raw_usage is not None
    assert answer.raw_usage["prompt_audio_seconds"] is None


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_golden_body_is_written_again(isa: str, dtype: str, encoding: str) -> None:
    answer = decode_response(body(dtype, encoding), output_dtype=dtype, dimension=18)
    again = encode_response(
        answer.embeddings,
        model="mistral-embed",
        id="0aaa",
        encoding_format=encoding,
        usage={"prompt_tokens": 15, "completion_tokens": 0, "total_tokens": 15, "prompt_audio_seconds": None},
    )
    if dtype == "float" and encoding == "float":  # shorter numbers, the same values
        assert json.loads(again)["data"][0]["index"] == 0
        assert decode_response(again).embeddings == answer.embeddings
    else:
        assert again == body(dtype, encoding).rstrip()


def test_golden_codes_follow_from_the_floats() -> None:
    floats = published("float")[0]
    bits = np.packbits(floats > 0)
    np.testing.assert_array_equal(bits, published("ubinary")[0])
    np.testing.assert_array_equal((bits ^ 0x80).view(np.int8), published("binary")[0])
    int8 = np.clip(np.rint(127 * floats), -127, 127)
    uint8 = np.clip(np.rint(127.5 * floats + 127.5), 0, 255)
    assert np.abs(int8 - published("int8")[0]).max() <= 1
    assert np.abs(uint8 - published("uint8")[0]).max() <= 1


@pytest.mark.parametrize("dtype", ["int8", "uint8", "binary", "ubinary"])
def test_golden_floats_convert_to_the_published_codes(isa: str, dtype: str) -> None:
    codes = decode_response(body("float", "float")).embeddings.to(dtype)
    difference = np.abs(codes.values.astype(int) - published(dtype))
    assert difference.max() <= (0 if "binary" in dtype else 1)
