"""Qdrant itself, the one within its client: collections of floats and of uint8."""

from __future__ import annotations

from typing import Any

import pytest

from embcodec import Embeddings, from_qdrant, to_qdrant
from stores import DIMENSION, FLOATS, INTEGERS, NEAREST, QUERIES, ROWS, SCALED, nearest, need

pytestmark = pytest.mark.filterwarnings("ignore")  # its own


def stored(rows: Embeddings, distance: str, datatype: str) -> tuple[list[list[int]], list[Any]]:
    """Return which rows a new collection finds nearest, ties by the lower row, and its vectors."""
    need("qdrant_client")
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    kind = models.VectorParams(size=DIMENSION, distance=models.Distance[distance], datatype=models.Datatype[datatype])
    client.create_collection("items", vectors_config=kind)
    client.upload_collection("items", vectors=to_qdrant(rows), ids=range(len(rows)))
    found = []
    for query in to_qdrant(rows)[QUERIES].tolist():
        points = client.query_points("items", query=query, limit=ROWS).points
        sign = 1 if distance == "EUCLID" else -1
        found.append([point.id for point in sorted(points, key=lambda one: (sign * one.score, one.id))][:NEAREST])
    records = client.retrieve("items", ids=list(range(len(rows))), with_vectors=True)
    client.close()
    return found, [record.vector for record in sorted(records, key=lambda record: record.id)]


@pytest.mark.parametrize(("metric", "distance"), [("l2", "EUCLID"), ("dot", "DOT"), ("cosine", "COSINE")])
def test_floats(metric: Any, distance: str) -> None:
    found, vectors = stored(FLOATS, distance, "FLOAT32")
    assert found == nearest(FLOATS, metric)
    back = from_qdrant(vectors)
    if distance == "COSINE":  # which it keeps at unit length, as they were already, but for the rounding
        assert abs(back.values - FLOATS.values).max() < 1e-6
    else:
        assert back == FLOATS


def test_uint8() -> None:
    rows = INTEGERS["uint8"]
    found, vectors = stored(rows, "EUCLID", "UINT8")
    assert found == nearest(rows, "l2")
    assert from_qdrant(vectors, "uint8") == rows


@pytest.mark.parametrize("kind", ["int8", *SCALED])
def test_other_codes_go_as_values(kind: str) -> None:
    rows = {**INTEGERS, **SCALED}[kind]
    found, vectors = stored(rows.to("float"), "DOT", "FLOAT32")
    assert found == nearest(rows.to("float"), "dot")
    assert from_qdrant(vectors).to(rows.output_dtype, scale=rows.scale) == rows
