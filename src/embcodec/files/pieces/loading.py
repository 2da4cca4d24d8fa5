"""Rows of many files, some at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...containers import FLOAT_DTYPES, check_max_bytes
from ...dtypes import NamelessFloat, OutputDtypeLike, as_output_dtype
from ...errors import (
    CodeMismatchError,
    DecodeError,
    EmbcodecError,
    NotFiniteError,
    RowError,
    ServiceError,
    StorageError,
)
from ...profiles import Profile
from ...quantizers.lowbit import Rows, kind_of, told_apart
from ...wire.batch import BatchLine
from ...words import as_whole, closest, one_of, shown
from ..kinds import BODY, LINES, UNSEALED
from .how import Piece, Reading
from .lines import body_pieces, check_has_none, line_pieces
from .matrices import matrix_column, matrix_count, matrix_pieces
from .places import Paths, Place, places_of
from .skipping import Ids, OnError, is_about_data, skips_of
from .tables import table_column, table_ends, table_pieces


class Loaded(NamedTuple):
    """Some rows of a file, as :func:`iter_load` yields them.

    Attributes
    ----------
    rows : Embeddings or LowBitCodes
    ids : ndarray of int64, (n,), list of str, or None
        Of the rows; None where none were asked for.
    """

    rows: Rows
    ids: Ids


def iter_load(
    paths: Paths,
    *,
    column: str | None = None,
    id_column: str | None = None,
    batch_rows: int = 65_536,
    output_dtype: OutputDtypeLike | None = None,
    dimension: int | None = None,
    float_dtype: NamelessFloat | None = None,
    profile: str | Profile = "mistral",
    failed: Callable[[str, BatchLine], object] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    max_bytes: int | None = None,
    on_error: OnError = "raise",
) -> Iterator[Loaded]:
    r"""Read the rows of many files, some at a time: memory is bounded by `batch_rows`, not by the files.

    Parameters
    ----------
    paths : path-like, URL, binary file, or iterable of such
        Files of every kind that :func:`load` reads, the output of batch jobs (``.jsonl``, zipped or not) and response
        bodies (``.json``). A glob (``shards/*.parquet``) or folder stands for its files, by name; of a folder hidden
        files, and those of other kinds, are left out. A file whose name's end says nothing is told by how it begins.
        URLs (``s3://``, ``https://``, ``memory://`` ...) are opened by fsspec (``pip install 'embcodec[remote]'``); it
        wants ``s3fs`` besides for ``s3://``, ``gcsfs`` for ``gs://``.
    column : str, optional
        Which column, array, tensor or dataset the rows are, as in :func:`load`.
    id_column : str, optional
        The column of a table, or array of as many elements beside the rows, that names them: whole numbers or texts.
        Of a batch file ``"custom_id"`` will do. By default there are no ids.
    batch_rows : int
        How many rows there are at most in a part. None reaches over the end of a file.
    output_dtype, dimension, float_dtype
        What the rows are, where a file does not say it, as in :func:`load`; of bodies and batch files, what was asked
        for.
    profile : str or Profile
        Whose bodies and batch files these are.
    failed : callable, optional
        Called with the name of a batch file and each :class:`BatchLine` of it that holds no embeddings. Without it such
        a line is an error; a file that is cut or damaged is one always, once the rows before that are out.
    storage_options : mapping, optional
        What fsspec takes for a URL's store: ``{"anon": True}``.
    max_bytes : int, optional
        How many bytes of memory a part, or what is compressed, may ask for; by default as in :func:`load`.
    on_error : {"raise", "skip"} or callable
        What is done about a file that cannot be read (on), or is of another kind than those before it, and about rows
        of a table that are null, or no rows of numbers: "skip" passes them over, with a :class:`SkippedWarning` at the
        end, and so does a function, which is called with each as a :class:`Skipped`.

    Yields
    ------
    Loaded
        Rows (Embeddings or LowBitCodes, memory of their own) and their ids.

    Raises
    ------
    FileNotFoundError
        Where there is no such file, or none that a glob matches.
    StorageError, DecodeError
        As :func:`load` and :func:`decode_batch`; it names the file. A checksum of all data is compared with the last
        part: those before it are out by then.
    CodeMismatchError
        Where the rows of a file are of another kind than those before: dtype, dimension, scale, orders of bytes and
        bits, or scheme.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from embcodec import iter_load, save
    >>> folder = tempfile.mkdtemp()
    >>> for number in range(2):
    ...     save(f"{folder}/{number}.npy", np.full((3, 4), number, np.float32))
    >>> [(rows, ids) for rows, ids in iter_load(f"{folder}/*.npy", batch_rows=2)][-1]
    (Embeddings(1 x 4 float, 16 bytes), None)
    """
    how = reading(
        column=column,
        id_column=id_column,
        batch_rows=batch_rows,
        output_dtype=output_dtype,
        dimension=dimension,
        float_dtype=float_dtype,
        profile=profile,
        max_bytes=max_bytes,
        failed=failed,
        on_error=on_error,
    )
    return _loaded(places_of(paths, storage_options, skips=how.skips), how)


def reading(**arguments: Any) -> Reading:
    """Return how files are to be read, the arguments of :func:`iter_load` judged."""
    known, skips = Reading.__dataclass_fields__, skips_of(arguments.pop("on_error", "raise"))
    for name in arguments:
        if name not in known or name in ("names_apart", "skips"):
            near = closest(name, [*known, "storage_options", "progress", "on_error"])
            raise TypeError(f"there is no argument {name}=" + (f": did you mean {near}=?" if near else ""))
    how = Reading(**arguments, skips=skips)
    as_whole(how.batch_rows, "batch_rows", 1)
    for name in ("column", "id_column"):
        if (value := getattr(how, name)) is not None and not isinstance(value, str):
            raise TypeError(f"{name} is a name, not {shown(value)}")
    if how.output_dtype is not None:
        as_output_dtype(how.output_dtype)
    if how.float_dtype is not None:
        one_of(how.float_dtype, FLOAT_DTYPES, "float_dtype")
    check_max_bytes(how.max_bytes)
    if how.failed is not None and not callable(how.failed):
        raise TypeError(f"failed is called with a file's name and a line: it is a function, not {shown(how.failed)}")
    return how


def _loaded(places: Iterable[Place], how: Reading) -> Iterator[Loaded]:
    for _, _, part in placed(places, how):
        yield part
    if how.skips is not None:
        how.skips.warn()


def placed(places: Iterable[Place], how: Reading) -> Iterator[tuple[str, int, Loaded]]:
    """Yield what :func:`iter_load` does, with the name of the file, and which row of it is the first of the part."""
    first: tuple[Rows, str] | None = None
    for place in places:
        with passing_over(place, how):
            for before, rows, ids in numbered_pieces(place, how):
                first = first or (rows[:0], place.name)
                check_kind(rows, place, *first)
                yield place.name, before, Loaded(rows, ids)


def numbered_pieces(
    place: Place, how: Reading, skip: int = 0, stop: int | None = None
) -> Iterator[tuple[int, Rows, Ids]]:
    """Yield what :func:`pieces_of` does, and which row of the file is the first; rows unlike those before are skipped.

    The latter only where rows that cannot be read are passed over: else the caller refuses them.
    """
    skips, kind, before = how.skips, None, skip
    left_out = 0 if skips is None else skips.rows
    for rows, ids in pieces_of(place, how, skip, stop):
        kind = kind or kind_of(rows)
        before += 0 if skips is None else skips.rows - left_out
        if skips is None or kind_of(rows) == kind:
            yield before, rows, ids
        else:
            for row in range(before, before + len(rows)):
                words = f"{rows[:1]!r} is of another kind than the rows before it"
                skips.add(place.name, CodeMismatchError(words), row=row)
        before += len(rows)
        left_out = 0 if skips is None else skips.rows  # with those that the caller has left out


@contextmanager
def passing_over(place: Place, how: Reading) -> Iterator[None]:
    """Pass over the rest of a file that cannot be read, where that is asked for."""
    try:
        yield
    except Exception as error:
        if how.skips is None or not is_about_data(error):
            raise
        how.skips.add(place.name, error)


def check_kind(rows: Rows, place: Place, like: Rows, name: str) -> None:
    """Refuse rows of a file that are of another kind than those of the file `name`."""
    if kind_of(rows) != kind_of(like):
        raise CodeMismatchError(
            f"{place.name}: {told_apart(rows, like)} are of another kind than the rows of {name}, "
            f"{told_apart(like, rows)}",
            "files of one kind: dtype, dimension, scale and orders of bits",
        )


def pieces_of(place: Place, how: Reading, skip: int = 0, stop: int | None = None) -> Iterator[Piece]:
    """Yield the rows of a file behind the first `skip`, and their ids; errors name the file.

    Those before row `stop` alone, one of the ends that :func:`spans_of` finds.
    """
    try:
        kind = place.kind()
        if kind == ".parquet":
            found = table_pieces(place, how, skip, stop)
        elif kind == LINES:
            found = line_pieces(place, how, skip)
        elif kind == BODY:
            found = body_pieces(place, how, skip)
        else:
            found = matrix_pieces(place, kind, how, skip, stop)
        yield from found
    except EmbcodecError as error:
        raise naming(error, place.name) from None


def column_of(place: Place, how: Reading) -> str:
    """Return the column that the rows of a file are where none is named; a file without columns is refused."""
    try:
        kind = place.kind()
        if kind in (LINES, BODY):
            check_has_none(how, "a batch file" if kind == LINES else "a response body")
            return ""
        return table_column(place, how) if kind == ".parquet" else matrix_column(place, kind, how)
    except EmbcodecError as error:
        raise naming(error, place.name) from None


def spans_of(place: Place, how: Reading, skip: int, least: int) -> list[tuple[int, int]] | None:
    """Return the rows of a file behind the first `skip` in spans of at least that many, each to be read by itself.

    None of files that are read from their beginning, or whose checksum is that of all rows.

    Parameters
    ----------
    place : Place
    how : Reading
    skip : int
    least : int
        A multiple of ``how.batch_rows``.

    Returns
    -------
    list of (first row, row behind the last)
    """
    try:
        kind = place.kind()
        if kind == ".parquet":
            ends = table_ends(place, how)
        elif kind in UNSEALED:
            count = matrix_count(place, kind, how)
            ends = [*range(skip + least, count, least), count]
        else:
            return None
    except EmbcodecError as error:
        raise naming(error, place.name) from None
    spans: list[tuple[int, int]] = []
    for end in ends:
        if end >= skip + least or end == ends[-1] > skip:
            spans.append((skip, end))
            skip = end
    return spans


def naming(error: Exception, name: str, first: int = 0) -> Exception:
    """Return an error that names the file in which it arose; what counted its row began at row `first` of the file."""
    if isinstance(error, NotFiniteError):
        return NotFiniteError(first + error.row, error.column, error.value, name)
    if name in str(error):
        return error
    if isinstance(error, DecodeError):
        return DecodeError(f"{name}: {error.reason}", offset=error.offset, row=error.row, line=error.line)
    if isinstance(error, CodeMismatchError):
        return CodeMismatchError(f"{name}: {error.reason}", error.way)
    if isinstance(error, ServiceError):
        words = {word: getattr(error, word) for word in ("status", "type", "code", "retry_after")}
        return ServiceError(f"{name}: {error.message}", **words)
    if isinstance(error, OSError):
        return error
    if isinstance(error, StorageError):
        return StorageError(f"{name}: {error}", row=error.row)
    return ValueError(f"{name}: {error}") if type(error) in (ValueError, RowError) else error
