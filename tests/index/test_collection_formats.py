"""Folders that former versions wrote, kept as they made them: read, changed, and from then on of this format."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embcodec import Collection, StorageError
from embcodec.index.collection.record import read_record

GOLDEN = Path(__file__).parents[1] / "golden" / "collections"
FORMATS = sorted(path.name for path in GOLDEN.iterdir())
IDS = [0, 2, 3, 70, 90, 91, 92, 93, 94, 95, 96]  # of 0 .. 3, 50, 70, 90, without 1 and 50, then of 91 .. 96


def rows_of(ids: Any) -> Any:
    ids = np.asarray(ids)
    return np.stack([ids % 97 + 1.0, ids // 97], 1).astype(np.float32)


@pytest.fixture(params=FORMATS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a folder: appends with and without ids, texts, a file that was ingested, rows that were removed."""
    return shutil.copytree(GOLDEN / request.param, tmp_path / "c")


def check(folder: Path, ids: list[int]) -> None:
    """Look at all that there is."""
    collection = Collection.open(folder)
    assert sorted(collection.ids.tolist()) == sorted(ids)
    for shard in collection._folder.shards():
        np.testing.assert_array_equal(shard.codes.rows.values, rows_of(shard.ids))
    found = collection.search(np.ones(2, np.float32), len(ids), metric="dot")
    assert set(found.indices.tolist()) == set(ids)
    taken = read_record(collection._folder)["/tmp/taken.npy"]
    assert (taken.rows, taken.whole) == (3, True)
    if find_spec("pyarrow") is not None:
        assert collection.text_ids([90, 91, 92, 93]) == [None, "red", "blue", None]


def test_formats() -> None:
    assert FORMATS == ["format-1", "format-2"]


def test_former_formats_are_read(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    check(folder, IDS)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


@pytest.mark.parametrize("change", ["append", "remove", "compact", "ingest"])
def test_a_change_makes_a_new_one_of_them(folder: Path, change: str) -> None:
    collection, reader, ids = Collection.open(folder), Collection.open(folder), list(IDS)
    if change == "append":
        assert collection.append(rows_of([97])).tolist() == [97]
        ids.append(97)
    elif change == "remove":
        collection.remove([0, 70, 90])  # of one file all rows
        ids = [i for i in ids if i not in (0, 70, 90)]
    elif change == "compact":
        if find_spec("pyarrow") is None:
            pytest.skip("texts are joined by pyarrow")
        collection.compact()
        assert len(collection._folder.now.shards) == 1
    else:
        np.save(folder.parent / "more.npy", rows_of([97, 98]))
        assert collection.ingest(folder.parent / "more.npy") == 2
        ids += [97, 98]
    assert b'"embcodec collection 3"' in (folder / "collection.json").read_bytes()
    reader.refresh()
    assert sorted(reader.ids.tolist()) == sorted(collection.ids.tolist()) == sorted(ids)
    check(folder, ids)


@pytest.mark.skipif(os.name != "posix", reason="no file of rows says itself that it counts on Windows")
@pytest.mark.parametrize("stays", [False, True])
@pytest.mark.parametrize("change", ["append", "remove", "fails"])
def test_a_file_that_is_left_over_becomes_no_rows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: str, stays: bool
) -> None:
    """Though it says that it counts, as a file of this format does, and it is the one that would be next."""
    later = shutil.copytree(folder, folder.parent / "later")
    Collection.open(later).append(rows_of([97, 98]))
    Collection.open(later).append(rows_of([99]))
    left = [f"rows-{number:08d}.safetensors" for number in (6, 7)]
    for name in left:
        shutil.copy(later / name, folder)
    assert sorted(Collection.open(folder).ids.tolist()) == IDS
    real = os.unlink

    def unlink(path: Any) -> None:
        if stays and os.path.basename(path) in left:
            raise PermissionError("not yours")
        real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", unlink)
        collection = Collection.open(folder)
        if change == "append":
            collection.append(rows_of([97]))
        elif change == "remove":
            collection.remove([0])
        else:
            with pytest.raises(KeyError):
                collection.remove([1])
        ids = {"append": [*IDS, 97], "remove": IDS[1:], "fails": IDS}[change]
        for opened in (collection, Collection.open(folder)):
            assert sorted(opened.ids.tolist()) == ids
        collection.append(rows_of([200]), ids=[200])
        check(folder, [*ids, 200])
    assert {name for name in left if (folder / name).exists()} - collection._folder.now.files == set(left[: 2 * stays])


def test_numbers_of_files_end(tmp_path: Path) -> None:
    """Longer names are none of the format, and a manifest that had one could not be read."""
    shutil.copytree(GOLDEN / "format-2", tmp_path / "c")
    (tmp_path / "c" / "rows-99999999.safetensors").mkdir()  # which is not removed
    collection = Collection.open(tmp_path / "c")
    with pytest.raises(StorageError, match="no file of rows has a number above 99,999,999"):
        collection.append(rows_of([97]))
    check(tmp_path / "c", IDS)
    (tmp_path / "c" / "rows-99999999.safetensors").rmdir()
    collection.append(rows_of([97]))
    check(tmp_path / "c", [*IDS, 97])
