"""Codes of one, two and four bits, and the fitted scheme that makes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import bits as native_bits
from ._native import lowbit as native
from ._native import sums as native_sums
from .codec_ids import as_selection
from .embeddings import Embeddings
from .errors import CodeMismatchError, NotFiniteError
from .lowbit_errors import RowErrors, certain_bounds, errors_of, widest
from .lowbit_levels import Floats, Levels, levels_of
from .lowbit_queries import prepare_queries
from .lowbit_rotations import Rotation
from .quantize import as_float_rows

_BLOCK_BYTES = 1 << 22  # of float rows handled at a time
_UNIT_TOLERANCE = 0.01  # float16 rounds the length of a unit row by far less


def signs_of(planes: NDArray[np.uint8]) -> Floats:
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
        for name, part in (*self.rotation._asdict().items(), ("center", self.center)):
            if part is not None:
                digest.update(name.encode() + part.astype("<f4").tobytes())
        return f"lowbit{self.bits}:{digest.hexdigest()[:16]}"

    @cached_property
    def _coder(self) -> native.Coder:
        levels, parts = self.levels, self.rotation.parts_for_coding(self.dimension)
        parts |= {"levels": levels.levels, "thresholds": levels.thresholds, "patterns": levels.patterns}
        return native.Coder(self.dimension, self.bits, self.center, **parts)

    @cached_property
    def _query_coder(self) -> native.Coder:
        parts = self.rotation.of_queries.parts_for_coding(self.dimension)
        return native.Coder(self.dimension, self.bits, None, **parts)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # addresses are of a process

    def encode_raw(self, x: NDArray[Any]) -> tuple[NDArray[np.uint8], Floats, Floats, NDArray[np.float64]]:
        """Return the bit planes, unbiased scales and lengths of centred rows, and the squared lengths of the rows.

        Rows of another type than float32 are converted a block at a time; all are read once.
        """
        planes = np.empty((len(x), self.bits * -(-self.dimension // 8)), np.uint8)
        scales, lengths, squares = np.empty(len(x), np.float32), np.empty(len(x), np.float32), np.empty(len(x))
        step = max(1, _BLOCK_BYTES // (4 * self.dimension))
        for begin in range(0, len(x), step):
            block = slice(begin, begin + step)
            try:
                self._coder.encode(
                    as_float_rows(x[block]), planes[block], scales[block], lengths[block], squares[block]
                )
            except NotFiniteError as error:
                raise NotFiniteError(begin + error.row, error.column, error.value) from None
        return planes, scales, lengths, squares

    def values_of(self, planes: NDArray[np.uint8]) -> Floats:
        """Return the levels that bit planes stand for, float32 (n, dimension)."""
        values = np.zeros((len(planes), self.dimension), np.float32)
        flags = native_bits.bit_flags("msb", offset=False)
        width = -(-self.dimension // 8)
        for plane, weight in enumerate(self.levels.weights):
            packed = np.ascontiguousarray(planes[:, plane * width : (plane + 1) * width])
            values += weight * native_bits.unpack_bits(packed, self.dimension, flags, np.float32)
        return values

    def encode(self, x: NDArray[Any]) -> LowBitCodes:
        """Return the codes of rows (n, dimension) of floats; NotFiniteError names the first that is not finite."""
        planes, scales, lengths, squares = self.encode_raw(x)
        small = np.float16 if self.bits == 1 else np.float32
        with np.errstate(over="ignore"):
            stored = (scales / np.float32(self.scale_unit)).astype(small)
            kept = (lengths / np.float32(self.scale_unit * np.sqrt(self.dimension))).astype(small)
        finite = np.isfinite(stored) & np.isfinite(kept)
        if not finite.all():
            row = int(finite.argmin())
            raise ValueError(f"row {row} is thousands of times longer than the sample's: its scale cannot be stored")
        are_unit = np.abs(np.sqrt(squares) - 1) <= _UNIT_TOLERANCE
        unit_error = float(np.abs(squares - 1).max(initial=0, where=are_unit) / 2)
        return LowBitCodes(planes, stored, np.where(are_unit, kept, np.negative(kept)), self, unit_error)

    def decode(self, codes: LowBitCodes) -> Floats:
        """Return the rows that codes stand for, float32 (n, dimension)."""
        values = self.rotation.undo(self.values_of(codes.bit_planes) * codes.row_scales()[:, None])
        return values if self.center is None else values + self.center

    def turn_queries(self, x: Floats) -> Floats:
        """Return queries (m, dimension) as they meet turned rows: each the same, whatever others there are."""
        return self._query_coder.turn(np.ascontiguousarray(x))

    def center_along(self, planes: NDArray[np.uint8]) -> Floats:
        """Return the dots of the center with what bit planes stand for, before the rows' scales, float32 (n,)."""
        assert self.center is not None
        width = -(-self.dimension // 8)
        turned = np.zeros(8 * width, np.float32)
        turned[: self.dimension] = self.turn_queries(self.center[None])[0]
        dots = np.zeros(len(planes), np.float32)
        step = max(1, _BLOCK_BYTES // turned.nbytes)
        for begin in range(0, len(planes), step):
            for plane, weight in enumerate(self.levels.weights):
                packed = planes[begin : begin + step, plane * width : (plane + 1) * width]
                dots[begin : begin + step] += native_sums.dots_f32(
                    turned * weight, signs_of(np.ascontiguousarray(packed))
                )
        return dots


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
    lengths : ndarray like scales, (n,)
        Of the rows, centred; in `scale_unit` times the root of the dimension. Negative (or -0) for a row that had not
        unit length, within 1 %, before it was centred.
    scheme : LowBitScheme
    unit_error : float
        How far half the squared length of a row that had is from 1/2 at most.
    """

    bit_planes: NDArray[np.uint8]
    scales: NDArray[Any]
    lengths: NDArray[Any]
    scheme: LowBitScheme
    unit_error: float = 0.0

    @property
    def dimension(self) -> int:
        """Number of dimensions of the rows."""
        return self.scheme.dimension

    @property
    def nbytes(self) -> int:
        """Bytes of the codes with scales and lengths."""
        return int(self.bit_planes.nbytes + self.scales.nbytes + self.lengths.nbytes)

    @cached_property
    def are_unit(self) -> NDArray[np.bool_]:
        """Which rows had unit length, (n,)."""
        are_unit: NDArray[np.bool_] = ~np.signbit(self.lengths)
        return are_unit

    @property
    def is_unit(self) -> bool:
        """Whether all rows had unit length: what cosine and l2 need."""
        return bool(self.are_unit.all())

    def row_scales(self) -> Floats:
        """Return the factor of each row's dots, float32 (n,)."""
        unit = np.float32(self.scheme.scale_unit)
        return self.scales.astype(np.float32) * unit if self.scheme.scaled else np.full(len(self), unit)

    def row_squares(self) -> NDArray[np.float64]:
        """Return the squared lengths of the centred rows, float64 (n,)."""
        unit = self.scheme.scale_unit * np.sqrt(self.dimension)
        squares: NDArray[np.float64] = (self.lengths.astype(np.float64) * unit) ** 2
        return squares

    def estimate(self, queries: ArrayLike) -> Floats:
        """Return the estimated dots of all rows with queries (m, dimension), as search has them; float32 (m, n)."""
        asked = prepare_queries(self.scheme, as_float_rows(queries))
        scales, biases = self.for_scans
        dots = (asked.values @ signs_of(self.bit_planes).T) * scales
        if biases is not None:
            dots = dots + asked.shares[:, None] * biases + asked.along[:, None]
        return np.asarray(dots * asked.lengths[:, None], np.float32)

    def error_bounds(self, queries: ArrayLike) -> Floats:
        """Return how far each row's estimated dot with each query can be off, float32 (m, n).

        Certain, by Cauchy-Schwarz: the length of the query (without its share of the center, for rows of unit length)
        times that of what the code leaves out of the row, and what rounding the row's scale and length adds. The error
        is typically 1 / sqrt(dimension) of that, or up to twice as much without a random rotation. A row whose estimate
        plus bound is below the k-th best exact score need not be scored exactly.
        """
        asked = prepare_queries(self.scheme, as_float_rows(queries))
        return (asked.lengths[:, None] * certain_bounds(self, asked, errors_of(self))).astype(np.float32)

    @cached_property
    def widest(self) -> RowErrors:
        """The largest of all that ``RowErrors`` has of the rows."""
        return widest(self)

    @cached_property
    def for_scans(self) -> tuple[Floats, Floats | None]:
        """The rows' scales s and, where there is a center c, what its share of a query adds to their dots: biases t.

        The dot of a row x = c + r with a query e is <e, c> + <e - u c, r> + u <c, r>, for any u. The bits estimate the
        second term as s times a sum; the third is u t. Of a row of unit length <c, r> = (1 - |c|^2 - |r|^2) / 2 is
        known, of others the bits estimate it too. Neither depends on other rows.
        """
        scales, center = self.row_scales(), self.scheme.center
        if center is None:
            return scales, None
        square = float(np.einsum("i,i->", center, center, dtype=np.float64))
        biases = ((1 - square - self.row_squares()) / 2).astype(np.float32)
        others = np.flatnonzero(~self.are_unit)
        if len(others):
            biases[others] = scales[others] * self.scheme.center_along(np.ascontiguousarray(self.bit_planes[others]))
        return scales, biases

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # without what can be found again

    def to_float(self) -> Floats:
        """Return the rows that the codes stand for, float32 (n, dimension)."""
        return self.scheme.decode(self)

    def to(self, output_dtype: str, *, scale: Any = None) -> Embeddings:
        """Convert to one of the five dtypes, through the rows that the codes stand for; see :meth:`Embeddings.to`."""
        return Embeddings(self.to_float()).to(output_dtype, scale=scale)

    def truncate(self, dimension: int, *, normalize: bool = True) -> NoReturn:
        """Refuse: no dimension stands alone in codes with a rotation, and scales are of whole rows."""
        raise CodeMismatchError(
            f"low-bit codes cannot be cut to {dimension} dimensions: cut the floats and encode those, or cut what the "
            "codes stand for: .to('float').truncate(dimension)"
        )

    def __len__(self) -> int:
        return len(self.bit_planes)

    def __getitem__(self, rows: Any) -> LowBitCodes:
        if isinstance(rows, int | np.integer) and not isinstance(rows, bool):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} of {len(self)}")
            rows = slice(int(rows), int(rows) + 1 or None)
        if not isinstance(rows, slice):
            rows = as_selection(rows)
        planes, scales, lengths = (
            np.ascontiguousarray(part[rows]) for part in (self.bit_planes, self.scales, self.lengths)
        )
        return LowBitCodes(planes, scales, lengths, self.scheme, self.unit_error)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LowBitCodes):
            return NotImplemented
        return self.scheme.identity == other.scheme.identity and all(
            np.array_equal(ours, theirs) for ours, theirs in zip(self._arrays(), other._arrays(), strict=True)
        )

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.bit_planes, self.scales, self.lengths

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LowBitCodes({len(self)} x {self.dimension} at {self.scheme.bits} bits, {self.nbytes} bytes)"
