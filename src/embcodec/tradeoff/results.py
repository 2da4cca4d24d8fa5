"""What a study found: measurements, the recommendation that follows, and both in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ..words import html_table, needs_package
from .intervals import FEWEST_QUERIES, queries_for
from .measurement import Measurement, as_plain, as_row
from .words import counted, figures, next_step, percents, share


@dataclass(frozen=True)
class Study:
    """The outcome of a study.

    Attributes
    ----------
    measurements : list of Measurement
        The first is float32 at full dimension.
    rows, dimension, queries, k : int
        What was measured on.
    held_out : bool
        Whether the queries are rows of the vectors, taken out of them.
    warnings : list of str
        What makes these figures worse or less sure than usual.
    fitted_to : str
        Which rows low-bit codes were fitted to.
    """

    measurements: list[Measurement]
    rows: int
    dimension: int
    queries: int
    k: int
    held_out: bool
    warnings: list[str] = field(default_factory=list)
    fitted_to: str = ""

    def __repr__(self) -> str:
        asked = f"{self.queries} queries for {self.k}"
        return f"Study({len(self.measurements)} measurements of {self.rows} x {self.dimension}, {asked})"

    def recommend(self, target: float = 0.98, *, rescoring_on_disk: bool = False) -> Measurement | None:
        """Return the measurement with the fewest bytes whose overlap is at least `target`, or None.

        The lower end of the interval must reach the target, not the mean alone. Among those of as many bytes the one
        whose codes most stores take as they are is taken (floats, then bits, int8 and uint8 of the unit scale; none
        takes per-vector scales and low-bit codes), then the one that finds most, then the fastest, then the one of
        fewest stages. Of fewer than 30 queries nothing follows, so that there is none.

        Parameters
        ----------
        target : float
            Part of the exact float32 neighbours to be found, 0 to 1.
        rescoring_on_disk : bool
            Count only the bytes that are scanned; rows for rescoring are gathered from a mapped file.

        Examples
        --------
        >>> import numpy as np, embcodec
        >>> x = np.random.default_rng(0).standard_normal((400, 32), dtype=np.float32)
        >>> best = embcodec.study(x, dimensions=[32], multipliers=[4], rotation="none").recommend(0.9)
        >>> best.label, best.encode(x)
        ('int8 unit', Embeddings(400 x 32 int8, 12800 bytes))
        >>> best.search(best.index(x), x[:2], k=1).indices.tolist()
        [[0], [1]]
        >>> print(best.code)
        import embcodec
        <BLANKLINE>
        rows = embcodec.truncate(vectors, 32)
        codes = embcodec.quantize(rows, "int8", scale="unit")
        ...
        """
        if not 0 <= target <= 1:
            raise ValueError(f"the target is a part of float's recall, 0 to 1, not {target}")
        sure = self.queries >= FEWEST_QUERIES
        good = [found for found in self.measurements if sure and found.overlap.low >= target]
        if not good:
            return None
        return min(
            good,
            key=lambda m: (
                m.code_bytes if rescoring_on_disk else m.total_bytes,
                m.total_bytes,
                (0, 0) if m.recipe is None else m.recipe.stores,
                -m.overlap.mean,
                -m.one_per_second,
                len(m.stages),
            ),
        )

    def advise(self, target: float = 0.98) -> list[str]:
        """Return the recommendation in plain sentences; parentheses hold 95% intervals."""
        return _advise(self, target)

    def to_frame(self) -> Any:
        """Return the measurements as a pandas DataFrame, a row each: plain columns, intervals by their two ends.

        Raises
        ------
        ModuleNotFoundError
            Where pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ModuleNotFoundError as error:
            words = needs_package("Study.to_frame", "pandas", "pip install pandas")
            raise ModuleNotFoundError(words, name=error.name) from None
        return pandas.DataFrame([as_row(found) for found in self.measurements])

    def _repr_html_(self) -> str:
        """Return what notebooks show: the ways that no other betters, and the recommendation."""
        best = self.recommend()
        header = ("", "how", "dimensions", "bytes", f"overlap@{self.k}, 95%", "queries/s")
        rows = [
            (
                "\u2713" if m is best else "",
                m.label,
                m.dimension,
                f"{m.total_bytes:,.0f}",
                percents(m.overlap),
                f"{m.one_per_second:,.0f}",
            )
            for m in sorted(self.measurements, key=lambda m: (m.total_bytes, -m.overlap.mean))
            if m.on_front or m is best
        ]
        return html_table(repr(self), rows, header)

    def to_dict(self, target: float = 0.98) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "rows": self.rows,
            "dimension": self.dimension,
            "queries": self.queries,
            "k": self.k,
            "held_out": self.held_out,
            "low_bit_fitted_to": self.fitted_to,
            "target": target,
            "warnings": self.warnings,
            "measurements": [as_plain(found) for found in self.measurements],
            "recommended": _label(self.recommend(target)),
            "recommended_with_rescoring_on_disk": _label(self.recommend(target, rescoring_on_disk=True)),
            "advice": self.advise(target),
        }


def _advise(found: Study, target: float) -> list[str]:
    whole = found.measurements[0]
    best, lean = found.recommend(target), found.recommend(target, rescoring_on_disk=True)
    if found.queries < FEWEST_QUERIES:
        few = counted(found.queries, "query is", "queries are")
        return [f"No recommendation: {few} too few to make one by; {next_step(found.held_out)}."]
    sentences = []
    if best is None or best.total_bytes >= whole.total_bytes:
        sentences.append(f"Nothing smaller finds {share(target)} of float's {found.k} nearest for sure: keep float.")
        needed = queries_for(target, found.k)
        if needed is not None and needed > found.queries:
            sentences.append(
                f"By {found.queries:,} queries no code could show that it does, not one that loses nothing: ask "
                f"{needed:,} or more."
            )
    else:
        sentences.append(
            f"Store {_name(best, found)}: {best.total_bytes:,.0f} bytes a vector instead of {whole.total_bytes:,.0f} "
            f"({figures(whole.total_bytes / best.total_bytes, 2)} times less), and {_finds(best)} of float's {found.k} "
            f"nearest are found; {share(target)} were asked for."
        )
    if lean is not None and lean.rescore_bytes and (best is None or lean.code_bytes < best.total_bytes):
        sentences.append(
            f"To hold less in memory, keep {lean.rescored_with} rows for rescoring in a mapped file and scan "
            f"{_name(lean, found)}: {lean.code_bytes:,.0f} bytes a vector in memory "
            f"({figures(whole.total_bytes / lean.code_bytes, 2)} times less), {lean.rescore_bytes:,.0f} on disk, and "
            f"{_finds(lean)} are found."
        )
    kept = [
        f"{_name(chosen, found)} keeps {percents(chosen.ndcg_kept)}"
        for chosen in dict.fromkeys((best, lean))
        if chosen is not None and chosen.ndcg_kept is not None and chosen.label != whole.label
    ]
    if kept:
        sentences.append(f"Of float's nDCG@{found.k} on the known answers, {' and '.join(kept)}.")
    short = next((m for m in found.measurements if m.label == whole.label and m.dimension < found.dimension), None)
    if best is not None and short is not None:
        if short.overlap.low >= target:
            verdict = "Cutting dimensions works too"
        elif short.overlap.high < target:
            verdict = "Cutting dimensions does not do"
        else:
            verdict = "Cutting dimensions may do, which so many queries cannot tell"
        sentences.append(
            f"{verdict}: float of {short.dimension} dimensions takes {short.total_bytes:,.0f} bytes a vector and finds "
            f"{_finds(short)}."
        )
    return sentences


def _finds(chosen: Measurement) -> str:
    return percents(chosen.overlap)


def _name(chosen: Measurement, found: Study) -> str:
    size = f" of {chosen.dimension} dimensions" if chosen.dimension != found.dimension else ""
    return f"\u201c{chosen.label}\u201d{size}"


def _label(found: Measurement | None) -> dict[str, Any] | None:
    return None if found is None else {"label": found.label, "dimension": found.dimension}
