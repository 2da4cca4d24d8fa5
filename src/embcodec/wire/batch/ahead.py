"""Parts of a file of lines, read and parsed ahead of who puts them together, on several threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native.response.lines import LineReader
from ..._native.threads import hire

PART = 1 << 20  # bytes of a file: with its rows about what L2 holds; half of it is slower
MOST_LINE = 1 << 21  # a line of more is worth all threads by itself
_LINES = (
    2  # that a part has at least: one that ends in the next is read for both, and left where that is by half a part
)
_MARGIN = 1 << 15  # bytes that are read behind a part at once, for the rest of its last line
CAN = hasattr(os, "preadv")


@dataclass(slots=True)
class Part:
    """Whole lines: where in the file they start, their text, and what was read of them from the first one on.

    They are good until a later part is taken.
    """

    start: int
    text: memoryview
    lines: NDArray[np.int64]
    values: NDArray[Any]


class _Desk:
    """What one part needs to be read: room for its text, and for its rows."""

    def __init__(self, room: int, reader: LineReader) -> None:
        self.text, self.reader = bytearray(room), reader


class Ahead:
    """Parts of a file, each of the lines that begin within so many bytes of it, in order.

    Who takes a part reads it, or another that is due, where nobody has: so it is one of the `threads`.

    Parameters
    ----------
    file : int
        Its descriptor, open until :meth:`close` is called.
    start, end : int
        Where the first line begins, and the last one ends.
    line : int
        About how many bytes a line has.
    reader : callable
        Takes about how many lines a part has, and returns a reader with room for them.
    threads : int
    """

    def __init__(
        self, file: int, start: int, end: int, line: int, reader: Callable[[float], LineReader], threads: int
    ) -> None:
        self.file, self.start, self.line, self.threads = file, start, line, threads
        self.size = max(PART, min(_LINES * line, _LINES * MOST_LINE))
        self.count = -(-(end - start) // self.size)
        self._reader = reader
        self._lock = threading.Lock()
        self._desks: list[_Desk] = []  # that are free
        self._more_desks = threads + 2 if threads > 1 else 1  # that may still be made
        self._next = self._first = 0  # the next part to be read, and the first one that is still wanted
        self._done: dict[int, tuple[_Desk | None, Part | None]] = {}
        self._helpers = 0
        self._changed: SimpleQueue[None] = SimpleQueue()  # an item more whenever a helper has read a part or ends

    def take(self, start: int) -> Part | None:
        """Return the part in which a line begins at `start`, with its text from there on or before; None if none has.

        What was taken before is gone: the caller holds no view of its text any more.
        """
        number = (start - self.start) // self.size
        if not 0 <= number < self.count:
            return None
        with self._lock:
            self._first, self._next = number, max(self._next, number)
            for old in [one for one in self._done if one < number]:
                self._free(self._done.pop(old)[0])
        self._call_helpers()
        while number not in self._done:
            if not self._read_next():
                self._changed.get()
        part = self._done[number][1]
        return part if part is not None and part.start <= start < part.start + len(part.text) else None

    def close(self) -> None:
        """Wait for what is being read."""
        interrupted: BaseException | None = None
        with self._lock:
            self._next = self.count
        while self._helpers:
            try:
                self._changed.get()
            except BaseException as error:  # they read on, from a descriptor that is about to be another file's
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def _call_helpers(self) -> None:
        with self._lock:
            room = min(len(self._desks) + self._more_desks, self.count - self._next)
            wanted = min(self.threads - 1 - self._helpers, room - 1)  # one is left to the caller
            self._helpers += max(wanted, 0)
        for _ in range(wanted):
            if not hire(self._help):
                with self._lock:
                    self._helpers -= 1

    def _help(self) -> None:
        try:
            while self._read_next():
                self._changed.put(None)
        finally:
            with self._lock:
                self._helpers -= 1
            self._changed.put(None)

    def _read_next(self) -> bool:
        """Read the next part, if one is due and there is room for it."""
        with self._lock:
            if self._next >= self.count or not (self._desks or self._more_desks):
                return False
            number = self._next
            self._next += 1
            desk = self._desks.pop() if self._desks else None
            self._more_desks -= desk is None
        part = None
        try:
            desk = desk or _Desk(self.size + _MARGIN, self._reader(self.size / self.line))
            part = self._read(number, desk)
        except (OSError, MemoryError):
            pass  # who then reads these lines one by one meets it, or has no need of so much
        finally:
            with self._lock:
                if number < self._first:
                    self._free(desk)
                else:
                    self._done[number] = desk, part
        return True

    def _free(self, desk: _Desk | None) -> None:
        if desk is None:
            self._more_desks += 1
        else:
            self._desks.append(desk)

    def _read(self, number: int, desk: _Desk) -> Part | None:
        """Read the lines that begin in a part; None where none does."""
        ahead = 1 if number else 0  # the byte before it tells whether a line begins with it
        begin = self.start + number * self.size - ahead
        filled = self._fill(desk.text, begin, 0)
        first = desk.text.find(b"\n", 0, filled) + 1 if number else 0
        if filled == 0 or (number and not 0 < first < self.size + ahead):
            return None
        last = ahead + self.size - 1  # the newline of the last line is here or behind
        while (end := desk.text.find(b"\n", last, filled) + 1) == 0 and filled == len(desk.text):
            if filled > self.size + _MARGIN:  # the last line is too long
                filled = max(desk.text.rfind(b"\n", first, last) + 1, first)
                break
            last, former = filled, desk.text
            desk.text = bytearray(filled + self.size // 2)  # another one: views of the former may still be held
            desk.text[:filled] = former
            del former
            filled = self._fill(desk.text, begin, filled)
        text = memoryview(desk.text)[first : end or filled]
        lines, values = desk.reader.read(text, 0, 1 << 62)
        return Part(begin + first, text, lines, values)

    def _fill(self, text: bytearray, begin: int, filled: int) -> int:
        with memoryview(text) as room:
            while filled < len(room) and (more := os.preadv(self.file, [room[filled:]], begin + filled)):
                filled += more
        return filled
