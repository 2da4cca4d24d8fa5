"""Record batches coded one by one are the table coded as a whole, here and mapped by engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars
import pyarrow
import pytest

from embcodec import Embeddings, StorageError, encode_batch, from_arrow, prepare, quantize

X = np.random.default_rng(0).standard_normal((50, 12)).astype(np.float32)
X /= np.linalg.norm(X, axis=1, keepdims=True)
TABLE = pyarrow.table({"id": range(50), "text": ["t"] * 50, "vector": list(X)})
RANGES = np.stack([X.min(axis=0), X.max(axis=0)])
LIKE: dict[str, Any] = {
    "int8": "int8",
    "ubinary": "ubinary",
    "per-vector": quantize(X[:0], "int8", scale="per-vector"),
    "ranges": quantize(X[:0], "uint8", scale=RANGES),
    "lsb": quantize(X[:0], "binary", bit_order="lsb"),
    "floats": Embeddings(X[:0]),
}


@pytest.mark.parametrize("name", LIKE)
def test_batches_are_the_whole(name: str) -> None:
    to = LIKE[name]
    whole = from_arrow(pyarrow.Table.from_batches([encode_batch(TABLE.to_batches()[0], column="vector", to=to)]))
    parts = [encode_batch(b, column="vector", to=to, keep=["id"]) for b in TABLE.to_batches(max_chunksize=7)]
    table = pyarrow.Table.from_batches(parts)
    assert table.schema.names == ["id", "vector"]
    assert table["id"].to_pylist() == list(range(50))
    found = from_arrow(table)
    assert found == whole
    assert found == (quantize(X, to) if isinstance(to, str) else Embeddings(X) if name == "floats" else found)
    assert found.meaning == (to.meaning if isinstance(to, Embeddings) else found.meaning)


def test_other_tables_and_refusals() -> None:
    coded = encode_batch(polars.from_arrow(TABLE), column="vector", to="int8", keep=["text"])
    assert from_arrow(coded) == quantize(X, "int8")
    for column, keep, words in (("nothing", (), "nothing"), ("vector", ["id", "more"], "no column 'more' to keep")):
        with pytest.raises(StorageError, match=words):
            encode_batch(TABLE.to_batches()[0], column=column, to="int8", keep=keep)


def test_dask_knows_how_large_rows_are() -> None:
    sizeof = pytest.importorskip("dask.sizeof").sizeof
    from embcodec.distributed import register_sizes

    register_sizes(sizeof)  # an installed package does so by its entry point
    many = np.zeros((1000, 64), np.float32)
    assert sizeof(Embeddings(many)) == many.nbytes
    assert sizeof(prepare(many, many)) == many.nbytes
