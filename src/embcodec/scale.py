"""How integer codes map to real values: the scheme's name is part of a code's identity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .dtypes import INTEGERS, OutputDtype, OutputDtypeLike, as_dimension, as_output_dtype
from .errors import RowError
from .ranges import Coding, check_ranges, coding_of
from .words import unknown

# What stands for a scale by itself, and the kinds of scales.
ScaleName = Literal["unit", "per-vector"]
ScaleKind = Literal[ScaleName, "ranges"]
SCALE_NAMES: tuple[ScaleName, ...] = get_args(ScaleName)
SCALE_KINDS: tuple[ScaleKind, ...] = get_args(ScaleKind)
UNIT, PER_VECTOR, RANGES = SCALE_KINDS
# (a, b) of value = a * code + b, before a row's own scale.
_AFFINE: dict[tuple[ScaleKind, OutputDtype], tuple[float, float]] = {
    (UNIT, OutputDtype.INT8): (1 / 127, 0.0),
    (UNIT, OutputDtype.UINT8): (1 / 127.5, -1.0),
    (PER_VECTOR, OutputDtype.INT8): (1.0, 0.0),
    (PER_VECTOR, OutputDtype.UINT8): (1.0, -128.0),
}


class Scale:
    """A map between integer codes and real values.

    - :meth:`unit`: the services' fixed scale. int8: value = code / 127; uint8: value = code / 127.5 - 1.
    - :meth:`per_vector`: value = scale[row] * code (int8), scale[row] * (code - 128) (uint8), with
      scale = max |x| / 127 where it is measured (1 / 127 for a zero row), so that both types keep zero exactly.
    - :meth:`ranges`: one range a dimension, as sentence-transformers has them; a code c of 0..255 (int8: code + 128)
      stands for the middle of its interval, minimum + (c + 0.5) * step with step = (maximum - minimum) / 255. A
      constant dimension is coded with step 1; each of its codes stands for the constant itself.

    Instances are immutable; equality is by :attr:`identity` and, for per-vector scales, by the scales themselves.

    Examples
    --------
    >>> Scale.unit().identity
    'unit'
    >>> Scale.ranges([[-1.0, 0.0], [1.0, 2.0]]).identity
    'ranges:...'
    """

    __slots__ = ("_coding", "_identity", "_kind", "_values")
    _kind: ScaleKind
    _values: NDArray[np.float32] | None
    _identity: str | None  # found when asked for: a digest costs more than many a small matrix of codes
    _coding: Coding | None  # likewise

    def __init__(self, kind: ScaleKind, values: ArrayLike | None = None) -> None:
        if not isinstance(kind, str) or kind not in SCALE_KINDS:
            raise unknown("scale", kind, SCALE_KINDS)
        array = None
        if kind == UNIT:
            if values is not None:
                raise ValueError("the unit scale takes no values")
        else:
            if values is None:
                raise ValueError(f"the {kind} scale needs values")
            array = _as_float32(values)
            if kind == PER_VECTOR:
                _check_per_vector(array)
            else:
                check_ranges(array)
            array.flags.writeable = False
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_values", array)
        object.__setattr__(self, "_identity", None if kind == RANGES else kind)
        object.__setattr__(self, "_coding", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Scale is immutable; cannot set {name!r}")

    @classmethod
    def unit(cls) -> Scale:
        """Return the services' fixed scale: an int8 code stands for code / 127, a uint8 code for code / 127.5 - 1."""
        return UNIT_SCALE

    @classmethod
    def per_vector(cls, scales: ArrayLike) -> Scale:
        """Return a scale of one positive factor a row, shape (n,): a code stands for code * factor.

        Raises
        ------
        ValueError
            For factors that are not finite and positive, or of another shape.

        Examples
        --------
        >>> from embcodec import Embeddings
        >>> Embeddings([[2.0, -1.0]]).to("int8", scale=Scale.per_vector([0.5])).values.tolist()
        [[4, -2]]
        """
        return cls(PER_VECTOR, scales)

    @classmethod
    def ranges(cls, ranges: ArrayLike) -> Scale:
        """Return a scale of a range a dimension, shape (2, dimension): minima, then maxima.

        Raises
        ------
        ValueError
            For ranges that are not finite, whose minimum is above their maximum, or of another shape.

        Examples
        --------
        >>> from embcodec import Embeddings
        >>> Embeddings([[0.0, 1.5]]).to("uint8", scale=Scale.ranges([[-1.0, 1.0], [1.0, 3.0]])).values.tolist()
        [[127, 63]]
        """
        return cls(RANGES, ranges)

    @property
    def kind(self) -> ScaleKind:
        """``"unit"``, ``"per-vector"`` or ``"ranges"``."""
        return self._kind

    @property
    def values(self) -> NDArray[np.float32] | None:
        """The scales (n,), the ranges (2, dimension), or None; read-only float32."""
        return self._values

    @property
    def identity(self) -> str:
        """The scheme's name; for ranges with a digest of them. Codes of different identities do not meet."""
        if self._identity is None:
            assert self._values is not None
            digest = hashlib.sha256(self._values.astype("<f4").tobytes()).hexdigest()[:16]
            object.__setattr__(self, "_identity", f"{RANGES}:{digest}")
            assert self._identity is not None
        return self._identity

    def affine(self, output_dtype: OutputDtypeLike, dimension: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return `a` and `b`, float32 (dimension,), with value = a * code + b (times the row's scale, if per-vector).

        Raises
        ------
        ValueError
            For dtypes other than int8 and uint8, or ranges of another dimension.
        """
        dtype = as_output_dtype(output_dtype)
        if dtype not in (OutputDtype.INT8, OutputDtype.UINT8):
            raise ValueError(f"{dtype} codes have no scale")
        if self._kind == RANGES:
            _, _, _, first, step, middle = self.coding(dimension)
            return step, middle if dtype is OutputDtype.INT8 else first
        a, b = _AFFINE[self._kind, dtype]
        return np.full(dimension, a, np.float32), np.full(dimension, b, np.float32)

    def first_and_step(self, dimension: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what ranges decode with: value = first + (0..255) * step; the step of a constant dimension is 0."""
        coding = self.coding(dimension)
        return coding.first, coding.step

    def step_and_middle(self, dimension: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the steps of ranges, and what a code of 0 (int8) or 128 (uint8) stands for, float32 (dimension,)."""
        coding = self.coding(dimension)
        return coding.step, coding.middle

    def step_and_centre(self, output_dtype: OutputDtype) -> tuple[float, float]:
        """Return a and c of value = a * (code + c), code less 128 for uint8, times the row's scale; not of ranges."""
        # 127.5 stands for 0 in unit codes, 128 in per-vector ones
        centre = 0.5 if output_dtype is OutputDtype.UINT8 and self._kind == UNIT else 0.0
        return _AFFINE[self._kind, output_dtype][0], centre

    def coding(self, dimension: int) -> Coding:
        """Return what codes of `dimension` dimensions are made and read with; of ranges only."""
        if self._kind != RANGES or self._values is None:
            raise ValueError(f"the {self._kind} scale has no ranges")
        if self._values.shape[1] != dimension:
            raise ValueError(f"ranges of {self._values.shape[1]} dimensions for codes of {dimension}")
        if self._coding is None:
            object.__setattr__(self, "_coding", coding_of(*self._values))
            assert self._coding is not None
        return self._coding

    def take(self, rows: slice | NDArray[Any]) -> Scale:
        """Return the scale of the rows that an index, slice or mask selects."""
        if self._kind != PER_VECTOR:
            return self
        assert self._values is not None
        return Scale(PER_VECTOR, np.atleast_1d(self._values[rows]))

    def truncate(self, dimension: int) -> Scale:
        """Return the scale of the first `dimension` dimensions."""
        if self._kind != RANGES:
            return self
        assert self._values is not None
        return Scale(RANGES, self._values[:, : as_dimension(dimension)])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scale):
            return NotImplemented
        if self._kind != other._kind or self.identity != other.identity:
            return False
        if self._values is None:
            return True
        assert other._values is not None
        return np.array_equal(self._values, other._values)

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        if self._values is None:
            return "Scale.unit()"
        name = "per_vector" if self._kind == PER_VECTOR else "ranges"
        return f"Scale.{name}(<{'x'.join(map(str, self._values.shape))} float32>)"

    def __reduce__(self) -> tuple[Any, ...]:
        return Scale, (self._kind, self._values)


UNIT_SCALE = Scale(UNIT)


class HasArray(Protocol):
    """What NumPy can make an array of: its own, and the tensors and frames of others."""

    def __array__(self) -> NDArray[Any]: ...


# What `scale=` takes: a name, or ranges (2, dimension). Not ArrayLike, to which any str, a misspelt name too, is one.
ScaleLike = ScaleName | Scale | HasArray | Sequence[HasArray | Sequence[float]]


def measured_scale(scales: NDArray[np.float32]) -> Scale:
    """Return the per-vector scale of `scales` as the C core measured them: finite and positive; kept, not copied."""
    scales.flags.writeable = False
    scale = Scale.__new__(Scale)
    for name, value in (("_kind", PER_VECTOR), ("_values", scales), ("_identity", PER_VECTOR), ("_coding", None)):
        object.__setattr__(scale, name, value)
    return scale


def fit_scale(scale: Scale | None, dtype: OutputDtype, dimension: int, rows: int) -> Scale | None:
    """Return the scale of codes that are given `scale`: the unit scale for integers without one, None for the others.

    A scale that does not fit the codes is a ValueError, or, where it is no Scale, a TypeError.
    """
    if dtype not in INTEGERS:
        if scale is not None:
            raise ValueError(f"{dtype} rows have no scale")
        return None
    if scale is None:
        return UNIT_SCALE
    if not isinstance(scale, Scale):
        raise TypeError(f"scale is a Scale, not {type(scale).__name__}")
    if scale.values is not None:
        found, wanted = (len(scale.values), rows) if scale.kind == PER_VECTOR else (scale.values.shape[1], dimension)
        if found != wanted:
            raise ValueError(f"a {scale.kind} scale for {found} does not fit {wanted}")
    return scale


def _as_float32(values: ArrayLike) -> NDArray[np.float32]:
    """Return a copy as float32; what overflows becomes an infinity, which no scale may hold."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError("masked scales and ranges: fill them first, with .filled(value)")
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError("scales and ranges are real numbers in rows of one length") from None
    if array.dtype == np.float32:
        return np.array(array, dtype=np.float32, order="C", copy=True)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"scales and ranges are real numbers, not {array.dtype}")
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float32, order="C", copy=True)


def _check_per_vector(scales: NDArray[np.float32]) -> None:
    if scales.ndim != 1:
        raise ValueError(f"per-vector scales have shape (n,), not {scales.shape}")
    if scales.size and not (scales.min() > 0 and scales.max() < np.inf):  # a NaN is neither
        bad = ~(np.isfinite(scales) & (scales > 0))
        row = int(bad.argmax())
        raise RowError(f"per-vector scales must be finite and positive; row {row} is not", row)
