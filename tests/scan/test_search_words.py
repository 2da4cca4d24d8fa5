"""What a search that cannot be is told: whole sentences, with the way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from few_rows import BITS, INT8, LOW, LSB, QUANTIZER, RANGED, SCALED, SIGNED, TWOS, UINT8, X

from embcodec import (
    CodeMismatchError,
    FlatIndex,
    LowBitQuantizer,
    quantize,
    range_search,
    rescore,
    search,
)

CUT = " (where one model made both, and can be cut)"
FLOATS = "queries.to_float(), for floats meet any codes, or "

MISMATCHES: dict[str, tuple[Callable[[], Any], str]] = {
    "bits' metric of floats": (
        lambda: search(X, X, 1, metric="hamming"),
        'hamming compares bits with bits, not float with float: use metric="cosine", "dot" or "l2"',
    ),
    "bits' metric of integers": (
        lambda: search(INT8, INT8, 1, metric="jaccard"),
        'jaccard compares bits with bits, not int8 with int8: use metric="cosine", "dot" or "l2"',
    ),
    "bits' metric of floats with bits": (
        lambda: search(X, BITS, 1, metric="hamming"),
        'hamming compares bits with bits, not float with ubinary: use quantize(queries, "ubinary")',
    ),
    "bits' metric of floats with two's complements": (
        lambda: search(X, TWOS, 1, metric="jaccard"),
        "jaccard compares bits with bits, not float with binary: "
        'use quantize(queries, "binary", signed_bytes="twos-complement")',
    ),
    "bits' metric of floats with bits of another order": (
        lambda: search(X, LSB, 1, metric="jaccard"),
        'jaccard compares bits with bits, not float with ubinary: use quantize(queries, "ubinary", bit_order="lsb")',
    ),
    "codes with floats": (
        lambda: search(BITS, X, 1),
        "ubinary queries do not meet float rows: use queries.to_float()",
    ),
    "integers with bits": (
        lambda: search(INT8, BITS, 1),
        f'int8 queries do not meet ubinary rows: use {FLOATS}quantize(queries, "ubinary")',
    ),
    "unsigned with signed": (
        lambda: search(UINT8, INT8, 1),
        f'uint8 queries do not meet int8 rows: use {FLOATS}quantize(queries, "int8")',
    ),
    "bits with signed bits": (
        lambda: search(BITS, SIGNED, 1),
        f'ubinary queries do not meet binary rows: use {FLOATS}quantize(queries, "binary")',
    ),
    "other scales": (
        lambda: search(INT8, SCALED, 1),
        "int8 queries and rows have different meanings (scale unit and per-vector): "
        'use quantize(queries, "int8", scale="per-vector"), or, to ask with floats, queries.to_float()',
    ),
    "ranges": (
        lambda: search(INT8, RANGED, 1),
        f"int8 queries and rows have different meanings (scale unit and {RANGED.meaning[2]}): "
        'use quantize(queries, "int8", scale=corpus.scale), or, to ask with floats, queries.to_float()',
    ),
    "other bytes": (
        lambda: search(SIGNED, TWOS, 1),
        "binary queries and rows have different meanings (signed_bytes offset and twos-complement): "
        'use quantize(queries, "binary", signed_bytes="twos-complement"), or, to ask with floats, queries.to_float()',
    ),
    "other bits": (
        lambda: search(BITS, LSB, 1),
        "ubinary queries and rows have different meanings (bit_order msb and lsb): "
        'use quantize(queries, "ubinary", bit_order="lsb"), or, to ask with floats, queries.to_float()',
    ),
    "shorter queries": (
        lambda: search(X[:, :6], X, 1),
        f"queries have 6 dimensions, the corpus 8: use queries of all 8, or truncate(corpus, 6){CUT}",
    ),
    "longer queries": (
        lambda: search(X, X[:, :6], 1),
        f"queries have 8 dimensions, the corpus 6: use truncate(queries, 6){CUT}",
    ),
    "shorter queries of low-bit codes": (
        lambda: search(X[:, :6], LOW, 1),
        "queries have 6 dimensions, the corpus 8: use queries of all 8, or codes of rows cut to as many: "
        f"a LowBitQuantizer fitted to truncate(rows, 6) encodes them{CUT}",
    ),
    "longer queries of low-bit codes": (
        lambda: search(np.ones((1, 9)), LOW, 1),
        f"queries have 9 dimensions, the corpus 8: use truncate(queries, 8){CUT}",
    ),
    "shorter queries of an index": (
        lambda: FlatIndex(X).search(X[:, :6], 1),
        "queries have 6 dimensions, the index 8: use queries of all 8, or an index of rows cut to as many, "
        f"FlatIndex(truncate(rows, 6)){CUT}",
    ),
    "another metric of low-bit codes": (
        lambda: search(X, LOW, 1, metric="cosinee"),
        "low-bit codes compare by 'cosine', 'dot' or 'l2', not 'cosinee'; did you mean 'cosine'?",
    ),
    "codes with low-bit codes": (
        lambda: search(INT8, LOW, 1),
        "int8 queries do not meet low-bit codes: use queries.to_float()",
    ),
    "low-bit codes as queries": (
        lambda: search(LOW, X, 1),  # type: ignore[arg-type]
        "queries cannot be low-bit codes: these are a corpus of search and rescore",
    ),
    "low-bit codes of longer rows": (
        lambda: search(X, QUANTIZER.encode(X * np.float32([[1], [1], [2], [3]])), 1, metric="l2"),
        "l2 wants low-bit codes of rows of unit length, which row 2 had not: normalize the rows, or use 'dot'",
    ),
    "bounds for codes": (
        lambda: rescore(INT8, [[0]] * 4, X, 1, bounded_by=LOW),
        "bounds are for float queries, not int8",
    ),
    "bounds of codes": (
        lambda: rescore(X, [[0]] * 4, INT8, 1, bounded_by=LOW),
        "bounds are of the floats that were coded: rescore those, not Embeddings(4 x 8 int8, 32 bytes)",
    ),
    "bounds of low-bit codes": (
        lambda: rescore(X, [[0]] * 4, LOW, 1, bounded_by=LOW),
        "bounds are of the floats that were coded: rescore those, not LowBitCodes(4 x 8 at 2 bits, 40 bytes)",
    ),
    "bounds of other rows": (
        lambda: rescore(X[:2], [[0]] * 2, X[:2], 1, bounded_by=LOW),
        "the bounds are of LowBitCodes(4 x 8 at 2 bits, 40 bytes), the rows are Embeddings(2 x 8 float, 64 bytes)",
    ),
}

REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "metric": (
        lambda: search(X, X, 1, metric="cosin"),
        ValueError,
        "unknown metric 'cosin'; known are 'cosine', 'dot', 'l2', 'hamming', 'jaccard', or a compiled function; "
        "did you mean 'cosine'?",
    ),
    "precision": (
        lambda: search(X, INT8, 1, query_precision="int4"),
        ValueError,
        "query_precision is 'int8' or 'float32', not 'int4'",
    ),
    "confidence above": (
        lambda: rescore(X, [[0]] * 4, X, 1, bounded_by=LOW, confidence=1.01),
        ValueError,
        "confidence is a probability, 0 to 1, not 1.01",
    ),
    "confidence below": (
        lambda: rescore(X, [[0]] * 4, X, 1, bounded_by=LOW, confidence=-0.01),
        ValueError,
        "confidence is a probability, 0 to 1, not -0.01",
    ),
    "confidence of another type": (
        lambda: rescore(X, [[0]] * 4, X, 1, bounded_by=LOW, confidence="a"),  # type: ignore[arg-type]
        TypeError,
        "confidence is a number, not 'a'",
    ),
    "bounded by floats": (
        lambda: rescore(X, [[0]] * 4, X, 1, bounded_by=X),  # type: ignore[arg-type]
        TypeError,
        "bounded_by are LowBitCodes, whose error is bounded, not an array of float32 (4, 8)",
    ),
    "candidates of other queries": (
        lambda: rescore(X, [[0]], X, 1),
        ValueError,
        "candidates have shape (4, c), not (1, 1)",
    ),
    "candidates of two queries": (
        lambda: rescore(X[0], [[0], [1]], X, 1),
        ValueError,
        "candidates have shape (1, c), not (2, 1)",
    ),
    "a flat list of candidates": (
        lambda: rescore(X, [0, 1, 2, 3], X, 1),
        ValueError,
        "candidates have shape (4, c), not (4,)",
    ),
    "candidates beyond": (
        lambda: rescore(X, [[0, 3], [3, 1], [2, 4], [7, 0]], X, 1),
        ValueError,
        "candidate 4 of a corpus of 4 rows (query 2)",
    ),
    "negative k": (lambda: search(X, X, -1), ValueError, "k must not be negative, but is -1"),
    "a shorter mask": (
        lambda: search(X, X, 1, mask=[True]),
        ValueError,
        "a boolean mask has shape (4,), not (1,)",
    ),
    "a row beyond": (lambda: search(X, X, 1, mask=[0, 4]), ValueError, "mask names row 4 of 4"),
    "a row before": (lambda: search(X, X, 1, mask=[0, -1]), ValueError, "mask names row -1 of 4"),
    "rows beyond and before": (lambda: search(X, X, 1, mask=[-2, 4]), ValueError, "mask names row -2 of 4"),
    "a row twice": (
        lambda: search(X, X, 1, mask=[1, 1]),
        ValueError,
        "mask repeats row numbers: mask.astype(bool) is one boolean a row; or name each row once",
    ),
    "a matrix": (
        lambda: search(X, X, 1, mask=[[1]]),
        TypeError,
        "a mask is one boolean a row, or a list of row numbers",
    ),
    "threshold": (lambda: range_search(X, X, float("nan")), ValueError, "threshold is NaN"),
    "threshold of another type": (
        lambda: range_search(X, X, "a"),  # type: ignore[arg-type]
        TypeError,
        "threshold is a number, not 'a'",
    ),
    "scores": (
        lambda: search(X * np.float32(3e38), X * np.float32(3e38), 1, metric="dot"),
        ValueError,
        "scores are beyond float32: divide queries or rows by their greatest length, or use 'cosine'",
    ),
    "queries": (
        lambda: search(np.full((1, 8), 3e38, np.float32), LOW, 1, metric="l2"),
        ValueError,
        "queries are too large for float32",
    ),
    "dimensions": (
        lambda: search(np.ones((1, 65537), np.float32), np.ones((1, 65537), np.float32), 1),
        ValueError,
        "search takes 1 to 65536 dimensions, not 65537",
    ),
}


SCORES = search(X, X, 2, metric="dot")


@pytest.mark.parametrize("candidates", [SCORES, SCORES.scores])
def test_candidates_of_a_search_are_its_indices(candidates: Any) -> None:
    """Scores as whole numbers would name other rows."""
    with pytest.raises(TypeError, match=r"candidates are whole numbers, .* pass found\.indices"):
        rescore(X, candidates, X, 1)
    assert rescore(X, SCORES.indices, X, 1, metric="dot").indices.tolist() == SCORES.indices[:, :1].tolist()
    with pytest.raises(TypeError, match=r"not float64: convert them, as with \.astype\(np\.int64\)"):
        rescore(X, SCORES.indices.astype(np.float64), X, 1)


@pytest.mark.parametrize("name", MISMATCHES)
def test_codes_that_do_not_meet(name: str) -> None:
    call, words = MISMATCHES[name]
    with pytest.raises(CodeMismatchError) as caught:
        call()
    assert str(caught.value) == words


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_of_searches(name: str) -> None:
    call, kind, words = REFUSED[name]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == words


def test_the_ends_of_what_is_taken() -> None:
    assert search(np.ones((1, 65536), np.float32), np.ones((2, 65536), np.float32), 1).indices.tolist() == [[0]]
    assert search(X, X, 0).indices.shape == (4, 0)
    assert rescore(X[0], [[1, 0]], X, 2).indices.tolist() == [0, 1]
    for confidence in (0, 1):
        assert rescore(X, [[0]] * 4, X, 1, bounded_by=LOW, confidence=confidence).indices.tolist() == [[0]] * 4


def test_what_numba_lacks_is_the_first_line_that_says_something() -> None:
    from embcodec.scan.metric import _reason

    report = "Failed in nopython mode\n\n  File x\nDuring: y\n  Unknown attribute 'z' \nmore"
    assert _reason(report) == "Unknown attribute 'z'"
    assert _reason("During: y\nFile x") == "During: y"
    assert _reason(" \n") == "it does not say why"
    assert _reason("x" * 300) == "x" * 200


def test_results_are_shown_by_their_fields() -> None:
    found = rescore(X, [[0, 1]] * 4, X, 1, bounded_by=LOW)
    shown = repr(found)
    assert shown.startswith("BoundedResult(scores=array([[1. ],")
    assert shown.index("scores=") < shown.index("indices=") < shown.index("rescored=") < shown.index("is_final=")
    assert repr(search(X[0], X, 1)) == "SearchResult(scores=array([1.], dtype=float32), indices=array([0]))"
    assert repr(range_search(X[:1], X, 0.9)) == (
        "RangeResult(limits=array([0, 1]), scores=array([1.], dtype=float32), indices=array([0]))"
    )
    long = repr(range_search(np.ones((99, 1)), np.ones((1, 1)), 0.5))
    assert "..." in long
    assert len(long) < 300


def test_bounds_begin_with_the_best_quarter_more_than_are_wanted() -> None:
    """Where these settle it no other row is scored."""
    others = np.random.default_rng(0).standard_normal((400, 256)).astype(np.float32)
    fitted = LowBitQuantizer(4, rotation="random").fit(others)
    for k, first in ((1, 2), (3, 4), (4, 6), (8, 11)):
        x = others.copy()
        x[:k] = x[0] + 0.02 * np.arange(k)[:, None] * x[1 : k + 1]
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        codes = fitted.encode(x)
        found = rescore(x[:1], np.arange(400)[None], x, k, bounded_by=codes)
        assert found.rescored[0] == first
        assert found.indices[0].tolist() == list(range(k))


@pytest.mark.parametrize("count", [0, 1, 1024, 2500])
def test_progress_is_told_and_changes_nothing(count: int) -> None:
    x = np.random.default_rng(count).standard_normal((count + 60, 12)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    seen: list[tuple[int, int]] = []
    for corpus in (x[:60], quantize(x[:60], "int8"), quantize(x[:60], "ubinary")):
        asked = {"k": 3, "mask": np.arange(60) % 5 > 0}
        found = search(x[60:], corpus, **asked, progress=lambda *at: seen.append(at))
        plain = search(x[60:], corpus, **asked)
        np.testing.assert_array_equal(found.scores, plain.scores)
        np.testing.assert_array_equal(found.indices, plain.indices)
        assert (found.scores.dtype, found.scores.shape) == (plain.scores.dtype, plain.scores.shape)
        assert seen[-1] == (count, count)
    steps = [(min(done, count), count) for done in range(1024, max(count, 1) + 1024, 1024)]
    assert seen == 3 * steps
    one = search(x[0], x[:60], 2, progress=lambda *at: None)
    assert one.indices.tolist() == search(x[0], x[:60], 2).indices.tolist()
