"""Rows as the bytes, the hexadecimal text or the numbers that stores keep of them, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..._native import floats
from ..._native.floats import PAYLOADS, item_bytes, widen
from ...codec import as_array, as_float32, narrowed_floats, text_in, way_of_bytes, whole_codes
from ...dtypes import (
    INTEGERS,
    BitOrder,
    ByteOrder,
    OutputDtype,
    OutputDtypeLike,
    SignedBytes,
    StoredFloat,
    as_output_dtype,
)
from ...embeddings import Embeddings
from ...errors import StorageError
from ...scale import UNIT, Scale
from ...words import either, one_of
from .rows import as_bytes, check_finite, check_halves, packed_bytes, refuse_scale, sendable

_TELLING = 8  # so many bytes are not the text of a JSON array by chance
FLOATS: tuple[StoredFloat, ...] = get_args(StoredFloat)


def read_dtype(output_dtype: OutputDtypeLike, store: str, dtypes: Iterable[str]) -> OutputDtype:
    """Return what rows read from a store are said to be; what it does not hold is refused with what it does."""
    dtype = as_output_dtype(output_dtype)
    held = [name for kind in dtypes for name in (("binary", "ubinary") if kind == "bits" else (kind,))]
    if dtype not in held:
        raise StorageError(f"{store} has no {dtype}: output_dtype is {either(held)}")
    return dtype


def sent_rows(
    rows: Any, store: str, dtypes: Iterable[str], reader: str, *, whole_bytes: bool = True, most: int | None = None
) -> Embeddings:
    """Return rows of the `dtypes` that a store holds, ``"bits"`` for both of bits; others are refused with a way out.

    Parameters
    ----------
    rows : Embeddings or array-like of floats
    store : str
        What errors call it.
    dtypes : iterable of str
    reader : str
        What reads codes back, and takes their scale again.
    whole_bytes : bool
        Whether bits have to fill their bytes.
    most : int, optional
        The dimensions that the store takes at most; of bits, bytes of them.
    """
    found, held = sendable(rows, store), tuple(dtypes)
    dtype = found.output_dtype
    if not found.dimension:
        raise StorageError(f"{store} has no rows of 0 dimensions")
    if dtype.is_packed and "bits" in held:
        if whole_bytes and found.dimension % 8:
            raise StorageError(f"{store} packs whole bytes of bits; {found.dimension} is not a multiple of 8")
    elif dtype not in held:
        raise StorageError(f"{store} has no {dtype}: use {_way_of(found, held)}")
    else:
        refuse_scale(found, store, f"{reader}(rows, '{dtype}', scale=...)")
    if most is not None and found.values.shape[1] > most:
        dimensions = 8 * most if dtype.is_packed else most
        raise StorageError(f"{store} stores 1 to {dimensions} dimensions, not {found.dimension}")
    return found


def _way_of(rows: Embeddings, held: tuple[str, ...]) -> str:
    """Say what makes rows of a dtype that a store does not hold such as it takes."""
    others = [name for name in ("int8", "uint8") if name in held and rows.output_dtype in INTEGERS]
    if not others:
        return ".to('float')"
    if rows.scale is None or rows.scale.kind == UNIT:
        return f".to({others[0]!r})"
    # which would keep the scale, and no store has room for one
    return f".to('float'), or, for rows of unit length, .to({others[0]!r}, scale='unit')"


def stored_bytes(
    rows: Embeddings,
    store: str,
    *,
    float_dtype: StoredFloat = "float32",
    byte_order: ByteOrder = "little",
    bit_order: BitOrder = "msb",
) -> NDArray[np.uint8]:
    """Return the bytes of rows, uint8 (n, bytes): floats in another form, codes as they are, bits in that order.

    They are those of `rows` themselves where these lie so: to be read alone.

    Raises
    ------
    StorageError
        For NaN, Infinity and what overflows the form; it names the row and the column.
    ValueError
        For a `float_dtype` that is unknown, or given for codes.
    """
    one_of(float_dtype, FLOATS, "float_dtype")
    if rows.output_dtype is not OutputDtype.FLOAT:
        if float_dtype != "float32":
            raise ValueError(f"float_dtype={float_dtype!r} is for floats, not {rows.output_dtype}")
        return packed_bytes(rows, bit_order) if rows.output_dtype.is_packed else rows.values.view(np.uint8)
    if (float_dtype, byte_order) == ("float32", sys.byteorder):
        check_finite(rows.values, store)
        return as_bytes(rows.values)
    try:
        return narrowed_floats(rows.values, PAYLOADS[float_dtype, byte_order])
    except ValueError as error:  # which the checks name more closely, but for what rounds to an infinity of bfloat16
        check_finite(rows.values, store)
        if float_dtype == "float16":
            check_halves(rows.values, store)
        raise StorageError(str(error)) from None


def rows_of_blobs(
    blobs: list[bytes],
    output_dtype: OutputDtypeLike,
    dimension: int | None = None,
    *,
    float_dtype: StoredFloat = "float32",
    byte_order: ByteOrder = "little",
    scale: Scale | None = None,
    signed_bytes: SignedBytes = "offset",
    bit_order: BitOrder = "msb",
    held: Iterable[str] = ("float", "int8", "bits"),
    bytes_of: str = "row",
) -> Embeddings:
    """Return the rows whose bytes those are, one blob at least; what does not fit is a StorageError with its row.

    `held` is what the store has, as for :func:`sent_rows`, `bytes_of` the code that makes a blob of what it shows.
    """
    dtype = as_output_dtype(output_dtype)
    one_of(float_dtype, FLOATS, "float_dtype")
    if bytes_of == "row" and len(blobs[0]) >= _TELLING and (text := text_in(blobs[0])) is not None:
        raise StorageError(f"row 0 is {text} text, not the bytes of a row: {way_of_bytes(blobs[0])}")
    for number, blob in enumerate(blobs):
        if len(blob) != len(blobs[0]):
            raise StorageError(f"blob {number} has {len(blob)} bytes, blob 0 has {len(blobs[0])}")
    if not blobs[0]:
        raise StorageError("blobs of no bytes")
    payload = PAYLOADS[float_dtype, byte_order]
    width, left = divmod(len(blobs[0]), item_bytes(payload) if dtype is OutputDtype.FLOAT else 1)
    if left:
        raise StorageError(f"blobs of {len(blobs[0])} bytes are no {float_dtype} rows")
    joined = b"".join(blobs)
    _check_like(np.frombuffer(joined, np.uint8).reshape(len(blobs), -1), dtype, payload, tuple(held), bytes_of)
    values = np.empty((len(blobs), width), dtype.numpy_dtype)
    if dtype is OutputDtype.FLOAT:
        widen(joined, 0, payload, values)
    else:
        values[:] = np.frombuffer(joined, dtype.numpy_dtype).reshape(values.shape)
    try:
        return Embeddings(values, dtype, dimension, scale, signed_bytes, bit_order)
    except ValueError as error:
        raise StorageError(str(error)) from None


def _check_like(
    matrix: NDArray[np.uint8], dtype: OutputDtype, payload: int, held: tuple[str, ...], bytes_of: str
) -> None:
    """Refuse bytes (n, bytes) that all but certainly are of another dtype, with what reads them."""
    asked = floats.form_of(dtype.numpy_dtype, dtype.is_packed, payload)
    found, row = floats.guess(matrix, asked)
    if found == asked:
        return
    name = floats.CODES.get(found, "float")
    rows = f"[np.frombuffer({bytes_of}, '{_ELEMENTS.get(found, 'u1')}') for row in rows]"
    if (name if found != floats.BITS else "bits") in held and (found in floats.CODES or found == payload):
        way = f": say output_dtype={name!r}"
    elif found in floats.CODES or found in _ELEMENTS:
        way = f": Embeddings({rows}{'' if name == 'float' else f', {name!r}'}) reads those"
    else:
        way = ""
    raise StorageError(f"row {row} reads like {_named(found)}, not like {_named(asked)}{way}")


def _named(payload: int) -> str:
    if payload in floats.CODES:
        return f"{floats.CODES[payload]} codes"
    name, order = next(form for form, known in PAYLOADS.items() if known == payload)
    return f"{'big-endian ' * (order == 'big')}{name}" if not name.startswith("fp8") else "elements of one byte"


_ELEMENTS = {
    PAYLOADS[name, order]: f"{mark}f{size}"
    for name, size in (("float16", 2), ("float32", 4), ("float64", 8))
    for order, mark in (("little", "<"), ("big", ">"))
}


def as_hex(rows: NDArray[np.uint8]) -> list[str]:
    """Return the bytes of each row in hexadecimal digits."""
    text, width = rows.tobytes().hex(), 2 * rows.shape[1]
    return [text[begin : begin + width] for begin in range(0, len(text), width)]


def of_hex(text: str, number: int) -> bytes:
    """Return the bytes that hexadecimal digits stand for; anything else is a StorageError that names the row."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if 2 * len(found) != len(text):  # with spaces between the digits, which bytes.fromhex skips
        raise StorageError(f"row {number} is {text[:40]!r}, not hexadecimal digits, two a byte")
    return found


def rows_of_numbers(
    rows: list[Any],
    output_dtype: OutputDtypeLike,
    dimension: int | None = None,
    *,
    scale: Scale | None = None,
    signed_bytes: SignedBytes = "offset",
    bit_order: BitOrder = "msb",
    has_codes: bool = True,
    store: str | None = None,
) -> Embeddings:
    """Return rows that a store shows as lists of numbers; codes may come as floats, but whole ones of their type.

    Where the store has codes, floats that are whole numbers, as those are, are a StorageError; so are NaN and
    Infinity where a `store` is named, which holds none.
    """
    dtype = as_output_dtype(output_dtype)
    try:
        values = as_array(rows)
        if dtype is not OutputDtype.FLOAT:
            values = whole_codes(values, dtype)
        elif values.dtype.kind in "iuf" and values.ndim == 2:
            values = as_float32(values)
            if has_codes:
                _check_no_codes(values)
            if store is not None:
                check_finite(values, store)
        return Embeddings(values, dtype, dimension, scale, signed_bytes, bit_order)
    except (TypeError, ValueError) as error:
        raise StorageError(str(error)) from None


def _check_no_codes(values: NDArray[np.float32]) -> None:
    """Refuse floats that all but certainly are codes, as stores show them."""
    found = floats.guess_listed(values)
    if found != floats.BYTES:
        name = "int8" if (values < 0).any() else "uint8"
        bits = " or, of packed bits, 'ubinary'" if found == floats.BITS else ""
        raise StorageError(
            f"the rows are whole numbers, as codes are: say output_dtype={name!r}{bits}; of numbers that are the "
            "values themselves Embeddings(np.array(rows, np.float32)) makes rows"
        )


def rows_of_signed(rows: list[Any], dtype: OutputDtype, scale: Scale | None, store: str) -> Embeddings:
    """Return rows of a store whose bytes are signed, bits among them, as lists of numbers."""
    if dtype is not OutputDtype.UBINARY:
        return rows_of_numbers(rows, dtype, scale=scale, signed_bytes="twos-complement", store=store)
    return rows_of_numbers(rows, OutputDtype.BINARY, signed_bytes="twos-complement").to("ubinary")


def refuse_text_in_bytes(rows: list[Any]) -> None:
    """Refuse texts that came as bytes (TypeError), as clients give them that decode nothing."""
    if isinstance(rows[0], bytes | bytearray) and rows[0].isascii():
        raise TypeError("row 0 is text in bytes: pass [row.decode() for row in rows]")


def check_kind(rows: list[Any], kind: type) -> None:
    """Refuse rows of which some are of a `kind`, as the first one is, and others not."""
    for number, row in enumerate(rows):
        if not isinstance(row, kind):
            raise StorageError(f"row {number} is {type(row).__name__}, row 0 is {type(rows[0]).__name__}")
