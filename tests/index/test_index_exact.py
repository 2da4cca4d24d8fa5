"""FlatIndex.search(exact=True): to the bit what search(queries, floats) returns, whatever codes and floats are."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from float_rows import CORPORA, KINDS, METRICS, asked_near, codes_of, corpus, near_others
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embcodec import (
    BoundedResult,
    CodeMismatchError,
    Collection,
    FlatIndex,
    LowBitQuantizer,
    SearchResult,
    StorageError,
    compile_metric,
    search,
)
from embcodec.containers import read_tensors, write_tensors
from embcodec.scan import exact, promises, upper_bounds

Floats = NDArray[np.float32]


def bits(result: Any) -> tuple[bytes, bytes]:
    return result.scores.tobytes(), result.indices.tobytes()


def outcome(call: Any) -> Any:
    try:
        return bits(call())
    except ValueError as error:
        return type(error), str(error)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bounds decide in small indexes too, whatever they are worth."""
    make_eager(monkeypatch)


def make_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (promises, "_LEAST_SAMPLE", 8),
        (promises, "_FOR_EACH", 4),
        (promises, "_RUN", 2),
        (promises, "_share", lambda n_queries, row_bytes: 1),
        (exact, "_AT_ONCE", 0),
        (exact, "_AT_ONCE_EACH", 0),
        (exact, "_HIGHEST", 2),
        (exact, "_HIGHEST_EACH", 2),
        (exact, "_FIRST", 2),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
def test_is_an_exhaustive_float_search(kind: str, metric: Any) -> None:
    x = near_others(2500, 96, centers=30)
    q = asked_near(x, 3)
    index = FlatIndex(codes_of(x, kind), rescore_with=x)
    for threads in (1, 2):
        found = index.search(q, 3, exact=True, metric=metric, threads=threads)
        assert isinstance(found, BoundedResult)
        assert bits(found) == bits(search(q, x, 3, metric=metric))
        assert found.is_final.all()
        assert (found.rescored < 1200).all(), "the bounds said nothing"  # and the test so nothing of them
    for k in (7, 1):
        one = index.search(q[0], k, exact=True, metric=metric)
        assert bits(one) == bits(search(q[0], x, k, metric=metric))
        assert (bool(one.is_final), bool(one.rescored < 1200)) == (True, True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
def test_what_the_highest_bounds_leave_open(
    kind: str, metric: Any, monkeypatch: pytest.MonkeyPatch, eager: None
) -> None:
    """Bounds are taken for narrow, whatever they are, and hardly more rows looked at than are asked for."""
    monkeypatch.setattr(upper_bounds, "_NARROW", 0.0)
    monkeypatch.setattr(exact, "_HIGHEST", -20)
    monkeypatch.setattr(exact, "_HIGHEST_EACH", -20)
    x = near_others(500, 40, centers=30)
    index = FlatIndex(codes_of(x, kind), rescore_with=x)
    for k in (3, 4):
        for mask in (None, np.arange(500) % 3 > 0):
            q = asked_near(x, 9)
            found = index.search(q, k, exact=True, metric=metric, mask=mask)
            assert bits(found) == bits(search(q, x, k, metric=metric, mask=mask))


@pytest.mark.parametrize("metric", METRICS)
def test_fewer_rows_are_looked_at_than_are_in_doubt(metric: Any, monkeypatch: pytest.MonkeyPatch, eager: None) -> None:
    """What a sample says is a guess: the codes are scanned again, or the floats, each query on its own account."""
    x = near_others(300, 40, centers=30)
    q, k = asked_near(x, 4), 3
    true, sign = search(q, x, k, metric=metric), -1 if metric == "l2" else 1
    monkeypatch.setattr(upper_bounds, "_NARROW", np.inf)
    monkeypatch.setattr(exact, "_HIGHEST", -80)
    monkeypatch.setattr(exact, "_HIGHEST_EACH", -20)
    monkeypatch.setattr(exact, "_FURTHER", 1)
    codes = codes_of(x, "ubinary")
    for first in (0, 5, 300):
        for again in (0, 20, 300):
            for enough in (np.ones(4, np.bool_), np.arange(4) > 0, np.zeros(4, np.bool_)):
                known: list[Any] = []

                def in_doubt(
                    bounds: Any, *args: Any, known: Any = known, says: Any = (first, again), enough: Any = enough
                ) -> Any:
                    known.append(args[-2])  # the k-th score that was found the time before
                    n = len(args[1])
                    return np.full(n, says[len(known) > 1]), enough[:n] if len(known) > 1 else np.ones(n, np.bool_)

                monkeypatch.setattr(exact, "rows_in_doubt", in_doubt)
                found = FlatIndex(codes, rescore_with=x).search(q, k, exact=True, metric=metric)
                assert bits(found) == bits(true)
                assert known[0] is None
                if first == 300:
                    assert len(known) == 1
                    continue
                assert len(known) == 2, "of rows so near each other bits rule out few"
                assert (sign * known[1]).max() <= (sign * true.scores[:, -1]).max(), "scores that k rows reach"
                assert (found.rescored[~enough] == 300).all()
                if again == 300 and enough.all():
                    assert (found.rescored < 300).any()


def test_alike_rows_of_a_sample_promise_no_more_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "_RUN", 16)
    sample = promises.sample_of(4096, 256)
    rows = np.r_[sample[32:48], sample[100], sample[40:42], sample[200:210]][None]
    best = SearchResult(np.linspace(1, 0.5, 29, dtype=np.float32)[None], rows)
    runs = promises._runs_so_far(rows, sample)
    assert runs.tolist() == [[1] * 16 + [2] * 3 + [3] * 8 + [4] * 2]
    for place, k, expected in ((0, 29, 0), (1, 29, 16), (2, 29, 19), (1, 10, 9), (9, 29, 28)):
        assert promises._at_place(best, runs, place, k) == best.scores[0, expected]
    # Where twice as many rows exceed each next score, 32 times fewer are 5 better: half of that is hoped for.
    best = SearchResult(-np.log2(np.arange(1, 17, dtype=np.float32))[None], sample[None, :16])
    assert 1.5 < float(promises._beyond(best, 1 / 32)[0]) < 2.5


def test_more_queries_than_a_batch(monkeypatch: pytest.MonkeyPatch, eager: None) -> None:
    monkeypatch.setattr(exact, "_BATCH", 3)
    x = near_others(300, 24)
    q = asked_near(x, 8)
    q[4] = 0
    for metric in METRICS:
        found = FlatIndex(codes_of(x, "int8"), rescore_with=x).search(q, 3, exact=True, metric=metric)
        assert bits(found) == bits(search(q, x, 3, metric=metric))


@pytest.mark.parametrize("kind", KINDS)
def test_on_every_tier(kind: str, isa: str, eager: None) -> None:
    x = near_others(700, 70, centers=4)
    q = asked_near(x, 2)
    index = FlatIndex(codes_of(x, kind), rescore_with=x)
    for metric in METRICS:
        found = index.search(q, 2, exact=True, metric=metric)
        assert bits(found) == bits(search(q, x, 2, metric=metric)), isa
        assert (found.rescored < 700).all()


@pytest.mark.parametrize("rotation", ["none", "learned", "blocks", "whitened"])
@pytest.mark.parametrize("center", ["none", "mean"])
def test_rotations_of_low_bit_codes(rotation: Any, center: Any, eager: None) -> None:
    x = near_others(300, 40) + np.float32(0.2)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    q = asked_near(x, 2)
    for bits_each in (1, 4):
        codes = LowBitQuantizer(bits_each, rotation=rotation, center=center).fit(x).encode(x)
        index = FlatIndex(codes, rescore_with=x)
        for metric in METRICS:
            found = index.search(q, 5, exact=True, metric=metric)
            assert bits(found) == bits(search(q, x, 5, metric=metric))
            assert bits_each == 1 or (found.rescored < 300).all()


@pytest.mark.filterwarnings("ignore::embcodec.PrecisionWarning")  # of bits of rows that share much
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(CORPORA),
    st.sampled_from(CORPORA),
    st.booleans(),
    st.sampled_from(KINDS[:8] * 2 + KINDS[8:]),
    st.sampled_from(METRICS),
    st.integers(1, 70),
    st.integers(0, 12),
    st.integers(0, 2**32 - 1),
)
def test_whatever_the_data(
    name: str, other: str, own: bool, kind: str, metric: Any, dimension: int, k: int, seed: int
) -> None:
    n = 150
    x = corpus(name, n, dimension, seed)
    q = asked_near(x, 3) if seed % 2 else corpus(name, 3, dimension, seed + 1)
    try:
        codes = codes_of(x if own else corpus(other, n, dimension, seed + 2), kind)
    except ValueError:  # floats that cannot be coded so
        codes = codes_of(corpus("near", n, dimension, seed + 2), kind)
    index = FlatIndex(codes, rescore_with=x)
    with pytest.MonkeyPatch.context() as patched:
        make_eager(patched)
        found = outcome(lambda: index.search(q, k, exact=True, metric=metric))
    assert found == outcome(lambda: search(q, x, k, metric=metric))


@pytest.mark.parametrize("mask_kind", ["bool", "few", "ids"])
def test_masks_ids_additions_and_removals(mask_kind: str, eager: None) -> None:
    x = near_others(500, 32)
    q = asked_near(x, 2)
    index = FlatIndex(codes_of(x[:300], "int8"), rescore_with=x[:300], ids=np.arange(300) * 2)
    index.search(q, 3, exact=True)  # measures what there is
    index.add(x[300:400])
    index.search(q, 3, exact=True)
    index.remove(np.arange(0, 100) * 2)
    index.add(x[400:])
    rows, ids = np.r_[x[100:400], x[400:]], index.ids
    rng = np.random.default_rng(0)
    if mask_kind == "bool":
        mask: Any = rng.random(len(rows)) < 0.5
        kept = np.flatnonzero(mask)
    else:
        kept = np.sort(rng.choice(len(rows), 30 if mask_kind == "few" else 300, replace=False))
        mask = rng.permutation(ids[kept])
    for metric in METRICS:
        for chosen, at in ((None, np.arange(len(rows))), (mask, kept)):
            found = index.search(q, 6, exact=True, metric=metric, mask=chosen)
            expected = search(q, rows[at], 6, metric=metric)
            assert found.indices.tolist() == ids[at][expected.indices].tolist()
            assert found.scores.tobytes() == expected.scores.tobytes()


def test_codes_that_say_nothing_are_left_for_the_floats() -> None:
    x = near_others(6000, 64, centers=60)
    q = asked_near(x, 3)
    noise = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    index = FlatIndex(codes_of(noise, "int8/per-vector"), rescore_with=x)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(exact, "_highest", None)  # codes are not scanned: a sample has shown what bounds are worth
        found = index.search(q, 5, exact=True)
    assert bits(found) == bits(search(q, x, 5))
    assert found.rescored.tolist() == [6000] * 3
    assert found.is_final.all()
    # Once this has been so some times in a row, samples are taken ever more seldom, until one pays.
    weighed: list[bool] = []
    with pytest.MonkeyPatch.context() as patched:
        in_doubt = exact.rows_in_doubt
        patched.setattr(exact, "rows_in_doubt", lambda *args: weighed.append(True) or in_doubt(*args))
        for _ in range(60):
            weighed.append(False)
            assert bits(index.search(q, 5, exact=True)) == bits(found)
        waits = "".join("x" if each else "." for each in weighed).replace(".x", "x").split("x")
        assert [len(each) for each in waits] == [0, 0, 1, 2, 4, 8, 16, 16, 5]
        index.search(q, 100, exact=True)  # other counts on their own account
        assert weighed[-1]
    # One query of which nothing is known leaves the others to the codes.
    q[1] = 0
    found = FlatIndex(codes_of(x, "int8/per-vector"), rescore_with=x).search(
        q, 5, exact=True, mask=np.arange(100, 5900)
    )
    assert (found.rescored[1], (found.rescored[[0, 2]] < 1000).all()) == (5800, True)


def test_files_keep_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eager: None) -> None:
    x = near_others(400, 32)
    q, path = asked_near(x, 2), tmp_path / "index.safetensors"
    index = FlatIndex(codes_of(x, "int8"), rescore_with=x)
    index.save(path)
    assert "residuals" not in read_tensors(path)[0]
    assert bits(FlatIndex.load(path).search(q, 3, exact=True)) == bits(search(q, x, 3))
    index.search(q, 3, exact=True)
    index.save(path)
    assert bits(pickle.loads(pickle.dumps(index)).search(q, 3, exact=True)) == bits(search(q, x, 3))
    tensors, words = read_tensors(path)
    former = {**tensors, "residuals": np.zeros((400, 3), np.float32)}  # said less than is asked now: measured anew
    write_tensors(tmp_path / "former.safetensors", former, words)
    assert bits(FlatIndex.load(tmp_path / "former.safetensors").search(q, 3, exact=True)) == bits(search(q, x, 3))
    for wrong in (tensors["residuals"][1:], tensors["residuals"].astype(np.float64), -1 - tensors["residuals"]):
        write_tensors(tmp_path / "wrong.safetensors", {**tensors, "residuals": wrong}, words)
        with pytest.raises(StorageError, match="contradicts itself: residuals"):
            FlatIndex.load(tmp_path / "wrong.safetensors")
    monkeypatch.setattr("embcodec.index.rows.residuals_of", None)  # to be measured no more
    for mmap in (False, True):
        loaded = FlatIndex.load(path, mmap=mmap)
        assert bits(loaded.search(q, 3, exact=True, metric="l2")) == bits(search(q, x, 3, metric="l2"))


def test_what_it_refuses_and_what_it_takes() -> None:
    x = near_others(50, 16)
    q = asked_near(x, 2)
    codes = codes_of(x, "int8")
    for options in ({"confidence": 0.9}, {"three_stage": True}, {"rescore_multiplier": None}):
        with pytest.raises(ValueError, match="exact=True finds its own candidates"):
            FlatIndex(codes, rescore_with=x).search(q, 3, exact=True, **options)
    with pytest.raises(CodeMismatchError, match=r"FlatIndex\(codes, rescore_with=floats\)"):
        FlatIndex(codes).search(q, 3, exact=True)
    with pytest.raises(CodeMismatchError, match="hamming"):
        FlatIndex(codes, rescore_with=x).search(q, 3, exact=True, metric="hamming")
    with pytest.raises(ValueError, match="query 0"):
        FlatIndex(codes, rescore_with=x).search(q * np.float32("nan"), 3, exact=True)
    floats = FlatIndex(x).search(q, 3, exact=True)  # an index of floats is exact as it is
    assert bits(floats) == bits(search(q, x, 3))
    assert floats.rescored.tolist() == [50, 50]


def test_a_metric_of_the_users_own_scans_the_floats() -> None:
    pytest.importorskip("numba")

    @compile_metric(lower_is_better=True)
    def manhattan(query: Any, row: Any) -> float:
        total = np.float32(0)
        for i in range(len(query)):
            total += abs(query[i] - row[i])
        return total

    x = near_others(50, 16)
    q = asked_near(x, 2)
    found = FlatIndex(codes_of(x, "int8"), rescore_with=x).search(q, 3, exact=True, metric=manhattan)
    assert bits(found) == bits(search(q, x, 3, metric=manhattan))
    assert found.rescored.tolist() == [50, 50]


@pytest.mark.parametrize("dtype", ["ubinary", "int8", "low-bit"])
def test_a_metric_of_floats_over_codes_leads_to_exact(dtype: str, tmp_path: Path) -> None:
    """It compares no codes, however queries are coded; of codes alone one that is compiled for them does."""
    pytest.importorskip("numba")

    def differing(query: Any, row: Any) -> float:
        total = np.float32(0)
        for i in range(len(query)):
            total += np.float32(query[i] != row[i])
        return total

    x = near_others(50, 16)
    codes: Any = LowBitQuantizer(2).fit(x).encode(x) if dtype == "low-bit" else codes_of(x, dtype)
    metric = compile_metric(differing, lower_is_better=True)
    index = FlatIndex(codes, rescore_with=x)
    collection = Collection.create(tmp_path / "c", like=codes, rescore_with=x)
    collection.append(codes, rescore_with=x)
    for holder in (index, collection):
        for options in ({}, {"rescore_multiplier": None}):
            with pytest.raises(CodeMismatchError, match="rows, which are scanned first: use exact=True"):
                holder.search(x[:2], 3, metric=metric, **options)
        assert holder.search(x[:2], 1, metric=metric, exact=True).indices.tolist() == [[0], [1]]
    if dtype == "low-bit":
        return
    with pytest.raises(CodeMismatchError, match=rf"compile_metric\(\.\.\., output_dtype='{dtype}'\) and quantize"):
        search(x[:2], codes, 1, metric=metric)
    of_codes = compile_metric(differing, lower_is_better=True, output_dtype=dtype)  # type: ignore[arg-type]
    assert index.search(codes[:2], 1, metric=of_codes, rescore_multiplier=None).scores.tolist() == [[0.0], [0.0]]


def test_codes_in_principal_directions_leave_it_to_the_floats() -> None:
    x = near_others(400, 24)
    queries = asked_near(x, 3)
    index = FlatIndex(x, quantizer=LowBitQuantizer(bytes_per_vector=10).fit(x), rescore_with=x)
    found = index.search(queries, 5, exact=True)
    assert bits(found) == bits(search(queries, x, 5))
    assert found.rescored.tolist() == [400] * 3
