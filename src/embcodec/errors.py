"""The exceptions of the library, all under :class:`EmbcodecError`."""

from __future__ import annotations

from math import isfinite
from typing import Any

from .words import printable


class EmbcodecError(Exception):
    """Base of every error that embcodec raises on purpose.

    Attributes
    ----------
    partial : object or None
        On an error of a client's ``embed``: what was answered before it, for ``embed(..., resume=error.partial)``.
    """

    partial: Any = None

    def __str__(self) -> str:
        """Return the message, its control characters as escapes: part of it may come from a service or a file."""
        return printable(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message and every attribute, notes included, of whatever class: constructors are not called."""
        return rebuild_error, (type(self), self.args, self.__dict__.copy())


class DecodeError(EmbcodecError, ValueError):
    """A payload is malformed or contradicts itself.

    Attributes
    ----------
    reason : str
        What is wrong, without the position.
    offset : int or None
        Byte offset of the offending byte in the payload (for a response body: in the body).
    row : int or None
        Row (position of the embedding in the payload) in which it was found.
    line : int or None
        Line number, from 1, in a batch file.
    """

    reason: str
    offset: int | None
    row: int | None
    line: int | None

    def __init__(
        self, reason: str, *, offset: int | None = None, row: int | None = None, line: int | None = None
    ) -> None:
        self.reason, self.offset, self.row, self.line = printable(reason), offset, row, line
        places = [
            f"{name} {value}" for name, value in (("line", line), ("row", row), ("byte", offset)) if value is not None
        ]
        super().__init__(f"{reason} ({', '.join(places)})" if places else reason)


class RowError(ValueError):
    """One of several rows is missing, or not what the others are.

    Attributes
    ----------
    row : int or None
        Which one, counted in what was read.
    """

    row: int | None

    def __init__(self, message: str, row: int | None = None) -> None:
        self.row = row
        super().__init__(message)


class CodeMismatchError(EmbcodecError, ValueError):
    """Two sets of codes cannot meet: other dtypes, dimensions, scales, byte or bit orders.

    Attributes
    ----------
    reason : str
        What does not fit.
    way : str or None
        What to do, in calls and arguments of this package.
    """

    reason: str
    way: str | None

    def __init__(self, reason: str, way: str | None = None) -> None:
        self.reason, self.way = reason, way
        super().__init__(reason if way is None else f"{reason}: use {way}")


class NotFiniteError(EmbcodecError, ValueError):
    """A NaN, an infinity or a number beyond float32 where a code is to be made of it.

    Attributes
    ----------
    row, column : int
        Where the first one is; of files the row of its file.
    """

    row: int
    column: int
    value: float

    def __init__(self, row: int, column: int, value: float, name: str | None = None) -> None:
        self.row, self.column, self.value = row, column, value
        place = "" if name is None else f"{name}: "
        words = "beyond float32, whose largest is 3.4e38" if isfinite(value) else "NaN and Infinity have no code"
        super().__init__(f"{place}row {row}, column {column} is {value}: {words}")


class PrecisionWarning(UserWarning):
    """Codes keep much less of the rows than they could: another scale, a center, or float32 would keep more."""


class SkippedWarning(UserWarning):
    """Files or rows were passed over, because ``on_error="skip"`` asked for it."""


class StorageError(EmbcodecError, ValueError):
    """A file is damaged, of another kind than its name says, or holds what cannot be stored.

    Attributes
    ----------
    row : int or None
        Of a table or matrix that is read in parts: which row of the part cannot be read. None where the error is about
        no single row.
    """

    row: int | None = None

    def __init__(self, *words: object, row: int | None = None) -> None:
        self.row = row
        super().__init__(*words)


class ServiceError(EmbcodecError):
    """A service answered with an error, whatever shape it gave it.

    Attributes
    ----------
    status : int or None
        HTTP status, as the transport or the body said.
    type, code : str or None
        The service's own words.
    message : str
        The service's message, flattened to text.
    retry_after : float or None
        Seconds the service asked to wait.
    """

    message: str
    status: int | None
    type: str | None
    code: str | None
    retry_after: float | None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.message, self.status = printable(message), status
        self.type, self.code = (None if word is None else printable(word) for word in (type, code))
        self.retry_after = retry_after
        labels = list(dict.fromkeys(str(part) for part in (status, type, code) if part is not None))
        super().__init__(f"{message} [{', '.join(labels)}]" if labels else message)


class TransportError(EmbcodecError):
    """No usable answer came from the service: connection, time-out, redirect, oversized or cut reply.

    Attributes
    ----------
    message : str
    transient : bool
        Whether the same request may well succeed later.
    """

    message: str
    transient: bool

    def __init__(self, message: str, *, transient: bool = False) -> None:
        self.message, self.transient = printable(message), transient
        super().__init__(message)


def row_of(error: Exception) -> int | None:
    """Return which of several rows an error is about; None where it is about no single one."""
    row: int | None = getattr(error, "row", None)
    return row


def rebuild_error(kind: type[Exception], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> Exception:
    """Return an error as it was pickled."""
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(attributes)
    return error
