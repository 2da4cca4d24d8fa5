"""Small tables for notebooks: every text escaped, no colours of their own, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .text import printable


def html_table(caption: str, rows: Iterable[Sequence[object]], header: Sequence[object] = ()) -> str:
    """Return a table.

    Examples
    --------
    >>> html_table("a & b", [("<i>", 1)])
    '<table><caption>a &amp; b</caption><tbody><tr><td>&lt;i&gt;</td><td>1</td></tr></tbody></table>'
    """
    head = f"<thead>{_row('th', header)}</thead>" if header else ""
    body = "".join(_row("td", row) for row in rows)
    return f"<table><caption>{_safe(caption)}</caption>{head}<tbody>{body}</tbody></table>"


def _row(tag: str, cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_safe(cell)}</{tag}>' for cell in cells)}</tr>"


def _safe(cell: object) -> str:
    from html import escape  # whose table of entities no decoder needs

    return escape(printable(str(cell)))
