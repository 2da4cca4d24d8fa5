"""Rows of one meaning, joined: what :func:`embcodec.concat` does, and an index that grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...embeddings import Embeddings, of_floats, replace_values
from ...errors import CodeMismatchError
from ...scale import PER_VECTOR, Scale
from ...words import as_iterable
from .codes import LowBitCodes

Rows = Embeddings | LowBitCodes


def arrays_of(rows: Rows) -> tuple[NDArray[Any], ...]:
    """Return the arrays of rows that have one element, or row, for each."""
    if isinstance(rows, LowBitCodes):
        return rows.bit_planes, rows.scales, rows.lengths
    return (rows.values,)


def joined(parts: Sequence[Rows], arrays: Sequence[NDArray[Any]]) -> Rows:
    """Return the rows of all parts, which mean the same, and of which `arrays` are the arrays."""
    first = parts[0]
    if isinstance(first, LowBitCodes):
        planes, scales, lengths = arrays
        unit_error = max(part.unit_error for part in parts if isinstance(part, LowBitCodes))
        code_error = max(part.code_error for part in parts if isinstance(part, LowBitCodes))
        length_error = max(part.length_error for part in parts if isinstance(part, LowBitCodes))
        return replace(
            first,
            bit_planes=planes,
            scales=scales,
            lengths=lengths,
            unit_error=unit_error,
            code_error=code_error,
            length_error=length_error,
        )
    scale = first.scale
    if scale is not None and scale.kind == PER_VECTOR:
        scales_of = [part.scale.values for part in parts if isinstance(part, Embeddings) and part.scale is not None]
        scale = Scale.per_vector(np.concatenate([values for values in scales_of if values is not None]))
    return replace_values(first, arrays[0], scale=scale)


@overload
def concat(parts: Iterable[LowBitCodes]) -> LowBitCodes: ...


@overload
def concat(parts: Iterable[Embeddings]) -> Embeddings: ...


@overload
def concat(parts: Iterable[Rows | ArrayLike]) -> Rows: ...


def concat(parts: Iterable[Rows | ArrayLike]) -> Rows:
    """Return the rows of several matrices as one.

    Parameters
    ----------
    parts : iterable of Embeddings, of LowBitCodes, or of array-like of floats
        All of one meaning: dtype, dimension, scale and orders of bytes and bits, or scheme. Scales that belong to rows
        are joined as they are.

    Raises
    ------
    CodeMismatchError
        Where a part means something else than the first.
    ValueError
        For no parts. One of no rows and no dimension, as an empty column of lists is, joins any.

    Examples
    --------
    >>> import numpy as np
    >>> from embcodec import concat, quantize
    >>> x = np.array([[0.5, -1.0], [0.25, 0.5], [3.0, 1.0]], np.float32)
    >>> concat([quantize(x[:1], "int8", scale="per-vector"), quantize(x[1:], "int8", scale="per-vector")])
    Embeddings(3 x 2 int8, per-vector, 18 bytes)
    """
    given = enumerate(as_iterable(parts, "parts", "rows to join"))
    found = [part if isinstance(part, LowBitCodes) else of_floats(part, f"part {i}") for i, part in given]
    if not found:
        raise ValueError("there are no parts to join")
    some = [(number, part) for number, part in enumerate(found) if not say_nothing(part)] or [(0, found[0])]
    _, first = some[0]
    for number, part in some:
        if kind_of(part) != kind_of(first):
            raise CodeMismatchError(
                f"part {number}, {told_apart(part, first)}, does not join {told_apart(first, part)}",
                "parts of one meaning",
            )
    columns = zip(*(arrays_of(part) for _, part in some), strict=True)
    return joined([part for _, part in some], [np.concatenate(column) for column in columns])


def kind_of(rows: Rows) -> Any:
    """Return what rows must share to be joined, or to meet the same queries."""
    return rows.scheme.identity if isinstance(rows, LowBitCodes) else rows.meaning


def say_nothing(rows: Rows) -> bool:
    """Whether these are no rows, of no dimension: an empty column of lists says no more. They join, and meet, any."""
    return isinstance(rows, Embeddings) and not len(rows) and not rows.dimension


def told_apart(rows: Rows, others: Rows) -> str:
    """Return `rows` in the words of a message, with the scheme of low-bit codes where `others` are such, too."""
    if isinstance(rows, LowBitCodes) and isinstance(others, LowBitCodes):
        return f"{rows!r} by {rows.scheme.identity}"
    return repr(rows)
