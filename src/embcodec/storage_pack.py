"""What rows are, taken apart into arrays and words that a file can hold, and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings
from .errors import StorageError
from .lowbit_codes import LowBitCodes, LowBitScheme
from .lowbit_rotations import Rotation
from .scale import Scale

FORMAT = "embcodec 1"

Tensors = dict[str, NDArray[Any]]
Words = dict[str, str]

_LOW_BIT_ARRAYS = ("bit_planes", "scales", "lengths")
_LONGEST_UNIT_ERROR = 0.1  # a row counts as one of unit length up to far less


def pack(rows: Embeddings | LowBitCodes, prefix: str = "") -> tuple[Tensors, Words]:
    """Return the arrays and the words that make up rows, to be stored; names begin with `prefix`.

    Returns
    -------
    tensors : dict
        ``values``, and ``scale`` where the scale has values. Of low-bit codes ``bit_planes``, ``scales``, ``lengths``
        and what their scheme has of ``center`` and the parts of its :class:`Rotation`: they can be read, and added to,
        without the quantizer.
    words : dict of str to str
        ``format``, ``dimension``; ``output_dtype``, ``scale`` (its identity), ``signed_bytes`` and ``bit_order``; or,
        of low-bit codes, ``low_bit`` (their scheme's identity), ``bits``, ``scaled``, ``scale_unit``, ``is_unit`` and
        ``unit_error``.
    """
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
        if not plain["dimension"].isdecimal() or len(plain["dimension"]) > 18:
            raise ValueError(f"dimension {plain['dimension']!r}")
        dimension = int(plain["dimension"])
        return (_unpack_low_bit if "low_bit" in plain else _unpack_embeddings)(arrays, plain, dimension)
    except KeyError as error:
        raise StorageError(f"the file lacks {prefix}{error.args[0]}") from None
    except StorageError:
        raise
    except (ValueError, TypeError) as error:
        raise StorageError(f"the file contradicts itself: {error}") from None


def is_packed(words: Mapping[str, str], prefix: str = "") -> bool:
    """Whether words are :func:`pack`'s; else the file is from elsewhere, or bare."""
    return f"{prefix}output_dtype" in words or f"{prefix}low_bit" in words


def _pack_embeddings(rows: Embeddings) -> tuple[Tensors, Words]:
    scale = rows.scale
    tensors = {"values": rows.values}
    if scale is not None and scale.values is not None:
        tensors["scale"] = scale.values
    return tensors, {
        "output_dtype": str(rows.output_dtype),
        "scale": scale.identity if scale is not None else "none",
        "signed_bytes": rows.signed_bytes,
        "bit_order": rows.bit_order,
    }


def _unpack_embeddings(arrays: Tensors, words: Words, dimension: int) -> Embeddings:
    identity = words["scale"]
    scale = None if identity == "none" else Scale(identity.partition(":")[0], arrays.get("scale"))
    if scale is not None and scale.identity != identity:
        raise ValueError(f"the values of the scale are not those of {identity!r}")
    return Embeddings(
        arrays["values"],
        words["output_dtype"],
        dimension,
        scale,
        words["signed_bytes"],  # type: ignore[arg-type]
        words["bit_order"],  # type: ignore[arg-type]
    )


def _pack_low_bit(rows: LowBitCodes) -> tuple[Tensors, Words]:
    scheme = rows.scheme
    tensors = {name: getattr(rows, name) for name in _LOW_BIT_ARRAYS}
    learned = {"center": scheme.center, **scheme.rotation._asdict()}
    tensors.update({name: array for name, array in learned.items() if array is not None})
    return tensors, {
        "low_bit": scheme.identity,
        "bits": str(scheme.bits),
        "scaled": str(int(scheme.scaled)),
        "scale_unit": float(scheme.scale_unit).hex(),
        "is_unit": str(int(rows.is_unit)),
        "unit_error": float(rows.unit_error).hex(),
    }


def _unpack_low_bit(arrays: Tensors, words: Words, dimension: int) -> LowBitCodes:
    for name in ("scaled", "is_unit"):
        if words[name] not in ("0", "1"):
            raise ValueError(f"{name} {words[name]!r}")
    if words["bits"] not in ("1", "2", "4"):
        raise ValueError(f"codes of {words['bits']!r} bits")
    bits, is_unit = int(words["bits"]), words["is_unit"] == "1"
    scale_unit, unit_error = float.fromhex(words["scale_unit"]), float.fromhex(words["unit_error"])
    if not 0 < scale_unit < np.inf or not 0 <= unit_error <= _LONGEST_UNIT_ERROR:
        raise ValueError(f"a scale of {scale_unit} and an error of {unit_error}")
    center = _learned(arrays, "center", (dimension,))
    Rotation.refuse_former(arrays)
    rotation = Rotation(*(_learned(arrays, name, shape) for name, shape in Rotation.shapes(dimension).items()))
    rotation.check()
    scheme = LowBitScheme(bits, dimension, rotation, center, words["scaled"] == "1", scale_unit)
    if scheme.identity != words["low_bit"]:
        raise ValueError(f"the rotation and center are not those of {words['low_bit']!r}")
    planes, scales, lengths = (np.ascontiguousarray(arrays[name]) for name in _LOW_BIT_ARRAYS)
    small = np.float16 if bits == 1 else np.float32
    if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != bits * -(-dimension // 8):
        raise ValueError(f"bit planes of {planes.dtype} {planes.shape} for {bits} bits of {dimension} dimensions")
    for name, array in (("scales", scales), ("lengths", np.abs(lengths))):
        if array.dtype != small or array.shape != (len(planes),):
            raise ValueError(f"{name} of {array.dtype} {array.shape} for {len(planes)} rows")
        if not (np.isfinite(array) & (array >= 0)).all():
            raise ValueError(f"{name} that are negative or not finite")
    codes = LowBitCodes(planes, scales, lengths, scheme, unit_error)
    if codes.is_unit is not is_unit:
        raise ValueError(f"is_unit {words['is_unit']}, which the signs of the lengths contradict")
    return codes


def _learned(arrays: Tensors, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float32] | None:
    array = arrays.get(name)
    if array is None:
        return None
    fits = array.ndim == len(shape) and all(
        wanted in (None, there) for wanted, there in zip(shape, array.shape, strict=True)
    )
    if array.dtype != np.float32 or not fits:
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} of {array.dtype} {array.shape}, not float32 {wanted}")
    if not np.isfinite(array).all():
        raise ValueError(f"a {name} that is not finite")
    return np.ascontiguousarray(array)
