"""sqlite-vec itself, through SQLite: whom its tables and functions find nearest, and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from embcodec import Embeddings, from_sqlite_vec, to_sqlite_vec
from stores import BITS, DIMENSION, FLOATS, INTEGERS, NEAREST, QUERIES, SCALED, nearest, need

Run = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Yield what runs a statement: by apsw, since not every Python's own sqlite3 loads extensions."""
    sqlite_vec = need("sqlite_vec")
    db = need("apsw").Connection(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    yield lambda statement, *values: list(db.execute(statement, values))
    db.close()


def table_of(run: Run, kind: str, rows: Embeddings, wrap: str = "?", metric: str = "l2") -> list[list[int]]:
    """Load a table of vectors and return which rows it finds nearest, ties by the lower row."""
    run("DROP TABLE IF EXISTS items")
    measure = f" distance_metric={metric}" if not kind.startswith("bit") else ""
    run(f"CREATE VIRTUAL TABLE items USING vec0(embedding {kind}[{DIMENSION}]{measure})")
    blobs = to_sqlite_vec(rows)
    for row, blob in enumerate(blobs):
        run(f"INSERT INTO items(rowid, embedding) VALUES (?, {wrap})", row, blob)
    query = f"SELECT distance, rowid FROM items WHERE embedding MATCH {wrap} AND k = {len(rows)}"
    return [[row for _, row in sorted(run(query, blob))[:NEAREST]] for blob in blobs[QUERIES]]


def back(run: Run) -> list[bytes]:
    return [blob for (blob,) in run("SELECT embedding FROM items ORDER BY rowid")]


@pytest.mark.parametrize("metric", ["l2", "cosine"])
def test_floats(run: Run, metric: Any) -> None:
    assert table_of(run, "float", FLOATS, metric=metric) == nearest(FLOATS, metric)
    assert from_sqlite_vec(back(run)) == FLOATS


def test_int8_of_one_scale(run: Run) -> None:
    rows = INTEGERS["int8"]
    assert table_of(run, "int8", rows, "vec_int8(?)") == nearest(rows, "l2")
    assert from_sqlite_vec(back(run), "int8") == rows


@pytest.mark.parametrize("kind", ["int8 per-vector", "uint8 per-vector", "int8 ranges", "uint8 ranges", "uint8"])
def test_codes_of_other_scales_go_as_values(run: Run, kind: str) -> None:
    rows = {**INTEGERS, **SCALED}[kind]
    values = rows.to("float")
    assert table_of(run, "float", values, metric="cosine") == nearest(values, "cosine")
    assert from_sqlite_vec(back(run)).to(rows.output_dtype, scale=rows.scale) == rows


def test_scales_per_vector_cancel_in_cosine_and_can_be_kept_beside_the_codes(run: Run) -> None:
    rows = SCALED["int8 per-vector"]
    bare = Embeddings(rows.values, "int8")
    assert table_of(run, "int8", bare, "vec_int8(?)", "cosine") == nearest(rows, "cosine")
    assert from_sqlite_vec(back(run), "int8", scale=rows.scale) == rows


@pytest.mark.parametrize("kind", BITS)
def test_bits(run: Run, kind: str) -> None:
    rows = BITS[kind]
    assert table_of(run, "bit", rows, "vec_bit(?)") == nearest(rows, "hamming")
    assert from_sqlite_vec(back(run), "ubinary").to("ubinary", bit_order="msb") == BITS["ubinary"]
    assert run("SELECT vec_quantize_binary(?)", to_sqlite_vec(FLOATS)[0]) == [(to_sqlite_vec(rows)[0],)]
