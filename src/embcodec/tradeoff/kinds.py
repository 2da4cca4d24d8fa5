"""Which codes a study compares, by the names that users give them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..dtypes import RotationName, ShapingName
from ..quantizers.fitting import LowBitQuantizer
from ..words import has_elements, shown, unknown

PLAIN = ("float16", "int8", "uint8", "bits")
"""What nothing is fitted to."""

_WHOLE_BITS = (1, 2, 4)  # bits a dimension that codes of any rotation can have
_BUDGETS = (32, 64, 128, 256)
_RESCORED_BITS = 2  # codes of so many bits, or fewer, are rescored as well: more leave little to gain
_SIGNS = {"ubinary": "bits", "binary": "bits"}  # which find the same rows
_NAME = re.compile(r"(\d+(?:\.\d+)?) ?(bits?|bytes?)(, unshaped)?")


@dataclass(frozen=True)
class LowBitKind:
    """Low-bit codes of so many bits a dimension, or of so many bytes a vector.

    Attributes
    ----------
    name : str
        ``"1 bit"``, ``"2 bits, unshaped"``, ``"64 bytes"``.
    bits : float
    row_bytes : int or None
        All bytes of a row, instead of `bits`; such codes are of the full dimension only.
    shaping : {"auto", "none"}
    """

    name: str
    bits: float = 1
    row_bytes: int | None = None
    shaping: ShapingName = "auto"

    @property
    def is_rescored(self) -> bool:
        """Whether they are coarse enough for better rows to find more."""
        return self.row_bytes is not None or self.bits <= _RESCORED_BITS

    def quantizer(self, rotation: RotationName, seed: int) -> LowBitQuantizer:
        """Return what makes them, not fitted yet; sizes that only principal directions have are of these."""
        if self.row_bytes is not None:
            return LowBitQuantizer(bytes_per_vector=self.row_bytes, shaping=self.shaping, seed=seed)
        turned = rotation if self.bits in _WHOLE_BITS else "auto"
        return LowBitQuantizer(self.bits, rotation=turned, shaping=self.shaping, seed=seed)


DEFAULT_BITS = tuple(LowBitKind(f"{bits} bit{'s' * (bits > 1)}", bits) for bits in _WHOLE_BITS)


@dataclass(frozen=True)
class Kinds:
    """What a study compares with floats.

    Attributes
    ----------
    plain : tuple of str
        Some of :data:`PLAIN`.
    low_bit : tuple of LowBitKind
    """

    plain: tuple[str, ...] = PLAIN
    low_bit: tuple[LowBitKind, ...] = DEFAULT_BITS


def as_kinds(codes: Any, dimension: int) -> Kinds:
    """Return the kinds of codes that a user names; None: the usual ones for so many dimensions.

    Examples
    --------
    >>> [kind.name for kind in as_kinds(["bits", "3 bits", "48 bytes"], 512).low_bit]
    ['3 bits', '48 bytes']
    """
    if codes is None:
        budgets = [LowBitKind(f"{size} bytes", row_bytes=size) for size in _BUDGETS if size < dimension]
        return Kinds(low_bit=(*DEFAULT_BITS, *budgets))
    if isinstance(codes, str) or not has_elements(codes):
        raise TypeError(f"codes are names of some, as ['int8', 'bits', '64 bytes'], not {shown(codes)}")
    said = (_SIGNS.get(name, name) if isinstance(name, str) else _low_bit(name).name for name in codes)
    names = list(dict.fromkeys(said))
    found = [name if name in PLAIN else _low_bit(name) for name in names if name != "float"]
    return Kinds(
        tuple(kind for kind in found if isinstance(kind, str)),
        tuple(dict.fromkeys(kind for kind in found if isinstance(kind, LowBitKind))),
    )


def _low_bit(name: Any) -> LowBitKind:
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        usual = [*PLAIN, *(kind.name for kind in DEFAULT_BITS)]
        raise unknown("code", name, usual, more=", other numbers of bits ('3 bits'), bytes a vector ('64 bytes')")
    number, unit, unshaped = match.groups()
    shaping: ShapingName = "none" if unshaped else "auto"
    if unit.startswith("byte"):
        if "." in number:
            raise ValueError(f"bytes a vector are a whole number, not {shown(name)}")
        return LowBitKind(f"{int(number)} bytes", row_bytes=int(number), shaping=shaping)
    bits = float(number)
    words = f"{bits:g} bit{'s' * (bits != 1)}{unshaped or ''}"
    return LowBitKind(words, int(bits) if bits == int(bits) else bits, shaping=shaping)
