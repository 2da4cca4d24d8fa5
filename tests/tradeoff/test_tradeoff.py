"""The study: measures against known values and an oracle, and the recommendation that follows."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from embcodec.embeddings import Embeddings
from embcodec.quantizers.quantize import quantize
from embcodec.scan.search import search
from embcodec.tradeoff.directions import same_directions
from embcodec.tradeoff.intervals import (
    Estimate,
    gain_interval,
    mean_interval,
    overlap_interval,
    queries_for,
    ratio_interval,
)
from embcodec.tradeoff.measurement import Stage
from embcodec.tradeoff.measures import collapse_warnings, ndcg, overlap, pareto
from embcodec.tradeoff.pipeline import Pipeline, rates
from embcodec.tradeoff.study import study
from embcodec.tradeoff.words import figures, share
from embcodec.tradeoff.words import seconds as in_seconds

random = np.random.default_rng(11)
START = random.bit_generator.state


@pytest.fixture(autouse=True)
def same_numbers_whatever_ran_before() -> None:
    random.bit_generator.state = START


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


def test_interval_is_that_of_the_normal_law_where_there_are_many_queries() -> None:
    values = np.clip(random.normal(0.5, 0.15, 400), 0, 1)
    found = mean_interval(values)
    error = values.std() / math.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)
    assert mean_interval(values) == found


@pytest.mark.parametrize("share", [0.7, 0.985, 0.997])
@pytest.mark.parametrize("count", [30, 120])
def test_intervals_cover_the_truth_as_often_as_they_say(share: float, count: int) -> None:
    """Near 1 whole samples hold no loss, so that more intervals than 95 in 100 must cover; never much fewer."""
    drawn = np.random.default_rng(3).binomial(10, share, (400, count)) / 10
    covered = [interval.low <= share <= interval.high for interval in (overlap_interval(x, 10) for x in drawn)]
    assert 0.93 <= np.mean(covered) <= (0.985 if share < 0.98 else 1.0)


def test_intervals_cover_what_is_all_or_nothing() -> None:
    drawn = (np.random.default_rng(4).random((400, 60)) < 0.9).astype(float)
    covered = [interval.low <= 0.9 <= interval.high for interval in map(mean_interval, drawn)]
    assert 0.93 <= np.mean(covered) <= 0.99
    ratios = [ratio_interval(x * (np.random.default_rng(i).random(60) < 0.8), x) for i, x in enumerate(drawn)]
    covered = [interval.low <= 0.8 <= interval.high for interval in ratios if interval is not None]
    assert 0.93 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_no_interval_of_few_queries_is_without_width(value: float) -> None:
    former = 2.0
    for count in (1, 2, 3, 5, 10, 30, 100, 10_000):
        same = np.full(count, value)
        for interval in (overlap_interval(same, 10), gain_interval(same)):
            assert 0 <= interval.low <= interval.mean == pytest.approx(value)
            assert interval.mean <= interval.high <= 1
            assert interval.high - interval.low > 1e-5
        assert overlap_interval(same, 10).high - overlap_interval(same, 10).low < former
        former = overlap_interval(same, 10).high - overlap_interval(same, 10).low
        ratio = ratio_interval(same, same)
        assert (ratio is None) == (count == 1 or value == 0)
        assert ratio is None or ratio.low < 1 < ratio.high
    assert overlap_interval(np.ones(1), 10).low < 0.2


def test_ratio_cancels_what_both_share() -> None:
    reference = random.uniform(0.1, 1.0, 200)
    same = ratio_interval(reference * 0.9, reference)
    assert same is not None
    assert same.mean == pytest.approx(0.9)
    assert 0 < same.high - same.low < 0.03
    noisy = ratio_interval(random.uniform(0.1, 1.0, 200), reference)
    assert noisy is not None
    assert noisy.high - noisy.low > 0.05
    assert ratio_interval(reference, np.zeros(200)) is None


def test_no_queries_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one query; there are none"):
        overlap_interval(np.zeros(0), 10)
    for values in ([1.2], [-0.5, 0.5], [float("nan")]):
        with pytest.raises(ValueError, match="0 to 1"):
            mean_interval(np.array(values))


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
    assert len(by) == len(found.measurements) == 65
    labels = [label for _, _, label in calls]
    assert labels[:2] == ["reading the vectors", "fitting 1 bit at 64 dimensions"]
    assert {"fitting 32 bytes at 64 dimensions", "fitting 4 bits at 16 dimensions"} <= set(labels)
    assert {"int8 unit, 64 dimensions", "2 bits (16 bytes), 32 dimensions"} <= set(labels)
    assert all(done <= total for done, total, _ in calls)
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert len({total for _, total, _ in calls[1:]}) == 1
    whole = by["float", 64]
    assert (whole.overlap, whole.code_bytes) == (Estimate(1.0, 1.0, 1.0), 256)
    assert by["int8 per-vector", 64].code_bytes == 68
    assert by["bits", 64].code_bytes == 8
    assert by["bits, then int8 x4", 16].rescore_bytes == 20
    assert by["int8 per-vector", 64].overlap.low > 0.98
    assert by["bits", 64].overlap.mean < by["bits, float query", 64].overlap.mean
    assert by["bits", 64].overlap.mean < by["bits, then float x4", 64].overlap.mean
    assert by["bits, then float x4", 64].overlap.mean <= by["bits, then float x10", 64].overlap.mean
    low_bit = ["1 bit (12 bytes)", "2 bits (24 bytes)", "4 bits (40 bytes)"]
    assert [by[label, 64].code_bytes for label in low_bit] == [12, 24, 40]
    assert [by[label, 64].overlap.mean for label in low_bit] == sorted(by[label, 64].overlap.mean for label in low_bit)
    assert by["1 bit (12 bytes)", 64].overlap.mean < by["1 bit (12 bytes), then float x4", 64].overlap.mean
    assert by["32 bytes", 64].code_bytes == 32
    assert by["32 bytes", 64].overlap.mean > by["2 bits (24 bytes)", 64].overlap.mean
    assert ("32 bytes", 32) not in by
    assert all("fitted in" in by[f"2 bits ({size // 4 + 8} bytes)", size].note for size in (64, 32, 16))
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
    assert by["bits"].stages == by["2 bits (24 bytes)"].stages == ()
    kinds = [row.output_dtype for row in found.measurements[-5:]]
    assert kinds == ["2-bit", "2-bit", "4-bit", "32-byte", "32-byte"]
    plain = found.to_dict()
    staged = [row["stages"] for row in plain["measurements"] if row["label"] == "bits, float query x20, int8 x4"]
    assert [stage["candidates"] for stage in staged[0]] == [200, 40]
    assert plain["low_bit_fitted_to"] == found.fitted_to == "960 rows that are searched too"


def test_low_bit_codes_are_fitted_to_rows_that_are_not_searched_where_there_are_enough() -> None:
    found = study(clustered(2000, 16), sample=800, dimensions=[16], multipliers=[], rotation="random")
    assert found.fitted_to == "1,000 rows that are not searched"
    assert "random rotation" in found.measurements[-1].note
    for sample, fitted_to in ((1000, "1,000 rows that are searched too"), (900, "900 rows that are searched too")):
        found = study(clustered(1251, 16), sample=sample, dimensions=[16], multipliers=[], codes=["8 bytes"])
        assert found.fitted_to == fitted_to  # not to the one row, or the 126, that the sample leaves
        assert found.measurements[-1].overlap.mean > 0.3
    rows = clustered(300, 16)
    few = study(np.repeat(rows, 4, axis=1), rotation="learned", multipliers=[], dimensions=[64])
    assert not any("are few" in text and "fitted" in text for text in few.warnings)
    rows[7] = 0
    zero = study(rows, rows[:20] + np.float32(0.01), multipliers=[], dimensions=[16])
    assert len(zero.measurements) == 7
    assert any("1 of the vectors are zero" in text for text in zero.warnings)
    few = study(clustered(150, 100), rotation="random", multipliers=[], dimensions=[100])
    assert any("fitted to 120 vectors of 100 dimensions" in text for text in few.warnings)
    long = study(3 * rows[8:], rows[:7], rotation="random", multipliers=[], dimensions=[16])
    assert long.measurements[-1].overlap.mean > 0.7
    with pytest.raises(ValueError, match="unknown rotation"):
        study(rows, rotation="spin")


def test_labels_hide_neither_each_other_nor_the_front() -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from embcodec.tradeoff.labels import Label, place_labels

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


@pytest.mark.parametrize("seed", range(20, 24))
def test_labels_over_their_points_hide_no_others(seed: int) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from embcodec.tradeoff.labels import Label, place_labels

    axes = Figure(figsize=(6, 4)).subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 1)
    near = np.random.default_rng(seed)
    right, up = near.uniform(4, 6.5, 2), near.uniform(0.52, 0.62, 2)
    points = [(5.0, 0.5), *zip(right.tolist(), up.tolist(), strict=True)]
    marks = [(x, y - 0.01, y + 0.01) for x in (4.2, 4.6, 5.4, 5.8) for y in (0.46, 0.54)]
    labels = [Label(f"a label of some length {number}", at) for number, at in enumerate(points)]
    place_labels(axes, labels, marks=marks, line=[(0.0, 0.0), (0.0, 0.0)], fontsize=9)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(box.overlaps(other) for box, other in itertools.combinations(boxes, 2))


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
            alike = [m for m in alike if cost(m) == cost(chosen)]
            assert all(m.recipe.stores >= chosen.recipe.stores for m in alike)
            alike = [m for m in alike if m.recipe.stores == chosen.recipe.stores]
            assert all(m.overlap.mean <= chosen.overlap.mean for m in alike)
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
    assert len(several.measurements) == 11


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


@pytest.mark.parametrize("asked", [False, True])
def test_what_is_too_few_is_named_and_what_is_advised_is_enough(asked: bool) -> None:
    rows = clustered(300, 8)
    queries = rows[:40] if asked else None
    few: dict[str, Any] = {"codes": ["int8"], "dimensions": [], "rotation": "none"}
    with pytest.raises(ValueError, match=f"300 distinct vectors are .*: pass k={299 if asked else 240}, or less"):
        study(rows, queries, k=5000, **few)
    assert len({found.dimension for found in study(rows, queries, k=299 if asked else 240, **few).measurements}) == 1
    for k, sample in ((10, 5), (10, 1), (3, 2), (40, 30)):
        with pytest.raises(ValueError, match=f"a sample of {sample} is too few of the 300 .* pass sample={k + 1}, or"):
            study(rows, queries, k=k, sample=sample, **few)
        assert study(rows, queries, k=k, sample=k + 1, **few).rows == k + 1
    with pytest.raises(ValueError, match="4 distinct vectors are too few to hold out queries from; pass at least 30"):
        study(rows[:4], k=1, **few)


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"multipliers": 3}, "multipliers are whole numbers"),
        ({"multipliers": "4"}, "multipliers are whole numbers"),
        ({"multipliers": ["a"]}, "a multiplier is a whole number"),
        ({"sample": "a"}, "sample is a whole number"),
    ],
)
def test_wishes_of_other_types_are_refused(wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        study(clustered(300, 8), **wishes)


def test_study_samples_rows() -> None:
    found = study(clustered(2000, 16), sample=500, dimensions=[16], multipliers=[], rotation="none")
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


def test_directions_that_are_the_same_are_found_whatever_the_length() -> None:
    x = clustered(400)
    x[7] = 0
    copies = [(401, 3), (402, 3), (405, 399), (406, 0)]
    many = np.concatenate([x, clustered(8)])
    for place, of in copies:
        many[place] = x[of] * np.float32(random.uniform(1e-3, 1e3))
    expected = np.arange(408)
    for place, of in copies:
        expected[place] = of
    assert same_directions(many).tolist() == expected.tolist()
    assert same_directions(np.ones((500, 3), np.float32)).tolist() == [0] * 500
    near = np.stack([x[5], x[5] + np.eye(64, dtype=np.float32)[0] * np.float32(1e-4)])
    assert same_directions(near).tolist() == [0, 1]
    assert same_directions(x[:0]).tolist() == []


def test_copies_among_the_vectors_count_once() -> None:
    rows, queries = clustered(600), clustered(80)
    plain = study(rows, queries, dimensions=[64], multipliers=[], rotation="none")
    twice = np.concatenate([rows, rows[:200] * 2, rows[50:90]])
    found = study(twice, queries, dimensions=[64], multipliers=[], rotation="none")
    assert (found.rows, plain.rows) == (600, 600)
    assert [m.overlap for m in found.measurements] == [m.overlap for m in plain.measurements]
    assert any("240 of the 840 vectors are copies" in text for text in found.warnings)
    assert not any("copies" in text or "length" in text for text in plain.warnings)
    held_out = study(np.repeat(rows, 3, axis=0), dimensions=[64], multipliers=[], rotation="none")
    assert (held_out.rows, held_out.queries) == (480, 120)


def test_queries_that_are_rows_do_not_find_themselves() -> None:
    """As if each were asked of the other rows; some queries are rows, others are not."""
    rows, queries = clustered(500), clustered(60)
    mixed = np.concatenate([queries, rows[:40] * np.float32(1.5)])
    found = study(rows, mixed, dimensions=[64], multipliers=[4], rotation="none")
    assert any("40 of the 100 queries are themselves vectors" in text for text in found.warnings)
    whole = np.concatenate([queries, rows[:40]])
    labels = {m.label: m for m in found.measurements}
    for label, kind in (("bits", "ubinary"), ("int8 unit", "int8")):
        kept = []
        for number, query in enumerate(whole):
            others = np.delete(rows, number - 60, axis=0) if number >= 60 else rows
            exact = search(query[None], others, 10).indices[0]
            codes = quantize(others, kind)
            kept.append(len(set(search(quantize(query[None], kind), codes, 10).indices[0]) & set(exact)) / 10)
        assert labels[label].overlap.mean == pytest.approx(np.mean(kept), abs=0.01)  # ties of bits fall otherwise
    bits, asked = quantize(rows, "ubinary"), quantize(whole, "ubinary")
    with_selves = overlap(search(asked, bits, 10).indices, search(whole, rows, 10).indices)
    assert labels["bits"].overlap.mean < with_selves.mean() - 0.005
    assert [stage.candidates for stage in labels["bits, then float x4"].stages] == [40]
    assert labels["float"].overlap == Estimate(1.0, 1.0, 1.0)


def test_a_query_that_is_its_own_answer_has_no_ndcg() -> None:
    rows = clustered(400)
    found = study(rows, rows[:50], range(50), dimensions=[64], multipliers=[], rotation="none")
    assert all(m.ndcg is None for m in found.measurements)
    assert any("nothing is known to answer 50 of the 50 queries" in text for text in found.warnings)
    some = study(rows, rows[:50], [[i, i + 100] if i < 40 else [] for i in range(50)], dimensions=[64], rotation="none")
    assert any("nothing is known to answer 10 of the 50" in text for text in some.warnings)
    assert some.measurements[0].ndcg is not None
    with pytest.raises(ValueError, match="row 400, relevant to query 1, is not one of the 400"):
        study(rows, clustered(2), [3, 400])
    with pytest.raises(ValueError, match="relevant rows for 1 queries, but 2"):
        study(rows, clustered(2), [3])


def test_answers_follow_their_rows_when_copies_go() -> None:
    rows, queries = clustered(300), clustered(40)
    answers = search(queries, rows, 3).indices[:, 2]
    plain = study(rows, queries, answers, dimensions=[64], multipliers=[], rotation="none")
    found = study(
        np.repeat(rows, 2, axis=0), queries, 2 * answers + 1, dimensions=[64], multipliers=[], rotation="none"
    )
    assert [m.ndcg for m in found.measurements] == [m.ndcg for m in plain.measurements]


def test_queries_that_repeat_are_asked_once() -> None:
    rows, queries = clustered(300), clustered(40)
    plain = study(rows, queries, dimensions=[64], multipliers=[], rotation="none")
    found = study(rows, np.tile(queries, (20, 1)), dimensions=[64], multipliers=[], rotation="none")
    assert found.queries == 40
    assert found.measurements[4].overlap == plain.measurements[4].overlap
    assert any("760 of the 800 queries repeat others" in text for text in found.warnings)


def test_vectors_of_other_lengths_are_measured_as_of_unit_length() -> None:
    rows, queries = clustered(500), clustered(60)
    lengths = random.uniform(0.1, 30, (500, 1)).astype(np.float32)
    plain = study(rows, queries, dimensions=[64], multipliers=[], rotation="none")
    found = study(rows * lengths, queries * 7, dimensions=[64], multipliers=[], rotation="none")
    for one, other in zip(found.measurements, plain.measurements, strict=True):
        assert one.overlap.mean == pytest.approx(other.overlap.mean, abs=0.005)
    warning = next(text for text in found.warnings if "unit length" in text)
    assert "500 of the 500 vectors" in warning or "499 of the 500 vectors" in warning
    assert "60 of the 60 queries (length 7.00)" in warning
    assert "cosine" in warning
    assert "dot or l2" in warning


def test_few_queries_recommend_nothing_and_say_what_would() -> None:
    rows = clustered(600)
    for count in (1, 2, 29):
        found = study(rows, clustered(count), dimensions=[64], multipliers=[], rotation="none")
        assert found.recommend(0.5) is found.recommend(0.5, rescoring_on_disk=True) is None
        assert found.advise(0.5)[0].startswith("No recommendation: ")
        assert "at least 30 queries" in found.advise(0.5)[0]
        assert any("too few to recommend" in text for text in found.warnings)
        assert found.to_dict(0.5)["recommended"] is None
        assert all(m.overlap.low < m.overlap.high for m in found.measurements[1:])
    enough = study(rows, clustered(30), dimensions=[64], multipliers=[], rotation="none")
    assert enough.recommend(0.5) is not None
    few = study(rows[:140], dimensions=[64], multipliers=[], rotation="none")
    assert "150 vectors to hold them out of" in few.advise(0.5)[0]
    with pytest.raises(ValueError, match="150 vectors to hold them out of"):
        study(rows[:4], k=4)


def test_a_target_that_so_many_queries_cannot_show_names_the_number_that_can() -> None:
    found = study(clustered(600), clustered(40), dimensions=[64], multipliers=[], rotation="none")
    needed = queries_for(0.999, 10)
    assert needed is not None
    assert overlap_interval(np.ones(needed), 10).low >= 0.999 > overlap_interval(np.ones(needed - 1), 10).low
    assert f"ask {needed:,} or more" in " ".join(found.advise(0.999))
    assert "or more" not in " ".join(found.advise(1.0))
    assert queries_for(1.0, 10) is None


def test_rates_are_of_several_calls_even_of_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[slice] = []
    run = Pipeline.run

    def counted_run(self: Pipeline, k: int, part: slice = slice(None), threads: int | None = None) -> np.ndarray:
        asked.append(part)
        return run(self, k, part, threads)

    monkeypatch.setattr(Pipeline, "run", counted_run)
    x = Embeddings(clustered(50))
    found = rates(Pipeline("float", x, x[:1]), 3)
    assert found.one > 0
    assert found.batch > 0
    assert sum(part != slice(None) for part in asked) >= 8


def test_numbers_have_no_exponents() -> None:
    for value in (0.00004, 0.0123, 7.77, 99.96, 100.0, 999.6, 9_995.0, 123_456_789.0):
        assert not re.search(r"\de", figures(value) + in_seconds(value))
        assert float(figures(value).replace(",", "")) == pytest.approx(value, rel=0.006)
    assert in_seconds(123.4) == "120 s"
    assert (share(0.985), share(0.07)) == ("98.5%", "7%")
