"""Texts to requests: within a service's limits, and always cut alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..words import has_elements
from .order import Order

_BYTES_A_TOKEN = 3  # cautious: most text has four or more; a service that counts otherwise makes the batch be halved


@dataclass(frozen=True, slots=True)
class Batch:
    """The texts of one request; `rows` is where they stand among all."""

    rows: range
    texts: Sequence[str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What tells this request from every other: a hash of its body."""
        return hashlib.blake2b(self.body, digest_size=16).digest()


def as_texts(texts: Any) -> Iterable[str]:
    """Return what users pass for texts as an iterable of them, a single one too; anything else is a TypeError."""
    if isinstance(texts, str):
        return (texts,)
    if hasattr(texts, "to_pylist"):  # a column of Arrow, whose scalars are no strings
        return texts.to_pylist()  # type: ignore[no-any-return]
    if not has_elements(texts) or isinstance(texts, Mapping | set | frozenset | bytes | bytearray):
        kind = "None" if texts is None else f"a {type(texts).__name__}"
        raise TypeError(f"texts are strings in an order, as a list has them, not {kind}")
    found: Iterable[str] = texts
    return found


def utf8_length(text: Any, position: int) -> int:
    """Return the bytes of the text at a position; what is no text, or no Unicode text, is refused by it."""
    if not isinstance(text, str):
        raise TypeError(f"text {position} is {type(text).__name__}, not str")
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"text {position} has a lone surrogate: it is no Unicode text") from None


def split_texts(texts: Iterable[str], order: Order) -> Iterator[Batch]:
    """Cut `texts` into requests within the profile's limits of number and (estimated) tokens.

    The cut depends on the texts alone, so that the same texts give the same requests again.

    Raises
    ------
    TypeError, ValueError
        For what is no text, or no Unicode text; the position is named.
    """
    profile = order.settings.profile
    budget = float("inf") if profile.max_tokens is None else profile.max_tokens
    start, tokens, held = 0, 0, list[str]()
    for position, text in enumerate(texts):
        cost = 1 + utf8_length(text, position) // _BYTES_A_TOKEN
        if held and (len(held) == profile.max_inputs or tokens + cost > budget):
            yield _make_batch(start, held, order)
            start, tokens, held = position, 0, []
        held.append(text)
        tokens += cost
    if held:
        yield _make_batch(start, held, order)


def recast(batch: Batch, order: Order) -> Batch:
    """Return the request for the same texts in the words of another order."""
    return _make_batch(batch.rows.start, batch.texts, order)


def halves(batch: Batch, order: Order) -> tuple[Batch, Batch]:
    """Return two requests for what was one."""
    start, middle = batch.rows.start, len(batch.texts) // 2
    return _make_batch(start, batch.texts[:middle], order), _make_batch(start + middle, batch.texts[middle:], order)


def _make_batch(start: int, texts: Sequence[str], order: Order) -> Batch:
    return Batch(range(start, start + len(texts)), texts, order.body(texts))
