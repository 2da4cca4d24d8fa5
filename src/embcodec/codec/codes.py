"""Arrays of floats <-> arrays of codes. The array level under :mod:`.embeddings` and :mod:`.quantize`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._native import bits, quantize, sums
from .._native.core import result_array
from ..dtypes import INTEGERS, PACKED, OutputDtype
from ..errors import NotFiniteError
from ..scale import PER_VECTOR, RANGES, UNIT, UNIT_SCALE, Scale, fit_scale, measured_scale
from ..words import meant, shown
from .bits import as_array, check_conventions
from .columns import FILES, JSON_ROWS, way_of_bytes
from .narrow import as_float32, whole_codes
from .precision import warn_of_loss, warn_of_ranges

_PACKED = 'for bits pass Embeddings(pack_bits(x), "ubinary", x.shape[1])'


def as_values(values: ArrayLike, dtype: OutputDtype) -> NDArray[Any]:
    """Return the rows of a matrix in the type of their codes, C-contiguous; themselves where they are so already."""
    array = as_array(values)
    wanted = dtype.numpy_dtype
    if array.dtype == wanted and array.ndim == 2 and array.flags.c_contiguous:
        return array
    is_told = isinstance(values, np.ndarray) and values.dtype != object  # that the elements are no codes
    if dtype is not OutputDtype.FLOAT and not is_told and array.dtype.kind in "iu":
        if array.ndim != 2:
            raise _no_rows(array, is_told)
        array = whole_codes(array, dtype)
    if array.dtype != wanted:
        if dtype is not OutputDtype.FLOAT:
            raise TypeError(f"{dtype} codes are {wanted}, not {array.dtype}{_remedy(array, wanted)}")
        if array.dtype.kind == "b":
            raise bare_integers("this", array.dtype)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"float embeddings come from real numbers, not {array.dtype}{_remedy(array, wanted)}")
        if array.dtype in (np.int8, np.uint8) and array.size:
            raise bare_integers("this", array.dtype)
    if array.ndim != 2:
        raise _no_rows(array, is_told)
    return as_float32(array) if dtype is OutputDtype.FLOAT else np.ascontiguousarray(array)


def _no_rows(array: NDArray[Any], is_array: bool) -> ValueError:
    one = "row[None]" if is_array else "[row]"
    ways = {1: f"; for one row pass {one}", 3: ": several vectors a row, as of tokens, become one first"}
    if not is_array and array.ndim == 3:
        ways[3] += "; np.concatenate(x) joins matrices"
    return ValueError(f"embeddings have shape (n, width), not {array.shape}{ways.get(array.ndim, '')}")


def bare_integers(name: str, dtype: np.dtype[Any], given: Any = None) -> TypeError:
    """Return the error for integers of which nobody has said what they are, with both ways to say it.

    They are an array of that dtype, or `given` became one.
    """
    way = 'of codes say output_dtype=..., as Embeddings(values, "int8"), "uint8", "binary" or "ubinary" do'
    if dtype == np.bool_:
        way = _PACKED
    what, as_real = f"is a bare array of {dtype}", ".astype(np.float32)"
    if isinstance(given, list | tuple):
        what, as_real = f"is a {type(given).__name__} of {dtype}", "np.asarray(rows, np.float32)"
    return TypeError(
        f"{name} {what}, whose meaning is unknown: {way}; of real numbers that are the values themselves pass {as_real}"
    )


def _remedy(array: NDArray[Any], wanted: np.dtype[Any]) -> str:
    """Say how an array of other numbers becomes one of codes."""
    if array.dtype.kind == "b":
        return f": {_PACKED}"
    if array.dtype.kind == "U" and not array.ndim:
        is_dtype = array.item() in list(OutputDtype)
        return f": quantize(rows, {array.item()!r})[:0] are rows of that dtype" if is_dtype else f": {FILES}"
    if array.dtype.kind in "UT":
        if array.size and str(array.flat[0]).lstrip().startswith("["):
            return f": {JSON_ROWS}"
        return ": np.asarray(x, np.float32) reads numbers that are text"
    if array.dtype.kind == "S":
        return (
            f": {way_of_bytes(b''.join(array[:1]))}"
            if array.ndim == 1
            else ": of rows of columns pass one, as [row[0] for row in rows]"
        )
    if array.dtype.fields:
        return ": numpy.lib.recfunctions.structured_to_unstructured(x) makes columns of fields"
    if array.dtype.type is np.void:
        short = "bfloat16" if array.dtype.itemsize == 2 else "a float8"
        return f": where that is {short}, .view(ml_dtypes.bfloat16) or its like says so"
    if array.dtype.kind == "f":
        return f": quantize makes {wanted} codes of floats"
    if array.dtype.kind not in "iu" or not array.size:
        return ""
    if array.dtype.itemsize == 1:
        return ": say 'uint8' or 'ubinary'" if array.dtype.kind == "u" else ": say 'int8' or 'binary'"
    limits = np.iinfo(wanted)
    outside = (array < limits.min) | (array > limits.max)
    if not outside.any():
        return f": all fit, pass .astype(np.{wanted})"
    return f", and {array[outside][0]} is not within {limits.min} .. {limits.max}"


def encode_values(
    x: NDArray[np.float32],
    dtype: OutputDtype,
    scale: Any = None,
    signed_bytes: str = "offset",
    bit_order: str = "msb",
    threshold_inclusive: bool = False,
    out: Any = None,
    threads: int | None = 1,
) -> tuple[NDArray[Any], Scale | None]:
    """Return the codes of `x` (n, dimension), C-contiguous, in `out` where that is given, and the scale they have.

    Raises
    ------
    NotFiniteError
        A ValueError that names the row and column of the first NaN or infinity.
    ValueError
        Where `scale` is unknown, of another dimension, or given for codes that have none.

    Warns
    -----
    PrecisionWarning
        Where the unit scale clips rows, or rounds them to little, for they are not of unit length, or ranges do.
    """
    if dtype in INTEGERS:
        return _integers(x, dtype.numpy_dtype, scale, out, threads)
    if not (scale is None or (isinstance(scale, str) and scale == UNIT)):
        raise ValueError(f"{dtype} rows have no scale")
    if dtype in PACKED:
        check_conventions(signed_bytes, bit_order)
        offset = signed_bytes == "offset" and dtype is OutputDtype.BINARY
        flags = bits.bit_flags(bit_order, offset=offset, inclusive=threshold_inclusive, finite=True)
        return bits.pack_bits_f32(x, 0.0, flags, dtype.numpy_dtype, out, threads), None
    bits.require_finite(x)
    if out is not None:
        np.copyto(result_array(out, x.shape, np.float32), x)
    return x if out is None else out, None


def _integers(
    x: NDArray[np.float32], dtype: Any, scale: Any, out: Any, threads: int | None
) -> tuple[NDArray[Any], Scale]:
    if scale is None:
        return quantize.quantize_unit(x, dtype, out, warn_of_loss, threads), UNIT_SCALE
    if isinstance(scale, str) and scale == PER_VECTOR:
        codes, scales = quantize.quantize_per_vector(x, dtype, out=out, threads=threads)
        return codes, measured_scale(scales)
    scale = as_scale(scale)
    if scale.kind == UNIT:
        return quantize.quantize_unit(x, dtype, out, warn_of_loss, threads), scale
    if scale.kind == PER_VECTOR:
        if len(scale.values) != len(x):
            raise ValueError(f"a per-vector scale for {len(scale.values)} rows does not fit {len(x)}")
        return quantize.quantize_per_vector(x, dtype, scale.values, out, threads)[0], scale
    coding = scale.coding(x.shape[1])
    ranges = scale.values
    assert ranges is not None
    codes = quantize.quantize_ranges(
        x, dtype, coding.low, coding.divisor, coding.reciprocal, out,
        lambda x, codes: warn_of_ranges(x, codes, ranges), threads,
    )  # fmt: skip
    return codes, scale


def encode_blocks(
    blocks: Iterable[tuple[slice, NDArray[np.float32]]],
    shape: tuple[int, int],
    dtype: OutputDtype,
    scale: Any,
    signed_bytes: str,
    bit_order: str,
) -> tuple[NDArray[Any], Scale | None]:
    """Return the codes of a matrix of `shape` that comes in blocks, as :func:`encode_values` does of a whole one."""
    codes = np.empty((shape[0], dtype.row_width(shape[1])), dtype.numpy_dtype)
    if not (scale is None or isinstance(scale, str)):
        scale = as_scale(scale)
    given = scale if isinstance(scale, Scale) and scale.kind == PER_VECTOR else None
    if given is not None:
        fit_scale(given, dtype, shape[1], shape[0])
    made = []
    for rows, x in blocks:
        part = scale if given is None else given.take(rows)
        try:
            made.append(encode_values(x, dtype, part, signed_bytes, bit_order, out=codes[rows])[1])
        except NotFiniteError as error:
            raise NotFiniteError(rows.start + error.row, error.column, error.value) from None
    if given is None and isinstance(scale, str) and scale == PER_VECTOR:
        return codes, measured_scale(np.concatenate([one.values for one in made if one and one.values is not None]))
    return codes, given or made[0]


def decode_values(
    values: NDArray[Any],
    dtype: OutputDtype,
    dimension: int,
    scale: Scale | None,
    signed_bytes: str = "offset",
    bit_order: str = "msb",
    out: Any = None,
    threads: int | None = 1,
) -> NDArray[np.float32]:
    """Return what codes stand for, float32 (n, dimension), in `out` or a new array; bits are -1 and +1."""
    if dtype is OutputDtype.FLOAT:
        copy = result_array(out, values.shape, np.float32)
        np.copyto(copy, values)
        return copy
    values = np.ascontiguousarray(values)
    if dtype.is_packed:
        offset = dtype is OutputDtype.BINARY and signed_bytes == "offset"
        return bits.unpack_bits(values, dimension, bits.bit_flags(bit_order, offset=offset), np.float32, out, threads)
    if scale is None or scale.kind == UNIT:
        return quantize.dequantize_unit(values, out, threads)
    if scale.kind == PER_VECTOR:
        assert scale.values is not None
        return quantize.dequantize_per_vector(values, scale.values, out, threads)
    first, step = scale.first_and_step(dimension)
    return quantize.dequantize_ranges(values, first, step, out, threads)


def truncate_values(x: NDArray[np.float32], dimension: int, normalize: bool) -> NDArray[np.float32]:
    """Return the first `dimension` columns as a new array, rows brought to unit length if asked.

    A row that is zero after the cut stays zero.
    """
    if normalize and 1 <= dimension <= sums.MAX_DIMENSION and x.flags.c_contiguous:
        return quantize.truncate_to_unit(x, dimension)
    kept = np.array(x[:, :dimension], dtype=np.float32, order="C")
    if normalize:
        bits.require_finite(kept)
        lengths = row_norms(kept)
        lengths[lengths == 0] = 1
        for begin in range(0, len(kept), _BLOCK_ROWS):
            block = slice(begin, begin + _BLOCK_ROWS)
            kept[block] = kept[block] / lengths[block, None]
    return kept


_BLOCK_ROWS = 1024


def row_norms(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the Euclidean lengths of the rows of `x`, summed in float64, in bounded memory."""
    if x.dtype == np.float32 and x.flags.c_contiguous and 1 <= x.shape[1] <= sums.MAX_DIMENSION:
        lengths: NDArray[np.float64] = np.sqrt(sums.squares_f32(x))
        return lengths
    norms = np.empty(len(x), np.float64)
    for begin in range(0, len(x), _BLOCK_ROWS):
        block = x[begin : begin + _BLOCK_ROWS].astype(np.float64)
        norms[begin : begin + _BLOCK_ROWS] = np.sqrt(np.einsum("ij,ij->i", block, block))
    return norms


_SCALES = "scale is 'unit', 'per-vector', ranges (2, dimension) or a Scale"


def _unknown(scale: str) -> str:
    return f"unknown {scale!r}{meant(scale, (UNIT, PER_VECTOR))}"


def as_scale(scale: Any) -> Scale:
    """Return what a user calls a scale as a :class:`Scale`: None and "unit", a Scale, or ranges (2, dimension)."""
    if scale is None or isinstance(scale, Scale):
        return scale or Scale.unit()
    if isinstance(scale, str):
        if scale == UNIT:
            return Scale.unit()
        wanted = f"{scale!r} needs its ranges: pass them, or a Scale" if scale == RANGES else _unknown(scale)
        raise ValueError(f"{_SCALES}; {wanted}")
    if isinstance(scale, dict | set | bytes | int | float):
        raise TypeError(f"{_SCALES}, not {shown(scale)}")
    try:
        return Scale.ranges(as_array(scale))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{_SCALES}; {error}") from None
