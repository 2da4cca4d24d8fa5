"""One vector or matrix: payload text <-> arrays, floats <-> codes, and what users pass for rows."""

from .base64 import decode_base64, encode_base64
from .bits import as_array, check_conventions, check_padding, pack_bits, reversed_bits, unpack_bits, unused_bits
from .codes import row_norms
from .columns import MASKED, text_in, way_of_bytes
from .convert import Coded, convert, truncated
from .dlpack import is_tensor, of_dlpack
from .ids import as_int64, as_selection, as_whole, mask_or_numbers
from .narrow import as_float32, whole_codes
from .numbers import format_floats, parse_floats
from .precision import narrowed_floats, unwarned, warn_of
from .tables import ARROW_NAME, holds_rows, imported, is_arrow, of_arrow, one_chunk, way_of_kind

__all__ = [
    "ARROW_NAME",
    "MASKED",
    "Coded",
    "as_array",
    "as_float32",
    "as_int64",
    "as_selection",
    "as_whole",
    "check_conventions",
    "check_padding",
    "convert",
    "decode_base64",
    "encode_base64",
    "format_floats",
    "holds_rows",
    "imported",
    "is_arrow",
    "is_tensor",
    "mask_or_numbers",
    "narrowed_floats",
    "of_arrow",
    "of_dlpack",
    "one_chunk",
    "pack_bits",
    "parse_floats",
    "reversed_bits",
    "row_norms",
    "text_in",
    "truncated",
    "unpack_bits",
    "unused_bits",
    "unwarned",
    "warn_of",
    "way_of_bytes",
    "way_of_kind",
    "whole_codes",
]
