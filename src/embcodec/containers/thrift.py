"""Thrift's compact protocol, as the headers and the footer of a ``.parquet`` file are written in it: read only.

A structure becomes a dict of its fields by number, a list a list; numbers and truth values are what they are, bytes are
bytes, floats None. Nothing is larger than the text it is read from.
"""

from __future__ import annotations

from typing import Any

from ..errors import StorageError

_MOST_DEPTH = 16
_TRUE, _FALSE, _BYTE, _DOUBLE, _BYTES, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)


def read_struct(data: bytes, at: int = 0, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Return the fields of the structure that begins at `at`, and where it ends.

    Raises
    ------
    StorageError
        Where the bytes are no structure, or end too early.
    """
    if depth > _MOST_DEPTH:
        raise StorageError("a header is damaged: it is nested too deeply")
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head, at = _byte(data, at)
        if head == 0:
            return fields, at
        kind = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        if kind in (_TRUE, _FALSE):
            fields[number] = kind == _TRUE
        else:
            fields[number], at = _value(data, at, kind, depth)


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in _WHOLE:
        return _zigzag(data, at)
    if kind == _STRUCT:
        return read_struct(data, at, depth + 1)
    if kind == _BYTES:
        length, at = _varint(data, at)
        if length > len(data) - at:
            raise StorageError("a header is damaged: it ends too early")
        return data[at : at + length], at + length
    if kind in (_LIST, _SET):
        return _list(data, at, depth + 1)
    if kind in (_TRUE, _FALSE, _BYTE):  # elements of a list
        return _byte(data, at)
    if kind == _DOUBLE:
        return None, at + 8
    raise StorageError(f"a header is damaged: it has a value of kind {kind}")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    head, at = _byte(data, at)
    length = head >> 4
    if length == 15:
        length, at = _varint(data, at)
    if length > len(data) - at or depth > _MOST_DEPTH:  # an element takes a byte at least
        raise StorageError("a header is damaged: a list in it is too long or too deep")
    values = []
    for _ in range(length):
        value, at = _value(data, at, head & 15, depth)
        values.append(value)
    return values, at


def _byte(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise StorageError("a header is damaged: it ends too early")
    return data[at], at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte, at = _byte(data, at)
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise StorageError("a header is damaged: a number in it is too long")


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at
