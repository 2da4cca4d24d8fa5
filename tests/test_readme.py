"""The README's Python blocks run, one after the other, as a reader would type them; pages name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from embcodec.server.app import running_server

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "readme"}
    with running_server(["hash-256"]) as server:
        for number, block in enumerate(blocks):
            text = block.replace("http://127.0.0.1:8000", server.base_url)
            text = text.replace("universal-sentence-encoder", "hash-256")  # which loads at once
            exec(compile(text, f"README.md block {number}", "exec"), scope)


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_pages_name_files_and_targets_that_there_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    files, targets = re.findall(r"`((?:tests|fuzz|benchmarks)/[\w.*/]+)`", text), re.findall(r"`make ([\w-]+)", text)
    assert files
    assert [name for name in files if not list(ROOT.glob(name))] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [name for name in targets if f"\n{name}:" not in makefile] == []
