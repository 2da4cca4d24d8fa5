"""Imports go one way: a module imports only from layers below its own; heavy things are imported lazily."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import embcodec

PACKAGE = Path(embcodec.__file__).parent

# Lower layers first; a module may import from its own layer's earlier names and from every layer below.
LAYERS = (
    ("errors", "dtypes", "profiles", "scale"),
    ("_native", "jit"),
    ("codec", "codes"),
    ("embeddings",),
    ("storage_arrays", "storage_atomic", "storage_checks", "storage_numpy"),  # files as such
    ("quantize", "lowbit"),
    ("search", "service", "response", "storage"),
    ("index", "batch", "client", "server", "tradeoff", "corpus"),
    ("report", "demo"),
    ("cli", "__main__"),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def family(name: str) -> str:
    """A module `search_x` or `_search` belongs to the layer of `search`."""
    if name in RANK:
        return name
    matches = [known for known in RANK if name.lstrip("_").startswith(known + "_")]
    assert matches, f"{name}.py is in no layer: add it to LAYERS"
    return max(matches, key=len)


def is_ranked(name: str) -> bool:
    """Modules move into packages one package at a time; what has moved is judged when all have."""
    return not (PACKAGE / name).is_dir() or name == "_native"


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the embcodec modules that a file imports, also inside functions (type-checking blocks excepted)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    depth = len(path.relative_to(PACKAGE).parts)
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.ImportFrom):
            if node.level == depth:
                found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
            elif node.level == 0 and node.module and node.module.split(".")[0] == "embcodec":
                found |= {node.module.split(".")[1]} if "." in node.module else set()
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("embcodec.")}
    return {name for name in found if not name.startswith("__") and name != "_kernels"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if top == "__init__":
        return
    if not is_ranked(top):
        return
    own = family(top)
    for name in filter(is_ranked, imported(path)):
        other = family(name)
        assert RANK[other] <= RANK[own], f"{own} may not import {other}: it is above it"


def test_only_the_native_core_imports_the_built_module() -> None:
    importers = [path for path in modules() if "_kernels" in names_of(path)]
    assert [str(path.relative_to(PACKAGE).as_posix()) for path in importers] == ["_native/core.py"]


def names_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_import_stays_light() -> None:
    code = (
        "import sys, embcodec\n"
        "heavy = {'numba', 'httpx2', 'starlette', 'uvicorn', 'matplotlib', 'pyarrow', 'click', 'rich', 'stamina'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_is_there() -> None:
    for name in embcodec.__all__:
        assert getattr(embcodec, name) is not None
    assert dir(embcodec) == sorted([*embcodec.__all__, "__version__"])
