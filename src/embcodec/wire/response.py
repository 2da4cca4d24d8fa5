"""Whole bodies: what services answer <-> :class:`~embcodec.embeddings.Embeddings`."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from .._native.core import default_threads
from .._native.floats import PAYLOADS
from .._native.response.write import write_rows
from ..codec import narrowed_floats, unpack_bits
from ..dtypes import (
    EncodingFormat,
    EncodingFormatLike,
    Nulls,
    OutputDtype,
    OutputDtypeLike,
    TextLike,
    as_dimension,
    as_encoding_format,
)
from ..embeddings import Embeddings, of_floats
from ..profiles import Profile, resolve_profile
from ..scale import UNIT
from ..words import shown
from .answer import EmbeddingResponse
from .decoder import decoder_for
from .envelopes import NO_TOKENS, USUAL_ROW, quoted, usual_tail, write_body
from .service import Usage

_SMALL = 1 << 16  # bytes of a matrix that no second thread is asked for
_BASE64_PACE, _CODES_PACE, _FLOATS_PACE = 0.1, 0.3, 2.0  # nanoseconds a byte of a matrix; the last two as lists


def decode_response(
    body: TextLike,
    *,
    output_dtype: OutputDtypeLike = "float",
    dimension: int | None = None,
    profile: str | Profile = "mistral",
    nulls: Nulls = "error",
    expected_count: int | None = None,
    threads: int | None = None,
) -> EmbeddingResponse:
    """Decode the body of an embeddings service's answer.

    Whether vectors are lists or base64 is decided by what arrived. The whole body is checked to be JSON.

    Parameters
    ----------
    body : bytes, bytearray, memoryview or str
        JSON in UTF-8: of an HTTP response its ``content``. Offsets in errors count bytes of it (of its UTF-8 form, for
        a str).
    output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
        What was asked for: nothing in a body tells. Base64 that cannot be of this dtype is refused, with the one that
        it reads like; so are lists of sixteen whole numbers or more that are codes, where floats were asked for.
    dimension : int, optional
        What the vectors must have; by default what the first one has (for bits eight times its bytes).
    profile : str or Profile
        How the service packs vectors.
    nulls : {"error", "nan"}
        What null, NaN, Infinity and numbers beyond float32 are: an error, or NaN (float only).
    expected_count : int, optional
        How many vectors there must be. Without it any number but none will do.
    threads : int, optional
        By default all cores for large bodies, one for small ones.

    Returns
    -------
    EmbeddingResponse
        Its arrays are new, owned and writable: float32, int8 or uint8, shape (n, width).

    Raises
    ------
    ServiceError
        Where the body is a service's error.
    DecodeError
        Where the body is malformed, or its vectors are not what they should be; with ``offset`` and ``row``.

    Examples
    --------
    >>> body = b'{"model": "m", "data": [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": "AACAPwAAAEA="}]}'
    >>> answer = decode_response(body)
    >>> answer.embeddings.values.tolist(), answer.model, str(answer.encoding_format)
    ([[1.0, 2.0], [3.0, 4.0]], 'm', 'float')
    >>> decode_response(b'{"data": [{"embedding": [1, 300]}]}', output_dtype="int8")
    Traceback (most recent call last):
    ...
    embcodec.errors.DecodeError: a number out of the type's range (row 0, byte 28)
    """
    if expected_count is not None:
        expected_count = as_dimension(expected_count, name="expected_count")
    return decoder_for(output_dtype, dimension, profile, nulls).decode(body, expected_count, threads)


def encode_response(
    embeddings: Embeddings | ArrayLike,
    *,
    model: str,
    encoding_format: EncodingFormatLike = "float",
    usage: Usage | dict[str, Any] | None = None,
    id: str | None = None,
    profile: str | Profile = "mistral",
    threads: int | None = None,
) -> bytes:
    """Write the body that a service sends, which :func:`decode_response` reads by the same profile.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
        The rows, all of them finite.
    model : str
    encoding_format : {"float", "base64"}
        Lists of numbers, or base64 strings: of float32, little-endian, or of the codes' own bytes.
    usage : Usage or dict, optional
        Written as it is; zeros by default. Of Cohere's and Titan's bodies the tokens of the prompt.
    id : str, optional
        By default ``"0"``: clients require one.
    profile : str or Profile
        Whose form is written: rows at the profile's `rows` and `item`, and its base64. Most services send Mistral's and
        OpenAI's form. Others leave out what they have no place for: Cohere's bodies `model`, Titan's that and `id`,
        Vertex's `usage` too; and a body that is itself the list of rows, as Hugging Face's, has nothing else.
    threads : int, optional
        By default all cores for large matrices, one for small ones.

    Returns
    -------
    bytes
        JSON in ASCII: ``{"id", "object", "model", "data", "usage"}``, or what the profile's service sends.

    Raises
    ------
    ValueError
        Where a value is not finite, or the profile has no form for these codes, as none has for integers with ranges or
        scales of their own: a body says dtype and numbers alone; and for several rows where its bodies have one.

    Examples
    --------
    >>> encode_response([[1.0, 2.0]], model="m", profile="huggingface")
    b'[[1.0,2.0]]'
    >>> rows = Embeddings([[1.0, 2.0]])
    >>> encode_response(rows, model="m", encoding_format="base64", usage={"total_tokens": 1})
    b'{"id":"0","object":"list","model":"m","data":[{"object":"embedding","embedding":"AACAPwAAAEA=","index":0}],"usage":{"total_tokens":1}}'
    """
    encoding = as_encoding_format(encoding_format)
    service = resolve_profile(profile)
    rows = of_floats(embeddings, "embeddings")
    values = _as_sent(rows, encoding, service)
    if not isinstance(model, str):
        raise TypeError(f"model is the name of a model, a str, not {shown(model)}")
    if not (id is None or isinstance(id, str)):
        raise TypeError(f"id is what the answer is called, a str, not {shown(id)}")
    workers = 1
    if threads is not None or values.nbytes > _SMALL:
        lists = _FLOATS_PACE if values.dtype.kind == "f" else _CODES_PACE
        pace = lists if encoding is EncodingFormat.FLOAT else _BASE64_PACE
        workers = default_threads(threads, values.nbytes * pace)
    is_base64, name = encoding is EncodingFormat.BASE64, '"0"' if id is None else quoted(id)
    if service.rows == "data" and service.item == "embedding":
        head = f'{{"id":{name},"object":"list","model":{quoted(model)},"data":['
        tail = NO_TOKENS if usage is None else usual_tail(usage)
        return write_rows(values, is_base64, USUAL_ROW, head.encode(), tail, workers)
    return write_body(values, is_base64, service, rows.output_dtype, name, model, usage, workers)


def _as_sent(embeddings: Embeddings, encoding: EncodingFormat, service: Profile) -> NDArray[Any]:
    """Return the matrix to write: its elements as the numbers of lists, or its bytes as base64.

    Raises ValueError where the profile's service has no such form for these codes.
    """
    dtype, scale = embeddings.output_dtype, embeddings.scale
    if scale is not None and scale.kind != UNIT:
        raise ValueError(
            f"a body has no room for the {scale.kind} scale: send the values, embeddings.to('float'), or codes of the "
            f"unit scale, embeddings.to('{dtype}', scale='unit')"
        )
    if dtype.is_packed:
        signed, order = service.signed_bytes, service.bit_order
        values = embeddings.to(dtype, signed_bytes=signed, bit_order=order).values
        if service.bits_as_numbers:
            values = unpack_bits(values, embeddings.dimension, bit_order=order, signed_bytes=signed)
    else:
        values = embeddings.values
    if encoding is EncodingFormat.FLOAT:
        return values
    if service.base64_payload == "none" or (dtype is OutputDtype.FLOAT and not service.has_floats):
        raise ValueError(f"{service.name!r} has no base64 of {dtype}: send lists")
    if service.base64_urlsafe:
        raise ValueError(f"URL-safe base64, as {service.name!r} has it, is read but not written: send lists")
    if dtype is not OutputDtype.FLOAT:
        if service.base64_payload != "codes":
            raise ValueError(f"base64 of {service.name!r} carries float32, not {dtype} codes: send them as lists")
        return values
    payload = PAYLOADS[service.base64_dtype, service.byte_order]
    return narrowed_floats(values, payload) if payload != PAYLOADS["float32", "little"] else values
