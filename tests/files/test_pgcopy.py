"""PostgreSQL's binary COPY: exact bytes, ids and columns of every type, and back, from whole, cut and hostile input."""

from __future__ import annotations

import ast
import gzip
import io
import json
import random
import struct
import tracemalloc
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from embcodec import (
    Embeddings,
    StorageError,
    iter_pgcopy,
    quantize,
    read_pgcopy,
    to_pgvector,
    write_pgcopy,
)
from embcodec.files.exchange import pgwrite

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"
X = np.random.default_rng(0).standard_normal((700, 24)).astype(np.float32)
FLOATS = Embeddings(X)
BITS = quantize(X, "ubinary")


def written(*args: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    write_pgcopy(file, *args, **options)
    return file.getvalue()


def read(data: bytes, columns: Any = None) -> Any:
    return read_pgcopy(io.BytesIO(data), columns)


def field(data: bytes | None) -> bytes:
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def one_by_one(ids: Any, vectors: list[bytes], others: list[list[Any]]) -> bytes:
    """Return what a row at a time makes, of fields that are bytes already."""
    text = HEAD
    for row, vector in enumerate(vectors):
        fields = ([ids[row]] if ids is not None else []) + [vector] + [column[row] for column in others]
        text += struct.pack(">h", len(fields)) + b"".join(map(field, fields))
    return text + TAIL


@pytest.mark.parametrize("block_bytes", [1, 1 << 13, 1 << 19])
@pytest.mark.parametrize("count", [0, 1, 2, 77, 78, 79, 700])  # 78 rows of 24 floats and an id are some 8 KiB
@pytest.mark.parametrize("kind", ["vector", "halfvec", "bit"])
def test_blocks_are_what_a_row_at_a_time_makes(
    kind: str, count: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgwrite, "_BLOCK_BYTES", block_bytes)
    rows = (BITS if kind == "bit" else FLOATS)[:count]
    half = kind == "halfvec"
    vectors = to_pgvector(rows, half=half)
    ids = [struct.pack(">q", 5 - row) for row in range(count)]
    assert written(rows, 5 - np.arange(count), half=half) == one_by_one(ids, vectors, [])
    assert written(rows, half=half) == one_by_one(None, vectors, [])
    names = [f"naïve {row}" * (row % 3) for row in range(count)]
    years = [None if row % 5 == 0 else row for row in range(count)]
    columns = {"word": names, "year": years, "far": np.arange(count, dtype=np.float32)}
    others = [
        [name.encode() for name in names],
        [None if year is None else struct.pack(">q", year) for year in years],
        [struct.pack(">f", row) for row in range(count)],
    ]
    made = written(rows, names, id_type="text", half=half, columns=columns)
    assert made == one_by_one([name.encode() for name in names], vectors, others)
    if count:
        kinds = {"id": "text", "e": kind, "word": "text", "year": "bigint", "far": "real"}
        back = read(made, kinds)
        assert np.array_equal(back.embeddings.values, read(written(rows, half=half)).embeddings.values)
        assert back.ids == back.columns["word"] == names
        assert list(back.columns["year"]) == years
        assert back.columns["far"].tolist() == list(range(count))


def test_every_type() -> None:
    zone = timezone(timedelta(hours=2))
    one = uuid.UUID("12345678-1234-5678-1234-567812345678")
    for values, pg_type, want in (
        (np.array([-2], np.int8), "smallint", b"\xff\xfe"),
        (np.array([2**15], np.uint16), "integer", b"\0\0\x80\0"),
        (np.array([-2], np.int32), "integer", b"\xff\xff\xff\xfe"),
        (np.array([2**31], np.uint32), "bigint", bytes(4) + b"\x80\0\0\0"),
        (np.array([7], np.int64), "bigint", bytes(7) + b"\x07"),
        ([7], "bigint", bytes(7) + b"\x07"),
        (np.array([1.5], np.float16), "real", struct.pack(">f", 1.5)),
        (np.array([0.1], np.float64), "double precision", struct.pack(">d", 0.1)),
        ([0.1], "double precision", struct.pack(">d", 0.1)),
        ([np.float32(0.5)], "real", struct.pack(">f", 0.5)),
        ([True], "boolean", b"\x01"),
        (np.array([False]), "boolean", b"\0"),
        (["é"], "text", "é".encode()),
        (np.array(["é"]), "text", "é".encode()),
        ([b"\0\xff"], "bytea", b"\0\xff"),
        ([one], "uuid", one.bytes),
        ([{"a": [1, None]}], "jsonb", b'\x01{"a": [1, null]}'),
        ([date(2000, 1, 2)], "date", b"\0\0\0\x01"),
        ([date(1999, 12, 31)], "date", b"\xff\xff\xff\xff"),
        (np.array(["2000-01-02"], "M8[D]"), "date", b"\0\0\0\x01"),
        ([datetime(2000, 1, 1, 0, 0, 1, 2)], "timestamp", struct.pack(">q", 1_000_002)),
        ([datetime(2000, 1, 1, 2, tzinfo=zone)], "timestamp", bytes(8)),
        (np.array(["2000-01-01T00:00:00.5"], "M8[ms]"), "timestamp", struct.pack(">q", 500_000)),
    ):
        for options in ({}, {"types": {"c": pg_type}}):
            assert written(FLOATS[:1], columns={"c": values}, **options) == one_by_one(
                None, to_pgvector(FLOATS[:1]), [[want]]
            ), pg_type
        with_null = [None, values[0], None, values[0]]
        made = written(FLOATS[:4], columns={"c": with_null})
        assert made.count(field(want) if pg_type != "boolean" else b"\0\0\0\x01" + want) == 2
        seen = read(made, {"e": None, "c": pg_type}).columns["c"]
        if "tz" not in str(values):
            alone = read(written(FLOATS[:1], columns={"c": values}), {"e": None, "c": pg_type}).columns["c"]
            assert [value is None for value in seen] == [True, False, True, False]
            assert seen[1] == seen[3] == (alone.tolist() if isinstance(alone, np.ndarray) else alone)[0]
    nulls = written(FLOATS[:2], columns={"c": [None, None]}, types={"c": "uuid"})
    assert read(nulls, {"e": None, "c": "uuid"}).columns == {"c": [None, None]}
    assert written(FLOATS[:1], columns={"c": [{"a": 1}]}, types={"c": "json"}).endswith(field(b'{"a": 1}') + TAIL)
    for same in (str(one), one.bytes, memoryview(one.bytes), np.frombuffer(one.bytes, "V16")[0]):
        assert written(FLOATS[:1], [same], id_type="uuid") == written(FLOATS[:1], [one], id_type="uuid")
    assert written(FLOATS[:1], [5], id_type="smallint")[len(HEAD) + 2 :].startswith(field(b"\0\x05"))


def test_columns_of_tables() -> None:
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    polars = pytest.importorskip("polars")
    want = written(FLOATS[:2], columns={"a": [1, 2], "b": ["x", None]})
    for column in (pandas.Series, pyarrow.array, polars.Series):
        assert written(FLOATS[:2], columns={"a": column([1, 2]), "b": column(["x", None])}) == want
    missing = written(FLOATS[:2], columns={"a": [None, 2]})
    assert written(FLOATS[:2], columns={"a": pandas.array([None, 2], dtype="Int64")}) == missing
    assert written(FLOATS[:2], columns={"a": pyarrow.array([None, 2])}) == missing


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ids": ["a", "b"]}, "id 0 is 'a', not a whole number"),
        ({"ids": [1, None]}, r"id 1 is missing \(None\)"),
        ({"ids": ["a", None], "id_type": "text"}, r"id 1 is missing \(None\)"),
        ({"ids": [1, 2], "id_type": "text"}, "id 0 is 1, not text"),
        ({"ids": ["a", "b\0"], "id_type": "text"}, "id 1 has a character 0"),
        ({"ids": ["a", "\ud800"], "id_type": "text"}, "id 1 has half of a surrogate pair"),
        ({"ids": ["a", "b"], "id_type": "uuid"}, "id 0 is 'a', not a UUID"),
        ({"ids": [b"0" * 16, b"short"], "id_type": "uuid"}, "id 1 is b'short', not a UUID, its text or its 16 bytes"),
        ({"ids": [1, 2**15], "id_type": "smallint"}, "id 1 is 32768: beyond smallint"),
        (
            {"ids": [1, 2], "id_type": "int8"},
            "id_type is 'smallint', 'integer', 'bigint', 'text' or 'uuid', not 'int8'",
        ),
        ({"ids": [1, 2, 3]}, "3 ids for 2 rows"),
        ({"ids": "ab", "id_type": "text"}, "ids are a column, one a row, not 'ab'"),
        ({"columns": {"a": [1]}}, "1 values of 'a' for 2 rows"),
        ({"columns": {"a": [1, 2.5]}}, "value of 'a' 1 is 2.5, not a whole number"),
        ({"columns": {"a": ["x", 1]}}, "value of 'a' 1 is 1, not text"),
        ({"columns": {"a": [None, 1]}, "types": {"a": "text"}}, "value of 'a' 1 is 1, not text"),
        ({"columns": {"a": [None, 2**63]}}, "value of 'a' 1 is 9223372036854775808: beyond 64 bits"),
        ({"columns": {"a": [b"x", "y"]}}, "value of 'a' 1 is 'y', not bytes"),
        ({"columns": {"a": np.array([b"x\0", b"y"])}}, "which drops zeros at the end"),
        ({"columns": {"a": [1j, 2]}}, "value of 'a' holds a complex"),
        ({"columns": {"a": [object(), 2]}}, "value of 'a' holds a object, which no column"),
        ({"columns": {"a": [{"x": float("nan")}, None]}}, "value of 'a' 0 is no JSON"),
        ({"columns": {"a": [{"x": {1, 2}}, None]}}, "value of 'a' 0 is no JSON"),
        ({"columns": {"a": np.ones((2, 3))}}, r"value of 'a' is a column of double precision, one a row"),
        ({"columns": {"a": [True, 2]}}, "value of 'a'"),
        ({"columns": {"a": 5}}, "value of 'a's are a column|values of 'a'"),
        ({"columns": {"a": [1, 2]}, "types": {"b": "bigint"}}, r"types has 'b', which is none of the columns \['a'\]"),
        ({"columns": {"a": [1, 2]}, "types": {"a": "int"}}, "a column's type is 'smallint', .*, not 'int'"),
        ({"columns": {"a": ["x", "y"]}, "types": {"a": "double precision"}}, "value of 'a'"),
        ({"columns": {"a": [0.5, 1e300]}, "types": {"a": "real"}}, r"value of 'a' 1 is 1e\+300: beyond real"),
    ],
)
def test_what_is_refused_is_not_begun(options: Any, words: str) -> None:
    file = io.BytesIO()
    with pytest.raises((TypeError, ValueError), match=words):
        write_pgcopy(file, FLOATS[:2], **options)
    assert file.getvalue() == b""


@pytest.mark.parametrize(("value", "half"), [(np.nan, False), (np.inf, False), (np.inf, True), (65520, True)])
def test_values_that_a_column_does_not_hold(value: float, half: bool) -> None:
    x = np.zeros((600, 3), np.float32)
    x[555, 1] = value
    file = io.BytesIO()
    with pytest.raises(StorageError, match=r"row 555, column 1 is"):
        write_pgcopy(file, x, half=half)
    assert file.getvalue() == b""
    x[555, 1] = np.nextafter(np.float32(65520), np.float32(0))
    assert read(written(x, half=True)).embeddings.values[555].tolist() == [0, 65504, 0]


class Pieces:
    """What psycopg's Copy looks like: read() takes no size, and iterating gives blocks."""

    def __init__(self, data: bytes, size: int) -> None:
        self.blocks = [data[begin : begin + size] for begin in range(0, len(data), size)]

    def read(self) -> bytes:
        raise AssertionError("blocks are what is read")

    def __iter__(self) -> Iterator[memoryview]:
        return map(memoryview, self.blocks)


class Trickle:
    """A file that gives less than it is asked for."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self.file.read(min(size, 7))


def test_whatever_gives_bytes_is_read() -> None:
    data = written(FLOATS, range(700), columns={"a": ["x"] * 700})
    kinds: Any = {"id": "bigint", "e": "vector", "a": "text"}
    for file in (
        io.BytesIO(data),
        gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data))),
        Trickle(data),
        [data],
        iter([data[:5], b"", bytearray(data[5:])]),
        *(Pieces(data, size) for size in (1, 13, 1000, len(data))),
    ):
        back = read_pgcopy(file, kinds)
        assert back.embeddings == FLOATS
        assert back.ids.tolist() == list(range(700))
    for batch_rows in (1, 3, 699, 700, 701):
        parts = list(iter_pgcopy(io.BytesIO(data), kinds, batch_rows=batch_rows))
        assert [len(part.embeddings) for part in parts[:-1]] == [batch_rows] * (len(parts) - 1)
        assert np.array_equal(np.concatenate([part.embeddings.values for part in parts]), X)
        assert np.concatenate([part.ids for part in parts]).tolist() == list(range(700))
    with pytest.raises(ValueError, match="batch_rows must be a whole number of at least 1"):
        iter_pgcopy(io.BytesIO(data), batch_rows=0)
    for wrong in (data, "items.copy", io.StringIO(), 5, None):
        with pytest.raises(TypeError, match=r"file is one open for bytes, as open\(path, 'rb'\)"):
            read_pgcopy(wrong)  # type: ignore[arg-type]
    for wrong_pieces in (["text"], [1, 2]):
        with pytest.raises(TypeError, match="a COPY comes in bytes"):
            read_pgcopy(wrong_pieces)  # type: ignore[arg-type]


def row(*fields: bytes | None) -> bytes:
    return struct.pack(">h", len(fields)) + b"".join(map(field, fields))


ID = struct.pack(">q", 1)
VECTOR = to_pgvector([[1.0, 2.0]])[0]
OTHER = to_pgvector([[1.0, 2.0, 3.0]])[0]
HOSTILE: list[tuple[bytes, Any, str]] = [
    (b"", None, r"is cut in the header, after byte 0"),
    (b"PGCOPY\n", None, "is cut in the header"),
    (b"1\t[1,2]\n" * 5, None, r"not a COPY of PostgreSQL's in binary: COPY ... TO ... \(FORMAT binary\) makes one"),
    (HEAD[:11] + b"\0\1\0\0" + bytes(4) + TAIL, None, "flags that are not known: 0x00010000"),
    (HEAD[:15] + b"\xff\xff\xff\xff" + TAIL, None, "extension has -1 bytes"),
    (HEAD[:15] + b"\x7f\xff\xff\xff" + TAIL, None, "is cut in the header"),
    (HEAD, None, "is cut before row 0, after byte 19"),
    (HEAD + TAIL, None, "no rows"),
    (HEAD + row(ID, VECTOR), None, "is cut before row 1, after byte 49"),
    (HEAD + row(ID, VECTOR) + TAIL + b"x", None, r"more bytes after the end of the COPY \(byte 51\)"),
    (HEAD + row(ID, VECTOR, ID) + TAIL, None, "row 0 has 3 fields: say what they are"),
    (HEAD + row() + TAIL, None, "row 0 has 0 fields"),
    (HEAD + b"\xff\xfe" + TAIL, None, "row 0 has -2 fields"),
    (HEAD + row(ID, VECTOR) + row(VECTOR) + TAIL, None, r"row 1 \(byte 49\) has 1 fields, not 2"),
    (HEAD + row(ID, None) + TAIL, None, r"row 0, column 'embedding' \(byte 33\) is NULL"),
    (HEAD + row(ID, VECTOR) * 9 + row(ID, OTHER) + TAIL, None, "row 9, column 'embedding'.*another dimension"),
    (HEAD + row(ID, b"12345") + TAIL, None, "of 5 bytes, is no vector, halfvec or bit"),
    (HEAD + row(ID, b"") + TAIL, None, "of 0 bytes, is no vector|0 dimensions"),
    (HEAD + row(ID, bytes(4)) + TAIL, None, "is of 0 dimensions"),
    (HEAD + row(ID, b"\0\2\0\1" + bytes(8)) + TAIL, None, "the unused field of a vector is not 0"),
    (HEAD + row(b"1234", VECTOR) + TAIL, None, r"has 4 bytes, and a bigint 8: say columns=\{'id': 'uuid', "),
    (HEAD + row(ID, VECTOR) + TAIL, {"id": "uuid", "e": "vector"}, "column 'id'.* has 8 bytes, and a uuid 16$"),
    (HEAD + row(ID, VECTOR) + TAIL, {"id": "integer", "e": "vector"}, "column 'id'.* has 8 bytes, and an integer 4$"),
    (HEAD + row(ID, VECTOR) + TAIL, {"id": "bigint", "e": "bit"}, "not .* dimensions of a bit, but has the length"),
    (HEAD + row(ID, VECTOR)[:-1], None, "is cut in row 0, column 'embedding'"),
    (HEAD + b"\0\2" + b"\x7f\xff\xff\xff" + b"a" * 9, {"a": "text", "e": None}, "has 2147483647 bytes, of at most"),
    (HEAD + b"\0\2" + b"\xff\xff\xff\xfe" + b"a" * 9, {"a": "text", "e": None}, "has -2 bytes"),
    (HEAD + b"\0\1" + b"\x3f\xff\xff\xff" + b"a" * 9, {"e": None}, "has 1073741823 bytes, of at most"),
    (HEAD + b"\0\2" + b"\x3f\xff\xff\xff" + b"a" * 9, {"a": "bytea", "e": None}, "is cut in row 0, column 'a'"),
    (HEAD + row(b"\xff", VECTOR) + TAIL, {"a": "text", "e": None}, r"row 0, column 'a' \(byte 21\) is no text"),
    (HEAD + row(b"{}", VECTOR) + TAIL, {"a": "jsonb", "e": None}, "is no jsonb: a version of jsonb"),
    (HEAD + row(b"{", VECTOR) + TAIL, {"a": "json", "e": None}, "is no json: "),
    (HEAD + row(b"[" * 100_000, VECTOR) + TAIL, {"a": "json", "e": None}, "is no json: .*nested"),
    (HEAD + row(b"\x7f" + b"\xff" * 7, VECTOR) + TAIL, {"a": "timestamp", "e": None}, "infinite timestamp.*bigint"),
    (HEAD + row(b"\x80" + bytes(3), VECTOR) + TAIL, {"a": "date", "e": None}, "infinite date"),
    (HEAD + row(struct.pack(">i", 3) + b"\xff") + TAIL, None, "bits set after its last dimension"),
]


@pytest.mark.parametrize(("data", "columns", "words"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_copies_are_refused_with_their_place(data: bytes, columns: Any, words: str) -> None:
    tracemalloc.start()
    try:
        for file in (io.BytesIO(data), Pieces(data, 3)):
            with pytest.raises(StorageError, match=words):
                read_pgcopy(file, columns)
        assert tracemalloc.get_traced_memory()[1] < 20e6  # whatever lengths it speaks of
    finally:
        tracemalloc.stop()


def test_a_vector_of_another_kind_is_told_in_the_columns() -> None:
    """What is to be said stands in the argument that the reader has."""
    data, columns = HEAD + row(ID, VECTOR) + TAIL, {"id": "bigint", "e": "halfvec"}
    with pytest.raises(StorageError, match="has the length of a vector: say columns=") as refused:
        read_pgcopy(io.BytesIO(data), columns)  # type: ignore[arg-type]
    said = ast.literal_eval(str(refused.value).partition("columns=")[2])
    assert said == {"id": "bigint", "e": "vector"}
    assert read_pgcopy(io.BytesIO(data), said).embeddings.values.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["id", "embedding"], "columns is a mapping of names to types"),
        ({"id": "bigint"}, "columns has 0 columns of vectors"),
        ({"a": "vector", "b": None}, "columns has 2 columns of vectors"),
        ({"a": "int8", "b": None}, "the type of column 'a' is 'smallint', .*, not 'int8'"),
    ],
)
def test_columns_that_cannot_be_meant(columns: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        read(written(FLOATS, range(700)), columns)


def test_every_cut_and_many_changes_are_refused_or_read() -> None:
    kinds = {"id": "bigint", "e": None, "a": "text", "b": "real", "c": "jsonb"}
    columns = {"a": ["x", None, "z"], "b": np.ones(3, np.float32), "c": [{}] * 3}
    data = written(FLOATS[:3], range(3), columns=columns)
    for size in range(len(data)):
        with pytest.raises(StorageError):
            read(data[:size], kinds)
    rng = random.Random(3)
    for _ in range(1500):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5))):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        try:
            back = read(bytes(damaged), kinds)
        except StorageError:
            continue
        assert len(back.embeddings) == len(back.ids) <= 3


def test_many_rows_that_change_their_form() -> None:
    """Rows of one form are read together: what stands between them ends that, and no row is lost or doubled."""
    rng = np.random.default_rng(5)
    ids: list[Any] = [None if chance < 0.02 else number for number, chance in enumerate(rng.random(700))]
    data = written(FLOATS, columns={"n": ids})
    back = read(data, {"e": "vector", "n": "bigint"})
    assert back.embeddings == FLOATS
    assert list(back.columns["n"]) == ids
    parts = list(iter_pgcopy(io.BytesIO(data), {"e": "vector", "n": "bigint"}, batch_rows=50))
    assert [list(part.columns["n"]) for part in parts] == [ids[begin : begin + 50] for begin in range(0, 700, 50)]
    with pytest.raises(StorageError, match=r"row 700, column .* has another dimension"):
        list(iter_pgcopy(io.BytesIO(data[:-2] + row(OTHER, ID) + TAIL), {"e": "vector", "n": "bigint"}, batch_rows=50))


def test_text() -> None:
    for rows in (FLOATS, FLOATS[:1], FLOATS[:0], BITS, BITS.truncate(13), quantize(X, "binary")):
        texts = to_pgvector(rows, text=True)
        blobs = to_pgvector(rows)
        assert len(texts) == len(blobs) == len(rows)
        if len(rows):
            from embcodec import from_pgvector

            assert from_pgvector(texts) == from_pgvector(blobs)
    halves = to_pgvector([[0.1, -65504.0]], half=True, text=True)
    assert np.float32(json.loads(halves[0])).tolist() == [np.float16(0.1), -65504.0]
    assert to_pgvector([[1e-40, 3.4e38]], text=True) == ["[1e-40,3.4e38]"]


def test_ids_that_are_an_array_without_axes() -> None:
    with pytest.raises(TypeError, match="ids are a column, one a row"):
        write_pgcopy(io.BytesIO(), np.eye(1, 4, dtype=np.float32), np.array("a"))
