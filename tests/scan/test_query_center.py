"""Queries that leave out what all vectors share find more by the signs of models that collapse, and never fewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import Embeddings, QueryCenter, quantize, search
from embcodec.scan import query_center
from embcodec.tradeoff import overlap

DATA = Path(__file__).resolve().parent.parent / "data"


def vectors(count: int, mean: float, dimension: int = 96) -> Any:
    """Return rows around some subjects, which share a mean."""
    generator = np.random.default_rng(int(mean * 100) + count)
    shared = np.random.default_rng(1).standard_normal((13, dimension))
    x = (
        mean * shared[0]
        + shared[generator.integers(1, 13, count)]
        + 0.8 * generator.standard_normal((count, dimension))
    )
    return (x * generator.uniform(0.5, 4, (count, 1))).astype(np.float32)


def kept(queries: Any, rows: Any, asked: Any) -> float:
    exact = search(queries, rows, 10, metric="cosine").indices
    return float(overlap(search(asked, quantize(rows, "ubinary"), 10, metric="cosine").indices, exact).mean())


@pytest.mark.parametrize(("mean", "gain"), [(1.0, 0.015), (2.0, 0.03)])
def test_models_that_collapse_gain(mean: float, gain: float) -> None:
    """Real vectors, as if their model had put all of them into one corner."""
    documents, queries = (np.load(DATA / f"{name}.npy").astype(np.float32) for name in ("documents", "queries"))
    corner = np.random.default_rng(3).standard_normal(512)
    rows, asked = (x + (mean / np.linalg.norm(corner) * corner).astype(np.float32) for x in (documents, queries))
    center = QueryCenter.of(asked[:250])
    assert 0.2 <= center.share < 1
    assert kept(asked[250:], rows, center.apply(asked[250:])) > kept(asked[250:], rows, asked[250:]) + gain
    assert center.report[center.share] > center.report[0.0]
    best = max(center.report, key=lambda share: center.report[share])
    assert center.share == best if mean == 1 else center.share < best  # the least that is as good, up to chance
    assert QueryCenter.of(queries[:250]).share == QueryCenter.of(documents[:500]).share == 0


@pytest.mark.parametrize("mean", [0.0, 1.0, 3.0, 6.0])
def test_where_there_is_nothing_to_gain_nothing_is_lost(mean: float) -> None:
    """Noise in all directions alike around some subjects: no direction stands for what tells rows apart."""
    queries, sample = vectors(200, mean), vectors(300, mean)
    center = QueryCenter.of(sample)
    assert center.share == 0
    assert max(center.report.values()) < center.report[0.0] + 0.03
    assert np.array_equal(center.apply(queries), queries)


def test_a_query_leaves_out_its_share_of_the_center_and_no_other() -> None:
    sample, queries = vectors(200, 6.0), vectors(5, 6.0)
    center = QueryCenter.of(sample)
    units = sample / np.linalg.norm(sample, axis=1, keepdims=True)
    c = units.mean(axis=0)
    expected = queries - center.share * (queries @ c / (c @ c))[:, None] * c
    moved = center.apply(queries)
    np.testing.assert_allclose(moved, expected, atol=2e-5)
    assert np.array_equal(center.apply(queries[3]), moved[3])  # each by itself, whatever others there are
    assert center.apply(Embeddings(queries)) == Embeddings(moved)
    assert np.array_equal(QueryCenter(center.center, 0.0, {}).apply(queries), queries)


def test_a_sample_is_looked_at_as_far_as_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_center, "_MOST", 150)
    few = QueryCenter.of(vectors(99, 6.0))
    assert (few.share, few.report) == (0.0, {})
    assert len(QueryCenter.of(vectors(100, 6.0)).report) == 11
    many = vectors(300, 6.0)
    assert QueryCenter.of(many).report == QueryCenter.of(np.concatenate([many, np.zeros((3, 96), np.float32)])).report
    nothing = QueryCenter.of(np.zeros((3, 8), np.float32))
    assert np.array_equal(nothing.apply(np.ones(8, np.float32)), np.ones(8))
    with pytest.raises(ValueError, match="the sample is empty"):
        QueryCenter.of(np.empty((0, 8), np.float32))
    broken = many.copy()
    broken[17, 3] = np.nan
    with pytest.raises(ValueError, match="row 17 of the sample has NaN"):
        QueryCenter.of(broken)
    with pytest.raises(ValueError, match="queries have 8 dimensions, the sample had 96"):
        QueryCenter.of(many).apply(np.ones((2, 8), np.float32))
    with pytest.raises(ValueError, match="centred as floats, not as ubinary codes: pass the floats"):
        QueryCenter.of(quantize(many, "ubinary"))
