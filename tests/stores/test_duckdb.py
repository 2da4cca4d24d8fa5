"""DuckDB itself: columns over Arrow, both ways, and its distances."""

from __future__ import annotations

from typing import Any

import pytest

from embcodec import from_arrow, to_arrow
from stores import DIMENSION, EVERYTHING, FLOATS, NEAREST, QUERIES, ROWS, nearest, need

METRICS: dict[Any, str] = {
    "l2": "array_distance(e, {})",
    "dot": "-array_inner_product(e, {})",
    "cosine": "array_cosine_distance(e, {})",
}


@pytest.mark.parametrize("metric", METRICS)
def test_floats(metric: Any) -> None:
    duckdb, pyarrow = need("duckdb"), need("pyarrow")
    with duckdb.connect() as db:
        db.register("given", pyarrow.table({"id": range(ROWS), "embedding": to_arrow(FLOATS)}))
        db.execute(f"CREATE TABLE items AS SELECT id, embedding::FLOAT[{DIMENSION}] AS e FROM given")
        query = METRICS[metric].format(f"$1::FLOAT[{DIMENSION}]")
        found = [
            [id for (id,) in db.execute(f"SELECT id FROM items ORDER BY {query}, id LIMIT {NEAREST}", [row]).fetchall()]
            for row in FLOATS.values[QUERIES].tolist()
        ]
        assert found == nearest(FLOATS, metric)
        assert from_arrow(db.sql("SELECT e FROM items ORDER BY id")) == FLOATS
        assert from_arrow(db.sql("SELECT * FROM items ORDER BY id DESC"), name="e") == FLOATS[::-1]


@pytest.mark.parametrize("kind", EVERYTHING)
def test_codes_come_back_with_their_scales(kind: str) -> None:
    duckdb, pyarrow = need("duckdb"), need("pyarrow")
    rows = EVERYTHING[kind]
    column = to_arrow(rows)
    with duckdb.connect() as db:
        db.register("given", pyarrow.table({"id": range(ROWS), "embedding": getattr(column, "storage", column)}))
        db.execute("CREATE TABLE items AS SELECT * FROM given")
        back = db.sql("SELECT embedding FROM items ORDER BY id").to_arrow_table()["embedding"]
    if hasattr(column, "storage"):  # the type's words are not the database's to keep
        back = pyarrow.ExtensionArray.from_storage(column.type, back.combine_chunks().cast(column.type.storage_type))
    assert from_arrow(back) == rows
