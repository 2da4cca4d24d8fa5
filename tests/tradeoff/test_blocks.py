"""Rows in blocks: the same figures as of all at once, in memory that does not grow with their number."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pytest

import embcodec
from embcodec import Embeddings
from embcodec.tradeoff import directions
from embcodec.tradeoff import rows as blocks
from embcodec.tradeoff.codes import LowBit, standard_pipelines
from embcodec.tradeoff.gathering import Gathering
from embcodec.tradeoff.kinds import as_kinds
from embcodec.tradeoff.pipeline import Pipeline, Rates
from embcodec.tradeoff.rows import as_rows

RNG = np.random.default_rng(5)
CENTRES = RNG.standard_normal((9, 24), dtype=np.float32)


def unit(count: int) -> Any:
    x = CENTRES[RNG.integers(9, size=count)] + RNG.standard_normal((count, 24), dtype=np.float32)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


ROWS, QUERIES = unit(700), unit(40)
ROWS[300:310] = ROWS[20:30]  # ties: the lower row comes first, whatever the blocks


LOW_BIT = LowBit(ROWS, "random", 0, as_kinds(["1 bit", "4 bits", "16 bytes"], 24).low_bit)


def ways(rows: Any, dimension: int = 24) -> Iterator[list[Pipeline]]:
    """Yield every way to search, those of the same first stage together."""
    found = standard_pipelines(rows, QUERIES, dimension, (4, 10), LOW_BIT)
    for _, alike in groupby(found, key=lambda way: (id(way.codes), id(way.queries))):
        yield list(alike)


@pytest.mark.parametrize("dimension", [24, 8])
@pytest.mark.parametrize("cuts", [(30,), (1, 2, 305, 699)])
def test_blocks_find_what_one_search_finds(cuts: tuple[int, ...], dimension: int) -> None:
    parts = np.split(ROWS, cuts)
    by_block = [list(ways(part, dimension)) for part in parts if len(part)]
    for number, whole in enumerate(ways(ROWS, dimension)):
        gathering, begin = Gathering(whole, 5, len(ROWS)), 0
        for block in by_block:
            gathering.add(block[number], begin)
            begin += len(block[number][0].codes)
        for way in whole:
            stages = gathering.stages(way.depths)
            np.testing.assert_array_equal(stages[-1], way.run(5), err_msg=way.label)
            assert [kept.shape[1] for kept in stages] == expected_depths(way), way.label


def expected_depths(way: Pipeline) -> list[int]:
    if way.again is not None:
        return [5 * 5 * way.multiplier, 5 * way.multiplier, 5]
    return [5 * way.multiplier, 5] if way.rows is not None else [5]


def test_a_query_that_is_a_row_does_not_find_itself_in_any_block() -> None:
    """As if each were asked of the other rows alone."""
    own = np.where(np.arange(40) % 2, np.arange(40) * 17, -1)
    asked = np.where((own >= 0)[:, None], ROWS[own], QUERIES)
    rows = Embeddings(ROWS)
    whole = Pipeline("float", rows, Embeddings(asked))
    gathering = Gathering([whole.rescored(rows, Embeddings(asked), 3)], 5, 700, own)
    for begin in range(0, 700, 100):
        part = rows[begin : begin + 100]
        gathering.add([Pipeline("float", part, Embeddings(asked)).rescored(part, Embeddings(asked), 3)], begin)
    candidates, found = gathering.stages(whole.rescored(rows, Embeddings(asked), 3).depths)
    assert (candidates.shape, found.shape) == ((40, 15), (40, 5))
    for query in range(40):
        others = np.delete(np.arange(700), own[query]) if own[query] >= 0 else np.arange(700)
        exact = embcodec.search(asked[query], ROWS[others], 5, metric="cosine").indices
        assert found[query].tolist() == others[exact].tolist()


@pytest.mark.parametrize("relevant", [None, list(range(40))])
def test_a_study_of_many_blocks_is_that_of_one(relevant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = np.concatenate([QUERIES[:30], ROWS[:10]])
    codes = ["int8", "bits", "2 bits", "16 bytes"]
    wishes: dict[str, Any] = {"dimensions": [24, 12], "multipliers": [4], "rotation": "random", "k": 5, "codes": codes}
    one = embcodec.study(ROWS * 3, asked, relevant, **wishes)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 24 * 4 * 100)
    calls: list[tuple[int, int, str]] = []
    many = embcodec.study(ROWS * 3, asked, relevant, **wishes, progress=lambda *call: calls.append(call))
    assert any(label.startswith("rows 99 to 198: ") for _, _, label in calls)
    assert (one.warnings, one.rows) == (many.warnings, many.rows)
    for first, second in zip(one.measurements, many.measurements, strict=True):
        same = {name: getattr(first, name) for name in ("one_per_second", "batch_per_second", "of_limit", "note")}
        assert replace(second, encoded_per_second=first.encoded_per_second, **same) == first


def test_parts_are_one_collection(tmp_path: Any) -> None:
    """Lists of matrices, of mapped files too, in any float type; nothing of them is copied beforehand."""
    np.save(tmp_path / "part.npy", ROWS[:400])
    mapped = np.load(tmp_path / "part.npy", mmap_mode="r")
    parts = [mapped, np.empty((0, 24), np.float32), Embeddings(ROWS[400:450]), ROWS[450:].astype(np.float64)]
    wishes: dict[str, Any] = {"dimensions": [24], "multipliers": [], "rotation": "none", "codes": ["int8", "bits"]}
    whole = embcodec.study(ROWS, QUERIES, **wishes)
    found = embcodec.study(parts, QUERIES, **wishes)
    assert [m.overlap for m in found.measurements] == [m.overlap for m in whole.measurements]
    rows = as_rows(parts, "vectors")
    assert np.shares_memory(as_rows([mapped], "vectors").take(slice(3, 9)), mapped)
    for places in (np.array([699, 3, 3, 401, 449, 450]), slice(390, 460)):
        np.testing.assert_array_equal(rows.take(places), ROWS[places])
    some = rows.those(np.arange(5, 700, 7))
    np.testing.assert_array_equal(np.concatenate([block for _, block in some.blocks(24 * 4 * 9)]), ROWS[5::7])
    assert [begin for begin, _ in some.blocks(24 * 4 * 9)] == list(range(0, 100, 9))
    np.testing.assert_array_equal(some.those(np.array([0, 2])).take(slice(None)), ROWS[[5, 19]])
    np.testing.assert_array_equal(rows.spread(100), ROWS[::7])


def test_quantizers_that_say_how_far_they_are_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, calls = embcodec.LowBitQuantizer.fit, []

    def telling(self: Any, sample: Any, *, progress: Any = None) -> Any:
        for step in range(3):
            progress(step, 3, "a choice")
        return fit(self, sample)

    monkeypatch.setattr(embcodec.LowBitQuantizer, "fit", telling)
    wishes: dict[str, Any] = {"dimensions": [24], "multipliers": [], "codes": ["16 bytes"]}
    embcodec.study(ROWS, QUERIES, **wishes, progress=lambda *call: calls.append(call))
    assert [call for call in calls if "fitting" in call[2]] == [(0, 2, "fitting 16 bytes at 24 dimensions")] * 4


def test_what_can_be_read_but_once_is_refused() -> None:
    with pytest.raises(TypeError, match="pass a list of the matrices"):
        embcodec.study(part for part in (ROWS[:300], ROWS[300:]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one dimension in all parts, not 12, 24"):
        embcodec.study([ROWS, ROWS[:, :12]])
    with pytest.raises(ValueError, match="row 450 of vectors has NaN"):
        embcodec.study([ROWS[:440], np.where(np.arange(260)[:, None] == 10, np.nan, ROWS[440:])])


def test_speeds_of_more_rows_are_those_of_the_scan_times_as_many() -> None:
    scan, both = Rates(1000.0, 8000.0, 0.1), Rates(500.0, 4000.0, 0.1)
    assert scan.of_more(1.0, scan) == scan
    assert scan.of_more(4.0, scan).one == pytest.approx(250)
    assert both.of_more(4.0, scan).one == pytest.approx(1 / (4 / 1000 + 1 / 1000))
    assert both.of_more(4.0, scan).batch == pytest.approx(1 / (4 / 8000 + 1 / 8000))


def test_copies_are_found_among_many_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of any length, across edges of cells too, of rows so many that shadows on a line lie close together."""
    x = np.random.default_rng(1).standard_normal((60_000, 8)).astype(np.float32)
    copied = np.random.default_rng(2).integers(0, 60_000, 3000)
    lengths = np.random.default_rng(3).uniform(1e-3, 1e3, (3000, 1)).astype(np.float32)
    compared: list[int] = []
    are_one = directions._are_one
    monkeypatch.setattr(directions, "_are_one", lambda *given: compared.append(len(given[1])) or are_one(*given))
    first = directions.same_directions(np.concatenate([x, x[copied] * lengths, x[copied]]))
    np.testing.assert_array_equal(first[:60_000], np.arange(60_000))
    np.testing.assert_array_equal(first[60_000:63_000], copied)
    np.testing.assert_array_equal(first[63_000:], copied)
    assert sum(compared) < 3 * 6000


CHILD = """
    import resource, sys
    import numpy as np, embcodec
    rows, dimension, more = (int(word) for word in sys.argv[2:])
    x = np.lib.format.open_memmap(sys.argv[1], "w+", np.float32, (rows, dimension))
    rng = np.random.default_rng(0)
    for begin in range(0, rows, 50_000):
        x[begin : begin + 50_000] = rng.standard_normal(x[begin : begin + 50_000].shape, dtype=np.float32)
    x.flush()
    del x
    mapped = np.load(sys.argv[1], mmap_mode="r")
    codes = ["int8", "bits", "16 bytes"]
    wishes = dict(dimensions=[dimension], multipliers=[4], codes=codes, rotation="random")
    embcodec.study(mapped[:2000], **wishes, threads=2)  # whatever is set up once
    now = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (now + more, now + more))
    found = embcodec.study(mapped, sample=None, **wishes, threads=2)
    print(found.rows, found.measurements[1].overlap.mean > 0.9)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA is Linux's")
def test_memory_does_not_grow_with_the_rows(tmp_path: Any) -> None:
    """512 MB of mapped rows within 320 MiB more than a small study takes: no copy of the whole, in any dtype."""
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path / "x.npy"), "2000000", "64", str(320 << 20)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stdout) == (0, "1999700 True\n"), done.stderr[-2000:]
