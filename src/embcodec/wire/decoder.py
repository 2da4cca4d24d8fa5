"""Bodies read: the rows by C, the rest by Python, and both put together to an answer."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native import core
from .._native.floats import BYTES
from .._native.response.layout import BOM, NO_STRINGS, STRING, Rows
from .._native.response.one import OneRow
from .._native.response.read import read_rows
from .._native.response.usual import usual_form
from ..codec import pack_bits
from ..dtypes import EncodingFormat, OutputDtype
from ..embeddings import Embeddings, coded
from ..errors import DecodeError
from ..profiles import Profile
from .answer import EmbeddingResponse, answer_of
from .body import as_bytes, in_utf8, what_came
from .response_format import ResponseFormat
from .service import ERROR, error_in_list, looks_like_error, service_error
from .shapes import missing_rows, row_words
from .usual import UsualAnswers

MAX_AROUND = 1 << 24  # bytes that are parsed as Python objects, which take many times as much memory
_FLOAT, _BASE64 = EncodingFormat.FLOAT, EncodingFormat.BASE64
_PACE = 0.2  # nanoseconds a byte of the fastest body, base64
_SMALL = 1 << 20  # bytes of a body that no second thread is asked for
# json.loads() ends up in this function. Calling it here leaves out what json.loads() checks first, which for a body of
# one vector takes as long as the parsing itself; the scanner has checked all of it before.
_parse: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


class Decoder(ResponseFormat):
    """Reads bodies that answer one kind of request; the parameters are those of ``decode_response``.

    Examples
    --------
    >>> decoder = Decoder("int8", dimension=2)
    >>> decoder.decode(b'{"data": [{"embedding": [-128, 3.0]}]}').embeddings
    Embeddings(1 x 2 int8, 2 bytes)
    """

    __slots__ = ("_counts", "_one_row", "_usual")

    def __init__(
        self,
        output_dtype: str = "float",
        dimension: int | None = None,
        profile: str | Profile = "mistral",
        nulls: str = "error",
    ) -> None:
        super().__init__(output_dtype, dimension, profile, nulls)
        name = self.profile.row_tokens
        self._counts = None if name is None else re.compile(rb'"%s"\s*:\s*(\d{1,15})\b' % re.escape(name.encode()))
        self._one_row: dict[str, OneRow] = {}
        self._usual: UsualAnswers | None = None

    def decode(self, body: Any, expected_count: int | None = None, threads: int | None = None) -> EmbeddingResponse:
        """Decode a body: see :func:`~embcodec.wire.response.decode_response`."""
        usual = self._usual
        if usual is not None and threads is None and type(body) is bytes and (expected_count or 1) == 1:
            answer = usual.read(body)
            if answer is not None:
                return answer
        text = body if type(body) is bytes else as_bytes(body)
        try:
            rows, document = self.read(text, "", threads)
        except DecodeError as error:
            recoded = in_utf8(text)
            failure: Exception | None = error_in_list(text)
            failure = failure or what_came(row_words(error, text, self.profile, self.dtype), text, body)
        else:
            return self.answer(rows, document, expected_count)
        if recoded is not None:
            return self.decode(recoded, expected_count, threads)
        try:
            raise failure  # not in the except block above, where Python would print both errors, one "during" the other
        finally:
            # The error's traceback refers to this frame, whose variable refers to the error. Left alone, this circle
            # would keep the body in memory until the garbage collector comes by.
            del failure

    def read(self, text: bytes | memoryview, prefix: str = "", threads: int | None = 1) -> tuple[Rows, Any]:
        """Read a document: its rows into a matrix by C, and all the rest of it into Python objects.

        Parameters
        ----------
        text : bytes or memoryview of bytes
        prefix : str
            The keys that lead to the body, each followed by a point: ``"response.body."`` for a line of a batch file.
        threads : int or None

        Returns
        -------
        rows : Rows
        document : object
            The document as json.loads() would return it, with an empty list in place of the list of rows.
        """
        n = len(text)
        workers = 1
        if threads is not None or n > _SMALL:
            workers = core.default_threads(threads, n * _PACE)
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
        if self._counts is not None and rows.list_start >= 0:
            found = self._counts.finditer(memoryview(text)[rows.list_start : rows.list_end])
            rows.tokens = sum(int(count[1]) for count in found)
        # The scanner has checked the whole text, its UTF-8 too: nothing here can fail, and nothing follows the value.
        if around.startswith(b"{"):
            document = _parse(around.decode(), 0)[0]
        else:
            document = json.loads(around.removeprefix(BOM).decode())
        return rows, document

    def _read_any(self, source: Any, n: int, prefix: str, workers: int) -> Rows:
        """Read the rows of any document by the general passes; if there is one, the next is tried as one like it."""
        layout = self.layout(prefix)
        rows = read_rows(source, n, layout, self.width, workers)
        if rows.list_start < 0 and self.payload != NO_STRINGS and "{dtype}" in self.profile.rows:
            layout = self.layout(prefix, "base64")
            rows = read_rows(source, n, layout, self.width, workers)
        for place in self.profile.others if self.dtype is OutputDtype.FLOAT else ():
            if rows.list_start < 0:
                layout = self.layout(prefix, place=place)
                rows = read_rows(source, n, layout, self.width, workers)
        expected = self._one_row.setdefault(prefix, OneRow(layout)).expect(rows)
        if not prefix and type(source) is bytes:
            self._usual = self._make_usual(rows, expected, source)
        return rows

    def _make_usual(self, rows: Rows, expected: tuple[int, Any, int] | None, body: bytes) -> UsualAnswers | None:
        """Return a reader of usual answers like a body that was read by other means, if that is one."""
        names, judged = self._plain_names, self.payload in (BYTES, NO_STRINGS)
        if rows.values is None or expected is None or names is None or self._counts is not None or not judged:
            return None
        usual = UsualAnswers(usual_form(names, expected), self.typed(rows.values, self.dimension))
        return usual if usual.read(body) else None

    def answer(self, rows: Rows, document: Any, expected_count: int | None = None) -> EmbeddingResponse:
        """Put an answer together from what :meth:`read` returned, or raise what is wrong with it."""
        values, dimension = rows.values, self.dimension
        body = document if isinstance(document, dict) else {}
        if values is None or ERROR in body:
            if looks_like_error(document):
                raise service_error(document)
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
        encoding = _BASE64 if rows.kind == STRING else _FLOAT
        return answer_of(self.typed(values, dimension), body, encoding, rows.tokens)

    def typed(self, values: NDArray[Any], dimension: int | None) -> Embeddings:
        """Make Embeddings of the rows that were read: the readers have refused what does not fit."""
        if self._unpacked:
            values, dimension = self._packed(values), values.shape[1]
        elif dimension is None:
            dimension = values.shape[1] * 8 if self.dtype.is_packed else values.shape[1]
        return coded(values, self.dtype, dimension, self.scale, self.profile.signed_bytes, self.profile.bit_order)

    def _packed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return rows of 0 and 1 as bits, eight a byte."""
        profile, signed = self.profile, self.dtype is OutputDtype.BINARY
        return pack_bits(values, bit_order=profile.bit_order, signed=signed, signed_bytes=profile.signed_bytes)


_kept = lru_cache(maxsize=64, typed=True)(Decoder)
_last: tuple[object, object, object, object, Decoder | None] = (None, None, None, None, None)


def decoder_for(output_dtype: str, dimension: int | None, profile: str | Profile, nulls: str) -> Decoder:
    """Return a decoder for requests of this kind, one that an earlier call made if there is any.

    Decoders are kept by their arguments where these are of the usual types, the profile a name. Others may not be
    hashable: Decoder() takes them, or says what is wrong with them.
    """
    global _last
    dtype_before, dimension_before, profile_before, nulls_before, before = _last
    if (
        output_dtype is dtype_before
        and dimension is dimension_before
        and profile is profile_before
        and nulls is nulls_before
        and before is not None
    ):
        return before
    if (
        type(profile) is str
        and type(output_dtype) in (str, OutputDtype)
        and type(dimension) in (int, NoneType)
        and type(nulls) is str
    ):
        decoder = _kept(output_dtype, dimension, profile, nulls)
        _last = output_dtype, dimension, profile, nulls, decoder
        return decoder
    return Decoder(output_dtype, dimension, profile, nulls)
