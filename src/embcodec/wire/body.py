"""What is handed over as a body: bytes, text, or a thing of which the error says how to get those."""

from __future__ import annotations

import codecs
import json
import os
import re
from typing import Any

from .._native.response.layout import BOM
from ..errors import DecodeError

_HEADS = (
    (b"<", "HTML or XML"),
    (b"\x1f\x8b", "gzip, still to be decompressed: gzip.decompress undoes it"),
    (b"\x28\xb5\x2f\xfd", "zstd, still to be decompressed"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x93NUMPY", "a .npy file: embcodec.load reads it"),
    (b"PAR1", "a parquet file: embcodec.load reads it"),
    (b"\x89HDF", "an HDF5 file: embcodec.load reads it"),
    (b"\xfd7zXZ", "xz, still to be decompressed: lzma.decompress undoes it"),
    (b"BZh", "bzip2, still to be decompressed: bz2.decompress undoes it"),
    (b"data:", "a stream of events"),
    (b"event:", "a stream of events"),
)
_NO_JSON = "no JSON"
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_BEGINS = tuple('{["\t\n\r ')
_LIKE_A_PATH = re.compile(r"[^\s{}\[\]\"]{1,400}\.[A-Za-z0-9]{1,8}")


def as_bytes(body: Any) -> bytes | memoryview:
    """Return a body as bytes, without a copy unless it is a str."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError as error:
            offset = len(body[: error.start].encode())
            raise DecodeError("a lone surrogate in the text", offset=offset) from None
    try:
        view = memoryview(body)
        if "O" not in view.format:  # addresses of objects, and not what these hold
            return view.cast("B")
    except (TypeError, ValueError):
        pass
    raise TypeError(f"a body is bytes, a contiguous buffer or str, not {_kind(body)}")


def encoding_of(start: bytes) -> str:
    """Return the encoding of JSON by its first 8 bytes, as Python's codecs call it: UTF-8, UTF-16 or UTF-32.

    Without a byte order mark it is another than UTF-8 only where the first two characters are such as JSON begins with,
    which are ASCII: zeros also come from disks that were cut off, in front of lines that are whole.
    """
    encoding = json.detect_encoding(start[:4])
    if encoding.startswith("utf-8") or start.startswith(_MARKS):
        return encoding
    first = start.decode(encoding, "replace")[:2]
    return encoding if first[:1] in _BEGINS and first.isascii() and "\0" not in first else "utf-8"


def in_utf8(text: bytes | memoryview) -> bytes | None:
    """Return text in UTF-16 or UTF-32, with a byte order mark or without, as UTF-8; None for what is neither."""
    encoding = encoding_of(bytes(text[:8]))
    if encoding.startswith("utf-8"):
        return None
    try:
        return str(text, encoding).encode()
    except UnicodeError:
        return None


def _kind(body: Any) -> str:
    """Return the kind of what is no body, and what of it to pass instead."""
    name = type(body).__name__
    if isinstance(body, dict | list):
        return f"{name}: pass the bytes that came (response.content), or json.dumps(body)"
    if isinstance(body, os.PathLike):
        return f"{name}: pass the file's bytes, path.read_bytes()"
    if isinstance(getattr(body, "content", None), bytes):
        return f"{name}: pass its bytes, response.content"
    if callable(getattr(body, "model_dump_json", None)):
        return f"{name}: pass body.model_dump_json(), or better the bytes that came"
    if callable(getattr(body, "read", None)):
        return f"{name}: pass what is in it, body.read()"
    return name


def what_came(error: DecodeError, text: bytes | memoryview, body: Any = None) -> DecodeError:
    """Return the error with a word on what came instead of a body of JSON, where that can be told.

    None of the text itself: what a service says may hold the key. `body` is what was passed, if that was text.
    """
    at = error.offset or 0
    if error.row is not None:
        return error
    if isinstance(body, str) and _LIKE_A_PATH.fullmatch(body):
        words = "text that may be a path: pass the file's bytes, pathlib.Path(path).read_bytes()"
        return DecodeError(f"{error.reason}: {words}", offset=error.offset)
    kind = kind_of_bytes(bytes(text[:8]))
    if bytes(text[: min(at, 4096)]).removeprefix(BOM).strip() and kind == _NO_JSON:
        if error.reason.startswith("unexpected text after") and bytes(text[at : at + 1]) == b"{":
            words = "lines of JSON follow: a batch file is read by decode_batch(path)"
            return DecodeError(f"{error.reason}: {words}", offset=error.offset)
        return error
    if kind == _NO_JSON:
        kind = kind_of_bytes(bytes(text[at : at + 8]))
    return DecodeError(f"{error.reason}: the body is {kind}", offset=error.offset)


def kind_of_bytes(start: bytes) -> str:
    """Return what something begins like that is no JSON."""
    came = next((kind for head, kind in _HEADS if start.startswith(head)), None)
    if came is None and not encoding_of(start[:8]).startswith("utf-8"):
        came = "UTF-16 or UTF-32, and damaged"
    return came or (_NO_JSON if start else "empty")
