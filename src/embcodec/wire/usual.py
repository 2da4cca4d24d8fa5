"""The usual answer to one input, the commonest body there is: read in one call of C, without a parser of JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .._native.core import ffi
from .._native.response.layout import STRING
from .._native.response.usual import NO_USAGE, USAGE_KEYS, read_usual
from ..dtypes import EncodingFormat
from ..embeddings import Embeddings, with_values
from .answer import EmbeddingResponse, make_answer
from .service import USAGE, Usage, make_usage

LONGEST = 1 << 20  # bytes: longer bodies are read otherwise
_FLOAT, _BASE64 = EncodingFormat.FLOAT, EncodingFormat.BASE64
_NO_TOKENS = Usage()
_empty, _from_buffer = np.empty, ffi.from_buffer


class UsualAnswers:
    """Reads answers with one vector like that of `alike`; any other is left to the other readers.

    Reading the numbers takes a fraction of a microsecond, so that what surrounds the call of C has to be little: what
    it needs is made once and used again. Calls may be concurrent, since nothing of this is ever changed.
    """

    __slots__ = ("_alike", "_dtype", "_form", "_shape")

    def __init__(self, form: Any, alike: Embeddings) -> None:
        self._form, self._alike = form, alike
        self._shape, self._dtype = alike.values.shape, alike.values.dtype

    def read(self, body: bytes) -> EmbeddingResponse | None:
        """Return what a body says, or None where it says anything that is not usual."""
        n = len(body)
        if n > LONGEST:
            return None
        values = _empty(self._shape, self._dtype)
        said = read_usual(body, n, self._form, _from_buffer(values))
        kind = said.kind
        if not kind:
            return None
        start, model_start = said.id_start, said.model_start
        usage, raw = _usage_of(body, said)
        return make_answer(
            with_values(self._alike, values),
            None if model_start < 0 else body[model_start : said.model_end].decode(),
            usage,
            None if start < 0 else body[start : said.id_end].decode(),
            _BASE64 if kind == STRING else _FLOAT,
            raw,
        )


def _usage_of(body: bytes, said: Any) -> tuple[Usage, dict[str, Any] | None]:
    """Return the tokens counted, and the body's own usage."""
    number = said.usage_keys
    if number == NO_USAGE:
        return _NO_TOKENS, None
    keys = USAGE_KEYS.get(number)
    if keys is None:
        raw = json.loads(body[said.usage_start : said.usage_end])
        return Usage.from_envelope({USAGE: raw}), raw
    prompt, completion, total = said.prompt, said.completion, said.total
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return make_usage(prompt, completion, total, keys), {key: counts[key] for key in keys}
