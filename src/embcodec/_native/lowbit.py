"""Random rotations and codes of one to four bits. Arrays are C-contiguous float32, (n, dimension)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bits import check_finite_result, query_not_finite
from .core import check, ffi, lib, pointer
from .scan import scratches

Floats = NDArray[np.float32]

PANEL = 64
"""Dimensions of a result that are computed together."""

_NONE = np.empty(0, np.float32)
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
    """Rotate the rows of `x`, float32, in place; ValueError where the factors are too few."""
    check(lib.ec_rotate_f32(pointer(x), x.size, *x.shape, array_of(factors, np.float32)[0], len(factors), inverse))


def panels_of(matrix: Floats) -> Floats:
    """Return (ceil(m / 64), n, 64): the columns of a matrix (n, m), 64 at a time, zeros after the last."""
    n, m = matrix.shape
    panels = np.zeros((-(-m // PANEL), n, PANEL), np.float32)
    for panel, begin in zip(panels, range(0, m, PANEL), strict=True):
        part = matrix[:, begin : begin + PANEL]
        panel[:, : part.shape[1]] = part
    return panels


class Coder:
    """What the C core needs to code rows, with the arrays kept alive: ``ec_lowbit_scheme`` of ``contract/lowbit.h``.

    Parameters
    ----------
    dimension, bits : int
    center : ndarray, (dimension,), or None
    parts
        Other arrays and numbers by the names of the structure's members.
    """

    def __init__(self, dimension: int, bits: int, center: Floats | None = None, **parts: NDArray[Any] | float) -> None:
        if center is not None:
            parts["center"] = center
        self._kept = {name: aligned(part) for name, part in parts.items() if isinstance(part, np.ndarray)}
        # The other fields are set to zero by cffi.
        self._scheme = ffi.new("ec_lowbit_scheme *", {"dimension": dimension, "bits": bits})
        for name, part in parts.items():
            dtype = np.uint8 if name == "patterns" else np.float32
            setattr(self._scheme, name, array_of(self._kept[name], dtype)[0] if isinstance(part, np.ndarray) else part)

    def encode(
        self,
        x: Floats,
        planes: NDArray[np.uint8],
        scales: Floats,
        lengths: Floats,
        squares: NDArray[np.float64],
        threads: int = 1,
    ) -> None:
        """Code rows: fill bit planes (n, bits * ceil(dimension / 8)), unbiased scales (n,), lengths, squared rows.

        Raises
        ------
        NotFiniteError
        """
        scratch = lines(threads * max(int(lib.ec_lowbit_scratch_bytes(self._scheme, len(x))), 0))
        to = rows_and_codes(x, scratch, planes, scales, lengths, squares)
        check_finite_result(lib.ec_lowbit_encode_f32(self._scheme, len(x), to, threads), x)

    def turn(self, x: Floats, columns: int | None = None) -> Floats:
        """Return rows as they are before they are coded, less the center, stretched and turned, (n, dimension).

        With `columns` only the first of their values are computed, (n, columns).
        """
        shape = len(x), x.shape[1] if columns is None else columns
        turned = np.empty(shape, np.float32)
        scratch = scratches.take(max(int(lib.ec_lowbit_scratch_bytes(self._scheme, len(x))), 0))
        room, to = (pointer(scratch), scratch.nbytes), (pointer(turned), turned.size)
        check_finite_result(lib.ec_lowbit_turn_f32(self._scheme, array_of(x, np.float32)[0], len(x), *room, *to), x)
        scratches.give(scratch)
        return turned


class Rests(NamedTuple):
    """Queries of length 1 without their share of a center: see :func:`rests_of`."""

    rests: Floats
    lengths: NDArray[np.float64]
    shares: NDArray[np.float64]
    along: NDArray[np.float64]
    spreads: NDArray[np.float64]


def rests_of(queries: Floats, center: Floats | None, most: float) -> Rests:
    """Return e - u c of queries q (m, dimension), with e = q / |q| and u = <e, c> / |c|^2 within -most .. most.

    With them come the |q|, the u, the <e, c> and the lengths of the rests, (m,) each.

    Raises
    ------
    NotFiniteError
    """
    rests, kept = np.empty(queries.shape, np.float32), np.empty((4, len(queries)))
    asked, away = array_of(queries, np.float32), array_of(_NONE if center is None else center, np.float32)
    done = lib.ec_lowbit_rests_f32(asked[0], *queries.shape, away[0], most, pointer(rests), pointer(kept))
    if done.status == lib.EC_NOT_FINITE:
        raise query_not_finite(queries, int(done.consumed) // queries.shape[1])
    check(done)
    return Rests(rests, *kept)


def rows_and_codes(
    x: Floats,
    scratch: NDArray[np.uint8],
    planes: NDArray[np.uint8],
    scales: Floats,
    lengths: Floats,
    squares: NDArray[np.float64],
) -> Any:
    """Return an ``ec_lowbit_rows``, of rows to code and where their codes go; it does not keep the arrays alive."""
    to = ffi.new("ec_lowbit_rows *")
    to.values, to.values_count = pointer(x), x.size
    to.scratch, to.scratch_bytes = pointer(scratch), scratch.nbytes
    to.packed, to.packed_bytes = pointer(planes), planes.nbytes
    to.scales, to.lengths, to.squares = pointer(scales), pointer(lengths), pointer(squares)
    to.capacity = min(len(scales), len(lengths), len(squares))
    return to


def array_of(array: NDArray[Any], dtype: Any) -> Any:
    """Return an ``ec_array``, as the first of one; it does not keep `array` alive."""
    if array.dtype != dtype:
        raise TypeError(f"an array of {np.dtype(dtype)} is wanted, not of {array.dtype}")
    return ffi.new("ec_array *", {"items": pointer(array), "count": array.size})


def lines(n_bytes: int) -> NDArray[np.uint8]:
    """Return so many bytes from the beginning of a cache line on."""
    memory = np.empty(n_bytes + _LINE, np.uint8)
    begin = -memory.ctypes.data % _LINE
    return memory[begin : begin + n_bytes]


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that begins with a cache line."""
    copy = lines(array.nbytes).view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
