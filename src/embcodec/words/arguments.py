"""Arguments that are words, numbers and paths: taken as they are meant, or refused by name with what is allowed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import numpy as np

from .synonyms import synonym_among

_MOST = 60  # characters of a value that are shown


Word = TypeVar("Word", bound=str)


def shown(value: Any) -> str:
    """Return a value in few words: its repr where that is short, else what it is."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} {value.shape}"
    try:
        text = repr(value)
    except Exception:  # an object's own fault, which says nothing of what is wrong with it here
        text = ""
    return text if 0 < len(text) <= _MOST else f"a {type(value).__name__}"


def either(choices: Collection[str]) -> str:
    """Return choices as an enumeration: 'a', 'b' or 'c'."""
    *first, last = map(repr, map(str, choices))
    return f"{', '.join(first)} or {last}" if first else last


def one_of(value: Any, choices: Collection[Word], name: str) -> Word:
    """Return `value`, which is one of a few words; anything else is a ValueError."""
    if isinstance(value, str) and value in choices:
        return value  # type: ignore[return-value]  # a Word, which `in` does not tell checkers
    raise ValueError(f"{name} is {either(choices)}, not {shown(value)}{meant(value, choices)}")


def meant(value: Any, choices: Collection[str]) -> str:
    """Return a question for the known word that an unknown one is like, or that others call so, if there is one."""
    word = closest(value, list(map(str, choices))) if isinstance(value, str) else None
    return f"; did you mean {word!r}?" if word is not None else ""


def closest(word: str, choices: Collection[str], cutoff: float = 0.8) -> str | None:
    """Return the one of some words that `word` is another name of, or like; None if none is."""
    found = synonym_among(word, choices)
    return found or next(iter(get_close_matches(word.lower(), choices, 1, cutoff)), None)


def unknown(
    kind: str, value: Any, choices: Collection[str], *, more: str = "", remedy: str | None = None
) -> ValueError:
    """Return the error for a word that is none of those known: what is, and which may be meant, or a `remedy`."""
    known = ", ".join(map(repr, map(str, choices)))
    way = meant(value, choices) if remedy is None else f"; {remedy}"
    return ValueError(f"unknown {kind} {shown(value)}; known are {known}{more}{way}")


def as_real(value: Any, name: str) -> float:
    """Return a real number as a float; what is none is a TypeError."""
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    raise TypeError(f"{name} is a number, not {shown(value)}")


def as_whole(value: Any, name: str, least: int = 0) -> int:
    """Return a whole number of at least `least` as an int: other things are a TypeError, smaller ones a ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is a whole number, not {shown(value)}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return int(value)


def as_iterable(values: Any, name: str, what: str) -> Iterable[Any]:
    """Return what can be gone through; one text, a mapping and what cannot are a TypeError that says `what` to give."""
    if isinstance(values, str | bytes | Mapping | type) or not has_elements(values):
        raise TypeError(f"{name} are {what}, as a list, not {shown(values)}")
    found: Iterable[Any] = values.to_pylist() if hasattr(values, "to_pylist") else values  # Arrow's scalars are no str
    return found


def has_elements(values: Any) -> bool:
    """Whether one can go through `values`; an array of no axes, say, is iterable by its type alone."""
    try:
        iter(values)
    except Exception:  # of a matrix by the buffer protocol it is a NotImplementedError
        return False
    return not (isinstance(values, memoryview) and values.ndim != 1)


def as_path(path: Any, name: str = "path") -> str:
    """Return a path as a str. A number, which the system would take for an open file, is a TypeError like the rest."""
    if isinstance(path, str | os.PathLike):
        text = _text_of_path(path, name)
        if "\0" in text:
            raise ValueError(f"{name} has a character 0, which no path has: {shown(text)}")
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            raise ValueError(f"{name} has half of a surrogate pair, which no path has: {shown(text)}") from None
        return text
    raise TypeError(f"{name} is the path of a file, a str or os.PathLike, not {shown(path)}")


def _text_of_path(path: str | os.PathLike[str], name: str) -> str:
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise TypeError(f"{name} is the path of a file: {error}") from None
