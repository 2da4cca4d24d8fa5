"""What a line of a batch file is to who reads them: an answer or an error."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import DecodeError, ServiceError
from ..answer import EmbeddingResponse

MOST_LINE_BYTES = 1 << 28  # 2,048 texts of 4,096 dimensions as text take 180 MB
NOT_AN_OBJECT = "not an object"
LIST_OF_LINES = "'\\n'.join(map(json.dumps, json.loads(text))) has the lines, each an object by itself"
_BLANK = b" \t\r\n\xef\xbb\xbf"
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One line of an output file: an answer or an error.

    Attributes
    ----------
    line : int
        Its number in the file, from 1.
    custom_id : str or None
    response : EmbeddingResponse or None
    error : ServiceError, DecodeError or None
        What the service reported, or what is wrong with the line; the offset in a DecodeError counts from the start
        of the line.
    breaks_off : bool
        Whether the file ends in this line, or cannot be read on from here: what stood behind is in no line.
    """

    line: int
    custom_id: str | None
    response: EmbeddingResponse | None = None
    error: ServiceError | DecodeError | None = None
    breaks_off: bool = False


def words_of_rest(reason: str, line: bytes | memoryview, offset: int | None) -> str:
    """Return why a line cannot be read, with a word on what stands behind it where that is of a list over lines."""
    if reason.startswith("unexpected text after") and bytes(line[offset:]).strip() in (b",", b"]", b"],"):
        return f"{reason}: of a list over several lines {LIST_OF_LINES}"
    return reason


def words_of_dimension(dimension: int, wanted: int, is_collection: bool = False) -> str:
    """Say that a line's rows are not like those of the lines before, or of a collection."""
    return f"dimension {dimension} where {'the collection has' if is_collection else 'the lines before have'} {wanted}"


def is_cut(text: bytes | bytearray | None) -> bool:
    """Whether a line that cannot be read has no end, as where a file was cut: a bracket or a string is open in it."""
    if text is None or text.endswith(b"\n") or not text.lstrip(_BLANK).startswith((b"{", b"[")):
        return False
    left = _STRINGS.sub(b"", text)
    return sum(map(left.count, (b"{", b"["))) > sum(map(left.count, (b"}", b"]")))


def words_of_twin(custom_id: str, line: int) -> str:
    """Say that a line repeats another one's id."""
    return f"custom_id {custom_id[:80]!r} was answered on line {line} already"
