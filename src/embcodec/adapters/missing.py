"""What is said where the library that an adapter is for is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..words import needs_package


@contextmanager
def needed(purpose: str, extra: str) -> Iterator[None]:
    """Name the extra that brings a library where the block cannot import it (ModuleNotFoundError)."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needs_package(purpose, str(error.name), extra), name=error.name) from None
