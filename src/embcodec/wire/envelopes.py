"""What services write around the rows of a body, by where their profiles look for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from operator import index
from typing import Any

from numpy.typing import NDArray

from .._native.response.write import RowWords, write_rows
from ..dtypes import OutputDtype
from ..profiles import Profile
from ..words import shown
from .service import USAGE, Usage

# This is made once, since making one takes as long as using it. Counts of tokens may be NumPy's whole numbers, which
# operator.index() turns into Python's.
_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=index)
quoted = json.encoder.encode_basestring_ascii

USUAL_ROW = RowWords(b'{"object":"embedding","embedding":', b',"index":', numbered=True)
_COHERE, _TITAN, _VERTEX = "embeddings.{dtype}", "embeddingsByType.{dtype}", "predictions"


def write_body(
    values: NDArray[Any],
    base64: bool,
    profile: Profile,
    dtype: OutputDtype,
    name: str,
    model: str,
    usage: Usage | dict[str, Any] | None,
    threads: int,
) -> bytes:
    """Return the body with rows where the profile looks for them, each the numbers of a list or the bytes of base64.

    `name` is the answer's id as JSON. ValueError where a float is not finite, or a service sends one row a body.
    """
    counts = _counts_of(Usage() if usage is None else usage)
    _text_of(counts)  # what JSON has not is refused by every form, also by one that has no room for it
    dtype_name = "base64" if base64 and "{dtype}" in profile.rows else profile.dtype_name(dtype)
    words = _row_words(profile.item and profile.item.replace("{dtype}", dtype_name))
    head, tail = _around(profile.rows, dtype_name, name, model, counts) if profile.rows else (b"", b"")
    if profile.rows != _TITAN:
        head, tail = head + b"[", b"]" + tail
    elif len(values) != 1:
        way_out = "write embeddings[i : i + 1], one body each"
        raise ValueError(f"a body of {profile.name!r} has one row, not {len(values)}: {way_out}")
    return write_rows(values, base64, words, head, tail, threads)


def usual_tail(usage: Usage | dict[str, Any]) -> bytes:
    """Return what stands behind the rows of Mistral's and OpenAI's form."""
    return f'],"{USAGE}":'.encode() + _text_of(_counts_of(usage)) + b"}"


def rows_text(values: NDArray[Any], base64: bool) -> bytes:
    """Return a list of bare vectors, of rows that are C-contiguous."""
    return write_rows(values, base64, _row_words(None), b"[", b"]", 1)


@lru_cache(64)
def _row_words(item: str | None) -> RowWords:
    """Return what stands around a vector: nothing, or the objects in which it is at the path `item`."""
    return RowWords(*_nested(item)) if item is not None else RowWords(b"", b"")


def _around(path: str, dtype_name: str, name: str, model: str, counts: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return what stands around the rows in an object that has them at a path: what the service says besides them."""
    opening, closing = _nested(path.replace("{dtype}", dtype_name))
    tokens = counts.get("prompt_tokens", counts.get("total_tokens", 0))
    before, after = f'"id":{name},"model":{quoted(model)},'.encode(), b',"usage":' + _text_of(counts)
    if path == _COHERE:
        before = f'"id":{name},'.encode()
        after = b"," + _text_of(cohere_tail(tokens))[1:-1]
    elif path == _TITAN:
        before, after = b"", b',"inputTextTokenCount":' + _text_of(tokens)
    elif path == _VERTEX:
        before, after = b"", b""
    return b"{" + before + opening[1:], closing[:-1] + after + b"}"


def cohere_tail(tokens: Any) -> dict[str, Any]:
    """Return what Cohere says behind embeddings by their types."""
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}}
    return {"meta": meta, "response_type": "embeddings_by_type"}


def _nested(path: str) -> tuple[bytes, bytes]:
    """Return what stands before and behind a value that is in objects at a path of keys."""
    keys = path.split(".")
    return "".join(f"{{{quoted(key)}:" for key in keys).encode(), b"}" * len(keys)


def _counts_of(usage: Usage | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return counts of tokens as a body's ``usage`` has them."""
    if not isinstance(usage, Usage | Mapping):
        raise TypeError(f"usage is a Usage or a mapping, not {shown(usage)}")
    if not isinstance(usage, Usage):
        return usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _text_of(said: Any) -> bytes:
    """Return what is said besides rows, as JSON."""
    try:
        return _JSON.encode(said).encode()
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"usage has what JSON has not: {error}") from None


NO_TOKENS = usual_tail(Usage())
