"""The fitted scheme of codes in principal directions: more bits for those in which rows vary more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._native import lowbit as native_lowbit
from ..._native import principal as native
from ..._native import sums as native_sums
from .blocks import BLOCK_BYTES, Planes, RawCodes, coded_by_blocks, decoded_by_blocks
from .chains import MEMORY, chain_levels, tables_of_chains
from .levels import MOST_SEARCHED, Floats, levels_of
from .scheme import signs_of

MOST_BITS = 8
LENGTH_BYTES = 2
"""Of a row, for its length without the center: a float16."""

_PACE = 2.0  # nanoseconds a byte of float rows
_COST_POWER = 3  # of deviations: what a direction's error costs in a chain, as when bits were given to it


class BitsOf(NamedTuple):
    """What the first directions get from one bit each: its place in a row, (m,), and what it counts, float32 (m,)."""

    places: NDArray[np.int64]
    weights: Floats


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
        tables by which they meet bytes have one step for all, and so it is finer. None are made any more.
    center : ndarray, (dimension,), or None
    scale_unit : float
        Stored lengths are multiples of this times the root of the dimension.
    chain : ndarray of int64, (own bytes,), or None
        Directions form a chain: their levels hang on the bits before their own, too (see :mod:`.chains`), and this is
        the order in which the bytes of the planes are stored. None: each direction has levels of its own.
    twice : int
        How many bytes at the beginning of a row queries meet in two tables each, since they count most.
    """

    dimension: int
    directions: Floats
    deviations: Floats
    allocation: Planes
    copies: NDArray[np.int64]
    center: Floats | None = None
    scale_unit: float = 1.0
    chain: NDArray[np.int64] | None = None
    twice: int = 0

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
        if self.chain is not None:
            digest.update(f"chain {self.twice}".encode() + self.chain.astype("<i8").tobytes())
        for name in ("directions", "deviations", "center"):
            part = getattr(self, name)
            if part is not None:
                digest.update(name.encode() + part.astype("<f4").tobytes())
        return f"principal{self.row_bytes + LENGTH_BYTES}:{digest.hexdigest()[:16]}"

    @cached_property
    def _coder(self) -> native.PrincipalCoder:
        inverse = np.divide(1, self.deviations, out=np.zeros_like(self.deviations), where=self.deviations > 0)
        searched = [levels_of(bits) for bits in range(1, MOST_SEARCHED + 1)]
        parts: dict[str, NDArray[Any]] = {} if self.center is None else {"center": self.center}
        if self.chain is not None:
            parts["chains"], parts["chain_steps"] = tables_of_chains()
            parts["costs"] = (self.deviations / self.deviations.max()) ** _COST_POWER
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
    def _bits(self) -> list[BitsOf]:
        """What the first directions get from bits, each from one: as many as they have, and those of a chain."""
        bits, places = np.repeat(self.allocation, native.GROUP).astype(np.int64), self._places
        before = np.cumsum(bits[::-1])[::-1] - bits  # bits of the chain that come before a direction's own
        found = []
        for plane in range(int(bits[0])):
            some = bits[bits > plane].tolist()
            if self.chain is None:
                weights = [levels_of(each).weights[plane] for each in some]
            else:
                remember = (before >= MEMORY).tolist()
                weights = [
                    chain_levels(each, remembering=remembering).own[plane]
                    for each, remembering in zip(some, remember, strict=False)
                ]
            found.append(self._counted(places[plane], weights))
        if self.chain is None:
            return found
        coarse = np.minimum(bits, MEMORY)
        stream = np.array([places[plane][i] for i in range(len(bits))[::-1] for plane in range(coarse[i])])
        remembering = int(((before >= MEMORY) & (bits > 1)).sum())
        own = (np.cumsum(coarse[::-1])[::-1] - coarse)[:remembering]  # where a direction's own bits begin
        memories = [chain_levels(each, remembering=True).memory for each in bits[:remembering].tolist()]
        lags = range(MEMORY if remembering else 0)
        return found + [self._counted(stream[own - 1 - lag], [each[lag] for each in memories]) for lag in lags]

    @cached_property
    def _places(self) -> list[NDArray[np.int64]]:
        """Where in a row the bits of each plane are stored."""
        places = np.arange(native.GROUP * self._own_bytes).reshape(-1, native.GROUP)
        if self.chain is not None:
            places = places[np.argsort(self.chain)]
        counts = [int((self.allocation > plane).sum()) for plane in range(int(self.allocation[0]))]
        return [part.ravel() for part in np.split(places, np.cumsum(counts)[:-1])]

    def _counted(self, places: NDArray[np.int64], weights: list[Any]) -> BitsOf:
        return BitsOf(places, (np.array(weights) * self.deviations[: len(weights)]).astype(np.float32))

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # addresses are of a process

    def encode_raw(self, x: NDArray[Any], threads: int | None = 1) -> RawCodes:
        """Return the planes, the cosines of centred rows with what they stand for, their lengths, and the squares."""
        own, coder = self._own_bytes, self._coder  # made before threads ask for it

        def code(some: Floats, planes: Planes, *others: Any) -> None:
            raw = coder.encode(some, *others)
            if self.chain is not None:
                np.take(raw, self.chain, axis=1, out=planes[:, :own], mode="clip")
            else:
                planes[:, :own], planes[:, own:] = raw, raw[:, self.copies]

        return coded_by_blocks(x, self.dimension, self.row_bytes, code, _PACE, threads)

    def scales_of(self, planes: Planes) -> Floats:
        """Return one over the lengths of what planes stand for, float32 (n,): found from the planes alone."""
        own = np.ascontiguousarray(
            planes[:, : self._own_bytes] if self.chain is None else planes[:, np.argsort(self.chain)]
        )
        lengths = np.sqrt(self._coder.squares(own, _values_of_patterns()))
        return np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)

    def for_planes(self, rests: Floats) -> Floats:
        """Return queries (m, dimension) as they meet the planes, float32 (m, 8 * row_bytes)."""
        turned = self.turn_queries(rests)
        reach = len(self.deviations)
        along = np.zeros((len(rests), reach), np.float32)
        along[:, : min(reach, self.dimension)] = turned[:, :reach]
        values = np.zeros((len(rests), native.GROUP * self._own_bytes), np.float32)
        for bits in self._bits:
            values[:, bits.places] += along[:, : len(bits.weights)] * bits.weights
        if not len(self.copies):
            return values
        times = 1 + np.bincount(self.copies, minlength=self._own_bytes)
        shared = values.reshape(len(rests), -1, native.GROUP) / times[:, None].astype(np.float32)
        return np.concatenate([shared, shared[:, self.copies]], axis=1).reshape(len(rests), -1)

    def reaches(self) -> NDArray[np.float64]:
        """Return how large the entries are that bytes have in tables of usual queries, (own bytes,)."""
        squares = np.zeros(native.GROUP * self._own_bytes)
        for bits in self._bits:
            squares[bits.places] += (bits.weights.astype(np.float64) * self.deviations[: len(bits.weights)]) ** 2
        halves: NDArray[np.float64] = np.sqrt(squares).reshape(-1, 2, native.GROUP // 2).sum(axis=2)
        largest: NDArray[np.float64] = halves.max(axis=1)  # a table is of four directions
        return largest

    def turn_queries(self, x: Floats) -> Floats:
        """Return queries (m, dimension) along the directions; each the same, whatever others there are."""
        return self._query_coder.turn(np.ascontiguousarray(x))

    def values_of(self, planes: Planes) -> Floats:
        """Return what planes stand for along the directions, float32 (n, 8 * groups)."""
        values, signs = (
            np.zeros((len(planes), len(self.deviations)), np.float32),
            signs_of(np.ascontiguousarray(planes)),
        )
        for bits in self._bits:
            values[:, : len(bits.weights)] += bits.weights * signs[:, bits.places]
        return values

    def rows_of(self, planes: Planes, scales: Floats, threads: int | None = 1) -> Floats:
        """Return the rows that bit planes with their scales stand for, float32 (n, dimension)."""

        def decode(some: Planes, steps: Floats) -> Floats:
            rows: Floats = np.matmul(self.values_of(some) * steps, self.directions.T)
            return rows

        return decoded_by_blocks(planes, scales, self.dimension, decode, self.center, _PACE, threads)

    def center_along(self, planes: Planes) -> Floats:
        """Return the dots of the center with what bit planes stand for, before the rows' scales, float32 (n,)."""
        assert self.center is not None
        turned = self.for_planes(self.center[None])[0]
        dots = np.empty(len(planes), np.float32)
        step = max(1, BLOCK_BYTES // turned.nbytes)
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
