"""The benchmark history: a line a run, a file a machine, and what counts as slower."""

from __future__ import annotations

from pathlib import Path

import pytest

import history


def run(rates: dict[str, float], peers: dict[str, float], machine: str = "A CPU (R) 3, avx2 kernels") -> history.Run:
    rows = {name: history.row("row", 1.0, {"embcodec": 1 / rate, **peers}) for name, rate in rates.items()}
    return {"date": "2020-01-02", "commit": "abc", "machine": machine, "rows": rows}


def test_a_machine_has_a_file_and_a_run_a_line(tmp_path: Path) -> None:
    first, second = run({"dot": 100}, {"numpy": 0.02}), run({"dot": 120}, {"numpy": 0.02})
    path = history.append(first, tmp_path)
    assert path.name == "a-cpu-r-3-avx2-kernels.jsonl"
    assert history.append(second, tmp_path) == path
    assert history.append(run({}, {}, "B"), tmp_path) != path
    assert history.read(path) == [first, second]
    assert first["rows"]["dot"] == {"rate": 100.0, "unit": "row", "ratios": {"numpy": 2.0}}


@pytest.mark.parametrize(
    ("rate", "peer_seconds", "found"),
    [
        (50, 0.02, {"dot": 0.5}),  # we became slower
        (50, 0.04, {}),  # the whole machine did
        (90, 0.02, {}),  # noise
        (200, 0.02, {"dot": 2.0}),
    ],
)
def test_a_race_moves_with_its_rate_and_its_ratios(rate: float, peer_seconds: float, found: dict[str, float]) -> None:
    before, after = run({"dot": 100, "gone": 1}, {"numpy": 0.02}), run({"dot": rate}, {"numpy": peer_seconds})
    assert history.changes(before, after) == pytest.approx(found)


def test_without_peers_the_rate_alone_counts() -> None:
    assert history.changes(run({"dot": 100}, {}), run({"dot": 50}, {})) == {"dot": 0.5}


def test_the_last_two_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rate in (10, 100, 50):
        path = history.append(run({"dot": rate, "old" if rate == 100 else "new": 1}, {}), tmp_path)
    assert history.main([str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == ["   0.50x  dot", "  no longer raced: old"]
    assert history.main([str(path), "--noise", "0.6"]) == 0
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert history.main([str(path)]) == 0
    assert "nothing to compare" in capsys.readouterr().out
