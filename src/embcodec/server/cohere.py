"""Cohere's route ``POST /v2/embed``: texts to embeddings of several types at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..codec import encode_base64, format_floats
from ..dtypes import OutputDtype
from ..quantizers import quantize
from .request import STRICT, EmbeddingRequest, RefusalError, parse_object, request_of

TYPES = ("float", "int8", "uint8", "binary", "ubinary", "base64")
FIELDS = ("model", "texts", "input_type", "embedding_types", "output_dimension", "truncate", "max_tokens", "priority")


@dataclass(frozen=True, slots=True)
class CohereRequest:
    """A request that is well formed, and the types that its answer has."""

    request: EmbeddingRequest
    types: tuple[str, ...]


def parse_cohere(body: bytes) -> CohereRequest:
    """Read a request body; of images and inputs of several parts none is taken.

    Raises
    ------
    RefusalError
        As :func:`~embcodec.server.request.parse_request` does.
    """
    fields = parse_object(body, STRICT)
    for name in fields:
        if name not in FIELDS and fields[name] is not None:
            message = f"Extra inputs are not permitted: texts are embedded here, by {', '.join(FIELDS)}"
            raise RefusalError.invalid("extra_forbidden", (name[:200],), message, fields[name])
    types = fields.get("embedding_types") or ["float"]
    if not isinstance(types, list) or not all(isinstance(kind, str) and kind in TYPES for kind in types):
        message = f"Input should be a list of {', '.join(TYPES)}"
        raise RefusalError.invalid("enum", ("embedding_types",), message, types)
    if "texts" in fields and not isinstance(fields["texts"], list):
        raise RefusalError.invalid("list_type", ("texts",), "Input should be a valid list", fields["texts"])
    known = {"model": "model", "texts": "input", "output_dimension": "output_dimension"}
    try:
        request = request_of({known[name]: value for name, value in fields.items() if name in known}, lenient=False)
    except RefusalError as refusal:
        for item in refusal.body.get("detail", ()):
            item["loc"] = ["texts" if part == "input" else part for part in item["loc"]]
        raise
    return CohereRequest(request, tuple(dict.fromkeys(types)))


def write_cohere(rows: NDArray[np.float32], texts: Sequence[str], asked: CohereRequest) -> bytes:
    """Return the body of an answer.

    Examples
    --------
    >>> request = EmbeddingRequest("m", ["a"], OutputDtype.FLOAT, 2, "float", 1)
    >>> body = write_cohere(np.array([[0.5, -1.0]], np.float32), ["a"], CohereRequest(request, ("float", "int8")))
    >>> json.loads(body)["embeddings"]
    {'float': [[0.5, -1.0]], 'int8': [[64, -127]]}
    """
    columns = b",".join(b'"%s":%s' % (kind.encode(), _column(rows, kind)) for kind in asked.types)
    tokens = asked.request.tokens
    tail = {
        "texts": list(texts),
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}},
        "response_type": "embeddings_by_type",
    }
    head = json.dumps({"id": str(uuid.uuid4())}).encode()[:-1]
    return head + b',"embeddings":{' + columns + b"}," + json.dumps(tail).encode()[1:]


def _column(rows: NDArray[np.float32], kind: str) -> bytes:
    if kind == "base64":
        return json.dumps(encode_base64(rows)).encode()
    if kind == OutputDtype.FLOAT:
        return format_floats(rows)
    codes = quantize(rows, OutputDtype(kind)).values.astype(np.float32)
    return format_floats(codes).replace(b".0", b"")  # whole numbers, each of which has it
