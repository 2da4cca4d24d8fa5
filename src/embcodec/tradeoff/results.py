"""What a study found: measurements, the recommendation that follows, in words, frames and drawings."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from ..words import html_table, needs_package, one_of
from .advice import advise, beside_advice, in_brief
from .figures import plotted
from .findings import Findings
from .measurement import Measurement, as_plain, as_row
from .words import percents

_FRAMES = ("pandas", "polars")


@dataclass(frozen=True, repr=False)
class Study(Findings):
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

    def __repr__(self) -> str:
        asked = f"{self.queries} queries for {self.k}"
        return f"Study({len(self.measurements)} measurements of {self.rows} x {self.dimension}, {asked})"

    def advise(self, target: float = 0.98, *, store: str | None = None) -> list[str]:
        """Return the recommendation in plain sentences; parentheses hold 95% intervals.

        Parameters
        ----------
        target, store
            As in :meth:`recommend`. By default it is also said which stores take what is recommended, and what to take
            where none does.
        """
        return advise(self, target, store)

    def in_brief(self, target: float = 0.98, *, store: str | None = None) -> dict[str, str]:
        """Return "recommendation", "price" and "risk", a sentence each; the first alone where there is none.

        Parameters
        ----------
        target, store
            As in :meth:`recommend`.
        """
        return in_brief(self, target, store)

    def to_frame(self, kind: Literal["pandas", "polars"] | None = None) -> Any:
        """Return the measurements as a DataFrame, a row each: plain columns, intervals by their two ends.

        Parameters
        ----------
        kind : {"pandas", "polars"}, optional
            By default pandas', or polars' where pandas is not installed.

        Raises
        ------
        ModuleNotFoundError
            Where neither is installed, or not the one that was asked for.
        """
        wanted = _FRAMES if kind is None else (one_of(kind, _FRAMES, "kind"),)
        rows = [as_row(found) for found in self.measurements]
        for name in wanted:
            try:
                return _with_floats(import_module(name), rows)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
        words = needs_package("Study.to_frame", " or ".join(wanted), f"pip install {wanted[0]}")
        raise ModuleNotFoundError(words, name=wanted[0])

    def plot(self, target: float = 0.98, *, ax: Any = None) -> Any:
        """Draw what a byte buys: overlap over bytes a vector, with intervals and the front that nothing beats.

        Parameters
        ----------
        target : float
            Marked by a line; what :meth:`recommend` names for it is ringed.
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default in a new figure of pyplot's.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ModuleNotFoundError
            Where matplotlib is not installed.
        """
        return plotted(self.measurements, self.k, target, self.recommend(target), ax)

    def _repr_html_(self) -> str:
        """Return what notebooks show: the recommendation, its price and risk, and the ways that no other betters."""
        best = self.recommend()
        header = ("", "how", "dimensions", "bytes", f"overlap@{self.k}, 95%", "queries/s", "stores")
        rows = [
            (
                "\u2713" if m is best else "",
                m.label,
                m.dimension,
                f"{m.total_bytes:,.0f}",
                percents(m.overlap),
                f"{m.one_per_second:,.0f}",
                len(m.stores),
            )
            for m in sorted(self.measurements, key=lambda m: (m.total_bytes, -m.overlap.mean))
            if m.on_front or m is best
        ]
        brief = [*self.in_brief().items(), *(("warning", text) for text in beside_advice(self))]
        return html_table("for 98%", brief) + html_table(repr(self), rows, header)

    def to_dict(self, target: float = 0.98, *, store: str | None = None) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        lean = self.recommend(target, rescoring_on_disk=True, store=store)
        return {
            "rows": self.rows,
            "dimension": self.dimension,
            "queries": self.queries,
            "k": self.k,
            "held_out": self.held_out,
            "low_bit_fitted_to": self.fitted_to,
            "target": target,
            "store": store,
            "warnings": self.warnings,
            "measurements": [as_plain(found) for found in self.measurements],
            "recommended": _label(self.recommend(target, store=store)),
            "recommended_with_rescoring_on_disk": _label(lean),
            "recommended_for_stores": _label(self.recommend(target, store=store or "any")),
            "in_brief": self.in_brief(target, store=store),
            "advice": self.advise(target, store=store),
        }


def _label(found: Measurement | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "label": found.label,
        "dimension": found.dimension,
        "stores": list(found.stores),
        "store_metric": found.store_metric,
    }


def _with_floats(frames: Any, rows: list[dict[str, Any]]) -> Any:
    """Return a DataFrame; figures that no row has are missing floats, as those are that only some rows have."""
    floats = [name for name in rows[0] if name.startswith("ndcg")] + ["of_limit", "encoded_per_second"]
    frame = frames.DataFrame(rows)
    if frames.__name__ == "polars":
        return frame.cast(dict.fromkeys(floats, frames.Float64))
    return frame.astype(dict.fromkeys(floats, float))
