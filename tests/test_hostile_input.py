"""What a caller may get wrong: each is refused in words, and nothing is read as what it is not."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest

import embcodec as ec

X = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)
BITS = ec.Embeddings(np.array([[255, 255]], np.uint8), "ubinary")

LAYOUTS = {
    "big-endian": X.astype(">f4"),
    "float64": X.astype(np.float64),
    "long double": X.astype(np.longdouble),
    "column-major": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": X[::-1].copy()[::-1],
    "unaligned": np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32).reshape(X.shape),
    "read-only": np.frombuffer(X.tobytes(), np.float32).reshape(X.shape),
    "buffer": memoryview(X),
    "lists": X.tolist(),
    "tuples": tuple(map(tuple, X.tolist())),
}


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
@pytest.mark.parametrize("rows", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_however_floats_lie_in_memory_they_count_alike(rows: Any) -> None:
    for dtype in ("float", "int8", "uint8", "binary", "ubinary"):
        assert ec.quantize(rows, dtype) == ec.quantize(X, dtype)
    np.testing.assert_array_equal(ec.pack_bits(rows), np.packbits(X > 0, axis=1))
    np.testing.assert_array_equal(ec.truncate(rows, 4), ec.truncate(X, 4))
    assert ec.format_floats(rows) == ec.format_floats(X)
    found, want = ec.search(rows, rows, 3), ec.search(X, X, 3)
    np.testing.assert_array_equal(found.indices, want.indices)
    np.testing.assert_array_equal(found.scores, want.scores)
    np.testing.assert_array_equal(ec.rescore(rows, want.indices, rows, 3).indices, want.indices)
    assert ec.range_search(rows, rows, 0.9).limits.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert ec.FlatIndex(rows).codes == ec.Embeddings(X)


NO_NUMBERS = {
    "text": np.array([["1", "2"], ["3", "4"]]),
    "dates": np.array([["2020-01-01", "2020-01-02"]], "M8[D]"),
    "complex": np.ones((2, 2), np.complex64),
    "objects": np.array([[1.0, {}]], object),
    "records": np.zeros(3, [("a", "f4")]),
    "nothing": None,
    "a mapping": {"a": 1},
    "an iterator": iter([1.0, 2.0]),
}


@pytest.mark.parametrize("rows", NO_NUMBERS.values(), ids=NO_NUMBERS.keys())
def test_what_is_no_number_is_refused(rows: Any) -> None:
    for function in (
        ec.Embeddings,
        ec.format_floats,
        ec.pack_bits,
        ec.FlatIndex,
        ec.Scale.per_vector,
        ec.Scale.ranges,
        lambda x: ec.quantize(x, "int8", scale="per-vector"),
        lambda x: ec.truncate(x, 1),
        lambda x: ec.search(x, X, 1),
        lambda x: ec.search(X, x, 1),
        lambda x: ec.range_search(x, X, 0.0),
        lambda x: ec.rescore(x, [0], X, 1),
    ):
        with pytest.raises((TypeError, ValueError)):
            function(rows)


def test_masked_values_do_not_come_to_light() -> None:
    masked = np.ma.masked_array(X, mask=X > 1)
    for function in (
        ec.Embeddings,
        ec.format_floats,
        ec.encode_base64,
        ec.pack_bits,
        lambda x: ec.quantize(x, "int8", scale="per-vector"),
        lambda x: ec.search(x, X, 1),
        lambda x: ec.search(X, x, 1),
    ):
        with pytest.raises(TypeError, match="masked"):
            function(masked)


@pytest.mark.parametrize("wrong", [-1, 1.5, 16.0, np.nan, np.inf, True, "16", 2**64, 1 + 0j, [16]])
def test_a_dimension_is_a_whole_number(wrong: Any) -> None:
    body = b'{"data":[{"embedding":[255,255]}]}'
    for function in (
        lambda: ec.Embeddings(BITS.values, "ubinary", wrong),
        lambda: BITS.truncate(wrong),
        lambda: ec.truncate(X, wrong),
        lambda: ec.unpack_bits(BITS.values, wrong),
        lambda: ec.decode_response(body, output_dtype="ubinary", dimension=wrong),
    ):
        with pytest.raises(ValueError, match=r"dimension|elements|bits have|cannot keep"):
            function()


@pytest.mark.parametrize("wrong", [1.5, np.nan, "2", True, [2]])
def test_threads_are_a_whole_number(wrong: Any) -> None:
    with pytest.raises(TypeError, match="threads"):
        ec.search(X, X, 1, threads=wrong)
    with pytest.raises(TypeError, match="threads"):
        ec.decode_response(b'{"data":[{"embedding":[1]}]}', threads=wrong)


def test_any_number_of_threads_may_be_asked_for() -> None:
    rows = ec.Embeddings(np.tile(X, (700, 8)))
    body = ec.encode_response(rows, model="m")
    assert ec.decode_response(body, threads=10**9).embeddings == rows
    np.testing.assert_array_equal(ec.search(X, X, 2, threads=10**9).indices, ec.search(X, X, 2).indices)


FACTORS = [1e-44, 1e-40, 1e-30, 1e-20, 1e20, 1e30, 1e37]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_a_cosine_does_not_know_how_long_a_query_is(isa: str, factor: float, precision: str) -> None:
    few = ec.Embeddings(np.round(X * 8) / 8)  # exact also where float32 has few bits left
    for rows in (few, few.to("int8", scale="per-vector"), few.to("uint8", scale="per-vector"), few.to("ubinary")):
        want = ec.search(few, rows, 3, metric="cosine", query_precision=precision)
        found = ec.search(few.values * np.float32(factor), rows, 3, metric="cosine", query_precision=precision)
        loss = 1e-6 if factor > 1e-38 else 0.05
        np.testing.assert_allclose(found.scores, want.scores, atol=loss)


@pytest.mark.parametrize("center", ["none", "mean"])
@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_nor_where_codes_have_few_bits(center: str, precision: str) -> None:
    unit = ec.truncate(X, 16)
    codes = ec.LowBitQuantizer(bits=4, center=center).fit(unit).encode(unit)
    want = ec.search(X, codes, 3, query_precision=precision)
    for factor in (1e-37, 1e30):
        found = ec.search(X * np.float32(factor), codes, 3, query_precision=precision)
        np.testing.assert_allclose(found.scores, want.scores, atol=0.02 if center == "mean" else 1e-5)


def test_low_bit_codes_are_a_corpus_only() -> None:
    codes = ec.LowBitQuantizer(bits=1).fit(X).encode(X)
    with pytest.raises(ec.CodeMismatchError, match="cannot be low-bit codes"):
        ec.search(codes, X, 1)


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")  # ranges of subnormal width lose all
@pytest.mark.parametrize("factor", FACTORS)
def test_a_cosine_of_rows_near_the_ends_of_float32_is_right_or_refused(isa: str, factor: float) -> None:
    rows = X * np.float32(factor)
    ranges = np.stack([rows.min(axis=0), rows.max(axis=0)])
    coded = ec.quantize(rows, "uint8", scale=ranges)
    for queries, corpus in ((X, rows), (rows, rows), (X, coded), (coded, coded)):
        if 1e-32 < factor < 1e32:
            found = ec.search(queries, corpus, 3, metric="cosine")
            np.testing.assert_allclose(found.scores, ec.search(X, X, 3).scores, atol=0.02)
        else:
            with pytest.raises(ValueError, match=r"row 0 has .* too small"):
                ec.search(queries, corpus, 3, metric="cosine")


def test_a_metric_reads_only_what_it_was_compiled_for() -> None:
    """A float metric would read four bytes of every code: beyond the end of the rows."""

    def product(query: Any, row: Any) -> float:
        return float((query * row).sum())

    compiled = ec.compile_metric(product, lower_is_better=False)
    assert ec.search(X, X, 1, metric=compiled).indices.shape == (6, 1)
    codes = ec.quantize(X, "int8", scale="per-vector")
    with pytest.raises(ec.CodeMismatchError, match="compiled for float rows, not int8"):
        ec.search(codes, codes, 1, metric=compiled)
    with pytest.raises(ValueError, match="unknown OutputDtype"):
        ec.compile_metric(product, output_dtype="int4")


def test_a_threshold_beyond_float32_is_infinite() -> None:
    for rows in (ec.Embeddings(X), ec.quantize(X, "ubinary")):
        assert ec.range_search(rows, rows, 1e300, metric="dot").limits[-1] == 0
        assert ec.range_search(rows, rows, -1e300, metric="dot").limits[-1] == 36
        assert ec.range_search(rows, rows, 1e300, metric="l2").limits[-1] == 36


def test_queries_too_large_for_scores_are_refused() -> None:
    large = X * np.float32(1e30)
    for rows in (ec.Embeddings(X), ec.quantize(X, "int8", scale="per-vector"), ec.quantize(X, "ubinary")):
        with pytest.raises(ValueError, match="too large"):
            ec.search(large, rows, 1, metric="l2")


@pytest.mark.parametrize("wrong", [-1.0, 0, 0.5, np.nan, np.inf])
def test_a_multiplier_is_a_number_from_one_on(wrong: float) -> None:
    index = ec.FlatIndex(ec.quantize(X, "int8", scale="per-vector"), rescore_with=X)
    with pytest.raises(ValueError, match="rescore_multiplier"):
        index.search(X, 2, rescore_multiplier=wrong)


@pytest.mark.parametrize(
    "out",
    [
        [0.0] * 3,
        np.empty(3, ">f4"),
        np.empty(3, np.float64),
        np.empty(6, np.float32)[::2],
        np.frombuffer(bytes(12), np.float32),
        np.empty(0, np.float32),
        np.empty((), np.float32),
    ],
    ids=["list", "big-endian", "float64", "strided", "read-only", "empty", "scalar"],
)
def test_what_cannot_be_written_to_is_refused(out: Any) -> None:
    text = ec.encode_base64(np.ones(3, np.float32))
    for function in (
        lambda: ec.decode_base64(text, "float", out=out),
        lambda: ec.decode_base64([text], "float", out=out),
        lambda: ec.parse_floats("[1,2,3]", out=out),
    ):
        with pytest.raises(ValueError, match=r"out|bytes|room"):
            function()


def test_base64_has_no_dtype_by_default() -> None:
    with pytest.raises(ValueError, match="dtype"):
        ec.decode_base64("AAAAAAAA", None)


def test_base64_padding_may_be_missing_where_that_is_said() -> None:
    for text, bare in (("AACAPwAAAMA=", "AACAPwAAAMA"), ("AACAPw==", "AACAPw")):
        with pytest.raises(ec.DecodeError, match="padding"):
            ec.decode_base64(bare, "float")
        for given in (text, bare):
            np.testing.assert_array_equal(
                ec.decode_base64(given, "float", padding=False), ec.decode_base64(text, "float")
            )
            np.testing.assert_array_equal(
                ec.decode_base64([given] * 2, "float", padding=False), ec.decode_base64([text] * 2, "float")
            )


def test_base64_takes_whatever_says_what_it_holds() -> None:
    want = ec.encode_base64(X)
    assert ec.encode_base64(ec.Embeddings(X)) == want
    assert ec.encode_base64(array("f", X[0].tolist())) == want[0]
    with pytest.raises(TypeError, match="float"):
        ec.encode_base64(ec.quantize(X, "int8", scale="per-vector"))
    if np.dtype(np.longdouble).itemsize > 8:
        with pytest.raises(TypeError, match="no fixed bytes"):
            ec.encode_base64(np.ones(2, np.longdouble))
