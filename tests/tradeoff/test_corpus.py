"""The docstring corpus: enough pairs, each with a known answer, the same every time."""

from __future__ import annotations

import os
import subprocess
import sys

from embcodec.tradeoff.corpus import docstring_pairs


def test_pairs_are_many_and_distinct() -> None:
    pairs = docstring_pairs()
    assert len(pairs) >= 2000
    assert len({pair.query for pair in pairs}) == len({pair.document for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert 15 <= len(pair.query) <= 300
        assert 60 <= len(pair.document) <= 700
        assert pair.query not in pair.document
        assert "\n" not in pair.query + pair.document
    sources = {pair.name.partition(".")[0] for pair in pairs}
    assert {"numpy", "asyncio", "email"} <= sources


def test_a_part_is_the_beginning_of_the_whole() -> None:
    assert docstring_pairs(limit=40) == docstring_pairs()[:40]
    assert docstring_pairs(limit=0) == []


SOME = """
import sys, sysconfig
from importlib.util import find_spec
from pathlib import Path
from embcodec.tradeoff import corpus
library, numpy = Path(sysconfig.get_path("stdlib")), Path(find_spec("numpy").origin).parent
corpus._roots = lambda: [(library / "asyncio", ("asyncio",)), (library / "tkinter", ("tkinter",)),
                         (numpy / "ma", ("numpy", "ma"))]
names = [pair.name for pair in corpus.docstring_pairs(limit=100)]
loaded = {"tkinter", "asyncio", "numpy.ma"} & set(sys.modules)
"""


def test_another_process_finds_the_same_and_imports_nothing() -> None:
    """Of a few packages alone: to read all takes seconds."""
    found = []
    for seed in ("1", "2"):
        code = SOME + "print(names)\nprint(loaded)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        names, loaded = done.stdout.splitlines()
        assert loaded == "set()"
        found.append(names)
    assert found[0] == found[1]
    assert found[0].count("asyncio.") > 20
    assert found[0].count("numpy.ma.") > 20
