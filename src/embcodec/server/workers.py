"""Work that takes its time, away from the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """A few threads beside the event loop, which never keep the process from ending.

    Examples
    --------
    >>> asyncio.run(Workers(2).run(max, 3, 4))
    4
    """

    def __init__(self, threads: int) -> None:
        self._free = asyncio.Semaphore(threads)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return ``function(*arguments)``; whoever is cancelled before its turn is passed over."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            settle: Callable[[], None]
            try:
                result = function(*arguments)
            except BaseException as error:
                failure = error
                settle = lambda: answer.set_exception(failure)  # noqa: E731
            else:
                settle = lambda: answer.set_result(result)  # noqa: E731
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._end, answer, settle)

        try:
            threading.Thread(target=work, name="embcodec-server-work", daemon=True).start()
        except RuntimeError:  # no more threads to be had
            self._free.release()
            raise
        return await answer

    def _end(self, answer: asyncio.Future[Any], settle: Callable[[], None]) -> None:
        self._free.release()
        if not answer.done():  # cancelled: its client has gone
            settle()
