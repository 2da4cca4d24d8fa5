"""The charts of a study and its report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..words import shown as argument
from .drawing import LIGHT, PAGE, Palette, drawing, own_axes
from .labels import Label, place_labels

if TYPE_CHECKING:
    from .measurement import Measurement

WIDE, NARROW = 9.2, 4.6
"""Inches across, of what is drawn for screens and paper, and for telephones; letters are of one size in both."""

FAMILIES = ("float", "int8", "uint8", "bits", "bits, float query", "low-bit")
"""What the first stage scans, in the order of the colours."""


def family(found: Measurement) -> str:
    """Return which of :data:`FAMILIES` a measurement belongs to."""
    if found.output_dtype.endswith(("-bit", "-byte")):
        return FAMILIES[-1]
    if len(found.stages) > 1:  # the float query comes after the bits
        return "bits"
    return next(name for name in reversed(FAMILIES) if found.label.startswith(name))


def shown(label: str) -> str:
    """Return text with signs of multiplication for the x before numbers."""
    return re.sub(r" x(\d+)\b", r" ×\1", label)


def cost_and_quality(measurements: Sequence[Measurement], k: int, target: float, width: float) -> str:
    """Draw overlap over bytes a vector, with intervals, and the front that nothing beats."""
    with drawing(width, 5.0) as (figure, finish):
        _draw_cost_and_quality(figure.subplots(), measurements, k, target, PAGE)
        return finish("Overlap with float32 search over bytes a vector")


def plotted(
    measurements: Sequence[Measurement], k: int, target: float, best: Measurement | None, axes: Any | None
) -> Any:
    """Draw the same into axes of matplotlib's, of a new figure unless they are given, with a ring around the best."""
    if axes is None:
        axes = own_axes(WIDE, 5.0)
    elif not callable(getattr(axes, "errorbar", None)):
        raise TypeError(f"ax is one matplotlib.axes.Axes, as plt.subplots()[1] is, not {argument(axes)}")
    if best is not None:
        axes.plot(
            best.total_bytes,
            best.overlap.mean,
            "o",
            markersize=17,
            markerfacecolor="none",
            markeredgecolor=LIGHT.ink,
            markeredgewidth=1.2,
            zorder=4,
        )
    _draw_cost_and_quality(axes, measurements, k, target, LIGHT)
    return axes


def _draw_cost_and_quality(
    axes: Any, measurements: Sequence[Measurement], k: int, target: float, colours: Palette
) -> None:
    full = max(found.dimension for found in measurements)
    for found in measurements:
        colour = colours.series[FAMILIES.index(family(found))]
        strong = found.dimension == full
        mean = found.overlap.mean
        axes.errorbar(
            found.total_bytes,
            mean,
            yerr=[[mean - found.overlap.low], [found.overlap.high - mean]],
            marker="D" if found.rescored_with else "o",
            markersize=7 if strong else 4.5,
            color=colour,
            markerfacecolor=colour if not found.rescored_with else colours.page,
            markeredgewidth=1.6,
            linestyle="none",
            elinewidth=1.2,
            alpha=1.0 if strong else 0.55,
            zorder=3,
        )
    front = sorted((found for found in measurements if found.on_front), key=lambda found: found.total_bytes)
    axes.step(
        [found.total_bytes for found in front],
        [found.overlap.mean for found in front],
        where="post",
        color=colours.ink,
        linewidth=1.0,
        alpha=0.45,
        zorder=2,
    )
    low, high = (edge(found.total_bytes for found in measurements) for edge in (min, max))
    _scale_bytes(axes, low, high)
    _widen_near_one(axes, min(found.overlap.low for found in measurements))
    axes.axhline(target, color=colours.muted, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        f"asked for: {target:g}",
        (low / 1.5, target),
        xytext=(4, 3),
        textcoords="offset points",
        fontsize=9,
        color=colours.muted,
    )
    axes.set_xlabel("bytes a vector, rows kept for rescoring included")
    axes.set_ylabel(f"overlap@{k} with exact float32 search")
    handles = [
        axes.plot([], [], "o", color=colour, label=name)[0]
        for name, colour in zip(FAMILIES, colours.series, strict=True)
        if any(family(found) == name for found in measurements)
    ]
    hollow = {"color": colours.muted, "markerfacecolor": colours.page, "markeredgewidth": 1.6}
    handles.append(axes.plot([], [], "D", label="then rescored", **hollow)[0])
    axes.legend(  # above the axes: within them it hides marks, wherever they are
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=min(len(handles), _names_in_a_line(axes)),
        columnspacing=1.2,
        handletextpad=0.1,
        labelcolor=colours.ink,
        frameon=False,
    )
    _label_front(axes, measurements, front, full, colours.ink)


def _names_in_a_line(axes: Any) -> int:
    """Return how many names of the legend have room side by side, an inch and a quarter each."""
    return max(2, int(axes.figure.get_figwidth() / 1.25))


def _scale_bytes(axes: Any, low: float, high: float) -> None:
    """Scale x by the logarithm, with powers of two for ticks."""
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.set_xticks([2**power for power in range(1, 20) if low / 1.6 <= 2**power <= high * 1.6])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlim(low / 1.5, high * 1.9)


def _widen_near_one(axes: Any, lowest: float) -> None:
    """Scale y by the logarithm of what is missed, so that 0.98, 0.99 and 1 stand apart."""
    least = 0.004

    def forward(y: Any) -> Any:
        return -np.log10(1 + least - np.minimum(y, 1 + 0.5 * least))

    axes.set_yscale("function", functions=(forward, lambda z: 1 + least - 10.0**-z))
    ticks = [0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0]
    bottom = max(tick for tick in ticks if tick <= max(lowest, 0))
    axes.set_yticks([tick for tick in ticks if tick >= bottom])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(min(lowest - 0.02, bottom), 1 + 0.35 * least)


def _label_front(
    axes: Any, measurements: Sequence[Measurement], front: Sequence[Measurement], full: int, ink: str
) -> None:
    """Label the front; where there is room also vectors cut to fewer dimensions, and what is hardly better.

    That is what finds no more than the one before may, by its interval: such points are as good as one.
    """
    hardly = {id(found) for former, found in pairwise(front) if found.overlap.mean <= former.overlap.high}
    corners = [(front[0].total_bytes, front[0].overlap.mean)]
    for found in front[1:]:
        corners += [(found.total_bytes, corners[-1][1]), (found.total_bytes, found.overlap.mean)]
    place_labels(
        axes,
        [
            Label(
                shown(found.label) if found.dimension == full else f"{shown(found.label)} · {found.dimension} d",
                (found.total_bytes, found.overlap.mean),
                may_go=found.dimension != full or (found is not front[-1] and id(found) in hardly),
            )
            for found in front
        ],
        marks=[(found.total_bytes, found.overlap.low, found.overlap.high) for found in measurements],
        line=corners,
        fontsize=9,
        color=ink,
    )


def intervals(measurements: Sequence[Measurement], k: int, target: float, width: float) -> str:
    """Draw overlap, and nDCG where it is known, of every way at full dimension, as points with intervals.

    The two are side by side where the figure is wide, else one above the other.
    """
    full = max(found.dimension for found in measurements)
    listed = [found for found in measurements if found.dimension == full]
    known = all(found.ndcg is not None for found in listed)
    beside, below, side = (1 + known, 1, "left") if width == WIDE else (1, 1 + known, "right")
    with drawing(width, (0.8 + 0.29 * len(listed)) * below) as (figure, finish):
        panels = figure.subplots(below, beside, sharey=True, squeeze=False).ravel()
        places = range(len(listed))[::-1]
        for axes, title in zip(panels, (f"overlap@{k} with float32", f"nDCG@{k} on the known answers"), strict=False):
            for place, found in zip(places, listed, strict=True):
                estimate = found.overlap if axes is panels[0] else found.ndcg
                assert estimate is not None
                colour = PAGE.series[FAMILIES.index(family(found))]
                axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=5, alpha=0.3)
                axes.plot(estimate.mean, place, "o", color=colour, markersize=6)
                axes.annotate(
                    f"{estimate.mean:.3f}",
                    (estimate.high, place),
                    xytext=(6, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                    color=PAGE.muted,
                    bbox={"facecolor": PAGE.page, "edgecolor": "none", "pad": 1},
                )
            axes.set_title(title, loc=side, fontsize=10.5, color=PAGE.muted)
            axes.set_yticks(list(places), [shown(found.label) for found in listed], color=PAGE.ink)
            axes.grid(axis="y", visible=False)
            axes.margins(x=0.16, y=0.04)
            if axes is panels[0]:
                axes.axvline(target, color=PAGE.muted, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        return finish("Overlap and nDCG of every way to search, with 95% intervals")


def bars(
    labels: Sequence[str], groups: Sequence[tuple[str, Sequence[float]]], unit: str, words: str, width: float
) -> str:
    """Draw horizontal bars, one of each group a label, with their figures at the end."""
    with drawing(width, 0.7 + 0.27 * len(labels) * len(groups)) as (figure, finish):
        axes = figure.subplots()
        height = 0.8 / len(groups)
        longest = max((value for _, values in groups for value in values), default=1.0)
        for number, (name, values) in enumerate(groups):
            places = [-row - height * (number - (len(groups) - 1) / 2) for row in range(len(labels))]
            axes.barh(places, values, height * 0.86, color=PAGE.series[number], label=name)
            for place, value in zip(places, values, strict=True):
                axes.annotate(
                    f"{value:,.0f}" if longest >= 50 else f"{value:.2f}",
                    (value, place),
                    xytext=(5, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                    color=PAGE.muted,
                )
        axes.set_yticks([-row for row in range(len(labels))], labels, color=PAGE.ink)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, longest * 1.12)
        axes.set_xlabel(unit)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        if len(groups) > 1:
            axes.legend(loc="lower right", labelcolor=PAGE.ink)
        return finish(words)
