"""One HTML file with everything in it: summary in words, figures, tables, method. No script, nothing from outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .._version import __version__
from ..containers import replacing
from ..errors import EmbcodecError
from .advice import beside_advice
from .figures import NARROW, WIDE, bars, cost_and_quality, intervals, shown
from .intervals import Estimate
from .measurement import Measurement
from .results import Study
from .words import figures as digits

if TYPE_CHECKING:
    from .bodies import WireMeasurement


def write_report(
    path: str | os.PathLike[str],
    study: Study,
    *,
    title: str,
    lead: str,
    advice: Sequence[str],
    figures: Mapping[str, str],
    method: Sequence[str],
    target: float,
    store: str | None = None,
    wire: Sequence[WireMeasurement] = (),
) -> Path:
    """Write a report of a study, and of what came over the wire if `wire` is given.

    Parameters
    ----------
    path : path-like
        The ``.html`` file; replaced atomically.
    study : Study
    title, lead : str
        The headline, and a sentence under it.
    advice : sequence of str
        What the reader should do, in sentences.
    figures : mapping of str to str
        Some numbers that deserve size: what they are, and the number as text.
    method : sequence of str
        How it was measured, in sentences.
    target : float
        Marked in the figures; the recommendation for it comes first, and is shaded in the table.
    store : str, optional
        Which store it is for.
    wire : sequence of WireMeasurement

    Returns
    -------
    Path
        Of the report, absolute.
    """
    parts = [
        f"<header><p class=kicker>embcodec {escape(__version__)}</p><h1>{escape(title)}</h1>"
        f"<p>{escape(lead)}</p></header>",
        _brief(study, target, store),
        _figures_list(figures),
        *_what_to_do(advice, beside_advice(study)),
        *_quality_sections(study, target, store),
        *(_wire_sections(wire, study.k) if wire else ()),
        "<h2>How it was measured</h2><p>" + " ".join(escape(sentence) for sentence in method) + "</p>",
    ]
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )
    with replacing(path) as file:
        file.write(page.encode())
    return Path(path).resolve()


def _brief(study: Study, target: float, store: str | None) -> str:
    """Return what the first screen says: the recommendation, its price and its risk."""
    lines = "".join(
        f'<div class="{name}"><dt>{name.capitalize()}</dt><dd>{escape(shown(sentence))}</dd></div>'
        for name, sentence in study.in_brief(target, store=store).items()
    )
    return f'<dl class="brief">{lines}</dl>'


def _what_to_do(advice: Sequence[str], warnings: Sequence[str]) -> Iterable[str]:
    yield '<h2>In full</h2><ul class="advice">'
    yield "".join(f"<li>{escape(shown(sentence))}</li>" for sentence in advice) + "</ul>"
    if warnings:
        yield "<h2>Warnings: what makes it less sure</h2>"
        yield "".join(f'<p class="warning">{escape(_sentence(text))}</p>' for text in warnings)


def _quality_sections(study: Study, target: float, store: str | None) -> Iterable[str]:
    k = study.k
    yield "<h2>What a byte buys</h2>"
    yield (
        f"<p>Each mark is one way to store and search the vectors: how many of the {k} nearest by exact float32 search "
        "it finds, over the bytes it takes. The scale widens near 1, where the missed ones count. Small marks are "
        "vectors cut to fewer dimensions; bars are 95% intervals; nothing measured beats the grey line.</p>"
    )
    yield _figure(lambda width: cost_and_quality(study.measurements, k, target, width))
    yield f"<h2>Every way at {study.dimension} dimensions</h2>"
    yield "<p>Points are means over queries, bands 95% intervals.</p>"
    yield _figure(lambda width: intervals(study.measurements, k, target, width))
    yield "<h2>All measurements</h2>"
    yield (
        f"<details><summary>{len(study.measurements)} ways, with their speeds</summary>"
        "<p>Bytes are a vector’s, scales included. Shaded: the recommendation. A dot marks the front: nothing takes "
        "fewer bytes and finds as much. “Of reading” is the time that merely reading the codes takes, by the time of "
        "one query; of a small collection, most of that is the call itself. “x4” rescores four times k rows with the "
        "better codes named; “unit” is one scale, 1/127, for all rows, as services send int8; “bits” are signs, as "
        "services send them; “1 bit” and “64 bytes” are the low-bit quantizer’s, by bits of each dimension or by all "
        "bytes of a vector.</p>"
    )
    yield _quality_table(study, study.recommend(target, store=store)) + "</details>"
    whole = [found for found in study.measurements if found.dimension == study.dimension]
    noted = [found for found in whole if found.note and not found.rescored_with]
    if noted:
        fits = "; ".join(f"{found.label}: {found.note}" for found in noted)
        yield (
            f"<p><small>Low-bit codes were fitted to {escape(study.fitted_to)}. {escape(fits)}. Learned directions are "
            "stored once, with dimension² × 4 bytes or less, which are not counted.</small></p>"
        )
    staged = [found for found in whole if found.stages]
    if staged:
        yield "<h2>Where neighbours are lost</h2>"
        yield (
            f"<p>How many of the {k} nearest are still there after each stage. What a stage has let go no later one "
            "brings back: where the last two figures are alike, only more candidates help.</p>"
        )
        yield _stages_table(staged, k)


def _stages_table(staged: Sequence[Measurement], k: int) -> str:
    most = max(len(found.stages) for found in staged)
    head = ["codes and search", *(["candidates", "of the nearest"] * most), f"overlap@{k}"]
    rows = []
    for found in staged:
        cells = [escape(shown(found.label))]
        for stage in found.stages:
            cells += [f"{stage.candidates:,}", _estimate(stage.recall)]
        cells += ["", ""] * (most - len(found.stages))
        rows.append(("", [*cells, _estimate(found.overlap)]))
    return _table(head, rows)


def _quality_table(study: Study, recommended: Measurement | None) -> str:
    known = study.measurements[0].ndcg is not None
    head = ["codes and search", "dim.", "scanned, bytes", "to rescore, bytes", f"overlap@{study.k}"]
    head += [f"nDCG@{study.k}", "of float’s"] if known else []
    head += ["queries/s, one by one", "in a batch", "of reading", "vectors/s to encode"]
    rows = []
    former = study.dimension
    for found in study.measurements:
        cells = [
            ("<b>●</b>" if found.on_front else "<b></b>") + escape(shown(found.label)),
            str(found.dimension),
            f"{found.code_bytes:,.0f}",
            f"{found.rescore_bytes:,.0f}" if found.rescore_bytes else "",
            _estimate(found.overlap),
        ]
        if known:
            kept = found.ndcg_kept
            cells += [_estimate(found.ndcg), f"{kept.mean:.1%}" if kept is not None else ""]
        encoded = digits(found.encoded_per_second) if found.encoded_per_second else ""
        cells += [digits(found.one_per_second), digits(found.batch_per_second), _part(found), encoded]
        classes = ["best"] * (found == recommended) + ["group"] * (found.dimension != former)
        former = found.dimension
        rows.append((" ".join(classes), cells))
    return _table(head, rows)


def _wire_sections(wire: Sequence[WireMeasurement], k: int) -> Iterable[str]:
    yield from _wire_figures(wire)
    yield "<h2>What the service’s own codes keep</h2>"
    yield (
        "<p>Queries and documents both in the service’s dtype, compared as they came. At full dimension they are what "
        "the table of all measurements names float, int8 unit, uint8 unit and bits, and what it says of these; cut "
        "ones a service leaves shorter than unit length.</p>"
    )
    yield _wire_table(wire, k)


def _wire_figures(wire: Sequence[WireMeasurement]) -> Iterable[str]:
    """Yield what bodies take, in bytes and in time, at full dimension."""
    full = max(row.dimension for row in wire)
    shown = [row for row in wire if row.dimension == full]
    dtypes = list(dict.fromkeys(row.output_dtype for row in shown))
    formats = list(dict.fromkeys(row.encoding_format for row in shown))

    def group(attribute: str) -> list[tuple[str, list[float]]]:
        return [
            (
                name,
                [
                    getattr(row, attribute)
                    for dtype in dtypes
                    for row in shown
                    if (row.output_dtype, row.encoding_format) == (dtype, name)
                ],
            )
            for name in formats
        ]

    names = {"float": "list of numbers", "base64": "base64"}
    sizes = [(names[name], values) for name, values in group("wire_bytes")]
    times = [(names[name], values) for name, values in group("decode_microseconds")]
    yield "<h2>On the wire</h2>"
    yield (
        "<p>Bytes of a response body a vector, as the server sent it. A list of numbers is <code>encoding_format: "
        "float</code>, whatever the dtype of the numbers.</p>"
    )
    words = "Bytes a vector on the wire, by dtype and encoding"
    yield _figure(lambda width: bars(dtypes, sizes, "bytes a vector", words, width))
    yield "<h2>Time to decode</h2>"
    yield "<p>From the bytes of the body to a checked matrix of the dtype, one thread, best of several.</p>"
    told = "Time to decode a vector, by dtype and encoding"
    yield _figure(lambda width: bars(dtypes, times, "microseconds a vector", told, width))


def _wire_table(wire: Sequence[WireMeasurement], k: int) -> str:
    head = ["dtype", "encoding", "dim.", "wire, bytes", "memory, bytes", "decode, µs", f"overlap@{k}", f"nDCG@{k}"]
    rows = []
    former = max(row.dimension for row in wire)
    for row in wire:
        cells = [
            row.output_dtype,
            row.encoding_format,
            str(row.dimension),
            f"{row.wire_bytes:,.0f}",
            f"{row.memory_bytes:,.0f}",
            digits(row.decode_microseconds),
            _estimate(row.overlap),
            _estimate(row.ndcg),
        ]
        rows.append(("group" if row.dimension != former else "", cells))
        former = row.dimension
    return _table(head, rows, words=2)


def _figure(draw: Callable[[float], str]) -> str:
    """Return a figure as it is drawn for either width, of which the style shows one."""
    try:
        return f'<figure><div class="wide">{draw(WIDE)}</div><div class="narrow">{draw(NARROW)}</div></figure>'
    except EmbcodecError as error:  # matplotlib is not installed: the tables say it all
        return f"<p><small>{escape(str(error))}</small></p>"


def _figures_list(figures: Mapping[str, str]) -> str:
    items = "".join(f"<div><dt>{escape(words)}</dt><dd>{escape(value)}</dd></div>" for words, value in figures.items())
    return f'<dl class="figures">{items}</dl>' if items else ""


def _table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], words: int = 1) -> str:
    def cell(tag: str, number: int, text: str) -> str:
        kind = ' class="word"' if number < words else ""
        return f"<{tag}{kind}>{text}</{tag}>"

    lines = ["".join(cell("th", number, text) for number, text in enumerate(head))]
    body = []
    for classes, cells in rows:
        attribute = f' class="{classes}"' if classes else ""
        body.append(
            f"<tr{attribute}>" + "".join(cell("td", number, text) for number, text in enumerate(cells)) + "</tr>"
        )
    return (
        f'<div class="scroll"><table><thead><tr>{lines[0]}</tr></thead>\n<tbody>\n'
        + "\n".join(body)
        + "\n</tbody></table></div>"
    )


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    low, high = estimate.rounded()
    return f"{estimate.mean:.3f} <small>{low:.3f}–{high:.3f}</small>"


def _part(found: Measurement) -> str:
    return "" if found.rescored_with else f"{found.of_limit:.0%}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
