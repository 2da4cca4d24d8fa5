"""Runs a scan in turns, between which signals are handled, and turns what it finds into scores and rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EmbcodecError
from .core import blocks_of, default_threads, ffi, lib, pointer
from .scan import DOT_F32, DOT_I8, DOT_U1, HAMMING_U1, USER_TILE, Scan, scratches
from .threads import in_turns

_MOST_ROWS = (1 << 32) - 2  # an entry has 32 bits for the number of a row
_PART_ROWS = 256  # a whole block of rows, and so whole bytes of a mask
_HITS = 1 << 18
_OFFSETS, _STATE = ffi.typeof("int64_t[]"), ffi.typeof("int64_t[2]")
_FIRST_BYTES, _LEAST_BYTES = 1 << 24, 64

# Nanoseconds a byte of rows, on the fastest core known: to read it, to gather it, and to meet one of many queries.
_READ, _GATHERED = 1 / 64, 1 / 16
_PACE = {HAMMING_U1: 0.0085, DOT_U1: 0.0105, DOT_I8: 0.0032, DOT_F32: 0.0008, USER_TILE: 0.1}


class NotFiniteRowError(EmbcodecError, ValueError):
    """A row's score was NaN; `row` is its number, or what else `called` says that it is."""

    def __init__(self, row: int, by_user: bool, called: str = "row") -> None:
        self.row, self.by_user = row, by_user
        words = "has NaN or infinite values (or some too large or too small for float32 scores)"
        if by_user:
            words = "has no score: the metric raised an exception, which Numba prints, or returned NaN"
        super().__init__(f"{called} {row} {words}")


def split(n: int) -> list[tuple[int, int]]:
    """Return ranges of 0 .. n that are short enough for entries, each beginning with a whole block."""
    step = _MOST_ROWS // _PART_ROWS * _PART_ROWS
    return [(start, min(start + step, n)) for start in range(0, n, step)] if n > _MOST_ROWS else [(0, n)]


def threads_for(scan: Scan, threads: int | None) -> int:
    """Return how many threads to run: for None as many as the scan is sure to be faster with."""
    if scan.per_query:
        size = scan.n_positions * int(scan.args.row_bytes)
        return default_threads(threads, size * len(scan.queries) * _GATHERED)
    read = _GATHERED if scan.selection is not None else _READ
    return default_threads(threads, nanoseconds(scan, scan.n_positions, read))


def nanoseconds(scan: Scan, n_rows: int, read: float = _READ) -> float:
    """Return how long the queries of a scan take to meet rows, at least; `read` is how long a byte takes to come."""
    return n_rows * int(scan.args.row_bytes) * max(len(scan.queries) * _PACE[scan.args.family], read)


def top_k(scan: Scan, k: int, threads: int | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return scores (n_queries, k) and rows, best first; k is at most the number of rows that count.

    Raises
    ------
    NotFiniteRowError
        Where a row's score is NaN.
    """
    n_queries, is_integer, selection = len(scan.queries), scan.is_integer, scan.selection
    scores = np.empty((n_queries, k), np.int32 if is_integer else np.float32)
    indices = np.empty((n_queries, k), np.int64)
    if k == 0 or n_queries == 0:
        return scores, indices
    threads = threads_for(scan, threads)
    parts = split(scan.n_positions)
    bytes_each = 8 * n_queries * k
    room = scratches.take(len(parts) * bytes_each)
    entries = pointer(room)
    for part, (start, end) in enumerate(parts):
        args = scan.arguments(k, start, end)
        args.entries = entries + part * bytes_each
        _scan(scan, args, start, threads, partial(lib.ec_search, args, threads))
    starts = ffi.new(_OFFSETS, [start for start, _ in parts])
    chosen, stride = ffi.NULL if selection is None else pointer(selection), scan.n_positions if scan.per_query else 0
    lib.ec_search_merge(
        entries, len(parts), n_queries, k, starts, k, is_integer, scan.args.user_sign, chosen, stride, pointer(scores),
        pointer(indices),
    )  # fmt: skip
    scratches.give(room)
    return scores, indices


def hits(
    scan: Scan, thresholds: NDArray[np.float32], threads: int | None
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """Return limits (n_queries + 1,), scores and rows of all that are better than their query's threshold, best first.

    Raises
    ------
    NotFiniteRowError
        Where a row's score is NaN.
    """
    entries, queries, rows = _hits(scan, thresholds, threads)
    order = np.lexsort((rows, entries >> np.uint64(32), queries))
    limits = np.zeros(len(scan.queries) + 1, np.int64)
    np.cumsum(np.bincount(queries, minlength=len(scan.queries)), out=limits[1:])
    return limits, _scores_of(scan, entries[order]), _chosen(scan, rows[order])


def _hits(
    scan: Scan, thresholds: NDArray[np.float32], threads: int | None
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int64]]:
    """Return entries, queries and positions of the hits."""
    threads = threads_for(scan, threads)
    costs = thresholds * np.float32(scan.args.user_sign)
    pieces: list[tuple[NDArray[np.uint64], NDArray[np.int32], int]] = []  # entries, their queries, their first row
    for start, end in split(scan.n_positions) if scan.n_positions else ():  # to a kernel no selection is all rows
        args = scan.arguments(1, start, end)
        capacity = max(_HITS, lib.ec_range_reserve(args))
        found, whose = np.empty((threads, capacity), np.uint64), np.empty((threads, capacity), np.int32)
        counts = np.zeros(threads, np.int64)

        def keep(found: Any = found, whose: Any = whose, counts: Any = counts, start: int = start) -> None:
            for i in np.flatnonzero(counts):
                pieces.append((found[i, : counts[i]].copy(), whose[i, : counts[i]].copy(), start))

        search = partial(
            lib.ec_range_search, args, pointer(costs), threads, pointer(found), pointer(whose), capacity,
            pointer(counts),
        )  # fmt: skip
        _scan(scan, args, start, threads, search, keep)
    entries = np.concatenate([np.empty(0, np.uint64), *(piece[0] for piece in pieces)])
    queries = np.concatenate([np.empty(0, np.int32), *(piece[1] for piece in pieces)])
    starts = [np.full(len(piece[0]), piece[2], np.int64) for piece in pieces]
    rows = np.concatenate([np.empty(0, np.int64), *starts]) + (entries & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return entries, queries, rows


def _chosen(scan: Scan, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return positions if scan.selection is None else scan.selection[positions]


def _scores_of(scan: Scan, entries: NDArray[np.uint64]) -> NDArray[Any]:
    """Return the scores of entries, (n,)."""
    scores = np.empty(len(entries), np.int32 if scan.is_integer else np.float32)
    indices, zero = np.empty(len(entries), np.int64), np.zeros(1, np.int64)
    if len(entries):
        lib.ec_search_merge(
            pointer(entries), 1, len(entries), 1, pointer(zero), 1, scan.is_integer, scan.args.user_sign, ffi.NULL, 0,
            pointer(scores), pointer(indices),
        )  # fmt: skip
    return scores


def _scan(
    scan: Scan,
    args: Any,
    start: int,
    threads: int,
    search: Callable[[int, Any, Any], Any],
    keep: Callable[[], None] | None = None,
) -> None:
    """Run a search, ``search(most_pairs, state, scratch)``, of the rows from `start` on, and `keep` after each turn."""
    n_queries, state = len(scan.queries), ffi.new(_STATE)
    scratch = scratches.take(lib.ec_search_scratch_bytes(args, threads))
    address = pointer(scratch)

    def turn(most: int) -> None:
        result = search(most, state, address)
        if result.status:
            row = result.consumed + (start if scan.selection is None else 0)
            raise NotFiniteRowError(row, scan.has_user_metric)
        if keep is not None:
            keep()

    n_rows = args.n_rows if scan.selection is None else args.n_selected
    in_turns(turn, lambda: bool(state[0] == n_queries), n_rows * n_queries, threads * _first_pairs(scan))
    scratches.give(scratch)


def squares(scan: Scan, start: int = 0) -> NDArray[np.float64]:
    """Return the squared lengths of a scan's rows from `start` on, before their scales: what ``row_squares`` takes.

    They are those of all rows, of which a search may have selected some.
    """
    out = np.empty(len(scan.rows) - start, np.float64)
    for block in blocks_of(len(out), int(scan.args.row_bytes), _PART_ROWS):
        args = scan.arguments(0, start + block.start, start + block.stop, of_rows=True)
        if not lib.ec_search_squares(args, pointer(out[block]), block.stop - block.start):
            raise ValueError(f"squared lengths of {args.n_rows} rows, where {block.stop - block.start} are wanted")
    return out


def _first_pairs(scan: Scan) -> int:
    """Return a number of pairs of a query and a row that takes only a moment, even with the slowest kernels."""
    return max(_FIRST_BYTES // max(int(scan.args.row_bytes), _LEAST_BYTES), 1)
