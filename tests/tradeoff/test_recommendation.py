"""A recommendation carried out finds what the study measured, by its methods and by the code to paste."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import embcodec
from embcodec import Embeddings, FlatIndex, LowBitCodes, Study
from embcodec.tradeoff import overlap
from embcodec.tradeoff.intervals import Estimate
from embcodec.tradeoff.measurement import Measurement

K = 5
RNG = np.random.default_rng(11)
TOPICS = RNG.standard_normal((12, 32), dtype=np.float32)


def texts(count: int) -> Any:
    found = TOPICS[RNG.integers(12, size=count)] + RNG.standard_normal((count, 32), dtype=np.float32)
    return found * RNG.uniform(0.2, 30, (count, 1)).astype(np.float32)  # of no certain length


ROWS, QUERIES = texts(400), texts(60)


@cache
def found() -> Study:
    return embcodec.study(ROWS, QUERIES, dimensions=[32, 16], multipliers=[4], k=K, rotation="random", seed=3)


LABELS = [(m.label, m.dimension) for m in found().measurements]


@pytest.mark.parametrize("number", range(len(LABELS)), ids=[f"{label} of {size}" for label, size in LABELS])
def test_each_way_finds_what_was_measured(number: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    way = found().measurements[number]
    truth = embcodec.search(QUERIES, ROWS, K, metric="cosine").indices
    codes, index = way.encode(ROWS), way.index(ROWS, ids=np.arange(400) + 1000)
    result = way.search(index, QUERIES)
    assert overlap(result.indices - 1000, truth).mean() == pytest.approx(way.overlap.mean, abs=1e-9)
    assert len(codes) == len(index) == 400
    wider = 2 if way.output_dtype == "float16" else 1  # stored as float16, held and searched as float32
    assert codes.nbytes / 400 == wider * way.code_bytes
    assert (index.nbytes - 8 * 400) / 400 == wider * way.total_bytes
    assert index.codes == codes
    pasted: dict[str, Any] = {"vectors": ROWS, "queries": QUERIES}
    exec(way.code, pasted)
    np.testing.assert_array_equal(pasted["result"].indices, result.indices - 1000)
    assert list(tmp_path.iterdir()) == []  # nothing is written that was not asked for
    exec(way.code.replace("# index.save", "index.save").replace(" keeps it", " # keeps it"), pasted)
    assert len(FlatIndex.load("index.safetensors")) == 400
    assert way.search(way.index(Embeddings(ROWS)), Embeddings(QUERIES[:1]), 2).indices.shape == (1, 2)
    np.testing.assert_array_equal(way.search(index, QUERIES[0]).indices, result.indices[0])


def test_float16_is_what_stores_of_float16_take() -> None:
    way = next(m for m in found().measurements if (m.label, m.dimension) == ("float16", 32))
    codes = way.encode(ROWS)
    assert isinstance(codes, Embeddings)
    unit = embcodec.truncate(ROWS, 32)
    np.testing.assert_array_equal(codes.values, unit.astype(np.float16).astype(np.float32))
    assert embcodec.to_milvus(codes, float_dtype="float16") == embcodec.to_milvus(unit, float_dtype="float16")
    assert (way.output_dtype, way.code_bytes, way.note) == ("float16", 64, "stored as float16, searched as float32")
    assert way.stores == ("pgvector", "milvus", "qdrant", "redis", "lancedb")
    assert 0.99 < way.overlap.mean <= 1


def test_codes_of_one_call_meet_those_of_another() -> None:
    way = next(m for m in found().measurements if m.label == "2 bits (16 bytes)" and m.dimension == 32)
    whole, parts = way.encode(ROWS), [way.encode(ROWS[:7]), way.encode(ROWS[7:])]
    assert isinstance(whole, LowBitCodes)
    assert np.array_equal(whole.bit_planes, np.concatenate([part.bit_planes for part in parts]))


def tied(*labels: str) -> Study:
    """Return a study of ways that find all and take as many bytes."""
    by_label = {re.sub(r" \(\d+ bytes\)", "", m.label): m for m in found().measurements if m.dimension == 32}
    alike = [
        replace(by_label[label], overlap=Estimate(1.0, 1.0, 1.0), code_bytes=8.0, rescore_bytes=0.0) for label in labels
    ]
    return replace(found(), measurements=alike)


@pytest.mark.parametrize(
    ("labels", "best"),
    [
        (["2 bits", "int8 per-vector", "int8 unit"], "int8 unit"),
        (["uint8 unit", "int8 unit"], "int8 unit"),
        (["2 bits", "uint8 unit"], "uint8 unit"),
        (["1 bit", "bits"], "bits"),
        (["int8 unit", "float"], "float"),
        (["int8 unit", "bits"], "bits"),
        (["4 bits", "int8 per-vector"], "int8 per-vector"),
        (["bits, float query, then int8 x4", "bits, float query, then float x4"], "bits, float query, then float x4"),
    ],
)
def test_of_as_many_bytes_what_stores_take_is_recommended(labels: list[str], best: str) -> None:
    for order in (labels, labels[::-1]):
        study = tied(*order)
        slow = [replace(m, one_per_second=1.0) if m.label == best else m for m in study.measurements]
        chosen = replace(study, measurements=slow).recommend(0.98)
        assert chosen is not None
        assert chosen.label == best


def test_without_a_recipe_it_says_so() -> None:
    way = replace(found().measurements[0], recipe=None)
    for act in (lambda: way.encode(ROWS), lambda: way.code, lambda: way.index(ROWS)):
        with pytest.raises(ValueError, match=r"take a measurement of embcodec\.study"):
            act()


def test_plain_data_has_figures_alone() -> None:
    plain = found().to_dict()
    assert json.loads(json.dumps(plain)).keys() == plain.keys()
    assert not {"recipe", "k"} & plain["measurements"][0].keys()


def test_a_frame_has_a_row_for_each_way() -> None:
    pytest.importorskip("pandas")
    frame = found().to_frame()
    assert list(zip(frame["label"], frame["dimension"], strict=True)) == LABELS
    for name, value in (("overlap", "mean"), ("overlap_low", "low"), ("overlap_high", "high")):
        assert frame[name].tolist() == [getattr(m.overlap, value) for m in found().measurements]
    assert frame["total_bytes"].tolist() == [m.total_bytes for m in found().measurements]
    assert frame["ndcg"].isna().all()


def test_notebooks_show_small_tables() -> None:
    shown = found()._repr_html_()
    best = found().recommend()
    assert isinstance(best, Measurement)
    assert f"<td>\u2713</td><td>{best.label}</td>" in shown
    assert "overlap@5" in shown
    hostile = [replace(m, label="<script>alert('x')</script>", on_front=True) for m in found().measurements[:1]]
    shown = replace(found(), measurements=hostile)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    low_bit = FlatIndex(found().measurements[0].encode(ROWS), rescore_with=ROWS, ids=np.arange(400) + 7)
    for thing, words in (
        (Embeddings(ROWS).to("ubinary", bit_order="lsb"), ("Embeddings", "<td>lsb</td>", "<td>1,600</td>", "ubinary")),
        (embcodec.quantize(ROWS, "int8", scale="per-vector"), ("<td>per-vector</td>", "<td>14,400</td>")),
        (low_bit, ("FlatIndex", "<td>7 .. 406</td>", "rescored with")),
        (FlatIndex(np.empty((0, 4), np.float32)), ("<td>0</td>",)),
    ):
        page = thing._repr_html_()
        assert all(word in page for word in words), page
        assert len(page) < 1000
