"""How clients read what they are answered, so that none reads codes for floats, or an error for nothing.

The service's base64 of int8, uint8 and bits carries the codes' own bytes, and a client must know the type that it asked
for. The OpenAI clients do not: most ask for base64 by themselves, unless they are told ``encoding_format``, and read it
as float32 whatever ``output_dtype`` says. On the wire a user's own wish for base64 looks the same. So, where codes are
asked for as base64 by a client that calls itself an OpenAI one:

- Python takes lists where it asked for base64, and is answered lists;
- Node and the others would take a list for base64: they are refused, and told to ask for ``encoding_format: "float"``,
  which gives lists of codes.

Everyone else gets what was asked: base64 of float32, or of the codes' bytes.

Of a refusal, the OpenAI clients but Python's, and those of Vercel's ``ai``, show what is under ``error`` and nothing
else: it is there for them. Python's shows a ``message``, and of a ``detail`` nothing: it has both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..dtypes import EncodingFormat, OutputDtype
from .request import EmbeddingRequest, RefusalError


def fit_reader(request: EmbeddingRequest, headers: Mapping[str, str]) -> EmbeddingRequest:
    """Return the request with the encoding that its client reads right.

    Parameters
    ----------
    request : EmbeddingRequest
    headers : mapping of str to str
        The request's, names in lower case.

    Raises
    ------
    RefusalError
        422 for codes as base64 that the client would read as float32.

    Examples
    --------
    >>> asked = EmbeddingRequest("m", ["text"], OutputDtype.INT8, None, EncodingFormat.BASE64, 2)
    >>> str(fit_reader(asked, {"user-agent": "OpenAI/Python 2.0"}).encoding_format)
    'float'
    >>> str(fit_reader(asked, {"user-agent": "curl/8"}).encoding_format)
    'base64'
    """
    if request.encoding_format is EncodingFormat.FLOAT or request.output_dtype is OutputDtype.FLOAT:
        return request
    language = _openai_language(headers)
    if language is None:
        return request
    if language == "python":
        return replace(request, encoding_format=EncodingFormat.FLOAT)
    message = (
        "This client reads every base64 string as float32: to get "
        f"{request.output_dtype} codes ask for encoding_format 'float', which gives lists of integers"
    )
    raise RefusalError.invalid("value_error", ("encoding_format",), message, "base64")


_CODES = {"1500": "model_not_found"}  # of the service's codes, those that OpenAI has a word for


def fit_refusal(body: dict[str, Any], headers: Mapping[str, str], *, lenient: bool = False) -> dict[str, Any]:
    """Return the body of a refusal with what its client shows of it; of a `lenient` server, in OpenAI's form as well.

    Examples
    --------
    >>> fit_refusal({"detail": "Unauthorized"}, {"x-stainless-lang": "js"})["error"]["message"]
    'Unauthorized'
    """
    language = _openai_language(headers)
    if not lenient and "ai-sdk/" not in headers.get("user-agent", "") and language is None:
        return body
    detail = body.get("message", body.get("detail"))
    param = None
    if isinstance(detail, list):
        param = ".".join(map(str, detail[0]["loc"][1:])) or None
        detail = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in detail)
    if language == "python" and not lenient:
        return {**body, "message": detail}
    kind, code = body.get("type", "invalid_request_error"), body.get("code")
    return {**body, "error": {"message": detail, "type": kind, "param": param, "code": _CODES.get(str(code), code)}}


def _openai_language(headers: Mapping[str, str]) -> str | None:
    """Return the language of an OpenAI client, "" for one that does not say, None for any other client."""
    agent = headers.get("user-agent", "").lower()
    language = headers.get("x-stainless-lang", "").strip().lower()
    if language:
        return language
    if "openai" not in agent:
        return None
    return "python" if "python" in agent else ""
