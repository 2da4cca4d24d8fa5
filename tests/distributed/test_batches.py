"""Record batches coded one by one are the table coded as a whole, here and mapped by engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars
import pyarrow
import pytest

from embcodec import (
    CodeMismatchError,
    Embeddings,
    FlatIndex,
    LowBitQuantizer,
    StorageError,
    concat,
    encode_batch,
    from_arrow,
    merge_topk,
    prepare,
    quantize,
    range_search,
    search,
)

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


def test_a_batch_of_no_rows_is_a_part() -> None:
    # Engines map over these, too. Lists of no rows tell no dimension.
    like = quantize(X[:0], "int8", scale="per-vector")
    none = pyarrow.record_batch({"vector": pyarrow.array([], pyarrow.list_(pyarrow.float32()))})
    assert from_arrow(encode_batch(none, column="vector", to=like)) == like
    with pytest.raises(StorageError, match=r"no rows.*quantize\(sample, 'int8'\)\[:0\]"):
        encode_batch(none, column="vector", to="int8")
    rows, whole = from_arrow(none), quantize(X, "int8", scale="per-vector")
    assert concat([rows, whole, rows]) == whole
    assert search(X, rows, 3).indices.shape == (50, 0)
    assert range_search(X, rows, 0.5).limits.tolist() == [0] * 51
    asked, index = prepare(X, like), FlatIndex(whole, rescore_with=X)
    parts = [search(asked, rows, 3, ids=[]), search(asked, whole, 3)]
    assert (merge_topk(parts, 3, metric="cosine").indices == search(X, whole, 3).indices).all()
    assert index.add(rows).size == 0
    with pytest.raises(CodeMismatchError, match="12 dimensions"):
        search(X, Embeddings(X[:3, :0]), 3)  # three rows of no dimension are another thing
    two = [LowBitQuantizer(1, rotation="random", seed=seed).fit(X).encode(X) for seed in (0, 1)]
    two_orders = [quantize(X, "binary", signed_bytes=signed) for signed in ("offset", "twos-complement")]
    for different, words in ((two, f"by {two[1].scheme.identity}, does"), (two_orders, "binary, twos-complement, 100")):
        with pytest.raises(CodeMismatchError, match=words):  # what is not the same is in the message
            concat(different)


def test_dask_knows_how_large_rows_are() -> None:
    sizeof = pytest.importorskip("dask.sizeof").sizeof
    from embcodec.distributed import register_sizes

    register_sizes(sizeof)  # an installed package does so by its entry point
    many = np.zeros((1000, 64), np.float32)
    assert sizeof(Embeddings(many)) == many.nbytes
    assert sizeof(prepare(many, many)) == many.nbytes
