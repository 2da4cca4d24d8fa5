"""The only importer of the built module: tier choice, buffers in, exceptions out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels import ffi as ffi
from .._kernels import lib as lib
from ..errors import DecodeError
from ..words import meant, shown
from .cores import allowed

from_buffer, _NULL = ffi.from_buffer, ffi.NULL

# Every tier that the core knows, whether this machine can run it or not: its name, plainest first, and its bit.
_BITS = (1 << i for i in range(32))
_TIERS = {name: bit for bit in _BITS if (name := ffi.string(lib.ec_isa_name(bit)).decode())}

_BLOCK_BYTES = 1 << 26  # bytes of rows a call: some hundredths of a second, more on the plainest tier
_MOST_THREADS = 256  # no memory feeds more than these

# A thread more is begun for each so many times that work takes as long as handing it over: even where threads sleep
# deeper than when that was measured, and take twice as long to wake, two are then no slower than one.
_WORTH = 4
_LEAST_HAND_OVER = 8e3  # nanoseconds to wake a thread that sleeps, where the machine has nothing else to do
_TRIES, _ASLEEP = 9, 1e-4  # how often that is measured, and after how many idle seconds a thread is asleep

PYTHON_HAND_OVER = 5e4
"""Nanoseconds after which a thread that needs the interpreter works."""

_REASONS = {
    lib.EC_BAD_CHARACTER: "unexpected character",
    lib.EC_BAD_PADDING: "bad base64 padding",
    lib.EC_BAD_LENGTH: "wrong length",
    lib.EC_TRUNCATED: "the text ends too early",
    lib.EC_BAD_NUMBER: "not a JSON number",
    lib.EC_NUMBER_TOO_LONG: f"a number of more than {lib.EC_MAX_NUMBER} bytes",
    lib.EC_OUT_OF_RANGE: "a number out of the type's range",
    lib.EC_NOT_INTEGRAL: "a fraction where an integer is wanted: floats, which output_dtype='float' reads",
    lib.EC_NOT_FINITE: "NaN or Infinity",
    lib.EC_NULL_ELEMENT: "null where a number is wanted",
    lib.EC_TOO_DEEP: f"nested deeper than {lib.EC_MAX_DEPTH} levels",
    lib.EC_BAD_STRING: "a control character or a bad escape in a string",
    lib.EC_BAD_UTF8: "invalid UTF-8",
    lib.EC_NO_CAPACITY: "more values than the output has room for",
    lib.EC_WRONG_KIND: "a JSON value of another kind than wanted",
    lib.EC_DUPLICATE: "an index given twice",
    lib.EC_TRAILING: "unexpected text after the end",
    lib.EC_BAD_ARGUMENT: "arrays and numbers that do not go together",
}


def reason(status: int) -> str:
    """Return the words for a status of the C core."""
    return _REASONS.get(status, f"unknown status {status}")


def check(result: Any, *, base: int = 0, row: int | None = None) -> None:
    """Raise DecodeError for an ``ec_result`` that failed; `base` is added to its offset."""
    if result.status != lib.EC_OK:
        raise DecodeError(reason(result.status), offset=base + result.consumed, row=row)


def available_isas() -> tuple[str, ...]:
    """Return the names of the tiers that this machine can run, plainest first."""
    available = lib.ec_isa_available()
    return tuple(name for name, tier in _TIERS.items() if available & tier)


def active_isa() -> str:
    """Return the name of the tier whose kernels are in force."""
    return str(ffi.string(lib.ec_isa_name(lib.ec_isa_active())).decode())


def select_isa(name: str) -> None:
    """Put the kernels of the tier `name` in force. For start-up and tests: not while other threads compute.

    Raises
    ------
    ValueError
        Where there is no such tier, or not on this machine.
    """
    if name not in _TIERS:
        raise ValueError(f"unknown instruction set {name!r}; known are {', '.join(_TIERS)}{meant(name, _TIERS)}")
    if not lib.ec_isa_select(_TIERS[name]):
        raise ValueError(f"this machine cannot run {name!r}; it has {', '.join(available_isas())}")


@contextmanager
def forced_isa(name: str) -> Iterator[None]:
    """Force a tier within a ``with`` block and restore the former one after it. For tests."""
    before = active_isa()
    select_isa(name)
    try:
        yield
    finally:
        select_isa(before)


def pointer(array: NDArray[Any]) -> Any:
    """Return the address of a C-contiguous array, keeping it alive; pass it where C takes ``void *``."""
    return from_buffer(array) if array.size else _NULL


def blocks_of(n_rows: int, row_bytes: int, multiple: int = 1, most_bytes: int | None = None) -> list[slice]:
    """Return the slices of rows that one call each should take.

    Few rows are one slice. Many rows are several, so that signals are handled between the calls; each slice begins at
    a multiple of `multiple` rows, and has at most so many bytes, or one such multiple.
    """
    bytes_each = _BLOCK_BYTES if most_bytes is None else min(most_bytes, _BLOCK_BYTES)
    step = max(bytes_each // max(row_bytes * multiple, 1), 1) * multiple
    if n_rows <= step:
        return [slice(0, n_rows)]
    return [slice(begin, min(begin + step, n_rows)) for begin in range(0, n_rows, step)]


def result_array(out: Any, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return `out` where it is an array that a result of `shape` and `dtype` can be written to, a new one for None."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.dtype != dtype or out.shape != shape:
        found = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out must be a {np.dtype(dtype)} array of shape {shape}, not {found}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError("out must be C-contiguous and writeable")
    return out


def default_threads(threads: int | None, nanoseconds: float, hand_over: float | None = None) -> int:
    """Return how many threads to run: `threads`, capped; for None as many as are sure to pay.

    Parameters
    ----------
    threads : int or None
    nanoseconds : float
        About what the work takes one thread, rather less than more.
    hand_over : float, optional
        The nanoseconds after which another thread works; by default what the core's own take.
    """
    if threads is None:
        # What is allowed is asked last: that takes half as long as handing work over.
        if nanoseconds < _WORTH * _LEAST_HAND_OVER or nanoseconds < _WORTH * (cost := hand_over or _core_hand_over()):
            return 1
        return min(allowed(), 1 + int(nanoseconds / (_WORTH * cost)), _MOST_THREADS)
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer):
        raise TypeError(f"threads is a whole number, not {shown(threads)}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    return min(int(threads), _MOST_THREADS)


@cache
def _core_hand_over() -> float:
    """Return what it takes to wake a thread of the core that sleeps and to hear of it, in nanoseconds, measured once.

    It is the least of some: what else the machine does in this moment is not to count for the rest of the process.
    """
    if allowed() == 1:
        return _LEAST_HAND_OVER
    lib.ec_pool_hand_over(2)  # starts it
    measured = []
    for _ in range(_TRIES):
        time.sleep(_ASLEEP)
        measured.append(lib.ec_pool_hand_over(2))
    return float(max(min(measured), _LEAST_HAND_OVER))


def _choose_at_import() -> None:
    wanted = os.environ.get("EMBCODEC_ISA")
    if wanted:
        try:
            select_isa(wanted)
        except ValueError as error:
            raise ImportError(f"EMBCODEC_ISA: {error}") from None
    else:
        select_isa(available_isas()[-1])


_choose_at_import()
