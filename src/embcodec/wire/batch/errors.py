"""The failed lines of a batch file, in little memory: a file may hold nothing else."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, overload

from ...errors import DecodeError, ServiceError
from .lines import BatchLine

_NONE = -1


class BatchErrors(Sequence[BatchLine]):
    """Lines that hold no embeddings, each with its ``error``; made when they are asked for.

    Examples
    --------
    >>> errors = BatchErrors([BatchLine(3, "a", error=DecodeError("not an object", offset=0, line=3))])
    >>> len(errors), errors[0].custom_id, str(errors[0].error)
    (1, 'a', 'not an object (line 3, byte 0)')
    """

    __slots__ = ("_ids", "_known", "_lines", "_offsets", "_rows", "_said")

    def __init__(self, lines: Iterable[BatchLine] = ()) -> None:
        self._lines, self._offsets, self._rows = array("q"), array("q"), array("q")
        self._ids: list[str | None] = []
        self._said: list[Any] = []  # a DecodeError's reason, or what a ServiceError is made of
        self._known: dict[Any, Any] = {}  # of alike ones the first
        for line in lines:
            self.append(line)

    def append(self, line: BatchLine) -> None:
        """Add a failed line."""
        error = line.error
        offset = row = None
        said: Any
        if isinstance(error, ServiceError):
            said = (error.message, error.status, error.type, error.code, error.retry_after)
        elif error is not None:
            said, offset, row = error.reason, error.offset, error.row
        else:
            raise ValueError(f"line {line.line} has not failed")
        self._said.append(self._known.setdefault(said, said))
        self._lines.append(line.line)
        self._offsets.append(_NONE if offset is None else offset)
        self._rows.append(_NONE if row is None else row)
        self._ids.append(line.custom_id)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, at: int) -> BatchLine: ...
    @overload
    def __getitem__(self, at: slice) -> list[BatchLine]: ...
    def __getitem__(self, at: int | slice) -> BatchLine | list[BatchLine]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        said, line = self._said[at], self._lines[at]
        if isinstance(said, str):
            offset, row = (None if n == _NONE else n for n in (self._offsets[at], self._rows[at]))
            return BatchLine(line, self._ids[at], error=DecodeError(said, offset=offset, row=row, line=line))
        message, status, kind, code, wait = said
        error = ServiceError(message, status=status, type=kind, code=code, retry_after=wait)
        return BatchLine(line, self._ids[at], error=error)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(repr(mine) == repr(theirs) for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"BatchErrors({len(self)} lines)"
