"""The study: measures against known values and an oracle, and the recommendation that follows."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from embcodec.embeddings import Embeddings
from embcodec.search import search
from embcodec.tradeoff import study
from embcodec.tradeoff_measures import (
    Estimate,
    bootstrap,
    bootstrap_ratio,
    collapse_warnings,
    ndcg,
    overlap,
    pareto,
)
from embcodec.tradeoff_results import Stage

random = np.random.default_rng(11)


def test_overlap_is_that_of_sets() -> None:
    found, truth = (np.array([random.permutation(30)[:10] for _ in range(50)]) for _ in range(2))
    expected = [len(set(f) & set(t)) / 10 for f, t in zip(found.tolist(), truth.tolist(), strict=True)]
    assert overlap(found, truth).tolist() == expected
    assert overlap(truth, truth).tolist() == [1.0] * 50
    assert overlap(found[:, :3], truth).max() <= 0.3


def test_missing_neighbours_do_not_count() -> None:
    assert overlap(np.array([[1, 2, -1]]), np.array([[2, 1, -1]])).tolist() == [1.0]
    assert overlap(np.array([[-1, -1]]), np.array([[-1, -1]])).tolist() == [0.0]


def test_ndcg_of_known_rankings() -> None:
    found = np.array([[3, 1, 2], [1, 3, 2], [1, 2, 3], [7, 8, 9]])
    assert ndcg(found, [3, 3, 3, 3]) == pytest.approx([1, 1 / math.log2(3), 0.5, 0])
    both = ndcg(np.array([[5, 9, 6]]), [[5, 6]])[0]
    assert both == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3)))
    assert ndcg(np.array([[1, 2]]), [[]]).tolist() == [0.0]
    assert ndcg(np.array([[1, 2]]), [[1, 2, 3, 4]]).tolist() == [1.0]
    with pytest.raises(ValueError, match="3 queries"):
        ndcg(found, [1, 2, 3])


def test_bootstrap_interval_is_that_of_the_normal_law() -> None:
    values = random.normal(0.5, 0.2, 400)
    found = bootstrap(values)
    error = values.std() / math.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert bootstrap(values) == found


def test_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    covered = [
        interval.low <= 0.7 <= interval.high
        for interval in (bootstrap(random.binomial(10, 0.7, 120) / 10, resamples=400) for _ in range(300))
    ]
    assert 0.90 <= np.mean(covered) <= 0.985


def test_ratio_cancels_what_both_share() -> None:
    reference = random.uniform(0.1, 1.0, 200)
    same = bootstrap_ratio(reference * 0.9, reference)
    assert same == Estimate(pytest.approx(0.9), pytest.approx(0.9), pytest.approx(0.9))
    noisy = bootstrap_ratio(random.uniform(0.1, 1.0, 200), reference)
    assert noisy is not None
    assert noisy.high - noisy.low > 0.05
    assert bootstrap_ratio(reference, np.zeros(200)) is None


def test_no_queries_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no queries"):
        bootstrap(np.zeros(0))


def test_pareto_front_by_brute_force() -> None:
    costs, gains = random.integers(0, 12, 40).tolist(), (random.integers(0, 12, 40) / 12).tolist()
    for (cost, gain), best in zip(zip(costs, gains, strict=True), pareto(costs, gains), strict=True):
        others = zip(costs, gains, strict=True)
        beaten = any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in others)
        assert best == (not beaten)


def test_collapse_is_seen() -> None:
    x = random.standard_normal((2000, 64)).astype(np.float32)
    assert collapse_warnings(x) == []
    assert any("mean" in text for text in collapse_warnings(x + 3))
    assert any("same sign" in text for text in collapse_warnings(x + 3))
    few = x * np.where(np.arange(64) < 5, 20, 1).astype(np.float32)
    assert any("variance" in text for text in collapse_warnings(few))
    assert collapse_warnings(np.zeros((5, 4), np.float32)) == ["every vector is zero"]


def clustered(rows: int, dimension: int = 64) -> np.ndarray:
    """Unit vectors around a few centres, as texts about a few subjects are."""
    centres = random.standard_normal((12, dimension))
    x = centres[random.integers(0, 12, rows)] + 0.8 * random.standard_normal((rows, dimension))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_study_of_held_out_rows() -> None:
    calls: list[tuple[int, int, str]] = []
    found = study(clustered(1200), rotation="random", progress=lambda *call: calls.append(call))
    assert (found.rows, found.queries, found.dimension, found.held_out) == (960, 240, 64, True)
    by = {(row.label, row.dimension): row for row in found.measurements}
    assert len(by) == len(found.measurements) == len(calls) - 3 == 59  # it codes at three dimensions first
    whole = by["float", 64]
    assert (whole.overlap, whole.code_bytes) == (Estimate(1.0, 1.0, 1.0), 256)
    assert by["int8 per-vector", 64].code_bytes == 68
    assert by["bits", 64].code_bytes == 8
    assert by["bits, then int8 x4", 16].rescore_bytes == 20
    assert by["int8 per-vector", 64].overlap.low > 0.98
    assert by["bits", 64].overlap.mean < by["bits, float query", 64].overlap.mean
    assert by["bits", 64].overlap.mean < by["bits, then float x4", 64].overlap.mean
    assert by["bits, then float x4", 64].overlap.mean <= by["bits, then float x10", 64].overlap.mean
    assert [by[label, 64].code_bytes for label in ("1 bit", "2 bits", "4 bits")] == [12, 24, 40]
    assert by["1 bit", 64].overlap.mean < by["2 bits", 64].overlap.mean < by["4 bits", 64].overlap.mean
    assert by["1 bit", 64].overlap.mean < by["1 bit, then float x4", 64].overlap.mean
    assert all("fitted in" in by["2 bits", size].note for size in (64, 32, 16))
    assert by["float", 16].overlap.mean < by["float", 32].overlap.mean < 1
    assert all(row.ndcg is None and row.one_per_second > 0 and row.batch_per_second > 0 for row in found.measurements)


def test_stages_say_where_neighbours_are_lost() -> None:
    found = study(clustered(1200), dimensions=[64], multipliers=[4], rotation="none")
    by = {row.label: row for row in found.measurements}
    three = by["bits, float query x20, float x4"]
    assert [stage.candidates for stage in three.stages] == [200, 40]
    assert three.stages[0].recall.mean >= three.stages[1].recall.mean == three.overlap.mean
    assert three.output_dtype == "ubinary"
    assert by["bits, float query x20, int8 x4"].rescore_bytes == 68
    assert by["bits, then float x4"].stages[0].recall == by["bits, then float x4"].overlap
    assert by["bits, then int8 x4"].stages[0].recall.mean >= by["bits, then int8 x4"].overlap.mean
    assert by["bits"].stages == by["2 bits"].stages == ()
    assert [row.output_dtype for row in found.measurements[-3:]] == ["2-bit", "2-bit", "4-bit"]
    plain = found.to_dict()
    staged = [row["stages"] for row in plain["measurements"] if row["label"] == "bits, float query x20, int8 x4"]
    assert [stage["candidates"] for stage in staged[0]] == [200, 40]
    assert plain["low_bit_fitted_to"] == found.fitted_to == "960 rows that are searched too"


def test_low_bit_codes_are_fitted_to_rows_that_are_not_searched_where_there_are_such() -> None:
    found = study(clustered(2000, 16), sample=800, dimensions=[16], multipliers=[], rotation="random")
    assert found.fitted_to == "1,000 rows that are not searched"
    assert "random rotation" in found.measurements[-1].note
    rows = clustered(300, 16)
    few = study(np.repeat(rows, 4, axis=1), rotation="learned", multipliers=[], dimensions=[64])
    assert not any("are few" in text and "fitted" in text for text in few.warnings)
    rows[7] = 0
    zero = study(rows, rows[:20] + np.float32(0.01), multipliers=[], dimensions=[16])
    assert len(zero.measurements) == 6
    assert any("1 of the vectors are zero" in text for text in zero.warnings)
    few = study(clustered(150, 100), multipliers=[], dimensions=[100])
    assert any("fitted to 120 vectors of 100 dimensions" in text for text in few.warnings)
    long = study(3 * rows[8:], rows[:7], multipliers=[], dimensions=[16])
    assert long.measurements[-1].overlap.mean > 0.7
    with pytest.raises(ValueError, match="unknown rotation"):
        study(rows, rotation="spin")


def test_labels_hide_neither_each_other_nor_the_front() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from embcodec.report_labels import Label, place_labels

    axes = Figure(figsize=(6, 4)).subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 1)
    points = [(1.0, 0.2), (1.3, 0.22), (1.5, 0.4), (5.0, 0.42), (5.2, 0.9)]
    corners = [points[0]]
    for x, y in points[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    labels = [Label(f"a label of some length, {number}", at) for number, at in enumerate(points)]
    crowd = [Label("one that is in the way", (1.1, 0.21), may_go=True) for _ in range(30)]
    place_labels(axes, [*crowd, *labels], marks=[(x, y - 0.02, y + 0.02) for x, y in points], line=corners, fontsize=9)
    texts = axes.texts
    assert [text.get_text() for text in texts[:5]] == [label.text for label in labels]
    assert len(texts) < 20
    boxes = [text.get_window_extent() for text in texts]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert box.x0 >= axes.bbox.x0 - 1
    drawn = axes.transData.transform(np.array(corners))
    for first, second in itertools.pairwise(drawn):
        for place in np.linspace(first, second, 50):
            assert not any(box.contains(*place) for box in boxes)


def test_recommendation_is_the_cheapest_that_surely_reaches_the_target() -> None:
    found = study(clustered(1200), dimensions=[64], multipliers=[10], rotation="random")
    for target in (0.3, 0.6, 0.9, 0.98):
        for on_disk in (False, True):
            chosen = found.recommend(target, rescoring_on_disk=on_disk)
            assert chosen is not None
            assert chosen.overlap.low >= target
            cost = (lambda m: m.code_bytes) if on_disk else (lambda m: m.total_bytes)
            assert all(cost(m) >= cost(chosen) for m in found.measurements if m.overlap.low >= target)
            alike = [m for m in found.measurements if m.overlap.low >= target and m.total_bytes == chosen.total_bytes]
            assert all(m.overlap.mean <= chosen.overlap.mean for m in alike if cost(m) == cost(chosen))
    assert "keep float" in found.advise(1.0)[0]
    assert "68 bytes a vector instead of 256" in found.advise(0.98)[0]
    with pytest.raises(ValueError, match="0 to 1"):
        found.recommend(98)


def test_study_of_known_answers() -> None:
    rows = clustered(500)
    queries = rows[:150] + 0.02 * random.standard_normal((150, 64)).astype(np.float32)
    found = study(rows, queries, range(150), dimensions=[64], multipliers=[4], rotation="random")
    whole = found.measurements[0]
    assert whole.ndcg is not None
    assert whole.ndcg.mean > 0.95
    assert whole.ndcg_kept == Estimate(1.0, 1.0, 1.0)
    nearest = search(queries, rows, 10, metric="cosine").indices
    assert whole.ndcg.mean == pytest.approx(ndcg(nearest, range(150)).mean())
    several = study(rows, queries, [[i, i + 1] for i in range(150)], dimensions=[64], multipliers=[], rotation="random")
    assert len(several.measurements) == 9


@pytest.mark.parametrize(
    ("vectors", "queries", "words"),
    [
        (Embeddings(np.ones((300, 8), np.int8), "int8"), None, "int8 codes"),
        (np.ones((300, 8), np.int64), None, "floats of shape"),
        (np.ones(300, np.float32), None, "floats of shape"),
        (np.full((300, 8), np.nan, np.float32), None, "row 0"),
        (np.ones((8, 8), np.float32), None, "too few"),
        (np.ones((300, 8), np.float32), np.ones((5, 9), np.float32), "9 dimensions"),
        (np.ones((300, 8), np.float32), np.ones((0, 8), np.float32), "too few"),
    ],
)
def test_study_refuses(vectors: object, queries: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        study(vectors, queries)  # type: ignore[arg-type]


def test_study_samples_rows() -> None:
    found = study(clustered(2000, 16), sample=500, dimensions=[16], multipliers=[])
    assert (found.rows, found.queries) == (500, 125)
    with pytest.raises(ValueError, match=r"within 1 \.\. 16"):
        study(clustered(300, 16), dimensions=[17])


def test_of_as_many_bytes_the_one_that_finds_more_is_recommended() -> None:
    found = study(clustered(400), dimensions=[64], multipliers=[4], rotation="random")
    best = found.measurements[0]
    worse = replace(best, overlap=Estimate(0.995, 0.99, 1.0), one_per_second=best.one_per_second / 2)
    slower = replace(best, one_per_second=best.one_per_second / 2)
    staged = replace(best, stages=(Stage(40, Estimate(1.0, 1.0, 1.0)),))
    for others in ([worse], [slower], [staged]):
        tied = replace(found, measurements=[*others, best])
        assert tied.recommend(0.98) is best
        assert tied.recommend(0.98, rescoring_on_disk=True) is best
