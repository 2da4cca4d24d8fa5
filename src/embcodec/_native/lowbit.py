"""Random rotations and codes of one, two and four bits. Arrays are C-contiguous float32, (n, dimension)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bits import check_finite_result
from .core import ffi, lib, pointer

Floats = NDArray[np.float32]

PANEL = 64
"""Dimensions of a result that are computed together."""

_LINE = 64  # bytes of a cache line: what the kernels load at once should not lie across two


def rotation_factors(dimension: int, rounds: int, seed: int) -> Floats:
    """Return the factors (rounds, dimension) of a random rotation: signs, normalised where the transform reaches."""
    signs = np.random.default_rng(seed).integers(0, 2, (rounds, dimension))
    factors = (2 * signs - 1).astype(np.float32)
    power = 1 << (dimension.bit_length() - 1)
    for index, row in enumerate(factors):
        reached = slice(dimension - power, None) if index % 2 else slice(0, power)
        row[reached] /= np.float32(np.sqrt(power))
    return factors


def rotate(x: Floats, factors: Floats, *, inverse: bool = False) -> None:
    """Rotate the rows of `x` in place."""
    lib.ec_rotate_f32(pointer(x), *x.shape, pointer(factors), len(factors), inverse)


def panels_of(matrix: Floats) -> Floats:
    """Return (ceil(m / 64), n, 64): the columns of a matrix (n, m), 64 at a time, zeros after the last."""
    n, m = matrix.shape
    panels = np.zeros((-(-m // PANEL), n, PANEL), np.float32)
    for panel, begin in zip(panels, range(0, m, PANEL), strict=True):
        part = matrix[:, begin : begin + PANEL]
        panel[:, : part.shape[1]] = part
    return panels


class Coder:
    """What the C core needs to code rows, with the arrays kept alive; see ``ec_lowbit_scheme`` in ``embcodec.h``.

    Parameters
    ----------
    dimension, bits : int
    center : ndarray, (dimension,), or None
    parts
        Other arrays and numbers by the names of the structure's members.
    """

    def __init__(self, dimension: int, bits: int, center: Floats | None = None, **parts: NDArray[Any] | int) -> None:
        if center is not None:
            parts["center"] = center
        self._kept = {name: _aligned(part) for name, part in parts.items() if isinstance(part, np.ndarray)}
        self._scheme = ffi.new("ec_lowbit_scheme *", {"dimension": dimension, "bits": bits})  # all others zero
        for name, part in parts.items():
            setattr(self._scheme, name, part if isinstance(part, int) else pointer(self._kept[name]))

    def encode(
        self, x: Floats, planes: NDArray[np.uint8], scales: Floats, lengths: Floats, squares: NDArray[np.float64]
    ) -> None:
        """Code rows: fill bit planes (n, bits * ceil(dimension / 8)), unbiased scales (n,), lengths, squared rows.

        Raises
        ------
        NotFiniteError
        """
        scratch = _lines(int(lib.ec_lowbit_scratch_bytes(self._scheme, len(x))))
        result = lib.ec_lowbit_encode_f32(
            self._scheme, pointer(x), len(x), pointer(scratch), pointer(planes), pointer(scales), pointer(lengths),
            pointer(squares),
        )  # fmt: skip
        check_finite_result(result, x)

    def turn(self, x: Floats) -> Floats:
        """Return rows as they are before they are coded, (n, dimension): less the center, stretched and turned."""
        turned, scratch = np.empty_like(x), _lines(int(lib.ec_lowbit_scratch_bytes(self._scheme, len(x))))
        lib.ec_lowbit_turn_f32(self._scheme, pointer(x), len(x), pointer(scratch), pointer(turned))
        return turned


def _lines(n_bytes: int) -> NDArray[np.uint8]:
    """Return so many bytes from the beginning of a cache line on."""
    memory = np.empty(n_bytes + _LINE, np.uint8)
    begin = -memory.ctypes.data % _LINE
    return memory[begin : begin + n_bytes]


def _aligned(array: NDArray[Any]) -> NDArray[Any]:
    copy = _lines(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
