"""Bodies and batch files in parts: the vectors of answers, with the ids of their requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

from ...dtypes import EncodingFormat
from ...embeddings import Embeddings
from ...errors import DecodeError, StorageError
from ...quantizers.lowbit import concat
from ...wire import decode_response
from ...wire.batch import BatchLine, check_together, iter_batch, words_of_dimension
from ...words import shown
from .how import CUSTOM_ID, HOW_MADE_UP, MADE_UP, Piece, Reading
from .places import Place

Answer = tuple[Embeddings, list[str | None], EncodingFormat | None]


def line_pieces(place: Place, how: Reading, skip: int) -> Iterator[Piece]:
    """Yield the rows of a batch file behind the first `skip`, with custom_ids where those are asked for.

    Raises
    ------
    DecodeError
        For a line that holds no embeddings, where there is nobody to tell; behind all rows that can be read, for a file
        that is cut or damaged.
    """
    check_has_none(how, "a batch file")
    if how.id_column not in (None, CUSTOM_ID):
        raise StorageError(f"the ids of a batch file are its custom_ids: id_column={CUSTOM_ID!r}")
    with place.open() as file:
        broken: list[DecodeError] = []
        yield from _in_parts(_answers(place, file, how, skip, broken), how)
    for error in broken:  # once the rows before are out
        words = f"{place.name}: the file cannot be read on: {error.reason}"
        raise DecodeError(words, offset=error.offset, row=error.row, line=error.line)


def _answers(place: Place, file: IO[bytes], how: Reading, skip: int, broken: list[DecodeError]) -> Iterator[Answer]:
    """Yield the rows of a line at a time, and its id for each; what it breaks off by becomes `broken`."""
    lines = iter_batch(
        place.path if place.path is not None else file,
        output_dtype=how.output_dtype or "float",
        dimension=how.dimension,
        profile=how.profile,
        max_bytes=how.max_bytes,
    )
    dimension, given = how.row_dimension, dict[str, int]()
    for line in lines:
        if line.breaks_off and isinstance(line.error, DecodeError):
            broken.append(line.error)
            return
        if line.response is not None:
            found = line.response.embeddings.dimension
            if dimension is not None and found != dimension:
                words = words_of_dimension(found, dimension, how.row_dimension is not None)
                line = BatchLine(line.line, line.custom_id, error=DecodeError(words, line=line.line))
            dimension = dimension or found
        names = _names_of(line, how)
        if words := _twin(names, line.line, given) if how.names_apart else "":
            line = BatchLine(line.line, line.custom_id, error=DecodeError(words, line=line.line))
        if line.response is None:
            if skip and how.known is not None:
                how.known()
                continue
            if how.failed is None and how.skips is not None:
                how.skips.add(place.name, line.error or DecodeError("no embeddings"), line=line.line)
                continue
            if how.failed is None:
                raise DecodeError(
                    f"{place.name}: no embeddings in this line ({line.error}): pass failed= to hear of such lines and "
                    "go on",
                    line=line.line,
                )
            how.failed(place.name, line)
            continue
        rows = line.response.embeddings
        kept = rows[min(skip, len(rows)) :] if skip else rows
        skip -= len(rows) - len(kept)
        if len(kept):
            yield kept, names[len(rows) - len(kept) :], line.response.encoding_format


def _names_of(line: BatchLine, how: Reading) -> list[str | None]:
    """Return what the rows of a line are called."""
    count = 0 if line.response is None else len(line.response.embeddings)
    if how.names_apart and line.custom_id is not None and count > 1:
        return [f"{line.custom_id}/{number}" for number in range(count)]
    return [line.custom_id] * count


def _twin(names: Sequence[str | None], line: int, given: dict[str, int]) -> str:
    """Return what is wrong with a line whose rows have an id of another line's, "" where none has; they are noted.

    Of one that is no row's of several the reader of lines knows.
    """
    names_here = [name for name in names if name is not None and MADE_UP.search(name)]
    for name in names_here:
        if name in given:
            return f"id {shown(name)} was given on line {given[name]} already ({HOW_MADE_UP})"
    given.update(dict.fromkeys(names_here, line))
    return ""


def _in_parts(answers: Iterator[Answer], how: Reading) -> Iterator[Piece]:
    """Yield what answers come to in parts of `batch_rows`, the last one of fewer."""
    held: list[Embeddings] = []
    names: list[str | None] = []
    for rows, ids, encoding in answers:
        held.append(rows)
        names += ids
        while len(names) >= how.batch_rows:
            joined = concat(held)
            check_together(joined[: how.batch_rows], encoding, how.profile, how.dimension)
            yield joined[: how.batch_rows], names[: how.batch_rows] if how.id_column else None
            held, names = [joined[how.batch_rows :]], names[how.batch_rows :]
    if names:
        joined = concat(held)
        check_together(joined, encoding, how.profile, how.dimension)
        yield joined, names if how.id_column else None


def body_pieces(place: Place, how: Reading, skip: int) -> Iterator[Piece]:
    """Yield the rows of a response body behind the first `skip`."""
    check_has_none(how, "a response body")
    if how.id_column is not None:
        raise StorageError(f"a response body has no ids: leave out id_column={how.id_column!r}")
    with place.open() as file:
        text = file.read()
    found = decode_response(
        text, output_dtype=how.output_dtype or "float", dimension=how.dimension, profile=how.profile
    ).embeddings
    for first in range(skip, len(found), how.batch_rows):
        yield found[first : first + how.batch_rows], None


def check_has_none(how: Reading, what: str) -> None:
    """Refuse what is asked of columns and elements where there are neither."""
    if how.column is not None:
        raise StorageError(f"{what} has no columns: leave out column={how.column!r}")
    if how.float_dtype is not None:
        raise StorageError(f"{what} says what its elements are: leave out float_dtype={how.float_dtype!r}")
