"""What ``decode`` and ``batch`` share: how a service packs vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import click

from ..dtypes import BASE64_DTYPES, BYTE_ORDERS
from ..profiles import PROFILES, Profile
from .common import Words

_PACKING = (
    click.option("--base64-dtype", type=Words(BASE64_DTYPES), help="Of floats under base64, if not the profile's."),
    click.option("--byte-order", type=Words(BYTE_ORDERS), help="Of the same, if not the profile's."),
    click.option("--rows", help="Where in a body the list of vectors is, if not where the profile has it: a.b.c"),
    click.option("--item", help="Where in an object of that list its vector is; nothing where the list is of vectors."),
    click.option("--ignore-index", is_flag=True, help="Rows are in the order of the inputs, whatever their index."),
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
