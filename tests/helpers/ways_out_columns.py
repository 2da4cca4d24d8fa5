"""Ways out of what columns, tables, stores and files of others hold: cases of ``test_ways_out``."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet
import ways_out_stores

import embcodec as ec
from embcodec import Embeddings, FlatIndex, Scale, quantize

X = np.random.default_rng(1).standard_normal((4, 12)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
BYTES = np.arange(6, dtype=np.uint8).reshape(2, 3)
FLOATS, BITS, EACH = Embeddings(X), quantize(X, "ubinary"), quantize(X, "int8", scale="per-vector")
LOW_BIT = ec.LowBitQuantizer(2, rotation="none").fit(X)
TABLE = pyarrow.table({"embedding": list(X)})
FRAME = pandas.DataFrame({"id": range(4), "embedding": list(X)})


class Record:
    """A row as OpenAI's client has it."""

    def __init__(self, embedding: Any) -> None:
        self.embedding = embedding


NUMBERED = pandas.DataFrame({"id": [7, 8], "x": [0.5, 1.0]})
MISSING = pandas.Series([1.0, None], dtype="Float64")
STRUCTS = polars.Series([{"a": 1.0, "b": 2.0}])
NESTED = polars.Series([[[1.0, 2.0]], [[3.0, 4.0]]])
MIXED = polars.DataFrame({"embedding": [[1.0, 2.0]], "a": [1.0], "day": [date(2024, 1, 1)]})
WITH_NULL = pyarrow.concat_arrays([ec.to_arrow(EACH), pyarrow.nulls(1, ec.to_arrow(EACH).type)])
LISTS_ONLY = replace(ec.PROFILES["mistral"], base64_payload="none")
MASKED = np.ma.masked_array([1, 2, 3, 0], [1, 0, 0, 0])
HUGE = X * np.float32(1e30)
WITH_SCALES = pyarrow.table({"embedding": list(EACH.values), "scale": EACH.scale.values})  # type: ignore[union-attr]
BLOBS = ec.to_sqlite_vec(X)
DIGITS = [text.encode() for text in ec.to_elasticsearch(ec.quantize(X.repeat(2, axis=1) / 2, "int8"))]
BASE64 = [ec.encode_base64(row).encode() for row in X]
TEXTS = ["[1,2]", "[3,4]"]


def _copied(path: Path) -> None:
    with (path / "x.copy").open("wb") as file:
        ec.write_pgcopy(file, X)


def _saved(path: Path, array: Any) -> Path:
    np.save(path / "x.npy", array)
    return path / "x.npy"


def _scaled() -> pyarrow.Array:
    return ec.to_arrow(EACH).storage


def _of_ranges() -> pyarrow.Array:
    return ec.to_arrow(quantize(X, "int8", scale=ec.calibrate(X)))


def _wide() -> pyarrow.Table:
    return pyarrow.table({f"d{i}": column for i, column in enumerate(X.T)})


def _truth(path: Path) -> Path:
    (path / "x.ibin").write_bytes(np.array([1, 2, 7, 3], "<i4").tobytes())
    return path / "x.ibin"


def _zipped(path: Path) -> Path:
    (path / "x.jsonl.gz").write_bytes(gzip.compress(b'{"data": [{"embedding": [1]}]}'))
    return path / "x.jsonl.gz"


def _own(path: Path, rows: Any = FLOATS, suffix: str = ".safetensors") -> Path:
    ec.save(path / f"x{suffix}", rows)
    return path / f"x{suffix}"


def _of_npz(folder: Path, chosen: Callable[[Any], Any]) -> Embeddings:
    np.savez(folder / "x.npz", a=X)
    with np.load(folder / "x.npz") as file:
        return Embeddings(chosen(file))


Case = tuple[Callable[[Path], Any], str, tuple[Callable[[Path], Any], ...]]


def _written(folder: Path, table: Any) -> Path:
    pyarrow.parquet.write_table(table, folder / "rows.parquet")
    return folder / "rows.parquet"


def _beside_names(column: Any) -> Any:
    return pyarrow.table({"id": ["a"] * len(column), "e": column})


JSON_TEXTS = [str(row.tolist()) for row in X]
AS_BYTES: tuple[str, Callable[[Any], Any]] = (
    r"embcodec\.from_sqlite_vec\(table\['e'\]\.to_pylist\(\), 'float'\) reads little-endian float32 bytes",
    lambda table: ec.from_sqlite_vec(table["e"].to_pylist(), "float").values,
)

CASES: dict[str, Case] = {
    **ways_out_stores.CASES,
    "rows that are text": (
        lambda p: quantize(pandas.Series(TEXTS, dtype=object), "int8"),
        r"text, not numbers: element 0 is a str: embcodec\.parse_floats\('\[' \+ ','\.join\(texts\) \+ '\]'\)",
        (lambda p: Embeddings(ec.parse_floats("[" + ",".join(pandas.Series(TEXTS)) + "]")),),
    ),
    "a list of rows that are text": (
        lambda p: quantize(TEXTS, "int8"),
        r"real numbers, not <U5: embcodec\.parse_floats\('\[' \+ ','\.join\(texts\) \+ '\]'\)",
        (lambda p: Embeddings(ec.parse_floats("[" + ",".join(TEXTS) + "]")),),
    ),
    "a whole frame": (
        lambda p: FlatIndex(FRAME),
        r"row 0, element 1 is a row by itself: pass the column of rows alone, as frame\['embedding'\]",
        (lambda p: FlatIndex(FRAME["embedding"], ids=FRAME["id"]),),
    ),
    "a table of a column a dimension": (
        lambda p: ec.from_arrow(_wide()),
        r"d1: float.*: Embeddings\(table\.to_pandas\(\)\) takes a column a dimension",
        (lambda p: np.testing.assert_array_equal(Embeddings(_wide().to_pandas()).values, X),),
    ),
    **{
        f"a table with rows as {kind}": (
            lambda p, column=column: ec.load(_written(p, _beside_names(column))),
            rf"id: string, e: [a-z_\[\d\]]+: {way}",
            (lambda p, column=column, read=read: np.testing.assert_array_equal(read(_beside_names(column)), X),),
        )
        for kind, column, way, read in (
            ("bytes", pyarrow.array([row.tobytes() for row in X]), *AS_BYTES),
            (
                "bytes of one length",
                pyarrow.array([row.tobytes() for row in X], pyarrow.binary(X[0].nbytes)),
                *AS_BYTES,
            ),
        )
    },
    "a table with rows as text": (
        lambda p: ec.load(_written(p, pyarrow.table({"e": JSON_TEXTS}))),
        r"e: string: embcodec\.parse_floats\('\[' \+ ','\.join\(table\['e'\]\.to_pylist\(\)\) \+ '\]'\) reads rows",
        (lambda p: np.testing.assert_array_equal(ec.parse_floats("[" + ",".join(JSON_TEXTS) + "]"), X),),
    ),
    "bytes as floats": (
        lambda p: ec.load(_saved(p, BYTES), output_dtype="float"),
        r"uint8 rows are codes: output_dtype='uint8', whose .*Embeddings\(rows\.values\.astype\(np\.float32\)\) takes",
        (
            lambda p: ec.load(_saved(p, BYTES), output_dtype="uint8").to_float(),
            lambda p: Embeddings(ec.load(_saved(p, BYTES), output_dtype="uint8").values.astype(np.float32)),
        ),
    ),
    "bits that are not packed, as bytes of them": (
        lambda p: Embeddings((X > 0).astype(int).tolist(), "ubinary"),
        r"a bit each: quantize\(rows, 'ubinary'\) packs rows of output_dtype='float'",
        (
            lambda p: ec.quantize(Embeddings((X > 0).astype(int).tolist(), output_dtype="float"), "ubinary"),
            lambda p: ec.quantize(ec.load(_saved(p, (X > 0).astype(int)), output_dtype="float"), "ubinary"),
        ),
    ),
    "codes and their scales alone": (
        lambda p: ec.from_arrow(_scaled()),
        "nothing that says what they are: say output_dtype='int8'",
        (lambda p: ec.from_arrow(_scaled(), output_dtype="int8"),),
    ),
    "rows of codes and their scales": (
        lambda p: Embeddings(_scaled(), "int8"),
        r"embcodec\.from_arrow\(column, 'int8'\) reads int8 codes and their scales",
        (lambda p: ec.from_arrow(_scaled(), "int8"),),
    ),
    "codes of ranges of which nothing is said": (
        lambda p: ec.from_arrow(_of_ranges().storage, "int8"),
        r"embcodec\.from_arrow\(table\) reads it where .* embcodec\.from_arrow\(pyarrow\.compute\.struct_field",
        (
            lambda p: ec.from_arrow(pyarrow.table({"e": _of_ranges()})),
            lambda p: ec.from_arrow(
                pyarrow.compute.struct_field(_of_ranges().storage, "codes"),
                output_dtype="int8",
                scale=ec.Scale.ranges(ec.calibrate(X)),
            ),
        ),
    ),
    "a path for rows": (
        lambda p: FlatIndex(p / "x.npy"),  # type: ignore[arg-type]
        r"is no array of numbers: embcodec\.load\(path\) reads a file",
        (lambda p: (ec.save(p / "x.npy", X), FlatIndex(ec.load(p / "x.npy"))),),
    ),
    "a path as text for rows": (
        lambda p: FlatIndex(str(p / "x.npy")),
        r"real numbers, not <U\d+: embcodec\.load\(path\) reads a file",
        (lambda p: (ec.save(p / "x.npy", X), FlatIndex(ec.load(str(p / "x.npy")))),),
    ),
    "several arrays for rows": (
        lambda p: _of_npz(p, lambda x: x),
        r"an NpzFile is several arrays: pass one of them, as x\['a'\]",
        (lambda p: _of_npz(p, lambda x: x["a"]),),
    ),
    "rows of a cursor": (
        lambda p: ec.from_sqlite_vec([(7, blob) for blob in BLOBS]),  # type: ignore[misc]
        r"row 0 is of type tuple, not bytes: pass \[row\[1\] for row in rows\]",
        (lambda p: ec.from_sqlite_vec([row[1] for row in [(7, blob) for blob in BLOBS]]),),
    ),
    "rows of a cursor as text": (
        lambda p: ec.from_pgvector([("[0.5,1]",)]),  # type: ignore[list-item]
        r"row 0 is of type tuple, not bytes: pass \[row\[0\] for row in rows\]",
        (lambda p: ec.from_pgvector([row[0] for row in [("[0.5,1]",)]]),),
    ),
    "columns as rows": (
        lambda p: Embeddings([(7, blob) for blob in BLOBS]),
        r"real numbers, not \|S\d+: of rows of columns pass one, as \[row\[0\] for row in rows\]",
        (lambda p: ec.from_sqlite_vec([row[1] for row in [(7, blob) for blob in BLOBS]]),),
    ),
    "text for blobs": (
        lambda p: ec.from_sqlite_vec(TEXTS),  # type: ignore[arg-type]
        r"row 0 is of type str, not bytes: "
        r"Embeddings\(embcodec\.parse_floats\('\[' \+ ','\.join\(rows\) \+ '\]'\)\) reads",
        (lambda p: Embeddings(ec.parse_floats("[" + ",".join(TEXTS) + "]")),),
    ),
    "texts in bytes for texts": (
        lambda p: ec.from_elasticsearch(DIGITS, "int8"),
        r"row 0 is text in bytes: pass \[row\.decode\(\) for row in rows\]",
        (lambda p: ec.from_elasticsearch([row.decode() for row in DIGITS], "int8"),),
    ),
    "hexadecimal digits for rows": (
        lambda p: Embeddings(DIGITS),
        r"embcodec\.from_elasticsearch\(\[row\.decode\(\) for row in rows\], 'int8'\) reads",
        (lambda p: ec.from_elasticsearch([row.decode() for row in DIGITS], "int8"),),
    ),
    "hexadecimal digits for blobs": (
        lambda p: ec.from_sqlite_vec(DIGITS, "int8"),
        r"row 0 is hexadecimal text, not the bytes of a row: embcodec\.from_elasticsearch\(",
        (lambda p: ec.from_elasticsearch([row.decode() for row in DIGITS], "int8"),),
    ),
    "base64 for rows": (
        lambda p: Embeddings(BASE64),
        r"embcodec\.decode_base64\(list\(rows\), np\.float32\) reads",
        (lambda p: Embeddings(ec.decode_base64(list(BASE64), np.float32)),),
    ),
    "JSON in bytes for rows": (
        lambda p: Embeddings([text.encode() for text in TEXTS]),
        r"embcodec\.parse_floats\(b'\[' \+ b','\.join\(rows\) \+ b'\]'\) reads",
        (lambda p: Embeddings(ec.parse_floats(b"[" + b",".join(text.encode() for text in TEXTS) + b"]")),),
    ),
    "a list of Embeddings": (
        lambda p: Embeddings([Embeddings(X), Embeddings(X)]),
        r"a list of Embeddings is no array of numbers: concat\(rows\) joins them",
        (lambda p: ec.concat([Embeddings(X), Embeddings(X)]),),
    ),
    "records of a client": (
        lambda p: Embeddings([Record(row) for row in X]),
        r"element 0 is a Record: pass \[row\.embedding for row in rows\]",
        (lambda p: Embeddings([row.embedding for row in [Record(row) for row in X]]),),
    ),
    "records of a table": (
        lambda p: Embeddings([{"id": 7, "vector": list(row)} for row in X]),
        r"row 0 is a dict, not a row of numbers: pass \[row\['vector'\] for row in rows\]",
        (lambda p: Embeddings([row["vector"] for row in [{"id": 7, "vector": list(row)} for row in X]]),),
    ),
    "numbers that are text": (
        lambda p: Embeddings(np.array([["0.5", "-1e3"]], object)),
        r"row 0, element 0 is a str: \.astype\(np\.float32\) reads numbers that are text",
        (lambda p: Embeddings(np.array([["0.5", "-1e3"]], object).astype(np.float32)),),
    ),
    "numbers of rows among floats": (
        lambda p: Embeddings(NUMBERED),
        r"column 'id' has the rows' numbers, which are no dimension: pass frame\.drop\(columns='id'\)",
        (
            lambda p: Embeddings(NUMBERED.drop(columns="id")),
            lambda p: Embeddings(polars.DataFrame({"id": [7, 8], "x": [0.5, 1.0]}).drop("id")),
        ),
    ),
    "ids that are floats": (
        lambda p: FlatIndex(X, ids=np.arange(4.0)),
        r"convert them, as with \.astype\(np\.int64\)",
        (lambda p: FlatIndex(X, ids=np.arange(4.0).astype(np.int64)),),
    ),
    "a null among ids": (
        lambda p: FlatIndex(X, ids=pyarrow.array([1, 2, 3, None])),
        "row 3 is null among the ids: drop such rows",
        (lambda p: FlatIndex(X[:3], ids=pyarrow.array([1, 2, 3])),),
    ),
    "a search's result as candidates": (
        lambda p: ec.rescore(X, ec.search(X, X, 2), X, 1),
        "candidates are whole numbers, rows of the corpus: pass found.indices of a search's result",
        (lambda p: ec.rescore(X, ec.search(X, X, 2).indices, X, 1),),
    ),
    "scores as candidates": (
        lambda p: ec.rescore(X, ec.search(X, X, 2).scores, X, 1),
        "not float32: of a search's result pass found.indices",
        (lambda p: ec.rescore(X, ec.search(X, X, 2).indices, X, 1),),
    ),
    "a masked mask": (
        lambda p: ec.search(X, X, 1, mask=MASKED.astype(bool)),
        r"fill them first, with \.filled\(value\)",
        (lambda p: ec.search(X, X, 1, mask=MASKED.astype(bool).filled(False)),),
    ),
    "masked scales": (
        lambda p: Scale.per_vector(MASKED),
        r"masked scales and ranges: fill them first, with \.filled\(value\)",
        (lambda p: Scale.per_vector(MASKED[:3].filled(1)),),
    ),
    "a table": (
        lambda p: Embeddings(TABLE),
        r"pass one, as table\['embedding'\], or read it with from_arrow\(table\)",
        (lambda p: Embeddings(TABLE["embedding"]), lambda p: ec.from_arrow(TABLE)),
    ),
    "a missing number": (
        lambda p: Embeddings(pandas.DataFrame({"a": MISSING})),
        "row 1 is missing, not a number: drop such rows, or fill them",
        (
            lambda p: Embeddings(pandas.DataFrame({"a": MISSING}).dropna()),
            lambda p: Embeddings(pandas.DataFrame({"a": MISSING}).fillna(0.0)),
        ),
    ),
    "a lazy frame": (
        lambda p: Embeddings(MIXED[["a"]].lazy()),  # type: ignore[arg-type]
        r"pass \.collect\(\)",
        (lambda p: Embeddings(MIXED[["a"]].lazy().collect()),),
    ),
    "a column of structs": (
        lambda p: Embeddings(STRUCTS),
        r"\.struct\.unnest\(\) makes columns of them",
        (lambda p: Embeddings(STRUCTS.struct.unnest()),),
    ),
    "a column of nested lists": (
        lambda p: Embeddings(NESTED),
        r"\.explode\(\) unnests it by one level",
        (lambda p: Embeddings(NESTED.explode()),),
    ),
    "a frame with a column of rows": (
        lambda p: Embeddings(MIXED[["embedding", "a"]]),
        r"pass it alone, as frame\['embedding'\]",
        (lambda p: Embeddings(MIXED["embedding"]),),
    ),
    "a frame with dates": (
        lambda p: Embeddings(MIXED[["a", "day"]]),
        "pass the columns of numbers alone",
        (lambda p: Embeddings(MIXED[["a"]]),),
    ),
    "a column of codes": (
        lambda p: Embeddings(polars.from_arrow(ec.to_arrow(EACH))),
        r"from_arrow\(column\.to_arrow\(\)\) reads it",
        (lambda p: ec.from_arrow(polars.from_arrow(ec.to_arrow(EACH)).to_arrow()),),
    ),
    "a null among codes": (
        lambda p: ec.from_arrow(WITH_NULL),
        "row 4 is null, not a row of codes: drop such rows",
        (lambda p: ec.from_arrow(WITH_NULL.drop_null()),),
    ),
    "a name for one column": (
        lambda p: ec.from_arrow(TABLE["embedding"], name="embedding"),
        "name= is for tables",
        (lambda p: ec.from_arrow(TABLE, name="embedding"), lambda p: ec.from_arrow(TABLE["embedding"])),
    ),
    "base64 of a service without": (
        lambda p: ec.encode_response(X, model="m", encoding_format="base64", profile=LISTS_ONLY),
        "has no base64 of float: send lists",
        (lambda p: ec.encode_response(X, model="m", encoding_format="float", profile=LISTS_ONLY),),
    ),
    "bits that fill no byte for Faiss": (
        lambda p: ec.to_faiss(BITS),
        r"rows\.packed_bytes\(\) has them padded with zeros",
        (lambda p: BITS.packed_bytes(),),
    ),
    "halves of bits": (
        lambda p: ec.to_pgvector(BITS, half=True),
        "half=True is for floats: bits become",
        (lambda p: ec.to_pgvector(X, half=True), lambda p: ec.to_pgvector(BITS)),
    ),
    "low bits for a store": (
        lambda p: ec.to_pgvector(LOW_BIT.encode(X)),  # type: ignore[arg-type]
        r"send what they stand for, rows\.to\('float'\)",
        (lambda p: ec.to_pgvector(LOW_BIT.encode(X).to("float")),),
    ),
    "a scale for a store": (
        lambda p: ec.to_sqlite_vec(EACH),
        r"send the values, rows\.to\('float'\); or the bare codes, Embeddings\(rows\.values, 'int8'\), and keep rows",
        (
            lambda p: ec.to_sqlite_vec(EACH.to("float")),
            lambda p: ec.from_sqlite_vec(ec.to_sqlite_vec(Embeddings(EACH.values, "int8")), "int8", scale=EACH.scale),
        ),
    ),
    "a scale for a body": (
        lambda p: ec.encode_response(EACH, model="m"),
        r"send the values, embeddings\.to\('float'\), or codes of the unit scale, .*\.to\('int8', scale='unit'\)",
        (
            lambda p: ec.encode_response(EACH.to("float"), model="m"),
            lambda p: ec.encode_response(EACH.to("int8", scale="unit"), model="m"),
        ),
    ),
    "scales whose words are lost": (
        lambda p: ec.from_arrow(WITH_SCALES, "int8"),
        r"name='embedding' reads the rows alone.* Embeddings\(rows.values, 'int8', scale=Scale\.per_vector\(scales\)\)",
        (
            lambda p: ec.from_arrow(WITH_SCALES, "int8", name="embedding"),
            lambda p: ec.Embeddings(
                ec.from_arrow(WITH_SCALES, "int8", name="embedding").values,
                "int8",
                scale=Scale.per_vector(WITH_SCALES["scale"].to_numpy()),
            ),
        ),
    ),
    "a path of a copy": (
        lambda p: ec.write_pgcopy(p / "x.copy", X),  # type: ignore[arg-type]
        r"file is one open for bytes, as open\(path, 'wb'\) is",
        (_copied,),
    ),
    "scores beyond float32": (
        lambda p: ec.search(HUGE, quantize(HUGE, "int8", scale="per-vector"), 1, metric="dot"),
        "divide queries or rows by their greatest length, or use 'cosine'",
        (
            lambda p: ec.search(X, quantize(HUGE, "int8", scale="per-vector"), 1, metric="dot"),
            lambda p: ec.search(HUGE, quantize(HUGE, "int8", scale="per-vector"), 1, metric="cosine"),
        ),
    ),
    "one blob": (
        lambda p: ec.from_sqlite_vec(BLOBS[0], "float"),
        r"not one bytes: pass \[row\]",
        (lambda p: ec.from_sqlite_vec([BLOBS[0]], "float"),),
    ),
    "blobs in an array": (
        lambda p: ec.from_sqlite_vec(np.array(BLOBS), "float"),
        "pass a list of bytes",
        (lambda p: ec.from_sqlite_vec(list(BLOBS), "float"),),
    ),
    "text in bytes": (
        lambda p: ec.from_pgvector([text.encode() for text in TEXTS]),
        r"is text in bytes: pass row\.decode\(\)",
        (lambda p: ec.from_pgvector([text.encode().decode() for text in TEXTS]),),
    ),
    "a column of a file of one matrix": (
        lambda p: ec.load(_own(p, suffix=".fvecs"), column="a"),
        "leave out column='a'",
        (lambda p: ec.load(_own(p, suffix=".fvecs")),),
    ),
    "a column of an own file": (
        lambda p: ec.load(_own(p), column="a"),
        "embcodec wrote the file for one matrix: leave out column='a'",
        (lambda p: ec.load(_own(p)),),
    ),
    "floats that a file names": (
        lambda p: ec.load(_own(p), float_dtype="bfloat16"),
        "file says what its elements are: leave out float_dtype='bfloat16'",
        (lambda p: ec.load(_own(p)),),
    ),
    "floats that an array names": (
        lambda p: ec.load(_saved(p, X), float_dtype="bfloat16"),
        "elements of float32, which say what they are: leave out float_dtype='bfloat16'",
        (lambda p: ec.load(_saved(p, X)),),
    ),
    "floats without a name": (
        lambda p: ec.load(_saved(p, X.astype(ml_dtypes.bfloat16))),
        "say what they are, float_dtype='bfloat16'",
        (lambda p: ec.load(_saved(p, X.astype(ml_dtypes.bfloat16)), float_dtype="bfloat16"),),
    ),
    "a file of objects": (
        lambda p: ec.load(_saved(p, X.astype(object))),
        r"save them as numbers, \.astype\(np\.float32\)",
        (lambda p: ec.load(_saved(p, X.astype(object).astype(np.float32))),),
    ),
    "a file of booleans": (
        lambda p: ec.load(_saved(p, X > 0), output_dtype="int8"),
        "are bits, not int8: say output_dtype='ubinary' or 'binary'",
        tuple(lambda p, dtype=dtype: ec.load(_saved(p, X > 0), output_dtype=dtype) for dtype in ("ubinary", "binary")),
    ),
    "fp8 that its file names": (
        lambda p: ec.load(_saved(p, X.astype(ml_dtypes.float8_e5m2)), float_dtype="fp8_e4m3"),
        "as the header says: leave out float_dtype='fp8_e4m3'",
        (lambda p: ec.load(_saved(p, X.astype(ml_dtypes.float8_e5m2))),),
    ),
    "a column of one array": (
        lambda p: ec.load_ids(_truth(p), column="a"),
        "without columns: leave out column='a'",
        (lambda p: ec.load_ids(_truth(p)),),
    ),
    "a file of lines open for text": (
        lambda p: ec.decode_batch(io.StringIO("{}")),  # type: ignore[arg-type]
        r"open in binary mode, but reads .*: open\(path, 'rb'\)",
        (lambda p: ec.decode_batch(io.BytesIO(_zipped(p).read_bytes())),),
    ),
    "a file of row numbers": (
        lambda p: ec.load(p / "x.ibin"),
        r"load_ids\(path\) reads the numbers of rows",
        (lambda p: ec.load_ids(_truth(p)),),
    ),
    "a zipped batch file": (
        lambda p: ec.load(p / "x.jsonl.gz"),
        r"decode_batch\(path\) reads a batch job's output",
        (lambda p: ec.decode_batch(_zipped(p)),),
    ),
}
