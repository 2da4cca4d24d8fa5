"""Rows in the forms of stores that are not here: the examples of their documentation, and back."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from embcodec import (
    Embeddings,
    LowBitQuantizer,
    Scale,
    StorageError,
    from_bson_vector,
    from_elasticsearch,
    from_milvus,
    from_qdrant,
    from_redis,
    from_s3_vectors,
    from_sqlite_vec,
    from_vespa,
    quantize,
    to_bson_vector,
    to_elasticsearch,
    to_milvus,
    to_qdrant,
    to_redis,
    to_s3_vectors,
    to_sqlite_vec,
    to_vespa,
    write_vespa,
)
from embcodec.files.exchange import elasticsearch

X = np.random.default_rng(0).standard_normal((9, 16)).astype(np.float32)


@pytest.mark.parametrize("columns", [slice(0, 16), slice(0, 16, 2), slice(15, None, -1)])
def test_blobs_are_the_bytes_of_each_row(columns: slice) -> None:
    """Zeros at the end are kept, rows that lie apart in memory are read right, and no blob is of the rows' memory."""
    given = X[:, columns].copy()
    given[2, -3:] = given[5] = 0
    apart = np.repeat(given, 2, axis=0)[::2]
    floats, integers = Embeddings(apart), quantize(apart, "int8")
    bits = integers.to("ubinary")
    for blobs, rows, head in (
        (to_redis(floats), given, b""),
        (to_sqlite_vec(floats), given, b""),
        (to_bson_vector(floats), given, b"\x27\0"),
        (to_sqlite_vec(integers), integers.values, b""),
        (to_bson_vector(integers), integers.values, b"\x03\0"),
        (to_bson_vector(bits), bits.values, b"\x10\0"),
        (to_milvus(bits), bits.values, b""),
    ):
        assert blobs == [head + row.tobytes() for row in rows]
        assert {type(blob) for blob in blobs} == {bytes}
    sent = to_redis(floats)
    floats.values[:] = 7
    assert sent == [row.tobytes() for row in given]
    for send in (to_redis, to_sqlite_vec, to_bson_vector):
        assert send(np.zeros((0, 16), np.float32)) == []


X /= np.linalg.norm(X, axis=1, keepdims=True)
FLOATS = Embeddings(X)
INT8, UINT8 = quantize(X, "int8"), quantize(X, "uint8")
BITS = quantize(X, "ubinary")
SAME_BITS = [
    BITS,
    quantize(X, "ubinary", bit_order="lsb"),
    quantize(X, "binary"),
    quantize(X, "binary", bit_order="lsb", signed_bytes="twos-complement"),
]
SIGNED = quantize(X, "binary", signed_bytes="twos-complement")
SEND: dict[str, Callable[[Any], Any]] = {
    "Elasticsearch": to_elasticsearch,
    "Milvus": to_milvus,
    "Qdrant": to_qdrant,
    "Redis": to_redis,
    "S3 Vectors": lambda rows: next(to_s3_vectors(rows, ["a"] * len(rows)), []),
    "Vespa": to_vespa,
}
READ: dict[str, Callable[..., Any]] = {
    "from_elasticsearch": from_elasticsearch,
    "from_milvus": from_milvus,
    "from_qdrant": from_qdrant,
    "from_redis": from_redis,
    "from_vespa": from_vespa,
}
HELD = {
    "Elasticsearch": ("float", "int8", "bits"),
    "Milvus": ("float", "int8", "bits"),
    "Qdrant": ("float", "uint8"),
    "Redis": ("float", "int8", "uint8"),
    "S3 Vectors": ("float",),
    "Vespa": ("float", "int8", "bits"),
}


@pytest.mark.parametrize("store", SEND)
def test_what_a_store_has_no_form_for_is_refused_with_a_way_that_works(store: str) -> None:
    send, held = SEND[store], HELD[store]
    for kind, rows in (("float", FLOATS), ("int8", INT8), ("uint8", UINT8), *(("bits", bits) for bits in SAME_BITS)):
        if kind in held:
            assert len(send(rows)) == len(rows)
            continue
        other = next((name for name in ("int8", "uint8") if name in held and kind != "bits"), "float")
        with pytest.raises(StorageError, match=rf"{store} has no {rows.output_dtype}: use \.to\('{other}'\)"):
            send(rows)
        send(rows.to(other))  # type: ignore[call-overload]
    for scale in ("per-vector", np.stack([X.min(axis=0), X.max(axis=0)])):
        for name in ("int8", "uint8"):
            coded = quantize(X, name, scale=scale)  # type: ignore[call-overload]
            if name in held:
                with pytest.raises(StorageError, match=rf"{store} has no room for the .* scale: .*rows.to\('float'\)"):
                    send(coded)
            send(coded.to("float"))
            if name in held:
                send(Embeddings(coded.values, name))  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="low-bit codes"):
        send(LowBitQuantizer(2, rotation="none").fit(X).encode(X))
    with pytest.raises(TypeError, match="bare array of int64"):
        send(np.ones((2, 8), np.int64))
    with pytest.raises(StorageError, match="has no rows of 0 dimensions"):
        send(np.zeros((2, 0), np.float32))
    if "bits" in held:
        with pytest.raises(StorageError, match="13 is not a multiple of 8"):
            send(BITS.truncate(13))
    for bad in (np.nan, np.inf):
        x = X.copy()
        x[7, 3] = bad
        with pytest.raises(StorageError, match=f"row 7, column 3 is {bad}: {store} holds no NaN and no Infinity"):
            send(x)
    assert len(send(FLOATS[:0])) == 0
    assert np.array_equal(send(X.tolist()), send(FLOATS))
    assert np.array_equal(send(X.astype(np.float64)), send(FLOATS))


def test_elasticsearch() -> None:
    """The documents of the reference: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/dense-vector."""
    assert to_elasticsearch([[0.5, 10, 6]]) == ["PwAAAEEgAABAwAAA"]
    assert from_elasticsearch(["PwAAAEEgAABAwAAA"]).values.tolist() == [[0.5, 10, 6]]
    bits = from_elasticsearch([[127, -127, 0, 1, 42], [1, 1, 0, 0, 0]], "ubinary")
    assert to_elasticsearch(bits) == ["7f8100012a", "0101000000"]
    assert from_elasticsearch(["7f8100012a", "8100012A7F"], "ubinary")[0] == bits[0]
    assert from_elasticsearch(["7f8100012a"], "int8").values.tolist() == [[127, -127, 0, 1, 42]]
    assert from_elasticsearch(to_elasticsearch(FLOATS)) == FLOATS
    assert from_elasticsearch(X.tolist()) == FLOATS
    assert (
        from_elasticsearch(to_elasticsearch(INT8), "int8") == from_elasticsearch(INT8.values.tolist(), "int8") == INT8
    )
    for rows in SAME_BITS:
        texts = to_elasticsearch(rows)
        assert texts == [bytes(row).hex() for row in np.packbits(X > 0, axis=1)]
        assert from_elasticsearch(texts, "ubinary") == BITS
        assert from_elasticsearch(texts, "binary") == SIGNED
        assert from_elasticsearch(SIGNED.values.tolist(), "ubinary") == BITS
    in_base64 = from_elasticsearch(["fwGA/w==", "AAAAAA=="], "int8")
    assert in_base64.values.tolist() == [[127, 1, -128, -1], [0, 0, 0, 0]]
    assert len(to_elasticsearch(np.zeros((1, 4096), np.float32))) == 1
    assert len(to_elasticsearch(Embeddings(np.zeros((1, 4096), np.uint8), "ubinary"))) == 1
    for too_long, most in (
        (np.zeros((1, 4097), np.float32), 4096),
        (Embeddings(np.zeros((1, 4097), np.uint8), "ubinary"), 32768),
    ):
        with pytest.raises(StorageError, match=f"stores 1 to {most} dimensions"):
            to_elasticsearch(too_long)
    scale = Scale.per_vector(np.ones(9))
    assert from_elasticsearch(to_elasticsearch(INT8), "int8", scale=scale) == Embeddings(
        INT8.values, "int8", scale=scale
    )


@pytest.mark.parametrize("block_bytes", [1, 200, 1 << 19])
def test_blocks_of_texts(block_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticsearch, "_BLOCK_BYTES", block_bytes)
    assert to_elasticsearch(FLOATS) == [base64.b64encode(row.astype(">f4").tobytes()).decode() for row in X]
    x = X.copy()
    x[7, 3] = np.nan
    with pytest.raises(StorageError, match="row 7, column 3 is nan"):
        to_elasticsearch(x)


def test_vespa() -> None:
    """https://docs.vespa.ai/en/reference/document-json-format.html#tensor-hex-dump has the values of these digits."""
    assert from_vespa(["FF00118022FE"], "int8").values.tolist() == [[-1, 0, 17, -128, 34, -2]]
    assert to_vespa(Embeddings(np.array([[-1, 0, 17, -128, 34, -2]], np.int8), "int8")) == ["ff00118022fe"]
    assert to_vespa(FLOATS) == [struct.pack(">16f", *row).hex() for row in X]
    short = X.copy()
    short.view(np.uint32)[:] &= 0xFFFF0000
    assert to_vespa(short, float_dtype="bfloat16") == [text[:] for text in map(_every_half, to_vespa(short))]
    assert from_vespa(to_vespa(short, float_dtype="bfloat16"), float_dtype="bfloat16") == Embeddings(short)
    assert from_vespa(to_vespa(FLOATS)) == from_vespa(X.tolist()) == FLOATS
    assert from_vespa([{"type": "tensor<float>(x[16])", "values": row} for row in X.tolist()]) == FLOATS
    assert from_vespa([{"values": text} for text in to_vespa(INT8)], "int8") == INT8
    for rows in SAME_BITS:
        assert from_vespa(to_vespa(rows), "ubinary") == from_vespa(SIGNED.values.tolist(), "ubinary") == BITS
        assert from_vespa(to_vespa(rows), "binary") == SIGNED
    with pytest.raises(StorageError, match=r"row 1 has no 'values': format.tensors=short-value shows them"):
        from_vespa([{"values": [1.0]}, {"cells": []}])
    for bad in ("float16", "fp8"):
        with pytest.raises(ValueError, match="float_dtype is 'float32' or 'bfloat16'"):
            to_vespa(X, float_dtype=bad)  # type: ignore[arg-type]


def _every_half(text: str) -> str:
    return "".join(text[begin : begin + 4] for begin in range(0, len(text), 8))


def test_bson_vectors() -> None:
    """The bytes that pymongo's Binary.from_vector() makes of the same numbers."""
    assert to_bson_vector([[1.0, -2.0]]) == [bytes.fromhex("27000000803f000000c0")]
    assert to_bson_vector(Embeddings(np.array([[1, -128]], np.int8), "int8")) == [bytes.fromhex("03000180")]
    for dimension, padding in ((16, 0), (13, 3), (9, 7)):
        x = X[:, :dimension]
        packed = np.packbits(x > 0, axis=1)
        want = [bytes([0x10, padding]) + row.tobytes() for row in packed]
        for bits in (quantize(x, "ubinary"), quantize(x, "binary"), quantize(x, "ubinary", bit_order="lsb")):
            assert to_bson_vector(bits) == want
        assert from_bson_vector(want) == quantize(x, "ubinary")
    for rows in (FLOATS, INT8):
        assert from_bson_vector(to_bson_vector(rows)) == rows
    assert from_bson_vector(iter(to_bson_vector(INT8)), scale=INT8.scale) == INT8


class OfSubtype(bytes):
    """What bson.Binary is."""

    subtype = 9


@pytest.mark.parametrize(
    ("blobs", "error", "words"),
    [
        ([], StorageError, "from_bson_vector has no rows"),
        ([b""], StorageError, "row 0 begins with nothing, as no"),
        ([bytes.fromhex("0300")], StorageError, "row 0 begins with 0300, as no BSON vector with values does"),
        ([bytes.fromhex("030001"), bytes.fromhex("0400ff")], StorageError, "row 1 begins with 0400"),
        ([bytes.fromhex("030101")], StorageError, "row 0 says 1 bits of padding, which int8 rows do not have"),
        ([bytes.fromhex("100880")], StorageError, "row 0 says 8 bits of padding"),
        ([bytes.fromhex("100780"), bytes.fromhex("100680")], StorageError, "row 1 begins with 1006, row 0 with 1007"),
        ([bytes.fromhex("1004f0"), bytes.fromhex("1004ff")], StorageError, "row 1 has bits set after its last dimens"),
        ([bytes.fromhex("030001"), bytes.fromhex("03000102")], StorageError, "blob 1 has 2 bytes, blob 0 has 1"),
        ([bytes.fromhex("2700000080")], StorageError, "blobs of 3 bytes are no float32 rows"),
        ([[1.0]], TypeError, "row 0 is of type list, not bytes"),
        (b"\x03\0a", TypeError, "reads a list of rows, not one bytes"),
    ],
)
def test_bson_that_is_no_vector(blobs: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        from_bson_vector(blobs)


def test_bson_of_another_subtype() -> None:
    blob = OfSubtype(bytes.fromhex("030001"))
    assert from_bson_vector([blob]).values.tolist() == [[1]]
    blob.subtype = 0
    with pytest.raises(TypeError, match="row 0 is BSON of subtype 0, and vectors are of subtype 9"):
        from_bson_vector([blob])
    with pytest.raises(StorageError, match=r"BSON has no uint8: use \.to\('int8'\)"):
        to_bson_vector(UINT8)


def test_a_document_of_vespa_has_an_id() -> None:
    file = io.BytesIO()
    with pytest.raises(ValueError, match="id 1 is an empty text, which names no document"):
        write_vespa(file, X[:2], ["a", ""], namespace="n", document_type="d")
    assert not file.getvalue()


def test_a_feed_of_vespa() -> None:
    file = io.BytesIO()
    fields = {"title": [f"naïve {row}" for row in range(9)], "tags": [["a", None]] * 9}
    write_vespa(file, BITS, range(9), namespace="shop", document_type="item", field="code", fields=fields)
    lines = file.getvalue().decode().splitlines()
    documents = [json.loads(line) for line in lines]
    assert [one["put"] for one in documents] == [f"id:shop:item::{row}" for row in range(9)]
    assert [one["fields"]["title"] for one in documents] == fields["title"]
    assert from_vespa([one["fields"]["code"] for one in documents], "ubinary") == BITS
    given = {"namespace": "n", "document_type": "t"}
    refused: list[tuple[dict[str, Any], str]] = [
        ({"ids": range(8)}, "8 ids for 9 rows"),
        ({"ids": [None] * 9}, "id 0 is None"),
        ({"ids": [1.5] * 9}, r"id 0 is 1\.5"),
        ({"fields": {"a": [1]}}, "1 values of 'a' for 9 rows"),
        ({"fields": {"embedding": [1] * 9}}, "'embedding' is the field of the vectors: name one of the two otherwise"),
        ({"fields": {"a": [float("nan")] * 9}}, "row 0: "),
        ({"fields": {"a": [object()] * 9}}, "row 0: "),
        ({"file": io.StringIO()}, "open for bytes"),
        ({"embeddings": UINT8}, "Vespa has no uint8"),
    ]
    for options, words in refused:
        into = io.BytesIO()
        asked = {"file": into, "embeddings": X, "ids": range(9), **given, **options}
        with pytest.raises((TypeError, ValueError), match=words):
            write_vespa(**asked)
        assert into.getvalue() == b""


def test_milvus() -> None:
    assert all(np.shares_memory(row, X) for row in to_milvus(FLOATS))
    assert from_milvus(to_milvus(FLOATS)) == from_milvus(X.tolist()) == FLOATS
    halves = to_milvus(FLOATS, float_dtype="float16")
    assert halves == [row.astype("<f2").tobytes() for row in X]
    assert np.array_equal(from_milvus(halves, float_dtype="float16").values, X.astype(np.float16).astype(np.float32))
    assert from_milvus(to_milvus(INT8), "int8") == from_milvus(INT8.values.tolist(), "int8") == INT8
    for rows in SAME_BITS:
        assert to_milvus(rows) == list(map(bytes, np.packbits(X > 0, axis=1)))
        assert from_milvus(to_milvus(rows), "ubinary") == BITS
        assert from_milvus([[blob] for blob in to_milvus(rows)], "binary") == SIGNED
    with pytest.raises(StorageError, match=r"row 1, column 2 is 70000\.0: too large for a float16"):
        to_milvus([[0, 0, 0], [0, 0, 7e4]], float_dtype="float16")
    with pytest.raises(StorageError, match="row 0 has a value"):
        to_milvus([[3.4e38]], float_dtype="bfloat16")
    with pytest.raises(ValueError, match="float_dtype='float16' is for floats, not int8"):
        to_milvus(INT8, float_dtype="float16")
    with pytest.raises(StorageError, match="stores 1 to 32768 dimensions"):
        to_milvus(np.zeros((1, 32769), np.float32))
    with pytest.raises(StorageError, match="stores 1 to 262144 dimensions"):
        to_milvus(Embeddings(np.zeros((1, 32769), np.uint8), "ubinary"))


def test_redis() -> None:
    assert to_redis(FLOATS) == [row.astype("<f4").tobytes() for row in X]
    assert to_redis(FLOATS, float_dtype="float16") == [row.astype("<f2").tobytes() for row in X]
    for name in ("float32", "float16", "bfloat16"):
        back = from_redis(to_redis(FLOATS, float_dtype=name), float_dtype=name)  # type: ignore[arg-type]
        assert np.allclose(back.values, X, rtol=2**-8)
        assert to_redis(back, float_dtype=name) == to_redis(FLOATS, float_dtype=name)  # type: ignore[arg-type]
    for rows in (INT8, UINT8):
        assert to_redis(rows) == [row.tobytes() for row in rows.values]
        assert from_redis(to_redis(rows), str(rows.output_dtype)) == rows  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="Redis has no ubinary"):
        from_redis([b"1"], "ubinary")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="float_dtype is 'float32', 'float16' or 'bfloat16', not 'float64'"):
        to_redis(X, float_dtype="float64")  # type: ignore[arg-type]


def test_qdrant() -> None:
    assert to_qdrant(FLOATS) is FLOATS.values
    assert to_qdrant(UINT8) is UINT8.values
    assert from_qdrant(UINT8.values.astype(np.float64).tolist(), "uint8") == UINT8
    assert from_qdrant(X.tolist()) == FLOATS
    with pytest.raises(StorageError, match="record 1 has no vector: ask for them, with_vectors=True"):
        from_qdrant([[1.0], None])  # type: ignore[list-item]
    for bad in (256.0, -1, 0.5, float("nan")):
        with pytest.raises(StorageError, match=r"row 1, column 0 is .*: uint8 codes are whole numbers of 0 \.\. 255"):
            from_qdrant([[1.0], [bad]], "uint8")


def test_s3_vectors() -> None:
    rows = np.tile(X, (112, 1))
    keys = [f"key {row}" for row in range(len(rows))]
    calls = list(to_s3_vectors(rows, keys, [{"row": row} if row % 3 else None for row in range(len(rows))]))
    assert [len(call) for call in calls] == [500, 500, 8]
    sent = [one for call in calls for one in call]
    assert sent[0] == {"key": "key 0", "data": {"float32": X[0].tolist()}}
    assert sent[1] == {"key": "key 1", "data": {"float32": X[1].tolist()}, "metadata": {"row": 1}}
    back, names = from_s3_vectors(json.loads(json.dumps(sent)))
    assert np.array_equal(back.values, rows)
    assert names == keys
    for asked, words in (
        ((X, ["a"]), "1 keys for 9 rows"),
        ((X, range(9)), "key 0 is 0, not text"),
        ((X, ["a"] * 9, [{}]), "1 metadata for 9 rows"),
        ((np.zeros((1, 4097), np.float32), ["a"]), "stores 1 to 4096 dimensions"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            to_s3_vectors(*asked)  # type: ignore[arg-type]
    for bad in ([{"key": "a"}], [{"data": {"float32": [1.0]}}], ["a"], [None]):
        with pytest.raises(StorageError, match="vector 0 lacks its key or data: ask for them, returnData=True"):
            from_s3_vectors(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("reader", READ)
def test_what_is_no_answer_of_a_store_is_refused(reader: str) -> None:
    read = READ[reader]
    numbers = reader != "from_redis"
    with pytest.raises(StorageError, match="no rows to read, which would say their dimension"):
        read([])
    for one in ("abcd", b"abcd", 5, None):
        with pytest.raises(TypeError, match=f"{reader} reads a list of rows"):
            read(one)
    if not numbers:
        with pytest.raises(StorageError, match="row 1 is NULL"):
            read([b"1234", None])
        with pytest.raises(StorageError, match="blob 1 has 5 bytes, blob 0 has 4"):
            read([b"1234", b"12345"])
        return
    for rows, words in (
        ([[1.0, 2.0], [1.0]], "row 0 has 2 numbers, row 1 has 1|different lengths"),
        ([[1.0, None], [1.0, 2.0]], "None"),
        ([["a"], ["b"]], "real numbers"),
        ([[[1.0]]], "shape"),
    ):
        with pytest.raises(StorageError, match=words):
            read(rows)
    if "int8" in HELD.get(reader.removeprefix("from_").capitalize(), ()):
        for rows in ([[128]], [[-129]], [[0.5]], [[float("inf")]]):
            with pytest.raises(StorageError, match=r"int8 codes are whole numbers of -128 \.\. 127"):
                read(rows, "int8")
        with pytest.raises(StorageError, match="has no uint8: output_dtype is 'float', 'int8', 'binary' or 'ubinary'"):
            read([[1]], "uint8")


@pytest.mark.parametrize(
    ("read", "rows", "words"),
    [
        (from_elasticsearch, ["PwAAAEEgAABAwAAA", "PwAAAA=="], "^row 1 has 4 bytes, row 0 has 12$"),
        (from_elasticsearch, ["PwAAAEEgAABAwAAA", "PwAA*EEgAABAwAAA"], "row 1 is no base64: unexpected character"),
        (from_elasticsearch, ["PwA="], "blobs of 2 bytes are no float32 rows"),
        (from_elasticsearch, [""], "blobs of no bytes"),
        (from_elasticsearch, ["PwAAAA==", [1.0]], "row 1 is list, row 0 is str"),
        (lambda rows: from_elasticsearch(rows, "int8"), ["7f8", "7f8"], "row 0 is '7f8', not hexadecimal digits"),
        (from_vespa, ["3f80 000"], "row 0 is '3f80 000', not hexadecimal digits, two a byte"),
        (from_vespa, ["3f800000", "3f80000g"], "row 1 is '3f80000g'"),
        (from_vespa, ["3f800000", "3f80"], "blob 1 has 2 bytes, blob 0 has 4"),
        (from_vespa, ["3f800000", [1.0]], "row 1 is list, row 0 is str"),
        (from_milvus, [b"1234", [1.0]], "row 1 is list, row 0 is bytes"),
        (lambda rows: from_milvus(rows, "float", float_dtype="float16"), [b"123"], "blobs of 3 bytes are no float16"),
    ],
)
def test_texts_and_bytes_that_are_damaged(read: Any, rows: Any, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        read(rows)


@pytest.mark.parametrize("read", [from_qdrant, from_milvus, from_elasticsearch, from_vespa])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_no_store_holds_are_refused(read: Any, value: float) -> None:
    """The writers refuse them, and so do the readers: they are of another source."""
    with pytest.raises(StorageError, match=rf"row 1, column 0 is {value}: .* holds no NaN and no Infinity"):
        read([[0.5, 1.25], [value, 1.0]])


def test_bits_of_sqlite_vec_are_ubinary() -> None:
    with pytest.raises(StorageError, match="sqlite-vec has no binary: output_dtype is 'float', 'int8' or 'ubinary'"):
        from_sqlite_vec([b"1"], "binary")  # type: ignore[arg-type]
