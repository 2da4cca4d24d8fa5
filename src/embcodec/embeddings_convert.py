"""From one kind of codes to another: what :meth:`Embeddings.to` does."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import codes
from .codec_bits import check_conventions, reversed_bits
from .dtypes import INTEGERS, OutputDtype, as_output_dtype
from .embeddings import BitOrder, Embeddings, SignedBytes, coded, replace_values
from .scale import UNIT, Scale


def convert(
    rows: Embeddings,
    output_dtype: Any,
    scale: Any,
    signed_bytes: SignedBytes | None,
    bit_order: BitOrder | None,
) -> Any:
    """Return rows in another dtype, scale or order of bits, through floats where it must be; itself if it is so."""
    if not isinstance(output_dtype, str):
        return _low_bit(rows, output_dtype, scale, signed_bytes, bit_order)
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
        return replace_values(rows, shifted.view(dtype.numpy_dtype), output_dtype=dtype)
    order = signed_bytes, bit_order
    if rows.output_dtype is OutputDtype.FLOAT:
        values, made = codes.encode_values(rows.values, dtype, scale, *order)
    elif dtype is OutputDtype.FLOAT:
        values, made = codes.encode_values(rows.to_float(), dtype, scale)
    else:
        shape = len(rows), rows.dimension
        values, made = codes.encode_blocks(rows.float_blocks(), shape, dtype, scale, *order)
    return coded(values, dtype, rows.dimension, made, *order)


def _low_bit(rows: Embeddings, quantizer: Any, *others: Any) -> Any:
    if not hasattr(quantizer, "encode") or isinstance(quantizer, type):
        known = ", ".join(repr(str(member)) for member in OutputDtype)
        kind = type(quantizer).__name__
        raise TypeError(f"output_dtype is one of {known}, or a fitted LowBitQuantizer, not {kind}")
    if any(other is not None for other in others):
        raise ValueError("a quantizer has scales of its own, and an order of bits: leave those out")
    return quantizer.encode(rows.to_float())


def _repacked(rows: Embeddings, dtype: OutputDtype, signed_bytes: SignedBytes, bit_order: BitOrder) -> Embeddings:
    same = bit_order == rows.bit_order
    if dtype is rows.output_dtype and same and (dtype is OutputDtype.UBINARY or signed_bytes == rows.signed_bytes):
        return rows
    values = rows.packed_bytes() if same else reversed_bits(rows.packed_bytes())
    if dtype is OutputDtype.BINARY and signed_bytes == "offset":
        values = values ^ np.uint8(0x80)
    stored = values.view(dtype.numpy_dtype)
    return replace_values(rows, stored, output_dtype=dtype, signed_bytes=signed_bytes, bit_order=bit_order)
