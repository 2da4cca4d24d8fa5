"""Threads that are kept: starting a thread takes longer than a small search, waking one that waits does not.

Each helper thread waits for work in a queue of its own, and holds no references meanwhile. Helpers are daemons, so that
a program can end without them. A forked child, which has none of its parent's threads, begins with no helpers.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue

Task = Callable[[], object]
Inbox = SimpleQueue[Task]

_MOST_IDLE = 64
_ALL = (1 << 63) - 1
_SHORT, _LONG = 0.02, 0.1  # seconds of a turn
_idle: list[Inbox] = []  # the last one to have worked is taken first, because its core is awake

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)


class Stop:
    """Whether the rest of some tasks is no longer wanted, because one raised an exception or the user interrupted."""

    wanted = False


def in_turns(call: Callable[[int], object], done: Callable[[], bool], work: int, first: int) -> None:
    """Make a long call in turns of about a twentieth of a second, between which signals are handled.

    Parameters
    ----------
    call : callable
        Takes how much to do at most, and goes on where the call before stopped.
    done : callable
        Whether nothing is left.
    work, first : int
        How much there is to do in all, and in the first turn. If the first turn is all, there is only one call.
    """
    if work <= first:
        call(_ALL)
        first = _ALL
    while not done():
        begun = time.perf_counter()
        call(first)
        took = time.perf_counter() - begun
        if took < _SHORT:
            first = min(4 * first, _ALL)
        elif took > _LONG:
            first = max(first // 2, 1)


def run(tasks: Sequence[Task], threads: int, stop: Stop | None = None) -> None:
    """Run every task, the caller's thread being one of at most `threads`, and return when all have ended.

    Several callers may run tasks at once. After an exception, or a KeyboardInterrupt of the caller, no further task is
    begun; tasks under way may look at `stop`. The first exception is raised once they have ended.
    """
    stop = stop or Stop()
    most = min(threads, len(tasks)) - 1
    if most <= 0:
        for task in tasks:
            task()
        return
    waiting = deque(tasks)
    ended: list[None] = []  # an element for each task that a helper has run
    left: list[None] = []  # an element for each helper that takes no more tasks
    errors: list[BaseException] = []
    changed: SimpleQueue[None] = SimpleQueue()  # one more item whenever one of the lists above has grown

    def help_out() -> None:
        try:
            while waiting:
                try:
                    task = waiting.popleft()
                except IndexError:  # another thread took the last one
                    break
                task()
                ended.append(None)
                changed.put(None)
        except BaseException as error:
            errors.append(error)
            stop.wanted = True
            waiting.clear()
        left.append(None)
        changed.put(None)

    helpers = sum(hire(help_out) for _ in range(most))
    own = 0
    try:
        while waiting:
            try:
                task = waiting.popleft()
            except IndexError:
                break
            own += 1
            task()
        # Wait for the tasks, not for helpers: one that came too late for any task is not waited for.
        while len(ended) < len(tasks) - own and not errors:
            changed.get()
    except BaseException as error:
        stop.wanted = True
        errors.append(error)
    while errors and len(left) < helpers:
        try:
            waiting.clear()
            changed.get()
        except BaseException as error:  # interrupted again: tasks still write to memory that the caller frees
            errors.append(error)
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # no cycle: the exception refers to this frame


def hire(task: Task) -> bool:
    """Have a helper run a task, which raises nothing. Returns False if the system cannot start a thread."""
    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = SimpleQueue()
        try:
            threading.Thread(target=_serve, args=(inbox,), name="embcodec", daemon=True).start()
        except RuntimeError:
            return False
    inbox.put(task)
    return True


def _serve(inbox: Inbox) -> None:
    while True:
        inbox.get()()
        if len(_idle) >= _MOST_IDLE:
            return
        _idle.append(inbox)
