"""Forms of lines: where in a line of each service's batch job the answer is, and what names it.

A file's lines are of one form as a rule, so that the one of the line before is tried first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ..._native.response.layout import BOM, Rows
from ...errors import DecodeError, ServiceError
from ..decoder import Decoder
from ..service import looks_like_error, refusal
from ..shapes import missing_rows, words_of_text
from .lines import NOT_AN_OBJECT, BatchLine, words_of_rest

_LONG, _HEAD = 1 << 20, 1 << 12  # a line of so many bytes is not parsed as a whole, but for so many of its first ones
_HEAD_ID = re.compile(rb'\s*\{\s*(?:"id"\s*:\s*"[^"\\]*"\s*,\s*)?"custom_id"\s*:\s*("(?:[^"\\]|\\.)*")')
_scan: Any = json.JSONDecoder().raw_decode
_space = re.compile(r"[ \t\r\n]*").match


@dataclass(frozen=True, slots=True)
class Form:
    """Where the answer is in a line, the key of the line's id, and whose answers are in such lines."""

    prefix: str
    custom_id: str
    profiles: tuple[str, ...] = ()


USUAL = Form("response.body.", "custom_id")  # Mistral's and OpenAI's
_BEDROCK = Form("modelOutput.", "recordId", ("bedrock-titan", "bedrock-cohere"))
_GEMINI = Form("response.", "key", ("gemini",))
_DIRECT = Form("response.", "custom_id", ("gemini",))  # no "body" between: Gemini's inlined ones, and scripts'
_BARE = Form("", "custom_id", ("vertex",))  # a body by itself, and Vertex AI's, beside what was asked
_OTHER_KEYS = re.compile(rb'"(?:recordId|modelOutput|key|instance|predictions)"\s*:')
_IDS = ("custom_id", "recordId", "key")
_VECTOR = "embedding"  # of a line that is a record of one row, beside its id, and what else scripts keep


def _form_of(document: dict[str, Any]) -> Form:
    """Return the form of a line by its keys."""
    if "modelOutput" in document or "recordId" in document:
        return _BEDROCK
    if "key" in document and ("response" in document or "error" in document) and "custom_id" not in document:
        return _GEMINI
    response = document.get("response")
    if isinstance(response, dict) and not {"body", "status_code"} & response.keys():
        return _DIRECT
    if "response" in document or set(document) <= {"id", "error"}:
        return USUAL
    return USUAL if "custom_id" in document and _VECTOR not in document else _BARE


def _form_of_head(head: bytes) -> Form:
    """Return the form of a long line by the keys near its beginning."""
    if b'"recordId"' in head or b'"modelOutput"' in head:
        return _BEDROCK
    if b'"custom_id"' in head or (b'"response"' in head and b'"key"' not in head):
        return USUAL
    return _GEMINI if b'"response"' in head else _BARE


class LineDecoder:
    """Turns lines of a file into answers and errors.

    Parameters
    ----------
    decoder : Decoder
        Of the profile that was asked for, which is tried before those of the lines' form.
    most : int
        Bytes that a line may have.
    threads : int or None
        For a line; by default by its length.
    """

    def __init__(self, decoder: Decoder, most: int, threads: int | None = 1) -> None:
        self.decoder, self.most, self.form, self._threads = decoder, most, USUAL, threads
        self.others: dict[str, Decoder] = {}

    def line(self, number: int, text: bytes | bytearray | None) -> BatchLine | None:
        """Return what a line holds; None for a blank one."""
        if text is None:
            words = f"more than {self.most} bytes: max_line_bytes raises the cap"
            return BatchLine(number, None, error=DecodeError(words, line=number))
        if text.isspace() or (text.startswith(BOM) and not text[len(BOM) :].strip()):
            return None
        view = memoryview(text)[:-1] if text.endswith(b"\n") else memoryview(text)
        custom_id = None
        try:
            rows, document, decoder, form = self._read(view)
            custom_id, said, body = _parts(document, form)
            if said is not None:
                return BatchLine(number, custom_id, error=said)
            if isinstance(body, str):
                keys = "".join(f"[{key!r}]" for key in form.prefix.split(".")[:-1])
                raise DecodeError(words_of_text(body, f"json.loads(line){keys}"), offset=0)
            if rows.list_start < 0 and (not body or (form is _BARE and not self._is_body(body))):
                raise DecodeError(_nothing(document), offset=0)
            return BatchLine(number, custom_id, decoder.answer(rows, body))
        except DecodeError as error:
            placed = DecodeError(
                words_of_rest(error.reason, view, error.offset), offset=error.offset, row=error.row, line=number
            )
            return BatchLine(number, custom_id or custom_id_of_text(view), error=placed)
        except ServiceError as error:
            # the traceback holds this frame, and so the text of the line
            return BatchLine(number, custom_id, error=error.with_traceback(None))

    def _is_body(self, document: dict[str, Any]) -> bool:
        """Whether a line without rows where they are wanted is a body all the same: of an error, or another profile."""
        words = missing_rows(self.decoder.profile, self.decoder.dtype, document)
        return looks_like_error(document) or "profile" in words

    def _read(self, text: memoryview) -> tuple[Rows, Any, Decoder, Form]:
        """Return the rows of a line, the line without them, whose they are, and the line's form."""
        if len(text) > _LONG:  # which by a wrong form would be parsed as a whole, rows and all
            head = bytes(text[:_HEAD]).lstrip()
            if head.startswith(b"[{") and b'"input"' in head:
                return self._read_pair(text)
            self.form = _form_of_head(head)
        try:
            rows, document = self.decoder.read(text, self.form.prefix, self._threads)
        except DecodeError:
            form = _form_of_head(bytes(text[:_HEAD]))
            if form is self.form:
                raise
            self.form = form  # whose rows the error is to name
            rows, document = self.decoder.read(text, form.prefix, self._threads)
        if isinstance(document, list):
            return self._read_list(text, document)
        if not isinstance(document, dict):
            raise DecodeError(NOT_AN_OBJECT, offset=0)
        form = _form_of(document)
        if form is not self.form:
            self.form = form
            rows, document = self.decoder.read(text, form.prefix, self._threads)
        if rows.list_start >= 0:
            return rows, document, self.decoder, form
        for name in form.profiles:
            other = self._other(name)
            try:
                found, around = other.read(text, form.prefix, self._threads)
            except DecodeError as error:
                if error.reason.startswith("no '"):  # whose rows are others
                    continue
                raise
            if found.list_start >= 0:
                return found, around, other, form
        return rows, document, self.decoder, form

    def _other(self, profile: str) -> Decoder:
        mine = self.decoder
        if profile not in self.others:
            nulls = "nan" if mine.nulls_as_nan else "error"
            self.others[profile] = Decoder(mine.dtype, mine.dimension, profile, nulls)
        return self.others[profile]

    def _read_list(self, text: memoryview, document: list[Any]) -> tuple[Rows, Any, Decoder, Form]:
        """Read a line that is a list: ``[request, answer]``, as scripts write that ask in parallel, or a bare body."""
        if len(document) >= 2 and isinstance(document[0], dict) and "input" in document[0]:
            return self._read_pair(text)
        rows, _ = self.decoder.read(text, "", self._threads)
        if rows.list_start < 0:
            is_whole = len(document) > 1 and all(isinstance(each, dict) for each in document)
            way = ": a list of lines, each of which a batch file has on a line of its own" if is_whole else ""
            raise DecodeError(NOT_AN_OBJECT + way, offset=0)
        self.form = _BARE
        return rows, {}, self.decoder, _BARE

    def _read_pair(self, text: memoryview) -> tuple[Rows, Any, Decoder, Form]:
        whole = str(text, "utf-8")
        start = _second(whole)
        _, end = _scan(whole, start)
        offset = len(whole[:start].encode())
        try:
            rows, body = self.decoder.read(whole[start:end].encode())
        except DecodeError as error:
            place = None if error.offset is None else error.offset + offset
            raise DecodeError(error.reason, offset=place, row=error.row) from None
        about = json.loads(whole[:start] + "null" + whole[end:])[2:]
        found = about[0] if about and isinstance(about[0], dict) else {}
        custom_id = next((found[key] for key in ("custom_id", "row_id", "id") if key in found), None)
        if not isinstance(body, dict) and rows.list_start < 0:
            return rows, {"custom_id": custom_id, "error": body}, self.decoder, USUAL
        around = {"custom_id": custom_id, "response": {"body": body}}
        return rows, around, self.decoder, USUAL


def _parts(document: dict[str, Any], form: Form) -> tuple[str | None, ServiceError | None, Any]:
    """Return the id of a line, what a service said instead of an answer, and what stands around its rows."""
    custom_id, about = document.get(form.custom_id), document.get("metadata")
    if form is _DIRECT and custom_id is None and isinstance(about, dict):
        custom_id = about.get("key")
    if form is _BARE and custom_id is None and _VECTOR in document:  # bodies of several rows have ids of requests
        custom_id = document.get("id")
    custom_id = custom_id if custom_id is None or isinstance(custom_id, str) else json.dumps(custom_id)
    node: Any = document
    for key in form.prefix.split(".")[:-1]:
        node = node.get(key) if isinstance(node, dict) else None
    status = None
    if form is USUAL:
        response = document.get("response")
        status = response.get("status_code") if isinstance(response, dict) else None
        status = status if isinstance(status, int) and not 200 <= status < 300 else None
    said = document.get("error") or (node if status is not None else None)
    if form is _BARE:
        failed = document.get("status")  # Vertex AI's: empty where there is an answer
        said = failed if isinstance(failed, str) and failed and not document.get("predictions") else None
    if said or status is not None:
        return custom_id, refusal(said, status), None
    return custom_id, None, node


def _second(text: str) -> int:
    """Return where the second element of a list begins."""
    after = _space(text, text.index("[") + 1)
    assert after is not None
    _, end = _scan(text, after.end())
    comma = _space(text, end)
    assert comma is not None
    found = _space(text, comma.end() + 1)
    assert found is not None
    return found.end()


def _nothing(document: dict[str, Any]) -> str:
    """Say what a line has that is neither a response nor an error."""
    words = "neither a response nor an error"
    if not document or "response" in document or "error" in document:
        return words
    body = document.get("body")
    is_request = isinstance(body, dict) and "input" in body
    if is_request or any(isinstance(document.get(key), dict) for key in ("modelInput", "request")):
        return f"{words}: a request, as in the job's input file; the vectors are in its output file"
    keys = ", ".join(repr(key[:40]) for key in list(document)[:6])
    return f"{words}: the line has the keys {keys}"


def is_other_form(text: bytes) -> bool:
    """Whether a line may be of another form than Mistral's and OpenAI's: a pair, or one with other keys."""
    return text.lstrip().startswith(b"[{") or _OTHER_KEYS.search(text) is not None


def custom_id_of_text(text: bytes | memoryview) -> str | None:
    """Return the id of a line whose vectors cannot be read, if it is JSON; of a long one if it begins with its id."""
    try:
        if len(text) > _LONG:
            found = _HEAD_ID.match(text[:4096])
            return None if found is None else str(json.loads(found[1]))
        whole = bytes(text)
        document = json.loads(whole) if any(key.encode() in whole for key in _IDS) else None
        found = next((document[key] for key in _IDS if key in document), None) if isinstance(document, dict) else None
        return found if found is None or isinstance(found, str) else str(found)
    except (ValueError, RecursionError):
        return None
