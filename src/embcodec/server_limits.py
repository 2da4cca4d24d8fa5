"""What the server grants its clients: seconds, connections, bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields

_MIB = 1 << 20
_SMALL = 1 << 16  # bytes that are never waited for: the number of connections bounds them
_SPARE_DESCRIPTORS = 64  # of the process: the interpreter's, the model's, what is accepted before room is made


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the server grants; whoever takes longer is cut off, so that nobody can hold it.

    Attributes
    ----------
    head_seconds : float
        For a request's head, from the connection or from its first byte on a connection that is kept.
    body_seconds : float
        For the body, from the end of the head.
    send_seconds : float
        For the client to take an answer.
    idle_seconds : float
        That a connection without a request is kept: longer than clients keep theirs, so that theirs ends first.
    linger_seconds : float
        That what a refused client still sends is read and dropped, so that the refusal reaches it.
    stop_seconds : float
        For requests under way when the server is told to stop; a second signal ends them at once.
    connections : int
        At once. Above, the connection that has kept the server waiting for longest gives way to the new one; where all
        are at work the new one is told 503. Lower where the process may open fewer files.
    bytes_in_flight : int
        Of bodies and answers together, beyond 64 KiB a request: larger ones wait for their turn.

    Examples
    --------
    >>> Limits(head_seconds=2).body_seconds
    30.0
    """

    head_seconds: float = 10.0
    body_seconds: float = 30.0
    send_seconds: float = 60.0
    idle_seconds: float = 30.0
    linger_seconds: float = 3.0
    stop_seconds: float = 10.0
    connections: int = 256
    bytes_in_flight: int = 128 * _MIB

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} is above 0, not {value}")

    @property
    def most_connections(self) -> int:
        """Connections at once, of those for which this process has descriptors."""
        try:
            import resource
        except ModuleNotFoundError:  # Windows
            return self.connections
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if descriptors == resource.RLIM_INFINITY:
            return self.connections
        return max(1, min(self.connections, descriptors - _SPARE_DESCRIPTORS))


class Budget:
    """Bytes that may be held at once; who finds too few left waits, first come, first served.

    Nobody who holds some asks for more, so that none waits for another who waits.

    Examples
    --------
    >>> async def main():
    ...     budget = Budget(1_000_000)
    ...     release = await budget.reserve(900_000)
    ...     second = asyncio.ensure_future(budget.reserve(900_000))
    ...     await asyncio.sleep(0)
    ...     waited = not second.done()
    ...     release()
    ...     (await second)()
    ...     return waited, budget.left
    >>> asyncio.run(main())
    (True, 1000000)
    """

    def __init__(self, capacity: int) -> None:
        self.left = self._capacity = capacity
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def reserve(self, size: int) -> Callable[[], None]:
        """Take `size` bytes, or all there are of a smaller budget, and return what gives them back, once."""
        size = min(size, self._capacity)
        if size <= _SMALL:
            return _nothing
        if self._waiting or size > self.left:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give(size)
                else:
                    self._waiting.remove((size, turn))
                    self._wake()
                raise
        else:
            self.left -= size
        return _once(self._give, size)

    def _give(self, size: int) -> None:
        self.left += size
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.left:
            size, turn = self._waiting.popleft()
            self.left -= size
            turn.set_result(None)


def _once(give: Callable[[int], None], size: int) -> Callable[[], None]:
    held = [size]

    def release() -> None:
        if held:
            give(held.pop())

    return release


def _nothing() -> None:
    """Give nothing back."""
