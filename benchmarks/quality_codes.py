"""What a code is to `quality.py`, and ours: fitted to rows, it encodes others, and is asked with floats."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embcodec import Embeddings, LowBitQuantizer, calibrate, quantize, search
from embcodec.dtypes import OutputDtype, Precision

Floats = NDArray[np.float32]
Answer = NDArray[np.int64]
Asked = Callable[[Floats], Answer]
"""What finds rows for queries."""
Encoder = Callable[[Floats], tuple[float, Asked]]
"""What encodes rows: returns the bytes that each takes, and what is asked."""

K = 10


class Vectors(NamedTuple):
    """Rows to fit to, others to search, and queries: float32 of unit length."""

    fit: Floats
    rows: Floats
    queries: Floats

    @property
    def dimension(self) -> int:
        """Of all of them."""
        return self.rows.shape[1]

    def save(self, folder: Path) -> None:
        """Write a file each, for processes that measure."""
        for name, part in zip(self._fields, self, strict=True):
            np.save(folder / f"{name}.npy", part)

    @classmethod
    def load(cls, folder: Path) -> Vectors:
        """Read what `save` wrote."""
        return cls(*(np.load(folder / f"{name}.npy") for name in cls._fields))


class Code(NamedTuple):
    """A way to code: whose, what it is called, the module that has it, its bytes a row, and what fits it to rows."""

    who: str
    label: str
    module: str
    row_bytes: float
    fitted: Callable[[Floats], Encoder]

    @property
    def is_here(self) -> bool:
        """Whether its module can be imported."""
        return importlib.util.find_spec(self.module) is not None


class Kept(NamedTuple):
    """What a code keeps: bytes a row, of each query how many of the K nearest, and seconds of processor time."""

    row_bytes: float
    hits: list[int]
    fit_seconds: float
    encode_seconds: float

    @property
    def overlap(self) -> float:
        """With the K nearest by floats, of 1."""
        return float(np.mean(self.hits)) / K


def ours(dimension: int, sizes: list[int]) -> Iterator[Code]:
    def asked(rows: Any, precision: Precision = "int8") -> tuple[float, Asked]:
        def ask(queries: Floats) -> Answer:
            return search(Embeddings(queries), rows, K, metric="cosine", query_precision=precision).indices

        return rows.nbytes / len(rows), ask

    def quantized(fit: Floats, output_dtype: OutputDtype, scale: Any = None, precision: Precision = "int8") -> Encoder:
        fitted = calibrate(fit) if scale == "ranges" else scale
        return lambda rows: asked(quantize(rows, output_dtype, scale=fitted), precision)

    def fitted(fit: Floats, precision: Precision = "int8", **given: Any) -> Encoder:
        quantizer = LowBitQuantizer(**given).fit(fit)
        return lambda rows: asked(quantizer.encode(rows), precision)

    code = partial(Code, "embcodec")
    plain = partial(quantized, output_dtype=OutputDtype.INT8)
    yield code("int8, a scale a vector", "embcodec", dimension + 4, partial(plain, scale="per-vector"))
    ranges = partial(plain, scale="ranges")
    yield code("int8, ranges", "embcodec", dimension, ranges)
    yield code("int8, ranges, queries unrounded", "embcodec", dimension, partial(ranges, precision="float32"))
    yield code("int8, the services' scale", "embcodec", dimension, partial(plain, scale="unit"))
    yield code("sign bits", "embcodec", dimension / 8, partial(quantized, output_dtype=OutputDtype.UBINARY))
    for bits in (1, 2, 4):
        label = f"{bits} bit{'s' * (bits > 1)}"
        whitened = partial(fitted, rotation="whitened", center="mean")
        for shaping, said in (("none", ""), ("auto", ", shaped")):
            make = partial(whitened, bits=bits, shaping=shaping)
            yield code(label + said, "embcodec", dimension * bits / 8 + (4 if bits == 1 else 8), make)
    for size in sizes:
        if size <= dimension:
            make = partial(fitted, bytes_per_vector=size)
            yield code(f"bytes_per_vector={size}", "embcodec", size, make)
            if size >= dimension / 2:  # where rounding the queries costs as much as coding the rows
                make = partial(make, precision="float32")
                yield code(f"bytes_per_vector={size}, queries unrounded", "embcodec", size, make)
