"""Floats <-> the codes of the services: quantize, dequantize, truncate."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec import as_array, codes
from ..dtypes import BitOrder, OutputDtype, OutputDtypeLike, SignedBytes, as_dimension, as_output_dtype
from ..embeddings import Embeddings, coded, of_floats
from ..scale import ScaleLike


def quantize(
    x: ArrayLike | Embeddings,
    output_dtype: OutputDtypeLike,
    *,
    scale: ScaleLike | None = None,
    signed_bytes: SignedBytes = "offset",
    bit_order: BitOrder = "msb",
    threshold_inclusive: bool = False,
    out: NDArray[Any] | None = None,
    threads: int | None = None,
) -> Embeddings:
    """Turn rows of floats into codes.

    Parameters
    ----------
    x : array-like of float, shape (n, dimension) or (dimension,), or Embeddings
        Converted to float32 where it is not; one row gives a matrix of one row.
    output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
    scale : {"unit", "per-vector"}, ranges (2, dimension) or Scale, optional
        Of int8 and uint8; "unit" by default, which is what the services use:

        - "unit": int8 is clamp(round(127 x), -127, 127), uint8 clamp(round(127.5 x + 127.5), 0, 255), rounding half
          to even. Meant for rows of unit length: what lies outside -1 .. 1 is clipped, and much shorter rows are
          rounded to a few codes, which is warned of;
        - "per-vector": a row's largest magnitude becomes 127, so short rows keep their accuracy. A zero row gets
          zero codes (128 in uint8) and the scale 1 / 127;
        - ranges: exactly the codes of sentence-transformers for the same minima and maxima, floor((x - min) / step)
          clipped to 0..255, int8 minus 128; see :func:`calibrate`.
    signed_bytes, bit_order
        See :class:`Embeddings`; for ``binary`` and ``ubinary``.
    threshold_inclusive : bool
        Bits are set for x > 0; with True for x >= 0.
    out : ndarray, optional
        What to write the codes to, C-contiguous, of their dtype and shape (n, width): it becomes the result's
        ``values``. Batch after batch into the same array spares the cost of fresh memory. After an error its content
        is undefined.
    threads : int, optional
        By default one for small work and more for large. The codes do not depend on it.

    Returns
    -------
    Embeddings

    Raises
    ------
    NotFiniteError
        A ValueError that names the row and column of the first NaN or infinity, or number beyond float32.
    ValueError
        For an unknown dtype or scale, ranges of another dimension, or an `out` that does not fit.
    TypeError
        For bare integers, which may be values or codes: ``.astype(np.float32)`` makes values of them, and
        :class:`Embeddings` says which codes they are.

    Warns
    -----
    PrecisionWarning
        Where the unit scale clips more than one value in a hundred, or rounding takes more than a tenth of the rows'
        squared length, by a sample of them: rows of unit length are never so. ``scale="per-vector"`` keeps them.
        Where more than an eighth of the values lies outside ranges, or they are so wide that rounding takes a tenth of
        what tells the rows apart: ranges that :func:`calibrate` makes of rows like these do neither.

    Examples
    --------
    >>> x = np.array([[0.25, -0.5, 0.0, 1.0]], np.float32)
    >>> quantize(x, "int8").values.tolist(), quantize(x, "uint8").values.tolist()
    ([[32, -64, 0, 127]], [[159, 64, 128, 255]])
    >>> quantize(x, "ubinary").values.tolist(), quantize(x, "binary").values.tolist()
    ([[144]], [[16]])
    >>> quantize(x / 10, "int8", scale="per-vector").values.tolist()
    [[32, -64, 0, 127]]
    """
    dtype = as_output_dtype(output_dtype)
    rows = as_float_rows(x, integers=False)
    values, made = codes.encode_values(rows, dtype, scale, signed_bytes, bit_order, threshold_inclusive, out, threads)
    return coded(values, dtype, rows.shape[1], made, signed_bytes, bit_order)


def dequantize(
    embeddings: Embeddings | ArrayLike, *, out: NDArray[np.float32] | None = None, threads: int | None = None
) -> NDArray[np.float32]:
    """Return the values that codes stand for.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    out : ndarray, float32, shape (n, dimension), C-contiguous, optional
        What to write to, instead of a new array.
    threads : int, optional
        By default one for small work and more for large. The values do not depend on it.

    Returns
    -------
    ndarray, float32, shape (n, dimension)
        A new array, or `out`. Bits become -1 and +1; integers what their scale says (see :class:`Scale`).

    Raises
    ------
    TypeError
        For bare integers, whose meaning is unknown.
    ValueError
        Where `out` has another shape or dtype, or is not C-contiguous and writable.

    Examples
    --------
    >>> dequantize(quantize([[0.5, -1.0]], "int8")).tolist()
    [[0.50393..., -1.0]]
    """
    return of_floats(embeddings, "embeddings").to_float(out=out, threads=threads)


@overload
def truncate(x: Embeddings, dimension: int, *, normalize: bool = True) -> Embeddings: ...


@overload
def truncate(x: ArrayLike, dimension: int, *, normalize: bool = True) -> NDArray[np.float32]: ...


def truncate(x: ArrayLike | Embeddings, dimension: int, *, normalize: bool = True) -> NDArray[np.float32] | Embeddings:
    """Keep the first `dimension` dimensions, which models trained for it allow.

    Parameters
    ----------
    x : array-like of float, shape (n, d) or (d,), or Embeddings
    dimension : int
        1 .. d.
    normalize : bool
        Bring the cut rows back to unit length, so that their dot product is the cosine again; a row that is zero after
        the cut stays zero. For codes see :meth:`Embeddings.truncate`.

    Returns
    -------
    ndarray, float32, shape (n, dimension) or (dimension,), or Embeddings as given

    Raises
    ------
    ValueError
        Where `dimension` is not within 1 .. d, a number is beyond float32, or a kept value is NaN or infinite and
        `normalize` is asked for.

    Examples
    --------
    >>> truncate([3.0, 4.0, 12.0], 2).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    if isinstance(x, Embeddings):
        return x.truncate(dimension, normalize=normalize)
    array, dimension = as_array(x), as_dimension(dimension)  # columns of rows are a matrix from here on
    rows = as_float_rows(array)
    if not 1 <= dimension <= rows.shape[1]:
        raise ValueError(f"cannot keep {dimension} of {rows.shape[1]} dimensions")
    kept = codes.truncate_values(rows, dimension, normalize)
    return kept[0] if array.ndim == 1 else kept


def as_float_rows(x: ArrayLike | Embeddings, *, integers: bool = True) -> NDArray[np.float32]:
    """Return `x` as float32 rows (n, dimension), itself where it is that already; a 1-D `x` is one row, [] none.

    Without `integers` those that nobody has said the meaning of are a TypeError.
    """
    if type(x) is np.ndarray and x.dtype == _FLOAT32 and x.ndim == 2 and x.flags.c_contiguous:
        return x  # most calls
    if isinstance(x, Embeddings):
        return x.values if x.output_dtype is OutputDtype.FLOAT else x.to_float()
    array = as_array(x)
    if not integers and array.dtype.kind in "iub" and array.size:
        raise codes.bare_integers("x", array.dtype, x)
    if array.ndim == 1:
        array = array[None] if array.size else array.reshape(0, 0)
    return codes.as_values(array, OutputDtype.FLOAT)


_FLOAT32 = OutputDtype.FLOAT.numpy_dtype
