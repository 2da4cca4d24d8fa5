"""An event loop in a thread: where calls that wait have their HTTP done."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent import futures
from typing import Any, TypeVar

from .transport import Transport

T = TypeVar("T")


class Worker:
    """An event loop in a thread: what gives calls that wait hard time-outs and cancellation.

    A blocking read can be given a time-out, a blocking call of many reads cannot: a service that sends a byte now and
    then would hold it for ever. Texts and progress stay in the caller's thread; here is only HTTP.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._gate = threading.Lock()  # what is submitted is in the loop's queue before the loop is told to stop
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="embcodec-client", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> futures.Future[T]:
        """Start `work` in the loop; after :meth:`stop` its future is cancelled at once."""
        with self._gate:
            if not self._stopped:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        refused: futures.Future[T] = futures.Future()
        refused.cancel()
        refused.set_running_or_notify_cancel()
        return refused

    def stop(self) -> None:
        """Cancel what is under way, close the connections, end the thread. A second time it does nothing."""
        with self._gate:
            if self._stopped or self.process != os.getpid():
                return
            self._stopped = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._wind_up())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _wind_up(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.transport.close()
