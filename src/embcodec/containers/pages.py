"""What the pages of a ``.parquet`` file say that they hold, counted before any of them is decoded.

A page of a few bytes can stand for millions of values (runs, dictionaries), or inflate to gigabytes, and what the
footer says of it may be wrong. Both are read here::

    | PAR1 | page header | page | page header | page | ... | footer | u32 its length | PAR1 |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

from ..errors import StorageError
from .thrift import read_struct

_HEADER_BYTES = 1 << 13  # read for a page's header, statistics included; more where that is not enough
_LONGEST_HEADER = 1 << 24
_WIDTHS = (1, 4, 8, 12, 4, 8, 1, 1)  # bytes of BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, and of the two of bytes
_BYTES, _FIXED_BYTES = 6, 7
_DATA_PAGES = (5, 8)  # the fields of a page's header that describe a data page, of the first and the second version


@dataclass(frozen=True)
class Chunk:
    """A column's pages in a group of rows, as the footer has them."""

    path: tuple[str, ...]
    kind: int
    codec: int
    values: int
    start: int
    nbytes: int
    plain: bool
    """Neither a dictionary nor statistics."""

    @property
    def is_bytes(self) -> bool:
        """Whether its values are byte arrays, each of its own length."""
        return self.kind == _BYTES


@dataclass(frozen=True)
class Footer:
    """What is asked of a footer."""

    rows: int
    group_rows: tuple[int, ...]
    chunks: tuple[Chunk, ...]
    columns: int
    width: int
    """The longest value of fixed length, bytes."""

    def of(self, *names: str) -> list[Chunk]:
        """Return the chunks of columns."""
        return [chunk for chunk in self.chunks if chunk.path[0] in names]


def read_footer(file: IO[bytes], size: int) -> Footer:
    """Return what the footer of a file of `size` bytes says; StorageError where it is damaged."""
    file.seek(max(0, size - 8))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > size - 12:
        raise StorageError("not a .parquet file, or a damaged one: it has no footer")
    file.seek(size - 8 - length)
    try:
        return _footer(read_struct(file.read(length))[0])
    except (KeyError, TypeError, AttributeError, IndexError, UnicodeDecodeError):
        raise StorageError("the footer of the .parquet file is damaged") from None


def _footer(fields: dict[int, Any]) -> Footer:
    groups = fields[4]
    chunks = tuple(_chunk(column[3]) for group in groups for column in group[1])
    schema = fields[2]
    widths = [element[2] for element in schema if element.get(1) == _FIXED_BYTES]
    columns = sum(not element.get(5) for element in schema)
    return Footer(fields[3], tuple(group[3] for group in groups), chunks, columns, max([1, *widths]))


def _chunk(fields: dict[int, Any]) -> Chunk:
    path = tuple(part.decode() for part in fields[3])
    dictionary = fields.get(11) or 0
    start = min(fields[9], dictionary) if dictionary > 0 else fields[9]
    chunk = Chunk(path, fields[1], fields[4], fields[5], start, fields[7], 11 not in fields and 12 not in fields)
    if not path or not all(isinstance(number, int) for number in (chunk.kind, chunk.codec, chunk.values, start)):
        raise TypeError
    return chunk


def decoded_bytes(file: IO[bytes], size: int, footer: Footer, *names: str) -> int:
    """Return how many bytes columns take decoded, each with its largest page.

    Raises
    ------
    StorageError
        Where pages do not lie as the footer says, or hold another number of values.
    """
    return sum(_decoded(file, size, chunk, footer.width) for chunk in footer.of(*names))


def _decoded(file: IO[bytes], size: int, chunk: Chunk, width: int) -> int:
    at, end = chunk.start, chunk.start + chunk.nbytes
    column = repr(".".join(chunk.path))
    if not 0 <= at <= end <= size or chunk.kind not in range(len(_WIDTHS)):
        raise StorageError(f"the pages of column {column} lie outside the file: it is damaged")
    values = largest = 0
    while values < chunk.values and at < end:
        header, taken = _page_header(file, at, end)
        uncompressed, compressed = header.get(2), header.get(3)
        if not isinstance(uncompressed, int) or not isinstance(compressed, int) or min(uncompressed, compressed) < 0:
            raise StorageError(f"a page of column {column} says no size: it is damaged")
        for field in _DATA_PAGES:
            if field in header:
                count = header[field].get(1) if isinstance(header[field], dict) else None
                if not isinstance(count, int) or count < 0:
                    raise StorageError(f"a page of column {column} says no number of values: it is damaged")
                values += count
        largest = max(largest, uncompressed)
        at += taken + compressed
    if values != chunk.values or at > end:
        raise StorageError(f"{chunk.values} values of column {column} are announced, its pages hold {values}")
    return values * (width if chunk.kind == _FIXED_BYTES else _WIDTHS[chunk.kind]) + largest


def _page_header(file: IO[bytes], at: int, end: int) -> tuple[dict[int, Any], int]:
    room = _HEADER_BYTES
    while True:
        file.seek(at)
        try:
            return read_struct(file.read(min(room, end - at)))
        except StorageError:
            if room >= min(_LONGEST_HEADER, end - at):
                raise
            room *= 8
