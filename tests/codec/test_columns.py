"""Rows as users have them: columns, frames, lists of anything. What is hidden or missing never becomes a number."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import embcodec as ec
from embcodec import Embeddings, FlatIndex, search
from embcodec.codec.ids import as_int64

ROWS = np.array([[0.5, -1.0], [2.0, 3.0]], np.float32)
MASKED = np.ma.masked_array(ROWS, mask=[[False, True], [False, False]])

TAKE_ROWS: list[Callable[[Any], object]] = [
    Embeddings,
    FlatIndex,
    ec.calibrate,
    ec.format_floats,
    ec.encode_base64,
    ec.pack_bits,
    ec.to_faiss,
    ec.to_pgvector,
    ec.to_sqlite_vec,
    ec.dequantize,
    lambda x: ec.quantize(x, "int8", scale="per-vector"),
    lambda x: ec.truncate(x, 1),
    lambda x: ec.search(x, ROWS, 1),
    lambda x: ec.search(ROWS, x, 1),
    lambda x: ec.encode_response(x, model="m"),
]


def objects(*values: Any) -> np.ndarray:
    column = np.empty(len(values), object)
    column[:] = values
    return column


@pytest.mark.parametrize("take", TAKE_ROWS)
def test_masked_rows_in_lists_and_columns_are_refused(take: Callable[[Any], object]) -> None:
    for rows in (
        [MASKED[0], MASKED[1]],
        (ROWS[1], MASKED[0]),
        objects(MASKED[1], MASKED[0]),
        [[1.0, np.ma.masked], [2.0, 3.0]],
    ):
        with pytest.raises(TypeError, match=r"masked values have no code.*\.filled\(value\)"):
            take(rows)
    take([row.filled(0.0).astype(np.float64) for row in MASKED])


def test_a_masked_array_of_which_nothing_is_masked_is_taken() -> None:
    for mask in (np.ma.nomask, np.zeros(ROWS.shape, bool)):
        whole = np.ma.masked_array(ROWS, mask=mask)
        np.testing.assert_array_equal(Embeddings(whole).values, ROWS)
        np.testing.assert_array_equal(Embeddings([whole[0], whole[1]]).values, ROWS)


def test_whole_numbers_beyond_every_float_are_refused_with_their_row() -> None:
    for number in (10**400, -(10**400)):
        for rows in ([[1, 2], [number, 3]], [[1.5, 2], [3, number]]):
            with pytest.raises(ValueError, match="row 1 has a whole number of more than 308 digits"):
                Embeddings(rows)


def test_masked_elements_are_refused_where_warnings_are_none() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns, and gives NaN
        for rows in ([[1.0, np.ma.masked], [2.0, 3.0]], ((1.0, 2.0), (np.ma.masked, 3.0))):
            with pytest.raises(TypeError, match="masked values have no code"):
                Embeddings(rows)
        assert np.isnan(Embeddings([[1.0, np.nan]]).values[0, 1])


def test_masked_scales_are_refused() -> None:
    ranges = np.ma.masked_array([[-1.0, -9.0], [1.0, 9.0]], mask=[[False, True], [False, True]])
    for make in (
        lambda: ec.Scale.ranges(ranges),
        lambda: ec.Scale.per_vector(ranges[1]),
        lambda: ec.quantize(ROWS, "int8", scale=ranges),
        lambda: ec.quantize(ROWS, "int8", scale=[ranges[0], ranges[1]]),
        lambda: Embeddings(ROWS).to("uint8", scale=ranges),
    ):
        with pytest.raises(TypeError, match=r"masked .*\.filled\(value\)"):
            make()


def nulls() -> dict[str, tuple[Any, str]]:
    pyarrow, pandas, polars = (pytest.importorskip(name) for name in ("pyarrow", "pandas", "polars"))
    holed, gone = [[0.5, -1.0], [2.0, None]], [[0.5, -1.0], None]
    arrays, lists = polars.Array(polars.Float32, 2), polars.List(polars.Float64)
    arrow_lists = pandas.ArrowDtype(pyarrow.list_(pyarrow.float32()))
    kinds: dict[str, tuple[Any, str]] = {
        "polars array, null row": (polars.Series(gone, dtype=arrays), "row 1 is null"),
        "polars array, null inside": (polars.Series(holed, dtype=arrays), "row 1 holds a null"),
        "polars list, null inside": (polars.Series(holed, dtype=lists), "row 1 holds a null"),
        "polars list, null row": (polars.Series(gone, dtype=lists), "row 1 is null"),
        "polars frame": (polars.DataFrame({"a": [0.5, 2.0], "b": [-1.0, None]}), "column 'b': row 1 is null"),
        "polars series as rows": ([polars.Series([0.5, -1.0]), polars.Series([2.0, None])], "row 1: row 1 is null"),
        "pandas Float32 frame": (pandas.DataFrame(holed).astype("Float32"), "column 1: row 1 is missing"),
        "pandas arrow frame": (pandas.DataFrame(holed).astype("float32[pyarrow]"), "column 1: row 1 is null"),
        "pandas arrow lists": (pandas.Series(holed, dtype=arrow_lists), "row 1 holds a null"),
        "pandas arrow lists, null row": (pandas.Series(gone, dtype=arrow_lists), "row 1 is null"),
        "pandas arrays as rows": ([pandas.array(row, dtype="Float64") for row in holed], "row 1: row 1 is missing"),
        "pandas object column": (pandas.Series(gone, dtype=object), "row 1 is missing"),
        "arrow arrays as rows": ([pyarrow.array(row) for row in holed], "row 1: row 1 is null"),
        "arrow scalars": (list(pyarrow.array(holed)), "row 1: row 1 is null"),
        "list with None": (holed, "row 1, element 1 is None"),
    }
    for name, kind in (
        ("fixed", pyarrow.list_(pyarrow.float16(), 2)),
        ("list", pyarrow.list_(pyarrow.float32())),
        ("view", pyarrow.list_view(pyarrow.float64())),
        ("large", pyarrow.large_list(pyarrow.float32())),
    ):
        typed = [[None if v is None else np.float16(v) for v in row] for row in holed] if name == "fixed" else holed
        kinds[f"arrow {name}, null inside"] = pyarrow.array(typed, kind), "row 1 holds a null"
        kinds[f"arrow {name}, null row"] = pyarrow.array([typed[0], None], kind), "row 1 is null"
    return kinds


def test_a_null_is_refused_with_its_row() -> None:
    for rows, words in nulls().values():
        for take in (Embeddings, lambda x: ec.quantize(x, "int8"), lambda x: ec.search(ROWS, x, 1)):
            with pytest.raises(ValueError, match=words):
                take(rows)


def test_tables_without_nulls_are_read() -> None:
    pyarrow, pandas, polars = (pytest.importorskip(name) for name in ("pyarrow", "pandas", "polars"))
    lists = ROWS.tolist()
    frame, arrow = pandas.DataFrame(lists), pyarrow.array(lists)
    decimals = [[Decimal(str(value)) for value in row] for row in lists]
    for rows in (
        frame,
        frame.astype("Float32"),
        frame.astype("float32[pyarrow]"),
        frame.astype({0: "Float64", 1: "float32[pyarrow]"}),
        pandas.Series(lists),
        pandas.Series(lists, dtype=pandas.ArrowDtype(arrow.type)),
        polars.DataFrame({"a": [0.5, 2.0], "b": [-1.0, 3.0]}),
        polars.Series(lists, dtype=polars.Array(polars.Float32, 2)),
        polars.Series(lists, dtype=polars.List(polars.Float64)),
        [polars.Series(row) for row in lists],
        list(arrow),
        pyarrow.FixedShapeTensorArray.from_numpy_ndarray(ROWS),
        pyarrow.chunked_array([pyarrow.FixedShapeTensorArray.from_numpy_ndarray(ROWS[i : i + 1]) for i in (0, 1)]),
        pyarrow.array([[9.0, 9.0], *lists], pyarrow.list_view(pyarrow.float32()))[1:],
        pyarrow.array([[9.0, 9.0], *lists], pyarrow.large_list_view(pyarrow.float64()))[1:],
        pyarrow.array(decimals),
    ):
        assert Embeddings(rows) == Embeddings(ROWS), type(rows)
        assert ec.search(rows, rows, 1, metric="l2").indices.tolist() == [[0], [1]]
    assert Embeddings(polars.Series([[1, 2]], dtype=polars.Array(polars.Int8, 2)), "int8").values.tolist() == [[1, 2]]
    for empty in (
        polars.Series([], dtype=polars.Array(polars.Float32, 2)),
        polars.Series([], dtype=polars.List(polars.Float32)),
    ):
        assert len(Embeddings(empty)) == 0
    assert Embeddings(polars.Series([[], []], dtype=polars.List(polars.Float32))).values.shape == (2, 0)


def test_what_is_no_row_of_numbers_is_named_with_the_way_out() -> None:
    pyarrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    compute = pytest.importorskip("pyarrow.compute")
    text = pyarrow.array(["[0.5, -1]", "[2, 3]"])
    blobs, structs = (
        pyarrow.array([row.tobytes() for row in ROWS]),
        pyarrow.array([{"v": row} for row in ROWS.tolist()]),
    )
    nested = pyarrow.array([[row] for row in ROWS.tolist()])
    tensors = pyarrow.FixedShapeTensorArray.from_numpy_ndarray(ROWS.reshape(2, 2, 1))
    table = pyarrow.table({"v": pyarrow.array(ROWS.tolist())})
    for rows, words, way_out in (
        (text, r"holds string, .*parse_floats\('\[' \+ ','.join\(column.to_pylist\(\)\) \+ '\]'\)",
         lambda: ec.parse_floats("[" + ",".join(text.to_pylist()) + "]")),
        (blobs, r"holds binary, .*from_sqlite_vec\(column.to_pylist\(\), 'float'\)",
         lambda: ec.from_sqlite_vec(blobs.to_pylist(), "float")),
        (structs, r"holds struct<.*struct_field\(column, 'name'\)", lambda: compute.struct_field(structs, "v")),
        (nested, r"lists of list<.*list_element\(column, 0\)", lambda: compute.list_element(nested, 0)),
        (tensors, r"shape=\[2,1\].*column.storage", lambda: tensors.storage),
        (table, r"from_arrow\(table\)", lambda: ec.from_arrow(table)),
        (polars.DataFrame({"v": ROWS.tolist()}), r"whole rows: pass it alone, as frame\['v'\]", None),
        (polars.DataFrame({"v": ROWS.tolist()}).lazy(), r"pass .collect\(\)", None),
        (ROWS.astype(str), r"np.asarray\(x, np.float32\)", lambda: np.asarray(ROWS.astype(str), np.float32)),
        ([[0.5, "a"], [2.0, 3.0]], "real numbers, not <U", None),
        ({"a": 1}, "a dict is no array", None),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=words):
            Embeddings(rows)
        if way_out is not None:
            assert Embeddings(way_out()) == Embeddings(ROWS)


def test_booleans_are_sent_to_pack_bits() -> None:
    bools = np.array([[1, 0, 1, 1, 0, 0, 0, 1, 1]], bool)
    for take in (
        Embeddings,
        ec.to_pgvector,
        lambda x: Embeddings(x, "ubinary"),
        lambda x: ec.quantize(x, "ubinary"),
        lambda x: ec.search(x, x, 1, metric="hamming"),
        lambda x: ec.search(x[0].tolist(), x, 1),
    ):
        with pytest.raises(TypeError, match=r'Embeddings\(pack_bits\(x\), "ubinary", x.shape\[1\]\)'):
            take(bools)
    packed = Embeddings(ec.pack_bits(bools), "ubinary", bools.shape[1])
    assert np.array_equal(packed.to_float() > 0, bools)


def test_short_floats_become_float32() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        short = ROWS.astype(getattr(ml_dtypes, name))
        for rows in (short, short[:, ::-1][:, ::-1], [short[0], short[1]], objects(short[0], short[1])):
            assert Embeddings(rows) == Embeddings(ROWS)
            assert ec.quantize(rows, "int8", scale="per-vector") == ec.quantize(ROWS, "int8", scale="per-vector")
            assert ec.format_floats(rows) == ec.format_floats(ROWS)
            assert np.array_equal(ec.calibrate(rows), ec.calibrate(ROWS))
        assert np.array_equal(ec.pack_bits(short), ec.pack_bits(ROWS))
    bits = np.frombuffer(ROWS.astype(ml_dtypes.bfloat16).tobytes(), "V2").reshape(2, 2)
    assert len(ec.encode_base64(ROWS[0].astype(ml_dtypes.bfloat16))) == 8  # the bytes that its dtype has
    with pytest.raises(TypeError, match=r"not \|V2: where that is bfloat16, .view\(ml_dtypes.bfloat16\)"):
        Embeddings(bits)
    assert Embeddings(bits.view(ml_dtypes.bfloat16)) == Embeddings(ROWS)
    with pytest.raises(TypeError, match=r"not int4$"):
        Embeddings(ROWS.astype(ml_dtypes.int4))


@pytest.mark.parametrize(
    "rows",
    [
        ROWS.astype(">f4"),
        ROWS.astype(">f8"),
        np.asfortranarray(ROWS),
        np.repeat(ROWS, 3, axis=1)[:, ::3],
        ROWS[::-1].copy()[::-1],
        memoryview(ROWS),
        np.lib.stride_tricks.as_strided(ROWS, writeable=False),
        ROWS.astype(np.longdouble),
    ],
    ids=[
        "big-endian",
        "big-endian doubles",
        "Fortran",
        "strided",
        "reversed",
        "memoryview",
        "read-only",
        "long",
    ],
)
def test_any_layout_gives_the_same_bytes(rows: Any) -> None:
    assert ec.to_sqlite_vec(rows) == ec.to_sqlite_vec(ROWS)
    assert ec.to_pgvector(rows) == ec.to_pgvector(ROWS)
    assert np.array_equal(ec.to_faiss(rows), ROWS)
    assert ec.quantize(rows, "int8", scale="per-vector") == ec.quantize(ROWS, "int8", scale="per-vector")


@pytest.mark.parametrize("integers", [np.ones((2, 8), np.int64), np.ones((2, 8), np.uint8), [[1, 2], [3, 4]]])
def test_bare_integers_are_refused_with_both_ways_out(integers: Any) -> None:
    as_float = r"np\.asarray\(\w+, np\.float32\)" if isinstance(integers, list) else r"\.astype\(np\.float32\)"
    for take in TAKE_ROWS[6:10]:
        with pytest.raises(TypeError, match=r'Embeddings\(values, "int8"\).*' + as_float):
            take(integers)
        take(np.asarray(integers).astype(np.float32))


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        ([5.7, 6.2], TypeError, "id 0 is 5.7"),
        ([1, True], TypeError, "id 1 is True"),
        ([1, np.True_], TypeError, "id 1 is np.True_"),
        ([1, 2.0], TypeError, "id 1 is 2.0"),
        ([1, None], TypeError, "id 1 is None"),
        (["a", "b"], TypeError, "id 0 is 'a'"),
        ([1, 2**63], ValueError, f"id 1 is {2**63}: beyond 64 bits"),
        ([1, -(2**63) - 1], ValueError, "id 1 .* beyond 64 bits"),
        (np.array([1, 2**63], np.uint64), ValueError, f"id 1 is {2**63}: beyond 64 bits"),
        (np.array([1.0, 2.0]), TypeError, r"float64: convert them, as with .astype\(np.int64\)"),
        (np.array([True, False]), TypeError, "not bool"),
        (np.ma.masked_array([1, 2], mask=[0, 1]), TypeError, "masked ids"),
        (np.array([[1, 2]]), ValueError, r"shape \(n,\), not \(1, 2\)"),
        ("ab", TypeError, "one a row, not 'ab'"),
        (7, TypeError, "one a row, not 7"),
    ],
)
def test_ids_are_whole_numbers_or_refused(ids: Any, error: type[Exception], words: str) -> None:
    for take in (as_int64, lambda x: FlatIndex(ROWS, ids=x), lambda x: FlatIndex(ROWS).add(ROWS, ids=x)):
        with pytest.raises(error, match=words):
            take(ids)
    if not isinstance(ids, int):
        with pytest.raises((TypeError, ValueError)):
            FlatIndex(ROWS).remove(ids)


def test_a_null_among_ids_is_named_as_one() -> None:
    pyarrow, polars = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    given = [*range(len(ROWS) - 1), None]
    for ids in (pyarrow.array(given), pyarrow.chunked_array([given[:1], given[1:]]), polars.Series(given)):
        with pytest.raises(ValueError, match=rf"^row {len(ROWS) - 1} is null among the ids: drop such rows$"):
            FlatIndex(ROWS, ids=ids)
        with pytest.raises(ValueError, match=rf"^row {len(ROWS) - 1} is null among the mask rows"):
            search(ROWS, ROWS, 1, mask=ids)
    with pytest.raises(ValueError, match="column 'id': row 1 is null"):
        FlatIndex(ROWS, ids=polars.DataFrame({"id": given}))


def test_ids_keep_their_values() -> None:
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    for ids in (
        [3, 9],
        (3, 9),
        np.array([3, 9], ">i2"),
        np.array([3, 9], np.uint64),
        objects(3, np.int8(9)),
        iter([3, 9]),
        range(3, 10, 6),
        pandas.Series([3, 9], dtype="Int64"),
        pandas.Index([3, 9]),
        pyarrow.array([3, 9]),
    ):
        assert as_int64(ids).tolist() == [3, 9]
    assert as_int64([-(2**63), 2**63 - 1]).tolist() == [-(2**63), 2**63 - 1]
    assert as_int64([]).tolist() == []
    for missing in (pandas.Series([3, None], dtype="Int64"), pyarrow.array([3, None])):
        with pytest.raises(ValueError, match="row 1 is"):
            as_int64(missing)
    index = FlatIndex(ROWS, ids=[3, 9])
    with pytest.raises(TypeError, match="mask id 0 is True"):
        index.search(ROWS, 1, mask=[True, 9])
    with pytest.raises(KeyError, match="id 7"):
        index.remove(7)


def test_numbers_of_pythons_own_are_taken_for_what_they_are() -> None:
    tenth, near = Decimal("0.1"), Decimal("1.00000005960464477539062500001")  # which rounded twice is another float32
    rows = [[tenth, near], [Decimal(2), Decimal("-1e-7")]]
    values = [[np.float32(0.1), np.nextafter(np.float32(1), np.float32(2))], [2, np.float32(-1e-7)]]
    import pandas
    import polars

    for x in (
        rows,
        np.array(rows),
        pandas.Series(rows),
        pandas.DataFrame(rows),
        polars.Series(rows),
        polars.DataFrame(rows, orient="row"),
    ):
        assert Embeddings(x).values.tolist() == np.float32(values).tolist()
    assert Embeddings(np.array([[Fraction(1, 4), 2]], object)).values.tolist() == [[0.25, 2]]
    assert Embeddings(np.array([[0.5, Decimal(1)]], object)).values.tolist() == [[0.5, 1]]
    assert np.isnan(Embeddings(np.array([[Decimal("NaN"), Decimal(1)]], object)).values[0, 0])
    with pytest.raises(TypeError, match="whose meaning is unknown"):  # integers may be codes
        search(np.array([[1, 2]], object), np.eye(2), 1)
    for wrong, words in ((True, "is a bool"), (None, "is None"), ("1", "is a str"), (1j, "is a complex")):
        with pytest.raises((TypeError, ValueError), match=f"row 0, element 1 {words}"):
            Embeddings(np.array([[1.0, wrong]], object))


def test_bytes_and_what_is_read_once_have_a_way() -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    rows = [[0.5, -1.0], [2.0, 3.0]]
    blobs = [np.float32(row).tobytes() for row in rows]
    for given in (blobs, np.array(blobs), pd.Series(blobs), pl.Series(blobs)):
        with pytest.raises(TypeError, match=r"embcodec\.from_sqlite_vec\(list\(rows\)\) reads rows that are"):
            Embeddings(given)
    assert ec.from_sqlite_vec(list(pd.Series(blobs))).values.tolist() == rows
    for given in ((row for row in rows), map(list, rows), dict(enumerate(rows)).values(), {"a": rows}):
        with pytest.raises(TypeError, match=r"is no array of numbers: pass list\(x") as caught:
            Embeddings(given)
        assert np.array(eval(str(caught.value).partition("pass ")[2], {"x": given})).size == 4
    with pytest.raises(TypeError, match=r"a set is no array of numbers$"):
        Embeddings({(0.5, 1.0)})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["id", "doc_id", "ID", "index", "Unnamed: 0"])
def test_numbers_of_rows_are_no_dimension(name: str) -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    numbers = {name: [1, 2], "x": [0.5, 2.0], "y": [1.0, 3.0]}
    for frame in (pd.DataFrame(numbers), pl.DataFrame(numbers), pd.DataFrame(numbers).astype({"x": "Float32"})):
        with pytest.raises(TypeError, match="has the rows' numbers, which are no dimension: pass frame") as caught:
            Embeddings(frame)
        found = eval(str(caught.value).partition("pass ")[2], {"frame": frame})
        assert Embeddings(found).values.tolist() == [[0.5, 1.0], [2.0, 3.0]]
    assert Embeddings(pd.DataFrame({name: [1.5, 2.5], "x": [0.5, 2.0]})).values.shape == (2, 2)
    assert Embeddings(pd.DataFrame({"0": [1, 2], "1": [0.5, 2.0]})).values.shape == (2, 2)


class _Bson:
    """A vector as the package bson has it, with as much of it as is asked for."""

    def __init__(self, kind: str, data: list[Any]) -> None:
        self.dtype, self.data = type("", (), {"name": kind}), data

    def as_vector(self) -> Any:
        return self


def test_vectors_of_mongodb() -> None:
    binary = type("Binary", (_Bson,), {"__module__": "bson.binary"})
    rows = [binary("FLOAT32", row) for row in ROWS.tolist()]
    for given in (rows, np.array(rows, object), [rows[0], ROWS[1].tolist()]):
        assert Embeddings(given).values.tolist() == ROWS.tolist()
    codes = [binary("INT8", [1, -2]), binary("INT8", [3, 4])]
    assert Embeddings(codes, "int8").values.tolist() == [[1, -2], [3, 4]]
    with pytest.raises(TypeError, match="bare array of int8"):
        Embeddings(codes)
    bits = [binary("PACKED_BIT", [127, 8])]
    with pytest.raises(TypeError, match="a Binary of packed bits is no row of numbers: Embeddings") as caught:
        Embeddings(bits)
    code = str(caught.value).partition("numbers: ")[2].removesuffix(" reads such")
    found = eval(code, {"Embeddings": Embeddings, "np": np, "rows": bits})
    assert found == Embeddings(np.array([[127, 8]], np.uint8), "ubinary")


def test_a_view_that_negates_is_no_other_numbers() -> None:
    """PyTorch keeps such views as a bit, which DLPack loses."""

    class Tensor:
        def __init__(self, sign: int) -> None:
            self.sign = sign

        def is_neg(self) -> bool:
            return self.sign < 0

        def resolve_neg(self) -> Tensor:
            return Tensor(1)

        def __dlpack__(self, **options: Any) -> Any:
            return ROWS.__dlpack__(**options)

        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

    for read in (Embeddings, ec.from_dlpack):
        with pytest.raises(TypeError, match=r"negates what lies in memory: pass x\.resolve_neg\(\)"):
            read(Tensor(-1))
        assert read(Tensor(-1).resolve_neg()).values.tolist() == ROWS.tolist()


def test_a_column_of_lists_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row by row takes three times as long."""
    pd = pytest.importorskip("pandas")
    rows = [[0.5, 1], (2, -3.0)]
    want = np.array(rows)
    monkeypatch.setattr("embcodec.codec.columns._row", None)
    for column in (pd.Series(rows), np.array([*rows, None], object)[:2]):
        assert np.array_equal(Embeddings(column).values, want)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"row 1: row 0 is missing \(None\)"):
        Embeddings(pd.Series([[1.0], [None]]))
