"""The threads that stay: every task once, exceptions where they belong, forks, and no thread to spare."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from embcodec._native import threads


def helpers() -> int:
    return sum(thread.name == "embcodec" for thread in threading.enumerate())


@pytest.mark.parametrize("n_threads", [1, 2, 3, 9])
@pytest.mark.parametrize("n_tasks", [0, 1, 2, 5, 40])
def test_every_task_runs_once(n_tasks: int, n_threads: int) -> None:
    for _ in range(20):
        done: list[int] = []
        threads.run([partial(done.append, i) for i in range(n_tasks)], n_threads)
        assert sorted(done) == list(range(n_tasks))


def test_threads_are_kept_for_the_next_call() -> None:
    def meet() -> None:
        barrier.wait(60)

    barrier = threading.Barrier(3)
    threads.run([meet] * 3, 3)
    before = helpers()
    assert before >= 2
    for _ in range(50):
        barrier = threading.Barrier(3)
        threads.run([meet] * 3, 3)  # they meet only if two others run beside the caller
    assert helpers() <= before + 2  # one may be on its way back to the others


def test_callers_may_be_many() -> None:
    def call(number: int) -> int:
        found: list[int] = []
        for _ in range(30):
            threads.run([partial(found.append, number) for _ in range(5)], 3)
        return found.count(number)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(8))) == [150] * 8


def test_a_task_may_itself_run_tasks() -> None:
    done: list[int] = []
    inner = [partial(done.append, i) for i in range(4)]
    threads.run([lambda: threads.run(inner, 3)] * 6, 3)
    assert sorted(done) == sorted(list(range(4)) * 6)


@pytest.mark.parametrize("at", [0, 1, 5])
def test_an_exception_is_raised_when_the_others_have_ended(at: int) -> None:
    running: list[int] = []

    def task(i: int) -> None:
        if i == at:
            raise KeyError(i)
        running.append(i)
        time.sleep(0.01)
        running.remove(i)

    for _ in range(5):
        with pytest.raises(KeyError, match=str(at)):
            threads.run([partial(task, i) for i in range(6)], 3)
        assert running == []
    done: list[int] = []
    threads.run([partial(done.append, 1)] * 4, 3)
    assert done == [1] * 4


@pytest.fixture
def heard() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, also where the tests run with it ignored, as background jobs do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends a signal to a thread")
def test_an_interrupt_waits_for_what_is_under_way() -> None:
    begun, ended = threading.Event(), threading.Event()
    caller = threading.main_thread()

    def task() -> None:
        if threading.current_thread() is caller:
            begun.wait(60)
            return
        begun.set()
        time.sleep(0.02)  # the caller waits for this task by now
        for _ in range(2):
            signal.pthread_kill(caller.ident or 0, signal.SIGINT)
            time.sleep(0.02)
        ended.set()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            threads.run([task] * 2, 2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.is_set()


def test_nothing_of_a_call_is_kept() -> None:
    class Held:
        pass

    def call() -> weakref.ref[Held]:
        held = Held()
        barrier = threading.Barrier(3)
        threads.run([lambda: (held, barrier.wait(60))] * 3, 3)
        return weakref.ref(held)

    known = call()
    deadline = time.monotonic() + 60
    while known() is not None and time.monotonic() < deadline:  # helpers are a moment behind their caller
        gc.collect()
        time.sleep(0.001)
    assert known() is None


def test_without_threads_to_spare_the_caller_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_idle", [])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    threads.run([partial(done.append, i) for i in range(7)], 4)
    assert done == list(range(7))


def _in_a_child() -> list[int]:
    done: list[int] = []
    threads.run([partial(done.append, i) for i in range(20)], 4)
    return sorted(done)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_begins_with_no_helpers() -> None:
    assert _in_a_child() == list(range(20))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for child in [pool.apply_async(_in_a_child) for _ in range(2)]:
            assert child.get(60) == list(range(20))
