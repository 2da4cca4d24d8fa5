"""Lines of batch files that are just answers, in the usual form: many at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BufferedReader
from typing import Any

from numpy.typing import NDArray

from ..._native.response_hints import misread
from ..._native.response_lines import LineReader
from ...embeddings import Embeddings
from ..decoder import Decoder
from ..service import Usage

_SCRATCH = 1 << 18  # bytes of rows at once: a part of L2
_MOST_LINES = 1 << 20


@dataclass(frozen=True, slots=True)
class Answers:
    """Some lines: where in the file each ends, their rows (good until more are read), one custom_id a row."""

    ends: list[int]
    values: NDArray[Any]
    custom_ids: list[str | None]
    usage: Usage


class PlainLines:
    """Reads on in a file as long as its lines are plain; any other is left to the reader of single lines."""

    def __init__(self, reader: LineReader, from_bytes: bool) -> None:
        self.reader, self.from_bytes = reader, from_bytes
        self.most = _MOST_LINES

    @classmethod
    def like(cls, decoder: Decoder, first: Embeddings, from_bytes: bool) -> PlainLines | None:
        """Return a reader of lines whose rows are like the first ones, if there can be such.

        `from_bytes` tells that those came as base64.
        """
        names = decoder.plain_names()
        if names is None:
            return None
        layout = decoder.layout("response.body.")
        return cls(LineReader(layout, names, first.values.shape[1], _SCRATCH), from_bytes)

    def read(self, file: BufferedReader[Any], number: int, answered: dict[str | None, int]) -> Answers | None:
        """Read lines behind the first `number`, and note their ids; None where the next line is not plain.

        Of the text only what the file's buffer holds is read: a line that is in it in part is left, too.
        """
        text, start = file.peek(), file.tell()
        found, values = self.reader.read(text, self.most)
        if self.from_bytes and misread(values, self.reader.layout):
            self.most = 1
            return None
        self.most = min(2 * self.most, _MOST_LINES)
        lines = found.tolist()
        ids: list[str | None] = []
        for passed, (_, rows, id_start, id_end, escaped) in enumerate(lines):
            number += 1
            if not rows:
                continue
            if id_end < 0:
                ids += [None] * rows
                continue
            custom_id = json.loads(text[id_start:id_end]) if escaped else text[id_start + 1 : id_end - 1].decode()
            if answered.setdefault(custom_id, number) != number:  # a repeated id is no plain line's
                self.most = max(passed, 1)  # where one is, there may be more: nothing is to be read over and over
                found, values = self.reader.read(text, passed)
                lines = lines[:passed]
                break
            if rows == 1:
                ids.append(custom_id)
            else:
                ids += [custom_id] * rows
        if not lines:
            return None
        file.seek(start + lines[-1][0])
        usage = self.reader.usage
        sums = Usage(usage.prompt, usage.completion, usage.total)
        return Answers([start + line[0] for line in lines], values, ids, sums)
