"""Tables that fit the terminal: where it is narrow, intervals grow short and columns that matter less go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from ..tradeoff import figures

if TYPE_CHECKING:
    from ..tradeoff import Estimate, Measurement, Study, WireMeasurement

_NO_TERMINAL = 200


class _Console(Console):
    """Leaves it to the command what is done where whoever read our output had enough: rich makes it a failure."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    cells : sequence of str
    short : sequence of str, optional
        The cells of a narrow table.
    rank : int
        Columns of a higher rank go first where there is no room; those of rank 0 stay.
    words : bool
        Words, to the left, and not figures, to the right.
    """

    name: str
    cells: Sequence[str]
    short: Sequence[str] | None = None
    rank: int = 0
    words: bool = False


def print_columns(
    title: str,
    columns: Sequence[Column],
    *,
    breaks: Sequence[int] = (),
    bold: int | None = None,
    legend: Sequence[str] = (),
) -> None:
    """Print a table on standard output, as wide as the terminal allows.

    Parameters
    ----------
    title : str
    columns : sequence of Column
    breaks : sequence of int
        Rows before which a rule goes.
    bold : int, optional
        A row to stand out.
    legend : sequence of str
        Lines under the table.
    """
    if sys.stdout is None:  # was closed before we began: there is nobody to print for
        return
    console = _Console(width=None if sys.stdout.isatty() else _NO_TERMINAL, highlight=False)
    kept = list(columns)
    narrow = _width(kept, narrow=False) > console.width
    while narrow and _width(kept, narrow=True) > console.width and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    console.print(title, style="bold")
    console.print(_build(kept, breaks, bold, narrow=narrow))
    if len(kept) < len(columns):
        console.print("(a wider terminal, the report and --json show more columns)", style="dim")
    for line in legend:
        console.print(line, style="dim", soft_wrap=True)
    console.print()


def _texts(column: Column, narrow: bool) -> tuple[str, Sequence[str]]:
    if not narrow:
        return column.name, column.cells
    head = column.name if column.words else column.name.replace(" ", "\n")
    return head, column.cells if column.short is None else column.short


def _width(columns: Sequence[Column], *, narrow: bool) -> int:
    total = 0
    for column in columns:
        head, cells = _texts(column, narrow)
        total += max(map(len, (*head.split("\n"), *cells))) + (1 if narrow else 3)
    return total


def _build(columns: Sequence[Column], breaks: Sequence[int], bold: int | None, *, narrow: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0) if narrow else (0, 1), show_edge=False)
    texts = []
    for column in columns:
        head, cells = _texts(column, narrow)
        table.add_column(head, justify="left" if column.words else "right", no_wrap=True, vertical="bottom")
        texts.append(cells)
    for number, cells in enumerate(zip(*texts, strict=True)):
        if number in breaks:
            table.add_section()
        table.add_row(*cells, style="bold" if number == bold else None)
    return table


def print_wire(wire: Sequence[WireMeasurement]) -> None:
    """Print the table of what came over the wire."""
    print_columns(
        "What the service sends, and what its codes keep (95% intervals)",
        [
            Column("dtype", [row.output_dtype for row in wire], words=True),
            Column("encoding", [row.encoding_format for row in wire], words=True),
            Column("dim.", [str(row.dimension) for row in wire]),
            Column("wire B", [f"{row.wire_bytes:,.0f}" for row in wire]),
            Column("memory B", [f"{row.memory_bytes:,.0f}" for row in wire]),
            Column("decode µs", [figures(row.decode_microseconds) for row in wire]),
            _estimates("overlap@10", [row.overlap for row in wire]),
            _estimates("nDCG@10", [row.ndcg for row in wire], rank=2),
        ],
        breaks=_changes([row.dimension for row in wire]),
    )


def print_study(found: Study, recommended: Measurement | None) -> None:
    """Print the table of a study; * marks the front that nothing beats, the recommendation is bold."""
    rows = found.measurements
    columns = [
        Column("codes and search", [row.label for row in rows], words=True),
        Column("dim.", [str(row.dimension) for row in rows]),
        Column("scan B", [f"{row.code_bytes:,.0f}" for row in rows]),
        Column("rescore B", [f"{row.rescore_bytes:,.0f}" if row.rescore_bytes else "" for row in rows], rank=3),
        _estimates(f"overlap@{found.k}", [row.overlap for row in rows]),
    ]
    gains = [row.ndcg for row in rows if row.ndcg is not None]
    if len(gains) == len(rows):
        kept = [f"{row.ndcg_kept.mean:.1%}" if row.ndcg_kept is not None else "" for row in rows]
        columns += [_estimates(f"nDCG@{found.k}", gains, rank=1), Column("of float's", kept, rank=4)]
    columns += [
        Column("q/s one", [figures(row.one_per_second) for row in rows], rank=2),
        Column("q/s batch", [figures(row.batch_per_second) for row in rows], rank=5),
        Column("of reading", [f"{row.of_limit:.0%}" if not row.rescored_with else "" for row in rows], rank=7),
        Column(
            "encoded/s", [figures(row.encoded_per_second) if row.encoded_per_second else "" for row in rows], rank=6
        ),
        Column("kept by stage", [" ".join(f"{stage.recall.mean:.3f}" for stage in row.stages) for row in rows], rank=8),
        Column("*", ["*" if row.on_front else "" for row in rows]),
    ]
    print_columns(
        f"Ways to store and search {found.rows:,} vectors, {found.queries:,} queries (95% intervals; * on the front)",
        columns,
        breaks=_changes([row.dimension for row in rows]),
        bold=rows.index(recommended) if recommended is not None else None,
        legend=(
            "x4, x20: so many times k rows are scored again, with the better codes named",
            "unit: one scale, 1/127, for all rows, as services send int8; per-vector: its own",
            "bits: signs, as services send them; 1 bit, 64 bytes: LowBitQuantizer's",
            "of reading: the time that merely reading the codes takes, by that of a query",
            f"kept by stage: how much of float's {found.k} nearest each earlier stage hands on",
        ),
    )


def _estimates(name: str, values: Sequence[Estimate], rank: int = 0) -> Column:
    short = [f"{value.mean:.3f} ±{max(value.high - value.mean, value.mean - value.low):.3f}" for value in values]
    return Column(name, [str(value) for value in values], short, rank)


def _changes(values: Sequence[int]) -> list[int]:
    return [number for number in range(1, len(values)) if values[number] != values[number - 1]]
