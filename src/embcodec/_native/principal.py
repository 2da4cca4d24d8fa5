"""Codes in principal directions. Arrays are C-contiguous float32 unless said otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bits import check_finite_result
from .core import check, ffi, lib, pointer
from .lowbit import aligned, array_of, lines, rows_and_codes

Floats = NDArray[np.float32]

GROUP = 8
"""Directions that share a number of bits: a byte has one bit of each."""

_BYTES = ("bits", "patterns")


class PrincipalCoder:
    """What the C core needs to code rows, with the arrays kept alive: ``ec_principal_scheme``.

    Parameters
    ----------
    dimension : int
    parts
        Arrays by the names of the structure's members.
    """

    def __init__(self, dimension: int, **parts: NDArray[Any]) -> None:
        self._kept = {name: aligned(part) for name, part in parts.items()}
        self._scheme = ffi.new("ec_principal_scheme *", {"dimension": dimension, "groups": len(parts["bits"])})
        for name, part in self._kept.items():
            setattr(self._scheme, name, array_of(part, np.uint8 if name in _BYTES else np.float32)[0])

    def encode(
        self, x: Floats, cosines: Floats, lengths: Floats, squares: NDArray[np.float64], threads: int = 1
    ) -> NDArray[np.uint8]:
        """Return planes of rows (n, dimension); fill cosines with what they stand for, lengths, squares, (n,) each.

        Raises
        ------
        NotFiniteError
        """
        planes = np.empty((len(x), max(int(lib.ec_principal_row_bytes(self._scheme)), 0)), np.uint8)
        scratch = lines(threads * max(int(lib.ec_principal_scratch_bytes(self._scheme, len(x))), 0))
        to = rows_and_codes(x, scratch, planes, cosines, lengths, squares)
        check_finite_result(lib.ec_principal_encode_f32(self._scheme, len(x), to, threads), x)
        return planes

    def squares(self, planes: NDArray[np.uint8], values: Floats) -> NDArray[np.float64]:
        """Return the squared lengths of what planes (n, bytes) stand for, by the level of each pattern (510,)."""
        found, levels, packed = np.empty(len(planes)), array_of(values, np.float32), array_of(planes, np.uint8)
        check(lib.ec_principal_squares(self._scheme, levels[0], packed[0], len(planes), pointer(found), len(found)))
        return found


def meet(source: NDArray[np.int32], weights: Floats, turned: Floats) -> Floats:
    """Return what queries count at each place of a row, (m, places): sums of weights times turned values.

    `source` says which of the columns of `turned` (m, columns), and has the shape of `weights`, (sources, places).
    """
    met = np.empty((len(turned), weights.shape[1]), np.float32)
    by, factors, values = array_of(source, np.int32), array_of(weights, np.float32), array_of(turned, np.float32)
    check(lib.ec_principal_meet_f32(by[0], factors[0], *weights.shape, values[0], *turned.shape, pointer(met)))
    return met
