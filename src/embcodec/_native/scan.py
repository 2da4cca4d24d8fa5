"""A scan, as the C core takes it: queries in the form of the kernels, rows, and how a raw score becomes a cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bits import query_not_finite
from .core import ffi, lib, pointer
from .segments import Segments

HAMMING_U1, DOT_U1, DOT_I8 = int(lib.EC_HAMMING_U1), int(lib.EC_DOT_U1), int(lib.EC_DOT_I8)
DOT_F32, USER_TILE = int(lib.EC_DOT_F32), int(lib.EC_USER_TILE)
DECODE_NONE, DECODE_I8, DECODE_U1 = int(lib.EC_DECODE_NONE), int(lib.EC_DECODE_I8), int(lib.EC_DECODE_U1)
COST_RAW, COST_DOT, COST_COSINE = int(lib.EC_COST_RAW), int(lib.EC_COST_DOT), int(lib.EC_COST_COSINE)
COST_L2, COST_JACCARD, COST_USER = int(lib.EC_COST_L2), int(lib.EC_COST_JACCARD), int(lib.EC_COST_USER)
LENGTH_NONE, LENGTH_F32 = int(lib.EC_LENGTH_NONE), int(lib.EC_LENGTH_F32)
LENGTH_I8, LENGTH_RANGES = int(lib.EC_LENGTH_I8), int(lib.EC_LENGTH_RANGES)
MAX_DIMENSION = int(lib.EC_DOT_MAX_DIMENSION)

_ARGUMENTS = ffi.typeof("ec_search_args *")
_FLOAT32, _INT8, _UINT8 = int(lib.EC_FLOAT32), int(lib.EC_INT8), int(lib.EC_UINT8)
_TYPES = {np.dtype(np.float32): _FLOAT32, np.dtype(np.int8): _INT8, np.dtype(np.uint8): _UINT8}


class Scan:
    """Queries, rows and the other fields of ``ec_search_args``, whose meanings csrc/contract/search.h states.

    Attributes
    ----------
    args : cdata
        The numbers that are the same for all rows and queries, which the planner sets. A cost is better when it is
        lower; a score is ``args.user_sign`` times the cost, int32 for ``COST_RAW`` and else float32.
    queries : ndarray
        As given at first, and after :meth:`meet` in the form of the kernels.
    terms : ndarray of float32, (3, n_queries), or None
        The factor, the bias and the squared length of each query.
    """

    mask: NDArray[np.uint8] | None = None
    selection: NDArray[np.int64] | None = None
    terms: NDArray[np.float32] | None = None
    row_scales: NDArray[np.float32] | None = None
    row_squares: NDArray[np.float64] | None = None
    row_biases: NDArray[np.float32] | None = None  # added to the dots, times the weight of the query
    weights: NDArray[np.float32] | None = None
    factors: NDArray[np.float32] | None = None  # a factor a query, for its scores, at the end
    constants: NDArray[np.float32] | None = None  # a constant a query, added to them after that
    least: float | None = None  # the bound to which lower scores are raised after that
    within: NDArray[Any] | None = None  # costs a query, int32 or float32, beyond which no row is wanted
    _kept: Any = None  # kept alive, because args hold its address

    rows: NDArray[Any] | Segments

    def __init__(self, family: int, queries: NDArray[Any], rows: NDArray[Any], decode: int = DECODE_NONE) -> None:
        self.queries, self.rows = queries, rows
        self.args = args = ffi.new(_ARGUMENTS)  # cffi sets it to zeros
        args.family, args.decode, args.metric, args.user_sign, args.step = family, decode, COST_DOT, -1.0, 1.0
        args.n_queries, args.width = len(queries), rows.shape[1]
        args.row_bytes = args.row_stride = args.width * rows.itemsize

    def set_ranges(self, steps: NDArray[np.float32], offsets: NDArray[np.float32]) -> None:
        """Let rows stand for steps * code + offsets, (dimension,) each."""
        self._kept = steps, offsets
        self.args.lengths, self.args.steps, self.args.offsets = LENGTH_RANGES, pointer(steps), pointer(offsets)

    def set_tile(self, metric: Any) -> None:
        """Score by a compiled metric."""
        self._kept = metric
        self.args.metric, self.args.tile = COST_USER, ffi.cast("ec_user_tile", metric.address)

    @property
    def has_user_metric(self) -> bool:
        """Whether a user's function computes the scores."""
        return bool(self.args.metric == COST_USER)

    @property
    def is_integer(self) -> bool:
        """Whether scores are int32."""
        return bool(self.args.metric == COST_RAW)

    def costs_of(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return what the scan's own scores cost: what is better is lower."""
        return scores if self.is_integer else scores * np.float32(self.args.user_sign)

    @property
    def per_query(self) -> bool:
        """Whether each query has rows of its own: `selection` is (n_queries, n)."""
        return self.selection is not None and self.selection.ndim == 2

    @property
    def n_positions(self) -> int:
        """Rows of the corpus, or of the selection."""
        return len(self.rows) if self.selection is None else int(self.selection.shape[-1])

    def meet(self, metric: int, dimension: int, *, scales: NDArray[np.float32] | None = None, flags: int = 0) -> None:
        """Bring queries as they are given, floats or codes, into the form of the kernels, and find their terms.

        Parameters
        ----------
        metric : int
            ``COST_DOT``, ``COST_COSINE``, ``COST_L2`` or ``COST_JACCARD``.
        dimension : int
        scales : ndarray of float32, (n_queries,), optional
            The scales of queries that are codes.
        flags : int
            How the rows' bits lie: see :func:`.bits.bit_flags`.

        Raises
        ------
        ValueError
            For queries that are not finite, or too large.
        """
        values, args, family = self.queries, self.args, self.args.family
        kind, args.metric = _TYPES[values.dtype], metric
        self.terms = np.empty((3, len(values)), np.float32)
        scratch = scratches.take(lib.ec_search_queries_scratch_bytes(dimension))
        changed = family == DOT_U1 or (family == DOT_I8 and kind != _INT8) or args.decode != DECODE_NONE
        while True:
            if changed:
                self.queries = np.empty((len(values), lib.ec_search_query_bytes(args)), np.uint8)
            done = lib.ec_search_queries(
                args, pointer(values), kind, dimension, ffi.NULL if scales is None else pointer(scales),
                flags, pointer(self.queries) if changed else ffi.NULL, pointer(self.terms), pointer(scratch),
            )  # fmt: skip
            if changed or not done.produced:
                break
            changed = True  # some queries must be multiplied: see ec_search_queries()
        scratches.give(scratch)
        if done.status:
            if done.status == lib.EC_NOT_FINITE:
                raise query_not_finite(values, int(done.consumed))
            raise ValueError("queries are too large for float32")

    def over(self, rows: NDArray[Any] | Segments) -> Scan:
        """Return a scan of other rows of the same kind for the same queries, without what is said of single rows."""
        other = Scan.__new__(Scan)
        other.__dict__.update(self.__dict__, rows=rows, args=ffi.new(_ARGUMENTS, self.args[0]))
        for single in ("mask", "selection", "row_scales", "row_squares", "row_biases", "within"):
            other.__dict__.pop(single, None)
        return other

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        args = ffi.new(_ARGUMENTS, self.args[0])
        args.steps, args.offsets, args.tile = ffi.NULL, ffi.NULL, ffi.NULL  # addresses are of a process
        return {**state, "args": bytes(ffi.buffer(args))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.args = ffi.new(_ARGUMENTS)
        ffi.buffer(self.args)[:] = state["args"]
        if self.has_user_metric:
            self.set_tile(self._kept)
        elif self._kept is not None:
            self.set_ranges(*self._kept)

    def arguments(self, k: int, start: int, stop: int, *, of_rows: bool = False) -> Any:
        """Return ``ec_search_args`` for positions start .. stop, with addresses in the scan's arrays.

        With `of_rows` they are rows of the corpus, whether it has a selection or not.
        """
        args, selection = ffi.new(_ARGUMENTS, self.args[0]), None if of_rows else self.selection
        first = 0 if selection is not None else start
        args.queries, args.n_rows, args.k = pointer(self.queries), stop - start, k
        if isinstance(self.rows, Segments):
            segments = self.rows.between(first, stop if selection is None else len(self.rows))
            args.segments, args.n_segments = segments, len(segments)
        else:  # kernels read nothing behind the last row
            args.whole.rows = pointer(self.rows[first:] if first else self.rows)
            args.whole.count = len(self.rows) if selection is not None else stop - start
        if self.terms is not None and self.terms.size:
            terms, each = pointer(self.terms), self.terms.strides[0]
            args.mul, args.bias, args.square = terms, terms + each, terms + 2 * each
        if selection is not None:
            chosen = selection if self.per_query else selection[start:stop]
            args.n_rows, args.n_selected, args.selection = len(self.rows), stop - start, pointer(chosen)
            args.selection_stride = chosen.shape[1] if self.per_query else 0
        if self.mask is not None:
            args.mask = self._of_rows(self.mask, first, 8)
        if self.row_scales is not None:
            args.whole.row_scales = self._of_rows(self.row_scales, first)
        if self.row_biases is not None:
            args.whole.row_biases = self._of_rows(self.row_biases, first)
        if self.weights is not None:
            args.weight = self._of_queries(self.weights)
        if self.within is not None:
            args.within = self._of_queries(self.within)
        if self.row_squares is not None:
            args.whole.row_squares = self._of_rows(self.row_squares, first)
        return args

    def _of_rows(self, array: NDArray[Any], first: int, rows_each: int = 1) -> Any:
        """Return where an array has what belongs to row `first`: kernels read on to the last row and do not ask."""
        if len(array) != -(-len(self.rows) // rows_each):
            raise ValueError(f"{len(array)} values of {len(self.rows)} rows")
        return pointer(array[first // rows_each :] if first else array)

    def _of_queries(self, array: NDArray[Any]) -> Any:
        if len(array) != len(self.queries):
            raise ValueError(f"{len(array)} values of {len(self.queries)} queries")
        return pointer(array)


class Scratch:
    """Scratch buffers that calls reuse, the last one used first, because fresh pages cost more than a small search."""

    def __init__(self, most: int = 8, most_bytes: int = 128 << 20) -> None:
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
        free = self._free
        if len(free) < self._most and len(buffer) + sum(map(len, free)) <= self._most_bytes:
            free.append(buffer)


scratches = Scratch()
