"""``search``: the nearest rows of a file or of an index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..dtypes import METRICS, Metric, NamelessFloat, OutputDtype, OutputDtypeName
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..words import progress_bar
from .common import (
    DTYPES,
    EXISTING,
    FLOAT_DTYPES,
    Words,
    as_json,
    example,
    print_json,
    read_rows,
    read_vectors,
    threads_option,
)

if TYPE_CHECKING:
    from ..quantizers.lowbit import LowBitCodes


@click.command(epilog=example("embcodec search queries.npy corpus.safetensors -k 5 --json"))
@click.argument("queries", type=EXISTING)
@click.argument("corpus", type=EXISTING)
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many a query.")
@click.option("--metric", type=Words(METRICS), help="By default as the codes need.")
@click.option("--query-dtype", type=DTYPES, help="What the queries are, if their file does not say.")
@click.option("--corpus-dtype", type=DTYPES, help="What the corpus is, if its file does not say.")
@click.option("--query-column", "--query-member", help="Which column, array or dataset of QUERIES.")
@click.option("--corpus-column", "--corpus-member", help="Which column, array or dataset of CORPUS.")
@click.option("--query-float-dtype", type=FLOAT_DTYPES, help="What nameless elements of QUERIES are.")
@click.option("--corpus-float-dtype", type=FLOAT_DTYPES, help="What nameless elements of CORPUS are.")
@threads_option
@as_json
def search(
    queries: Path,
    corpus: Path,
    k: int,
    metric: Metric | None,
    query_dtype: OutputDtypeName | None,
    corpus_dtype: OutputDtypeName | None,
    query_column: str | None,
    corpus_column: str | None,
    query_float_dtype: NamelessFloat | None,
    corpus_float_dtype: NamelessFloat | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Find the rows of CORPUS nearest to each row of QUERIES, exactly.

    Both files hold the same codes, or the queries are floats, which meet any, low-bit codes among them. CORPUS may be
    an index as well, which is asked as it was saved: its ids are told, and what it rescores with is used. One line a
    query: its row, then the rows of CORPUS, best first, each with its score.
    """
    from ..index import FlatIndex, holds_index
    from ..scan import search as find

    asked = read_vectors(
        queries,
        query_dtype,
        remedy="say --query-dtype",
        column=query_column,
        column_option="--query-column",
        float_dtype=query_float_dtype,
    )
    with progress_bar("searching") as report:
        told = (lambda done, total: report(done, total, "searching")) if report else None
        if holds_index(corpus):
            if corpus_dtype or corpus_column or corpus_float_dtype:
                raise click.UsageError(
                    f"{corpus} is an index, which says what it holds: leave out the --corpus- options"
                )
            found = FlatIndex.load(corpus).search(asked, k, metric=metric, threads=threads)
        else:
            rows = read_rows(
                corpus,
                corpus_dtype,
                remedy="say --corpus-dtype",
                column=corpus_column,
                column_option="--corpus-column",
                float_dtype=corpus_float_dtype,
            )
            try:
                found = find(asked, rows, k, metric=metric, threads=threads, progress=told)
            except CodeMismatchError as error:
                way = None if error.way is None else _way_to_meet(queries, asked, corpus, rows)
                raise CodeMismatchError(error.reason, way) from None
    if as_json:
        print_json({"k": found.indices.shape[1], "indices": found.indices.tolist(), "scores": found.scores.tolist()})
        return
    for number, (indices, scores) in enumerate(zip(found.indices, found.scores, strict=True)):
        nearest = "  ".join(f"{row} ({score:.4g})" for row, score in zip(indices, scores, strict=True))
        click.echo(f"{number}: {nearest}")


def _way_to_meet(queries: Path, asked: Embeddings, corpus: Path, rows: Embeddings | LowBitCodes) -> str:
    """Return what brings two files together."""
    if asked.dimension != rows.dimension:
        longer = queries if asked.dimension > rows.dimension else corpus
        shorter = min(asked.dimension, rows.dimension)
        return f"the same number in both: {_made_floats(longer, f' --dimension {shorter}')}"
    if asked.output_dtype is OutputDtype.FLOAT:
        return "--metric cosine, dot or l2"
    return f"floats, which meet any codes: {_made_floats(queries)}"


def _made_floats(path: Path, options: str = "") -> str:
    return f"`embcodec encode {path}{options} --dtype float | embcodec decode - -o floats.safetensors`"
