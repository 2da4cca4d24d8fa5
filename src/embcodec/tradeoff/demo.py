"""The whole of it on real text: serve, embed over HTTP in every dtype and encoding, decode, search, rescore, report."""

from __future__ import annotations

import os
import platform
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._native.core import active_isa
from ..words import shows_progress
from .answers import ask_a_server
from .bodies import WireMeasurement, as_studied
from .corpus import docstring_pairs
from .report import write_report
from .results import Study
from .study import Progress, study
from .words import INTERVALS, figures, seconds

if TYPE_CHECKING:
    pass

_K = 10
_TEXT_LENGTH = 400
"""Characters of a document that are embedded: the model's time grows with them, its vectors hardly change."""


@dataclass(frozen=True)
class DemoResult:
    """What the demo found.

    Attributes
    ----------
    model, documents, queries, dimension
        What was embedded.
    wire : list of WireMeasurement
        A row a dtype, encoding and dimension, as the service sends them.
    study : Study
        Ways to store and search the decoded floats.
    advice : list of str
        What to choose on this data, in sentences.
    model_seconds, total_seconds : float
        The model's first pass over all texts (with HTTP), and everything.
    report : Path
        The HTML report.
    machine : str
    target : float
    """

    model: str
    documents: int
    queries: int
    dimension: int
    wire: list[WireMeasurement]
    study: Study
    advice: list[str]
    model_seconds: float
    total_seconds: float
    report: Path
    machine: str
    target: float

    def __repr__(self) -> str:
        return f"DemoResult({self.study!r}, by {self.model!r}, report {str(self.report)!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "model": self.model,
            "documents": self.documents,
            "queries": self.queries,
            "dimension": self.dimension,
            "wire": [asdict(row) for row in self.wire],
            "study": self.study.to_dict(self.target),
            "advice": self.advice,
            "model_seconds": self.model_seconds,
            "total_seconds": self.total_seconds,
            "machine": self.machine,
            "report": str(self.report),
        }


@shows_progress("starting")
def run_demo(
    *,
    documents: int = 2000,
    queries: int = 300,
    model: str = "universal-sentence-encoder",
    report: str | os.PathLike[str] = "embcodec-demo/report.html",
    target: float = 0.98,
    progress: Progress | bool | None = None,
) -> DemoResult:
    """Embed docstrings through a local server in every dtype and encoding, measure, and write a report.

    Parameters
    ----------
    documents, queries : int
        How many; a query is the first paragraph of a docstring whose body is among the documents.
    model : str
        A model that the server knows.
    report : path-like
        Its folder is made if need be.
    target : float
        Part of float's neighbours that a recommended code must find.
    progress : callable or True, optional
        Called with (done, total, label). True: a bar on standard error, where that is a terminal, or in a notebook.

    Returns
    -------
    DemoResult

    Raises
    ------
    ValueError
        Where there are not so many documents, or fewer documents than queries.
    """
    started = time.perf_counter()
    report = Path(report)
    report.parent.mkdir(parents=True, exist_ok=True)
    tell = progress if callable(progress) else (lambda done, total, label: None)
    if not 1 <= queries <= documents:
        raise ValueError(f"{queries} queries cannot each have one of {documents} documents to find")
    tell(0, 1, "reading docstrings")
    pairs = docstring_pairs(limit=documents)
    if len(pairs) < documents:
        raise ValueError(f"{len(pairs)} documents are there; {documents} were asked for")
    texts = [textwrap.shorten(pair.document, _TEXT_LENGTH, placeholder="") for pair in pairs]
    asked = [pair.query for pair in pairs[:queries]]
    answers = ask_a_server(model, texts, asked, _K, tell)
    full = answers.floats.dimension
    found_study = study(
        answers.floats,
        answers.queries,
        range(queries),
        k=_K,
        rotation="whitened",  # "auto" tries them all, and takes its time
        progress=lambda done, total, label: tell(done, total, f"searching: {label}"),
    )
    wire = []
    for codes, encoding, size, decoded, quality in answers.sent:
        alike = as_studied(codes, found_study)
        assert alike.ndcg is not None
        kept = (alike.overlap, alike.ndcg) if quality is None else quality
        row = str(codes.output_dtype), str(encoding), codes.dimension, size, codes.nbytes / len(codes), decoded
        wire.append(WireMeasurement(*row, *kept, alike.one_per_second, alike.batch_per_second))
    advice = [*found_study.advise(target), *_advise_on_wire(wire, full)]
    result = DemoResult(
        model=model,
        documents=documents,
        queries=queries,
        dimension=full,
        wire=wire,
        study=found_study,
        advice=advice,
        model_seconds=answers.model_seconds,
        total_seconds=time.perf_counter() - started,
        report=report.resolve(),
        machine=_machine(),
        target=target,
    )
    tell(0, 1, "writing the report")
    _write(result)
    return result


def _advise_on_wire(wire: Sequence[WireMeasurement], full: int) -> list[str]:
    rows = {(row.output_dtype, row.encoding_format): row for row in wire if row.dimension == full}
    plain, compact = rows["float", "float"], rows["float", "base64"]
    int8, bits = rows["int8", "base64"], rows["ubinary", "base64"]
    return [
        f"Codes made by the service keep less: its int8 finds {int8.overlap.mean:.1%} of float's nearest, its bits "
        f"{bits.overlap.mean:.1%}. Where that is too little, fetch floats once and encode them yourself.",
        f"Ask for base64: floats then take {compact.wire_bytes:,.0f} bytes a vector on the wire instead of "
        f"{plain.wire_bytes:,.0f}, and are decoded in "
        f"{figures(100 * compact.decode_microseconds / plain.decode_microseconds, 2)}% of the time.",
    ]


def _machine() -> str:
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = os.cpu_count() or 1
    return f"{name}, {cores} {'core' if cores == 1 else 'cores'}, {active_isa()} kernels, NumPy {np.__version__}"


def _write(result: DemoResult) -> None:
    found = result.study
    chosen = found.recommend(result.target)
    lean = found.recommend(result.target, rescoring_on_disk=True)
    whole = found.measurements[0]
    shown = {"documents": f"{result.documents:,}", "queries with a known answer": f"{result.queries:,}"}
    if chosen is not None:
        less = figures(whole.total_bytes / chosen.total_bytes, 2)
        shown["less memory than float, by the recommendation"] = f"{less}×"
    if lean is not None and lean.rescore_bytes:
        shown["less to scan, with rescoring from a file"] = f"{figures(whole.total_bytes / lean.code_bytes, 2)}×"
    write_report(
        result.report,
        found,
        title=f"What each code keeps, on {result.documents:,} real texts",
        lead=(
            "Docstrings of the Python standard library and NumPy, embedded by "
            f"{result.model} ({result.dimension} dimensions) behind a local server, fetched over HTTP in every dtype "
            "and encoding, decoded, searched and rescored."
        ),
        advice=result.advice,
        figures=shown,
        method=(
            f"A query is the first paragraph of a docstring, its known answer the rest of it (its first {_TEXT_LENGTH} "
            "characters).",
            f"Overlap@{_K} is the part of the {_K} nearest documents by exact float32 cosine search at full dimension "
            f"that is found; nDCG@{_K} says how high the known answer is placed.",
            INTERVALS,
            "The recommendation takes the fewest bytes among those whose interval lies wholly at or above the target.",
            f"Both encodings of each dtype were checked to decode to the same values. The collection is small "
            f"({found.rows:,} rows): coarse codes lose more on larger ones. Rates are of this one run: "
            "compare them with each other.",
            f"Machine: {result.machine}. All of it took {seconds(result.total_seconds)}, the model "
            f"{seconds(result.model_seconds)} of them.",
        ),
        wire=result.wire,
        target=result.target,
    )
