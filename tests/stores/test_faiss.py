"""Faiss itself: whom its indexes find nearest, and their rows, codes and ids again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embcodec import Embeddings, Scale, StorageError, from_faiss, search, to_faiss
from stores import BITS, DIMENSION, FLOATS, INTEGERS, NEAREST, QUERIES, ROWS, SCALED, X, nearest, need

faiss = need("faiss")
IDS = 5000 - 7 * np.arange(ROWS)
KINDS = {"l2": faiss.METRIC_L2, "dot": faiss.METRIC_INNER_PRODUCT}


def found(index: Any, rows: Any) -> list[list[int]]:
    """Return the nearest rows, ties by the lower one: Faiss has no order among them."""
    distances, labels = index.search(rows[QUERIES], index.ntotal)
    if getattr(index, "metric_type", faiss.METRIC_L2) == faiss.METRIC_INNER_PRODUCT:
        distances = -distances
    return [
        [int(ids[place]) for place in np.lexsort((ids, far))[:NEAREST]]
        for far, ids in zip(distances, labels, strict=True)
    ]


@pytest.mark.parametrize("metric", KINDS)
def test_floats(metric: Any) -> None:
    index = faiss.IndexFlat(DIMENSION, KINDS[metric])
    index.add(to_faiss(FLOATS))
    assert found(index, X) == nearest(FLOATS, metric)
    assert from_faiss(index) == FLOATS
    again = faiss.deserialize_index(faiss.serialize_index(index))
    assert from_faiss(again) == FLOATS
    rows = from_faiss(index)
    index.reset()
    assert rows == FLOATS  # a copy


@pytest.mark.parametrize("kind", BITS)
def test_bits(kind: str) -> None:
    rows = BITS[kind]
    index = faiss.IndexBinaryFlat(DIMENSION)
    index.add(to_faiss(rows))
    assert found(index, to_faiss(rows)) == nearest(rows, "hamming")
    assert from_faiss(index) == BITS["ubinary"]
    assert from_faiss(faiss.deserialize_index_binary(faiss.serialize_index_binary(index))) == BITS["ubinary"]


@pytest.mark.parametrize("kind", INTEGERS)
def test_direct_codes(kind: Any) -> None:
    rows = INTEGERS[kind]
    name = {"int8": "QT_8bit_direct_signed", "uint8": "QT_8bit_direct"}[kind]
    index = faiss.IndexScalarQuantizer(DIMENSION, getattr(faiss.ScalarQuantizer, name), faiss.METRIC_L2)
    index.add_sa_codes(to_faiss(rows))
    assert found(index, rows.values.astype(np.float32)) == nearest(rows, "l2")
    assert from_faiss(index) == rows
    scale = Scale.ranges(np.stack([X.min(axis=0), X.max(axis=0)]))
    assert from_faiss(index, scale=scale) == Embeddings(rows.values, kind, scale=scale)


@pytest.mark.parametrize("name", ["QT_8bit", "QT_8bit_uniform"])
def test_trained_codes_stand_for_what_faiss_decodes(name: str) -> None:
    index = faiss.IndexScalarQuantizer(DIMENSION, getattr(faiss.ScalarQuantizer, name), faiss.METRIC_L2)
    with pytest.raises(StorageError, match="not trained"):
        from_faiss(index)
    index.train(X)
    index.add(X)
    rows = from_faiss(index)
    assert rows.output_dtype == "uint8"
    assert rows.scale is not None
    assert rows.scale.kind == "ranges"
    decoded = index.reconstruct_n(0, ROWS)
    assert np.abs(rows.to_float() - decoded).max() <= 4 * np.spacing(np.float32(np.abs(decoded).max()))
    labels = index.search(X[QUERIES], NEAREST)[1].tolist()
    assert search(X[QUERIES], rows, NEAREST, metric="l2", query_precision="float32").indices.tolist() == labels
    with pytest.raises(ValueError, match="knows the scale of its codes: leave out scale="):
        from_faiss(index, scale=Scale.unit())


@pytest.mark.parametrize("name", ["QT_fp16", "QT_bf16"])
def test_short_floats(name: str) -> None:
    index = faiss.IndexScalarQuantizer(DIMENSION, getattr(faiss.ScalarQuantizer, name), faiss.METRIC_L2)
    index.train(X)
    index.add(X)
    assert np.array_equal(from_faiss(index).values, index.reconstruct_n(0, ROWS))


def test_constant_dimensions_of_trained_codes() -> None:
    x = X.copy()
    x[:, 3] = 0.25
    index = faiss.IndexScalarQuantizer(DIMENSION, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2)
    index.train(x)
    index.add(x)
    assert np.allclose(from_faiss(index).to_float(), index.reconstruct_n(0, ROWS), rtol=0, atol=1e-6)


def test_ids() -> None:
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(DIMENSION))
    index.add_with_ids(to_faiss(FLOATS), IDS)
    rows, ids = from_faiss(index, with_ids=True)
    assert rows == FLOATS
    assert ids.tolist() == IDS.tolist()
    index.remove_ids(IDS[:3])
    rows, ids = from_faiss(index, with_ids=True)
    assert rows == FLOATS[3:]
    assert ids.tolist() == IDS[3:].tolist()
    with pytest.raises(StorageError, match=r"from_faiss\(index, with_ids=True\) returns them, too"):
        from_faiss(index)
    bits = faiss.IndexBinaryIDMap(faiss.IndexBinaryFlat(DIMENSION))
    bits.add_with_ids(to_faiss(BITS["binary"]), IDS)
    rows, ids = from_faiss(bits, with_ids=True)
    assert rows == BITS["ubinary"]
    assert ids.tolist() == IDS.tolist()
    flat = faiss.IndexFlatL2(DIMENSION)
    flat.add(X)
    assert from_faiss(flat, with_ids=True)[1].tolist() == list(range(ROWS))


@pytest.mark.parametrize("deep", [False, True])
def test_an_index_that_nobody_else_holds_lives_until_it_is_read(deep: bool) -> None:
    def made() -> Any:
        inner = faiss.IndexHNSWFlat(DIMENSION, 8) if deep else faiss.IndexFlatL2(DIMENSION)
        index = faiss.IndexIDMap(inner)
        index.add_with_ids(X, IDS)
        return faiss.deserialize_index(faiss.serialize_index(index))

    for _ in range(20):
        rows, ids = from_faiss(made(), with_ids=True)
        assert rows == FLOATS
        assert ids.tolist() == IDS.tolist()


def test_graphs_keep_rows_below_them() -> None:
    index = faiss.IndexHNSWFlat(DIMENSION, 8)
    index.add(X)
    assert from_faiss(index) == FLOATS
    bits = faiss.IndexBinaryHNSW(DIMENSION, 8)
    bits.add(to_faiss(BITS["ubinary"]))
    assert from_faiss(bits) == BITS["ubinary"]


@pytest.mark.parametrize("kind", SCALED)
def test_codes_of_other_scales_go_as_values(kind: str) -> None:
    rows = SCALED[kind]
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(to_faiss(rows.to("float")))
    assert found(index, rows.to_float()) == nearest(rows.to("float"), "dot")
    assert from_faiss(index).to(rows.output_dtype, scale=rows.scale) == rows


def test_others_are_refused_with_the_way_out() -> None:
    coded = faiss.IndexPQ(DIMENSION, 8, 4)
    coded.train(X)
    coded.add(X)
    few = faiss.IndexScalarQuantizer(DIMENSION, faiss.ScalarQuantizer.QT_4bit, faiss.METRIC_L2)
    few.train(X)
    few.add(X)
    for index in (coded, few):
        with pytest.raises(StorageError, match=r"Embeddings\(index.reconstruct_n\(0, index.ntotal\)\) has what"):
            from_faiss(index)
        assert len(Embeddings(index.reconstruct_n(0, index.ntotal))) == ROWS
    for other in (X, None, "index", faiss.ScalarQuantizer()):
        with pytest.raises(TypeError, match="reads an index of Faiss, not a"):
            from_faiss(other)
    assert len(from_faiss(faiss.IndexFlatL2(DIMENSION))) == 0
