"""Where lines come from: files and streams, zipped or not, in UTF-8 or UTF-16, as one reader of plain bytes."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from io import BufferedReader, FileIO, RawIOBase, UnsupportedOperation
from typing import IO, Any

from ..._native.core import default_threads
from ..._native.response.lines import LineReader
from ...containers import allowed_bytes, check_max_bytes
from ...words import as_path, as_whole, shown
from ..body import encoding_of
from ..codings import CODINGS, CodingError
from .ahead import CAN, MOST_LINE, Ahead

BUFFER = 1 << 19  # bytes of a file: a part of L2
_MOST_BUFFER = 1 << 22  # for several threads, each of which has its part
_PACE = 0.4  # nanoseconds for a byte of lines
_LONG = 1 << 20  # a line of so many bytes is measured before it is read
_ZIPPED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_READ, _HEAD = 1 << 16, 8

Lines = str | os.PathLike[str] | IO[bytes]
"""What batch files are read from: a path, or a file open in binary mode."""


class Pieces(RawIOBase):
    """A stream of pieces of bytes, which goes forward only. Where one cannot be had it ends, and keeps the fault."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.left, self.at = pieces, memoryview(b""), 0
        self.fault: CodingError | None = None

    def head(self) -> bytes:
        """Return the first bytes, and leave them there."""
        self._fill(_HEAD)
        return bytes(self.left[:_HEAD])

    def _fill(self, least: int = 1) -> None:
        try:
            while len(self.left) < least:
                piece = next(self.pieces)
                self.left = memoryview(bytes(self.left) + piece if self.left else piece)
        except StopIteration:
            pass
        except CodingError as error:
            self.fault = error

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: within what a reader has in its buffer it can move, and asks no more than this."""
        return True

    def tell(self) -> int:
        """Return how many bytes were given."""
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Refuse."""
        raise UnsupportedOperation("such a stream goes forward only")

    def readinto(self, target: Any) -> int:
        """Give some bytes; none at the end, or where there is a fault."""
        self._fill()
        taken = min(len(target), len(self.left))
        target[:taken] = self.left[:taken]
        self.left = self.left[taken:]
        self.at += taken
        return taken


def _opened(raw: FileIO | Pieces, size: int) -> tuple[BufferedReader[Any], bytes]:
    """Return a reader of a file of which nothing has been read, and its first bytes."""
    file = BufferedReader(raw, size)
    return file, raw.head() if isinstance(raw, Pieces) else file.peek()[:_HEAD]


def _path_of(lines: Any) -> str:
    """Return the path of a file of lines; a TypeError or ValueError says how else lines are read."""
    if isinstance(lines, bytes | bytearray | memoryview):
        raise TypeError("path is the path of a file, not its lines: io.BytesIO(lines) reads those")
    if isinstance(lines, str) and lines.lstrip().startswith("{") and not os.path.exists(lines):
        raise ValueError("path is the path of a file, not its lines: io.BytesIO(lines.encode()) reads those")
    if isinstance(lines, list | tuple):
        raise TypeError("path is the path of one file: iter_load(paths) reads the rows of several")
    return as_path(lines)


class Source:
    """Lines of a file that is open.

    Parameters
    ----------
    lines : path-like or binary file
    most : int
        Bytes that a line may have.
    max_bytes : int, optional
        What a zipped file may come to; by default what is allowed any file.
    threads : int or None
        For what the file's buffer holds, `buffer` bytes; by default as many as pay.
    """

    def __init__(self, lines: Lines, most: int, max_bytes: int | None = None, threads: int | None = 1) -> None:
        check_max_bytes(max_bytes)
        self.most, self.max_bytes = as_whole(most, "max_line_bytes", 1), max_bytes
        self.layers: list[Pieces] = []
        self.taken = 0  # bytes of a stream
        self.owned: FileIO | None = None
        self.total = 0
        self.line = 0  # bytes of the line that was read last
        self.ahead: Ahead | None = None
        raw: FileIO | Pieces
        if hasattr(lines, "read") and not isinstance(lines, str | os.PathLike):
            raw = self._layer(self._read_on(lines))
        else:
            raw = self.owned = FileIO(_path_of(lines))
            self.total = os.fstat(raw.fileno()).st_size
            if not raw.seekable():
                raw = self._layer(self._read_on(raw))
        is_plain = raw is self.owned and self.total > 0
        self.is_parted = is_plain and CAN  # read in parts, once it is known what lines are like
        most_buffer = min(self.total, _MOST_BUFFER) if is_plain else 0
        self.threads = default_threads(threads, most_buffer * _PACE)
        self.buffer = BUFFER
        if is_plain:
            most_buffer = BUFFER if self.is_parted else min(self.threads * BUFFER, _MOST_BUFFER)
            self.buffer = min(self.total + 1, most_buffer)
        self.file, self.head = _opened(raw, self.buffer)
        self.bottom = self.file  # what reads the file itself, if there is one
        coding = next((name for magic, name in _ZIPPED.items() if self.head.startswith(magic)), None)
        if coding is not None:
            self.file, self.head = _opened(self._layer(self._unzipped(self.file, coding)), BUFFER)
        encoding = encoding_of(self.head)
        if not encoding.startswith("utf-8"):
            self.file, self.head = _opened(self._layer(self._recoded(self.file, encoding)), BUFFER)

    def _layer(self, pieces: Iterator[bytes]) -> Pieces:
        self.layers.append(Pieces(pieces))
        return self.layers[-1]

    def _read_on(self, lines: IO[bytes] | FileIO) -> Iterator[bytes]:
        while data := lines.read(BUFFER):  # few lines are then cut in two, which are read one by one
            if not isinstance(data, bytes | bytearray | memoryview):
                raise TypeError(f"a file of lines is open in binary mode, but reads {shown(data)}: open(path, 'rb')")
            self.taken += len(data)
            yield bytes(data)

    def _unzipped(self, file: BufferedReader[Any], coding: str) -> Iterator[bytes]:
        inflater = CODINGS[coding]()
        taken = given = 0
        while data := file.read(_READ):
            taken += len(data)
            for piece in inflater.pieces(data):
                given += len(piece)
                if given > allowed_bytes(taken, self.max_bytes):
                    raise CodingError(
                        f"comes to more than {given:,} bytes from {taken:,} of {coding}, more than are taken without a "
                        "word: if you trust it, pass max_bytes= of what it may come to"
                    )
                yield piece
        if not inflater.is_whole:
            raise CodingError(f"broke off after {taken:,} bytes of {coding}")

    def _recoded(self, file: BufferedReader[Any], encoding: str) -> Iterator[bytes]:
        decoder, taken = codecs.getincrementaldecoder(encoding)(), 0
        while True:
            data = file.read(_READ)
            try:
                yield decoder.decode(data, final=not data).encode()
            except UnicodeError as error:
                words = f"is not {encoding.upper()} near byte {taken + getattr(error, 'start', 0):,}: {error.reason}"  # type: ignore[attr-defined]
                raise CodingError(words) from None
            taken += len(data)
            if not data:
                return

    @property
    def fault(self) -> str:
        """Why the lines ended before the file did; nothing where they did not."""
        return next((f"the file {layer.fault}" for layer in self.layers if layer.fault is not None), "")

    def read_ahead(self, reader: Callable[[float], LineReader]) -> Ahead | None:
        """Return the parts of a plain file behind the last line, if others are like that; `reader` as of `Ahead`."""
        if not self.is_parted or self.layers or not 0 < self.line <= MOST_LINE:
            return None
        assert self.owned is not None
        self.ahead = Ahead(self.owned.fileno(), self.file.tell(), self.total, self.line, reader, self.threads)
        return self.ahead

    def close(self) -> None:
        """Close the file, unless the caller opened it."""
        if self.ahead is not None:
            self.ahead.close()
        if self.owned is not None:
            self.owned.close()

    def done(self, position: int) -> int:
        """Return how many bytes of the file itself have been read when its lines have been up to `position`."""
        if not self.layers:
            return position
        return self.taken if self.owned is None or not self.total else self.bottom.tell()

    @property
    def ends_here(self) -> bool:
        """Whether all lines have been read."""
        return not self.file.peek(1)

    @property
    def part(self) -> float:
        """What part of the file has been read; a guess of a stream."""
        return self.done(self.file.tell()) / self.total if self.total else 0.5

    def read(self) -> bytes | bytearray | None:
        """Return the next line, nothing at the end; None for one that is too long, and never is in memory."""
        file = self.file
        text = file.readline(_LONG)
        self.line = length = len(text)
        if length < _LONG or text.endswith(b"\n"):
            if self.layers and not text.endswith(b"\n") and self.fault:
                return b""  # what is left of a line of which the rest cannot be had
            return text if length <= self.most else None
        kept = bytearray(text) if self.layers else None
        start = file.tell() - length
        while text and not text.endswith(b"\n"):
            text = file.readline(_READ)
            length += len(text)
            if kept is not None and length <= self.most:
                kept += text
            elif kept:
                kept.clear()
        if self.layers and not text and self.fault:
            return b""
        self.line = length
        del text
        if length > self.most:
            return None
        if kept is not None:
            return kept
        file.seek(start)
        return file.read(length)
