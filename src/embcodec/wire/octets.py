"""Answers that are not JSON: the body is the vectors' bytes, and a header says where each is and of what type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .._native import bits as native_bits
from .._native import floats as native
from .._native.response.hints import misread_bytes
from ..dtypes import NULLS, Nulls, TextLike, as_dimension
from ..embeddings import Embeddings
from ..errors import DecodeError, NotFiniteError
from ..profiles import Profile, resolve_profile
from ..words import one_of
from .answer import EmbeddingResponse, answer_of
from .body import as_bytes, kind_of_bytes
from .service import looks_like_error, service_error

_TEXT = 16  # where so many first bytes are all characters, and begin as JSON does, they are no floats


@dataclass(frozen=True, slots=True)
class _Row:
    """Where in the body a vector is, and in what form."""

    start: int
    width: int
    payload: int

    @property
    def end(self) -> int:
        return self.start + self.width * native.item_bytes(self.payload)


def decode_octets(
    body: TextLike,
    metadata: str | bytes | Mapping[str, Any] | None = None,
    *,
    dimension: int | None = None,
    profile: str | Profile = "vllm",
    nulls: Nulls = "error",
    expected_count: int | None = None,
) -> EmbeddingResponse:
    """Decode the body of an answer of type ``application/octet-stream``, as vLLM sends for ``encoding_format="bytes"``.

    Parameters
    ----------
    body : bytes-like
        The vectors' floats.
    metadata : str, bytes or mapping, optional
        The answer's header of that name, JSON: where each vector is, its dtype and byte order. Without it (vLLM's
        ``"bytes_only"``) vectors follow each other in the order of the inputs, in the profile's ``base64_dtype`` and
        ``byte_order``, and `dimension` or `expected_count` says how many there are.
    dimension, expected_count : int, optional
        What the vectors must have, and how many there must be.
    profile : str or Profile
    nulls : {"error", "nan"}
        What NaN and infinities are: an error, or NaN.

    Returns
    -------
    EmbeddingResponse
        Its float32 array (n, dimension) is new, owned and writable; its ``encoding_format`` is None.

    Raises
    ------
    DecodeError
        Where header and body contradict each other or what was asked, as where no vector has some of the bytes; with
        ``row`` and ``offset`` in the body.

    Examples
    --------
    >>> item = {"index": 0, "embed_dtype": "float16", "endianness": "little", "start": 0, "end": 4, "shape": [2]}
    >>> decode_octets(bytes.fromhex("003c00c0"), {"model": "m", "data": [item]}).embeddings.values
    array([[ 1., -2.]], dtype=float32)
    >>> decode_octets(bytes.fromhex("0000803f000000c0"), dimension=1).embeddings.values.tolist()
    [[1.0], [-2.0]]
    """
    one_of(nulls, NULLS, "nulls")
    dimension = None if dimension is None else as_dimension(dimension, least=1)
    if expected_count is not None:
        expected_count = as_dimension(expected_count, name="expected_count")
    text = as_bytes(body)
    about: Mapping[str, Any] = {}
    if metadata is None:
        _refuse_text(text)
        rows = _rows_in_order(len(text), dimension, resolve_profile(profile), expected_count)
    else:
        about = metadata if isinstance(metadata, Mapping) else _parsed(metadata)
        rows = _rows_of(about, len(text))
    if expected_count is not None and len(rows) != expected_count:
        raise DecodeError(f"{len(rows)} embeddings came where {expected_count} were asked for", offset=0)
    if not rows and expected_count != 0:
        raise DecodeError("no embeddings", offset=0)
    width = rows[0].width if rows and dimension is None else dimension or 0
    for number, row in enumerate(rows):
        if row.width != width:
            raise DecodeError(f"{row.width} dimensions where {width} are wanted", offset=row.start, row=number)
    if metadata is not None:
        _refuse_uncovered(rows, len(text))
    values = np.empty((len(rows), width), np.float32)
    _fill(values, text, rows)
    if metadata is None and rows:  # with metadata, the service itself has said what type the bytes are
        wrong = misread_bytes(values, rows[0].payload)
        if wrong:
            raise DecodeError(_way(wrong[1]), offset=rows[wrong[0]].start, row=wrong[0])
    _check(values, rows, nulls == "nan")
    return answer_of(Embeddings(values), dict(about), None)


def _refuse_text(text: bytes | memoryview) -> None:
    """Refuse an error of the service, and other text, whose length may be that of rows of floats."""
    start = bytes(text[:_TEXT])
    if len(start) < _TEXT // 2 or not (start.isascii() and start.lstrip()[:1] in (b"{", b"[", b"<")):
        return
    kind = kind_of_bytes(start.lstrip())
    if kind == "HTML or XML" and start.decode().isprintable():
        raise DecodeError(f"no bare floats: the body is {kind}", offset=0)
    try:
        document = json.loads(bytes(text))
    except (ValueError, RecursionError):
        return
    if looks_like_error(document):
        raise service_error(document)
    raise DecodeError("no bare floats: the body is JSON, which decode_response reads", offset=0)


def _way(words: str) -> str:
    """Reword the advice of misread_bytes(), which is to give decode_response() another output dtype.

    decode_octets() has no such argument. Bytes that look like codes are read by NumPy.
    """
    what, colon, ways = words.partition(": say output_dtype=")
    if not colon:
        return words
    dtype = "int8" if ways.startswith("'int8'") else "uint8"
    return f"{what}; of codes np.frombuffer(body, {dtype!r}) makes an array, and Embeddings the rest"


def _parsed(metadata: str | bytes) -> Mapping[str, Any]:
    if not isinstance(metadata, str | bytes | bytearray):
        raise TypeError(f"metadata is the header's text, or a mapping, not {type(metadata).__name__}")
    try:
        about = json.loads(metadata)
    except (ValueError, RecursionError):
        raise DecodeError("the metadata is not JSON") from None
    if not isinstance(about, dict):
        raise DecodeError("the metadata is not a JSON object")
    return about


def _rows_in_order(n: int, dimension: int | None, profile: Profile, expected_count: int | None) -> list[_Row]:
    """Return the rows of a body of n bytes without metadata: equally long, one behind the other."""
    payload = native.PAYLOADS[profile.base64_dtype, profile.byte_order]
    size = native.item_bytes(payload)
    if dimension is None:
        if expected_count is None:
            raise ValueError("without metadata, dimension or expected_count must be given")
        dimension = n // size // expected_count if expected_count else 1
    row_bytes = dimension * size
    if not row_bytes or n % row_bytes:
        raise DecodeError(f"{n} bytes are no rows of {dimension} {profile.base64_dtype}", offset=n)
    return [_Row(start, dimension, payload) for start in range(0, n, row_bytes)]


def _rows_of(about: Mapping[str, Any], n: int) -> list[_Row]:
    """Return the rows that the metadata tells of, in the order of their indices."""
    items = about.get("data")
    if not isinstance(items, list):
        raise DecodeError("the metadata has no list 'data'")
    rows: list[_Row | None] = [None] * len(items)
    for item in items:
        index = item.get("index") if isinstance(item, Mapping) else None
        if not _is_count(index) or index >= len(items):
            raise DecodeError(f"an index is {index!r} among {len(items)} embeddings")
        if rows[index] is not None:
            raise DecodeError("an index given twice", row=index)
        rows[index] = _row_of(item, index, n)
    found = [row for row in rows if row is not None]
    end = 0
    for index, row in sorted(enumerate(found), key=lambda pair: pair[1].start):
        if row.start < end:
            raise DecodeError("bytes that two embeddings share", offset=row.start, row=index)
        end = row.end
    return found


def _refuse_uncovered(rows: list[_Row], n: int) -> None:
    """Refuse bytes of the body that no embedding of the metadata has: another count, or another body, was meant."""
    end = 0
    for start, following in sorted([*((row.start, row.end) for row in rows), (n, n)]):
        if start != end:
            raise DecodeError(f"bytes {end} to {start} of a body of {n} are in no embedding", offset=end)
        end = following


def _row_of(item: Mapping[str, Any], index: int, n: int) -> _Row:
    """Return the row that an item of the metadata describes: one vector, within the n bytes of the body."""
    order = item.get("endianness", "little")
    form = item.get("embed_dtype"), "little" if order == "native" else order
    if not all(isinstance(word, str) for word in form) or form not in native.PAYLOADS:
        raise DecodeError(f"unknown embed_dtype and endianness {form}", row=index)
    payload = native.PAYLOADS[form]
    start, end, shape = item.get("start"), item.get("end"), item.get("shape")
    if not (_is_count(start) and _is_count(end) and start <= end <= n):
        raise DecodeError(f"from byte {start!r} to {end!r} of a body of {n}", row=index)
    if not isinstance(shape, list) or not shape or not all(_is_count(length) for length in shape):
        raise DecodeError(f"no shape: {shape!r}", row=index)
    width, size = shape[-1], native.item_bytes(payload)
    if not width or any(length != 1 for length in shape[:-1]):
        raise DecodeError(f"an embedding of shape {tuple(shape)} is not one vector", row=index)
    if width * size != end - start:
        raise DecodeError(f"{end - start} bytes where {width} {form[0]} take {width * size}", offset=start, row=index)
    return _Row(start, width, payload)


def _fill(values: NDArray[np.float32], text: bytes | memoryview, rows: list[_Row]) -> None:
    """Convert all rows to float32: in one call where they follow each other and are of one type, as vLLM sends them."""
    if not rows:
        return
    first = rows[0]
    row_bytes = native.item_bytes(first.payload) * first.width
    if all(row.payload == first.payload and row.start == first.start + i * row_bytes for i, row in enumerate(rows)):
        native.widen(text, first.start, first.payload, values)
        return
    for row, out in zip(rows, values, strict=True):
        native.widen(text, row.start, row.payload, out)


def _check(values: NDArray[np.float32], rows: list[_Row], nulls_as_nan: bool) -> None:
    """Refuse NaN and infinities, naming row and byte, or make all of them NaN."""
    try:
        native_bits.require_finite(values)
    except NotFiniteError as error:
        if not nulls_as_nan:
            row = rows[error.row]
            offset = row.start + error.column * native.item_bytes(row.payload)
            raise DecodeError("NaN or Infinity", offset=offset, row=error.row) from None
        values[~np.isfinite(values)] = np.nan


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
