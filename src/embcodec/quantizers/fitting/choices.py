"""The schemes to choose among: their names, and how each is fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from ...dtypes import ROTATIONS, CenterName, RotationName, ShapingName
from ..lowbit.levels import Floats, Levels, levels_of
from ..lowbit.principal import PrincipalScheme
from ..lowbit.rotations import Rotation, learned_blocks, learned_rotation, random_rotation, whitened
from ..lowbit.scheme import LowBitScheme
from ..lowbit.shaping import shaping_for, shrinkage_of
from .measure import some_rows
from .principal import directions_of, scheme_along

PLAIN = "plain sign bits"
PRINCIPAL: Final = "principal"
WHITENED = "whitened, blocks of rotations"
PREFERRED = (f"{WHITENED}, centred", WHITENED)
"""What is taken where others keep no more: for rows that were not in the sample the most accurate."""

WHOLE_BITS = (1, 2, 4)
"""Bits that each dimension can have alike."""

RIVAL_BITS = 4
"""Bits alike that may keep more than principal directions of as many bytes: one and two did not in any trial."""

_LEARN_ROWS = 20_000
_SHAPED_BY = 2_000  # rows, as they would ask: 500 say nearly as much
_LEAST_ROWS = {"blocks": 0.5, "learned": 4.0, "whitened": 0.5}  # a dimension, for a choice to be measured
_LEARNED: dict[str, Callable[[Floats, Levels], Rotation]] = {
    "blocks": learned_blocks,
    "learned": learned_rotation,
    "whitened": whitened,
}


def choices_of(rotation: RotationName, center: CenterName, bits: float, *, alike: bool) -> list[str]:
    """Return the names of what may be chosen; `alike` where all dimensions have as many bits."""
    if rotation == PRINCIPAL or not alike:
        return [_name(PRINCIPAL, "none" if center == "none" else "mean")]
    centers = ("none", "mean") if center == "auto" else (center,)
    if rotation != "auto":
        return [_name(rotation, each) for each in centers]
    plain = [PLAIN] if bits == 1 and "none" in centers else []
    rotations = [each for each in ROTATIONS if each not in ("auto", PRINCIPAL)]
    turned = [_name(each, one) for each in rotations for one in centers]
    return [*plain, *turned, _name(PRINCIPAL, centers[-1])]


def can_be_learned(choice: str, rows_a_dimension: float) -> bool:
    """Whether so many rows are enough for a choice not to learn some of them by heart."""
    return rows_a_dimension >= _LEAST_ROWS.get(_kind(choice), 0)


def rows_to_learn_from(x: Floats) -> int:
    """Return how many of the rows a fit looks at."""
    return min(len(x), _LEARN_ROWS)


class Size(NamedTuple):
    """A choice, and how large its codes are: bits a dimension, or bytes a row in principal directions.

    With `unit` these store no lengths.
    """

    choice: str
    bits: float
    row_bytes: int
    unit: bool = False

    @property
    def label(self) -> str:
        """What it is called among other sizes."""
        return f"{self.choice}, {self.row_bytes} bytes"


class Chosen(NamedTuple):
    """What was chosen, what all that were measured keep, and the interval of what this keeps, where that was asked."""

    size: Size
    report: dict[str, float]
    interval: tuple[float, float] | None = None


def fitted_scheme(x: Floats, size: Size, shaping: ShapingName, seed: int) -> LowBitScheme | PrincipalScheme:
    """Return a choice fitted to rows."""
    choice, bits, row_bytes, unit = size
    dimension = x.shape[1]
    center = center_of(x, choice)
    some = some_rows(x, _LEARN_ROWS, seed)
    if _kind(choice) == PRINCIPAL:
        return scheme_along(directions_of(some, center, unit=unit), row_bytes, unit=unit)
    some = some if center is None else some - center
    name, levels = _kind(choice), levels_of(int(bits))
    if name == "random":
        rotation = random_rotation(dimension, seed)
    elif name in _LEARNED:
        rotation = _LEARNED[name](some, levels)
    else:
        rotation = Rotation()
    scheme = LowBitScheme(int(bits), dimension, rotation, center, choice != PLAIN)
    if shaping != "none" and scheme.scaled:
        rests = some if len(some) <= _SHAPED_BY else some[:: len(some) // _SHAPED_BY]
        whitening = None if rotation.gains is None else rotation
        shaping_of = shaping_for(scheme.turn_queries(rests), shrinkage_of(rests), whitening)
        scheme = replace(scheme, shaping=shaping_of)
    scales = scheme.encode_raw(some_rows(x, 1000, seed))[1]
    typical = float(np.median(scales[scales > 0])) if (scales > 0).any() else 1.0
    return replace(scheme, scale_unit=max(typical, float(np.finfo(np.float32).tiny)))


def center_of(x: Floats, choice: str) -> Floats | None:
    """Return what a choice takes off rows."""
    return x.mean(axis=0, dtype=np.float64).astype(np.float32) if "centred" in choice else None


def bytes_alike(bits: int, dimension: int) -> int:
    """Return the bytes of rows whose dimensions have as many bits alike, with their scales and lengths."""
    return bits * -(-dimension // 8) + (4 if bits == 1 else 8)


def _name(rotation: str, center: str) -> str:
    names = {"none": "no rotation", "blocks": "blocks of rotations", "whitened": WHITENED}
    names[PRINCIPAL] = "principal directions"
    turned = names.get(rotation, f"{rotation} rotation")
    return turned + (", centred" if center == "mean" else "")


def _kind(choice: str) -> str:
    return choice.replace(",", "").partition(" ")[0]
