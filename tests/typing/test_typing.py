"""The face as type checkers see it: no name is Any to them, each word is a word, and what is wrong is refused."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import typing
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
from paths import ROOT

import embcodec
from embcodec import dtypes, profile
from embcodec.containers import FLOAT_DTYPES
from embcodec.files.exchange import pgvector

HERE = Path(__file__).parent

# Where nothing better than Any can be said, and why.
ANY = {
    "encode_batch.record_batch": "of pyarrow, an optional package without types",
    "encode_batch.return": "of pyarrow, an optional package without types",
    "Collection.ingest.scheduler": "of dask, an optional package",
    "Collection.search.scheduler": "of dask, an optional package",
    "CopiedRows.ids.return": "an array or a list, as the column is",
    "Embeddings.__dlpack__.options": "NumPy's, and those of DLPack's to come",
    "EmbcodecError.partial": "what a client has got by then, of a class that stands above errors",
    "from_faiss.index": "of Faiss, an optional package without types",
    "Study.to_frame.return": "of pandas or polars, optional packages",
    "Study.plot.ax": "of matplotlib, an optional package",
    "Study.plot.return": "of matplotlib, an optional package",
    "from_arrow.column": "of pyarrow, an optional package without types",
    "to_arrow.return": "of pyarrow, an optional package without types",
}


@pytest.mark.long  # `make lint` asks mypy the same of the same files
def test_mypy_takes_what_is_right_and_refuses_each_call_that_is_wrong() -> None:
    pytest.importorskip("mypy")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"  # whose syntax the stubs of NumPy may have
    files = [str(HERE / name) for name in ("right.py", "wrong.py")]
    command = [sys.executable, "-m", "mypy", "--python-version", version, *files]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_public_name_is_tried() -> None:
    assert sorted(imports_of(ast.parse((HERE / "right.py").read_text(encoding="utf-8")))["embcodec"]) == sorted(
        embcodec.__all__
    )


def test_names_that_come_late_are_imported_for_checkers() -> None:
    tree = ast.parse(Path(embcodec.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    late = {name: module for module, names in imports_of(block).items() for name in names}
    assert late == embcodec._LAZY
    at_once = {name for module, names in imports_of(tree).items() for name in names if module not in FOREIGN}
    assert sorted({*at_once, *late} - {"__version__"}) == sorted(embcodec.__all__)


FOREIGN = {"__future__", "importlib", "typing"}


def imports_of(tree: ast.Module | ast.If) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found.setdefault(node.module or "", []).extend(alias.name for alias in node.names)
    return found


def test_a_star_brings_every_name_and_no_other() -> None:
    names: dict[str, Any] = {}
    exec("from embcodec import *", names)
    assert sorted(set(names) - {"__builtins__"}) == sorted(embcodec.__all__)


def test_nothing_public_is_any_that_need_not_be() -> None:
    assert {place for place, hint in hints() if hint is Any} == set(ANY)


def test_everything_public_has_its_types() -> None:
    bare = []
    for place, function in functions():
        kept = set(typing.get_type_hints(function))
        names = {name for name in inspect.signature(function).parameters if name not in ("self", "cls")}
        bare += [f"{place}.{name}" for name in sorted({*names, "return"} - kept)]
    assert not bare


def test_attributes_that_are_set_are_declared() -> None:
    """What an `__init__` alone tells, checkers may take for different things."""
    for cls in {cls for name in embcodec.__all__ if inspect.isclass(cls := getattr(embcodec, name))}:
        tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(cls)))
        targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
        stored = [node for target in targets for node in ast.walk(target) if isinstance(node, ast.Attribute)]
        names = {node.attr for node in stored if ast.unparse(node.value) == "self"}
        assert {name for name in names if not name.startswith("_")} <= set(inspect.get_annotations(cls)), cls


def hints() -> Iterator[tuple[str, Any]]:
    """Yield each attribute, parameter and result of what is public, with what it is said to be."""
    for name in embcodec.__all__:
        found = getattr(embcodec, name)
        if inspect.isclass(found):
            for attribute in inspect.get_annotations(found):
                yield f"{name}.{attribute}", typing.get_type_hints(found)[attribute]
    for place, function in functions():
        for name, hint in typing.get_type_hints(function).items():
            yield f"{place}.{name}", hint


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public functions and methods that stand in the sources, and the variants of those that have some."""
    for name in embcodec.__all__:
        found = getattr(embcodec, name)
        if not inspect.isclass(found):
            if callable(found):
                yield from variants(name, found)
            continue
        for cls in found.__mro__:
            if cls.__module__.startswith("embcodec"):
                for member in vars(cls).values():
                    yield from variants(name, member)


def variants(place: str, member: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    inner = member.fget if isinstance(member, property) else getattr(member, "func", member)
    function = getattr(inner, "__func__", inner)  # of a class method
    if not inspect.isfunction(function) or not written(function):
        return
    name = f"{place}.{function.__name__}" if inspect.isclass(getattr(embcodec, place)) else place
    if function.__name__.startswith("_") and not function.__name__.endswith("__"):
        return
    for variant in [function, *typing.get_overloads(function)]:
        yield name, variant


def written(function: Callable[..., Any]) -> bool:
    """Whether a function stands in a file of the package, and is not made by a decorator of a class."""
    file = inspect.getsourcefile(function)
    return file is not None and Path(file).is_relative_to(Path(embcodec.__file__).parent)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (embcodec.OutputDtype, dtypes.OutputDtypeName),
        (embcodec.EncodingFormat, dtypes.EncodingName),
        (FLOAT_DTYPES, dtypes.NamelessFloat),
        (pgvector._ITEMS, dtypes.PgvectorKind),
    ],
    ids=["OutputDtype", "EncodingFormat", "FLOAT_DTYPES", "pgvector"],
)
def test_words_that_stand_twice_are_the_same(members: type[StrEnum] | dict[str, Any], words: Any) -> None:
    assert tuple(map(str, members)) == get_args(words)


def test_each_choice_of_a_profile_is_held_to() -> None:
    literal = {
        name
        for name, hint in typing.get_type_hints(embcodec.Profile).items()
        if typing.get_origin(hint) is typing.Literal
    }
    assert literal == set(profile._CHOICES)
    for name in literal:
        with pytest.raises(ValueError, match=f"^{name} is one of "):
            embcodec.Profile("mine", **{name: "no such word"})
