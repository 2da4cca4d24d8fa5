"""Upper bounds by codes: no float32 score exceeds them, and each part of their margin is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from float_rows import KINDS, METRICS, Floats, asked_near, codes_of, corpus, near_others

from embcodec import Embeddings, SearchResult, search
from embcodec.scan import best_of, estimates, residuals, upper_bounds
from embcodec.scan.bounds import rounding_of_sums


def check_bounds(codes: Any, x: Floats, q: Floats, metric: Any) -> None:
    """Bounds of all rows are at least their scores, and what is a threshold lets rows with that very score pass.

    Where they are tightened by a score, that is so for rows that are as good.
    """
    terms = estimates.row_terms(codes, residuals.residuals_of(codes, Embeddings(x)), metric)
    assert terms.known
    step = 1 if upper_bounds.takes_one(codes) else len(q)
    for begin in range(0, len(q), step):
        asked = Embeddings(q[begin : begin + step])
        bounds = upper_bounds.UpperBounds(codes, asked, metric, terms)
        scores, rows = best_of(bounds.scan, len(x), 1)
        for i in range(len(asked)):
            found = search(asked[i : i + 1], x, len(x), metric=metric)
            true = found.scores[0][np.argsort(found.indices[0])][rows[i]]
            for row in range(0, len(x), 5):
                assert scores[i, row] > bounds.thresholds(np.full(len(asked), true[row]))[i]
    for one in (q[:1], q[-3:-2]):
        ranked = search(one, x, len(x), metric=metric)
        angles = search(one, x, len(x))
        cosines = angles.scores[0][np.argsort(angles.indices[0])]
        cosines[~x.any(axis=1)] = 1  # a row of zeros has no angle
        for place in (len(x) // 2, 2, 0):
            bounds = upper_bounds.UpperBounds(codes, Embeddings(one), metric, terms)
            check_tightened(bounds, ranked, place)
            sines = bounds._sines_at(ranked.scores[:, place])
            assert (cosines[ranked.indices[0, : place + 1]] ** 2 + sines**2 >= 1).all()


def check_tightened(bounds: upper_bounds.UpperBounds, ranked: SearchResult, place: int) -> None:
    """Bounds that a score has tightened hold for the rows that are as good."""
    true, best = ranked.scores[:, place], ranked.indices[0, : place + 1]
    whole, rows = best_of(bounds.scan, ranked.indices.shape[1], 1)
    after = bounds.tightened(whole, rows, true)[0][np.argsort(rows[0])][best]
    assert (after <= bounds.tightened_at_least(whole[:, 0], true)).all()
    for score, bound in zip(ranked.scores[0], after, strict=False):
        assert bound > bounds.thresholds(score[None])[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
def test_no_score_exceeds_its_bound(kind: str, metric: Any) -> None:
    for name in ("near", "spikes", "zeros among", "noise", "twins"):
        for dimension in (5, 64, 130):
            x, q = corpus(name, 90, dimension, 5), corpus("noise", 4, dimension, 6)
            q = np.concatenate([q, (x[:4] + 1e-3 * q) * np.float32([[0.2], [0.5], [1], [3]])])
            for made_of in (x, corpus("noise", 90, dimension, 7)):
                check_bounds(codes_of(made_of, kind), x, q, metric)


@pytest.mark.parametrize("kind", ["uint8", "uint8/ranges", "int8/ranges", "int8/per-vector"])
@pytest.mark.parametrize("metric", METRICS)
def test_rounding_of_queries_is_measured(kind: str, metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = near_others(80, 40)
    codes, plan = codes_of(x, kind), estimates.plan
    x = codes.to_float()  # which leaves no error but the queries': a bound that allows for a little less is too small
    for part in (0, 1):
        for sign in (-1, 1):

            def worse(*arguments: Any, part: int = part, sign: int = sign) -> Any:
                scan = plan(*arguments)
                scan.terms[part] *= 1 + 0.2 * sign * (part == 0)
                scan.terms[part] += 0.2 * sign * (part == 1) * (kind != "int8/per-vector")
                return scan

            monkeypatch.setattr(estimates, "plan", worse)
            check_bounds(codes, x, asked_near(x, 3), metric)


@pytest.mark.parametrize("kind", KINDS[:6])
def test_sums_of_rounded_queries_have_room_for_their_rounding(kind: str) -> None:
    """What float32 rounds in a scan is far below what queries are rounded by, so that no score would tell."""
    x = near_others(80, 40) + np.float32(0.3)
    codes, units = codes_of(x, kind), near_others(5, 40, seed=1)
    found = estimates.estimate(codes, units)
    steps, offsets = residuals.integer_terms(codes)
    asked = found.scan.terms[0].astype(np.float64)[:, None] * found.scan.queries.view(np.int8)
    off, reach = np.linalg.norm(units * steps - asked, axis=1).max(), np.linalg.norm(asked, axis=1).max()
    biases = units.astype(np.float64) @ offsets
    apart, farthest = np.abs(biases - found.scan.terms[1]).max(), np.abs(biases).max()
    for value, whole, rounding in ((found.off, off, off + reach), (found.shift, apart, farthest)):
        assert 0.999 < (value - whole) / (rounding * residuals.ROUNDINGS) < 1.001 if rounding else value == whole


@pytest.mark.parametrize("kind", ["1", "2", "4"])
@pytest.mark.parametrize("metric", METRICS)
def test_rounding_of_turned_queries_is_allowed_for(kind: str, metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = near_others(80, 40)
    codes, prepare = codes_of(x, kind), estimates.prepare_queries
    x = codes.to_float()  # which leaves no error but the queries'
    monkeypatch.setattr(estimates, "rounding_of_turns", lambda scheme: 0.5)
    for row in range(0, 80, 20):
        towards = codes.scheme.values_of(codes.bit_planes[row : row + 1])[0]

        def worse(scheme: Any, queries: Any, *, apart: bool, towards: Any = towards) -> Any:
            asked = prepare(scheme, queries, apart=apart)
            added = -0.49 * towards / np.linalg.norm(towards) * scheme.levels.weights[:, None]
            asked.values[:] += added.reshape(1, -1).astype(np.float32)
            return asked

        monkeypatch.setattr(estimates, "prepare_queries", worse)
        check_bounds(codes, x, asked_near(x, 3), metric)


def test_errors_are_measured_on_the_floats_given() -> None:
    x = near_others(300, 40)
    wide = x.astype(np.float64)
    for kind in KINDS:
        codes = codes_of(x, kind)
        measured = residuals.residuals_of(codes, Embeddings(x)).astype(np.float64)
        assert (measured[:, residuals.LENGTHS] >= np.linalg.norm(wide, axis=1)).all()
        parts, margin, spans = codes.to_float().astype(np.float64), np.zeros(len(x)), measured[:, residuals.SPANS]
        if kind.isdigit():
            center = 0 if codes.scheme.center is None else codes.scheme.center.astype(np.float64)
            parts = center + (parts - center) * (spans / codes.row_scales())[:, None]
            margin = residuals.rounding_of_turns(codes.scheme) * residuals.longest_code(codes.scheme) * spans
        elif kind.endswith("binary"):
            parts *= spans[:, None]
        rests, lengths = wide - parts, np.linalg.norm(wide, axis=1)
        along = np.einsum("ij,ij->i", rests, wide) / lengths
        across = np.sqrt((rests**2).sum(axis=1) - along**2)
        for true, column in ((across, residuals.ERRORS), (along, residuals.ALONG)):
            assert (measured[:, column] >= true + margin).all()
            assert (measured[:, column] <= true + margin + 1e-3).all(), "wider than there is need"
        # What the float32 score of a row itself is off by has its place in the terms of the bound.
        terms = estimates.row_terms(codes, measured.astype(np.float32), "dot")
        rests = terms.widths.astype(np.float64) - terms.errors
        assert (rests >= rounding_of_sums(40) * measured[:, residuals.LENGTHS]).all()


def test_lengths_of_which_nothing_is_known() -> None:
    x = near_others(20, 16)
    codes = codes_of(x, "int8")
    for factor, known in ((1, (True, True)), (1e-12, (False, True)), (1e12, (False, False)), (0, (True, True))):
        rows = x.copy()
        rows[3] *= np.float32(factor)
        measured = residuals.residuals_of(codes, Embeddings(rows))
        assert tuple(estimates.row_terms(codes, measured, metric).known for metric in ("cosine", "dot")) == known
    rows[3] = np.nan
    assert not estimates.row_terms(codes, residuals.residuals_of(codes, Embeddings(rows)), "dot").known
    lengths = np.float32([[0], [1e-12], [1], [1e12]])
    assert upper_bounds.are_known(Embeddings(lengths)).tolist() == [False, False, True, False]
