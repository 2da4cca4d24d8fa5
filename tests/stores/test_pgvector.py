"""PostgreSQL with pgvector itself: what COPY takes and gives, and whom its operators find nearest."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import postgres
import pytest

from embcodec import Embeddings, from_pgvector, iter_pgcopy, read_pgcopy, to_pgvector, write_pgcopy
from stores import BITS, DIMENSION, FLOATS, HALVES, INTEGERS, NEAREST, QUERIES, ROWS, SCALED, nearest, need

METRICS = {"l2": "<->", "dot": "<#>", "cosine": "<=>"}
IDS = 1000 + 3 * np.arange(ROWS)


@pytest.fixture(scope="module")
def db() -> Iterator[Any]:
    with postgres.connection() as connected:
        yield connected


def loaded(db: Any, table: str, rows: Any, ids: Any = IDS, **options: Any) -> None:
    """Make a table anew and load it by COPY."""
    db.execute("DROP TABLE IF EXISTS items")
    db.execute(f"CREATE TABLE items ({table})")
    with db.cursor().copy("COPY items FROM STDIN (FORMAT binary)") as copy:
        write_pgcopy(copy, rows, ids, **options)


def copied(db: Any, columns: Any = None, query: str = "items") -> Any:
    with db.cursor().copy(f"COPY {query} TO STDOUT (FORMAT binary)") as copy:
        return read_pgcopy(copy, columns)


def found(db: Any, operator: str, cast: str, texts: list[str]) -> list[list[int]]:
    """Return the rows that the database finds nearest to vectors as text."""
    query = f"SELECT id FROM items ORDER BY embedding {operator} %s::{cast}, id LIMIT {NEAREST}"
    return [[(one - 1000) // 3 for (one,) in db.execute(query, (text,))] for text in texts]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_vectors(db: Any, metric: str, half: bool) -> None:
    rows, cast = (HALVES, f"halfvec({DIMENSION})") if half else (FLOATS, f"vector({DIMENSION})")
    loaded(db, f"id bigint, embedding {cast}", rows, half=half)
    texts = to_pgvector(rows[QUERIES], half=half, text=True)
    assert found(db, METRICS[metric], cast, texts) == nearest(rows, metric)
    back = copied(db)
    assert back.embeddings == rows
    assert back.ids.tolist() == IDS.tolist()


@pytest.mark.parametrize("kind", BITS)
def test_bits(db: Any, kind: str) -> None:
    rows = BITS[kind]
    loaded(db, f"id bigint, embedding bit({DIMENSION})", rows)
    texts = to_pgvector(rows[QUERIES], text=True)
    assert found(db, "<~>", f"bit({DIMENSION})", texts) == nearest(rows, "hamming")
    assert found(db, "<%%>", f"bit({DIMENSION})", texts) == nearest(rows, "jaccard")
    assert copied(db).embeddings == BITS["ubinary"]


@pytest.mark.parametrize("kind", [*INTEGERS, *SCALED])
def test_integers_go_as_the_values_that_they_stand_for(db: Any, kind: str) -> None:
    rows = {**INTEGERS, **SCALED}[kind]
    values = rows.to("float")
    loaded(db, f"id bigint, embedding vector({DIMENSION})", values)
    texts = to_pgvector(values[QUERIES], text=True)
    assert found(db, "<=>", "vector", texts) == nearest(values, "cosine")
    back = copied(db).embeddings
    assert back == values
    again = back.to(rows.output_dtype, scale=rows.scale)
    assert np.array_equal(again.values, rows.values)


def test_bits_that_fill_no_byte(db: Any) -> None:
    rows = BITS["ubinary"].truncate(13)
    loaded(db, "embedding bit(13)", rows, None)
    assert copied(db).embeddings == rows
    assert [text for (text,) in db.execute("SELECT embedding::text FROM items LIMIT 3")] == to_pgvector(
        rows[:3], text=True
    )


def test_what_drivers_show(db: Any) -> None:
    pgvector = need("pgvector")
    loaded(db, f"id bigint, embedding vector({DIMENSION})", FLOATS)
    query = "SELECT embedding, embedding::halfvec FROM items ORDER BY id"
    texts = db.execute(query).fetchall()
    blobs = db.cursor(binary=True).execute(query).fetchall()
    for rows in (texts, blobs):
        assert from_pgvector([row for row, _ in rows]) == FLOATS
        assert from_pgvector([row for _, row in rows], kind="halfvec") == HALVES
    assert [bytes(row) for row, _ in blobs] == to_pgvector(FLOATS)
    assert [bytes(row) for _, row in blobs] == to_pgvector(FLOATS, half=True)
    assert pgvector.Vector(FLOATS.values[0]).to_binary() == to_pgvector(FLOATS)[0]
    assert pgvector.HalfVector(FLOATS.values[0]).to_binary() == to_pgvector(FLOATS, half=True)[0]
    assert from_pgvector([pgvector.Vector(FLOATS.values[0]).to_text()]) == FLOATS[:1]
    assert pgvector.Bit(BITS["ubinary"].to_float()[0] > 0).to_text() == to_pgvector(BITS["ubinary"], text=True)[0]


def test_every_type_of_column_comes_back(db: Any) -> None:
    rows = FLOATS[:4]
    columns: dict[str, Any] = {
        "small": np.array([-1, 2, 3, 4], np.int16),
        "middle": np.array([1, 2, 3, 2**31 - 1], np.int32),
        "big": [1, None, 3, -(2**63)],
        "narrow": np.array([0.5, 1, 2, -3], np.float32),
        "wide": [0.1, None, 2.0, -3e300],
        "truth": [True, None, False, True],
        "words": ["", "a\tb\n", None, "über 😀"],
        "raw": [b"", b"\0\xff", None, b"a"],
        "meta": [{"a": [1, None]}, [], None, {}],
        "plain": [{"a": 1}, None, [1.5], {}],
        "day": [date(1999, 12, 31), date(2024, 2, 29), None, date(1, 1, 1)],
        "moment": [datetime(1969, 7, 20, 20, 17, 40, 5), None, datetime(2024, 1, 1), datetime(2000, 1, 1)],
        "zoned": [datetime(2024, 1, 1, tzinfo=UTC)] * 4,
        "name": [uuid.UUID(int=1), None, uuid.UUID(int=2**128 - 1), uuid.UUID(int=0)],
    }
    kinds = {
        "small": "smallint", "middle": "integer", "big": "bigint", "narrow": "real", "wide": "double precision",
        "truth": "boolean", "words": "text", "raw": "bytea", "meta": "jsonb", "plain": "json", "day": "date",
        "moment": "timestamp", "zoned": "timestamp", "name": "uuid",
    }  # fmt: skip
    ids = [uuid.UUID(int=2**100 + number) for number in range(4)]
    declared = ", ".join(f"{name} {'timestamptz' if name == 'zoned' else kind}" for name, kind in kinds.items())
    loaded(
        db,
        f"id uuid, embedding vector, {declared}",
        rows,
        ids,
        id_type="uuid",
        columns=columns,
        types={"plain": "json"},
    )
    back = copied(db, {"id": "uuid", "embedding": "vector", **kinds})
    assert back.embeddings == rows
    assert back.ids == ids
    for name, values in columns.items():
        seen = list(back.columns[name])
        want = [value.replace(tzinfo=None) for value in values] if name == "zoned" else list(values)
        assert seen == want, name
    (row,) = db.execute(
        "SELECT small, middle, big, truth, words, raw, meta, day, moment, name FROM items LIMIT 1 OFFSET 3"
    )
    assert row == (
        4, 2**31 - 1, -(2**63), True, "über 😀", b"a", {}, date(1, 1, 1), datetime(2000, 1, 1), uuid.UUID(int=0)
    )  # fmt: skip


@pytest.mark.parametrize("id_type", ["text", "varchar", "uuid", "integer", "smallint"])
def test_ids(db: Any, id_type: str) -> None:
    names: list[Any] = [f"item {number}" for number in range(ROWS)]
    names = [str(uuid.UUID(int=number)) for number in range(ROWS)] if id_type == "uuid" else names
    names = list(range(ROWS)) if "int" in id_type else names
    kind: Any = "text" if id_type == "varchar" else id_type
    loaded(db, f"id {id_type}, embedding vector", FLOATS, names, id_type=kind)
    back = copied(db, {"id": kind, "embedding": None})
    assert list(map(str, back.ids)) == list(map(str, names))
    assert back.embeddings == FLOATS


def test_a_table_in_batches_with_gaps_and_other_orders(db: Any) -> None:
    loaded(db, "id bigint, embedding vector, title text", FLOATS, columns={"title": [None, "b", "c"] * (ROWS // 3)})
    order = {"title": "text", "embedding": "vector", "id": "bigint"}
    with db.cursor().copy("COPY (SELECT title, embedding, id FROM items) TO STDOUT (FORMAT binary)") as copy:
        parts = list(iter_pgcopy(copy, order, batch_rows=128))
    assert [len(part.embeddings) for part in parts] == [128, 128, 44]
    assert np.concatenate([part.embeddings.values for part in parts]).tolist() == FLOATS.values.tolist()
    assert [title for part in parts for title in part.columns["title"]] == [None, "b", "c"] * (ROWS // 3)
    assert np.concatenate([part.columns["id"] for part in parts]).tolist() == IDS.tolist()
    file = io.BytesIO()
    write_pgcopy(file, FLOATS, IDS)
    with db.cursor().copy("COPY (SELECT id, embedding FROM items) TO STDOUT (FORMAT binary)") as copy:
        assert b"".join(bytes(block) for block in copy) == file.getvalue()


def test_most_dimensions(db: Any) -> None:
    rows = Embeddings(np.ones((2, 16_000), np.float32))
    loaded(db, "embedding vector", rows, None)
    assert copied(db).embeddings == rows
