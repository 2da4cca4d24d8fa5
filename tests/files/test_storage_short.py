"""Floats of two bytes in files and Arrow columns: rounded to the nearest on the way out, float32 on the way in."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pyarrow.parquet
import pytest

import embcodec as ec
from embcodec import Embeddings, StorageError

X = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
X[0, :3] = 0.0, -0.0, 6e-8  # the last is among float16's least
HALVES, BRAINS = X.astype(np.float16), X.astype(ml_dtypes.bfloat16)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".parquet", ".npy"])
def test_float16_in_files(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows{suffix}"
    ec.save(path, X, float_dtype="float16")
    found = ec.load(path)
    assert found == Embeddings(HALVES)
    assert np.array_equal(np.signbit(found.values), np.signbit(X))
    ec.save(tmp_path / f"wide{suffix}", X)
    assert (tmp_path / f"wide{suffix}").stat().st_size - path.stat().st_size > 1.5 * X.size
    if suffix in (".safetensors", ".npy"):
        assert ec.load(path, mmap=True) == found


def test_others_read_them_as_float16(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    for suffix in (".npy", ".npz", ".parquet", ".safetensors"):
        ec.save(tmp_path / f"rows{suffix}", X, float_dtype="float16")
    read: list[Any] = [np.load(tmp_path / "rows.npy"), np.load(tmp_path / "rows.npz")["values"]]
    read.append(safetensors.load_file(tmp_path / "rows.safetensors")["values"])
    read.append(np.array(pyarrow.parquet.read_table(tmp_path / "rows.parquet")["embedding"].to_pylist(), np.float16))
    for found in read:
        assert found.dtype == np.float16
        np.testing.assert_array_equal(found, HALVES)


def test_bfloat16_in_files(tmp_path: Path) -> None:
    ec.save(tmp_path / "rows.safetensors", X, float_dtype="bfloat16")
    for mmap in (False, True):
        assert ec.load(tmp_path / "rows.safetensors", mmap=mmap) == Embeddings(BRAINS)
    assert b'"dtype":"BF16"' in (tmp_path / "rows.safetensors").read_bytes()
    ec.save(tmp_path / "rows.npy", X, float_dtype="bfloat16")
    assert ec.load(tmp_path / "rows.npy", float_dtype="bfloat16") == Embeddings(BRAINS)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy").view(ml_dtypes.bfloat16), BRAINS)


def test_a_changed_bit_of_bfloat16_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "rows.safetensors"
    ec.save(path, X, float_dtype="bfloat16")
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StorageError, match="its checksum differs"):
        ec.load(path)


def test_float16_in_arrow() -> None:
    column, tensors = ec.to_arrow(X, float_dtype="float16"), ec.to_arrow(X, float_dtype="float16", tensors=True)
    assert str(column.type) == "fixed_size_list<item: halffloat>[8]"
    for each in (column, tensors):
        assert ec.from_arrow(each) == Embeddings(HALVES)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    codes = ec.quantize(X / 4, "int8", scale="per-vector")
    for dtype, value in (("float16", 65520.0), ("float16", np.nan), ("bfloat16", 3.4e38), ("bfloat16", -np.inf)):
        rows = X.copy()
        rows[7, 3] = value
        with pytest.raises(StorageError, match=rf"row 7 has a value .* {dtype}: leave out float_dtype='{dtype}'"):
            ec.save(tmp_path / "rows.npy", rows, float_dtype=dtype)  # type: ignore[arg-type]
    for suffix in (".fbin", ".fvecs"):
        with pytest.raises(StorageError, match=rf"a \{suffix} file has no float16; use \.safetensors"):
            ec.save(tmp_path / f"rows{suffix}", X, float_dtype="float16")
    with pytest.raises(ValueError, match="float_dtype='float16' is for floats, not for codes"):
        ec.save(tmp_path / "rows.safetensors", codes, float_dtype="float16")
    with pytest.raises(ValueError, match="float_dtype='float16' is for floats, not int8"):
        ec.to_arrow(codes, float_dtype="float16")
    with pytest.raises(ValueError, match="float_dtype is 'float32', 'float16' or 'bfloat16', not 'half'"):
        ec.save(tmp_path / "rows.npy", X, float_dtype="half")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_rows_too_short_for_float16_bring_a_warning(tmp_path: Path) -> None:
    short = X[1:] * np.float32(1e-9)
    halves = replace(ec.PROFILES["mistral"], base64_dtype="float16")
    ways: list[Any] = [
        lambda rows: ec.save(tmp_path / "x.npy", rows, float_dtype="float16"),
        lambda rows: ec.save(tmp_path / "x.npz", rows, float_dtype="float16"),
        lambda rows: ec.to_arrow(rows, float_dtype="float16"),
        lambda rows: ec.to_redis(rows, float_dtype="float16"),
        lambda rows: ec.to_pgvector(rows, half=True),
        lambda rows: ec.to_pgvector(rows, half=True, text=True),
        lambda rows: ec.write_pgcopy(io.BytesIO(), rows, range(len(rows)), half=True),
        lambda rows: ec.encode_response(rows, model="m", encoding_format="base64", profile=halves),
    ]
    for way in ways:
        with pytest.warns(ec.PrecisionWarning, match="lose 100% of their squared length as float16"):
            way(short)
        way(X)
        way(X[1:] * np.float32(1e-3))
        way(X[:0] if way is ways[0] else X[:1] * 0)
    ec.to_redis(short, float_dtype="bfloat16")
