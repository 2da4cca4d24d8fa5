"""``ingest``: files of vectors, of bodies and of batch jobs into a collection, each row once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..dtypes import NamelessFloat, OutputDtype, OutputDtypeName
from ..embeddings import Embeddings
from ..errors import EmbcodecError, StorageError
from ..words import counted, progress_bar
from .bodies import changed_profile, packing_options, profile_option
from .common import DTYPES, as_json, example, file_command, max_bytes, print_json, say, table_options
from .kinds import CodesAsked, kind_of, kind_options
from .trouble import Trouble

if TYPE_CHECKING:
    from ..index.collection import Collection
    from ..quantizers.lowbit import Rows


@file_command(epilog=example("embcodec ingest 'outputs/*.jsonl.zst' vectors --dtype ubinary --rescore-with int8"))
@click.argument("sources", nargs=-1, required=True)
@click.argument("collection", type=click.Path(file_okay=False, path_type=Path))
@kind_options("What a new collection holds; by default what SOURCES do.")
@click.option("--rescore-with", type=DTYPES, help="Also keep better rows, of this dtype, to rescore results with.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="First rows that ranges and low-bit codes are fitted to.",
)
@click.option("--from-dtype", type=DTYPES, help="What SOURCES hold, or were asked for, if they do not say.")
@click.option(
    "--dimension", type=click.IntRange(min=1), help="How many packed bits of a row count, if the files do not say."
)
@click.option(
    "--id-column",
    help="What names the rows of tables and the like, by whole numbers or texts; of batch files their custom_ids do. "
    "Files without such a column, as .npy, are ingested by a command without it.",
)
@click.option(
    "--batch-rows",
    type=click.IntRange(min=1),
    help="How many rows to append at a time; by default as many as 64 MiB of float32 hold, 65,536 at most.",
)
@click.option(
    "--max-failed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Exit with status 1 if more lines of SOURCES failed (or rows were skipped), also when they were taken before.",
)
@click.option(
    "--skip-errors",
    is_flag=True,
    help="Pass over files that cannot be read, and rows that cannot be appended: each is named, and the status is 1. "
    "The next run tries the files again, but no rows or lines of a file that was read to its end: ingest mended ones "
    "alone, as a file of another name.",
)
@table_options
@profile_option("Whose bodies and batch files")
@packing_options
@as_json
def ingest(
    sources: tuple[str, ...],
    collection: Path,
    dtype: OutputDtypeName | None,
    bits: str | None,
    bytes_per_vector: int | None,
    scale: str | None,
    rescore_with: OutputDtypeName | None,
    sample: int,
    from_dtype: OutputDtypeName | None,
    dimension: int | None,
    id_column: str | None,
    batch_rows: int | None,
    max_failed: int | None,
    skip_errors: bool,
    column: str | None,
    float_dtype: NamelessFloat | None,
    profile: str,
    as_json: bool,
    **packing: Any,
) -> None:
    """Append the rows of SOURCES to a COLLECTION, a folder, which is made where it is not there.

    SOURCES are files, globs, folders and URLs: every kind of file of vectors, response bodies (.json), and the output
    of batch jobs (.jsonl, also .gz and .zst), whose custom_ids are kept. Each row is appended once: the same command
    goes on where it was, after a crash too, and takes new files only.
    """
    from ..index.collection import failed_and_skipped

    asked = CodesAsked(dtype, None if bits is None else int(bits), bytes_per_vector, scale).checked()
    trouble = Trouble()
    reading: dict[str, Any] = {
        "column": column,
        "output_dtype": from_dtype,
        "dimension": dimension,
        "float_dtype": float_dtype,
        "profile": changed_profile(profile, **packing),
        "max_bytes": max_bytes(),
        "failed": trouble.note,
        "on_error": trouble.skip if skip_errors else "raise",
    }
    was_there = collection.exists()
    is_new = not was_there or not any(collection.iterdir())
    try:
        vectors = _opened(collection, sources, reading, asked, rescore_with, sample)
    except StorageError:
        trouble.tell()
        raise
    trouble.clear()  # what the first rows gave is heard again
    rows_before = len(vectors)
    try:
        with progress_bar("ingesting") as report:
            told = (lambda done, _: report(done, None, "ingesting")) if report is not None else None
            appended = vectors.ingest(
                list(sources), id_column=id_column, batch_rows=batch_rows, progress=told, **reading
            )
    except Exception:
        if is_new and not vectors.info().generation:
            _drop(collection, folder_too=not was_there)
        trouble.tell()
        if len(vectors) > rows_before:
            rows = counted(len(vectors) - rows_before, "row", "rows")
            say(f"{rows} appended before this error -> {vectors!r} in {collection}", error=True)
        raise
    trouble.tell()
    failed, skipped_rows = failed_and_skipped(collection, list(sources))
    if as_json:
        print_json(
            {
                "appended": appended,
                "failed": trouble.failed,
                "failed_in_all": failed,
                "skipped": [{"file": one.name, "row": one.row, "error": str(one.error)} for one in trouble.skipped],
                **vectors.info()._asdict(),
                "collection": str(collection),
            }
        )
    else:
        say(f"{_taken(appended, trouble, failed, skipped_rows)} -> {vectors!r} in {collection}")
    if max_failed is not None and failed > max_failed:
        lines = counted(failed, "line", "lines")
        say(f"Error: {lines} failed, more than --max-failed {max_failed} allows", error=True)
        click.get_current_context().exit(1)
    if trouble.skipped:
        files, rows = counted(trouble.files, "file", "files"), counted(trouble.rows, "row", "rows")
        say(f"Error: {files} and {rows} were skipped", error=True)
        click.get_current_context().exit(1)


def _taken(appended: int, trouble: Trouble, failed: int, skipped: int) -> str:
    """Say how many rows were appended and what was not, now and before.

    `failed` and `skipped` are of all calls; lines that failed count rows that were skipped, too.
    """
    rows_before = skipped - trouble.rows
    lines_before = failed - skipped - trouble.failed
    words = f"{counted(appended, 'row', 'rows')} appended, {counted(trouble.failed, 'line', 'lines')} failed"
    words += f" ({lines_before:,} before)" if lines_before > 0 else ""
    if trouble.rows or rows_before > 0:
        words += f", {counted(trouble.rows, 'row', 'rows')} skipped"
        words += f" ({rows_before:,} before)" if rows_before > 0 else ""
    return words


def _drop(collection: Path, *, folder_too: bool) -> None:
    """Remove a collection that was made here, and into which nothing came."""
    for path in collection.iterdir():
        path.unlink()
    if folder_too:
        collection.rmdir()


def _opened(
    path: Path,
    sources: tuple[str, ...],
    reading: dict[str, Any],
    asked: CodesAsked,
    rescore_with: OutputDtypeName | None,
    sample: int,
) -> Collection:
    """Return the collection, which is made where it is not there."""
    from ..index.collection import Collection, holds_collection
    from ..quantizers.fitting import amounts_of

    if holds_collection(path):
        found = Collection.open(path)
        facts = found.info()
        size = None if asked.bytes_per_vector is None else f"{asked.bytes_per_vector} bytes"
        for option, words, known in (
            ("--dtype", [asked.dtype], facts.codes),
            ("--bits", [None] if asked.bits is None else amounts_of(asked.bits, found.dimension), facts.codes),
            ("--bytes", [size], facts.codes),
            ("--rescore-with", [rescore_with], facts.rescore_with),
        ):
            if words[0] is not None and not known.startswith(tuple(f"{word} x" for word in words)):
                raise StorageError(f"{path} is a collection of {known}, not {words[0]}: leave out {option}")
        return found
    if rescore_with is not None and asked.is_nothing:
        raise click.UsageError(
            f"--rescore-with {rescore_with} keeps better rows beside codes: say which, by --dtype or --bits"
        )
    rows = _first_rows(sources, reading, sample)
    codes = _like(rows, asked)
    better = None
    if rescore_with is not None:
        scale = "per-vector" if rescore_with in ("int8", "uint8") else None
        better = _like(rows, CodesAsked(rescore_with, None, None, scale))
    return Collection.create(path, like=codes, rescore_with=better)


def _first_rows(sources: tuple[str, ...], reading: dict[str, Any], count: int) -> Rows:
    from ..files.pieces import Skips, finite_rows_of, iter_load
    from ..quantizers.lowbit import concat

    def some() -> Iterator[Rows]:
        left = count
        for found, _ in iter_load(list(sources), batch_rows=count, **reading):
            kept = finite_rows_of(found, "", 0, Skips(None)) if callable(reading["on_error"]) else None
            rows = (found if kept is None else found[kept])[:left]
            yield rows
            left -= len(rows)
            if left <= 0:
                return

    found: list[Rows] = []
    try:
        for rows in some():
            found.append(rows)
    except (EmbcodecError, ValueError, OSError):
        if not found:
            raise  # else it is told again, once the files before it have been taken
    if not found:
        raise StorageError("there are no rows in these files")
    return concat(found)


def _like(rows: Rows, asked: CodesAsked) -> Rows:
    """Return none of the rows, of the kind that is asked for."""
    if asked.is_nothing:
        return rows[:0]
    if not isinstance(rows, Embeddings) or rows.output_dtype is not OutputDtype.FLOAT:
        if isinstance(rows, Embeddings) and asked.dtype == rows.output_dtype:
            return rows[:0]
        raise StorageError(f"{rows!r} are codes already, and kept as they are: leave out --dtype, --bits and the like")
    return kind_of(rows, asked)[0]
