"""What of many lines, rows and files could not be taken: the first is told on standard error, all is counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ..words import counted
from .common import say
from .words import in_options

if TYPE_CHECKING:
    from ..files import Skipped
    from ..wire.batch import BatchLine

_MOST_TOLD = 10  # lines, reasons for them, and rows of each file
_PARTICULARS = re.compile(r"'[^']*'|[0-9]+")  # of a reason that lines have in common


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
            self._first_lines.append(f"{name}, {_told(line)}")

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


def tell_failures(errors: Sequence[BatchLine]) -> None:
    """Print the first lines of a batch file that failed, and of more than that how many failed for which reason."""
    for line in errors[:_MOST_TOLD]:
        say(_told(line), error=True)
    if len(errors) > _MOST_TOLD:
        kinds: dict[str, Counter[str]] = {}
        for reason in map(_reason, errors):
            kinds.setdefault(_PARTICULARS.sub("...", reason), Counter())[reason[:100]] += 1
        counts = Counter(
            {next(iter(some)) if len(some) == 1 else kind[:100]: some.total() for kind, some in kinds.items()}
        )
        told = "; ".join(f"{count} x {_in_options(words)}" for words, count in counts.most_common(_MOST_TOLD))
        others = f"; {len(counts) - _MOST_TOLD} other reasons" if len(counts) > _MOST_TOLD else ""
        say(f"{counted(len(errors), 'line', 'lines')} failed: {told}{others}", error=True)


def _told(line: BatchLine) -> str:
    return f"line {line.line}, {line.custom_id or 'no custom_id'}: {_in_options(_reason(line))}"


def _reason(line: BatchLine) -> str:
    """Return why a line failed, without where that is."""
    return str(getattr(line.error, "reason", line.error))


def _in_options(words: object) -> str:
    """Return words in the options of the command that runs."""
    return in_options(str(words), click.get_current_context().command)
