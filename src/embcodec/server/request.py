"""Requests of ``POST /v1/embeddings``: read strictly, refused in the service's own words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .._native.response.read import nests_too_deep
from ..dtypes import EncodingFormat, OutputDtype
from ..errors import rebuild_error
from ..words import without_twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much a request may hold."""

    inputs: int
    tokens: int  # of all inputs together
    input_tokens: int  # of each input
    body_bytes: int

    @property
    def commas(self) -> int:
        """Most commas: one in a text is a byte of it; the last are metadata's."""
        return 4 * self.tokens + 2 * self.inputs + 4096


# All tokens as escapes, six bytes each of four, take 0.4 MiB: the rest is for metadata.
STRICT = Allowance(inputs=512, tokens=16_384, input_tokens=8_192, body_bytes=1 << 20)
# OpenAI's; all tokens as escapes take 6.9 MiB.
LENIENT = Allowance(inputs=2_048, tokens=300_000, input_tokens=8_192, body_bytes=8 << 20)
_NO_TOKENS = (
    ": token ids are not taken, send the text (LangChain: check_embedding_ctx_length=False), or start the server with "
    "--lenient"
)
_ECHO_CHARACTERS = 200  # how much of an offending value an error shows


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
    """A request that is well formed; `dimension` is None for all the model has.

    Its inputs are texts, or else lists of token ids.
    """

    model: str
    texts: list[str]
    output_dtype: OutputDtype
    dimension: int | None
    encoding_format: EncodingFormat
    tokens: int
    token_ids: list[list[int]] | None = None
    dimension_field: str = "output_dimension"  # where the dimension was asked for

    @property
    def count(self) -> int:
        """Number of inputs."""
        return len(self.texts if self.token_ids is None else self.token_ids)


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
        Take OpenAI's ``dimensions`` for ``output_dimension``, lists of token ids for texts, as many inputs and tokens
        as OpenAI does, and pass over every other unknown field (``user``).

    Raises
    ------
    RefusalError
        422 for what is malformed, 400 with code "3210" for more inputs or tokens than the limits.
    """
    return request_of(parse_object(body, LENIENT if lenient else STRICT), lenient=lenient)


def request_of(fields: dict[str, Any], *, lenient: bool) -> EmbeddingRequest:
    """Return what the fields of a body ask for; see :func:`parse_request`."""
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
    token_ids = _parse_token_ids(fields["input"]) if lenient else None
    texts = [] if token_ids is not None else _parse_input(fields["input"], lenient=lenient)
    counts = [count_tokens(text) for text in texts] if token_ids is None else [len(ids) for ids in token_ids]
    return EmbeddingRequest(
        model=model,
        texts=texts,
        output_dtype=_parse_choice(OutputDtype, "output_dtype", fields.get("output_dtype")),
        dimension=_parse_dimension(name, fields.get(name)),
        encoding_format=_parse_choice(EncodingFormat, "encoding_format", fields.get("encoding_format")),
        tokens=_check_limits(counts, LENIENT if lenient else STRICT),
        token_ids=token_ids,
        dimension_field=name,
    )


def parse_object(body: bytes, allowed: Allowance) -> dict[str, Any]:
    """Read JSON as its standard has it: UTF-8, no NaN, no name twice in an object."""
    if body.count(b",") > allowed.commas:  # before the parser makes an object of each value
        raise _too_many(
            "Too many values in request, split into more batches. "
            f"Max is {allowed.inputs} inputs and {allowed.tokens} tokens, as strings"
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


def _parse_token_ids(value: Any) -> list[list[int]] | None:
    """Return the lists of token ids that an input is, or None where it begins with something else."""
    if not isinstance(value, list) or not value:
        return None
    if _is_id(value[0]):
        value, alone = [value], True
    elif isinstance(value[0], list) and value[0] and _is_id(value[0][0]):
        alone = False
    else:
        return None
    for position, ids in enumerate(value):
        place: tuple[str | int, ...] = ("input",) if alone else ("input", position)
        if not isinstance(ids, list) or not ids:
            message = "Input should be a list of at least one token id, as those before it are"
            raise RefusalError.invalid("list_type", place, message, ids)
        for number, token in enumerate(ids):
            if not _is_id(token):
                message = "Input should be a token id, a whole number of 0 or more"
                raise RefusalError.invalid("int_type", (*place, number), message, token)
    token_ids: list[list[int]] = value
    return token_ids


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _parse_input(value: Any, *, lenient: bool) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise RefusalError.invalid("too_short", ("input",), "List should have at least 1 item", value)
    for position, text in enumerate(texts):
        path = ("input", position) if isinstance(value, list) else ("input",)
        if not isinstance(text, str):
            is_tokens = isinstance(text, int) or (isinstance(text, list) and all(isinstance(x, int) for x in text))
            hint = _NO_TOKENS if is_tokens and isinstance(value, list) and not lenient else ""
            raise RefusalError.invalid("string_type", path, f"Input should be a valid string{hint}", text)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RefusalError.invalid("string_unicode", path, "Input should be valid unicode", text) from None
    return texts


def _check_limits(counts: list[int], allowed: Allowance) -> int:
    """Return the tokens of all inputs, of which `counts` are those of each."""
    if len(counts) > allowed.inputs:
        raise _too_many(
            f"Too many inputs in request, split into more batches. Max is {allowed.inputs} got {len(counts)}"
        )
    if max(counts) > allowed.input_tokens:
        row = counts.index(max(counts))
        raise _too_many(f"Input {row} has {counts[row]} tokens. Max is {allowed.input_tokens}")
    if sum(counts) > allowed.tokens:
        raise _too_many(f"Too many tokens overall, split into more batches. Max is {allowed.tokens} got {sum(counts)}")
    return sum(counts)


def _too_many(message: str) -> RefusalError:
    return RefusalError.error(message, "invalid_request_prompt", "3210")


def _parse_choice(vocabulary: Any, name: str, value: Any) -> Any:
    if value is None:  # absent, or null, which SDKs send for what they were not told
        value = "float"
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
