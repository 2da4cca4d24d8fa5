"""Lines of batch files: read within a bound of memory, and each turned into an answer or an error."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from io import BufferedReader, FileIO
from typing import Any

from ..._native.response.layout import BOM
from ...errors import DecodeError, ServiceError
from ...words import as_whole
from ..body import kind_of_bytes
from ..decoder import Decoder, EmbeddingResponse
from ..service import refusal

MOST_LINE_BYTES = 1 << 28  # 2,048 texts of 4,096 dimensions as text take 180 MB
BUFFER = 1 << 19  # bytes of a file: a part of L2
_LONG = 1 << 20  # bytes of a line that is measured before it is read, and not parsed as a whole for its id
NOT_AN_OBJECT = "not an object"
_HEAD_ID = re.compile(rb'\s*\{\s*(?:"id"\s*:\s*"[^"\\]*"\s*,\s*)?"custom_id"\s*:\s*("(?:[^"\\]|\\.)*")')


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
    """

    line: int
    custom_id: str | None
    response: EmbeddingResponse | None = None
    error: ServiceError | DecodeError | None = None


class LineFile:
    """A batch file that is open; `most` are the bytes that a line may have."""

    def __init__(self, path: str, most: int) -> None:
        most = as_whole(most, "max_line_bytes", 1)
        self.file: BufferedReader[Any] = BufferedReader(FileIO(path), BUFFER)
        self.most = most

    def __enter__(self) -> BufferedReader[Any]:
        return self.file

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def foreign(self) -> BatchLine | None:
        """Return an error for a file that holds no text in UTF-8, so that its lines mean nothing."""
        start = self.file.peek(8)[:8]
        kind = kind_of_bytes(start)
        if start.startswith(BOM) or kind in ("no JSON", "empty", "HTML or XML", "a stream of events"):
            return None
        return BatchLine(1, None, error=DecodeError(f"no lines of JSON: the file is {kind}", offset=0, line=1))

    def read(self) -> bytes | None:
        """Return the next line, nothing at the end; None for one that is too long, and never is in memory."""
        file = self.file
        text = file.readline(_LONG)
        length = len(text)
        if length <= self.most and (length < _LONG or text.endswith(b"\n")):
            return text
        start = file.tell() - length
        while text and not text.endswith(b"\n"):
            text = file.readline(_LONG)
            length += len(text)
        del text
        if length > self.most:
            return None
        file.seek(start)
        return file.read(length)


def line_of(decoder: Decoder, number: int, text: bytes | None, most: int, threads: int | None = 1) -> BatchLine | None:
    """Return what a line holds; None for a blank one."""
    if text is None:
        words = f"more than {most} bytes: max_line_bytes raises the cap"
        return BatchLine(number, None, error=DecodeError(words, line=number))
    if text.isspace():
        return None
    return _decode_line(decoder, number, memoryview(text)[:-1] if text.endswith(b"\n") else text, threads)


def _decode_line(decoder: Decoder, number: int, text: bytes | memoryview, threads: int | None) -> BatchLine:
    custom_id = None
    try:
        rows, document = decoder.read(text, "response.body.", threads)
        if not isinstance(document, dict):
            raise DecodeError(NOT_AN_OBJECT, offset=0)
        custom_id = _custom_id(document)
        response = document.get("response")
        response = response if isinstance(response, dict) else {}
        status, body = response.get("status_code"), response.get("body")
        status = status if isinstance(status, int) and not 200 <= status < 300 else None
        said = document.get("error") or (body if status is not None else None)
        if not said and status is None and rows.list_start < 0 and not body:
            raise DecodeError(_nothing(document), offset=0)
        if said or status is not None:
            return BatchLine(number, custom_id, error=refusal(said, status))
        return BatchLine(number, custom_id, decoder.answer(rows, body))
    except DecodeError as error:
        placed = DecodeError(error.reason, offset=error.offset, row=error.row, line=number)
        return BatchLine(number, custom_id or custom_id_of_text(text), error=placed)
    except ServiceError as error:
        # the traceback holds this frame, and so the text of the line
        return BatchLine(number, custom_id, error=error.with_traceback(None))


def words_of_dimension(dimension: int, before: int) -> str:
    """Say that a line's rows are not like those of the lines before."""
    return f"dimension {dimension} where the lines before have {before}"


def words_of_twin(custom_id: str, line: int) -> str:
    """Say that a line repeats another one's id."""
    return f"custom_id {custom_id[:80]!r} was answered on line {line} already"


def _nothing(document: dict[str, Any]) -> str:
    """Say what a line has that is neither a response nor an error."""
    words = "neither a response nor an error"
    if not document or "response" in document or "error" in document:
        return words
    if isinstance(document.get("data") or document.get("embeddings"), list | dict):
        return f"{words}: a body by itself, which decode_response reads"
    if "body" in document and isinstance(document["body"], dict) and "input" in document["body"]:
        return f"{words}: a request, as in the job's input file; the vectors are in its output file"
    keys = ", ".join(repr(key[:40]) for key in list(document)[:6])
    return f"{words}: the line has the keys {keys}"


def _custom_id(document: dict[str, Any]) -> str | None:
    custom_id = document.get("custom_id")
    return custom_id if custom_id is None or isinstance(custom_id, str) else str(custom_id)


def custom_id_of_text(text: bytes | memoryview) -> str | None:
    """Return the id of a line whose vectors cannot be read, if it is JSON; of a long one if it begins with its id."""
    try:
        if len(text) > _LONG:
            found = _HEAD_ID.match(text[:4096])
            return None if found is None else str(json.loads(found[1]))
        whole = bytes(text)
        document = json.loads(whole) if b"custom_id" in whole else None
        return _custom_id(document) if isinstance(document, dict) else None
    except (ValueError, RecursionError):
        return None
