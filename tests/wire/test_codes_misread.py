"""Codes taken for other codes, or for floats: refused, with words whose way leads on; honest codes never are."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from each import each
from numpy.typing import NDArray

from embcodec import (
    PROFILES,
    DecodeError,
    Embeddings,
    decode_base64,
    decode_batch,
    decode_octets,
    decode_response,
    iter_batch,
)
from embcodec._native import floats
from embcodec._native.core import lib
from embcodec.cli.command import main

Bytes = NDArray[np.uint8]
INT8, UINT8, BITS = lib.EC_PAYLOAD_INT8, lib.EC_PAYLOAD_UINT8, lib.EC_PAYLOAD_BITS
ASKED = {"int8": INT8, "uint8": UINT8, "binary": BITS, "ubinary": BITS}


def unit(count: int, dimension: int, seed: int = 0) -> NDArray[np.float64]:
    x = np.random.default_rng(seed).standard_normal((count, dimension))
    rows: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return rows


def leaning(count: int, dimension: int, seed: int = 0) -> NDArray[np.float64]:
    """Vectors whose dimensions have a mean each, as those of models do."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, dimension)) + 0.5 * rng.standard_normal(dimension)
    rows: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return rows


def coded(x: NDArray[Any], dtype: str) -> Bytes:
    bits = np.packbits(x > 0, axis=1)
    made: dict[str, Callable[[], NDArray[Any]]] = {
        "int8": lambda: np.round(127 * x).astype(np.int8),
        "uint8": lambda: np.round(127.5 * x + 127.5).astype(np.uint8),
        "ubinary": lambda: bits,
        "binary": lambda: bits ^ 0x80,
    }
    return made[dtype]().view(np.uint8)


def items(rows: NDArray[Any]) -> list[dict[str, Any]]:
    return [{"embedding": base64.b64encode(row.tobytes()).decode(), "index": i} for i, row in enumerate(rows)]


def body(rows: NDArray[Any]) -> bytes:
    return json.dumps({"data": items(rows)}).encode()


def batch(rows: NDArray[Any], path: Path) -> Path:
    lines = ({"custom_id": f"{i}", "response": {"body": {"data": items(row[None])}}} for i, row in enumerate(rows))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def refusal(text: bytes, **options: Any) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_response(text, **options)
    assert caught.value.offset is not None
    return caught.value.reason


def follow(reason: str, text: bytes) -> Bytes:
    """Do as a message says, and return the bytes that come of it."""
    said = re.search(r"say output_dtype='(\w+)'[^,]*(?:, dimension=(\d+))?", reason)
    assert said, reason
    dimension = int(said[2]) if said[2] else None
    return decode_response(text, output_dtype=said[1], dimension=dimension).embeddings.values.view(np.uint8)


@each("count", [1, 2, 40])
@each("dimension", [64, 128, 768, 3072])
@each(
    "sent, asked",
    [(sent, asked) for sent in ("int8", "uint8") for asked in ("int8", "uint8", "binary", "ubinary") if sent != asked],
)
def test_integers_as_other_codes(sent: str, asked: str, dimension: int, count: int) -> None:
    rows = coded(unit(count, dimension), sent)
    text = body(rows)
    sized = dimension * 8 if "binary" in asked else dimension
    for options in ({}, {"dimension": sized}):
        reason = refusal(text, output_dtype=asked, **options)
        name = "ubinary" if "binary" in asked else asked
        assert f"reads like {sent} codes, not like {name}" in reason
        np.testing.assert_array_equal(follow(reason, text), rows)
    np.testing.assert_array_equal(decode_response(text, output_dtype=sent).embeddings.values.view(np.uint8), rows)


def test_a_dimension_that_was_asked_for_is_put_right() -> None:
    text = body(coded(unit(2, 1024), "int8"))
    said = refusal(text, output_dtype="ubinary", dimension=8192)
    assert said.endswith("say output_dtype='int8', dimension=1024")
    assert refusal(text, dimension=256).endswith("say output_dtype='int8', dimension=1024")
    assert refusal(text).endswith("say output_dtype='int8'")
    assert refusal(text, output_dtype="uint8", dimension=1024).endswith("say output_dtype='int8'")
    bits = body(coded(unit(3, 8192), "ubinary"))
    assert refusal(bits, dimension=256).endswith("say output_dtype='ubinary' or 'binary', dimension=8192")


def test_a_document_read_like_the_one_before() -> None:
    rows = {dtype: coded(unit(4, 1024, 3), dtype) for dtype in ("int8", "uint8")}
    for sent, asked in (("int8", "uint8"), ("uint8", "int8")):
        for _ in range(3):
            honest = decode_response(body(rows[asked][:1]), output_dtype=asked).embeddings.values
            np.testing.assert_array_equal(honest.view(np.uint8), rows[asked][:1])
            assert f"reads like {sent}" in refusal(body(rows[sent][:1]), output_dtype=asked)


@pytest.mark.parametrize("asked", ["int8", "uint8"])
@pytest.mark.parametrize("sent", ["ubinary", "binary"])
def test_bits_of_many_rows_as_integers(sent: str, asked: str) -> None:
    """Dimensions lean, each to its own side: no codes that are spread so wide do that in their lowest bits."""
    for dimension in (512, 1024, 3072):
        rows = coded(leaning(32, dimension), sent)
        reason = refusal(body(rows), output_dtype=asked)
        assert "reads like ubinary codes" in reason
        np.testing.assert_array_equal(follow(reason, body(rows)), rows)


@pytest.mark.parametrize("asked", ["int8", "uint8", "ubinary"])
def test_integers_that_fill_their_range(asked: str) -> None:
    for sent in ("int8", "uint8"):
        if sent == asked:
            continue
        x = np.random.default_rng(4).standard_normal((8, 1024))
        codes = np.round(127 * x / np.abs(x).max(axis=1, keepdims=True))
        rows = codes.astype(np.int8).view(np.uint8) ^ np.uint8(0x80 if sent == "uint8" else 0)
        for some in (rows, rows[:1]):
            assert f"reads like {sent} codes" in refusal(body(some), output_dtype=asked)


def scaled(x: NDArray[np.float64], rng: np.random.Generator) -> Iterator[tuple[str, NDArray[np.int8]]]:
    """Codes of each scale, as int8; uint8 are the same with their highest bit the other way round."""
    largest = np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-9)
    yield "unit", np.clip(np.round(127 * x), -127, 127).astype(np.int8)
    yield "per-vector", np.round(127 * x / largest).astype(np.int8)
    yield "four bits", (np.round(7 * x / largest) * 16).astype(np.int8)
    yield "clipped", np.clip(np.round(127 * x * 10 ** rng.uniform(0.5, 2.5)), -127, 127).astype(np.int8)
    for name, low, high in (
        ("ranges", x.min(axis=0), x.max(axis=0)),
        ("quantiles", *np.quantile(x, [0.02, 0.98], axis=0)),
        ("one range", *np.quantile(x, [0.01, 0.99])),
    ):
        step = np.where(high > low, (high - low) / 255, 1)
        yield name, (np.clip(np.floor((x - low) / step), 0, 255) - 128).astype(np.int8)


def honest(rng: np.random.Generator, count: int, dimension: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    shape = count, dimension
    x = rng.standard_normal(shape)
    own = rng.standard_normal(dimension)
    yield "normal", x
    yield "leaning", x + 0.5 * own
    yield "collapsed", own + 0.15 * x
    yield "sparse", np.where(rng.random(shape) < 0.05, x, 0)
    yield "rectified", np.maximum(x, 0)
    yield "positive", np.abs(x)
    yield "heavy", rng.standard_t(3, shape)
    yield "even", rng.uniform(-1, 1, shape)
    yield "saturated", np.tanh(rng.uniform(0.5, 8) * x)
    yield "outliers", np.where(np.arange(dimension) % 61 == 3, 20 * x, x)
    yield "decaying", x * np.linspace(1, 0.05, dimension)
    yield "copies", rng.standard_normal((max(count // 3, 1), dimension))[rng.integers(0, max(count // 3, 1), count)]
    yield "alike", own + np.where(rng.random((count, 1)) < 0.5, 0.02, 0.3) * x
    yield "signs", np.sign(x)
    yield "zeros", np.zeros(shape)
    yield "constant", np.full(shape, rng.standard_normal())


def test_honest_codes_are_never_refused() -> None:
    rng = np.random.default_rng(11)
    for dimension in (8, 24, 64, 96, 384, 1024, 3072):
        for count in (1, 2, 12, 40):
            for kind, x in honest(rng, count, dimension):
                x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
                bits = [np.packbits(x > 0, axis=1), np.packbits(x >= 0, axis=1, bitorder="little")]
                made = [("bits", BITS, b) for b in bits] + [("bits", BITS, b ^ 0x80) for b in bits]
                for scale, codes in scaled(x, rng):
                    plain = codes.view(np.uint8)
                    made += [(f"int8 {scale}", INT8, plain), (f"uint8 {scale}", UINT8, plain ^ 0x80)]
                for name, asked, rows in made:
                    assert floats.guess(np.ascontiguousarray(rows), asked)[0] == asked, (kind, name, rows.shape)


def test_honest_bodies_of_codes_are_decoded() -> None:
    made = [np.tile([0x12, 0x3C], (2, 256)), np.full((2, 512), 0x3D), np.arange(512).reshape(2, 256) % 256]
    made.append(np.random.default_rng(8).integers(0, 256, (50, 512)))
    for rows in made:
        rows = rows.astype(np.uint8)
        for dtype in ASKED:
            found = decode_response(body(rows), output_dtype=dtype).embeddings.values
            np.testing.assert_array_equal(found.view(np.uint8), rows)


@pytest.mark.parametrize(("dtype", "dimension"), [("int8", 8), ("int8", 16), ("uint8", 24), ("ubinary", 64)])
def test_short_rows_of_codes_as_floats(dtype: str, dimension: int, tmp_path: Path) -> None:
    """One to six floats a row tell nothing; those of many rows do."""
    rows = coded(unit(200, dimension), dtype)
    text = body(rows)
    for options in ({}, {"nulls": "nan"}):
        assert "say output_dtype=" in refusal(text, **options)
    texts = [item["embedding"] for item in items(rows)]
    with pytest.raises(DecodeError, match="codes, not like float32"):
        decode_base64(texts, "float")
    with pytest.raises(DecodeError, match=r"codes, not like float32; of codes np\.frombuffer"):
        decode_octets(rows.tobytes(), expected_count=len(rows), nulls="nan")
    with pytest.raises(DecodeError, match="all rows together are base64 that reads like"):
        decode_batch(batch(rows, tmp_path / "out.jsonl"), nulls="nan")


def test_short_rows_of_honest_floats_are_decoded() -> None:
    rng = np.random.default_rng(6)
    for dimension in (1, 2, 3, 4, 6, 15):
        x = rng.standard_normal((300, dimension))
        first_zero, spread = np.where(np.arange(dimension) == 0, 0, x), x * 10.0 ** rng.uniform(-15, 15, (300, 1))
        one_axis, tiny = np.where(np.arange(dimension) == 0, 1, x * 1e-17), x * 1e-38
        for rows in (x, first_zero, spread, one_axis, tiny, x * 1e30, np.round(x), np.eye(300, dimension)):
            rows = np.ascontiguousarray(rows, np.float32)
            np.testing.assert_array_equal(decode_response(body(rows)).embeddings.values, rows)


def test_other_ways_in(tmp_path: Path) -> None:
    rows = coded(unit(30, 1024), "int8")
    texts = [item["embedding"] for item in items(rows)]
    with pytest.raises(DecodeError, match=r"reads like int8 codes, not like uint8; .* or 'int8', instead of 'uint8'"):
        decode_base64(texts, "uint8")
    with pytest.raises(DecodeError, match="reads like int8 codes, not like ubinary"):
        decode_base64(texts[0], "ubinary")
    np.testing.assert_array_equal(decode_base64(texts, np.uint8), rows)
    np.testing.assert_array_equal(decode_base64(texts, "int8").view(np.uint8), rows)
    path = batch(rows, tmp_path / "out.jsonl")
    for found in (list(iter_batch(path, output_dtype="uint8")), decode_batch(path, output_dtype="uint8").errors):
        assert len(found) == 30
        assert "say output_dtype='int8'" in str(found[0].error)
    np.testing.assert_array_equal(decode_batch(path, output_dtype="int8").embeddings.values.view(np.uint8), rows)
    (tmp_path / "body.json").write_bytes(body(rows))
    arguments = ["decode", str(tmp_path / "body.json"), "-o", str(tmp_path / "out.npy"), "--dtype"]
    result = CliRunner().invoke(main, [*arguments, "ubinary"])
    assert result.exit_code == 1
    assert "say --dtype int8" in result.output
    assert CliRunner().invoke(main, [*arguments, "int8"]).exit_code == 0


def listed(rows: NDArray[Any], form: str = "{}") -> bytes:
    vectors = ("[" + ",".join(form.format(value) for value in row.tolist()) + "]" for row in rows)
    return b'{"data":[' + ",".join(f'{{"embedding":{vector}}}' for vector in vectors).encode() + b"]}"


@pytest.mark.parametrize("form", ["{}", "{}.0"])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "ubinary"])
def test_lists_of_codes_as_floats(dtype: str, count: int, form: str, tmp_path: Path) -> None:
    rows = coded(unit(count, 1024), dtype)
    numbers = rows.view(np.int8) if dtype == "int8" else rows
    text = listed(numbers, form)
    decode_response(listed(unit(1, numbers.shape[1])))  # a document of one row is expected to be like it
    reason = refusal(text)
    assert "whole numbers" in reason
    np.testing.assert_array_equal(decode_response(text, output_dtype=dtype).embeddings.values, numbers)
    said = re.findall(r"'(\w+)'", reason)
    assert dtype in said
    np.testing.assert_array_equal(decode_response(text, output_dtype=said[0]).embeddings.values, numbers)
    path = tmp_path / "out.jsonl"
    good = listed(unit(1, numbers.shape[1]))
    path.write_bytes(b"".join(b'{"response":{"body":%s}}\n' % line for line in (good, good, text, good)))
    found = decode_batch(path)
    assert (len(found.embeddings), len(found.errors)) == (3, 1)


def test_lists_of_few_values_are_floats() -> None:
    rng = np.random.default_rng(12)
    made = {
        "few numbers": np.array([[3, -4, 100, -7, 5, 6, -8, 9, 10, 11, -12, 13, 14, 15, 16]]),
        "signs": rng.integers(-1, 2, (3, 64)),
        "bits": rng.integers(0, 2, (3, 64)),
        "counts": rng.poisson(3, (3, 64)),
        "a ramp": np.arange(-100, 28)[None],
        "constant": np.full((3, 64), 17),
        "beyond codes": rng.integers(-300, 300, (3, 64)),
        "of either sign beyond int8": np.concatenate([rng.integers(-128, 128, (3, 63)), np.full((3, 1), 200)], axis=1),
        "one that is not whole": np.concatenate([rng.integers(-90, 90, (1, 63)), [[0.5]]], axis=1),
        "zeros": np.zeros((2, 64), np.int64),
    }
    for name, rows in made.items():
        np.testing.assert_array_equal(decode_response(listed(rows)).embeddings.values, rows, err_msg=name)
    whole = np.random.default_rng(2).integers(-9, 9, (3, 64)).astype(np.float32)
    np.testing.assert_array_equal(decode_response(body(whole)).embeddings.values, whole)  # base64 says what it is


def test_embeddings_of_what_was_refused_can_be_made() -> None:
    rows = coded(unit(2, 256), "int8").view(np.int8)
    values = decode_response(listed(rows), output_dtype="int8").embeddings.values.astype(np.float32)
    np.testing.assert_array_equal(Embeddings(values).values, rows)


@pytest.mark.parametrize("dtype", ["binary", "ubinary"])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_of_bits_is_not_taken_for_packed_ones(dtype: Any, rows: int) -> None:
    """A vector of 256 dimensions would have 2,048, without a word."""
    bits = np.random.default_rng(4).integers(0, 2, (rows, 256))
    bits[0, :] = 0 if rows > 1 else bits[0]  # a row of zeros tells nothing, the next one does
    body = json.dumps({"data": [{"embedding": row} for row in bits.tolist()]})
    words = "a list of 0 and 1, a number a dimension, not packed bits: dataclasses.replace"
    with pytest.raises(DecodeError, match=words) as caught:
        decode_response(body, output_dtype=dtype)
    assert caught.value.row == rows // 2
    unpacked = replace(PROFILES["mistral"], bits_as_numbers=True)
    found = decode_response(body, output_dtype=dtype, profile=unpacked).embeddings
    assert np.array_equal(found.to("ubinary").values, np.packbits(bits, axis=1))
    line = json.dumps({"custom_id": "a", "response": {"body": json.loads(body)}}).encode()
    (failed,) = decode_batch(io.BytesIO(line), output_dtype=dtype).errors
    assert words in str(failed.error)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_of_signs_is_not_taken_for_packed_bits(rows: int) -> None:
    bits = np.random.default_rng(4).integers(0, 2, (rows, 40))
    body = json.dumps({"data": [{"embedding": row} for row in (2 * bits - 1).tolist()]})
    with pytest.raises(DecodeError, match="a list of -1 and 1, a number a dimension, not packed bits: "):
        decode_response(body, output_dtype="binary")
    unpacked = replace(PROFILES["mistral"], bits_as_numbers=True)
    for dimension in (None, 40):
        found = decode_response(body, output_dtype="binary", dimension=dimension, profile=unpacked).embeddings
        assert np.array_equal(found.to("ubinary").values, np.packbits(bits, axis=1))
    mixed = json.dumps({"data": [{"embedding": [-1, 0, 1]}]})
    with pytest.raises(DecodeError, match="-1 where a bit, 0 or 1, is wanted"):
        decode_response(mixed, output_dtype="binary", profile=unpacked)


@pytest.mark.parametrize("low", [0, -1])
def test_bits_of_a_number_a_dimension_that_was_said(low: int) -> None:
    body = json.dumps({"data": [{"embedding": [low, 1] * 16}]})
    words = "32 bytes of bits where 4 were asked for, .*; a number a dimension, 0 or 1, is bits_as_numbers=True"
    with pytest.raises(DecodeError, match=words):
        decode_response(body, output_dtype="binary", dimension=32)
    with pytest.raises(DecodeError, match=r"where 5 were asked for, eight dimensions a byte \(row"):
        decode_response(body, output_dtype="binary", dimension=40)
    unpacked = replace(PROFILES["mistral"], bits_as_numbers=True)
    assert decode_response(body, output_dtype="binary", dimension=32, profile=unpacked).embeddings.dimension == 32


@pytest.mark.parametrize("dtype", ["binary", "ubinary"])
def test_packed_bits_are_taken_where_they_may_be_such(dtype: Any) -> None:
    """Rows of zeros, of next to no ones, of few bytes, and whatever has its dimension said."""
    packed = np.random.default_rng(4).integers(0, 256, (3, 32)) - (128 if dtype == "binary" else 0)
    for rows in (packed.tolist(), [[0] * 32] * 2, [[0] * 31 + [1]], [[0, 1] * 7], [[1] * 16 + [2]]):
        body = json.dumps({"data": [{"embedding": row} for row in rows]})
        assert decode_response(body, output_dtype=dtype).embeddings.values.tolist() == rows
    body = json.dumps({"data": [{"embedding": [0, 1] * 8}]})
    assert decode_response(body, output_dtype=dtype, dimension=128).embeddings.values.tolist() == [[0, 1] * 8]
