"""What is written around the rows of a body, and what no body says."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from embcodec import Embeddings, Profile, Usage, encode_response


def plain(rows: Embeddings) -> list[Any]:
    """Return the data as the standard library reads it."""
    return [{"object": "embedding", "embedding": row.tolist(), "index": i} for i, row in enumerate(rows.values)]


def test_what_a_service_has_no_base64_of_is_not_written() -> None:
    floats, codes = Embeddings(np.ones((1, 8), np.float32)), Embeddings(np.ones((1, 8), np.int8), "int8")
    for rows, profile, words in (
        (floats, "vespa", "'vespa' has no base64 of float: send lists"),
        (codes, "vespa", "'vespa' has no base64 of int8: send lists"),
        (floats, "perplexity", "'perplexity' has no base64 of float: send lists"),
        (codes, "openai", "base64 of 'openai' carries float32, not int8 codes: send them as lists"),
        (
            floats,
            Profile("u", base64_urlsafe=True),
            "URL-safe base64, as 'u' has it, is read but not written: send lists",
        ),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            encode_response(rows, model="m", encoding_format="base64", profile=profile)
        assert json.loads(encode_response(rows, model="m", encoding_format="float", profile=profile))["data"] == plain(
            rows
        )
    with pytest.raises(TypeError, match="model is the name of a model, a str, not"):
        encode_response(floats, model=5)  # type: ignore[arg-type]


def test_what_stands_around_the_rows() -> None:
    rows = Embeddings(np.ones((1, 2), np.float32))
    whole = json.loads(encode_response(rows, model="mü", usage=Usage(1, 2, 3), id="x"))
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert whole == {"id": "x", "object": "list", "model": "mü", "data": plain(rows), "usage": counts}
    bare = json.loads(encode_response(rows, model="m"))
    assert bare["id"] == "0"
    assert bare["usage"] == dict.fromkeys(counts, 0)
    assert json.loads(encode_response(rows, model="m", usage={"x": 1}))["usage"] == {"x": 1}
