"""progress=True shows a bar, where there is a terminal, wherever progress is taken."""

from __future__ import annotations

import asyncio
import inspect
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec
from embcodec.server import running_server
from embcodec.words import shows_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    screen = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", screen)
        patched.setenv("TERM", "xterm")
        patched.delenv("NO_COLOR", raising=False)
        yield screen


def batch_file(folder: Path) -> Path:
    path = folder / "out.jsonl"
    path.write_bytes(
        b'{"custom_id": "a", "response": {"body": {"data": [{"embedding": [1, 2]}]}}, "error": null}\n' * 3
    )
    return path


def embed(progress: Any, folder: Path) -> Any:
    with running_server(["hash-16"]) as server, embcodec.Client(base_url=server.base_url) as client:
        return client.embed(["a", "b"], model="hash-16", progress=progress)


def embed_async(progress: Any, folder: Path) -> Any:
    async def main(base_url: str) -> Any:
        async with embcodec.AsyncClient(base_url=base_url) as client:
            return await client.embed(["a", "b"], model="hash-16", progress=progress)

    with running_server(["hash-16"]) as server:
        return asyncio.run(main(server.base_url))


def study(progress: Any, folder: Path) -> Any:
    x = np.random.default_rng(0).standard_normal((60, 8), dtype=np.float32)
    return embcodec.study(x, dimensions=[8], multipliers=[4], rotation="none", k=2, progress=progress)


def ingest(progress: Any, folder: Path) -> Any:
    number = len(list(folder.iterdir()))
    embcodec.save(folder / f"{number}.npy", np.eye(2, dtype=np.float32))
    collection = embcodec.Collection.create(folder / f"{number}", like=np.eye(2, dtype=np.float32))
    return collection.ingest(folder / f"{number}.npy", progress=progress)


def search_a_collection(progress: Any, folder: Path) -> Any:
    like = np.eye(9, 8, dtype=np.float32)
    if not (folder / "c").exists():
        embcodec.Collection.create(folder / "c", like=like).append(like)
    return embcodec.Collection.open(folder / "c").search(like, 2, progress=progress)


def fit(progress: Any, folder: Path) -> Any:
    x = np.random.default_rng(0).standard_normal((90, 8), dtype=np.float32)
    return embcodec.LowBitQuantizer(2, rotation="none").fit(x, progress=progress)


WHERE: dict[str, tuple[str, Callable[[Any, Path], Any]]] = {
    "Client.embed": ("embedding", embed),
    "AsyncClient.embed": ("embedding", embed_async),
    "iter_batch": ("reading", lambda told, folder: list(embcodec.iter_batch(batch_file(folder), progress=told))),
    "decode_batch": ("decoding", lambda told, folder: embcodec.decode_batch(batch_file(folder), progress=told)),
    "LowBitQuantizer.fit": ("measured", fit),
    "search": ("searching", lambda told, _: embcodec.search(np.eye(3, 8), np.eye(9, 8), 2, progress=told)),
    "study": ("measuring", study),
    "Collection.ingest": ("ingesting", ingest),
    "FlatIndex.search": (
        "searching",
        lambda told, _: embcodec.FlatIndex(np.eye(9, 8)).search(np.eye(3, 8), 2, progress=told),
    ),
    "Collection.search": ("searching", search_a_collection),
}


def test_every_progress_is_here() -> None:
    """run_demo, which takes a while, is tested by the command that it is behind."""
    names = {name: getattr(embcodec, name) for name in embcodec.__all__}
    functions = {name: thing for name, thing in names.items() if inspect.isfunction(thing)}
    for kind in (thing for thing in names.values() if inspect.isclass(thing)):
        methods = inspect.getmembers(kind, inspect.isfunction)
        functions |= {f"{kind.__name__}.{name}": made for name, made in methods if not name.startswith("_")}
    taken = {name for name, made in functions.items() if "progress" in inspect.signature(made).parameters}
    assert taken == {*WHERE, "run_demo"}
    assert all(
        hasattr(functions[name], "__wrapped__") for name in taken if "search" not in name
    )  # small ones do without


@pytest.mark.parametrize("name", WHERE)
def test_true_shows_a_bar_on_a_terminal_and_nothing_elsewhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    title, act = WHERE[name]
    with terminal(monkeypatch) as screen:
        act(True, tmp_path)
    assert "\x1b[" in screen.getvalue()
    if name != "study":  # which names what it measures
        assert title in screen.getvalue()
    with terminal(monkeypatch) as screen:
        for progress in (None, False):
            act(progress, tmp_path)
    assert screen.getvalue() == ""
    act(True, tmp_path)
    assert capsys.readouterr().err == ""
    told: list[Any] = []
    act(lambda *steps: told.append(steps), tmp_path)
    assert told
    for wrong in (1, "yes"):
        with pytest.raises(TypeError, match="progress is True, or a function that is told how far it is"):
            act(wrong, tmp_path)


def test_a_bar_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    @shows_progress("failing")
    def fail(*, progress: Any = None) -> None:
        progress(1, 2)
        raise KeyError("no")

    with terminal(monkeypatch) as screen, pytest.raises(KeyError):
        fail(progress=True)
    assert screen.getvalue().endswith(("\x1b[?25h", "\x1b[2K", "\x1b[1A\x1b[2K"))  # shown again: the cursor
