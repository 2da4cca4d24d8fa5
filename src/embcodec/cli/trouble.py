"""What of many files could not be taken: the first of it is told on standard error, all of it is counted."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import click

from .common import say
from .words import in_options

if TYPE_CHECKING:
    from ..files import Skipped
    from ..wire.batch import BatchLine

_MOST_TOLD = 10  # lines, and rows of each file


class Trouble:
    """Lines that hold no embeddings, and the files and rows that were passed over.

    Attributes
    ----------
    failed : int
        How many such lines there were.
    skipped : list of Skipped
    """

    failed: int
    skipped: list[Skipped]

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what was heard, of files that are read again."""
        self.failed, self.skipped = 0, []
        self._first_lines: list[str] = []

    def note(self, name: str, line: BatchLine) -> None:
        """Hear of a line of the file `name`."""
        self.failed += 1
        if len(self._first_lines) < _MOST_TOLD:
            error = _in_options(getattr(line.error, "reason", line.error))
            self._first_lines.append(f"{name}, line {line.line}, {line.custom_id or 'no custom_id'}: {error}")

    def skip(self, one: Skipped) -> None:
        """Hear of a file, or a row of one, that is passed over."""
        self.skipped.append(one)

    @property
    def rows(self) -> int:
        """How many rows were passed over."""
        return sum(one.row is not None for one in self.skipped)

    @property
    def files(self) -> int:
        """How many files were passed over, or the rest of them."""
        return len(self.skipped) - self.rows

    def tell(self) -> None:
        """Print it: the first lines, all files, and of each file the first rows."""
        for text in self._first_lines:
            say(text, error=True)
        if self.failed > _MOST_TOLD:
            say(f"... {self.failed:,} lines failed", error=True)
        for name, group in groupby(self.skipped, lambda one: one.name):
            some = list(group)
            rows = [one for one in some if one.row is not None]
            for one in [*rows[:_MOST_TOLD], *(one for one in some if one.row is None)]:
                say(f"skipped {_in_options(one)}", error=True)
            if len(rows) > _MOST_TOLD:
                say(f"... {len(rows):,} rows of {name} were skipped", error=True)


def _in_options(words: object) -> str:
    """Return words in the options of the command that runs."""
    return in_options(str(words), click.get_current_context().command)
