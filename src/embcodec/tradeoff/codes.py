"""The ways of coding and searching that a study compares."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..codec import unwarned
from ..dtypes import OutputDtype, RotationName
from ..embeddings import Embeddings
from ..index import HAMMING_MULTIPLIER
from ..quantizers import quantize, truncate
from ..quantizers.fitting import LowBitQuantizer
from .kinds import DEFAULT_BITS, PLAIN, LowBitKind
from .pipeline import Pipeline, timed
from .recipe import as_float16
from .words import seconds as in_seconds

Floats = NDArray[np.float32]

_LEARNED_UP_TO = 1024  # dimensions: the time to learn grows by their cube, and is seconds here


class Fitted(NamedTuple):
    """A quantizer that is fitted, and the seconds that it took."""

    kind: LowBitKind
    quantizer: LowBitQuantizer
    seconds: float


class LowBit:
    """How a study makes its low-bit codes.

    Parameters
    ----------
    sample : ndarray, (n, dimension)
        What they are fitted to.
    rotation : {"auto", "none", "random", "blocks", "learned", "whitened", "principal"}
        Of codes of 1, 2 and 4 bits; others are in principal directions.
    seed : int
    kinds : sequence of LowBitKind
    """

    def __init__(
        self, sample: Floats, rotation: RotationName, seed: int, kinds: Sequence[LowBitKind] = DEFAULT_BITS
    ) -> None:
        LowBitQuantizer(1, rotation=rotation)  # raises for a rotation that is not known
        self.sample, self._rotation, self._seed, self._kinds = sample, rotation, seed, kinds
        self._fitted: dict[int, list[Fitted]] = {}

    def kinds_at(self, dimension: int) -> list[LowBitKind]:
        """Return the kinds that there are of rows cut to so many dimensions: of a number of bytes at full ones only."""
        return [kind for kind in self._kinds if kind.row_bytes is None or dimension == self.sample.shape[1]]

    def warnings(self) -> list[str]:
        """Return what makes the figures of the codes less sure than usual."""
        count, dimension = self.sample.shape
        learned = self._rotation not in ("none", "random") or any(kind not in DEFAULT_BITS for kind in self._kinds)
        if self._kinds and learned and count < 2 * dimension:
            return [f"low-bit codes were fitted to {count:,} vectors of {dimension} dimensions, which are few"]
        return []

    def fit_each(self, dimension: int, tell: Callable[[str], object] = lambda _: None) -> Iterator[Fitted]:
        """Yield what is fitted to the sample, cut to so many dimensions; of each is told that it is being fitted."""
        sample = truncate(self.sample, dimension)
        rotation = "random" if self._rotation == "auto" and dimension > _LEARNED_UP_TO else self._rotation
        self._fitted[dimension] = []
        for kind in self.kinds_at(dimension):
            label = f"fitting {kind.name} at {dimension} dimensions"
            tell(label)
            began = time.perf_counter()
            quantizer = _fit(kind.quantizer(rotation, self._seed), sample, partial(tell, label))
            self._fitted[dimension].append(Fitted(kind, quantizer, time.perf_counter() - began))
            yield self._fitted[dimension][-1]

    def fitted(self, dimension: int) -> list[Fitted]:
        """Return what is fitted to the sample, cut to so many dimensions."""
        return self._fitted[dimension] if dimension in self._fitted else list(self.fit_each(dimension))

    def pipelines(self, rows: Floats, queries: Embeddings) -> Iterator[tuple[LowBitKind, Pipeline]]:
        """Yield low-bit codes of rows (n, d), none of them zero, of no more dimensions than the sample."""
        unit = truncate(rows, rows.shape[1])
        for kind, quantizer, fitted in self.fitted(rows.shape[1]):
            codes, seconds = timed(partial(quantizer.encode, unit))
            note = f"{quantizer.choice}, fitted in {in_seconds(fitted)}"
            size = "" if kind.row_bytes is not None else f" ({codes.nbytes / len(codes):g} bytes)"
            yield (
                kind,
                Pipeline(f"{kind.name}{size}", codes, queries, encode_seconds=seconds, note=note, quantizer=quantizer),
            )


def _fit(quantizer: LowBitQuantizer, sample: Floats, tell: Callable[[], object]) -> LowBitQuantizer:
    """Fit a quantizer, which tells how far it is where it can."""
    fit: Callable[..., LowBitQuantizer] = quantizer.fit
    if "progress" in inspect.signature(fit).parameters:
        return fit(sample, progress=lambda *_: tell())
    return fit(sample)


def standard_pipelines(
    rows: Floats,
    queries: Floats,
    dimension: int,
    multipliers: Sequence[int],
    low_bit: LowBit,
    plain: Sequence[str] = PLAIN,
) -> Iterator[Pipeline]:
    """Yield every way of coding and searching that the study compares, at one dimension: those of one code together.

    Three stages, and rescored low-bit codes, are compared at the full dimension only.
    """
    full = dimension == rows.shape[1]
    if not full:
        rows, queries = truncate(rows, dimension), truncate(queries, dimension)
    asked = Embeddings(queries)
    floats = Embeddings(rows)
    yield Pipeline("float", floats, asked)
    if "float16" in plain:
        rounded, seconds = timed(partial(as_float16, rows))
        note = "stored as float16, searched as float32"
        yield Pipeline("float16", Embeddings(rounded), asked, encode_seconds=seconds, note=note, half=True)
    for dtype in (OutputDtype.INT8, OutputDtype.UINT8):
        if dtype in plain:
            with unwarned():  # what the unit scale loses is in the figures
                codes, seconds = timed(partial(quantize, rows, dtype, scale="unit"))
                coded_queries = quantize(queries, dtype, scale="unit")
            yield Pipeline(f"{dtype} unit", codes, coded_queries, encode_seconds=seconds)
    int8, seconds = timed(partial(quantize, rows, OutputDtype.INT8, scale="per-vector"))
    if OutputDtype.INT8 in plain:
        yield Pipeline("int8 per-vector", int8, asked, encode_seconds=seconds)
    finer: tuple[Any, ...] = (int8, floats)
    if "bits" in plain:
        yield from _sign_bits(rows, queries, finer, multipliers, three_stage=full)
    for kind, way in low_bit.pipelines(rows, asked):
        yield way
        if not full or not kind.is_rescored:
            continue
        for again in finer if kind.row_bytes is None else finer[:1]:
            for multiplier in multipliers[:1] if kind.bits > 1 else multipliers:
                yield way.rescored(again, asked, multiplier)


def _sign_bits(
    rows: Floats, queries: Floats, finer: Sequence[Embeddings], multipliers: Sequence[int], *, three_stage: bool
) -> Iterator[Pipeline]:
    bits, seconds = timed(partial(quantize, rows, OutputDtype.UBINARY))
    asked = Embeddings(queries)
    for label, first in (("bits", quantize(queries, OutputDtype.UBINARY)), ("bits, float query", asked)):
        plain = Pipeline(label, bits, first, encode_seconds=seconds)
        yield plain
        for again in finer:
            for multiplier in multipliers:
                yield plain.rescored(again, asked, multiplier)
        if three_stage and first is not asked:
            for multiplier in multipliers[:1]:
                for again in finer:
                    yield plain.narrowed(asked, HAMMING_MULTIPLIER, again, multiplier)
