"""What the commands share: reading vectors, printing JSON, a progress bar on a terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..dtypes import EncodingFormat, NamelessFloat, OutputDtype, OutputDtypeName
from ..embeddings import Embeddings
from ..words import meant, printable
from .words import MAX_BYTES, words_of

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
FILE_OR_COLLECTION = click.Path(exists=True, path_type=Path)


class _Source(click.Path):
    """A file or folder that is there, as a Path; or a URL, as a str."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from ..files import is_url

        return value if is_url(value) and not os.path.exists(value) else super().convert(value, param, ctx)


SOURCE = _Source(exists=True, path_type=Path)


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
            self.fail(words_of(error), param, ctx)
        return path


class FileCommand(click.Command):
    """A command that writes over nothing that it reads, nor over another of its outputs."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; a usage error where an output is a file that has another part in the call."""
        known: list[tuple[str, Path]] = []
        for param in sorted(self.params, key=lambda param: isinstance(param.type, _OutputFile)):  # inputs are first
            name = param.get_error_hint(ctx)
            for path in _regular_files(param, ctx):
                if isinstance(param.type, _OutputFile):
                    for other, there in known:
                        if _is_same(path, there):
                            raise click.UsageError(f"{name} would write over {there}, which {other} names", ctx)
                known.append((name, path))
        return super().invoke(ctx)


def _regular_files(param: click.Parameter, ctx: click.Context) -> list[Path]:
    """Return the paths that a parameter names, but for those of devices and pipes."""
    if not isinstance(param.type, click.Path | click.File):
        return []
    given = ctx.params.get(param.name or "")
    names = [each if isinstance(each, str | Path) else getattr(each, "name", None) for each in _each(given)]
    paths = [Path(name) for name in names if isinstance(name, str | Path)]  # standard input may have none
    return [path for path in paths if path.is_file() or not path.exists()]


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return one.resolve() == other.resolve()


file_command = partial(click.command, cls=FileCommand)

OUTPUT = _OutputFile(dir_okay=False, path_type=Path)
VECTORS_OUTPUT = _VectorsFile(dir_okay=False, path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_MAPPED = (".safetensors", ".npy", ".fbin", ".u8bin", ".i8bin")
FLOAT_DTYPES = Words(["bfloat16", "fp8_e4m3", "fp8_e5m2"])
threads_option = click.option("--threads", type=click.IntRange(min=1), help="Threads; by default as the work needs.")


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what of a file is read."""
    for option in (
        click.option("--float-dtype", type=FLOAT_DTYPES, help="What the nameless elements of a .npy or .npz are."),
        click.option("--column", "--member", help="Which column, array, dataset or tensor, of a file with several."),
    ):
        command = option(command)
    return command


def example(*lines: str) -> str:
    """Return an epilog that shows how a command is called."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def max_bytes() -> int | None:
    """Return what the environment's ``EMBCODEC_MAX_BYTES`` lets a file ask for, if it says."""
    limit = os.environ.get(MAX_BYTES, "")
    if limit and not (limit.isascii() and limit.isdecimal()):
        raise click.UsageError(f"{MAX_BYTES} is a number of bytes, not {limit!r}")
    return int(limit) if limit else None


def can_be_mapped(path: Path) -> bool:
    """Whether a file's rows can stay on the disk while they are read."""
    return path.suffix.lower() in _MAPPED


def is_folder(path: Path | str) -> bool:
    """Whether a path is a folder's; a URL is none."""
    return isinstance(path, Path) and path.is_dir()


def is_collection(path: Path | str) -> bool:
    """Whether a path is the folder of a collection; a usage error for another folder."""
    if not is_folder(path):
        return False
    from ..index.collection import holds_collection

    if not holds_collection(path):
        raise click.UsageError(f"{path} is a folder, but no collection: `embcodec ingest` makes one of its files")
    return True


def read_rows(
    path: Path | str,
    output_dtype: OutputDtypeName | None = None,
    dimension: int | None = None,
    mmap: bool = False,
    remedy: str = "say --dtype",
    column: str | None = None,
    column_option: str = "--column",
    float_dtype: NamelessFloat | None = None,
) -> Embeddings | LowBitCodes:
    """Load a file; where it leaves its dtype open, the error gives the command's `remedy`.

    The environment's ``EMBCODEC_MAX_BYTES`` is how much memory it may ask for.
    """
    from ..errors import StorageError
    from ..files import load
    from .words import reader_of_file

    try:
        return load(
            path,
            mmap,
            output_dtype=output_dtype,
            dimension=dimension,
            column=column,
            float_dtype=float_dtype,
            max_bytes=max_bytes(),
        )
    except StorageError as error:
        other = reader_of_file(path) if isinstance(path, Path) else None
        if other is not None and " vectors, " not in other:
            raise StorageError(other) from None
        words = str(error).replace("say output_dtype=...", remedy).replace("pass max_bytes=", f"set {MAX_BYTES}=")
        words = words.replace("iter_load(paths) reads several", "`embcodec ingest` takes several")
        words = words.replace("; name one", f": say {column_option}").replace("column=", f"{column_option} ")
        words = words.replace("float_dtype=", f"{column_option.removesuffix('column')}float-dtype ")
        raise StorageError(words) from None


def read_vectors(
    path: Path | str,
    output_dtype: OutputDtypeName | None = None,
    dimension: int | None = None,
    remedy: str = "say --dtype",
    column: str | None = None,
    column_option: str = "--column",
    float_dtype: NamelessFloat | None = None,
    mmap: bool = False,
) -> Embeddings:
    """Load a file of one of the five dtypes; see :func:`read_rows`."""
    from ..errors import StorageError

    rows = read_rows(
        path,
        output_dtype,
        dimension,
        mmap,
        remedy=remedy,
        column=column,
        column_option=column_option,
        float_dtype=float_dtype,
    )
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
