"""The fitted scheme of low-bit codes: everything that codes need to be made and read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..._native import bits as native_bits
from ..._native import lowbit as native
from ..._native import sums as native_sums
from .blocks import BLOCK_BYTES, Planes, RawCodes, coded_by_blocks, decoded_by_blocks
from .levels import Floats, Levels, levels_of
from .rotations import Rotation
from .shaping import Shaping

_PACE = 0.3  # nanoseconds a byte of float rows, at least


def signs_of(planes: Planes) -> Floats:
    """Return the bits of planes as -1 and +1, float32 (n, 8 * bytes of a row)."""
    flags = native_bits.bit_flags("msb", offset=False)
    return native_bits.unpack_bits(planes, 8 * planes.shape[1], flags, np.float32)


@dataclass(frozen=True, eq=False)
class LowBitScheme:
    """What a quantizer has fitted: everything that codes need to be read.

    Attributes
    ----------
    bits, dimension : int
    rotation : Rotation
    center : ndarray, (dimension,), or None
    scaled : bool
        Whether each row has a scale of its own; without, all have `scale_unit`.
    scale_unit : float
        The sample's typical scale; stored scales are multiples of it, so that they fit float16.
    shaping : Shaping or None
        By which errors levels are chosen: only the encoder needs it, so that it is no part of the identity.
    """

    bits: int
    dimension: int
    rotation: Rotation
    center: Floats | None = None
    scaled: bool = True
    scale_unit: float = 1.0
    shaping: Shaping | None = None

    twice: ClassVar[int] = 0  # bytes of rows that queries meet in two tables each

    @property
    def levels(self) -> Levels:
        """The levels of a dimension."""
        return levels_of(self.bits)

    @property
    def kind(self) -> str:
        """What its rotation is."""
        return self.rotation.kind

    @property
    def label(self) -> str:
        """What codes are called."""
        return f"{self.bits}-bit"

    @property
    def amount(self) -> str:
        """How much they keep of a dimension."""
        return f"{self.bits} bit{'s' * (self.bits != 1)}"

    @property
    def is_one_bit(self) -> bool:
        """Whether rows are one plane of bits, whose Hamming distances mean something."""
        return self.bits == 1

    @cached_property
    def identity(self) -> str:
        """A name of the scheme with a digest of all that it has learned."""
        digest = hashlib.sha256(repr((self.bits, self.dimension, self.scaled, float(self.scale_unit))).encode())
        for name, part in (*self.rotation._asdict().items(), ("center", self.center)):
            if part is not None:
                digest.update(name.encode() + part.astype("<f4").tobytes())
        return f"lowbit{self.bits}:{digest.hexdigest()[:16]}"

    @cached_property
    def _coder(self) -> native.Coder:
        levels = self.levels
        parts: dict[str, NDArray[Any] | float] = {**self.rotation.parts_for_coding(self.dimension)}
        parts |= {"levels": levels.levels, "thresholds": levels.thresholds, "patterns": levels.patterns}
        if self.shaping is not None:
            parts |= self.shaping.parts_for_coding(self.rotation)
        return native.Coder(self.dimension, self.bits, self.center, **parts)

    @cached_property
    def _query_coder(self) -> native.Coder:
        parts = self.rotation.of_queries.parts_for_coding(self.dimension)
        return native.Coder(self.dimension, self.bits, None, **parts)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # addresses are of a process

    def encode_raw(self, x: NDArray[Any], threads: int | None = 1) -> RawCodes:
        """Return the bit planes, unbiased scales and lengths of centred rows, and the squared lengths of the rows."""
        coder = self._coder  # made before threads ask for it
        return coded_by_blocks(x, self.dimension, self.bits * -(-self.dimension // 8), coder.encode, _PACE, threads)

    def values_of(self, planes: Planes) -> Floats:
        """Return the levels that bit planes stand for, float32 (n, dimension)."""
        values = np.zeros((len(planes), self.dimension), np.float32)
        flags = native_bits.bit_flags("msb", offset=False)
        width = -(-self.dimension // 8)
        for plane, weight in enumerate(self.levels.weights):
            packed = np.ascontiguousarray(planes[:, plane * width : (plane + 1) * width])
            values += weight * native_bits.unpack_bits(packed, self.dimension, flags, np.float32)
        return values

    def rows_of(self, planes: Planes, scales: Floats, threads: int | None = 1) -> Floats:
        """Return the rows that bit planes with their scales stand for, float32 (n, dimension)."""

        def decode(some: Planes, steps: Floats) -> Floats:
            return self.rotation.undo(self.values_of(some) * steps)

        return decoded_by_blocks(planes, scales, self.dimension, decode, self.center, _PACE, threads)

    def turn_queries(self, x: Floats) -> Floats:
        """Return queries (m, dimension) as they meet turned rows: each the same, whatever others there are."""
        return self._query_coder.turn(np.ascontiguousarray(x))

    def for_planes(self, rests: Floats) -> Floats:
        """Return queries (m, dimension) as they meet the planes, float32 (m, bits * 8 * ceil(dimension / 8))."""
        width = 8 * -(-self.dimension // 8)
        values = np.zeros((len(rests), self.bits, width), np.float32)
        values[:, :, : self.dimension] = self.turn_queries(rests)[:, None] * self.levels.weights[:, None]
        return values.reshape(len(rests), self.bits * width)

    def center_along(self, planes: Planes) -> Floats:
        """Return the dots of the center with what bit planes stand for, before the rows' scales, float32 (n,)."""
        assert self.center is not None
        width = -(-self.dimension // 8)
        turned = np.zeros(8 * width, np.float32)
        turned[: self.dimension] = self.turn_queries(self.center[None])[0]
        dots = np.zeros(len(planes), np.float32)
        step = max(1, BLOCK_BYTES // turned.nbytes)
        for begin in range(0, len(planes), step):
            for plane, weight in enumerate(self.levels.weights):
                packed = planes[begin : begin + step, plane * width : (plane + 1) * width]
                dots[begin : begin + step] += native_sums.dots_f32(
                    turned * weight, signs_of(np.ascontiguousarray(packed))
                )
        return dots
