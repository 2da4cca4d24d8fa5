"""The README's Python blocks run, one after the other, as a reader would type them, against a server of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from embcodec.server import running_server

README = Path(__file__).resolve().parent.parent / "README.md"


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
