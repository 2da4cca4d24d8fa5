"""Codes of few bits a dimension."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...codec import as_selection
from ...dtypes import OutputDtypeLike
from ...embeddings import Embeddings
from ...errors import CodeMismatchError
from ...scale import ScaleLike
from ..quantize import as_float_rows
from .errors import RowErrors, certain_bounds, error_by_cosines, error_of_unit_rows, errors_of, widest
from .levels import Floats
from .principal import PrincipalScheme
from .queries import prepare_queries
from .scheme import LowBitScheme

_BLOCK_BYTES = 1 << 22  # how much of float rows is handled at a time
_UNIT_TOLERANCE = 0.01  # float16 rounds the length of a unit row by far less


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
        In the scheme's `scale_unit`. Of codes in principal directions what the planes count times, which follows from
        these and takes no place in files.
    lengths : ndarray like scales, or float16 in principal directions, (n,)
        Of the rows, centred; in `scale_unit` times the root of the dimension. Negative (or -0) for a row that had not
        unit length, within 1 %, before it was centred. Where the scheme is of rows of unit length, float32: as long as
        the planes say, which takes no place in files either.
    scheme : LowBitScheme or PrincipalScheme
    unit_error : float
        How far half the squared length of a row that had is from 1/2 at most.
    code_error : float
        Of codes in principal directions: what they leave out of any row, centred, as a share of its length, at most; of
        rows of unit length, whose own are not stored, not as a share.
    length_error : float
        Of these: how far half the squared length of a row, centred, is from what the planes say at most.
    """

    bit_planes: NDArray[np.uint8]
    scales: NDArray[Any]
    lengths: NDArray[Any]
    scheme: LowBitScheme | PrincipalScheme
    unit_error: float = 0.0
    code_error: float = 0.0
    length_error: float = 0.0

    @classmethod
    def of(cls, x: NDArray[Any], scheme: LowBitScheme | PrincipalScheme, threads: int | None = 1) -> LowBitCodes:
        """Return the codes of rows (n, dimension) of floats.

        Raises
        ------
        NotFiniteError
            It names the first value that is not finite.
        CodeMismatchError
            Where the scheme stores no lengths, and a row has not unit length.
        """
        planes, scales, lengths, squares = scheme.encode_raw(x, threads)
        are_unit = np.abs(np.sqrt(squares) - 1) <= _UNIT_TOLERANCE
        unit_error = float(np.abs(squares - 1).max(initial=0, where=are_unit) / 2)
        if isinstance(scheme, PrincipalScheme) and scheme.unit:
            if not are_unit.all():
                row = int(are_unit.argmin())
                length = np.sqrt(squares[row])
                raise CodeMismatchError(
                    f"row {row} has length {length:.4g}, and codes fitted to rows of unit length store none",
                    "rows divided by their lengths, or LowBitQuantizer(..., lengths='stored')",
                )
            return cls._of_unit_rows(planes, scales, lengths, scheme, unit_error)
        small, code_error = np.float16 if scheme.is_one_bit else np.float32, 0.0
        with np.errstate(over="ignore"):
            if isinstance(scheme, PrincipalScheme):
                stored, some = scheme.scales_of(planes), lengths > 0
                small, code_error = np.float16, error_by_cosines(scales[some], scheme.reach_of(stored[some]))
            else:
                stored = (scales / np.float32(scheme.scale_unit)).astype(small)
            kept = (lengths / np.float32(scheme.scale_unit * np.sqrt(scheme.dimension))).astype(small)
        finite = np.isfinite(stored) & np.isfinite(kept)
        if not finite.all():
            row = int(finite.argmin())
            raise ValueError(f"row {row} is thousands of times longer than the sample's: its scale cannot be stored")
        return cls(planes, stored, np.where(are_unit, kept, np.negative(kept)), scheme, unit_error, code_error)

    @classmethod
    def _of_unit_rows(
        cls,
        planes: NDArray[np.uint8],
        cosines: Floats,
        lengths: Floats,
        scheme: PrincipalScheme,
        unit_error: float,
    ) -> LowBitCodes:
        """Return codes that store no lengths, of rows that all have unit length."""
        scales = scheme.scales_of(planes)
        found = scheme.lengths_of(planes)
        code_error, length_error = error_of_unit_rows(cosines, lengths, found, scheme.reach_of(scales))
        return cls(planes, scales, found, scheme, unit_error, code_error, length_error)

    @property
    def dimension(self) -> int:
        """Number of dimensions of the rows."""
        return self.scheme.dimension

    @property
    def nbytes(self) -> int:
        """Bytes of the codes with what is stored of scales and lengths."""
        return sum(int(array.nbytes) for array in self.stored.values())

    @property
    def stored(self) -> dict[str, NDArray[Any]]:
        """The arrays that files hold, by name: without what follows from them."""
        arrays = {"bit_planes": self.bit_planes, "scales": self.scales, "lengths": self.lengths}
        if isinstance(self.scheme, PrincipalScheme):
            del arrays["scales"]
            if self.scheme.unit:
                del arrays["lengths"]
        return arrays

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
        if isinstance(self.scheme, PrincipalScheme):
            return (self.scales * np.sqrt(self.row_squares())).astype(np.float32)
        unit = np.float32(self.scheme.scale_unit)
        return self.scales.astype(np.float32) * unit if self.scheme.scaled else np.full(len(self), unit)

    def row_squares(self) -> NDArray[np.float64]:
        """Return the squared lengths of the centred rows, float64 (n,)."""
        unit = self.scheme.scale_unit * np.sqrt(self.dimension)
        squares: NDArray[np.float64] = (self.lengths.astype(np.float64) * unit) ** 2
        return squares

    def estimate(self, queries: ArrayLike) -> Floats:
        """Return the estimated dots of all rows with queries (m, dimension), as search has them; float32 (m, n).

        CodeMismatchError where the queries have other dimensions than the rows, as for `error_bounds`.
        """
        asked = prepare_queries(self.scheme, self._queries_of(queries), for_planes=False)
        scales, biases = self.for_scans
        dots = (asked.values @ self.scheme.values_of(self.bit_planes).T) * scales
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
        asked = prepare_queries(self.scheme, self._queries_of(queries))
        return (asked.lengths[:, None] * certain_bounds(self, asked, errors_of(self))).astype(np.float32)

    def _queries_of(self, queries: ArrayLike) -> Floats:
        rows = as_float_rows(queries)
        asked, known = rows.shape[1], self.dimension
        if asked == known:
            return rows
        way = f"truncate(queries, {known})" if asked > known else f"queries of all {known}, in rows (m, {known})"
        raise CodeMismatchError(f"queries have {asked} dimensions, the rows {known}", way)

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

    def to_float(self, *, threads: int | None = None) -> Floats:
        """Return the rows that the codes stand for, float32 (n, dimension), whatever the number of threads."""
        return self.scheme.rows_of(self.bit_planes, self.row_scales(), threads)

    def to(self, output_dtype: OutputDtypeLike, *, scale: ScaleLike | None = None) -> Embeddings:
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

    def __getitem__(self, rows: slice | ArrayLike) -> LowBitCodes:
        rows = as_selection(rows, len(self))
        planes, scales, lengths = (
            np.ascontiguousarray(part[rows]) for part in (self.bit_planes, self.scales, self.lengths)
        )
        return replace(self, bit_planes=planes, scales=scales, lengths=lengths)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LowBitCodes):
            return NotImplemented
        return self.scheme.identity == other.scheme.identity and all(
            np.array_equal(ours, theirs) for ours, theirs in zip(self._arrays(), other._arrays(), strict=True)
        )

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.bit_planes, self.scales, self.lengths

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        where = "in" if isinstance(self.scheme, PrincipalScheme) else "at"
        return f"LowBitCodes({len(self)} x {self.dimension} {where} {self.scheme.amount}, {self.nbytes} bytes)"
