"""A plugin of `make coverage`: each process of the tests writes down what it ran before it is told to end.

A process that takes long to end is killed, and what it had counted was lost.
"""

from __future__ import annotations

import coverage


def pytest_sessionfinish() -> None:
    """Save what the process has run so far."""
    running = coverage.Coverage.current()
    if running is not None:
        running.save()
