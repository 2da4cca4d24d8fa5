"""What a study comes to: which codes it compares, what stores take of it, in words, frames, drawings and pages."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec
from embcodec import Study
from embcodec.tradeoff import STORES, write_report
from embcodec.tradeoff.intervals import Estimate
from embcodec.tradeoff.kinds import as_kinds

RNG = np.random.default_rng(2)
CENTRES = RNG.standard_normal((9, 48), dtype=np.float32)


def texts(count: int) -> Any:
    return CENTRES[RNG.integers(9, size=count)] + RNG.standard_normal((count, 48), dtype=np.float32)


ROWS, QUERIES = texts(400), texts(60)


@cache
def found() -> Study:
    return embcodec.study(ROWS, QUERIES, dimensions=[48], multipliers=[10], rotation="random", seed=3)


def of(label: str) -> Any:
    return next(m for m in found().measurements if m.label == label)


def test_codes_are_chosen_by_name() -> None:
    usual = [kind.name for kind in as_kinds(None, 512).low_bit]
    assert usual == ["1 bit", "2 bits", "4 bits", "32 bytes", "64 bytes", "128 bytes", "256 bytes"]
    assert [kind.name for kind in as_kinds(None, 32).low_bit] == ["1 bit", "2 bits", "4 bits"]
    codes = ["float", "bits", "3 bits", "1.5 bits", "1 bit, unshaped", "1 bit", "18 bytes", "1 bits", "18bytes"]
    study = embcodec.study(ROWS, QUERIES, dimensions=[48, 24], multipliers=[4], codes=codes, rotation="none")
    plain = [m for m in study.measurements if not m.rescored_with]
    expected = {"3 bits": 18, "1.5 bits": 9, "1 bit, unshaped": 10, "1 bit": 10}
    labels = [f"{name} ({size} bytes)" for name, size in expected.items()]
    assert [m.label for m in plain if m.dimension == 48] == ["float", "bits", "bits, float query", *labels, "18 bytes"]
    assert "18 bytes" not in {m.label for m in plain if m.dimension == 24}
    assert all(m.code_bytes == float(re.findall(r"\d+(?= bytes)", m.label)[0]) for m in plain if "bytes" in m.label)
    shaped, unshaped = (next(m for m in plain if m.label.startswith(name)) for name in ("1 bit (", "1 bit, unshaped"))
    assert "shaping='none'" in unshaped.code
    assert "shaping" not in shaped.code
    assert shaped.recipe.quantizer.scheme.shaping is not None is unshaped.recipe.quantizer.scheme.shaping
    assert "LowBitQuantizer(bytes_per_vector=18," in next(m for m in plain if m.label == "18 bytes").code


@pytest.mark.parametrize(
    ("codes", "error", "words"),
    [
        (["int4"], ValueError, "unknown code 'int4'; known are 'float16', 'int8', 'uint8', 'bits', '1 bit'"),
        (["0 bits"], ValueError, "bits is above 0"),
        (["9 bits"], ValueError, "at most 8"),
        (["2 bytes"], ValueError, "bytes_per_vector must be at least 3"),
        (["2.5 bytes"], ValueError, "a whole number, not '2.5 bytes'"),
        (["400 bytes"], ValueError, "400 bytes a vector are more than 48 dimensions can use"),
        ("int8", TypeError, r"as \['int8', 'bits', '64 bytes'\], not 'int8'"),
        (8, TypeError, "codes are names of some"),
        ([8], ValueError, "unknown code 8"),
    ],
)
def test_codes_that_there_are_not(codes: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        embcodec.study(ROWS, QUERIES, codes=codes)


@pytest.mark.parametrize("names", [["ubinary"], ["binary", "ubinary", "bits"]])
def test_bits_by_the_names_of_their_dtypes(names: list[str]) -> None:
    assert as_kinds(names, 48) == as_kinds(["bits"], 48)


def test_stores_take_what_they_search_by_themselves() -> None:
    assert of("float").stores == STORES
    assert set(of("int8 unit").stores) == {"sqlite-vec", "faiss", "elasticsearch", "vespa", "milvus", "redis"}
    assert of("bits").stores == of("bits, then float x10").stores
    assert "pgvector" in of("bits").stores
    for label in ("int8 per-vector", "bits, float query", "bits, then int8 x10", "1 bit (10 bytes)", "32 bytes"):
        assert of(label).stores == (), label
    assert of("bits, float query x50, float x10").stores == ()
    assert replace(of("float"), recipe=None).stores == ()


def overlap_by(label: str, distances: Any) -> float:
    """Return the part of float's ten nearest that the raw codes of a way find, by distances of (queries, rows)."""
    way = of(label)
    codes, asked = (way.encode(x).values.astype(np.float64) for x in (ROWS, QUERIES))
    best = np.argsort(distances(asked, codes), axis=1, kind="stable")[:, :10]
    exact = embcodec.search(QUERIES, ROWS, 10, metric="cosine").indices
    return float(np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(best, exact, strict=True)]))


def test_it_is_said_by_which_metric_stores_find_what_was_measured() -> None:
    metrics = {"float": "cosine", "int8 unit": "cosine", "uint8 unit": "euclidean", "bits": "hamming"}
    assert {label: of(label).store_metric for label in metrics} == metrics
    assert of("bits, then float x10").store_metric == "hamming"
    assert of("32 bytes").store_metric is None is replace(of("float"), recipe=None).store_metric
    euclid = overlap_by("uint8 unit", lambda a, b: (b**2).sum(1) - 2 * a @ b.T)
    cosine = overlap_by("uint8 unit", lambda a, b: -(a @ b.T) / np.linalg.norm(b, axis=1))
    dot = overlap_by("uint8 unit", lambda a, b: -(a @ b.T))
    assert euclid == pytest.approx(of("uint8 unit").overlap.mean, abs=0.02)
    assert max(cosine, dot) < euclid - 0.05
    words = "by Euclidean distance alone: cosine and dot product of the codes themselves are in another order."
    uint8 = surely("uint8 unit")
    assert uint8.advise(0.98)[1].endswith(f"faiss, qdrant and redis, {words}")
    assert words in surely("32 bytes", "uint8 unit").advise(0.98)[1]
    assert uint8.in_brief(0.98, store="qdrant")["recommendation"].endswith(f"take it as it is, {words}")
    assert uint8.to_dict(0.98, store="redis")["recommended"]["store_metric"] == "euclidean"
    assert "Euclid" not in str(surely("int8 unit").advise(0.98))


def test_a_recommendation_for_a_store_is_what_it_takes() -> None:
    for target in (0.3, 0.9, 0.98):
        for store in (*STORES, "any"):
            for on_disk in (False, True):
                best = found().recommend(target, store=store, rescoring_on_disk=on_disk)
                assert best is not None
                assert store in best.stores or store == "any"
                assert best.overlap.low >= target
                cost = (lambda m: m.code_bytes) if on_disk else (lambda m: m.total_bytes)
                taken = [m for m in found().measurements if m.overlap.low >= target and m.stores]
                taken = [m for m in taken if store in m.stores or store == "any"]
                assert cost(best) == min(map(cost, taken))
    best = found().recommend(0.3, store="pgvector")
    assert best is not None
    assert (best.label, found().recommend(0.9, store="s3-vectors")) == ("bits", found().measurements[0])
    with pytest.raises(ValueError, match=r"unknown store 'pgvektor'; known are 'pgvector', .* did you mean 'pgvector'"):
        found().recommend(0.9, store="pgvektor")


def surely(*labels: str) -> Study:
    """Return the study as if of all but float these alone were sure to find nearly all."""
    whole, *others = found().measurements
    sure, low = Estimate(0.995, 0.99, 1.0), Estimate(0.5, 0.4, 0.6)
    return replace(
        found(), measurements=[whole, *(replace(m, overlap=sure if m.label in labels else low) for m in others)]
    )


def test_what_no_store_takes_brings_what_stores_take() -> None:
    advice = surely("32 bytes", "int8 unit").advise(0.98)
    assert advice[0].startswith("Store low-bit \u201c32 bytes\u201d: 32 bytes a vector instead of 192 (6.0 times less)")
    assert advice[1].startswith(
        "No store takes low-bit \u201c32 bytes\u201d as it is: embcodec's FlatIndex and Collection"
    )
    assert "Of what stores take, \u201cint8 unit\u201d has the fewest bytes that do, 48, and finds 99.5%" in advice[1]
    assert advice[1].endswith("sqlite-vec, faiss, elasticsearch, vespa, milvus and redis.")
    assert "nothing below float finds 98% for sure" in surely("32 bytes").advise(0.98)[1]
    assert "taken and searched by faiss, qdrant and redis" in surely("uint8 unit").advise(0.98)[1]
    none = surely("32 bytes").advise(0.98, store="redis")
    assert none[0] == "Nothing smaller that redis takes finds 98% of float's 10 nearest for sure: keep float."
    assert none[1].startswith("Nearest to it comes")
    assert surely("32 bytes").to_dict(0.98)["recommended_for_stores"]["label"] == "float"


def test_three_lines_say_what_to_do_what_it_costs_and_what_may_go_wrong() -> None:
    brief = surely("32 bytes").in_brief(0.98)
    assert list(brief) == ["recommendation", "price", "risk"]
    assert "32 bytes a vector instead of 192" in brief["recommendation"]
    assert "no store takes it" in brief["recommendation"]
    assert brief["price"].startswith(
        "99.5% (99.0% to 100.0%) of float's 10 nearest are found, where 98% were asked for"
    )
    assert "60 queries on 400 vectors: fewer than 99.0% are found only if" in brief["risk"]
    assert f"{len(found().warnings)} more doubts" in brief["risk"]
    kept = surely("bits, then float x10").in_brief(0.98)
    held = "and hold 6 bytes a vector in memory by \u201cbits, then float x10\u201d."
    assert kept["recommendation"] == f"Nothing smaller finds 98%: keep float, {held}"
    kept = surely().in_brief(0.98)
    assert kept["recommendation"] == "Nothing smaller finds 98%: keep float."
    assert "comes nearest to it" in kept["risk"]
    few = replace(found(), queries=29).in_brief()
    assert list(few) == ["recommendation"]
    assert "29 queries are too few" in few["recommendation"]


def test_rows_that_are_fitted_to_and_searched_are_said() -> None:
    assert any("fitted to the very rows that are searched" in text for text in found().warnings)
    wishes: dict[str, Any] = {"dimensions": [48], "multipliers": [], "rotation": "random"}
    others = embcodec.study(ROWS, QUERIES, sample=200, codes=["1 bit"], **wishes)
    none = embcodec.study(ROWS, QUERIES, codes=["int8"], **wishes)
    assert not any("fitted" in text for text in (*others.warnings, *none.warnings))
    tiny = embcodec.study(ROWS[:80], QUERIES, codes=["16 bytes"], **wishes)
    assert any("80 vectors of 48 dimensions, which are few" in text for text in tiny.warnings)
    assert any("80 rows are few" in text for text in tiny.warnings)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_are_of_what_is_there(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = pytest.importorskip(kind)
    frame = found().to_frame(kind)
    assert isinstance(frame, frames.DataFrame)
    assert list(frame["label"]) == [m.label for m in found().measurements]
    assert list(frame["stores"])[:2] == [", ".join(m.stores) for m in found().measurements[:2]]
    unknown = [name for name in frame.columns if name.startswith("ndcg")]
    assert len(unknown) == 6
    assert {str(frame[name].dtype).lower() for name in unknown} == {"float64"}  # also where no row has one
    other = {"pandas": "polars", "polars": "pandas"}[kind]
    monkeypatch.setitem(sys.modules, other, None)
    assert isinstance(found().to_frame(), frames.DataFrame)
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(ModuleNotFoundError, match="needs pandas or polars, which is not installed: pip install pandas"):
        found().to_frame()
    with pytest.raises(ModuleNotFoundError, match=f"needs {kind}, which is not installed: pip install {kind}"):
        found().to_frame(kind)
    with pytest.raises(ValueError, match="kind is 'pandas' or 'polars', not 'arrow'"):
        found().to_frame("arrow")  # type: ignore[arg-type]


def test_a_plot_shows_every_way_the_front_and_the_best() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    axes = found().plot(0.9)
    best = found().recommend(0.9)
    assert best is not None
    assert len(axes.containers) == len(found().measurements)
    rings = [line for line in axes.lines if line.get_markersize() == 17]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in rings] == [(best.total_bytes, best.overlap.mean)]
    assert any(line.get_ydata() == [0.9, 0.9] for line in axes.lines if isinstance(line.get_ydata(), list))
    texts = {text.get_text() for text in axes.texts}
    assert {"float", "asked for: 0.9"} <= texts
    assert {text.get_text() for text in axes.get_legend().get_texts()} >= {"float", "low-bit", "then rescored"}
    axes.figure.canvas.draw()
    mine = pyplot.figure().subplots()
    assert found().plot(ax=mine) is mine
    pyplot.close("all")


def test_without_matplotlib_a_plot_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"Study\.plot needs matplotlib, .* pip install 'embcodec\[plot\]'"):
        found().plot()


def test_a_page_begins_with_three_lines_and_folds_its_table(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    study = surely("32 bytes")
    path = write_report(
        tmp_path / "r.html",
        study,
        title="A <title>",
        lead="",
        advice=study.advise(),
        figures={},
        method=(),
        target=0.98,
    )
    page = path.read_text(encoding="utf-8")
    body = page[page.index("</header>") :]
    assert re.match(r'</header>\s*<dl class="brief"><div class="recommendation"><dt>Recommendation</dt>', body)
    places = [body.index(f"<dt>{name}</dt>") for name in ("Recommendation", "Price", "Risk")]
    assert places == sorted(places)
    assert places[-1] < body.index("<h2>")
    folded = body[body.index("<details>") : body.index("</details>")]
    assert f"<summary>{len(study.measurements)} ways" in folded
    assert folded.count("<tr") == len(study.measurements) + 1
    assert body.count("<details>") == 1


def test_notebooks_begin_with_three_lines() -> None:
    shown = found()._repr_html_()
    lines = re.findall(r"<tr><td>(\w+)</td><td>(.*?)</td></tr>", shown)
    expected = [*found().in_brief().items(), *(("warning", text) for text in found().warnings)]
    assert lines[: len(expected)] == [(name, escape(text)) for name, text in expected]


def test_whoever_keeps_float_is_told_of_float16() -> None:
    for store, named in (
        ("pgvector", "As float16, which pgvector (halfvec) takes, they are 96 bytes, and "),
        (None, "redis (FLOAT16)"),
    ):
        assert named in surely().advise(0.98, store=store)[-1]
        assert named in surely().in_brief(0.98, store=store)["price"]
    assert "float16" not in str(surely().advise(0.98, store="duckdb")) + str(surely().in_brief(0.98, store="duckdb"))
    assert "float16" not in str(surely("int8 unit").advise(0.98, store="redis"))


def test_targets_and_axes_of_other_types_are_refused() -> None:
    for target in ("a", None, True):
        for ask in (found().recommend, found().advise, found().in_brief, found().plot, found().to_dict):
            with pytest.raises(TypeError, match="the target is a number, not"):
                ask(target)  # type: ignore[operator]
    for axes in (3, np.empty(2, object)):
        with pytest.raises(TypeError, match=r"ax is one matplotlib\.axes\.Axes"):
            found().plot(ax=axes)
