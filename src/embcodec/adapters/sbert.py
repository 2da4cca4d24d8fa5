"""What sentence-transformers gives, as Embeddings; needs neither it nor torch."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from ..codec import as_array
from ..dtypes import OutputDtype
from ..embeddings import Embeddings
from ..scale import Scale
from ..words import shown, unknown

_PRECISIONS = {"float32": OutputDtype.FLOAT, **{str(d): d for d in OutputDtype if d is not OutputDtype.FLOAT}}
_IN_BFLOAT16 = "bfloat16"


def from_sentence_transformers(
    rows: Any, precision: str | None = None, *, dimension: int | None = None, ranges: ArrayLike | None = None
) -> Embeddings:
    """Return what ``model.encode(texts, precision=...)`` or ``quantize_embeddings`` gave as Embeddings.

    Parameters
    ----------
    rows : array, tensor, or list of either
        Of any of their forms: ``convert_to_numpy``, ``convert_to_tensor``, neither, or
        ``output_value=None``, whose entry ``"sentence_embedding"`` is taken.
    precision : {"float32", "int8", "uint8", "binary", "ubinary"}, optional
        What was asked for. May be left out for floats alone: integers do not say whether they are bits.
    dimension : int, optional
        Of bits, where it is no multiple of eight.
    ranges : array-like, (2, dimension)
        Of int8 and uint8: what ``quantize_embeddings(..., ranges=ranges)`` was given. ``encode(precision="int8")``
        takes those of the very texts that it embeds, and tells nobody: its codes cannot be read without them.

    Returns
    -------
    Embeddings
        Bits as sentence-transformers packs them: the first dimension in the highest bit, ``binary`` as byte - 128.

    Raises
    ------
    TypeError, ValueError
        Where the rows are not of the precision, or integers come without their ranges.

    Examples
    --------
    >>> import numpy as np
    >>> bits = np.packbits(np.array([[0.1, -0.2, 0.3]]) > 0, axis=-1)
    >>> from_sentence_transformers(bits, "ubinary", dimension=3).to_float().tolist()
    [[1.0, -1.0, 1.0]]
    >>> ranges = np.array([[-1.0, -2.0], [1.0, 2.0]])
    >>> from_sentence_transformers(np.array([[0, 127]], np.int8), "int8", ranges=ranges)
    Embeddings(1 x 2 int8, ranges:..., 2 bytes)
    """
    array = _as_rows(rows)
    if precision is None:
        if array.dtype.kind != "f":
            raise TypeError(f"rows of {array.dtype} may be numbers or bits: say precision='int8' or what was asked for")
        precision = "float32"
    if not isinstance(precision, str) or precision not in _PRECISIONS:
        raise unknown("precision", precision, list(_PRECISIONS))
    dtype = _PRECISIONS[precision]
    if dtype is OutputDtype.FLOAT:
        return Embeddings(array)
    if array.dtype != dtype.numpy_dtype:
        raise TypeError(f"rows of precision {precision!r} are {dtype.numpy_dtype}, not {array.dtype}")
    if dtype.is_packed:
        return Embeddings(array, dtype, dimension)
    if ranges is None:
        raise ValueError(
            f"{precision} codes are read by the ranges that they were made with: take floats from encode(), then "
            "quantize_embeddings(floats, precision, ranges=ranges) and pass ranges=ranges here too"
        )
    return Embeddings(array, dtype, scale=Scale.ranges(ranges))


def _as_rows(rows: Any) -> NDArray[Any]:
    if isinstance(rows, list | tuple):
        if not rows:
            raise ValueError("there are no rows: an empty list has no dimension")
        if all(isinstance(row, dict) for row in rows):
            rows = [_entry(row) for row in rows]
        parts = [_as_one(row) for row in rows]
        for number, part in enumerate(parts):
            if part.ndim != 1:
                words = ", a vector a token: encode(output_value='sentence_embedding') pools them" if part.ndim else ""
                raise ValueError(f"row {number} is no vector, but of shape {part.shape}{words}")
        return as_array(parts)
    if isinstance(rows, dict):
        return _as_one(_entry(rows))[None]
    array = _as_one(rows)
    return array[None] if array.ndim == 1 else array


def _entry(found: dict[str, Any]) -> Any:
    if "sentence_embedding" not in found:
        raise ValueError(f"no 'sentence_embedding' among {shown(sorted(map(str, found)))}")
    return found["sentence_embedding"]


def _as_one(row: Any) -> NDArray[Any]:
    """Return an array; of a tensor on any device, with a gradient or none, in float32 where NumPy lacks its type."""
    for step in ("detach", "cpu"):
        row = getattr(row, step, lambda row=row: row)()
    if _IN_BFLOAT16 in str(getattr(row, "dtype", "")) and hasattr(row, "float"):
        row = row.float()
    return as_array(row.numpy() if hasattr(row, "numpy") else row)
