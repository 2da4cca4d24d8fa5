"""The race fixture: ours against named peers in one run, answers checked, best of several, ratios printed.

Times on shared machines wander, so contenders take turns round by round and each keeps its best; what counts is the
ratio of the bests. A short call is repeated within its turn, so that each contender meets its own data in the caches,
not what the one before has left there. What waits for a disk has no best: there each turn is one call, and medians
count. NumPy's BLAS runs in one thread, as all contenders do.
pytest-benchmark records our side as usual (``--benchmark-json`` keeps it).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import pytest

import history


@dataclass(frozen=True)
class Result:
    """One row of the table: a rate of work, in `unit` a second, for each contender."""

    name: str
    unit: str
    work: float
    seconds: dict[str, float]
    limit: tuple[str, float] | None

    def line(self) -> str:
        """Return the row as text."""
        best = self.seconds["embcodec"]
        parts = [f"{self.name:44s} {self.work / best:12,.4g} {self.unit}/s"]
        for peer, seconds in self.seconds.items():
            if peer != "embcodec":
                parts.append(f"{seconds / best:6.2f}x {peer} ({self.work / seconds:,.3g})")
        if self.limit:
            parts.append(f"{self.work / best / self.limit[1]:.0%} of {self.limit[0]}")
        return "  ".join(parts)


RESULTS: list[Result] = []
WARM_SECONDS = 0.01  # a turn repeats its call for about so long


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Keep NumPy's matrix products to one thread, like everybody else."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(1):
        yield


def time_of(call: Callable[[], Any]) -> float:
    """Return the time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def best_of_turn(call: Callable[[], Any]) -> float:
    """Return the least time of a few calls in a row."""
    best, stop = float("inf"), time.perf_counter() + WARM_SECONDS
    for _ in range(50):
        best = min(best, time_of(call))
        if time.perf_counter() > stop:
            break
    return best


def pytest_addoption(parser: Any) -> None:
    """Add ``--history``."""
    parser.addoption("--history", action="store_true", help="append the rates to benchmarks/history/<machine>.jsonl")


@pytest.fixture
def race(benchmark: Any) -> Callable[..., Result]:
    """Return a function that runs ours against peers and notes the ratios.

    ``race(name, ours, peers, work=..., unit=..., check=..., limit=("DRAM read", rate), rounds=7)``: `ours` and the
    values of `peers` (name -> callable) take no argument; `work` is the number of `unit` that one call does; `check`
    takes one contender's answer and raises where it is wrong; it is called once for each before the clock starts.
    `peer_work` names peers that do another amount of work a call: their times are scaled to `work`. With `medians` a
    turn is one call, and the median over all turns counts; who begins changes from turn to turn.
    """

    def run(
        name: str,
        ours: Callable[[], Any],
        peers: Mapping[str, Callable[[], Any]],
        *,
        work: float,
        unit: str,
        check: Callable[[Any], None],
        limit: tuple[str, float] | None = None,
        peer_work: Mapping[str, float] | None = None,
        rounds: int = 7,
        seconds: float = 4.0,
        medians: bool = False,
    ) -> Result:
        contenders = {"embcodec": ours, **peers}
        for contender in contenders.values():
            check(contender())
        taken: dict[str, list[float]] = {label: [] for label in contenders}
        stop = time.perf_counter() + seconds * len(contenders)
        for turn in range(rounds):
            for label, contender in list(contenders.items())[:: -1 if medians and turn % 2 else 1]:
                taken[label].append(time_of(contender) if medians else best_of_turn(contender))
            if turn >= 2 and time.perf_counter() > stop:
                break
        best = {label: median(times) if medians else min(times) for label, times in taken.items()}
        for label, amount in (peer_work or {}).items():
            best[label] *= work / amount
        benchmark.pedantic(ours, rounds=3, iterations=1, warmup_rounds=0)
        result = Result(name, unit, work, best, limit)
        benchmark.extra_info.update({"rate": work / best["embcodec"], "unit": unit, "seconds": best})
        RESULTS.append(result)
        return result

    return run


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Print the table of ratios, and keep it where that is asked for."""
    if not RESULTS:
        return
    machine, python, date = history.processor(), platform.python_version(), time.strftime("%Y-%m-%d")
    terminalreporter.section("rates, and how many times a peer's")
    terminalreporter.write_line(f"{machine}, Python {python}, {date}")
    for result in RESULTS:
        terminalreporter.write_line(result.line())
    if config.getoption("--history"):
        rows = {result.name: history.row(result.unit, result.work, result.seconds) for result in RESULTS}
        run = {"date": date, "commit": history.commit(), "machine": machine, "python": python, "rows": rows}
        path = history.append(run)
        terminalreporter.write_line("\n".join(history.report(path)[0]))
