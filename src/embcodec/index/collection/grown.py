"""What is added to, seen as it was at several moments, without a copy for each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar, overload

T = TypeVar("T")

_lock = threading.Lock()


class Grown(Sequence[T]):
    """The first items of a list, which never change; those that are added lie behind them, in the same list.

    Examples
    --------
    >>> former = Grown("ab")
    >>> now = former.with_more("c")
    >>> list(former), list(now), now[-1], now.begins_with(former)
    (['a', 'b'], ['a', 'b', 'c'], 'c', True)
    """

    __slots__ = ("_count", "_items")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)
        self._count = len(self._items)

    def with_more(self, items: Iterable[T]) -> Grown[T]:
        """Return these items and more; a copy of these is made only where others have been added behind them."""
        grown: Grown[T] = Grown.__new__(Grown)
        with _lock:
            grown._items = self._items if len(self._items) == self._count else self._items[: self._count]
            grown._items.extend(items)
            grown._count = len(grown._items)
        return grown

    def begins_with(self, former: Grown[T]) -> bool:
        """Whether the first of the items are those."""
        if self._count < former._count:
            return False
        return self._items is former._items or self._items[: former._count] == former._items[: former._count]

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return islice(self._items, self._count)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grown) and self._count == other._count and self.begins_with(other)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return self._items[: self._count][place]
        if not -self._count <= place < self._count:
            raise IndexError(f"item {place} of {self._count}")
        return self._items[place % self._count]
