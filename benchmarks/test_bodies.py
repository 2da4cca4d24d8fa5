"""Bodies to matrices and back, 1,000 x 1,024, one thread, against JSON libraries; answers checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from embcodec import Embeddings, Profile, decode_batch, decode_response, encode_response

orjson = pytest.importorskip("orjson")
pybase64 = pytest.importorskip("pybase64")
simdjson = pytest.importorskip("simdjson")

ROWS, DIMENSION = 1000, 1024
CODES = ("int8", "uint8", "binary", "ubinary")


def vectors(rows: int = ROWS) -> np.ndarray:
    """Return unit vectors as services send them: every value an exact float16."""
    x = np.random.default_rng(7).standard_normal((rows, DIMENSION))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)


def body(vectors_as_json: list[str]) -> bytes:
    items = ",".join(
        f'{{"object":"embedding","embedding":{vector},"index":{i}}}' for i, vector in enumerate(vectors_as_json)
    )
    usage = '{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}'
    return f'{{"id":"0","object":"list","model":"m","data":[{items}],"usage":{usage}}}'.encode()


def list_body(values: np.ndarray, write: Callable[[Any], str]) -> bytes:
    return body(["[" + ",".join(map(write, row)) + "]" for row in values.tolist()])


FLOAT_BODIES = ("exact float16", "float32 as doubles", "shortest float32")


@cache
def float_bodies() -> dict[str, tuple[np.ndarray, bytes]]:
    """Return float bodies in the three ways services write them."""
    exact = vectors()
    rng = np.random.default_rng(8)
    other = rng.standard_normal((ROWS, DIMENSION)).astype(np.float32) / np.float32(32)
    shortest = np.char.mod("%s", other.astype(str))
    return {
        "exact float16": (exact, list_body(exact, repr)),
        "float32 as doubles": (other, list_body(other.astype(np.float64), repr)),
        "shortest float32": (other, body(["[" + ",".join(row) + "]" for row in shortest])),
    }


def code_matrix(dtype: str) -> np.ndarray:
    rng = np.random.default_rng(9)
    if dtype in ("int8", "uint8"):
        wide = rng.normal(0 if dtype == "int8" else 127.5, 16, (ROWS, DIMENSION))
        return np.rint(wide).astype(np.int8 if dtype == "int8" else np.uint8)
    return rng.integers(0, 256, (ROWS, DIMENSION // 8), np.uint8).view(np.int8 if dtype == "binary" else np.uint8)


def list_peers(text: bytes, dtype: Any) -> dict[str, Callable[[], np.ndarray]]:
    parser = simdjson.Parser()
    kind, wide = {"f": ("d", "f8"), "i": ("i", "i8"), "u": ("u", "u8")}[np.dtype(dtype).kind]

    def pysimdjson() -> np.ndarray:
        document = parser.parse(text)
        rows = [np.frombuffer(item["embedding"].as_buffer(of_type=kind), wide) for item in document["data"]]
        found = np.stack(rows).astype(dtype)
        del rows, document
        return found

    return {
        "pysimdjson as_buffer": pysimdjson,
        "orjson + np.array": lambda: np.array([item["embedding"] for item in orjson.loads(text)["data"]], dtype),
        "json + np.array": lambda: np.array([item["embedding"] for item in json.loads(text)["data"]], dtype),
    }


@pytest.mark.parametrize("name", FLOAT_BODIES)
def test_decode_floats(race: Any, name: str) -> None:
    want, text = float_bodies()[name]
    race(
        f"decode floats, {name}",
        lambda: decode_response(text, threads=1).embeddings.values,
        list_peers(text, np.float32),
        work=want.size,
        unit="numbers",
        check=lambda found: np.testing.assert_allclose(found, want, rtol=1e-7),
    )


@pytest.mark.parametrize("dtype", CODES)
def test_decode_integers(race: Any, dtype: str) -> None:
    want = code_matrix(dtype)
    text = list_body(want, str)
    race(
        f"decode lists of {dtype}",
        lambda: decode_response(text, output_dtype=dtype, threads=1).embeddings.values,
        list_peers(text, want.dtype),
        work=want.size,
        unit="numbers",
        check=lambda found: np.testing.assert_array_equal(found, want),
    )


@pytest.mark.parametrize("dtype", ["float", "float16", "int8", "ubinary"])
def test_decode_base64(race: Any, dtype: str) -> None:
    want = code_matrix(dtype) if dtype in CODES else vectors()
    profile: str | Profile = "mistral"
    if dtype == "float16":
        want, profile = want.astype("<f2"), Profile("half", base64_dtype="float16")
    text = body([f'"{base64.b64encode(row.tobytes()).decode()}"' for row in want])

    def peer(loads: Any, decode: Any) -> Callable[[], np.ndarray]:
        def read() -> np.ndarray:
            found = np.stack([np.frombuffer(decode(i["embedding"]), want.dtype) for i in loads(text)["data"]])
            return found.astype(np.float32) if found.dtype == np.float16 else found

        return read

    output_dtype = dtype if dtype in CODES else "float"
    race(
        f"decode base64 {dtype}",
        lambda: decode_response(text, output_dtype=output_dtype, profile=profile, threads=1).embeddings.values,
        {
            "orjson + pybase64": peer(orjson.loads, lambda text: pybase64.b64decode(text, validate=True)),
            "json + base64": peer(json.loads, base64.b64decode),
        },
        work=len(text),
        unit="B",
        check=lambda found: np.testing.assert_array_equal(found, want),
    )


def test_decode_one_row(race: Any) -> None:
    x = vectors(1)
    text = body([f'"{base64.b64encode(x.tobytes()).decode()}"'])
    race(
        "decode one row of base64 (calls)",
        lambda: decode_response(text).embeddings.values,
        {
            "orjson + pybase64": lambda: np.stack(
                [
                    np.frombuffer(pybase64.b64decode(item["embedding"], validate=True), "f4")
                    for item in orjson.loads(text)["data"]
                ]
            )
        },
        work=1,
        unit="bodies",
        check=lambda found: np.testing.assert_array_equal(found, x),
        rounds=2000,
    )


def small_body(encoding: str) -> tuple[np.ndarray, bytes]:
    """Return one row of 256 floats and its body."""
    x = np.random.default_rng(10).standard_normal((1, 256)).astype(np.float32) / np.float32(16)
    return x, encode_response(Embeddings(x), model="mistral-embed", encoding_format=encoding)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_decode_one_small_row(race: Any, encoding: str) -> None:
    x, text = small_body(encoding)

    def peer() -> np.ndarray:
        vectors = [item["embedding"] for item in orjson.loads(text)["data"]]
        if encoding == "float":
            return np.array(vectors, np.float32)
        return np.stack([np.frombuffer(pybase64.b64decode(vector, validate=True), "f4") for vector in vectors])

    race(
        f"decode one row of 256 in {encoding} (calls)",
        lambda: decode_response(text).embeddings.values,
        {"orjson": peer},
        work=1,
        unit="bodies",
        check=lambda found: np.testing.assert_array_equal(found, x),
        rounds=200,
    )


def test_encode_one_small_row(race: Any) -> None:
    x, _ = small_body("float")
    rows = Embeddings(x)

    def peer() -> bytes:
        item = {"object": "embedding", "embedding": x[0], "index": 0}
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        answer = {"id": "0", "object": "list", "model": "m", "data": [item], "usage": usage}
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)

    def check(text: bytes) -> None:
        np.testing.assert_array_equal(np.array(json.loads(text)["data"][0]["embedding"], np.float32), x[0])

    race(
        "encode one row of 256 floats (calls)",
        lambda: encode_response(rows, model="m"),
        {"orjson with NumPy": peer},
        work=1,
        unit="bodies",
        check=check,
        rounds=200,
    )


def test_decode_batch_file(race: Any, tmp_path: Any) -> None:
    lines, dimension = 20_000, 256
    x = np.random.default_rng(11).standard_normal((lines, dimension)).astype(np.float32) / np.float32(16)
    path = tmp_path / "out.jsonl"
    with path.open("wb") as file:
        for i in range(lines):
            answer = encode_response(Embeddings(x[i : i + 1]), model="m", usage={"prompt_tokens": 5, "total_tokens": 5})
            around = b'{"id":"batch-%d","custom_id":"%d","response":{"status_code":200,"body":%s},"error":null}\n'
            file.write(around % (i, i, answer))

    def peer() -> np.ndarray:
        ids, rows = [], []
        with path.open("rb") as file:
            for line in file:
                found = orjson.loads(line)
                ids.append(found["custom_id"])
                rows.append(np.array(found["response"]["body"]["data"][0]["embedding"], np.float32))
        return np.stack(rows)

    race(
        "decode a batch file, 20,000 lines of 256 floats",
        lambda: decode_batch(path).embeddings.values,
        {"orjson + np.array": peer},
        work=lines,
        unit="lines",
        check=lambda found: np.testing.assert_array_equal(found, x),
        rounds=3,
    )


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_decode_in_two_threads(race: Any, encoding: str) -> None:
    x = vectors(4 * ROWS)
    text = encode_response(Embeddings(x), model="m", encoding_format=encoding)
    race(
        f"decode {encoding} in two threads",
        lambda: decode_response(text, threads=2).embeddings.values,
        {"one thread": lambda: decode_response(text, threads=1).embeddings.values},
        work=len(text),
        unit="B",
        check=lambda found: np.testing.assert_array_equal(found, x),
    )


@pytest.mark.parametrize("name", ["float16", "any"])
def test_encode_floats(race: Any, name: str) -> None:
    x = vectors() if name == "float16" else float_bodies()["shortest float32"][0]

    def check(text: bytes) -> None:
        found = np.array([item["embedding"] for item in json.loads(text)["data"]], np.float32)
        np.testing.assert_array_equal(found, x)

    def peer() -> bytes:
        items = [{"object": "embedding", "embedding": row, "index": i} for i, row in enumerate(x)]
        return orjson.dumps({"object": "list", "data": items}, option=orjson.OPT_SERIALIZE_NUMPY)

    rows = Embeddings(x)
    race(
        f"encode floats, shortest text, {name} values",
        lambda: encode_response(rows, model="m", threads=1),
        {"orjson with NumPy": peer},
        work=x.size,
        unit="numbers",
        check=check,
    )


def test_encode_base64(race: Any) -> None:
    x = vectors()

    def check(text: bytes) -> None:
        found = [np.frombuffer(base64.b64decode(item["embedding"]), "f4") for item in json.loads(text)["data"]]
        np.testing.assert_array_equal(np.stack(found), x)

    def peer() -> bytes:
        items = [
            {"object": "embedding", "embedding": pybase64.b64encode_as_string(row), "index": i}
            for i, row in enumerate(x)
        ]
        return orjson.dumps({"object": "list", "data": items})

    rows = Embeddings(x)
    race(
        "encode base64",
        lambda: encode_response(rows, model="m", encoding_format="base64", threads=1),
        {"pybase64 + orjson": peer},
        work=len(encode_response(rows, model="m", encoding_format="base64")),
        unit="B",
        check=check,
    )


@pytest.mark.parametrize("dtype", ["int8", "ubinary"])
def test_encode_integers(race: Any, dtype: str) -> None:
    x = code_matrix(dtype)
    rows = Embeddings(x, dtype)

    def check(text: bytes) -> None:
        np.testing.assert_array_equal([item["embedding"] for item in json.loads(text)["data"]], x)

    def peer() -> bytes:
        items = [{"object": "embedding", "embedding": row, "index": i} for i, row in enumerate(x)]
        return orjson.dumps({"object": "list", "data": items}, option=orjson.OPT_SERIALIZE_NUMPY)

    race(
        f"encode lists of {dtype}",
        lambda: encode_response(rows, model="m", threads=1),
        {"orjson with NumPy": peer},
        work=x.size,
        unit="numbers",
        check=check,
    )
