"""What a report of an error could show."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any


def pieces(value: Any, depth: int = 4) -> Iterator[str]:
    """Yield all text that a report could print of `value`: its repr, and those of its attributes and items."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray):
        yield bytes(value).decode("latin-1")
    if depth == 0 or isinstance(value, ModuleType | FunctionType | type | str | bytes | int | float):
        return
    yield repr(value)
    if isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inside = list(value)
    else:
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        names = [f"_{type(value).__name__.lstrip('_')}{name}" if name.startswith("__") else name for name in slots]
        inside = [getattr(value, name, None) for name in [*getattr(value, "__dict__", ()), *names]]
    for one in inside:
        yield from pieces(one, depth - 1)
