"""Text of messages: words from outside, made fit for a terminal or a log, and numbers with their nouns."""

from __future__ import annotations

import re

# Everything that moves a cursor, colours, clears, rewrites a title or turns the direction of writing, and what no UTF-8
# can carry. Line breaks and tabs are left to whoever lays the text out.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return `text` with its control characters as escapes: a terminal shows them, and obeys none.

    Whatever comes from a service or a file goes through here on its way into a message or onto a screen.

    Examples
    --------
    >>> print(printable("no such model \x1b[2J\u202egpj"))
    no such model \x1b[2J\u202egpj
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "query", "queries"), counted(2000, "query", "queries")
    ('1 query', '2,000 queries')
    """
    return f"{number:,} {one if number == 1 else many}"
