"""A way out that an error names leads on: each is followed, and no message that names one is left out."""

from __future__ import annotations

import ast
import io
import itertools
import pickle
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow
import pytest
import ways_out_adapters
import ways_out_columns
import ways_out_files
import ways_out_parts
import ways_out_stores

import embcodec as ec
from embcodec import CodeMismatchError, DecodeError, Embeddings, Scale, StorageError, quantize, truncate
from embcodec.client.order import Order, make_order
from embcodec.client.settings import make_settings

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 16)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
MANY = RNG.standard_normal((120, 16)).astype(np.float32)
FLOATS = Embeddings(X)
LOW_BIT = ec.LowBitQuantizer(2, rotation="random").fit(X)
LOW_BIT_OF_8 = ec.LowBitQuantizer(2, rotation="random").fit(truncate(X, 8)).encode(truncate(X, 8))
RANGES = ec.calibrate(X)

# What searches meet, and what meets them: every dtype under every convention and scale.
KINDS: dict[str, Embeddings] = {
    "float": FLOATS,
    **{f"{dtype} unit": quantize(X, dtype) for dtype in ("int8", "uint8")},
    **{f"{dtype} per-vector": quantize(X, dtype, scale="per-vector") for dtype in ("int8", "uint8")},
    **{f"{dtype} ranges": quantize(X, dtype, scale=RANGES) for dtype in ("int8", "uint8")},
    "int8 other ranges": quantize(X, "int8", scale=RANGES * 2),
    **{f"ubinary {order}": quantize(X, "ubinary", bit_order=order) for order in ("msb", "lsb")},  # type: ignore[arg-type]
    **{
        f"binary {order} {signed}": quantize(X, "binary", bit_order=order, signed_bytes=signed)  # type: ignore[arg-type]
        for order in ("msb", "lsb")
        for signed in ("offset", "twos-complement")
    },
}
SENT = re.compile(r"(?:rows|embeddings)\.to\([^()]*\)|Embeddings\((?:rows\.values, [^()]*|rows\.to_float\(\))\)")
CALL = re.compile(r"\b(?:quantize|truncate)\([^()]*\)|queries\.to_float\(\)|\"(?:cosine|dot|l2)\"")


def ordered(profile: str, output_dtype: str, base_url: str | None = None) -> Order:
    """What a client of that service asks for."""
    settings = make_settings(
        api_key=None, base_url=base_url, profile=profile, timeout=1, max_retries=0, concurrency=1, retry_seconds=1
    )
    how = {"output_dimension": None, "encoding_format": None, "extra": None}
    return make_order(settings, model="a-model", output_dtype=output_dtype, **how)


@dataclass(frozen=True)
class Asked:
    """A question to a corpus, and how it may be asked anew."""

    queries: Any
    corpus: Any
    metric: Any = None

    def ways(self, error: CodeMismatchError) -> Iterator[Asked]:
        """Follow each call and each metric that the error names, word for word."""
        names = {"quantize": quantize, "truncate": truncate, "queries": self.queries, "corpus": self.corpus}
        names["rows"] = self.corpus
        for code in CALL.findall(str(error.way)):
            value = eval(code, names)
            if isinstance(value, str):
                yield replace(self, metric=value)
            elif code.startswith(("truncate(corpus", "truncate(rows")):
                yield replace(self, corpus=value)
            else:
                yield replace(self, queries=value)


def leads_on(asked: Asked, find: Callable[[Asked], Any], steps: int = 3) -> None:
    """Ask, and where that is refused, again by every way that the error names: within some steps all are answered."""
    refused: CodeMismatchError | None = None
    try:
        find(asked)
    except CodeMismatchError as error:
        refused = error
    if refused is not None:
        assert steps, f"still refused: {refused}"
        ways = list(asked.ways(refused))
        assert ways, f"no way out of: {refused}"
        for way in ways:
            leads_on(way, find, steps - 1)


FINDERS: dict[str, Callable[[Asked], Any]] = {
    "search": lambda a: ec.search(a.queries, a.corpus, 3, metric=a.metric),
    "range_search": lambda a: ec.range_search(a.queries, a.corpus, 0.5, metric=a.metric),
    "rescore": lambda a: ec.rescore(a.queries, [[0, 1, 2]] * 12, a.corpus, 2, metric=a.metric),
    "FlatIndex.search": lambda a: ec.FlatIndex(a.corpus).search(a.queries, 3, metric=a.metric),
}


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")  # sums of ranges over the unit scale
@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("metric", [None, "cosine", "l2", "hamming", "jaccard"])
def test_whatever_meets_whatever_has_a_way(metric: str | None, finder: str) -> None:
    for queries, corpus in itertools.product(KINDS.values(), repeat=2):
        leads_on(Asked(queries, corpus, metric), FINDERS[finder])
    for corpus in KINDS.values():
        leads_on(Asked(X, corpus, metric), FINDERS[finder])  # a bare array has no methods


@pytest.mark.parametrize("finder", ["search", "FlatIndex.search"])
def test_other_dimensions_have_a_way(finder: str) -> None:
    for corpus in (FLOATS, KINDS["int8 unit"], KINDS["ubinary lsb"]):
        leads_on(Asked(X[:, :8], corpus), FINDERS[finder])
        leads_on(Asked(X, corpus.truncate(8)), FINDERS[finder])
    named = "index" if "Index" in finder else "corpus"
    shorter = r"FlatIndex\(truncate\(rows, 8\)\)" if named == "index" else r"truncate\(corpus, 8\)"
    with pytest.raises(CodeMismatchError, match=rf"the {named} 16: use queries of all 16, or .*{shorter}"):
        FINDERS[finder](Asked(X[:, :8], FLOATS))
    with pytest.raises(CodeMismatchError, match=rf"the {named} 8: use truncate\(queries, 8\) \(where one model"):
        FINDERS[finder](Asked(X, FLOATS.truncate(8)))


@pytest.mark.parametrize("queries", KINDS.values(), ids=KINDS.keys())
def test_low_bit_codes_have_a_way(queries: Embeddings) -> None:
    leads_on(Asked(queries, LOW_BIT.encode(X)), FINDERS["search"])


def test_the_way_is_a_conversion_of_the_bits_themselves() -> None:
    msb, lsb = KINDS["ubinary msb"], KINDS["ubinary lsb"]
    with pytest.raises(CodeMismatchError, match=r'quantize\(queries, "ubinary", bit_order="lsb"\)'):
        ec.search(msb, lsb, 1)
    assert quantize(msb, "ubinary", bit_order="lsb") == lsb == msb.to("ubinary", bit_order="lsb")
    want = ec.search(msb, msb, 3)
    for queries in (lsb.to("ubinary", bit_order="msb"), quantize(X, "ubinary")):
        assert np.array_equal(ec.search(queries, msb, 3).scores, want.scores)


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
def test_what_does_not_join_an_index_has_a_way() -> None:
    for held, more in itertools.product(KINDS.values(), repeat=2):
        index = ec.FlatIndex(held)
        try:
            index.add(more)
        except CodeMismatchError as error:
            code = re.search(r"add (.*), or floats", str(error))
            assert code is not None
            index.add(eval(code[1], {"quantize": quantize, "codes": more, "index": index}))
            index.add(more.to_float())


def _collection(folder: Path) -> None:
    if not (folder / "c").exists():
        ec.Collection.create(folder / "c", like=FLOATS).append(FLOATS)


def _metric(query: Any, row: Any) -> Any:
    return query[0] * row[0]


def _difference(query: Any, row: Any) -> Any:
    return abs(query[0] - row[0]) + abs(query[1] - row[1])


def _wide_difference(query: Any, row: Any) -> Any:
    return abs(np.int32(query[0]) - np.int32(row[0])) + abs(np.int32(query[1]) - np.int32(row[1]))


def _wide_differences(query: Any, row: Any) -> Any:
    return np.abs(query.astype(np.int32) - row.astype(np.int32)).sum()


@cache
def _compiled(dtype: str = "float") -> Any:
    return ec.compile_metric(_metric, lower_is_better=False, output_dtype=dtype)


def _body(**item: Any) -> bytes:
    return ec.encode_response(FLOATS[:1], model="m", **item)


def _null_rows() -> Any:
    return pytest.importorskip("pyarrow").array([[1.0, 2.0], None])


def _two_columns(path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"a": list(X), "b": list(X)}), path)


BITS_APART = b'{"data": [{"embedding": [0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 0]}]}'
FLOAT16 = replace(ec.PROFILES["mistral"], base64_dtype="float16")
HALVES = _body(encoding_format="base64", profile=FLOAT16)
HIDDEN = b'{"embeddings": [[1, 2]]}'

# (what is done, what is said of it, what it says to do: all of it)
Case = tuple[Callable[[Path], Any], str, tuple[Callable[[Path], Any], ...]]


def unmapped(path: Path, **options: Any) -> Any:
    """Load from where nothing can be mapped."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no such device")

    ec.save(path / "rows.npy", FLOATS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embcodec.containers.arrays.memory_map.mmap", refuse)
        return ec.load(path / "rows.npy", **options)


def swelling(path: Path, **options: Any) -> Any:
    """Load what is many times larger than its file."""
    np.savez_compressed(path / "zeros.npz", values=np.zeros((1000, 64), np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embcodec.containers.checks.FREE_BYTES", 1000)
        return ec.load(path / "zeros.npz", **options)


def _quantizer() -> ec.LowBitQuantizer:
    return ec.LowBitQuantizer(1, rotation="none").fit(X)


def collection_at_the_end(path: Path) -> ec.Collection:
    collection = ec.Collection.create(path, like=FLOATS)
    collection.append(X[:1], ids=[2**63 - 2])
    return collection


NO_ROWS = pyarrow.record_batch({"v": pyarrow.array([], pyarrow.list_(pyarrow.float32()))})
CASES: dict[str, Case] = {
    "bare integers": (
        lambda p: ec.search(X, X.astype(np.int8), 1),
        r"whose meaning is unknown: of codes say output_dtype=\.\.\.",
        (
            lambda p: ec.search(X, Embeddings(X.astype(np.int8), "int8"), 1),
            lambda p: ec.search(X, Embeddings(np.ones((3, 2), np.uint8), output_dtype="ubinary"), 1),
            lambda p: ec.search(X, X.astype(np.int8).astype(np.float32), 1),
        ),
    ),
    "lists of whole numbers as queries": (
        lambda p: ec.search(X.astype(int).tolist(), X, 1),
        r"queries is a list of int64.* pass np\.asarray\(rows, np\.float32\)",
        (lambda p: ec.search(np.asarray(X.astype(int).tolist(), np.float32), X, 1),),
    ),
    "a batch of no rows": (
        lambda p: ec.encode_batch(NO_ROWS, column="v", to="int8"),
        r"pass rows as to=, such as quantize\(sample, 'int8'\)\[:0\]",
        (lambda p: ec.encode_batch(NO_ROWS, column="v", to=quantize(X, "int8")[:0]),),
    ),
    "no parts": (
        lambda p: ec.merge_topk([], 1, metric="dot"),
        r"search\(queries, rows\[:0\], k\) is one of no rows",
        (lambda p: ec.merge_topk([ec.search(X, X[:0], 1)], 1, metric="dot"),),
    ),
    "scores of float64": (
        lambda p: ec.merge_topk([([[0.5]], [[1]])], 1, metric="dot"),
        r"np\.asarray\(scores, np\.float32\) makes them such",
        (lambda p: ec.merge_topk([(np.asarray([[0.5]], np.float32), [[1]])], 1, metric="dot"),),
    ),
    "lines in place of a path": (
        lambda p: ec.decode_batch(b"{}"),  # type: ignore[arg-type]
        r"io\.BytesIO\(lines\) reads those",
        (lambda p: ec.decode_batch(io.BytesIO(b"{}")),),
    ),
    "text in place of a path": (
        lambda p: ec.decode_batch("{}"),
        r"io\.BytesIO\(lines\.encode\(\)\) reads those",
        (lambda p: ec.decode_batch(io.BytesIO(b"{}")),),
    ),
    "several paths of lines": (
        lambda p: ec.decode_batch([p / "a.npy"]),  # type: ignore[arg-type]
        r"iter_load\(paths\) reads the rows of several",
        (lambda p: (ec.save(p / "a.npy", X), list(ec.iter_load([p / "a.npy"]))),),
    ),
    "an input beside the texts": (
        lambda p: ec.write_batch(p / "in.jsonl", ["a"], input="b"),
        "leave out input=",
        (lambda p: ec.write_batch(p / "in.jsonl", ["a"]),),
    ),
    "a dtype in place of rows": (
        lambda p: ec.Collection.create(p / "new", like="int8"),
        r"quantize\(rows, 'int8'\)\[:0\] are rows of that dtype",
        (lambda p: ec.Collection.create(p / "new", like=quantize(X, "int8")[:0]),),
    ),
    "booleans": (
        lambda p: quantize(X > 0, "ubinary"),
        r'for bits pass Embeddings\(pack_bits\(x\), "ubinary", x\.shape\[1\]\); .*\.astype\(np\.float32\)',
        (
            lambda p: ec.search(Embeddings(ec.pack_bits(X > 0), "ubinary", X.shape[1]), KINDS["ubinary msb"], 1),
            lambda p: quantize((X > 0).astype(np.float32), "ubinary"),
        ),
    ),
    "codes of another type": (
        lambda p: Embeddings(np.ones((1, 2), np.int64), "int8"),
        r"all fit, pass \.astype\(np\.int8\)",
        (lambda p: Embeddings(np.ones((1, 2), np.int64).astype(np.int8), "int8"),),
    ),
    "floats for codes": (
        lambda p: Embeddings(X, "int8"),
        "quantize makes int8 codes of floats",
        (lambda p: quantize(X, "int8"),),
    ),
    "one row": (lambda p: Embeddings(X[0]), r"for one row pass row\[None\]", (lambda p: Embeddings(X[0][None]),)),
    "masked": (
        lambda p: quantize(np.ma.masked_array(X, X > 0), "int8"),
        r"fill them first, with \.filled\(value\)",
        (lambda p: quantize(np.ma.masked_array(X, X > 0).filled(0), "int8"),),
    ),
    "null rows": (
        lambda p: Embeddings(_null_rows()),
        "row 1 is null, not a row of numbers: drop such rows",
        (lambda p: Embeddings(_null_rows().drop_null()),),
    ),
    "matrices in a list": (
        lambda p: Embeddings([X[:5], X[5:]]),
        r"row 1 is itself a matrix, \(7, 16\): np\.concatenate\(x\) joins matrices",
        (lambda p: Embeddings(np.concatenate([X[:5], X[5:]])),),
    ),
    "matrices of a size in a list": (
        lambda p: Embeddings([X[:6], X[6:]]),
        r"several vectors a row, as of tokens, become one first; np\.concatenate\(x\) joins matrices",
        (lambda p: Embeddings(np.concatenate([X[:6], X[6:]])),),
    ),
    "ids of a COPY that are texts": (
        lambda p: ec.write_pgcopy(io.BytesIO(), X[:1], ["a"]),
        "id 0 is 'a', not a whole number; id_type='text' writes such ids",
        (lambda p: ec.write_pgcopy(io.BytesIO(), X[:1], ["a"], id_type="text"),),
    ),
    "ids of a COPY that are UUIDs": (
        lambda p: ec.write_pgcopy(io.BytesIO(), X[:1], [uuid.UUID(int=7)]),
        "not a whole number; id_type='uuid' writes such ids",
        (lambda p: ec.write_pgcopy(io.BytesIO(), X[:1], [uuid.UUID(int=7)], id_type="uuid"),),
    ),
    "bits that are a number each": (
        lambda p: ec.decode_response(BITS_APART, output_dtype="ubinary"),
        r"dataclasses\.replace\(profile, bits_as_numbers=True\) reads it; of packed bits say dimension",
        (
            lambda p: ec.decode_response(
                BITS_APART, output_dtype="ubinary", profile=replace(ec.PROFILES["mistral"], bits_as_numbers=True)
            ),
            lambda p: ec.decode_response(BITS_APART, output_dtype="ubinary", dimension=128),
        ),
    ),
    "floats of a service that sends none": (
        lambda p: ordered("perplexity", "float"),
        "say output_dtype, one of int8, ubinary",
        (lambda p: ordered("perplexity", "int8"), lambda p: ordered("perplexity", "ubinary")),
    ),
    "an address with a query": (
        lambda p: ordered("openai", "float", base_url="http://localhost:8080/v1?key=1"),
        "give 'http://localhost:8080/v1'",
        (lambda p: ordered("openai", "float", base_url="http://localhost:8080/v1"),),
    ),
    "a column index": (
        lambda p: FLOATS[:, :8],
        r"use \.truncate\(\) to cut dimensions",
        (lambda p: FLOATS.truncate(8),),
    ),
    "codes as an array": (
        lambda p: np.asarray(KINDS["int8 unit"]),
        r"use \.values or \.to_float\(\)",
        (lambda p: np.asarray(KINDS["int8 unit"].values), lambda p: np.asarray(KINDS["int8 unit"].to_float())),
    ),
    "ranges by name": (
        lambda p: quantize(X, "int8", scale="ranges"),
        "pass them, or a Scale",
        (lambda p: quantize(X, "int8", scale=RANGES), lambda p: quantize(X, "int8", scale=Scale.ranges(RANGES))),
    ),
    "an unknown conversion": (
        lambda p: FLOATS.to(None),  # type: ignore[call-overload]
        "or a fitted LowBitQuantizer",
        (lambda p: FLOATS.to(LOW_BIT), lambda p: FLOATS.to("binary")),
    ),
    "low bits with a scale": (
        lambda p: FLOATS.to(LOW_BIT, scale="unit"),  # type: ignore[call-overload]
        "leave those out",
        (lambda p: FLOATS.to(LOW_BIT),),
    ),
    "no quantizer yet": (
        lambda p: ec.LowBitQuantizer(1).encode(X),
        r"call \.fit\(sample\) first",
        (lambda p: ec.LowBitQuantizer(1, rotation="none").fit(X).encode(X),),
    ),
    "bits and bytes": (
        lambda p: ec.LowBitQuantizer(2, bytes_per_vector=6),
        "give one of them",
        (lambda p: ec.LowBitQuantizer(2), lambda p: ec.LowBitQuantizer(bytes_per_vector=6).fit(X)),
    ),
    "rows of another length than the sample's": (
        lambda p: ec.LowBitQuantizer(bytes_per_vector=6).fit(X).encode(2 * X),
        r"row 0 has length 2, .* use rows divided by their lengths, or LowBitQuantizer\(\.\.\., lengths='stored'\)",
        (
            lambda p: ec.LowBitQuantizer(bytes_per_vector=6).fit(X).encode(X),
            lambda p: ec.LowBitQuantizer(bytes_per_vector=6, lengths="stored").fit(X).encode(2 * X),
        ),
    ),
    "a recall of few rows": (
        lambda p: ec.LowBitQuantizer(recall=0.9).fit(X),
        "80 rows or more, not 12: give bytes_per_vector",
        (
            lambda p: ec.LowBitQuantizer(recall=0.9).fit(MANY),
            lambda p: ec.LowBitQuantizer(bytes_per_vector=6).fit(X),
        ),
    ),
    "a recall that no code has": (
        lambda p: ec.LowBitQuantizer(recall=0.9999).fit(MANY),
        r"ask for less, or take quantize\(x, 'int8', scale='per-vector'\)",
        (
            lambda p: ec.LowBitQuantizer(recall=0.9).fit(MANY),
            lambda p: quantize(MANY, "int8", scale="per-vector"),
        ),
    ),
    "a summary that counts nothing": (
        lambda p: ec.calibrate(ec.Summary().update(X), method="mse"),
        r"make it with Summary\(histograms=True\)",
        (lambda p: ec.calibrate(ec.Summary(histograms=True).update(X), method="mse"),),
    ),
    "bits that no rotation has": (
        lambda p: ec.LowBitQuantizer(3, rotation="random"),
        "other sizes want rotation='principal'",
        (
            lambda p: ec.LowBitQuantizer(3, rotation="principal").fit(X),
            lambda p: ec.LowBitQuantizer(2, rotation="random"),
        ),
    ),
    "bits of another order": (
        lambda p: ec.search(KINDS["ubinary msb"], KINDS["ubinary lsb"], 1),
        r"use quantize\(queries, .*\), or, to ask with floats, queries\.to_float\(\)",
        (
            lambda p: ec.search(KINDS["ubinary msb"].to("ubinary", bit_order="lsb"), KINDS["ubinary lsb"], 1),
            lambda p: ec.search(KINDS["ubinary msb"].to_float(), KINDS["ubinary lsb"], 1),
        ),
    ),
    "codes to low bits": (
        lambda p: ec.search(KINDS["ubinary msb"], LOW_BIT.encode(X), 1),
        r"use queries\.to_float\(\)",
        (lambda p: ec.search(KINDS["ubinary msb"].to_float(), LOW_BIT.encode(X), 1),),
    ),
    "queries too long for low bits": (
        lambda p: ec.search(X, LOW_BIT_OF_8, 1),
        r"use truncate\(queries, 8\)",
        (lambda p: ec.search(truncate(X, 8), LOW_BIT_OF_8, 1),),
    ),
    "queries too short for low bits": (
        lambda p: ec.search(X[:, :8], LOW_BIT.encode(X), 1),
        r"a LowBitQuantizer fitted to truncate\(rows, 8\) encodes them",
        (lambda p: ec.search(truncate(X, 8), LOW_BIT_OF_8, 1),),
    ),
    "rows too long for an index": (
        lambda p: ec.FlatIndex(FLOATS.truncate(8)).add(X),
        r"the index has 8 dimensions: add truncate\(rows, 8\)",
        (lambda p: ec.FlatIndex(FLOATS.truncate(8)).add(truncate(X, 8)),),
    ),
    "floats too long for an index of codes": (
        lambda p: ec.FlatIndex(KINDS["int8 unit"].truncate(8)).add(X),
        r"the index has 8 dimensions: add truncate\(rows, 8\)",
        (lambda p: ec.FlatIndex(KINDS["int8 unit"].truncate(8)).add(truncate(X, 8)),),
    ),
    "low bits cut": (
        lambda p: LOW_BIT.encode(X).truncate(8),
        r"cut the floats and encode those, or cut what the codes stand for: \.to\('float'\)\.truncate\(dimension\)",
        (
            lambda p: ec.LowBitQuantizer(2, rotation="random").fit(truncate(X, 8)).encode(truncate(X, 8)),
            lambda p: LOW_BIT.encode(X).to("float").truncate(8),
        ),
    ),
    "an index without numbers left": (
        lambda p: ec.FlatIndex(FLOATS[:1], ids=[2**63 - 2]).add(X),
        "give the new rows numbers as ids",
        (lambda p: ec.FlatIndex(FLOATS[:1], ids=[2**63 - 2]).add(X[:1], ids=[7]),),
    ),
    "a collection without numbers left": (
        lambda p: collection_at_the_end(p / "c").append(X[:1], ids=["a"]),
        "give the new rows numbers as ids, or put rows that have texts as ids into a collection without that one",
        (
            lambda p: collection_at_the_end(p / "d").append(X[:1], ids=[7]),
            lambda p: ec.Collection.create(p / "e", like=FLOATS).append(X[:1], ids=["a"]),
        ),
    ),
    "a file that cannot be mapped": (
        lambda p: unmapped(p, mmap=True),
        "read it, with mmap=False",
        (lambda p: unmapped(p, mmap=False),),
    ),
    "a file that swells": (
        swelling,
        r"pass max_bytes=256128",
        (lambda p: swelling(p, max_bytes=256128),),
    ),
    "low bits of other lengths": (
        lambda p: ec.search(X, LOW_BIT.encode(X * 2), 1),
        "normalize the rows, or use 'dot'",
        (
            lambda p: ec.search(X, LOW_BIT.encode(truncate(X * 2, 16)), 1),
            lambda p: ec.search(X, LOW_BIT.encode(X * 2), 1, metric="dot"),
        ),
    ),
    "low bits of two quantizers": (
        lambda p: ec.FlatIndex(LOW_BIT.encode(X)).add(ec.LowBitQuantizer(1, rotation="none").fit(X).encode(X)),
        "encode with one quantizer, or add floats",
        (
            lambda p: ec.FlatIndex(LOW_BIT.encode(X)).add(LOW_BIT.encode(X)),
            lambda p: ec.FlatIndex(LOW_BIT.encode(X)).add(X),
        ),
    ),
    "low bits into an index of others": (
        lambda p: ec.FlatIndex(X).add(LOW_BIT.encode(X)),
        "does not join .*: add floats",
        (lambda p: ec.FlatIndex(X).add(X),),
    ),
    "low bits that are not of unit length": (
        lambda p: ec.FlatIndex(LOW_BIT.encode(X)).add(LOW_BIT.encode(X * 3)),
        "these are not: normalize them",
        (lambda p: ec.FlatIndex(LOW_BIT.encode(X)).add(LOW_BIT.encode(truncate(X * 3, 16))),),
    ),
    "codes that rescoring rows do not meet": (
        lambda p: ec.FlatIndex(KINDS["ubinary msb"], rescore_with=X).search(KINDS["ubinary msb"], 1),
        "pass floats, or rescore_multiplier=None to search the codes alone",
        (
            lambda p: ec.FlatIndex(KINDS["ubinary msb"], rescore_with=X).search(X, 1),
            lambda p: ec.FlatIndex(KINDS["ubinary msb"], rescore_with=X).search(
                KINDS["ubinary msb"], 1, rescore_multiplier=None
            ),
        ),
    ),
    "an index that rescores": (
        lambda p: ec.FlatIndex(KINDS["ubinary msb"], rescore_with=X).add(KINDS["ubinary msb"]),
        "give rescore_with too, or floats as codes",
        (
            lambda p: ec.FlatIndex(KINDS["ubinary msb"], rescore_with=X).add(KINDS["ubinary msb"], rescore_with=X),
            lambda p: ec.FlatIndex(KINDS["ubinary msb"], rescore_with=X).add(X),
        ),
    ),
    "confidence without rescoring": (
        lambda p: ec.FlatIndex(LOW_BIT.encode(X)).search(X, 1, confidence=0.9),
        "give the index rescore_with=, and the search a rescore_multiplier and a metric of floats",
        (
            lambda p: ec.FlatIndex(LOW_BIT.encode(X), rescore_with=X).search(
                X, 1, confidence=0.9, rescore_multiplier=2, metric="cosine"
            ),
        ),
    ),
    "bounds of other rows": (
        lambda p: ec.rescore(X, [[0]] * 12, KINDS["int8 unit"], 1, bounded_by=LOW_BIT.encode(X)),
        "rescore those",
        (lambda p: ec.rescore(X, [[0]] * 12, X, 1, bounded_by=LOW_BIT.encode(X)),),
    ),
    "a mask of numbers twice": (
        lambda p: ec.search(X, X, 1, mask=[1, 0] * 6),
        r"mask\.astype\(bool\) is one boolean a row; or name each row once",
        (
            lambda p: ec.search(X, X, 1, mask=np.array([1, 0] * 6).astype(bool)),
            lambda p: ec.search(X, X, 1, mask=[1, 0]),
        ),
    ),
    "a mask of something else": (
        lambda p: ec.search(X, X, 1, mask="all"),
        "a mask is one boolean a row, or a list of row numbers",
        (lambda p: ec.search(X, X, 1, mask=X[:, 0] > 0), lambda p: ec.search(X, X, 1, mask=[3, 5])),
    ),
    "a metric of floats over codes": (
        lambda p: ec.FlatIndex(quantize(X, "ubinary"), rescore_with=X).search(X, 1, metric=_compiled()),
        "ubinary rows, which are scanned first: use exact=True, which scores the floats by it",
        (lambda p: ec.FlatIndex(quantize(X, "ubinary"), rescore_with=X).search(X, 1, metric=_compiled(), exact=True),),
    ),
    "a metric without a sense": (
        lambda p: ec.compile_metric(_metric),
        "lower_is_better=True for a distance, lower_is_better=False for a similarity",
        (lambda p: _compiled(),),
    ),
    "a metric of bytes that wrap around": (
        lambda p: ec.compile_metric(_difference, lower_is_better=True, output_dtype="uint8"),
        r"np\.int32\(query\[i\]\) - np\.int32\(row\[i\]\), or query\.astype\(np\.int32\) - row\.astype\(np\.int32\)",
        (
            lambda p: ec.compile_metric(_wide_difference, lower_is_better=True, output_dtype="uint8"),
            lambda p: ec.compile_metric(_wide_differences, lower_is_better=True, output_dtype="uint8"),
        ),
    ),
    "a metric that is not compiled": (
        lambda p: ec.search(X, X, 1, metric=_metric),
        r"compile_metric\(function, lower_is_better=\.\.\.\) or a numba\.cfunc",
        (lambda p: ec.search(X, X, 1, metric=_compiled()),),
    ),
    "a metric that no name finds": (
        lambda p: pickle.dumps(ec.compile_metric(lambda query, row: query[0], lower_is_better=True)),
        r"define it at the top of a module, or call compile_metric\(\.\.\., lower_is_better=True\) in each process",
        (lambda p: pickle.dumps(_compiled()), lambda p: _compiled()),
    ),
    "a metric of other rows": (
        lambda p: ec.search(KINDS["int8 unit"], KINDS["int8 unit"], 1, metric=_compiled()),
        r"use compile_metric\(\.\.\., output_dtype='int8'\)",
        (lambda p: ec.search(KINDS["int8 unit"], KINDS["int8 unit"], 1, metric=_compiled("int8")),),
    ),
    "low-bit codes for an array": (
        lambda p: ec.encode_response(LOW_BIT.encode(X), model="m"),  # type: ignore[arg-type]
        r"low-bit codes do not become an array silently: use \.to\('float'\)",
        (lambda p: ec.encode_response(LOW_BIT.encode(X).to("float"), model="m"),),
    ),
    "base64 that is not written": (
        lambda p: _body(encoding_format="base64", profile=replace(ec.PROFILES["mistral"], base64_urlsafe=True)),
        "is read but not written: send lists",
        (lambda p: _body(encoding_format="float", profile=replace(ec.PROFILES["mistral"], base64_urlsafe=True)),),
    ),
    "base64 of codes": (
        lambda p: ec.encode_response(KINDS["int8 unit"], model="m", encoding_format="base64", profile="openai"),
        "send them as lists",
        (lambda p: ec.encode_response(KINDS["int8 unit"], model="m", profile="openai"),),
    ),
    "base64 of a list of codes": (
        lambda p: ec.encode_base64([[1, 2]]),
        "give codes as an array, whose dtype tells their bytes",
        (lambda p: ec.encode_base64(np.array([[1, 2]], np.int8)),),
    ),
    "nulls among codes": (
        lambda p: ec.decode_response(b'{"data":[{"embedding":[1]}]}', output_dtype="int8", nulls="nan"),
        "nulls='nan' is for float",
        (lambda p: ec.decode_response(b'{"data":[{"embedding":[1]}]}', nulls="nan"),),
    ),
    "half floats": (
        lambda p: ec.decode_response(HALVES, dimension=16),
        "base64_dtype='float16' or 'bfloat16' in the profile",
        (
            lambda p: ec.decode_response(
                _body(encoding_format="base64", profile=FLOAT16), dimension=16, profile=FLOAT16
            ),
        ),
    ),
    "another service's body": (
        lambda p: ec.decode_response(_body(), profile="cohere"),
        "as with profile='mistral'",
        (lambda p: ec.decode_response(_body(), profile="mistral"),),
    ),
    "a service that is not known": (
        lambda p: ec.decode_response(HIDDEN),
        r"dataclasses\.replace\(profile, rows='embeddings', item=None\) reads such a body",
        (lambda p: ec.decode_response(HIDDEN, profile=replace(ec.PROFILES["mistral"], rows="embeddings", item=None)),),
    ),
    "a body that is a list": (
        lambda p: ec.decode_response(b"[[1, 2]]"),
        r"dataclasses\.replace\(profile, rows='', item=None\) reads it",
        (lambda p: ec.decode_response(b"[[1, 2]]", profile=replace(ec.PROFILES["mistral"], rows="", item=None)),),
    ),
    "a service that the client cannot ask": (
        lambda p: ec.Client(profile="vertex"),
        r"reads bodies, and asks for none: .* read what it answers by decode_response\(body, profile='vertex'\)",
        (lambda p: ec.decode_response(b'{"predictions": [{"embeddings": {"values": [1]}}]}', profile="vertex"),),
    ),
    "a service of many addresses": (
        lambda p: ec.Client(profile="azure"),
        r"pass yours, as base_url='https://NAME\.openai\.azure\.com'",
        (lambda p: ec.Client(profile="azure", base_url="https://NAME.openai.azure.com"),),
    ),
    "a vector alone": (
        lambda p: ec.decode_response(b'{"embedding": [1, 2]}'),
        r"profile='ollama' or dataclasses\.replace\(profile, rows='embedding', item=None\) reads it",
        (
            lambda p: ec.decode_response(b'{"embedding": [1, 2]}', profile="ollama"),
            lambda p: ec.decode_response(
                b'{"embedding": [1, 2]}', profile=replace(ec.PROFILES["mistral"], rows="embedding", item=None)
            ),
        ),
    ),
    "a batch without a model": (
        lambda p: ec.write_batch(p / "in.jsonl", ["a"], style="openai"),
        "give model=",
        (lambda p: ec.write_batch(p / "in.jsonl", ["a"], style="openai", model="m"),),
    ),
    "saving low bits": (
        lambda p: ec.save(p / "x.npy", LOW_BIT.encode(X)),
        r"use \.safetensors, or save what they stand for: codes\.to\('float'\)",
        (
            lambda p: ec.save(p / "x.safetensors", LOW_BIT.encode(X)),
            lambda p: ec.save(p / "x.npy", LOW_BIT.encode(X).to("float")),
        ),
    ),
    **{
        f"saving {kind} as {suffix}": (
            lambda p, rows=rows, suffix=suffix: ec.save(p / f"x{suffix}", rows),
            words,
            (lambda p, rows=rows: ec.save(p / "x.safetensors", rows),),
        )
        for kind, rows, suffix, words in (
            ("int8 per-vector", KINDS["int8 per-vector"], ".npy", "no room for the per-vector scale; use .safetensors"),
            ("ubinary msb", KINDS["ubinary msb"], ".fbin", "holds numbers, not ubinary bits; use .safetensors"),
            ("int8 unit", KINDS["int8 unit"], ".fvecs", "does not hold int8 rows; use .safetensors"),
            ("ubinary lsb", KINDS["ubinary lsb"], ".npy", "cannot say how bits are packed; use .safetensors"),
            (
                "ubinary of 12",
                KINDS["ubinary msb"].truncate(12),
                ".npy",
                "no room for a dimension of 12; use .safetensors",
            ),
        )
    },
    "a file of wide whole numbers": (
        lambda p: (np.save(p / "x.npy", np.ones((2, 3), np.int64)), ec.load(p / "x.npy")),
        r"say output_dtype=\.\.\.; that of codes takes them .* 'float' takes the numbers as the values",
        tuple(
            lambda p, name=name: (
                np.save(p / "x.npy", np.ones((2, 3), np.int64)),
                ec.load(p / "x.npy", output_dtype=name),
            )
            for name in ("int8", "uint8", "binary", "ubinary", "float")
        ),
    ),
    "a file of numbers as text": (
        lambda p: (np.save(p / "x.npy", X.astype(str)), ec.load(p / "x.npy")),
        r"save them as numbers, \.astype\(np\.float32\)",
        (lambda p: (np.save(p / "x.npy", X.astype(str).astype(np.float32)), ec.load(p / "x.npy")),),
    ),
    "a file that leaves its dtype open": (
        lambda p: (np.save(p / "x.npy", KINDS["int8 unit"].values), ec.load(p / "x.npy")),
        r"int8 rows can be int8 or binary: say output_dtype=\.\.\.",
        (
            lambda p: (
                np.save(p / "x.npy", KINDS["int8 unit"].values),
                [ec.load(p / "x.npy", output_dtype=dtype) for dtype in ("int8", "binary")],
            ),
        ),
    ),
    "a parquet file of two columns": (
        lambda p: (_two_columns(p / "x.parquet"), ec.load(p / "x.parquet")),
        "which column",
        (lambda p: (_two_columns(p / "x.parquet"), ec.load(p / "x.parquet", column="b")),),
    ),
    "an index for rows": (
        lambda p: (ec.FlatIndex(X).save(p / "x.safetensors"), ec.load(p / "x.safetensors")),
        r"FlatIndex\.load\(path\) reads it",
        (lambda p: (ec.FlatIndex(X).save(p / "x.safetensors"), ec.FlatIndex.load(p / "x.safetensors")),),
    ),
    "a quantizer for rows": (
        lambda p: (_quantizer().save(p / "q.npz"), ec.load(p / "q.npz")),
        r"LowBitQuantizer\.load\(path\) reads it",
        (lambda p: (_quantizer().save(p / "q.npz"), ec.LowBitQuantizer.load(p / "q.npz")),),
    ),
    "a quantizer of another suffix": (
        lambda p: _quantizer().save(p / "q.safetensors"),
        r"a quantizer is stored in a \.npz file",
        (lambda p: _quantizer().save(p / "q.npz"),),
    ),
    "codes for a quantizer": (
        lambda p: (ec.save(p / "c.npz", _quantizer().encode(X)), ec.LowBitQuantizer.load(p / "c.npz")),
        r"embcodec\.load\(path\) reads them, and LowBitCodes\.of\(rows, codes\.scheme\)",
        (lambda p: (ec.save(p / "c.npz", _quantizer().encode(X)), ec.LowBitCodes.of(X, ec.load(p / "c.npz").scheme)),),
    ),
    "rows for numbers of rows": (
        lambda p: (ec.save(p / "c.npz", KINDS["int8 unit"]), ec.load_ids(p / "c.npz")),
        r"embcodec\.load\(path\)",
        (lambda p: (ec.save(p / "c.npz", KINDS["int8 unit"]), ec.load(p / "c.npz")),),
    ),
    "a collection for an index": (
        lambda p: (_collection(p), ec.FlatIndex.load(p / "c")),
        r"is the folder of a collection: Collection\.open\(path\) opens it",
        (lambda p: (_collection(p), ec.Collection.open(p / "c")),),
    ),
    "a collection for a file": (
        lambda p: (_collection(p), ec.load(p / "c")),
        r"is a folder: Collection\.open\(path\) opens one that holds a collection",
        (lambda p: (_collection(p), ec.Collection.open(p / "c")),),
    ),
    "the folder that one is in": (
        lambda p: ec.load("."),
        r"'\.' is a folder: Collection\.open\(path\) opens one that holds a collection",
        (lambda p: (_collection(p), ec.Collection.open(p / "c")),),
    ),
    "an index for a collection": (
        lambda p: (ec.FlatIndex(X).save(p / "x.safetensors"), ec.Collection.open(p / "x.safetensors")),
        r"is a file, not the folder of a collection: FlatIndex\.load\(path\) reads it",
        (lambda p: (ec.FlatIndex(X).save(p / "x.safetensors"), ec.FlatIndex.load(p / "x.safetensors")),),
    ),
    "floats too large for float16": (
        lambda p: ec.save(p / "x.npy", X * 1e6, float_dtype="float16"),
        r"row 0 has a value \(.*\) that is not finite in the payload's dtype, float16: leave out float_dtype='float16'",
        (lambda p: ec.save(p / "x.npy", X * 1e6),),
    ),
    "codes as float16": (
        lambda p: ec.save(p / "x.safetensors", KINDS["int8 unit"], float_dtype="float16"),
        "float_dtype='float16' is for floats, not for codes",
        (
            lambda p: ec.save(p / "x.safetensors", KINDS["int8 unit"]),
            lambda p: ec.save(p / "x.safetensors", KINDS["int8 unit"].to("float"), float_dtype="float16"),
        ),
    ),
    "bfloat16 in other files": (
        lambda p: ec.save(p / "x.parquet", X, float_dtype="bfloat16"),
        r"a \.parquet file has no bfloat16; use \.safetensors",
        (lambda p: ec.save(p / "x.safetensors", X, float_dtype="bfloat16"),),
    ),
    "rows for an index": (
        lambda p: (ec.save(p / "x.safetensors", FLOATS), ec.FlatIndex.load(p / "x.safetensors")),
        r"embcodec\.load\(path\) reads it",
        (lambda p: (ec.save(p / "x.safetensors", FLOATS), ec.load(p / "x.safetensors")),),
    ),
    "a body for a file": (
        lambda p: ec.load(p / "body.json"),
        r"decode_response\(Path\(path\)\.read_bytes\(\)\) reads a response body",
        (lambda p: ((p / "body.json").write_bytes(_body()), ec.decode_response((p / "body.json").read_bytes())),),
    ),
    "a batch for a file": (
        lambda p: ec.load(p / "out.jsonl"),
        r"decode_batch\(path\) reads a batch job's output",
        (
            lambda p: (
                (p / "out.jsonl").write_bytes(b'{"custom_id":"a","response":{"status_code":200,"body":%s}}' % _body()),
                ec.decode_batch(p / "out.jsonl"),
            ),
        ),
    ),
    "int8 for pgvector": (
        lambda p: ec.to_pgvector(KINDS["int8 unit"]),
        r"send Embeddings\(rows\.to_float\(\)\)",
        (lambda p: ec.to_pgvector(Embeddings(KINDS["int8 unit"].to_float())),),
    ),
    "uint8 for sqlite-vec": (
        lambda p: ec.to_sqlite_vec(KINDS["uint8 unit"]),
        r"use \.to\('int8'\)",
        (lambda p: ec.to_sqlite_vec(KINDS["uint8 unit"].to("int8")),),
    ),
    "parts for a study, once": (
        lambda p: ec.study(part for part in (X, X)),  # type: ignore[arg-type]
        r"pass a list of the matrices \(those of mapped files stay on the disk\)",
        (
            lambda p: ec.study(
                [RNG.standard_normal((30, 8)).astype(np.float32) for _ in range(2)], k=2, codes=["int8"], dimensions=[8]
            ),
        ),
    ),
    "codes to center queries by": (
        lambda p: ec.QueryCenter.of(KINDS["int8 unit"]),
        "centred as floats, not as int8 codes: pass the floats",
        (lambda p: ec.QueryCenter.of(FLOATS),),
    ),
    "codes for a study": (
        lambda p: ec.study(KINDS["int8 unit"]),
        "a study begins with the floats they came from",
        (lambda p: ec.study(RNG.standard_normal((60, 8)).astype(np.float32), k=2, rotation="none"),),
    ),
    "a sample too small for a study": (
        lambda p: ec.study(MANY, sample=5, codes=["int8"], dimensions=[]),
        "a sample of 5 is too few of the 120 vectors to find 10 nearest among: pass sample=11, or more",
        (lambda p: ec.study(MANY, sample=11, codes=["int8"], dimensions=[]),),
    ),
    "more neighbours than vectors": (
        lambda p: ec.study(MANY, k=200, codes=["int8"], dimensions=[]),
        "120 distinct vectors are too few .* once 24 are held out as queries: pass k=96, or less, or more vectors",
        (lambda p: ec.study(MANY, k=96, codes=["int8"], dimensions=[]),),
    ),
    "axes of a plot": (
        lambda p: ec.study(MANY, codes=["int8"], dimensions=[]).plot(ax=3),
        r"ax is one matplotlib\.axes\.Axes, as plt\.subplots\(\)\[1\] is, not 3",
        (
            lambda p: ec.study(MANY, codes=["int8"], dimensions=[]).plot(
                ax=pytest.importorskip("matplotlib.figure").Figure().subplots()
            ),
        ),
    ),
    "answers without questions": (
        lambda p: ec.study(X, relevant=[[0]]),
        "pass queries too",
        (lambda p: ec.study(X, X[:3], [[0], [1], [2]], k=2, rotation="none"),),
    ),
    **ways_out_columns.CASES,
    **ways_out_files.CASES,
    **ways_out_parts.CASES,
    **ways_out_adapters.CASES,
}


@cache
def said(name: str) -> str:
    """Return what is said of a case."""
    with TemporaryDirectory() as folder, pytest.raises((ValueError, TypeError, IndexError)) as caught:
        CASES[name][0](Path(folder))
    return str(caught.value)


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_way_out_leads_on(name: str, tmp_path: Path) -> None:
    _, words, ways = CASES[name]
    assert re.search(words, said(name)), said(name)
    assert ways
    for follow in ways:
        follow(tmp_path)


@pytest.mark.parametrize("store", ways_out_stores.SENDERS)
def test_what_a_store_does_not_take_it_takes_by_the_way_that_it_names(store: str) -> None:
    send, stuck = ways_out_stores.SENDERS[store], []
    for kind, rows in {**KINDS, "low bit": LOW_BIT.encode(X)}.items():
        try:
            send(rows)
            continue
        except (ValueError, TypeError) as error:
            message = str(error)
        ways = SENT.findall(message.replace(" .to(", " rows.to("))
        if not ways:
            stuck.append(f"{kind}: {message}")
        for way in ways:
            send(
                eval(way, {"rows": rows, "embeddings": rows, "Embeddings": Embeddings})
            )  # at once, with no next refusal
    assert not stuck


def test_the_warning_names_a_way_that_is_silent() -> None:
    with pytest.warns(ec.PrecisionWarning, match='scale="per-vector"'):
        quantize(X * 30, "int8")
    quantize(X * 30, "int8", scale="per-vector")


def test_the_warning_of_a_common_mean_names_codes_that_are_taken_in_silence() -> None:
    x = MANY + 3
    with pytest.warns(ec.PrecisionWarning, match=r"quantizer=LowBitQuantizer\(1\).fit\(floats\)"):
        ec.FlatIndex(quantize(x, "ubinary"), rescore_with=x)
    ec.FlatIndex(x, quantizer=ec.LowBitQuantizer(1).fit(x), rescore_with=x)


# Messages that name a way, and that need no case above: others follow them, or none can here.
ELSEWHERE = (
    "pip install",  # a missing package
    "pass api_key",  # test_client: keys
    "…: use …",  # CodeMismatchError's own form
    "a numba.cfunc does not say",  # test_search: a user's metric says which scores are the best
    "text is base64, a str or bytes, or a list of such",  # allowed types, all of them tested
    "known are",
    "is no host: say a name",  # test_server_hostile
    "is no origin: say scheme and host",  # test_server_wide
    "base64 and list of",  # what the demo checks of itself
    "and nothing that says what they are to each other",  # test_storage_foreign
    "a summary is of all rows",  # test_summaries
    "if you trust it, pass max_bytes= of what it may come to",  # test_batch_source: an error among the data
)
NAMES_A_WAY = re.compile(
    r"`|\w\((?!s\))|\.\w+\(|\b[a-z_]+=|: (?:use|say|pass|send|save|give|wrap|drop|fill|call|encode|normalize|add|name|"
    r"cut|rescore)\b|, or (?:use|pass|add|cut|save)\b|; (?:use|say|name|or)\b"
)


def messages() -> Iterator[tuple[str, str]]:
    """Yield where an error is raised and its message, with … for what is put in; of those whose message is there."""
    package = Path(ec.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path.parent.name == "cli":  # in words of the command line
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error"):
                for argument in node.args:
                    yield f"{path.relative_to(package)}:{node.lineno}", _template(argument)


def _template(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_template(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _template(node.left) + _template(node.right)
    return "…"


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
def test_no_message_that_names_a_way_is_left_out() -> None:
    everything = [said(name) for name in CASES]
    missing = []
    for place, text in messages():
        if NAMES_A_WAY.search(text) and not any(part in text for part in ELSEWHERE):
            form = re.compile(".*".join(map(re.escape, text.split("…"))), re.DOTALL)
            if not any(form.search(message) for message in everything):
                missing.append(f"{place}: {text}")
    assert not missing, "follow these ways in CASES:\n" + "\n".join(missing)


def test_errors_keep_their_way_when_pickled() -> None:
    with pytest.raises(CodeMismatchError) as caught:
        ec.search(KINDS["ubinary msb"], KINDS["ubinary lsb"], 1)
    back = pickle.loads(pickle.dumps(caught.value))
    assert (str(back), back.reason, back.way) == (str(caught.value), caught.value.reason, caught.value.way)
    assert isinstance(back, ValueError)
    assert not isinstance(back, DecodeError | StorageError)
