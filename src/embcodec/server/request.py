"""Requests of ``POST /v1/embeddings``: read strictly, refused in the service's own words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .._native.response.read import nests_too_deep
from ..dtypes import EncodingFormat, OutputDtype
from ..errors import rebuild_error
from ..words import without_twins

MAX_INPUTS = 512
MAX_TOKENS = 16_384
MAX_INPUT_TOKENS = 8_192
MAX_BODY_BYTES = 1 << 20  # all tokens as escapes, six bytes each, take 0.4 MiB: the rest is for metadata
_ECHO_CHARACTERS = 200  # of an offending value in an error
_MOST_COMMAS = 4 * MAX_TOKENS + 2 * MAX_INPUTS + 4096  # a comma in a text is a byte of it; the last are metadata's


class RefusalError(Exception):
    """A request that is not served: an HTTP status and the body that says why.

    Attributes
    ----------
    status : int
    body : dict
        JSON object of the answer.
    headers : dict
        Further headers of the answer.
    """

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}
        super().__init__(f"{status}: {body}")

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild_error, (type(self), self.args, self.__dict__.copy())

    @classmethod
    def invalid(cls, kind: str, path: tuple[str | int, ...], message: str, value: Any, **context: Any) -> RefusalError:
        """Return the 422 of a field that fails validation: a ``detail`` list with its place."""
        item = {"type": kind, "loc": ["body", *path], "msg": message, "input": _echo(value)}
        if context:
            item["ctx"] = context
        return cls(422, {"detail": [item]})

    @classmethod
    def error(cls, message: str, kind: str, code: str | None = None, status: int = 400) -> RefusalError:
        """Return a refusal in the service's flat error object."""
        body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
        return cls(status, {**body, "raw_status_code": status})


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """A request that is well formed; `dimension` is None for all the model has."""

    model: str
    texts: list[str]
    output_dtype: OutputDtype
    dimension: int | None
    encoding_format: EncodingFormat
    tokens: int


def count_tokens(text: str) -> int:
    """Return the tokens `text` counts for: one, and one more for every four bytes of its UTF-8.

    A rule of thumb for limits and usage, not the model's own tokens.

    Examples
    --------
    >>> count_tokens(""), count_tokens("embeddings")
    (1, 3)
    """
    return 1 + len(text.encode()) // 4


def parse_request(body: bytes, *, lenient: bool = False) -> EmbeddingRequest:
    """Read a request body.

    Parameters
    ----------
    body : bytes
        JSON object.
    lenient : bool
        Take OpenAI's ``dimensions`` for ``output_dimension``, null for a default ``output_dtype``, and pass over every
        other unknown field (``user``).

    Raises
    ------
    RefusalError
        422 for what is malformed, 400 with code "3210" for more inputs or tokens than the limits.
    """
    fields = _parse_object(body)
    known = {"model", "input", "encoding_format", "output_dimension", "output_dtype", "metadata"}
    for name in () if lenient else fields:
        if name not in known:
            place = (name[:_ECHO_CHARACTERS],)
            raise RefusalError.invalid("extra_forbidden", place, "Extra inputs are not permitted", fields[name])
    for name in ("model", "input"):
        if name not in fields:
            raise RefusalError.invalid("missing", (name,), "Field required", fields)
    model = fields["model"]
    if not isinstance(model, str):
        raise RefusalError.invalid("string_type", ("model",), "Input should be a valid string", model)
    metadata = fields.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise RefusalError.invalid("dict_type", ("metadata",), "Input should be a valid dictionary", metadata)
    name = "dimensions" if lenient and fields.get("output_dimension") is None else "output_dimension"
    encoding = fields.get("encoding_format")
    if encoding is None:  # absent or null
        encoding = "float"
    dtype = fields.get("output_dtype", "float")
    if dtype is None and lenient:
        dtype = "float"
    texts = _parse_input(fields["input"])
    return EmbeddingRequest(
        model=model,
        texts=texts,
        output_dtype=_parse_choice(OutputDtype, "output_dtype", dtype),
        dimension=_parse_dimension(name, fields.get(name)),
        encoding_format=_parse_choice(EncodingFormat, "encoding_format", encoding),
        tokens=_check_limits(texts),
    )


def _parse_object(body: bytes) -> dict[str, Any]:
    """Read JSON as its standard has it: UTF-8, no NaN, no name twice in an object."""
    if body.count(b",") > _MOST_COMMAS:  # known before each value is an object of its own
        raise _too_many(
            "Too many values in request, split into more batches. "
            f"Max is {MAX_INPUTS} inputs and {MAX_TOKENS} tokens, as strings"
        )
    try:
        if nests_too_deep(body):  # a parser that recurses to its limit takes collectors and callbacks down with it
            raise RecursionError
        fields = _STRICT.decode(body.decode())
    except (ValueError, RecursionError) as error:
        place = getattr(error, "pos", getattr(error, "start", 0))
        reason = "nested too deep" if isinstance(error, RecursionError) else str(getattr(error, "msg", error))
        reason = reason[:_ECHO_CHARACTERS]
        raise RefusalError.invalid("json_invalid", (place,), "JSON decode error", {}, error=reason) from None
    if not isinstance(fields, dict):
        raise RefusalError.invalid("model_attributes_type", (), "Input should be a valid dictionary", fields)
    return fields


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=without_twins, parse_constant=_no_constant)


def _parse_input(value: Any) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise RefusalError.invalid("too_short", ("input",), "List should have at least 1 item", value)
    for position, text in enumerate(texts):
        path = ("input", position) if isinstance(value, list) else ("input",)
        if not isinstance(text, str):
            is_tokens = isinstance(text, int) or (isinstance(text, list) and all(isinstance(x, int) for x in text))
            hint = ": token ids are not taken, send the text" if is_tokens and isinstance(value, list) else ""
            raise RefusalError.invalid("string_type", path, f"Input should be a valid string{hint}", text)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RefusalError.invalid("string_unicode", path, "Input should be valid unicode", text) from None
    return texts


def _check_limits(texts: list[str]) -> int:
    if len(texts) > MAX_INPUTS:
        raise _too_many(f"Too many inputs in request, split into more batches. Max is {MAX_INPUTS} got {len(texts)}")
    counts = [count_tokens(text) for text in texts]
    if max(counts) > MAX_INPUT_TOKENS:
        row = counts.index(max(counts))
        raise _too_many(f"Input {row} has {counts[row]} tokens. Max is {MAX_INPUT_TOKENS}")
    if sum(counts) > MAX_TOKENS:
        raise _too_many(f"Too many tokens overall, split into more batches. Max is {MAX_TOKENS} got {sum(counts)}")
    return sum(counts)


def _too_many(message: str) -> RefusalError:
    return RefusalError.error(message, "invalid_request_prompt", "3210")


def _parse_choice(vocabulary: Any, name: str, value: Any) -> Any:
    known = [str(member) for member in vocabulary]
    if not isinstance(value, str) or value not in known:
        expected = ", ".join(repr(member) for member in known)
        message = f"Input should be one of {expected}"
        raise RefusalError.invalid("enum", (name,), message, value, expected=expected)
    return vocabulary(value)


def _parse_dimension(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusalError.invalid("int_type", (name,), "Input should be a valid integer", value)
    if value <= 0:
        raise RefusalError.invalid("greater_than", (name,), "Input should be greater than 0", value, gt=0)
    return value


def _echo(value: Any) -> Any:
    """Return `value` as an error may repeat it: bounded, and JSON that a strict parser takes."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return None
    return value if len(text) <= _ECHO_CHARACTERS else text[:_ECHO_CHARACTERS] + "..."
