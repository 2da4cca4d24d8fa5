"""What is wished of a quantizer, checked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...dtypes import CENTERS, LENGTHS, ROTATIONS, SHAPINGS, CenterName, LengthsName, RotationName, ShapingName
from ...words import as_real, as_whole, shown, unknown
from ..lowbit.levels import MOST_BITS, Floats
from ..lowbit.principal import LENGTH_BYTES, length_bytes
from .choices import PRINCIPAL, RIVAL_BITS, WHOLE_BITS, Size, bytes_alike, choices_of
from .principal import most_bytes

_UNIT_ROUNDING = 1e-3  # of a length of 1: float16 rounds rows by less
_FULL = 0.9
"""Of the bytes that there are: codes that use fewer are not worth measuring."""


class Wishes(NamedTuple):
    """The arguments of :class:`LowBitQuantizer`."""

    bits: float
    bytes_per_vector: int | None
    recall: float | None
    rotation: RotationName
    shaping: ShapingName
    center: CenterName
    seed: int
    lengths: LengthsName = "auto"

    def checked(self) -> Wishes:
        """Return the same with numbers as they are written, or raise what is wrong with it."""
        bits, size, recall, rotation, shaping, center, seed, lengths = self
        if not 0 < as_real(bits, "bits") <= MOST_BITS:
            raise ValueError(f"bits is above 0 and at most {MOST_BITS}, not {shown(bits)}")
        if size is not None:
            size = as_whole(size, "bytes_per_vector", LENGTH_BYTES + 1)
        if (bits != 1) + (size is not None) + (recall is not None) > 1:
            raise ValueError("bits, bytes_per_vector or recall say how large codes are: give one of them")
        if recall is not None and not 0 < (recall := as_real(recall, "recall")) < 1:
            raise ValueError(f"recall is above 0 and below 1, not {recall!r}")
        named: tuple[tuple[str, object, tuple[str, ...]], ...] = (
            ("rotation", rotation, ROTATIONS),
            ("shaping", shaping, SHAPINGS),
            ("center", center, CENTERS),
            ("lengths", lengths, LENGTHS),
        )
        for name, value, choices in named:
            if not isinstance(value, str) or value not in choices:
                raise unknown(name, value, choices)
        found = self._replace(
            bits=int(bits) if bits == int(bits) else float(bits),
            bytes_per_vector=size,
            recall=recall,
            seed=as_whole(seed, "seed"),
        )
        if not found.alike and rotation not in ("auto", PRINCIPAL):
            raise ValueError(
                f"rotation {rotation!r} has 1, 2 or 4 bits a dimension alike; other sizes want rotation='principal'"
            )
        return found

    @property
    def alike(self) -> bool:
        """Whether all dimensions may have as many bits."""
        return self.bytes_per_vector is None and self.recall is None and self.bits in WHOLE_BITS

    def leave_out_lengths(self, x: Floats) -> bool:
        """Whether codes fitted to rows store no lengths: all have unit length, and codes are along directions alone."""
        if self.lengths != "auto" or (self.alike and self.rotation != PRINCIPAL):
            return False
        squares = np.einsum("ij,ij->i", x, x, dtype=np.float64)
        return bool((np.abs(squares - 1) <= 2 * _UNIT_ROUNDING).all())

    @property
    def size(self) -> str:
        """The argument that says how large codes are."""
        if self.recall is not None:
            return f"recall={self.recall}"
        return f"bits={self.bits}" if self.bytes_per_vector is None else f"bytes_per_vector={self.bytes_per_vector}"

    def sizes(self, dimension: int, *, unit: bool = False) -> dict[str, Size]:
        """Return what may be chosen, by name, the default first; `unit` where no lengths are stored.

        Raises
        ------
        ValueError
            Where so many dimensions have no use for so many bytes.
        """
        along = self.row_bytes(dimension, unit=unit)
        names = choices_of(self.rotation, self.center, self.bits, alike=self.alike)
        found = {name: Size(name, self.bits, along, unit) for name in names}
        rival = bytes_alike(RIVAL_BITS, dimension)
        if self.bytes_per_vector is not None and self.rotation == "auto" and _FULL * along <= rival <= along:
            names = choices_of("whitened", self.center, RIVAL_BITS, alike=True)
            found |= {name: Size(name, RIVAL_BITS, rival) for name in names}
        return found

    def row_bytes(self, dimension: int, *, unit: bool = False) -> int:
        """Return the bytes of a row in principal directions; `unit` where no length is stored.

        Raises
        ------
        ValueError
            Where they are more than so many dimensions have a use for.
        """
        if self.bytes_per_vector is not None:
            wanted = self.bytes_per_vector
        elif self.bits in WHOLE_BITS:
            wanted = int(self.bits) * -(-dimension // 8) + length_bytes(unit=unit)
        else:
            wanted = max(1, round(self.bits * dimension / 8)) + length_bytes(unit=unit)
        most = most_bytes(dimension)
        if wanted > most:
            raise ValueError(f"{wanted} bytes a vector are more than {dimension} dimensions can use, which is {most}")
        return min(wanted, most_bytes(dimension, unit=unit))


def amounts_of(bits: int, dimension: int) -> tuple[str, str]:
    """Return how much codes of so many bits keep, in schemes' words: of bits alike, or in principal directions."""
    wishes = Wishes(bits, None, None, "auto", "auto", "auto", 0)
    return f"{bits} bit{'s' * (bits != 1)}", f"{wishes.row_bytes(dimension)} bytes"
