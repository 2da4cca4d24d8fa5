"""Threads that stay: starting one takes longer than a small search, waking one that waits does not.

Helpers wait for work in a queue each and hold nothing meanwhile. They are daemons, so that a program ends without them,
and a forked child, which has none of its parent's threads, begins with none.
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
_idle: list[Inbox] = []  # the last to have worked comes first: its core is awake

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)


class Stop:
    """Whether the rest of some tasks is not wanted any more: an exception in one, or an interrupt, has come between."""

    wanted = False


def in_turns(call: Callable[[int], object], done: Callable[[], bool], work: int, first: int, stop: Stop) -> None:
    """Make a long call in turns of about a twentieth of a second, between which signals are handled.

    Parameters
    ----------
    call : callable
        Takes how much to do at most, and goes on where it stopped.
    done : callable
        Whether nothing is left.
    work, first : int
        How much there is in all, and for the first turn: where that is all, it is one call.
    stop : Stop
        Looked at after each turn.
    """
    if work <= first:
        call(_ALL)
        first = _ALL
    while not (done() or stop.wanted):
        begun = time.perf_counter()
        call(first)
        took = time.perf_counter() - begun
        if took < _SHORT:
            first = min(4 * first, _ALL)
        elif took > _LONG:
            first = max(first // 2, 1)


def run(tasks: Sequence[Task], threads: int, stop: Stop | None = None) -> None:
    """Run every task, the caller's thread being one of at most `threads`, and return when all have ended.

    Callers may be many at once. The first exception, also a KeyboardInterrupt of the caller's, is raised when the tasks
    under way have ended, which may look at `stop`; those that have not begun are left out then.
    """
    stop = stop or Stop()
    most = min(threads, len(tasks)) - 1
    if most <= 0:
        for task in tasks:
            task()
        return
    waiting = deque(tasks)
    ended: list[None] = []  # an element for each task that a helper has run
    left: list[None] = []  # and one for each helper that will take no more
    errors: list[BaseException] = []
    changed: SimpleQueue[None] = SimpleQueue()  # one more item whenever one of these lists has grown

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

    helpers = sum(_hire(help_out) for _ in range(most))
    own = 0
    try:
        while waiting:
            try:
                task = waiting.popleft()
            except IndexError:
                break
            own += 1
            task()
        # A helper that was not in time for any task is not waited for.
        while len(ended) < len(tasks) - own and not errors:
            changed.get()
    except BaseException as error:
        stop.wanted = True
        errors.append(error)
    while errors and len(left) < helpers:
        try:
            waiting.clear()
            changed.get()
        except BaseException as error:  # interrupted again: what runs still writes to what the caller will free
            errors.append(error)
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # an exception knows this frame, and this frame should not know the exception


def _hire(task: Task) -> bool:
    """Have a helper run a task; False where the system has no thread to spare."""
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
