"""Other systems' binary forms: exact bytes, and back."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from embcodec import quantize, search
from embcodec.embeddings import Embeddings
from embcodec.errors import StorageError
from embcodec.storage_exchange import (
    from_arrow,
    from_pgvector,
    from_sqlite_vec,
    to_arrow,
    to_faiss,
    to_pgvector,
    to_sqlite_vec,
    write_pgcopy,
)

pytestmark = pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")  # what stores keep, not what codes do

FLOATS = Embeddings(np.array([[0.5, -1.25, 3.0], [1e-3, 0.0, -2.0]], np.float32))
BITS = Embeddings(np.array([[0b10110000, 0b01000000]], np.uint8), "ubinary", 11)


def test_pgvector_bytes() -> None:
    assert to_pgvector(FLOATS)[0] == struct.pack(">hh3f", 3, 0, 0.5, -1.25, 3.0)
    assert to_pgvector(FLOATS, half=True)[0] == struct.pack(">hh3e", 3, 0, 0.5, -1.25, 3.0)
    assert to_pgvector(BITS)[0] == struct.pack(">i2B", 11, 0b10110000, 0b01000000)
    assert from_pgvector(to_pgvector(FLOATS)) == FLOATS
    assert from_pgvector(to_pgvector(BITS), kind="bit") == BITS
    assert from_pgvector(to_pgvector(BITS.to("binary")), kind="bit") == BITS
    halves = from_pgvector(to_pgvector(FLOATS, half=True), kind="halfvec")
    assert np.array_equal(halves.values, FLOATS.values.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_pgvector_refuses_what_it_cannot_hold(bad: float) -> None:
    rows = Embeddings(np.array([[1, 2], [1, bad]], np.float32))
    with pytest.raises(StorageError, match="row 1"):
        to_pgvector(rows, half=True)
    with pytest.raises(StorageError, match="int8"):
        to_pgvector(FLOATS.to("int8"))
    with pytest.raises(StorageError, match="16000"):
        to_pgvector(Embeddings(np.zeros((1, 16_001), np.float32)))


def test_pgvector_rows_must_agree() -> None:
    one, other = to_pgvector(FLOATS)
    for damaged in (
        [],
        [b"\0"],
        [one, other[:-1]],
        [one, other + b"\0"],
        [b"\0\3\0\1" + one[4:]],
        [one, one[:1] + other],
    ):
        with pytest.raises(StorageError):
            from_pgvector(damaged)
    with pytest.raises(StorageError):
        from_pgvector([struct.pack(">iB", 3, 0xFF)], kind="bit")


def test_copy_binary() -> None:
    file = io.BytesIO()
    write_pgcopy(file, FLOATS, ids=[7, -1])
    text = file.getvalue()
    first, second = to_pgvector(FLOATS)
    assert text == (
        b"PGCOPY\n\xff\r\n\0"
        + bytes(8)
        + struct.pack(">hiqi", 2, 8, 7, len(first))
        + first
        + struct.pack(">hiqi", 2, 8, -1, len(second))
        + second
        + b"\xff\xff"
    )


def test_sqlite_vec() -> None:
    assert to_sqlite_vec(FLOATS)[1] == struct.pack("<3f", 1e-3, 0.0, -2.0)
    assert from_sqlite_vec(to_sqlite_vec(FLOATS)) == FLOATS
    assert from_sqlite_vec(to_sqlite_vec(FLOATS.to("int8")), "int8") == FLOATS.to("int8")
    bits = Embeddings(np.array([[0b10110000]], np.uint8), "ubinary")
    assert to_sqlite_vec(bits) == [bytes([0b00001101])]
    assert np.array_equal(from_sqlite_vec(to_sqlite_vec(bits), "ubinary").to_float(), bits.to_float())
    with pytest.raises(StorageError, match="multiple of 8"):
        to_sqlite_vec(BITS)
    with pytest.raises(StorageError, match="blob 1"):
        from_sqlite_vec([b"1234", b"12345"])
    with pytest.raises(StorageError, match="float32"):
        from_sqlite_vec([b"123"])


def test_faiss() -> None:
    faiss = pytest.importorskip("faiss")
    rows = np.random.default_rng(1).standard_normal((60, 16)).astype(np.float32)
    bits = Embeddings(rows).to("binary")
    index = faiss.IndexBinaryFlat(16)
    index.add(to_faiss(bits))
    distances, _ = index.search(to_faiss(bits)[:3], 60)
    assert np.array_equal(distances[:, 0], [0, 0, 0])
    signs = bits.to_float()
    assert np.array_equal(np.sort(distances), np.sort((signs[:3, None] != signs[None]).sum(axis=2)))
    assert to_faiss(FLOATS) is FLOATS.values
    codes = Embeddings(rows / 4).to("int8")
    assert np.array_equal(to_faiss(codes).astype(int) - 128, codes.values)


def test_arrow_shares_memory() -> None:
    pytest.importorskip("pyarrow")
    array = to_arrow(FLOATS)
    assert array.to_pylist() == FLOATS.values.tolist()
    assert array.values.buffers()[1].address == FLOATS.values.ctypes.data


def test_arrow_and_back() -> None:
    pytest.importorskip("pyarrow")
    rows = to_arrow(FLOATS)
    back = from_arrow(rows)
    assert back == FLOATS
    assert np.shares_memory(back.values, FLOATS.values)
    assert from_arrow(rows[1:]) == FLOATS[1:]
    assert from_arrow(to_arrow(BITS), "ubinary", 11) == BITS
    int8 = FLOATS.to("int8")
    assert from_arrow(to_arrow(int8), "int8") == int8
    with pytest.raises(StorageError, match="int8 codes are int8, not uint8"):
        from_arrow(to_arrow(BITS), "int8")


def test_columns_of_tables() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    lists = FLOATS.values.tolist()
    kinds = pyarrow.list_(pyarrow.float32()), pyarrow.list_(pyarrow.float32(), 3), pyarrow.large_list(pyarrow.float64())
    for kind in kinds:
        column = pyarrow.chunked_array([lists[:1], lists[1:]], kind)
        assert Embeddings(column) == Embeddings(pyarrow.array(lists, kind)) == FLOATS
        assert search(column, column, 1).indices.tolist() == [[0], [1]]
        with pytest.raises(ValueError, match="row 2 is null"):
            Embeddings(pyarrow.chunked_array([lists, [None]], kind))
        with pytest.raises(ValueError, match="row 1 holds a null"):
            Embeddings(pyarrow.array([lists[0], [1.0, None, 2.0]], kind))
    with pytest.raises(ValueError, match="row 0 has 3 numbers, row 1 has 2"):
        Embeddings(pyarrow.array([lists[0], [1.0, 2.0]], kinds[0]))
    assert len(Embeddings(pyarrow.array([], kinds[1]))) == 0


def test_object_arrays_of_rows() -> None:
    column = np.empty(2, object)
    column[:] = [FLOATS.values[0], FLOATS.values[1]]
    assert Embeddings(column) == FLOATS
    assert quantize(column, "int8") == FLOATS.to("int8")
    for bad, words in ((None, r"row 1 is missing \(None\)"), ([1.0, 2.0], "row 0 has 3 numbers, row 1 has 2"),
                       ([1.0, None, 2.0], "element 1 is None"), (2.5, "row 1 is a float")):  # fmt: skip
        column[1] = bad
        for rows in (column, list(column)):
            with pytest.raises(ValueError, match=words):
                Embeddings(rows)
