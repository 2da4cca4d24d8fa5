"""LanceDB itself: tables from Arrow, both ways, and its distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embcodec import Embeddings, from_arrow, to_arrow
from stores import BITS, EVERYTHING, FLOATS, HALVES, NEAREST, QUERIES, ROWS, nearest, need

pytestmark = pytest.mark.filterwarnings("ignore")  # its own


def table_of(path: Path, column: Any) -> Any:
    pyarrow = need("pyarrow")
    table = pyarrow.table({"id": range(ROWS), "vector": column})
    return need("lancedb").connect(path).create_table("items", table)


def found(table: Any, queries: Any, metric: str) -> list[list[int]]:
    """Return the nearest rows, ties by the lower one."""
    results = []
    for query in queries:
        rows = table.search(query).distance_type(metric).limit(ROWS).to_list()
        results.append([row["id"] for row in sorted(rows, key=lambda row: (row["_distance"], row["id"]))][:NEAREST])
    return results


@pytest.mark.parametrize("metric", ["l2", "dot", "cosine"])
def test_floats(tmp_path: Path, metric: Any) -> None:
    table = table_of(tmp_path, to_arrow(FLOATS))
    assert found(table, FLOATS.values[QUERIES], metric) == nearest(FLOATS, metric)
    assert from_arrow(table.to_arrow()) == FLOATS


def test_halves(tmp_path: Path) -> None:
    pyarrow = need("pyarrow")
    flat = pyarrow.array(HALVES.values.astype("float16").reshape(-1))
    table = table_of(tmp_path, pyarrow.FixedSizeListArray.from_arrays(flat, HALVES.dimension))
    assert from_arrow(table.to_arrow()) == HALVES


@pytest.mark.parametrize("kind", BITS)
def test_bits(tmp_path: Path, kind: str) -> None:
    pyarrow = need("pyarrow")
    packed = BITS["ubinary"].values if "lsb" in kind else BITS[kind].packed_bytes()
    flat = pyarrow.array(packed.reshape(-1))
    table = table_of(tmp_path, pyarrow.FixedSizeListArray.from_arrays(flat, packed.shape[1]))
    assert found(table, packed[QUERIES], "hamming") == nearest(BITS[kind], "hamming")
    assert from_arrow(table.to_arrow(), "ubinary") == BITS["ubinary"]


@pytest.mark.parametrize("kind", EVERYTHING)
def test_codes_come_back_with_their_scales(tmp_path: Path, kind: str) -> None:
    rows = EVERYTHING[kind]
    table = table_of(tmp_path, to_arrow(rows))
    assert from_arrow(table.to_arrow()) == rows
    some = table.search().where("id >= 290").to_arrow()
    assert from_arrow(some, name="vector") == rows[290:]
    assert isinstance(from_arrow(some, name="vector"), Embeddings)
