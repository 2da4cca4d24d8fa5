"""What a file says of itself is compared with what is there: rows, words and data."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_files import zigzag

from embcodec import Embeddings, FlatIndex, StorageError, load, pack_bits, quantize, save
from embcodec._native.checksum import crc32
from embcodec._native.core import lib, pointer
from embcodec.containers.checks import check_seal, checksum_of, sealed

X = np.random.default_rng(8).standard_normal((37, 20)).astype(np.float32)


@pytest.mark.parametrize("verify", [None, False, True])
@pytest.mark.parametrize("mmap", [False, True])
def test_data_is_verified_where_that_is_asked_for(tmp_path: Path, mmap: bool, verify: bool | None) -> None:
    path = tmp_path / "a.safetensors"
    save(path, Embeddings(X))
    FlatIndex(X).save(tmp_path / "i.safetensors")
    assert load(path, mmap, verify=verify) == Embeddings(X)
    for name, read in (("a", load), ("i", FlatIndex.load)):
        file = tmp_path / f"{name}.safetensors"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        if verify or (verify is None and not mmap):
            with pytest.raises(StorageError, match="the data is damaged"):
                read(file, mmap=mmap, verify=verify)
        else:
            assert len(read(file, mmap=mmap, verify=verify)) == 37


def parquet(path: Path, *, words: dict[str, str] | None = None, rows: int = 37) -> None:
    """Write a file as `save` does, with other words or fewer rows."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as library

    table = library.read_table(path).slice(0, rows)
    if words is not None:
        table = table.replace_schema_metadata({"embcodec": json.dumps(words)})
    assert pyarrow.types.is_fixed_size_list(table.schema.field(0).type)
    library.write_table(
        table, path, compression="none", use_dictionary=False, write_statistics=False, write_page_checksum=True
    )


def words_of(path: Path) -> dict[str, str]:
    from pyarrow import parquet as library

    found: dict[str, str] = json.loads(library.read_schema(path).metadata[b"embcodec"])
    return found


def test_rows_that_are_missing_from_a_parquet_are_missed(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    for rows in (Embeddings(X), quantize(X, "uint8", scale="per-vector"), Embeddings(pack_bits(X), "ubinary", 20)):
        save(path, rows)
        parquet(path)
        assert load(path) == rows
        parquet(path, rows=36)
        with pytest.raises(StorageError, match="37 rows were written, 36 are there"):
            load(path)


def test_other_words_in_a_parquet_are_seen(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    save(path, Embeddings(pack_bits(X), "ubinary", 20))
    before, words = path.read_bytes(), words_of(path)
    for change in ({"bit_order": "lsb"}, {"dimension": "24"}, {"rows": "38"}, {"data_checksum": "00000000"}):
        path.write_bytes(before)
        parquet(path, words={**words, **change})
        with pytest.raises(StorageError, match="metadata of embcodec is damaged: its checksum differs"):
            load(path)
    for missing in ("rows", "data_checksum", "words_checksum"):
        path.write_bytes(before)
        parquet(path, words={name: word for name, word in words.items() if name != missing})
        with pytest.raises(StorageError, match="is damaged"):
            load(path)


def test_files_of_former_versions_and_of_other_programs_are_read(tmp_path: Path) -> None:
    """A former file has no checksums of ours; one that pyarrow wrote from ours has those of other rows."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as library

    path, rows = tmp_path / "a.parquet", quantize(X, "int8", scale="per-vector")
    save(path, rows)
    words = words_of(path)
    assert {"rows", "data_checksum", "words_checksum"} <= set(words)
    former = {name: word for name, word in words.items() if name not in ("rows", "data_checksum", "words_checksum")}
    parquet(path, words=former)
    assert load(path) == rows
    save(path, rows)
    table = library.read_table(path)
    library.write_table(table.take(pyarrow.array([3, 1])), path)
    assert load(path) == rows[[3, 1]]


def test_a_footer_that_lies_about_rows(tmp_path: Path) -> None:
    """In a file from elsewhere, whose footer nothing protects: each number of rows and values is compared."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as library

    path = tmp_path / "a.parquet"
    library.write_table(pyarrow.table({"vector": list(X), "n": np.arange(37)}), path, row_group_size=20)
    whole = path.read_bytes()
    begin = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for value in (37, 20, 17, 20 * 20, 17 * 20):
        old = zigzag(value)
        places = [at for at in range(begin, len(whole) - 8) if whole.startswith(old, at)]
        assert places
        for at in places:
            for less in (1, 2, 8):
                content = bytearray(whole)
                content[at] ^= 2 * less
                path.write_bytes(content)
                try:
                    found: Any = load(path)
                except StorageError:
                    continue
                assert np.array_equal(found.values, X)


def test_a_seal_is_of_words_rows_and_data() -> None:
    words = sealed({"a": "b"}, X, X[:, 0])
    check_seal(given := dict(words), X, X[:, 0])
    assert given == {"a": "b"}
    check_seal(given, X)
    for arrays in ((X,), (X[::-1], X[:, 0]), (X[:36], X[:36, 0]), (X[:, 0], X)):
        with pytest.raises(StorageError, match=r"damaged|rows were written"):
            check_seal(dict(words), *arrays)


def test_crc32_is_that_of_zlib(isa: str) -> None:
    data = np.random.default_rng(1).integers(0, 256, 5000, np.uint8)
    for length in (*range(200), 255, 256, 257, 1023, 1024, 4096):
        for offset in (0, 1, 3, 7, 15):
            part = data[offset : offset + length]
            for before in (0, 1, 0xFFFFFFFF, 0x9E3779B9):
                expected = zlib.crc32(part, before)
                assert crc32(part, before) == expected
                assert lib.ec_crc32(before, pointer(part), part.nbytes) == expected
    assert checksum_of(X, data) == zlib.crc32(X.tobytes() + data.tobytes())
