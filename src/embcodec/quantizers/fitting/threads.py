"""Fits on all cores: choices side by side, each on one thread of the linear algebra.

A fit is thousands of products of small matrices. Shared out among BLAS' own threads each takes longer than on one, for
they wait for each other by turning, and many times longer where anything else runs on the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from ..._native import core

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_AT_ONCE = 4
"""Choices measured side by side: each holds a matrix of estimates, of 64 MB at most."""

_LONG = 1 << 32
"""Multiplications of one product from which on BLAS' threads are worth their waiting."""


def one_blas_thread(multiplications: int = 0) -> AbstractContextManager[Any]:
    """Keep BLAS to one thread meanwhile, unless products are as long as that; of fits at once the first sees to it."""
    if multiplications >= _LONG:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Yield what `work` makes of each item, in order, on as many threads as are allowed."""
    threads = min(_MOST_AT_ONCE, core.default_threads(None, 1 << 40), len(items))
    if threads <= 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads, "embcodec-fit") as pool:
        yield from pool.map(work, items)
