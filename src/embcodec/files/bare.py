"""Bare rows: files that hold numbers and say nothing of what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..codec import pack_bits, whole_codes
from ..containers import ELEMENTS
from ..dtypes import BitOrder, OutputDtype, OutputDtypeLike, SignedBytes, as_output_dtype
from ..embeddings import Embeddings
from ..errors import StorageError, row_of
from ..scale import UNIT, Scale
from .pack import check_width


class Shaped(Protocol):
    """An array, or what will be read as one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes."""

    @property
    def ndim(self) -> int:
        """How many they are."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its elements."""


A = TypeVar("A", bound=Shaped)


def matrix_of(tensors: Mapping[str, A], others: Mapping[str, str], column: str | None) -> A:
    """Return the array that is called `column`, or the only one that can be rows."""
    listing = [f"{name} of shape {array.shape}" for name, array in tensors.items()]
    listing += [f"{name} ({what})" for name, what in others.items()]
    holds = ", ".join(listing) or "nothing"
    if column is not None:
        if column in others:
            raise StorageError(f"{column!r} has {others[column]}")
        if column not in tensors:
            raise StorageError(f"no array {column!r}; the file holds {holds}")
        if tensors[column].ndim != 2:
            shape = tensors[column].shape
            raise StorageError(f"one matrix, rows by dimensions, is wanted; column {column!r} is of shape {shape}")
        return tensors[column]
    matrices = {name: array for name, array in tensors.items() if array.ndim == 2}
    if len(matrices) > 1:  # of several, those that no rows can be are something else, and booleans a mask
        rows = {n: array for n, array in matrices.items() if array.dtype.kind == "f" or array.dtype.itemsize == 1}
        matrices = {n: array for n, array in rows.items() if array.dtype != np.bool_} or rows
    if len(matrices) != 1:
        choice = f"; name one, as column={next(iter(matrices))!r}" if matrices else ""
        if [array.ndim for array in tensors.values()] == [1]:
            choice = "; one row by itself is saved as row[None]"
        raise StorageError(f"one matrix, rows by dimensions, is wanted; the file holds {holds}{choice}")
    return next(iter(matrices.values()))


def rows_of(values: NDArray[Any], output_dtype: OutputDtypeLike | None, dimension: int | None) -> Embeddings:
    """Return an array as rows of what it is said to be; bare integers, of which nothing is said, are refused.

    Booleans are bits: packed, they are ``ubinary`` unless ``binary`` is said.
    """
    if values.dtype == np.bool_:
        return bits_of(values, output_dtype, dimension)
    if output_dtype is None:
        if values.dtype.kind != "f":
            if values.dtype not in (np.int8, np.uint8):
                ways = "save them as numbers, .astype(np.float32)"
                if values.dtype.kind in "iu":  # .astype(np.int8) would wrap what is no code
                    ways = (
                        "say output_dtype=...; that of codes takes them where each is such a code, 'float' takes the "
                        "numbers as the values themselves"
                    )
                raise StorageError(f"{values.dtype} rows are no codes as they are: {ways}")
            own = "int8 or binary" if values.dtype == np.int8 else "uint8 or ubinary"
            raise StorageError(f"{values.dtype} rows can be {own}: say output_dtype=...")
        output_dtype = "float"
    elif as_output_dtype(output_dtype) is OutputDtype.FLOAT and values.dtype in (np.int8, np.uint8):
        raise StorageError(
            f"{values.dtype} rows are codes: output_dtype={str(values.dtype)!r}, whose .to_float() is what they stand "
            "for; Embeddings(rows.values.astype(np.float32)) takes the numbers as the values themselves"
        )
    return _made(values, output_dtype, dimension)


def scaled_rows(
    values: NDArray[Any], scales: NDArray[Any], output_dtype: OutputDtypeLike | None, dimension: int | None
) -> Embeddings:
    """Return codes that have a scale a row beside them, and nothing that says what they are."""
    if output_dtype is None:
        own = str(values.dtype) if values.dtype in (np.int8, np.uint8) else "int8"
        raise StorageError(
            f"{values.dtype} codes with a scale a row, and nothing that says what they are: say output_dtype={own!r}"
        )
    return _made(values, output_dtype, dimension, scales)


def _made(
    values: NDArray[Any],
    output_dtype: OutputDtypeLike,
    dimension: int | None,
    scales: NDArray[Any] | None = None,
) -> Embeddings:
    try:
        if values.dtype.kind in "iu":
            values = whole_codes(values, as_output_dtype(output_dtype))
        rows = Embeddings(values, output_dtype, dimension, None if scales is None else Scale.per_vector(scales))
    except (ValueError, TypeError) as error:
        raise StorageError(str(error), row=row_of(error)) from None
    check_width(rows)
    return rows


def bits_of(
    values: NDArray[np.bool_],
    output_dtype: OutputDtypeLike | None,
    dimension: int | None = None,
    signed_bytes: SignedBytes = "offset",
    bit_order: BitOrder = "msb",
) -> Embeddings:
    """Return rows of booleans as packed bits: ``ubinary`` unless ``binary`` is said."""
    dtype = as_output_dtype("ubinary" if output_dtype is None else output_dtype)
    if not dtype.is_packed:
        raise StorageError(f"rows of booleans are bits, not {dtype}: say output_dtype='ubinary' or 'binary'")
    if dimension not in (None, values.shape[1]):
        raise StorageError(f"rows of {values.shape[1]} booleans, not of {dimension} dimensions")
    stored = np.ascontiguousarray(values).view(np.uint8)
    if stored.max(initial=0) > 1:
        row = int((stored > 1).any(axis=1).argmax())
        raise StorageError(f"row {row} has a boolean that is neither 0 nor 1: the data is damaged", row=row)
    signed = dtype is OutputDtype.BINARY
    packed = pack_bits(stored, bit_order=bit_order, signed=signed, signed_bytes=signed_bytes)
    rows = Embeddings(packed, dtype, values.shape[1], None, signed_bytes, bit_order)
    check_width(rows)
    return rows


def check_bare(embeddings: Embeddings, suffix: str) -> None:
    """Refuse rows whose meaning such a file has no room for."""
    if embeddings.scale is not None and embeddings.scale.kind != UNIT:
        raise StorageError(f"a {suffix} file has no room for the {embeddings.scale.kind} scale; use .safetensors")
    if suffix in ELEMENTS:
        if embeddings.output_dtype.is_packed:
            raise StorageError(f"a {suffix} file holds numbers, not {embeddings.output_dtype} bits; use .safetensors")
        if embeddings.values.dtype != np.dtype(ELEMENTS[suffix]):
            raise StorageError(f"a {suffix} file does not hold {embeddings.output_dtype} rows; use .safetensors")
    elif embeddings.output_dtype.is_packed and (embeddings.bit_order, embeddings.signed_bytes) != (
        "msb",
        "offset",
    ):
        raise StorageError(f"a {suffix} file cannot say how bits are packed; use .safetensors")
    elif embeddings.output_dtype.is_packed and embeddings.dimension % 8:
        raise StorageError(
            f"a {suffix} file has whole bytes of bits, and no room for a dimension of {embeddings.dimension}; use "
            ".safetensors"
        )
