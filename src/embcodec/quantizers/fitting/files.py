"""Low-bit schemes, codes and quantizers out of a file's arrays: nothing is made of them that does not fit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...containers import (
    check_max_bytes,
    checked_array,
    checked_texts,
    flag,
    read_npz,
    read_tensors,
    replacing,
    whole_number,
    write_npz,
)
from ...errors import StorageError
from ...words import as_path, parse_words
from ..lowbit.codes import LowBitCodes
from ..lowbit.principal import PrincipalScheme
from ..lowbit.rotations import Rotation
from ..lowbit.scheme import LowBitScheme
from ..lowbit.shaping import Shaping
from .principal_files import arrays_of, is_principal, principal_codes_of, principal_scheme_of

FORMAT = "embcodec quantizer 1"
HOLDS_QUANTIZER = "the file holds a fitted quantizer, not rows: LowBitQuantizer.load(path) reads it"

Arrays = Mapping[str, NDArray[Any]]

_ALWAYS = {"settings", "names", "report", "scale_unit"}
"""The arrays that quantizers' files have had in every version."""
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
_MOST_DIMENSION = (1 << 31) - 1
_LONGEST_UNIT_ERROR = 0.1  # a row counts as one of unit length up to far less
_UNIT = 1.02  # the longest row of unit length, and what rounding adds
_SCALE = (
    1.5  # times sqrt(d) |r| is what |r|^2 / <r, l> can be: the largest part alone gives |r| / sqrt(d) times its level
)
_WHITENED_SCALE = 20.0  # over sqrt(d), times |r|: of a whitened row, see csrc/lowbit/encode.c
_HALF = 2.0**-24  # the smallest float16
_ENTRY = 1.01  # of what is orthogonal, and of signs: 1, and what rounding adds
_LEAST_REST = 0.01  # of the weights of errors, which is a half at least
_GAIN = 1e4  # of a partial whitening: within a few, and so are their reciprocals


class Fitted(NamedTuple):
    """What a file of a quantizer holds."""

    settings: dict[str, Any]  # what the constructor takes
    choice: str
    report: dict[str, float]
    scheme: LowBitScheme | PrincipalScheme
    interval: tuple[float, float] | None = None


def scheme_of(
    arrays: Arrays, bits: int, dimension: int, scaled: bool, scale_unit: float
) -> LowBitScheme | PrincipalScheme:
    """Return the scheme whose center and parts of a rotation are among `arrays`.

    Raises
    ------
    ValueError
        Where a number is out of range, or an array has another dtype or shape, or values that cannot be.
    """
    if bits not in (1, 2, 4) and not is_principal(arrays):
        raise ValueError(f"codes of {bits!r} bits")
    if not 1 <= dimension <= _MOST_DIMENSION:
        raise ValueError(f"a dimension of {dimension}")
    if not _SMALLEST <= scale_unit <= _LARGEST:
        raise ValueError(f"a scale of {scale_unit}, which is no normal float32 above 0")
    if is_principal(arrays):
        return principal_scheme_of(arrays, dimension, scale_unit)
    Rotation.refuse_former(arrays)
    parts = {name: _part(arrays, name, shape) for name, shape in Rotation.shapes(dimension).items()}
    rotation = Rotation(**parts)
    rotation.check()
    if rotation.directions is not None and rotation.directions.shape[1] > dimension:
        raise ValueError(f"{rotation.directions.shape[1]} directions in {dimension} dimensions")
    if rotation.gains is not None and rotation.gains.min(initial=1) < 1 / _GAIN:
        raise ValueError(f"a gain of {rotation.gains.min()}")
    center = checked_array(arrays, "center", np.float32, (dimension,)) if "center" in arrays else None
    shaping = _shaping(arrays, dimension) if "shaping_directions" in arrays else None
    return LowBitScheme(bits, dimension, rotation, center, scaled, scale_unit, shaping)


def _part(arrays: Arrays, name: str, shape: tuple[int | None, ...]) -> NDArray[Any] | None:
    if name not in arrays:
        return None
    most = _GAIN if name == "gains" else _ENTRY
    return checked_array(arrays, name, np.float32, shape, least=-most, most=most)


def codes_of(arrays: Arrays, words: Mapping[str, str]) -> LowBitCodes:
    """Return the codes that arrays and words stand for; see :func:`~embcodec.files.pack.pack`.

    Raises
    ------
    KeyError, ValueError
        Where something is missing, or does not fit.
    """
    bits, dimension = whole_number(words, "bits", 4), whole_number(words, "dimension")
    scaled, is_unit = flag(words, "scaled"), flag(words, "is_unit")
    scheme = scheme_of(arrays, bits, dimension, scaled, float.fromhex(words["scale_unit"]))
    if scheme.identity != words["low_bit"]:
        raise ValueError(f"the rotation and center are not those of {words['low_bit'][:40]!r}")
    unit_error = float.fromhex(words["unit_error"])
    if not 0 <= unit_error <= _LONGEST_UNIT_ERROR:
        raise ValueError(f"a unit error of {unit_error}, which is not 0 .. {_LONGEST_UNIT_ERROR}")
    if isinstance(scheme, PrincipalScheme):
        codes = principal_codes_of(arrays, words, scheme, unit_error, _longest_unit(scheme))
        return _checked_is_unit(codes, words, is_unit)
    small = np.float16 if bits == 1 else np.float32
    planes = arrays["bit_planes"]
    if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != bits * -(-dimension // 8):
        raise ValueError(f"bit planes of {planes.dtype} {planes.shape} for {bits} bits of {dimension} dimensions")
    longest = _LARGEST / scheme.scale_unit
    scales = checked_array(arrays, "scales", small, (len(planes),), least=0, most=longest)
    most = longest / dimension**0.5
    lengths = checked_array(arrays, "lengths", small, (len(planes),), least=-most, most=most)
    unit_most = _longest_unit(scheme)
    if (lengths > unit_most).any():  # a negative length is that of a row that had not unit length
        row = int((lengths > unit_most).argmax())
        raise ValueError(f"a value of lengths is out of range: {lengths[row]} at [{row}], of a row of unit length")
    apart_from_length = scales > max(_SCALE * dimension, _WHITENED_SCALE) * (np.abs(lengths.astype(np.float64)) + _HALF)
    if apart_from_length.any():
        raise ValueError(f"the scale and the length of row {int(apart_from_length.argmax())} do not go together")
    return _checked_is_unit(
        LowBitCodes(np.ascontiguousarray(planes), scales, lengths, scheme, unit_error), words, is_unit
    )


def _longest_unit(scheme: LowBitScheme | PrincipalScheme) -> float:
    """Return the most that can be stored as the length of a row of unit length."""
    apart = 0.0 if scheme.center is None else float(np.linalg.norm(scheme.center.astype(np.float64)))
    return float(_UNIT * (1 + apart) / scheme.scale_unit / scheme.dimension**0.5)


def _checked_is_unit(codes: LowBitCodes, words: Mapping[str, str], is_unit: bool) -> LowBitCodes:
    if codes.is_unit is not is_unit:
        raise ValueError(f"is_unit {words['is_unit']}, which the signs of the lengths contradict")
    return codes


def scheme_arrays(scheme: LowBitScheme | PrincipalScheme) -> dict[str, NDArray[Any]]:
    """Return what files hold of what a scheme has learned, by name."""
    if isinstance(scheme, PrincipalScheme):
        return arrays_of(scheme)
    learned = {"center": scheme.center, **scheme.rotation._asdict()}
    if scheme.shaping is not None:
        learned |= {"shaping_directions": scheme.shaping.directions}
        learned |= {"shaping_rest": np.array([scheme.shaping.rest], np.float32)}
    return {name: array for name, array in learned.items() if array is not None}


def is_quantizer(names: Iterable[str]) -> bool:
    """Whether the arrays of an ``.npz`` file, by their names, are those of a quantizer."""
    return _ALWAYS.issubset(names)


def write_quantizer(path: str | os.PathLike[str], fitted: Fitted) -> None:
    """Write a fitted quantizer to an ``.npz`` file, atomically; StorageError for a file of another name."""
    if not as_path(path).lower().endswith(".npz"):
        raise StorageError(f"a quantizer is stored in a .npz file, not {as_path(path)!r}")
    scheme, settings = fitted.scheme, fitted.settings
    bits = 0 if isinstance(scheme, PrincipalScheme) else scheme.bits
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array([FORMAT, scheme.identity]),
        "settings": np.array([bits, settings["seed"], scheme.dimension, scheme.scaled], np.int64),
        "size": np.array([settings["bits"], settings["bytes_per_vector"] or 0], np.float64),
        "names": np.array([settings["rotation"], settings["center"], fitted.choice, *fitted.report]),
        "report": np.array(list(fitted.report.values()), np.float64),
        "scale_unit": np.array(scheme.scale_unit, np.float64),
    }
    arrays |= scheme_arrays(scheme)
    arrays["shaping"] = np.array([settings["shaping"]])
    arrays["row_lengths"] = np.array([settings["lengths"]])
    if settings["recall"] is not None:
        arrays["recall"] = np.array([settings["recall"], *(fitted.interval or (0, 1))], np.float64)
    with replacing(as_path(path)) as file:
        write_npz(file, arrays)


def read_quantizer(path: str | os.PathLike[str], max_bytes: int | None = None) -> Fitted:
    """Read what :func:`write_quantizer` wrote, or former versions, which said no format.

    Raises
    ------
    StorageError
        Where the file is damaged or holds something else.
    """
    check_max_bytes(max_bytes)
    path = as_path(path)
    try:
        with open(path, "rb") as file:
            if file.read(2) != b"PK":
                raise StorageError(_held_by_tensors(path) or "it is no file of one")
            file.seek(0)
            arrays, _ = read_npz(file, max_bytes=max_bytes)
        if "embcodec" in arrays:
            raise StorageError(_held(parse_words(str(arrays["embcodec"])) or {}))
        return _fitted(arrays)
    except KeyError as error:
        raise StorageError(f"{path} holds no low-bit quantizer: it lacks {error.args[0]}") from None
    except (StorageError, ValueError, TypeError) as error:
        raise StorageError(f"{path} holds no low-bit quantizer: {error}") from None


def _held(words: Mapping[str, str]) -> str:
    """Say what a file holds that is no quantizer, and what reads it, by the words that embcodec wrote there."""
    if "index" in words:
        return "it holds an index, FlatIndex.load(path) reads it"
    if "low_bit" in words:
        return (
            "it holds low-bit codes, codes = embcodec.load(path) reads them, and LowBitCodes.of(rows, codes.scheme) "
            "codes further rows"
        )
    return "it holds rows, embcodec.load(path) reads them"


def _held_by_tensors(path: str) -> str:
    """Say what a ``.safetensors`` file of embcodec's holds; nothing where it is none, or damaged."""
    try:
        _, words = read_tensors(path, mmap=True)
    except StorageError:
        return ""
    return _held(words) if words.keys() & {"format", "index"} else ""


def _shaping(arrays: Arrays, dimension: int) -> Shaping:
    rest = float(checked_array(arrays, "shaping_rest", np.float32, (1,), least=_LEAST_REST, most=1.0)[0])
    most = dimension**0.5
    directions = checked_array(arrays, "shaping_directions", np.float32, (dimension, None), least=-most, most=most)
    if directions.shape[1] > dimension:
        raise ValueError(f"{directions.shape[1]} directions of shaping in {dimension} dimensions")
    return Shaping(directions, rest)


def _fitted(arrays: Arrays) -> Fitted:
    settings = checked_array(arrays, "settings", np.int64, (4,))
    bits, seed, dimension, scaled = settings.tolist()
    if scaled not in (0, 1):
        raise ValueError(f"scaled {scaled} is neither 0 nor 1")
    rotation, center, choice, *measured = checked_texts(arrays, "names", 3)
    report = checked_array(arrays, "report", np.float64, (len(measured),))
    unit = checked_array(arrays, "scale_unit", np.float64, ())
    scheme = scheme_of(arrays, bits, dimension, bool(scaled), float(unit))
    if "format" in arrays:
        written, identity, *_ = checked_texts(arrays, "format", 2)
        if written != FORMAT:
            raise ValueError(f"it is of another format than {FORMAT!r}")
        if identity != scheme.identity:
            raise ValueError(f"what it holds is not {identity[:40]!r}")
    asked = checked_array(arrays, "size", np.float64, (2,), least=0).tolist() if "size" in arrays else (bits, 0)
    size: dict[str, float | None] = {
        "bits": int(asked[0]) if asked[0] == int(asked[0]) else asked[0],
        "bytes_per_vector": int(asked[1]) or None,
    }
    shaping, *_ = checked_texts(arrays, "shaping", 1) if "shaping" in arrays else ["none"]
    lengths, *_ = checked_texts(arrays, "row_lengths", 1) if "row_lengths" in arrays else ["stored"]
    recall = checked_array(arrays, "recall", np.float64, (3,), least=0, most=1).tolist() if "recall" in arrays else None
    return Fitted(
        {
            **size,
            "recall": recall and recall[0],
            "shaping": shaping,
            "rotation": rotation,
            "center": center,
            "seed": seed,
            "lengths": lengths,
        },
        choice,
        dict(zip(measured, report.tolist(), strict=True)),
        scheme,
        (recall[1], recall[2]) if recall else None,
    )
