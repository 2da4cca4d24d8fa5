"""Every argument of every public function, as everything else: taken, or refused in words of the package's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ours import is_ours

from embcodec import EmbcodecError

pytest.importorskip("pyarrow")
pytest.importorskip("polars")
pytest.importorskip("pandas")

from odd_calls import calls, odd, write_files

AT_A_TIME = 6
"""How many of the odd values an argument is, chosen by turns; all of them in the long test."""
BY_KEY = {"BatchResult.in_order", "Collection.ids_of", "Collection.remove", "FlatIndex.remove"}
"""Whose documented error for what is not there is a KeyError."""

TAKEN = {("progress", "a class"), ("texts", "a word")}
"""What is taken, and does what it is asked to: calls a class, asks a service."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("odd")
    write_files(made)
    return made


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some values are names of files, which are written."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def known(folder: Path) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return calls(folder)


def tried(name: str, call: Any, values: dict[str, Callable[[], Any]], most: int, start: int) -> Iterator[str]:
    """Yield what is wrong with how a call meets some values in the place of each of its arguments."""
    function, arguments = call
    names = list(values)
    for place, argument in enumerate(arguments()):
        for turn in range(most):
            value = names[(start + 17 * place + turn * (len(names) // most or 1)) % len(names)]
            if (argument, value) in TAKEN:
                continue
            given = {**arguments(), argument: values[value]()}
            try:
                function(**given)
            except (EmbcodecError, OSError):
                continue
            except KeyError as error:
                if name not in BY_KEY:
                    yield f"{name}({argument}={value}): {error!r}"
            except Exception as error:
                if not (isinstance(error, TypeError | ValueError) and is_ours(error)):
                    yield f"{name}({argument}={value}): {error!r}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(4))
def test_every_argument_is_taken_or_refused(folder: Path, known: dict[str, Any], part: int) -> None:
    values = odd(folder)
    wrong = [
        fault
        for number, (name, call) in enumerate(known.items())
        if number % 4 == part
        for fault in tried(name, call, values, AT_A_TIME, 7 * number)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_every_argument_as_everything(folder: Path, known: dict[str, Any]) -> None:
    values = odd(folder)
    wrong = [fault for name, call in known.items() for fault in tried(name, call, values, len(values), 0)]
    assert not wrong, "\n".join(wrong)
