"""What a store gives back, read as another dtype than it is: refused, with what reads it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from each import each

import embcodec as ec
from embcodec import Embeddings, StorageError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 64)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
INT8, UINT8 = ec.quantize(X, "int8"), ec.quantize(X, "uint8")
BITS = ec.quantize(RNG.standard_normal((20, 512)).astype(np.float32), "ubinary")

STORED: dict[str, tuple[Any, str]] = {
    "float32": (X, "float"),
    "float64": (X.astype(np.float64), "float"),
    "float16": (X.astype(np.float16), "float"),
    "big-endian float32": (X.astype(">f4"), "float"),
    "int8 codes": (INT8.values, "int8"),
    "uint8 codes": (UINT8.values, "uint8"),
    "ubinary codes": (BITS.values, "ubinary"),
}
BLOBS: dict[str, Callable[..., Any]] = {
    "sqlite-vec": ec.from_sqlite_vec,
    "Redis": ec.from_redis,
    "Milvus": ec.from_milvus,
    "Vespa": lambda rows, *dtype: ec.from_vespa([row.hex() for row in rows], *dtype),
    "Elasticsearch": lambda rows, *dtype: ec.from_elasticsearch(
        [base64.b64encode(row).decode() for row in rows], *dtype
    ),
}
HELD = {
    "sqlite-vec": ("float", "int8", "ubinary"),
    "Redis": ("float", "int8", "uint8"),
    **dict.fromkeys(("Milvus", "Vespa", "Elasticsearch"), ("float", "int8", "ubinary")),
}


def values_of(found: Embeddings) -> Any:
    return found.values if found.bit_order == "msb" else found.to("ubinary", bit_order="msb").values


def way_of(error: StorageError, rows: list[Any], reader: Callable[..., Any], blobs: list[bytes]) -> Any:
    """Follow the way that an error names."""
    code = str(error).partition(": ")[2]
    if said := re.fullmatch(r"say output_dtype='(\w+)'", code):
        return reader(blobs, said[1])
    return eval(code.removesuffix(" reads those"), {"Embeddings": Embeddings, "np": np, "rows": rows, "base64": base64})


@each("store", BLOBS)
@each("kind", STORED)
def test_bytes_of_another_dtype_have_a_way(store: str, kind: str) -> None:
    stored, dtype = STORED[kind]
    blobs = [row.tobytes() for row in stored]
    shown = {"Vespa": [b.hex() for b in blobs], "Elasticsearch": [base64.b64encode(b).decode() for b in blobs]}
    usual = "big-endian float32" if store in shown else "float32"
    for asked in HELD[store]:
        reader, exact = BLOBS[store], asked == dtype and (dtype != "float" or kind == usual)
        if exact or (kind == "ubinary codes" and asked in ("int8", "uint8")):  # which bits in few rows may be
            reader(blobs, asked)
            continue
        with pytest.raises(StorageError, match=rf"row 0 reads like {kind}, not like") as caught:
            reader(blobs, asked)
        found = way_of(caught.value, shown.get(store, blobs), reader, blobs)
        assert found.output_dtype == dtype
        np.testing.assert_array_equal(found.values, np.asarray(stored, found.values.dtype))


@pytest.mark.parametrize(
    ("reader", "rows", "way"),
    [
        (ec.from_elasticsearch, INT8.values.tolist(), "int8"),
        (ec.from_milvus, list(INT8.values.astype(np.float32)), "int8"),
        (ec.from_qdrant, UINT8.values.astype(float).tolist(), "uint8"),
        (ec.from_vespa, [{"type": "tensor<int8>(x[64])", "values": row} for row in INT8.values.tolist()], "int8"),
        (ec.from_elasticsearch, [row.tobytes().hex() for row in INT8.values], "int8"),
    ],
)
def test_codes_are_no_floats(reader: Any, rows: list[Any], way: str) -> None:
    with pytest.raises(StorageError, match=f"say output_dtype='{way}'"):
        reader(rows)
    codes = INT8 if way == "int8" else UINT8
    np.testing.assert_array_equal(reader(rows, way).values, codes.values)


def test_whole_numbers_that_are_values_pass() -> None:
    for values in (np.eye(64), np.sign(X), RNG.poisson(0.3, (20, 64)), np.zeros((3, 64))):
        floats = values.astype(np.float32)
        assert ec.from_qdrant(floats.tolist()) == Embeddings(floats)
        assert ec.from_sqlite_vec([row.tobytes() for row in floats]) == Embeddings(floats)
    with pytest.raises(StorageError, match=r"row 0, column 0 is 1e\+300: beyond float32"):
        ec.from_qdrant([[1e300, 0.5]])
    one = [{"key": "a", "data": {"float32": INT8.values[0].tolist()}}]
    assert ec.from_s3_vectors(one)[0].values.tolist() == INT8.values[:1].tolist()  # where nothing else is


TEXT_OF = {
    "hexadecimal": lambda rows: [row.hex() for row in rows],
    "base64": lambda rows: [base64.b64encode(row).decode() for row in rows],
    "JSON": lambda rows: ["[" + ",".join(map(str, row)) + "]" for row in rows],
}


@pytest.mark.parametrize("text", TEXT_OF)
@pytest.mark.parametrize("stored", ["float32", "int8 codes", "ubinary codes"])
def test_texts_in_bytes_are_no_blobs(stored: str, text: str) -> None:
    """Digits, taken for the bytes of floats or codes, would be rows of other dimensions."""
    texts = [each.encode() for each in TEXT_OF[text]([row.tobytes() for row in STORED[stored][0]])]
    for store in ("sqlite-vec", "Redis", "Milvus"):
        for dtype in HELD[store]:
            with pytest.raises(StorageError, match=rf"row 0 is {text} text, not the bytes of a row: embcodec\."):
                BLOBS[store](texts, dtype)
    for reader in (ec.from_elasticsearch, ec.from_vespa):
        with pytest.raises(TypeError, match=r"row 0 is text in bytes: pass \[row\.decode\(\) for row in rows\]"):
            reader(texts, "int8")


def test_codes_that_hardly_vary_are_blobs() -> None:
    for code in (48, 65, 97):
        rows = Embeddings(np.full((3, 64), code, np.int8) + np.arange(3, dtype=np.int8)[:, None], "int8")
        assert ec.from_redis(ec.to_redis(rows), "int8") == rows
