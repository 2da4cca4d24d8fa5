"""Rows by blocks, on one thread or several: of the core for what it does alone, else of the interpreter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from . import core
from .threads import Stop, run

_LEAST_BYTES = 1 << 18  # the least that a block has: a call for less costs more than it does
_BLOCKS = 4  # a thread, so that all threads end at about the same time
_CODED = 1 / 64  # nanoseconds in which a fast core reads or writes a byte of floats that is in its cache


def each_call(call: Callable[[slice, int], None], n_rows: int, row_bytes: int, threads: int | None) -> None:
    """Call for blocks of so many rows as the core's threads code in some hundredths of a second.

    Parameters
    ----------
    call : callable
        Takes the slice of a block, and how many threads are to share it.
    n_rows, row_bytes : int
        Rows, and the bytes of a row of floats.
    threads : int or None
    """
    threads = core.default_threads(threads, n_rows * row_bytes * _CODED)
    for block in core.blocks_of(n_rows, -(-row_bytes // threads)):
        call(block, threads)


def each_block(
    call: Callable[[slice], None],
    n_rows: int,
    row_bytes: int,
    threads: int | None,
    pace: float,
    *,
    multiple: int = 1,
    block_bytes: int | None = None,
) -> None:
    """Call for every block of rows, on threads of the interpreter's, for what Python does at least in part.

    Parameters
    ----------
    call : callable
        Takes the slice of a block. What it raises is what it would raise on one thread: that of the first block.
    n_rows, row_bytes : int
    threads : int or None
    pace : float
        Nanoseconds that a byte of rows takes on a fast core, from which the default number of threads follows.
    multiple : int
        Of rows, with which blocks begin.
    block_bytes : int, optional
        How many bytes a block has whatever the threads, where results hang on it.
    """
    threads = core.default_threads(threads, n_rows * row_bytes * pace, core.PYTHON_HAND_OVER)
    if threads == 1:
        for block in core.blocks_of(n_rows, row_bytes, multiple, block_bytes):
            call(block)
        return
    share = block_bytes or max(n_rows * row_bytes // (_BLOCKS * threads), _LEAST_BYTES)
    waiting = deque(core.blocks_of(n_rows, row_bytes, multiple, share))
    failed: list[tuple[int, ValueError]] = []
    stop = Stop()

    def work() -> None:
        # The blocks before one that failed were taken before it, so the first error is the earliest row's.
        while waiting and not failed and not stop.wanted:
            try:
                block = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            try:
                call(block)
            except ValueError as error:
                failed.append((block.start, error))

    run([work] * min(threads, len(waiting)), threads, stop)
    if failed:
        raise min(failed, key=lambda one: one[0])[1]
