"""Objects of JSON from outside, read strictly."""

from __future__ import annotations

import json
from typing import Any


def without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, as an ``object_pairs_hook``; a name that is given twice is a ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name!r} is given twice")
            seen.add(name)
    return found


def is_words(value: Any) -> bool:
    """Whether parsed JSON is an object of texts alone."""
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def parse_words(text: str | bytes) -> dict[str, str] | None:
    """Return an object of texts alone from its JSON; None where the JSON is none of that."""
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return words if is_words(words) else None
