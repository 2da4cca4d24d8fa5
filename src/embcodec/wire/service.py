"""What services say besides vectors: their errors, in any of the known shapes, and their counts of tokens."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ServiceError
from ..words import shown

_STATUS_WORD = re.compile("[A-Z]+(_[A-Z]+)+")  # as gRPC has them: INVALID_ARGUMENT
_MESSAGE_CHARS = 2000
_LABEL_CHARS = 200
_SAYS = ("msg", "errorMessage", "error_msg", "error_message", "Message")  # what services call a message of an error
_MESSAGE_PARTS = 4096  # containers and texts of a message that are looked at
USAGE, ERROR = "usage", "error"  # what bodies have besides rows
_META, _METADATA = "meta", "usageMetadata"
_COUNTS = ("prompt_eval_count", "inputTextTokenCount")  # how Ollama and Titan call the number of tokens
SAYS_MORE = (
    ERROR,
    _META,
    _METADATA,
    *_COUNTS,
)  # members that only this module reads; the reader of plain lines reads OpenAI's usage by itself


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a request cost. Usages add up.

    Examples
    --------
    >>> Usage(5, 0, 5) + Usage(2, 0, 2)
    Usage(prompt_tokens=7, completion_tokens=0, total_tokens=7)
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
        )

    @classmethod
    def from_envelope(cls, envelope: dict[str, Any]) -> Usage:
        """Return the counts in a body's ``usage``, or where Cohere, Gemini, Ollama and Titan have theirs; else 0."""
        usage = envelope.get(USAGE)
        if isinstance(usage, dict):
            if "input_tokens" in usage:  # as DashScope and newer services count
                usage = {
                    "prompt_tokens": usage["input_tokens"],
                    "completion_tokens": usage.get("output_tokens", 0),
                    **usage,
                }
            of = usage.get
            prompt, completion, total = of("prompt_tokens", 0), of("completion_tokens", 0), of("total_tokens", 0)
            are_ints = type(prompt) is type(completion) is type(total) is int
            if not are_ints or not 0 <= prompt | completion | total < 2**63:
                prompt, completion, total = _count(prompt), _count(completion), _count(total)
            return make_usage(prompt, completion, total, usage)
        meta = envelope.get(_META)
        billed = meta.get("billed_units") if isinstance(meta, dict) else None
        prompt = _count(billed.get("input_tokens")) if isinstance(billed, dict) else 0
        said = envelope.get(_METADATA)
        if isinstance(said, dict):
            prompt = prompt or _count(said.get("promptTokenCount")) or _count(said.get("totalTokenCount"))
        prompt = prompt or next((count for name in _COUNTS if (count := _count(envelope.get(name)))), 0)
        return cls(prompt, 0, prompt)


_new = object.__new__
_prompt, _completion, _total = (Usage.__dict__[name].__set__ for name in Usage.__slots__)


def make_usage(prompt: int, completion: int, total: int, names: Container[str]) -> Usage:
    """Return what a ``usage`` with these names counts; a total that stands alone, as Voyage's, is of the prompt.

    It is ``Usage(...)`` in half the time: see ``make_answer``.
    """
    if "prompt_tokens" not in names and "completion_tokens" not in names:
        prompt = total
    made = _new(Usage)
    _prompt(made, prompt)
    _completion(made, completion)
    _total(made, total or prompt + completion)
    return made


def _count(value: Any) -> int:
    if type(value) is int and 0 <= value < 2**63:
        return value
    return int(value) if type(value) is float and 0 <= value < 2**63 else 0


def looks_like_error(envelope: Any) -> bool:
    """Tell whether a body without vectors, parsed, is a service's error."""
    if isinstance(envelope, list):  # of one error, as Google streams it
        return len(envelope) == 1 and isinstance(envelope[0], Mapping) and isinstance(envelope[0].get(ERROR), Mapping)
    if not isinstance(envelope, Mapping):
        return False
    if envelope.get(ERROR) or envelope.get("object") == "error" or envelope.get("detail"):
        return True
    if _first_of(envelope) is not None or _within(envelope) is not None:
        return True
    says = any(envelope.get(key) for key in _SAYS[1:]) or bool(envelope.get("message"))
    if not says and (envelope.get("msg") or envelope.get("title")):  # whose other word is an HTTP status
        says = any(_http_status(envelope.get(key)) for key in ("code", "status"))
    return says and envelope.get("data") is None and envelope.get("code") not in (0, "0")


def _within(envelope: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the object in which Tencent's, Apigee's and MiniMax' bodies have an error, the last also where is none."""
    response, status, fault = envelope.get("Response"), envelope.get("base_resp"), envelope.get("fault")
    if isinstance(fault, Mapping) and isinstance(fault.get("faultstring"), str):
        detail = fault.get("detail")
        return {
            "message": fault["faultstring"],
            "code": detail.get("errorcode") if isinstance(detail, Mapping) else None,
        }
    if isinstance(response, Mapping) and isinstance(response.get("Error"), Mapping):
        return {str(key).lower(): value for key, value in response["Error"].items()}
    if isinstance(status, Mapping) and status.get("status_code") and status.get("status_msg"):
        return {"message": status["status_msg"], "code": status["status_code"]}
    return None


def _first_of(envelope: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first of the ``errors`` that Cloudflare sends, as GraphQL does; None without any."""
    errors = envelope.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, Mapping) and isinstance(first.get("message"), str) else None


def service_error(
    body: bytes | str | Mapping[str, Any] | list[Any] | None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> ServiceError:
    """Read a service's error in any of the known shapes, or none.

    Parameters
    ----------
    body : bytes, str, mapping, list or None
        The body, parsed or not; it need not be JSON.
    status : int, optional
        The HTTP status; else the body's own (``raw_status_code``, a numeric ``code`` or ``status``).
    headers : mapping, optional
        For ``Retry-After`` (seconds or a date) and ``retry-after-ms``.

    Returns
    -------
    ServiceError
        To be raised or kept.

    Examples
    --------
    >>> service_error(b'{"object":"error","message":"Too many inputs","code":"3210","raw_status_code":400}')
    ServiceError('Too many inputs [400, 3210]')
    >>> service_error(b'{"detail":[{"loc":["body","input"],"msg":"Field required"}]}', 422).message
    'body.input: Field required'
    """
    if not (headers is None or hasattr(headers, "items")):
        raise TypeError(f"headers map names to values, which {shown(headers)} does not")
    if not (status is None or isinstance(status, int)):
        raise TypeError(f"status is a whole number, not {shown(status)}")
    text = ""
    if isinstance(body, bytes | bytearray | memoryview):
        text = bytes(body).decode("utf-8", "replace")
    elif isinstance(body, str):
        text = body
    fields: Any = body
    if not isinstance(body, Mapping | list):
        try:
            fields = json.loads(text) if text else {}
        except (ValueError, RecursionError):  # no JSON, or nested deeper than the parser goes
            fields = {}
    inner = fields
    if isinstance(fields, list) and looks_like_error(fields):
        inner = fields = fields[0]
    if isinstance(fields, Mapping) and isinstance(fields.get(ERROR), Mapping):
        inner = fields[ERROR]
    elif isinstance(fields, Mapping) and (within := _within(fields)) is not None:
        inner = within
    elif isinstance(fields, Mapping) and not looks_like_error({**fields, "errors": None}):
        inner = _first_of(fields) or fields
    if not isinstance(inner, Mapping):
        inner = {"message": inner}
    said = next((inner[key] for key in ("message", "detail", "error", *_SAYS, "title") if inner.get(key)), None)
    message = _flatten(said) or text.strip() or "the service gave no reason"
    if len(message) > _MESSAGE_CHARS:
        message = message[:_MESSAGE_CHARS] + "…"
    code = inner.get("code", inner.get("errorCode", inner.get("error_code")))
    if status is None:
        candidates = (inner.get("raw_status_code"), code, inner.get("status"), inner.get("status_code"))
        status = next((number for number in map(_http_status, candidates) if number), None)
    kind = inner.get("type", inner.get("error_type"))
    if kind is None and isinstance(word := inner.get("status"), str) and _STATUS_WORD.fullmatch(word):
        kind = word
    return ServiceError(
        message,
        status=status,
        type=_label(kind),
        code=_label(code),
        retry_after=retry_after({} if headers is None else headers),
    )


def error_in_list(text: bytes | memoryview) -> ServiceError | None:
    """Return the error that a body is which is a list of it alone; None for every other body."""
    if bytes(text[:_MESSAGE_CHARS]).lstrip()[:1] != b"[" or len(text) > _MESSAGE_PARTS:
        return None
    try:
        said = json.loads(bytes(text))
    except (ValueError, RecursionError):
        return None
    return service_error(said) if looks_like_error(said) else None


def refusal(said: Any, status: int | None) -> ServiceError:
    """Read what a line of a batch file says instead of an answer: an object, or some other JSON."""
    return service_error(said if isinstance(said, dict) else {ERROR: said}, status)


def _label(value: Any) -> str | None:
    """Return the type or code of an error as text; None where there is none, or it is neither text nor a number."""
    return str(value)[:_LABEL_CHARS] if isinstance(value, str | int | float) else None


def _http_status(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599 else None


def _flatten(said: Any) -> str:
    """Return the text of a message, cut off where it is long. It may be a list of complaints, each with a place.

    A service's message may be nested to any depth, so this function does not call itself.
    """
    words: list[str] = []
    length, waiting = 0, [(said, "")]
    for _ in range(_MESSAGE_PARTS):
        if not waiting or length > _MESSAGE_CHARS:
            break
        node, place = waiting.pop()
        if isinstance(node, list):
            waiting += [(each, place) for each in reversed(node[:_MESSAGE_PARTS])]
            continue
        if isinstance(node, Mapping):
            key = next((key for key in ("detail", "message", "msg", "error") if node.get(key)), None)
            loc = node.get("loc")
            if isinstance(loc, list) and loc and key:
                place = ".".join(str(part)[:_MESSAGE_CHARS] for part in loc[:16] if not isinstance(part, list | dict))
            if key:
                waiting.append((node[key], place))
                continue
        text = node if isinstance(node, str) else "" if node is None else _as_json(node)
        if text:
            words.append(f"{place}: {text}" if place else text)
            length += len(words[-1])
    return "; ".join(words)


def _as_json(value: Any) -> str:
    """Return the JSON of a value, or how many keys it has where it is nested too deeply for that."""
    if not isinstance(value, Mapping):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, TypeError, ValueError):
        return f"an object of {len(value)} keys"


def retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Return the seconds that a service asks to wait, from its headers, or None.

    Parameters
    ----------
    headers : mapping
        Names in any case.
    now : float, optional
        The time, in seconds since the epoch, that dates are compared with.

    Examples
    --------
    >>> retry_after({"Retry-After": "3"}), retry_after({"retry-after-ms": "250"})
    (3.0, 0.25)
    """
    lower = {str(name).lower(): str(value).strip() for name, value in headers.items()}
    milliseconds = _seconds(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = lower.get("retry-after")
    seconds = _seconds(text)
    if seconds is not None or not text:
        return seconds
    from email.utils import parsedate_to_datetime  # drags in sockets and calendars

    try:
        date = parsedate_to_datetime(text)
        return max(0.0, date.timestamp() - (time.time() if now is None else now))
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
