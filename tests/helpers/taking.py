"""Whatever takes rows, and every kind of column that may hold some."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec as ec
from embcodec import Embeddings

N, DIMENSION = 6, 16
# Halves have these numbers, too, and so do decimals of few digits.
ROWS = np.random.default_rng(1).integers(1, 64, (N, DIMENSION)).astype(np.float32) / 64
ROWS[:, ::3] *= -1
QUERIES = ROWS[:2] + np.float32(0.125)
NUMBERS = np.tile(np.arange(N), (2, 1))
CODES = np.packbits(ROWS > 0, axis=1)
IDS = list("abcdef")


def columns(rows: np.ndarray) -> dict[str, Any]:
    """The same rows in every container that may hold some, its elements as wide as NumPy's."""
    pandas, polars, pyarrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    element = pyarrow.from_numpy_dtype(rows.dtype)
    lists = pyarrow.array(list(rows), pyarrow.list_(element))
    return {
        "list of arrays": list(rows),
        "tuple of arrays": tuple(rows),
        "deque of arrays": deque(rows),  # of batches, to those who take a sample in parts
        "array of objects": objects(rows),
        "strided": np.repeat(rows, 2, axis=1)[:, ::2],
        "another byte order": rows.astype(rows.dtype.newbyteorder()),
        "pandas series of arrays": pandas.Series(list(rows)),
        "pandas series of another index": pandas.Series(list(rows), index=[9, 3, 4, 1, 7, 2]),
        "pandas series of Arrow": pandas.Series(lists, dtype=pandas.ArrowDtype(lists.type)),
        "pandas frame": pandas.DataFrame(rows),
        "polars list": polars.Series(list(rows), dtype=polars.List(polars.Series(rows[0]).dtype)),
        "polars array": polars.Series(rows),
        "polars frame": polars.DataFrame({str(place): column for place, column in enumerate(rows.T)}),
        "pyarrow lists": lists,
        "pyarrow lists of one length": pyarrow.FixedSizeListArray.from_arrays(
            pyarrow.array(rows.ravel()), rows.shape[1]
        ),
        "pyarrow chunks": pyarrow.chunked_array([lists[:2], lists[2:]]),
        "pyarrow slice": pyarrow.concat_arrays([lists[-1:], lists]).slice(1),
        "pyarrow halves": pyarrow.FixedSizeListArray.from_arrays(
            pyarrow.array(rows.astype(np.float16).ravel()), rows.shape[1]
        ),
        "a column by Arrow's protocol": ByArrow(lists),
        "a tensor by DLPack": ByDLPack(rows),
    }


class ByArrow:
    """A column of a library that nobody knows, of one that speaks Arrow."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __arrow_c_array__(self, schema: Any = None) -> Any:
        return self._column.__arrow_c_array__(schema)


class ByDLPack:
    """A tensor of a library that nobody knows, of one that speaks DLPack."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows

    def __dlpack__(self, **options: Any) -> Any:
        return self._rows.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._rows.__dlpack_device__()


def objects(rows: np.ndarray) -> np.ndarray:
    made = np.empty(len(rows), object)
    made[:] = list(rows)
    return made


FITTED = ec.LowBitQuantizer(2, rotation="random").fit(ROWS)
LOW_BIT = FITTED.encode(ROWS)


def collected(rows: Any, folder: Path) -> ec.SearchResult:
    collection = ec.Collection.create(folder / "collection", like=ROWS)
    collection.append(rows)
    return collection.search(QUERIES, N)


def added(rows: Any) -> ec.SearchResult:
    index = ec.FlatIndex(ROWS)
    index.add(rows)
    return index.search(QUERIES, 2 * N)


def saved(rows: Any, path: Path) -> Any:
    ec.save(path, rows)
    return ec.load(path)


def copied(rows: Any) -> Embeddings:
    file = io.BytesIO()
    ec.write_pgcopy(file, rows, range(N))
    file.seek(0)
    return ec.read_pgcopy(file).embeddings


def answered(rows: Any, form: Any) -> Embeddings:
    return ec.decode_response(ec.encode_response(rows, model="m", encoding_format=form)).embeddings


TAKES: dict[str, Callable[[Any, Path], Any]] = {
    "Embeddings": lambda rows, _: Embeddings(rows),
    "quantize int8": lambda rows, _: ec.quantize(rows, "int8", scale="per-vector"),
    "quantize ubinary": lambda rows, _: ec.quantize(rows, "ubinary"),
    "dequantize": lambda rows, _: ec.dequantize(rows),
    "truncate": lambda rows, _: ec.truncate(rows, 4),
    "truncate as they are": lambda rows, _: ec.truncate(rows, 4, normalize=False),
    "calibrate": lambda rows, _: ec.calibrate(rows),
    "calibrate quantile": lambda rows, _: ec.calibrate(rows, method="quantile"),
    "Summary": lambda rows, _: ec.calibrate(ec.Summary().update(rows)),
    "concat": lambda rows, _: ec.concat([rows, rows]),
    "search, queries": lambda rows, _: ec.search(rows, ROWS, N),
    "search, rows": lambda rows, _: ec.search(QUERIES, rows, N),
    "range_search, queries": lambda rows, _: ec.range_search(rows, ROWS, 0.2),
    "range_search, rows": lambda rows, _: ec.range_search(QUERIES, rows, 0.2),
    "rescore, queries": lambda rows, _: ec.rescore(rows, np.tile(np.arange(N), (N, 1)), ROWS, N),
    "rescore, rows": lambda rows, _: ec.rescore(QUERIES, NUMBERS, rows, N),
    "prepare": lambda rows, _: ec.search(ec.prepare(rows, ROWS), ROWS, N),
    "QueryCenter": lambda rows, _: ec.QueryCenter.of(rows).apply(rows),
    "estimate": lambda rows, _: LOW_BIT.estimate(rows),
    "error_bounds": lambda rows, _: LOW_BIT.error_bounds(rows),
    "LowBitQuantizer.fit": lambda rows, _: ec.LowBitQuantizer(2, rotation="random").fit(rows).encode(ROWS).to_float(),
    "LowBitQuantizer.encode": lambda rows, _: FITTED.encode(rows).to_float(),
    "FlatIndex": lambda rows, _: ec.FlatIndex(rows).search(QUERIES, N),
    "FlatIndex.add": lambda rows, _: added(rows),
    "FlatIndex, to rescore": lambda rows, _: ec.FlatIndex(ec.quantize(ROWS, "int8"), rescore_with=rows).search(
        QUERIES, N, exact=True
    ),
    "Collection": collected,
    "save .npy": lambda rows, folder: saved(rows, folder / "rows.npy"),
    "save .parquet": lambda rows, folder: saved(rows, folder / "rows.parquet"),
    "search_files, queries": lambda rows, folder: ec.search_files(rows, [_kept(folder)], N),
    "write_pgcopy": lambda rows, _: copied(rows),
    "to_faiss": lambda rows, _: ec.to_faiss(rows),
    "to_arrow": lambda rows, _: ec.from_arrow(ec.to_arrow(rows)),
    "to_pgvector": lambda rows, _: ec.from_pgvector(ec.to_pgvector(rows)),
    "to_sqlite_vec": lambda rows, _: ec.from_sqlite_vec(ec.to_sqlite_vec(rows)),
    "to_elasticsearch": lambda rows, _: ec.from_elasticsearch(ec.to_elasticsearch(rows)),
    "to_vespa": lambda rows, _: ec.from_vespa(ec.to_vespa(rows)),
    "to_milvus": lambda rows, _: ec.from_milvus(ec.to_milvus(rows)),
    "to_qdrant": lambda rows, _: ec.from_qdrant(ec.to_qdrant(rows)),
    "to_redis": lambda rows, _: ec.from_redis(ec.to_redis(rows)),
    "to_bson_vector": lambda rows, _: ec.from_bson_vector(ec.to_bson_vector(rows)),
    "to_s3_vectors": lambda rows, _: ec.from_s3_vectors(next(ec.to_s3_vectors(rows, IDS)))[0],
    "encode_response": lambda rows, _: answered(rows, "float"),
    "encode_response base64": lambda rows, _: answered(rows, "base64"),
    "format_floats": lambda rows, _: ec.format_floats(rows),
    "pack_bits": lambda rows, _: ec.pack_bits(rows),
    "study": lambda rows, _: [one.overlap for one in ec.study(rows, multipliers=[], codes=["int8"], k=2).measurements],
}
# What writes or says the elements as they are, so that halves are other bytes.
TAKES_ELEMENTS: dict[str, Callable[[Any], Any]] = {
    "encode_base64": ec.encode_base64,
    "unpack_bits": lambda rows: ec.unpack_bits(rows, DIMENSION),
    "Embeddings ubinary": lambda rows: Embeddings(rows, "ubinary"),
    "Embeddings uint8": lambda rows: Embeddings(rows, "uint8"),
}


def _kept(folder: Path) -> Path:
    path = folder / "kept.npy"
    ec.save(path, ROWS)
    return path
