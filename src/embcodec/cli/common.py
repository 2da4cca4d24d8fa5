"""What the commands share: reading vectors, printing JSON, a progress bar on a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..dtypes import EncodingFormat, OutputDtype, OutputDtypeName
from ..embeddings import Embeddings
from ..words import meant, printable

if TYPE_CHECKING:
    from ..quantizers.lowbit import LowBitCodes

    _Choice = click.Choice[str]
else:
    _Choice = click.Choice


class Words(_Choice):
    """One of some words; another one is answered with the one that may be meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word; a usage error, which asks for the one that may be meant, where it is none."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            question = meant(value, [str(choice) for choice in self.choices])
            self.fail(f"{error.message.rstrip('.')}{question or '.'}", param, ctx)


DTYPES = Words([str(member) for member in OutputDtype])
ENCODINGS = Words([str(member) for member in EncodingFormat])
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


class _OutputFile(click.Path):
    """A file to write, in a folder that can be written: known before any work is done for it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = (path.resolve() if path.is_symlink() else path).parent
        if not folder.is_dir():
            self.fail(f"{path}: folder {folder} does not exist", param, ctx)
        if not os.access(folder, os.W_OK | os.X_OK):
            self.fail(f"{path}: folder {folder} cannot be written", param, ctx)
        return path


class _VectorsFile(_OutputFile):
    """A file to save vectors in, whose suffix says its kind."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from ..errors import StorageError
        from ..files import check_suffix

        path = super().convert(value, param, ctx)
        try:
            check_suffix(path)
        except StorageError as error:
            self.fail(str(error), param, ctx)
        return path


_MAX_BYTES = "EMBCODEC_MAX_BYTES"
OUTPUT = _OutputFile(dir_okay=False, path_type=Path)
VECTORS_OUTPUT = _VectorsFile(dir_okay=False, path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
column_option = click.option("--column", help="Of a file with several: a column, an array or a tensor.")
threads_option = click.option("--threads", type=click.IntRange(min=1), help="Threads; by default as the work needs.")


def example(*lines: str) -> str:
    """Return an epilog that shows how a command is called."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def read_rows(
    path: Path,
    output_dtype: OutputDtypeName | None = None,
    dimension: int | None = None,
    mmap: bool = False,
    remedy: str = "say --dtype",
    column: str | None = None,
    column_option: str = "--column",
) -> Embeddings | LowBitCodes:
    """Load a file; where it leaves its dtype open, the error gives the command's `remedy`.

    The environment's ``EMBCODEC_MAX_BYTES`` is how much memory it may ask for.
    """
    from ..errors import StorageError
    from ..files import load
    from .words import reader_of_file

    limit = os.environ.get(_MAX_BYTES, "")
    if limit and not (limit.isascii() and limit.isdecimal()):
        raise click.UsageError(f"{_MAX_BYTES} is a number of bytes, not {limit!r}")
    max_bytes = int(limit) if limit else None
    try:
        return load(path, mmap, output_dtype=output_dtype, dimension=dimension, column=column, max_bytes=max_bytes)
    except StorageError as error:
        other = reader_of_file(path)
        if other is not None and " vectors, " not in other:
            raise StorageError(other) from None
        words = str(error).replace("say output_dtype=...", remedy).replace("pass max_bytes=", f"set {_MAX_BYTES}=")
        words = words.replace("; name one", f": say {column_option}").replace("column=", f"{column_option} ")
        raise StorageError(words) from None


def read_vectors(
    path: Path,
    output_dtype: OutputDtypeName | None = None,
    dimension: int | None = None,
    remedy: str = "say --dtype",
    column: str | None = None,
    column_option: str = "--column",
) -> Embeddings:
    """Load a file of one of the five dtypes; see :func:`read_rows`."""
    from ..errors import StorageError

    rows = read_rows(path, output_dtype, dimension, remedy=remedy, column=column, column_option=column_option)
    if not isinstance(rows, Embeddings):
        raise StorageError(
            f"{path} holds {rows.scheme.label} codes, which are searched (the CORPUS of `embcodec search`) but not "
            "sent or asked with: use the floats that they were made of"
        )
    return rows


def say(text: str, *, error: bool = False) -> None:
    """Print a line on standard output, or standard error, without obeying control characters from files or services."""
    click.echo(printable(text), err=error)


def print_json(data: Any) -> None:
    """Print plain data as JSON on standard output."""
    click.echo(json.dumps(data, indent=2, allow_nan=False, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} does not become JSON")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """Show a bar on standard error while the block runs; yields ``report(done, total, label)``.

    Where standard error is no terminal nothing is shown, and None is yielded.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)

        def report(done: int, total: int, label: str = "") -> None:
            progress.update(task, completed=done, total=total, description=label or title)

        yield report
