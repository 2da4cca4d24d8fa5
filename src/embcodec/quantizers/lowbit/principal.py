"""The fitted scheme of codes in principal directions: more bits for those in which rows vary more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native import lowbit as native_lowbit
from ..._native import principal as native
from ..._native import sums as native_sums
from ..._native.blocks import each_block
from ...errors import NotFiniteError
from ..quantize import as_float_rows
from .levels import MOST_SEARCHED, Floats, levels_of
from .scheme import signs_of

MOST_BITS = 8
LENGTH_BYTES = 2
"""Of a row, for its length without the center: a float16."""

_BLOCK_BYTES = 1 << 22  # of float rows handled at a time
_PACE = 2.0  # nanoseconds a byte of float rows


@dataclass(frozen=True, eq=False)
class PrincipalScheme:
    """What a quantizer has fitted, where directions have bits of their own.

    With r = x - center, a direction's level is the one nearest to <r, u> / (|r| deviation). What the levels stand for,
    divided by its own length, is the direction of r; its length is stored.

    Attributes
    ----------
    dimension : int
    directions : ndarray, (dimension, 8 * groups)
        Orthonormal columns, the first being those in which rows vary most; zeros behind the last.
    deviations : ndarray, (8 * groups,)
        Of rows' directions r / |r| along them.
    allocation : ndarray of uint8, (groups,)
        The bits of each eight directions, 1 to 8, never rising.
    copies : ndarray of int64, (m,)
        Bytes of a row that stand behind it once more. Queries share what such a byte counts out among its copies: the
        tables by which they meet bytes have one step for all, and so it is finer.
    center : ndarray, (dimension,), or None
    scale_unit : float
        Stored lengths are multiples of this times the root of the dimension.
    """

    dimension: int
    directions: Floats
    deviations: Floats
    allocation: NDArray[np.uint8]
    copies: NDArray[np.int64]
    center: Floats | None = None
    scale_unit: float = 1.0

    scaled = True
    kind = "principal"
    is_one_bit = False

    @property
    def row_bytes(self) -> int:
        """Bytes of the planes of a row: a byte for each bit of eight directions, and the copies."""
        return self._own_bytes + len(self.copies)

    @property
    def _own_bytes(self) -> int:
        return int(self.allocation.sum(dtype=np.int64))

    @property
    def bits(self) -> float:
        """Bits a dimension, on average."""
        return 8 * self.row_bytes / self.dimension

    @property
    def label(self) -> str:
        """What codes are called."""
        return f"{self.row_bytes + LENGTH_BYTES}-byte"

    @property
    def amount(self) -> str:
        """How much they keep of a row."""
        return f"{self.row_bytes + LENGTH_BYTES} bytes"

    @cached_property
    def identity(self) -> str:
        """A name of the scheme with a digest of all that it has learned."""
        digest = hashlib.sha256(repr((self.dimension, float(self.scale_unit))).encode() + self.allocation.tobytes())
        digest.update(self.copies.astype("<i8").tobytes())
        for name in ("directions", "deviations", "center"):
            part = getattr(self, name)
            if part is not None:
                digest.update(name.encode() + part.astype("<f4").tobytes())
        return f"principal{self.row_bytes + LENGTH_BYTES}:{digest.hexdigest()[:16]}"

    @cached_property
    def _coder(self) -> native.PrincipalCoder:
        inverse = np.divide(1, self.deviations, out=np.zeros_like(self.deviations), where=self.deviations > 0)
        searched = [levels_of(bits) for bits in range(1, MOST_SEARCHED + 1)]
        parts = {} if self.center is None else {"center": self.center}
        return native.PrincipalCoder(
            self.dimension,
            bits=self.allocation,
            panels=native_lowbit.panels_of(self.directions * inverse),
            variances=self.deviations**2,
            levels=np.concatenate([each.levels for each in searched]),
            patterns=np.concatenate([each.patterns for each in searched]),
            thresholds=np.concatenate([each.thresholds for each in searched]),
            steps=np.array([2 * levels_of(bits).weights[0] for bits in range(MOST_SEARCHED + 1, MOST_BITS + 1)]),
            **parts,
        )

    @cached_property
    def _query_coder(self) -> native_lowbit.Coder:
        square = np.zeros((self.dimension, self.dimension), np.float32)
        kept = min(self.dimension, self.directions.shape[1])
        square[:, :kept] = self.directions[:, :kept]
        return native_lowbit.Coder(self.dimension, 1, panels=native_lowbit.panels_of(square), dense=1)

    @cached_property
    def _plane_weights(self) -> list[Floats]:
        """What each direction counts in each plane that it has a bit in."""
        weights = []
        for plane in range(int(self.allocation[0])):
            groups = self.allocation[self.allocation > plane]
            each = np.repeat([levels_of(int(bits)).weights[plane] for bits in groups], native.GROUP)
            weights.append((each * self.deviations[: len(each)]).astype(np.float32))
        return weights

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # addresses are of a process

    def encode_raw(
        self, x: NDArray[Any], threads: int | None = 1
    ) -> tuple[NDArray[np.uint8], Floats, Floats, NDArray[np.float64]]:
        """Return the planes of rows, the cosines of centred rows with what they stand for, their lengths, and squares.

        Rows of another type than float32 are converted a block at a time; all are read once.
        """
        own, coder = self._own_bytes, self._coder  # made before threads ask for it
        planes = np.empty((len(x), self.row_bytes), np.uint8)
        cosines, lengths, squares = np.empty(len(x), np.float32), np.empty(len(x), np.float32), np.empty(len(x))

        def code(block: slice) -> None:
            try:
                some = coder.encode(as_float_rows(x[block]), cosines[block], lengths[block], squares[block])
            except NotFiniteError as error:
                raise NotFiniteError(block.start + error.row, error.column, error.value) from None
            planes[block, :own], planes[block, own:] = some, some[:, self.copies]

        each_block(code, len(x), 4 * self.dimension, threads, _PACE, block_bytes=_BLOCK_BYTES)
        return planes, cosines, lengths, squares

    def scales_of(self, planes: NDArray[np.uint8]) -> Floats:
        """Return one over the lengths of what planes stand for, float32 (n,): found from the planes alone."""
        own = np.ascontiguousarray(planes[:, : self._own_bytes])
        lengths = np.sqrt(self._coder.squares(own, _values_of_patterns()))
        return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)

    def for_planes(self, rests: Floats) -> Floats:
        """Return queries (m, dimension) as they meet the planes, float32 (m, 8 * row_bytes)."""
        turned = self.turn_queries(rests)
        reach = len(self.deviations)
        along = np.zeros((len(rests), reach), np.float32)
        along[:, : min(reach, self.dimension)] = turned[:, :reach]
        values = np.concatenate([along[:, : len(weights)] * weights for weights in self._plane_weights], axis=1)
        times = 1 + np.bincount(self.copies, minlength=self._own_bytes)
        shared = values.reshape(len(rests), -1, native.GROUP) / times[:, None].astype(np.float32)
        return np.concatenate([shared, shared[:, self.copies]], axis=1).reshape(len(rests), -1)

    def turn_queries(self, x: Floats) -> Floats:
        """Return queries (m, dimension) along the directions; each the same, whatever others there are."""
        return self._query_coder.turn(np.ascontiguousarray(x))

    def values_of(self, planes: NDArray[np.uint8]) -> Floats:
        """Return what planes stand for along the directions, float32 (n, 8 * groups)."""
        values, begin = np.zeros((len(planes), len(self.deviations)), np.float32), 0
        for weights in self._plane_weights:
            end = begin + len(weights) // native.GROUP
            values[:, : len(weights)] += weights * signs_of(np.ascontiguousarray(planes[:, begin:end]))
            begin = end
        return values

    def rows_of(self, planes: NDArray[np.uint8], scales: Floats, threads: int | None = 1) -> Floats:
        """Return the rows that bit planes with their scales stand for, float32 (n, dimension).

        By blocks that are the same on any number of threads, because a product of matrices may depend on their size.
        """
        rows = np.empty((len(planes), self.dimension), np.float32)

        def decode(block: slice) -> None:
            rows[block] = (self.values_of(planes[block]) * scales[block, None]) @ self.directions.T
            if self.center is not None:
                rows[block] += self.center

        each_block(decode, len(planes), 4 * self.dimension, threads, _PACE, block_bytes=_BLOCK_BYTES)
        return rows

    def center_along(self, planes: NDArray[np.uint8]) -> Floats:
        """Return the dots of the center with what bit planes stand for, before the rows' scales, float32 (n,)."""
        assert self.center is not None
        turned = self.for_planes(self.center[None])[0]
        dots = np.empty(len(planes), np.float32)
        step = max(1, _BLOCK_BYTES // turned.nbytes)
        for begin in range(0, len(planes), step):
            dots[begin : begin + step] = native_sums.dots_f32(turned, signs_of(planes[begin : begin + step]))
        return dots


@cache
def _values_of_patterns() -> Floats:
    """Return the level of each pattern of 1, 2, .. 8 bits, one number of bits after the other, (510,)."""
    parts = []
    for bits in range(1, MOST_BITS + 1):
        levels = levels_of(bits)
        values = np.empty(1 << bits, np.float32)
        values[levels.patterns] = levels.levels
        parts.append(values)
    return np.concatenate(parts)
