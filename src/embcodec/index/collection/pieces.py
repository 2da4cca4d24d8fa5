"""How the rows of a collection are cut into the tasks of a search, so that all workers end at about the same time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from .manifest import Shard

_FIRST = 0.5  # of its share of the rows that each thread is given at once,
_SMALLER = 2 / 3  # and how large each further piece is beside the one before
_MOST = 6  # pieces a thread: the last ones are a twenty-sixth of a share
_LINES = 64  # rows that fill whole bytes of masks, and whole lines of memory
_LEAST_BYTES = 1 << 20  # of codes, of which pieces of a file are multiples: small files stay whole


class Piece(NamedTuple):
    """Rows start .. stop - 1 of a file."""

    shard: Shard
    start: int
    stop: int


def shares(worth: float) -> list[float]:
    """Return how large the pieces of one thread are, the largest first; they come to 1.

    Workers are not equally fast, and each has a further piece in hand while it is at one. So the first ones are large,
    as each takes the scheduler some time, and the last ones small, as who ends last is waited for.

    Parameters
    ----------
    worth : float
        The work of the thread, as a multiple of the least that is worth a task.
    """
    for count in range(_MOST, 1, -1):
        further = [_SMALLER**i for i in range(count - 1)]
        found = [_FIRST, *((1 - _FIRST) * each / sum(further) for each in further)]
        if found[-1] * worth >= 1:
            return found
    return [1.0]


def cut(shards: Sequence[Shard], parts: Sequence[float], row_bytes: int) -> list[tuple[Piece, ...]]:
    """Return the rows of files, one after another, in such parts of all of them; fewer where they are few."""
    step = -(-_LEAST_BYTES // (row_bytes * _LINES)) * _LINES
    starts = [0, *accumulate(shard.rows for shard in shards)]
    limits = [0]
    for part in accumulate(parts):
        limit = part * starts[-1] / sum(parts)
        number = min(bisect_right(starts, limit), len(shards)) - 1
        limits.append(min(starts[number] + round((limit - starts[number]) / step) * step, starts[number + 1]))
    limits[-1] = starts[-1]
    return [_between(shards, starts, first, last) for first, last in pairwise(limits) if first < last]


def _between(shards: Sequence[Shard], starts: Sequence[int], first: int, last: int) -> tuple[Piece, ...]:
    """Return the rows first .. last - 1 of all files; `starts` are the first rows of these, and the end."""
    pieces = []
    number = bisect_right(starts, first) - 1
    while starts[number] < last:
        start = starts[number]
        pieces.append(Piece(shards[number], max(first - start, 0), min(last, starts[number + 1]) - start))
        number += 1
    return tuple(pieces)
