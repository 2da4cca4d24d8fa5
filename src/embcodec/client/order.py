"""What one call of ``embed`` asks of every request: bodies out of texts, embeddings out of replies."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..dtypes import EncodingFormat, OutputDtype, as_dimension, as_encoding_format, as_output_dtype
from ..embeddings import Embeddings
from ..errors import DecodeError, EmbcodecError, ServiceError, TransportError
from ..wire import EmbeddingResponse, Usage, decode_response, service_error
from ..words import shown
from .reply import Reply
from .settings import Settings
from .transport import is_spent

_LOG = logging.getLogger("embcodec.client")
_TOO_LARGE = frozenset({"3210", "max_tokens_per_request"})
_NOT_UNDERSTOOD = frozenset({400, 404, 422})  # statuses that answer a request for what a service does not have
_NO_SUCH_ENCODING = _NOT_UNDERSTOOD | {415, 501}
_MOST_MODELS = 20  # named in a message
_CAP_BASE, _CAP_TEXT = 1 << 20, 1 << 19  # bytes of an answer: 16,384 dimensions at 32 bytes a text, and room


@dataclass(frozen=True, slots=True)
class Order:
    """Model, dtype, dimension and encoding of a call, in the words of its profile.

    `encoding_format` None asks for base64 where that is safe: for floats, and for codes where `output_dimension` tells
    their length, so that a payload which carries something else is noticed; a service that refuses it is asked for
    lists.
    """

    settings: Settings
    model: str
    output_dtype: OutputDtype
    output_dimension: int | None
    encoding_format: EncodingFormat
    explicit_encoding: bool
    fields: dict[str, Any] = field(repr=False)

    def body(self, texts: Sequence[str]) -> bytes:
        """Return the JSON body that asks for the embeddings of `texts`."""
        content = {**self.fields, self.settings.profile.input_field: texts}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    def cap(self, count: int) -> int:
        """Return the most bytes that an answer to `count` texts may have."""
        return _CAP_BASE + count * _CAP_TEXT

    def interpret(self, reply: Reply, count: int) -> EmbeddingResponse | EmbcodecError:
        """Return the embeddings in `reply`, `count` of them, or the error that it amounts to.

        Nothing is raised, however odd the reply is, and the error has neither a traceback nor the key, even where the
        service repeats it: the frames that read a reply hold it.
        """
        try:
            return self._read(reply, count)
        except EmbcodecError as error:
            failure = error
        except Exception as error:
            failure = DecodeError(f"the answer of {self.settings.host} cannot be read: {type(error).__name__}: {error}")
        return _redacted(failure, self.settings)

    def _read(self, reply: Reply, count: int) -> EmbeddingResponse:
        host = self.settings.host
        if 300 <= reply.status < 400:
            target = reply.headers.get("location", "nowhere")[:200]
            raise TransportError(f"{host} redirects to {target} (status {reply.status}); redirects are not followed")
        if not reply.is_good:
            raise self._explain(_error_of(reply))
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_page = kind.startswith("text/") or kind.endswith(("html", "xml"))
        if is_page and not _begins_as_json(reply.body):  # which is read under whatever name
            beginning = reply.body[:80].decode(errors="replace")
            raise TransportError(f"{host} answered with {kind}, not with JSON: {beginning!r}")
        try:
            return decode_response(
                reply.body,
                output_dtype=self.output_dtype,
                dimension=self.output_dimension,
                profile=self.settings.profile,
                expected_count=count,
            )
        except DecodeError as error:
            if reply.is_framed or error.offset != len(reply.body):
                raise _with_coding(error, reply.headers.get("content-encoding", "")) from None
            cut = f"the answer of {host} broke off after {len(reply.body)} bytes"
            raise TransportError(cut, transient=True) from None
        except ServiceError as error:
            raise self._explain(error) from None

    def _explain(self, error: ServiceError) -> ServiceError:
        said = error.message.lower()
        if error.status == 404:  # a wrong route as often as a wrong model
            error = _with_words(error, f"asked at {self.settings.url.partition('?')[0]}")
        elif (
            error.status in _NOT_UNDERSTOOD
            and self.encoding_format is EncodingFormat.BASE64
            and ("base64" in said or "encoding_format" in said)
        ):
            error = _with_words(error, "base64 was asked for: encoding_format='float' asks for lists")
        if is_spent(error):
            error = _with_words(error, "the account has nothing left to spend: trying again is of no use, see its plan")
        variable = self.settings.withheld_key
        if error.status in (401, 403) and variable:
            error.add_note(
                f"{variable} is set, but goes to {self.settings.profile.base_url} only: "
                f"to send it to {self.settings.host}, pass it as api_key"
            )
        return error

    def refuses_base64(self, error: Exception) -> bool:
        """Whether a service says that it has no base64, and lists may be asked for instead: nobody chose base64."""
        if self.explicit_encoding or not isinstance(error, ServiceError) or error.status not in _NO_SUCH_ENCODING:
            return False
        said = error.message.lower()
        return "base64" in said or "encoding_format" in said or "encoding format" in said

    def with_lists(self) -> Order:
        """Return the order that asks for lists."""
        if self.encoding_format is EncodingFormat.FLOAT:
            return self
        fields = {name: value for name, value in self.fields.items() if name != self.settings.profile.encoding_field}
        return replace(self, encoding_format=EncodingFormat.FLOAT, fields=fields)

    def lacks_model(self, error: Exception) -> bool:
        """Whether a service says that it has no such model."""
        if not isinstance(error, ServiceError) or error.status not in _NOT_UNDERSTOOD:
            return False
        said = error.message.lower()
        return "model" in said and self.model.lower() in said

    def with_models(self, error: ServiceError, models: Sequence[str]) -> EmbcodecError:
        """Return `error` with the names of the models that there are."""
        listed = ", ".join(name[:100] for name in models[:_MOST_MODELS])
        more = f" and {len(models) - _MOST_MODELS} others" if len(models) > _MOST_MODELS else ""
        return _redacted(_with_words(error, f"the service lists {listed}{more}"), self.settings) if models else error

    def note_encoding(self, answer: EmbeddingResponse) -> bool:
        """Say in the log, and return, whether the answer came in another encoding than was asked for."""
        if answer.encoding_format == self.encoding_format:
            return False
        level = logging.WARNING if self.explicit_encoding else logging.INFO
        asked, came = self.encoding_format, answer.encoding_format
        _LOG.log(level, "%s was asked for %s and answered with %s", self.settings.host, asked, came)
        return True


def make_order(
    settings: Settings,
    *,
    model: str,
    output_dtype: str,
    output_dimension: int | None,
    encoding_format: str | None,
    extra: Mapping[str, Any] | None,
) -> Order:
    """Check what a call asks for and put it in the profile's words.

    Raises
    ------
    ValueError
        Where the service has no field for what is asked.
    """
    profile, dtype = settings.profile, as_output_dtype(output_dtype)
    if dtype is OutputDtype.FLOAT and not profile.has_floats:
        raise ValueError(f"{profile.name!r} sends no floats: say output_dtype, one of {', '.join(profile.dtype_names)}")
    if not isinstance(model, str):
        raise TypeError(f"model is the name of a model, not {shown(model)}")
    if not model:
        raise ValueError("model is the name of a model, not ''")
    if not (extra is None or isinstance(extra, Mapping)):
        raise TypeError(f"extra maps names of fields to what JSON has, which {shown(extra)} does not")
    if output_dimension is not None:
        output_dimension = as_dimension(output_dimension, least=1)
    if encoding_format is not None:
        encoding = as_encoding_format(encoding_format)
    else:
        safe = dtype is OutputDtype.FLOAT or output_dimension is not None
        encoding = EncodingFormat.BASE64 if safe and profile.encoding_field else EncodingFormat.FLOAT
    fields: dict[str, Any] = {"model": model}
    if encoding is EncodingFormat.BASE64:
        if profile.encoding_field is None:
            raise ValueError(f"profile {profile.name!r} has no field that asks for base64")
        fields[profile.encoding_field] = str(encoding)
    if dtype is not OutputDtype.FLOAT or profile.dtype_as_list:
        name = profile.dtype_name(dtype)
        place = profile.dtype_field or (profile.encoding_field if dtype in profile.dtype_names else None)
        if place is None:
            raise ValueError(f"profile {profile.name!r} has no field that asks for {dtype}")
        fields[place] = [name] if profile.dtype_as_list else name
    if output_dimension is not None:
        if profile.dimension_field is None:
            raise ValueError(f"profile {profile.name!r} has no field that asks for a dimension")
        fields[profile.dimension_field] = output_dimension
    clash = sorted({*fields, profile.input_field} & set(extra or ()))
    if clash:
        raise ValueError(f"extra repeats {', '.join(clash)}")
    fields |= extra or {}
    try:
        json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"model and extra are what JSON has: {error}") from None
    return Order(settings, model, dtype, output_dimension, encoding, encoding_format is not None, fields)


def is_too_large(error: Exception) -> bool:
    """Whether a service refused a request for its size: fewer texts may pass."""
    if not isinstance(error, ServiceError):
        return False
    return (
        error.status == 413
        or error.code in _TOO_LARGE
        or (error.status in (400, 422) and error.message.lower().startswith(("too many tokens", "too many inputs")))
    )


def merge(answers: Sequence[EmbeddingResponse], starts: Sequence[int]) -> EmbeddingResponse:
    """Return one answer out of several, in their order, usage summed.

    Raises
    ------
    DecodeError
        Where two answers are of different dimensions; `starts` (the first text of each) name them.
    """
    first = answers[0]
    if len(answers) == 1:
        return first
    for answer, start in zip(answers, starts, strict=True):
        if answer.embeddings.meaning != first.embeddings.meaning:
            found, wanted = answer.embeddings.dimension, first.embeddings.dimension
            raise DecodeError(
                f"texts from {start} on came with {found} dimensions, those from {starts[0]} on with {wanted}"
            )
    like = first.embeddings
    values = np.concatenate([answer.embeddings.values for answer in answers])
    return EmbeddingResponse(
        Embeddings(values, like.output_dtype, like.dimension, like.scale, like.signed_bytes, like.bit_order),
        first.model,
        sum((answer.usage for answer in answers), Usage()),
        first.id,
        first.encoding_format,
        _sum_counts([answer.raw_usage for answer in answers if answer.raw_usage is not None]),
    )


def _sum_counts(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the sum of every number of the services' own usages, and the first of what is not a number."""
    total: dict[str, Any] = {}
    for usage in usages:
        for name, value in usage.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and isinstance(total.get(name), int | float):
                total[name] += value
            elif total.get(name) is None:
                total[name] = value
    return total if usages else None


def _begins_as_json(body: bytes) -> bool:
    """Whether a body may be JSON by its first character, in any encoding of Unicode."""
    start = body[:64]
    text = start.decode(json.detect_encoding(start), "ignore")
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def _error_of(reply: Reply) -> ServiceError:
    try:
        return service_error(reply.body, reply.status, reply.headers)
    except Exception:  # too deep, or odd in another way: the status says enough
        return ServiceError("the service gave a reason that cannot be read", status=reply.status)


def _with_coding(error: DecodeError, coding: str) -> DecodeError:
    """Return the error, naming the coding that the body came in, where that was not asked for."""
    if coding.strip().lower() in ("", "identity", "gzip", "x-gzip"):
        return error
    reason = f"{error.reason}; the body came with the content-encoding {coding[:20]}, though only gzip was asked for"
    return DecodeError(reason, offset=error.offset, row=error.row, line=error.line)


def _with_words(error: ServiceError, words: str) -> ServiceError:
    """Return `error` with something to go on in its message."""
    return ServiceError(
        f"{error.message} ({words})",
        status=error.status,
        type=error.type,
        code=error.code,
        retry_after=error.retry_after,
    )


def _redacted(error: EmbcodecError, settings: Settings) -> EmbcodecError:
    """Return `error` without traceback and context, or one like it where a service has put the key into its words."""
    error = error.with_traceback(None)
    error.__cause__ = error.__context__ = None
    notes = getattr(error, "__notes__", [])
    words = f"{error} {error.__dict__}"
    if settings.redact(words) == words:
        return error
    clean = {
        name: settings.redact(value) if isinstance(value, str) else value for name, value in error.__dict__.items()
    }
    clean.pop("__notes__", None)
    reason = next((clean.pop(name) for name in ("message", "reason") if name in clean), settings.redact(str(error)))
    failure = type(error)(reason, **clean)
    for note in notes:
        failure.add_note(settings.redact(note))
    return failure
