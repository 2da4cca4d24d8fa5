"""The fitted scheme of codes in principal directions: more bits for those in which rows vary more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native import lowbit as native_lowbit
from ..._native import principal as native
from ..._native import sums as native_sums
from .blocks import BLOCK_BYTES, Planes, RawCodes, coded_by_blocks, decoded_by_blocks
from .chains import tables_of_chains
from .levels import MOST_BITS, MOST_SEARCHED, Floats, levels_of, values_of_patterns
from .moments import costs_in_chain, squared_length
from .places import BitsOf, bits_of, met_by_places
from .scheme import signs_of

LENGTH_BYTES = 2
"""Of a row, for its length without the center: a float16, where lengths are stored."""

MOST_LENGTH_ERROR = 2.1
"""Of half a squared length, where rows have unit length within 1 % and so has the center."""

SHRUNK = 0.75
"""The power of codes' lengths by which what they stand for is divided. Were all of a length's differences among codes
errors, it would be 1, and 0 where rows differed as much; between .5 and .75 most is kept of all sets at all sizes."""
_LEAST_REST = 2.0**-22  # of 1, less the squared length of a center of unit rows: what they are rounded by, otherwise
_NOTHING = 2.0**-20  # of the weights of bits, what directions at right angles to the center get of it by rounding
_PACE = 2.0  # nanoseconds a byte of float rows


def length_bytes(*, unit: bool) -> int:
    """Return the bytes of a row that its length takes: none where all have unit length."""
    return 0 if unit else LENGTH_BYTES


@dataclass(frozen=True, eq=False)
class PrincipalScheme:
    """What a quantizer has fitted, where directions have bits of their own.

    With r = x - center, a direction's level is the one nearest to <r, u> / (|r| deviation). What the levels stand for,
    divided by its own length, is the direction of r; its length is stored.

    Attributes
    ----------
    dimension : int
    directions : ndarray, (dimension, 8 * groups)
        Orthonormal columns, the first groups being those in which rows vary most. Where dimensions are no multiple of
        8 some are zeros, anywhere among those of as many bits as the last.
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
    gain : float
        What planes stand for, of length l, counts times the row's length and gain / l^(3/4). 0: it is brought to the
        row's length, as it was by former schemes.
    unit : bool
        All rows have unit length, and nothing is stored of their lengths without the center: planes say them.
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
    gain: float = 0.0
    unit: bool = False

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
    def stored_bytes(self) -> int:
        """Bytes of a row in files: the planes, and its length where that is stored."""
        return self.row_bytes + length_bytes(unit=self.unit)

    @property
    def bits(self) -> float:
        """Bits a dimension, on average."""
        return 8 * self.row_bytes / self.dimension

    @property
    def label(self) -> str:
        """What codes are called."""
        return f"{self.stored_bytes}-byte"

    @property
    def amount(self) -> str:
        """How much they keep of a row."""
        return f"{self.stored_bytes} bytes"

    @cached_property
    def identity(self) -> str:
        """A name of the scheme with a digest of all that it has learned."""
        digest = hashlib.sha256(repr((self.dimension, float(self.scale_unit))).encode() + self.allocation.tobytes())
        digest.update(self.copies.astype("<i8").tobytes())
        if self.chain is not None:
            digest.update(f"chain {self.twice}".encode() + self.chain.astype("<i8").tobytes())
        if self.gain or self.unit:
            digest.update(repr((float(self.gain), self.unit)).encode())
        for name in ("directions", "deviations", "center"):
            part = getattr(self, name)
            if part is not None:
                digest.update(name.encode() + part.astype("<f4").tobytes())
        return f"principal{self.stored_bytes}:{digest.hexdigest()[:16]}"

    @cached_property
    def _coder(self) -> native.PrincipalCoder:
        inverse = np.divide(1, self.deviations, out=np.zeros_like(self.deviations), where=self.deviations > 0)
        searched = [levels_of(bits) for bits in range(1, MOST_SEARCHED + 1)]
        parts: dict[str, NDArray[Any]] = {} if self.center is None else {"center": self.center}
        if self.chain is not None:
            parts["chains"], parts["chain_steps"] = tables_of_chains()
            parts["costs"] = costs_in_chain(self.deviations, self.directions, self.center, unit=self.unit)
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
        square[:, : len(self._there)] = self.directions[:, self._there]
        return native_lowbit.Coder(self.dimension, 1, panels=native_lowbit.panels_of(square), dense=1)

    @cached_property
    def _there(self) -> NDArray[np.int64]:
        """Which directions there are, one at least: others of the last groups are zeros, amid those of as many bits."""
        found = np.flatnonzero(self.directions.any(axis=0))
        return found if len(found) else np.zeros(1, np.int64)

    @cached_property
    def _bits(self) -> list[BitsOf]:
        return bits_of(self.allocation, self.chain, self.deviations)

    @cached_property
    def _met_by_places(self) -> tuple[NDArray[np.int32], Floats]:
        """Of each place in a row the directions that its bit counts for, among those there are, and the weights."""
        sources, weights = met_by_places(self._bits, native.GROUP * self._own_bytes)
        columns = np.zeros(len(self.deviations), np.int32)
        columns[self._there] = np.arange(len(self._there))
        return columns[sources], weights

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
        """Return what planes count times, of rows of length 1, float32 (n,): found from the planes alone."""
        own = np.ascontiguousarray(
            planes[:, : self._own_bytes] if self.chain is None else planes[:, np.argsort(self.chain)]
        )
        lengths = np.sqrt(self._coder.squares(own, values_of_patterns()))
        over, wide = (lengths**SHRUNK, self.gain) if self.gain else (lengths, 1.0)
        return np.divide(wide, over, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)

    def reach_of(self, scales: Floats) -> NDArray[np.float64]:
        """Return how long what codes of these scales stand for is, of rows of length 1 without the center, (n,)."""
        reach: NDArray[np.float64] = (scales > 0).astype(np.float64)
        if self.gain:  # l times the scale, which is gain / l^(3/4)
            lengths = np.divide(self.gain, scales, out=reach, where=scales > 0) ** (1 / SHRUNK)
            reach = lengths * scales
        return reach

    @property
    def most_left_out(self) -> float:
        """How much of a row codes can leave out: as a share of its length, or of rows of unit length, at most 2.02."""
        longest = sum(np.sqrt((bits.weights.astype(np.float64) ** 2).sum()) for bits in self._bits)
        reach = self.gain * float(longest) ** (1 - SHRUNK) if self.gain else 1.0
        return 1.01 * (1 + reach) * (2.02 if self.unit else 1.0)

    def lengths_of(self, planes: Planes) -> Floats:
        """Return how long rows of unit length are without the center, as planes alone say it, float32 (n,).

        A row c + t u, u of length 1, has unit length where t^2 + 2 t <c, u> + |c|^2 = 1: and of <c, u> the planes have
        many bits, where c is one of the directions.
        """
        if self.center is None:
            return np.ones(len(planes), np.float32)
        rest = 1 - squared_length(self.center)
        rest = rest if rest > _LEAST_REST else 0.0
        weights = self.for_planes(self.center[None])[0].astype(np.float64)
        along = np.zeros(len(planes))
        for place in np.flatnonzero(np.abs(weights) > _NOTHING * np.abs(weights).max()).tolist():  # some ten bits
            along += weights[place] * (2.0 * (planes[:, place // 8] >> (7 - place % 8) & 1) - 1)
        return (np.sqrt(along**2 + rest) - along).astype(np.float32)

    def for_planes(self, rests: Floats) -> Floats:
        """Return queries (m, dimension) as they meet the planes, float32 (m, 8 * row_bytes)."""
        values = native.meet(*self._met_by_places, self._turned(rests))
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
        """Return queries along the directions, (m, 8 * groups); each the same, whatever others there are."""
        turned = self._turned(x)
        if len(self._there) == len(self.deviations):
            return turned
        along = np.zeros((len(x), len(self.deviations)), np.float32)
        along[:, self._there] = turned
        return along

    def _turned(self, x: Floats) -> Floats:
        """Return queries along the directions there are, (m, directions)."""
        return self._query_coder.turn(np.ascontiguousarray(x), len(self._there))

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
