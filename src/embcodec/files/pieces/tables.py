"""``.parquet`` files in parts: batches of rows, whose codes mean what the file says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import IO, Any

import numpy as np

from ...containers import check_decoded
from ...errors import StorageError
from ...quantizers.lowbit import concat
from ..columns import as_tensors
from ..contents import Contents, rows_in
from ..parquet import OpenParquet, open_parquet
from .how import Piece, Reading, as_names, rows_from
from .places import Place
from .skipping import Ids, good_parts

_BUFFER = 1 << 20  # bytes of a column that are read at once
_DECODED = 1 << 22  # bytes of a column that are decoded at once, which takes several times as many for a moment
_ITS_ONLY_ROW = re.compile(r"\brow 0\b")  # as the error of a row that was read by itself calls it
_SEALS = ("rows", "data_checksum", "words_checksum")


def table_pieces(place: Place, how: Reading, skip: int, stop: int | None = None) -> Iterator[Piece]:
    """Yield the rows skip .. stop - 1 of a table, with ids where they are asked for; `stop` is the end of a group."""
    with _open(place) as file:
        options: dict[str, Any] = {"pre_buffer": False, "buffer_size": _BUFFER, "page_checksum_verification": True}
        here = place.path is not None
        with open_parquet(file, how.column, how.max_bytes, looks_at_pages=here, **options) as table:
            names = table.reader.schema_arrow.names
            if how.id_column is not None and names.count(how.id_column) != 1:
                raise StorageError(f"no column {how.id_column!r} of ids; there are {names[:20]}")
            found = _batches(place, table, how, skip, stop)
            yield from found if how.skips is not None else _joined(found, how.batch_rows)


def table_column(place: Place, how: Reading) -> str:
    """Return the column that the rows of a table are where none is named."""
    with _open(place) as file, open_parquet(file, None, how.max_bytes, looks_at_pages=False) as table:
        return table.name


@contextmanager
def _open(place: Place) -> Iterator[IO[bytes]]:
    with place.open() as file:
        if not file.seekable():
            raise StorageError(
                "a .parquet file is read at several places, but this one goes forward only: save it first"
            )
        yield file


def _batches(place: Place, table: OpenParquet, how: Reading, skip: int, stop: int | None) -> Iterator[Piece]:
    import pyarrow

    size = max(place.size(), 0)
    ends = list(accumulate(table.group_rows))
    groups, before = _groups_behind(table.group_rows, skip)
    groups = [group for group in groups if stop is None or ends[group] <= stop]
    wanted = [*table.wanted, *([how.id_column] if how.id_column not in (None, *table.wanted) else [])]
    batches = table.reader.iter_batches(_rows_at_once(table, how.batch_rows), groups, wanted, use_threads=False)
    words = {name: word for name, word in table.words.items() if name not in _SEALS}
    first, found = skip - before, 0
    for batch in batches:
        batch.validate(full=True)
        found += len(batch)
        check_decoded(batch.nbytes, size, how.max_bytes, f"{len(batch):,} rows")
        drop, before = min(before, len(batch)), max(before - len(batch), 0)
        kept = pyarrow.table(batch.slice(drop))
        if not len(kept):
            continue

        def read(first: int, stop: int, kept: Any = kept) -> Piece:
            some = kept.slice(first, stop - first)
            values, scales, own = table.parts_of(some)
            scales = None if scales is None else np.array(scales)  # memory of its own
            contents = Contents(*as_tensors(values, scales, own or words), {})
            ids: Ids = None if how.id_column is None else as_names(some.column(how.id_column), how.id_column)
            return rows_in(contents, ".parquet", how.output_dtype, how.dimension, None), ids

        start = first + found - len(kept)
        with rows_from(start):
            if how.skips is None:
                yield read(0, len(kept))
                continue
            for number, part in good_parts(len(kept), read):
                if isinstance(part, Exception):
                    row = start + number
                    said = _ITS_ONLY_ROW.sub(f"row {row}", str(part))
                    how.skips.add(place.name, StorageError(said, row=row), row=row)
                else:
                    yield part
    if found != sum(table.group_rows[group] for group in groups):
        raise StorageError(f"{table.rows} rows are announced, others are there: the file is damaged")


def table_ends(place: Place, how: Reading) -> list[int]:
    """Return the row behind the last of each group of a table."""
    with _open(place) as file, open_parquet(file, how.column, how.max_bytes, looks_at_pages=False) as table:
        return list(accumulate(table.group_rows))


def _rows_at_once(table: OpenParquet, most: int) -> int:
    """Return how many rows are decoded at once, of which some parts together are `most` rows."""
    if not any(table.group_rows):
        return most
    group = table.reader.metadata.row_group(int(np.argmax(table.group_rows)))
    columns = (group.column(number) for number in range(group.num_columns))
    nbytes = sum(
        each.total_uncompressed_size for each in columns if f"{each.path_in_schema}.".startswith(f"{table.name}.")
    )
    parts = -(-most * nbytes // (_DECODED * group.num_rows)) or 1
    return max(-(-most // parts), 1)


def _joined(pieces: Iterator[Piece], most: int) -> Iterator[Piece]:
    """Yield pieces of `most` rows, the last one of fewer; none of those that come has more."""
    held: list[Piece] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece[0])
        if count >= most:
            rows, ids = _one(held)
            yield rows[:most], None if ids is None else ids[:most]
            count -= most
            held = [(rows[most:], None if ids is None else ids[most:])] if count else []
    if count:
        yield _one(held)


def _one(held: list[Piece]) -> Piece:
    """Return pieces as one, and let go of them."""
    if len(held) == 1:
        return held.pop()
    rows, ids = [rows for rows, _ in held], [ids for _, ids in held]
    held.clear()
    named: Ids = None
    if isinstance(ids[0], np.ndarray):
        named = np.concatenate(ids)  # type: ignore[arg-type]
    elif ids[0] is not None:
        named = [name for some in ids for name in some or ()]
    return concat(rows), named


def _groups_behind(group_rows: tuple[int, ...], skip: int) -> tuple[list[int], int]:
    """Return the groups that have rows behind the first `skip`, and how many rows of theirs are to be passed over."""
    first = 0
    while first < len(group_rows) and group_rows[first] <= skip:
        skip -= group_rows[first]
        first += 1
    return list(range(first, len(group_rows))), skip
