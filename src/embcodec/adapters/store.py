"""Vectors of texts that were paid for once, kept in a file that any number of processes share.

The file is JSON lines, as a batch job's output has them, so that ``decode_batch`` and ``embcodec batch`` read it; a
line is a text's digest and its codes in base64. It only grows: whoever appends holds a lock and writes whole lines at
once, and what a writer that was killed has left of a line is a line of its own, which nobody takes for a vector.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from numpy.typing import NDArray

from ..codec import decode_base64, encode_base64
from ..containers import locked
from ..dtypes import OutputDtype
from ..errors import DecodeError, StorageError
from ..words import as_path

_DIGEST = 32  # bytes of a text's digest
_HEAD = (
    b'{"custom_id":"%s","response":{"status_code":200,"body":'
    b'{"object":"list","model":%s,"data":[{"index":0,"embedding":"'
)
_TAIL = b'"}]}},"error":null}\n'
_LINE = re.compile(
    rb'\{"custom_id":"([0-9a-f]{64})","response":.*"embedding":"([A-Za-z0-9+/]*=*)"' + re.escape(_TAIL[1:-1])
)


class TextStore:
    """Rows of one model, dtype and dimension by the text that they are of; a file on disk.

    Any number of threads and processes may read and add at the same time: each finds what the others have added.

    Parameters
    ----------
    path : path-like
        A ``.jsonl`` file; made with the first row. What it holds already must be of the same dtype and dimension.
    output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
    model : str
        Written into each line.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np
    >>> store = TextStore(pathlib.Path(tempfile.mkdtemp(), "rows.jsonl"), OutputDtype.INT8, "a-model")
    >>> store.add(["a text"], np.array([[1, -2, 3]], np.int8))
    >>> store.find(["a text", "another"])
    [array([ 1, -2,  3], dtype=int8), None]
    """

    def __init__(self, path: str | os.PathLike[str], output_dtype: OutputDtype, model: str) -> None:
        self.path = as_path(path)
        self.output_dtype = OutputDtype(output_dtype)
        self._model = json.dumps(model).encode()
        # Where each line begins and how long it is, by the text's digest.
        self._lines: dict[bytes, tuple[int, int]] = {}
        self._read_to = 0
        # The device and number of the file that was read: it may be replaced under its readers.
        self._file: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of texts that are in the file now."""
        with self._lock, self._opened() as file:
            self._catch_up(file)
            return len(self._lines)

    def find(self, texts: Sequence[str]) -> list[NDArray[Any] | None]:
        """Return the row of each text, None for those that are not there.

        Raises
        ------
        OSError
            Where the file cannot be read.
        """
        digests = [digest_of(text) for text in texts]
        with self._lock, self._opened() as file:
            self._catch_up(file)
            return [None if file is None else self._row(file, digest) for digest in digests]

    def add(self, texts: Sequence[str], rows: NDArray[Any]) -> None:
        """Append rows, one a text, whole or not at all.

        Raises
        ------
        StorageError
            Where rows of another length or dtype are there already.
        OSError
            Where the file cannot be written.
        """
        if rows.dtype != self.output_dtype.numpy_dtype or rows.ndim != 2 or len(rows) != len(texts):
            raise ValueError(f"{len(texts)} texts and rows of shape {rows.shape}, {rows.dtype}")
        lines = [
            _HEAD % (digest_of(text).hex().encode(), self._model) + payload.encode() + _TAIL
            for text, payload in zip(texts, encode_base64(rows), strict=True)
        ]
        if not lines:
            return
        with self._lock, open(self.path, "ab+", buffering=0) as file, _alone(file.fileno()):
            self._catch_up(file)
            width = self._width(file)
            if width not in (None, rows.shape[1]):
                raise StorageError(f"{self.path} holds rows of {width} elements, not of {rows.shape[1]}")
            size = os.fstat(file.fileno()).st_size
            is_torn = bool(size) and _read(file, size - 1, 1) != b"\n"
            try:
                _write(file.fileno(), (b"\n" if is_torn else b"") + b"".join(lines))
            except BaseException:
                os.ftruncate(file.fileno(), size)
                raise

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            file = open(self.path, "rb", buffering=0)  # noqa: SIM115 - closed below
        except FileNotFoundError:
            yield None
            return
        with file:
            yield file

    def _catch_up(self, file: Any) -> None:
        """Read what was appended since; all of it where the file is another one."""
        found = None if file is None else os.fstat(file.fileno())
        identity = None if found is None else (found.st_dev, found.st_ino)
        if found is None or identity != self._file or found.st_size < self._read_to:
            self._lines, self._read_to, self._file = {}, 0, identity
        if found is None:
            return
        file.seek(self._read_to)
        place = self._read_to
        with open(file.fileno(), "rb", closefd=False) as lines:
            for line in lines:
                if not line.endswith(b"\n"):  # it is being written, or its writer was killed
                    break
                match = _LINE.fullmatch(line[:-1])
                if match is not None:
                    self._lines[bytes.fromhex(match[1].decode())] = (place, len(line) - 1)
                place += len(line)
        self._read_to = place

    def _row(self, file: Any, digest: bytes) -> NDArray[Any] | None:
        place = self._lines.get(digest)
        match = None if place is None else _LINE.fullmatch(_read(file, *place))
        if match is None or bytes.fromhex(match[1].decode()) != digest:  # another file has taken the name meanwhile
            return None
        try:
            return decode_base64(match[2], self.output_dtype.numpy_dtype)
        except DecodeError:  # damaged: the text is asked for again
            return None

    def _width(self, file: Any) -> int | None:
        for digest in self._lines:
            if (row := self._row(file, digest)) is not None:
                return len(row)
        return None


def digest_of(text: str) -> bytes:
    """Return what a text is kept under: 256 bits, so that no two texts share one."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def _alone(descriptor: int) -> AbstractContextManager[object]:
    """Keep other writers out. On Windows, where a write at the end of a file is one step by itself, that is enough."""
    return nullcontext() if sys.platform == "win32" else locked(descriptor, wait=math.inf)


def _read(file: Any, place: int, size: int) -> bytes:
    file.seek(place)
    read: bytes = file.read(size)
    return read


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
