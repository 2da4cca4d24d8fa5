"""README, docs and examples: their code runs, as a reader would type it, and what they name and link to there is."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from pages import blocks_of, run_page
from pages_service import stand_in

import embcodec
from embcodec.server import running_server

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = sorted(ROOT.glob("docs/**/*.md"))
WITH_CODE = [README, *(page for page in PAGES if any(block.is_code for block in blocks_of(page)))]
EXAMPLES = sorted(ROOT.glob("examples/*.py"))
# What runs nowhere but on a reader's machine, and how often the pages have it.
NOT_RUN = {"installs": 2, "needs a key": 3, "needs a database": 12, "needs a package": 5}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("a cat sat\non a mat\n", encoding="utf-8")
    if not any(block.language == "sh" and block.text.startswith("embcodec serve") for block in blocks_of(page)):
        run_page(page, stand_in(monkeypatch))
        return
    with running_server(["hash-256"]) as server:

        def change(block: str) -> str:
            block = block.replace("http://127.0.0.1:8000", server.base_url)
            return block.replace("universal-sentence-encoder", "hash-256")  # which loads at once

        run_page(page, [], change)


def test_what_does_not_run_says_why_and_is_counted() -> None:
    found = [block for page in [README, *PAGES] for block in blocks_of(page)]
    reasons = [block.reason_not_to_run for block in found if block.reason_not_to_run]
    assert {reason: reasons.count(reason) for reason in reasons} == NOT_RUN
    assert {block.language for block in found} <= {"python", "sh", "http", "text", "json"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_is_short(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert len(example.read_text(encoding="utf-8").splitlines()) < 60


def test_there_are_five_examples_and_a_page_shows_them() -> None:
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert len(EXAMPLES) == 5
    assert re.findall(r"literalinclude\} \.\./(\S+)", page) == re.findall(r"\]\(\.\./(\S+)\)", page)
    assert sorted(re.findall(r"literalinclude\} \.\./(\S+)", page)) == [name_of(path) for path in EXAMPLES]


def test_a_page_shows_the_scripts_for_engines_and_says_what_they_were_run_with() -> None:
    page = (ROOT / "docs" / "howto" / "engines.md").read_text(encoding="utf-8")
    scripts = sorted(ROOT.glob("examples/engines/*.py"))
    assert sorted(re.findall(r"literalinclude\} \.\./\.\./(\S+)", page)) == [name_of(path) for path in scripts]
    for script in scripts:
        run_with = re.search(r"Run with ([\w.]+ [\d.]+\d)", script.read_text(encoding="utf-8"))
        assert run_with is not None
        assert f"({name_of(script)}), run with {run_with[1]}\n".replace("(", "(../../", 1) in page


@pytest.mark.parametrize("page", [README, ROOT / "CONTRIBUTING.md", *PAGES], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors_of(there), target


def anchors_of(page: Path) -> set[str]:
    """Return what a page's headings are called in addresses."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_architecture_has_every_package() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    drawing = (ROOT / "docs" / "_drawings" / "packages.svg").read_text(encoding="utf-8")
    packages = {path.parent.name for path in (ROOT / "src" / "embcodec").glob("*/__init__.py")}
    rows = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.M))))
    assert packages <= rows
    assert rows == set(re.findall(r"\w+", " ".join(re.findall(r'font-weight="600">([\w ]+)<', drawing))))
    assert all(
        (ROOT / "src" / "embcodec" / name).exists() or (ROOT / f"src/embcodec/{name}.py").exists() for name in rows
    )


@pytest.mark.parametrize("page", [README, *PAGES], ids=name_of)
def test_pages_name_files_and_targets_that_there_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files, targets = re.findall(r"`((?:tests|fuzz|benchmarks)/[\w.*/]+)`", text), re.findall(r"`make ([\w-]+)", text)
    assert files or page.name != "reliability.md"
    assert [name for name in files if not list(ROOT.glob(name))] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in targets if f"\n{name}:" not in makefile] == []


def test_the_reference_has_every_public_name_once_and_is_grouped_as_the_summary() -> None:
    summary = re.findall(r"^(\S.+)\n((?:    .+\n)+)", embcodec.__doc__ or "", re.M)
    groups = {title: set(re.findall(r"(?<![.\w])\w+", names)) & set(embcodec.__all__) for title, names in summary}
    groups["Bodies and batch files"] -= groups["Errors"]  # one of them gives an error
    pages = [page for page in PAGES if re.search(r"currentmodule:: embcodec$", page.read_text(encoding="utf-8"), re.M)]
    shown: list[str] = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        here = re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.M)
        shown += here
        assert groups[text.partition("\n")[0].removeprefix("# ")] <= set(here), page.name
    assert sorted(shown) == sorted(embcodec.__all__)
