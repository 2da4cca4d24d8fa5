"""The demo, small and with a toy model: every dtype and encoding over a real socket, and a report to open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("uvicorn")
pytest.importorskip("matplotlib")

from embcodec.cli.command import main
from embcodec.tradeoff import corpus


@pytest.fixture(scope="module")
def few_texts() -> Iterator[None]:
    """Take docstrings of two packages: to read those of all that a demo takes is as much work as all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        folder = Path(np.__file__).parent
        patch.setattr(corpus, "_roots", lambda: [(folder / name, ("numpy", name)) for name in ("ma", "lib")])
        pairs = corpus._all_pairs.__wrapped__()  # what is kept of all stays whole
        patch.setattr(corpus, "_all_pairs", lambda: pairs)
        assert len(pairs) >= 160
        yield


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, few_texts: None) -> Any:
    report = tmp_path_factory.mktemp("demo") / "folder" / "report.html"
    arguments = ["demo", "--documents", "120", "--queries", "40", "--model", "hash-256", "--report", str(report)]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["report"] == str(report)
    return found


def test_every_dtype_and_encoding_came_over_the_wire(result: Any) -> None:
    rows = {(row["output_dtype"], row["encoding_format"], row["dimension"]): row for row in result["wire"]}
    assert len(rows) == len(result["wire"]) == 5 * 2 * 2
    assert rows["float", "base64", 256]["memory_bytes"] == 1024
    assert rows["ubinary", "float", 128]["memory_bytes"] == 16
    for (dtype, encoding, dimension), row in rows.items():
        assert row["decode_microseconds"] > 0
        assert row["overlap"] == rows[dtype, "float", dimension]["overlap"]
        if encoding == "base64":
            assert row["memory_bytes"] * 4 / 3 < row["wire_bytes"] < row["memory_bytes"] * 4 / 3 + 100
    assert rows["float", "float", 256]["overlap"]["mean"] == 1.0
    studied = {(row["label"], row["dimension"]): row for row in result["study"]["measurements"]}
    for dtype, label in (("int8", "int8 unit"), ("uint8", "uint8 unit"), ("binary", "bits"), ("ubinary", "bits")):
        for dimension in (256, 128):  # one measurement, one figure
            for name in ("one_per_second", "batch_per_second", *(("overlap", "ndcg") if dimension == 256 else ())):
                assert rows[dtype, "base64", dimension][name] == studied[label, dimension][name]
    assert rows["int8", "base64", 256]["overlap"]["mean"] > rows["binary", "base64", 256]["overlap"]["mean"]


def test_study_knows_the_answers(result: Any) -> None:
    whole = result["study"]["measurements"][0]
    assert (result["study"]["rows"], result["study"]["queries"], result["dimension"]) == (120, 40, 256)
    assert 0.05 < whole["ndcg"]["mean"] < 1
    assert whole["of_limit"] > 0
    assert any("base64" in sentence for sentence in result["advice"])


class Page(HTMLParser):
    """Collects what a report links to, and checks that its elements are closed."""

    void = frozenset({"meta", "br", "hr", "img", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()


def test_report_is_whole_and_self_contained(result: Any) -> None:
    text = Path(result["report"]).read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert page.open == []
    assert all(link.startswith("#") for link in page.links)
    widths = re.findall(r'<div class="(wide|narrow)"><svg viewBox="0 0 ([\d.]+) ', text)
    assert [(name, float(width)) for name, width in widths] == [("wide", 662.4), ("narrow", 331.2)] * 4
    assert len(set(re.findall(r' id="([^"]+)"', text))) == text.count(
        ' id="'
    )  # or one figure draws with another's parts
    assert "<script" not in text
    assert not re.search(r"url\((?!#)|@import|#0101", text)
    assert all(escape(sentence).replace(" x", " ×") in text for sentence in result["advice"])
    assert {"light", "dark"} <= set(re.findall(r"light|dark", text))


@pytest.mark.usefixtures("few_texts")
def test_more_queries_than_documents_are_refused() -> None:
    assert CliRunner().invoke(main, ["demo", "--documents", "30", "--queries", "40"]).exit_code == 1
