"""Locks of open files, which the system lets go of when their process ends, however it ends."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "win32":
    import msvcrt

    _HELD = PermissionError  # the error of a try while another process has the lock
else:
    import fcntl

    _HELD = BlockingIOError

_PAUSE = 0.02  # seconds between two tries


def lock(descriptor: int, wait: float = 0.0, *, shared: bool = False) -> bool:
    """Whether an open file could be locked, which nobody else held for longer than `wait` seconds (``inf``: for ever).

    A `shared` lock many hold at once, none of them while somebody has the file alone; Windows has none.

    The lock is let go of when the file is closed, or by :func:`locked`.

    Raises
    ------
    OSError
        Where the file system has no locks.
    """
    if wait == math.inf and sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)  # the system wakes who waits
        return True
    end = time.monotonic() + wait
    while not _locked_now(descriptor, shared):
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE)
    return True


@contextmanager
def locked(descriptor: int, wait: float, *, shared: bool = False) -> Iterator[bool]:
    """Hold the lock of an open file for as long as the ``with`` block runs, if it could be had; say whether it could.

    A child that was forked meanwhile has the file open, too: closing it here would leave the lock to the child.
    """
    is_mine = lock(descriptor, wait, shared=shared)
    try:
        yield is_mine
    finally:
        if is_mine:
            _let_go(descriptor)


def _locked_now(descriptor: int, shared: bool) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except _HELD:
        return False
    return True


def _let_go(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
