"""Rows of the same direction among many, in a time that grows as sorting does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .rows import Floats, Rows, unit_rows

LOOK_BYTES = 1 << 24
"""Of rows that are looked at together."""

_SAME = 1e-6  # the difference that float32 leaves between an element of two rows of one direction, at unit length
_CELL = 8  # a cell's width, in the most by which shadows of one direction differ
_NEAR = 16_384  # how many rows are compared with one at a time

Places = NDArray[np.int64]


def same_directions(x: Floats | Rows) -> Places:
    """Return for each row the first of the same direction, (n,); a row of zeros has none and stands for itself.

    Rows cast shadows on two random lines, which are cut into cells: those of one direction are in one cell of both, or
    lie across an edge, and then in one cell of those cut half a cell later. Few others are.

    Examples
    --------
    >>> same_directions(np.array([[1, 0], [0, 1], [3, 0], [0, 0], [0, 0]], np.float32)).tolist()
    [0, 1, 0, 3, 4]
    """
    rows = x if isinstance(x, Rows) else Rows([x])
    first = np.arange(len(rows))
    if len(rows) < 2:
        return first
    for near in _in_one_cell(rows):
        left = near[first[near] == near]
        while len(left) > 1:
            others, one = left[1:], unit_rows(rows.take(left[:1]))
            # Whatever the lengths, float32 has divided each by its own.
            same = np.concatenate([_are_one(rows, others[i : i + _NEAR], one) for i in range(0, len(others), _NEAR)])
            first[others[same]] = left[0]
            left = others[~same]
    while (first != first[first]).any():  # a row's first may itself have been found to be like an earlier one
        first = first[first]
    return first


def _in_one_cell(rows: Rows) -> Iterator[Places]:
    """Yield rows that may be of one direction, in ascending order."""
    lines = np.random.default_rng(0).standard_normal((rows.dimension, 2))
    shadows, zero = np.empty((len(rows), 2)), np.zeros(len(rows), bool)
    for begin, block in rows.blocks(LOOK_BYTES):
        part = block.astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", part, part))
        zero[begin : begin + len(part)] = lengths == 0
        shadows[begin : begin + len(part)] = part @ lines / np.where(lengths > 0, lengths, 1)[:, None]
    places = np.flatnonzero(~zero)
    shadows = shadows[places] / (_CELL * 2 * np.finfo(np.float32).eps * np.linalg.norm(lines, axis=0))
    for later in product((0.0, 0.5), repeat=2):
        cells = np.floor(shadows + later).astype(np.int64)
        keys = (cells[:, 0] << 32) + cells[:, 1]
        order = np.argsort(keys, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(keys[order]) != 0, True)) + 1
        begins = np.concatenate([[0], ends[:-1]])
        for number in np.flatnonzero(ends - begins > 1):
            yield places[order[begins[number] : ends[number]]]


def _are_one(rows: Rows, places: Places, one: Floats) -> NDArray[np.bool_]:
    """Whether rows have the direction of one of unit length."""
    same: NDArray[np.bool_] = np.abs(unit_rows(rows.take(places)) - one).max(axis=1) <= _SAME
    return same
