"""How many threads there are by default: what the user, the scheduler and the container allow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embcodec._native import core, cores

hand_over = core._core_hand_over.__wrapped__


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EMBCODEC_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "_cores", lambda: 8)
    monkeypatch.setattr(cores, "_MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(cores, "_GROUPS", tmp_path / "groups")
    cores.quota.cache_clear()
    monkeypatch.setattr(core, "_core_hand_over", lambda: 1e4)


def group(tmp_path: Path, membership: str, **files: str) -> None:
    """Write what the kernel says of control groups; names of files have ``__`` for a slash."""
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "groups" / name.replace("__", "/").replace("cpu_max", "cpu.max").replace("cfs", "cpu.cfs")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_variables_cap_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores.allowed() == 8
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert cores.allowed() == 4
    monkeypatch.setenv("EMBCODEC_THREADS", "6")
    assert cores.allowed() == 6
    monkeypatch.setenv("EMBCODEC_THREADS", "99")
    assert cores.allowed() == 8
    monkeypatch.setenv("EMBCODEC_THREADS", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "true")  # other libraries' affair
    assert cores.allowed() == 8


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_bad_number_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EMBCODEC_THREADS", value)
    with pytest.raises(ValueError, match=f"EMBCODEC_THREADS is a whole number of at least 1, not '{value}'"):
        cores.allowed()


@pytest.mark.parametrize(
    ("text", "most"), [("max 100000\n", 8), ("150000 100000\n", 2), ("50000 100000\n", 1), ("2000000 100000\n", 8)]
)
def test_the_quota_of_a_group(tmp_path: Path, text: str, most: int) -> None:
    group(tmp_path, "0::/a/b\n", a__b__cpu_max=text)
    assert cores.allowed() == most


def test_a_group_around_it_counts_too(tmp_path: Path) -> None:
    group(tmp_path, "0::/a/b\n", a__cpu_max="300000 100000\n", a__b__cpu_max="max 100000\n")
    assert cores.allowed() == 3


def test_in_a_container_the_root_is_its_own(tmp_path: Path) -> None:
    group(tmp_path, "0::/../../system.slice/x\n", cpu_max="200000 100000\n")
    assert cores.allowed() == 2


def test_the_quota_of_the_older_kind(tmp_path: Path) -> None:
    group(
        tmp_path,
        "7:memory:/m\n4:cpu,cpuacct:/box\n",
        **{"cpu,cpuacct__box__cfs_quota_us": "250000\n", "cpu,cpuacct__box__cfs_period_us": "100000\n"},
    )
    assert cores.allowed() == 3
    group(tmp_path, "4:cpu,cpuacct:/box\n", **{"cpu,cpuacct__box__cfs_quota_us": "-1\n"})
    cores.quota.cache_clear()
    assert cores.allowed() == 8


def test_threads_follow_from_work_and_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [core.default_threads(None, work) for work in (0, 3.9e4, 4e4, 1.2e5, 1e9)] == [1, 1, 2, 4, 8]
    assert core.default_threads(None, 1.9e5, hand_over=5e4) == 1
    assert core.default_threads(None, 1e6, hand_over=5e4) == 6
    monkeypatch.setenv("EMBCODEC_THREADS", "1")
    assert core.default_threads(None, 1e9) == 1
    assert core.default_threads(5, 0) == 5  # who asks for a number gets it
    assert core.default_threads(1000, 0) == 256


class Measured:
    """Stands for the C core: threads hand over in so many nanoseconds, one number a call."""

    def __init__(self, *nanoseconds: float) -> None:
        self.left = list(nanoseconds)

    def ec_pool_hand_over(self, threads: int) -> float:
        assert threads == 2
        return self.left.pop(0)


@pytest.mark.parametrize(
    ("measured", "cost"), [((1e3, 5e6, 2e4, 9e5, *[1.2e4] * 2, *[1e6] * 4), 1.2e4), ((1e5, *[700] * 9), 8e3)]
)
def test_a_busy_moment_is_not_kept(monkeypatch: pytest.MonkeyPatch, measured: tuple[float, ...], cost: float) -> None:
    monkeypatch.setattr(core, "lib", Measured(*measured))
    assert hand_over() == cost
    assert core.lib.left == []


def test_one_thread_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "lib", Measured())
    monkeypatch.setenv("EMBCODEC_THREADS", "1")
    assert hand_over() == 8e3


def test_little_work_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise AssertionError

    monkeypatch.setattr(core, "allowed", fail)
    assert core.default_threads(None, 3.9e4) == 1
    monkeypatch.setattr(core, "_core_hand_over", fail)
    assert core.default_threads(None, 3.1e4) == 1


@pytest.mark.parametrize("variables", [None, os.environ])
def test_a_changed_cap_counts_at_once(monkeypatch: pytest.MonkeyPatch, variables: object) -> None:
    if variables is None:  # of another Python, which does not show where it keeps them
        monkeypatch.setattr(cores, "_VARIABLES", None)
    for cap in (3, 1, 5):
        monkeypatch.setenv("EMBCODEC_THREADS", str(cap))
        assert core.default_threads(None, 1e9) == cap
    monkeypatch.delenv("EMBCODEC_THREADS")
    assert core.default_threads(None, 1e9) == 8


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_cores_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert cores._cores() == len(os.sched_getaffinity(0))
