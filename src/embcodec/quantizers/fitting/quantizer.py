"""Codes of one, two and four bits a dimension that keep more than sign bits do."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._native import bits as native_bits
from ...dtypes import CENTERS, ROTATIONS, CenterName, RotationName
from ...errors import StorageError
from ...words import as_whole, shown, unknown
from ..lowbit.codes import LowBitCodes
from ..lowbit.levels import Floats, Levels, levels_of
from ..lowbit.rotations import Rotation, learned_blocks, learned_rotation, random_rotation, whitened
from ..lowbit.scheme import LowBitScheme
from ..quantize import as_float_rows
from .files import Fitted, read_quantizer, write_quantizer
from .measure import Trial, some_rows
from .threads import one_blas_thread, side_by_side

PLAIN = "plain sign bits"
_LEARN_ROWS, _FOLDS = 20_000, 4
_FEWEST_ROWS = 80  # to measure choices with
_WHITENED = "whitened, blocks of rotations"
_LEAST_ROWS = {"blocks": 0.5, "learned": 4.0, "whitened": 0.5}  # a dimension, for a choice to be measured
_LEARNED: dict[str, Callable[[Floats, Levels], Rotation]] = {
    "blocks": learned_blocks,
    "learned": learned_rotation,
    "whitened": whitened,
}


class LowBitQuantizer:
    """One, two or four bits a dimension, with rotation, centring and one unbiased scale a vector.

    Parameters
    ----------
    bits : {1, 2, 4}
    rotation : {"none", "random", "blocks", "learned", "whitened", "auto"}
        "random": signs and Hadamard transforms, fast. "blocks": iterative quantization of 64 dimensions at a time on
        the sample, fast. "learned": of all dimensions, the slowest to fit and to encode (a whole matrix product, at
        1,024 dimensions ten times the cost of "blocks"); it gains most on the sample itself and wants many times more
        rows than dimensions. "whitened": a partial whitening, which queries take back, and blocks after it: the most
        accurate for rows that were not in the sample, at four times the cost of "blocks". "auto" measures them on rows
        that they were not fitted to.
    center : {"none", "mean", "auto"}
        Whether the sample's mean is taken off first, which rescues models whose vectors share a large mean.
    seed : int

    Attributes
    ----------
    choice : str
        What was chosen: ``"learned rotation, centred"``.
    report : dict of str to float
        The overlap@10 with float search that each choice reached on rows that it was not fitted to, where there was a
        choice to make. At one bit "plain sign bits" are kept unless another is better beyond doubt: for every kind of
        queries asked, and on average over the 10, 20, 40 and 80 nearest by so many standard errors that among equal
        choices one fit in a thousand takes another. If "whitened" is, it is what others must beat so, as at more bits,
        where no rotation takes its place if it is worse.

    Notes
    -----
    A row x becomes r = P(x - c), coded as levels l of r sqrt(d) / |r|, with the scale s = |r|^2 / <r, l>, so that
    <q, c> + s <Pq, l> estimates <q, x> without bias. Queries meet them at length 1, e, without their share of the
    center, u = <e, c> / |c|^2: <e, c> + s <P(e - u c), l> + u <c, x - c>, the last of which is known of a row of unit
    length, is less noisy. A score depends on nothing but its query and its row. The 1-bit code is RaBitQ's (arXiv
    2405.12497). A row takes bits * ceil(dimension / 8) bytes, and for its scale and length 4 (one bit) or 8 (two and
    four).

    Examples
    --------
    >>> sample = np.random.default_rng(0).standard_normal((200, 64)).astype(np.float32)
    >>> quantizer = LowBitQuantizer(2, rotation="random", center="mean").fit(sample)
    >>> quantizer.choice, quantizer.encode(sample)
    ('random rotation, centred', LowBitCodes(200 x 64 at 2 bits, 4800 bytes))
    """

    bits: int
    rotation: RotationName
    center: CenterName
    seed: int
    choice: str
    report: dict[str, float]

    def __init__(
        self, bits: int = 1, *, rotation: RotationName = "auto", center: CenterName = "auto", seed: int = 0
    ) -> None:
        if not isinstance(bits, int | np.integer) or bits not in (1, 2, 4) or isinstance(bits, bool):
            raise ValueError(f"bits is 1, 2 or 4, not {shown(bits)}")
        for name, value, choices in (("rotation", rotation, ROTATIONS), ("center", center, CENTERS)):
            if not isinstance(value, str) or value not in choices:
                raise unknown(name, value, choices)
        self.bits, self.rotation, self.center, self.seed = bits, rotation, center, as_whole(seed, "seed")
        self.choice = ""
        self.report = {}
        self._scheme: LowBitScheme | None = None

    @property
    def scheme(self) -> LowBitScheme:
        """What was fitted."""
        if self._scheme is None:
            raise ValueError("the quantizer is not fitted: call .fit(sample) first")
        return self._scheme

    def fit(self, sample: ArrayLike, *, queries: ArrayLike | None = None) -> LowBitQuantizer:
        """Fit to rows like those to be coded.

        Parameters
        ----------
        sample : array-like of float, (n, dimension)
            One row is enough, a few for each dimension are good; at most 20,000 are used to learn a rotation.
        queries : array-like of float, (m, dimension), optional
            Real queries to measure choices with, some hundred. By default rows of the sample ask, as they are, without
            half of what they share, and mixed with each other.

        Raises
        ------
        ValueError
            For an empty sample, NaN or infinities.
        """
        x = as_float_rows(sample)
        if not x.size:
            raise ValueError("the sample is empty")
        native_bits.require_finite(x)
        asked = None if queries is None else as_float_rows(queries)
        if asked is not None:
            native_bits.require_finite(asked)
        choices = self._choices()
        best = choices[0] if len(choices) == 1 else self._measure(x, asked, choices)
        with one_blas_thread(min(len(x), _LEARN_ROWS) * x.shape[1] ** 2):
            self.choice, self._scheme = best, self._fitted(x, best)
        return self

    def encode(self, x: ArrayLike, *, threads: int | None = None) -> LowBitCodes:
        """Return the codes of rows (n, dimension); NaN, infinities and other dimensions are refused (ValueError).

        By default one thread codes few rows and more code many: the codes do not depend on it.
        """
        rows: NDArray[Any] = x if _is_float_matrix(x) else as_float_rows(x)
        if rows.shape[1] != self.scheme.dimension:
            raise ValueError(f"rows have {rows.shape[1]} dimensions, the quantizer {self.scheme.dimension}")
        return LowBitCodes.of(rows, self.scheme, threads)

    def decode(self, codes: LowBitCodes, *, threads: int | None = None) -> Floats:
        """Return the rows that codes stand for, float32 (n, dimension), whatever the number of threads."""
        if not isinstance(codes, LowBitCodes):
            raise TypeError(f"codes are LowBitCodes, not {shown(codes)}")
        if codes.scheme.identity != self.scheme.identity:
            raise ValueError(f"these codes were made by {codes.scheme.identity}, not {self.scheme.identity}")
        return codes.to_float(threads=threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted quantizer to an ``.npz`` file, as :func:`embcodec.save` writes: whole, or not at all."""
        settings = {"bits": self.bits, "rotation": self.rotation, "center": self.center, "seed": self.seed}
        write_quantizer(path, Fitted(settings, self.choice, self.report, self.scheme))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_bytes: int | None = None) -> LowBitQuantizer:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
        max_bytes : int, optional
            How many bytes of memory it may ask for; see :func:`embcodec.load`.

        Raises
        ------
        StorageError
            Where the file is damaged or holds something else; checksums are compared.
        OSError
            Where it cannot be read.
        """
        fitted = read_quantizer(path, max_bytes)
        try:
            quantizer = cls(**fitted.settings)
        except ValueError as error:
            raise StorageError(f"{os.fspath(path)} holds no low-bit quantizer: {error}") from None
        quantizer.choice, quantizer.report, quantizer._scheme = fitted.choice, fitted.report, fitted.scheme
        return quantizer

    def __repr__(self) -> str:
        fitted = f": {self.choice}" if self._scheme else ", not fitted"
        return f"LowBitQuantizer(bits={self.bits}, rotation={self.rotation!r}, center={self.center!r}{fitted})"

    def _choices(self) -> list[str]:
        rotations = ROTATIONS[:-1] if self.rotation == "auto" else (self.rotation,)
        centers = ("none", "mean") if self.center == "auto" else (self.center,)
        plain = [PLAIN] if self.bits == 1 and "none" in rotations and "none" in centers else []
        plain = plain if self.rotation == "auto" else []
        return plain + [_name(rotation, center) for rotation in rotations for center in centers]

    def _fitted(self, x: Floats, choice: str) -> LowBitScheme:
        dimension = x.shape[1]
        center = x.mean(axis=0, dtype=np.float64).astype(np.float32) if "centred" in choice else None
        some = some_rows(x, _LEARN_ROWS, self.seed)
        some = some if center is None else some - center
        name, levels = _kind(choice), levels_of(self.bits)
        if name == "random":
            rotation = random_rotation(dimension, self.seed)
        elif name in _LEARNED:
            rotation = _LEARNED[name](some, levels)
        else:
            rotation = Rotation()
        scheme = LowBitScheme(self.bits, dimension, rotation, center, choice != PLAIN)
        scales = scheme.encode_raw(some_rows(x, 1000, self.seed))[1]
        typical = float(np.median(scales[scales > 0])) if (scales > 0).any() else 1.0
        return replace(scheme, scale_unit=max(typical, float(np.finfo(np.float32).tiny)))

    def _measure(self, x: Floats, queries: Floats | None, choices: list[str]) -> str:
        """Return the best of `choices`; the first one unless others are better beyond doubt.

        Rows are coded in parts, each by what is fitted to the others: what was learned by heart does not count.
        """
        if len(x) < _FEWEST_ROWS:
            return choices[0]
        trial = Trial(x, queries, self.seed)
        part = np.random.default_rng(self.seed).permutation(len(trial.rows)) % _FOLDS
        if len(choices) > 2:  # of too few rows some would be learned by heart
            rows_a_dimension = len(trial.rows) / x.shape[1]
            choices = [choice for choice in choices if rows_a_dimension >= _LEAST_ROWS.get(_kind(choice), 0)]

        def measured(choice: str) -> NDArray[np.float64]:
            return trial.overlaps(self._estimates(trial.queries, trial.rows, part, choice))

        with one_blas_thread():
            overlaps = dict(zip(choices, side_by_side(measured, choices), strict=True))
        self.report = {choice: float(found[0].mean()) for choice, found in overlaps.items()}
        return trial.best_of(overlaps, _WHITENED, doubtful=PLAIN in overlaps)

    def _estimates(self, queries: Floats, x: Floats, part: NDArray[np.int64], choice: str) -> Floats:
        """Return the dots of queries with rows that are coded by what is fitted to other parts, (m, n)."""
        if choice == PLAIN:  # nothing is fitted
            return LowBitCodes.of(x, self._fitted(x, choice)).estimate(queries)
        estimates = np.empty((len(queries), len(x)), np.float32)
        folds = [
            LowBitCodes.of(x[part == fold], self._fitted(x[part != fold], choice)).estimate(queries)
            for fold in range(_FOLDS)
        ]
        order = np.argsort(part, kind="stable")  # all at once: line by line, not column by column
        np.take(np.concatenate(folds, axis=1), np.argsort(order), axis=1, out=estimates, mode="clip")
        return estimates


def _is_float_matrix(x: Any) -> TypeGuard[NDArray[Any]]:
    """Whether `x` can be converted block by block, as large files want it."""
    plain = isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray)
    return bool(plain and x.ndim == 2 and x.dtype.kind == "f")


def _name(rotation: str, center: str) -> str:
    names = {"none": "no rotation", "blocks": "blocks of rotations", "whitened": _WHITENED}
    turned = names.get(rotation, f"{rotation} rotation")
    return turned + (", centred" if center == "mean" else "")


def _kind(choice: str) -> str:
    return choice.replace(",", "").partition(" ")[0]
