"""Ways out of what tensors and stores are given and give: cases of ``test_ways_out``."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

import embcodec as ec
from embcodec import Embeddings, quantize

X = np.random.default_rng(1).standard_normal((40, 16)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
INT8 = quantize(X, "int8")
UINT8 = quantize(ec.truncate(np.random.default_rng(2).standard_normal((20, 64)), 64), "uint8")


class Tensor:
    """A tensor on a device, that goes to the processor's memory by ``cpu()``."""

    def __init__(self, device: int = 2) -> None:
        self.device = device

    def cpu(self) -> Tensor:
        return Tensor(1)

    def is_neg(self) -> bool:
        return self.device < 0

    def resolve_neg(self) -> Tensor:
        return Tensor(1)

    def __dlpack__(self, **options: Any) -> Any:
        return X.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return abs(self.device), 0


class _Binary:
    dtype, data = type("", (), {"name": "PACKED_BIT"}), (127, 8)

    def as_vector(self) -> Any:
        return self


BITS = type("Binary", (_Binary,), {"__module__": "bson.binary"})()


def copied(*args: Any, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    ec.write_pgcopy(file, X, *args, **options)
    return io.BytesIO(file.getvalue())


# Each store's way in.
SENDERS: dict[str, Callable[[Any], Any]] = {
    "arrow": ec.to_arrow,
    "bson": ec.to_bson_vector,
    "elasticsearch": ec.to_elasticsearch,
    "faiss": ec.to_faiss,
    "milvus": ec.to_milvus,
    "pgvector": ec.to_pgvector,
    "pgcopy": lambda rows: ec.write_pgcopy(io.BytesIO(), rows),
    "qdrant": ec.to_qdrant,
    "redis": ec.to_redis,
    "s3 vectors": lambda rows: list(ec.to_s3_vectors(rows, list(map(str, range(len(rows)))))),
    "sqlite-vec": ec.to_sqlite_vec,
    "vespa": ec.to_vespa,
    "a body": lambda rows: ec.encode_response(rows, model="m"),
}


def _read_from_file(path: Path) -> Any:
    (path / "items.copy").write_bytes(copied().getvalue())
    with (path / "items.copy").open("rb") as file:
        return ec.read_pgcopy(file)


def _filled(index: Any) -> Any:
    index.train(X)
    index.add(X)
    return index


def _with_ids() -> Any:
    index = faiss.IndexIDMap(faiss.IndexFlatL2(16))
    index.add_with_ids(X, np.arange(40))
    return index


def _lists() -> Any:
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatL2(16), 16, 2, faiss.ScalarQuantizer.QT_8bit)
    index.train(X)
    index.add_with_ids(X, np.arange(40) + 7)
    return index


def _mapped(index: Any) -> Any:
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    return index


SHARD = faiss.IndexFlatL2(16)
SHARD.add(X)
SHARDS = faiss.IndexShards(16)
SHARDS.add_shard(SHARD)
QUANTIZED = _filled(faiss.IndexScalarQuantizer(16, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2))
PRODUCTS = _filled(faiss.IndexPQ(16, 4, 4))
FEED = {"namespace": "shop", "document_type": "item"}
NAMES = [str(row) for row in range(40)]

Case = tuple[Callable[[Path], Any], str, tuple[Callable[[Path], Any], ...]]
CASES: dict[str, Case] = {
    "a tensor on a device": (
        lambda p: ec.from_dlpack(Tensor()),
        r"is on another device \(DLPack's 2\): pass it from there, as x\.cpu\(\)",
        (lambda p: ec.from_dlpack(Tensor().cpu()),),
    ),
    "a view that negates": (
        lambda p: ec.from_dlpack(Tensor(-1)),
        r"a view that negates what lies in memory: pass x\.resolve_neg\(\)",
        (lambda p: ec.from_dlpack(Tensor(-1).resolve_neg()),),
    ),
    "bits of MongoDB": (
        lambda p: Embeddings([BITS]),
        r"is no row of numbers: Embeddings\(np\.array\(\[x\.as_vector\(\)\.data for x in rows\]"
        r", np\.uint8\), 'ubinary'\) reads such",
        (lambda p: Embeddings(np.array([x.as_vector().data for x in [BITS]], np.uint8), "ubinary"),),
    ),
    "codes as a tensor": (
        lambda p: np.from_dlpack(INT8),
        r"use \.values or \.to_float\(\)",
        (lambda p: np.from_dlpack(INT8.values), lambda p: np.from_dlpack(INT8.to_float())),
    ),
    "codes as tensors of Arrow": (
        lambda p: ec.to_arrow(INT8, tensors=True),
        "tensors=True is for floats: codes have a type of their own",
        (lambda p: ec.to_arrow(INT8), lambda p: ec.to_arrow(INT8.to("float"), tensors=True)),
    ),
    "short floats of codes": (
        lambda p: ec.to_redis(INT8, float_dtype="float16"),
        "float_dtype='float16' is for floats, not int8",
        (lambda p: ec.to_redis(INT8), lambda p: ec.to_redis(INT8.to("float"), float_dtype="float16")),
    ),
    "uint8 for Elasticsearch": (
        lambda p: ec.to_elasticsearch(quantize(X, "uint8")),
        r"use \.to\('int8'\)",
        (lambda p: ec.to_elasticsearch(quantize(X, "uint8").to("int8")),),
    ),
    "bits for Qdrant": (
        lambda p: ec.to_qdrant(quantize(X, "ubinary")),
        r"use \.to\('float'\)",
        (lambda p: ec.to_qdrant(quantize(X, "ubinary").to("float")),),
    ),
    "an index of other codes": (
        lambda p: ec.from_faiss(PRODUCTS),
        r"Embeddings\(index\.reconstruct_n\(0, index\.ntotal\)\) has what they decode to",
        (lambda p: Embeddings(PRODUCTS.reconstruct_n(0, PRODUCTS.ntotal)),),
    ),
    "lists of other codes": (
        lambda p: ec.from_faiss(_lists()),
        r"after index\.set_direct_map_type\(faiss\.DirectMap\.Hashtable\) "
        r"Embeddings\(index\.reconstruct_batch\(ids\)\) has what those of ids decode to",
        (lambda p: Embeddings(_mapped(_lists()).reconstruct_batch(np.arange(40) + 7)),),
    ),
    "several indexes": (
        lambda p: ec.from_faiss(SHARDS),
        r"from_faiss\(faiss\.downcast_index\(index\.at\(0\)\)\) reads the first",
        (lambda p: ec.from_faiss(faiss.downcast_index(SHARDS.at(0))),),
    ),
    "codes of a store that are no floats": (
        lambda p: ec.from_qdrant(UINT8.values.tolist()),
        r"the rows are whole numbers, as codes are: say output_dtype='uint8'.*; of numbers that are the values "
        r"themselves Embeddings\(np\.array\(rows, np\.float32\)\) makes rows",
        (
            lambda p: ec.from_qdrant(UINT8.values.tolist(), "uint8"),
            lambda p: Embeddings(np.array(UINT8.values.tolist(), np.float32)),
        ),
    ),
    "hexadecimal digits that are no base64": (
        lambda p: ec.from_elasticsearch(ec.to_elasticsearch(INT8)),
        "the rows are hexadecimal digits, as of byte and bit fields: say output_dtype='int8' or 'ubinary'",
        (lambda p: ec.from_elasticsearch(ec.to_elasticsearch(INT8), "int8"),),
    ),
    "a scale of an index that has one": (
        lambda p: ec.from_faiss(QUANTIZED, scale=ec.Scale.unit()),
        "knows the scale of its codes: leave out scale=",
        (lambda p: ec.from_faiss(QUANTIZED),),
    ),
    "an index with ids": (
        lambda p: ec.from_faiss(_with_ids()),
        r"from_faiss\(index, with_ids=True\) returns them, too",
        (lambda p: ec.from_faiss(_with_ids(), with_ids=True),),
    ),
    "a copy of three columns": (
        lambda p: ec.read_pgcopy(copied(NAMES, id_type="text", columns={"a": NAMES})),
        r"row 0 has 3 fields: say what they are, columns=\{'id': 'bigint', 'embedding': 'vector', \.\.\.\}",
        (
            lambda p: ec.read_pgcopy(
                copied(range(40), columns={"a": NAMES}), columns={"id": "bigint", "embedding": "vector", "a": "text"}
            ),
        ),
    ),
    "a copy of other ids": (
        lambda p: ec.read_pgcopy(copied([f"{0:032x}"] * 40, id_type="uuid")),
        r"has 16 bytes, and a bigint 8: say columns=\{'id': 'uuid', 'embedding': 'vector'\}",
        (
            lambda p: ec.read_pgcopy(
                copied([f"{0:032x}"] * 40, id_type="uuid"), columns={"id": "uuid", "embedding": "vector"}
            ),
        ),
    ),
    "the bytes of a copy": (
        lambda p: ec.read_pgcopy(copied().getvalue()),
        r"file is one open for bytes, as open\(path, 'rb'\) is, not a bytes: pass io\.BytesIO\(data\)",
        (lambda p: ec.read_pgcopy(io.BytesIO(copied().getvalue())),),
    ),
    "a copy that is no file": (
        lambda p: ec.read_pgcopy(p / "items.copy"),  # type: ignore[arg-type]
        r"file is one open for bytes, as open\(path, 'rb'\) is, not ",
        (_read_from_file,),
    ),
    "records without vectors": (
        lambda p: ec.from_qdrant([None]),  # type: ignore[list-item]
        "ask for them, with_vectors=True",
        (lambda p: ec.from_qdrant([[0.5, 1.0]]),),
    ),
    "two fields of a name": (
        lambda p: ec.write_vespa(io.BytesIO(), X, NAMES, **FEED, fields={"embedding": NAMES}),
        "'embedding' is the field of the vectors: name one of the two otherwise",
        (
            lambda p: ec.write_vespa(io.BytesIO(), X, NAMES, **FEED, fields={"title": NAMES}),
            lambda p: ec.write_vespa(io.BytesIO(), X, NAMES, **FEED, field="vector", fields={"embedding": NAMES}),
        ),
    ),
    "tensors in the long form": (
        lambda p: ec.from_vespa([{"cells": []}]),
        "format.tensors=short-value shows them",
        (lambda p: ec.from_vespa([{"values": [0.5, 1.0]}]),),
    ),
}
