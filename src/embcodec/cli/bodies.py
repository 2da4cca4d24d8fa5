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
    click.option(
        "--base64-dtype",
        type=Words(BASE64_DTYPES),
        help="What floats in base64 are made of, if not of what the profile says.",
    ),
    click.option("--byte-order", type=Words(BYTE_ORDERS), help="Their byte order, if not the profile's."),
    click.option("--rows", help="Where in a body the list of vectors is, if not where the profile has it: a.b.c"),
    click.option("--item", help="Where in an object of that list its vector is; nothing where the list is of vectors."),
    click.option("--bits-as-numbers", is_flag=True, help="Bits come as 0 and 1, a number a dimension, and not packed."),
    click.option("--ignore-index", is_flag=True, help="Rows are in the order of the inputs, whatever their index."),
)


def packing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that change a profile."""
    for option in reversed(_PACKING):
        command = option(command)
    return command


def profile_option(whose: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that names a profile; the help says whose it is, and which there are."""
    known = ", ".join(sorted(PROFILES))
    return click.option(
        "--profile",
        type=Words(sorted(PROFILES)),
        metavar="NAME",
        default="mistral",
        show_default=True,
        help=f"{whose}: {known}.",
    )


def changed_profile(name: str, **changes: Any) -> Profile:
    """Return a profile with the changes that were asked for."""
    known = {field.name for field in fields(Profile)}
    said = {key: value for key, value in changes.items() if key in known and value not in (None, False)}
    if said.get("item") == "":
        said["item"] = None
    return replace(PROFILES[name], **said)
