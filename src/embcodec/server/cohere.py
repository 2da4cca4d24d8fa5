"""Cohere's route ``POST /v2/embed``: texts to embeddings of several types at once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dtypes import OutputDtype
from ..quantizers import quantize
from ..wire import cohere_tail, rows_text
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
    columns = b",".join(
        b'"%s":%s' % (kind.encode(), rows_text(_sent(rows, kind), kind == "base64")) for kind in asked.types
    )
    tail = {"texts": list(texts), **cohere_tail(asked.request.tokens)}
    head = json.dumps({"id": str(uuid.uuid4())}).encode()[:-1]
    return head + b',"embeddings":{' + columns + b"}," + json.dumps(tail).encode()[1:]


def _sent(rows: NDArray[np.float32], kind: str) -> NDArray[Any]:
    if kind in ("float", "base64"):
        return np.ascontiguousarray(rows)
    return quantize(rows, OutputDtype(kind)).values
