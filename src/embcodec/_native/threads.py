"""Threads that stay: starting one takes longer than a small search, waking one that waits does not.

Helpers wait for work in a queue each and hold nothing meanwhile. They are daemons, so that a program ends without them,
and a forked child, which has none of its parent's threads, begins with none.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue

Task = Callable[[], object]
Inbox = SimpleQueue[Task]

_MOST_IDLE = 64
_idle: list[Inbox] = []  # the last to have worked comes first: its core is awake

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)


def run(tasks: Sequence[Task], threads: int) -> None:
    """Run every task, the caller's thread being one of at most `threads`, and return when all have ended.

    Callers may be many at once. The first exception, also a KeyboardInterrupt of the caller's, is raised when the tasks
    under way have ended; those that have not begun are left out then.
    """
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
