"""README and docs: their code runs, as a reader would type it, and what they name there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import embcodec
from embcodec.server import running_server
from pages import blocks_of, run_page
from pages_service import stand_in

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = sorted(ROOT.glob("docs/**/*.md"))
WITH_CODE = [README, *(page for page in PAGES if any(block.is_code for block in blocks_of(page)))]
# What runs nowhere but on a reader's machine, and how often the pages have it.
NOT_RUN = {"installs": 2, "needs a key": 2, "needs a database": 2}


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
