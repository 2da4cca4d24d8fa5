"""What goes beyond Mistral's route: OpenAI's ways, further names, pages of other sites, the description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import plain_http
import pytest
from click.testing import CliRunner

from embcodec import Client, OutputDtype, decode_base64, quantize, truncate
from embcodec.cli import main
from embcodec.server import Endpoint, RunningServer, create_app, running_server
from embcodec.server.guard import Guard, checked_origin
from embcodec.server.model import HashModel
from embcodec.server.openapi import describe
from embcodec.server.request import LENIENT, STRICT, RefusalError, count_tokens, parse_request
from embcodec.server.tokens import OpenAITokens

MODEL = "hash-64"
SITE = "https://app.example.com"


def spelt(ids: list[int]) -> str:
    """Read bytes as token ids: every text has some, and 256 is none."""
    return bytes(ids).decode()


@pytest.fixture(scope="module")
def wide() -> Iterator[RunningServer]:
    with running_server(
        [MODEL], lenient=True, aliases={"text-embedding-3-small": MODEL}, detokenize=spelt, cors_origins=[SITE]
    ) as server:
        yield server


def post(server: RunningServer, headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:
    asked = {"model": MODEL, "input": "a text", **fields}
    return plain_http.post(server.base_url + "/v1/embeddings", json=asked, headers=headers, timeout=30)


def rows(response: httpx2.Response) -> Any:
    assert response.status_code == 200, response.text
    return np.array([item["embedding"] for item in response.json()["data"]], np.float32)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("field", ["output_dtype", "encoding_format", "output_dimension", "metadata"])
def test_null_is_what_is_not_said(field: str, lenient: bool) -> None:
    asked = {"model": MODEL, "input": "x"}
    said = [parse_request(json.dumps(body).encode(), lenient=lenient) for body in (asked, {**asked, field: None})]
    assert said[0] == said[1]


TEXTS = ["a text", "Ünïcode 漢字"]
IDS = [list(text.encode()) for text in TEXTS]


def test_token_ids_are_read_as_the_text_that_they_stand_for(wide: RunningServer) -> None:
    want = HashModel(64).encode(TEXTS)
    np.testing.assert_array_equal(rows(post(wide, input=IDS)), want)
    np.testing.assert_array_equal(rows(post(wide, input=IDS[0])), want[:1])
    assert post(wide, input=IDS).json()["usage"]["prompt_tokens"] == sum(map(len, IDS))
    answer = post(wide, input=IDS, encoding_format="base64", output_dtype="int8").json()["data"]
    assert decode_base64([item["embedding"] for item in answer], "int8").shape == (2, 64)


@pytest.mark.parametrize(
    ("given", "place", "words"),
    [
        ([[97], [256]], ["body", "input", 1], "token ids that the server can read"),
        ([[97], [0xFF]], ["body", "input", 1], "token ids that the server can read"),
        ([97, "b"], ["body", "input", 1], "a token id"),
        ([[97], "b"], ["body", "input", 1], "as those before it are"),
        ([[97], []], ["body", "input", 1], "as those before it are"),
        ([[97, -1]], ["body", "input", 0, 1], "a token id"),
        ([[97, True]], ["body", "input", 0, 1], "a token id"),
        ([[97, 1.5]], ["body", "input", 0, 1], "a token id"),
        (["b", 97], ["body", "input", 1], "a valid string"),
        ([[]], ["body", "input", 0], "a valid string"),
        ([True], ["body", "input", 0], "a valid string"),
        ([-1], ["body", "input", 0], "a valid string"),
        ([], ["body", "input"], "at least 1 item"),
    ],
)
def test_ids_that_are_none_are_named(wide: RunningServer, given: Any, place: list[Any], words: str) -> None:
    response = post(wide, input=given)
    (item,) = response.json()["detail"]
    assert (response.status_code, item["loc"]) == (422, place)
    assert words in item["msg"]


def test_without_tiktoken_the_words_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tiktoken", None)
    with pytest.raises(RefusalError, match=r"pip install 'embcodec\[tokens\]'.*check_embedding_ctx_length=False"):
        OpenAITokens()([1, 2])


def test_tiktoken_that_cannot_fetch_its_table_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        @staticmethod
        def get_encoding(name: str) -> Any:
            raise ConnectionError(name)

    monkeypatch.setitem(__import__("sys").modules, "tiktoken", Without)
    with pytest.raises(RefusalError, match="TIKTOKEN_CACHE_DIR"):
        OpenAITokens()([1, 2])


def test_as_many_inputs_and_tokens_as_openai_takes(wide: RunningServer) -> None:
    assert len(rows(post(wide, input=["x"] * 2048))) == 2048
    assert "2048" in post(wide, input=["x"] * 2049).json()["error"]["message"]
    assert len(rows(post(wide, input=[[97]] * 2048))) == 2048
    long = "x" * 4 * 8191
    assert len(rows(post(wide, input=[long] * 36))) == 36
    for too_many in ([long] * 37, [[97] * 8192] * 37):
        assert str(LENIENT.tokens) in post(wide, input=too_many).json()["error"]["message"]
    for too_long in (long + "xxxx", [97] * 8193):
        assert "Max is 8192" in post(wide, input=too_long).json()["error"]["message"]
    assert (STRICT.inputs, STRICT.tokens) == (512, 16_384)


def test_refusals_are_in_the_form_of_openai_too(wide: RunningServer) -> None:
    said = post(wide, model="gpt-9").json()
    message = "Invalid model: gpt-9; this server has hash-64, text-embedding-3-small"
    assert said["error"] == {"message": message, "type": "invalid_model", "param": None, "code": "model_not_found"}
    said = post(wide, dimensions=0, encoding_format="hex").json()
    assert said["error"]["param"] == said["detail"][0]["loc"][1] == "dimensions"
    assert said["error"]["message"] == "body.dimensions: Input should be greater than 0"
    for response in (plain_http.get(wide.base_url + "/nowhere"), plain_http.put(wide.base_url + "/v1/models")):
        assert response.json()["error"]["message"] == response.json()["detail"]


def test_aliases_are_models_by_another_name(wide: RunningServer) -> None:
    alias = "text-embedding-3-small"
    answer = post(wide, model=alias)
    np.testing.assert_array_equal(rows(answer), rows(post(wide)))
    assert answer.json()["model"] == alias
    cards = plain_http.get(wide.base_url + "/v1/models").json()["data"]
    assert [(card["id"], card.get("root")) for card in cards] == [(MODEL, None), (alias, MODEL)]
    assert plain_http.get(f"{wide.base_url}/v1/models/{alias}").json() == cards[1]


@pytest.mark.parametrize("aliases", [{MODEL: MODEL}, {"a": "none"}, {"a": "b", "b": MODEL}])
def test_aliases_lead_to_models(aliases: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"the alias '.*: this server has hash-64"):
        Endpoint([MODEL], aliases=aliases)


@pytest.mark.parametrize("pair", ["mine", "=hash-64", "mine="])
def test_aliases_of_the_command_are_pairs(pair: str) -> None:
    done = CliRunner().invoke(main, ["serve", "--model", MODEL, "--alias", pair])
    assert done.exit_code == 2
    assert "--alias is a name, =, and a model" in done.stderr


def test_pages_of_a_named_origin_may_ask(wide: RunningServer) -> None:
    ask = {"origin": SITE, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    first = plain_http.request("OPTIONS", wide.base_url + "/v1/embeddings", headers=ask)
    assert first.status_code == 200
    assert first.headers["access-control-allow-origin"] == SITE
    assert "authorization" in first.headers["access-control-allow-headers"].lower()
    for response in (post(wide, {"origin": SITE}), post(wide, {"origin": SITE}, model="none")):
        assert response.headers["access-control-allow-origin"] == SITE
    refused = post(wide, {"origin": "https://evil.example"})
    assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (403, False)
    assert "--cors-origin" in refused.json()["detail"]
    ask["origin"] = "https://evil.example"
    assert (
        "access-control-allow-origin"
        not in plain_http.request("OPTIONS", wide.base_url + "/v1/embeddings", headers=ask).headers
    )
    with_name = {"origin": SITE, "host": "evil.example"}  # another name is no origin's affair
    assert post(wide, with_name).status_code == 403


def test_without_the_option_no_page_is_told_that_it_may() -> None:
    with running_server([MODEL]) as server:
        ask = {"origin": SITE, "access-control-request-method": "POST"}
        assert plain_http.request("OPTIONS", server.base_url + "/v1/embeddings", headers=ask).status_code == 405


def test_every_origin_by_a_star() -> None:
    with running_server([MODEL], cors_origins=["*"], api_key="right-key") as server:
        refused = post(server, {"origin": "null"})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")
        assert post(server, {"origin": "null", "authorization": "Bearer right-key"}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["app.example.com", "https://a/path", "ftp://a", "https://u@a", "https://a:x", "", "https://"]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="say scheme and host, such as https://app"):
        checked_origin(origin)
    with pytest.raises(ValueError, match="say scheme and host, such as https://app"):
        create_app(Endpoint([MODEL]), cors_origins=[origin])


def of_cohere(server: RunningServer, headers: dict[str, str] | None = None, **fields: Any) -> httpx2.Response:
    asked = {"model": MODEL, "texts": TEXTS, "input_type": "search_document", **fields}
    return plain_http.post(server.base_url + "/v2/embed", json=asked, headers=headers)


def test_coheres_route_gives_every_type_at_once(wide: RunningServer) -> None:
    types = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    said = of_cohere(wide, embedding_types=types, output_dimension=20, truncate="END").json()
    floats = truncate(HashModel(64).encode(TEXTS), 20)
    for kind in types[:-1]:
        want = quantize(floats, kind).values
        np.testing.assert_array_equal(np.array(said["embeddings"][kind], want.dtype), want)
        assert all(type(value) is (float if kind == "float" else int) for value in said["embeddings"][kind][0])
    np.testing.assert_array_equal(decode_base64(said["embeddings"]["base64"], "float"), floats)
    assert [*said["embeddings"]] == types
    assert (said["texts"], said["response_type"]) == (TEXTS, "embeddings_by_type")
    assert said["meta"]["billed_units"]["input_tokens"] == sum(map(count_tokens, TEXTS))
    assert [*of_cohere(wide, embedding_types=None).json()["embeddings"]] == ["float"]


@pytest.mark.parametrize("dtype", list(OutputDtype))
def test_the_client_reads_coheres_route(dtype: OutputDtype) -> None:
    with (
        running_server([MODEL], api_key="right-key") as server,
        Client(profile="cohere", base_url=server.base_url, api_key="right-key") as client,
    ):
        extra = {"input_type": "search_query"}
        found = client.embed(TEXTS, model=MODEL, output_dtype=dtype, extra=extra).embeddings
        np.testing.assert_array_equal(found.values, quantize(HashModel(64).encode(TEXTS), dtype).values)
        assert of_cohere(server).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"texts": ["a", 1]}, 422, "'texts', 1"),
        ({"texts": "a"}, 422, "a valid list"),
        ({"texts": []}, 422, "at least 1 item"),
        ({"images": ["data:"]}, 422, "texts are embedded here"),
        ({"embedding_types": ["int4"]}, 422, "a list of float, int8"),
        ({"embedding_types": "float"}, 422, "a list of float, int8"),
        ({"output_dimension": 65}, 422, "less than or equal to 64"),
        ({"model": "embed-v4"}, 400, "this server has hash-64"),
        ({"texts": ["x"] * 513}, 400, "Max is 512"),
    ],
)
def test_coheres_route_refuses_in_words(wide: RunningServer, fields: dict[str, Any], status: int, words: str) -> None:
    refused = of_cohere(wide, **fields)
    assert refused.status_code == status
    assert words in str(refused.json())
    assert of_cohere(wide, {"host": "evil.example"}).status_code == 403
    assert of_cohere(wide, {"content-type": "text/plain"}).status_code == 415


def documents() -> Iterator[Any]:
    for lenient in (False, True):
        for needs_key in (False, True):
            yield describe(Endpoint([MODEL], lenient=lenient), needs_key=needs_key)


def test_the_description_is_openapi() -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    for document in documents():
        validator.validate(document)
        assert document["openapi"] == "3.1.0"


def test_the_description_names_what_is_served(wide: RunningServer) -> None:
    document = plain_http.get(wide.base_url + "/openapi.json").json()
    app = create_app(wide.endpoint)
    served = {re.sub(r"{name:path}", "{model}", route.path) for route in app.routes}
    assert {*document["paths"], "/openapi.json", "/docs"} == served
    fields = document["components"]["schemas"]["EmbeddingRequest"]["properties"]
    assert rows(post(wide, **{name: None for name in fields if name not in ("model", "input")})).shape == (1, 64)
    for name in ("output_dtype", "encoding_format"):
        assert all(post(wide, **{name: word}).status_code == 200 for word in fields[name]["enum"])
    assert fields["dimensions"]["maximum"] == 64
    assert not Guard(api_key=None).needs_key
    (strict, keyed, *_) = documents()
    assert "security" not in strict
    assert keyed["security"] == [{"key": []}]
    assert strict["components"]["schemas"]["EmbeddingRequest"]["additionalProperties"] is False


def test_answers_are_as_described(wide: RunningServer) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = plain_http.get(wide.base_url + "/openapi.json").json()

    def check(schema: str, said: Any) -> None:
        whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        jsonschema.Draft202012Validator(whole).validate(said)

    for encoding in ("float", "base64"):
        check("EmbeddingResponse", post(wide, encoding_format=encoding).json())
    asked = {"model": MODEL, "texts": ["x"], "embedding_types": ["int8", "base64"]}
    check("EmbeddingsByType", plain_http.post(wide.base_url + "/v2/embed", json=asked).json())
    check("ModelList", plain_http.get(wide.base_url + "/v1/models").json())
    check("Health", plain_http.get(wide.base_url + "/health").json())
    for refused in (post(wide, model="none"), post(wide, input=1), plain_http.get(wide.base_url + "/none")):
        check("Refusal", refused.json())
    for asked in ({"model": MODEL, "input": IDS}, {"model": MODEL, "input": "x", "output_dtype": None}):
        check("EmbeddingRequest", asked)


def test_the_page_asks_for_nothing_and_escapes_what_it_shows() -> None:
    class Odd:
        name, dimension = "<b>&'\"{{key}}", 2

        def encode(self, texts: list[str]) -> Any:
            return np.ones((len(texts), 2), np.float32)

    for key in (None, "right-key"):
        with running_server([Odd()], api_key=key) as server:
            response = plain_http.get(server.base_url + "/docs")
            assert response.status_code == 200  # also where requests need a key
            assert plain_http.get(server.base_url + "/openapi.json").status_code == 200
            assert plain_http.get(server.base_url + "/docs", headers={"host": "evil.example"}).status_code == 403
        page = response.text
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "<b>" not in page
        assert "&lt;b&gt;&amp;" in page
        assert re.findall(r"(?:src|href|url)[=(][\"']?([^\"' )>]*)", page) == ["data:,", "openapi.json"]
        assert "Bearer KEY" in page if key else "Bearer KEY" not in page
        assert set(re.findall(r"{{\w+}}", page)) == {"{{key}}"}  # the model's own name
