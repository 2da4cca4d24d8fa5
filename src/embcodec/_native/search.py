"""The blocked scan: what is compared, one C call a thread, the merged best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import default_threads, ffi, lib, pointer
from .threads import run

HAMMING_U1, DOT_U1, DOT_I8 = int(lib.EC_HAMMING_U1), int(lib.EC_DOT_U1), int(lib.EC_DOT_I8)
DOT_F32, USER_TILE = int(lib.EC_DOT_F32), int(lib.EC_USER_TILE)
DECODE_NONE, DECODE_I8, DECODE_U1 = int(lib.EC_DECODE_NONE), int(lib.EC_DECODE_I8), int(lib.EC_DECODE_U1)
COST_RAW, COST_DOT, COST_COSINE = int(lib.EC_COST_RAW), int(lib.EC_COST_DOT), int(lib.EC_COST_COSINE)
COST_L2, COST_JACCARD, COST_USER = int(lib.EC_COST_L2), int(lib.EC_COST_JACCARD), int(lib.EC_COST_USER)
LENGTH_NONE, LENGTH_F32 = int(lib.EC_LENGTH_NONE), int(lib.EC_LENGTH_F32)
LENGTH_I8, LENGTH_RANGES = int(lib.EC_LENGTH_I8), int(lib.EC_LENGTH_RANGES)
MAX_DIMENSION = int(lib.EC_DOT_MAX_DIMENSION)

_MOST_ROWS = (1 << 32) - 2  # an entry names a row in 32 bits
_MOST_PARTS = 256
_PART_ROWS = 256  # parts begin at whole blocks, which are also whole bytes of a mask
_HITS = 1 << 18


@dataclass
class Scan:
    """What ``ec_search_args`` wants: queries, rows and how a raw score becomes a cost. See csrc/embcodec.h.

    A cost is kept low; a score is ``sign`` times the cost, int32 for ``COST_RAW``, float32 else.
    """

    family: int
    queries: NDArray[Any]
    rows: NDArray[Any]
    metric: int = COST_DOT
    sign: float = -1.0
    decode: int = DECODE_NONE
    lengths: int = LENGTH_NONE
    flip: int = 0
    mul: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | None = None
    square: NDArray[np.float32] | None = None
    mask: NDArray[np.uint8] | None = None
    selection: NDArray[np.int64] | None = None
    row_scales: NDArray[np.float32] | None = None
    row_squares: NDArray[np.float64] | None = None
    sum_weight: float = 0.0
    step: float = 1.0
    centre: float = 0.0
    steps: NDArray[np.float32] | None = None
    offsets: NDArray[np.float32] | None = None
    factors: NDArray[np.float32] | None = None  # at the end a query's scores are multiplied by these
    constants: NDArray[np.float32] | None = None  # and these added
    tile: int = 0
    keep_alive: list[Any] = field(default_factory=list)

    @property
    def is_integer(self) -> bool:
        """Whether scores are int32."""
        return self.metric == COST_RAW

    @property
    def per_query(self) -> bool:
        """Whether each query has rows of its own: `selection` is (n_queries, n)."""
        return self.selection is not None and self.selection.ndim == 2

    @property
    def n_positions(self) -> int:
        """Rows of the corpus, or of the selection."""
        return len(self.rows) if self.selection is None else int(self.selection.shape[-1])

    def arguments(self, k: int, start: int, stop: int, entries: NDArray[np.uint64] | None) -> tuple[Any, list[Any]]:
        """Return ``ec_search_args`` for positions start .. stop, and what must outlive the call."""
        alive: list[Any] = []

        def address(array: NDArray[Any], offset: int = 0) -> Any:
            # past the array's last row lies nothing that is read
            cdata = pointer(array[offset:] if offset else array)
            alive.append(cdata)
            return cdata

        whole = self.selection is not None
        first = 0 if whole else start
        width = self.rows.shape[1]
        args = ffi.new("ec_search_args *")  # all zeros
        args.family, args.decode, args.metric, args.lengths = self.family, self.decode, self.metric, self.lengths
        args.flip, args.user_sign = self.flip, self.sign
        args.width, args.row_bytes, args.row_stride = width, width * self.rows.itemsize, width * self.rows.itemsize
        args.queries, args.n_queries = address(self.queries), len(self.queries)
        for name, values in (("mul", self.mul), ("bias", self.bias), ("square", self.square)):
            if values is not None:
                setattr(args, name, address(values))
        args.rows, args.n_rows = address(self.rows, first), len(self.rows) if whole else stop - start
        if self.mask is not None:
            args.mask = address(self.mask, first // 8)
        if self.selection is not None:
            chosen = self.selection if self.per_query else self.selection[start:stop]
            args.selection, args.n_selected = address(chosen), stop - start
            args.selection_stride = self.selection.shape[1] if self.per_query else 0
        if self.row_scales is not None:
            args.row_scales = address(self.row_scales, first)
        if self.row_squares is not None:
            args.row_squares = address(self.row_squares, first)
        args.sum_weight, args.step, args.centre = self.sum_weight, self.step, self.centre
        if self.steps is not None and self.offsets is not None:
            args.steps, args.offsets = address(self.steps), address(self.offsets)
        if self.tile:
            args.tile = ffi.cast("ec_user_tile", self.tile)
        args.k = k
        if entries is not None:
            args.entries = address(entries)
        return args, alive


class NotFiniteRowError(ValueError):
    """A row's score was NaN; `row` is its number."""

    def __init__(self, row: int) -> None:
        self.row = row
        super().__init__(f"row {row} has NaN or infinite values (or some too large or too small for float32 scores)")


class _Scratch:
    """Scratch buffers handed from call to call, the last one back first: fresh pages cost more than a small search."""

    def __init__(self, most: int = 8, most_bytes: int = 32 << 20) -> None:
        self._free: list[NDArray[np.uint8]] = []
        self._most, self._most_bytes = most, most_bytes

    def take(self, size: int) -> NDArray[np.uint8]:
        """Return a 64-byte aligned buffer of at least `size` bytes."""
        try:
            buffer = self._free.pop()
        except IndexError:
            buffer = np.empty(0, np.uint8)
        if len(buffer) < size:
            whole = np.empty(size + 64, np.uint8)
            skip = -whole.ctypes.data % 64
            buffer = whole[skip : skip + size]
        return buffer

    def give(self, buffer: NDArray[np.uint8]) -> None:
        """Take a buffer back."""
        if len(self._free) < self._most and len(buffer) <= self._most_bytes:
            self._free.append(buffer)


_scratch = _Scratch()


def split(n: int, parts: int) -> list[tuple[int, int]]:
    """Return ranges of 0 .. n, about equal, that begin at whole blocks and are not too long for entries."""
    parts = max(min(parts, -(-n // _PART_ROWS), _MOST_PARTS), -(-n // (_MOST_ROWS // _PART_ROWS * _PART_ROWS)), 1)
    step = max(-(-n // (parts * _PART_ROWS)) * _PART_ROWS, _PART_ROWS)
    return [(start, min(start + step, n)) for start in range(0, n, step)] or [(0, 0)]


def threads_for(scan: Scan, threads: int | None) -> int:
    """Return how many threads to run: by default one until a scan takes some hundred microseconds."""
    row_bytes = scan.rows.shape[1] * scan.rows.itemsize
    return default_threads(threads, int(scan.n_positions * row_bytes * max(len(scan.queries) / 16, 0.125)))


def top_k(scan: Scan, k: int, threads: int | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return scores (n_queries, k) and rows, best first; k is at most the number of rows that count.

    Raises
    ------
    NotFiniteRowError
        Where a row's score is NaN.
    """
    n_queries = len(scan.queries)
    scores = np.empty((n_queries, k), np.int32 if scan.is_integer else np.float32)
    indices = np.empty((n_queries, k), np.int64)
    if k == 0 or n_queries == 0:
        return scores, indices
    threads = threads_for(scan, threads)
    parts = split(scan.n_positions, 1 if scan.per_query else threads)
    room = _scratch.take(8 * len(parts) * n_queries * k)
    entries = room[: 8 * len(parts) * n_queries * k].view(np.uint64).reshape(len(parts), n_queries, k)
    calls = []  # made before any thread begins: with them ready a thread does nothing that needs the interpreter
    for (start, stop), part in zip(parts, entries, strict=True):
        args, alive = scan.arguments(k, start, stop, part)
        calls.append((args, _scratch.take(lib.ec_search_scratch_bytes(args)), alive))
    results: list[Any] = [None] * len(parts)

    def search(part: int) -> None:
        args, scratch, _ = calls[part]
        results[part] = lib.ec_search(args, pointer(scratch))

    run([partial(search, part) for part in range(len(parts))], threads)
    for _, scratch, _ in calls:
        _scratch.give(scratch)
    failures = [
        result.consumed + (start if scan.selection is None else 0)
        for result, (start, _) in zip(results, parts, strict=True)
        if result.status != lib.EC_OK
    ]
    if failures:
        _scratch.give(room)
        raise NotFiniteRowError(min(failures))
    first_rows = np.array([start for start, _ in parts], np.int64)
    stride = scan.n_positions if scan.per_query else 0
    selection = ffi.NULL if scan.selection is None else pointer(scan.selection)
    lib.ec_search_merge(
        pointer(entries), len(parts), n_queries, k, pointer(first_rows), k, scan.is_integer, scan.sign,
        selection, stride, pointer(scores), pointer(indices),
    )  # fmt: skip
    _scratch.give(room)
    return scores, indices


def hits(
    scan: Scan, threshold: float, threads: int | None
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]:
    """Return limits (n_queries + 1,), scores and rows of all that are better than the threshold, best first.

    Raises
    ------
    NotFiniteRowError
        Where a row's score is NaN.
    """
    n_queries = len(scan.queries)
    threads = threads_for(scan, threads)
    parts = split(scan.n_positions, threads)
    found: list[list[tuple[NDArray[np.uint64], NDArray[np.int32]]]] = [[] for _ in parts]
    failures: list[int] = []

    def task(part: int) -> Callable[[], None]:
        start, stop = parts[part]

        def scan_part() -> None:
            args, alive = scan.arguments(1, start, stop, None)
            capacity = max(_HITS, lib.ec_range_reserve(args))
            buffer = _scratch.take(lib.ec_search_scratch_bytes(args))
            entries, queries = np.empty(capacity, np.uint64), np.empty(capacity, np.int32)
            state = np.zeros(2, np.int64)
            while state[0] < n_queries:
                result = lib.ec_range_search(
                    args, threshold * scan.sign, pointer(entries), pointer(queries), capacity, pointer(state),
                    pointer(buffer),
                )  # fmt: skip
                if result.status != lib.EC_OK:
                    failures.append(result.consumed + (start if scan.selection is None else 0))
                    break
                found[part].append((entries[: result.produced].copy(), queries[: result.produced].copy()))
            _scratch.give(buffer)
            del alive

        return scan_part

    run([task(part) for part in range(len(parts))], threads)
    if failures:
        raise NotFiniteRowError(min(failures))
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
            pointer(ordered), 1, len(order), 1, pointer(zero), 1, scan.is_integer, scan.sign, ffi.NULL, 0,
            pointer(scores), pointer(indices),
        )  # fmt: skip
    return limits, scores, rows[order]


def squares(scan: Scan, start: int = 0) -> NDArray[np.float64]:
    """Return the squared lengths of rows `start` .. of a scan, before their scales, that ``row_squares`` wants."""
    out = np.empty(len(scan.rows) - start, np.float64)
    if len(out):
        args, alive = scan.arguments(0, start, len(scan.rows), None)
        lib.ec_search_squares(args, pointer(out))
        del alive
    return out
