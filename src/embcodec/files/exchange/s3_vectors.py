"""Rows as the objects of Amazon S3 Vectors, and back: float32 in lists.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_S3VectorBuckets_PutInputVector.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-limitations.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from ...embeddings import Embeddings
from ...errors import StorageError
from ...words import as_iterable, shown
from .blobs import rows_of_numbers, sent_rows
from .rows import as_sequence, check_finite

_MOST_DIMENSIONS, _MOST_VECTORS = 4096, 500


def to_s3_vectors(
    embeddings: Embeddings | ArrayLike, keys: Iterable[str], metadata: Sequence[Mapping[str, Any] | None] | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the ``vectors`` of one ``put_vectors`` call after the other, 500 in each.

    Parameters
    ----------
    embeddings : Embeddings or array-like of floats, (n, dimension)
    keys : iterable of str, (n,)
    metadata : sequence of mappings (n,), optional
        None for a row without.

    Raises
    ------
    StorageError
        For codes (send ``.to("float")``), NaN, Infinity, no dimensions or more than 4,096.
    TypeError, ValueError
        For keys that are no text, or not one a row, as metadata are.

    Examples
    --------
    >>> list(to_s3_vectors([[0.5, -1.0]], ["a"]))
    [[{'key': 'a', 'data': {'float32': [0.5, -1.0]}}]]
    """
    rows = sent_rows(embeddings, "S3 Vectors", ("float",), "from_s3_vectors", most=_MOST_DIMENSIONS)
    check_finite(rows.values, "S3 Vectors")
    names = list(as_iterable(keys, "keys", "texts, one a row"))
    words = None if metadata is None else list(as_iterable(metadata, "metadata", "a mapping or None a row"))
    for number, one in enumerate(words or ()):
        if not (one is None or isinstance(one, Mapping)):
            raise TypeError(f"metadata {number} is {shown(one)}, not a mapping")
    for number, key in enumerate(names):
        if not isinstance(key, str):
            raise TypeError(f"key {number} is {shown(key)}, not text")
    for kind, count in (("keys", len(names)), ("metadata", len(names if words is None else words))):
        if count != len(rows):
            raise ValueError(f"{count} {kind} for {len(rows)} rows")
    return _calls(rows, names, words)


def _calls(rows: Embeddings, keys: list[str], metadata: Any) -> Iterator[list[dict[str, Any]]]:
    for begin in range(0, len(rows), _MOST_VECTORS):
        some = slice(begin, begin + _MOST_VECTORS)
        made: list[dict[str, Any]] = [
            {"key": key, "data": {"float32": values}}
            for key, values in zip(keys[some], rows.values[some].tolist(), strict=True)
        ]
        for one, words in zip(made, metadata[some] if metadata is not None else (), strict=metadata is not None):
            if words is not None:
                one["metadata"] = dict(words)
        yield made


def from_s3_vectors(vectors: Iterable[Mapping[str, Any]]) -> tuple[Embeddings, list[str]]:
    """Read the ``vectors`` of ``get_vectors`` or ``list_vectors``, asked for with ``returnData=True``.

    Returns
    -------
    embeddings : Embeddings
    keys : list of str

    Raises
    ------
    StorageError
        For a vector without data or key, rows of different lengths, and no rows; it names the row.

    Examples
    --------
    >>> from_s3_vectors([{"key": "a", "data": {"float32": [0.5, -1.0]}}])
    (Embeddings(1 x 2 float, 8 bytes), ['a'])
    """
    rows, keys = [], []
    for number, one in enumerate(as_sequence(vectors, "from_s3_vectors")):
        data = one.get("data") if isinstance(one, Mapping) else None
        if isinstance(data, Mapping) and "float32" in data and "key" in one:
            rows.append(data["float32"])
            keys.append(one["key"])
        else:
            raise StorageError(f"vector {number} lacks its key or data: ask for them, returnData=True")
    return rows_of_numbers(rows, "float", has_codes=False, store="S3 Vectors"), keys
