"""``quantize``: a file of vectors into a file of codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..dtypes import NamelessFloat, OutputDtype, OutputDtypeName, RotationName
from ..embeddings import Embeddings
from ..errors import CodeMismatchError, NotFiniteError
from ..words import counted, progress_bar
from .common import (
    DTYPES,
    EXISTING,
    VECTORS_OUTPUT,
    as_json,
    can_be_mapped,
    example,
    file_command,
    print_json,
    read_rows,
    read_vectors,
    say,
    table_options,
)
from .kinds import CodesAsked, kind_of, kind_options, rotation_option

if TYPE_CHECKING:
    from ..quantizers.fitting import LowBitQuantizer
    from ..quantizers.lowbit import Rows

_BLOCK_BYTES = 1 << 26  # of floats that are coded at a time


@file_command(
    epilog=example(
        "embcodec quantize vectors.npy -o codes.safetensors --dtype int8 --scale per-vector",
        "embcodec quantize vectors.npy -o codes.safetensors --bytes 64 --normalize",
        "embcodec quantize more.npy -o more.safetensors --like codes.safetensors",
    )
)
@click.argument("vectors", type=EXISTING)
@click.option(
    "-o",
    "--output",
    type=VECTORS_OUTPUT,
    required=True,
    help="Where to save the codes; the suffix says the kind of file. .safetensors holds all of them.",
)
@kind_options("Codes of a service's dtype.")
@click.option("--like", type=EXISTING, metavar="CODES", help="Instead codes as in this file, also of what was fitted.")
@rotation_option
@click.option("--dimension", type=click.IntRange(min=1), help="Keep so many dimensions first, at unit length.")
@click.option(
    "--normalize",
    is_flag=True,
    help="Bring rows to unit length first, as cosine wants of low-bit codes, and unit scale.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="At most how many rows, from all over the file, ranges and low-bit codes are fitted to.",
)
@click.option("--from-dtype", type=DTYPES, help="What VECTORS hold, if the file does not say.")
@table_options
@as_json
def quantize(
    vectors: Path,
    output: Path,
    dtype: OutputDtypeName | None,
    bits: str | None,
    bytes_per_vector: int | None,
    scale: str | None,
    like: Path | None,
    rotation: RotationName | None,
    dimension: int | None,
    normalize: bool,
    sample: int,
    from_dtype: OutputDtypeName | None,
    column: str | None,
    float_dtype: NamelessFloat | None,
    as_json: bool,
) -> None:
    """Turn VECTORS (a file of any known kind) into a file of codes, row by row in the same order.

    A .npy, .safetensors or .fbin of float32 stays on the disk: what has to fit in memory are the codes, twice. Of codes
    the values that they stand for are coded again.
    """
    from ..codec import unwarned
    from ..files import check_room, save
    from ..index import like as coded_like
    from ..quantizers.lowbit import LowBitCodes, concat
    from .info import describe

    asked = CodesAsked(dtype, None if bits is None else int(bits), bytes_per_vector, scale, rotation).checked()
    if like is not None and (not asked.is_nothing or scale is not None):
        raise click.UsageError("--like says all of the codes: leave out --dtype, --bits, --bytes and the like")
    if like is None and asked.is_nothing:
        raise click.UsageError("say which codes: --dtype, --bits, --bytes or --like; `embcodec tradeoff` measures them")
    if asked.is_low_bit:
        check_room(output, LowBitCodes)  # sooner than after the work
    rows = read_vectors(
        vectors,
        from_dtype,
        remedy="say --from-dtype",
        column=column,
        float_dtype=float_dtype,
        mmap=can_be_mapped(vectors),
    )
    kept = rows.dimension if dimension is None else dimension
    if not 1 <= kept <= rows.dimension:
        raise click.UsageError(f"--dimension {kept}: {vectors} has {rows.dimension}")
    to_unit = normalize or kept < rows.dimension

    def floats(chosen: slice) -> Embeddings:
        some = rows[chosen]
        if some.output_dtype is not OutputDtype.FLOAT:
            some = Embeddings(some.to_float())
        return some.truncate(kept) if to_unit else some

    quantizer: LowBitQuantizer | None = None
    spread = slice(0, len(rows), max(1, -(-len(rows) // sample)))
    with progress_bar("quantizing") as report:
        if like is not None:
            kind = read_rows(like, mmap=can_be_mapped(like), remedy="save it as .safetensors, which says so")[:0]
            if kind.dimension != kept:
                raise CodeMismatchError(f"{like} is of {kind.dimension} dimensions, and {vectors} of {kept}")
            fitted_to = 0
        else:
            with _in_file(spread):
                some = floats(spread)
                kind, quantizer = kind_of(some, asked, report)
            fitted_to = len(some) if asked.is_low_bit or scale == "ranges" else 0
        check_room(output, kind)
        with _in_file(spread):
            coded_like(floats(spread), kind)  # warns, once, where little is kept
        parts: list[Rows] = []
        step = max(1, _BLOCK_BYTES // (4 * rows.dimension or 1))
        for begin in range(0, max(len(rows), 1), step):
            block = slice(begin, min(begin + step, len(rows)))
            with unwarned(), _in_file(block):
                parts.append(coded_like(floats(block), kind))
            if report is not None:
                report(block.stop, len(rows), "quantizing")
        codes = parts[0] if len(parts) == 1 else concat(parts)
    save(output, codes)
    choice = None if quantizer is None else quantizer.choice
    if as_json:
        print_json({**describe(output, codes), "fitted_to": fitted_to or None, "choice": choice})
        return
    words = f", fitted to {counted(fitted_to, 'row', 'rows')}" if fitted_to else ""
    words += f": {choice}" if choice else ""
    say(f"{codes!r} of {rows!r}{words} -> {output}")


@contextmanager
def _in_file(rows: slice) -> Iterator[None]:
    """Name a row of some of a file's by its number in the file, where it is not finite."""
    try:
        yield
    except NotFiniteError as error:
        first, step = rows.start or 0, rows.step or 1
        raise NotFiniteError(first + step * error.row, error.column, error.value) from None
