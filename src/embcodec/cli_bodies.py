"""What ``decode`` and ``batch`` share: how a service packs vectors, and errors in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

import click

from .errors import DecodeError
from .profiles import PROFILES, Profile

_FORMS = ("float32", "float64", "float16", "bfloat16", "fp8_e4m3", "fp8_e5m2")
_PACKING = (
    click.option("--base64-dtype", type=click.Choice(_FORMS), help="Of floats under base64, if not the profile's."),
    click.option("--byte-order", type=click.Choice(["little", "big"]), help="Of the same, if not the profile's."),
    click.option("--rows", help="Where in a body the list of vectors is, if not where the profile has it: a.b.c"),
    click.option("--item", help="Where in an object of that list its vector is; nothing where the list is of vectors."),
    click.option("--ignore-index", is_flag=True, help="Rows are in the order of the inputs, whatever their index."),
)
_WORDS = (
    (r"a profile with (\w+='\w+') or '(\w+)'", r"\1 or '\2'"),
    (r"dataclasses\.replace\(profile, ([^)]*)\)", r"\1"),
    (r",? in the profile", ""),
    (r"\boutput_dtype='(\w+)'", r"--dtype \1"),
    (r"\bbase64_dtype='(\w+)'", r"--base64-dtype \1"),
    (r"\bbyte_order='(\w+)'", r"--byte-order \1"),
    (r"\brows='([^']*)', item=None", r"--rows '\1' --item ''"),
    (r"\brows='([^']*)', item='([^']*)'", r"--rows '\1' --item \2"),
    (r"\bignore_index=True", "--ignore-index"),
    (r"\bprofile='([\w.-]+)'", r"--profile \1"),
    (r"decode_batch\(path\)", "embcodec batch"),
    (r"\bdecode_response\b", "embcodec decode"),
)


def packing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that change a profile."""
    for option in reversed(_PACKING):
        command = option(command)
    return command


def changed_profile(name: str, **changes: Any) -> Profile:
    """Return a profile with the changes that were asked for."""
    known = {field.name for field in fields(Profile)}
    said = {key: value for key, value in changes.items() if key in known and value not in (None, False)}
    if said.get("item") == "":
        said["item"] = None
    return replace(PROFILES[name], **said)


@contextmanager
def in_words_of_options() -> Iterator[None]:
    """Turn the arguments of Python that an error names into the command's options."""
    try:
        yield
    except DecodeError as error:
        raise DecodeError(as_options(error.reason), offset=error.offset, row=error.row, line=error.line) from None


def as_options(words: str) -> str:
    """Return what an error says with options in place of arguments.

    Examples
    --------
    >>> as_options("say output_dtype='int8'")
    'say --dtype int8'
    """
    for pattern, option in _WORDS:
        words = re.sub(pattern, option, words)
    return words
