"""One way to store and search vectors: what it keeps and costs, and how it is done with others."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from numpy.typing import ArrayLike

from ..embeddings import Embeddings
from ..index import FlatIndex
from ..quantizers.lowbit import LowBitCodes
from ..scan import SearchResult
from .intervals import Estimate
from .recipe import Recipe


@dataclass(frozen=True)
class Stage:
    """What an earlier stage of a search hands on.

    Attributes
    ----------
    candidates : int
        Rows a query.
    recall : Estimate
        Part of the k nearest by exact float32 search that is among them: no later stage can find more.
    """

    candidates: int
    recall: Estimate


@dataclass(frozen=True)
class Measurement:
    """One way to store and search the vectors, measured, and carried out.

    Attributes
    ----------
    label : str
        In words: ``int8 per-vector``, ``bits, float query, then int8 x4``.
    output_dtype, dimension : str, int
        Of the codes that are scanned.
    rescored_with : str or None
        The dtype of the rows that candidates are scored with again, `rescore_multiplier` times k of them.
    code_bytes, rescore_bytes : float
        Bytes a vector that are scanned (scales included), and that are kept for rescoring.
    overlap : Estimate
        Part of the k nearest by exact float32 search at full dimension that is found.
    ndcg, ndcg_kept : Estimate or None
        nDCG@k against the known answers, and its ratio to that of float32 search.
    one_per_second, batch_per_second : float
        Queries a second, asked one by one and all at once; of more than 64 MiB of rows among a block of them, the time
        of the scan times as many blocks as there are.
    of_limit : float
        What merely reading the codes takes, by what one query takes; 1 is the speed of reading.
    encoded_per_second : float or None
        Vectors a second from float32 to these codes.
    stages : tuple of Stage
        The stages before the last, first to scan.
    note : str
        How the codes were fitted, if they were.
    on_front : bool
        No other measurement takes fewer bytes and finds more.
    recipe : Recipe or None
        How it is done; None where it is not known.
    k : int
        How many neighbours counted.
    """

    label: str
    output_dtype: str
    dimension: int
    rescored_with: str | None
    rescore_multiplier: int
    code_bytes: float
    rescore_bytes: float
    overlap: Estimate
    ndcg: Estimate | None
    ndcg_kept: Estimate | None
    one_per_second: float
    batch_per_second: float
    of_limit: float
    encoded_per_second: float | None
    stages: tuple[Stage, ...] = ()
    note: str = ""
    on_front: bool = False
    recipe: Recipe | None = field(default=None, repr=False, compare=False)
    k: int = 10

    def encode(self, x: ArrayLike | Embeddings) -> Embeddings | LowBitCodes:
        """Return the codes of rows that are scanned.

        Parameters
        ----------
        x : array-like of float, (n, d), or float Embeddings
            Cut to `dimension` and brought to unit length first. Low-bit codes are of the quantizer that the study
            fitted, so that those of one call meet those of another.
        """
        return self._recipe.encode(x)

    def index(self, x: ArrayLike | Embeddings, *, ids: ArrayLike | None = None) -> FlatIndex:
        """Return an index of rows, with those for rescoring if there are any; :meth:`search` asks it as was measured.

        Parameters
        ----------
        x : array-like of float, (n, d), or float Embeddings
        ids : array-like of int, (n,), optional
        """
        return self._recipe.index(x, ids)

    def search(
        self, index: FlatIndex, queries: ArrayLike | Embeddings, k: int | None = None, *, threads: int | None = None
    ) -> SearchResult:
        """Return the ids of the k best rows in what :meth:`index` returned, by the stages that were measured.

        Parameters
        ----------
        index : FlatIndex
        queries : array-like of float, (n_queries, d), or float Embeddings
        k : int, optional
            By default as many as the study looked at.
        """
        return self._recipe.search(index, queries, self.k if k is None else k, threads)

    @property
    def code(self) -> str:
        """Python that does the same, to be pasted: with `vectors` and `queries`, two matrices of floats."""
        return self._recipe.code(self.k)

    @property
    def stores(self) -> tuple[str, ...]:
        """The stores that take the codes as they are, and search them as was measured; () where none does.

        Of names as in ``Study.recommend(store=...)``. What no store takes is searched by ``embcodec.FlatIndex`` and
        ``Collection``, or kept in files and columns.
        """
        return () if self.recipe is None else self.recipe.held_by

    @property
    def store_metric(self) -> str | None:
        """The metric by which those stores are to compare the codes: "cosine", "hamming" or "euclidean"; None for none.

        Of uint8 codes it is the Euclidean distance alone: stores compare the codes as they are, with their zero at
        127.5, and by cosine or dot product these are in another order.
        """
        return None if self.recipe is None else self.recipe.store_metric

    @property
    def _recipe(self) -> Recipe:
        if self.recipe is None:
            raise ValueError(f"how {self.label!r} is done is not known: take a measurement of embcodec.study")
        return self.recipe

    @property
    def total_bytes(self) -> float:
        """Bytes a vector, of codes and of rows for rescoring together."""
        return self.code_bytes + self.rescore_bytes


def as_row(found: Measurement) -> dict[str, Any]:
    """Return a measurement as one row: its stages' number, its estimates' means and ends."""
    row: dict[str, Any] = {}
    for name, value in as_plain(found).items():
        if name in ("overlap", "ndcg", "ndcg_kept"):
            estimate = getattr(found, name)
            ends = (None, None, None) if estimate is None else (estimate.mean, estimate.low, estimate.high)
            row.update(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
        else:
            row[name] = len(value) if name == "stages" else value
    row["stores"] = ", ".join(found.stores)
    return row


def as_plain(found: Measurement) -> dict[str, Any]:
    """Return a measurement as plain data, without its recipe."""
    figures = asdict(replace(found, recipe=None))  # which holds a quantizer, and that is no plain data
    return {
        **{name: value for name, value in figures.items() if name not in ("recipe", "k")},
        "total_bytes": found.total_bytes,
        "stores": list(found.stores),
        "store_metric": found.store_metric,
    }
