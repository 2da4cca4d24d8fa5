"""Odd arguments: each is refused by an error of the package's own, which names the argument and what is allowed."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from each import each
from ours import is_ours

import embcodec as ec
from embcodec import Embeddings, FlatIndex, Scale, quantize

X = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
FLOATS, BITS, INT8 = Embeddings(X), quantize(X, "ubinary"), quantize(X, "int8")
QUANTIZER = ec.LowBitQuantizer(1, rotation="none").fit(X)
LOW_BIT = QUANTIZER.encode(X)
BODY = ec.encode_response(FLOATS, model="m")


class Thing:
    def __repr__(self) -> str:
        return "Thing" * 100


# Nothing that takes rows, numbers, words or paths takes one of these, but for what `allowed` says of it.
ODD: dict[str, Any] = {
    "None": None,
    "a word": "abc",
    "bytes": b"abcd",
    "a negative number": -1,
    "a whole number": 3,
    "a huge number": 10**30,
    "a real number": 2.5,
    "NaN": float("nan"),
    "True": True,
    "a dict": {"a": 1},
    "a set": {1.0},
    "a class": int,
    "a thing": Thing(),
    "ragged lists": [[1.0, 2.0], [3.0]],
    "a list of whole numbers": [1, 2, 3],
    "three axes": np.zeros((2, 2, 2), np.float32),
    "no axis": np.array(1.5),
    "complex": X.astype(complex),
    "objects": np.array([["a", Thing()]], object),
    "None in objects": np.array([[None, 1.0]], object),
    "dates": np.zeros((2, 8), "datetime64[s]"),
    "booleans": X > 0,
    "words": np.array([["a", "b"]]),
    "records": np.zeros(3, [("a", "f4")]),
    "low-bit codes": LOW_BIT,
}
COUNTS = ("a whole number", "a huge number")
REALS = {"a negative number", "a whole number", "a huge number", "a real number"}
Take = Callable[[Any], Any]
ROWS = r"(?i)rows|numbers|shape|embeddings|meaning is unknown|codes|sample|vector"

# What takes the value, the words that every refusal has, and the values that are meant to be taken.
TAKERS: dict[str, tuple[Take, str, Collection[str]]] = {
    "quantize": (lambda v: quantize(v, "int8", scale="per-vector"), ROWS, ()),
    "quantize, bits": (lambda v: quantize(v, "ubinary"), ROWS, ()),
    "quantize, output_dtype": (lambda v: quantize(X, v), "'float', 'int8', 'uint8', 'binary', 'ubinary'", ()),
    "quantize, scale": (lambda v: quantize(X, "int8", scale=v), "scale|ranges", ("None",)),
    "quantize, bit_order": (lambda v: quantize(X, "ubinary", bit_order=v), "bit_order is 'msb' or 'lsb'", ()),
    "quantize, signed_bytes": (lambda v: quantize(X, "binary", signed_bytes=v), "signed_bytes is 'offset' or", ()),
    "quantize, out": (lambda v: quantize(X, "int8", out=v), "out must be", ("None",)),
    "dequantize": (lambda v: ec.dequantize(v), ROWS, ()),
    "truncate": (lambda v: ec.truncate(v, 2), ROWS, ("a list of whole numbers",)),
    "truncate, dimension": (lambda v: ec.truncate(X, v), "dimension", ("a whole number",)),
    "calibrate": (lambda v: ec.calibrate(v), ROWS, ()),
    "calibrate, method": (lambda v: ec.calibrate(X, method=v), "unknown method .*'minmax', 'quantile', 'mse'", ()),
    "calibrate, quantile": (lambda v: ec.calibrate(X, method="quantile", quantile=v), "quantile is", ()),
    "Embeddings": (Embeddings, ROWS, ()),
    "Embeddings, output_dtype": (lambda v: Embeddings(X, v), "OutputDtype .*'int8'", ()),
    "Embeddings, dimension": (lambda v: Embeddings(X, dimension=v), "dimension", ("None",)),
    "Embeddings, scale": (lambda v: Embeddings(INT8.values, "int8", scale=v), "scale is a Scale", ("None",)),
    "Embeddings.to": (FLOATS.to, "'int8'", ()),
    "Embeddings.to, scale": (lambda v: FLOATS.to("int8", scale=v), "scale|ranges", ("None",)),
    "Embeddings.to, bit_order": (lambda v: BITS.to("binary", bit_order=v), "bit_order is 'msb' or 'lsb'", ("None",)),
    "Embeddings.to, signed_bytes": (lambda v: BITS.to("binary", signed_bytes=v), "signed_bytes is", ("None",)),
    "Embeddings.truncate": (FLOATS.truncate, "dimension", ("a whole number",)),
    "Embeddings[]": (
        lambda v: FLOATS[v],
        "rows|row ",
        ("a negative number", "a whole number", "a list of whole numbers"),
    ),
    "LowBitCodes[]": (
        lambda v: LOW_BIT[v],
        "rows|row ",
        ("a negative number", "a whole number", "a list of whole numbers"),
    ),
    "Scale.per_vector": (ec.Scale.per_vector, "scale", ("a list of whole numbers",)),
    "Scale.ranges": (ec.Scale.ranges, "ranges", ()),
    "pack_bits": (ec.pack_bits, ROWS, ("a list of whole numbers", "booleans")),
    "pack_bits, threshold": (lambda v: ec.pack_bits(X, threshold=v), "threshold is", REALS),
    "pack_bits, bit_order": (lambda v: ec.pack_bits(X, bit_order=v), "bit_order is 'msb' or 'lsb'", ()),
    "unpack_bits": (lambda v: ec.unpack_bits(v, 8), ROWS + "|bits", ()),
    "unpack_bits, dimension": (lambda v: ec.unpack_bits(BITS.values, v), "dimension|bits", ()),
    "decode_base64": (lambda v: ec.decode_base64(v, "float"), "text|base64|unexpected|bytes|wrong|length|ends", ()),
    "format_floats": (ec.format_floats, ROWS, ("a list of whole numbers",)),
    "parse_floats": (ec.parse_floats, "text|unexpected", ()),
    "search, queries": (lambda v: ec.search(v, X, 1), ROWS + "|queries", ()),
    "search, corpus": (lambda v: ec.search(X, v, 1), ROWS + "|corpus", ("low-bit codes",)),
    "search, k": (lambda v: ec.search(X, X, v), r"\bk\b", COUNTS),
    "search, mask": (lambda v: ec.search(X, X, 1, mask=v), "mask", ("None", "a list of whole numbers")),
    "search, metric": (lambda v: ec.search(X, X, 1, metric=v), "metric", ("None",)),
    "search, query_precision": (lambda v: ec.search(X, X, 1, query_precision=v), "query_precision is 'int8' or", ()),
    "search, threads": (
        lambda v: ec.search(X, X, 1, threads=v),
        "threads",
        ("None", *COUNTS),
    ),
    "range_search, threshold": (lambda v: ec.range_search(X, X, v), "threshold is", REALS),
    "range_search, queries": (lambda v: ec.range_search(v, X, 0.5), ROWS + "|queries", ()),
    "rescore, candidates": (lambda v: ec.rescore(X, v, X, 1), "candidate", ()),
    "rescore, k": (lambda v: ec.rescore(X, [[0]] * 6, X, v), r"\bk\b", COUNTS),
    "rescore, bounded_by": (
        lambda v: ec.rescore(X, [[0]] * 6, X, 1, bounded_by=v),
        "bounded_by",
        ("None", "low-bit codes"),
    ),
    "FlatIndex": (FlatIndex, ROWS, ("low-bit codes",)),
    "FlatIndex, quantizer": (lambda v: FlatIndex(X, quantizer=v), "quantizer is", ("None",)),
    "FlatIndex, ids": (lambda v: FlatIndex(X, ids=v), r"\bids?\b", ("None",)),
    "FlatIndex.add": (lambda v: FlatIndex(X).add(v), ROWS, ()),
    "FlatIndex.remove": (
        FlatIndex(np.vstack([X, X])).remove,
        r"\bids?\b",
        ("a whole number", "a list of whole numbers"),
    ),
    "FlatIndex.search": (lambda v: FlatIndex(X).search(v, 1), ROWS + "|queries", ()),
    "FlatIndex.search, mask": (
        lambda v: FlatIndex(X).search(X, 1, mask=v),
        "mask",
        ("None", "a list of whole numbers"),
    ),
    "FlatIndex.search, rescore_multiplier": (
        lambda v: FlatIndex(BITS, rescore_with=X).search(X, 1, rescore_multiplier=v),
        "rescore_multiplier",
        ("None", "a whole number", "a real number", "a huge number"),
    ),
    "FlatIndex.search, confidence": (
        lambda v: FlatIndex(LOW_BIT, rescore_with=X).search(X, 1, confidence=v),
        "confidence is",
        ("None",),
    ),
    "LowBitQuantizer": (ec.LowBitQuantizer, "bits is ", ("a whole number", "a real number")),
    "LowBitQuantizer, rotation": (lambda v: ec.LowBitQuantizer(1, rotation=v), "unknown rotation .* 'random'", ()),
    "LowBitQuantizer, center": (lambda v: ec.LowBitQuantizer(1, center=v), "unknown center .* 'mean'", ()),
    "LowBitQuantizer.fit": (ec.LowBitQuantizer(1, rotation="none").fit, ROWS, ("a list of whole numbers",)),
    "LowBitQuantizer.encode": (QUANTIZER.encode, ROWS, ()),
    "LowBitQuantizer.decode": (QUANTIZER.decode, "LowBitCodes", ("low-bit codes",)),
    "compile_metric": (lambda v: ec.compile_metric(v, lower_is_better=True), "function is", ("None",)),
    "compile_metric, lower_is_better": (
        lambda v: ec.compile_metric(lower_is_better=v),
        "lower_is_better=True",
        ("True",),
    ),
    "compile_metric, output_dtype": (
        lambda v: ec.compile_metric(output_dtype=v, lower_is_better=True),
        "unknown OutputDtype",
        (),
    ),
    "decode_response, output_dtype": (lambda v: ec.decode_response(BODY, output_dtype=v), "unknown OutputDtype", ()),
    "decode_response, dimension": (lambda v: ec.decode_response(BODY, dimension=v), "dimension|elements", ("None",)),
    "decode_response, profile": (lambda v: ec.decode_response(BODY, profile=v), "profile", ()),
    "decode_response, nulls": (lambda v: ec.decode_response(BODY, nulls=v), "nulls is 'error' or 'nan'", ()),
    "decode_response, expected_count": (
        lambda v: ec.decode_response(BODY, expected_count=v),
        "expected_count|asked for",
        ("None",),
    ),
    "encode_response": (lambda v: ec.encode_response(v, model="m"), ROWS, ()),
    "encode_response, model": (lambda v: ec.encode_response(FLOATS, model=v), "model is", ("a word",)),
    "encode_response, encoding_format": (
        lambda v: ec.encode_response(FLOATS, model="m", encoding_format=v),
        "unknown EncodingFormat .*'base64'",
        (),
    ),
    "save, path": (lambda v: ec.save(v, FLOATS), "path|kind of file", ()),
    "load, path": (ec.load, "path|kind of file", ()),
    "decode_batch, path": (ec.decode_batch, "path", ("a word",)),
    "study": (lambda v: ec.study(v), ROWS, ()),
}


@each("taker", TAKERS)
def test_odd_arguments_are_refused_by_name(taker: str) -> None:
    take, words, allowed = TAKERS[taker]
    for name, value in ODD.items():
        if name in allowed:
            continue
        with pytest.raises((ValueError, TypeError, IndexError, KeyError), match=words) as caught:
            take(value)
        assert is_ours(caught.value), f"{name}: {caught.value!r}"
        assert len(str(caught.value)) < 400, f"{name}: {caught.value!r}"


@each("taker", TAKERS)
def test_what_is_meant_is_taken(taker: str) -> None:
    take, _, allowed = TAKERS[taker]
    if taker in ("FlatIndex.remove", "decode_batch, path"):
        return
    for name in allowed:
        take(ODD[name])


@each(
    "take, words",
    [
        (lambda: quantize(X, "int_8"), "did you mean 'int8'"),
        (lambda: quantize(X, "Float"), "did you mean 'float'"),
        (lambda: ec.search(X, X, 1, metric="cosin"), "did you mean 'cosine'"),
        (lambda: ec.search(X, X, 1, query_precision="float"), "did you mean 'float32'"),
        (lambda: ec.calibrate(X, method="quantiles"), "did you mean 'quantile'"),  # type: ignore[arg-type]
        (lambda: ec.LowBitQuantizer(1, rotation="randomly"), "did you mean 'random'"),
        (lambda: ec.decode_response(BODY, profile="mistal"), "did you mean 'mistral'"),
        (lambda: quantize(X, "ubinary", bit_order="MSB"), "did you mean 'msb'"),  # type: ignore[arg-type]
        *(
            (lambda word=word: quantize(X, word), f"did you mean '{known}'")
            for word, known in {
                "f32": "float",
                "float32": "float",
                "fp16": "float",
                "double": "float",
                "i8": "int8",
                "u8": "uint8",
                "UINT8": "uint8",
                "bit": "ubinary",
                "ubin": "ubinary",
                "bin": "binary",
                "u_binary": "ubinary",
            }.items()
        ),
        *(
            (lambda word=word: quantize(X, word), "LowBitQuantizer makes codes of 1 to 8 bits$")
            for word in ("int4", "uint4", "int2", "4bit", "4-bit", "nf4")
        ),
        *(
            (lambda word=word: ec.search(X, X, 1, metric=word), f"did you mean '{known}'")
            for word, known in {
                "euclidean": "l2",
                "Euclidean": "l2",
                "L2": "l2",
                "cos": "cosine",
                "cosine_similarity": "cosine",
                "ip": "dot",
                "inner_product": "dot",
                "innerProduct": "dot",
                "dot-product": "dot",
                "tanimoto": "jaccard",
            }.items()
        ),
        (lambda: ec.range_search(X, X, 1, metric="euclidean"), "did you mean 'l2'"),
        (lambda: ec.FlatIndex(X).search(X, 1, metric="ip"), "did you mean 'dot'"),
        (lambda: ec.search(X, LOW_BIT, 1, metric="euclidean"), "not 'euclidean'; did you mean 'l2'"),
        (lambda: quantize(X, "int8", scale="per_vector"), "did you mean 'per-vector'"),
        (lambda: quantize(X, "int8", scale="pervector"), "did you mean 'per-vector'"),
        (lambda: quantize(X, "int8", scale="row"), "did you mean 'per-vector'"),
        (lambda: Scale("per_vector", [1.0]), "did you mean 'per-vector'"),
        (lambda: quantize(X, "binary", signed_bytes="twos_complement"), "did you mean 'twos-complement'"),  # type: ignore[arg-type]
        (lambda: quantize(X, "binary", bit_order="little"), "did you mean 'lsb'"),  # type: ignore[arg-type]
        (lambda: ec.search(X, X, 1, query_precision="fp32"), "did you mean 'float32'"),
        (lambda: ec.calibrate(X, method="percentile"), "did you mean 'quantile'"),  # type: ignore[arg-type]
        (lambda: ec.calibrate(X, method="min-max"), "did you mean 'minmax'"),  # type: ignore[arg-type]
        (lambda: ec.LowBitQuantizer(1, rotation="pca"), "did you mean 'principal'"),
        (lambda: ec.decode_response(BODY, nulls="raise"), "did you mean 'error'"),  # type: ignore[arg-type]
        (lambda: ec.decode_response(BODY, nulls="ignore"), "did you mean 'nan'"),  # type: ignore[arg-type]
        (lambda: ec.decode_response(BODY, profile="mistralai"), "did you mean 'mistral'"),
        (lambda: ec.encode_response(X, model="m", encoding_format="b64"), "did you mean 'base64'"),
        (lambda: replace(ec.PROFILES["mistral"], base64_dtype="half"), "did you mean 'float16'"),
        (lambda: replace(ec.PROFILES["mistral"], byte_order="be"), "did you mean 'big'"),
        (lambda: ec.load("x.npy", float_dtype="bf16"), "did you mean 'bfloat16'"),
        (lambda: ec.load("x.safetensor"), "did you mean '.safetensors'"),
        (lambda: ec.write_batch("x.jsonl", ["a"], style="OpenAI"), "did you mean 'openai'"),  # type: ignore[arg-type]
    ],
)
def test_misspelt_words_are_recognised(take: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        take()


MASKED = np.ma.masked_array([1, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    "choose",
    [
        lambda v: ec.search(X, X, 1, mask=v),
        lambda v: FlatIndex(X).search(X, 1, mask=v),
        lambda v: FlatIndex(X, ids=range(6)).search(X, 1, mask=v),
        lambda v: ec.rescore(X[0], v, X, 1),
        lambda v: ec.rescore(X[:2], [v, v], X, 1),
        lambda v: FLOATS[v],
        lambda v: LOW_BIT[v],
        lambda v: FlatIndex(np.vstack([X, X])).remove(v),
    ],
)
def test_neither_booleans_among_numbers_nor_masked_values_choose_rows(choose: Take) -> None:
    for value in ([True, 5], [3, np.True_], [5, False], MASKED, MASKED.astype(bool)):
        with pytest.raises(TypeError, match=r"(True|False)[_)]*, not a whole number|masked"):
            choose(value)
    choose([2, np.int64(5)])


def test_no_rows_and_no_dimensions() -> None:
    for rows in (np.empty((0, 8), np.float32), np.empty((3, 0), np.float32), []):
        for dtype in ("float", "int8", "uint8", "binary", "ubinary"):
            assert len(quantize(rows, dtype)) == len(rows)
        assert ec.format_floats(rows) is not None
    none = np.empty((0, 8), np.float32)
    assert ec.search(X, none, 3).indices.shape == (6, 0)
    assert ec.search(none, X, 3).indices.shape == (0, 3)
    assert ec.search(X, X, 0).indices.shape == (6, 0)
    assert len(FlatIndex(none)) == 0
    for take in (lambda: ec.search(np.empty((3, 0)), np.empty((3, 0)), 1), lambda: ec.calibrate(none)):
        with pytest.raises(ValueError, match=r"1 to 65536 dimensions|the sample is empty"):
            take()


@each("name", ec.__all__)
def test_every_public_name_is_in_the_summary(name: str) -> None:
    assert name in str(ec.__doc__)
    assert name == "PROFILES" or getattr(ec, name).__doc__


def test_help_is_two_pages() -> None:
    assert pydoc.render_doc(ec, renderer=pydoc.plaintext).count("\n") < 200
    done = subprocess.run([sys.executable, "-m", "pydoc", "embcodec"], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") < 200
    names: dict[str, Any] = {}
    exec("from embcodec import *", names)
    assert set(ec.__all__) <= set(names)


def test_reprs_are_short() -> None:
    found = ec.search(np.tile(X, (90, 1)), np.tile(X, (90, 1)), 50)
    bounded = ec.rescore(X, [[0, 1, 2]] * 6, X, 2, bounded_by=LOW_BIT)
    for thing in (
        found,
        ec.range_search(np.tile(X, (90, 1)), X, 0.1),
        bounded,
        FLOATS,
        INT8.scale,
        quantize(X, "int8", scale=ec.calibrate(X)).scale,
        LOW_BIT,
        QUANTIZER,
        FlatIndex(BITS, rescore_with=X),
        ec.decode_response(BODY),
        *ec.PROFILES.values(),
        ec.study(np.tile(X, (20, 1)), k=2, rotation="none", dimensions=[4]),
    ):
        assert len(repr(thing)) < 1000, type(thing)
    assert repr(ec.PROFILES["mistral"]) == "Profile(name='mistral', max_tokens=16384, default_model='mistral-embed')"
    assert repr(bounded).startswith("BoundedResult(scores=array([[")
    assert "is_final=array([" in repr(bounded)


@pytest.mark.parametrize("path", [5, True, None, b"x.safetensors", ["a"]])
def test_paths_of_quantizers_and_indices(path: Any) -> None:
    for read in (ec.LowBitQuantizer.load, FlatIndex.load, QUANTIZER.save, FlatIndex(INT8).save):
        with pytest.raises(TypeError, match="path is the path of a file"):
            read(path)


@pytest.mark.parametrize("name", ["timeout", "max_retries", "concurrency", "retry_seconds", "base_url"])
def test_arguments_of_clients(name: str) -> None:
    for value in ("4" if name != "base_url" else 4, True, [1]):
        for client in (ec.Client, ec.AsyncClient):
            with pytest.raises(TypeError, match=f"{name} is a"):
                client(**{"api_key": "k", name: value})
    if name in ("max_retries", "concurrency"):
        with pytest.raises(TypeError, match=f"{name} is a whole number, not 1.5"):
            ec.Client(**{"api_key": "k", name: 1.5})


@pytest.mark.parametrize(
    ("take", "words"),
    [
        (lambda: ec.study(X, dimensions=8), "dimensions are whole numbers, as \\[256, 512\\], not 8"),  # type: ignore[arg-type]
        (lambda: ec.study(X, dimensions="8"), "not '8'"),
        (lambda: ec.study(X, dimensions=[8.5]), "a dimension is a whole number, not 8.5"),  # type: ignore[list-item]
        (lambda: ec.study(X, k="3"), "k is a whole number, not '3'"),  # type: ignore[arg-type]
        (lambda: ec.study(X, X[:3], 5), "relevant is the row, or the rows, that answer each query, not 5"),  # type: ignore[arg-type]
        (lambda: ec.LowBitQuantizer(1, seed="a"), "seed is a whole number, not 'a'"),  # type: ignore[arg-type]
        (lambda: ec.write_batch("x.jsonl", 5), "texts are several strings, as a list, not 5"),  # type: ignore[arg-type]
        (lambda: ec.write_batch("x.jsonl", ["a"], custom_ids=5), "custom_ids are several strings, as a list, not 5"),  # type: ignore[arg-type]
        (lambda: ec.from_pgvector(np.array(1.0)), "reads a list of rows, not a ndarray"),
        (lambda: quantize(X, "int8", scale=5), "scale is 'unit', 'per-vector', .* not 5"),
        (lambda: quantize(X, "int8", scale={"a": 1}), "scale is 'unit', 'per-vector', .* not {'a': 1}"),
    ],
)
def test_what_python_or_numpy_would_say_is_said_of_the_argument(take: Callable[[], Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        take()
