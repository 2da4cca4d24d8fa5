"""Schemes of principal directions, and their codes, out of a file's arrays: only of such as fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native.hamming import MOST_TWICE
from ..._native.principal import GROUP
from ...containers import checked_array
from ..lowbit.codes import LowBitCodes
from ..lowbit.levels import MOST_BITS
from ..lowbit.principal import MOST_LENGTH_ERROR, PrincipalScheme

Arrays = Mapping[str, NDArray[Any]]

_ENTRY = 1.01  # of what is orthonormal, and of a direction's share: 1, and what rounding adds
_SMALLEST_GAIN, _LARGEST_GAIN = 0.5, 100.0  # of schemes that have one: a power of a length of .1 to 1
_NEAR = 1e-6  # a scale that is the root of the dimension's reciprocal


def arrays_of(scheme: PrincipalScheme) -> dict[str, NDArray[Any]]:
    """Return what a file holds of a scheme, by name."""
    arrays: dict[str, NDArray[Any]] = {
        "principal_directions": scheme.directions,
        "deviations": scheme.deviations,
        "allocation": scheme.allocation,
        "copies": scheme.copies,
    }
    if scheme.center is not None:
        arrays["center"] = scheme.center
    if scheme.chain is not None:
        arrays |= {"chain": scheme.chain, "twice": np.array([scheme.twice], np.int64)}
    if scheme.gain or scheme.unit:
        arrays |= {"gain": np.array([scheme.gain]), "unit": np.array([scheme.unit], np.uint8)}
    return arrays


def is_principal(arrays: Arrays) -> bool:
    """Whether a file's arrays are those of principal directions."""
    return "allocation" in arrays


def principal_scheme_of(arrays: Arrays, dimension: int, scale_unit: float) -> PrincipalScheme:
    """Return the scheme that is among `arrays`; the numbers have been checked.

    Raises
    ------
    KeyError, ValueError
        Where an array is missing, or has another dtype or shape, or values that cannot be.
    """
    allocation = checked_array(arrays, "allocation", np.uint8, (None,))
    groups = len(allocation)
    if not 1 <= groups <= -(-dimension // GROUP):
        raise ValueError(f"{groups} groups of eight directions in {dimension} dimensions")
    if allocation.min() < 1 or allocation.max() > MOST_BITS or (np.diff(allocation.astype(np.int64)) > 0).any():
        raise ValueError(f"an allocation of bits that are not {MOST_BITS} .. 1, falling")
    copies = checked_array(arrays, "copies", np.int64, (None,))
    own = int(allocation.sum(dtype=np.int64))
    if len(copies) > own or copies.min(initial=0) < 0 or copies.max(initial=0) >= own:
        raise ValueError(f"copies of bytes that are not among {own}")
    shape = (dimension, GROUP * groups)
    directions = checked_array(arrays, "principal_directions", np.float32, shape, least=-_ENTRY, most=_ENTRY)
    if (count := np.count_nonzero(directions.any(axis=0))) > dimension:
        raise ValueError(f"{count} directions in {dimension} dimensions")
    deviations = checked_array(arrays, "deviations", np.float32, shape[1:], least=0, most=_ENTRY)
    if not deviations[0] > 0:
        raise ValueError("deviations that begin with 0")
    center = checked_array(arrays, "center", np.float32, (dimension,)) if "center" in arrays else None
    scheme = PrincipalScheme(dimension, directions, deviations, allocation, copies, center, scale_unit)
    return scheme if "chain" not in arrays else _chained(scheme, arrays, own)


def _chained(scheme: PrincipalScheme, arrays: Arrays, own: int) -> PrincipalScheme:
    if len(scheme.copies):
        raise ValueError("copies of bytes of a chain")
    chain = checked_array(arrays, "chain", np.int64, (own,))
    if not np.array_equal(np.sort(chain), np.arange(own)):
        raise ValueError(f"a chain that does not have each of {own} bytes once")
    twice = int(checked_array(arrays, "twice", np.int64, (1,))[0])
    if not 0 <= twice <= min(MOST_TWICE, own) or twice % 2:
        raise ValueError(f"{twice} bytes that are met twice, of {own}")
    scheme = replace(scheme, chain=chain, twice=twice)
    return scheme if "gain" not in arrays else _scaled(scheme, arrays)


def _scaled(scheme: PrincipalScheme, arrays: Arrays) -> PrincipalScheme:
    gain = float(checked_array(arrays, "gain", np.float64, (1,))[0])
    unit = int(checked_array(arrays, "unit", np.uint8, (1,))[0])
    if gain and not _SMALLEST_GAIN <= gain <= _LARGEST_GAIN:
        raise ValueError(f"a gain of {gain}, which is not 0 or {_SMALLEST_GAIN} .. {_LARGEST_GAIN}")
    if unit > 1:
        raise ValueError(f"unit {unit} is neither 0 nor 1")
    if unit and abs(scheme.scale_unit * scheme.dimension**0.5 - 1) > _NEAR:
        raise ValueError(f"a scale of {scheme.scale_unit} for rows of unit length in {scheme.dimension} dimensions")
    return replace(scheme, gain=gain, unit=bool(unit))


def principal_codes_of(
    arrays: Arrays, words: Mapping[str, str], scheme: PrincipalScheme, unit_error: float, longest: float
) -> LowBitCodes:
    """Return the codes of a scheme, of which a row of unit length has none longer than `longest`."""
    code_error = float.fromhex(words["code_error"])
    if not 0 <= code_error <= (most := scheme.most_left_out):
        raise ValueError(f"a code error of {code_error}, which is not 0 .. {most}")
    planes = arrays["bit_planes"]
    if planes.dtype != np.uint8 or planes.ndim != 2 or planes.shape[1] != scheme.row_bytes:
        raise ValueError(f"bit planes of {planes.dtype} {planes.shape} for {scheme.row_bytes} bytes a row")
    if scheme.unit:
        return _unit_codes_of(planes, words, scheme, unit_error, code_error)
    lengths = checked_array(arrays, "lengths", np.float16, (len(planes),))
    if (lengths > longest).any():  # a negative length is that of a row that had not unit length
        row = int((lengths > longest).argmax())
        raise ValueError(f"a value of lengths is out of range: {lengths[row]} at [{row}], of a row of unit length")
    planes = np.ascontiguousarray(planes)
    return LowBitCodes(planes, scheme.scales_of(planes), lengths, scheme, unit_error, code_error)


def _unit_codes_of(
    planes: NDArray[np.uint8], words: Mapping[str, str], scheme: PrincipalScheme, unit_error: float, code_error: float
) -> LowBitCodes:
    """Return codes of rows of unit length, of which no lengths are stored."""
    length_error = float.fromhex(words["length_error"])
    if not 0 <= length_error <= MOST_LENGTH_ERROR:
        raise ValueError(f"a length error of {length_error}, which is not 0 .. {MOST_LENGTH_ERROR}")
    planes = np.ascontiguousarray(planes)
    scales = scheme.scales_of(planes)
    lengths = scheme.lengths_of(planes)
    return LowBitCodes(planes, scales, lengths, scheme, unit_error, code_error, length_error)
