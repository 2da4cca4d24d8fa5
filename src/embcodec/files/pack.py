"""What rows are, taken apart into arrays and words that a file can hold, and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..containers import checked_array, whole_number
from ..embeddings import Embeddings
from ..errors import StorageError, row_of
from ..quantizers.fitting import codes_of, scheme_arrays
from ..quantizers.lowbit import LowBitCodes, PrincipalScheme
from ..scale import PER_VECTOR, UNIT, Scale

FORMAT = "embcodec 1"

Tensors = dict[str, NDArray[Any]]
Words = dict[str, str]

_LARGEST_SCALE = np.float32(np.finfo(np.float32).max / 127)  # what is measured is no larger


def pack(rows: Embeddings | LowBitCodes, prefix: str = "") -> tuple[Tensors, Words]:
    """Return the arrays and the words that make up rows, to be stored; names begin with `prefix`.

    Returns
    -------
    tensors : dict
        ``values``, and ``scale`` where the scale has values. Of low-bit codes ``bit_planes``, ``scales``, ``lengths``
        and what their scheme has of ``center`` and the parts of its :class:`Rotation`, or its directions and their
        bits: they can be read, and added to, without the quantizer.
    words : dict of str to str
        ``format``, ``dimension``; ``output_dtype``, ``scale`` (its identity), ``signed_bytes`` and ``bit_order``; or,
        of low-bit codes, ``low_bit`` (their scheme's identity), ``bits``, ``scaled``, ``scale_unit``, ``is_unit`` and
        ``unit_error``; in principal directions also ``code_error``, and 0 for ``bits``; ``length_error`` where no
        ``lengths`` are stored, since all rows have unit length.
    """
    check_width(rows)
    tensors, words = _pack_low_bit(rows) if isinstance(rows, LowBitCodes) else _pack_embeddings(rows)
    words = {"format": FORMAT, "dimension": str(rows.dimension), **words}
    return {prefix + key: array for key, array in tensors.items()}, {prefix + key: word for key, word in words.items()}


def unpack(tensors: Mapping[str, NDArray[Any]], words: Mapping[str, str], prefix: str = "") -> Embeddings | LowBitCodes:
    """Return the rows that :func:`pack` took apart.

    Raises
    ------
    StorageError
        Where something is missing or does not fit.
    """
    plain = {key.removeprefix(prefix): value for key, value in words.items() if key.startswith(prefix)}
    arrays = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    try:
        if plain["format"] != FORMAT:
            raise StorageError(f"a file of format {plain['format']!r}; this version reads {FORMAT!r}")
        if "low_bit" in plain:
            return codes_of(arrays, plain)
        rows = _unpack_embeddings(arrays, plain, whole_number(plain, "dimension"))
        check_width(rows)
        return rows
    except KeyError as error:
        raise StorageError(f"the file lacks {prefix}{error.args[0]}") from None
    except StorageError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise StorageError(f"the file contradicts itself: {error}", row=row_of(error)) from None


def check_width(rows: Embeddings | LowBitCodes) -> None:
    """Refuse rows of no dimensions: a few bytes could stand for any number of them."""
    if len(rows) and not rows.dimension:
        raise StorageError(f"{len(rows)} rows of no dimensions are not stored")


def is_packed(words: Mapping[str, str], prefix: str = "") -> bool:
    """Whether words are :func:`pack`'s; else the file is from elsewhere, or bare."""
    return f"{prefix}output_dtype" in words or f"{prefix}low_bit" in words


def _pack_embeddings(rows: Embeddings) -> tuple[Tensors, Words]:
    scale = rows.scale
    tensors = {"values": rows.values}
    if scale is not None and scale.values is not None:
        _check_scale(scale)
        tensors["scale"] = scale.values
    return tensors, {
        "output_dtype": str(rows.output_dtype),
        "scale": scale.identity if scale is not None else "none",
        "signed_bytes": rows.signed_bytes,
        "bit_order": rows.bit_order,
    }


def _unpack_embeddings(arrays: Tensors, words: Words, dimension: int) -> Embeddings:
    identity = words["scale"]
    scale = None
    if identity == UNIT:
        scale = Scale.unit()
    elif identity != "none":
        kind = identity.partition(":")[0]
        shape = (None,) if kind == PER_VECTOR else (2, dimension)
        scale = Scale(kind, checked_array(arrays, "scale", np.float32, shape))  # type: ignore[arg-type]
        _check_scale(scale)
    if scale is not None and scale.identity != identity:
        raise ValueError(f"the values of the scale are not those of {identity!r}")
    return Embeddings(
        arrays["values"],
        words["output_dtype"],  # type: ignore[arg-type]
        dimension,
        scale,
        words["signed_bytes"],  # type: ignore[arg-type]
        words["bit_order"],  # type: ignore[arg-type]
    )


def _check_scale(scale: Scale) -> None:
    """Refuse scales under which codes stand for infinities: scores would be infinite without a word."""
    if scale.kind == PER_VECTOR and scale.values is not None and scale.values.max(initial=0) > _LARGEST_SCALE:
        row = int(scale.values.argmax())
        words = f"the scale of row {row}, {scale.values[row]}, is too large: 127 times it is not finite"
        raise StorageError(words, row=row)


def _pack_low_bit(rows: LowBitCodes) -> tuple[Tensors, Words]:
    scheme = rows.scheme
    words = {
        "low_bit": scheme.identity,
        "bits": "0" if isinstance(scheme, PrincipalScheme) else str(scheme.bits),
        "scaled": str(int(scheme.scaled)),
        "scale_unit": float(scheme.scale_unit).hex(),
        "is_unit": str(int(rows.is_unit)),
        "unit_error": float(rows.unit_error).hex(),
    }
    if isinstance(scheme, PrincipalScheme):
        words["code_error"] = float(rows.code_error).hex()
        words |= {"length_error": float(rows.length_error).hex()} if scheme.unit else {}
    return {**rows.stored, **scheme_arrays(scheme)}, words
