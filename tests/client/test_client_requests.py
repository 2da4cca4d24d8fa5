"""What is sent to each service: its address, its fields, its limits, and how often."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from clients import short_waits
from hostile import hostile_server, http

from embcodec import PROFILES, Client, EmbcodecError, ServiceError
from embcodec.client.job import Job, Outcome, send
from embcodec.client.order import make_order
from embcodec.client.settings import Settings, make_settings
from embcodec.client.split import split_texts
from embcodec.client.transport import Transport

__all__ = ["short_waits"]

# By the services' own documentation: the address, the variable of the key, what asks for int8 or else for packed bits
# (nothing where codes are never sent), for a dimension and for base64, and the most texts and tokens of a request.
OUTPUT_DTYPE = {"output_dtype": "int8"}
SERVICES: dict[str, tuple[str, str, dict[str, Any] | None, str | None, str | None, int, int | None]] = {
    "mistral": (
        "https://api.mistral.ai/v1/embeddings",
        "MISTRAL_API_KEY",
        OUTPUT_DTYPE,
        "output_dimension",
        "encoding_format",
        512,
        16_384,
    ),
    "openai": (
        "https://api.openai.com/v1/embeddings",
        "OPENAI_API_KEY",
        None,
        "dimensions",
        "encoding_format",
        2048,
        300_000,
    ),
    "voyage": (
        "https://api.voyageai.com/v1/embeddings",
        "VOYAGE_API_KEY",
        OUTPUT_DTYPE,
        "output_dimension",
        "encoding_format",
        1000,
        120_000,
    ),
    "cohere": (
        "https://api.cohere.com/v2/embed",
        "COHERE_API_KEY",
        {"embedding_types": ["int8"]},
        "output_dimension",
        None,
        96,
        None,
    ),
    "vllm": (
        "http://127.0.0.1:8000/v1/embeddings",
        "VLLM_API_KEY",
        None,
        "dimensions",
        "encoding_format",
        1024,
        None,
    ),
    "tei": ("http://127.0.0.1:8080/v1/embeddings", "TEI_API_KEY", None, "dimensions", "encoding_format", 32, None),
    "ollama": (
        "http://127.0.0.1:11434/v1/embeddings",
        "OLLAMA_API_KEY",
        None,
        "dimensions",
        "encoding_format",
        512,
        None,
    ),
    "llama.cpp": (
        "http://127.0.0.1:8080/v1/embeddings",
        "LLAMA_API_KEY",
        None,
        None,
        "encoding_format",
        512,
        None,
    ),
    "infinity": (
        "http://127.0.0.1:7997/embeddings",
        "INFINITY_API_KEY",
        None,
        "dimensions",
        "encoding_format",
        2048,
        None,
    ),
    "perplexity": (
        "https://api.perplexity.ai/v1/embeddings",
        "PERPLEXITY_API_KEY",
        {"encoding_format": "base64_int8"},
        "dimensions",
        None,
        512,
        120_000,
    ),
    "jina": (
        "https://api.jina.ai/v1/embeddings",
        "JINA_API_KEY",
        {"embedding_type": "int8"},
        "dimensions",
        None,
        512,
        None,
    ),
    "gemini": (
        "https://generativelanguage.googleapis.com/v1beta/openai/embeddings",
        "GEMINI_API_KEY",
        None,
        "dimensions",
        None,
        100,
        None,
    ),
    "dashscope": (
        "https://dashscope.aliyuncs.com/compatible-mode/v1/embeddings",
        "DASHSCOPE_API_KEY",
        None,
        "dimensions",
        None,
        10,
        None,
    ),
    "mixedbread": (
        "https://api.mixedbread.com/v1/embeddings",
        "MXBAI_API_KEY",
        {"encoding_format": "int8"},
        "dimensions",
        None,
        256,
        None,
    ),
}


def settings_of(profile: Any, base_url: str | None = None, **changes: Any) -> Settings:
    usual: dict[str, Any] = {"timeout": 5, "max_retries": 2, "concurrency": 1, "retry_seconds": 5}
    return make_settings(api_key=None, base_url=base_url, profile=profile, **{**usual, **changes})


def fields(profile: str, output_dtype: str, dimension: int | None = None, encoding: str | None = "float") -> Any:
    """Return what a request has besides model and texts."""
    order = make_order(
        settings_of(profile),
        model="m",
        output_dtype=output_dtype,
        output_dimension=dimension,
        encoding_format=encoding,
        extra=None,
    )
    body = json.loads(order.body(["t"]))
    assert body.pop("model") == "m"
    assert body.pop("texts" if profile == "cohere" else "input") == ["t"]
    return body


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_asked_in_its_own_words(name: str) -> None:
    address, variable, int8, dimension, encoding, inputs, tokens = SERVICES[name]
    profile = PROFILES[name]
    assert settings_of(name).url == address
    assert (profile.api_key_variable, profile.max_inputs, profile.max_tokens) == (variable, inputs, tokens)
    floats = {"embedding_types": ["float"]} if name == "cohere" else {}
    if profile.has_floats:
        assert fields(name, "float") == floats
    if int8 is None:
        with pytest.raises(ValueError, match="no field that asks for int8"):
            fields(name, "int8")
    else:
        assert fields(name, "int8") == int8
    dtype, usual = ("float", floats) if profile.has_floats else ("int8", int8 or {})
    if dimension is None:
        with pytest.raises(ValueError, match="no field that asks for a dimension"):
            fields(name, dtype, 64)
    else:
        assert fields(name, dtype, 64) == {**usual, dimension: 64}
    if encoding is None:
        with pytest.raises(ValueError, match="no field that asks for base64"):
            fields(name, dtype, encoding="base64")
        assert fields(name, dtype, encoding=None) == usual
    else:
        assert fields(name, dtype, encoding="base64") == {**usual, encoding: "base64"}
        assert fields(name, dtype, encoding=None) == {**usual, encoding: "base64"}


def test_every_service_that_embeds_is_looked_at() -> None:
    """The others only hold vectors, or name no fields of their own."""
    without = {name for name, profile in PROFILES.items() if not (profile.has_requests and profile.base_url)}
    assert PROFILES.keys() - SERVICES.keys() - without == {"sentence-transformers", "elasticsearch", "vespa"}
    assert without == {"azure", "bedrock-cohere", "bedrock-titan", "huggingface", "vertex"}


@pytest.mark.parametrize("name", sorted(name for name, profile in PROFILES.items() if not profile.has_requests))
def test_a_service_that_no_field_can_ask_is_read_only(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"reads bodies, and asks for none: .*decode_response\(body, profile='{name}'\)"
    ):
        Client(profile=name)


def test_a_customer_has_an_address_of_their_own() -> None:
    with pytest.raises(ValueError, match=r"pass yours, as base_url='https://NAME\.openai\.azure\.com'"):
        Client(profile="azure")
    for base in (
        "https://n.openai.azure.com",
        "https://n.openai.azure.com/openai/",
        "https://n.openai.azure.com/openai/v1",
    ):
        assert settings_of("azure", base).url == "https://n.openai.azure.com/openai/v1/embeddings"
    assert settings_of("azure", base).key is None  # a key in the environment goes to the profile's own host only


# what is tried again


BUSY = ServiceError("busy", status=503)


@pytest.mark.parametrize(("halted", "attempts"), [(False, 3), (True, 1)])
def test_nothing_is_tried_again_once_the_call_has_failed(halted: bool, attempts: int) -> None:
    async def post(base_url: str) -> None:
        transport = Transport(settings_of("mistral", base_url))
        try:
            await transport.post(b"{}", lambda reply: BUSY, cap=1000, halted=lambda: halted)
        finally:
            await transport.close()

    with hostile_server(http({}, 503)) as server, pytest.raises(ServiceError, match="busy"):
        asyncio.run(post(server.base_url))
    assert len(server.received) == attempts


@pytest.mark.parametrize("failure", ["a request", "progress", None])
def test_a_job_that_has_failed_stops_the_retries_of_its_requests(failure: str | None) -> None:
    """One request fails for good while another, which may be tried again, is under way."""
    profile = replace(PROFILES["mistral"], max_inputs=1)

    async def answers(base_url: str) -> list[Outcome]:
        order = make_order(
            settings_of(profile, base_url),
            model="m",
            output_dtype="float",
            output_dimension=None,
            encoding_format=None,
            extra=None,
        )
        job = Job(["a", "b"], order, None, None)
        first, second = split_texts(["a", "b"], job.order)
        assert not job.halted()
        if failure == "a request":
            job._failures.append(Outcome(first, error=BUSY))
        elif failure == "progress":
            job._interruption = ValueError("of the caller")
        assert job.halted() == (failure is not None)
        transport = Transport(job.order.settings)
        try:
            return await send(transport, job, second)
        finally:
            await transport.close()

    with hostile_server(http({"detail": "busy"}, 503)) as server:
        (outcome,) = asyncio.run(answers(server.base_url))
    assert isinstance(outcome.error, EmbcodecError)
    assert len(server.received) == (3 if failure is None else 1)
