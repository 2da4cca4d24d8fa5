"""The failed lines of a batch file, in little memory: a file may hold nothing else."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, overload

from ...errors import DecodeError, ServiceError
from ..service import refusal
from .lines import BatchLine

_NONE = -1
# Bytes: so much JSON is kept as it is, and parsed when asked for: the message in it is not much shorter.
_MOST_KEPT = 1024


def _refusal(said: bytes | None, status: int | None) -> ServiceError:
    """Read what a service said, as JSON."""
    return refusal(None if said is None else json.loads(said), status)


class BatchErrors(Sequence[BatchLine]):
    """Lines that hold no embeddings, each with its ``error``; made when they are asked for.

    Examples
    --------
    >>> errors = BatchErrors([BatchLine(3, "a", error=DecodeError("not an object", offset=0, line=3))])
    >>> len(errors), errors[0].custom_id, str(errors[0].error)
    (1, 'a', 'not an object (line 3, byte 0)')
    """

    __slots__ = ("_breaks_off", "_ids", "_known", "_lines", "_offsets", "_rows", "_said")

    def __init__(self, lines: Iterable[BatchLine] = ()) -> None:
        self._lines, self._offsets, self._rows = array("q"), array("q"), array("q")
        self._ids: list[str | None] = []
        self._said: list[Any] = []  # a DecodeError's reason, what a ServiceError is made of, or its JSON and status
        self._known: dict[Any, Any] = {}  # the first of each kind, which the others share
        self._breaks_off = False  # whether the last of them does
        for line in lines:
            self.append(line)

    def append(self, line: BatchLine) -> None:
        """Add a failed line."""
        error = line.error
        if isinstance(error, ServiceError):
            said = (error.message, error.status, error.type, error.code, error.retry_after)
            self._add(line.line, line.custom_id, said)
        elif error is not None:
            self.append_fault(line.line, line.custom_id, error.reason, error.offset, error.row)
        else:
            raise ValueError(f"line {line.line} has not failed")
        self._breaks_off = line.breaks_off

    def append_fault(
        self, line: int, custom_id: str | None, reason: str, offset: int | None = None, row: int | None = None
    ) -> None:
        """Add a line that cannot be read."""
        self._add(line, custom_id, reason, _NONE if offset is None else offset, _NONE if row is None else row)

    def append_refusal(self, line: int, custom_id: str | None, said: bytes | None, status: int | None) -> None:
        """Add a line with what a service said, as JSON, instead of an answer."""
        if said is not None and len(said) > _MOST_KEPT:
            self.append(BatchLine(line, custom_id, error=_refusal(said, status)))
        else:
            self._add(line, custom_id, (said, status))

    def _add(self, line: int, custom_id: str | None, said: Any, offset: int = _NONE, row: int = _NONE) -> None:
        self._said.append(self._known.setdefault(said, said))
        self._lines.append(line)
        self._offsets.append(offset)
        self._rows.append(row)
        self._ids.append(custom_id)

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
            error = DecodeError(said, offset=offset, row=row, line=line)
            return BatchLine(
                line, self._ids[at], error=error, breaks_off=self._breaks_off and at in (-1, len(self) - 1)
            )
        if len(said) == 2:
            return BatchLine(line, self._ids[at], error=_refusal(*said))
        message, status, kind, code, wait = said
        answer = ServiceError(message, status=status, type=kind, code=code, retry_after=wait)
        return BatchLine(line, self._ids[at], error=answer)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(repr(mine) == repr(theirs) for mine, theirs in zip(self, other, strict=True))

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"BatchErrors({len(self)} lines)"
