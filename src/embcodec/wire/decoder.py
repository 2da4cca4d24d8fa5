"""What was asked of a service, and how its answer is read accordingly."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native import core
from .._native.base64 import NO_PADDING, URLSAFE
from .._native.floats import PAYLOADS
from .._native.response.layout import BOM, NO_STRINGS, STRING, Layout, Rows
from .._native.response.one import OneRow
from .._native.response.read import read_rows
from ..dtypes import INTEGERS, NULLS, EncodingFormat, OutputDtype, as_dimension, as_output_dtype
from ..embeddings import Embeddings, coded
from ..errors import DecodeError
from ..profiles import Profile, resolve_profile
from ..scale import UNIT_SCALE
from ..words import one_of
from .body import as_bytes, as_text, what_came
from .service import ERROR, SAYS_MORE, USAGE, Usage, looks_like_error, service_error
from .shapes import missing_rows, no_strings

MAX_AROUND = 1 << 24  # bytes that are parsed as Python objects, which take many times as much memory
_FLOAT, _BASE64 = EncodingFormat.FLOAT, EncodingFormat.BASE64
_PACE = 0.2  # nanoseconds a byte of the fastest body, base64
_parse: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # what json.loads calls, without what it does around it


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
    encoding_format : {"float", "base64"} or None
        As the vectors *arrived*, which need not be what was asked; of a mixture as the first one did. None for bare
        bytes.
    raw_usage : dict or None
        The body's own ``usage``.
    """

    embeddings: Embeddings
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    id: str | None = None
    encoding_format: EncodingFormat | None = EncodingFormat.FLOAT
    raw_usage: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.embeddings)


def answer_of(
    embeddings: Embeddings, body: dict[str, Any], encoding_format: EncodingFormat | None
) -> EmbeddingResponse:
    """Put an answer together from vectors and what stands around them."""
    said, usage = body.get, body.get(USAGE)
    return EmbeddingResponse(
        embeddings,
        as_text(said("model")),
        Usage.from_envelope(body),
        as_text(said("id")),
        encoding_format,
        usage if isinstance(usage, dict) else None,
    )


class Decoder:
    """Reads bodies that answer one kind of request; the parameters are those of ``decode_response``.

    Examples
    --------
    >>> decoder = Decoder("int8", dimension=2)
    >>> decoder.decode(b'{"data": [{"embedding": [-128, 3.0]}]}').embeddings
    Embeddings(1 x 2 int8, 2 bytes)
    """

    __slots__ = (
        "_layouts",
        "_one_row",
        "_plain",
        "base64_flags",
        "dimension",
        "dtype",
        "nulls_as_nan",
        "payload",
        "profile",
        "scale",
        "width",
    )

    def __init__(
        self,
        output_dtype: str = "float",
        dimension: int | None = None,
        profile: str | Profile = "mistral",
        nulls: str = "error",
    ) -> None:
        self.dtype = as_output_dtype(output_dtype)
        self.profile = resolve_profile(profile)
        one_of(nulls, NULLS, "nulls")
        self.nulls_as_nan = nulls == "nan"
        if self.nulls_as_nan and self.dtype is not OutputDtype.FLOAT:
            raise ValueError(f"{self.dtype} codes have no NaN: nulls='nan' is for float")
        self.dimension = None if dimension is None else as_dimension(dimension, least=1)
        self.width = None if self.dimension is None else self.dtype.row_width(self.dimension)
        urlsafe, padding = self.profile.base64_urlsafe, self.profile.base64_padding
        self.base64_flags = (URLSAFE if urlsafe else 0) | (0 if padding else NO_PADDING)
        if self.dtype is OutputDtype.FLOAT:
            self.payload = PAYLOADS[self.profile.base64_dtype, self.profile.byte_order]
        else:
            self.payload = PAYLOADS["float32", "little"]
        if no_strings(self.profile, self.dtype):
            self.payload = NO_STRINGS
        self.scale = UNIT_SCALE if self.dtype in INTEGERS else None
        # Whether rows of whole bytes make Embeddings that need no second look.
        self._plain = not (self.dtype.is_packed and self.dimension is not None and self.dimension % 8)
        self._one_row: dict[str, OneRow] = {}
        self._layouts: dict[tuple[str, str], Layout] = {}

    def decode(self, body: Any, expected_count: int | None = None, threads: int | None = None) -> EmbeddingResponse:
        """Decode a body: see :func:`~embcodec.wire.response.decode_response`."""
        text = as_bytes(body)
        try:
            rows, document = self.read(text, threads=threads)
        except DecodeError as error:
            failure = what_came(error, text, body)
        else:
            return self.answer(rows, document, expected_count)
        try:
            raise failure  # out here, without a chain
        finally:
            del failure  # it holds this frame, and the frame it: a cycle would keep the body past the caller's handling

    def read(self, text: bytes | memoryview, prefix: str = "", threads: int | None = 1) -> tuple[Rows, Any]:
        """Read a document: its rows as a matrix, and what stands around them, parsed.

        Parameters
        ----------
        text : bytes or memoryview of bytes
        prefix : str
            Where in the document the body is: keys, each ended by a point.
        threads : int or None

        Returns
        -------
        rows : Rows
        document : object
            With an empty list for that of the rows; a dict where the document is an object.
        """
        n = len(text)
        workers = core.default_threads(threads, n * _PACE, core.PYTHON_HAND_OVER)
        source = text if isinstance(text, bytes) else core.ffi.from_buffer(text)
        one_row = self._one_row.get(prefix)
        rows = None if one_row is None else one_row.read(source, n)
        if rows is None:
            rows = self._read_any(source, n, prefix, workers)
        if rows.list_start < 0:
            around = bytes(text)
        elif source is text:  # bytes
            around = text[: rows.list_start] + b"[]" + text[rows.list_end :]
        else:
            around = b"[]".join((text[: rows.list_start], text[rows.list_end :]))
        if len(around) > MAX_AROUND:
            raise DecodeError(f"more than {MAX_AROUND >> 20} MiB of text besides the list of embeddings", offset=0)
        # The scanner has checked all of this text, its UTF-8 too, so that nothing can follow the value.
        if around.startswith(b"{"):
            document = _parse(around.decode(), 0)[0]
        else:
            document = json.loads(around.removeprefix(BOM).decode())
        return rows, document

    def layout(self, prefix: str = "", name: str | None = None) -> Layout:
        """Return where the vectors of a document are, and how they are written.

        `name` is what the service calls the dtype there.
        """
        profile = self.profile
        name = profile.dtype_name(self.dtype) if name is None else name
        known = self._layouts.get((prefix, name))
        if known is None:
            known = self._layouts[prefix, name] = self._make_layout(prefix + profile.rows, name)
        return known

    def _make_layout(self, path: str, name: str) -> Layout:
        profile = self.profile
        rows = path.removesuffix(".").replace("{dtype}", name).split(".") if path else []
        item = profile.item.replace("{dtype}", name).split(".") if profile.item else []
        return Layout(
            "".join(key + "\0" for key in (*rows, *item)).encode(),
            len(rows),
            len(item),
            self.dtype.numpy_dtype,
            self.payload,
            self.nulls_as_nan,
            self.base64_flags,
            profile.ignore_index,
            no_strings(profile, self.dtype),
            self.dtype.is_packed,
            self.dimension is not None,
        )

    def plain_names(self) -> bytes | None:
        """Return the keys of the list and of a vector, where it is one of either kind, and those of no plain body.

        Each is ended by a zero byte, all by an empty one.

        None, too, where the codes of a row need a second look.
        """
        rows, item = self.profile.rows, self.profile.item
        special = rows in ("", USAGE, *SAYS_MORE)
        if not self._plain or item is None or special or any(c in rows + item for c in ".{\0"):
            return None
        return "".join(f"{key}\0" for key in (rows, item, *SAYS_MORE, "")).encode()

    def _read_any(self, source: Any, n: int, prefix: str, workers: int) -> Rows:
        """Read the rows of any document, and expect others of this prefix to be like it."""
        layout = self.layout(prefix)
        rows = read_rows(source, n, layout, self.width, workers)
        if rows.list_start < 0 and self.payload != NO_STRINGS and "{dtype}" in self.profile.rows:
            layout = self.layout(prefix, "base64")
            rows = read_rows(source, n, layout, self.width, workers)
        self._one_row.setdefault(prefix, OneRow(layout)).expect(rows)
        return rows

    def answer(self, rows: Rows, document: Any, expected_count: int | None = None) -> EmbeddingResponse:
        """Put an answer together from what :meth:`read` found; `document` is what stands around the rows."""
        values, dimension = rows.values, self.dimension
        body = document if isinstance(document, dict) else {}
        if values is None or ERROR in body:
            if looks_like_error(body):
                raise service_error(body)
            if rows.list_start < 0:
                raise DecodeError(missing_rows(self.profile, self.dtype, document), offset=0)
        if values is None:
            if expected_count != 0:
                raise DecodeError("no embeddings", offset=rows.list_start)
            values = np.empty((0, self.width or 0), self.dtype.numpy_dtype)
            dimension = dimension or 0
        if expected_count is not None and len(values) != expected_count:
            words = f"{len(values)} embeddings came where {expected_count} were asked for"
            raise DecodeError(words, offset=rows.list_start)
        return answer_of(self.typed(values, dimension), body, _BASE64 if rows.kind == STRING else _FLOAT)

    def typed(self, values: NDArray[Any], dimension: int | None) -> Embeddings:
        """Say what the codes mean; bits set behind the last dimension are refused."""
        if self._plain:  # the width is that of the dimension: the rows were read so
            if dimension is None:
                dimension = values.shape[1] * 8 if self.dtype.is_packed else values.shape[1]
            return coded(values, self.dtype, dimension, self.scale, self.profile.signed_bytes, self.profile.bit_order)
        try:
            return Embeddings(
                values,
                self.dtype,
                dimension,
                signed_bytes=self.profile.signed_bytes,
                bit_order=self.profile.bit_order,
            )
        except ValueError as error:
            raise DecodeError(str(error)) from None


_kept = lru_cache(maxsize=64, typed=True)(Decoder)


def decoder_for(output_dtype: str, dimension: int | None, profile: str | Profile, nulls: str) -> Decoder:
    """Return a decoder for requests of this kind: the one of the call before, where the profile goes by its name."""
    if (
        type(profile) is str
        and type(output_dtype) in (str, OutputDtype)
        and type(dimension) in (int, NoneType)
        and type(nulls) is str
    ):
        return _kept(output_dtype, dimension, profile, nulls)
    return Decoder(output_dtype, dimension, profile, nulls)
