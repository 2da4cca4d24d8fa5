"""Rows on their way to stores and back, 2,000 x 256, one thread, against what users write by hand; answers checked."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from embcodec import read_pgcopy, to_elasticsearch, write_pgcopy

ROWS, DIMENSION = 2000, 256
X = np.random.default_rng(7).standard_normal((ROWS, DIMENSION)).astype(np.float32)
IDS = np.arange(ROWS)
HEAD, TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def record_of(element: str) -> np.dtype[Any]:
    fields = [("count", ">i2"), ("id_bytes", ">i4"), ("id", ">i8"), ("bytes", ">i4"), ("d", ">i2"), ("unused", ">i2")]
    return np.dtype([*fields, ("values", element, (DIMENSION,))])


def assembled(element: str) -> bytes:
    """Return a COPY by NumPy: one structured array of all rows."""
    records = np.zeros(ROWS, record_of(element))
    records["count"], records["id_bytes"], records["d"] = 2, 8, DIMENSION
    records["bytes"] = 4 + DIMENSION * np.dtype(element).itemsize
    records["id"], records["values"] = IDS, X
    return HEAD + records.tobytes() + TAIL


def row_by_row(element: str) -> bytes:
    parts = [HEAD]
    for number, row in zip(IDS.tolist(), X, strict=True):
        vector = struct.pack(">hh", DIMENSION, 0) + row.astype(element).tobytes()
        parts.append(struct.pack(">hiqi", 2, 8, number, len(vector)) + vector)
    return b"".join([*parts, TAIL])


def ours(half: bool) -> bytes:
    file = io.BytesIO()
    write_pgcopy(file, X, IDS, half=half)
    return file.getvalue()


@pytest.mark.parametrize("half", [False, True])
def test_write_copy(race: Callable[..., Any], half: bool) -> None:
    element = ">f2" if half else ">f4"
    wanted = assembled(element)

    def check(got: bytes) -> None:
        assert got == wanted

    peers = {"NumPy, all rows at once": lambda: assembled(element), "a row at a time": lambda: row_by_row(element)}
    name = f"write COPY of {'halfvec' if half else 'vector'}({DIMENSION})"
    race(name, lambda: ours(half), peers, work=ROWS, unit="rows", check=check)


def test_read_copy(race: Callable[..., Any]) -> None:
    data = assembled(">f4")

    def with_numpy() -> Any:
        """Look at no length and no count."""
        records = np.frombuffer(data, record_of(">f4"), ROWS, len(HEAD))
        return records["values"].astype(np.float32), records["id"].astype(np.int64)

    def with_ours() -> Any:
        rows = read_pgcopy(io.BytesIO(data))
        return rows.embeddings.values, rows.ids

    def check(got: Any) -> None:
        assert np.array_equal(got[0], X)
        assert np.array_equal(got[1], IDS)

    peers = {"NumPy, unchecked": with_numpy}
    race(f"read COPY of vector({DIMENSION})", with_ours, peers, work=ROWS, unit="rows", check=check)


@pytest.mark.parametrize("dimension", [256, 1024])
def test_elasticsearch(race: Callable[..., Any], dimension: int) -> None:
    x = np.resize(X, (ROWS // 4, dimension))

    def packed() -> list[str]:
        """Return what elasticsearch.helpers.pack_dense_vector makes of each row."""
        return [base64.b64encode(row.byteswap().tobytes()).decode() for row in x]

    wanted = packed()

    def check(got: list[str]) -> None:
        assert got == wanted

    name = f"Elasticsearch's base64 of {dimension} floats"
    race(name, lambda: to_elasticsearch(x), {"pack_dense_vector": packed}, work=len(x), unit="rows", check=check)
