"""``search``: the nearest rows of a file, an index or a collection."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ..dtypes import METRICS, Metric, NamelessFloat, OutputDtype, OutputDtypeName
from ..embeddings import Embeddings
from ..errors import CodeMismatchError
from ..words import progress_bar
from .common import (
    DTYPES,
    FLOAT_DTYPES,
    SOURCE,
    Words,
    as_json,
    example,
    file_command,
    is_collection,
    is_folder,
    print_json,
    read_rows,
    read_vectors,
    say,
    threads_option,
)


@file_command(epilog=example("embcodec search queries.npy corpus.safetensors -k 5 --json"))
@click.argument("queries", type=SOURCE)
@click.argument("corpus", type=SOURCE)
@click.option(
    "-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many rows to find for each query."
)
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
    queries: Path | str,
    corpus: Path | str,
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
    an index or the folder of a collection as well, which is asked as it was made: its ids are told (texts, where it
    keeps such), and what it rescores with is used. One line a query: its row, then the rows of CORPUS, best first, each
    with its score. A collection may as well come first: COLLECTION QUERIES. Files may be URLs (s3://, https:// ...).
    """
    if is_folder(queries):
        queries, corpus = corpus, queries
    if is_folder(queries):
        raise click.UsageError(f"queries are in a file, and {queries} is a folder")
    asked = read_vectors(
        queries,
        query_dtype,
        remedy="say --query-dtype",
        column=query_column,
        column_option="--query-column",
        float_dtype=query_float_dtype,
    )
    kept = _kept(corpus)
    if kept is not None and (corpus_dtype or corpus_column or corpus_float_dtype):
        kind = "a collection" if is_folder(corpus) else "an index"
        raise click.UsageError(f"{corpus} is {kind}, which says what it holds: leave out the --corpus- options")
    from ..scan import search as search_rows

    with progress_bar("searching") as report:
        told = (lambda done, total: report(done, total, "searching")) if report else None
        if kept is not None:
            dimension = kept.dimension if is_folder(corpus) else kept.codes.dimension
            find = partial(kept.search, asked, k, metric=metric, threads=threads)
        else:
            rows = read_rows(
                corpus,
                corpus_dtype,
                remedy="say --corpus-dtype",
                column=corpus_column,
                column_option="--corpus-column",
                float_dtype=corpus_float_dtype,
            )
            dimension = rows.dimension
            find = partial(search_rows, asked, rows, k, metric=metric, threads=threads, progress=told)
        try:
            found = find()
        except CodeMismatchError as error:
            if error.way is None and asked.output_dtype is OutputDtype.FLOAT and asked.dimension == dimension:
                raise  # the queries' file is not at fault
            way = None
            if error.way is not None or kept is not None:
                can_be_cut = kept is None and isinstance(rows, Embeddings)
                way = _way_to_meet(queries, asked, corpus, dimension, query_dtype, can_be_cut)
            reason = error.reason if error.way is not None else error.reason.partition(": ")[0]
            raise CodeMismatchError(reason, way) from None
    texts = kept.text_ids(found.indices) if kept is not None and is_folder(corpus) else [[]]
    has_texts = any(text is not None for row in texts for text in row)
    if as_json:
        facts = {"k": found.indices.shape[1], "indices": found.indices.tolist(), "scores": found.scores.tolist()}
        print_json({**facts, "texts": texts} if has_texts else facts)
        return
    for number, (indices, scores) in enumerate(zip(found.indices, found.scores, strict=True)):
        names = indices.tolist()
        if has_texts:
            names = [name if text is None else text for name, text in zip(names, texts[number], strict=True)]
        nearest = "  ".join(f"{name} ({score:.4g})" for name, score in zip(names, scores, strict=True))
        say(f"{number}: {nearest}")


def _kept(corpus: Path | str) -> Any:
    """Return the index or the collection that a path is; None for a file of rows."""
    if is_collection(corpus):
        from ..index.collection import Collection

        return Collection.open(corpus)
    from ..index import FlatIndex, holds_index

    return FlatIndex.load(corpus) if isinstance(corpus, Path) and holds_index(corpus) else None


def _way_to_meet(
    queries: Path | str,
    asked: Embeddings,
    corpus: Path | str,
    dimension: int,
    query_dtype: str | None,
    can_be_cut: bool,
) -> str:
    """Return what brings queries and rows of that many dimensions together."""
    said = f" --from-dtype {query_dtype}" if query_dtype is not None else ""
    if asked.dimension != dimension:
        shorter = min(asked.dimension, dimension)
        if asked.dimension < dimension and not can_be_cut:
            return f"queries of {dimension} dimensions, as {corpus} has"
        longer = queries if asked.dimension > dimension else corpus
        options = f"{said if longer is queries else ''} --dimension {shorter}"
        return f"the same number in both: {_made_floats(longer, options)}"
    if asked.output_dtype is OutputDtype.FLOAT:
        return "--metric cosine, dot or l2"
    return f"floats, which meet any codes: {_made_floats(queries, said)}"


def _made_floats(path: Path | str, options: str = "") -> str:
    return f"`embcodec quantize {path}{options} --dtype float -o floats.safetensors`"
