"""The comparison at equal bytes: what is measured of whom, that it ends, and who is said to keep more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import quality
from quality_codes import Code, Kept, Vectors, ours
from quality_one import codes, measured
from quality_page import Against, Measured, against, best_peers, page, verdict
from quality_peers import faiss_of_bits, faiss_of_size, spread_out


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    x = np.random.default_rng(0).standard_normal((700, 64)) * np.linspace(2, 0.1, 64)
    return Vectors(*(quality.unit(part) for part in np.split(x, [400, 680])))


def made(who: str, row_bytes: float, hits: list[int]) -> Measured:
    code = Code(who, f"of {row_bytes}", "numpy", row_bytes, lambda fit: lambda rows: (row_bytes, lambda queries: fit))
    return Measured(code, Kept(row_bytes, hits, 0.0, 0.0))


def test_a_code_takes_the_bytes_that_its_place_in_the_table_says(vectors: Vectors) -> None:
    listed = codes(64, [8, 12])
    assert [code.row_bytes for code in listed] == sorted(code.row_bytes for code in listed)
    of_ours = list(ours(64, [8, 12]))
    assert {code.row_bytes for code in of_ours} >= {8, 12, 24, 40, 64, 68}
    for code in of_ours:
        kept = measured(code, vectors)
        assert kept.row_bytes == pytest.approx(code.row_bytes)
        assert 0.2 < kept.overlap <= 1


def test_peers_take_the_bytes_that_their_place_in_the_table_says(vectors: Vectors) -> None:
    pytest.importorskip("faiss")
    quick = [code for code in faiss_of_size(64, 6) if code.label.startswith("PQ")]
    for code in [*quick, *faiss_of_bits(64)]:
        kept = measured(code, vectors)
        assert kept.row_bytes == code.row_bytes
        assert 0.1 < kept.overlap <= 1, code.label


def test_peers_bytes_are_bytes_of_ours_too() -> None:
    pytest.importorskip("faiss")
    assert {"bytes_per_vector=8", "bytes_per_vector=16", "bytes_per_vector=36"} <= {
        code.label for code in codes(64, [8])
    }


@pytest.mark.parametrize(("dimension", "parts"), [(10, 4), (512, 96), (384, 48), (7, 7), (64, 5)])
def test_parts_have_as_many_dimensions_as_others_or_one_fewer(dimension: int, parts: int) -> None:
    x = np.random.default_rng(0).standard_normal((3, dimension), dtype=np.float32)
    out = spread_out(x, parts)
    width = -(-dimension // parts)
    assert out.shape == (3, parts * width)
    assert np.array_equal(out[out != 0].reshape(3, -1), x)  # in their order
    assert set((out.reshape(3, parts, width) != 0).sum(2)[0]) <= {width, width - 1}


def test_a_code_that_does_not_end_in_time_is_said_to(vectors: Vectors, tmp_path: Path) -> None:
    vectors.save(tmp_path)
    assert quality.in_a_process(str(tmp_path), 0, [8], 0.01) == (None, "not within 0.01 s")
    spun = [sys.executable, "-c", "import quality_one\nquality_one.end_after(0.1)\nwhile True: pass"]
    paths = os.pathsep.join([str(Path(quality.__file__).parent), *sys.path])
    ended = subprocess.run(spun, env=os.environ | {"PYTHONPATH": paths}, timeout=60)
    assert ended.returncode == -signal.SIGXCPU
    kept, failure = quality.in_a_process(str(tmp_path), 10_000, [8], 60)
    assert (kept, failure) == (None, "IndexError: list index out of range")
    kept, failure = quality.in_a_process(str(tmp_path), 0, [8], 60)
    assert failure == ""
    assert kept is not None
    assert kept.hits == measured(codes(64, [8])[0], vectors).hits


def test_larger_codes_of_a_kind_that_took_too_long_are_not_tried(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kinds = [made("slow", size, [1]).code._replace(label="kind") for size in (8, 16)]
    other = made("slow", 24, [1]).code
    tried = []

    def in_a_process(folder: str, place: int, *_: object) -> tuple[Kept | None, str]:
        tried.append(place)
        return (None, "not within 1 s") if place == 0 else (Kept(24, [5], 0, 0), "")

    monkeypatch.setattr(quality, "codes", lambda *_: [*kinds, other])
    monkeypatch.setattr(quality, "in_a_process", in_a_process)
    for _ in range(2):  # what is known of peers is not measured again
        found = list(quality.measured(vectors, [8], 1, tmp_path / "results.jsonl"))
        assert tried == [0, 2]
        assert [one.failure for one in found] == ["not within 1 s", "not tried: smaller ones took too long", ""]
        assert found[2].kept == Kept(24, [5], 0, 0)


def test_ours_are_measured_anew(vectors: Vectors, tmp_path: Path) -> None:
    mine, path = made("embcodec", 8, [5]), tmp_path / "results.jsonl"
    quality.Results(path, vectors).add(mine)
    assert quality.Results(path, vectors).of(mine.code) is None
    peer = made("a peer", 8, [5])
    quality.Results(path, vectors).add(peer)
    assert quality.Results(path, vectors).of(peer.code) == peer
    others = vectors._replace(rows=vectors.rows[1:])
    assert quality.Results(path, others).of(peer.code) is None


def test_a_peer_is_held_against_the_best_of_ours_in_no_more_bytes() -> None:
    small, best, large = (
        made("embcodec", 8, [5, 5, 5, 7]),
        made("embcodec", 10, [6, 6, 8, 8]),
        made("embcodec", 11, [10] * 4),
    )
    worse, better, tiny = made("a peer", 10, [5, 6, 7, 6]), made("another", 10, [9, 9, 8, 10]), made("tiny", 7, [1] * 4)
    found = [tiny, small, best, large, worse, better]
    first, second = against(found)
    assert first == Against(worse, best, pytest.approx(0.1), pytest.approx(0.098 * np.sqrt(2 / 3), abs=1e-9))
    assert (second.peer, second.best) == (better, best)
    assert second.ahead == pytest.approx(-0.2)
    (row,) = best_peers(found)
    assert row.startswith("| 10 | another of 10 | 0.900 | of 10 | 0.700 | -0.200")
    said, line = verdict(found)
    assert said == "Of 2 codes of peers 1 keep more than ours in as many bytes:"
    assert line.startswith("- another of 10, 10 bytes: 0.200")
    assert "within" not in line
    assert list(verdict(found[:-1])) == ["Of 1 codes of peers 0 keep more than ours in as many bytes."]


def test_a_page_has_a_table_a_set(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quality_page.versions", lambda _: "a peer 1.0")
    found = [made("embcodec", 8, [5] * 20), made("a peer", 8, [4] * 20)]
    text = page([("One", vectors, found), ("Two", vectors, found)], "2020-01-02", "a machine")
    assert "Measured on 2020-01-02, on a machine:\na peer 1.0." in text
    assert text.count("| 8 | a peer of 8 | 0.400 | of 8 | 0.500 | +0.100 ± 0.000 |") == 2
    assert text.index("## One") < text.index("## Two")
