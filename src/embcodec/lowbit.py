"""Codes of one, two and four bits a dimension that keep more than sign bits do."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._native import bits as native_bits
from .errors import StorageError
from .lowbit_codes import LowBitCodes, LowBitScheme
from .lowbit_levels import Floats, Rotation, learned_rotation, levels_of, random_rotation
from .quantize import as_float_rows

__all__ = ["LowBitCodes", "LowBitQuantizer", "LowBitScheme"]

ROTATIONS = ("none", "random", "learned", "auto")
CENTERS = ("none", "mean", "auto")
PLAIN = "plain sign bits"
_LEARN_ROWS, _MEASURE_ROWS, _MEASURE_QUERIES = 20_000, 5_000, 300
_NEIGHBOURS = 10


class LowBitQuantizer:
    """One, two or four bits a dimension, with rotation, centring and one unbiased scale a vector.

    Parameters
    ----------
    bits : {1, 2, 4}
    rotation : {"none", "random", "learned", "auto"}
        "random": signs and Hadamard transforms, fast. "learned": iterative quantization on the sample, slower to fit
        and to encode, the most accurate for most models. "auto" measures them on a held-out part of the sample.
    center : {"none", "mean", "auto"}
        Whether the sample's mean is taken off first, which rescues models whose vectors share a large mean.
    seed : int

    Attributes
    ----------
    choice : str
        What was chosen: ``"learned rotation, centred"``.
    report : dict of str to float
        The overlap@10 with float search that each choice reached on held-out rows, where there was a choice to make.
        At one bit "plain sign bits" is among them, and is left only for what is better by more than its standard
        error.

    Notes
    -----
    A row x becomes r = P(x - c), coded as levels l of r sqrt(d) / |r|, with the scale s = |r|^2 / <r, l>, so that
    <q, c> + s <Pq, l> estimates <q, x> without bias. The 1-bit code is RaBitQ's (arXiv 2405.12497). A row takes
    bits * ceil(dimension / 8) bytes, and for its scale and length 4 (one bit) or 8 (two and four).

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
            Real queries to measure choices with; by default held-out rows are.

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
        rows = as_float_rows(x)
        if rows.shape[1] != self.scheme.dimension:
            raise ValueError(f"rows have {rows.shape[1]} dimensions, the quantizer {self.scheme.dimension}")
        native_bits.require_finite(rows)
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
            fitted = Rotation(arrays.get("matrix"), arrays.get("factors"))
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
        rotations = ("none", "random", "learned") if self.rotation == "auto" else (self.rotation,)
        centers = ("none", "mean") if self.center == "auto" else (self.center,)
        plain = [PLAIN] if self.bits == 1 and "none" in rotations and "none" in centers else []
        plain = plain if self.rotation == "auto" else []
        return plain + [_name(rotation, center) for rotation in rotations for center in centers]

    def _fitted(self, x: Floats, choice: str) -> LowBitScheme:
        dimension = x.shape[1]
        center = x.mean(axis=0, dtype=np.float64).astype(np.float32) if "centred" in choice else None
        rotation = Rotation()
        if choice.startswith("random"):
            rotation = random_rotation(dimension, self.seed)
        elif choice.startswith("learned"):
            some = _some_rows(x, _LEARN_ROWS, self.seed)
            some = some if center is None else some - center
            rotation = learned_rotation(some, levels_of(self.bits))
        scheme = LowBitScheme(self.bits, dimension, rotation, center, choice != PLAIN)
        scales = scheme.encode_raw(_some_rows(x, 1000, self.seed))[1]
        typical = float(np.median(scales[scales > 0])) if (scales > 0).any() else 1.0
        return replace(scheme, scale_unit=typical)

    def _measure(self, x: Floats, queries: Floats | None, choices: list[str]) -> str:
        """Return the best of `choices`, the plainest where little is between them.

        A fifth of the sample asks, which nothing is fitted to; the rest answers, three quarters of it fitted to: the
        rows to be coded are often the sample itself, and often more.
        """
        x = _some_rows(x, _MEASURE_ROWS, self.seed)
        order = np.random.default_rng(self.seed).permutation(len(x))
        asked = min(len(x) // 5, _MEASURE_QUERIES)
        if asked < 2 * _NEIGHBOURS:
            return choices[0]  # too few rows to measure with
        held, rest = x[order[:asked]], x[order[asked:]]
        train = rest[: len(rest) * 3 // 4]
        queries = (held if queries is None else queries)[:_MEASURE_QUERIES]
        truth = _nearest(queries @ rest.T)
        kept: dict[str, Any] = {}
        for choice in choices:
            if choice.startswith("learned") and len(train) < x.shape[1]:
                continue  # fewer rows than dimensions would be learned by heart
            codes = self._fitted(train, choice).encode(rest)
            found = _nearest(codes.estimate(queries))
            kept[choice] = np.array([np.isin(a, b).mean() for a, b in zip(found, truth, strict=True)])
        self.report = {choice: float(values.mean()) for choice, values in kept.items()}
        best = max(kept, key=lambda choice: self.report[choice])
        first = next(iter(kept))
        gain = kept[best] - kept[first]
        return best if gain.mean() > gain.std() / np.sqrt(len(gain)) else first


def _name(rotation: str, center: str) -> str:
    turned = "no rotation" if rotation == "none" else f"{rotation} rotation"
    return turned + (", centred" if center == "mean" else "")


def _some_rows(x: Floats, most: int, seed: int) -> Floats:
    if len(x) <= most:
        return x
    return x[np.sort(np.random.default_rng(seed).choice(len(x), most, replace=False))]


def _nearest(scores: Floats) -> np.ndarray[Any, Any]:
    k = min(_NEIGHBOURS, scores.shape[1] - 1)
    return np.argpartition(-scores, k, axis=1)[:, :k]
