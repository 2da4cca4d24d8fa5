"""Arguments that were taken for something else: no rows for all of them, a NaN for a day, 5.7 for row 5."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec as ec
from embcodec import Embeddings, FlatIndex, quantize

X = np.random.default_rng(0).standard_normal((40, 16)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
LOW = ec.LowBitQuantizer(1, rotation="none").fit(X).encode(X)
BITS = quantize(X, "ubinary")


@pytest.mark.parametrize("none", [np.zeros(40, bool), [], np.empty(0, np.int64)], ids=["booleans", "list", "numbers"])
@pytest.mark.parametrize("rows", [X, BITS, LOW, quantize(X, "int8", scale="per-vector")], ids=repr)
def test_a_mask_of_no_rows_is_no_rows(rows: Any, none: Any) -> None:
    """To a kernel a selection that is nowhere is all rows."""
    found = ec.range_search(X[:3], rows, -2.0, metric="dot", mask=none)
    assert found.limits.tolist() == [0, 0, 0, 0]
    assert found.scores.shape == found.indices.shape == (0,)
    assert ec.search(X[:3], rows, 5, mask=none).indices.shape == (3, 0)
    assert FlatIndex(rows).search(X[:3], 5, mask=none).indices.shape == (3, 0)


def test_k_is_not_paid_for_before_there_are_so_many_results(tmp_path: Path) -> None:
    parts = [
        ec.search(X[:3], X[begin : begin + 7], 40, ids=range(begin, min(begin + 7, 40))) for begin in range(0, 40, 7)
    ]
    whole = ec.search(X[:3], X, 40)
    for k in (40, 2**31, 2**64):
        for given in (parts, iter(parts), parts[::-1]):
            merged = ec.merge_topk(given, k, metric="cosine")
            np.testing.assert_array_equal(merged.indices, whole.indices)
            np.testing.assert_array_equal(merged.scores, whole.scores)
    ec.save(tmp_path / "x.npy", X)
    assert ec.search_files(X[:3], tmp_path / "x.npy", 2**40, batch_rows=7).indices.shape == (3, 40)
    index = FlatIndex(LOW, rescore_with=X)
    np.testing.assert_array_equal(index.search(X[:3], 10**400).indices, whole.indices)


@pytest.mark.parametrize("width", [1, 3, 700])
def test_results_grow_as_they_come(width: int) -> None:
    rng = np.random.default_rng(width)
    scores = rng.integers(0, 50, (2, 2100)).astype(np.float32)
    parts = []
    for begin in range(0, 2100, width):
        some = scores[:, begin : begin + width]
        order = np.lexsort((np.broadcast_to(np.arange(some.shape[1]), some.shape), -some))
        parts.append((np.take_along_axis(some, order, 1), order + begin))
    wanted = np.lexsort((np.broadcast_to(np.arange(2100), scores.shape), -scores))
    for k in (1, 1023, 1025, 2100, 5000):
        merged = ec.merge_topk(iter(parts), k, metric="dot")
        np.testing.assert_array_equal(merged.indices, wanted[:, :k])


def test_bounded_results_are_merged_as_others_are() -> None:
    found = ec.rescore(X[:2], [[0, 1, 2]] * 2, X, 2, bounded_by=LOW)
    assert ec.merge_topk([found, found], 2, metric="cosine").indices.shape == (2, 2)


@pytest.mark.parametrize("value", ["", 0, False, b"", {}, []])
def test_what_is_not_true_is_not_nothing(value: Any, tmp_path: Path) -> None:
    ec.save(tmp_path / "x.safetensors", BITS)
    pyarrow = pytest.importorskip("pyarrow")
    column = pyarrow.array(BITS.values.tolist(), pyarrow.list_(pyarrow.uint8(), 2))
    for take in (
        lambda: ec.search(X, LOW, 1, metric=value),
        lambda: ec.load(tmp_path / "x.safetensors", output_dtype=value),
        lambda: ec.from_arrow(column, "ubinary", bit_order=value),
        lambda: ec.from_arrow(column, "ubinary", signed_bytes=value),
        lambda: ec.from_arrow(column, value),
    ):
        with pytest.raises((TypeError, ValueError)):
            take()


@pytest.mark.parametrize("value", ["", float("nan"), 20_000, True, np.float64("nan"), 2.5, np.datetime64("9999999")])
@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_what_is_no_day_is_none_of_postgres(value: Any, kind: Any) -> None:
    """NaN and an empty text were days of 1992 and 2000."""
    with pytest.raises((TypeError, ValueError), match=f"value of 'c' 1 is .*{kind}"):
        ec.write_pgcopy(io.BytesIO(), X[:2], columns={"c": [datetime.date(2024, 2, 29), value]}, types={"c": kind})


def test_days_are_days() -> None:
    file = io.BytesIO()
    days = [datetime.date(2024, 2, 29), datetime.date(1, 1, 1), "1999-12-31", np.datetime64("2000-01-02T05", "s")]
    ec.write_pgcopy(file, X[:4], columns={"c": days}, types={"c": "date"})
    read = ec.read_pgcopy(io.BytesIO(file.getvalue()), {"embedding": "vector", "c": "date"}).columns["c"]
    assert read.astype(str).tolist() == ["2024-02-29", "0001-01-01", "1999-12-31", "2000-01-02"]


def test_rows_that_answer_are_whole_numbers() -> None:
    for some in ([[0.7]], [[1], [True]], [["1"]], np.array([[0.5]])):
        with pytest.raises(TypeError, match=r"relevant rows? .*whole number"):
            ec.study(np.tile(X, (2, 1)), X[: len(some)], some, k=1, codes=["int8"])


@pytest.mark.parametrize("seed", [-1, 1.0, "a", None, [1]])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="seed"):
        ec.study(X, k=1, codes=["int8"], seed=seed)


def test_lengths_beyond_float32_are_told() -> None:
    """Their rows can be brought to unit length all the same."""
    large = (X * 3e38 / np.abs(X).max()).astype(np.float32)
    found = ec.study(large, k=1, rotation="none", codes=["int8"], dimensions=[8])
    assert any("(length 4.01e+38)" in words for words in found.warnings)


def test_masked_values_do_not_come_through_dlpack() -> None:
    with pytest.raises(TypeError, match="masked values have no code"):
        ec.from_dlpack(np.ma.masked_array(X, X > 0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 5}, "name is a str, not 5"),
        ({"item": 3}, "item is a str or None, not 3"),
        ({"max_inputs": True}, "max_inputs is a whole number, not True"),
        ({"max_inputs": 0}, "max_inputs is at least 1, not 0"),
        ({"max_tokens": -1}, "max_tokens is at least 1, not -1"),
        ({"has_floats": 1}, "has_floats is True or False, not 1"),
        ({"dtype_names": []}, r"dtype_names is a mapping of names, not \[\]"),
        ({"bit_order": np.ones(2)}, "bit_order is one of 'msb', 'lsb', not an array"),
    ],
)
def test_profiles_are_what_they_say(change: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        replace(ec.PROFILES["mistral"], **change)


@pytest.mark.parametrize(
    ("take", "words"),
    [
        (lambda: ec.encode_response(X, model="m", id=5), "id is what the answer is called, a str, not 5"),  # type: ignore[arg-type]
        (lambda: ec.encode_response(X, model="m", usage=[1]), r"usage is a Usage or a mapping, not \[1\]"),  # type: ignore[arg-type]
        (lambda: ec.write_batch("x.jsonl", ["a"], model=5), "model is the name of a model, not 5"),  # type: ignore[arg-type]
        (lambda: ec.concat(Embeddings), "parts are rows to join, as a list, not"),  # type: ignore[arg-type,call-overload]
        (lambda: ec.merge_topk([X[0]], 1, metric="dot"), "part 0 is an array of float32 .*, not scores and ids"),  # type: ignore[list-item]
        (lambda: ec.load("a\0.npy"), "path has a character 0, which no path has"),
        (lambda: ec.load("a\ud800.npy"), "path has half of a surrogate pair, which no path has"),
        (lambda: ec.iter_load("x.npy", storage_options=[1]), "storage_options maps what a store takes"),  # type: ignore[arg-type]
        (lambda: ec.Collection("x", lock_timeout=float("nan")), "lock_timeout is a number of seconds of at least 0"),
        (lambda: Embeddings(X, dimension=2**31), "dimension is at most 2,147,483,647, not 2147483648"),
        (lambda: ec.service_error({}, headers=5), "headers map names to values, which 5 does not"),  # type: ignore[arg-type]
        (lambda: ec.Client(api_key="k").embed(["a"], model="m", resume={}), "resume is error.partial of a call"),  # type: ignore[arg-type]
        (lambda: ec.Client(api_key="k").embed(["a"], model="m", extra={"a": {1}}), "model and extra are what JSON has"),
    ],
)
def test_each_is_refused_by_its_name(take: Callable[[], Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        take()
