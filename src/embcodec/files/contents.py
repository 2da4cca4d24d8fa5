"""What a file holds, whatever its kind: arrays and words, of which rows are made."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..containers import ELEMENTS, MOST_WORDS, is_text
from ..dtypes import OutputDtypeLike, OutputDtypeName, as_dimension
from ..embeddings import Embeddings
from ..errors import StorageError
from ..quantizers.fitting import HOLDS_QUANTIZER, is_quantizer
from ..quantizers.lowbit import LowBitCodes
from ..words import parse_words, shown
from .bare import matrix_of, rows_of, scaled_rows
from .columns import SCALES, check_no_scales
from .pack import is_packed, unpack

ANN_BENCHMARKS = {"train", "test", "neighbors"}
"""The datasets of ann-benchmarks' files, of which ``train`` is the corpus."""
_DTYPES_OF_KINDS: dict[str, OutputDtypeName] = {"f": "float", "i": "int8", "u": "uint8"}


class Contents(NamedTuple):
    """What a file holds: arrays, the words of embcodec if it wrote them, and what is not read, with the reason."""

    tensors: dict[str, NDArray[Any]]
    words: dict[str, str]
    others: dict[str, str]


def rows_in(
    contents: Contents, suffix: str, output_dtype: OutputDtypeLike | None, dimension: int | None, column: str | None
) -> Embeddings | LowBitCodes:
    """Return the rows that a file of that kind holds, as :func:`embcodec.load` does."""
    tensors, words, others = contents
    check_no_quantizer([*tensors, *others], suffix)
    if "index" in words and is_packed(words, "codes."):
        raise StorageError("the file holds an index: FlatIndex.load(path) reads it")
    if is_packed(words):
        if column not in (None, "values") and suffix != ".parquet":
            raise StorageError(f"embcodec wrote the file for one matrix: leave out column={column!r}")
        found = unpack(tensors, words)
        kind = found.scheme.label if isinstance(found, LowBitCodes) else found.output_dtype
        if output_dtype is not None and not (isinstance(output_dtype, str) and output_dtype == kind):
            asked = output_dtype if isinstance(output_dtype, str) else shown(output_dtype)
            raise StorageError(f"the file holds {kind} rows, not {asked}")
        if dimension is not None and as_dimension(dimension) != found.dimension:
            raise StorageError(f"the file holds rows of {found.dimension} dimensions, not {dimension}")
        return found
    if suffix in ELEMENTS and output_dtype is None:
        output_dtype = _DTYPES_OF_KINDS[np.dtype(ELEMENTS[suffix]).kind]
    if suffix == ".parquet" and SCALES in tensors:  # of one column, whose words another writer has left out
        return scaled_rows(tensors["values"], tensors[SCALES], output_dtype, dimension)
    values = matrix_of(tensors, others, None if suffix == ".parquet" else column)
    if column is None and (scales := tensors.get(SCALES)) is not None and scales.shape == values.shape[:1]:
        check_no_scales(values, str(scales.dtype), f"column={next(n for n, a in tensors.items() if a is values)!r}")
    return rows_of(values, output_dtype, dimension)


def check_no_quantizer(names: Collection[str], suffix: str) -> None:
    """Refuse the file of a quantizer, by the names of its arrays: among them are matrices that are no rows."""
    if suffix == ".npz" and is_quantizer(names):
        raise StorageError(HOLDS_QUANTIZER)


def words_in_array(array: NDArray[Any] | None) -> dict[str, str]:
    """Return the words in the array of text that a ``.npz`` file has them in; none where there is no such array."""
    if array is None:
        return {}
    short = array.dtype.kind == "U" and array.ndim == 0 and array.nbytes <= 4 * MOST_WORDS and is_text(array)
    words = parse_words(str(array[()])) if short else None
    if words is None:
        raise StorageError("the metadata of the .npz file is damaged")
    return words
