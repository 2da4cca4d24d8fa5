"""The vocabulary: which codes a vector comes in, how they are written down, and the words that arguments take.

A ``str`` that was read somewhere becomes ``OutputDtype(text)`` or ``EncodingFormat(text)``, which refuse what they do
not know, and are taken wherever their names are.
"""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args

import numpy as np

from .words import shown, unknown

_FEW_BITS = re.compile(r"u?(int|i|q|nf|fp|b)?[124][-_ ]?(bits?)?")

if TYPE_CHECKING:
    from typing_extensions import Buffer  # which every checker has
    from typing_extensions import CapsuleType as CapsuleType
elif sys.version_info >= (3, 12):
    from collections.abc import Buffer
else:
    Buffer = bytes | bytearray | memoryview
if not TYPE_CHECKING:
    CapsuleType = object  # of Python's own since 3.13

# Text as it comes from a file or a service.
TextLike = str | Buffer

# The members of the enumerations below, by name.
OutputDtypeName = Literal["float", "int8", "uint8", "binary", "ubinary"]
EncodingName = Literal["float", "base64"]
# How packed bytes become int8: byte - 128, or the byte's own bits; and which bit of a byte is its first dimension.
SignedBytes = Literal["offset", "twos-complement"]
BitOrder = Literal["msb", "lsb"]
# What is under base64 where the dtype is not float; the elements of floats there; their order of bytes.
Base64Payload = Literal["codes", "float32", "none"]
Base64Dtype = Literal["float32", "float16", "bfloat16", "fp8_e4m3", "fp8_e5m2", "float64"]
ByteOrder = Literal["little", "big"]
# What null and NaN in an answer are.
Nulls = Literal["error", "nan"]
# Floats that NumPy writes to its files without a name.
NamelessFloat = Literal["bfloat16", "fp8_e4m3", "fp8_e5m2"]
# How ranges are calibrated, and low-bit codes fitted.
CalibrationMethod = Literal["minmax", "quantile", "mse"]
ShapingName = Literal["auto", "none"]
LengthsName = Literal["auto", "stored"]
RotationName = Literal["none", "random", "blocks", "learned", "whitened", "principal", "auto"]
CenterName = Literal["none", "mean", "auto"]
# What a search compares by, and how float queries meet codes in it.
Metric = Literal["cosine", "dot", "l2", "hamming", "jaccard"]
Precision = Literal["int8", "float32"]
# Of batch files; of pgvector's columns.
BatchStyle = Literal["mistral", "openai"]
PgvectorKind = Literal["vector", "halfvec", "bit"]
# The elements of floats that stores keep.
StoredFloat = Literal["float32", "float16", "bfloat16"]
# What ids, and columns beside vectors, are in PostgreSQL; timestamp is timestamptz too, and text every kind of it.
PgIdType = Literal["smallint", "integer", "bigint", "text", "uuid"]
PgColumnType = PgIdType | Literal["boolean", "real", "double precision", "bytea", "json", "jsonb", "date", "timestamp"]

SIGNED_BYTES: tuple[SignedBytes, ...] = get_args(SignedBytes)
BIT_ORDERS: tuple[BitOrder, ...] = get_args(BitOrder)
NULLS: tuple[Nulls, ...] = get_args(Nulls)
CALIBRATION_METHODS: tuple[CalibrationMethod, ...] = get_args(CalibrationMethod)
SHAPINGS: tuple[ShapingName, ...] = get_args(ShapingName)
LENGTHS: tuple[LengthsName, ...] = get_args(LengthsName)
ROTATIONS: tuple[RotationName, ...] = get_args(RotationName)
CENTERS: tuple[CenterName, ...] = get_args(CenterName)
METRICS: tuple[Metric, ...] = get_args(Metric)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
BASE64_DTYPES: tuple[Base64Dtype, ...] = get_args(Base64Dtype)
BYTE_ORDERS: tuple[ByteOrder, ...] = get_args(ByteOrder)
BATCH_STYLES: tuple[BatchStyle, ...] = get_args(BatchStyle)


class _Vocabulary(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        few_bits = cls.__name__ == "OutputDtype" and isinstance(value, str) and _FEW_BITS.fullmatch(value.lower())
        remedy = "LowBitQuantizer makes codes of 1 to 8 bits" if few_bits else None
        raise unknown(cls.__name__, value, list(cls), remedy=remedy)


class OutputDtype(_Vocabulary):
    """What a vector's elements are.

    ``float`` is float32; ``int8`` and ``uint8`` are quantized integers; ``binary`` and ``ubinary`` are one bit a
    dimension, eight to a byte, the byte seen as int8 or uint8. Members are plain strings.

    Examples
    --------
    >>> OutputDtype("ubinary").numpy_dtype, OutputDtype("ubinary").row_bytes(1024)
    (dtype('uint8'), 128)
    >>> OutputDtype("int4")
    Traceback (most recent call last):
    ...
    ValueError: unknown OutputDtype 'int4'; known are 'float', 'int8', 'uint8', 'binary', 'ubinary'; LowBitQuantizer ...
    """

    FLOAT = "float"
    INT8 = "int8"
    UINT8 = "uint8"
    BINARY = "binary"
    UBINARY = "ubinary"

    @property
    def numpy_dtype(self) -> np.dtype[np.generic]:
        """The NumPy dtype of the stored elements."""
        return _NUMPY[self]

    @property
    def is_packed(self) -> bool:
        """Whether eight dimensions share a byte."""
        return self in PACKED

    def row_width(self, dimension: int) -> int:
        """Return the number of stored elements of a vector of `dimension` dimensions."""
        return -(-dimension // 8) if self.is_packed else dimension

    def row_bytes(self, dimension: int) -> int:
        """Return the number of bytes of a vector of `dimension` dimensions."""
        return self.row_width(as_dimension(dimension)) * self.numpy_dtype.itemsize


class EncodingFormat(_Vocabulary):
    """How a vector is written in a JSON body: ``float`` is a list of numbers (of any dtype), ``base64`` a string."""

    FLOAT = "float"
    BASE64 = "base64"


OutputDtypeLike = OutputDtype | OutputDtypeName
EncodingFormatLike = EncodingFormat | EncodingName


def as_output_dtype(name: str) -> OutputDtype:
    """Return ``OutputDtype(name)``, without the cost of calling an enum where the name is known."""
    found = _MEMBERS.get(name) if isinstance(name, str) else None
    return found if found is not None else OutputDtype._missing_(name)


_ENCODING_FORMATS = {str(name): name for name in EncodingFormat}


def as_encoding_format(name: str) -> EncodingFormat:
    """Return ``EncodingFormat(name)``, also where `name` is something that cannot be compared with a word."""
    found = _ENCODING_FORMATS.get(name) if isinstance(name, str) else None  # a fifth of the price of a call
    return found if found is not None else EncodingFormat._missing_(name)


_MOST_DIMENSIONS = 2**31 - 1


def as_dimension(dimension: Any, *, least: int = 0, name: str = "dimension") -> int:
    """Return a number of dimensions (or of `name`) as an int; all but whole numbers from `least` on is a ValueError."""
    if type(dimension) is int and least <= dimension <= _MOST_DIMENSIONS:
        return dimension
    whole = isinstance(dimension, int | np.integer) and not isinstance(dimension, bool)
    if not whole or dimension < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {shown(dimension)}")
    if dimension > _MOST_DIMENSIONS:
        raise ValueError(f"{name} is at most {_MOST_DIMENSIONS:,}, not {shown(dimension)}")
    return int(dimension)


INTEGERS = frozenset((OutputDtype.INT8, OutputDtype.UINT8))
PACKED = frozenset((OutputDtype.BINARY, OutputDtype.UBINARY))
_MEMBERS: dict[str, OutputDtype] = {str(member): member for member in OutputDtype}
_NUMPY: dict[OutputDtype, np.dtype[np.generic]] = {
    OutputDtype.FLOAT: np.dtype(np.float32),
    OutputDtype.INT8: np.dtype(np.int8),
    OutputDtype.UINT8: np.dtype(np.uint8),
    OutputDtype.BINARY: np.dtype(np.int8),
    OutputDtype.UBINARY: np.dtype(np.uint8),
}
