"""Rows as Qdrant's client takes them, and what it shows of them.

A collection's ``datatype`` says how vectors are kept, ``float32``, ``float16`` or ``uint8``; they travel as numbers:
https://qdrant.tech/documentation/concepts/vectors/#datatypes
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...dtypes import OutputDtype
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import Scale
from .blobs import read_dtype, rows_of_numbers, sent_rows
from .rows import as_sequence, check_finite

_HELD = ("float", "uint8")


def to_qdrant(embeddings: Embeddings | ArrayLike) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Return the array of which Qdrant's ``upload_collection`` takes a vector a row; ``.tolist()`` is for ``upsert``.

    Floats for ``Datatype.FLOAT32`` and ``FLOAT16``, uint8 for ``Datatype.UINT8``. Qdrant compares the codes themselves:
    of uint8 rows only ``Distance.EUCLID`` and ``MANHATTAN`` are in the order of the values.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)

    Returns
    -------
    ndarray, float32 or uint8 (n, dimension)
        The rows themselves, not a copy.

    Raises
    ------
    StorageError
        For int8 rows and bits, uint8 rows with a scale of their own, NaN, Infinity and no dimensions.
    TypeError
        For bare integers, whose meaning is unknown.

    Examples
    --------
    >>> to_qdrant(Embeddings([[1.0, -1.0]]).to("uint8")).tolist()
    [[255, 0]]
    """
    rows = sent_rows(embeddings, "Qdrant", _HELD, "from_qdrant")
    if rows.output_dtype is OutputDtype.FLOAT:
        check_finite(rows.values, "Qdrant")
    return rows.values


def from_qdrant(
    vectors: Iterable[Sequence[float]],
    output_dtype: Literal["float", "uint8"] | OutputDtype = "float",
    *,
    scale: Scale | None = None,
) -> Embeddings:
    """Read vectors as Qdrant's client shows them, ``[record.vector for record in records]``.

    Parameters
    ----------
    vectors : iterable of sequences of numbers
    output_dtype : {"float", "uint8"}
    scale : Scale, optional
        Of uint8 rows; the unit scale by default, since the store does not know another.

    Raises
    ------
    StorageError
        For a record without its vector (ask for it by ``with_vectors=True``), rows of different lengths, numbers that
        are no such codes, NaN, Infinity, and no rows.

    Examples
    --------
    >>> from_qdrant([[255.0, 0.0]], "uint8").to_float().tolist()
    [[1.0, -1.0]]
    """
    dtype = read_dtype(output_dtype, "Qdrant", _HELD)
    rows = as_sequence(vectors, "from_qdrant")
    for number, row in enumerate(rows):
        if row is None:
            raise StorageError(f"record {number} has no vector: ask for them, with_vectors=True")
    return rows_of_numbers(rows, dtype, scale=scale, store="Qdrant")
