"""Real text that every machine has: the docstrings of the Python standard library and of NumPy.

A docstring's first paragraph is a query, the rest of it the document that the query should find: pairs with a known
answer, read from source files by their syntax trees, so that no module is imported.
"""

from __future__ import annotations

import ast
import functools
import gc
import hashlib
import importlib.util
import inspect
import os
import re
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..words import as_whole

_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "encodings", "__pycache__"}
_QUERY_LENGTH = (15, 300)
_DOCUMENT_LENGTH = (80, 700)
_SIGNATURE = re.compile(r"^[\w.\[\], ]*\(.*\)( *-> *.*)?$")
_SPACES = re.compile(r"\s+")
_RULE = re.compile(r"[-=~]{3,}")


@dataclass(frozen=True)
class Pair:
    """A query and the one document known to answer it.

    Attributes
    ----------
    name : str
        Whose docstring it is, ``numpy.linalg._linalg.norm``.
    query : str
        Its first paragraph.
    document : str
        What follows, in one line, cut at a word; it does not contain the query.
    """

    name: str
    query: str
    document: str


def docstring_pairs(limit: int | None = None) -> list[Pair]:
    """Return pairs of the standard library's and NumPy's docstrings.

    The order is that of a hash of the names: it looks random, so that a part is a fair sample, and is the same
    every time. No query and no document comes twice.

    Parameters
    ----------
    limit : int, optional
        At most so many; by default all, some 3,000.

    Examples
    --------
    >>> pair = docstring_pairs(limit=1)[0]
    >>> pair.query in pair.document
    False
    """
    return list(_all_pairs()[: None if limit is None else as_whole(limit, "limit")])


@functools.cache
def _all_pairs() -> tuple[Pair, ...]:
    queries: set[str] = set()
    documents: set[str] = set()
    pairs = []
    with _no_collections():
        found = set(_docstrings())
    for name, docstring in sorted(found, key=_place):
        pair = _split(name, docstring)
        if pair is None or pair.query.lower() in queries or pair.document[:200] in documents:
            continue
        queries.add(pair.query.lower())
        documents.add(pair.document[:200])
        pairs.append(pair)
    return tuple(pairs)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Spare the search for cycles, a fifth of the time: syntax trees are millions of objects and have none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _place(entry: tuple[str, str]) -> tuple[bytes, tuple[str, str]]:
    return hashlib.sha256(entry[0].encode()).digest(), entry


def _split(name: str, docstring: str) -> Pair | None:
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", inspect.cleandoc(docstring))]
    while paragraphs and _SIGNATURE.match(_plain(paragraphs[0])):  # compiled functions begin with their signature
        del paragraphs[0]
    if len(paragraphs) < 2:
        return None
    query, document = _plain(paragraphs[0]), _plain(" ".join(paragraphs[1:]))
    shortest, longest = _DOCUMENT_LENGTH
    if not _QUERY_LENGTH[0] <= len(query) <= _QUERY_LENGTH[1] or len(document) < shortest:
        return None
    if len(document) > longest:
        document = document[:longest].rpartition(" ")[0]
    if query.rstrip(".").lower() in document.lower() or len(query.split()) < 3:
        return None
    return Pair(name, query, document)


def _plain(text: str) -> str:
    return _SPACES.sub(" ", _RULE.sub(" ", text)).strip()


def _docstrings() -> Iterator[tuple[str, str]]:
    for root, prefix in _roots():
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(set(folders) - _SKIPPED)
            for file in sorted(name for name in files if name.endswith(".py")):
                path = Path(folder, file)
                inner = path.relative_to(root)
                parts = [part for part in inner.with_suffix("").parts if part != "__init__"]
                tree = _parse(path)
                if tree is not None:
                    yield from _walk(tree, ".".join([*prefix, *parts]) or "python")


def _parse(path: Path) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in other people's strings
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return None


def _roots() -> Iterator[tuple[Path, tuple[str, ...]]]:
    yield Path(sysconfig.get_path("stdlib")), ()
    found = importlib.util.find_spec("numpy")
    if found is not None and found.origin is not None:
        yield Path(found.origin).parent, ("numpy",)


def _walk(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        docstring = ast.get_docstring(node, clean=False)
        if docstring:
            yield name, docstring
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _walk(child, f"{name}.{child.name}")
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield from _added(child.value)
        elif isinstance(child, ast.If | ast.Try):
            yield from _walk(child, name)


def _added(call: ast.Call) -> Iterator[tuple[str, str]]:
    """Yield the docstrings that NumPy gives its compiled functions: ``add_newdoc(place, name, text)``."""
    if not isinstance(call.func, ast.Name) or call.func.id not in ("add_newdoc", "add_docstring"):
        return
    if len(call.args) != 3:
        return
    try:
        place, name, text = (ast.literal_eval(argument) for argument in call.args)
    except ValueError:  # put together at run time
        return
    for member, docstring in [text] if isinstance(text, tuple) else [("", text)]:
        if isinstance(docstring, str):
            yield f"{place}.{name}.{member}".rstrip("."), docstring
