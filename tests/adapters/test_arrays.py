"""What sentence-transformers gives, a scikit-learn transformer, columns of datasets and of polars."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec
from embcodec import Embeddings, OutputDtype, PrecisionWarning, Scale, quantize, search, truncate
from embcodec.adapters import from_sentence_transformers

RNG = np.random.default_rng(4)
ROWS = truncate(RNG.standard_normal((50, 20)), 20)
RANGES = np.stack([ROWS.min(axis=0), ROWS.max(axis=0)])
pytestmark = pytest.mark.filterwarnings("ignore:::(?!embcodec)")  # what others warn of is theirs


def quantize_embeddings(embeddings: Any, precision: str, ranges: Any) -> Any:
    """What sentence-transformers 6 does to floats, line by line."""
    if precision == "float32":
        return embeddings.astype(np.float32)
    if precision.endswith("int8"):
        starts = ranges[0, :]
        steps = (ranges[1, :] - starts) / 255
        steps = np.where(steps == 0, 1, steps)
        codes = np.clip(np.floor((embeddings - starts) / steps), 0, 255)
        return codes.astype(np.uint8) if precision == "uint8" else (codes - 128).astype(np.int8)
    packed = np.packbits(embeddings > 0, axis=-1)
    return (packed - 128).astype(np.int8) if precision == "binary" else packed


class Tensor:
    """As much of torch's as is asked for."""

    def __init__(self, array: Any, dtype: str = "torch.float32") -> None:
        self.array, self.dtype, self.steps = array, dtype, ""

    def detach(self) -> Tensor:
        self.steps += "detach "
        return self

    def cpu(self) -> Tensor:
        self.steps += "cpu "
        return self

    def float(self) -> Tensor:
        return Tensor(self.array)

    def numpy(self) -> Any:
        if "bfloat16" in self.dtype:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
def test_what_encode_gives_is_read_as_it_is_meant(precision: str) -> None:
    codes = quantize_embeddings(ROWS, precision, RANGES)
    wishes: dict[str, Any] = {"ranges": RANGES} if precision.endswith("int8") else {}
    wishes |= {"dimension": 20} if precision.endswith("binary") else {}
    dtype = "float" if precision == "float32" else precision
    want = quantize(ROWS, dtype, scale=RANGES) if wishes.get("ranges") is not None else Embeddings(ROWS).to(dtype)
    forms = [codes, Tensor(codes), list(codes), [Tensor(row) for row in codes], tuple(codes)]
    forms += [[{"sentence_embedding": row, "token_embeddings": None} for row in codes]]
    for form in forms:
        found = from_sentence_transformers(form, precision, **wishes)
        assert found == want
        found = search(found[:5], found, 1)
        assert found.indices[:, 0].tolist() == list(range(5))
    for one in (codes[3], Tensor(codes[3]), {"sentence_embedding": codes[3]}):
        assert from_sentence_transformers(one, precision, **wishes) == want[3]


def test_floats_need_no_word_and_other_floats_are_read_too() -> None:
    assert from_sentence_transformers(ROWS) == Embeddings(ROWS)
    with pytest.raises(ValueError, match=r"row 1 is no vector, but of shape \(2, \d+\), a vector a token: encode\("):
        from_sentence_transformers([ROWS[0], ROWS[:2]])
    assert from_sentence_transformers(ROWS.astype(np.float16)).output_dtype == "float"
    assert from_sentence_transformers(Tensor(ROWS, "torch.bfloat16")) == Embeddings(ROWS)


@pytest.mark.parametrize(
    ("rows", "wishes", "kind", "words"),
    [
        (np.zeros((1, 8), np.int8), {}, TypeError, "may be numbers or bits: say precision="),
        (
            np.zeros((1, 8), np.int8),
            {"precision": "int8"},
            ValueError,
            r"quantize_embeddings\(floats, precision, ranges",
        ),
        (np.zeros((1, 8), np.int8), {"precision": "ubinary"}, TypeError, "are uint8, not int8"),
        (np.zeros((1, 8), np.float32), {"precision": "int8"}, TypeError, "are int8, not float32"),
        (np.zeros((1, 8), np.float32), {"precision": "float"}, ValueError, "unknown precision 'float'"),
        ([], {}, ValueError, "no rows"),
        ([{"other": 1}], {}, ValueError, "no 'sentence_embedding' among"),
    ],
)
def test_what_cannot_be_read_is_said(rows: Any, wishes: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        from_sentence_transformers(rows, **wishes)


class TestScikitLearn:
    @pytest.fixture(autouse=True)
    def needs(self) -> None:
        pytest.importorskip("sklearn")

    @pytest.mark.parametrize("output", ["floats", "codes"])
    @pytest.mark.parametrize("dtype", list(OutputDtype))
    def test_transform_is_what_quantize_gives(self, dtype: OutputDtype, output: Any) -> None:
        from embcodec.adapters import CodeTransformer

        for scale in ("unit", "per-vector", "ranges", RANGES):
            made = CodeTransformer(dtype, scale=scale, output=output).fit(ROWS)
            known = RANGES if scale is not RANGES and scale == "ranges" else scale
            if dtype == "float":
                want = Embeddings(ROWS)
            else:
                want = quantize(ROWS, dtype) if dtype.is_packed else quantize(ROWS, dtype, scale=known)
            assert made.embed(ROWS) == want
            np.testing.assert_array_equal(made.transform(ROWS), want.to_float() if output == "floats" else want.values)
            assert len(made.get_feature_names_out()) == made.transform(ROWS).shape[1]

    @pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
    def test_scikit_learns_own_checks(self) -> None:
        from sklearn.utils.estimator_checks import estimator_checks_generator

        from embcodec.adapters import CodeTransformer

        for wishes in ({}, {"output_dtype": "ubinary", "output": "codes"}, {"scale": "ranges"}):
            for estimator, check in estimator_checks_generator(CodeTransformer(**wishes)):
                check(estimator)

    def test_in_a_pipeline_a_search_and_a_clone(self) -> None:
        from sklearn.base import clone
        from sklearn.model_selection import GridSearchCV
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import Pipeline

        from embcodec.adapters import CodeTransformer

        made = Pipeline([("codes", CodeTransformer()), ("near", KNeighborsClassifier(3))])
        asked = {"codes__output_dtype": ["float", "int8", "ubinary"], "codes__scale": ["per-vector", "ranges"]}
        found = GridSearchCV(made, asked, cv=3).fit(ROWS, ROWS[:, 0] > 0)
        assert found.best_score_ > 0.6
        again = clone(found.best_estimator_)
        assert again.get_params()["codes__output_dtype"] in asked["codes__output_dtype"]
        assert not hasattr(again[0], "ranges_")

    def test_names_are_those_of_the_features(self) -> None:
        pandas = pytest.importorskip("pandas")
        from embcodec.adapters import CodeTransformer

        frame = pandas.DataFrame(ROWS, columns=[f"d{number}" for number in range(20)])
        made = CodeTransformer("int8").set_output(transform="pandas").fit(frame)
        assert list(made.transform(frame).columns) == list(frame.columns)
        made = CodeTransformer("ubinary", output="codes").set_output(transform="pandas").fit(frame)
        assert list(made.transform(frame).columns) == ["codetransformer0", "codetransformer1", "codetransformer2"]


class TestDatasets:
    @pytest.fixture(autouse=True)
    def needs(self) -> None:
        pytest.importorskip("datasets")

    @pytest.mark.parametrize("scale", ["unit", "per-vector"])
    @pytest.mark.parametrize("dtype", list(OutputDtype))
    def test_a_column_of_codes_has_a_fixed_length(self, dtype: OutputDtype, scale: Any) -> None:
        import datasets

        from embcodec.adapters import encode_dataset

        data = datasets.Dataset.from_dict({"id": list(range(50)), "vector": ROWS.tolist()})
        coded = encode_dataset(data, "vector", dtype, into="code", scale=scale, batch_size=7)
        want = (
            Embeddings(ROWS)
            if dtype == "float"
            else quantize(ROWS, dtype, **({} if dtype.is_packed else {"scale": scale}))
        )
        kind = coded.data.table.schema.field("code").type
        assert kind.list_size == want.values.shape[1]
        assert str(kind.value_type) == {"float32": "float"}.get(str(want.values.dtype), str(want.values.dtype))
        np.testing.assert_array_equal(np.array(coded["code"], want.values.dtype), want.values)
        assert coded["id"] == list(range(50)) or list(coded["id"]) == list(range(50))
        has_scales = scale == "per-vector" and dtype in ("int8", "uint8")
        assert ("code_scale" in coded.column_names) == has_scales
        if has_scales:
            rows = Embeddings(
                np.array(coded["code"], want.values.dtype), dtype, scale=Scale.per_vector(list(coded["code_scale"]))
            )
            assert rows == want
        assert "vector" in coded.column_names

    def test_a_column_is_replaced_and_wrong_ones_are_named(self) -> None:
        import datasets

        from embcodec.adapters import encode_dataset

        data = datasets.Dataset.from_dict({"vector": ROWS.tolist()})
        assert encode_dataset(data, "vector", "ubinary").column_names == ["vector"]
        with pytest.raises(ValueError, match="no column 'vectors': the dataset has vector"):
            encode_dataset(data, "vectors", "int8")
        with pytest.raises(ValueError, match="no rows"):
            encode_dataset(data.select([]), "vector", "int8")
        for rows, words in (
            ([[1.0, 2.0], [1.0]], "rows 0 to 1: rows have different lengths: row 0 has 2 numbers, row 1 has 1"),
            ([[1.0], None], r"rows 0 to 1: row 1 is missing \(None\), not a row of numbers"),
            ([[1.0, 2.0], [1.0, None]], "rows 0 to 1: the array holds objects, not numbers: row 1, element 1 is None"),
            (["a", "b"], "the column holds <U1 of shape .* a row, no vectors of numbers"),
        ):
            with pytest.raises((TypeError, ValueError), match=words):
                encode_dataset(datasets.Dataset.from_dict({"vector": rows}), "vector", "int8")


class TestPolars:
    @pytest.fixture(autouse=True)
    def needs(self) -> None:
        pytest.importorskip("polars")
        import embcodec.adapters.polars  # noqa: F401

    @pytest.mark.parametrize("dtype", list(OutputDtype))
    def test_columns_of_codes(self, dtype: OutputDtype) -> None:
        import polars as pl

        want = Embeddings(ROWS).to(dtype)
        for form in (ROWS, ROWS.tolist()):
            column = pl.Series("vector", form)
            assert column.embcodec.rows() == Embeddings(ROWS)
            codes = column.embcodec.to(dtype)
            assert (codes.name, codes.dtype.shape) == ("vector", (want.values.shape[1],))
            np.testing.assert_array_equal(codes.to_numpy(), want.values)
            assert codes.embcodec.rows(dtype, 20) == want
            frame = column.to_frame()
            lists = frame.select(pl.col("vector").embcodec.to(dtype))["vector"]
            assert lists.dtype == pl.List(codes.dtype.inner)
            assert lists.to_list() == want.values.tolist()
            told = pl.col("vector").embcodec.to(dtype, dimension=20).alias("code")
            assert frame.lazy().with_columns(told).collect()["code"].equals(codes.rename("code"))

    def test_search_and_scales(self) -> None:
        import polars as pl

        column = pl.Series("vector", ROWS)
        found = column.embcodec.search(ROWS[:3], k=2, metric="dot")
        np.testing.assert_array_equal(found.indices, search(ROWS[:3], ROWS, 2, metric="dot").indices)
        codes = column.embcodec.to("uint8", scale=RANGES)
        assert codes.embcodec.rows("uint8", scale=Scale.ranges(RANGES)) == quantize(ROWS, "uint8", scale=RANGES)
        for scale in ("per-vector", Scale.per_vector(np.ones(50))):
            with pytest.raises(ValueError, match="no room for per-vector scales"):
                column.embcodec.to("int8", scale=scale)
            with pytest.raises(ValueError, match="no room for per-vector scales"):
                pl.col("vector").embcodec.to("int8", scale=scale)
        with pytest.warns(PrecisionWarning, match="lie outside"):
            (column.to_frame().select(pl.col("vector") * 20.0))["vector"].embcodec.to("int8")


def test_adapters_are_imported_one_by_one(tmp_path: Path) -> None:
    """To ask for one needs its own library, and no other's."""
    code = (
        "import sys, embcodec.adapters as adapters\n"
        "assert set(dir(adapters)) == set(adapters.__all__)\n"
        "adapters.TextStore, adapters.CachedEmbedder, adapters.from_sentence_transformers\n"
        "heavy = {'langchain_core', 'llama_index', 'haystack', 'sklearn', 'datasets', 'polars', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "for name in heavy: sys.modules[name] = None\n"
        "for name, extra in [('LangChainEmbeddings', 'langchain'), ('LlamaIndexEmbedding', 'llama-index'),\n"
        "                    ('HaystackTextEmbedder', 'haystack'), ('CodeTransformer', 'sklearn')]:\n"
        "    try: getattr(adapters, name)\n"
        "    except ModuleNotFoundError as error: assert f\"pip install 'embcodec[{extra}]'\" in str(error), error\n"
        "    else: raise AssertionError(name)\n"
        "try: adapters.encode_dataset(None, 'a', 'int8')\n"
        "except ModuleNotFoundError as error: assert 'embcodec[datasets]' in str(error), error\n"
        "try: import embcodec.adapters.polars\n"
        "except ModuleNotFoundError as error: assert 'embcodec[polars]' in str(error), error\n"
        "print('well')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "well", done.stderr
    assert not hasattr(embcodec.adapters, "nothing") if hasattr(embcodec, "adapters") else True
