"""Runs a scan on several threads: a part of the rows each, in C, and then merges their results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import blocks_of, default_threads, ffi, lib, pointer
from .scan import Scan, scratches
from .threads import Stop, in_turns, run

_MOST_ROWS = (1 << 32) - 2  # an entry has 32 bits for the number of a row
_MOST_PARTS = 256
_PART_ROWS = 256  # parts begin with a whole block of rows, and so with a whole byte of a mask
_HITS = 1 << 18
_OFFSETS, _STATE = ffi.typeof("int64_t[]"), ffi.typeof("int64_t[2]")
_FIRST_BYTES, _LEAST_BYTES = 1 << 24, 64


class NotFiniteRowError(ValueError):
    """A row's score was NaN; `row` is its number."""

    def __init__(self, row: int, by_user: bool) -> None:
        self.row = row
        words = "has NaN or infinite values (or some too large or too small for float32 scores)"
        if by_user:
            words = "has no score: the metric raised an exception, which Numba prints, or returned NaN"
        super().__init__(f"row {row} {words}")


def split(n: int, parts: int) -> list[tuple[int, int]]:
    """Return about equal ranges of 0 .. n, each beginning with a whole block and short enough for entries."""
    if parts == 1 and n <= _MOST_ROWS:
        return [(0, n)]
    parts = max(min(parts, -(-n // _PART_ROWS), _MOST_PARTS), -(-n // (_MOST_ROWS // _PART_ROWS * _PART_ROWS)), 1)
    step = max(-(-n // (parts * _PART_ROWS)) * _PART_ROWS, _PART_ROWS)
    return [(start, min(start + step, n)) for start in range(0, n, step)] or [(0, 0)]


def threads_for(scan: Scan, threads: int | None) -> int:
    """Return how many threads to run: for None one, unless the scan takes some hundred microseconds or more."""
    work = (
        0 if threads is not None else int(scan.n_positions * scan.args.row_bytes * max(len(scan.queries) / 16, 0.125))
    )
    return default_threads(threads, work)


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
    parts = split(scan.n_positions, 1 if scan.per_query else threads)
    bytes_each = 8 * n_queries * k
    room = scratches.take(len(parts) * bytes_each)
    entries = pointer(room)
    calls = []  # made before any thread begins, so that threads hardly need the interpreter
    for part, (start, end) in enumerate(parts):
        args = scan.arguments(k, start, end)
        args.entries = entries + part * bytes_each
        calls.append((args, ffi.new(_STATE), scratches.take(lib.ec_search_scratch_bytes(args))))
    results: list[Any] = [None] * len(parts)
    stop, first = Stop(), _first_pairs(scan)

    def search(part: int) -> None:
        args, state, scratch = calls[part]
        address, (start, end) = pointer(scratch), parts[part]

        def some(most: int) -> None:
            results[part] = lib.ec_search(args, most, state, address)

        def done() -> bool:
            return bool(state[0] == n_queries or (results[part] is not None and results[part].status))

        in_turns(some, done, (end - start) * n_queries, first, stop)

    run([partial(search, part) for part in range(len(parts))], threads, stop)
    for _, _, scratch in calls:
        scratches.give(scratch)
    for result, (start, _) in zip(results, parts, strict=True):
        if result.status:
            raise NotFiniteRowError(result.consumed + (start if selection is None else 0), scan.has_user_metric)
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
    n_queries = len(scan.queries)
    threads = threads_for(scan, threads)
    parts = split(scan.n_positions, threads)
    stop, first = Stop(), _first_pairs(scan)
    costs = thresholds * np.float32(scan.args.user_sign)
    found: list[list[tuple[NDArray[np.uint64], NDArray[np.int32]]]] = [[] for _ in parts]
    failures: list[int] = []

    def task(part: int) -> Callable[[], None]:
        start, end = parts[part]

        def scan_part() -> None:
            args = scan.arguments(1, start, end)
            capacity = max(_HITS, lib.ec_range_reserve(args))
            buffer = scratches.take(lib.ec_search_scratch_bytes(args))
            entries, queries = np.empty(capacity, np.uint64), np.empty(capacity, np.int32)
            state, failed = ffi.new(_STATE), [False]

            def some(most: int) -> None:
                result = lib.ec_range_search(
                    args, pointer(costs), pointer(entries), pointer(queries), capacity, most, state, pointer(buffer)
                )
                if result.status != lib.EC_OK:
                    failures.append(result.consumed + (start if scan.selection is None else 0))
                    failed[0] = True
                elif result.produced:
                    found[part].append((entries[: result.produced].copy(), queries[: result.produced].copy()))

            def done() -> bool:
                return bool(failed[0] or state[0] == n_queries)

            in_turns(some, done, (end - start) * n_queries, first, stop)
            scratches.give(buffer)

        return scan_part

    run([task(part) for part in range(len(parts))], threads, stop)
    if failures:
        raise NotFiniteRowError(min(failures), scan.has_user_metric)
    pieces = [(part, *piece) for part, some in enumerate(found) for piece in some]
    entries = np.concatenate([np.empty(0, np.uint64), *(piece[1] for piece in pieces)])
    queries = np.concatenate([np.empty(0, np.int32), *(piece[2] for piece in pieces)])
    starts = [np.full(len(piece[1]), parts[piece[0]][0], np.int64) for piece in pieces]
    rows = np.concatenate([np.empty(0, np.int64), *starts]) + (entries & np.uint64(0xFFFFFFFF)).astype(np.int64)
    order = np.lexsort((rows, entries >> np.uint64(32), queries))
    if scan.selection is not None:
        rows = scan.selection[rows]
    limits = np.zeros(n_queries + 1, np.int64)
    np.cumsum(np.bincount(queries, minlength=n_queries), out=limits[1:])
    scores = np.empty(len(order), np.int32 if scan.is_integer else np.float32)
    indices = np.empty(len(order), np.int64)
    ordered, zero = entries[order], np.zeros(1, np.int64)
    if len(order):
        lib.ec_search_merge(
            pointer(ordered), 1, len(order), 1, pointer(zero), 1, scan.is_integer, scan.args.user_sign, ffi.NULL, 0,
            pointer(scores), pointer(indices),
        )  # fmt: skip
    return limits, scores, rows[order]


def squares(scan: Scan, start: int = 0) -> NDArray[np.float64]:
    """Return the squared lengths of a scan's rows from `start` on, before their scales: what ``row_squares`` takes."""
    out = np.empty(len(scan.rows) - start, np.float64)
    for block in blocks_of(len(out), int(scan.args.row_bytes), _PART_ROWS):
        args = scan.arguments(0, start + block.start, start + block.stop)
        lib.ec_search_squares(args, pointer(out[block]))
    return out


def _first_pairs(scan: Scan) -> int:
    """Return a number of pairs of a query and a row that takes only a moment, even with the slowest kernels."""
    return max(_FIRST_BYTES // max(int(scan.args.row_bytes), _LEAST_BYTES), 1)
