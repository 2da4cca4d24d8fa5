"""Lines of batch files that are just answers, in the usual form, or plainly failed: many at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native.response.hints import misread
from ..._native.response.layout import LIST
from ..._native.response.lines import (
    BROKEN,
    KIND,
    NO_OBJECT,
    REFUSED,
    TOKENS,
    WIDTH,
    LineReader,
    ids_of_lines,
    is_no_json,
)
from ...embeddings import Embeddings
from ..decoder import Decoder
from ..service import Usage
from .ahead import Ahead, Part
from .errors import BatchErrors
from .forms import custom_id_of_text, is_other_form
from .lines import NOT_AN_OBJECT, words_of_dimension, words_of_rest, words_of_twin
from .source import Source

_SCRATCH = 1 << 18  # bytes of rows at once: a part of L2
_MOST_LINES = 1 << 20
_ROOM, _MOST_LINES_AHEAD = 2, 1 << 13  # in a part that is read ahead: times as much as lines like the first one take


@dataclass(frozen=True, slots=True)
class Answers:
    """Some lines: where in the file each ends, their rows (good until more are read), one custom_id a row."""

    ends: list[int]
    values: NDArray[Any]
    custom_ids: list[str | None]
    usage: Usage


class PlainLines:
    """Reads on in a file as long as its lines are plain or plainly failed; any other is left to who reads single lines.

    Failed ones go to `errors`.
    """

    def __init__(
        self, reader: LineReader, kind: int, errors: BatchErrors, asked: bool, ahead: Ahead | None = None
    ) -> None:
        self.reader, self.kind, self.errors, self.asked, self.ahead = reader, kind, errors, asked, ahead
        self.dimensions = 8 if reader.layout.packed else 1  # an element's
        self.most = _MOST_LINES
        self.text: bytes | memoryview = b""  # what the file's buffer holds, or a part that was read ahead
        self.start = 0  # from where on
        self.alone, self.next_alone = 0, 1  # calls for one thread, and how many come next

    @classmethod
    def like(
        cls,
        decoder: Decoder,
        errors: BatchErrors,
        first: Embeddings | None = None,
        kind: int = LIST,
        source: Source | None = None,
    ) -> PlainLines | None:
        """Return a reader of lines whose rows are like the first ones, if there can be such.

        `kind` tells what those came as, lists or strings, and `source` is where the lines behind them come from. Before
        there are any, it reads failed lines alone.
        """
        names = decoder.plain_names()
        if names is None:
            return None
        layout, asked = decoder.layout("response.body."), decoder.width is not None
        if first is not None and source is not None:
            form = layout, names, first.values.shape[1]
            rows_bytes = _ROOM * first.values.nbytes
            ahead = source.read_ahead(
                lambda lines: LineReader(*form, int(lines * rows_bytes), most_lines=_MOST_LINES_AHEAD)
            )
            threads = 1 if ahead is not None else source.threads
            reader = LineReader(*form, _SCRATCH, kind=kind, text_bytes=source.buffer, threads=threads)
            return cls(reader, kind, errors, asked, ahead)
        # A width that was asked for is held against each row's, which the reader of single lines does.
        return cls(LineReader(layout, names, 0, 0 if asked else _SCRATCH), LIST, errors, asked)

    def read(self, file: BufferedReader[Any], number: int, answered: dict[str | None, int]) -> Answers | None:
        """Read lines behind the first `number`, and note their ids; None where the next line is neither.

        Of the text only what was read ahead or what the file's buffer holds is read: a line that is in it in part is
        left, too.
        """
        start = file.tell()
        part: Part | None = None
        if not self.start <= start < self.start + len(self.text):
            self.text = b""  # another part takes its place
            part = self.ahead.take(start) if self.ahead is not None else None
            self.text, self.start = (file.peek(), start) if part is None else (part.text, part.start)
        text, offset = self.text, start - self.start
        if part is not None and offset == 0 and self.most == _MOST_LINES:
            found, values = part.lines, part.values
        else:
            found, values = self._read(text, offset)
        if not len(found):
            return None
        if misread(values, self.reader.layout, self.kind):
            self.most = 1
            return None
        self.most = min(2 * self.most, _MOST_LINES)
        failed = found[:, KIND].nonzero()[0]
        if (other := self._of_other_form(text, offset, found, failed)) is not None:
            found, failed = found[:other], failed[failed < other]
            values = values[: int(found[:, 1].sum())]
        if not len(found):
            return None
        if not len(failed) and (named := self._names_of(text, offset, found, number, answered)) is not None:
            file.seek(start + int(found[-1, 0]))
            return Answers((found[:, 0] + start).tolist(), values, named, Usage(*found[:, TOKENS:].sum(0).tolist()))
        lines = found[:, :KIND].tolist()
        faults = dict(zip(failed.tolist(), found[failed, KIND:TOKENS].tolist(), strict=True))
        ids: list[str | None] = []
        twins: list[int] = []
        for place, (end, rows, id_start, id_end, escaped) in enumerate(lines):
            number += 1
            custom_id = None
            if id_end >= 0:
                quoted = bytes(text[offset + id_start : offset + id_end])
                custom_id = json.loads(quoted) if escaped else quoted[1:-1].decode()
            if place in faults:
                begin = lines[place - 1][0] if place else 0
                self._note(number, bytes(text[offset + begin : offset + end - 1]), custom_id, *faults[place])
            elif rows and custom_id is not None and (line := answered.setdefault(custom_id, number)) != number:
                self.errors.append_fault(number, custom_id, words_of_twin(custom_id, line))
                twins.append(place)
            elif rows == 1:
                ids.append(custom_id)
            else:
                ids += [custom_id] * rows
        file.seek(start + lines[-1][0])
        if twins:
            answers = np.ones(len(found), bool)
            answers[twins] = False
            values = values[np.repeat(answers, found[:, 1])]
            found = found[answers]
        return Answers([start + line[0] for line in lines], values, ids, Usage(*found[:, TOKENS:].sum(0).tolist()))

    def _read(self, text: bytes | memoryview, offset: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Read lines of a text: on all threads as long as they leave no line of it.

        Where they do, what they read behind it is read again: so one thread goes on, the longer the more often.
        """
        if isinstance(text, bytes) and not self.alone and self.most == _MOST_LINES:
            read = self.reader.read_parts(text, offset)
            if read is not None:
                found, values = read
                if len(found) and offset + int(found[-1, 0]) == text.rfind(b"\n") + 1:
                    self.next_alone = 1
                else:
                    self.alone = self.next_alone
                    self.next_alone *= 2
                return found, values
        self.alone = max(self.alone - 1, 0)
        return self.reader.read(text, offset, self.most)

    @staticmethod
    def _names_of(
        text: bytes | memoryview, offset: int, found: NDArray[Any], number: int, answered: dict[str | None, int]
    ) -> list[str | None] | None:
        """Note the ids of lines of one row each and return them; None where one has none, or escapes, or is not new."""
        _, rows, starts, _, escaped = found[:, :KIND].T
        if starts.min() < 0 or escaped.any() or (rows != 1).any():
            return None
        names: list[str | None] = [*ids_of_lines(text, offset, found)]
        lines = dict(zip(names, range(number + 1, number + 1 + len(names)), strict=True))
        if len(lines) < len(names) or not answered.keys().isdisjoint(lines):
            return None
        answered.update(lines)
        return names

    @staticmethod
    def _of_other_form(text: bytes | memoryview, offset: int, found: NDArray[Any], failed: NDArray[Any]) -> int | None:
        """Return the first failed line that may be one of another form, in which other keys say what it is.

        One that is broken, without the key of the usual form, may be so in a row of another.
        """
        for place in failed.tolist():
            kind, row = found[place, KIND], found[place, TOKENS - 1]
            if found[place, 3] >= 0 or not (kind in (REFUSED, NO_OBJECT) or (kind == BROKEN and row < 0)):
                continue
            begin = offset + (int(found[place - 1, 0]) if place else 0)
            line = bytes(text[begin : offset + int(found[place, 0])])
            if is_other_form(line) or (kind == BROKEN and b"[" in line and b'"response"' not in line):
                return int(place)
        return None

    def _note(
        self, number: int, line: bytes, custom_id: str | None, kind: int, status: int, begin: int, end: int
    ) -> None:
        """Note a failed line; `begin` and `end` are what C says it is made of."""
        row = end if end >= 0 else None
        if kind == REFUSED:
            self.errors.append_refusal(number, custom_id, None if row is None else line[begin:end], status or None)
        elif kind == NO_OBJECT:
            self.errors.append_fault(number, custom_id, NOT_AN_OBJECT, 0)
        elif kind == WIDTH and not self.asked:
            words = words_of_dimension(status * self.dimensions, self.reader.width * self.dimensions)
            self.errors.append_fault(number, custom_id, words)
        else:
            if custom_id is None and b"custom_id" in line and not is_no_json(status, line):
                custom_id = custom_id_of_text(line)
            words = words_of_rest(self.reader.words(kind, status, line, begin, row), line, begin)
            self.errors.append_fault(number, custom_id, words, begin, row)
