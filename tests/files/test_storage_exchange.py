"""Other systems' binary forms: exact bytes, and back."""

from __future__ import annotations

import io
import pickle
import sqlite3
import struct
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import FlatIndex, LowBitQuantizer, Scale, decode_response, load, quantize, save, search
from embcodec.codec import one_chunk
from embcodec.embeddings import Embeddings
from embcodec.errors import StorageError
from embcodec.files.columns import extension_type
from embcodec.files.exchange import (
    from_arrow,
    from_faiss,
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
        from_arrow(to_arrow(BITS).storage.field("codes"), "int8")
    with pytest.raises(StorageError, match="whose type says ubinary, not int8"):
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


def test_lists_of_more_numbers_than_offsets_count() -> None:
    pyarrow = pytest.importorskip("pyarrow")

    class Long:
        """A column of chunks as pyarrow has it beyond 2^31 numbers, which would take their gigabytes."""

        def __init__(self, column: Any) -> None:
            self.column = column
            self.chunks, self.num_chunks, self.type, self.cast = column.chunks, 2, column.type, column.cast

        def combine_chunks(self) -> Any:
            raise pyarrow.ArrowInvalid("offset overflow while concatenating arrays")

    lists = FLOATS.values.tolist()
    combined = one_chunk(Long(pyarrow.chunked_array([lists[:1], lists[1:]], pyarrow.list_(pyarrow.float32()))))
    assert combined.type == pyarrow.large_list(pyarrow.float32())
    assert from_arrow(combined) == FLOATS
    with pytest.raises(pyarrow.ArrowInvalid):
        one_chunk(Long(pyarrow.chunked_array([["a"], ["b"]])))


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


def every_meaning() -> list[Embeddings]:
    """Rows of each dtype, scale, byte and bit order, of a dimension that fills no byte, and of one that does."""
    x = np.random.default_rng(6).standard_normal((6, 11)).astype(np.float32)
    ranges = np.vstack([x.min(axis=0), x.max(axis=0)])
    kinds = [quantize(x / 8, name) for name in ("float", "int8", "uint8", "binary", "ubinary")]
    kinds += [quantize(x, name, scale=scale) for name in ("int8", "uint8") for scale in ("per-vector", ranges)]
    kinds += [quantize(x, "binary", signed_bytes="twos-complement"), quantize(x, "ubinary", bit_order="lsb")]
    return [*kinds, *(rows.truncate(8) for rows in kinds)]


@pytest.mark.parametrize("index", range(len(every_meaning())))
def test_arrow_carries_what_codes_mean(index: int, tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = every_meaning()[index]
    column = to_arrow(rows)
    assert from_arrow(column) == rows
    assert np.shares_memory(from_arrow(column).values, rows.values)
    assert from_arrow(column, rows.output_dtype, rows.dimension, scale=rows.scale) == rows
    for key in (slice(2, 5), slice(4, 4), slice(5, None)):
        assert from_arrow(column[key]) == rows[key]
    assert from_arrow(pickle.loads(pickle.dumps(column))) == rows
    table = pyarrow.table({"id": list(range(6)), "embedding": column})
    assert from_arrow(table.sort_by([("id", "descending")])) == rows[::-1]
    assert from_arrow(table.filter(pyarrow.compute.field("id") > 2)) == rows[3:]
    assert from_arrow(table.take([5, 0, 5]).to_batches()[0]) == rows[[5, 0, 5]]
    assert from_arrow(pyarrow.concat_tables([table, table[:1]])["embedding"]) == rows[[*range(6), 0]]
    assert from_arrow(pyarrow.chunked_array([], column.type)).output_dtype == rows.output_dtype
    parquet.write_table(table, tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet") == from_arrow(parquet.read_table(tmp_path / "a.parquet")) == rows
    sink = io.BytesIO()
    with pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    assert from_arrow(pyarrow.ipc.open_file(sink.getvalue()).read_all()) == rows
    save(tmp_path / "b.parquet", rows)
    assert from_arrow(parquet.read_table(tmp_path / "b.parquet")) == rows


@pytest.mark.parametrize("index", range(len(every_meaning())))
def test_arrow_columns_that_have_lost_their_type_are_not_misread(index: int, tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = every_meaning()[index]
    parquet.write_table(pyarrow.table({"embedding": to_arrow(rows)}), tmp_path / "a.parquet")
    extension_type()
    pyarrow.unregister_extension_type("embcodec.embeddings")
    try:
        table = parquet.read_table(tmp_path / "a.parquet")  # as in a process that has not imported embcodec yet
    finally:
        extension_type.cache_clear()
    assert from_arrow(table) == rows
    kind = str(table["embedding"].type)
    if "struct" in kind and "scale" not in kind:
        with pytest.raises(StorageError, match=r"holds struct<codes.*from_arrow\(table\)"):
            from_arrow(table["embedding"], rows.output_dtype)
    else:
        assert from_arrow(table["embedding"], rows.output_dtype) == rows
    with pytest.raises(StorageError, match="row 1 is null"):
        from_arrow(pyarrow.chunked_array([table["embedding"].chunk(0)[:1], pyarrow.nulls(1, table["embedding"].type)]))


def test_arrow_refuses_what_contradicts_or_is_damaged() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    rows = FLOATS.to("int8", scale="per-vector")
    column = to_arrow(rows)
    for asked in ({"output_dtype": "uint8"}, {"dimension": 4}, {"scale": Scale.unit()}, {"bit_order": "lsb"}):
        with pytest.raises(StorageError, match="whose type says"):
            from_arrow(column, **asked)
    for strip in (Embeddings, lambda x: Embeddings(x, "int8"), lambda x: search(FLOATS, x, 1)):
        with pytest.raises(TypeError, match=r"from_arrow\(column\) reads it"):
            strip(column)
    missing = pyarrow.nulls(1, column.storage.type)
    holed = pyarrow.ExtensionArray.from_storage(column.type, pyarrow.concat_arrays([column.storage, missing]))
    with pytest.raises(StorageError, match="row 2 is null"):
        from_arrow(holed)
    good = column.type.__arrow_ext_serialize__().decode()
    for words in (
        "",
        "[]",
        "{}",
        "[" * 10_000,
        '{"format": 1}',
        "\udcff",
        good.replace("per-vector", "ranges:0"),
        good.replace('"3"', '"4"'),
        good.replace("int8", "float"),
        good.replace("embcodec 1", "embcodec 9"),
    ):
        damaged = pyarrow.ExtensionArray.from_storage(
            extension_type().__arrow_ext_deserialize__(column.storage.type, words.encode("utf-8", "surrogateescape")),
            column.storage,
        )
        with pytest.raises(StorageError):
            from_arrow(damaged)
    for storage in (pyarrow.array([1, 2]), pyarrow.array([{"scale": 1.0}]), pyarrow.array([{"codes": 1, "scale": 1.0}]),
                    pyarrow.array([{"codes": [1, 2, 3], "scale": "a"}])):  # fmt: skip
        kind = extension_type()(storage.type, good)
        with pytest.raises(StorageError):
            from_arrow(pyarrow.ExtensionArray.from_storage(kind, storage))


def test_arrow_tables_and_plain_columns() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    lists = pyarrow.array(FLOATS.values.tolist())
    table = pyarrow.table({"id": [1, 2], "a": lists, "b": pyarrow.array([[1], [2]])})
    with pytest.raises(StorageError, match=r"which column\? There are \['a', 'b'\]"):
        from_arrow(table)
    assert from_arrow(table, name="a") == from_arrow(table.select(["id", "a"])) == FLOATS
    with pytest.raises(StorageError, match="column 'id': embeddings have shape"):
        from_arrow(table, name="id")
    with pytest.raises(StorageError, match="no column of lists among id: int64"):
        from_arrow(table.select(["id"]))
    with pytest.raises(StorageError, match="2 columns are called 'a'"):
        from_arrow(pyarrow.Table.from_arrays([lists, lists], names=["a", "a"]))
    with pytest.raises(StorageError, match="name= is for tables"):
        from_arrow(lists, name="a")
    packed = pyarrow.array([[0b1101]], pyarrow.list_(pyarrow.uint8()))
    assert from_arrow(packed, "ubinary", 4, bit_order="lsb").to_float().tolist() == [[1, -1, 1, 1]]
    for other in (FLOATS.values, FLOATS.values.tolist()):
        with pytest.raises(TypeError, match=r"Embeddings\(rows\) takes arrays"):
            from_arrow(other)
    with pytest.raises(StorageError, match="3 rows of no dimensions are not stored"):
        to_arrow(np.zeros((3, 0), np.float32))
    assert from_arrow(to_arrow(np.zeros((0, 3), np.float32))).values.shape == (0, 3)


def test_polars_keeps_the_arrow_type() -> None:
    pyarrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    for rows in every_meaning():
        frame = polars.from_arrow(pyarrow.table({"e": to_arrow(rows)}))
        assert from_arrow(frame[::-1].to_arrow()) == from_arrow(frame["e"][::-1].to_arrow()) == rows[::-1]
        if rows.output_dtype != "float":
            with pytest.raises(TypeError, match=r"from_arrow\(column.to_arrow\(\)\) reads it"):
                Embeddings(frame["e"], rows.output_dtype)
        for given in (frame[::-1], frame["e"][::-1]):
            assert from_arrow(given) == rows[::-1]


@pytest.mark.parametrize("scale", ["per-vector", "ranges"])
def test_a_scale_that_a_store_would_drop_is_refused(scale: str) -> None:
    x = np.random.default_rng(2).standard_normal((40, 16)).astype(np.float32)
    x *= np.linspace(0.1, 5, 40, dtype=np.float32)[:, None]
    rows = quantize(x, "int8", scale=scale if scale == "per-vector" else np.vstack([x.min(axis=0), x.max(axis=0)]))
    with pytest.raises(StorageError, match=rf"sqlite-vec has no room for the {scale} scale: .*rows.to\('float'\)"):
        to_sqlite_vec(rows)
    bare = to_sqlite_vec(Embeddings(rows.values, "int8"))
    assert from_sqlite_vec(bare, "int8", scale=rows.scale) == rows
    assert from_sqlite_vec(to_sqlite_vec(rows.to("float"))) == rows.to("float")
    for codes in (rows, rows.to("uint8")):
        with pytest.raises(StorageError, match=rf"Faiss has no room for the {scale} scale"):
            to_faiss(codes)
        assert np.array_equal(to_faiss(codes.to("float")), codes.to_float())
    with pytest.raises(StorageError, match="per-vector scale for 40 does not fit 39"):
        from_sqlite_vec(bare[1:], "int8", scale=Scale.per_vector(np.ones(40)))


def test_faiss_gets_bits_in_one_order() -> None:
    x = np.random.default_rng(3).standard_normal((9, 16)).astype(np.float32)
    want = to_faiss(quantize(x, "ubinary"))
    for rows in (quantize(x, "ubinary", bit_order="lsb"), quantize(x, "binary"),
                 quantize(x, "binary", signed_bytes="twos-complement")):  # fmt: skip
        assert np.array_equal(to_faiss(rows), want)
    with pytest.raises(StorageError, match=r"11 is not a multiple of 8: .*rows.packed_bytes\(\)"):
        to_faiss(BITS)
    assert BITS.packed_bytes().shape == (1, 2)


def test_faiss_keeps_rows_below_graphs_and_in_lists() -> None:
    faiss = pytest.importorskip("faiss")
    rows = np.random.default_rng(4).standard_normal((120, 16)).astype(np.float32)
    refined = faiss.IndexRefineFlat(faiss.IndexScalarQuantizer(16, faiss.ScalarQuantizer.QT_4bit))
    lists = faiss.IndexIVFFlat(faiss.IndexFlatL2(16), 16, 3)
    for index in (faiss.IndexNSGFlat(16, 8), refined, lists, faiss.IndexIDMap(lists)):
        index.reset()
        if not index.is_trained:
            index.train(rows)
        ids = np.arange(120) if not isinstance(index, faiss.IndexIDMap) else np.arange(120)[::-1] + 5
        index.add(rows) if ids[0] == 0 else index.add_with_ids(rows, ids)
        found, names = from_faiss(index, with_ids=True)
        assert found == Embeddings(rows)
        assert names.tolist() == ids.tolist()
    assert from_faiss(refined) == Embeddings(rows)


def test_faiss_lists_with_ids_of_their_own() -> None:
    """``reconstruct_n(0, ntotal)`` leaves the rows of other ids as they happened to lie in memory."""
    faiss = pytest.importorskip("faiss")
    rows = np.random.default_rng(5).standard_normal((120, 16)).astype(np.float32)
    ids = np.random.default_rng(6).permutation(1000)[:120]
    order = np.argsort(ids)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(16), 16, 3)
    index.train(rows)
    index.add_with_ids(rows, ids)
    with pytest.raises(StorageError, match=r"from_faiss\(index, with_ids=True\) returns them, too"):
        from_faiss(index)
    found, names = from_faiss(index, with_ids=True)
    assert found == Embeddings(rows[order])
    assert names.tolist() == ids[order].tolist()
    bits = quantize(rows, "ubinary")
    binary = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(16), 16, 3)
    binary.train(to_faiss(bits))
    binary.add_with_ids(to_faiss(bits), ids)
    assert from_faiss(binary, with_ids=True)[0] == bits[order]
    binary.remove_ids(ids[:7])
    assert len(from_faiss(binary, with_ids=True)[0]) == 113
    empty = faiss.IndexIVFFlat(faiss.IndexFlatL2(16), 16, 3)
    assert from_faiss(empty).values.shape == (0, 16)


def test_sqlite_vec_itself_agrees() -> None:
    sqlite_vec = pytest.importorskip("sqlite_vec")
    database = sqlite3.connect(":memory:")
    if not hasattr(database, "enable_load_extension"):
        pytest.skip("this sqlite3 loads no extensions")
    database.enable_load_extension(True)
    sqlite_vec.load(database)
    x = np.random.default_rng(4).standard_normal((30, 16)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for rows, column, distance, metric in (
        (Embeddings(x), "float[16]", "vec_distance_L2(?, v)", "l2"),
        (quantize(x, "int8"), "int8[16]", "vec_distance_L2(vec_int8(?), vec_int8(v))", "l2"),
        (quantize(x, "ubinary"), "bit[16]", "vec_distance_hamming(vec_bit(?), vec_bit(v))", "hamming"),
    ):
        blobs = to_sqlite_vec(rows)
        database.execute("create table t (v blob)")
        database.executemany("insert into t values (?)", [(blob,) for blob in blobs])
        order = database.execute(f"select rowid - 1 from t order by {distance}, rowid limit 5", (blobs[7],)).fetchall()
        assert [row for (row,) in order] == search(rows[7], rows, 5, metric=metric).indices[0].tolist(), column
        stored = [blob for (blob,) in database.execute("select v from t order by rowid")]
        assert np.array_equal(from_sqlite_vec(stored, str(rows.output_dtype)).to_float(), rows.to_float())
        database.execute("drop table t")


WRONG_BLOBS = [
    (np.array([0.1, 0.2]), TypeError, "row 1 is an array of float64, not bytes: Embeddings"),
    (np.array([1, 2], np.uint8), TypeError, "row 1 is an array of uint8"),
    (12, TypeError, "row 1 is of type int"),
    ([0, 0, 128, 63], TypeError, "row 1 is of type list"),
    (memoryview(np.ones(1)), TypeError, "row 1 is of type memoryview"),
    (np.bytes_(b"1234"), TypeError, "row 1 is of a NumPy array of bytes, which drops zeros"),
    (uuid.UUID(int=7), TypeError, "row 1 is of type UUID"),
    (None, StorageError, "row 1 is NULL"),
]


@pytest.mark.parametrize(("blob", "error", "words"), WRONG_BLOBS)
def test_only_bytes_are_blobs(blob: Any, error: type[Exception], words: str) -> None:
    readers: list[tuple[Callable[[Any], Embeddings], bytes]] = [
        (from_sqlite_vec, to_sqlite_vec(FLOATS)[0]),
        (from_pgvector, to_pgvector(FLOATS)[0]),
        (lambda rows: from_sqlite_vec(rows, "int8"), b"123"),
    ]
    for read, good in readers:
        with pytest.raises(error, match=words):
            read([good, blob])
        for one in (good, good.hex(), 7):
            with pytest.raises(TypeError, match="a list of rows, not"):
                read(one)
        with pytest.raises(StorageError, match="no rows to read"):
            read([])
        assert read([bytearray(good), memoryview(good)]) == read([good, good]) == read(iter([good, good]))
        pyarrow, pandas = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
        assert read(pyarrow.array([good, good])) == read(pandas.Series([good, good])) == read([good, good])
    with pytest.raises(TypeError, match="is of type str, not bytes"):
        from_sqlite_vec(["1234"])


def test_pgvector_says_which_kind_its_rows_are() -> None:
    halves = to_pgvector(FLOATS, half=True)
    assert from_pgvector(halves) == from_pgvector(halves, kind="halfvec")
    assert from_pgvector(to_pgvector(FLOATS)) == FLOATS
    for dimension in (1, 7, 8, 9, 300, 65_536, 131_072):  # 65,536 has a head like that of one dimension
        bits = Embeddings(np.ones((2, dimension), np.float32)).to("ubinary")
        assert from_pgvector(to_pgvector(bits)) == bits
    for dimension in (1, 2, 16_000):
        rows = Embeddings(np.ones((2, dimension), np.float32))
        assert from_pgvector(to_pgvector(rows)) == from_pgvector(to_pgvector(rows, half=True)) == rows
    with pytest.raises(StorageError, match="has the length of a halfvec: say kind='halfvec'"):
        from_pgvector(halves, kind="vector")
    with pytest.raises(StorageError, match="is no vector, halfvec or bit"):
        from_pgvector([b"12345"])
    with pytest.raises(StorageError, match="0 dimensions"):
        from_pgvector([bytes(4)])
    with pytest.raises(ValueError, match="half=True is for floats"):
        to_pgvector(BITS, half=True)

    class Vector:
        def to_binary(self) -> bytes:
            return to_pgvector(FLOATS)[0]

    with pytest.raises(TypeError, match=r"row 0 is of type Vector, not bytes: pass row.to_binary\(\)"):
        from_pgvector([Vector()])  # type: ignore[list-item]


def test_vectors_of_the_package_pgvector() -> None:
    def vector(name: str, **methods: Any) -> Any:
        return type(name, (), {"__module__": "pgvector.vector", **methods})()

    packed = to_pgvector(FLOATS)
    given = [vector("Vector", to_binary=lambda self, row=row: row) for row in packed]
    assert from_pgvector(given) == FLOATS
    arrays = [vector("Vector", to_numpy=lambda self, row=row: row) for row in FLOATS.values]
    assert Embeddings(arrays) == FLOATS == Embeddings(np.array(arrays, object))
    sparse = struct.pack(">iii2i2f", 5, 2, 0, 1, 3, 0.5, 1.0)
    with pytest.raises(StorageError, match=r"of 28 bytes, is no vector, .*: a sparsevec\? select it as ::vector"):
        from_pgvector([sparse])


def test_pgvector_as_text() -> None:
    texts = ["[0.5,-1.25,3]", "[0.001,0,-2e+00]"]
    for kind in (None, "vector", "halfvec"):
        assert from_pgvector(texts, kind=kind) == FLOATS
    assert from_pgvector(["10110000010"]) == from_pgvector(["10110000010"], kind="bit") == BITS
    for rows, kind, words in (
        (["[1,2]", "[1]"], None, "row 0 has 2 dimensions, row 1 has 1"),
        (["[1,2]", "[1;2]"], None, r"row 1 is '\[1;2\]': not a JSON number \(character 2\)"),
        (["[1;2]", "[1,2]"], None, r"row 0 is '\[1;2\]': not a JSON number \(character 2\)"),
        (["{1,2}"], None, r"an array\? select it as ::vector"),
        (["[1,2]", "[1,a]"], None, r"row 1 is '\[1,a\]': unexpected character \(character 3\)"),
        (["[1,2]", "[[1],2]"], None, "row 1 is"),
        (["[1,2]", "1,2"], None, "row 1 is '1,2', not a vector as text"),
        (["[1,2]", None], None, "row 1 is NULL"),
        (["[1,2]", b"[1,2]"], None, "row 1 is bytes, row 0 is text"),
        ([to_pgvector(FLOATS)[0], "[1,2]"], None, "row 1 is text, row 0 is bytes"),
        (["{1:1}/3"], None, r"a sparsevec or an array\? select it as ::vector"),
        (["[]"], None, "0 dimensions"),
        (["[NaN]"], None, "NaN"),
        (["0101", "010"], None, "row 1 is '010', not 4 bits"),
        (["0102"], None, "row 0 is '0102'"),
        (["01"], "vector", "not a vector as text"),
        (["[1,2]"], "bit", "bits as text"),
        ([b"[1,2]"], None, r"row 0 is text in bytes: pass row.decode\(\)"),
    ):
        with pytest.raises(StorageError, match=words):
            from_pgvector(rows, kind=kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "ids",
    [[5.7, 6], [1, True], [1, None], ["a", "b"], [uuid.UUID(int=1), uuid.UUID(int=2**100)], [1, 2**63], [1], [[1, 2]]],
)
def test_copy_writes_nothing_where_ids_are_refused(ids: Any) -> None:
    file = io.BytesIO()
    with pytest.raises((TypeError, ValueError), match=r"id [01] is|1 ids for 2 rows"):
        write_pgcopy(file, FLOATS, ids)
    assert file.getvalue() == b""
    with pytest.raises(StorageError):
        write_pgcopy(file, FLOATS.to("int8"), [1, 2])
    assert file.getvalue() == b""


def test_what_has_rows_in_it_says_where(tmp_path: Path) -> None:
    answer = decode_response(b'{"data": [{"embedding": [1, 2]}]}')
    for take in (FlatIndex, Embeddings, lambda x: save(tmp_path / "rows.npz", x)):
        with pytest.raises(TypeError, match=r"an EmbeddingResponse is no array of numbers: pass \.embeddings$"):
            take(answer)
    with pytest.raises(TypeError, match=r"a FlatIndex is no array of numbers: its own \.save\(path\) writes it"):
        save(tmp_path / "rows.npz", FlatIndex(answer.embeddings))


def test_bare_floats_and_others() -> None:
    x = FLOATS.values
    file, same = io.BytesIO(), io.BytesIO()
    for rows in (x, x.astype(np.float64), x.tolist(), x.astype(">f4"), np.asfortranarray(x)):
        assert to_pgvector(rows) == to_pgvector(FLOATS)
        assert to_sqlite_vec(rows) == to_sqlite_vec(FLOATS)
        assert np.array_equal(to_faiss(rows), x)
    assert to_faiss(x) is x
    write_pgcopy(file, x)
    write_pgcopy(same, FLOATS)
    assert file.getvalue() == same.getvalue()
    low_bit = LowBitQuantizer(2, rotation="none").fit(x).encode(x)
    for send in (to_pgvector, to_sqlite_vec, to_faiss, to_arrow, lambda rows: write_pgcopy(file, rows)):
        with pytest.raises(TypeError, match="bare array of int64"):
            send(np.ones((2, 8), np.int64))
        with pytest.raises(ValueError, match=r"row\[None\]"):
            send(x[0])
        with pytest.raises(StorageError, match=r"low-bit codes: send what they stand for, rows.to\('float'\)"):
            send(low_bit)
        send(low_bit.to("float"))
    for send in (to_pgvector, to_sqlite_vec):
        with pytest.raises(StorageError, match=r"0 dimensions|not 0"):
            send(np.zeros((2, 0), np.float32))
        assert send(np.zeros((0, 3), np.float32)) == []


def test_scales_whose_words_others_dropped(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    x = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
    codes = quantize(x, "int8", scale="per-vector")
    save(tmp_path / "ours.parquet", codes)
    table = parquet.read_table(tmp_path / "ours.parquet").replace_schema_metadata(None)
    parquet.write_table(table, tmp_path / "theirs.parquet")
    for read in (lambda: load(tmp_path / "theirs.parquet", output_dtype="int8"), lambda: from_arrow(table, "int8")):
        with pytest.raises(StorageError, match=r"'int8', scale=Scale.per_vector\(scales\)\) puts both together"):
            read()
    assert from_arrow(table, "int8", scale=Scale.per_vector(table["scale"].to_numpy())) == codes
    assert from_arrow(table, "int8", scale=Scale.unit()) == Embeddings(codes.values, "int8")
    table = table.drop_columns(["scale"])
    assert from_arrow(table, "int8") == Embeddings(codes.values, "int8")


@pytest.mark.parametrize("file", ["a.copy", None, 5, io.StringIO()])
def test_pgcopy_into_no_file_of_bytes(file: Any) -> None:
    with pytest.raises(TypeError, match=r"file is one open for bytes, as open\(path, 'wb'\)"):
        write_pgcopy(file, FLOATS)
