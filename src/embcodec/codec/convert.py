"""From one kind of codes to another: what :meth:`Embeddings.to` and ``.truncate`` do, on bare arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dtypes import INTEGERS, BitOrder, OutputDtype, SignedBytes, as_output_dtype
from ..scale import UNIT, Scale, ScaleLike
from . import codes
from .bits import check_conventions, reversed_bits


class Coded(NamedTuple):
    """Codes with all that is needed to read them; the fields of :class:`~embcodec.Embeddings`."""

    values: NDArray[Any]
    output_dtype: OutputDtype
    dimension: int
    scale: Scale | None
    signed_bytes: SignedBytes
    bit_order: BitOrder

    def plain(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return packed bytes whose bits are set for positive dimensions, of these values or some of them."""
        plain = values.view(np.uint8)
        if self.output_dtype is OutputDtype.BINARY and self.signed_bytes == "offset":
            return plain ^ np.uint8(0x80)
        return plain

    def floats(self, out: NDArray[np.float32] | None = None, threads: int | None = 1) -> NDArray[np.float32]:
        """Return what the codes stand for, float32 (n, dimension)."""
        values, dtype, dimension, scale, signed_bytes, bit_order = self
        return codes.decode_values(values, dtype, dimension, scale, signed_bytes, bit_order, out, threads)


def convert(
    rows: Coded,
    float_blocks: Callable[[], Iterable[tuple[slice, NDArray[np.float32]]]],
    output_dtype: str,
    scale: ScaleLike | None,
    signed_bytes: SignedBytes | None,
    bit_order: BitOrder | None,
) -> Coded:
    """Return rows in another dtype, scale or order of bits, through floats where it must be; itself if it is so."""
    dtype = as_output_dtype(output_dtype)
    signed_bytes = rows.signed_bytes if signed_bytes is None else signed_bytes
    bit_order = rows.bit_order if bit_order is None else bit_order
    check_conventions(signed_bytes, bit_order)
    if dtype.is_packed and rows.output_dtype.is_packed and scale is None:
        return _repacked(rows, dtype, signed_bytes, bit_order)
    if dtype is rows.output_dtype and (scale is None or (isinstance(scale, Scale) and scale == rows.scale)):
        return rows
    if scale is None and dtype in INTEGERS and rows.scale is not None and rows.scale.kind != UNIT:
        # The same levels, counted from -128 or from 0.
        shifted = rows.values.view(np.uint8) ^ np.uint8(0x80)
        return rows._replace(values=shifted.view(dtype.numpy_dtype), output_dtype=dtype)
    order = signed_bytes, bit_order
    if rows.output_dtype is OutputDtype.FLOAT:
        values, made = codes.encode_values(rows.values, dtype, scale, *order)
    elif dtype is OutputDtype.FLOAT:
        values, made = codes.encode_values(rows.floats(), dtype, scale)
    else:
        shape = len(rows.values), rows.dimension
        values, made = codes.encode_blocks(float_blocks(), shape, dtype, scale, *order)
    return Coded(values, dtype, rows.dimension, made, *order)


def _repacked(rows: Coded, dtype: OutputDtype, signed_bytes: SignedBytes, bit_order: BitOrder) -> Coded:
    same = bit_order == rows.bit_order
    if dtype is rows.output_dtype and same and (dtype is OutputDtype.UBINARY or signed_bytes == rows.signed_bytes):
        return rows
    values = rows.plain(rows.values)
    if not same:
        values = reversed_bits(values)
    if dtype is OutputDtype.BINARY and signed_bytes == "offset":
        values = values ^ np.uint8(0x80)
    stored = values.view(dtype.numpy_dtype)
    return rows._replace(values=stored, output_dtype=dtype, signed_bytes=signed_bytes, bit_order=bit_order)


def truncated(rows: Coded, dimension: int, normalize: bool) -> Coded:
    """Return the first dimensions of rows: of floats at unit length, if asked, of codes as they are."""
    values, dtype, scale = rows.values, rows.output_dtype, rows.scale
    if dtype is OutputDtype.FLOAT:
        return rows._replace(values=codes.truncate_values(values, dimension, normalize), dimension=dimension)
    if not dtype.is_packed:
        kept = values[:, :dimension].copy()
        return rows._replace(values=kept, dimension=dimension, scale=scale.truncate(dimension) if scale else None)
    packed = rows.plain(values[:, : dtype.row_width(dimension)]).copy()
    used = dimension % 8
    if used:
        packed[:, -1] &= ((0xFF << (8 - used)) & 0xFF) if rows.bit_order == "msb" else (0xFF >> (8 - used))
    if dtype is OutputDtype.BINARY and rows.signed_bytes == "offset":
        packed ^= np.uint8(0x80)
    return rows._replace(values=packed.view(dtype.numpy_dtype), dimension=dimension)
