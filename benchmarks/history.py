"""What the races measured on a machine, run after run, and whether the last run was slower than the one before.

``make bench HISTORY=yes`` appends a line to ``benchmarks/history/<machine>.jsonl``; ``python benchmarks/history.py``
compares the last two lines of each file. A machine is a processor and the kernels in force; rates of two machines are
never compared.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from embcodec._native import core

FOLDER = Path(__file__).parent / "history"
NOISE = 0.15  # part of a rate by which two runs of the same code differ on a machine that others use too

Run = dict[str, Any]
"""``date``, ``commit``, ``machine``, and ``rows``: of each race its ``rate``, ``unit`` and ``ratios`` to the peers."""


def commit() -> str:
    """Return the checkout's commit, with ``-dirty`` where files differ from it; empty where there is no checkout."""
    ask = ["git", "-C", str(FOLDER.parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(ask, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git
        return ""


def processor() -> str:
    """Return the processor's name and the kernels in force."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {core.active_isa()} kernels"


def row(unit: str, work: float, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return what is kept of a race: our rate, and how many times each peer's it is."""
    best = seconds["embcodec"]
    ratios = {peer: round(taken / best, 2) for peer, taken in seconds.items() if peer != "embcodec"}
    return {"rate": float(f"{work / best:.4g}"), "unit": unit, "ratios": ratios}


def append(run: Run, folder: Path = FOLDER) -> Path:
    """Add a run to its machine's file, one line a run, and return the file."""
    folder.mkdir(exist_ok=True)
    path = folder / (re.sub(r"[^a-z0-9]+", "-", run["machine"].lower()).strip("-") + ".jsonl")
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(run, separators=(",", ":")) + "\n")
    return path


def read(path: Path) -> list[Run]:
    """Return the runs of a machine, the oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def changes(before: Run, after: Run, noise: float = NOISE) -> dict[str, float]:
    """Return the races that became faster (above 1) or slower (below 1) by more than noise.

    A race counts where our rate moved and, if there are peers, our ratio to each of them moved as well, the same way:
    a busy machine slows the peers too. What is returned is the least of these moves.
    """
    found = {}
    for name in before["rows"].keys() & after["rows"].keys():
        old, new = before["rows"][name], after["rows"][name]
        peers = old["ratios"].keys() & new["ratios"].keys()
        moves = [new["rate"] / old["rate"], *(new["ratios"][peer] / old["ratios"][peer] for peer in peers)]
        if max(moves) < 1 - noise:
            found[name] = max(moves)
        elif min(moves) > 1 + noise:
            found[name] = min(moves)
    return found


def report(path: Path, noise: float = NOISE) -> tuple[list[str], bool]:
    """Return what is to be said of a machine's last two runs, and whether a race became slower."""
    runs = read(path)
    if len(runs) < 2:
        return [f"{path.stem}: one run, nothing to compare"], False
    before, after = runs[-2:]
    moved = changes(before, after, noise)
    lines = [f"{path.stem}: {after['commit']} of {after['date']} against {before['commit']} of {before['date']}"]
    lines += [f"  {move:5.2f}x  {name}" for name, move in sorted(moved.items(), key=lambda pair: pair[1])]
    gone = sorted(before["rows"].keys() - after["rows"].keys())
    lines += [f"  no longer raced: {name}" for name in gone]
    if not moved and not gone:
        lines.append(f"  {len(after['rows'])} races, none moved by more than {noise:.0%}")
    return lines, any(move < 1 for move in moved.values())


def main(arguments: Iterable[str] | None = None) -> int:
    """Print the comparison; status 1 where a race became slower."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="of benchmarks/history; all by default")
    parser.add_argument("--noise", type=float, default=NOISE, help="part of a rate that is none (%(default)s)")
    asked = parser.parse_args(arguments if arguments is None else list(arguments))
    slower = False
    for path in asked.files or sorted(FOLDER.glob("*.jsonl")):
        lines, worse = report(path, asked.noise)
        print("\n".join(lines))
        slower |= worse
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
