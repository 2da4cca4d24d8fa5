"""What of many files cannot be read, passed over and told: whole files, and rows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...codec import warn_of
from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...errors import NotFiniteError, SkippedWarning, row_of
from ...quantizers.lowbit import Rows
from ...words import counted, shown
from .cluster import ClusterError

Ids = NDArray[np.int64] | Sequence[str | None] | None
"""Whole numbers or texts, one a row; None where none were asked for."""

_MOST_TOLD = 3  # named in a warning; the others are counted
T = TypeVar("T")


class Skipped(NamedTuple):
    """A file, a row or a line that was passed over.

    Attributes
    ----------
    name : str
        The path of the file, or its URL.
    row : int or None
        Of the file, from 0.
    line : int or None
        Of a batch file, from 1. Where this and `row` are None, the file could not be read, or not be read on.
    error : Exception
        Why.
    """

    name: str
    row: int | None
    line: int | None
    error: Exception

    def __str__(self) -> str:
        """Return it in a line."""
        text = str(self.error)
        if self.name in text:
            return text
        places = [f"{what} {number}" for what, number in (("row", self.row), ("line", self.line)) if number is not None]
        return ": ".join([self.name, *(place for place in places if place not in text), text])


OnError = Literal["raise", "skip"] | Callable[[Skipped], object]


class Skips:
    """Who hears of what is passed over, and how much that was.

    Attributes
    ----------
    files, rows, lines : int
    """

    def __init__(self, told: Callable[[Skipped], object] | None) -> None:
        self._told = told
        self._first: list[Skipped] = []
        self.files = self.rows = self.lines = 0

    def add(self, name: str, error: Exception, *, row: int | None = None, line: int | None = None) -> None:
        """Note a file, a row or a line of it."""
        some = Skipped(name, row, line, error)
        self.rows += row is not None
        self.lines += line is not None
        self.files += row is None and line is None
        if self._told is not None:
            self._told(some)
        elif len(self._first) < _MOST_TOLD:
            self._first.append(some)

    def warn(self) -> None:
        """Warn, at the end, of what nobody was told of."""
        if self._first:
            more = " ..." if self.files + self.rows + self.lines > len(self._first) else ""
            warn_of(f"skipped {self}: {'; '.join(map(str, self._first))}{more}", SkippedWarning)

    def __str__(self) -> str:
        """Return how much was passed over."""
        counts = ((self.files, "file"), (self.rows, "row"), (self.lines, "line"))
        return ", ".join(counted(count, what, f"{what}s") for count, what in counts if count)


def skips_of(on_error: OnError) -> Skips | None:
    """Return who hears of what is passed over; None where errors are raised.

    Raises
    ------
    ValueError
    """
    if callable(on_error):
        return Skips(on_error)
    if isinstance(on_error, str) and on_error in ("raise", "skip"):
        return Skips(None) if on_error == "skip" else None
    raise ValueError(f"on_error is 'raise', 'skip' or a function that is told what is skipped, not {shown(on_error)}")


def is_about_data(error: Exception) -> bool:
    """Whether an error is one of the file that is read, not of how it is asked for."""
    return not isinstance(error, TypeError | MemoryError | ClusterError)


def good_parts(count: int, read: Callable[[int, int], T]) -> Iterator[tuple[int, T | Exception]]:
    """Yield what `read` makes of rows 0 to `count`, in as few parts as go without an error, and the errors of others.

    Parameters
    ----------
    count : int
    read : callable
        Of the first row and the one behind the last.

    Yields
    ------
    tuple of the first row, and what was read, or the error of that row
    """
    left = [(0, count)]
    while left:
        first, stop = left.pop()
        try:
            yield first, read(first, stop)
        except ValueError as error:
            if stop - first == count and row_of(error) is None:
                raise
            if stop - first == 1:
                yield first, error
            else:
                half = (first + stop) // 2
                left += [(half, stop), (first, half)]


def finite_rows_of(rows: Rows, name: str, first: int, skips: Skips) -> NDArray[np.intp] | None:
    """Return which rows are without NaN and infinity (None: all).

    Parameters
    ----------
    rows : Embeddings or LowBitCodes
    name : str
        The file's.
    first : int
        Which row of the file is the first.
    skips : Skips
        Hears of the others.
    """
    if not isinstance(rows, Embeddings) or rows.output_dtype is not OutputDtype.FLOAT:
        return None
    bad = ~np.isfinite(rows.values).all(axis=1)
    if not bad.any():
        return None
    for row in np.flatnonzero(bad).tolist():
        column = int(np.argmin(np.isfinite(rows.values[row])))
        value = float(rows.values[row, column])
        skips.add(name, NotFiniteError(first + row, column, value, name), row=first + row)
    return np.flatnonzero(~bad)


def chosen_ids(ids: Ids, kept: NDArray[np.intp]) -> Ids:
    """Return the ids of some rows."""
    if ids is None or isinstance(ids, np.ndarray):
        return None if ids is None else ids[kept]
    return [ids[row] for row in kept.tolist()]
