"""FlatIndex: results as search gives them, whatever was added, removed, saved or searched meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embcodec import CodeMismatchError, Embeddings, FlatIndex, StorageError, rescore, search


def floats(n: int, dimension: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, dimension**-0.5, (n, dimension)).astype(np.float32)


def codes_of(x: np.ndarray, kind: str) -> Embeddings:
    scales: dict[str, Any] = {"per-vector": "per-vector", "ranges": np.stack([x.min(0), x.max(0)])}
    dtype, _, scale = kind.partition("/")
    return Embeddings(x).to(dtype, scale=scales[scale]) if scale else Embeddings(x).to(dtype)


KINDS = ("float", "int8", "uint8", "binary", "ubinary", "int8/per-vector", "uint8/ranges")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_as_search(kind: str, metric: str) -> None:
    x, q = floats(300), floats(7, seed=1)
    rows = codes_of(x, kind)
    index = FlatIndex(rows[:100])
    for start in (100, 101, 250):
        index.add(rows[start : {100: 101, 101: 250, 250: 300}[start]])
        index.search(q, 3, metric=metric)  # lengths are counted in steps
    expected = search(q, rows, 9, metric=metric)
    result = index.search(q, 9, metric=metric)
    assert np.array_equal(result.indices, expected.indices)
    assert np.array_equal(result.scores, expected.scores)
    assert len(index) == 300
    assert index.codes == rows
    assert np.array_equal(index.search(q[0], 9, metric=metric).indices, expected.indices[0])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2**32 - 1)), max_size=12), st.sampled_from(KINDS[:5]))
def test_add_and_remove_against_a_dictionary(steps: list[tuple[bool, int]], kind: str) -> None:
    x = floats(400, 16)
    rows = codes_of(x, kind)
    index = FlatIndex(rows[:5], rescore_with=x[:5])
    model: dict[int, int] = {i: i for i in range(5)}  # id -> row of x, in order
    used, next_id = 5, 5
    for is_add, seed in steps:
        rng = np.random.default_rng(seed)
        if is_add:
            count = int(rng.integers(0, 30))
            ids = None
            if rng.random() < 0.5:
                ids = next_id + rng.permutation(50)[:count]
            got = index.add(rows[used : used + count], rescore_with=x[used : used + count], ids=ids)
            assert got.tolist() == (list(range(next_id, next_id + count)) if ids is None else ids.tolist())
            model.update(zip(got.tolist(), range(used, used + count), strict=True))
            next_id = max([next_id, *(i + 1 for i in got.tolist())])
            used += count
        elif model:
            gone = rng.choice(list(model), size=int(rng.integers(0, len(model) + 1)), replace=False)
            index.remove(gone)
            for i in gone.tolist():
                del model[i]
    assert index.ids.tolist() == list(model)
    at = np.array(list(model.values()), np.int64)
    names = np.array([*model, -1], np.int64)
    q = floats(3, 16, seed=9)
    expected = search(q, rows[at], 4)
    result = index.search(q, 4, rescore_multiplier=None)
    assert np.array_equal(result.indices, names[expected.indices])
    assert np.array_equal(result.scores, expected.scores)
    both = index.search(q, 2, rescore_multiplier=2)
    better = rescore(q, expected.indices, x[at], 2)
    assert np.array_equal(both.indices, names[better.indices])
    assert np.array_equal(both.scores, better.scores)


def test_floats_are_encoded_for_both_kinds_of_rows() -> None:
    x = floats(50)
    index = FlatIndex(Embeddings(x[:30]).to("ubinary"), rescore_with=codes_of(x[:30], "int8/per-vector"))
    assert index.add(x[30:]).tolist() == list(range(30, 50))
    assert index.codes == Embeddings(x).to("ubinary")
    assert index.rescore_with == codes_of(x, "int8/per-vector")
    assert index.nbytes == index.codes.nbytes + index.rescore_with.nbytes
    assert "50 x 40" in repr(index)


def test_stages() -> None:
    """Every stage keeps what it says, and more candidates never make the best of them worse."""
    x = floats(2000, 64)
    q = x[:20] + 0.7 * floats(20, 64, seed=3)
    truth = search(q, x, 10)
    index = FlatIndex(Embeddings(x).to("ubinary"), rescore_with=x)

    def recall(**how: Any) -> float:
        found = index.search(q, 10, **how)
        return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.indices, truth.indices, strict=True)])

    bits, four, forty = recall(rescore_multiplier=None), recall(), recall(rescore_multiplier=40)
    assert bits < four < forty
    assert recall(rescore_multiplier=200) == 1
    assert bits < recall(three_stage=True) <= four + 0.05
    assert recall(three_stage=True, rescore_multiplier=200) == 1
    everything = index.search(q, 10, rescore_multiplier=200)
    assert np.array_equal(everything.indices, truth.indices)
    assert np.array_equal(everything.scores, truth.scores)
    without = FlatIndex(Embeddings(x).to("ubinary")).search(q, 5, three_stage=True)
    assert without.indices.shape == (20, 5)
    with pytest.raises(CodeMismatchError, match="three stages"):
        FlatIndex(x).search(q, 5, three_stage=True)
    with pytest.raises(CodeMismatchError, match="rescore_multiplier=None"):
        index.search(index.codes[:3], 5)
    assert index.search(index.codes[:3], 1, rescore_multiplier=None).indices[:, 0].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="rescore_multiplier"):
        index.search(q, 5, rescore_multiplier=0.5)


def test_masks_are_rows_or_ids() -> None:
    x = floats(100)
    index = FlatIndex(Embeddings(x).to("int8"), rescore_with=x, ids=np.arange(100) * 3 + 7)
    q = floats(4, seed=5)
    chosen = np.arange(100) % 7 == 2
    by_rows = index.search(q, 5, mask=chosen)
    by_ids = index.search(q, 5, mask=index.ids[chosen])
    assert np.array_equal(by_rows.indices, by_ids.indices)
    assert set(by_rows.indices.ravel()) <= set(index.ids[chosen])
    assert index.search(q, 5, mask=[]).indices.shape == (4, 0)
    with pytest.raises(ValueError, match="id 8"):
        index.search(q, 5, mask=[8])
    with pytest.raises(ValueError, match="repeats"):
        index.search(q, 5, mask=[7, 7])


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_save_and_load(tmp_path: Path, kind: str, mmap: bool) -> None:
    x, q = floats(60), floats(3, seed=2)
    index = FlatIndex(codes_of(x, kind), rescore_with=x, ids=np.arange(60)[::-1].copy())
    index.remove([59, 3])
    path = tmp_path / "index.safetensors"
    index.save(path)
    again = FlatIndex.load(path, mmap=mmap)
    assert again.codes == index.codes
    assert np.array_equal(again.ids, index.ids)
    assert again.add(x[:1]).tolist() == [60]
    again.remove([60])
    for how in ({}, {"rescore_multiplier": None}):
        a, b = index.search(q, 5, **how), again.search(q, 5, **how)
        assert np.array_equal(a.indices, b.indices)
        assert np.array_equal(a.scores, b.scores)
    again.save(path)  # over the file that is mapped
    assert np.array_equal(FlatIndex.load(path).ids, index.ids)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "index.safetensors"
    FlatIndex(floats(10), ids=range(10)).save(path)
    content = path.read_bytes()
    for cut in (0, 7, 100, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(StorageError):
            FlatIndex.load(path)
    from embcodec import save

    save(path, Embeddings(floats(3)))
    with pytest.raises(StorageError, match="not an index"):
        FlatIndex.load(path)
    with pytest.raises(StorageError, match="safetensors"):
        FlatIndex(floats(1)).save(tmp_path / "index.npy")


def test_failed_changes_change_nothing() -> None:
    x = floats(10)
    index = FlatIndex(Embeddings(x).to("int8"), rescore_with=x)
    bad = x.copy()
    bad[3, 3] = np.nan
    for change, error in (
        (lambda: index.add(bad), ValueError),
        (lambda: index.add(Embeddings(x).to("int8")), ValueError),
        (lambda: index.add(Embeddings(x).to("uint8"), rescore_with=x), CodeMismatchError),
        (lambda: index.add(x, rescore_with=x[:3]), ValueError),
        (lambda: index.add(x[:, :5]), CodeMismatchError),
        (lambda: index.add(x, ids=[1]), ValueError),
        (lambda: index.add(x[:2], ids=[20, 20]), ValueError),
        (lambda: index.add(x[:2], ids=[20, 4]), ValueError),
        (lambda: index.add(x[:1], ids=[-4]), ValueError),
        (lambda: index.add(x[:1], ids=[0.5]), TypeError),
        (lambda: index.remove([2, 11]), KeyError),
        (lambda: FlatIndex(bad), ValueError),
        (lambda: FlatIndex(np.zeros((2, 2), np.int8)), TypeError),
        (lambda: FlatIndex(x, rescore_with=x[:2]), ValueError),
    ):
        with pytest.raises(error):
            change()
        assert len(index) == len(index.rescore_with) == len(index.ids) == 10
    assert index.ids.tolist() == list(range(10))


def test_ids_that_cannot_be_are_named() -> None:
    x = floats(3)
    with pytest.raises(ValueError, match=r"an id is given twice: 7$"):
        FlatIndex(x, ids=[7, 5, 7])
    for names in (["a", "b", "c"], np.array(["a", "b", "c"]), pandas.Series(["a", "b", "c"])):
        with pytest.raises(TypeError, match="leave ids out, and look the result's indices up in the names"):
            FlatIndex(x, ids=names)
    with pytest.raises(TypeError, match="whole number") as error:
        FlatIndex(x, ids=[0.5, 1, 2])
    assert "names" not in str(error.value)


def test_an_empty_index() -> None:
    index = FlatIndex(np.empty((0, 40), np.float32))
    assert index.search(floats(2), 3).indices.shape == (2, 0)
    assert index.add(floats(4)).tolist() == [0, 1, 2, 3]
    assert index.search(floats(2), 1).indices[:, 0].tolist() == [0, 1]
    index.remove([0, 1, 2, 3])
    assert index.search(floats(2), 3).indices.shape == (2, 0)
    assert index.add(floats(1)).tolist() == [4]


def test_searches_while_another_thread_changes_the_index() -> None:
    x = floats(1200, 24)
    index = FlatIndex(Embeddings(x[:200]).to("ubinary"), rescore_with=x[:200])
    errors: list[BaseException] = []
    done = threading.Event()

    def look() -> None:
        try:
            while not done.is_set():
                scores, ids = index.search(x[:8], 3, threads=1)
                assert (ids[:, 0] == np.arange(8)).all()  # rows 0 .. 7 stay, and are nearest to themselves
                assert np.allclose(scores[:, 0], 1, atol=1e-5)
        except BaseException as error:
            errors.append(error)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    for start in range(200, 1200, 50):
        ids = index.add(x[start : start + 50])
        index.remove(ids[::2])
    done.set()
    for looker in lookers:
        looker.join()
    assert not errors, errors[0]
    assert len(index) == 200 + 20 * 25


def test_a_mapped_index_is_compared_with_its_checksum_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "index.safetensors"
    rows = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    FlatIndex(rows).save(path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert len(FlatIndex.load(path, mmap=True)) == 40
    assert len(FlatIndex.load(path, verify=False)) == 40
    asked: tuple[dict[str, Any], ...] = ({}, {"verify": True}, {"mmap": True, "verify": True})
    for options in asked:
        with pytest.raises(StorageError, match="checksum"):
            FlatIndex.load(path, **options)


def test_a_mapped_or_read_only_index_grows_by_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "index.safetensors"
    rows = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    FlatIndex(codes_of(rows, "int8/per-vector"), rescore_with=rows).save(path)
    fixed = rows.copy()
    fixed.setflags(write=False)
    for index in (FlatIndex.load(path, mmap=True), FlatIndex(fixed)):
        assert index.add(rows[:0]).tolist() == index.add(rows[:0], ids=[]).tolist() == []
        assert index.add(rows[:2]).tolist() == [40, 41]
        assert index.search(rows[1], 2).indices.tolist() == [1, 41]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rescored", [False, True])
def test_rows_added_between_a_search_of_all_and_one_of_some(kind: str, rescored: bool) -> None:
    """Lengths are counted once, from the rows on that are new, whichever of them a search selects."""
    x = floats(300) * np.linspace(0.5, 2, 300, dtype=np.float32)[:, None]
    codes = codes_of(x, kind)
    index = FlatIndex(codes[:200], rescore_with=x[:200] if rescored else None)
    for metric in ("cosine", "l2"):
        index.search(x[:3], 5, metric=metric, exact=rescored)
    index.add(codes[200:], rescore_with=x[200:] if rescored else None)
    some = np.array([197, 210])  # so few that they are selected by their numbers
    for metric in ("cosine", "l2"):
        for mask in (some, None):
            found = index.search(x[195:198], 30, metric=metric, exact=rescored, mask=mask)
            wanted = search(x[195:198], x if rescored else codes, 30, metric=metric, mask=mask)
            assert found.scores.tobytes() == wanted.scores.tobytes()
            assert (found.indices == wanted.indices).all()
