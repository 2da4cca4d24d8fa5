"""Compressed bytes, undone piece by piece: what comes over HTTP, and files of lines; and such files written.

A few bytes may stand for gigabytes: no piece is larger than a quarter of a mebibyte (of Brotli, whose bound is a soft
one, than one), and who takes them counts.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import IO, Any

from ..errors import StorageError
from ..words import as_path, needs_package

PIECE = 1 << 18  # bytes of a piece: to undo it takes a fraction of a millisecond
_GZIP = zlib.MAX_WBITS | 16
_EXTRA = "compression"
_ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_NOT_WRITTEN = (".bz2", ".xz", ".lzma", ".br", ".lz4", ".zip", ".7z")


class CodingError(Exception):
    """Bytes that are not what their coding says, or whose coding needs a package that is not installed."""


class Inflater:
    """Undoes a coding whose data may be several members one after the other, as ``cat a.gz b.gz`` makes them."""

    name: str
    faults: tuple[type[Exception], ...]

    def __init__(self) -> None:
        self.members = 0  # that have ended
        self.inside: Any = self.begin()

    def begin(self) -> Any:
        """Return what undoes one member."""
        raise NotImplementedError

    @property
    def is_whole(self) -> bool:
        """Whether a member has ended just here."""
        return bool(self.inside.eof)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` goes on with, in pieces of bounded size, at least one.

        Raises
        ------
        CodingError
            Where the data is damaged.
        """
        try:
            while True:
                if self.is_whole:
                    data = self.between(data)
                    if not data:
                        break
                    self.inside = self.begin()
                    self.members += 1
                piece, data, is_done = self.step(data)
                yield piece
                if is_done:
                    return
            yield b""
        except self.faults as error:
            where = f" after its {self.members}. {self.name} member" if self.members else ""
            raise CodingError(f"cannot be unzipped{where}: {error}") from None

    def between(self, data: bytes) -> bytes:
        """Return what follows a member's end, without what may fill up a block there."""
        return data

    def step(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return a piece, the data that is left, and whether nothing more comes of it."""
        raise NotImplementedError


class Gzip(Inflater):
    """Undoes gzip."""

    name, faults = "gzip", (zlib.error,)

    def begin(self) -> Any:
        """Return a new decompressor."""
        return zlib.decompressobj(_GZIP)

    def between(self, data: bytes) -> bytes:
        """Pass over zeros."""
        return data.lstrip(b"\0")

    def step(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return a piece, what is left, and whether that is all."""
        piece = self.inside.decompress(data, PIECE)
        data = self.inside.unused_data if self.inside.eof else self.inside.unconsumed_tail
        return piece, data, not data


class Zstd(Inflater):
    """Undoes zstd: by the standard library from Python 3.14 on, else by its backport."""

    name = "zstd"

    def __init__(self) -> None:
        try:
            self.zstd = import_module(_ZSTD)
        except ImportError:
            raise CodingError(f"is in zstd: {needs_package('to undo it', _ZSTD, _EXTRA)}") from None
        self.faults = (self.zstd.ZstdError,)
        super().__init__()

    def begin(self) -> Any:
        """Return a new decompressor."""
        return self.zstd.ZstdDecompressor()

    def step(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return a piece, what is left, and whether that is all."""
        piece = self.inside.decompress(data, PIECE)
        if self.inside.eof:
            data = self.inside.unused_data
            return piece, data, not data
        return piece, b"", self.inside.needs_input


class Brotli(Inflater):
    """Undoes Brotli, of which one stream is all there is."""

    name = "br"

    def __init__(self) -> None:
        try:
            self.brotli = import_module("brotli")
        except ImportError:
            raise CodingError(f"is in br: {needs_package('to undo it', 'brotli', _EXTRA)}") from None
        if not hasattr(self.brotli.Decompressor, "can_accept_more_data"):
            raise CodingError("is in br: to undo it within bounds needs brotli 1.2 or later: pip install -U brotli")
        self.faults = (self.brotli.error,)
        super().__init__()

    def begin(self) -> Any:
        """Return a new decompressor."""
        return self.brotli.Decompressor()

    @property
    def is_whole(self) -> bool:
        """Whether the stream has ended just here."""
        return bool(self.inside.is_finished())

    def between(self, data: bytes) -> bytes:
        """Refuse what follows."""
        if data:
            raise CodingError("cannot be unzipped: bytes follow the end of its br stream")
        return data

    def step(self, data: bytes) -> tuple[bytes, bytes, bool]:
        """Return a piece, what is left, and whether that is all."""
        piece = self.inside.process(data, output_buffer_limit=PIECE >> 2)
        return piece, b"", self.is_whole or self.inside.can_accept_more_data()


CODINGS: dict[str, type[Inflater]] = {"gzip": Gzip, "x-gzip": Gzip, "zstd": Zstd, "br": Brotli}
"""By the names that HTTP has for them."""


@contextmanager
def zipped(file: IO[bytes], path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open what compresses into a file as its name says, ``.gz`` or ``.zst``; by any other name the file itself.

    Raises
    ------
    StorageError
        Where the name ends with a compression that is not written, or the package for it is not installed.
    """
    name = os.path.basename(as_path(path)).lower()
    if name.endswith(".gz"):
        import gzip

        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipping:  # the same lines are the same bytes
            yield zipping
    elif name.endswith((".zst", ".zstd")):
        try:
            zstd = import_module(_ZSTD)
        except ImportError:
            raise StorageError(needs_package(f"writing {name!r}", _ZSTD, _EXTRA)) from None
        with zstd.ZstdFile(file, "wb") as zipping:
            yield zipping
    elif name.endswith(_NOT_WRITTEN):
        raise StorageError(f"{name!r}: lines are written plain, as .gz or as .zst")
    else:
        yield file
