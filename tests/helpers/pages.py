"""The pages' code blocks, run one after the other as a reader would type them, and held to what they say comes of it.

What a block says is written so that the page stays plain Markdown:

- a comment ``# -> text`` after an expression, on its line or below, is its repr; after a statement, what it printed;
- a block ``http`` is the request that the block before it sent: address, the headers named, the body;
- a block ``text output`` is what the block before it printed;
- a block whose fence goes on with ``file NAME`` is such a file;
- a block whose fence goes on with ``no-run: why`` is not run.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from pages_service import Request

from embcodec.cli import main

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)
_SAID = re.compile(r"# -> (.*)$")
_RUN = ("python", "sh")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what follows that on the fence, its text and the line it starts on."""

    language: str
    words: str
    text: str
    line: int

    @property
    def is_code(self) -> bool:
        return self.language in _RUN

    @property
    def reason_not_to_run(self) -> str:
        return self.words.partition("no-run:")[2].strip()


def blocks_of(page: Path) -> list[Block]:
    """Return a page's blocks in their order."""
    text = page.read_text(encoding="utf-8")
    assert len(re.findall("^```", text, re.M)) % 2 == 0, f"{page}: a fence is open"
    return [Block(m[1], m[2].strip(), m[3], text.count("\n", 0, m.start()) + 1) for m in _FENCE.finditer(text)]


def run_page(page: Path, sent: list[Request], change: Callable[[str], str] = str) -> None:
    """Run the blocks of a page in one namespace and hold its other blocks to what came of them.

    Parameters
    ----------
    page : Path
    sent : list of Request
        Where the stand-in for services writes what it is asked.
    change : callable, optional
        What to do to a block's text first: addresses and models that the tests do not have.
    """
    scope: dict[str, Any] = {"__name__": page.stem}
    printed = ""
    for block in blocks_of(page):
        where = f"{page.name}, line {block.line}"
        text = change(block.text)
        if block.language == "http":
            assert sent, f"{where}: nothing was sent"
            assert_request(sent[-1], text, where)
        elif block.language == "text" and block.words == "output":
            assert _plain(printed) == _plain(text), f"{where}: {printed}"
        elif block.words.startswith("file "):
            Path(block.words.removeprefix("file ")).write_text(text, encoding="utf-8")
        elif block.is_code and not block.reason_not_to_run:
            printed = _run_python(text, scope, where) if block.language == "python" else _run_shell(text, where)


def assert_request(request: Request, text: str, where: str) -> None:
    """Hold a request to the text of a block ``http``."""
    head, _, body = text.partition("\n\n")
    first, *headers = head.splitlines()
    assert first == f"{request.method} {request.url} HTTP/1.1", f"{where}: {request.url}"
    for line in headers:
        name, _, value = line.partition(": ")
        assert request.headers.get(name.lower()) == value, f"{where}: {name} is {request.headers.get(name.lower())}"
    assert request.body == json.loads(body), f"{where}: {request.body}"


def _run_python(text: str, scope: dict[str, Any], where: str) -> str:
    """Run statements one by one; return what they printed."""
    lines = text.splitlines()
    statements = ast.parse(text).body
    everything = io.StringIO()
    for statement, following in zip(statements, [*statements[1:], None], strict=True):
        assert statement.end_lineno is not None
        end = len(lines) if following is None else following.lineno - 1
        is_value = isinstance(statement, ast.Expr)
        tree: Any = ast.Expression(statement.value) if is_value else ast.Module([statement], [])  # type: ignore[attr-defined]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = eval(compile(tree, where, "eval" if is_value else "exec"), scope)
        said = [match[1] for line in lines[statement.end_lineno - 1 : end] if (match := _SAID.search(line))]
        if said:
            found = printed.getvalue() or repr(value)
            assert _plain(found) == _plain("\n".join(said)), f"{where}: {lines[statement.lineno - 1]}\n{found}"
        everything.write(printed.getvalue())
    return everything.getvalue()


def _run_shell(text: str, where: str) -> str:
    """Run ``embcodec`` commands, in this process for speed, and return what they printed.

    ``> file`` is the one redirection, and a command that ends in ``&`` a server, which the test runs.
    """
    printed = ""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words or (words[0] == "embcodec" and words[-1] == "&"):
            continue
        target = None
        if len(words) > 2 and words[-2] == ">":
            *words, _, target = words
        assert words[0] == "embcodec", f"{where}: only embcodec is run here, not {words[0]}"
        done = CliRunner().invoke(main, words[1:])
        assert done.exit_code == 0, f"{where}: {line}\n{done.output}"
        if target is None:
            printed += done.stdout
        else:
            Path(target).write_text(done.stdout, encoding="utf-8")
    return printed


def _plain(text: str) -> str:
    """Return text with white space made even, as a page may break lines where Python does not."""
    return " ".join(text.split())
