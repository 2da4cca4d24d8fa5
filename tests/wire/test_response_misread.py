"""Base64 taken for another dtype than it is of: refused, with words whose way leads on; honest vectors never are."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from each import each
from numpy.typing import NDArray

from embcodec import PROFILES, DecodeError, decode_base64, decode_batch, decode_octets, decode_response
from embcodec._native.core import ffi, lib

FLOATS = {
    "float64": "<f8",
    "float64 big": ">f8",
    "float32 big": ">f4",
    "float16": "<f2",
    "float16 big": ">f2",
    "bfloat16": ml_dtypes.bfloat16,
}


def unit(count: int, dimension: int, seed: int = 0) -> NDArray[np.float64]:
    x = np.random.default_rng(seed).standard_normal((count, dimension))
    unit_rows: NDArray[np.float64] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit_rows


def codes(x: NDArray[Any], dtype: str) -> NDArray[Any]:
    return {
        "int8": lambda: np.round(127 * x).astype(np.int8),
        "uint8": lambda: np.round(127.5 * x + 127.5).astype(np.uint8),
        "ubinary": lambda: np.packbits(x > 0, axis=1),
    }[dtype]()


def body(rows: Any) -> bytes:
    items = [{"embedding": base64.b64encode(row.tobytes()).decode(), "index": i} for i, row in enumerate(rows)]
    return json.dumps({"data": items}).encode()


def refusal(text: bytes, **options: Any) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_response(text, **options)
    assert caught.value.row == 0
    assert caught.value.offset is not None
    return caught.value.reason


def follow(reason: str, text: bytes, **options: Any) -> NDArray[Any]:
    """Do as a message says, and return what comes of it."""
    said = re.search(r"say output_dtype='(\w+)'", reason)
    changes = dict(re.findall(r"(base64_dtype|byte_order)='(\w+)'", reason))
    assert said or changes, reason
    if said:
        options["output_dtype"] = said[1]
    return decode_response(text, profile=replace(PROFILES["mistral"], **changes), **options).embeddings.values


@cache  # each tier is tried on the same bodies
def of_form(form: str, dimension: int, count: int) -> tuple[NDArray[Any], bytes]:
    rows = unit(count, dimension).astype(np.dtype(FLOATS[form]))
    return rows, body(rows)


@each("count", [1, 3, 100])
@each("dimension", [64, 256, 1024])
@each("form", FLOATS)
def test_floats_of_another_form(isa: str, form: str, dimension: int, count: int) -> None:
    rows, text = of_form(form, dimension, count)
    for options in ({}, {"nulls": "nan"}, {"output_dtype": "int8"}, {"output_dtype": "ubinary"}):
        reason = refusal(text, **options)
        assert f"reads like {'big-endian ' if 'big' in form else ''}{form.split()[0]}" in reason
        options.pop("output_dtype", None)
        np.testing.assert_array_equal(follow(reason, text, **options), rows.astype(np.float32))


@pytest.mark.parametrize("dimension", [4, 8, 24, 1024])
def test_float64_of_few_dimensions(dimension: int) -> None:
    """Halves of float64 are told from few elements: those that were float32 at once, others as a rule."""
    refused = 0
    for seed in range(40):
        for rows in (unit(1, dimension, seed), unit(1, dimension, seed).astype(np.float32).astype(np.float64)):
            try:
                decode_response(body(rows))
            except DecodeError:
                refused += 1
    assert refused > (60 if dimension < 24 else 77)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "ubinary"])
@pytest.mark.parametrize("dimension", [768, 1024, 3072])
def test_codes_without_their_dtype(isa: str, dtype: str, dimension: int) -> None:
    for seed in range(4):
        rows = codes(unit(3, dimension, seed), dtype)
        text = body(rows)
        for options in ({}, {"nulls": "nan"}):
            reason = refusal(text, **options)
            assert f"reads like {dtype} codes" in reason
            np.testing.assert_array_equal(follow(reason, text), rows)


def test_float32_where_codes_were_asked_for() -> None:
    rows = unit(2, 1024).astype(np.float32)
    for dtype in ("int8", "uint8", "binary", "ubinary"):
        reason = refusal(body(rows), output_dtype=dtype)
        assert "reads like float32, not like codes" in reason
        np.testing.assert_array_equal(follow(reason, body(rows)), rows)


def test_the_form_that_fits_a_dimension_is_named() -> None:
    for form, name in (("<f8", "float64"), ("<f2", "float16")):
        rows = unit(1, 96).astype(form)
        reason = refusal(body(rows), dimension=96)
        assert f"base64_dtype='{name}'" in reason
        np.testing.assert_array_equal(follow(reason, body(rows), dimension=96), rows.astype(np.float32))
    for dtype in ("int8", "ubinary"):
        rows = codes(unit(1, 96), dtype)
        reason = refusal(body(rows), dimension=96)
        assert f"output_dtype='{dtype}'" in reason
    assert "output_dtype='float'" in refusal(body(unit(1, 96).astype("<f4")), dimension=96, output_dtype="ubinary")
    assert "if they are codes" in refusal(body([np.ones(6, np.int8)]))


def honest() -> list[tuple[str, NDArray[np.float32]]]:
    """Return vectors such as services, tests and users send."""
    rng = np.random.default_rng(7)
    normal = rng.standard_normal((60, 256)).astype(np.float32)
    softmax = np.exp(20 * normal) / np.exp(20 * normal).sum(1, keepdims=True)
    sparse = np.where(rng.random((60, 256)) < 0.05, normal, 0)
    found = {
        "normal": normal,
        "unit": unit(60, 256, 1),
        "of float16": unit(60, 256, 2).astype(np.float16),
        "of bfloat16": unit(60, 256, 3).astype(ml_dtypes.bfloat16),
        "large": normal * 1e6,
        "very large": normal * 1e15,
        "tiny": normal * 1e-12,
        "below all": normal * 1e-38,
        "positive": np.abs(normal),
        "rectified": np.maximum(normal, 0),
        "softmax": softmax,
        "sparse": sparse,
        "one-hot": np.eye(60, 256),
        "zeros": np.zeros((3, 256)),
        "ones": np.ones((3, 256)),
        "thirds": np.full((3, 256), 1 / 3),
        "seven tenths": np.full((3, 256), 0.7),
        "whole numbers": rng.integers(-128, 128, (60, 256)),
        "few values": rng.choice([-1.0, 0.0, 1.0], (60, 256)),
        "two values": np.tile([0.1, 0.9], (3, 128)),
        "axes": np.tile([6.123234e-17, 1.0], (3, 128)),
        "outlier": np.concatenate([normal[:, :255], np.full((60, 1), 1e9, np.float32)], axis=1),
        "wide": 10.0 ** rng.uniform(-15, 15, (60, 256)),
        "counted": np.arange(512).reshape(2, 256),
    }
    with np.errstate(all="ignore"):
        return [(name, np.ascontiguousarray(x, np.float32)) for name, x in found.items()]


HONEST = dict(honest())


@cache
def honest_bodies(name: str) -> list[tuple[NDArray[np.float32], bytes, bytes]]:
    """Return parts of the rows of a name, and bodies of them in either order of bytes."""
    rows, found = HONEST[name], []
    for dimension in (1, 2, 3, 4, 8, 16, 31, 64, 256):
        for start in (0, len(rows) - 1):
            cut = np.ascontiguousarray(rows[start:, :dimension])
            found.append((cut, body(cut), body(cut.astype(">f4"))))
    return found


@each("name", HONEST)
def test_honest_vectors_are_never_refused(isa: str, name: str) -> None:
    big = replace(PROFILES["mistral"], byte_order="big")
    for cut, little_endian, big_endian in honest_bodies(name):
        np.testing.assert_array_equal(decode_response(little_endian).embeddings.values, cut)
        np.testing.assert_array_equal(decode_response(big_endian, profile=big).embeddings.values, cut)


def test_of_ten_thousand_random_vectors_none_is_refused() -> None:
    rng = np.random.default_rng(9)
    rows = (rng.standard_normal((10_000, 64)) * 10.0 ** rng.uniform(-10, 10, (10_000, 1))).astype(np.float32)
    random_bytes = rng.integers(0, 256, (10_000, 256)).astype(np.uint8)
    codes = (lib.EC_PAYLOAD_INT8, lib.EC_PAYLOAD_UINT8, lib.EC_PAYLOAD_BITS)
    for matrix, asked in ((rows, lib.EC_PAYLOAD_BYTES), *((random_bytes, code) for code in codes)):
        base = ffi.from_buffer(matrix)
        assert all(lib.ec_payload_guess(base + 256 * i, 1, 256, asked, ffi.NULL) == asked for i in range(10_000))


def test_a_nan_is_not_blamed_on_the_dtype() -> None:
    rows = unit(1, 64).astype(np.float32)
    rows[0, 5] = np.nan
    assert refusal(body(rows)) == "NaN or Infinity"
    assert np.isnan(decode_response(body(rows), nulls="nan").embeddings.values).sum() == 1


def test_a_row_of_zeros_first_hides_nothing() -> None:
    rows = codes(unit(3, 512), "int8")
    rows[0] = 0
    with pytest.raises(DecodeError, match="reads like int8") as caught:
        decode_response(body(rows))
    assert caught.value.row == 1


def test_lists_are_what_they_say() -> None:
    text = b'{"data":[{"embedding":[1e-38,3e38,1e37,2e-30]}]}'
    assert decode_response(text).embeddings.dimension == 4


def test_decode_base64_of_an_output_dtype() -> None:
    texts = [base64.b64encode(row.tobytes()).decode() for row in codes(unit(2, 512), "int8")]
    with pytest.raises(DecodeError, match="reads like int8 codes, not like float32; give a NumPy dtype") as caught:
        decode_base64(texts, "float")
    assert caught.value.row == 0
    with pytest.raises(DecodeError, match="reads like int8"):
        decode_base64(texts[0], "float")
    assert decode_base64(texts, np.float32).shape == (2, 128)
    assert decode_base64(texts, "int8").shape == (2, 512)


def test_batch_files_and_octets(tmp_path: Any) -> None:
    path = tmp_path / "out.jsonl"
    x = unit(40, 256)
    lines = [
        f'{{"custom_id":"{i}","response":{{"status_code":200,"body":{body(rows).decode()}}},"error":null}}'
        for i, rows in enumerate(
            [*(x[i : i + 1].astype(np.float32) for i in range(20)), *(x[i : i + 1] for i in range(20))]
        )
    ]
    path.write_text("\n".join(lines) + "\n")
    found = decode_batch(path)
    assert found.custom_ids == [str(i) for i in range(20)]
    np.testing.assert_array_equal(found.embeddings.values, x[:20].astype(np.float32))
    assert {line.error.reason for line in found.errors if line.error} == {  # type: ignore[union-attr]
        "base64 that reads like float64, not like float32: "
        "dataclasses.replace(profile, base64_dtype='float64') reads it"
    }
    octets = x.astype(np.float16).tobytes()
    with pytest.raises(DecodeError, match="reads like float16"):
        decode_octets(octets, expected_count=20)
    half = replace(PROFILES["vllm"], base64_dtype="float16")
    assert decode_octets(octets, expected_count=40, profile=half).embeddings.dimension == 256


def test_lines_after_one_that_tells_nothing(tmp_path: Any) -> None:
    """The first line is of zeros, in bytes as long as those that follow: what is like it is not yet right."""
    path = tmp_path / "out.jsonl"
    x = unit(30, 128)
    lines = [
        f'{{"custom_id":"{i}","response":{{"status_code":200,"body":{body([row]).decode()}}},"error":null}}\n'
        for i, row in enumerate([np.zeros(256, np.float32), *x])
    ]
    path.write_text("".join(lines))
    found = decode_batch(path)
    assert found.custom_ids == ["0"]
    assert len(found.errors) == 30


def test_hexadecimal_is_no_base64() -> None:
    text = codes(unit(1, 1024), "ubinary").tobytes().hex()
    for written in (text, text.upper()):
        reason = refusal(json.dumps({"data": [{"embedding": written}]}).encode(), output_dtype="ubinary")
        assert "bytes.fromhex reads it" in reason
        assert len(bytes.fromhex(written)) == 128
