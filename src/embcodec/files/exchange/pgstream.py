"""The bytes of a COPY as they come, in pieces of any length; no more of them is kept than is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from io import TextIOBase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import StorageError
from ...words import has_elements, shown
from .pgwrite import COPY_HEAD

_PIECE_BYTES = 1 << 20  # that are asked for at a time
_CRITICAL_FLAGS = 0xFFFF0000


class Stream:
    """Bytes from a file, or from an iterable of pieces, and at which of them we are."""

    def __init__(self, file: Any) -> None:
        self.offset = 0
        self._next = _reader(file)
        self._bytes: bytes | memoryview = b""
        self._at = 0

    def skip_header(self) -> None:
        """Read over what stands before the rows; what is no COPY in binary is a StorageError."""
        self._wait_for(len(COPY_HEAD))
        start = bytes(self._bytes[: len(COPY_HEAD)])
        if start != COPY_HEAD[: len(start)]:
            raise StorageError("not a COPY of PostgreSQL's in binary: COPY ... TO ... (FORMAT binary) makes one")
        self.take(len(COPY_HEAD), "in the header")
        flags = int.from_bytes(self.take(4, "in the header"), "big")
        if flags & _CRITICAL_FLAGS:
            raise StorageError(f"a COPY with flags that are not known: {flags:#010x}")
        extension = int.from_bytes(self.take(4, "in the header"), "big", signed=True)
        if extension < 0:
            raise StorageError(f"the header says that its extension has {extension} bytes")
        while extension:
            extension -= len(self.take(min(extension, _PIECE_BYTES), "in the header"))

    def take(self, count: int, place: str) -> bytes:
        """Return the next `count` bytes; a StorageError that names the `place` where there are fewer."""
        if len(self._bytes) - self._at < count:
            self._wait_for(count)
            if len(self._bytes) < count:
                raise StorageError(f"the COPY is cut {place}, after byte {self.offset + len(self._bytes)}")
        found = bytes(self._bytes[self._at : self._at + count])
        self.advance(count)
        return found

    def records(self, size: int, most: int | None) -> NDArray[np.uint8]:
        """Return the next records of `size` bytes that are here, uint8 (n, size), without going on to what follows."""
        if len(self._bytes) - self._at < size:
            self._wait_for(size)
        count = (len(self._bytes) - self._at) // size
        count = count if most is None else min(count, most)
        return np.frombuffer(self._bytes, np.uint8, count * size, self._at).reshape(count, size)

    def advance(self, count: int) -> None:
        """Go on by bytes that are here."""
        self._at += count
        self.offset += count

    def is_at_end(self) -> bool:
        """Whether no byte follows."""
        if self._at == len(self._bytes):
            self._wait_for(1)
        return self._at == len(self._bytes)

    def _wait_for(self, count: int) -> None:
        """Have `count` bytes here, or all that there are."""
        pieces = [self._bytes[self._at :]]
        have = len(pieces[0])
        while have < count and (piece := self._next()):
            pieces.append(piece)
            have += len(piece)
        self._bytes, self._at = b"".join(pieces), 0


def _reader(file: Any) -> Callable[[], bytes]:
    """Return what gives the next piece of a file or an iterable; none of the bytes at its end."""
    if isinstance(file, TextIOBase | str | bytes | bytearray | memoryview):
        bytes_way = ": pass io.BytesIO(data)" if not isinstance(file, TextIOBase | str) else ""
        raise TypeError(f"file is one open for bytes, as open(path, 'rb') is, not {shown(file)}{bytes_way}")
    read = getattr(file, "read", None)
    if callable(read) and (hasattr(file, "readinto") or not isinstance(file, Iterable)):
        return lambda: _piece(read(_PIECE_BYTES))
    if not has_elements(file):
        raise TypeError(f"file is one open for bytes, as open(path, 'rb') is, not {shown(file)}")
    pieces: Iterator[Any] = (piece for piece in map(_piece, file) if piece)
    return lambda: next(pieces, b"")


def _piece(piece: Any) -> bytes:
    if not isinstance(piece, bytes | bytearray | memoryview):
        raise TypeError(f"a COPY comes in bytes, not as {shown(piece)}")
    return bytes(piece)
