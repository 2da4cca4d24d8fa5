"""``tradeoff`` and ``demo``: what each dtype keeps and costs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..dtypes import ROTATIONS, NamelessFloat, RotationName
from ..tradeoff import ANY, STORES, as_kinds, beside_advice
from ..words import progress_bar
from .common import (
    EXISTING,
    OUTPUT,
    Words,
    as_json,
    can_be_mapped,
    example,
    file_command,
    max_bytes,
    print_json,
    read_vectors,
    say,
    table_options,
    threads_option,
)

if TYPE_CHECKING:
    from ..tradeoff import Study


def _known_codes(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        as_kinds(names, 1)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return names


def _page(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{path}: a report is a page of HTML: name it {path.with_suffix('.html')}", ctx, param)
    return path


_target = click.option(
    "--target",
    type=click.FloatRange(0, 1),
    default=0.98,
    show_default=True,
    help="Part of float's neighbours that a recommended code must find.",
)


_FLOATS = "pass the floats that they were made of"


@file_command(epilog=example("embcodec tradeoff vectors.npy --queries queries.npy --target 0.95 --report report.html"))
@click.argument("vectors", type=EXISTING)
@click.option("--queries", type=EXISTING, help="Query vectors; by default rows are held out.")
@click.option(
    "--relevant",
    type=EXISTING,
    help="A .npy, .ibin, .ivecs or .hdf5 of the row (or rows, -1 for none) that answer each query.",
)
@click.option(
    "--dimension", "dimensions", type=click.IntRange(min=1), multiple=True, help="Also cut to this; repeatable."
)
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many neighbours count.")
@_target
@click.option(
    "--sample",
    type=click.IntRange(min=100),
    default=50_000,
    show_default=True,
    help="At most how many rows to measure on.",
)
@click.option(
    "--all", "all_rows", is_flag=True, help="Measure on all rows; a file that can be mapped stays on the disk."
)
@click.option(
    "--code",
    "codes",
    multiple=True,
    callback=_known_codes,
    help='What to compare with floats, repeatable: float16, int8, uint8, bits, "3 bits", "64 bytes"; else a usual set.',
)
@click.option("--store", type=Words((*STORES, ANY)), help="Recommend what this store, or any, takes as it is.")
@click.option(
    "--rotation",
    type=Words(ROTATIONS),
    default="auto",
    show_default=True,
    help="Of the codes of 1, 2 and 4 bits; learning one takes a while, and auto measures them all.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Chooses the sample and the rows that are held out."
)
@click.option("--report", type=OUTPUT, callback=_page, help="Write an HTML report here.")
@click.option("--query-column", "--query-member", help="Which column of the queries; by default as --column says.")
@table_options
@threads_option
@as_json
def tradeoff(
    vectors: Path,
    queries: Path | None,
    relevant: Path | None,
    dimensions: tuple[int, ...],
    k: int,
    target: float,
    sample: int,
    all_rows: bool,
    codes: tuple[str, ...],
    store: str | None,
    rotation: RotationName,
    seed: int,
    report: Path | None,
    query_column: str | None,
    column: str | None,
    float_dtype: NamelessFloat | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure what each dtype, dimension and rescoring keeps of exact float search on VECTORS, and what it costs."""
    mapped = all_rows and can_be_mapped(vectors)
    rows = read_vectors(vectors, remedy=_FLOATS, mmap=mapped, column=column, float_dtype=float_dtype)
    asked = None
    if queries is not None:
        named = query_column or column
        option = "--query-column" if query_column else "--column"
        asked = read_vectors(queries, remedy=_FLOATS, column=named, column_option=option, float_dtype=float_dtype)
    from ..tradeoff import study
    from .tables import print_study

    with progress_bar("measuring") as progress:
        found = study(
            rows,
            asked,
            _read_relevant(relevant) if relevant is not None else None,
            dimensions=dimensions or None,
            k=k,
            sample=None if all_rows else sample,
            codes=codes or None,
            rotation=rotation,
            seed=seed,
            threads=threads,
            progress=progress,
        )
    advice = found.advise(target, store=store)
    if report is not None:
        _write_report(report, found, vectors, advice, target, store)
    if as_json:
        print_json({**found.to_dict(target, store=store), "report": str(report) if report is not None else None})
        return
    print_study(found, found.recommend(target, store=store))
    _print_advice(advice, beside_advice(found))
    if report is not None:
        say(f"\nreport: {report.resolve()}")


@file_command(epilog=example("embcodec demo", "embcodec demo --documents 500 --queries 100 --json"))
@click.option("--documents", type=click.IntRange(min=20), default=2000, show_default=True, help="How many to embed.")
@click.option("--queries", type=click.IntRange(min=1), default=300, show_default=True, help="How many to ask.")
@click.option("--model", default="universal-sentence-encoder", show_default=True, help="hash-256 is a quick toy.")
@_target
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_page,
    default=Path("embcodec-demo/report.html"),
    show_default=True,
    help="Where to write; the folder is made.",
)
@as_json
def demo(documents: int, queries: int, model: str, target: float, report: Path, as_json: bool) -> None:
    """Run all of it on real text: serve, embed in every dtype and encoding, decode, search, rescore, report."""
    from ..tradeoff import run_demo
    from .tables import print_study, print_wire

    with progress_bar("starting") as progress:
        found = run_demo(
            documents=documents, queries=queries, model=model, report=report, target=target, progress=progress
        )
    if as_json:
        print_json(found.to_dict())
        return
    print_wire(found.wire)
    print_study(found.study, found.study.recommend(target))
    _print_advice(found.advice, beside_advice(found.study))
    say(
        f"\n{found.documents:,} documents and {found.queries:,} queries by {found.model} "
        f"in {found.total_seconds:.0f} s (the model {found.model_seconds:.0f} s)\nreport: {found.report}"
    )


def _print_advice(advice: Sequence[str], warnings: Sequence[str]) -> None:
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    for sentence in advice:
        say(click.wrap_text(sentence, width=width, initial_indent="- ", subsequent_indent="  "))
    for text in warnings:
        say(click.wrap_text(f"Warning: {text}.", width=width, initial_indent="- ", subsequent_indent="  "))


def _read_relevant(path: Path) -> list[Any]:
    import numpy as np

    from ..files import load_ids

    rows = load_ids(path, max_bytes=max_bytes())
    return [np.atleast_1d(row)[np.atleast_1d(row) >= 0] for row in rows]


def _write_report(
    path: Path, found: Study, source: Path, advice: Sequence[str], target: float, store: str | None
) -> None:
    from ..tradeoff import INTERVALS, share, write_report

    queries = "rows held out of them" if found.held_out else "queries of their own"
    write_report(
        path,
        found,
        title=f"What each code keeps of {source.name}",
        lead=f"{found.rows:,} vectors of {found.dimension} dimensions, asked with {found.queries:,} {queries}.",
        advice=advice,
        figures={},
        method=(
            f"Overlap@{found.k} is the part of the {found.k} nearest rows by exact float32 cosine search at full "
            "dimension that is found.",
            INTERVALS,
            f"Low-bit codes were fitted to {found.fitted_to}; no query was.",
            "The recommendation takes the fewest bytes among those whose interval lies wholly at or above "
            f"{share(target)}.",
        ),
        target=target,
        store=store,
    )
