"""Codes of one, two and four bits, and the fitted scheme that makes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import bits as native_bits
from ._native import lowbit as native
from .codes import row_norms
from .lowbit_levels import Floats, Levels, Rotation, levels_of
from .quantize import as_float_rows

_BLOCK_BYTES = 1 << 19  # of float rows coded at a time: they stay in L2
_UNIT_TOLERANCE = 0.01  # float16 rounds the length of a unit row by far less


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
    """

    bits: int
    dimension: int
    rotation: Rotation
    center: Floats | None = None
    scaled: bool = True
    scale_unit: float = 1.0

    @property
    def levels(self) -> Levels:
        """The levels of a dimension."""
        return levels_of(self.bits)

    @cached_property
    def identity(self) -> str:
        """A name of the scheme with a digest of all that it has learned."""
        digest = hashlib.sha256(repr((self.bits, self.dimension, self.scaled, float(self.scale_unit))).encode())
        for part in (*self.rotation, self.center):
            digest.update(b"-" if part is None else part.astype("<f4").tobytes())
        return f"lowbit{self.bits}:{digest.hexdigest()[:16]}"

    def raw_scales(self, x: Floats) -> tuple[NDArray[np.uint8], Floats, Floats]:
        """Return the bit planes, unbiased scales and errors of rows, in blocks."""
        width = self.bits * -(-self.dimension // 8)
        planes = np.empty((len(x), width), np.uint8)
        scales, errors = np.empty(len(x), np.float32), np.empty(len(x), np.float32)
        step = max(1, _BLOCK_BYTES // (4 * self.dimension))
        for begin in range(0, len(x), step):
            block = slice(begin, begin + step)
            rows = x[block] - self.center if self.center is not None else x[block].copy()
            rows = self.rotation.apply(rows)
            planes[block], scales[block], errors[block] = native.encode(
                rows, self.bits, self.levels.thresholds, self.levels.levels, self.levels.patterns
            )
        return planes, scales, errors

    def encode(self, x: Floats) -> LowBitCodes:
        """Return the codes of rows (n, dimension), which are finite."""
        planes, scales, errors = self.raw_scales(x)
        if not self.scaled:
            lengths = row_norms(x if self.center is None else x - self.center)
            level_squares = self.dimension * np.float64(np.square(self.levels.levels[-1]))
            dots = np.divide(lengths**2, scales, out=np.zeros_like(lengths), where=scales > 0)
            rest = lengths**2 - 2 * self.scale_unit * dots + self.scale_unit**2 * level_squares
            errors, scales = np.sqrt(np.maximum(rest, 0)), np.full(len(x), self.scale_unit)
        lengths = row_norms(x)
        is_unit = bool((np.abs(lengths - 1) <= _UNIT_TOLERANCE).all())
        stored = scales.astype(np.float64) / self.scale_unit
        small = np.float16 if self.bits == 1 else np.float32
        with np.errstate(over="ignore"):
            kept = stored.astype(small)
            upward = np.nextafter((errors.astype(np.float64) / self.scale_unit).astype(np.float16), np.float16(np.inf))
        if not (np.isfinite(kept).all() and np.isfinite(upward).all()):
            row = int(np.argmin(np.isfinite(kept) & np.isfinite(upward)))
            raise ValueError(f"row {row} is thousands of times longer than the sample's: its scale cannot be stored")
        return LowBitCodes(planes, kept, upward, self, is_unit)

    def decode(self, codes: LowBitCodes) -> Floats:
        """Return the rows that codes stand for, float32 (n, dimension)."""
        values = np.zeros((len(codes), self.dimension), np.float32)
        flags = native_bits.bit_flags("msb", offset=False)
        width = -(-self.dimension // 8)
        for plane, weight in enumerate(self.levels.weights):
            packed = np.ascontiguousarray(codes.bit_planes[:, plane * width : (plane + 1) * width])
            values += weight * native_bits.unpack_bits(packed, self.dimension, flags, np.float32)
        values = self.rotation.undo(values * codes.row_scales()[:, None])
        return values if self.center is None else values + self.center

    def prepare_queries(self, queries: Floats) -> tuple[Floats, NDArray[np.float64]]:
        """Return queries against bit planes; see :meth:`LowBitCodes.prepare_queries`."""
        rotated = self.rotation.apply(queries.copy())
        width = -(-self.dimension // 8)
        prepared = np.zeros((len(queries), self.bits, 8 * width), np.float32)
        prepared[:, :, : self.dimension] = rotated[:, None] * self.levels.weights[:, None]
        constants = np.zeros(len(queries))
        if self.center is not None:
            constants = queries.astype(np.float64) @ self.center.astype(np.float64)
        return prepared.reshape(len(queries), -1), constants


@dataclass(frozen=True, eq=False, repr=False)
class LowBitCodes:
    """Rows coded by a :class:`LowBitQuantizer`; what :func:`embcodec.search` takes as a corpus.

    Row r stands for ``center + row_scales()[r] * rotated-back levels of its bits``; its dot with a query is estimated
    without bias.

    Attributes
    ----------
    bit_planes : ndarray of uint8, (n, bits * ceil(dimension / 8))
        A row is its planes, one after the other, first dimension in the highest bit.
    scales : ndarray of float16 (one bit) or float32, (n,)
        In the scheme's `scale_unit`.
    errors : ndarray of float16, (n,)
        Length of what the code leaves out of a row, rounded up, in the same unit.
    scheme : LowBitScheme
    is_unit : bool
        Whether all rows had unit length, within 1 %: what cosine and l2 need.
    """

    bit_planes: NDArray[np.uint8]
    scales: NDArray[Any]
    errors: NDArray[np.float16]
    scheme: LowBitScheme
    is_unit: bool = True

    @property
    def dimension(self) -> int:
        """Number of dimensions of the rows."""
        return self.scheme.dimension

    @property
    def nbytes(self) -> int:
        """Bytes of the codes with scales and errors."""
        return int(self.bit_planes.nbytes + self.scales.nbytes + self.errors.nbytes)

    def row_scales(self) -> Floats:
        """Return the factor of each row's dots, float32 (n,)."""
        return self.scales.astype(np.float32) * np.float32(self.scheme.scale_unit)

    def prepare_queries(self, queries: Floats) -> tuple[Floats, NDArray[np.float64]]:
        """Return what queries (m, dimension) become: floats against the bits, and a constant each.

        Returns
        -------
        ndarray, float32, (m, 8 * bit_planes.shape[1])
            In the order of the bits, highest first: with the signs -1 and +1 of a row's bits, its dot with the query
            is estimated by ``row_scales()[r] * (prepared @ signs) + constant``.
        ndarray, float64, (m,)
        """
        return self.scheme.prepare_queries(queries)

    def error_bounds(self, queries: ArrayLike) -> Floats:
        """Return how far each row's estimated dot with each query can be off, float32 (m, n).

        Certain, by Cauchy-Schwarz: |query| times the length of what the code leaves out. The error is typically
        1 / sqrt(dimension) of that. A row whose estimate plus bound is below the k-th best exact score need not be
        scored exactly.
        """
        lengths = row_norms(as_float_rows(queries))
        # The stored scale was rounded, which moves the reconstruction by that part of its length.
        rounding = 2.0**-10 if self.scales.dtype == np.float16 else 2.0**-22
        longest = np.sqrt(self.dimension) * float(self.scheme.levels.levels[-1])
        unit = self.scheme.scale_unit
        errors = self.errors.astype(np.float64) * unit + rounding * longest * self.row_scales()
        bounds: Floats = (lengths[:, None] * errors * (1 + 1e-5)).astype(np.float32)
        return bounds

    def to_float(self) -> Floats:
        """Return the rows that the codes stand for, float32 (n, dimension)."""
        return self.scheme.decode(self)

    def __len__(self) -> int:
        return len(self.bit_planes)

    def __getitem__(self, rows: Any) -> LowBitCodes:
        if isinstance(rows, int | np.integer):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} of {len(self)}")
            rows = slice(int(rows), int(rows) + 1 or None)
        planes, scales, errors = (
            np.ascontiguousarray(part[rows]) for part in (self.bit_planes, self.scales, self.errors)
        )
        return LowBitCodes(planes, scales, errors, self.scheme, self.is_unit)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LowBitCodes):
            return NotImplemented
        return self.scheme.identity == other.scheme.identity and all(
            np.array_equal(ours, theirs) for ours, theirs in zip(self._arrays(), other._arrays(), strict=True)
        )

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.bit_planes, self.scales, self.errors

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LowBitCodes({len(self)} x {self.dimension} at {self.scheme.bits} bits, {self.nbytes} bytes)"
