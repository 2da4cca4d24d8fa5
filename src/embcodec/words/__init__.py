"""Words: of arguments, as they are meant or refused, and of messages, fit for a terminal."""

from .arguments import (
    as_iterable,
    as_path,
    as_real,
    as_whole,
    closest,
    either,
    has_elements,
    meant,
    one_of,
    shown,
    unknown,
)
from .html import html_table
from .missing import import_numba, needs_package
from .objects import is_words, parse_words, without_twins
from .progress import Report, progress_bar, shows_progress
from .text import counted, printable

__all__ = [
    "Report",
    "as_iterable",
    "as_path",
    "as_real",
    "as_whole",
    "closest",
    "counted",
    "either",
    "has_elements",
    "html_table",
    "import_numba",
    "is_words",
    "meant",
    "needs_package",
    "one_of",
    "parse_words",
    "printable",
    "progress_bar",
    "shown",
    "shows_progress",
    "unknown",
    "without_twins",
]
