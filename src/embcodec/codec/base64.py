"""Arrays <-> base64 texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._native import base64 as _base64
from .._native.core import lib, reason, result_array
from ..dtypes import OutputDtype
from ..errors import DecodeError
from ..words import shown
from .payloads import payload_dtype, payload_rows, refuse_other_dtypes

# Texts pass between Python's strings and the kernels in blocks that stay in the second-level cache.
_BLOCK_CHARACTERS = 1 << 18

Text = str | bytes | bytearray | memoryview
Element = TypeVar("Element", bound=np.generic)
_TEXT = (str, bytes, bytearray, memoryview)


@overload
def encode_base64(rows: bytes | bytearray | memoryview | Sequence[float]) -> str: ...


@overload
def encode_base64(rows: Sequence[Sequence[float] | NDArray[Any]]) -> list[str]: ...


@overload
def encode_base64(rows: ArrayLike) -> list[str] | str: ...


def encode_base64(
    rows: ArrayLike | bytes | bytearray | memoryview | Sequence[Sequence[float] | NDArray[Any]],
) -> list[str] | str:
    """Write rows as base64 texts (RFC 4648, standard alphabet, with padding).

    Parameters
    ----------
    rows : array-like, shape (n, width) or (width,), or bytes-like
        The elements of an array, or of a list or column of arrays, are written as they are, little-endian. Python's
        own floats count as float32 in whatever container; lists of integers are refused, since nothing tells their
        width.

    Returns
    -------
    list of str, or str
        One text a row; a single one for a 1-D array or bytes.

    Raises
    ------
    TypeError
        Where the elements have no fixed bytes.
    ValueError
        Where `rows` has neither one nor two dimensions, or a list a number beyond float32.

    Examples
    --------
    >>> encode_base64(np.array([[1.0, -2.0], [0.5, 0.0]], np.float32))
    ['AACAPwAAAMA=', 'AAAAPwAAAAA=']
    >>> encode_base64(b"any")
    'YW55'
    """
    values = payload_rows(rows)
    if values.ndim == 1:
        return str(_base64.encode_rows(values[None, :]).data, "ascii")
    return _encoded_rows(values)


@overload
def decode_base64(
    text: Text | Iterable[Text],
    dtype: Literal["float", OutputDtype.FLOAT],
    *,
    out: NDArray[np.float32] | None = None,
    urlsafe: bool = False,
    padding: bool = True,
) -> NDArray[np.float32]: ...


@overload
def decode_base64(
    text: Text | Iterable[Text],
    dtype: Literal["int8", "binary", OutputDtype.INT8, OutputDtype.BINARY],
    *,
    out: NDArray[np.int8] | None = None,
    urlsafe: bool = False,
    padding: bool = True,
) -> NDArray[np.int8]: ...


@overload
def decode_base64(
    text: Text | Iterable[Text],
    dtype: Literal["uint8", "ubinary", OutputDtype.UINT8, OutputDtype.UBINARY],
    *,
    out: NDArray[np.uint8] | None = None,
    urlsafe: bool = False,
    padding: bool = True,
) -> NDArray[np.uint8]: ...


@overload
def decode_base64(
    text: Text | Iterable[Text],
    dtype: type[Element] | np.dtype[Element],
    *,
    out: NDArray[Element] | None = None,
    urlsafe: bool = False,
    padding: bool = True,
) -> NDArray[Element]: ...


@overload
def decode_base64(
    text: Text | Iterable[Text],
    dtype: DTypeLike,
    *,
    out: NDArray[Any] | None = None,
    urlsafe: bool = False,
    padding: bool = True,
) -> NDArray[Any]: ...


def decode_base64(
    text: Text | Iterable[Text],
    dtype: DTypeLike,
    *,
    out: NDArray[Any] | None = None,
    urlsafe: bool = False,
    padding: bool = True,
) -> NDArray[Any]:
    """Read base64 texts into an array. Strict: one alphabet, no white space, canonical padding.

    Parameters
    ----------
    text : str or bytes-like, or a list of them
        One text becomes a 1-D array, a list the rows of a 2-D one, which must all have the same length.
    dtype : str or dtype
        An output dtype ("float", "int8", "uint8", "binary", "ubinary") or a NumPy dtype: what the bytes are,
        little-endian. Bytes that cannot be an embedding of an output dtype are refused; a NumPy dtype takes any.
    out : ndarray, optional
        C-contiguous and writable, of the resulting shape and dtype; decoded into and returned.
    urlsafe : bool
        Read the URL-safe alphabet ("-" and "_") instead of the standard one.
    padding : bool
        Whether the final "=" are required; else all of a text's may be missing.

    Returns
    -------
    ndarray, shape (width,) or (n, width)
        Writable, and the owner of its memory.

    Raises
    ------
    DecodeError
        With the offset of the offending byte in its text and, for a list, the row. Where bytes do not make whole
        elements, rows have unequal lengths or another one than `out`, or read like another dtype: with the row.
    ValueError
        Where `dtype` is unknown or `out` does not fit.

    Examples
    --------
    >>> decode_base64(["AACAPwAAAMA=", "AAAAPwAAAAA="], "float")
    array([[ 1. , -2. ],
           [ 0.5,  0. ]], dtype=float32)
    >>> decode_base64("AACAPw*=", "float")
    Traceback (most recent call last):
    ...
    embcodec.errors.DecodeError: unexpected character (byte 6)
    """
    wanted = payload_dtype(dtype)
    flags = (_base64.URLSAFE if urlsafe else 0) | (0 if padding else _base64.NO_PADDING)
    if isinstance(text, _TEXT):
        found = _decode_one(_as_bytes(text), wanted, out, flags)
    elif not isinstance(text, Iterable) or (isinstance(text, np.ndarray) and not text.ndim):
        raise TypeError(f"text is base64, a str or bytes, or a list of such, not {shown(text)}")
    else:
        found = _decode_list(list(text), wanted, out, flags)
    refuse_other_dtypes(found, dtype)
    return found


def _encoded_rows(rows: NDArray[Any]) -> list[str]:
    if rows.size == 0:
        return [""] * len(rows)
    width = _base64.encoded_length(rows.nbytes // len(rows))
    step = max(1, min(_BLOCK_CHARACTERS // width, len(rows)))
    scratch = np.empty((step, width), np.uint8)
    texts: list[str] = []
    for start in range(0, len(rows), step):
        block = str(_base64.encode_rows(rows[start : start + step], scratch).data, "ascii")
        texts += [block[i : i + width] for i in range(0, len(block), width)]
    return texts


def _as_bytes(text: Text) -> bytes | memoryview:
    if isinstance(text, str):  # what is not ASCII becomes bytes that no alphabet has, at the same offset
        return text.encode("utf-8", "surrogatepass")
    view = memoryview(text)
    return view.cast("B") if view.c_contiguous else view.tobytes()


def _decode_one(
    data: bytes | memoryview, wanted: np.dtype[Any], out: NDArray[Any] | None, flags: int, row: int | None = None
) -> NDArray[Any]:
    if out is not None and not isinstance(out, np.ndarray):
        raise ValueError(f"out must be an array, not {type(out).__name__}")
    length = max(_base64.decoded_length(data, flags), 0)
    if length % wanted.itemsize or (out is not None and out.nbytes != length):
        _base64.decode(data, np.empty(length, np.uint8), flags, row)  # an error in the text itself comes first
        raise _wrong_length(length, wanted, None if out is None else out.nbytes, row)
    if out is None:
        out = np.empty(length // wanted.itemsize, wanted)
    else:
        result_array(out, (out.size,), wanted)
    _base64.decode(data, out, flags, row)
    return out


def _decode_list(texts: list[Any], wanted: np.dtype[Any], out: NDArray[Any] | None, flags: int) -> NDArray[Any]:
    for row, text in enumerate(texts):
        if not isinstance(text, _TEXT):
            raise TypeError(f"row {row} is {type(text).__name__}, not a text")
    if out is None:
        first = _decode_one(_as_bytes(texts[0]), wanted, None, flags, 0) if texts else np.empty(0, wanted)
        out = np.empty((len(texts), first.size), wanted)
    else:
        result_array(out, (len(texts), *(out.shape[-1:] if isinstance(out, np.ndarray) else ())), wanted)
    row_bytes = out.nbytes // max(len(texts), 1)
    step = max(1, _BLOCK_CHARACTERS // max(_base64.encoded_length(row_bytes), 1))
    for start in range(0, len(texts), step):
        _decode_block(texts[start : start + step], start, out[start : start + step], flags)
    return out


def _decode_block(texts: list[Any], start: int, out: NDArray[Any], flags: int) -> None:
    """Decode rows start, start + 1 ... into the rows of `out`."""
    try:
        joined = "".join(texts)
        if not joined.isascii():
            raise TypeError
        data = joined.encode()
    except TypeError:
        texts = [_as_bytes(text) for text in texts]
        data = b"".join(texts)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    offsets = np.cumsum(lengths) - lengths
    result = _base64.decode_rows(data, offsets, lengths, out, flags)
    if result.status == lib.EC_OK:
        return
    failed = result.produced
    if result.status == lib.EC_BAD_LENGTH:
        length = _base64.decoded_length(_as_bytes(texts[failed]), flags)
        raise _wrong_length(length, out.dtype, out.nbytes // len(out), start + failed)
    raise DecodeError(reason(result.status), offset=int(result.consumed - offsets[failed]), row=start + failed)


def _wrong_length(length: int, wanted: np.dtype[Any], expected: int | None, row: int | None) -> DecodeError:
    if expected is None:
        return DecodeError(f"{length} bytes do not make whole elements of {wanted}", row=row)
    return DecodeError(f"{length} bytes where {expected} are wanted", row=row)
