"""What is said of a body whose vectors lie elsewhere than the profile says: key names, and nothing else of its text."""

from __future__ import annotations

from typing import Any

from .profiles import PROFILES, Profile

_MOST_KEYS, _KEY_LENGTH = 6, 40


def missing_rows(profile: Profile, output_dtype: str, body: dict[str, Any]) -> str:
    """Say where vectors were looked for, what keys are there, and whose body it looks like.

    Parameters
    ----------
    body : dict
        The body; empty where it is no object.
    """
    path = _path(profile, output_dtype)
    words = "no list of embeddings " + (f"at {'.'.join(path)!r}" if path else "as the body")
    if not body:
        remedy = "a body that is itself the list is read with rows='', item=None in the profile"
        return f"{words}: the body is no object, or an empty one; {remedy}" if path else words
    node, depth = _walk(body, path)
    if isinstance(node, dict):
        keys = [repr(key[:_KEY_LENGTH]) for key in node][:_MOST_KEYS]
        more = f" and {len(node) - _MOST_KEYS} more" if len(node) > _MOST_KEYS else ""
        inside = f"{'.'.join(path[:depth])!r}" if depth else "the body"
        words += f": {inside} has the keys {', '.join(keys)}{more}" if keys else f": {inside} has no keys"
    other = next((name for name, known in PROFILES.items() if _fits(known, output_dtype, body)), None)
    if other is not None:
        return f"{words}, as with profile={other!r}"
    if _is_list_of(body.get("embeddings"), list | str):
        return f"{words}; dataclasses.replace(profile, rows='embeddings', item=None) reads such a body"
    return words


def _path(profile: Profile, output_dtype: str) -> list[str]:
    rows = profile.rows.replace("{dtype}", profile.dtype_name(output_dtype))
    return rows.split(".") if rows else []


def _walk(body: dict[str, Any], path: list[str]) -> tuple[Any, int]:
    """Return the deepest object on a path and how many keys lead to it; what the whole path leads to, if there is."""
    node: Any = body
    for depth, key in enumerate(path):
        if not isinstance(node, dict) or key not in node or not isinstance(node[key], dict | list):
            return node, depth
        node = node[key]
    return node, len(path)


def _fits(profile: Profile, output_dtype: str, body: dict[str, Any]) -> bool:
    path = _path(profile, output_dtype)
    node, depth = _walk(body, path)
    return depth == len(path) > 0 and _is_list_of(node, dict if profile.item else list | str)


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], kind)
