"""A measured way to store and search, carried out: the codes of any rows, their index, a search, the code to paste."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..codec import unwarned
from ..dtypes import OutputDtypeName
from ..embeddings import Embeddings
from ..index import FlatIndex
from ..quantizers import quantize, truncate
from ..quantizers.lowbit import LowBitCodes
from ..scale import ScaleName
from ..scan import SearchResult, rescore, search
from ..words import as_whole
from .stores import FLOAT16_STORES, metric_of, stores_that_take

if TYPE_CHECKING:
    from ..quantizers.fitting import LowBitQuantizer

_STORES = ("float", "ubinary", "binary", "int8", "uint8")
"""What stores take as it is, most of them first; per-vector scales and low-bit codes none does."""


@dataclass(frozen=True)
class Recipe:
    """How rows are coded and searched.

    Attributes
    ----------
    output_dtype : str or None
        Of the codes that are scanned; None where a quantizer makes them.
    dimension : int
        Rows and queries are cut to it, and brought to unit length.
    scale : {"unit", "per-vector"} or None
        Of integers.
    quantizer : LowBitQuantizer or None
        As it was fitted by the study.
    rescored_with : {"int8", "float"} or None
        The rows that score candidates again; int8 with per-vector scales.
    multiplier : int
        So many times k candidates are scored again.
    coded_queries : bool
        Whether codes are scanned with queries coded like them, not with floats.
    three_stage : bool
        Whether the float query on the same bits comes between.
    half : bool
        Whether floats are rounded to float16, as which stores and files keep them; they are searched as float32.
    """

    output_dtype: OutputDtypeName | None
    dimension: int
    scale: ScaleName | None = None
    quantizer: LowBitQuantizer | None = None
    rescored_with: OutputDtypeName | None = None
    multiplier: int = 1
    coded_queries: bool = False
    three_stage: bool = False
    half: bool = False

    @property
    def stores(self) -> tuple[int, int]:
        """How few stores take its codes, and its rows for rescoring: the less, the more do."""
        codes = _rank(self.output_dtype, self.scale)
        return codes, 0 if self.rescored_with is None else _rank(self.rescored_with, "per-vector")

    @property
    def held_by(self) -> tuple[str, ...]:
        """The stores that take its codes, and its rows for rescoring, and search them as it does.

        They compare codes with codes, and floats with floats: no scale of a row's own is known to them, no low-bit
        code, and no float query for bits.
        """
        if self.half:
            return FLOAT16_STORES
        asks_alike = self.coded_queries or self.output_dtype == "float"
        if self.quantizer is not None or self.scale == "per-vector" or not asks_alike or self.three_stage:
            return ()
        if self.rescored_with not in (None, "float"):
            return ()
        return stores_that_take((self._kind, self.rescored_with or self._kind))

    @property
    def store_metric(self) -> str | None:
        """The metric by which those stores are to compare the codes that they scan; None where there are none."""
        return metric_of(self._kind) if self.held_by else None

    @property
    def _kind(self) -> str:
        return "bits" if self.output_dtype in ("binary", "ubinary") else str(self.output_dtype)

    def encode(self, x: ArrayLike | Embeddings) -> Embeddings | LowBitCodes:
        """Return the codes of rows that are scanned."""
        return self._coded(self._cut(x))

    def index(self, x: ArrayLike | Embeddings, ids: ArrayLike | None) -> FlatIndex:
        """Return an index of rows."""
        rows = self._cut(x)
        with unwarned():  # the study has said what these codes lose
            return FlatIndex(self._coded(rows), rescore_with=self._finer(rows), ids=ids)

    def search(self, index: FlatIndex, queries: ArrayLike | Embeddings, k: int, threads: int | None) -> SearchResult:
        """Return the k best ids of each query, by the stages that were measured; 1-D for one vector."""
        asked = self._cut(queries)
        found = self._found(index, np.atleast_2d(asked), k, threads)
        return SearchResult(found.scores[0], found.indices[0]) if asked.ndim == 1 else found

    def _found(self, index: FlatIndex, asked: NDArray[np.float32], k: int, threads: int | None) -> SearchResult:
        better = index.rescore_with
        if not self.coded_queries or self.three_stage:
            again = None if better is None else self.multiplier
            return index.search(
                asked, k, metric="cosine", rescore_multiplier=again, three_stage=self.three_stage, threads=threads
            )
        coded = self._coded(asked)
        assert isinstance(coded, Embeddings)
        if better is None:
            return index.search(coded, k, rescore_multiplier=None, threads=threads)
        first = search(coded, index.codes, as_whole(k, "k", 1) * self.multiplier, threads=threads).indices
        found = rescore(asked, first, better, k, metric="cosine", threads=threads)
        return SearchResult(found.scores, index.ids[found.indices])

    def _cut(self, x: ArrayLike | Embeddings) -> NDArray[np.float32]:
        return truncate(x.to_float() if isinstance(x, Embeddings) else x, self.dimension)

    def _coded(self, rows: NDArray[np.float32]) -> Embeddings | LowBitCodes:
        if self.quantizer is not None:
            return self.quantizer.encode(rows)
        assert self.output_dtype is not None
        if self.half:
            return Embeddings(as_float16(rows))
        return _quantized(rows, self.output_dtype, self.scale)

    def _finer(self, rows: NDArray[np.float32]) -> Embeddings | None:
        return None if self.rescored_with is None else _quantized(rows, self.rescored_with, "per-vector")

    def code(self, k: int) -> str:
        """Return Python that does it with `vectors` and `queries`, two matrices of floats."""
        lines = ["import embcodec", "", f"rows = embcodec.truncate(vectors, {self.dimension})"]
        coding = [self._line("codes", "rows")]
        if self.half:
            coding = ['codes = embcodec.Embeddings(rows.astype("float16"))  # which stores keep; searched as float32']
        if self.quantizer is not None:
            coding = [f"quantizer = {_making(self.quantizer)}.fit(rows)", "codes = quantizer.encode(rows)"]
        finer = "" if self.rescored_with is None else ", rescore_with=finer"
        if finer:
            coding.append("finer = " + _call("rows", self.rescored_with, "per-vector"))
        lines += [*coding, f"index = embcodec.FlatIndex(codes{finer})"]
        lines += ['# index.save("index.safetensors") keeps it in a file, FlatIndex.load reads that.', ""]
        lines.append(f"asked = embcodec.truncate(queries, {self.dimension})")
        wishes = f'k={k}, metric="cosine"' + (f", rescore_multiplier={self.multiplier}" if finer else "")
        if not self.coded_queries or self.three_stage:
            lines.append(f"result = index.search(asked, {wishes}{', three_stage=True' if self.three_stage else ''})")
        elif not finer:
            lines += [self._line("coded", "asked"), f"result = index.search(coded, k={k})"]
        else:
            lines += [
                self._line("coded", "asked"),
                f"first = embcodec.search(coded, codes, k={k * self.multiplier}).indices",
                f'result = embcodec.rescore(asked, first, finer, k={k}, metric="cosine")',
            ]
        return "\n".join(lines) + "\n"

    def _line(self, name: str, rows: str) -> str:
        return f"{name} = {_call(rows, self.output_dtype, self.scale)}"


def as_float16(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows, of unit length at most, with the values of float16."""
    return rows.astype(np.float16).astype(np.float32)


def _making(quantizer: LowBitQuantizer) -> str:
    size = str(quantizer.bits)
    if quantizer.bytes_per_vector is not None:
        size = f"bytes_per_vector={quantizer.bytes_per_vector}"
    wishes = [size, f"rotation={quantizer.rotation!r}"]
    wishes += [f"shaping={quantizer.shaping!r}"] if quantizer.shaping != "auto" else []
    wishes += [f"center={quantizer.center!r}", f"seed={quantizer.seed}"]
    return f"embcodec.LowBitQuantizer({', '.join(wishes)})"


def _rank(output_dtype: str | None, scale: str | None) -> int:
    is_taken = output_dtype is not None and (scale != "per-vector" or output_dtype not in ("int8", "uint8"))
    return _STORES.index(str(output_dtype)) if is_taken else len(_STORES) + (output_dtype is None)


def _quantized(rows: NDArray[np.float32], output_dtype: OutputDtypeName, scale: ScaleName | None) -> Embeddings:
    if output_dtype in ("int8", "uint8"):
        return quantize(rows, output_dtype, scale=scale or "unit")
    return Embeddings(rows) if output_dtype == "float" else quantize(rows, output_dtype)


def _call(rows: str, output_dtype: str | None, scale: str | None) -> str:
    if output_dtype == "float":
        return f"embcodec.Embeddings({rows})"
    with_scale = f', scale="{scale}"' if output_dtype in ("int8", "uint8") else ""
    return f'embcodec.quantize({rows}, "{output_dtype}"{with_scale})'
