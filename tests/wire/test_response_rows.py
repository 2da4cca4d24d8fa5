"""Rows that have no vector where it should be: what is there, and what reads it, is said, and leads on."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import (
    PROFILES,
    DecodeError,
    Embeddings,
    ServiceError,
    decode_batch,
    decode_response,
    encode_base64,
)
from embcodec.wire.service import service_error

VECTOR = [0.5, -1.5]
TEXT = encode_base64(np.array([[0.5, -1.5, 2.5, 3.5]], np.float32))[0]


def of_rows(*rows: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"index": number, **row} for number, row in enumerate(rows)]}


def of_types(**types: Any) -> dict[str, Any]:
    return of_rows({"embedding": types})


# A body, whose it is, what is asked for, what reads it, and what that reads.
CASES: dict[str, tuple[Any, str, str, str, Any]] = {
    "several encodings": (
        of_types(float=VECTOR, ubinary=[128]),
        "jina",
        "float",
        "the keys are 'float', 'ubinary'; dataclasses.replace(profile, item='embedding.float') reads such rows",
        [VECTOR],
    ),
    "codes among several": (
        of_types(float=VECTOR, int8=[64, -127]),
        "mixedbread",
        "int8",
        "dataclasses.replace(profile, item='embedding.int8') reads such rows",
        [[64, -127]],
    ),
    "other codes than asked for": (
        of_types(ubinary=[128, 7]),
        "mixedbread",
        "float",
        "say output_dtype='ubinary', and item='embedding.ubinary' in the profile, for what is there",
        [[128, 7]],
    ),
    "two kinds of vectors": (
        {"predictions": [{"textEmbedding": VECTOR, "imageEmbedding": [1.0, 2.0]}]},
        "vertex",
        "float",
        "dataclasses.replace(profile, item='textEmbedding') reads such rows",
        [VECTOR],
    ),
    "another key in a row": (
        of_rows({"vector": VECTOR}),
        "mistral",
        "float",
        "no 'embedding' in this row: the keys are 'index', 'vector'; dataclasses.replace(profile, item='vector')",
        [VECTOR],
    ),
    "a row a member": (
        {"data": {"0": {"embedding": VECTOR}, "1": {"embedding": [1.0, 2.0]}}},
        "mistral",
        "float",
        "each member of 'data' is a row; json.dumps({'data': list(json.loads(body)['data'].values())}) is the list",
        [VECTOR, [1.0, 2.0]],
    ),
    "a vector a member": (
        {"model": "m", "out": {"0": VECTOR, "1": [1.0, 2.0]}},
        "huggingface",
        "float",
        "each member of 'out' is a row",
        None,
    ),
    "another dtype by its name": (
        {"embeddings": {"float": [VECTOR]}},
        "cohere",
        "int8",
        "'embeddings' has the keys 'float': say output_dtype='float', which is there",
        [VECTOR],
    ),
    "bits as numbers, which are no floats": (
        {"embeddingsByType": {"binary": [1, 0, 1, 0, 1, 0, 1, 0]}},
        "bedrock-titan",
        "float",
        "say output_dtype='binary', which is there",
        [[42]],
    ),
    "a vector a token": (
        of_rows({"object": "embeddings", "embeddings": [VECTOR, [1.0, 2.0]]}),
        "jina",
        "float",
        "is no row; Embeddings(json.loads(body)['data'][0]['embeddings']) has those of one text",
        [VECTOR, [1.0, 2.0]],
    ),
    "a vector a token in base64": (
        of_rows({"object": "embeddings", "embeddings": TEXT}),
        "jina",
        "float",
        "a vector a token, as models of late interaction give, is no row",
        None,
    ),
    "a sparse vector": (
        of_rows({"embedding": {"indices": [1, 5], "values": VECTOR}}),
        "mistral",
        "float",
        "the keys are 'indices', 'values': a sparse vector, which is not read",
        None,
    ),
    "nothing": (of_rows({"embedding": {}}), "mistral", "float", "an object without keys", None),
    "tensors with their shape": (
        {"outputs": [{"name": "embedding", "datatype": "FP32", "shape": [2, 2], "data": [0.5, 1.5, 2.5, 3.5]}]},
        "mistral",
        "float",
        "tensors with their shape are at 'outputs': np.reshape(tensor['data'], tensor['shape']) is each of them",
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_reads_a_row_is_said(name: str) -> None:
    document, profile, dtype, words, want = CASES[name]
    body: Any = json.dumps(document)
    with pytest.raises(DecodeError) as caught:
        decode_response(body, profile=profile, output_dtype=dtype)  # type: ignore[arg-type]
    assert words in str(caught.value)
    if want is None:
        return
    said = str(caught.value)
    asked: dict[str, Any] = {"profile": PROFILES[profile], "output_dtype": dtype}
    if other := re.search(r"say output_dtype='(\w+)'", said):
        asked["output_dtype"] = other[1]
    if item := re.search(r"item='([\w.]+)'", said):
        asked["profile"] = dataclasses.replace(PROFILES[profile], item=item[1])
    if made := re.search(r"json\.dumps\(.*\)(?= is the list)", said):
        body = eval(made[0])
    if rows := re.search(r"Embeddings\(.*\](?=\))", said):
        assert eval(rows[0] + ")", {"Embeddings": Embeddings, "json": json, "body": body}).values.tolist() == want
    else:
        assert decode_response(body, **asked).embeddings.values.tolist() == want


def test_rows_by_number_are_not_the_first_of_them() -> None:
    """One of two rows was said to be a single vector, and its path read it alone."""
    with pytest.raises(DecodeError, match="each member of 'data' is a row"):
        decode_response(json.dumps(CASES["a row a member"][0]))


def test_lines_of_vectors_by_themselves_name_their_reader(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(json.dumps({"id": "b", "embedding": VECTOR}))
    (failed,) = decode_batch(path).errors
    assert "profile='ollama'" in str(failed.error)
    assert decode_batch(path, profile="ollama").embeddings.values.tolist() == [VECTOR]


def test_errors_in_a_list() -> None:
    body = {"result": None, "success": False, "errors": [{"code": 7009, "message": "No such model"}], "messages": []}
    with pytest.raises(ServiceError, match=r"No such model \[7009\]"):
        decode_response(json.dumps(body))
    assert service_error(json.dumps(body), 400).message == "No such model"
    for errors in ([], None, ["text"], [{}], {}):
        with pytest.raises(DecodeError, match="no list of embeddings"):
            decode_response(json.dumps({"result": None, "errors": errors}))
    assert service_error(json.dumps({"error": "first", "errors": [{"message": "second"}]})).message == "first"


def test_what_a_body_begins_with() -> None:
    for start, words in ((b"event: message\n", "stream of events"), (b"BZh91", "bz2"), (b"\xfd7zXZ\x00", "lzma")):
        with pytest.raises(DecodeError, match=words):
            decode_response(start + b"....")
