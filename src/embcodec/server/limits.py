"""What the server grants its clients: seconds, connections, bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, fields

_MIB = 1 << 20
_SMALL = 1 << 18  # requests of so many bytes never wait: the number of connections bounds their memory
_SPARE_DESCRIPTORS = 64  # kept for the interpreter, the model, and connections that are accepted before room is made


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
        Of bodies and answers together, beyond 256 KiB a request: larger ones wait for their turn.

    Examples
    --------
    >>> Limits(head_seconds=2).body_seconds
    30.0
    """

    head_seconds: float = 10.0
    body_seconds: float = 30.0
    send_seconds: float = 30.0
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
    ...     first = await budget.reserve(900_000)
    ...     second = asyncio.ensure_future(budget.reserve(900_000))
    ...     await asyncio.sleep(0)
    ...     waited = not second.done()
    ...     first.keep(50_000)
    ...     return waited, (await second).size, budget.left
    >>> asyncio.run(main())
    (True, 900000, 50000)
    """

    def __init__(self, capacity: int) -> None:
        self.left = self._capacity = capacity
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def reserve(self, size: int) -> Reservation:
        """Take `size` bytes, or all there are of a smaller budget; a little is not counted."""
        size = min(size, self._capacity)
        if size <= _SMALL:
            return Reservation(self, 0)
        if self._waiting or size > self.left:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.cancelled():
                    self._waiting = deque(waiter for waiter in self._waiting if waiter[1] is not turn)
                    self.give(0)  # to whoever waited behind
                else:
                    self.give(size)
                raise
        else:
            self.left -= size
        return Reservation(self, size)

    def give(self, size: int) -> None:
        """Take bytes back, and let those in whose turn it is."""
        self.left += size
        while self._waiting and self._waiting[0][0] <= self.left:
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.left -= wanted
                turn.set_result(None)


class Reservation:
    """Bytes of a budget."""

    def __init__(self, budget: Budget, size: int) -> None:
        self.size, self._budget = size, budget

    def keep(self, size: int) -> None:
        """Give back all but `size` bytes; those of 0 once and for all."""
        rest = self.size - min(size, self.size)
        self.size -= rest
        self._budget.give(rest)
