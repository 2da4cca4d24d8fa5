"""Every public function with arguments that it takes, and what else its arguments may be: see test_every_argument."""

from __future__ import annotations

import datetime
import decimal
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow

import embcodec as ec
from embcodec import Embeddings, FlatIndex, quantize

X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
FLOATS, BITS, INT8 = Embeddings(X), quantize(X, "ubinary"), quantize(X, "int8")
APART, RANGES = quantize(X, "int8", scale="per-vector"), quantize(X, "uint8", scale=ec.calibrate(X))
QUANTIZER = ec.LowBitQuantizer(1, rotation="none").fit(X)
LOW = QUANTIZER.encode(X)
NUMBER = itertools.count()


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("this object has no repr")


class NoPath:
    def __fspath__(self) -> Any:
        return 5


def holding_itself() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


def odd(folder: Path) -> dict[str, Callable[[], Any]]:
    """Return what arguments may be, made anew each time: what is consumed, or written to, is not shared."""
    plain: dict[str, Any] = {
        "None": None, "a word": "abc", "no word": "", "a 0 in a word": "a\0b", "half a pair": "a\ud800",
        "bytes": b"abcd", "no bytes": b"", "bytearray": bytearray(b"[1]"),
        "-1": -1, "0": 0, "1": 1, "2**31": 2**31, "2**63": 2**63, "2**64": 2**64, "10**400": 10**400,
        "-10**30": -(10**30), "2.5": 2.5, "1.0": 1.0, "NaN": float("nan"), "infinity": float("inf"), "True": True,
        "int8 3": np.int8(3), "uint64": np.uint64(2**64 - 1), "float32 NaN": np.float32("nan"),
        "Decimal": decimal.Decimal(3), "a date": datetime.date(2020, 1, 1), "1j": 1j, "a dict": {"a": 1}, "no dict": {},
        "a set": {1.0}, "a class": int, "no repr": Mute(), "ragged": [[1.0, 2.0], [3.0]], "whole": [1, 2, 3],
        "no list": [], "a list in a list": [[]], "itself": holding_itself(), "Nones": [None, None],
        "words": ["a", "b"], "many bytes": [b"a", b"b"], "mixed": [1, "a", None], "large": [2**70, 1],
        "twice": [1, 1], "NaNs": [float("nan")] * 8, "low-bit": LOW, "floats": FLOATS, "bits": BITS, "int8": INT8,
        "apart": APART, "ranges": RANGES, "a quantizer": QUANTIZER, "an index": FlatIndex(X),
        "a result": ec.search(X, X, 2), "queries": ec.prepare(X, X), "a scale": APART.scale,
        "a profile": ec.PROFILES["openai"], "profiles": ec.PROFILES, "a path": folder / "a.safetensors",
        "no such file": folder / "nothing.safetensors", "a folder": folder, "requests": folder / "requests.jsonl",
        "no path": NoPath(), "a column": pyarrow.array(X.tolist()), "a table": pyarrow.table({"a": X.tolist()}),
        "texts of Arrow": pyarrow.array(["a"]), "a series": polars.Series(X.tolist()),
        "a frame": polars.DataFrame({"a": [1.0, 2.0]}), "of pandas": pandas.DataFrame(X),
        "objects of pandas": pandas.Series(["a", None]), "a range": range(6), "...": ..., "a slice": slice(None),
        "an error": ValueError("x"), "a type": Embeddings,
    }  # fmt: skip
    arrays: dict[str, Any] = {
        "3 axes": np.zeros((2, 2, 2), np.float32), "no axes": np.array(1.5), "no rows": X[:0], "no columns": X[:, :0],
        "a row": X[0], "float64": X.astype(float), "float16": X.astype(np.float16),
        "longdouble": X.astype(np.longdouble),
        "big-endian": X.astype(">f4"), "fortran": np.asfortranarray(X), "strided": X[:, ::2], "backwards": X[::-1],
        "complex": X.astype(complex), "objects": np.array([["a", Mute()]], object),
        "dates": np.zeros((2, 8), "M8[s]"), "booleans": X > 0, "texts": np.array([["a", "b"]]),
        "bytes of NumPy": np.array([b"a", b"b"]), "records": np.zeros(3, [("a", "f4")]), "void": np.zeros((2, 8), "V2"),
        "masked": np.ma.masked_array(X, X > 0), "NaN rows": np.full((6, 8), np.nan, np.float32),
        "large floats": np.full((6, 8), 3e38, np.float32), "beyond float32": np.full((6, 8), 1e300),
        "subnormal": np.full((6, 8), 1e-45, np.float32), "zeros": np.zeros((6, 8), np.float32),
        "int8 rows": np.ones((6, 8), np.int8), "uint8 rows": np.ones((6, 1), np.uint8), "ids": np.arange(6),
        "uint64 ids": np.arange(6, dtype=np.uint64), "a mask": np.ones(6, bool), "a short mask": np.ones(3, bool),
        "negative": np.full(6, -1), "last ids": np.full(6, 2**63 - 1), "a matrix": np.matrix(X),
    }  # fmt: skip
    fresh: dict[str, Callable[[], Any]] = {
        "a generator": lambda: (row for row in X),
        "an iterator": lambda: iter([1, 2]),
        "an open file": lambda: io.BytesIO((folder / "a.npy").read_bytes()),
        "a text file": lambda: io.StringIO("abc"),
        "a COPY": lambda: io.BytesIO((folder / "copy").read_bytes()),
        "a function": lambda: lambda *_: None,
    }
    made = {name: lambda value=value: value for name, value in plain.items()}
    return {**made, **{name: array.copy for name, array in arrays.items()}, **fresh}


def write_files(folder: Path) -> None:
    """Write what the calls read."""
    for suffix in (".safetensors", ".npy", ".npz", ".parquet", ".fbin"):
        ec.save(folder / f"a{suffix}", FLOATS)
    np.savez(folder / "ids.npz", ids=np.arange(6), rows=X)
    FlatIndex(X).save(folder / "index.safetensors")
    QUANTIZER.save(folder / "quantizer.npz")
    bodies = [{"status_code": 200, "body": json.loads(ec.encode_response(X[i : i + 1], model="m"))} for i in range(6)]
    lines = [json.dumps({"custom_id": str(i), "response": body}) for i, body in enumerate(bodies)]
    (folder / "b.jsonl").write_text("\n".join(lines))
    ec.write_batch(folder / "requests.jsonl", ["a", "b"], model="m")
    with (folder / "copy").open("wb") as file:
        ec.write_pgcopy(file, FLOATS, range(6))


Call = tuple[Callable[..., Any], Callable[[], dict[str, Any]]]


def calls(folder: Path) -> dict[str, Call]:
    """Return functions, and arguments that each takes."""

    def new(suffix: str = "") -> Path:
        return folder / f"new{next(NUMBER)}{suffix}"

    def filled() -> ec.Collection:
        made = ec.Collection.create(new(), like=X)
        made.append(X, ids=[f"row {row}" for row in range(6)])
        return made

    def given(**arguments: Any) -> Callable[[], dict[str, Any]]:
        return lambda: dict(arguments)

    def copied() -> io.BytesIO:
        return io.BytesIO((folder / "copy").read_bytes())

    full, client = filled(), ec.Client(api_key="k", base_url="http://127.0.0.1:9", max_retries=0, timeout=1)
    lowbit, bounded = FlatIndex(LOW, rescore_with=X), FlatIndex(QUANTIZER.encode(X), rescore_with=X)
    body, rows = ec.encode_response(FLOATS, model="m"), X.tolist()
    kinds = {"output_dtype": None, "dimension": None, "float_dtype": None, "max_bytes": None}
    reading = {**kinds, "column": None, "id_column": None, "batch_rows": 9, "profile": "mistral", "failed": None}
    reading |= {"storage_options": None, "on_error": "raise"}
    asked: dict[str, Any] = {"k": 2, "metric": None, "mask": None, "query_precision": "int8", "threads": None}
    staged = {**asked, "queries": X, "rescore_multiplier": 4, "confidence": None}
    bits: dict[str, Any] = {"bit_order": "msb", "signed_bytes": "offset", "out": None, "threads": None}
    settings: dict[str, Any] = {"api_key": "k", "base_url": "http://localhost:1", "profile": "mistral", "timeout": 1}
    settings |= {"max_retries": 0, "concurrency": 1, "retry_seconds": 1}
    typed: dict[str, Any] = {"output_dtype": "float", "dimension": 8}
    decoded = {**typed, "profile": "mistral", "nulls": "nan", "threads": None}
    lines: dict[str, Any] = {**decoded, "path": folder / "b.jsonl", "max_line_bytes": 9999, "max_bytes": None}
    whole: dict[str, Any] = {"output_dtype": "float", "scale": None}
    one = lambda function, **options: lambda value: function([value], **options)  # noqa: E731
    study = ec.study(
        np.random.default_rng(1).standard_normal((60, 8)).astype("f4"), k=1, rotation="none", codes=["int8"]
    )
    return {
        "Embeddings": (Embeddings, given(**typed, values=X, scale=None, signed_bytes="offset", bit_order="msb")),
        "Embeddings, int8": (Embeddings, given(values=INT8.values, output_dtype="int8", dimension=8, scale=None)),
        "Embeddings.to": (FLOATS.to, given(output_dtype="int8", scale=None, signed_bytes=None, bit_order=None)),
        "Embeddings.to, bits": (BITS.to, given(output_dtype="binary", scale=None, signed_bytes=None, bit_order=None)),
        "Embeddings.to_float": (INT8.to_float, given(out=None, threads=None)),
        "Embeddings.truncate": (BITS.truncate, given(dimension=3)),
        "LowBitCodes.to": (LOW.to, given(output_dtype="int8", scale=None)),
        "LowBitCodes.to_float": (LOW.to_float, given(threads=None)),
        "LowBitCodes.estimate": (LOW.estimate, given(queries=X)),
        "Scale": (ec.Scale, given(kind="per-vector", values=[1.0])),
        "Scale, ranges": (ec.Scale, given(kind="ranges", values=[[0.0], [1.0]])),
        "Scale.truncate": (RANGES.scale.truncate, given(dimension=3)),  # type: ignore[union-attr]
        "OutputDtype.row_bytes": (ec.OutputDtype("ubinary").row_bytes, given(dimension=8)),
        "Profile": (ec.Profile, given(**{f.name: getattr(ec.PROFILES["mistral"], f.name) for f in fields(ec.Profile)})),
        "Profile.dtype_name": (ec.PROFILES["cohere"].dtype_name, given(output_dtype="int8")),
        "Summary": (ec.Summary, given(rows=10)),
        "Summary.update": (lambda sample: ec.Summary().update(sample), given(sample=X)),
        "Summary.merge": (lambda other: ec.Summary().merge(other), given(other=ec.Summary())),
        "calibrate": (ec.calibrate, given(sample=X, method="quantile", quantile=0.9, threads=None)),
        "compile_metric": (ec.compile_metric, given(function=None, output_dtype="float", lower_is_better=True)),
        "concat": (ec.concat, given(parts=[X, X])),
        "concat, a part": (one(ec.concat), given(value=X)),
        "decode_base64": (ec.decode_base64, given(text="AAAA", dtype="int8", out=None)),
        "decode_base64, a list": (ec.decode_base64, given(text=["AAAA"], dtype="int8", out=None)),
        "encode_base64": (ec.encode_base64, given(rows=X)),
        "format_floats": (ec.format_floats, given(rows=X, threads=None)),
        "parse_floats": (ec.parse_floats, given(text="[1,2]", out=None)),
        "pack_bits": (ec.pack_bits, given(**bits, x=X, threshold=0.0)),
        "unpack_bits": (ec.unpack_bits, given(**bits, codes=BITS.values, dimension=8, dtype=np.uint8)),
        "quantize": (ec.quantize, given(**bits, x=X, output_dtype="int8", scale="per-vector")),
        "dequantize": (ec.dequantize, given(embeddings=INT8, out=None, threads=None)),
        "truncate": (ec.truncate, given(x=X, dimension=3)),
        "decode_response": (ec.decode_response, given(**decoded, body=body, expected_count=6)),
        "decode_octets": (
            ec.decode_octets,
            given(body=bytes(32), metadata=None, dimension=8, profile="vllm", nulls="error", expected_count=None),
        ),
        "encode_response": (
            ec.encode_response,
            given(embeddings=FLOATS, model="m", encoding_format="base64", usage=None, id=None, profile="openai"),
        ),
        "service_error": (ec.service_error, given(body=b"{}", status=400, headers={"retry-after": "1"})),
        "iter_batch": (lambda threads, **named: list(ec.iter_batch(**named)), given(**lines)),
        "decode_batch": (ec.decode_batch, given(**lines, out=None, progress=None)),
        "BatchResult.in_order": (ec.decode_batch(folder / "b.jsonl").in_order, given(custom_ids=["1"])),
        "write_batch": (
            ec.write_batch,
            lambda: {"path": new(".jsonl"), "texts": ["a", "b"], "model": "m", "style": "mistral", "custom_ids": None,
                     "inputs_per_line": 1, "extra": "x"},
        ),
        "search": (ec.search, given(**asked, queries=X, corpus=X, ids=None, progress=None)),
        "search, bits": (ec.search, given(**asked, queries=BITS, corpus=BITS)),
        "search, low-bit": (ec.search, given(**asked, queries=X, corpus=LOW)),
        "range_search": (
            ec.range_search,
            given(queries=X, corpus=X, threshold=0.5, metric=None, mask=None, query_precision="int8", threads=None),
        ),
        "rescore": (
            ec.rescore,
            given(queries=X, candidates=[[0, 1]] * 6, corpus=X, k=1, metric=None, bounded_by=LOW, confidence=0.9),
        ),
        "prepare": (ec.prepare, given(queries=X, like=X, metric=None, query_precision="int8")),
        "merge_topk": (ec.merge_topk, given(parts=[ec.search(X, X, 2)] * 2, k=2, metric="cosine")),
        "merge_topk, a part": (one(ec.merge_topk, k=2, metric="cosine"), given(value=ec.search(X, X, 2))),
        "QueryCenter.of": (ec.QueryCenter.of, given(sample=X)),
        "FlatIndex": (FlatIndex, given(codes=BITS, quantizer=None, rescore_with=X, ids=list(range(6)))),
        "FlatIndex, quantizer": (FlatIndex, given(codes=X, quantizer=QUANTIZER, rescore_with=X)),
        "FlatIndex.add": (lambda **named: FlatIndex(BITS, rescore_with=X).add(**named),
                          given(codes=BITS, rescore_with=X, ids=None)),
        "FlatIndex.remove": (lambda ids: FlatIndex(np.vstack([X, X])).remove(ids), given(ids=[1])),
        "FlatIndex.search": (lowbit.search, given(**staged)),
        "FlatIndex.search, exact": (partial(bounded.search, exact=True), given(**asked, queries=X)),
        "FlatIndex.save": (FlatIndex(X).save, lambda: {"path": new(".safetensors")}),
        "FlatIndex.load": (FlatIndex.load, given(path=folder / "index.safetensors")),
        "LowBitQuantizer": (
            ec.LowBitQuantizer,
            given(bits=1, bytes_per_vector=None, recall=None, rotation="none", shaping="none", center="none", seed=0,
                  lengths="auto"),
        ),
        "LowBitQuantizer.fit": (ec.LowBitQuantizer(1, rotation="none").fit, given(sample=X, queries=X, progress=None)),
        "LowBitQuantizer.encode": (QUANTIZER.encode, given(x=X, threads=None)),
        "LowBitQuantizer.decode": (QUANTIZER.decode, given(codes=LOW, threads=None)),
        "LowBitQuantizer.save": (QUANTIZER.save, lambda: {"path": new(".npz")}),
        "LowBitQuantizer.load": (ec.LowBitQuantizer.load, given(path=folder / "quantizer.npz", max_bytes=None)),
        "Collection": (ec.Collection, given(path=full._folder.path, lock_timeout=10)),
        "Collection.create": (
            ec.Collection.create, lambda: {"path": new(), "like": BITS, "rescore_with": X, "lock_timeout": 10}
        ),
        "Collection.append": (lambda **named: ec.Collection.create(new(), like=BITS, rescore_with=X).append(**named),
                              given(rows=BITS, rescore_with=X, ids=list(range(6)))),
        "Collection.compact": (full.compact, given(shard_bytes=2**20)),
        "Collection.ids_of": (full.ids_of, given(texts=["row 1"])),
        "Collection.text_ids": (full.text_ids, given(ids=[1])),
        "Collection.remove": (lambda ids: filled().remove(ids), given(ids=[1])),
        "Collection.ingest": (lambda **named: ec.Collection.create(new(), like=X).ingest(**named),
                              given(**reading, paths=[folder / "a.parquet"], progress=None)),
        "Collection.search": (full.search, given(**staged, scheduler=None)),
        "save": (ec.save, lambda: {"path": new(".safetensors"), "embeddings": FLOATS, "float_dtype": "float32"}),
        "load": (ec.load, given(**typed, path=folder / "a.npy", column=None, float_dtype=None, max_bytes=None)),
        "load, typed": (ec.load, given(**kinds, path=folder / "a.parquet", column="embedding")),
        "load_ids": (ec.load_ids, given(path=folder / "ids.npz", column="ids", max_bytes=None)),
        "iter_load": (lambda **named: next(ec.iter_load(**named)), given(**reading, paths=[folder / "a.parquet"])),
        "iter_load, a path": (lambda path: next(ec.iter_load([path])), given(path=folder / "a.npy")),
        "search_files": (
            ec.search_files, given(**reading, queries=X, paths=[folder / "a.npy"], k=2, metric=None, threads=None)
        ),
        "encode_batch": (
            ec.encode_batch,
            given(record_batch=pyarrow.record_batch({"a": rows, "b": [0] * 6}), column="a", to="int8", keep=["b"]),
        ),
        "from_arrow": (
            ec.from_arrow,
            given(column=pyarrow.array(INT8.values.tolist(), pyarrow.list_(pyarrow.int8(), 8)), output_dtype="int8",
                  dimension=8, scale=None, signed_bytes=None, bit_order=None, name=None),
        ),
        "from_dlpack": (ec.from_dlpack, given(**typed, tensor=X, scale=None, signed_bytes="offset", bit_order="msb")),
        "from_elasticsearch": (ec.from_elasticsearch, given(**whole, values=rows)),
        "from_bson_vector": (ec.from_bson_vector, given(blobs=[b"\x03\0ab"], scale=None)),
        "from_bson_vector, a row": (one(ec.from_bson_vector), given(value=b"\x03\0ab")),
        "from_elasticsearch, a row": (one(ec.from_elasticsearch), given(value=[1.0])),
        "from_faiss": (ec.from_faiss, given(index=None, scale=None)),
        "from_milvus": (ec.from_milvus, given(**whole, values=rows, float_dtype="float32")),
        "from_milvus, a row": (one(ec.from_milvus, output_dtype="int8"), given(value=b"ab")),
        "from_pgvector": (ec.from_pgvector, given(rows=["[1,2]"], kind="vector")),
        "from_pgvector, a row": (one(ec.from_pgvector), given(value="[1]")),
        "from_qdrant": (ec.from_qdrant, given(**whole, vectors=rows)),
        "from_qdrant, a row": (one(ec.from_qdrant), given(value=[1.0])),
        "from_redis": (ec.from_redis, given(**whole, blobs=[X[0].tobytes()], float_dtype="float32")),
        "from_redis, a row": (one(ec.from_redis), given(value=bytes(4))),
        "from_s3_vectors": (ec.from_s3_vectors, given(vectors=[{"key": "a", "data": {"float32": [1.0]}}])),
        "from_s3_vectors, a row": (one(ec.from_s3_vectors), given(value={"key": "a", "data": {"float32": [1.0]}})),
        "from_s3_vectors, numbers": (
            lambda value: ec.from_s3_vectors([{"key": "a", "data": {"float32": value}}]), given(value=[1.0])
        ),
        "from_sqlite_vec": (ec.from_sqlite_vec, given(**whole, blobs=[X[0].tobytes()])),
        "from_sqlite_vec, a row": (one(ec.from_sqlite_vec), given(value=bytes(4))),
        "from_vespa": (ec.from_vespa, given(**whole, values=rows, float_dtype="float32")),
        "from_vespa, a row": (one(ec.from_vespa), given(value=[1.0])),
        "from_vespa, values": (lambda value: ec.from_vespa([{"values": value}]), given(value=[1.0])),
        **{name: (getattr(ec, name), given(embeddings=FLOATS)) for name in
           ("to_elasticsearch", "to_faiss", "to_qdrant", "to_sqlite_vec", "to_pgvector", "to_bson_vector")},
        **{name: (getattr(ec, name), given(embeddings=FLOATS, float_dtype="float32")) for name in
           ("to_arrow", "to_milvus", "to_redis", "to_vespa")},
        "to_s3_vectors": (ec.to_s3_vectors, given(embeddings=FLOATS, keys=list("abcdef"), metadata=[None] * 6)),
        "to_s3_vectors, a row": (
            lambda key, words: list(ec.to_s3_vectors(X[:1], [key], [words])), given(key="a", words=None)
        ),
        "read_pgcopy": (ec.read_pgcopy, lambda: {"file": copied(), "columns": {"id": "bigint", "embedding": None}}),
        "read_pgcopy, a type": (
            lambda kind: ec.read_pgcopy(copied(), {"id": kind, "embedding": None}), given(kind="bigint")
        ),
        "iter_pgcopy": (lambda **named: list(ec.iter_pgcopy(**named)),
                        lambda: {"file": copied(), "columns": None, "batch_rows": 2}),
        "write_pgcopy": (
            ec.write_pgcopy,
            lambda: {"file": io.BytesIO(), "embeddings": FLOATS, "ids": range(6), "id_type": "bigint", "columns": None,
                     "types": None},
        ),
        **{
            f"write_pgcopy, {kind}": (
                lambda value, kind=kind: ec.write_pgcopy(
                    io.BytesIO(), X[:1], [1], columns={"c": [value]}, types={"c": kind}
                ),
                given(value=None),
            )
            for kind in ("text", "real", "jsonb", "bigint", "uuid", "boolean", "timestamp", "date", "bytea", "smallint")
        },
        "write_vespa": (
            ec.write_vespa,
            lambda: {"file": io.BytesIO(), "embeddings": FLOATS, "ids": range(6), "namespace": "n",
                     "document_type": "d", "field": "embedding", "fields": None, "float_dtype": "float32"},
        ),
        "write_vespa, a row": (
            lambda id, value: ec.write_vespa(
                io.BytesIO(), X[:1], [id], namespace="n", document_type="d", fields={"t": [value]}
            ),
            given(id=1, value="x"),
        ),
        "study": (
            ec.study,
            given(vectors=X, queries=None, relevant=None, dimensions=[4], k=1, multipliers=[2], sample=100,
                  codes=["int8"], rotation="none", seed=0, threads=None, progress=None),
        ),
        "Study.recommend": (study.recommend, given(target=0.5, store=None)),
        "Client": (ec.Client, given(**settings)),
        "AsyncClient": (ec.AsyncClient, given(**settings)),
        "Client.embed": (
            client.embed,
            given(texts=[], model="m", output_dtype="float", output_dimension=8, encoding_format=None, progress=None,
                  resume=None, extra=None),
        ),
    }  # fmt: skip
