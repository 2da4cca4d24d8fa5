"""Whole bodies: what services answer <-> :class:`~embcodec.embeddings.Embeddings`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._native import core
from ._native import response as native
from .dtypes import EncodingFormat, OutputDtype
from .embeddings import Embeddings
from .errors import DecodeError
from .profiles import Profile, resolve_profile
from .service import Usage, looks_like_error, service_error

__all__ = ["EmbeddingResponse", "Usage", "decode_response", "encode_response", "service_error"]


@dataclass(frozen=True, slots=True)
class EmbeddingResponse:
    """A service's answer.

    Attributes
    ----------
    embeddings : Embeddings
        The vectors, in the order of their indices.
    model : str or None
        The model's name, as the service says it.
    usage : Usage
        Tokens; 0 where the service does not say.
    id : str or None
    encoding_format : {"float", "base64"}
        As the vectors *arrived*, which need not be what was asked.
    raw_usage : dict or None
        The body's own ``usage``.
    """

    embeddings: Embeddings
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    id: str | None = None
    encoding_format: EncodingFormat = EncodingFormat.FLOAT
    raw_usage: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.embeddings)


def decode_response(
    body: Any,
    *,
    output_dtype: str = "float",
    dimension: int | None = None,
    profile: str | Profile = "mistral",
    nulls: Literal["error", "nan"] = "error",
    expected_count: int | None = None,
    threads: int | None = None,
) -> EmbeddingResponse:
    """Decode the body of an embeddings service's answer.

    Whether vectors are lists or base64 is decided by what arrived. The whole body is checked to be JSON.

    Parameters
    ----------
    body : bytes, bytearray, memoryview or str
        JSON in UTF-8. Offsets in errors count bytes of it (of its UTF-8 form, for a str).
    output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
        What was asked for: nothing in a body tells.
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
    dtype = OutputDtype(output_dtype)
    service = resolve_profile(profile)
    if nulls not in ("error", "nan"):
        raise ValueError(f"nulls is 'error' or 'nan', not {nulls!r}")
    if nulls == "nan" and dtype is not OutputDtype.FLOAT:
        raise ValueError(f"{dtype} codes have no NaN: nulls='nan' is for float")
    if dimension is not None and dimension < 1:
        raise ValueError(f"dimension must be at least 1, not {dimension}")
    text = _as_bytes(body)
    n = len(text)
    width = None if dimension is None else dtype.row_width(dimension)
    payload = _payload(service, dtype)
    layout = _layout(service.rows, service.item, service.dtype_name(dtype), payload, dtype, nulls == "nan")
    source = text if isinstance(text, bytes) else core.ffi.from_buffer(text)
    workers = core.default_threads(threads, n)
    rows = native.read_rows(source, n, layout, width, workers)
    if rows.list_start < 0 and payload != native.NO_STRINGS and "{dtype}" in service.rows:
        layout = _layout(service.rows, service.item, "base64", payload, dtype, nulls == "nan")
        rows = native.read_rows(source, n, layout, width, workers)
    envelope = _envelope(text, rows)
    if rows.list_start < 0 or (rows.values is None and expected_count != 0) or "error" in envelope:
        _refuse(envelope, service, rows)
    values = rows.values
    if values is None:
        values = np.empty((0, width or 0), dtype.numpy_dtype)
        dimension = dimension or 0
    if expected_count is not None and len(values) != expected_count:
        words = f"{len(values)} embeddings came where {expected_count} were asked for"
        raise DecodeError(words, offset=rows.list_start)
    usage = envelope.get("usage")
    return EmbeddingResponse(
        _typed(values, dtype, dimension, service),
        _text(envelope.get("model")),
        Usage.from_envelope(envelope),
        _text(envelope.get("id")),
        EncodingFormat.BASE64 if rows.kind == native.STRING else EncodingFormat.FLOAT,
        usage if isinstance(usage, dict) else None,
    )


def encode_response(
    embeddings: Embeddings,
    *,
    model: str,
    encoding_format: str = "float",
    usage: Usage | dict[str, Any] | None = None,
    id: str | None = None,
    profile: str | Profile = "mistral",
) -> bytes:
    """Write the body that a server of the endpoint sends.

    Parameters
    ----------
    embeddings : Embeddings
        The rows, all of them finite.
    model : str
    encoding_format : {"float", "base64"}
        Lists of numbers, or base64 strings: of float32, little-endian, or of the codes' own bytes.
    usage : Usage or dict, optional
        Written as it is; zeros by default.
    id : str, optional
        By default ``"0"``: clients require one.
    profile : str or Profile
        Whose base64 is to be written.

    Returns
    -------
    bytes
        ``{"id", "object", "model", "data", "usage"}``, JSON in ASCII.

    Raises
    ------
    ValueError
        Where a value is not finite, or the profile has no form for these codes.

    Examples
    --------
    >>> rows = Embeddings([[1.0, 2.0]])
    >>> encode_response(rows, model="m", encoding_format="base64", usage={"total_tokens": 1})
    b'{"id":"0","object":"list","model":"m","data":[{"object":"embedding","embedding":"AACAPwAAAEA=","index":0}],"usage":{"total_tokens":1}}'
    """
    encoding = EncodingFormat(encoding_format)
    service = resolve_profile(profile)
    if not isinstance(embeddings, Embeddings):
        raise TypeError(f"rows to encode are Embeddings, not {type(embeddings).__name__}")
    values = _as_sent(embeddings, encoding, service)
    if usage is None:
        usage = Usage()
    if isinstance(usage, Usage):
        usage = {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
    start = {"id": "0" if id is None else id, "object": "list", "model": model}
    head = json.dumps(start, separators=(",", ":"))[:-1] + ',"data":'
    tail = ',"usage":' + json.dumps(usage, separators=(",", ":"), allow_nan=False) + "}"
    return native.write_rows(values, encoding is EncodingFormat.BASE64, head.encode(), tail.encode())


def _as_bytes(body: Any) -> bytes | memoryview:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError as error:
            offset = len(body[: error.start].encode())
            raise DecodeError("a lone surrogate in the text", offset=offset) from None
    try:
        return memoryview(body).cast("B")
    except TypeError:
        raise TypeError(f"a body is bytes, a contiguous buffer or str, not {type(body).__name__}") from None


def _payload(service: Profile, dtype: OutputDtype) -> int:
    if dtype is OutputDtype.FLOAT:
        return native.PAYLOADS[service.base64_dtype, service.byte_order]
    return native.PAYLOADS["float32", "little"] if service.base64_payload == "codes" else native.NO_STRINGS


@lru_cache(maxsize=256)
def _layout(
    rows: str, item: str | None, name: str, payload: int, dtype: OutputDtype, nulls_as_nan: bool
) -> native.Layout:
    rows_keys = rows.replace("{dtype}", name).split(".") if rows else []
    item_keys = item.replace("{dtype}", name).split(".") if item else []
    path = "".join(key + "\0" for key in (*rows_keys, *item_keys)).encode()
    return native.Layout(path, len(rows_keys), len(item_keys), dtype.numpy_dtype, payload, nulls_as_nan)


def _envelope(text: bytes | memoryview, rows: native.Rows) -> dict[str, Any]:
    """Return what stands around the list of rows, the list itself left out."""
    around = bytes(text) if rows.list_start < 0 else b"[]".join((text[: rows.list_start], text[rows.list_end :]))
    try:
        found = json.loads(around.removeprefix(native.BOM))
    except RecursionError:  # pragma: no cover - the scanner's cap is far below
        raise DecodeError("nested too deep") from None
    return found if isinstance(found, dict) else {}


def _refuse(envelope: dict[str, Any], service: Profile, rows: native.Rows) -> None:
    """Raise what a body without vectors, or with an error beside them, stands for."""
    if looks_like_error(envelope):
        raise service_error(envelope)
    if rows.list_start < 0:
        where = f"at {service.rows!r}" if service.rows else "as the body"
        raise DecodeError(f"no list of embeddings {where}", offset=0)
    if rows.values is None:
        raise DecodeError("no embeddings", offset=rows.list_start)


def _typed(values: NDArray[Any], dtype: OutputDtype, dimension: int | None, service: Profile) -> Embeddings:
    try:
        return Embeddings(values, dtype, dimension, signed_bytes=service.signed_bytes, bit_order=service.bit_order)
    except ValueError as error:
        raise DecodeError(str(error)) from None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _as_sent(embeddings: Embeddings, encoding: EncodingFormat, service: Profile) -> NDArray[Any]:
    """Return the matrix whose numbers, or bytes, the profile sends for these embeddings."""
    dtype, values = embeddings.output_dtype, embeddings.values
    if dtype is OutputDtype.BINARY and embeddings.signed_bytes != service.signed_bytes:
        values = values ^ np.int8(-128)
    if dtype.is_packed and embeddings.bit_order != service.bit_order:
        values = np.packbits(np.unpackbits(values.view(np.uint8), axis=1, bitorder="little"), axis=1).view(values.dtype)
    if encoding is EncodingFormat.FLOAT:
        return values
    if dtype is not OutputDtype.FLOAT:
        if service.base64_payload != "codes":
            raise ValueError(f"base64 of {service.name!r} carries float32, not {dtype} codes: send them as lists")
        return values
    if (service.base64_dtype, service.byte_order) == ("float32", "little"):
        return values
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    return _float_bytes(values, service)


def _float_bytes(values: NDArray[np.float32], service: Profile) -> NDArray[np.uint8]:
    order = ">" if service.byte_order == "big" else "<"
    if service.base64_dtype == "bfloat16":
        bits = values.view(np.uint32)
        to_even = np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
        sent: NDArray[Any] = ((bits + to_even) >> np.uint32(16)).astype(order + "u2")
    else:
        sent = values.astype(order + ("f2" if service.base64_dtype == "float16" else "f4"))
    return sent.view(np.uint8)
