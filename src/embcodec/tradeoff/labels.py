"""Labels of points in a figure, each where it hides least: other labels, marks, intervals, the line through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, bottom, right, top; in pixels."""

_BEFORE = {"left": 0.0, "center": 0.5, "right": 1.0}
"""How much of a text comes before the place at which it is aligned so."""
_OFFSETS = tuple(  # points to the right and up, and which side of the text is there; the nearer the better
    (x, y, side)
    for far in (0, 11, 22)
    for x, y, side in (
        (-8, 5 + far, "right"),
        (8, -12 - far, "left"),
        (8, 5 + far, "left"),
        (-8, -12 - far, "right"),
        (0, 9 + far, "center"),
        (0, -17 - far, "center"),
    )
)
_LABEL, _EDGE, _LINE, _MARK, _INTERVAL, _FARTHER = 1000.0, 1000.0, 30.0, 12.0, 5.0, 0.1
_HIDDEN = 30.0
"""Labels that may go do so rather than cost this."""
_MARK_SIZE = 5.0


@dataclass(frozen=True)
class Label:
    """A text at a point, in data coordinates; it may be left out where there is no room if it `may_go`."""

    text: str
    at: tuple[float, float]
    may_go: bool = False


def place_labels(
    axes: Any,
    labels: Sequence[Label],
    *,
    marks: Sequence[tuple[float, float, float]],
    line: Sequence[tuple[float, float]],
    **style: Any,
) -> None:
    """Write labels into axes whose scales and limits are set.

    Parameters
    ----------
    axes : matplotlib axes
    labels : sequence of Label
        Those that come first have the choice.
    marks : sequence of (x, low, high)
        What is not to be hidden, with its interval; the mark itself is a label's point or in the middle.
    line : sequence of (x, y)
        The corners of a line that is not to run through a label.
    """
    axes.figure.draw_without_rendering()  # the layout is settled then
    pixel = axes.figure.dpi / 72
    inside = axes.get_window_extent().extents
    corners = axes.transData.transform(np.array(line).reshape(-1, 2))
    segments = [_box(corners[i : i + 2]) for i in range(len(corners) - 1)]
    intervals = [_box(axes.transData.transform(np.array([(x, low), (x, high)]))) for x, low, high in marks]
    points = [_around(axes.transData.transform((x, (low + high) / 2)), _MARK_SIZE * pixel) for x, low, high in marks]
    taken: list[Box] = []
    for label in sorted(labels, key=lambda label: label.may_go):
        x, y = axes.transData.transform(label.at)
        text = axes.annotate(label.text, label.at, xytext=(0, 0), textcoords="offset points", **style)
        size = text.get_window_extent()
        own = _around((x, y), _MARK_SIZE * pixel)
        best: tuple[float, Box, tuple[float, float], str] | None = None
        for number, (right, up, side) in enumerate(_OFFSETS):
            left = x + right * pixel - size.width * _BEFORE[side]
            bottom = y + up * pixel
            box = (left - pixel, bottom - pixel, left + 1.04 * size.width, bottom + size.height)
            cost = (
                _LABEL * _meetings(box, taken)
                + _LINE * _meetings(box, segments)
                + _MARK * _meetings(box, [*points, own])
                + _INTERVAL * _meetings(box, intervals)
                + _EDGE * (box[0] < inside[0] or box[1] < inside[1] or box[2] > inside[2] or box[3] > inside[3])
                + _FARTHER * number
            )
            if best is None or cost < best[0]:
                best = (cost, box, (right, up), side)
        assert best is not None
        cost, box, offset, side = best
        if label.may_go and cost >= _HIDDEN:
            text.remove()
            continue
        text.set_position(offset)
        text.set_horizontalalignment(side)
        taken.append(box)


def _box(points: NDArray[np.float64]) -> Box:
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    return float(left), float(bottom), float(right), float(top)


def _around(point: Any, reach: float) -> Box:
    return float(point[0]) - reach, float(point[1]) - reach, float(point[0]) + reach, float(point[1]) + reach


def _meetings(box: Box, others: Sequence[Box]) -> int:
    left, bottom, right, top = box
    return sum(left < other[2] and other[0] < right and bottom < other[3] and other[1] < top for other in others)
