"""A stand-in for every service that the pages name: it answers within the process, as each of them would."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import httpx2
import numpy as np
import pytest

from embcodec import PROFILES, Embeddings, encode_response, quantize

_USUAL_DIMENSION = 16
_DTYPES = {"base64_int8": "int8", "base64_binary": "ubinary"}


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any


def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Answer whatever HTTP clients ask, and return the list that the requests are written to.

    A key is in each profile's variable: the variable's own name, as a page writes it.
    """
    sent: list[Request] = []

    async def answer(self: Any, request: httpx2.Request) -> httpx2.Response:
        content = await request.aread()
        asked = Request(request.method, str(request.url), dict(request.headers), json.loads(content or b"null"))
        sent.append(asked)
        if asked.body is None:
            return httpx2.Response(404)
        headers = {"content-type": "application/json"}
        return httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(_answer(asked)))

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", answer)
    for profile in PROFILES.values():
        monkeypatch.setenv(profile.api_key_variable, f"${profile.api_key_variable}")
    return sent


def _answer(asked: Request) -> bytes:
    wish = asked.body
    texts = next(wish[name] for name in ("input", "texts", "inputs") if name in wish)
    dimension = wish.get("output_dimension") or wish.get("dimensions") or _USUAL_DIMENSION
    encoding = wish.get("encoding_format", "float")
    dtype = wish.get("output_dtype") or wish.get("embedding_type") or wish.get("embedding_types", [None])[0]
    dtype = dtype or _DTYPES.get(encoding, "float" if encoding == "base64" else encoding)
    rows = _rows(texts, dimension, dtype)
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    if asked.url.endswith("/v2/embed"):
        answer = {"id": "0", "embeddings": {dtype: rows.values.tolist()}, "texts": texts}
        return json.dumps({**answer, "meta": {"billed_units": {"input_tokens": len(texts)}}}).encode()
    if asked.url.endswith("/api/embed"):
        return json.dumps({"model": wish["model"], "embeddings": rows.values.tolist()}).encode()
    if asked.url.endswith("/embed"):
        return json.dumps(rows.values.tolist()).encode()
    known = [name for name, profile in PROFILES.items() if asked.url.startswith(profile.base_url + profile.path)]
    profile = known[0] if known else "openai"
    kind = "base64" if encoding.startswith("base64") else "float"
    return encode_response(rows, model=wish["model"], encoding_format=kind, usage=usage, profile=profile)


def _rows(texts: list[str], dimension: int, dtype: str) -> Embeddings:
    seeds = [zlib.crc32(text.encode()) for text in texts]
    values = np.array([np.random.default_rng(seed).standard_normal(dimension) for seed in seeds], np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return Embeddings(values) if dtype == "float" else quantize(values, dtype)
