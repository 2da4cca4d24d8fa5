"""How many threads this process may run at once: what its user, its scheduler and its container allow."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_UNBOUNDED = 1 << 30

# The dictionary in which os.environ keeps encoded names.
_VARIABLES: dict[Any, Any] | None = getattr(os.environ, "_data", None)
_KEYS: dict[str, Any] = {
    name: getattr(os.environ, "encodekey", str)(name) for name in ("EMBCODEC_THREADS", "OMP_NUM_THREADS")
}


def allowed() -> int:
    """Return the most threads to run unless the caller asks for a number.

    ``EMBCODEC_THREADS``, or else ``OMP_NUM_THREADS``, the cores on which the process may run, and the share of them
    that its control group is granted: the least of these.

    Raises
    ------
    ValueError
        Where ``EMBCODEC_THREADS`` is not a whole number of at least 1.
    """
    most = min(_cores(), quota() or _UNBOUNDED)
    wanted = _variable("EMBCODEC_THREADS").strip()
    if wanted:
        if not (wanted.isdecimal() and int(wanted)):
            raise ValueError(f"EMBCODEC_THREADS is a whole number of at least 1, not {wanted!r}")
        return min(most, int(wanted))
    # It may list one number a level of nesting: the outermost counts.
    wanted = _variable("OMP_NUM_THREADS").split(",")[0].strip()
    return min(most, int(wanted)) if wanted.isdecimal() and int(wanted) else most


def _variable(name: str) -> str:
    """Return a variable of the environment, or "" where it is not set.

    os.environ.get() finds that out by an exception, which takes a twentieth of a search of some megabytes.
    """
    if _VARIABLES is not None and _KEYS[name] not in _VARIABLES:
        return ""
    return os.environ.get(name, "")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return _all_cores()


@cache
def _all_cores() -> int:
    return os.cpu_count() or 1


@cache
def quota() -> int:
    """Return how many cores' time the control groups of the process grant it, rounded up; 0 where they do not say."""
    try:
        lines = _MEMBERSHIP.read_text().splitlines()
    except OSError:
        return 0
    shares = []
    for line in lines:
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            shares += [_share_of(folder / "cpu.max") for folder in _upwards(_GROUPS, path)]
        elif "cpu" in controllers.split(","):
            for mount in {controllers, "cpu"}:
                for folder in _upwards(_GROUPS / mount, path):
                    shares.append(_share_of(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"))
    return min((share for share in shares if share), default=0)


def _upwards(root: Path, path: str) -> list[Path]:
    """Return the folder of a group and of those around it. In a container the outer ones are not to be seen."""
    parts = [part for part in path.split("/") if part and part != ".."]
    return [root.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _share_of(*files: Path) -> int:
    """Return quota / period, rounded up, of one file with both or of one each; 0 where there is no quota."""
    try:
        quota, period = (int(word) for file in files for word in file.read_text().split())
    except (OSError, ValueError):  # no such file, or "max"
        return 0
    return -(-quota // period) if quota > 0 and period > 0 else 0
