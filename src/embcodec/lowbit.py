"""Codes of one, two and four bits a dimension that keep more than sign bits do."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._native import bits as native_bits
from .errors import StorageError
from .lowbit_codes import LowBitCodes, LowBitScheme
from .lowbit_levels import Floats, Levels, levels_of
from .lowbit_measure import Trial, some_rows
from .lowbit_rotations import Rotation, learned_blocks, learned_rotation, random_rotation, whitened
from .quantize import as_float_rows

__all__ = ["LowBitCodes", "LowBitQuantizer", "LowBitScheme"]

ROTATIONS = ("none", "random", "blocks", "learned", "whitened", "auto")
CENTERS = ("none", "mean", "auto")
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

    def __init__(self, bits: int = 1, *, rotation: str = "auto", center: str = "auto", seed: int = 0) -> None:
        if bits not in (1, 2, 4) or isinstance(bits, bool):
            raise ValueError(f"bits is 1, 2 or 4, not {bits!r}")
        if rotation not in ROTATIONS:
            raise ValueError(f"unknown rotation {rotation!r}; known are {', '.join(map(repr, ROTATIONS))}")
        if center not in CENTERS:
            raise ValueError(f"unknown center {center!r}; known are {', '.join(map(repr, CENTERS))}")
        self.bits, self.rotation, self.center, self.seed = bits, rotation, center, int(seed)
        self.choice = ""
        self.report: dict[str, float] = {}
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
        self.choice, self._scheme = best, self._fitted(x, best)
        return self

    def encode(self, x: ArrayLike) -> LowBitCodes:
        """Return the codes of rows (n, dimension); NaN, infinities and other dimensions are refused (ValueError)."""
        rows: NDArray[Any] = x if _is_float_matrix(x) else as_float_rows(x)
        if rows.shape[1] != self.scheme.dimension:
            raise ValueError(f"rows have {rows.shape[1]} dimensions, the quantizer {self.scheme.dimension}")
        return self.scheme.encode(rows)

    def decode(self, codes: LowBitCodes) -> Floats:
        """Return the rows that codes stand for, float32 (n, dimension)."""
        if codes.scheme.identity != self.scheme.identity:
            raise ValueError(f"these codes were made by {codes.scheme.identity}, not {self.scheme.identity}")
        return codes.to_float()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted quantizer to an ``.npz`` file, atomically."""
        scheme, target = self.scheme, Path(path)
        arrays: dict[str, Any] = {
            "settings": np.array([self.bits, self.seed, scheme.dimension, scheme.scaled], np.int64),
            "names": np.array([self.rotation, self.center, self.choice, *self.report]),
            "report": np.array(list(self.report.values()), np.float64),
            "scale_unit": np.float64(scheme.scale_unit),
        }
        for name, part in (("center", scheme.center), *scheme.rotation._asdict().items()):
            if part is not None:
                arrays[name] = part
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                np.savez(file, **arrays)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LowBitQuantizer:
        """Read what :meth:`save` wrote; StorageError where it is something else."""
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            bits, seed, dimension, scaled = (int(value) for value in arrays["settings"])
            rotation, center, choice, *measured = (str(name) for name in arrays["names"])
            quantizer = cls(bits, rotation=rotation, center=center, seed=seed)
            quantizer.choice = choice
            quantizer.report = dict(zip(measured, arrays["report"].tolist(), strict=True))
            Rotation.refuse_former(arrays)
            fitted = Rotation(*(arrays.get(name) for name in Rotation._fields))
            fitted.check()
            quantizer._scheme = LowBitScheme(
                bits, dimension, fitted, arrays.get("center"), bool(scaled), float(arrays["scale_unit"])
            )
        except FileNotFoundError:
            raise
        except Exception as error:
            raise StorageError(f"{path} holds no low-bit quantizer: {error}") from error
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
        return replace(scheme, scale_unit=typical)

    def _measure(self, x: Floats, queries: Floats | None, choices: list[str]) -> str:
        """Return the best of `choices`; the first one unless others are better beyond doubt.

        Rows are coded in parts, each by what is fitted to the others: what was learned by heart does not count.
        """
        if len(x) < _FEWEST_ROWS:
            return choices[0]
        trial = Trial(x, queries, self.seed)
        part = np.random.default_rng(self.seed).permutation(len(trial.rows)) % _FOLDS
        overlaps = {}
        for choice in choices:
            if len(choices) > 2 and len(trial.rows) < _LEAST_ROWS.get(_kind(choice), 0) * x.shape[1]:
                continue  # so few rows would be learned by heart
            overlaps[choice] = trial.overlaps(self._estimates(trial.queries, trial.rows, part, choice))
        self.report = {choice: float(found[0].mean()) for choice, found in overlaps.items()}
        return trial.best_of(overlaps, _WHITENED, doubtful=PLAIN in overlaps)

    def _estimates(self, queries: Floats, x: Floats, part: NDArray[np.int64], choice: str) -> Floats:
        """Return the dots of queries with rows that are coded by what is fitted to other parts, (m, n)."""
        if choice == PLAIN:  # nothing is fitted
            return self._fitted(x, choice).encode(x).estimate(queries)
        estimates = np.empty((len(queries), len(x)), np.float32)
        for fold in range(_FOLDS):
            here = part == fold
            estimates[:, here] = self._fitted(x[~here], choice).encode(x[here]).estimate(queries)
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
