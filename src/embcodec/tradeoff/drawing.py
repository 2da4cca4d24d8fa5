"""How drawings look: the report's, as SVG text in the page's own colours, for light and dark, and those of a user's."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import EmbcodecError
from ..words import needs_package


class Palette(NamedTuple):
    """The colours of a drawing."""

    ink: str
    muted: str
    grid: str
    page: str
    series: tuple[str, ...]


# Colours that stand for the page's own (CSS variables), put in their place once the drawing is text.
PAGE = Palette(
    "#010101", "#010102", "#010103", "#010104", ("#0101a1", "#0101a2", "#0101a3", "#0101a4", "#0101a5", "#0101a6")
)
LIGHT = Palette(
    "#1c1d1f", "#66696f", "#e2e2dc", "#ffffff", ("#1c1d1f", "#1f6fb5", "#4fa3a0", "#c5532d", "#a06a00", "#8a4fa8")
)
_VARIABLES = {PAGE.ink: "ink", PAGE.muted: "muted", PAGE.grid: "rule", PAGE.page: "page"} | {
    colour: f"series-{number}" for number, colour in enumerate(PAGE.series, 1)
}


def style_of(palette: Palette) -> dict[str, Any]:
    """Return matplotlib's parameters for a drawing in these colours."""
    return {
        "svg.fonttype": "none",
        "font.size": 10.5,
        "text.color": palette.ink,
        "axes.labelcolor": palette.muted,
        "axes.edgecolor": palette.grid,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "grid.color": palette.grid,
        "grid.linewidth": 0.8,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "legend.frameon": False,
        "lines.solid_capstyle": "round",
    }


def own_axes(width: float, height: float) -> Any:
    """Return the axes of a new figure of pyplot's, on white.

    Raises
    ------
    ModuleNotFoundError
        Where matplotlib is not installed.
    """
    try:
        matplotlib, pyplot = import_module("matplotlib"), import_module("matplotlib.pyplot")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needs_package("Study.plot", "matplotlib", "plot"), name=error.name) from None
    with matplotlib.rc_context(style_of(LIGHT)):
        return pyplot.subplots(figsize=(width, height), layout="constrained", facecolor=LIGHT.page)[1]


class drawing:
    """A figure in the report's style; `finish` returns it as SVG text for inlining."""

    def __init__(self, width: float, height: float) -> None:
        try:
            import matplotlib
            from matplotlib.figure import Figure
        except ImportError:
            raise EmbcodecError(needs_package("a plot", "matplotlib", "plot")) from None
        self._context = matplotlib.rc_context(style_of(PAGE))  # type: ignore[arg-type]
        self._figure_type, self._size = Figure, (width, height)

    def __enter__(self) -> tuple[Any, Callable[[str], str]]:
        self._context.__enter__()
        self._figure = self._figure_type(figsize=self._size, layout="constrained", facecolor="none")
        return self._figure, self._finish

    def __exit__(self, *details: Any) -> None:
        self._context.__exit__(*details)

    def _finish(self, words: str) -> str:
        import matplotlib

        # Ids differ between the figures of a page, and are the same each time it is made.
        matplotlib.rcParams["svg.hashsalt"] = f"{words} {self._size}"
        text = io.StringIO()
        self._figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        svg = text.getvalue()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
        for colour, name in _VARIABLES.items():
            svg = svg.replace(colour, f"var(--{name})")
        svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font: \1 var(--sans)", svg)
        meant = set(re.findall(r"#([\w-]+)", svg))  # other ids are the same in each figure
        svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in meant else "", svg)
        return re.sub(
            r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', rf'<svg viewBox="\1" role="img"><title>{words}</title>', svg
        )
