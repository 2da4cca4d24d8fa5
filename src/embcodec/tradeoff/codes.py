"""The ways of coding and searching that a study compares."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codec import row_norms, unwarned
from ..dtypes import OutputDtype, RotationName
from ..embeddings import Embeddings
from ..index import HAMMING_MULTIPLIER
from ..quantizers import quantize, truncate
from ..quantizers.fitting import LowBitQuantizer
from .pipeline import Pipeline, timed
from .words import seconds as in_seconds

Floats = NDArray[np.float32]

_LEARNED_UP_TO = 1024  # dimensions: a matter of seconds, and of their cube


class LowBit:
    """How a study makes its low-bit codes.

    Parameters
    ----------
    sample : ndarray, (n, dimension)
        What they are fitted to.
    rotation : {"auto", "none", "random", "blocks", "learned", "whitened"}
    seed : int
    """

    def __init__(self, sample: Floats, rotation: RotationName, seed: int) -> None:
        LowBitQuantizer(1, rotation=rotation)  # refuses what it does not know
        self.sample, self._rotation, self._seed = sample, rotation, seed

    def warnings(self, rows: Floats) -> list[str]:
        """Return what makes the figures of low-bit codes worse or less sure than usual."""
        without = int((row_norms(rows) == 0).sum())
        if without:
            return [f"{without} of the vectors are zero, which low-bit codes cannot rank by cosine: they are left out"]
        count, dimension = self.sample.shape
        if count < 2 * dimension and self._rotation not in ("none", "random"):
            return [f"low-bit codes were fitted to {count:,} vectors of {dimension} dimensions, which are few"]
        return []

    def pipelines(self, rows: Floats, queries: Embeddings) -> Iterator[Pipeline]:
        """Yield codes of one, two and four bits of rows (n, d), of no more dimensions than the sample."""
        dimension = rows.shape[1]
        lengths = row_norms(rows)
        if not lengths.all():
            return
        sample = truncate(self.sample, dimension)
        rotation = "random" if self._rotation == "auto" and dimension > _LEARNED_UP_TO else self._rotation
        unit = truncate(rows, dimension)
        for bits in (1, 2, 4):
            began = time.perf_counter()
            quantizer = LowBitQuantizer(bits, rotation=rotation, seed=self._seed).fit(sample)
            fitted = time.perf_counter() - began
            codes, seconds = timed(partial(quantizer.encode, unit))
            note = f"{quantizer.choice}, fitted in {in_seconds(fitted)}"
            label = f"{bits} bit{'s' * (bits > 1)}"
            yield Pipeline(label, codes, queries, encode_seconds=seconds, note=note, quantizer=quantizer)


def standard_pipelines(
    rows: Floats, queries: Floats, dimension: int, multipliers: Sequence[int], low_bit: LowBit
) -> Iterator[Pipeline]:
    """Yield every way of coding and searching that the study compares, at one dimension.

    Three stages, and rescored codes of one and two bits, are compared at the full dimension only.
    """
    full = dimension == rows.shape[1]
    if not full:
        rows, queries = truncate(rows, dimension), truncate(queries, dimension)
    asked = Embeddings(queries)
    floats = Embeddings(rows)
    yield Pipeline("float", floats, asked)
    for dtype in (OutputDtype.INT8, OutputDtype.UINT8):
        with unwarned():  # what the unit scale loses is in the figures
            codes, seconds = timed(partial(quantize, rows, dtype, scale="unit"))
            coded_queries = quantize(queries, dtype, scale="unit")
        yield Pipeline(f"{dtype} unit", codes, coded_queries, encode_seconds=seconds)
    int8, seconds = timed(partial(quantize, rows, OutputDtype.INT8, scale="per-vector"))
    yield Pipeline("int8 per-vector", int8, asked, encode_seconds=seconds)
    bits, seconds = timed(partial(quantize, rows, OutputDtype.UBINARY))
    finer: tuple[Any, ...] = (int8, floats)
    for label, first in (("bits", quantize(queries, OutputDtype.UBINARY)), ("bits, float query", asked)):
        plain = Pipeline(label, bits, first, encode_seconds=seconds)
        yield plain
        for again in finer:
            for multiplier in multipliers:
                yield plain.rescored(again, asked, multiplier)
        if full and label == "bits":
            for multiplier in multipliers[:1]:
                for again in finer:
                    yield plain.narrowed(asked, HAMMING_MULTIPLIER, again, multiplier)
    for plain in low_bit.pipelines(rows, asked):
        yield plain
        for again in finer if full and plain.label != "4 bits" else ():
            for multiplier in multipliers[:1] if plain.label == "2 bits" else multipliers:
                yield plain.rescored(again, asked, multiplier)
