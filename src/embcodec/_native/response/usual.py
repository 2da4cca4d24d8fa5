"""The usual answer to one input becomes a matrix of one row and notes on what stands around it, in one call of C."""

from __future__ import annotations

from itertools import permutations
from typing import Any
from weakref import WeakKeyDictionary

from ..core import ffi, lib

read_usual = lib.ec_response_read_usual
_KEPT: WeakKeyDictionary[Any, object] = WeakKeyDictionary()  # what forms point to
_FORM = ffi.typeof("ec_usual_form *")
_KEYS = {
    lib.EC_USAGE_PROMPT: "prompt_tokens",
    lib.EC_USAGE_COMPLETION: "completion_tokens",
    lib.EC_USAGE_TOTAL: "total_tokens",
}


def _digits(keys: tuple[int, ...]) -> int:
    number = 0
    for key in keys:
        number = number * lib.EC_USAGE_BASE + key
    return number


NO_USAGE: int = lib.EC_USAGE_NONE
# The names that a usage has, by the number that stands for them and their order.
USAGE_KEYS = {
    _digits(keys): tuple(_KEYS[key] for key in keys) for count in range(4) for keys in permutations(_KEYS, count)
}


def usual_form(names: bytes, expected: tuple[int, Any, int]) -> Any:
    """Return what :data:`read_usual` is asked for: the keys, and a row's width, form and payload; keeps these alive."""
    _, form, asked = expected
    kept = ffi.from_buffer(names)
    made = ffi.new(_FORM, (kept, form, asked))
    _KEPT[made] = kept, form
    return made
