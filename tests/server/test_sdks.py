"""The official SDKs against the running server: what they return is what the model gives."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import plain_http
import pytest

from embcodec import decode_base64
from embcodec.client.client import Client
from embcodec.quantizers.quantize import quantize, truncate
from embcodec.server.app import RunningServer, running_server
from embcodec.server.model import DEFAULT_MODEL, HashModel, UniversalSentenceEncoder

openai = pytest.importorskip("openai")
mistral = pytest.importorskip("mistralai.client")
errors = pytest.importorskip("mistralai.client.errors")

MODEL = "hash-256"
TEXTS = ["first text", "second, longer text", "Ünïcode: 漢字 🦆", "first text"]
DTYPES = ("float", "int8", "uint8", "binary", "ubinary")
KEY = "sk-of-the-house"


@pytest.fixture(scope="module", params=["strict", "lenient"])
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    with running_server([MODEL], lenient=request.param == "lenient", api_key=KEY) as running:
        yield running


@pytest.fixture(scope="module")
def from_mistral(server: RunningServer) -> Iterator[Any]:
    with mistral.Mistral(api_key=KEY, server_url=server.base_url) as client:
        yield client.embeddings


@pytest.fixture(scope="module")
def from_openai(server: RunningServer) -> Iterator[Any]:
    with openai.OpenAI(api_key=KEY, base_url=server.base_url + "/v1", max_retries=0) as client:
        yield client


def expected(dtype: str, dimension: int | None = None) -> Any:
    rows = HashModel(256).encode(TEXTS)
    return quantize(rows if dimension is None else truncate(rows, dimension), dtype).values


@pytest.mark.parametrize("dimension", [None, 18])
@pytest.mark.parametrize("encoding", [None, "float"])
@pytest.mark.parametrize("dtype", [None, *DTYPES])
def test_mistral_reads_every_dtype(from_mistral: Any, dtype: str | None, encoding: str | None, dimension: Any) -> None:
    wishes = {"output_dtype": dtype, "encoding_format": encoding, "output_dimension": dimension}
    answer = from_mistral.create(model=MODEL, inputs=TEXTS, **wishes)
    assert (answer.object, answer.model, answer.id != "") == ("list", MODEL, True)
    assert [item.index for item in answer.data] == [0, 1, 2, 3]
    rows = np.array([item.embedding for item in answer.data])
    np.testing.assert_array_equal(rows.astype(expected(dtype or "float").dtype), expected(dtype or "float", dimension))
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


def test_mistral_one_text_metadata_and_async(server: RunningServer) -> None:
    async def main() -> Any:
        async with mistral.Mistral(api_key=KEY, server_url=server.base_url) as client:
            return await client.embeddings.create_async(model=MODEL, inputs=TEXTS[1], metadata={"of": "ours"})

    (item,) = asyncio.run(main()).data
    np.testing.assert_array_equal(np.float32(item.embedding), expected("float")[1])


def test_mistral_cannot_read_base64_and_embcodec_can(from_mistral: Any, server: RunningServer) -> None:
    with pytest.raises(errors.ResponseValidationError):
        from_mistral.create(model=MODEL, inputs=TEXTS, encoding_format="base64", output_dtype="int8")
    with Client(api_key=KEY, base_url=server.base_url) as client:
        answer = client.embed(TEXTS, model=MODEL, encoding_format="base64", output_dtype="int8")
    np.testing.assert_array_equal(answer.embeddings.values, expected("int8"))


def test_mistral_reads_refusals(from_mistral: Any, server: RunningServer) -> None:
    with pytest.raises(errors.HTTPValidationError) as invalid:
        from_mistral.create(model=MODEL, inputs=TEXTS, output_dimension=257)
    (item,) = invalid.value.data.detail
    assert (item.type, item.loc) == ("less_than_equal", ["body", "output_dimension"])
    with pytest.raises(errors.SDKError, match="Invalid model: mistral-embed") as unknown:
        from_mistral.create(model="mistral-embed", inputs=TEXTS)
    assert unknown.value.status_code == 400
    with pytest.raises(errors.SDKError, match="3210"):
        from_mistral.create(model=MODEL, inputs=["x"] * (2049 if server.endpoint.lenient else 513))
    with (
        mistral.Mistral(api_key="wrong", server_url=server.base_url) as stranger,
        pytest.raises(errors.SDKError, match="Unauthorized"),
    ):
        stranger.embeddings.create(model=MODEL, inputs=TEXTS)


def test_mistral_lists_models(server: RunningServer) -> None:
    with mistral.Mistral(api_key=KEY, server_url=server.base_url) as client:
        (card,) = client.models.list().data
        assert (card.id, card.type, card.object) == (MODEL, "base", "model")
        assert client.models.retrieve(model_id=MODEL).id == MODEL


def test_openai_default_is_base64(from_openai: Any) -> None:
    answer = from_openai.embeddings.create(model=MODEL, input=TEXTS)
    np.testing.assert_array_equal(np.float32([item.embedding for item in answer.data]), expected("float"))
    assert answer.usage.total_tokens > 0
    raw = from_openai.embeddings.with_raw_response.create(model=MODEL, input=TEXTS[0])
    assert isinstance(raw.http_response.json()["data"][0]["embedding"], str)


@pytest.mark.parametrize("encoding", [openai.NOT_GIVEN, "float", "base64"], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_openai_by_extra_body_reads_every_dtype(from_openai: Any, dtype: str, encoding: Any) -> None:
    """It asks for base64 by itself and reads strings as float32: codes come as lists, however they are asked for."""
    body = {"output_dtype": dtype, "output_dimension": 24}
    answer = from_openai.embeddings.create(model=MODEL, input=TEXTS, encoding_format=encoding, extra_body=body)
    want = expected(dtype, 24)
    rows = [item.embedding for item in answer.data]
    if dtype == "float" and encoding == "base64":
        np.testing.assert_array_equal(decode_base64(rows, want.dtype), want)
    else:
        assert np.shape(rows) == want.shape
        np.testing.assert_array_equal(np.array(rows, want.dtype), want)


HEADERS = [
    ({"user-agent": "OpenAI/JS 6.0.0", "x-stainless-lang": "js"}, "refused"),
    ({"user-agent": "my app", "x-stainless-lang": "go"}, "refused"),
    ({"user-agent": "OpenAI/2.1.0 (.NET 8.0.1)"}, "refused"),
    ({"user-agent": "azsdk-java-azure-ai-openai/1.0.0"}, "refused"),
    ({"user-agent": "AzureOpenAI/Python 2.0.0"}, "list"),
    ({"user-agent": "OpenAI/v1 PythonBindings/0.28.1"}, "list"),
    ({"user-agent": "my app", "x-stainless-lang": "python"}, "list"),
    ({"user-agent": "python-requests/2.32"}, "str"),
    ({}, "str"),
]


@pytest.mark.parametrize(("headers", "kind"), HEADERS, ids=lambda value: str(value)[:60])
def test_base64_of_codes_goes_only_to_those_that_read_it_right(
    server: RunningServer, headers: dict[str, str], kind: str
) -> None:
    for dtype in DTYPES:
        ask = {"model": MODEL, "input": "x", "encoding_format": "base64", "output_dtype": dtype}
        named = {"authorization": f"Bearer {KEY}", "user-agent": "", **headers}
        response = plain_http.post(server.base_url + "/v1/embeddings", json=ask, headers=named)
        if dtype != "float" and kind == "refused":
            assert response.status_code == 422
            assert "'float'" in response.json()["detail"][0]["msg"]
            assert "'float'" in response.json()["error"]["message"]  # what those clients show
        else:
            assert response.status_code == 200
            embedding = response.json()["data"][0]["embedding"]
            assert type(embedding).__name__ == ("str" if dtype == "float" else kind)


def test_refusals_are_where_each_client_looks(server: RunningServer) -> None:
    ask = {"model": "none", "input": "x"}
    for agent, has_error in (
        ("OpenAI/JS 6", True),
        ("ai/6.0 ai-sdk/provider-utils/4.0", True),
        ("curl/8", server.endpoint.lenient),
    ):
        response = plain_http.post(server.base_url + "/v1/embeddings", json=ask, headers={"user-agent": agent})
        assert (response.status_code, "error" in response.json()) == (401, has_error)


def test_openai_dimensions_and_user(from_openai: Any, server: RunningServer) -> None:
    ask = {"model": MODEL, "input": TEXTS, "dimensions": 18, "user": "bob"}
    if server.endpoint.lenient:
        answer = from_openai.embeddings.create(**ask)
        np.testing.assert_array_equal(np.float32([item.embedding for item in answer.data]), expected("float", 18))
    else:
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            from_openai.embeddings.create(**ask)
        assert str(refused.value).endswith(": Extra inputs are not permitted")
        (item,) = refused.value.body["detail"]
        assert (item["type"], item["loc"][0]) == ("extra_forbidden", "body")


def test_openai_reads_refusals(from_openai: Any, server: RunningServer) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid model: text-embedding-3-small"):
        from_openai.embeddings.create(model="text-embedding-3-small", input=TEXTS)
    with pytest.raises(openai.UnprocessableEntityError, match="send the text") as tokens:
        from_openai.embeddings.create(model=MODEL, input=[[1, 2, 300_000]])
    if not server.endpoint.lenient:
        assert tokens.value.body["detail"][0]["type"] == "string_type"
    stranger = openai.OpenAI(api_key="wrong", base_url=server.base_url + "/v1", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError) as unknown:
        stranger.embeddings.create(model=MODEL, input=TEXTS)
    if server.endpoint.lenient:
        kind = "invalid_request_error"
        assert unknown.value.body == {"message": "Unauthorized", "type": kind, "param": None, "code": None}
        assert (unknown.value.type, unknown.value.code) == (kind, None)
    else:
        assert unknown.value.body == {"detail": "Unauthorized", "message": "Unauthorized"}
        assert str(unknown.value).endswith("Unauthorized")


def test_openai_lists_models_and_is_async_too(from_openai: Any, server: RunningServer) -> None:
    assert [model.id for model in from_openai.models.list()] == [MODEL]
    assert from_openai.models.retrieve(MODEL).object == "model"

    async def main() -> Any:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=server.base_url + "/v1") as client:
            return await client.embeddings.create(model=MODEL, input=TEXTS)

    rows = [item.embedding for item in asyncio.run(main()).data]
    np.testing.assert_array_equal(np.float32(rows), expected("float"))


def test_the_real_model_through_all_three() -> None:
    texts = ["How do I pack bits?", "Wie packe ich Bits?", "A recipe for bread."]
    model = UniversalSentenceEncoder()
    direct = model.encode(texts)
    assert (direct.dtype, direct.shape) == (np.float32, (3, model.dimension))
    np.testing.assert_allclose(np.linalg.norm(direct, axis=1), 1.0, atol=1e-5)
    assert direct[0] @ direct[1] > direct[0] @ direct[2]
    with running_server([model]) as server:
        with mistral.Mistral(server_url=server.base_url) as client:
            rows = [item.embedding for item in client.embeddings.create(model=DEFAULT_MODEL, inputs=texts).data]
        np.testing.assert_array_equal(np.float32(rows), direct)
        with openai.OpenAI(api_key="none", base_url=server.base_url + "/v1") as client:
            rows = [item.embedding for item in client.embeddings.create(model=DEFAULT_MODEL, input=texts).data]
        np.testing.assert_array_equal(np.float32(rows), direct)
        with Client(base_url=server.base_url) as ours:
            for dtype in DTYPES:
                answer = ours.embed(texts, model=DEFAULT_MODEL, output_dtype=dtype)
                np.testing.assert_array_equal(answer.embeddings.values, quantize(direct, dtype).values)
        assert server.endpoint.models[DEFAULT_MODEL].texts_run == 3


def test_sdk_signatures_still_name_what_is_tested_here() -> None:
    assert {"output_dtype", "output_dimension", "encoding_format", "metadata"} <= set(
        inspect.signature(mistral.Mistral(api_key="k").embeddings.create).parameters
    )
