"""The typed matrix: codes together with what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .codec import Coded, as_array, as_selection, check_conventions, check_padding, codes, convert, truncated
from .dtypes import BitOrder, OutputDtype, OutputDtypeLike, SignedBytes, as_dimension, as_output_dtype
from .protocols import Exchanged
from .scale import PER_VECTOR, Scale, ScaleLike, fit_scale
from .words import html_table

_BLOCK_BYTES = 1 << 22  # of values on their way from codes to codes: few enough to stay near, many for a call

C = TypeVar("C", covariant=True)


class Encoder(Protocol[C]):
    """What turns rows of floats into codes of its own, as a fitted :class:`~embcodec.LowBitQuantizer` does."""

    def encode(self, x: NDArray[np.float32], /) -> C:
        """Return the codes of rows (n, dimension)."""


@dataclass(frozen=True, eq=False, repr=False)
class Embeddings(Exchanged):
    """Rows of embeddings in one of the five dtypes.

    Parameters
    ----------
    values : array-like, shape (n, width)
        float32, int8 or uint8 as `output_dtype` says; `width` is `dimension`, or ceil(dimension / 8) for packed
        bits. A C-contiguous array is kept, not copied; other floats are converted to float32. Codes in an array must
        have their exact dtype; in lists and columns, which widen them, they are whole numbers within it.
    output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
    dimension : int, optional
        Number of dimensions; may be left out where the width tells it.
    scale : Scale, optional
        How integers map to reals; ``Scale.unit()`` by default for int8 and uint8, None for the others.
    signed_bytes : {"offset", "twos-complement"}
        How the packed bytes of ``binary`` became int8: byte - 128, or the byte's own bits.
    bit_order : {"msb", "lsb"}
        Which bit of a packed byte is its first dimension.

    Raises
    ------
    ValueError
        Where shape, dtype, dimension and scale do not fit each other, a whole number of a list is no code (with row
        and column), or a packed row has bits set after its last
        dimension; for floats beyond float32, with row and column (NotFiniteError).
    TypeError
        Where an array of integer codes has another dtype than `output_dtype` says.

    Examples
    --------
    >>> rows = Embeddings(np.array([[-77, -29, 0]], np.int8), "binary", 18)
    >>> rows
    Embeddings(1 x 18 binary, 3 bytes)
    >>> rows.to("ubinary").values.tolist()
    [[51, 99, 128]]
    """

    values: NDArray[Any]
    output_dtype: OutputDtype
    dimension: int = -1
    scale: Scale | None = None
    signed_bytes: SignedBytes = "offset"
    bit_order: BitOrder = "msb"

    def __init__(
        self,
        values: ArrayLike,
        output_dtype: OutputDtypeLike = "float",
        dimension: int | None = None,
        scale: Scale | None = None,
        signed_bytes: SignedBytes = "offset",
        bit_order: BitOrder = "msb",
    ) -> None:
        dtype = as_output_dtype(output_dtype)
        array = codes.as_values(values, dtype)
        check_conventions(signed_bytes, bit_order)
        width = array.shape[1]
        if dimension is None:
            dimension = width * 8 if dtype.is_packed else width
        dimension = as_dimension(dimension)
        if dtype.row_width(dimension) != width:
            raise ValueError(
                f"{dtype} rows of dimension {dimension} have {dtype.row_width(dimension)} elements, not {width}"
            )
        scale = fit_scale(scale, dtype, dimension, len(array))
        self.__dict__.update(  # what object.__setattr__ would do, six times as fast
            values=array,
            output_dtype=dtype,
            dimension=dimension,
            scale=scale,
            signed_bytes=signed_bytes,
            bit_order=bit_order,
        )
        if dtype.is_packed and dimension % 8:
            # The last byte of each row is all that is looked at.
            check_padding(self._coded().plain(array[:, -1:]), dimension, bit_order)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and the elements of each, as ``values.shape``: of packed bits eight dimensions are one."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The elements' NumPy dtype, as ``values.dtype``; what they mean is `output_dtype`."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the codes, per-vector scales included."""
        extra = self.scale.values.nbytes if self.scale is not None and self.scale.values is not None else 0
        return int(self.values.nbytes) + (extra if self.scale and self.scale.kind == PER_VECTOR else 0)

    def packed_bytes(self) -> NDArray[np.uint8]:
        """Return packed rows as plain bytes, uint8 (n, width): bit set for a positive dimension.

        A view where the stored bytes are plain already, a copy for offset ``binary``.
        """
        if not self.output_dtype.is_packed:
            raise ValueError(f"{self.output_dtype} rows are not packed bits")
        return self._coded().plain(self.values)

    def to_float(self, *, out: NDArray[np.float32] | None = None, threads: int | None = None) -> NDArray[np.float32]:
        """Return the values that the codes stand for, float32 (n, dimension); for bits -1 and +1.

        The array is a copy, also for float rows; with `out`, C-contiguous and of that shape, it is that array. By
        default one thread decodes little and more decode much: the values do not depend on it.

        Examples
        --------
        >>> bits = Embeddings(np.array([[0b10100000]], np.uint8), "ubinary", 3)
        >>> bits.to_float().tolist()
        [[1.0, -1.0, 1.0]]
        """
        return self._coded().floats(out, threads)

    @overload
    def to(
        self,
        output_dtype: OutputDtypeLike,
        *,
        scale: ScaleLike | None = None,
        signed_bytes: SignedBytes | None = None,
        bit_order: BitOrder | None = None,
    ) -> Embeddings: ...

    @overload
    def to(self, output_dtype: Encoder[C]) -> C: ...

    def to(
        self,
        output_dtype: OutputDtypeLike | Encoder[C],
        *,
        scale: ScaleLike | None = None,
        signed_bytes: SignedBytes | None = None,
        bit_order: BitOrder | None = None,
    ) -> Embeddings | C:
        """Convert to another dtype, through float values where it must.

        Parameters
        ----------
        output_dtype : str, or a fitted LowBitQuantizer
            A quantizer makes low-bit codes of the values.
        scale : "unit", "per-vector", Scale or ranges, optional
            Of the new integers; by default the unit scale, or the scale at hand where only int8 and uint8 change.
        signed_bytes, bit_order : optional
            Of the new bits; by default those at hand.

        Returns
        -------
        Embeddings or LowBitCodes
            Itself where nothing changes.

        Warns
        -----
        PrecisionWarning
            As :func:`quantize` does.

        Examples
        --------
        >>> bits = Embeddings(np.array([[0b11000000]], np.uint8), "ubinary")
        >>> bits.to("ubinary", bit_order="lsb").values.tolist()
        [[3]]
        """
        if not isinstance(output_dtype, str):
            return self._to_low_bit(output_dtype, scale, signed_bytes, bit_order)
        rows = self._coded()
        made = convert(rows, self.float_blocks, output_dtype, scale, signed_bytes, bit_order)
        return self if made is rows else coded(*made)

    def _to_low_bit(self, quantizer: Encoder[C], *others: object) -> C:
        if not hasattr(quantizer, "encode") or isinstance(quantizer, type):
            known = ", ".join(repr(str(member)) for member in OutputDtype)
            kind = type(quantizer).__name__
            raise TypeError(f"output_dtype is one of {known}, or a fitted LowBitQuantizer, not {kind}")
        if any(other is not None for other in others):
            raise ValueError("a quantizer has scales of its own, and an order of bits: leave those out")
        return quantizer.encode(self.to_float())

    def _coded(self) -> Coded:
        fields = self.__dict__
        return Coded(*(fields[name] for name in Coded._fields))

    def truncate(self, dimension: int, *, normalize: bool = True) -> Embeddings:
        """Keep the first `dimension` dimensions.

        Float rows are brought back to unit length if `normalize`; codes are cut as they are (bits at bit
        `dimension`), since their length is not theirs to change.

        Raises
        ------
        ValueError
            Where `dimension` is not within 1 .. the present dimension.

        Examples
        --------
        >>> Embeddings([[3.0, 4.0, 12.0]]).truncate(2).values.tolist()
        [[0.6..., 0.8...]]
        """
        dimension = as_dimension(dimension)
        if not 1 <= dimension <= self.dimension:
            raise ValueError(f"cannot keep {dimension} of {self.dimension} dimensions")
        return Embeddings(*truncated(self._coded(), dimension, normalize))

    def norms(self) -> NDArray[np.float32]:
        """Return the Euclidean length of every row's values, float32 (n,)."""
        if self.output_dtype is OutputDtype.FLOAT:
            return codes.row_norms(self.values).astype(np.float32)
        lengths = np.empty(len(self), np.float32)
        for rows, values in self.float_blocks():
            lengths[rows] = codes.row_norms(values)
        return lengths

    def float_blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Yield some rows' values at a time, few enough to stay near, each time in the same array."""
        step = max(1, _BLOCK_BYTES // max(4 * self.dimension, 1))
        if step >= len(self):
            yield slice(0, len(self)), self.to_float()
            return
        near = np.empty((min(step, len(self)), self.dimension), np.float32)
        for begin in range(0, max(len(self), 1), step):
            rows = slice(begin, min(begin + step, len(self)))
            yield rows, self[rows].to_float(out=near[: rows.stop - begin])

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Embeddings]:
        return (self[row : row + 1] for row in range(len(self)))

    def __getitem__(self, rows: slice | ArrayLike) -> Embeddings:
        """Select rows: an integer (one row, kept as a matrix), slice, mask or index array."""
        if isinstance(rows, tuple):
            raise IndexError("Embeddings are indexed by rows only; use .truncate() to cut dimensions")
        rows = as_selection(rows, len(self))
        scale = self.scale.take(rows) if self.scale else None
        return replace_values(self, self.values[rows], scale=scale)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Embeddings):
            return NotImplemented
        return self.meaning == other.meaning and self.scale == other.scale and np.array_equal(self.values, other.values)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    @property
    def meaning(self) -> tuple[OutputDtype, int, str | None, SignedBytes | None, BitOrder | None]:
        """What codes must share to meet: dtype, dimension, scale identity, byte and bit order."""
        identity = self.scale.identity if self.scale else None
        signed = self.signed_bytes if self.output_dtype is OutputDtype.BINARY else None
        order = self.bit_order if self.output_dtype.is_packed else None
        return self.output_dtype, self.dimension, identity, signed, order

    def __repr__(self) -> str:
        scale = f", {self.scale.identity}" if self.scale and self.scale.identity != "unit" else ""
        orders = "".join(f", {word}" for word in self.meaning[3:] if word in ("twos-complement", "lsb"))
        return f"Embeddings({len(self)} x {self.dimension} {self.output_dtype}{scale}{orders}, {self.nbytes} bytes)"

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        facts = [
            ("rows", f"{len(self):,}"),
            ("dimensions", f"{self.dimension:,}"),
            ("output_dtype", self.output_dtype),
            ("bytes", f"{self.nbytes:,}"),
        ]
        facts += [("scale", self.scale.identity)] if self.scale else []
        facts += [("bit_order", self.bit_order)] if self.output_dtype.is_packed else []
        return html_table("Embeddings", facts)


def coded(
    values: NDArray[Any],
    output_dtype: OutputDtype,
    dimension: int,
    scale: Scale | None,
    signed_bytes: SignedBytes,
    bit_order: BitOrder,
) -> Embeddings:
    """Return what :mod:`.codes` has just coded as Embeddings: its shape, type and scale need no second look."""
    check_conventions(signed_bytes, bit_order)
    made: Embeddings = object.__new__(Embeddings)
    fields = made.__dict__  # one by one, at half the price of an update
    fields["values"] = values
    fields["output_dtype"] = output_dtype
    fields["dimension"] = dimension
    fields["scale"] = scale
    fields["signed_bytes"] = signed_bytes
    fields["bit_order"] = bit_order
    return made


def with_values(alike: Embeddings, values: NDArray[Any]) -> Embeddings:
    """Return Embeddings that mean what others do, of other values of their shape and dtype, without a second look."""
    made: Embeddings = object.__new__(Embeddings)
    fields = made.__dict__
    fields.update(alike.__dict__)
    fields["values"] = values
    return made


def of_floats(rows: Any, name: str) -> Embeddings:
    """Return rows as Embeddings: themselves, or bare floats as ``"float"``.

    Bare integers and booleans, whose meaning is unknown, are a TypeError that calls them `name`.
    """
    if isinstance(rows, Embeddings):
        return rows
    array = as_array(rows)
    if array.dtype.kind in "iub":
        raise codes.bare_integers(name, array.dtype, rows)
    return Embeddings(array)


def replace_values(embeddings: Embeddings, values: NDArray[Any], **changes: Any) -> Embeddings:
    """Return `embeddings` with other `values` and whatever else is to change with them."""
    fields = {**embeddings.__dict__, "values": values, **changes}
    return Embeddings(**fields)
