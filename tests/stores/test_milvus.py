"""Milvus itself, the one in a file, which has vectors of floats alone; test_clients has the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from embcodec import from_milvus, to_milvus
from stores import DIMENSION, FLOATS, INTEGERS, NEAREST, QUERIES, ROWS, SCALED, nearest, need

pytestmark = pytest.mark.filterwarnings("ignore")  # its own
METRICS = {"l2": "L2", "dot": "IP", "cosine": "COSINE"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    need("milvus_lite")
    made = need("pymilvus").MilvusClient(str(tmp_path_factory.mktemp("milvus") / "items.db"))
    yield made
    made.close()


def stored(client: Any, rows: list[Any], metric: str) -> tuple[list[list[int]], list[Any]]:
    """Return which rows a new collection finds nearest, ties by the lower row, and its vectors."""
    from pymilvus import DataType

    if client.has_collection("items"):
        client.drop_collection("items")
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSION)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type=METRICS[metric])
    client.create_collection("items", schema=schema, index_params=index)
    client.insert("items", [{"id": row, "vector": value} for row, value in enumerate(rows)])
    client.load_collection("items")
    sign = -1 if metric in ("dot", "cosine") else 1
    found = [
        [hit["id"] for hit in sorted(hits, key=lambda hit: (sign * hit["distance"], hit["id"]))][:NEAREST]
        for hits in client.search("items", rows[QUERIES], limit=ROWS, search_params={"metric_type": METRICS[metric]})
    ]
    back = client.query("items", filter="id >= 0", output_fields=["id", "vector"], limit=ROWS)
    return found, [row["vector"] for row in sorted(back, key=lambda row: row["id"])]


@pytest.mark.parametrize("metric", ["l2", "dot", "cosine"])
def test_floats(client: Any, metric: Any) -> None:
    found, vectors = stored(client, to_milvus(FLOATS), metric)
    assert found == nearest(FLOATS, metric)
    assert from_milvus(vectors) == FLOATS


@pytest.mark.parametrize("kind", ["uint8", *SCALED])
def test_other_codes_go_as_values(client: Any, kind: str) -> None:
    rows = {**INTEGERS, **SCALED}[kind]
    found, vectors = stored(client, to_milvus(rows.to("float")), "dot")
    assert found == nearest(rows.to("float"), "dot")
    assert from_milvus(vectors).to(rows.output_dtype, scale=rows.scale) == rows
