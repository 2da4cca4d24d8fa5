"""Rows of every kind, number and dimension, there and back: what returns is what went, or nothing went."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embcodec as ec
from embcodec import Embeddings, LowBitCodes, quantize

RNG = np.random.default_rng(3)
COUNTS, DIMENSIONS = (0, 1, 7, 8, 9), (1, 7, 8, 9, 63, 64, 65)
Rows = Embeddings | LowBitCodes
SUFFIXES = (".safetensors", ".npz", ".parquet", ".npy", ".fbin", ".i8bin", ".u8bin", ".fvecs", ".bvecs")


def kinds(count: int, dimension: int) -> Iterator[Rows]:
    x = RNG.standard_normal((count, dimension)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    yield Embeddings(x)
    ranges = np.stack([np.full(dimension, -1, np.float32), np.ones(dimension, np.float32)])
    for dtype, scale in product(("int8", "uint8"), ("unit", "per-vector", ranges)):
        yield quantize(x, dtype, scale=scale)  # type: ignore[arg-type,call-overload]
    for order in ("msb", "lsb"):
        yield quantize(x, "ubinary", bit_order=order)  # type: ignore[arg-type]
        for signed in ("offset", "twos-complement"):
            yield quantize(x, "binary", bit_order=order, signed_bytes=signed)  # type: ignore[arg-type]
    if dimension >= 8 and count > 1:
        for bits in (1, 4):
            fitted = ec.LowBitQuantizer(bits, rotation="none").fit(RNG.standard_normal((40, dimension)))
            yield fitted.encode(x)


def alike(found: Any, rows: Rows) -> bool:
    if isinstance(rows, LowBitCodes):
        same = isinstance(found, LowBitCodes) and found.scheme.identity == rows.scheme.identity
        return same and np.array_equal(found.to_float(), rows.to_float())
    if found.output_dtype.is_packed and rows.output_dtype.is_packed:  # stores have conventions of their own
        found = found.to(rows.output_dtype, signed_bytes=rows.signed_bytes, bit_order=rows.bit_order)
    return bool(found == rows)


def in_file(folder: Path, suffix: str, rows: Rows) -> Iterator[Any]:
    path = folder / f"x{suffix}"
    ec.save(path, rows)
    said: dict[str, Any] = {}
    if isinstance(rows, Embeddings):
        said = {"output_dtype": rows.output_dtype, "dimension": rows.dimension}
    yield ec.load(path, **said)
    if suffix in (".safetensors", ".npy", ".fbin", ".i8bin", ".u8bin"):
        yield ec.load(path, mmap=True, **said)
    if len(rows):
        yield ec.concat([some for some, _ in ec.iter_load(path, batch_rows=3, **said)])


def in_store(store: str, rows: Embeddings) -> Any:
    sent = getattr(ec, f"to_{store}")(rows)
    if store == "pgvector":
        return ec.from_pgvector(sent)
    dtype = "ubinary" if rows.output_dtype == "binary" else str(rows.output_dtype)
    scale = {} if rows.scale is None or rows.scale.kind != "unit" else {"scale": rows.scale}
    return getattr(ec, f"from_{store}")(sent, dtype, **scale)


def in_a_copy(rows: Embeddings) -> Any:
    file = io.BytesIO()
    ec.write_pgcopy(file, rows, range(len(rows)))
    return ec.read_pgcopy(io.BytesIO(file.getvalue())).embeddings


def in_a_body(rows: Embeddings, encoding: Any) -> Any:
    text = ec.encode_response(rows, model="m", encoding_format=encoding)
    return ec.decode_response(text, output_dtype=rows.output_dtype, dimension=rows.dimension).embeddings  # type: ignore[arg-type]


WAYS: dict[str, Callable[[Embeddings], Any]] = {
    **{
        store: lambda rows, store=store: in_store(store, rows)  # type: ignore[misc]
        for store in ("elasticsearch", "milvus", "pgvector", "qdrant", "redis", "sqlite_vec", "vespa")
    },
    "text of pgvector": lambda rows: ec.from_pgvector(ec.to_pgvector(rows, text=True)),
    "a COPY": in_a_copy,
    "lists in a body": lambda rows: in_a_body(rows, "float"),
    "base64 in a body": lambda rows: in_a_body(rows, "base64"),
}


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_there_and_back(tmp_path: Path, dimension: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)  # of some thousand files, none of which has to outlive a crash
    arrow = pytest.importorskip("pyarrow") is not None
    for count in COUNTS:
        for rows in kinds(count, dimension):
            turned = RNG.permutation(count)
            halves = [rows[: count // 2], rows[count // 2 :]]
            for found in (
                pickle.loads(pickle.dumps(rows)),
                copy.deepcopy(rows),
                rows[turned][np.argsort(turned)],
                rows[::-1][::-1],
                ec.concat(halves),
            ):
                assert alike(found, rows), f"{rows!r}: {found!r}"
            for suffix in SUFFIXES if count in (0, 9) else SUFFIXES[:1]:
                try:
                    for found in in_file(tmp_path, suffix, rows):
                        assert alike(found, rows), f"{rows!r} in {suffix}: {found!r}"
                except ec.StorageError:
                    assert suffix not in (".safetensors", ".npz"), f"{rows!r} in {suffix}"
            if not isinstance(rows, Embeddings):
                continue
            if arrow:
                assert ec.from_arrow(ec.to_arrow(rows)) == rows
            for name, way in WAYS.items():
                try:
                    found = way(rows)
                except (ec.EmbcodecError, ValueError):
                    continue
                assert alike(found, rows), f"{rows!r}, {name}: {found!r}"
