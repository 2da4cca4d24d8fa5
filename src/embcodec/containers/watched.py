"""The checksum of several arrays in a row, compared while they are read in parts, in whatever order the parts come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._native.checksum import crc32
from ..errors import StorageError
from .arrays import Stream

_POLYNOMIAL = 0xEDB88320  # CRC-32's, lowest bit first


class Watch:
    """Compares a checksum of arrays, one after the other, once each has been read from its first row to its last.

    Parameters
    ----------
    streams : mapping of str to Stream
        In the order of the file, without gaps.
    expected : str
        Hexadecimal.
    """

    def __init__(self, streams: Mapping[str, Stream], expected: str) -> None:
        self._sizes = {name: stream.shape[0] * stream.row_bytes for name, stream in streams.items()}
        self._rows = {name: stream.shape[0] for name, stream in streams.items()}
        self._read = dict.fromkeys(streams, 0)
        self._checksums = dict.fromkeys(streams, 0)
        self._expected = expected

    def watched(self, name: str, stream: Stream) -> Stream:
        """Return an array whose reading is watched: its last part is a StorageError where the checksum differs."""

        def read(first: int, count: int) -> NDArray[Any]:
            rows = stream.read(first, count)
            if first == self._read[name] and count:
                self._checksums[name] = crc32(np.ascontiguousarray(rows), self._checksums[name])
                self._read[name] += count
                if self._read == self._rows and f"{self._all():08x}" != self._expected:
                    raise StorageError("the data is damaged: its checksum differs")
            return rows

        return replace(stream, read=read)

    def _all(self) -> int:
        checksum = 0
        for name, size in self._sizes.items():
            checksum = joined_crc32(checksum, self._checksums[name], size)
        return checksum


def joined_crc32(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of two texts in a row from that of each and the `length` of the second, in bytes.

    Zeros behind a text turn its checksum by a matrix of bits, whose powers are squared together.

    Examples
    --------
    >>> import zlib
    >>> joined_crc32(zlib.crc32(b"ab"), zlib.crc32(b"cde"), 3) == zlib.crc32(b"abcde")
    True
    """
    turn = [_POLYNOMIAL, *(1 << bit for bit in range(31))]  # the matrix that appends a zero bit
    for _ in range(3):  # squared three times, it appends a zero byte
        turn = [_times(turn, column) for column in turn]
    while length:
        if length & 1:
            first = _times(turn, first)
        turn = [_times(turn, column) for column in turn]
        length >>= 1
    return first ^ second


def _times(columns: list[int], bits: int) -> int:
    found = 0
    for column in columns:
        if bits & 1:
            found ^= column
        bits >>= 1
    return found
